-- Two hosts on one link, straight on lunatcp.core: for the specs of the compiled module itself.
local core = require "lunatcp.core"

local M = {}

--- The network, with fields of its parts.
-- @param[opt] options seed, start, path (of both directions), settings (of both hosts), trace_events, name
function M.new(options)
  options = options or {}
  local net = core.network {
    seed = options.seed or 1,
    start = options.start,
    trace_events = options.trace_events,
    trace_packets = options.trace_packets,
  }
  local client = net:host { settings = options.client or options.settings }
  local server = net:host { settings = options.server or options.settings }
  local path = options.path or { delay = 0.01 }
  local link = assert(net:link {
    { node = client, addresses = { "10.0.0.1/24" }, path = path },
    { node = server, addresses = { "10.0.0.2/24" }, path = path },
    name = options.name,
  })
  return { net = net, client = client, server = server, link = link }
end

--- Steps until `limit`, taking events; gives the last reason, and what was accepted.
-- @param pair what new made
-- @param[opt] limit absolute seconds
-- @param[opt] handle function(object, bits, code, message, host)
function M.run(pair, limit, handle)
  local accepted = {}
  while true do
    local reason, detail = pair.net:step(limit)
    if reason ~= "events" then return reason, accepted, detail end
    local object, bits, code, message = detail:next_event()
    if object and bits & core.EVENT.accept ~= 0 then
      local conn = object:accept()
      while conn do
        accepted[#accepted + 1] = conn
        conn = object:accept()
      end
    end
    if object and handle then handle(object, bits, code, message, detail) end
  end
end

--- A connection that is established at both ends: client's, server's, listener.
function M.connect(pair, port)
  port = port or 80
  local listener = assert(pair.server:listen { port = port })
  local conn = assert(pair.client:connect { address = "10.0.0.2", port = port })
  local _, accepted = M.run(pair, pair.net:now() + 5)
  assert(accepted[1], "no connection was accepted")
  return conn, accepted[1], listener
end

return M
