-- Fragments that reach a host: RFC 791 section 3.2, RFC 815, RFC 1122 section 3.3.2, RFC 8200 section 4.5.
local lab = require "support.lab"
local tcp = require "lunatcp"
local fragments = require "support.fragments"

local cut, v4, v6 = fragments.cut, fragments.v4, fragments.v6

-- An established connection by one family, its peer, and the counters of its host.
local function established(family, settings)
  local host_settings = { isn = 5000 }
  for key, value in pairs(settings or {}) do host_settings[key] = value end
  local net, host, peer = lab.forge { host = host_settings }
  local listener = assert(host:listen(80))
  peer:send {
    flags = host_settings.ecn and "SEW" or "S", seq = 1000, destination_port = 80, window = 65535,
      options = { mss = 1000 },
    source = peer:address(host, family), destination = host:address(peer, family),
  }
  peer:expect { flags = host_settings.ecn and "SAE" or "SA", ack = 1001 }
  peer:send { flags = "A", seq = 1001, ack = 5001, window = 65535 }
  return net, assert(listener:accept()), peer, host
end

local function payload(n)
  local octets = {}
  for i = 1, n do octets[i] = string.char(i % 251) end
  return table.concat(octets)
end

local function received(net, conn)
  net:run { until_ = net:now() + 0.1 }
  local info = conn:info()
  return info.rcv_nxt - 1001
end

local function shuffled(list)
  local out = {}
  for i = #list, 1, -2 do out[#out + 1] = list[i] end
  for i = #list - 1, 1, -2 do out[#out + 1] = list[i] end
  return out
end

for _, family in ipairs { 4, 6 } do
  local one = family == 4 and v4 or v6

  describe("IPv" .. family .. " fragments", function()
    it("RFC791:3.2-2 RFC815:3-1 RFC8200:4.5-5 become the segment again, in order or not, twice or"
      .. " not", function()
      for _, size in ipairs { 8, 16, 24, 200, 504 } do
        if family == 4 or size >= 24 then
          local net, conn, peer, host = established(family)
          local text = payload(900)
          local list = cut(fragments.segment(conn, { seq = 1001, payload = text }), size)
          for i, piece in ipairs(shuffled(list)) do
            peer:send(piece)
            if i % 3 == 0 and i < #list then peer:send(piece) end -- RFC8200:4.5-13
          end
          assert.equal(900, received(net, conn))
          assert.equal(text, conn:read(900))
          assert.equal(1, host:counters().datagrams_reassembled)
          assert.equal(0, host:counters().fragments_overlapping)
        end
      end
    end)

    it("RFC791:3.2-3 RFC8200:4.5-5 are told apart by identification, source and destination", function()
      local net, conn, peer = established(family)
      local first = fragments.segment(conn, { seq = 1001, payload = payload(100) })
      local second = fragments.segment(conn, { seq = 1101, payload = payload(100) })
      local a, b = cut(first, 64, { id = 1 }), cut(second, 64, { id = 2 })
      peer:send(a[1])
      peer:send(b[2])
      assert.equal(0, received(net, conn))
      peer:send(b[1])
      peer:send(a[2])
      assert.equal(200, received(net, conn))
    end)

    it("RFC1122:3.3.2-1 RFC8200:5-1 join to 1500 octets and more", function()
      local net, conn, peer = established(family)
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(40000) })
      for _, piece in ipairs(cut(packet, 1400)) do peer:send(piece) end
      assert.equal(40000, received(net, conn))
    end)

    it("RFC1122:3.3.2-2 RFC1122:3.3.2-3 RFC8200:4.5-9 are given up after 60 s, and the sender is told"
      .. " by the first one", function()
      local net, conn, peer, host = established(family)
      local list = cut(fragments.segment(conn, { seq = 1001, payload = payload(100) }), 64)
      peer:send(list[1])
      net:run { until_ = net:now() + 59.9 }
      assert.equal(0, host:counters().fragments_timed_out)
      local answer = peer:expect { timeout = 0.2 }
      assert.equal("time exceeded", answer.icmp.kind)
      assert.equal(1, answer.icmp.code)
      assert.equal(list[1]:sub(1, #answer.icmp.quote), answer.icmp.quote)
      assert.equal(1, host:counters().fragments_timed_out)
      peer:send(list[2]) -- too late; and without the first one nothing is said
      net:run { until_ = net:now() + 61 }
      assert.equal(2, host:counters().fragments_timed_out)
      peer:expect_nothing(1)
      assert.equal(0, received(net, conn))
    end)

    it("RFC8200:4.5-12 RFC1858:4 that overlap end their datagram, and nobody is told", function()
      local overlaps = {
        { { 0, 64 }, { 56, 120 } }, { { 56, 120 }, { 0, 64 } }, -- teardrop, both ways round
        { { 0, 64 }, { 16, 24 } }, { { 0, 64 }, { 0, 72 } }, { { 64, 120 }, { 0, 120, more = true } },
      }
      for i, pair in ipairs(overlaps) do
        local net, conn, peer, host = established(family)
        local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
        for _, range in ipairs(pair) do
          peer:send(one(packet, range[1], range[2], { more = range.more }))
        end
        assert.equal(0, received(net, conn))
        assert.equal(1, host:counters().fragments_overlapping, "pair " .. i)
        peer:expect_nothing(61)
        for _, piece in ipairs(cut(packet, 64, { id = 77 })) do peer:send(piece) end
        assert.equal(100, received(net, conn)) -- the connection is as well as before
      end
    end)

    it("RFC8200:4.5-13 that bring other octets for the same place are an overlap", function()
      local net, conn, peer, host = established(family)
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
      peer:send(one(packet, 0, 64))
      peer:send(one(packet, 0, 64, { data = packet:sub(family == 4 and 21 or 41):sub(1, 63) .. "X" }))
      peer:send(one(packet, 64, 120))
      assert.equal(0, received(net, conn))
      assert.equal(1, host:counters().fragments_overlapping)
    end)

    it("RFC815:3-2 with two ends, or with more behind the end, are an overlap", function()
      for _, pair in ipairs { { 120, 112 }, { 112, 120 } } do
        local net, conn, peer, host = established(family)
        local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
        peer:send(one(packet, 64, pair[1], { more = false }))
        peer:send(one(packet, 96, pair[2], { more = pair[2] == 120 }))
        peer:send(one(packet, 0, 64))
        assert.equal(0, received(net, conn))
        assert.equal(1, host:counters().fragments_overlapping)
      end
    end)

    it("RFC791:3.1-3 RFC8200:4.5-11 that would end beyond 65,535 octets are dropped (ping of"
      .. " death)", function()
      local net, conn, peer, host = established(family)
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(1000) })
      peer:send(one(packet, 0, 512, { offset = 65528, more = false }))
      assert.equal(0, received(net, conn))
      assert.equal(1, host:counters().fragments_oversized)
      if family == 6 then
        local answer = peer:expect { timeout = 1 }
        assert.equal("parameter problem", answer.icmp.kind)
        assert.same({ 0, 42 }, { answer.icmp.code, answer.icmp.pointer })
      end
      peer:expect_nothing(61)
    end)

    it("RFC791:3.1-1 RFC8200:4.5-10 with more to come have a multiple of eight octets", function()
      local net, conn, peer, host = established(family)
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
      peer:send(one(packet, 0, 63))
      assert.equal(0, received(net, conn))
      assert.equal(1, host:counters().fragments_malformed)
      if family == 6 then
        local answer = peer:expect { timeout = 1 }
        assert.same({ 0, 4 }, { answer.icmp.code, answer.icmp.pointer })
      end
      peer:send(one(packet, 64, 64, { more = true })) -- none at all
      net:run { until_ = net:now() + 1 }
      assert.equal(2, host:counters().fragments_malformed)
    end)

    it("RFC3168:5.3 keep a mark, and put none on what could not carry it", function()
      local cases = { { 3, 2, ce = 1 }, { 2, 3, ce = 1 }, { 1, 3, ce = 1 }, { 2, 2, ce = 0 } }
      for _, ecn in ipairs(cases) do
        local net, conn, peer = established(family, { ecn = 1 })
        local packet = fragments.segment(conn, { seq = 1001, payload = payload(100), ecn = ecn[1] })
        peer:send(one(packet, 0, 64, { ecn = ecn[1] }))
        peer:send(one(packet, 64, 120, { ecn = ecn[2] }))
        assert.equal(100, received(net, conn))
        assert.equal(ecn.ce, conn:info().ce_received)
      end
      for _, ecn in ipairs { { 3, 0 }, { 0, 3 } } do
        local net, conn, peer = established(family)
        local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
        peer:send(one(packet, 0, 64, { ecn = ecn[1] }))
        peer:send(one(packet, 64, 120, { ecn = ecn[2] }))
        assert.equal(0, received(net, conn))
      end
    end)

    -- ---- bounds --------------------------------------------------------------------------------

    it("RFC1122:3.3.2 keep to a bound for one source: its own oldest datagram goes", function()
      local net, conn, peer, host = established(family, { reassembly_per_source = 4 })
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
      for id = 1, 10 do peer:send(one(packet, 0, 64, { id = id })) end
      net:run { until_ = net:now() + 0.1 }
      assert.equal(6, host:counters().fragments_evicted)
      peer:send(one(packet, 64, 120, { id = 6 }))
      assert.equal(0, received(net, conn))
      peer:send(one(packet, 64, 120, { id = 10 }))
      assert.equal(100, received(net, conn))
    end)

    it("keep to a bound of datagrams and of memory while a flood from many sources goes on", function()
      local net, conn, peer, host = established(family, { reassembly_datagrams = 32 })
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(1000) })
      local held = collectgarbage "count"
      for i = 1, 20000 do
        local source = family == 4 and string.pack(">I4", 0xc0000200 + (i & 0xffff))
          or string.pack(">I8I8", 0x20010db800000000, i)
        peer:send(one(packet, 0, 1000, { id = i, source = source }))
        if i % 1000 == 0 then net:run { until_ = net:now() + 0.1 } end
      end
      collectgarbage()
      assert.is_true(collectgarbage "count" - held < 16384)
      assert.is_true(host:counters().fragments_evicted >= 20000 - 32)
      for _, piece in ipairs(cut(packet, 504, { id = 0x7777 })) do peer:send(piece) end
      assert.equal(1000, received(net, conn)) -- an honest one is served all the same
    end)

    it("keep to a bound of fragments for one datagram", function()
      local net, conn, peer, host = established(family, { reassembly_fragments = 8 })
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(900) })
      for _, piece in ipairs(cut(packet, 96)) do peer:send(piece) end -- 10 of them
      assert.equal(0, received(net, conn))
      assert.equal(1, host:counters().fragments_evicted)
    end)

    it("of a stranger's source are not kept: a group, nobody, somebody else's destination", function()
      local net, conn, peer, host = established(family)
      local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
      local group = family == 4 and "\224\0\0\1" or "\xff\2" .. ("\0"):rep(13) .. "\1"
      peer:send(one(packet, 0, 64, { source = group }))
      net:run { until_ = net:now() + 0.1 }
      assert.equal(0, host:counters().fragments_received)
      assert.equal(1, host:counters().refused.LTCP_ERR_ADDRESS)
      assert.equal("ESTABLISHED", conn:state())
    end)
  end)
end

describe("IPv4 fragments", function()
  it("RFC791:3.2-3 of another protocol are another datagram", function()
    local net, conn, peer = established(4)
    local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
    local other = v4(packet, 0, 64)
    peer:send(fragments.summed(other:sub(1, 9) .. "\17" .. other:sub(11, 20)) .. other:sub(21))
    peer:send(v4(packet, 64, 120))
    assert.equal(0, received(net, conn))
    peer:send(v4(packet, 0, 64))
    assert.equal(100, received(net, conn))
  end)

  it("RFC3128:3 too small for a TCP header are no way around anything: only the whole is looked"
    .. " at", function()
    local net, conn, peer, host = established(4)
    local packet = fragments.segment(conn, { seq = 1001, payload = payload(40) })
    peer:send(v4(packet, 0, 16))
    peer:send(v4(packet, 16, 60))
    assert.equal(40, received(net, conn))
    -- the attack: a second beginning, of eight octets, with another port
    local again = fragments.segment(conn, { seq = 1041, payload = payload(40) })
    local forged = again:sub(1, 20) .. string.pack(">I2I2", 1024, 23) .. again:sub(25)
    peer:send(v4(again, 0, 16, { id = 9 }))
    peer:send(v4(forged, 0, 8, { id = 9 }))
    peer:send(v4(again, 16, 60, { id = 9 }))
    assert.equal(40, received(net, conn))
    assert.equal(1, host:counters().fragments_overlapping)
  end)

  it("RFC1122:3.3.2-3 wait a time that is a setting, 30 s in the linux profile", function()
    assert.equal(30, tcp.profile("linux").reassembly_timeout)
    local net, conn, peer, host = established(4, { reassembly_timeout = 5 })
    peer:send(v4(fragments.segment(conn, { seq = 1001, payload = payload(100) }), 64, 120))
    net:run { until_ = net:now() + 4.9 }
    assert.equal(0, host:counters().fragments_timed_out)
    net:run { until_ = net:now() + 0.2 }
    assert.equal(1, host:counters().fragments_timed_out)
  end)
end)

describe("IPv6 fragments", function()
  it("RFC8200:4.5-8 that are the whole packet are one, whatever else has that identification", function()
    local net, conn, peer, host = established(6)
    local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
    peer:send(v6(packet, 64, 120))
    peer:send(v6(packet, 0, 120))
    assert.equal(100, received(net, conn))
    assert.equal(0, host:counters().fragments_overlapping)
    assert.equal(0, host:counters().datagrams_reassembled)
  end)

  it("RFC8200:4.5-14 whose first one lacks a part of the headers are refused", function()
    local net, conn, peer, host = established(6)
    local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
    peer:send(v6(packet, 0, 16))
    local answer = peer:expect { timeout = 1 }
    assert.equal("parameter problem", answer.icmp.kind)
    assert.same({ 3, 0 }, { answer.icmp.code, answer.icmp.pointer })
    assert.equal(1, host:counters().fragments_malformed)
    assert.equal("ESTABLISHED", conn:state())
    net:close()
  end)

  it("RFC8200:4.5-6 take headers and next header from the first one", function()
    local net, conn, peer = established(6)
    local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
    local options = "\44\0\1\4\0\0\0\0" -- destination options before the Fragment header
    peer:send(v6(packet, 64, 120, { next = 17 }))
    peer:send(v6(packet, 0, 64, { before = options, first = 60 }))
    assert.equal(100, received(net, conn))
  end)

  it("RFC8200:4.5-12 of a datagram that was given up are not kept either (RFC 5722)", function()
    local net, conn, peer, host = established(6)
    local packet = fragments.segment(conn, { seq = 1001, payload = payload(100) })
    peer:send(v6(packet, 0, 64))
    peer:send(v6(packet, 56, 120))
    peer:send(v6(packet, 0, 64))
    peer:send(v6(packet, 64, 120))
    assert.equal(0, received(net, conn))
    assert.equal(0, host:counters().datagrams_reassembled)
  end)

  it("RFC8200:4.5-9 wait 60 s also where IPv4's wait less", function()
    local net, conn, peer, host = established(6, { reassembly_timeout = 5 })
    peer:send(v6(fragments.segment(conn, { seq = 1001, payload = payload(100) }), 64, 120))
    net:run { until_ = net:now() + 59.9 }
    assert.equal(0, host:counters().fragments_timed_out)
    net:run { until_ = net:now() + 0.2 }
    assert.equal(1, host:counters().fragments_timed_out)
  end)
end)
