local core = require "lunatcp.core"
local ends = require "udp.ends"

local bare = ends.bare

-- Both loops, until `done()`.
local function run_both(one, done) one:run_both(done) end

describe("a tunnel #udp", function()
  local one
  after_each(function()
    if one then one:close() end
    one = nil
  end)

  -- Sizes around a train: nothing, a little, equal ones, an odd one, and one that fills a datagram.
  local sizes <const> = { 0, 1, 1448, 1448, 1448, 1448, 1448, 333, 1448, 20000, 65000, 7 }

  for _, batch in ipairs { "auto", "gso", "mmsg", "plain" } do
    for _, framing in ipairs { "plain", "rawip" } do
      for _, family in ipairs { 4, 6 } do
        it(("carries every octet both ways, %s, %s, IPv%d"):format(batch, framing, family), function()
          one = ends.pair { family = family, framing = framing, batch = batch }
          local sent = { {}, {} }
          for i, size in ipairs(sizes) do
            for from = 1, 2 do
              local payload = (string.char(i + from) .. "octets"):rep(size // 7 + 1):sub(1, size)
              -- A tunnel without the IP header makes it again: identification 0, as for DF.
              local packet = ends.packet(family, from, { seq = i, payload = payload, ip_id = 0 })
              sent[from][i] = packet
              assert(one.peers[from]:send(packet, one.link))
            end
          end
          assert.same(sent[1], one:receive(one.peers[2]:id(), #sizes))
          assert.same(sent[2], one:receive(one.peers[1]:id(), #sizes))
          for i = 1, 2 do
            local counters = one.tunnels[i]:counters()
            assert.equal(#sizes, counters.packets_in)
            assert.equal(#sizes, counters.packets_out)
            assert.equal(#sizes, counters.datagrams_in)
            assert.equal(#sizes, counters.datagrams_out)
            assert.equal(counters.bytes_out, one.tunnels[3 - i]:counters().bytes_in)
            assert.equal(0, counters.unreadable + counters.strangers + counters.odd_pieces
              + counters.truncated + counters.failed + counters.queue_full)
          end
        end)
      end
    end
  end

  it("says which batch it has come to", function()
    one = ends.pair { batch = "mmsg" }
    assert.equal("mmsg", one.tunnels[1]:counters().batch)
    one:close()
    one = ends.pair {}
    assert.not_equal("auto", one.tunnels[1]:counters().batch)
  end)

  it("sends a burst in as few calls as its batch allows", function()
    for batch, calls in pairs { gso = 1, mmsg = 1, plain = 40 } do
      one = ends.pair { batch = batch }
      for i = 1, 40 do
        assert(one.peers[1]:send(ends.packet(4, 1, { seq = i, payload = ("x"):rep(1000) }), one.link))
      end
      one:receive(one.peers[2]:id(), 40)
      assert.equal(calls, one.tunnels[1]:counters().calls_out, batch)
      one:close()
    end
    one = nil
  end)

  for _, family in ipairs { 4, 6 } do
    it(("carries ECN, DSCP and TTL beside the segment, IPv%d"):format(family), function()
      for _, batch in ipairs { "gso", "mmsg", "plain" } do
        one = ends.pair { family = family, batch = batch }
        local marks = {
          { ecn = 0, dscp = 0, ttl = 64 }, { ecn = 1, dscp = 0, ttl = 64 },
          { ecn = 2, dscp = 46, ttl = 255 }, { ecn = 3, dscp = 63, ttl = 1 },
        }
        for _, mark in ipairs(marks) do
          assert(one.peers[1]:send(ends.packet(family, 1, mark), one.link))
        end
        for i, packet in ipairs(one:receive(one.peers[2]:id(), #marks)) do
          local p = core.decode(packet)
          assert.same(marks[i], { ecn = p.ecn, dscp = p.dscp, ttl = p.ttl })
        end
        one:close()
      end
      one = nil
    end)
  end

  it("puts the unchanged TCP header and data in a datagram of plain", function()
    local far = bare()
    one = ends.outside { peer = far.text }
    local packet = ends.packet(4, 1, { payload = "hello" })
    assert(one.peers[1]:send(packet, one.link))
    run_both(one, function() return #far.got == 1 end)
    far.close()
    assert.equal(packet:sub(21), far.got[1])
  end)

  it("leaves the inner checksum to UDP's when asked, and vouches for what comes in", function()
    local far = bare()
    one = ends.outside { peer = far.text, checksum = "udp" }
    local packet = ends.packet(4, 1, { payload = "hello" })
    assert(one.peers[1]:send(packet, one.link))
    run_both(one, function() return #far.got == 1 end)
    assert.equal(packet:sub(21, 36) .. "\0\0" .. packet:sub(39), far.got[1])
    far.send(far.got[1], one.tunnel:address())
    run_both(one, function() return one.tunnel:counters().packets_in == 1 end)
    far.close()
  end)

  it("puts a whole IP packet in a datagram of rawip, whatever it carries", function()
    local far = bare()
    one = ends.outside { peer = far.text, framing = "rawip" }
    local six = ends.packet(6, 1, { payload = "six" })
    local ping = ends.ping()
    assert(one.peers[1]:send(six, one.link))
    assert(one.peers[1]:send(ping, one.link))
    run_both(one, function() return #far.got == 2 end)
    far.close()
    assert.same({ six, ping }, far.got)
  end)

  it("counts what plain cannot carry", function()
    local far = bare()
    one = ends.outside { peer = far.text }
    assert(one.peers[1]:send(ends.ping(), one.link))
    one:run(function() return one.tunnel:counters().unframeable == 1 end)
    far.close()
    assert.equal(0, one.tunnel:counters().packets_out)
  end)

  it("counts datagrams that are not of its framing, and goes on", function()
    local far = bare()
    local host, port
    for framing, junk in pairs {
      plain = { "", "x", ("x"):rep(19) },
      rawip = { "", "\x50", "\x45", ("\x45"):rep(19), "\x60" .. ("x"):rep(38) },
    } do
      one = ends.outside { peer = far.text, framing = framing }
      host, port = one.tunnel:address()
      for _, datagram in ipairs(junk) do far.send(datagram, host, port) end
      local good = ends.packet(4, 2, { payload = "good" })
      far.send(framing == "plain" and good:sub(21) or good, host, port)
      local got = one:receive(one.peers[1]:id(), 1)
      assert.equal("good", core.decode(got[1]).payload)
      assert.equal(#junk, one.tunnel:counters().unreadable, framing)
      assert.equal(1, one.tunnel:counters().packets_in, framing)
      one:close()
    end
    far.close()
    one = nil
  end)

  it("hears nobody but its peer", function()
    local far, stranger = bare(), bare()
    one = ends.outside { peer = far.text }
    local host, port = one.tunnel:address()
    stranger.send(ends.packet(4, 2, { payload = "stranger" }):sub(21), host, port)
    far.send(ends.packet(4, 2, { payload = "peer" }):sub(21), host, port)
    local got = one:receive(one.peers[1]:id(), 1)
    far.close()
    stranger.close()
    assert.equal(1, #got)
    assert.equal("peer", core.decode(got[1]).payload)
  end)

  it("learns its peer from the first valid packet, when asked", function()
    local far, junk = bare(), bare()
    one = ends.outside { learn = true }
    local host, port = one.tunnel:address()
    assert.is_nil(one.tunnel:peer())
    assert(one.peers[1]:send(ends.packet(4, 1), one.link))
    one:run(function() return one.tunnel:counters().no_peer == 1 end)

    local good = ends.packet(4, 2, { payload = "good" }):sub(21)
    junk.send("junk, and long enough for a header", host, port)
    junk.send(good:sub(1, -2) .. "D", host, port) -- the checksum does not fit
    one:run(function() return one.tunnel:counters().datagrams_in == 2 end)
    assert.is_nil(one.tunnel:peer())

    far.send(good, host, port)
    one:receive(one.peers[1]:id(), 1)
    assert.equal(far.text, ends.text(one.tunnel:peer()))
    assert(one.peers[1]:send(ends.packet(4, 1, { payload = "back" }), one.link))
    run_both(one, function() return #far.got == 1 end)
    far.close()
    junk.close()
  end)

  it("without a peer and without learning takes nothing in", function()
    local far = bare()
    one = ends.outside {}
    local host, port = one.tunnel:address()
    far.send(ends.packet(4, 2):sub(21), host, port)
    one:run(function() return one.tunnel:counters().strangers == 1 end)
    far.close()
    assert.equal(0, one.tunnel:counters().packets_in)
  end)

  it("applies the link's impairments at its mouth to what comes from outside", function()
    local far = bare()
    one = ends.outside { peer = far.text, path = { loss = { list = { 1, 3 } }, delay = 0.001 } }
    local host, port = one.tunnel:address()
    for i = 1, 4 do far.send(ends.packet(4, 2, { seq = i }):sub(21), host, port) end
    local got = one:receive(one.peers[1]:id(), 2)
    far.close()
    assert.equal(2, core.decode(got[1]).seq)
    assert.equal(4, core.decode(got[2]).seq)
    assert.equal(2, one.link:counters(2).dropped.loss)
  end)

  it("counts refusals by the far machine, and goes on", function()
    local far = bare()
    local text = far.text
    far.close()
    one = ends.outside { peer = text }
    assert(one.peers[1]:send(ends.packet(4, 1), one.link))
    one:run(function() return one.tunnel:counters().refused >= 1 end)

    local again = ends.outside { bind = text, peer = ends.text(one.tunnel:address()) }
    assert(one.peers[1]:send(ends.packet(4, 1, { seq = 7 }), one.link))
    one:run(function()
      again.loop:step(again.net, again.loop:now())
      again.loop:run_once(0)
      return again.tunnel:counters().packets_in == 1
    end)
    again:close()
  end)

  it("loses nothing to an error of an earlier datagram", function()
    local far = bare()
    local port = far.handle:getsockname().port
    one = ends.outside { peer = far.text }
    far.close()
    assert(one.peers[1]:send(ends.packet(4, 1, { seq = 1 }), one.link))
    one.net:step(one.loop:now())
    assert.equal(0, one.tunnel:flush()) -- nobody is there, and the kernel will say so at the next call
    far = bare(port)
    assert(one.peers[1]:send(ends.packet(4, 1, { seq = 2 }), one.link))
    one.net:step(one.loop:now())
    assert.equal(0, one.tunnel:flush())
    run_both(one, function() return #far.got == 1 end)
    far.close()
    assert.equal(ends.packet(4, 1, { seq = 2 }):sub(21), far.got[1])
    assert.equal(1, one.tunnel:counters().refused)
  end)

  it("says when a packet arrived, not when the network was last stepped", function()
    local far = bare()
    one = ends.outside { peer = far.text }
    local before = one.net:now()
    one.loop:run_once(0.002)
    assert.is_true(one.loop:now() >= before + 0.002)
    local sent = one.loop:now()
    far.send(ends.packet(4, 2):sub(21), one.tunnel:address())
    while one.loop:run_once(1) == 0 do assert(one.loop:now() < sent + ends.PATIENCE) end
    one.net:step(one.loop:now())
    local _, time = one.peers[1]:receive()
    far.close()
    assert.is_true(time >= sent and time <= one.loop:now())
  end)

  it("keeps no more memory than small packets that wait are worth", function()
    one = ends.pair { batch = "plain" }
    for i = 1, 200 do
      assert(one.peers[1]:send(ends.packet(4, 1, { seq = i, payload = ("x"):rep(100) }), one.link))
    end
    local limit = one.loop:now() + ends.PATIENCE
    repeat -- nobody asks the peer, where they wait
      one.net:step(one.loop:now())
      one.loop:run_once(0.01)
    until one.tunnels[2]:counters().packets_in == 200 or one.loop:now() > limit
    assert.equal(200, one.tunnels[2]:counters().packets_in)
    assert.is_true(one.net:memory().bytes < 1000000)
  end)

  it("counts a packet that no datagram can hold, and goes on", function()
    one = ends.pair { framing = "rawip" }
    local big = ends.packet(4, 1, { payload = ("x"):rep(65535 - 40) })
    assert(one.peers[1]:send(big, one.link))
    assert(one.peers[1]:send(ends.packet(4, 1, { seq = 9 }), one.link))
    local got = one:receive(one.peers[2]:id(), 1)
    assert.equal(9, core.decode(got[1]).seq)
    assert.equal(1, one.tunnels[1]:counters().too_long)
  end)

  it("sends at once what flush is called for", function()
    one = ends.pair {}
    assert(one.peers[1]:send(ends.packet(4, 1), one.link))
    one.net:step(one.loop:now())
    assert.equal(0, one.tunnels[1]:flush())
    assert.equal(1, one.tunnels[1]:counters().datagrams_out)
  end)
end)

describe("loop:udp refuses #udp", function()
  local one
  before_each(function() one = ends.outside {} end)
  after_each(function() one:close() end)

  -- On a link of its own, so that nothing but the option is wrong.
  local function udp(options)
    local link = assert(one.net:link { { node = one.net:peer() }, {}, tunnel = true })
    local all = { link = link, bind = "127.0.0.1:0", framing = "rawip" }
    for key, value in pairs(options) do all[key] = value end
    return one.loop:udp(all)
  end

  it("text that is no address: nil, message, EINVAL", function()
    for _, text in ipairs { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80",
                            "[::1]", "[::1]:", "localhost:80", "1.2.3:4", "[127.0.0.1]:1" } do
      for _, key in ipairs { "bind", "peer" } do
        local tunnel, message, code = udp { [key] = text }
        assert.is_nil(tunnel)
        assert.equal("EINVAL", code)
        assert.matches(key, message, 1, true)
        assert.matches(text, message, 1, true)
      end
      local ok, _, code = one.tunnel:set_peer(text)
      assert.is_nil(ok)
      assert.equal("EINVAL", code)
    end
  end)

  it("a port in use: EADDRINUSE, and names it", function()
    local taken = ends.text(one.tunnel:address())
    local tunnel, message, code = udp { bind = taken }
    assert.is_nil(tunnel)
    assert.equal("EADDRINUSE", code)
    assert.matches(taken, message, 1, true)
  end)

  it("an address of another machine: EADDRNOTAVAIL", function()
    assert.equal("EADDRNOTAVAIL", (select(3, udp { bind = "192.0.2.1:0" })))
  end)

  it("two families: EAFNOSUPPORT", function()
    assert.same({ nil, "udp 127.0.0.1:0 to [::1]:9: address family not supported", "EAFNOSUPPORT" },
      { udp { peer = "[::1]:9" } })
    assert.equal("EAFNOSUPPORT", (select(3, one.tunnel:set_peer "[::1]:9")))
  end)

  it("a second tunnel for one direction: EEXIST", function()
    assert.equal("EEXIST", (select(3, udp { link = one.link })))
    one.tunnel:close()
    assert(udp { link = one.link })
  end)

  it("wrong arguments by raising, naming them", function()
    local function raises(pattern, options)
      local ok, message = pcall(udp, options)
      assert.is_false(ok)
      assert.matches(pattern, message, 1, true)
    end
    raises("unknown option 'port'", { port = 1 })
    raises("link", { link = 1 })
    raises("bind", { bind = 80 })
    raises("direction", { direction = 3 })
    raises("one of plain, rawip, vxlan, cheshire", { framing = "gre" })
    raises("one of inner, udp", { checksum = "none" })
    raises("one of auto, gso, mmsg, plain", { batch = "fast" })
    raises("local_address", { framing = "plain" })
    raises("remote_address", { framing = "plain", local_address = "10.0.0.1" })
    raises("remote_address", { framing = "plain", local_address = "10.0.0.1", remote_address = "fd00::1" })
    raises("local_address", { local_address = "10.0.0" })
    assert.error_matches(function() one.loop:udp { framing = "rawip" } end, "bind")
    assert.error_matches(function() one.loop:udp() end, "table")
  end)
end)

describe("the end of a tunnel #udp", function()
  it("is close: idempotent, and everything else raises", function()
    local one = ends.outside {}
    local tunnel = one.tunnel
    assert.matches("^lunatcp.Tunnel %(127.0.0.1:%d+%)$", tostring(tunnel))
    local taken = ends.text(tunnel:address())
    tunnel:close()
    tunnel:close()
    assert.equal("lunatcp.Tunnel (closed)", tostring(tunnel))
    for _, method in ipairs { "address", "peer", "counters", "flush" } do
      assert.error_matches(function() tunnel[method](tunnel) end, "tunnel is closed")
    end
    local again = ends.outside { bind = taken }
    assert.is_nil(again.message)
    again:close()
    one:close()
  end)

  it("is the end of its scope", function()
    local one = ends.outside {}
    local taken
    do
      local tunnel <close> = one.tunnel
      taken = ends.text(tunnel:address())
    end
    assert.error_matches(function() one.tunnel:address() end, "closed")
    local again = ends.outside { bind = taken }
    assert.is_nil(again.message)
    again:close()
    one:close()
  end)

  it("is the close of its network or loop, with packets under way, in any order", function()
    for _, order in ipairs { { "net", "loop" }, { "loop", "net" }, { "loop" }, { "net" } } do
      local one = ends.pair {}
      for i = 1, 100 do assert(one.peers[1]:send(ends.packet(4, 1, { seq = i, payload = "x" }), one.link)) end
      one.net:step(one.loop:now())
      for _, what in ipairs(order) do one[what]:close() end
      assert.error_matches(function() one.tunnels[1]:counters() end, "tunnel is closed")
      if not one.net:closed() then one.net:step(0) end
      if order[1] == "net" and not order[2] then
        one.loop:run_once(0)
        one.tunnels[1]:close()
      end
    end
    collectgarbage()
  end)

  it("is not the collector's: a tunnel that nobody holds goes on", function()
    local one = ends.pair {}
    one.tunnels = nil
    collectgarbage()
    collectgarbage()
    assert(one.peers[1]:send(ends.packet(4, 1, { payload = "still here" }), one.link))
    one:receive(one.peers[2]:id(), 1)
    one:close()
  end)

  it("is the collector's when the loop goes as well", function()
    local taken
    do
      local one = ends.outside {}
      taken = ends.text(one.tunnel:address())
    end
    collectgarbage()
    collectgarbage()
    local again = ends.outside { bind = taken }
    assert.is_nil(again.message)
    again:close()
  end)
end)
