-- A flight of segments of 1,000 octets whose acknowledgments a script gives, one by one. Segments
-- are numbered from 1, as sequence number 5001 begins number 1.
local wire = require "support.wire"

local M = {}
local Flight = {}
Flight.__index = Flight

--- Sends `segments` (10) at once. `host`: settings; `syn`: further options of the script's SYN;
-- `total`: octets that are written at first.
function M.open(options)
  options = options or {}
  local count = options.segments or 10
  local host = { initial_window = count }
  for key, value in pairs(options.host or {}) do host[key] = value end
  local syn = { mss = 1000, sack_permitted = true }
  for key, value in pairs(options.syn or {}) do syn[key] = value or nil end
  local net, conn, peer = wire.passive { syn = { options = syn, window = options.window }, host = host }
  conn:write(wire.pattern(options.total or count * 1000))
  for n = 1, math.min(count, (options.total or count * 1000) // 1000) do
    peer:expect { seq = 4001 + 1000 * n, length = 1000 }
  end
  return setmetatable({ net = net, conn = conn, peer = peer }, Flight)
end

local function edge(n) return 4001 + 1000 * n end

--- Acknowledges all before segment `n`, with a SACK block for each { first, last }.
function Flight:ack(n, ...)
  local sack = {}
  for i, block in ipairs { ... } do
    sack[i] = { left = edge(block[1]), right = edge(block[2] + 1) }
  end
  self.peer:send {
    flags = "A", seq = 1001, ack = edge(n), options = #sack > 0 and { sack = sack } or nil,
  }
end

--- Lets so many seconds pass, and gives the numbers of the segments that came to the script in them.
function Flight:sent(seconds)
  self.net:run { until_ = self.net:now() + seconds }
  local numbers = {}
  for i, packet in ipairs(wire.drain(self.peer)) do numbers[i] = (packet.seq - 4001) // 1000 end
  return numbers
end

--- The next segment that comes, and how long it took.
function Flight:wait(seconds)
  local since = self.net:now()
  local packet = self.peer:receive { timeout = seconds }
  return packet and (packet.seq - 4001) // 1000, self.net:now() - since
end

return M
