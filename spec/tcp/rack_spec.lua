-- RFC 8985 section 6: losses told by time. The round trip is 20 ms, so the reordering window is 5 ms.
local lab = require "support.lab"
local flight = require "support.flight"

local function open(options)
  options = options or {}
  options.host = options.host or {}
  options.host.rack = true
  return flight.open(options)
end

describe("RACK", function()
  it("RFC8985:8 leaves its timers to the RTO when it is switched off", function()
    local net, client, server = lab.connected { network = { profile = "linux" } }
    net.wire:drop { data = true, from = net.client, nth = 1 }
    client:write "lost"
    net:settle()
    assert(client:set { rack = false })
    net:settle()
    assert.is_nil(net.core:check())
    assert.equal("lost", server:read(10))
    assert.equal(0, client:info().loss_probes)
  end)

  it("RFC8985:6.2-5 finds a loss by one later segment, a quarter of the least RTT later", function()
    local f = open()
    f:ack(1, { 2, 2 })
    local segment, took = f:wait(1)
    assert.equal(1, segment)
    -- There in 10 ms, 5 ms of waiting, back in 10 ms.
    assert.near(0.025, took, 1e-6)
    local info = f.conn:info()
    assert.is_true(info.rack)
    assert.is_true(info.in_recovery)
    assert.equal(0, info.timeouts)
  end)

  it("RFC8985:6.2-4 waits for nothing once DupThresh segments are SACKed and none was reordered",
    function()
      local f = open()
      f:ack(1, { 2, 4 })
      local segment, took = f:wait(1)
      assert.equal(1, segment)
      assert.near(0.020, took, 1e-6)
    end)

  it("RFC8985:6.2-2 reordering within the window sends nothing again", function()
    local f = open()
    f:ack(1, { 2, 2 })
    f.net:run { until_ = f.net:now() + 0.004 }
    f:ack(3)
    f:ack(11)
    assert.same({}, f:sent(3))
    local info = f.conn:info()
    assert.equal(0, info.segments_retransmitted)
    assert.equal(0, info.fast_recoveries)
  end)

  it("RFC8985:6.2-2 an ACK sooner than the least RTT after a retransmission is for the original", function()
    local f = open()
    f:ack(1, { 2, 4 })
    f.net:run { until_ = f.net:now() + 0.005 }
    -- It comes 5 ms after 1 has left again: were it for that copy, all that left before would be late.
    f:ack(5)
    assert.same({ 1 }, f:sent(0.1))
  end)

  it("RFC8985:6.2-3 RFC8985:9.2-1 once reordering was seen, DupThresh alone is no sign of a loss", function()
    local f = open()
    f:ack(1, { 2, 2 })
    f.net:run { until_ = f.net:now() + 0.004 }
    f:ack(3)
    assert.same({}, f:sent(0.02))
    assert.is_true(f.conn:info().reordering_seen)
    f:ack(3, { 4, 8 })
    local segment, took = f:wait(1)
    assert.equal(3, segment)
    -- What came 42 ms after it was sent sets the RTT; the flight is older than that and the window.
    assert.is_true(took >= 0.02)
    assert.equal(1, f.conn:info().fast_recoveries)
  end)

  it("RFC8985:6.2-5 RFC8985:4-2 RFC8985:6.1-1 "
    .. "finds a retransmission that was lost, without a timeout", function()
    local f = open { total = 14000 }
    f:ack(1, { 2, 4 })
    f:sent(0.03)
    f:ack(1, { 2, 10 })
    -- 1 went again; then new data, which is acknowledged while 1 still is not.
    local more = f:sent(0.03)
    assert.equal(11, more[1])
    f:ack(1, { 2, 11 })
    f:sent(0.03) -- the second loss halves the window again: three are more than it holds
    f:ack(1, { 2, 13 })
    assert.same(1, (f:wait(0.1)))
    local info = f.conn:info()
    assert.equal(0, info.timeouts)
    assert.equal(2, info.segments_retransmitted)
  end)

  it("RFC8985:6.2-4 RFC8985:4-3 a DSACK widens the window by a quarter of the least RTT, once a round trip",
    function()
      local f = open()
      f:ack(1, { 2, 4 })
      f:sent(0.03)
      local before = f.conn:info().reordering_window or 0
      assert.equal(0, before)
      -- 1 had only been late: both copies arrived. Then the recovery is over.
      f:ack(5)
      f:ack(5, { 1, 1 })
      f:ack(5, { 1, 1 })
      f:sent(0.03)
      f:ack(11)
      f:sent(0.03)
      f.conn:write(("x"):rep(3000))
      f:sent(0.011)
      assert.equal(2, f.conn:info().dsacks_received)
      assert.near(0.010, f.conn:info().reordering_window, 1e-6)
    end)

  it("RFC8985:6.2-4 the wider window lasts for 16 recoveries without a DSACK", function()
    local f = open()
    f:ack(1, { 2, 4 })
    f:sent(0.03)
    f:ack(5, { 1, 1 }) -- within the first of them
    f:ack(11)
    f:sent(0.03)
    local first = 11
    local function recover()
      f.conn:write(("x"):rep(2000))
      f:sent(0.011)
      f:ack(first, { first + 1, first + 1 })
      f:sent(0.04)
      first = first + 2
      f:ack(first)
      f:sent(0.03)
    end
    for _ = 2, 15 do recover() end
    assert.equal(15, f.conn:info().fast_recoveries)
    assert.near(0.010, f.conn:info().reordering_window, 1e-6)
    recover()
    assert.equal(16, f.conn:info().fast_recoveries)
    assert.near(0.005, f.conn:info().reordering_window, 1e-6)
  end)

  it("RFC8985:6.3-1 a timeout takes for lost the first segment and what is as old, not what just left",
    function()
      local f = open { segments = 2, host = { initial_window = 10, rto_min = 0.2, nagle = false } }
      -- The flight left 10 ms ago; its RTO is 200 ms.
      f:sent(0.185)
      f.conn:write(("y"):rep(100))
      f.net:run { until_ = f.net:now() + 0.007 }
      local info = f.conn:info()
      assert.equal(1, info.timeouts)
      -- In the pipe: the first segment, sent again, and what had just left.
      assert.equal(1100, info.pipe)
    end)

  it("RFC8985:5.2 RFC8985:4-1 is not used where SACK was not agreed", function()
    local f = open { syn = { sack_permitted = false } }
    assert.is_false(f.conn:info().rack)
    for _ = 1, 3 do f:ack(1) end
    assert.equal(1, (f:wait(0.1)))
  end)
end)
