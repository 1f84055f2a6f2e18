-- The path MTU that the connections of a host share: RFC 1191 section 6.2, RFC 8201 section 5.2, RFC 4821
-- section 5.2.
local lab = require "support.lab"
local tcp = require "lunatcp"
local wire = require "support.wire"

local V6 <const> = { delay = 0.01, addresses = { "2001:db8::1/64", "2001:db8::2/64" } }

-- A host that has connections to the script: `open(port)` gives one, the peer sends from that port.
local function forge(options)
  options = options or {}
  local host_settings = { isn = 5000 }
  for key, value in pairs(options.host or {}) do host_settings[key] = value end
  local net, host, peer = lab.forge { host = host_settings, link = options.link }
  local function open(port, more)
    local conn = assert(host:connect_start(peer, port, more))
    local syn = peer:expect { flags = "S", destination_port = port }
    peer:send {
      flags = "SA", seq = 1000, ack = syn.seq + 1, source_port = port, destination_port = syn.source_port,
      window = 65535, options = { mss = 1460 },
    }
    peer:expect { flags = "A", destination_port = port }
    return conn, syn
  end
  local function too_big(packet, mtu)
    peer:send { protocol = "icmp", icmp = { kind = "too big", mtu = mtu, quote = packet.bytes } }
    net:run { until_ = net:now() + 0.02 }
  end
  -- The connection is told, by its own data.
  local function tell(conn, port, mtu)
    conn:write(wire.pattern(1400))
    too_big(peer:expect { destination_port = port, seq = 5001 }, mtu)
    wire.drain(peer)
  end
  return net, host, peer, open, tell, too_big
end

describe("a path MTU", function()
  it("RFC1191:6.2-1 RFC8201:5.2-1 that one connection was told is what the next one begins with", function()
    for _, link in ipairs { { delay = 0.01 }, V6 } do
      local _, host, peer, open, tell = forge { link = link }
      local first = open(80)
      tell(first, 80, 1300)
      assert.equal(1300, first:info().path_mtu)
      assert.is_false(first:info().path_mtu_shared)
      local second, syn = open(81)
      assert.equal(link == V6 and 1440 or 1460, syn.options.mss) -- which is the link's all the same
      assert.equal(1300, second:info().path_mtu)
      assert.is_true(second:info().path_mtu_shared)
      second:write(wire.pattern(1300))
      local headers = link == V6 and 60 or 40
      peer:expect { destination_port = 81, seq = 5001, length = 1300 - headers }
      assert.equal(1, host:counters().paths_shared)
      local known = host:path_mtu(peer)
      assert.equal(1300, known.mtu)
      assert.is_true(known.told)
    end
  end)

  it("RFC1191:6.2-1 that a client has learned is its server's too, towards that client", function()
    local net, host, peer, open, tell = forge()
    tell(open(80), 80, 1000)
    local listener = host:listen(443)
    peer:send {
      flags = "S", seq = 1, source_port = 9, destination_port = 443, window = 65535, options = { mss = 1460 },
    }
    peer:expect { flags = "SA" }
    peer:send { flags = "A", seq = 2, ack = 5001, source_port = 9, destination_port = 443, window = 65535 }
    net:run { until_ = net:now() + 0.1 }
    assert.equal(1000, assert(listener:accept()):info().path_mtu)
  end)

  it("RFC1191:6.2-2 RFC8201:5.2-2 is told to those that use the path; they send nothing again", function()
    local net, _, peer, open, _, too_big = forge { host = { rto_min = 30, rto_initial = 30 } }
    local first, second, idle = open(80), open(81), open(82)
    first:write(wire.pattern(1400))
    second:write(wire.pattern(1400))
    local packet = peer:expect { destination_port = 80, length = 1400 }
    peer:expect { destination_port = 81, length = 1400 }
    too_big(packet, 1300)
    assert.equal(1300, first:info().path_mtu)
    assert.equal(1300, second:info().path_mtu)
    assert.is_true(second:info().path_mtu_shared)
    assert.equal(1500, idle:info().path_mtu) -- it is not using the path
    local again = wire.drain(peer)
    assert.same({ 80, 80 }, { again[1].destination_port, again[2].destination_port })
    assert.is_nil(again[3])
    second:write(wire.pattern(1400))
    net:run { until_ = net:now() + 0.1 }
    assert.equal(1260, peer:expect { destination_port = 81 }.length)
  end)

  it("RFC1191:6.2-2 is found by those that were idle then at their next timeout, at the latest", function()
    local net, _, peer, open, tell = forge()
    local idle, first = open(82), open(80)
    tell(first, 80, 1300)
    assert.equal(1500, idle:info().path_mtu)
    idle:write(wire.pattern(1400))
    peer:expect { destination_port = 82, length = 1400 } -- is lost without a word
    net:run { until_ = net:now() + 2 }
    assert.equal(1300, idle:info().path_mtu)
    local again = wire.drain(peer)
    assert.is_true(#again >= 1)
    for _, packet in ipairs(again) do assert.is_true(packet.length <= 1260) end
  end)

  it("RFC1191:6.3-1 RFC8201:5.3-1 is forgotten after ten minutes, by new connections and by those "
    .. "that began with it", function()
    local net, host, peer, open, tell = forge()
    tell(open(80), 80, 1300)
    local second = open(81)
    net:run { until_ = 500 }
    assert.near(600, host:path_mtu(peer).expires, 1)
    wire.drain(peer)
    second:write(wire.pattern(100))
    local packet = peer:expect { destination_port = 81 }
    assert.equal(1300, second:info().path_mtu)
    peer:send {
      flags = "A", seq = 1001, ack = 5101, source_port = 81, destination_port = packet.source_port,
      window = 65535,
    }
    net:run { until_ = 610 }
    assert.is_nil(host:path_mtu(peer))
    second:write(wire.pattern(1460))
    net:run { until_ = 611 }
    assert.equal(1500, second:info().path_mtu)
    second:abort()
    net:run { until_ = 612 }
    wire.drain(peer)
    assert.equal(1500, open(82):info().path_mtu)
  end)

  it("RFC1191:6.3-3 RFC8201:5.3-2 is kept for ever where path_mtu_expires is 0", function()
    local net, host, peer, open, tell = forge { host = { path_mtu_expires = 0 } }
    tell(open(80), 80, 1300)
    net:run { until_ = 100000 }
    wire.drain(peer)
    assert.is_nil(host:path_mtu(peer).expires)
    assert.equal(1300, open(81):info().path_mtu)
  end)

  it("RFC1191:3-3 RFC8201:4-3 does not rise by what a later message tells", function()
    local _, host, peer, open, tell = forge()
    local old = open(79)
    tell(open(80), 80, 1000)
    assert.equal(1500, old:info().path_mtu)
    tell(old, 79, 1400)
    assert.equal(1000, host:path_mtu(peer).mtu)
    assert.equal(1000, open(81):info().path_mtu)
  end)

  it("RFC5927:4.1-1 is not learned from a message that quotes nothing that is in flight", function()
    local _, host, peer, open, _, too_big = forge()
    local conn = open(80)
    conn:write(wire.pattern(1400))
    local packet = peer:expect { destination_port = 80, seq = 5001 }
    peer:send {
      flags = "A", seq = 1001, ack = 6401, source_port = 80, destination_port = packet.source_port,
      window = 65535,
    }
    too_big(packet, 68)
    assert.is_nil(host:path_mtu(peer))
    assert.equal(1500, open(81):info().path_mtu)
  end)

  it("is each connection's own where path_mtu_shared is off", function()
    local _, host, peer, open, tell = forge { host = { path_mtu_shared = false } }
    tell(open(80), 80, 1300)
    assert.is_nil(host:path_mtu(peer))
    assert.equal(1500, open(81):info().path_mtu)
    assert.equal(0, host:counters().paths_shared)
  end)

  it("can be forgotten by the user", function()
    local _, host, peer, open, tell = forge()
    local first = open(80)
    tell(first, 80, 1300)
    host:path_mtu_flush()
    assert.is_nil(host:path_mtu(peer))
    assert.equal(1500, open(81):info().path_mtu)
    assert.equal(1300, first:info().path_mtu)
  end)

  it("costs a host no more than its table, however many destinations speak", function()
    local net, host, peer = lab.forge { host = { isn = 5000, syn_r2_time = 5, r2_time = 5 }, link = {
      delay = 0.001, addresses = { "10.0.0.1/8", "10.0.0.2/8" }, -- the peer is any of them
    } }
    local known = 0
    for i = 1, 600 do
      local address = ("10.1.%d.%d"):format(i // 250, i % 250 + 1)
      local conn = assert(host:connect_start(address, 80))
      local syn = peer:expect { flags = "S" }
      peer:send {
        flags = "SA", seq = 1000, ack = 5001, source = address, source_port = 80,
        destination_port = syn.source_port, window = 65535, options = { mss = 1460 },
      }
      peer:expect { flags = "A" }
      conn:write(wire.pattern(1400))
      local data = peer:expect { length = 1400 }
      peer:send { protocol = "icmp", icmp = { kind = "too big", mtu = 1000, quote = data.bytes } }
      net:run { until_ = net:now() + 0.005 }
      wire.drain(peer)
      assert.equal(1000, host:path_mtu(address).mtu)
      conn:abort()
      net:run { until_ = net:now() + 0.005 }
      wire.drain(peer)
    end
    for i = 1, 600 do
      if host:path_mtu(("10.1.%d.%d"):format(i // 250, i % 250 + 1)) then known = known + 1 end
    end
    assert.is_true(known > 128 and known <= 256, known)
  end)
end)

-- client - router - router - server; nobody says that packets longer than `mtu` are dropped.
local function silent(mtu, settings)
  local net = tcp.network { seed = 1, trace = false }
  net.client = net:host("client", settings)
  local left, right = net:router "left", net:router "right"
  net.server = net:host "server"
  net:link(net.client, left, { delay = 0.001 })
  net.middle = net:link(left, right, { delay = 0.010, rate = 2e6, queue = 30 })
  net:link(right, net.server, { delay = 0.001 })
  net.listener = net.server:listen(80)
  net.middle:rule(function(segment)
    if segment.length + 40 + (segment.options.timestamps and 12 or 0) > mtu then return "drop" end
  end)
  function net.send(octets, seconds)
    net:spawn(function()
      local server = net.listener:accept()
      while server:read(65536) do end
    end)
    local client
    net:spawn(function()
      client = assert(net.client:connect(net.server, 80))
      client:write(("x"):rep(octets))
    end)
    net:run { until_ = net:now() + seconds }
    return client
  end
  return net
end

describe("what probing has found", function()
  it("RFC4821:5.2-1 is where the next connection begins, and its search ends", function()
    local net = silent(1300, { mtu_probing = 2, initial_window = 12 })
    local first = net.send(10000000, 60)
    local found = first:info().path_mtu
    assert.is_true(found > 1292 and found <= 1300, found)
    assert.equal(found, net.client:path_mtu(net.server).mtu)
    assert.is_false(net.client:path_mtu(net.server).told)
    local second = net.send(1000000, 20)
    assert.equal(found, second:info().path_mtu)
    assert.is_true(second:info().path_mtu_shared)
    assert.equal(0, second:info().mtu_probes)
    assert.equal(0, second:info().unacked)
  end)

  it("RFC4821:5.2-1 behind a black hole saves the next connection from it", function()
    local net = silent(1200, { mtu_probing = 1, mtu_base_mss = 1000 })
    local first = net.send(3000000, 60)
    assert.is_true(first:info().mtu_black_holes >= 1)
    local second = net.send(300000, 10)
    local info = second:info()
    assert.same({ 0, 0, 0 }, { info.timeouts, info.mtu_black_holes, info.unacked })
    assert.is_true(info.path_mtu > 1192 and info.path_mtu <= 1200, info.path_mtu)
  end)

  it("RFC4821:5.2-2 does not raise what a router has told another connection", function()
    local net, host, peer, open, tell = forge { host = { mtu_base_mss = 700, initial_window = 12 } }
    local searching = open(81, { settings = { mtu_probing = 2 } })
    tell(open(80), 80, 735)
    assert.equal(740, searching:info().path_mtu) -- it was idle then
    searching:write(wire.pattern(20000))
    net:run { until_ = net:now() + 0.1 }
    local packets = wire.drain(peer)
    peer:send {
      flags = "A", seq = 1001, ack = packets[#packets].seq + packets[#packets].length, source_port = 81,
      destination_port = packets[1].source_port, window = 65535,
    }
    net:run { until_ = net:now() + 0.1 }
    assert.is_true(searching:info().path_mtu > 1000, searching:info().path_mtu)
    assert.equal(735, host:path_mtu(peer).mtu)
  end)

  it("RFC4821:5.2-3 is for one address, not for its network", function()
    local _, host, peer, open, tell = forge { link = {
      delay = 0.01, addresses = { "10.0.0.1/24", "10.0.0.2/24" },
    } }
    tell(open(80), 80, 1000)
    assert.equal(1000, host:path_mtu(peer).mtu)
    assert.is_nil(host:path_mtu "10.0.0.3")
    assert.equal(1500, assert(host:connect_start("10.0.0.3", 80)):info().path_mtu)
  end)

  it("RFC4821:5.2-1 a path that takes all is not searched again from the bottom", function()
    local net = silent(1500, { mtu_probing = 2, initial_window = 12 })
    assert.equal(1500, net.send(6000000, 40):info().path_mtu)
    assert.equal(1500, net.send(1000, 1):info().path_mtu)
  end)
end)
