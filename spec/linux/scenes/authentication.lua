-- TCP MD5 (RFC 2385) with the kernel's TCP.
local world = require "linux.world"

local M = {}

local KEY <const> = "a secret of both"

-- A world in which both have a key; `theirs` may be another one.
local function open(way, family, settings)
  local w = world.open { way = way, settings = settings, forward = { loss = 0.01 }, back = { loss = 0.01 } }
  assert(w.host:md5_key { peer = world.THEIRS[family], key = KEY })
  return w
end

local function word(family, key) return ("md5=%s,%s"):format(world.OURS[family], key) end

--- Octets both ways, with losses.
function M.both(way, side, family, count)
  family, count = tonumber(family), tonumber(count)
  local w = open(way, family)
  local conn, peer
  w:run(function()
    if side == "client" then
      peer = w:kernel_listens(family, 7000, word(family, KEY), "both=" .. count, "info")
      conn = assert(w.host:connect(w:remote(family), 7000, { timeout = 10 }))
    else
      local listener <close> = assert(w.host:listen(7000))
      peer = w:kernel_connects(family, 7000, word(family, KEY), "both=" .. count, "info")
      conn = assert(listener:accept { timeout = 10 })
    end
  end)
  w:run(function() world.write(conn, count) end, function() world.read(conn, count) end)
  local told = conn:info().authentication
  assert(told.kind == "TCP MD5" and told.good > 10, told.good)
  assert(told.bad + told.missing == 0, "something did not verify")
  w:run(function()
    assert(conn:flush { timeout = 20 })
    conn:close()
  end)
  w:settle(0.1)
  world.holds(peer.said(), ("both %d %d right"):format(count, count))
end

--- The kernel has another key, or none: nobody hears the other.
function M.strangers(way, side, family, key)
  family = tonumber(family)
  local w = open(way, family)
  local unsigned = key == ""
  local words = { unsigned and "nodelay" or word(family, key), "user_timeout=1500" }
  if side == "client" then
    -- It would wait a minute for a connection that does not come.
    local peer = w:start(("timeout 4 %s listen %s 7000 '%s'"):format(os.getenv "KERNEL_PEER",
      world.THEIRS[family], words[1]))
    assert(peer.line() == "ready")
    local conn, _, code
    w:run(function() conn, _, code = w.host:connect(w:remote(family), 7000, { timeout = 2 }) end)
    assert(conn == nil and code == "EAGAIN", tostring(code))
    return
  end
  local listener <close> = assert(w.host:listen(7000))
  w:kernel_connects(family, 7000, table.unpack(words))
  w:run(function() assert(not listener:accept { timeout = 2 }) end)
  local counted = w.host:counters().authentication
  assert((unsigned and counted.md5_missing or counted.md5_bad) > 0, "nothing was refused")
end

--- Where nobody listens with us, the kernel believes our signed reset.
function M.refused(way, family)
  family = tonumber(family)
  local w = open(way, family)
  local peer = w:kernel_connects(family, 7001, word(family, KEY))
  w:settle(2.5)
  world.holds(peer.said(), "ECONNREFUSED")
end

return M
