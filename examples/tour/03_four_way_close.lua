-- You will see how a connection is closed from either side, and who has to wait at the end.
-- Run it: ./dev run examples/tour.lua 3
-- It plays RFC 9293, section 3.6, figure 12.

local scene = {
  title = "The four-way close",
  rfc = "RFC 9293, section 3.6",
  prose = [[
    A connection is two streams, and each is closed by the one who writes it. FIN says: no more from
    me. It takes a sequence number, like the SYN, so that it can be acknowledged, and lost, and sent
    again. Two FINs and two ACKs make four segments.]],
}

-- `first` and `second` are the two ends in the order in which they close.
local function close_in_turn(stage, net, first, second, names)
  local mark = net.trace:mark()
  assert(first:close())
  assert(second:wait_state "CLOSE-WAIT")
  assert(second:read() == nil) -- the end of the stream
  net:sleep(0.050)             -- whatever is left to do
  assert(second:close())
  net:run { until_idle = true }
  stage.ladder(net)

  stage.expect("the segments of the close", {
    names[1] .. " FA 1 1", names[2] .. " A 1 2", names[2] .. " FA 1 2", names[1] .. " A 2 2",
  }, stage.sent(net, mark))
  stage.notice("Closing took {} segments. Each FIN has number 1 and is acknowledged by 2.",
    4, #stage.sent(net, mark))
  stage.notice("The " .. names[1] .. ", which closed first, went through {}.",
    { "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED" },
    { table.unpack(net.trace:states(first), 3) })
  stage.notice("The " .. names[2] .. " went through {}.", { "CLOSE-WAIT", "LAST-ACK", "CLOSED" },
    { table.unpack(net.trace:states(second), 3) })
end

local function times_of(net, conn)
  local times = {}
  for _, event in ipairs(net.trace:events { kind = "state", connection = conn }) do
    times[event.to] = event.time
  end
  return times
end

local function by_client(stage)
  stage.act "Begun by the client"
  local net, client, server = stage.pair()
  local near, far = stage.connect(client, assert(server:listen(80)))
  close_in_turn(stage, net, near, far, { "client", "server" })
end

local function by_server(stage)
  stage.act "Begun by the server"
  local net, client, server = stage.pair()
  local near, far = stage.connect(client, assert(server:listen(80)))
  close_in_turn(stage, net, far, near, { "server", "client" })
  local times = times_of(net, far)
  stage.notice("TIME-WAIT belongs to whoever closes first, be it the server. It lasted {} s, which is twice "
    .. "the longest life of a segment; scene 8 says what for.", 240, times.CLOSED - times["TIME-WAIT"])
end

function scene.play(stage)
  by_client(stage)
  by_server(stage)
end

return scene
