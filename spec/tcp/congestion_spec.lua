-- RFC 5681: slow start, congestion avoidance, restart after idle; round trip by round trip.
local lab = require "support.lab"
local flight = require "support.flight"
local wire = require "support.wire"

-- Takes what comes in one round trip and acknowledges every n-th segment: how many came.
local function round(net, peer, state, every)
  net:run { until_ = net:now() + 0.05 }
  local count = 0
  local packets = wire.drain(peer)
  for i, packet in ipairs(packets) do
    if packet.length > 0 then
      count = count + 1
      state.next = math.max(state.next, packet.seq + packet.length)
      if count % (every or 1) == 0 or i == #packets then
        -- Apart by a little, so that each is an ACK of its own.
        peer:send { flags = "A", seq = 1001, ack = state.next }
        net:run { until_ = net:now() + 0.0001 }
      end
    end
  end
  return count
end

local function rounds(options, n, every)
  local host = { send_buffer = 4000000 }
  for key, value in pairs(options) do host[key] = value end
  local net, conn, peer = wire.passive {
    host = host, syn = { options = { mss = 1000, window_scale = 6 } }, window = 65535,
  }
  conn:write(("x"):rep(2000000))
  local state, counts, windows = { next = 5001 }, {}, {}
  for i = 1, n do
    counts[i] = round(net, peer, state, every)
    net:run { until_ = net:now() + 0.011 }
    windows[i] = conn:info().cwnd
  end
  return counts, windows, net, conn, peer
end

describe("the initial window", function()
  it("RFC5681:3.1-2 is 2, 3 or 4 segments by the SMSS", function()
    local segments_of <const> = {
      [2500] = 2, [2191] = 2, [2190] = 3, [1460] = 3, [1096] = 3, [1095] = 4, [536] = 4,
    }
    for smss, segments in pairs(segments_of) do
      local _, conn = wire.passive { link = { mtu = 4000 }, syn = { options = { mss = smss } } }
      assert.equal(segments * smss, conn:info().cwnd, smss)
    end
  end)

  it("RFC6928:2-1 RFC6928 is ten segments where that is set", function()
    local _, conn = wire.passive { host = { initial_window = 10 } }
    assert.equal(10000, conn:info().cwnd)
  end)

  it("RFC5681:3.1-3 RFC6928:2-2 is one segment after a SYN or SYN-ACK was lost", function()
    local net = lab.pair()
    net.wire:drop { flags = "SA", nth = 1 }
    local _, server = lab.handshake(net)
    assert.equal(server:info().snd_mss, server:info().cwnd)
    local other = lab.pair()
    other.wire:drop { syn = true, from = other.client, nth = 1 }
    local client = lab.handshake(other)
    assert.equal(client:info().snd_mss, client:info().cwnd)
  end)
end)

describe("slow start", function()
  it("RFC5681:3.1-1 doubles each round trip when every segment is acknowledged", function()
    local counts = rounds({ initial_window = 1 }, 7)
    assert.same({ 1, 2, 4, 8, 16, 32, 64 }, counts)
  end)

  it("RFC5681:3.1 grows by half each round trip when every other segment is acknowledged", function()
    local counts = rounds({ initial_window = 4 }, 6, 2)
    assert.same({ 4, 6, 9, 14, 21, 32 }, counts)
  end)

  it("RFC5681:3.1-8 grows by at most SMSS an ACK, however much it acknowledges (eq. 2)", function()
    local net, conn, peer = wire.passive { host = { initial_window = 10, send_buffer = 100000 } }
    conn:write(("x"):rep(100000))
    net:run { until_ = 0.1 }
    wire.drain(peer)
    peer:send { flags = "A", seq = 1001, ack = 15001 }
    net:run { until_ = 0.2 }
    assert.equal(11000, conn:info().cwnd)
  end)

  it("RFC5681:3.1-8 grows by the octets acknowledged when they are fewer: no gain by ACK division", function()
    local net, conn, peer = wire.passive { host = { initial_window = 4, send_buffer = 100000 } }
    conn:write(("x"):rep(100000))
    net:run { until_ = 0.1 }
    for i = 1, 10 do
      peer:send { flags = "A", seq = 1001, ack = 5001 + 100 * i }
      net:run { until_ = net:now() + 0.001 }
    end
    net:run { until_ = 0.3 }
    assert.equal(5000, conn:info().cwnd)
  end)

  it("RFC5681:3.1-9 ends at ssthresh", function()
    local counts = rounds({ initial_window = 1, initial_ssthresh = 8000 }, 7)
    assert.same({ 1, 2, 4, 8 }, { table.unpack(counts, 1, 4) })
    assert.is_true(counts[5] <= 10 and counts[6] <= 11 and counts[7] <= 12)
  end)
end)

describe("congestion avoidance", function()
  it("RFC5681:3.1-1 RFC5681:3.1-11 grows by about one segment each round trip", function()
    local _, windows = rounds({ initial_window = 10, initial_ssthresh = 10000 }, 20)
    for i = 2, #windows do
      local growth = windows[i] - windows[i - 1]
      assert.is_true(growth >= 900 and growth <= 1000, ("round %d: %d"):format(i, growth))
    end
  end)

  it("RFC5681:3.1-10 does so too when every other segment is acknowledged", function()
    local _, windows = rounds({ initial_window = 10, initial_ssthresh = 10000 }, 20, 2)
    local growth = (windows[20] - windows[1]) / 19
    -- By octets acknowledged one segment each round, by eq. 3 half of that at the least.
    assert.is_true(growth >= 450 and growth <= 1000, growth)
  end)
end)

describe("the congestion window", function()
  it("RFC5681:2-1 RFC9406:3-1 RFC9937:3-1 RFC9937:3-2 and rwnd bound what is in flight", function()
    local net, client, server = lab.connected { link = { delay = 0.05 } }
    net:spawn(function()
      client:write(("x"):rep(500000))
      client:close()
    end)
    net:spawn(function() for _ in server:chunks() do net:sleep(0) end end)
    local worst, beyond = 0, 0
    net:on("segment", function()
      local info = client:info()
      worst = math.max(worst, info.pipe - info.cwnd)
      beyond = math.max(beyond, info.unacked - info.max_snd_wnd)
    end)
    net:run()
    assert.is_true(worst <= 0, worst)
    assert.is_true(beyond <= 0, beyond)
  end)

  it("RFC7661:4.3-2 RFC7661 does not grow while the sender has less to send", function()
    local _, client, server = lab.connected()
    for _ = 1, 200 do
      client:write "x"
      assert.equal("x", server:read(1))
      client:flush()
    end
    assert.is_true(client:info().cwnd <= 2 * 3 * 1448, client:info().cwnd)
  end)

  it("RFC5681:4.1-1 RFC6928:2-3 falls back to the restart window after an idle RTO", function()
    local net, client, server = lab.connected { client = { initial_window = 4 } }
    local data = ("x"):rep(200000)
    client:write(data)
    assert.equal(#data, #server:read_exactly(#data))
    client:flush()
    local grown = client:info().cwnd
    net:run { until_ = net:now() + 5 }
    local since = net.trace:mark() + 1
    client:write(data)
    net:run { until_ = net:now() + 0.005 }
    local first = 0
    for _, line in ipairs(wire.lines(net, "flags len", { since = since })) do
      if line:find "len 1448" then first = first + 1 end
    end
    assert.is_true(grown > 10 * 1448, grown)
    assert.equal(4, first)
  end)

  it("RFC5681:4.1 stays where that is switched off", function()
    local net, client, server = lab.connected { client = { slow_start_after_idle = false } }
    local data = ("x"):rep(200000)
    client:write(data)
    assert.equal(#data, #server:read_exactly(#data))
    client:flush()
    local grown = client:info().cwnd
    net:run { until_ = net:now() + 5 }
    client:write "x"
    assert.equal("x", server:read(1))
    assert.is_true(client:info().cwnd >= grown)
  end)

  it("can be left to a control that never moves: fixed", function()
    local net, client, server = lab.connected { client = { congestion = "fixed", initial_window = 20 } }
    local data = wire.pattern(200000)
    net.wire:configure { loss = 0.05 }
    net:spawn(function() client:write(data) client:close() end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.equal("fixed", client:info().congestion)
  end)

  it("fills a bottleneck and its queue, and halves at its loss", function()
    local net, client, server = lab.connected {
      link = { delay = 0.02, rate = 10e6, queue = 30 }, client = { initial_window = 10 },
    }
    local data = ("x"):rep(5000000)
    net:spawn(function() client:write(data) client:close() end)
    local got = 0
    for chunk in server:chunks() do got = got + #chunk end
    assert.equal(#data, got)
    -- 4 s at the rate of the link.
    assert.is_true(net:now() < 5.5, net:now())
    assert.is_true(client:info().fast_recoveries >= 1)
  end)

  it("RFC9293:MUST-19 two flows share a bottleneck", function()
    local tcp = require "lunatcp"
    local net = tcp.network { seed = 3 }
    local router, server = net:router "router", net:host "server"
    net:link(router, server, { delay = 0.01, rate = 10e6, queue = 25 })
    local listener = server:listen(80)
    local got = { 0, 0 }
    for i = 1, 2 do
      local client = net:host("client" .. i)
      net:link(client, router, { delay = 0.005 })
      net:spawn(function()
        local conn <close> = assert(client:connect(server, 80))
        conn:write(tostring(i))
        while net:now() < 30 do conn:write(("x"):rep(20000)) end
        conn:abort()
      end)
      net:spawn(function()
        local conn <close> = listener:accept()
        local which = tonumber(conn:read(1))
        while true do
          local chunk = conn:read()
          if not chunk then break end
          got[which] = got[which] + #chunk
        end
      end)
    end
    net:run { until_ = 30 }
    local total = got[1] + got[2]
    assert.is_true(total > 0.85 * 30 * 10e6 / 8, total)
    assert.is_true(math.min(got[1], got[2]) > 0.25 * total, ("%d and %d"):format(got[1], got[2]))
    net:close()
  end)

  it("RFC5681:3.1-4 a timeout halves at most the window, though far more was SACKed behind a hole",
    function()
      local f = flight.open { total = 40000 }
      f:ack(1, { 2, 10 })
      f:sent(0.02)
      -- Each ACK lets more leave; the first segment's second copy is lost as well.
      for last = 14, 30, 4 do
        f:ack(1, { 2, last })
        f:sent(0.02)
      end
      local info = f.conn:info()
      assert.is_true(info.snd_nxt - info.snd_una > 20000)
      local window = info.cwnd
      f:sent(1.5)
      assert.is_true(f.conn:info().timeouts >= 1)
      assert.equal(math.max(window // 2, 2000), f.conn:info().ssthresh)
    end)
end)
