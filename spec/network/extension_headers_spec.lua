-- IPv6 extension headers that reach a host: RFC 8200 sections 4 to 4.7, RFC 4443.
local lab = require "support.lab"
local tcp = require "lunatcp"

local function established(settings)
  local host_settings = { isn = 5000 }
  for key, value in pairs(settings or {}) do host_settings[key] = value end
  local net, host, peer = lab.forge { host = host_settings }
  local listener = assert(host:listen(80))
  local from, to = peer:address(host, 6), host:address(peer, 6)
  local syn = { source = from, destination = to, flags = "S", seq = 1000, destination_port = 80 }
  syn.options = { mss = 1000 }
  peer:send(syn)
  peer:expect { flags = "SA", ack = 1001 }
  peer:send { flags = "A", seq = 1001, ack = 5001, window = 65535 }
  local conn = assert(listener:accept())
  return net, conn, peer, host
end

local function segment(conn, fields)
  local info = conn:info()
  local packet = {
    source = info.remote_address, destination = info.local_address, source_port = info.remote_port,
    destination_port = 80, seq = info.rcv_nxt, ack = info.snd_nxt, flags = "PA", payload = "data",
  }
  for key, value in pairs(fields or {}) do packet[key] = value end
  return tcp.encode(packet)
end

-- The same packet with a chain of extension headers, the first of them of kind `first`.
local function extended(packet, first, chain, destination)
  return packet:sub(1, 4) .. string.pack(">I2B", #packet - 40 + #chain, first) .. packet:sub(8, 24)
    .. (destination or packet:sub(25, 40)) .. chain .. packet:sub(41)
end

local TCP <const>, AUTHENTICATION <const>, ROUTING <const> = "\6", "\51", "\43"
local PAD <const> = "\0\1\4\0\0\0\0" -- length 0, PadN with four octets
local OPTIONS <const>, HOP_BY_HOP <const> = 60, 0

local function taken(chain, first, packet_of)
  local net, conn, peer, host = established()
  peer:send(extended((packet_of or segment)(conn), first, chain))
  net:run { until_ = net:now() + 0.1 }
  return conn:info().rcv_nxt == 1005, peer, host, conn
end

-- What comes back is a parameter problem about that packet.
local function refused(chain, first, code, pointer)
  local data, peer, host = taken(chain, first)
  assert.is_false(data)
  local answer
  repeat
    answer = peer:receive { timeout = 0.1 }
  until not answer or answer.icmp
  if not code then
    assert.is_nil(answer)
    return host
  end
  assert.equal("parameter problem", answer.icmp.kind)
  assert.same({ code, pointer }, { answer.icmp.code, answer.icmp.pointer })
  assert.equal(58, answer.bytes:byte(7))
  return host
end

describe("IPv6 extension headers", function()
  it("RFC8200:4.1-1 are passed over in any order and number", function()
    local option, route = TCP .. PAD, TCP .. "\0\4\0\0\0\0\0"
    local chains = {
      { HOP_BY_HOP, TCP .. PAD }, { OPTIONS, option }, { 43, route },
      { 51, TCP .. "\4" .. ("\0"):rep(22) }, -- RFC 4302: its length counts words less two
      { 51, "\60\1" .. ("\0"):rep(10) .. TCP .. PAD },
      { HOP_BY_HOP, "\60" .. PAD .. ROUTING .. PAD .. "\44\0\2\0\0\0\0\0" .. AUTHENTICATION .. ("\0"):rep(7)
        .. "\60\2" .. ("\0"):rep(14) .. TCP .. PAD },
      { OPTIONS, ("\60" .. PAD):rep(7) .. TCP .. PAD },
      { OPTIONS, TCP .. "\0\0\0\0\0\0\0" }, -- Pad1 six times
    }
    for i, chain in ipairs(chains) do
      assert.is_true((taken(chain[2], chain[1])), "chain " .. i)
    end
  end)

  it("RFC8200:4.1-1 are passed over where there are more of them than a header's room", function()
    local long = ("\60" .. PAD):rep(50) .. TCP .. PAD
    assert.is_true((taken(long, OPTIONS)))
    local one = TCP .. string.char(99, 1, 255) .. ("\0"):rep(255) .. "\1\255" .. ("\0"):rep(255) .. "\1\255"
      .. ("\0"):rep(255) .. "\1\18" .. ("\0"):rep(18)
    one = one .. ("\0"):rep(800 - #one)
    assert.is_true((taken(one, OPTIONS)))
  end)

  it("RFC8200:4.2-3 skip an option that is not known where its upper bits are 00", function()
    assert.is_true((taken(TCP .. "\0\30\4abcd", OPTIONS)))
    assert.is_true((taken(TCP .. "\0\30\4abcd", HOP_BY_HOP)))
  end)

  it("RFC8200:4.2-2 with an option that is not known are discarded, and complained of, as its"
    .. " bits say", function()
    for _, kind in ipairs { OPTIONS, HOP_BY_HOP } do
      refused(TCP .. "\0\94\4abcd", kind) -- 01
      refused(TCP .. "\0\158\4abcd", kind, 2, 42) -- 10
      refused(TCP .. "\0\222\4abcd", kind, 2, 42) -- 11
    end
  end)

  it("RFC8200:4.2-1 are gone through in order: what stands first decides", function()
    refused(TCP .. "\1\1\0\94\0\158\0" .. ("\0"):rep(8), OPTIONS)
    refused(TCP .. "\1\1\0\158\0\94\0" .. ("\0"):rep(8), OPTIONS, 2, 44)
    refused("\60\0\1\4\0\0\0\0" .. TCP .. "\0\222\4abcd", OPTIONS, 2, 50)
  end)

  it("RFC8200:4.2-2 in a packet to all nodes are complained of only where the bits are 10", function()
    local all_nodes = "\xff\2" .. ("\0"):rep(13) .. "\1"
    for option, answered in pairs { ["\158"] = true, ["\222"] = false } do
      local net, conn, peer = established()
      peer:send(extended(segment(conn), OPTIONS, TCP .. "\0" .. option .. "\4abcd", all_nodes))
      net:run { until_ = net:now() + 0.1 }
      local answer = peer:receive { timeout = 0 }
      assert.equal(answered, answer ~= nil)
      if answered then assert.equal(conn:info().local_address, answer.source) end
    end
  end)

  it("RFC8200:4.4-1 pass over a route of unknown type that is finished", function()
    assert.is_true((taken(TCP .. "\0\77\0abcd", 43)))
  end)

  it("RFC8200:4.4-2 discard one that has segments left, and point at its type", function()
    refused(TCP .. "\0\77\1abcd", 43, 0, 42)
  end)

  it("RFC8200:4-2 complain of hop-by-hop options that do not stand first", function()
    refused("\0\0\1\4\0\0\0\0" .. TCP .. PAD, OPTIONS, 1, 40)
  end)

  it("RFC8200:4-1 complain of a next header that is not known, where it is named", function()
    for _, unknown in ipairs { 99, 50, 135 } do
      refused("", unknown, 1, 6)
      refused(string.char(unknown) .. PAD, OPTIONS, 1, 40)
      refused("\60" .. PAD .. string.char(unknown) .. PAD, OPTIONS, 1, 48)
    end
  end)

  it("RFC8200:4.7-1 ignore what stands behind 'no next header'", function()
    refused("\59" .. PAD, OPTIONS)
    refused("", 59)
  end)

  it("RFC4443:3.4-1 complain of a length that does not fit", function()
    refused(TCP .. "\0\1\5\0\0\0\0", OPTIONS, 0, 43) -- an option longer than its header
    refused(TCP .. "\99\1\4\0\0\0\0", OPTIONS, 0, 41) -- a header longer than the packet
  end)

  it("RFC4443:2.4-1 are never complained of where the packet is an ICMP error itself", function()
    local function of_icmp(conn)
      local info = conn:info()
      return tcp.encode {
        source = info.remote_address, destination = info.local_address,
        icmp = { kind = "host unreachable", quote = ("x"):rep(60) },
      }
    end
    local _, peer = taken("\58\0\158\4abcd", OPTIONS, of_icmp)
    assert.is_nil((peer:receive { timeout = 0.1 }))
  end)

  it("RFC4443:2.4-2 are quoted with as much as fits 1280 octets", function()
    local net, conn, peer = established()
    peer:send(extended(segment(conn, { payload = ("x"):rep(1400) }), OPTIONS, TCP .. "\0\158\4abcd"))
    net:run { until_ = net:now() + 0.1 }
    assert.equal(1280, #peer:receive { timeout = 0 }.bytes)
  end)

  it("RFC4443:2.4-7 are complained of at a bounded rate", function()
    local net, conn, peer = established()
    for _ = 1, 500 do peer:send(extended(segment(conn), OPTIONS, TCP .. "\0\158\4abcd")) end
    net:run { until_ = net:now() + 0.011 }
    local count = 0
    net:run { until_ = net:now() + 0.1 }
    while peer:receive { timeout = 0 } do count = count + 1 end
    assert.is_true(count >= 64 and count <= 90, count)
    peer:send(extended(segment(conn), OPTIONS, TCP .. "\0\158\4abcd"))
    assert.is_truthy(peer:receive { timeout = 1 }) -- and again, later
  end)

  it("RFC4443:2.4-5 are not complained of to nobody or to many", function()
    for _, source in ipairs { ("\0"):rep(16), "\xff\2" .. ("\0"):rep(13) .. "\1" } do
      local net, conn, peer = established()
      local bytes = extended(segment(conn), OPTIONS, TCP .. "\0\158\4abcd")
      peer:send(bytes:sub(1, 8) .. source .. bytes:sub(25))
      net:run { until_ = net:now() + 0.1 }
      assert.is_nil((peer:receive { timeout = 0 }))
    end
  end)

  it("RFC8200:4.5-6 stand before, behind, and on both sides of a Fragment header", function()
    local net, conn, peer, host = established()
    local packet = segment(conn, { payload = ("x"):rep(100) })
    local body = TCP .. PAD .. packet:sub(41) -- destination options in the part that is cut
    for _, piece in ipairs { { 0, 64, 1 }, { 64, #body, 0 } } do
      local data = body:sub(piece[1] + 1, piece[2])
      local chain = "\44" .. PAD .. string.pack(">BBI2I4", 60, 0, piece[1] | piece[3], 5)
      peer:send(packet:sub(1, 4) .. string.pack(">I2B", #chain + #data, 60) .. packet:sub(8, 40) .. chain
        .. data)
    end
    net:run { until_ = net:now() + 0.1 }
    assert.equal(1, host:counters().datagrams_reassembled)
    assert.equal(1101, conn:info().rcv_nxt)
  end)
end)

describe("an IPv6 packet", function()
  it("RFC8200:3-2 with a Hop Limit of zero is taken by its destination", function()
    local net, conn, peer = established()
    peer:send(segment(conn, { ttl = 0 }))
    net:run { until_ = net:now() + 0.1 }
    assert.equal(1005, conn:info().rcv_nxt)
  end)

  it("RFC8200:3-1 RFC4443:3.3-1 with a Hop Limit of one goes no further than a router, which"
    .. " says so", function()
    local net = tcp.network { seed = 1 }
    local left, right, router = net:peer "left", net:peer "right", net:router "router"
    net:link(left, router)
    net:link(router, right)
    for limit, passed in ipairs { false, true } do
      left:send(tcp.encode {
        source = left:address(nil, 6), destination = right:address(nil, 6), source_port = 1,
          destination_port = 2,
        flags = "A", ttl = limit,
      })
      local packet, answer = right:receive { timeout = 1 }, left:receive { timeout = 1 }
      assert.equal(passed, packet ~= nil)
      if passed then
        assert.equal(1, packet.ttl)
      else
        assert.same({ "time exceeded", 0 }, { answer.icmp.kind, answer.icmp.code })
      end
    end
  end)

  it("RFC8200:8.1-1 is summed with the Next Header of the upper layer, behind extension headers"
    .. " too", function()
    assert.is_true((taken(TCP .. PAD, OPTIONS)))
    local net, conn, peer, host = established()
    local packet = extended(segment(conn), OPTIONS, TCP .. PAD)
    peer:send(packet:sub(1, -2) .. "X")
    net:run { until_ = net:now() + 0.1 }
    assert.equal(1, host:counters().refused.LTCP_ERR_CHECKSUM)
  end)

  it("RFC8200:8.3-1 has room for 60 octets less than the MTU", function()
    local _, conn = established()
    assert.equal(1440, conn:info().rcv_mss)
  end)

  it("RFC8200:8.4-1 with a Routing header is answered without one", function()
    local net, conn, peer = established()
    peer:send(extended(segment(conn), 43, TCP .. "\2\0\0\0\0\0\0" .. ("a"):rep(16)))
    net:run { until_ = net:now() + 0.6 }
    assert.equal(1005, conn:info().rcv_nxt)
    local answer = peer:expect { ack = 1005 }
    assert.equal(6, answer.bytes:byte(7))
  end)
end)

describe("ICMPv6", function()
  it("RFC4443:2.4-3 says nothing of what goes to a group, but for what an option asks for", function()
    local all_nodes = "\xff\2" .. ("\0"):rep(13) .. "\1"
    for _, first in ipairs { 99, 17, 43 } do
      local net, conn, peer = established()
      peer:send(extended(segment(conn), first, "\6\0\77\1abcd", all_nodes))
      net:run { until_ = net:now() + 0.1 }
      assert.is_nil((peer:receive { timeout = 0 }))
    end
  end)

  it("RFC4443:2.4-8 that is not known is let be", function()
    local net, conn, peer, host = established()
    for _, kind in ipairs { 133, 200, 3 } do
      local info = conn:info()
      peer:send(tcp.encode {
        source = info.remote_address, destination = info.local_address, icmp = { type = kind, code = 77 },
      })
    end
    peer:expect_nothing(1)
    assert.equal("ESTABLISHED", conn:state())
    net:close()
    assert.is_truthy(host)
  end)

  it("RFC4443:3.1-1 says that nobody listens on a UDP port", function()
    local net, conn, peer = established()
    peer:send(extended(segment(conn), 17, ""))
    net:run { until_ = net:now() + 0.1 }
    local answer = peer:receive { timeout = 0 }
    assert.same({ "port unreachable", 4 }, { answer.icmp.kind, answer.icmp.code })
  end)

  it("RFC4443:3.2-1 says how long a packet may be", function()
    local net = tcp.network { seed = 1 }
    local client, server = net:host "client", net:host "server"
    local near, far = net:router "near", net:router "far"
    net:link(client, near)
    net:link(near, far, { mtu = 1300 })
    net:link(far, server)
    local listener = server:listen(80)
    local conn = assert(client:connect(server:address(nil, 6), 80))
    local other = assert(listener:accept())
    assert.equal(8000, conn:write(("x"):rep(8000)))
    net:run { until_ = net:now() + 5 }
    assert.equal(8000, other:info().unread)
    assert.equal(1300, conn:info().path_mtu)
  end)

  it("RFC4443:4.2-1 echoes", function()
    local _, conn, peer = established()
    local info = conn:info()
    peer:send(tcp.encode {
      source = info.remote_address, destination = info.local_address,
      icmp = { kind = "echo", echo_id = 7, echo_seq = 8, quote = "hello" },
    })
    local answer = peer:expect { source = info.local_address, timeout = 1 }
    assert.same({ "echo reply", 7, 8, "hello" },
      { answer.icmp.kind, answer.icmp.echo_id, answer.icmp.echo_seq, answer.icmp.quote })
  end)

  it("RFC4443:2.4-6 quoted behind extension headers reaches the connection", function()
    local net, conn, peer = established()
    conn:write "x"
    local sent = peer:expect { seq = 5001 }
    local quote = extended(sent.bytes, OPTIONS, TCP .. PAD)
    peer:send(tcp.encode {
      source = sent.destination, destination = sent.source, icmp = { kind = "too big", mtu = 1280,
        quote = quote },
    })
    net:run { until_ = net:now() + 0.05 }
    assert.equal(1280, conn:info().path_mtu)
  end)

  it("RFC5927:4.1 in the quoted first fragment is believed as in a whole packet", function()
    local net, host, peer = lab.forge { host = { path_mtu_discovery = false } }
    local conn = host:connect_start(peer, 80)
    local syn = peer:expect { flags = "S" }
    local quote = syn.bytes:sub(1, 6) .. "\32\0" .. syn.bytes:sub(9)
    peer:send(tcp.encode {
      source = syn.destination, destination = syn.source, icmp = { kind = "time exceeded", code = 1,
        quote = quote },
    })
    net:run { until_ = net:now() + 0.05 }
    assert.equal("EHOSTUNREACH", conn:info().code)
  end)
end)
