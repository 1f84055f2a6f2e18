--- A peer: an endpoint with no TCP behind it. The script is the other side.
--
--     peer:send { flags = "S", seq = 1000, destination_port = 80 }
--     peer:expect { flags = "SA", ack = 1001 }
--
-- Addresses and ports that are left out are those of what was sent or received last.
-- @module lunatcp.peer

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local expect = require "lunatcp.expect"
local node = require "lunatcp.node"
local signed = require "lunatcp.signed"

local M = {}

local Peer = {}
Peer.__index = Peer
Peer.__name = "lunatcp.peer"
M.Peer = Peer

local ARRIVED <const> = 1
local MOST_INBOX <const> = 4096 -- packets; the core keeps as many again and drops what comes then
local PATIENCE <const> = 10 -- seconds of real time that `expect` waits when not told how long

--- Makes a peer: see `Network:peer`.
-- @tparam[opt] table options `port`: its own port (default 1024); `remote_port`: where it sends to
function M.new(net, name, options)
  options = check.options(options, { "port", "remote_port" }, "peer: options")
  local peer = node.new(net, net.core:peer(), "peer", name, Peer)
  peer.waiters, peer.inbox = {}, {}
  peer.port = check.optional_integer(options.port, "peer: port", 0, 65535) or 1024
  peer.remote_port = check.optional_integer(options.remote_port, "peer: remote_port", 0, 65535)
  return peer
end

function Peer:__tostring() return "peer " .. self.name end

--- The peer's address: see `Host:address`.
function Peer:address(towards, family) return node.address(self, towards, family) end

-- Takes over what waits in the core; where nobody reads, the rest stays there and is bounded there.
local function collect(self)
  local inbox = self.inbox
  while #inbox < MOST_INBOX do
    local bytes, time = self.core:receive()
    if not bytes then return end
    inbox[#inbox + 1] = { bytes = bytes, time = time }
  end
end

--- The core says that packets have come.
function Peer:arrived()
  collect(self)
  self.net.scheduler:wake(self, ARRIVED)
end

local function take(self)
  local entry = table.remove(self.inbox, 1)
  if #self.inbox == 0 then collect(self) end
  local packet, message, status = core.decode(entry.bytes)
  packet.time, packet.bytes, packet.problem, packet.status = entry.time, entry.bytes, message, status
  if packet.source and packet.source_port then
    self.far, self.near = packet.source, packet.destination
    self.remote_port, self.port = packet.source_port, packet.destination_port
  end
  return packet
end

-- The next packet, waiting for it until the deadline; nil when that came first.
local function await(self, deadline, what)
  local scheduler = self.net.scheduler
  scheduler:caller(what)
  while #self.inbox == 0 do
    if not scheduler:wait(self, ARRIVED, deadline, what) then return nil end
  end
  return take(self)
end

--- Waits for the next packet.
-- @tparam[opt] table options `timeout` or `deadline`
-- @treturn table decoded, with `bytes` and `time`; or nil, message, "EAGAIN"
function Peer:receive(options)
  check.options(options, { "timeout", "deadline" }, "receive: options")
  local packet = await(self, self.net.scheduler:deadline(options, "receive"), "receive")
  if packet then return packet end
  return nil, "no packet came before the deadline", "EAGAIN"
end

-- ---- sending ----------------------------------------------------------------------------------

-- Address of a node or of text.
local function destination_of(self, to)
  if type(to) == "string" then
    return core.address(to) or check.raise("send: to: '%s' is no address", to)
  elseif type(to) == "table" and to.net == self.net and to.address then
    return to:address(self)
  end
  check.raise("send: to: expected a node or an address, got %s", check.shown(to))
end

local function default_destination(self)
  if self.far then return self.far end
  local link = self.links[1]
  local other = link and link:other(self)
  return other and other:address(self) or check.raise "send: to: the peer is on no link yet"
end

local function family_of(address) return select(2, core.address(address)) end

-- Completes a script's fields to what `encode` takes.
local function complete(self, fields)
  local packet = {}
  for key, value in pairs(fields) do packet[key] = value end -- a copy: the order does not matter
  packet.to = nil
  if fields.to ~= nil then
    packet.destination = destination_of(self, fields.to)
  elseif packet.destination == nil then
    packet.destination = default_destination(self)
  end
  if packet.source == nil then
    local to = packet.destination
    packet.source = to == self.far and self.near
      or node.address(self, self.net.by_name[self.net:name_of(to)], family_of(to))
      or check.raise("send: source: the peer has no address for %s", to)
  end
  if packet.source_port == nil then packet.source_port = self.port end
  if packet.destination_port == nil then
    packet.destination_port = self.remote_port
      or check.raise "send: destination_port: needed until something was received"
  end
  return packet
end

--- Sends one segment, made of fields as `lunatcp.encode` takes them, or bytes as they are.
-- @param fields table (`to`: node or address; `flags`, `seq`, `ack`, `window`, `payload`, `options`, ...;
--   `md5_key` or `ao_key` to sign it, see `lunatcp.signed`) or string
-- @treturn boolean true, or nil, message, code
function Peer:send(fields)
  self.net:route()
  if type(fields) == "string" then return check.call(self.core.send, self.core, fields) end
  check.type(fields, "table", "send: fields")
  local packet = complete(self, fields)
  local bytes = signed.encode(packet)
  self.far, self.near = packet.destination, packet.source
  self.port, self.remote_port = packet.source_port, packet.destination_port
  return self.core:send(bytes)
end

-- ---- expecting --------------------------------------------------------------------------------

local EXPECT_KEYS <const> = table.move(expect.FIELDS, 1, #expect.FIELDS, 3, { "timeout", "deadline" })

local function fail(self, line, note, fields)
  error(expect.report {
    line = line, time = self.net:now(), note = note, fields = fields, ladder = self.net:ladder(),
  }, 0)
end

--- The next packet must have these fields; others may be what they like. Options are compared by name, as
-- far as they are asked for (`options = { mss = 1460, timestamps = false }`). A value may be a function
-- that is given the packet's and says whether it is right.
-- @tparam table expected and `timeout` or `deadline`; without, it waits as long as anything can happen
-- @treturn table the packet. A failure raises: the script's line, the time, each field, the ladder.
function Peer:expect(expected)
  check.type(expected, "table", "expect: fields")
  expect.check(expected, EXPECT_KEYS, "expect")
  local line = check.user_line()
  local deadline = self.net.scheduler:deadline(expected, "expect")
  if not deadline and self.net.clock == "real" then deadline = self.net.world:now() + PATIENCE end
  local packet = await(self, deadline, "expect")
  if not packet then
    local nothing = expect.compare(expected, {})
    fail(self, line, "nothing came", nothing)
  end
  local fields, good = expect.compare(expected, packet)
  if not good then fail(self, line, "the packet is not what was expected", fields) end
  return packet
end

--- For so many seconds, nothing may come.
function Peer:expect_nothing(seconds)
  check.seconds(seconds, "expect_nothing: seconds")
  local line = check.user_line()
  local packet = await(self, self.net.world:now() + seconds, "expect_nothing")
  if not packet then return true end
  local all = {}
  for _, name in ipairs { "flags", "seq", "ack", "length" } do
    local value = packet[name]
    if name == "flags" and value then value = tostring(value) end
    all[#all + 1] = { name = name, expected = "nothing", got = tostring(value), good = false }
  end
  fail(self, line, "a packet came where none was expected", all)
end

return M
