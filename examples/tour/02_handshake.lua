-- You will see how a connection is opened, by which numbers, and why that takes three segments.
-- Run it: ./dev run examples/tour.lua 2
-- It plays RFC 9293, section 3.5, figures 6 and 8.

local scene = {
  title = "The three-way handshake",
  rfc = "RFC 9293, section 3.5",
  prose = [[
    Octets are numbered, and each side chooses for itself where its numbers begin. So there are two
    things to be told and two to be confirmed: my numbers begin at X, I know that yours begin at Y.
    Since the middle two go the same way, they share a segment, and four messages take three.]],
}

local function times_of(net, state)
  local times = {}
  for _, event in ipairs(net.trace:events { kind = "state" }) do
    if event.to == state then times[#times + 1] = event.time end
  end
  return times
end

local function opening(stage)
  stage.act "A client opens"
  local net, client, server = stage.pair()
  local listener = assert(server:listen(80))
  local near, far = stage.connect(client, listener)
  near:write "!"
  far:read(1)
  stage.ladder(net, { absolute = true })

  local sent = {}
  for _, record in ipairs(net.trace:packets { kind = "sent" }) do sent[#sent + 1] = record.segment end
  local function pair_of(segment) return { segment.seq, segment.ack } end
  local x, y = near:info().iss, near:info().irs
  stage.notice("X is {}, the client's initial sequence number, and Y is {}, the server's. They are "
    .. "round here "
    .. "to be read; left alone, each comes from a clock and a secret (RFC 6528), hard to guess.",
    { 1000, 5000 }, { x, y })
  stage.notice("(X, 0) = ({}, {}): my numbers begin at X; the acknowledgment number says nothing yet.",
    { x, 0 }, pair_of(sent[1]))
  stage.notice("(Y, X+1) = ({}, {}): mine begin at Y, and I await X+1: the SYN itself took one number.",
    { y, x + 1 }, pair_of(sent[2]))
  stage.notice("(X+1, Y+1) = ({}, {}): I await Y+1.", { x + 1, y + 1 }, pair_of(sent[3]))
  stage.notice("The third segment took no number: the first octet of data is {} again.",
    x + 1, sent[4].seq)
  stage.notice("The client went through {}.", { "SYN-SENT", "ESTABLISHED" }, net.trace:states(near))
  stage.notice("The server went through {}; the listener itself stays in LISTEN.",
    { "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(far))
  stage.notice("With 10 ms each way, the client was sure after {} s and the server after {} s.",
    { 0.02, 0.03 }, times_of(net, "ESTABLISHED"))
end

local function old_duplicate(stage)
  stage.act "Why not two: an old SYN"
  stage.say [[
    A SYN of a connection that is long over was held up somewhere, and arrives now. Were two segments
    enough, the server would have a connection that nobody else knows of. The third one tells.]]
  local net, client, server, link = stage.pair()
  local listener = assert(server:listen(80))
  link:inject(client, {
    source = client:address(), destination = server:address(), source_port = 49152,
    destination_port = 80, flags = "S", seq = 90,
  })
  local conn, _, code = listener:accept { timeout = 10 }
  stage.ladder(net, { absolute = true })
  stage.notice("The client knows nothing of ack 91, and answers with RST, whose number is just that: {}.",
    91, net.trace:packets { kind = "sent" }[3].segment.seq)
  stage.notice("In ten seconds accept gave {} ({}), and the server was ESTABLISHED {} times.",
    { "nothing", "EAGAIN", 0 }, { conn or "nothing", code, #times_of(net, "ESTABLISHED") })
  local before = net:now()
  stage.connect(client, listener)
  stage.notice("The listener was not hurt: the next connection takes {} s.", 0.03, net:now() - before)
end

function scene.play(stage)
  opening(stage)
  old_duplicate(stage)
end

return scene
