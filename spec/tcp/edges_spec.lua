-- Edges of the text, one step on this side of them and one on the other.
local tcp = require "lunatcp"
local lab = require "support.lab"
local wire = require "support.wire"

local function settle(net) net:run { until_ = net:now() + 1 } end

describe("beyond the edge of the window", function()
  it("RFC9293:3.10.7.4-18 text is cut off, and with it the FIN behind it", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 1000, window_scaling = false } }
    local stream = wire.pattern(1200)
    peer:send { flags = "FPA", seq = 1001, ack = 5001, payload = stream }
    settle(net)
    assert.equal("ESTABLISHED", conn:state())
    assert.equal(2001, conn:info().rcv_nxt)
    assert.equal(stream:sub(1, 1000), conn:read_exactly(1000))
    assert.equal("EAGAIN", select(3, conn:read(1, { timeout = 1 })))
    peer:send { flags = "FPA", seq = 2001, ack = 5001, payload = stream:sub(1001) }
    assert.equal(stream:sub(1001), conn:read_exactly(200))
    assert.is_nil((conn:read(1)))
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("a FIN has no room where the text fills the window to the last octet", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 1000, window_scaling = false } }
    peer:send { flags = "FPA", seq = 1001, ack = 5001, payload = wire.pattern(1000) }
    settle(net)
    assert.equal("ESTABLISHED", conn:state())
    assert.equal(2001, conn:info().rcv_nxt)
  end)

  it("an empty segment counts at RCV.NXT only, with the window closed", function()
    local net, conn, peer = wire.passive { host = { receive_buffer = 100, window_scaling = false } }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = wire.pattern(100) }
    settle(net)
    assert.equal(0, conn:info().rcv_wnd)
    conn:write "question"
    wire.drain(peer, 0.1)
    peer:send { flags = "A", seq = 1151, ack = 5009 } -- beyond: its ACK is nothing
    settle(net)
    assert.equal(5001, conn:info().snd_una)
    peer:send { flags = "A", seq = 1101, ack = 5009 }
    settle(net)
    assert.equal(5009, conn:info().snd_una)
  end)
end)

describe("behind a FIN", function()
  it("nothing is taken, also where it came before what leads up to it", function()
    local net, conn, peer = wire.passive()
    local stream = wire.pattern(150)
    peer:send { flags = "FA", seq = 1101, ack = 5001 } -- the stream has 100 octets
    peer:send { flags = "PA", seq = 1051, ack = 5001, payload = stream:sub(51) }
    settle(net)
    assert.equal("ESTABLISHED", conn:state())
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = stream:sub(1, 50) }
    assert.equal(stream:sub(1, 100), conn:read_exactly(100))
    assert.is_nil((conn:read(1)))
    assert.equal("CLOSE-WAIT", conn:state())
    assert.equal(1102, conn:info().rcv_nxt)
  end)
end)

describe("FIN-WAIT-2", function()
  it("of a connection that nobody holds ends after fin_wait_2_timeout", function()
    local net, conn, peer = wire.passive { host = { fin_wait_2_timeout = 60 } }
    conn:close()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    settle(net)
    assert.equal("FIN-WAIT-2", conn:state())
    net:run { until_ = 59 }
    assert.equal("FIN-WAIT-2", conn:state())
    net:run { until_ = 61 }
    assert.equal("CLOSED", conn:state())
  end)

  it("of one that is half-closed waits for ever", function()
    local net, conn, peer = wire.passive { host = { fin_wait_2_timeout = 60 } }
    conn:shutdown()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    net:run { until_ = 86400 }
    assert.equal("FIN-WAIT-2", conn:state())
    peer:send { flags = "PA", seq = 1001, ack = 5002, payload = "still here" }
    assert.equal("still here", conn:read(100))
  end)

  it("RFC9293:MUST-26 is not probed before the idle time, counted from the ACK of the FIN", function()
    local net, conn, peer = wire.passive {
      host = { keepalive = true, keepalive_idle = 100, fin_wait_2_timeout = 0 },
    }
    net:run { until_ = 60 }
    conn:shutdown()
    peer:expect { flags = "FA", seq = 5001 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    net:run { until_ = 159 }
    assert.equal(0, conn:info().probes_sent)
    peer:expect { flags = "A", seq = 5001, timeout = 3 }
  end)
end)

describe("CLOSE-WAIT", function()
  it("RFC9293:3.10.4-7 lasts until the FIN has left behind all that was written", function()
    local net, conn, peer = wire.passive { window = 1000 }
    peer:send { flags = "FA", seq = 1001, ack = 5001, window = 1000 }
    settle(net)
    conn:write(wire.pattern(2500))
    conn:shutdown()
    for i = 1, 2 do
      wire.drain(peer, 0.1)
      assert.equal("CLOSE-WAIT", conn:state())
      peer:send { flags = "A", seq = 1002, ack = 5001 + 1000 * i, window = 1000 }
      settle(net)
    end
    local last = wire.drain(peer)
    assert.equal("FPA", tostring(last[#last].flags))
    assert.equal("LAST-ACK", conn:state())
  end)
end)

describe("the window of a SYN", function()
  it("RFC7323:2.2-3 is not scaled, at either end", function()
    local options = { options = { mss = 1000, window_scale = 7 }, window = 1000 }
    local _, active = wire.active { syn = options }
    local _, passive = wire.passive { syn = options, window = 7 }
    for conn, window in pairs { [active] = 1000, [passive] = 7 << 7 } do
      local info = conn:info()
      assert.same({ window, 1000, 7 }, { info.snd_wnd, info.max_snd_wnd, info.snd_wscale })
    end
  end)
end)

describe("the urgent pointer", function()
  it("RFC9293:MUST-62 counts from the segment's own number, though its front was here before", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = wire.pattern(10) }
    settle(net)
    peer:send { flags = "UPA", seq = 1006, ack = 5001, urgent = 8, payload = wire.pattern(10) }
    settle(net)
    assert.equal(1014, conn:info().rcv_up)
  end)
end)

describe("timers of many connections", function()
  it("go off in the order of their times, not of the connections", function()
    local net, host, peer = lab.forge()
    local expected = {}
    for i, rto in ipairs { 9, 7, 5, 3, 1, 8, 6, 4, 2 } do
      assert(host:connect_start(peer, 80, { local_port = 1000 + i, rto_initial = rto }))
      expected[rto] = 1000 + i
    end
    for _ = 1, 9 do peer:expect { flags = "S" } end
    local ports = {}
    for rto = 1, 2 do
      net:run { until_ = rto + 0.5 }
      for _, packet in ipairs(wire.drain(peer)) do ports[#ports + 1] = packet.source_port end
    end
    -- 1 s; 2 s, and before it nothing; the first again at 3 s.
    assert.same({ expected[1], expected[2] }, ports)
  end)
end)

describe("LISTEN", function()
  it("RFC9293:3.10.7.2-1 ignores a RST, whatever else the segment carries", function()
    local _, host, peer = lab.forge()
    assert(host:listen(80))
    for _, flags in ipairs { "R", "RA", "SR", "SRA", "FR" } do
      peer:send { flags = flags, seq = 1000, ack = 7, destination_port = 80 }
    end
    peer:expect_nothing(10)
    assert.equal(0, host:counters().connections)
  end)
end)

describe("an ICMP error", function()
  it("RFC5927:4.1-1 about SND.NXT is about nothing that was sent; about the octet before, it is", function()
    for seq, is_told in pairs { [5001] = false, [5002] = true, [5003] = true, [5004] = false } do
      local net, conn, peer = wire.passive()
      local told = false
      conn:on("soft_error", function() told = true end)
      conn:write "x"
      local first = peer:expect { payload = "x" }
      peer:send { flags = "A", seq = 1001, ack = 5002 }
      settle(net)
      conn:write "yz" -- 5002 and 5003 are outstanding
      wire.drain(peer, 0.05)
      peer:send(tcp.encode {
        source = first.destination, destination = first.source,
        icmp = {
          kind = "host unreachable",
          quote = tcp.encode {
            source = first.source, destination = first.destination, source_port = first.source_port,
            destination_port = first.destination_port, flags = "A", seq = seq, ack = 1001,
          },
        },
      })
      net:run { until_ = net:now() + 0.1 }
      assert.equal(is_told, told, tostring(seq))
    end
  end)
end)

describe("an acknowledgment of what was sent twice", function()
  it("RFC6298:3 is no sample of the round-trip time, counted from whichever sending (Karn)", function()
    local net, conn, peer = wire.passive()
    local before = conn:info()
    assert.is_number(before.srtt)
    conn:write "x"
    peer:expect { seq = 5001, payload = "x" }
    peer:expect { seq = 5001, payload = "x", timeout = 3 } -- again, after the RTO
    net:run { until_ = net:now() + 0.4 }
    peer:send { flags = "A", seq = 1001, ack = 5002 }
    settle(net)
    local after = conn:info()
    assert.equal(5002, after.snd_una)
    assert.equal(before.srtt, after.srtt)
    assert.equal(before.latest_rtt, after.latest_rtt)
    -- What was sent once is one.
    conn:write "y"
    peer:expect { seq = 5002, payload = "y" }
    net:run { until_ = net:now() + 0.4 }
    peer:send { flags = "A", seq = 1001, ack = 5003 }
    settle(net)
    assert.is_true(conn:info().srtt > after.srtt)
  end)
end)

describe("a FIN before octets that have come already", function()
  it("RFC9293:3.10.7.4 is passed over, and the stream ends where its own FIN is", function()
    local net, conn, peer = wire.passive()
    local stream = wire.pattern(200)
    peer:send { flags = "A", seq = 1101, ack = 5001, payload = stream:sub(101) }
    peer:send { flags = "FA", seq = 1051, ack = 5001 }
    settle(net)
    peer:send { flags = "A", seq = 1001, ack = 5001, payload = stream:sub(1, 100) }
    settle(net)
    assert.is_nil(net.core:check())
    peer:send { flags = "FA", seq = 1201, ack = 5001 }
    settle(net)
    assert.equal(stream, conn:read_exactly(200))
    assert.is_nil((conn:read(1)))
    assert.equal("CLOSE-WAIT", conn:state())
  end)
end)
