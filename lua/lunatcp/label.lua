--- The words of a segment: what stands on the arrows of the ladder and in the columns of the trace.
-- @module lunatcp.label

local M = {}

local FLAG_WORDS <const> = {
  S = "SYN", F = "FIN", R = "RST", P = "PSH", A = "ACK", U = "URG", E = "ECE", W = "CWR", N = "AE",
}
-- As the RFC writes control bits: what opens and closes first.
local FLAG_ORDER <const> = { "S", "F", "R", "P", "U", "A", "E", "W", "N" }

--- "SYN,ACK" of "SA"; "none" of "".
function M.flags(letters)
  local words = {}
  for _, letter in ipairs(FLAG_ORDER) do
    if letters:find(letter, 1, true) then words[#words + 1] = FLAG_WORDS[letter] end
  end
  return #words > 0 and table.concat(words, ",") or "none"
end

local function blocks_text(blocks, base)
  if not blocks then return "sack ?" end
  local texts = { "sack" }
  for _, block in ipairs(blocks) do
    texts[#texts + 1] = ("%d-%d"):format(M.relative(block.left, base), M.relative(block.right, base))
  end
  return table.concat(texts, " ")
end

local function option_text(option, base)
  local name, value = option.name, option.value or "?" -- a length that is not its own: no value
  if name == "mss" then return "mss " .. value end
  if name == "window_scale" then return "ws " .. value end
  if name == "sack_permitted" then return "sackOK" end
  if name == "timestamps" then return "ts" end -- their numbers say little and take much room
  if name == "sack" then return blocks_text(option.blocks, base) end
  if name == "nop" or name == "end" then return nil end
  return name or ("option %d"):format(option.kind)
end

--- "<mss 1460 sackOK>" of a segment's options; "" when there are none. `base` is what SACK's
-- numbers are relative to.
function M.options(options, base)
  if not options then return "" end
  local texts = {}
  for _, option in ipairs(options) do texts[#texts + 1] = option_text(option, base) end
  return #texts > 0 and "<" .. table.concat(texts, " ") .. ">" or ""
end

--- A sequence number relative to `base` (nil: as it is), modulo 2^32, negative when it lies before.
function M.relative(number, base)
  if not base then return number end
  local distance = (number - base) & 0xffffffff
  return distance >= 0x80000000 and distance - 0x100000000 or distance
end

-- What is not TCP, or so short that it does not show.
local function other_text(packet)
  local icmp = packet.icmp
  if icmp then
    return "ICMP " .. icmp.kind .. (icmp.mtu and icmp.mtu > 0 and (" mtu %d"):format(icmp.mtu) or "")
  end
  return packet.protocol and "protocol " .. packet.protocol or "no IP packet"
end

--- The words on an arrow: flags, numbers, window, options.
-- @tparam table segment decoded packet
-- @tparam[opt] table bases `seq` and `ack`: the initial sequence numbers
function M.segment(segment, bases)
  local letters = segment.flag_letters
  if not letters then return other_text(segment) end
  bases = bases or {}
  local parts = { M.flags(letters), "seq " .. M.relative(segment.seq, bases.seq) }
  if letters:find("A", 1, true) then parts[#parts + 1] = "ack " .. M.relative(segment.ack, bases.ack) end
  if segment.length > 0 then parts[#parts + 1] = "len " .. segment.length end
  parts[#parts + 1] = "win " .. segment.window
  if letters:find("U", 1, true) then parts[#parts + 1] = "up " .. segment.urgent end
  local options = M.options(segment.options, bases.ack)
  if options ~= "" then parts[#parts + 1] = options end
  return table.concat(parts, " ")
end

return M
