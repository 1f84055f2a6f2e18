-- You will see a timeout that was not needed: the path stands still for a while and loses nothing. The ladder
-- says what each algorithm makes of it: the probe, the RTO, F-RTO's steps, the window that is given back.
-- Run it: ./dev run examples/spurious.lua. It plays RFC 5682, section 2.1, and RFC 4015.

local tcp = require "lunatcp"

local FROM <const>, UNTIL <const> = 0.100, 0.500

local net = tcp.network { seed = 1 }
local client = net:host("client", { profile = "linux", initial_window = 4, eifel = false }) -- F-RTO alone
local server = net:host("server", { profile = "linux" })
local link = net:link(client, server, { delay = 0.010, rate = 20e6 })
link:rule(function() -- what meets the standstill comes behind its end, in the order in which it left
  local now = net:now()
  if now >= FROM and now < UNTIL then return { delay = UNTIL - now + (now - FROM) / 20 } end
end)

net:spawn(function()
  local conn <close> = server:listen(80):accept()
  for _ in conn:chunks() do end
end)
net:spawn(function()
  local conn <close> = assert(client:connect(server, 80))
  net:sleep(FROM)
  conn:write(("x"):rep(16000))
end)
net:run()
io.write(net:ladder())

print "\nWhat the algorithms said:"
for _, event in ipairs(net.trace:events { kind = "remark" }) do
  print(("%.6f  %s: %s%s"):format(event.time, event.remark, event.text,
    event.cwnd and (", cwnd %d"):format(event.cwnd) or ""))
end
