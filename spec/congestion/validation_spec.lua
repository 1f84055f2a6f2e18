-- Congestion window validation (RFC 7661), with a whole TCP: a sender that pauses keeps what it had shown
-- that the network holds.
local tcp = require "lunatcp"

local function after_a_pause(congestion, validation)
  local net = tcp.network { seed = 1 }
  local settings = {
    profile = "linux", congestion = congestion, window_validation = validation, receive_buffer = 1 << 22,
  }
  local a, b = net:host("a", settings), net:host("b", settings)
  net:link(a, b, { delay = 0.010 })
  local before, after
  net:spawn(function()
    local conn <close> = b:listen(80):accept()
    for _ in conn:chunks() do end
  end)
  net:spawn(function()
    local conn <close> = assert(a:connect(b, 80))
    conn:write(("x"):rep(400000))
    net:sleep(1)
    before = conn:info()
    net:sleep(20)
    conn:write(("x"):rep(20000))
    net:sleep(0.001)
    after = conn:info()
  end)
  net:run()
  net:close()
  return before, after
end

for _, congestion in ipairs { "newreno", "cubic" } do
  describe("the window of " .. congestion, function()
    it("RFC7661:4.3 outlives a pause in which nothing is sent, where it is validated", function()
      local before, after = after_a_pause(congestion, true)
      assert.is_true(before.cwnd > 40 * before.snd_mss)
      assert.equal(before.cwnd, after.cwnd)
      assert.is_true(before.congestion_state.pipe_ack > 0)
      assert.equal(congestion, after.congestion)
    end)

    it("RFC5681:4.1 is the restart window after a pause, where it is not", function()
      local before, after = after_a_pause(congestion, false)
      assert.is_true(before.cwnd > 40 * before.snd_mss)
      assert.equal(10 * after.snd_mss, after.cwnd)
    end)
  end)
end
