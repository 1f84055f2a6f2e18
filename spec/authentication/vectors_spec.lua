-- The digests themselves, against the vectors of RFC 9235 (TCP-AO) and sums made by hand (TCP MD5).
local core = require "lunatcp.core"
local vectors = require "support.rfc9235"

local function octets(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function hex(bytes)
  return (bytes:gsub(".", function(octet) return ("%02x"):format(octet:byte()) end))
end

describe("RFC 9235's vectors", function()
  it("are all there", function() assert.equal(32, #vectors) end)

  for _, vector in ipairs(vectors) do
    local packet = octets(vector.packet)
    local fields = core.decode(packet)
    local from_client = fields.destination_port == 179
    local syn = fields.flags.syn and not fields.flags.ack

    it(("%s: the traffic key of section 5.2 (RFC5925:5.2-1, RFC5925:5.2-2) by RFC5926:3.1.1-1,"
      .. " RFC5926:3.1.1.1-1, RFC5926:3.1.1.2-1"):format(vector.section), function()
      local key = assert(core.ao_traffic_key {
        key = "testvector", mac = vector.mac, source = fields.source, destination = fields.destination,
        source_port = fields.source_port, destination_port = fields.destination_port,
        source_isn = from_client and vector.client_isn or vector.server_isn,
        destination_isn = syn and 0 or (from_client and vector.server_isn or vector.client_isn),
      })
      assert.equal(vector.traffic_key, hex(key))
    end)

    it(("%s: the MAC of RFC5925:5.1-1, RFC5925:3.1-1 by RFC5926:3.2-1, RFC5926:3.2.1-1,"
      .. " RFC5926:3.2.2-1"):format(vector.section), function()
      local mac = assert(core.ao_mac(packet, {
        traffic_key = octets(vector.traffic_key), mac = vector.mac, include_options = vector.include_options,
      }))
      assert.equal(vector.digest, hex(mac))
    end)

    it(vector.section .. ": the other setting of the option flag gives another MAC", function()
      local mac = assert(core.ao_mac(packet, {
        traffic_key = octets(vector.traffic_key), mac = vector.mac,
        include_options = not vector.include_options,
      }))
      assert.are_not.equal(vector.digest, hex(mac))
    end)
  end
end)
