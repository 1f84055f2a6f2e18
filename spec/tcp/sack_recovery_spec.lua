-- RFC 6675: loss recovery with selective acknowledgments, as the sender of data does it.
local lab = require "support.lab"
local wire = require "support.wire"

-- Ten segments of 1,000 octets are in flight, numbered from 1; more can follow.
local function in_flight(options)
  options = options or {}
  local host = { initial_window = 10, limited_transmit = false }
  for key, value in pairs(options.host or {}) do host[key] = value end
  local net, conn, peer = wire.passive {
    syn = { options = { mss = 1000, sack_permitted = true } }, host = host,
  }
  conn:write(wire.pattern(options.total or 10000))
  for n = 1, 10 do peer:expect { seq = 4001 + 1000 * n, length = 1000 } end
  return net, conn, peer
end

-- Acknowledges up to segment `n` (exclusive) with blocks of segments { first, last }.
local function ack(peer, n, ...)
  local sack = {}
  for i, block in ipairs { ... } do
    sack[i] = { left = 4001 + 1000 * block[1], right = 5001 + 1000 * block[2] }
  end
  peer:send { flags = "A", seq = 1001, ack = 4001 + 1000 * n, options = #sack > 0 and { sack = sack } or nil }
end

local function sent(net, peer)
  net:run { until_ = net:now() + 0.03 }
  local numbers = {}
  for i, packet in ipairs(wire.drain(peer)) do numbers[i] = (packet.seq - 4001) // 1000 end
  return numbers
end

describe("recovery with SACK", function()
  it("RFC6675:5-3 RFC6675:5-7 begins with the third duplicate ACK, by the first hole", function()
    local net, conn, peer = in_flight()
    ack(peer, 1, { 2, 2 })
    assert.same({}, sent(net, peer))
    ack(peer, 1, { 2, 3 })
    assert.same({}, sent(net, peer))
    assert.is_false(conn:info().in_recovery)
    ack(peer, 1, { 2, 4 })
    assert.same({ 1 }, sent(net, peer))
    assert.is_true(conn:info().in_recovery)
    assert.equal(1, conn:info().fast_recoveries)
  end)

  it("RFC5681:4.3-1 RFC6675:5-6 halves: ssthresh = cwnd = FlightSize / 2", function()
    local net, conn, peer = in_flight()
    for last = 2, 4 do ack(peer, 1, { 2, last }) end
    sent(net, peer)
    assert.equal(5000, conn:info().ssthresh)
    assert.equal(5000, conn:info().cwnd)
  end)

  it("RFC6675:4-3 begins by IsLost too: more than two segments above are SACKed by one ACK", function()
    local net, _, peer = in_flight()
    ack(peer, 1, { 2, 4 })
    -- Three discontiguous or 2 MSS and more above: one ACK is enough (RFC 6675 section 5, step 2).
    assert.same({ 1 }, sent(net, peer))
  end)

  it("RFC6675:4-4 RFC6675:5-1 "
    .. "estimates the pipe: neither what is SACKed nor what is lost and not sent again", function()
    local net, conn, peer = in_flight()
    for last = 2, 4 do ack(peer, 1, { 2, last }) end
    sent(net, peer)
    -- Sent again: 1. In flight: 5 to 10.
    assert.equal(7000, conn:info().pipe)
    ack(peer, 1, { 2, 7 })
    sent(net, peer)
    assert.equal(4000, conn:info().pipe)
  end)

  it("RFC5681:4.3-2 RFC6675:4-5 RFC6675:4-9 RFC6675:5-10 RFC6675:5-11 "
    .. "sends as cwnd - pipe allows, holes first", function()
    local net, conn, peer = in_flight()
    -- 1 and 3 are lost.
    ack(peer, 1, { 2, 2 })
    ack(peer, 1, { 2, 2 }, { 4, 4 })
    ack(peer, 1, { 2, 2 }, { 4, 5 })
    assert.same({ 1 }, sent(net, peer))
    ack(peer, 1, { 2, 2 }, { 4, 8 })
    -- Pipe: 1 again, 9, 10; 3 is lost by now; cwnd is 5,000.
    assert.same({ 3 }, sent(net, peer))
    ack(peer, 11)
    assert.same({}, sent(net, peer))
    assert.is_false(conn:info().in_recovery)
    assert.equal(2, conn:info().segments_retransmitted)
    assert.equal(0, conn:info().timeouts)
  end)

  it("RFC6675:4-6 (NextSeg 2) sends new data when no hole is left", function()
    local net, _, peer = in_flight { total = 20000 }
    for last = 2, 4 do ack(peer, 1, { 2, last }) end
    assert.same({ 1 }, sent(net, peer))
    ack(peer, 1, { 2, 8 }) -- pipe is 3 (1, 9, 10), cwnd 5
    assert.same({ 11, 12 }, sent(net, peer))
  end)

  it("RFC5681:4.3-3 RFC6675:5-8 "
    .. "ends when the recovery point is acknowledged, with cwnd at ssthresh", function()
    local net, conn, peer = in_flight()
    for last = 2, 4 do ack(peer, 1, { 2, last }) end
    sent(net, peer)
    assert.equal(15001, conn:info().recovery_point)
    ack(peer, 8)
    sent(net, peer)
    assert.is_true(conn:info().in_recovery)
    ack(peer, 11)
    sent(net, peer)
    assert.is_false(conn:info().in_recovery)
    assert.equal(5000, conn:info().ssthresh)
    assert.is_true(conn:info().cwnd <= 6000)
  end)

  it("RFC6675:5-5 halves once for all losses of one window", function()
    local net, conn, peer = in_flight()
    ack(peer, 1, { 2, 2 })
    ack(peer, 1, { 2, 2 }, { 4, 4 })
    ack(peer, 1, { 2, 2 }, { 4, 4 }, { 6, 6 })
    ack(peer, 1, { 2, 2 }, { 4, 4 }, { 6, 10 })
    sent(net, peer)
    ack(peer, 3, { 4, 4 }, { 6, 10 })
    sent(net, peer)
    ack(peer, 5, { 6, 10 })
    sent(net, peer)
    ack(peer, 11)
    sent(net, peer)
    assert.equal(1, conn:info().fast_recoveries)
    assert.equal(5000, conn:info().ssthresh)
    assert.equal(3, conn:info().segments_retransmitted)
  end)

  it("RFC2018:5-3 RFC2018:8-1 sends the left edge again after a timeout, though it was SACKed", function()
    local net, conn, peer = in_flight()
    ack(peer, 1, { 10, 10 })
    net:run { until_ = 1.5 }
    assert.equal(1, conn:info().timeouts)
    wire.drain(peer)
    -- The receiver has reneged: it says nothing of 10 any more.
    local next_n = 2
    ack(peer, next_n)
    while next_n <= 10 do
      local packet = peer:receive()
      if packet.seq == 4001 + 1000 * next_n then
        next_n = next_n + 1
        ack(peer, next_n)
      end
    end
    net:run { until_ = net:now() + 0.1 }
    assert.equal(15001, conn:info().snd_una)
    assert.is_true(net:now() < 10, net:now())
  end)

  it("RFC6675:4-2 (Update) counts a segment whose halves were SACKed one after the other", function()
    local net, conn, peer = in_flight()
    local function block(left, right)
      local sack = { { left = left, right = right } }
      peer:send { flags = "A", seq = 1001, ack = 5001, options = { sack = sack } }
      net:run { until_ = net:now() + 0.02 }
    end
    block(6001, 6501)
    block(6001, 7001)
    assert.equal(9000, conn:info().pipe)
    block(8501, 9001)
    block(8001, 9001)
    assert.equal(8000, conn:info().pipe)
  end)

  it("believes no block that is beyond what was sent, before SND.UNA, or upside down", function()
    for _, sack in ipairs {
      { left = 20001, right = 21001 }, { left = 15001, right = 16001 }, { left = 3001, right = 4001 },
      { left = 14001, right = 16001 }, { left = 8001, right = 7001 }, { left = 7001, right = 7001 },
      { left = 0x80000000, right = 0x90000000 },
    } do
      local net, conn, peer = in_flight()
      for _ = 1, 2 do peer:send { flags = "A", seq = 1001, ack = 5001, options = { sack = { sack } } } end
      net:run { until_ = 0.5 }
      assert.equal(10000, conn:info().pipe)
      assert.equal("ESTABLISHED", conn:state())
      ack(peer, 11)
      net:run { until_ = 0.6 }
      assert.equal(0, conn:info().pipe)
    end
  end)

  it("repairs any loss in a window between two engines without a timeout, but for the tail", function()
    for lost = 1, 27 do
      local net, client, server = lab.connected { client = { initial_window = 30 } }
      net.wire:drop { data = true, nth = lost }
      local data = wire.pattern(30 * 1448)
      client:write(data)
      assert.equal(data, server:read_exactly(#data))
      assert.equal(0, client:info().timeouts, lost)
      assert.equal(1, client:info().segments_retransmitted, lost)
    end
  end)

  it("RFC2018:5-1 repairs the loss of every other segment in one recovery", function()
    local net, client, server = lab.connected { client = { initial_window = 40 } }
    net.wire:drop { data = true, first = true, every = 2, times = 30 }
    local data = wire.pattern(40 * 1448)
    client:write(data)
    assert.equal(data, server:read_exactly(#data))
    net:run { until_ = net:now() + 1 }
    assert.is_true(client:info().timeouts <= 1)
    assert.is_true(net:now() < 5, net:now())
  end)
end)
