-- One bulk flow through one bottleneck, for specs of congestion controls.
local lab = require "support.lab"

local M = {}

--- A flow from client to server that never lacks data. `client`: settings beside the profile;
-- `server`: likewise; `link`: options. Gives the network, both ends, and a table whose `octets` the server
-- has read.
function M.bulk(options)
  local function settings(own)
    local all = { profile = "linux", send_buffer = 8388608, receive_buffer = 8388608, byte_counting = false }
    for key, value in pairs(own or {}) do all[key] = value end
    return all
  end
  local net, client, server = lab.connected {
    client = settings(options.client), server = settings(options.server), link = options.link,
    seed = options.seed,
  }
  local read = { octets = 0 }
  net:spawn(function()
    for chunk in server:chunks() do read.octets = read.octets + #chunk end
  end)
  net:spawn(function()
    local chunk = ("x"):rep(65536)
    while client:write(chunk) do end
  end)
  return net, client, server, read
end

--- Runs to `till`, and calls `look(time, info)` every `every` seconds; a true answer ends it early.
function M.watch(net, conn, till, every, look)
  local began = net:now()
  for i = 1, (till - began) // every do
    net:run { until_ = began + i * every }
    if look(net:now(), conn:info()) then return net:now() end
  end
end

return M
