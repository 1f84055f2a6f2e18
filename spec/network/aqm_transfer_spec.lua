-- TCP through each managed queue: what the queue does for delay, loss and fairness. 10 Mbit/s, 40 ms.
local lab = require "support.lab"

local SETTINGS <const> = { ecn = 1, congestion = "newreno", send_buffer = 1 << 21, receive_buffer = 1 << 21 }

-- A transfer of so many seconds from each client; what each server's end had received is in `received`.
local function transfer(queue, seconds, options)
  options = options or {}
  local settings = {}
  for key, value in pairs(SETTINGS) do settings[key] = value end
  for key, value in pairs(options.settings or {}) do settings[key] = value end
  local net = lab.pair {
    seed = options.seed, client = settings, server = settings,
    link = { delay = 0.02, forward = { rate = 1e7, queue = queue } },
  }
  net.received, net.conns = {}, {}
  for flow = 1, options.flows or 1 do
    net.received[flow] = 0
    net:spawn(function()
      local conn = net.listener:accept()
      for chunk in conn:chunks() do net.received[flow] = net.received[flow] + #chunk end
    end)
    net:spawn(function()
      local conn = assert(net.client:connect(net.server, 80))
      net.conns[flow] = conn
      local data = ("x"):rep(65536)
      while conn:write(data) do end
    end)
  end
  net:run { until_ = seconds }
  net.queue = net.wire:counters(net.client).queue
  net.goodput = 0
  for _, octets in ipairs(net.received) do net.goodput = net.goodput + octets * 8 / seconds end
  return net
end

local function losses(net)
  local dropped = net.wire:counters(net.client).dropped
  return dropped.aqm + dropped.queue
end

describe("a queue that is managed", function()
  local plain
  setup(function() plain = transfer({ packets = 1000 }, 8) end)

  it("RFC7567:4-1 is worth having: drop-tail alone is full all the time", function()
    assert.is_true(plain.queue.sojourn.greatest > 0.5, plain.queue.sojourn.greatest)
  end)

  it("RFC8257:3.1 marks at a step, and nothing is lost", function()
    local net = transfer({ kind = "step", threshold = 40 }, 8)
    assert.equal(0, losses(net))
    assert.equal(0, net.conns[1]:info().segments_retransmitted)
    assert.is_true(net.queue.marked > 0)
    assert.is_true(net.conns[1]:info().ece_received > 0)
    assert.is_true(net.conns[1]:info().ecn_reductions > 1)
    assert.is_true(net.goodput > 9e6, net.goodput)
    -- 40 packets are 48 ms; slow start goes past it by what a round trip brings.
    assert.is_true(net.queue.sojourn.mean < 0.060, net.queue.sojourn.mean)
  end)

  it("RFC8289:3 keeps a standing queue from forming, by marks", function()
    local net = transfer("codel", 20)
    assert.equal(0, losses(net))
    assert.is_true(net.queue.marked > 5)
    assert.is_true(net.conns[1]:info().ecn_reductions > 5)
    assert.is_true(net.queue.sojourn.mean < 0.015, net.queue.sojourn.mean)
    assert.is_true(net.queue.sojourn.median <= 0.007, net.queue.sojourn.median)
    assert.is_true(net.goodput > 7.5e6, net.goodput)
  end)

  it("RFC8289:1 and by drops where ECN is not in use", function()
    local net = transfer("codel", 20, { settings = { ecn = 0 } })
    assert.equal(0, net.queue.marked)
    assert.is_true(net.queue.early > 5)
    assert.equal(net.queue.early, losses(net))
    assert.is_true(net.conns[1]:info().segments_retransmitted >= net.queue.early)
    assert.is_true(net.queue.sojourn.median <= 0.007, net.queue.sojourn.median)
  end)

  it("RFC8289:1-1 RFC8290:4.2-2 shares the link among flows, and lets the thin one pass at once", function()
    local net = transfer("fq_codel", 2, { flows = 4 })
    net:run { until_ = 10 }
    local before = table.move(net.received, 1, 4, 1, {})
    net:run { until_ = 20 }
    local sum, squares = 0, 0
    for flow = 1, 4 do
      local octets = net.received[flow] - before[flow]
      sum, squares = sum + octets, squares + octets * octets
    end
    assert.is_true(sum * sum / (4 * squares) > 0.99, sum * sum / (4 * squares)) -- Jain's index
    assert.is_true(sum * 8 / 10 > 8.5e6, sum)
    -- A new flow's handshake does not wait behind the four: the one packet that is leaving is 1.2 ms.
    local began, took = net:now(), nil
    net.server:listen(81)
    net:spawn(function()
      assert(net.client:connect(net.server, 81))
      took = net:now() - began
    end)
    net:run { until_ = began + 1 }
    assert.is_true(took < 0.0425, took)
  end)

  it("RFC8033:4 holds the delay about its target", function()
    local net = transfer("pie", 5)
    net:run { until_ = 10 }
    local was = net.wire:counters(net.client).queue.sojourn
    net:run { until_ = 30 }
    local now = net.wire:counters(net.client).queue
    local mean = (now.sojourn.mean * now.sojourn.packets - was.mean * was.packets) /
      (now.sojourn.packets - was.packets)
    assert.is_true(mean > 0.004 and mean < 0.030, mean)
    assert.is_true(now.probability < 0.1)
    assert.is_true(now.marked > 0)
  end)

  it("RFC3168:7 is marked at random by RED before it is full", function()
    local net = transfer({ kind = "red", packets = 200, min = 10, max = 40, max_probability = 0.05 }, 20)
    assert.is_true(net.queue.marked > 10, net.queue.marked)
    assert.equal(0, net.queue.overflow)
    assert.is_true(net.queue.average > 0 and net.queue.average < 40, net.queue.average)
    assert.is_true(net.queue.sojourn.mean < 0.050, net.queue.sojourn.mean)
    -- Nothing is marked below `min`: Reno's window swings between half of what the path and that hold, and
    -- all of it, a segment a round trip; while it is less than the path holds, the link idles in part. The
    -- average lags by 1 / weight packets, and the window may be halved again: a fifth is left to that.
    local pipe <const> = 1e7 * 0.040 / 8 / 1500
    local most <const>, rounds <const> = pipe + 10, pipe - (pipe + 10) / 2
    local share = (rounds * (pipe + most / 2) / 2 + 10 * pipe) / (pipe * (rounds + 10))
    assert.near(0.906, share, 0.001)
    assert.is_true(net.goodput > 0.8 * share * 1e7 * 1448 / 1500, net.goodput)
  end)

  it("RFC9332:2.1 controls Classic traffic by itself", function()
    local net = transfer("dualpi2", 20)
    assert.equal(0, losses(net))
    assert.is_true(net.queue.marked > 5)
    assert.equal(0, net.queue.l4s.sojourn.packets)
    assert.is_true(net.queue.sojourn.mean < 0.030, net.queue.sojourn.mean)
    assert.is_true(net.goodput > 8e6, net.goodput)
  end)

  it("RFC9332:2.5.2.2-1 RFC9332:2.5.2.2-2 RFC9332:2.5.2.2-3 RFC9332:2.5.1-8 keeps what is ECT(1) out of the "
    .. "Classic queue's delay, and couples its marks", function()
    local net = transfer("dualpi2", 5)
    -- A paced stream of ECT(1) beside it: 1 Mbit/s of packets of 250 octets, each 2 ms.
    net:spawn(function()
      for i = 1, 5000 do
        net.wire:inject(net.client, {
          source = "10.0.1.1", destination = "10.0.1.2", source_port = 7, destination_port = 9, seq = i,
          ack = 1, flags = "A", ecn = 1, payload = ("x"):rep(210), window = 1000,
        })
        net:sleep(0.002)
      end
    end)
    net:run { until_ = 16 }
    local queue = net.wire:counters(net.client).queue
    assert.equal(5000, queue.l4s.sojourn.packets)
    assert.equal(5000 * 250, queue.l4s.bytes)
    assert.same({ 0, 0, 0 }, { queue.early, queue.early_ect, queue.l4s.early_ect })
    assert.is_true(queue.classic_bytes > 16 * 0.8 * 1e7 / 8 - queue.l4s.bytes, queue.classic_bytes)
    for _, waited in ipairs { queue.sojourn, queue.l4s.sojourn } do
      assert.is_true(waited.mean > 0 and waited.mean <= waited.p99 and waited.p99 <= waited.greatest)
    end
    assert.is_true(queue.l4s.sojourn.greatest < 0.003, queue.l4s.sojourn.greatest)
    assert.is_true(queue.l4s.marked > 50, queue.l4s.marked)
    -- p_CL = 2 p' and p_C = p'^2: the L queue is marked far more often, here more than by 4 / p_CL.
    local packets = queue.sojourn.packets
    local classic = (queue.marked - queue.l4s.marked) / packets
    local l4s = queue.l4s.marked / 5000
    assert.is_true(l4s > 4 * classic, ("%g %g"):format(l4s, classic))
  end)

  it("RFC7567:4.3-1 RFC7567:4.3-2 RFC7567:4.3-4 RFC7567:4.3-5 RFC8289:4.3-3 RFC8290:5.2.6-1 is said by its "
    .. "name alone, fills the link, keeps the delay low, counts, and changes nothing of itself", function()
    for _, kind in ipairs { "red", "codel", "fq_codel", "pie", "dualpi2" } do
      local before = transfer(kind, 0.1)
      local net = transfer(kind, 5)
      assert.is_true(net.goodput > 5.5e6, ("%s %g"):format(kind, net.goodput))
      assert.is_true(net.queue.sojourn.mean < 0.035, ("%s %g"):format(kind, net.queue.sojourn.mean))
      assert.is_true(net.queue.marked + net.queue.early > 0, kind)
      assert.same(before.wire:configuration(before.client).queue, net.wire:configuration(net.client).queue)
    end
  end)

  it("does the same again for the same seed", function()
    for _, kind in ipairs { "red", "codel", "fq_codel", "pie", "dualpi2" } do
      local seen = {}
      for run = 1, 2 do
        local net = transfer(kind, 3, { seed = 11, flows = 2 })
        seen[run] = { net.received, net.queue }
      end
      assert.same(seen[1], seen[2])
    end
  end)

  it("changes while packets wait, and everything arrives", function()
    local net = transfer("fq_codel", 1)
    for _, kind in ipairs { "pie", "dualpi2", "red", "codel", "step", "fq_codel" } do
      net.wire:configure { queue = kind }
      net:run { until_ = net:now() + 0.3 }
      assert.equal(kind, net.wire:counters(net.client).queue.kind)
    end
    net.wire:configure { queue = 1000 }
    local before = net.received[1]
    net:run { until_ = net:now() + 2 }
    assert.is_true(net.received[1] > before + 500000)
  end)
end)
