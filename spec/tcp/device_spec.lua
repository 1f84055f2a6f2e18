-- The host's own device may have no room, and the connection knows at once.
local tcp = require "lunatcp"

local function opened(settings)
  local net = tcp.network { seed = 1 }
  local client, server = net:host("client", settings), net:host "server"
  net:link(client, server, { delay = 0.05 })
  local listener = server:listen(80)
  local conn = assert(client:connect(server, 80))
  return net, client, conn, assert(listener:accept())
end

describe("a device that drops", function()
  it("leaves nothing outstanding, and is asked again at the pace that was set", function()
    local net, client, conn = opened { rto_min = 0.2, device_retry = 0.25 }
    client:set { device_full = true }
    conn:write "0123456789"
    net:sleep(1.5)
    local info = conn:info()
    assert.same({ 0, 10, 0, 0 }, { info.unacked, info.unsent, info.backoff, info.timeouts })
    local dropped = client:counters().device_dropped
    net:sleep(1)
    assert.equal(dropped + 4, client:counters().device_dropped)
  end)

  it("delivers all once it takes packets again", function()
    local net, client, conn, peer = opened { device_retry = 0.25 }
    client:set { device_full = true }
    conn:write "0123456789"
    net:sleep(1.1)
    client:set { device_full = false }
    assert.equal("0123456789", peer:read(10))
    assert.equal(0, conn:info().segments_retransmitted)
  end)

  it("does not keep a connection alive for ever", function()
    local net, client, conn = opened { device_retry = 0.25, r2_count = 3, r2_time = 0 }
    client:set { device_full = true }
    conn:write "x"
    net:sleep(10)
    assert.equal("CLOSED", conn:info().state)
    assert.same({ nil, "ETIMEDOUT" }, { (select(1, conn:write "y")), (select(3, conn:write "y")) })
  end)
end)
