-- You will see two ends that close at the same moment.
-- Run it: ./dev run examples/tour.lua 6
-- It plays RFC 9293, section 3.6, figure 13.

local scene = {
  title = "Simultaneous close",
  rfc = "RFC 9293, section 3.6",
  prose = [[
    Nobody says who closes first. When both do, their FINs cross on the way, and each end learns of the
    other's FIN while it still waits for the ACK of its own. That is what CLOSING is for.]],
}

function scene.play(stage)
  local net, client, server = stage.pair()
  local near, far = stage.connect(client, assert(server:listen(80)))
  local mark = net.trace:mark()
  near:close()
  net:sleep(0.002) -- less than the 10 ms that the news takes
  far:close()
  net:run { until_idle = true }
  stage.ladder(net)

  stage.expect("the segments of the close",
    { "client FA 1 1", "server FA 1 1", "server A 2 2", "client A 2 2" }, stage.sent(net, mark))
  local way = { "FIN-WAIT-1", "CLOSING", "TIME-WAIT", "CLOSED" }
  stage.notice("The client went through {}.", way, { table.unpack(net.trace:states(near), 3) })
  stage.notice("The server went through {} too: neither was first, and both have to wait.", way,
    { table.unpack(net.trace:states(far), 3) })
  local times = {}
  for i, conn in ipairs { near, far } do
    local events = net.trace:events { kind = "state", connection = conn }
    times[i] = events[#events].time - events[#events - 1].time
  end
  stage.notice("Each of them is in TIME-WAIT for 2 MSL: {} s and {} s.", { 240, 240 }, times)
  stage.notice("Both ACKs have number {} and acknowledge {}: each FIN took one number of its own stream.",
    { 2, 2 }, { stage.sent(net, mark)[3]:match "(%d+) (%d+)$" })
end

return scene
