-- How Linux keeps what is written: in pieces of half of the peer's window, each with its own cost.
local wire = require "support.wire"

-- A peer with a window of 8 segments of 1000 octets, so pieces of four; two segments leave at first.
local function passive(settings)
  local host = {
    profile = "linux", isn = 5000, timestamps = false, initial_window = 2, piece_overhead = 100,
    send_buffer = 10000, tune_send_buffer = false,
  }
  for name, value in pairs(settings or {}) do host[name] = value end
  return wire.passive { host = host, window = 8000, syn = { window = 8000 } }
end

local function put(conn, octets) return (select(4, conn:write(wire.pattern(octets), { timeout = 0 }))) end

describe("pieces of what is written", function()
  it("ask for room once each, and are filled beyond the buffer", function()
    local _, conn = passive()
    -- The first is filled to 4000, and again as one segment leaves twice: 6000. After the second 10000 are
    -- held, and what they cost.
    assert.equal(10000, put(conn, 50000))
    _, conn = passive { send_buffer = 10500, piece_overhead = 0 }
    assert.equal(14000, put(conn, 50000))
    _, conn = passive { write_pieces = false }
    assert.equal(10000, put(conn, 50000))
  end)

  it("count with what they cost beside their octets", function()
    local _, conn = passive()
    conn:write(wire.pattern(3000), { timeout = 0 })
    assert.equal(3100, conn:info().send_memory)
    local _, plain = passive { write_pieces = false }
    plain:write(wire.pattern(3000), { timeout = 0 })
    assert.equal(3000, plain:info().send_memory)
  end)

  it("let a writer that finds no room wait until a third is free", function()
    local net, conn, peer = passive()
    put(conn, 50000)
    local woken
    net:spawn(function()
      conn:write "x"
      woken = net:now()
    end)
    local function acknowledge(ack)
      peer:send { flags = "A", seq = 1001, ack = ack, window = 8000 }
      net:run { until_ = net:now() + 0.011 }
      return woken
    end
    wire.drain(peer, 0.02)
    assert.is_nil(acknowledge(7001)) -- 8000 of 10000 are held
    wire.drain(peer, 0.02)
    assert.is_truthy(acknowledge(11001)) -- 4000
  end)

  it("end a burst that is sent again, and PSH with them", function()
    local net, conn, peer = passive { initial_window = 10, burst_least = 4 }
    conn:write(wire.pattern(4000))
    local first = wire.drain(peer, 0.02)
    assert.equal(4, #first)
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 8000 }
    wire.drain(peer, 2)
    -- A timeout sends one, whose acknowledgment lets two go: they lie in one piece.
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 8000 }
    local again = wire.drain(peer, 0.05)
    assert.same({ 6001, 7001 }, { again[1].seq, again[2].seq })
    assert.same({ "A", "PA" }, { tostring(again[1].flags), tostring(again[2].flags) })
    net:collect()
  end)
end)
