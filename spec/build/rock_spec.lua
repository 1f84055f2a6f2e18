-- The rock, as a person with luarocks and no network gets it. It is built in a copy of the tree
-- and used from another directory, so that neither can help itself from the checkout.

local shell = require "support.shell"

local quote, run_shell, succeed, write = shell.quote, shell.run, shell.succeed, shell.write

describe("the rock #build", function()
  local scratch, tree

  lazy_setup(function()
    scratch = shell.scratch()
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
    if scratch then shell.remove(scratch) end
  end)

  -- Runs `script` in a fresh process, in a directory of its own, with only the rock's tree.
  local function run(script)
    write(scratch .. "/elsewhere/script.lua", script)
    return run_shell("cd", quote(scratch .. "/elsewhere"), "&& env -u LUNATCP_BUILD",
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

  -- A person's shell, which knows neither this checkout nor where the rock is.
  local function person(...)
    return run_shell("cd", quote(scratch .. "/elsewhere"), "&& env -u LUA_PATH_5_4 -u LUA_CPATH_5_4",
      "-u LUNATCP_BUILD -u LUNATCP_SEED -u LUNATCP_CAPTURES", ...)
  end

  it("installs the command line", function()
    local output, ok = person(quote(tree .. "/bin/lunatcp"), "version")
    assert.True(ok, output)
    assert.matches("^lunatcp %d+%.%d+%.%d+ %(Lua 5%.4%)\n$", output)
    local _, _, status = person(quote(tree .. "/bin/lunatcp"), "nothing")
    assert.equal(2, status)
  end)

  it("gives a spec written elsewhere its network, and a failed one its message, ladder, seed and capture",
    function()
      local output, ok = person(quote(tree .. "/bin/lunatcp"), "new-spec handshake --dir project")
      assert.True(ok, output)
      local project = scratch .. "/elsewhere/project"
      assert.is_truthy(shell.read(project .. "/.busted"):find(tree .. "/share/lua/5.4/?.lua", 1, true))
      output, ok = person("sh -c 'cd project && busted -o plainTerminal'")
      assert.True(ok, output)
      assert.matches("3 successes / 0 failures / 0 errors / 0 pending", output)
      assert.is_nil(shell.read(project .. "/lunatcp-captures"))

      local path = project .. "/spec/handshake_spec.lua"
      write(path, (shell.read(path):gsub('assert.state%(accepted, "ESTABLISHED"%)',
        'assert.state(accepted, "CLOSE-WAIT")')))
      output, ok = person("sh -c 'cd project && busted -o plainTerminal'")
      assert.is_nil(ok)
      assert.matches("2 successes / 1 failure / 0 errors", output)
      assert.matches("handshake_spec.lua:%d+: connection server:80 > client:%d+ is in the state ESTABLISHED",
        output)
      assert.matches("\n  %* state  expected CLOSE%-WAIT, got ESTABLISHED\n", output)
      assert.matches("\n +time +client +server\n.-SYN seq 0.-SYN,ACK seq 0 ack 1", output)
      assert.matches("\nseed: %d+ %(LUNATCP_SEED=%d+ replays this test%)\n", output)
      local capture = output:match "\ncapture: (%S+) %(3 packets%)"
      assert.is_string(capture, output)
      output = succeed("cd", quote(project), "&&", quote(tree .. "/bin/lunatcp"), "decode", quote(capture))
      assert.matches("SYN seq 0.-\n.-SYN,ACK seq 0 ack 1.-\n.-ACK seq 1 ack 1", output)
    end)
end)
