-- A proxy between sockets that know nothing of it: what passes, what is lost, who is let in.
local luv = require "luv"
local tcp = require "lunatcp"
local ends = require "udp.ends"

describe("a proxy #udp", function()
  local net, server, clients

  before_each(function()
    server, clients = ends.bare(), {}
  end)
  after_each(function()
    if net then net:close() end
    net = nil
    server.close()
    for _, client in ipairs(clients) do client.close() end
  end)

  local function start(options)
    net = assert(tcp.network { seed = options.network_seed or 7, clock = "real" })
    options.network_seed = nil
    options.server = server.text
    return assert(net:proxy(options))
  end

  local function client()
    clients[#clients + 1] = ends.bare()
    return clients[#clients]
  end

  -- Lets everything happen until `done()`.
  local function run(done)
    local limit = luv.hrtime() + ends.PATIENCE * 1e9
    while not done() do
      net:step()
      luv.run "nowait"
      assert(luv.hrtime() < limit, "nothing happened")
    end
  end

  it("carries datagrams there and back as they are, those without an octet too", function()
    local proxy = start {}
    local one, port = client(), select(2, proxy:socket())
    for _, text in ipairs { "first", "", ("x"):rep(60000), "\0\255\n" } do
      one.send(text, "127.0.0.1", port)
      local want = #server.got + 1
      run(function() return #server.got >= want end)
      assert.is_true(server.got[want] == text)
      server.send(text:reverse(), server.from.ip, server.from.port)
      run(function() return #one.got >= want end)
      assert.is_true(one.got[want] == text:reverse())
    end
    assert.equal(port, one.from.port)
    local counters = proxy:counters()
    assert.same({ 4, 4 }, { counters.forward.delivered, counters.back.delivered })
    assert.same({ 4, 4, 4, 4 }, (function(c)
      return { c.near_datagrams_in, c.near_datagrams_out, c.far_datagrams_in, c.far_datagrams_out }
    end)(proxy:tunnel_counters()))
  end)

  it("gives each client a socket of its own, and as many as it may have", function()
    local proxy = start { clients = 2, idle = 3600 }
    local port = select(2, proxy:socket())
    local seen = {}
    for i = 1, 3 do
      client().send("from " .. i, "127.0.0.1", port)
      if i < 3 then
        run(function() return #server.got == i end)
        seen[i] = server.from.port
        server.send("to " .. i, "127.0.0.1", server.from.port)
        run(function() return #clients[i].got == 1 end)
        assert.equal("to " .. i, clients[i].got[1])
      end
    end
    assert.not_equal(seen[1], seen[2])
    run(function() return proxy:tunnel_counters().refused == 1 end)
    assert.same({ 2, 2, 0 }, (function(c) return { c.clients, c.clients_now, c.forgotten } end)(
      proxy:tunnel_counters()))
    assert.equal(2, #server.got)
  end)

  it("forgets the client that was silent longest, for a new one", function()
    local proxy = start { clients = 1, idle = 0 }
    local port = select(2, proxy:socket())
    for i = 1, 3 do
      client().send("from " .. i, "127.0.0.1", port)
      run(function() return #server.got == i end)
      server.send("to " .. i, "127.0.0.1", server.from.port)
      run(function() return #clients[i].got == 1 end)
    end
    local counters = proxy:tunnel_counters()
    assert.same({ 3, 1, 2 }, { counters.clients, counters.clients_now, counters.forgotten })
    assert.equal(3, counters.far_datagrams_in)
  end)

  it("lets packets through a server of the other family", function()
    server.close()
    server = ends.bare(0, "::1")
    local proxy = start {}
    client().send("six", "127.0.0.1", (select(2, proxy:socket())))
    run(function() return #server.got == 1 end)
    server.send("four", "::1", server.from.port)
    run(function() return #clients[1].got == 1 end)
    assert.same({ "six", "four" }, { server.got[1], clients[1].got[1] })
  end)

  -- Which of `count` packets a link of the simulator drops.
  local function dropped_in_the_simulator(seed, path, count)
    local virtual = tcp.network { seed = seed }
    local a, b = virtual:peer "a", virtual:peer "b"
    local link = virtual:link(a, b, path)
    local dropped = {}
    for i = 1, count do
      local before = link:counters(a).dropped.loss
      link:inject(a, { source = "10.0.0.1", destination = "10.0.0.2", source_port = 1, destination_port = 2,
        flags = "A", seq = i })
      virtual:run { until_idle = true }
      if link:counters(a).dropped.loss > before then dropped[#dropped + 1] = i end
    end
    virtual:close()
    return dropped
  end

  it("drops the packets that the simulator's link drops, by the same seed", function()
    local path, count = { loss = 0.2 }, 200
    local want = dropped_in_the_simulator(42, path, count)
    local proxy = start { network_seed = 42, loss = 0.2 }
    local one, port = client(), select(2, proxy:socket())
    for i = 1, count do
      one.send(tostring(i), "127.0.0.1", port)
      run(function() return proxy:counters().forward.packets == i end)
    end
    run(function() return #server.got == count - #want end)
    local came, lost = {}, {}
    for _, text in ipairs(server.got) do came[tonumber(text)] = true end
    for i = 1, count do
      if not came[i] then lost[#lost + 1] = i end
    end
    assert.is_true(#want > 20)
    assert.same(want, lost)
    assert.not_same(want, dropped_in_the_simulator(43, path, count))
  end)

  it("has rules, delays and doubles as links have", function()
    local proxy = start { forward = { delay = 0.02 }, back = { duplicate = 1 } }
    proxy:drop { from = proxy.clients, nth = 2 }
    local one, port = client(), select(2, proxy:socket())
    local began = net:now()
    for i = 1, 3 do one.send(tostring(i), "127.0.0.1", port) end
    run(function() return #server.got == 2 end)
    assert.same({ "1", "3" }, server.got)
    assert.is_true(net:now() - began >= 0.02)
    server.send("twice", "127.0.0.1", server.from.port)
    run(function() return #one.got == 2 end)
    assert.same({ "twice", "twice" }, one.got)
    assert.equal(1, proxy:counters().forward.dropped.rule)
  end)

  it("carries on what corruption has hit, and drops what it has made nobody's", function()
    local proxy = start { network_seed = 3, forward = { corrupt = 1 } }
    local one, port = client(), select(2, proxy:socket())
    local text = ("0123456789"):rep(10)
    for i = 1, 200 do
      one.send(text, "127.0.0.1", port)
      run(function() return proxy:counters().forward.packets == i end)
    end
    run(function() return #server.got + proxy:tunnel_counters().misled == 200 end)
    assert.is_true(proxy:tunnel_counters().misled > 0)
    local changed = 0
    for _, got in ipairs(server.got) do
      assert.equal(#text, #got)
      if got ~= text then changed = changed + 1 end
    end
    assert.is_true(changed > 100)
  end)

  it("counts what nobody listens to, and is closed with its network", function()
    local gone, other = server, ends.bare() -- taken before the first lets its port go: it is another one
    local proxy = start {}
    gone.close()
    server = other
    local one, port = client(), select(2, proxy:socket())
    for i = 1, 3 do -- each is answered by ICMP, and the proxy goes on
      one.send("x" .. i, "127.0.0.1", port)
      run(function() return proxy:tunnel_counters().far_refused == i end)
    end
    local counters = proxy:tunnel_counters()
    assert.same({ 0, 3, 1 }, { #other.got, counters.near_datagrams_in, counters.clients })
    assert.equal(0, counters.near_refused)
    local back = ends.bare(gone.port) -- somebody listens there again
    one.send("heard", "127.0.0.1", port)
    run(function() return #back.got == 1 end)
    back.send("answered", back.from.ip, back.from.port)
    run(function() return #one.got == 1 end)
    assert.same({ "heard", "answered" }, { back.got[1], one.got[1] })
    assert.equal(3, proxy:tunnel_counters().far_refused)
    back.close()
    net:close()
    assert.has_error(function() proxy:tunnel_counters() end, "relay is closed")
  end)

  it("says what is wrong", function()
    net = assert(tcp.network { seed = 1, clock = "real" })
    local function refused(options, pattern)
      local ok, message = pcall(net.proxy, net, options)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end
    refused({}, "proxy: server: expected a string")
    refused({ server = "127.0.0.1:9", clients = 0 }, "clients")
    refused({ server = "127.0.0.1:9", losses = 1 }, "losses")
    assert.same({ nil, "server 'x': no ADDRESS:PORT of numbers, as 127.0.0.1:9000 or [::1]:9000", "EINVAL" },
      { net:proxy { server = "x" } })
    assert.equal("EADDRINUSE", select(3, net:proxy { server = "127.0.0.1:9", bind = server.text }))
  end)
end)
