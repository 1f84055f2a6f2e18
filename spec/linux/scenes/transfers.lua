-- Octets to and from the kernel's TCP.
local world = require "linux.world"

local M = {}

local IMPAIRED <const> = {
  none = {},
  loss = { loss = 0.02 },
  reorder = { reorder = 0.05, reorder_delay = 0.002, delay = 0.0005 },
  duplicate = { duplicate = 0.05 },
  all = { loss = 0.01, reorder = 0.02, reorder_delay = 0.002, duplicate = 0.02, delay = 0.001 },
}

-- Our client and a listener of the kernel, or the reverse; both ways at a time.
local function connections(w, side, family, count, cc)
  local conn, peer
  if side == "client" then
    peer = w:kernel_listens(family, 7000, "cc=" .. cc, "both=" .. count, "info")
    conn = assert(w.host:connect(w:remote(family), 7000, { timeout = 10 }))
    return conn, peer
  end
  local listener <close> = assert(w.host:listen(7000))
  peer = w:kernel_connects(family, 7000, "cc=" .. cc, "both=" .. count, "info")
  conn = assert(listener:accept { timeout = 10 })
  return conn, peer
end

--- Both ways at a time, `count` octets each.
function M.both(way, side, family, cc, impairment, count, outer)
  family, count = tonumber(family), tonumber(count)
  local impaired = IMPAIRED[impairment]
  local w = world.open {
    way = way, outer = tonumber(outer), forward = impaired, back = impaired,
    settings = { congestion = cc == "reno" and "newreno" or cc },
  }
  local conn, peer
  w:run(function() conn, peer = connections(w, side, family, count, cc) end)
  w:run(function() world.write(conn, count) end, function() world.read(conn, count) end)
  w:run(function()
    assert(conn:flush { timeout = 20 })
    conn:close()
  end)
  w:settle(0.1)
  local said = peer.said()
  world.holds(said, ("both %d %d right"):format(count, count))
  if impairment == "loss" or impairment == "all" then
    local counters = w.far:counters()
    assert(counters.forward.dropped.loss > 0 and counters.back.dropped.loss > 0, "nothing was lost")
  end
end

return M
