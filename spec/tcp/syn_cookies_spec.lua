-- SYN floods, RFC 4987: a bounded queue of half-open connections, and SYN cookies where it is full.
local lab = require "support.lab"
local wire = require "support.wire"

local PERIOD <const> = 64 -- seconds; a cookie is good for the period it was made in and the next one
local SCALE_NONE <const>, SACK <const>, ECN <const> = 15, 16, 32

local function forge(settings, options)
  local host = { syn_cookies = 2 }
  for name, value in pairs(settings or {}) do host[name] = value end
  local net, here, peer = lab.forge { host = host, seed = options and options.seed }
  return net, here, peer, assert(here:listen(80, { backlog = options and options.backlog or 8 }))
end

local function syn(peer, options, more)
  local segment = { flags = "S", seq = 1000, source_port = 4000, destination_port = 80, options = options }
  for name, value in pairs(more or {}) do segment[name] = value end
  peer:send(segment)
end

local FULL <const> = {
  mss = 1460, window_scale = 7, sack_permitted = true, timestamps = { value = 70, echo = 0 },
}

-- What the script's TCP would answer to a SYN-ACK.
local function ack(peer, answer, more)
  local stamps = answer.options.timestamps
  local segment = {
    flags = "A", seq = 1001, ack = answer.seq + 1 & 0xffffffff, source_port = 4000,
    destination_port = 80, window = 1000,
    options = stamps and { timestamps = { value = 71, echo = stamps.value } } or nil,
  }
  for name, value in pairs(more or {}) do segment[name] = value end
  peer:send(segment)
end

local function counters(host)
  local c = host:counters()
  return c.syn_cookies_sent, c.syn_cookies_accepted, c.syn_cookies_refused
end

describe("SYN cookies", function()
  it("RFC4987:3.6-1 keep nothing of a SYN: no connection, and no timer", function()
    local net, host, peer = forge()
    syn(peer, FULL)
    peer:expect { flags = "SA", ack = 1001 }
    assert.equal(0, host:counters().connections)
    net:run { until_idle = true }
    assert.equal(0, #wire.drain(peer)) -- nothing comes again
    assert.is_true(net:now() < 1, net:now())
  end)

  it("RFC4987:3.6-1 keep nothing of a SYN's user timeout option either, and tell nobody of it", function()
    local _, host, peer = forge { uto = true }
    for i = 1, 50 do
      syn(peer, { mss = 1460, user_timeout = 100 }, { source_port = 4000 + i })
      peer:expect { flags = "SA", ack = 1001 }
      assert.is_false(host.core:has_events())
    end
    assert.is_nil(host.core:next_event())
  end)

  it("RFC4987:3.6-2 make the connection of the ACK, with its numbers", function()
    local _, host, peer, listener = forge()
    syn(peer)
    local answer = peer:expect { flags = "SA", ack = 1001 }
    ack(peer, answer)
    local conn = assert(listener:accept())
    local info = conn:info()
    assert.equal("ESTABLISHED", info.state)
    assert.equal(answer.seq, info.iss)
    assert.equal(1000, info.irs)
    assert.equal(1000, info.snd_wnd)
    assert.is_true(info.passive)
    conn:write "abc"
    peer:expect { seq = answer.seq + 1 & 0xffffffff, ack = 1001, payload = "abc" }
    peer:send { flags = "PA", seq = 1001, ack = answer.seq + 4 & 0xffffffff, payload = "xyz", window = 1000 }
    assert.equal("xyz", conn:read(3))
    assert.same({ 1, 1, 0 }, { counters(host) })
  end)

  it("RFC4987:3.6-2 go through the states that every connection goes through", function()
    local net, _, peer, listener = forge()
    syn(peer)
    ack(peer, peer:expect { flags = "SA" })
    local conn = assert(listener:accept())
    local states = {}
    for _, event in ipairs(net.trace:events { kind = "state", connection = conn }) do
      states[#states + 1] = event.from .. " " .. event.to
    end
    assert.same({ "LISTEN SYN-RECEIVED", "SYN-RECEIVED ESTABLISHED" }, states)
  end)

  it("RFC4987:3.6-3 remember the MSS as the next lower of eight", function()
    local kept <const> = {
      [40] = 48, [48] = 48, [500] = 48, [536] = 536, [1000] = 536, [1024] = 1024, [1219] = 1024,
      [1220] = 1220, [1359] = 1220, [1360] = 1360, [1440] = 1440, [1459] = 1440, [1460] = 1460,
      [9000] = 8940, [65000] = 8940,
    }
    for mss, expected in pairs(kept) do
      local link <const> = { mtu = 65000, delay = 0.01 }
      local net, host, peer = lab.forge { host = { syn_cookies = 2 }, link = link }
      local listener = host:listen(80)
      syn(peer, { mss = mss })
      ack(peer, peer:expect { flags = "SA" })
      assert.equal(expected, listener:accept():info().snd_mss, mss)
      net:close()
    end
  end)

  it("RFC4987:3.6-3 take 536 where the SYN names no MSS, and 1220 for IPv6", function()
    local _, _, peer, listener = forge()
    syn(peer)
    ack(peer, peer:expect { flags = "SA" })
    assert.equal(536, listener:accept():info().snd_mss)

    local net = require("lunatcp").network { seed = 1 }
    local host, other = net:host("host", { syn_cookies = 2 }), net:peer "peer"
    net:link(other, host, { delay = 0.01, addresses = { "fd00::2/64", "fd00::1/64" } })
    listener = host:listen(80)
    other:send { flags = "S", seq = 1000, source_port = 4000, destination_port = 80, to = "fd00::1" }
    ack(other, other:expect { flags = "SA", ack = 1001 }, { to = "fd00::1" })
    assert.equal(1220, listener:accept():info().snd_mss)
  end)

  it("RFC4987:3.6-4 keep window scale, SACK and ECN in the low bits of the timestamp", function()
    for _, case in ipairs {
      { { timestamps = { value = 70, echo = 0 } }, "S", SCALE_NONE },
      { { timestamps = { value = 70, echo = 0 }, window_scale = 0 }, "S", 0 },
      { { timestamps = { value = 70, echo = 0 }, window_scale = 14 }, "S", 14 },
      { { timestamps = { value = 70, echo = 0 }, window_scale = 15 }, "S", 14 }, -- RFC 7323, 2.3
      { { timestamps = { value = 70, echo = 0 }, sack_permitted = true }, "S", SCALE_NONE + SACK },
      { { timestamps = { value = 70, echo = 0 } }, "SEW", SCALE_NONE + ECN },
      { FULL, "SEW", 7 + SACK + ECN },
    } do
      local net, _, peer, listener = forge()
      syn(peer, case[1], { flags = case[2] })
      local answer = peer:expect { ack = 1001 }
      assert.equal(case[3], answer.options.timestamps.value & 63)
      assert.equal(70, answer.options.timestamps.echo)
      assert.equal(case[1].window_scale ~= nil, answer.options.window_scale ~= nil)
      assert.equal(case[1].sack_permitted, answer.options.sack_permitted)
      assert.equal(case[2] == "SEW", answer.flags.ece)
      ack(peer, answer)
      local info = listener:accept():info()
      local scale = case[3] & 15
      assert.equal(scale ~= SCALE_NONE, info.window_scaling)
      assert.equal(scale ~= SCALE_NONE and scale or 0, info.snd_wscale)
      assert.equal(1000 << info.snd_wscale, info.snd_wnd)
      assert.equal(case[3] & SACK ~= 0, info.sack)
      assert.equal(case[3] & ECN ~= 0, info.ecn)
      assert.is_true(info.timestamps)
      net:close()
    end
  end)

  it("RFC4987:3.6-4 answer with the same window and scale as any SYN-ACK, and use them", function()
    local answers = {}
    for i, cookies in ipairs { 0, 2 } do
      local _, _, peer, listener = forge({ syn_cookies = cookies, receive_buffer = 1000000 })
      syn(peer, FULL)
      local answer = peer:expect { flags = "SA" }
      ack(peer, answer)
      local info = listener:accept():info()
      answers[i] = { answer.window, answer.options.window_scale, answer.options.mss, info.rcv_wscale,
                     info.rcv_wnd }
      peer:send {
        flags = "PA", seq = 1001, ack = info.snd_nxt, source_port = 4000, destination_port = 80,
        window = 1000, payload = ("x"):rep(1000),
        options = { timestamps = { value = 72, echo = answer.options.timestamps.value } },
      }
      local update = peer:receive { timeout = 1 }
      answers[i][6] = update.window
    end
    assert.same(answers[1], answers[2])
  end)

  it("RFC4987:3.6-4 offer neither scale nor SACK nor ECN to a peer without timestamps", function()
    local _, _, peer, listener = forge()
    syn(peer, { mss = 1460, window_scale = 7, sack_permitted = true }, { flags = "SEW" })
    local answer = peer:expect { ack = 1001 }
    assert.is_false(answer.flags.ece)
    assert.same({ nil, nil, nil },
      { answer.options.window_scale, answer.options.sack_permitted, answer.options.timestamps })
    ack(peer, answer)
    local info = listener:accept():info()
    assert.is_false(info.window_scaling or info.sack or info.ecn or info.timestamps)
    assert.equal(1460, info.snd_mss)
    assert.equal(1000, info.snd_wnd)
  end)

  it("RFC4987:3.6-4 keep a timestamp clock that never runs back", function()
    local net, _, peer, listener = forge()
    for i = 1, 12 do -- ends before anything is sent again
      net:run { until_ = net:now() + 0.0131 }
      syn(peer, FULL, { source_port = 4000 + i })
      local answer = peer:expect { flags = "SA" }
      ack(peer, answer, { source_port = 4000 + i })
      local conn = listener:accept()
      conn:write "x"
      local data = peer:expect { payload = "x" }
      local ahead = data.options.timestamps.value - answer.options.timestamps.value & 0xffffffff
      -- One round trip of 20 ms, and up to 63 ms that the bits take.
      assert.is_true(ahead >= 20 and ahead <= 20 + 64, ahead)
      assert.equal(71, data.options.timestamps.echo)
    end
  end)

  it("take no RTT sample from what was not timed", function()
    local _, _, peer, listener = forge()
    syn(peer, FULL)
    ack(peer, peer:expect { flags = "SA" })
    local info = listener:accept():info()
    assert.is_nil(info.srtt)
    assert.equal(1, info.rto)
  end)

  it("RFC4987:3.6-5 are good for their period and the next one, no longer", function()
    for _, case in ipairs {
      { 0.5, PERIOD + 0.4, true }, { 0.5, 2 * PERIOD - 1, true }, { 0.5, 2 * PERIOD, false },
      { PERIOD - 1, PERIOD + 0.9, true }, { PERIOD - 1, PERIOD + 1.1, false },
    } do
      local net, host, peer = forge()
      net:run { until_ = case[1] }
      syn(peer, FULL)
      local answer = peer:expect { flags = "SA" }
      net:run { until_ = case[1] + case[2] }
      ack(peer, answer)
      net:run { until_ = case[1] + case[2] + 0.1 }
      local now = { counters(host) }
      assert.same(case[3] and { 1, 1, 0 } or { 1, 0, now[3] }, now)
      if not case[3] then
        -- RFC9293:3.10.7.2: any acknowledgment is bad in LISTEN.
        peer:expect { flags = "R", seq = answer.seq + 1 & 0xffffffff }
      end
      net:close()
    end
  end)

  it("RFC4987:3.6-5 of another period is another one, for the same SYN", function()
    local net, _, peer = forge()
    local seen = {}
    for i = 1, 6 do
      net:run { until_ = i * PERIOD + 1 }
      syn(peer, FULL)
      local seq = peer:expect({ flags = "SA" }).seq
      assert.is_nil(seen[seq & 0x0fffffff])
      seen[seq & 0x0fffffff] = true
      syn(peer, FULL)
      assert.equal(seq, peer:expect({ flags = "SA" }).seq) -- and the same within one
    end
  end)

  it("RFC4987:3.6-6 are refused when anything is not as it was: RST, and counted", function()
    for name, change in pairs {
      seq = { seq = 1002 }, ack = { ack = 77 }, port = { source_port = 4001 },
    } do
      local net, host, peer = forge()
      syn(peer, FULL)
      local answer = peer:expect { flags = "SA" }
      ack(peer, answer, change)
      local reset = peer:expect { flags = "R" }
      assert.equal(change.ack or answer.seq + 1 & 0xffffffff, reset.seq, name)
      assert.same({ 1, 0, 1 }, { counters(host) })
      assert.equal(0, host:counters().connections)
      net:close()
    end
  end)

  it("RFC4987:3.6-6 cannot be guessed: of 20,000 numbers none is taken", function()
    local net, host, peer = forge()
    syn(peer, FULL)
    local answer = peer:expect { flags = "SA" }
    for i = 1, 20000 do
      ack(peer, answer, { ack = answer.seq + 1 + i * 104729 & 0xffffffff })
      if i % 500 == 0 then
        net:run { until_ = net:now() + 0.02 }
        wire.drain(peer)
      end
    end
    net:run { until_ = net:now() + 0.02 }
    assert.same({ 1, 0, 20000 }, { counters(host) })
  end)

  it("are not looked for where none was sent: an ACK is answered by RST, and not counted", function()
    local _, host, peer = forge()
    peer:send { flags = "A", seq = 1001, ack = 5, source_port = 4000, destination_port = 80 }
    peer:expect { flags = "R", seq = 5 }
    assert.same({ 0, 0, 0 }, { counters(host) })
  end)

  it("RFC4987:3.6-7 take data that comes with the ACK, and leave the SYN's to come again", function()
    local _, _, peer, listener = forge()
    syn(peer, FULL, { payload = "early" })
    local answer = peer:expect { flags = "SA", ack = 1001 }
    ack(peer, answer, { flags = "PA", payload = "early data" })
    local conn = assert(listener:accept())
    assert.equal("early data", conn:read(100))
  end)

  it("make a connection of an ACK with FIN", function()
    local _, _, peer, listener = forge()
    syn(peer)
    ack(peer, peer:expect { flags = "SA" }, { flags = "FA" })
    local conn = assert(listener:accept())
    assert.is_nil(conn:read(1))
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("wait for room among what waits for accept", function()
    local net, host, peer, listener = forge(nil, { backlog = 2 })
    local answers = {}
    for i = 1, 3 do
      syn(peer, FULL, { source_port = 4000 + i })
      answers[i] = peer:expect { flags = "SA" }
    end
    for i = 1, 3 do ack(peer, answers[i], { source_port = 4000 + i }) end
    net:run { until_ = 0.5 }
    assert.same({ 3, 2, 0 }, { counters(host) })
    assert(listener:accept())
    assert(listener:accept())
    -- Its first data brings the third one in.
    ack(peer, answers[3], { source_port = 4003, flags = "PA", payload = "x" })
    assert.equal("x", listener:accept():read(1))
  end)

  it("are other ones on another host, and for other sockets", function()
    local seen = {}
    for seed = 1, 10 do
      local net, _, peer = forge(nil, { seed = seed })
      for port = 4001, 4010 do
        syn(peer, FULL, { source_port = port })
        local seq = peer:expect({ flags = "SA" }).seq
        assert.is_nil(seen[seq & 0x0fffffff])
        seen[seq & 0x0fffffff] = true
      end
      net:close()
    end
  end)

  it("are read by our own TCP as any SYN-ACK: both ends agree", function()
    for _, profile in ipairs { "rfc", "linux" } do
      local net = lab.pair {
        client = { ecn = 1 }, server = { syn_cookies = 2 }, network = { profile = profile },
      }
      local client, server = lab.handshake(net)
      local a, b = client:info(), server:info()
      for _, name in ipairs { "window_scaling", "timestamps", "sack", "ecn" } do
        assert.is_true(a[name], name)
        assert.is_true(b[name], name)
      end
      assert.equal(a.rcv_wscale, b.snd_wscale)
      assert.equal(a.snd_wscale, b.rcv_wscale)
      assert.equal(a.snd_mss, b.snd_mss)
      net:spawn(function()
        client:write(wire.pattern(300000))
        client:close()
      end)
      assert.equal(wire.pattern(300000), server:read_exactly(300000))
      net:close()
    end
  end)

  it("answer a SYN that asks for AccECN as one for RFC 3168", function()
    local net = lab.pair { client = { ecn = 3 }, server = { ecn = 3, syn_cookies = 2 } }
    local client, server = lab.handshake(net)
    assert.is_true(client:info().ecn and server:info().ecn)
    assert.is_false(client:info().accecn or server:info().accecn)
  end)

  -- How a connection of a cookie may end; `answer` is its SYN-ACK.
  local function from_script(flags, answer, more)
    local segment = {
      flags = flags, seq = 1001, ack = answer.seq + 1 & 0xffffffff, source_port = 4000,
      destination_port = 80, window = 1000,
    }
    for name, value in pairs(more or {}) do segment[name] = value end
    return segment
  end
  local ENDS <const> = {
    ["aborted"] = function(_, conn) conn:abort() end,
    ["reset"] = function(peer, _, answer)
      peer:send(from_script("R", answer, { ack = 0 }))
    end,
    ["closed by the peer first"] = function(peer, conn, answer, net)
      peer:send(from_script("FA", answer))
      net:run { until_ = net:now() + 0.1 }
      conn:close()
      net:run { until_ = net:now() + 0.1 }
      peer:send(from_script("A", answer, { seq = 1002, ack = answer.seq + 2 & 0xffffffff }))
    end,
  }

  it("RFC4987:3.6-5 are not played twice: an ACK of what is over opens nothing, but is reset", function()
    for name, over in pairs(ENDS) do
      for _, late in ipairs { "A", "PA", "FA" } do
        local net, host, peer, listener = forge()
        syn(peer)
        local answer = peer:expect { flags = "SA" }
        ack(peer, answer)
        local conn = assert(listener:accept())
        over(peer, conn, answer, net)
        net:run { until_ = net:now() + 0.1 }
        assert.equal("CLOSED", conn:state(), name)
        conn:close()
        wire.drain(peer)
        -- The network's copy of the third segment, or the data that was under way.
        ack(peer, answer, { flags = late, payload = late == "PA" and "data" or nil })
        local reset = peer:expect { flags = "R" }
        assert.equal(answer.seq + 1 & 0xffffffff, reset.seq, name)
        assert.same({ 1, 1, 1 }, { counters(host) }, name)
        assert.equal(0, host:counters().connections, name)
        net:close()
      end
    end
  end)

  it("RFC4987:3.6-5 are remembered among others that are over, and do not stand for those", function()
    local net, host, peer, listener = forge()
    local answers = {}
    for port = 1, 200 do
      syn(peer, nil, { source_port = port })
      answers[port] = peer:expect { flags = "SA" }
      ack(peer, answers[port], { source_port = port })
      local conn = assert(listener:accept()) -- none is taken for one of those before
      conn:abort()
      net:run { until_ = net:now() + 0.03 }
      wire.drain(peer)
    end
    for port = 1, 200 do ack(peer, answers[port], { source_port = port }) end
    net:run { until_ = net:now() + 0.1 }
    assert.same({ 200, 200, 200 }, { counters(host) })
    assert.equal(200, #wire.drain(peer))
    -- The same SYN in a later period has a cookie of its own.
    net:run { until_ = 3 * PERIOD }
    syn(peer, nil, { source_port = 1 })
    ack(peer, peer:expect { flags = "SA" }, { source_port = 1 })
    assert(listener:accept())
  end)

  it("are not used up by a copy of the ACK while the connection lives", function()
    local net, host, peer, listener = forge()
    syn(peer)
    local answer = peer:expect { flags = "SA" }
    for _ = 1, 3 do ack(peer, answer) end
    local conn = assert(listener:accept())
    net:run { until_ = 1 }
    assert.equal("ESTABLISHED", conn:state())
    assert.same({ 1, 1, 0 }, { counters(host) })
    assert.is_nil(listener:accept { timeout = 0 })
  end)
end)

describe("the queue of half-open connections", function()
  it("RFC4987:3.2-1 has the bound that is set, beside the one for accept", function()
    local _, host, peer = forge({ syn_cookies = 0, syn_queue = 3 })
    for port = 1, 5 do syn(peer, nil, { source_port = port }) end
    for port = 1, 3 do peer:expect { flags = "SA", destination_port = port } end
    peer:expect_nothing(0.5)
    assert.equal(3, host:counters().connections)
    assert.equal(2, host:counters().listen_overflows)
  end)

  it("RFC4987:3.2-1 has one bound for all listeners of a host, too", function()
    local net, host, peer = forge({ syn_cookies = 0, half_open_most = 4 })
    local second = host:listen(81)
    for port = 1, 3 do
      syn(peer, nil, { source_port = port })
      syn(peer, nil, { source_port = port, destination_port = 81 })
    end
    net:run { until_ = 0.5 }
    assert.equal(4, host:counters().connections)
    -- A listener that closes gives its part back.
    second:close()
    net:run { until_ = 0.6 }
    wire.drain(peer)
    for port = 11, 13 do syn(peer, nil, { source_port = port }) end
    net:run { until_ = 1.1 }
    assert.equal(4, host:counters().connections)
  end)

  it("RFC4987:3.6-8 is what comes first: cookies are for when it is full", function()
    local net, host, peer, listener = forge({ syn_cookies = 1, syn_queue = 2 })
    for port = 1, 4 do syn(peer, FULL, { source_port = port }) end
    local answers = {}
    for _ = 1, 4 do
      local answer = peer:expect { flags = "SA" }
      answers[answer.destination_port] = answer
    end
    assert.equal(2, host:counters().connections)
    assert.same({ 2, 0, 0 }, { counters(host) })
    for port = 4, 1, -1 do ack(peer, answers[port], { source_port = port }) end
    for port = 4, 1, -1 do assert.equal(port, listener:accept().remote_port) end
    net:run { until_ = 0.5 }
    assert.same({ 2, 2, 0 }, { counters(host) })
    assert.equal(0, host:counters().listen_overflows)
  end)
end)
