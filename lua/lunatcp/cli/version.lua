--- `lunatcp version`.
-- @module lunatcp.cli.version

local cli = require "lunatcp.cli"

local M = {}

function M.define(parser)
  local command = parser:command("version", "Tell the version of lunatcp and of Lua.")
  command:flag("--json", "As a JSON object.")
end

function M.run(options)
  if options.json then
    cli.print(cli.json({ lunatcp = cli.version, lua = _VERSION }, { "lunatcp", "lua" }))
  else
    cli.print(("lunatcp %s (%s)"):format(cli.version, _VERSION))
  end
  return 0
end

return M
