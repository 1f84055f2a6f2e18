-- Runs commands as a person at a shell does, and looks at what they leave behind.
local M = {}

--- As one word of the shell.
function M.quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

--- The command's output with its errors, whether it succeeded, and its exit status.
-- @param ... words of the shell
function M.run(...)
  local pipe <close> = assert(io.popen("{ " .. table.concat({ ... }, " ") .. "; } 2>&1 </dev/null"))
  local output = pipe:read("a")
  local ok, _, status = pipe:close()
  return output, ok, status
end

--- The output of a command that must succeed.
function M.succeed(...)
  local output, ok = M.run(...)
  assert(ok, output)
  return output
end

--- The first line of it.
function M.first_line(...) return (M.succeed(...):match("^[^\n]*")) end

--- A new directory, removed at the end of the specs that made it by `M.remove`.
function M.scratch() return M.first_line("mktemp -d") end

function M.remove(path) M.succeed("rm -rf", M.quote(path)) end

function M.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

--- What is in a file, or nil when there is none.
function M.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

-- A search path as it is seen from any directory.
local function absolute(path)
  local here = M.first_line("pwd"):gsub("%%", "%%%%")
  return ((";" .. path):gsub(";%./", ";" .. here .. "/"):sub(2))
end

--- Settings for `env`: where this process finds its modules, so that another one does too.
function M.modules()
  return "LUA_PATH_5_4=" .. M.quote(absolute(package.path)) ..
    " LUA_CPATH_5_4=" .. M.quote(absolute(package.cpath))
end

return M
