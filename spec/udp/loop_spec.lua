local core = require "lunatcp.core"
local luv = require "luv"
local ends = require "udp.ends"

describe("a loop #udp", function()
  it("counts time from its making, and never back", function()
    local loop <close> = assert(core.loop())
    local last = loop:now_ns()
    assert.is_true(last >= 0 and last < 1000000000)
    for _ = 1, 1000 do
      local now = loop:now_ns()
      assert.is_true(now >= last)
      last = now
    end
    assert.is_true(math.abs(loop:now() - last / 1e9) < 1)
  end)

  it("sleeps for a timeout of less than a millisecond, and no less", function()
    local loop <close> = assert(core.loop())
    for _, timeout in ipairs { 1000, 50000, 300000, 1500000 } do
      local start = loop:now_ns()
      assert.equal(0, loop:run_once_ns(timeout))
      assert.is_true(loop:now_ns() - start >= timeout)
    end
  end)

  it("does not sleep for a timeout of 0, nor without tunnels and timeout", function()
    local loop <close> = assert(core.loop())
    assert.equal(0, loop:run_once(0))
    assert.equal(0, loop:run_once())
  end)

  it("wakes when a network has something due", function()
    local one = ends.outside {}
    one.net:alarm(0.002, 7)
    local start = one.loop:now()
    local reason, id
    repeat
      one.loop:run_once(5)
      reason, id = one.net:step(one.loop:now())
    until reason == "alarm"
    assert.equal(7, id)
    assert.is_true(one.loop:now() - start < 4)
    one:close()
  end)

  it("steps a network in real time up to a limit", function()
    local one = ends.outside {}
    local limit = one.loop:now() + 0.003
    one.net:alarm_at(limit - 0.001, 1)
    one.net:alarm_at(limit + 5, 2)
    assert.same({ "alarm", 1 }, { one.loop:step(one.net, limit) })
    assert.is_true(one.loop:now() >= limit - 0.001)
    assert.equal("limit", (one.loop:step(one.net, limit)))
    assert.is_true(one.loop:now() >= limit)
    assert.equal("limit", (one.loop:step(one.net, limit)))
    assert.is_true(one.net:now() >= limit - 1e-9)
    one:close()
  end)

  it("says idle only when nothing could come", function()
    local loop <close> = assert(core.loop())
    local net <close> = core.network { start_ns = loop:now_ns() }
    assert.equal("idle", (loop:step(net)))
    local one = ends.outside {}
    assert.equal("limit", (one.loop:step(one.net, one.loop:now() + 0.001)))
    one:close()
  end)

  it("steps a network that has no tunnel by the clock", function()
    local loop <close> = assert(core.loop())
    local net <close> = core.network { start_ns = loop:now_ns() }
    local at = loop:now() + 0.002
    net:alarm_at(at, 3)
    assert.same({ "alarm", 3 }, { loop:step(net) })
    assert.is_true(loop:now() >= at)
  end)

  it("does not wake Lua for packets that only pass", function()
    local one = ends.pair { path = { delay = 0.0005 } }
    for i = 1, 50 do assert(one.peers[1]:send(ends.packet(4, 1, { seq = i }), one.link)) end
    -- 50 packets leave by a tunnel and come by another: the first reason is the peer's.
    local reason, peer = one.loop:step(one.net, one.loop:now() + 5)
    assert.equal("peer", reason)
    assert.equal(one.peers[2]:id(), peer:id())
    one:close()
  end)

  it("lets what the script did late happen late, not when the network was last stepped", function()
    local one = ends.pair {}
    one.loop:step(one.net, one.loop:now())
    one.loop:run_once(0.003) -- the script is busy
    local sent = one.loop:now()
    assert.is_true(one.net:now() < sent)
    assert(one.peers[1]:send(ends.packet(4, 1), one.link))
    assert.equal("peer", (one.loop:step(one.net)))
    for record in one.net:trace_packets() do assert.is_true(record.time >= sent) end
    one:close()
  end)

  it("passes over nothing that is due while it catches up", function()
    local one = ends.outside {}
    one.net:alarm_at(one.loop:now() + 0.001, 1)
    one.net:alarm_at(one.loop:now() + 0.002, 2)
    local late = one.loop:now() + 0.004
    repeat one.loop:run_once(0.001) until one.loop:now() > late
    for id = 1, 2 do
      assert.same({ "alarm", id }, { one.loop:step(one.net) })
      assert.is_true(one.net:now() < late)
    end
    one:close()
  end)

  it("is closed once, with its tunnels; everything else raises then", function()
    local one = ends.outside {}
    local loop, net = one.loop, one.net
    assert.matches("^lunatcp.Loop", tostring(loop))
    loop:close()
    loop:close()
    assert.equal("lunatcp.Loop (closed)", tostring(loop))
    for _, method in ipairs { "now", "now_ns", "fd", "timeout", "run_once", "udp" } do
      assert.error_matches(function() loop[method](loop, {}) end, "loop is closed")
    end
    assert.error_matches(function() loop:step(net) end, "loop is closed")
    assert.error_matches(function() one.tunnel:address() end, "tunnel is closed")
    net:close()
  end)

  it("refuses wrong arguments by raising", function()
    local loop <close> = assert(core.loop())
    for _, bad in ipairs { -1, 0 / 0, "x", {} } do
      assert.has_error(function() loop:run_once(bad) end)
      assert.has_error(function() loop:run_once_ns(bad) end)
    end
    assert.has_error(function() loop:step() end)
    assert.has_error(function() loop:step(loop) end)
    local net = core.network {}
    net:close()
    assert.error_matches(function() loop:step(net) end, "closed")
    assert.has_error(function() loop.now() end)
  end)
end)

describe("a foreign loop #udp", function()
  it("polls fd, sleeps for timeout, and calls run_once(0)", function()
    local one = ends.pair { path = { delay = 0.001 } }
    local poll, timer = luv.new_poll(one.loop:fd()), luv.new_timer()
    -- What a foreign loop does before each of its sleeps.
    local function turn()
      one.loop:run_once(0)
      local reason, peer
      repeat
        reason, peer = one.net:step(one.loop:now())
        if reason == "peer" then one.got[peer:id()] = peer:receive() end
      until reason ~= "peer"
      local timeout = one.loop:timeout()
      assert.is_true(timeout == nil or timeout >= 0)
      -- It repeats, since libuv runs a timer that is due before it sleeps.
      timer:start(math.ceil(math.min(timeout or 1, 1) * 1000), 10, function() end)
    end
    assert(one.peers[1]:send(ends.packet(4, 1, { payload = "by luv" }), one.link))
    turn()
    poll:start("r", function() end)
    local limit = one.loop:now() + 0.5 -- half of the longest sleep: nothing was forgotten
    while not one.got[one.peers[2]:id()] and one.loop:now() < limit do
      luv.run "once"
      turn()
    end
    poll:close()
    timer:close()
    luv.run "nowait"
    assert.is_true(one.loop:now() < limit)
    assert.equal("by luv", core.decode(one.got[one.peers[2]:id()]).payload)
    one:close()
  end)
end)
