-- What users of other stacks have suffered from, each a spec.
local lab = require "support.lab"
local wire = require "support.wire"

-- Sends so many octets from the client to the server: seconds that it took.
local function transfer(net, client, server, octets)
  local began = net:now()
  local data = wire.pattern(1000):rep(octets // 1000)
  net:spawn(function() client:write(data) client:shutdown() end)
  local got = 0
  local ended
  for chunk in server:chunks() do
    got = got + #chunk
    ended = net:now()
  end
  assert.equal(#data, got)
  return ended - began
end

describe("a tiny RTT", function()
  it("does not stop a flow, nor make it retransmit", function()
    for _, delay in ipairs { 0, 1e-9, 1e-7, 1e-6 } do
      local tiny = { rto_min = 0.001, rto_granularity = 0 }
      local net, client, server = lab.connected { client = tiny, server = tiny, link = { delay = delay } }
      local time = transfer(net, client, server, 1000000)
      assert.is_true(time < 1, ("delay %g: %g s"):format(delay, time))
      assert.equal(0, client:info().segments_retransmitted, delay)
    end
  end)

  it("leaves an RTO that is not zero", function()
    local _, client = lab.connected {
      client = { rto_min = 0.001, rto_granularity = 0 }, link = { delay = 0 },
    }
    assert.is_true(client:info().rto >= 0.001)
  end)
end)

describe("both windows closed", function()
  it("start no storm of ACKs", function()
    local small = { receive_buffer = 2000, send_buffer = 20000 }
    local net, client, server = lab.connected { client = small, server = small }
    net:spawn(function() client:write(wire.pattern(10000)) end)
    net:spawn(function() server:write(wire.pattern(10000)) end)
    net:run()
    net:run { until_ = 10 }
    local before = net.wire:counters(net.client).packets + net.wire:counters(net.server).packets
    net:run { until_ = 3610 }
    local count = net.wire:counters(net.client).packets + net.wire:counters(net.server).packets - before
    -- Two persist timers at no less than 1 s, soon at 60 s: a probe and its answer each.
    assert.is_true(count < 2 * 2 * 70, count)
    assert.equal("ESTABLISHED", client:state())
    assert.equal(wire.pattern(10000), client:read_exactly(10000))
    assert.equal(wire.pattern(10000), server:read_exactly(10000))
  end)

  it("of a script and the engine answer each probe once", function()
    local net, conn, peer = wire.passive { window = 0, host = { receive_buffer = 1000 } }
    conn:write "waiting"
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 0, payload = ("x"):rep(1000) }
    net:run { until_ = 0.5 }
    wire.drain(peer)
    for _ = 1, 10 do
      peer:send { flags = "A", seq = 2001, ack = 5001, window = 0, payload = "?" }
      net:run { until_ = net:now() + 0.03 }
      local answers = 0
      for _, packet in ipairs(wire.drain(peer)) do
        if packet.seq == 5001 and packet.length == 0 then answers = answers + 1 end
      end
      assert.equal(1, answers)
    end
  end)
end)

describe("a connection in its own callback", function()
  local kinds <const> = { "connected", "readable", "writable", "peer_closed", "closed", "sent", "state" }
  local acts <const> = {
    close = function(conn) conn:close() end,
    abort = function(conn) conn:abort() end,
    ["shutdown and abort"] = function(conn) conn:shutdown() conn:abort() end,
    ["close and collect"] = function(conn) conn:close() collectgarbage() end,
  }

  for _, name in ipairs { "close", "abort", "shutdown and abort", "close and collect" } do
    for _, kind in ipairs(kinds) do
      it(("may %s when %s"):format(name, kind), function()
        local net = lab.pair { client = { send_buffer = 3000, r2_time = 50 } }
        local client = net.client:connect_start(net.server, 80)
        local fired = 0
        client:on(kind, function(first)
          fired = fired + 1
          if fired > 1 then return end
          acts[name](first == client and first or client)
        end)
        net:spawn(function()
          local server <close> = net.listener:accept()
          server:write(wire.pattern(2000))
          server:shutdown()
          repeat until not server:read()
        end)
        net:spawn(function()
          if client:wait_connected() then
            client:write(wire.pattern(5000))
            client:shutdown()
          end
        end)
        net:run { until_idle = true }
        assert.is_true(fired >= 1)
        assert.equal("CLOSED", client:state())
        assert.is_nil(net.core:check())
      end)
    end
  end
end)

describe("ECN in the SYN of a peer", function()
  it("RFC3168:6.1.1 is answered by a SYN-ACK, not by a reset", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    peer:send { flags = "SEW", seq = 1000, destination_port = 80 }
    local answer = peer:expect { seq = 5000, ack = 1001 }
    assert.is_true(answer.flags.syn and answer.flags.ack)
    assert.is_false(answer.flags.rst)
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    assert.equal("ESTABLISHED", listener:accept():state())
  end)

  it("and any reserved bit are no reason to reset", function()
    for _, flags in ipairs { "SE", "SW", "SEWN", "SN" } do
      for _, reserved in ipairs { 0, 7 } do
        local _, host, peer = lab.forge()
        host:listen(80)
        peer:send { flags = flags, seq = 1000, destination_port = 80, reserved = reserved }
        local answer = peer:expect { ack = 1001 }
        assert.is_true(answer.flags.syn)
      end
    end
  end)

  it("a connection takes segments with CE, CWR and ECE for what else they are", function()
    local _, conn, peer = wire.passive()
    peer:send { flags = "PAW", seq = 1001, ack = 5001, payload = "one ", ecn = 3 }
    peer:send { flags = "PAE", seq = 1005, ack = 5001, payload = "two", ecn = 1 }
    assert.equal("one two", conn:read_exactly(7))
  end)
end)

describe("reordering without loss", function()
  it("costs no retransmission while a packet is passed by fewer than DupThresh", function()
    for _, sack in ipairs { true, false } do
      -- 1,500 octets take 1.2 ms: a delay of 3 ms is passed by two packets.
      local net, client, server = lab.connected {
        client = { sack = sack }, link = { delay = 0.01, rate = 10e6 },
      }
      net.wire:delay { data = true, every = 10, by = 0.003 }
      transfer(net, client, server, 1000000)
      assert.equal(0, client:info().segments_retransmitted)
      assert.equal(0, client:info().fast_recoveries)
      assert.is_true(server:info().out_of_order_segments > 50)
    end
  end)

  it("of ACKs costs nothing either", function()
    local net, client, server = lab.connected { link = { delay = 0.01, rate = 10e6 } }
    net.wire:delay { from = net.server, every = 5, by = 0.004 }
    transfer(net, client, server, 1000000)
    assert.equal(0, client:info().segments_retransmitted)
  end)
end)

describe("a larger buffer", function()
  local sizes <const> = { 4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576, 4194304 }

  local function times(which, link)
    local list = {}
    for i, size in ipairs(sizes) do
      local net, client, server = lab.connected {
        client = { send_buffer = which ~= "receive" and size or 4194304 },
        server = { receive_buffer = which ~= "send" and size or 4194304 }, link = link,
      }
      list[i] = transfer(net, client, server, 2000000)
    end
    return list
  end

  for _, which in ipairs { "send", "receive", "send and receive" } do
    it(("to %s never lowers throughput"):format(which), function()
      local list = times(which == "send and receive" and "both" or which, { delay = 0.01, rate = 50e6 })
      for i = 2, #list do
        assert.is_true(list[i] <= list[i - 1] * 1.01,
          ("%d octets: %.4f s, %d octets: %.4f s"):format(sizes[i - 1], list[i - 1], sizes[i], list[i]))
      end
      -- 2 MB at 50 Mbit/s take 0.32 s: the largest buffers come near to it, slow start included.
      assert.is_true(list[#list] < 0.6, list[#list])
    end)
  end

  it("than the path holds does not halve throughput over a short queue", function()
    local list = times("both", { delay = 0.01, rate = 50e6, queue = 100 })
    for i = 5, #list do assert.is_true(list[i] <= list[4] * 1.3, ("%d: %.4f s"):format(sizes[i], list[i])) end
  end)
end)

describe("a window update", function()
  it("is not swallowed by a delayed ACK: a reader that makes room is heard at once", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 2000 } }
    -- The second of two small segments fills the buffer; its ACK may be delayed.
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = ("x"):rep(1000) }
    peer:send { flags = "PA", seq = 2001, ack = 5001, payload = ("x"):rep(1000) }
    net:run { until_ = net:now() + 0.011 }
    assert.equal(2000, #conn:read_exactly(2000))
    local read_at = net:now()
    local window = 0
    while window < 2000 do
      local packet = peer:receive()
      window = packet.window
      assert.is_true(packet.time - read_at < 0.05, packet.time - read_at)
    end
  end)

  it("does not make a sender wait for the delayed ACK when the reader is quick", function()
    -- A buffer of two segments: every window is closed and opened again.
    local net, client, server = lab.connected {
      server = { receive_buffer = 2 * 1448, window_scale = 0 }, link = { delay = 0.01 },
    }
    local time = transfer(net, client, server, 200000)
    -- 70 windows at 20 ms each; the delay of 200 ms would make 14 s of it.
    assert.is_true(time < 3, time)
  end)
end)

describe("a backlog", function()
  it("of five takes thirty clients that come at once: those it has no room for come again", function()
    local net = lab.pair { listen = false }
    local listener = net.server:listen(80, { backlog = 5 })
    local served = 0
    net:spawn(function()
      for _ = 1, 30 do
        local conn <close> = assert(listener:accept())
        assert.equal("hello", conn:read_exactly(5))
        served = served + 1
      end
    end)
    for _ = 1, 30 do
      net:spawn(function()
        local conn <close> = assert(net.client:connect(net.server, 80))
        conn:write "hello"
        conn:read(1)
      end)
    end
    net:run()
    assert.equal(30, served)
  end)
end)

describe("a forgotten connection", function()
  it("is collected, and the peer learns of it", function()
    local net, client, server = lab.connected()
    assert.equal("ESTABLISHED", client:state())
    client = nil -- luacheck: ignore 311
    assert.equal(1, net:collect())
    assert.equal("ECONNRESET", select(3, server:read(1)))
    assert.equal(0, net.client:counters().connections)
  end)

  it("is not collected by the collector's own timing: the trace of two runs is the same", function()
    local function run(collecting)
      local net, client, server = lab.connected { client = { isn = 1 }, server = { isn = 1 } }
      for i = 1, 20 do
        local extra = assert(net.client:connect(net.server, 80))
        net.listener:accept():write(("x"):rep(i))
        assert.equal("ESTABLISHED", extra:state())
        if collecting then collectgarbage() end
        client:write "y"
        server:read(1)
      end
      return table.concat(net.trace:segments "time flags seq ack len win", "\n")
    end
    assert.equal(run(false), run(true))
  end)
end)

describe("a segment that other stacks mistake", function()
  local function settle(net) net:run { until_ = net:now() + 0.1 } end

  it("a RST without ACK is honoured in SYN-RECEIVED, of a passive and of an active open", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    assert(host:listen(80))
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", seq = 5000, ack = 1001 }
    peer:send { flags = "R", seq = 1001 }
    settle(net)
    assert.equal(0, host:counters().connections)
    peer:expect_nothing(10)

    net, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S", seq = 5000 }
    peer:send { flags = "S", seq = 1000 }
    peer:expect { flags = "SA", seq = 5000, ack = 1001 }
    peer:send { flags = "R", seq = 1001 }
    settle(net)
    assert.equal("CLOSED", conn:state())
    assert.equal("ECONNREFUSED", select(2, conn:error()))
  end)

  it("a SYN,ACK in the window gives a challenge ACK in ESTABLISHED, and changes nothing", function()
    local net, conn, peer = wire.passive()
    for _, seq in ipairs { 1001, 1002, 2000, 1000 } do
      peer:send { flags = "SA", seq = seq, ack = 5001, payload = "x" }
      peer:expect { flags = "A", seq = 5001, ack = 1001, length = 0 }
    end
    settle(net)
    assert.equal("ESTABLISHED", conn:state())
    assert.equal(4, conn:info().challenge_acks)
    assert.equal(1001, conn:info().rcv_nxt)
  end)

  it("a FIN with data waits, data and all, for what comes before it", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "FPA", seq = 1006, ack = 5001, payload = "world" }
    peer:expect { flags = "A", ack = 1001 }
    settle(net)
    assert.equal("ESTABLISHED", conn:state())
    assert.equal("EAGAIN", select(3, conn:read(1, { timeout = 0 })))
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    peer:expect { flags = "A", ack = 1012 }
    assert.equal("helloworld", conn:read_exactly(10))
    assert.is_nil((conn:read(1)))
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("a FIN while closing does not lose what was not read yet", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "unread " }
    settle(net)
    conn:shutdown()
    wire.drain(peer, 0.1)
    peer:send { flags = "FPA", seq = 1008, ack = 5002, payload = "so far" }
    settle(net)
    assert.equal("TIME-WAIT", conn:state())
    assert.equal("unread so far", conn:read_exactly(13))
    assert.is_nil((conn:read(1)))
    assert.is_nil((conn:error()))
    -- The close of both directions, with data unread, says that it is lost (RFC9293:SHLD-3).
    net, conn, peer = wire.passive()
    peer:send { flags = "FPA", seq = 1001, ack = 5001, payload = "unread" }
    settle(net)
    wire.drain(peer)
    conn:close()
    assert.is_truthy(tostring(peer:receive().flags):find "R")
  end)

  it("a window that shrinks under data in flight neither ends nor overruns the connection", function()
    local net, conn, peer = wire.passive { window = 4000 }
    conn:write(wire.pattern(6000))
    assert.equal(4, #wire.drain(peer, 0.05)) -- all that the window takes
    peer:send { flags = "A", seq = 1001, ack = 6001, window = 500 } -- 2,500 octets are beyond it
    settle(net)
    for _, packet in ipairs(wire.drain(peer)) do assert.is_true(packet.seq + packet.length <= 9001) end
    net:run { until_ = net:now() + 100 }
    assert.equal("ESTABLISHED", conn:state())
    for _, packet in ipairs(wire.drain(peer)) do
      assert.is_true(packet.seq + packet.length <= 9001, packet.seq) -- again, but nothing new
    end
    peer:send { flags = "A", seq = 1001, ack = 9001, window = 4000 }
    local last
    for _, packet in ipairs(wire.drain(peer, 10)) do
      last = packet.seq + packet.length
      peer:send { flags = "A", seq = 1001, ack = last, window = 4000 }
    end
    assert.equal(11001, last)
  end)

  it("an old duplicate is refused once TIME-WAIT is over, and kept from the next connection", function()
    local net, conn, peer, listener = wire.passive { host = { msl = 1 } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "old" }
    settle(net)
    assert.equal("old", conn:read(3))
    conn:shutdown()
    wire.drain(peer, 0.1)
    peer:send { flags = "FA", seq = 1004, ack = 5002 }
    settle(net)
    assert.equal("TIME-WAIT", conn:state())
    net:run { until_ = net:now() + 3 }
    assert.equal("CLOSED", conn:state())
    wire.drain(peer)
    for _, flags in ipairs { "PA", "FA", "A" } do
      peer:send { flags = flags, seq = 1001, ack = 5001, payload = flags == "PA" and "old" or nil }
      peer:expect { flags = "R", seq = 5001 }
    end
    -- The same pair of sockets again.
    peer:send { flags = "S", seq = 200000 }
    local answer = peer:expect { flags = "SA", ack = 200001 }
    peer:send { flags = "A", seq = 200001, ack = answer.seq + 1 }
    local second = listener:accept()
    for _, flags in ipairs { "PA", "FPA" } do
      peer:send { flags = flags, seq = 1001, ack = 5001, payload = "old" }
      peer:expect { flags = "A", seq = answer.seq + 1, ack = 200001 }
    end
    peer:send { flags = "R", seq = 1001 }
    peer:expect_nothing(1)
    assert.equal("ESTABLISHED", second:state())
    peer:send { flags = "PA", seq = 200001, ack = answer.seq + 1, payload = "new" }
    assert.equal("new", second:read(100))
  end)
end)
