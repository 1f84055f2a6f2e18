-- A process of its own for stream_spec.lua: a host behind a tunnel that learns its peer. Prints its
-- UDP port, takes one connection on port 7, echoes until the other side has closed, and ends; in any
-- case after ten seconds.
--   lua5.4 echo_child.lua BIND FRAMING INNER_ADDRESS OUTER_INNER_ADDRESS
local core = require "lunatcp.core"

local bind, framing, here, there = table.unpack(arg)
local loop = assert(core.loop())
local net = core.network { start_ns = loop:now_ns() }
local host = net:host { profile = "linux", settings = { time_wait = 0 } }
local link = assert(net:link { { node = host, addresses = { here .. "/24" } }, {}, tunnel = true })
local tunnel = assert(loop:udp { link = link, bind = bind, learn = true, framing = framing,
                                 local_address = here, remote_address = there })
local listener = assert(host:listen { port = 7 })
print((select(2, tunnel:address())))
io.stdout:flush()

local connection, waiting = nil, ""
local function serve()
  connection = connection or listener:accept()
  while connection do
    if #waiting == 0 then
      local chunk, _, code = connection:read(65536)
      if code then return code ~= "EAGAIN" end
      if not chunk then
        connection:close()
        return true
      end
      waiting = chunk
    end
    local taken, _, code = connection:write(waiting)
    if not taken then return code ~= "EAGAIN" end
    waiting = waiting:sub(taken + 1)
  end
  return false
end

local done = false
while not done and loop:now() < 10 do
  if loop:step(net, loop:now() + 1) == "events" then
    while host:next_event() do end
    done = serve()
  end
end
-- The last acknowledgments.
local limit = loop:now() + 1
while connection and connection:state() ~= "CLOSED" and loop:now() < limit do
  if loop:step(net, limit) == "events" then
    while host:next_event() do end
  end
end
loop:close()
net:close()
os.exit(done)
