-- Small segments that were lost go again in as few as hold them: RFC 9293 section 3.8.6 ("may
-- repackage segments on the retransmission queue"), RFC 6675 section 4 ("one segment of up to SMSS octets").
local lab = require "support.lab"
local wire = require "support.wire"

-- `count` segments of `size` octets (1) leave one by one. Sequence numbers of the text begin at 5001.
local function in_flight(options)
  local count, size = options.count, options.size or 1
  local host = { initial_window = 100, nagle = false, limited_transmit = false, profile = options.profile }
  for key, value in pairs(options.host or {}) do host[key] = value end
  local net, conn, peer = wire.passive {
    syn = { options = { mss = 1000, sack_permitted = options.sack }, window = options.window }, host = host,
  }
  local text = wire.pattern(count * size)
  for i = 0, count - 1 do
    if options.before then options.before(conn, i + 1) end
    conn:write(text:sub(i * size + 1, (i + 1) * size))
    net:run { until_ = net:now() + 1e-6 } -- what is written at one moment leaves together
  end
  if options.closes then conn:shutdown() end
  net:run { until_ = net:now() + 0.02 }
  assert.equal(count + (options.closes and 1 or 0), #wire.drain(peer))
  return net, conn, peer, text
end

-- What comes in so many seconds: "first sequence number+length", with an F for a FIN and a P for PSH.
local function coming(net, peer, seconds)
  net:run { until_ = net:now() + seconds }
  local lines, packets = {}, wire.drain(peer)
  for i, packet in ipairs(packets) do
    lines[i] = ("%d+%d%s%s"):format(packet.seq - 5000, packet.length, packet.flags.fin and "F" or "",
      packet.flags.urg and "U" .. packet.urgent or "")
  end
  return lines, packets
end

local function ack(peer, ack_, ...)
  local sack = {}
  for i, block in ipairs { ... } do sack[i] = { left = 5000 + block[1], right = 5000 + block[2] } end
  peer:send { flags = "A", seq = 1001, ack = 5000 + ack_, options = #sack > 0 and { sack = sack } or nil }
end

describe("what goes again", function()
  it("RFC9293:3.8.6 after a timeout is a full segment, not a thousand small ones", function()
    local net, conn, peer, text = in_flight { count = 1500, sack = true }
    local lines, packets = coming(net, peer, 1.1)
    assert.same({ "1+1000" }, lines)
    assert.equal(text:sub(1, 1000), packets[1].payload)
    ack(peer, 1001)
    assert.same({ "1001+500" }, (coming(net, peer, 0.1)))
    ack(peer, 1501)
    net:run { until_ = net:now() + 0.1 }
    assert.equal(0, conn:info().unacked)
    assert.equal(2, conn:info().segments_retransmitted)
    assert.equal(1500, conn:info().bytes_retransmitted)
  end)

  it("RFC6675:4-5 in fast recovery is what lies between SACKed octets, and nothing across them", function()
    for _, profile in ipairs { "rfc", "linux" } do
      local net, conn, peer, text = in_flight { count = 40, size = 100, sack = true, profile = profile }
      -- 1 to 3 and 6 to 11 are lost of what all was sent before 20 was.
      for last = 12, 40 do ack(peer, 1, { 1101, 100 * last + 1 }, { 301, 501 }) end
      local lines, packets = coming(net, peer, 0.03)
      assert.same({ "1+300", "501+600" }, lines, profile)
      assert.equal(text:sub(1, 300), packets[1].payload)
      assert.equal(text:sub(501, 1100), packets[2].payload)
      assert.equal(0, conn:info().unsent)
      ack(peer, 4001)
      net:run { until_ = net:now() + 0.1 }
      assert.equal(0, conn:info().unacked)
      assert.is_false(conn:info().in_recovery)
    end
  end)

  it("RFC6675:4-4 is counted once in the pipe", function()
    local net, conn, peer = in_flight { count = 40, size = 100, sack = true }
    for last = 4, 10 do ack(peer, 1, { 301, 100 * last + 1 }) end
    local lines = coming(net, peer, 0.03)
    assert.same({ "1+300" }, lines)
    assert.equal(4000 - 700, conn:info().pipe)
    ack(peer, 101, { 301, 1001 }) -- an early copy of the first octets
    net:run { until_ = net:now() + 0.05 }
    assert.equal(3900 - 700, conn:info().pipe)
    ack(peer, 1001)
    net:run { until_ = net:now() + 0.05 }
    assert.equal(3000, conn:info().pipe)
  end)

  it("RFC6582:3.2-2 without SACK takes what followed along, so that each hole costs no round trip", function()
    local net, _, peer = in_flight { count = 300, sack = false }
    for _ = 1, 4 do ack(peer, 1) end
    assert.same({ "1+300" }, (coming(net, peer, 0.03)))
  end)

  it("without SACK does not go twice while the first copy is awaited", function()
    local net, conn, peer = in_flight { count = 30, size = 100, sack = false }
    for _ = 1, 4 do ack(peer, 1) end
    assert.same({ "1+1000" }, (coming(net, peer, 0.03)))
    ack(peer, 1001)
    assert.same({ "1001+1000" }, (coming(net, peer, 0.03)))
    assert.equal(2, conn:info().segments_retransmitted)
  end)

  it("stays within the peer's window where that has shrunk (RFC9293:SHLD-16)", function()
    local net, _, peer = in_flight { count = 20, size = 100, sack = true }
    peer:send { flags = "A", seq = 1001, ack = 5001, window = 450 }
    assert.same({ "1+400" }, (coming(net, peer, 1.2)))
  end)

  it("ends with the FIN, which goes with the last octets", function()
    local net, conn, peer = in_flight { count = 5, sack = true, closes = true }
    assert.same({ "1+5F" }, (coming(net, peer, 1.1)))
    ack(peer, 7)
    net:run { until_ = net:now() + 0.1 }
    assert.equal("FIN-WAIT-2", conn:state())
  end)

  it("a FIN has no place before what was SACKed, nor alone with full segments", function()
    local net, _, peer = in_flight { count = 5, size = 1000, sack = true, closes = true }
    assert.same({ "1+1000" }, (coming(net, peer, 1.1)))
    ack(peer, 4001)
    assert.same({ "4001+1000", "5001+0F" }, (coming(net, peer, 0.05)))
  end)

  it("RFC9293:MUST-62 points to the octet after the urgent data, wherever that ends in it", function()
    local net, _, peer = in_flight {
      count = 10, size = 10, sack = true,
      before = function(conn, i) if i == 6 then conn:urgent "!" end end,
    }
    ack(peer, 1)
    local lines = coming(net, peer, 1.1)
    assert.same({ "1+101U51" }, lines)
  end)

  it("joins whole segments only: what fits no more keeps its bounds", function()
    local net, _, peer = in_flight { count = 5, size = 400, sack = true }
    assert.same({ "1+800" }, (coming(net, peer, 1.1)))
    ack(peer, 801)
    assert.same({ "801+800", "1601+400" }, (coming(net, peer, 0.05)))
  end)

  it("RFC5682:2.1-2 tells nothing of a spurious timeout before all of it is acknowledged", function()
    local net, conn, peer = in_flight {
      count = 40, size = 100, sack = false, host = { frto = true, initial_window = 4 },
    }
    conn:write(wire.pattern(5000))
    assert.same({ "1+1000" }, (coming(net, peer, 1.1)))
    -- New data for an ACK of a part, and 3b would hold the next one for a sign that nothing was lost.
    ack(peer, 501)
    local lines = coming(net, peer, 0.03)
    assert.equal("1001+1000", lines[1])
    ack(peer, 1001)
    coming(net, peer, 0.03)
    assert.equal(0, conn:info().undos)
    assert.is_true(conn:info().in_loss)
  end)

  it("RFC6298:3-1 gives no sample of the RTT, also where a part of it was sent once", function()
    local net, conn, peer = in_flight { count = 30, size = 10, sack = false }
    for _ = 1, 4 do ack(peer, 1) end
    coming(net, peer, 0.5)
    local before = conn:info().srtt
    ack(peer, 301)
    net:run { until_ = net:now() + 0.1 }
    assert.equal(before, conn:info().srtt)
  end)

  it("brings a stream of single octets through heavy loss with few segments", function()
    for _, profile in ipairs { "rfc", "linux" } do
      for _, sack in ipairs { true, false } do
        local own = { nagle = false, sack = sack, profile = profile, send_buffer = 200000 }
        local net, client, server = lab.connected {
          client = own, server = { sack = sack }, link = { delay = 0.02, loss = 0.3 }, seed = 3,
        }
        local text = wire.pattern(5000)
        local got
        net:spawn(function() got = server:read_exactly(#text) end)
        net:spawn(function()
          for i = 1, #text do
            assert(client:write(text:sub(i, i)))
            net:sleep(1e-5)
          end
          client:shutdown()
        end)
        net:run { until_ = 3600 }
        assert.equal(text, got)
        local again = client:info().segments_retransmitted
        -- What SACK tells of are holes of an octet or two. By themselves it would be 9,000 and more without.
        assert.is_true(again < (sack and 2000 or 100), ("%s, sack %s: %d again"):format(profile, sack, again))
        assert.is_nil(net.core:check())
      end
    end
  end)
end)
