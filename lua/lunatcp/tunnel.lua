--- A link whose other end is outside this process, at the far end of a UDP tunnel.
--
-- Two processes, both with `tcp.network { clock = "real" }`:
--
--     net:tunnel(server, { bind = "127.0.0.1:9000", learn = true })                 -- here is 10.0.0.2
--     local far = net:tunnel(client, { peer = "127.0.0.1:9000" })                   -- here is 10.0.0.1
--     client:connect(net:remote { via = far }, 80)
--
-- @module lunatcp.tunnel

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local link = require "lunatcp.link"
local topology = require "lunatcp.topology"

local M = {}

local KEYS <const> = {
  "bind", "peer", "learn", "framing", "checksum", "batch", "address", "remote_address",
}
local OUTSIDE <const> = -1 -- stands for the far end in diagrams

local function checked_address(text, name)
  check.type(text, "string", name)
  if not core.address(topology.bare(text)) then check.raise("%s: '%s' is no address", name, text) end
  return text
end

--- Makes a tunnel; gives a link with all that links can do, and `socket()`, `tunnel_counters()`.
-- @tparam Network net
-- @tparam Host host
-- @tparam table options
--
-- * `bind`: the socket's address, "127.0.0.1:9000" (default: any port, of `peer`'s family, on loopback);
-- * `peer`: the far socket's; or `learn = true`: whoever sends first;
-- * `framing`: `"plain"` (default) or `"rawip"`; `checksum`: `"inner"` (default) or `"udp"`; `batch`;
-- * `address` ("10.0.0.1/24"), `remote_address` ("10.0.0.2"): the inner addresses. By default who names a
--   `peer` is 10.0.0.1 and who learns is 10.0.0.2;
-- * what `net:link` takes for its paths and `mtu`: `forward` is what leaves, `back` what comes in.
function M.new(net, host, options)
  check.type(options, "table", "tunnel: options")
  if net.clock ~= "real" then check.raise "tunnel: needs a network with clock = \"real\"" end
  local own, rest = {}, {}
  local is_own = {}
  for _, key in ipairs(KEYS) do is_own[key] = true end
  for key, value in pairs(options) do -- into two tables: the order does not matter
    if is_own[key] then own[key] = value else rest[key] = value end
  end
  if own.peer == nil and not own.learn then
    check.raise "tunnel: options: give peer = \"ADDRESS:PORT\", or learn = true"
  end
  local first, second = "10.0.0.1/24", "10.0.0.2"
  if own.peer == nil then first, second = "10.0.0.2/24", "10.0.0.1" end
  local address = checked_address(own.address or first, "tunnel: address")
  local remote = topology.bare(checked_address(own.remote_address or second, "tunnel: remote_address"))

  local made, message, code = link.outside(net, host, address, rest)
  if not made then return nil, message, code end
  local bind = own.bind or (own.peer and own.peer:find "^%[" and "[::1]:0") or "127.0.0.1:0"
  local loop = net.world.loop
  local tunnel
  tunnel, message, code = check.call(loop.udp, loop, {
    link = made.core, direction = 1, bind = bind, peer = own.peer, learn = own.learn or nil,
    framing = own.framing, checksum = own.checksum, batch = own.batch,
    local_address = topology.bare(address), remote_address = remote,
  })
  if not tunnel then return nil, message, code end
  made.tunnel, made.remote_addresses = tunnel, { remote }
  net.world.outside = true
  net.link_nodes[made.core:id()] = { host.id, OUTSIDE }
  net.outside = { node = OUTSIDE, name = "remote" }
  return made
end

return M
