-- You will see one loop, luv's, that turns for its own timer and for a TCP connection between two tunnels.
-- Run it: ./dev run examples/with_luv.lua (Debian: lua-luv)
-- It plays RFC 9293, sections 3.5, 3.6 and 3.8, over two UDP sockets; the loop belongs to somebody else.

local luv = require "luv"
local tcp = require "lunatcp"

local net = assert(tcp.network { clock = "real", seed = 42 })
local client, server = net:host "client", net:host "server"

-- Two tunnels in one process: each is a link that leads out, and comes back at the other.
local there = assert(net:tunnel(server, { bind = "127.0.0.1:0", learn = true }))
local here = assert(net:tunnel(client, { peer = ("%s:%d"):format(there:socket()) }))

-- ---- the three words: fd, timeout, step -----------------------------------------------------------------

local poll, timer = luv.new_poll(net:fd()), luv.new_timer()

-- Before each of its sleeps the loop asks what is due, and when it wants to be woken at the latest.
local function turn()
  net:step()
  local timeout = net:timeout()
  timer:stop()
  if timeout then timer:start(math.ceil(timeout * 1000), 0, function() end) end
end

local before = luv.new_prepare()
before:start(turn)
poll:start("r", function() end) -- that it wakes is enough

-- ---- what else the loop does ----------------------------------------------------------------------------

local ticks = 0
local tick = luv.new_timer()
tick:start(20, 20, function() ticks = ticks + 1 end)

local function stop()
  for _, handle in ipairs { poll, timer, before, tick } do handle:close() end
end

-- ---- the scene ------------------------------------------------------------------------------------------

net:spawn("server", function()
  local listener <close> = assert(server:listen(7))
  local conn <close> = assert(listener:accept())
  for chunk in conn:chunks() do assert(conn:write(chunk:upper())) end
end)

net:spawn("client", function()
  local conn <close> = assert(client:connect(net:remote { via = here }, 7))
  for _, word in ipairs { "one", "loop", "for both" } do
    conn:write(word)
    print(conn:read(100))
    net:sleep(0.05) -- luv's timer goes on meanwhile
  end
end)

-- A coroutine of luv's user may look on; only a call that blocks would have to be a task's.
local watcher = coroutine.wrap(function()
  while true do coroutine.yield(#net.scheduler.tasks) end
end)

local check = luv.new_check()
check:start(function()
  if watcher() > 0 then return end
  check:close()
  stop() -- from a callback: nothing waits any more
end)

luv.run()
print(ticks > 3 and "luv's timer ticked meanwhile" or "luv's timer did not tick")
net:close()
