--- Packets of a script at their time: what is injected, what is expected.
-- @module lunatcp.packetdrill.exchange

local compare = require "lunatcp.packetdrill.compare"
local flows = require "lunatcp.packetdrill.flow"
local text = require "lunatcp.packetdrill.text"
local timing = require "lunatcp.packetdrill.timing"
local wire = require "lunatcp.packetdrill.wire"

local M = {}

local fail <const>, seconds <const>, slack <const> = timing.fail, timing.seconds, timing.slack
local SECOND <const> = 1000000000
local PATIENCE <const> = 2 * SECOND -- for an expected packet, beyond its time

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

--- Injects the event's packet at its time.
function M.inject(run, event)
  local packet = event.action
  if packet.encapsulation or packet.psp then fail(event, "the stack understands no encapsulated packets") end
  if packet.kind == "udp" then fail(event, "the stack is a TCP: it has no UDP to send this to") end
  timing.wait_for(run, event)
  local flow = flow_of_injected(run, event, packet)
  flow:injects(packet)
  local bytes, gathered
  if packet.kind == "icmp" then
    local seq = flow.space:quoted_seq(packet.quoted.seq or 0)
    bytes = wire.icmp_message(packet, run.config.family, flow:inward {}, seq)
  else
    local live, message = flow.space:to_wire(packet, run.config.tcp_ts_ecr_scaled)
    if not live then fail(event, message) end
    bytes = wire.segment(live, flow:inward(packet))
    if (run.config.mss or 0) > 0 and packet.length > run.config.mss then gathered = run.config.mss end
  end
  run.peer.core:send(bytes, nil, gathered)
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

-- A packet that came, with those fields shown that the script's packet shows.
local function like(script, seen)
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

local function mismatch(script, seen, fields, message)
  return {
    message = message, expected = text.packet(script), fields = fields,
    actual = seen and text.packet(like(script, seen)), actual_time = seen and seen.time,
  }
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

--- Looks for the event's packet, and compares it.
function M.expect(run, event)
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
  local problem = timing.off_time(run, event, seen.time, "the packet")
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
  if run.config.non_fatal.packet then
    run.warnings[#run.warnings + 1] = { line = event.line, message = message }
    return
  end
  fail(event, mismatch(script, seen, result.fields, message))
end

return M
