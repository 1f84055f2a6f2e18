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
  local counters = w.far:counters()
  for _, one in ipairs { counters.forward, counters.back } do
    assert(not impaired.loss or one.dropped.loss > 0, "nothing was lost")
    assert(not impaired.duplicate or one.duplicated > 0, "nothing was duplicated")
    assert(not impaired.reorder or one.delayed > 0, "nothing was reordered")
  end
end

--- The same where nobody asks for single packets. `fewer`: both ways a call carries several segments.
function M.together(way, family, batch, count, fewer)
  family, count = tonumber(family), tonumber(count)
  local w = world.open { way = way, trace = false, batch = batch ~= "auto" and batch or nil }
  local conn, peer
  w:run(function() conn, peer = connections(w, "client", family, count, "cubic") end)
  w:run(function() world.write(conn, count) end, function() world.read(conn, count) end)
  local full <const> = (family == 4 and 1460 or 1440) - 12 - (way == "vxlan" and 50 or 0)
  local seen <const> = conn:info().seen_mss
  assert(seen == full, ("segments of %d octets were seen, and not %d"):format(seen, full))
  w:run(function()
    assert(conn:flush { timeout = 20 })
    conn:close()
  end)
  w:settle(0.1)
  world.holds(peer.said(), ("both %d %d right"):format(count, count))
  local counters = w.far:tunnel_counters()
  local least <const> = 2 * count // full
  assert(counters.packets_in + counters.packets_out >= least, "packets are counted singly")
  for _, direction in ipairs { "in", "out" } do
    local calls, datagrams = counters["calls_" .. direction], counters["datagrams_" .. direction]
    local several = datagrams > 2 * calls
    assert(several == (fewer == "fewer"), ("%d %s in %d calls"):format(datagrams, direction, calls))
  end
end

return M
