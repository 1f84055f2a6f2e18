-- A host whose connection has a script at its other end: every segment in and out is literal.
-- The script's sequence numbers begin at 1000, the host's at 5000; the link's delay is 10 ms.
local lab = require "support.lab"

local M = {}

local function syn_options(options, default)
  if options.syn and options.syn.options then return options.syn.options end
  return default
end

local function forge(options)
  local host = { isn = 5000 }
  for key, value in pairs(options.host or {}) do host[key] = value end
  return lab.forge { host = host, link = options.link, seed = options.seed }
end

--- The host listens on port 80, the script opens: net, the host's connection, peer, listener.
-- @tparam[opt] table options `host`: settings; `syn`: `options` (default an MSS of 1000) and `window`
--   of the script's segments of the handshake; `isn` of the script; `link`
function M.passive(options)
  options = options or {}
  local net, host, peer = forge(options)
  local isn = options.isn or 1000
  local window = options.syn and options.syn.window or 65535
  local listener = assert(host:listen(80))
  peer:send {
    flags = "S", seq = isn, destination_port = 80, window = window,
    options = syn_options(options, { mss = 1000 }),
  }
  local answer = peer:expect { flags = "SA", ack = (isn + 1) & 0xffffffff }
  peer:send {
    flags = "A", seq = (isn + 1) & 0xffffffff, ack = (answer.seq + 1) & 0xffffffff,
    window = options.window or window, options = options.ack_options,
  }
  return net, assert(listener:accept()), peer, listener
end

--- The host opens, the script answers: net, the host's connection, peer.
function M.active(options)
  options = options or {}
  local net, host, peer = forge(options)
  local conn = assert(host:connect_start(peer, 80, options.connect))
  local syn = peer:expect { flags = "S" }
  peer:send {
    flags = "SA", seq = 1000, ack = (syn.seq + 1) & 0xffffffff,
    window = options.syn and options.syn.window or 65535,
    options = syn_options(options, { mss = 1000 }),
  }
  peer:expect { flags = "A", seq = (syn.seq + 1) & 0xffffffff, ack = 1001 }
  return net, conn, peer, syn
end

--- Takes what has come to the peer so far: an array of packets.
function M.drain(peer, seconds)
  local packets = {}
  while true do
    local packet = peer:receive { timeout = seconds or 0 }
    if not packet then return packets end
    packets[#packets + 1] = packet
  end
end

--- The segments that were sent, one line each, single spaces: "client > server SA 5000 ack 1001".
-- @string columns as for `trace:segments`
-- @tparam[opt] table options as for `trace:segments`; `only`: a pattern that lines must match
function M.lines(net, columns, options)
  options = options or {}
  local lines = {}
  local chosen = { relative = options.relative, since = options.since }
  for _, line in ipairs(net.trace:segments(columns, chosen)) do
    line = line:gsub("%s+", " "):gsub("%s$", "")
    if not options.only or line:find(options.only) then lines[#lines + 1] = line end
  end
  return lines
end

--- The times at which the lines that match were sent, in seconds from the first of them.
function M.times(net, columns, only, since)
  local times, first = {}, nil
  for _, line in ipairs(M.lines(net, "time " .. columns, { only = only, since = since })) do
    local time = tonumber(line:match " > %S+ (%S+)")
    first = first or time
    -- Times have microseconds in the text: the difference is made exact again.
    times[#times + 1] = (math.floor((time - first) * 1e6 + 0.5)) / 1e6
  end
  return times
end

--- Octets whose place can be told: `pattern(n)` differs at every shift below 251.
function M.pattern(n, offset)
  offset = offset or 0
  local parts = {}
  for i = 0, n - 1 do parts[i + 1] = string.char((i + offset) % 251) end
  return table.concat(parts)
end

--- What can be read right now, all of it.
function M.read_now(conn)
  local parts = {}
  while true do
    local bytes = conn:read(65536, { timeout = 0 })
    if not bytes then return table.concat(parts) end
    parts[#parts + 1] = bytes
  end
end

return M
