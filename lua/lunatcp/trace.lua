--- What happened: the records of the network, as a script wants them.
-- @module lunatcp.trace

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local label = require "lunatcp.label"
local story = require "lunatcp.story"

local M = {}

local Trace = {}
Trace.__index = Trace
Trace.__name = "lunatcp.trace"

local PACKET_KINDS <const> = { "sent", "delivered", "dropped" }
local EVENT_KINDS <const> = {
  "state", "timeout", "fast_retransmit", "recovered", "probe", "challenge", "urgent", "rtt", "refused",
  "icmp", "remark", "detail", "invariant",
}
local REMARKS <const> = {}
for name in pairs(core.REMARKS) do REMARKS[#REMARKS + 1] = name end
table.sort(REMARKS)
local KNOWN_MOST <const> = 16384 -- flows remembered by handle; more are found by what came just before

--- The trace of a network. `silent`: it holds no packets, so nobody asks what flow they are of.
function M.new(net, silent)
  return setmetatable({ net = net, silent = silent, connections = {}, flows = {}, flow_count = 0 }, Trace)
end

-- ---- connections by the numbers that records name them by -------------------------------------

--- Remembers which connection a handle means.
function Trace:know(host, handle, conn)
  local by_handle = self.connections[host]
  if not by_handle then
    by_handle = setmetatable({}, { __mode = "v" }) -- looked up, never walked
    self.connections[host] = by_handle
  end
  by_handle[handle] = conn
  if self.silent then return end
  if self.flow_count >= KNOWN_MOST then self.flows, self.flow_count = {}, 0 end
  local flows = self.flows[host] or {}
  self.flows[host] = flows
  flows[handle] = story.flow(conn.local_address, conn.local_port, conn.remote_address, conn.remote_port)
  self.flow_count = self.flow_count + 1
end

--- The connection that a record names, where the script still holds it.
function Trace:connection(host, handle)
  local by_handle = self.connections[host]
  return by_handle and by_handle[handle]
end

-- ---- records ----------------------------------------------------------------------------------

--- Records of packets, oldest first.
-- @tparam[opt] table options `since` (serial number), `kind` ("sent", "delivered", "dropped")
-- @treturn {table,...}
function Trace:packets(options)
  options = check.options(options, { "since", "kind" }, "packets: options")
  if options.kind ~= nil then check.one_of(options.kind, PACKET_KINDS, "packets: kind") end
  local list = {}
  for record in self.net.core:trace_packets(options.since) do
    if not options.kind or record.kind == options.kind then list[#list + 1] = record end
  end
  return list
end

--- Records of events, oldest first.
-- @tparam[opt] table options `since`, `kind`, `remark` ("undo", "congestion", ...: docs/trace.md),
--   `connection`
function Trace:events(options)
  options = check.options(options, { "since", "kind", "remark", "connection" }, "events: options")
  if options.kind ~= nil then check.one_of(options.kind, EVENT_KINDS, "events: kind") end
  if options.remark ~= nil then check.one_of(options.remark, REMARKS, "events: remark") end
  local conn = options.connection
  if conn ~= nil then check.object(conn, "lunatcp.connection", "events: connection") end
  local handle = conn and conn.core:handle()
  local list = {}
  for event in self.net.core:trace_events(options.since) do
    if (not options.kind or event.kind == options.kind)
      and (not options.remark or event.remark == options.remark)
      and (not conn or (event.host == conn.host.id and event.subject == handle)) then
      event.node = self.net.by_id[event.host]
      list[#list + 1] = event
    end
  end
  return list
end

--- The states that a connection has been in, from the first change on: `{ "SYN-SENT", ... }`.
function Trace:states(conn)
  check.object(conn, "lunatcp.connection", "states: connection")
  local states = {}
  for _, event in ipairs(self:events { kind = "state", connection = conn }) do
    states[#states + 1] = event.to
  end
  return states
end

--- Whether a connection entered a state at or after the record `since`.
function Trace:passed(conn, state, since)
  check.object(conn, "lunatcp.connection", "passed: connection")
  for _, event in ipairs(self:events { kind = "state", connection = conn, since = since }) do
    if event.to == state then return true end
  end
  return false
end

--- The serial number of the newest record; `since = net.trace:mark() + 1` takes what comes later.
function Trace:mark() return self.net.core:trace_serial() end

--- Forgets all records.
function Trace:clear() self.net.core:clear_trace() end

--- Which kinds are recorded: `net.trace:record { "state", "packets" }`.
function Trace:record(kinds) return check.call(self.net.core.set_trace_kinds, self.net.core, kinds) end

-- ---- segments as lines ------------------------------------------------------------------------

local function bases_for(self, flow_bases, segment)
  local net = self.net
  local near = segment.source .. " " .. segment.source_port
  local far = story.destination(segment) .. " " .. segment.destination_port
  if not flow_bases[near] or segment.flags.syn then flow_bases[near] = segment.seq end
  return flow_bases[near], flow_bases[far], net
end

local FATE <const> = { "retransmission", "duplicate", "corrupted", "delayed", "forged", "ce_marked", "probe" }

local COLUMNS <const> = {
  time = function(line) return ("%.6f"):format(line.record.time) end,
  flags = function(line) return line.segment.flag_letters end,
  seq = function(line) return tostring(label.relative(line.segment.seq, line.near)) end,
  ack = function(line)
    if not line.segment.flags.ack then return "" end
    return "ack " .. label.relative(line.segment.ack, line.far)
  end,
  len = function(line) return line.segment.length > 0 and "len " .. line.segment.length or "" end,
  win = function(line) return "win " .. line.segment.window end,
  up = function(line) return line.segment.flags.urg and "up " .. line.segment.urgent or "" end,
  options = function(line) return label.options(line.segment.options) end,
  data = function(line) return line.segment.length > 0 and ("%q"):format(line.segment.payload) or "" end,
  fate = function(line)
    local words = {}
    if line.fate then words[1] = "dropped: " .. line.fate end
    for _, note in ipairs(FATE) do
      if line.record.notes[note] then words[#words + 1] = note end
    end
    return table.concat(words, ", ")
  end,
}
local COLUMN_NAMES <const> = {
  "time", "flags", "seq", "ack", "len", "win", "up", "options", "data", "fate",
}

-- The packets as their senders sent them: not those that routers pass on, nor an impairment's copies.
local function sent_lines(self, options)
  local lines, by_packet, bases = {}, {}, {}
  for record in self.net.core:trace_packets() do
    local ends = self.net.link_nodes[record.link]
    local sender = ends[record.direction] and self.net.by_id[ends[record.direction]]
    local segment = record.segment
    local key = ("%d %d %d"):format(record.packet, record.link, record.direction)
    if record.kind == "sent" and segment.flags and not (sender and sender.forwards) then
      local line = { record = record, segment = segment }
      if options.relative then line.near, line.far = bases_for(self, bases, segment) end
      if record.serial >= (options.since or 1) then
        lines[#lines + 1] = line
        by_packet[key] = line
      end
    elseif record.kind == "dropped" and by_packet[key] then
      by_packet[key].fate = record.reason
    end
  end
  return lines
end

local WIDTHS <const> = { flags = 3 }

--- The segments that were sent, one line each: who to whom, then the columns that are asked for, each as
-- wide as its widest entry (flags at least 3) and followed by a space.
--
--     net.trace:segments "flags seq ack" --> { "client > server  S   1000          ", ... }
--
-- @string[opt="flags seq ack"] columns of: time flags seq ack len win up options data fate
-- @tparam[opt] table options `relative = true`: numbers from the SYN's on; `since`: serial number
-- @treturn {string,...}
function Trace:segments(columns, options)
  columns = columns or "flags seq ack"
  check.type(columns, "string", "segments: columns")
  options = check.options(options, { "relative", "since" }, "segments: options")
  local names = {}
  for name in columns:gmatch "%S+" do
    names[#names + 1] = check.one_of(name, COLUMN_NAMES, "segments: columns")
  end
  local table_of, width, way_width = {}, {}, 0
  for i, name in ipairs(names) do width[i] = WIDTHS[name] or 0 end
  for _, line in ipairs(sent_lines(self, options)) do
    local destination = self.net:name_of(story.destination(line.segment))
    local cells = { way = self.net:name_of(line.segment.source) .. " > " .. destination }
    way_width = math.max(way_width, #cells.way)
    for i, name in ipairs(names) do
      cells[i] = COLUMNS[name](line)
      width[i] = math.max(width[i], #cells[i])
    end
    table_of[#table_of + 1] = cells
  end
  local texts = {}
  for _, cells in ipairs(table_of) do
    local parts = { cells.way .. (" "):rep(way_width - #cells.way) .. "  " }
    for i = 1, #names do parts[#parts + 1] = cells[i] .. (" "):rep(width[i] - #cells[i]) .. " " end
    texts[#texts + 1] = table.concat(parts)
  end
  return texts
end

-- ---- diagrams ---------------------------------------------------------------------------------

local DIAGRAM_KEYS <const> = { "absolute", "ascii", "width", "nodes", "merge", "since", "connection" }

-- Which flow a change of state belongs to: known by its handle, else that of the packet just arrived.
local function flow_of_event(self, event, last)
  local flows = self.flows[event.host]
  if flows and flows[event.subject] then return flows[event.subject] end
  if event.to == "LISTEN" and event.from == "CLOSED" then return nil end
  if not last or last.time ~= event.time or not last.segment.flags then return nil end
  local segment = last.segment
  local flow = story.flow(segment.source, segment.source_port, story.destination(segment),
    segment.destination_port)
  flows = flows or {}
  self.flows[event.host] = flows
  flows[event.subject] = flow
  return flow
end

local function rows_and_columns(self, options, name)
  options = check.options(options, DIAGRAM_KEYS, name)
  check.optional_integer(options.width, name .. ": width", 1, 1000)
  check.optional(options.nodes, "table", name .. ": nodes")
  local columns, hidden = {}, {}
  for _, node in ipairs(self.net.nodes) do hidden[node.id] = node.forwards or nil end
  for i, node in ipairs(options.nodes or self.net.nodes) do
    if type(node) ~= "table" or not node.id then
      check.raise("%s: nodes[%d]: expected a node, got %s", name, i, check.shown(node))
    end
    if options.nodes then hidden[node.id] = nil end
    if not hidden[node.id] then columns[#columns + 1] = { node = node.id, name = node.name } end
  end
  if self.net.outside then columns[#columns + 1] = self.net.outside end
  local rows = story.build({
    packets = self:packets { since = options.since },
    events = self:events { since = options.since },
    links = self.net.link_nodes,
    tunnels = self.net.tunnel_links,
    hidden = hidden,
    node_of = function(address)
      local node = address and self.net.by_name[self.net:name_of(address)]
      return node and node.id
    end,
    flow_of_event = function(event, last) return flow_of_event(self, event, last) end,
  }, { absolute = options.absolute, merge = options.merge })
  if options.connection ~= nil then
    local conn = check.object(options.connection, "lunatcp.connection", name .. ": connection")
    local flow = story.flow(conn.local_address, conn.local_port, conn.remote_address, conn.remote_port)
    local kept = {}
    for _, row in ipairs(rows) do
      if row.flow == flow then kept[#kept + 1] = row end
    end
    rows = kept
  end
  return rows, columns, options
end

--- The sequence diagram as text, at most 100 columns wide.
-- @tparam[opt] table options `absolute` numbers (default: relative to the SYNs); `ascii`; `width`;
--   `nodes`: which, from left to right (default: all but routers); `connection`: only that one; `since`:
--   serial number; `merge`: one line a packet, even where packets cross
-- @treturn string
function Trace:ladder(options)
  local rows, columns, chosen = rows_and_columns(self, options, "ladder: options")
  return require "lunatcp.ladder".draw(rows, columns, chosen)
end

--- The same as an SVG document.
function Trace:svg(options)
  local rows, columns, chosen = rows_and_columns(self, options, "svg: options")
  return require "lunatcp.svg".draw(rows, columns, chosen)
end

return M
