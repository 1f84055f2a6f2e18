--- Packets that are signed by hand: for peers and those who forge.
--
--     peer:send { flags = "A", seq = 1001, ack = 1, md5_key = "secret" }
--     peer:send { flags = "S", seq = 1000, ao_key = { key = "secret", key_id = 1, rnext_key_id = 2 } }
-- @module lunatcp.signed

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

local AO_KEYS <const> = {
  "key", "key_id", "rnext_key_id", "mac", "include_options", "source_isn", "destination_isn", "sne",
}
local MAC_OCTETS <const> = 12

local function copy(from)
  local to = {}
  for key, value in pairs(from or {}) do to[key] = value end -- a table again: the order does not matter
  return to
end

local function sign_md5(packet, key)
  packet.options.md5 = ("\0"):rep(16)
  packet.options.md5 = check.call(core.md5_digest, check.call(core.encode, packet), key)
end

-- A SYN knows one ISN, its own (RFC 5925 section 5.2).
local function sign_ao(packet, ao)
  check.options(ao, AO_KEYS, "ao_key")
  local ids = string.char(check.integer(ao.key_id, "ao_key: key_id", 0, 255),
    check.integer(ao.rnext_key_id, "ao_key: rnext_key_id", 0, 255))
  local flags = packet.flags
  local first = type(flags) == "string" and flags:find "S" and not flags:find "A"
  local traffic_key = check.call(core.ao_traffic_key, {
    key = ao.key, mac = ao.mac, source = packet.source, destination = packet.destination,
    source_port = packet.source_port, destination_port = packet.destination_port,
    source_isn = ao.source_isn or (first and packet.seq or nil), destination_isn = ao.destination_isn,
  })
  packet.options.ao = ids .. ("\0"):rep(MAC_OCTETS)
  packet.options.ao = ids .. check.call(core.ao_mac, check.call(core.encode, packet), {
    traffic_key = traffic_key, mac = ao.mac, sne = ao.sne, include_options = ao.include_options,
  })
end

--- `lunatcp.encode`, for fields that may have a key.
-- @tparam table fields with addresses and ports; `md5_key`: the packet gets the option of RFC 2385; `ao_key`:
--   that of RFC 5925, by `key` (the master key), `key_id`, `rnext_key_id`, `mac`, `include_options`,
--   `source_isn`, `destination_isn` (of a SYN: its own number, and 0), `sne`
-- @treturn string
function M.encode(fields)
  if fields.md5_key == nil and fields.ao_key == nil then return check.call(core.encode, fields) end
  local packet = copy(fields)
  packet.options, packet.md5_key, packet.ao_key = copy(fields.options), nil, nil
  if fields.md5_key ~= nil then
    check.type(fields.md5_key, "string", "send: md5_key")
    sign_md5(packet, fields.md5_key)
  end
  if fields.ao_key ~= nil then
    check.type(fields.ao_key, "table", "send: ao_key")
    sign_ao(packet, fields.ao_key)
  end
  return check.call(core.encode, packet)
end

return M
