-- RFC 9293 section 3.7: the MSS both ways, and paths that turn out to be narrower.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

-- client - (mtu 1500) - router - (mtu narrow) - router - (mtu 1500) - server: no end can know.
local function through_router(narrow)
  local net = tcp.network { seed = 1 }
  net.client, net.server = net:host "client", net:host "server"
  local near, far = net:router "near", net:router "far"
  net:link(net.client, near, { delay = 0.004 })
  net:link(near, far, { delay = 0.004, mtu = narrow })
  net:link(far, net.server, { delay = 0.004 })
  net.listener = net.server:listen(80)
  local client, server = lab.handshake(net)
  return net, client, server
end

describe("the maximum segment size", function()
  it("RFC9293:MUST-16 is the smaller of the peer's and what the link allows", function()
    for _, case in ipairs {
      { 1500, 1460, 1460 }, { 1500, 500, 500 }, { 600, 1460, 560 }, { 1500, 9000, 1460 },
    } do
      local _, conn = wire.passive {
        link = { mtu = case[1] }, syn = { options = { mss = case[2] } },
      }
      assert.equal(case[3], conn:info().snd_mss)
    end
  end)

  it("RFC9293:MUST-15 is 536 without an option, 1220 in IPv6", function()
    local _, conn = wire.passive { syn = { options = {} } }
    assert.equal(536, conn:info().snd_mss)
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    local to = host:address(nil, 6)
    peer:send { to = to, flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", options = { mss = 1440 } }
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    assert.equal(1220, listener:accept():info().snd_mss)
  end)

  it("RFC6691 is advertised without a deduction for options", function()
    local _, host, peer = lab.forge()
    host:connect_start(peer, 80)
    peer:expect { flags = "S", options = { mss = 1460, timestamps = function(ts) return ts ~= nil end } }
  end)

  it("is advertised as it is set, where that is less", function()
    local _, host, peer = lab.forge { host = { mss = 1000 } }
    host:connect_start(peer, 80)
    peer:expect { flags = "S", options = { mss = 1000 } }
  end)

  it("RFC9293:MUST-67 is no limit to what is received", function()
    local _, conn, peer = wire.passive { host = { mss = 100 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = wire.pattern(1400) }
    assert.equal(wire.pattern(1400), conn:read_exactly(1400))
  end)

  it("of next to nothing from the peer does not stop the stream", function()
    for _, mss in ipairs { 1, 8, 40 } do
      local net, conn, peer = wire.passive { syn = { options = { mss = mss } } }
      conn:write "0123456789"
      local got = ""
      while #got < 10 do
        local packet = peer:receive()
        if packet.seq == 5001 + #got then got = got .. packet.payload end
        peer:send { flags = "A", seq = 1001, ack = 5001 + #got }
      end
      assert.equal("0123456789", got)
      assert.is_true(net:now() < 100)
    end
  end)

  it("of 0 is not divided by", function()
    local _, conn, peer = wire.passive { syn = { options = { mss = 0 } } }
    conn:write "x"
    assert.equal("x", peer:receive().payload)
  end)
end)

describe("a path that is narrower than the link", function()
  it("RFC9293:MUST-18 and RFC1191 is found by ICMP too-big, and no octet is lost", function()
    local net, client, server = through_router(1000)
    local data = wire.pattern(50000)
    net:spawn(function() client:write(data) client:close() end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.equal(1000, client:info().path_mtu)
    assert.equal(948, client:info().snd_mss) -- 1000 less 40 of headers and 12 of timestamps
    assert.is_true(net:now() < 2, net:now())
  end)

  it("RFC7323:5.7-1 RFC1191 sends Don't Fragment, which can be switched off", function()
    for _, discovery in ipairs { true, false } do
      local _, conn, peer = wire.passive { host = { path_mtu_discovery = discovery } }
      conn:write "x"
      assert.equal(discovery, peer:receive().dont_fragment)
    end
  end)

  it("RFC5681 does not take the loss for congestion", function()
    local net, client, server = through_router(1000)
    net:run { until_ = 1 }
    local before = client:info().cwnd
    client:write(wire.pattern(1400))
    assert.equal(wire.pattern(1400), server:read_exactly(1400))
    assert.equal(0, client:info().timeouts)
    assert.is_true(client:info().cwnd >= before // 2)
    assert.equal(0, client:info().fast_recoveries)
  end)

  it("is found in each direction apart", function()
    local _, client, server = through_router(1000)
    server:write(wire.pattern(20000))
    assert.equal(wire.pattern(20000), client:read_exactly(20000))
    assert.equal(1000, server:info().path_mtu)
  end)

  -- A forged message: quote is a packet of the host's.
  local function too_big(peer, packet, mtu)
    peer:send(tcp.encode {
      source = packet.destination, destination = packet.source,
      icmp = { kind = "too big", mtu = mtu, quote = packet.bytes },
    })
  end

  it("RFC1191:3 retransmits at once in smaller pieces", function()
    local _, conn, peer = wire.passive()
    conn:write(wire.pattern(1000))
    local packet = peer:expect { seq = 5001, length = 1000 }
    too_big(peer, packet, 540)
    peer:expect { seq = 5001, length = 500, timeout = 0.021 }
    peer:expect { seq = 5501, length = 500, timeout = 0.021 }
  end)

  it("RFC1191:5 of an old router that tells no size is guessed by the plateaus", function()
    local net, conn, peer = wire.passive()
    conn:write(wire.pattern(1000))
    local packet = peer:expect { seq = 5001, length = 1000 }
    too_big(peer, packet, 0)
    net:run { until_ = 0.1 }
    assert.equal(1006, conn:info().path_mtu) -- the next plateau below 1,040
  end)

  it("RFC5927:4.1-1 of a quoted number that is not outstanding changes nothing", function()
    local net, conn, peer = wire.passive()
    conn:write "x"
    local packet = peer:expect { seq = 5001 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    net:run { until_ = 0.1 }
    too_big(peer, packet, 540)
    net:run { until_ = 0.2 }
    assert.equal(1500, conn:info().path_mtu)
  end)

  it("RFC5927:7.2-1 never grows by a message, and never falls below 68", function()
    local net, conn, peer = wire.passive()
    conn:write(wire.pattern(1000))
    local packet = peer:expect { seq = 5001 }
    too_big(peer, packet, 9000)
    net:run { until_ = 0.1 }
    assert.equal(1500, conn:info().path_mtu)
    too_big(peer, packet, 1)
    net:run { until_ = 0.2 }
    assert.equal(68, conn:info().path_mtu)
    local got = ""
    while #got < 1000 do
      packet = peer:receive()
      if packet.seq == 5001 + #got then got = got .. packet.payload end
      peer:send { flags = "A", seq = 1001, ack = 5001 + #got }
    end
    assert.equal(wire.pattern(1000), got)
  end)
end)
