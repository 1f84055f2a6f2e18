-- Tunnels whose connections have nothing to say.
local tcp = require "lunatcp"

local COUNT <const> = 2000
local IDLE <const> = 1 -- seconds

describe("an idle tunnel #udp", function()
  it("takes no processor time and sends nothing, whatever stands open", function()
    local net <close> = assert(tcp.network { clock = "real", seed = 1, trace = false, profile = "linux" })
    local client, server = net:host "client", net:host "server"
    local there = assert(net:tunnel(server, { learn = true }))
    local here = assert(net:tunnel(client, { peer = ("%s:%d"):format(there:socket()) }))
    local far, taken, opened = net:remote { via = here }, {}, {}
    net:spawn(function()
      local listener = assert(server:listen(80, { backlog = 100 }))
      for i = 1, COUNT do taken[i] = assert(listener:accept { timeout = 20 }) end
    end)
    net:spawn(function()
      for i = 1, COUNT do opened[i] = assert(client:connect(far, 80, { timeout = 20 })) end
    end)
    net:run { until_ = function() return #opened == COUNT and #taken == COUNT end }
    net:run { until_ = net:now() + 1.5 } -- the last acknowledgments, and deadlines that have moved since

    collectgarbage "stop"
    local before, calls = os.clock(), here:tunnel_counters().calls_out + there:tunnel_counters().calls_out
    net:run { until_ = net:now() + IDLE }
    local spent = os.clock() - before
    collectgarbage "restart"
    assert.equal(calls, here:tunnel_counters().calls_out + there:tunnel_counters().calls_out)
    assert.is_true(spent < 0.01 * IDLE, spent .. " s of processor time")
    for i = 1, COUNT, 97 do assert.equal("ESTABLISHED", opened[i]:state()) end
  end)
end)
