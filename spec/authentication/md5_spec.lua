-- TCP MD5 (RFC 2385) between two hosts, and against a script that forges.
local tablex = require "pl.tablex"
local core = require "lunatcp.core"
local lab = require "support.lab"
local signed = require "support.signed"

local function every(net, what)
  for _, packet in ipairs(net.packets) do what(packet) end
end

-- A host that listens with a key for the script's peer; `send` signs with that key unless told.
local function forge(options)
  options = options or {}
  local s = {}
  s.net, s.host, s.peer = lab.forge { host = { isn = 5000, timestamps = false, sack = options.sack } }
  assert(s.host:md5_key { peer = s.peer:address(), key = "secret" })
  s.listener = s.host:listen(80)
  function s.send(fields)
    if fields.md5_key == nil then fields.md5_key = "secret" end
    fields.md5_key = fields.md5_key or nil
    fields.window, fields.destination_port = 65535, fields.destination_port or 80
    s.peer:send(fields)
  end
  function s.silence() return s.peer:receive { timeout = 0.5 } == nil end
  function s.open()
    s.send { flags = "S", seq = 1000, options = { mss = 1000 } }
    s.peer:expect { flags = "SA", ack = 1001 }
    s.send { flags = "A", seq = 1001, ack = 5001 }
    s.conn = assert(s.listener:accept())
    return s
  end
  function s.count() return signed.counted(s.host) end
  return s
end

describe("TCP MD5", function()
  it("RFC2385:2-1, RFC2385:3-1 signs every segment, resets too, by 18 octets of kind 19", function()
    local net = signed.record(signed.md5())
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 20000))
    client:abort()
    net:run { until_ = net:now() + 1 }
    assert.is_true(#net.packets > 10)
    every(net, function(packet) assert.equal(16, #packet.options.md5) end)
    assert.equal("ECONNRESET", select(2, server:error()))
  end)

  it("RFC2385:2-2 covers pseudo header, header without options and checksum, data and key", function()
    local net = signed.record(signed.md5())
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 5000))
    every(net, function(packet)
      assert.equal(core.md5_digest(packet.bytes, "secret"), packet.options.md5)
    end)
    local fields = {
      source = "10.0.0.1", destination = "10.0.0.2", source_port = 1, destination_port = 2, flags = "A",
      seq = 5, payload = "data", options = { md5 = ("m"):rep(16) },
    }
    local digest = core.md5_digest(core.encode(fields), "secret")
    for name, value in pairs { seq = 6, payload = "dat4", source = "10.0.0.3", window = 7, urgent = 1 } do
      local before = fields[name]
      fields[name] = value
      assert.are_not.equal(digest, core.md5_digest(core.encode(fields), "secret"), name)
      fields[name] = before
    end
    fields.options.md5 = ("n"):rep(16)
    fields.checksum = 1
    assert.equal(digest, core.md5_digest(core.encode(fields), "secret"))
    assert.are_not.equal(digest, core.md5_digest(core.encode(fields), "secreT"))
  end)

  it("RFC2385:2-3 takes what is signed with its own key", function()
    local s = forge():open()
    s.send { flags = "A", seq = 1001, ack = 5001, payload = "hello" }
    assert.equal("hello", s.conn:read(10))
    assert.same({ 3, 0, 0 }, { s.count().md5_good, s.count().md5_bad, s.count().md5_missing })
    assert.equal("TCP MD5", signed.told(s.conn).kind)
    assert.equal(2, signed.told(s.conn).good)
  end)

  for name, change in tablex.sort {
    ["a wrong key"] = { md5_key = "Secret" }, ["no option"] = { md5_key = false },
  } do
    it("RFC2385:2-4, RFC2385:2-6 drops what has " .. name .. " without an answer, and counts", function()
      local s = forge():open()
      for _, flags in ipairs { "A", "R", "FA", "S", "SA" } do
        local fields = { flags = flags, seq = 1001, ack = flags:find "A" and 5001 or nil, payload = "x" }
        fields.md5_key = change.md5_key
        s.send(fields)
      end
      assert.is_true(s.silence())
      assert.equal("ESTABLISHED", s.conn:state())
      assert.equal(5, s.count()[change.md5_key and "md5_bad" or "md5_missing"])
      assert.equal(5, signed.told(s.conn)[change.md5_key and "bad" or "missing"])
      assert.equal(5, s.host:counters().refused.LTCP_ERR_AUTHENTICATION)
    end)
  end

  it("RFC2385:2-4 leaves a SYN with a wrong key, or none, without an answer", function()
    local s = forge()
    s.send { flags = "S", seq = 1000, md5_key = "other" }
    s.send { flags = "S", seq = 1000, md5_key = false }
    assert.is_true(s.silence())
    assert.same({ 1, 1 }, { s.count().md5_bad, s.count().md5_missing })
    assert.equal(0, s.host:counters().connections)
  end)

  it("RFC2385:2-5 does not leave off because the SYN-ACK has no option: it is not heard", function()
    local net, host, peer = lab.forge { host = { isn = 5000 } }
    assert(host:md5_key { peer = peer:address(), key = "secret" })
    local conn = assert(host:connect_start(peer, 80))
    peer:expect { flags = "S", seq = 5000 }
    peer:send { flags = "SA", seq = 1000, ack = 5001, window = 1000 }
    local again = peer:expect { flags = "S", seq = 5000, timeout = 5 }
    assert.equal(16, #again.options.md5)
    assert.equal("SYN-SENT", conn:state())
    peer:send { flags = "SA", seq = 1000, ack = 5001, window = 1000, md5_key = "secret" }
    peer:expect { flags = "A", ack = 1001 }
    assert.equal("ESTABLISHED", conn:state())
    net:collect()
  end)

  it("RFC2385:4.1-1 ignores a reset that is not signed, and signs its own where nobody listens", function()
    local s = forge():open()
    s.send { flags = "R", seq = 1001, md5_key = false }
    assert.is_true(s.silence())
    assert.equal("ESTABLISHED", s.conn:state())
    s.send { flags = "S", seq = 7000, destination_port = 81 }
    local reset = s.peer:expect { flags = "RA", ack = 7001 }
    assert.equal(core.md5_digest(reset.bytes, "secret"), reset.options.md5)
  end)

  it("RFC2385:4.1-1 makes a client of two hosts with keys hear that nobody listens", function()
    local net = signed.md5()
    local conn, _, code = net.client:connect(net.server, 81)
    assert.is_nil(conn)
    assert.equal("ECONNREFUSED", code)
  end)

  it("RFC2385:4.3-2 fits a SYN's 40 octets: timestamps give way to SACK", function()
    local net = signed.record(signed.md5())
    signed.open(net)
    local syn = net.packets[1].options
    assert.equal(16, #syn.md5)
    assert.same({ 1460, 3, true }, { syn.mss, syn.window_scale, syn.sack_permitted })
    assert.is_nil(syn.timestamps)
  end)

  it("RFC2385:4.3-2 and keeps timestamps where SACK is not wanted", function()
    local net = signed.record(signed.md5 { client = { sack = false }, server = { sack = false } })
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 5000))
    for _, packet in ipairs(net.packets) do
      assert.is_table(packet.options.timestamps)
      assert.equal(16, #packet.options.md5)
    end
    assert.equal(1460 - 20 - 12, client:info().snd_mss)
  end)

  it("RFC9293:MUST-16 takes the option's room from what a segment carries, not from the MSS", function()
    local net = signed.record(signed.md5())
    local client = signed.open(net)
    assert.equal(1460, net.packets[1].options.mss)
    assert.equal(1440, client:info().snd_mss)
  end)

  it("RFC 2018 section 3: SACK blocks take the room that the option leaves, two", function()
    local net = signed.record(signed.md5())
    local client, server = signed.open(net)
    for _, nth in ipairs { 3, 5, 7 } do net.wire:drop { from = net.client, data = true, nth = nth } end
    assert.is_true(signed.transfer(client, server, 100000))
    local most = 0
    every(net, function(packet) most = math.max(most, #(packet.options.sack or {})) end)
    assert.equal(2, most)
  end)

  it("RFC2385:4.5-1 takes keys of 80 printable characters, and up to 255 octets of any kind", function()
    for _, key in ipairs { ("!~"):rep(40), ("\0"):rep(255) } do
      local net = signed.md5 { key = key }
      local client, server = signed.open(net)
      assert.is_true(signed.transfer(client, server, 3000))
    end
  end)

  it("RFC2385:1-1 changes the key while the connection lasts, if both do", function()
    local net = signed.md5()
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 3000))
    net:run { until_ = net:now() + 1 }
    assert(net.client:md5_key { peer = net.server, key = "new" })
    assert(net.server:md5_key { peer = net.client, key = "new" })
    assert.is_true(signed.transfer(client, server, 3000))
    assert.equal(0, signed.told(client).bad + signed.told(server).bad)
    -- One alone: nothing passes until the other one follows.
    net:run { until_ = net:now() + 1 }
    assert(net.client:md5_key { peer = net.server, key = "newer" })
    client:write "late"
    net:run { until_ = net:now() + 2 }
    assert.is_true(signed.told(server).bad > 0)
    assert.equal(0, server:info().unread)
    assert(net.server:md5_key { peer = net.client, key = "newer" })
    assert.equal("late", server:read(10))
  end)

  it("goes on unsigned once both keys are gone", function()
    local net = signed.record(signed.md5())
    local client, server = signed.open(net)
    assert.is_true(net.client:remove_md5_key { peer = net.server })
    assert.is_true(net.server:remove_md5_key { peer = net.client })
    net.packets = {}
    assert.is_true(signed.transfer(client, server, 3000))
    every(net, function(packet) assert.is_nil(packet.options.md5) end)
    assert.is_nil(signed.told(client))
    assert.same({ md5 = {}, ao = {} }, net.client:keys())
  end)

  it("chooses the key of the longest prefix, and leaves others alone", function()
    local net = lab.pair()
    local client, server = net.client, net.server
    assert(client:md5_key { peer = "10.0.0.0", prefix = 8, key = "wide" })
    assert(client:md5_key { peer = server, prefix = 32, port = 80, key = "narrow" })
    assert(client:md5_key { peer = "192.0.2.1", key = "elsewhere" })
    assert(server:md5_key { peer = client, key = "narrow" })
    local conn, accepted = signed.open(net)
    assert.is_true(signed.transfer(conn, accepted, 3000))
    assert.is_true(signed.counted(server).md5_good > 3)
    assert.same({ 8, 32, 32 }, { client:keys().md5[1].prefix, client:keys().md5[2].prefix,
      client:keys().md5[3].prefix })
    assert.equal("narrow", client:keys().md5[2].key)
  end)
end)
