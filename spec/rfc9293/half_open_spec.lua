-- RFC 9293 section 3.5.1: one end of a connection has lost its memory; how the other one learns of it. Both
-- ends are engines here; opening_spec has figure 9 by forged segments.
local lab = require "support.lab"
local wire = require "support.wire"

-- The end's host restarts: nothing of the connection is left, and nobody is told.
local function crash(net, conn)
  net.wire:down()
  conn:abort()
  net:run { until_ = net:now() + 1 }
  net.wire:up()
end

local function died(conn) return conn:state(), (select(2, conn:error())) end

describe("a half-open connection", function()
  it("RFC9293:3.5.1 figure 9: is found by the SYN of the end that crashed; the next SYN opens", function()
    local net, client, server = lab.connected { client = { isn = 99 }, server = { isn = 299 } }
    local port = client:info().local_port
    crash(net, client)
    local mark = net.trace:mark() + 1
    local again = assert(net.client:connect(net.server, 80, {
      local_port = port, settings = { isn = 400 },
    }))
    assert.same({ "CLOSED", "ECONNRESET" }, { died(server) })
    assert.same({
      "client > server S 400", -- 3.
      "server > client A 300 ack 100", -- 4.
      "client > server R 100", -- 5.
      "client > server S 400", -- 7.
      "server > client SA 299 ack 401",
      "client > server A 401 ack 300",
    }, wire.lines(net, "flags seq ack", { since = mark, relative = false }))
    again:write "hello"
    assert.equal("hello", assert(net.listener:accept()):read(5))
  end)

  it("RFC9293:3.5.1 figure 10: is found by data, which is answered by a reset at once", function()
    local net, client, server = lab.connected { client = { isn = 99 }, server = { isn = 299 } }
    crash(net, client)
    local mark, began = net.trace:mark() + 1, net:now()
    server:write(wire.pattern(10))
    local bytes, _, code = server:read(1)
    assert.is_nil(bytes)
    assert.equal("ECONNRESET", code)
    assert.near(0.02, net:now() - began, 0.001) -- one round trip
    assert.same({ "server > client PA 300 ack 100", "client > server R 100" },
      wire.lines(net, "flags seq ack", { since = mark, relative = false }))
    assert.equal("ECONNRESET", select(3, server:write "x"))
  end)

  it("RFC9293:3.5.1 figure 11: an old SYN between two that listen leaves both listening", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    -- The script is the network that holds an old duplicate, and the passive end at the other side.
    peer:send { flags = "S", seq = 90, destination_port = 80 }
    peer:expect { flags = "SA", seq = 5000, ack = 91 }
    peer:send { flags = "R", seq = 91 }
    net:run { until_ = 1 }
    assert.equal(0, host:counters().connections)
    assert.is_nil(listener:accept { timeout = 1 })
  end)

  it("RFC9293:3.5.1 whose data was in flight is found by its retransmission", function()
    local net, client, server = lab.connected()
    net.wire:down()
    server:write(wire.pattern(3000))
    net:run { until_ = net:now() + 0.5 }
    client:abort()
    net:run { until_ = net:now() + 0.1 }
    net.wire:up()
    net:run { until_ = net:now() + 3 }
    assert.same({ "CLOSED", "ECONNRESET" }, { died(server) })
    assert.is_true(server:info().timeouts >= 1)
  end)

  it("RFC9293:3.5.1 that only reads is found by nothing but keep-alive", function()
    local net, client, server = lab.connected()
    crash(net, client)
    net:run { until_ = net:now() + 86400 }
    assert.equal("ESTABLISHED", server:state())

    net, client, server = lab.connected { server = { keepalive = true, keepalive_idle = 60 } }
    crash(net, client)
    local bytes, _, code = server:read(1)
    assert.is_nil(bytes)
    assert.equal("ECONNRESET", code)
    assert.near(60, net:now(), 1) -- by the first probe, which the restarted end resets
    assert.equal(1, server:info().probes_sent)
  end)

  it("RFC9293:3.8.4 whose peer is gone for good ends by keep-alive's count", function()
    local net, _, server = lab.connected {
      server = { keepalive = true, keepalive_idle = 60, keepalive_interval = 10, keepalive_count = 4 },
    }
    net.wire:down()
    local bytes, _, code = server:read(1)
    assert.is_nil(bytes)
    assert.equal("ETIMEDOUT", code)
    assert.near(60 + 4 * 10, net:now(), 1)
    assert.equal(4, server:info().probes_sent)
    assert.equal(0, net.server:counters().time_waits)
  end)

  it("RFC9293:MUST-20 whose peer is gone for good ends by R2 while it sends, keep-alive or not", function()
    for _, keepalive in ipairs { false, true } do
      local net, _, server = lab.connected {
        server = { keepalive = keepalive, keepalive_idle = 5, keepalive_interval = 1, r2_time = 100 },
      }
      net.wire:down()
      local began = net:now()
      server:write(wire.pattern(5000))
      local bytes, _, code = server:read(1)
      assert.is_nil(bytes)
      assert.equal("ETIMEDOUT", code)
      assert.near(100, net:now() - began, 1)
      assert.equal(0, server:info().probes_sent)
    end
  end)

  it("RFC9293:3.8.6.1 is found by the probe of a closed window", function()
    local net, client, server = lab.connected { client = { receive_buffer = 2000 } }
    server:write(wire.pattern(10000))
    net:run { until_ = 2 }
    assert.equal(0, server:info().snd_wnd)
    crash(net, client)
    net:run { until_ = net:now() + 60 }
    assert.same({ "CLOSED", "ECONNRESET" }, { died(server) })
  end)

  it("is found in each state that waits for the peer, by keep-alive", function()
    for _, case in ipairs {
      { state = "FIN-WAIT-2", ends = function(server) server:shutdown() end },
      { state = "CLOSE-WAIT", ends = function(_, client) client:shutdown() end },
    } do
      local net, client, server = lab.connected { server = { keepalive = true, keepalive_idle = 60 } }
      case.ends(server, client)
      net:run { until_ = 1 }
      assert.equal(case.state, server:state())
      crash(net, client)
      net:run { until_ = 70 }
      assert.same({ "CLOSED", "ECONNRESET" }, { died(server) }, case.state)
    end
  end)

  it("is not taken for one where the path alone was down, however long", function()
    local net, client, server = lab.connected { server = { keepalive = true, keepalive_idle = 60 } }
    net.wire:down()
    net:run { until_ = 600 } -- less than idle and nine probes, 75 s each
    net.wire:up()
    net:run { until_ = 700 }
    assert.equal("ESTABLISHED", server:state())
    client:write "still here"
    assert.equal("still here", server:read(20))
  end)
end)
