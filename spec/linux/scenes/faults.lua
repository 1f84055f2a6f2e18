-- What can go wrong around a tunnel: no octet that was accepted is lost, and nothing spins.
local world = require "linux.world"

local M = {}

-- A transfer of ours to the kernel; `meanwhile` is called when a tenth is written.
local function transfer(w, count, meanwhile)
  local peer = w:kernel_listens(4, 7000, "recv=eof")
  local before = os.clock()
  w:run(function()
    local conn = assert(w.host:connect(w:remote(4), 7000, { timeout = 10 }))
    world.write(conn, count // 10)
    assert(conn:flush { timeout = 20 })
    meanwhile(conn)
    local rest = count - count // 10
    local offset = count // 10
    while rest > 0 do
      local length = math.min(65536, rest)
      assert(conn:write(world.octets(offset, length), { timeout = 50 }))
      offset, rest = offset + length, rest - length
    end
    assert(conn:flush { timeout = 50 })
    conn:close()
  end)
  w:settle(0.1)
  world.holds(peer.said(), ("received %d right eof"):format(count))
  assert(os.clock() - before < 3, "it span")
end

--- The socket's buffer fills up: a slow device.
function M.full_buffer()
  local w = world.open { settings = { rto_min = 0.2 } }
  world.sh "tc qdisc add dev va root tbf rate 20mbit burst 3000 limit 10000000"
  transfer(w, 3000000, function() end)
  local counters = w.far:tunnel_counters()
  assert(counters.failed == 0 and counters.not_permitted == 0, "not sent for another reason")
end

--- The path becomes narrower while data is under way: EMSGSIZE, an ICMP message to our own TCP, smaller
-- segments.
function M.narrower()
  local w = world.open {}
  transfer(w, 1000000, function(conn)
    assert(conn:info().path_mtu == 1450, conn:info().path_mtu)
    world.sh "ip link set va mtu 1200"
  end)
  local counters = w.far:tunnel_counters()
  assert(counters.too_big + counters.too_long > 0, "nothing was too long")
  assert(w.far.tunnel:mtu() == 1200 - 50, tostring(w.far.tunnel:mtu()))
end

--- The system forbids it for a while: EACCES.
function M.forbidden()
  local w = world.open { settings = { rto_min = 0.1 } }
  transfer(w, 1000000, function(conn)
    world.sh "ip route add prohibit 192.0.2.2/32"
    w.host:connect(w:remote(4), 7001, { timeout = 0.5 }) -- something to send
    assert(conn:state() == "ESTABLISHED", conn:state())
    assert(w.far:tunnel_counters().not_permitted > 0, "nothing was forbidden")
    world.sh "ip route del prohibit 192.0.2.2/32"
  end)
end

local function down_and_up(way, device, afterwards)
  local w = world.open { way = way, settings = { rto_min = 0.1 } }
  transfer(w, 1000000, function()
    world.sh(("ip link set %s down"):format(device))
    w.net:sleep(0.5)
    world.sh(("ip link set %s up; %s"):format(device, afterwards))
  end)
end

--- The device goes down and comes back: no route for a while.
function M.down_and_up() down_and_up(nil, "va", "") end

--- The same with our TUN device.
function M.tun_down_and_up() down_and_up("tun", "tun7", "ip addr add fd99::2/64 dev tun7 nodad") end

--- Our TUN device is removed: the connection dies of its user timeout, and nothing spins.
function M.tun_removed()
  local w = world.open { way = "tun", settings = { rto_min = 0.1, user_timeout = 1 } }
  local peer = w:kernel_listens(4, 7000, "sleep=30000")
  local code
  local before
  w:run(function()
    local conn = assert(w.host:connect(w:remote(4), 7000, { timeout = 10 }))
    world.sh "ip link del tun7"
    before = os.clock()
    w.net:sleep(1) -- in which nothing is to be done
    assert(os.clock() - before < 0.3, "it span while it was idle")
    assert(conn:write(world.octets(0, 1000)))
    local _
    _, _, code = conn:read(1, { timeout = 20 })
  end)
  assert(code == "ETIMEDOUT", code)
  assert(w.far:tunnel_counters().failed > 0, "nobody counted what the device did not take")
  assert(os.clock() - before < 0.5, "it span")
  world.sh "kill $(pgrep kernel_peer)"
  peer.said()
end

--- Our process sleeps for a while, as one that was suspended.
function M.suspended()
  local w = world.open { settings = { rto_min = 0.1 } }
  transfer(w, 1000000, function()
    local pid = io.open "/proc/self/stat":read "n"
    os.execute(("(kill -STOP %d; sleep 1; kill -CONT %d) &"):format(pid, pid))
    w.net:sleep(0.3)
  end)
end

--- The other end vanishes, its namespace with it: the connection dies of its user timeout, and nothing spins.
function M.vanishes()
  local w = world.open { settings = { rto_min = 0.1, user_timeout = 2 } }
  local peer = w:kernel_listens(4, 7000, "sleep=30000")
  local code, calls
  local before = os.clock()
  w:run(function()
    local conn = assert(w.host:connect(w:remote(4), 7000, { timeout = 10 }))
    world.sh "ip -n them link del vb; ip netns del them; kill $(pgrep kernel_peer)"
    assert(conn:write(world.octets(0, 1000)))
    local _
    _, _, code = conn:read(1, { timeout = 20 })
    calls = w.far:tunnel_counters().calls_out
  end)
  assert(code == "ETIMEDOUT" or code == "EHOSTUNREACH" or code == "ENETUNREACH", code)
  assert(calls < 100, calls .. " calls")
  assert(os.clock() - before < 1, "it span")
  peer.said()
end

return M
