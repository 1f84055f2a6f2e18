-- RFC 9293 section 3.7: segment sizes, and Nagle's algorithm.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

-- Opens from the script to a listening host; gives connection, peer, the SYN,ACK.
local function opened(options)
  local _, host, peer = lab.forge { host = options.host, link = options.link }
  local listener = host:listen(80)
  peer:send {
    destination = host:address(peer, options.family), destination_port = 80, flags = "S", seq = 1000,
    options = options.options, window = 65535,
  }
  local answer = peer:expect { flags = "SA" }
  peer:send { flags = "A", seq = 1001, ack = answer.seq + 1, window = 65535, options = options.ack_options }
  return assert(listener:accept()), peer, answer
end

-- The lengths of the data segments that leave when much is written.
local function lengths(conn, peer, octets)
  conn:write(("x"):rep(octets or 100000))
  local list = {}
  for _, packet in ipairs(wire.drain(peer, 0.1)) do
    if packet.length > 0 then list[#list + 1] = packet.length end
  end
  return list, conn
end

-- Several SENDs, each of which leaves, if it may, before the next is called.
local function send_each(conn, ...)
  for _, text in ipairs { ... } do
    conn:write(text)
    conn.net:settle()
  end
end

describe("MSS option", function()
  it("RFC9293:MUST-14 is sent by both sides", function()
    for _, family in ipairs { 4, 6 } do
      local mss = family == 4 and 1460 or 1440
      local _, host, peer = lab.forge()
      host:connect_start(peer, 80, { family = family })
      peer:expect { flags = "S", options = { mss = mss } }
      local _, _, answer = opened { family = family }
      assert.equal(mss, answer.options.mss)
    end
  end)

  it("RFC9293:MUST-14 is obeyed on receipt, in SYN and SYN,ACK", function()
    local conn, peer = opened { options = { mss = 300 } }
    assert.equal(300, lengths(conn, peer)[1])
    local _, active, other = wire.active { syn = { options = { mss = 300 } } }
    assert.equal(300, lengths(active, other)[1])
  end)

  it("RFC9293:MUST-15 where none came, segments of 536 octets are sent over IPv4, 1220 over IPv6", function()
    for family, mss in pairs { [4] = 536, [6] = 1220 } do
      local conn, peer = opened { family = family, options = {} }
      assert.equal(mss, conn:info().snd_mss)
      assert.equal(mss, lengths(conn, peer)[1])
    end
  end)

  it("RFC9293:MUST-15 so too for the active side", function()
    local _, conn, peer = wire.active { syn = { options = {} } }
    assert.equal(536, lengths(conn, peer)[1])
  end)

  it("RFC9293:MUST-16 the smaller counts: what the peer takes, or what IP lets through", function()
    for _, case in ipairs {
      -- MTU, the peer's MSS, what is sent; IPv4 has 40 octets of headers, IPv6 60
      { 1500, 1000, 1000, 4 }, { 1500, 9000, 1460, 4 }, { 1500, 9000, 1440, 6 },
      { 9000, 1460, 1460, 4 }, { 600, 1460, 560, 4 }, { 1280, 1460, 1220, 6 },
    } do
      local conn, peer = opened { link = { mtu = case[1] }, options = { mss = case[2] }, family = case[4] }
      assert.equal(case[3], lengths(conn, peer)[1])
      assert.equal(case[3], conn:info().snd_mss)
    end
  end)

  it("RFC9293:MUST-16 less the octets of options", function()
    for mtu, sent in pairs { [1500] = 1448, [9000] = 1448, [600] = 548 } do
      local conn, peer = opened {
        link = { mtu = mtu }, options = { mss = 1460, timestamps = { value = 1, echo = 0 } },
        ack_options = { timestamps = { value = 2, echo = 0 } },
      }
      assert.equal(sent, lengths(conn, peer)[1])
    end
  end)

  it("RFC9293:MUST-16 less the octets of options that only some segments carry: SACK", function()
    local conn, peer, answer = opened { options = { mss = 1460, sack_permitted = true } }
    peer:send { flags = "A", seq = 1101, ack = answer.seq + 1, payload = "ahead" }
    local first = peer:expect { flags = "A", ack = 1001 }
    assert.is_truthy(first.options.sack)
    conn:write(("x"):rep(10000))
    local seen = 0
    for _, packet in ipairs(wire.drain(peer, 0.1)) do
      if packet.length > 0 then
        seen = seen + 1
        assert.is_true(packet.total_length <= 1500, packet.total_length)
        assert.is_true(packet.length + packet.header_length - 20 <= 1460)
      end
    end
    assert.is_true(seen > 0)
  end)

  it("RFC9293:MUST-16 follows the path: what a router cannot pass on is sent smaller", function()
    local net = tcp.network { seed = 1 }
    local a, first, second, b = net:host "a", net:router(), net:router(), net:host "b"
    net:link(a, first)
    net:link(first, second, { mtu = 900 })
    net:link(second, b)
    local listener = b:listen(80)
    local conn = assert(a:connect(b, 80, { timestamps = false }))
    local server = assert(listener:accept())
    assert.equal(1460, conn:info().snd_mss)
    conn:write(("x"):rep(30000))
    assert.equal(30000, #server:read_exactly(30000))
    assert.equal(860, conn:info().snd_mss)
    assert.is_true(net:now() < 5, net:now())
  end)

  it("RFC9293:MUST-67 at most MMS_R - 20 is advertised: the MTU without the fixed headers", function()
    for _, mtu in ipairs { 576, 1280, 1500, 4000, 9000, 65535 } do
      for _, family in ipairs { 4, 6 } do
        local headers = family == 4 and 40 or 60
        local _, _, answer = opened { link = { mtu = mtu }, family = family, options = { mss = 1000 } }
        if mtu >= 1280 or family == 4 then assert.equal(mtu - headers, answer.options.mss) end
      end
    end
  end)

  it("RFC9293:MUST-67 also where more is asked for, and TCP options do not lessen it", function()
    for _, wanted in ipairs { 0, 1460, 1461, 9000, 65495 } do
      local _, host, peer = lab.forge { host = { mss = wanted, timestamps = true } }
      host:connect_start(peer, 80)
      peer:expect { flags = "S", options = { mss = 1460 } }
    end
    local _, host, peer = lab.forge { host = { mss = 1000 } }
    host:connect_start(peer, 80)
    peer:expect { flags = "S", options = { mss = 1000 } }
  end)

  it("RFC9293:SHLD-5 stands in each SYN where it differs from the default", function()
    for _, mtu in ipairs { 500, 577, 1500 } do
      local _, host, peer = lab.forge { link = { mtu = mtu } }
      host:connect_start(peer, 80)
      peer:expect { flags = "S", options = { mss = mtu - 40 } }
      local again = peer:expect { flags = "S" } -- sent again after a second
      assert.equal(mtu - 40, again.options.mss)
    end
  end)

  it("RFC9293:MAY-3 stands there also where it does not: 536, 1220", function()
    for family, mtu in pairs { [4] = 576, [6] = 1280 } do
      local _, host, peer = lab.forge { link = { mtu = mtu } }
      host:connect_start(peer, 80, { family = family })
      peer:expect { flags = "S", options = { mss = family == 4 and 536 or 1220 } }
    end
  end)

  it("RFC9293:SHLD-6 comes of the smallest MTU that the interface has had", function()
    local net, host, peer = lab.forge { link = { mtu = 1500 } }
    local function advertised(port)
      host:connect_start(peer, port)
      return peer:expect({ flags = "S", destination_port = port }).options.mss
    end
    assert.equal(1460, advertised(80))
    net.wire:configure { mtu = 1400 }
    assert.equal(1360, advertised(81))
    net.wire:configure { mtu = 1500 } -- it varies: the larger one cannot be relied on
    assert.equal(1360, advertised(82))
  end)
end)

describe("Nagle's algorithm", function()
  it("RFC9293:SHLD-7 holds small data back while any is unacknowledged", function()
    local net, conn, peer = wire.passive()
    send_each(conn, "a", "b", "c")
    peer:expect { seq = 5001, payload = "a" }
    peer:expect_nothing(0.5)
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    peer:expect { seq = 5002, payload = "bc" }
    assert.is_true(net:now() < 1)
  end)

  it("RFC9293:SHLD-7 sends full-sized segments all the same", function()
    local _, conn, peer = wire.passive()
    conn:write "a"
    peer:expect { payload = "a" }
    conn:write(("x"):rep(1500))
    peer:expect { seq = 5002, length = 1000 }
    peer:expect_nothing(0.3)
    peer:send { flags = "A", seq = 1001, ack = 6002 }
    peer:expect { seq = 6002, length = 500 }
  end)

  it("RFC9293:SHLD-7 regards no PUSH", function()
    local _, conn, peer = wire.passive()
    send_each(conn, "a", "b")
    assert.is_true(peer:expect({ payload = "a" }).flags.psh)
    peer:expect_nothing(0.5)
  end)

  it("RFC9293:MUST-17 can be switched off when a connection opens", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = host:connect_start(peer, 80, { nagle = false })
    peer:expect { flags = "S" }
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
    peer:expect { flags = "A" }
    for _, text in ipairs { "a", "b", "c" } do
      conn:write(text)
      peer:expect { payload = text, timeout = 0.02 }
    end
  end)

  it("RFC9293:MUST-17 and on one connection alone, at any time, and on again", function()
    local net, one, peer = wire.passive()
    local other = assert(net.host_under_test:connect_start(peer, 99))
    peer:expect { flags = "S", destination_port = 99 }
    one:set { nagle = false }
    assert.is_false(one:settings().nagle)
    assert.is_true(other:settings().nagle)
    assert.is_true(net.host_under_test:settings().nagle)
    for _, text in ipairs { "a", "b" } do
      one:write(text)
      peer:expect { source_port = 80, payload = text, timeout = 0.02 }
    end
    one:set { nagle = true }
    one:write "c"
    peer:expect_nothing(0.3)
  end)

  it("RFC9293:MUST-17 what it held back leaves when it is switched off", function()
    local _, conn, peer = wire.passive()
    send_each(conn, "a", "b")
    peer:expect { payload = "a" }
    peer:expect_nothing(0.1)
    conn:set { nagle = false }
    peer:expect { payload = "b", timeout = 0.02 }
  end)
end)
