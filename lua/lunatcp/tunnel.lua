--- A link whose other end is outside this process: at the far end of a UDP tunnel, or behind a TUN device.
--
-- Two processes, both with `tcp.network { clock = "real" }`:
--
--     net:tunnel(server, { bind = "127.0.0.1:9000", learn = true })                 -- here is 10.0.0.2
--     local far = net:tunnel(client, { peer = "127.0.0.1:9000" })                   -- here is 10.0.0.1
--     client:connect(net:remote { via = far }, 80)
--
-- A process and a Linux kernel, whose `vxlan` device or TUN device has 10.0.0.2:
--
--     net:tunnel(host, { peer = "192.0.2.2:4789", bind = "192.0.2.1:4789", framing = "vxlan", vni = 7,
--                        address = { "10.0.0.1/24", "fd00::1/64" } })
--     net:tunnel(host, { tun = "tun7", address = "10.0.0.1/24", remote_address = "10.0.0.2" })
--
-- @module lunatcp.tunnel

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local link = require "lunatcp.link"
local topology = require "lunatcp.topology"

local M = {}

local KEYS <const> = {
  "bind", "peer", "peers", "learn", "framing", "checksum", "batch", "address", "remote_address", "vni", "mac",
  "fragments", "tun",
}
local OUTSIDE <const> = -1 -- stands for the far end in diagrams
local ETHERNET_MTU <const> = 1500
local VXLAN_PORT <const> = 4789

local function checked_address(text, name)
  check.type(text, "string", name)
  if not core.address(topology.bare(text)) then check.raise("%s: '%s' is no address", name, text) end
  return text
end

-- A text or a list of texts as a list.
local function checked_addresses(value, name)
  if type(value) == "string" then value = { value } end
  check.type(value, "table", name)
  if #value == 0 then check.raise("%s: no address", name) end
  for i, text in ipairs(value) do checked_address(text, ("%s[%d]"):format(name, i)) end
  return value
end

local function bare_all(list)
  local all = {}
  for i, text in ipairs(list) do all[i] = topology.bare(text) end
  return all
end

local ALL_KEYS <const> = table.move(KEYS, 1, #KEYS, #link.OUTSIDE_KEYS + 1,
  table.move(link.OUTSIDE_KEYS, 1, #link.OUTSIDE_KEYS, 1, {}))

-- What a TUN device has no place for, and what is of one framing only.
local OF_SOCKETS <const> = {
  "bind", "peer", "peers", "learn", "framing", "checksum", "fragments", "vni", "mac",
}
local OF_FRAMING <const> = { { "checksum", "plain" }, { "vni", "vxlan" }, { "mac", "vxlan" } }

local function check_fits(own)
  if own.tun ~= nil then
    check.type(own.tun, "string", "tunnel: tun")
    for _, key in ipairs(OF_SOCKETS) do
      if own[key] ~= nil then check.raise("tunnel: %s: a TUN device has none", key) end
    end
  end
  local framing = own.framing or "plain"
  for _, entry in ipairs(OF_FRAMING) do
    local key, only = entry[1], entry[2]
    local said = own[key] ~= nil and not (key == "checksum" and own[key] == "inner")
    if said and framing ~= only then
      check.raise("tunnel: %s: only framing '%s' has it, not '%s'", key, only, framing)
    end
  end
  for _, key in ipairs { "bind", "peer", "framing" } do
    check.optional(own[key], "string", "tunnel: " .. key)
  end
end

-- Each of several is somewhere else, and known by its inner address; rawip and vxlan may find that out.
local function check_peers(own)
  local framing, seen = own.framing or "plain", {}
  for i, peer in ipairs(check.type(own.peers, "table", "tunnel: peers")) do
    local name = ("tunnel: peers[%d]"):format(i)
    check.options(check.type(peer, "table", name), { "peer", "address", "mac" }, name)
    check.type(peer.peer, "string", name .. ": peer")
    if peer.address ~= nil then
      checked_address(peer.address, name .. ": address")
    elseif framing == "plain" or framing == "cheshire" then
      check.raise("%s: address: framing '%s' does not tell it", name, framing)
    end
    for _, text in ipairs { peer.peer, peer.address } do
      if seen[text] then check.raise("%s: %s is that of peers[%d], too", name, text, seen[text]) end
      seen[text] = i
    end
  end
end

-- What is the tunnel's, and what is the link's.
local function divided(options)
  check.options(options, ALL_KEYS, "tunnel: options")
  local own, rest, is_own = {}, {}, check.set_of(KEYS)
  for key, value in pairs(options) do -- into two tables: the order does not matter
    if is_own[key] then own[key] = value else rest[key] = value end
  end
  if not own.tun and own.peer == nil and own.peers == nil and not own.learn then
    check.raise "tunnel: options: give peer = \"ADDRESS:PORT\", peers = { ... }, tun = NAME, or learn = true"
  end
  check_fits(own)
  if own.peers ~= nil then check_peers(own) end
  return own, rest
end

-- RFC7348:5-5, RFC7348:5-6: an address without a port means that of VXLAN.
local function with_port(text)
  if type(text) ~= "string" then return text end
  local has_port = text:find "^%[.*%]:%d+$" or text:find "^[^%[:]*:%d+$"
  if has_port then return text end
  if text:find ":" and not text:find "^%[" then text = "[" .. text .. "]" end
  return ("%s:%d"):format(text, VXLAN_PORT)
end

local function with_vxlan_ports(own)
  own.peer = with_port(own.peer)
  own.bind = with_port(own.bind)
  if not own.bind then own.bind = with_port(own.peer and own.peer:find "^%[" and "::" or "0.0.0.0") end
  if type(own.peers) ~= "table" then return end
  local peers = {}
  for i, peer in ipairs(own.peers) do
    if type(peer) == "table" then
      peer = { peer = with_port(peer.peer), address = peer.address, mac = peer.mac }
    end
    peers[i] = peer
  end
  own.peers = peers
end

-- The inner addresses, ours and the far end's.
local function inner(own)
  local first, second = "10.0.0.1/24", "10.0.0.2"
  local names_other = own.peer ~= nil or own.tun ~= nil
  if not names_other then first, second = "10.0.0.2/24", "10.0.0.1" end
  local here = checked_addresses(own.address or first, "tunnel: address")
  local there = own.remote_address
  if there == nil and own.peers then
    there = {}
    for _, peer in ipairs(own.peers) do
      if type(peer) == "table" and peer.address then there[#there + 1] = peer.address end
    end
    if #there == 0 then there = nil end
  end
  local _, family = core.address(topology.bare(here[1]))
  local framing = own.framing or "plain"
  if not there and family == 6 and (names_other or framing == "plain" or framing == "cheshire") then
    check.raise("tunnel: remote_address: the far end's must be given beside %s", here[1])
  end
  return here, bare_all(checked_addresses(there or second, "tunnel: remote_address"))
end

-- Any port of the peers' family: on loopback where they are, or where there are none yet.
local function own_socket(own)
  local six, elsewhere
  for _, peer in ipairs(own.peers or { { peer = own.peer } }) do
    six = peer.peer and peer.peer:find "^%["
    elsewhere = elsewhere or peer.peer and not (peer.peer:find "^127%." or peer.peer:find "^%[::1%]")
  end
  if elsewhere then return six and "[::]:0" or "0.0.0.0:0" end
  return six and "[::1]:0" or "127.0.0.1:0"
end

-- Opens the TUN device or the socket at the link's end.
local function open(net, made, own, here, there)
  local loop = net.world.loop
  if own.tun then
    return check.call(loop.tun, loop, { link = made.core, direction = 1, name = own.tun, batch = own.batch })
  end
  local vxlan = own.framing == "vxlan"
  return check.call(loop.udp, loop, {
    link = made.core, direction = 1, bind = own.bind or own_socket(own),
    peer = own.peer, peers = own.peers, learn = own.learn or nil,
    framing = own.framing, checksum = own.checksum, batch = own.batch,
    local_address = topology.bare(here[1]), remote_address = there[1],
    local_addresses = vxlan and bare_all(here) or nil, vni = own.vni, mac = own.mac,
    fragments = own.fragments,
  })
end

-- So long may packets be that each fits into a datagram, where that is known by now.
local function fit(made, tunnel, here)
  local mtu
  for _, text in ipairs(here) do
    local of_path = tunnel:mtu((select(2, core.address(topology.bare(text)))))
    if of_path and (not mtu or of_path < mtu) then mtu = of_path end
  end
  if mtu and mtu < ETHERNET_MTU then made.core:set_mtu(mtu) end
end

--- Makes a tunnel; gives a link with all that links can do, and `socket()`, `tunnel_counters()`.
-- @tparam Network net
-- @tparam Host host
-- @tparam table options
--
-- * `bind`: the socket's address, "127.0.0.1:9000" (default: any port, of `peer`'s family; on loopback where
--   `peer` is, and where there is none);
-- * `peer`: the far socket's; or `peers`, a list of `{ peer =, address =, mac = }`; or `learn = true`:
--   whoever sends first, `learn = N`: so many; or `tun = "tun7"`: a TUN device in the place of a socket;
-- * `framing`: `"plain"` (default), `"rawip"`, `"vxlan"` or `"cheshire"`; `checksum`: `"inner"` (default)
--   or `"udp"`; `batch`; `fragments`: datagrams longer than the path takes may be cut (false);
--   of `"vxlan"`, `bind`, `peer` and `peers` may leave out the port 4789;
-- * `vni`, `mac`: of `"vxlan"`, the network's number (0) and our Ethernet address (made of `address`);
-- * `address` ("10.0.0.1/24", or a list), `remote_address` ("10.0.0.2"): the inner addresses. By default
--   who names a `peer` or a `tun` is 10.0.0.1 and who learns is 10.0.0.2. With `"cheshire"` the ports of TCP
--   are those of the sockets: `connect` takes no others;
-- * what `net:link` takes for its paths and `mtu`: `forward` is what leaves, `back` what comes in. By
--   default `mtu` is 1500, or what the path to the peer leaves where that is less.
function M.new(net, host, options)
  check.type(options, "table", "tunnel: options")
  if net.clock ~= "real" then check.raise "tunnel: needs a network with clock = \"real\"" end
  local own, rest = divided(options)
  if own.framing == "vxlan" then with_vxlan_ports(own) end
  local here, there = inner(own)
  local made, message, code = link.outside(net, host, here, rest)
  if not made then return nil, message, code end
  -- What could not be opened, also where that raises, leaves nothing behind that packets would be sent to.
  local _ <close> = setmetatable({}, { __close = function()
    if not made.tunnel then made.core:withdraw() end
  end })
  made.tunnel, message, code = open(net, made, own, here, there)
  if not made.tunnel then return nil, message, code end
  made = link.adopt(made, here)
  if rest.mtu == nil then fit(made, made.tunnel, here) end
  made.remote_addresses = there
  made.no_urgent, made.ports_are_sockets = own.framing == "cheshire", own.framing == "cheshire"
  net.world.outside = true
  net.link_nodes[made.core:id()] = { host.id, OUTSIDE }
  net.outside = { node = OUTSIDE, name = "remote" }
  return made
end

return M
