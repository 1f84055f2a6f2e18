-- For the specs beside it: tunnels on loopback whose ends are peers, so that what goes in and what
-- comes out can be compared octet by octet.
local core = require "lunatcp.core"
local luv = require "luv"

local M = {}

M.PATIENCE = 5 -- seconds until a spec gives up

M.INNER = {
  [4] = { "10.0.0.1", "10.0.0.2" },
  [6] = { "fd00::1", "fd00::2" },
}
M.ANY = { [4] = "127.0.0.1:0", [6] = "[::1]:0" }

--- "127.0.0.1:9" or "[::1]:9", as bind and peer want it.
function M.text(host, port)
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port)
end

--- A TCP segment in an IP packet from end 1 to end 2, or back.
function M.packet(family, from, fields)
  local inner = M.INNER[family]
  local packet = {
    source = inner[from], destination = inner[3 - from],
    source_port = 1000, destination_port = 2000, seq = 1, ack = 2, flags = "A", window = 500,
  }
  for key, value in pairs(fields or {}) do packet[key] = value end
  return core.encode(packet)
end

--- An ICMP echo request, which no TCP segment is: RFC 792.
function M.ping()
  return "\x45\0\0\x1c\0\0\0\0\x40\1\x66\xdf\10\0\0\1\10\0\0\2" .. "\8\0\xf7\xff\0\0\0\0"
end

--- A socket that knows nothing of tunnels: what it sees is what is on the wire.
-- @tparam[opt=0] integer port
-- @tparam[opt="127.0.0.1"] string host
function M.bare(port, host)
  local self = { got = {}, handle = luv.new_udp() }
  assert(self.handle:bind(host or "127.0.0.1", port or 0))
  assert(self.handle:recv_start(function(_, data, address)
    if data then
      table.insert(self.got, data)
      self.from = address
    end
  end))
  local name = self.handle:getsockname()
  self.text, self.port = M.text(name.ip, name.port), name.port
  function self.send(data, to, number) assert(self.handle:try_send(data, to, number)) end
  function self.close()
    self.handle:close()
    luv.run "nowait"
  end
  return self
end

--- "08 00 0a" to octets.
function M.hex(text) return (text:gsub("%s", ""):gsub("%x%x", function(h) return string.char(tonumber(h,
  16)) end)) end

--- A network with one peer whose link leads out of the process, and its tunnel.
function M.outside(options)
  local family = options.family or 4
  local self = setmetatable({ loop = assert(core.loop()), got = {} }, { __index = M })
  self.net = core.network { start_ns = self.loop:now_ns(), seed = 1 }
  self.peers = { self.net:peer() }
  self.link = assert(self.net:link {
    { node = self.peers[1], addresses = { M.INNER[family][1] .. "/24" } },
    { path = options.path },
    tunnel = true, mtu = 65535,
  })
  self.tunnel, self.message, self.code = self:udp(1, options)
  return self
end

--- A network with two peers, and a tunnel at each end of their link.
function M.pair(options)
  local family = options.family or 4
  local self = setmetatable({ loop = assert(core.loop()), got = {} }, { __index = M })
  self.net = core.network { start_ns = self.loop:now_ns(), seed = 1 }
  self.peers = { self.net:peer(), self.net:peer() }
  self.link = assert(self.net:link {
    { node = self.peers[1], addresses = { M.INNER[family][1] .. "/24" }, path = options.path },
    { node = self.peers[2], addresses = { M.INNER[family][2] .. "/24" } },
    tunnel = true, mtu = 65535,
  })
  self.tunnels = { assert(self:udp(1, options)), assert(self:udp(2, options)) }
  for i = 1, 2 do assert(self.tunnels[i]:set_peer(M.text(self.tunnels[3 - i]:address()))) end
  return self
end

--- loop:udp for end 1 or 2, with what is usual left out.
function M:udp(direction, options)
  local family = options.family or 4
  local inner = M.INNER[options.inner or family]
  return self.loop:udp {
    link = self.link, direction = direction,
    bind = options.bind or M.ANY[family], peer = options.peer, learn = options.learn,
    framing = options.framing, checksum = options.checksum, batch = options.batch,
    peers = options.peers, vni = options.vni, mac = options.mac, fragments = options.fragments,
    local_addresses = options.local_addresses, local_address = inner[direction],
      remote_address = inner[3 - direction],
  }
end

--- Goes on in real time until `done()`, and fails when that takes too long. What peers receive is
-- collected in got[node].
function M:run(done)
  local limit = self.loop:now() + M.PATIENCE
  while not done() do
    local reason, peer = self.loop:step(self.net, math.min(limit, self.loop:now() + 0.002))
    if reason == "peer" then
      local node = peer:id()
      self.got[node] = self.got[node] or {}
      for packet in function() return (peer:receive()) end do table.insert(self.got[node], packet) end
    elseif self.loop:now() >= limit then
      error("nothing happened in " .. M.PATIENCE .. " s", 2)
    end
  end
end

--- The same with the loop of bare sockets.
function M:run_both(done)
  self:run(function()
    luv.run "nowait"
    return done()
  end)
end

--- Runs until a peer has so many packets, and gives them.
function M:receive(node, count)
  self:run(function() return self.got[node] and #self.got[node] >= count end)
  return self.got[node]
end

function M:close()
  self.loop:close()
  self.net:close()
end

return M
