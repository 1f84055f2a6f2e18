-- Every public method with wrong arguments: it may refuse them, but in words of its own.
local check = require "lunatcp.check"
local core = require "lunatcp.core"
local lab = require "support.lab"
local tcp = require "lunatcp"

-- What is a mistake of the library's, and not of its caller's.
local INTERNAL <const> = {
  "attempt to", "table index is", "invalid order function", "no integer representation %(local",
  "lua/lunatcp/[%w_/]+%.lua:%d+: bad argument", "stack overflow",
}

local deep = {}
do
  local inner = deep
  for _ = 1, 150 do
    inner[1] = {}
    inner = inner[1]
  end
end
local circle = {}
circle[1], circle.options, circle.settings, circle.peer = circle, circle, circle, circle

local closed_file = io.tmpfile()
closed_file:close()

local function nasty(objects)
  local values = {
    false, true, -1, 0, 1, 0.5, 2 ^ 31, 2 ^ 53, 1e308, math.maxinteger, math.mininteger, 0 / 0, math.huge,
    -math.huge, "", "a\0b", ("x"):rep(70000), "10.0.1.1", "state", {}, { 1, 2, 3 }, { {}, {} }, deep, circle,
    print, coroutine.create(print), closed_file, { timeout = 0 / 0 }, { timeout = "soon" },
    { address = true, net = 1 },
  }
  for _, object in ipairs(objects) do values[#values + 1] = object end
  return values
end

local function methods(class)
  local names = {}
  for name, value in pairs(class) do
    if type(value) == "function" and not name:find "^__" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- What one part of the library calls in another, and what would write files.
local PRIVATE <const> = check.set_of {
  "arrived", "capture", "collect_forgotten", "core_step", "dispatch", "end_use", "link_added", "next_ticker",
  "on_event", "pass_time", "tick", "know", "watch", "remove", "close", "svg",
}

local function complain(class, name, arguments, problem)
  for _, pattern in ipairs(INTERNAL) do
    if tostring(problem):find(pattern) then
      local shown = {}
      for i = 2, arguments.n do shown[#shown + 1] = check.shown(arguments[i]) end
      local call = ("%s:%s(%s)"):format(class, name, table.concat(shown, ", "))
      error(("%s: %s"):format(call, tostring(problem):sub(1, 300)), 0)
    end
  end
end

-- Calls object:name with every wrong value at every place. `fresh` makes the object anew for each method.
local function abuse(class, fresh)
  for _, name in ipairs(methods(getmetatable((fresh())).__index)) do
    if not PRIVATE[name] then
      local object, net, others = fresh()
      for _, value in ipairs(nasty(others)) do
        for _, arguments in ipairs {
          table.pack(object, value), table.pack(object, nil, value), table.pack(object, "state", value),
          table.pack(object, "x", 80, value), table.pack(object, 1, value),
        } do
          local ok, problem = pcall(object[name], table.unpack(arguments, 1, arguments.n))
          if not ok then complain(class, name, arguments, problem) end
        end
      end
      if net then net:close() end
    end
  end
end

local function scene()
  local net = tcp.network { seed = 1, trace = { events = 64, packets = 64 } }
  local a, b, router, peer = net:host "a", net:host "b", net:router "r", net:peer "p"
  local link = net:link(a, b, { delay = 0.01 })
  net:link(b, router)
  net:link(peer, a)
  local listener = b:listen(80)
  local conn = a:connect(b, 80)
  local other = listener:accept()
  local stranger = tcp.network { seed = 2 }
  return {
    net = net, a = a, b = b, router = router, peer = peer, link = link, listener = listener, conn = conn,
    other = other, rule = link:drop { nth = 1 }, trace = net.trace, stranger = stranger:host "stranger",
  }
end

local function one(field)
  return function()
    local s = scene()
    return s[field], s.net, {
      s.a, s.router, s.peer, s.link, s.listener, s.conn, s.rule, s.stranger, s.a.core, s.conn.core,
    }
  end
end

describe("wrong arguments", function()
  for field, class in pairs {
    net = "network", a = "host", router = "router", peer = "peer", link = "link", listener = "listener",
    conn = "connection", trace = "trace", rule = "handle",
  } do
    it("are refused in plain words by a " .. class, function() abuse(class, one(field)) end)
  end

  it("are refused in plain words by the classes of the compiled module", function()
    for _, field in ipairs { "net", "a", "router", "peer", "link", "listener", "conn" } do
      abuse("core " .. field, function()
        local object, net, others = one(field)()
        return object.core, net, others
      end)
    end
  end)

  it("are refused in plain words by the functions of the modules", function()
    local s = scene()
    local values = nasty { s.net, s.a, s.conn, s.link.core, s.conn.core }
    local function try(module, name)
      for _, value in ipairs(values) do
        for _, arguments in ipairs { { n = 1, value }, { n = 2, value, value }, { n = 3, 1, 1, value } } do
          local ok, problem = pcall(module[name], table.unpack(arguments, 1, arguments.n))
          if not ok then complain("module", name, arguments, problem) end
        end
      end
    end
    for _, module in ipairs { tcp, core } do
      for _, name in ipairs(methods(module)) do
        if not PRIVATE[name] then try(module, name) end
      end
    end
  end)

  it("are not repeated at length", function()
    local _, message = pcall(check.type, ("x"):rep(100000), "table", "x")
    assert.is_true(#message < 300)
    assert.matches("(100000 octets)", message, 1, true)
    _, message = pcall(check.options, { [("y"):rep(100000)] = 1 }, {}, "x")
    assert.is_true(#message < 300)
  end)
end)

describe("a time that the clock never reaches", function()
  it("is no deadline", function()
    local net, client, server = lab.connected()
    for _, never in ipairs { 1e10, 2 ^ 63, 1e308, math.huge } do
      net:spawn(function()
        net:sleep(1)
        server:write "x"
      end)
      assert.equal("x", client:read(1, { timeout = never }))
      assert.error_matches(function() client:read(1, { timeout = never }) end, "deadlock")
      assert.is_true(net:run { until_ = never })
    end
    net:close()
  end)

  it("that has passed is refused by run, by name", function()
    local net = lab.pair()
    assert.error_matches(function() net:run { until_ = -1 } end, "run: until_: expected a number of at least")
  end)
end)

describe("a rule's handle", function()
  it("may be closed after its network", function()
    local net = lab.pair()
    local rule = net.wire:drop { syn = true }
    net:close()
    rule:close()
    rule:close()
  end)
end)
