-- TCP-AO (RFC 5925) between two hosts, and against a script that forges.
local tablex = require "pl.tablex"
local core = require "lunatcp.core"
local lab = require "support.lab"
local signed = require "support.signed"

local function ids(packet) return packet.options.ao:byte(1, 2) end

-- A host that listens, with Master Key Tuples for the script's peer: KeyID 1 .. and 101 .. of the host.
local function forge(options)
  options = options or {}
  local s = { seq = 1001 }
  s.net, s.host, s.peer = lab.forge {
    host = signed.merged({ isn = 5000, timestamps = false }, options.host),
  }
  for id = 1, options.tuples or 1 do
    assert(s.host:ao_key { peer = s.peer:address(), send_id = 100 + id, recv_id = id, key = "secret" })
  end
  s.listener = s.host:listen(80)
  -- `ao = false`: unsigned; else changes of how it is signed.
  function s.send(fields, ao)
    fields.window, fields.destination_port = 65535, fields.destination_port or 80
    local syn = fields.flags == "S"
    if ao ~= false then
      fields.ao_key = signed.merged({
        key = "secret", key_id = 1, rnext_key_id = 101, source_isn = 1000,
        destination_isn = not syn and 5000 or nil,
      }, ao)
    end
    s.peer:send(fields)
  end
  function s.silence() return s.peer:receive { timeout = 0.5 } == nil end
  function s.open()
    s.send { flags = "S", seq = 1000, options = { mss = 1000 } }
    s.synack = s.peer:expect { flags = "SA", ack = 1001 }
    s.send { flags = "A", seq = 1001, ack = 5001 }
    s.conn = assert(s.listener:accept())
    return s
  end
  function s.data(text, ao)
    s.send({ flags = "A", seq = s.seq, ack = 5001, payload = text }, ao)
    s.seq = s.seq + #text
  end
  function s.count() return signed.counted(s.host) end
  return s
end

local function mac_of(packet, from_isn, to_isn, more)
  local key = core.ao_traffic_key {
    key = "secret1", source = packet.source, destination = packet.destination,
    source_port = packet.source_port, destination_port = packet.destination_port, source_isn = from_isn,
    destination_isn = to_isn, mac = more and more.mac,
  }
  return core.ao_mac(packet.bytes, signed.merged({ traffic_key = key }, more))
end

describe("TCP-AO", function()
  for _, mac in ipairs { "HMAC-SHA-1-96", "AES-128-CMAC-96" } do
    for _, include in ipairs { true, false } do
      local what = "carries data with %s, options %s"
      what = what:format(mac, include and "covered" or "not covered")
      it("RFC5926:2.2-1, RFC5926:2.2-2, RFC5925:2.2-6, RFC5925:3.1-1 " .. what, function()
        local net = signed.record(signed.ao({}, { mac = mac, include_options = include }))
        local client, server = signed.open(net)
        assert.is_true(signed.transfer(client, server, 30000))
        assert.is_true(signed.transfer(server, client, 30000))
        for _, packet in ipairs(net.packets) do
          local up = packet.source == net.client:address()
          local syn = packet.flags.syn and not packet.flags.ack
          local from, to = client:info().iss, client:info().irs
          if not up then from, to = to, from end
          assert.equal(mac_of(packet, from, syn and 0 or to, { mac = mac, include_options = include }),
            packet.options.ao:sub(3))
          assert.same({ up and 1 or 101, up and 101 or 1 }, { ids(packet) })
        end
        assert.equal("TCP-AO", signed.told(client).kind)
        assert.equal(0, signed.told(client).bad + signed.told(server).bad)
      end)
    end
  end

  it("works over IPv6", function()
    local net = lab.pair { link = { delay = 0.01, addresses = { "2001:db8::1/64", "2001:db8::2/64" } } }
    assert(net.client:ao_key { peer = net.server, send_id = 1, recv_id = 2, key = "k" })
    assert(net.server:ao_key { peer = net.client, send_id = 2, recv_id = 1, key = "k" })
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 30000))
    assert.equal("TCP-AO", signed.told(server).kind)
  end)

  it("RFC5925:7.4-1, RFC5925:7.4-2 fits a SYN with all options, and leaves one SACK block", function()
    local net = signed.record(signed.ao())
    local client, server = signed.open(net)
    for _, nth in ipairs { 3, 5, 7 } do net.wire:drop { from = net.client, data = true, nth = nth } end
    assert.is_true(signed.transfer(client, server, 100000))
    local syn, most = net.packets[1].options, 0
    assert.same({ 1460, 3, true }, { syn.mss, syn.window_scale, syn.sack_permitted })
    assert.is_table(syn.timestamps)
    for _, packet in ipairs(net.packets) do most = math.max(most, #(packet.options.sack or {})) end
    assert.equal(1, most)
    assert.equal(1460 - 12 - 16, client:info().snd_mss)
    assert.equal(0, signed.told(server).bad)
  end)

  it("keeps the MAC right when a burst's last segment is pushed afterwards", function()
    local net = signed.ao { server = { receive_buffer = 400000 } }
    net.client:set { push_bursts = true, initial_window = 10 }
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 200000))
    assert.equal(0, signed.told(server).bad)
    assert.equal(0, client:info().segments_retransmitted)
  end)

  it("RFC5925:3.1-2, RFC5925:3.1-3, RFC5925:2.2-5 takes any identifiers, the same both ways too", function()
    for _, pair in ipairs { { 0, 0 }, { 255, 255 }, { 0, 255 }, { 29, 29 } } do
      local net = lab.pair()
      assert(net.client:ao_key { peer = net.server, send_id = pair[1], recv_id = pair[2], key = "k" })
      assert(net.server:ao_key { peer = net.client, send_id = pair[2], recv_id = pair[1], key = "k" })
      local client, server = signed.open(net)
      assert.is_true(signed.transfer(client, server, 3000))
    end
  end)

  it("RFC5925:3.1-6 refuses identifiers that overlap where the connections do, and only there", function()
    local net = lab.pair()
    local function add(peer, send_id, recv_id, more)
      return select(3, net.client:ao_key(signed.merged({ peer = peer, send_id = send_id, recv_id = recv_id,
        key = "k" }, more)))
    end
    assert.is_nil(add("10.0.0.2", 1, 2))
    assert.equal("EEXIST", add("10.0.0.2", 1, 3))
    assert.equal("EEXIST", add("10.0.0.2", 3, 2))
    assert.equal("EEXIST", add("10.0.0.0", 3, 2, { prefix = 24 }))
    assert.equal("EEXIST", add("10.0.0.2", 1, 2, { port = 80 }))
    assert.is_nil(add("10.0.0.3", 1, 2))
    assert.is_nil(add("2001:db8::1", 1, 2))
    assert.is_nil(add("10.0.0.2", 3, 4, { port = 80 }))
    assert.is_nil(add("10.0.0.2", 5, 4, { port = 81 }))
  end)

  it("RFC5925:3.3-4, RFC5925:7.2-1 is not used where no key is for the connection", function()
    local net = signed.record(lab.pair())
    assert(net.client:ao_key { peer = "192.0.2.1", send_id = 1, recv_id = 2, key = "k" })
    local client, server = signed.open(net)
    assert.is_true(signed.transfer(client, server, 3000))
    for _, packet in ipairs(net.packets) do assert.is_nil(packet.options.ao) end
    assert.is_nil(signed.told(client))
  end)

  it("RFC5925:8-1, RFC5925:8-2, RFC5925:8-3, RFC5925:8-4 is what is taken where both have keys", function()
    local net = signed.record(signed.ao())
    assert(net.client:md5_key { peer = net.server, key = "k" })
    assert(net.server:md5_key { peer = net.client, key = "k" })
    signed.open(net)
    for _, packet in ipairs(net.packets) do
      assert.is_nil(packet.options.md5)
      assert.is_string(packet.options.ao)
    end
  end)

  describe("arriving segments", function()
    it("RFC5925:3.3-3, RFC5925:7.1-5 are verified by the key that KeyID names, and told", function()
      local s = forge { tuples = 2 }.open()
      s.data("one")
      s.data("two", { key_id = 2, rnext_key_id = 101 })
      s.net:run { until_ = s.net:now() + 0.1 }
      assert.equal("onetwo", s.conn:read(10))
      assert.same({ 2, 101 }, { signed.told(s.conn).key_id, signed.told(s.conn).rnext_key_id })
      assert.equal(2, signed.told(s.conn).keys)
    end)

    local wrong = {
      ["another key"] = { { key = "Secret" }, "bad" },
      ["another source ISN"] = { { source_isn = 1001 }, "bad" },
      ["a destination ISN of zero"] = { { destination_isn = 0 }, "bad" },
      ["another SNE"] = { { sne = 1 }, "bad" },
      ["another algorithm"] = { { mac = "AES-128-CMAC-96" }, "bad" },
      ["another coverage"] = { { include_options = false }, "bad" },
      ["an unknown KeyID"] = { { key_id = 9 }, "key_not_found" },
      ["no option"] = { false, "missing" },
    }
    for name, how in tablex.sort(wrong) do
      it("RFC5925:7.3-1, RFC5925:7.3-2, RFC5925:7.3-4 with " .. name .. " are dropped silently, and counted",
        function()
          local s = forge().open()
          for _, flags in ipairs { "A", "R", "FA", "SA" } do
            s.send({ flags = flags, seq = 1001, ack = flags:find "A" and 5001 or nil, payload = "x",
              options = { mss = 500 } }, how[1])
          end
          assert.is_true(s.silence())
          assert.equal("ESTABLISHED", s.conn:state())
          assert.equal(0, s.conn:info().bytes_received)
          assert.equal(4, signed.told(s.conn)[how[2]])
          assert.equal(4, s.count()["ao_" .. how[2]])
          assert.equal(4, s.host:counters().refused.LTCP_ERR_AUTHENTICATION)
        end)
    end

    it("RFC5925:7.5-1, RFC5925:5.2-2 in LISTEN: a SYN is verified with a destination ISN of zero", function()
      local s = forge()
      s.send({ flags = "S", seq = 1000 }, false)
      s.send({ flags = "S", seq = 1000 }, { key = "other" })
      s.send({ flags = "S", seq = 1000 }, { destination_isn = 5000 })
      s.send({ flags = "S", seq = 1000 }, { key_id = 7 })
      assert.is_true(s.silence())
      assert.same({ 1, 2, 1 }, { s.count().ao_missing, s.count().ao_bad, s.count().ao_key_not_found })
      assert.equal(0, s.host:counters().connections)
      s.send { flags = "S", seq = 1000 }
      s.peer:expect { flags = "SA", ack = 1001 }
    end)

    it("RFC5925:7.5-2 are verified before any other option is read", function()
      local s = forge { host = { timestamps = true } }
      s.send { flags = "S", seq = 1000, options = { mss = 1000, timestamps = { value = 100, echo = 0 } } }
      s.peer:expect { flags = "SA", ack = 1001 }
      s.send { flags = "A", seq = 1001, ack = 5001, options = { timestamps = { value = 101, echo = 0 } } }
      s.conn = assert(s.listener:accept())
      -- A forger's timestamp would make PAWS throw the true ones away.
      s.send({ flags = "A", seq = 1001, ack = 5001, options = { timestamps = { value = 9999, echo = 0 } } },
        { key = "other" })
      s.send { flags = "A", seq = 1001, ack = 5001, payload = "true", options = { timestamps =
        { value = 102, echo = 0 } } }
      assert.equal("true", s.conn:read(10))
      assert.equal(0, s.conn:info().paws_rejected)
    end)

    it("RFC5925:2.2-1 with both options are dropped, whether there are keys or not", function()
      local s = forge().open()
      s.send { flags = "A", seq = 1001, ack = 5001, payload = "x", md5_key = "k" }
      assert.is_true(s.silence())
      assert.equal(1, s.count().malformed)
      local net, host, peer = lab.forge { host = { isn = 1 } }
      host:listen(80)
      peer:send { flags = "S", seq = 1, destination_port = 80,
        options = { md5 = ("m"):rep(16), ao = ("a"):rep(14) } }
      assert.is_nil(peer:receive { timeout = 0.5 })
      assert.equal(1, signed.counted(host).malformed)
      net:collect()
    end)

    local function raw(options, s)
      return core.encode {
        source = s.peer:address(), destination = s.host:address(), source_port = 1024, destination_port = 80,
        flags = "A", seq = 1001, ack = 5001, payload = "x", options = options,
      }
    end

    it("RFC5925:2.2-2 with the option twice are dropped", function()
      local s = forge().open()
      s.peer:send(raw({ { kind = 29, data = ("a"):rep(14) }, { kind = 29, data = ("a"):rep(14) } }, s))
      assert.is_true(s.silence())
      assert.equal(1, s.count().malformed)
    end)

    for length = 2, 3 do
      it(("RFC5925:2.2-3 with an option of %d octets are dropped"):format(length), function()
        local s = forge().open()
        s.peer:send(raw({ { kind = 29, data = ("a"):rep(length - 2) } }, s))
        assert.is_true(s.silence())
        assert.equal(1, s.count().malformed)
        assert.equal(0, s.conn:info().bytes_received)
      end)
    end

    it("RFC5925:7.5-3, RFC5925:2.2-4 with an option of another length are dropped", function()
      local s = forge().open()
      for length = 4, 40 do
        local option = { kind = 29, data = "\1\101" .. ("a"):rep(length - 4) }
        if length ~= 16 then s.peer:send(raw({ option }, s)) end
      end
      assert.is_true(s.silence())
      assert.equal(36, signed.told(s.conn).bad)
      assert.equal("ESTABLISHED", s.conn:state())
    end)

    it("RFC5925:2.2-4 with a length past the header, 0 or 1 are dropped", function()
      local s = forge().open()
      for _, length in ipairs { 0, 1, 21, 255 } do
        local packet = raw({ { kind = 29, data = ("a"):rep(18) } }, s)
        -- The checksum is that of the octets before: turned over in both places, the sum stays.
        local sum = packet:byte(42) - length + (packet:byte(37) << 8) + packet:byte(38)
        sum = (sum & 0xFFFF) + (sum >> 16)
        s.peer:send(packet:sub(1, 36) .. (">I2"):pack(sum) .. packet:sub(39, 41) .. string.char(length)
          .. packet:sub(43))
      end
      assert.is_true(s.silence())
      assert.equal("ESTABLISHED", s.conn:state())
      assert.equal(4, s.host:counters().refused.LTCP_ERR_OPTION_LENGTH)
    end)

    it("RFC5925:7.3-3 without a key for them are accepted in `rfc`, and dropped as configured", function()
      for _, accept in ipairs { true, false } do
        local net, host, peer = lab.forge { host = { isn = 1 } }
        host:set { accept_unmatched_authentication = accept }
        host:listen(80)
        peer:send { flags = "S", seq = 1, destination_port = 80, options = { ao = ("a"):rep(14) } }
        local answer = peer:receive { timeout = 0.5 }
        assert.equal(accept, answer ~= nil)
        assert.same(accept and { 1, 0 } or { 0, 1 },
          { signed.counted(host).accepted, signed.counted(host).ao_unexpected })
        net:collect()
      end
      assert.is_true(core.profile("rfc").accept_unmatched_authentication)
    end)

    it("may be required of all that opens (ao_required)", function()
      for _, cookies in ipairs { 0, 2 } do
        local s = forge { host = { ao_required = true, syn_cookies = cookies } }
        s.open()
        local sent = s.host:counters().segments_sent
        s.peer:send { flags = "S", seq = 1, destination_port = 80, source = "10.0.0.77" }
        s.peer:send { flags = "A", seq = 2, ack = 2, destination_port = 80, source = "10.0.0.77" }
        s.net:run { until_ = s.net:now() + 0.5 }
        assert.equal(2, s.count().ao_missing)
        assert.equal(sent, s.host:counters().segments_sent)
      end
      local _, host, peer = lab.forge { host = { ao_required = true } }
      assert.equal("EKEYREJECTED", select(3, host:connect(peer:address(), 80)))
      assert.is_nil(peer:receive { timeout = 0.5 })
    end)

    it("RFC5925:6.2-1 cannot be replayed once the sequence numbers have gone round", function()
      local s = forge { host = { isn = 5000 } }.open()
      s.data("hello")
      assert.equal("hello", s.conn:read(10))
      s.peer:expect { flags = "A", ack = 1006 }
      -- The same octets again are old here, and verified; with the next SNE they are not.
      s.send({ flags = "A", seq = 1001, ack = 5001, payload = "hello" }, { sne = 1 })
      assert.is_true(s.silence())
      assert.equal(1, signed.told(s.conn).bad)
    end)

    it("RFC5925:4-3, RFC5925:5.2-1 of an earlier connection between the same sockets are dropped", function()
      local s = forge().open()
      s.data("x", { source_isn = 900, destination_isn = 4000 })
      assert.is_true(s.silence())
      assert.equal(1, signed.told(s.conn).bad)
    end)
  end)

  describe("sequence number extensions", function()
    for _, isn in ipairs { 0xFFFFFFFF, 0xFFFFF000, 0xFFFFFFFE, 0x7FFFFF00 } do
      it(("RFC5925:6.2-1, RFC5925:4-3 go on across 2^32, from %#x, under loss"):format(isn), function()
        local net = signed.ao {
          client = { isn = isn }, server = { isn = isn }, seed = 3, link = { delay = 0.01, loss = 0.03 },
        }
        local client, server = signed.open(net)
        local first = isn == 0xFFFFFFFF and 1 or 0 -- SND.NXT is past the SYN
        assert.same({ first, first }, { signed.told(client).snd_sne, signed.told(server).snd_sne })
        assert.is_true(signed.transfer(client, server, 200000))
        assert.is_true(signed.transfer(server, client, 50000))
        local wrapped = isn > 0x80000000 and 1 or 0
        assert.same({ wrapped, wrapped }, { signed.told(client).snd_sne, signed.told(server).rcv_sne })
        assert.equal(0, signed.told(client).bad + signed.told(server).bad)
      end)
    end
  end)

  describe("keys", function()
    it("RFC5925:6.1-1, RFC5925:4-1, RFC5925:4-2 begin with the one of the SYN, both ways", function()
      local net = signed.ao { tuples = 3 }
      local client, server = signed.open(net)
      assert.same({ 1, 101, 3 }, { signed.told(client).current_key, signed.told(client).rnext_key,
        signed.told(client).keys })
      assert.same({ 101, 1 }, { signed.told(server).current_key, signed.told(server).rnext_key })
    end)

    it("RFC5925:7.1-4, RFC5925:7.5-6 change in the middle of a transfer, under loss, and nothing is dropped",
      function()
        local net = signed.record(signed.ao { seed = 7, link = { delay = 0.01, loss = 0.05 } })
        local client, server = signed.open(net)
        assert.is_true(signed.transfer(client, server, 50000))
        signed.tuple(net, 2, { mac = "AES-128-CMAC-96" }) -- RFC5925:7.1-2
        assert(server:ao_keys { rnext_key = 2 })
        assert.equal(1, signed.told(client).current_key)
        assert.is_true(signed.transfer(client, server, 50000))
        assert.is_true(signed.transfer(server, client, 50000))
        assert.equal(2, signed.told(client).current_key)
        assert.equal(101, signed.told(server).current_key)
        assert(client:ao_keys { rnext_key = 102 })
        assert.is_true(signed.transfer(client, server, 50000))
        assert.equal(102, signed.told(server).current_key)
        local told = { signed.told(client), signed.told(server) }
        for i = 1, 2 do assert.same({ 0, 0, 0 }, { told[i].bad, told[i].key_not_found, told[i].missing }) end
      end)

    it("RFC5925:7.1-2, RFC5925:3.1-5, RFC5925:3.1-4 come and go while a connection lasts", function()
      local net = signed.ao()
      local client, server = signed.open(net)
      signed.tuple(net, 2)
      assert.equal(2, signed.told(client).keys)
      assert(client:ao_keys { current_key = 2, rnext_key = 102 })
      assert(server:ao_keys { current_key = 102, rnext_key = 2 })
      local _, _, code = net.client:remove_ao_key { peer = net.server, send_id = 2, recv_id = 102 }
      assert.equal("EBUSY", code)
      assert.is_true(net.client:remove_ao_key { peer = net.server, send_id = 1, recv_id = 101 })
      assert.is_true(net.server:remove_ao_key { peer = net.client, send_id = 101, recv_id = 1 })
      assert.is_true(signed.transfer(client, server, 30000))
      assert.equal(1, signed.told(client).keys)
      _, _, code = client:ao_keys { current_key = 1 }
      assert.equal("ENOKEY", code)
    end)

    it("RFC5925:6.1-2 the peer asks for what is not there: current_key stays, rnext_key always", function()
      local s = forge { tuples = 2 }.open()
      s.data("a", { rnext_key_id = 99 })
      s.peer:expect { flags = "A" }
      assert.same({ 101, 1 }, { signed.told(s.conn).current_key, signed.told(s.conn).rnext_key })
      s.data("b", { rnext_key_id = 102 })
      local packet = s.peer:expect { flags = "A" }
      assert.same({ 102, 1 }, { packet.options.ao:byte(1, 2) })
      s.data("c", { rnext_key_id = 101 }) -- "backing up"
      assert.equal(101, s.peer:expect { flags = "A" }.options.ao:byte(1))
      assert.equal(1, signed.told(s.conn).rnext_key)
    end)

    it("RFC5925:3.3-1, RFC5925:3.3-2 of several the one with the longest prefix signs first", function()
      local net = signed.record(lab.pair())
      assert(net.client:ao_key { peer = "10.0.0.0", prefix = 8, send_id = 1, recv_id = 1, key = "wide" })
      assert(net.client:ao_key { peer = net.server, send_id = 2, recv_id = 2, key = "narrow" })
      assert(net.server:ao_key { peer = net.client, send_id = 2, recv_id = 2, key = "narrow" })
      local client, server = signed.open(net)
      assert.is_true(signed.transfer(client, server, 3000))
      assert.equal(2, (ids(net.packets[1])))
    end)

    it("RFC5925:7.1-1, RFC5925:7.1-3 are given before the opening, and can be read", function()
      local net = lab.pair()
      assert(net.client:ao_key { peer = net.server, port = 80, local_address = "10.0.0.1", send_id = 1,
        recv_id = 2, key = "k\0\255", mac = "AES-128-CMAC-96", include_options = false })
      assert.same({
        {
          peer = net.server:address(), prefix = 32, port = 80, local_address = "10.0.0.1", send_id = 1,
          recv_id = 2, key = "k\0\255", mac = "AES-128-CMAC-96", kdf = "AES128", include_options = false,
        },
      }, net.client:keys().ao)
    end)

    it("RFC5926:3-1, RFC5926:3.1.1.3-1, RFC5926:3.1.1.3-2, RFC5926:3.1.1.3-3 name their KDF, SHA1 by default",
      function()
        local net = lab.pair()
        assert(net.client:ao_key { peer = "10.0.0.2", send_id = 1, recv_id = 2, key = "k" })
        assert(net.client:ao_key { peer = "10.0.0.2", send_id = 3, recv_id = 4, key = "k",
          mac = "AES-128-CMAC-96", kdf = "AES128" })
        local keys = net.client:keys().ao
        assert.same({ "HMAC-SHA-1-96", "SHA1", "AES128" }, { keys[1].mac, keys[1].kdf, keys[2].kdf })
        assert.error_matches(function()
          net.client:ao_key { peer = "10.0.0.2", send_id = 5, recv_id = 6, key = "k", kdf = "AES128" }
        end, "kdf: SHA1 goes with HMAC%-SHA%-1%-96, got 'AES128'")
      end)

    it("RFC5926:3.1-1, RFC5926:3.1-2, RFC5926:3.1-3 may be ASCII or any octets, of any length", function()
      for _, key in ipairs { "a", "testvector", ("k"):rep(16), ("\0\xff"):rep(20), ("z"):rep(255) } do
        local net = signed.ao({}, { key = key, mac = "AES-128-CMAC-96" })
        local client, server = signed.open(net)
        assert.is_true(signed.transfer(client, server, 3000))
      end
    end)
  end)

  describe("resets and lost connections", function()
    it("RFC5925:7.3-2 an abort's reset is signed, and believed", function()
      local net = signed.record(signed.ao())
      local client, server = signed.open(net)
      client:abort()
      net:run { until_ = net:now() + 1 }
      assert.equal("ECONNRESET", select(2, server:error()))
      assert.is_string(net.packets[#net.packets].options.ao)
    end)

    it("RFC5925:5.2-3 a reset without known ISNs is not signed, and not believed", function()
      local net = signed.record(signed.ao())
      local conn = assert(net.client:connect_start(net.server, 81))
      net:run { until_ = net:now() + 0.5 }
      assert.is_true(net.packets[2].flags.rst)
      assert.is_nil(net.packets[2].options.ao)
      assert.equal("SYN-SENT", conn:state())
      assert.equal(1, signed.told(conn).missing)
    end)

    -- The peer is a host whose memory is gone: another one, at the same address.
    local function reboot(restore)
      local s = forge().open()
      local state = assert(s.conn:ao_save())
      local net, host, peer = lab.forge { host = { isn = 9000, timestamps = false } }
      assert(host:ao_key { peer = peer:address(), send_id = 101, recv_id = 1, key = "secret" })
      if restore then assert(host:ao_restore(state)) end
      peer:send {
        flags = "A", seq = 1001, ack = 5001, payload = "x", destination_port = 80, window = 1000,
        ao_key = {
          key = "secret", key_id = 1, rnext_key_id = 101, source_isn = 1000, destination_isn = 5000,
        },
      }
      return net, peer:expect { flags = "R", seq = 5001 }, host, peer
    end

    it("RFC5925:7.7-3 the reset of a lost connection is signed where its state was kept", function()
      local net, reset, host, peer = reboot(true)
      local key = core.ao_traffic_key {
        key = "secret", source = reset.source, destination = reset.destination, source_port = 80,
        destination_port = 1024, source_isn = 5000, destination_isn = 1000,
      }
      assert.equal(core.ao_mac(reset.bytes, { traffic_key = key }), reset.options.ao:sub(3))
      -- What a forger sends is not answered.
      peer:send {
        flags = "A", seq = 1001, ack = 5001, payload = "x", destination_port = 80,
        ao_key = { key = "other", key_id = 1, rnext_key_id = 101, source_isn = 1000, destination_isn = 5000 },
      }
      assert.is_nil(peer:receive { timeout = 0.5 })
      assert.equal(1, signed.counted(host).ao_bad)
      net:collect()
    end)

    it("RFC5925:5.2-3 and unsigned where not", function()
      local net, reset = reboot(false)
      assert.is_nil(reset.options.ao)
      net:collect()
    end)

    it("RFC5925:7.7-1 keep-alives end a connection whose peer has lost it", function()
      local net = signed.ao { client = { keepalive = true, keepalive_idle = 10, keepalive_interval = 1,
        keepalive_count = 3 } }
      local client = signed.open(net)
      net.wire:drop { from = net.server }
      net:run { until_ = net:now() + 20 }
      assert.equal("ETIMEDOUT", select(2, client:error()))
    end)
  end)

  describe("ICMP", function()
    local function unreachable(s, code, version6)
      local quoted = s.peer:expect { flags = "PA" }
      s.peer:send(core.encode {
        source = s.peer:address(), destination = s.host:address(),
        icmp = { type = version6 and 1 or 3, code = code, mtu = 600, quote = quoted.bytes:sub(1, 48) },
      })
      s.net:run { until_ = s.net:now() + 0.1 }
    end

    for code = 2, 4 do
      it(("RFC5925:7.8-1, RFC5925:7.8-4 type 3, code %d is ignored and counted"):format(code), function()
        local s = forge().open()
        s.conn:write(("x"):rep(900))
        unreachable(s, code)
        assert.equal(1500, s.conn:info().path_mtu)
        assert.equal(1, signed.told(s.conn).icmp_ignored)
        assert.equal(1, s.count().icmp_ignored)
      end)
    end

    it("RFC5925:7.8-2, RFC5925:7.8-3 not where the connection's own setting says so", function()
      local s = forge().open()
      assert(s.conn:set { ao_ignore_icmp = false })
      s.conn:write(("x"):rep(900))
      unreachable(s, 4)
      assert.is_true(s.conn:info().path_mtu < 1500)
      assert.equal(0, signed.told(s.conn).icmp_ignored)
    end)
  end)

  it("RFC4987:3.6-8 no SYN cookie stands in for a verified SYN: a full queue drops it", function()
    local s = forge { host = { syn_cookies = 2 } }
    s.send { flags = "S", seq = 1000 }
    s.peer:expect { flags = "SA", ack = 1001 }
    assert.equal(0, s.host:counters().syn_cookies_sent)
  end)

  it("RFC5925:5.2-4 chooses ISNs that cannot be guessed", function()
    local net = signed.ao()
    local first = net.client:connect(net.server, 80)
    local second = net.client:connect(net.server, 80)
    assert.are_not.equal(first:info().iss, second:info().iss)
  end)

  it("RFC9293:MUST-10 a simultaneous open is signed by all four keys", function()
    local net = lab.pair { listen = false }
    signed.tuple(net, 1)
    local a = assert(net.client:connect_start(net.server, 4000, { local_port = 4001 }))
    local b = assert(net.server:connect_start(net.client, 4001, { local_port = 4000 }))
    net:run { until_ = 3 }
    assert.same({ "ESTABLISHED", "ESTABLISHED" }, { a:state(), b:state() })
    assert.is_true(signed.transfer(a, b, 5000))
    assert.equal(0, signed.told(a).bad + signed.told(b).bad)
  end)

  it("says what is wrong with an argument, and where", function()
    local net = lab.pair()
    for message, options in pairs {
      ["peer: an IP address is needed"] = { send_id = 1, recv_id = 1, key = "k" },
      ["key: a string of 1 to 255 octets is needed"] = { peer = "10.0.0.2", send_id = 1, recv_id = 1 },
      ["key: 1 to 255 octets expected, got 256"] = { peer = "10.0.0.2", send_id = 1, recv_id = 1,
        key = ("k"):rep(256) },
      ["key: 1 to 255 octets expected, got 0"] = { peer = "10.0.0.2", send_id = 1, recv_id = 1, key = "" },
      ["send_id: an integer between 0 and 255 is needed"] = { peer = "10.0.0.2", recv_id = 1, key = "k" },
      ["recv_id: integer between 0 and 255 expected, got 256"] = { peer = "10.0.0.2", send_id = 1,
        recv_id = 256, key = "k" },
      ["prefix: integer between 0 and 32 expected, got 33"] = { peer = "10.0.0.2", prefix = 33, send_id = 1,
        recv_id = 1, key = "k" },
      ["mac: 'MD5' is neither HMAC"] = { peer = "10.0.0.2", send_id = 1, recv_id = 1, key = "k",
        mac = "MD5" },
      ["unknown option 'keys'"] = { peer = "10.0.0.2", send_id = 1, recv_id = 1, keys = "k" },
    } do
      local ok, problem = pcall(net.client.ao_key, net.client, options)
      assert.is_false(ok)
      assert(problem:find(message, 1, true), problem)
    end
    local conn = signed.open(net)
    assert.equal("EOPNOTSUPP", select(3, conn:ao_keys { current_key = 1 }))
    local name = { peer = net.server, send_id = 1, recv_id = 1 }
    assert.equal("ENOKEY", select(3, net.client:remove_ao_key(name)))
    assert.equal("ENOKEY", select(3, net.client:remove_md5_key { peer = net.server }))
  end)
end)
