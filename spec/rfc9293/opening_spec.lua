-- RFC 9293 section 3.5: opening, half-open connections, resets.
local lab = require "support.lab"
local wire = require "support.wire"

-- Both ends OPEN actively on fixed ports, at the same moment.
local function simultaneous(options)
  local net = lab.pair {
    listen = false, link = { delay = 0.01 },
    client = options.client or { isn = 100 }, server = options.server or { isn = 300 },
  }
  local a = assert(net.client:connect_start(net.server, 2000, { local_port = 1000 }))
  if options.later then net:run { until_ = options.later } end
  local b = assert(net.server:connect_start(net.client, 1000, { local_port = 2000 }))
  return net, a, b
end

describe("simultaneous open", function()
  it("RFC9293:MUST-10 passes through SYN-RECEIVED at both ends, as in figure 7", function()
    local net, a, b = simultaneous { client = { isn = 100, timestamps = false }, server = { isn = 300 } }
    assert.is_true(a:wait_connected { timeout = 5 })
    assert.is_true(b:wait_connected { timeout = 5 })
    net:run { until_ = 1 }
    assert.same({ "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(a))
    assert.same({ "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(b))
    assert.same({ "client > server S 100", "client > server SA 100 ack 301" },
      wire.lines(net, "flags seq ack", { only = "^client.* S" }))
    assert.same({ "server > client S 300", "server > client SA 300 ack 101" },
      wire.lines(net, "flags seq ack", { only = "^server.* S" }))
    -- One connection, and it carries data both ways.
    a:write "from a"
    b:write "from b"
    assert.equal("from a", b:read_exactly(6, { timeout = 1 }))
    assert.equal("from b", a:read_exactly(6, { timeout = 1 }))
    assert.equal(1, net.client:counters().connections)
    assert.equal(0, net.client:counters().resets_sent + net.server:counters().resets_sent)
  end)

  it("RFC9293:MUST-10 agrees on options", function()
    local net, a, b = simultaneous { client = { isn = 100 }, server = { isn = 300 } }
    a:wait_connected()
    b:wait_connected()
    for _, conn in ipairs { a, b } do
      local info = conn:info()
      assert.is_true(info.timestamps and info.sack and info.window_scaling)
    end
    a:write(("x"):rep(200000))
    assert.equal(200000, #b:read_exactly(200000, { timeout = 10 }))
    assert.equal(0, net.client:counters().resets_sent)
  end)

  it("RFC9293:MUST-10 survives the loss of any one of its first six packets", function()
    for nth = 1, 6 do
      local net, a, b = simultaneous {}
      net.wire:drop { tcp = true, nth = nth }
      assert.is_true(a:wait_connected { timeout = 20 }, "packet " .. nth)
      assert.is_true(b:wait_connected { timeout = 20 }, "packet " .. nth)
      a:write "ab"
      assert.equal("ab", b:read_exactly(2, { timeout = 20 }))
    end
  end)

  it("RFC9293:MUST-10 SYNs that cross on their way at different times", function()
    for _, later in ipairs { 0.001, 0.005, 0.009 } do
      local _, a, b = simultaneous { later = later }
      assert.is_true(a:wait_connected { timeout = 5 })
      assert.is_true(b:wait_connected { timeout = 5 })
    end
  end)

  it("RFC9293:MUST-10 with literal segments: SYN, SYN,ACK of both sides, nothing more", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S", seq = 5000 }
    peer:send { flags = "S", seq = 1000 }
    peer:expect { flags = "SA", seq = 5000, ack = 1001 }
    assert.equal("SYN-RECEIVED", conn:state())
    peer:send { flags = "SA", seq = 1000, ack = 5001 }
    assert.is_true(conn:wait_connected { timeout = 1 })
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    assert.equal("hello", conn:read(10))
  end)
end)

describe("SYN-RECEIVED", function()
  it("RFC9293:MUST-11 of a passive OPEN returns to LISTEN on RST, unknown to the user", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", ack = 1001 }
    peer:send { flags = "R", seq = 1001 }
    peer:expect_nothing(10)
    assert.equal(0, host:counters().connections)
    assert.is_nil((listener:accept { timeout = 0 }))
    -- LISTEN: the next SYN is answered as the first was.
    peer:send { flags = "S", seq = 7000, destination_port = 80 }
    peer:expect { flags = "SA", ack = 7001 }
    peer:send { flags = "A", seq = 7001, ack = 5001 }
    assert.is_truthy(listener:accept { timeout = 1 })
    assert.is_true(net:now() > 10)
  end)

  it("RFC9293:MUST-11 of an active OPEN ends as refused", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S" }
    peer:send { flags = "S", seq = 1000 }
    peer:expect { flags = "SA" }
    assert.equal("SYN-RECEIVED", conn:state())
    assert.is_false(conn:info().passive)
    peer:send { flags = "R", seq = 1001 }
    local ok, _, code = conn:wait_connected { timeout = 5 }
    assert.is_nil(ok)
    assert.equal("ECONNREFUSED", code)
    peer:expect_nothing(10)
  end)

  it("RFC9293:MUST-11 of a passive OPEN returns to LISTEN on a SYN in the window", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", ack = 1001 }
    peer:send { flags = "S", seq = 1100, destination_port = 80 }
    peer:send { flags = "S", seq = 1200, destination_port = 80 }
    peer:expect { flags = "SA", ack = 1201 }
    peer:send { flags = "A", seq = 1201, ack = 5001 }
    assert.is_truthy(listener:accept { timeout = 1 })
  end)

  it("RFC9293:MUST-11 of an active OPEN answers a SYN in the window with an ACK", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S" }
    peer:send { flags = "S", seq = 1000 }
    peer:expect { flags = "SA" }
    peer:send { flags = "S", seq = 1100 }
    peer:expect { flags = "A", seq = 5001, ack = 1001 }
    assert.equal("SYN-RECEIVED", conn:state())
  end)
end)

describe("old duplicates and half-open connections", function()
  it("RFC9293:3.5 figure 8: an old SYN is answered, refused, and the new one opens", function()
    local _, host, peer = lab.forge { host = { isn = 300 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 90, destination_port = 80 }
    peer:expect { flags = "SA", seq = 300, ack = 91 }
    peer:send { flags = "R", seq = 91 }
    peer:send { flags = "S", seq = 100 }
    peer:expect { flags = "SA", seq = 300, ack = 101 }
    peer:send { flags = "A", seq = 101, ack = 301 }
    assert.is_truthy(listener:accept { timeout = 1 })
  end)

  it("RFC9293:3.5.1 figure 9: a peer that has forgotten is told by its own SYN", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "S", seq = 400 }
    peer:expect { flags = "A", seq = 5001, ack = 1001 }
    peer:send { flags = "R", seq = 1001 }
    conn:wait_state("CLOSED", { timeout = 1 })
    assert.equal("ECONNRESET", select(2, conn:error()))
  end)

  it("RFC9293:3.5.2 a host that has forgotten answers data with <SEQ=SEG.ACK><CTL=RST>", function()
    local net, client, server = lab.connected()
    local info = client:info()
    net.wire:down()
    server:abort()
    net:run { until_ = 1 }
    net.wire:up()
    local mark = net.trace:mark() + 1
    client:write "hello"
    local bytes, _, code = client:read(1)
    assert.is_nil(bytes)
    assert.equal("ECONNRESET", code)
    local resets = wire.lines(net, "flags seq", { only = " R", since = mark })
    assert.same({ "server > client R " .. info.rcv_nxt }, resets)
  end)

  it("RFC9293:SHLD-2 a RST that carries data is a RST", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "R", seq = 1001, payload = "connection limit reached" }
    conn:wait_state("CLOSED", { timeout = 1 })
    assert.equal("ECONNRESET", select(2, conn:error()))
    peer:expect_nothing(5)
  end)

  it("RFC9293:SHLD-2 in SYN-SENT too", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S" }
    peer:send { flags = "RA", seq = 0, ack = 5001, payload = "go away" }
    local ok, _, code = conn:wait_connected { timeout = 1 }
    assert.is_nil(ok)
    assert.equal("ECONNREFUSED", code)
  end)

  it("RFC9293:3.5.3 a RST outside the window is not believed, one inside it is asked about", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "R", seq = 1000 }
    peer:send { flags = "R", seq = 1001 + 65535 }
    peer:expect_nothing(1)
    peer:send { flags = "R", seq = 1002 }
    peer:expect { flags = "A", seq = 5001, ack = 1001 }
    assert.equal("ESTABLISHED", conn:state())
  end)
end)
