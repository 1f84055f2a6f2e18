--- `lunatcp run SCRIPT`: as lua does, wherever the module is installed.
-- @module lunatcp.cli.run

local cli = require "lunatcp.cli"

local M = {}

local command

function M.define(parser)
  command = parser:command("run", "Run a Lua script, where require \"lunatcp\" finds this lunatcp.")
  command:argument("script", "The script; - is the standard input.")
  command:argument("arguments", "What the script gets in arg and in `...`."):args "*"
  command:handle_options(false) -- they are the script's
end

local function traced(problem)
  local meta = getmetatable(problem)
  if type(problem) ~= "string" then
    if type(meta) == "table" and meta.__tostring then return tostring(problem) end
    return ("(error object is a %s value)"):format(type(problem))
  end
  return debug.traceback(problem, 2)
end

function M.run(options)
  local path = options.script
  if path == "--help" or path == "-h" then
    cli.print(command:get_help())
    return 0
  end
  local chunk, message = loadfile(path ~= "-" and path or nil)
  if not chunk then return cli.fail(message) end
  local arguments = options.arguments
  arguments[0] = path
  arg = arguments -- luacheck: ignore 121
  local ok, problem = xpcall(chunk, traced, table.unpack(arguments))
  if not ok then return cli.fail(problem) end
  return 0
end

return M
