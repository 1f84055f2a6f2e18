-- RFC 9293 section 3.4: sequence numbers, the initial ones, and what counts with a closed window.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

-- The ISN of a connection that is opened now; the connection is gone afterwards.
local function isn_of(net, options)
  local conn = assert(net.client:connect_start(net.server, options.port or 80, {
    local_port = options.local_port, local_address = options.local_address,
  }))
  local iss = conn:info().iss
  conn:abort()
  net:settle()
  return iss
end

describe("initial sequence number", function()
  it("RFC9293:MUST-8 follows a clock that ticks every 4 us", function()
    local net = lab.pair()
    local first = isn_of(net, { local_port = 3000 })
    for _, seconds in ipairs { 0.000004, 0.0001, 1, 100, 3600 } do
      local before, from = isn_of(net, { local_port = 3000 }), net:now()
      net:run { until_ = from + seconds }
      local ticks = math.floor(net:now() / 4e-6 + 0.5) - math.floor(from / 4e-6 + 0.5)
      local after = isn_of(net, { local_port = 3000 })
      assert.equal(ticks & 0xffffffff, (after - before) & 0xffffffff, seconds .. " s")
    end
    assert.not_equal(first, isn_of(net, { local_port = 3000 }))
  end)

  it("RFC9293:MUST-8 RFC9293:SHLD-1 wraps round after 4.55 hours: 2^32 ticks", function()
    local net = lab.pair()
    local before = isn_of(net, { local_port = 3000 })
    net:run { until_ = 17179.869184 } -- 2^32 * 4 us
    assert.equal(before, isn_of(net, { local_port = 3000 }))
  end)

  it("RFC9293:SHLD-1 adds a function of both addresses, both ports and a secret to the clock", function()
    local net = tcp.network { seed = 1 }
    net.client, net.server = net:host "client", net:host "server"
    net:link(net.client, net.server)
    net:link(net.client, net.server)
    local base = { port = 80, local_port = 3000, local_address = net.client:address() }
    local function with(key, value)
      local options = { port = base.port, local_port = base.local_port, local_address = base.local_address }
      if key then options[key] = value end
      return isn_of(net, options)
    end
    local same = with()
    assert.equal(same, with()) -- the same at the same moment
    local seen = { [same] = true }
    for _, change in ipairs { { "port", 81 }, { "local_port", 3001 }, { "local_address", "10.0.2.1" } } do
      local isn = with(change[1], change[2])
      assert.is_nil(seen[isn], change[1])
      seen[isn] = true
    end
    -- The remote address: the server's other one.
    local conn = assert(net.client:connect_start("10.0.2.2", 80, {
      local_port = 3000, local_address = net.client:address(),
    }))
    assert.is_nil(seen[conn:info().iss], "remote address")
  end)

  it("RFC9293:SHLD-1 the passive end chooses alike", function()
    local net = lab.pair { server = { time_wait = 0 } }
    local isns, times = {}, {}
    for i = 1, 2 do
      local client = assert(net.client:connect(net.server, 80, { local_port = 3000 }))
      local server = net.listener:accept()
      for _, event in ipairs(net.trace:events { kind = "state", connection = server }) do
        if event.to == "SYN-RECEIVED" then times[i] = event.time end
      end
      isns[i] = server:info().iss
      client:abort()
      server:abort()
      net:run { until_ = 10 * i }
    end
    local ticks = math.floor((times[2] - times[1]) / 4e-6 + 0.5)
    assert.equal(ticks, (isns[2] - isns[1]) & 0xffffffff)
  end)

  it("RFC9293:MUST-9 another secret gives another function", function()
    local seen = {}
    for seed = 1, 200 do
      local isn = isn_of(lab.pair { seed = seed }, { local_port = 3000 })
      assert.is_nil(seen[isn])
      seen[isn] = true
    end
  end)

  -- Somebody who opens connections of his own learns F at his own ports; it must tell him nothing of
  -- F at others. No difference between neighbours repeats, and every bit changes about half the time.
  it("RFC9293:MUST-9 cannot be told from the ISNs of other ports", function()
    local net = lab.pair()
    local isns, differences, flips = {}, {}, {}
    for i = 1, 256 do isns[i] = isn_of(net, { local_port = 20000 + i }) end
    for bit = 0, 31 do flips[bit] = 0 end
    for i = 2, #isns do
      local difference = (isns[i] - isns[i - 1]) & 0xffffffff
      assert.is_nil(differences[difference])
      differences[difference] = true
      for bit = 0, 31 do flips[bit] = flips[bit] + ((isns[i] ~ isns[i - 1]) >> bit & 1) end
    end
    for bit = 0, 31 do
      local changes = flips[bit]
      assert.is_true(changes > 85 and changes < 170, ("bit %d changes %d of 255 times"):format(bit, changes))
    end
  end)
end)

-- A host whose receive buffer of 1000 octets is full: RCV.NXT = 2001, RCV.WND = 0.
local function closed_window()
  local net, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
  peer:send { flags = "PA", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
  peer:expect { flags = "A", ack = 2001, window = 0 }
  return net, conn, peer
end

describe("closed receive window", function()
  it("RFC9293:MUST-66 RST counts", function()
    local _, conn, peer = closed_window()
    peer:send { flags = "R", seq = 2001 }
    conn:wait_state "CLOSED"
    assert.equal("ECONNRESET", select(2, conn:error()))
  end)

  it("RFC9293:MUST-66 RST counts also with data behind it", function()
    local _, conn, peer = closed_window()
    peer:send { flags = "R", seq = 2001, payload = "why" }
    conn:wait_state "CLOSED"
    assert.equal("ECONNRESET", select(2, conn:error()))
  end)

  it("RFC9293:MUST-66 URG counts, without data and with data that finds no room", function()
    for _, text in ipairs { "", "urgent" } do
      local net, conn, peer = closed_window()
      local notices = 0
      net:on("urgent", function() notices = notices + 1 end)
      peer:send { flags = "UA", seq = 2001, ack = 5001, urgent = 6, payload = text }
      net:run { until_ = net:now() + 1 }
      assert.equal(1, notices, text)
      assert.equal(2007, conn:info().rcv_up)
      assert.equal(1006, conn:info().urgent_remaining)
      assert.equal(1000, conn:info().unread)
    end
  end)

  it("RFC9293:3.10.7.4 ACK counts", function()
    local _, conn, peer = closed_window()
    conn:write "answer"
    peer:expect { flags = "PA", seq = 5001, length = 6 }
    peer:send { flags = "A", seq = 2001, ack = 5007, window = 777 }
    assert.is_true(conn:flush { timeout = 1 })
    assert.equal(5007, conn:info().snd_una)
    assert.equal(777, conn:info().snd_wnd)
  end)

  it("RFC9293:3.10.7.4 ACK counts also with data that finds no room, and that is answered", function()
    local _, conn, peer = closed_window()
    conn:write "answer"
    peer:expect { flags = "PA", seq = 5001, length = 6 }
    peer:send { flags = "PA", seq = 2001, ack = 5007, payload = "more" }
    peer:expect { flags = "A", seq = 5007, ack = 2001, window = 0 }
    assert.equal(5007, conn:info().snd_una)
  end)

  -- One octet ahead is what a peer's numbers look like while it probes a closed window of ours
  -- (appendix A.2): heard, but not believed.
  it("RFC9293:3.10.7.4 nothing counts beside the edge", function()
    for _, seq in ipairs { 2000, 2002, 2003 } do
      local net, conn, peer = closed_window()
      peer:send { flags = "R", seq = seq }
      peer:send { flags = "S", seq = seq }
      if seq ~= 2002 then peer:send { flags = "UA", seq = seq, ack = 5001, urgent = 6 } end
      net:run { until_ = net:now() + 1 }
      assert.equal("ESTABLISHED", conn:state())
      assert.equal(0, conn:info().urgent_remaining)
    end
  end)
end)

-- Table 6 over all distances that matter, at places where the numbers wrap.
describe("acceptability", function()
  for _, isn in ipairs { 1000, 0x7ffffff0, 0xfffffff0 } do
    it(("RFC9293:3.4 a segment counts where it touches the window, ISN %#x"):format(isn), function()
      for _, case in ipairs {
        -- distance from RCV.NXT, length, acceptable (the window is 1000)
        { -1, 0, false }, { 0, 0, true }, { 999, 0, true }, { 1000, 0, false },
        { -1, 1, false }, { -1, 2, true }, { 0, 1, true }, { 999, 1, true }, { 1000, 1, false },
        { 999, 5, true }, { -5, 1000, true }, { -2000, 100, false }, { 0x7fffff00, 1, false },
      } do
        local _, conn, peer = wire.passive { isn = isn, host = { receive_buffer = 1000 } }
        local nxt = (isn + 1) & 0xffffffff
        conn:write "?"
        local asked = peer:expect { length = 1 }
        -- An acceptable one's ACK counts.
        peer:send {
          flags = "A", seq = (nxt + case[1]) & 0xffffffff, ack = asked.seq + 1, payload = ("z"):rep(case[2]),
        }
        peer.net:run { until_ = peer.net:now() + 0.1 }
        assert.equal(case[3], conn:info().snd_una == 5002, ("%d, %d"):format(case[1], case[2]))
      end
    end)
  end
end)
