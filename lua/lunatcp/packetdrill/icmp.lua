--- Names of ICMP messages, as scripts write them, and their numbers (RFC 792, RFC 1812, RFC 4443).
-- @module lunatcp.packetdrill.icmp

local M = {}

local V4 <const> = {
  echo_reply = 0, unreachable = 3, source_quench = 4, redirect = 5, echo_request = 8, time_exceeded = 11,
  parameter_problem = 12, timestamp_request = 13, timestamp_reply = 14, information_request = 15,
  information_reply = 16, address_mask_request = 17, address_mask_reply = 18,
}
local V6 <const> = {
  unreachable = 1, packet_too_big = 2, time_exceeded = 3, parameter_problem = 4, echo_request = 128,
  echo_reply = 129,
}
local CODES <const> = {
  [4] = {
    unreachable = {
      net_unreachable = 0, host_unreachable = 1, protocol_unreachable = 2, port_unreachable = 3,
      frag_needed = 4, source_route_failed = 5, net_unknown = 6, host_unknown = 7, source_host_isolated = 8,
      net_prohibited = 9, host_prohibited = 10, net_unreachable_for_tos = 11, host_unreachable_for_tos = 12,
      packet_filtered = 13, precedence_violation = 14, precedence_cutoff = 15,
    },
  },
  [6] = {
    unreachable = {
      net_unreachable = 0, no_route = 0, admin_prohibited = 1, not_neighbour = 2, address_unreachable = 3,
      port_unreachable = 4,
    },
    time_exceeded = { exceeded_hop_limit = 0, exceeded_frag_time = 1 },
    parameter_problem = { header_field = 0, unknown_next_header = 1, unknown_option = 2 },
  },
}

local function sorted_names(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- Type and code of a script's ICMP message.
-- @int family 4 or 6
-- @string type_name
-- @string[opt] code_name
-- @treturn integer type, integer code; or nil, message
function M.numbers(family, type_name, code_name)
  local types = family == 4 and V4 or V6
  local number = tonumber(type_name:match "^type_(%d+)$") or types[type_name]
  if not number or number > 255 then
    return nil, ("ICMP for IPv%d has no type '%s' (known: %s, type_N)"):format(family, type_name,
      sorted_names(types))
  end
  if not code_name then return number, 0 end
  local codes = CODES[family][type_name]
  local code = tonumber(code_name:match "^code_(%d+)$") or codes and codes[code_name]
  if not code or code > 255 then
    return nil, ("ICMP %s for IPv%d has no code '%s' (known: %scode_N)"):format(type_name, family, code_name,
      codes and sorted_names(codes) .. ", " or "")
  end
  return number, code
end

--- Names of a type and a code, for printing.
function M.names(family, number, code)
  local type_name, code_name = ("type_%d"):format(number), code ~= 0 and ("code_%d"):format(code) or nil
  for name, value in pairs(family == 4 and V4 or V6) do
    if value == number then type_name = name end -- one name a number: the order does not matter
  end
  local best
  for name, value in pairs(CODES[family][type_name] or {}) do
    if value == code and (not best or name < best) then best = name end
  end
  return type_name, best or code_name
end

--- Whether an MTU has a place in the message: frag_needed, packet_too_big.
function M.has_mtu(family, number, code)
  if family == 4 then return number == 3 and code == 4 end
  return number == 2 and code == 0
end

return M
