-- RFC 9293 section 3.8.6: windows, probes, silly windows, delayed acknowledgments.
local lab = require "support.lab"
local wire = require "support.wire"

-- The host has `octets` in flight, in segments of 1000, from 5001 on; the script's window was 4000.
local function in_flight(octets, options)
  options = options or {}
  options.syn = { window = 4000, options = { mss = 1000 } }
  options.host = options.host or {}
  options.host.initial_window = 100
  local net, conn, peer = wire.passive(options)
  conn:write(("a"):rep(octets))
  for _ = 1, octets // 1000 do peer:expect { length = 1000 } end
  return net, conn, peer
end

-- A receiver whose window's right edge stays at `edge`: takes what lies before it, acknowledges each
-- segment, for so many seconds. Gives what it has next.
local function receive_up_to(peer, net, edge, nxt, seconds)
  local stop = net:now() + seconds
  while net:now() < stop do
    local packet = peer:receive { deadline = stop }
    if packet and packet.length > 0 then
      local right = math.min(packet.seq + packet.length, edge)
      if packet.seq <= nxt and right > nxt then nxt = right end
      peer:send { flags = "A", seq = 1001, ack = nxt, window = math.min(edge - nxt, 65535) }
    end
  end
  return nxt
end

describe("a window that shrinks", function()
  it("RFC9293:MUST-34 may leave less than nothing usable", function()
    local net, conn, peer = in_flight(4000)
    conn:write(("b"):rep(4000))
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 1000 } -- 3000 in flight, 1000 allowed
    net:run { until_ = net:now() + 0.5 }
    assert.equal(1000, conn:info().snd_wnd)
    assert.equal(9001, conn:info().snd_nxt)
    -- All of it arrived after all, and the window opens.
    peer:send { flags = "A", seq = 1001, ack = 9001, window = 4000 }
    peer:expect { seq = 9001, length = 1000 }
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:SHLD-15 lets no new data out", function()
    local _, conn, peer = in_flight(4000)
    conn:write(("b"):rep(4000))
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 1000 }
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 7001, window = 1999 } -- the edge is where SND.NXT is
    peer:expect_nothing(0.5)
  end)

  it("RFC9293:SHLD-16 old data within it is retransmitted as ever", function()
    local _, _, peer = in_flight(4000)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 2000 }
    peer:expect { seq = 5001, length = 1000, timeout = 2 }
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 1000 }
    peer:expect { seq = 6001, length = 1000, timeout = 3 }
  end)

  it("RFC9293:MAY-7 the first segment is retransmitted also where it reaches beyond", function()
    local _, _, peer = in_flight(2000)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 500 }
    local packet = peer:expect { seq = 5001, timeout = 2 }
    assert.equal(1000, packet.length)
  end)

  it("RFC9293:SHLD-17 what lies beyond its edge and is not acknowledged ends no connection", function()
    for _, edge in ipairs { 5001, 5501, 6001, 7501 } do
      local net, conn, peer = in_flight(4000)
      peer:send { flags = "A", seq = 1001, ack = 5001, window = edge - 5001 }
      local nxt = receive_up_to(peer, net, edge, 5001, 2000)
      assert.equal(edge, nxt)
      assert.equal("ESTABLISHED", conn:state())
      nxt = receive_up_to(peer, net, 100000, nxt, 200)
      assert.equal(9001, nxt)
    end
  end)

  it("RFC9293:MUST-35 to zero is probed, with data in flight", function()
    local net, conn, peer = in_flight(2000)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
    for _ = 1, 10 do
      local probe = peer:expect { seq = 5001, timeout = 61 }
      assert.is_true(probe.length >= 1)
      peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
    end
    assert.equal("ESTABLISHED", conn:state())
    assert.is_true(net:now() > 100)
  end)

  it("RFC9293:MUST-35 to zero is probed, with nothing in flight", function()
    local _, conn, peer = in_flight(2000)
    conn:write(("b"):rep(3000))
    wire.drain(peer, 0.1)
    peer:send { flags = "A", seq = 1001, ack = 9001, window = 0 }
    conn:write "more"
    local probe = peer:expect { seq = 9001, timeout = 2 }
    assert.is_true(probe.length >= 1)
  end)

  -- A transfer over a bad path, to a reader who changes his pace and his buffer. A scaled window is cut off
  -- to a multiple of its unit: less than one unit is no shrinking (RFC 7323 section 2.4).
  local function check_edges(seed, buffer)
    local net, client, server = lab.connected {
      seed = seed, server = { receive_buffer = buffer },
      link = { delay = 0.01, loss = 0.05, reorder = 0.1, reorder_delay = 0.005 },
    }
    net:spawn(function()
      for _ = 1, 40 do client:write(("x"):rep(buffer // 2)) end
      client:shutdown()
    end)
    net:spawn(function()
      local size = 1
      while server:read(size) do
        size = size * 7 % (buffer + 1) + 1
        net:sleep(0.003)
        if size % 5 == 0 then server:set { receive_buffer = math.max(1000, buffer - size) } end
      end
    end)
    local scale = server:info().rcv_wscale
    net:run()
    local edge
    for _, record in ipairs(net.trace:packets { kind = "sent" }) do
      local s = record.segment
      if s.source == net.server:address() and s.flags.ack and not s.flags.rst then
        local shift = s.flags.syn and 0 or scale
        local right = s.ack + (s.window << shift)
        if edge then
          local moved = (right - edge + (1 << shift) - 1) & 0xffffffff
          assert.is_true(moved < 0x80000000, ("%d after %d"):format(right, edge))
        end
        edge = right
      end
    end
    assert.is_truthy(edge)
  end

  it("RFC9293:SHLD-14 the host itself never shrinks its own", function()
    for seed = 1, 20 do check_edges(seed, 3000 * seed) end
  end)

  it("RFC9293:SHLD-14 nor a scaled one", function()
    for seed = 1, 5 do check_edges(seed, 50000 + 30000 * seed) end
  end)
end)

-- A connection to a script whose window is closed, with data that waits.
local function closed(options)
  options = options or {}
  options.window = 0
  local net, conn, peer = wire.passive(options)
  conn:write(("a"):rep(3000))
  net:settle()
  return net, conn, peer, net:now()
end

describe("zero-window probes", function()
  it("RFC9293:MUST-36 carry at least one octet of new data", function()
    local _, _, peer = closed()
    local probe = peer:expect { seq = 5001 }
    assert.is_true(probe.length >= 1)
    assert.equal("a", probe.payload:sub(1, 1))
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
    peer:expect { seq = 5001 }
  end)

  it("RFC9293:MUST-36 the transfer goes on when the window opens, told or probed", function()
    for _, told in ipairs { true, false } do
      local net, conn, peer = closed()
      for _ = 1, 3 do
        peer:expect { seq = 5001 }
        peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
      end
      if told then peer:send { flags = "A", seq = 1001, ack = 5001, window = 60000 } end
      local nxt = receive_up_to(peer, net, 65001, 5001, 20)
      assert.equal(8001, nxt)
      assert.equal(0, conn:info().unsent)
    end
  end)

  it("RFC9293:MUST-36 between two ends, with every window update lost", function()
    local net, client, server = lab.connected { server = { receive_buffer = 4000 } }
    client:write(("x"):rep(20000))
    net:run { until_ = 2 }
    assert.equal(0, server:info().rcv_wnd)
    local rule = net.wire:drop { from = net.server, data = false }
    server:read(4000)
    net:run { until_ = net:now() + 0.1 }
    rule:close()
    assert.equal(16000, #server:read_exactly(16000, { timeout = 300 }))
  end)

  it("RFC9293:MUST-36 a FIN alone is no longer held by a closed window than data would be", function()
    local _, conn, peer = wire.passive { window = 0 }
    conn:shutdown()
    peer:expect { flags = "FA", seq = 5001, timeout = 2 }
  end)

  it("RFC9293:SHLD-29 the first comes after one RTO", function()
    local _, conn, peer, began = closed()
    local rto = conn:info().rto
    local probe = peer:expect { seq = 5001 }
    assert.near(rto, probe.time - 0.01 - began, 1e-3)
  end)

  it("RFC9293:SHLD-29 of a window that closes later, too", function()
    local net, conn, peer = wire.passive()
    conn:write(("a"):rep(1000))
    peer:expect { seq = 5001 }
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 0 }
    net:run { until_ = net:now() + 0.01 }
    local began, rto = net:now(), conn:info().rto
    conn:write "more"
    local probe = peer:expect { seq = 6001 }
    assert.near(began + rto, probe.time - 0.01, 1e-3)
  end)

  it("RFC9293:SHLD-30 the interval doubles each time, up to a bound", function()
    local _, _, peer, began = closed()
    local times = {}
    for i = 1, 9 do
      times[i] = peer:expect({ seq = 5001 }).time - 0.01 - began
      peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
    end
    for i, expected in ipairs { 1, 3, 7, 15, 31, 63, 123, 183, 243 } do
      assert.near(expected, times[i], 0.01)
    end
  end)

  it("RFC9293:MUST-37 as long as they are answered the connection stays: for a day", function()
    local net, conn, peer = closed()
    while net:now() < 86400 do
      peer:expect { seq = 5001 }
      peer:send { flags = "A", seq = 1001, ack = 5001, window = 0 }
    end
    assert.equal("ESTABLISHED", conn:state())
    local nxt = receive_up_to(peer, net, 65001, 5001, 200)
    assert.equal(8001, nxt)
  end)

  it("RFC9293:MUST-37 unanswered, R2 holds for them", function()
    local net, conn = closed()
    net:run { until_ = 1000 }
    assert.equal("CLOSED", conn:state())
    assert.equal("ETIMEDOUT", select(2, conn:error()))
  end)

  it("RFC9293:MAY-8 the host's own window may stay closed for ever", function()
    local net, client, server = lab.connected { server = { receive_buffer = 2000 } }
    client:write(("x"):rep(5000))
    net:run { until_ = 86400 }
    assert.equal(0, server:info().rcv_wnd)
    assert.equal("ESTABLISHED", server:state())
    assert.equal("ESTABLISHED", client:state())
    assert.equal(5000, #server:read_exactly(5000, { timeout = 300 }))
  end)

  it("RFC9293:3.8.6.1 are answered with RCV.NXT and the window of zero", function()
    local _, _, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    peer:expect { flags = "A", ack = 2001, window = 0 }
    for _ = 1, 20 do
      peer:send { flags = "A", seq = 2001, ack = 5001, payload = "?" }
      peer:expect { flags = "A", seq = 5001, ack = 2001, window = 0, timeout = 1 }
    end
  end)

  it("RFC9293:3.8.6.1 two ends with closed windows do not answer each other for ever", function()
    local net, client, server = lab.connected { settings = {}, client = { receive_buffer = 1000 },
      server = { receive_buffer = 1000 } }
    client:write(("x"):rep(5000))
    server:write(("y"):rep(5000))
    net:run { until_ = 1000 }
    assert.is_true(#net.trace:packets { kind = "sent" } < 200)
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
  end)
end)

describe("silly windows", function()
  it("RFC9293:MUST-38 the sender fills no small window", function()
    local _, conn, peer = wire.passive { host = { nagle = false } }
    conn:write(("a"):rep(30000))
    wire.drain(peer, 0.1)
    local nxt = conn:info().snd_nxt
    peer:send { flags = "A", seq = 1001, ack = nxt, window = 0 }
    -- The window opens by a little at a time, below a segment and half of the greatest window.
    for window = 50, 950, 100 do
      peer:send { flags = "A", seq = 1001, ack = nxt, window = window }
      peer:expect_nothing(0.05)
    end
    peer:send { flags = "A", seq = 1001, ack = nxt, window = 1000 }
    peer:expect { seq = nxt, length = 1000 }
  end)

  it("RFC9293:MUST-38 half of the greatest window may be filled, where that is small", function()
    local _, conn, peer = wire.passive { syn = { window = 600, options = { mss = 1000 } } }
    conn:write(("a"):rep(3000))
    peer:expect { seq = 5001, length = 600, timeout = 0.05 }
    peer:send { flags = "A", seq = 1001, ack = 5601, window = 299 }
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 5601, window = 300 }
    peer:expect { seq = 5601, length = 300, timeout = 0.05 }
  end)

  it("RFC9293:MUST-38 all that is pushed goes where it fits", function()
    local _, conn, peer = wire.passive { syn = { window = 1000, options = { mss = 1000 } } }
    conn:write(("a"):rep(1000))
    peer:expect { length = 1000 }
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 100 }
    conn:write(("b"):rep(100))
    peer:expect { seq = 6001, length = 100, timeout = 0.05 }
  end)

  it("RFC9293:MUST-38 a timeout overrides, so that there is no deadlock", function()
    local _, conn, peer = wire.passive()
    conn:write(("a"):rep(30000))
    wire.drain(peer, 0.1)
    local nxt = conn:info().snd_nxt
    peer:send { flags = "A", seq = 1001, ack = nxt, window = 100 }
    local packet = peer:expect { seq = nxt, timeout = 2 }
    assert.is_true(packet.length >= 1 and packet.length <= 100)
  end)

  it("RFC9293:MUST-39 the receiver's edge stays until a segment, or half of the buffer, is free", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 10000, mss = 1000 } }
    for i = 0, 9 do
      peer:send { flags = "PA", seq = 1001 + i * 1000, ack = 5001, payload = ("x"):rep(1000) }
    end
    net:run { until_ = net:now() + 1 }
    wire.drain(peer)
    assert.equal(0, conn:info().rcv_wnd)
    conn:read(999)
    peer:expect_nothing(5)
    -- Also when something else is answered, it is answered with the old edge.
    peer:send { flags = "PA", seq = 11001, ack = 5001, payload = "?" }
    peer:expect { flags = "A", ack = 11001, window = 0 }
    conn:read(1)
    peer:expect { flags = "A", ack = 11001, window = 1000, timeout = 0.1 }
  end)

  it("RFC9293:MUST-39 half of a small buffer counts", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 600 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = ("x"):rep(600) }
    net:run { until_ = net:now() + 1 }
    wire.drain(peer)
    conn:read(299)
    peer:expect_nothing(5)
    conn:read(1)
    peer:expect { flags = "A", ack = 1601, window = 300, timeout = 0.1 }
  end)

  it("RFC9293:MUST-39 small data keeps the edge where it is", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 10000 } }
    local edge = 1001 + 10000
    for i = 0, 20 do
      peer:send { flags = "PA", seq = 1001 + i * 10, ack = 5001, payload = ("x"):rep(10) }
      conn:read(10)
      net:run { until_ = net:now() + 0.3 }
    end
    for _, packet in ipairs(wire.drain(peer)) do
      assert.equal(edge, packet.ack + packet.window)
    end
  end)

  it("RFC9293:3.8.6.2.2 reading brings no ACK for a window that cannot be said", function()
    -- No window scale: the field cannot say more than 65,535, however large the buffer is.
    local _, conn, peer = wire.passive { host = { receive_buffer = 262144 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    assert.equal("hello", conn:read(10))
    peer:expect_nothing(0.15) -- the delayed ACK comes later
    peer:expect { flags = "A", ack = 1006 }
  end)

  it("RFC9293:MUST-38 RFC9293:MUST-39 together carry full segments to a slow reader", function()
    local net, client, server = lab.connected { server = { receive_buffer = 8000 } }
    net:spawn(function()
      client:write(("x"):rep(60000))
      client:shutdown()
    end)
    net:spawn(function()
      while server:read(100) do net:sleep(0.01) end
    end)
    net:run()
    local small, all = 0, 0
    for _, record in ipairs(net.trace:packets { kind = "sent" }) do
      local length = record.segment.length
      if length > 0 then
        all = all + 1
        if length < 1000 then small = small + 1 end
      end
    end
    assert.is_true(all < 80 and small < 20, ("%d of %d are small"):format(small, all))
  end)
end)

describe("delayed acknowledgment", function()
  it("RFC9293:SHLD-18 waits, for data or a second segment", function()
    local _, _, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    local before = peer.net:now() + 0.01
    local ack = peer:expect { flags = "A", ack = 1006 }
    assert.is_true(ack.time - 0.01 - before > 0.05)
  end)

  it("RFC9293:SHLD-18 rides on data that is sent meanwhile", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    net:run { until_ = net:now() + 0.05 }
    conn:write "answer"
    peer:expect { flags = "PA", ack = 1006, length = 6 }
    peer:expect_nothing(0.9)
  end)

  it("RFC9293:MUST-40 by less than half a second, in every profile", function()
    local tcp = require "lunatcp"
    for _, profile in ipairs(tcp.profiles) do
      local _, _, peer = wire.passive { host = { profile = profile, quick_acks = 0 } }
      peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
      local arrived = peer.net:now() + 0.01
      local ack = peer:expect { flags = "A", ack = 1006 }
      assert.is_true(ack.time - 0.01 - arrived < 0.5)
    end
  end)

  it("RFC9293:MUST-40 no setting makes it longer", function()
    local _, conn, peer = wire.passive { host = { delayed_ack_timeout = 0.4999 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    peer:expect { flags = "A", ack = 1006, timeout = 0.52 }
    for _, seconds in ipairs { 0.5, 0.6, 10 } do
      assert.has_error(function() conn:set { delayed_ack_timeout = seconds } end)
    end
  end)

  it("RFC9293:SHLD-19 each second full-sized segment is acknowledged at once", function()
    local net, _, peer = wire.passive { host = { mss = 1000 } }
    for round = 0, 4 do
      for half = 0, 1 do
        peer:send {
          flags = "A", seq = 1001 + round * 2000 + half * 1000, ack = 5001, payload = ("x"):rep(1000),
        }
        net:run { until_ = net:now() + 0.03 }
      end
      peer:expect { flags = "A", ack = 3001 + round * 2000, timeout = 0.001 }
    end
  end)

  it("RFC9293:SHLD-19 so in a long transfer there is an ACK for two segments, and no fewer", function()
    local net, client, server = lab.connected {
      client = { timestamps = false }, link = { delay = 0.01, rate = 1e7 },
    }
    net:spawn(function()
      client:write(("x"):rep(500000))
      client:shutdown()
    end)
    net:spawn(function()
      while server:read(100000) do end -- luacheck: ignore 542
    end)
    net:run()
    local acks = #wire.lines(net, "flags", { only = "^server.* A$" })
    local segments = 500000 / 1460
    assert.is_true(acks >= segments / 2 and acks <= segments * 0.75, acks)
  end)
end)
