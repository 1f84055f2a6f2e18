--- What the Python of scripts computes with: numbers, strings, lists; operators and functions. A wrong
-- operand is raised as a table with `python`.
-- @module lunatcp.packetdrill.python_values

local M = {}

local function truth(value)
  if type(value) == "table" then return #value > 0 end
  return value ~= nil and value ~= false and value ~= 0 and value ~= ""
end

local function number(value)
  if value == true then return 1 end
  if value == false then return 0 end
  if type(value) ~= "number" then error({ python = "a number is needed here" }, 0) end
  return value
end

local function integer(value)
  local found = math.tointeger(number(value))
  if not found then error({ python = "an integer is needed here" }, 0) end
  return found
end

local function text_of(value)
  if value == nil then return "None" end
  if value == true then return "True" end
  if value == false then return "False" end
  if type(value) == "table" then
    local parts = {}
    for i, item in ipairs(value) do parts[i] = text_of(item) end
    return "(" .. table.concat(parts, ", ") .. ")"
  end
  return tostring(value)
end

local function format(pattern, value)
  local list = type(value) == "table" and value or { value }
  local i = 0
  return (pattern:gsub("%%([%-+ 0#]*%d*%.?%d*)l?([%a%%])", function(flags, kind)
    if kind == "%" then return "%" end
    i = i + 1
    if kind == "s" or kind == "r" then return text_of(list[i]) end
    if not kind:find "[diuxXofFeEgGc]" then error({ python = "%" .. kind .. " is not understood" }, 0) end
    local given = number(list[i])
    if kind:find "[diuxXoc]" then given = math.floor(given) end
    if kind == "u" or kind == "i" then kind = "d" end
    if #flags > 8 then error({ python = "a width that large is not understood" }, 0) end
    return ("%" .. flags .. kind):format(given)
  end))
end

local BINARY <const> = {
  ["+"] = function(a, b)
    if type(a) == "string" and type(b) == "string" then return a .. b end
    return number(a) + number(b)
  end,
  ["-"] = function(a, b) return number(a) - number(b) end,
  ["*"] = function(a, b) return number(a) * number(b) end,
  ["/"] = function(a, b)
    if number(b) == 0 then error({ python = "division by zero" }, 0) end
    return number(a) / b
  end,
  ["//"] = function(a, b)
    if number(b) == 0 then error({ python = "division by zero" }, 0) end
    return number(a) // b
  end,
  ["%"] = function(a, b)
    if type(a) == "string" then return format(a, b) end
    if number(b) == 0 then error({ python = "division by zero" }, 0) end
    return number(a) % b
  end,
  ["**"] = function(a, b)
    local power = number(a) ^ number(b)
    return math.type(a) == "integer" and math.tointeger(power) or power
  end,
  ["|"] = function(a, b) return integer(a) | integer(b) end,
  ["&"] = function(a, b) return integer(a) & integer(b) end,
  ["^"] = function(a, b) return integer(a) ~ integer(b) end,
  ["<<"] = function(a, b) return integer(a) << integer(b) end,
  [">>"] = function(a, b) return integer(a) >> integer(b) end,
}

local function ordered(a, b)
  if type(a) == "string" and type(b) == "string" then return a, b end
  return number(a), number(b)
end

local function same(a, b)
  if type(a) == "boolean" or type(b) == "boolean" then
    local function plain(value) return value == true and 1 or value == false and 0 or value end
    return plain(a) == plain(b)
  end
  return a == b
end

local COMPARE <const> = {
  ["=="] = same,
  ["!="] = function(a, b) return not same(a, b) end,
  ["<>"] = function(a, b) return not same(a, b) end,
  ["<"] = function(a, b)
    a, b = ordered(a, b)
    return a < b
  end,
  ["<="] = function(a, b)
    a, b = ordered(a, b)
    return a <= b
  end,
  [">"] = function(a, b)
    a, b = ordered(a, b)
    return a > b
  end,
  [">="] = function(a, b)
    a, b = ordered(a, b)
    return a >= b
  end,
  ["in"] = function(a, b)
    if type(b) ~= "table" then error({ python = "a list is needed behind 'in'" }, 0) end
    for _, item in ipairs(b) do
      if same(a, item) then return true end
    end
    return false
  end,
}

local function extreme(better)
  return function(...)
    local list = select("#", ...) == 1 and type(...) == "table" and ... or { ... }
    local best = number(list[1])
    for i = 2, #list do
      if better(number(list[i]), best) then best = list[i] end
    end
    return best
  end
end

local FUNCTIONS <const> = {
  abs = function(a) return math.abs(number(a)) end,
  min = extreme(function(a, b) return a < b end),
  max = extreme(function(a, b) return a > b end),
  int = function(a)
    a = number(type(a) == "string" and tonumber(a) or a)
    return math.tointeger(a < 0 and math.ceil(a) or math.floor(a)) or a
  end,
  float = function(a) return number(type(a) == "string" and tonumber(a) or a) + 0.0 end,
  round = function(a) return math.floor(number(a) + 0.5) end,
  len = function(a)
    if type(a) ~= "table" and type(a) ~= "string" then
      error({ python = "len needs a list or a string" }, 0)
    end
    return #a
  end,
  str = text_of,
}
local CONSTANTS <const> = { True = true, False = false }

M.truth, M.number, M.integer, M.text_of = truth, number, integer, text_of
M.binary, M.compare, M.functions, M.constants = BINARY, COMPARE, FUNCTIONS, CONSTANTS

return M
