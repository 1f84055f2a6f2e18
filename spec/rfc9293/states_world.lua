-- For states_spec.lua: puts a fresh connection into a state with literal segments, sends the segment of a
-- cell, and sees what comes out and where the connection is then.
local lab = require "support.lab"
local wire = require "support.wire"

local M = {}

local MASK <const> = 0xffffffff
local WINDOW <const> = 65535
local PORT <const> = 80
local CLIENT <const> = 1024

local World = {}
World.__index = World

-- The numbers of a world: `rcv_nxt` of the host, what the script sends next; `una`, `nxt`: the host's
-- SND.UNA and SND.NXT; `iss`, `irs` of the host.
local function new(options)
  local host = { isn = options.iss or 5000, ttl = 64 }
  for key, value in pairs(options.host or {}) do host[key] = value end
  local net, made, peer = lab.forge { host = host }
  local world = setmetatable({
    net = net, host = made, peer = peer, stamps = options.stamps, clock = 100,
    irs = options.irs or 1000, iss = options.iss or 5000,
  }, World)
  world.una, world.nxt, world.rcv_nxt = world.iss, (world.iss + 1) & MASK, (world.irs + 1) & MASK
  return world
end

-- Sends a segment of the script, with a timestamp where those are in use.
function World:send(fields)
  fields.source_port, fields.destination_port = CLIENT, PORT
  fields.window = fields.window or WINDOW
  fields.seq, fields.ack = fields.seq & MASK, (fields.ack or 0) & MASK
  if fields.flags == "none" then fields.flags = "" end
  if self.stamps then
    self.clock = self.clock + 1
    fields.options = { timestamps = { value = self.clock, echo = self.echo or 0 } }
  end
  if fields.flags:find "S" then
    fields.options = fields.options or {}
    fields.options.mss = 1000
  end
  self.peer:send(fields)
end

-- What comes from the host within so many seconds, as text: "A 5001 1001", with the length where there is
-- text. A RST without ACK: its number alone.
function World:collect(seconds)
  self.net:run { until_ = self.net:now() + seconds }
  local list = {}
  for _, packet in ipairs(wire.drain(self.peer)) do
    if packet.options.timestamps then self.echo = packet.options.timestamps.value end
    list[#list + 1] = M.line(tostring(packet.flags), packet.seq, packet.flags.ack and packet.ack,
      packet.length)
  end
  return list
end

function M.line(flags, seq, ack, length)
  local text = ("%s %d"):format(flags:gsub("P", ""), seq & MASK)
  if ack then text = text .. " " .. (ack & MASK) end
  if length and length > 0 then text = text .. " len " .. length end
  return text
end

-- ---- into the states ---------------------------------------------------------------------------

local function establish(world)
  world.listener = world.host:listen(PORT)
  world:send { flags = "S", seq = world.irs }
  world:collect(0.03)
  world:send { flags = "A", seq = world.rcv_nxt, ack = world.nxt }
  world.conn = assert(world.listener:accept())
  world.una = world.nxt
  world.listener:close()
end

local function fill_window(world, octets)
  world:send { flags = "A", seq = world.rcv_nxt, ack = world.nxt, payload = ("z"):rep(octets) }
  world:collect(0.03)
  world.rcv_nxt = (world.rcv_nxt + octets) & MASK
end

-- A hundred octets in flight.
local function send_text(world, options)
  if options.quiet then return end
  world.conn:write(("d"):rep(100))
  world:collect(0.02)
  world.nxt = (world.nxt + 100) & MASK
end

local function close(world)
  world.conn:shutdown()
  world:collect(0.02)
  world.nxt = (world.nxt + 1) & MASK
end

local function receive_fin(world)
  world:send { flags = "FA", seq = world.rcv_nxt, ack = world.una }
  world:collect(0.03)
  world.rcv_nxt = (world.rcv_nxt + 1) & MASK
end

local function acknowledge(world)
  world:send { flags = "A", seq = world.rcv_nxt, ack = world.nxt }
  world:collect(0.03)
  world.una = world.nxt
end

local function open_actively(world)
  world.conn = assert(world.host:connect_start(world.peer, CLIENT, { local_port = PORT }))
  world:collect(0.02)
end

local enter <const> = {
  ["CLOSED"] = function(world)
    world.rcv_nxt, world.nxt = 7000, 9000
  end,
  ["LISTEN"] = function(world)
    world.listener = world.host:listen(PORT)
    world.rcv_nxt, world.nxt = 7000, 9000
  end,
  ["SYN-SENT"] = function(world)
    open_actively(world)
    world.rcv_nxt = world.irs
  end,
  ["SYN-RECEIVED"] = function(world)
    world.listener = world.host:listen(PORT)
    world:send { flags = "S", seq = world.irs }
    world:collect(0.03)
  end,
  ["SYN-RECEIVED active"] = function(world)
    open_actively(world)
    world:send { flags = "S", seq = world.irs }
    world:collect(0.03)
  end,
  ["ESTABLISHED"] = function(world, options)
    establish(world)
    if options.fill then fill_window(world, options.fill) end
    send_text(world, options)
  end,
  ["FIN-WAIT-1"] = function(world, options)
    establish(world)
    if options.fill then fill_window(world, options.fill) end
    close(world)
  end,
  ["FIN-WAIT-2"] = function(world, options)
    establish(world)
    if options.fill then fill_window(world, options.fill) end
    close(world)
    acknowledge(world)
  end,
  ["CLOSE-WAIT"] = function(world, options)
    establish(world)
    receive_fin(world)
    send_text(world, options)
  end,
  ["CLOSING"] = function(world)
    establish(world)
    close(world)
    receive_fin(world)
  end,
  ["LAST-ACK"] = function(world)
    establish(world)
    receive_fin(world)
    close(world)
  end,
  ["TIME-WAIT"] = function(world)
    establish(world)
    close(world)
    acknowledge(world)
    receive_fin(world)
  end,
}

--- A world in a state.
-- @string state as in states_table's `order`
-- @tparam[opt] table options `stamps`: timestamps are used; `iss`, `irs`; `host`: settings; `quiet`: nothing
--   in flight where there need not be; `fill`: so many octets wait unread
function M.enter(state, options)
  options = options or {}
  local world = new(options)
  world.start = state
  enter[state](world, options)
  world:collect(0)
  assert(world:state() == state:gsub(" active", ""), "the world is in " .. world:state())
  return world
end

-- The state of the connection in question; where the script does not hold it, by the host's trace.
function World:state()
  if self.conn then return self.conn:state() end
  local last
  for _, event in ipairs(self.net.trace:events { kind = "state" }) do last = event.to end
  if self.listener and not self.listener.closed and (last == nil or last == "CLOSED") then
    return self.host:counters().connections == 0 and "LISTEN" or last
  end
  return last or "CLOSED"
end

-- ---- the segment of a cell ---------------------------------------------------------------------

function World:seq_of(word)
  local at = {
    exact = 0, ahead = 10, again = -1, old = -20, straddle = -3, beyond = WINDOW, any = 0,
  }
  return (self.rcv_nxt + at[word]) & MASK
end

function World:ack_of(word)
  if word == "-" then return nil end
  if self.start == "CLOSED" or self.start == "LISTEN" then return self.nxt end
  local old = self.una == self.nxt and self.una - 1 or self.una
  local at = {
    new = self.nxt, old = old, future = self.nxt + 1, ancient = self.una - WINDOW - 1, any = self.nxt,
  }
  return at[word] & MASK
end

-- The lines that `out` stands for, of a segment with these fields.
function World:expected(out, segment)
  local length = #(segment.payload or "") + (segment.flags:find "S" and 1 or 0)
    + (segment.flags:find "F" and 1 or 0)
  local lines = {
    ["A"] = M.line("A", self.nxt, self.rcv_nxt),
    ["A1"] = M.line("A", self.nxt, self.rcv_nxt + 1),
    ["A6"] = M.line("A", self.nxt, self.rcv_nxt + 6),
    ["AS"] = M.line("A", self.nxt, segment.seq + 1),
    ["AS6"] = M.line("A", self.nxt, segment.seq + 6),
    ["SA"] = M.line("SA", self.iss, segment.seq + 1),
    ["R"] = M.line("R", segment.ack or 0),
    ["RA"] = M.line("RA", 0, segment.seq + length),
    ["D5"] = M.line("A", self.nxt, self.rcv_nxt + 5),
    ["D2"] = M.line("A", self.nxt, self.rcv_nxt + 2),
  }
  return lines[out]
end

-- ---- the table ---------------------------------------------------------------------------------

--- The rows of a block: arrays of words, comments and the head left out. `columns`: how many words are the
-- last ones; what stands before them is the state, which may be two words.
function M.rows(block, columns)
  local rows = {}
  for line in block:gmatch "[^\n]+" do
    if not line:find "^%s*#" and line:find "%S" then
      local words = {}
      for word in line:gmatch "%S+" do words[#words + 1] = word end
      if columns and #words > columns then
        words[1] = table.concat(words, " ", 1, #words - columns + 1)
        table.move(words, #words - columns + 2, #words + 1, 2)
      end
      rows[#rows + 1] = table.move(words, 1, columns or #words, 1, {})
    end
  end
  return rows
end

return M
