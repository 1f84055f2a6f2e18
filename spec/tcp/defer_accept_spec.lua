-- A listener that keeps connections until they have data (TCP_DEFER_ACCEPT's like).
local lab = require "support.lab"
local wire = require "support.wire"

local function forge(settings)
  settings.isn = 5000
  local net, host, peer = lab.forge { host = settings }
  local listener = host:listen(80, { backlog = 3 })
  local function shake(port)
    peer:send { flags = "S", seq = 1000, source_port = port, destination_port = 80 }
    peer:expect { flags = "SA", destination_port = port }
    peer:send { flags = "A", seq = 1001, ack = 5001, source_port = port, destination_port = 80 }
  end
  local function say(port, what)
    peer:send {
      flags = "PA", seq = 1001, ack = 5001, payload = what, source_port = port, destination_port = 80,
    }
  end
  return net, host, peer, listener, shake, say
end

describe("defer_accept", function()
  it("keeps a connection until its peer has spoken; who speaks first is accepted first", function()
    local _, host, _, listener, shake, say = forge { defer_accept = 10 }
    shake(1)
    shake(2)
    assert.is_nil(listener:accept { timeout = 1 })
    say(2, "two")
    local conn = assert(listener:accept { timeout = 1 })
    assert.equal(2, conn.remote_port)
    assert.equal("two", conn:read(10))
    assert.is_true(conn:info().accept_deferred)
    assert.is_nil(listener:accept { timeout = 1 })
    say(1, "one")
    assert.equal(1, assert(listener:accept { timeout = 1 }).remote_port)
    assert.equal(2, host:counters().accepts_deferred)
  end)

  it("gives it as it is once the time is over", function()
    local net, host, _, listener, shake = forge { defer_accept = 10 }
    shake(1)
    local began = net:now()
    local conn = assert(listener:accept { timeout = 60 })
    assert.near(10, net:now() - began, 0.1)
    assert.equal("ESTABLISHED", conn:state())
    assert.is_true(conn:info().accept_deferred)
    assert.equal(1, host:counters().accepts_deferred)
  end)

  it("does not wait where data came with the handshake's end, nor counts that", function()
    local _, host, peer, listener = forge { defer_accept = 10 }
    peer:send { flags = "S", seq = 1000, source_port = 1, destination_port = 80 }
    peer:expect { flags = "SA" }
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hi", source_port = 1, destination_port = 80 }
    local conn = assert(listener:accept { timeout = 0.5 })
    assert.equal("hi", conn:read(2))
    assert.is_false(conn:info().accept_deferred)
    assert.equal(0, host:counters().accepts_deferred)
  end)

  it("shows a peer that closes without a word, and none that resets", function()
    local net, host, peer, listener, shake = forge { defer_accept = 10 }
    shake(1)
    shake(2)
    peer:send { flags = "R", seq = 1001, source_port = 2, destination_port = 80 }
    peer:send { flags = "FA", seq = 1001, ack = 5001, source_port = 1, destination_port = 80 }
    local conn = assert(listener:accept { timeout = 1 })
    assert.equal(1, conn.remote_port)
    assert.is_nil((conn:read(1)))
    assert.equal("CLOSE-WAIT", conn:state())
    net:run { until_ = net:now() + 20 }
    assert.is_nil(listener:accept { timeout = 1 })
    assert.equal(1, host:counters().connections)
  end)

  it("is not waiting for data ahead of a gap", function()
    local _, _, peer, listener, shake, say = forge { defer_accept = 10 }
    shake(1)
    peer:send { flags = "PA", seq = 1004, ack = 5001, payload = "d", source_port = 1, destination_port = 80 }
    assert.is_nil(listener:accept { timeout = 1 })
    say(1, "abc")
    assert.equal("abcd", assert(listener:accept { timeout = 1 }):read(10))
  end)

  it("bounds those who are silent as those that are half open", function()
    local net, host, peer, listener, shake = forge { defer_accept = 3600 }
    for port = 1, 3 do shake(port) end
    peer:send { flags = "S", seq = 1000, source_port = 4, destination_port = 80 }
    net:run { until_ = net:now() + 1 }
    assert.same({}, wire.drain(peer))
    assert.is_true(host:counters().listen_overflows > 0)
    assert.is_nil(listener:accept { timeout = 1 })
    assert.equal(3, host:counters().connections)
  end)

  it("does not keep what a SYN cookie brings beyond that bound", function()
    local _, _, peer, listener, shake = forge { defer_accept = 3600, syn_cookies = 1, timestamps = false }
    for port = 1, 3 do shake(port) end
    peer:send { flags = "S", seq = 1000, source_port = 4, destination_port = 80 }
    local answer = peer:expect { flags = "SA", destination_port = 4 }
    peer:send { flags = "A", seq = 1001, ack = answer.seq + 1, source_port = 4, destination_port = 80 }
    assert.equal(4, assert(listener:accept { timeout = 1 }).remote_port)
    assert.is_nil(listener:accept { timeout = 1 })
  end)

  it("leaves keep-alive its own time afterwards", function()
    local net, _, peer, listener, shake, say =
      forge { defer_accept = 3600, keepalive = true, keepalive_idle = 5, keepalive_interval = 1 }
    shake(1)
    net:run { until_ = net:now() + 20 }
    assert.same({}, wire.drain(peer)) -- no probe while it is kept
    say(1, "x")
    assert(listener:accept { timeout = 1 })
    peer:expect { flags = "A", seq = 5001, ack = 1002 }
    peer:expect { flags = "A", seq = 5000 }
    assert.near(25, net:now(), 0.5)
  end)

  it("resets those that it keeps when it is closed", function()
    local _, host, peer, listener, shake = forge { defer_accept = 10 }
    shake(1)
    listener:close()
    peer:expect { flags = "R", seq = 5001, destination_port = 1 }
    assert.equal(0, host:counters().connections)
  end)

  it("is 0 by itself: a connection shows at once", function()
    local _, host, _, listener, shake = forge {}
    shake(1)
    local conn = assert(listener:accept { timeout = 0.1 })
    assert.is_false(conn:info().accept_deferred)
    assert.equal(0, host:counters().accepts_deferred)
  end)
end)
