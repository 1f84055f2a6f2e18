-- TCP_AO_ADD_KEY, TCP_AO_DEL_KEY, TCP_AO_INFO and TCP_AO_GET_KEYS, as sockets have them on Linux.
local calls = require "support.socket_calls"
local pair = require "support.core_pair"
local signed = require "support.signed"

local now <const>, set <const> = calls.now, calls.set

local SERVER <const>, CLIENT <const> = "\10\0\0\2", "\10\0\0\1"
local HMAC <const>, CMAC <const> = "hmac(sha1)", "cmac(aes128)"
local CURRENT <const>, RNEXT <const>, ASYNC <const>, REQUIRED <const>, COUNTERS <const> = 1, 2, 4, 4, 8

local function sockaddr(address, port)
  local family = #address == 4 and 2 or 10
  local octets = ("=I2"):pack(family) .. (">I2"):pack(port or 0)
    .. (family == 10 and "\0\0\0\0" or "") .. address
  return octets .. ("\0"):rep(128 - #octets)
end

local function padded(text, size) return text .. ("\0"):rep(size - #text) end

-- struct tcp_ao_add
local function add(o)
  return sockaddr(o.address or SERVER, o.port) .. padded(o.name or HMAC, 64)
    .. ("=i4I4I2BBBBBB"):pack(o.ifindex or 0, o.flags or 0, o.reserved or 0, o.prefix or 32, o.send or 1,
      o.recv or 2, o.mac or 0, o.keyflags or 0, o.length or #(o.key or "secret"))
    .. padded(o.key or "secret", 80)
end
-- struct tcp_ao_del
local function del(o)
  return sockaddr(o.address or SERVER, o.port)
    .. ("=i4I4I2BBBBBB"):pack(o.ifindex or 0, o.flags or 0, o.reserved or 0, o.prefix or 32, o.send or 1,
      o.recv or 2, o.current or 0, o.rnext or 0, o.keyflags or 0)
end
-- struct tcp_ao_info_opt
local INFO <const> = "=I4I2BBI8I8I8I8I8"
local function info(o)
  return INFO:pack(o.flags or 0, o.reserved or 0, o.current or 0, o.rnext or 0, o.good or 0, o.bad or 0,
    0, 0, 0)
end
-- struct tcp_ao_getsockopt, and room for `count` of them
local function get(o, count)
  local one = (o.address and sockaddr(o.address) or ("\0"):rep(128)) .. ("\0"):rep(64 + 80)
    .. ("=I4I2BBBBBBi4I8I8"):pack(o.count or count or 1, o.flags or 0, o.send or 0, o.recv or 0,
      o.prefix or 0,
      0, o.keyflags or 0, 0, 0, o.good or 0, 0)
  return one .. ("\0"):rep(#one * ((count or 1) - 1))
end

describe("TCP-AO of sockets", function()
  local p, client, server
  local function ask(sockets, fd, option, value)
    local call = assert(sockets:call("getsockopt", fd, "SOL_TCP", option, value))
    assert.is_true(call:step())
    local results = table.pack(call:result())
    if results[1] ~= 0 then return nil, results[2] end
    for i = 2, results.n do
      if type(results[i]) == "table" then return results[i].data end
    end
  end
  local function fresh(sockets, family)
    return (now(sockets, "socket", family or "AF_INET", "SOCK_STREAM", 0))
  end
  local function listening(key)
    local fd = fresh(server)
    assert.equal(0, (now(server, "bind", fd, { address = "0.0.0.0", port = 80 })))
    if key then assert.is_nil(set(server, fd, "TCP_AO_ADD_KEY", key)) end
    assert.equal(0, (now(server, "listen", fd, 1)))
    return fd
  end
  local function run(seconds)
    local till = p.net:now() + seconds
    while p.net:now() < till and p.net:step(till) ~= "limit" do
      client:drain()
      server:drain()
    end
  end
  local function connect(fd)
    local call = client:call("connect", fd, { family = "AF_INET", address = "10.0.0.2", port = 80 })
    for _ = 1, 50 do
      if call:step() then return call:result() end
      p.net:step(p.net:now() + 1)
      client:drain()
      server:drain()
    end
    return nil, "waits"
  end

  before_each(function()
    p = pair.new()
    client, server = p.client:sockets(), p.server:sockets()
  end)
  after_each(function() p.net:close() end)

  it("RFC5925:7.1-1 sign a connection, by either algorithm, and tell what they use", function()
    for i, name in ipairs { HMAC, CMAC, "cmac(aes)" } do
      if i > 1 then
        p = pair.new()
        client, server = p.client:sockets(), p.server:sockets()
      end
      local l = listening(add { address = CLIENT, name = name, send = 2, recv = 1 })
      local fd = fresh(client)
      assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { name = name }))
      assert.equal(0, (connect(fd)))
      run(0.1)
      local accepted = now(server, "accept", l)
      assert.is_true(accepted >= 3)
      assert.is_true(p.client:counters().authentication.ao_good >= 1)
      local told = assert(ask(client, fd, "TCP_AO_INFO", info {}))
      local flags, _, current, rnext, good, bad = INFO:unpack(told)
      assert.same({ CURRENT | RNEXT, 1, 2, true, 0 }, { flags & 3, current, rnext, good >= 1, bad })
      _, _, current, rnext = INFO:unpack((assert(ask(server, accepted, "TCP_AO_INFO", info {}))))
      assert.same({ 2, 1 }, { current, rnext })
    end
  end)

  it("RFC5925:7.1-4 change the keys under a connection", function()
    listening(add { address = CLIENT, send = 2, recv = 1 })
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add {}))
    assert.equal(0, (connect(fd)))
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { send = 3, recv = 4, key = "next" }))
    assert.equal("EBUSY", set(client, fd, "TCP_AO_DEL_KEY", del {}))
    assert.equal("ENOENT", set(client, fd, "TCP_AO_INFO", info { flags = CURRENT, current = 9 }))
    assert.is_nil(set(client, fd, "TCP_AO_INFO", info { flags = CURRENT | RNEXT, current = 3, rnext = 4 }))
    local _, _, current, rnext = INFO:unpack((ask(client, fd, "TCP_AO_INFO", info {})))
    assert.same({ 3, 4 }, { current, rnext })
    assert.is_nil(set(client, fd, "TCP_AO_DEL_KEY", del {}))
    assert.equal(1, #p.client:keys().ao)
    -- The last one, with a new current key named at once.
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { send = 5, recv = 6 }))
    assert.is_nil(set(client, fd, "TCP_AO_DEL_KEY",
      del { send = 3, recv = 4, flags = CURRENT | RNEXT, current = 5, rnext = 6 }))
    assert.equal(5, p.client:keys().ao[1].send_id)
  end)

  it("begin with the key that was asked for before", function()
    listening(add { address = CLIENT, send = 4, recv = 3, key = "second" })
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add {}))
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY",
      add { send = 3, recv = 4, key = "second", flags = CURRENT | RNEXT }))
    local flags, _, current = INFO:unpack((ask(client, fd, "TCP_AO_INFO", info {})))
    assert.same({ 3, 3 }, { flags & 3, current })
    assert.equal(0, (connect(fd)))
  end)

  it("list the keys: all, the current one, or one by its name", function()
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { flags = CURRENT | RNEXT, keyflags = 2 }))
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { send = 3, recv = 4, name = CMAC, key = "other" }))
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY",
      add { send = 5, recv = 6, address = "\10\1\0\0", prefix = 16 }))
    local function count(data) return (("=I4"):unpack(data, 273)) end
    local data = ask(client, fd, "TCP_AO_GET_KEYS", get({ flags = 4 }, 4))
    assert.same({ 3, 3 * 304 }, { count(data), #data })
    assert.equal("\2\0\0\0" .. SERVER, data:sub(1, 8))
    assert.equal("hmac(sha1)\0", data:sub(129, 139))
    assert.equal("secret\0", data:sub(193, 199))
    assert.same({ 3, 1, 2, 32, 12, 2, 6, 285 }, { ("=I2BBBBBB"):unpack(data, 277) })
    assert.equal("cmac(aes)\0", data:sub(304 + 129, 304 + 138))
    data = ask(client, fd, "TCP_AO_GET_KEYS", get { flags = 4 })
    assert.same({ 3, 304 }, { count(data), #data }) -- there was room for one
    data = ask(client, fd, "TCP_AO_GET_KEYS", get { flags = CURRENT })
    assert.same({ 1, 1 }, { count(data), data:byte(279) })
    data = ask(client, fd, "TCP_AO_GET_KEYS", get { address = "\10\1\0\0", prefix = 16, send = 5, recv = 6 })
    assert.same({ 1, 5 }, { count(data), data:byte(279) })
    data = ask(client, fd, "TCP_AO_GET_KEYS", get { address = SERVER, prefix = 32, send = 9, recv = 9 })
    assert.equal(0, count(data))
    for code, bad in pairs {
      EINVAL = get { flags = 4 | CURRENT }, EAFNOSUPPORT = get { send = 1 },
    } do
      assert.equal(code, select(2, ask(client, fd, "TCP_AO_GET_KEYS", bad)))
    end
    for _, bad in ipairs {
      get { flags = 8 }, get { flags = 4, good = 1 }, get { flags = 4, keyflags = 1 },
      get { flags = 4, send = 1 },
      get { flags = 4, address = SERVER, prefix = 32 }, get { address = SERVER, prefix = 24 },
      get { address = SERVER, prefix = 33 }, "\0",
    } do
      assert.equal("EINVAL", select(2, ask(client, fd, "TCP_AO_GET_KEYS", bad)))
    end
  end)

  it("say what Linux says to what is no such structure", function()
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add {}))
    for i, bad in ipairs {
      add({}):sub(1, -2), "", add { port = 80 }, add { prefix = 33 }, add { prefix = 24 }, add { prefix = 0 },
      add { address = "\0\0\0\0", prefix = 32 },
      add { address = ("\0"):rep(15) .. "\1", prefix = 128 },
      add { flags = 4 }, add { reserved = 1 }, add { keyflags = 4 }, add { ifindex = 1 }, add { mac = 4 },
      add { length = 81 }, add { key = "", send = 7, recv = 7 },
    } do
      assert.equal("EINVAL", set(client, fd, "TCP_AO_ADD_KEY", bad), i)
    end
    assert.equal("ENOENT", set(client, fd, "TCP_AO_ADD_KEY", add { send = 7, recv = 7, name = "md4" }))
    assert.equal("EEXIST", set(client, fd, "TCP_AO_ADD_KEY", add { recv = 9 }))
    assert.equal("EEXIST", set(client, fd, "TCP_AO_ADD_KEY", add { send = 9 }))
    for i, bad in ipairs {
      del({}):sub(1, -2), del { port = 80 }, del { flags = 8 }, del { reserved = 1 }, del { keyflags = 1 },
      del { ifindex = 1 }, del { flags = ASYNC }, del { prefix = 24 },
    } do
      assert.equal("EINVAL", set(client, fd, "TCP_AO_DEL_KEY", bad), i)
    end
    assert.equal("ENOENT", set(client, fd, "TCP_AO_DEL_KEY", del { send = 9 }))
    assert.equal("ENOENT", set(client, fd, "TCP_AO_DEL_KEY", del { flags = CURRENT, current = 9 }))
    assert.equal("EINVAL", set(client, fd, "TCP_AO_INFO", info { flags = 32 }))
    assert.equal("EINVAL", set(client, fd, "TCP_AO_INFO", info { reserved = 1 }))
    assert.equal("EINVAL", set(client, fd, "TCP_AO_INFO", info({}):sub(1, -2)))
    assert.equal("EPERM", set(client, fd, "TCP_AO_REPAIR", ("\0"):rep(16)))
    assert.equal(1, #p.client:keys().ao)
    assert.is_nil(set(client, fd, "TCP_AO_DEL_KEY", del {}))
    assert.equal(0, #p.client:keys().ao)
  end)

  it("belong to sockets that have them: not to a connection that began without", function()
    local l = listening()
    local fd = fresh(client)
    assert.equal("ENOENT", set(client, fd, "TCP_AO_DEL_KEY", del {}))
    assert.equal("ENOENT", select(2, ask(client, fd, "TCP_AO_INFO", info {})))
    assert.equal("ENOENT", select(2, ask(client, fd, "TCP_AO_GET_KEYS", get { flags = 4 })))
    assert.equal(0, (connect(fd)))
    assert.equal("EISCONN", set(client, fd, "TCP_AO_ADD_KEY", add {}))
    assert.equal("EISCONN", set(client, fd, "TCP_AO_INFO", info {}))
    assert.equal("EINVAL", set(server, l, "TCP_AO_ADD_KEY", add { address = CLIENT, flags = CURRENT }))
    assert.equal("EINVAL", set(server, l, "TCP_AO_INFO", info { flags = CURRENT }))
    assert.is_nil(set(server, l, "TCP_AO_ADD_KEY", add { address = CLIENT }))
    assert.is_nil(set(server, l, "TCP_AO_DEL_KEY", del { address = CLIENT, flags = ASYNC }))
  end)

  it("RFC5925:2.2-1 are not for a peer that a key for TCP MD5 is for", function()
    local fd = fresh(client)
    local md5 = sockaddr(SERVER) .. ("=BBI2I4"):pack(0, 0, 6, 0) .. padded("secret", 80)
    assert.is_nil(set(client, fd, "TCP_MD5SIG", md5))
    assert.equal("EKEYREJECTED", set(client, fd, "TCP_AO_ADD_KEY", add {}))
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { address = "\10\0\0\3" }))
  end)

  it("have counters that can be set, and let ICMP in where that is asked for", function()
    listening(add { address = CLIENT, send = 2, recv = 1 })
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add {}))
    assert.equal(0, (connect(fd)))
    assert.is_nil(set(client, fd, "TCP_AO_INFO", info { flags = COUNTERS | 16, good = 1000, bad = 7 }))
    local flags, _, _, _, good, bad = INFO:unpack((ask(client, fd, "TCP_AO_INFO", info {})))
    assert.same({ 16, 1000, 7 }, { flags & 16, good, bad })
  end)

  it("may be required: then nothing opens without", function()
    local l = listening()
    assert.is_nil(set(server, l, "TCP_AO_ADD_KEY", add { address = "\10\0\0\9" }))
    assert.is_nil(set(server, l, "TCP_AO_INFO", info { flags = REQUIRED }))
    assert.equal(REQUIRED, (INFO:unpack((ask(server, l, "TCP_AO_INFO", info {})))) & REQUIRED)
    local plain = fresh(client)
    local call = client:call("connect", plain, { family = "AF_INET", address = "10.0.0.2", port = 80 })
    call:step()
    run(0.5)
    assert.is_false(call:step()) -- its SYN is passed over
    assert.equal(1, signed.counted(p.server).ao_missing)
    local fd = fresh(client)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { address = "\10\0\0\9" }))
    assert.is_nil(set(client, fd, "TCP_AO_INFO", info { flags = REQUIRED }))
    assert.equal("EKEYREJECTED", select(2, connect(fd)))
  end)

  it("are for IPv6, and for IPv4 in it", function()
    local fd = fresh(client, "AF_INET6")
    local six = ("\32\1\13\184"):rep(4)
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY", add { address = six, prefix = 128 }))
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY",
      add { address = ("\0"):rep(16), prefix = 0, send = 3, recv = 4 }))
    local mapped = ("\0"):rep(10) .. "\255\255" .. SERVER
    assert.is_nil(set(client, fd, "TCP_AO_ADD_KEY",
      add { address = mapped, prefix = 32, send = 5, recv = 6 }))
    assert.equal("EINVAL", set(client, fd, "TCP_AO_ADD_KEY",
      add { address = mapped, prefix = 128, send = 7, recv = 7 }))
    assert.equal("EINVAL", set(client, fd, "TCP_AO_ADD_KEY", add { send = 7, recv = 7 }))
    assert.equal(3, #p.client:keys().ao)
  end)
end)
