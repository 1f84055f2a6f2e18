-- RFC 9293 section 3.8.4: keep-alives.
local tcp = require "lunatcp"
local wire = require "support.wire"

local function with(settings)
  return wire.passive { host = settings }
end

describe("keep-alive", function()
  it("RFC9293:MAY-5 asks an idle peer whether it is there, by an old sequence number", function()
    local net, _, peer = with { keepalive = true }
    local began = net:now()
    peer:expect { flags = "A", seq = 5000, ack = 1001, length = 0 }
    assert.near(began + 7200, net:now(), 0.1)
  end)

  it("RFC9293:MUST-24 can be switched on and off for each connection", function()
    local net, conn, peer = with {}
    conn:set { keepalive = true, keepalive_idle = 100 }
    assert.is_false(net.host_under_test:settings().keepalive)
    peer:expect { flags = "A", seq = 5000, timeout = 101 }
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    conn:set { keepalive = false }
    peer:expect_nothing(100000)
    conn:set { keepalive = true }
    peer:expect { flags = "A", seq = 5000, timeout = 101 }
  end)

  it("RFC9293:MUST-25 is off when nothing is set", function()
    local _, conn, peer = with {}
    assert.is_false(conn:settings().keepalive)
    for _, profile in ipairs(tcp.profiles) do assert.is_false(tcp.profile(profile).keepalive) end
    peer:expect_nothing(1000000)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC9293:MUST-26 waits for the interval after the last segment that arrived", function()
    local net, _, peer = with { keepalive = true, keepalive_idle = 100 }
    for _ = 1, 5 do
      net:run { until_ = net:now() + 60 }
      peer:send { flags = "A", seq = 1001, ack = 5001 }
    end
    local heard = net:now() + 0.01
    peer:expect { flags = "A", seq = 5000 }
    assert.near(heard + 100, net:now() - 0.01, 1e-3)
  end)

  it("RFC9293:MUST-26 data counts as much as acknowledgments", function()
    local net, _, peer = with { keepalive = true, keepalive_idle = 100 }
    net:run { until_ = net:now() + 60 }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x" }
    peer:expect { flags = "A", seq = 5001, ack = 1002 }
    local heard = net:now()
    peer:expect { flags = "A", seq = 5000 }
    assert.is_true(net:now() - heard > 99)
  end)

  it("RFC9293:MUST-26 is not sent while data is outstanding", function()
    local net, conn, peer = with { keepalive = true, keepalive_idle = 20 }
    conn:write "x"
    peer:expect { seq = 5001, length = 1 }
    net:run { until_ = net:now() + 200 }
    for _, packet in ipairs(wire.drain(peer)) do
      assert.equal(5001, packet.seq)
      assert.equal(1, packet.length)
    end
    assert.equal(0, conn:info().probes_sent)
  end)

  it("RFC9293:MUST-26 nor while data waits for the window", function()
    local net, conn, peer = wire.passive {
      host = { keepalive = true, keepalive_idle = 20 }, window = 0,
    }
    conn:write "x"
    net:run { until_ = net:now() + 200 }
    for _, packet in ipairs(wire.drain(peer)) do assert.is_true(packet.seq >= 5001) end
  end)

  it("RFC9293:MUST-27 the interval can be set", function()
    for _, idle in ipairs { 1, 60, 10000 } do
      local net, _, peer = with { keepalive = true, keepalive_idle = idle }
      local began = net:now()
      peer:expect { flags = "A", seq = 5000 }
      assert.near(idle, net:now() - began, 0.05)
    end
  end)

  it("RFC9293:MUST-28 it is two hours when nothing is set", function()
    for _, profile in ipairs(tcp.profiles) do assert.is_true(tcp.profile(profile).keepalive_idle >= 7200) end
    local _, _, peer = with { keepalive = true }
    peer:expect_nothing(7199)
  end)

  it("RFC9293:MUST-29 one probe without an answer ends nothing", function()
    local net, conn, peer = with { keepalive = true }
    for _ = 1, 5 do
      peer:expect { flags = "A", seq = 5000 }
      peer:expect { flags = "A", seq = 5000 } -- the first one's answer is held to be lost
      assert.equal("ESTABLISHED", conn:state())
      peer:send { flags = "A", seq = 1001, ack = 5001 }
      net:run { until_ = net:now() + 1 }
    end
    conn:write "x"
    peer:expect { seq = 5001, length = 1 }
  end)

  it("RFC9293:MUST-29 only many in a row do", function()
    local net, conn, peer = with { keepalive = true, keepalive_idle = 100, keepalive_interval = 10 }
    net:run { until_ = net:now() + 1000 }
    local packets = wire.drain(peer)
    assert.equal("R", tostring(packets[#packets].flags))
    assert.equal(9 + 1, #packets)
    assert.equal("CLOSED", conn:state())
    assert.equal("ETIMEDOUT", select(2, conn:error()))
  end)

  it("RFC9293:SHLD-12 carries no data", function()
    local _, _, peer = with { keepalive = true }
    for _ = 1, 3 do peer:expect { flags = "A", seq = 5000, length = 0, urgent = 0 } end
  end)

  it("RFC9293:MAY-6 carries one garbage octet where it is so configured", function()
    local _, conn, peer = with { keepalive = true, keepalive_garbage = true }
    peer:expect { flags = "A", seq = 5000, length = 1 }
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    conn:write "real"
    peer:expect { seq = 5001, payload = "real" }
  end)

  it("RFC9293:3.8.4 is answered by a peer, garbage or not, and the garbage is not read", function()
    for _, garbage in ipairs { "", "\0" } do
      local _, conn, peer = with {}
      peer:send { flags = "A", seq = 1000, ack = 5001, payload = garbage }
      peer:expect { flags = "A", seq = 5001, ack = 1001 }
      assert.equal(0, conn:info().unread)
    end
  end)
end)
