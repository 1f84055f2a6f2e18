-- What all connections of a host may hold together, and who gives first (docs/design.md).
local lab = require "support.lab"
local wire = require "support.wire"

local function with_sack() return { mss = 1000, sack_permitted = true, window_scale = 0 } end

describe("the memory of a host", function()
  it("counts what the queues of all connections hold", function()
    local net, client, server = lab.connected()
    client:write(wire.pattern(5000))
    assert.equal(5000, net.client:counters().memory)
    net:run { until_ = 1 }
    assert.equal(0, net.client:counters().memory) -- acknowledged
    assert.equal(5000, net.server:counters().memory)
    assert.equal(5000, #server:read(5000))
    assert.equal(0, net.server:counters().memory)
  end)

  it("is not passed by many connections whose readers do not read", function()
    local most, least, count = 1000000, 4 * 1460, 60
    local net = lab.pair { server = { memory_most = most, memory_pressure = 500000, memory_low = 400000 } }
    local clients, refused = {}, 0
    for i = 1, count do
      clients[i] = net.client:connect_start(net.server, 80)
      net:run { until_ = i * 0.1 }
      if clients[i]:state() == "ESTABLISHED" then clients[i]:write(wire.pattern(200000), { timeout = 0 }) end
    end
    net:run { until_ = count * 0.1 + 10 }
    local counters = net.server:counters()
    assert.is_true(counters.memory <= most + count * least, counters.memory)
    assert.is_true(counters.memory > 500000)
    assert.equal(1, counters.memory_pressures)
    for _, client in ipairs(clients) do
      if client:state() ~= "ESTABLISHED" then refused = refused + 1 end
    end
    assert.equal(refused > 0, counters.memory_refused > 0)
  end)

  it("lets windows shrink first, by not moving their right edge", function()
    local net, conn, peer = wire.passive {
      host = { memory_pressure = 10000, memory_low = 5000, memory_most = 1000000, receive_buffer = 60000 },
    }
    net:run { until_ = 0.1 }
    local edge = 1001 + conn:info().rcv_wnd
    for i = 0, 54 do
      peer:send { flags = "PA", seq = 1001 + 1000 * i, ack = 5001, payload = wire.pattern(1000) }
      net:run { until_ = 0.2 + i / 100 }
      assert.is_true(conn:info().rcv_nxt + conn:info().rcv_wnd >= edge, "RFC9293:SHLD-14")
    end
    assert.equal(1, net.host_under_test:counters().memory_pressures)
    wire.read_now(conn) -- all of it: the shortage ends, and the window opens
    net:run { until_ = 2 }
    assert.equal(60000, conn:info().rcv_wnd)
  end)

  it("keeps a window of four segments for a reader who reads, also under pressure", function()
    local net, conn, peer = wire.passive {
      host = { memory_pressure = 900, memory_low = 500, memory_most = 1000000, receive_buffer = 60000 },
    }
    net:run { until_ = 0.1 }
    for i = 0, 79 do -- past the 60000 octets that were offered at first; one segment stays unread
      peer:send { flags = "PA", seq = 1001 + 1000 * i, ack = 5001, payload = wire.pattern(1000) }
      net:run { until_ = 0.2 + i / 50 }
      if i > 75 then assert.is_true(conn:info().rcv_wnd <= 4 * 1460, conn:info().rcv_wnd) end
      if i > 0 then assert.equal(1000, #conn:read(1000)) end
    end
    assert.equal(0, net.host_under_test:counters().memory_dropped)
  end)

  it("then gives up what came out of order, so that the next in order finds room", function()
    local net, conn, peer = wire.passive {
      host = { memory_most = 8000, receive_buffer_least = 1 }, syn = { options = with_sack() },
    }
    for i = 1, 8 do
      peer:send { flags = "PA", seq = 1001 + 1000 * i, ack = 5001, payload = wire.pattern(1000) }
    end
    net:run { until_ = 0.1 }
    assert.equal(8000, conn:info().out_of_order)
    peer:send { flags = "PA", seq = 10001, ack = 5001, payload = wire.pattern(1000) } -- one too many
    net:run { until_ = 0.2 }
    assert.equal(8000, conn:info().out_of_order)
    assert.equal(1000, net.host_under_test:counters().memory_dropped)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = wire.pattern(1000) }
    net:run { until_ = 0.3 }
    assert.equal(0, conn:info().out_of_order)
    assert.equal(1000, conn:info().unread)
    assert.equal(8000, net.host_under_test:counters().memory_pruned)
    assert.equal(2001, conn:info().rcv_nxt)
  end)

  it("leaves each connection its least, so that none waits for ever", function()
    local net, client, server = lab.connected {
      server = { memory_most = 1 }, client = { memory_most = 1 },
    }
    local got = 0
    net:spawn(function() for chunk in server:chunks() do got = got + #chunk end end)
    net:spawn(function()
      client:write(wire.pattern(100000))
      while client:info().unacked + client:info().unsent > 0 do net:sleep(0.1) end
      client:close()
    end)
    net:run()
    assert.equal(100000, got)
  end)

  it("answers no new connection while it is used up", function()
    local net, client, server = lab.connected { server = { memory_most = 3000 } }
    client:write(wire.pattern(3000))
    net:run { until_ = 1 }
    local second = net.client:connect_start(net.server, 80)
    net:run { until_ = 1.5 }
    assert.equal("SYN-SENT", second:state())
    assert.equal(1, net.server:counters().memory_refused)
    assert.equal(3000, #server:read(3000))
    net:run { until_ = 3 } -- the SYN comes again after a second
    assert.equal("ESTABLISHED", second:state())
  end)

  it("ends orphans at last", function()
    local net, conn, peer = wire.passive { host = { memory_most = 4096 }, window = 0 }
    conn:write(wire.pattern(4096))
    net:run { until_ = 0.1 }
    conn:close()
    net:run { until_ = 0.2 }
    assert.equal(1, net.host_under_test:counters().memory_orphans_ended)
    assert.equal(0, net.host_under_test:counters().memory)
    local packets = wire.drain(peer)
    assert.matches("R", packets[#packets].flags)
  end)

  it("has no limit in the profile rfc", function()
    local net = lab.pair()
    local client, server = lab.handshake(net)
    client:write(wire.pattern(200000))
    net:run { until_ = 2 }
    assert.equal(200000, server:info().unread)
    assert.equal(0, net.server:counters().memory_pressures)
  end)
end)
