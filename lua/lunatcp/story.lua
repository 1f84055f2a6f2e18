--- What happened, as rows: the model behind the ladder and its drawing.
--
-- It is made from records alone, those of the trace or literal ones: packets that were sent,
-- delivered, dropped, and changes of state, ordered by their serial number.
-- @module lunatcp.story

local label = require "lunatcp.label"
local remarks = require "lunatcp.remarks"

local M = {}

--- Names a flow alike from both of its ends.
function M.flow(source, source_port, destination, destination_port)
  local a = ("%s %d"):format(source, source_port)
  local b = ("%s %d"):format(destination, destination_port)
  return a < b and a .. " " .. b or b .. " " .. a
end

--- Where a packet goes in the end: a source route may name others before.
function M.destination(segment) return segment.final_destination or segment.destination end

-- The flow, and the names of its two ends; "" for what is not TCP, or cut short.
local function flow_of(segment)
  if not segment.flag_letters then return "" end
  local destination = M.destination(segment)
  return M.flow(segment.source, segment.source_port, destination, segment.destination_port),
    ("%s %d"):format(segment.source, segment.source_port),
    ("%s %d"):format(destination, segment.destination_port)
end

local Builder = {}
Builder.__index = Builder

local function state_of(self, node, flow)
  local states = self.states[node]
  return states and (states[flow] or states[self.anyone]) or nil
end

-- A change of state waits to be shown beside a packet; what no packet shows gets a row of its own.
local function show(self, key)
  local pending = self.pending[key]
  if not pending then return nil end
  self.pending[key] = nil
  for i, other in ipairs(self.waiting) do
    if other == pending then
      table.remove(self.waiting, i)
      break
    end
  end
  return pending
end

local function emit_pending(self, key)
  self.rows[#self.rows + 1] = show(self, key)
end

local function wait_to_show(self, key, row)
  row.key = key
  self.pending[key] = row
  self.waiting[#self.waiting + 1] = row
end

-- Time goes on: what waits from before is shown now.
local function emit_before(self, time)
  while self.waiting[1] and self.waiting[1].time < time do emit_pending(self, self.waiting[1].key) end
end

-- Relative numbers count from the SYN's, or from the first number that was seen.
local function bases_of(self, segment)
  if self.absolute or not segment.flag_letters then return {} end
  local flow, near, far = flow_of(segment)
  local bases = self.bases[flow]
  if not bases then
    bases = {}
    self.bases[flow] = bases
  end
  local syn = segment.flag_letters:find("S", 1, true)
  if syn or not bases[near] then bases[near] = segment.seq end
  if not bases[far] and segment.flag_letters:find("A", 1, true) then
    -- Seen from the middle of a connection; a reset for a SYN to a closed port comes here too late.
    bases[far] = syn and (segment.ack - 1) & 0xffffffff or segment.ack
  end
  return { seq = bases[near], ack = bases[far] }
end

local function take_notes(row, record)
  for _, note in ipairs { "retransmission", "duplicate", "corrupted", "delayed", "forged", "ce_marked",
    "probe" } do
    if record.notes and record.notes[note] and not row.notes[note] then
      row.notes[note] = true
      row.notes[#row.notes + 1] = note
    end
  end
end

local function ends_of(self, record)
  local link = self.links[record.link]
  local from, to = link[record.direction], link[3 - record.direction]
  return from, to
end

-- A packet that a router passes on, where routers are not shown, goes on with its first row.
local function passed_on(self, record)
  local from = ends_of(self, record)
  return self.hidden[from] and self.by_packet[record.packet]
end

local function key_of(record) return ("%d %d %d"):format(record.packet, record.link, record.direction) end

local function new_row(self, record)
  local segment = record.segment
  local from, to = ends_of(self, record)
  if self.hidden[to] then to = self.node_of(M.destination(segment)) or to end
  if self.hidden[from] then from = self.node_of(segment.source) or from end
  local row = {
    kind = "segment", time = record.time, from = from, to = to, segment = segment,
    flow = (flow_of(segment)), notes = {}, link = record.link, direction = record.direction,
    label = label.segment(segment, bases_of(self, segment)),
  }
  self.rows[#self.rows + 1] = row
  row.index = #self.rows
  take_notes(row, record)
  return row
end

-- What a node has changed to, unseen so far, is shown before the packet that reaches it.
local function emit_both(self, node, flow)
  emit_pending(self, node .. self.anyone)
  emit_pending(self, node .. flow)
end

local function sent(self, record)
  local known = passed_on(self, record)
  if known then
    self.travelling[key_of(record)] = known
    take_notes(known, record)
    return
  end
  local _, to = ends_of(self, record)
  emit_pending(self, to .. self.anyone)
  local row = new_row(self, record)
  self.travelling[key_of(record)] = row
  self.by_packet[record.packet] = row
  self.open[row.from] = nil
  row.from_state = state_of(self, row.from, row.flow)
  show(self, row.from .. row.flow)
end

local function opens_or_closes(row)
  return row.segment.flag_letters and row.segment.flag_letters:find "[SFR]" ~= nil
end

-- A packet is drawn on one line, unless that would hide the order of things: the other end sent a
-- SYN, FIN or RST (or this is one) before it came, or a later packet came first.
local function is_crossed(self, row)
  for i = row.index + 1, #self.rows do
    local other = self.rows[i]
    if other.kind == "segment" and not other.arrival and other.flow == row.flow then
      if other.from ~= row.from then
        if opens_or_closes(row) or opens_or_closes(other) then return true end
      elseif other.delivered then
        return true
      end
    end
  end
  return false
end

-- The state that a row shows beside a node's lifeline, or nil.
local function shown_state(row, node)
  if row.kind == "state" then return row.node == node and row.state or nil end
  if row.kind ~= "segment" then return nil end
  if row.from == node and not row.arrival then return row.from_state end
  if row.to == node and row.delivered and not row.crossed then return row.to_state end
end

-- Would the state that a packet's receiver has now stand above one that it was in before?
local function outruns(self, row, state)
  for i = row.index + 1, #self.rows do
    local other = self.rows[i]
    local shown = other.flow == row.flow and shown_state(other, row.to)
    if shown and shown ~= state then return true end
  end
  return false
end

local function arrive(self, row)
  row.delivered = true
  row.to_state = state_of(self, row.to, row.flow)
  self.open[row.to] = row
end

-- The second line of a packet: as it came. The first one, where there is one, shows how it left.
local function add_arrival(self, record, departed)
  local arrival = new_row(self, record)
  arrival.arrival = true
  if departed then
    take_notes(arrival, departed)
    departed.crossed, departed.delivered = true, true
    arrival.departed = departed
  end
  arrive(self, arrival)
  return arrival
end

-- Through a tunnel a packet comes under another number: the oldest that says the same is meant.
local function by_content(self, record)
  local words, flow = label.segment(record.segment), flow_of(record.segment)
  for _, row in ipairs(self.rows) do
    if row.kind == "segment" and row.link == record.link and row.direction == record.direction
      and not (row.delivered or row.dropped or row.arrival) and row.flow == flow
      and label.segment(row.segment) == words then
      return row
    end
  end
end

local function delivered(self, record)
  local _, to = ends_of(self, record)
  if self.hidden[to] then return end
  local row = self.travelling[key_of(record)] or self.tunnels[record.link] and by_content(self, record)
  if not row or row.delivered then
    emit_both(self, to, flow_of(record.segment))
    local copy = add_arrival(self, record)
    if row then take_notes(copy, row) end
    return
  end
  take_notes(row, record)
  emit_both(self, row.to, row.flow)
  if not self.merge and (is_crossed(self, row) or outruns(self, row, state_of(self, row.to, row.flow))) then
    add_arrival(self, record, row)
  else
    row.record, row.arrived = record, record.time
    arrive(self, row)
  end
end

local function dropped(self, record)
  local row = self.travelling[key_of(record)]
  if not row or row.delivered then row = new_row(self, record) end
  row.dropped = record.reason or "loss"
  take_notes(row, record)
end

-- What only the user's calls bring about is never the work of the packet that came just before.
local BY_CALL <const> = { LISTEN = true, ["SYN-SENT"] = true, ["FIN-WAIT-1"] = true, ["LAST-ACK"] = true }

local function state_changed(self, event)
  local flow = self.flow_of_event(event, self.last_delivered[event.host]) or self.anyone
  local states = self.states[event.host]
  if not states then
    states = {}
    self.states[event.host] = states
  end
  states[flow] = event.to
  local key = event.host .. flow
  emit_pending(self, key)
  local open = self.open[event.host]
  local arrived = open and (open.arrived or open.time)
  if open and open.flow == flow and not open.changed and arrived == event.time and not BY_CALL[event.to] then
    if not (self.merge or open.arrival) and outruns(self, open, event.to) then
      open = add_arrival(self, open.record, open)
    end
    open.to_state, open.changed = event.to, true
  else
    wait_to_show(self, key, {
      kind = "state", time = event.time, node = event.host, state = event.to, flow = flow,
    })
  end
end

local REMARKS <const> = {
  timeout = function(event) return ("retransmission timeout; RTO is now %.3g s"):format(event.value) end,
  fast_retransmit = function() return "fast retransmit" end,
  recovered = function() return "recovery ends" end,
  probe = function(event) return event.text == "tail loss" and "tail loss probe" or nil end,
  remark = remarks.sentence,
  detail = remarks.sentence,
  challenge = function(event) return event.value == 1 and "challenge ACK withheld" or nil end,
}

local function remark(self, event)
  local text = REMARKS[event.kind] and REMARKS[event.kind](event)
  if not text then return end
  self.rows[#self.rows + 1] = {
    kind = "remark", time = event.time, node = event.host, text = text,
    flow = self.flow_of_event(event, self.last_delivered[event.host]),
  }
end

--- Makes rows from records.
-- @tparam table input `packets` and `events` (arrays of trace records), `links` (by number, the two
--   node numbers), `tunnels` (numbers of links that are carried by sockets),
--   `flow_of_event` (a function that names the flow of a state event), `hidden` (numbers of routers that
--   are not shown), `node_of` (a function: the number of the node that has an address)
-- @tparam[opt] table options `absolute` numbers; `merge` never splits a packet's line in two
-- @treturn table rows of kind "segment", "state" or "remark"
function M.build(input, options)
  options = options or {}
  local self = setmetatable({
    rows = {}, states = {}, pending = {}, waiting = {}, travelling = {}, by_packet = {}, open = {},
    bases = {}, last_delivered = {}, hidden = input.hidden or {},
    node_of = input.node_of or function() return nil end,
    links = input.links, tunnels = input.tunnels or {},
    absolute = options.absolute, merge = options.merge, anyone = "",
    flow_of_event = input.flow_of_event or function() return nil end,
  }, Builder)
  local handlers <const> = { sent = sent, delivered = delivered, dropped = dropped }
  local packets, events = input.packets, input.events
  local p, e = 1, 1
  while packets[p] or events[e] do
    local packet, event = packets[p], events[e]
    emit_before(self, math.min(packet and packet.time or math.huge, event and event.time or math.huge))
    if packet and (not event or packet.serial < event.serial) then
      p = p + 1
      handlers[packet.kind](self, packet)
      if packet.kind == "delivered" then
        local _, to = ends_of(self, packet)
        self.last_delivered[to] = packet
      end
    else
      e = e + 1
      if event.kind == "state" then state_changed(self, event) else remark(self, event) end
    end
  end
  emit_before(self, math.huge)
  return self.rows
end

return M
