-- You will see three requests to one server: a cookie asked for, a round trip saved, a stale cookie renewed.
-- Run it: ./dev run examples/fast_open.lua
-- It plays RFC 7413, section 3: data in the SYN, answered before the handshake has ended.

local tcp = require "lunatcp"

local net = tcp.network { seed = 7 }
local client, server = net:host "client", net:host "server"
net:link(client, server, { delay = 0.050 })

net:spawn("server", function()
  local listener <close> = server:listen(80, { fast_open = 16 })
  while true do
    local conn <close> = assert(listener:accept())
    local state = conn:state()
    local question = assert(conn:read_exactly(5))
    assert(conn:write(("%s, asked in %s"):format(question, state)))
  end
end)

local function ask(what)
  local start = net:now()
  local conn <close> = assert(client:connect(server, 80, { fast_open = "hello" }))
  local answer = assert(conn:read())
  local info = conn:info()
  local cookie = info.fast_open_asked and "asked for a cookie" or "showed a cookie"
  print(("%-10s %.0f ms: %q; %s, %d of %d octets taken from the SYN"):format(what, (net:now() - start) * 1000,
    answer, cookie, info.fast_open_acked, info.fast_open_octets))
end

ask "first"
ask "second"
-- The server's key changes twice: the cookie that the client holds is none of its two any more.
for _, letter in ipairs { "a", "b" } do server:fast_open_rotate(letter:rep(16)) end
ask "refused"
ask "renewed"

print()
print(net:ladder())
