-- You will see one transfer and a ping beside it go through the same slow link behind queues of seven kinds.
-- Run it: ./dev run examples/queues.lua [SECONDS] (virtual time)
-- It plays RFC 7567 section 1 (bufferbloat) and RFC 3168, 8033, 8257, 8289, 8290 and 9332: docs/queues.md.

local tcp = require "lunatcp"

local seconds = tonumber(arg[1] or 20)
if not seconds or seconds < 1 or #arg > 1 then
  io.stderr:write "usage: queues.lua [SECONDS]\n"
  os.exit(1)
end

local RATE <const>, DELAY <const> = 10e6, 0.020 -- bits a second; seconds each way
local BUFFER <const> = 4 << 20
local QUEUES <const> = {
  { name = "drop-tail, 1000", queue = 1000 },
  { name = "drop-tail, 40", queue = 40 }, -- about the bandwidth times the round trip
  { name = "RED", queue = { kind = "red", packets = 1000, min = 10, max = 40 } },
  { name = "CoDel", queue = "codel" },
  { name = "FQ-CoDel", queue = "fq_codel" },
  { name = "PIE", queue = "pie" },
  { name = "step, 40", queue = { kind = "step", threshold = 40 } },
  { name = "step, 20, DCTCP", queue = { kind = "step", threshold = 20 }, congestion = "dctcp" },
  { name = "DualPI2", queue = "dualpi2" },
  { name = "DualPI2, Prague", queue = "dualpi2", congestion = "prague", ecn = 3 },
}

-- The same transfer each time; beside it a short question each 100 ms, whose answers are timed.
local function run(case)
  local net = tcp.network { seed = 7 }
  local settings = {
    profile = "linux", congestion = case.congestion or "newreno", ecn = case.ecn or 1,
    send_buffer = BUFFER, receive_buffer = BUFFER,
  }
  local client, server = net:host("client", settings), net:host("server", settings)
  local link = net:link(client, server, { delay = DELAY, forward = { rate = RATE, queue = case.queue } })
  local octets, times = 0, {}

  net:spawn(function()
    local listener <close> = server:listen(80)
    local conn <close> = listener:accept()
    for chunk in conn:chunks() do octets = octets + #chunk end
  end)
  net:spawn(function()
    local conn <close> = assert(client:connect(server, 80))
    local data = ("bulk"):rep(16384)
    while conn:write(data) do end
  end)
  net:spawn(function()
    local listener <close> = server:listen(7)
    local conn <close> = listener:accept()
    for chunk in conn:chunks() do conn:write(chunk) end
  end)
  net:spawn(function()
    local conn <close> = assert(client:connect(server, 7))
    while true do
      local asked = net:now()
      conn:write "ping"
      conn:read_exactly(4)
      times[#times + 1] = net:now() - asked
      net:sleep(0.1)
    end
  end)

  net:run { until_ = seconds }
  table.sort(times)
  return link:counters(client), octets * 8 / seconds, times
end

print(("%g Mbit/s, %g ms there and back, %g s, NewReno with ECN where nothing else is said; times in ms")
  :format(RATE / 1e6, DELAY * 2e3, seconds))
print "queue              Mbit/s   waits: mean    99 %   most   ping: median   most   dropped  marked"
for _, case in ipairs(QUEUES) do
  local counters, goodput, times = run(case)
  local sojourn = counters.queue.sojourn
  if case.congestion == "prague" then sojourn = counters.queue.l4s.sojourn end
  print(("%-16s %8.2f %13.1f %7.1f %6.0f %14.1f %6.0f %9d %7d"):format(case.name, goodput / 1e6,
    sojourn.mean * 1e3, sojourn.p99 * 1e3, sojourn.greatest * 1e3, times[#times // 2 + 1] * 1e3,
    times[#times] * 1e3, counters.dropped.queue + counters.dropped.aqm, counters.marked))
end
