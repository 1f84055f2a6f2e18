-- You will see why closing takes four segments where opening takes three, and a close with three.
-- Run it: ./dev run examples/tour.lua 4
-- It plays RFC 9293, sections 3.6 and 3.8.6.3.

local scene = {
  title = "Why closing takes four, and opening three",
  rfc = "RFC 9293, section 3.6",
  prose = [[
    A server that is asked for a connection has nothing to finish first: its own SYN and the ACK for the
    other's leave together. A server that reads the end of the stream may still have much to say. TCP
    acknowledges the FIN and waits for the application; the application's own FIN comes when it comes.]],
}

local function still_talking(stage)
  stage.act "A server with data still to send"
  local net, client, server = stage.pair { delayed_ack = false }
  local near, far = stage.connect(client, assert(server:listen(80)))
  local mark = net.trace:mark()
  assert(near:shutdown()) -- no more from the client, which goes on reading
  assert(far:read() == nil)
  for _, line in ipairs { "one\n", "two\n", "three\n" } do
    net:sleep(0.100)
    far:write(line)
  end
  far:close()
  local lines = {}
  for line in near:lines() do lines[#lines + 1] = line end
  near:close()
  net:run { until_idle = true }
  stage.ladder(net)

  local sent = stage.sent(net, mark)
  stage.expect("first and last segments",
    { "client FA 1 1", "server A 1 2", "server FPA 9 2 len 6", "client A 2 16" },
    { sent[1], sent[2], sent[#sent - 1], sent[#sent] })
  local opened = net.trace:segments "flags"
  stage.notice("Opening took {} segments, since the server's carries both: {}.", { 3, "SA" },
    { #opened - #sent, opened[2]:match "%u+" })
  stage.notice("Between its ACK for the client's FIN and its own FIN the server sent {}.",
    { "one", "two", "three" }, lines)
  local octets = 0
  for _, record in ipairs(net.trace:packets { kind = "sent", since = mark }) do
    octets = octets + record.segment.length
  end
  stage.notice("These are {} octets, and the last of them carried its FIN. Had the FIN been tied to the "
    .. "ACK, none could have been sent.", 14, octets)
  stage.notice("The server spoke in {}, the client listened in {}.", { "CLOSE-WAIT", "FIN-WAIT-2" },
    { net.trace:states(far)[3], net.trace:states(near)[4] })
end

local function only_three(stage)
  stage.act "A server with nothing left to say"
  stage.say [[
    If the server's ACK is delayed for a moment, as ACKs for data are, and its application closes within
    that moment, ACK and FIN go in one segment. Linux does so.]]
  local net, client, server = stage.pair { delay_fin_ack = true }
  local near, far = stage.connect(client, assert(server:listen(80)))
  local mark, began = net.trace:mark(), net:now()
  near:close()
  assert(far:read() == nil)
  far:close()
  assert(net:run { until_ = function() return far:state() == "CLOSED" end })
  local took = net:now() - began
  net:run { until_idle = true }
  stage.ladder(net)

  stage.expect("the segments of the close", { "client FA 1 1", "server FA 1 2", "client A 2 2" },
    stage.sent(net, mark))
  stage.notice("This close took {} segments, as the opening did, and {} s, one way thrice.", { 3, 0.03 },
    { #stage.sent(net, mark), took })
  stage.notice("The client left FIN-WAIT-1 with ACK and FIN at once: {}.",
    { "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED" }, { table.unpack(net.trace:states(near), 3) })
  stage.notice("The server went through {} as ever.", { "CLOSE-WAIT", "LAST-ACK", "CLOSED" },
    { table.unpack(net.trace:states(far), 3) })
end

function scene.play(stage)
  still_talking(stage)
  only_three(stage)
end

return scene
