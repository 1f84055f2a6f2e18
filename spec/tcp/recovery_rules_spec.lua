-- Single sentences of the RFCs on loss recovery, which no scene of the other specs turns on. Segments
-- are of 1,000 octets, the round trip is 20 ms.
local flight = require "support.flight"
local lab = require "support.lab"
local wire = require "support.wire"

local function plain(options)
  options = options or {}
  options.syn = { sack_permitted = false }
  return flight.open(options)
end

local function repeated(f, n, times)
  for _ = 1, times do f:ack(n) end
end

local function in_flight(conn)
  local info = conn:info()
  return info.snd_nxt - info.snd_una
end

describe("the first window", function()
  it("RFC5681:3.1-5 RFC5681:3.1-7 is not opened by the handshake, and ssthresh begins as high as can be",
    function()
      local _, conn = wire.passive { host = { initial_window = 4 } }
      assert.equal(4000, conn:info().cwnd)
      assert.is_true(conn:info().ssthresh >= 0x7fffffff)
      local _, opened = wire.active { host = { initial_window = 4 } }
      assert.equal(4000, opened:info().cwnd)
    end)

  it("RFC5681:3.1-6 keeps its number of segments where the path takes smaller ones only", function()
    local net, conn, peer = wire.passive { host = { initial_window = 10 } }
    assert.equal(10000, conn:info().cwnd)
    conn:write(wire.pattern(1000))
    local packet = peer:expect { seq = 5001 }
    peer:send {
      source = "10.9.9.9", -- a router on the way
      icmp = { kind = "too big", mtu = 540, quote = packet.bytes },
    }
    net:run { until_ = net:now() + 0.0101 }
    assert.equal(500, conn:info().snd_mss)
    assert.equal(5000, conn:info().cwnd)
  end)
end)

describe("duplicate ACKs without SACK", function()
  it("RFC5681:3.2-8 RFC6675:5-6 limited transmit does not raise the FlightSize that is halved", function()
    local f = plain { total = 20000, host = { limited_transmit = true } }
    repeated(f, 1, 2)
    assert.same({ 11, 12 }, f:sent(0.03))
    repeated(f, 1, 1)
    assert.equal(1, f:sent(0.03)[1])
    assert.equal(5000, f.conn:info().ssthresh)
  end)

  it("RFC3042:2-2 RFC3042:2-3 let two segments beyond cwnd, which stays", function()
    local f = plain { total = 20000, host = { limited_transmit = true } }
    repeated(f, 1, 2)
    assert.same({ 11, 12 }, f:sent(0.03))
    assert.equal(10000, f.conn:info().cwnd)
    assert.equal(12000, in_flight(f.conn))
  end)

  it("RFC6675:5-2 begin again at none when something new is acknowledged", function()
    local f = flight.open { host = { limited_transmit = false } }
    f:ack(1, { 5, 5 })
    f:ack(2, { 5, 5 }, { 7, 7 })
    f:ack(2, { 5, 5 }, { 7, 7 })
    assert.same({}, f:sent(0.03))
    assert.equal(0, f.conn:info().fast_recoveries)
  end)

  it("RFC5681:3.2-11 inflate by no more than what can have arrived", function()
    local f = plain { total = 200000 }
    repeated(f, 1, 200)
    -- ssthresh is 5, and 9 of 10 can have arrived: the retransmission and four of new data.
    assert.same({ 1, 11, 12, 13, 14 }, f:sent(0.0201))
    -- Every further round trip no more than ssthresh, however the duplicates are spread over it.
    for _ = 1, 5 do
      local sent = 0
      for _ = 1, 20 do
        repeated(f, 1, 10)
        sent = sent + #f:sent(0.001)
      end
      assert.is_true(sent <= 6, sent)
    end
  end)
end)

describe("duplicate ACKs with SACK", function()
  it("RFC5681:3.2-6 RFC3042:2-4 RFC6675:2-1 count only where they tell of something new", function()
    local f = flight.open { total = 30000 }
    for _ = 1, 20 do f:ack(1) end
    assert.same({}, f:sent(0.03))
    f:ack(1, { 2, 2 })
    for _ = 1, 20 do f:ack(1, { 2, 2 }) end
    assert.same({ 11 }, f:sent(0.03)) -- limited transmit, for the one that is new
    assert.equal(0, f.conn:info().fast_recoveries)
    f:ack(1, { 2, 3 })
    f:ack(1, { 2, 4 })
    f:sent(0.03)
    assert.equal(1, f.conn:info().fast_recoveries)
  end)

  it("RFC6675:5-9 what is known beyond the recovery point outlives the recovery", function()
    local f = flight.open { total = 30000 }
    f:ack(1, { 2, 10 })
    local sent = f:sent(0.03)
    assert.equal(1, sent[1])
    local last = sent[#sent]
    assert.is_true(last >= 13)
    f:ack(1, { 2, 10 }, { last, last })
    f:sent(0.03)
    f:ack(11, { last, last })
    f.net:run { until_ = f.net:now() + 0.0101 }
    assert.is_false(f.conn:info().in_recovery)
    assert.is_true(f.conn:info().pipe <= in_flight(f.conn) - 1000)
  end)

  it("RFC6675:5.1-2 a timeout ends a recovery; none begins before what was out is acknowledged", function()
    local f = flight.open { total = 60000 }
    f:ack(1, { 2, 10 })
    f:sent(2) -- the retransmission is lost; new data went, and a timeout came
    local info = f.conn:info()
    assert.equal(1, info.timeouts)
    assert.is_false(info.in_recovery)
    assert.is_true(info.in_loss)
    f:ack(2, { 2, 10 })
    f:sent(0.03)
    f:ack(2, { 2, 10 }, { 12, 14 })
    f:sent(0.03)
    info = f.conn:info()
    assert.equal(1, info.fast_recoveries)
    assert.is_true(info.in_loss)
  end)

  it("RFC6675:4-1 keep nothing from going again that is not acknowledged", function()
    local f = flight.open()
    f:ack(1, { 2, 10 })
    f:sent(0.03)
    f:ack(2) -- reneging: what was SACKed is gone
    assert.equal(2, f:sent(2)[1])
    assert.equal(9000, in_flight(f.conn))
  end)
end)

describe("an ACK that tells of a duplicate", function()
  it("RFC2883:5-1 is judged by its own acknowledgment, not by SND.UNA", function()
    local f = flight.open()
    f:ack(5)
    -- An old ACK comes late: its block told of something new when it was sent.
    f:ack(2, { 3, 3 })
    f:sent(0.03)
    assert.equal(0, f.conn:info().dsacks_received)
    f:ack(5, { 3, 3 })
    f:sent(0.03)
    assert.equal(1, f.conn:info().dsacks_received)
  end)

  it("RFC2883:5-2 may speak of what lies above the acknowledgment, within the second block", function()
    local f = flight.open()
    f:ack(1, { 5, 5 }, { 4, 7 })
    f:sent(0.03)
    assert.equal(1, f.conn:info().dsacks_received)
    f:ack(1, { 9, 9 }, { 4, 7 })
    f:sent(0.03)
    assert.equal(1, f.conn:info().dsacks_received)
  end)
end)

describe("a lost retransmission", function()
  it("RFC5681:4.3-4 RFC8985:9.3-3 is a second sign of congestion where there is no PRR", function()
    local f = flight.open { segments = 20, total = 60000, host = { rack = true, prr = false } }
    f:ack(1, { 2, 12 })
    f:sent(0.03)
    local once = f.conn:info().ssthresh
    assert.equal(10000, once)
    f:ack(1, { 2, 20 })
    local more = f:sent(0.03)
    f:ack(1, { 2, more[#more] })
    f:sent(0.05)
    local info = f.conn:info()
    assert.equal(0, info.timeouts)
    assert.is_true(info.segments_retransmitted >= 2)
    assert.is_true(info.ssthresh < once)
  end)
end)

describe("RACK", function()
  it("RFC8985:9.3-1 what it takes for lost waits for the congestion control", function()
    local f = flight.open { segments = 20, total = 60000, host = { rack = true, prr = true } }
    f:ack(1, { 20, 20 })
    local sent = f:sent(0.04)
    -- By limited transmit a new one; then 19 are held to be lost, but no more was delivered than one.
    assert.same({ 21, 1 }, sent)
  end)

  it("RFC9937:6-5 RFC9937:6-7 the first retransmission leaves, though no delivery calls for it", function()
    local f = flight.open { total = 30000, host = { rack = true, prr = true } }
    f:ack(1, { 2, 2 }) -- one SACK only: the reordering timer finds the loss
    local sent = f:sent(0.04)
    assert.equal(1, sent[#sent])
    -- It is counted: seven more are delivered, of which half may leave, and it was one of them.
    f:ack(1, { 2, 9 })
    assert.is_true(#f:sent(0.02) <= 3)
  end)

  it("RFC8985:6.2-1 forgets a least round trip that was not met for five minutes", function()
    local f = flight.open { total = 10000, host = { rack = true } }
    f:ack(1, { 2, 4 }) -- a loss, so that the reordering window has a use
    f:sent(0.03)
    f:ack(11)
    f:sent(0.03)
    assert.near(0.020, f.conn:info().min_rtt, 0.001)
    local n = 11
    local function exchange(seconds)
      for _ = 1, seconds do
        f.conn:write(("x"):rep(1000))
        f:sent(0.19)
        n = n + 1
        f:ack(n)
        f:sent(0.81)
      end
    end
    exchange(290)
    assert.near(0.020, f.conn:info().min_rtt, 0.001)
    exchange(20)
    assert.near(0.200, f.conn:info().min_rtt, 0.001)
  end)
end)

describe("a timeout that was spurious", function()
  local function late(options)
    options = options or {}
    local host = { frto = true, rto_min = 0.2 }
    for key, value in pairs(options.host or {}) do host[key] = value end
    return flight.open { total = 20000, host = host }
  end

  it("RFC5682:2.1-1 RFC5682:2.1-5 begins F-RTO anew where a second one comes", function()
    local f = late()
    assert.same({ 1, 1 }, f:sent(0.7))
    assert.equal(2, f.conn:info().timeouts)
    f:ack(2)
    assert.same({ 11, 12 }, f:sent(0.03))
    f:ack(3)
    f:sent(0.03)
    assert.equal(1, f.conn:info().undos)
  end)

  it("RFC5682:2.1-6 is not looked for within a fast recovery, with SACK", function()
    local f = late()
    f:ack(1, { 2, 4 })
    f:sent(0.03)
    assert.is_true(f.conn:info().in_recovery)
    f:sent(0.3)
    assert.equal(1, f.conn:info().timeouts)
    f:ack(5)
    -- Conventional: what was not acknowledged goes again.
    assert.equal(5, f:sent(0.03)[1])
    assert.equal(0, f.conn:info().undos)
  end)

  it("RFC5682:2.1-7 is found all the same where ACKs come between that say nothing", function()
    local f = late()
    assert.same({ 1 }, f:sent(0.25))
    f:ack(2)
    f:sent(0.03)
    f.peer:send { flags = "PA", seq = 1001, ack = 6001, payload = "x" }
    f:sent(0.011)
    f.peer:send { flags = "A", seq = 1002, ack = 7001 }
    f:sent(0.03)
    assert.equal(1, f.conn:info().undos)
  end)

  it("RFC4015:3.1-3 RFC5682:4-1 leaves cwnd at what flies and was acknowledged, and ssthresh as it was",
    function()
      local f = late()
      local before = f.conn:info()
      assert.same({ 1 }, f:sent(0.25))
      assert.is_true(f.conn:info().ssthresh < before.cwnd)
      f:ack(2)
      assert.same({ 11, 12 }, f:sent(0.03))
      f:ack(3)
      f.net:run { until_ = f.net:now() + 0.0101 }
      local info = f.conn:info()
      assert.equal(before.ssthresh, info.ssthresh)
      -- 3 to 12 are in flight, one was acknowledged; in slow start, which goes on, that is one more.
      assert.equal(11000, info.cwnd)
    end)

  it("RFC4015:3.1-1 RFC4015:3.1-2 gives back what was before the first of several timeouts", function()
    local f = late()
    local before = f.conn:info()
    assert.same({ 1, 1 }, f:sent(0.7))
    f:ack(2)
    f:sent(0.03)
    f:ack(3)
    f:sent(0.03)
    assert.equal(1, f.conn:info().undos)
    assert.equal(before.ssthresh, f.conn:info().ssthresh)
  end)
end)

describe("Eifel detection", function()
  -- Timestamps are agreed on; the script echoes what it likes.
  local function stamped(host)
    host.eifel, host.timestamps, host.initial_window, host.rto_min = true, true, 10, 0.2
    local net, conn, peer = wire.passive {
      host = host, syn = { options = { mss = 1000, timestamps = { value = 1, echo = 0 } } },
      ack_options = { timestamps = { value = 2, echo = 0 } },
    }
    conn:write(wire.pattern(9880))
    return net, conn, peer
  end
  local function answer(net, peer, ack, echo, flags)
    peer:send {
      flags = flags or "A", seq = 1001, ack = ack,
      options = { timestamps = { value = 3, echo = echo } },
    }
    net:run { until_ = net:now() + 0.0101 }
  end

  it("RFC3522:3.2-2 goes by the first retransmission, not by later ones", function()
    local net, conn, peer = stamped {}
    net:run { until_ = net:now() + 0.9 }
    local packets, again = wire.drain(peer), {}
    for _, packet in ipairs(packets) do
      if packet.seq == 5001 then again[#again + 1] = packet.options.timestamps.value end
    end
    assert.is_true(#again >= 3)
    -- The echo of the first retransmission is older than the second: still the original was lost.
    answer(net, peer, 5001 + 988, again[2])
    assert.equal(0, conn:info().undos)
  end)

  it("RFC4015:3.1-4 RFC4015:4-1 goes on with new data, and believes three duplicates of the old", function()
    local net, conn, peer = stamped {}
    net:run { until_ = net:now() + 0.3 }
    local first = wire.drain(peer)[1].options.timestamps.value
    conn:write(wire.pattern(4 * 988))
    answer(net, peer, 5001 + 3 * 988, first)
    net:run { until_ = net:now() + 0.0101 }
    assert.equal(1, conn:info().undos)
    local new = wire.drain(peer)
    assert.is_true(#new > 0)
    for _, packet in ipairs(new) do assert.is_true(packet.seq >= 5001 + 9880) end
    for _ = 1, 3 do answer(net, peer, 5001 + 3 * 988, first) end
    net:run { until_ = net:now() + 0.0101 }
    assert.equal(5001 + 3 * 988, wire.drain(peer)[1].seq)
    assert.is_true(conn:info().in_recovery)
  end)

  it("RFC4015:3.4-1 takes nothing back on an ACK with ECN-Echo", function()
    for _, flags in ipairs { "A", "AE" } do
      local net = lab.forge { host = { isn = 5000, eifel = true, timestamps = true, ecn = 2, rto_min = 0.2,
        initial_window = 10 } }
      local host, peer = net.host_under_test, net.peer_of_script
      local listener = assert(host:listen(80))
      peer:send { flags = "SEW", seq = 1000, destination_port = 80, window = 65535,
        options = { mss = 1000, timestamps = { value = 1, echo = 0 } } }
      local synack = peer:expect { flags = "SAE" }
      peer:send { flags = "A", seq = 1001, ack = 5001, window = 65535,
        options = { timestamps = { value = 2, echo = synack.options.timestamps.value } } }
      local conn = assert(listener:accept())
      assert.is_true(conn:info().ecn)
      conn:write(wire.pattern(9880))
      local first = peer:expect { seq = 5001 }
      net:run { until_ = net:now() + 0.3 }
      assert.equal(1, conn:info().timeouts)
      answer(net, peer, 5001 + 3 * first.length, first.options.timestamps.value, flags)
      assert.equal(flags == "A" and 1 or 0, conn:info().undos)
    end
  end)
end)

describe("the receiver", function()
  it("RFC5681:4.2-4 sends no more ACKs than segments came", function()
    local net, _, peer = wire.passive { syn = { options = { mss = 1000, sack_permitted = true } } }
    local sent, got = 0, 0
    for _, n in ipairs { 0, 2, 1, 1, 5, 4, 3, 3, 6, 7, 9, 8, 20, 12 } do
      peer:send { flags = "A", seq = 1001 + 1000 * n, ack = 5001, payload = ("x"):rep(1000) }
      sent = sent + 1
      net:run { until_ = net:now() + 0.5 }
      got = got + #wire.drain(peer)
      assert.is_true(got <= sent)
    end
  end)

  it("RFC2018:2-1 offers SACK in SYN segments only", function()
    local net, conn, peer, syn = wire.active {
      syn = { options = { mss = 1000, sack_permitted = true } },
    }
    assert.is_true(syn.options.sack_permitted)
    conn:write(wire.pattern(5000))
    peer:send { flags = "A", seq = 3001, ack = syn.seq + 1, payload = "x" }
    conn:close()
    net:run { until_ = net:now() + 5 }
    local packets = wire.drain(peer)
    assert.is_true(#packets >= 4, #packets)
    for _, packet in ipairs(packets) do assert.is_nil(packet.options.sack_permitted) end
  end)
end)

describe("the round-trip time", function()
  it("RFC6298:3-2 is measured in each", function()
    local f = flight.open { total = 10000 }
    f:ack(11)
    f:sent(0.03)
    local want, n = f.conn:info().srtt, 11
    for _ = 1, 5 do
      f.conn:write(wire.pattern(4000))
      f:sent(0.09) -- on its way for 10 ms, held for 80, and 10 ms back
      n = n + 4
      f:ack(n)
      f:sent(0.03)
      want = want + (0.1 - want) / 8
      assert.near(want, f.conn:info().srtt, 1e-6)
    end
  end)
end)

describe("an ACK with ECN-Echo", function()
  for _, congestion in ipairs { "newreno", "cubic" } do
    it("RFC3168:6.1.2-2 opens no window, under " .. congestion, function()
      local net, host, peer = lab.forge { host = {
        isn = 5000, ecn = 2, initial_window = 10, timestamps = false, congestion = congestion,
      } }
      local listener = assert(host:listen(80))
      peer:send { flags = "SEW", seq = 1000, destination_port = 80, window = 65535, options = { mss = 1000 } }
      peer:expect { flags = "SAE" }
      peer:send { flags = "A", seq = 1001, ack = 5001, window = 65535 }
      local conn = assert(listener:accept())
      conn:write(wire.pattern(60000))
      net:run { until_ = net:now() + 0.02 }
      local most = congestion == "cubic" and 7000 or 5000
      for n = 1, 20 do
        peer:send { flags = "AE", seq = 1001, ack = 5001 + 1000 * n }
        net:run { until_ = net:now() + 0.0201 }
        local cwnd = conn:info().cwnd
        assert.is_true(cwnd <= most, ("%d after %d"):format(cwnd, n))
        most = cwnd
      end
    end)
  end
end)

describe("Window Scale", function()
  it("RFC7323:2.3-3 of more than 14 is taken for 14", function()
    local _, conn = wire.passive { syn = { options = { mss = 1000, window_scale = 15 } } }
    assert.equal(14, conn:info().snd_wscale)
  end)

  it("RFC7323:2.2-2 without SYN is passed over", function()
    local net, conn, peer = wire.passive { syn = { options = { mss = 1000, window_scale = 2 } } }
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 1000, options = { window_scale = 9 } }
    net:run { until_ = net:now() + 0.02 }
    assert.equal(2, conn:info().snd_wscale)
    assert.equal(4000, conn:info().snd_wnd)
  end)
end)
