-- BBR, version 3 (draft-ietf-ccwg-bbr) and version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), in
-- a connection over 50 Mbit/s and 20 ms.
local flow = require "support.flow"

local RATE <const>, RTT <const> = 50e6, 0.020
local GOODPUT <const> = RATE * 1448 / 1500

local function start(congestion, more, seed)
  local link = { delay = RTT / 2, rate = RATE, queue = { bytes = 4 * RATE * RTT // 8 | 0 } }
  for key, value in pairs(more or {}) do link[key] = value end
  return flow.bulk { client = { congestion = congestion }, link = link, seed = seed }
end

-- The states in their order, and what was seen of each first.
local function states(net, client, till)
  local order, first = {}, {}
  flow.watch(net, client, till, 0.001, function(now, info)
    local state = info.congestion_state.state
    if order[#order] ~= state then order[#order + 1] = state end
    if not first[state] then first[state] = { now = now, info = info } end
  end)
  return order, first
end

for _, name in ipairs { "bbr", "bbr1" } do
  describe(name, function()
    it("finds the path's bandwidth and RTT, and drains what it took to find them", function()
      local net, client = start(name)
      local order, first = states(net, client, 1)
      assert.same({ "startup", "drain" }, { order[1], order[2] })
      assert.matches("^probe_bw", order[3])
      local drain = first.drain.info
      assert.near(GOODPUT, drain.congestion_state[name == "bbr" and "max_bw" or "bw"], 0.02 * GOODPUT)
      assert.is_true(first.drain.now < 0.4)
      local info = client:info()
      assert.near(RTT, info.congestion_state.min_rtt, 0.001)
      assert.is_true(name == "bbr1" or info.pipe < 1.4 * RATE * RTT / 8, info.pipe)
      assert.equal(0, info.fast_recoveries)
    end)

    it("fills the link with little waiting in its queue", function()
      local net, client, _, read = start(name)
      net:run { until_ = 1 }
      local before, sum, count = read.octets, 0, 0
      flow.watch(net, client, 4, 0.01, function(_, info)
        sum, count = sum + info.latest_rtt, count + 1
      end)
      assert.is_true((read.octets - before) * 8 / 3 > 0.95 * GOODPUT)
      assert.is_true(sum / count < 1.35 * RTT)
    end)

    it("looks for the RTT with little in flight", function()
      local net, client = start(name)
      net:run { until_ = name == "bbr" and 4.5 or 9.5 }
      local bdp = RATE * RTT / 8
      local _, first = states(net, client, net:now() + 2)
      local probe = assert(first.probe_rtt)
      assert.is_true(probe.now > (name == "bbr" and 5 or 10))
      if name == "bbr" then
        assert.is_true(probe.info.cwnd <= 0.55 * bdp) -- ProbeRTTCwndGain
      else
        assert.equal(4 * 1448, probe.info.cwnd)
      end
      assert.matches("^probe_bw", client:info().congestion_state.state)
      assert.is_true(client:info().cwnd > bdp)
    end)

    it("paces at its estimate", function()
      local net, client = start(name)
      net:run { until_ = 2 }
      local seen = {}
      flow.watch(net, client, 4, 0.005, function(_, info)
        local s = info.congestion_state
        seen[s.pacing_gain] = true
        if info.pacing_rate then
          local margin = name == "bbr" and 0.99 or 1
          assert.near(margin * s.pacing_gain * s.bw, info.pacing_rate, 0.01 * info.pacing_rate)
        end
      end)
      assert.is_true(seen[1.25] and seen[1])
      assert.is_true(seen[0.75] or seen[0.8984375]) -- 0.9 in units of 1/256
    end)
  end)
end

describe("BBR's answer to random loss", function()
  local function goodput(name, loss)
    local net, client, _, read = start(name, { loss = loss })
    net:run { until_ = 6 }
    assert.is_true(client:info().segments_retransmitted > 0)
    return read.octets * 8 / 6 / GOODPUT
  end

  it("draft-cardwell-iccrg-bbr-congestion-control-00, 4.3.4.3: a probe of version 1 ends at 5/4", function()
    local net, client = start "bbr1"
    net:run { until_ = 0.5 }
    local most = 0
    flow.watch(net, client, 2, 0.0005, function(_, info) most = math.max(most, info.pipe) end)
    -- By the ACK that finds BBRInflight(5/4) under way: 5/4 of the path's volume and three bursts of a
    -- millisecond. One burst more has left by then.
    local model = client:info().congestion_state
    local limit = 5 / 4 * model.bw / 8 * (model.min_rtt + 0.004)
    assert.is_true(most <= limit and most > 0.95 * limit, ("%g of %g"):format(most, limit))
  end)

  it("is none in version 1", function()
    assert.is_true(goodput("bbr1", 0.01) > 0.9)
    assert.is_true(goodput("bbr1", 0.05) > 0.8)
  end)

  it("is none in version 1 to retransmissions that are lost too: no second packet conservation", function()
    local sum = 0
    for seed = 1, 3 do
      local net, client, _, read = start("bbr1", { loss = 0.05 }, seed)
      net:run { until_ = 6 }
      assert.is_true(client:info().segments_retransmitted > 100)
      sum = sum + read.octets * 8 / 6 / GOODPUT
    end
    assert.is_true(sum / 3 > 0.92, sum / 3)
  end)

  it("begins above LossThresh, 2 %, in version 3", function()
    assert.is_true(goodput("bbr", 0.005) > 0.75)
    assert.is_true(goodput("bbr", 0.05) < 0.65)
  end)
end)

describe("bbr", function()
  it("cycles through ProbeBW: down, cruise, refill, up", function()
    local net, client = start "bbr"
    net:run { until_ = 1 }
    local order = states(net, client, 4.9)
    local cycle = table.concat(order, " ")
    local turn = "probe_bw_cruise probe_bw_refill probe_bw_up probe_bw_down probe_bw_cruise"
    assert(cycle:find(turn, 1, true), cycle)
  end)

  it("remembers what volume the path could not hold, and stays below it while cruising", function()
    local net, client = start("bbr", { queue = { bytes = RATE * RTT // 40 | 0 } })
    net:run { until_ = 3 }
    local longest = 0
    flow.watch(net, client, 4.9, 0.001, function(_, info)
      local s = info.congestion_state
      if s.state ~= "probe_bw_cruise" or s.inflight_longterm == 0 then return end
      longest = longest + 1
      assert.is_true(info.cwnd <= math.max(0.85 * s.inflight_longterm + 1448, 4 * 1448))
    end)
    assert.is_true(longest > 100)
  end)

  it("treats a mark as congestion: it ends Startup", function()
    local settings = { congestion = "bbr", ecn = 1 }
    local net, client = flow.bulk {
      client = settings, server = { ecn = 1 },
      link = { delay = RTT / 2, rate = RATE, queue = { bytes = 1000000 } },
    }
    net:run { until_ = 0.09 }
    assert.equal("startup", client:info().congestion_state.state)
    net.wire:mark { from = net.client, length_min = 1, nth = 1 }
    flow.watch(net, client, 1, 0.001, function(_, info) return info.congestion_state.state ~= "startup" end)
    assert.equal("drain", client:info().congestion_state.state)
    assert.is_true(net:now() < 0.15)
  end)
end)
