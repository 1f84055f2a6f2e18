-- Queues for congestion controls that want few octets waiting and many marks: DCTCP behind a step (RFC 8257),
-- Prague and CUBIC through DualPI2 (RFC 9332). 50 Mbit/s, 10 ms there and back.
local tcp = require "lunatcp"

-- Flows from hosts of their own through one bottleneck; goodputs in bits a second from `from` on.
local function share(queue, controls, seconds, from)
  local function settings(control)
    return { profile = "linux", congestion = control, ecn = 3, send_buffer = 4 << 20,
      receive_buffer = 4 << 20 }
  end
  local net = tcp.network { seed = 3 }
  local router, server = net:router "router", net:host("server", settings "newreno")
  local link = net:link(router, server, { delay = 0.005, forward = { rate = 50e6, queue = queue } })
  local octets, conns = {}, {}
  for i, control in ipairs(controls) do
    local client = net:host("client" .. i, settings(control))
    net:link(client, router, { delay = 0 })
    octets[i] = 0
    net:spawn(function()
      local conn = server:listen(80 + i):accept()
      for chunk in conn:chunks() do octets[i] = octets[i] + #chunk end
    end)
    net:spawn(function()
      conns[i] = assert(client:connect(server, 80 + i))
      local data = ("x"):rep(65536)
      while conns[i]:write(data) do end
    end)
  end
  net:run { until_ = from }
  local before = table.move(octets, 1, #octets, 1, {})
  net:run { until_ = seconds }
  local goodputs = {}
  for i in ipairs(controls) do goodputs[i] = (octets[i] - before[i]) * 8 / (seconds - from) end
  return goodputs, link:counters(router), conns
end

describe("queues for scalable controls", function()
  it("RFC8257:3.1 a step and DCTCP fill the link over a queue of the threshold, without a loss", function()
    local goodputs, counters, conns = share({ kind = "step", threshold = 20 }, { "dctcp" }, 6, 1)
    assert.is_true(goodputs[1] > 47e6, goodputs[1])
    assert.equal(0, counters.dropped.aqm + counters.dropped.queue)
    assert.equal(0, conns[1]:info().segments_retransmitted)
    -- 21 packets of 1,500 octets are 5 ms.
    assert.is_true(counters.queue.sojourn.p99 <= 0.0065, counters.queue.sojourn.p99)
    assert.is_true(counters.queue.marked > 500)
  end)

  it("RFC9332:2.5.1.1 Prague's packets are ECT(1), go through the L queue and wait a millisecond", function()
    local goodputs, counters = share("dualpi2", { "prague" }, 6, 1)
    assert.is_true(goodputs[1] > 44e6, goodputs[1])
    local l4s = counters.queue.l4s
    assert.is_true(l4s.sojourn.packets > 20000)
    assert.is_true(l4s.sojourn.p99 < 0.002, l4s.sojourn.p99)
    assert.is_true(l4s.marked > 500 and counters.dropped.aqm == 0)
  end)

  it("RFC9332:1.3 Prague and CUBIC get the same of DualPI2, each with the delay that is its own", function()
    local goodputs, counters = share("dualpi2", { "prague", "cubic" }, 15, 5)
    local sum = goodputs[1] + goodputs[2]
    assert.is_true(sum > 45e6, sum)
    assert.is_true(goodputs[1] / goodputs[2] > 0.5 and goodputs[1] / goodputs[2] < 2,
      ("%g %g"):format(goodputs[1], goodputs[2]))
    local queue = counters.queue
    assert.is_true(queue.l4s.sojourn.mean < 0.001, queue.l4s.sojourn.mean)
    assert.is_true(queue.sojourn.mean > 0.008 and queue.sojourn.mean < 0.025, queue.sojourn.mean)
    -- p_C = (p_CL / k)^2: of the Classic packets far fewer are marked.
    local l4s = queue.l4s.marked / queue.l4s.sojourn.packets
    local classic = (queue.marked - queue.l4s.marked) / queue.sojourn.packets
    assert.is_true(classic > 0 and classic < l4s / 4, ("%g %g"):format(classic, l4s))
  end)
end)
