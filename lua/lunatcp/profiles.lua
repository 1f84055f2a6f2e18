--- Profiles: named tables of settings, and what the commands of packetdrill scripts mean to them.
--
-- A profile is a table
--
--     return {
--       name = "mine",
--       base = "rfc",                          -- the profile of the engine that it changes: "rfc", "linux"
--       settings = { initial_window = 4 },
--       commands = {                           -- of packetdrill scripts: the first rule that fits decides
--         { program = "sysctl", settings = function(words) return { sack = words[2] ~= "sack=0" } end },
--         { match = "^ip route ", ignore = true },
--         { program = "netstat", ask = function(state) return state.counters.listeners > 0 end },
--       },
--     }
--
-- or the path of a Lua file that returns one. `program` is the last part of the first word's path, `match` a
-- Lua pattern for the whole simple command.
-- @module lunatcp.profiles

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

--- Names of the profiles that come with the module.
M.names = { "rfc", "linux" }

local KEYS <const> = { "name", "base", "settings", "commands" }
local RULE_KEYS <const> = { "program", "match", "settings", "ask", "ignore", "forget" }

local function is_built_in(name)
  for _, known in ipairs(M.names) do
    if known == name then return true end
  end
  return false
end

local function check_rule(rule, name)
  check.options(rule, RULE_KEYS, name)
  check.optional(rule.program, "string", name .. ": program")
  check.optional(rule.match, "string", name .. ": match")
  if not rule.program and not rule.match then check.raise("%s: program or match expected", name) end
  local meanings = 0
  for _, key in ipairs { "settings", "ask", "ignore", "forget" } do
    if rule[key] then meanings = meanings + 1 end
  end
  if meanings ~= 1 then check.raise("%s: one of settings, ask, ignore and forget expected", name) end
  if type(rule.settings) == "table" then check.call(core.check_settings, rule.settings) end
  if rule.match then
    local ok, message = pcall(string.find, "", rule.match)
    if not ok then check.raise("%s: match: %s", name, message) end
  end
end

local function checked(profile, name)
  check.options(profile, KEYS, name)
  check.optional(profile.name, "string", name .. ": name")
  local made = {
    name = profile.name or name, base = profile.base or "rfc", settings = profile.settings or {},
    commands = profile.commands or {},
  }
  check.one_of(made.base, M.names, name .. ": base")
  check.type(made.settings, "table", name .. ": settings")
  check.call(core.check_settings, made.settings)
  check.type(made.commands, "table", name .. ": commands")
  for i, rule in ipairs(made.commands) do
    check_rule(check.type(rule, "table", ("%s: commands[%d]"):format(name, i)),
      ("%s: commands[%d]"):format(name, i))
  end
  return made
end

local function read_file(path)
  local chunk, message = loadfile(path, "t")
  if not chunk then return nil, message end
  local ok, profile = pcall(chunk)
  if not ok then return nil, tostring(profile) end
  if type(profile) ~= "table" then return nil, path .. ": it returns no table" end
  profile.name = profile.name or path:match "([^/\\]+)%.lua$" or path
  return profile
end

--- The profile of that name, in that file, or that table itself, checked.
-- @param what nil ("rfc"), a name, the path of a file (with a dot or a slash in it), or a table
-- @treturn table `name`, `base`, `settings`, `commands`; or nil, message, code
function M.load(what)
  if what == nil then what = "rfc" end
  if type(what) == "table" then return checked(what, "profile") end
  check.type(what, "string", "profile")
  if is_built_in(what) then return checked(require("lunatcp.profiles." .. what), "profile " .. what) end
  if not what:find "[./\\]" then check.one_of(what, M.names, "profile") end
  local profile, message = read_file(what)
  if not profile then return nil, message, "EINVAL" end
  return checked(profile, "profile " .. what)
end

return M
