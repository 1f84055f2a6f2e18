--- Hosts and routers.
-- @module lunatcp.node

local check = require "lunatcp.check"
local connection = require "lunatcp.connection"
local core = require "lunatcp.core"
local listener = require "lunatcp.listener"

local M = {}

--- What every node has: a name, a number, links.
-- @tparam table net
-- @tparam table core_node
-- @string kind
-- @string[opt] name
-- @tparam table class
function M.new(net, core_node, kind, name, class)
  check.optional(name, "string", kind .. ": name")
  local id = core_node:id()
  name = name or ("%s%d"):format(kind, id)
  if net.by_name[name] then check.raise("%s: there is a node named '%s' already", kind, name) end
  local node = setmetatable({
    net = net, core = core_node, kind = kind, name = name, id = id, links = {}, routed = {},
    forwards = kind == "router", addresses = {},
  }, class)
  net.by_name[name] = node
  net.nodes[#net.nodes + 1] = node
  net.by_id[id] = node
  return node
end

--- The node's address: on a link it shares with `towards`, else its first one.
-- @tparam[opt] table towards another node
-- @tparam[opt] integer family 4 or 6; without it IPv4 where there is any
-- @treturn string or nil when it has none
function M.address(node, towards, family)
  if not family then return M.address(node, towards, 4) or M.address(node, towards, 6) end
  local fallback
  for _, entry in ipairs(node.addresses) do
    if entry.family == family then
      if not towards or entry.link:other(node) == towards then return entry.address end
      fallback = fallback or entry.address
    end
  end
  return fallback
end

local Router = {}
Router.__index = Router
Router.__name = "lunatcp.router"
M.Router = Router

function Router:__tostring() return "router " .. self.name end

--- An address of the router: see `Host:address`.
function Router:address(towards, family) return M.address(self, towards, family) end

local Host = {}
Host.__index = Host
Host.__name = "lunatcp.host"
M.Host = Host

function Host:__tostring() return "host " .. self.name end

--- The host's address, for others to connect to.
-- @tparam[opt] Host towards prefers the link shared with that node
-- @tparam[opt] integer family 4 or 6; without it IPv4 where there is any
-- @treturn string or nil when it has none
function Host:address(towards, family) return M.address(self, towards, family) end

--- What connections opened from now on begin with.
-- @treturn table
function Host:settings() return self.core:settings() end

--- Changes settings for connections opened from now on.
-- @tparam table settings
function Host:set(settings)
  check.type(settings, "table", "set: settings")
  return check.call(self.core.set_settings, self.core, settings)
end

--- Counters of the host; `refused` says which packets were dropped and why.
function Host:counters() return self.core:counters() end

-- A host or remote of this network stands for its address.
local function scoped(self, options, name)
  check.type(options, "table", name .. ": options")
  local peer = options.peer
  if type(peer) ~= "table" then return options end
  if type(peer.address) ~= "function" then
    check.raise("%s: peer: expected a host, a remote or an address, got %s", name, check.shown(peer))
  end
  local copy = {}
  for key, value in pairs(options) do copy[key] = value end -- a table again: the order does not matter
  copy.peer = peer:address(self) or check.raise("%s: peer: no link leads to %s yet", name, peer)
  return copy
end

local function keyed(name)
  return function(self, options)
    return check.call(self.core[name], self.core, scoped(self, options, name))
  end
end

--- A key for TCP MD5 (RFC 2385): connections with `peer` that open from now on are signed. It takes the
-- place of one for the same peer, prefix and ports.
-- @function Host:md5_key
-- @tparam table options `key` (1 to 255 octets), `peer` (host, remote or address), and if not all of that
--   peer's connections are meant `port` (of the peer), `local_port`, `local_address`; `prefix`: how many
--   bits of `peer` count (all of them)
-- @treturn boolean true, or nil, message, code: EOPNOTSUPP in a build without cryptography
Host.md5_key = keyed "md5_key"

--- Takes a key for TCP MD5 away, named as it was given. Its connections go on unsigned.
-- @function Host:remove_md5_key
-- @tparam table options as `md5_key`, without `key`
-- @treturn boolean true, or nil, message, code: ENOKEY
Host.remove_md5_key = keyed "remove_md5_key"

--- A Master Key Tuple for TCP-AO (RFC 5925 section 3.1): connections with `peer` that open from now on are
-- signed; those that are open may change to it (`Connection:ao_keys`).
-- @function Host:ao_key
-- @tparam table options `peer`, `prefix`, `port`, `local_port`, `local_address`, `key` as for `md5_key`;
--   `send_id` and `recv_id` (0 to 255); `mac`: "HMAC-SHA-1-96" (default) or "AES-128-CMAC-96", each with the
--   key derivation function that goes with it (`kdf`: "SHA1" or "AES128", if somebody wants to say it);
--   `include_options = false`: other options are not covered
-- @treturn boolean true, or nil, message, code: EEXIST (an overlapping key has that SendID or RecvID),
--   EOPNOTSUPP in a build without cryptography
Host.ao_key = keyed "ao_key"

--- Takes a Master Key Tuple away.
-- @function Host:remove_ao_key
-- @tparam table options what names the peer, as for `ao_key`; `send_id` and `recv_id`
-- @treturn boolean true, or nil, message, code: ENOKEY, EBUSY while a connection uses it
Host.remove_ao_key = keyed "remove_ao_key"

--- All keys of the host: `md5` and `ao`, arrays of what was given.
function Host:keys() return self.core:keys() end

--- Remembers a connection that was lost with the memory of the host that had it (RFC 5925 section 7.7): what
-- still comes for it is verified, and answered by a signed reset.
-- @tparam table state what `Connection:ao_save` gave
-- @treturn boolean true, or nil, message, code: ENOKEY, EISCONN
function Host:ao_restore(state)
  check.type(state, "table", "ao_restore: state")
  return check.call(self.core.ao_restore, self.core, state)
end

local CONNECT_KEYS <const> = {
  "timeout", "deadline", "local_port", "local_address", "family", "settings", "source_route",
  "fast_open",
}
local is_setting = {}
for _, setting in ipairs(core.settings_list()) do is_setting[setting.name] = true end
is_setting.congestion, is_setting.syn_options, is_setting.other_options = true, true, true

-- Options of a call, and settings named beside them, apart from each other.
local function split(options, known, name)
  if options == nil then return {}, nil end
  check.type(options, "table", name)
  local own, settings = {}, nil
  local is_known = check.set_of(known)
  for key, value in pairs(options) do -- the order does not matter: both sides are tables again
    if is_setting[key] and not is_known[key] then
      settings = settings or {}
      settings[key] = value
    else
      own[key] = value
    end
  end
  check.options(own, known, name)
  if own.settings ~= nil then
    check.type(own.settings, "table", name .. ": settings")
    settings = settings or {}
    for key, value in pairs(own.settings) do settings[key] = value end
  end
  return own, settings
end

-- Where to: a host or remote of this network, or the text of an address.
local function resolve(self, target, family)
  if type(target) == "string" then
    return core.address(target) or check.raise("connect: target: '%s' is no address", target)
  end
  if type(target) == "table" and type(target.address) == "function" and target.net == self.net then
    local address = target:address(self, family)
    if not address then return nil, ("no link leads to %s yet"):format(target), "ENETUNREACH" end
    return address
  end
  if type(target) == "table" and target.net and target.net ~= self.net then
    check.raise("connect: target: %s belongs to another network", target)
  end
  check.raise("connect: target: expected a host, a remote or an address, got %s", check.shown(target))
end

-- What did not leave with the SYN is written like anything else.
local function queue(conn, data)
  local rest = data:sub(conn:info().fast_open_octets + 1)
  local taken = rest ~= "" and conn:write(rest) or 0
  if taken == #rest then return end
  conn:abort()
  conn:release()
  check.raise("connect: fast_open: %d octets do not fit the send buffer", #data)
end

local function begin(self, target, port, options)
  local own, settings = split(options, CONNECT_KEYS, "connect: options")
  check.integer(port, "connect: port", 1, 65535)
  if own.family ~= nil then check.one_of(own.family, { 4, 6 }, "connect: family") end
  local address, message, code = resolve(self, target, own.family)
  if not address then return nil, message, code end
  self.net:route()
  local data = own.fast_open
  if data ~= nil then check.type(data, "string", "connect: fast_open") end
  local local_port = own.local_port
  if type(target) == "table" and target.local_port then local_port = target:local_port(port, local_port) end
  local conn
  conn, message, code = check.call(self.core.connect, self.core, {
    address = address, port = port, local_port = local_port, local_address = own.local_address,
    settings = settings, source_route = own.source_route, fast_open = data,
  })
  if not conn then return nil, message, code end
  if data then queue(conn, data) end
  return connection.wrap(self, conn), own
end

--- Active OPEN that does not wait for the handshake: the connection is in SYN-SENT.
-- @param target host, remote or address
-- @int port
-- @tparam[opt] table options `local_port`, `local_address`, `family` (4 or 6), `source_route` (IPv4 addresses
--   of the routers to pass, in order), `fast_open` (octets to be written, with the SYN where a cookie of the
--   server's is known, RFC 7413: they may reach the other end twice), and any setting
-- @treturn Connection or nil, message, code
function Host:connect_start(target, port, options)
  local conn, message, code = begin(self, target, port, options)
  if not conn then return nil, message, code end
  return conn
end

--- Active OPEN; waits until the connection is established.
-- @param target host, remote or address
-- @int port
-- @tparam[opt] table options as for `connect_start`, and `timeout` or `deadline`
-- @treturn Connection or nil, message, code: ECONNREFUSED, ETIMEDOUT, EAGAIN (the call's own deadline)
function Host:connect(target, port, options)
  self.net.scheduler:caller "connect"
  local conn, own, code = begin(self, target, port, options)
  if not conn then return nil, own, code end
  local ok, message
  ok, message, code = conn:wait_connected { timeout = own.timeout, deadline = own.deadline }
  if ok then return conn end
  conn:abort()
  return nil, message, code
end

local LISTEN_KEYS <const> = { "backlog", "address", "settings", "fast_open" }

--- Passive OPEN.
-- @int port 0: any that is free
-- @tparam[opt] table options `backlog`, `address`, `fast_open` (how many connections may be open before
--   their handshake has ended, RFC 7413; true: 128), and any setting
-- @treturn Listener or nil, message, code
function Host:listen(port, options)
  local own, settings = split(options, LISTEN_KEYS, "listen: options")
  check.integer(port, "listen: port", 0, 65535)
  if own.fast_open ~= nil then
    local most = own.fast_open == true and 128 or own.fast_open
    check.integer(most, "listen: fast_open", 0, 65535)
    settings = settings or {}
    settings.fast_open_queue = most
  end
  local made, message, code = check.call(self.core.listen, self.core, {
    port = port, address = own.address, backlog = own.backlog, settings = settings,
  })
  if not made then return nil, message, code end
  return listener.wrap(self, made)
end

-- The core's listener of an argument that may be left out.
local function listener_of(of, name)
  if of == nil then return nil end
  return check.object(of, "lunatcp.listener", name).core
end

--- The keys that Fast Open cookies are made with (RFC 7413 section 4.1.2): 16 octets, or 32 with the one that
-- is only good to check cookies of before. Without an argument: what they are.
-- @tparam[opt] string keys
-- @tparam[opt] Listener of whose own they are; without it the host's
function Host:fast_open_keys(keys, of)
  return check.call(self.core.fast_open_keys, self.core, keys, listener_of(of, "fast_open_keys: of"))
end

--- A new key for cookies; those of the present one stay good until the next new one.
-- @string key 16 octets
-- @tparam[opt] Listener of without it the host's
function Host:fast_open_rotate(key, of)
  return check.call(self.core.fast_open_rotate, self.core, key, listener_of(of, "fast_open_rotate: of"))
end

--- Forgets the cookies of all servers, and where Fast Open was refused.
function Host:fast_open_flush() self.core:fast_open_flush() end

--- What is remembered of a server: `cookie`, `experimental` (how it came), `mss`; nil: nothing.
-- @param target host, remote or address
-- @treturn table or nil
function Host:fast_open_known(target)
  return self.core:fast_open_known(resolve(self, target))
end

--- What the host remembers of the path to a target: `mtu`, `told` (by a router, or else by probing) and
-- `expires`, the time when it is forgotten (RFC 1191, section 6.2); nil: nothing.
-- @param target host, remote or address
-- @treturn table or nil
function Host:path_mtu(target)
  return self.core:path_mtu(resolve(self, target))
end

--- Forgets all path MTUs; open connections keep what they use.
function Host:path_mtu_flush() self.core:path_mtu_flush() end

--- Puts a packet on the wire in the host's name: what `lunatcp.encode` makes, or its fields.
-- @param packet bytes, or a table for `encode`
function Host:forge(packet)
  if type(packet) == "table" then packet = check.call(core.encode, packet) end
  check.type(packet, "string", "forge: packet")
  self.net:route()
  return check.call(self.core.send, self.core, packet)
end

return M
