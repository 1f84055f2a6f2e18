-- What must be true of each dialogue with the kernel's TCP, and of both ends when all is over.
local M = {}

-- ---- what the kernel's end said -------------------------------------------------------------------

local function parse(text)
  local told = { heard = {} }
  for octet, at, inline in text:gmatch "urgent (%d+) at (%d+)([ inle]*)\n" do
    told.heard[#told.heard + 1] = { octet = tonumber(octet), at = tonumber(at), inline = inline ~= "" }
  end
  for key, value in (text:match "info ([^\n]*)" or ""):gmatch "(%w[%w_]*)=(%d+)" do
    told[key] = tonumber(value)
  end
  told.wrote, told.urgent = text:match "wrote (%d+) urgent (%d+)"
  told.wrote, told.urgent = tonumber(told.wrote), tonumber(told.urgent)
  told.read, told.right = text:match "read (%d+) (%l+)"
  told.read = tonumber(told.read)
  told.write_code, told.read_code = text:match "writer (%w+) reader (%w+)"
  told.complaint = text:match "[%w_=]+: E%u+"
  return told
end

-- ---- what both agreed on --------------------------------------------------------------------------

local function agreed(made, told)
  local info = made.info
  if not info or not told.ts then return end
  local function same(what, mine, their)
    if mine ~= their then made.wrong("%s: we say %s, the kernel %s", what, mine, their) end
  end
  same("timestamps", info.timestamps and 1 or 0, told.ts)
  same("SACK", info.sack and 1 or 0, told.sack)
  same("window scaling", info.window_scaling and 1 or 0, told.wscale)
  if info.window_scaling then
    same("our scale", info.rcv_wscale, told.snd_wscale)
    same("the kernel's scale", info.snd_wscale, told.rcv_wscale)
  end
end

-- ---- urgent data ----------------------------------------------------------------------------------

local FIRST_URGENT <const> = 128

-- Urgent octets that were left in the stream stand where they were written. Out of band each comes once; one
-- that was overtaken by the next is left in the stream, as Linux has it, though it was read before.
local function urgent(made, who, heard, count, marks)
  local seen = {}
  for _, one in ipairs(heard) do
    local number = one.octet - FIRST_URGENT + 1
    local key = number .. (one.inline and " inline" or "")
    if number < 1 or number > count then
      made.wrong("%s read the urgent octet %d of %d", who, number, count)
    elseif seen[key] then
      made.wrong("%s read the urgent octet %d twice", who, number)
    elseif one.inline and one.at ~= marks[number] then
      made.wrong("%s read the urgent octet %d after %d octets, written after %d", who, number, one.at,
        marks[number])
    end
    seen[key] = true
  end
end

-- Linux (as of 6.18) gives an octet of a TCP header out of band where a segment that begins within a header's
-- length behind the urgent octet comes before it: so what came out of order counts in the stream only.
local function only_inline(heard)
  local kept = {}
  for _, one in ipairs(heard) do
    if one.inline then kept[#kept + 1] = one end
  end
  return kept
end

-- Where the urgent octets of a list of steps stand.
local function marks_of(steps)
  local marks, wrote = {}, 0
  for _, step in ipairs(steps) do
    if math.type(step) == "integer" then wrote = wrote + step end
    if step == "u" then marks[#marks + 1] = wrote end
  end
  return marks
end

-- ---- time ---------------------------------------------------------------------------------------

local CLEAN <const> = 15 -- seconds, where nothing is lost but by short queues

-- ---- streams --------------------------------------------------------------------------------------

local function stream(made, who, read, wrote, ended)
  if read > wrote then made.wrong("%s read %d octets of %d", who, read, wrote) end
  if ended and read ~= wrote then made.wrong("%s saw the end after %d octets of %d", who, read, wrote) end
  if made.graceful and not ended then made.wrong("%s saw no end after %d octets of %d", who, read, wrote) end
end

-- ENOTCONN: of a shutdown after the reset.
local BROKEN <const> = { ECONNRESET = true, EPIPE = true, ENOTCONN = true }

-- Errors that an end may tell where the other one let go of the connection, and none where nobody did.
local function codes(made, who, ...)
  local explained = made.ends ~= nil
  for i = 1, 2 do
    local code = select(i, ...)
    if code and code ~= "ok" and code ~= "eof" and not (explained and BROKEN[code]) then
      made.wrong("%s tells %s", who, code)
    end
  end
end

--- Looks at a dialogue that is over, or should be.
function M.dialogue(made)
  if not made.opened then return end
  local mine = made.ours
  if not made.done then
    made.wrong("is not over: we have written %s and read %s octets (%s, %s); our end %s", mine.wrote,
      mine.read, mine.write_code, mine.ended and "end" or mine.read_code,
      mine.over and "is over" or "goes on")
    return
  end
  if made.unseen then return end
  local told = parse(made.said)
  if not made.bad and made.took > CLEAN then made.wrong("took %.1f s", made.took) end
  -- The reset may come before the process that connects has heard of the connection.
  if made.ends == "ours" and told.complaint == "connect: ECONNRESET" then return end
  if told.complaint then made.wrong("the kernel says %s", told.complaint) end
  if told.right ~= "right" then made.wrong("the kernel read other octets: %s", made.said) end
  if mine.differs then made.wrong("octets differ in what was read after %d", mine.differs) end
  agreed(made, told)
  -- An error is told once: after that the kernel's reader gets an end that is none.
  stream(made, "the kernel", told.read, mine.wrote, told.read_code == "eof" and told.write_code == "ok")
  stream(made, "we", mine.read, told.wrote, mine.ended)
  urgent(made, "the kernel", only_inline(told.heard), mine.urgent, mine.marks)
  urgent(made, "we", mine.heard, told.urgent, marks_of(made.theirs.writes))
  if not mine.left then codes(made, "we", mine.write_code, mine.read_code) end
  codes(made, "the kernel", told.write_code, told.read_code)
end

-- ---- what is left ---------------------------------------------------------------------------------

local PATIENCE <const> = 15

-- Connections that the kernel holds, but TIME-WAIT.
local function of_kernel(w)
  local pipe <close> = assert(io.popen(w.prefix .. "cat /proc/self/net/tcp /proc/self/net/tcp6"))
  local count = 0
  for line in pipe:lines() do
    local state = line:match "^%s*%d+: %x+:%x+ %x+:%x+ (%x%x)"
    if state and state ~= "06" and state ~= "0A" then count = count + 1 end
  end
  return count
end

local function of_kernel_counter(w, name)
  local pipe <close> = assert(io.popen(w.prefix .. "cat /proc/self/net/netstat"))
  local names, values = pipe:read "a":match "(TcpExt: %a[^\n]*)\n(TcpExt: [^\n]*)"
  local value = values:gmatch "%S+"
  for one in names:gmatch "%S+" do
    local its = value()
    if one == name then return tonumber(its) end
  end
  return 0
end

local GIVEN_BACK <const> = { "memory", "connections", "time_waits", "time_wait_records", "orphans" }
local MALFORMED <const> = {
  "options_malformed", "options_misplaced", "options_repeated", "options_invalid", "fragments_malformed",
}

local function open_count(w)
  local counters = w.host:counters()
  return counters.connections + counters.time_waits + counters.time_wait_records
end

--- Waits until both ends have forgotten all connections, and looks at what they hold.
function M.leftovers(w, plan, problems)
  local net = w.net
  local function wrong(text, ...) problems[#problems + 1] = text:format(...) end
  if #problems > 0 then return end
  local stop = net:now() + PATIENCE
  local theirs = 1
  while net:now() < stop and (open_count(w) > 0 or theirs > 0) do
    net:run { until_ = net:now() + 0.1 }
    theirs = of_kernel(w)
  end
  for i, made in ipairs(plan.dialogues) do
    local state = made.conn and made.conn:state() or "CLOSED"
    if state ~= "CLOSED" then wrong("dialogue %d is %s", i, state) end
  end
  if theirs > 0 then wrong("the kernel holds %d connections", theirs) end
  local counters = w.host:counters()
  for _, name in ipairs(GIVEN_BACK) do
    if counters[name] ~= 0 then wrong("%s: %d in the end", name, counters[name]) end
  end
  for _, name in ipairs(MALFORMED) do
    if counters[name] ~= 0 then wrong("%s: %d", name, counters[name]) end
  end
  if counters.refused.LTCP_ERR_CHECKSUM and (plan.back.corrupt or 0) == 0 then
    wrong("%d wrong checksums", counters.refused.LTCP_ERR_CHECKSUM)
  end
  local broken = net.core:check()
  if broken then wrong("invariant: %s", broken) end
  w.far.tunnel:close() -- and with it the blocks that wait for what comes
  net:run { until_ = net:now() + 0.1 } -- and what is under way
  local held = net.core:memory()
  if held.packets ~= 0 or held.blocks ~= 0 then
    wrong("%d packets and %d blocks are left", held.packets, held.blocks)
  end
  -- A duplicate that was made on the way is reported (RFC 2883), and dubious to a sender that sent it once.
  local discarded = of_kernel_counter(w, "TCPSACKDiscard") - of_kernel_counter(w, "TCPDSACKIgnoredDubious")
  if discarded > 0 then wrong("the kernel discarded %d SACK blocks of ours", discarded) end
end

-- ---- words ----------------------------------------------------------------------------------------

local function listed(value)
  if type(value) ~= "table" then return tostring(value) end
  local parts, keys = {}, {}
  for i, one in ipairs(value) do parts[i] = listed(one) end
  for key in pairs(value) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do parts[#parts + 1] = key .. "=" .. listed(value[key]) end
  return "{" .. table.concat(parts, " ") .. "}"
end

-- The settings that no profile has.
local function unusual(settings)
  local rfc = require "lunatcp.core".profile "rfc"
  local all = {}
  for name, value in pairs(settings) do
    if rfc[name] ~= value then all[name] = value end
  end
  return all
end

--- What was drawn, for who reads of a failure.
function M.describe(plan)
  local lines = {
    ("by %s, IPv%d, %s"):format(plan.way, plan.family, table.concat(plan.sysctls, " ")),
    "settings: " .. listed(unusual(plan.settings)),
    "there: " .. listed(plan.forward) .. " back: " .. listed(plan.back) .. " mtu " .. tostring(plan.mtu),
  }
  for i, made in ipairs(plan.dialogues) do
    lines[#lines + 1] = ("dialogue %d: %s; we write %s and read %s; %s"):format(i, made.command or "-",
      listed(made.ours.writes), listed(made.ours.reads), made.said or "no end")
  end
  return table.concat(lines, "\n")
end

return M
