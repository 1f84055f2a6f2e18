-- An Ethernet inside a tunnel, seen from a bare socket in the place of the other station. The two
-- stand on two addresses of the loopback interface, since a station is known by its address alone.
local core = require "lunatcp.core"
local ends = require "udp.ends"

local HEADER <const> = ends.hex "08000000 00000700"
local OURS <const>, HIS <const> = ends.hex "02000a000001", ends.hex "02000a000002"
local EVERYBODY <const> = ("\xff"):rep(6)
local ASKED <const> = ends.hex "0806 0001 0800 06 04 0001 02000a000001 0a000001 000000000000 0a000002"
local ANSWER <const> = ends.hex "0806 0001 0800 06 04 0002 02000a000002 0a000002 02000a000001 0a000001"

describe("a vxlan tunnel #udp", function()
  local one, far, host, port
  before_each(function()
    one = ends.outside { framing = "vxlan", vni = 7, learn = 0, local_addresses = { "10.0.0.1", "fd00::1" } }
    host, port = one.tunnel:address()
    far = ends.bare(port, "127.0.0.2") -- the port of its peer is that of the tunnel's
    assert(one.tunnel:set_peer("127.0.0.2:" .. port))
  end)
  after_each(function()
    far.close()
    one:close()
  end)

  local function send(...) far.send(table.concat { ... }, host, port) end
  local function got(count) one:run_both(function() return #far.got == count end) end

  it("asks for an Ethernet address, holds the packet, and sends it when the answer comes", function()
    local packet = ends.packet(4, 1, { payload = "hello" })
    assert(one.peers[1]:send(packet, one.link))
    got(1)
    assert.equal(HEADER .. EVERYBODY .. OURS .. ASKED, far.got[1])
    send(HEADER, OURS, HIS, ANSWER)
    got(2)
    assert.equal(HEADER .. HIS .. OURS .. "\8\0" .. packet, far.got[2])
    assert(one.peers[1]:send(packet, one.link))
    got(3)
    local counters = one.tunnel:counters()
    assert.same({ 1, 1, 1, 1 }, { counters.neighbours_asked, counters.neighbours, counters.neighbours_learned,
                                  counters.neighbours_entries })
  end)

  it("answers who asks by ARP, and by neighbour discovery", function()
    send(HEADER, EVERYBODY, HIS,
      ends.hex "0806 0001 0800 06 04 0001 02000a000002 0a000002 000000000000 0a000001")
    got(1)
    assert.equal(HEADER .. HIS .. OURS
      .. ends.hex "0806 0001 0800 06 04 0002 02000a000001 0a000001 02000a000002 0a000002", far.got[1])
    -- fd00::2 asks who has fd00::1.
    send(HEADER, ends.hex "3333ff000001", HIS, ends.hex [[86dd 60000000 00203aff
      fd000000 00000000 00000000 00000002 ff020000 00000000 00000001 ff000001
      8700 7397 00000000 fd000000 00000000 00000000 00000001 0101 02000a000002]])
    got(2)
    assert.equal(HEADER .. HIS .. OURS .. ends.hex [[86dd 60000000 00203aff
      fd000000 00000000 00000000 00000001 fd000000 00000000 00000000 00000002
      8800 129c 60000000 fd000000 00000000 00000000 00000001 0201 02000a000001]], far.got[2])
    -- And both are known from then on.
    assert(one.peers[1]:send(ends.packet(6, 1, {}), one.link))
    got(3)
    assert.equal(HEADER .. HIS .. OURS .. "\x86\xdd", far.got[3]:sub(1, 22))
  end)

  it("takes frames for us and for groups, of its VNI, from any port of its peer", function()
    local packet = ends.packet(4, 2, { payload = "in" })
    send(HEADER, OURS, HIS, "\8\0", packet)
    send(HEADER, EVERYBODY, HIS, "\8\0", packet)
    local other = ends.bare(0, "127.0.0.2")
    other.send(HEADER .. OURS .. HIS .. "\8\0" .. packet, host, port)
    local received = one:receive(one.peers[1]:id(), 3)
    other.close()
    assert.same({ packet, packet, packet }, received)
  end)

  it("counts what is not for it, and goes on", function()
    local packet = ends.packet(4, 2)
    local junk = {
      ends.hex "00000000 00000700" .. OURS .. HIS .. "\8\0" .. packet, -- no VNI
      ends.hex "08000000 00000800" .. OURS .. HIS .. "\8\0" .. packet, -- another network's
      HEADER .. ends.hex "02000a000009" .. HIS .. "\8\0" .. packet, -- another station's
      HEADER .. OURS .. HIS .. ends.hex "8100 0001 0800" .. packet, -- a VLAN tag
      HEADER .. OURS .. HIS .. "\x86\xdd" .. packet, -- IPv4 that says it is IPv6
      HEADER .. OURS .. HIS .. "\8\6" .. ANSWER:sub(3, 20), -- ARP cut short
      HEADER .. OURS .. HIS, HEADER, "\8",
    }
    for _, datagram in ipairs(junk) do send(datagram) end
    send(HEADER, OURS, HIS, "\8\0", packet)
    one:receive(one.peers[1]:id(), 1)
    assert.equal(#junk, one.tunnel:counters().unreadable)
    assert.equal(1, one.tunnel:counters().packets_in)
    local stranger = ends.bare()
    stranger.send(HEADER .. OURS .. HIS .. "\8\0" .. packet, host, port)
    one:run(function() return one.tunnel:counters().strangers == 1 end)
    stranger.close()
  end)

  it("tells a sender that nobody answers: host unreachable, after three seconds", function()
    assert(one.peers[1]:send(ends.packet(4, 1), one.link))
    local answer = core.decode(one:receive(one.peers[1]:id(), 1)[1])
    assert.equal("host unreachable", answer.icmp.kind)
    assert.same({ "10.0.0.2", "10.0.0.1" }, { answer.source, answer.destination })
    one:run_both(function() return #far.got >= 3 end)
    assert.equal(3, #far.got)
    assert.equal(1, one.tunnel:counters().unresolved)
  end)
end)

describe("a vxlan tunnel that learns #udp", function()
  it("takes the first station that says a sound thing, and sends to its own port", function()
    local one = ends.outside { framing = "vxlan", vni = 7, learn = true, local_addresses = { "10.0.0.1" } }
    local host, port = one.tunnel:address()
    local far, junk = ends.bare(port, "127.0.0.2"), ends.bare(0, "127.0.0.3")
    junk.send("no vxlan", host, port)
    junk.send(HEADER .. OURS .. HIS .. "\8\0" .. ends.packet(4, 2, {}):sub(1, -2), host, port)
    one:run(function() return one.tunnel:counters().strangers == 2 end)
    local elsewhere = ends.bare(0, "127.0.0.2")
    elsewhere.send(HEADER .. EVERYBODY .. HIS
      .. ends.hex "0806 0001 0800 06 04 0001 02000a000002 0a000002 000000000000 0a000001", host, port)
    one:run_both(function() return #far.got == 1 end)
    assert.equal(1, one.tunnel:peers())
    assert.same({ "127.0.0.2", port }, { one.tunnel:peer() })
    for _, socket in ipairs { far, junk, elsewhere } do socket.close() end
    one:close()
  end)
end)

describe("the socket of a vxlan tunnel", function()
  it("RFC7348:4.3-1 RFC7348:4.3-3 lets nothing be cut: who sends too much is told how much is not", function()
    local one = ends.outside { framing = "vxlan", peer = "127.0.0.2:4789", local_addresses = { "10.0.0.1" } }
    -- Loopback takes 65,535 octets: 20 of IP, 8 of UDP, 8 of VXLAN, 14 of Ethernet are not ours.
    assert.equal(65535 - 50, one.tunnel:mtu())
    assert.equal(65535 - 50, one.tunnel:mtu(6))
    one:close()
    one = ends.outside { framing = "rawip", peer = "127.0.0.2:9" }
    assert(one.peers[1]:send(ends.packet(4, 1, { payload = ("x"):rep(65535 - 28 - 40 + 1) }), one.link))
    local told = core.decode(one:receive(one.peers[1]:id(), 1)[1])
    assert.same({ "too big", 65535 - 28 }, { told.icmp.kind, told.icmp.mtu })
    assert.equal(1, one.tunnel:counters().too_long)
    one:close()
  end)

  it("RFC7348:5-5 RFC7348:5-6 is bound to 4789 and sends there, unless said otherwise", function()
    local tcp = require "lunatcp"
    local net = tcp.network { clock = "real", seed = 1 }
    local far = assert(net:tunnel(net:host(), { framing = "vxlan", peer = "127.0.0.2", bind = "127.0.0.1" }))
    assert.same({ "127.0.0.1", 4789 }, { far:socket() })
    assert.same({ "127.0.0.2", 4789 }, { far.tunnel:peer() })
    far = assert(net:tunnel(net:host(), { framing = "vxlan", peer = "127.0.0.2:99", bind = "127.0.0.1:0" }))
    assert.same({ "127.0.0.2", 99 }, { far.tunnel:peer() })
    net:close()
  end)

  it("RFC7348:5-9 takes a datagram without a UDP checksum", function()
    local one = ends.outside { framing = "vxlan", vni = 7, learn = true, local_addresses = { "10.0.0.1" } }
    local host, port = one.tunnel:address()
    -- Python's socket can be told to leave the checksum out (SO_NO_CHECK is 11); where there is none, a
    -- sum that is there has to do.
    local data = HEADER .. OURS .. HIS .. "\8\0" .. ends.packet(4, 2, { payload = "unsummed" })
    local hex = data:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    local python = ("python3 -c \"import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
      .. "s.setsockopt(1,11,1);s.sendto(bytes.fromhex('%s'),('%s',%d))\" 2>/dev/null"):format(hex, host, port)
    if not os.execute(python) then
      local bare = ends.bare()
      bare.send(data, host, port)
      bare.close()
    end
    assert.equal("unsummed", core.decode(one:receive(one.peers[1]:id(), 1)[1]).payload)
    one:close()
  end)
end)
