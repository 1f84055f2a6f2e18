-- RFC 9293 section 3.8.6: the window both ways: scaled, shrunk, closed, opened again.
local lab = require "support.lab"
local wire = require "support.wire"

describe("the receive window", function()
  it("RFC9293:3.8.6 shrinks by what is unread, and its right edge stays", function()
    local _, _, peer = wire.passive { host = { receive_buffer = 10000 } }
    local edge
    for i = 0, 9 do
      peer:send { flags = "PA", seq = 1001 + i * 1000, ack = 5001, payload = ("x"):rep(1000) }
      local packet = peer:expect { ack = 2001 + i * 1000 }
      edge = edge or packet.ack + packet.window
      assert.equal(11001, packet.ack + packet.window)
    end
    assert.equal(11001, edge)
  end)

  it("RFC9293:SHLD-14 never moves its right edge to the left, whatever is read and written", function()
    local net, client, server = lab.connected { server = { receive_buffer = 20000 } }
    local edge, worst = nil, 0
    local shift = server:info().rcv_wscale
    net:on("segment", function(segment)
      if segment.source == net.server:address() and segment.flags.ack and not segment.flags.syn then
        local right = segment.ack + (segment.window << shift)
        if edge then worst = math.min(worst, right - edge) end
        edge = right
      end
    end)
    local random = net.core:random "reads"
    net:spawn(function()
      for _ = 1, 100 do client:write(("x"):rep(1 + random:below(3000))) end
      client:close()
    end)
    net:spawn(function()
      while server:read(1 + random:below(5000)) do net:sleep(random:number() * 0.02) end
    end)
    net:run()
    -- With a scale of 2^shift the edge can be told to that granularity only.
    assert.is_true(worst > -(1 << shift), worst)
  end)

  it("RFC7323:2.3-1 is scaled by what the SYN said", function()
    local net, client, server = lab.connected { server = { receive_buffer = 1000000, window_scale = 7 } }
    net:run { until_ = 1 }
    assert.equal(7, client:info().snd_wscale)
    client:write(("x"):rep(100000))
    net:run { until_ = 10 }
    local info = client:info()
    assert.equal(1000000 - 100000 >> 7 << 7, info.snd_wnd >> 7 << 7)
    assert.equal(100000, server:info().unread)
  end)

  it("RFC7323:2.3 opens again also where all of the buffer is less than a unit of the scale", function()
    for _, change in ipairs { false, true } do
      local net, client, server = lab.connected {
        server = { receive_buffer = change and 100000 or 192, window_scale = 10 },
      }
      if change then assert(server:set { receive_buffer = 192 }) end
      local sent, read = ("0123456789"):rep(2000), 0
      net:spawn(function()
        client:write(sent)
        client:close()
      end)
      net:spawn(function()
        for piece in server:chunks(100) do
          assert.equal(sent:sub(read + 1, read + #piece), piece)
          read = read + #piece
        end
      end)
      net:run { until_ = 60 }
      assert.equal(#sent, read)
    end
  end)

  it("RFC7323:2.2-1 is at most 65,535 octets where scaling was not agreed", function()
    local net, client, server = lab.connected {
      client = { window_scaling = false }, server = { receive_buffer = 1000000 },
    }
    net:run { until_ = 1 }
    assert.equal(65535, client:info().snd_wnd)
    client:write(("x"):rep(200000))
    net:run { until_ = 10 }
    assert.is_true(server:info().unread <= 200000)
    assert.equal(200000, #server:read_exactly(200000))
  end)

  it("RFC7323:2.3-2 fills a buffer of 1 MiB when it is scaled", function()
    local net, client, server = lab.connected {
      server = { receive_buffer = 1048576 }, client = { send_buffer = 2097152 },
    }
    client:write(("x"):rep(2000000))
    net:run { until_ = 20 }
    assert.is_true(server:info().unread > 1048576 - 1460, server:info().unread)
    assert.is_true(server:info().unread <= 1048576)
  end)
end)

describe("the send window", function()
  it("RFC9293:3.8.6 bounds what is in flight", function()
    local net, conn, peer = wire.passive { window = 2500 }
    conn:write(wire.pattern(10000))
    net:run { until_ = 0.5 }
    local last = 0
    for _, packet in ipairs(wire.drain(peer)) do last = math.max(last, packet.seq + packet.length) end
    assert.is_true(last <= 5001 + 2500, last)
    assert.is_true(last >= 5001 + 2000, last)
  end)

  it("RFC9293:3.10.7.4 is not taken from an older segment (SND.WL1, SND.WL2)", function()
    local net, conn, peer = wire.passive { window = 10000 }
    peer:send { flags = "PA", seq = 1001, ack = 5001, window = 5000, payload = "new" }
    net:run { until_ = 0.1 }
    assert.equal(5000, conn:info().snd_wnd)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 9000 } -- from before "new"
    net:run { until_ = 0.2 }
    assert.equal(5000, conn:info().snd_wnd)
    peer:send { flags = "A", seq = 1004, ack = 5001, window = 9000 }
    net:run { until_ = 0.3 }
    assert.equal(9000, conn:info().snd_wnd)
  end)

  it("RFC9293:MUST-34 RFC7323:2.4-1 may shrink below what was sent", function()
    local net, conn, peer = wire.passive { window = 4000 }
    conn:write(wire.pattern(8000))
    net:run { until_ = 0.1 }
    local sent = #wire.drain(peer)
    assert.is_true(sent >= 3)
    -- The right edge goes back behind what is in flight.
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 500 }
    net:run { until_ = 0.15 }
    assert.equal("ESTABLISHED", conn:state())
    assert.equal(500, conn:info().snd_wnd)
    for _, packet in ipairs(wire.drain(peer)) do
      assert.is_true(packet.seq + packet.length <= 5001 + 4000)
    end
    -- RFC9293:SHLD-16, SHLD-17: what was sent beyond is retransmitted normally, nothing new beyond.
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 8000 }
    local got, data = { [6001] = nil }, {}
    local next_seq = 6001
    while next_seq < 13001 do
      local packet = peer:receive()
      got[packet.seq] = packet.payload
      while got[next_seq] do
        data[#data + 1] = got[next_seq]
        next_seq = next_seq + #got[next_seq]
      end
      peer:send { flags = "A", seq = 1001, ack = next_seq, window = 8000 }
    end
    assert.equal(wire.pattern(8000):sub(1001), table.concat(data))
  end)

  it("RFC9293:SHLD-15 sends nothing new while it is smaller than what is in flight", function()
    local net, conn, peer = wire.passive { window = 3000 }
    conn:write(wire.pattern(6000))
    net:run { until_ = 0.1 }
    wire.drain(peer)
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 100 }
    net:run { until_ = 0.9 }
    for _, packet in ipairs(wire.drain(peer)) do
      assert.is_true(packet.seq + packet.length <= 8001, packet.seq)
    end
  end)

  it("RFC9293:3.8.6 goes on with a window update alone", function()
    local _, conn, peer = wire.passive { window = 0 }
    conn:write "waiting"
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 1000 }
    peer:expect { seq = 5001, payload = "waiting", timeout = 0.03 }
  end)
end)

describe("what the window has left", function()
  local function lengths(net, peer)
    net:run { until_ = net:now() + 0.03 }
    local list = {}
    for _, packet in ipairs(wire.drain(peer)) do list[#list + 1] = packet.length end
    return list
  end

  local function started(fill_window)
    local net, conn, peer = wire.passive {
      syn = { window = 2500, options = { mss = 1000 } },
      host = { fill_window = fill_window, initial_window = 10 },
    }
    conn:write(wire.pattern(10000))
    return net, peer
  end

  it("RFC9293:MUST-38 stays empty where it is less than a segment", function()
    local net, peer = started(false)
    assert.same({ 1000, 1000 }, lengths(net, peer))
  end)

  it("is filled by one shorter segment, if it is told to, while the window stands wide open", function()
    local net, peer = started(true)
    assert.same({ 1000, 1000, 500 }, lengths(net, peer))
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 2500 }
    assert.same({ 1000 }, lengths(net, peer))
    peer:send { flags = "A", seq = 1001, ack = 7001, window = 2500 }
    assert.same({ 1000 }, lengths(net, peer))
    peer:send { flags = "A", seq = 1001, ack = 7501, window = 2500 }
    assert.same({ 500 }, lengths(net, peer))
  end)

  it("RFC9293:MUST-38 never holds two of them, nor one where the window moves in silly steps", function()
    local net, peer = started(true)
    assert.same({ 1000, 1000, 500 }, lengths(net, peer))
    -- A usable 300 behind a short segment that is still in flight, at the full window.
    peer:send { flags = "A", seq = 1001, ack = 5301, window = 2500 }
    assert.same({}, lengths(net, peer))
    -- All has arrived, but what opens is less than the window that there was.
    peer:send { flags = "A", seq = 1001, ack = 7501, window = 400 }
    assert.same({}, lengths(net, peer))
    peer:send { flags = "A", seq = 1001, ack = 7501, window = 900 }
    assert.same({}, lengths(net, peer))
    peer:send { flags = "A", seq = 1001, ack = 7501, window = 2500 }
    assert.same({ 1000, 1000, 500 }, lengths(net, peer))
  end)
end)

describe("a window update", function()
  it("RFC9293:3.8.6.2.2 is sent when reading opens a closed window", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 4000 } }
    for i = 0, 3 do
      peer:send { flags = "A", seq = 1001 + 1000 * i, ack = 5001, payload = ("x"):rep(1000) }
    end
    net:run { until_ = 0.5 }
    local packets = wire.drain(peer)
    assert.equal(0, packets[#packets].window)
    assert.equal(4000, #conn:read_exactly(4000))
    peer:expect { flags = "A", ack = 5001, window = 4000, timeout = 0.03 }
  end)

  it("is not sent for little: not before it has grown by min(half the buffer, MSS)", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 4000 } }
    for i = 0, 3 do
      peer:send { flags = "A", seq = 1001 + 1000 * i, ack = 5001, payload = ("x"):rep(1000) }
    end
    net:run { until_ = 0.5 }
    wire.drain(peer)
    assert.equal(900, #conn:read(900))
    peer:expect_nothing(1)
    assert.equal(2000, #conn:read_exactly(2000))
    local update = peer:expect { flags = "A", ack = 5001, timeout = 0.03 }
    assert.is_true(update.window >= 2000, update.window)
  end)

  it("comes also where the window begins small, and is shorter than the peer's segments", function()
    local _, conn, peer = wire.passive { host = { window_start = 23, mss = 400, window_scaling = false } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = ("x"):rep(23) }
    assert.equal(23, #conn:read_exactly(23))
    local update = peer:expect { flags = "A", ack = 1024, timeout = 1 }
    assert.equal(23 + 2 * 400, update.window) -- of two segments more
  end)

  it("that is lost does not stop the stream", function()
    local net, client, server = lab.connected { server = { receive_buffer = 8000 } }
    local data = wire.pattern(30000)
    net:spawn(function() client:write(data) client:close() end)
    net:run { until_ = 3 }
    net.wire:drop { from = net.server, data = false, times = 1 } -- the update that the read brings
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.is_true(net:now() < 70, net:now())
  end)
end)
