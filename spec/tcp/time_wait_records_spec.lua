-- TIME-WAIT of connections whose users have let them go: small records, which answer as large ones do.
local lab = require "support.lab"
local wire = require "support.wire"

-- The host has closed first, and nobody holds the connection any more.
local function waiting(options)
  options = options or {}
  local net, conn, peer, listener = wire.passive(options)
  local host = net.host_under_test
  conn:close()
  local stamps = options.stamps and function(value) return { timestamps = { value = value, echo = 1 } } end
    or function() end
  local iss = conn:info().iss
  peer:expect { flags = "FA", seq = iss + 1 & 0xffffffff, ack = 1001 }
  peer:send { flags = "FA", seq = 1001, ack = iss + 2 & 0xffffffff, options = stamps(101) }
  local last = peer:expect { flags = "A", seq = iss + 2 & 0xffffffff, ack = 1002 }
  assert.equal("TIME-WAIT", conn:state())
  conn = nil -- luacheck: ignore 311
  net:collect()
  local counters = host:counters()
  assert.same({ 0, 1, 1 }, { counters.connections, counters.time_waits, counters.time_wait_records })
  return net, host, peer, last.time - 0.01, listener, iss, last.destination_port
end

local function left_at(net)
  for _, event in ipairs(net.trace:events { kind = "state" }) do
    if event.from == "TIME-WAIT" then return event.time, event.to end
  end
end

local function records(host) return host:counters().time_wait_records end

local STAMPED <const> = {
  stamps = true, syn = { options = { mss = 1000, timestamps = { value = 99, echo = 0 } } },
  ack_options = { timestamps = { value = 100, echo = 1 } },
}

describe("a small record of TIME-WAIT", function()
  it("RFC9293:MUST-13 lasts 2 MSL", function()
    local net, host, _, since = waiting { host = { msl = 5 } }
    net:run { until_idle = true }
    local at, to = left_at(net)
    assert.near(10, at - since, 1e-6)
    assert.equal("CLOSED", to)
    assert.same({ 0, 0 }, { records(host), host:counters().time_waits })
  end)

  it("RFC9293:3.10.7.4-16 acknowledges a repeated FIN, and begins again", function()
    local net, host, peer, since = waiting { host = { msl = 5 } }
    net:run { until_ = since + 8 }
    peer:send { flags = "FA", seq = 1001, ack = 5002 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    net:run { until_ = since + 17.9 }
    assert.equal(1, records(host))
    net:run { until_idle = true }
    assert.near(18.01, left_at(net) - since, 1e-6)
  end)

  it("RFC9768:3.2.2-1 goes on to count in the ACE field, where AccECN was agreed", function()
    -- Both ends are engines; the last ACK is lost, so that the FIN comes again.
    for _, marked in ipairs { false, true } do
      local net, client, server = lab.connected { client = { ecn = 3 }, server = { ecn = 3 } }
      assert.is_true(client:info().accecn)
      if marked then
        net.wire:mark { from = net.server, data = true, nth = 1 }
        server:write "x"
        assert.equal("x", client:read(1))
      end
      client:close()
      client = nil -- luacheck: ignore 311
      net:run { until_ = net:now() + 0.1 }
      net.wire:drop { from = net.client, nth = 1 }
      server:close()
      net:run { until_ = net:now() + 0.05 }
      assert.equal("LAST-ACK", server:state())
      net:collect()
      assert.equal(1, records(net.client))
      local mark = net.trace:mark() + 1
      net:run { until_ = net:now() + 3 }
      assert.equal("CLOSED", server:state())
      -- r.cep began with 5: 101; a mark has made 6 of it: 110.
      local lines = wire.lines(net, "flags", { since = mark, only = "client > server" })
      assert.same({ marked and "client > server AWN" or "client > server AEN" }, lines)
    end
  end)

  it("says the same as a large one: window, timestamps, TTL and DSCP", function()
    local packets = {}
    for i = 1, 2 do
      local options = { host = { ttl = 33, dscp = 10 } }
      for name, value in pairs(STAMPED) do options[name] = value end
      local net, peer, iss
      if i == 1 then
        local _
        net, _, peer, _, _, iss = waiting(options)
      else
        local conn
        net, conn, peer = wire.passive(options)
        conn:close()
        iss = conn:info().iss
        peer:expect { flags = "FA" }
        peer:send {
          flags = "FA", seq = 1001, ack = iss + 2, options = { timestamps = { value = 101, echo = 1 } },
        }
        peer:expect { flags = "A", ack = 1002 }
        net.held = conn
      end
      net:run { until_ = 3 }
      peer:send {
        flags = "FA", seq = 1001, ack = iss + 2, options = { timestamps = { value = 102, echo = 1 } },
      }
      local p = peer:expect { flags = "A", ack = 1002 }
      packets[i] = { p.seq, p.window, p.ttl, p.dscp, p.options.timestamps.value, p.options.timestamps.echo }
    end
    assert.same(packets[2], packets[1])
  end)

  it("answers old data by an ACK, and within bounds", function()
    local net, host, peer = waiting { host = { challenge_ack_limit = 3 } }
    peer:send { flags = "PA", seq = 1000, ack = 5002, payload = "x" }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    for _ = 1, 10 do peer:send { flags = "A", seq = 900, ack = 5002 } end
    net:run { until_ = 1 }
    assert.equal(3, #wire.drain(peer)) -- RFC 5961 section 7
    assert.equal(1, records(host))
  end)

  it("RFC9293:3.10.7.4-4 ends by a RST that is exactly right, and by no other", function()
    local net, host, peer = waiting()
    peer:send { flags = "R", seq = 1001 }
    peer:send { flags = "R", seq = 1003 }
    net:run { until_ = 1 }
    assert.equal(1, records(host))
    peer:send { flags = "R", seq = 1002 }
    net:run { until_ = 2 }
    assert.equal(0, records(host))
    assert.equal("CLOSED", select(2, left_at(net)))
  end)

  it("RFC1337:3-1 does not end by any RST where the setting says so, large or small", function()
    local net, host, peer = waiting { host = { time_wait_ignores_reset = true } }
    peer:send { flags = "R", seq = 1002 }
    net:run { until_ = 1 }
    assert.equal(1, records(host))

    local conn
    net, conn, peer = wire.passive { host = { time_wait_ignores_reset = true } }
    conn:close()
    peer:expect { flags = "FA" }
    peer:send { flags = "FA", seq = 1001, ack = 5002 }
    peer:expect { flags = "A" }
    peer:send { flags = "R", seq = 1002 }
    net:run { until_ = 1 }
    assert.equal("TIME-WAIT", conn:state())
  end)

  it("RFC9293:MAY-2 gives way to a SYN whose number is greater; the new one begins beyond the old", function()
    local net, host, peer, _, listener = waiting()
    peer:send { flags = "S", seq = 2000 }
    local answer = peer:expect { flags = "SA", ack = 2001 }
    assert.equal(1, host:counters().time_waits) -- until it is established
    peer:send { flags = "A", seq = 2001, ack = answer.seq + 1 }
    assert.equal("ESTABLISHED", listener:accept():state())
    assert.same({ 0, 0 }, { records(host), host:counters().time_waits })
    assert.is_true((answer.seq - 5002 & 0xffffffff) < 0x80000000)
    assert.equal("CLOSED", select(2, left_at(net)))
  end)

  it("does not give way to a SYN whose number lies before, or where nobody listens", function()
    local net, host, peer, _, listener = waiting()
    peer:send { flags = "S", seq = 900 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    listener:close()
    peer:send { flags = "S", seq = 2000 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    net:run { until_ = 1 }
    assert.equal(1, records(host))
  end)

  it("does not give way at all where time_wait_reuse is off", function()
    local _, host, peer = waiting { host = { time_wait_reuse = false } }
    peer:send { flags = "S", seq = 2000 }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    assert.equal(1, records(host))
  end)

  it("RFC6191:2-1 gives way to a later timestamp, whatever the number", function()
    local _, host, peer, _, listener, iss = waiting(STAMPED)
    peer:send { flags = "S", seq = 900, options = { timestamps = { value = 102, echo = 0 } } }
    local answer = peer:expect { flags = "SA", ack = 901 }
    assert.is_true((answer.seq - (iss + 2) & 0xffffffff) < 0x80000000)
    peer:send {
      flags = "A", seq = 901, ack = answer.seq + 1 & 0xffffffff,
      options = { timestamps = { value = 103, echo = answer.options.timestamps.value } },
    }
    assert.equal("ESTABLISHED", listener:accept():state())
    assert.equal(0, records(host))
  end)

  it("RFC6191:2-2 stays for an earlier timestamp, and goes by the number for the same", function()
    local _, host, peer = waiting(STAMPED)
    peer:send { flags = "S", seq = 2000, options = { timestamps = { value = 100, echo = 0 } } }
    peer:expect { flags = "A", ack = 1002 }
    peer:send { flags = "S", seq = 900, options = { timestamps = { value = 101, echo = 0 } } }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal(1, records(host))
    peer:send { flags = "S", seq = 2000, options = { timestamps = { value = 101, echo = 0 } } }
    peer:expect { flags = "SA", ack = 2001 }
  end)

  it("RFC6191:2-3 goes by the number when only the old one had timestamps", function()
    local options = { host = { require_timestamps = false } }
    for name, value in pairs(STAMPED) do options[name] = value end
    local _, host, peer = waiting(options)
    peer:send { flags = "S", seq = 1001 }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal(1, records(host))
    peer:send { flags = "S", seq = 1003 }
    peer:expect { flags = "SA", ack = 1004 }
  end)

  it("RFC6191:2-5 gives way to a SYN with timestamps when the old one had none", function()
    local _, host, peer = waiting()
    assert.equal(1, records(host))
    local options <const> = { timestamps = { value = 5, echo = 0 } }
    peer:send { flags = "S", seq = 900, options = options }
    peer:expect { flags = "SA", ack = 901 }

    _, host, peer = waiting { host = { timestamps = false } }
    peer:send { flags = "S", seq = 900, options = options }
    peer:expect { flags = "A", ack = 1002 }
    assert.equal(1, records(host))
  end)

  it("RFC6191:2-6 goes by the number when neither has timestamps: past the FIN", function()
    local _, _, peer = waiting()
    peer:send { flags = "S", seq = 1001 }
    peer:expect { flags = "A", ack = 1002 }
    peer:send { flags = "S", seq = 1003 }
    peer:expect { flags = "SA", ack = 1004 }
  end)

  it("RFC9293:MAY-2 comes back when the SYN was an old duplicate, for the time that was left", function()
    local net, host, peer, since = waiting { host = { msl = 5 } }
    net:run { until_ = since + 4 }
    peer:send { flags = "S", seq = 2000 }
    local answer = peer:expect { flags = "SA", ack = 2001 }
    peer:send { flags = "R", seq = 2001, ack = answer.seq + 1 }
    net:run { until_ = since + 5 }
    peer:send { flags = "PA", seq = 1000, ack = 5002, payload = "x" }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
    assert.equal(1, records(host))
    net:run { until_idle = true }
    assert.near(10, left_at(net) - since, 1e-6)
  end)

  it("comes back, and ends at once, when the time passed meanwhile", function()
    local net, host, peer, since = waiting { host = { msl = 2 } }
    peer:send { flags = "S", seq = 2000 }
    peer:expect { flags = "SA", ack = 2001 }
    net:run { until_ = since + 8 }
    peer:send { flags = "R", seq = 2001 }
    net:run { until_ = since + 9 }
    assert.same({ 0, 0, 0 }, { records(host), host:counters().time_waits, host:counters().connections })
  end)

  it("comes back when the listener is closed, and when the SYN found no room", function()
    local net, host, peer, _, listener = waiting()
    peer:send { flags = "S", seq = 2000 }
    peer:expect { flags = "SA" }
    listener:close()
    net:run { until_ = 1 }
    assert.equal(1, records(host))
    wire.drain(peer)

    local port
    net, _, peer, _, _, _, port = waiting { host = { syn_queue = 1 } }
    peer:send { flags = "S", seq = 1, source_port = 7 }
    peer:expect { flags = "SA", destination_port = 7 }
    peer:send { flags = "S", seq = 2000, source_port = port }
    net:run { until_ = net:now() + 0.1 }
    peer:send { flags = "PA", seq = 1000, ack = 5002, source_port = port, payload = "x" }
    peer:expect { flags = "A", seq = 5002, ack = 1002 }
  end)

  it("gives way to no cookie, but to a record, as long as there is room", function()
    local _, host, peer, _, listener = waiting { host = { syn_cookies = 2 } }
    peer:send { flags = "S", seq = 2000 }
    local answer = peer:expect { flags = "SA", ack = 2001 }
    assert.equal(1, host:counters().connections)
    peer:send { flags = "A", seq = 2001, ack = answer.seq + 1 & 0xffffffff }
    assert.equal("ESTABLISHED", listener:accept():state())
    assert.same({ 0, 1 }, { records(host), host:counters().syn_cookies_sent }) -- that of the first one
  end)

  it("RFC1122:4.2.2.13 makes room for an active OPEN of the same sockets", function()
    local net = lab.pair()
    local client = assert(net.client:connect(net.server, 80, { local_port = 5000 }))
    local server = net.listener:accept()
    client:close()
    server:close()
    net:run { until_ = 1 }
    local old = client:info()
    assert.equal("TIME-WAIT", old.state)
    client = nil -- luacheck: ignore 311
    net:collect()
    assert.equal(1, records(net.client))
    client = assert(net.client:connect(net.server, 80, { local_port = 5000 }))
    assert.is_true((client:info().iss - old.snd_nxt & 0xffffffff) < 0x80000000)
    assert.same({ 0, 0 }, { records(net.client), net.client:counters().time_waits })
  end)

  it("is made of a connection that was let go before", function()
    local net, client, server = lab.connected { client = { msl = 5 } }
    client:close()
    net:run { until_ = 1 }
    assert.equal("FIN-WAIT-2", client:state())
    client = nil -- luacheck: ignore 311
    net:collect()
    assert.equal(1, net.client:counters().connections)
    server:close()
    net:run { until_ = net:now() + 1 }
    assert.equal("CLOSED", server:state())
    assert.same({ 0, 1 }, { net.client:counters().connections, records(net.client) })
    net:run { until_idle = true }
    assert.equal(0, records(net.client))
  end)

  it("is left out where there are time_wait_most already: CLOSED at once, and counted", function()
    local net = lab.pair { client = { time_wait_most = 3 } }
    local servers = {}
    for i = 1, 5 do
      local client, server = lab.handshake(net)
      client:close()
      servers[i] = server
    end
    for i = 1, 5 do
      servers[i]:close()
      net:run { until_ = net:now() + 0.5 }
      assert.equal("CLOSED", servers[i]:state()) -- the last ACK came all the same
    end
    local counters = net.client:counters()
    assert.same({ 3, 2 }, { counters.time_waits, counters.time_waits_cut })
  end)

  it("answers for each of many, and ends each in its time", function()
    local net = lab.pair { client = { msl = 5 } }
    for i = 1, 50 do
      local client, server = lab.handshake(net)
      client:close()
      server:close()
      net:run { until_ = i / 10 }
    end
    net:collect()
    assert.equal(50, records(net.client))
    -- The 25th was closed at 2.4 s and a little.
    net:run { until_ = 12.4 }
    assert.equal(26, records(net.client))
    net:run { until_idle = true }
    assert.equal(0, records(net.client))
  end)
end)
