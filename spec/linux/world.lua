--- Our side of a scene: a network with one host whose way out leads to the kernel, and the kernel's side as
-- commands. Ours are 10.99.0.1 and fd99::1, the kernel's 10.99.0.2 and fd99::2.
local tcp = require "lunatcp"

local M = {}

local PERIOD <const> = 65521
local CHUNK <const> = 65536

local World = {}
World.__index = World

M.OURS = { [4] = "10.99.0.1", [6] = "fd99::1" }
M.THEIRS = { [4] = "10.99.0.2", [6] = "fd99::2" }

local function sh(command)
  local ok = os.execute(command .. " >/dev/null")
  assert(ok, command)
end
M.sh = sh

-- ---- the ways to the kernel ----------------------------------------------------------------------

local WAYS = {}

-- The kernel's vxlan device; `outer` is the family of the datagrams.
local function vxlan_device(ours, theirs, outer)
  sh(([[ip -n them link add vx0 type vxlan id 7 remote %s local %s dstport 4789 dev vb %s
        ip netns exec them ethtool -K vx0 tx off >/dev/null
        ip -n them addr add 10.99.0.2/24 dev vx0
        ip -n them addr add fd99::2/64 dev vx0 nodad
        ip -n them link set vx0 up]]):format(ours, theirs, outer == 6 and "udp6zerocsumrx" or ""))
end

-- socat between a UDP socket and a TUN device, once ours is open: it ends when it is refused.
local function socat_device()
  local pipe = assert(io.popen("ip netns exec them socat UDP:192.0.2.1:5000,bind=192.0.2.2:5000 "
    .. "TUN:10.99.0.2/24,up,tun-name=tun7,iff-no-pi 2>&1 &", "r"))
  sh [[for i in $(seq 100); do ip -n them link show tun7 2>&1 | grep -q UP && break; sleep 0.02; done
       ip -n them addr add fd99::2/64 dev tun7 nodad]]
  return pipe
end

--- The other end for a script that is a process of its own, and has its tunnel by now: what is in front of
-- commands there, and what must be kept meanwhile.
function M.device(way)
  if way == "tun" then return "" end
  if way == "rawip" then return "ip netns exec them ", socat_device() end
  vxlan_device("192.0.2.1", "192.0.2.2", 4)
  return "ip netns exec them "
end

function WAYS.vxlan(self, options)
  local outer = options.outer or 4
  local ours, theirs = "192.0.2.1", "192.0.2.2"
  if outer == 6 then ours, theirs = "2001:db8::1", "2001:db8::2" end
  vxlan_device(ours, theirs, outer)
  self.prefix = "ip netns exec them "
  self.far = assert(self.net:tunnel(self.host, self:tunnel_options {
    bind = outer == 6 and "[" .. ours .. "]" or ours, peer = theirs, framing = "vxlan", vni = 7,
    address = { "10.99.0.1/24", "fd99::1/64" },
  }))
end

-- A TUN device in our own namespace.
function WAYS.tun(self)
  self.prefix = ""
  self.far = assert(self.net:tunnel(self.host, self:tunnel_options {
    tun = "tun7", address = { "10.99.0.1/24", "fd99::1/64" }, batch = self.options.batch,
  }))
  sh [[ip addr add 10.99.0.2/24 dev tun7
       ip addr add fd99::2/64 dev tun7 nodad
       ip link set tun7 up]]
end

function WAYS.rawip(self)
  self.prefix = "ip netns exec them "
  self.far = assert(self.net:tunnel(self.host, self:tunnel_options {
    bind = "192.0.2.1:5000", peer = "192.0.2.2:5000", framing = "rawip",
    address = { "10.99.0.1/24", "fd99::1/64" },
  }))
  self.socat = socat_device()
end

-- ---- a world ---------------------------------------------------------------------------------------

--- `way`: "vxlan" (default), "tun" or "rawip"; `settings`: of our host; `forward`, `back`, `mtu`, and of
-- "tun" `batch`: of the tunnel; `seed`.
function M.open(options)
  local self = setmetatable({ options = options or {}, commands = {} }, World)
  self.net = tcp.network { clock = "real", seed = self.options.seed or 7, trace = self.options.trace }
  local settings = { profile = "linux" }
  for key, value in pairs(self.options.settings or {}) do settings[key] = value end
  self.host = self.net:host("ours", settings)
  WAYS[self.options.way or "vxlan"](self, self.options)
  return self
end

function World:tunnel_options(all)
  for _, key in ipairs { "forward", "back", "mtu", "loss", "delay" } do all[key] = self.options[key] end
  all.remote_address = { "10.99.0.2", "fd99::2" }
  return all
end

--- The kernel's end, as `connect` wants it.
function World:remote(family) return self.net:remote { via = self.far, address = M.THEIRS[family or 4] } end

--- Sets a sysctl of the kernel's side.
function World:sysctl(assignment) sh(("%ssysctl -q -w '%s'"):format(self.prefix, assignment)) end

--- Starts a command on the kernel's side. `said()` gives what it printed when it has ended, `line()` the
-- next line.
function World:start(command)
  local pipe = assert(io.popen(("%s%s 2>&1"):format(self.prefix, command), "r"))
  return {
    line = function() return pipe:read "l" end,
    said = function()
      local text = pipe:read "a"
      pipe:close()
      return text
    end,
  }
end

local function words(list)
  local all = {}
  for i, word in ipairs(list) do all[i] = "'" .. word .. "'" end
  return table.concat(all, " ")
end

--- A listener of the kernel that takes one connection: it is ready when this returns.
function World:kernel_listens(family, port, ...)
  local peer = self:start(("%s listen %s %d %s"):format(os.getenv "KERNEL_PEER", M.THEIRS[family], port,
    words { ... }))
  local line = peer.line()
  assert(line == "ready", line)
  return peer
end

--- The kernel connects to us.
function World:kernel_connects(family, port, ...)
  return self:start(("%s connect %s %d %s"):format(os.getenv "KERNEL_PEER", M.OURS[family], port,
    words { ... }))
end

--- Runs tasks until all have ended; fails when that takes longer.
function World:run(...)
  local left = select("#", ...)
  for i = 1, left do
    local body = select(i, ...)
    self.net:spawn(function()
      body()
      left = left - 1
    end)
  end
  self.net:run { until_ = function() return left == 0 or self.net:now() > 60 end }
  if left > 0 then
    io.stderr:write(self.net:ladder(), "\n")
    error "not done after 60 s"
  end
end

--- Goes on for so long, so that what was closed comes to its end.
function World:settle(seconds)
  local stop = self.net:now() + seconds
  self.net:run { until_ = stop }
end

-- ---- octets in which a lost, doubled or misplaced one shows -------------------------------------------

local octets = {}
for i = 0, PERIOD - 1 do octets[i + 1] = string.char((i * i // 251 + i) & 255) end
local period = table.concat(octets)
local text = period .. period .. period

--- `count` octets of the pattern from `offset` on.
function M.octets(offset, count)
  local at = offset % PERIOD
  return text:sub(at + 1, at + count)
end

--- Writes so many octets of the pattern.
function M.write(conn, count)
  local offset = 0
  while offset < count do
    local length = math.min(CHUNK, count - offset)
    assert(conn:write(M.octets(offset, length), { timeout = 50 }))
    offset = offset + length
  end
end

--- Reads so many, or to the end, and compares.
function M.read(conn, count)
  local offset = 0
  while not count or offset < count do
    local piece, message, code = conn:read(CHUNK, { timeout = 50 })
    if not piece then
      assert(code == nil, message)
      break
    end
    assert(piece == M.octets(offset, #piece), "octets differ after " .. offset)
    offset = offset + #piece
  end
  assert(not count or offset == count, ("%d octets came, not %s"):format(offset, count))
  return offset
end

--- Fails unless `text` holds `wanted`, plainly.
function M.holds(said, wanted)
  assert(said:find(wanted, 1, true), ("%q is not in %q"):format(wanted, said))
end

return M
