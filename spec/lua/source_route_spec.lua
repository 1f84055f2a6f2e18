-- A source route through routers of the network: there by it, and back by it (RFC 791, section 3.1).
local tcp = require "lunatcp"

-- a - first - second - b; and x beside the middle link, where only a source route leads:
--        \    /
--          x
local function detour()
  local net = tcp.network { seed = 1 }
  local a, b = net:host("a", { isn = 100 }), net:host("b", { isn = 300 })
  local first, second, x = net:router "first", net:router "second", net:router "x"
  local links = {
    near = net:link(a, first, { delay = 0.001 }), short = net:link(first, second, { delay = 0.001 }),
    up = net:link(first, x, { delay = 0.001 }), down = net:link(x, second, { delay = 0.001 }),
    far = net:link(second, b, { delay = 0.001 }),
  }
  local function address(node, link) return require "lunatcp.node".address(node, link:other(node)) end
  return net, a, b, links, {
    x = address(x, links.up), second = address(second, links.down),
    out = { x = address(x, links.down), second = address(second, links.far) },
  }
end

-- Where segments of a host passed: { near = 3, ... }.
local function passed(net, links, host)
  local counts = {}
  for name, link in pairs(links) do
    for _, record in ipairs(net.trace:packets { kind = "delivered" }) do
      if record.link == link.core:id() and record.segment.source == host:address() then
        counts[name] = (counts[name] or 0) + 1
      end
    end
  end
  return counts
end

local function octets(address)
  return (address:gsub("(%d+)%.?", function(part) return string.char(part) end))
end

describe("a source route", function()
  it("RFC9293:MUST-51, MUST-53 leads there through two routers, and the answers back by them", function()
    local net, a, b, links, hops = detour()
    local listener = b:listen(80)
    local conn = assert(a:connect(b, 80, { source_route = { hops.x, hops.second } }))
    local server = assert(listener:accept())
    conn:write(("x"):rep(3000))
    assert.equal(3000, #server:read_exactly(3000))
    server:write "y"
    assert.equal("y", conn:read(1))
    for _, host in ipairs { a, b } do
      local counts = passed(net, links, host)
      assert.is_nil(counts.short)
      assert.is_true(counts.near > 1)
      assert.same({ counts.near, counts.near, counts.near }, { counts.up, counts.down, counts.far })
    end
    assert.same({ 2, 2 }, { conn:info().source_route_count, server:info().source_route_count })
    assert.equal(b:address(), conn:info().remote_address)
    assert.equal(a:address(), server:info().remote_address)
  end)

  it("is recorded on the way, each router's address as the next one sees it", function()
    local net, a, b, links, hops = detour()
    local seen = {}
    for _, name in ipairs { "near", "up", "down", "far" } do
      links[name]:rule(function(segment)
        if segment.flag_letters ~= "S" then return end
        local copy = segment:copy()
        assert.is_true(net.core:closed() or tcp.decode(segment:bytes()).checksum_ok)
        seen[#seen + 1] = {
          name, copy.destination, copy.final_destination or "arrived", copy.ip_options:sub(3),
        }
      end)
    end
    b:listen(80)
    assert(a:connect(b, 80, { source_route = { hops.x, hops.second } }))
    local function route(pointer, first, second)
      return string.char(pointer) .. octets(first) .. octets(second) .. "\0"
    end
    local last = b:address()
    assert.same({
      { "near", hops.x, last, route(4, hops.second, last) },
      { "up", hops.x, last, route(4, hops.second, last) },
      { "down", hops.second, last, route(8, hops.out.x, last) },
      { "far", last, "arrived", route(12, hops.out.x, hops.out.second) },
    }, seen)
  end)

  it("is drawn as one connection, from end to end", function()
    local net, a, b, _, hops = detour()
    b:listen(80)
    assert(a:connect(b, 80, { source_route = { hops.x } }))
    net:run { until_ = 1 }
    local lines = {}
    for line in net:ladder():gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.matches("SYN%-SENT │─── SYN seq 0 .*▶│ SYN%-RECEIVED$", lines[2])
    assert.matches("ESTABLISHED │◀─+ SYN,ACK seq 0 ack 1 .*│ SYN%-RECEIVED$", lines[3])
    assert.matches("ESTABLISHED │─── ACK seq 1 ack 1 .*▶│ ESTABLISHED$", lines[4])
  end)

  it("that no router can follow ends with an error of the first one that cannot", function()
    local net, a, b, _, hops = detour()
    b:listen(80)
    local heard
    local conn = assert(a:connect_start(b, 80, { source_route = { hops.x, "192.0.2.1" } }))
    conn:on("soft_error", function(_, code) heard = code end)
    net:run { until_ = 0.5 }
    assert.equal("EHOSTUNREACH", heard)
  end)
end)
