-- How much waits unsent, and how many segments one acknowledgment answers.
local lab = require "support.lab"
local wire = require "support.wire"

describe("the not-sent low-water mark", function()
  it("lets a writer queue no more than that beyond what was sent", function()
    local net, conn, peer = wire.passive { host = { not_sent_low = 3000, initial_window = 2 } }
    assert.equal(3000, select(4, conn:write(wire.pattern(20000), { timeout = 0 })))
    net:run { until_ = 0.05 } -- two segments of 1000 leave
    assert.equal(1000, conn:info().unsent)
    assert.equal(2000, select(4, conn:write(wire.pattern(20000), { timeout = 0 })))
    assert.equal(3000, conn:info().unsent)
    local first = peer:expect { seq = 5001 }
    assert.equal(1000, first.length)
  end)

  it("wakes a writer that waits, and all arrives", function()
    local net, client, server = lab.connected { client = { not_sent_low = 4000 } }
    local got, most = 0, 0
    net:spawn(function() for chunk in server:chunks() do got = got + #chunk end end)
    net:spawn(function()
      client:write(wire.pattern(300000))
      client:close()
    end)
    net:spawn(function()
      for _ = 1, 100 do
        net:sleep(0.005)
        if client:state() == "ESTABLISHED" then most = math.max(most, client:info().unsent) end
      end
    end)
    net:run()
    assert.equal(300000, got)
    assert.is_true(most <= 4000, most)
  end)

  it("is off by itself", function()
    local _, conn = wire.passive()
    assert.equal(100000, conn:write(wire.pattern(100000), { timeout = 0 }))
  end)
end)

describe("acknowledgments under load", function()
  local function ratio(thinning)
    local net = lab.pair {
      network = { profile = "linux", trace = false }, link = { delay = 0.020, rate = 1e8, queue = 1000 },
      server = { ack_thinning = thinning, quick_acks = 0 },
    }
    local server
    net:spawn(function()
      server = net.listener:accept()
      while server:read(65536) do end
    end)
    net:spawn(function()
      local client = assert(net.client:connect(net.server, 80))
      while client:write(("x"):rep(65536)) do end
    end)
    net:run { until_ = 2 }
    local acks, segments = server:info().acks_sent, server:info().data_segments_received
    net:run { until_ = 3 }
    local info = server:info()
    return (info.data_segments_received - segments) / (info.acks_sent - acks)
  end

  it("are one for every second segment by themselves (RFC9293:SHLD-19)", function()
    assert.is_true(ratio(0) < 2.1)
  end)

  it("answer more segments where many come in a round trip, as many as are set at most", function()
    local answered = ratio(8)
    assert.is_true(answered > 7 and answered <= 8.1, answered)
  end)
end)
