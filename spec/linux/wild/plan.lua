-- What a seed makes of a dialogue with the kernel's TCP: settings of both, what happens on the way, and what
-- each end writes, reads and does at last.
local core = require "lunatcp.core"
local draw = require "support.wild.draw"

local M = {}
local pick, chance = draw.pick, draw.chance

M.FIRST_URGENT = 128 -- the octets of the stream are below

-- ---- settings -------------------------------------------------------------------------------------

-- Real time: nobody waits long, and nobody gives up while the way is bad.
local FIXED <const> = {
  r2_count = 0, r2_time = 100, syn_r2_count = 0, syn_r2_time = 100, synack_r2_count = 0, user_timeout = 0,
  orphan_r2_count = 0, fin_wait_2_timeout = 5, time_wait = 0.5, msl = 1, rto_max = 1, keepalive = true,
  keepalive_idle = 1, keepalive_interval = 1, keepalive_count = 60, defer_accept = 0, device_full = false,
  uto = false, ao_required = false, memory_low = 0, memory_pressure = 0, memory_most = 0, half_open_most = 0,
  time_wait_most = 1000, orphans_most = 0, syn_queue = 0, ttl = 64, slow_start_after_idle = true,
}

local function ours(stream, random)
  local settings = draw.settings(stream, pick(random, { 0, 0.05, 0.2, 1 }))
  for name, value in pairs(FIXED) do settings[name] = value end -- a table again: the order does not matter
  settings.rto_min = pick(random, { 0.01, 0.05, 0.2 })
  settings.rto_initial = pick(random, { 0.1, 0.3, 1 })
  settings.delayed_ack_timeout = pick(random, { 0.005, 0.04, 0.2 })
  settings.tlp_max_ack_delay = math.min(settings.tlp_max_ack_delay, 0.2)
  settings.rto_granularity = math.min(settings.rto_granularity, 0.2)
  settings.timestamps, settings.sack = chance(random, 0.7), chance(random, 0.7)
  settings.window_scaling, settings.ecn = chance(random, 0.7), random:below(6)
  settings.send_buffer = pick(random, { 500, 3000, 20000, 262144 })
  settings.receive_buffer = pick(random, { 500, 3000, 20000, 262144, 540000 })
  settings.mss = pick(random, { 0, 0, 0, 100, 536, 1200 })
  settings.path_mtu, settings.mtu_probe_floor = 0, 48
  settings.not_sent_low = pick(random, { 0, 0, 2000, 10000 }) -- with less, it goes octet by octet
  settings.piece_overhead = math.min(settings.piece_overhead, 1280)
  if settings.congestion == "fixed" then settings.congestion = "newreno" end
  settings.fast_open_mode = 1 | 2 | 4 | 512
  return settings
end

local SYSCTLS <const> = {
  { "tcp_timestamps", 0, 1, 1, 2 }, { "tcp_sack", 0, 1, 1 }, { "tcp_window_scaling", 0, 1, 1 },
  { "tcp_ecn", 0, 1, 1, 2, 3, 4, 5 }, { "tcp_ecn_option", 0, 1, 2, 2 }, { "tcp_dsack", 0, 1, 1 },
  { "tcp_recovery", 0, 1, 1 }, { "tcp_early_retrans", 0, 3, 3 }, { "tcp_frto", 0, 2, 2 },
  { "tcp_syncookies", 0, 1, 1, 2 }, { "tcp_reordering", 3, 3, 10 }, { "tcp_moderate_rcvbuf", 0, 1 },
  { "tcp_slow_start_after_idle", 0, 1 }, { "tcp_mtu_probing", 0, 0, 1, 2 }, { "tcp_shrink_window", 0, 0, 1 },
  { "tcp_rto_min_us", 10000, 50000, 200000 }, { "tcp_rto_max_ms", 1000 }, { "tcp_autocorking", 0, 1 },
  { "tcp_comp_sack_nr", 0, 44 }, { "tcp_rfc1337", 0, 1 }, { "tcp_fin_timeout", 5 }, { "tcp_retries2", 100 },
  { "tcp_syn_retries", 20 }, { "tcp_synack_retries", 20 }, { "tcp_orphan_retries", 20 },
  { "tcp_no_metrics_save", 1 }, { "tcp_fastopen", 1 | 2 | 4 | 512 }, { "tcp_invalid_ratelimit", 0, 500 },
}

-- As `sysctl` takes them; what a kernel does not know stays as it is.
local function theirs(random)
  local all = {}
  for i, entry in ipairs(SYSCTLS) do
    all[i] = ("net.ipv4.%s=%d"):format(entry[1], entry[2 + random:below(#entry - 1)])
  end
  all[#all + 1] = ("net.ipv4.tcp_rmem=4096 %d %d"):format(pick(random, { 4096, 131072 }),
    pick(random, { 200000, 4000000 }))
  return all
end

local function words_of_kernel(random)
  local words = { "keepalive=1", "cc=" .. pick(random, { "reno", "cubic", "cubic", "bbr" }) }
  local function maybe(p, key, list)
    if chance(random, p) then words[#words + 1] = key .. "=" .. pick(random, list) end
  end
  maybe(0.4, "rcvbuf", { 1, 5000, 30000, 200000 }) -- the kernel has a least of its own
  maybe(0.4, "sndbuf", { 1, 10000, 50000, 200000 })
  maybe(0.3, "mss", { 88, 300, 536, 1200 })
  maybe(0.4, "nodelay", { 1 })
  maybe(0.5, "oobinline", { 1 })
  maybe(0.2, "notsent", { 1, 10000 })
  maybe(0.1, "clamp", { 5000, 20000 })
  return words
end

-- ---- the way --------------------------------------------------------------------------------------

local function path(random, bad)
  local made = { delay = pick(random, { 0, 0.0005, 0.005, 0.02 }) * random:number() }
  if chance(random, 0.5) then
    made.rate, made.queue = pick(random, { 3e6, 10e6, 50e6, 300e6 }), pick(random, { 10, 50, 200 })
  end
  if not bad then return made end
  made.loss = pick(random, { 0, 0.01, 0.03, 0.1, {
    model = "gilbert", to_bad = 0.02, to_good = 0.3, loss_bad = 0.5, loss_good = 0,
  } })
  made.duplicate = pick(random, { 0, 0, 0.02, 0.1 })
  made.corrupt, made.corrupt_bits = pick(random, { 0, 0, 0.01, 0.05 }), 1 + random:below(15)
  made.reorder, made.reorder_delay = pick(random, { 0, 0, 0.03, 0.1 }), pick(random, { 0.0005, 0.003, 0.02 })
  made.mark = pick(random, { 0, 0, 0.1, 0.4 })
  return made
end

-- ---- what an end does -----------------------------------------------------------------------------

-- Octets in all, by what the narrowest buffer and segment on the way let through in a second or so.
local function most(plan, words)
  local narrow = math.min(plan.settings.send_buffer, plan.settings.receive_buffer)
  local tight = narrow < 2000
  for _, word in ipairs(words) do
    tight = tight or word == "rcvbuf=1" or word == "sndbuf=1" or word == "mss=88"
  end
  if tight or plan.settings.mss == 100 then return 8000 end
  return narrow < 10000 and 40000 or 300000
end

local function pauses(random) return pick(random, { 0, 0.1, 0.4 }), pick(random, { 3, 20, 60 }) end

-- What the kernel's end changes meanwhile, as kernel_dialogue.c has it.
local function change_theirs(random)
  return pick(random, {
    "cork=1", "cork=0", "nodelay=1", "nodelay=0", "quickack=1", "quickack=0", "rcvbuf=10000", "rcvbuf=200000",
    "sndbuf=10000", "clamp=3000", "clamp=60000", "cc=reno", "cc=cubic", "notsent=5000",
  })
end

local CONGESTIONS <const> = { "newreno", "cubic", "bbr", "bbr1", "prague", "dctcp" }

-- What our end changes: { setting, value }.
local function change_ours(random)
  local on = chance(random, 0.5)
  return pick(random, {
    { "nagle", on }, { "delayed_ack", on }, { "receive_buffer", 3000 }, { "receive_buffer", 200000 },
    { "send_buffer", 3000 }, { "send_buffer", 200000 }, { "congestion", pick(random, CONGESTIONS) },
    { "pacing", on }, { "not_sent_low", pick(random, { 0, 5000 }) }, { "tune_receive_buffer", on },
    { "rto_min", pick(random, { 0.01, 0.2 }) }, { "limited_transmit", on }, { "minshall", on },
    { "mtu_probing", random:below(3) }, { "rack", on }, { "tlp", on }, { "more_is_quiet", on },
  })
end

-- The writer's steps: numbers of octets, "u", "pMS", changes, and what it does at last.
local function writes(random, limit, ending, urgent, change)
  local steps, left = {}, math.floor(draw.spread(random, pick(random, { 1, 1000, limit / 4 }), limit))
  local often, long = pauses(random)
  local piece = pick(random, { 10, 1000, 5000, 100000 })
  piece = math.max(piece, left // 40)
  while left > 0 do
    local n = math.min(left, 1 + random:below(piece))
    steps[#steps + 1], left = n, left - n
    if chance(random, often) then steps[#steps + 1] = "p" .. random:below(long) end
    if chance(random, urgent) then steps[#steps + 1] = "u" end
    if chance(random, 0.05) then steps[#steps + 1] = change(random) end
  end
  if chance(random, 0.3) then table.insert(steps, 1, "p" .. random:below(300)) end
  if ending ~= "shutdown" and chance(random, 0.7) then
    local keep = 1 + random:below(#steps) -- in the middle of it
    for i = #steps, keep + 1, -1 do steps[i] = nil end
  end
  steps[#steps + 1] = ending
  return steps
end

local function reads(random)
  local steps, often, long = {}, pauses(random)
  if often > 0 then
    for _ = 1, 1 + random:below(20) do
      steps[#steps + 1] = 1 + random:below(pick(random, { 100, 3000, 30000 }))
      if chance(random, often) then steps[#steps + 1] = "p" .. random:below(long) end
    end
  end
  if chance(random, 0.25) then table.insert(steps, 1, "p" .. 200 + random:below(500)) end -- a window closes
  steps[#steps + 1] = "eof"
  return steps
end

local function dialogue(plan, random)
  local made = { kernel = words_of_kernel(random), side = pick(random, { "client", "server" }) }
  local ending = pick(random, { "shutdown", "shutdown", "shutdown", "abort", "close" })
  local who = pick(random, { "ours", "theirs" })
  local limit, urgent = most(plan, made.kernel), pick(random, { 0, 0, 0.1, 0.4 })
  made.graceful = ending == "shutdown"
  made.ends = not made.graceful and who or nil
  for _, side in ipairs { "ours", "theirs" } do
    made[side] = {
      writes = writes(random, limit, side == who and ending or "shutdown", urgent,
        side == "ours" and change_ours or change_theirs),
      reads = reads(random),
    }
  end
  made.fast_open = chance(random, 0.2)
  return made
end

M.WAYS = { "vxlan", "vxlan", "tun", "rawip" }

--- The way to the kernel that a seed draws.
function M.way(seed) return pick(core.random(seed, "way"), M.WAYS) end

--- All that a seed decides.
function M.draw(seed)
  local function stream(name) return core.random(seed, name) end
  local random = stream "plan"
  local plan = {
    seed = seed, way = M.way(seed), family = pick(random, { 4, 6 }),
    outer = pick(random, { 4, 4, 6 }), sysctls = theirs(random),
  }
  plan.settings = ours(function(name) return stream("setting " .. name) end, random)
  local bad = chance(random, 0.75)
  plan.bad = bad
  plan.forward, plan.back = path(random, bad), path(random, bad)
  if bad then -- a cookie is lost with the first ACK: what comes after it is then answered by a reset
    plan.settings.syn_cookies = math.min(plan.settings.syn_cookies, 1)
    plan.sysctls[#plan.sysctls + 1] = "net.ipv4.tcp_syncookies=1"
  end
  plan.batch = plan.way == "tun" and chance(random, 0.5) and "plain" or nil
  plan.mtu = pick(random, { false, false, false, 1300, 1400 }) or nil
  plan.dialogues = {}
  for i = 1, pick(random, { 1, 2, 3, 5 }) do plan.dialogues[i] = dialogue(plan, random) end
  return plan
end

return M
