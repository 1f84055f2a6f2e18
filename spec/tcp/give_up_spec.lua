-- RFC 9293 section 3.8.3: R1 and R2, the user timeout, and what is told to the user.
local lab = require "support.lab"
local wire = require "support.wire"

-- A connection whose link is cut at 10 s, with one write under way: net, client end, server end.
local function cut(host)
  local net, client, server = lab.connected { client = host }
  net:run { until_ = 10 }
  net.wire:down()
  client:write "into the void"
  return net, client, server
end

describe("R1", function()
  it("RFC9293:SHLD-9 advises the user after three retransmissions, and the connection lives on", function()
    local net, client = cut()
    local advised
    client:on("advice", function() advised = advised or net:now() end)
    net:run { until_ = 60 }
    -- Retransmissions at 11, 13 and 17 s.
    assert.is_true(advised >= 17 and advised <= 25, advised)
    assert.equal("ESTABLISHED", client:state())
  end)

  it("RFC9293:MUST-21 is a setting", function()
    local net, client = cut { r1_count = 1 }
    local advised
    client:on("advice", function() advised = advised or net:now() end)
    net:run { until_ = 60 }
    assert.is_true(advised >= 11 and advised <= 13, advised)
  end)
end)

describe("R2", function()
  it("RFC9293:MUST-20 closes the connection with ETIMEDOUT", function()
    local net, client = cut { r2_time = 100 }
    local bytes, message, code = client:read(1)
    assert.is_nil(bytes)
    assert.equal("ETIMEDOUT", code)
    assert.is_string(message)
    assert.equal("CLOSED", client:state())
    assert.is_true(net:now() >= 110 and net:now() < 171, net:now())
  end)

  it("RFC9293:SHLD-11 is at least 100 s where nothing was set", function()
    local net, client = cut()
    client:read(1)
    assert.is_true(net:now() >= 110, net:now())
    assert.equal("ETIMEDOUT", select(2, client:error()))
  end)

  it("can be a number of retransmissions", function()
    local net, client = cut { r2_count = 3, r2_time = 0 }
    client:read(1)
    assert.equal(3, client:info().segments_retransmitted)
    -- 11, 13, 17 s; and 8 s more for the last one.
    assert.near(25, net:now(), 1e-6)
  end)

  it("RFC9293:MUST-21 is settable while the connection lives", function()
    local net, client, server = lab.connected()
    assert(client:set { r2_time = 20 })
    net:run { until_ = 10 }
    net.wire:down()
    client:write "x"
    client:read(1)
    assert.is_true(net:now() >= 30 and net:now() <= 60, net:now())
    assert.equal("ESTABLISHED", server:state())
  end)

  it("counts from the first retransmission again once something was acknowledged", function()
    local net, client, server = cut { r2_time = 100 }
    net:run { until_ = 50 } -- the next retransmission is at 73 s
    net.wire:up()
    assert.equal("into the void", server:read(100))
    net:run { until_ = 200 }
    net.wire:down()
    client:write "again"
    net:run { until_ = 290 }
    assert.equal("ESTABLISHED", client:state())
    client:read(1)
    assert.is_true(net:now() >= 300)
  end)

  it("ends a FIN that nobody answers", function()
    local net, client = lab.connected { client = { r2_time = 100 } }
    net:run { until_ = 10 }
    net.wire:down()
    client:close()
    net:run { until_idle = true }
    assert.equal("CLOSED", client:state())
  end)

  it("tells all that block: reader, writer, flusher", function()
    local net, client = cut { r2_time = 50, send_buffer = 1000 }
    local codes = {}
    net:spawn(function() codes[1] = select(3, client:read(1)) end)
    net:spawn(function() codes[2] = select(3, client:write(("x"):rep(100000))) end)
    net:spawn(function() codes[3] = select(3, client:flush()) end)
    net:run()
    assert.same({ "ETIMEDOUT", "ETIMEDOUT", "ETIMEDOUT" }, codes)
  end)
end)

describe("the user timeout", function()
  it("RFC9293:3.10.8 closes the connection when data stays unacknowledged so long", function()
    local net, client = cut { user_timeout = 30 }
    client:read(1)
    assert.equal("ETIMEDOUT", select(2, client:error()))
    assert.near(40, net:now(), 1)
  end)

  it("does not count while nothing is outstanding", function()
    local net, client, server = lab.connected { client = { user_timeout = 30 } }
    net:run { until_ = 1000 }
    client:write "x"
    assert.equal("x", server:read(1))
    assert.equal("ESTABLISHED", client:state())
  end)

  it("limits the opening too", function()
    local net = lab.pair { client = { user_timeout = 5 } }
    net.wire:down()
    local _, _, code = net.client:connect(net.server, 80)
    assert.equal("ETIMEDOUT", code)
    assert.near(5, net:now(), 0.01)
  end)

  it("can be set while data is outstanding", function()
    local net, client = cut()
    net:run { until_ = 12 }
    assert(client:set { user_timeout = 20 })
    client:read(1)
    assert.near(30, net:now(), 1)
  end)
end)

describe("a cut that heals", function()
  it("costs no octet", function()
    local net, client, server = lab.connected()
    local data = wire.pattern(100000)
    net:spawn(function() client:write(data) client:close() end)
    net:spawn(function()
      net:sleep(0.05)
      net.wire:down()
      net:sleep(60)
      net.wire:up()
    end)
    local parts = {}
    for chunk in server:chunks() do parts[#parts + 1] = chunk end
    assert.equal(data, table.concat(parts))
  end)
end)
