-- `lunatcp pkt`: files, folders, formats, processes.
local pcapng = require "lunatcp.pcapng"
local program = require "support.program"
local shell = require "support.shell"

local GOOD <const> = [[
// RFC9293:3.5
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 1000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
]]
local BAD <const> = GOOD:gsub("ack 1 <mss 1460>", "ack 2 <mss 1460>")
local UNREADABLE <const> = "0 close(3) 0\n"

describe("lunatcp pkt", function()
  local folder

  setup(function()
    folder = shell.scratch()
    shell.succeed("mkdir -p", shell.quote(folder .. "/a/b"), shell.quote(folder .. "/out"))
    shell.write(folder .. "/a/1-good.pkt", GOOD)
    shell.write(folder .. "/a/2-bad.pkt", BAD)
    shell.write(folder .. "/a/b/3-unreadable.pkt", UNREADABLE)
    shell.write(folder .. "/a/b/4 <good> & odd.pkt", GOOD)
    shell.write(folder .. "/a/b/note.txt", "no script")
    shell.write(folder .. "/mine.lua", 'return { base = "rfc", settings = { mss = 1111 } }')
  end)
  teardown(function() shell.remove(folder) end)

  -- What it printed with its complaints, and its exit status.
  local function pkt(...)
    local output, _, status = shell.run("cd", shell.quote(folder), "&&", shell.modules(), "lua5.4",
      shell.quote(program.PATH), "pkt", ...)
    return output, status
  end

  it("runs files and folders, says what failed, and closes with the sum", function()
    local output, status = pkt "a"
    assert.equal(1, status)
    assert.matches("^a/2%-bad.pkt:6:1: the packet differs: ack\n", output)
    assert.matches("a/b/3%-unreadable.pkt:1:12: expected '=', got '0'\n", output)
    assert.matches("\n2 passed, 2 failed\n$", output)
    assert.same({ "1 passed, 0 failed\n", 0 }, { pkt "a/1-good.pkt" })
    assert.matches("^ok      a/1%-good.pkt\n", (pkt "-v a/1-good.pkt"))
  end)

  it("says the same in several processes, in the same order", function()
    for _, format in ipairs { "plain", "tap", "junit" } do
      local one, status = pkt("--format", format, "a")
      assert.same({ one, status }, { pkt("-j 3 --format", format, "a") })
    end
  end)

  it("speaks TAP", function()
    local output = pkt "--format tap a"
    assert.matches("^TAP version 13\n1%.%.4\nok 1 %- a/1%-good.pkt\nnot ok 2 %- a/2%-bad.pkt\n# a/2%-bad",
      output)
    assert.matches("\nok 4 %- a/b/4 <good> & odd.pkt\n# 2 passed, 2 failed\n$", output)
  end)

  it("speaks JUnit", function()
    local output = pkt "--format junit a"
    assert.matches('<testsuite name="packetdrill" tests="4" failures="2" errors="0"', output)
    assert.matches('<testcase classname="a/b" name="4 &lt;good&gt; &amp; odd.pkt" time="0.0', output)
    assert.matches('<failure message="a/2%-bad.pkt:6:1: the packet differs: ack">', output)
    assert.matches("expected  &gt; S%. 0:0%(0%) ack 2", output)
  end)

  it("only parses on demand", function()
    local output, status = pkt "--dry-run a"
    assert.equal(1, status)
    assert.matches("3 passed, 1 failed\n$", output)
  end)

  it("takes words and options in the scripts' place", function()
    shell.write(folder .. "/defined.pkt", "--tolerance_usecs=1\n" .. GOOD:gsub("win 1000", "win WINDOW"))
    assert.same({ "1 passed, 0 failed\n", 0 }, { pkt "-D WINDOW=5 defined.pkt" })
    assert.matches("a number for 'win'", (pkt "defined.pkt"))
    shell.write(folder .. "/mapped.pkt", (GOOD:gsub("^", "--local_ip=10.0.0.1\n")))
    assert.same({ "1 passed, 0 failed\n", 0 }, { pkt "-O remote_ip=10.0.0.9 mapped.pkt" })
    assert.matches("%-%-local_ip=10.0.0.1: not an address of ipv6", (pkt "--ip-version ipv6 mapped.pkt"))
    assert.matches("unknown option %-%-speeed", (pkt "-O speeed=1 mapped.pkt"))
    assert.same({ "1 passed, 0 failed\n", 0 }, { pkt "--ip-version ipv6 a/1-good.pkt" })
  end)

  it("takes a profile of one's own", function()
    assert.matches("actual    > S%. 0:0%(0%) ack 1 <mss 1111>", (pkt "--profile ./mine.lua a/1-good.pkt"))
    local output, status = pkt "--profile ./none.lua a/1-good.pkt"
    assert.equal(1, status)
    assert.matches("lunatcp: cannot open", output)
    assert.matches("profile: expected", (pkt "--profile none a/1-good.pkt"))
  end)

  it("writes what was on the wire", function()
    pkt "--pcapng one.pcapng a/1-good.pkt"
    local reader = assert(pcapng.open(folder .. "/one.pcapng"))
    local count = 0
    while reader:next() do count = count + 1 end
    reader:close()
    assert.equal(2, count)
    pkt "--pcapng out -j 2 a/1-good.pkt a/2-bad.pkt"
    assert.is_string(shell.read(folder .. "/out/a-1-good.pcapng"))
    assert.is_string(shell.read(folder .. "/out/a-2-bad.pcapng"))
  end)

  it("refuses wrong usage with status 2, and names what is not there", function()
    for arguments, wanted in pairs {
      [""] = "missing argument 'path'", ["-j 0 a"] = "'0' is no number from 1 to 256",
      ["--format xml a"] = "argument for option '%-%-format' must be one of",
      ["-D x a"] = "'x' is not NAME=VALUE",
      ["out"] = "there are no scripts",
    } do
      local output, status = pkt(arguments)
      assert.same({ 2, true }, { status, output:find(wanted) ~= nil }, output)
    end
    local output, status = pkt "missing.pkt"
    assert.same({ 1, true }, { status, output:find("missing.pkt: No such file", 1, true) ~= nil })
    output, status = pkt "missing"
    assert.same({ 1, true }, { status, output:find("missing: no such file", 1, true) ~= nil }, output)
    output, status = pkt "a%1b"
    assert.same({ 1, "lunatcp: a%1b: no such file or directory\n" }, { status, output })
  end)
end)
