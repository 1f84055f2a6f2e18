-- Congestion control in Lua: the same inputs as the core's own, nothing else than it, and errors that
-- are told.
local lab = require "support.lab"
local tcp = require "lunatcp"

-- A flow over a lossy bottleneck: the window every 10 ms, and the connection's last word.
local function windows(congestion, options)
  local net, client, server = lab.connected {
    client = { congestion = congestion, profile = options and options.profile, byte_counting = false },
    link = { delay = 0.020, rate = 10e6, queue = 50, loss = 0.01 },
  }
  net:spawn(function() for _ in server:chunks() do end end)
  net:spawn(function() while client:write(("x"):rep(65536)) do end end)
  local out = {}
  for i = 1, 800 do
    net:run { until_ = 1 + i / 100 }
    out[i] = client:info().cwnd
  end
  return out, client:info(), net
end

-- A short flow; `functions` are called on the way.
local function flow(functions, octets)
  tcp.congestion("spec-flow", functions)
  local net, client, server = lab.connected { client = { congestion = "spec-flow" } }
  net:spawn(function() for _ in server:chunks() do end end)
  net:spawn(function()
    client:write(("x"):rep(octets or 50000))
    client:shutdown()
  end)
  return net, client
end

describe("a congestion control in Lua", function()
  -- Names stay for the specs that come after: harmless.
  after_each(function()
    for _, name in ipairs(tcp.congestions()) do
      if name:find "^spec%-" then tcp.congestion(name, {}) end
    end
  end)

  it("has NewReno's window to the octet, when it is NewReno", function()
    local home = debug.getinfo(1, "S").source:match "^@(.*)spec/congestion/[^/]*$"
    local chunk = assert(io.open(home .. "examples/aimd.lua")):read "a"
    local definition = chunk:match "(local tcp.*)%-%- 20 s over"
    assert(load(definition, "=aimd.lua"))()
    for _, profile in ipairs { "rfc", "linux" } do
      local mine, end_of_mine = windows("aimd", { profile = profile })
      local theirs, end_of_theirs = windows("newreno", { profile = profile })
      assert.same(theirs, mine)
      assert.equal("aimd", end_of_mine.congestion)
      assert.equal(end_of_theirs.bytes_acked, end_of_mine.bytes_acked)
      assert.is_true(end_of_mine.fast_recoveries > 10)
    end
  end)

  it("does as NewReno does what it does not say", function()
    tcp.congestion "spec-silent" {}
    assert.same((windows "newreno"), (windows "spec-silent"))
  end)

  it("is given what the core's own are given", function()
    local seen = { rtts = 0, acked = 0 }
    local net, client = flow {
      init = function(cc, now)
        seen.initial, seen.mss, seen.began = cc.cwnd, cc.mss, now
        assert(cc.initial_window == cc.cwnd and cc.pacing_rate == 0)
        cc.mine = { "kept" }
      end,
      on_rtt = function(cc, rtt, now)
        seen.rtts = seen.rtts + 1
        seen.rtt, seen.rtt_at = rtt, now
        assert(cc.mine[1] == "kept")
      end,
      on_ack = function(cc, ack)
        seen.acked = seen.acked + ack.bytes_acked
        seen.delivered, seen.una, seen.nxt = ack.delivered, ack.una, ack.nxt
        seen.srtt, seen.min_rtt, seen.in_flight = ack.srtt, ack.min_rtt, ack.in_flight
        assert(ack.now == seen.rtt_at and ack.in_recovery == false and ack.ece == false)
        cc.cwnd = cc.cwnd + 10
      end,
    }
    net:run { until_idle = true }
    local info = client:info()
    assert.equal(1460 - 12, seen.mss)
    assert.equal(3 * seen.mss, seen.initial) -- RFC 5681's initial window
    assert.equal(0.020, seen.began)
    assert.near(0.020, seen.rtt, 1e-9)
    assert.near(0.020, seen.min_rtt, 1e-9)
    assert.is_true(seen.rtts >= 6) -- one a round trip at least
    assert.equal(50000, seen.acked)
    assert.equal(info.snd_una, seen.una)
    assert.equal(info.snd_nxt, seen.nxt)
    assert.equal(0, seen.in_flight)
    assert.equal(0, (info.cwnd - seen.initial) % 10)
  end)

  it("is told of losses, timeouts and idleness", function()
    local told = {}
    local function note(name)
      return function(_, ...) told[#told + 1] = { name, ... } end
    end
    local net = flow({
      on_loss = note "loss", on_recovered = note "recovered", on_timeout = note "timeout",
      on_idle = note "idle",
    }, 40000)
    net.wire:drop { from = net.client, nth = 8, length_min = 1 }
    net:run()
    assert.equal("loss", told[1][1])
    assert.is_true(told[1][2] > 3000 and told[1][2] % 1448 == 0) -- FlightSize
    assert.equal("recovered", told[2][1])

    told = {}
    local other, sender = flow({ on_timeout = note "timeout" }, 1000)
    other.wire:drop { from = other.client, length_min = 1, times = 2 }
    other:run()
    assert.equal(2, #told)
    assert.same({ "timeout", 1001, true }, { told[1][1], told[1][2], told[1][3] }) -- and the FIN
    assert.is_false(told[2][3]) -- the same data again
    assert.equal(1000, sender:info().bytes_sent)
  end)

  it("sets the window, the threshold and the rate of pacing", function()
    local net, client = flow({
      init = function(cc) cc.cwnd, cc.ssthresh, cc.pacing_rate = 20000, 1e6, 8e6 end,
      on_ack = function() end,
    }, 200000)
    net:run()
    local info = client:info()
    assert.same({ 20000, 1000000, 8e6 }, { info.cwnd, info.ssthresh, info.pacing_rate })
    assert.is_true(net:now() > 0.190) -- 200,000 octets at 8 Mbit/s; without pacing 13 round trips suffice
  end)

  it("ends the run with its traceback when it fails", function()
    local calls = 0
    local net = flow {
      on_ack = function(cc)
        calls = calls + 1
        if calls == 3 then cc.cwnd = cc.nothing + 1 end
      end,
    }
    local ok, message = pcall(net.run, net)
    assert.is_false(ok)
    assert.matches("lua_spec.lua:%d+: attempt to perform arithmetic on a nil value", message)
    assert.matches("field 'nothing'", message)
    assert.matches("stack traceback:.*in function <.*lua_spec.lua:%d+>", message)
    assert.equal(3, calls)
    assert.is_true(net:now() < 0.1) -- at once, not when the flow is over
  end)

  it("passes on an error that is no text", function()
    local thing = {}
    local net = flow { on_ack = function() error(thing) end }
    local ok, problem = pcall(net.run, net)
    assert.is_false(ok)
    assert.equal(thing, problem)
  end)

  it("cannot call into a network", function()
    local inner
    for name, call in pairs {
      info = function(_, client) client:info() end,
      write = function(_, client) client:write "more" end,
      close = function(_, client) client:close() end,
      abort = function(_, client) client:abort() end,
      set = function(_, client) client:set { nagle = false } end,
      run = function(net) net:run() end,
      step = function(net) net:step() end,
      shut = function(net) net.core:close() end,
      rule = function(net) net.wire:drop { nth = 1 } end,
      connect = function(net) net.client:connect_start(net.server, 80) end,
    } do
      local net, client
      net, client = flow { on_ack = function() inner(net, client) end }
      inner = call
      local ok, message = pcall(net.run, net)
      assert.is_false(ok, name)
      local clear = false
      for _, reason in ipairs {
        "a congestion control cannot call into a network", "the network is running", "inside its own hook",
      } do
        clear = clear or tostring(message):find(reason, 1, true) ~= nil
      end
      assert(clear, name .. ": " .. tostring(message))
    end
  end)

  it("cannot yield", function()
    local net = flow { on_ack = function() coroutine.yield() end }
    local ok, message = pcall(net.run, net)
    assert.is_false(ok)
    assert.matches("attempt to yield", message)
  end)

  it("raises where a connection is given one that fails to begin", function()
    tcp.congestion "spec-stillborn" { init = function() error "not today" end }
    local _, client = lab.connected()
    local ok, message = pcall(client.set, client, { congestion = "spec-stillborn" })
    assert.is_false(ok)
    assert.matches("not today", message)
  end)

  it("gives samples that are over with the call", function()
    local kept
    local net = flow { on_ack = function(_, ack) kept = kept or ack end }
    net:run()
    assert.has_error(function() return kept.bytes_acked end,
      "a sample is over when the function it was given to returns")
  end)

  it("knows no other fields of a sample", function()
    local net = flow { on_ack = function(_, ack) return ack.bytes end }
    local ok, message = pcall(net.run, net)
    assert.is_false(ok)
    assert.matches("a sample has no field 'bytes'", message)
  end)

  it("keeps windows in their bounds", function()
    for value, problem in pairs {
      [0] = "cwnd: a number from 1 to 2147483647", [-5] = "from 1", [3e9] = "2147483647",
      [0 / 1 == 0 and "many" or ""] = "got many",
    } do
      local net = flow { on_ack = function(cc) cc.cwnd = value end }
      local ok, message = pcall(net.run, net)
      assert.is_false(ok)
      assert(message:find(problem, 1, true), message)
    end
    local net = flow { on_ack = function(cc) cc.mss = 1 end }
    local ok, message = pcall(net.run, net)
    assert.is_false(ok)
    assert.matches("mss is the connection's to set", message)
    net = flow { on_ack = function(cc) cc.cwnd = 0 / 0 end }
    assert.is_false((pcall(net.run, net)))
  end)

  it("gives up its object with the connection", function()
    local object
    local net, client = flow { init = function(cc) object = cc end }
    assert.matches("^congestion control spec%-flow: cwnd %d+, ssthresh %d+$", tostring(object))
    client:set { congestion = "newreno" }
    assert.has_error(function() return object.cwnd end,
      "the connection has no use for this object any more")
    assert.equal("congestion control (over)", tostring(object))
    net:close()
  end)

  it("may be changed, and changed back, on the way", function()
    local net, client = flow({}, 300000)
    net:run { until_ = 0.1 }
    local before = client:info().cwnd
    client:set { congestion = "cubic" }
    assert.equal(before, client:info().cwnd)
    client:set { congestion = "spec-flow" }
    net:run()
    assert.equal("spec-flow", client:info().congestion)
  end)

  it("takes a name once more; what runs goes on", function()
    tcp.congestion "spec-twice" { init = function(cc) cc.cwnd = 5000 end, on_ack = function() end }
    local _, one = lab.connected { client = { congestion = "spec-twice" } }
    tcp.congestion "spec-twice" { init = function(cc) cc.cwnd = 6000 end, on_ack = function() end }
    local _, two = lab.connected { client = { congestion = "spec-twice" } }
    assert.same({ 5000, 6000 }, { one:info().cwnd, two:info().cwnd })
    local count = 0
    for _, name in ipairs(tcp.congestions()) do
      if name == "spec-twice" then count = count + 1 end
    end
    assert.equal(1, count)
  end)

  it("refuses what it cannot be", function()
    local function refused(pattern, ...)
      local ok, message = pcall(tcp.congestion, ...)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    refused("the core has one of that name", "cubic", {})
    refused("a name of 1 to 31 octets expected", "", {})
    refused("a name of 1 to 31 octets expected", ("x"):rep(32), {})
    refused("unknown .*on_acks", "spec-bad", { on_acks = print })
    refused("function expected, got number", "spec-bad", { on_ack = 1 })
    refused("'classic', 'dctcp' or 'l4s' expected", "spec-bad", { ecn = "loud" })
    refused("expected a string", 5, {})
    assert.has_error(function() tcp.congestion "spec-bad" (7) end)
    local ok, message = pcall(lab.pair, { client = { congestion = "spec-unheard" } })
    assert.is_false(ok)
    assert.matches("unknown congestion control 'spec%-unheard'; known: newreno, cubic, .*spec%-flow", message)
  end)

  it("outlives the module's being loaded again", function()
    tcp.congestion "spec-reloaded" { on_ack = function(cc, ack) cc.cwnd = cc.cwnd + ack.bytes_acked // 7 end }
    local before = windows "spec-reloaded"
    local loaded = package.loaded["lunatcp.core"]
    package.loaded["lunatcp.core"] = nil
    require "lunatcp.core"
    package.loaded["lunatcp.core"] = loaded
    collectgarbage()
    assert.same(before, (windows "spec-reloaded"))
  end)

  it("runs again the same", function()
    tcp.congestion "spec-again" { on_ack = function(cc, ack) cc.cwnd = cc.cwnd + ack.bytes_acked // 7 end }
    assert.same((windows "spec-again"), (windows "spec-again"))
  end)
end)
