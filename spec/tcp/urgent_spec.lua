-- RFC 9293 section 3.8.5 and RFC 6093: urgent data.
local lab = require "support.lab"
local wire = require "support.wire"

describe("sending urgent data", function()
  it("RFC9293:MUST-62 points at the octet after the urgent data", function()
    local _, conn, peer = wire.passive()
    conn:urgent "abc"
    local packet = peer:expect { seq = 5001, payload = "abc", urgent = 3 }
    assert.is_true(packet.flags.urg)
  end)

  it("RFC9293:3.8.5 points there from each segment before it", function()
    local _, conn, peer = wire.passive { host = { initial_window = 10 } }
    conn:write(("n"):rep(1500))
    conn:urgent(("u"):rep(700))
    conn:write(("n"):rep(500))
    local seen = 0
    while seen < 2700 do
      local packet = peer:receive()
      if packet.flags.urg then
        assert.equal(5001 + 2200, packet.seq + packet.urgent)
      else
        -- Written before the urgent call, or beyond the urgent data.
        assert.is_true(packet.seq == 5001 or packet.seq >= 5001 + 2200, packet.seq)
      end
      seen = seen + packet.length
      peer:send { flags = "A", seq = 1001, ack = packet.seq + packet.length }
    end
    assert.equal(2700, seen)
  end)

  it("RFC9293:3.9.1 ends the urgent mode once the pointer is behind", function()
    local _, conn, peer = wire.passive()
    conn:urgent "!"
    peer:expect { urgent = 1, payload = "!" }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    conn:write "calm"
    local packet = peer:expect { seq = 5002, payload = "calm" }
    assert.is_false(packet.flags.urg)
  end)

  it("RFC9293:3.9.1 moves the pointer on with a second urgent call", function()
    local net, conn, peer = wire.passive()
    conn:urgent "one"
    peer:expect { seq = 5001, urgent = 3 }
    peer:send { flags = "A", seq = 1001, ack = 5004 }
    net:run { until_ = 0.5 }
    conn:urgent "two"
    peer:expect { seq = 5004, payload = "two", urgent = 3 }
  end)

  it("bears URG again when it is retransmitted", function()
    local _, conn, peer = wire.passive()
    conn:urgent "abc"
    peer:expect { seq = 5001, urgent = 3 }
    local again = peer:expect { seq = 5001, urgent = 3, payload = "abc" }
    assert.is_true(again.flags.urg)
  end)

  it("is told across a closed window", function()
    local net, conn, peer = wire.passive { window = 0 }
    conn:urgent "abc"
    local packet
    repeat packet = peer:receive() until packet.flags.urg
    assert.equal(5004, packet.seq + packet.urgent)
    assert.is_true(packet.length <= 1)
    assert.is_true(net:now() < 4, net:now())
  end)

  it("RFC9293:MUST-31 of 200,000 octets has a pointer that moves ahead with it", function()
    local net, client, server = lab.connected {
      client = { isn = 1000 }, server = { receive_buffer = 300000 },
    }
    local data = wire.pattern(200000)
    local last_up = 0
    net:on("segment", function(segment)
      if segment.flags.urg then
        local up = segment.seq + segment.urgent
        assert(up <= 1001 + 200000 and up >= last_up - 65535)
        last_up = math.max(last_up, up)
      end
    end)
    net:spawn(function() client:urgent(data) client:close() end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
    assert.equal(201001, last_up)
  end)
end)

describe("receiving urgent data", function()
  local function urgent(peer, seq, payload, pointer)
    peer:send { flags = "PAU", seq = seq, ack = 5001, payload = payload, urgent = pointer }
  end

  it("RFC9293:MUST-32 is told to the user at once, and each time the pointer moves on", function()
    local net, conn, peer = wire.passive()
    local notices = {}
    net:on("urgent", function(event) notices[#notices + 1] = event.value end)
    urgent(peer, 1001, "abc", 3)
    net:run { until_ = 0.1 }
    assert.equal(1, #notices)
    urgent(peer, 1004, "d", 1)
    net:run { until_ = 0.2 }
    assert.equal(2, #notices)
    urgent(peer, 1004, "d", 1) -- the same again: no news
    net:run { until_ = 0.3 }
    assert.equal(2, #notices)
    assert.equal(4, conn:info().urgent_remaining)
  end)

  it("RFC9293:MUST-33 can be asked how much remains", function()
    local net, conn, peer = wire.passive()
    urgent(peer, 1001, "abcdefgh", 6)
    net:run { until_ = 0.1 }
    assert.equal(6, conn:info().urgent_remaining)
    assert.equal("ab", conn:read(2))
    assert.equal(4, conn:info().urgent_remaining)
    -- A read stops at the mark.
    assert.equal("cdef", conn:read(100))
    assert.equal(0, conn:info().urgent_remaining)
    assert.equal("gh", conn:read(100))
  end)

  it("is told before its octets have come", function()
    local net, conn, peer = wire.passive()
    urgent(peer, 1001, "abc", 5000)
    net:run { until_ = 0.1 }
    assert.equal(5000, conn:info().urgent_remaining)
    assert.equal("abc", conn:read(10))
    assert.equal(4997, conn:info().urgent_remaining)
  end)

  it("RFC9293:MUST-66 is told although the window is closed", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 1000 } }
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    net:run { until_ = 0.5 }
    assert.equal(0, conn:info().urgent_remaining)
    peer:send { flags = "AU", seq = 2001, ack = 5001, urgent = 7 }
    net:run { until_ = 0.6 }
    assert.equal(1007, conn:info().urgent_remaining)
  end)

  it("RFC9293:3.10.7.4 with a pointer that is behind what was read is none", function()
    local net, conn, peer = wire.passive()
    local notices = 0
    net:on("urgent", function() notices = notices + 1 end)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "abcdef" }
    assert.equal("abcdef", conn:read(10))
    urgent(peer, 1001, "abcdef", 3)
    net:run { until_ = 1 }
    assert.equal(0, notices)
    assert.equal(0, conn:info().urgent_remaining)
  end)

  it("RFC9293:3.10.7.4 ignores the pointer without URG", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "abcdef", urgent = 3 }
    net:run { until_ = 0.1 }
    assert.equal(0, conn:info().urgent_remaining)
    assert.equal("abcdef", conn:read(10))
  end)

  it("RFC6093:6 is in the stream, no octet missing", function()
    local _, client, server = lab.connected()
    client:write "before "
    client:urgent "NOW"
    client:write " after"
    client:close()
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal("before NOW after", table.concat(parts))
  end)

  it("of ten calls wakes the reader, whatever is lost", function()
    for seed = 1, 20 do
      local net, client, server = lab.connected { link = { delay = 0.01, loss = 0.1 }, seed = seed }
      net:spawn(function()
        for i = 1, 10 do
          client:write(("n"):rep(500))
          client:urgent(("u"):rep(i))
        end
        client:close()
      end)
      local parts = {}
      for chunk in server:chunks() do parts[#parts + 1] = chunk end
      local expected = {}
      for i = 1, 10 do expected[i] = ("n"):rep(500) .. ("u"):rep(i) end
      assert.equal(table.concat(expected), table.concat(parts), seed)
      assert.equal(0, server:info().urgent_remaining)
    end
  end)
end)

describe("urgent data out of band", function()
  local out_of_band <const> = { urgent_inline = false }

  it("is one octet, taken out of the stream", function()
    local _, client, server = lab.connected { server = out_of_band }
    client:write "before "
    client:urgent "!"
    client:write "after"
    assert.equal("!", server:read_urgent())
    assert.equal("before after", server:read_exactly(12))
  end)

  it("is the last one before the pointer; the others stay", function()
    local _, client, server = lab.connected { server = out_of_band }
    client:urgent "abc"
    assert.equal("c", server:read_urgent())
    assert.equal("ab", server:read_exactly(2))
  end)

  it("can be waited for, until the deadline of the call", function()
    local net, _, server = lab.connected { server = out_of_band }
    assert.equal("EAGAIN", select(3, server:read_urgent { timeout = 1 }))
    assert.is_true(net:now() >= 1)
  end)

  it("is not read across: a read stops at the mark", function()
    local net, client, server = lab.connected { server = out_of_band }
    client:write "ab"
    client:urgent "!"
    client:write "cd"
    net:run { until_ = 1 }
    assert.equal("ab", server:read(100))
    assert.equal("cd", server:read(100))
    assert.equal("!", server:read_urgent())
  end)

  it("cannot be asked for where it is in the stream", function()
    local _, _, server = lab.connected()
    local octet, _, code = server:read_urgent()
    assert.is_nil(octet)
    assert.equal("EINVAL", code)
  end)
end)
