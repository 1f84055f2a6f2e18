-- Arguments, option tables, numbers at the door.
local core = require "lunatcp.core"
local pair = require "support.core_pair"

local function message(f, ...)
  local good, problem = pcall(f, ...)
  assert.is_false(good)
  return problem
end

describe("an option table", function()
  it("names an unknown key and lists the known ones", function()
    local text = message(core.network, { sead = 3 })
    assert.matches("unknown option 'sead'", text, 1, true)
    assert.matches("known: seed, start, start_ns, trace_events, trace_packets", text, 1, true)
  end)

  it("names the same one of several unknown keys every time", function()
    for _ = 1, 20 do
      local options = {}
      for _, key in ipairs { "zeta", "beta", "gamma", "alpha" } do options[key] = 1 end
      assert.matches("'alpha'", message(core.network, options), 1, true)
    end
  end)

  it("names the key and the limits of a wrong value", function()
    assert.matches("seed: integer expected, got string", message(core.network, { seed = "x" }), 1, true)
    assert.matches("trace_events: integer between 0 and 16777216 expected, got -1",
      message(core.network, { trace_events = -1 }), 1, true)
  end)

  it("says what else there was than a table", function()
    assert.matches("bad argument #1 to 'network' %(table of options expected, got number",
      message(function() core.network(5) end))
  end)

  it("names the end, the path and the key of a link's trouble", function()
    local net = core.network()
    local a, b = net:host(), net:host()
    local text = message(net.link, net, { { node = a }, { node = b, path = { delay = "slow" } } })
    assert.matches("end 2.path.delay: number of seconds expected, got string", text, 1, true)
    text = message(net.link, net, { { node = a }, { node = b, path = { lose = 1 } } })
    assert.matches("unknown option 'lose' in end 2.path", text, 1, true)
    text = message(net.link, net, { { node = a, addresses = { "10.0.0.1/33" } }, { node = b } })
    assert.matches("end 1.addresses: '10.0.0.1/33' is not an address such as", text, 1, true)
    text = message(net.link, net, { { node = a }, { node = core.network():host() } })
    assert.matches("end 2.node: node of another network", text, 1, true)
  end)
end)

describe("seconds", function()
  local function deadline(after)
    local net = core.network()
    assert(net:alarm(after, 1))
    return net:next_deadline_ns()
  end

  it("become nanoseconds, rounded once, half away from zero", function()
    assert.equal(100000000, deadline(0.1))
    assert.equal(3000000000, deadline(3))
    assert.equal(2, deadline(1.5e-9))
    assert.equal(1, deadline(1.4e-9))
    assert.equal(1000000000000001, deadline(1000000 + 1e-9))
  end)

  it("are refused when they are NaN, infinite, negative or too many", function()
    local net = core.network()
    for _, wrong in ipairs { 0 / 0, math.huge, -math.huge, -1, 1e10, math.maxinteger, math.mininteger } do
      assert.matches("seconds out of range", message(net.alarm, net, wrong, 1), 1, true)
    end
    assert.matches("number expected, got string", message(net.alarm, net, "1", 1), 1, true)
  end)

  it("of a step may be a clock reading in nanoseconds", function()
    local net = core.network { start = 1 }
    assert.equal(1.0, net:now())
    assert.equal("idle", (net:step_ns(1000000007)))
    assert.equal(1000000007, net:now_ns())
  end)
end)

describe("probabilities", function()
  it("are 0 to 1", function()
    local p = pair.new()
    for _, wrong in ipairs { -0.1, 1.1, 0 / 0 } do
      assert.matches("loss: probability between 0 and 1 expected",
        message(p.link.configure, p.link, 1, { loss = wrong }), 1, true)
    end
    p.link:configure(1, { loss = 0.25 })
    assert.equal(0.25, p.link:configuration(1).loss)
  end)
end)

describe("a path's configuration", function()
  local p
  before_each(function() p = pair.new() end)

  it("changes what is named and keeps the rest", function()
    assert(p.link:configure(1, { rate = 1e6, queue = 10, loss = { list = { 2, 5 } } }))
    assert(p.link:configure(1, { delay = 0.5 }))
    local now = p.link:configuration(1)
    assert.same({ 0.5, 1000000, { kind = "drop_tail", packets = 10, bytes = 0 }, { list = { 2, 5 } } },
      { now.delay, now.rate, now.queue, now.loss })
    assert.equal(0.01, p.link:configuration(2).delay)
  end)

  it("comes back as it was put in", function()
    local models = {
      { model = "gilbert", to_bad = 0.25, to_good = 0.5, loss_good = 0.125, loss_bad = 1.0 },
      { pattern = "00101" }, { list = { 1, 2, 1000000 } },
    }
    for _, loss in ipairs(models) do
      assert(p.link:configure(2, { loss = loss, opportunities = { 0, 0, 7, 10 } }))
      assert.same(loss, p.link:configuration(2).loss)
      assert.same({ 0, 0, 7, 10 }, p.link:configuration(2).opportunities)
    end
    assert(p.link:configure(2, { loss = false, opportunities = false }))
    assert.equal(0, p.link:configuration(2).loss)
    assert.is_false(p.link:configuration(2).opportunities)
  end)

  it("is refused with the reason", function()
    local function refused(path) return message(p.link.configure, p.link, 1, path) end
    assert.matches("list: ascending integers expected", refused { loss = { list = { 3, 3 } } }, 1, true)
    assert.matches("pattern: a string of 0 and 1", refused { loss = { pattern = "01x" } }, 1, true)
    assert.matches("model: 'gilbert' expected", refused { loss = { model = "g" } }, 1, true)
    assert.matches("to_good: expected", refused { loss = { model = "gilbert", to_bad = 1 } }, 1, true)
    assert.matches("opportunities: milliseconds that end above 0", refused { opportunities = { 0 } }, 1, true)
    assert.matches("a direction is 1 or 2", message(p.link.configure, p.link, 0, {}), 1, true)
  end)
end)

describe("settings", function()
  it("of a profile are a table that makes the same settings", function()
    for _, name in ipairs { "rfc", "linux" } do
      local host = core.network():host { settings = core.profile(name) }
      assert.same(core.profile(name), host:settings())
    end
  end)

  it("are listed with their limits", function()
    local by_name = {}
    for _, setting in ipairs(core.settings_list()) do by_name[setting.name] = setting end
    assert.same({ "time", 1.0, 0.2, 0.001, 60.0 }, {
      by_name.rto_min.kind, by_name.rto_min.rfc, by_name.rto_min.linux, by_name.rto_min.least,
      by_name.rto_min.most,
    })
    assert.is_true(by_name.nagle.rfc)
    assert.equal(-1, by_name.time_wait.rfc)
  end)

  it("raise what is wrong with them, by name", function()
    local function wrong(settings) return message(core.check_settings, settings) end
    assert.matches("unknown option 'nagel'; known: .*nagle", wrong { nagel = true })
    assert.matches("nagle: boolean expected, got number", wrong { nagle = 1 }, 1, true)
    assert.matches("rto_min: seconds between 0.001 and 60", wrong { rto_min = 61 }, 1, true)
    assert.matches("ttl: integer between 1 and 255 expected, got 256", wrong { ttl = 256 }, 1, true)
    assert.matches("unknown congestion control 'reno2'; known: .*newreno", wrong { congestion = "reno2" })
    assert.matches("syn_options: unknown option 'mms'", wrong { syn_options = { "mms" } }, 1, true)
    assert.matches("time_wait: seconds between 0", wrong { time_wait = -2 }, 1, true)
  end)

  it("say -1 for what is worked out", function()
    local host = core.network():host { settings = { time_wait = 5 } }
    assert.equal(5.0, host:settings().time_wait)
    assert(host:set_settings { time_wait = -1 })
    assert.equal(-1, host:settings().time_wait)
  end)

  it("of a host are changed key by key", function()
    local host = core.network():host { profile = "linux", settings = { nagle = false } }
    assert(host:set_settings { ttl = 7 })
    local now = host:settings()
    assert.same({ false, 7, 0.2 }, { now.nagle, now.ttl, now.rto_min })
  end)
end)

describe("small functions", function()
  it("know addresses", function()
    assert.same({ "10.0.0.1", 4 }, { core.address "10.0.0.1" })
    assert.same({ "2001:db8::1", 6 }, { core.address "2001:DB8:0::1" })
    assert.is_nil(core.address "10.0.0.256")
  end)

  it("know statuses by name and by code", function()
    assert.equal("connection reset by peer", core.status("ECONNRESET").message)
    assert.equal("ECONNRESET", core.status("LTCP_ERR_RESET").code)
    assert.is_nil(core.status "nothing")
  end)

  it("compute SipHash-2-4 of its authors' example", function()
    local bytes = {}
    for i = 0, 14 do bytes[#bytes + 1] = string.char(i) end
    assert.equal(0xa129ca6149be45e5,
      core.siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, table.concat(bytes)))
  end)

  it("draw the same stream for the same seed and name", function()
    local net = core.network { seed = 9 }
    local a, b, c = net:random "x", core.random(9, "x"), net:random "y"
    local first = a:next()
    assert.equal(first, b:next())
    assert.not_equal(first, c:next())
    for _ = 1, 100 do
      local n, p = a:below(6), a:number()
      assert.is_true(n >= 0 and n < 6 and p >= 0 and p < 1)
    end
    assert.matches("a bound of 1 or more", message(a.below, a, 0), 1, true)
  end)
end)
