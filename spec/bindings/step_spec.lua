-- Steps, hooks, views, rules, the trace.
local core = require "lunatcp.core"
local pair = require "support.core_pair"

local EVENT = core.EVENT

describe("step", function()
  it("answers idle, limit, alarm, events_limit", function()
    local net = core.network()
    assert.equal("idle", (net:step()))
    assert.equal(0.0, net:now())
    assert(net:alarm(2, 77))
    assert.equal("limit", (net:step(1.5)))
    assert.equal(1.5, net:now())
    assert.same({ "alarm", 77 }, { net:step() })
    assert.equal(2.0, net:now())
    assert(net:alarm_at_ns(3000000001, -1))
    assert.equal(3.000000001, net:next_deadline())
    net:cancel_alarm(-1)
    assert.is_nil(net:next_deadline())
    assert.same({ "idle" }, { net:step(4) })
    assert.equal(4.0, net:now())
  end)

  it("answers events with the host, and the same object for one handle", function()
    local p = pair.new()
    local conn = assert(p.client:connect { address = "10.0.0.2", port = 80 })
    local reason, host = p.net:step()
    assert.equal("events", reason)
    assert.equal(p.client, host)
    assert.equal(conn, (host:next_event()))
    assert.is_nil(host:next_event())
    assert.equal(conn, (p.net:step() and p.net:next_event()))
  end)

  it("tells why a connection died", function()
    local p = pair.new()
    local conn = assert(p.client:connect { address = "10.0.0.2", port = 9 })
    local seen
    pair.run(p, 1, function(object, bits, code, text)
      if object == conn and bits & EVENT.closed ~= 0 then seen = { code, text } end
    end)
    assert.same({ "ECONNREFUSED", "connection refused" }, seen)
    assert.same({ "connection refused", "ECONNREFUSED" }, { conn:error() })
    assert.equal("CLOSED", conn:state())
  end)

  it("answers peer with what arrived there", function()
    local net = core.network()
    local host, peer = net:host(), net:peer()
    local link = assert(net:link {
      { node = host, addresses = { "10.0.0.1/24" } }, { node = peer, addresses = { "10.0.0.2/24" } },
    })
    assert(peer:send(core.encode { source = "10.0.0.2", destination = "10.0.0.1", flags = "S", seq = 5,
      source_port = 4000, destination_port = 80 }, link))
    local reason, who = net:step()
    assert.same({ "peer", peer }, { reason, who })
    local answer = core.decode((peer:receive()))
    assert.same({ "RA", 6 }, { answer.flag_letters, answer.ack })
    assert.is_nil(peer:receive())
  end)
end)

describe("an ask rule", function()
  it("sees each segment of its direction and decides by its answer", function()
    local p = pair.new()
    local seen, verdicts = {}, { S = "drop", A = { delay = 0.25 } }
    p.link:rule { direction = 1, ask = function(s)
      seen[#seen + 1] = ("%.2f %s"):format(s.time, s.flags)
      local verdict = verdicts[tostring(s.flags)]
      verdicts[tostring(s.flags)] = nil
      return verdict
    end }
    pair.connect(p)
    pair.run(p, p.net:now() + 3)
    -- The SYN is lost, and comes again after the initial RTO of 1 s (RFC 6298 section 2).
    assert.same({ "0.00 S", "1.00 S", "1.02 A" }, seen)
    assert.equal(1, p.link:counters(1).dropped.rule)
    assert.equal(1, p.link:counters(1).delayed)
  end)

  it("that answers nil lets the next rule decide, and 'pass' does not", function()
    for answer, dropped in pairs { ["nil"] = 1, pass = 0 } do
      local p = pair.new()
      p.link:rule { ask = function() return answer ~= "nil" and answer or nil end }
      local id = assert(p.link:rule { flags = "S", without = "A", drop = true, times = 1 })
      p.client:connect { address = "10.0.0.2", port = 80 }
      pair.run(p, 0.5)
      assert.equal(dropped, p.link:counters(1).dropped.rule)
      assert.equal(dropped, (p.link:rule_counts(id)))
    end
  end)

  it("that is removed is not asked again, even by itself", function()
    local p, count, id = pair.new(), 0, nil
    id = p.link:rule { ask = function()
      count = count + 1
      assert(p.link:remove_rule(id))
    end }
    pair.connect(p)
    assert.equal(1, count)
    assert.is_false(p.link:remove_rule(id))
    assert.is_nil(p.link:rule_counts(id))
  end)

  it("that fails ends the step with its traceback, and the packet goes on", function()
    local p = pair.new()
    local id = p.link:rule { ask = function(segment) return segment.link.field end }
    p.server:listen { port = 80 }
    local conn = p.client:connect { address = "10.0.0.2", port = 80 }
    local good, problem = pcall(p.net.step, p.net, 5)
    assert.is_false(good)
    assert.matches("step_spec.lua:%d+: attempt to index a number value", problem)
    assert.matches("stack traceback:", problem, 1, true)
    p.link:remove_rule(id)
    pair.run(p, 0.5)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("hands on an error that is not text as it is", function()
    local p, thing = pair.new(), {}
    p.link:rule { ask = function() error(thing) end }
    p.client:connect { address = "10.0.0.2", port = 80 }
    local _, problem = pcall(p.net.step, p.net, 5)
    assert.equal(thing, problem)
  end)

  it("raises for an answer that is none", function()
    for _, answer in ipairs { "dorp", 5, true, { dealy = 1 }, { delay = -1 }, { duplicate = 1.5 } } do
      local p = pair.new()
      p.link:rule { ask = function() return answer end }
      p.client:connect { address = "10.0.0.2", port = 80 }
      assert.is_false((pcall(p.net.step, p.net, 5)))
    end
  end)

  it("may not step or close the network it is called by, nor yield", function()
    local p = pair.new()
    local problems = {}
    p.link:rule { nth = 1, ask = function()
      problems[1] = select(2, pcall(p.net.step, p.net))
      problems[2] = select(2, pcall(p.net.close, p.net))
      problems[3] = select(2, pcall(coroutine.yield))
    end }
    coroutine.wrap(function() pair.connect(p) end)()
    assert.matches("step called inside a hook", problems[1], 1, true)
    assert.matches("cannot be closed inside its own hook", problems[2], 1, true)
    assert.matches("yield", problems[3], 1, true)
    assert.is_false(p.net:closed())
  end)

  it("is called on the thread that steps, though a dead coroutine made it", function()
    local p = pair.new()
    local thread
    local maker = coroutine.create(function()
      p.link:rule { ask = function() thread = coroutine.running() end }
    end)
    assert(coroutine.resume(maker))
    maker = nil -- luacheck: ignore
    collectgarbage()
    local stepper = coroutine.create(function() pair.connect(p) end)
    assert(coroutine.resume(stepper))
    assert.equal(stepper, thread)
  end)

  it("may open, write and send from inside", function()
    local p = pair.new()
    local conn, other = pair.connect(p)
    p.link:rule { direction = 2, nth = 1, ask = function() conn:write "two" end }
    conn:write "one"
    pair.run(p, p.net:now() + 3)
    assert.equal("onetwo", other:read(10))
  end)
end)

describe("a segment view", function()
  local function view_of(p)
    local kept, copy
    p.link:rule { nth = 1, ask = function(segment)
      kept, copy = segment, segment:copy()
    end }
    pair.connect(p)
    return kept, copy
  end

  it("raises once its hook has returned, and its copy stays", function()
    local kept, copy = view_of(pair.new())
    for _, field in ipairs { "seq", "flags", "copy", "bytes", "time" } do
      assert.has_error(function() return kept[field] end,
        "segment view used after its hook returned (segment:copy() keeps it)")
    end
    assert.equal("segment (its hook has returned)", tostring(kept))
    assert.same({ "S", 0.0, true, 1, "10.0.0.2" },
      { copy.flag_letters, copy.time, copy.first, copy.direction, copy.destination })
  end)

  it("raises after its network was closed, and after its hook failed", function()
    local p = pair.new()
    local kept = view_of(p)
    p.net:close()
    assert.has_error(function() return kept.seq end)
    p = pair.new()
    p.link:rule { ask = function(segment) kept = segment; error "x" end }
    p.client:connect { address = "10.0.0.2", port = 80 }
    pcall(p.net.step, p.net)
    assert.has_error(function() return kept.seq end)
  end)

  it("has the fields of its own copy, and its bytes decode to them", function()
    local p = pair.new()
    local conn = pair.connect(p)
    local fields = {}
    p.link:rule { direction = 1, length_min = 1, ask = function(segment)
      local copy = segment:copy()
      for key, value in pairs(copy) do
        if not key:find "checksum_ok" then fields[key] = { value, segment[key] } end
      end
      fields.bytes = segment:bytes()
    end }
    conn:write(("payload"):rep(100))
    pair.run(p, p.net:now() + 3)
    local decoded = core.decode(fields.bytes)
    fields.bytes = nil
    for key, both in pairs(fields) do assert.same(both[1], both[2], key) end
    assert.equal(("payload"):rep(100), decoded.payload)
    assert.equal(decoded.seq, fields.seq[1])
  end)

  it("names a field that it has not", function()
    local p, problem = pair.new(), nil
    p.link:rule { nth = 1, ask = function(segment)
      problem = select(2, pcall(function() return segment.sequence end))
    end }
    pair.connect(p)
    assert.matches("a segment has no field 'sequence'", problem, 1, true)
  end)

  it("says of a retransmission that it is not the first", function()
    local p, seen = pair.new(), {}
    local conn = pair.connect(p)
    p.link:rule { direction = 1, length_min = 1, ask = function(segment)
      seen[#seen + 1] = { segment.first, segment.notes.retransmission or false }
      if #seen == 1 then return "drop" end
    end }
    conn:write "x"
    pair.run(p, p.net:now() + 3)
    assert.same({ { true, false }, { false, true } }, seen)
  end)
end)

describe("a data rule", function()
  it("drops, delays, duplicates and corrupts without Lua", function()
    local p = pair.new()
    local conn, other = pair.connect(p)
    assert(p.link:rule { direction = 1, length_min = 1, nth = 1, drop = true })
    assert(p.link:rule { direction = 1, length_min = 1, nth = 1, corrupt = true })
    assert(p.link:rule { direction = 1, length_min = 1, nth = 1, duplicate = 2, delay = 0.5 })
    conn:write "data"
    pair.run(p, p.net:now() + 30)
    assert.equal("data", other:read(10))
    local counters = p.link:counters(1)
    assert.same({ 1, 1, 2, 3 },
      { counters.dropped.rule, counters.corrupted, counters.duplicated, counters.delayed })
    assert.equal(1, p.server:counters().refused.LTCP_ERR_CHECKSUM)
  end)

  it("tells first segments from retransmissions, and those with data from those without", function()
    local p = pair.new()
    local ids = {}
    for i, rule in ipairs {
      { direction = 1, length_min = 1, first = true, drop = true },
      { direction = 1, length_min = 1, first = false },
      { direction = 1, length_max = 0, flags = { ack = true, fin = false } },
      { direction = 1, flags = "F" },
    } do
      ids[i] = assert(p.link:rule(rule))
    end
    local conn, other = pair.connect(p)
    conn:write "once"
    pair.run(p, p.net:now() + 3)
    conn:shutdown()
    pair.run(p, p.net:now() + 3)
    assert.equal("once", other:read(10))
    local counts = {}
    for i, id in ipairs(ids) do counts[i] = p.link:rule_counts(id) end
    assert.same({ 1, 1, 1, 1 }, counts)
  end)

  it("raises what is wrong with it", function()
    local p = pair.new()
    local function problem(rule)
      local good, text = pcall(p.link.rule, p.link, rule)
      assert.is_false(good)
      return text
    end
    assert.matches("unknown option 'dorp'; known: direction", problem { dorp = true }, 1, true)
    assert.matches("drop: a rule with 'ask' has no other action",
      problem { drop = true, ask = print }, 1, true)
    assert.matches("ask: function expected, got string", problem { ask = "x" }, 1, true)
    assert.matches("nth: integer between 1", problem { nth = 0 }, 1, true)
    assert.matches("flags: letters such as 'SA' expected, got Z", problem { flags = "Z" }, 1, true)
    assert.matches("chance: probability above 0", problem { chance = 0 }, 1, true)
  end)
end)

describe("the trace", function()
  it("gives states by name, and the hook what happens while it happens", function()
    local p, heard = pair.new(), {}
    p.net:on_trace(function(event)
      heard[#heard + 1] = ("%d %s %s"):format(event.host, event.from, event.to)
    end)
    pair.connect(p)
    local kept = {}
    for event in p.net:trace_events() do
      if event.kind == "state" then
        kept[#kept + 1] = ("%d %s %s"):format(event.host, event.from, event.to)
      end
    end
    assert.same({
      "1 LISTEN SYN-RECEIVED", "0 SYN-SENT ESTABLISHED", "1 SYN-RECEIVED ESTABLISHED",
    }, { heard[#heard - 2], heard[#heard - 1], heard[#heard] })
    assert.equal(heard[#heard], kept[#kept])
  end)

  it("lets the hook end the step, and reports its error", function()
    local p = pair.new()
    p.net:on_trace(function(event) return event.to == "ESTABLISHED" end)
    p.server:listen { port = 80 }
    p.client:connect { address = "10.0.0.2", port = 80 }
    assert.equal("trace", (pair.run(p, p.net:now() + 1)))
    p.net:on_trace(function() error "in the hook" end)
    local good, text = pcall(pair.run, p, 1)
    assert.is_false(good)
    assert.matches("in the hook\nstack traceback", text, 1, true)
    p.net:on_trace(nil)
    assert.equal("idle", (pair.run(p, p.net:now() + 5)))
  end)

  it("gives packets with their fate and headers", function()
    local p = pair.new()
    p.link:rule { flags = "S", without = "A", nth = 1, drop = true }
    pair.connect(p)
    pair.run(p, p.net:now() + 2)
    local seen = {}
    for record in p.net:trace_packets() do
      seen[#seen + 1] = table.concat({ record.kind, record.reason or "-", record.segment.flag_letters,
        record.direction, record.packet }, " ")
    end
    assert.same({ "sent - S 1 1", "dropped rule S 1 1", "sent - S 1 2", "delivered - S 1 2" },
      { table.unpack(seen, 1, 4) })
  end)

  it("goes on from a serial, and keeps the kinds that are asked for", function()
    local p = pair.new()
    p.net:set_trace_kinds { "state", "packets" }
    assert.same({ "state", "sent", "delivered", "dropped" }, p.net:trace_kinds())
    pair.connect(p)
    local last = p.net:trace_serial()
    p.net:clear_trace()
    assert.is_nil(p.net:trace_packets()())
    p.net:host()
    for event in p.net:trace_events(last + 1) do assert.is_true(event.serial > last) end
    assert.has_error(function() p.net:set_trace_kinds { "stat" } end)
  end)
end)
