-- You will see a server that sends back each line, a client that talks to it, and the ladder of it all.
-- Run it: ./dev run examples/echo.lua, or over two UDP sockets: ./dev run examples/echo.lua real
-- It plays RFC 862 over RFC 9293, sections 3.5, 3.6 and 3.8.

local tcp = require "lunatcp"

local real = arg[1] == "real"
if #arg > 1 or (arg[1] and not real) then
  io.stderr:write "usage: echo.lua [real]\n"
  os.exit(1)
end

-- Only this line knows in which world the rest happens.
local net = assert(tcp.network { seed = 42, clock = real and "real" or nil, via = real and "udp" or nil })

local client, server = net:host "client", net:host "server"
assert(net:link(client, server, { delay = 0.010 }))

net:spawn("server", function()
  local listener <close> = assert(server:listen(7))
  local conn <close> = assert(listener:accept())
  for chunk in conn:chunks() do assert(conn:write(chunk)) end -- until the client's FIN
end)

net:spawn("client", function()
  local conn <close> = assert(client:connect(server, 7))
  for _, line in ipairs { "hello", "is there anybody out there?", "goodbye" } do
    assert(conn:write(line .. "\n"))
    local echo = assert(conn:read_exactly(#line + 1))
    assert(echo == line .. "\n", "the echo differs")
    print(("%.2f s  %s"):format(net:now(), line))
  end
  conn:shutdown()
  assert(conn:read() == nil) -- the server has closed too
end)

net:run()
net:run { until_ = net:now() + 0.050 } -- the last ACK is on its way
print()
print(net:ladder())
