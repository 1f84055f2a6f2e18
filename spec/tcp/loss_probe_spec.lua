-- RFC 8985 section 7: tail loss probes. The round trip is 20 ms.
local flight = require "support.flight"

local function open(options)
  options = options or {}
  options.host = options.host or {}
  options.host.rack, options.host.tlp = true, true
  return flight.open(options)
end

describe("a tail loss probe", function()
  it("RFC8985:7.2-2 is the last segment again, two smoothed round trips after the flight", function()
    local f = open()
    local segment, took = f:wait(1)
    assert.equal(10, segment)
    -- 40 ms after the flight was sent, which took 10 ms to come; so does the probe.
    assert.near(0.040, took, 1e-3)
    assert.equal(1, f.conn:info().loss_probes)
    assert.equal(0, f.conn:info().timeouts)
  end)

  it("RFC8985:7.2-2 waits longer for the ACK of a single segment, which may be delayed", function()
    local f = open { segments = 1, host = { tlp_max_ack_delay = 0.1 } }
    local segment, took = f:wait(1)
    assert.equal(1, segment)
    assert.near(0.140, took, 1e-3)
  end)

  it("RFC8985:7.3-2 is new data if there is some, whatever the congestion window says", function()
    local f = open { segments = 2, total = 5000 }
    local segment, took = f:wait(1)
    assert.equal(3, segment)
    assert.near(0.040, took, 1e-3)
    assert.equal(0, f.conn:info().segments_retransmitted)
  end)

  it("RFC8985:7.3-2 repeats the last segment where the peer's window has no room", function()
    local f = open { segments = 2, total = 5000, window = 2000 }
    assert.equal(2, (f:wait(1)))
  end)

  it("RFC8985:7.3-1 RFC8985:7.3-4 comes once; then the RTO, counted from the probe", function()
    local f = open { host = { rto_min = 0.3 } }
    assert.equal(10, (f:wait(1)))
    local segment, took = f:wait(2)
    assert.equal(1, segment)
    assert.near(0.3, took, 0.011)
    assert.equal(1, f.conn:info().loss_probes)
    assert.equal(1, f.conn:info().timeouts)
  end)

  it("RFC8985:7.4-1 RFC8985:7.3-3 its SACK lets RACK find the lost tail, without a timeout", function()
    local f = open()
    f:ack(8)
    f:sent(0.012)
    assert.equal(10, (f:wait(1)))
    f:ack(8, { 10, 10 })
    assert.equal(8, (f:wait(0.05)))
    f:sent(0.03)
    f:ack(11)
    f:sent(0.03)
    local info = f.conn:info()
    assert.equal(0, info.timeouts)
    assert.equal(1, info.fast_recoveries)
    assert.equal(0, info.unacked)
  end)

  it("RFC8985:7.4-1 one that repaired a loss is told to the congestion control", function()
    local f = open { total = 10000 }
    assert.equal(10, (f:wait(1)))
    f:ack(11)
    f:sent(0.02)
    local before = f.conn:info().cwnd
    f.conn:write(("x"):rep(1000))
    f:sent(0.02)
    f:ack(12)
    f:sent(0.02)
    assert.is_true(f.conn:info().cwnd < before)
  end)

  it("RFC8985:7.4-1 one whose original arrived too, as a DSACK says, is not", function()
    local f = open { total = 10000 }
    assert.equal(10, (f:wait(1)))
    f:ack(11, { 10, 10 })
    f:sent(0.02)
    local before = f.conn:info().cwnd
    f.conn:write(("x"):rep(1000))
    f:sent(0.02)
    f:ack(12)
    f:sent(0.02)
    assert.is_true(f.conn:info().cwnd >= before)
  end)

  it("RFC8985:7.2-1 does not come while something is SACKed", function()
    local f = open { host = { rack = true } }
    f:ack(1, { 2, 2 })
    f:sent(1)
    assert.equal(0, f.conn:info().loss_probes)
  end)

  it("RFC8985:7.2 does not come without SACK, nor with the setting off", function()
    local f = open { syn = { sack_permitted = false } }
    f:sent(0.5)
    assert.equal(0, f.conn:info().loss_probes)
    f = flight.open { host = { rack = true, tlp = false } }
    f:sent(0.5)
    assert.equal(0, f.conn:info().loss_probes)
  end)
end)
