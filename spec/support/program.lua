-- The program `lunatcp` in scripts of the shell that specs write.
local shell = require "support.shell"

local M = {}

M.PATH = shell.first_line("pwd") .. "/bin/lunatcp"

--- The command.
-- @string arguments words of the shell
-- @string[opt] environment variables, as words of the shell
function M.command(arguments, environment)
  return ("env -u LUNATCP_SEED %s %s lua5.4 %s %s"):format(shell.modules(), environment or "",
    shell.quote(M.PATH), arguments)
end

--- Lines of bash that wait until a file holds what a pattern of sed finds, and set a variable to it.
function M.await(variable, file, pattern)
  return ([[
for _ in $(seq 400); do
  %s=$(sed -n 's/%s/\1/p' %s 2>/dev/null | head -n 1)
  [ -n "$%s" ] && break
  sleep 0.02
done]]):format(variable, pattern, file, variable)
end

--- Sets a variable to the address that `lunatcp cat -v -l PORT 2>listening` says.
function M.await_listener(variable)
  return M.await(variable, "listening", ".*listening on port [0-9]* of \\(.*\\)")
end

return M
