-- RFC 9293 section 3.8.4: keep-alives.
local lab = require "support.lab"
local wire = require "support.wire"

local on <const> = { keepalive = true }

describe("keep-alive", function()
  it("RFC9293:MUST-25 is off where nothing was said: silence for a day", function()
    local _, conn, peer = wire.passive()
    peer:expect_nothing(86400)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:MUST-28 sends its first probe after two hours of silence", function()
    local _, _, peer = wire.passive { host = on }
    peer:expect_nothing(7199)
    -- SEG.SEQ = SND.NXT - 1, no data.
    local probe = peer:expect { flags = "A", seq = 5000, ack = 1001, length = 0 }
    assert.near(7200 + 0.03 + 0.01, probe.time, 0.02)
  end)

  it("RFC9293:MUST-27 has the idle time and the interval that are set", function()
    local net, _, peer = wire.passive {
      host = { keepalive = true, keepalive_idle = 60, keepalive_interval = 7 },
    }
    net:run { until_ = 90 }
    assert.same({ 0, 7, 14, 21, 28 }, wire.times(net, "flags seq", "host > peer .* A 5000"))
    assert.is_true(#wire.drain(peer) >= 5)
  end)

  it("RFC9293:MUST-24 can be switched on and off while the connection lives", function()
    local _, conn, peer = wire.passive { host = { keepalive_idle = 60 } }
    peer:expect_nothing(100)
    assert(conn:set { keepalive = true })
    peer:expect { flags = "A", seq = 5000, timeout = 61 }
    assert(conn:set { keepalive = false })
    peer:expect_nothing(100000)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:MUST-29 goes on after an answer, and does not die of one probe", function()
    local _, conn, peer = wire.passive {
      host = { keepalive = true, keepalive_idle = 60, keepalive_interval = 10 },
    }
    for _ = 1, 30 do
      peer:expect { flags = "A", seq = 5000, ack = 1001 }
      peer:expect { flags = "A", seq = 5000, ack = 1001 } -- the first was not answered
      peer:send { flags = "A", seq = 1001, ack = 5001 }
      peer:expect_nothing(59)
    end
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("ends the connection with ETIMEDOUT after so many probes without an answer", function()
    local net, conn = wire.passive {
      host = { keepalive = true, keepalive_idle = 60, keepalive_interval = 10, keepalive_count = 3 },
    }
    local bytes, _, code = conn:read(1)
    assert.is_nil(bytes)
    assert.equal("ETIMEDOUT", code)
    assert.near(60 + 3 * 10, net:now(), 0.1)
    assert.equal("CLOSED", conn:state())
  end)

  it("with an interval longer than the idle time goes by the interval until it is answered", function()
    local net, conn, peer = wire.passive {
      host = { keepalive = true, keepalive_idle = 60, keepalive_interval = 100 },
    }
    local first = peer:expect { flags = "A", seq = 5000, timeout = 61 }
    local second = peer:expect { flags = "A", seq = 5000, timeout = 101 }
    local third = peer:expect { flags = "A", seq = 5000, timeout = 101 }
    assert.near(100, second.time - first.time, 0.001)
    assert.near(100, third.time - second.time, 0.001)
    -- Answered: the idle time counts again, from the answer on.
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    local answered = net:now() + 0.01
    local fourth = peer:expect { flags = "A", seq = 5000, timeout = 61 }
    assert.near(60, fourth.time - answered, 0.03)
    local fifth = peer:expect { flags = "A", seq = 5000, timeout = 101 }
    assert.near(100, fifth.time - fourth.time, 0.001)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:MUST-26 does not probe while something comes", function()
    local net, conn, peer = wire.passive { host = { keepalive = true, keepalive_idle = 60 } }
    for i = 0, 9 do
      net:run { until_ = 50 * (i + 1) }
      peer:send { flags = "PA", seq = 1001 + i, ack = 5001, payload = "x" }
      peer:expect { flags = "A", ack = 1002 + i } -- and nothing else
    end
    assert.equal(0, conn:info().probes_sent)
  end)

  it("RFC9293:MUST-26 does not probe while data is outstanding", function()
    local net, conn = wire.passive { host = { keepalive = true, keepalive_idle = 5, r2_time = 1000 } }
    conn:write "x"
    net:run { until_ = 200 }
    assert.equal(0, conn:info().probes_sent)
  end)

  it("RFC9293:MAY-6 carries one garbage octet where that is set", function()
    local _, _, peer = wire.passive {
      host = { keepalive = true, keepalive_idle = 60, keepalive_garbage = true },
    }
    peer:expect { flags = "A", seq = 5000, ack = 1001, length = 1 }
  end)

  it("learns of a peer that restarted", function()
    local _, conn, peer = wire.passive { host = { keepalive = true, keepalive_idle = 60 } }
    peer:expect { flags = "A", seq = 5000, ack = 1001 }
    peer:send { flags = "R", seq = 1001 }
    assert.equal("ECONNRESET", select(3, conn:read(1)))
  end)

  it("is answered by an engine at the other end, for ever", function()
    local net, client, server = lab.connected {
      client = { keepalive = true, keepalive_idle = 60, keepalive_interval = 10 },
    }
    net:run { until_ = 86400 }
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
    assert.is_true(client:info().probes_sent >= 1400, client:info().probes_sent)
    client:write "still there"
    assert.equal("still there", server:read(100))
  end)

  it("with a garbage octet leaves the stream alone", function()
    local net, client, server = lab.connected {
      client = { keepalive = true, keepalive_idle = 60, keepalive_garbage = true },
    }
    net:run { until_ = 1000 }
    client:write "clean"
    assert.equal("clean", server:read(100))
    assert.equal("ESTABLISHED", client:state())
  end)
end)
