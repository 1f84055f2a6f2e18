-- What must be true of every scene: while it runs, and in the end.
local M = {}

-- ---- the variables of a connection ------------------------------------------------------------

local TIMES <const> = { "srtt", "rttvar", "rto", "min_rtt", "latest_rtt", "receive_rtt", "reordering_window" }
local RATES <const> = { delivery_rate = true, pacing_rate = true }
local GREATEST <const> = 7300 -- seconds: no timeout is longer, and no round trip than the run

local function check_numbers(wrong, info)
  for name, value in pairs(info) do -- only what is wrong is told
    if type(value) == "number" and (value ~= value or value < 0) then wrong("%s = %s", name, value) end
    if math.type(value) == "float" and value > 1e10 and not RATES[name] then wrong("%s = %s", name, value) end
  end
end

local function check_open(wrong, info, settings, now)
  local opening = info.state == "SYN-SENT" or info.state == "SYN-RECEIVED"
  if info.cwnd < 1 and not opening then wrong("cwnd = %d", info.cwnd) end
  if info.pipe > info.unacked + 1 then wrong("pipe %d of %d", info.pipe, info.unacked) end
  for name, value in pairs(info) do
    if name:find "_deadline$" and value < now - 1e-6 then wrong("%s %s at %s", name, value, now) end
  end
  if info.srtt and info.rto < math.min(settings.rto_min, settings.rto_max) - 1e-9 then
    wrong("rto %s below %s", info.rto, settings.rto_min)
  end
end

local function check_info(scene, end_)
  local info, now = end_.conn:info(), scene.net:now()
  if not info then return end
  local function wrong(text, ...) scene:wrong("end %s: " .. text, end_.name, ...) end
  check_numbers(wrong, info)
  for _, name in ipairs(TIMES) do
    if info[name] and info[name] > now + GREATEST then wrong("%s = %s at %s", name, info[name], now) end
  end
  if info.state ~= "CLOSED" then check_open(wrong, info, end_.conn:settings(), now) end
end

--- Looks at all connections as they are now.
function M.every_end(scene)
  for _, end_ in ipairs(scene.ends) do check_info(scene, end_) end
  local broken = scene.net.core:check()
  if broken then scene:wrong("invariant: %s", broken) end
end

-- ---- the streams ------------------------------------------------------------------------------

-- Where `got` departs from `written`, or nil and how far it goes. Urgent octets, which are above 127, may be
-- missing: they were taken out of the stream.
local function departs(got, written)
  if #got <= #written and written:sub(1, #got) == got then return nil, #got end
  local at = 1
  for i = 1, #got do
    local octet = got:byte(i)
    while written:byte(at) ~= octet do
      if (written:byte(at) or 0) < 128 then return i end
      at = at + 1
    end
    at = at + 1
  end
  return nil, at - 1
end

local function check_stream(scene, end_)
  local other = end_.other
  local got, written = table.concat(end_.got), other and table.concat(other.written)
  scene.octets = scene.octets + #got
  if not other then return end
  local wrong, to = departs(got, written)
  if wrong then
    scene:wrong("end %s read %d octets that depart at %d from the %d which end %s wrote", end_.name, #got,
      wrong, #written, other.name)
  elseif end_.ended and not written:find("^[\x80-\xff]*$", to + 1) then
    scene:wrong("end %s saw the stream end after %d of %d octets of end %s", end_.name, to, #written,
      other.name)
  end
end

-- ---- the end ----------------------------------------------------------------------------------

-- FIN-WAIT-2 may last for ever, with what came out of order.
local function lasts(scene, host)
  for _, end_ in ipairs(scene.ends) do
    if end_.conn.host == host and end_.conn:state() == "FIN-WAIT-2" then return true end
  end
  return false
end

local GIVEN_BACK <const> = { "memory", "connections", "time_waits", "time_wait_records", "orphans" }

local function check_host(scene, host)
  local counters = host:counters()
  for name, value in pairs(counters) do
    if math.type(value) == "integer" and value < 0 then scene:wrong("%s: %s = %d", host, name, value) end
  end
  if lasts(scene, host) then return end
  for _, name in ipairs(GIVEN_BACK) do
    if counters[name] ~= 0 then scene:wrong("%s: %s = %d in the end", host, name, counters[name]) end
  end
end

--- Looks at what is left when nothing can happen any more.
function M.whole(scene)
  for _, end_ in ipairs(scene.ends) do
    check_stream(scene, end_)
    local state = end_.conn:state()
    if state ~= "CLOSED" and state ~= "FIN-WAIT-2" then scene:wrong("end %s is %s", end_.name, state) end
  end
  for _, host in ipairs(scene.hosts) do check_host(scene, host) end
  local packets = scene.net.core:memory().packets
  if packets ~= 0 then scene:wrong("%d packets are left", packets) end
  M.every_end(scene)
end

return M
