-- The specs of the data path, moved to other sequence numbers: `LUNATCP_SPEC_ISN=0x7ffffffd busted ...`.
--
-- Hosts begin with that number where a spec does not say otherwise. Where a spec says, as those do that
-- have a script for a peer (support.wire: the script's numbers begin at 1000, the host's at 5000), both
-- numbers are moved so that the first ones are that number: in what the script sends and receives, in
-- the settings of the host, in what connections and traces tell. So the spec reads as ever, and the
-- engine counts elsewhere. spec/tcp/moved_spec.lua runs the specs like that.
local core = require "lunatcp.core"

local M = {}

local MASK <const> = 0xffffffff
local SCRIPT <const>, HOST <const> = 1000, 5000
local OURS <const> = { "iss", "snd_una", "snd_nxt", "snd_up", "snd_wl2", "recovery_point" }
local THEIRS <const> = { "irs", "rcv_nxt", "rcv_up", "snd_wl1" }

--- The number, or nil: nothing is moved.
M.isn = math.tointeger(tonumber(os.getenv "LUNATCP_SPEC_ISN" or ""))

local by_host, by_script -- how far each side's numbers are moved
local is_host            -- addresses of the host under test

local function moved(number, by) return number and (number + by) & MASK end

-- Moves a table of segment fields: seq by one number, what it acknowledges by the other.
local function move(fields, seq, ack, has_ack)
  if not (fields.seq == 0 and tostring(fields.flags):find "R") then -- a RST where nothing is known
    fields.seq = moved(fields.seq, seq)
  end
  if has_ack then fields.ack = moved(fields.ack, ack) end
  local sack = type(fields.options) == "table" and fields.options.sack
  if type(sack) == "table" then
    local blocks = {}
    for i, block in ipairs(sack) do
      blocks[i] = {
        left = moved(block.left, ack), right = moved(block.right, ack), moved(block[1], ack),
        moved(block[2], ack),
      }
    end
    local options = {}
    for key, value in pairs(fields.options) do options[key] = value end
    options.sack = blocks
    fields.options = options
  end
  return fields
end

local function back(packet)
  if not by_host or not packet or not packet.seq then return packet end
  local ours = is_host[packet.source]
  return move(packet, ours and -by_host or -by_script, ours and -by_script or -by_host,
    packet.flags and packet.flags.ack)
end

local function move_info(info)
  if not by_host or type(info) ~= "table" then return info end
  for _, name in ipairs(OURS) do info[name] = moved(info[name], -by_host) end
  for _, name in ipairs(THEIRS) do info[name] = info.irs and moved(info[name], -by_script) end
  return info
end

local function wrap(methods, name, after)
  local method = methods[name]
  methods[name] = function(...) return after(method(...)) end
end

local function install()
  local encode, decode = core.encode, core.decode
  function core.encode(fields)
    if not by_host or type(fields) ~= "table" or not fields.seq then return encode(fields) end
    local copy = {}
    for key, value in pairs(fields) do copy[key] = value end
    local ours = is_host[copy.source]
    return encode(move(copy, ours and by_host or by_script, ours and by_script or by_host, true))
  end
  function core.decode(...)
    local packet, message, status = decode(...)
    return back(packet), message, status
  end
end

local patched -- the classes of the module, once there is an object of each
local function install_methods(net)
  if patched then return end
  patched = true
  local network = getmetatable(net.core).__index
  local packets = network.trace_packets
  function network.trace_packets(...)
    local following, state, first = packets(...)
    return function(...)
      local record = following(...)
      if record and record.segment then back(record.segment) end
      return record
    end, state, first
  end
end

local methods_of -- of connections
local function install_connection(conn)
  if methods_of then return end
  methods_of = getmetatable(conn).__index
  wrap(methods_of, "info", function(info, ...) return move_info(info), ... end)
  wrap(methods_of, "snapshot", function(snapshot, ...)
    if type(snapshot) == "userdata" and not M.of_snapshot then
      M.of_snapshot = true
      wrap(getmetatable(snapshot).__index, "info", move_info)
    end
    return snapshot, ...
  end)
end

--- The settings of a host whose peer is a script.
function M.host(settings)
  if not M.isn then return settings end
  local own = {}
  for key, value in pairs(settings or {}) do own[key] = value end
  by_host, by_script = M.isn - HOST, M.isn - SCRIPT
  if own.isn and own.isn >= 0 then own.isn = moved(own.isn, by_host) end
  return own
end

--- A network with a script is made, or one without: then nothing has to be moved.
function M.forged(net, host)
  if not M.isn then return end
  install_methods(net)
  is_host = {}
  for _, entry in ipairs(host.addresses) do is_host[entry.address] = true end
end

--- The settings of a host whose peer is one.
function M.pair(settings)
  if not M.isn then return settings end
  by_host = nil
  local own = { isn = M.isn }
  for key, value in pairs(settings or {}) do own[key] = value end
  return own
end

if M.isn then
  install()
  local connection = require "lunatcp.connection"
  local wrapped = connection.wrap
  function connection.wrap(host, made)
    install_connection(made)
    return wrapped(host, made)
  end
end

return M
