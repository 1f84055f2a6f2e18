local lab = require "support.lab"
local tcp = require "lunatcp"

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

local function fates(net)
  local list = {}
  for _, line in ipairs(net.trace:segments "flags fate") do
    list[#list + 1] = (line:gsub("^.-  ", ""):gsub("%s+", " "):gsub(" $", ""))
  end
  return list
end

describe("rules said as data", function()
  it("drop the first SYN, and the handshake takes one retransmission timeout longer", function()
    local net = lab.pair()
    net.wire:drop { syn = true, ack = false, nth = 1 }
    assert(net.client:connect(net.server, 80))
    -- RFC 6298 section 2: the first timeout is one second; then a round trip of 20 ms.
    assert.is_true(math.abs(net:now() - 1.02) < 1e-9, net:now())
    assert.same({ "S dropped: rule", "S retransmission", "SA", "A" }, fates(net))
  end)

  it("drop a FIN by its number, from one side only", function()
    local net, client, server = lab.connected()
    local rule = net.wire:drop { fin = true, from = net.client, nth = 1 }
    client:close()
    server:close()
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
    assert.equal("CLOSED", server:state())
    local matched, answered = rule:counts()
    assert.is_true(matched >= 2)
    assert.equal(1, answered)
  end)

  it("hold back, so that the order changes", function()
    local net, client, server = lab.connected { client = { nagle = false } }
    net.wire:delay { by = 0.005, data = true, nth = 1 }
    client:write "first "
    net:settle()
    client:write "second"
    assert.equal("first second", server:read_exactly(12))
    assert.equal(1, server:info().out_of_order_segments)
    assert.equal(0, client:info().segments_retransmitted)
  end)

  it("double", function()
    local net, client, server = lab.connected()
    net.wire:duplicate { data = true, nth = 1 }
    client:write "once"
    assert.equal("once", server:read_exactly(4))
    client:close()
    assert.is_nil(server:read(1))
    assert.equal(1, server:info().duplicate_segments)
    assert.is_table(net)
  end)

  it("corrupt, which the checksum catches", function()
    local net, client, server = lab.connected()
    net.wire:corrupt { data = true, nth = 1, bits = 3 }
    client:write "intact"
    assert.equal("intact", server:read_exactly(6))
    assert.equal(1, client:info().segments_retransmitted)
    assert.is_table(net)
  end)

  it("match segments without payload", function()
    local net = lab.pair()
    net.wire:drop { flags = "A", without = "SFR", length = 0, nth = 1 }
    local client, server = lab.handshake(net)
    assert.is_true(net:now() >= 1, net:now()) -- the final ACK of the handshake was lost
    assert.equal("ESTABLISHED", client:state())
    assert.equal("ESTABLISHED", server:state())
  end)

  it("are gone when their scope is left", function()
    local net, client, server = lab.connected()
    do
      local rule <close> = net.wire:drop { data = true }
      client:write "x"
      assert.equal("EAGAIN", select(3, server:read(1, { timeout = 0.5 })))
      assert.is_true(rule:counts() >= 1)
    end
    assert.equal("x", server:read(1))
  end)

  it("list what they know", function()
    local net = lab.pair()
    assert.matches("drop: unknown key 'sny'; known are ack, acking, .*syn",
      message_of(net.wire.drop, net.wire, { sny = true }))
    assert.matches("drop: from: expected host client or host server, got router r",
      message_of(net.wire.drop, net.wire, { from = net:router "r" }))
    assert.matches("delay: by: expected a number", message_of(net.wire.delay, net.wire, { nth = 1 }))
  end)
end)

describe("rules in Lua", function()
  it("answer with a word or a table; the first that answers wins", function()
    local net = lab.pair()
    local seen = 0
    local first <close> = net.wire:rule(function(segment)
      if segment.flags.syn and not segment.flags.ack and segment.first then return "drop" end
      if segment.flags.fin then return { delay = 0.5 } end
    end)
    net.wire:rule(function() seen = seen + 1 end)
    local client = lab.handshake(net)
    assert.equal(3, seen) -- SYN again, SYN-ACK, ACK: not the one that was dropped
    client:close()
    local before = net:now()
    client:wait_state "FIN-WAIT-2"
    assert.is_true(math.abs(net:now() - before - 0.52) < 1e-9)
    assert.is_table(first)
  end)

  it("are asked only about what matches", function()
    local net = lab.pair()
    local seen = {}
    net.wire:rule(function(segment) seen[#seen + 1] = tostring(segment.flags) end,
      { from = net.server, syn = true })
    lab.handshake(net)
    assert.same({ "SA" }, seen)
  end)

  it("stop the run when they answer nonsense", function()
    local net = lab.pair()
    net.wire:rule(function() return "drpo" end)
    assert.matches("a rule answers nil, 'drop', 'mark', 'pass' or a table",
      message_of(net.client.connect, net.client, net.server, 80))
  end)

  it("stop the run when they fail", function()
    local net = lab.pair()
    net.wire:rule(function(segment) return segment.flags.nonsense.more end)
    local message = message_of(net.client.connect, net.client, net.server, 80)
    assert.matches("link_spec%.lua:%d+", message)
  end)
end)

describe("links", function()
  it("delay, each way its own", function()
    local net = lab.pair { link = { forward = { delay = 0.010 }, back = { delay = 0.030 } } }
    assert(net.client:connect(net.server, 80))
    assert.is_true(math.abs(net:now() - 0.040) < 1e-9, net:now())
  end)

  it("go down and up", function()
    local net, client, server = lab.connected()
    net.wire:down()
    client:write "x"
    assert.equal("EAGAIN", select(3, server:read(1, { timeout = 0.1 })))
    net.wire:up()
    assert.equal("x", server:read(1))
    assert.is_true(net.wire:counters(net.client).dropped.down >= 1)
  end)

  it("are configured while packets are under way", function()
    local net, client, server = lab.connected()
    client:write "1"
    net:settle()
    net.wire:configure { delay = 0.1 }
    local before = net:now()
    server:read(1)
    assert.is_true(math.abs(net:now() - before - 0.01) < 1e-9)
    net.wire:configure { delay = 0.2, from = net.server }
    assert.equal(0.1, net.wire:configuration(net.client).delay)
    assert.equal(0.2, net.wire:configuration(net.server).delay)
  end)

  it("count", function()
    local net = lab.connected()
    local counters = net.wire:counters()
    assert.equal(2, counters.forward.packets)
    assert.equal(1, counters.back.delivered)
  end)

  it("have addresses that follow from their order, or are given", function()
    local net = tcp.network { seed = 1 }
    local a, b, c = net:host "a", net:host "b", net:host "c"
    net:link(a, b)
    net:link(a, c, { addresses = { "192.0.2.1/24", { "192.0.2.9/24", "2001:db8::9/64" } } })
    assert.equal("10.0.1.1", a:address())
    assert.equal("fd00::1:1", a:address(nil, 6))
    assert.equal("10.0.1.2", b:address())
    assert.equal("192.0.2.1", a:address(c))
    assert.equal("192.0.2.9", c:address())
    assert.equal("2001:db8::9", c:address(nil, 6))
  end)

  it("carry IPv6 as well", function()
    local net = lab.pair()
    local conn = assert(net.client:connect(net.server, 80, { family = 6 }))
    assert.equal("fd00::1:2", conn:info().remote_address)
  end)

  it("are found through routers", function()
    local net = tcp.network { seed = 1 }
    local a, b = net:host "a", net:host "b"
    local r, s = net:router "r", net:router "s"
    net:link(a, r, { delay = 0.001 })
    net:link(r, s, { delay = 0.001 })
    net:link(s, b, { delay = 0.001 })
    local listener = assert(b:listen(80))
    local conn = assert(a:connect(b, 80))
    assert.is_true(math.abs(net:now() - 0.006) < 1e-9, net:now())
    assert(listener:accept())
    conn:write "x"
    assert.same({
      "a > b  S   ", "b > a  SA  ", "a > b  A   ",
    }, { table.unpack(net.trace:segments "flags", 1, 3) })
  end)

  it("are not found through hosts: these do not forward", function()
    local net = tcp.network { seed = 1 }
    local a, b, between = net:host "a", net:host "b", net:host "between"
    net:link(a, between)
    net:link(between, b)
    local conn, _, code = a:connect(b, 80)
    assert.is_nil(conn)
    assert.equal("ENETUNREACH", code)
  end)

  it("have an MTU that both ends know, RFC9293:MUST-16", function()
    local net = lab.pair { link = { mtu = 1000 } }
    local client, server = lab.handshake(net, { timestamps = false })
    assert.equal(960, client:info().snd_mss) -- 1000 less 20 of IPv4 and 20 of TCP
    assert.equal(960, server:info().snd_mss)
    net.wire:configure { mtu = 600 }
    local later = lab.handshake(net, { timestamps = false })
    assert.equal(560, later:info().snd_mss)
  end)

  it("say that there is no way", function()
    local net = tcp.network { seed = 1 }
    local a, b = net:host "a", net:host "b"
    net:link(a, net:router "r")
    net:link(b, net:router "s")
    local conn, message, code = a:connect(b, 80)
    assert.is_nil(conn)
    assert.is_string(message)
    assert.equal("ENETUNREACH", code)
  end)

  it("name what is wrong with their options", function()
    local net = tcp.network { seed = 1 }
    local a, b = net:host "a", net:host "b"
    assert.matches("link: options: unknown key 'dealy'; known are .*delay",
      message_of(net.link, net, a, b, { dealy = 1 }))
    assert.matches("link: second node: expected a host, router or peer, got nothing",
      message_of(net.link, net, a))
    assert.matches("link: both ends are host a", message_of(net.link, net, a, a))
    assert.matches("loss", message_of(net.link, net, a, b, { loss = 2 }))
    assert.matches("addresses%[1%]%[1%]: 'nowhere' is no address",
      message_of(net.link, net, a, b, { addresses = { "nowhere", "10.0.0.1" } }))
    assert.same({ nil, "ENOENT" }, (function(link, _, code) return { link, code } end)(
      net:link(a, b, { rate_file = "/does/not/exist" })))
  end)

  it("read a trace of opportunities, and name the line that is wrong", function()
    local path = os.tmpname()
    local function write(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end
    local net = tcp.network { seed = 1 }
    local a, b = net:host "a", net:host "b"
    write "1\n\n2\nsoon\n"
    assert.same({ nil, path .. ":4: expected milliseconds, got 'soon'", "EINVAL" },
      { net:link(a, b, { rate_file = path }) })
    write "1\n\n2\n"
    assert.same({ 1, 2 }, net:link(a, b, { rate_file = path }):configuration(a).opportunities)
    os.remove(path)
    assert.equal("EISDIR", select(3, net:link(a, b, { rate_file = "/" })))
  end)

  it("of IPv6 alone are enough to connect, also through a router that has an address", function()
    local net = tcp.network { seed = 1 }
    local a, b, r = net:host "a", net:host "b", net:router "r"
    net:link(a, r, { addresses = { "2001:db8:1::1/64", "2001:db8:1::2/64" } })
    net:link(r, b, { addresses = { "2001:db8:2::1/64", "2001:db8:2::2/64" } })
    b:listen(80)
    local conn = assert(a:connect(b, 80))
    assert.equal("2001:db8:2::2", conn:info().remote_address)
    assert.same({ "2001:db8:1::2", "2001:db8:2::1" }, { r:address(a), r:address(b) })
    assert.is_nil(r:address(a, 4))
  end)

  it("refuse nodes of another network", function()
    local one, two = tcp.network { seed = 1 }, tcp.network { seed = 1 }
    assert.matches("belongs to another network", message_of(one.link, one, one:host(), two:host()))
  end)
end)
