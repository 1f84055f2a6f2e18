-- net:tunnel and net:proxy, as scripts open them: what is wrong is named, and leaves nothing behind.
local tcp = require "lunatcp"

describe("net:tunnel #udp", function()
  local net, here, there
  before_each(function()
    net = tcp.network { clock = "real", seed = 1 }
    here, there = net:host "here", net:host "there"
  end)
  after_each(function() net:close() end)

  it("says what is wrong with its options, by raising", function()
    local function raises(pattern, options)
      assert.error_matches(function() net:tunnel(here, options) end, pattern, nil, true)
    end
    local peer <const> = "127.0.0.1:9"
    raises("tunnel: options: expected a table, got nothing", nil)
    raises('give peer = "ADDRESS:PORT"', {})
    raises("tunnel: options: unknown key 'pear'; known are address, back, batch, bind, ", { pear = peer })
    raises("tunnel: peer: expected a string, got 9", { peer = 9 })
    raises("tunnel: bind: expected a string, got 9", { peer = peer, bind = 9 })
    raises("framing: one of plain, rawip, vxlan, cheshire expected, got 'gre'",
      { peer = peer, framing = "gre" })
    raises("tunnel: vni: only framing 'vxlan' has it, not 'plain'", { peer = peer, vni = 7 })
    raises("tunnel: mac: only framing 'vxlan' has it, not 'rawip'",
      { peer = peer, framing = "rawip", mac = "02:00:00:00:00:01" })
    raises("tunnel: checksum: only framing 'plain' has it, not 'rawip'",
      { peer = peer, framing = "rawip", checksum = "udp" })
    raises("tunnel: peer: a TUN device has none", { tun = "tun7", peer = peer })
    raises("tunnel: framing: a TUN device has none", { tun = "tun7", framing = "vxlan" })
    raises("tunnel: peers: expected a table, got \"127.0.0.1:9\"", { peers = peer })
    raises("tunnel: peers[1]: expected a table, got \"127.0.0.1:9\"", { peers = { peer } })
    raises("tunnel: peers[1]: unknown key 'adress'", { peers = { { peer = peer, adress = "10.0.0.1" } } })
    raises("tunnel: peers[1]: peer: expected a string, got nothing", { peers = { {} } })
    raises("tunnel: peers[1]: address: framing 'plain' does not tell it", { peers = { { peer = peer } } })
    raises("tunnel: peers[1]: address: '10.0' is no address",
      { peers = { { peer = peer, address = "10.0" } } })
    for _, twice in ipairs { { peer, "10.0.0.6" }, { "127.0.0.1:10", "10.0.0.5" } } do
      raises("is that of peers[1], too", { peers = { { peer = peer, address = "10.0.0.5" },
        { peer = twice[1], address = twice[2] } } })
    end
    raises("tunnel: address[1]: '10.0.0' is no address", { peer = peer, address = "10.0.0" })
    raises("tunnel: remote_address: the far end's must be given beside fd00::1/64",
      { peer = peer, address = "fd00::1/64" })
    assert.error_matches(function() net:proxy { server = peer, los = 1 } end,
      "proxy: options: unknown key 'los'; known are back, batch, bind, clients, ", nil, true)
  end)

  it("says which text is no socket", function()
    local no_socket <const> = "peer '%s': no ADDRESS:PORT of numbers, as 127.0.0.1:9000 or [::1]:9000"
    for _, text in ipairs { "127.0.0.1", "localhost:9", "127.0.0.1:0", "127.0.0.1:65536" } do
      local made, message, code = net:tunnel(here, { peer = text })
      assert.same({ nil, no_socket:format(text), "EINVAL" }, { made, message, code })
    end
    assert.equal("EINVAL", (select(3, net:tunnel(here, { learn = true, bind = "here" }))))
    assert.equal("EINVAL", (select(3, net:proxy { server = "127.0.0.1:0" })))
    local learner = assert(net:tunnel(here, { learn = true }))
    assert.equal("EINVAL", (select(3, learner.tunnel:set_peer "127.0.0.1:0")))
  end)

  it("sends from an address that reaches its peer", function()
    for peer, from in pairs { ["127.0.0.2:9"] = "127.0.0.1", ["[::1]:9"] = "::1" } do -- each by itself
      local far = assert(net:tunnel(net:host(), { peer = peer }))
      assert.equal(from, (far:socket()))
    end
    for peer, from in pairs { ["127.0.0.2:9"] = "127.0.0.1", ["[::1]:9"] = "::1", ["[2001:db8::1]:9"] = "::",
      ["192.0.2.1:9"] = "0.0.0.0" } do
      local far = assert(net:tunnel(net:host(), { peers = { { peer = peer, address = "10.0.0.9" } } }))
      assert.equal(from, (far:socket()))
    end
    local far, message, code = net:tunnel(here, { peer = "192.0.2.1:9" }) -- no such thing from loopback
    assert.is_true(far ~= nil or code == "ENETUNREACH", message)
    if far then assert.is_nil((far:socket():find "^127%.")) end
  end)

  it("leaves nothing behind that packets would go to when it fails", function()
    local inside = assert(net:tunnel(there, { learn = true, bind = "127.0.0.1:0" }))
    local socket = "127.0.0.1:" .. select(2, inside:socket())
    assert.equal("EADDRINUSE", (select(3, net:tunnel(here, { peer = socket, bind = socket }))))
    assert.is_false(pcall(net.tunnel, net, here, { peer = socket, framing = "gre" }))
    assert.same({}, here.addresses)
    assert.same({}, here.core:addresses())
    local far = assert(net:tunnel(here, { peer = socket }))
    assert.equal(1, #here.addresses)
    local listener <close> = assert(there:listen(80))
    net:spawn(function() assert(listener:accept { timeout = 5 }) end)
    local conn <close> = assert(here:connect(net:remote { via = far }, 80, { timeout = 5 }))
    assert.equal("ESTABLISHED", conn:state())
  end)

  it("is the only thing by which a remote is reached", function()
    local function raises(message, options)
      assert.error_matches(function() net:remote(options) end, message, nil, true)
    end
    raises("remote: via: expected a tunnel, got 5", { via = 5 })
    raises('remote: via: expected a tunnel, got "far"', { via = "far" })
    raises("remote: via: expected a tunnel, got a table", { via = net:link(here, there) })
    raises("remote: address: no address", { address = {} })
    raises("remote: address: expected an address, a list of them, or a tunnel as via, got nothing", {})
  end)

  it("gives connections by cheshire the sockets' ports, and refuses others", function()
    local inside = assert(net:tunnel(there, { learn = true, framing = "cheshire" }))
    local port = select(2, inside:socket())
    local far = assert(net:tunnel(here, { peer = "127.0.0.1:" .. port, framing = "cheshire" }))
    local remote = net:remote { via = far }
    local own = select(2, far:socket())
    assert.error_matches(function() here:connect(remote, port ~ 1) end, ("expected %d, got %d"):format(port,
      port ~ 1))
    assert.error_matches(function() here:connect(remote, port, { local_port = own ~ 1 }) end,
      ("local_port: .* expected %d, got %d"):format(own, own ~ 1))
    net:spawn(function()
      local listener <close> = assert(there:listen(port))
      local conn <close> = assert(listener:accept { timeout = 5 })
      conn:write(assert(conn:read(5)):upper())
    end)
    local conn <close> = assert(here:connect(remote, port, { timeout = 5 }))
    assert.equal(own, conn.local_port)
    conn:write "hello"
    assert.equal("HELLO", conn:read(5))
  end)
end)
