--- Arguments: what is wrong raises, names the argument, and points at the caller's own line.
-- @module lunatcp.check

local M = {}

local here <const> = debug.getinfo(1, "S").source
local home <const> = here:match "^(.*[/\\])[^/\\]*$" or here

--- Whether a function belongs to this library, to what calls its assertions, or is not Lua at all.
local function is_ours(info)
  return info.what == "C" or info.source:sub(1, #home) == home
    or info.source:find("[/\\]luassert[/\\][%w_]+%.lua$") ~= nil
end

--- The first stack level above the caller that is the user's, for `error`; 0 when there is none.
-- @treturn integer
function M.user_level()
  local level = 2
  while true do
    local info = debug.getinfo(level, "S")
    if not info then return 0 end
    if not is_ours(info) then return level - 1 end
    level = level + 1
  end
end

-- A tail call: it is no level of its own.
local function getinfo(thread, level, what)
  if thread then return debug.getinfo(thread, level, what) end
  return debug.getinfo(level, what)
end

-- By function: the name of its file, or false for one of ours. Looked up, never walked.
local files = setmetatable({}, { __mode = "k" })

--- "script.lua:12": where the user's code stands, in this coroutine or in another one.
-- @tparam[opt] thread thread
-- @int[opt] level how many levels of this coroutine are known to be ours
-- @treturn string
function M.user_line(thread, level)
  level = level or (thread and 0 or 2)
  while true do
    local info = getinfo(thread, level, "f")
    if not info then return "?" end
    local file = files[info.func]
    if file == nil then
      local source = getinfo(thread, level, "S")
      file = not is_ours(source) and source.short_src
      files[info.func] = file
    end
    if file then return ("%s:%d"):format(file, getinfo(thread, level, "l").currentline) end
    level = level + 1
  end
end

--- Raises a formatted message at the user's line.
function M.raise(message, ...)
  if select("#", ...) > 0 then message = message:format(...) end
  local level = M.user_level()
  error(message, level > 0 and level or 0)
end

local raise <const> = M.raise

local function article(kind)
  return (kind:find "^[aei]" and "an " or "a ") .. kind -- "a userdata"
end

local SHOWN <const> = 60 -- octets of a string that a message repeats

local function shown(value)
  if type(value) == "string" then
    if #value > SHOWN then return ("%q... (%d octets)"):format(value:sub(1, SHOWN), #value) end
    return ("%q"):format(value)
  end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return value == nil and "nothing" or article(type(value))
end
M.shown = shown

--- The value's type must be `kind`.
function M.type(value, kind, name)
  if type(value) ~= kind then
    raise("%s: expected %s, got %s", name, article(kind), shown(value))
  end
  return value
end

--- As `type`, but nil is allowed.
function M.optional(value, kind, name)
  if value == nil then return nil end
  return M.type(value, kind, name)
end

--- A finite number within [least, most].
function M.number(value, name, least, most)
  if type(value) ~= "number" or value ~= value then
    raise("%s: expected a number, got %s", name, shown(value))
  end
  if (least and value < least) or (most and value > most) then
    local range = most and ("from %s to %s"):format(least or "-inf", most) or ("of at least " .. least)
    raise("%s: expected a number %s, got %s", name, range, shown(value))
  end
  return value
end

--- An integer within [least, most]; 3.0 counts as one.
function M.integer(value, name, least, most)
  M.number(value, name, least, most)
  local integer = math.tointeger(value)
  if not integer then raise("%s: expected an integer, got %s", name, shown(value)) end
  return integer
end

--- An integer or nil.
function M.optional_integer(value, name, least, most)
  if value == nil then return nil end
  return M.integer(value, name, least, most)
end

--- One of a list of words.
function M.one_of(value, list, name)
  for _, word in ipairs(list) do
    if value == word then return value end
  end
  raise("%s: expected one of %s, got %s", name, table.concat(list, ", "), shown(value))
end

--- Something that can be called.
function M.callable(value, name)
  local meta = getmetatable(value)
  if type(value) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise("%s: expected a function, got %s", name, shown(value))
  end
  return value
end

--- An object of this library: one whose class has that name.
function M.object(value, class, name)
  local meta = type(value) == "table" and getmetatable(value)
  if not meta or meta.__name ~= class then
    raise("%s: expected a %s, got %s", name, class:match "[^.]*$", shown(value))
  end
  return value
end

--- Keys of a table as strings, sorted: for messages only.
local function sorted(list)
  local copy = table.move(list, 1, #list, 1, {})
  table.sort(copy)
  return copy
end

-- Lists as sets; looked up, never walked. A list does not change once it was used.
local sets = setmetatable({}, { __mode = "k" })

--- The words of a list as the keys of a table.
function M.set_of(list)
  local set = sets[list]
  if not set then
    set = {}
    for _, word in ipairs(list) do set[word] = true end
    sets[list] = set
  end
  return set
end

--- An option table (nil gives an empty one) whose string keys are all known. `known` is a list;
-- integer keys are refused too. Which unknown key is reported does not depend on the order of
-- `pairs`: it is the first in the alphabet.
function M.options(options, known, name)
  if options == nil then return {} end
  M.type(options, "table", name)
  local is_known, first = M.set_of(known), nil
  for key in pairs(options) do
    if not is_known[key] then
      local text = tostring(key):sub(1, SHOWN)
      if not first or text < first then first = text end
    end
  end
  if first then
    raise("%s: unknown key '%s'; known are %s", name, first, table.concat(sorted(known), ", "))
  end
  return options
end

-- The name of the library's function that the user called; where a tail call has lost it, of the core's.
local function called(f, object)
  local level = M.user_level() - 1
  local info = level > 0 and debug.getinfo(level, "Sn")
  if info and info.what ~= "C" and info.name then return info.name end
  local meta = getmetatable(object)
  local class = type(meta) == "table" and type(meta.__index) == "table" and meta.__index or {}
  for name, method in pairs(class) do -- one of them at the most
    if method == f then return name end
  end
  return nil
end

local function relay(f, object, ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) ~= "string" then error(message, 0) end
  -- The position that the C function gave is inside this library: say the caller's instead. It does not know
  -- its own name either, nor do its arguments have the same numbers.
  message = message:gsub("^[^\n]-%.lua:%d+: ", "", 1)
  local plain = message:match "^bad argument #%-?%d+ to '%?' %((.*)%)$"
  if not plain then raise("%s", message) end
  local name = called(f, object)
  raise("%s", name and not plain:find(name .. ": ", 1, true) and name .. ": " .. plain or plain)
end

--- Calls a function of the core; what it raises about its arguments is raised at the user's line.
function M.call(f, ...)
  return relay(f, (...), pcall(f, ...))
end

--- Seconds: not negative, not NaN.
function M.seconds(value, name)
  return M.number(value, name, 0)
end

return M
