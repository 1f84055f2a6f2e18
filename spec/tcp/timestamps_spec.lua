-- RFC 7323: timestamps, their echo, and PAWS.
local lab = require "support.lab"
local wire = require "support.wire"

-- The script's timestamps begin at 100; the host's own value is given back as it came last.
local function opened(host)
  local net, h, peer = lab.forge {
    host = (function()
      local settings = { isn = 5000 }
      for key, value in pairs(host or {}) do settings[key] = value end
      return settings
    end)(),
  }
  local listener = assert(h:listen(80))
  peer:send {
    flags = "S", seq = 1000, destination_port = 80,
    options = { mss = 1000, timestamps = { value = 100, echo = 0 } },
  }
  local answer = peer:expect { flags = "SA", options = { timestamps = { echo = 100 } } }
  local script = { theirs = answer.options.timestamps.value }
  function script.send(fields, value)
    fields.options = { timestamps = { value = value, echo = script.theirs } }
    fields.ack = fields.ack or 5001
    peer:send(fields)
  end
  script.send({ flags = "A", seq = 1001 }, 101)
  return net, assert(listener:accept()), peer, script
end

describe("timestamps", function()
  it("RFC7323:3.2-4 are on every segment once they are agreed", function()
    local net, client, server = lab.connected()
    client:write(wire.pattern(5000))
    assert.equal(5000, #server:read_exactly(5000))
    client:close()
    server:close()
    net:run { until_idle = true }
    for _, line in ipairs(wire.lines(net, "flags options")) do
      assert.is_truthy(line:find("ts", 1, true) or line:find(" R", 1, true), line)
    end
  end)

  it("RFC7323:3.2-3 are on no segment where they were not", function()
    local net, client, server = lab.connected { server = { timestamps = false } }
    client:write "x"
    assert.equal("x", server:read(1))
    for i, line in ipairs(wire.lines(net, "flags options")) do
      if i > 1 then assert.is_nil(line:find("ts", 1, true)) end
    end
  end)

  it("RFC7323:3.2-5 are missed: a segment without them is dropped in silence, but for a RST", function()
    local net, conn, peer = opened()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "unstamped" }
    peer:send { flags = "A", seq = 900, ack = 5001 }
    peer:expect_nothing(1)
    assert.equal(1001, conn:info().rcv_nxt)
    peer:send { flags = "R", seq = 1001 }
    net:run { until_ = net:now() + 1 }
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC7323:4.1-1 RFC7323:5.4-1 "
    .. "tick between once a millisecond and once a second, and never back", function()
    local net, conn, peer, script = opened()
    conn:write "a"
    local first = peer:expect({ payload = "a" }).options.timestamps.value
    script.send({ flags = "A", seq = 1001, ack = 5002 }, 102)
    net:run { until_ = 100 }
    conn:write "b"
    local second = peer:expect({ payload = "b" }).options.timestamps.value
    local ticks = second - first & 0xffffffff
    assert.is_true(ticks >= 99 and ticks <= 100000, ticks)
  end)

  it("RFC7323:5.4 RFC7323:7-1 "
    .. "begin at a value that can be set, and is else a secret of the pair of sockets", function()
    local _, host, peer = lab.forge { host = { timestamp_offset = 0xfffffff0 } }
    host:connect_start(peer, 80)
    local value = peer:expect({ flags = "S" }).options.timestamps.value
    assert.is_true(value >= 0xfffffff0 or value < 100, value)
    local seen = {}
    for port = 1, 20 do
      local _, other, far = lab.forge()
      other:connect_start(far, 80, { local_port = 2000 + port })
      local ts = far:expect({ flags = "S" }).options.timestamps.value
      assert.is_nil(seen[ts])
      seen[ts] = true
    end
  end)

  it("RFC7323:4.3 echo the value of the segment that moved the left edge", function()
    local _, _, peer, script = opened()
    script.send({ flags = "PA", seq = 1001, payload = "x" }, 200)
    peer:expect { flags = "A", ack = 1002, options = { timestamps = { echo = 200 } } }
  end)

  it("RFC7323:4.3-1 (A) echo the earliest value when an ACK was delayed", function()
    local net, _, peer, script = opened()
    script.send({ flags = "A", seq = 1001, payload = "x" }, 200)
    net:run { until_ = net:now() + 0.05 }
    script.send({ flags = "A", seq = 1002, payload = "y" }, 300)
    peer:expect { flags = "A", ack = 1003, options = { timestamps = { echo = 200 } } }
  end)

  it("RFC7323:4.3-2 (B) echo the last value in order when something is missing", function()
    local net, _, peer, script = opened()
    script.send({ flags = "A", seq = 1001, payload = "x" }, 200)
    net:run { until_ = 1 }
    peer:expect { ack = 1002 }
    script.send({ flags = "A", seq = 1003, payload = "z" }, 300)
    peer:expect { ack = 1002, options = { timestamps = { echo = 200 } } }
  end)

  it("RFC7323:4.3-3 (C) echo the value of what filled the hole", function()
    local net, _, peer, script = opened()
    script.send({ flags = "A", seq = 1002, payload = "y" }, 200)
    peer:expect { ack = 1001 }
    net:run { until_ = 1 }
    script.send({ flags = "A", seq = 1001, payload = "x" }, 300)
    peer:expect { ack = 1003, options = { timestamps = { echo = 300 } } }
  end)

  it("RFC7323:4.1-2 measure the round trip of each ACK", function()
    local net, client, server = lab.connected { link = { delay = 0.05 } }
    net.wire:configure { delay = 0.1 }
    for _ = 1, 60 do
      client:write "x"
      assert.equal("x", server:read(1))
      client:flush()
    end
    assert.near(0.2, client:info().latest_rtt, 0.21) -- with the delay of the ACK
    assert.is_true(client:info().srtt >= 0.19, client:info().srtt)
  end)
end)

describe("PAWS", function()
  it("RFC7323:5.3-1 drops a segment with an older value, and acknowledges", function()
    local net, conn, peer, script = opened()
    script.send({ flags = "PA", seq = 1001, payload = "new" }, 1000)
    assert.equal("new", conn:read(10))
    peer:expect { ack = 1004 }
    script.send({ flags = "PA", seq = 1004, payload = "old" }, 999)
    peer:expect { flags = "A", seq = 5001, ack = 1004, timeout = 0.021 }
    net:run { until_ = 1 }
    assert.equal(0, conn:info().unread)
    assert.equal(1, conn:info().paws_rejected)
  end)

  it("RFC7323:5.3 takes an equal value", function()
    local _, conn, _, script = opened()
    script.send({ flags = "PA", seq = 1001, payload = "one" }, 1000)
    script.send({ flags = "PA", seq = 1004, payload = "two" }, 1000)
    assert.equal("onetwo", conn:read_exactly(6))
  end)

  it("RFC7323:5.3 compares in a circle of 2^32", function()
    local net, conn, _, script = opened()
    -- From 101 on by less than 2^31 at a time, round to 50; each is acknowledged before the next.
    for i, value in ipairs { 0x70000000, 0xe0000000, 50 } do
      script.send({ flags = "PA", seq = 1000 + i, payload = "x" }, value)
      assert.equal("x", conn:read(1))
      net:run { until_ = i }
    end
    assert.equal(0, conn:info().paws_rejected)
  end)

  it("RFC7323:5.2-2 does not apply to a RST", function()
    local net, conn, _, script = opened()
    script.send({ flags = "PA", seq = 1001, payload = "new" }, 1000)
    assert.equal("new", conn:read(10))
    script.send({ flags = "R", seq = 1004 }, 1)
    net:run { until_ = 1 }
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC7323:3.2 drops a segment without timestamps", function()
    local net, conn, peer = opened()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "bare" }
    net:run { until_ = 1 }
    assert.equal(0, conn:info().unread)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC7323:3.2 takes a RST without timestamps", function()
    local net, conn, peer = opened()
    peer:send { flags = "R", seq = 1001 }
    net:run { until_ = 1 }
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC7323:5.5-1 lets go of TS.Recent after 24 days of silence", function()
    local net, conn, _, script = opened()
    script.send({ flags = "PA", seq = 1001, payload = "a" }, 1000)
    assert.equal("a", conn:read(1))
    net:run { until_ = 25 * 86400 }
    -- Their clock has gone round by more than half.
    script.send({ flags = "PA", seq = 1002, payload = "b" }, 1000 - 10 & 0xffffffff)
    assert.equal("b", conn:read(1, { timeout = 1 }))
  end)

  it("is not led astray by a value on a segment outside of the window", function()
    local net, conn, peer, script = opened()
    script.send({ flags = "PA", seq = 0x50000000, payload = "forged" }, 0x70000000)
    net:run { until_ = 1 }
    wire.drain(peer)
    script.send({ flags = "PA", seq = 1001, payload = "true" }, 102)
    assert.equal("true", conn:read(10, { timeout = 1 }))
  end)
end)
