-- What a router does with packets that are too long for the next link: RFC 791 section 3.2, RFC 1812
-- sections 5.2.6 and 5.2.7.1, RFC 1191 section 4; with hosts at both ends.
local fragments = require "support.fragments"
local tcp = require "lunatcp"

-- client - router - router - server; the link in the middle is the narrow one.
local function path(mtu, settings)
  local net = tcp.network { seed = 1 }
  local client, server = net:host("client", settings), net:host "server"
  local near, far = net:router "near", net:router "far"
  net:link(client, near, { delay = 0.001 })
  net:link(near, far, { delay = 0.001, mtu = mtu })
  net:link(far, server, { delay = 0.001 })
  return net, client, server
end

local function transfer(net, client, server, octets)
  local got = 0
  local text = ("0123456789abcdef"):rep(octets // 16)
  net:spawn(function()
    local conn <close> = server:listen(80):accept()
    for chunk in conn:chunks() do got = got + #chunk end
  end)
  net:spawn(function()
    local conn <close> = client:connect(server, 80)
    conn:write(text)
  end)
  net:run()
  return got
end

-- Two peers with a router between them, and the fields of what the second one gets.
local function forwarding(mtu)
  local net = tcp.network { seed = 1 }
  local left, right, router = net:peer "left", net:peer "right", net:router "router"
  net:link(left, router, { delay = 0.001 })
  net:link(router, right, { delay = 0.001, mtu = mtu })
  local function pass(bytes)
    left:send(bytes)
    local list = {}
    net:run { until_ = net:now() + 0.1 }
    while true do
      local packet = right:receive { timeout = 0 }
      if not packet then break end
      list[#list + 1] = packet
    end
    return list
  end
  local function packet(fields)
    local made = {
      source = left:address(router), destination = right:address(router), source_port = 1,
        destination_port = 2,
      flags = "A", payload = ("abcdefgh"):rep(125), ttl = 64, dont_fragment = false, ip_id = 7,
    }
    for key, value in pairs(fields or {}) do made[key] = value end
    return tcp.encode(made)
  end
  return net, pass, packet, left
end

describe("a router", function()
  it("RFC1812:5.2.6 cuts what is too long and may be cut, and the host puts it together", function()
    for _, mtu in ipairs { 68, 576, 1492 } do
      local net, client, server = path(mtu, { path_mtu_discovery = false })
      assert.equal(48000, transfer(net, client, server, 48000))
      local counters = server:counters()
      assert.is_true(counters.datagrams_reassembled >= 30, mtu)
      assert.equal(0, counters.fragments_overlapping + counters.fragments_malformed)
      net:close()
    end
  end)

  it("RFC1812:5.2.7 answers what must not be cut by too-big, and cuts nothing", function()
    local net, client, server = path(576)
    assert.equal(48000, transfer(net, client, server, 48000))
    assert.equal(0, server:counters().fragments_received)
    net:close()
  end)

  it("RFC791:3.2-1 RFC1812:5.2.6 makes as few fragments as can be, in order, in eights of octets", function()
    local _, pass, packet = forwarding(576)
    local list = pass(packet()) -- 20 + 1020 octets; 552 fit a fragment
    assert.equal(2, #list)
    assert.same({ 0, 552 }, { list[1].fragment_offset, list[2].fragment_offset })
    assert.same({ true, false }, { list[1].more_fragments, list[2].more_fragments })
    assert.same({ 572, 488 }, { #list[1].bytes, #list[2].bytes })
    assert.same({ 7, 7, 63, 63 }, { list[1].ip_id, list[2].ip_id, list[1].ttl, list[2].ttl })
    assert.is_true(list[1].ip_checksum_ok and list[2].ip_checksum_ok)
  end)

  it("RFC791:3.2-4 cuts a fragment further: offsets count on, and more follows after the last"
    .. " piece", function()
    local _, pass, packet = forwarding(300)
    local whole = packet()
    local list = pass(fragments.v4(whole, 400, 800))
    assert.equal(2, #list)
    assert.same({ 400, 680 }, { list[1].fragment_offset, list[2].fragment_offset })
    assert.is_true(list[1].more_fragments and list[2].more_fragments)
    local data = list[1].bytes:sub(21) .. list[2].bytes:sub(21)
    assert.equal(whole:sub(421, 820), data)
  end)

  it("RFC791:3.1-2 copies into later fragments only those options that say so", function()
    local _, pass, packet = forwarding(300)
    local copied, first_only = "\x82\11" .. ("s"):rep(9), "\x44\4\5\0" -- security; a timestamp
    local list = pass(packet { ip_options = first_only .. copied .. "\1" })
    assert.is_true(#list > 2)
    assert.equal(first_only .. copied .. "\1", list[1].bytes:sub(21, 36))
    for i = 2, #list do
      assert.equal(32, list[i].ip_header_length)
      assert.equal(copied .. "\0", list[i].bytes:sub(21, 32))
    end
  end)

  it("RFC791:3.2-5 passes on 68 octets uncut", function()
    local _, pass, packet = forwarding(68)
    local list = pass(packet { payload = ("x"):rep(28) })
    assert.equal(1, #list)
    assert.is_false(list[1].more_fragments)
  end)

  it("RFC8200:4.5-1 never cuts IPv6", function()
    local net, pass, _, left = forwarding(1280)
    local bytes = tcp.encode {
      source = left:address(nil, 6), destination = net.by_name.right:address(nil, 6), source_port = 1,
      destination_port = 2, flags = "A", payload = ("x"):rep(1300),
    }
    assert.equal(0, #pass(bytes))
    local answer = left:receive { timeout = 0 }
    assert.same({ "too big", 1280 }, { answer.icmp.kind, answer.icmp.mtu })
  end)

  it("RFC8200:4-3 passes on extension headers that it knows nothing of, whatever is in them", function()
    local net, pass, _, left = forwarding(1500)
    local segment = tcp.encode {
      source = left:address(nil, 6), destination = net.by_name.right:address(nil, 6), source_port = 1,
      destination_port = 2, flags = "A", payload = "x",
    }
    local function with(first, chain)
      return segment:sub(1, 4) .. string.pack(">I2B", #segment - 40 + #chain, first) .. segment:sub(8, 40)
        .. chain .. segment:sub(41)
    end
    local chains = {
      { 60, "\6\0\xde\4\0\0\0\0" }, -- an option that its destination must refuse
      { 43, "\6\0\2\1\0\0\0\0" }, -- a route that is not finished
      { 60, ("\60\0\1\4\0\0\0\0"):rep(40) .. "\6\0\1\4\0\0\0\0" }, -- more than a header's room
      { 99, "" },
    }
    for i, case in ipairs(chains) do
      local bytes = with(case[1], case[2])
      local list = pass(bytes)
      assert.equal(1, #list, "chain " .. i)
      assert.equal(bytes:sub(9), list[1].bytes:sub(9))
    end
  end)
end)
