-- RFC 9293 sections 3.5.2, 3.5.3 and 3.10.5: resets that are sent, and resets that arrive.
local lab = require "support.lab"
local wire = require "support.wire"

describe("an abort", function()
  it("RFC9293:3.10.5 sends <SEQ=SND.NXT><CTL=RST>", function()
    local net, conn, peer = wire.passive()
    conn:write "abc"
    peer:expect { payload = "abc" }
    peer:send { flags = "A", seq = 1001, ack = 5004 }
    net:run { until_ = 1 }
    conn:abort()
    peer:expect { flags = "R", seq = 5004 }
    assert.equal("CLOSED", conn:state())
  end)

  it("drops what waits to be sent and what waits to be read", function()
    local _, conn, peer = wire.passive { window = 0 }
    conn:write "never sent"
    peer:send { flags = "PA", seq = 1001, ack = 5001, window = 0, payload = "never read" }
    peer:expect_nothing(0.05)
    conn:abort()
    local rst = peer:receive()
    while not rst.flags.rst do rst = peer:receive() end
    assert.equal("", rst.payload)
    assert.is_not.equal("never read", (conn:read(100)))
    peer:expect_nothing(1000)
  end)

  it("RFC9293:3.10.5 sends RST in each state that has one to tell", function()
    local states = {}
    local function try(prepare)
      local _, conn, peer = wire.passive()
      prepare(conn, peer)
      wire.drain(peer, 0.3)
      states[#states + 1] = conn:state()
      conn:abort()
      local rst = peer:receive { timeout = 1 }
      assert.is_truthy(rst and rst.flags.rst, states[#states])
      assert.equal("CLOSED", conn:state())
    end
    try(function() end)
    try(function(conn) conn:close() end)
    try(function(conn, peer)
      conn:shutdown()
      peer:expect { flags = "FA" }
      peer:send { flags = "A", seq = 1001, ack = 5002 }
    end)
    try(function(_, peer) peer:send { flags = "FA", seq = 1001, ack = 5001 } end)
    assert.same({ "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT" }, states)
  end)

  it("RFC9293:3.10.5 says nothing in CLOSING, LAST-ACK and TIME-WAIT", function()
    local states = {}
    local function try(prepare)
      local _, conn, peer = wire.passive()
      prepare(conn, peer)
      wire.drain(peer, 0.3)
      states[#states + 1] = conn:state()
      conn:abort()
      peer:expect_nothing(100)
      assert.equal("CLOSED", conn:state())
    end
    try(function(conn, peer)
      conn:close()
      peer:expect { flags = "FA" }
      peer:send { flags = "FA", seq = 1001, ack = 5001 }
    end)
    try(function(conn, peer)
      peer:send { flags = "FA", seq = 1001, ack = 5001 }
      peer:expect { flags = "A" }
      conn:close()
    end)
    try(function(conn, peer)
      conn:close()
      peer:expect { flags = "FA" }
      peer:send { flags = "FA", seq = 1001, ack = 5002 }
    end)
    assert.same({ "CLOSING", "LAST-ACK", "TIME-WAIT" }, states)
  end)

  it("is read as a reset at the other end, with what was unread there", function()
    local net, client, server = lab.connected()
    client:write "delivered"
    net:run { until_ = 1 }
    client:abort()
    net:run { until_ = 2 }
    local first, _, code = server:read(100)
    if first then
      assert.equal("delivered", first)
      code = select(3, server:read(100))
    end
    assert.equal("ECONNRESET", code)
    local _, _, write_code = server:write "x"
    assert.equal("ECONNRESET", write_code)
  end)

  it("RFC9293:3.10.7.4 behind a FIN is no end of the stream for who had not read all of it", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "FPA", seq = 1001, ack = 5001, payload = "unread" }
    peer:expect { flags = "A", ack = 1008 }
    peer:send { flags = "R", seq = 1008 }
    net:run { until_ = net:now() + 1 }
    assert.equal("CLOSED", conn:state())
    assert.equal("ECONNRESET", select(3, conn:read(100)))
  end)

  it("RFC9293:3.10.3 behind a FIN leaves the end of the stream to who had read all of it", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "FPA", seq = 1001, ack = 5001, payload = "read" }
    assert.equal("read", conn:read(100))
    peer:send { flags = "R", seq = 1006 }
    net:run { until_ = net:now() + 1 }
    assert.equal("CLOSED", conn:state())
    assert.equal(1, select("#", conn:read(100)))
  end)

  it("may be called again, and after a close", function()
    local net, client, server = lab.connected()
    client:close()
    client:abort()
    client:abort()
    net:run { until_ = 1 }
    assert.equal("CLOSED", client:state())
    assert.equal("CLOSED", server:state())
  end)
end)

describe("closing without having read", function()
  it("RFC2525:2.17 sends a RST instead of a FIN", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "unread" }
    peer:expect { flags = "A", ack = 1007 }
    conn:close()
    local rst = peer:receive()
    assert.is_true(rst.flags.rst)
    assert.equal(5001, rst.seq)
    assert.equal("CLOSED", conn:state())
  end)

  it("sends a FIN where that is switched off", function()
    local _, conn, peer = wire.passive { host = { reset_on_unread_close = false } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "unread" }
    peer:expect { flags = "A", ack = 1007 }
    conn:close()
    peer:expect { flags = "FA", seq = 5001, ack = 1007 }
  end)

  it("sends a FIN when all was read", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "read" }
    assert.equal("read", conn:read(100))
    conn:close()
    local packet = peer:receive()
    if not packet.flags.fin then packet = peer:receive() end
    assert.is_true(packet.flags.fin)
    assert.is_false(packet.flags.rst)
  end)

  it("RFC9293:SHLD-3 resets when data arrives after the close", function()
    for _, acked in ipairs { true, false } do
      local _, conn, peer = wire.passive()
      conn:close()
      peer:expect { flags = "FA", seq = 5001 }
      if acked then peer:send { flags = "A", seq = 1001, ack = 5002 } end
      peer:send { flags = "PA", seq = 1001, ack = acked and 5002 or 5001, payload = "too late" }
      local rst = peer:expect { flags = function(flags) return flags.rst end }
      assert.equal(acked and 5002 or 5001, rst.seq)
      assert.equal("CLOSED", conn:state())
    end
  end)

  it("does not reset after a half-close: the user still reads", function()
    local _, conn, peer = wire.passive()
    conn:shutdown()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "PA", seq = 1001, ack = 5002, payload = "in time" }
    assert.equal("in time", conn:read(100))
    assert.equal("FIN-WAIT-2", conn:state())
  end)
end)

describe("a reset that arrives", function()
  it("RFC5961:3.2-2 at exactly RCV.NXT ends the connection, with nothing in answer", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "R", seq = 1001 }
    peer:expect_nothing(5)
    assert.equal("CLOSED", conn:state())
    assert.equal("ECONNRESET", select(2, conn:error()))
  end)

  it("RFC9293:3.10.7.4 may carry an ACK, or data", function()
    for _, fields in ipairs {
      { flags = "RA", seq = 1001, ack = 5001 }, { flags = "R", seq = 1001, payload = "explanation" },
      { flags = "RA", seq = 1001, ack = 0 },
    } do
      local _, conn, peer = wire.passive()
      peer:send(fields)
      peer:expect_nothing(5)
      assert.equal("CLOSED", conn:state())
    end
  end)

  it("RFC5961:3.2-3 elsewhere in the window is answered by a challenge ACK", function()
    for _, seq in ipairs { 1002, 2000, 1001 + 65534 } do
      local _, conn, peer = wire.passive()
      peer:send { flags = "R", seq = seq }
      peer:expect { flags = "A", seq = 5001, ack = 1001 }
      assert.equal("ESTABLISHED", conn:state())
      -- A peer that meant it answers with the number it was told.
      peer:send { flags = "R", seq = 1001 }
      peer:expect_nothing(1)
      assert.equal("CLOSED", conn:state())
    end
  end)

  it("RFC5961:3.2-1 outside of the window is dropped in silence", function()
    for _, seq in ipairs { 1000, 1001 + 65535, 0x80000000 } do
      local _, conn, peer = wire.passive()
      peer:send { flags = "R", seq = seq }
      peer:expect_nothing(5)
      assert.equal("ESTABLISHED", conn:state())
    end
  end)

  it("RFC5961:3.2-2 is believed by a closed receive window at RCV.NXT only", function()
    local _, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    peer:expect { flags = "A", ack = 2001, window = 0 }
    peer:send { flags = "R", seq = 2002 }
    peer:expect_nothing(1)
    assert.equal("ESTABLISHED", conn:state())
    peer:send { flags = "R", seq = 2001 }
    peer:expect_nothing(1)
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:3.10.7.4 is believed in every synchronized state", function()
    local seen = {}
    local function try(prepare, seq)
      local net, conn, peer = wire.passive()
      prepare(conn, peer)
      wire.drain(peer, 0.3)
      seen[#seen + 1] = conn:state()
      peer:send { flags = "R", seq = seq }
      net:run { until_ = net:now() + 0.1 }
      assert.equal("CLOSED", conn:state())
    end
    try(function(conn) conn:close() end, 1001)
    try(function(conn, peer)
      conn:close()
      peer:expect { flags = "FA" }
      peer:send { flags = "A", seq = 1001, ack = 5002 }
    end, 1001)
    try(function(_, peer) peer:send { flags = "FA", seq = 1001, ack = 5001 } end, 1002)
    try(function(conn, peer)
      conn:close()
      peer:expect { flags = "FA" }
      peer:send { flags = "FA", seq = 1001, ack = 5001 }
    end, 1002)
    try(function(conn, peer)
      peer:send { flags = "FA", seq = 1001, ack = 5001 }
      peer:expect { flags = "A" }
      conn:close()
    end, 1002)
    assert.same({ "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK" }, seen)
  end)
end)

-- Ten times, a millisecond apart: what arrives at one moment may be answered together.
local function repeatedly(net, peer, fields)
  for _ = 1, 10 do
    peer:send(fields)
    net:run { until_ = net:now() + 0.001 }
  end
  net:run { until_ = net:now() + 0.1 }
end

describe("the challenge ACK of RFC 5961", function()
  it("RFC5961:4.2-1 answers a SYN anywhere, in the window or not, with or without ACK", function()
    for _, seq in ipairs { 1001, 2000, 1000, 500, 0x90000000 } do
      for _, flags in ipairs { "S", "SA" } do
        local _, conn, peer = wire.passive()
        peer:send { flags = flags, seq = seq, ack = 5001 }
        peer:expect { flags = "A", seq = 5001, ack = 1001 }
        assert.equal("ESTABLISHED", conn:state())
      end
    end
  end)

  it("RFC5961:5.2-2 answers an ACK that is too old or of what was never sent", function()
    local _, conn, peer = wire.passive()
    for _, ack in ipairs { 5002, 6000, 5001 - 65536 & 0xffffffff, 5001 - 0x7fffffff & 0xffffffff } do
      peer:send { flags = "A", seq = 1001, ack = ack, payload = "x" }
      peer:expect { flags = "A", seq = 5001, ack = 1001 }
    end
    assert.equal(0, conn:info().unread)
  end)

  it("RFC5961:4.2-2 to a SYN brings forth the RST of a peer that knows nothing, which ends it", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "S", seq = 2000 }
    local challenge = peer:expect { flags = "A", seq = 5001, ack = 1001 }
    peer:send { flags = "R", seq = challenge.ack }
    peer:expect_nothing(1)
    assert.equal("ECONNRESET", select(2, conn:error()))
  end)

  it("RFC5961:5.2-1 RFC5961:5.2-3 goes by the largest window that was ever offered, scaled", function()
    for _, scale in ipairs { 0, 3 } do
      local _, conn, peer = wire.passive {
        syn = { options = { mss = 1000, window_scale = scale }, window = 100 }, window = 5000,
      }
      conn:write "x"
      peer:expect { seq = 5001, length = 1 }
      peer:send { flags = "A", seq = 1001, ack = 5002, window = 10 } -- smaller than before
      local largest <const> = 5000 << scale
      peer:send { flags = "PA", seq = 1001, ack = 5002 - largest & 0xffffffff, window = 10, payload = "y" }
      peer:expect { flags = "A", seq = 5002, ack = 1002 } -- just within: taken
      peer:send { flags = "PA", seq = 1002, ack = 5001 - largest & 0xffffffff, window = 10, payload = "z" }
      peer:expect { flags = "A", seq = 5002, ack = 1002 } -- not: challenged
      assert.equal(1, conn:info().unread)
      assert.equal(1, conn:info().challenge_acks)
    end
  end)

  it("RFC5961:3.2-4 is not for SYN-SENT: a RST counts if it acknowledges the SYN, or is nothing", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S" }
    for _, fields in ipairs { { "R" }, { "RA", 5000 }, { "RA", 5002 }, { "RA", 0 } } do
      peer:send { flags = fields[1], seq = 0, ack = fields[2] }
    end
    net:run { until_ = 0.5 }
    assert.equal(0, #wire.drain(peer))
    assert.equal("SYN-SENT", conn:state())
    peer:send { flags = "RA", seq = 0, ack = 5001 }
    net:run { until_ = 0.6 }
    assert.equal("ECONNREFUSED", select(2, conn:error()))
  end)

  it("RFC5961:7-1 RFC5961:7-2 RFC5961:7-3 is limited", function()
    local net, conn, peer = wire.passive { host = { challenge_ack_limit = 3, challenge_ack_interval = 5 } }
    repeatedly(net, peer, { flags = "S", seq = 1001 })
    assert.equal(3, #wire.drain(peer))
    assert.equal(3, conn:info().challenge_acks)
    net:run { until_ = 6 }
    repeatedly(net, peer, { flags = "S", seq = 1001 })
    assert.equal(3, #wire.drain(peer))
  end)

  it("CVE-2016-5696 is limited for each connection apart: one says nothing about another", function()
    local net, host, peer = lab.forge { host = { challenge_ack_limit = 3 } }
    local listener = host:listen(80)
    local answers = {}
    for port = 1, 2 do
      peer:send { flags = "S", seq = 1000, source_port = port, destination_port = 80 }
      local answer = peer:expect { flags = "SA" }
      answers[port] = answer.seq + 1 & 0xffffffff
      peer:send { flags = "A", seq = 1001, ack = answers[port], source_port = port }
      listener:accept()
    end
    repeatedly(net, peer, { flags = "S", seq = 1001, source_port = 1 })
    peer:send { flags = "S", seq = 1001, source_port = 2 }
    net:run { until_ = 1 }
    local count = { 0, 0 }
    for _, packet in ipairs(wire.drain(peer)) do
      count[packet.destination_port] = count[packet.destination_port] + 1
    end
    assert.same({ 3, 1 }, count)
  end)

  it("can be limited for a host as well, by a number that cannot be counted out", function()
    local sent = {}
    for seed = 1, 8 do
      local net, host, peer = lab.forge {
        host = { challenge_ack_limit = 0, challenge_ack_host_limit = 100 }, seed = seed,
      }
      local listener, held = host:listen(80), {}
      for port = 1, 4 do
        peer:send { flags = "S", seq = 1000, source_port = port, destination_port = 80 }
        local answer = peer:expect { flags = "SA" }
        peer:send { flags = "A", seq = 1001, ack = answer.seq + 1 & 0xffffffff, source_port = port }
        held[port] = listener:accept()
      end
      net:run { until_ = 1 }
      for i = 1, 300 do
        peer:send { flags = "S", seq = 2000, source_port = 1 + i % 4 }
        net:run { until_ = net:now() + 0.001 }
      end
      net:run { until_ = 1.5 }
      sent[seed] = #wire.drain(peer)
      assert.is_true(sent[seed] >= 50 and sent[seed] < 150, sent[seed])
      net:run { until_ = 2.1 } -- another second, another number
      peer:send { flags = "S", seq = 2000, source_port = 1 }
      peer:expect { flags = "A" }
      assert.equal(4, #held)
      net:close()
    end
    local distinct = {}
    for _, n in ipairs(sent) do distinct[n] = true end
    assert.is_not_nil(next(distinct, (next(distinct))))
  end)
end)
