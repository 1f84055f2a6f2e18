-- RFC 9293 section 3.10.7.4: segments out of order and overlapping in every shape.
local wire = require "support.wire"

local function send(peer, data, first, last, isn)
  local base = isn or 1001
  peer:send {
    flags = "A", seq = (base + first) & 0xffffffff, ack = 5001, payload = data:sub(first + 1, last),
  }
end

describe("the out-of-order queue", function()
  it("keeps a later segment until the hole is filled", function()
    local _, conn, peer = wire.passive()
    send(peer, "abcdef", 3, 6)
    peer:expect { flags = "A", seq = 5001, ack = 1001 }
    assert.equal(0, conn:info().unread)
    assert.equal(3, conn:info().out_of_order)
    send(peer, "abcdef", 0, 3)
    peer:expect { flags = "A", seq = 5001, ack = 1007 }
    assert.equal("abcdef", conn:read(10))
    assert.equal(0, conn:info().out_of_order)
  end)

  it("RFC5681:4.2 acknowledges at once each segment out of order, and what fills the hole", function()
    local _, _, peer = wire.passive()
    local data = wire.pattern(50)
    for first = 10, 40, 10 do
      send(peer, data, first, first + 10)
      peer:expect { flags = "A", ack = 1001, timeout = 0.021 }
    end
    send(peer, data, 0, 10)
    peer:expect { flags = "A", ack = 1051, timeout = 0.021 }
  end)

  it("takes six segments in every order", function()
    local data = wire.pattern(60)
    local order = { 1, 2, 3, 4, 5, 6 }
    local tried = 0
    local function permute(k)
      if k > #order then
        tried = tried + 1
        if tried % 5 ~= 0 then return end -- 144 of the 720
        local net, conn, peer = wire.passive()
        for _, i in ipairs(order) do send(peer, data, (i - 1) * 10, i * 10) end
        net:run { until_ = 0.2 }
        assert.equal(data, wire.read_now(conn), table.concat(order, " "))
        return
      end
      for i = k, #order do
        order[k], order[i] = order[i], order[k]
        permute(k + 1)
        order[k], order[i] = order[i], order[k]
      end
    end
    permute(1)
  end)

  it("takes overlaps of every shape, before the hole is filled and after", function()
    local data = wire.pattern(20)
    -- A middle piece [8, 12), then any other piece, then all the rest.
    for first = 1, 19 do
      for last = first + 1, 20 do
        local net, conn, peer = wire.passive()
        send(peer, data, 8, 12)
        send(peer, data, first, last)
        net:run { until_ = 0.06 }
        assert.equal(0, conn:info().unread)
        local kept = conn:info().out_of_order
        local apart = last < 8 or first > 12
        local expected = apart and last - first + 4 or math.max(last, 12) - math.min(first, 8)
        assert.equal(expected, kept, ("[%d, %d)"):format(first, last))
        send(peer, data, 0, 20)
        net:run { until_ = 0.3 }
        assert.equal(data, wire.read_now(conn))
        assert.equal(0, conn:info().out_of_order)
      end
    end
  end)

  it("takes overlaps of every shape with what was received in order", function()
    local data = wire.pattern(20)
    for first = 0, 10 do
      for last = math.max(first + 1, 2), 20 do
        local net, conn, peer = wire.passive()
        send(peer, data, 0, 10)
        send(peer, data, first, last)
        net:run { until_ = 0.06 }
        assert.equal(data:sub(1, math.max(last, 10)), wire.read_now(conn), ("[%d, %d)"):format(first, last))
      end
    end
  end)

  it("joins pieces that a small one brings together", function()
    local net, conn, peer = wire.passive()
    local data = wire.pattern(100)
    for first = 10, 90, 20 do send(peer, data, first, first + 10) end
    net:run { until_ = 0.1 }
    assert.equal(50, conn:info().out_of_order)
    send(peer, data, 5, 100) -- covers all of them
    net:run { until_ = 0.2 }
    assert.equal(95, conn:info().out_of_order)
    send(peer, data, 0, 5)
    assert.equal(data, conn:read_exactly(100))
  end)

  it("is bounded by the receive window", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 2000 } }
    local data = wire.pattern(4000)
    for first = 100, 3900, 100 do send(peer, data, first, first + 100) end
    net:run { until_ = 0.2 }
    assert.equal(1900, conn:info().out_of_order)
    send(peer, data, 0, 100)
    assert.equal(data:sub(1, 2000), conn:read_exactly(2000))
  end)

  it("survives ten thousand single octets with holes", function()
    local net, conn, peer = wire.passive()
    local data = wire.pattern(20000)
    for i = 1, 19999, 2 do send(peer, data, i, i + 1) end
    net:run { until_ = 1 }
    wire.drain(peer)
    -- It may have forgotten some (RFC 2018 section 8), but says nothing wrong.
    local at = 0
    while at < 20000 do
      send(peer, data, at, math.min(at + 1000, 20000))
      net:run { until_ = net:now() + 0.3 }
      for _, packet in ipairs(wire.drain(peer)) do at = math.max(at, packet.ack - 1001) end
    end
    assert.equal(data, conn:read_exactly(20000))
  end)

  it("holds a FIN that came early, also one with data", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "FA", seq = 1004, ack = 5001, payload = "def" }
    peer:expect { flags = "A", ack = 1001 }
    assert.equal("ESTABLISHED", conn:state())
    send(peer, "abcdef", 0, 3)
    net:run { until_ = 1 }
    -- The FIN may have been dropped at first: then it comes again.
    if conn:state() == "ESTABLISHED" then
      peer:send { flags = "FA", seq = 1004, ack = 5001, payload = "def" }
      net:run { until_ = 2 }
    end
    assert.equal("CLOSE-WAIT", conn:state())
    assert.equal("abcdef", conn:read_exactly(6))
    assert.is_nil(conn:read(1))
  end)
end)

describe("sequence numbers that wrap", function()
  for _, edge in ipairs { 0x80000000, 0x100000000 } do
    it(("RFC9293:3.4 at 2^%d carry octets of both ends"):format(edge == 0x80000000 and 31 or 32), function()
      local lab = require "support.lab"
      for before = 0, 3000, 250 do
        local isn = (edge - before - 1) & 0xffffffff
        local net, client, server = lab.connected { client = { isn = isn }, server = { isn = isn } }
        local data = wire.pattern(3000)
        net:spawn(function() client:write(data) client:shutdown() end)
        net:spawn(function() server:write(data) server:shutdown() end)
        assert.equal(data, client:read_exactly(3000))
        assert.equal(data, server:read_exactly(3000))
        net:run { until_idle = true }
        assert.equal("CLOSED", client:state())
        assert.equal("CLOSED", server:state())
        assert.equal(0, client:info().segments_retransmitted)
      end
    end)

    it(("are put in order at 2^%d"):format(edge == 0x80000000 and 31 or 32), function()
      local data = wire.pattern(60)
      for before = 0, 60, 5 do
        local first = (edge - before) & 0xffffffff
        local net, conn, peer = wire.passive { isn = (first - 1) & 0xffffffff }
        for _, i in ipairs { 5, 3, 4, 1, 0, 2 } do send(peer, data, i * 10, i * 10 + 10, first) end
        net:run { until_ = 0.2 }
        assert.equal(data, wire.read_now(conn), before)
      end
    end)
  end
end)
