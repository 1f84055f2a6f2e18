-- RFC 9293 section 3.9.2.2, RFC 5461 and RFC 5927: ICMP errors that reach a connection.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

local function icmp(peer, packet, kind, quote)
  peer:send(tcp.encode {
    source = packet.destination, destination = packet.source,
    icmp = { kind = kind, quote = quote or packet.bytes },
  })
end

local soft <const> = {
  "net unreachable", "host unreachable", "source route failed", "time exceeded", "parameter problem",
}
local hard <const> = { "protocol unreachable", "port unreachable" }

describe("an ICMP error", function()
  it("RFC9293:MUST-56 that is soft does not end an opening, and is told (SHLD-25)", function()
    for _, kind in ipairs(soft) do
      local net, host, peer = lab.forge()
      local conn = host:connect_start(peer, 80)
      local told
      conn:on("soft_error", function(_, code) told = code end)
      local syn = peer:expect { flags = "S" }
      icmp(peer, syn, kind)
      net:run { until_ = 0.5 }
      assert.equal("SYN-SENT", conn:state(), kind)
      assert.is_truthy(told, kind)
      peer:expect { flags = "S", seq = syn.seq } -- it goes on
    end
  end)

  it("RFC9293:MUST-56 that is soft does not end a connection", function()
    for _, kind in ipairs(soft) do
      local net, conn, peer = wire.passive()
      conn:write "x"
      icmp(peer, peer:expect { seq = 5001 }, kind)
      net:run { until_ = 0.5 }
      assert.equal("ESTABLISHED", conn:state(), kind)
      peer:send { flags = "A", seq = 1001, ack = 5002 }
      net:run { until_ = 0.6 }
      assert.equal(5002, conn:info().snd_una)
    end
  end)

  it("RFC9293:SHLD-26 that is hard ends an opening", function()
    for _, kind in ipairs(hard) do
      local net, host, peer = lab.forge()
      local conn = host:connect_start(peer, 80)
      icmp(peer, peer:expect { flags = "S" }, kind)
      net:run { until_ = 0.5 }
      assert.equal("CLOSED", conn:state(), kind)
      assert.is_string((conn:error()))
      peer:expect_nothing(10)
    end
  end)

  it("RFC5927:5.2-1 that is hard does not end a synchronized connection: anybody could say it", function()
    for _, kind in ipairs(hard) do
      local net, conn, peer = wire.passive()
      conn:write "x"
      icmp(peer, peer:expect { seq = 5001 }, kind)
      net:run { until_ = 0.5 }
      assert.equal("ESTABLISHED", conn:state())
    end
  end)

  it("RFC5927:4.1-1 is ignored where the quoted number is not outstanding", function()
    local net, host, peer = lab.forge()
    local conn = host:connect_start(peer, 80)
    local syn = peer:expect { flags = "S" }
    local old = tcp.encode {
      source = syn.source, destination = syn.destination, source_port = syn.source_port,
      destination_port = 80, flags = "S", seq = syn.seq - 1 & 0xffffffff,
    }
    icmp(peer, syn, "port unreachable", old)
    net:run { until_ = 0.5 }
    assert.equal("SYN-SENT", conn:state())
    assert.equal(1, host:counters().icmp_ignored)
  end)

  it("RFC9293:MUST-54 reaches the connection that the quote names, and no other", function()
    local net, host, peer = lab.forge()
    local first = host:connect_start(peer, 80)
    local second = host:connect_start(peer, 81)
    local syn = peer:expect { destination_port = 80 }
    peer:expect { destination_port = 81 }
    icmp(peer, syn, "port unreachable")
    net:run { until_ = 0.5 }
    assert.equal("CLOSED", first:state())
    assert.equal("SYN-SENT", second:state())
  end)

  it("RFC9293:MUST-55 RFC5927:6.2-1 of source quench is discarded without a word", function()
    local net, conn, peer = wire.passive()
    conn:write "x"
    local packet = peer:expect { seq = 5001 }
    local before = conn:info().cwnd
    local told = 0
    conn:on("soft_error", function() told = told + 1 end)
    icmp(peer, packet, "source quench")
    net:run { until_ = 0.5 }
    assert.equal(before, conn:info().cwnd)
    assert.equal(0, told)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("with a quote that is cut short, or is rubbish, is worse than a count to nobody", function()
    local net, conn, peer = wire.passive()
    conn:write "x"
    local packet = peer:expect { seq = 5001 }
    for length = 0, #packet.bytes do icmp(peer, packet, "port unreachable", packet.bytes:sub(1, length)) end
    icmp(peer, packet, "host unreachable", ("\xff"):rep(200))
    icmp(peer, packet, "host unreachable", ("\0"):rep(200))
    net:run { until_ = 0.5 }
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC792 needs only the first 8 octets of the segment that it quotes", function()
    local net, host, peer = lab.forge()
    local conn = host:connect_start(peer, 80)
    local syn = peer:expect { flags = "S" }
    icmp(peer, syn, "port unreachable", syn.bytes:sub(1, 28))
    net:run { until_ = 0.5 }
    assert.equal("CLOSED", conn:state())
  end)

  it("of a router whose way ends is told while the connection tries on", function()
    local net = tcp.network { seed = 1 }
    local client, router = net:host "client", net:router "router"
    local server = net:host "server"
    net:link(client, router, { delay = 0.005 })
    local second = net:link(router, server, { delay = 0.005 })
    server:listen(80)
    second:down()
    local conn = client:connect_start(server, 80)
    net:run { until_ = 2 }
    assert.equal("SYN-SENT", conn:state())
    second:up()
    assert(conn:wait_connected())
  end)

  it("RFC792 time exceeded of a router comes back when the TTL is too small", function()
    local net = tcp.network { seed = 1 }
    local client, router, server = net:host("client", { ttl = 1 }), net:router "router", net:host "server"
    net:link(client, router, { delay = 0.005 })
    net:link(router, server, { delay = 0.005 })
    server:listen(80)
    local conn = client:connect_start(server, 80)
    local told
    conn:on("soft_error", function(_, code) told = code end)
    net:run { until_ = 0.5 }
    assert.equal("SYN-SENT", conn:state())
    assert.equal("EHOSTUNREACH", told)
  end)
end)
