--- An expected packet against the one that came, field by field, in the script's numbers.
-- @module lunatcp.packetdrill.compare

local icmp = require "lunatcp.packetdrill.icmp"
local text = require "lunatcp.packetdrill.text"
local wire = require "lunatcp.packetdrill.wire"

local M = {}

local ECN <const> = { [0] = "noecn", "ect1", "ect0", "ce" }

local Difference = {}
Difference.__index = Difference

function Difference:add(name, expected, got, good)
  if good == nil then good = expected == got end
  self.fields[#self.fields + 1] = {
    name = name, expected = tostring(expected), got = tostring(got), good = good,
  }
  self.good = self.good and good
end

-- ---- IP ---------------------------------------------------------------------------------------

local function compare_ip(d, script, seen, family, space)
  d:add("IP version", family, seen.family)
  if family == 4 then
    d:add("IP header length", 20, seen.ip_header_length)
    d:add("IP checksum", "good", seen.ip_checksum_ok and "good" or "bad")
  end
  local wanted, got = script.ip, seen.seen_ip
  if wanted.ecn then d:add("ECN", ECN[wanted.ecn], ECN[got.ecn]) end
  if wanted.ect01 then d:add("ECN", "ect0 or ect1", ECN[got.ecn], got.ecn == 1 or got.ecn == 2) end
  if wanted.tos then d:add("tos", ("0x%02x"):format(wanted.tos), ("0x%02x"):format(got.tos)) end
  if wanted.ttl then d:add("ttl", wanted.ttl, got.ttl) end
  if wanted.flow_label and family == 6 then
    local problem = space:check_label(wanted.flow_label, got.flow_label)
    if problem then d:add("flow label", problem, ("0x%x"):format(got.flow_label), false) end
  end
end

-- ---- TCP --------------------------------------------------------------------------------------

local function without(flags, letters) return (flags:gsub("[" .. letters .. "]", "")) end

local function compare_flags(d, script, seen)
  if script.ace then
    d:add("flags", text.flags(without(script.flags, "EWA")), text.flags(without(seen.flags, "EWA")))
    d:add("ACE", script.ace, seen.ace_seen)
  else
    d:add("flags", text.flags(script.flags), text.flags(seen.flags))
  end
end

-- Two options: whether they are the same, timestamps apart, and a MAC that is not written.
local function same_option(wanted, got)
  if wanted.name ~= got.name then return false end
  if wanted.name == "ao" and not wanted.mac then
    return wanted.key == got.key and wanted.next_key == got.next_key
  end
  return wanted.name == "timestamps" or wire.option_bytes(wanted) == wire.option_bytes(got)
end

local function compare_timestamps(d, wanted, got, run)
  if run.tick > 0 then
    local off = math.abs(((got.value - wanted.value + 0x80000000) & 0xffffffff) - 0x80000000) * run.tick
    d:add("TS val", wanted.value, got.value, off <= run.tick_slack)
  end
  if run.strict then d:add("TS ecr", wanted.echo, got.echo) end
end

local function compare_options(d, script, seen, run)
  if not script.options then return end
  local wanted, got = script.options, seen.options
  local same = #wanted == #got
  for i = 1, math.max(#wanted, #got) do
    same = same and wanted[i] ~= nil and got[i] ~= nil and same_option(wanted[i], got[i])
  end
  local function shown(options) return #options == 0 and "none" or text.options(options) end
  d:add("options", shown(wanted), shown(got), same)
  if not same then return end
  for i, option in ipairs(wanted) do
    if option.name == "timestamps" then compare_timestamps(d, option, got[i], run) end
  end
end

local function compare_tcp(d, script, seen, run)
  compare_flags(d, script, seen)
  d:add("seq", script.seq, seen.seq)
  d:add("length", script.length, seen.length)
  d:add("ack", script.ack or 0, seen.ack)
  if script.window then d:add("win", script.window, seen.window) end
  d:add("urg", script.urgent or 0, seen.urgent)
  if seen.reserved ~= 0 then d:add("reserved bits", 0, seen.reserved) end
  compare_options(d, script, seen, run)
  if not seen.payload_is_zero then d:add("payload", "zero octets", "something else") end
  if run.strict then d:add("TCP checksum", "good", seen.checksum_ok == true and "good" or "bad") end
end

local function compare_icmp(d, script, seen, family)
  local number, code = icmp.numbers(family, script.type_name, script.code_name)
  local function shown(kind, sub)
    local type_name, code_name = icmp.names(family, kind, sub)
    return type_name .. (code_name and " " .. code_name or "")
  end
  d:add("ICMP", shown(number, code), shown(seen.type, seen.code))
end

--- Compares.
-- @tparam table script the packet as written
-- @tparam table seen the packet that came, in the script's numbers
-- @tparam table run `family`, `space`, `strict`, `tick` (ns of a TS val's step; 0: not looked at),
-- `tick_slack`
-- @treturn table `fields` (`name`, `expected`, `got`, `good`), `good`
function M.packets(script, seen, run)
  local d = setmetatable({ fields = {}, good = true }, Difference)
  if script.kind ~= seen.kind then
    d:add("protocol", script.kind, seen.kind)
    return d
  end
  compare_ip(d, script, seen, run.family, run.space)
  if script.kind == "tcp" then compare_tcp(d, script, seen, run) end
  if script.kind == "icmp" then compare_icmp(d, script, seen, run.family) end
  return d
end

-- ---- merging ----------------------------------------------------------------------------------

local SAME <const> = { "ack", "window", "urgent", "header_length", "source_port", "destination_port" }

--- Whether a segment continues another, so that both count as one: nil, or why not.
-- @tparam table before
-- @tparam table piece
-- @int left octets that the script still expects; less than a whole piece ends the run
function M.continues(before, piece, left)
  if piece.seq ~= (before.seq + before.length) & 0xffffffff then
    return ("the next piece begins at %d instead of %d"):format(piece.seq, before.seq + before.length)
  end
  for _, key in ipairs(SAME) do
    if piece[key] ~= before[key] then
      return ("%s changes from %s to %s between two pieces"):format(key, before[key], piece[key])
    end
  end
  local old, new = without(before.flags, "PFW"), without(piece.flags, "PFW")
  if text.flags(old) ~= text.flags(new) then
    return ("flags change from %s to %s between two pieces"):format(text.flags(old), text.flags(new))
  end
  if piece.length < left and piece.length ~= before.length then
    return ("pieces of %d and %d octets, of which only the last may differ"):format(before.length,
      piece.length)
  end
  return nil
end

--- One segment of several pieces: sequence number and CWR of the first, the rest of the last.
function M.glue(pieces)
  local first, last = pieces[1], pieces[#pieces]
  local glued = {}
  for key, value in pairs(last) do glued[key] = value end -- a table again: the order does not matter
  glued.seq, glued.length, glued.pieces = first.seq, 0, #pieces
  glued.flags = without(last.flags, "W") .. (first.flags:find("W", 1, true) and "W" or "")
  glued.payload_is_zero, glued.checksum_ok, glued.ip_checksum_ok = true, true, last.ip_checksum_ok
  for _, piece in ipairs(pieces) do
    glued.length = glued.length + piece.length
    glued.payload_is_zero = glued.payload_is_zero and piece.payload_is_zero
    glued.checksum_ok = glued.checksum_ok and piece.checksum_ok
    if piece.ip_checksum_ok == false then glued.ip_checksum_ok = false end
  end
  return glued
end

return M
