--- Stands between any two UDP sockets, and does to what passes what a link does: for programs that know
-- nothing of this library.
--
--     local proxy = assert(net:proxy { bind = "127.0.0.1:9000", server = "127.0.0.1:4789", loss = 0.01 })
--     proxy:drop { from = proxy.clients, nth = 3 }
--     net:run { until_ = 60 }
--
-- @module lunatcp.proxy

local check = require "lunatcp.check"
local link = require "lunatcp.link"

local M = {}

local KEYS <const> = { "bind", "server", "clients", "idle", "batch" }
local ALL_KEYS <const> = table.move(KEYS, 1, #KEYS, #link.OUTSIDE_KEYS + 1,
  table.move(link.OUTSIDE_KEYS, 1, #link.OUTSIDE_KEYS, 1, {}))
local OUTSIDE <const> = -1

-- What a rule's `from` and the link's own methods know as the nodes at its ends.
local function outside(name)
  return setmetatable({ name = name, id = OUTSIDE, links = {} }, {
    __tostring = function() return name end,
  })
end

local function divided(options)
  check.options(options, ALL_KEYS, "proxy: options")
  local own, rest, is_own = {}, {}, check.set_of(KEYS)
  for key, value in pairs(options) do -- into two tables: the order does not matter
    if is_own[key] then own[key] = value else rest[key] = value end
  end
  return own, rest
end

--- Makes a proxy; gives a link with all that links can do, whose ends are `link.clients` and `link.server`.
-- @tparam Network net with `clock = "real"`
-- @tparam table options
--
-- * `bind`: where clients send to, "127.0.0.1:9000" (default: any port on loopback);
-- * `server`: where it goes, "192.0.2.1:4789", of either family;
-- * `clients`: so many at a time (64), each with a socket of its own towards the server; `idle`: seconds of
--   silence after which one may be forgotten for a new one (60); `batch`;
-- * what `net:link` takes for its paths: `forward` is what goes to the server, `back` what comes from it.
--
-- On the link, and so in captures, each datagram is a UDP packet from the client to the server.
-- `link:socket()` is where it listens, `link:tunnel_counters()` what its sockets count.
function M.new(net, options)
  check.type(options, "table", "proxy: options")
  if net.clock ~= "real" then check.raise "proxy: needs a network with clock = \"real\"" end
  local own, rest = divided(options)
  check.type(own.server, "string", "proxy: server")
  local made, message, code = link.between(net, outside "clients", outside "server", rest)
  if not made then return nil, message, code end
  local loop = net.world.loop
  local relay
  relay, message, code = check.call(loop.relay, loop, {
    link = made.core, bind = own.bind or "127.0.0.1:0", server = own.server, clients = own.clients,
    idle = own.idle, batch = own.batch,
  })
  if not relay then return nil, message, code end
  made.clients, made.server, made.tunnel = made.a, made.b, relay
  net.world.outside = true
  return made
end

return M
