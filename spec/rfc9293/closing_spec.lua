-- RFC 9293 section 3.6: closing, half-closed connections, TIME-WAIT.
local lab = require "support.lab"
local wire = require "support.wire"

-- The host, on port 80, has closed actively and is in TIME-WAIT: the script's next number is 1002,
-- the host's 5002. `stamps` gives the options of the script's segments where it uses timestamps.
local function time_wait(options)
  options = options or {}
  local net, conn, peer, listener = wire.passive(options)
  local function stamped(value)
    return options.stamped and { timestamps = { value = value, echo = 0 } } or nil
  end
  conn:shutdown()
  peer:expect { flags = "FA", seq = 5001, ack = 1001 }
  peer:send { flags = "A", seq = 1001, ack = 5002, options = stamped(102) }
  peer:send { flags = "FA", seq = 1001, ack = 5002, options = stamped(103) }
  peer:expect { flags = "A", seq = 5002, ack = 1002 }
  assert.equal("TIME-WAIT", conn:state())
  return net, conn, peer, listener
end

local stamped <const> = {
  stamped = true,
  syn = { options = { mss = 1000, timestamps = { value = 100, echo = 0 } } },
  ack_options = { timestamps = { value = 101, echo = 0 } },
}

describe("the user", function()
  it("RFC9293:MUST-12 reads the end of the stream after a FIN", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "FPA", seq = 1001, ack = 5001, payload = "last" }
    assert.equal("last", conn:read(10))
    local bytes, message, code = conn:read(10)
    assert.is_nil(bytes)
    assert.is_nil(message)
    assert.is_nil(code)
    assert.is_nil((conn:error()))
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("RFC9293:MUST-12 reads ECONNRESET after a RST", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "R", seq = 1001 }
    local bytes, message, code = conn:read(10)
    assert.is_nil(bytes)
    assert.is_truthy(message)
    assert.equal("ECONNRESET", code)
    assert.equal("ECONNRESET", select(3, conn:write "x"))
  end)

  it("RFC9293:MUST-12 hears of both without asking: peer_closed, closed", function()
    for _, how in ipairs { "FA", "R" } do
      local net, conn, peer = wire.passive()
      local heard = {}
      conn:on("peer_closed", function() heard[#heard + 1] = "peer_closed" end)
      conn:on("closed", function(_, code) heard[#heard + 1] = code or "closed" end)
      peer:send { flags = how, seq = 1001, ack = 5001 }
      net:run { until_ = net:now() + 1 }
      assert.same({ how == "R" and "ECONNRESET" or "peer_closed" }, heard)
    end
  end)

  it("RFC9293:3.6 hears that all it had written was received", function()
    local _, client, server = lab.connected()
    client:write(("x"):rep(100000))
    client:shutdown()
    assert.equal(100000, #server:read_exactly(100000))
    assert.is_nil((server:read(1)))
    server:write "still open this way"
    assert.equal("still open this way", client:read(100))
    server:shutdown()
    assert.is_nil((client:read(1)))
    assert.is_true(client:flush())
    assert.is_nil((client:error()))
    assert.equal("TIME-WAIT", client:state())
    server:wait_state("CLOSED", { timeout = 1 })
    assert.is_nil((server:error()))
  end)
end)

describe("TIME-WAIT", function()
  it("RFC9293:MUST-13 lasts 2 MSL: 240 s when nothing else is set", function()
    local net, conn = time_wait()
    local entered = net.trace:events { kind = "state", connection = conn }
    local began = entered[#entered].time
    net:run { until_ = began + 239.9999 }
    assert.equal("TIME-WAIT", conn:state())
    net:run { until_ = began + 240 }
    assert.equal("CLOSED", conn:state())
    assert.is_nil((conn:error()))
  end)

  it("RFC9293:MUST-13 goes by the MSL that is set", function()
    local net, conn = time_wait { host = { msl = 30 } }
    local began = net:now() - 0.01
    net:run { until_ = began + 59.99 }
    assert.equal("TIME-WAIT", conn:state())
    net:run { until_ = began + 60.01 }
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:MUST-13 acknowledges the FIN again and begins anew", function()
    local net, conn, peer = time_wait()
    net:run { until_ = 200 }
    peer:send { flags = "FA", seq = 1001, ack = 5002 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    net:run { until_ = 440.009 }
    assert.equal("TIME-WAIT", conn:state())
    net:run { until_ = 440.011 }
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:MUST-13 also after a simultaneous close, through CLOSING", function()
    local net, client, server = lab.connected()
    client:shutdown()
    server:shutdown()
    net:run { until_ = net:now() + 1 }
    for _, conn in ipairs { client, server } do
      assert.equal("CLOSING", net.trace:states(conn)[#net.trace:states(conn) - 1])
      assert.equal("TIME-WAIT", conn:state())
    end
    net:run { until_ = 239 }
    assert.equal("TIME-WAIT", client:state())
    net:run { until_ = 242 }
    assert.equal("CLOSED", client:state())
    assert.equal("CLOSED", server:state())
  end)

  it("RFC9293:MUST-13 keeps the pair of sockets from being opened again", function()
    local net, client, server = lab.connected { client = { timestamps = false } }
    client:shutdown()
    server:read(1)
    server:shutdown()
    net:run { until_ = net:now() + 1 }
    assert.equal("TIME-WAIT", client:state())
    local again, _, code = net.client:connect_start(net.server, 80, { local_port = client.local_port })
    assert.is_nil(again)
    assert.equal("EISCONN", code)
  end)

  it("RFC9293:MAY-2 lets a SYN with a greater number open anew", function()
    local net, old, peer, listener = time_wait()
    net:run { until_ = net:now() + 1 }
    peer:send { flags = "S", seq = 1003 }
    local answer = peer:expect { flags = "SA", ack = 1004 }
    peer:send { flags = "A", seq = 1004, ack = answer.seq + 1 }
    local conn = assert(listener:accept { timeout = 1 })
    assert.equal("CLOSED", old:state())
    peer:send { flags = "PA", seq = 1004, ack = answer.seq + 1, payload = "new" }
    assert.equal("new", conn:read(10))
  end)

  it("RFC9293:MAY-2 (1) the new ISN is larger than all numbers that the old connection used", function()
    local net, host, peer = lab.forge { link = { delay = 0.0001 }, host = { initial_window = 4000 } }
    local listener = host:listen(80)
    peer:send {
      flags = "S", seq = 1000, destination_port = 80, window = 65535,
      options = { mss = 1460, window_scale = 14 },
    }
    local isn = peer:expect({ flags = "SA" }).seq
    peer:send { flags = "A", seq = 1001, ack = isn + 1, window = 65535 }
    local conn = assert(listener:accept())
    -- 4 MB within a moment: far more numbers than the clock has ticked.
    conn:set { send_buffer = 1 << 23 }
    conn:write(("x"):rep(4000000))
    conn:shutdown()
    while conn:info().unsent > 0 do
      wire.drain(peer, 0.001)
      peer:send { flags = "A", seq = 1001, ack = conn:info().snd_nxt, window = 65535 }
    end
    wire.drain(peer, 0.001)
    local last = conn:info().snd_nxt
    peer:send { flags = "FA", seq = 1001, ack = last, window = 65535 }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal("TIME-WAIT", conn:state())
    assert.is_true(net:now() < 1)
    peer:send { flags = "S", seq = 500000 }
    local answer = peer:expect { flags = "SA", ack = 500001 }
    local beyond = (answer.seq - last) & 0xffffffff
    assert.is_true(beyond > 0 and beyond < 0x80000000, ("%d after %d"):format(answer.seq, last))
  end)

  it("RFC9293:MAY-2 (2) returns when that SYN turns out to be an old duplicate", function()
    local net, _, peer, listener = time_wait()
    peer:send { flags = "S", seq = 1500 }
    peer:expect { flags = "SA", ack = 1501 }
    -- The peer, which knows of no such SYN, resets; the old connection's time is not over.
    peer:send { flags = "R", seq = 1501 }
    net:run { until_ = net:now() + 1 }
    assert.equal(1, net.host_under_test:counters().time_waits)
    assert.is_nil((listener:accept { timeout = 0 }))
    -- As in TIME-WAIT: the FIN that comes again is acknowledged, not reset.
    peer:send { flags = "FA", seq = 1001, ack = 5002 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
  end)

  it("RFC9293:MAY-2 answers a SYN with an old number by an ACK, and stays", function()
    for _, seq in ipairs { 900, 1001, 1002 } do
      local _, conn, peer = time_wait()
      peer:send { flags = "S", seq = seq }
      peer:expect { flags = "A", seq = 5002, ack = 1002 }
      assert.equal("TIME-WAIT", conn:state())
    end
  end)

  it("RFC9293:MAY-2 can be switched off", function()
    local _, conn, peer = time_wait { host = { time_wait_reuse = false } }
    peer:send { flags = "S", seq = 70000 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    assert.equal("TIME-WAIT", conn:state())
  end)

  it("RFC9293:SHLD-4 a newer timestamp opens anew, whatever the sequence number", function()
    for _, seq in ipairs { 500, 1002, 90000 } do
      local _, old, peer, listener = time_wait(stamped)
      peer:send { flags = "S", seq = seq, options = { timestamps = { value = 104, echo = 0 } } }
      local answer = peer:expect { flags = "SA", ack = seq + 1 }
      local stamps = { timestamps = { value = 105, echo = 0 } }
      peer:send { flags = "A", seq = seq + 1, ack = answer.seq + 1, options = stamps }
      assert.is_truthy(listener:accept { timeout = 1 })
      assert.equal("CLOSED", old:state())
    end
  end)

  it("RFC9293:SHLD-4 an older timestamp does not, whatever the sequence number", function()
    for _, seq in ipairs { 500, 1002, 90000 } do
      local _, old, peer = time_wait(stamped)
      peer:send { flags = "S", seq = seq, options = { timestamps = { value = 99, echo = 0 } } }
      peer:expect { flags = "A", seq = 5002, ack = 1002 }
      assert.equal("TIME-WAIT", old:state())
    end
  end)

  it("RFC9293:SHLD-4 the same timestamp opens by the sequence number", function()
    for seq, flags in pairs { [90000] = "SA", [1001] = "A" } do
      local _, _, peer = time_wait(stamped)
      peer:send { flags = "S", seq = seq, options = { timestamps = { value = 103, echo = 0 } } }
      peer:expect { flags = flags }
    end
  end)

  it("RFC9293:SHLD-4 connections can follow each other on one pair of sockets without a wait", function()
    local net = lab.pair()
    for i = 1, 20 do
      local client = assert(net.client:connect(net.server, 80, { local_port = 4000 }))
      local server = assert(net.listener:accept())
      client:write "x"
      client:shutdown()
      assert.equal("x", server:read(1))
      server:close()
      client:read(1)
      net:run { until_ = net:now() + 0.1 }
      assert.equal("TIME-WAIT", client:state())
      assert.is_true(net:now() < i * 2)
    end
  end)
end)

describe("CLOSE of both directions", function()
  it("RFC9293:MAY-1 ends reading", function()
    local _, conn, peer = wire.passive()
    conn:close()
    peer:expect { flags = "FA", seq = 5001 }
    local bytes, _, code = conn:read(1)
    assert.is_nil(bytes)
    assert.equal("ENOTCONN", code)
  end)

  it("RFC9293:SHLD-3 with unread data sends RST", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "unread" }
    net:run { until_ = 1 }
    wire.drain(peer)
    conn:close()
    peer:expect { flags = "R", seq = 5001 }
    assert.equal("CLOSED", conn:state())
    peer:expect_nothing(10)
  end)

  it("RFC9293:SHLD-3 with unread data out of order sends RST", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1101, ack = 5001, payload = "unread" }
    net:run { until_ = 1 }
    wire.drain(peer)
    conn:close()
    peer:expect { flags = "R", seq = 5001 }
  end)

  it("RFC9293:SHLD-3 data that arrives later is answered by RST", function()
    local _, conn, peer = wire.passive()
    conn:close()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    conn:wait_state "FIN-WAIT-2"
    peer:send { flags = "PA", seq = 1001, ack = 5002, payload = "late" }
    local reset = peer:expect { seq = 5002 }
    assert.is_true(reset.flags.rst)
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC9293:SHLD-3 old data that arrives again is not", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "read" }
    assert.equal("read", conn:read(10))
    net:run { until_ = 1 }
    wire.drain(peer)
    conn:close()
    peer:expect { flags = "FA", seq = 5001, ack = 1005 }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "read" }
    peer:expect { flags = "A", ack = 1005 }
    assert.equal("FIN-WAIT-1", conn:state())
  end)

  it("RFC9293:SHLD-3 not after a half-close, which goes on reading", function()
    local _, conn, peer = wire.passive()
    conn:shutdown()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "PA", seq = 1001, ack = 5002, payload = "late" }
    assert.equal("late", conn:read(10))
    assert.equal("FIN-WAIT-2", conn:state())
  end)
end)
