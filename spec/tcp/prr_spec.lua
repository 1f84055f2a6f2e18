-- RFC 9937: proportional rate reduction. Ten segments are in flight; half of them is ssthresh.
local flight = require "support.flight"

local function open(options)
  options = options or {}
  options.host = options.host or {}
  options.host.rack, options.host.prr = true, true
  options.total = options.total or 30000
  return flight.open(options)
end

describe("proportional rate reduction", function()
  it("RFC9937:6-1 RFC8985:9.3-2 RFC9937:6-2 "
    .. "sends ssthresh / RecoverFS of what is delivered, until the pipe is down", function()
    local f = open()
    f:ack(1, { 2, 4 })
    -- Of 3 segments half, rounded up: the retransmission and a new one.
    assert.same({ 1, 11 }, f:sent(0.02))
    local sent = {}
    for last = 5, 10 do
      f:ack(1, { 2, last })
      sent[#sent + 1] = #f:sent(0.02)
    end
    -- As long as more than ssthresh is in flight one leaves for two delivered; then one for one.
    assert.same({ 0, 1, 0, 0, 1, 1 }, sent)
    assert.equal(5000, f.conn:info().ssthresh)
  end)

  it("RFC9937:6-2 leaves what was SACKed before the recovery out of RecoverFS", function()
    local f = open { host = { limited_transmit = false } }
    f:ack(1, { 2, 2 })
    f:ack(1, { 2, 3 })
    f:ack(1, { 2, 4 }) -- DupThresh: eight segments were neither SACKed nor acknowledged before it
    assert.same({ 1 }, f:sent(0.02))
    local sent = {}
    for last = 5, 10 do
      f:ack(1, { 2, last })
      sent[#sent + 1] = #f:sent(0.02)
    end
    -- ceil(2 * 5/8) are two, of which one has left; 5/10 would still be one.
    assert.same({ 1, 0, 0, 1, 1, 1 }, sent)
  end)

  it("RFC9937:6-1 RFC9937:6-6 ends at ssthresh", function()
    local f = open()
    f:ack(1, { 2, 10 })
    f:sent(0.02)
    f:ack(12)
    f.net:run { until_ = f.net:now() + 0.0101 }
    local info = f.conn:info()
    assert.is_false(info.in_recovery)
    assert.equal(5000, info.ssthresh)
    assert.equal(5000, info.cwnd)
  end)

  it("RFC9937:6-1 RFC9937:6-4 "
    .. "after heavy losses grows by one segment more with each ACK that is safe", function()
    local f = open()
    -- 1 to 7 are lost: the pipe is empty but for what goes again.
    f:ack(1, { 8, 10 })
    local first = f:sent(0.02)
    assert.is_true(#first >= 1 and #first <= 3)
    f:ack(2, { 8, 10 })
    assert.same(2, #f:sent(0.02))
  end)

  it("RFC9937:6-1 RFC9937:6-3 "
    .. "an ACK that tells of a further loss lets no more leave than was delivered", function()
    local f = open { segments = 20, total = 60000 }
    f:ack(1, { 2, 4 })
    f:sent(0.02)
    local before = f.conn:info().pipe
    f:ack(1, { 2, 4 }, { 16, 20 })
    f:sent(0.02)
    assert.is_true(f.conn:info().pipe <= before)
  end)

  it("RFC9937:6.2-1 an ACK that delivers nothing changes nothing", function()
    local f = open()
    f:ack(1, { 2, 4 })
    f:sent(0.02)
    local before = f.conn:info()
    for _ = 1, 5 do f:ack(1, { 2, 4 }) end
    assert.same({}, f:sent(0.02))
    local after = f.conn:info()
    assert.same({ before.cwnd, before.pipe, before.ssthresh }, { after.cwnd, after.pipe, after.ssthresh })
  end)

  it("RFC9937:6.1-1 begins anew with each recovery", function()
    local f = open { total = 60000 }
    f:ack(1, { 2, 10 })
    f:sent(0.02)
    f:ack(11) -- all of the first flight: the recovery is over
    f:sent(0.02)
    local first = f.conn:info()
    assert.is_false(first.in_recovery)
    local out = (first.snd_nxt - first.snd_una) // 1000
    assert.is_true(out >= 5, out)
    -- Of what is out now the first is lost, three arrive: half of three goes, the retransmission with it.
    f:ack(11, { 12, 14 })
    assert.same({ 11 }, { f:sent(0.02)[1] })
    assert.equal(1000 * out // 2, f.conn:info().ssthresh)
    assert.is_true(f.conn:info().cwnd <= f.conn:info().ssthresh + 1000)
  end)

  it("RFC9937 is off by its setting", function()
    local f = open { host = { prr = false } }
    f.conn:set { prr = false }
    f:ack(1, { 2, 4 })
    f:sent(0.02)
    assert.equal(5000, f.conn:info().cwnd)
  end)
end)
