-- RFC 9293 section 3.8.5: urgent information.
local core = require "lunatcp.core"
local core_pair = require "support.core_pair"
local lab = require "support.lab"
local wire = require "support.wire"

-- Collects the notices of urgent data: what remained at each.
local function notices(net)
  local list = {}
  net:on("urgent", function(event) list[#list + 1] = event.value end)
  return list
end

local function settle(net) net:run { until_ = net:now() + 1 } end

describe("urgent data", function()
  it("RFC9293:MUST-30 goes from one user to the other, with a notice", function()
    local net, client, server = lab.connected()
    local heard = notices(net)
    client:write "normal "
    client:urgent "urgent"
    assert.equal("normal urgent", server:read_exactly(13))
    settle(net)
    assert.is_true(#heard >= 1)
  end)

  it("RFC9293:MUST-30 is in place in the stream, which stops at its end", function()
    local net, client, server = lab.connected()
    client:write "before "
    client:urgent "now"
    client:write " after"
    settle(net)
    assert.equal("before now", server:read(100))
    assert.equal(" after", server:read(100))
  end)

  it("RFC9293:MUST-62 the pointer names the octet after the urgent data", function()
    local _, conn, peer = wire.passive()
    conn:urgent "urgent"
    peer:expect { flags = "UPA", seq = 5001, length = 6, urgent = 6 }
  end)

  it("RFC9293:MUST-62 in every segment up to there, from each one's own number", function()
    local _, conn, peer = wire.passive()
    conn:urgent(("u"):rep(2500))
    peer:expect { seq = 5001, length = 1000, urgent = 2500, flags = "UA" }
    peer:expect { seq = 6001, length = 1000, urgent = 1500, flags = "UA" }
    peer:send { flags = "A", seq = 1001, ack = 7001 }
    peer:expect { seq = 7001, length = 500, urgent = 500, flags = "UPA" }
    peer:send { flags = "A", seq = 1001, ack = 7501 }
    conn:write "calm"
    peer:expect { seq = 7501, length = 4, urgent = 0, flags = "PA" }
  end)

  it("RFC9293:MUST-62 so it is read: the mark is the last urgent octet's successor", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 3, payload = "abcdef" }
    settle(net)
    assert.equal(1004, conn:info().rcv_up)
    assert.equal("abc", conn:read(100))
    assert.equal("def", conn:read(100))
  end)

  it("RFC9293:MUST-62 out of band it is the octet before the pointer", function()
    local net, conn, peer = wire.passive { host = { urgent_inline = false } }
    peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 3, payload = "abcdef" }
    settle(net)
    assert.equal("c", conn:read_urgent { timeout = 1 })
    assert.equal("ab", conn:read(100))
    assert.equal("def", conn:read(100))
  end)

  it("RFC9293:MUST-31 may be of any length, received", function()
    for _, length in ipairs { 1, 2, 1000, 65535, 65536, 200000 } do
      local net, client, server = lab.connected { client = { timestamps = false } }
      client:urgent(("u"):rep(length))
      client:write "end"
      local got = 0
      while got < length do
        local bytes = assert(server:read(length + 3))
        got = got + #bytes
        assert.is_true(got <= length, "the mark was read across")
      end
      assert.equal("end", server:read(10))
      settle(net)
      assert.equal(0, server:info().urgent_remaining)
    end
  end)

  it("RFC9293:MUST-31 farther than the field reaches, the pointer advances with the data", function()
    local net, conn, peer = wire.passive { host = { initial_window = 100 } }
    conn:urgent(("u"):rep(100000))
    settle(net)
    local packets = wire.drain(peer)
    assert.is_true(#packets > 50)
    for _, packet in ipairs(packets) do
      assert.equal(math.min(65535, 105001 - packet.seq), packet.urgent)
      assert.is_true(packet.flags.urg)
    end
  end)

  it("RFC9293:MUST-32 the user hears of it as soon as the pointer comes, before the data", function()
    local net, conn, peer = wire.passive()
    local heard = notices(net)
    peer:send { flags = "UA", seq = 1001, ack = 5001, urgent = 500 }
    settle(net)
    assert.same({ 500 }, heard)
    assert.equal(500, conn:info().urgent_remaining)
    assert.equal(0, conn:info().unread)
  end)

  it("RFC9293:MUST-32 and each time that the pointer advances, but not again for the same", function()
    local net, _, peer = wire.passive()
    local heard = notices(net)
    for _, urgent in ipairs { 10, 10, 20, 15, 20, 21 } do
      peer:send { flags = "UA", seq = 1001, ack = 5001, urgent = urgent }
      settle(net)
    end
    assert.same({ 10, 20, 21 }, heard)
  end)

  it("RFC9293:MUST-32 a new run after all was read is new", function()
    local net, conn, peer = wire.passive()
    local heard = notices(net)
    peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 2, payload = "ab" }
    assert.equal("ab", conn:read(10))
    peer:send { flags = "UPA", seq = 1003, ack = 5001, urgent = 2, payload = "cd" }
    assert.equal("cd", conn:read(10))
    settle(net)
    assert.same({ 2, 2 }, heard)
  end)

  it("RFC9293:MUST-32 a pointer to what was consumed says nothing", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "abcdef" }
    assert.equal("abcdef", conn:read(10))
    local heard = notices(net)
    peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 3, payload = "abcdef" }
    settle(net)
    assert.same({}, heard)
    assert.equal(0, conn:info().urgent_remaining)
  end)

  it("RFC9293:MUST-30 RFC9293:MUST-32 the core's owner gets an event, before any data can be read", function()
    local pair = core_pair.new { server = { receive_buffer = 20000 } }
    local client, server = core_pair.connect(pair)
    client:write(("n"):rep(100000)) -- more than the window takes: the pointer runs ahead of the data
    client:write("u", 1, core.WRITE.urgent)
    local urgent = 0
    core_pair.run(pair, pair.net:now() + 1, function(object, bits)
      if object == server and bits & core.EVENT.urgent ~= 0 then urgent = urgent + 1 end
    end)
    assert.is_true(urgent >= 1)
    assert.is_true(server:info().urgent_remaining > 0)
  end)

  it("RFC9293:MUST-32 a task that waits for the out-of-band octet is woken", function()
    local net, conn, peer = wire.passive { host = { urgent_inline = false } }
    local woken
    net:spawn(function()
      woken = { conn:read_urgent(), net:now() }
    end)
    net:spawn(function()
      net:sleep(1)
      peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 1, payload = "!" }
    end)
    net:run()
    assert.equal("!", woken[1])
    assert.near(1.03, woken[2], 0.05)
  end)

  it("RFC9293:MUST-33 the user can ask how much remains", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 300, payload = ("u"):rep(100) }
    settle(net)
    assert.equal(300, conn:info().urgent_remaining)
    conn:read(40)
    assert.equal(260, conn:info().urgent_remaining)
    peer:send { flags = "UPA", seq = 1101, ack = 5001, urgent = 200, payload = ("u"):rep(300) }
    settle(net)
    assert.equal(260, conn:info().urgent_remaining)
    while conn:info().urgent_remaining > 0 do conn:read(100) end
    assert.equal(100, conn:info().unread)
  end)

  it("RFC9293:3.8.5 the peer hears of it through a closed window", function()
    local _, conn, peer = wire.passive { window = 0 }
    conn:urgent "urgent"
    peer:expect { flags = "UA", seq = 5001, urgent = 6, length = 0, timeout = 0.1 }
  end)

  it("RFC9293:3.8.5 a pointer of 0, or one far ahead, does no harm", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "UPA", seq = 1001, ack = 5001, urgent = 0, payload = "a" }
    peer:send { flags = "UPA", seq = 1002, ack = 5001, urgent = 65535, payload = "b" }
    settle(net)
    assert.equal("ab", wire.read_now(conn))
    peer:send { flags = "PA", seq = 1003, ack = 5001, payload = "c" }
    settle(net)
    assert.equal("c", wire.read_now(conn))
  end)

  it("RFC9293:SHLD-13 is never sent unless a user asks for it", function()
    local net, client, server = lab.connected {
      client = { keepalive = true, keepalive_idle = 5 }, server = { receive_buffer = 20000 },
    }
    net.wire:drop { data = true, every = 7, times = 5 }
    client:write(("x"):rep(50000))
    net:run { until_ = 20 }
    assert.equal(50000, #server:read_exactly(50000))
    net:run { until_ = 40 } -- keep-alives
    assert.is_true(client:info().probes_sent > 0)
    server:write "answer"
    client:shutdown()
    server:shutdown()
    net:run { until_ = 60 }
    for _, record in ipairs(net.trace:packets { kind = "sent" }) do
      assert.is_false(record.segment.flags.urg)
      assert.equal(0, record.segment.urgent)
    end
  end)
end)
