-- You will see what TIME-WAIT is for, and what goes wrong without it.
-- Run it: ./dev run examples/tour.lua 8
-- It plays RFC 9293, sections 3.6.1 and 3.10.7.4, eighth step.

local scene = {
  title = "TIME-WAIT",
  rfc = "RFC 9293, section 3.6.1",
  prose = [[
    Whoever closes first sends the last ACK, and nobody tells it whether that came. So it stays, for
    twice the longest life of a segment (MSL, 2 minutes): long enough to answer a FIN that comes again,
    and long enough for all that is still on the way to die.]],
}

local function time_of(net, conn, state)
  local time
  for _, event in ipairs(net.trace:events { kind = "state", connection = conn }) do
    if event.to == state then time = event.time end
  end
  return time
end

-- Opens, closes from the client's side while `rule` may lose something, and lets all timers run.
local function play_close(stage, settings, rule)
  local net, client, server, link = stage.pair(settings)
  local near, far = stage.connect(client, assert(server:listen(80)), { local_port = 49152 })
  local mark = net.trace:mark()
  local lost <close> = rule(link, client)
  near:close()
  assert(far:wait_state "CLOSE-WAIT")
  far:close()
  net:run { until_idle = true }
  stage.ladder(net)
  assert(lost)
  return net, near, far, stage.sent(net, mark)
end

local function lose_last_ack(link, client)
  return link:drop { from = client, acking = 5002, times = 1 }
end

local function last_ack_lost(stage)
  stage.act "The last ACK is lost"
  local net, near, far, sent = play_close(stage, {}, lose_last_ack)
  stage.expect("the segments of the close", {
    "client FA 1 1", "server A 1 2", "server FA 1 2", "client A 2 2", "server FA 1 2", "client A 2 2",
  }, sent)
  local entered = time_of(net, near, "TIME-WAIT")
  stage.notice("The server heard nothing for {} s, its retransmission timeout, and sent its FIN again.",
    1, net.trace:events { kind = "timeout", connection = far }[1].time - (entered - 0.010))
  stage.notice("The client, in TIME-WAIT since {} s, answered {} s later as if nothing had happened.",
    { 0.05, 1 }, { entered, net.trace:packets { kind = "sent" }[9].time - entered })
  stage.notice("And its 2 MSL started again: it was CLOSED {} s after the second FIN, {} s after the first.",
    { 240, 241 }, { time_of(net, near, "CLOSED") - entered - 1, time_of(net, near, "CLOSED") - entered })
  stage.notice("The server ended in {} {}.", { "CLOSED", "without an error" },
    { far:state(), far:error() or "without an error" })
end

local function without_answer(stage)
  stage.act "TIME-WAIT of zero: nobody answers the FIN"
  local _, near, far, sent = play_close(stage, { time_wait = 0 }, lose_last_ack)
  stage.expect("the last segments", { "server FA 1 2", "client R 2" }, { sent[#sent - 1], sent[#sent] })
  stage.notice("The client was {} at once, so the FIN that came again met nobody, and was reset.",
    "CLOSED", near:state())
  stage.notice("All had gone well, but the server must think that it had not: \"{}\".",
    "connection reset by peer", (far:error()))
end

-- A client sends "old", of which a copy gets stuck in the network for three seconds, and closes. Two
-- seconds later it opens a connection from the same port, and sends "new" as the copy comes out.
local function wander(stage, settings)
  local net, client, server, link = stage.pair(settings)
  local listener = assert(server:listen(80))
  local stuck <close> = link:duplicate { data = true, from = client, times = 1, after = 3 }
  local near, far = stage.connect(client, listener, { local_port = 49152 })
  near:write "old"
  assert(far:read_exactly(3) == "old")
  near:close()
  assert(far:read() == nil)
  far:close()
  net:sleep(2)
  local again, _, code = client:connect(server, 80, { local_port = 49152 })
  if not again then return net, code end
  local heard = assert(listener:accept())
  net:sleep(3.045 - net:now())
  again:write "new"
  assert(stuck)
  return net, heard:read(10), again, heard
end

local function old_duplicate(stage)
  stage.act "TIME-WAIT of zero: an old segment in a new connection"
  stage.say [[
    A client sends "old" and closes; a copy of that segment is held up in the network for three seconds.
    Meanwhile the client opens a new connection from the same port, with the same initial sequence
    number, which is bad luck, and sends "new".]]
  local net, read, conn, heard = wander(stage, { time_wait = 0 })
  net:sleep(0.100)
  stage.ladder(net)
  stage.notice("The server reads \"{}\" from the new connection: these numbers are in its window.", "old",
    read)
  stage.notice("\"new\" has the same numbers, so the server took it for a repetition: it counts {}.",
    1, heard:info().duplicate_segments)
  stage.notice("The client was acknowledged all {} octets, with {} retransmissions: nobody will ever know.",
    { 3, 0 }, { conn:info().bytes_acked, conn:info().segments_retransmitted })
  local _, code = wander(stage, {})
  stage.notice("With TIME-WAIT the same client gets {}: those two ports are not free before all is quiet.",
    "EISCONN", code)
  local _, with_timestamps = wander(stage, { time_wait = 0, timestamps = true })
  stage.notice("Timestamps tell old from new even so (PAWS, RFC 7323): the server reads \"{}\".",
    "new", with_timestamps)
end

function scene.play(stage)
  last_ack_lost(stage)
  without_answer(stage)
  old_duplicate(stage)
end

return scene
