-- You will see SYNs by the thousand from addresses that nobody has, and who is still served beside them.
-- Run it: ./dev run examples/flood.lua [SYNS]
-- It plays RFC 4987, sections 3.2 and 3.6: a bounded queue of half-open connections, and SYN cookies.

local tcp = require "lunatcp"

local SYNS <const> = math.tointeger(tonumber(arg[1] or 20000))
if not SYNS or SYNS < 1 then
  io.stderr:write "usage: flood.lua [SYNS]\n"
  os.exit(1)
end

local OPTIONS <const> = {
  mss = 1460, sack_permitted = true, timestamps = { value = 9, echo = 0 }, window_scale = 7,
}

-- A server with room for 128 half-open connections, a client, and somebody who forges 100,000 SYNs a second.
local function play(title, cookies)
  local net <close> = tcp.network { seed = 42 }
  local client, attacker = net:host "client", net:peer "attacker"
  local server = net:host("server", { syn_cookies = cookies })
  net:link(client, server, { delay = 0.010 })
  net:link(attacker, server, { delay = 0.010, queue = 4096 })
  local listener = server:listen(80, { backlog = 128 })
  local most = 0

  local flood = net:spawn(function()
    for i = 1, SYNS do
      attacker:send {
        source = ("198.51.%d.%d"):format(i >> 8 & 255, i & 255), to = server, flags = "S",
        source_port = 1024 + i % 50000, destination_port = 80, seq = i * 2654435761 & 0xffffffff,
        options = OPTIONS,
      }
      if i % 100 == 0 then
        net:sleep(0.001)
        most = math.max(most, server:counters().connections)
      end
    end
  end)

  local took, conn
  local honest = net:spawn(function()
    net:sleep(0.1)                                              -- the queue has long been full
    local began = net:now()
    conn = client:connect(server, 80, { timeout = 10 })
    took = net:now() - began
    if not conn then return end
    local served = listener:accept()
    conn:write "hello"
    assert(served:read(5) == "hello")
  end)
  flood:join()
  honest:join()

  local counted = server:counters()
  print(title)
  print(("  the client %s"):format(conn and ("is connected after %.0f ms"):format(took * 1000)
                                         or ("gave up after %.0f s"):format(took)))
  print(("  connections that the server held, at most: %d"):format(most))
  print(("  SYNs dropped: %d, answered by a cookie: %d, cookies that came back: %d"):format(
    counted.listen_overflows, counted.syn_cookies_sent, counted.syn_cookies_accepted))
  if not conn then return end
  local info = conn:info()
  print(("  agreed: MSS %d, window scale %d and %d, SACK %s, timestamps %s"):format(
    info.snd_mss, info.snd_wscale, info.rcv_wscale, info.sack, info.timestamps))
end

print(("%d forged SYNs"):format(SYNS))
play("without cookies", 0)
play("cookies where the queue is full", 1)
play("cookies always", 2)
