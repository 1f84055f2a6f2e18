-- What a receiver may say by SACK, and what it says wrongly (RFC 2018 section 8, RFC 6675 section 5.1).
local flight = require "support.flight"
local lab = require "support.lab"
local wire = require "support.wire"

local function block(left, right) return { left = left & 0xffffffff, right = right & 0xffffffff } end

local function tell(f, ack, ...)
  f.peer:send { flags = "A", seq = 1001, ack = ack, options = { sack = { ... } } }
end

describe("a receiver that takes back what it has SACKed", function()
  for _, rack in ipairs { false, true } do
    it("RFC2018:8-1 RFC2018:5-3 RFC6675:4-1 is sent all of it again"
      .. (rack and ", with RACK" or ""), function()
      local f = flight.open { host = { rack = rack, tlp = rack, rto_min = 0.2 } }
      f:ack(1, { 2, 10 })
      f:sent(0.03)
      -- From here on it holds nothing that it had SACKed, and acknowledges what comes in order.
      local next_segment = 2
      f:ack(next_segment)
      for _ = 1, 200 do
        local packet = f.peer:receive { timeout = 5 }
        if not packet then break end
        if (packet.seq - 4001) // 1000 == next_segment then
          next_segment = next_segment + 1
          f:ack(next_segment)
        end
        if next_segment == 11 then break end
      end
      f.net:run { until_ = f.net:now() + 0.02 }
      assert.equal(15001, f.conn:info().snd_una)
      assert.equal(0, f.conn:info().timeouts)
      assert.is_true(f.net:now() < 0.5, f.net:now())
    end)
  end
end)

describe("SACK blocks that lie", function()
  it("of what was never sent, lies below SND.UNA, beyond SND.NXT or backwards change nothing", function()
    for _, lie in ipairs {
      block(20001, 21001), block(15001, 16001), block(14001, 16001), block(3001, 4001), block(4001, 6001),
      block(8001, 7001), block(7001, 7001), block(0x80000000, 0x90000000), block(5001 - 2 ^ 31, 5001),
      block(6001, 6001 + 2 ^ 31),
    } do
      local f = flight.open()
      for _ = 1, 5 do tell(f, 5001, lie) end
      assert.same({}, f:sent(0.05))
      local info = f.conn:info()
      assert.equal(10000, info.pipe)
      assert.equal(0, info.fast_recoveries)
      assert.equal("ESTABLISHED", f.conn:state())
    end
  end)

  it("of all but the first segment bring it again, once, and let no burst out", function()
    local f = flight.open { total = 120000, host = { limited_transmit = false } }
    f:ack(1, { 2, 10 })
    assert.same({ 1, 11, 12, 13, 14 }, f:sent(0.03)) -- ssthresh
    for last = 11, 14 do f:ack(1, { 2, last }) end
    assert.is_true(#f:sent(0.0201) <= 5)
  end)

  it("by the thousand, each of one octet, cost no memory and no time", function()
    local f = flight.open { total = 120000, host = { initial_window = 60 }, window = 65535 }
    f:sent(0.05)
    local early
    for n = 1, 4000 do
      local at = 5002 + (n * 13) % 59000
      tell(f, 5001, block(at, at + 1), block(at + 200, at + 201), block(at + 400, at + 401),
        block(at + 600, at + 601))
      if n % 500 == 0 then
        f:sent(0.05)
        early = early or f.net.core:memory().bytes
      end
    end
    assert.is_true(f.net.core:memory().bytes <= early)
    assert.equal("ESTABLISHED", f.conn:state())
    assert.equal(0, f.conn:info().fast_recoveries) -- no segment is whole in any of them
  end)

  it("about data that a dead peer never asked for stop no timeout", function()
    local f = flight.open { host = { rto_min = 0.2 } }
    for _ = 1, 20 do
      tell(f, 5001, block(14001, 15001))
      f:sent(0.05)
    end
    assert.is_true(f.conn:info().timeouts >= 1)
  end)
end)

describe("a sender that leaves holes", function()
  it("of one octet between octets, by the thousand, is held to a bound", function()
    local net, conn, peer = wire.passive { syn = { options = { mss = 1000, sack_permitted = true } } }
    net:run { until_ = net:now() + 0.05 }
    local before = net.core:memory().bytes
    for n = 1, 4000 do
      peer:send { flags = "A", seq = 1001 + 2 * n, ack = 5001, payload = "x" }
      if n % 200 == 0 then
        net:run { until_ = net:now() + 0.011 }
        wire.drain(peer)
      end
    end
    net:run { until_ = net:now() + 0.05 }
    wire.drain(peer)
    local grown = net.core:memory().bytes - before
    assert.is_true(grown < 4 * 1024 * 1024, grown)
    assert.equal("ESTABLISHED", conn:state())
    -- What is sent in order after all is taken.
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = ("y"):rep(1000) }
    assert.equal(1000, #conn:read_exactly(1000))
  end)

  it("between two engines costs what it costs, and nothing is left", function()
    local net, client, server = lab.connected { link = { delay = 0.01, loss = 0.2 } }
    client:write(wire.pattern(100000))
    assert.equal(wire.pattern(100000), server:read_exactly(100000))
    net:run { until_ = net:now() + 1 }
    assert.equal(0, server:info().out_of_order)
  end)
end)
