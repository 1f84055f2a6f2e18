-- You will see what TCP does about a network that loses, reorders and repeats, and a reader that sleeps.
-- Run it: ./dev run examples/tour.lua 11
-- It plays RFC 9293, sections 3.8.1 and 3.8.6.1, RFC 6298 and RFC 5681.

local scene = {
  title = "A lost SYN, a lost segment, one out of order, one twice, a closed window",
  rfc = "RFC 9293, 3.8",
  prose = [[
    IP promises nothing. All that TCP has against it are numbers, acknowledgments and a clock, and it
    makes a stream of it in which every octet comes once and in its place.]],
}

local function timeouts_of(net)
  local times, values = {}, {}
  for i, event in ipairs(net.trace:events { kind = "timeout" }) do
    times[i], values[i] = event.time, event.value
  end
  return times, values
end

local function lost_syn(stage)
  stage.act "A lost SYN"
  local net, client, server, link = stage.pair()
  local listener = assert(server:listen(80))
  local rule <close> = link:drop { syn = true, ack = false, times = 2 }
  local near, far = stage.connect(client, listener)
  local opened = near:info().rto
  near:write "!"
  assert(far:read(1) == "!")
  net:sleep(0.5)
  stage.ladder(net)
  assert(rule)
  local times, values = timeouts_of(net)
  stage.notice("Before anything was measured the retransmission timeout is 1 s: SYN again at {} s.", 1,
    times[1])
  stage.notice("Each timeout doubles it, to {} s and {} s, so the second came at {} s.",
    { 2, 4, 3 }, { values[1], values[2], times[2] })
  stage.notice("Which of the SYNs was answered? Nobody knows (Karn), so nothing was measured, and for "
    .. "data the "
    .. "timeout began anew at {} s (RFC 6298, 5.7). The data's own round trip brought it down to {} s, "
    .. "its least.",
    { 3, 1 }, { opened, near:info().rto })
end

local function lost_segment(stage)
  stage.act "A lost segment, alone"
  local net, client, server, link = stage.pair()
  local near, far = stage.connect(client, assert(server:listen(80)))
  local rule <close> = link:drop { data = true, times = 1 }
  local written = net:now()
  near:write "alone"
  assert(far:read_exactly(5) == "alone")
  net:sleep(0.5)
  stage.ladder(net)
  assert(rule)
  local times = timeouts_of(net)
  stage.notice("Nothing followed that could have told of the loss, so it took the timeout: {} s.",
    1, times[1] - written)
  stage.notice("{} segment was sent again; the reader saw nothing but a delay.",
    1, near:info().segments_retransmitted)
end

local function lost_in_company(stage)
  stage.act "A lost segment, in company"
  local net, client, server, link = stage.pair { mss = 100 }
  local near, far = stage.connect(client, assert(server:listen(80)))
  link:configure { rate = 1e6 } -- 140 octets take 1.12 ms: one comes after the other
  local rule <close> = link:drop { data = true, times = 1 }
  local written = net:now()
  near:write(("a"):rep(100) .. ("b"):rep(100) .. ("c"):rep(100) .. ("d"):rep(100))
  assert(#far:read_exactly(400) == 400)
  local took = net:now() - written
  net:sleep(0.5)
  stage.ladder(net)
  assert(rule)
  local info = near:info()
  stage.notice("Each of the {} segments behind the gap was answered at once, with the same number.",
    3, info.duplicate_acks_received)
  stage.notice("Three such ACKs mean a loss: sent again at once ({} fast recovery, {} timeouts), it was "
    .. "there "
    .. "after {} s instead of a second.", { 1, 0, 0.0348 }, { info.fast_recoveries, info.timeouts, took })
  stage.notice("{} of 4 segments was sent again: the others had waited in the server's queue.",
    1, info.segments_retransmitted)
end

local function out_of_order(stage)
  stage.act "One out of order"
  local net, client, server, link = stage.pair { mss = 100 }
  local near, far = stage.connect(client, assert(server:listen(80)))
  link:configure { rate = 1e6 } -- 140 octets take 1.12 ms: one comes after the other
  local rule <close> = link:delay { data = true, times = 1, by = 0.005 }
  near:write(("a"):rep(100) .. ("b"):rep(100) .. ("c"):rep(100))
  local text = far:read_exactly(300)
  net:sleep(0.5)
  stage.ladder(net)
  assert(rule)
  stage.notice("The first came last, yet the server reads {}, {} and {}.",
    { "a...", "b...", "c..." },
    { text:sub(1, 1) .. "...", text:sub(101, 101) .. "...", text:sub(201, 201) .. "..." })
  stage.notice("It kept {} segments until the gap was filled, and then acknowledged all three at once.",
    2, far:info().out_of_order_segments)
  stage.notice("{} duplicate ACKs are less than three, so {} segments were sent again.",
    { 2, 0 }, { near:info().duplicate_acks_received, near:info().segments_retransmitted })
end

local function twice(stage)
  stage.act "One twice"
  local net, client, server, link = stage.pair()
  local near, far = stage.connect(client, assert(server:listen(80)))
  local rule <close> = link:duplicate { data = true, times = 1, after = 0.005 }
  near:write "once"
  local text = far:read(100)
  local again, _, code = far:read(100, { timeout = 0.5 })
  stage.ladder(net)
  assert(rule)
  stage.notice("The server reads \"{}\", once, and then {} for half a second ({}).",
    { "once", "nothing", "EAGAIN" }, { text, again or "nothing", code })
  stage.notice("The second copy lies before RCV.NXT. It was counted ({}), thrown away, and answered at once: "
    .. "perhaps the ACK had been lost.", 1, far:info().duplicate_segments)
end

local function closed_window(stage)
  stage.act "A closed window"
  local net, client, server = stage.pair { receive_buffer = 2000, mss = 500 }
  local near, far = stage.connect(client, assert(server:listen(80)))
  near:write(("x"):rep(3001))
  net:sleep(2)
  local closed = near:info()
  local first = far:read(2000)
  local rest = far:read_exactly(1001)
  net:sleep(0.5)
  stage.ladder(net)
  stage.notice("The server does not read. After {} octets its window is {}.", { 2000, 0 },
    { closed.bytes_acked, closed.snd_wnd })
  stage.notice("An update of the window could be lost, and both would wait for ever. So the client "
    .. "asks, with one "
    .. "octet beyond the window: {} probe in two seconds.", 1, closed.probes_sent)
  stage.notice("The probe did not fit and is not acknowledged, but it is answered: {} octet is under "
    .. "way still.",
    1, closed.unacked)
  stage.notice("As the server reads {} octets its window opens, and the other {} follow at once.",
    { 2000, 1001 }, { #first, #rest })
end

function scene.play(stage)
  lost_syn(stage)
  lost_segment(stage)
  lost_in_company(stage)
  out_of_order(stage)
  twice(stage)
  closed_window(stage)
end

return scene
