-- RFC 2018: selective acknowledgments, as the receiver of data makes them.
local lab = require "support.lab"
local wire = require "support.wire"

local offer <const> = { options = { mss = 1000, sack_permitted = true } }

local function opened(host)
  return wire.passive { syn = offer, host = host }
end

-- The n-th segment of 500 octets, from 0.
local function send(peer, n)
  peer:send { flags = "A", seq = 1001 + 500 * n, ack = 5001, payload = ("x"):rep(500) }
end

-- Blocks as segment numbers: "1-3 5-6".
local function blocks(packet)
  local parts = {}
  for i, block in ipairs(packet.options.sack or {}) do
    parts[i] = ("%d-%d"):format((block.left - 1001) // 500, (block.right - 1001) // 500)
  end
  return table.concat(parts, " ")
end

describe("SACK", function()
  it("RFC2018:7 RFC2018:4-3 case 2: the first of eight is lost", function()
    local _, _, peer = opened()
    for n = 1, 7 do
      send(peer, n)
      assert.equal(("1-%d"):format(n + 1), blocks(peer:expect { flags = "A", ack = 1001 }))
    end
    send(peer, 0)
    assert.equal("", blocks(peer:expect { flags = "A", ack = 5001 }))
  end)

  it("RFC2018:7 RFC2018:4-6 case 3: the second, fourth, sixth and eighth are lost, then come", function()
    local _, _, peer = opened()
    send(peer, 0)
    peer:expect { flags = "A", ack = 1501 }
    for _, case in ipairs {
      { 2, 1501, "2-3" }, { 4, 1501, "4-5 2-3" }, { 6, 1501, "6-7 4-5 2-3" },
      { 3, 1501, "2-5 6-7" }, -- the fourth packet: one block of what are now neighbours, and the recent one
      { 1, 3501, "6-7" },
    } do
      send(peer, case[1])
      assert.equal(case[3], blocks(peer:expect { flags = "A", ack = case[2] }), "segment " .. case[1])
    end
  end)

  it("RFC2018:4-4 puts first the block of the segment that came last", function()
    local _, _, peer = opened()
    for _, case in ipairs {
      { 8, "8-9" }, { 2, "2-3 8-9" }, { 5, "5-6 2-3 8-9" }, { 9, "8-10 5-6 2-3" }, { 3, "2-4 8-10 5-6" },
    } do
      send(peer, case[1])
      assert.equal(case[2], blocks(peer:expect { flags = "A", ack = 1001 }))
    end
  end)

  it("RFC2018:4-4 counts the number of a FIN that came ahead, so that it is not sent again", function()
    local _, _, peer = opened()
    send(peer, 1)
    peer:expect { flags = "A", ack = 1001 }
    peer:send { flags = "AF", seq = 2001, ack = 5001, payload = ("x"):rep(200) }
    local sack = peer:expect({ flags = "A", ack = 1001 }).options.sack
    assert.same({ { left = 1501, right = 2202 } }, sack)
    send(peer, 0)
    assert.equal("", blocks(peer:expect { flags = "A", ack = 2202 }))
  end)

  -- A FIN without data whose number is `at`.
  local function fin(peer, at) peer:send { flags = "AF", seq = at, ack = 5001 } end

  it("RFC2018:4-4 RFC2018:4-6 tells of a FIN that came ahead without data, as of what else came", function()
    local net, conn, peer = opened()
    fin(peer, 3001) -- segments 0 to 3 are missing
    local FIN <const> = { left = 3001, right = 3002 }
    assert.same({ FIN }, peer:expect({ flags = "A", ack = 1001 }).options.sack)
    send(peer, 1)
    local second <const> = { left = 1501, right = 2001 }
    assert.same({ second, FIN }, peer:expect({ flags = "A", ack = 1001 }).options.sack)
    fin(peer, 3001)
    assert.same({ FIN, second }, peer:expect({ flags = "A", ack = 1001 }).options.sack)
    send(peer, 0)
    assert.same({ FIN }, peer:expect({ flags = "A", ack = 2001 }).options.sack)
    send(peer, 3)
    assert.same({ { left = 2501, right = 3002 } }, peer:expect({ flags = "A", ack = 2001 }).options.sack)
    send(peer, 2)
    assert.is_nil(peer:expect({ flags = "A", ack = 3002 }).options.sack)
    assert.equal("CLOSE-WAIT", conn:state())
    assert.is_nil(net.core:check())
  end)

  it("RFC2018:4-5 RFC9293:MUST-16 tells of it beside the other direction's data", function()
    local _, conn, peer = opened()
    fin(peer, 1501)
    peer:expect { flags = "A", ack = 1001 }
    conn:write(("y"):rep(2500))
    local octets = 0
    while octets < 2500 do
      local packet = peer:receive()
      assert.same({ { left = 1501, right = 1502 } }, packet.options.sack)
      octets = octets + packet.length
      peer:send { flags = "A", seq = 1001, ack = packet.seq + packet.length }
    end
  end)

  it("tells of no FIN to a peer that has not asked for SACK, and keeps it all the same", function()
    local _, conn, peer = wire.passive()
    fin(peer, 1501)
    assert.is_nil(peer:expect({ flags = "A", ack = 1001 }).options.sack)
    send(peer, 0)
    peer:expect { flags = "A", ack = 1502 }
    assert.equal("CLOSE-WAIT", conn:state())
  end)

  it("RFC9293:SHLD-3 holds no FIN for data that a CLOSE loses", function()
    local _, conn, peer = opened { reset_on_unread_close = true }
    fin(peer, 1501)
    peer:expect { flags = "A", ack = 1001 }
    conn:close()
    peer:expect { flags = "FA", seq = 5001, ack = 1001 }
  end)

  it("lets the sender find a loss behind which only a FIN came, without a timeout", function()
    for _, rack in ipairs { true, false } do
      local settings = { rack = rack, tlp = false, congestion = "newreno", duplicate_ack_threshold = 1 }
      local net, client, server = lab.connected { client = settings, server = { rack = rack } }
      net:spawn(function() for _ in server:chunks() do end end)
      client:write(("x"):rep(1000))
      net:run { until_ = net:now() + 0.5 }
      net.wire:drop { from = net.client, data = true, nth = 1 }
      local began = net:now()
      client:write(("x"):rep(1000))
      net:run { until_ = net:now() + 0.001 }
      client:close()
      client:wait_state("FIN-WAIT-2", { timeout = 3 })
      assert.is_true(net:now() - began < 0.08, net:now() - began)
      local info = client:info()
      assert.equal(0, info.timeouts)
      assert.equal(1, info.segments_retransmitted)
    end
  end)

  it("RFC2018:5.1-1 sends no FIN again that arrived behind a loss", function()
    local net, client, server = lab.connected {
      client = { rack = true, congestion = "newreno" }, server = { rack = true },
    }
    net.wire:drop { from = net.client, data = true, nth = 3 }
    net:spawn(function() for _ in server:chunks() do end end)
    client:write(("x"):rep(9000))
    client:close()
    net:run { until_ = net:now() + 0.5 }
    local info = client:info()
    assert.equal("FIN-WAIT-2", info.state)
    assert.equal(1, info.segments_retransmitted)
    assert.equal(0, info.dsacks_received)
  end)

  it("RFC2018:3 RFC2018:4-5 has room for four blocks, for three beside timestamps", function()
    for _, timestamps in ipairs { false, true } do
      local ts = timestamps and { value = 1, echo = 0 } or nil
      local _, _, peer = wire.passive {
        syn = { options = { mss = 1000, sack_permitted = true, timestamps = ts } },
        ack_options = ts and { timestamps = ts } or nil,
      }
      local last
      for n = 1, 11, 2 do
        peer:send {
          flags = "A", seq = 1001 + 500 * n, ack = 5001, payload = ("x"):rep(500),
          options = ts and { timestamps = ts } or nil,
        }
        last = peer:expect { flags = "A", ack = 1001 }
      end
      assert.equal(timestamps and 3 or 4, #last.options.sack)
      assert.is_true(last.header_length <= 60)
      assert.equal(timestamps and "11-12 9-10 7-8" or "11-12 9-10 7-8 5-6", blocks(last))
    end
  end)

  it("RFC2018:3 RFC2018:4-1 is never sent where it was not offered", function()
    local _, _, peer = wire.passive()
    send(peer, 2)
    assert.equal("", blocks(peer:expect { flags = "A", ack = 1001 }))
  end)

  it("RFC2018:4-2 is on data segments too while something is missing", function()
    local _, conn, peer = opened()
    send(peer, 2)
    assert.equal("2-3", blocks(peer:expect { ack = 1001 }))
    conn:write "data"
    assert.equal("2-3", blocks(peer:expect { payload = "data", ack = 1001 }))
  end)

  it("is gone when nothing is missing any more", function()
    local _, conn, peer = opened()
    send(peer, 1)
    peer:expect { ack = 1001 }
    send(peer, 0)
    assert.equal("", blocks(peer:expect { ack = 2001 }))
    conn:write "data"
    assert.equal("", blocks(peer:expect { payload = "data" }))
  end)

  it("RFC2018:8-3 names octets that are there, whatever comes in whatever order", function()
    for seed = 1, 20 do
      local net, conn, peer = wire.passive { syn = offer, seed = seed }
      local random = net.core:random("order " .. seed)
      local have = {}
      for _ = 1, 60 do
        local n = random:below(40)
        have[n] = true
        send(peer, n)
        net:run { until_ = net:now() + 0.03 }
        for _, packet in ipairs(wire.drain(peer)) do
          for _, block in ipairs(packet.options.sack or {}) do
            assert.is_true(block.right > block.left)
            for k = (block.left - 1001) // 500, (block.right - 1001) // 500 - 1 do
              assert.is_true(have[k], ("seed %d: segment %d"):format(seed, k))
            end
          end
          for k = 0, (packet.ack - 1001) // 500 - 1 do assert.is_true(have[k]) end
        end
      end
      assert.equal("ESTABLISHED", conn:state())
    end
  end)
end)
