-- The user timeout option, RFC 5482; R1 and R2 by time and by count, RFC 1122 section 4.2.3.5.
local lab = require "support.lab"
local tcp = require "lunatcp"
local wire = require "support.wire"

local MINUTES <const> = 0x8000

-- The host opens, and the script answers with an option of its own (raw 16 bits) or without.
local function active(settings, answer)
  local host_settings = { uto = true }
  for key, value in pairs(settings or {}) do host_settings[key] = value end
  local net, host, peer = lab.forge { host = host_settings }
  local conn = host:connect_start(peer, 80)
  local syn = peer:expect { flags = "S" }
  peer:send {
    flags = "SA", seq = 1000, ack = syn.seq + 1 & 0xffffffff, window = 65535,
    options = { mss = 1000, user_timeout = answer },
  }
  local ack = peer:expect { flags = "A" }
  return net, conn, peer, syn, ack
end

local function passive(settings, options)
  local host_settings = { uto = true }
  for key, value in pairs(settings or {}) do host_settings[key] = value end
  return wire.passive { host = host_settings, syn = { options = options or { mss = 1000 } } }
end

describe("the user timeout option", function()
  it("RFC5482:3-3 is on SYN and SYN-ACK, RFC5482:3-4 and on the first segment without SYN", function()
    local _, _, _, syn, ack = active { user_timeout = 200 }
    assert.equal(200, syn.options.user_timeout)
    assert.equal(200, ack.options.user_timeout)
    local net, host, peer = lab.forge { host = { uto = true, user_timeout = 150 } }
    local listener = host:listen(80)
    peer:send { flags = "S", seq = 1000, destination_port = 80, options = { mss = 1000 }, window = 65535 }
    local answer = peer:expect { flags = "SA" }
    assert.equal(150, answer.options.user_timeout)
    peer:send { flags = "A", seq = 1001, ack = answer.seq + 1, window = 65535 }
    local conn = assert(listener:accept())
    conn:write "x"
    assert.equal(150, peer:expect({ payload = "x" }).options.user_timeout)
    peer:send { flags = "A", seq = 1001, ack = answer.seq + 2 }
    conn:write "y"
    assert.is_nil(peer:expect({ payload = "y" }).options.user_timeout) -- said once
    net:close()
  end)

  it("RFC5482:3-7 is neither sent nor looked at unless it is enabled, which it is not by itself", function()
    for _, profile in ipairs { "rfc", "linux" } do assert.is_false(tcp.profile(profile).uto) end
    local net, conn, peer, syn, ack = active({ uto = false, user_timeout = 200 }, 500)
    assert.is_nil(syn.options.user_timeout)
    assert.is_nil(ack.options.user_timeout)
    assert.equal(200, conn:info().user_timeout)
    assert.is_nil(conn:info().uto_received)
    peer:send { flags = "A", seq = 1001, ack = conn:info().snd_nxt, options = { user_timeout = 900 } }
    net:run { until_ = net:now() + 0.1 }
    assert.equal(200, conn:info().user_timeout)
  end)

  it("RFC5482:3-6 of which nothing is known is ignored: data beside it is taken", function()
    local net, conn, peer = active({ uto = false })
    peer:send {
      flags = "PA", seq = 1001, ack = conn:info().snd_nxt, options = { user_timeout = 900 }, payload = "data",
    }
    net:run { until_ = net:now() + 0.1 }
    assert.equal("data", conn:read(10))
  end)

  it("RFC5482:3-1 says the default where nothing else is told", function()
    local _, _, _, syn = active()
    assert.equal(300, syn.options.user_timeout) -- R2 of the profile rfc
    _, _, _, syn = active { user_timeout = 77 }
    assert.equal(77, syn.options.user_timeout)
    _, _, _, syn = active { user_timeout = 77, uto_advertise = 500 }
    assert.equal(500, syn.options.user_timeout)
    _, _, _, syn = active { r2_time = 0, r2_count = 15 }
    assert.equal(300, syn.options.user_timeout)
  end)

  it("RFC5482:3.3-1 counts in minutes with its upper bit, RFC5482:3.3-2 and has 15 bits", function()
    for seconds, field in pairs {
      [1] = 1, [0.2] = 1, [1.5] = 2, [32767] = 32767, [32768] = MINUTES | 547, [86400] = MINUTES | 1440,
      [1966020] = MINUTES | 32767,
    } do
      local _, _, _, syn = active { uto_advertise = seconds }
      assert.equal(field, syn.options.user_timeout)
    end
    for field, seconds in pairs { [200] = 200, [32767] = 32767, [MINUTES | 5] = 300,
      [MINUTES | 32767] = 1966020 } do
      local _, conn = active({}, field)
      assert.equal(seconds, conn:info().uto_received)
    end
  end)

  it("RFC5482:3.1-6 RFC5482:3.1-5 adopts the greater of both, RFC5482:3.1-3 between the limits", function()
    local cases = { -- ours, theirs, adopted
      { 200, 150, 200 }, { 200, 400, 400 }, { 200, MINUTES | 10, 600 }, { 200, 32767, 3600 }, { 20, 30, 100 },
      { 7200, 5, 3600 }, { 200, nil, 200 },
    }
    for _, case in ipairs(cases) do
      local _, conn = active({ uto_advertise = case[1] }, case[2])
      assert.equal(case[3], conn:info().user_timeout)
      local _, other = passive({ uto_advertise = case[1] }, { mss = 1000, user_timeout = case[2] })
      assert.equal(case[3], other:info().user_timeout)
    end
    local _, conn = active({ uto_advertise = 20, uto_least = 10, uto_most = 50 }, 40)
    assert.equal(40, conn:info().user_timeout)
    _, conn = active({ uto_advertise = 20, uto_least = 10, uto_most = 50 }, 400)
    assert.equal(50, conn:info().user_timeout)
    assert.equal(100, tcp.profile("rfc").uto_least)
  end)

  it("RFC5482:3.1-7 stays beyond the retransmission timeout", function()
    local net, conn, peer = active({ uto_advertise = 1, uto_least = 0, rto_initial = 20 }, 2)
    assert.is_true(conn:info().user_timeout > conn:info().rto)
    conn:write "x"
    peer:expect { payload = "x" }
    net:run { until_ = net:now() + 1 }
    assert.equal("ESTABLISHED", conn:state())
    assert.is_true(conn:info().user_timeout > conn:info().rto)
  end)

  it("RFC5482:3.1-4 ends the connection then, and not before", function()
    for adopted, field in pairs { [120] = 120, [400] = 400 } do
      local net, conn, peer = active({ uto_advertise = 110, r2_time = 300 }, field)
      conn:write "x"
      local sent = peer:expect { payload = "x" }
      net:run { until_ = sent.time + adopted - 1 }
      assert.equal("ESTABLISHED", conn:state())
      net:run { until_ = sent.time + adopted + 1 }
      assert.equal("CLOSED", conn:state())
      assert.equal("ETIMEDOUT", conn:info().code)
    end
    -- by count, too: the user timeout takes its place
    local net, conn, peer = active({ profile = "linux", uto_advertise = 110 }, 3000)
    conn:write "x"
    local sent = peer:expect { payload = "x" }
    net:run { until_ = sent.time + 2900 }
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC5482:3-2 RFC5482:3.1-1 changes nothing where the user has set one, RFC5482:3.1-2 but is told",
    function()
      local net, conn, peer = active({ user_timeout = 130 }, 400)
      assert.equal(130, conn:info().user_timeout)
      assert.equal(400, conn:info().uto_received)
      local told
      conn:on("user_timeout", function(which) told = which:info().uto_received end)
      peer:send { flags = "A", seq = 1001, ack = conn:info().snd_nxt, options = { user_timeout = 500 } }
      net:run { until_ = net:now() + 0.1 }
      assert.equal(500, told)
      assert.equal(130, conn:info().user_timeout)
      conn:set { uto_changeable = 1 }
      assert.equal(500, conn:info().user_timeout)
      conn:set { uto_changeable = 0 }
      assert.equal(130, conn:info().user_timeout)
    end)

  it("RFC5482:3-5 is sent again when the timeout is another one", function()
    local net, conn, peer = active({ uto_advertise = 200 })
    conn:set { uto_advertise = 600 }
    net:run { until_ = net:now() + 1 }
    conn:write "x"
    local sent = peer:expect { payload = "x" }
    assert.equal(600, sent.options.user_timeout)
    assert.equal(600, conn:info().uto_sent)
    -- also when it is the peer's that makes it so
    peer:send {
      flags = "PA", seq = 1001, ack = conn:info().snd_nxt, options = { user_timeout = 900 }, payload = "y",
    }
    assert.equal(600, peer:expect({ ack = 1002, timeout = 1 }).options.user_timeout)
    assert.equal(900, conn:info().user_timeout)
  end)

  it("RFC5482:3.2-1 waits for a segment with room", function()
    local net, conn, peer = active({ uto_advertise = 200, initial_window = 10, timestamps = false,
      nagle = false })
    conn:set { uto_advertise = 600 }
    assert.equal(2500, conn:write(("x"):rep(2500)))
    assert.is_nil(peer:expect({ length = 1000 }).options.user_timeout)
    assert.is_nil(peer:expect({ length = 1000 }).options.user_timeout)
    assert.equal(600, peer:expect({ length = 500 }).options.user_timeout)
    net:close()
  end)

  it("RFC5482:3.2-2 is on the repeated SYN too, but not on all: what drops it lets others pass", function()
    local _, host, peer = lab.forge { host = { uto = true, user_timeout = 200 } }
    host:connect_start(peer, 80)
    assert.equal(200, peer:expect({ flags = "S" }).options.user_timeout)
    assert.equal(200, peer:expect({ flags = "S", timeout = 5 }).options.user_timeout)
    assert.is_nil(peer:expect({ flags = "S", timeout = 5 }).options.user_timeout)
  end)

  it("RFC5482:3.3-3 does not count before the connection is synchronized", function()
    local net, host, peer = lab.forge { host = { uto = true, uto_advertise = 3000, syn_r2_time = 180 } }
    local conn = host:connect_start(peer, 80)
    local syn = peer:expect { flags = "S" }
    assert.equal(180, conn:info().user_timeout)
    net:run { until_ = syn.time + 200 }
    assert.equal("CLOSED", conn:state())
  end)

  it("RFC5482:3.4-1 is never zero, RFC5482:3.4-2 and ignored and counted where the peer's is", function()
    local _, _, _, syn = active { uto_advertise = 0.001 }
    assert.equal(1, syn.options.user_timeout)
    for _, field in ipairs { 0, MINUTES } do
      local net, conn, peer = active({ uto_advertise = 200 }, field)
      assert.is_nil(conn:info().uto_received)
      assert.equal(200, conn:info().user_timeout)
      peer:send { flags = "A", seq = 1001, ack = conn:info().snd_nxt, options = { user_timeout = field } }
      net:run { until_ = net:now() + 0.1 }
      assert.equal(2, conn:info().uto_ignored)
    end
  end)

  it("of another length than four octets is ignored", function()
    for _, raw in ipairs { "\28\3\1\1", "\28\5\1\1\1\1\1\1", "\28\2\1\1" } do
      local net, conn, peer = active({ uto_advertise = 200 })
      peer:send { flags = "PA", seq = 1001, ack = conn:info().snd_nxt, options = raw, payload = "x" }
      net:run { until_ = net:now() + 0.1 }
      assert.is_nil(conn:info().uto_received)
      assert.equal("x", conn:read(1))
    end
  end)

  it("outside the window says nothing", function()
    local net, conn, peer = active({ uto_advertise = 200 })
    peer:send { flags = "A", seq = 900, ack = conn:info().snd_nxt, options = { user_timeout = 500 } }
    net:run { until_ = net:now() + 0.1 }
    assert.is_nil(conn:info().uto_received)
  end)

  it("RFC5482:4.2-1 lets keep-alives begin only after it", function()
    local net, conn, peer = active({ keepalive = true, keepalive_idle = 50, uto_advertise = 200 }, 300)
    local start = net:now()
    local probe = peer:expect { length = 0, timeout = 1000 }
    assert.is_true(probe.time - start > 300)
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("is agreed between two hosts, and each keeps its own limits", function()
    local net, client, server = lab.connected {
      client = { uto = true, uto_advertise = 200 }, server = { uto = true, uto_advertise = 900,
        uto_most = 600 },
    }
    net:run { until_ = 1 }
    assert.same({ 900, 600 }, { client:info().user_timeout, server:info().user_timeout })
    assert.same({ 900, 200 }, { client:info().uto_received, server:info().uto_received })
  end)
end)

describe("R1", function()
  local function advised_after(settings)
    local net, conn, peer = wire.passive { host = settings }
    local when
    conn:on("advice", function() when = when or net:now() end)
    conn:write "x"
    local sent = peer:expect { payload = "x" }
    net:run { until_ = sent.time + 200 }
    return when and when - sent.time, conn:info()
  end

  it("RFC1122:4.2.3.5 is reached by count, by time, or by whichever comes first", function()
    local by_count = advised_after { rto_initial = 1, rto_min = 1, r1_count = 3 }
    assert.is_true(by_count > 6 and by_count < 8) -- after 1, 2 and 4 s
    local by_time = advised_after { rto_initial = 1, rto_min = 1, r1_count = 0, r1_time = 20 }
    assert.is_true(by_time > 20 and by_time < 40)
    assert.is_true(advised_after { rto_initial = 1, rto_min = 1, r1_count = 3, r1_time = 20 } < 8)
    assert.is_true(advised_after { rto_initial = 1, rto_min = 1, r1_count = 9, r1_time = 2 } < 4)
    assert.is_nil((advised_after { rto_initial = 1, rto_min = 1, r1_count = 0 }))
  end)
end)
