--- Where a network's seed comes from.
-- @module lunatcp.seed

local check = require "lunatcp.check"

local M = {}

local drawn -- one seed for all networks of a process, so that one number replays them all

--- A seed out of the system's randomness, for who does not want to replay anything.
-- @treturn integer
function M.draw()
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(4)
  if file then file:close() end
  if bytes and #bytes == 4 then return (string.unpack("<I4", bytes)) end
  return os.time() * 1000 % 0x100000000 + math.floor(os.clock() * 1e6) % 1000
end

--- The seed to use: `LUNATCP_SEED`, else the given one, else one that is drawn, and then printed to
-- the standard error so that the run can be replayed.
-- @tparam[opt] integer given
-- @treturn integer
function M.choose(given)
  if given ~= nil then check.integer(given, "network: seed") end
  local variable = os.getenv "LUNATCP_SEED"
  if variable and variable ~= "" then
    local number = math.tointeger(tonumber(variable))
    if not number then check.raise("LUNATCP_SEED: expected an integer, got '%s'", variable) end
    return number
  end
  if given ~= nil then return math.tointeger(given) end
  if not drawn then
    drawn = M.draw()
    io.stderr:write(("lunatcp: seed %d (LUNATCP_SEED=%d replays this run)\n"):format(drawn, drawn))
  end
  return drawn
end

return M
