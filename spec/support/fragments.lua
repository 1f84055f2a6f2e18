-- IP packets cut into fragments, and single fragments as a script wants them.
local tcp = require "lunatcp"

local M = {}

local function sum16(bytes)
  local sum = 0
  for i = 1, #bytes - 1, 2 do sum = sum + string.unpack(">I2", bytes, i) end
  while sum > 0xffff do sum = (sum & 0xffff) + (sum >> 16) end
  return ~sum & 0xffff
end

--- An IPv4 header with its checksum put right.
function M.summed(header)
  local cleared = header:sub(1, 10) .. "\0\0" .. header:sub(13)
  return cleared:sub(1, 10) .. string.pack(">I2", sum16(cleared)) .. cleared:sub(13)
end

--- One fragment of an IPv4 packet: octets [from, to) of its data, counted from 0.
-- @tparam[opt] table change `id`, `more`, `offset` (octets), `data`, `ecn`, `source` (4 octets)
function M.v4(packet, from, to, change)
  change = change or {}
  local length = (packet:byte(1) & 15) * 4
  local data = change.data or packet:sub(length + 1 + from, length + to)
  local more = change.more
  if more == nil then more = to < #packet - length end
  local header = packet:sub(1, length)
  local tos = (packet:byte(2) & ~3) | (change.ecn or packet:byte(2) & 3)
  header = string.pack(">BBI2I2I2", packet:byte(1), tos, length + #data, change.id or 0x1234,
    (change.offset or from) // 8 | (more and 0x2000 or 0)) .. header:sub(9, 12)
    .. (change.source or header:sub(13, 16)) .. header:sub(17)
  return M.summed(header) .. data
end

--- One fragment of an IPv6 packet without extension headers.
-- @tparam[opt] table change as for `v4`; `next`: what the Fragment header names; `before`, `first`:
--   extension headers that stand before the Fragment header, and what the IPv6 header then names;
--   `source` (16 octets)
function M.v6(packet, from, to, change)
  change = change or {}
  local data = change.data or packet:sub(41 + from, 40 + to)
  local more = change.more
  if more == nil then more = to < #packet - 40 end
  local before = change.before or ""
  local word = string.unpack(">I4", packet)
  if change.ecn then word = word & ~(3 << 20) | change.ecn << 20 end
  local fragment = string.pack(">BBI2I4", change.next or packet:byte(7), 0,
    (change.offset or from) & 0xfff8 | (more and 1 or 0), change.id or 0x12345678)
  return string.pack(">I4I2BB", word, #before + 8 + #data, change.first or 44, packet:byte(8))
    .. (change.source or packet:sub(9, 24)) .. packet:sub(25, 40) .. before .. fragment .. data
end

--- All fragments of a packet with `size` octets of data each, a multiple of 8.
function M.cut(packet, size, change)
  local v4 = packet:byte(1) >> 4 == 4
  local total = #packet - (v4 and (packet:byte(1) & 15) * 4 or 40)
  local list = {}
  for from = 0, total - 1, size do
    list[#list + 1] = (v4 and M.v4 or M.v6)(packet, from, math.min(from + size, total), change)
  end
  return list
end

--- A segment of the script for a connection of the host, as bytes.
function M.segment(conn, fields)
  local info = conn:info()
  local packet = {
    source = info.remote_address, destination = info.local_address, source_port = info.remote_port,
    destination_port = info.local_port, ack = info.snd_nxt, flags = "PA", window = 65535,
  }
  for key, value in pairs(fields) do packet[key] = value end
  return tcp.encode(packet)
end

return M
