-- Pacing: a window leaves over the round trip and not at once. Segments of 1,000 octets, round trip
-- 20 ms.
local flight = require "support.flight"

local function times_of(f, seconds)
  local since, times = f.net:now(), {}
  while true do
    local packet = f.peer:receive { timeout = since + seconds - f.net:now() }
    if not packet then return times end
    times[#times + 1] = f.net:now() - since
  end
end

describe("pacing", function()
  it("RFC7661:4.4.2-1 "
    .. "spreads what the window lets leave, twice a window a round trip in slow start", function()
    local f = flight.open { total = 200000, host = { pacing = true } }
    f:sent(0.02)
    f:ack(11)
    local times = times_of(f, 0.05)
    local info = f.conn:info()
    assert.is_true(math.abs(info.pacing_rate - 2 * info.cwnd * 8 / info.srtt) < 1000, info.pacing_rate)
    assert.is_true(#times >= 10)
    -- 20,000 octets of window: 2,000,000 octets a second, a burst of 2,000 each millisecond.
    local spread = times[#times] - times[1]
    assert.is_true(spread > 0.003, spread)
    for i = 4, #times do assert.is_true(times[i] > times[i - 3]) end
  end)

  it("is off by default: a window leaves at once", function()
    local f = flight.open { total = 200000 }
    f:sent(0.02)
    f:ack(11)
    local times = times_of(f, 0.05)
    assert.equal(times[1], times[#times])
  end)

  it("RFC9937:6.4-1 spreads what a recovery lets leave, too", function()
    for _, pacing in ipairs { true, false } do
      local f = flight.open { total = 30000, host = { pacing = pacing, rack = true, prr = true } }
      f:ack(1, { 8, 10 })
      f:sent(0.03)
      f:ack(2, { 8, 10 })
      local times = times_of(f, 0.05)
      assert.equal(2, #times)
      assert.equal(pacing, times[1] < times[2])
    end
  end)

  it("ends with everything sent, in any profile", function()
    local f = flight.open { total = 30000, host = { pacing = true } }
    local next_expected = 11
    f:ack(11)
    for _ = 1, 40 do
      local numbers = f:sent(0.02)
      for _, n in ipairs(numbers) do if n + 1 > next_expected then next_expected = n + 1 end end
      f:ack(next_expected)
    end
    f:sent(0.02)
    assert.equal(0, f.conn:info().unacked + f.conn:info().unsent)
  end)
end)
