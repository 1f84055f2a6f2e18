-- RFC 9293 sections 3.8.1 to 3.8.3: the retransmission timeout, congestion control, failures.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

-- Answers the SYN of a host's active OPEN, after `wait` seconds, and acknowledges nothing more.
local function opened_after(wait, options)
  local host_options = { isn = 5000, timestamps = false, nagle = false }
  for key, value in pairs(options or {}) do host_options[key] = value end
  local net, host, peer = lab.forge { host = host_options, link = { delay = 0 } }
  local conn = host:connect_start(peer, 80)
  peer:expect { flags = "S" }
  net:run { until_ = net:now() + wait }
  peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
  peer:expect { flags = "A", seq = 5001 }
  return net, conn, peer
end

-- Sends one octet and acknowledges it after `wait` seconds, with retransmissions passed over.
local function round_trip(net, conn, peer, wait)
  conn:write "x"
  local packet = peer:expect { length = 1 }
  net:run { until_ = net:now() + wait }
  wire.drain(peer)
  peer:send { flags = "A", seq = 1001, ack = packet.seq + 1 }
  net:run { until_ = net:now() + 0.000001 }
end

-- The times at which the same octet was sent, from the first of them on.
local function sendings(net, seq, seconds)
  net:run { until_ = net:now() + seconds }
  return wire.times(net, "seq len", ("^host.* %d len %%d"):format(seq))
end

describe("retransmission timeout", function()
  it("RFC9293:MUST-18 RFC6298:2-1 is 1 s before the first sample", function()
    local _, host, peer = lab.forge {}
    local conn = host:connect_start(peer, 80)
    assert.equal(1, conn:info().rto)
  end)

  it("RFC9293:MUST-18 SRTT is R, RTTVAR R/2, RTO SRTT + 4 RTTVAR after the first", function()
    local _, conn = opened_after(0.8)
    local info = conn:info()
    assert.near(0.8, info.srtt, 1e-6)
    assert.near(0.4, info.rttvar, 1e-6)
    assert.near(2.4, info.rto, 1e-6)
  end)

  it("RFC9293:MUST-18 then smoothed with gains of 1/8 and 1/4", function()
    local net, conn, peer = opened_after(0.8)
    local srtt, rttvar = 0.8, 0.4
    for _, sample in ipairs { 0.4, 0.9, 0.9, 0.2 } do
      round_trip(net, conn, peer, sample)
      rttvar = 0.75 * rttvar + 0.25 * math.abs(srtt - sample)
      srtt = 0.875 * srtt + 0.125 * sample
      local info = conn:info()
      assert.near(srtt, info.srtt, 1e-5)
      assert.near(rttvar, info.rttvar, 1e-5)
      assert.near(math.max(1, srtt + 4 * rttvar), info.rto, 1e-5)
    end
  end)

  it("RFC9293:MUST-18 at least 1 s, at most 60 s", function()
    local _, quick = opened_after(0.01)
    assert.equal(1, quick:info().rto)
    local net, conn = opened_after(0.01, { r2_time = 0, r2_count = 0 })
    conn:write "x"
    local times = sendings(net, 5001, 400)
    assert.same({ 0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363 }, times)
  end)

  it("RFC9293:MUST-18 Karn: what was sent twice is no sample", function()
    local net, conn, peer = opened_after(0.5)
    assert.near(0.5, conn:info().srtt, 1e-6)
    round_trip(net, conn, peer, 2) -- the RTO is 1.5 s: one retransmission
    assert.equal(1, conn:info().segments_retransmitted)
    assert.near(0.5, conn:info().srtt, 1e-6)
    assert.near(0.25, conn:info().rttvar, 1e-6)
    round_trip(net, conn, peer, 0.5)
    assert.near(0.1875, conn:info().rttvar, 1e-5)
  end)

  it("RFC9293:MUST-18 Karn: the backed-off timeout stays until a new sample comes", function()
    local net, conn, peer = opened_after(0.01)
    round_trip(net, conn, peer, 3.5) -- sent at 0, 1, 3
    assert.equal(2, conn:info().backoff)
    local before = net:now()
    conn:write "y"
    net:run { until_ = before + 4.1 }
    local times = wire.times(net, "seq len", "^host.* 5002 len 1")
    assert.same({ 0, 4 }, times)
  end)

  it("RFC9293:MUST-19 doubles with each retransmission", function()
    local net, conn = opened_after(0.8)
    conn:write "x"
    local times = sendings(net, 5001, 60)
    for i, expected in ipairs { 0, 2.4, 7.2, 16.8, 36 } do assert.near(expected, times[i], 1e-4) end
  end)

  it("RFC9293:MUST-18 RFC6298:5.3 starts anew when new data is acknowledged", function()
    local net, conn, peer = opened_after(0.01)
    conn:write(("x"):rep(2000))
    peer:expect { seq = 5001, length = 1000 }
    peer:expect { seq = 6001, length = 1000 }
    local sent = net:now()
    net:run { until_ = sent + 0.9 }
    peer:send { flags = "A", seq = 1001, ack = 6001 }
    net:run { until_ = sent + 0.901 }
    local rto = conn:info().rto
    peer:expect { seq = 6001, timeout = 5 }
    assert.near(sent + 0.9 + rto, net:now(), 1e-3)
  end)
end)

-- How many octets leave on each of a row of ACKs, each of which acknowledges everything so far.
local function flights(conn, peer, rounds)
  local sizes = {}
  for i = 1, rounds do
    local octets, last = 0, nil
    for _, packet in ipairs(wire.drain(peer, 0.001)) do
      octets = octets + packet.length
      if packet.length > 0 then
        last = packet.seq + packet.length
        -- One ACK a segment, as a receiver without delay sends them.
        peer:send { flags = "A", seq = 1001, ack = last, window = 65535 }
      end
    end
    sizes[i] = octets
    assert.is_truthy(last, "nothing was sent")
  end
  return sizes, conn
end

describe("congestion control", function()
  it("RFC9293:MUST-19 slow start doubles what is in flight each round trip", function()
    local _, conn, peer = opened_after(0.01, { initial_window = 2, send_buffer = 1000000 })
    conn:write(("x"):rep(500000))
    assert.same({ 2000, 4000, 8000, 16000, 32000 }, (flights(conn, peer, 5)))
  end)

  it("RFC9293:MUST-19 the initial window is RFC 5681's: 2, 3 or 4 segments", function()
    for mss, segments in pairs { [1460] = 3, [1000] = 4, [536] = 4, [4000] = 2 } do
      local _, host, peer = lab.forge { host = { isn = 5000, timestamps = false }, link = { mtu = 9000 } }
      local conn = host:connect_start(peer, 80)
      peer:expect { flags = "S" }
      peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = mss } }
      peer:expect { flags = "A" }
      conn:write(("x"):rep(50000))
      assert.equal(segments, #wire.drain(peer, 0.5))
      assert.equal(segments * mss, conn:info().cwnd)
    end
  end)

  it("RFC9293:MUST-19 congestion avoidance adds one segment a round trip", function()
    local _, conn, peer = opened_after(0.01, {
      initial_window = 4, initial_ssthresh = 4000, send_buffer = 1000000,
    })
    conn:write(("x"):rep(500000))
    local sizes = flights(conn, peer, 8)
    for i = 2, #sizes do
      assert.is_true(sizes[i] >= sizes[i - 1] and sizes[i] - sizes[i - 1] <= 1000, table.concat(sizes, " "))
    end
    assert.is_true(sizes[8] >= 9000 and sizes[8] <= 12000, table.concat(sizes, " "))
  end)

  it("RFC9293:MUST-19 a timeout shrinks the window to one segment, ssthresh to half the flight", function()
    local net, conn, peer = opened_after(0.01, { initial_window = 8 })
    conn:write(("x"):rep(50000))
    assert.equal(8, #wire.drain(peer, 0.5))
    net:run { until_ = net:now() + 1 }
    assert.equal(1, #wire.drain(peer, 0.1))
    assert.equal(1000, conn:info().cwnd)
    assert.equal(4000, conn:info().ssthresh)
  end)

  it("RFC9293:MUST-19 three duplicate ACKs bring the segment again and halve the window", function()
    local net, conn, peer = opened_after(0.01, { initial_window = 8 })
    conn:write(("x"):rep(50000))
    assert.equal(8, #wire.drain(peer, 0.5))
    local before = net:now()
    for _ = 1, 3 do peer:send { flags = "A", seq = 1001, ack = 5001, window = 65535 } end
    local again
    for _, packet in ipairs(wire.drain(peer, 0.1)) do
      if packet.seq == 5001 then again = packet end
    end
    assert.is_truthy(again)
    assert.is_true(again.time - before < 0.1)
    assert.equal(4000, conn:info().ssthresh)
    assert.is_true(conn:info().in_recovery)
  end)

  it("RFC9293:MAY-18 another algorithm can be chosen for a connection, and changed on its way", function()
    local names = tcp.congestions()
    assert.is_true(#names >= 2)
    for _, name in ipairs(names) do
      local net, client, server = lab.connected { client = { congestion = name } }
      assert.equal(name, client:info().congestion)
      assert.equal("newreno", server:info().congestion)
      client:write(("x"):rep(50000))
      client:set { congestion = "newreno" }
      client:write(("x"):rep(50000))
      client:set { congestion = name }
      client:write(("x"):rep(50000))
      assert.equal(150000, #server:read_exactly(150000))
      assert.equal(name, client:info().congestion)
      assert.is_true(net:now() < 60)
    end
    assert.equal("newreno", tcp.profile("rfc").congestion) -- RFC 5681, when nothing is chosen
  end)
end)

describe("ECN, RFC 3168", function()
  it("RFC9293:SHLD-8 is asked for by ECE and CWR, and agreed to by ECE", function()
    local net, client, server = lab.connected { client = { ecn = 1 } }
    assert.same({ "client > server SEW" }, wire.lines(net, "flags", { only = "^client.* S" }))
    assert.same({ "server > client SAE" }, wire.lines(net, "flags", { only = "^server.* S" }))
    assert.is_true(client:info().ecn)
    assert.is_true(server:info().ecn)
  end)

  it("RFC9293:SHLD-8 is used only where both ends want it", function()
    for _, case in ipairs { { 0, 2 }, { 1, 0 }, { 2, 2 }, { 0, 0 } } do
      local _, client, server = lab.connected { client = { ecn = case[1] }, server = { ecn = case[2] } }
      assert.is_false(client:info().ecn)
      assert.is_false(server:info().ecn)
    end
  end)

  it("RFC9293:SHLD-8 RFC3168:6.1.1-5 RFC3168:6.1.2-4 RFC3168:6.1.4-1 "
    .. "data is ECN-capable; pure ACKs, SYNs and retransmissions are not", function()
    local net, client, server = lab.connected { client = { ecn = 1 } }
    net.wire:drop { data = true, nth = 2 }
    client:write(("x"):rep(20000))
    assert.equal(20000, #server:read_exactly(20000))
    local fresh, again = 0, 0
    for _, record in ipairs(net.trace:packets { kind = "sent" }) do
      local segment = record.segment
      if segment.length > 0 and not record.notes.retransmission then
        fresh = fresh + 1
        assert.equal(2, segment.ecn)
      else
        again = again + 1
        assert.equal(0, segment.ecn)
      end
    end
    assert.is_true(fresh > 5 and again > 5)
  end)

  it("RFC9293:SHLD-8 RFC3168:5-1 a mark is echoed until CWR comes, and halves the window once", function()
    local net, host, peer = lab.forge { host = { isn = 5000, initial_window = 10, timestamps = false } }
    local listener = host:listen(80)
    peer:send { flags = "SEW", seq = 1000, destination_port = 80, options = { mss = 1000 } }
    peer:expect { flags = "SAE" }
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    local conn = assert(listener:accept())
    -- As the receiver.
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "ce", ecn = 3 }
    peer:expect { flags = "EA", ack = 1003 }
    peer:send { flags = "PA", seq = 1003, ack = 5001, payload = "no", ecn = 2 }
    peer:expect { flags = "EA", ack = 1005 }
    peer:send { flags = "PWA", seq = 1005, ack = 5001, payload = "ok", ecn = 2 }
    peer:expect { flags = "A", ack = 1007 }
    -- As the sender.
    conn:write(("x"):rep(30000))
    assert.equal(10, #wire.drain(peer, 0.1))
    peer:send { flags = "EA", seq = 1007, ack = 6001 }
    peer:send { flags = "EA", seq = 1007, ack = 7001 }
    net:run { until_ = net:now() + 0.05 }
    assert.equal(1, conn:info().ecn_reductions)
    assert.is_true(conn:info().cwnd <= 5000, conn:info().cwnd)
    peer:send { flags = "A", seq = 1007, ack = 15001 }
    local first = peer:expect { seq = 15001 }
    assert.is_true(first.flags.cwr)
    assert.is_false(peer:expect({ seq = 16001 }).flags.cwr)
  end)

  it("RFC9293:SHLD-8 a SYN with ECE and CWR is answered also where ECN is off", function()
    local _, host, peer = lab.forge { host = { ecn = 0 } }
    host:listen(80)
    peer:send { flags = "SEW", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", ack = 1001 }
  end)
end)

describe("R1 and R2", function()
  -- Nothing is acknowledged any more: when the user is told what.
  local function reports(options, kinds)
    local net, conn, peer = wire.passive { host = options }
    local heard = {}
    for _, kind in ipairs(kinds or { "advice", "closed" }) do
      conn:on(kind, function(_, code) heard[#heard + 1] = { kind, net:now(), code } end)
    end
    conn:write "x"
    local sent = peer:expect({ length = 1 }).time - 0.01
    return net, conn, heard, sent
  end

  it("RFC9293:MUST-20 at R1 there is advice, at R2 the connection closes", function()
    local net, conn, heard, sent = reports()
    net:run { until_ = 1000 }
    assert.equal(2, #heard)
    assert.equal("advice", heard[1][1])
    assert.equal("closed", heard[2][1])
    assert.equal("ETIMEDOUT", heard[2][3])
    assert.is_true(heard[1][2] < heard[2][2])
    assert.equal("CLOSED", conn:state())
    assert.near(300, heard[2][2] - sent, 1e-3) -- section 3.9.1.1: five minutes
  end)

  it("RFC9293:SHLD-10 R1 is three retransmissions", function()
    local net, _, heard, sent = reports()
    net:run { until_ = 100 }
    assert.equal(1, #heard)
    -- Sent at 0, 1, 3 and 7 s.
    assert.near(7, heard[1][2] - sent, 1e-3)
    assert.is_true(tcp.profile("rfc").r1_count >= 3)
  end)

  it("RFC9293:SHLD-11 R2 is at least 100 s in every profile", function()
    for _, profile in ipairs(tcp.profiles) do
      local net, _, heard, sent = reports { profile = profile }
      net:run { until_ = 5000 }
      assert.equal("closed", heard[#heard][1])
      assert.is_true(heard[#heard][2] - sent >= 100, profile)
    end
  end)

  it("RFC9293:SHLD-9 the user hears of R1 once for each trouble, and before R2", function()
    local net, conn, peer = wire.passive()
    local advice = 0
    conn:on("advice", function() advice = advice + 1 end)
    for round = 1, 2 do
      conn:write "x"
      local packet = peer:expect { length = 1 }
      net:run { until_ = net:now() + 250 }
      assert.equal(round, advice)
      assert.equal("ESTABLISHED", conn:state())
      wire.drain(peer)
      peer:send { flags = "A", seq = 1001, ack = packet.seq + 1 }
      net:run { until_ = net:now() + 1 }
    end
  end)

  it("RFC9293:MUST-21 R2 is the application's to set, for one connection: by time", function()
    local net, conn, heard, sent = reports()
    conn:set { r2_time = 20 }
    net:run { until_ = 1000 }
    assert.near(20, heard[#heard][2] - sent, 0.1)
    assert.equal("ETIMEDOUT", heard[#heard][3])
    assert.equal(300, net.host_under_test:settings().r2_time)
  end)

  it("RFC9293:MUST-21 by count", function()
    local net, conn = reports()
    conn:set { r2_time = 0, r2_count = 5 }
    net:run { until_ = 1000 }
    assert.equal("CLOSED", conn:state())
    assert.equal(6, #wire.times(net, "seq len", "^host.* 5001 len 1"))
  end)

  it("RFC9293:MUST-21 to infinity", function()
    local net, conn = reports()
    conn:set { r2_time = 0, r2_count = 0 }
    net:run { until_ = 86400 }
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:MUST-20 what was said before R2 does not end the next trouble early", function()
    local net, conn, peer = wire.passive()
    for _ = 1, 3 do
      conn:write "x"
      local packet = peer:expect { length = 1 }
      net:run { until_ = net:now() + 250 }
      wire.drain(peer)
      assert.equal("ESTABLISHED", conn:state())
      peer:send { flags = "A", seq = 1001, ack = packet.seq + 1 }
      net:run { until_ = net:now() + 1 }
    end
  end)

  it("RFC9293:MUST-22 a SYN has both thresholds too", function()
    local net, host, peer = lab.forge {}
    local conn = host:connect_start(peer, 80)
    local heard = {}
    for _, kind in ipairs { "advice", "closed" } do
      conn:on(kind, function(_, code) heard[#heard + 1] = { kind, net:now(), code } end)
    end
    net:run { until_ = 1000 }
    assert.equal(2, #heard)
    assert.equal("advice", heard[1][1])
    assert.near(7, heard[1][2], 1e-3)
    assert.equal("closed", heard[2][1])
    assert.equal("ETIMEDOUT", heard[2][3])
  end)

  it("RFC9293:MUST-22 and a SYN,ACK, which ends in LISTEN", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    net:run { until_ = 1000 }
    assert.is_true(#wire.drain(peer) >= 7)
    assert.equal(0, host:counters().connections)
    peer:send { flags = "S", seq = 2000 }
    peer:expect { flags = "SA", ack = 2001 }
    peer:send { flags = "A", seq = 2001, ack = 5001 }
    assert.is_truthy(listener:accept { timeout = 1 })
  end)

  it("RFC9293:MUST-22 they can be set apart from those of data", function()
    local net, host, peer = lab.forge {}
    local conn = host:connect_start(peer, 80, { syn_r2_time = 10 })
    net:run { until_ = 1000 }
    assert.equal("CLOSED", conn:state())
    assert.is_true(#wire.drain(peer) <= 4)
    assert.equal(10, net.trace:events({ kind = "state", connection = conn })[2].time)
  end)

  it("RFC9293:MUST-23 a SYN is sent again for at least 3 minutes", function()
    local net, host, peer = lab.forge {}
    local conn = host:connect_start(peer, 80)
    net:run { until_ = 179.9 }
    assert.equal("SYN-SENT", conn:state())
    net:run { until_ = 1000 }
    local events = net.trace:events { kind = "state", connection = conn }
    assert.equal("CLOSED", events[#events].to)
    assert.is_true(events[#events].time >= 180)
  end)

  it("RFC9293:MUST-23 and the application can give up sooner", function()
    local net, host, peer = lab.forge {}
    local conn, _, code = host:connect(peer, 80, { timeout = 5 })
    assert.is_nil(conn)
    assert.equal("EAGAIN", code)
    net:settle()
    assert.equal(0, host:counters().connections)
  end)
end)
