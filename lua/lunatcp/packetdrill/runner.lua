--- Runs a script in virtual time: a host that is tested, a peer that is the script, a link without delay.
-- @module lunatcp.packetdrill.runner

local calls = require "lunatcp.packetdrill.calls"
local clocks = require "lunatcp.packetdrill.clock"
local code = require "lunatcp.packetdrill.code"
local commands = require "lunatcp.packetdrill.commands"
local compare = require "lunatcp.packetdrill.compare"
local core = require "lunatcp.core"
local flows = require "lunatcp.packetdrill.flow"
local network = require "lunatcp.network"
local text = require "lunatcp.packetdrill.text"
local values = require "lunatcp.packetdrill.values"
local wire = require "lunatcp.packetdrill.wire"

local M = {}

local SECOND <const> = 1000000000
local PATIENCE <const> = 2 * SECOND -- for an expected packet, beyond its time
local CALL_PATIENCE <const> = SECOND -- for a blocked call, when the next one is due
local MOST_TIME <const> = 86400 -- seconds of virtual time
local MOST_EVENTS <const> = 2000000

local Run = {}
Run.__index = Run

-- Ends the run: what is wrong, at an event or a line.
local function fail(where, problem)
  if type(problem) == "string" then problem = { message = problem } end
  problem.line, problem.column, problem.event = where.line, where.column, where.first and where or nil
  error({ script_problem = problem }, 0)
end

local function seconds(ns) return ("%.6f"):format(ns / 1e9) end

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

-- ---- time -------------------------------------------------------------------------------------

-- When the event is to happen, and what a range of times begins and ends with.
local function schedule(run, event)
  local when, last = event.when, run.last
  event.base = 0
  if when.kind ~= "absolute" then
    local function injected(other)
      return other and other.kind == "packet" and other.action.direction == "in"
    end
    event.base = injected(last) and injected(event) and last.time or run.clock:now()
  end
  event.time = event.base + when.from
  event.time_end = when.to and event.base + when.to
end

local function slack(run, interval)
  return math.max(run.config.tolerance, run.config.tolerance_percent / 100 * interval)
end

-- nil, or what is wrong with the moment at which something happened.
local function off_time(run, event, actual, what)
  if event.when.kind == "any" then return nil end
  local room = slack(run, event.time - (run.last and run.last.time or 0))
  local first, last = event.time, event.time_end or event.time
  if actual >= first - room and actual <= last + room then return nil end
  local wanted = event.time_end and ("from %s to %s s"):format(seconds(first), seconds(last))
    or ("at %s s"):format(seconds(first))
  return ("%s was expected %s and happened at %s s (tolerance %s s)"):format(what, wanted, seconds(actual),
    seconds(room))
end

local WHAT <const> = {
  packet = "the injected packet", call = "the call", command = "the command", code = "the code",
}

local function wait_for(run, event)
  if run.clock:now() <= event.time then run.clock:advance(event.time) end
  local problem = off_time(run, event, run.clock:now(), WHAT[event.kind])
  if problem then fail(event, "timing: " .. problem) end
end

-- ---- injected packets -------------------------------------------------------------------------

local function flow_of_injected(run, event, packet)
  if packet.kind == "tcp" and (not run.flow or run.flow.state == "listening") then
    local flow = flows.passive(run.config, packet, #run.children)
    run.children[#run.children + 1] = flow
    run.flow = flow
  end
  if not run.flow then fail(event, "there is no connection that this packet could belong to") end
  return run.flow
end

local function inject(run, event)
  local packet = event.action
  if packet.encapsulation or packet.psp then fail(event, "the stack understands no encapsulated packets") end
  if packet.kind == "udp" then fail(event, "the stack is a TCP: it has no UDP to send this to") end
  wait_for(run, event)
  local flow = flow_of_injected(run, event, packet)
  flow:injects(packet)
  local bytes
  if packet.kind == "icmp" then
    local seq = flow.space:quoted_seq(packet.quoted.seq or 0)
    bytes = wire.icmp_message(packet, run.config.family, flow:inward {}, seq)
  else
    local live, message = flow.space:to_wire(packet, run.config.tcp_ts_ecr_scaled)
    if not live then fail(event, message) end
    bytes = wire.segment(live, flow:inward(packet))
  end
  run.peer.core:send(bytes)
  run.clock:settle()
end

-- ---- expected packets -------------------------------------------------------------------------

-- The next packet of this flow, or nil and why none came.
local function next_packet(run, event, flow)
  local clock = run.clock
  local last = run.last and run.last.time or 0
  local delay = math.max(event.time, event.time_end or 0) - last
  local limit = clock:now() + delay // SECOND * SECOND + PATIENCE
  if event.when.kind == "any" then limit = clock.bounds.time end
  while true do
    local packet = clock:take()
    if packet and flow:owns(packet) then return packet end
    if not packet then
      local outcome = clock:advance(limit, function() return clock:has_packet() end, not clock.waiting)
      if outcome == "idle" then return nil, "nothing came, and nothing more can happen by itself" end
      if outcome == "reached" then return nil, ("nothing came until %s s"):format(seconds(clock:now())) end
    end
  end
end

local function mismatch(script, seen, fields, message)
  return {
    message = message, expected = text.packet(script), fields = fields,
    actual = seen and text.packet(M.like(script, seen)), actual_time = seen and seen.time,
  }
end

--- A packet that came, with those fields shown that the script's packet shows.
function M.like(script, seen)
  local shown = {}
  for key, value in pairs(seen) do shown[key] = value end -- a table again: the order does not matter
  local ip, got = script.ip or {}, seen.seen_ip or {}
  shown.ip = {
    ecn = (ip.ecn or ip.ect01) and got.ecn or nil, tos = ip.tos and got.tos or nil,
    ttl = ip.ttl and got.ttl or nil, flow_label = ip.flow_label and got.flow_label or nil,
  }
  if script.kind == "tcp" and seen.kind == "tcp" then
    if not script.window then shown.window = nil end
    if script.ace then shown.ace = seen.ace_seen end
  end
  return shown
end

-- One segment, or several that make up the length that the script says.
local function gather(run, event, flow)
  local script, pieces, total = event.action, {}, 0
  local length = script.kind == "tcp" and script.length or 0
  repeat
    local live, why = next_packet(run, event, flow)
    if not live then
      local message = total == 0 and why or ("%d of %d octets came, then %s"):format(total, length, why)
      fail(event, mismatch(script, pieces[#pieces], nil, message))
    end
    flow:saw(script, live)
    local seen = live.kind == "tcp" and flow.space:to_script(live) or live
    local before = pieces[#pieces]
    local gap = before and (seen.kind ~= "tcp" and "another kind of packet came"
      or compare.continues(before, seen, length - total))
    if gap then
      fail(event, mismatch(script, seen, nil, ("%d of %d octets came, then %s"):format(total, length, gap)))
    end
    pieces[#pieces + 1] = seen
    total = total + (seen.length or 0)
    -- An empty one is nothing that could be glued to what follows.
  until total >= length or (pieces[#pieces].length or 0) == 0 or run.config.strict_segments
  return #pieces == 1 and pieces[1] or compare.glue(pieces)
end

local function expect(run, event)
  local script, flow = event.action, run.flow
  if script.encapsulation or script.psp then fail(event, "the stack sends no encapsulated packets") end
  if script.kind == "udp" then fail(event, "the stack is a TCP: it never sends UDP") end
  if not flow then fail(event, "there is no connection that this packet could belong to") end
  flow:expects(script)
  local seen = gather(run, event, flow)
  if script.kind == "tcp" and seen.kind == "tcp" then flow.space:learn_timestamp(script, seen) end
  local result = compare.packets(script, seen, {
    family = run.config.family, space = flow.space, strict = run.strict,
    tick = run.config.tcp_ts_tick_usecs * 1000, tick_slack = slack(run, event.time),
  })
  local problem = off_time(run, event, seen.time, "the packet")
  if result.good and not problem then return end
  local names = {}
  for _, field in ipairs(result.fields) do
    if not field.good then names[#names + 1] = field.name end
  end
  if problem then
    result.fields[#result.fields + 1] = {
      name = "time", got = seconds(seen.time), good = false,
      expected = seconds(event.time) .. (event.time_end and "~" .. seconds(event.time_end) or ""),
    }
  end
  local message = #names > 0 and "the packet differs: " .. table.concat(names, ", ") or "timing: " .. problem
  fail(event, mismatch(script, seen, result.fields, message))
end

-- ---- calls ------------------------------------------------------------------------------------

local function source_of(run, event)
  return (run.script.text:sub(event.first, event.last):gsub("%s+", " "))
end

-- What a call changes in the flow it is about, before it runs.
local function before_call(run, call)
  local first = call.arguments[1]
  local known = first and first.type == "integer" and run.descriptors[first.value]
  local flow = known and known.flow
  if not flow then return end
  local address = call.name == "connect" and call.arguments[2]
  if call.name == "sendto" and #call.arguments >= 6 then
    local ok, flags = pcall(values.number, call.arguments[4], "flags")
    if ok and flags & core.socket_constants.MSG_FASTOPEN ~= 0 then address = call.arguments[5] end
  end
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
  wait_for(run, event)
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
    set = function(settings) run.host:set(settings) end,
  })
  if not ok then fail(command, message) end
end

local function collect_code(run, event)
  wait_for(run, event)
  local fd = current_descriptor(run)
  local names, message = code.variables(run.sockets, fd)
  if not names then fail(event, message) end
  run.snippets[#run.snippets + 1] = { code = event.action, names = names }
end

local ACTIONS <const> = {
  packet = function(run, event)
    if event.action.direction == "in" then inject(run, event) else expect(run, event) end
  end,
  call = call,
  command = function(run, event)
    wait_for(run, event)
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
    schedule(run, event)
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
  local problem, at = code.run(run.snippets, run.printed)
  if problem then fail(at, problem) end
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
  result.ladder = run.net and run.net:ladder()
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
