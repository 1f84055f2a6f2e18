-- Queues of a link: how they are said, what is refused, and what is told of them (docs/queues.md).
local lab = require "support.lab"

local function message_of(queue)
  local net = lab.pair { link = {} }
  local ok, message = pcall(net.wire.configure, net.wire, { queue = queue })
  assert.is_false(ok)
  return message
end

local function configured(queue)
  local net = lab.pair { link = { rate = 1e6, queue = queue } }
  return net.wire:configuration(net.client).queue, net
end

describe("the queue of a link", function()
  it("is drop-tail when it is a number, or a table without a kind", function()
    assert.same({ kind = "drop_tail", packets = 10, bytes = 0 }, configured(10))
    assert.same({ kind = "drop_tail", packets = 0, bytes = 30000 }, configured { bytes = 30000 })
    assert.same({ kind = "drop_tail", packets = 0, bytes = 0 }, configured(nil))
  end)

  it("RFC8289:4.2-1 RFC8289:4.3-1 RFC8289:4.5-4 has CoDel's figures, said by name alone", function()
    assert.same({ kind = "codel", packets = 1000, bytes = 0, ecn = true, packet_size = 1500, target = 0.005,
      interval = 0.1, ce_threshold = false }, configured "codel")
  end)

  it("RFC8290:5.2.1-1 RFC8290:5.2.2-1 RFC8290:5.2.3-2 RFC8290:5.2.4-1 RFC8290:5.2.5-1 RFC8290:5.2.7-1 "
    .. "has FQ-CoDel's", function()
    assert.same({ kind = "fq_codel", packets = 10240, bytes = 0, ecn = true, packet_size = 1500,
      target = 0.005, interval = 0.1, ce_threshold = false, flows = 1024, quantum = 1514 },
      configured { kind = "fq_codel" })
  end)

  it("RFC8033:4.2-3 RFC8033:4.2-5 RFC8033:4.2-6 RFC8033:4.4-3 RFC8033:5.1-2 RFC8033:6-1 has PIE's", function()
    local queue = configured "pie"
    assert.same({ 0.015, 0.015, 0.125, 1.25, 0.15, false },
      { queue.target, queue.update, queue.alpha, queue.beta, queue.burst, queue.derandomize })
    assert.is_true(math.abs(queue.ecn_threshold - 0.1) < 1e-9)
  end)

  it("RFC9332:A.1-2 RFC9332:2.5.1-9 RFC9332:2.5.2.1-1 RFC9332:2.5.2.1-3 has DualPI2's, where the gains "
    .. "follow from rtt_max", function()
    assert.same({ kind = "dualpi2", packets = 0, bytes = 0, packet_size = 1500, target = 0.015, rtt_max = 0.1,
      k = 2, min_threshold = 0.0008, range = 0.0004, threshold_packets = 1, classic_weight = 16 },
      configured "dualpi2")
  end)

  it("has RED's of the paper and its gentle slope", function()
    local queue = configured "red"
    assert.same({ 5, 15, true, false }, { queue.min, queue.max, queue.gentle, queue.in_bytes })
    assert.is_true(math.abs(queue.weight - 0.002) < 1e-9)
    assert.is_true(math.abs(queue.max_probability - 0.1) < 1e-9)
  end)

  it("takes of three thresholds of a step those that are said", function()
    local by_default = configured "step"
    assert.same({ 65, false, false },
      { by_default.threshold, by_default.threshold_bytes, by_default.threshold_time })
    local by_time = configured { kind = "step", threshold_time = 0.001 }
    assert.same({ false, false, 0.001 },
      { by_time.threshold, by_time.threshold_bytes, by_time.threshold_time })
    local by_both = configured { kind = "step", threshold = 5, threshold_bytes = 9000, drop_not_ect = false }
    assert.same({ 5, 9000, false, false },
      { by_both.threshold, by_both.threshold_bytes, by_both.threshold_time, by_both.drop_not_ect })
  end)

  it("RFC7567:4.2.1-4 RFC7567:4.3-3 RFC9332:2.5.2.1-2 comes back as it was put in, for every kind", function()
    for _, queue in ipairs {
      { kind = "red", packets = 50, min = 4, max = 20, weight = 0.25, max_probability = 0.5, gentle = false,
        in_bytes = false, ecn = false, packet_size = 1000 },
      { kind = "codel", bytes = 90000, target = 0.01, interval = 0.2, ce_threshold = 0.001, ecn = false },
      { kind = "fq_codel", packets = 100, flows = 16, quantum = 300, target = 0.002 },
      { kind = "pie", target = 0.02, update = 0.03, alpha = 0.25, beta = 2.5, burst = 0.0,
        ecn_threshold = 0.5, derandomize = true },
      { kind = "dualpi2", target = 0.02, update = 0.016, alpha = 0.25, beta = 3.25, k = 3, range = 0.0 },
    } do
      local now, net = configured(queue)
      for key, value in pairs(queue) do assert.equal(value, now[key], queue.kind .. "." .. key) end
      net.wire:configure { queue = now }
      assert.same(now, net.wire:configuration(net.client).queue)
    end
  end)

  it("is refused with the reason", function()
    assert.matches(
      "kind: 'drop_tail', 'red', 'codel', 'fq_codel', 'pie', 'step' or 'dualpi2' expected, got blue",
      message_of "blue", 1, true)
    assert.matches("unknown option 'target' in queue; known: kind, packets, bytes",
      message_of { kind = "drop_tail", target = 1 }, 1, true)
    assert.matches("unknown option 'quantum' in queue", message_of { kind = "codel", quantum = 1 })
    assert.matches("queue.max: more than min expected", message_of { kind = "red", min = 15 })
    assert.matches("queue.flows: integer between 1 and", message_of { kind = "fq_codel", flows = 0 })
    assert.matches("queue.alpha: Hertz between 0 and 16384 expected", message_of { kind = "pie", alpha = -1 })
    assert.matches("queue.update: seconds between", message_of { kind = "pie", update = 0 })
    assert.matches("unknown option 'ecn'", message_of { kind = "dualpi2", ecn = false })
    assert.matches("queue: integer expected, got boolean", message_of(true))
  end)

  it("is told of in the counters", function()
    local net = lab.pair { link = { delay = 0.01, rate = 8e6, queue = "codel" } }
    local client = lab.handshake(net)
    client:write(("x"):rep(50000))
    net:run { until_ = 2 }
    local queue = net.wire:counters(net.client).queue
    assert.equal("codel", queue.kind)
    assert.same({ 0, 0, 0, false }, { queue.marked, queue.early, queue.overflow, queue.dropping })
    assert.is_true(queue.sojourn.packets > 30)
    assert.is_true(queue.sojourn.mean > 0 and queue.sojourn.mean <= queue.sojourn.p99)
    assert.is_true(queue.sojourn.median <= queue.sojourn.p99 and queue.sojourn.p99 <= queue.sojourn.greatest)
    -- Ten segments in a burst, 1 ms and a bit each: the last waits for the others.
    assert.is_true(queue.sojourn.greatest > 0.005 and queue.sojourn.greatest < 0.05)
  end)
end)

describe("marks", function()
  it("are set by a rule in what is ECN-capable, and answered with ECE", function()
    local net, client, server = lab.connected { client = { ecn = 1 }, server = { ecn = 1 } }
    local rule <close> = net.wire:mark { data = true, nth = 2 }
    client:write(("x"):rep(6000))
    server:read_exactly(6000)
    net:run { until_ = net:now() + 1 }
    assert.equal(1, server:info().ce_received)
    assert.is_true(client:info().ece_received > 0)
    assert.equal(1, client:info().ecn_reductions)
    assert.equal(1, net.wire:counters(net.client).marked)
    assert.equal(0, client:info().segments_retransmitted)
    assert.matches("%[CE%]", net:ladder())
    assert.same({ 1 }, { (select(2, rule:counts())) })
  end)

  it("leave alone what is not", function()
    local net, client, server = lab.connected { client = { ecn = 0 }, server = { ecn = 0 } }
    local rule <close> = net.wire:mark { data = true }
    client:write "plain"
    assert.equal("plain", server:read_exactly(5))
    assert.equal(0, server:info().ce_received)
    assert.equal(0, net.wire:counters(net.client).marked)
    assert.is_true(select(2, rule:counts()) >= 1)
  end)

  it("are an answer of a rule in Lua, as a word or in a table", function()
    for _, answer in ipairs { "mark", { mark = true, delay = 0.001 } } do
      local net, client, server = lab.connected { client = { ecn = 1 }, server = { ecn = 1 } }
      local rule <close> = net.wire:rule(function() return answer end, { data = true, from = net.client })
      client:write "marked"
      assert.equal("marked", server:read_exactly(6))
      assert.equal(1, server:info().ce_received)
      assert.is_table(rule)
    end
  end)

  it("come by chance, the same for the same seed, and in both IP versions", function()
    for _, version in ipairs { 4, 6 } do
      local seen = {}
      for run, seed in ipairs { 5, 5, 6 } do
        local net = lab.pair { seed = seed, client = { ecn = 1 }, server = { ecn = 1 },
          link = { delay = 0.01, rate = 1e7, mark = 0.25,
            addresses = version == 6 and { { "fd00::1/64" }, { "fd00::2/64" } } or nil } }
        local client, server = lab.handshake(net)
        client:write(("x"):rep(200000))
        server:read_exactly(200000)
        seen[run] = server:info().ce_received
        assert.equal(server:info().ce_received + client:info().ce_received,
          net.wire:counters(net.client).marked + net.wire:counters(net.server).marked)
        assert.equal(0, client:info().segments_retransmitted)
      end
      assert.is_true(seen[1] > 15 and seen[1] < 65, seen[1])
      assert.equal(seen[1], seen[2])
      assert.not_equal(seen[1], seen[3])
    end
  end)
end)
