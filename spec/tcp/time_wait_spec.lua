-- RFC 9293 sections 3.6.1 and 3.10.7.4: TIME-WAIT.
local lab = require "support.lab"
local wire = require "support.wire"

-- The host has closed first: it is in TIME-WAIT, the peer's last number is 1001.
local function waiting(options)
  local net, conn, peer, listener = wire.passive(options)
  conn:close()
  peer:expect { flags = "FA", seq = 5001, ack = 1001 }
  peer:send { flags = "FA", seq = 1001, ack = 5002 }
  local last = peer:expect { flags = "A", seq = 5002, ack = 1002 }
  assert.equal("TIME-WAIT", conn:state())
  return net, conn, peer, last.time - 0.01, listener -- the ACK left the host one delay before it came
end

local function left_at(net, conn)
  for _, event in ipairs(net.trace:events { kind = "state", connection = conn }) do
    if event.from == "TIME-WAIT" then return event.time end
  end
end

describe("TIME-WAIT", function()
  it("RFC9293:MUST-13 lasts 2 MSL of 120 s each", function()
    local net, conn, _, since = waiting()
    net:run { until_idle = true }
    assert.equal("CLOSED", conn:state())
    assert.near(240, left_at(net, conn) - since, 1e-6)
  end)

  it("has the length of the MSL that is set", function()
    local net, conn, _, since = waiting { host = { msl = 5 } }
    net:run { until_idle = true }
    assert.near(10, left_at(net, conn) - since, 1e-6)
  end)

  it("RFC9293:3.10.7.4 acknowledges a repeated FIN, and begins again", function()
    local net, conn, peer, since = waiting { host = { msl = 5 } }
    net:run { until_ = since + 8 }
    peer:send { flags = "FA", seq = 1001, ack = 5002 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    net:run { until_ = since + 17.9 }
    assert.equal("TIME-WAIT", conn:state())
    net:run { until_idle = true }
    -- The FIN was sent 8 s after, and came 10 ms later.
    assert.near(18.01, left_at(net, conn) - since, 1e-6)
  end)

  it("repeats the lost last ACK of a close between two engines", function()
    local net, client, server = lab.connected { client = { msl = 5 }, server = { msl = 5 } }
    client:shutdown()
    assert.is_nil(server:read(1))
    net:run { until_ = 1 }
    net.wire:drop { from = net.client, times = 1 }
    server:close()
    net:run { until_ = 1.5 }
    assert.equal("TIME-WAIT", client:state())
    assert.equal("LAST-ACK", server:state())
    net:run { until_idle = true }
    assert.equal("CLOSED", server:state())
    -- The FIN left at 1 s and again 1 s (the least RTO) later; 10 s from then.
    assert.near(12.01, left_at(net, client), 1e-6)
  end)

  it("RFC1337 is not cut short by a RST that is not exactly right", function()
    local net, conn, peer = waiting()
    peer:send { flags = "R", seq = 1001 }
    peer:send { flags = "R", seq = 1003 }
    net:run { until_ = 1 }
    assert.equal("TIME-WAIT", conn:state())
  end)

  it("answers old data by an ACK, and keeps it from the user", function()
    local _, conn, peer = waiting()
    peer:send { flags = "PA", seq = 1000, ack = 5002, payload = "x" }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    assert.equal("TIME-WAIT", conn:state())
  end)

  it("RFC9293:MAY-2 gives way to a new SYN whose number is greater", function()
    local _, _, peer, _, listener = waiting()
    peer:send { flags = "S", seq = 2000 }
    local answer = peer:expect { flags = "SA", ack = 2001 }
    peer:send { flags = "A", seq = 2001, ack = answer.seq + 1 }
    assert.equal("ESTABLISHED", listener:accept():state())
  end)

  it("RFC9293:MAY-2 then begins with a number beyond the old connection's", function()
    -- ISNs by RFC 6528 here: the host's own, not one that is set.
    local net, host, peer = lab.forge()
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    local iss = peer:expect({ flags = "SA" }).seq
    peer:send { flags = "A", seq = 1001, ack = iss + 1 & 0xffffffff }
    local conn = listener:accept()
    conn:write(wire.pattern(500))
    peer:expect { length = 500 }
    conn:close()
    peer:send { flags = "A", seq = 1001, ack = iss + 501 & 0xffffffff }
    peer:expect { flags = "FA" }
    peer:send { flags = "FA", seq = 1001, ack = iss + 502 & 0xffffffff }
    peer:expect { flags = "A", ack = 1002 }
    peer:send { flags = "S", seq = 2000 }
    local again = peer:expect { flags = "SA", ack = 2001 }
    local ahead = again.seq - (iss + 502) & 0xffffffff
    assert.is_true(ahead < 0x80000000, ahead)
    assert.is_true(net:now() < 1)
  end)

  it("does not give way to a SYN whose number lies before", function()
    local _, conn, peer = waiting()
    peer:send { flags = "S", seq = 900 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    assert.equal("TIME-WAIT", conn:state())
  end)

  it("frees its record at the end", function()
    local net, client, server = lab.connected { client = { time_wait = 1 } }
    client:close()
    assert.is_nil(server:read(1))
    server:close()
    net:run { until_ = 0.5 }
    assert.equal(1, net.client:counters().time_waits)
    net:run { until_idle = true }
    assert.equal(0, net.client:counters().time_waits)
    assert.equal(0, net.client:counters().connections)
    assert.equal(0, net.server:counters().connections)
  end)

  it("of zero seconds leaves at once", function()
    local net, client, server = lab.connected { client = { time_wait = 0 } }
    client:close()
    assert.is_nil(server:read(1))
    server:close()
    net:run { until_ = 1 }
    assert.equal("CLOSED", client:state())
  end)
end)
