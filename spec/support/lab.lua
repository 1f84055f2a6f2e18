-- Two hosts on one link: what most specs begin with.
local busted = require "busted"
local moved = require "support.moved"
local tcp = require "lunatcp"

local M = {}

-- A failing spec prints the ladder of the network that it made last.
local newest
if busted.subscribe then
  busted.subscribe({ "test", "start" }, function()
    newest = nil
    return nil, true
  end)
  busted.subscribe({ "test", "end" }, function(_, _, status)
    if (status == "failure" or status == "error") and newest and not newest.closed then
      io.stderr:write("\n", newest:ladder())
    end
    newest = nil
    return nil, true
  end)
end

--- A network with `client`, `server` and the link between them (`wire`) in it. The server listens on port
-- 80 (`listener`).
-- @tparam[opt] table options `client`, `server`: settings of the hosts; `link`: options of the link;
--   `listen`: another port, or false; `seed`; `network`: more options of the network
function M.pair(options)
  options = options or {}
  local of_network = { seed = options.seed or 1 }
  for key, value in pairs(options.network or {}) do of_network[key] = value end
  local net = tcp.network(of_network)
  newest = net
  net.client = net:host("client", moved.pair(options.client))
  net.server = net:host("server", moved.pair(options.server))
  net.wire = net:link(net.client, net.server, options.link or { delay = 0.01 })
  if options.listen ~= false then net.listener = net.server:listen(options.listen or 80) end
  return net
end

--- Opens a connection to the listener; gives both of its ends.
function M.handshake(net, options)
  local client = assert(net.client:connect(net.server, net.listener:port(), options))
  return client, assert(net.listener:accept())
end

--- A pair, and a connection between them: net, client end, server end.
function M.connected(options)
  local net = M.pair(options)
  return net, M.handshake(net)
end

--- A host and a peer on one link (`wire`): net, host, peer.
function M.forge(options)
  options = options or {}
  local net = tcp.network { seed = options.seed or 1 }
  newest = net
  net.host_under_test = net:host("host", moved.host(options.host))
  net.peer_of_script = net:peer("peer", options.peer)
  net.wire = net:link(net.peer_of_script, net.host_under_test, options.link or { delay = 0.01 })
  moved.forged(net, net.host_under_test)
  return net, net.host_under_test, net.peer_of_script
end

return M
