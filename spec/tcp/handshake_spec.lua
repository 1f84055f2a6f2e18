-- RFC 9293 section 3.5: establishing a connection, what is offered and agreed, and what gets lost.
local lab = require "support.lab"
local wire = require "support.wire"

describe("three-way handshake", function()
  it("RFC9293:3.5 carries (X,0), (Y,X+1), (X+1,Y+1)", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    local client, server = lab.handshake(net)
    net:run { until_ = 1 }
    assert.same({
      "client > server S 1000",
      "server > client SA 5000 ack 1001",
      "client > server A 1001 ack 5001",
    }, wire.lines(net, "flags seq ack"))
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
  end)

  it("RFC9293:3.3.2 passes through SYN-SENT and SYN-RECEIVED", function()
    local net = lab.pair()
    local client, server = lab.handshake(net)
    assert.same({ "SYN-SENT", "ESTABLISHED" }, net.trace:states(client))
    assert.same({ "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(server))
  end)

  it("RFC9293:3.3.1 sets ISS, IRS, SND.UNA, SND.NXT and RCV.NXT at both ends", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    local client, server = lab.handshake(net)
    local c, s = client:info(), server:info()
    assert.same({ 1000, 1001, 1001, 5000, 5001 }, { c.iss, c.snd_una, c.snd_nxt, c.irs, c.rcv_nxt })
    assert.same({ 5000, 5001, 5001, 1000, 1001 }, { s.iss, s.snd_una, s.snd_nxt, s.irs, s.rcv_nxt })
  end)

  it("RFC9293:MUST-11 remembers which end opened passively", function()
    local _, client, server = lab.connected()
    assert.is_false(client:info().passive)
    assert.is_true(server:info().passive)
  end)

  it("wraps the sequence number that a SYN takes", function()
    local net = lab.pair { client = { isn = 0xffffffff }, server = { isn = 0xffffffff } }
    lab.handshake(net)
    assert.same({
      "client > server S 4294967295",
      "server > client SA 4294967295 ack 0",
      "client > server A 0 ack 0",
    }, wire.lines(net, "flags seq ack"))
  end)

  it("RFC9293:MUST-8 chooses ISNs that differ from connection to connection", function()
    local net = lab.pair()
    local seen = {}
    for _ = 1, 50 do
      local client = lab.handshake(net)
      local iss = client:info().iss
      assert.is_nil(seen[iss])
      seen[iss] = true
    end
  end)

  it("RFC6528:3-1 lets the ISNs of one pair of sockets grow with the clock, by one in 4 us", function()
    local net = lab.pair { client = { time_wait = 0 }, server = { time_wait = 0 } }
    local isns = {}
    for i = 1, 2 do
      local client = assert(net.client:connect(net.server, 80, { local_port = 3000 }))
      local server = net.listener:accept()
      isns[i] = client:info().iss
      client:abort()
      server:abort()
      net:run { until_ = i * 10 }
    end
    -- The second SYN was sent 10 s after the first.
    assert.equal(2500000, (isns[2] - isns[1]) & 0xffffffff)
  end)
end)

describe("the ISN of RFC 6528", function()
  -- The ISNs of two pairs of sockets at the same moment.
  local function two(seed, first)
    local net = lab.pair { seed = seed }
    local isns = {}
    for i, port in ipairs { first, 4000 } do
      isns[i] = net.client:connect_start(net.server, 80, { local_port = port }):info().iss
    end
    net:close()
    return isns
  end

  it("RFC6528:3-2 of one pair of sockets says nothing of another's, nor of another host's", function()
    local differences = {}
    for seed = 1, 10 do
      for _, port in ipairs { 3000, 3001 } do
        local isns = two(seed, port)
        local difference = isns[1] - isns[2] & 0xffffffff
        assert.is_nil(differences[difference])
        differences[difference] = true
      end
    end
  end)

  it("RFC6528:3-3 is keyed by 128 bits: SipHash-2-4, with the vectors that its authors published", function()
    local core = require "lunatcp.core"
    local bytes = {}
    for i = 0, 63 do bytes[i + 1] = string.char(i) end
    local text = table.concat(bytes)
    local k0 <const>, k1 <const> = 0x0706050403020100, 0x0f0e0d0c0b0a0908
    for length, hash in pairs {
      [0] = 0x726fdb47dd0e0e31, [1] = 0x74f839c593dc67fd, [7] = 0xab0200f58b01d137,
      [8] = 0x93f5f5799a932462, [15] = 0xa129ca6149be45e5, [63] = 0x958a324ceb064572,
    } do
      assert.equal(hash, core.siphash(k0, k1, text:sub(1, length)), length)
    end
    assert.not_equal(core.siphash(k0, k1, text), core.siphash(k0 ~ 1, k1, text))
    assert.not_equal(core.siphash(k0, k1, text), core.siphash(k0, k1 ~ (1 << 63), text))
  end)
end)

describe("options of the handshake", function()
  it("RFC9293:MUST-14 sends the MSS that the link allows, less both headers", function()
    for mtu, mss in pairs { [1500] = 1460, [576] = 536, [9000] = 8960 } do
      local _, host, peer = lab.forge { link = { mtu = mtu } }
      host:connect_start(peer, 80)
      peer:expect { flags = "S", options = { mss = mss } }
    end
  end)

  it("RFC9293:MUST-14 sends it in the SYN-ACK too", function()
    local _, host, peer = lab.forge()
    host:listen(80)
    peer:send { flags = "S", seq = 1, destination_port = 80 }
    peer:expect { flags = "SA", options = { mss = 1460 } }
  end)

  it("RFC7323:2.2 offers window scale, RFC2018:2 SACK-permitted and RFC7323:3.2 timestamps", function()
    local _, host, peer = lab.forge()
    host:connect_start(peer, 80)
    local syn = peer:expect { flags = "S", options = { sack_permitted = true } }
    assert.is_true(syn.options.window_scale <= 14)
    assert.equal(0, syn.options.timestamps.echo)
  end)

  it("offers none of the three when they are switched off", function()
    local _, host, peer = lab.forge { host = { window_scaling = false, sack = false, timestamps = false } }
    host:connect_start(peer, 80)
    peer:expect {
      flags = "S", options = { window_scale = false, sack_permitted = false, timestamps = false, mss = 1460 },
    }
  end)

  it("RFC7323:2.2 answers only what was offered", function()
    local names <const> = { "window_scale", "sack_permitted", "timestamps" }
    local values <const> = { window_scale = 2, sack_permitted = true, timestamps = { value = 7, echo = 0 } }
    for mask = 0, 7 do
      local _, host, peer = lab.forge()
      host:listen(80)
      local offered = { mss = 1460 }
      for bit, name in ipairs(names) do
        if mask >> (bit - 1) & 1 == 1 then offered[name] = values[name] end
      end
      peer:send { flags = "S", seq = 1, destination_port = 80, options = offered }
      local answer = peer:expect { flags = "SA" }
      for _, name in ipairs(names) do
        assert.equal(offered[name] ~= nil, answer.options[name] ~= nil, ("%s of %d"):format(name, mask))
      end
      if offered.timestamps then assert.equal(7, answer.options.timestamps.echo) end
    end
  end)

  it("agree at both ends, whatever one of them has switched off", function()
    for _, name in ipairs { "window_scaling", "sack", "timestamps" } do
      for _, side in ipairs { "client", "server" } do
        local _, client, server = lab.connected { [side] = { [name] = false } }
        for _, other in ipairs { "window_scaling", "sack", "timestamps" } do
          local expected = other ~= name
          assert.equal(expected, client:info()[other], name .. " off at the " .. side .. ": " .. other)
          assert.equal(expected, server:info()[other])
        end
      end
    end
  end)

  it("RFC7323:2.2 never scales the window of a SYN", function()
    local _, host, peer = lab.forge { host = { receive_buffer = 1048576 } }
    host:listen(80)
    peer:send { flags = "S", seq = 1, destination_port = 80, options = { window_scale = 14 } }
    peer:expect { flags = "SA", window = 65535, options = { window_scale = 5 } }
  end)

  it("RFC7323:2.3 takes a shift above 14 for 14", function()
    local _, conn = wire.passive { syn = { options = { mss = 1000, window_scale = 20 }, window = 100 } }
    assert.equal(14, conn:info().snd_wscale)
    assert.equal(100 << 14, conn:info().snd_wnd)
  end)

  it("RFC9293:MUST-6 passes over options that it does not know", function()
    local _, conn = wire.passive {
      syn = {
        options = { { kind = 200, data = "abc" }, { kind = 2, value = 700 }, { kind = 77, data = "" } },
      },
    }
    assert.equal("ESTABLISHED", conn:state())
    assert.equal(700, conn:info().snd_mss)
  end)
end)

describe("a lost segment of the handshake", function()
  it("RFC6298:2.1 a SYN is sent again after 1 s, then with doubled timeouts", function()
    local net = lab.pair()
    net.wire:drop { syn = true, from = net.client }
    net.client:connect_start(net.server, 80)
    net:run { until_ = 100 }
    assert.same({ 0, 1, 3, 7, 15, 31, 63 }, wire.times(net, "flags", " S$"))
  end)

  it("the SYN: the second one opens", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    net.wire:drop { syn = true, from = net.client, nth = 1 }
    local client, server = lab.handshake(net)
    net:run { until_ = 5 }
    assert.same({
      "client > server 0.000000 S 1000 dropped: rule",
      "client > server 1.000000 S 1000 retransmission",
      "server > client 1.010000 SA 5000 ack 1001",
      "client > server 1.020000 A 1001 ack 5001",
    }, wire.lines(net, "time flags seq ack fate"))
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
  end)

  it("the SYN-ACK: both ends repeat themselves, and no number changes", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    net.wire:drop { flags = "SA", nth = 1 }
    local client, server = lab.handshake(net)
    net:run { until_ = 5 }
    for _, line in ipairs(wire.lines(net, "flags seq ack", { only = "S" })) do
      assert.is_true(line == "client > server S 1000" or line == "server > client SA 5000 ack 1001", line)
    end
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
    assert.equal(1001, client:info().snd_una)
  end)

  it("the SYN-ACK to a silent client is sent again after 1 s, then with doubled timeouts", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    net:run { until_ = 40 }
    assert.same({ 0, 1, 3, 7, 15, 31 }, wire.times(net, "flags", " SA$"))
  end)

  it("the ACK: the SYN-ACK returns and is acknowledged again", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    net.wire:drop { flags = "A", without = "S", from = net.client, nth = 1 }
    local client, server = lab.handshake(net)
    net:run { until_ = 5 }
    assert.same({
      "client > server 0.000000 S 1000",
      "server > client 0.010000 SA 5000 ack 1001",
      "client > server 0.020000 A 1001 ack 5001 dropped: rule",
      "server > client 1.010000 SA 5000 ack 1001 retransmission",
      "client > server 1.020000 A 1001 ack 5001",
    }, wire.lines(net, "time flags seq ack fate"))
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
  end)

  it("the ACK: data that follows opens as well", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    net.wire:drop { flags = "A", from = net.client, nth = 1 }
    local client = assert(net.client:connect(net.server, 80))
    client:write "hello"
    local server = assert(net.listener:accept())
    assert.equal("hello", server:read(100))
    assert.is_true(net:now() < 0.1)
  end)

  it("RFC9293:MUST-23 a SYN is tried for at least 3 minutes, then the open fails with ETIMEDOUT", function()
    local net = lab.pair()
    net.wire:down()
    local conn, _, code = net.client:connect(net.server, 80)
    assert.is_nil(conn)
    assert.equal("ETIMEDOUT", code)
    assert.is_true(net:now() >= 180, net:now())
    assert.is_true(net:now() < 300, net:now())
  end)

  it("RFC9293:MUST-22 R2 of a SYN-ACK ends a half-open connection quietly", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    net:run { until_ = 400 }
    assert.equal(0, host:counters().connections)
  end)

  it("RFC6298:5.7 an RTO of 3 s holds for data after a retransmitted SYN", function()
    local net = lab.pair()
    net.wire:drop { syn = true, from = net.client, nth = 1 }
    local client = lab.handshake(net, { timestamps = false })
    assert.equal(3, client:info().rto)
  end)
end)
