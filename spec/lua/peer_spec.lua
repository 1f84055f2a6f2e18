local lab = require "support.lab"
local tcp = require "lunatcp"

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

-- The three-way handshake of RFC 9293 figure 6, the script being one side of it.
local function opened()
  local net, host, peer = lab.forge { host = { isn = 5000 } }
  local listener = assert(host:listen(80))
  peer:send { flags = "S", seq = 1000, destination_port = 80 }
  peer:expect { flags = "SA", seq = 5000, ack = 1001 }
  peer:send { flags = "A", seq = 1001, ack = 5001 }
  return net, assert(listener:accept()), peer
end

describe("a peer", function()
  it("opens, sends and closes by segments of its own", function()
    local net, conn, peer = opened()
    assert.equal("ESTABLISHED", conn:state())
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
    assert.equal("hello", conn:read(100))
    peer:expect { flags = "A", ack = 1006, length = 0 }
    conn:write "world"
    peer:expect { seq = 5001, payload = "world", flags = function(flags) return flags.ack end }
    peer:send { flags = "FA", seq = 1006, ack = 5006 }
    peer:expect { flags = "A", ack = 1007 }
    assert.is_nil(conn:read(1))
    conn:close()
    peer:expect { flags = "FA", seq = 5006, ack = 1007 }
    peer:send { flags = "A", seq = 1007, ack = 5007 }
    net:run { until_idle = true }
    assert.equal("CLOSED", conn:state())
  end)

  it("works in a task too", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    local got
    net:spawn(function()
      peer:send { to = host, flags = "S", seq = 1, destination_port = 80, options = { mss = 500 } }
      got = peer:expect { flags = "SA", ack = 2, options = { mss = 1460 } }
    end)
    net:run()
    assert.equal(80, got.source_port)
    assert.equal(0.02, got.time)
  end)

  it("is answered by a reset where nobody listens, RFC9293:3.10.7.1", function()
    local _, _, peer = lab.forge()
    peer:send { flags = "S", seq = 1000, destination_port = 81 }
    peer:expect { flags = "RA", seq = 0, ack = 1001 }
    peer:send { flags = "A", seq = 1000, ack = 7777, destination_port = 81 }
    peer:expect { flags = "R", seq = 7777 }
  end)

  it("answers whom it heard last, with the addresses that were used", function()
    local net = tcp.network { seed = 1 }
    local host, peer, other = net:host "host", net:peer "peer", net:host "other"
    net:link(peer, host)
    net:link(peer, other)
    other:connect_start(peer, 7)
    peer:expect { flags = "S", destination_port = 7 }
    local mark = net.trace:mark()
    peer:send { flags = "R", seq = 0 }
    net:settle()
    local sent = net.trace:packets { kind = "sent", since = mark + 1 }[1].segment
    assert.equal(other:address(), sent.destination)
    assert.equal(peer:address(other), sent.source)
    assert.equal(7, sent.source_port)
    peer:send { to = host, flags = "R", seq = 0 }
    net:settle()
    sent = net.trace:packets { kind = "sent", since = mark + 1 }[2].segment
    assert.equal(peer:address(host), sent.source)
  end)

  it("sees that nothing comes", function()
    local net, conn, peer = opened()
    local before = net:now()
    assert.is_true(peer:expect_nothing(3))
    assert.equal(before + 3, net:now())
    conn:write "x"
    local message = message_of(peer.expect_nothing, peer, 1)
    assert.matches("a packet came where none was expected", message)
    assert.matches("%* flags  expected nothing, got PA", message)
  end)

  it("says line, time, fields and ladder when an expectation fails", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80 }
    local message = message_of(peer.expect, peer, { flags = "SA", ack = 1002, seq = 5000 })
    assert.matches("^.-peer_spec%.lua:%d+: expectation failed at 0%.020000 s: "
      .. "the packet is not what was expected", message)
    assert.matches("\n    flags expected SA, got SA\n", message, 1, true)
    assert.matches("\n    seq   expected 5000, got 5000\n", message, 1, true)
    assert.matches("\n  * ack   expected 1002, got 1001\n", message, 1, true)
    assert.matches("SYN,ACK seq 0 ack 1", message, 1, true)
  end)

  it("says so when nothing comes", function()
    local _, _, peer = opened()
    local message = message_of(peer.expect, peer, { flags = "F", timeout = 2 })
    assert.matches("expectation failed at 2%.0%d+ s: nothing came", message)
    assert.matches("* flags expected F, got nothing", message, 1, true)
  end)

  it("lets a script judge, and options be absent", function()
    local _, host, peer = lab.forge { host = { timestamps = false } }
    host:listen(80)
    peer:send { flags = "S", seq = 1, destination_port = 80, options = { mss = 1000, window_scale = 2 } }
    peer:expect {
      seq = function(seq) return seq >= 0 end,
      options = { timestamps = false, window_scale = function(shift) return shift <= 14 end },
    }
  end)

  it("names what it does not know", function()
    local _, _, peer = lab.forge()
    assert.matches("expect: unknown key 'akc'; known are ack,", message_of(peer.expect, peer, { akc = 1 }))
    assert.matches("send: destination_port: needed until something was received",
      message_of(peer.send, peer, { flags = "S" }))
    assert.matches("send: to: 'elsewhere' is no address", message_of(peer.send, peer, { to = "elsewhere" }))
    assert.matches("unknown option 'flgas'; known: source,",
      message_of(peer.send, peer, { flgas = "S", destination_port = 1 }))
  end)

  it("keeps what came in order, and no more than so much of it", function()
    local net, host, peer = lab.forge()
    net:run { until_ = 0 }
    for i = 1, 10000 do
      host:forge { source = host:address(), destination = peer:address(), seq = i }
      if i % 1000 == 0 then net:run { until_ = net:now() + 1 } end
    end
    for i = 1, 8192 do assert.equal(i, peer:receive().seq) end
    assert.is_nil((peer:receive { timeout = 0 }))
  end)

  it("sends what is malformed as it is told, and nothing worse than a count comes of it", function()
    local net, host, peer = lab.forge()
    host:listen(80)
    peer:send "\x45"
    peer:send(("\xff"):rep(100))
    peer:send { flags = "S", destination_port = 80, checksum = 1 }
    peer:send { flags = "S", destination_port = 80, header_length = 8 }
    assert.is_true(peer:expect_nothing(1))
    local refused = host:counters().refused
    assert.equal(1, refused.LTCP_ERR_CHECKSUM)
    assert.equal(1, refused.LTCP_ERR_DATA_OFFSET)
    assert.is_table(net)
  end)
end)
