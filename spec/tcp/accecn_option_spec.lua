-- RFC 9768 section 3.2.3: the AccECN option, when it is sent, what is in it, and what takes its place where
-- it does not come through.
local accecn = require "support.accecn"
local lab = require "support.lab"
local wire = require "support.wire"

local ECT1 <const>, ECT0 <const>, CE <const> = 1, 2, 3
local SACK <const> = { mss = 1000, sack_permitted = true }

local function option(packet) return packet and packet.options.accecn end

-- A server whose option has been answered, so that it knows that they come through.
local function passive(options)
  options = options or {}
  options.options = options.options or { accecn = { kind = 172, 1, 0, 1 } }
  options.host = options.host or {}
  options.host.accecn_beacon = 0
  return accecn.passive(options)
end

describe("the AccECN option tests the path", function()
  it("RFC9768:3.2.3.2.1-2 on the SYN-ACK, with all fields", function()
    assert.same({ kind = 172, 1, 0, 1 }, option(accecn.syn().synack))
  end)

  it("RFC9768:3.2.3.2.1-2 not on one that does not agree to AccECN", function()
    assert.is_nil(option(accecn.syn({ syn = { ace = 3 } }).synack))
    assert.is_nil(option(accecn.syn({ syn = { ace = 0 } }).synack))
    assert.is_nil(option(accecn.syn({ host = { accecn_option = 0 } }).synack))
  end)

  it("RFC9768:3.2.3.2.1-3 on the ACK of the SYN-ACK, and on the client's first data", function()
    local s = accecn.active()
    assert.same({ kind = 172, 1, 0, 1 }, option(s.ack))
    s.conn:write "one"
    assert.same({ kind = 172, 1, 0, 1 }, option(s.next()))
    s.send { flags = accecn.flags("A", 5), ack = 5004 }
    s.conn:write "two"
    assert.is_nil(option(s.next()))
  end)

  it("RFC9768:3.2.3.2.1-1 is ignored on a SYN", function()
    local s = accecn.passive { syn = { options = { mss = 1000, accecn = { kind = 172, 9, 9, 9 } } } }
    assert.is_false(s.conn:info().accecn_option_seen)
    assert.equal(0, s.conn:info().delivered_ce_bytes)
  end)

  it("RFC9768:3.2.3.2.2-3 is not on data that is sent again", function()
    local s = accecn.active()
    s.conn:write "one"
    assert.is_not_nil(option(s.next()))
    s.data(100, { ecn = ECT0 })
    assert.is_not_nil(option(s.next()))
    local again = s.next(2) -- though the beacon would have it
    assert.equal(3, again.length)
    assert.is_nil(option(again))
  end)

  it("RFC9768:3.2.3.2.4-1 is ignored for good where an initial counter is 0", function()
    for _, counters in ipairs { { kind = 172, 0, 0, 1 }, { kind = 172, 1, 0, 0 }, { kind = 174, 0 } } do
      for _, make in ipairs { accecn.active, accecn.passive } do
        local s = make { options = { accecn = counters }, host = { initial_window = 40 } }
        s.conn:write(("x"):rep(20000))
        wire.drain(s.peer, 0.05)
        assert.is_true(s.conn:info().accecn_zeroed)
        s.send {
          flags = accecn.flags("A", 5), ack = 15001, options = { accecn = { kind = 172, 10001, 0, 1 } },
        }
        s.wait()
        assert.equal(0, s.conn:info().delivered_ect0_bytes)
        assert.equal(8, s.conn:info().delivered_ce) -- RFC9768:3.2.3.2.4-2: the conservative reading
      end
    end
    assert.is_false(passive({ options = { accecn = { kind = 174, 1, 0 } } }).conn:info().accecn_zeroed)
    assert.is_false(passive({ options = { accecn = { kind = 172 } } }).conn:info().accecn_zeroed)
  end)

  it("RFC9768:3.2.3.2.3-2 is sent although none comes, unless it is to be spared", function()
    for level, expected in pairs { [0] = false, false, true, true } do
      local s = accecn.passive { host = { accecn_option = level } }
      s.data(100, { ecn = ECT0 })
      assert.equal(expected, option(s.next()) ~= nil, level)
    end
    local s = passive { host = { accecn_option = 1 } }
    s.data(100, { ecn = ECT0 })
    assert.is_not_nil(option(s.next()))
  end)

  it("RFC9768:3.2.3.2.3-3 is made use of where it comes later after all", function()
    local s = accecn.passive { host = { initial_window = 40 } }
    s.conn:write(("x"):rep(40000))
    wire.drain(s.peer, 0.05)
    s.send { flags = accecn.flags("A", 5), ack = 6001 }
    s.send {
      flags = accecn.flags("A", 6), ack = 7001, options = { accecn = { kind = 172, 1001, 1000, 1 } },
    }
    s.wait()
    local info = s.conn:info()
    assert.is_true(info.accecn_option_seen)
    assert.same({ 1000, 1000 }, { info.delivered_ce_bytes, info.delivered_ect0_bytes })
  end)

  it("RFC9768:3.2.3.2.2-4 stops where what it acknowledged always comes again", function()
    for level, stops in pairs { [2] = true, [3] = false } do
      local s = passive { host = { accecn_option = level } }
      local function again() s.send { flags = accecn.flags("A", 5), payload = ("x"):rep(100), ecn = ECT0 } end
      local function has_option()
        s.data(100, { ecn = ECT0 })
        return option(s.next()) ~= nil
      end
      for _ = 1, 4 do
        assert.is_true(has_option())
        again()
        s.next()
      end
      assert.equal(stops, s.conn:info().accecn_blocked)
      assert.equal(not stops, has_option(), level)
    end
  end)

  it("RFC9768:3.2.3.2.2-4 goes on where that happens now and then", function()
    local s = passive()
    for i = 1, 60 do
      s.data(100, { ecn = ECT0 })
      assert.is_not_nil(option(s.next()), i)
      if i % 10 == 0 then
        s.send { flags = accecn.flags("A", 5), payload = ("x"):rep(100), ecn = ECT0 }
        s.next()
      end
    end
  end)
end)

describe("the AccECN option's fields", function()
  local function options_after(codepoints, host)
    local s = passive { host = host }
    local seen = {}
    for i, ecn in ipairs(codepoints) do
      s.data(100, { ecn = ecn })
      seen[i] = option(s.next()) or "-"
    end
    return seen
  end

  it("RFC9768:3.2.3.3-2 are those that ever changed, on every ACK that tells of more: table 5", function()
    assert.same({ { kind = 172, 101 }, { kind = 172, 201 }, "-", { kind = 172, 201, 100 },
      { kind = 172, 301, 100 } }, options_after { ECT0, ECT0, 0, CE, ECT0 })
    assert.same({ { kind = 174, 101 }, { kind = 174, 101, 100 } }, options_after { ECT1, CE })
    assert.same({ { kind = 172, 1, 100 }, { kind = 174, 101, 100 } }, options_after { CE, ECT1 })
    assert.same({ { kind = 172, 101 }, { kind = 172, 101, 0, 101 } }, options_after { ECT0, ECT1 })
  end)

  it("RFC9768:3.2-2 count payload of everything acceptable but of SYNs", function()
    local s = passive()
    s.data(100, { ecn = CE })
    s.next()
    s.send { flags = accecn.flags("A", 5), seq = 1101, ecn = CE } -- no payload
    s.data(50, { ecn = CE })
    assert.same({ kind = 172, 1, 150 }, option(s.next()))
    assert.equal(150, s.conn:info().received_ce_bytes)
  end)

  it("RFC9768:3.2.3.1-1 RFC9768:3.2.1-2 are the counters' last 24 bits", function()
    local net = lab.pair { client = { ecn = 3 }, server = { ecn = 3, receive_buffer = 1 << 22 } }
    local client, server = lab.handshake(net)
    local octets <const> = (1 << 24) + 12345
    net:spawn(function()
      local chunk = ("x"):rep(65536)
      for _ = 1, octets // 65536 do client:write(chunk) end
      client:write(chunk:sub(1, octets % 65536))
      client:shutdown()
    end)
    for _ in server:chunks() do end
    net:run { until_ = net:now() + 1 }
    local packets = net.trace:packets { kind = "sent" }
    local last
    for _, record in ipairs(packets) do last = option(record.segment) or last end
    assert.same({ kind = 172, (octets + 1) & 0xffffff }, last)
    assert.equal(octets, client:info().delivered_ect0_bytes)
    assert.equal(octets, server:info().received_ect0_bytes)
  end)

  it("RFC9768:3.2.3.1-2 are read as the least growth that makes them so: appendix A.1", function()
    local s = passive { host = { initial_window = 40 } }
    s.conn:write(("x"):rep(40000))
    wire.drain(s.peer, 0.05)
    local function acknowledge(segments, ace, counters)
      s.acked = (s.acked or 0) + segments
      s.send { flags = accecn.flags("A", ace), ack = 5001 + s.acked * 1000, options = { accecn = counters } }
      s.wait()
      local info = s.conn:info()
      return { info.delivered_ect0_bytes, info.delivered_ce_bytes, info.delivered_ect1_bytes }
    end
    assert.same({ 1000, 0, 0 }, acknowledge(1, 5, { kind = 172, 1001 }))
    assert.same({ 1000, 0xffffff, 0 }, acknowledge(1, 6, { kind = 172, 1001, 0xffffff }))
    assert.same({ 1000, 0x1000000 + 1459, 0 }, acknowledge(1, 7, { kind = 174, 1, 1459 }))
    assert.same({ 2000, 0x1000000 + 1459, 7 }, acknowledge(1, 7, { kind = 174, 8, 1459, 2001 }))
    assert.same({ 2000, 0x1000000 + 1459, 7 }, acknowledge(1, 7, { kind = 172 }))
  end)

  it("RFC9768:3.2.3.3-1 leave two SACK blocks their room, and take it from a third", function()
    local stamps = { mss = 1000, sack_permitted = true, timestamps = { value = 1, echo = 0 } }
    local s = passive {
      host = { timestamps = true }, syn = { options = stamps },
      options = { timestamps = { value = 1, echo = 1 }, accecn = { kind = 172, 1, 0, 1 } },
    }
    local value = 1
    local function at(offset, ecn)
      value, s.seq = value + 1, 1001 + offset
      s.data(100, { ecn = ecn, options = { timestamps = { value = value, echo = 1 } } })
      local packet = s.next()
      return #packet.options.sack, option(packet) or "-"
    end
    local function same(blocks, counters, got_blocks, got)
      assert.equal(blocks, got_blocks)
      assert.same(counters, got)
    end
    same(1, { kind = 172, 101 }, at(1000, ECT0))
    same(2, { kind = 172, 201 }, at(2000, ECT0))
    same(2, { kind = 172, 301 }, at(3000, ECT0)) -- of three
    same(3, "-", at(4000, 0))
    same(2, { kind = 172, 301, 100 }, at(5000, CE))
    -- RFC9768:3.2.3.3-3: three fields would not fit; what has changed does.
    same(2, { kind = 174, 101 }, at(6000, ECT1))
    same(3, "-", at(7000, 0))
  end)

  it("RFC9768:3.2.3.3-3 are all left out where what has changed does not fit", function()
    -- Sparing, the third of the same kind goes unsaid; then another comes, as so many SACK blocks are due.
    local function beside(blocks)
      local s = passive {
        host = { timestamps = true, accecn_option = 1 },
        syn = { options = { mss = 1000, sack_permitted = true, timestamps = { value = 1, echo = 0 } } },
        options = { timestamps = { value = 1, echo = 1 }, accecn = { kind = 172, 1, 0, 1 } },
      }
      local value, packet = 1, nil
      local function at(offset, ecn)
        value, s.seq = value + 1, 1001 + offset
        s.data(100, { ecn = ecn, options = { timestamps = { value = value, echo = 1 } } })
        packet = s.next()
      end
      for i = 0, 2 do at(i * 100, ECT0) end
      assert.is_nil(option(packet))
      for i = 1, blocks do at(i * 1000, i == blocks and ECT1 or 0) end
      assert.equal(blocks, #packet.options.sack)
      return option(packet)
    end
    assert.same({ kind = 172, 301, 0, 101 }, beside(1))
    assert.is_nil(beside(2))
    assert.is_nil(beside(3))
  end)

  it("RFC9768:3.2.3.2.1-4 RFC9768:3.2.3-2 are as many as there is room for beside the text", function()
    local full <const>, empty <const> = { kind = 172, 1, 0, 1 }, { kind = 172 }
    for octets, counters in pairs { [988] = full, [989] = empty, [996] = empty, [997] = "-" } do
      local s = accecn.active()
      s.conn:write(("x"):rep(octets))
      local packet = s.next()
      assert.equal(octets, packet.length)
      assert.is_true(packet.length + packet.header_length - 20 <= 1000)
      assert.same(counters, option(packet) or "-", octets)
    end
  end)
end)

describe("the AccECN option, sparingly", function()
  local host <const> = { accecn_option = 1 }

  local function carried(codepoints, settings)
    local s = passive { host = settings or host }
    local seen = {}
    for i, ecn in ipairs(codepoints) do
      s.data(100, { ecn = ecn })
      seen[i] = option(s.next()) and 1 or 0
    end
    return table.concat(seen)
  end

  it("RFC9768:3.2.3.3-4 RFC9768:3.2.3.3-5 tells of another counter twice", function()
    assert.equal("1100", carried { ECT0, ECT0, ECT0, ECT0 })
  end)

  it("RFC9768:3.2.3.3-6 and of the same one every third ACK", function()
    assert.equal("11001001001", carried { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 })
  end)

  it("RFC9768:3.2.3.3-7 and always of CE", function()
    assert.equal("1100111111", carried { 2, 2, 2, 2, CE, CE, CE, CE, 2, 2 })
  end)

  it("is sent so many times in a round trip as the beacon says", function()
    local function sent(beacon)
      local net = lab.pair {
        client = { ecn = 3 },
        server = { ecn = 3, accecn_option = 1, accecn_beacon = beacon, nagle = false },
        link = { delay = 0.05 },
      }
      local client, server = lab.handshake(net)
      client:write "x"
      server:read(1)
      local data = ("x"):rep(100)
      for _ = 1, 100 do -- ten in a round trip
        server:write(data)
        net:run { until_ = net:now() + 0.01 }
      end
      local count = 0
      for _, record in ipairs(net.trace:packets { kind = "sent" }) do
        if option(record.segment) and record.segment.source_port == 80 then count = count + 1 end
      end
      return count
    end
    local none = sent(0)
    assert.is_true(none <= 4, none)
    local three = sent(3)
    assert.is_true(three >= 25 and three <= 36, three)
  end)
end)

describe("AccECN beside SACK", function()
  it("RFC9768:3.1.1-5 goes on through losses, and both ends agree", function()
    for seed = 1, 3 do
      local settings = { ecn = 3, congestion = "dctcp", dsack = true, rack = true, prr = true }
      local net = lab.pair {
        seed = seed, client = settings, server = settings,
        link = {
          delay = 0.01, rate = 5e6, loss = 0.01, queue = { kind = "step", threshold = 4, packets = 500 },
        },
      }
      local client, server = lab.handshake(net)
      net:spawn(function() client:write(("x"):rep(1000000)) end)
      net:spawn(function() server:write(("y"):rep(1000000)) end)
      net:spawn(function() assert.equal(1000000, #client:read_exactly(1000000)) end)
      assert.equal(1000000, #server:read_exactly(1000000))
      net:run { until_ = net:now() + 5 }
      for _, ends in ipairs { { client:info(), server:info() }, { server:info(), client:info() } } do
        local from, to = ends[1], ends[2]
        assert.is_true(from.delivered_ce >= to.ce_received)
        assert.is_true(from.ecn_sending)
        assert.is_true(to.ce_received > 0)
      end
    end
  end)

  it("keeps SACK's own rules", function()
    local s = passive { syn = { options = SACK } }
    s.seq = 1101
    s.data(100, { ecn = ECT0 })
    local packet = s.next()
    assert.same({ { left = 1101, right = 1201 } }, packet.options.sack)
    assert.same({ kind = 172, 101 }, option(packet))
  end)
end)
