-- Several peers on one socket, each a bare one.
local core = require "lunatcp.core"
local ends = require "udp.ends"

-- From the inner address `from` to `to`.
local function packet(from, to, fields)
  fields.source, fields.destination = from, to
  return ends.packet(4, 1, fields)
end

describe("a tunnel of several peers #udp", function()
  local one
  after_each(function() one:close() end)

  for _, batch in ipairs { "auto", "gso", "mmsg", "plain" } do
    it("sends to each what is for it, and says who sent: plain, " .. batch, function()
      local far = { ends.bare(), ends.bare(), ends.bare() }
      local peers = {}
      for i = 1, 2 do peers[i] = { peer = far[i].text, address = "10.0.0." .. i + 1 } end
      one = ends.outside { peers = peers, batch = batch }
      assert.equal(2, one.tunnel:peers())
      local host, port = one.tunnel:address()
      for round = 1, 20 do
        for i = 1, 3 do
          assert(one.peers[1]:send(packet("10.0.0.1", "10.0.0." .. i + 1, { seq = round, payload = "to "
            .. i }),
            one.link))
        end
      end
      one:run_both(function() return #far[1].got == 20 and #far[2].got == 20 end)
      for i = 1, 2 do
        for round = 1, 20 do
          local wanted = packet("10.0.0.1", "10.0.0." .. i + 1, { seq = round, payload = "to " .. i })
          assert.equal(wanted:sub(21), far[i].got[round])
        end
      end
      assert.equal(20, one.tunnel:counters().no_peer) -- 10.0.0.4 is nobody

      for i = 1, 3 do far[i].send(packet("10.0.0." .. i + 1, "10.0.0.1", {}):sub(21), host, port) end
      local got = one:receive(one.peers[1]:id(), 2)
      one:run(function() return one.tunnel:counters().strangers == 1 end)
      local from = { core.decode(got[1]).source, core.decode(got[2]).source }
      table.sort(from)
      assert.same({ "10.0.0.2", "10.0.0.3" }, from)
      for _, socket in ipairs(far) do socket.close() end
    end)
  end

  it("learns as many as it may, one inner address after the other: plain", function()
    local far = { ends.bare(), ends.bare(), ends.bare() }
    one = ends.outside { learn = 2 } -- we are 10.0.0.1, the first that is learned 10.0.0.2
    local host, port = one.tunnel:address()
    far[1].send("junk that is long enough to be one", host, port)
    for i = 1, 3 do
      far[i].send(packet("10.0.0." .. i + 1, "10.0.0.1", {}):sub(21), host, port)
      one:run(function() return one.tunnel:counters().datagrams_in == i + 1 end)
    end
    one:receive(one.peers[1]:id(), 2)
    assert.equal(2, one.tunnel:peers())
    assert.equal(2, one.tunnel:counters().strangers)
    assert(one.peers[1]:send(packet("10.0.0.1", "10.0.0.3", { payload = "back" }), one.link))
    one:run_both(function() return #far[2].got == 1 end)
    for _, socket in ipairs(far) do socket.close() end
  end)

  it("learns them by the addresses in the packets: rawip", function()
    local far = { ends.bare(), ends.bare() }
    one = ends.outside { framing = "rawip", learn = 9 }
    local host, port = one.tunnel:address()
    far[1].send(packet("10.7.0.1", "10.0.0.1", {}), host, port)
    far[2].send(packet("10.7.0.2", "10.0.0.1", {}), host, port)
    one:receive(one.peers[1]:id(), 2)
    local liar = ends.bare()
    liar.send(packet("10.7.0.2", "10.0.0.1", {}), host, port) -- somebody else's address
    one:run(function() return one.tunnel:counters().strangers == 1 end)
    for i = 1, 2 do assert(one.peers[1]:send(packet("10.0.0.1", "10.7.0." .. i, { payload = "x" }),
      one.link)) end
    one:run_both(function() return #far[1].got == 1 and #far[2].got == 1 end)
    assert.equal(0, #liar.got)
    for _, socket in ipairs { far[1], far[2], liar } do socket.close() end
  end)

  it("takes one more at any time, over IPv6 too", function()
    one = ends.outside { framing = "rawip", peers = {}, family = 6 }
    assert.equal(0, one.tunnel:peers())
    assert.is_nil(one.tunnel:peer())
    assert.is_true(one.tunnel:add_peer { peer = "[::1]:9", address = "fd00::2" })
    assert.same({ "::1", 9 }, { one.tunnel:peer() })
    assert.equal("EAFNOSUPPORT", (select(3, one.tunnel:add_peer { peer = "127.0.0.1:9" })))
    assert.equal("EINVAL", (select(3, one.tunnel:add_peer { peer = "nowhere" })))
    assert.equal("EISCONN", (select(3, one.tunnel:set_peer "[::1]:10")))
    assert.has_error(function() one.tunnel:add_peer { peer = "[::1]:9", address = "x" } end)
    assert.has_error(function() one.tunnel:add_peer { peer = "[::1]:9", mac = "01:00:00:00:00:01" } end)
    assert.has_error(function() one.tunnel:add_peer() end)
  end)

  it("finds one of many by hashing", function()
    one = ends.outside { framing = "rawip", peers = {} }
    for i = 1, 5000 do
      assert(one.tunnel:add_peer { peer = "127.0.0.1:" .. 10000 + i, address = ("10.8.%d.%d"):format(i >> 8,
        i & 255) })
    end
    local far = ends.bare()
    assert(one.tunnel:add_peer { peer = far.text, address = "10.9.0.1" })
    assert.equal(5001, one.tunnel:peers())
    assert(one.peers[1]:send(packet("10.0.0.1", "10.9.0.1", { payload = "x" }), one.link))
    one:run_both(function() return #far.got == 1 end)
    far.close()
  end)

  it("is not one of one peer", function()
    one = ends.outside { framing = "rawip", peer = "127.0.0.1:9" }
    assert.equal("EISCONN", (select(3, one.tunnel:add_peer { peer = "127.0.0.1:10" })))
    assert.has_error(function() ends.outside { framing = "rawip", peer = "127.0.0.1:9", peers = {} } end)
    assert.has_error(function() ends.outside { framing = "rawip", peers = { 1 } } end)
    assert.has_error(function() ends.outside { framing = "rawip", learn = "yes" } end)
  end)
end)
