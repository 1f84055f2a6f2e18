--- Packets as packetdrill writes them: `> P. 1:1001(1000) ack 1 <nop,nop,TS val 100 ecr 200>`.
-- @module lunatcp.packetdrill.text

local icmp = require "lunatcp.packetdrill.icmp"

local M = {}

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function blocks(option)
  local parts = {}
  for i, block in ipairs(option.blocks) do parts[i] = ("%d:%d"):format(block.left, block.right) end
  return "sack " .. table.concat(parts, " ")
end

local function counters(option)
  local parts = { "ECN" }
  for _, field in ipairs(option.fields) do parts[#parts + 1] = ("%s %d"):format(field.name, field.value) end
  return table.concat(parts, " ")
end

local function with_bytes(name)
  return function(option) return option.data == "" and name or name .. " " .. hex(option.data) end
end

local WRITERS <const> = {
  nop = function() return "nop" end,
  ["end"] = function() return "eol" end,
  mss = function(option) return ("mss %d"):format(option.value) end,
  window_scale = function(option) return ("wscale %d"):format(option.value) end,
  sack_permitted = function() return "sackOK" end,
  sack = blocks,
  timestamps = function(option) return ("TS val %d ecr %d"):format(option.value, option.echo) end,
  md5 = with_bytes "md5",
  ao = function(option)
    return ("ao %d %d"):format(option.key, option.next_key) .. (option.mac and " " .. hex(option.mac) or "")
  end,
  fast_open = with_bytes "FO",
  fast_open_experiment = with_bytes "FOEXP",
  accecn0 = counters,
  accecn1 = counters,
}

--- One option.
function M.option(option)
  local writer = WRITERS[option.name]
  if writer then return writer(option) end
  return ("kind_%d %s"):format(option.kind or 0, hex(option.data or ""))
end

--- Options between `<` and `>`; nothing where there are none.
function M.options(options)
  if not options then return "<...>" end
  if #options == 0 then return "" end
  local parts = {}
  for i, option in ipairs(options) do parts[i] = M.option(option) end
  return "<" .. table.concat(parts, ",") .. ">"
end

local ECN <const> = { [0] = "noecn", "ect1", "ect0", "ce" }
local ORDER <const> = "FSRPEWAU"

--- Flags with the ACK's dot last: "P.", "-".
-- @string flags letters
-- @tparam[opt] integer ace AccECN counter in place of E, W and A
function M.flags(flags, ace)
  local text = ""
  for letter in ORDER:gmatch "." do
    if flags:find(letter, 1, true) and not (ace and letter:find "[EWA]") then text = text .. letter end
  end
  if flags:find(".", 1, true) then text = text .. "." end
  if ace then text = text .. ace end
  return text == "" and "-" or text
end

local function ip_words(ip)
  local words = {}
  if ip.ect01 then words[1] = "ect01" end
  if ip.ecn then words[1] = ECN[ip.ecn] end
  if ip.tos then words[1] = ("tos 0x%02x"):format(ip.tos) end
  if ip.flow_label then words[#words + 1] = ("flowlabel 0x%x"):format(ip.flow_label) end
  if ip.ttl then words[#words + 1] = ("ttl %d"):format(ip.ttl) end
  return words[1] and "[" .. table.concat(words, ", ") .. "]" or nil
end

local function tcp_words(packet, words)
  if packet.source_port and packet.ports_written then
    words[#words + 1] = ("%d > %d"):format(packet.source_port, packet.destination_port)
  end
  words[#words + 1] = M.flags(packet.flags, packet.ace)
  words[#words + 1] = ("%d:%d(%d)"):format(packet.seq, packet.seq + packet.length, packet.length)
  if packet.ack and (packet.ack ~= 0 or packet.flags:find(".", 1, true)) then
    words[#words + 1] = ("ack %d"):format(packet.ack)
  end
  if packet.window then words[#words + 1] = ("win %d"):format(packet.window) end
  if packet.urgent and packet.urgent ~= 0 then words[#words + 1] = ("urg %d"):format(packet.urgent) end
  local options = M.options(packet.options)
  if options ~= "" then words[#words + 1] = options end
end

local function icmp_words(packet, words)
  words[#words + 1] = "icmp"
  local type_name, code_name = packet.type_name, packet.code_name
  if not type_name then type_name, code_name = icmp.names(packet.family, packet.type, packet.code) end
  words[#words + 1] = type_name
  words[#words + 1] = code_name
  if packet.mtu then words[#words + 1] = ("mtu %d"):format(packet.mtu) end
  local quoted = packet.quote_written and packet.quoted
  if quoted and quoted.kind == "tcp" then
    words[#words + 1] = ("[%d:%d(%d)]"):format(quoted.seq, quoted.seq + quoted.length, quoted.length)
  elseif quoted then
    words[#words + 1] = ("[%s (%d)]"):format(quoted.kind, quoted.length)
  end
end

--- A packet of a script or of the wire as one line.
function M.packet(packet)
  local words = { packet.direction == "in" and "<" or ">" }
  words[#words + 1] = ip_words(packet.ip or {})
  if packet.kind == "tcp" then
    tcp_words(packet, words)
  elseif packet.kind == "icmp" then
    icmp_words(packet, words)
  else
    words[#words + 1] = ("udp (%d)"):format(packet.length or 0)
  end
  return table.concat(words, " ")
end

M.hex = hex

return M
