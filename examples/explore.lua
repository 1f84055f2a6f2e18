-- You will see TCP tried under every combination of loss, duplication and delay of its first packets, and a
-- careless program on top of it fail: with the shortest script of mishaps that makes it fail, and its ladder.
-- Run it: ./dev run examples/explore.lua [DEPTH]   (6 packets; each more takes two to three times as long)
-- It plays RFC 9293, sections 3.5 and 3.6: what the handshakes promise whatever befalls their segments.

local tcp = require "lunatcp"

local depth = math.tointeger(tonumber(arg[1] or 6))
if not depth then
  io.stderr:write "usage: explore.lua [DEPTH]\n"
  os.exit(1)
end

-- Numbers that are not taken from a clock: states that differ in nothing else are then the same state.
-- Nobody gives up, however many packets are lost.
local network = { settings = { isn = 1000, timestamps = false, r2_time = 3600, syn_r2_time = 3600 } }
local choices = { "deliver", "drop", "duplicate", "delay" }

local function two_hosts(net)
  local client, server = net:host "client", net:host("server", { mss = 536 })
  net:link(client, server, { delay = 0.010 })
  return client, server, server:listen(80)
end

local function read_all(conn)
  local parts = {}
  for chunk in conn:chunks() do parts[#parts + 1] = chunk end
  return table.concat(parts)
end

-- ---- a program that does it right ---------------------------------------------------------------

local function question_and_answer(net)
  local client, server, listener = two_hosts(net)
  local seen = {}
  net:spawn("client", function()
    local conn = assert(client:connect(server, 80))
    conn:write "question"
    conn:shutdown()
    seen.answer = read_all(conn)
    conn:close()
    seen.client = conn
  end)
  net:spawn("server", function()
    local conn = assert(listener:accept())
    seen.question = read_all(conn)
    conn:write "answer"
    conn:close()
    seen.server = conn
  end)
  return seen
end

local function both_were_heard(_, seen)
  if seen.question ~= "question" then return ("the server read %q"):format(seen.question) end
  if seen.answer ~= "answer" then return ("the client read %q"):format(seen.answer) end
  for _, name in ipairs { "client", "server" } do
    local conn = seen[name]
    if conn:state() ~= "CLOSED" or conn:error() then return ("the %s is %s"):format(name, conn:state()) end
  end
end

print "A question, an answer, and both ends closed in the end:"
local report = tcp.explore {
  scenario = question_and_answer, check = both_were_heard, network = network, choices = choices,
  depth = depth,
}
print(report)
print(("never gone through: %s\n"):format(table.concat(report.coverage.missing, ", ")))
assert(not report.failure)

-- ---- and one that does not ----------------------------------------------------------------------

-- It takes what one read gives for the whole message. With two segments that arrive together this always
-- works.
local function one_read_one_message(net)
  local client, server, listener = two_hosts(net)
  local seen = {}
  net:spawn("client", function()
    local conn = assert(client:connect(server, 80))
    conn:write(("message "):rep(100))
    conn:close()
  end)
  net:spawn("server", function()
    local conn = assert(listener:accept())
    net:sleep(0.1) -- busy with something else
    seen.message = conn:read()
    read_all(conn)
    conn:close()
  end)
  return seen
end

local function message_was_whole(_, seen)
  if #seen.message ~= 800 then return ("the message has %d octets instead of 800"):format(#seen.message) end
end

print "A program that takes one read for one message:"
report = tcp.explore {
  scenario = one_read_one_message, check = message_was_whole, network = network, choices = choices,
  depth = depth,
}
print(report)

-- Who lost the SYN begins with a window of one segment (RFC 5681, section 3.1): the halves come apart.
if report.failure then
  local net <close> = tcp.replay {
    scenario = one_read_one_message, check = message_was_whole, network = network, script = report.failure,
  }
  print("\n" .. net:ladder())
end
