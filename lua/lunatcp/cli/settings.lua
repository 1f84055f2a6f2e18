--- `lunatcp settings`: every setting, what it is, its value in each profile.
-- @module lunatcp.cli.settings

local cli = require "lunatcp.cli"
local tcp = require "lunatcp"

local M = {}

local UNITS <const> = { time = "s", bytes = "octets", count = "", flag = "" }
local LISTS <const> = {
  congestion = "congestion control: " .. table.concat(tcp.congestions(), ", "),
  syn_options = "options of a SYN, in the order they are written",
  other_options = "options of other segments, in the order they are written",
}

function M.define(parser)
  local command = parser:command("settings", "List every setting: meaning, limits, values.")
  command:option("--profile", "Only the values of this profile."):choices(tcp.profiles):argname "NAME"
  command:flag("--json", "One JSON object a line.")
end

-- Every setting as { name, kind, least, most, what, values = { by profile } }.
local function all()
  local list = {}
  for _, setting in ipairs(tcp.settings()) do
    local values = {}
    for _, profile in ipairs(tcp.profiles) do values[profile] = setting[profile] end
    list[#list + 1] = {
      name = setting.name, kind = setting.kind, least = setting.least, most = setting.most,
      what = setting.what, values = values,
    }
  end
  for _, name in ipairs { "congestion", "syn_options", "other_options" } do
    local values = {}
    for _, profile in ipairs(tcp.profiles) do values[profile] = tcp.profile(profile)[name] end
    list[#list + 1] = {
      name = name, kind = type(values.rfc) == "table" and "list" or "word", what = LISTS[name],
      values = values,
    }
  end
  return list
end

local function text_of(value, kind)
  if kind == "flag" then return value and "yes" or "no" end
  if type(value) == "table" then return table.concat(value, " ") end
  if type(value) == "number" then
    return math.type(value) == "float" and ("%.9g"):format(value) or tostring(value)
  end
  return tostring(value)
end

local function limits(setting)
  if not setting.least or setting.kind == "flag" then return "" end
  return ("%s to %s"):format(text_of(setting.least), text_of(setting.most))
end

local function print_table(list, profiles)
  local rows = { { "setting", table.unpack(profiles) } }
  table.move({ "unit", "limits", "meaning" }, 1, 3, #rows[1] + 1, rows[1])
  local below = {}
  for _, setting in ipairs(list) do
    local row = { setting.name }
    if setting.kind == "list" then -- too long for a column
      row[1 + #profiles] = "below"
      for i, profile in ipairs(profiles) do
        row[1 + i] = "below"
        below[#below + 1] = ("%s of %s: %s"):format(setting.name, profile, text_of(setting.values[profile]))
      end
    else
      for _, profile in ipairs(profiles) do row[#row + 1] = text_of(setting.values[profile], setting.kind) end
    end
    table.move({ UNITS[setting.kind] or "", limits(setting), setting.what }, 1, 3, #row + 1, row)
    rows[#rows + 1] = row
  end
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #cell) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = cell .. (" "):rep(widths[i] - #cell) end
    cli.print((table.concat(cells, "  "):gsub("%s+$", "")))
  end
  for _, line in ipairs(below) do cli.print(line) end
end

local KEYS <const> = { "name", "kind", "unit", "least", "most", "values", "what" }

function M.run(options)
  local profiles = options.profile and { options.profile } or tcp.profiles
  local list = all()
  if not options.json then
    print_table(list, profiles)
    return 0
  end
  local order = table.move(tcp.profiles, 1, #tcp.profiles, #KEYS + 1, table.move(KEYS, 1, #KEYS, 1, {}))
  for _, setting in ipairs(list) do
    setting.unit = UNITS[setting.kind] ~= "" and UNITS[setting.kind] or nil
    if options.profile then setting.values = { [options.profile] = setting.values[options.profile] } end
    cli.print(cli.json(setting, order))
  end
  return 0
end

return M
