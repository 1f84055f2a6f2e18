-- You will see a Reno of thirty lines in Lua, and its window beside that of the core's own NewReno.
-- Run it: ./dev run examples/aimd.lua
-- It plays RFC 5681, section 3.1: slow start, congestion avoidance, and what a loss does to them.

local tcp = require "lunatcp"

local function half(cc, flight) return math.max(flight // 2, 2 * cc.mss) end -- equation (4)

tcp.congestion "aimd" {
  init = function(cc) cc.acked = 0 end,

  on_ack = function(cc, ack)
    if ack.in_recovery or not ack.cwnd_limited or ack.advanced == 0 then return end
    if cc.cwnd < cc.ssthresh then                                             -- slow start
      cc.cwnd = cc.cwnd + math.min(ack.bytes_acked, cc.mss)                   -- equation (2)
      return
    end
    cc.acked = cc.acked + ack.bytes_acked                                     -- congestion avoidance:
    if cc.acked < cc.cwnd then return end                                     -- a segment for each window
    cc.acked = cc.acked - cc.cwnd
    cc.cwnd = cc.cwnd + cc.mss
  end,

  on_loss = function(cc, flight)
    cc.ssthresh = half(cc, flight)
    cc.cwnd, cc.acked = cc.ssthresh, 0
  end,

  on_recovered = function(cc) cc.cwnd = cc.ssthresh end,

  on_timeout = function(cc, flight, first)
    if first then cc.ssthresh = half(cc, flight) end
    cc.cwnd, cc.acked = cc.mss, 0                                             -- the loss window
  end,
}

-- 20 s over 10 Mbit/s and 40 ms, where every hundredth segment is lost; the same losses for both.
local function window_of(congestion)
  local net <close> = tcp.network { seed = 42 }
  local client = net:host("client", { congestion = congestion })
  local server = net:host "server"
  net:link(client, server, { delay = 0.020, rate = 10e6, queue = 50, loss = 0.01 })
  local listener, conn = server:listen(80), nil
  net:spawn(function()
    for _ in listener:accept():chunks() do end
  end)
  net:spawn(function()
    conn = assert(client:connect(server, 80))
    while conn:write(("x"):rep(65536)) do end
  end)
  local windows = {}
  for i = 1, 40 do
    net:run { until_ = i / 2 }
    windows[i] = conn:info().cwnd
  end
  return windows
end

local mine, theirs = window_of "aimd", window_of "newreno"
print "    time     aimd  newreno"
for i, cwnd in ipairs(mine) do
  print(("%6.1f s  %7d  %7d  %s"):format(i / 2, cwnd, theirs[i], ("*"):rep(cwnd // 1448)))
end
local same = table.concat(mine, " ") == table.concat(theirs, " ")
print(same and "They are the same, to the octet." or "They differ.")
