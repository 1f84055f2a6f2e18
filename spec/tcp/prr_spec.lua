-- RFC 9937: proportional rate reduction. Ten segments are in flight; half of them is ssthresh.
local core = require "lunatcp.core"
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
    local f = open { total = 10000 }
    f:ack(1, { 8, 10 })
    for n = 2, 4 do
      f:sent(0.0201)
      f:ack(n, { 8, 10 })
    end
    f:sent(0.0201)
    -- Seven are out again for six that were delivered; the last ACK was safe and let one more leave.
    local before = f.conn:info()
    assert.equal(before.pipe + 1000, before.cwnd)
    for _ = 1, 3 do f:ack(4, { 8, 10 }) end
    assert.same({}, f:sent(0.0201))
    assert.equal(before.cwnd, f.conn:info().cwnd)
  end)

  it("RFC9937:6.1-1 begins anew with each recovery", function()
    local f = open { segments = 20, total = 20000 }
    f:ack(1, { 2, 20 })
    f:sent(0.0201)
    f:ack(21) -- all of it: nineteen delivered, one sent
    f:sent(0.0201)
    f.conn:write(("x"):rep(60000))
    assert.equal(10, #f:sent(0.0201))
    -- The first is lost, three arrive: ceil(3 * 5/10) go, the retransmission with them.
    f:ack(21, { 22, 24 })
    assert.same({ 21, 31 }, f:sent(0.0201))
  end)

  it("RFC9937:5-1 works with each algorithm that sets ssthresh", function()
    for congestion, beta in pairs { newreno = 0.5, cubic = 0.7, dctcp = 0.5 } do
      local f = open { host = { congestion = congestion } }
      f:ack(1, { 2, 4 })
      f:sent(0.02)
      local info = f.conn:info()
      assert.is_true(info.prr, congestion)
      assert.equal(10000 * beta, info.ssthresh)
      for last = 5, 10 do
        f:ack(1, { 2, last })
        f:sent(0.02)
      end
      assert.is_true(f.conn:info().pipe <= 10000 * beta, congestion)
      f:ack(11)
      f:sent(0.02)
      assert.is_true(f.conn:info().cwnd >= 10000 * beta)
    end
    assert.is_false(open({ host = { congestion = "bbr" } }).conn:info().prr) -- it does that by itself
  end)

  it("RFC9937:5-2 comes together with RACK-TLP in the profile that has it", function()
    for _, name in ipairs { "rfc", "linux" } do
      local profile = core.profile(name)
      assert.equal(profile.prr, profile.rack and profile.tlp, name)
    end
    assert.is_true(core.profile "linux".prr)
  end)

  it("RFC9937 is off by its setting", function()
    local f = open { host = { prr = false } }
    f.conn:set { prr = false }
    f:ack(1, { 2, 4 })
    f:sent(0.02)
    assert.equal(5000, f.conn:info().cwnd)
  end)
end)
