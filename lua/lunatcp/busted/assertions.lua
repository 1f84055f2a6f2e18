--- Assertions about connections, segments and streams, for luassert. `lunatcp.busted` registers them.
--
-- Each says on failure what came instead, field by field, and draws the ladder up to that moment. A
-- wrong use raises and names the argument. Any of them can be turned round: `assert.is_not.state(...)`.
-- @module lunatcp.busted.assertions

local check = require "lunatcp.check"
local connection = require "lunatcp.connection"
local core = require "lunatcp.core"
local expect = require "lunatcp.expect"
local link = require "lunatcp.link"
local peer = require "lunatcp.peer"
local report = require "lunatcp.busted.report"

local M = {}

local PATIENCE <const> = { virtual = 60, real = 5 } -- seconds of network time, when not told
local QUIET <const> = 1                             -- the same for `no_segment`
local POLLS <const> = 1000                          -- in a task: looks a predicate gets
local CONTEXT <const> = 16                          -- octets shown around the first difference

local session -- of `lunatcp.busted`: `network()`, and whether ladders are wanted just now

local MESSAGE <const> = "assertion.lunatcp"

local function is(class, value) return type(value) == "table" and getmetatable(value) == class end

local function check_connection(value, name)
  if not is(connection.Connection, value) then
    check.raise("%s: expected a connection, got %s", name, check.shown(value))
  end
  return value
end

-- Hands luassert the outcome. What is said is worked out only when the assertion fails by it.
-- @tparam table state luassert's
-- @tparam table arguments luassert's
-- @int own how many arguments are the assertion's own; a user's message may follow
-- @tparam boolean good
-- @tparam function describe gives a failure for `report.text`
local function answer(state, arguments, own, good, describe, ...)
  if (not good) == state.mod then
    if arguments[own + 1] ~= nil then state.failure_message = arguments[own + 1] end
    local failure = describe()
    if good then failure.what = "this was not to be: " .. failure.what end
    local text = report.text(failure, session.brief)
    for i = 2, arguments.n do arguments[i] = nil end
    arguments[1], arguments.n, arguments.nofmt = text, 1, { true }
  end
  local results = table.pack(...)
  return good, results.n > 0 and results or nil
end

-- ---- state ------------------------------------------------------------------------------------

-- assert.state(conn, "ESTABLISHED"): the connection is in that state now.
local function in_state(state, arguments)
  local conn = check_connection(arguments[1], "assert.state: connection")
  local wanted = check.one_of(arguments[2], core.STATES, "assert.state: state")
  local got = conn:state()
  return answer(state, arguments, 2, got == wanted, function()
    local remarks = { "passed through " .. table.concat(conn.net.trace:states(conn), ", ") }
    local message, code = conn:error()
    if message then remarks[#remarks + 1] = ("died of %s: %s"):format(code, message) end
    return {
      net = conn.net, what = ("%s is in the state %s"):format(conn, got), remarks = remarks,
      fields = { { name = "state", expected = wanted, got = got, good = got == wanted } },
    }
  end)
end

-- ---- segments ---------------------------------------------------------------------------------

-- A decoded packet of whatever can stand for one: itself, a view in a hook, a record of the trace, bytes.
local function packet_of(value, name)
  if value == nil then return nil end
  if type(value) == "string" then return (core.decode(value)) end
  if type(value) == "table" then
    local packet = type(value.segment) == "table" and value.segment or value
    if packet.source ~= nil or packet.flags ~= nil or next(packet) == nil then return packet end
  elseif type(value) == "userdata" then
    return value
  end
  check.raise("%s: expected a segment, got %s", name, check.shown(value))
end

-- assert.segment(segment, { flags = "SA", ack = 1001 }): these fields; the others may be what they like.
local function has_fields(state, arguments)
  local wanted = check.type(arguments[2], "table", "assert.segment: fields")
  expect.check(wanted, expect.FIELDS, "assert.segment: fields")
  local packet = packet_of(arguments[1], "assert.segment: segment")
  local fields, good = expect.compare(wanted, packet or {})
  good = good and packet ~= nil
  return answer(state, arguments, 2, good, function()
    local what = good and "the segment has these fields" or packet and "the segment has other fields"
      or "there is no segment"
    return { net = session.network(), what = what, fields = fields }
  end)
end

-- ---- streams ----------------------------------------------------------------------------------

local function patience(net, options)
  if options.within ~= nil then return options.within end
  return PATIENCE[net.clock]
end

-- Reads as many octets as are expected. Gives them, and why there are no more.
local function gather(conn, wanted, options)
  local parts, have = {}, 0
  local deadline = conn.net.world:now() + patience(conn.net, options)
  local room = options.whole and 1 or 0
  while have < wanted + room do
    local bytes, message, code = conn:read(wanted + room - have, { deadline = deadline })
    if not bytes then
      if not code then return table.concat(parts), "the stream ended there", true end
      if code == "EAGAIN" then message = ("nothing more came until %.6f s"):format(deadline) end
      return table.concat(parts), code == "EAGAIN" and message or ("%s: %s"):format(code, message)
    end
    parts[#parts + 1] = bytes
    have = have + #bytes
  end
  return table.concat(parts), have > wanted and "more came than was expected" or nil
end

local function first_difference(a, b)
  for i = 1, math.max(#a, #b) do
    if a:byte(i) ~= b:byte(i) then return i end
  end
end

local function excerpt(bytes, at)
  if at > #bytes then return "the end" end
  return ("%q"):format(bytes:sub(at, at + CONTEXT - 1)):gsub("\\\n", "\\n")
    .. (at + CONTEXT - 1 < #bytes and "..." or "")
end

-- assert.stream(conn or string, "hello", { within =, whole = true }): those octets, in that order.
local function same_stream(state, arguments)
  local source, wanted = arguments[1], check.type(arguments[2], "string", "assert.stream: octets")
  local options, own = {}, 2
  if type(arguments[3]) == "table" then
    options = check.options(arguments[3], { "within", "whole" }, "assert.stream: options")
    if options.within ~= nil then check.seconds(options.within, "assert.stream: within") end
    check.optional(options.whole, "boolean", "assert.stream: whole")
    own = 3
  end
  local got, why, ended = source, nil, true
  if type(source) ~= "string" then
    if not is(connection.Connection, source) then
      check.raise("assert.stream: stream: expected a connection or a string, got %s", check.shown(source))
    end
    got, why, ended = gather(source, #wanted, options)
  end
  local good = got == wanted and (ended or not options.whole)
  return answer(state, arguments, own, good, function()
    local at = first_difference(wanted, got)
    local fields = { { name = "octets", expected = #wanted, got = #got, good = #wanted == #got } }
    if at then
      fields[2] = {
        name = ("from octet %d"):format(at), expected = excerpt(wanted, at), got = excerpt(got, at),
        good = false,
      }
    end
    if options.whole then
      fields[#fields + 1] = {
        name = "end", expected = "the end of the stream", got = why or "nothing", good = ended or false,
      }
    end
    local from = type(source) == "string" and "the string" or tostring(source)
    return {
      net = type(source) == "string" and session.network() or source.net, fields = fields,
      what = good and from .. " gave these octets" or from .. " gave other octets than expected",
      remarks = { why },
    }
  end)
end

-- ---- what time brings -------------------------------------------------------------------------

-- Lets the network go on until `done()` or for so many seconds; in a task others run meanwhile.
local function go_on(net, done, seconds, what)
  local scheduler, deadline = net.scheduler, net.world:now() + seconds
  if not scheduler:caller(what) then
    net:route()
    scheduler:run_until(done, { limit = deadline })
    return
  end
  while not done() do
    local left = deadline - net.world:now()
    if left <= 0 then return end
    net:sleep(math.min(math.max(seconds / POLLS, 1e-9), left))
  end
end

local function is_failure(problem)
  local meta = debug.getmetatable(problem)
  return type(meta) == "table" and meta.__type == "failure"
end

local function place_of(f)
  local info = type(f) == "function" and debug.getinfo(f, "S")
  return info and (" at %s:%d"):format(info.short_src, info.linedefined) or ""
end

-- One look: true and the predicate's value, or false and why not. An error is none of ours.
local function look(predicate)
  local brief = session.brief
  session.brief = true -- no ladder each time
  local ok, value = pcall(predicate)
  session.brief = brief
  if ok then return value and true or false, value end
  if is_failure(value) then return false, nil, tostring(value) end
  return true, nil, nil, { value = value }
end

-- assert.eventually(function, { within = 2 }): it comes true, asked after whatever happens. A failed
-- assertion in it counts as not yet.
local function eventually(state, arguments)
  local predicate = check.callable(arguments[1], "assert.eventually: function")
  local options, own = {}, 1
  if type(arguments[2]) == "table" then
    options, own = check.options(arguments[2], { "within" }, "assert.eventually: options"), 2
    if options.within ~= nil then check.seconds(options.within, "assert.eventually: within") end
  end
  local net = session.network()
  local seconds = patience(net, options)
  local good, value, why, raised
  go_on(net, function()
    good, value, why, raised = look(predicate)
    return good
  end, seconds, "assert.eventually")
  if raised then error(raised.value, 0) end
  return answer(state, arguments, own, good, function()
    local has = good and "came true" or "has not come true"
    return {
      net = net, what = ("the function%s %s within %g s"):format(place_of(predicate), has, seconds),
      fields = { { name = "value", expected = "a true one", got = tostring(value), good = good } },
      remarks = { why and (why:gsub("\n", "\n    ")) },
    }
  end, value)
end

-- ---- nothing comes ----------------------------------------------------------------------------

local function matches(packet, wanted)
  return select(2, expect.compare(wanted, packet))
end

-- Which segment reached a peer, or nil. What the script has not received stays to be received.
local function reached(node, wanted, seconds)
  local seen, found = 0, nil
  go_on(node.net, function()
    while not found and seen < #node.inbox do
      seen = seen + 1
      local packet = core.decode(node.inbox[seen].bytes)
      if matches(packet, wanted) then found = packet end
    end
    return found
  end, seconds, "assert.no_segment")
  return found
end

-- Which segment entered a link, or nil. Rules that answer before ours hide a segment from it, so that
-- the trace is looked through as well.
local function entered(path, wanted, seconds, from)
  local net, found = path.net, nil
  local since = net.trace:mark() + 1
  local rule <close> = path:rule(function(segment) -- luacheck: ignore 211
    if not found and matches(segment, wanted) then found = segment:copy() end
  end, { from = from })
  go_on(net, function() return found end, seconds, "assert.no_segment")
  local direction = from and (from == path.a and 1 or 2)
  for record in net.core:trace_packets(since) do
    if found then break end
    if record.kind == "sent" and record.link == path.core:id()
      and (not direction or record.direction == direction) and matches(record.segment, wanted) then
      found = record.segment
    end
  end
  return found
end

local NOTHING_KEYS <const> = table.move(expect.FIELDS, 1, #expect.FIELDS, 3, { "within", "from" })
local SHOWN <const> = { "source", "destination", "flags", "seq", "ack", "length" }

local function shown_fields(packet)
  local fields = {}
  for _, name in ipairs(SHOWN) do
    local value = packet and packet[name]
    if value ~= nil or not packet then
      fields[#fields + 1] = {
        name = name, expected = "nothing", got = packet and tostring(value) or "nothing", good = not packet,
      }
    end
  end
  return fields
end

-- assert.no_segment(peer or link, { within = 1 }): none comes; with fields (flags = "R"), none such.
local function no_segment(state, arguments)
  local where = arguments[1]
  local on_link = is(link.Link, where)
  if not on_link and not is(peer.Peer, where) then
    check.raise("assert.no_segment: where: expected a peer or a link, got %s", check.shown(where))
  end
  local own = type(arguments[2]) == "table" and 2 or 1
  local options = own == 2 and arguments[2] or {}
  expect.check(options, NOTHING_KEYS, "assert.no_segment: options")
  local seconds = QUIET
  if options.within ~= nil then seconds = check.seconds(options.within, "assert.no_segment: within") end
  if options.from ~= nil and not on_link then check.raise "assert.no_segment: from: only of a link" end
  if options.from ~= nil then link.direction_of(where, options.from, "assert.no_segment: from") end
  local found
  if on_link then
    found = entered(where, options, seconds, options.from)
  else
    found = reached(where, options, seconds)
  end
  return answer(state, arguments, own, not found, function()
    local what = found and ("a segment %s %s, where none was expected")
      :format(on_link and "entered" or "reached", where)
      or ("no segment %s %s within %g s"):format(on_link and "entered" or "reached", where, seconds)
    return { net = where.net, what = what, fields = shown_fields(found) }
  end)
end

-- ---- registration -----------------------------------------------------------------------------

-- luassert's own `assert.state` is a constructor without arguments: both live on under the one name.
local function make_room_for_state(luassert)
  local constructor = rawget(luassert, "lunatcp_constructor") or rawget(luassert, "state")
  if not constructor then return end
  rawset(luassert, "lunatcp_constructor", constructor)
  rawset(luassert, "state", function(...)
    if select("#", ...) == 0 then return constructor() end
    return constructor().state(...)
  end)
end

--- Registers the assertions.
-- @tparam table luassert
-- @tparam table of_session `network()`: the one of the test that runs
function M.register(luassert, of_session)
  session = of_session
  local say = require "say"
  local english = say.en
  if english then english[MESSAGE] = "%s" else say:set(MESSAGE, "%s") end
  for _, entry in ipairs {
    { "state", in_state }, { "segment", has_fields }, { "stream", same_stream },
    { "eventually", eventually }, { "no_segment", no_segment },
  } do
    luassert:register("assertion", entry[1], entry[2], MESSAGE, MESSAGE)
  end
  make_room_for_state(luassert)
end

return M
