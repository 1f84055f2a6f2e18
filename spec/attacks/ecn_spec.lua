-- Peers that lie about congestion marks: RFC 3168 sections 6.1 and 19, RFC 9768 sections 3.2.2 and 5.3. The
-- ECN nonce, which was to find who conceals a mark, is history (RFC 8311); AccECN's counters are checked
-- against each other and against what was sent.
local accecn = require "support.accecn"
local lab = require "support.lab"
local wire = require "support.wire"

-- The script asks for ECN as RFC 3168 has it; 40 segments wait, ten are out.
local function classic(options)
  options = options or {}
  local host = { isn = 5000, ecn = 2, initial_window = 10, timestamps = false }
  for key, value in pairs(options) do host[key] = value end
  local net, h, peer = lab.forge { host = host }
  local listener = assert(h:listen(80))
  peer:send { flags = "SEW", seq = 1000, destination_port = 80, window = 65535,
    options = { mss = 1000, sack_permitted = true } }
  peer:expect { flags = "SAE" }
  peer:send { flags = "A", seq = 1001, ack = 5001, window = 65535 }
  local conn = assert(listener:accept())
  assert.is_true(conn:info().ecn)
  conn:write(wire.pattern(60000))
  net:run { until_ = net:now() + 0.03 }
  wire.drain(peer)
  return net, conn, peer
end

local function acknowledge(net, conn, peer, flags)
  peer:send { flags = flags, seq = 1001, ack = conn:info().snd_nxt }
  net:run { until_ = net:now() + 0.0301 }
  return wire.drain(peer)
end

describe("a receiver that conceals marks", function()
  it("RFC3168:6.1.3-1 is not found out by RFC 3168: the window grows until something is lost", function()
    local net, conn, peer = classic()
    acknowledge(net, conn, peer, "A") -- all of it met CE, and nothing is said
    assert.equal(11000, conn:info().cwnd)
    assert.equal(0, conn:info().ecn_reductions)
    -- A queue that marks drops what is too much: that is answered as ever.
    local una = conn:info().snd_una
    for last = 2, 5 do
      peer:send { flags = "A", seq = 1001, ack = una,
        options = { sack = { { left = una + 1000, right = una + 1000 * last } } } }
    end
    net:run { until_ = net:now() + 0.03 }
    assert.equal(1, conn:info().fast_recoveries)
  end)

  it("RFC9768:3.2.3.2.5-1 contradicts itself with AccECN where it conceals in one counter only", function()
    local s = accecn.passive { host = { initial_window = 10 },
      options = { accecn = { kind = 172, 1, 0, 1 } } }
    s.conn:write(wire.pattern(30000))
    s.wait()
    assert.is_true(s.conn:info().ecn_sending)
    -- Octets met CE, says the option, twice; no packet did, says the ACE field.
    for n = 1, 2 do
      s.send { flags = accecn.flags("A", 5), ack = 5001 + 2000 * n,
        options = { accecn = { kind = 172, 1, 2000 * n, 1 } } }
      s.wait(0.03)
    end
    assert.is_false(s.conn:info().ecn_sending) -- Not-ECT from here on: queues drop, and that shows
    assert.equal("ESTABLISHED", s.conn:state())
  end)
end)

describe("a receiver that cries congestion", function()
  it("RFC3168:6.1.2-1 with ECE on every ACK halves once a window, not below two segments", function()
    local net, conn, peer = classic()
    local before = conn:info().cwnd
    for _ = 1, 5 do peer:send { flags = "AE", seq = 1001, ack = 5001 } end
    net:run { until_ = net:now() + 0.0101 }
    assert.equal(1, conn:info().ecn_reductions)
    assert.equal(before // 2, conn:info().cwnd)
    for _ = 1, 12 do acknowledge(net, conn, peer, "AE") end
    local info = conn:info()
    assert.is_true(info.cwnd >= 2000)
    assert.is_true(info.cwnd <= 3000)
    assert.equal("ESTABLISHED", conn:state())
    assert.is_true(info.snd_una > 15001) -- it goes on
  end)

  it("RFC9438:4.6-5 brings CUBIC down to one segment, and then to one a retransmission timeout", function()
    local net, conn, peer = classic { congestion = "cubic" }
    for _ = 1, 30 do
      if conn:info().cwnd == 1000 then break end
      acknowledge(net, conn, peer, "AE")
    end
    assert.equal(1000, conn:info().cwnd)
    acknowledge(net, conn, peer, "AE") -- at one segment: what is next waits
    peer:send { flags = "AE", seq = 1001, ack = conn:info().snd_nxt }
    local since = net:now()
    local packet = peer:receive { timeout = 5 }
    assert.is_not_nil(packet)
    assert.is_true(net:now() - since >= conn:info().rto - 0.05, net:now() - since)
    assert.equal(0, conn:info().timeouts)
    -- The timer backs off, as long as marks go on; an answer without one ends that.
    local waits = {}
    for i = 1, 4 do
      peer:send { flags = i < 4 and "AE" or "A", seq = 1001, ack = conn:info().snd_nxt }
      since = net:now()
      assert.is_not_nil(peer:receive { timeout = 100 })
      waits[i] = net:now() - since
    end
    local rto = conn:info().rto
    for i = 1, 3 do assert.near(2 ^ i * rto, waits[i], 0.2 * rto) end
    assert.is_true(waits[4] < 0.1)
    assert.equal(0, conn:info().probes_sent)
  end)

  it("RFC9768:3.2.2.5.2-2 of more packets than were sent is believed, once a window", function()
    local s = accecn.passive { host = { initial_window = 10 } }
    s.conn:write(wire.pattern(60000))
    s.wait()
    local before = s.conn:info().cwnd
    s.send { flags = accecn.flags("A", 5 + 7), ack = 7001 } -- seven marks on two packets
    s.wait(0.0101)
    local info = s.conn:info()
    assert.equal(1, info.ecn_reductions)
    assert.is_true(info.cwnd >= before // 2)
    s.send { flags = accecn.flags("A", 5 + 6), ack = 8001 }
    s.wait(0.0101)
    assert.equal(1, s.conn:info().ecn_reductions)
    assert.equal("ESTABLISHED", s.conn:state())
  end)
end)

describe("a forger outside of the path", function()
  it("RFC3168:6.1.5-2 with CE on data outside of the window brings no echo", function()
    local net, conn, peer = classic()
    for _ = 1, 3 do
      peer:send { flags = "A", seq = 1001 + 200000, ack = 5001, payload = "x", ecn = 3 }
    end
    net:run { until_ = net:now() + 0.03 }
    assert.equal(0, conn:info().ce_received)
    for _, packet in ipairs(wire.drain(peer)) do assert.is_false(packet.flags.ece) end
  end)
end)
