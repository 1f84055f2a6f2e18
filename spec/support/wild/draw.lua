-- What a seed makes of everything that can be chosen: settings of the whole table, paths, topologies.
local core = require "lunatcp.core"

local M = {}

function M.pick(random, list) return list[1 + random:below(#list)] end
local pick = M.pick

function M.chance(random, p) return random:number() < p end
local chance = M.chance

-- From `least` to `most`, each order of magnitude as likely as another.
local function spread(random, least, most)
  return least * (most / least) ^ random:number()
end
M.spread = spread

-- Where the whole range would only make runs long: a probe each millisecond for days.
local KEPT <const> = {
  rto_max = { 2, 3600 }, keepalive_idle = { 5, 864000 }, keepalive_interval = { 2, 864000 },
  r2_time = { 1, 5000 }, syn_r2_time = { 1, 2000 }, user_timeout = { 1, 5000 },
  send_buffer = { 1, 1000000 }, receive_buffer = { 1, 1000000 },
  memory_most = { 50000, 1e9 }, memory_pressure = { 50000, 1e9 }, memory_low = { 50000, 1e9 },
}

local function between(random, setting)
  local kept = KEPT[setting.name] or { setting.least, setting.most }
  local least, most = math.max(kept[1], setting.least), math.min(kept[2], setting.most)
  if setting.kind == "time" then return spread(random, math.max(least, 1e-6), most) end
  return math.floor(spread(random, math.max(least, 1), most))
end

local function value_of(random, setting)
  if setting.kind == "flag" then return chance(random, 0.5) end
  local which = random:below(8)
  if which == 0 then return setting.rfc end
  if which == 1 then return setting.linux end
  local kept = KEPT[setting.name] or { setting.least, setting.most }
  if which == 2 then return kept[1] end
  if which == 3 then return kept[2] end
  return between(random, setting)
end

local SYN_OPTIONS <const> = {
  "mss", "window_scale", "sack_permitted", "timestamps", "accecn0", "fast_open", "user_timeout",
}

local function shuffled(random, list)
  local copy = table.move(list, 1, #list, 1, {})
  for i = #copy, 2, -1 do
    local j = 1 + random:below(i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

-- Somebody must give up at last, or nothing would ever end.
local function give_up(settings)
  local function unless(count, time, value)
    if settings[count] == 0 and settings[time] == 0 then settings[time] = value end
  end
  unless("r2_count", "r2_time", 600)
  unless("syn_r2_count", "syn_r2_time", 100)
  unless("synack_r2_count", "syn_r2_time", 100)
end

--- Settings. `share`: the chance that one of the table is drawn. Each has a stream of its own, so that a
-- setting that is new changes nothing of what a seed makes of the others.
-- @param stream function(name) a random stream
function M.settings(stream, share)
  local random = stream "profile"
  local settings = core.profile(pick(random, { "rfc", "linux" }))
  for _, setting in ipairs(core.settings_list()) do
    local own = stream(setting.name)
    local drawn = chance(own, share) and setting.name ~= "ao_required" -- few have keys
    if drawn then settings[setting.name] = value_of(own, setting) end
  end
  if chance(random, 0.7) then settings.congestion = pick(random, core.congestions()) end
  if chance(random, 0.3) then settings.isn = 0xffffffff - random:below(100000) end
  if chance(random, 0.3) then settings.timestamp_offset = 0xffffffff - random:below(10000) end
  if chance(random, 0.1) then settings.syn_options = shuffled(random, SYN_OPTIONS) end
  if settings.port_first > settings.port_last then
    settings.port_first, settings.port_last = settings.port_last, settings.port_first
  end
  give_up(settings)
  return settings
end

local QUEUES <const> = { "drop_tail", "red", "codel", "fq_codel", "pie", "step", "dualpi2" }

local function loss(random, most)
  local which = random:below(4)
  if which == 0 then
    return { model = "gilbert", to_bad = 0.05, to_good = 0.3, loss_bad = 0.5, loss_good = 0.01 }
  end
  if which == 1 then return 0 end
  return random:number() * most
end

--- What a direction of a link does to packets.
function M.path(random)
  local path = { delay = pick(random, { 0, 1e-6, 0.001, 0.02, 0.1 }) * random:number() }
  local hard = chance(random, 0.6)
  if hard then
    path.loss = loss(random, 0.2)
    path.duplicate, path.corrupt = random:number() * 0.1, random:number() * 0.05
    path.corrupt_bits = 1 + random:below(15)
    path.reorder, path.reorder_delay = random:number() * 0.2, random:number() * 0.1
    path.jitter, path.jitter_reorders = random:number() * 0.05, chance(random, 0.5)
  end
  if chance(random, 0.5) then
    path.rate = math.floor(spread(random, 50e3, 1e9))
    path.queue = { kind = pick(random, QUEUES), packets = 3 + random:below(200) }
    if path.queue.kind == "step" then path.queue.threshold = 1 + random:below(20) end
  end
  if chance(random, 0.2) then path.mark = random:number() * 0.3 end
  return path
end

--- What a link that is mended does.
M.MENDED = { loss = 0, duplicate = 0, corrupt = 0, reorder = 0, jitter = 0, mark = 0 }

--- An ICMP error about an IP packet, on its way back to who sent it.
function M.complaint(random, bytes)
  local packet = core.decode(bytes)
  local kind = pick(random, { "net unreachable", "host unreachable", "time exceeded", "too big" })
  return core.encode {
    source = packet.destination, destination = packet.source,
    protocol = packet.version == 6 and "icmpv6" or "icmp",
    icmp = { kind = kind, mtu = kind == "too big" and 1280 + random:below(200) or nil, quote = bytes },
  }
end

return M
