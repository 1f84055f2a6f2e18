-- You will see buffers grow until a path of 1 Gbit/s and 100 ms is full, and stay small on a slow one.
-- Run it: ./dev run examples/autotuning.lua
-- It plays RFC 7323 section 2 (windows for long, fast paths); how they grow: docs/design.md, "Memory".
local tcp = require "lunatcp"

local function show(name, path)
  local net <close> = tcp.network { seed = 1, profile = "linux", trace = false }
  local client, server = net:host "client", net:host "server"
  net:link(client, server, path)
  local sender, receiver, got = nil, nil, 0

  net:spawn(function()
    local listener <close> = server:listen(80)
    receiver = listener:accept()
    for chunk in receiver:chunks() do got = got + #chunk end
  end)
  net:spawn(function()
    sender = assert(client:connect(server, 80))
    while true do sender:write(("x"):rep(65536)) end
  end)

  print(name)
  print "  second   Mbit/s   receive buffer   send buffer"
  for second = 1, 5 do
    local before = got
    net:run { until_ = second }
    print(("  %6d  %7.1f  %15d  %12d"):format(second, (got - before) * 8e-6,
      receiver:info().receive_buffer, sender:info().send_buffer))
  end
end

-- Packets of 64 KiB, so that there are few of them to compute.
show("1 Gbit/s, 100 ms there and back:", { rate = 1e9, delay = 0.050, queue = 1000, mtu = 65535 })
show("1 Mbit/s, 50 ms there and back:", { rate = 1e6, delay = 0.025, queue = 32 })
