-- Other people's loops, and the corners of one's own: two tunnels, coroutines, closing from a callback.
local luv = require "luv"
local runner = require "examples.runner"
local tcp = require "lunatcp"

-- A network, and a client and a server in it, joined by two tunnels.
local function joined(options)
  local net = assert(tcp.network { clock = "real", seed = 1, settings = options })
  local client, server = net:host "client", net:host "server"
  local there = assert(net:tunnel(server, { bind = "127.0.0.1:0", learn = true }))
  local here = assert(net:tunnel(client, { peer = ("%s:%d"):format(there:socket()) }))
  return net, client, server, net:remote { via = here }, here, there
end

-- Turns a foreign loop, luv's, until `done()`.
local function turn_foreign(net, done)
  local poll, timer = luv.new_poll(net:fd()), luv.new_timer()
  poll:start("r", function() end)
  local limit = net:now() + 10
  while not done() do
    assert(net:now() < limit, "nothing happened in 10 s")
    net:step()
    local timeout = math.min(net:timeout() or 1, 1)
    timer:start(math.ceil(timeout * 1000), 10, function() end)
    luv.run "once"
  end
  poll:close()
  timer:close()
  luv.run "nowait"
end

describe("somebody else's loop #udp", function()
  it("is shown by examples/with_luv.lua", function()
    local printed = runner.well "with_luv"
    assert.equal("ONE\nLOOP\nFOR BOTH\nluv's timer ticked meanwhile\n", printed)
  end)

  it("is bare poll in examples/poll.c, without Lua", function()
    local build = os.getenv "LUNATCP_BUILD" or "build"
    local pipe = io.popen(("timeout 30 '%s/examples/poll'"):format(build))
    local printed = pipe:read "a"
    assert.is_true(pipe:close())
    for _, line in ipairs { "server hears: hello, server", "client hears: hello, client", "client: TIME-WAIT",
                            "server: CLOSE-WAIT" } do
      assert(printed:find(line .. "\n", 1, true), printed)
    end
  end)

  it("carries two networks at once, each by its own descriptor", function()
    local nets, heard = {}, {}
    for i = 1, 2 do
      local net, client, server, far = joined()
      nets[i] = net
      net:spawn(function()
        local listener <close> = assert(server:listen(7))
        local conn <close> = assert(listener:accept())
        heard[i] = conn:read(100)
      end)
      net:spawn(function()
        local conn <close> = assert(client:connect(far, 7))
        conn:write("to " .. i)
      end)
    end
    local polls = {}
    for i, net in ipairs(nets) do
      polls[i] = luv.new_poll(net:fd())
      polls[i]:start("r", function() end)
    end
    local timer = luv.new_timer()
    local limit = os.time() + 10
    while not (heard[1] and heard[2]) do
      assert(os.time() < limit)
      local wait = 1
      for _, net in ipairs(nets) do
        net:step()
        wait = math.min(wait, net:timeout() or 1)
      end
      timer:start(math.ceil(wait * 1000), 10, function() end)
      luv.run "once"
    end
    for _, handle in ipairs { polls[1], polls[2], timer } do handle:close() end
    luv.run "nowait"
    assert.same({ "to 1", "to 2" }, heard)
    for _, net in ipairs(nets) do net:close() end
  end)

  it("may turn inside a coroutine, whose blocking calls raise there", function()
    local net, client, server, far = joined()
    local heard, problem
    net:spawn(function()
      local listener <close> = assert(server:listen(7))
      local conn <close> = assert(listener:accept())
      heard = conn:read(100)
    end)
    net:spawn(function()
      local conn <close> = assert(client:connect(far, 7))
      local inner = coroutine.wrap(function() return pcall(conn.read, conn, 1) end)
      local ok, message = inner()
      problem = not ok and tostring(message)
      conn:write "by hand"
    end)
    coroutine.wrap(function() turn_foreign(net, function() return heard end) end)()
    assert.equal("by hand", heard)
    assert.matches("coroutine", problem)
    net:close()
  end)

  it("calls back on the thread that turns it", function()
    local net, client, server, far, here = joined()
    local threads = {}
    here:rule(function() threads[coroutine.running()] = select(2, coroutine.running()) end)
    local heard
    net:spawn(function()
      local listener <close> = assert(server:listen(7))
      heard = assert(listener:accept()):read(1)
    end)
    net:spawn(function() assert(client:connect(far, 7)):write "x" end)
    turn_foreign(net, function() return heard end)
    local main = coroutine.running()
    for thread in pairs(threads) do assert.equal(main, thread) end
    assert.is_true(next(threads) ~= nil)
    net:close()
  end)

  it("lets a tunnel be closed from a rule, from a task, and by its network, under way", function()
    for _, who in ipairs { "rule", "task", "network" } do
      local net, client, server, far, here, there = joined { rto_min = 0.05, rto_initial = 0.05,
        r2_time = 0.3,
                                                             syn_r2_time = 0.3 }
      local count = 0
      here:rule(function()
        count = count + 1
        if who == "rule" and count == 5 then there.tunnel:close() end
      end)
      net:spawn(function()
        local listener <close> = assert(server:listen(7))
        local conn <close> = assert(listener:accept())
        while conn:read(65536) do
          if who == "task" then here.tunnel:close() end
        end
      end)
      local gone
      net:spawn(function()
        local conn = assert(client:connect(far, 7))
        for _ = 1, 50 do
          if not conn:write(("x"):rep(1000), { timeout = 0.2 }) then break end
        end
        gone = true
      end)
      turn_foreign(net, function() return who == "network" and count > 3 or gone end)
      net:close()
      assert.error_matches(function() here.tunnel:counters() end, "closed")
      assert.error_matches(function() there.tunnel:counters() end, "closed")
    end
  end)
end)
