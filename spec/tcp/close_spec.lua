-- RFC 9293 section 3.6: closing, from either side, in four segments, in three, and at once.
local lab = require "support.lab"
local wire = require "support.wire"

local function numbered() return lab.connected { client = { isn = 1000 }, server = { isn = 5000 } } end

local function since_now(net) return net.trace:mark() + 1 end

describe("the four-way close", function()
  it("RFC9293:3.6 by the client has the numbers and states of figure 12", function()
    local net, client, server = numbered()
    net:run { until_ = 1 }
    local since = since_now(net)
    client:close()
    assert.is_nil(server:read(1))
    net:run { until_ = 2 }
    assert.equal("FIN-WAIT-2", client:state())
    assert.equal("CLOSE-WAIT", server:state())
    server:close()
    net:run { until_ = 3 }
    assert.same({
      "client > server FA 1001 ack 5001",
      "server > client A 5001 ack 1002",
      "server > client FA 5001 ack 1002",
      "client > server A 1002 ack 5002",
    }, wire.lines(net, "flags seq ack", { since = since }))
    assert.equal("TIME-WAIT", client:state())
    assert.same({
      { "SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT" },
      { "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED" },
    }, { net.trace:states(client), net.trace:states(server) })
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
  end)

  it("RFC9293:3.6 by the server has the same with the ends exchanged", function()
    local net, client, server = numbered()
    net:run { until_ = 1 }
    local since = since_now(net)
    server:close()
    assert.is_nil(client:read(1))
    net:run { until_ = 2 }
    client:close()
    net:run { until_ = 3 }
    assert.same({
      "server > client FA 5001 ack 1001",
      "client > server A 1001 ack 5002",
      "client > server FA 1001 ack 5002",
      "server > client A 5002 ack 1002",
    }, wire.lines(net, "flags seq ack", { since = since }))
    assert.same({ "SYN-SENT", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED" }, net.trace:states(client))
    assert.equal("TIME-WAIT", server:state())
  end)

  it("RFC9293:3.6 needs only three segments when the other end closes at once", function()
    local net, client, server = lab.connected {
      client = { isn = 1000 }, server = { isn = 5000, delay_fin_ack = true },
    }
    net:run { until_ = 1 }
    local since = since_now(net)
    server:on("peer_closed", function(conn) conn:close() end)
    client:close()
    net:run { until_ = 3 }
    assert.same({
      "client > server FA 1001 ack 5001",
      "server > client FA 5001 ack 1002",
      "client > server A 1002 ack 5002",
    }, wire.lines(net, "flags seq ack", { since = since }))
    assert.equal("TIME-WAIT", client:state())
    assert.equal("CLOSED", server:state())
  end)

  it("RFC9293:3.10.4 sends all that was written before the FIN", function()
    local net, client, server = lab.connected()
    local data = wire.pattern(200000)
    net:spawn(function()
      client:write(data)
      client:close()
    end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.equal("CLOSE-WAIT", server:state())
  end)

  it("puts the FIN on the last segment of data", function()
    local net, client, server = numbered()
    net:run { until_ = 1 }
    local since = since_now(net)
    client:write "hello"
    client:shutdown()
    assert.equal("hello", server:read(100))
    net:run { until_ = 2 }
    local lines = wire.lines(net, "flags seq ack len", { since = since, only = "client >" })
    local last = lines[#lines]
    assert.is_true(last == "client > server FPA 1001 ack 5001 len 5"
      or last == "client > server FA 1006 ack 5001", last)
  end)

  it("RFC9293:MUST-12 tells an end of the stream from a reset", function()
    local _, client, server = lab.connected()
    client:close()
    assert.same({ n = 1 }, table.pack(server:read(1)))
    local _, other, peer = lab.connected()
    peer:abort()
    assert.equal("ECONNRESET", select(3, other:read(1)))
  end)

  it("RFC9293:3.10.2 refuses SEND after CLOSE", function()
    local _, client = lab.connected()
    client:close()
    local written, _, code = client:write "late"
    assert.is_nil(written)
    assert.is_truthy(code)
  end)

  it("RFC9293:3.9.1.4 may be called again", function()
    local net, client, server = lab.connected()
    for _ = 1, 3 do client:close() end
    assert.is_nil(server:read(1))
    for _ = 1, 3 do server:close() end
    net:run { until_idle = true }
    assert.equal(2, #wire.lines(net, "flags", { only = " FP?A" }))
  end)
end)

describe("half-close", function()
  it("RFC9293:3.6 lets data flow back for as long as the other end likes", function()
    local net, client, server = lab.connected()
    client:write "question"
    client:shutdown()
    assert.equal("question", server:read(100))
    assert.is_nil(server:read(1))
    assert.equal("CLOSE-WAIT", server:state())
    local data = wire.pattern(300000)
    net:spawn(function()
      for first = 1, #data, 30000 do
        server:write(data:sub(first, first + 29999))
        net:sleep(10)
      end
      server:close()
    end)
    local parts = {}
    for chunk in client:chunks() do
      parts[#parts + 1] = chunk
      assert.equal("FIN-WAIT-2", client:state())
    end
    assert.equal(data, table.concat(parts))
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.equal("CLOSED", server:state())
  end)

  it("begun by the server works as well", function()
    local net, client, server = lab.connected()
    server:shutdown()
    assert.is_nil(client:read(1))
    client:write "still here"
    assert.equal("still here", server:read(100))
    client:close()
    assert.is_nil(server:read(1))
    net:run { until_ = net:now() + 1 }
    assert.equal("TIME-WAIT", server:state())
    assert.equal("CLOSED", client:state())
  end)

  it("stays in FIN-WAIT-2 while the reader is there", function()
    local net, client, server = lab.connected()
    client:shutdown()
    net:run { until_ = 100000 }
    assert.equal("FIN-WAIT-2", client:state())
    server:write "late"
    assert.equal("late", client:read(10))
  end)
end)

describe("simultaneous close", function()
  it("RFC9293:3.6 passes through CLOSING with the numbers of figure 13", function()
    local net, client, server = numbered()
    net:run { until_ = 1 }
    local since = since_now(net)
    client:close()
    server:close()
    net:run { until_ = 2 }
    assert.same({
      "client > server FA 1001 ack 5001",
      "server > client FA 5001 ack 1001",
      "server > client A 5002 ack 1002",
      "client > server A 1002 ack 5002",
    }, wire.lines(net, "flags seq ack", { since = since }))
    for _, conn in ipairs { client, server } do
      local states = net.trace:states(conn)
      assert.same({ "FIN-WAIT-1", "CLOSING", "TIME-WAIT" }, { table.unpack(states, #states - 2) })
    end
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.equal("CLOSED", server:state())
  end)

  it("with data under way keeps the data", function()
    local net, client, server = lab.connected()
    local data = wire.pattern(5000)
    client:write(data)
    client:shutdown()
    server:write(data)
    server:shutdown()
    assert.equal(data, client:read_exactly(5000))
    assert.equal(data, server:read_exactly(5000))
    assert.is_nil(client:read(1))
    assert.is_nil(server:read(1))
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.equal("CLOSED", server:state())
  end)

  it("survives the loss of each of its segments", function()
    for from = 1, 2 do
      for nth = 1, 2 do
        local net, client, server = lab.connected()
        net:run { until_ = 1 }
        net.wire:drop { from = from == 1 and net.client or net.server, nth = nth }
        client:close()
        server:close()
        net:run { until_ = 100 }
        assert.equal("TIME-WAIT", client:state())
        assert.equal("TIME-WAIT", server:state())
      end
    end
  end)
end)

describe("closing against a script", function()
  it("takes FIN and ACK of FIN in one segment from FIN-WAIT-1 to TIME-WAIT", function()
    local net, conn, peer = wire.passive()
    conn:close()
    peer:expect { flags = "FA", seq = 5001, ack = 1001 }
    peer:send { flags = "FA", seq = 1001, ack = 5002 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    local states = net.trace:states(conn)
    assert.equal("TIME-WAIT", states[#states])
    assert.is_not.equal("CLOSING", states[#states - 1])
  end)

  it("RFC9293:3.10.7.4 enters CLOSING by a FIN that does not acknowledge its own", function()
    local net, conn, peer = wire.passive()
    conn:close()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "FA", seq = 1001, ack = 5001 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    assert.equal("CLOSING", conn:state())
    peer:send { flags = "A", seq = 1002, ack = 5002 }
    net:run { until_ = net:now() + 0.1 }
    assert.equal("TIME-WAIT", conn:state())
  end)

  it("waits for a FIN that came before the data ahead of it", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "FA", seq = 1004, ack = 5001 }
    peer:expect { flags = "A", ack = 1001 }
    assert.equal("ESTABLISHED", conn:state())
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = "abc" }
    peer:expect { flags = "A", ack = 1005 }
    assert.equal("CLOSE-WAIT", conn:state())
    assert.equal("abc", conn:read(10))
    assert.is_nil(conn:read(10))
  end)

  it("RFC9293:3.10.7.4 ignores text after the peer's FIN", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "FA", seq = 1001, ack = 5001 }
    peer:expect { flags = "A", ack = 1002 }
    peer:send { flags = "PA", seq = 1002, ack = 5001, payload = "more" }
    wire.drain(peer, 1)
    assert.is_nil(conn:read(10))
    assert.equal("CLOSE-WAIT", conn:state())
    assert.equal(1002, conn:info().rcv_nxt)
  end)

  it("acknowledges a repeated FIN in CLOSE-WAIT", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "FA", seq = 1001, ack = 5001 }
    peer:expect { flags = "A", ack = 1002 }
    peer:send { flags = "FA", seq = 1001, ack = 5001 }
    peer:expect { flags = "A", seq = 5001, ack = 1002 }
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("retransmits its FIN until it is acknowledged", function()
    local net, conn, peer = wire.passive()
    conn:close()
    net:run { until_ = 20 }
    assert.same({ 0, 1, 3, 7, 15 }, wire.times(net, "flags seq", " FA 5001$"))
    wire.drain(peer)
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect_nothing(100)
    assert.equal("FIN-WAIT-2", conn:state())
  end)

  it("keeps the FIN behind data that the window does not admit yet", function()
    local _, conn, peer = wire.passive { window = 4 }
    conn:write "abcdefgh"
    conn:close()
    local got, fin = "", false
    while not fin do
      local packet = peer:receive()
      if packet.seq == 5001 + #got then
        got = got .. packet.payload
        fin = packet.flags.fin
      end
      peer:send { flags = "A", seq = 1001, ack = 5001 + #got + (fin and 1 or 0), window = 4 }
    end
    assert.equal("abcdefgh", got)
  end)
end)
