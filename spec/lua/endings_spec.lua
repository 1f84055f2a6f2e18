-- Coroutines and endings: what blocks, what raises, when a run is over, and who closes what.
local lab = require "support.lab"
local tcp = require "lunatcp"

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

describe("blocking", function()
  it("yields in a task, so that others go on", function()
    local net = lab.pair()
    local order = {}
    net:spawn(function()
      local conn <close> = net.listener:accept()
      order[#order + 1] = "accepted"
      assert(conn:read(1))
    end)
    net:spawn(function()
      order[#order + 1] = "connecting"
      local conn <close> = assert(net.client:connect(net.server, 80))
      order[#order + 1] = "connected"
      conn:write "x"
    end)
    net:run()
    assert.same({ "connecting", "connected", "accepted" }, order)
  end)

  it("raises inside a coroutine of one's own in a task", function()
    local net = lab.pair()
    net:spawn(function()
      local reader = coroutine.wrap(function() return net.client:connect(net.server, 80) end)
      reader()
    end)
    assert.matches("connect: a blocking call inside a coroutine of one's own", message_of(net.run, net))
  end)

  it("runs the network when called outside of any task", function()
    local net = lab.pair()
    local conn = assert(net.client:connect(net.server, 80))
    assert.equal("ESTABLISHED", conn:state())
    local other = assert(net.listener:accept())
    conn:write "hello"
    assert.equal("hello", other:read(100))
  end)

  it("runs the network also from a coroutine that is no task", function()
    local net = lab.pair()
    local conn = coroutine.wrap(function() return assert(net.client:connect(net.server, 80)) end)()
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("does not block in connect_start", function()
    local net = lab.pair()
    local conn = assert(net.client:connect_start(net.server, 80))
    assert.equal("SYN-SENT", conn:state())
    assert.equal(0, net:now())
    assert(conn:wait_connected())
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("says who waits in what when a call outside of tasks can never end", function()
    local _, client, server = lab.connected()
    local message = message_of(client.read, client, 1)
    assert.equal("ESTABLISHED", server:state())
    assert.matches("deadlock at", message)
    assert.matches("outside any task, waits in read on connection client:%d+ > server:80, "
      .. "at .-endings_spec%.lua:%d+", message)
  end)
end)

describe("reading and writing", function()
  it("reads 1 to n octets, and nil alone at the end of the stream", function()
    local _, client, server = lab.connected()
    client:write "abcdef"
    client:shutdown()
    assert.equal("abcd", server:read(4))
    assert.equal("ef", server:read(4))
    assert.equal(1, select("#", nil))
    assert.same({ nil, n = 1 }, (function(...)
      local got = table.pack(...)
      while got.n > 1 and got[got.n] == nil do got.n = got.n - 1 end
      return got
    end)(server:read(4)))
    assert.is_nil(server:read(4))
  end)

  it("gives nil, message, CODE for an error", function()
    local _, client, server = lab.connected()
    server:abort()
    local bytes, message, code = client:read(1)
    assert.is_nil(bytes)
    assert.equal("connection reset by peer", message)
    assert.equal("ECONNRESET", code)
  end)

  it("raises an error from an iterator, as io.lines does", function()
    local _, client, server = lab.connected()
    server:write "one\ntwo\nthr"
    server:flush()
    local seen = {}
    local message = message_of(function()
      for line in client:lines() do
        seen[#seen + 1] = line
        if #seen == 2 then server:abort() end
      end
    end)
    assert.same({ "one", "two" }, seen)
    assert.matches("endings_spec%.lua:%d+: ECONNRESET: connection reset by peer", message)
  end)

  it("gives lines without their ends, and the rest at the end of the stream", function()
    local net, client, server = lab.connected()
    net:spawn(function()
      server:write "one\r\ntwo\n\nthree"
      server:close()
    end)
    local lines = {}
    for line in client:lines() do lines[#lines + 1] = line end
    assert.same({ "one", "two", "", "three" }, lines)
  end)

  it("loses nothing of a line by a deadline", function()
    local net, client, server = lab.connected()
    net:spawn(function()
      server:write "half a "
      net:sleep(2)
      server:write "line\n"
    end)
    assert.matches("EAGAIN: ", message_of(client:lines { timeout = 1 }))
    assert.equal("half a line", client:lines()())
  end)

  it("raises an error from chunks too", function()
    local _, client, server = lab.connected()
    server:abort()
    assert.matches("ECONNRESET: connection reset by peer", message_of(client:chunks()))
  end)

  it("gives chunks to the end of the stream", function()
    local net, client, server = lab.connected()
    local data = ("0123456789"):rep(5000)
    net:spawn(function()
      server:write(data)
      server:close()
    end)
    local parts = {}
    for chunk in client:chunks(777) do
      assert.is_true(#chunk >= 1 and #chunk <= 777)
      parts[#parts + 1] = chunk
    end
    assert.equal(data, table.concat(parts))
  end)

  it("reads exactly so many octets, or says how many came before the end", function()
    local net, client, server = lab.connected()
    net:spawn(function()
      server:write "12345678"
      server:close()
    end)
    assert.equal("12345", client:read_exactly(5))
    local bytes, message, code, partial = client:read_exactly(5)
    assert.is_nil(bytes)
    assert.equal("the stream ended after 3 of 5 octets", message)
    assert.equal("ENODATA", code)
    assert.equal("678", partial)
    assert.is_nil((client:read_exactly(5)))
    assert.is_nil(select(2, client:read_exactly(5)))
  end)

  it("gives the deadline of a call its own code, and time stands at the deadline", function()
    local net, client = lab.connected()
    local before = net:now()
    local bytes, message, code = client:read(1, { timeout = 2.5 })
    assert.is_nil(bytes)
    assert.matches("the deadline of this call came first: read", message)
    assert.equal("EAGAIN", code)
    assert.equal(before + 2.5, net:now())
    assert.equal("EAGAIN", select(3, client:read(1, { deadline = 10 })))
    assert.equal(10, net:now())
    assert.equal("EAGAIN", select(3, net.listener:accept { timeout = 1 }))
    assert.equal("EAGAIN", select(3, client:wait_state("CLOSE-WAIT", { timeout = 1 })))
    assert.equal(12, net:now())
    assert.equal("EAGAIN", select(3, client:read(1, { timeout = 0 })))
    assert.equal(12, net:now())
  end)

  it("says how much of a write was queued when its deadline came", function()
    local net = lab.pair {
      client = { send_buffer = 4096 }, server = { receive_buffer = 4096 },
    }
    local client = lab.handshake(net)
    local written, _, code, count = client:write(("x"):rep(100000), { timeout = 5 })
    assert.is_nil(written)
    assert.equal("EAGAIN", code)
    -- What the send buffer holds and what the peer's receive buffer took.
    assert.is_true(count >= 4096 and count <= 4096 + 4096, count)
  end)

  it("gives ETIMEDOUT for the death of the connection only", function()
    local net, client = lab.connected { client = { r2_time = 10 } }
    net.wire:down()
    client:write "into the void"
    local bytes, _, code = client:read(1)
    assert.is_nil(bytes)
    assert.equal("ETIMEDOUT", code)
    assert.equal("CLOSED", client:state())
  end)

  it("aborts a connect whose own deadline came first", function()
    local net = lab.pair()
    net.wire:down()
    local conn, _, code = net.client:connect(net.server, 80, { timeout = 3 })
    assert.is_nil(conn)
    assert.equal("EAGAIN", code)
    assert.equal(3, net:now())
    net:settle()
    local last = net.trace:events { kind = "state" }
    assert.same({ "SYN-SENT", "CLOSED" }, { last[#last].from, last[#last].to })
  end)

  it("refuses octets after a shutdown with EPIPE", function()
    local _, client = lab.connected()
    client:shutdown()
    local written, _, code, count = client:write "late"
    assert.is_nil(written)
    assert.equal("EPIPE", code)
    assert.equal(0, count)
  end)
end)

describe("a run", function()
  it("ends when the tasks have ended, before later timers", function()
    local net, client, server = lab.connected()
    net:spawn(function()
      client:close()
      server:close()
      client:wait_state "TIME-WAIT"
    end)
    net:run()
    assert.equal("TIME-WAIT", client:state())
    assert.is_true(net:now() < 1)
  end)

  it("lets what was said last leave", function()
    local net, client, server = lab.connected()
    local mark = net.trace:mark()
    net:spawn(function() client:write "last words" end)
    net:run()
    assert.equal(1, #net.trace:packets { kind = "sent", since = mark + 1 })
    assert.equal("ESTABLISHED", server:state())
  end)

  it("goes on to the last timer when told to", function()
    local net, client, server = lab.connected()
    client:close()
    server:close()
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.is_true(net:now() >= 240, net:now()) -- 2 MSL of RFC 9293: 2 x 120 s
  end)

  it("goes on to a time", function()
    local net = lab.pair()
    local count = 0
    net:spawn(function()
      while true do
        net:sleep(1)
        count = count + 1
      end
    end)
    net:run { until_ = 3.5 }
    assert.equal(3, count)
    assert.equal(3.5, net:now())
    net:run { until_ = 5.5 }
    assert.equal(5, count)
  end)

  it("goes on until a predicate is true, and says false when that can never be", function()
    local net, client = lab.connected()
    net:spawn(function()
      net:sleep(2)
      client:close()
    end)
    assert.is_true(net:run { until_ = function() return client:state() == "FIN-WAIT-2" end })
    assert.equal("FIN-WAIT-2", client:state())
    assert.is_false(lab.pair():run { until_ = function() return false end })
  end)

  it("can be done in steps", function()
    local net = lab.pair()
    local done = false
    net:spawn(function()
      net:sleep(1)
      done = true
    end)
    local steps = 0
    while not done do
      assert.is_true(net:step())
      steps = steps + 1
    end
    assert.is_true(steps < 10)
    assert.is_false(net:step())
  end)

  it("lists where each task waits when nothing can happen any more", function()
    local net = lab.pair()
    local accepted
    net:spawn("server", function() accepted = net.listener:accept() end)
    net:spawn(function()
      local conn <close> = assert(net.client:connect(net.server, 80))
      net:sleep(1)
      conn:read(1)
    end)
    local message = message_of(net.run, net)
    assert.not_matches("'server'", message) -- it was served
    assert.is_table(accepted)
    assert.matches("deadlock at 1%.0%d+ s", message)
    assert.matches("task 2 %(spawned at .-endings_spec%.lua:%d+%) waits in read on connection "
      .. "client:%d+ > server:80, at .-endings_spec%.lua:%d+, since 1%.0%d+ s", message)
  end)

  it("closes unfinished tasks in the order of their creation when one fails", function()
    local net = lab.pair()
    local closed = {}
    for i = 1, 3 do
      net:spawn(function()
        local guard <close> = setmetatable({}, { __close = function() closed[#closed + 1] = i end })
        net:sleep(i == 3 and 1 or 100)
        error(guard and "the third fails")
      end)
    end
    local message = message_of(net.run, net)
    assert.matches("endings_spec%.lua:%d+: the third fails\nstack traceback:\n", message)
    assert.same({ 3, 1, 2 }, closed)
  end)

  it("refuses to begin inside a task", function()
    local net = lab.pair()
    net:spawn(function() net:run() end)
    assert.matches("the network is running already", message_of(net.run, net))
  end)

  it("refuses what it does not know", function()
    local net = lab.pair()
    assert.matches("run: options: unknown key 'untill'; known are until_, until_idle",
      message_of(net.run, net, { untill = 1 }))
    assert.matches("run: until_: expected a function, got true", message_of(net.run, net, { until_ = true }))
    assert.matches("run: until_ and until_idle exclude each other",
      message_of(net.run, net, { until_ = 1, until_idle = true }))
  end)
end)

describe("hooks", function()
  it("are called although the coroutine that installed them is dead", function()
    local net, states
    coroutine.wrap(function()
      net = lab.pair()
      states = {}
      net:on("state", function(event) states[#states + 1] = event.node.name .. " " .. event.to end)
      net.wire:rule(function(segment) if segment.flags.rst then return "drop" end end)
    end)()
    collectgarbage()
    lab.handshake(net)
    assert.same({
      "client SYN-SENT", "server SYN-RECEIVED", "client ESTABLISHED", "server ESTABLISHED",
    }, states)
  end)

  it("stop the run by an error, with its traceback", function()
    local net = lab.pair()
    net:on("state", function() error "a hook fails" end)
    local message = message_of(net.client.connect, net.client, net.server, 80)
    assert.matches("endings_spec%.lua:%d+: a hook fails", message)
    assert.matches("stack traceback:", message)
  end)

  it("stop the run where they fail, not later", function()
    local net, client, server = lab.connected()
    local task_went_on = false
    net:on("state", function() error "here" end)
    net:spawn(function()
      net:sleep(0.5)
      task_went_on = true
    end)
    client:close()
    assert.matches("here", message_of(net.run, net))
    assert.is_false(task_went_on)
    assert.is_true(net:now() < 0.1, net:now())
    assert.equal("ESTABLISHED", server:state())
  end)

  it("cannot block", function()
    local net = lab.pair()
    net.wire:rule(function() net:sleep(1) end)
    assert.matches("sleep: a hook cannot block", message_of(net.client.connect, net.client, net.server, 80))
    net = lab.pair()
    net:on("state", function() net:sleep(1) end)
    assert.matches("sleep: a hook cannot block", message_of(net.client.connect, net.client, net.server, 80))
  end)

  it("are taken away by closing their handle", function()
    local net = lab.pair()
    local count = 0
    do
      local hook <close> = net:on("state", function() count = count + 1 end)
      assert.is_table(hook)
      assert(net.client:connect(net.server, 80))
    end
    local before = count
    assert.is_true(before >= 2)
    assert(net.client:connect(net.server, 80))
    assert.equal(before, count)
  end)

  it("may close and free the connection they are about", function()
    local net, client, server = lab.connected()
    client:on("readable", function(conn)
      conn:abort()
      conn:abort()
    end)
    server:write "x"
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.equal("ECONNRESET", select(3, server:read(1)))
  end)

  it("name the kinds they know", function()
    local net = lab.pair()
    assert.matches("on: unknown kind 'sate'; known are challenge, detail, fast_retransmit, .*state",
      message_of(net.on, net, "sate", print))
  end)

  it("get a segment as a view that is over with them", function()
    local net = lab.pair()
    local kept, copy
    net.wire:rule(function(segment)
      kept = kept or segment
      copy = copy or segment:copy()
    end)
    assert(net.client:connect(net.server, 80))
    assert.error_matches(function() return kept.seq end, "segment view used after its hook returned")
    assert.is_true(copy.flags.syn)
    assert.equal(80, copy.destination_port)
  end)

  it("know whether a segment's octets were sent before", function()
    local net = lab.pair()
    local seen = {}
    net.wire:rule(function(segment)
      if segment.length > 0 then
        seen[#seen + 1] = segment.first
        if #seen == 1 then return "drop" end
      end
    end)
    local client, server = lab.handshake(net)
    client:write "again"
    assert.equal("again", server:read(10))
    assert.same({ true, false }, seen)
  end)
end)

describe("forgotten connections", function()
  -- The server's end first: who takes only that forgets the client's.
  local function with_client()
    local net, client, server = lab.connected()
    return net, server, client
  end

  it("end when the script says so, and the peer learns of it", function()
    local net, server, client = with_client()
    assert.equal(0, net:collect())
    assert.equal("ESTABLISHED", client:state())
    client = nil -- luacheck: ignore 311
    assert.equal(1, net:collect())
    assert.equal("ECONNRESET", select(3, server:read(1)))
  end)

  it("do not end by the collector's own doing", function()
    local net, server = with_client()
    collectgarbage()
    collectgarbage()
    assert.equal("EAGAIN", select(3, server:read(1, { timeout = 10 })))
    assert.equal("ESTABLISHED", server:state())
    assert.equal(0, #net.trace:events { kind = "state", since = net.trace:mark() + 1 })
  end)

  it("end when nothing else can happen any more", function()
    local _, server = with_client()
    local bytes, _, code = server:read(1)
    assert.is_nil(bytes)
    assert.equal("ECONNRESET", code)
  end)

  it("are connections, not listeners: these serve until they are closed", function()
    local net = lab.pair { listen = false }
    net.server:listen(80)
    net:collect()
    assert(net.client:connect(net.server, 80))
  end)

  it("end in the order of their creation", function()
    local net = lab.pair()
    local ends = {}
    for i = 1, 5 do
      local _, server = lab.handshake(net)
      ends[i] = server
    end
    local mark = net.trace:mark()
    assert.equal(5, net:collect())
    net:run { until_idle = true }
    local ports = {}
    for _, packet in ipairs(net.trace:packets { kind = "sent", since = mark + 1 }) do
      if packet.segment.flags.rst then ports[#ports + 1] = packet.segment.source_port end
    end
    local expected = {}
    for i, server in ipairs(ends) do expected[i] = server.remote_port end
    assert.same(expected, ports)
  end)
end)

-- RFC 9293 section 3.10.4: after a CLOSE the TCP goes on by itself, and at the CLOSED state deletes the TCB.
describe("closed connections that nobody refers to", function()
  for _, how in ipairs { "close", "abort" } do
    it("are gone once they are CLOSED, whatever the collector did meanwhile, after " .. how, function()
      local net = lab.pair { listen = false }
      local listener = net.server:listen(80)
      net:spawn(function()
        for _ = 1, 10 do
          local conn = assert(listener:accept())
          conn:read(1)
          conn:close()
        end
      end)
      net:spawn(function()
        for _ = 1, 10 do
          local conn = assert(net.client:connect(net.server, 80))
          conn[how](conn)
          conn = nil -- luacheck: ignore 311
          collectgarbage()
          collectgarbage()
        end
      end)
      net:run { until_ = 1000 } -- longer than any TIME-WAIT
      assert.equal(0, net.client:counters().connections)
      assert.equal(0, net.server:counters().connections)
    end)
  end
end)

describe("scopes", function()
  it("close what they leave, and close may be called again", function()
    local net, client, server = lab.connected()
    do
      local conn <close> = client
      assert.equal("ESTABLISHED", conn:state())
    end
    client:close()
    net:settle()
    assert.equal("FIN-WAIT-1", client:state())
    assert.is_nil(server:read(1))
  end)

  it("abort when they are left by an error", function()
    local _, client, server = lab.connected()
    pcall(function()
      local conn <close> = client
      error(conn)
    end)
    assert.equal("CLOSED", client:state())
    assert.equal("ECONNRESET", select(3, server:read(1)))
  end)

  it("close a network with its tasks", function()
    local closed = {}
    do
      local net <close> = lab.pair()
      for i = 1, 2 do
        net:spawn(function()
          local guard <close> = setmetatable({}, { __close = function() closed[#closed + 1] = i end })
          net:sleep(guard and 100)
        end)
      end
      net:run { until_ = 1 }
    end
    assert.same({ 1, 2 }, closed)
  end)

  it("leave objects of a closed network that say so", function()
    local net, client = lab.connected()
    net:close()
    net:close()
    client:close()
    assert.matches("network is closed", message_of(client.state, client))
    assert.matches("the network is closed", message_of(net.run, net))
  end)
end)

describe("a seed", function()
  it("gives the same trace each time, and another seed another one", function()
    local function trace(seed)
      local net = lab.pair {
        seed = seed, link = { delay = 0.01, loss = 0.2, jitter = 0.01, duplicate = 0.1 },
      }
      local client, server = lab.handshake(net)
      net:spawn(function()
        client:write(("x"):rep(50000))
        client:close()
      end)
      for _ in server:chunks() do net:sleep(0) end
      return table.concat(net.trace:segments "time flags seq ack len win options fate", "\n")
    end
    assert.equal(trace(7), trace(7))
    assert.not_equal(trace(7), trace(8))
  end)

  it("is told", function()
    assert.equal(42, tcp.network { seed = 42 }.seed)
  end)
end)
