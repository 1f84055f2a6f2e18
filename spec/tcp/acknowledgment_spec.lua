-- RFC 9293 sections 3.8.6.3 and 3.7.4: when an ACK may wait, and when data may.
local lab = require "support.lab"
local wire = require "support.wire"

local function full(peer, i, size)
  size = size or 1460
  peer:send { flags = "A", seq = 1001 + size * i, ack = 5001, payload = ("x"):rep(size) }
end

describe("a delayed ACK", function()
  it("RFC9293:MUST-40 comes within 0.5 s: after 0.2 s as it is set", function()
    local net, _, peer = wire.passive()
    net:run { until_ = 1 }
    full(peer, 0)
    local packet = peer:expect { flags = "A", seq = 5001, ack = 2461 }
    assert.near(1 + 0.01 + 0.2 + 0.01, packet.time, 1e-6)
  end)

  it("has the delay that is set, which cannot be 0.5 s", function()
    local net, _, peer = wire.passive { host = { delayed_ack_timeout = 0.05 } }
    net:run { until_ = 1 }
    full(peer, 0)
    assert.near(1.07, peer:receive().time, 1e-6)
    assert.error(function() lab.forge { host = { delayed_ack_timeout = 0.5 } } end)
  end)

  it("RFC9293:SHLD-19 does not wait longer than for the second full-sized segment", function()
    local net, _, peer = wire.passive()
    net:run { until_ = 1 }
    for i = 0, 5 do
      full(peer, i)
      net:run { until_ = net:now() + 0.002 }
    end
    local acks = {}
    for i, packet in ipairs(wire.drain(peer, 0.1)) do acks[i] = packet.ack end
    assert.same({ 1001 + 2 * 1460, 1001 + 4 * 1460, 1001 + 6 * 1460 }, acks)
  end)

  it("RFC5681:3.2-2 does not wait where a segment fills a part of a gap, nor the rest", function()
    local net, _, peer = wire.passive()
    net:run { until_ = 1 }
    full(peer, 2)
    peer:expect { flags = "A", ack = 1001, timeout = 0.021 }
    full(peer, 0)
    peer:expect { flags = "A", ack = 1001 + 1460, timeout = 0.021 }
    full(peer, 1)
    peer:expect { flags = "A", ack = 1001 + 3 * 1460, timeout = 0.021 }
  end)

  it("is not delayed when it is switched off", function()
    local _, _, peer = wire.passive { host = { delayed_ack = false } }
    for i = 0, 3 do
      full(peer, i)
      peer:expect { flags = "A", ack = 1001 + (i + 1) * 1460, timeout = 0.021 }
    end
  end)

  it("rides on data when there is some", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "question" }
    assert.equal("question", conn:read(100))
    conn:write "answer"
    peer:expect { seq = 5001, ack = 1009, payload = "answer" }
    peer:expect_nothing(0.5) -- no ACK alone after it
  end)

  it("RFC5681:4.2 RFC5681:3.2-1 is not delayed for a segment out of order", function()
    local _, _, peer = wire.passive()
    peer:send { flags = "A", seq = 2001, ack = 5001, payload = "x" }
    peer:expect { flags = "A", ack = 1001, timeout = 0.021 }
  end)

  it("is not delayed for a FIN", function()
    local _, _, peer = wire.passive()
    peer:send { flags = "FA", seq = 1001, ack = 5001 }
    peer:expect { flags = "A", ack = 1002, timeout = 0.021 }
  end)

  it("leaves no ACK for an ACK", function()
    local _, conn, peer = wire.passive()
    conn:write "x"
    peer:expect { payload = "x" }
    for _ = 1, 5 do peer:send { flags = "A", seq = 1001, ack = 5002 } end
    peer:expect_nothing(10)
  end)

  it("RFC9293:MUST-58 acknowledges all that arrived at one moment together", function()
    local net, _, peer = wire.passive()
    net:run { until_ = 1 }
    for i = 0, 7 do full(peer, i) end
    peer:expect { flags = "A", ack = 1001 + 8 * 1460, timeout = 0.021 }
    peer:expect_nothing(1)
  end)
end)

describe("Nagle's algorithm", function()
  it("RFC9293:SHLD-7 holds a small segment while data is unacknowledged", function()
    local _, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a" }
    conn:write "b"
    conn:write "c"
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect { seq = 5002, payload = "bc", timeout = 0.021 }
  end)

  it("lets a full-sized segment go at any time", function()
    local _, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a" }
    conn:write(("x"):rep(1500))
    peer:expect { seq = 5002, length = 1000, timeout = 0.021 }
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 6002 }
    peer:expect { seq = 6002, length = 500, timeout = 0.021 }
  end)

  it("sends the first small segment at once", function()
    local _, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a", timeout = 0.011 }
  end)

  it("RFC9293:MUST-17 can be switched off", function()
    local _, conn, peer = wire.passive { host = { nagle = false } }
    for _, octet in ipairs { "a", "b", "c" } do
      conn:write(octet)
      peer:expect { payload = octet, timeout = 0.011 }
    end
  end)

  it("RFC9293:MUST-17 can be switched off while it holds something back", function()
    local _, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a" }
    conn:write "b"
    peer:expect_nothing(0.3)
    assert(conn:set { nagle = false })
    conn:write "c"
    local packet = peer:expect { seq = 5002, timeout = 0.021 }
    assert.equal("b", packet.payload:sub(1, 1))
  end)

  it("does not hold back a FIN with the last octets", function()
    local _, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a" }
    conn:write "b"
    conn:close()
    peer:expect { seq = 5002, payload = "b", flags = function(flags) return flags.fin end, timeout = 0.021 }
  end)

  it("joins many small writes of an interactive user into few segments", function()
    local net, client, server = lab.connected { link = { delay = 0.1 } }
    net:spawn(function()
      for i = 1, 100 do
        client:write(string.char(64 + i % 26))
        net:sleep(0.01)
      end
      client:close()
    end)
    local got = 0
    for chunk in server:chunks() do got = got + #chunk end
    assert.equal(100, got)
    assert.is_true(client:info().segments_sent < 20, client:info().segments_sent)
  end)
end)
