-- You will see this TCP talk to the kernel's own: a handshake, a request and an answer, and the ends of both.
-- Run it: sudo ./dev run examples/linux.lua (Linux; without root it says what it needs)
-- It plays RFC 9293 section 3.10 against Linux, through a VXLAN (RFC 7348) between two network namespaces.

local tcp = require "lunatcp"

local function try(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1"))
  local said = pipe:read "a"
  return pipe:close(), said
end

-- ---- outside: what is needed, and the namespaces ------------------------------------------------------

-- They belong to a process that ends with this script, however that ends; the kernel then takes them down.
local NAMESPACES <const> = "unshare --net --mount --pid --fork --kill-child --mount-proc "

if arg[1] ~= "inside" then
  local missing = {}
  local function needs(command, what)
    if not try(command) then missing[#missing + 1] = what end
  end
  needs("test $(uname) = Linux", "Linux, for the other side is its TCP")
  needs("test $(id -u) = 0", "root, to make network namespaces: sudo ./dev run examples/linux.lua")
  if #missing == 0 then
    needs("command -v unshare && command -v ip", "unshare and ip (Debian: util-linux, iproute2)")
    needs("command -v ethtool", "ethtool: a vxlan device leaves checksums unfilled until it is told not to")
    needs(NAMESPACES .. "ip link add vx0 type vxlan id 7 dstport 4789 remote 192.0.2.9",
      "a kernel with network namespaces, veth and vxlan")
  end
  if #missing > 0 then
    print "This example sets up a second network namespace and lets the kernel in it talk to us. It needs"
    for _, what in ipairs(missing) do print("  " .. what) end
    os.exit(false)
  end
  local ok, _, status = os.execute(NAMESPACES .. "lua5.4 '" .. arg[0]:gsub("'", "'\\''") .. "' inside")
  os.exit(ok and true or status)
end

-- ---- inside: a veth pair, and their vxlan device -------------------------------------------------------

local SETUP <const> = [[set -e
mount -t tmpfs none /run && mkdir /run/netns
ip netns add them
ip link add va type veth peer name vb netns them
ip addr add 192.0.2.1/24 dev va && ip link set va up
ip -n them addr add 192.0.2.2/24 dev vb && ip -n them link set vb up && ip -n them link set lo up
ip -n them link add vx0 type vxlan id 7 remote 192.0.2.1 dstport 4789 dev vb
ip netns exec them ethtool -K vx0 tx off
ip -n them addr add 10.99.0.2/24 dev vx0 && ip -n them link set vx0 up]]

local set_up, why = try(SETUP)
if not set_up then
  io.stderr:write("linux: setting up failed:\n", why)
  os.exit(false)
end

local net = assert(tcp.network { clock = "real", seed = 7 })
local ours = net:host("ours", { profile = "linux" })
local far = assert(net:tunnel(ours, {
  bind = "192.0.2.1", peer = "192.0.2.2", framing = "vxlan", vni = 7, address = "10.99.0.1/24",
  remote_address = "10.99.0.2",
}))
local kernel = net:remote { via = far, name = "Linux" }

-- bash speaks the kernel's TCP: its client comes to us, says a line, and prints what it is told.
local CLIENT <const> = [[timeout 10 ip netns exec them bash -c '
  exec 3<>/dev/tcp/10.99.0.1/80
  echo "who are you?" >&3
  cat <&3']]

local from_kernel
net:spawn(function()
  local listener <close> = assert(ours:listen(80))
  from_kernel = assert(io.popen(CLIENT))
  local conn <close> = assert(listener:accept { timeout = 5 })
  print(("%s says: %s"):format(kernel.name, conn:lines { timeout = 5 }()))
  conn:write "a TCP in the hand of a Lua script\n"
end)
net:spawn(function() -- nobody listens there: the kernel says so
  local conn, message, code = ours:connect(kernel, 81, { timeout = 5 })
  assert(not conn)
  print(("port 81 of %s: %s (%s)"):format(kernel.name, message, code))
end)
net:run()
net:run { until_ = net:now() + 0.3 } -- the last acknowledgments

print("it was told: " .. from_kernel:read "l")
from_kernel:close()
print ""
print(net:ladder())
local counters = far:tunnel_counters()
print(("\n%d datagrams out, %d in; %d questions by ARP answered, %d asked"):format(counters.datagrams_out,
  counters.datagrams_in, counters.neighbours_answered, counters.neighbours_asked))
