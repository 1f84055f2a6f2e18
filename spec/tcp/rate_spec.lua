-- How fast data is delivered, draft-ietf-ccwg-bbr section 4.1, as a congestion control hears of it.
-- Segments are of 1,000 octets, the round trip is 20 ms.
local flight = require "support.flight"
local tcp = require "lunatcp"

local samples -- each { rate in octets a second or nil, whether the application was the limit }

tcp.congestion("spec-rate", {
  on_ack = function(_, ack)
    samples[#samples + 1] = { ack.interval and ack.delivery_rate // 8, ack.app_limited }
  end,
})

local function open(options)
  samples = {}
  options.host = { congestion = "spec-rate" }
  return flight.open(options)
end

describe("a sample of the delivery rate", function()
  it("is of what was delivered since the newest segment of it left, over the longer of both times", function()
    local f = open { total = 30000 }
    f:ack(6)
    f:ack(11)
    f:sent(0.0101)
    -- All was there 20 ms after it had left: a half of it first.
    assert.same({ { 250000, false }, { 500000, false } }, samples)
  end)

  it("is told of in info, in bits a second, and whether the application is the limit", function()
    local f = open { total = 30000 }
    assert.is_nil(f.conn:info().delivery_rate)
    f:ack(11)
    f:sent(0.0101)
    assert.equal(500000 * 8, f.conn:info().delivery_rate)
    assert.is_false(f.conn:info().app_limited)
    f = open { total = 12000 }
    f:ack(11)
    f:sent(0.0101)
    assert.is_true(f.conn:info().app_limited)
  end)

  it("is none over less than the least RTT: what came was not what left last", function()
    local f = open {}
    f:sent(0.985) -- the timeout is at 1.03 s, a second after the flight
    assert.equal(0, f.conn:info().timeouts)
    f.net:run { until_ = 1.025 }
    f:ack(11)
    f.net:run { until_ = 1.0351 }
    assert.equal(1, f.conn:info().timeouts)
    assert.same({ { nil, false } }, samples)
    assert.equal(10000, f.conn:info().bytes_acked)
  end)

  it("says that the application was the limit, until what left then is delivered", function()
    local f = open { total = 3000 }
    f.conn:write(("x"):rep(30000))
    f:ack(2)
    f:ack(4)
    f:sent(0.04)
    assert.is_false(samples[1][2]) -- these had left before anything was missing
    assert.is_false(samples[2][2])
    f:ack(6)
    f:sent(0.04)
    assert.is_true(samples[3][2]) -- these had not, but what leaves from now on
    f:ack(14)
    f:ack(16)
    f:sent(0.04)
    assert.is_true(samples[4][2])
    assert.is_false(samples[5][2])
  end)
end)
