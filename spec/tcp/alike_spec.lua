-- Full segments of one burst, each made from a model (core/tcp/burst.c): what may differ does, and
-- they are no more and no fewer than if each were made by itself.
local wire = require "support.wire"

local MSS <const> = 1000

-- A passive connection that may send `segments` at once.
local function open(segments, host)
  local settings = { initial_window = segments, send_buffer = 1 << 20 }
  for key, value in pairs(host or {}) do settings[key] = value end
  return wire.passive {
    host = settings,
    syn = { options = { mss = MSS, window_scale = 5 }, window = 65535 },
  }
end

-- The data segments that the peer has by now.
local function received(net, peer, seconds)
  net:run { until_ = net:now() + (seconds or 0.1) }
  local packets = {}
  for _, packet in ipairs(wire.drain(peer)) do
    if packet.length > 0 then packets[#packets + 1] = packet end
  end
  return packets
end

describe("a burst of full segments", function()
  it("has each octet once, in order, in packets with numbers and sums of their own", function()
    local net, conn, peer = open(40)
    local text = wire.pattern(40 * MSS)
    conn:write(text)
    local packets = received(net, peer)
    assert.equal(40, #packets)
    for i, packet in ipairs(packets) do
      assert.equal(5001 + (i - 1) * MSS, packet.seq)
      assert.equal(text:sub((i - 1) * MSS + 1, i * MSS), packet.payload)
      assert.is_true(packet.checksum_ok and packet.ip_checksum_ok)
      if i > 1 then assert.equal(packets[i - 1].ip_id + 1 & 0xFFFF, packet.ip_id) end
    end
  end)

  it("RFC9293:MUST-61 pushes in the last one alone, also where more will follow", function()
    for _, more in ipairs { false, true } do
      local net, conn, peer = open(40, { more_is_quiet = false })
      conn:write(wire.pattern(20 * MSS), { more = more })
      local packets = received(net, peer)
      assert.equal(20, #packets)
      for i, packet in ipairs(packets) do assert.equal(i == 20 and "PA" or "A", packet.flag_letters) end
    end
  end)

  it("leaves at one moment, however many there are", function()
    local net, conn, peer = open(500)
    conn:write(wire.pattern(500 * MSS))
    local packets = received(net, peer)
    assert.equal(500, #packets)
    for _, packet in ipairs(packets) do assert.equal(packets[1].time, packet.time) end
  end)
end)
