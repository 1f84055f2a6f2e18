--- `lunatcp run SCRIPT`: as lua does, wherever the module is installed.
-- @module lunatcp.cli.run

local cli = require "lunatcp.cli"

local M = {}

local command

function M.define(parser)
  command = parser:command("run", "Run a Lua script, where require \"lunatcp\" finds this lunatcp.")
  command:argument("script", "The script; - is the standard input.")
  command:argument("arguments", "What the script gets in arg and in `...`."):args "*"
  command:flag("--json", "Before SCRIPT: how it went as a JSON object on the standard error, at the end.")
  command:handle_options(false) -- those behind the script are its own
  command:epilog "Exit status: 0; what the script gives to os.exit; 1 when it failed; 2 for wrong usage."
end

-- The words before the script are ours: argparse leaves them all as they are.
local function own_words(options, parser)
  local words = { options.script, table.unpack(options.arguments) }
  local json = false
  while words[1] == "--json" do
    json = true
    table.remove(words, 1)
  end
  if not words[1] then parser:error "missing argument 'script'" end
  if words[1]:find "^%-." and words[1] ~= "--help" and words[1] ~= "-h" then
    parser:error(("run: unknown option '%s' (a script of that name is ./%s)"):format(words[1], words[1]))
  end
  return table.remove(words, 1), words, json
end

local function report(path, status, problem)
  io.stderr:write(cli.json({
    script = path, status = status, problem = problem, seconds = os.clock(),
  }, { "script", "status", "problem", "seconds" }), "\n")
  return status
end

--- Calls `f(status)` before a script that calls os.exit ends the process; what it gives is the status then.
function M.before_exit(f)
  local exit = os.exit
  os.exit = function(code, close) -- luacheck: ignore 122
    os.exit = exit -- luacheck: ignore 122
    local status = code
    if code == nil or code == true then status = 0 end
    if code == false then status = 1 end
    exit(f(status) or code, close)
  end
end

local function traced(problem)
  local meta = getmetatable(problem)
  if type(problem) ~= "string" then
    if type(meta) == "table" and meta.__tostring then return tostring(problem) end
    return ("(error object is a %s value)"):format(type(problem))
  end
  return debug.traceback(problem, 2)
end

function M.run(options, parser)
  local path, arguments, json = own_words(options, parser)
  if path == "--help" or path == "-h" then
    cli.print(command:get_help())
    return 0
  end
  local chunk, message = loadfile(path ~= "-" and path or nil)
  if not chunk then return json and report(path, 1, message) or cli.fail(message) end
  arguments[0] = path
  arg = arguments -- luacheck: ignore 121
  if json then M.before_exit(function(status) report(path, status) end) end
  local ok, problem = xpcall(chunk, traced, table.unpack(arguments))
  if json then return report(path, ok and 0 or 1, not ok and problem or nil) end
  if not ok then return cli.fail(problem) end
  return 0
end

return M
