-- RFC 9293 section 3.9.1: the interface between user and TCP.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

-- A host on two links, with a peer at the far end of each.
local function multihomed(options)
  local net = tcp.network { seed = 1 }
  local host = net:host("host", options or { isn = 5000 })
  local one, two = net:peer "one", net:peer "two"
  net:link(one, host) -- 10.0.1.1 - 10.0.1.2
  net:link(two, host) -- 10.0.2.1 - 10.0.2.2
  return net, host, one, two
end

-- Where everything that the host sent came from.
local function sources(net, peer)
  local list = {}
  for _, record in ipairs(net.trace:packets { kind = "sent" }) do
    local s = record.segment
    if s.destination == peer:address() then list[s.source] = (list[s.source] or 0) + 1 end
  end
  return list
end

describe("OPEN", function()
  it("RFC9293:MUST-41 a passive one leaves connections on that port as they are", function()
    local net, client, server = lab.connected()
    local before = server:info()
    net.listener:close()
    local again = assert(net.server:listen(80))
    assert.same(before, server:info())
    client:write "still"
    assert.equal("still", server:read_exactly(5))
    assert.is_truthy(net.client:connect(net.server, 80))
    assert.is_truthy(again:accept())
  end)

  it("RFC9293:MUST-41 a second one on the same socket is an error, and the first goes on", function()
    local net = lab.pair()
    local second, _, code = net.server:listen(80)
    assert.is_nil(second)
    assert.equal("EADDRINUSE", code)
    assert.is_truthy(net.client:connect(net.server, 80))
    assert.is_truthy(net.listener:accept())
  end)

  it("RFC9293:MUST-42 LISTEN on the port of a connection in SYN-SENT", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local active = host:connect_start(peer, 99, { local_port = 80 })
    peer:expect { flags = "S", source_port = 80, destination_port = 99 }
    assert.equal("SYN-SENT", active:state())
    local listener = assert(host:listen(80))
    peer:send { flags = "S", seq = 1, source_port = 7, destination_port = 80 }
    peer:expect { flags = "SA", destination_port = 7, ack = 2 }
    peer:send { flags = "A", seq = 2, ack = 5001, source_port = 7 }
    assert.is_truthy(listener:accept { timeout = 1 })
    -- And the one in SYN-SENT opens as if nothing had been.
    peer:send { flags = "SA", seq = 1000, ack = 5001, source_port = 99 }
    assert.is_true(active:wait_connected { timeout = 1 })
  end)

  it("RFC9293:MUST-42 and of one in SYN-RECEIVED", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local active = host:connect_start(peer, 99, { local_port = 80 })
    peer:expect { flags = "S" }
    peer:send { flags = "S", seq = 1000, source_port = 99, destination_port = 80 }
    peer:expect { flags = "SA" }
    assert.equal("SYN-RECEIVED", active:state())
    local listener = assert(host:listen(80))
    peer:send { flags = "S", seq = 1, source_port = 7, destination_port = 80 }
    peer:expect { flags = "SA", destination_port = 7, ack = 2 }
    peer:send { flags = "A", seq = 2, ack = 5001 }
    assert.is_truthy(listener:accept { timeout = 1 })
    peer:send { flags = "A", seq = 1001, ack = 5001, source_port = 99 }
    assert.is_true(active:wait_connected { timeout = 1 })
  end)

  it("RFC9293:MUST-43 takes a local address: active", function()
    local net, host, one = multihomed()
    host:connect_start(one, 80, { local_address = "10.0.2.2" })
    net:run { until_ = 0.5 }
    one:expect { flags = "S", source = "10.0.2.2" }
  end)

  it("RFC9293:MUST-43 one that is not the host's is an error", function()
    local _, host, one = multihomed()
    local conn, _, code = host:connect_start(one, 80, { local_address = "10.9.9.9" })
    assert.is_nil(conn)
    assert.equal("EADDRNOTAVAIL", code)
    local listener
    listener, _, code = host:listen(80, { address = "10.9.9.9" })
    assert.is_nil(listener)
    assert.equal("EADDRNOTAVAIL", code)
  end)

  it("RFC9293:MUST-43 takes a local address: passive, and waits for that one alone", function()
    local _, host, one = multihomed()
    local only = assert(host:listen(80, { address = "10.0.1.2" }))
    one:send { flags = "S", seq = 1, destination = "10.0.2.2", destination_port = 80 }
    one:expect { flags = "RA", source = "10.0.2.2" }
    one:send { flags = "S", seq = 1, source_port = 2, destination = "10.0.1.2", destination_port = 80 }
    one:expect { flags = "SA", source = "10.0.1.2" }
    -- Another one may wait at the other address of the same port.
    local other = assert(host:listen(80, { address = "10.0.2.2" }))
    one:send { flags = "S", seq = 1, source_port = 3, destination = "10.0.2.2", destination_port = 80 }
    one:expect { flags = "SA", source = "10.0.2.2" }
    one:send { flags = "A", seq = 2, ack = 5001 }
    assert.is_truthy(other:accept { timeout = 1 })
    assert.is_nil((only:accept { timeout = 0 }))
  end)

  it("RFC9293:MUST-44 without one, IP chooses before the SYN: the address on the way", function()
    local _, host, one, two = multihomed()
    local conn = host:connect_start(two, 80)
    assert.equal("10.0.2.2", conn:info().local_address)
    two:expect { flags = "S", source = "10.0.2.2" }
    assert.equal("10.0.1.2", host:connect_start(one, 80):info().local_address)
    one:expect { flags = "S", source = "10.0.1.2" }
  end)

  it("RFC9293:MUST-44 of the right family", function()
    local _, host, one = multihomed()
    host:connect_start(one, 80, { family = 6 })
    one:expect { flags = "S", version = 6, source = host:address(one, 6) }
  end)

  it("RFC9293:MUST-45 the address stays through the whole connection, active", function()
    local net, host, one = multihomed()
    local conn = host:connect_start(one, 80, { local_address = "10.0.2.2" })
    local syn = one:expect { flags = "S" }
    one:send { flags = "SA", seq = 1000, ack = syn.seq + 1 }
    one:expect { flags = "A" }
    conn:write "data"
    net:run { until_ = net:now() + 5 } -- sent again and again
    one:send { flags = "FA", seq = 1001, ack = 5005 }
    conn:shutdown()
    net:run { until_ = net:now() + 5 }
    conn:abort()
    net:run { until_ = net:now() + 1 }
    local seen = sources(net, one)
    assert.is_true(seen["10.0.2.2"] > 6)
    seen["10.0.2.2"] = nil
    assert.same({}, seen)
  end)

  it("RFC9293:MUST-45 the address that the SYN named stays, passive", function()
    local net, host, one = multihomed()
    local listener = host:listen(80)
    one:send { flags = "S", seq = 1000, destination = "10.0.2.2", destination_port = 80 }
    one:expect { flags = "SA", source = "10.0.2.2" }
    one:send { flags = "A", seq = 1001, ack = 5001 }
    local conn = assert(listener:accept())
    conn:write "data"
    net:run { until_ = net:now() + 5 }
    conn:abort()
    net:run { until_ = net:now() + 1 }
    local seen = sources(net, one)
    assert.is_true(seen["10.0.2.2"] > 4)
    seen["10.0.2.2"] = nil
    assert.same({}, seen)
  end)

  it("RFC9293:MUST-46 is refused to addresses that name no single host", function()
    local net, host = multihomed()
    for _, address in ipairs {
      "255.255.255.255", "10.0.1.255", "10.0.2.255", "224.0.0.1", "239.1.2.3", "0.0.0.0", "::", "ff02::1",
    } do
      local conn, message, code = host:connect(address, 80)
      assert.is_nil(conn, address)
      assert.is_truthy(message)
      assert.is_truthy(code)
    end
    net:run { until_ = 10 }
    assert.equal(0, #net.trace:packets())
    assert.equal(0, host:counters().connections)
  end)
end)

describe("asynchronous reports", function()
  -- Tells the host that its packet met an obstacle.
  local function icmp(peer, packet, kind)
    peer:send(tcp.encode {
      source = packet.destination, destination = packet.source, icmp = { kind = kind, quote = packet.bytes },
    })
  end

  local function heard_of(conn)
    local heard = {}
    for _, kind in ipairs { "soft_error", "advice" } do
      conn:on(kind, function(_, code) heard[#heard + 1] = kind .. " " .. tostring(code) end)
    end
    return heard
  end

  it("RFC9293:MUST-47 tell of ICMP errors", function()
    local net, conn, peer = wire.passive()
    local heard = heard_of(conn)
    conn:write "x"
    icmp(peer, peer:expect { seq = 5001 }, "host unreachable")
    net:run { until_ = net:now() + 0.5 }
    assert.same({ "soft_error EHOSTUNREACH" }, heard)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:MUST-47 of excessive retransmission", function()
    local net, conn = wire.passive()
    local heard = heard_of(conn)
    conn:write "x"
    net:run { until_ = net:now() + 60 }
    assert.equal(1, #heard)
    assert.is_truthy(heard[1]:find "^advice")
  end)

  it("RFC9293:MUST-47 of the urgent pointer", function()
    local net, conn, peer = wire.passive()
    local heard = 0
    conn:on("urgent", function() heard = heard + 1 end)
    peer:send { flags = "UA", seq = 1001, ack = 5001, urgent = 9 }
    net:run { until_ = net:now() + 0.5 }
    assert.equal(1, heard)
  end)

  it("RFC9293:SHLD-20 can be switched off", function()
    local net, conn, peer = wire.passive { host = { report_soft_errors = false } }
    local heard = heard_of(conn)
    conn:write "x"
    icmp(peer, peer:expect { seq = 5001 }, "host unreachable")
    net:run { until_ = net:now() + 60 }
    assert.same({}, heard)
    conn:set { report_soft_errors = true }
    icmp(peer, wire.drain(peer)[1], "host unreachable")
    net:run { until_ = net:now() + 1 }
    assert.same({ "soft_error EHOSTUNREACH" }, heard)
  end)
end)

describe("DiffServ", function()
  for _, family in ipairs { 4, 6 } do
    it("RFC9293:MUST-48 is the application's to set, active OPEN, IPv" .. family, function()
      local net, host, peer = lab.forge { host = { isn = 5000 } }
      local conn = host:connect_start(peer, 80, { dscp = 46, family = family })
      peer:expect { flags = "S", dscp = 46 }
      peer:send { flags = "SA", seq = 1000, ack = 5001 }
      peer:expect { flags = "A", dscp = 46 }
      conn:write "x"
      peer:expect { length = 1, dscp = 46 }
      peer:expect { length = 1, dscp = 46 } -- sent again
      peer:send { flags = "A", seq = 1001, ack = 5002 }
      conn:abort()
      peer:expect { flags = "R", dscp = 46 }
      assert.is_true(net:now() < 10)
    end)

    it("RFC9293:MUST-48 and passive, IPv" .. family, function()
      local _, host, peer = lab.forge()
      host:listen(80, { dscp = 10 })
      host:listen(81)
      for port, dscp in pairs { [80] = 10, [81] = 0 } do
        peer:send { destination = host:address(peer, family), flags = "S", seq = 1, destination_port = port }
        peer:expect { flags = "SA", dscp = dscp }
      end
    end)
  end

  it("RFC9293:SHLD-21 can be changed during a connection", function()
    local net, conn, peer = wire.passive { host = { nagle = false } }
    local other = assert(net.host_under_test:connect_start(peer, 99))
    peer:expect { flags = "S", dscp = 0 }
    for _, dscp in ipairs { 46, 8, 0, 63 } do
      conn:set { dscp = dscp }
      conn:write "x"
      peer:expect { source_port = 80, length = 1, dscp = dscp }
    end
    assert.equal(0, other:settings().dscp)
  end)

  it("RFC9293:SHLD-22 reaches IP unchanged, and leaves ECN's two bits alone", function()
    for dscp = 0, 63 do
      local _, conn, peer = wire.passive { host = { dscp = dscp } }
      conn:write "x"
      peer:expect { length = 1, dscp = dscp, ecn = 0 }
    end
    assert.has_error(function() lab.forge { host = { dscp = 64 } } end)
  end)

  it("RFC9293:SHLD-23 stays the same all through when the application does not change it", function()
    local net, client, server = lab.connected { client = { dscp = 18 }, server = { dscp = 34 } }
    net.wire:drop { data = true, nth = 3 }
    client:write(("x"):rep(30000))
    assert.equal(30000, #server:read_exactly(30000))
    client:shutdown()
    server:shutdown()
    net:run { until_ = net:now() + 5 }
    for _, record in ipairs(net.trace:packets { kind = "sent" }) do
      local segment = record.segment
      assert.equal(segment.source == net.client:address() and 18 or 34, segment.dscp)
    end
  end)

  it("RFC9293:MAY-9 what was received last can be asked for", function()
    local net, conn, peer = wire.passive()
    for _, dscp in ipairs { 46, 0, 10 } do
      peer:send { flags = "A", seq = 1001, ack = 5001, dscp = dscp }
      net:run { until_ = net:now() + 0.1 }
      assert.equal(dscp, conn:info().received_dscp)
    end
  end)
end)

describe("SEND", function()
  -- A connection whose first octet is unacknowledged: what is written waits.
  local function waiting()
    local net, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a" }
    return net, conn, peer
  end

  it("RFC9293:MUST-60 buffers nothing for ever: without any PUSH call all of it leaves", function()
    local net, conn, peer = wire.passive()
    conn:write("held back", { more = true })
    local packet = peer:expect { seq = 5001, timeout = 5 }
    assert.equal("held back", packet.payload)
    assert.is_true(net:now() < 5)
  end)

  it("RFC9293:MUST-60 without the flag it leaves at once", function()
    local _, conn, peer = wire.passive()
    conn:write "now"
    peer:expect { payload = "now", timeout = 0.02 }
  end)

  it("RFC9293:MUST-60 a task that writes all it has and then waits is not left waiting", function()
    local net, client, server = lab.connected()
    net:spawn(function()
      for _ = 1, 20 do
        client:write(("q"):rep(37), { more = true })
        assert.is_truthy(client:read(1))
      end
    end)
    net:spawn(function()
      for _ = 1, 20 do
        assert(server:read_exactly(37))
        server:write("r", { more = true })
      end
    end)
    net:run()
  end)

  it("RFC9293:MUST-61 PSH stands in the last segment that is buffered", function()
    for _, octets in ipairs { 1, 999, 1000, 1001, 3000, 3500 } do
      local net, conn, peer = wire.passive { host = { initial_window = 10, nagle = false } }
      conn:write(("x"):rep(octets))
      net:run { until_ = net:now() + 0.5 }
      local packets = wire.drain(peer)
      for i, packet in ipairs(packets) do assert.equal(i == #packets, packet.flags.psh, octets) end
    end
  end)

  it("RFC9293:MUST-61 also where the user said that more will follow", function()
    local _, conn, peer = wire.passive()
    conn:write(("x"):rep(1000), { more = true })
    assert.is_true(peer:expect({ length = 1000 }).flags.psh)
  end)

  it("RFC9293:SHLD-27 successive PUSHes make one large segment", function()
    local _, conn, peer = waiting()
    for _ = 1, 25 do
      conn:write(("b"):rep(100))
      conn.net:settle()
    end
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect { seq = 5002, length = 1000 }
    peer:expect { seq = 6002, length = 1000 }
    peer:send { flags = "A", seq = 1001, ack = 7002 }
    peer:expect { seq = 7002, length = 500, flags = "PA" }
  end)

  it("RFC9293:SHLD-28 full-sized segments are sent whenever possible", function()
    local net, conn, peer = waiting()
    net:spawn(function()
      for _ = 1, 1000 do conn:write(("c"):rep(77)) end
    end)
    local nxt, small = 5002, 0
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    while nxt < 5002 + 77000 do
      for _, packet in ipairs(wire.drain(peer, 0.05)) do
        if packet.length < 1000 then small = small + 1 end
        nxt = packet.seq + packet.length
      end
      peer:send { flags = "A", seq = 1001, ack = nxt }
    end
    assert.is_true(small <= 1, small)
  end)

  it("RFC9293:SHLD-28 what lies in two pieces of the buffer makes one segment", function()
    local _, conn, peer = waiting()
    conn:write(("b"):rep(600), { more = true })
    conn.net:settle()
    conn:write(("c"):rep(600))
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect { seq = 5002, payload = ("b"):rep(600) .. ("c"):rep(400) }
  end)

  it("RFC9293:SHLD-28 small pieces that were queued one by one are sent together", function()
    local _, conn, peer = wire.passive { host = { nagle = false }, window = 0 }
    for _ = 1, 20 do
      conn:write(("d"):rep(150))
      conn.net:settle()
    end
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 60000 }
    for i = 0, 2 do peer:expect { seq = 5001 + i * 1000, length = 1000, timeout = 0.1 } end
  end)

  it("RFC9293:MAY-15 PUSH is the default, and can be left out", function()
    local _, conn, peer = wire.passive()
    conn:write "pushed"
    peer:expect { flags = "PA", payload = "pushed", timeout = 0.05 }
    peer:send { flags = "A", seq = 1001, ack = 5007 }
    conn:write("not pushed", { more = true })
    peer:expect_nothing(0.1)
    conn:write ", now"
    peer:expect { flags = "PA", payload = "not pushed, now", timeout = 0.05 }
  end)

  it("RFC9293:MAY-16 SENDs without PUSH are gathered", function()
    local _, conn, peer = wire.passive()
    for _, text in ipairs { "one ", "two ", "three " } do
      conn:write(text, { more = true })
      conn.net:settle()
    end
    peer:expect_nothing(0.1)
    conn:write "four"
    peer:expect { seq = 5001, payload = "one two three four", timeout = 0.05 }
  end)

  it("RFC9293:MAY-14 FLUSH drops what is queued and not sent, and no number is lost", function()
    local net, conn, peer = waiting()
    conn:write "never seen"
    conn.net:settle()
    assert.equal(10, conn:discard())
    assert.equal(0, conn:info().unsent)
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect_nothing(5)
    conn:write "seen"
    peer:expect { seq = 5002, payload = "seen" }
    assert.equal(0, conn:discard())
    peer:send { flags = "A", seq = 1001, ack = 5006 }
    conn:shutdown()
    peer:expect { flags = "FA", seq = 5006 }
    assert.is_true(net:now() < 20)
  end)

  it("RFC9293:MAY-14 FLUSH leaves what is in flight alone", function()
    local net, conn, peer = waiting()
    conn:write "never seen"
    conn.net:settle()
    assert.equal(10, conn:discard())
    net:run { until_ = net:now() + 1.5 }
    assert.equal("a", wire.drain(peer)[1].payload) -- sent again
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    assert.is_true(conn:flush { timeout = 1 })
  end)

  it("RFC9293:MAY-14 FLUSH leaves a queued FIN in place", function()
    local _, conn, peer = wire.passive { window = 0 }
    conn:write "never seen"
    conn:shutdown()
    conn.net:settle()
    assert.equal(10, conn:discard())
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 1000 }
    peer:expect { flags = "FA", seq = 5001, length = 0 }
  end)
end)

describe("RECEIVE", function()
  it("RFC9293:MAY-17 tells whether what is there was pushed", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = "abc" }
    net:run { until_ = net:now() + 0.1 }
    assert.is_false(conn:info().pushed)
    peer:send { flags = "PA", seq = 1004, ack = 5001, payload = "def" }
    net:run { until_ = net:now() + 0.1 }
    assert.is_true(conn:info().pushed)
    assert.equal("abcdef", conn:read(10))
    assert.is_false(conn:info().pushed)
  end)
end)
