-- The socket layer by its Lua class: shapes of arguments and results, blocking calls, errno.
local core = require "lunatcp.core"
local pair = require "support.core_pair"

local p, client, server

-- The call's result at once: value, code, outputs.
local function now(sockets, name, ...)
  local value, code, _, outputs = sockets:call(name, ...):result()
  return value, code, outputs
end

local function run(limit)
  while true do
    local reason = p.net:step(limit)
    if reason ~= "events" then return reason end
    client:drain()
    server:drain()
  end
end

-- Steps the call until it is done, with the network in between.
local function finish(call)
  for _ = 1, 1000 do
    if call:step() then return call:result() end
    local deadline = call:deadline()
    local reason = p.net:step(deadline)
    client:drain()
    server:drain()
    if reason == "idle" and not deadline and not call:step() then return nil, "hangs" end
  end
end

local ADDRESS <const> = { family = "AF_INET", address = "10.0.0.2", port = 80 }

local function listener()
  local fd = now(server, "socket", "AF_INET", "SOCK_STREAM", "IPPROTO_TCP")
  assert.equal(0, (now(server, "setsockopt", fd, "SOL_SOCKET", "SO_REUSEADDR", 1)))
  assert.equal(0, (now(server, "bind", fd, { address = "0.0.0.0", port = 80 })))
  assert.equal(0, (now(server, "listen", fd, 1)))
  return fd
end

local function connected()
  local l = listener()
  local fd = now(client, "socket", "AF_INET", "SOCK_STREAM", 0)
  assert.equal(0, (finish(client:call("connect", fd, ADDRESS))))
  run(p.net:now() + 1)
  local accepted = now(server, "accept", l)
  return fd, accepted, l
end

describe("sockets of a host", function()
  before_each(function()
    p = pair.new()
    client, server = p.client:sockets(), p.server:sockets()
  end)
  after_each(function() p.net:close() end)

  it("give the lowest free descriptor from 3 on", function()
    assert.equal(3, (now(client, "socket", "AF_INET", "SOCK_STREAM", 0)))
    assert.equal(4, (now(client, "socket", "AF_INET6", "SOCK_STREAM|SOCK_NONBLOCK", "IPPROTO_TCP")))
    assert.equal(0, (now(client, "close", 3)))
    assert.equal(3, (now(client, "socket", "AF_INET", "SOCK_STREAM", 0)))
    assert.same({ 3, 4 }, client:descriptors())
    assert.is_true(client:renumber(4, 17))
    assert.same({ 3, 17 }, client:descriptors())
    assert.equal(0x802, (now(client, "fcntl", 17, "F_GETFL")))
  end)

  it("carry octets from one program to the other", function()
    local fd, accepted = connected()
    assert.equal(5, (now(client, "write", fd, "hello")))
    run(p.net:now() + 1)
    assert.equal(core.socket_constants.POLLIN, server:poll(accepted) & core.socket_constants.POLLIN)
    local n, _, outputs = now(server, "recvmsg", accepted, { 2, 100 }, 0)
    assert.equal(5, n)
    assert.equal("hello", outputs.data)
    assert.equal(0, (now(client, "close", fd)))
    run(p.net:now() + 1)
    assert.equal(0, (now(server, "read", accepted, 10)))
  end)

  it("let a call wait, and go on with it", function()
    local l = listener()
    local accept = server:call("accept", l)
    assert.is_false(accept:done())
    assert.is_nil((accept:result()))
    assert.equal("accept (waits)", tostring(accept))
    local fd = now(client, "socket", "AF_INET", "SOCK_STREAM|SOCK_NONBLOCK", 0)
    local value, code = now(client, "connect", fd, ADDRESS)
    assert.same({ -1, "EINPROGRESS" }, { value, code })
    local peer, _, _, outputs = finish(accept)
    assert.equal(4, peer)
    assert.equal("10.0.0.1", outputs.address.address)
    assert.equal("AF_INET", outputs.address.family)
    local read = server:call("read", peer, 100)
    assert.is_false(read:done())
    now(client, "write", fd, 1000)
    local n = finish(read)
    assert.equal(100, n)
  end)

  it("end a call by its own deadline", function()
    local _, accepted = connected()
    assert.equal(0, (now(server, "setsockopt", accepted, "SOL_SOCKET", "SO_RCVTIMEO",
      { sec = 2, usec = 500000 })))
    local began = p.net:now()
    local value, code = finish(server:call("read", accepted, 100))
    assert.same({ -1, "EAGAIN" }, { value, code })
    assert.near(2.5, p.net:now() - began, 1e-6)
    local polls = select(4, finish(server:call("poll", { { fd = accepted, events = "POLLIN" } }, 100)))
    assert.equal(0, polls.polls[1].revents)
  end)

  it("name errors as the manual pages do", function()
    local cases = {
      { "EBADF", "read", 9, 10 },
      { "EBADF", "close", 9 },
      { "EAFNOSUPPORT", "socket", "AF_UNIX", "SOCK_STREAM", 0 },
      { "EPROTONOSUPPORT", "socket", "AF_INET", "SOCK_STREAM", "IPPROTO_UDP" },
      { "ESOCKTNOSUPPORT", "socket", "AF_INET", "SOCK_DGRAM", 0 },
      { "EFAULT", "bind", 3 },
      { "EINVAL", "bind", 3, { address = "10.0.0.1", length = 10 } },
      { "EADDRNOTAVAIL", "bind", 3, { address = "10.0.0.77", port = 1 } },
      { "EAFNOSUPPORT", "bind", 3, { address = "::1", port = 1 } },
      { "EAFNOSUPPORT", "connect", 3, { address = "2001:db8::1", port = 1 } },
      { "ENETUNREACH", "connect", 3, { address = "192.0.2.7", port = 1 } },
      { "ENOTCONN", "read", 3, 10 },
      { "EPIPE", "write", 3, "x" },
      { "ENOTCONN", "shutdown", 3, "SHUT_WR" },
      { "ENOTCONN", "getpeername", 3 },
      { "EINVAL", "accept", 3 },
      { "ENOPROTOOPT", "setsockopt", 3, "SOL_TCP", 999, 1 },
      { "EINVAL", "setsockopt", 3, "SOL_TCP", "TCP_NODELAY", 1, 1 },
      { "EINVAL", "setsockopt", 3, "SOL_TCP", "TCP_KEEPIDLE", 0 },
      { "EINVAL", "setsockopt", 3, "SOL_TCP", "TCP_MAXSEG", 20 },
      { "ENOENT", "setsockopt", 3, "SOL_TCP", "TCP_CONGESTION", "nonesuch" },
      { "ENOTCONN", "getsockopt", 3, "SOL_IP", "IP_MTU" },
      { "EINVAL", "setsockopt", 3, "SOL_IP", "IP_TTL", 256 },
      { "ENOTTY", "ioctl", 3, 0x9999 },
      { "EINVAL", "epoll_create", 0 },
      { "EINVAL", "epoll_wait", 3, 1, 0 },
      { "EINVAL", "fcntl", 3, 77 },
    }
    now(client, "socket", "AF_INET", "SOCK_STREAM", 0)
    for _, case in ipairs(cases) do
      local value, code = now(client, table.unpack(case, 2))
      assert.same({ -1, case[1] }, { value, code }, table.concat(case, " ", 2, 3))
    end
    local pipe = select(3, now(client, "pipe")).fds
    assert.equal("ENOTSOCK", select(2, now(client, "listen", pipe[1], 1)))
    assert.equal("EBADF", select(2, now(client, "write", pipe[1], "x")))
  end)

  it("raise for calls of the wrong shape", function()
    assert.error_matches(function() client:call "open" end, "unknown call 'open'")
    assert.error_matches(function() client:call("close", "SO_NONSENSE") end, "unknown constant")
    assert.error_matches(function() client:call("read", 3) end, "integer or names")
    assert.error_matches(function() client:call("read", 3, 1 << 40) end, "out of range")
    assert.error_matches(function() client:call("bind", 3, { address = "nowhere" }) end, "no address")
    assert.error_matches(function() client:call("poll", { 1 }, 0) end, "array of tables")
    assert.error_matches(function() p.client:sockets { last = 1 } end, "last")
  end)

  it("tell options by the shapes of the language", function()
    local fd = connected()
    now(client, "setsockopt", fd, "SOL_SOCKET", "SO_SNDBUF", 10000)
    assert.equal(20000, select(3, now(client, "getsockopt", fd, "SOL_SOCKET", "SO_SNDBUF")).value)
    now(client, "setsockopt", fd, "SOL_SOCKET", "SO_LINGER", { onoff = 1, linger = 5 })
    assert.same({ onoff = 1, linger = 5 },
      select(3, now(client, "getsockopt", fd, "SOL_SOCKET", "SO_LINGER")).linger)
    now(client, "setsockopt", fd, "SOL_IP", "IP_TOS", 8, 1)
    local tos = select(3, now(client, "getsockopt", fd, "SOL_IP", "IP_TOS", 1))
    assert.same({ 8, 1 }, { tos.value, tos.length })
    now(client, "setsockopt", fd, "SOL_TCP", "TCP_NOTSENT_LOWAT", 0xffffffff)
    assert.equal(-1, select(3, now(client, "getsockopt", fd, "SOL_TCP", "TCP_NOTSENT_LOWAT")).value)
    local info = select(3, now(client, "getsockopt", fd, "SOL_TCP", "TCP_INFO")).info
    assert.same(client:tcp_info(fd), info)
    assert.equal(core.socket_constants.TCP_ESTABLISHED, info.state)
    assert.equal(client:info(fd).snd_mss, info.snd_mss)
    local congestion = select(3, now(client, "getsockopt", fd, "SOL_TCP", "TCP_CONGESTION", 8))
    assert.equal("reno\0\0\0\0", congestion.data)
  end)

  it("watch descriptors with epoll", function()
    local fd, accepted = connected()
    local ep = now(server, "epoll_create", 1)
    assert.equal(0, (now(server, "epoll_ctl", ep, "EPOLL_CTL_ADD", accepted,
      { events = "EPOLLIN|EPOLLET", data = 99 })))
    assert.equal(0, (now(server, "epoll_wait", ep, 10, 0)))
    local wait = server:call("epoll_wait", ep, 10, -1)
    now(client, "send", fd, "abc", 0)
    local n, _, _, outputs = finish(wait)
    assert.equal(1, n)
    assert.same({ { events = core.socket_constants.EPOLLIN, data = 99 } }, outputs.events)
    assert.equal(0, (now(server, "epoll_wait", ep, 10, 0)))
    assert.equal("EEXIST", select(2, now(server, "epoll_ctl", ep, "EPOLL_CTL_ADD", accepted, { events = 1 })))
    assert.equal(0, (now(server, "epoll_ctl", ep, "EPOLL_CTL_DEL", accepted)))
    assert.equal("ENOENT", select(2, now(server, "epoll_ctl", ep, "EPOLL_CTL_MOD", accepted, { events = 1 })))
  end)

  it("close with the network, whatever was open", function()
    local fd = connected()
    local call = client:call("read", fd, 10)
    p.net:close()
    assert.error_matches(function() call:step() end, "closed")
    assert.error_matches(function() client:poll(3) end, "closed")
    client:close()
    p = pair.new()
  end)

  it("close as the end of a process does", function()
    local fd, accepted = connected()
    client:close()
    assert.same({}, client:descriptors())
    run(p.net:now() + 1)
    assert.equal(0, (now(server, "read", accepted, 10)))
    assert.equal(fd, (now(client, "socket", "AF_INET", "SOCK_STREAM", 0)))
  end)
end)
