-- The path MTU: by ICMP (RFC 1191, RFC 8201), and by probing where routers say nothing (RFC 4821).
local tcp = require "lunatcp"
local wire = require "support.wire"

-- client - router - router - server; the middle takes packets of `mtu` octets. `silent`: as long as nothing
-- else is said in `net.limit`, and no router says so.
local function path(options)
  local net = tcp.network { seed = 1, profile = options.profile, trace = false }
  net.client = net:host("client", options.client)
  local left, right = net:router "left", net:router "right"
  net.server = net:host("server", options.server)
  local quick = { delay = 0.001 }
  net:link(net.client, left, quick)
  net.middle = net:link(left, right, { delay = 0.010, rate = options.rate, queue = options.queue or 200,
    mtu = not options.silent and options.mtu or nil,
  })
  net:link(right, net.server, quick)
  net.listener = net.server:listen(80)
  if options.silent then
    net.limit = options.mtu
    net.middle:rule(function(segment)
      if segment.length + 40 + (segment.options.timestamps and 12 or 0) > net.limit then return "drop" end
    end)
  end
  return net
end

local function send(net, octets, seconds)
  local client, server, got = nil, nil, 0
  net:spawn(function()
    server = net.listener:accept()
    while true do
      local chunk = server:read(65536)
      if not chunk then return end
      got = got + #chunk
    end
  end)
  net:spawn(function()
    client = assert(net.client:connect(net.server, 80))
    client:write(("x"):rep(octets))
  end)
  net:run { until_ = seconds }
  return client, got, server
end

describe("a path MTU", function()
  it("RFC1191:6.3-1 RFC8201:4-4 that ICMP has lowered is forgotten after ten minutes", function()
    local net = path { mtu = 1000, client = { path_mtu_expires = 600 } }
    local client = send(net, 20000, 10)
    assert.equal(1000, client:info().path_mtu)
    net:run { until_ = 500 }
    client:write(wire.pattern(20000))
    net:run { until_ = 505 }
    assert.equal(1000, client:info().path_mtu)
    net.middle:configure { mtu = 1500 }
    net:run { until_ = 650 }
    client:write(wire.pattern(20000))
    net:run { until_ = 660 }
    assert.equal(1500, client:info().path_mtu)
    assert.equal(0, client:info().unacked)
  end)

  it("RFC1191:6.3-2 RFC8201:4-5 is not raised within five minutes, whatever is set", function()
    local net = path { mtu = 1000, client = { path_mtu_expires = 10 } }
    local client = send(net, 20000, 250)
    client:write(wire.pattern(20000))
    net:run { until_ = 260 }
    assert.equal(1000, client:info().path_mtu)
    net:run { until_ = 310 }
    net.middle:configure { mtu = 1500 }
    client:write(wire.pattern(20000))
    net:run { until_ = 320 }
    assert.equal(1500, client:info().path_mtu)
  end)

  it("RFC1191:3-1 RFC1191:6.4-1 RFC8201:4-1 RFC8201:5.4-1 falls to what a router tells, and "
    .. "the rest goes on", function()
    for _, settings in ipairs { {}, { rack = true, sack = true } } do
      local net = path { mtu = 1300, client = settings }
      local client, got = send(net, 100000, 5)
      assert.equal(1300, client:info().path_mtu)
      assert.equal(100000, got)
      assert.equal(0, client:info().fast_recoveries)
      assert.equal(0, client:info().timeouts)
      net:close()
    end
  end)

  local function told(mtu, address)
    local net, conn, peer = wire.passive { syn = { options = { mss = 1460 } }, link = address }
    conn:write(wire.pattern(4000))
    local data = peer:expect { flags = "A" }
    peer:send { protocol = "icmp", icmp = { kind = "too big", mtu = mtu, quote = data.bytes } }
    net:run { until_ = 0.1 }
    return conn:info().path_mtu
  end

  it("RFC1191:3-2 RFC1191:3-3 RFC1191:7.1-1 RFC8201:4-3 is not below 68, never above what it "
    .. "was, and a plateau where none is told", function()
    assert.equal(68, told(20))
    assert.equal(1500, told(9000))
    assert.equal(1492, told(0))
  end)

  it("RFC8201:4-2 is not below 1280 for IPv6", function()
    assert.equal(1280, told(600, { addresses = { "2001:db8::1/64", "2001:db8::2/64" } }))
  end)

  it("shrinks again when it rose too far", function()
    local net = path { mtu = 1000, client = { path_mtu_expires = 300 } }
    local client, got = send(net, 20000, 400)
    client:write(wire.pattern(20000))
    net:run { until_ = 405 }
    assert.equal(1000, client:info().path_mtu)
    assert.equal(0, client:info().unacked)
    assert.equal(20000, got)
  end)
end)

describe("probing for the path MTU", function()
  local function probing(mode, more)
    local settings = { mtu_probing = mode, initial_window = 12, path_mtu_expires = 600 }
    for key, value in pairs(more or {}) do settings[key] = value end
    return settings
  end

  it("RFC4821:7.3-1 RFC4821:7.3-2 RFC4821:7.6.1-1 RFC4821:7.6.1-2 finds the size that passes, "
    .. "where routers say nothing", function()
    for _, mtu in ipairs { 1500, 1400, 1280, 1100 } do
      -- A short queue, so that the window and with it the pause after a failure stay small.
      local net = path { mtu = mtu, silent = true, client = probing(2), rate = 2e6, queue = 30 }
      local client, got = send(net, 15000000, 80)
      local info = client:info()
      assert.equal(15000000, got)
      assert.equal(0, info.timeouts)
      assert.is_true(info.path_mtu <= mtu and info.path_mtu > mtu - 8,
        ("%d of %d"):format(info.path_mtu, mtu))
      assert.is_true(info.mtu_probe_successes > 0)
      net:close()
    end
  end)

  it("RFC4821:7.2-2 RFC4821:7.2-3 begins low, as is set", function()
    local net = path { mtu = 1500, silent = true, client = probing(2, { mtu_base_mss = 700 }) }
    local client = send(net, 1000, 1)
    assert.same({ 740, 740, 1500 },
      { client:info().path_mtu, client:info().mtu_search_low, client:info().mtu_search_high })
  end)

  it("RFC4821:7.2-1 ends where the peer's MSS does", function()
    local net = path { mtu = 1500, silent = true, client = probing(2), server = { mss = 1200 } }
    local client = send(net, 3000000, 20)
    assert.equal(1240, client:info().path_mtu)
  end)

  it("RFC4821:7.7-1 leaves a black hole after repeated timeouts", function()
    local net = path { mtu = 1200, silent = true, client = probing(1, { mtu_base_mss = 1000 }), rate = 1e7 }
    local client, got = send(net, 3000000, 60)
    local info = client:info()
    assert.equal(3000000, got)
    assert.is_true(info.mtu_black_holes >= 1)
    assert.is_true(info.path_mtu > 1192 and info.path_mtu <= 1200, info.path_mtu)
  end)

  it("stays in it where probing is off", function()
    local net = path { mtu = 1200, silent = true, client = probing(0) }
    local client, got = send(net, 100000, 100)
    assert.equal(0, got)
    assert.equal(1500, client:info().path_mtu)
    assert.is_false(client:info().mtu_searching)
  end)

  it("RFC4821:7.7-2 RFC4821:7.7-3 halves the size at each further timeout, down to the floor", function()
    local net = path { mtu = 296, silent = true, client = probing(1, { mtu_probe_floor = 100 }) }
    local client, got = send(net, 20000, 200)
    assert.equal(20000, got)
    local info = client:info()
    assert.is_true(info.path_mtu <= 296 and info.path_mtu >= 140, info.path_mtu)
    assert.is_true(info.mtu_black_holes >= 3)
  end)

  it("RFC4821:7.3-3 looks for more ten minutes after the search has ended", function()
    local net = path { mtu = 1100, silent = true, client = probing(2), rate = 2e6, queue = 30 }
    local client = send(net, 15000000, 100)
    assert.is_true(client:info().path_mtu > 1092 and client:info().path_mtu <= 1100)
    net.limit = 1500
    net:spawn(function() client:write(("x"):rep(3000000)) end)
    net:run { until_ = 300 }
    assert.is_true(client:info().path_mtu <= 1100)
    net:run { until_ = 750 }
    net:spawn(function() client:write(("x"):rep(6000000)) end)
    net:run { until_ = 800 }
    assert.is_true(client:info().path_mtu > 1492, client:info().path_mtu)
  end)

  it("RFC4821:7.6.2-3 believes a router that speaks after all", function()
    local net = path { mtu = 1300, client = probing(2), rate = 1e7 }
    local client = send(net, 8000000, 30)
    local info = client:info()
    assert.equal(0, info.timeouts)
    assert.is_true(info.path_mtu <= 1300 and info.path_mtu > 1292, info.path_mtu)
    assert.is_true(info.mtu_search_high <= 1300)
  end)

  for _, way in ipairs {
    { "RACK", { rack = true } }, { "SACK", {} }, { "duplicate ACKs", { sack = false } },
  } do
    it("RFC4821:7.6.2-1 RFC4821:7.6.2-2 takes a lost probe for no congestion, as told by "
      .. "" .. way[1], function()
      local net = path { mtu = 1100, silent = true, client = probing(2, way[2]), rate = 1e7 }
      local client, got = send(net, 150000, 5)
      local info = client:info()
      assert.is_true(info.mtu_probe_failures > 0)
      assert.equal(150000, got)
      assert.equal(0, info.fast_recoveries)
      assert.equal(0, info.timeouts)
      assert.equal(2147483647, info.ssthresh)
    end)
  end

  it("RFC4821:7.6.2-4 pauses after a lost probe, as many round trips as the window has segments", function()
    local net = path {
      mtu = 1100, silent = true, client = probing(2, { initial_window = 40 }), rate = 1e7,
    }
    local client = send(net, 2000000, 0.9) -- 40 round trips of 24 ms are 0.96 s
    assert.equal(1, client:info().mtu_probe_failures)
    net:run { until_ = 30 }
    assert.is_true(client:info().mtu_probe_failures > 1)
  end)

  it("RFC4821:7.6.4-1 learns nothing from a probe that was lost among others", function()
    local net = path { mtu = 1500, silent = true, client = probing(2) }
    local from
    net.middle:rule(function(segment)
      if segment.length > 1100 and not from then from = segment.seq end
      if from and (segment.length > 1100 or segment.seq > from) and segment.first and net:now() < 0.5 then
        if (segment.seq - from) < 5000 then return "drop" end
      end
    end)
    local client, got = send(net, 2000000, 20)
    assert.equal(2000000, got)
    assert.equal(0, client:info().mtu_probe_failures)
    assert.is_true(client:info().fast_recoveries + client:info().timeouts > 0)
  end)

  it("RFC4821:7.4-3 needs room in the peer's window for what follows a probe", function()
    local net = path { mtu = 1500, silent = true, client = probing(2), server = { receive_buffer = 5000 } }
    local client, got = send(net, 100000, 20)
    assert.equal(100000, got)
    assert.equal(0, client:info().mtu_probes)
  end)

  it("RFC4821:5.1-1 RFC4821:7.1-1 RFC4821:7.1-2 RFC4821:7.5-1 makes packets of the very size", function()
    local net = path { mtu = 1500, silent = true, client = probing(2) }
    local sizes = {}
    net.middle:rule(function(segment)
      if segment.length > 0 and #sizes < 2 then sizes[#sizes + 1] = segment.length + 52 end
    end)
    send(net, 100000, 0.1)
    assert.same({ (1064 + 1500) // 2, 1064 }, sizes)
  end)

  it("RFC4821:7.4-1 sends one probe at a time", function()
    local net = path { mtu = 1500, silent = true, client = probing(2) }
    local longer = 0
    net.middle:rule(function(segment) if segment.length + 52 > 1064 then longer = longer + 1 end end)
    send(net, 100000, 0.020) -- before anything is acknowledged
    assert.is_true(longer <= 1)
    net:run { until_ = 0.035 }
    assert.equal(1, longer)
  end)

  it("RFC4821:7.6.3-1 takes a probe for lost that a timeout tells of, when it is the first "
    .. "that is missing", function()
    local net = path { mtu = 1500, silent = true, client = probing(2) }
    local from
    net.middle:rule(function(segment)
      if segment.length + 52 > 1064 and not from then from = segment.seq end
      if from and segment.seq - from >= 0 and segment.first and net:now() < 0.5 then return "drop" end
    end)
    local client, got = send(net, 100000, 20)
    local info = client:info()
    assert.equal(100000, got)
    assert.is_true(info.timeouts > 0)
    assert.equal(1, info.mtu_probe_failures)
    assert.equal((1064 + 1500) // 2 - 1, info.mtu_search_high)
  end)

  it("RFC4821:7.8-1 RFC4821:7.8-2 gives up a size that only some of its packets survive", function()
    local net = path { mtu = 1500, silent = true, client = probing(2), rate = 1e7 }
    local count = 0
    net.middle:rule(function(segment)
      if segment.length + 52 <= 1200 then return end
      count = count + 1
      if count > 1 and count % 4 ~= 0 then return "drop" end
    end)
    local client = send(net, 500000, 120)
    assert.is_true(client:info().mtu_refuted >= 1)
    assert.is_true(client:info().path_mtu <= 1200, client:info().path_mtu)
  end)

  it("RFC4821:7.4-2 needs enough data behind a probe", function()
    local net = path { mtu = 1500, silent = true, client = probing(2) }
    local client = send(net, 5000, 2)
    assert.equal(0, client:info().mtu_probes)
  end)
end)
