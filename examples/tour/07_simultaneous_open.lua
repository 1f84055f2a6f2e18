-- You will see two clients that call each other, and one connection that comes of it.
-- Run it: ./dev run examples/tour.lua 7
-- It plays RFC 9293, section 3.5, figure 7.

local scene = {
  title = "Simultaneous open",
  rfc = "RFC 9293, section 3.5",
  prose = [[
    Two ends that know each other's ports may both open actively, and nobody listens. Their SYNs cross.
    Each takes the other's as the answer it waits for, except that its own is not acknowledged yet: it
    goes from SYN-SENT to SYN-RECEIVED and acknowledges.]],
}

function scene.play(stage)
  local net, left, right = stage.pair()
  local near = assert(left:connect_start(right, 2000, { local_port = 1000 }))
  net:sleep(0.002)
  local far = assert(right:connect_start(left, 1000, { local_port = 2000 }))
  assert(near:wait_connected())
  assert(far:wait_connected())
  local opened = net:now()
  stage.ladder(net)

  stage.expect("the segments", { "client S 0", "server S 0", "server SA 0 1", "client SA 0 1" },
    stage.sent(net))
  local way = { "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }
  stage.notice("The one went through {}.", way, net.trace:states(near))
  stage.notice("The other went through {} as well.", way, net.trace:states(far))
  stage.notice("It took {} segments instead of three: SYN and ACK cannot share one before the other's SYN is "
    .. "there, so each SYN goes twice.", 4, #stage.sent(net))
  stage.notice("It took {} s, and there is one connection, not two: what {} writes, {} reads.",
    { 0.022, "port 1000", "port 2000" }, (function()
      near:write "hello"
      assert(far:read_exactly(5) == "hello")
      return { opened, "port " .. near:info().local_port, "port " .. far:info().local_port }
    end)())
end

return scene
