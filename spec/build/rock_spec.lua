-- The rock, as a person with luarocks and no network gets it. It is built in a copy of the tree
-- and used from another directory, so that neither can help itself from the checkout.

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The command's output with its errors, and whether it succeeded.
local function shell(...)
  local pipe <close> = assert(io.popen("{ " .. table.concat({ ... }, " ") .. "; } 2>&1 </dev/null"))
  local output = pipe:read("a")
  return output, (pipe:close())
end

local function succeed(...)
  local output, ok = shell(...)
  assert(ok, output)
  return output
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function first_line(...)
  return (succeed(...):match("^[^\n]*"))
end

describe("the rock #build", function()
  local scratch, tree

  lazy_setup(function()
    scratch = first_line("mktemp -d")
    tree = scratch .. "/tree"
    succeed("mkdir", quote(scratch .. "/source"), quote(scratch .. "/elsewhere"))
    -- What a clone holds and a build needs; bin/ only once there is one.
    succeed("for part in CMakeLists.txt LICENSE rockspec core bindings lua bin; do",
      "test ! -e $part || cp -R $part", quote(scratch .. "/source/"), "|| exit 1; done")
    -- Not what ./dev sets: a person's shell knows nothing of the checkout.
    succeed("cd", quote(scratch .. "/source"), "&& env -u LUA_PATH_5_4 -u LUA_CPATH_5_4",
      "luarocks --lua-version 5.4 --tree", quote(tree),
      "make --deps-mode none rockspec/lunatcp-scm-1.rockspec")
  end)

  lazy_teardown(function()
    if scratch then succeed("rm -rf", quote(scratch)) end
  end)

  -- Runs `script` in a fresh process, in a directory of its own, with only the rock's tree.
  local function run(script)
    write(scratch .. "/elsewhere/script.lua", script)
    return shell("cd", quote(scratch .. "/elsewhere"), "&& env -u LUNATCP_BUILD",
      "LUA_PATH_5_4=" .. quote(tree .. "/share/lua/5.4/?.lua;" .. tree .. "/share/lua/5.4/?/init.lua"),
      "LUA_CPATH_5_4=" .. quote(tree .. "/lib/lua/5.4/?.so"),
      "lua5.4 script.lua")
  end

  it("installs only what a script loads", function()
    local files = succeed("cd", quote(tree .. "/lib/lua/5.4"), "&& find . -type f | sort")
    assert.equal("./lunatcp/core.so\n", files)
    succeed("test -f", quote(tree .. "/share/lua/5.4/lunatcp/init.lua"))
  end)

  it("exports nothing but the way in", function()
    local symbols = succeed("nm -D --defined-only", quote(tree .. "/lib/lua/5.4/lunatcp/core.so"))
    for name in symbols:gmatch("[^\n]* [TDBRVW] ([%w_]+)") do
      assert.truthy(name:match("^luaopen_lunatcp"), name)
    end
    assert.truthy(symbols:find("luaopen_lunatcp_core", 1, true))
  end)

  it("loads in a fresh process and lets two hosts talk", function()
    local output, ok = run [[
local net = require "lunatcp".network { seed = 1 }
local a, b = net:host "a", net:host "b"; net:link(a, b, { delay = 0.01 })
net:spawn(function() local c = b:listen(80):accept(); c:write(c:read(5):upper()); c:close() end)
net:spawn(function() local c = assert(a:connect(b, 80)); c:write "hello"; print(c:read(5)) end)
net:run()
]]
    assert.True(ok, output)
    assert.equal("HELLO\n", output)
  end)
end)
