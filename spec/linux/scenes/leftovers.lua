-- Scenes that do not end well: what they have made must not stay.
local world = require "linux.world"

local M = {}

local function make()
  local w = world.open { way = "vxlan" }
  os.execute(w.prefix .. "sleep 9876 & sleep 9876 &")
end

--- For good, or, without an argument, caught.
function M.fails(for_good)
  make()
  if for_good then error "on purpose" end
end

function M.is_killed()
  make()
  os.execute "kill -9 $PPID"
end

function M.hangs()
  make()
  os.execute "kill -TERM 1; sleep 1; kill -9 -1"
end

return M
