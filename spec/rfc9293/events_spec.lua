-- RFC 9293 section 3.10: what is left of its numbered requirements; states and events are in states_spec.
local lab = require "support.lab"
local wire = require "support.wire"

describe("acknowledgments", function()
  it("RFC9293:MUST-58 are aggregated: segments that arrive together bring one ACK", function()
    local _, _, peer = wire.passive { host = { delayed_ack = false } }
    for i = 0, 9 do
      peer:send { flags = "A", seq = 1001 + i * 100, ack = 5001, payload = ("x"):rep(100) }
    end
    peer:expect { flags = "A", ack = 2001 }
    peer:expect_nothing(1)
  end)

  it("RFC9293:MUST-59 all that is queued is processed before any ACK is sent", function()
    local net, conn, peer = wire.passive { host = { delayed_ack = false } }
    local order = { 5, 2, 1, 3, 4, 0, 9, 6, 8, 7 }
    for _, i in ipairs(order) do
      peer:send { flags = "A", seq = 1001 + i * 100, ack = 5001, payload = ("x"):rep(100) }
    end
    peer:expect { flags = "A", ack = 2001 }
    peer:expect_nothing(1)
    assert.equal(1000, #wire.read_now(conn))
    assert.is_true(net:now() < 3)
  end)

  it("RFC9293:MUST-59 a FIN that is queued behind them is in the same ACK", function()
    local _, _, peer = wire.passive { host = { delayed_ack = false } }
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = "one" }
    peer:send { flags = "FPA", seq = 1004, ack = 5001, payload = "two" }
    peer:expect { flags = "A", ack = 1008 }
    peer:expect_nothing(1)
  end)

  it("RFC9293:MUST-58 ride on data where there is some", function()
    local net, client, server = lab.connected()
    net:spawn(function()
      for _ = 1, 50 do
        client:write "question"
        client:read_exactly(6)
      end
    end)
    net:spawn(function()
      for _ = 1, 50 do
        server:read_exactly(8)
        server:write "answer"
      end
    end)
    net:run()
    local pure = #wire.lines(net, "flags", { only = " A$" })
    assert.is_true(pure <= 3, pure) -- that of the handshake, a last one
  end)
end)

describe("out of order", function()
  it("RFC9293:SHLD-31 segments are kept until the gap is filled", function()
    local net, conn, peer = wire.passive()
    for _, i in ipairs { 3, 1, 4, 2 } do
      peer:send { flags = "PA", seq = 1001 + i * 10, ack = 5001, payload = wire.pattern(10, i * 10) }
      net:run { until_ = net:now() + 0.1 }
    end
    assert.equal(0, conn:info().unread)
    wire.drain(peer)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = wire.pattern(10) }
    peer:expect { flags = "A", ack = 1051, timeout = 0.1 }
    assert.equal(wire.pattern(50), wire.read_now(conn))
  end)

  it("RFC9293:SHLD-31 overlaps in any way", function()
    local text = wire.pattern(200)
    for seed = 1, 30 do
      local net, conn, peer = wire.passive()
      local n = seed
      for _ = 1, 40 do
        n = (n * 1103515245 + 12345) & 0x7fffffff
        local from, length = n >> 8 & 127, (n >> 16 & 63) + 1
        peer:send { flags = "A", seq = 1001 + from, ack = 5001, payload = text:sub(from + 1, from + length) }
        if n >> 20 & 3 == 0 then net:run { until_ = net:now() + 0.01 } end
      end
      net:run { until_ = net:now() + 0.5 }
      local nxt = conn:info().rcv_nxt - 1001
      assert.equal(text:sub(1, nxt), wire.read_now(conn))
      peer:send { flags = "A", seq = 1001, ack = 5001, payload = text }
      net:run { until_ = net:now() + 0.5 }
      assert.equal(text:sub(nxt + 1), wire.read_now(conn))
      assert.equal(0, conn:info().out_of_order)
    end
  end)

  it("RFC9293:SHLD-31 a FIN out of order waits too", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "FPA", seq = 1004, ack = 5001, payload = "def" }
    net:run { until_ = net:now() + 0.1 }
    assert.equal("ESTABLISHED", conn:state())
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "abc" }
    net:run { until_ = net:now() + 0.1 }
    assert.equal("CLOSE-WAIT", conn:state())
    assert.equal("abcdef", wire.read_now(conn))
  end)

  it("RFC9293:MAY-13 a segment in the window but not at its edge is acknowledged at once", function()
    for i = 1, 5 do
      local _, _, peer = wire.passive()
      peer:send { flags = "A", seq = 1001 + i, ack = 5001, payload = "x" }
      peer:expect { flags = "A", ack = 1001, timeout = 0.021 }
    end
  end)
end)

describe("the ACK field", function()
  it("RFC9293:MAY-12 data is believed only with an ACK from SND.UNA - MAX.SND.WND to SND.NXT", function()
    for _, case in ipairs {
      -- SND.UNA = SND.NXT = 6001, MAX.SND.WND = 2000
      { 6002, false }, { 6001, true }, { 5001, true }, { 4001, true }, { 4000, false }, { 0, false },
      { 6001 + 0x7fffffff, false }, { (6001 - 0x7fffffff) & 0xffffffff, false },
    } do
      local net, conn, peer = wire.passive { syn = { window = 2000, options = { mss = 1000 } } }
      conn:write(("a"):rep(1000))
      peer:expect { seq = 5001, length = 1000 }
      peer:send { flags = "A", seq = 1001, ack = 6001, window = 2000 }
      net:run { until_ = net:now() + 0.1 }
      peer:send { flags = "PA", seq = 1001, ack = case[1], payload = "injected", window = 2000 }
      if not case[2] then peer:expect { flags = "A", seq = 6001, ack = 1001, timeout = 0.1 } end
      net:run { until_ = net:now() + 1 }
      assert.equal(case[2] and 8 or 0, conn:info().unread, "ACK " .. case[1])
      assert.equal(6001, conn:info().snd_una)
    end
  end)
end)
