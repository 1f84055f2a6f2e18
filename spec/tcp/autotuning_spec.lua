-- Buffers that follow the path: window scale by RFC 7323 section 2.3, the receive buffer by what is read in
-- a round trip, the send buffer by the congestion window.
local lab = require "support.lab"
local wire = require "support.wire"

-- One bulk transfer from client to server for so many seconds; gives both ends, and bits a second that were
-- read in the `last` second, or seconds. `read`: what the server's task does with its connection.
local function transfer(options)
  local net = lab.pair {
    network = { profile = "linux", trace = false }, link = options.link, client = options.client,
    server = options.server,
  }
  local server, client
  local got = 0
  net:spawn(function()
    server = net.listener:accept()
    if options.read then return options.read(net, server) end
    while true do
      local chunk = server:read(65536)
      if not chunk then return end
      got = got + #chunk
    end
  end)
  net:spawn(function()
    client = assert(net.client:connect(net.server, 80))
    local block = ("x"):rep(65536)
    while client:write(block) do end
  end)
  local last = options.last or 1
  net:run { until_ = options.seconds - last }
  local before = got
  net:run { until_ = options.seconds }
  return net, client, server, (got - before) * 8 / last
end

describe("buffers that tune themselves", function()
  it("fill 1 Gbit/s with 100 ms there and back without a setting", function()
    -- Large packets, so that the specs need not wait for a million of them.
    local _, client, server, rate = transfer {
      link = { delay = 0.050, rate = 1e9, queue = 1000, mtu = 65535 }, seconds = 5,
    }
    assert.is_true(rate > 0.95e9, ("%.0f bit/s"):format(rate))
    -- What is on its way is 12.5 million octets.
    assert.is_true(server:info().receive_buffer >= 12500000)
    assert.is_true(client:info().send_buffer >= 12500000)
    assert.is_true(math.abs(server:info().receive_rtt - 0.1) < 0.002)
  end)

  it("do not, where they may not grow", function()
    local fixed = { tune_receive_buffer = false }
    local _, _, server, rate = transfer {
      link = { delay = 0.050, rate = 1e9, queue = 1000, mtu = 65535 }, seconds = 3, server = fixed,
    }
    assert.is_true(rate < 0.05e9, ("%.0f bit/s"):format(rate)) -- 540000 octets each 100 ms
    assert.equal(540000, server:info().receive_buffer)
  end)

  it("stay as they are on a slow path, which they fill too", function()
    local _, client, server, rate = transfer {
      link = { delay = 0.025, rate = 1e6, queue = 32 }, seconds = 20, last = 15,
      client = { write_pieces = false }, -- counted in octets, not in memory
    }
    assert.is_true(rate > 0.85e6, ("%.0f bit/s"):format(rate))
    assert.equal(540000, server:info().receive_buffer)
    assert.equal(262144, client:info().send_buffer)
  end)

  it("do not grow for a reader that does not read", function()
    local net, client, server = transfer {
      link = { delay = 0.010, rate = 1e8 }, seconds = 5, read = function(net) net:sleep(100) end,
    }
    assert.equal(540000, server:info().receive_buffer)
    assert.is_true(server:info().unread > 539000) -- a window is told in units of 1024
    assert.equal(server:info().unread, net.server:counters().memory)
    assert.equal(0, client:info().snd_wnd)
  end)

  it("grow no further than they may", function()
    local _, client, server = transfer {
      link = { delay = 0.050, rate = 1e9, queue = 1000, mtu = 65535 }, seconds = 4,
      server = { receive_buffer_most = 2000000 }, client = { send_buffer_most = 1000000 },
    }
    assert.equal(2000000, server:info().receive_buffer)
    assert.is_true(client:info().send_buffer <= 1000000)
  end)

  it("measure the round trip without timestamps, by how long a window takes", function()
    local _, _, server, rate = transfer {
      link = { delay = 0.050, rate = 1e8, queue = 2000, mtu = 9000 }, seconds = 6,
      client = { timestamps = false },
    }
    assert.is_false(server:info().timestamps)
    assert.is_true(rate > 0.9e8, ("%.0f bit/s"):format(rate))
    assert.is_true(server:info().receive_buffer > 1250000)
  end)

  it("RFC7323:2.3 leave room in the window scale for what they may become, 14 at most", function()
    local shifts = {}
    for i, most in ipairs { 540000, 6291456, 33554432, 1073741824 } do
      local net, client = lab.connected { client = { profile = "linux", receive_buffer_most = most } }
      shifts[i] = client:info().rcv_wscale
      net:close()
    end
    assert.same({ 4, 7, 10, 14 }, shifts)
    local _, client = lab.connected { client = { profile = "linux", tune_receive_buffer = false } }
    assert.equal(4, client:info().rcv_wscale)
  end)

  it("begin anew with what the user sets", function()
    local _, _, server = transfer {
      link = { delay = 0.020, rate = 1e9, queue = 1000, mtu = 65535 }, seconds = 3,
    }
    assert.is_true(server:info().receive_buffer > 2000000)
    assert(server:set { receive_buffer = 100000, tune_receive_buffer = false })
    assert.equal(100000, server:info().receive_buffer)
  end)

  it("tell of a buffer that begins with less than a unit of the greatest window's scale", function()
    for _, size in ipairs { 100, 1000, 5000 } do
      local _, _, server, rate = transfer {
        server = { receive_buffer = size, receive_buffer_least = 100 }, seconds = 10,
        link = { delay = 0.020, rate = 1e6, queue = 100 },
      }
      assert.is_true(1 << server:info().rcv_wscale <= size / 2, size)
      assert.is_true(rate > 0, size)
    end
  end)

  it("are fixed in the profile rfc", function()
    local net, client, server = lab.connected { link = { delay = 0.050, rate = 1e8, queue = 1000 } }
    net:spawn(function() for _ in server:chunks() do end end)
    net:spawn(function() client:write(wire.pattern(4000000)) end)
    net:run { until_ = 3 }
    assert.equal(262144, server:info().receive_buffer)
    assert.equal(262144, client:info().send_buffer)
  end)

  it("are given back when they are empty", function()
    local net, client, server = transfer { link = { delay = 0.020, rate = 1e8, queue = 500 }, seconds = 2 }
    assert.is_true(net.client:counters().memory > 500000)
    client:abort()
    net:run { until_ = 3 }
    assert.equal(0, net.client:counters().memory)
    assert.equal("CLOSED", server:state())
    assert.equal(0, net.server:counters().memory)
  end)
end)
