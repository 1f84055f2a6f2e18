-- You will see six congestion controls, each alone on one path: its window drawn over 12 s, and its cost.
-- Run it: ./dev run examples/congestion.lua [QUEUE]; drop_tail (the default), codel, pie, dualpi2.
-- It plays RFC 5681, section 3: what may be in flight is found out by sending, and what answers is the queue.

local tcp = require "lunatcp"

local queue = arg[1] or "drop_tail"
local known = { drop_tail = true, codel = true, pie = true, dualpi2 = true }
if not known[queue] or #arg > 1 then
  io.stderr:write "usage: congestion.lua [drop_tail|codel|pie|dualpi2]\n"
  os.exit(1)
end
local RATE <const>, DELAY <const>, SECONDS <const>, COLUMNS <const> = 20e6, 0.020, 12, 72
local BDP <const> = RATE / 8 * 2 * DELAY
local BARS <const> = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local ECN <const> = { dctcp = 1, prague = 3 } -- what each asks for: RFC 3168, AccECN (RFC 9768)

local function run(name)
  local net <close> = tcp.network { seed = 42 }
  local settings = { profile = "linux", send_buffer = 1048576 }
  settings.ecn = ECN[name] or (queue == "drop_tail" and 0 or 1)
  local server = net:host("server", settings)
  settings.congestion = name
  local client = net:host("client", settings)
  local limit = { kind = queue, bytes = queue == "drop_tail" and BDP // 1 | 0 or nil }
  local link = net:link(client, server, { delay = DELAY, rate = RATE, queue = limit })
  local listener, conn, read = server:listen(80), nil, 0
  net:spawn(function()
    for chunk in listener:accept():chunks() do read = read + #chunk end
  end)
  net:spawn(function()
    conn = assert(client:connect(server, 80))
    while conn:write(("x"):rep(65536)) do end
  end)
  local drawing, waited = {}, 0
  for i = 1, COLUMNS do
    local widest = 0
    for step = 1, 5 do
      net:run { until_ = (i - 1 + step / 5) * SECONDS / COLUMNS }
      local info = conn and conn:info() or {}
      widest = math.max(widest, info.cwnd or 0)
      waited = waited + (info.latest_rtt or 2 * DELAY) - 2 * DELAY
    end
    drawing[i] = BARS[math.max(1, math.min(#BARS, math.ceil(widest / (2.5 * BDP) * #BARS)))]
  end
  local info = conn:info()
  print(("%-8s %s"):format(name, table.concat(drawing)))
  print(("%8s %.1f Mbit/s, %.1f ms in the queue, %d sent again, %d marked\n"):format("",
    read * 8 / SECONDS / 1e6, waited / COLUMNS / 5 * 1e3, info.segments_retransmitted,
    link:counters(client).marked))
end

print(("%.0f Mbit/s, %.0f ms, %s: a full bar is 2.5 times what the path holds\n"):format(RATE / 1e6,
  2e3 * DELAY, queue))
for _, name in ipairs { "newreno", "cubic", "dctcp", "prague", "bbr", "bbr1" } do run(name) end
