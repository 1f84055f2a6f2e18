-- You will see a client that has said all it has to say, and only then gets its answer.
-- Run it: ./dev run examples/tour.lua 5
-- It plays RFC 9293, sections 3.6 and 3.10.4.

local scene = {
  title = "The half-close",
  rfc = "RFC 9293, section 3.6",
  prose = [[
    Someone who sorts cannot begin before the last line has come. The client sends its lines and closes
    its half of the connection; that is how the server knows that these are all. The other half stays
    open for the answer, for as long as it takes.]],
}

function scene.play(stage)
  local net, client, server = stage.pair()
  local listener = assert(server:listen(80))
  local far
  net:spawn("sort", function()
    far = assert(listener:accept())
    local lines = {}
    for line in far:lines() do lines[#lines + 1] = line end -- ends with the client's FIN
    table.sort(lines)
    net:sleep(0.100)
    far:write(table.concat(lines, "\n") .. "\n")
    far:close()
  end)

  local near = assert(client:connect(server, 80))
  near:write "pear\nfig\napple\n"
  near:shutdown()
  local _, _, refused = near:write "plum\n"
  net:sleep(0.050)
  local between = { near:state(), far:state() }
  local answer = {}
  for line in near:lines() do answer[#answer + 1] = line end
  near:close()
  net:run { until_idle = true }
  stage.ladder(net)

  stage.expect("the segments", {
    "client S 0", "server SA 0 1", "client A 1 1", "client FPA 1 1 len 15", "server A 1 17",
    "server FPA 1 17 len 15", "client A 17 17",
  }, stage.sent(net))
  stage.notice("The FIN rides on the last data: 15 octets and one for itself, so the server acknowledges {}.",
    17, near:info().snd_una - near:info().iss)
  stage.notice("After its FIN the client is in {} and the server in {}; both can stay so for ever.",
    { "FIN-WAIT-2", "CLOSE-WAIT" }, between)
  stage.notice("The client can write no more: {}.", "EPIPE", refused)
  stage.notice("But it can read: {}.", { "apple", "fig", "pear" }, answer)
end

return scene
