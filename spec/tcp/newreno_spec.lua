-- RFC 5681 section 3.2, RFC 6582 and RFC 3042: fast retransmit and recovery without SACK.
local lab = require "support.lab"
local wire = require "support.wire"

-- Ten segments of 1,000 octets are in flight, numbered from 1; no SACK was agreed.
local function in_flight(options)
  options = options or {}
  local host = { initial_window = 10, limited_transmit = false }
  for key, value in pairs(options.host or {}) do host[key] = value end
  local net, conn, peer = wire.passive { host = host }
  conn:write(wire.pattern(options.total or 10000))
  for n = 1, 10 do peer:expect { seq = 4001 + 1000 * n, length = 1000 } end
  return net, conn, peer
end

local function ack(peer, n, times)
  for _ = 1, times or 1 do peer:send { flags = "A", seq = 1001, ack = 4001 + 1000 * n } end
end

local function sent(net, peer)
  net:run { until_ = net:now() + 0.03 }
  local numbers = {}
  for i, packet in ipairs(wire.drain(peer)) do numbers[i] = (packet.seq - 4001) // 1000 end
  return numbers
end

describe("fast retransmit", function()
  it("RFC5681:3.2-3 comes with the third duplicate ACK, not before", function()
    local net, conn, peer = in_flight()
    ack(peer, 1, 2)
    assert.same({}, sent(net, peer))
    ack(peer, 1)
    assert.same({ 1 }, sent(net, peer))
    assert.equal(1, conn:info().fast_recoveries)
    assert.equal(5000, conn:info().ssthresh)
  end)

  it("RFC5681:2-2 counts no ACK with data, with another window, or with nothing outstanding", function()
    local net, conn, peer = in_flight()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x" }
    peer:send { flags = "PA", seq = 1002, ack = 5001, payload = "y" }
    peer:send { flags = "A", seq = 1003, ack = 5001, window = 65000 }
    peer:send { flags = "A", seq = 1003, ack = 5001, window = 64000 }
    net:run { until_ = 0.1 }
    assert.equal(0, conn:info().fast_recoveries)
    peer:send { flags = "A", seq = 1003, ack = 15001, window = 64000 }
    for _ = 1, 5 do peer:send { flags = "A", seq = 1003, ack = 15001, window = 64000 } end
    net:run { until_ = 0.2 }
    assert.equal(0, conn:info().fast_recoveries)
    assert.equal(0, conn:info().segments_retransmitted)
  end)

  it("RFC5681:3.2-9 RFC5681:3.2-10 RFC5681:3.2-12 "
    .. "inflates: each further duplicate lets one more segment go", function()
    local net, _, peer = in_flight { total = 20000 }
    ack(peer, 1, 3)
    assert.same({ 1 }, sent(net, peer))
    -- cwnd = ssthresh + 3 = 8; 10 are in flight: two more duplicates are nothing yet.
    ack(peer, 1, 2)
    assert.same({}, sent(net, peer))
    ack(peer, 1)
    assert.same({ 11 }, sent(net, peer))
    ack(peer, 1)
    assert.same({ 12 }, sent(net, peer))
  end)

  it("RFC5681:3.2-13 RFC6582:3.2-3 deflates at the full acknowledgment", function()
    local net, conn, peer = in_flight()
    ack(peer, 1, 9)
    sent(net, peer)
    assert.is_true(conn:info().in_recovery)
    ack(peer, 11)
    sent(net, peer)
    assert.is_false(conn:info().in_recovery)
    assert.is_true(conn:info().cwnd <= 5000, conn:info().cwnd)
  end)

  it("RFC6582:3.2-2 retransmits the next hole at each partial ACK", function()
    local net, conn, peer = in_flight() -- 1, 4 and 7 are lost
    ack(peer, 1, 7)
    assert.same({ 1 }, sent(net, peer))
    ack(peer, 4)
    assert.same({ 4 }, sent(net, peer))
    assert.is_true(conn:info().in_recovery)
    ack(peer, 7)
    assert.same({ 7 }, sent(net, peer))
    ack(peer, 11)
    assert.same({}, sent(net, peer))
    assert.equal(1, conn:info().fast_recoveries)
    assert.equal(0, conn:info().timeouts)
    assert.equal(3, conn:info().segments_retransmitted)
  end)

  it("RFC6582:3.2-1 does not begin again for duplicates of the same window", function()
    local net, conn, peer = in_flight()
    ack(peer, 1, 3)
    sent(net, peer)
    ack(peer, 11)
    sent(net, peer)
    ack(peer, 11, 5)
    assert.same({}, sent(net, peer))
    assert.equal(1, conn:info().fast_recoveries)
  end)

  it("RFC6582:3.2-1 does not begin again while the ACK covers no more than the recovery point", function()
    local net, conn, peer = in_flight { total = 30000 }
    ack(peer, 1, 3)
    sent(net, peer)
    ack(peer, 11) -- all that was out when recovery began
    local new = sent(net, peer)
    assert.is_true(#new >= 4, #new)
    ack(peer, 11, 5) -- duplicates of segments that came twice
    for _, n in ipairs(sent(net, peer)) do assert.is_true(n > new[#new], n) end
    assert.equal(1, conn:info().fast_recoveries)
    assert.equal(1, conn:info().segments_retransmitted)
  end)

  it("RFC6582:4 RFC6582:3.2-4 "
    .. "does not begin after a timeout by the duplicates of what is sent again", function()
    local net, conn, peer = in_flight()
    net:run { until_ = 1.5 } -- the timeout: 1 goes again
    wire.drain(peer)
    ack(peer, 1, 5) -- the other nine had come, and the window before was answered late
    net:run { until_ = 1.6 }
    assert.equal(0, conn:info().fast_recoveries)
  end)

  it("RFC5681:3.1-12 RFC6928:2-4 "
    .. "a timeout sets ssthresh to half of the flight, and cwnd to one segment", function()
    local net, conn = in_flight()
    net:run { until_ = 1.5 }
    assert.equal(5000, conn:info().ssthresh)
    assert.equal(1000, conn:info().cwnd)
    net:run { until_ = 3.5 } -- RFC 5681: a second timeout of the same data lowers ssthresh no further
    assert.equal(5000, conn:info().ssthresh)
    assert.equal(1000, conn:info().cwnd)
  end)

  it("RFC5681:3.1-4 has ssthresh at least 2 SMSS", function()
    local net, conn, peer = wire.passive()
    conn:write(wire.pattern(1000))
    peer:expect { seq = 5001 }
    net:run { until_ = 1.5 }
    assert.equal(2000, conn:info().ssthresh)
  end)

  it("repairs any single loss between two engines without a timeout", function()
    for lost = 1, 16 do
      local net, client, server = lab.connected {
        client = { initial_window = 20, sack = false }, link = { delay = 0.01, rate = 100e6 },
      }
      net.wire:drop { data = true, nth = lost }
      local data = wire.pattern(20 * 1448)
      client:write(data)
      assert.equal(data, server:read_exactly(#data))
      assert.equal(0, client:info().timeouts, lost)
      assert.is_false(client:info().sack)
    end
  end)
end)

describe("limited transmit", function()
  local with <const> = { limited_transmit = true }

  it("RFC5681:3.2-4 RFC3042:2-1 sends one new segment on each of the first two duplicate ACKs", function()
    local net, conn, peer = in_flight { total = 20000, host = with }
    local before = conn:info().cwnd
    ack(peer, 1)
    assert.same({ 11 }, sent(net, peer))
    ack(peer, 1)
    assert.same({ 12 }, sent(net, peer))
    assert.equal(before, conn:info().cwnd)
    ack(peer, 1)
    assert.same({ 1 }, sent(net, peer))
    -- RFC 5681 section 3.2: what limited transmit sent does not count in FlightSize.
    assert.equal(5000, conn:info().ssthresh)
  end)

  it("RFC3042:2-1 does so only where the peer's window allows", function()
    local net, _, peer = in_flight { total = 20000, host = with }
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 10000 }
    sent(net, peer)
    for _ = 1, 2 do peer:send { flags = "A", seq = 1001, ack = 5001, window = 10000 } end
    assert.same({}, sent(net, peer))
  end)

  it("saves a small window from its timeout", function()
    -- Three segments in flight, the first lost: only two duplicates without it.
    local net, client, server = lab.connected { client = { initial_window = 3 } }
    net.wire:drop { data = true, nth = 1 }
    local data = wire.pattern(10 * 1448)
    client:write(data)
    assert.equal(data, server:read_exactly(#data))
    assert.equal(0, client:info().timeouts)
    assert.is_true(net:now() < 0.5)
  end)
end)
