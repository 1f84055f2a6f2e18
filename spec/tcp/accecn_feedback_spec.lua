-- RFC 9768 section 3.2.2: CE marks are counted, fed back in the ACE field, and read from it.
local accecn = require "support.accecn"
local lab = require "support.lab"
local tcp = require "lunatcp"
local wire = require "support.wire"

local NOT_ECT <const>, ECT1 <const>, ECT0 <const>, CE <const> = 0, 1, 2, 3

-- The ACE fields of all that has come.
local function aces(s)
  local seen = {}
  for i, packet in ipairs(wire.drain(s.peer, 0.05)) do seen[i] = accecn.ace(packet) end
  return seen
end

describe("the ACE field", function()
  it("RFC9768:3.2.2.2-1 RFC9768:3.2.1-1 is the number of packets that met CE, from 5 on, modulo 8", function()
    local s = accecn.passive()
    local seen = {}
    for i = 1, 10 do
      s.data(100, { ecn = CE })
      seen[i] = accecn.ace(s.next())
    end
    assert.same({ 6, 7, 0, 1, 2, 3, 4, 5, 6, 7 }, seen)
    s.data(100, { ecn = ECT0 })
    assert.equal(7, accecn.ace(s.next()))
    assert.equal(10, s.conn:info().ce_received)
  end)

  it("RFC9768:3.2.2.2-1 RFC9768:3.2.2-1 stands on data and on a FIN as well", function()
    local s = accecn.passive()
    s.data(100, { ecn = CE })
    s.next()
    s.conn:write "x"
    assert.equal(6, accecn.ace(s.peer:expect { length = 1 }))
    s.conn:shutdown()
    local fin = s.next()
    assert.is_true(fin.flags.fin)
    assert.equal(6, accecn.ace(fin))
  end)

  it("RFC9768:3.2-1 counts no SYN, but ACKs and what came before", function()
    local s = accecn.passive { syn = { ecn = CE } }
    s.data(100)
    assert.equal(5, accecn.ace(s.next()))
    s.send { flags = accecn.flags("A", 5), seq = s.seq, ecn = CE }
    s.data(100)
    assert.equal(6, accecn.ace(s.next()))
  end)

  it("RFC9768:3.2-1 counts acceptable packets only", function()
    local s = accecn.passive()
    s.data(100)
    s.next()
    s.send { flags = accecn.flags("A", 5), seq = 1001, payload = ("x"):rep(100), ecn = CE } -- old
    assert.equal(5, accecn.ace(s.next()))
    s.send { flags = accecn.flags("A", 5), seq = 1101, ack = 9999, payload = "x", ecn = CE } -- unsent
    s.next()
    s.data(100)
    assert.equal(5, accecn.ace(s.next()))
    assert.equal(0, s.conn:info().ce_received)
  end)

  it("RFC9768:3.2-1 counts nothing that a closed window has no room for", function()
    local s = accecn.passive { host = { receive_buffer = 1000 } }
    s.data(1000, { ecn = ECT0 })
    assert.equal(0, s.next().window)
    s.data(100, { ecn = CE })
    assert.equal(5, accecn.ace(s.next()))
    assert.equal(0, s.conn:info().received_ce_bytes)
  end)

  it("RFC9768:3.1.5-16 never says CWR", function()
    local s = accecn.passive { host = { initial_window = 10 } }
    s.conn:write(("x"):rep(20000))
    wire.drain(s.peer, 0.05)
    s.send { flags = accecn.flags("A", 6), ack = 6001 }
    s.wait()
    s.send { flags = accecn.flags("A", 6), ack = 15001 }
    for _, ace in ipairs(aces(s)) do assert.equal(5, ace) end
    assert.equal(1, s.conn:info().ecn_reductions)
  end)
end)

describe("an ACK leaves at once", function()
  local patient <const> = { delayed_ack = true, delayed_ack_timeout = 0.4, ack_every = 100 }

  it("RFC9768:3.2.2.5.1-1 when data met CE and the packet before had not", function()
    local s = accecn.passive { host = patient }
    s.data(100, { ecn = ECT0 })
    assert.is_nil(s.next())
    s.data(100, { ecn = CE })
    assert.equal(6, accecn.ace(s.next()))
    s.data(100, { ecn = CE }) -- the second in a row does not: the first one of two
    assert.is_nil(s.next())
    s.data(100, { ecn = ECT0 })
    assert.is_nil(s.next())
    s.data(100, { ecn = CE })
    assert.equal(0, accecn.ace(s.next()))
  end)

  it("RFC9768:3.2.2.5.1-2 when two CE marks have come since the last one, and data waits", function()
    local s = accecn.passive { host = patient }
    local seen = {}
    for i = 1, 5 do
      s.data(100, { ecn = CE })
      local ack = s.next()
      seen[i] = ack and accecn.ace(ack) or "-"
    end
    assert.same({ 6, "-", 0, "-", 2 }, seen)
  end)

  it("RFC9768:3.2.2.5.1-2 when three have come on ACKs, and none waits", function()
    local s = accecn.passive { host = patient }
    local seen = {}
    for i = 1, 7 do
      s.send { flags = accecn.flags("A", 5), ecn = CE }
      local ack = s.next()
      seen[i] = ack and accecn.ace(ack) or "-"
    end
    assert.same({ "-", "-", 0, "-", "-", 3, "-" }, seen)
  end)

  it("RFC9768:3.2.2.5.1-3 and has no SACK blocks then", function()
    local s = accecn.passive { syn = { options = { mss = 1000, sack_permitted = true } } }
    s.seq = 1101
    s.data(100) -- a hole before it
    assert.is_not_nil(s.next().options.sack)
    for _ = 1, 3 do s.send { flags = accecn.flags("A", 5), seq = 1201, ecn = CE } end
    local packets = wire.drain(s.peer, 0.05)
    assert.equal(0, accecn.ace(packets[#packets]))
    assert.is_nil(packets[#packets].options.sack)
  end)
end)

-- The host sends; the script's ACKs say what met CE. Segments have 1000 octets.
local function sender(options)
  options = options or {}
  local host = { initial_window = 40, ecn = 3, timestamps = options.timestamps or false }
  for key, value in pairs(options.host or {}) do host[key] = value end
  local s = accecn.passive { host = host, syn = options.syn, options = options.options }
  s.conn:write(("x"):rep(options.segments and options.segments * 1000 or 40000))
  s.sent = wire.drain(s.peer, 0.05)
  s.acked = 0
  -- Acknowledges so many segments more; tells how many CE marks that was taken to mean.
  function s.acknowledge(segments, ace, counters)
    local before = s.conn:info().delivered_ce
    s.acked = s.acked + segments * 1000
    s.send {
      flags = accecn.flags("A", ace), ack = 5001 + s.acked,
      options = counters and { accecn = counters } or nil,
    }
    s.wait()
    return s.conn:info().delivered_ce - before
  end
  return s
end

describe("a sender", function()
  it("RFC9768:3.1.5-11 marks new data ECT(0)", function()
    local s = sender()
    assert.equal(40, #s.sent)
    for _, packet in ipairs(s.sent) do assert.equal(ECT0, packet.ecn) end
  end)

  it("RFC3168:6.1.6-1 marks no window probe", function()
    local s = accecn.passive()
    s.send { flags = accecn.flags("A", 5), window = 0 }
    s.wait()
    s.conn:write "xyz"
    local probe = s.next(3)
    assert.same({ 1, NOT_ECT }, { probe.length, probe.ecn })
    s.send { flags = accecn.flags("A", 5), ack = 5002 }
    local rest = s.next()
    assert.same({ 2, ECT0 }, { rest.length, rest.ecn })
  end)

  it("RFC9331:4.2 marks it ECT(1) for a control that is L4S, where feedback is accurate", function()
    assert.equal(ECT1, sender({ host = { congestion = "prague" } }).sent[1].ecn)
    local s = accecn.passive { host = { congestion = "prague" }, syn = { ace = 3 }, ace = 0 }
    s.conn:write "x"
    assert.equal(ECT0, s.next().ecn)
  end)

  it("RFC9768:3.2.2.2-6 RFC9768:3.2.2-2 takes the least increment that gives the field", function()
    local s = sender()
    assert.equal(0, s.acknowledge(1, 5))
    assert.equal(1, s.acknowledge(1, 6))
    assert.equal(2, s.acknowledge(2, 0))
    assert.equal(7, s.acknowledge(7, 7))
    assert.equal(0, s.acknowledge(7, 7))
    assert.equal(10, s.conn:info().delivered_ce)
  end)

  it("RFC9768:3.2.2.2-5 ignores an ACK that another has superseded", function()
    local s = sender { syn = { options = { mss = 1000, sack_permitted = true } } }
    s.acknowledge(2, 7)
    s.acknowledge(1, 0)
    s.send { flags = accecn.flags("A", 7), ack = 7001 } -- the first of them, late
    s.wait()
    assert.equal(3, s.conn:info().delivered_ce)
    s.acknowledge(0, 4)
    assert.equal(3, s.conn:info().delivered_ce)
  end)

  it("RFC9768:A.1 takes a duplicate ACK for news of a segment where there is no SACK", function()
    local s = sender()
    s.acknowledge(1, 5)
    for i = 1, 10 do assert.equal(1, s.acknowledge(0, 5 + i), i) end
    -- The eleven are known: an ACK of all of them cannot hide a cycle.
    assert.equal(0, s.acknowledge(11, 15))
  end)

  it("RFC9768:A.1 knows by timestamps that one without news of data is newer", function()
    local s = accecn.passive {
      host = { timestamps = true }, syn = { options = { mss = 1000, timestamps = { value = 1, echo = 0 } } },
      options = { timestamps = { value = 2, echo = 1 } },
    }
    s.conn:write "x"
    local stamp = s.next().options.timestamps.value
    for i, ace in ipairs { 6, 6, 7 } do
      s.send {
        flags = accecn.flags("A", ace), ack = i == 3 and 5001 or 5002,
        options = { timestamps = { value = i == 3 and 4 or 2 + i, echo = stamp } },
      }
    end
    s.wait()
    assert.equal(1, s.conn:info().delivered_ce)
    s.send {
      flags = accecn.flags("A", 7), ack = 5002, options = { timestamps = { value = 9, echo = stamp } },
    }
    s.wait()
    assert.equal(2, s.conn:info().delivered_ce)
  end)

  it("RFC9768:3.2.2.5.2-1 holds that the field has cycled where it may have: appendix A.2.1", function()
    assert.equal(2, sender().acknowledge(9, 7))   -- 9 - ((9 - 2) % 8)
    assert.equal(10, sender().acknowledge(10, 7)) -- 10 - ((10 - 2) % 8)
    assert.equal(8, sender().acknowledge(8, 5))
    assert.equal(0, sender().acknowledge(7, 5))
  end)

  it("RFC9768:A.2.1 but not where ACKs are always so thin", function()
    local s = sender { segments = 40 }
    assert.equal(2, s.acknowledge(9, 7))
    assert.equal(2, s.acknowledge(10, 1))
  end)

  it("RFC9768:3.2.2.5.2-2 believes a field that says more than could be", function()
    assert.equal(3, sender().acknowledge(1, 0))
  end)

  it("RFC9768:A.2.2 takes the least where the option's bytes explain it", function()
    -- d.cep, newly acknowledged segments, d.ceb; what is taken. Segments have 1000 octets here.
    local rows <const> = {
      { 0, 8, 0, 0 },      -- nothing met CE
      { 0, 8, 1000, 8 },   -- more bytes than packets
      { 2, 10, 1000, 2 },  -- of 500 octets each, not of 100
      { 7, 15, 6986, 7 },  -- of 998 octets, not of 466
      { 7, 15, 7600, 15 }, -- of more than a segment each
      { 2, 10, 2001, 10 },
    }
    for i, row in ipairs(rows) do
      local s = sender { options = { accecn = { kind = 172, 1, 0, 1 } } }
      local least, segments, bytes = row[1], row[2], row[3]
      assert.equal(row[4], s.acknowledge(segments, 5 + least,
        { kind = 172, (segments * 1000 - bytes) + 1, bytes, 1 }), i)
    end
  end)

  it("RFC9768:A.2.2 where the ACK before had one too", function()
    local counters = { kind = 172, 9001, 1000, 1 }
    assert.equal(10, sender().acknowledge(10, 7, counters))
    assert.equal(2, sender({ options = { accecn = { kind = 172, 1, 0, 1 } } }).acknowledge(10, 7, counters))
  end)

  it("RFC9768:A.2.2 also by the bytes that met no CE, where that field is left out", function()
    local s = sender { options = { accecn = { kind = 172, 1, 0, 1 } } }
    assert.equal(0, s.acknowledge(16, 5, { kind = 172, 16001 }))
  end)

  it("RFC9768:3.2.2.4-1 turns Not-ECT and deaf where the first ACE field is 0", function()
    local s = sender()
    s.acknowledge(1, 0)
    s.acknowledge(9, 1)
    local info = s.conn:info()
    assert.is_false(info.ecn_sending)
    assert.is_true(info.accecn_deaf)
    assert.equal(0, info.ecn_reductions)
    s = sender()
    s.acknowledge(1, 5)
    s.acknowledge(3, 0) -- later it is a count like any other
    assert.is_true(s.conn:info().ecn_sending)
    assert.equal(3, s.conn:info().delivered_ce)
  end)

  it("RFC9768:3.2.3.2.5-1 turns Not-ECT where bytes met CE and no packet did", function()
    local s = sender { options = { accecn = { kind = 172, 1, 0, 1 } } }
    s.acknowledge(2, 6, { kind = 172, 1001, 1000, 1 })
    assert.is_true(s.conn:info().ecn_sending)
    s.acknowledge(2, 6, { kind = 172, 2001, 2000, 1 })
    assert.is_false(s.conn:info().ecn_sending)
  end)

  it("RFC3168:6.1.2-1 halves its window once for each window that met CE", function()
    local s = sender { segments = 60 }
    for i = 1, 5 do s.acknowledge(1, 5 + i) end
    assert.equal(1, s.conn:info().ecn_reductions)
    assert.is_true(s.conn:info().cwnd <= 20000)
    s.acknowledge(35, 2)
    assert.equal(1, s.conn:info().ecn_reductions)
    wire.drain(s.peer, 0.05)
    s.acknowledge(2, 4)
    assert.equal(2, s.conn:info().ecn_reductions)
  end)
end)

describe("marked octets", function()
  -- What a congestion control of each kind is told.
  local told
  setup(function()
    local function note(_, ack) told[#told + 1] = ack.ce_bytes end
    local function reduce(cc) cc.cwnd = cc.cwnd // 2 end
    tcp.congestion("listener of marks", {
      ecn = "dctcp", init = function(cc) cc.cwnd = 40000 end, on_ack = note, on_loss = reduce,
      on_timeout = reduce, on_ecn = function() told[#told + 1] = "on_ecn" end,
    })
  end)
  before_each(function() told = {} end)
  local function listening(counters)
    return sender {
      host = { congestion = "listener of marks" }, options = counters and { accecn = counters },
    }
  end

  it("RFC9768:A.3 are the marked packets' share of what was acknowledged", function()
    local s = listening()
    s.acknowledge(2, 5)
    s.acknowledge(2, 6)
    s.acknowledge(3, 0)
    s.acknowledge(1, 3) -- three, though one was acknowledged
    s.acknowledge(1, 3)
    assert.same({ 0, 1000, 2000, 1000, 0 }, told)
  end)

  it("RFC9768:3.2.3.1-2 are what the option counts, and that puts estimates right", function()
    local s = listening { kind = 172, 1, 0, 1 }
    s.acknowledge(2, 6, { kind = 172, 1501, 500, 1 })
    s.acknowledge(2, 7) -- without it: estimated, 1000
    s.acknowledge(2, 7, { kind = 172, 4601, 1400, 1 })
    s.acknowledge(2, 0, { kind = 172, 5601, 2400, 1 })
    assert.same({ 500, 1000, 0, 1000 }, told)
  end)

  it("RFC8257:3.3-1 are all that an ACK with ECE acknowledges, where RFC 3168 was agreed", function()
    local s = accecn.passive {
      host = { congestion = "listener of marks", ecn = 2 }, syn = { ace = 3 }, ace = 0,
    }
    s.conn:write(("x"):rep(20000))
    wire.drain(s.peer, 0.05)
    for i, ece in ipairs { 0, 1, 1, 0 } do
      s.send { flags = accecn.flags("A", ece), ack = 5001 + i * 1000 }
    end
    s.wait()
    assert.same({ 0, 1000, 1000, 0 }, told)
    local new = wire.drain(s.peer, 0.05)
    assert.is_true(#new == 0 or new[1].flags.cwr)
  end)
end)

describe("DCTCP without AccECN", function()
  it("RFC8257:3.2-1 echoes exactly, and each change at once", function()
    local s = accecn.passive {
      host = {
        congestion = "dctcp", ecn = 2, delayed_ack = true, delayed_ack_timeout = 0.4, ack_every = 100,
      },
      syn = { ace = 3 }, ace = 0,
    }
    local seen = {}
    for i, ecn in ipairs { ECT0, CE, CE, CE, ECT0, ECT0, CE } do
      s.data(100, { ecn = ecn, ace = 0 })
      local ack = s.next()
      seen[i] = ack and accecn.ace(ack) or "-"
    end
    assert.same({ "-", 1, "-", "-", 0, "-", 1 }, seen)
    s.send { flags = "A", seq = s.seq } -- a bare ACK is Not-ECT, and says nothing of it
    assert.is_nil(s.next())
    assert.equal(NOT_ECT, s.synack.ecn)
  end)
end)

describe("both ends of a transfer", function()
  -- Over a queue that marks from the eighth packet on.
  local function transfer(settings, link)
    local net = lab.pair {
      client = settings, server = settings,
      link = link or { delay = 0.01, rate = 50e6, queue = { kind = "step", packets = 1000, threshold = 8 } },
    }
    local client, server = lab.handshake(net)
    net:spawn(function()
      client:write(("x"):rep(2000000))
      client:shutdown()
    end)
    assert.equal(2000000, #server:read_exactly(2000000))
    net:run { until_ = net:now() + 1 }
    return net, client:info(), server:info()
  end

  for _, name in ipairs { "newreno", "cubic", "dctcp", "prague" } do
    it("RFC9768:3.2-3 agree on every packet and octet that met CE, under " .. name, function()
      local net, from, to = transfer { ecn = 3, congestion = name }
      local marked = net.wire:counters(net.client).queue.marked
      assert.is_true(marked > 10, marked)
      assert.equal(marked, to.ce_received)
      assert.equal(marked, from.delivered_ce)
      assert.equal(to.received_ce_bytes, from.delivered_ce_bytes)
      assert.equal(to.received_ect0_bytes, from.delivered_ect0_bytes)
      assert.equal(to.received_ect1_bytes, from.delivered_ect1_bytes)
      assert.equal(2000000, to.received_ce_bytes + to.received_ect0_bytes + to.received_ect1_bytes)
      assert.equal(0, from.segments_retransmitted)
    end)
  end

  it("RFC9768:3.2.3.2.3-1 agree on the packets without options too", function()
    local net, from, to = transfer { ecn = 3, congestion = "dctcp", accecn_option = 0 }
    assert.is_false(from.accecn_option_seen)
    assert.equal(net.wire:counters(net.client).queue.marked, to.ce_received)
    assert.equal(to.ce_received, from.delivered_ce)
    assert.equal(0, from.delivered_ect0_bytes)
  end)

  it("RFC9768:6.1 never count fewer than there were where ACKs are lost", function()
    for seed = 1, 5 do
      local net = lab.pair {
        seed = seed, client = { ecn = 3, congestion = "dctcp" }, server = { ecn = 3 },
        link = {
          delay = 0.01, rate = 50e6, queue = { kind = "step", packets = 1000, threshold = 8 },
          back = { loss = 0.3 },
        },
      }
      local client, server = lab.handshake(net)
      net:spawn(function() client:write(("x"):rep(1000000)) end)
      assert.equal(1000000, #server:read_exactly(1000000))
      net:run { until_ = net:now() + 2 }
      assert.is_true(client:info().delivered_ce >= server:info().ce_received)
      assert.equal(server:info().received_ce_bytes, client:info().delivered_ce_bytes)
    end
  end)
end)
