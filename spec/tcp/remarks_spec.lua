-- What algorithms say of their work in the trace (core/include/lunatcp/remark.h): each step of loss recovery,
-- congestion control, ECN, Fast Open and path MTU discovery leaves a record, at its time, with its numbers.
local accecn = require "support.accecn"
local core = require "lunatcp.core"
local flight = require "support.flight"
local lab = require "support.lab"
local tcp = require "lunatcp"
local wire = require "support.wire"

-- The records of a connection (or network), as "text" of each; with the records themselves.
local function said(net, remark, conn)
  local events = net.trace:events { remark = remark, connection = conn }
  local texts = {}
  for i, event in ipairs(events) do texts[i] = event.text end
  return texts, events
end

local function of_flight(f, remark) return said(f.net, remark, f.conn) end

local function open(host, options)
  options = options or {}
  host.rto_min = 0.2
  options.host = host
  return flight.open(options)
end

describe("the trace of loss recovery", function()
  it("tells each step of F-RTO (RFC 5682 section 2.1), and what was given back", function()
    local f = open({ frto = true }, { total = 20000 })
    local before = f.conn:info()
    f:wait(1)
    assert.equal(1, f.conn:info().frto_step)
    f:ack(2)
    f:sent(0.03)
    assert.equal(2, f.conn:info().frto_step)
    f:ack(3)
    f:sent(0.03)
    local texts, events = of_flight(f, "frto")
    assert.same({
      "step 1: the first segment goes again", "step 2b: new data goes first", "step 3b: nothing was lost",
    }, texts)
    local function after_first(seq) return (seq - events[1].snd_una) & 0xffffffff end
    assert.same({ 1000, 2000 }, { after_first(events[2].snd_una), after_first(events[3].snd_una) })
    assert.equal(10000, after_first(events[2].recovery_point))
    texts, events = of_flight(f, "undo")
    assert.same({ "F-RTO" }, texts)
    assert.is_true(events[1].cwnd >= before.cwnd)
    assert.is_true(events[1].cwnd <= f.conn:info().cwnd)
    assert.equal(f.conn:info().ssthresh, events[1].ssthresh)
    assert.equal(0, f.conn:info().frto_step)
  end)

  it("tells where F-RTO ends otherwise", function()
    local f = open({ frto = true }, { total = 20000 })
    f:wait(1)
    f:ack(2)
    f:sent(0.03)
    f:ack(2, { 11, 11 })
    f:sent(0.03)
    assert.equal("step 3a: segments were lost", of_flight(f, "frto")[3])
    f = open({ frto = true }, { total = 10000 })
    f:wait(1)
    f:ack(2)
    f:sent(0.03)
    assert.same({ "step 1: the first segment goes again", "step 2a: it cannot be told" },
      (of_flight(f, "frto")))
    assert.same({}, (of_flight(f, "undo")))
  end)

  it("tells of a loss what it did to the window, and that a DSACK took it back", function()
    local f = open { undo_by_dsack = true, initial_window = 10 }
    f:ack(1, { 2, 4 })
    f:sent(0.03)
    local texts, events = of_flight(f, "response")
    assert.same({ "a loss" }, texts)
    assert.equal(f.conn:info().ssthresh, events[1].ssthresh)
    assert.is_true(events[1].cwnd < 10000)
    f:ack(5)
    f:ack(5, { 1, 1 })
    f:sent(0.03)
    texts, events = of_flight(f, "undo")
    assert.same({ "DSACK" }, texts)
    assert.equal(10000, events[1].cwnd)
  end)

  it("tells of a timeout, and that Eifel detection (RFC 3522) took it back", function()
    local net, conn, peer = wire.passive {
      syn = { options = { mss = 1000, sack_permitted = true, timestamps = { value = 1, echo = 0 } } },
      ack_options = { timestamps = { value = 2, echo = 0 } },
      host = { eifel = true, rto_min = 0.2, initial_window = 10, timestamp_offset = 0 },
    }
    conn:write(wire.pattern(9880))
    local first = peer:expect { seq = 5001 }
    net:run { until_ = net:now() + 0.3 }
    local texts, events = said(net, "response", conn)
    assert.same({ "a timeout" }, texts)
    assert.equal(conn:info().snd_mss, events[1].cwnd)
    local echo = first.options.timestamps.value
    peer:send {
      flags = "A", seq = 1001, ack = 5001 + 3 * first.length,
      options = { timestamps = { value = 3, echo = echo } },
    }
    net:run { until_ = net:now() + 0.011 }
    assert.same({ "Eifel" }, (said(net, "undo", conn)))
  end)

  it("tells what a tail loss probe (RFC 8985 section 7) was for, and what came of it", function()
    local function probed(total, answer)
      local f = open({ rack = true, tlp = true }, { total = total or 10000 })
      f:wait(1)
      assert.is_true(f.conn:info().tail_probe_outstanding)
      local probe = f.net.trace:events { kind = "probe", connection = f.conn }
      assert.same({ "tail loss", 1 }, { probe[1].text, probe[1].value })
      answer(f)
      f:sent(0.03)
      assert.is_false(f.conn:info().tail_probe_outstanding)
      return of_flight(f, "tail_probe"), of_flight(f, "response")
    end
    local texts, responses = probed(10000, function(f) f:ack(11, { 10, 10 }) end)
    assert.same({ "both copies arrived" }, texts)
    assert.same({}, responses)
    assert.same({ "new data arrived" }, (probed(15000, function(f) f:ack(12) end)))
    texts, responses = probed(10000, function(f)
      f:ack(11)
      f.conn:write(("x"):rep(1000))
      f:sent(0.02)
      f:ack(12)
    end)
    assert.same({ "a loss was repaired" }, texts)
    assert.same({ "a loss that a probe repaired" }, responses)
  end)

  it("tells the two other probes by name", function()
    local f = open({ rack = true }, { total = 10000 })
    f.peer:send { flags = "A", seq = 1001, ack = 15001, window = 0 }
    f.conn:write "x"
    f:sent(1)
    assert.equal("zero window", f.net.trace:events({ kind = "probe" })[1].text)
    f = open { keepalive = true, keepalive_idle = 1 }
    f:ack(11)
    f:sent(1.5)
    assert.equal("keep-alive", f.net.trace:events({ kind = "probe" })[1].text)
  end)

  it("tells that reordering was seen, and how long RACK waits from then on", function()
    local f = open { rack = true }
    f:ack(1, { 2, 3 })
    f.net:run { until_ = f.net:now() + 0.004 }
    f:ack(4)
    f:sent(0.02)
    local texts, events = of_flight(f, "reordering")
    assert.same({ "seen" }, texts)
    assert.near(f.conn:info().min_rtt / 4, events[1].reordering_window, 1e-9)
    assert.equal(3, events[1].reordering)
    assert.equal(3, f.conn:info().reordering)
    f:ack(5, { 1, 1 })
    f:sent(0.02)
    texts, events = of_flight(f, "reordering")
    assert.equal("a duplicate came: wait longer", texts[2])
    assert.near(f.conn:info().min_rtt / 2, events[2].reordering_window, 1e-9)
  end)

  it("tells of limited transmit (RFC 3042), and counts it", function()
    local f = open({ limited_transmit = true }, { total = 20000 })
    f:ack(1, { 2, 2 })
    assert.same({ 11 }, f:sent(0.02))
    local texts, events = of_flight(f, "limited_transmit")
    assert.same({ "new data on a duplicate ACK" }, texts)
    assert.equal(1, events[1].duplicate_acks)
    assert.equal(1, f.conn:info().limited_transmits)
  end)

  it("tells of a receiver that reneged (RFC 2018 section 8)", function()
    local f = open { rack = false }
    f:ack(1, { 2, 4 })
    f:sent(0.015)
    f:ack(2)
    f:sent(0.011)
    local texts, events = of_flight(f, "reneged")
    assert.same({ "what was SACKed is forgotten" }, texts)
    assert.equal(3000, events[1].sacked)
  end)

  it("RFC9937:6.2-2 tells as a detail what PRR lets leave on each ACK, and shows its variables", function()
    local f = open({ prr = true, rack = true, initial_window = 10 }, { total = 30000 })
    f.net.trace:record { "detail" }
    f:ack(1, { 2, 4 })
    f:sent(0.011)
    f:ack(1, { 2, 5 })
    f:sent(0.011)
    local info = f.conn:info()
    assert.is_true(info.prr)
    assert.equal(10000, info.recover_fs)
    assert.equal(4000, info.prr_delivered)
    assert.equal(4000, info.sacked)
    assert.equal(1000, info.lost)
    assert.equal(1000, info.retransmitted)
    assert.equal(info.snd_nxt - info.snd_una - info.sacked - info.lost + info.retransmitted, info.pipe)
    local texts, events = of_flight(f, "prr")
    assert.equal(2, #texts)
    assert.equal(info.cwnd, events[2].cwnd)
    assert.equal("in proportion", texts[1])
  end)
end)

-- Two hosts and a link: the client connects and does `body(conn, net)`, the server reads. Ends after so long,
-- or when both are done.
local function play(settings, path, body, seconds, record)
  local net = tcp.network { seed = 1 }
  settings.profile = "linux"
  local client, server = net:host("client", settings), net:host("server", settings)
  net:link(client, server, path)
  if record then net.trace:record(record) end
  local conn
  net:spawn(function()
    local accepted <close> = server:listen(80):accept()
    for _ in accepted:chunks() do end
  end)
  net:spawn(function()
    conn = assert(client:connect(server, 80))
    body(conn, net)
  end)
  net:run { until_ = seconds }
  return net, conn
end

-- A bulk transfer over 10 Mbit/s and 40 ms, for three seconds or `options.seconds`.
local function transfer(settings, options)
  options = options or {}
  return play(settings, { delay = 0.020, rate = 10e6, queue = options.queue or 40 }, function(conn)
    while conn:write(("x"):rep(20000)) do end
  end, options.seconds or 3, options.record)
end

describe("the trace of congestion control", function()
  it("names the states of BBR, in the order of the draft's figure", function()
    local net, conn = transfer({ congestion = "bbr" }, { seconds = 12 })
    local texts, events = said(net, "congestion", conn)
    assert.equal("drain", texts[1])
    local all = table.concat(texts, " ")
    assert.matches("probe_bw_refill probe_bw_up probe_bw_down probe_bw_cruise", all, 1, true)
    assert.matches("probe_rtt probe_bw_", all, 1, true)
    assert.equal(conn:info().congestion_state.state, texts[#texts])
    assert.is_true(events[1].cwnd > 0)
    -- Drain sends at half of the estimate, Startup at 2.77 of it.
    assert.is_true(events[1].pacing_rate < 10e6)
    net, conn = transfer { congestion = "bbr1" }
    assert.same({ "drain", "probe_bw" }, { table.unpack(said(net, "congestion", conn), 1, 2) })
  end)

  it("names HyStart++'s phases and CUBIC's regions", function()
    local net, conn = transfer({ congestion = "cubic", hystart = true, hystart_classic = false },
      { queue = 400, seconds = 4 })
    local texts, events = said(net, "congestion", conn)
    assert.equal("css", texts[1])
    assert.is_true(events[1].time < events[2].time)
    assert.equal("convex", texts[#texts])
    local state = conn:info().congestion_state
    assert.equal("convex", state.region)
    assert.is_true(state.css_baseline_min_rtt > 0.044)
  end)

  it("tells that a window is validated no more (RFC 7661), and that it is again", function()
    local settings = { congestion = "newreno", window_validation = true }
    local net, conn = play(settings, { delay = 0.010 }, function(conn, net)
      conn:write(("x"):rep(400000))
      net:sleep(1)
      for _ = 1, 100 do
        conn:write "x"
        net:sleep(0.05)
      end
      conn:write(("x"):rep(800000))
      net:sleep(1)
      conn:close()
    end)
    local texts, events = said(net, "validation", conn)
    local paused
    for i, event in ipairs(events) do
      assert.not_equal(texts[i], texts[i + 1])
      if texts[i] == "not validated" then assert.is_true(event.pipe_ack < event.cwnd / 2) end
      paused = paused or texts[i] == "not validated" and events[i + 1] and events[i + 1].time - event.time > 1
    end
    assert.is_true(paused)
  end)

  it("tells of idleness, where it costs the window something", function()
    local f = open({ initial_window = 4, slow_start_after_idle = true }, { segments = 4, total = 4000 })
    f:ack(5)
    f:sent(2)
    f.conn:write "x"
    f:sent(0.02)
    local texts, events = of_flight(f, "response")
    assert.same({ "idleness" }, texts)
    assert.equal(4000, events[1].cwnd)
  end)

  it("tells as details when something is held back and until when, and the rate of delivery", function()
    local net, conn = transfer({ congestion = "bbr" }, { record = { "detail", "sent" }, seconds = 1 })
    local texts, events = said(net, "pacing", conn)
    assert.equal("held", texts[1])
    assert.is_true(#events > 100)
    local left = {}
    for _, packet in ipairs(net.trace:packets { kind = "sent" }) do left[packet.time] = true end
    for i, event in ipairs(events) do
      assert.is_true(event.until_ > event.time and event.pacing_rate > 0)
      assert.is_true(i == #events or left[event.until_]) -- then something leaves
      assert.is_true(i == 1 or event.until_ > events[i - 1].until_) -- told once
    end
    assert.is_true(conn:info().pacing_deadline == nil or conn:info().pacing_deadline > net:now())
    local _, rates = said(net, "rate", conn)
    local newest = rates[#rates]
    assert.near(10e6 * 1448 / 1500, newest.delivery_rate, 3e5)
    assert.is_true(newest.interval >= 0.040)
    assert.near(conn:info().delivery_rate, newest.delivery_rate, 8)
  end)

  it("tells as details when the application is the limit, and when it is not any more", function()
    local f = open({}, { segments = 3, total = 3000 })
    f.net.trace:record { "detail" }
    f:ack(4)
    f:sent(0.02)
    f.conn:write(wire.pattern(600)) -- still so
    f:sent(0.02)
    assert.is_true(f.conn:info().app_limited)
    assert.same({ "begins" }, (of_flight(f, "app_limited"))) -- the window was the limit until all had arrived
    f.conn:write(wire.pattern(50000)) -- now the window is the limit
    f:sent(0.02)
    f:ack(6)
    f:sent(0.02)
    assert.is_false(f.conn:info().app_limited)
    local texts, events = of_flight(f, "app_limited")
    assert.same({ "begins", "ends" }, texts)
    assert.equal(0, events[1].pipe)
  end)

  it("leaves details out where nobody has asked for them", function()
    local net = transfer({ congestion = "bbr" }, { seconds = 0.5 })
    assert.same({}, net.trace:events { kind = "detail" })
  end)
end)

describe("the trace of ECN", function()
  it("tells what was agreed, and each answer to marks", function()
    local function run(settings, queue)
      local net, conn = transfer(settings, { queue = queue, seconds = 2 })
      return said(net, "ecn", conn), said(net, "response", conn), conn:info()
    end
    local step = { kind = "step", threshold = 20 }
    local agreed, responses, info = run({ ecn = 1, congestion = "newreno" }, step)
    assert.same({ "agreed" }, agreed)
    assert.equal("a mark's echo", responses[1])
    assert.equal(info.ecn_reductions, #responses)
    agreed, responses = run({ ecn = 3, congestion = "cubic" }, step)
    assert.same({ "agreed, with accurate feedback" }, agreed)
    assert.equal("marks that were counted", responses[1])
    agreed, responses = run({ ecn = 1, congestion = "dctcp" }, step)
    assert.same({ "agreed" }, agreed)
    assert.equal("marks", responses[1])
  end)

  it("tells what is given up, where marks do not come through (RFC 9768 section 3.2.2.4)", function()
    local s = accecn.passive { ace = 0 }
    assert.is_true(s.conn:info().accecn_deaf)
    assert.same({ "agreed, with accurate feedback", "the peer counts no marks: they are not responded to" },
      (said(s.net, "ecn", s.conn)))
  end)
end)

describe("the trace of the opening and of the path", function()
  it("tells what Fast Open (RFC 7413) did, on both ends", function()
    local net = lab.pair { listen = false }
    net.listener = net.server:listen(80, { fast_open = 16 })
    local function connect(data)
      net.trace:clear()
      local client = assert(net.client:connect(net.server, 80, { fast_open = data }))
      local server = assert(net.listener:accept())
      net:run { until_ = net:now() + 1 }
      local ends = { (said(net, "fast_open", client)), (said(net, "fast_open", server)) }
      local _, events = said(net, "fast_open", client)
      client:close()
      server:close()
      net:run { until_idle = true }
      return ends, events
    end
    assert.same({ { "a cookie is asked for", "a cookie came" }, { "a cookie is given" } }, (connect ""))
    local ends, events = connect "hello"
    assert.same({
      { "data goes with the SYN and its cookie", "the SYN's data was taken" }, { "open at once" },
    }, ends)
    assert.same({ 5, 5 }, { events[1].octets, events[2].octets })
  end)

  it("tells how the path MTU was learned (RFC 1191), and each probe of a search (RFC 4821)", function()
    local path = { delay = 0.010, mtu = 1500 }
    local net, conn = play({ mtu_probing = 2, mtu_base_mss = 512 }, path, function(conn, net)
      conn:write(("x"):rep(500000))
      net:sleep(1)
      conn:close()
    end)
    local texts, events = said(net, "path_mtu", conn)
    assert.same({ "a probe leaves", "a probe arrived" }, { texts[1], texts[2] })
    assert.equal(events[1].size, events[2].path_mtu)
    assert.equal(conn:info().path_mtu, events[#events].path_mtu)
    assert.equal(conn:info().mtu_probe_successes, (#texts) // 2)
  end)
end)

describe("remarks", function()
  it("are listed by name, and of which kind their records are", function()
    assert.equal("remark", core.REMARKS.undo)
    assert.equal("detail", core.REMARKS.pacing)
    local net = lab.pair()
    assert.error_matches(function() net.trace:events { remark = "undone" } end,
      'events: remark: expected one of app_limited, .*, got "undone"')
  end)

  it("stand in docs/trace.md, each with its kind", function()
    local file <close> = assert(io.open "docs/trace.md")
    local text, rows = file:read "a", {}
    for name, kind in text:gmatch "\n| `([%w_]+)` | (%a+) |" do rows[name] = kind end
    assert.same(core.REMARKS, rows)
  end)

  it("reach hooks, those of a connection too", function()
    local f = open({ frto = true }, { total = 20000 })
    local heard = {}
    f.conn:on("remark", function(conn, event)
      assert.equal(f.conn, conn)
      heard[#heard + 1] = event.remark .. ": " .. event.text
    end)
    f:wait(1)
    assert.same({ "frto: step 1: the first segment goes again", "response: a timeout" }, heard)
  end)

  it("stand in the ladder, in words", function()
    local f = open { undo_by_dsack = true, initial_window = 10 }
    f:ack(1, { 2, 4 })
    f:sent(0.03)
    f:ack(5)
    f:ack(5, { 1, 1 })
    f:sent(0.03)
    local ladder = f.net:ladder()
    for _, line in ipairs {
      "%(fast retransmit%)", "%(response to a loss; cwnd %d+, ssthresh %d+%)", "%(recovery ends%)",
      "%(undo: DSACK; cwnd 10000%)",
    } do assert.matches(line, ladder) end
  end)
end)
