-- Listening, its backlog, and the ports of active opens (RFC 9293 section 3.9, RFC 6056).
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

local function syn(peer, port)
  peer:send { flags = "S", seq = 1000, source_port = port, destination_port = 80 }
end

describe("the backlog", function()
  it("bounds those that wait in SYN-RECEIVED: further SYNs get nothing, and may come again", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80, { backlog = 3 })
    for port = 1, 5 do syn(peer, port) end
    net:run { until_ = 0.5 }
    local answered = {}
    for i, packet in ipairs(wire.drain(peer)) do
      assert.equal("SA", tostring(packet.flags))
      answered[i] = packet.destination_port
    end
    assert.same({ 1, 2, 3 }, answered)
    assert.is_true(host:counters().listen_overflows >= 2)
    -- One completes and is accepted: there is room for one more.
    peer:send { flags = "A", seq = 1001, ack = 5001, source_port = 1 }
    assert(listener:accept())
    syn(peer, 4)
    local packet = peer:receive()
    assert.equal(4, packet.destination_port)
  end)

  it("bounds the connections that wait for accept, and loses none of those it took", function()
    local net = lab.pair { listen = false }
    local listener = net.server:listen(80, { backlog = 2 })
    local conns = {}
    for i = 1, 5 do conns[i] = net.client:connect_start(net.server, 80) end
    net:run { until_ = 0.5 }
    local established = 0
    for _, conn in ipairs(conns) do
      if conn:state() == "ESTABLISHED" then established = established + 1 end
    end
    assert.is_true(established >= 2)
    -- As they are accepted, the others come in with their next SYN.
    local accepted = {}
    for i = 1, 5 do accepted[i] = assert(listener:accept { timeout = 60 }) end
    for _, conn in ipairs(conns) do
      assert(conn:wait_connected())
      conn:write "x"
    end
    for _, conn in ipairs(accepted) do assert.equal("x", conn:read(1)) end
  end)

  it("answers no SYN while as many as it says wait for accept", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80, { backlog = 2 })
    for port = 1, 2 do
      syn(peer, port)
      peer:expect { flags = "SA" }
      peer:send { flags = "A", seq = 1001, ack = 5001, source_port = port }
    end
    syn(peer, 3)
    net:run { until_ = net:now() + 0.5 }
    assert.same({}, wire.drain(peer))
    assert(listener:accept())
    syn(peer, 3)
    peer:expect { flags = "SA" }
  end)

  it("is accepted in the order of the handshakes' ends", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    for port = 1, 3 do
      syn(peer, port)
      peer:expect { flags = "SA" }
    end
    for _, port in ipairs { 2, 3, 1 } do
      peer:send { flags = "A", seq = 1001, ack = 5001, source_port = port }
    end
    local ports = {}
    for i = 1, 3 do ports[i] = listener:accept().remote_port end
    assert.same({ 2, 3, 1 }, ports)
  end)

  it("survives a flood of SYNs that nobody completes", function()
    local net, host, peer = lab.forge { host = { isn = 5000, syn_r2_time = 180 } }
    local listener = host:listen(80, { backlog = 10 })
    for port = 1, 2000 do syn(peer, port) end
    net:run { until_ = 1 }
    assert.is_true(host:counters().connections <= 10)
    net:run { until_ = 600 }
    assert.equal(0, host:counters().connections)
    wire.drain(peer)
    syn(peer, 3000)
    peer:expect { flags = "SA", destination_port = 3000 }
    peer:send { flags = "A", seq = 1001, ack = 5001, source_port = 3000 }
    assert.equal("ESTABLISHED", listener:accept():state())
  end)
end)

describe("a listener", function()
  it("RFC9293:3.10.4 that is closed resets what it had not handed over", function()
    local net = lab.pair()
    local client = assert(net.client:connect(net.server, 80))
    net:run { until_ = 1 }
    net.listener:close()
    assert.equal("ECONNRESET", select(3, client:read(1)))
    local again, _, code = net.client:connect(net.server, 80)
    assert.is_nil(again)
    assert.equal("ECONNREFUSED", code)
    assert(net.server:listen(80))
  end)

  -- SYNs of the script from these ports; those that `complete` says go on to the third segment.
  local function opens(net, peer, port, first, last, complete)
    for from = first, last do
      peer:send { flags = "S", seq = 1000, source_port = from, destination_port = port }
    end
    net:run { until_ = net:now() + 0.03 }
    for _, packet in ipairs(wire.drain(peer)) do
      if packet.flags.syn and complete then
        peer:send {
          flags = "A", seq = 1001, ack = packet.seq + 1 & 0xffffffff, source_port = packet.destination_port,
          destination_port = port,
        }
      end
    end
    net:run { until_ = net:now() + 0.03 }
  end

  it("RFC9293:3.10.5-2 that is closed resets its own, of thousands that came and went", function()
    local net, host, peer = lab.forge { network = { trace = false } }
    local listener = assert(host:listen(80, { backlog = 500 }))
    local other = assert(host:listen(81, { backlog = 500 }))
    local accepted = {}
    for round = 1, 20 do -- of each 100: 80 are accepted, the others half open until they are reset
      opens(net, peer, 80, 100 * round + 1, 100 * round + 80, true)
      opens(net, peer, 80, 100 * round + 81, 100 * round + 100, false)
      if round < 20 then
        for i = 1, 80 do
          local conn = assert(listener:accept())
          if i == 1 then
            accepted[round] = conn
          else
            conn:abort()
            conn:close()
          end
        end
        for port = 100 * round + 81, 100 * round + 100 - round % 3 do
          peer:send { flags = "R", seq = 1001, source_port = port, destination_port = 80 }
        end
        net:run { until_ = net:now() + 0.03 }
      end
    end
    opens(net, peer, 81, 1, 10, false)
    wire.drain(peer)
    local function resets_of_closing(which, port)
      which:close()
      net:run { until_ = net:now() + 0.03 }
      local count = 0
      for _, packet in ipairs(wire.drain(peer)) do
        if packet.flags.rst then
          assert.equal(port, packet.source_port)
          count = count + 1
        end
      end
      return count
    end
    local left = 0 -- of the rounds before, half open all the time
    for round = 1, 19 do left = left + round % 3 end
    assert.equal(80 + 20 + left, resets_of_closing(listener, 80))
    for _, conn in ipairs(accepted) do assert.equal("ESTABLISHED", conn:state()) end
    assert.equal(10, resets_of_closing(other, 81))
    assert.is_nil(net.core:check())
  end)

  it("costs no look at the connections of others when it is closed", function()
    local LISTENERS <const> = 400
    -- Processor time for the end of so many listeners, each with a child that is half open.
    local function cost(others)
      local net, host, peer = lab.forge { network = { trace = false } }
      local busy = assert(host:listen(80, { backlog = 60000 }))
      for first = 1, others, 1000 do opens(net, peer, 80, first, first + 999, false) end
      local listeners = {}
      for i = 1, LISTENERS do
        listeners[i] = assert(host:listen(1000 + i))
        peer:send { flags = "S", seq = 1000, source_port = 7, destination_port = 1000 + i }
      end
      net:run { until_ = net:now() + 0.03 }
      assert.equal(others + LISTENERS, host:counters().connections)
      local began = os.clock()
      for i = 1, LISTENERS do listeners[i]:close() end
      local took = os.clock() - began
      assert.equal(others, host:counters().connections)
      busy:close()
      net:close()
      return took
    end
    local least = math.huge
    for _ = 1, 3 do least = math.min(least, cost(12000)) end
    local alone = math.min(cost(0), cost(0), cost(0))
    assert.is_true(least < 3 * alone + 0.002, ("%.6f s among 12000, %.6f s alone"):format(least, alone))
  end)

  it("that is closed leaves what was accepted", function()
    local net, client, server = lab.connected()
    net.listener:close()
    client:write "x"
    assert.equal("x", server:read(1))
  end)

  it("RFC9293:MUST-42 serves many connections from one port", function()
    local net = lab.pair()
    local ends = {}
    for i = 1, 100 do
      local client, server = lab.handshake(net)
      ends[i] = { client, server }
      client:write(("message %d"):format(i))
    end
    for i, pair in ipairs(ends) do assert.equal(("message %d"):format(i), pair[2]:read(100)) end
  end)

  it("RFC9293:MUST-43 may be bound to one address", function()
    local net = tcp.network { seed = 1 }
    local client, server = net:host "client", net:host "server"
    net:link(client, server)
    net:link(client, server)
    local first, second = server.addresses[1].address, server.addresses[3].address
    assert(server:listen(80, { address = first }))
    assert(client:connect(first, 80))
    assert.equal("ECONNREFUSED", select(3, client:connect(second, 80)))
  end)

  it("RFC9293:MUST-57 takes no SYN that was sent to a broadcast or multicast address", function()
    local _, host, peer = lab.forge()
    host:listen(80)
    for _, to in ipairs { "255.255.255.255", "10.0.1.255", "224.0.0.1" } do
      peer:send { flags = "S", seq = 1, to = to, source = peer:address(), destination_port = 80 }
    end
    peer:expect_nothing(5)
  end)

  it("RFC9293:MUST-63 takes no SYN from a broadcast or multicast address", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    for _, from in ipairs { "255.255.255.255", "10.0.1.255", "224.0.0.1" } do
      peer:send { flags = "S", seq = 1, source = from, to = host, destination_port = 80 }
    end
    net:run { until_ = 5 }
    assert.equal(0, host:counters().connections)
    assert.equal(0, #wire.drain(peer))
  end)

  it("RFC9293:MUST-46 cannot be opened at a broadcast or multicast address", function()
    local _, host = lab.forge()
    for _, to in ipairs { "255.255.255.255", "224.0.0.1", "0.0.0.0" } do
      local conn, _, code = host:connect_start(to, 80)
      assert.is_nil(conn, to)
      assert.is_string(code)
    end
  end)
end)

describe("ephemeral ports", function()
  it("RFC6056:3.1-1 lie in the range that is set, and none is used twice at a time", function()
    local net = lab.pair()
    local seen = {}
    for _ = 1, 200 do
      local client = lab.handshake(net)
      local port = client.local_port
      assert.is_true(port >= 1024 and port <= 65535, port)
      assert.is_nil(seen[port])
      seen[port] = client
    end
  end)

  it("RFC6056:3.3-1 RFC5927:4.2-1 begin where a secret says, and not at one place for all", function()
    local first, distinct = {}, 0
    for seed = 1, 20 do
      local net = lab.pair { seed = seed }
      local port = net.client:connect_start(net.server, 80).local_port
      if not first[port] then distinct = distinct + 1 end
      first[port] = true
    end
    assert.is_true(distinct >= 19, distinct)
  end)

  it("RFC6056:3.2-2 are of the whole range, 1024 to 65535, or of the one that is set", function()
    local least, most = 65535, 0
    for seed = 1, 60 do
      local net = lab.pair { seed = seed }
      local port = net.client:connect_start(net.server, 80).local_port
      least, most = math.min(least, port), math.max(most, port)
      net:close()
    end
    assert.is_true(least >= 1024 and least < 8000, least)
    assert.is_true(most > 58000, most)

    local net = lab.pair { client = { port_first = 2000, port_last = 2004 } }
    local seen = {}
    for _ = 1, 5 do seen[#seen + 1] = net.client:connect_start(net.server, 80).local_port end
    table.sort(seen)
    assert.same({ 2000, 2001, 2002, 2003, 2004 }, seen)
    assert.equal("EADDRNOTAVAIL", select(3, net.client:connect_start(net.server, 80)))
    net = lab.pair { client = { port_first = 2000, port_last = 1999 } }
    assert.equal("EADDRNOTAVAIL", select(3, net.client:connect_start(net.server, 80)))
  end)

  it("RFC6056:3.2-1 are none that somebody listens on", function()
    local net = lab.pair { client = { port_first = 2000, port_last = 2004 } }
    net.client:listen(2001)
    net.client:listen(2003)
    local seen = {}
    for _ = 1, 3 do seen[#seen + 1] = net.client:connect_start(net.server, 80).local_port end
    table.sort(seen)
    assert.same({ 2000, 2002, 2004 }, seen)
  end)

  it("RFC6056:3.3.3-1 of one destination follow each other, those of another begin elsewhere", function()
    local net = lab.pair { client = { port_first = 1024, port_last = 65535 } }
    net.server:listen(81)
    local function next_port(port) return net.client:connect_start(net.server, port).local_port end
    local first = next_port(80)
    local other = next_port(81)
    local second = next_port(80)
    assert.equal((first - 1024 + 2) % 64512, second - 1024) -- one counter for all
    assert.is_true((other - first) % 64512 > 100)
  end)

  it("of another destination may be the same", function()
    local net = lab.pair()
    net.server:listen(81)
    local a = assert(net.client:connect(net.server, 80, { local_port = 5000 }))
    local b = assert(net.client:connect(net.server, 81, { local_port = 5000 }))
    assert.equal(a.local_port, b.local_port)
    local c, _, code = net.client:connect(net.server, 80, { local_port = 5000 })
    assert.is_nil(c)
    assert.equal("EISCONN", code)
  end)

  it("can all be in use: EADDRNOTAVAIL", function()
    local net = lab.pair { link = { delay = 0.001 } }
    local held, code = {}, nil
    for _ = 1, 70000 do
      local conn, _, problem = net.client:connect_start(net.server, 80)
      if not conn then
        code = problem
        break
      end
      held[#held + 1] = conn
    end
    assert.equal("EADDRNOTAVAIL", code)
    assert.is_true(#held > 10000, #held)
    net:close()
  end)
end)

describe("listeners", function()
  it("are found by address first, then as any of IPv4, then as any", function()
    local net = lab.pair { listen = false }
    local at = {
      any = net.server:listen(80, { address = "::" }),
      v4 = net.server:listen(80, { address = "0.0.0.0" }),
      own = net.server:listen(80, { address = net.server:address() }),
    }
    local function taken()
      local conn = assert(net.client:connect(net.server, 80))
      for name, listener in pairs(at) do
        if not listener.closed and listener:accept { timeout = 0.1 } then return name, conn end
      end
    end
    for _, name in ipairs { "own", "v4", "any" } do
      assert.equal(name, (taken()))
      at[name]:close()
    end
    assert.equal("ECONNREFUSED", select(3, net.client:connect(net.server, 80)))
  end)

  it("may be 10,000: each is found, and those that are closed no more", function()
    local net = lab.pair { listen = false, network = { trace = false } }
    local listeners = {}
    for port = 1, 10000 do listeners[port] = assert(net.server:listen(port)) end
    assert.equal(10000, net.server:counters().listeners)
    for port = 2, 10000, 2 do listeners[port]:close() end
    for port = 1, 10000, 997 do
      local conn, _, code = net.client:connect(net.server, port)
      if port % 2 == 0 then
        assert.equal("ECONNREFUSED", code)
      else
        assert(conn)
        assert.equal(port, assert(listeners[port]:accept { timeout = 1 }):info().local_port)
      end
    end
    assert.equal("EADDRINUSE", select(3, net.server:listen(9999)))
    assert(net.server:listen(10000))
    for port = 1, 10000, 2 do listeners[port]:close() end
    assert.equal(1, net.server:counters().listeners)
  end)

  it("tell of their connections in the order of these, and forget it when they are closed", function()
    local net = lab.pair { listen = false }
    local listeners = {}
    for port = 1, 5 do listeners[port] = net.server:listen(port) end
    for _, port in ipairs { 4, 2, 5, 1, 3 } do net.client:connect(net.server, port) end
    listeners[2]:close()
    listeners[3]:close()
    listeners[4]:close()
    for _, port in ipairs { 5, 1 } do assert(listeners[port]:accept { timeout = 1 }) end
    assert.equal(2, net.server:counters().listeners)
  end)
end)
