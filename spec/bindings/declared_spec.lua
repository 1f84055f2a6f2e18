-- The .meta.lua files in lua/lunatcp declare what the module has: no more, no less.
local core = require "lunatcp.core"
local pair = require "support.core_pair"

local function declared()
  local found, parents = {}, {}
  local lines = {}
  for _, file in ipairs { "core", "connections", "packets", "real_time", "sockets" } do
    for line in io.lines("lua/lunatcp/" .. file .. ".meta.lua") do lines[#lines + 1] = line end
  end
  for _, line in ipairs(lines) do
    local class, parent = line:match "^%-%-%-@class lunatcp%.core%.(%a+):? ?(%S*)"
    if class and parent ~= "" then parents[class] = parent:match "%a+$" end
    local owner, name = line:match "^function (%a+)[.:]([%a_%d]+)"
    if owner then
      found[owner] = found[owner] or {}
      found[owner][name] = true
    end
  end
  for class, parent in pairs(parents) do
    for name in pairs(found[parent] or {}) do
      if found[class] then found[class][name] = true end
    end
  end
  return found
end

local function functions(owner)
  local found = {}
  for name, value in pairs(owner) do
    if type(value) == "function" and not name:find "^__" then found[name] = true end
  end
  return found
end

describe("the declarations", function()
  local p, found, objects
  setup(function()
    p, found = pair.new(), declared()
    local conn, _, listener = pair.connect(p)
    objects = {
      Network = p.net, Host = p.client, Router = p.net:router(), Peer = p.net:peer(), Link = p.link,
      Connection = conn, Listener = listener, Sockets = p.client:sockets(),
      Call = p.client:sockets():call("pipe"), Capture = p.net:capture(), Random = p.net:random "x",
    }
  end)

  it("name every function of the module", function()
    assert.same(functions(core), found.core)
  end)

  it("name every method of every class", function()
    for class, object in pairs(objects) do
      assert.same(functions(getmetatable(object).__index), found[class], class)
    end
  end)

  it("have classes with a name and a text", function()
    for class, object in pairs(objects) do
      assert.equal("lunatcp." .. class, getmetatable(object).__name)
      assert.is_function(getmetatable(object).__tostring)
      assert.not_matches("^lunatcp", tostring(object))
    end
  end)
end)
