--- Addresses of links and the routes that follow from how nodes are joined.
-- @module lunatcp.topology

local core = require "lunatcp.core"

local M = {}

local REMEMBERED <const> = 256 -- links: a network has few, and many networks have the same
local ends, parsed = {}, {}

--- The addresses that link number `n` (from 1) gives its two ends.
-- @treturn {string,...} of end 1, `{string,...}` of end 2: IPv4 first
function M.addresses(n)
  local known = ends[n]
  if not known then
    local high, low = n >> 8, n & 255
    local v4, v6 = ("10.%d.%d.%%d/24"):format(high, low), ("fd00::%x:%%x/112"):format(n)
    known = { { v4:format(1), v6:format(1) }, { v4:format(2), v6:format(2) } }
    if n <= REMEMBERED then
      ends[n] = known
      for _, list in ipairs(known) do
        for _, text in ipairs(list) do parsed[text] = table.pack(M.parsed(text)) end
      end
    end
  end
  return known[1], known[2]
end

--- "10.0.1.1" of "10.0.1.1/24".
function M.bare(address) return (address:match "^[^/]+") end

--- "10.0.1.1", 4 of "10.0.1.1/24"; nil for what is no address.
function M.parsed(address)
  local known = parsed[address]
  if known then return known[1], known[2] end
  return core.address(M.bare(address))
end

-- Links by which `node` reaches others, in the order of their creation: breadth first, and only
-- routers pass things on. Gives, for each link that is reached, the first link of the way.
local function first_links(node)
  local first, seen, queue = {}, { [node] = true }, {}
  for _, link in ipairs(node.links) do
    first[link] = link
    local other = link:other(node)
    if other and not seen[other] then
      seen[other] = true
      queue[#queue + 1] = { node = other, via = link }
    end
  end
  local head = 1
  while queue[head] do
    local here = queue[head]
    head = head + 1
    if here.node.forwards then
      for _, link in ipairs(here.node.links) do
        if not first[link] then first[link] = here.via end
        local other = link:other(here.node)
        if other and not seen[other] then
          seen[other] = true
          queue[#queue + 1] = { node = other, via = here.via }
        end
      end
    end
  end
  return first
end

--- Gives every node a route to the subnets of links that it is not on, once each. Links added later
-- bring routes later; ways that are there are not changed.
-- @tparam table net has `nodes` and `links` in the order of creation
function M.route(net)
  for _, node in ipairs(net.nodes) do
    if #node.links > 0 then
      local first = first_links(node)
      for _, link in ipairs(net.links) do
        if first[link] and first[link] ~= link and not node.routed[link] then
          node.routed[link] = true
          for _, subnet in ipairs(link.subnets) do
            assert(node.core:route(subnet, first[link].core))
          end
        end
      end
    end
  end
end

return M
