-- RFC 9293 sections 3.7 and 3.10.2: octets in order, cut into segments, pushed.
local lab = require "support.lab"
local wire = require "support.wire"

local function counted(payloads)
  local sizes = {}
  for i, payload in ipairs(payloads) do sizes[i] = #payload end
  return sizes
end

-- What came to the peer: payloads, in the order of coming; everything is acknowledged.
local function collect(peer, total, window)
  local payloads, packets, next_seq = {}, {}, 5001
  while next_seq < 5001 + total do
    local packet = peer:receive()
    if packet.length > 0 and packet.seq == next_seq then
      payloads[#payloads + 1] = packet.payload
      packets[#packets + 1] = packet
      next_seq = next_seq + packet.length
      peer:send { flags = "A", seq = 1001, ack = next_seq, window = window or 65535 }
    end
  end
  return payloads, packets
end

describe("data", function()
  it("RFC9293:3.4 arrive in order, whole, both ways at once", function()
    local net, client, server = lab.connected()
    local up, down = wire.pattern(300000), wire.pattern(200000, 7)
    net:spawn(function() client:write(up) client:shutdown() end)
    net:spawn(function() server:write(down) server:shutdown() end)
    local got_up, got_down = {}, {}
    net:spawn(function() for chunk in server:chunks() do got_up[#got_up + 1] = chunk end end)
    net:spawn(function() for chunk in client:chunks() do got_down[#got_down + 1] = chunk end end)
    net:run()
    assert.is_true(up == table.concat(got_up))
    assert.is_true(down == table.concat(got_down))
    assert.equal(0, client:info().segments_retransmitted)
    assert.equal(0, server:info().segments_retransmitted)
  end)

  it("RFC9293:MUST-16 are cut at the peer's MSS", function()
    local _, conn, peer = wire.passive { syn = { options = { mss = 700 } } }
    conn:write(wire.pattern(2000))
    local payloads = collect(peer, 2000)
    assert.same({ 700, 700, 600 }, counted(payloads))
    assert.equal(wire.pattern(2000), table.concat(payloads))
  end)

  it("RFC9293:MUST-15 are cut at 536 octets where the peer named no MSS", function()
    local _, conn, peer = wire.passive { syn = { options = {} } }
    conn:write(wire.pattern(1200))
    assert.same({ 536, 536, 128 }, counted((collect(peer, 1200))))
  end)

  it("RFC9293:MUST-16 leave room for the options of each segment", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    local options = { timestamps = { value = 1, echo = 0 } }
    peer:send {
      flags = "S", seq = 1000, destination_port = 80,
      options = { mss = 1000, timestamps = options.timestamps },
    }
    peer:expect { flags = "SA" }
    peer:send { flags = "A", seq = 1001, ack = 5001, options = options }
    local conn = listener:accept()
    assert.equal(988, conn:info().snd_mss)
    conn:write(wire.pattern(1976))
    -- 12 octets of options, padded: 988 of data.
    assert.equal(988, peer:expect({ seq = 5001 }).length)
    assert.equal(988, peer:expect({ seq = 5989 }).length)
  end)

  it("RFC9293:MUST-61 bear PSH where the user's data ends", function()
    local _, conn, peer = wire.passive()
    conn:write(wire.pattern(2500))
    local _, packets = collect(peer, 2500)
    assert.same({ "A", "A", "PA" }, {
      tostring(packets[1].flags), tostring(packets[2].flags), tostring(packets[3].flags),
    })
  end)

  it("RFC9293:MAY-16 bear none when the user says that more will follow", function()
    local _, conn, peer = wire.passive()
    conn:write("abc", { more = true })
    local packet = peer:receive { timeout = 1 }
    assert.is_true(not packet or not packet.flags.psh)
    conn:write "def"
    local got = packet and packet.payload or ""
    while #got < 6 do
      packet = peer:receive()
      got = got .. packet.payload
      peer:send { flags = "A", seq = 1001, ack = 5001 + #got }
    end
    assert.is_true(packet.flags.psh)
    assert.equal("abcdef", got)
  end)

  it("RFC9293:3.10.3 are handed over without waiting for a push", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = "no push" }
    assert.equal("no push", conn:read(100))
  end)

  it("RFC9293:MUST-3 with a wrong checksum are dropped, and counted", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "spoilt", checksum = 0x1234 }
    peer:expect_nothing(5)
    assert.equal(0, conn:info().unread)
    assert.equal(1, conn.host:counters().refused.LTCP_ERR_CHECKSUM)
  end)

  it("RFC9293:3.10.7.4 without ACK are dropped", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "P", seq = 1001, payload = "no ack" }
    peer:expect_nothing(5)
    assert.equal(0, conn:info().unread)
  end)

  it("need not come with the smallest header", function()
    local _, conn, peer = wire.passive()
    peer:send {
      flags = "PA", seq = 1001, ack = 5001, payload = "padded", options = { "nop", "nop", "nop", "nop" },
    }
    assert.equal("padded", conn:read(100))
  end)

  it("are counted in octets written, sent and acknowledged", function()
    local net, client, server = lab.connected()
    client:write(wire.pattern(5000))
    assert.equal(5000, #server:read_exactly(5000))
    client:flush()
    net:run { until_ = net:now() + 1 }
    assert.equal(5000, client:info().bytes_acked)
    assert.equal(5000, client:info().bytes_sent)
    assert.equal(5000, server:info().bytes_received)
    assert.equal(0, client:info().unacked)
    assert.equal(0, client:info().unsent)
  end)

  it("of one octet each are not lost among many writes", function()
    local net, client, server = lab.connected()
    local data = wire.pattern(2000)
    net:spawn(function()
      for i = 1, #data do
        client:write(data:sub(i, i))
        if i % 7 == 0 then net:sleep(0.001) end
      end
      client:close()
    end)
    local parts = {}
    for chunk in server:chunks(13) do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
  end)

  it("flow through a receive buffer that is smaller than an MSS", function()
    local net, client, server = lab.connected { server = { receive_buffer = 300 } }
    local data = wire.pattern(3000)
    net:spawn(function() client:write(data) client:close() end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.is_true(net:now() < 100, net:now())
  end)

  it("flow over IPv6, with its MSS", function()
    local net = lab.pair()
    local client = assert(net.client:connect(net.server, 80, { family = 6 }))
    local server = net.listener:accept()
    local data = wire.pattern(10000)
    net:spawn(function() client:write(data) client:close() end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.equal(1440, client:info().rcv_mss)
    assert.equal(1428, client:info().snd_mss) -- and 12 octets of timestamps
  end)
end)

describe("a segment at the edge of the window", function()
  it("RFC9293:3.10.7.4 keeps what lies inside and drops the rest", function()
    local _, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = wire.pattern(1200) }
    peer:expect { flags = "A", ack = 2001, window = 0 }
    assert.equal(wire.pattern(1200):sub(1, 1000), conn:read_exactly(1000))
  end)

  it("RFC9293:3.10.7.4 beyond it is answered by an ACK", function()
    local _, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "A", seq = 2001, ack = 5001, payload = "beyond" }
    peer:expect { flags = "A", seq = 5001, ack = 1001, window = 1000 }
    assert.equal(0, conn:info().out_of_order)
  end)

  it("RFC9293:3.10.7.4 before it, all old, is answered by an ACK", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = "abcdef" }
    assert.equal("abcdef", conn:read(10))
    wire.drain(peer, 1)
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = "abcdef" }
    peer:expect { flags = "A", seq = 5001, ack = 1007 }
    assert.equal(0, conn:info().unread)
  end)

  it("RFC9293:3.10.7.4 with the window closed still brings its ACK", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
    conn:write "abc"
    peer:expect { payload = "abc" }
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    peer:expect { flags = "A", ack = 2001, window = 0 }
    peer:send { flags = "A", seq = 2001, ack = 5004 }
    net:run { until_ = 0.5 }
    assert.equal(5004, conn:info().snd_una)
  end)

  it("RFC9293:MUST-66 with the window closed still is looked at for its RST", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    peer:expect { flags = "A", ack = 2001, window = 0 }
    peer:send { flags = "R", seq = 2001 }
    net:run { until_ = 1 }
    assert.equal("CLOSED", conn:state())
  end)
end)
