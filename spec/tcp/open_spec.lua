-- RFC 9293 sections 3.5 and 3.10.7: opens that are not the plain three-way handshake.
local lab = require "support.lab"
local wire = require "support.wire"

-- Both ends open towards each other's port at once.
local function simultaneous(options)
  local net = lab.pair(options)
  local a = net.client:connect_start(net.server, 2000, { local_port = 1000 })
  local b = net.server:connect_start(net.client, 1000, { local_port = 2000 })
  return net, a, b
end

describe("simultaneous open", function()
  it("RFC9293:MUST-10 makes one connection out of two SYNs, as figure 7 shows", function()
    local net, a, b = simultaneous {
      listen = false, client = { isn = 100 }, server = { isn = 300 },
    }
    net:run { until_ = 10 }
    assert.same({ "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(a))
    assert.same({ "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(b))
    local lines = wire.lines(net, "flags seq ack")
    assert.same({
      "client > server S 100",
      "server > client S 300",
      "server > client SA 300 ack 101",
      "client > server SA 100 ack 301",
    }, { table.unpack(lines, 1, 4) })
    for i = 5, #lines do -- an acknowledgment of the SYN-ACK may follow, and nothing else
      assert.is_true(lines[i] == "client > server A 101 ack 301"
        or lines[i] == "server > client A 301 ack 101", lines[i])
    end
    assert.is_true(#lines <= 6, #lines)
  end)

  it("carries data both ways, and closes", function()
    local net, a, b = simultaneous { listen = false }
    a:wait_connected()
    b:wait_connected()
    a:write "from a"
    b:write "from b"
    assert.equal("from a", b:read(100))
    assert.equal("from b", a:read(100))
    a:close()
    assert.is_nil(b:read(1))
    b:close()
    net:run { until_idle = true }
    assert.equal("CLOSED", a:state())
    assert.equal("CLOSED", b:state())
  end)

  it("agrees on options as a plain open does", function()
    local _, a, b = simultaneous { listen = false, server = { sack = false } }
    a:wait_connected()
    b:wait_connected()
    for _, conn in ipairs { a, b } do
      assert.is_false(conn:info().sack)
      assert.is_true(conn:info().timestamps)
      assert.is_true(conn:info().window_scaling)
    end
  end)

  it("survives the loss of one SYN, of both, of one SYN-ACK, of both", function()
    for _, match in ipairs {
      { flags = "S", without = "A", nth = 1 }, { flags = "S", without = "A", times = 2 },
      { flags = "SA", nth = 1 }, { flags = "SA", times = 2 },
    } do
      local net, a, b
      net = lab.pair { listen = false }
      net.wire:drop(match)
      a = net.client:connect_start(net.server, 2000, { local_port = 1000 })
      b = net.server:connect_start(net.client, 1000, { local_port = 2000 })
      net:run { until_ = 20 }
      assert.equal("ESTABLISHED", a:state())
      assert.equal("ESTABLISHED", b:state())
    end
  end)

  it("works with itself: one socket that is both ends", function()
    local _, host, peer = lab.forge { host = { isn = 100 } }
    local conn = host:connect_start(peer, 1024, { local_port = 1000 })
    peer:expect { flags = "S", seq = 100 }
    peer:send { flags = "S", seq = 300 }
    peer:expect { flags = "SA", seq = 100, ack = 301 }
    assert.equal("SYN-RECEIVED", conn:state())
    peer:send { flags = "SA", seq = 300, ack = 101 }
    conn:wait_connected()
    assert.equal("ESTABLISHED", conn:state())
  end)
end)

describe("a closed port", function()
  it("RFC9293:3.10.7.1 answers a SYN by <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>", function()
    local _, _, peer = lab.forge()
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "RA", seq = 0, ack = 1001, window = 0 }
  end)

  it("counts data and FIN in that ACK", function()
    local _, _, peer = lab.forge()
    peer:send { flags = "SF", seq = 1000, destination_port = 80, payload = "12345" }
    peer:expect { flags = "RA", seq = 0, ack = 1007 }
    peer:send { flags = "", seq = 0xffffffff, destination_port = 80, payload = "12345" }
    peer:expect { flags = "RA", seq = 0, ack = 4 }
  end)

  it("RFC9293:3.10.7.1 answers a segment with an ACK by <SEQ=SEG.ACK><CTL=RST>", function()
    local _, _, peer = lab.forge()
    peer:send { flags = "A", seq = 1000, ack = 7777, destination_port = 80, payload = "data" }
    peer:expect { flags = "R", seq = 7777 }
    peer:send { flags = "SA", seq = 1000, ack = 7777, destination_port = 80 }
    peer:expect { flags = "R", seq = 7777 }
  end)

  it("RFC9293:3.10.7.1 says nothing to a RST", function()
    local _, _, peer = lab.forge()
    peer:send { flags = "R", seq = 1000, destination_port = 80 }
    peer:send { flags = "RA", seq = 1000, ack = 1, destination_port = 80 }
    peer:expect_nothing(5)
  end)

  it("makes connect fail with ECONNREFUSED after one round trip", function()
    local net = lab.pair { listen = false }
    local conn, message, code = net.client:connect(net.server, 81)
    assert.is_nil(conn)
    assert.equal("connection refused", message)
    assert.equal("ECONNREFUSED", code)
    assert.near(0.02, net:now(), 1e-9)
    net:run { until_ = 10 }
    assert.equal(2, #wire.lines(net, "flags")) -- no further SYN
  end)
end)

describe("LISTEN, RFC 9293 section 3.10.7.2", function()
  it("ignores a RST", function()
    local _, host, peer = lab.forge()
    host:listen(80)
    peer:send { flags = "R", seq = 1, destination_port = 80 }
    peer:send { flags = "RA", seq = 1, ack = 1, destination_port = 80 }
    peer:expect_nothing(5)
  end)

  it("resets an ACK by <SEQ=SEG.ACK><CTL=RST>", function()
    local _, host, peer = lab.forge()
    host:listen(80)
    peer:send { flags = "A", seq = 1, ack = 4242, destination_port = 80 }
    peer:expect { flags = "R", seq = 4242 }
    peer:send { flags = "SA", seq = 1, ack = 4243, destination_port = 80 }
    peer:expect { flags = "R", seq = 4243 }
  end)

  it("drops a segment with neither SYN nor ACK nor RST", function()
    local _, host, peer = lab.forge()
    host:listen(80)
    peer:send { flags = "F", seq = 1, destination_port = 80 }
    peer:send { flags = "P", seq = 1, destination_port = 80, payload = "x" }
    peer:expect_nothing(5)
  end)

  it("RFC9293:MUST-41 a further listener leaves connections alone", function()
    local net, client, server = lab.connected()
    assert(net.server:listen(81))
    client:write "x"
    assert.equal("x", server:read(1))
    local second, _, code = net.server:listen(80)
    assert.is_nil(second)
    assert.equal("EADDRINUSE", code)
  end)
end)

describe("SYN-SENT, RFC 9293 section 3.10.7.3", function()
  local function sent()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S", seq = 5000 }
    return net, conn, peer
  end

  it("resets an ACK of what was never sent, and goes on", function()
    for _, ack in ipairs { 5000, 5002, 4999 } do
      local _, conn, peer = sent()
      peer:send { flags = "SA", seq = 1000, ack = ack }
      peer:expect { flags = "R", seq = ack }
      peer:send { flags = "A", seq = 1000, ack = ack }
      peer:expect { flags = "R", seq = ack }
      assert.equal("SYN-SENT", conn:state())
      peer:send { flags = "SA", seq = 1000, ack = 5001 }
      peer:expect { flags = "A", seq = 5001, ack = 1001 }
      assert.equal("ESTABLISHED", conn:state())
    end
  end)

  it("believes a RST only when it acknowledges the SYN", function()
    local net, conn, peer = sent()
    peer:send { flags = "R", seq = 0 }
    peer:send { flags = "RA", seq = 0, ack = 5000 }
    peer:send { flags = "RA", seq = 0, ack = 5002 }
    net:run { until_ = 0.5 }
    assert.equal("SYN-SENT", conn:state())
    peer:send { flags = "RA", seq = 0, ack = 5001 }
    net:run { until_ = 0.9 }
    assert.equal("CLOSED", conn:state())
    assert.equal("ECONNREFUSED", select(2, conn:error()))
  end)

  it("drops what carries neither SYN nor RST", function()
    local _, conn, peer = sent()
    peer:send { flags = "A", seq = 1000, ack = 5001, payload = "x" }
    peer:send { flags = "F", seq = 1000 }
    peer:expect_nothing(0.5)
    assert.equal("SYN-SENT", conn:state())
  end)

  it("keeps the data of a SYN-ACK", function()
    local _, conn, peer = sent()
    peer:send { flags = "SA", seq = 1000, ack = 5001, payload = "early" }
    conn:wait_connected()
    assert.equal("early", conn:read_exactly(5, { timeout = 3 }) or peer:send {
      flags = "A", seq = 1001, ack = 5001, payload = "early" } and conn:read_exactly(5))
  end)

  it("RFC9293:3.10.4 is deleted by CLOSE, with nothing on the wire", function()
    local _, conn, peer = sent()
    conn:close()
    peer:expect_nothing(10)
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:3.10.5 is deleted by ABORT, with nothing on the wire", function()
    local _, conn, peer = sent()
    conn:abort()
    peer:expect_nothing(10)
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:3.10.2 queues SEND until ESTABLISHED", function()
    local _, conn, peer = sent()
    conn:write "queued"
    peer:send { flags = "SA", seq = 1000, ack = 5001, window = 1000 }
    conn:wait_connected()
    local packet = peer:receive()
    if packet.length == 0 then packet = peer:receive() end
    assert.equal("queued", packet.payload)
    assert.equal(5001, packet.seq)
  end)
end)

describe("SYN-RECEIVED", function()
  local function received(options)
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80, options)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", seq = 5000, ack = 1001 }
    return net, host, peer, listener
  end

  it("RFC9293:3.10.7.4 returns to LISTEN by a RST, and the user is not told", function()
    local net, host, peer, listener = received()
    peer:send { flags = "R", seq = 1001 }
    net:run { until_ = 0.1 }
    assert.equal(0, host:counters().connections)
    assert.equal("EAGAIN", select(3, listener:accept { timeout = 100 }))
    peer:send { flags = "S", seq = 9000 }
    peer:expect { flags = "SA", ack = 9001 }
  end)

  it("RFC9293:3.10.7.4 resets an ACK that is not of its SYN by <SEQ=SEG.ACK>", function()
    local _, _, peer = received()
    peer:send { flags = "A", seq = 1001, ack = 5000 }
    peer:expect { flags = "R", seq = 5000 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect { flags = "R", seq = 5002 }
  end)

  it("answers a repeated SYN without changing anything", function()
    local _, _, peer, listener = received()
    peer:send { flags = "S", seq = 1000 }
    local again = peer:expect { ack = 1001, flags = function(flags) return flags.ack and not flags.rst end }
    assert.is_true(again.seq == 5000 or again.seq == 5001)
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    assert.equal("ESTABLISHED", listener:accept():state())
  end)

  it("recovers from an old duplicate SYN, as figure 8 shows", function()
    local net, host, peer = lab.forge { host = { isn = 300 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 90, destination_port = 80 }   -- the old one
    peer:expect { flags = "SA", seq = 300, ack = 91 }
    peer:send { flags = "R", seq = 91 }                           -- the peer cannot know it
    net:run { until_ = 0.1 }
    peer:send { flags = "S", seq = 100 }                          -- the true one
    peer:expect { flags = "SA", ack = 101 }
    peer:send { flags = "A", seq = 101, ack = 301 }
    assert.equal("ESTABLISHED", listener:accept():state())
  end)

  it("takes a FIN before the user has accepted", function()
    local net, _, peer, listener = received()
    peer:send { flags = "FA", seq = 1001, ack = 5001 }
    net:run { until_ = 0.1 }
    local conn = listener:accept()
    assert.equal("CLOSE-WAIT", conn:state())
    assert.is_nil(conn:read(1))
  end)

  it("RFC9293:3.10.7.4 queues data that comes with the ACK", function()
    local _, _, peer, listener = received()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "at once" }
    assert.equal("at once", listener:accept():read(100))
  end)
end)

describe("a half-open connection", function()
  it("RFC9293:3.5.1 is discovered by the SYN of the end that forgot, as figure 9 shows", function()
    local _, conn, peer = wire.passive()
    -- The peer crashed, and opens again from the same socket: SYN, ACK, RST.
    peer:send { flags = "S", seq = 400 }
    peer:expect { flags = "A", seq = 5001, ack = 1001 }
    peer:send { flags = "R", seq = 1001 }
    local bytes, message, code = conn:read(1)
    assert.is_nil(bytes)
    assert.equal("connection reset by peer", message)
    assert.equal("ECONNRESET", code)
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:3.5.1 is discovered by data of the end that remembers, as figure 10 shows", function()
    local net, client, server = lab.connected()
    -- The server's host restarts: the end of its connection reaches nobody.
    net.wire:down()
    server:abort()
    net:run { until_ = 1 }
    net.wire:up()
    client:write "are you there?"
    assert.equal("ECONNRESET", select(3, client:read(1)))
    assert.equal("CLOSED", client:state())
  end)
end)
