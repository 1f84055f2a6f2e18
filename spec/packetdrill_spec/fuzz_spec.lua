-- Mutated scripts: whatever the text is, it is read or a problem with a place comes back; nothing is raised.
local core = require "lunatcp.core"
local packetdrill = require "lunatcp.packetdrill"
local python = require "lunatcp.packetdrill.python"

local SEEDS <const> = {
  [[
// A comment.
--ip_version=ipv4 --mss=1460
`../common/defaults.sh`
0.000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("1.2.3.4")}, ...) = 0
+.1...0.200 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
* > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.1~+.2 > [ect0] P.5 1:1001(1000) ack 1 win 5 urg 1 <nop,nop,sack 1:2 3:4>
+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]
+0 %{ assert 5 <= tcpi_rtt <= 10, 'rtt=%d' % (tcpi_rtt); print(x) }%
`cleanup`]],
  [[
--define=N=5
0 < [tos 0x20, flowlabel 0x5] 80 > 90 S 0:0(0) win 5 <FO 00ff,md5 aabb,nop,nop,ECN e0b 1 ceb 2,nop,nop>
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,100}], msg_flags=0,
   msg_control=[{cmsg_level=1, cmsg_type=2, cmsg_data={scm_sec=0, scm_nsec=0}}]}, MSG_PEEK|0x4) = N
+0 epoll_wait(3, {events=EPOLLIN|EPOLLOUT, fd=3}, 1, 0) = 1
+0 > ipv6 fd3d::1 > fd3d::2: gre, flags [none], sum 0, off 0, key 5, seq 1:
   mpls (label 1, tc 2, [S], ttl 3): . 0:0(0)
/* the end */ +1 > udp 5 > 6 (10)]],
}
local PIECES <const> = {
  "(", ")", "<", ">", "[", "]", "{", "}", "...", "%{", "}%", "`", '"', "/*", "*/", "//", "\n", ".", "-", "+",
  "~", "0", "99999999999999999999", "0x", "ack ", "sack ", "\0", "\255", "=", ",", ":", "::", "1.2.3.4", "\\",
  "--x",
}
local COUNT <const> = 1000

local function mutate(random, script)
  for _ = 1, 1 + random:below(3) do
    local at, kind = 1 + random:below(#script + 1), random:below(5)
    if kind == 0 then
      script = script:sub(1, at - 1) .. script:sub(at + 1 + random:below(12))
    elseif kind == 1 then
      script = script:sub(1, at - 1) .. PIECES[1 + random:below(#PIECES)] .. script:sub(at)
    elseif kind == 2 then
      script = script:sub(1, at - 1) .. string.char(random:below(256)) .. script:sub(at + 1)
    elseif kind == 3 then
      local from = 1 + random:below(#script + 1)
      script = script:sub(1, at - 1) .. script:sub(from, from + random:below(40)) .. script:sub(at)
    else
      script = script:sub(1, at - 1)
    end
  end
  return script
end

describe("mutated packetdrill scripts", function()
  it("are read or refused with a place, and never raise", function()
    local random, read, refused = core.random(20, "packetdrill"), 0, 0
    for i = 1, COUNT do
      local script = mutate(random, SEEDS[1 + i % #SEEDS])
      local made, problem = packetdrill.parse(script, "fuzz")
      if made then
        read = read + 1
      else
        refused = refused + 1
        assert(math.type(problem.line) == "integer" and problem.line >= 1 and problem.column >= 1
          and type(problem.message) == "string" and problem.file == "fuzz", script)
      end
    end
    -- The mutations reach both sides, or they would show nothing.
    assert(read > COUNT // 40 and refused > COUNT // 4, ("%d read, %d refused"):format(read, refused))
  end)

  it("have code that is understood or refused with a line, and never raises", function()
    local random = core.random(21, "python")
    for _ = 1, COUNT do
      local code = mutate(random, "x = 3; assert 5 <= (x + 2) * 1 <= 10 and not x == 4, 'x=%d %s' % (x, x)\n"
        .. "print(min(x, 2), max(1, x)); x += 1 # end\nassert x & 0xf in (4, 5) or x ** 2 // 3 % 2, x")
      local statements, message, line = python.compile(code, 7)
      if statements then
        local ok
        ok, message, line = python.run(statements, {}, {})
        if ok then message, line = "", 7 end
      end
      assert(type(message) == "string" and math.type(line) == "integer" and line >= 7, code)
    end
  end)
end)
