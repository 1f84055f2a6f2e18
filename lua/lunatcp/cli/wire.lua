--- What commands on a real wire share: options of a tunnel, of what befalls its packets, and of the seed.
-- @module lunatcp.cli.wire

local cli = require "lunatcp.cli"
local core = require "lunatcp.core"
local seed = require "lunatcp.seed"
local tcp = require "lunatcp"

local M = {}

--- The UDP port where none is said: TCP over UDP is often found there.
M.PORT = 9899
M.VXLAN_PORT = 4789

-- ---- values -----------------------------------------------------------------------------------

local SCALES <const> = {
  time = { [""] = 1, s = 1, ms = 1e-3, us = 1e-6 },
  rate = { [""] = 1, k = 1e3, M = 1e6, G = 1e9 },
  chance = { [""] = 1, ["%"] = 1e-2 },
}
local MOST <const> = { time = 3600, rate = 1e15, chance = 1 }
local EXAMPLES <const> = { time = "20ms or 0.02", rate = "10M", chance = "1% or 0.01" }

-- A number with a unit, as what it is in seconds, bits a second, or as a probability.
local function quantity(kind)
  return function(text)
    local digits, unit = text:match "^([%d.]+)(%D*)$"
    local number, scale = tonumber(digits), SCALES[kind][unit or ""]
    if not number or not scale or number * scale > MOST[kind] then
      return nil, ("'%s' is no %s (%s)"):format(text, kind, EXAMPLES[kind])
    end
    return number * scale
  end
end

local function integer(least, most, name)
  return function(text)
    local number = math.tointeger(tonumber(text))
    if not number or number < least or number > most then
      return nil, ("'%s' is no %s from %d to %d"):format(text, name, least, most)
    end
    return number
  end
end
M.integer, M.quantity = integer, quantity

-- A number of packets, or the name of a kind of queue.
local function queue(text) return math.tointeger(tonumber(text)) or text end

local function numbers(text)
  local list = {}
  for word in (text .. ","):gmatch "([^,]*)," do
    local number = math.tointeger(tonumber(word))
    if not number or number < 1 or number <= (list[#list] or 0) then
      return nil, ("'%s' is no list of ascending numbers from 1"):format(text)
    end
    list[#list + 1] = number
  end
  return list
end

-- ---- what befalls packets ---------------------------------------------------------------------

-- Options of one direction: name, its value, what it says.
local IMPAIRMENTS <const> = {
  { "delay", "TIME", quantity "time", "Propagation: 20ms." },
  { "jitter", "TIME", quantity "time", "Up to so much more, drawn for each packet; the order is kept." },
  { "rate", "RATE", quantity "rate", "Bits a second: 10M." },
  { "queue", "N", queue, "Packets that the queue before the rate holds, or its kind: 64, codel." },
  { "loss", "CHANCE", quantity "chance", "That a packet is lost: 1%." },
  { "lose", "N,N...", numbers, "Just these packets are lost, counted from 1." },
  { "duplicate", "CHANCE", quantity "chance", "That a packet comes twice." },
  { "corrupt", "CHANCE", quantity "chance", "That a bit of a packet is flipped." },
  { "reorder", "CHANCE", quantity "chance", "That a packet is held back by --reorder-delay." },
  { "reorder-delay", "TIME", quantity "time", "By how much (default 10ms)." },
  { "mark", "CHANCE", quantity "chance", "That CE is set in a packet of an ECN-capable transport." },
}
local BY_NAME <const> = {}
for _, entry in ipairs(IMPAIRMENTS) do BY_NAME[entry[1]] = entry end

-- "loss=1%,delay=20ms" as a table of values by name.
local function direction(text)
  local values = {}
  for word in text:gmatch "[^,]+" do
    local name, value = word:match "^([%a-]+)=(.+)$"
    local entry = BY_NAME[name]
    if not entry or name == "lose" then
      return nil, ("'%s' is not NAME=VALUE of one of the options above"):format(word)
    end
    local wrong
    values[name], wrong = entry[3](value)
    if values[name] == nil then return nil, ("%s: %s"):format(name, wrong) end
  end
  return values
end

--- Adds the options that make a path.
function M.define_path(command)
  local options, by_name = {}, {}
  for i, entry in ipairs(IMPAIRMENTS) do
    options[i] = command:option("--" .. entry[1], entry[4]):argname(entry[2]):convert(entry[3])
    by_name[entry[1]] = options[i]
  end
  command:mutex(by_name.loss, by_name.lose)
  local function one_way(name, what)
    options[#options + 1] = command:option(name, what):argname "NAME=VALUE,...":convert(direction)
  end
  one_way("--forward", "Of what goes out or to the server only: loss=1%,delay=5ms.")
  one_way("--back", "The same of what comes in or from the server.")
  options[#options + 1] = command:option("--seed", "Of all chances: the same befalls the same packets again.")
    :argname "N":convert(integer(0, math.maxinteger, "seed"))
  command:group("What befalls packets, both ways", table.unpack(options))
end

-- One direction in the words of `net:link`.
local function path_of(values)
  local path = {
    delay = values.delay, jitter = values.jitter, rate = values.rate, queue = values.queue,
    loss = values.loss, duplicate = values.duplicate, corrupt = values.corrupt, mark = values.mark,
    reorder = values.reorder, reorder_delay = values["reorder-delay"],
  }
  if values.lose then path.loss = { list = values.lose } end
  if path.reorder and not path.reorder_delay then path.reorder_delay = 0.010 end
  return path
end

--- What the options say of the link, in the words of `net:link`: both ways, `forward`, `back`.
function M.path(options)
  local values = {}
  for _, entry in ipairs(IMPAIRMENTS) do values[entry[1]] = options[(entry[1]:gsub("-", "_"))] end
  local path = path_of(values)
  path.forward = options.forward and path_of(options.forward)
  path.back = options.back and path_of(options.back)
  return path
end

--- A network in real time. Without chances to replay, its seed is nobody's business.
function M.network(options)
  local chosen = options.seed
  local variable = os.getenv "LUNATCP_SEED"
  if chosen == nil and (variable == nil or variable == "") and next(M.path(options)) == nil then
    chosen = seed.draw()
  end
  return tcp.network { seed = chosen, clock = "real", profile = options.profile, trace = false }
end

-- Of a path's counters, what is told, in this order; then those of `dropped` that are not 0.
local COUNTED <const> = {
  "packets", "bytes", "delivered", "delivered_bytes", "dropped", "duplicated", "corrupted", "delayed",
  "marked", "greatest_queue_packets",
}
local REASONS <const> = { "loss", "rule", "queue", "aqm", "mtu", "down", "memory", "route", "ttl" }
M.COUNTS = table.move(REASONS, 1, #REASONS, #COUNTED + 1, table.move(COUNTED, 1, #COUNTED, 1, {}))

M.REASONS = REASONS

--- What is told of the counters of one direction: a table for JSON.
function M.counts(counters)
  local told = {}
  for _, key in ipairs(COUNTED) do told[key] = counters[key] end
  told.dropped = setmetatable({}, { __jsontype = "object" }) -- also when there are none
  for _, reason in ipairs(REASONS) do
    local count = counters.dropped[reason]
    if count and count > 0 then told.dropped[reason] = count end
  end
  return told
end

-- ---- the tunnel -------------------------------------------------------------------------------

--- Adds the options of a tunnel.
function M.define_tunnel(command)
  command:group("The tunnel",
    command:option("--bind", "The UDP socket's own address and port."):argname "ADDRESS:PORT",
    command:option("--address", "The inner address of this end (10.0.0.1/24; of a listener 10.0.0.2/24).")
      :argname "ADDRESS",
    command:option("--remote-address", "The inner address of the far end."):argname "ADDRESS",
    command:option("--framing", "plain (the default), rawip, vxlan or cheshire.")
      :choices { "plain", "rawip", "vxlan", "cheshire" }:argname "NAME",
    command:option("--checksum", "Who sums up, of plain: inner (the default) or udp.")
      :choices { "inner", "udp" }:argname "NAME",
    command:option("--vni", "The network's number, of vxlan."):argname "N"
      :convert(integer(0, 0xffffff, "network number")),
    command:option("--tun", "A TUN device in the place of the UDP socket (Linux, root)."):argname "NAME",
    command:option("--batch", "How datagrams reach the kernel: auto, gso, mmsg or plain.")
      :choices { "auto", "gso", "mmsg", "plain" }:argname "NAME")
end

--- "127.0.0.1", "::1", "127.0.0.1:9000", "[::1]:9000" as an address and a port: a table, or nil.
function M.socket(text)
  local host, port = text:match "^%[(.*)%]:(%d+)$"
  if not host and not text:find(":.*:") then host, port = text:match "^(.*):(%d+)$" end
  host = host or text:match "^%[(.*)%]$" or text
  if host == "localhost" then host = "127.0.0.1" end
  local _, family = core.address((host:match "^[^%%]+"))
  if not family or (port and tonumber(port) > 65535) then return nil end
  return { host = host, port = port and tonumber(port), family = family }
end

--- An address and a port as tunnels want them.
function M.join(host, port)
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port)
end

--- Options for `net:tunnel`, without who the peer is.
function M.tunnel(options)
  local made = M.path(options)
  made.framing, made.checksum, made.vni = options.framing, options.checksum, options.vni
  made.tun, made.batch = options.tun, options.batch
  made.address, made.remote_address = options.address, options.remote_address
  return made
end

-- ---- the end ----------------------------------------------------------------------------------

--- The name of the first signal that comes will stand in `state.signal`.
function M.catch_signals(net, state)
  for _, name in ipairs { "INT", "TERM", "HUP" } do
    local ok, message = net:on_signal(name, function()
      state.signal = state.signal or name
    end)
    if not ok then return nil, message end
  end
  return true
end

-- ---- captures ---------------------------------------------------------------------------------

--- A capture into a file, or into the standard output for "-", written while it grows; nil for none; or nil,
-- message.
function M.capture(net, path)
  if path == nil then return nil end
  local capture, message = net:capture(path == "-" and io.stdout or path, { live = true })
  if not capture then return nil, message end
  return capture
end

--- Runs until a signal has come, or so many seconds are over.
function M.run_until_signal(net, state, duration)
  if duration then
    net:spawn(function()
      net:sleep(duration)
      state.done = true
    end)
  end
  net:run { until_ = function() return state.signal or state.done end }
end

--- Completes the capture, if any; gives the exit status.
function M.finish(capture)
  if not capture then return 0 end
  local ok, message = capture:close()
  if not ok then return cli.fail(message) end
  return 0
end

--- Exit status for a process that a signal ended, as shells count.
M.STATUS_OF = { INT = 130, TERM = 143, HUP = 129 }

--- Calls a function of the library; what it raises about an argument is wrong usage.
function M.try(parser, f, ...)
  local results = table.pack(pcall(f, ...))
  if not results[1] then
    local message = tostring(results[2])
    if not message:find("^[^\n]*$") then error(results[2], 0) end
    parser:error((message:gsub("^%S+:%d+: ", ""):gsub("^main: ", ""))) -- ours calls, not a script
  end
  return table.unpack(results, 2, results.n)
end

--- Prints to the standard error; for what is no result.
function M.say(format, ...) io.stderr:write("lunatcp: ", format:format(...), "\n") end

M.fail = cli.fail

return M
