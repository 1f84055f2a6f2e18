--- Script packets and real bytes, both ways.
-- @module lunatcp.packetdrill.wire

local core = require "lunatcp.core"
local icmp = require "lunatcp.packetdrill.icmp"

local M = {}

local INJECTED_TTL <const> = 255
local ICMP_HEADER <const> = 8
local QUOTED_OCTETS <const> = 8 -- of the segment, behind the IP header (RFC 792)
local EXPERIMENT_MAGIC <const> = "\xf9\x89" -- fast open among the shared experimental kinds (RFC 6994)

-- ---- options ----------------------------------------------------------------------------------

local KIND <const> = {
  ["end"] = 0, nop = 1, mss = 2, window_scale = 3, sack_permitted = 4, sack = 5, timestamps = 8, md5 = 19,
  ao = 29, fast_open = 34, accecn0 = 172, accecn1 = 174, fast_open_experiment = 254,
}
local COUNTERS <const> = { accecn0 = { "e0b", "ceb", "e1b" }, accecn1 = { "e1b", "ceb", "e0b" } }

local function counters_data(option)
  local parts = {}
  for i, field in ipairs(option.fields) do parts[i] = string.pack(">I3", field.value) end
  return table.concat(parts)
end

local DATA <const> = {
  mss = function(option) return string.pack(">I2", option.value) end,
  window_scale = function(option) return string.char(option.value) end,
  sack_permitted = function() return "" end,
  sack = function(option)
    local parts = {}
    for i, block in ipairs(option.blocks) do parts[i] = string.pack(">I4I4", block.left, block.right) end
    return table.concat(parts)
  end,
  timestamps = function(option) return string.pack(">I4I4", option.value, option.echo) end,
  md5 = function(option) return option.data end,
  ao = function(option) return string.char(option.key, option.next_key) .. (option.mac or "") end,
  fast_open = function(option) return option.data end,
  fast_open_experiment = function(option) return EXPERIMENT_MAGIC .. option.data end,
  accecn0 = counters_data,
  accecn1 = counters_data,
}

local function option_bytes(option)
  local kind = KIND[option.name] or option.kind
  if kind < 2 then return string.char(kind) end
  local data = DATA[option.name] and DATA[option.name](option) or option.data
  return string.char(kind, #data + 2) .. data
end
M.option_bytes = option_bytes

--- Options as they stand on the wire.
function M.options_bytes(options)
  local parts = {}
  for i, option in ipairs(options) do parts[i] = option_bytes(option) end
  return table.concat(parts)
end

local function counter_fields(name, data)
  if #data % 3 ~= 0 or #data > 9 then return nil end
  local fields = {}
  for i = 1, #data // 3 do
    fields[i] = { name = COUNTERS[name][i], value = (string.unpack(">I3", data, 3 * i - 2)) }
  end
  return fields
end

local BARE <const> = {
  ["end"] = true, nop = true, sack_permitted = true, md5 = true, fast_open = true,
}

-- An option of the wire in the script's form.
local function read_option(found)
  local name, data = found.name, found.data or ""
  local option = { name = name, kind = found.kind, data = data, size = found.kind < 2 and 1 or #data + 2 }
  if name == "sack" and found.blocks then
    option.blocks = found.blocks
  elseif (name == "mss" or name == "window_scale") and found.value then
    option.value = found.value
  elseif name == "timestamps" and found.value then
    option.value, option.echo = found.value, found.echo
  elseif name == "accecn0" or name == "accecn1" then
    option.fields = counter_fields(name, data)
    if not option.fields then option.name = nil end
  elseif found.kind == KIND.ao and #data >= 2 then
    option.name, option.key, option.next_key, option.mac = "ao", data:byte(1), data:byte(2), data:sub(3)
  elseif found.kind == KIND.fast_open_experiment and data:sub(1, 2) == EXPERIMENT_MAGIC then
    option.name, option.data = "fast_open_experiment", data:sub(3)
  elseif not BARE[name] then
    option.name = nil -- unknown, or of a length that is not its own
  end
  return option
end

-- ---- from the script to the wire --------------------------------------------------------------

local LETTER <const> = { ["."] = "A", A = "N" }

local function wire_flags(packet)
  local letters = packet.flags:gsub("[.A]", LETTER)
  if packet.ace then
    letters = letters .. (packet.ace & 1 ~= 0 and "E" or "") .. (packet.ace & 2 ~= 0 and "W" or "")
      .. (packet.ace & 4 ~= 0 and "N" or "")
  end
  return letters
end

local function ip_fields(packet, address)
  local ip = packet.ip
  return {
    source = address.source, destination = address.destination, ttl = ip.ttl or INJECTED_TTL,
    ecn = ip.ecn or ip.tos and ip.tos & 3 or 0, dscp = ip.tos and ip.tos >> 2 or 0,
    flow_label = ip.flow_label,
  }
end

--- The bytes of a segment whose numbers are the wire's.
-- @tparam table packet
-- @tparam table address `source`, `destination`, `source_port`, `destination_port`
function M.segment(packet, address)
  local fields = ip_fields(packet, address)
  fields.source_port, fields.destination_port = address.source_port, address.destination_port
  fields.seq, fields.ack, fields.window, fields.urgent = packet.seq, packet.ack or 0, packet.window,
    packet.urgent or 0
  fields.flags, fields.options = wire_flags(packet), M.options_bytes(packet.options)
  fields.payload = ("\0"):rep(packet.length)
  return core.encode(fields)
end

-- What an ICMP message quotes: the head of a segment that the stack sent.
local function quote(packet, family, address, seq)
  local quoted = packet.quoted
  local fields = {
    source = address.destination, destination = address.source, source_port = address.destination_port,
    destination_port = address.source_port, seq = seq, payload = ("\0"):rep(quoted.length),
  }
  local header = family == 4 and 20 or 40
  return core.encode(fields):sub(1, header + QUOTED_OCTETS)
end

--- The bytes of an ICMP message.
-- @tparam table packet
-- @int family
-- @tparam table address of the message, as for `segment`; the quote has them the other way round
-- @int seq of the quoted segment, as on the wire
function M.icmp_message(packet, family, address, seq)
  local number, code = icmp.numbers(family, packet.type_name, packet.code_name)
  local quoted = packet.quoted.kind == "tcp" and quote(packet, family, address, seq)
    or ("\0"):rep(math.max(packet.quoted.length - ICMP_HEADER, 0))
  local fields = ip_fields(packet, address)
  fields.icmp = { type = number, code = code, quote = quoted, mtu = packet.mtu }
  if packet.mtu then fields.icmp.kind = "too big" end
  return core.encode(fields)
end

-- ---- from the wire to the script --------------------------------------------------------------

local FROM_WIRE <const> = { A = ".", N = "A" }
local PROTOCOL_ICMP <const> = { icmp = 4, icmpv6 = 6 }

local function is_zero(payload) return not payload:find "[^\0]" end

--- What a packet of the stack holds, in the script's form but with the numbers of the wire.
-- @string bytes
-- @int time nanoseconds
-- @treturn table
function M.read(bytes, time)
  local found, problem = core.decode(bytes)
  local packet = {
    direction = "out", time = time, bytes = bytes, problem = problem, family = found.version,
    source = found.source, destination = found.destination, ip = {},
    ip_header_length = found.ip_header_length, ip_checksum_ok = found.ip_checksum_ok,
  }
  if not found.version then
    packet.kind = "unreadable"
    return packet
  end
  packet.seen_ip = {
    ecn = found.ecn, tos = found.dscp << 2 | found.ecn, ttl = found.ttl, flow_label = found.flow_label or 0,
  }
  if found.protocol == "tcp" and found.flag_letters then
    packet.kind = "tcp"
    packet.source_port, packet.destination_port = found.source_port, found.destination_port
    packet.flags = found.flag_letters:gsub("[AN]", FROM_WIRE)
    local flags = found.flags
    packet.ace_seen = (flags.ece and 1 or 0) | (flags.cwr and 2 or 0) | (flags.ae and 4 or 0)
    packet.seq, packet.ack, packet.length = found.seq, found.ack, found.length
    packet.window, packet.urgent, packet.reserved = found.window, found.urgent, found.reserved
    packet.header_length, packet.checksum_ok = found.header_length, found.checksum_ok
    packet.payload_is_zero = is_zero(found.payload or "")
    packet.options = {}
    for i, option in ipairs(found.options or {}) do packet.options[i] = read_option(option) end
  elseif PROTOCOL_ICMP[found.protocol] and found.icmp then
    packet.kind, packet.type, packet.code = "icmp", found.icmp.type, found.icmp.code
  else
    packet.kind = "other"
  end
  return packet
end

--- What depends on the IP version: nil, or what is wrong with a packet of the script.
function M.check(packet, family)
  if packet.kind ~= "icmp" then return nil end
  local number, code = icmp.numbers(family, packet.type_name, packet.code_name)
  if not number then return code end
  if packet.mtu and not icmp.has_mtu(family, number, code) then
    return ("only %s has an MTU"):format(family == 4 and "unreachable frag_needed" or "packet_too_big")
  end
  if packet.mtu and family == 4 and packet.mtu > 65535 then return "the MTU does not fit 16 bits" end
  if packet.quoted.kind == "raw" and packet.quoted.length < ICMP_HEADER then
    return ("an ICMP message has at least %d octets"):format(ICMP_HEADER)
  end
  return nil
end

return M
