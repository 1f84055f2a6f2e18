-- RFC 9293 sections 3.1 and 3.2: the header's fields, the checksum, the options.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

-- The Internet checksum over pseudo header and segment, worked out here from the octets alone: 0 when
-- the field is right.
local function sum_over(bytes)
  local version = bytes:byte(1) >> 4
  local header, addresses
  if version == 4 then
    header, addresses = (bytes:byte(1) & 15) * 4, bytes:sub(13, 20)
  else
    header, addresses = 40, bytes:sub(9, 40)
  end
  local segment = bytes:sub(header + 1)
  local text = addresses .. (">I4I4"):pack(#segment, 6) .. segment
  if #text % 2 == 1 then text = text .. "\0" end
  local sum = 0
  for i = 1, #text, 2 do sum = sum + (">I2"):unpack(text, i) end
  while sum >> 16 ~= 0 do sum = (sum & 0xffff) + (sum >> 16) end
  return ~sum & 0xffff
end

-- The option octets of a packet as they stand on the wire.
local function option_octets(packet)
  local start = packet.ip_header_length + 20
  return packet.bytes:sub(start + 1, packet.ip_header_length + packet.header_length)
end

-- Walks options as the RFC describes them: EOL ends, NOP is alone, all others say their length.
-- Gives the kinds, and what stands behind EOL; raises where the octets do not come out even.
local function walk(octets)
  local kinds, at = {}, 1
  while at <= #octets do
    local kind = octets:byte(at)
    kinds[#kinds + 1] = kind
    if kind == 0 then return kinds, octets:sub(at + 1) end
    if kind == 1 then
      at = at + 1
    else
      local length = assert(octets:byte(at + 1), "an option without a length octet")
      assert(length >= 2 and at + length - 1 <= #octets, "an option that ends behind the header")
      at = at + length
    end
  end
  return kinds, ""
end

-- A host in ESTABLISHED, having announced an MSS of 1000 with no other option; see support.wire.
local function established(options) return wire.passive(options) end

-- The host acknowledges what was sent in order: it is alive and took it.
local function assert_takes(peer, conn, seq, text)
  peer:send { flags = "PA", seq = seq, ack = 5001, payload = text }
  peer:expect { flags = "A", seq = 5001, ack = seq + #text }
  assert.equal(text, conn:read(100))
end

describe("window field", function()
  it("RFC9293:MUST-1 is unsigned: 40,000 octets are 40,000", function()
    local _, conn, peer = established { syn = { window = 40000 }, host = { initial_window = 100 } }
    assert.equal(40000, conn:info().snd_wnd)
    conn:write(("x"):rep(50000))
    local got = 0
    for _, packet in ipairs(wire.drain(peer, 0.1)) do got = got + packet.length end
    assert.equal(40000, got)
  end)

  it("RFC9293:MUST-1 takes 65,535 for the greatest window and not for -1", function()
    local _, conn, peer = established { syn = { window = 65535 }, host = { initial_window = 100 } }
    assert.equal(65535, conn:info().snd_wnd)
    conn:write(("x"):rep(70000))
    local got = 0
    for _, packet in ipairs(wire.drain(peer, 0.1)) do got = got + packet.length end
    assert.is_true(got >= 65000 and got <= 65535, got)
  end)

  it("RFC9293:MUST-1 advertises more than 32,767 octets", function()
    local _, _, peer = lab.forge { host = { window_scaling = false, receive_buffer = 60000 } }
    local net = peer.net
    net.host_under_test:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    peer:expect { flags = "SA", window = 60000 }
  end)

  it("RFC9293:REC-1 windows are computed in 32 bits: a window of 2^30 octets is one", function()
    local _, conn, peer = wire.passive {
      host = { receive_buffer = 1 << 30 },
      syn = { window = 65535, options = { mss = 1000, window_scale = 14 } },
    }
    assert.equal(65535 << 14, conn:info().snd_wnd)
    assert_takes(peer, conn, 1001, "x")
    assert.is_true(conn:info().rcv_wnd > 1 << 29, conn:info().rcv_wnd)
    -- A segment half a gigabyte ahead lies within this window, and is kept for later.
    peer:send { flags = "A", seq = 1002 + (1 << 29), ack = 5001, payload = "far" }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal(3, conn:info().out_of_order)
  end)
end)

describe("checksum", function()
  for _, family in ipairs { 4, 6 } do
    -- Opening, data, retransmission, keep-alive, FIN, resets of either form.
    it("RFC9293:MUST-2 stands right in all that is sent, IPv" .. family, function()
      local net, host, peer = lab.forge { host = { keepalive = true, keepalive_idle = 30 } }
      local listener = host:listen(80)
      local packets = {}
      local function collect(seconds)
        for _, packet in ipairs(wire.drain(peer, seconds)) do packets[#packets + 1] = packet end
      end
      local to = host:address(peer, family)
      peer:send { destination = to, destination_port = 80, flags = "S", seq = 1000 }
      collect(0.1) -- SYN,ACK
      local isn = packets[1].seq
      peer:send { flags = "PA", seq = 1001, ack = isn + 1, payload = "odd" }
      local conn = assert(listener:accept())
      collect(1) -- a delayed ACK
      conn:write "seven.." -- an odd number of octets
      collect(4) -- and its retransmissions
      peer:send { flags = "A", seq = 1004, ack = isn + 8 }
      collect(31) -- a keep-alive
      peer:send { flags = "A", seq = 1004, ack = isn + 8 }
      conn:read(10)
      conn:shutdown()
      collect(0.5) -- FIN
      peer:send { flags = "A", seq = 1004, ack = isn + 9 }
      conn:abort()
      collect(0.5) -- RST
      peer:send { flags = "S", seq = 1, destination_port = 81 }
      collect(0.5) -- RST,ACK of a closed port
      peer:send { flags = "A", seq = 1, ack = 77, destination_port = 81 }
      collect(0.5) -- RST of a closed port
      local seen = {}
      for _, packet in ipairs(packets) do
        seen[tostring(packet.flags)] = true
        assert.equal(0, sum_over(packet.bytes), ("%s at %g"):format(packet.flags, packet.time))
      end
      for _, flags in ipairs { "SA", "A", "PA", "FA", "R", "RA" } do
        assert.is_true(seen[flags], "nothing was sent with " .. flags)
      end
      assert.is_true(#packets >= 9)
      assert.is_true(net:now() < 100)
    end)

    it("RFC9293:MUST-3 is verified: a wrong one is dropped and never answered, IPv" .. family, function()
      local _, host, peer = lab.forge()
      local listener = host:listen(80)
      local syn = {
        destination = host:address(peer, family), destination_port = 80, flags = "S", seq = 1000,
        checksum = 0x1234,
      }
      peer:send(syn)
      peer:expect_nothing(10)
      syn.checksum = nil
      peer:send(syn)
      local answer = peer:expect { flags = "SA", ack = 1001 }
      peer:send { flags = "A", seq = 1001, ack = answer.seq + 1 }
      local conn = assert(listener:accept())
      peer:send { flags = "PA", seq = 1001, ack = answer.seq + 1, payload = "evil", checksum = 0 }
      peer:send { flags = "R", seq = 1001, ack = 0, checksum = 0x1234 }
      peer:expect_nothing(10)
      assert.equal("ESTABLISHED", conn:state())
      assert.equal(0, conn:info().unread)
      assert.equal(3, host:counters().refused.LTCP_ERR_CHECKSUM)
      peer:send { flags = "PA", seq = 1001, ack = answer.seq + 1, payload = "good" }
      peer:expect { flags = "A", ack = 1005 }
      assert.equal("good", conn:read(10))
    end)
  end

  it("RFC9293:MUST-3 is verified over every bit of header, options and text", function()
    local _, conn, peer, _ = established()
    local whole = tcp.encode {
      source = peer:address(), destination = conn.host:address(), source_port = 1024, destination_port = 80,
      flags = "PA", seq = 1001, ack = 5001, payload = "payload", options = { "nop", "nop", "nop", "end" },
    }
    for bit = 20 * 8, #whole * 8 - 1 do
      local at = bit // 8 + 1
      local octet = string.char(whole:byte(at) ~ (1 << bit % 8))
      peer:send(whole:sub(1, at - 1) .. octet .. whole:sub(at + 1))
    end
    peer:expect_nothing(5)
    assert.equal(0, conn:info().unread)
    peer:send(whole)
    peer:expect { flags = "A", ack = 1008 }
  end)
end)

describe("options", function()
  it("RFC9293:MUST-4 End, No-Operation and MSS are understood", function()
    for _, case in ipairs {
      { "\2\4\2\188", 700 }, -- MSS alone
      { "\1\1\2\4\2\188\1\1", 700 }, -- among No-Operations
      { "\1\2\4\2\188\0\0\0", 700 }, -- End behind it
      { "\0\2\4\2\188\0\0\0", 536 }, -- behind End nothing counts
      { "\1\1\1\0", 536 },
    } do
      local _, conn = wire.passive { syn = { options = case[1] } }
      assert.equal(case[2], conn:info().snd_mss)
    end
  end)

  it("RFC9293:MUST-4 MSS is sent in SYN and SYN,ACK", function()
    local _, host, peer = lab.forge()
    host:connect_start(peer, 80)
    peer:expect { flags = "S", options = { mss = 1460 } }
    host:listen(80)
    peer:send { flags = "S", seq = 1, source_port = 5, destination_port = 80 }
    peer:expect { flags = "SA", options = { mss = 1460 } }
  end)

  it("RFC9293:MUST-5 are accepted on every kind of segment", function()
    local stamps = { name = "timestamps", value = 1, echo = 2 }
    local some = { "nop", { kind = 254, data = "\0\0xyz" }, "nop", stamps }
    local _, conn, peer = wire.passive { syn = { options = some }, ack_options = some }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello", options = some }
    peer:expect { flags = "A", ack = 1006 }
    assert.equal("hello", conn:read(10))
    conn:write "answer"
    peer:expect { length = 6 }
    peer:send { flags = "A", seq = 1006, ack = 5007, options = some }
    peer:send { flags = "FA", seq = 1006, ack = 5007, options = some }
    peer:expect { flags = "A", ack = 1007 }
    assert.equal("CLOSE-WAIT", conn:state())
    assert.equal(5007, conn:info().snd_una)
    peer:send { flags = "R", seq = 1007, options = some }
    conn:wait_state "CLOSED"
    assert.equal("ECONNRESET", select(2, conn:error()))
  end)

  it("RFC9293:MUST-6 unknown ones are passed over by their length octet", function()
    local _, conn, peer = wire.passive {
      syn = {
        options = {
          { kind = 200, data = "\2\4\1\1" }, { name = "mss", value = 700 }, { kind = 77, data = "" },
        },
      },
    }
    assert.equal(700, conn:info().snd_mss)
    assert.equal("ESTABLISHED", conn:state())
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = "\200\3\0\1" }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal("x", conn:read(1))
    assert.same({}, conn.host:counters().refused)
  end)

  -- What follows from the assumption that all future options have a length.
  it("RFC9293:MUST-68 any kind but End and No-Operation is taken to have a length octet", function()
    local known = { [0] = true, true, true, true, true, true }
    for _, kind in ipairs { 8, 19, 28, 29, 30, 34, 172, 174, 253, 254 } do known[kind] = true end
    for kind = 6, 255 do
      if not known[kind] then
        local size = 2 + kind % 9
        local octets = string.char(kind, size) .. ("\1"):rep(size - 2) .. "\2\4\2\188"
        octets = octets .. ("\0"):rep(-#octets % 4)
        local _, conn = wire.passive { syn = { options = octets } }
        assert.equal(700, conn:info().snd_mss, "kind " .. kind)
      end
    end
  end)

  it("RFC9293:MUST-68 every option that is sent has one", function()
    local _, host, peer = lab.forge()
    local listener = host:listen(80)
    peer:send {
      flags = "S", seq = 1000, destination_port = 80,
      options = { mss = 1000, window_scale = 3, sack_permitted = true, timestamps = { value = 9, echo = 0 } },
    }
    local answer = peer:expect { flags = "SA" }
    local stamps = { timestamps = { value = 10, echo = answer.options.timestamps.value } }
    peer:send { flags = "A", seq = 1001, ack = answer.seq + 1, options = stamps }
    local conn = listener:accept()
    peer:send { flags = "A", seq = 1101, ack = answer.seq + 1, payload = "gap", options = stamps }
    conn:write(("x"):rep(2000))
    local packets, kinds_seen = { answer }, {}
    for _, packet in ipairs(wire.drain(peer, 0.5)) do packets[#packets + 1] = packet end
    for _, packet in ipairs(packets) do
      for _, kind in ipairs(walk(option_octets(packet))) do kinds_seen[kind] = true end
    end
    for _, kind in ipairs { 2, 3, 4, 5, 8 } do assert.is_true(kinds_seen[kind], "no option " .. kind) end
  end)

  it("RFC9293:MUST-7 a length of 0, of 1, or behind the header's end does no harm and is noted", function()
    local bad = {
      "\200\0\1\1", "\200\1\1\1", "\1\1\1\200", "\200\9\1\1", "\2\0\1\1", "\2\1\2\4", "\2\4\2\188\8\10\1\1",
      "\1\1\8\11", "\5\0\1\1", "\3\40\1\1",
    }
    for _, octets in ipairs(bad) do
      local _, host, peer = lab.forge()
      local listener = host:listen(80)
      peer:send { flags = "S", seq = 1000, destination_port = 80, options = octets }
      local first = peer:receive { timeout = 0.1 }
      assert.is_true(first == nil or first.flags.syn or first.flags.rst)
      assert.equal(1, host:counters().refused.LTCP_ERR_OPTION_LENGTH or 0, ("%q"):format(octets))
      -- The host is as before: the next SYN opens.
      peer:send { flags = "S", seq = 1000, destination_port = 80, options = { mss = 1000 } }
      local answer = peer:expect { flags = "SA", ack = 1001 }
      peer:send { flags = "A", seq = 1001, ack = answer.seq + 1 }
      local conn = assert(listener:accept())
      peer:send { flags = "PA", seq = 1001, ack = answer.seq + 1, payload = "no", options = octets }
      peer:send { flags = "PA", seq = 1001, ack = answer.seq + 1, payload = "yes" }
      peer:expect { flags = "A", ack = 1004 }
      assert.equal("yes", conn:read(10))
    end
  end)

  it("RFC9293:MUST-64 are read at any alignment", function()
    for shift = 0, 12 do
      local octets = ("\1"):rep(shift) .. "\2\4\2\188" .. ("\0"):rep(-shift % 4)
      local _, conn = wire.passive { syn = { options = octets } }
      assert.equal(700, conn:info().snd_mss, "shifted by " .. shift)
    end
  end)

  it("RFC9293:MUST-64 four-octet values are read at any alignment", function()
    for shift = 0, 3 do
      local _, host, peer = lab.forge()
      host:listen(80)
      peer:send {
        flags = "S", seq = 1000, destination_port = 80,
        options = ("\1"):rep(shift) .. "\8\10\x12\x34\x56\x78\0\0\0\0" .. ("\1"):rep((2 - shift) % 4),
      }
      peer:expect { flags = "SA", options = { timestamps = { echo = 0x12345678 } } }
    end
  end)

  it("RFC9293:MUST-65 MSS is sent in SYNs alone", function()
    local net, client, server = lab.connected()
    client:write(("x"):rep(20000))
    server:write(("y"):rep(20000))
    net:run { until_ = 1 }
    assert.equal(20000, #wire.read_now(server))
    server:shutdown()
    client:shutdown()
    net:run { until_ = 2 }
    local with = 0
    for _, record in ipairs(net.trace:packets { kind = "sent" }) do
      local segment = record.segment
      assert.equal(segment.flags.syn, segment.options.mss ~= nil)
      if segment.options.mss then with = with + 1 end
    end
    assert.equal(2, with)
  end)

  it("RFC9293:MUST-65 MSS in a segment without SYN changes nothing", function()
    local _, conn, peer = established { ack_options = { mss = 100 } }
    assert.equal(1000, conn:info().snd_mss)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = { mss = 100 } }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal(1000, conn:info().snd_mss)
  end)

  it("RFC9293:MUST-69 behind End there are zeros up to the data offset", function()
    for _, names in ipairs {
      { "mss" }, { "mss", "window_scale" }, { "window_scale" }, { "sack_permitted" },
      { "sack_permitted", "window_scale" }, { "timestamps" },
      { "timestamps", "sack_permitted", "window_scale" },
    } do
      local _, host, peer = lab.forge { host = { syn_options = names } }
      host:connect_start(peer, 80)
      local syn = peer:expect { flags = "S" }
      local octets = option_octets(syn)
      assert.equal(0, #octets % 4)
      local kinds, behind = walk(octets)
      assert.equal(("\0"):rep(#behind), behind, table.concat(names, " "))
      local real = 0
      for _, kind in ipairs(kinds) do
        if kind > 1 then real = real + 1 end
      end
      assert.equal(#names, real)
    end
  end)
end)
