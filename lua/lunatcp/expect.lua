--- Comparing a packet with what a script expects, field by field.
-- @module lunatcp.expect

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

--- Fields that can be expected, in the order in which they are reported.
M.FIELDS = {
  "source", "destination", "source_port", "destination_port", "flags", "seq", "ack", "window", "length",
  "payload", "urgent", "options", "protocol", "ttl", "ecn", "dscp", "icmp", "reserved", "segment_length",
  "version", "checksum_ok",
}

local function text_of(value)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  return tostring(value)
end

local function table_text(value)
  if type(value) ~= "table" then return text_of(value) end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  local parts = {}
  for _, key in ipairs(keys) do
    local name = type(key) == "number" and "" or tostring(key) .. " = "
    parts[#parts + 1] = name .. table_text(value[key])
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- A table matches when all its keys do; false: the key must be absent.
local function same(expected, got)
  if type(expected) == "function" then return expected(got) and true or false end
  if type(expected) == "table" and type(got) == "table" then
    for key, value in pairs(expected) do -- every key is looked at: the order does not show
      if value == false then
        if got[key] then return false end
      elseif not same(value, got[key]) then
        return false
      end
    end
    return true
  end
  return expected == got
end

local function flag_text(value)
  return #value == 0 and "none" or tostring(value)
end

-- What is shown for a field of the packet: of options only those that were asked for.
local function shown_value(name, expected, got)
  if name == "options" and type(expected) == "table" and type(got) == "table" then
    local part = {}
    for key in pairs(expected) do part[key] = got[key] end
    return table_text(part)
  end
  return table_text(got)
end

--- Compares.
-- @tparam table expected fields; a value may be a function that judges
-- @tparam table packet decoded
-- @treturn {table,...} one entry a field that was asked for: `name`, `expected`, `got` (texts), `good`
-- @treturn boolean whether all are good
function M.compare(expected, packet)
  local fields, all = {}, true
  for _, name in ipairs(M.FIELDS) do
    local want = expected[name]
    if want ~= nil then
      local got = packet[name]
      local entry = { name = name }
      if name == "flags" and type(want) ~= "function" then
        local flags = core.flags(want)
        entry.good = got == flags
        entry.expected, entry.got = flag_text(flags), got and flag_text(got) or "nothing"
      else
        entry.good = same(want, got)
        entry.expected = type(want) == "function" and "what the function accepts" or table_text(want)
        entry.got = shown_value(name, want, got)
      end
      all = all and entry.good
      fields[#fields + 1] = entry
    end
  end
  return fields, all
end

--- Raises what a wrong expectation raises.
function M.check(expected, known, name)
  check.options(expected, known, name)
  if expected.flags ~= nil and type(expected.flags) ~= "function" then
    check.call(core.flags, expected.flags)
  end
end

--- The text of a failed expectation: the script's line, the time, each field, the ladder.
-- @tparam table failure `line`, `time`, `fields` (or nil: nothing came), `note`, `ladder`
function M.report(failure)
  local lines = { ("%s: expectation failed at %.6f s%s"):format(failure.line, failure.time,
    failure.note and ": " .. failure.note or "") }
  local width = 0
  for _, entry in ipairs(failure.fields or {}) do width = math.max(width, #entry.name) end
  for _, entry in ipairs(failure.fields or {}) do
    lines[#lines + 1] = ("  %s %s expected %s, got %s"):format(entry.good and " " or "*",
      entry.name .. (" "):rep(width - #entry.name), entry.expected, entry.got)
  end
  if failure.ladder then lines[#lines + 1] = failure.ladder end
  return table.concat(lines, "\n")
end

return M
