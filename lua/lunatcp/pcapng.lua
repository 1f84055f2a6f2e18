--- Reads capture files: pcapng of either byte order, and the classic pcap.
--
--     local reader = assert(pcapng.open "run.pcapng")
--     for packet in reader:packets() do print(packet.number, packet.time_ns, #packet.frame) end
--
-- It reads block by block, however long the file. What is wrong with one is told with its offset.
-- @module lunatcp.pcapng

local check = require "lunatcp.check"

local M = {}

local Reader = {}
Reader.__index = Reader
Reader.__name = "lunatcp.pcapng"
M.Reader = Reader

local BLOCK_MOST <const> = 16 << 20 -- octets of a block: no packet is near that

-- Blocks of pcapng, and codes of their options.
local SECTION <const>, INTERFACE <const>, OLD_PACKET <const> = 0x0A0D0D0A, 1, 2
local SIMPLE_PACKET <const>, STATISTICS <const>, PACKET <const> = 3, 5, 6
local COMMENT <const>, NAME <const>, DESCRIPTION <const> = 1, 2, 3
local RESOLUTION <const>, OFFSET <const> = 9, 14

local NS <const> = 1000000000

-- Of the first four octets of a classic file, little-endian: its byte order and units a second.
local CLASSIC <const> = {
  [0xA1B2C3D4] = { "<", 6 }, [0xD4C3B2A1] = { ">", 6 },
  [0xA1B23C4D] = { "<", 9 }, [0x4D3CB2A1] = { ">", 9 },
}

local CODES <const> = { [2] = "ENOENT", [13] = "EACCES", [21] = "EISDIR" }

-- ---- octets -----------------------------------------------------------------------------------

-- Ends the reading of this file; caught by `next`.
local function malformed(self, at, message, ...)
  error({ message = ("%s: at octet %d: %s"):format(self.name, at, message:format(...)), code = "EINVAL" }, 0)
end

-- Exactly n octets; nil at the end of the file if that may be here.
local function take(self, n, what, may_end)
  if n == 0 then return "" end
  local bytes, message, number = self.file:read(n)
  if message then error({ message = self.name .. ": " .. message, code = CODES[number] or "EIO" }, 0) end
  if not bytes and may_end then return nil end
  local have = bytes and #bytes or 0
  if have < n then
    malformed(self, self.offset, "the file ends after %d of %d octets of %s", have, n, what)
  end
  self.offset = self.offset + n
  return bytes
end

local function unpack_from(self, format, bytes, at)
  return string.unpack(self.order .. format, bytes, at)
end

-- ---- pcapng -----------------------------------------------------------------------------------

-- Calls `each(code, value)` for the options that begin at `at` of a block's body.
local function each_option(self, block, at, each)
  local body = block.body
  while at <= #body do
    if at + 3 > #body then malformed(self, block.start, "an option is cut off") end
    local code, length, from = unpack_from(self, "I2I2", body, at)
    if code == 0 then return end
    if from + length - 1 > #body then
      malformed(self, block.start, "option %d of %d octets goes beyond its block", code, length)
    end
    each(code, body:sub(from, from + length - 1))
    at = from + (length + 3 & ~3)
  end
end

local function begin_section(self, start)
  local head = take(self, 8, "a section header")
  local order = string.unpack("<I4", head, 5)
  if order == 0x1A2B3C4D then
    self.order = "<"
  elseif order == 0x4D3C2B1A then
    self.order = ">"
  else
    malformed(self, start, "a section of unknown byte order (%08x)", order)
  end
  self.interfaces = {}
  return unpack_from(self, "I4", head), head:sub(5)
end

-- The next block: type, body, and where it starts; nil at the end.
local function read_block(self, first)
  local start = first and 0 or self.offset
  local head = first or take(self, 4, "a block", true)
  if not head then return nil end
  local kind = string.unpack((self.order or "<") .. "I4", head)
  local length, body
  if kind == SECTION then
    length, body = begin_section(self, start)
  else
    length, body = unpack_from(self, "I4", take(self, 4, "a block's length")), ""
  end
  if length < 12 + #body or length % 4 ~= 0 or length > BLOCK_MOST then
    malformed(self, start, "a block of %d octets: expected a multiple of 4 from %d to %d", length,
      12 + #body, BLOCK_MOST)
  end
  body = body .. take(self, length - 12 - #body, ("the block that begins at octet %d"):format(start))
  local again = unpack_from(self, "I4", take(self, 4, "the length behind a block"))
  if again ~= length then
    malformed(self, start, "a block of %d octets that calls itself %d octets long at its end", length, again)
  end
  return { kind = kind, body = body, start = start }
end

local function need(self, block, octets, what)
  if #block.body < octets then malformed(self, block.start, "%s is too short", what) end
end

local function take_interface(self, block)
  need(self, block, 8, "an interface block")
  local linktype, _, snaplen = unpack_from(self, "I2I2I4", block.body)
  local interface = {
    number = #self.interfaces, linktype = linktype, snaplen = snaplen, base = 10, exponent = 6, shift = 0,
  }
  each_option(self, block, 9, function(code, value)
    if code == NAME then
      interface.name = value
    elseif code == DESCRIPTION then
      interface.description = value
    elseif code == RESOLUTION and #value == 1 then
      local octet = value:byte()
      interface.base, interface.exponent = octet & 0x80 ~= 0 and 2 or 10, octet & 0x7f
    elseif code == OFFSET and #value == 8 then
      interface.shift = unpack_from(self, "i8", value)
    end
  end)
  if interface.exponent > (interface.base == 2 and 63 or 18) then
    malformed(self, block.start, "time of unknown resolution (%d^-%d s)", interface.base, interface.exponent)
  end
  self.interfaces[#self.interfaces + 1] = interface
end

-- Units since the interface's epoch as nanoseconds.
local function nanoseconds(interface, units)
  local seconds, rest
  if interface.base == 2 then
    local exponent = interface.exponent
    seconds, rest = units >> exponent, units & ((1 << exponent) - 1)
    if exponent > 33 then rest, exponent = rest >> exponent - 33, 33 end
    rest = rest * NS >> exponent
  else
    local second = math.tointeger(10 ^ interface.exponent)
    seconds, rest = units // second, units % second
    if interface.exponent <= 9 then
      rest = rest * (NS // second)
    else
      rest = rest // (second // NS)
    end
  end
  return (seconds + interface.shift) * NS + rest
end

local function interface_of(self, block, number)
  local interface = self.interfaces[number + 1]
  if not interface then
    malformed(self, block.start, "a packet of interface %d, of which there is no block", number)
  end
  return interface
end

-- A packet whose octets follow the first `fixed` of the body.
local function packet_of(self, block, interface, fixed, captured, length)
  if captured > #block.body - fixed then
    malformed(self, block.start, "a packet of %d octets in a block of %d", captured, #block.body - fixed)
  end
  return {
    offset = block.start, interface = interface, linktype = interface.linktype, length = length,
    frame = block.body:sub(fixed + 1, fixed + captured), comments = {},
  }
end

local function take_packet(self, block)
  need(self, block, 20, "a packet block")
  local number, high, low, captured, length
  if block.kind == PACKET then
    number, high, low, captured, length = unpack_from(self, "I4I4I4I4I4", block.body)
  else -- the one that was before it; two octets count drops
    number, high, low, captured, length = unpack_from(self, "I2xxI4I4I4I4", block.body)
  end
  local interface = interface_of(self, block, number)
  local packet = packet_of(self, block, interface, 20, captured, length)
  packet.time_ns = nanoseconds(interface, high << 32 | low)
  each_option(self, block, 21 + (captured + 3 & ~3), function(code, value)
    if code == COMMENT then packet.comments[#packet.comments + 1] = value end
  end)
  return packet
end

local function take_simple_packet(self, block)
  need(self, block, 4, "a simple packet block")
  local interface = interface_of(self, block, 0)
  local length = unpack_from(self, "I4", block.body)
  local captured = math.min(length, #block.body - 4)
  if interface.snaplen > 0 then captured = math.min(captured, interface.snaplen) end
  return packet_of(self, block, interface, 4, captured, length)
end

local function take_statistics(self, block)
  need(self, block, 12, "a block of statistics")
  local interface = interface_of(self, block, (unpack_from(self, "I4", block.body)))
  each_option(self, block, 13, function(code, value)
    if code == COMMENT then interface.statistics = value end
  end)
end

local HANDLERS <const> = {
  [INTERFACE] = take_interface, [PACKET] = take_packet, [OLD_PACKET] = take_packet,
  [SIMPLE_PACKET] = take_simple_packet, [STATISTICS] = take_statistics,
}

local function next_of_blocks(self)
  while true do
    local block = read_block(self, self.first)
    self.first = nil
    if not block then return nil end
    local handler = HANDLERS[block.kind]
    local packet = handler and handler(self, block)
    if packet then return packet end
  end
end

-- ---- the classic file -------------------------------------------------------------------------

local function begin_classic(self, order, exponent)
  self.order = order
  local head = take(self, 20, "the file's header")
  local linktype = unpack_from(self, "I4", head, 17) & 0x0fffffff -- above: of frame check sequences
  self.interfaces = { { number = 0, linktype = linktype, base = 10, exponent = exponent, shift = 0 } }
end

local function next_of_records(self)
  local start = self.offset
  local head = take(self, 16, "a packet's header", true)
  if not head then return nil end
  local seconds, rest, captured, length = unpack_from(self, "I4I4I4I4", head)
  if captured > BLOCK_MOST then
    malformed(self, start, "a packet of %d octets: expected at most %d", captured, BLOCK_MOST)
  end
  local interface = self.interfaces[1]
  return {
    offset = start, interface = interface, linktype = interface.linktype, length = length, comments = {},
    frame = take(self, captured, ("the packet that begins at octet %d"):format(start)),
    time_ns = seconds * NS + rest * (interface.exponent == 9 and 1 or 1000),
  }
end

-- ---- the reader -------------------------------------------------------------------------------

local function begin(self)
  local magic = take(self, 4, "a capture file", true)
  if not magic then malformed(self, 0, "the file is empty") end
  local number = string.unpack("<I4", magic)
  local classic = CLASSIC[number]
  if classic then
    begin_classic(self, classic[1], classic[2])
    self.step = next_of_records
  elseif number == SECTION then
    self.first, self.step = magic, next_of_blocks
  else
    malformed(self, 0, "neither pcapng nor pcap (it begins with %s)",
      (magic:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
  end
end

--- A reader of an open file.
-- @param file with `read`
-- @string[opt="capture"] name for messages
function M.new(file, name)
  return setmetatable({
    file = file, name = name or "capture", offset = 0, count = 0, interfaces = {},
  }, Reader)
end

--- Opens a capture file.
-- @string path
-- @treturn Reader or nil, message, code
function M.open(path)
  check.type(path, "string", "open: path")
  local file, message, number = io.open(path, "rb")
  if not file then return nil, message, CODES[number] or "EIO" end
  local reader = M.new(file, path)
  reader.owned = true
  return reader
end

function Reader:__tostring() return ("reader of %s (%d packets)"):format(self.name, self.count) end

--- The next packet.
-- @treturn[opt] table `number` (from 1), `offset` in the file, `time_ns` (nil in a simple block), `frame`,
--   `length` on the wire, `linktype`, `interface`, `comments`; nil alone at the end of the file;
--   or nil, message, code, and the same from then on
function Reader:next()
  if self.problem then return nil, self.problem.message, self.problem.code end
  local ok, packet = pcall(function()
    if not self.step then begin(self) end
    return self:step()
  end)
  if not ok then
    if type(packet) ~= "table" then error(packet, 0) end
    self.problem = packet
    return nil, packet.message, packet.code
  end
  if not packet then return nil end
  self.count = self.count + 1
  packet.number = self.count
  return packet
end

--- Iterates over the packets; raises on an error, as io.lines does.
function Reader:packets()
  return function()
    local packet, message, code = self:next()
    if code then check.raise("%s", message) end
    return packet
  end
end

--- Closes the file if `open` opened it. May be called again.
function Reader:close()
  if self.owned then self.file:close() end
  self.owned = false
end

Reader.__close = function(self) self:close() end

-- ---- from frames to IP ------------------------------------------------------------------------

local IP_TYPES <const> = { [0x0800] = true, [0x86DD] = true }
local TAGS <const> = { [0x8100] = true, [0x88A8] = true, [0x9100] = true }

local function of_type(frame, kind, from)
  if IP_TYPES[kind] then return frame:sub(from) end
  return nil, ("no IP packet (type 0x%04x)"):format(kind)
end

local function ethernet(frame)
  local at = 13
  while #frame >= at + 1 do
    local kind = string.unpack(">I2", frame, at)
    if not TAGS[kind] then return of_type(frame, kind, at + 2) end
    at = at + 4
  end
  return nil, "an Ethernet frame that is cut off"
end

-- Behind four octets with an address family, whose numbers differ between systems.
local function loopback(frame)
  if #frame < 5 then return nil, "a loopback frame that is cut off" end
  local version = frame:byte(5) >> 4
  if version == 4 or version == 6 then return frame:sub(5) end
  return nil, "no IP packet"
end

local function cooked(type_at, length)
  return function(frame)
    if #frame < length then return nil, "a cooked frame that is cut off" end
    return of_type(frame, (string.unpack(">I2", frame, type_at)), length + 1)
  end
end

local function raw(frame) return frame end

local LINKTYPES <const> = {
  [0] = loopback, [1] = ethernet, [12] = raw, [14] = raw, [101] = raw, [108] = loopback,
  [113] = cooked(15, 16), [228] = raw, [229] = raw, [276] = cooked(1, 20),
}

--- The IP packet in a frame: raw IP, Ethernet (VLAN tags are passed over), BSD loopback, Linux cooked.
-- @tparam table packet of `next`
-- @treturn string or nil, why not
function M.ip(packet)
  local strip = LINKTYPES[packet.linktype]
  if not strip then return nil, ("frames of link type %d are not known here"):format(packet.linktype) end
  return strip(packet.frame)
end

return M
