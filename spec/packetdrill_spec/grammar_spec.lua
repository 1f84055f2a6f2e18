-- The language of packetdrill scripts: what is read, and what is said about what cannot be read.
local grammar = require "lunatcp.packetdrill.grammar"
local text = require "lunatcp.packetdrill.text"

local function parse(script, definitions)
  local made, problem = grammar.parse(script, "t.pkt", definitions)
  assert(made, problem and grammar.explain(problem))
  return made
end

-- The only event behind one at time 0.
local function event(line) return parse("0 close(3) = 0\n" .. line).events[2] end
local function packet(line) return event("+0 " .. line).action end
local function call(line) return event("+0 " .. line).action end

local function problem_of(script)
  local made, problem = grammar.parse(script, "t.pkt")
  assert.is_nil(made)
  return problem
end
local function complaint(script)
  local problem = problem_of(script)
  return ("%d:%d: %s"):format(problem.line, problem.column, problem.message)
end

describe("packetdrill's language", function()
  describe("layout", function()
    it("has options, an init command, events, a cleanup command", function()
      local script = parse [[
// a comment
--ip_version=ipv6 --tolerance_usecs=100
--define=N=5
--strict_segments
`one`
0 close(3) = 0  +1 close(N) = 0 /* two on
one line */ `two`]]
      assert.same({ "ip_version", "ipv6" }, { script.options[1].name, script.options[1].value })
      assert.is_nil(script.options[4].value)
      assert.same({ "one", "two" }, { script.init.text, script.cleanup.text })
      assert.equal(2, #script.events)
      assert.equal(5, script.events[2].action.arguments[1].value)
    end)

    it("tells events apart by their times alone", function()
      local script = parse("0\nclose\n(\n3) =\n0 +.5 close(4) = -1 EBADF (Bad file\n"
        .. "descriptor) 1 close(5) = 0")
      assert.same({ "absolute", "relative", "absolute" },
        { script.events[1].when.kind, script.events[2].when.kind, script.events[3].when.kind })
      assert.equal("Bad file descriptor", script.events[2].action.note)
    end)

    it("reads a file with carriage returns", function()
      assert.equal(2, #parse("0 close(3) = 0\r\n+0 close(4) = 0\r\n").events)
    end)

    it("replaces words by definitions", function()
      local script = parse("0 < S 0:0(0) win 1 <FO C>\n+0 f(T, I, H) = 0",
        { C = "00ab", T = '"text"', I = "7", H = "0x10" })
      assert.equal("\0\xab", script.events[1].action.options[1].data)
      local arguments = script.events[2].action.arguments
      assert.same({ "text", 7, 16 }, { arguments[1].text, arguments[2].value, arguments[3].value })
    end)

    it("never replaces a word of the language", function()
      assert.equal(5, parse("0 < S 0:0(0) win 5", { win = "ack" }).events[1].action.window)
    end)
  end)

  describe("times", function()
    it("are kept to the nanosecond", function()
      assert.equal(1234567, event("+.001234567 close(3) = 0").when.from)
      assert.equal(150000000000, event("150 close(3) = 0").when.from)
    end)

    it("can be any, or a range, for expected packets", function()
      assert.equal("any", event("* > . 1:1(0)").when.kind)
      local when = event("+.1~+.105 > . 1:1(0)").when
      assert.same({ "relative", 100000000, 105000000 }, { when.kind, when.from, when.to })
      when = event("1.5 ~ 2 > . 1:1(0)").when
      assert.same({ "absolute", 1500000000, 2000000000 }, { when.kind, when.from, when.to })
    end)

    it("cannot be so for anything else", function()
      assert.matches("2:1: the time %* is for expected packets only",
        complaint "0 close(3) = 0\n* close(3) = 0")
      assert.matches("range of times is for expected", complaint "0 close(3) = 0\n+1~+2 < . 1:1(0) win 1")
      assert.matches("runs backwards", complaint "0 close(3) = 0\n+2~+1 > . 1:1(0)")
      assert.matches("1:5: expected a time or a number, got '%+'", complaint "0 ~ +1 > . 1:1(0)")
    end)

    it("begin with 0 and never go backwards", function()
      assert.matches("1:1: the first event must be at time 0", complaint "1 close(3) = 0")
      assert.matches("3:1: time goes backwards", complaint "0 close(3) = 0\n2 close(3) = 0\n1 close(3) = 0")
      assert.matches("a time cannot be negative", complaint "-1 close(3) = 0")
    end)
  end)

  describe("what could be read in two ways", function()
    it("a float directly followed by an ellipsis", function()
      local made = event "+.1...0.200 connect(3, ..., ...) = 0"
      assert.same({ 100000000, 200000000 }, { made.when.from, made.action.ends })
    end)
    it("an integer directly followed by an ellipsis", function()
      local made = parse "0...0 connect(3, ..., ...) = 0"
      assert.equal(0, made.events[1].action.ends)
    end)
    it("a dot that is a flag, and one with an ACE counter", function()
      assert.same({ ".", nil }, { packet("> .  1:1(0)").flags, packet("> .  1:1(0)").ace })
      assert.same({ ".", 5 }, { packet("> .5 1:1(0)").flags, packet("> .5 1:1(0)").ace })
      assert.same({ "P.", 7 }, { packet("> P.7 1:1(0)").flags, packet("> P.7 1:1(0)").ace })
      assert.is_nil(packet("> P.0 1:1(0)").ace)
    end)
    it("flags that are a word", function()
      local made = packet "> [ect0] EAP. 1:1001(1000)"
      assert.same({ "EAP.", 2, 1000 }, { made.flags, made.ip.ecn, made.length })
      assert.equal("", packet("> - 1:1(0)").flags)
    end)
    it("sequence numbers that could be an IPv6 address", function()
      assert.same({ 1, 1000 }, { packet("> . 1:1001(1000)").seq, packet("> . 1:1001(1000)").length })
      assert.same({ { left = 1, right = 1001 }, { left = 2001, right = 3001 } },
        packet("> . 1:1(0) <sack 1:1001 2001:3001,nop,nop>").options[1].blocks)
    end)
    it("a time that could begin an IPv4 address", function()
      assert.equal(2000000, event("0.002 > . 1:1(0)").when.from)
      assert.equal("10.0.0.1", parse("--local_ip=10.0.0.1 0 close(3) = 0").options[1].value)
      assert.equal("fd3d::1", parse("--local_ip=fd3d::1 0 close(3) = 0").options[1].value)
    end)
    it("a direction that could begin options", function()
      assert.equal("R", packet("< R 1:1(0) win 0").flags)
      assert.equal(3, #packet("> . 1:1(0) <nop, nop, sack 1:2>").options)
    end)
    it("a cookie of digits alone keeps its zeros, and may be absent", function()
      assert.equal("\0\0\x12\x34", packet("> S 0:0(0) <FO 00001234,nop,nop>").options[1].data)
      assert.equal("", packet("> S 0:0(0) <FO,nop,nop>").options[1].data)
    end)
    it("a note with a word of the language in it", function()
      assert.equal("flags O RDWR", call("fcntl(3, F_GETFL) = 0x2 (flags O RDWR)").note)
      local made = call "connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)"
      assert.same({ "EINPROGRESS", "Operation now in progress" }, { made.errno, made.note })
    end)
    it("a command with a brace, code with a comment behind it", function()
      local script = parse "0 %{ assert 1 }% // over\n+0 `/tmp/x_${PPID}.sh`\n+1 close(3) = 0"
      assert.same({ " assert 1 ", "/tmp/x_${PPID}.sh" },
        { script.events[1].action.text, script.events[2].action.text })
    end)
  end)

  describe("packets", function()
    -- What is printed of a packet is what was read.
    for _, line in ipairs {
      "< S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
      "> S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 100 ecr 200,nop,wscale 8>",
      "> FSRPEWAU. 1:11(10) ack 5 urg 3", "> P.3 1:11(10) ack 5", "> - 0:0(0)",
      "> . 1:1(0) ack 1 <...>", "> [ect01] . 1:1(0) ack 1", "> [tos 0xb8, flowlabel 0x12] . 1:1(0) ack 1",
      "> [ttl 5] R 1:1(0)", "< [ce] . 1:1(0) ack 1 win 0",
      "> S 0:0(0) <mss 1460,ECN e1b 1 ceb 0 e0b 1,nop>", "> . 1:1(0) ack 1 <ECN e0b 16777215,nop,nop,nop>",
      "> S 0:0(0) <md5 00112233445566778899aabbccddeeff,nop,nop>",
      "> S 0:0(0) <ao 5 7>", "> . 1:1(0) ack 1 <ao 0 255 00112233445566778899aabb>",
      "> S 0:0(0) <FOEXP aabbccdd,nop,nop,nop,eol>",
      "< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]", "< icmp type_9 code_3 [raw (64)]",
      "> udp (100)",
    } do
      it("are written as they are read: " .. line, function()
        assert.equal(line, text.packet(packet(line)))
      end)
    end

    it("may lie within others", function()
      local outer = "> ipv4 [ect0] 1.1.1.1 > 2.2.2.2: gre: mpls (label 5, tc 0, [S], ttl 64): "
      local layers = packet(outer .. ". 1:1(0)").encapsulation
      assert.same({ "ipv4", "gre", "mpls" }, { layers[1].name, layers[2].name, layers[3].name })
    end)

    for line, wanted in pairs {
      ["< S 0:0(0)"] = "2:6: an injected segment needs 'win'",
      ["> S 0:5(4)"] = "0:5%(4%) does not add up",
      ["> Q 0:0(0)"] = "'Q' is no TCP flag",
      ["> E.5 0:0(0)"] = "excludes the flags E, W and A",
      ["> .8 0:0(0)"] = "ACE counter from 0 to 7",
      ["> . 0:0(0) <mss 1460,nop>"] = "5 octets, which is no multiple of 4",
      ["> . 0:0(0) <mss 70000>"] = "mss must be from 0 to 65535",
      ["> . 0:0(0) <mms 1>"] = "2:16: expected an option %(nop, eol, mss",
      ["< . 0:0(0) win 1 <...>"] = "says its options",
      ["< [ect01] . 0:0(0) win 1"] = "only says what to accept",
      ["> . 4294967296:4294967296(0)"] = "a sequence number must be from 0 to 4294967295",
      ["> . 0:0(0) ack 1 win 65536"] = "win must be from 0 to 65535",
      ["> 5 > 70000 . 0:0(0)"] = "a port must be",
      ["> [tos 0x100] . 0:0(0)"] = "tos must be at most 0xff",
      ["> S 0:0(0) <FO abc,nop>"] = "pairs of hexadecimal digits",
    } do
      it("are refused: " .. line, function()
        assert.matches(wanted, complaint("0 close(3) = 0\n+0 " .. line))
      end)
    end
  end)

  describe("calls", function()
    it("have numbers, constants, strings, lists and structs", function()
      local a = call([==[f(..., -3, 0x1F, A|B|4, "x" "y", [1, [2]], {onoff=1, linger=2},
        {fd=3, events=POLLIN, revents=POLLIN|POLLOUT}, {events=EPOLLIN, ptr=7},
        {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("1.2.3.4")},
        {..., 100}, inet6_addr("::1"), NAME=5) = 0]==]).arguments
      assert.same({ "ellipsis", -3, 31, "or", "xy" },
        { a[1].type, a[2].value, a[3].value, a[4].type, a[5].text })
      assert.equal(2, a[6].items[2].items[1].value)
      assert.same({ "linger", "pollfd", "epoll_event", "sockaddr" },
        { a[7].name, a[8].name, a[9].name, a[10].name })
      assert.same({ family = "AF_INET", port = 80, address = "1.2.3.4" }, a[10].fields)
      assert.same({ "braces", "address", "assign" }, { a[11].type, a[12].type, a[13].type })
    end)

    it("have message headers with control messages", function()
      local a = call([[recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 20}], msg_flags=MSG_TRUNC,
        msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=5},
          {cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY,
            ee_type=0, ee_code=1, ee_info=0, ee_data=3}},
          {cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0, scm_nsec=7}}]}, 0) = 30]])
        .arguments
      assert.same({ 2, 3 }, { a[2].fields.msg_iovlen, #a[2].fields.msg_control })
    end)

    for line, wanted in pairs {
      ["f(3 = 0"] = "2:8: expected .*'%)'", ["f(3, ) = 0"] = "expected a value, got '%)'",
      ["f() = 0 EINVAL"] = "'%(' and a note", ["f() ="] = "expected a value, got the end of the file",
      ["f({fd=3}) = 0"] = "expected .*','", ["f({sa_family = AF_X}) = 0"] = "'AF_INET' or 'AF_INET6'",
      ['f(inet_addr("1.2.3")) = 0'] = "'1.2.3' is no IPv4 address",
      ["f({events=1, x=2}) = 0"] = "'fd', 'ptr', 'u32' or 'u64'",
    } do
      it("are refused: " .. line, function()
        assert.matches(wanted, complaint("0 close(3) = 0\n+0 " .. line))
      end)
    end
  end)

  describe("an error", function()
    it("names file, line, column, what was expected and what is there", function()
      local problem = problem_of "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\n+0 > S 0:0[0]\n"
      assert.same({ "t.pkt", 3, 11 }, { problem.file, problem.line, problem.column })
      assert.equal("t.pkt:3:11: expected '(', got '['\n  +0 > S 0:0[0]\n            ^",
        grammar.explain(problem))
    end)
    it("lists everything that would have been welcome", function()
      assert.equal("1:3: expected a packet ('<' or '>'), a system call, a `command` or %{ code }%, got '='",
        complaint "0 = 5")
    end)
    it("says what is not closed, and where it began", function()
      assert.equal("1:3: a command is not closed", complaint "0 `x\n+1 close(3) = 0")
      assert.equal("2:1: a comment is not closed", complaint "0 close(3) = 0\n/* x")
      assert.equal("1:5: a string is not closed", complaint '0 f("x) = 0')
      assert.equal("1:3: a code snippet is not closed", complaint "0 %{ x }")
    end)
    it("is a plain one for an empty file", function()
      assert.matches("1:1: expected an option, a `command` or an event", complaint "")
      assert.matches("expected an event", complaint "`only an init command`")
    end)
    it("bounds how deep expressions lie within each other", function()
      assert.matches("more than 100 levels", complaint("0 f(" .. ("["):rep(5000) .. ") = 0"))
    end)
    it("says when a number does not fit", function()
      assert.matches("the number 99999999999999999999 is too large",
        complaint "0 f(99999999999999999999) = 0")
    end)
  end)
end)
