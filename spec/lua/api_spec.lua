-- What the module offers beside the blocking calls: hooks on segments, urgent data, settings, tasks, words.
local lab = require "support.lab"
local tcp = require "lunatcp"

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

describe("the module", function()
  it("has a version, profiles, settings, states and the meaning of codes", function()
    assert.matches("^%d+%.%d+", tcp.version)
    assert.same({ "rfc", "linux" }, tcp.profiles)
    assert.equal(11, #tcp.states)
    assert.equal("connection reset by peer", tcp.error_message "ECONNRESET")
    assert.is_nil(tcp.error_message "ENOSUCH")
    assert.equal(10, tcp.profile "linux".initial_window)
    local names = {}
    for _, setting in ipairs(tcp.settings()) do names[setting.name] = setting end
    assert.equal("flag", names.nagle.kind)
    assert.is_true(#tcp.congestions() >= 2)
    assert.matches('profile: name: expected one of rfc, linux, got "bsd"', message_of(tcp.profile, "bsd"))
  end)

  it("lists known keys for unknown ones", function()
    assert.matches("network: unknown key 'sed'; known are clock, profile, seed, settings, trace, via",
      message_of(tcp.network, { sed = 1 }))
    local net = tcp.network { seed = 1 }
    assert.matches("nagel", message_of(net.host, net, "h", { nagel = false }))
    assert.matches("host: there is a node named 'twice' already", (function()
      net:host "twice"
      return message_of(net.host, net, "twice")
    end)())
    local host = net.by_name.twice
    assert.matches("listen: port: expected a number", message_of(host.listen, host))
    assert.matches("listen: port: expected a number from 0 to 65535, got 65536",
      message_of(host.listen, host, 65536))
    assert.matches("connect: target: expected a host, a remote or an address, got nothing",
      message_of(host.connect, host, nil, 80))
    assert.matches("connect: options: unknown key 'timout'",
      message_of(host.connect, host, host, 80, { timout = 1 }))
    assert.matches("connect: target: 'nowhere' is no address", message_of(host.connect, host, "nowhere", 80))
  end)

  it("raises at the line of the script", function()
    local net = lab.pair()
    assert.matches("^.-api_spec%.lua:%d+: write: bytes: expected a string, got a table", message_of(function()
      net.client:connect(net.server, 80):write {}
    end))
    assert.matches("^.-api_spec%.lua:%d+: ", message_of(function() net.client:set { nagle = 7 } end))
  end)
end)

describe("settings", function()
  it("come from the profile, the host, the call, in this order", function()
    local net = tcp.network { seed = 1, profile = "linux", settings = { nagle = false } }
    local client = net:host("client", { ttl = 33 })
    local server = net:host("server", { profile = "rfc" })
    net:link(client, server)
    server:listen(80)
    local settings = client:settings()
    assert.equal(10, settings.initial_window)
    assert.is_false(settings.nagle)
    assert.equal(33, settings.ttl)
    assert.equal(0, server:settings().initial_window)
    local conn = assert(client:connect(server, 80, { ttl = 44, mss = 500 }))
    assert.equal(44, conn:settings().ttl)
    assert.equal(500, conn:info().rcv_mss)
    assert.equal(33, client:settings().ttl)
    conn:set { nagle = true }
    assert.is_true(conn:settings().nagle)
    local ok, _, code = conn:set { window_scaling = false }
    assert.is_nil(ok)
    assert.equal("EISCONN", code)
    client:set { ttl = 55 }
    assert.equal(55, client:settings().ttl)
  end)
end)

describe("hooks on segments", function()
  it("see every packet, on every link, as long as they are installed", function()
    local net = lab.pair()
    local seen = {}
    local hook = net:on("segment", function(segment)
      seen[#seen + 1] = ("%s %d"):format(segment.flags, segment.destination_port == 80 and 1 or 2)
    end)
    lab.handshake(net)
    assert.same({ "S 1", "SA 2", "A 1" }, seen)
    hook:close()
    lab.handshake(net)
    assert.equal(3, #seen)
  end)

  it("stop the run by an error", function()
    local net = lab.pair()
    net:on("segment", function() error "in the segment hook" end)
    assert.matches("in the segment hook", message_of(net.client.connect, net.client, net.server, 80))
  end)

  it("may raise what is no string", function()
    local net = lab.pair()
    local problem = { 1 }
    net:on("state", function() error(problem) end)
    assert.equal(problem, message_of(net.client.connect, net.client, net.server, 80))
  end)
end)

describe("urgent data", function()
  it("is read in-line, with a notice and the count that remains, RFC9293:MUST-32", function()
    local net, client, server = lab.connected()
    local notices = {}
    server:on("urgent", function(conn) notices[#notices + 1] = conn:info().urgent_remaining end)
    client:write "calm"
    client:urgent "now!"
    client:write "after"
    net:run { until_ = net:now() + 0.1 }
    assert.is_true(#notices >= 1)
    assert.equal(8, server:info().urgent_remaining)
    assert.equal("calmnow!after", server:read_exactly(13))
    assert.equal(0, server:info().urgent_remaining)
  end)

  it("is read out of band, the octet before the pointer", function()
    local net = lab.pair { server = { urgent_inline = false } }
    local client, server = lab.handshake(net)
    client:write "abc"
    client:urgent "!"
    client:write "def"
    assert.equal("!", server:read_urgent())
    assert.equal("abcdef", server:read_exactly(6))
    assert.equal("EAGAIN", select(3, server:read_urgent { timeout = 1 }))
  end)

  it("has no out-of-band octet where it is in-line", function()
    local _, _, server = lab.connected()
    local octet, _, code = server:read_urgent()
    assert.is_nil(octet)
    assert.equal("EINVAL", code)
  end)
end)

describe("connections", function()
  it("open at the same time from both ends, RFC9293:3.5 figure 7", function()
    local net = lab.pair { listen = false }
    local a = assert(net.client:connect_start(net.server, 2000, { local_port = 1000 }))
    local b = assert(net.server:connect_start(net.client, 1000, { local_port = 2000 }))
    assert(a:wait_connected())
    assert(b:wait_connected())
    assert.same({ "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(a))
    assert.same({ "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED" }, net.trace:states(b))
  end)

  it("are refused where nobody listens", function()
    local net = lab.pair()
    local conn, message, code = net.client:connect(net.server, 81)
    assert.is_nil(conn)
    assert.equal("connection refused", message)
    assert.equal("ECONNREFUSED", code)
  end)

  it("say that an address is in use", function()
    local net = lab.pair()
    local again, message, code = net.server:listen(80)
    assert.is_nil(again)
    assert.is_string(message)
    assert.equal("EADDRINUSE", code)
  end)

  it("flush: all that was written has been acknowledged", function()
    local net, client, server = lab.connected()
    client:write(("x"):rep(10000))
    assert.is_true(client:flush())
    assert.equal(0, client:info().unacked)
    assert.equal(10000, server:info().unread)
    net.wire:down()
    client:write "x"
    assert.equal("EAGAIN", select(3, client:flush { timeout = 0.5 }))
  end)

  it("flush: nothing that was lost with the connection counts as acknowledged", function()
    local net, client = lab.connected { client = { r2_time = 10 } }
    net.wire:down()
    client:write "x"
    assert.same({ nil, "connection timed out", "ETIMEDOUT" }, { client:flush() })
    assert.equal("ETIMEDOUT", select(3, client:flush()))
    local _, aborted = lab.connected()
    aborted:write "x"
    aborted:abort()
    assert.equal("ECONNABORTED", select(3, aborted:flush()))
    local opening = net.client:connect_start(net.server, 80)
    opening:write "x"
    opening:close()
    assert.equal("ECONNABORTED", select(3, opening:flush()))
  end)

  it("flush: true also when the connection has ended in order since", function()
    local net, client, server = lab.connected { client = { time_wait = 1 } }
    client:write "x"
    assert.equal("x", server:read(1))
    client:close()
    server:close()
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.is_true(client:flush())
  end)

  it("RFC9293:MAY-14 discard: what was written and not sent is dropped", function()
    local net, client, server = lab.connected { server = { receive_buffer = 2896 } } -- two segments
    client:write(("x"):rep(5000))
    net:run { until_ = net:now() + 0.5 }
    local flushed
    net:spawn(function() flushed = client:flush() end)
    assert.equal(2104, client:discard())
    assert.equal(0, client:discard())
    assert.equal(0, client:info().unsent)
    client:write "y"
    client:shutdown()
    assert.equal(("x"):rep(2896) .. "y", server:read_exactly(2897))
    assert.is_nil((server:read()))
    net:run()
    assert.is_true(flushed)
    client:abort()
    assert.equal("ECONNABORTED", select(3, client:discard()))
  end)

  it("keep their last variables when they are closed and gone", function()
    local net, client, server = lab.connected { client = { time_wait = 1 }, server = { time_wait = 1 } }
    client:write "12345"
    server:read(5)
    client:close()
    server:close()
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.equal(5, client:info().bytes_acked)
    assert.is_nil((client:error()))
    client:abort()
    assert.equal("CLOSED", client:info().state)
  end)

  it("tell a listener's end from a connection's", function()
    local net = lab.pair()
    net:spawn(function()
      net:sleep(1)
      net.listener:close()
    end)
    local conn, _, code = net.listener:accept()
    assert.is_nil(conn)
    assert.equal("EBADF", code)
  end)
end)

describe("tasks", function()
  it("can be joined and closed", function()
    local net = lab.pair()
    local sleeper = net:spawn("sleeper", function() net:sleep(1000) end)
    assert.equal("EAGAIN", select(3, sleeper:join { timeout = 1 }))
    assert.matches("task 1 'sleeper' %(waiting%)", tostring(sleeper))
    sleeper:close()
    assert.equal("ECANCELED", select(3, sleeper:join()))
    local adder = net:spawn(function(a, b) return a + b end, 1, 2)
    assert.equal(3, adder:join())
  end)
end)

describe("diagrams", function()
  it("hide routers, or show each hop", function()
    local net = tcp.network { seed = 1 }
    local a, b, r = net:host "client", net:host "server", net:router "router"
    net:link(a, r, { delay = 0.001 })
    net:link(r, b, { delay = 0.004 })
    b:listen(80)
    a:connect(b, 80)
    local plain = net:ladder { ascii = true }
    assert.not_matches("router", plain)
    assert.matches("0%.000000 +SYN%-SENT |%-+ SYN seq 0 win 65535 <.-> %-+>| SYN%-RECEIVED\n", plain)
    local hops = net:ladder { ascii = true, nodes = { a, r, b } }
    assert.matches("0%.001000 +| +|%- SYN seq 0 .->| SYN%-RECEIVED\n", hops)
  end)
end)
