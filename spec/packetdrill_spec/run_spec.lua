-- Scripts are run: what passes, what fails, and how that is said.
local packetdrill = require "lunatcp.packetdrill"

-- The handshake; the peer's window is 257 << 7, the round trip 0.1 s. 988 octets fit beside timestamps.
local OPEN <const> = [[
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 700 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 700,nop,wscale 10>
+.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 800 ecr 100>
+0 accept(3, ..., ...) = 4
]]

local function run(script, options, name)
  return packetdrill.run(script, name or "t.pkt", options)
end

local function pass(script, options, name)
  local result = run(script, options, name)
  assert(result.ok, packetdrill.explain(result))
  return result
end

-- The problem in which the handshake and these lines end.
local function fail(lines, options)
  local result = run(OPEN .. lines, options)
  assert.is_false(result.ok)
  return result.problem, result
end

local function field(problem, name)
  for _, each in ipairs(problem.fields) do
    if each.name == name then return each end
  end
end

local DATA <const> = [[
+0 write(4, ..., 2964) = 2964
+0 > P. 1:2965(2964) ack 1 <nop,nop,TS val 200 ecr 800>
]]

describe("a packetdrill script", function()
  it("is run over IPv4, IPv6 and mapped addresses", function()
    for _, version in ipairs { "ipv4", "ipv4-mapped-ipv6", "ipv6" } do
      pass(OPEN .. DATA, { options = { ip_version = version } })
    end
    -- Runners ask for IPv6 with an MTU that leaves the MSS the same; packetdrill's own is 1500.
    local shorter = OPEN:gsub("mss 1460", "mss 1440")
    pass("--ip_version=ipv6\n" .. shorter .. DATA)
    pass("--ip_version=ipv6\n--mtu=1520\n" .. OPEN .. DATA)
    pass(shorter .. DATA, nil, "some-v6.pkt")
    local problem = run("0 < icmp host_unreachable", nil, "some-v6.pkt").problem -- a type of neither
    assert.matches("ICMP for IPv6 has no type", problem.message)
  end)

  it("takes virtual time, as exactly as it is written", function()
    assert.equal(7200.1, pass(OPEN .. "+7200 close(3) = 0").time)
    pass(OPEN .. "+.1 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 <...>\n", {
      options = { tolerance_usecs = 0, tolerance_percent = 0 },
    })
  end)

  it("opens a connection of its own", function()
    pass [[
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 10>
+.1 < S. 500:500(0) ack 1 win 5792 <mss 1000,nop,nop,sackOK>
+0 > . 1:1(0) ack 1
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 < P. 1:11(10) ack 1 win 5792
+0 > . 1:1(0) ack 11
+0 read(3, ..., 100) = 10
]]
  end)

  describe("numbers", function()
    it("count from the SYNs, which have numbers of their own", function()
      pass [[
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 4294967295:4294967295(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 0 <mss 1460>
+0 < P. 1:11(10) ack 1 win 257
+0 > . 1:1(0) ack 11
]]
    end)
    it("map echoed timestamps, and know those that were never sent", function()
      local problem = fail "+0 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 800 ecr 555>"
      assert.matches("TS ecr 555 echoes a TS val that was not sent before", problem.message)
      pass("--tcp_ts_ecr_scaled\n" .. OPEN .. "+0 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 800 ecr 150>")
    end)
    it("compare the step of TS val where it is given", function()
      local ticks = "--tcp_ts_tick_usecs=1000 --tolerance_usecs=4000\n" .. OPEN
      pass(ticks .. DATA)
      local result = run(ticks .. DATA:gsub("TS val 200", "TS val 230"))
      assert.is_false(field(result.problem, "TS val").good)
    end)
  end)

  describe("merging", function()
    it("makes one of pieces of one size, the last of which may be smaller", function()
      pass(OPEN .. "+0 write(4, ..., 2000) = 2000\n+0 > P. 1:2001(2000) ack 1 <...>\n")
    end)
    it("is not done where segments are strict", function()
      local strict = "--strict_segments\n" .. OPEN
      pass(strict .. DATA:gsub("P. 1:2965%(2964%)", ". 1:989(988)"))
      local length = field(run(strict .. DATA).problem, "length")
      assert.same({ "2964", "988" }, { length.expected, length.got })
    end)
    it("needs pieces of one size but for the last", function()
      local problem = fail [[
+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 write(4, ..., 500) = 500
+0 write(4, ..., 988) = 988
+0 write(4, ..., 500) = 500
+0 > P. 1:1989(1988) ack 1 <...>
]]
      assert.matches("500 of 1988 octets came, then pieces of 500 and 988 octets", problem.message)
    end)
    it("never splits what was sent as one", function()
      local problem = fail "+0 write(4, ..., 988) = 988\n+0 > P. 1:501(500) ack 1 <...>"
      assert.same({ "500", "988" }, { field(problem, "length").expected, field(problem, "length").got })
    end)
  end)

  describe("what is compared", function()
    for name, case in pairs {
      flags = { "> . 1:989(988) ack 1 <...>", "P." }, seq = { "> P. 2:990(988) ack 1 <...>", "1" },
      ack = { "> P. 1:989(988) ack 2 <...>", "1" }, win = { "> P. 1:989(988) ack 1 win 5 <...>", "64" },
      urg = { "> P. 1:989(988) ack 1 urg 1 <...>", "0" },
      ECN = { "> [ect0] P. 1:989(988) ack 1 <...>", "noecn" },
      ttl = { "> [ttl 63] P. 1:989(988) ack 1 <...>", "64" },
      tos = { "> [tos 0x10] P. 1:989(988) ack 1 <...>", "0x00" },
      options = { "> P. 1:989(988) ack 1", "<nop,nop,TS val 200 ecr 800>" },
    } do
      it(name, function()
        local problem = fail("+0 write(4, ..., 988) = 988\n+0 " .. case[1])
        assert.equal(case[2], field(problem, name).got)
        assert.is_false(field(problem, name).good)
      end)
    end
    it("values of options", function()
      local problem = run((OPEN:gsub("mss 1460", "mss 1461"))).problem
      assert.matches("^<mss 1460,", field(problem, "options").got)
    end)
    it("echoed timestamps, where it is strict", function()
      local wrong = OPEN .. DATA:gsub("ecr 800", "ecr 801")
      pass(wrong)
      assert.is_false(field(run(wrong, { strict = true }).problem, "TS ecr").good)
    end)
    it("not the window where it is not written", function()
      pass(OPEN .. "+0 write(4, ..., 988) = 988\n+0 > P. 1:989(988) ack 1 win 64 <...>")
    end)
    it("only type and code of ICMP, and nothing of other flows", function()
      pass(OPEN .. DATA .. "+0 < icmp unreachable frag_needed mtu 600 [1:989(988)]\n")
    end)
  end)

  describe("time", function()
    local function early_and_late(when)
      return "+.1 write(4, ..., 10) = 10\n" .. when .. " > P. 1:11(10) ack 1 <...>"
    end
    it("has a slack, absolute and relative", function()
      pass(OPEN .. early_and_late "+.004")
      local problem = fail(early_and_late "+.005")
      assert.matches("the packet was expected at 0.205000 s and happened at 0.200000 s", problem.message)
      assert.is_false(field(problem, "time").good)
      pass(OPEN .. early_and_late "+.005", { options = { tolerance_usecs = 5000 } })
    end)
    it("can be a range, or any", function()
      pass(OPEN .. early_and_late "*")
      pass(OPEN .. early_and_late "0.19~0.25")
      assert.matches("expected from 0.210000 to 0.220000 s", fail(early_and_late "+.01~+.02").message)
    end)
    it("of an expected packet ends two seconds later", function()
      assert.matches("nothing came until 3.100000 s", fail("+1 > P. 1:11(10) ack 1").message)
    end)
    it("of an injected packet must not be over when it is its turn", function()
      local problem = fail(DATA .. "* > P. 1977:2965(988) ack 1 <...>\n" -- the probe for the tail's loss
        .. "0.15 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 800 ecr 100>")
      assert.matches("the injected packet was expected at 0.150000 s and happened at 0.%d+ s",
        problem.message)
    end)
  end)

  describe("a call that blocks", function()
    it("returns when what it waits for is there", function()
      pass(OPEN .. [[
+0...0.2 read(4, ..., 100) = 10
+.2 < P. 1:11(10) ack 1 win 257 <nop,nop,TS val 900 ecr 100>
+0 > . 1:1(0) ack 11 <...>
]])
    end)
    it("that returns too late or too early is named with both times", function()
      local problem = fail [[
+0...0.1 read(4, ..., 100) = 10
+.2 < P. 1:11(10) ack 1 win 257 <nop,nop,TS val 900 ecr 100>
]]
      assert.matches("read was expected to return at 0.200000 s and returned at 0.300000 s",
        problem.message)
      assert.equal(8, problem.line)
    end)
    it("that never returns is named", function()
      assert.matches("read has not returned", fail("+0...0.1 read(4, ..., 100) = 10").message)
      assert.matches("read blocks, and there is no ... TIME", fail("+0 read(4, ..., 100) = 10").message)
    end)
    it("holds back the next call, for a second at most", function()
      local problem = fail "+0...0.1 read(4, ..., 100) = 10\n+0 close(3) = 0"
      assert.matches("read has not returned by 1.100000 s", problem.message)
    end)
    it("is there while an expected packet is waited for", function()
      pass [[
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1...0.4 accept(3, ..., ...) = 4
+.1 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <...>
+.2 < . 1:1(0) ack 1 win 257
+0 write(4, ..., 5) = 5
+0 > P. 1:6(5) ack 1
]]
    end)
  end)

  describe("a call", function()
    for line, wanted in pairs {
      ["close(4) = -1"] = "close: it returned 0 instead of %-1",
      ["close(9) = 0"] = "close: it returned %-1 EBADF %(Bad file descriptor%) instead of 0",
      ["close(9) = -1 EINVAL (Invalid)"] = "close: it failed by EBADF instead of EINVAL",
      ["close(9) = -1 EWHAT (What)"] = "close: unknown error name EWHAT",
      ["closes(4) = 0"] = "unknown system call closes",
      ["sendfile(4, 5, [0], 10) = 10"] = "sendfile: there are no files here",
      ["shutdown(4, SHUT_IT) = 0"] = "unknown constant SHUT_IT %(how%)",
      ["bind(3) = 0"] = "bind needs 3 arguments, got 1",
      ["getsockopt(4, SOL_SOCKET, SO_ERROR, [5], [4]) = 0"] = "getsockopt: value: expected 5, got 0",
      ["poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1"] = "revents: expected 0x1, got 0x4",
      ["ioctl(4, SIOCINQ, [7]) = 0"] = "ioctl: value: expected 7, got 0",
    } do
      it("that is not as written is named: " .. line, function()
        local problem = fail("+0 " .. line)
        assert.matches(wanted, problem.message)
        assert.equal(8, problem.line)
      end)
    end
    it("that fails without an error's name is right", function() pass(OPEN .. "+0 close(9) = -1") end)
  end)

  describe("code", function()
    it("sees the connection at its time, and is run at the end", function()
      local result = pass(OPEN .. "+0 %{ n = tcpi_unacked; print(tcpi_state == TCP_ESTABLISHED, n) }%\n"
        .. DATA .. "+0 %{ assert tcpi_unacked == n + 3, tcpi_unacked }%")
      assert.same({ "True 0" }, result.printed)
    end)
    it("that fails names its line, though the script went on", function()
      local problem, result = fail("+0 %{ x = 1\nassert x == 2, 'x=%d' % x }%\n+0 close(4) = 0")
      assert.same({ 9, "assertion failed: x=1" }, { problem.line, problem.message })
      assert.matches("assert x == 2", packetdrill.explain(result))
    end)
  end)

  describe("a back-quoted command", function()
    it("is a setting where the profile says so", function()
      pass [[
`../common/defaults.sh
sysctl -q net.ipv4.tcp_timestamps=0`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 700 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
]]
    end)
    it("that it does not know fails the script, and no shell is asked", function()
      local problem = run("`touch /nowhere`\n" .. OPEN).problem
      assert.matches("unknown command `touch /nowhere` %(profile linux", problem.message)
      assert.matches("unknown setting net.ipv4.tcp_nothing",
        run("`sysctl -q net.ipv4.tcp_nothing=1`\n" .. OPEN).problem.message)
    end)
    it("can be a question, answered true or false", function()
      local profile = { base = "linux", commands = {
        { program = "listening", ask = function(state) return state.counters.listeners > 0 end },
        { match = "^established$", ask = function(state) return state.info.state == "ESTABLISHED" end },
        { match = "^nothing", ignore = true },
      } }
      pass(OPEN .. "+0 `nothing at all && /usr/bin/listening -x > /dev/null 2>&1`\n+0 `established`",
        { profile = profile })
      local result = run(OPEN .. "+0 close(4) = 0\n+0 close(3) = 0\n+0 `listening`", { profile = profile })
      assert.matches("`listening`: the answer is no", result.problem.message)
    end)
  end)

  it("is stopped by a bound on virtual time, and on events", function()
    local problem = fail("+100 close(4) = 0", { max_time = 50 })
    assert.matches("stopped: the script would run past 50 s of virtual time", problem.message)
    assert.matches("stopped: more than 3 events", fail("+1 close(4) = 0", { max_events = 3 }).message)
  end)

  it("goes on with a warning where its differences are not fatal", function()
    local lines = "+0 close(9) = 0\n+0 write(4, ..., 988) = 988\n+0 > P. 1:989(988) ack 2 <...>\n"
    local result = pass("--non_fatal=\"packet,syscall\"\n" .. OPEN .. lines)
    assert.same({ 9, 11 }, { result.warnings[1].line, result.warnings[2].line })
    assert.equal("the packet differs: ack", result.warnings[2].message)
    assert.matches("close: it returned", run("--non_fatal=packet\n" .. OPEN .. lines).problem.message)
  end)

  it("gives the same result each time", function()
    local script = OPEN .. DATA .. "* > F. 1:1(0)"
    local first = packetdrill.explain(run(script))
    for _ = 1, 3 do assert.equal(first, packetdrill.explain(run(script))) end
  end)

  it("that fails is explained: place, source, both packets, fields, ladder", function()
    local _, result = fail "+0 write(4, ..., 988) = 988\n+0 > P. 1:989(988) ack 2 <...>"
    local text = packetdrill.explain(result)
    assert.matches("^t.pkt:9:1: the packet differs: ack\n    %+0 > P. 1:989%(988%) ack 2 <...>\n", text)
    assert.matches("\n  expected  > P. 1:989%(988%) ack 2 <...>\n", text)
    assert.matches("\n  actual    > P. 1:989%(988%) ack 1 <nop,nop,TS val 200 ecr 800> %(at 0.1", text)
    assert.matches("\n  %* ack +2 +1\n", text)
    assert.matches("SYN,ACK seq 0 ack 1", text)
  end)
end)
