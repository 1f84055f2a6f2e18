-- You will see eleven scenes from the life of TCP, played by the engine and measured while they play.
-- Run it: ./dev run examples/tour.lua, or with the numbers of scenes: ./dev run examples/tour.lua 2 9
-- It plays RFC 9293, sections 3.1 to 3.10; each scene names its own.

local tcp = require "lunatcp"

local SCENES <const> = {
  "header", "handshake", "four_way_close", "why_four", "half_close", "simultaneous_close",
  "simultaneous_open", "time_wait", "reset", "urgent", "loss",
}
local WIDTH <const> = 98

-- The stage: what a scene is given to play with.
local stage = { notices = 0, in_list = false }

--- Two hosts, 10 ms apart, and a listener on port 80. The initial sequence numbers are round, so that
-- a reader can count along, and the options that only make labels longer are off.
function stage.pair(settings)
  local chosen = { timestamps = false, sack = false, window_scaling = false }
  for key, value in pairs(settings or {}) do chosen[key] = value end
  local net = tcp.network { seed = 42, settings = chosen }
  local client, server = net:host("client", { isn = 1000 }), net:host("server", { isn = 5000 })
  local link = net:link(client, server, { delay = 0.010 })
  return net, client, server, link
end

--- Opens a connection from the client to a listener of the server; gives both ends.
function stage.connect(client, listener, options)
  local near = assert(client:connect(listener.host, listener:port(), options))
  return near, assert(listener:accept())
end

local function print_wrapped(text, first, others)
  local line = first
  for word in text:gmatch "%S+" do
    if #line + #word + 1 > WIDTH and line ~= first then
      print(line)
      line = others .. word
    else
      line = line .. (line:find "%S$" and " " or "") .. word
    end
  end
  print(line)
end

local function end_list()
  if stage.in_list then print() end
  stage.in_list = false
end

--- Prose; an empty line begins a new paragraph.
function stage.say(text)
  end_list()
  for paragraph in (text .. "\n\n"):gmatch "%s*(%S.-)\n%s*\n" do
    print_wrapped(paragraph, "", "")
    print()
  end
end

--- A scene in several acts names each.
function stage.act(title)
  end_list()
  print("-- " .. title .. " " .. ("-"):rep(WIDTH - 4 - #title) .. "\n")
end

--- The ladder of all that happened in a network.
function stage.ladder(net, options)
  end_list()
  print(net:ladder(options))
end

local function text_of(value)
  if type(value) == "table" then
    local parts = {}
    for i, part in ipairs(value) do parts[i] = text_of(part) end
    return table.concat(parts, ", ")
  end
  if math.type(value) == "float" then return ("%.9g"):format(value) end
  local text = tostring(value)
  return #text <= 60 and text or ("%s... (%d octets)"):format(text:sub(1, 40), #text)
end

--- What was measured must be what the RFC says; else the tour ends.
function stage.expect(what, expected, got)
  if text_of(expected) == text_of(got) then return end
  error(("%s\n  expected: %s\n  got:      %s"):format(what, text_of(expected), text_of(got)), 0)
end

--- What to notice: a sentence and what makes it true. Each {} in it is filled with what was measured.
function stage.notice(sentence, expected, got)
  stage.expect(sentence, expected, got)
  stage.notices = stage.notices + 1
  stage.in_list = true
  local _, places = sentence:gsub("{}", "")
  local index = 0
  print_wrapped((sentence:gsub("{}", function()
    index = index + 1
    return text_of(places > 1 and got[index] or got)
  end)), "  * ", "    ")
end

--- The segments that were sent after a mark of the trace, as "client FA 1 2 len 3": who, flags, sequence and
-- acknowledgment number from the SYNs on.
function stage.sent(net, mark)
  local lines = net.trace:segments("flags seq ack len", { relative = true, since = (mark or 0) + 1 })
  for i, line in ipairs(lines) do
    lines[i] = line:gsub(" > %S+", "", 1):gsub(" ack", ""):gsub("%s+", " "):gsub(" $", "")
  end
  return lines
end

-- ---- the tour ---------------------------------------------------------------------------------

local home <const> = arg[0]:match "^(.*[/\\])" or ""

local function complain(...)
  io.stdout:flush()
  io.stderr:write("tour: ", ...)
  io.stderr:write "\n"
  os.exit(1, true)
end

local function play(number)
  local scene = assert(dofile(("%stour/%02d_%s.lua"):format(home, number, SCENES[number])))
  print(("="):rep(WIDTH))
  local title = ("%d. %s"):format(number, scene.title)
  print(title .. (" "):rep(WIDTH - #title - #scene.rfc) .. scene.rfc)
  print(("="):rep(WIDTH) .. "\n")
  stage.say(scene.prose)
  local ok, problem = xpcall(scene.play, debug.traceback, stage)
  end_list()
  if not ok then
    complain(("scene %d, \"%s\": the engine does otherwise\n"):format(number, scene.title), problem)
  end
end

local chosen = {}
for i, word in ipairs(arg) do
  chosen[i] = math.tointeger(tonumber(word))
  if not SCENES[chosen[i]] then
    complain(("there is no scene '%s'; they are 1 to %d"):format(word, #SCENES))
  end
end
if #chosen == 0 then
  for number = 1, #SCENES do chosen[number] = number end
end
stage.say [[
  A ladder has a line for each segment. The time, in seconds, is when it left; the state beside the
  arrow's tail is that of its sender, the one beside its head is what its arrival led to. Sequence
  numbers count from the SYN's, which is 0, unless a scene shows them as they are.]]
for _, number in ipairs(chosen) do play(number) end
print(("Scenes played: %d. Things to notice: %d, all of them measured."):format(#chosen, stage.notices))
