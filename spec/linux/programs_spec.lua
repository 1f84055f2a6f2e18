-- curl, web servers, iperf3, socat and ssh, unchanged, on the other end.
local namespace = require "support.namespace"
local runner = require "examples.runner"

describe("a program on the kernel's TCP #linux", function()
  for _, way in ipairs { "vxlan", "tun", "rawip" } do
    local needs <const> = namespace.WAYS[way]
    local function it(title, program, ...)
      local all = table.move(needs, 1, #needs, 2, { program })
      namespace.it(("%s, through %s"):format(title, way), all, ...)
    end
    for _, family in ipairs { 4, 6 } do
      it(("curl fetches files from examples/http_server.lua, IPv%d"):format(family), "curl",
        "programs.curl_from_us", way, family)
      it(("Python's web server gives us a file, IPv%d"):format(family), "python3", "programs.fetch_from",
        "python3", way, family)
      it(("lunatcp cat and socat exchange files, IPv%d"):format(family), "socat", "programs.cat", way, family)
      it(("nginx gives us a file, IPv%d"):format(family), "nginx", "programs.fetch_from", "nginx", way,
        family)
    end
    if way ~= "tun" then -- by a TUN device both ends would be in one namespace
      it("iperf3 sends through us", "iperf3", "programs.iperf3", way)
      it("iperf3 receives through us", "iperf3", "programs.iperf3", way, "-R")
      it("socat sends a stream there and back", "socat", "programs.socat", way)
      it("ssh runs a command, and carries files both ways", "sshd", "programs.ssh", way)
    end
  end
end)

describe("what a scene has made #linux", function()
  namespace.it("is gone when it fails", {}, "leftovers.fails")

  it("leaves no namespace and no process, however it ends", function()
    if namespace.missing() then
      io.stderr:write("\nnot tried: ", namespace.missing(), "\n")
      return
    end
    local before = namespace.run "ls /run/netns /var/run/netns 2>/dev/null; ip -br link | cut -d' ' -f1"
    for _, how in ipairs { "fails", "is_killed", "hangs" } do
      local printed, ok = namespace.scene("leftovers." .. how, "for good")
      assert.is_false(ok, printed)
    end
    assert.equal(before,
      (namespace.run "ls /run/netns /var/run/netns 2>/dev/null; ip -br link | cut -d' ' -f1"))
    assert.equal("", (namespace.run "pgrep -f 'sleep 987[6]' || true"))
  end)
end)

describe("examples/linux.lua #linux", function()
  it("sets it all up, plays, draws the ladder, takes it down", function()
    if namespace.lacks("vxlan", "ethtool") then
      io.stderr:write("\nnot tried: ", namespace.lacks("vxlan", "ethtool"), "\n")
      return
    end
    local printed, complained, status = runner.run "linux"
    assert.equal("", (complained:gsub("[^\n]*seed[^\n]*\n", "")))
    assert.equal(0, status, printed)
    assert.matches("Linux says: who are you?", printed, 1, true)
    assert.matches("it was told: a TCP in the hand of a Lua script", printed, 1, true)
    assert.matches("connection refused %(ECONNREFUSED%)", printed)
    assert.matches("SYN seq 0 win %d+ <mss 1410 sackOK ts ws", printed)
  end)

  it("says what it needs where it cannot", function()
    local printed, ok = namespace.run(([[d=$(mktemp -d)
      for p in lua5.4 sh id uname; do ln -s "$(command -v $p)" "$d"; done
      LUA_PATH_5_4='%s' LUA_CPATH_5_4='%s' PATH=$d lua5.4 examples/linux.lua
      status=$?; rm -r "$d"; exit $status]]):format(package.path, package.cpath))
    assert.is_false(ok)
    assert.matches("It needs\n", printed)
  end)
end)

describe("examples/http_server.lua", function()
  it("serves in virtual time", function()
    local printed = runner.well "http_server"
    assert.matches("^HTTP/1.1 200 OK\nContent%-Type: text/plain\nContent%-Length: (%d+)\n", printed)
    assert.equal(printed:match "Content%-Length: (%d+)", printed:match "\n(%d+) octets\n")
  end)

  it("says what is wrong with its arguments", function()
    local _, complained, status = runner.run("http_server", { "vxlan" })
    assert.equal(1, status)
    assert.matches("usage", complained)
  end)
end)
