--- Runs a script in virtual time: a host that is tested, a peer that is the script, a link without delay.
-- @module lunatcp.packetdrill.runner

local calls = require "lunatcp.packetdrill.calls"
local clocks = require "lunatcp.packetdrill.clock"
local code = require "lunatcp.packetdrill.code"
local commands = require "lunatcp.packetdrill.commands"
local core = require "lunatcp.core"
local exchange = require "lunatcp.packetdrill.exchange"
local flows = require "lunatcp.packetdrill.flow"
local network = require "lunatcp.network"
local timing = require "lunatcp.packetdrill.timing"
local values = require "lunatcp.packetdrill.values"

local M = {}

local SECOND <const> = 1000000000
local PATIENCE <const> = 2 * SECOND -- for a call that was to return at once, or by the end
local CALL_PATIENCE <const> = SECOND -- for a blocked call, when the next one is due
local MOST_TIME <const> = 86400 -- seconds of virtual time
local MOST_EVENTS <const> = 2000000

local fail <const>, seconds <const>, slack <const> = timing.fail, timing.seconds, timing.slack

local Run = {}
Run.__index = Run

-- ---- the world --------------------------------------------------------------------------------

local function mapped(config, address)
  if config.ip_version == "ipv4-mapped-ipv6" then return "::ffff:" .. address end
  return address
end

local function build(run, options)
  local config, profile = run.config, run.profile
  local net = network.new {
    seed = options.seed or 1, trace = { events = 4096, packets = 4096 },
  }
  run.net = net
  run.host = net:host("stack", { profile = profile })
  run.peer = net:peer "script"
  local bits = config.family == 4 and { 16, 24 } or { 48, 48 }
  net:link(run.host, run.peer, {
    mtu = config.mtu,
    addresses = { ("%s/%d"):format(config.local_ip, bits[1]), ("%s/%d"):format(config.remote_ip, bits[2]) },
  })
  net:route()
  local everywhere = config.family == 4 and "0.0.0.0/0" or "::/0"
  for _, node in ipairs { run.host, run.peer } do node.core:route(everywhere, node.links[1].core) end
  run.sockets = run.host.core:sockets {}
  run.clock = clocks.new(net.core, run.peer.core, run.sockets, {
    time = math.floor((options.max_time or MOST_TIME) * 1e9), events = options.max_events or MOST_EVENTS,
  })
  local family = config.socket_family == 4 and "AF_INET" or "AF_INET6"
  run.near_address = { family = family, address = mapped(config, config.local_ip), port = config.bind_port }
  local far = mapped(config, config.remote_ip)
  run.far_address = { family = family, address = far, port = config.connect_port }
end

-- ---- descriptors, for lunatcp.packetdrill.calls -----------------------------------------------

--- The script's descriptor is this one of the socket layer; `address` is the peer's, where one was accepted.
function Run:opened(script, live, name, address)
  local flow
  if name == "socket" then
    flow = flows.new(self.config, "new")
    self.flow = flow
  elseif address then
    for _, child in ipairs(self.children) do
      if child.far_port == address.port then flow = child end
    end
  end
  self.descriptors[script] = { live = live, flow = flow, kind = name }
  if flow then flow.descriptor = self.descriptors[script] end
end

--- Whether what was accepted under this descriptor is a connection that the script has opened.
function Run:accepted(script)
  local known = self.descriptors[script]
  return known ~= nil and known.flow ~= nil
end

-- ---- calls ------------------------------------------------------------------------------------

local function source_of(run, event)
  return (run.script.text:sub(event.first, event.last):gsub("%s+", " "))
end

-- Where a call with MSG_FASTOPEN connects to.
local function fast_open_address(call)
  local flags = call.name == "sendto" and call.arguments[4] or call.name == "sendmsg" and call.arguments[3]
  local ok, bits = pcall(values.number, flags or nil, "flags")
  if not ok or bits & core.socket_constants.MSG_FASTOPEN == 0 then return nil end
  if call.name == "sendto" then return call.arguments[5] end
  local fields = values.struct(call.arguments[2], "msghdr")
  return fields and fields.msg_name
end

-- What a call changes in the flow it is about, before it runs.
local function before_call(run, call)
  local first = call.arguments[1]
  local known = first and first.type == "integer" and run.descriptors[first.value]
  local flow = known and known.flow
  if not flow then return end
  local address = call.name == "connect" and call.arguments[2] or fast_open_address(call)
  if not address then return end
  local ok, target = pcall(values.address, address, run.far_address)
  if not ok or not target then return end
  if target.family == "AF_UNSPEC" then
    flow.state, flow.learnt_port = "new", nil
  elseif flow.state == "new" then
    flow.state, flow.far_port = "connecting", target.port
    flow.space = flows.new(run.config, "new").space
  end
end

local function after_call(run, call, result)
  local first = call.arguments[1]
  local known = first and first.type == "integer" and run.descriptors[first.value]
  if not known or result < 0 then return end
  if call.name == "close" then
    known.closed = true
  elseif call.name == "listen" and known.flow then
    known.flow.state, run.flow = "listening", known.flow
  end
end

local function finish_call(run, event, made, check)
  local problem = calls.compare(run, event.action, made, check)
  after_call(run, event.action, (made:result()))
  if problem and run.config.non_fatal.syscall then
    run.warnings[#run.warnings + 1] = { line = event.line, message = problem }
  elseif problem then
    fail(event, { message = ("%s: %s"):format(event.action.name, problem), expected = source_of(run, event) })
  end
end

-- The blocked call has returned: result and time.
local function returned(run, event, made, check)
  finish_call(run, event, made, check)
  local ends = event.base + event.action.ends
  local room, now = slack(run, ends - event.time), run.clock:now()
  if math.abs(now - ends) > room then
    fail(event, ("timing: %s was expected to return at %s s and returned at %s s (tolerance %s s)"):format(
      event.action.name, seconds(ends), seconds(now), seconds(room)))
  end
end

local function wait_for_blocked(run, limit)
  local clock = run.clock
  if not clock.waiting then return end
  clock:advance(limit, function() return not clock.waiting end)
  if clock.waiting then
    local event = run.blocked
    fail(event, ("%s has not returned by %s s"):format(event.action.name, seconds(clock:now())))
  end
end

local function call(run, event)
  timing.wait_for(run, event)
  wait_for_blocked(run, run.clock:now() + CALL_PATIENCE)
  before_call(run, event.action)
  local made, check = calls.begin(run, event.action)
  if not made then fail(event, { message = check, expected = source_of(run, event) }) end
  if made:done() then
    finish_call(run, event, made, check)
  else
    local over = false
    run.blocked = event
    run.clock:block(made, function()
      over = true
      local finish = event.action.ends and returned or finish_call
      finish(run, event, made, check)
    end)
    if not event.action.ends then
      run.clock:advance(run.clock:now() + PATIENCE, function() return over end)
      if not over then
        fail(event, { expected = source_of(run, event),
          message = event.action.name .. " blocks, and there is no ... TIME in front of it" })
      end
    end
  end
  run.clock:settle()
end

-- ---- commands and code ------------------------------------------------------------------------

local function current_descriptor(run)
  local known = run.flow and run.flow.descriptor
  return known and not known.closed and known.live or nil
end

local function run_command(run, command)
  local fd = current_descriptor(run)
  local ok, message = commands.run(run.profile, command.text, {
    counters = run.host:counters(),
    info = fd and run.sockets:info(fd), tcp_info = fd and run.sockets:tcp_info(fd),
    set = function(settings)
      local plain = {}
      for key, value in pairs(settings) do plain[key] = value end -- a table again: the order does not matter
      plain.fast_open_keys = nil
      run.host:set(plain)
      if settings.fast_open_keys then run.host:fast_open_keys(settings.fast_open_keys) end
    end,
    forget = function() run.host:fast_open_flush() end,
  })
  if not ok then fail(command, message) end
end

local function collect_code(run, event)
  timing.wait_for(run, event)
  local fd = current_descriptor(run)
  local names, message = code.variables(run.sockets, fd)
  if not names then fail(event, message) end
  run.snippets[#run.snippets + 1] = { code = event.action, names = names, time = run.clock:now() }
end

local ACTIONS <const> = {
  packet = function(run, event)
    local play_packet = event.action.direction == "in" and exchange.inject or exchange.expect
    play_packet(run, event)
  end,
  call = call,
  command = function(run, event)
    timing.wait_for(run, event)
    run_command(run, event.action)
    run.clock:settle()
  end,
  code = collect_code,
}

-- ---- from the first event to the last ---------------------------------------------------------

local function play(run)
  if run.script.init then run_command(run, run.script.init) end
  for _, event in ipairs(run.script.events) do
    run.event = event
    timing.schedule(run, event)
    ACTIONS[event.kind](run, event)
    run.last = event
    run.done = run.done + 1
  end
  run.event = nil
  if run.clock.waiting then
    local ends = run.blocked.base + (run.blocked.action.ends or 0)
    wait_for_blocked(run, math.max(run.clock:now(), ends) + PATIENCE)
  end
  if run.script.cleanup then run_command(run, run.script.cleanup) end
  local problem, at, time = code.run(run.snippets, run.printed)
  if problem then fail(at, { message = problem, until_ = time }) end
end

-- The ladder, up to the time at which the code that failed had looked.
local function ladder_of(run, limit)
  local ladder = run.net:ladder()
  if not limit then return ladder end
  local lines = {}
  for line in ladder:gmatch "[^\n]+" do
    local time = tonumber(line:match "^%s*(%d+%.%d+) ")
    if time and time * 1e9 > limit + 500 then break end -- printed in microseconds
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

local function outcome(run, ok, problem)
  local result = {
    printed = run.printed, warnings = run.warnings, events = run.done, time = run.clock:now(),
  }
  if ok then
    result.ok = true
    return result
  end
  if type(problem) == "table" and problem.bound then
    local event = run.event or run.script.events[#run.script.events]
    problem = { script_problem = {
      message = "stopped: " .. problem.bound, line = event.line, column = event.column, event = event,
    } }
  end
  if type(problem) ~= "table" or not problem.script_problem then error(problem, 0) end
  result.ok, result.problem = false, problem.script_problem
  result.problem.file = run.script.file
  result.ladder = ladder_of(run, result.problem.until_)
  return result
end

--- Runs a parsed script.
-- @tparam table script of `lunatcp.packetdrill.grammar`
-- @tparam table config of `lunatcp.packetdrill.options`
-- @tparam table profile of `lunatcp.profiles`
-- @tparam[opt] table options `strict`, `seed`, `pcapng` (a path), `max_time` (s), `max_events`
-- @treturn table `ok`; `problem` (`line`, `column`, `message`, `expected`, `actual`, `fields`), `ladder`;
-- `printed`
function M.run(script, config, profile, options)
  options = options or {}
  local run = setmetatable({
    script = script, config = config, profile = profile, strict = options.strict or false, descriptors = {},
    children = {}, snippets = {}, printed = {}, warnings = {}, done = 0,
  }, Run)
  local ok, result = pcall(function()
    build(run, options)
    local capture, message
    if options.pcapng then
      capture, message = run.net:capture(options.pcapng)
      if not capture then error({ script_problem = { line = 1, message = message } }, 0) end
    end
    local good, problem = pcall(play, run)
    if capture then capture:close() end
    return outcome(run, good, problem)
  end)
  if run.net then run.net:close() end
  if ok then return result end
  if type(result) == "table" and result.script_problem then
    return { ok = false, problem = result.script_problem, printed = {}, warnings = {}, events = 0, time = 0 }
  end
  error(result, 0)
end

return M
