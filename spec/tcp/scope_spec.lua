-- Link-local addresses and their zones: RFC 4007, RFC 4291 section 2.5.6.
local lab = require "support.lab"
local core = require "lunatcp.core"
local tcp = require "lunatcp"

-- Two neighbours of a host, each on a link of its own, with the same addresses on both links.
local function neighbours()
  local net = tcp.network { seed = 4 }
  local host = net:host "host"
  local left, right = net:host "left", net:host "right"
  local links = {}
  for i, other in ipairs { left, right } do
    links[i] = net:link(host, other, {
      delay = 0.001,
      addresses = {
        { ("2001:db8:%d::1/64"):format(i), "fe80::1/64" }, { ("2001:db8:%d::2/64"):format(i), "fe80::2/64" },
      },
    })
  end
  return net, host, left, right, links
end

describe("a link-local address", function()
  it("RFC4007:11.2-1 is written with its zone, the interface's number or name", function()
    for text, shown in pairs {
      ["fe80::1%eth0"] = "fe80::1%eth0", ["fe80::1%1"] = "fe80::1%eth0", ["FE80::2%12"] = "fe80::2%eth11",
      ["fe80::1%0"] = "fe80::1", ["fe80::1"] = "fe80::1", ["febf:0:1::5%eth65533"] = "febf:0:1::5%eth65533",
    } do
      assert.equal(shown, (core.address(text)))
    end
    for _, text in ipairs {
      "fe80::1%", "fe80::1%eth", "fe80::1%eth65535", "fe80::1%65536", "fe80::1%lo", "fe80::1%1x",
        "fe80::1%01",
      "2001:db8::1%eth0", "10.0.0.1%eth0", "::1%1", "%eth0", "fe80::1%%1", "fe80:1::1", "fe80:1::1%eth0",
    } do
      assert.is_nil((core.address(text)), text)
    end
  end)

  it("RFC4007:6-2 RFC4007:9-1 is reached by the link of its zone, and the same one on another"
    .. " link is another", function()
    local net, host, left, right = neighbours()
    local listeners = { assert(left:listen(80)), assert(right:listen(80)) }
    for i = 1, 2 do
      local zone = ("%%eth%d"):format(i - 1)
      local conn = assert(host:connect("fe80::2" .. zone, 80, { local_port = 5000 }))
      local other = assert(listeners[i]:accept())
      assert.equal("fe80::1%eth0", other:info().remote_address)
      assert.same({ "fe80::1" .. zone, "fe80::2" .. zone },
        { conn:info().local_address, conn:info().remote_address })
      conn:write(("to %d"):format(i))
      assert.equal(("to %d"):format(i), other:read(10))
      other:write "back"
      assert.equal("back", conn:read(10))
    end
    net:close()
    assert.is_truthy(left and right)
  end)

  it("RFC4007:6-1 needs a zone where there is more than one, and none where there is one", function()
    local net, host, left = neighbours()
    local conn, message, code = host:connect_start("fe80::2", 80)
    assert.is_nil(conn)
    assert.is_string(message)
    assert.equal("EINVAL", code)
    assert.is_nil((host:connect_start("fe80::2%eth7", 80)))
    local listener = host:listen(80)
    assert(left:connect("fe80::1", 80)) -- it has one link only
    assert.equal("fe80::2%eth0", assert(listener:accept()):info().remote_address)
    net:close()
  end)

  it("RFC4007:9-2 can be listened on by link", function()
    local net, host, left, right = neighbours()
    local listener = assert(host:listen(80, { address = "fe80::1%eth1" }))
    assert.matches("fe80::1%eth1", tostring(listener.core), 1, true)
    local conn, _, code = left:connect("fe80::1", 80)
    assert.is_nil(conn)
    assert.equal("ECONNREFUSED", code)
    assert(right:connect("fe80::1", 80))
    assert.is_truthy(listener:accept())
    local other = assert(host:listen(80, { address = "fe80::1%eth0" })) -- another zone is another address
    assert(left:connect("fe80::1", 80))
    assert.is_truthy(other:accept())
    assert.equal("EADDRNOTAVAIL", select(3, host:listen(81, { address = "fe80::9%eth0" })))
    assert.equal("EINVAL", select(3, host:listen(81, { address = "fe80::1" })))
    net:close()
  end)

  it("RFC4007:4-1 is on the wire without its zone", function()
    local net, host, peer = lab.forge {
      link = { delay = 0.01, addresses = { { "fe80::2/64" }, { "fe80::1/64" } } },
    }
    local conn = host:connect_start("fe80::2%eth0", 80)
    local syn = peer:expect { flags = "S", source = "fe80::1", destination = "fe80::2" }
    assert.is_true(syn.checksum_ok)
    assert.equal("\0\0", syn.bytes:sub(11, 12))
    peer:send { flags = "SA", seq = 1000, ack = syn.seq + 1 & 0xffffffff, window = 65535,
      options = { mss = 1000 } }
    peer:expect { flags = "A" }
    conn:abort()
    assert.is_true(peer:expect({ flags = "R" }).checksum_ok)
    peer:send { flags = "PA", seq = 1001, ack = 1, payload = "x", destination_port = 9 }
    assert.is_true(peer:expect({ flags = "R" }).checksum_ok) -- where no connection is
    net:close()
  end)

  it("with other octets where a zone would be is none that TCP can use", function()
    local net, host, peer = lab.forge {
      link = { delay = 0.01, addresses = { { "fe80::2/64" }, { "fe80::1/64" } } },
    }
    host:listen(80)
    local syn = tcp.encode {
      source = "fe80::2", destination = "fe80::1", source_port = 9, destination_port = 80, flags = "S",
    }
    peer:send(syn:sub(1, 10) .. "\0\1" .. syn:sub(13, 26) .. "\0\1" .. syn:sub(29))
    net:run { until_ = 1 }
    assert.equal(1, host:counters().refused.LTCP_ERR_ADDRESS)
  end)

  it("RFC6724:5 is the source for its own scope, and for no other where there is a choice", function()
    local net, host, left = neighbours()
    left:listen(80)
    local conn = assert(host:connect("2001:db8:1::2", 80))
    assert.equal("2001:db8:1::1", conn:info().local_address)
    conn = assert(host:connect("fe80::2%eth0", 80))
    assert.equal("fe80::1%eth0", conn:info().local_address)
    net:close()
  end)

  it("RFC4007:9-3 does not get past a router, neither as source nor as destination", function()
    local net = tcp.network { seed = 1 }
    local left, right, router = net:peer "left", net:peer "right", net:router "router"
    net:link(left, router, { addresses = { { "fe80::1/64", "2001:db8:1::1/64" }, { "fe80::2/64",
      "2001:db8:1::2/64" } } })
    net:link(router, right, { addresses = { { "2001:db8:2::2/64" }, { "2001:db8:2::1/64" } } })
    local function segment(source, destination)
      return tcp.encode { source = source, destination = destination, source_port = 1, destination_port = 2,
        flags = "A" }
    end
    left:send(segment("fe80::1", "2001:db8:2::1"))
    local answer = left:receive { timeout = 1 }
    assert.same({ 1, 2 }, { answer.icmp.type, answer.icmp.code }) -- beyond scope of source address
    left:send(segment("2001:db8:1::1", "fe80::77"))
    assert.is_nil((left:receive { timeout = 1 }))
    assert.is_nil((right:receive { timeout = 1 }))
    net:close()
  end)

  it("in an ICMP error belongs to the link that it came by", function()
    local net, host, left, right, links = neighbours()
    left:listen(80)
    local conn = assert(host:connect("fe80::2%eth0", 80))
    conn:write "x"
    local sent
    local drop <close> = links[1]:rule(function(packet)
      if packet.source == "fe80::1" and packet.length == 1 then
        sent = packet:copy()
        return "drop"
      end
    end)
    net:run { until_ = net:now() + 0.01 }
    assert.is_truthy(drop)
    local quote = tcp.encode(sent)
    local message = tcp.encode {
      source = "fe80::2", destination = "fe80::1", icmp = { kind = "too big", mtu = 1300, quote = quote },
    }
    links[2]:inject(right, message)
    net:run { until_ = net:now() + 0.01 }
    assert.equal(1500, conn:info().path_mtu)
    links[1]:inject(left, message)
    net:run { until_ = net:now() + 0.01 }
    assert.equal(1300, conn:info().path_mtu)
    net:close()
  end)
end)
