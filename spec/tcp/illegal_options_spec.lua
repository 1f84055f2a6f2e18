-- Options of illegal forms, kind by kind: of a wrong length, in the wrong place, more than once, with a value
-- that cannot be, or not agreed. They are ignored as their RFCs say, and counted.
local lab = require "support.lab"
local wire = require "support.wire"

-- kind: its name, and whether a whole length (kind and length octets included) is legal.
local KINDS <const> = {
  [2] = { "MSS", function(n) return n == 4 end },
  [3] = { "Window Scale", function(n) return n == 3 end },
  [4] = { "SACK-permitted", function(n) return n == 2 end },
  [5] = { "SACK", function(n) return n == 10 or n == 18 or n == 26 or n == 34 end },
  [8] = { "Timestamps", function(n) return n == 10 end },
  [19] = { "MD5", function(n) return n == 18 end },
  [28] = { "User Timeout", function(n) return n == 4 end },
  [29] = { "TCP-AO", function(n) return n >= 4 end },
  [34] = { "Fast Open", function(n) return n == 2 or (n >= 6 and n <= 18 and n % 2 == 0) end },
  [253] = { "experiment 253", function(n) return n >= 4 end },
  [254] = { "experiment 254", function(n) return n >= 4 end },
}
local ORDER <const> = { 2, 3, 4, 5, 8, 28, 34, 253, 254 }
local SIGNATURES <const> = { 19, 29 }

local function option(kind, length) return string.char(kind, length) .. ("\1"):rep(length - 2) end

local function pad(octets) return octets .. ("\1"):rep(-#octets % 4) end

-- A connection with all that can be agreed, or with nothing; the script's segments carry its timestamps.
local function passive(agreed, settings)
  settings = settings or {}
  settings.uto = agreed
  return wire.passive {
    host = settings,
    syn = { options = agreed and {
      mss = 1000, window_scale = 2, sack_permitted = true, timestamps = { value = 100, echo = 0 },
    } or { mss = 1000 } },
    ack_options = agreed and { timestamps = { value = 101, echo = 0 } } or nil,
  }
end

local STAMPED <const> = "\1\1\8\10\0\0\0\200\0\0\0\0" -- TSval 200

local function counters(host)
  local c = host:counters()
  return { c.options_malformed, c.options_misplaced, c.options_repeated, c.options_invalid }
end

describe("an option of an illegal length", function()
  it("RFC9293:MUST-7 in a SYN is as if it were not there", function()
    for _, kind in ipairs(ORDER) do
      local name, is_legal = KINDS[kind][1], KINDS[kind][2]
      for length = 2, 36 do
        if not is_legal(length) then
          local net, host, peer = lab.forge { host = { isn = 5000 } }
          local listener = host:listen(80)
          local what = ("%s of %d octets"):format(name, length)
          peer:send { flags = "S", seq = 1000, destination_port = 80, options = pad(option(kind, length)) }
          local answer = peer:expect { flags = "SA", ack = 1001 }
          assert.is_nil(answer.options.window_scale, what)
          assert.is_nil(answer.options.sack_permitted, what)
          assert.is_nil(answer.options.timestamps, what)
          peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "hello" }
          local conn = assert(listener:accept { timeout = 1 }, what)
          assert.equal("hello", conn:read(10), what)
          assert.equal(536, conn:info().snd_mss, what)
          assert.same({ 1, 0, 0, 0 }, counters(host), what)
          net:close()
        end
      end
    end
  end)

  it("RFC9293:MUST-7 in a later segment leaves the segment as it is", function()
    for _, agreed in ipairs { false, true } do
      for _, kind in ipairs(ORDER) do
        local name, is_legal = KINDS[kind][1], KINDS[kind][2]
        local net, conn, peer = passive(agreed)
        local before = conn:info()
        local room = agreed and 28 or 40
        local seq, bad = 1001, 0
        for length = 2, room do
          if not is_legal(length) then
            peer:send {
              flags = "PA", seq = seq, ack = 5001, payload = "x",
              options = pad((agreed and STAMPED or "") .. option(kind, length)),
            }
            seq, bad = seq + 1, bad + 1
          end
        end
        net:run { until_ = net:now() + 1 }
        local after = conn:info()
        assert.equal(bad, #conn:read(100), name)
        assert.same({ bad, 0, 0, 0 }, counters(net.host_under_test), name)
        for _, field in ipairs { "state", "snd_mss", "snd_wscale", "sack", "user_timeout", "timestamps" } do
          assert.equal(before[field], after[field], name)
        end
        net:close()
      end
    end
  end)

  it("RFC5925:2.2-3 of a signature ends the segment, whether keys are for it or not", function()
    for _, kind in ipairs(SIGNATURES) do
      for length = 2, 36 do
        if not KINDS[kind][2](length) then
          local net, host, peer = lab.forge { host = { isn = 5000 } }
          host:listen(80)
          peer:send { flags = "S", seq = 1000, destination_port = 80, options = pad(option(kind, length)) }
          net:run { until_ = 0.1 }
          assert.same({}, wire.drain(peer))
          assert.equal(1, host:counters().authentication.malformed)
          assert.same({ 1, 0, 0, 0 }, counters(host))
          net:close()
        end
      end
    end
  end)

  it("RFC9293:MUST-7 that breaks the list refuses the segment, and is counted", function()
    for _, kind in ipairs { 2, 3, 4, 5, 8, 19, 28, 29, 30, 34, 172, 174, 254, 99 } do
      for _, octets in ipairs { "\0\0\0", "\1\0\0", "\41\0\0", "\255\0\0" } do
        local net, conn, peer = wire.passive()
        peer:send {
          flags = "PA", seq = 1001, ack = 5001, payload = "x", options = string.char(kind) .. octets,
        }
        peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "y" }
        assert.equal("y", conn:read(10))
        assert.equal(1, net.host_under_test:counters().refused.LTCP_ERR_OPTION_LENGTH, kind)
        net:close()
      end
    end
  end)

  it("RFC9768:3.2.3 is none of an AccECN option: what is not a whole counter is not looked at", function()
    for _, kind in ipairs { 172, 174 } do
      for length = 2, 38 do
        local net, conn, peer = wire.passive { host = { ecn = 3 } }
        peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = pad(option(kind, length)) }
        assert.equal("x", conn:read(10))
        assert.same({ 0, 0, 0, 0 }, counters(net.host_under_test))
        net:close()
      end
    end
  end)
end)

describe("an option in the wrong place", function()
  it("RFC7323:2.2-2 RFC2018:2-1 that belongs to a SYN changes nothing later", function()
    for _, case in ipairs { { 2, "\2\4\0\100" }, { 3, "\3\3\7\0" }, { 4, "\4\2\0\0" } } do
      for _, agreed in ipairs { false, true } do
        local net, conn, peer = passive(agreed)
        local before = conn:info()
        peer:send {
          flags = "PA", seq = 1001, ack = 5001, payload = "x",
          options = (agreed and STAMPED or "") .. case[2],
        }
        assert.equal("x", conn:read(10))
        local after = conn:info()
        for _, field in ipairs { "snd_mss", "snd_wscale", "rcv_wscale", "window_scaling", "sack" } do
          assert.equal(before[field], after[field], field)
        end
        assert.same({ 0, 1, 0, 0 }, counters(net.host_under_test))
        net:close()
      end
    end
  end)

  it("SACK blocks in a SYN say nothing", function()
    local _, host, peer = lab.forge { host = { isn = 5000 } }
    local listener = host:listen(80)
    peer:send {
      flags = "S", seq = 1000, destination_port = 80,
      options = "\2\4\3\232\4\2\5\10\0\0\0\1\0\0\0\9",
    }
    peer:expect { flags = "SA", ack = 1001 }
    peer:send { flags = "A", seq = 1001, ack = 5001 }
    assert.is_true(assert(listener:accept()):info().sack)
    assert.same({ 0, 1, 0, 0 }, counters(host))
  end)

  it("RFC7413:4.1.1-1 Fast Open without SYN is ignored", function()
    local net, conn, peer = wire.passive()
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = "\34\6\1\2\3\4\1\1" }
    assert.equal("x", conn:read(10))
    assert.equal(1, net.host_under_test:counters().fast_open_ignored)
  end)

  it("RFC7323:3.2-7 timestamps that were not agreed are passed over", function()
    local net, conn, peer = passive(false)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = STAMPED }
    -- Were they looked at, this one would be rejected by PAWS.
    peer:send { flags = "PA", seq = 1002, ack = 5001, payload = "y", options = "\1\1\8\10\0\0\0\1\0\0\0\0" }
    net:run { until_ = net:now() + 0.1 }
    assert.equal("xy", conn:read(10))
    assert.equal(2, conn:info().options_ignored)
    conn:write "z"
    peer:expect { flags = "A" }
    assert.is_nil(peer:expect { flags = "PA" }.options.timestamps)
  end)

  it("SACK that was not agreed is passed over", function()
    local _, conn, peer = passive(false)
    conn:write(wire.pattern(3000))
    peer:expect { seq = 5001 }
    -- The last 500 octets: were they believed, the first would go again alone.
    peer:send { flags = "A", seq = 1001, ack = 5001, options = "\1\1\5\10\0\0\25\113\0\0\27\101" }
    conn.net:run { until_ = conn.net:now() + 0.1 }
    assert.equal(1, conn:info().options_ignored)
    assert.equal(conn:info().snd_nxt - conn:info().snd_una, conn:info().pipe + 1000) -- one duplicate ACK
  end)

  it("RFC5482:3-6 the user timeout where it is not in use says nothing", function()
    local _, conn, peer = passive(false)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = "\28\4\128\5" }
    assert.equal("x", conn:read(10))
    assert.is_nil(conn:info().uto_received)
  end)
end)

describe("an option that comes twice", function()
  it("is counted; in a SYN the last one counts", function()
    for _, case in ipairs {
      { "\2\4\2\88\2\4\3\32", function(info) return info.snd_mss end, 800 },
      { "\3\3\1\3\3\5\1\1", function(info) return info.snd_wscale end, 5 },
      { "\4\2\4\2", function(info) return info.sack end, true },
      { "\1\1\8\10\0\0\0\9\0\0\0\0\1\1\8\10\0\0\0\7\0\0\0\0",
        function(info) return info.timestamps end, true },
    } do
      local net, host, peer = lab.forge { host = { isn = 5000 } }
      local listener = host:listen(80)
      peer:send { flags = "S", seq = 1000, destination_port = 80, options = case[1] }
      local answer = peer:expect { flags = "SA", ack = 1001 }
      if answer.options.timestamps then assert.equal(7, answer.options.timestamps.echo) end
      peer:send {
        flags = "A", seq = 1001, ack = 5001,
        options = answer.options.timestamps and "\1\1\8\10\0\0\0\10\0\0\0\0" or nil,
      }
      assert.equal(case[3], case[2](assert(listener:accept()):info()))
      assert.same({ 0, 0, 1, 0 }, counters(host))
      net:close()
    end
  end)

  it("is counted later as well, and the segment is taken", function()
    for _, options in ipairs {
      STAMPED .. STAMPED, -- Timestamps
      STAMPED .. "\28\4\0\120\28\4\0\121", -- User Timeout
      STAMPED .. "\5\10\0\0\19\137\0\0\19\138\5\10\0\0\19\137\0\0\19\138\1\1\1\1", -- SACK
      STAMPED .. "\172\5\0\0\1\174\5\0\0\1\1\1", -- both orders of AccECN
    } do
      local net, conn, peer = passive(true)
      peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = options }
      assert.equal("x", conn:read(10))
      assert.equal(1, net.host_under_test:counters().options_repeated)
      net:close()
    end
  end)

  it("is no matter for kinds that nobody knows, and for padding", function()
    local net, conn, peer = wire.passive()
    peer:send {
      flags = "PA", seq = 1001, ack = 5001, payload = "x",
      options = "\99\3\1\99\3\2\254\4\1\1\254\4\1\1\1\1\1\1\0\0",
    }
    assert.equal("x", conn:read(10))
    assert.same({ 0, 0, 0, 0 }, counters(net.host_under_test))
  end)

  it("RFC5925:2.2-2 ends a segment where it is a signature", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    host:listen(80)
    for i, twice in ipairs {
      option(19, 18) .. option(19, 18), option(29, 16) .. option(29, 16), option(29, 16) .. option(19, 18),
    } do
      peer:send { flags = "S", seq = 1000, destination_port = 80, options = pad(twice) }
      net:run { until_ = i }
      assert.same({}, wire.drain(peer))
      assert.equal(i, host:counters().authentication.malformed)
    end
  end)
end)

describe("an option with a value that cannot be", function()
  it("RFC7323:2.3-3 RFC7323:2.3-4 a shift above 14 is 14", function()
    for _, shift in ipairs { 14, 15, 31, 255 } do
      local net, conn = wire.passive { syn = { options = { mss = 1000, window_scale = shift } } }
      assert.equal(14, conn:info().snd_wscale)
      assert.same({ 0, 0, 0, shift > 14 and 1 or 0 }, counters(net.host_under_test))
      net:close()
    end
  end)

  it("RFC9293:MUST-14 an MSS that leaves no room is raised", function()
    for _, mss in ipairs { 0, 1, 47, 48 } do
      local net, conn = wire.passive { syn = { options = { mss = mss } } }
      assert.equal(48, conn:info().snd_mss)
      assert.same({ 0, 0, 0, mss < 48 and 1 or 0 }, counters(net.host_under_test))
      net:close()
    end
  end)

  it("SACK blocks that run backwards or beyond what was sent mark nothing", function()
    local net, conn, peer = passive(true, { initial_window = 4 })
    conn:write(wire.pattern(3 * 988))
    net:run { until_ = net:now() + 0.1 }
    local function block(left, right) return "\1\1\5\10" .. string.pack(">I4I4", left, right) end
    local cases = { { 6000, 5900 }, { 6000, 6000 }, { 6000, 20000 }, { 5001 + 3000, 5001 + 3001 } }
    for i, case in ipairs(cases) do
      peer:send {
        flags = "A", seq = 1001, ack = 5001, options = STAMPED .. block(case[1], case[2]),
      }
      net:run { until_ = net:now() + 0.03 }
      assert.equal(i, conn:info().options_ignored, i)
      assert.equal(0, conn:info().dsacks_received)
      assert.equal(3 * 988, conn:info().bytes_sent)
    end
  end)

  it("RFC5482:3.4-2 a user timeout of zero is ignored", function()
    local _, conn, peer = passive(true)
    peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = STAMPED .. "\28\4\0\0" }
    peer:send { flags = "PA", seq = 1002, ack = 5001, payload = "y", options = STAMPED .. "\28\4\128\0" }
    conn.net:run { until_ = conn.net:now() + 0.1 }
    assert.equal("xy", conn:read(10))
    assert.equal(2, conn:info().uto_ignored)
  end)
end)

describe("an option of a kind that nobody knows", function()
  it("RFC9293:MUST-6 RFC9293:MUST-68 is passed over by its length, in SYNs and later", function()
    for kind = 0, 255 do
      if not KINDS[kind] and kind > 1 and kind ~= 172 and kind ~= 174 then
        local net, host, peer = lab.forge { host = { isn = 5000 } }
        local listener = host:listen(80)
        local unknown = string.char(kind, 6, 0, 8, 1, 1)
        peer:send { flags = "S", seq = 1000, destination_port = 80, options = unknown .. "\1\1\2\4\3\32\0\0" }
        peer:expect { flags = "SA", ack = 1001 }
        peer:send { flags = "PA", seq = 1001, ack = 5001, payload = "x", options = pad(unknown) }
        local conn = assert(listener:accept { timeout = 1 })
        assert.equal("x", conn:read(10))
        assert.equal(800, conn:info().snd_mss)
        assert.same({ 0, 0, 0, 0 }, counters(host))
        net:close()
      end
    end
  end)
end)
