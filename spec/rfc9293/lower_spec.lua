-- RFC 9293 section 3.9.2: the interface to IP. TTL, IP options, source routes, ICMP, addresses.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

local function wait(net, seconds) net:run { until_ = net:now() + seconds } end

-- An ICMP message about a packet of the host's.
local function icmp(peer, packet, message)
  message.quote = message.quote or packet.bytes
  peer:send(tcp.encode { source = packet.destination, destination = packet.source, icmp = message })
end

describe("time to live", function()
  for _, family in ipairs { 4, 6 } do
    it("RFC9293:MUST-49 can be set, for hosts, listeners and connections, IPv" .. family, function()
      local net, host, peer = lab.forge { host = { ttl = 200, isn = 5000 } }
      local conn = host:connect_start(peer, 80, { family = family })
      peer:expect { flags = "S", ttl = 200 }
      peer:send { flags = "SA", seq = 1000, ack = 5001 }
      peer:expect { flags = "A", ttl = 200 }
      conn:set { ttl = 7 }
      conn:write "x"
      peer:expect { length = 1, ttl = 7 }
      host:connect_start(peer, 81, { family = family, ttl = 1 })
      peer:expect { flags = "S", ttl = 1 }
      host:listen(90, { ttl = 255 })
      peer:send { flags = "S", seq = 1, source_port = 9, destination_port = 90 }
      peer:expect { flags = "SA", ttl = 255 }
      assert.is_true(net:now() < 1)
    end)
  end

  it("RFC9293:MUST-49 counts: a router ends a packet whose time is over", function()
    local net = tcp.network { seed = 1 }
    local a, router, b = net:host "a", net:router(), net:host "b"
    net:link(a, router)
    net:link(router, b)
    b:listen(80)
    local soft
    local near = a:connect_start(b, 80, { ttl = 1 })
    near:on("soft_error", function(_, code) soft = code end)
    wait(net, 2)
    assert.equal("SYN-SENT", near:state())
    assert.is_truthy(soft)
    assert.is_truthy(a:connect(b, 80, { ttl = 2 }))
  end)
end)

describe("IP options", function()
  local unknown <const> = "\x9e\4\1\2" -- one that nobody knows, copied into fragments

  it("RFC9293:MUST-50 unknown ones are ignored", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80, ip_options = unknown }
    local answer = peer:expect { flags = "SA", ack = 1001 }
    assert.equal("", answer.ip_options)
    peer:send { flags = "A", seq = 1001, ack = 5001, ip_options = "\1\1" .. unknown .. "\0\0" }
    local conn = assert(listener:accept())
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello", ip_options = unknown }
    assert.equal("hello", conn:read(10))
    peer:send { flags = "FA", seq = 1006, ack = 5001, ip_options = unknown }
    assert.is_nil((conn:read(1)))
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("RFC9293:MUST-50 of every kind, beside known ones", function()
    local net, conn, peer = wire.passive()
    local seq = 1001
    for kind = 2, 255 do
      if kind ~= 131 and kind ~= 137 then -- the source routes
        peer:send {
          flags = "PA", seq = seq, ack = 5001, payload = "x", ip_options = string.char(kind, 4) .. "\0\0",
        }
        seq = seq + 1
      end
    end
    wait(net, 1)
    assert.equal(252, conn:info().unread)
    assert.equal("ESTABLISHED", conn:state())
  end)
end)

-- a - r1 - r2 - b, and a path a - r1 - x - r2 - b that only a source route takes.
local function detour()
  local net = tcp.network { seed = 1 }
  local a, b = net:host("a", { isn = 100 }), net:host("b", { isn = 300 })
  local first, second, x = net:router "first", net:router "second", net:router "x"
  net:link(a, first)
  net:link(first, second)
  net:link(second, b)
  net.by_x = { net:link(first, x), net:link(x, second) }
  net.x = x
  return net, a, b
end

local function passed(link, source)
  local count = 0
  for _, record in ipairs(link.net.trace:packets { kind = "delivered" }) do
    if record.link == link.core:id() and record.segment.source == source then count = count + 1 end
  end
  return count
end

local LOOSE <const> = 131

-- A source route option: the hops still to come, or with `done` those that were passed.
local function route_option(hops, done)
  local octets = ""
  for _, hop in ipairs(hops) do
    for part in hop:gmatch "%d+" do octets = octets .. string.char(tonumber(part)) end
  end
  return string.char(LOOSE, 3 + #octets, done and 4 + #octets or 4) .. octets .. "\0"
end

-- The addresses of a packet's source route option, and its pointer.
local function route_of(packet)
  local options = packet.ip_options
  local at = 1
  while at <= #options and options:byte(at) == 1 do at = at + 1 end
  if options:byte(at) ~= LOOSE then return nil end
  local hops = {}
  for i = at + 3, at + options:byte(at + 1) - 1, 4 do
    hops[#hops + 1] = table.concat({ options:byte(i, i + 3) }, ".")
  end
  return hops, options:byte(at + 2)
end

describe("source route", function()
  it("RFC9293:MUST-51 is given with an active OPEN: where the SYN goes, and what it carries", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = assert(host:connect_start("192.0.2.9", 80, {
      source_route = { peer:address(), "198.51.100.7" },
    }))
    local syn = peer:expect { flags = "S", destination = peer:address() }
    assert.same({ { "198.51.100.7", "192.0.2.9" }, 4 }, { route_of(syn) })
    assert.equal("192.0.2.9", conn:info().remote_address)
  end)

  it("RFC9293:MUST-51 the checksum is over the last destination", function()
    local _, host, peer = lab.forge()
    host:connect_start("192.0.2.9", 80, { source_route = { peer:address() } })
    local syn = peer:expect { flags = "S" }
    -- As it will look when it has arrived.
    local there = tcp.decode(tcp.encode {
      source = syn.source, destination = "192.0.2.9", source_port = syn.source_port, destination_port = 80,
      seq = syn.seq, flags = "S", window = syn.window, options = syn.bytes:sub(
        syn.ip_header_length + 21, syn.ip_header_length + syn.header_length),
    })
    assert.equal(there.checksum, syn.checksum)
  end)

  it("RFC9293:MUST-51 leads through the network", function()
    local net, a, b = detour()
    local listener = b:listen(80)
    local conn = assert(a:connect(b, 80, { source_route = { net.x:address() }, timeout = 5 }))
    local server = assert(listener:accept())
    conn:write(("x"):rep(5000))
    assert.equal(5000, #server:read_exactly(5000, { timeout = 5 }))
    assert.is_true(passed(net.by_x[1], a:address()) > 4)
    assert.is_true(passed(net.by_x[2], a:address()) > 4)
  end)

  it("RFC9293:MUST-51 takes the place of data: segments stay within the MTU", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start("192.0.2.9", 80, { source_route = { peer:address(), "198.51.100.7" } })
    peer:expect { flags = "S" }
    peer:send {
      source = "192.0.2.9", destination = host:address(), source_port = 80,
      flags = "SA", seq = 1000, ack = 5001, options = { mss = 1460 },
    }
    peer:expect { flags = "A" }
    conn:write(("x"):rep(5000))
    wait(net, 0.5)
    local packets = wire.drain(peer)
    assert.is_true(#packets > 0)
    for _, packet in ipairs(packets) do
      assert.is_true(packet.total_length <= 1500)
      assert.is_truthy(route_of(packet))
    end
  end)

  it("RFC9293:MUST-52 the application's wins over one that arrives", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start("192.0.2.9", 80, { source_route = { peer:address(), "198.51.100.7" } })
    peer:expect { flags = "S" }
    peer:send {
      source = "192.0.2.9", destination = host:address(), source_port = 80,
      flags = "SA", seq = 1000, ack = 5001,
      ip_options = route_option({ "203.0.113.1", peer:address() }, true),
    }
    local ack = peer:expect { flags = "A" }
    assert.same({ "198.51.100.7", "192.0.2.9" }, (route_of(ack)))
    conn:write "x"
    assert.same({ "198.51.100.7", "192.0.2.9" }, (route_of(peer:expect { length = 1 })))
  end)

  -- A SYN that came from 192.0.2.9 by 203.0.113.1 and then the peer.
  local function arrived(options)
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    local near = { peer:address() }
    local full = { "203.0.113.1", peer:address() }
    local function send(fields, hops)
      fields.source, fields.destination = "192.0.2.9", host:address()
      fields.source_port, fields.destination_port = 1024, 80
      fields.ip_options = hops and route_option(hops, true)
      peer:send(fields)
    end
    send({ flags = "S", seq = 1000 }, options and options.hops or full)
    return net, peer, listener, send, near, full
  end

  it("RFC9293:MUST-53 one that arrived is used the other way round, in all segments", function()
    local net, peer, listener, send = arrived()
    local back = { "203.0.113.1", "192.0.2.9" }
    local answer = peer:expect { flags = "SA", destination = peer:address(), ack = 1001 }
    assert.same({ back, 4 }, { route_of(answer) })
    send { flags = "A", seq = 1001, ack = 5001 }
    local conn = assert(listener:accept { timeout = 1 })
    assert.equal("192.0.2.9", conn:info().remote_address)
    conn:write "data"
    assert.same(back, (route_of(peer:expect { length = 4 })))
    assert.same(back, (route_of(peer:expect { length = 4 }))) -- sent again
    send { flags = "A", seq = 1001, ack = 5005 }
    conn:shutdown()
    assert.same(back, (route_of(peer:expect { flags = "FA" })))
    conn:abort()
    assert.same(back, (route_of(peer:expect { flags = "R" })))
    assert.is_true(net:now() < 10)
  end)

  it("RFC9293:MUST-53 one that is not completed is none", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    host:listen(80)
    peer:send {
      flags = "S", seq = 1000, destination_port = 80, ip_options = route_option { "203.0.113.1" },
    }
    local answer = peer:receive { timeout = 2 }
    assert.is_true(answer == nil or route_of(answer) == nil)
  end)

  it("RFC9293:SHLD-24 a later one takes the earlier one's place", function()
    local net, peer, listener, send, near = arrived()
    peer:expect { flags = "SA" }
    send { flags = "A", seq = 1001, ack = 5001 }
    local conn = assert(listener:accept { timeout = 1 })
    send({ flags = "A", seq = 1001, ack = 5001 }, { "203.0.113.77", near[1] })
    wait(net, 0.1)
    conn:write "x"
    assert.same({ "203.0.113.77", "192.0.2.9" }, (route_of(peer:expect { length = 1 })))
  end)

  it("RFC9293:SHLD-24 but not where the segment is not acceptable", function()
    local net, peer, listener, send, near = arrived()
    peer:expect { flags = "SA" }
    send { flags = "A", seq = 1001, ack = 5001 }
    local conn = assert(listener:accept { timeout = 1 })
    send({ flags = "A", seq = 999, ack = 5001 }, { "203.0.113.77", near[1] })
    wait(net, 0.1)
    wire.drain(peer)
    conn:write "x"
    assert.same({ "203.0.113.1", "192.0.2.9" }, (route_of(peer:expect { length = 1 })))
  end)
end)

describe("ICMP", function()
  it("RFC9293:MUST-54 reaches the connection whose segment it quotes, and no other", function()
    for _, family in ipairs { 4, 6 } do
      local net, host, peer = lab.forge()
      local heard = {}
      local conns = {}
      for i = 1, 3 do
        conns[i] = host:connect_start(peer, 80 + i, { family = family })
        conns[i]:on("soft_error", function(_, code) heard[#heard + 1] = i .. " " .. code end)
      end
      local syns = { peer:expect { flags = "S" }, peer:expect { flags = "S" }, peer:expect { flags = "S" } }
      icmp(peer, syns[2], { kind = "host unreachable" })
      wait(net, 0.5)
      assert.same({ "2 EHOSTUNREACH" }, heard)
    end
  end)

  it("RFC9293:MUST-54 the quote may be eight octets of TCP long", function()
    local net, host, peer = lab.forge()
    local conn = host:connect_start(peer, 80)
    local heard
    conn:on("soft_error", function(_, code) heard = code end)
    local syn = peer:expect { flags = "S" }
    icmp(peer, syn, { kind = "net unreachable", quote = syn.bytes:sub(1, 28) })
    wait(net, 0.5)
    assert.equal("ENETUNREACH", heard)
  end)

  it("RFC9293:MUST-54 what quotes nothing that is under way is nobody's", function()
    local net, conn, peer = wire.passive()
    local heard = 0
    conn:on("soft_error", function() heard = heard + 1 end)
    conn:write "x"
    local packet = peer:expect { length = 1 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    wait(net, 0.1)
    icmp(peer, packet, { kind = "host unreachable" })
    wait(net, 0.5)
    assert.equal(0, heard)
    assert.equal(1, conn.host:counters().icmp_ignored)
  end)

  it("RFC9293:MUST-54 too big makes segments smaller", function()
    local _, conn, peer = wire.passive()
    conn:write(("x"):rep(1000))
    icmp(peer, peer:expect { length = 1000 }, { kind = "too big", mtu = 540 })
    peer:expect { seq = 5001, length = 500, timeout = 0.1 }
    peer:expect { seq = 5501, length = 500 }
    assert.equal(500, conn:info().snd_mss)
  end)

  it("RFC9293:MUST-54 comes from a router in the middle", function()
    local net = tcp.network { seed = 1 }
    local a, router, b = net:host "a", net:router(), net:host "b"
    net:link(a, router)
    net:link(router, b)
    b:listen(80)
    local heard
    local conn = a:connect_start("10.77.0.1", 80) -- nowhere: the router has no route
    if conn then conn:on("soft_error", function(_, code) heard = code end) end
    wait(net, 1)
    assert.is_true(conn == nil or heard == "ENETUNREACH" or heard == "EHOSTUNREACH")
  end)

  it("RFC9293:MUST-55 source quench is dropped silently", function()
    local net, conn, peer = wire.passive { host = { initial_window = 10 } }
    local heard = 0
    conn:on("soft_error", function() heard = heard + 1 end)
    conn:write(("x"):rep(5000))
    local packet = peer:expect { seq = 5001 }
    local before = conn:info()
    wire.drain(peer, 0.01)
    icmp(peer, packet, { type = 4, code = 0 })
    peer:expect_nothing(0.1)
    local after = conn:info()
    assert.equal(0, heard)
    for _, name in ipairs { "state", "cwnd", "ssthresh", "snd_nxt", "rto", "snd_mss" } do
      assert.equal(before[name], after[name], name)
    end
    assert.is_nil((conn:error()))
    assert.is_true(net:now() < 1)
  end)

  local soft <const> = {
    [4] = { { 3, 0 }, { 3, 1 }, { 3, 5 }, { 11, 0 }, { 11, 1 }, { 12, 0 }, { 12, 1 } },
    [6] = { { 1, 0 }, { 1, 3 }, { 3, 0 }, { 3, 1 }, { 4, 0 }, { 4, 1 }, { 4, 2 } },
  }

  for _, family in ipairs { 4, 6 } do
    for _, message in ipairs(soft[family]) do
      local name = ("IPv%d type %d code %d"):format(family, message[1], message[2])

      it("RFC9293:MUST-56 RFC9293:SHLD-25 soft errors end no open, and are told: " .. name, function()
        local net, host, peer = lab.forge { host = { isn = 5000 } }
        local heard
        local conn = host:connect_start(peer, 80, { family = family })
        conn:on("soft_error", function(_, code) heard = code end)
        local syn = peer:expect { flags = "S" }
        icmp(peer, syn, { type = message[1], code = message[2] })
        wait(net, 0.5)
        assert.equal("SYN-SENT", conn:state())
        assert.is_truthy(heard)
        peer:send {
          source = syn.destination, destination = syn.source,
          source_port = 80, destination_port = syn.source_port,
          flags = "SA", seq = 1000, ack = 5001,
        }
        assert.is_true(conn:wait_connected { timeout = 1 })
      end)

      it("RFC9293:MUST-56 RFC9293:SHLD-25 nor a connection that is open: " .. name, function()
        local net, host, peer = lab.forge { host = { isn = 5000 } }
        local conn = host:connect_start(peer, 80, { family = family })
        local syn = peer:expect { flags = "S" }
        peer:send { flags = "SA", seq = 1000, ack = 5001 }
        peer:expect { flags = "A" }
        local heard
        conn:on("soft_error", function(_, code) heard = code end)
        conn:write "x"
        icmp(peer, peer:expect { length = 1 }, { type = message[1], code = message[2] })
        wait(net, 0.5)
        assert.equal("ESTABLISHED", conn:state())
        assert.is_truthy(heard)
        assert.is_true(syn.version == family)
      end)
    end
  end

  it("RFC9293:SHLD-25 why a connection died later is the soft error, not just a timeout", function()
    local net, host, peer = lab.forge {}
    local conn = host:connect_start(peer, 80)
    icmp(peer, peer:expect { flags = "S" }, { kind = "host unreachable" })
    wait(net, 1000)
    assert.equal("CLOSED", conn:state())
    assert.equal("EHOSTUNREACH", select(2, conn:error()))
  end)

  it("RFC9293:SHLD-26 hard errors end an open: protocol and port unreachable", function()
    for _, message in ipairs { { 4, 3, 2 }, { 4, 3, 3 }, { 6, 1, 4 } } do
      local _, host, peer = lab.forge {}
      local conn = host:connect_start(peer, 80, { family = message[1] })
      icmp(peer, peer:expect { flags = "S" }, { type = message[2], code = message[3] })
      local ok, _, code = conn:wait_connected { timeout = 1 }
      assert.is_nil(ok)
      assert.is_truthy(code)
      assert.not_equal("EAGAIN", code)
      assert.equal("CLOSED", conn:state())
    end
  end)

  -- RFC 5927, section 5.2: anybody can make one up, and a peer that is there acknowledges.
  it("RFC9293:SHLD-26 in synchronized states they are told, and count when nothing answers", function()
    local net, conn, peer = wire.passive()
    local heard
    conn:on("soft_error", function(_, code) heard = code end)
    conn:write "x"
    icmp(peer, peer:expect { length = 1 }, { kind = "port unreachable" })
    wait(net, 1)
    assert.equal("ECONNREFUSED", heard)
    assert.equal("ESTABLISHED", conn:state())
    wait(net, 1000)
    assert.equal("CLOSED", conn:state())
    assert.equal("ECONNREFUSED", select(2, conn:error()))
  end)
end)

describe("addresses", function()
  it("RFC9293:MUST-57 a SYN to a broadcast or multicast address is dropped silently", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    for _, address in ipairs { "255.255.255.255", "10.0.1.255", "224.0.0.1", "ff02::1" } do
      local source = address:find ":" and peer:address(nil, 6) or peer:address()
      net.wire:inject(peer, tcp.encode {
        source = source, destination = address, source_port = 1024, destination_port = 80,
        flags = "S", seq = 1,
      })
    end
    peer:expect_nothing(5)
    assert.equal(0, host:counters().connections)
    assert.equal(0, host:counters().resets_sent)
  end)

  it("RFC9293:MUST-57 so is any other segment", function()
    local net, host, peer = lab.forge()
    for _, flags in ipairs { "A", "R", "FA", "SA", "" } do
      net.wire:inject(peer, tcp.encode {
        source = peer:address(), destination = "10.0.1.255", source_port = 1024, destination_port = 80,
        flags = flags, seq = 1, ack = 1,
      })
    end
    peer:expect_nothing(5)
    assert.equal(0, host:counters().resets_sent)
  end)

  it("RFC9293:MUST-63 a SYN from an address that names no single host is ignored", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    for _, address in ipairs {
      "0.0.0.0", "255.255.255.255", "10.0.1.255", "224.0.0.1", "239.255.255.250", "127.0.0.1",
      "::", "ff02::1", "::1",
    } do
      local to = host:address(peer, address:find ":" and 6 or 4)
      for _, port in ipairs { 80, 81 } do
        net.wire:inject(peer, tcp.encode {
          source = address, destination = to, source_port = 1024, destination_port = port,
          flags = "S", seq = 1,
        })
      end
    end
    wait(net, 5)
    assert.equal(0, host:counters().connections)
    assert.equal(0, host:counters().resets_sent)
    assert.equal(0, host:counters().packets_sent)
  end)
end)
