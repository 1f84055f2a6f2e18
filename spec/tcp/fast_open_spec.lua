-- TCP Fast Open (RFC 7413), both ends: cookies asked for, kept and shown, data in the SYN.
local lab = require "support.lab"
local wire = require "support.wire"

local KEY <const> = ("k"):rep(16)

-- A pair whose server takes Fast Open, and a client that knows its cookie.
local function warm(options)
  options = options or {}
  options.listen = false
  local net = lab.pair(options)
  net.listener = net.server:listen(80, { fast_open = options.pending or 16 })
  local client = assert(net.client:connect(net.server, 80, { fast_open = "" }))
  local server = assert(net.listener:accept())
  client:close()
  server:close()
  net:run { until_idle = true }
  return net
end

-- A host whose server is the script, which gives it a cookie and takes the connection down again.
local function taught(options)
  options = options or {}
  local net, host, peer = lab.forge { host = options.host or { isn = 5000 } }
  local conn = assert(host:connect_start(peer, 80, { fast_open = "", local_port = 1000 }))
  peer:expect { flags = "S", options = { fast_open = "" } }
  peer:send {
    flags = "SA", seq = 1000, ack = 5001,
    options = options.options or { mss = options.mss or 1000, fast_open = "cookie.." },
  }
  peer:expect { flags = "A" }
  conn:abort()
  net:run { until_idle = true }
  wire.drain(peer)
  return net, host, peer
end

local function open(host, peer, data, options)
  options = options or {}
  options.fast_open = data
  local conn = assert(host:connect_start(peer, options.port or 80, {
    fast_open = data, local_port = options.local_port or 1001, settings = options.settings,
  }))
  return conn, peer:expect { flags = "S" }
end

-- A host that listens with the key above; the script is the client.
local function serving(options)
  options = options or {}
  local settings = { isn = 5000, window_scaling = false, timestamps = false, sack = false }
  for key, value in pairs(options.host or {}) do settings[key] = value end
  local net, host, peer = lab.forge { host = settings }
  assert(host:fast_open_keys(KEY))
  local listener = host:listen(80, { fast_open = options.pending, backlog = options.backlog })
  return net, host, peer, listener
end

local function syn(peer, cookie, data, more)
  local segment = {
    flags = "S", seq = 1000, source_port = 4000, destination_port = 80, payload = data,
    options = { mss = 1000, fast_open = cookie },
  }
  for key, value in pairs(more or {}) do segment[key] = value end
  peer:send(segment)
end

local function cookie_of(peer)
  syn(peer, "", nil, { source_port = 3999 })
  local answer = peer:expect { flags = "SA" }
  peer:send { flags = "R", seq = 1001, source_port = 3999 }
  return answer.options.fast_open
end

describe("fast open", function()
  it("RFC9293:3.9.1.7 keeps the data of a SYN that has not left when the rest is dropped", function()
    local net = warm()
    local conn = assert(net.client:connect_start(net.server, 80, { fast_open = "with the SYN" }))
    conn:write " and after it"
    assert.equal(13, conn:discard())
    assert.equal(12, conn:info().unsent)
    assert.is_nil(net.core:check())
    assert.equal("with the SYN", assert(net.listener:accept()):read(100))
  end)

  it("RFC7413:2-1 happens only where both users ask for it", function()
    local net = lab.pair()
    local client, server = lab.handshake(net)
    assert.is_nil(net.trace:segments "options"[1]:match "fast_open")
    client:close()
    server:close()
    -- A client that asks, of a listener that does not.
    assert(net.client:connect(net.server, 80, { fast_open = "x" }))
    assert.is_nil(net.client:fast_open_known(net.server).cookie)
    assert.equal(0, net.server:counters().fast_open_requests)
  end)

  it("RFC7413:4.2.1-1 RFC7413:4.2.1-2 RFC7413:4.2.1-3 RFC7413:4.1.3-1 asks for a cookie, and keeps it",
    function()
    local net = lab.pair { listen = false }
    net.listener = net.server:listen(80, { fast_open = 16 })
    local client = assert(net.client:connect(net.server, 80, { fast_open = "hello" }))
    local server = assert(net.listener:accept())
    assert.equal("hello", server:read())
    local info = client:info()
    assert.is_true(info.fast_open_asked)
    assert.is_false(info.fast_open_used)
    assert.equal("no cookie", info.fast_open_failure)
    assert.equal(0, info.fast_open_octets)
    local known = net.client:fast_open_known(net.server)
    assert.equal(8, #known.cookie)
    assert.equal(1460, known.mss)
    assert.equal(1, net.server:counters().fast_open_requests)
  end)

  it("RFC7413:3-1 RFC7413:4.2.2-7 RFC7413:3-3 saves a round trip: the answer comes with the SYN-ACK",
    function()
    local net = warm()
    net:spawn(function()
      local server = net.listener:accept()
      assert.equal("SYN-RECEIVED", server:state())
      assert.is_true(server:info().fast_opened)
      assert.equal("question", server:read())
      server:write "answer"
    end)
    local start = net:now()
    local client = assert(net.client:connect(net.server, 80, { fast_open = "question" }))
    assert.equal("answer", client:read())
    assert.near(0.02, net:now() - start, 1e-9) -- one round trip
    local info = client:info()
    assert.is_true(info.fast_open_used)
    assert.equal(8, info.fast_open_octets)
    assert.equal(8, info.fast_open_acked)
    assert.is_nil(info.fast_open_failure)
    assert.equal(1, net.server:counters().fast_open_accepted)
  end)

  it("writes what did not fit the SYN behind it, in order", function()
    local net = warm()
    local data = ("0123456789"):rep(1000)
    local client = assert(net.client:connect(net.server, 80, { fast_open = data }))
    local server = assert(net.listener:accept())
    assert.equal(1420, client:info().fast_open_octets)
    assert.equal(data, server:read_exactly(#data))
  end)

  it("gives back all memory that it was charged for", function()
    local net = warm()
    local client = assert(net.client:connect(net.server, 80, { fast_open = "question" }))
    assert.equal("question", assert(net.listener:accept()):read())
    net:run { until_ = net:now() + 1 }
    assert.equal(0, net.client:counters().memory)
    assert.equal(0, net.server:counters().memory)
    client:abort()
  end)

  it("names what is wrong with its arguments", function()
    local net = lab.pair()
    assert.has_error(function() net.client:connect(net.server, 80, { fast_open = 3 }) end)
    assert.has_error(function() net.server:listen(81, { fast_open = 70000 }) end)
    assert.has_error(function() net.client:fast_open_keys "short" end)
    assert.has_error(function() net.client:fast_open_rotate "short" end)
    net.client:set { fast_open_mode = 2 }
    local conn, _, code = net.client:connect(net.server, 80, { fast_open = "x" })
    assert.is_nil(conn)
    assert.equal("EOPNOTSUPP", code)
  end)

  it("survives every single loss of a segment", function()
    for lost = 1, 8 do
      local net = warm()
      local rule = net.wire:drop { nth = lost }
      net:spawn(function()
        while true do
          local server = net.listener:accept()
          local question = server:read_exactly(8)
          if question then server:write("answer to " .. question) end
          server:shutdown()
        end
      end)
      local client = assert(net.client:connect(net.server, 80, { fast_open = "question" }))
      assert.equal("answer to question", client:read_exactly(18))
      rule:close()
    end
  end)
end)

describe("fast open on a bad path", function()
  it("keeps the stream whole with loss, duplication and reordering, whatever the seed", function()
    for seed = 1, 40 do
      local net = warm { seed = seed }
      net.wire:configure { delay = 0.01, loss = 0.2, duplicate = 0.1, jitter = 0.02 }
      net:spawn(function()
        while true do
          local server = net.listener:accept()
          net:spawn(function()
            local question = server:read_exactly(3000)
            if question then server:write(question:reverse()) end
            server:shutdown()
          end)
        end
      end)
      local data = ("%03d"):format(seed):rep(1000)
      for _ = 1, 3 do
        local client = net.client:connect(net.server, 80, { fast_open = data })
        if client then assert.equal(data:reverse(), client:read_exactly(3000), "seed " .. seed) end
      end
      net:close()
    end
  end)
end)

describe("fast open, the client", function()
  it("RFC7413:4.2.2-3 RFC7413:4.1.3-3 RFC7413:4.2.2-4 sends as much as the kept MSS lets it", function()
    local _, host, peer = taught { mss = 900 }
    local conn, packet = open(host, peer, ("x"):rep(2000))
    assert.equal("cookie..", packet.options.fast_open)
    assert.equal(860, #packet.payload) -- 900 less the most that options can take
    assert.equal(860, conn:info().fast_open_octets)
    assert.equal(5000 + 1 + 860, conn:info().snd_nxt)
    assert.equal("SYN-SENT", conn:state())
  end)

  it("RFC7413:4.1.3-4 without a kept MSS sends no more than the default one", function()
    local _, host, peer = taught { options = { fast_open = "cookie.." } }
    local _, packet = open(host, peer, ("x"):rep(2000))
    assert.equal(536 - 40, #packet.payload)
  end)

  it("RFC7413:4.1.3-5 takes a greater MSS for 1460", function()
    local net, host, peer = lab.forge { host = { isn = 5000 }, link = { delay = 0.01, mtu = 9000 } }
    local conn = assert(host:connect_start(peer, 80, { fast_open = "" }))
    peer:expect { flags = "S" }
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 8960, fast_open = "cookie" } }
    peer:expect { flags = "A" }
    conn:abort()
    net:run { until_idle = true }
    wire.drain(peer)
    local _, packet = open(host, peer, ("x"):rep(9000))
    assert.equal(1460 - 40, #packet.payload)
  end)

  it("RFC7413:4.2.1-4 RFC7413:4.1.3-2 RFC7413:4.2.2-14 replaces cookie and MSS by those of each SYN-ACK",
    function()
    local net, host, peer = taught()
    local conn = open(host, peer, "x")
    peer:send { flags = "SA", seq = 1000, ack = 5002, options = { mss = 700, fast_open = "newer" .. "1" } }
    peer:expect { flags = "A" }
    conn:abort()
    net:run { until_idle = true }
    local known = host:fast_open_known(peer:address())
    assert.equal("newer1", known.cookie)
    assert.equal(700, known.mss)
  end)

  it("RFC7413:4.2.2-1 sends no data before a cookie is known, nor after it was forgotten", function()
    local _, host, peer = taught()
    host:fast_open_flush()
    assert.is_nil(host:fast_open_known(peer:address()))
    local _, packet = open(host, peer, "data")
    assert.equal("", packet.options.fast_open)
    assert.equal(0, packet.length)
  end)

  it("RFC7413:4.2.2-2 opens as ever when the options have no room for the cookie", function()
    local net, host, peer = lab.forge { host = { isn = 5000, window_scaling = true } }
    local long = ("c"):rep(16)
    local conn = assert(host:connect_start(peer, 80, { fast_open = "" }))
    peer:expect { flags = "S" }
    peer:send {
      flags = "SA", seq = 1000, ack = 5001,
      options = { mss = 1000, fast_open = long, fast_open_experimental = true },
    }
    peer:expect { flags = "A" }
    conn:abort()
    net:run { until_idle = true }
    wire.drain(peer)
    -- MSS, window scale, SACK, timestamps and 20 octets fit 40 ...
    local _, packet = open(host, peer, "data")
    assert.equal(long, packet.options.fast_open)
    assert.is_true(packet.options.fast_open_experimental)
    -- ... but not where the order of options puts something else first that fills them up.
    local none = { "mss", "window_scale", "sack_permitted", "timestamps" }
    _, packet = open(host, peer, "data", { local_port = 1002, settings = { syn_options = none } })
    assert.is_nil(packet.options.fast_open)
    assert.equal(0, packet.length)
  end)

  it("RFC7413:4.2.1-5 RFC7413:4.2.2-5 repeats a SYN without data and without the option", function()
    local _, host, peer = taught()
    local conn = open(host, peer, "data")
    local again = peer:expect { flags = "S", seq = 5000 }
    assert.equal(0, again.length)
    assert.is_nil(again.options.fast_open)
    -- The first one was only late: its data counts.
    peer:send { flags = "SA", seq = 1000, ack = 5005, options = { mss = 1000 } }
    peer:expect { flags = "A", seq = 5005, length = 0 }
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("RFC7413:4.2.2-15 sends what was not acknowledged with the first ACK", function()
    local _, host, peer = taught()
    local conn = open(host, peer, "0123456789")
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
    peer:expect { flags = "PA", seq = 5001, ack = 1001, payload = "0123456789" }
    assert.equal("refused", conn:info().fast_open_failure)
    assert.equal(0, conn:info().fast_open_acked)
  end)

  it("RFC7413:4.2.2-15 sends the part that was not acknowledged", function()
    local _, host, peer = taught()
    local conn = open(host, peer, "0123456789")
    peer:send { flags = "SA", seq = 1000, ack = 5007, options = { mss = 1000 } }
    peer:expect { flags = "PA", seq = 5007, ack = 1001, payload = "6789" }
    assert.equal(6, conn:info().fast_open_acked)
    peer:send { flags = "A", seq = 1001, ack = 5011 }
    assert(conn:flush())
  end)

  it("cuts what is sent again to the server's MSS, and gives it no loss", function()
    local _, host, peer = taught { mss = 1460 }
    local conn = open(host, peer, ("x"):rep(1000))
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 400 } }
    peer:expect { flags = "A", seq = 5001, length = 400 }
    peer:expect { flags = "A", seq = 5401, length = 400 }
    peer:expect { flags = "PA", seq = 5801, length = 200 }
    assert.is_false(conn:info().in_recovery)
    assert.equal(2, conn:info().cwnd // 400 >= 2 and 2)
  end)

  it("resets on a SYN-ACK that acknowledges what was not sent, and learns nothing from it", function()
    local _, host, peer = taught()
    local conn = open(host, peer, "0123456789")
    peer:send { flags = "SA", seq = 1000, ack = 5012, options = { mss = 700, fast_open = "wrong." } }
    peer:expect { flags = "R", seq = 5012 }
    assert.equal("SYN-SENT", conn:state())
    assert.equal("cookie..", host:fast_open_known(peer:address()).cookie)
  end)

  it("RFC7413:4.1.3.1-1 RFC7413:4.1.3.1-2 RFC7413:4.1.3.1-3 leaves a port alone where data was refused",
    function()
    local net, host, peer = taught()
    local conn = open(host, peer, "data")
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
    peer:expect { payload = "data" }
    conn:abort()
    net:run { until_idle = true }
    wire.drain(peer)
    local _, packet = open(host, peer, "data", { local_port = 1002 })
    assert.is_nil(packet.options.fast_open)
    assert.equal(0, packet.length)
    -- Another port has nothing to do with it ...
    _, packet = open(host, peer, "data", { local_port = 1003, port = 81 })
    assert.equal("data", packet.payload)
    -- ... and an hour later it is tried again.
    net:run { until_ = net:now() + 3601 }
    wire.drain(peer)
    _, packet = open(host, peer, "data", { local_port = 1004 })
    assert.equal("data", packet.payload)
  end)

  it("RFC7413:4.1.3.1-1 RFC7413:4.2.2-16 takes a path for closed where only the SYN without data "
    .. "came through",
    function()
      local net, host, peer = taught()
      local conn = open(host, peer, "data")
      peer:expect { flags = "S", length = 0 }
      peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
      peer:expect { payload = "data" }
      assert.equal("SYN lost", conn:info().fast_open_failure)
      conn:abort()
      net:run { until_idle = true }
      wire.drain(peer)
      local _, packet = open(host, peer, "data", { local_port = 1002 })
      assert.is_nil(packet.options.fast_open)
    end)

  it("RFC7413:4.1.3.1-1 remembers an ICMP error, and that nobody answered", function()
    for _, how in ipairs { "icmp", "silence" } do
      local net, host, peer = taught()
      local conn, packet = open(host, peer, "data")
      if how == "icmp" then
        peer:send { icmp = { kind = "host unreachable", quote = packet.bytes } }
        net:run { until_ = net:now() + 0.1 }
        conn:abort()
      else
        assert.is_nil((conn:wait_connected()))
      end
      net:run { until_ = net:now() + 0.1 }
      wire.drain(peer)
      local _, second = open(host, peer, "data", { local_port = 1002 })
      assert.is_nil(second.options.fast_open, how)
    end
  end)

  it("RFC7413:4.2.1-6 asks a server that gave no cookie again only after a while", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    for round = 1, 3 do
      local conn, packet = open(host, peer, "", { local_port = 1000 + round })
      assert.equal(round ~= 2 and "" or nil, packet.options.fast_open)
      peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
      peer:expect { flags = "A" }
      conn:abort()
      net:run { until_ = net:now() + (round == 2 and 3600 or 1) }
      wire.drain(peer)
    end
  end)

  it("does not take a fresh cookie for a refusal of the path", function()
    local net, host, peer = taught()
    local conn = open(host, peer, "data")
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000, fast_open = "fresh." } }
    peer:expect { payload = "data" }
    conn:abort()
    net:run { until_idle = true }
    wire.drain(peer)
    local _, packet = open(host, peer, "data", { local_port = 1002 })
    assert.equal("fresh.", packet.options.fast_open)
    assert.equal("data", packet.payload)
  end)

  it("RFC7413:9-1 asks by the experimental option where the other one brought nothing, if so set", function()
    local net, host, peer = lab.forge {
      host = { isn = 5000, fast_open_experiment = true, fast_open_retry = 0 },
    }
    local kinds = {}
    for round = 1, 4 do
      local conn, packet = open(host, peer, "", { local_port = 1000 + round })
      kinds[round] = packet.options.fast_open_experimental and "experiment" or "standard"
      peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
      peer:expect { flags = "A" }
      conn:abort()
      net:run { until_ = net:now() + 1 }
      wire.drain(peer)
    end
    assert.same({ "standard", "experiment", "standard", "standard" }, kinds)
  end)

  it("RFC7413:4.1.1-1 RFC7413:4.1.1-2 keeps no cookie of an illegal length, and counts it", function()
    for _, length in ipairs { 1, 2, 3, 5, 7, 15, 17, 18 } do
      local net, host, peer = lab.forge { host = { isn = 5000 } }
      open(host, peer, "")
      local option = string.char(34, 2 + length) .. ("c"):rep(length)
      peer:send { flags = "SA", seq = 1000, ack = 5001, options = option .. ("\1"):rep(-#option % 4) }
      peer:expect { flags = "A" }
      assert.is_nil(host:fast_open_known(peer:address()).cookie)
      assert.equal(1, host:counters().fast_open_ignored)
      net:close()
    end
  end)

  it("RFC7413:4.1.1-1 keeps no cookie that comes after the SYN, nor one that was not asked for", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    local conn = assert(host:connect_start(peer, 80, { fast_open = "" }))
    peer:expect { flags = "S" }
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000 } }
    peer:expect { flags = "A" }
    peer:send { flags = "A", seq = 1001, ack = 5001, options = { fast_open = "late" } }
    net:run { until_ = net:now() + 1 }
    assert.is_nil(host:fast_open_known(peer:address()).cookie)
    assert.equal(1, host:counters().fast_open_ignored)
    assert.equal("ESTABLISHED", conn:state())
    local other = assert(host:connect_start(peer, 81))
    peer:expect { flags = "S" }
    peer:send { flags = "SA", seq = 1000, ack = 5001, options = { mss = 1000, fast_open = "gift" } }
    peer:expect { flags = "A" }
    assert.is_nil(host:fast_open_known(peer:address()).cookie)
    other:abort()
  end)

  it("RFC7413:4.2.2-17 opens simultaneously with data in both SYNs", function()
    local net, host, peer = taught()
    local conn = open(host, peer, "mine")
    peer:send { flags = "S", seq = 1000, payload = "yours", options = { mss = 1000 } }
    peer:expect { flags = "SA", seq = 5000, ack = 1001, length = 0 }
    peer:send { flags = "SA", seq = 1000, ack = 5005, options = { mss = 1000 } }
    net:run { until_ = net:now() + 1 }
    assert.equal("ESTABLISHED", conn:state())
    assert.equal("yours", conn:read())
  end)

  it("keeps what it knows of at most 256 servers, and of one that is asked for again and again", function()
    local net, host, peer = lab.forge {
      host = { isn = 5000 }, link = { addresses = { "10.9.0.1/16", "10.9.9.9/16" } },
    }
    for i = 1, 600 do
      local address = ("10.9.%d.%d"):format(10 + i // 250, i % 250 + 1)
      local conn = assert(host:connect_start(address, 80, { fast_open = "", local_port = 2000 }))
      local packet = peer:expect { flags = "S" }
      local options = { mss = 1000, fast_open = "cookie" }
      peer:send { flags = "SA", seq = 1, ack = packet.seq + 1, options = options }
      peer:expect { flags = "A" }
      conn:abort()
      net:run { until_ = net:now() + 0.1 }
      wire.drain(peer)
      assert.is_truthy(host:fast_open_known "10.9.10.2", i)
    end
    local known = 0
    for i = 1, 600 do
      if host:fast_open_known(("10.9.%d.%d"):format(10 + i // 250, i % 250 + 1)) then known = known + 1 end
    end
    assert.is_true(known > 200 and known <= 256)
    net:close()
  end)
end)

describe("fast open, the server", function()
  it("RFC7413:4.2-1 ignores cookies and requests until it is turned on", function()
    local _, host, peer = serving {}
    syn(peer, "", nil)
    local answer = peer:expect { flags = "SA", ack = 1001 }
    assert.is_nil(answer.options.fast_open)
    syn(peer, "12345678", "data", { source_port = 4001 })
    answer = peer:expect { flags = "SA", ack = 1001 }
    assert.is_nil(answer.options.fast_open)
    assert.equal(0, host:counters().fast_open_requests)
  end)

  it("RFC7413:4.1.2-1 makes cookies of the addresses and a secret key", function()
    local _, host, peer = serving { pending = 5 }
    local cookie = cookie_of(peer)
    assert.equal(8, #cookie)
    assert.equal(cookie, cookie_of(peer))
    host:fast_open_keys(("K"):rep(16))
    assert.not_equal(cookie, cookie_of(peer))
  end)

  it("RFC7413:3-1 RFC7413:4.2.2-7 takes the data of a SYN with a valid cookie at once", function()
    local _, host, peer, listener = serving { pending = 5 }
    local cookie = cookie_of(peer)
    syn(peer, cookie, "data")
    peer:expect { flags = "SA", ack = 1005 }
    local conn = assert(listener:accept { timeout = 0 })
    assert.equal("SYN-RECEIVED", conn:state())
    assert.equal("data", conn:read())
    assert.equal(4, conn:info().fast_open_octets)
    assert.equal(1, host:counters().fast_open_accepted)
    peer:send { flags = "A", seq = 1005, ack = 5001, source_port = 4000 }
    assert(conn:wait_state("ESTABLISHED", { timeout = 1 }))
  end)

  it("RFC7413:3-2 RFC7413:4.2.2-6 RFC7413:4.2.2-10 answers a wrong cookie by a right one, and drops the data",
    function()
      local net, host, peer, listener = serving { pending = 5 }
      local cookie = cookie_of(peer)
      syn(peer, "badbadba", "data")
      local answer = peer:expect { flags = "SA", ack = 1001 }
      assert.equal(cookie, answer.options.fast_open)
      assert.equal(1, host:counters().fast_open_refusals)
      assert.is_nil((listener:accept { timeout = 0.1 }))
      peer:send { flags = "A", seq = 1001, ack = 5001, source_port = 4000 }
      local conn = assert(listener:accept())
      net:run { until_ = net:now() + 0.1 }
      assert.is_nil((conn:read(1, { timeout = 0.1 })))
    end)

  it("opens at once for a valid cookie without data too", function()
    local _, _, peer, listener = serving { pending = 5 }
    syn(peer, cookie_of(peer), nil)
    peer:expect { flags = "SA", ack = 1001 }
    local conn = assert(listener:accept { timeout = 0 })
    conn:write "first"
    peer:expect { flags = "PA", seq = 5001, ack = 1001, payload = "first" }
  end)

  it("RFC7413:3-3 RFC7413:4.2.2-12 sends an initial window of data before the handshake has ended", function()
    local net, _, peer, listener = serving { pending = 5 }
    syn(peer, cookie_of(peer), "data")
    peer:expect { flags = "SA" }
    local conn = assert(listener:accept())
    conn:write(("x"):rep(10000))
    net:run { until_ = net:now() + 0.1 }
    local octets = 0
    for _, packet in ipairs(wire.drain(peer)) do octets = octets + packet.length end
    assert.equal(4 * 1000, octets) -- RFC 5681 section 3.1: up to 1,095 octets, four segments
    peer:send { flags = "A", seq = 1005, ack = 9001, source_port = 4000 }
    peer:expect { seq = 9001 }
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("sends a small answer at once, Nagle or not: a SYN is no data", function()
    local net, _, peer, listener = serving { pending = 5, host = { nagle = true } }
    syn(peer, cookie_of(peer), "data")
    peer:expect { flags = "SA" }
    assert(listener:accept()):write "small"
    local start = net:now()
    peer:expect { flags = "PA", payload = "small" }
    assert.is_true(net:now() - start < 0.02)
  end)

  it("RFC7413:4.2.1-5 RFC7413:4.2.2-13 repeats the SYN-ACK with neither option nor data", function()
    local net, host, peer, listener = serving { pending = 5 }
    syn(peer, "badbadba", "data")
    assert.equal(8, #peer:expect { flags = "SA" }.options.fast_open)
    local again = peer:expect { flags = "SA" }
    assert.is_nil(again.options.fast_open)
    peer:send { flags = "R", seq = 1001, source_port = 4000 }
    syn(peer, cookie_of(peer), "data", { source_port = 4001 })
    peer:expect { flags = "SA" }
    assert(listener:accept()):write "answer"
    peer:expect { payload = "answer" }
    again = peer:expect { flags = "SA", ack = 1005 }
    assert.equal(0, again.length)
    -- The data is still owed, and comes when the handshake has ended.
    peer:send { flags = "A", seq = 1005, ack = 5001, source_port = 4001 }
    peer:expect { seq = 5001, payload = "answer" }
    assert.equal(1, host:counters().fast_open_accepted)
    net:close()
  end)

  it("answers the same SYN again without opening anything twice", function()
    local net, host, peer, listener = serving { pending = 5 }
    local cookie = cookie_of(peer)
    syn(peer, cookie, "data")
    syn(peer, cookie, "data")
    net:run { until_ = net:now() + 0.5 }
    assert.equal(1, host:counters().fast_open_accepted)
    local conn = assert(listener:accept())
    assert.equal("data", conn:read())
    assert.is_nil((listener:accept { timeout = 0.1 }))
  end)

  it("RFC7413:4.1.2-2 takes a cookie of the key before, and hands out a new one; not one of the key "
    .. "before that",
    function()
      local _, host, peer, listener = serving { pending = 5 }
      local old = cookie_of(peer)
      assert(host:fast_open_rotate(("2"):rep(16)))
      syn(peer, old, "data")
      local answer = peer:expect { flags = "SA", ack = 1005 }
      assert.not_equal(old, answer.options.fast_open)
      assert.equal(8, #answer.options.fast_open)
      assert.equal(1, host:counters().fast_open_old_keys)
      assert(listener:accept())
      assert(host:fast_open_rotate(("3"):rep(16)))
      syn(peer, old, "data", { source_port = 4001 })
      peer:expect { flags = "SA", ack = 1001 }
    end)

  it("has keys of its own for a listener", function()
    local _, host, peer, listener = serving { pending = 5 }
    local cookie = cookie_of(peer)
    assert(host:fast_open_keys(("L"):rep(16), listener))
    assert.equal(("L"):rep(16), host:fast_open_keys(nil, listener))
    assert.equal(KEY, host:fast_open_keys())
    assert.not_equal(cookie, cookie_of(peer))
  end)

  it("RFC7413:4.2-2 RFC7413:5.1-1 RFC7413:4.2.2-18 takes so many pending requests and no more, "
    .. "until one has ended",
    function()
      local net, host, peer = serving { pending = 2 }
      local cookie = cookie_of(peer)
      local acks = {}
      for port = 1, 3 do
        syn(peer, cookie, "data", { source_port = port })
        acks[port] = peer:expect { flags = "SA" }.ack
      end
      assert.same({ 1005, 1005, 1001 }, acks)
      assert.equal(1, host:counters().fast_open_overflows)
      peer:send { flags = "A", seq = 1005, ack = 5001, source_port = 1 }
      net:run { until_ = net:now() + 0.1 }
      syn(peer, cookie, "data", { source_port = 4 })
      peer:expect { flags = "SA", ack = 1005 }
    end)

  it("RFC7413:5.1-2 goes on counting a request that a RST ended", function()
    local net, host, peer, listener = serving { pending = 1 }
    local cookie = cookie_of(peer)
    syn(peer, cookie, "data", { source_port = 1 })
    peer:expect { flags = "SA", ack = 1005 }
    peer:send { flags = "R", seq = 1005, source_port = 1 }
    net:run { until_ = net:now() + 10 }
    wire.drain(peer)
    local conn = assert(listener:accept())
    local _, _, code = conn:read()
    assert.equal("ECONNRESET", code)
    syn(peer, cookie, "data", { source_port = 2 })
    peer:expect { flags = "SA", ack = 1001 }
    peer:send { flags = "R", seq = 1001, source_port = 2 }
    net:run { until_ = net:now() + 120 }
    wire.drain(peer)
    syn(peer, cookie, "data", { source_port = 3 })
    peer:expect { flags = "SA", ack = 1005 }
    assert.equal(1, host:counters().fast_open_overflows)
  end)

  it("RFC7413:4.1.1-1 RFC7413:4.1.1-2 ignores and counts options of illegal length", function()
    local _, host, peer = serving { pending = 5 }
    for i, length in ipairs { 1, 2, 3, 5, 9, 15, 17, 18 } do
      local option = string.char(34, 2 + length) .. ("c"):rep(length)
      syn(peer, nil, "data", { source_port = i, options = option .. ("\1"):rep(-#option % 4) })
      local answer = peer:expect { flags = "SA", ack = 1001 }
      assert.is_nil(answer.options.fast_open)
      assert.equal(i, host:counters().fast_open_ignored)
    end
  end)

  it("RFC7413:9-1 answers the experimental option in kind, and takes its cookies", function()
    local _, _, peer = serving { pending = 5 }
    local cookie = cookie_of(peer)
    syn(peer, nil, nil,
      { source_port = 1, options = { mss = 1000, fast_open = "", fast_open_experimental = true } })
    local answer = peer:expect { flags = "SA" }
    assert.equal(cookie, answer.options.fast_open)
    assert.is_true(answer.options.fast_open_experimental)
    syn(peer, nil, "data",
      { source_port = 2, options = { mss = 1000, fast_open = cookie, fast_open_experimental = true } })
    peer:expect { flags = "SA", ack = 1005 }
  end)

  it("opens a SYN with FIN and a valid cookie in the regular way", function()
    local _, _, peer = serving { pending = 5 }
    syn(peer, cookie_of(peer), "data", { flags = "SF" })
    peer:expect { flags = "SA", ack = 1001 }
  end)

  it("takes data without a cookie where it is told to", function()
    local _, _, peer, listener = serving { pending = 5, host = { fast_open_mode = 3 | 512 } }
    syn(peer, nil, "data", { options = { mss = 1000 } })
    peer:expect { flags = "SA", ack = 1005 }
    assert.equal("data", assert(listener:accept()):read())
  end)

  it("resets a connection that is closed with unread data before the handshake has ended", function()
    local _, _, peer, listener = serving { pending = 5 }
    syn(peer, cookie_of(peer), "data")
    peer:expect { flags = "SA" }
    assert(listener:accept()):close()
    peer:expect { flags = "R", seq = 5001 }
  end)

  it("resets what nobody accepted when the listener is closed", function()
    local _, _, peer, listener = serving { pending = 5 }
    syn(peer, cookie_of(peer), "data")
    peer:expect { flags = "SA" }
    listener:close()
    peer:expect { flags = "R", seq = 5001 }
  end)

  it("closes in order when the user closes at once, before the handshake has ended", function()
    local net, _, peer, listener = serving { pending = 5 }
    net:spawn(function() assert(listener:accept()):close() end)
    syn(peer, cookie_of(peer), nil)
    peer:expect { flags = "SA", seq = 5000, ack = 1001 }
    peer:send { flags = "A", seq = 1001, ack = 5001, source_port = 4000 }
    peer:expect { flags = "FA", seq = 5001, ack = 1001 }
  end)

  it("costs a flood of valid SYNs no more than the limit", function()
    local net, host, peer = serving { pending = 10, backlog = 1000 }
    local cookie = cookie_of(peer)
    for port = 1, 500 do syn(peer, cookie, "data", { source_port = port }) end
    net:run { until_ = net:now() + 0.5 }
    assert.equal(10, host:counters().fast_open_accepted)
    assert.equal(490, host:counters().fast_open_overflows)
  end)
end)
