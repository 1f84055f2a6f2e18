-- What a Linux kernel does by default, and what its administrator's commands mean here.
local core = require "lunatcp.core"

-- A setting of the kernel that is a switch here.
local function switch(name) return function(value) return { [name] = value ~= 0 } end end
local function count(name) return function(value) return { [name] = value } end end
local function seconds(name, unit) return function(value) return { [name] = value * (unit or 1) } end end
local function nothing() return {} end

-- "least default most": the last one decides the window scale too, whether windows grow or not.
local function three(text)
  local least, default, most = text:match "^(%d+)%s+(%d+)%s+(%d+)$"
  return tonumber(least), tonumber(default), tonumber(most)
end

local function receive_memory(_, text)
  local least, default, most = three(text)
  if not most then return nil end
  local scale = 0
  while scale < 14 and most >> scale > 65535 do scale = scale + 1 end
  return {
    receive_buffer_least = least, receive_buffer = default, receive_buffer_most = most, window_scale = scale,
  }
end

local function send_memory(_, text)
  local least, default, most = three(text)
  return most and { send_buffer_least = least, send_buffer = default, send_buffer_most = most }
end

-- In pages.
local PAGE <const> = 4096
local function host_memory(_, text)
  local low, pressure, most = three(text)
  return most and { memory_low = low * PAGE, memory_pressure = pressure * PAGE, memory_most = most * PAGE }
end

-- The kernel's names of congestion controls that have others here.
local CONGESTION <const> = { reno = "newreno", bbr = "bbr1" }
local function congestion_control(_, text)
  local name = CONGESTION[text] or text
  for _, known in ipairs(core.congestions()) do
    if known == name then return { congestion = name } end
  end
  return nil
end

-- "a1b2c3d4-...-...-...", or two of them and a comma: the key in use, and the one before it. Each group is a
-- number, its octets the other way round.
local function fast_open_keys(_, text)
  local keys = {}
  for part in (text .. ","):gmatch "(.-)," do
    local groups = { part:match "^(%x+)%-(%x+)%-(%x+)%-(%x+)$" }
    for i, group in ipairs(groups) do
      if #group > 8 then return nil end
      groups[i] = ("<I4"):pack(tonumber(group, 16))
    end
    if #groups ~= 4 then return nil end
    keys[#keys + 1] = table.concat(groups)
  end
  return #keys <= 2 and { fast_open_keys = table.concat(keys) } or nil
end

-- net.ipv4.NAME: what its value changes.
local MEANS <const> = {
  tcp_timestamps = switch "timestamps",
  tcp_sack = switch "sack",
  tcp_window_scaling = switch "window_scaling",
  tcp_slow_start_after_idle = switch "slow_start_after_idle",
  tcp_ecn = function(value) return { ecn = value } end,
  tcp_syn_retries = count "syn_r2_count",
  tcp_synack_retries = count "synack_r2_count",
  tcp_retries1 = count "r1_count",
  tcp_retries2 = count "r2_count",
  tcp_reordering = count "duplicate_ack_threshold",
  tcp_fin_timeout = seconds "fin_wait_2_timeout",
  tcp_keepalive_time = seconds "keepalive_idle",
  tcp_keepalive_intvl = seconds "keepalive_interval",
  tcp_keepalive_probes = count "keepalive_count",
  tcp_invalid_ratelimit = seconds("challenge_ack_interval", 0.001),
  tcp_rmem = receive_memory,
  tcp_wmem = send_memory,
  tcp_mem = host_memory,
  tcp_mtu_probing = count "mtu_probing",
  tcp_base_mss = count "mtu_base_mss",
  tcp_mtu_probe_floor = count "mtu_probe_floor",
  tcp_probe_interval = function(value) return { mtu_probe_interval = math.max(value, 300) } end,
  tcp_probe_threshold = count "mtu_probe_threshold",
  tcp_moderate_rcvbuf = switch "tune_receive_buffer",
  ip_default_ttl = count "ttl",
  ip_no_pmtu_disc = function(value) return { path_mtu_discovery = value == 0 } end,
  tcp_congestion_control = congestion_control,
  tcp_dsack = switch "dsack",
  tcp_fack = nothing,
  tcp_frto = switch "frto",
  tcp_early_retrans = function(value) return { tlp = value >= 3 } end,
  tcp_recovery = function(value) return { rack = value & 1 ~= 0 } end,
  tcp_tso_win_divisor = count "defer_bursts",
  tcp_min_tso_segs = count "burst_least",
  tcp_ecn_option = count "accecn_option",
  tcp_ecn_option_beacon = count "accecn_beacon",
  tcp_pacing_ss_ratio = nothing,
  tcp_pacing_ca_ratio = nothing,
  tcp_notsent_lowat = function(value) return { not_sent_low = value < 0x7fffffff and value or 0 } end,
  tcp_fastopen = function(value) return { fast_open_mode = value & 0xffff } end,
  tcp_fastopen_key = fast_open_keys,
  tcp_fastopen_blackhole_timeout_sec = seconds "fast_open_retry",
  tcp_syncookies = nothing,
  tcp_autocorking = nothing,
}

-- "net.lunatcp.quick_acks=0": what the engine can be set to and the kernel has no name for.
local function own(name, text)
  local value = tonumber(text)
  for _, setting in ipairs(core.settings_list()) do
    if setting.name == name and value then
      if setting.kind == "flag" then return { [name] = value ~= 0 } end
      return { [name] = value }
    end
  end
  return nil, ("unknown setting net.lunatcp.%s=%s"):format(name, text)
end

-- "net.ipv4.tcp_sack=1", "/proc/sys/net/ipv4/tcp_sack=1".
local function one(assignment)
  local name, text = assignment:match "^([^=]+)=(.*)$"
  if not name then return nil, ("'%s' sets nothing"):format(assignment) end
  local engine = name:match "^net%.lunatcp%.([%w_]+)$"
  if engine then return own(engine, text) end
  local short = name:match "^net[./]ipv4[./](.+)$" or name:match "^/proc/sys/net/ipv4/(.+)$"
  local means = short and MEANS[short]
  if not means then return nil, "unknown setting " .. name end
  local changed = means(math.tointeger(tonumber(text)) or 0, text)
  if not changed then return nil, ("%s cannot be '%s'"):format(name, text) end
  return changed
end

local function assignments(words)
  local all = {}
  for i = 2, #words do
    if words[i]:sub(1, 1) ~= "-" then
      local changed, message = one(words[i])
      if not changed then return nil, message end
      for key, value in pairs(changed) do all[key] = value end -- a table again: the order does not matter
    end
  end
  return all
end

-- What the scripts that most packetdrill corpora begin with set.
local function defaults()
  return assignments {
    "sysctl", "net.ipv4.tcp_rmem=4096 540000 15728640", "net.ipv4.tcp_wmem=4096 262144 4194304",
    "net.ipv4.tcp_timestamps=1", "net.ipv4.tcp_syn_retries=5", "net.ipv4.tcp_synack_retries=5",
    "net.ipv4.tcp_frto=2", "net.ipv4.tcp_sack=1", "net.ipv4.tcp_dsack=1", "net.ipv4.tcp_fack=0",
    "net.ipv4.tcp_reordering=3", "net.ipv4.tcp_congestion_control=cubic",
    "net.ipv4.tcp_slow_start_after_idle=0", "net.ipv4.tcp_early_retrans=4", "net.ipv4.tcp_recovery=1",
    "net.ipv4.tcp_tso_win_divisor=3", "net.ipv4.tcp_ecn=0", "net.ipv4.tcp_ecn_option=2",
    "net.ipv4.tcp_pacing_ss_ratio=200", "net.ipv4.tcp_pacing_ca_ratio=120",
    "net.ipv4.tcp_notsent_lowat=4294967295", "net.ipv4.tcp_fastopen=0x70403",
    "net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", "net.ipv4.tcp_syncookies=1",
  }
end

-- "ip route change ADDRESS via ADDRESS dev tun0 advmss 600 mtu lock 640 initcwnd 11": what a route says
-- counts for connections that open later. An advertised MSS bounds what is received only.
local function route(words)
  local changed = {}
  for i, word in ipairs(words) do
    local value = tonumber(words[i + 1] == "lock" and words[i + 2] or words[i + 1])
    if word == "advmss" then
      changed.mss, changed.mss_both_ways = value, false
    elseif word == "mtu" then
      changed.path_mtu = value
    elseif word == "initcwnd" then
      changed.initial_window = value
    end
  end
  return changed
end

-- "tc qdisc replace dev tun0 root pfifo limit 0". The interface takes what comes at once, so that a queue
-- with any room never fills; one without drops all.
local function queue(words)
  local limit
  for i, word in ipairs(words) do
    if word == "limit" then limit = tonumber(words[i + 1]) end
  end
  return { device_full = limit == 0, pacing = false, pacing_fair_queue = false }
end

return {
  name = "linux",
  base = "linux",
  commands = {
    { program = "defaults.sh", settings = defaults },
    { program = "sysctl", settings = assignments },
    { program = "set_sysctls.py", settings = assignments },
    { match = "^/tmp/sysctl_restore_", ignore = true }, -- each run has a host of its own
    { match = "^ip tcp_metrics flush", forget = true },
    { match = "^tc qdisc %a+ dev tun0 root pfifo$", settings = queue },
    { match = "^tc qdisc %a+ dev tun0 root pfifo limit %d+$", settings = queue },
    { match = "^tc qdisc del dev tun0 root$", settings = queue },
    { match = "^tc qdisc delete dev tun0 root$", settings = queue },
    { match = "^tc qdisc %a+ dev tun0 root fq$", settings = function() -- it paces whatever passes it
      return { pacing = true, pacing_fair_queue = true }
    end },
    { match = "^ip route change ", settings = route },
    { match = "^ip %-6 route change ", settings = route },
    { program = "ethtool", ignore = true }, -- segments are never made of others
    -- 1: by trains of ACKs, 2: by delay; whoever names them means the kernel's own HyStart.
    { match = "^echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect$", settings = function()
      return { hystart_classic = true }
    end },
    { match = "^echo 0 > /sys/module/tcp_cubic/parameters/hystart_detect$", settings = function()
      return { hystart = false }
    end },
    { match = "^nstat | grep TcpExtOutOfWindowIcmps$", ask = function(state)
      return state.counters.icmp_ignored > 0
    end },
    { match = "^nstat$", ignore = true },
    { match = '^grep " 0A " /proc/net/tcp', ask = function(state) return state.counters.listeners > 0 end },
  },
}
