-- The digest of a network: the same for the same history, another one for whatever can matter.
local tcp = require "lunatcp"

-- A connection with data under way, stopped at 0.045 s, where `change` gets its hands on it.
local function digest(change, settings)
  settings = settings or { isn = 1000, timestamps = false }
  local net <close> = tcp.network { seed = 1, trace = false, settings = settings }
  local a, b = net:host "a", net:host "b"
  local peer, router = net:peer "peer", net:router "router"
  local link = net:link(a, b, { delay = 0.01, rate = 1e6, queue = 8 })
  net:link(peer, router, { delay = 0.01 })
  local listener = b:listen(80)
  local conn = assert(a:connect(b, 80, { local_port = 1000 }))
  local other = assert(listener:accept())
  conn:write(("x"):rep(4000))
  net:run { until_ = 0.045 }
  if change then change { net = net, a = a, b = b, link = link, conn = conn, other = other, peer = peer } end
  return net.core:digest()
end

describe("the digest of a network", function()
  it("is the same for the same history", function()
    assert.equal(digest(), digest())
    assert.equal(digest(function(x) x.net.core:step(0.045) end), digest())
  end)

  it("knows what is under way, what waits and what is to come", function()
    local seen = { [digest()] = "nothing" }
    for name, change in pairs {
      ["a packet on a link"] = function(x) x.net:run { until_ = 0.051 } end,
      ["an injected packet"] = function(x)
        x.link:inject(x.b, tcp.encode { source = "10.0.1.2", destination = "10.0.1.1", flags = "R", seq = 9 })
      end,
      ["a link that is down"] = function(x) x.link:down(x.a) end,
      ["another delay"] = function(x) x.link:configure { delay = 0.02 } end,
      ["another rate"] = function(x) x.link:configure { rate = 2e6 } end,
      ["a chance"] = function(x) x.link:configure { loss = 0.5 } end,
      ["another MTU"] = function(x) x.link:configure { mtu = 1400 } end,
      ["a rule"] = function(x) x.link:drop { syn = true } end,
      ["an alarm"] = function(x) x.net.core:alarm(1, 77) end,
      ["a later alarm"] = function(x) x.net.core:alarm(2, 77) end,
      ["a listener"] = function(x) x.a:listen(99) end,
      ["a shutdown"] = function(x) x.conn:shutdown() end,
      ["octets that were written"] = function(x) x.other:write "y" end,
      ["other octets"] = function(x) x.other:write "z" end,
      ["octets that were read"] = function(x) x.other:read(1) end,
      ["settings of a host"] = function(x) x.a:set { rto_min = 0.5 } end,
      ["settings of a connection"] = function(x) x.conn:set { nagle = false } end,
    } do
      local got = digest(change)
      assert.is_nil(seen[got], ("%s is as if there were %s"):format(name, seen[got]))
      seen[got] = name
    end
  end)

  it("tells rules apart by what they remember", function()
    local function with(rule, packets)
      return digest(function(x)
        x.link:drop(rule)
        for _ = 1, packets do
          local fin = { source = "10.0.9.2", destination = "10.0.9.1", flags = "F", seq = 9 }
          x.link:inject(x.b, tcp.encode(fin))
        end
        x.net:run { until_ = 1000 }
      end)
    end
    assert.equal(with({ fin = true }, 1), with({ fin = true }, 2))
    assert.is_not.equal(with({ fin = true, nth = 5 }, 1), with({ fin = true, nth = 5 }, 2))
  end)

  it("sees times from now, and the clock only where it is sent or numbers are chosen by it", function()
    local function at(start, settings)
      local net <close> = tcp.network { seed = 1, trace = false, settings = settings }
      local a, b = net:host "a", net:host "b"
      net:link(a, b, { delay = 0.01 })
      b:listen(80)
      net:run { until_ = start }
      a:connect_start(b, 80, { local_port = 1000 })
      net:run { until_ = start + 0.5 }
      return net.core:digest()
    end
    assert.equal(at(1, { isn = 7, timestamps = false }), at(8, { isn = 7, timestamps = false }))
    assert.equal(at(1, { isn = 7, timestamp_offset = 9 }), at(8, { isn = 7, timestamp_offset = 9 }))
    assert.is_not.equal(at(1, { isn = 7 }), at(8, { isn = 7 }))
    assert.is_not.equal(at(1, { timestamps = false }), at(8, { timestamps = false }))
  end)
end)
