-- Receivers that lie by their ACKs to be sent to faster (Savage et al. 1999; RFC 5681 sections 3.1, 3.2 and
-- 9). Segments are of 1,000 octets, the round trip is 20 ms.
local flight = require "support.flight"
local wire = require "support.wire"

local function outstanding(conn)
  local info = conn:info()
  return info.snd_nxt - info.snd_una
end

describe("optimistic ACKs", function()
  -- The script acknowledges a round trip's worth of data before any of it can have arrived.
  local function optimist(rounds)
    local net, conn, peer = wire.passive { host = { initial_window = 2 }, window = 65535 }
    conn:set { send_buffer = 4000000 }
    conn:write(wire.pattern(2000000))
    local acked, most = 5001, 0
    for _ = 1, rounds do
      local info = conn:info()
      for ack = acked + 1000, info.snd_nxt, 1000 do
        peer:send { flags = "A", seq = 1001, ack = ack }
        acked = ack
      end
      net:run { until_ = net:now() + 0.0101 } -- half a round trip
      most = math.max(most, outstanding(conn))
    end
    return conn, peer, most
  end

  it("RFC5681:3.1-8 open the window as honest ones would, one segment an ACK, up to the peer's", function()
    local conn, peer, most = optimist(5)
    local info = conn:info()
    -- Slow start runs by the liar's clock: two rounds in a round trip. That is all it gains.
    assert.is_true(info.cwnd <= 2000 * 2 ^ 5, info.cwnd)
    assert.is_true(most <= 65535)
    local lost = wire.drain(peer)
    assert.is_true(#lost > 0)
  end)

  it("never let more out than the peer's window", function()
    local _, _, most = optimist(40)
    assert.is_true(most <= 65535, most)
  end)

  it("RFC9293:3.10.7.4-11 of what was never sent are answered by an ACK, and open nothing", function()
    local net, conn, peer = wire.passive { host = { initial_window = 2 } }
    conn:write(wire.pattern(20000))
    net:run { until_ = net:now() + 0.03 }
    wire.drain(peer)
    local before = conn:info()
    for n = 1, 5 do peer:send { flags = "A", seq = 1001, ack = before.snd_nxt + 1000 * n } end
    net:run { until_ = net:now() + 0.03 }
    local after = conn:info()
    assert.equal(before.cwnd, after.cwnd)
    assert.equal(before.snd_una, after.snd_una)
    assert.equal(before.snd_nxt, after.snd_nxt)
    local answers = wire.drain(peer)
    assert.is_true(#answers >= 1) -- those that come at one moment together
    for _, packet in ipairs(answers) do
      assert.same({ "A", 0, before.snd_nxt }, { packet.flag_letters, packet.length, packet.seq })
    end
  end)

  it("lose what they hide: nothing that was acknowledged is sent again", function()
    local net, conn, peer = wire.passive { host = { initial_window = 4 } }
    conn:write(wire.pattern(4000))
    net:run { until_ = net:now() + 0.001 }
    peer:send { flags = "A", seq = 1001, ack = 9001 }
    net:run { until_ = net:now() + 5 }
    assert.equal(0, conn:info().segments_retransmitted)
    assert.equal(9001, conn:info().snd_una)
  end)
end)

describe("ACK division", function()
  it("RFC5681:3.1-8 gains nothing in slow start: the octets count, not the ACKs", function()
    local net, conn, peer = wire.passive { host = { initial_window = 4 } }
    conn:write(wire.pattern(40000))
    net:run { until_ = net:now() + 0.03 }
    for octet = 1, 100 do peer:send { flags = "A", seq = 1001, ack = 5001 + 10 * octet } end
    net:run { until_ = net:now() + 0.0101 }
    assert.equal(5000, conn:info().cwnd)
  end)

  it("RFC5681:3.1-10 nor in congestion avoidance", function()
    local f = flight.open { total = 60000, syn = { sack_permitted = false } }
    for _ = 1, 3 do f:ack(1) end
    f:sent(0.03)
    f:ack(11)
    f:sent(0.03)
    local before = f.conn:info()
    assert.is_true(before.cwnd >= before.ssthresh)
    local una, segments = before.snd_una, (before.snd_nxt - before.snd_una) // 1000
    for octet = 100, segments * 1000, 100 do
      f.peer:send { flags = "A", seq = 1001, ack = una + octet }
    end
    f:sent(0.03)
    assert.is_true(f.conn:info().cwnd <= before.cwnd + 1000)
  end)

  it("nor under CUBIC or DCTCP", function()
    for _, name in ipairs { "cubic", "dctcp" } do
      local net, conn, peer = wire.passive {
        host = { initial_window = 4, congestion = name, hystart = false },
      }
      conn:write(wire.pattern(40000))
      net:run { until_ = net:now() + 0.03 }
      for octet = 1, 100 do peer:send { flags = "A", seq = 1001, ack = 5001 + 10 * octet } end
      net:run { until_ = net:now() + 0.0101 }
      assert.is_true(conn:info().cwnd <= 5000, name)
    end
  end)
end)

describe("spoofed duplicate ACKs", function()
  -- `each` of them every millisecond; how many segments that let out in each of 200.
  local function forged(f, each)
    local sent = {}
    for n = 1, 200 do
      for _ = 1, each do f:ack(1) end
      sent[n] = #f:sent(0.001)
    end
    return sent
  end

  local function most_in_a_round_trip(sent)
    local most, sum = 0, 0
    for n, count in ipairs(sent) do
      sum = sum + count - (sent[n - 20] or 0)
      most = math.max(most, sum)
    end
    return most
  end

  -- How many they are makes no difference.
  it("RFC5681:3.2-11 let no more out than ssthresh a round trip, without SACK", function()
    for _, each in ipairs { 1, 100 } do
      local f = flight.open { total = 120000, syn = { sack_permitted = false } }
      local most = most_in_a_round_trip(forged(f, each))
      assert.is_true(most <= 5, ("%d, of %d a millisecond"):format(most, each))
      assert.equal(5000, f.conn:info().ssthresh)
    end
  end)

  it("RFC5681:3.2-6 RFC6675:2-1 let nothing out at all where SACK was agreed on", function()
    local f = flight.open { total = 120000 }
    for _ = 1, 1000 do f:ack(1) end
    assert.same({}, f:sent(0.05))
    assert.equal(0, f.conn:info().fast_recoveries)
    assert.equal(10000, f.conn:info().cwnd)
  end)

  it("from outside of the connection, with a wrong number, count for nothing", function()
    local f = flight.open { total = 120000, syn = { sack_permitted = false } }
    for _ = 1, 50 do f.peer:send { flags = "A", seq = 0x70000000, ack = 5001 } end
    f:sent(0.05)
    assert.equal(0, f.conn:info().fast_recoveries)
  end)
end)
