-- You will see two terminals talk through two processes: what one types, the other one reads.
-- Run it: ./dev run examples/chat.lua --listen 127.0.0.1:9000, and elsewhere --connect 127.0.0.1:9000
-- It plays RFC 9293, sections 3.5 and 3.6: an opening, and a close of each half in its own time.

local argparse = require "argparse"
local tcp = require "lunatcp"

local parser = argparse("chat.lua", "Talks to another chat.lua, by TCP in UDP.")
parser:mutex(
  parser:option("--listen", "Wait here for the other one."):argname "HOST:PORT",
  parser:option("--connect", "Where the other one waits."):argname "HOST:PORT"
)
local options = parser:parse()
if not options.listen and not options.connect then parser:error "give --listen or --connect HOST:PORT" end

local function give_up(message)
  io.stderr:write("chat: ", message, "\n")
  os.exit(1)
end

-- A tunnel carries the segments as they are, in UDP datagrams; each end has an address inside of it.
local net = assert(tcp.network { seed = 42, clock = "real" })
local host = net:host "here"
local good, tunnel, problem = pcall(net.tunnel, net, host, {
  bind = options.listen, learn = options.listen and true, peer = options.connect,
})
if not good then give_up(tunnel) end
if not tunnel then give_up(("%s: %s"):format(options.listen or options.connect, problem)) end

local function meet()
  if options.listen then
    io.stderr:write(("waiting at %s:%d\n"):format(tunnel:socket()))
    local listener <close> = assert(host:listen(80))
    return assert(listener:accept())
  end
  local conn, message = host:connect(net:remote { via = tunnel, name = "there" }, 80, { timeout = 10 })
  return conn or give_up(("nobody answers at %s: %s"):format(options.connect, message))
end

net:spawn(function()
  local conn <close> = meet()
  io.stderr:write "you are talking; Ctrl-D says goodbye\n"

  local reader = net:spawn(function()
    for line in conn:lines() do
      print("> " .. line)
      io.flush()
    end
    io.stderr:write "the other one has said goodbye\n"
  end)

  for line in net:input():lines() do assert(conn:write(line .. "\n")) end
  conn:shutdown()                              -- half of the connection; the other may still have a word
  reader:join()
  conn:wait_state("TIME-WAIT", { timeout = 5 }) -- or CLOSED: the other one has our FIN
end)

net:run()
io.stderr:write("\n", net:ladder(), "\n")
net:close()
