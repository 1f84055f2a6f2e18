-- What an exploration knows of managed queues: their state is in the digest of the network.
local tcp = require "lunatcp"

local KINDS <const> = { "red", "codel", "fq_codel", "pie", "dualpi2", "step" }

-- Two connections that share a queue, stopped while packets wait in it.
local function digest(queue, change)
  local settings = { isn = 1000, timestamps = false, ecn = 1 }
  local net <close> = tcp.network { seed = 1, trace = false, settings = settings }
  local a, b = net:host "a", net:host "b"
  local link = net:link(a, b, { delay = 0.01, rate = 1e6, queue = queue })
  local conns = {}
  for i = 1, 2 do
    local listener = b:listen(80 + i)
    conns[i] = assert(a:connect(b, 80 + i, { local_port = 1000 + i }))
    assert(listener:accept())
  end
  conns[1]:write(("x"):rep(4000))
  conns[2]:write(("y"):rep(4000))
  net:run { until_ = 0.065 }
  if change then change(net, link, conns) end
  return net.core:digest(), link:counters(a).queued_packets
end

describe("the digest of a network with a managed queue", function()
  it("is the same for the same history, and sees that packets wait", function()
    for _, kind in ipairs(KINDS) do
      local first, waiting = digest(kind)
      assert.is_true(waiting > 1, kind)
      assert.equal(first, (digest(kind)))
    end
  end)

  it("knows kinds, figures, and what waits", function()
    local seen = {}
    local function new(name, got)
      assert.is_nil(seen[got], ("%s is as if there were %s"):format(name, seen[got]))
      seen[got] = name
    end
    for _, kind in ipairs(KINDS) do
      new(kind, (digest(kind)))
      new(kind .. " a packet later", (digest(kind, function(net) net:run { until_ = 0.080 } end)))
      new(kind .. " with one more", (digest(kind, function(_, link)
        link:inject(link.a,
          tcp.encode { source = "10.0.1.1", destination = "10.0.1.2", flags = "R", seq = 9 })
      end)))
      new(kind .. " with a limit", (digest({ kind = kind, packets = 77 })))
    end
    new("another target", (digest { kind = "codel", target = 0.006 }))
    new("another weight", (digest { kind = "red", weight = 0.25 }))
    new("another threshold", (digest { kind = "step", threshold = 64 }))
    new("another coupling", (digest { kind = "dualpi2", k = 3 }))
    new("other gains", (digest { kind = "pie", alpha = 0.25 }))
    new("a chance of marks", (digest("codel", function(_, link) link:configure { mark = 0.5 } end)))
  end)

  it("finds in an exploration what is found without it, through every kind", function()
    for _, kind in ipairs(KINDS) do
      local outcomes = {}
      for i, prune in ipairs { true, false } do
        local seen = {}
        local report = tcp.explore {
          depth = 4, choices = { "drop", "mark" }, prune = prune, failures = math.maxinteger,
          network = { settings = { ecn = 1, isn = 1000, timestamps = false } },
          scenario = function(net)
            local a, b = net:host "a", net:host "b"
            net:link(a, b, { delay = 0.01, rate = 1e6, queue = kind })
            net:spawn(function()
              local conn = b:listen(80):accept()
              net.read = conn:read_exactly(3000)
            end)
            net.conn = a:connect(b, 80)
            if net.conn then net.conn:write(("x"):rep(3000)) end
          end,
          check = function(net)
            local info = net.conn and net.conn:info()
            seen[("%d %d"):format(net.read and #net.read or 0, info and info.cwnd or 0)] = true
          end,
        }
        assert.equal(0, #report.failures)
        outcomes[i] = seen
      end
      assert.same(outcomes[2], outcomes[1])
      local _, first = next(outcomes[1])
      assert.is_true(first and next(outcomes[1], (next(outcomes[1]))) ~= nil) -- more than one end
    end
  end)
end)
