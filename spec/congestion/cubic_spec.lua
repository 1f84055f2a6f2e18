-- CUBIC (RFC 9438) and HyStart++ (RFC 9406) in a connection: the window against time.
local flow = require "support.flow"

local MSS <const> = 1448

-- As the RFCs have it, not as Linux does, whose profile the hosts have.
local function cubic(settings)
  local own = { congestion = "cubic", cubic_segments = false, hystart_classic = false, ecn_by_prr = false }
  for name, value in pairs(settings or {}) do own[name] = value end
  return own
end

-- 100 ms without a queue: the RTT stays what it is.
local function long(client)
  return flow.bulk { client = client, link = { delay = 0.050, rate = 10e9 } }
end

describe("CUBIC", function()
  it("RFC9438:4.2-2 follows C(t - K)^3 + W_max through W_max and beyond", function()
    local net, client = long(cubic { hystart = false, initial_ssthresh = 400 * MSS })
    flow.watch(net, client, 9, 0.1, function(_, info) return info.cwnd >= 430 * MSS end)
    net.wire:drop { from = net.client, length_min = 1, nth = 1 }
    flow.watch(net, client, net:now() + 1, 0.001, function(_, info) return info.in_recovery end)
    local epoch = flow.watch(net, client, net:now() + 1, 0.001, function(_, info)
      return not info.in_recovery
    end)
    local info = client:info()
    local w_max = info.congestion_state.w_max / MSS
    assert.near(430, w_max, 25)
    assert.near(0.7 * w_max, info.cwnd / MSS, 0.02 * w_max) -- beta_cubic
    local k = ((w_max - 0.7 * w_max) / 0.4) ^ (1 / 3)
    local concave, convex = 0, 0
    flow.watch(net, client, epoch + 1.6 * k, 0.1, function(now, at)
      local t = now - epoch
      local want = 0.4 * (t - k) ^ 3 + w_max
      assert.near(want, at.cwnd / MSS, 0.015 * want)
      local region = at.congestion_state.region
      if region == "concave" then concave = concave + 1 end
      if region == "convex" then convex = convex + 1 end
    end)
    assert.near(k, client:info().congestion_state.k, 0.1)
    assert.is_true(concave > 30 and convex > 20)
  end)

  it("RFC9438:4.3-1 is Reno's equal where the RTT is short", function()
    local net, client = flow.bulk {
      client = cubic { hystart = false, initial_ssthresh = 30 * MSS },
      link = { delay = 0.002, rate = 10e9 },
    }
    net:run { until_ = 0.1 }
    net.wire:drop { from = net.client, length_min = 1, nth = 1 }
    flow.watch(net, client, 1, 0.001, function(_, info) return info.in_recovery end)
    flow.watch(net, client, 1, 0.001, function(_, info) return not info.in_recovery end)
    local began, first = net:now(), client:info()
    net:run { until_ = began + 0.060 }
    local info = client:info()
    assert.equal("reno_friendly", info.congestion_state.region)
    local rounds = 0.060 / info.srtt
    assert.is_true(info.cwnd < first.congestion_state.cwnd_prior)
    assert.near(first.cwnd / MSS + rounds * 3 * 0.3 / 1.7, info.cwnd / MSS, 1) -- alpha_cubic a round trip
  end)

  it("RFC9438:4.2-1 leaves out the time in which the application held back", function()
    local net, client = long(cubic { hystart = false, initial_ssthresh = 100 * MSS,
      slow_start_after_idle = false, tune_send_buffer = false, write_pieces = false })
    net:run { until_ = 4 }
    client:set { send_buffer = 1 } -- less and less is written
    local before = client:info().cwnd
    net:run { until_ = 30 }
    client:set { send_buffer = 8388608 }
    net:run { until_ = 31 }
    assert.is_true(client:info().cwnd < 2 * before)
  end)

  it("RFC9438:4.9-1 RFC9438:4.9.2-1 takes a spurious reduction back, W_max and K with it", function()
    local net, client = long(cubic { hystart = false, initial_ssthresh = 100 * MSS })
    net:run { until_ = 3 }
    local before = client:info()
    -- One segment comes late, after it was sent again: DSACK tells.
    net.wire:delay { from = net.client, length_min = 1, nth = 1, by = 0.080 }
    flow.watch(net, client, 4, 0.001, function(_, info)
      return info.fast_recoveries > before.fast_recoveries
    end)
    assert.is_true(client:info().cwnd <= before.cwnd)
    net:run { until_ = net:now() + 0.5 }
    local after = client:info()
    assert.equal(before.undos + 1, after.undos)
    assert.is_true(after.cwnd >= before.cwnd)
    assert.equal(before.congestion_state.k, after.congestion_state.k)
    assert.equal(before.congestion_state.w_max, after.congestion_state.w_max)
  end)

  it("RFC8511:3.1-1 backs off less for a mark, if it is told to", function()
    for abe, beta in pairs { [false] = 0.7, [true] = 0.85 } do
      local net, client = flow.bulk {
        client = cubic { hystart = false, initial_ssthresh = 100 * MSS, ecn = 1, abe = abe },
        server = { ecn = 1 }, link = { delay = 0.050, rate = 10e9 },
      }
      net:run { until_ = 3 }
      local before = client:info()
      net.wire:mark { from = net.client, length_min = 1, nth = 1 }
      flow.watch(net, client, 4, 0.001, function(_, info) return info.ecn_reductions > 0 end)
      local info = client:info()
      assert.equal(1, info.ecn_reductions)
      assert.near(beta, info.ssthresh / before.cwnd, 0.02)
      net:run { until_ = net:now() + 0.1 }
      assert.near(beta, client:info().cwnd / before.cwnd, 0.04)
    end
  end)
end)

describe("HyStart++", function()
  local function fill(hystart)
    local net, client = flow.bulk {
      client = cubic { hystart = hystart },
      link = { delay = 0.020, rate = 50e6, queue = { bytes = 3000000 } },
    }
    local regions, exit = {}, nil
    flow.watch(net, client, 3, 0.005, function(_, info)
      local region = info.congestion_state.region
      if regions[#regions] ~= region then regions[#regions + 1] = region end
      if not exit and info.ssthresh < 2 ^ 31 - 1 then exit = info end
    end)
    return regions, exit, client:info(), net
  end

  it("RFC9406:4.2-3 leaves slow start before the queue is full, by way of CSS", function()
    local regions, exit = fill(true)
    local way = table.concat(regions, " ") -- jitter may lead back from CSS
    assert.matches("^slow_start css ", way)
    assert(way:find " css convex" or way:find " css reno_friendly", way) -- not concave: K is 0
    assert.equal(0, exit.segments_retransmitted)
    assert.equal(0, exit.fast_recoveries)
    local bdp = 50e6 / 8 * 0.040
    assert.is_true(exit.ssthresh > bdp and exit.ssthresh < bdp + 3000000)
    assert.equal(0, exit.congestion_state.k) -- RFC9438:4.10
  end)

  it("RFC9438:4.10-4 is a switch: without it the queue overflows", function()
    local regions, exit, last = fill(false)
    assert.equal("slow_start", regions[1])
    for _, region in ipairs(regions) do assert.not_equal("css", region) end
    assert.is_true(exit.fast_recoveries > 0)
    assert.is_true(last.segments_retransmitted > 50)
  end)

  it("RFC9406:4.3-5 has a sample of each ACK, so more than eight in a round", function()
    local net, client = long { congestion = "cubic", hystart = true }
    net.trace:record { "rtt" }
    net:run { until_ = 0.45 } -- a round of slow start ends each 100 ms
    local since = net.trace:mark() + 1
    local received = client:info().segments_received
    net:run { until_ = 0.55 }
    local samples = #net.trace:events { kind = "rtt", connection = client, since = since }
    assert.is_true(samples >= 8, samples)
    assert.equal(client:info().segments_received - received, samples)
  end)

  it("RFC9406:4.2-3 stays in slow start while the RTT stays", function()
    local net, client = long { congestion = "cubic" }
    net:run { until_ = 1.3 }
    local info = client:info()
    assert.equal("slow_start", info.congestion_state.region)
    assert.is_true(info.cwnd > 300 * MSS)
  end)
end)
