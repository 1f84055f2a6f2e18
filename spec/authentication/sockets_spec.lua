-- TCP_MD5SIG and TCP_MD5SIG_EXT, as sockets have them on Linux.
local calls = require "support.socket_calls"
local pair = require "support.core_pair"

local now <const>, set <const> = calls.now, calls.set

-- struct tcp_md5sig: the address in 128 octets, flags, prefix length, key length, interface, key in 80.
local function structure(address, key, flags, prefix)
  local family = #address == 4 and 2 or 10
  local sockaddr = ("=I2"):pack(family) .. "\0\0" .. (family == 10 and "\0\0\0\0" or "") .. address
  return sockaddr .. ("\0"):rep(128 - #sockaddr)
    .. ("=BBI2I4"):pack(flags or 0, prefix or 0, #key, 0) .. key .. ("\0"):rep(80 - #key)
end

local SERVER <const>, CLIENT <const> = "\10\0\0\2", "\10\0\0\1"

describe("TCP_MD5SIG", function()
  local p, client, server
  local function fresh(sockets) return now(sockets, "socket", "AF_INET", "SOCK_STREAM", 0) end

  before_each(function()
    p = pair.new()
    client, server = p.client:sockets(), p.server:sockets()
  end)
  after_each(function() p.net:close() end)

  it("RFC2385:2-1 signs a connection of sockets", function()
    local l = fresh(server)
    now(server, "setsockopt", l, "SOL_SOCKET", "SO_REUSEADDR", 1)
    assert.equal(0, (now(server, "bind", l, { address = "0.0.0.0", port = 80 })))
    assert.is_nil(set(server, l, "TCP_MD5SIG", structure(CLIENT, "secret")))
    assert.equal(0, (now(server, "listen", l, 1)))
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_MD5SIG", structure(SERVER, "secret")))
    local call = client:call("connect", fd, { family = "AF_INET", address = "10.0.0.2", port = 80 })
    while not call:step() do
      p.net:step(p.net:now() + 1)
      client:drain()
      server:drain()
    end
    assert.equal(0, (call:result()))
    assert.equal(1, p.client:counters().authentication.md5_good)
    assert.equal(80, p.server:keys().md5[1].local_port)
  end)

  it("takes a key away when it is empty, and a prefix by TCP_MD5SIG_EXT", function()
    local fd = fresh(client)
    assert.equal("ENOENT", set(client, fd, "TCP_MD5SIG", structure(SERVER, "")))
    assert.is_nil(set(client, fd, "TCP_MD5SIG", structure(SERVER, "secret")))
    assert.is_nil(set(client, fd, "TCP_MD5SIG", structure(SERVER, "other")))
    assert.equal("other", p.client:keys().md5[1].key)
    assert.is_nil(set(client, fd, "TCP_MD5SIG", structure(SERVER, "")))
    assert.is_nil(set(client, fd, "TCP_MD5SIG_EXT", structure("\10\0\0\0", "secret", 1, 8)))
    assert.equal(8, p.client:keys().md5[1].prefix)
    assert.equal(1, #p.client:keys().md5)
  end)

  it("says EINVAL for what is no such structure", function()
    local fd = fresh(client)
    local good = structure(SERVER, "secret")
    for _, bad in ipairs {
      good:sub(1, -2), "", structure(("\0"):rep(15) .. "\1", "secret"),
      good:sub(1, 130) .. ("=I2"):pack(81) .. good:sub(133),
    } do
      assert.equal("EINVAL", set(client, fd, "TCP_MD5SIG", bad))
    end
    assert.equal("EINVAL", set(client, fd, "TCP_MD5SIG_EXT", structure(SERVER, "secret", 1, 33)))
    assert.equal("EINVAL", set(client, fd, "TCP_MD5SIG_EXT", structure(SERVER, "secret", 2)))
    assert.same({}, p.client:keys().md5)
  end)
end)
