-- What a script leaves to the interpreter: from which moment injected packets count, and whose packet it is.
local packetdrill = require "lunatcp.packetdrill"

local START <const> = [[
--tolerance_usecs=4000
`sysctl -q net.ipv4.tcp_timestamps=0 net.lunatcp.quick_acks=0 net.lunatcp.push_bursts=0`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
+0 < S 0:0(0) win 20000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+0 < . 1:1(0) ack 1 win 20000
+0 accept(3, ..., ...) = 4
]]

local function run(lines)
  local result = packetdrill.run(START .. lines, "t.pkt")
  assert(result.ok, packetdrill.explain(result))
  return result
end

describe("an injected packet", function()
  -- The delayed ACK leaves 40 ms after the data, and is expected a little early: what is written as absolute
  -- at 39 ms happens at 40.
  local LATE <const> = "0 < P. 1:11(10) ack 1 win 20000\n0.038 > . 1:1(0) ack 11\n"
    .. "0.039 < P. 11:21(10) ack 1 win 20000\n"

  it("that follows another counts from when that was to happen, not from when it did", function()
    local result = run(LATE .. "+.020 < P. 21:31(10) ack 1 win 20000\n"
      .. "+.040 %{ assert tcpi_bytes_received == 30 }%")
    assert.near(0.059 + 0.040, result.time, 1e-9)
  end)

  it("that follows something else counts from now", function()
    local result = run(LATE .. "+0 read(4, ..., 20) = 20\n+.020 < P. 21:31(10) ack 1 win 20000\n"
      .. "+.040 %{ assert tcpi_bytes_received == 30 }%")
    assert.near(0.060 + 0.040, result.time, 1e-9)
  end)
end)

describe("a packet of the stack", function()
  it("to another port is of another connection, and is not what the script waits for", function()
    -- The first connection's data goes again at 200 ms; it is not the second one's, with the same numbers.
    run [[
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+.1 close(3) = 0
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
+0 < S 0:0(0) win 20000 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+0 < . 1:1(0) ack 1 win 20000
+0 accept(3, ..., ...) = 5
+.5 write(5, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+.01 < . 1:1(0) ack 101 win 20000
]]
  end)
end)
