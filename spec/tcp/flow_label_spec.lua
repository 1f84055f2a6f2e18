-- The IPv6 flow label, RFC 6437.
local lab = require "support.lab"
local tcp = require "lunatcp"

-- A host that opens to a peer by IPv6, or to another port of it.
local function opening(settings, port, seed)
  local net, host, peer = lab.forge { host = settings, seed = seed }
  local conn = host:connect_start(peer:address(host, 6), port or 80)
  return net, conn, peer, peer:expect { flags = "S" }, host
end

local function established(settings)
  local net, conn, peer, syn = opening(settings)
  peer:send { flags = "SA", seq = 1000, ack = syn.seq + 1 & 0xffffffff, window = 65535,
    options = { mss = 1000 } }
  peer:expect { flags = "A" }
  return net, conn, peer, syn.flow_label
end

describe("the flow label", function()
  it("RFC6437:3-2 is the same on all packets of a connection", function()
    local labels = {}
    local net = tcp.network { seed = 3 }
    local client, server = net:host "client", net:host "server"
    local link = net:link(client, server, { delay = 0.01, loss = 0.02 })
    link:rule(function(segment)
      local from = segment.source_port == 80 and "server" or "client"
      labels[from] = labels[from] or {}
      labels[from][segment.flow_label] = (labels[from][segment.flow_label] or 0) + 1
    end)
    local listener = server:listen(80)
    local conn = assert(client:connect(server:address(nil, 6), 80))
    local other = assert(listener:accept())
    net:spawn(function() conn:write(("x"):rep(100000)) conn:close() end)
    net:spawn(function() while other:read(65536) do end other:close() end)
    net:run()
    for _, from in ipairs { "client", "server" } do
      local label, count = next(labels[from])
      assert.is_nil(next(labels[from], label))
      assert.is_true(label > 0 and count > 20)
    end
    assert.equal(next(labels.client), conn:info().flow_label)
    net:close()
  end)

  it("RFC6437:3-1 is another one for each connection, RFC6437:3-3 and almost never the same", function()
    local seen, count = {}, 0
    local net, host, peer = lab.forge { host = { rto_initial = 60 } }
    for _ = 1, 200 do
      host:connect_start(peer:address(host, 6), 80)
      local label = peer:expect { flags = "S" }.flow_label
      if not seen[label] then count = count + 1 end
      seen[label] = true
      assert.is_true(label > 0 and label < 1 << 20)
    end
    assert.is_true(count >= 199)
    local bits = 0
    for label in pairs(seen) do bits = bits | label end
    assert.equal(0xfffff, bits) -- RFC6437:3-2: all bits vary
    net:close()
  end)

  it("RFC6437:6-1 depends on the host's secret", function()
    local _, _, _, first = opening(nil, 80, 1)
    local _, _, _, second = opening(nil, 80, 2)
    assert.are_not.equal(first.flow_label, second.flow_label)
  end)

  it("RFC6437:3-4 is zero where it is not set, and what the setting says where it is", function()
    local _, _, _, syn = opening { flow_label = 0 }
    assert.equal(0, syn.flow_label)
    local _, conn, _, other = opening { flow_label = 0x12345 }
    assert.equal(0x12345, other.flow_label)
    assert.equal(0x12345, conn:info().flow_label)
    conn:set { flow_label = 77 }
    assert.equal(77, conn:info().flow_label)
  end)

  it("is that of the connection also on a reset that none sends, and on a cookie's SYN-ACK", function()
    local net, host, peer = lab.forge { host = { syn_cookies = 2 } }
    local from, to = peer:address(host, 6), host:address(peer, 6)
    peer:send { source = from, destination = to, destination_port = 80, flags = "S", seq = 1000 }
    local reset = peer:expect { flags = "RA" }
    assert.is_true(reset.flow_label > 0)
    host:listen(80)
    peer:send { source = from, destination = to, destination_port = 80, flags = "S", seq = 1000 }
    assert.equal(reset.flow_label, peer:expect { flags = "SA" }.flow_label)
    net:close()
  end)

  it("is none with IPv4", function()
    local net, host, peer = lab.forge()
    local conn = host:connect_start(peer, 80)
    peer:expect { flags = "S" }
    assert.equal(0, conn:info().flow_label)
    net:close()
  end)

  it("changes on each retransmission timeout with flow_label_rehash, and not without", function()
    for _, rehash in ipairs { false, true } do
      local _, conn, peer, label = established { flow_label_rehash = rehash }
      conn:write "x"
      assert.equal(label, peer:expect { payload = "x" }.flow_label)
      local last = label
      for i = 1, 3 do
        local again = peer:expect { payload = "x", timeout = 10 }
        assert.equal(rehash, again.flow_label ~= last)
        last = again.flow_label
        assert.equal(rehash and i or 0, conn:info().flow_label_changes)
      end
      peer:send { flags = "A", seq = 1001, ack = conn:info().snd_nxt }
      conn:write "y"
      assert.equal(last, peer:expect { payload = "y", timeout = 10 }.flow_label) -- and stays
    end
    assert.is_true(tcp.profile("linux").flow_label_rehash)
    assert.is_false(tcp.profile("rfc").flow_label_rehash)
  end)

  it("changes for a SYN that is sent again, too", function()
    local _, _, peer, syn = opening { flow_label_rehash = true }
    assert.are_not.equal(syn.flow_label, peer:expect { flags = "S", timeout = 5 }.flow_label)
  end)

  it("changes where duplicates come by a new label: the acknowledgments do not get through", function()
    local _, conn, peer, label = established { flow_label_rehash = true }
    local text = { flags = "PA", seq = 1001, ack = conn:info().snd_nxt, payload = "x" }
    local function answer(flow_label)
      text.flow_label = flow_label
      peer:send(text)
      return peer:expect { flags = "A", ack = 1002, timeout = 1 }.flow_label
    end
    assert.equal(label, answer(5))
    assert.equal(label, answer(5)) -- a duplicate, by the same label as far as is known
    assert.equal(label, answer(5))
    local changed = answer(6)
    assert.are_not.equal(label, changed)
    assert.equal(changed, answer(6))
    local _, without, other, before = established()
    text.ack = without:info().snd_nxt
    peer = other
    for i = 1, 5 do assert.equal(before, answer(i)) end
  end)

  it("is not looked at on receipt", function()
    local net, conn, peer = established()
    for i = 0, 3 do
      peer:send { flags = "PA", seq = 1001 + i, ack = conn:info().snd_nxt, payload = "x",
        flow_label = i * 99 }
    end
    net:run { until_ = net:now() + 0.1 }
    assert.equal("xxxx", conn:read(10))
  end)

  it("RFC6437:2-1 is left as it is by a router", function()
    local net = tcp.network { seed = 1 }
    local left, right, router = net:peer "left", net:peer "right", net:router "router"
    net:link(left, router)
    net:link(router, right)
    for _, label in ipairs { 0, 1, 0xfffff } do
      left:send {
        source = left:address(nil, 6), destination = right:address(nil, 6), destination_port = 80,
          flags = "S",
        flow_label = label,
      }
      assert.equal(label, right:receive({ timeout = 1 }).flow_label)
    end
    net:close()
  end)
end)
