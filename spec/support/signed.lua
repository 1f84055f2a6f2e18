-- Hosts with keys of each other.
local lab = require "support.lab"

local M = {}

local function merged(a, b)
  local all = {}
  for _, part in ipairs { a, b or {} } do
    for key, value in pairs(part) do all[key] = value end
  end
  return all
end
M.merged = merged

--- A pair (support.lab) with an MD5 key, the same on both ends. `server_key` is another one for the server.
function M.md5(options)
  options = options or {}
  local net = lab.pair(options)
  assert(net.client:md5_key { peer = net.server, key = options.key or "secret" })
  assert(net.server:md5_key { peer = net.client, key = options.server_key or options.key or "secret" })
  return net
end

--- Gives both ends one Master Key Tuple: the client's KeyID is `id`, the server's 100 more.
function M.tuple(net, id, more)
  more = merged({ key = "secret" .. id }, more)
  assert(net.client:ao_key(merged({ peer = net.server, send_id = id, recv_id = 100 + id }, more)))
  assert(net.server:ao_key(merged({ peer = net.client, send_id = 100 + id, recv_id = id }, more)))
end

--- A pair with Master Key Tuples 1 .. `tuples`.
function M.ao(options, more)
  options = options or {}
  local net = lab.pair(options)
  for id = 1, options.tuples or 1 do M.tuple(net, id, more) end
  return net
end

--- Opens a connection: client's end, server's end.
function M.open(net) return lab.handshake(net) end

--- Writes octets at one end and reads them at the other; true when they are the same.
function M.transfer(from, to, octets)
  local sent, got, length = ("0123456789abcdef"):rep(octets // 16 + 1):sub(1, octets), {}, 0
  from.net:spawn(function() assert(from:write(sent)) end)
  while length < octets do
    local part = assert(to:read(65536))
    got[#got + 1], length = part, length + #part
  end
  return table.concat(got) == sent
end

--- Keeps a copy of each packet that passes on the wire in `net.packets`, with its bytes.
function M.record(net)
  net.packets = {}
  net.wire:rule(function(segment)
    local packet = segment:copy()
    packet.bytes = segment:bytes()
    net.packets[#net.packets + 1] = packet
  end)
  return net
end

--- What is told of an end.
function M.told(conn) return conn:info().authentication end

--- Counters of a host.
function M.counted(host) return host:counters().authentication end

return M
