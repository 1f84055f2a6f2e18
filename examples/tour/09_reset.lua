-- You will see three ways to be reset: nobody listens, somebody gives up, somebody forgot.
-- Run it: ./dev run examples/tour.lua 9
-- It plays RFC 9293, sections 3.5.1, 3.5.2 and 3.10.5.

local scene = {
  title = "RST",
  rfc = "RFC 9293, sections 3.5.1 and 3.5.2",
  prose = [[
    A segment that belongs to no connection is answered by RST, and whoever gets a RST for a connection
    of its own gives it up, with an error. Nothing is acknowledged, nothing waits, nothing is sent
    again: where FIN says that all is said, RST says that nothing is any more.]],
}

local function nobody_listens(stage)
  stage.act "Nobody listens"
  local net, client, server = stage.pair()
  local conn, message, code = client:connect(server, 81)
  stage.ladder(net)
  stage.expect("no connection", nil, conn)
  stage.expect("the segments", { "client S 0", "server RA 0 1" }, stage.sent(net))
  local reset = net.trace:packets { kind = "sent" }[2].segment
  stage.notice("The RST has sequence number {} and acknowledges {}: it proves that it has seen this "
    .. "very SYN.",
    { 0, 1001 }, { reset.seq, reset.ack })
  stage.notice("The client is told \"{}\" ({}), after one round trip: {} s.",
    { "connection refused", "ECONNREFUSED", 0.02 }, { message, code, net:now() })
end

local function abort(stage)
  stage.act "An abort throws its buffers away"
  local net, client, server = stage.pair()
  local near, far = stage.connect(client, assert(server:listen(80)))
  near:write(("x"):rep(100000)) -- more than the congestion window lets go at first
  net:sleep(0.010)
  local before = near:info()
  near:abort()
  net:sleep(0.100)
  local after = near:info()
  local bytes, message, code = far:read()
  stage.ladder(net)
  stage.notice("Of 100000 octets, {} were under way and {} waited when the client gave up.",
    { 4380, 95620 }, { before.unacked, before.unsent })
  stage.notice("After ABORT there are {} and {}: nobody will send them again.",
    { 0, 0 }, { after.unacked, after.unsent })
  stage.notice("The client went through {}: no TIME-WAIT.", { "SYN-SENT", "ESTABLISHED", "CLOSED" },
    net.trace:states(near))
  stage.notice("The server reads {}, \"{}\" ({}): even what had come is not to be trusted as whole.",
    { "nothing", "connection reset by peer", "ECONNRESET" }, { bytes or "nothing", message, code })
end

local function forgetful(stage)
  stage.act "One end restarts, and forgets"
  local net, client, server, link = stage.pair()
  local listener = assert(server:listen(80))
  local near, far = stage.connect(client, listener)
  net:sleep(1)
  link:down() -- the server's power fails: it can say nothing to anyone
  far:abort()
  net:sleep(1)
  link:up()   -- and it is back, with a listener, and without a memory
  net:sleep(1)
  local state = near:state()
  local mark = net.trace:mark()
  near:write "are you there?"
  local _, message, code = near:read()
  stage.ladder(net)
  stage.expect("the segments", { "client PA 1 1 len 14", "server R 1" }, stage.sent(net, mark))
  stage.notice("The client believes that it is {}: nothing had to be said, so nothing was heard.",
    "ESTABLISHED", state)
  stage.notice("The RST takes its number, {}, from the acknowledgment of what it answers, so it is in the "
    .. "client's window and believed.", 5001,
    net.trace:packets { kind = "sent", since = mark }[2].segment.seq)
  stage.notice("The client reads \"{}\" ({}).", { "connection reset by peer", "ECONNRESET" },
    { message, code })
  stage.notice("It may call again: {}.", "ESTABLISHED", (stage.connect(client, listener)):state())
end

function scene.play(stage)
  nobody_listens(stage)
  abort(stage)
  forgetful(stage)
end

return scene
