-- What goes on after CLOSE: lingering, and connections that nobody holds any more and whose peers vanish.
local lab = require "support.lab"
local wire = require "support.wire"

describe("linger", function()
  it("waits until the peer has acknowledged the data and the FIN", function()
    local net, client, server = lab.connected()
    client:write(wire.pattern(5000))
    local began = net:now()
    assert.is_true(client:linger(10))
    assert.is_true(net:now() > began and net:now() - began < 1, net:now() - began)
    assert.equal("FIN-WAIT-2", client:state())
    assert.equal(wire.pattern(5000), server:read_exactly(5000))
  end)

  it("gives up after its time, and the connection goes on closing", function()
    local net, client, server = lab.connected()
    local rule <close> = net.wire:drop { from = net.server }
    client:write "x"
    local began = net:now()
    local done, _, code = client:linger(2.5)
    assert.is_nil(done)
    assert.equal("EAGAIN", code)
    assert.near(2.5, net:now() - began, 1e-6)
    assert.equal("FIN-WAIT-1", client:state())
    rule:close()
    assert.equal("x", server:read(1))
    net:run { until_ = net:now() + 10 }
    assert.equal("FIN-WAIT-2", client:state())
  end)

  it("says why when the connection dies meanwhile", function()
    local _, conn, peer = wire.passive()
    conn.net:spawn(function()
      peer:expect { flags = "FA" }
      peer:send { flags = "R", seq = 1001 }
    end)
    local done, _, code = conn:linger(5)
    assert.is_nil(done)
    assert.equal("ECONNRESET", code)
  end)

  it("of 0 seconds aborts: RST, and nothing of what was written goes", function()
    local _, conn, peer = wire.passive()
    conn:write "never seen"
    assert.is_true(conn:linger(0))
    assert.equal("CLOSED", conn:state())
    peer:expect { flags = "R", seq = 5001 }
  end)

  it("wants a time that is none below 0", function()
    local _, conn = wire.passive()
    assert.has_error(function() conn:linger(-1) end)
    assert.has_error(function() conn:linger "soon" end)
  end)
end)

describe("an orphan", function()
  it("whose peer has vanished is given up after orphan_r2_count retransmissions", function()
    local net, conn, peer = wire.passive { host = { orphan_r2_count = 3 } }
    conn:close()
    net:run { until_ = 60 }
    assert.equal("CLOSED", conn:state())
    assert.equal(4, #wire.drain(peer)) -- the FIN, and three times more
    assert.equal(0, net.host_under_test:counters().orphans)
  end)

  it("that is none yet has the patience of every connection", function()
    local net, conn, peer = wire.passive { host = { orphan_r2_count = 3 } }
    conn:write "x"
    net:run { until_ = 60 }
    assert.equal("ESTABLISHED", conn:state())
    assert.is_true(#wire.drain(peer) > 4)
  end)

  it("whose peer's window stays closed ends the same way, but not while it answers", function()
    local net, conn, peer = wire.passive {
      host = { orphan_r2_count = 3 }, syn = { options = { mss = 1000 }, window = 0 },
    }
    conn:write "x"
    conn:close()
    for _ = 1, 8 do
      local probe = peer:expect { seq = 5001 }
      peer:send { flags = "A", seq = 1001, ack = probe.seq, window = 0 }
    end
    assert.equal("FIN-WAIT-1", conn:state())
    net:run { until_ = net:now() + 600 }
    assert.equal("CLOSED", conn:state())
  end)

  it("in FIN-WAIT-2 waits fin_wait_2_timeout for the peer's FIN", function()
    local net, conn, peer = wire.passive { host = { fin_wait_2_timeout = 30 } }
    conn:close()
    peer:expect { flags = "FA" }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    net:run { until_ = 29 }
    assert.equal("FIN-WAIT-2", conn:state())
    assert.equal(1, net.host_under_test:counters().orphans)
    net:run { until_ = 31 }
    assert.equal("CLOSED", conn:state())
  end)

  it("beyond orphans_most is reset at once, and counted; others are not touched", function()
    local net = lab.pair { server = { orphans_most = 2 } }
    local clients, servers = {}, {}
    for i = 1, 4 do clients[i], servers[i] = lab.handshake(net) end
    for i = 1, 4 do servers[i]:close() end
    net:run { until_ = net:now() + 1 }
    local states = {}
    for i = 1, 4 do states[i] = servers[i]:state() end
    assert.same({ "FIN-WAIT-2", "FIN-WAIT-2", "CLOSED", "CLOSED" }, states)
    assert.equal("ECONNRESET", select(3, clients[4]:read(1)))
    local counters = net.server:counters()
    assert.same({ 2, 2 }, { counters.orphans, counters.orphans_cut })
    clients[1]:close()
    net:run { until_ = net:now() + 1 }
    assert.equal(1, net.server:counters().orphans) -- TIME-WAIT is none
  end)
end)
