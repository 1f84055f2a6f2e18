--- Options of a script and of the command line, as settings of a run. The command line comes first.
-- @module lunatcp.packetdrill.options

local core = require "lunatcp.core"

local M = {}

local VERSIONS <const> = { ipv4 = 4, ["ipv4-mapped-ipv6"] = 4, ipv6 = 6 }
local ADDRESSES <const> = {
  [4] = { local_ip = "192.168.0.1", remote_ip = "192.0.2.1" },
  [6] = { local_ip = "fd3d:a0b:17d6::1", remote_ip = "fd3d:fa7b:d17d::1" },
}
-- packetdrill's own; runners of whole folders ask for IPv6 with an MTU that leaves the MSS the same.
local MTU <const>, MTU_IPV6_ASKED <const> = 1500, 1520

local function integer(least, most)
  return function(text)
    local value = math.tointeger(tonumber(text))
    if not value or value < least or value > most then
      return nil, ("expected a number from %d to %d"):format(least, most)
    end
    return value
  end
end

local function decimal(text)
  local value = tonumber(text)
  if not value or value < 0 or value ~= value or value == math.huge then return nil, "expected a number" end
  return value
end

local function address(text) -- a prefix length, as in 192.0.2.0/24, is for real interfaces
  local found = core.address((text or ""):gsub("/%d+$", ""), nil)
  if not found then return nil, "expected an address" end
  return found
end

local function version(text)
  if not VERSIONS[text] then return nil, "expected ipv4, ipv4-mapped-ipv6 or ipv6" end
  return text
end

local function flag(text)
  if text ~= nil then return nil, "it takes no value" end
  return true
end

local NON_FATAL <const> = { packet = true, syscall = true }
local function non_fatal(text)
  local kinds = {}
  for word in (text or ""):gmatch "[^,]+" do
    if not NON_FATAL[word] then return nil, "expected packet, syscall or both" end
    kinds[word] = true
  end
  return kinds
end

local function ignored(text) return text or true end

local READERS <const> = {
  ip_version = version, local_ip = address, remote_ip = address, gateway_ip = address,
  netmask_ip = ignored, bind_port = integer(1, 65535), connect_port = integer(1, 65535),
  mtu = integer(68, 65535), mss = integer(0, 65535), tolerance_usecs = integer(0, 1000000000),
  tolerance_percent = decimal, tcp_ts_tick_usecs = integer(0, 1000000), tcp_ts_ecr_scaled = flag,
  strict_segments = flag, send_omit_free = flag, non_fatal = non_fatal, define = ignored, dry_run = flag,
  is_anyip = flag, init_scripts = ignored, code_command = ignored, code_format = ignored,
  code_sockopt = ignored, speed = ignored, verbose = flag, debug = flag, so_filename = ignored,
  so_flags = ignored, wire_client = flag, wire_server = flag, wire_server_ip = ignored,
  wire_server_at = ignored, wire_server_port = ignored, wire_client_dev = ignored,
  wire_server_dev = ignored, psp_udp_port = integer(0, 65535),
}

--- What scripts may use without a definition of their own, by IP version. The cookies of fast open depend
-- on addresses and key.
local DEFINED <const> = {
  ipv4 = { CODE = "host_unreachable", CMSG_LEVEL_IP = "SOL_IP", CMSG_TYPE_RECVERR = "IP_RECVERR" },
  ["ipv4-mapped-ipv6"] = {
    CODE = "host_unreachable", CMSG_LEVEL_IP = "SOL_IPV6", CMSG_TYPE_RECVERR = "IPV6_RECVERR",
  },
  ipv6 = { CODE = "address_unreachable", CMSG_LEVEL_IP = "SOL_IPV6", CMSG_TYPE_RECVERR = "IPV6_RECVERR" },
}
local COOKIES <const> = {
  ipv4 = { TFO_COOKIE = "3021b9d889017eeb", TFO_COOKIE_ZERO = "b7c12350a90dc8f5" },
  ["ipv4-mapped-ipv6"] = { TFO_COOKIE = "3021b9d889017eeb", TFO_COOKIE_ZERO = "b7c12350a90dc8f5" },
  ipv6 = { TFO_COOKIE = "c1d1e9742a47a9bc", TFO_COOKIE_ZERO = "82af1a8f9a205c34" },
}

--- Definitions for the parser: those given come before those that every run has.
-- @string ip_version
-- @tparam[opt] table given
function M.definitions(ip_version, given)
  local all = {}
  for _, source in ipairs { DEFINED[ip_version], COOKIES[ip_version], given or {} } do
    for name, value in pairs(source) do all[name] = value end -- a table again: the order does not matter
  end
  return all
end

--- The IP version that a script's own option or the command line's asks for.
-- Without either it is IPv4, or IPv6 for a file whose name ends in `v6.pkt`, as runners of scripts have it.
-- @string text the script's
-- @string file its name
-- @tparam[opt] table given the command line's options
function M.ip_version(text, file, given)
  local found = given and given.ip_version or text:match "%-%-ip_version%s*=%s*([%w%-]+)"
  return VERSIONS[found] and found or file:find "v6%.pkt$" and "ipv6" or "ipv4"
end

local function read(config, name, value, where)
  local reader = READERS[name]
  if not reader then return nil, ("%sunknown option --%s"):format(where, name) end
  local result, message = reader(value)
  if result == nil then
    return nil, ("%s--%s%s: %s"):format(where, name, value and "=" .. value or "", message)
  end
  config[name] = result
  return true
end

--- Settings of a run.
-- @tparam table script as parsed
-- @string ip_version where neither says it
-- @tparam[opt] table given the command line's: names to text, or `true` for flags
-- @treturn table; or nil, message, the option at fault (of the script)
function M.settings(script, ip_version, given)
  local config = {
    ip_version = ip_version,
    tolerance_usecs = 4000, tolerance_percent = 12.5, tcp_ts_tick_usecs = 0, bind_port = 8080,
    connect_port = 8080, non_fatal = {},
  }
  for _, option in ipairs(script.options) do
    local ok, message = read(config, option.name, option.value, "")
    if not ok then return nil, message, option end
  end
  local names = {}
  for name in pairs(given or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = given[name]
    if value == true then value = nil end
    local ok, message = read(config, name, value and tostring(value), "")
    if not ok then return nil, message end
  end
  config.family = VERSIONS[config.ip_version]
  config.socket_family = config.ip_version == "ipv4" and 4 or 6
  config.mtu = config.mtu or given and given.ip_version == "ipv6" and MTU_IPV6_ASKED or MTU
  for name, default in pairs(ADDRESSES[config.family]) do
    config[name] = config[name] or default
    if select(2, core.address(config[name])) ~= config.family then
      return nil, ("--%s=%s: not an address of %s"):format(name, config[name], config.ip_version)
    end
  end
  config.tolerance = config.tolerance_usecs * 1000
  return config
end

return M
