-- You will see urgent data: what the pointer points at, and two ways to read it.
-- Run it: ./dev run examples/tour.lua 10
-- It plays RFC 9293, section 3.8.5, and RFC 6093.

local scene = {
  title = "URG",
  rfc = "RFC 9293, section 3.8.5",
  prose = [[
    A sender may mark a point in its stream up to which it wants the other to hurry. The flag URG says
    that there is such a point, the urgent pointer how far it is from the sequence number: it names the
    octet that follows the urgent data. Nothing overtakes anything; only the news travels ahead. New
    programs should not use it; telnet's interrupt does.]],
}

local function in_line(stage)
  stage.act "Read in its place"
  local net, client, server = stage.pair { nagle = false }
  local near, far = stage.connect(client, assert(server:listen(80)))
  near:write "abc"
  net:sleep(0.030)
  near:urgent "STOP"
  net:sleep(0.030)
  near:write "def"
  net:sleep(0.030)
  local info = far:info()
  local first = far:read(100)
  local second = far:read(100)
  stage.ladder(net)

  local pointed
  for _, record in ipairs(net.trace:packets { kind = "sent" }) do
    local segment = record.segment
    if segment.flags.urg then pointed = { segment.seq, segment.urgent, segment.seq + segment.urgent } end
  end
  stage.notice("Sequence number {} and pointer {} make {}: the octets before it are urgent, it itself "
    .. "is not.",
    { 1004, 4, 1008 }, pointed)
  stage.notice("Told of urgent data, the reader learned that it was {} octets away from being past them.",
    7, info.urgent_remaining)
  stage.notice("A read stops at the mark, so that its place is not lost: \"{}\", then \"{}\".",
    { "abcSTOP", "def" }, { first, second })
end

local function out_of_band(stage)
  stage.act "Read aside"
  stage.say [[
    BSD sockets, and so most systems, hand the last urgent octet out by itself and leave it out of the
    stream. Here that is a setting: urgent_inline = false.]]
  local net, client, server = stage.pair { urgent_inline = false }
  local near, far = stage.connect(client, assert(server:listen(80)))
  near:write "abc"
  near:urgent "!"
  near:write "def"
  net:sleep(0.100)
  local aside = far:read_urgent()
  local stream = far:read_exactly(6)
  stage.ladder(net)
  stage.notice("Asked for it, the server gets \"{}\" although \"abc\" was not read yet.", "!", aside)
  stage.notice("The stream is \"{}\".", "abcdef", stream)
end

local function past_a_closed_window(stage)
  stage.act "Past a closed window"
  local net, client, server = stage.pair { receive_buffer = 1000 }
  local near, far = stage.connect(client, assert(server:listen(80)))
  local told
  local hook <close> = far:on("urgent", function(_, event) told = { event.value, event.time } end)
  near:write(("x"):rep(1000))
  net:sleep(0.300)
  local window = near:info().snd_wnd
  near:urgent "!"
  local asked = net:now()
  net:sleep(0.050)
  stage.ladder(net)
  assert(hook)
  stage.notice("The server's buffer is full, its window {}: not one more octet can be sent.", 0, window)
  stage.notice("Still it hears of urgent data, {} octets on, {} s after the client said so.",
    { 1001, 0.01 }, { told[1], told[2] - asked })
  stage.notice("So it knows that it should read, which is all that the urgent mechanism is for; {} "
    .. "octets wait.",
    1000, far:info().unread)
end

function scene.play(stage)
  in_line(stage)
  out_of_band(stage)
  past_a_closed_window(stage)
end

return scene
