-- RFC 9293 sections 3.8.6.1 and 3.8.6.2: probing a closed window, and never a silly one.
local lab = require "support.lab"
local wire = require "support.wire"

describe("a closed window", function()
  it("RFC9293:MUST-36 is probed after the RTO (SHLD-29), then at doubling intervals (SHLD-30)", function()
    local net, conn, peer = wire.passive { window = 0, host = { rto_max = 60 } }
    net:run { until_ = 1 }
    conn:write "data"
    net:run { until_ = 200 }
    local times = {}
    for i, packet in ipairs(wire.drain(peer)) do
      times[i] = math.floor((packet.time - 1.01) * 1e6 + 0.5) / 1e6
    end
    assert.same({ 1, 3, 7, 15, 31, 63, 123, 183 }, { table.unpack(times, 1, 8) })
    assert.is_true(conn:info().probes_sent >= 7)
  end)

  it("RFC9293:3.8.6.1 is probed by one octet of new data, or by one that was acknowledged", function()
    local net, conn, peer = wire.passive { window = 0 }
    conn:write "data"
    local probe = peer:receive()
    assert.is_true(probe.flags.ack)
    assert.is_true(probe.length <= 1)
    assert.is_true(probe.seq == 5000 or (probe.seq == 5001 and probe.payload == "d"), probe.seq)
    assert.is_true(net:now() < 2)
  end)

  it("RFC9293:MUST-37 never ends the connection while probes are answered", function()
    local net, conn, peer = wire.passive { window = 0, host = { r2_time = 10 } }
    conn:write "data"
    local probes = 0
    while net:now() < 3600 do
      peer:receive()
      probes = probes + 1
      peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
    end
    assert.equal("ESTABLISHED", conn:state())
    assert.is_true(probes >= 60, probes)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 100 }
    local got = ""
    while #got < 4 do
      local packet = peer:receive()
      if packet.seq == 5001 + #got then got = got .. packet.payload end
      peer:send { flags = "A", seq = 1001, ack = 5001 + #got, window = 100 }
    end
    assert.equal("data", got)
  end)

  it("ends the connection with ETIMEDOUT when probes are not answered for R2", function()
    local net, conn = wire.passive { window = 0, host = { r2_time = 100 } }
    conn:write "data"
    conn:read(1)
    assert.equal("ETIMEDOUT", select(2, conn:error()))
    assert.is_true(net:now() >= 100 and net:now() < 300, net:now())
  end)

  it("RFC9293:3.8.6.1 answers a probe with its ACK number and window", function()
    local _, _, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    peer:expect { flags = "A", ack = 2001, window = 0 }
    for _ = 1, 3 do
      peer:send { flags = "A", seq = 2001, ack = 5001, payload = "p" }
      peer:expect { flags = "A", seq = 5001, ack = 2001, window = 0, timeout = 0.03 }
    end
    peer:send { flags = "A", seq = 2000, ack = 5001 }
    peer:expect { flags = "A", seq = 5001, ack = 2001, window = 0, timeout = 0.03 }
  end)

  it("RFC9293:MUST-35 that was shrunk to zero is probed the same way", function()
    local net, conn, peer = wire.passive { window = 3000 }
    conn:write(wire.pattern(6000))
    net:run { until_ = 0.1 }
    wire.drain(peer)
    peer:send { flags = "A", seq = 1001, ack = 8001, window = 0 }
    local probe = peer:receive()
    assert.is_true(probe.length <= 1)
    assert.near(1, probe.time - 0.12, 0.1)
  end)

  it("takes a probed octet that found room at last", function()
    local net, client, server = lab.connected { server = { receive_buffer = 5000 } }
    local data = wire.pattern(20000)
    net:spawn(function() client:write(data) client:close() end)
    net:run { until_ = 50 }
    assert.equal(5000, server:info().unread)
    local parts = {}
    for chunk in server:chunks(700) do
      parts[#parts + 1] = chunk
      net:sleep(1)
    end
    assert.equal(data, table.concat(parts))
  end)

  it("opens again although reader and writer both have stopped at it", function()
    local net, client, server = lab.connected {
      client = { receive_buffer = 3000 }, server = { receive_buffer = 3000 },
    }
    local data = wire.pattern(20000)
    net:spawn(function() client:write(data) client:shutdown() end)
    net:spawn(function() server:write(data) server:shutdown() end)
    net:run { until_ = 100 }
    assert.equal(3000, client:info().unread)
    assert.equal(3000, server:info().unread)
    local got = {}
    for i, conn in ipairs { client, server } do
      net:spawn(function() got[i] = conn:read_exactly(20000) end)
    end
    net:run()
    assert.equal(data, got[1])
    assert.equal(data, got[2])
  end)

  it("delays the FIN, and lets it through once it opens", function()
    local _, conn, peer = wire.passive { window = 0 }
    conn:write "data"
    conn:shutdown()
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 100 }
    local packet = peer:receive()
    assert.equal("data", packet.payload)
    if not packet.flags.fin then packet = peer:receive() end
    assert.is_true(packet.flags.fin)
  end)
end)

describe("the silly window syndrome", function()
  it("RFC9293:MUST-38 sends no small segment into a small window while data is in flight", function()
    local net, conn, peer = wire.passive { window = 10000 }
    conn:write(wire.pattern(20000))
    net:run { until_ = 0.1 }
    local first = wire.drain(peer)
    local top = first[#first].seq + first[#first].length
    -- The window lets 100 octets more through: less than an MSS, less than half of the greatest.
    peer:send { flags = "A", seq = 1001, ack = 6001, window = top - 6001 + 100 }
    net:run { until_ = 0.2 }
    for _, packet in ipairs(wire.drain(peer)) do assert.is_true(packet.length >= 1000, packet.length) end
  end)

  it("RFC9293:3.8.6.2.1 sends half of the greatest window, though that be less than an MSS", function()
    local _, conn, peer = wire.passive { window = 400 }
    conn:write(wire.pattern(2000))
    local packet = peer:expect { seq = 5001 }
    assert.equal(400, packet.length)
    peer:send { flags = "A", seq = 1001, ack = 5401, window = 200 }
    peer:expect { seq = 5401, length = 200 }
  end)

  it("RFC9293:3.8.6.2.1 overrides after a timeout: what little fits goes at last", function()
    local net, conn, peer = wire.passive { window = 4000 }
    conn:write(wire.pattern(4000))
    net:run { until_ = 0.1 }
    wire.drain(peer)
    peer:send { flags = "A", seq = 1001, ack = 9001, window = 10 }
    conn:write(wire.pattern(4000))
    local packet = peer:receive()
    assert.is_true(packet.length >= 1 and packet.length <= 10)
    -- RFC9293:3.8.6.2.1 recommends 0.1 to 1 s.
    assert.is_true(packet.time - 0.12 <= 1.1, packet.time)
  end)

  it("RFC9293:MUST-39 advertises no window that grew by less than min(half the buffer, MSS)", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 5000 } }
    for i = 0, 4 do
      peer:send { flags = "A", seq = 1001 + 1000 * i, ack = 5001, payload = ("x"):rep(1000) }
    end
    net:run { until_ = 0.5 }
    wire.drain(peer)
    -- Reading octet by octet: each answer to a probe says 0, or at least an MSS.
    for _ = 1, 30 do
      assert.equal(100, #conn:read_exactly(100))
      peer:send { flags = "A", seq = 6000, ack = 5001 }
      for _, packet in ipairs(wire.drain(peer, 0.05)) do
        assert.is_true(packet.window == 0 or packet.window >= 1000, packet.window)
      end
    end
    assert.equal(2000, conn:info().unread)
  end)

  it("does not arise between two engines when the reader takes little bites", function()
    local net, client, server = lab.connected {
      server = { receive_buffer = 10000 }, client = { timestamps = false },
    }
    net:spawn(function()
      client:write(wire.pattern(50000))
      client:close()
    end)
    net:spawn(function()
      while server:read(50) do net:sleep(0.0005) end
    end)
    local small = 0
    net:on("segment", function(segment)
      if segment.length > 0 and segment.length < 1000 and not segment.flags.fin then small = small + 1 end
    end)
    net:run()
    assert.is_true(small <= 5, small)
  end)
end)
