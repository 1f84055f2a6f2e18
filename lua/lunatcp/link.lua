--- A link between two nodes, what it does to packets, and the rules a script gives it.
-- @module lunatcp.link

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local files = require "lunatcp.files"
local topology = require "lunatcp.topology"

local M = {}

local Link = {}
Link.__index = Link
Link.__name = "lunatcp.link"
M.Link = Link

-- Of one direction; `mtu` is the link's.
local PATH_KEYS <const> = {
  "delay", "jitter", "jitter_reorders", "rate", "opportunities", "queue", "loss", "loss_after_queue",
  "mark", "duplicate", "corrupt", "corrupt_bits", "reorder", "reorder_delay", "seed", "stream",
}
local OWN_KEYS <const> = { "mtu", "rate_file", "forward", "back", "addresses", "via" }

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #all + 1, all) end
  return all
end

local DIRECTION_KEYS <const> = joined(PATH_KEYS, { "mtu", "rate_file" })
local LINK_KEYS <const> = joined(PATH_KEYS, OWN_KEYS)
local OUTSIDE_KEYS <const> = joined(PATH_KEYS, { "mtu", "rate_file", "forward", "back" })
M.OUTSIDE_KEYS = OUTSIDE_KEYS
local CONFIGURE_KEYS <const> = joined(PATH_KEYS, { "mtu", "rate_file", "from" })

--- Reads a Mahimahi trace: one delivery opportunity of 1,504 octets a line, in milliseconds.
-- @string path
-- @treturn {integer,...} or nil, message, code
function M.read_rate_file(path)
  local text, message, code = files.read(path)
  if not text then return nil, message, code end
  local times, number = {}, 0
  for line in text:gmatch "([^\n]*)\n?" do
    number = number + 1
    local time = math.tointeger(tonumber(line))
    if line:match "%S" and not time then
      return nil, ("%s:%d: expected milliseconds, got '%s'"):format(path, number, line), "EINVAL"
    end
    times[#times + 1] = time
  end
  if #times == 0 then return nil, path .. ": no opportunities", "EINVAL" end
  return times
end

-- What one direction's path is made of: the options of both, then its own on top.
local function path_of(options, own, name)
  own = check.options(own, DIRECTION_KEYS, name)
  local path, is_path = {}, check.set_of(PATH_KEYS)
  for _, source in ipairs { options, own } do
    for key, value in pairs(source) do -- the order does not matter: what comes of it is a table again
      if is_path[key] then path[key] = value end
    end
  end
  path.mtu = own.mtu
  local rate_file = own.rate_file or options.rate_file
  if rate_file ~= nil then
    local times, message, code = M.read_rate_file(check.type(rate_file, "string", "link: rate_file"))
    if not times then return nil, message, code end
    path.opportunities = times
  end
  return path
end

local function check_node(net, node, name)
  if type(node) ~= "table" or not node.core or not node.links then
    check.raise("%s: expected a host, router or peer, got %s", name, check.shown(node))
  end
  if node.net ~= net then check.raise("%s: %s belongs to another network", name, node) end
  return node
end

-- Addresses of one end as the options say them: a string or a list of at most two.
local function own_addresses(list, name)
  if type(list) == "string" then list = { list } end
  check.type(list, "table", name)
  for i, address in ipairs(list) do
    check.type(address, "string", ("%s[%d]"):format(name, i))
    if not topology.parsed(address) then check.raise("%s[%d]: '%s' is no address", name, i, address) end
  end
  return list
end

local function give_addresses(net, link, node, list)
  for _, text in ipairs(list) do
    local address, family = topology.parsed(text)
    node.addresses[#node.addresses + 1] = { address = address, family = family, link = link }
    net.names[address] = node.name
    link.subnets[#link.subnets + 1] = text
  end
end

--- Joins two nodes.
-- @param a, b nodes; packets go `forward` from a to b, `back` from b to a
-- @tparam[opt] table options
--
-- * of both directions: `delay`, `jitter`, `jitter_reorders`, `rate` (or `rate_file`, a Mahimahi trace),
--   `queue`, `loss`, `loss_after_queue`, `mark` (the probability that CE is set), `duplicate`, `corrupt`,
--   `corrupt_bits`, `reorder`, `reorder_delay`;
-- * `queue`: a number of packets (drop-tail), a kind by name (`"codel"`), or a table: `kind`, `packets`,
--   `bytes`, and what the kind takes (docs/queues.md);
-- * `forward`, `back`: tables of the same for one direction;
-- * `mtu` of both nodes' interfaces (1500); `addresses = { of_a, of_b }`, each "10.0.0.1/24" or a list;
-- * `via = "udp"`: the packets travel through two real UDP sockets (with `clock = "real"`).
function M.new(net, a, b, options)
  options = check.options(options, LINK_KEYS, "link: options")
  check_node(net, a, "link: first node")
  check_node(net, b, "link: second node")
  if a == b then check.raise("link: both ends are %s", a) end
  local forward, message, code = path_of(options, options.forward, "link: forward")
  if not forward then return nil, message, code end
  local back
  back, message, code = path_of(options, options.back, "link: back")
  if not back then return nil, message, code end

  local first, second = topology.addresses(#net.links + 1)
  if options.addresses ~= nil then
    local given = check.type(options.addresses, "table", "link: addresses")
    first = own_addresses(given[1], "link: addresses[1]")
    second = own_addresses(given[2], "link: addresses[2]")
  end
  local via = options.via or net.via
  local made
  made, message, code = check.call(net.core.link, net.core, {
    { node = a.core, addresses = first, path = forward },
    { node = b.core, addresses = second, path = back },
    mtu = options.mtu, tunnel = via ~= nil or nil,
  })
  if not made then return nil, message, code end
  local link = setmetatable({ net = net, core = made, a = a, b = b, subnets = {} }, Link)
  give_addresses(net, link, a, first)
  give_addresses(net, link, b, second)
  return M.register(link, via)
end

-- The two paths of a link that leads outside.
local function outside_paths(options, name)
  local forward, message, code = path_of(options, options.forward, name .. ": forward")
  if not forward then return nil, message, code end
  local back
  back, message, code = path_of(options, options.back, name .. ": back")
  if not back then return nil, message, code end
  return { forward = forward, back = back }
end

--- A link from a node to the outside, not yet known to its network: for `lunatcp.tunnel`.
function M.outside(net, node, addresses, options)
  check_node(net, node, "tunnel: node")
  local paths, message, code = outside_paths(options, "tunnel")
  if not paths then return nil, message, code end
  local made
  made, message, code = check.call(net.core.link, net.core, {
    { node = node.core, addresses = addresses, path = paths.forward }, { path = paths.back },
    mtu = options.mtu, tunnel = true,
  })
  if not made then return nil, message, code end
  return setmetatable({ net = net, core = made, a = node, subnets = {} }, Link)
end

--- Makes a link to the outside known, now that it leads there.
function M.adopt(link, addresses)
  give_addresses(link.net, link, link.a, addresses)
  return M.register(link)
end

--- A link both of whose ends are outside: for `lunatcp.proxy`.
function M.between(net, a, b, options)
  local paths, message, code = outside_paths(options, "proxy")
  if not paths then return nil, message, code end
  local made
  made, message, code = check.call(net.core.link, net.core, {
    { path = paths.forward }, { path = paths.back }, tunnel = true, name = "proxy",
  })
  if not made then return nil, message, code end
  return M.register(setmetatable({ net = net, core = made, a = a, b = b, subnets = {} }, Link))
end

--- Makes a link known to its network.
function M.register(link, via)
  local net = link.net
  net.links[#net.links + 1] = link
  net.link_nodes[link.core:id()] = { link.a and link.a.id, link.b and link.b.id }
  for _, node in ipairs { link.a or false, link.b or false } do
    if node then node.links[#node.links + 1] = link end
  end
  net.stale_routes = true
  if via then
    local ok, message, code = net.world:carry(link, via)
    if not ok then return nil, message, code end
  end
  net.hooks:link_added(link)
  for _, capture in ipairs(net.captures) do capture:link_added(link) end
  return link
end

function Link:__tostring()
  return ("link %s - %s"):format(self.a and self.a.name or "outside", self.b and self.b.name or "outside")
end

--- The node at the other end.
function Link:other(node)
  if node == self.a then return self.b end
  return self.a
end

-- 1 or 2, of the node that sends; nil when `from` is.
local function direction_of(self, from, name)
  if from == nil then return nil end
  if from == self.a then return 1 end
  if from == self.b then return 2 end
  check.raise("%s: expected %s or %s, got %s", name, self.a, self.b, tostring(from))
end

--- Changes what the link does: only the keys that are given. `from = node`: in one direction only.
function Link:configure(options)
  options = check.options(options, CONFIGURE_KEYS, "configure: options")
  local only = direction_of(self, options.from, "configure: from")
  local path, message, code = path_of(options, nil, "configure")
  if not path then return nil, message, code end
  if options.mtu ~= nil then
    local ok
    ok, message, code = check.call(self.core.set_mtu, self.core, options.mtu)
    if not ok then return nil, message, code end
  end
  for direction = only or 1, only or 2 do
    local ok
    ok, message, code = check.call(self.core.configure, self.core, direction, path)
    if not ok then return nil, message, code end
  end
  return true
end

--- What the link does to packets from a node.
function Link:configuration(from)
  return self.core:configuration(direction_of(self, from, "configuration: from") or 1)
end

--- The link carries nothing any more; from one node only, or both ways.
function Link:down(from) self.core:set_up(false, direction_of(self, from, "down: from")) end

--- The link carries packets again.
function Link:up(from) self.core:set_up(true, direction_of(self, from, "up: from")) end

--- What went through, by direction: `counters(node)` of what that node sent; without one, both:
-- `forward` and `back`. `queue` in it is what the queue counts, and how its algorithm stands
-- (docs/queues.md).
function Link:counters(from)
  local direction = direction_of(self, from, "counters: from")
  if direction then return self.core:counters(direction) end
  return { forward = self.core:counters(1), back = self.core:counters(2) }
end

--- The socket of a tunnel: host, port.
function Link:socket()
  if not self.tunnel then check.raise("socket: %s is no tunnel", self) end
  return self.tunnel:address()
end

--- Counters of a tunnel's socket; of a link that is carried by two, of both: `forward`, `back`.
function Link:tunnel_counters()
  if self.tunnel then return self.tunnel:counters() end
  if self.tunnels then return { forward = self.tunnels[1]:counters(), back = self.tunnels[2]:counters() } end
  check.raise("tunnel_counters: %s is no tunnel", self)
end

--- Puts a packet on the link as if `from` had sent it.
-- @tparam table from node
-- @param packet bytes, or fields for `lunatcp.encode`
function Link:inject(from, packet)
  local direction = direction_of(self, from, "inject: from")
  if not direction then check.raise "inject: from: expected a node, got nothing" end
  if type(packet) == "table" then packet = check.call(core.encode, packet) end
  check.type(packet, "string", "inject: packet")
  return check.call(self.core.inject, self.core, direction, packet)
end

M.direction_of = direction_of

require "lunatcp.rules".install(Link)

return M
