-- RFC 6298: the retransmission timer, Karn's algorithm, backoff.
local lab = require "support.lab"
local wire = require "support.wire"

local plain <const> = { timestamps = false }

-- A peer whose acknowledgments the test times itself; no options, so that every sample is known.
local function opened(host)
  host = host or {}
  return wire.passive { host = host }
end

describe("the RTO", function()
  it("RFC6298:2.2 RFC6298:2-2 "
    .. "is SRTT + 4 RTTVAR = 3 R after the first sample, and at least rto_min", function()
    local _, client = lab.connected {
      client = { rto_min = 0.001, rto_granularity = 0, timestamps = false }, link = { delay = 0.05 },
    }
    local info = client:info()
    assert.near(0.1, info.srtt, 1e-9)
    assert.near(0.05, info.rttvar, 1e-9)
    assert.near(0.3, info.rto, 1e-9)
  end)

  it("RFC6298:2.4 RFC6298:2-6 is at least 1 s", function()
    local _, client = lab.connected { client = plain }
    assert.near(0.02, client:info().srtt, 1e-9)
    assert.equal(1, client:info().rto)
  end)

  it("RFC6298:2.3 RFC6298:2-3 RFC6298:2-4 "
    .. "follows RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R'|, SRTT = 7/8 SRTT + 1/8 R'", function()
    local net, conn, peer = opened { rto_min = 0.001, rto_granularity = 0 }
    -- The handshake's sample: 20 ms.
    local srtt, rttvar = 0.02, 0.01
    local acked = 5001
    for _, wait in ipairs { 0.02, 0.04, 0.01, 0.05, 0, 0.03 } do
      conn:write "x"
      local packet = peer:expect { seq = acked }
      net:run { until_ = packet.time + wait }
      acked = acked + 1
      peer:send { flags = "A", seq = 1001, ack = acked }
      net:run { until_ = packet.time + wait + 0.011 }
      local sample = wait + 0.02
      assert.equal(0, conn:info().segments_retransmitted)
      rttvar = rttvar * 3 / 4 + math.abs(srtt - sample) / 4
      srtt = srtt * 7 / 8 + sample / 8
      assert.near(srtt, conn:info().srtt, 1e-7)
      assert.near(rttvar, conn:info().rttvar, 1e-7)
      assert.near(srtt + 4 * rttvar, conn:info().rto, 1e-6)
    end
  end)

  it("RFC6298:2.3 RFC6298:2-5 RFC6298:4-1 with G has max(G, 4 RTTVAR)", function()
    local _, client = lab.connected {
      client = { rto_min = 0.001, rto_granularity = 0.5, timestamps = false }, link = { delay = 0.05 },
    }
    assert.near(0.1 + 0.5, client:info().rto, 1e-9)
  end)

  it("RFC6298:5.5 RFC6298:1-1 RFC6298:2-7 RFC6298:5-6 RFC6298:5-7 "
    .. "doubles with each timeout, up to rto_max", function()
    local net, conn, peer = opened { rto_max = 8 }
    conn:write "x"
    peer:expect { seq = 5001 }
    net:run { until_ = 50 }
    assert.same({ 0, 1, 3, 7, 15, 23, 31, 39, 47 }, wire.times(net, "flags seq len", " PA 5001 len 1$"))
    assert.equal(8, conn:info().rto)
  end)

  it("RFC6298:5.4 RFC6298:5-5 retransmits the earliest segment alone", function()
    local net, conn, peer = opened()
    conn:write(wire.pattern(3000))
    net:run { until_ = 3.5 }
    local seqs = {}
    for i, packet in ipairs(wire.drain(peer)) do seqs[i] = packet.seq end
    assert.same({ 5001, 6001, 7001, 5001, 5001 }, seqs)
  end)

  it("RFC6298:5.2 RFC6298:5-3 stops when all is acknowledged", function()
    local net, conn, peer = opened()
    conn:write "x"
    peer:expect { seq = 5001 }
    assert.is_number(conn:info().retransmission_deadline)
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect_nothing(100)
    assert.is_nil(conn:info().retransmission_deadline)
    assert.is_true(net:now() > 100)
  end)

  it("RFC6298:5.3 RFC6298:5-4 RFC6928:9-1 begins again with each ACK of new data", function()
    local net, conn, peer = opened()
    conn:write(wire.pattern(3000))
    for _ = 1, 3 do peer:receive() end
    net:run { until_ = 0.9 }
    peer:send { flags = "A", seq = 1001, ack = 6001 }
    net:run { until_ = 1.9 }
    assert.equal(0, conn:info().timeouts)
    -- The ACK came at 0.91 s; the RTO is 1 s as rto_min has it, or what 0.9 s of RTT make of it.
    assert.near(0.91 + conn:info().rto, conn:info().retransmission_deadline, 1e-6)
  end)

  it("RFC6298:5.1 RFC6298:5-2 begins with the segment that was sent when it did not run", function()
    local net, conn, peer = opened()
    net:run { until_ = 5 }
    conn:write "x"
    local packet = peer:expect { seq = 5001 }
    assert.near(packet.time - 0.01 + 1, conn:info().retransmission_deadline, 1e-9)
  end)

  it("RFC6298:3-1 (Karn) takes no sample from a segment that was retransmitted", function()
    local net, conn, peer = opened()
    conn:write "x"
    peer:expect { seq = 5001 }
    net:run { until_ = 1.5 } -- it was sent again at 1 s
    local before = conn:info().srtt
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    net:run { until_ = 2 }
    assert.equal(5002, conn:info().snd_una)
    assert.equal(before, conn:info().srtt)
  end)

  it("RFC6298:5.5 RFC6298:5-9 keeps the backed-off RTO until a sample of new data comes", function()
    local net, conn, peer = opened()
    conn:write "x"
    net:run { until_ = 1.5 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    net:run { until_ = 2 }
    assert.equal(2, conn:info().rto)
    wire.drain(peer)
    conn:write "y"
    peer:expect { seq = 5002 }
    peer:send { flags = "A", seq = 1001, ack = 5003 }
    net:run { until_ = 3 }
    assert.equal(1, conn:info().rto)
  end)

  it("RFC7323:4.3 samples by timestamps also after a retransmission", function()
    local net, client, server = lab.connected { link = { delay = 0.1 } }
    net.wire:drop { data = true, nth = 1 }
    client:write "x"
    assert.equal("x", server:read(1))
    client:flush()
    assert.near(0.2, client:info().srtt, 0.02)
  end)

  it("RFC6298:5.6 of a SYN begins at 1 s, whatever the route was once", function()
    local net, host, peer = lab.forge()
    host:connect_start(peer, 80)
    net:run { until_ = 3.5 }
    assert.same({ 0, 1, 3 }, wire.times(net, "flags", " S$"))
  end)
end)

describe("retransmitted data", function()
  it("may be cut differently, but carry the same octets", function()
    local net, conn, peer = opened()
    conn:write "abc"
    peer:expect { seq = 5001, payload = "abc" }
    conn:write "def" -- Nagle holds it back
    local again = peer:receive()
    assert.near(1.03, again.time, 0.011)
    assert.equal(5001, again.seq)
    assert.equal(("abcdef"):sub(1, again.length), again.payload)
    assert.is_true(net:now() < 2)
  end)

  it("RFC9293:3.8.1 begins with what a partial ACK leaves", function()
    local net, conn, peer = opened()
    conn:write(wire.pattern(1000))
    peer:expect { seq = 5001, length = 1000 }
    peer:send { flags = "A", seq = 1001, ack = 5401 }
    local again = peer:receive()
    assert.equal(5401, again.seq)
    assert.equal(wire.pattern(1000):sub(401), again.payload)
    assert.is_true(net:now() < 2)
  end)

  it("survives the loss of its acknowledgment", function()
    local net, client, server = lab.connected()
    net:run { until_ = 1 }
    net.wire:drop { from = net.server, times = 2 }
    client:write "once"
    assert.equal("once", server:read(10))
    client:flush()
    assert.equal("EAGAIN", select(3, server:read(10, { timeout = 10 })))
    assert.is_true(server:info().duplicate_segments >= 1)
  end)
end)
