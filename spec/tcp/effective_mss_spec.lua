-- Eff.snd.MSS where more than the text wants room, and where the receiver counts by it.
local wire = require "support.wire"

describe("segments of full size", function()
  it("RFC9293:MUST-16 leave room for the SACK blocks of a gap (RFC 2018 section 4, RFC 6691)", function()
    for _, timestamps in ipairs { false, true } do
      local options = { mss = 1000, sack_permitted = true, timestamps = timestamps and { value = 1,
        echo = 0 } or nil }
      local net, conn, peer = wire.passive {
        host = { initial_window = 10, nagle = false }, syn = { options = options },
        ack_options = timestamps and { timestamps = { value = 1, echo = 0 } } or nil,
      }
      local stamps = timestamps and { timestamps = { value = 2, echo = 0 } } or nil
      for _, seq in ipairs { 1101, 1301 } do
        peer:send { flags = "PA", seq = seq, ack = 5001, payload = ("g"):rep(100), options = stamps }
      end
      net:run { until_ = net:now() + 0.1 }
      wire.drain(peer)
      conn:write(("x"):rep(3000))
      local got = 0
      while got < 3000 do
        local packet = peer:expect { timeout = 0.5 }
        got = got + packet.length
        assert.equal(2, #packet.options.sack)
        -- text, and 20 octets of blocks (and 12 of timestamps): 1000 in all
        local room = 1000 - 20 - (timestamps and 12 or 0)
        assert.is_true(packet.length == room or got == 3000)
        assert.is_true(packet.length <= room)
      end
      peer:send { flags = "A", seq = 1001, ack = 8001, options = stamps }
      for _, seq in ipairs { 1001, 1201 } do -- the gaps close
        peer:send { flags = "PA", seq = seq, ack = 8001, payload = ("g"):rep(100), options = stamps }
      end
      net:run { until_ = net:now() + 0.1 }
      wire.drain(peer)
      conn:write(("x"):rep(2000))
      assert.equal(1000 - (timestamps and 12 or 0), peer:expect({ timeout = 0.5 }).length)
      net:close()
    end
  end)
end)

describe("the receiver's silly window avoidance", function()
  it("RFC9293:MUST-39 moves the edge by the Eff.snd.MSS, not by the MSS that it advertised", function()
    local net, conn, peer = wire.passive {
      host = { receive_buffer = 8000, window_scaling = false, timestamps = false },
        syn = { options = { mss = 500 } },
    }
    for i = 0, 7 do
      peer:send { flags = "PA", seq = 1001 + i * 1000, ack = 5001, payload = ("x"):rep(1000) }
    end
    net:run { until_ = net:now() + 1 }
    wire.drain(peer)
    local function window_after(octets)
      assert.equal(octets, #conn:read(octets))
      net:run { until_ = net:now() + 0.1 }
      wire.drain(peer)
      peer:send { flags = "A", seq = 9001, ack = 5001, payload = "p" } -- a probe
      local answer = peer:expect { flags = "A", timeout = 1 }
      return answer.window + answer.ack - 9001
    end
    assert.equal(0, window_after(499))
    assert.equal(500, window_after(1)) -- 1460 were advertised
    net:close()
  end)
end)
