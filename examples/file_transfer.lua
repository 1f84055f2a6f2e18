-- You will see a file go through a network that loses 5 % each way and changes the order, and arrive whole.
-- Run it: ./dev run examples/file_transfer.lua FILE (over two UDP sockets on the loopback interface)
-- It plays RFC 9293, section 3.8, with RFC 5681, 6298, 6582, 6675 and 7323.

local tcp = require "lunatcp"

local function give_up(...)
  io.stderr:write("file_transfer: ", ...)
  io.stderr:write "\n"
  os.exit(1)
end

local path = arg[1]
if not path or #arg > 1 then give_up "usage: file_transfer.lua FILE" end
local source, problem = io.open(path, "rb")
if not source then give_up(problem) end
local size = source:seek "end"
source:seek "set"
local readable, why, number = source:read(0)
if not readable and number then give_up(path, ": ", why) end

-- The system's own tool; the name goes to the shell in quotes and to the tool not at all.
local function sha256(name)
  local quoted = "'" .. name:gsub("'", "'\\''") .. "'"
  local pipe = assert(io.popen(("(sha256sum || shasum -a 256) <%s 2>/dev/null"):format(quoted)))
  local digest = pipe:read "a":match "^%x+"
  pipe:close()
  return digest and #digest == 64 and digest or give_up "neither sha256sum nor shasum can be run"
end

local is_terminal = (function()
  local found, term = pcall(require, "term")
  return found and term.isatty(io.stdout)
end)()
local shown = -1

-- A bar that grows on a terminal; elsewhere a line for each tenth.
local function show_progress(done, seconds)
  local percent = size == 0 and 100 or done * 100 // size
  if is_terminal and percent > shown then
    shown = percent
    local filled = percent * 60 // 100
    io.write(("\r[%s%s] %3d %%  %.1f s"):format(("#"):rep(filled), ("."):rep(60 - filled), percent, seconds))
    io.flush()
  elseif not is_terminal and percent // 10 > shown then
    shown = percent // 10
    print(("%3d %%  %10d octets  %.3f s"):format(percent, done, seconds))
  end
end

-- A round trip takes 2 ms here: the least timeout of RFC 6298, 1 s, would be most of what one sees.
local net = assert(tcp.network {
  seed = 31, clock = "real", via = "udp", settings = { rto_min = 0.050 },
})
local sender, receiver = net:host "sender", net:host "receiver"
local link = assert(net:link(sender, receiver, {
  delay = 0.001, loss = 0.05, reorder = 0.05, reorder_delay = 0.002,
}))
local copy = os.tmpname()
local began, took, opening, final
local received = 0

net:spawn("receiver", function()
  local listener <close> = assert(receiver:listen(80))
  local conn <close> = assert(listener:accept())
  local file <close> = assert(io.open(copy, "wb"))
  for chunk in conn:chunks() do
    assert(file:write(chunk))
    received = received + #chunk
    if received > 16384 then opening = opening or net:ladder() end
    show_progress(received, net:now() - began)
  end
  took = net:now() - began
end)

net:spawn("sender", function()
  began = net:now()
  local conn <close> = assert(sender:connect(receiver, 80))
  for chunk in function() return source:read(65536) end do assert(conn:write(chunk)) end
  conn:shutdown()
  assert(conn:read() == nil) -- until the receiver has closed too: all has come
  final = conn:info()
end)

net:run()
source:close()
if is_terminal then print() end
local before, after = sha256(path), sha256(copy)
os.remove(copy)

local forward, back = link:counters(sender), link:counters(receiver)
print()
print("sha-256 sent      " .. before)
print("sha-256 received  " .. after)
print(("octets            %d"):format(received))
print(("time              %.3f s"):format(took))
print(("goodput           %.3f Mbit/s"):format(received * 8 / took / 1e6))
print(("retransmissions   %d of %d segments, %d octets"):format(final.segments_retransmitted,
  final.segments_sent, final.bytes_retransmitted))
print(("                  %d fast recoveries, %d timeouts"):format(final.fast_recoveries, final.timeouts))
print(("lost              %d of %d there, %d of %d back"):format(forward.dropped.loss or 0, forward.packets,
  back.dropped.loss or 0, back.packets))
print(("out of order      %d there, %d back"):format(forward.delayed, back.delayed))
print "\nThe first moments:\n"
print((opening or net:ladder()):match("^" .. ("[^\n]*\n?"):rep(24)))
if before ~= after then give_up "the digests differ" end
print "The digests agree."
