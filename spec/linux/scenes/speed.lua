-- How fast octets go to the kernel's TCP and come from it: for bench/kernel.lua. Each prints nanoseconds,
-- and ours the processor time of our process.
local luv = require "luv"
local world = require "linux.world"

local M = {}

local PORT <const>, CHUNK <const> = 7000, ("x"):rep(65536)

-- "tun": as the kernel has it; "tun plain": packet by packet.
local function open(way)
  local plain = way == "tun plain"
  return world.open { way = plain and "tun" or way, batch = plain and "plain" or nil, trace = false }
end

--- The kernel's TCP at both ends: by vxlan devices, or (tun) by the veth pair itself, with segments that are
-- cut late, or (tun plain) with packets no longer than its MTU.
function M.kernel(way, count)
  local peer, address = os.getenv "KERNEL_PEER", "192.0.2.2"
  if way == "vxlan" then
    address = "10.99.0.2"
    world.sh [[ip -n them link add vx0 type vxlan id 7 remote 192.0.2.1 local 192.0.2.2 dstport 4789 dev vb
               ip netns exec them ethtool -K vx0 tx off >/dev/null
               ip -n them addr add 10.99.0.2/24 dev vx0 && ip -n them link set vx0 up
               ip link add vx1 type vxlan id 7 remote 192.0.2.2 local 192.0.2.1 dstport 4789 dev va
               ethtool -K vx1 tx off >/dev/null && ip addr add 10.99.0.1/24 dev vx1 && ip link set vx1 up]]
  elseif way == "tun plain" then
    world.sh [[ethtool -K va tso off gso off gro off
               ip netns exec them ethtool -K vb tso off gso off gro off]]
  end
  local command = ("ip netns exec them %s listen %s %d recv=%d"):format(peer, address, PORT, count)
  local listener <close> = assert(io.popen(command))
  assert(listener:read "l" == "ready")
  local before = luv.hrtime()
  assert(os.execute(("%s connect %s %d send=%d > /dev/null"):format(peer, address, PORT, count)))
  listener:read "a"
  print("took", (luv.hrtime() - before) // 1 | 0, 0)
end

--- Ours sends.
function M.send(way, count)
  local w = open(way)
  count = tonumber(count)
  local peer = w:kernel_listens(4, PORT, "recv=" .. count)
  w:run(function()
    local conn = assert(w.host:connect(w:remote(4), PORT, { timeout = 10 }))
    local before, cpu = luv.hrtime(), os.clock()
    for _ = 1, count // #CHUNK do assert(conn:write(CHUNK, { timeout = 50 })) end
    assert(conn:flush { timeout = 50 })
    print("took", (luv.hrtime() - before) // 1 | 0, math.floor((os.clock() - cpu) * 1e9))
    conn:close()
  end)
  w:settle(0.1)
  peer.said()
end

--- The kernel sends.
function M.receive(way, count)
  local w = open(way)
  count = tonumber(count)
  w:run(function()
    local listener <close> = assert(w.host:listen(PORT))
    local peer = w:kernel_connects(4, PORT, "send=" .. count) -- kept: its end would be waited for
    local conn = assert(listener:accept { timeout = 10 })
    local before, cpu, got = luv.hrtime(), os.clock(), 0
    while got < count do got = got + #assert(conn:read(#CHUNK, { timeout = 50 })) end
    print("took", (luv.hrtime() - before) // 1 | 0, math.floor((os.clock() - cpu) * 1e9))
    assert(conn:close())
    w.peer = peer
  end)
  w:settle(0.1)
end

return M
