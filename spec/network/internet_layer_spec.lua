-- RFC 1122 section 3: what a host does with datagrams of IPv4, beside their fragments.
local lab = require "support.lab"
local tcp = require "lunatcp"
local wire = require "support.wire"

local HERE <const>, THERE <const> = "10.0.0.1", "10.0.0.2" -- the script, the host

local function forge(settings)
  settings = settings or {}
  settings.isn = 5000
  local net, host, peer = lab.forge { host = settings, link = {
    delay = 0.001, addresses = { HERE .. "/24", THERE .. "/24" },
  } }
  host:listen(80)
  return net, host, peer
end

local function syn(more)
  local packet = {
    source = HERE, destination = THERE, source_port = 7, destination_port = 80, flags = "S", seq = 1000,
  }
  for key, value in pairs(more or {}) do packet[key] = value end
  return tcp.encode(packet)
end

local function echo(more)
  local packet = {
    source = HERE, destination = THERE, icmp = { kind = "echo", echo_id = 7, echo_seq = 8, quote = "hello" },
  }
  for key, value in pairs(more or {}) do packet[key] = value end
  return tcp.encode(packet)
end

local function sum(header)
  local total = 0
  for i = 1, #header, 2 do total = total + (">I2"):unpack(header, i) end
  while total > 0xffff do total = (total & 0xffff) + (total >> 16) end
  return ~total & 0xffff
end

-- With `octets` from the place `at` on in its header of 20 octets, whose checksum is made good again.
local function changed(packet, at, octets)
  local header = packet:sub(1, at - 1) .. octets .. packet:sub(at + #octets, 20)
  header = header:sub(1, 10) .. "\0\0" .. header:sub(13)
  return header:sub(1, 10) .. (">I2"):pack(sum(header)) .. header:sub(13) .. packet:sub(21)
end

local function silent(net, peer)
  net:run { until_ = net:now() + 0.1 }
  assert.same({}, wire.drain(peer))
end

describe("a host's Internet layer", function()
  it("RFC1122:3.2.1.1-1 says nothing to another version", function()
    local net, host, peer = forge()
    for version = 0, 15 do
      if version ~= 4 then
        peer:send(changed(syn(), 1, string.char(version << 4 | 5)))
        silent(net, peer)
      end
    end
    assert.equal(0, host:counters().connections)
    peer:send(syn())
    peer:expect { flags = "SA" }
  end)

  it("RFC1122:3.2.1.2-1 says nothing to a header whose checksum is not right", function()
    local net, host, peer = forge()
    local good = syn()
    for at = 1, 20 do -- any single octet but those that make it another address or version
      for _, bit in ipairs { 1, 0x10, 0x80 } do
        peer:send(good:sub(1, at - 1) .. string.char(good:byte(at) ~ bit) .. good:sub(at + 1))
      end
    end
    silent(net, peer)
    assert.equal(0, host:counters().connections)
  end)

  it("RFC1122:3.2.1.3-1 says nothing to what is for somebody else", function()
    local net, host, peer = forge()
    for _, to in ipairs {
      "10.0.0.3", "192.0.2.1", "10.0.0.255", "255.255.255.255", "224.0.0.1", "0.0.0.0",
    } do
      peer:send(syn { destination = to })
      silent(net, peer)
    end
    assert.equal(0, host:counters().connections)
  end)

  it("RFC1122:3.2.1.3-2 says nothing to a source that is no single host", function()
    local net, host, peer = forge()
    for _, from in ipairs { "255.255.255.255", "224.0.0.1", "127.0.0.1", "10.0.0.255", "240.0.0.1" } do
      peer:send(syn { source = from })
      silent(net, peer)
    end
    assert.equal(0, host:counters().connections)
  end)

  it("RFC1122:3.2.1.7-1 RFC1122:3.2.1.7-3 sends with the TTL that is set, which is never zero", function()
    local _, host, peer = forge { ttl = 9 }
    peer:send(syn())
    peer:expect { flags = "SA", ttl = 9 }
    host:connect_start(peer, 81, { settings = { ttl = 1 } })
    peer:expect { flags = "S", ttl = 1 }
    assert.has_error(function() host:connect_start(peer, 82, { settings = { ttl = 0 } }) end)
  end)

  it("RFC1122:3.2.1.7-2 takes what comes with a TTL of zero or one", function()
    for ttl = 0, 1 do
      local _, _, peer = forge()
      peer:send(changed(syn(), 9, string.char(ttl)))
      peer:expect { flags = "SA" }
    end
  end)

  it("RFC1122:3.2.1.8-1 passes over options that are not known", function()
    local _, _, peer = forge()
    local packet = syn()
    local options = "\154\4\1\2\1\1\30\2" -- two that nobody knows, and padding between
    local header = "\71" .. packet:sub(2, 2) .. (">I2"):pack(#packet + #options) .. packet:sub(5, 10)
      .. "\0\0" .. packet:sub(13, 20) .. options
    header = header:sub(1, 10) .. (">I2"):pack(sum(header)) .. header:sub(13)
    peer:send(header .. packet:sub(21))
    peer:expect { flags = "SA" }
  end)

  it("RFC1122:3.2.2-1 says nothing to ICMP that is not known", function()
    local net, _, peer = forge()
    for _, kind in ipairs { 1, 2, 6, 7, 9, 10, 30, 41, 200, 255 } do
      peer:send(echo { icmp = { type = kind, code = 0 } })
      silent(net, peer)
    end
  end)

  it("RFC1122:3.2.2-2 RFC1122:3.2.2.1-1 says that nobody takes a protocol or a port, and quotes", function()
    local _, _, peer = forge()
    for protocol, kind in pairs { [17] = "port unreachable", [132] = "protocol unreachable" } do
      local packet = changed(syn(), 10, string.char(protocol))
      peer:send(packet)
      local answer = peer:expect { source = THERE }
      assert.equal(kind, answer.icmp.kind)
      assert.is_true(#answer.icmp.quote >= 28)
      assert.equal(packet:sub(1, #answer.icmp.quote), answer.icmp.quote)
    end
  end)

  it("RFC1122:3.2.2-3 complains of no ICMP error, later fragment, group or source of many", function()
    local net, _, peer = forge()
    local function unknown(packet) return changed(packet, 10, "\132") end
    local quiet = {
      unknown(syn { destination = "10.0.0.255" }), unknown(syn { destination = "224.0.0.1" }),
      unknown(syn { source = "255.255.255.255" }), unknown(syn { source = "224.0.0.1" }),
      unknown(syn { source = "127.0.0.1" }), changed(unknown(syn()), 7, "\0\1"),
      echo { icmp = { kind = "port unreachable", quote = syn() } },
    }
    for _, packet in ipairs(quiet) do
      peer:send(packet)
      silent(net, peer)
    end
  end)

  it("RFC1122:3.2.2.6-1 echoes, from where it was asked and with all the data", function()
    local _, _, peer = forge()
    for _, size in ipairs { 0, 1, 56, 1400 } do
      local data = wire.pattern(size)
      peer:send(echo { icmp = { kind = "echo", echo_id = 300, echo_seq = size, quote = data } })
      local answer = peer:expect { source = THERE, destination = HERE }
      assert.same({ "echo reply", 300, size, data },
        { answer.icmp.kind, answer.icmp.echo_id, answer.icmp.echo_seq, answer.icmp.quote or "" })
    end
  end)
end)
