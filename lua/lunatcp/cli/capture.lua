--- `lunatcp capture SCRIPT`: runs a script, and writes what the links of its networks carry.
-- @module lunatcp.cli.capture

local cli = require "lunatcp.cli"
local network = require "lunatcp.network"
local run = require "lunatcp.cli.run"

local M = {}

local LAST <const> = [[
   lunatcp capture -o run.pcapng examples/echo.lua
   lunatcp capture examples/echo.lua | lunatcp decode -
   lunatcp capture examples/echo.lua | tshark -r -
Where the capture takes the standard output, what the script prints goes to the standard error. A script
that makes several networks gets a file for each: run.pcapng, run-2.pcapng. What passes between other
programs is captured by lunatcp proxy --capture, a connection by lunatcp cat --capture.
Exit status: 0; 1 when the script failed or the capture could not be written; the script's own, when it
ends the process; 2 for wrong usage.]]

function M.define(parser)
  local command = parser:command("capture", "Run a script, and capture everything that its links carry.")
  command:argument("script", "The script.")
  command:argument("arguments", "What the script gets; options of its own stand behind --."):args "*"
  command:option("-o --output", "The pcapng file; - (the default) is the standard output."):argname "FILE"
    :default "-":show_default(false)
  command:option("--view", "Packets as they were sent, or as they arrived: sender (the default), receiver.")
    :choices { "sender", "receiver" }:argname "END"
  command:flag("--json", "At the end, counts as a JSON object a network, on the standard error.")
  command:epilog(LAST)
end

-- run.pcapng, run-2.pcapng, ...
local function numbered(path, number)
  if number == 1 then return path end
  local stem, extension = path:match "^(.+)(%.[^./]+)$"
  return ("%s-%d%s"):format(stem or path, number, extension or "")
end

-- What the script prints must not come between the blocks of the capture.
local function print_elsewhere()
  io.output(io.stderr)
  print = function(...) -- luacheck: ignore 121
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    io.stderr:write(table.concat(words, "\t"), "\n")
  end
end

-- Every network that is made from now on is captured.
local function watch(options, state)
  local to_output = options.output == "-"
  network.watch(function(net)
    local number = #state.captures + 1
    if to_output and number > 1 then
      state.problem = "the script makes several networks: give -o FILE, and each gets one"
      return
    end
    local path = to_output and io.stdout or numbered(options.output, number)
    local capture, message = net:capture(path, { view = options.view, live = true })
    if not capture then
      state.problem = message
      return
    end
    state.captures[number] = { capture = capture, path = to_output and "-" or path, net = net }
  end)
end

-- `played`: the status of the script.
local function finish(options, state, played)
  local status = 0
  for _, entry in ipairs(state.captures) do
    local packets, missed = entry.capture:packets(), entry.capture:missed()
    local ok, message = entry.capture:close()
    if not ok then status = cli.fail(message) end
    if options.json then
      local counts = { file = entry.path, packets = packets, missed = missed, seed = entry.net.seed }
      io.stderr:write(cli.json(counts, { "file", "packets", "missed", "seed" }), "\n")
    end
  end
  if state.problem then return cli.fail("capture: " .. state.problem) end
  if #state.captures == 0 and played == 0 then
    return cli.fail "capture: the script made no network: nothing was written"
  end
  return status
end

function M.run(options)
  local state = { captures = {} }
  if options.output == "-" then print_elsewhere() end
  watch(options, state)
  run.before_exit(function(status)
    local finished = finish(options, state, status)
    return status == 0 and finished ~= 0 and finished or nil
  end)
  local status = run.run(options)
  local finished = finish(options, state, status)
  return status ~= 0 and status or finished
end

return M
