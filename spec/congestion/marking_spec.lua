-- DCTCP (RFC 8257) and Prague: alpha, and the queue that it leaves, in a connection.
local flow = require "support.flow"

local MSS <const> = 1448
local DCTCP <const> = { congestion = "dctcp", ecn = 1 }

describe("DCTCP #slow", function()
  it("RFC8257:3.3-1 knows the fraction that is marked", function()
    for _, fraction in ipairs { 0.1, 0.5 } do
      local net, client = flow.bulk {
        client = DCTCP, server = DCTCP,
        link = { delay = 0.005, rate = 20e6, queue = { packets = 1000 } },
      }
      net.wire:mark { from = net.client, length_min = 1, every = math.floor(1 / fraction) }
      net:run { until_ = 2 }
      local sum, count = 0, 0
      flow.watch(net, client, 4, 0.01, function(_, info)
        sum, count = sum + info.congestion_state.alpha, count + 1
      end)
      assert.near(fraction, sum / count, 0.2 * fraction)
    end
  end)

  it("RFC8257:3.3-9 keeps the queue at the threshold, the link full, and loses nothing", function()
    local net, client, _, read = flow.bulk {
      client = DCTCP, server = DCTCP,
      link = { delay = 0.004, rate = 50e6, queue = { kind = "step", threshold = 20, packets = 400 } },
    }
    net:run { until_ = 1 }
    local before, most = read.octets, 0
    flow.watch(net, client, 3, 0.005, function(_, info) most = math.max(most, info.latest_rtt) end)
    assert.is_true((read.octets - before) * 8 / 2 > 0.94 * 50e6)
    assert.is_true(most < 0.0165) -- 8 ms, and 20 packets are 4.8
    local info = client:info()
    assert.equal(0, info.segments_retransmitted)
    assert.is_true(info.congestion_state.alpha > 0.01 and info.congestion_state.alpha < 0.3)
  end)

  it("RFC8257:3.5-1 halves for a loss", function()
    local settings = { congestion = "dctcp", ecn = 1, initial_ssthresh = 100 * MSS }
    local net, client = flow.bulk { client = settings, server = DCTCP, link = { delay = 0.020, rate = 10e9 } }
    net:run { until_ = 1 }
    local before = client:info().cwnd
    net.wire:drop { from = net.client, length_min = 1, nth = 1 }
    flow.watch(net, client, 2, 0.001, function(_, info) return info.in_recovery end)
    assert.near(before / 2, client:info().ssthresh, 2 * MSS)
  end)
end)

describe("Prague", function()
  local L4S <const> = { congestion = "prague", ecn = 3 }

  it("RFC9331:4.3 keeps a queue below a millisecond, and the link full", function()
    local net, client, _, read = flow.bulk {
      client = L4S, server = L4S, link = { delay = 0.010, rate = 30e6, queue = "dualpi2" },
    }
    net:run { until_ = 3 }
    local before, sum, count = read.octets, 0, 0
    flow.watch(net, client, 6, 0.005, function(_, info)
      sum, count = sum + info.latest_rtt, count + 1
    end)
    assert.is_true((read.octets - before) * 8 / 3 > 0.9 * 30e6)
    assert.is_true(sum / count < 0.0225)
    local info = client:info()
    assert.equal(0, info.segments_retransmitted)
    assert.is_true(info.congestion_state.alpha > 0.005)
    assert.near(info.cwnd * 8 / info.srtt, info.pacing_rate, 0.02 * info.pacing_rate) -- it paces
  end)

  it("depends less on the RTT after 500 round trips, and has a switch for it", function()
    for on, want in pairs { [true] = 0.5 / 0.025 * 0.2, [false] = 0.5 / 0.005 } do
      local net, client, server = flow.bulk {
        client = { congestion = "prague", ecn = 3, rtt_independence = on, initial_ssthresh = 10 * MSS },
        server = { ecn = 3, receive_buffer = 20 * MSS, window_scale = 8 },
        link = { delay = 0.0025, rate = 10e9 },
      }
      net:run { until_ = 2.7 } -- the receive window is the limit so far
      server:set { receive_buffer = 8388608 }
      net:run { until_ = 3 }
      local before = client:info()
      assert.equal(on and 0.025 or 0, before.congestion_state.rtt_virt_min)
      net:run { until_ = 3.5 }
      -- A segment every 5 ms, or (5 / 25)^2 of one, which is a fifth in 25 ms.
      assert.near(want, (client:info().cwnd - before.cwnd) / MSS, 0.1 * want + 1)
    end
  end)

  it("RFC9331:4.3 answers loss as Reno does", function()
    local net, client = flow.bulk {
      client = { congestion = "prague", ecn = 3, initial_ssthresh = 100 * MSS }, server = L4S,
      link = { delay = 0.020, rate = 10e9 },
    }
    net:run { until_ = 1 }
    local before = client:info().cwnd
    net.wire:drop { from = net.client, length_min = 1, nth = 1 }
    flow.watch(net, client, 2, 0.001, function(_, info) return info.in_recovery end)
    assert.near(before / 2, client:info().ssthresh, 2 * MSS)
  end)
end)
