-- Spurious retransmissions: F-RTO (RFC 5682), Eifel (RFC 3522, 4015), DSACK (RFC 3708). The round trip
-- is 20 ms, the timeout 200 ms.
local flight = require "support.flight"
local tcp = require "lunatcp"
local wire = require "support.wire"

local function open(options)
  options = options or {}
  options.host = options.host or {}
  options.host.rto_min = 0.2
  return flight.open(options)
end

describe("F-RTO", function()
  it("RFC5682:2.1-2 sends new data on the first ACK after a timeout, no retransmission", function()
    local f = open { total = 20000, host = { frto = true } }
    f:wait(1)
    assert.is_true(f.conn:info().in_loss)
    f:ack(2)
    assert.same({ 11, 12 }, f:sent(0.03))
  end)

  it("RFC5682:3.1-3 a second ACK of what was sent only once says that the timeout was spurious",
    function()
      local f = open { total = 20000, host = { frto = true } }
      local cwnd = f.conn:info().cwnd
      f:wait(1)
      f:ack(2)
      f:sent(0.03)
      f:ack(3)
      f:sent(0.03)
      local info = f.conn:info()
      assert.is_false(info.in_loss)
      assert.equal(1, info.undos)
      assert.equal(1, info.segments_retransmitted)
      -- RFC4015:3.1-3: what is in flight, and what was acknowledged on top.
      assert.is_true(info.cwnd >= cwnd)
      assert.is_true(info.ssthresh > cwnd)
    end)

  it("RFC5682:3.1-3 a duplicate ACK instead leads back to slow start over what was lost", function()
    local f = open { total = 20000, host = { frto = true } }
    f:wait(1)
    f:ack(2)
    f:sent(0.03)
    f:ack(2, { 11, 11 })
    assert.equal(2, f:sent(0.03)[1])
    assert.equal(0, f.conn:info().undos)
    assert.is_true(f.conn:info().in_loss)
  end)

  it("RFC5682:2.1-3 without SACK, an ACK that advances twice is enough", function()
    local f = open { total = 20000, host = { frto = true }, syn = { sack_permitted = false } }
    f:wait(1)
    f:ack(2)
    assert.same({ 11, 12 }, f:sent(0.03))
    f:ack(3)
    f:sent(0.03)
    assert.equal(1, f.conn:info().undos)
  end)

  it("RFC5682:2.1-2 retransmits at once where there is no new data to send", function()
    local f = open { total = 10000, host = { frto = true } }
    f:wait(1)
    f:ack(2)
    assert.equal(2, f:sent(0.03)[1])
    assert.equal(0, f.conn:info().undos)
  end)

  it("RFC5682 is off by its setting", function()
    local f = open { total = 20000, host = { frto = false } }
    f:wait(1)
    f:ack(2)
    assert.same({ 2, 3 }, f:sent(0.03))
  end)
end)

describe("DSACKs that speak of every retransmission", function()
  it("RFC3708:3 take back what fast recovery had reduced", function()
    local f = open { host = { undo_by_dsack = true, initial_window = 10 } }
    local before = f.conn:info().cwnd
    f:ack(1, { 2, 4 })
    assert.same({ 1 }, f:sent(0.03))
    assert.is_true(f.conn:info().cwnd < before)
    f:ack(5)
    f:ack(5, { 1, 1 })
    f:sent(0.03)
    local info = f.conn:info()
    assert.equal(1, info.undos)
    assert.is_true(info.cwnd >= before)
    assert.is_false(info.in_recovery)
  end)

  it("RFC3708:3 do not, as long as one of the retransmissions was not reported", function()
    local f = open { host = { undo_by_dsack = true, initial_window = 10 } }
    f:ack(1, { 3, 8 })
    assert.same({ 1, 2 }, f:sent(0.03))
    f:ack(9, { 1, 1 })
    f:sent(0.03)
    assert.equal(0, f.conn:info().undos)
  end)
end)

-- With timestamps: the script echoes what it was sent.
local function stamped(eifel)
  local net, conn, peer = wire.passive {
    syn = { options = { mss = 1000, sack_permitted = true, timestamps = { value = 1, echo = 0 } } },
    ack_options = { timestamps = { value = 2, echo = 0 } },
    host = { eifel = eifel, rto_min = 0.2, initial_window = 10, timestamp_offset = 0 },
  }
  return net, conn, peer
end

describe("Eifel detection", function()
  local function answer(net, peer, ack, echo)
    peer:send {
      flags = "A", seq = 1001, ack = ack, options = { timestamps = { value = 3, echo = echo } },
    }
    net:run { until_ = net:now() + 0.011 }
  end

  -- A timeout, and then an ACK that echoes the original, or (not `late`) the retransmission.
  local function spurious(eifel, late, older)
    local net, conn, peer = stamped(eifel)
    conn:write(wire.pattern(9880))
    local first = peer:expect { seq = 5001 }
    net:run { until_ = net:now() + 0.3 }
    local packets = wire.drain(peer)
    local again = packets[#packets]
    assert.equal(5001, again.seq)
    assert.is_true(conn:info().in_loss)
    local echo = late and first.options.timestamps.value or again.options.timestamps.value
    if older then echo = (echo - older) & 0xffffffff end
    answer(net, peer, 5001 + first.length * 3, echo)
    return conn:info(), net, conn, peer
  end

  it("RFC3522:3.2-5 an echo older than the retransmission says that the original arrived", function()
    local info = spurious(true, true)
    assert.equal(1, info.undos)
    assert.is_false(info.in_loss)
  end)

  it("RFC3522:3.2-5 an echo of the retransmission says nothing of the kind", function()
    local info = spurious(true, false)
    assert.equal(0, info.undos)
    assert.is_true(info.in_loss)
  end)

  -- Whatever the echo says of the late segment: only its acknowledgment may have been lost.
  for _, echo in ipairs { { "a late segment", 0 }, { "an echo from days ago", 0x40000000 } } do
    local name <const>, older <const> = echo[1], echo[2]
    it("RFC4015:3.1-5 RFC4015:3.1-2 adapts the timeout to new data, not to " .. name, function()
      for _, wait in ipairs { 0.289, 0 } do
        local before, net, conn, peer = spurious(true, true, older)
        assert.equal(1, before.undos)
        assert.is_true(before.srtt < 0.1)
        answer(net, peer, 5001 + 9880, 1) -- what was late too: samples as ever
        conn:write(wire.pattern(988))
        net:run { until_ = net:now() + 0.011 }
        local new = wire.drain(peer)
        new = new[#new]
        assert.is_true(new.seq >= 5001 + 9880)
        net:run { until_ = net:now() + wait }
        answer(net, peer, new.seq + new.length, new.options.timestamps.value)
        local info = conn:info()
        if wait > 0 then
          assert.near(0.31, info.srtt, 0.01)
          assert.near(0.155, info.rttvar, 0.005)
        else
          assert.near(before.srtt + 0.002, info.srtt, 1e-6)
          assert.equal(0.021, info.latest_rtt) -- less than that
          assert.near(info.latest_rtt / 2, info.rttvar, 1e-6)
        end
      end
    end)
  end

  it("RFC3522 is off by its setting", function()
    assert.equal(0, spurious(false, true).undos)
  end)
end)

-- A path that neither reorders nor delays: whatever is sent again was lost.
describe("Behind losses that are losses", function()
  local function undos(seed)
    local net = tcp.network { seed = seed }
    local settings = { profile = "linux", receive_buffer = 1 << 22 }
    local a, b = net:host("a", settings), net:host("b", settings)
    net:link(a, b, { delay = 0.010, forward = {
      rate = 100e6, queue = { bytes = 250000 }, loss = 0.01, loss_after_queue = true,
    } })
    local info
    net:spawn(function()
      local conn <close> = b:listen(80):accept()
      for _ in conn:chunks() do end
    end)
    net:spawn(function()
      local conn <close> = assert(a:connect(b, 80))
      conn:write(wire.pattern(3000000))
      info = conn:info()
    end)
    net:run()
    net:close()
    assert.is_true(info.segments_retransmitted > 5)
    return info.undos
  end

  it("RFC3522:3.2-5 an earlier recovery's retransmission is not taken for what came first", function()
    for seed = 4, 6 do assert.equal(0, undos(seed), "seed " .. seed) end
  end)
end)
