--- The Python that scripts assert with: `assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd`.
--
-- Statements: assert, print, assignments (also `+=` and its like), pass, import (without effect),
-- expressions. Expressions: or, and, not, chained comparisons, | ^ & << >> + - * / // % **, unary - + ~, `a
-- if c else b`, calls of abs, min, max, int, round, len, str, float, tuples and lists, numbers, strings
-- with % formatting. Names persist from one snippet to the next. What is not Python of this kind is an
-- error that names its line.
-- @module lunatcp.packetdrill.python

local lpeg = require "lpeg"
local base = require "lunatcp.packetdrill.python_values"

local C, Cc, Cp, P, R, S = lpeg.C, lpeg.Cc, lpeg.Cp, lpeg.P, lpeg.R, lpeg.S

local M = {}

local truth <const>, number <const>, integer <const> = base.truth, base.number, base.integer
local text_of <const> = base.text_of
local BINARY <const>, COMPARE <const> = base.binary, base.compare
local FUNCTIONS <const>, CONSTANTS <const> = base.functions, base.constants
local DEEPEST <const> = 60

-- ---- tokens -----------------------------------------------------------------------------------

local digit <const> = R "09"
local letter <const> = R("az", "AZ") + "_"
local blank <const> = (S " \t\r\f" + P "\\" * P "\r" ^ -1 * "\n" + P "#" * (1 - P "\n") ^ 0) ^ 0
local float <const> = digit ^ 1 * ("." * digit ^ 0) * (S "eE" * S "+-" ^ -1 * digit ^ 1) ^ -1
  + P "." * digit ^ 1 + digit ^ 1 * S "eE" * S "+-" ^ -1 * digit ^ 1
local function string_of(mark) return P(mark) * C((P "\\" * 1 + (1 - S(mark .. "\n"))) ^ 0) * P(mark) end
local OPERATORS <const> = {
  "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "==", "!=", "<>", "<=", ">=", "+=", "-=", "*=",
  "/=", "%=",
  "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", "[", "]",
  ",", ";", ":", ".",
}
local operator = P(false)
for _, text in ipairs(OPERATORS) do operator = operator + P(text) end

local token <const> = P "\n" * Cc "newline" * Cc "\n" * Cp()
  + Cc "float" * C(float) * Cp()
  + Cc "integer" * C(P "0x" * R("09", "af", "AF") ^ 1 + digit ^ 1) * Cp()
  + Cc "name" * C(letter * (letter + digit) ^ 0) * Cp()
  + Cc "string" * (string_of '"' + string_of "'") * Cp()
  + Cc "operator" * C(operator) * Cp()

local function tokens(text, line)
  local list, at, open = {}, 1, 0
  while true do
    local after = lpeg.match(blank * Cp(), text, at)
    line = line + select(2, text:sub(at, after - 1):gsub("\n", ""))
    at = after
    if at > #text then break end
    local kind, value, behind = lpeg.match(token, text, at)
    if not kind then return nil, ("'%s' is not understood"):format(text:sub(at, at)), line end
    if value == "(" or value == "[" then open = open + 1 end
    if value == ")" or value == "]" then open = open - 1 end
    if kind ~= "newline" or open <= 0 then list[#list + 1] = { kind = kind, text = value, line = line } end
    if kind == "newline" then line = line + 1 end
    at = behind
  end
  list[#list + 1] = { kind = "newline", text = "\n", line = line }
  list[#list + 1] = { kind = "end", text = "end of the code", line = line }
  return list
end

-- ---- the parser: each rule gives a function of the names --------------------------------------

local Parser = {}
Parser.__index = Parser

local function fail(p, message) error({ python = message, line = p.list[p.index].line }, 0) end

function Parser:next_is(text, kind)
  local found = self.list[self.index]
  return found.text == text and found.kind == (kind or "operator")
end

function Parser:take(text, kind)
  if not self:next_is(text, kind) then return false end
  self.index = self.index + 1
  return true
end

function Parser:need(text)
  if not self:take(text) then
    local found = self.list[self.index]
    local got = found.kind == "newline" and "end of the line" or found.text
    fail(self, ("expected '%s', got '%s'"):format(text, got))
  end
end

local RESERVED <const> = {
  ["and"] = true, ["or"] = true, ["not"] = true, ["if"] = true, ["else"] = true, ["in"] = true, assert = true,
  ["for"] = true, ["while"] = true, def = true, lambda = true, import = true, is = true,
}
local LEVELS <const> = { { "|" }, { "^" }, { "&" }, { "<<", ">>" }, { "+", "-" }, { "*", "//", "/", "%" } }
local ESCAPES <const> = { n = "\n", t = "\t", r = "\r" }

local expression

local function items(p, closing)
  local list, comma = {}, false
  while not p:take(closing) do
    list[#list + 1] = expression(p)
    comma = p:take ","
    if not comma then
      p:need(closing)
      break
    end
  end
  return list, comma or #list ~= 1
end

local function evaluate_all(list, names)
  local values = {}
  for i, item in ipairs(list) do values[i] = item(names) end
  return values
end

local function name_or_call(p, found)
  local name = found.text
  if RESERVED[name] then fail(p, ("'%s' is not understood here"):format(name)) end
  if not p:take "(" then
    if name == "None" then return function() return nil end end
    if CONSTANTS[name] ~= nil then return function() return CONSTANTS[name] end end
    return function(names)
      local value = names[name]
      if value == nil then error({ python = ("name '%s' is not defined"):format(name) }, 0) end
      return value
    end
  end
  local arguments = items(p, ")")
  local called = FUNCTIONS[name]
  if not called then fail(p, ("the function '%s' is not understood"):format(name)) end
  return function(names) return called(table.unpack(evaluate_all(arguments, names))) end
end

local function atom(p)
  local found = p.list[p.index]
  p.index = p.index + 1
  if found.kind == "integer" or found.kind == "float" then
    local value = tonumber(found.text)
    return function() return value end
  elseif found.kind == "string" then
    local value = found.text:gsub("\\(.)", function(c) return ESCAPES[c] or c end)
    while p.list[p.index].kind == "string" do -- neighbours are one string
      value = value .. p.list[p.index].text:gsub("\\(.)", function(c) return ESCAPES[c] or c end)
      p.index = p.index + 1
    end
    return function() return value end
  elseif found.kind == "name" then
    return name_or_call(p, found)
  elseif found.text == "(" or found.text == "[" then
    local list, several = items(p, found.text == "(" and ")" or "]")
    if not several and found.text == "(" then return list[1] end
    return function(names) return evaluate_all(list, names) end
  end
  p.index = p.index - 1
  fail(p, ("expected a value, got '%s'"):format(found.kind == "newline" and "end of the line" or found.text))
end

local function unary(p)
  if p:take "-" then
    local right = unary(p)
    return function(names) return -number(right(names)) end
  elseif p:take "+" then
    return unary(p)
  elseif p:take "~" then
    local right = unary(p)
    return function(names) return ~integer(right(names)) end
  end
  local left = atom(p)
  if p:take "**" then
    local right = unary(p)
    return function(names) return BINARY["**"](left(names), right(names)) end
  end
  return left
end

local function binary(p, level)
  if level > #LEVELS then return unary(p) end
  local left = binary(p, level + 1)
  while true do
    local chosen
    for _, text in ipairs(LEVELS[level]) do
      if not chosen and p:take(text) then chosen = text end
    end
    if not chosen then return left end
    local a, b, apply = left, binary(p, level + 1), BINARY[chosen]
    left = function(names) return apply(a(names), b(names)) end
  end
end

local function comparison_sign(p)
  local found = p.list[p.index]
  if found.kind == "name" and found.text == "not" and p.list[p.index + 1].text == "in" then
    p.index = p.index + 2
    return function(a, b) return not COMPARE["in"](a, b) end
  end
  if COMPARE[found.text] and (found.kind == "operator" or found.kind == "name") then
    p.index = p.index + 1
    return COMPARE[found.text]
  end
end

-- a <= b <= c: each value once, true when all of them are.
local function comparison(p)
  local values, signs = { binary(p, 1) }, {}
  while true do
    local sign = comparison_sign(p)
    if not sign then break end
    signs[#signs + 1] = sign
    values[#values + 1] = binary(p, 1)
  end
  if #signs == 0 then return values[1] end
  return function(names)
    local left = values[1](names)
    for i, sign in ipairs(signs) do
      local right = values[i + 1](names)
      if not sign(left, right) then return false end
      left = right
    end
    return true
  end
end

local function negation(p)
  if not p:take("not", "name") then return comparison(p) end
  p.depth = p.depth + 1
  if p.depth > DEEPEST then fail(p, "too many levels") end
  local right = negation(p)
  p.depth = p.depth - 1
  return function(names) return not truth(right(names)) end
end

local function conjunction(p)
  local left = negation(p)
  while p:take("and", "name") do
    local a, b = left, negation(p)
    left = function(names)
      local value = a(names)
      if not truth(value) then return value end
      return b(names)
    end
  end
  return left
end

local function disjunction(p)
  local left = conjunction(p)
  while p:take("or", "name") do
    local a, b = left, conjunction(p)
    left = function(names)
      local value = a(names)
      if truth(value) then return value end
      return b(names)
    end
  end
  return left
end

function expression(p)
  p.depth = p.depth + 1
  if p.depth > DEEPEST then fail(p, "too many levels") end
  local made = disjunction(p)
  if p:take("if", "name") then
    local yes, condition = made, disjunction(p)
    if not p:take("else", "name") then fail(p, "expected 'else'") end
    local no = expression(p)
    made = function(names) return truth(condition(names)) and yes(names) or no(names) end
  end
  p.depth = p.depth - 1
  return made
end

-- ---- statements -------------------------------------------------------------------------------

local function assertion(p, line)
  local wanted = expression(p)
  local message = p:take "," and expression(p)
  return { line = line, run = function(names)
    if truth(wanted(names)) then return end
    error({ python = "assertion failed" .. (message and ": " .. text_of(message(names)) or "") }, 0)
  end }
end

local function printing(p, line)
  local list = p:take "(" and items(p, ")") or { expression(p) }
  return { line = line, run = function(names, out)
    local values = evaluate_all(list, names)
    for i = 1, #list do values[i] = text_of(values[i]) end
    out[#out + 1] = table.concat(values, " ")
  end }
end

local function assignment(p, name, line)
  local sign = p.list[p.index].text
  p.index = p.index + 1
  local value = expression(p)
  local apply = BINARY[sign:sub(1, -2)]
  return { line = line, run = function(names)
    local right = value(names)
    if sign == "=" then
      names[name] = right
    elseif names[name] == nil then
      error({ python = ("name '%s' is not defined"):format(name) }, 0)
    else
      names[name] = apply(names[name], right)
    end
  end }
end

local function skip_line(p)
  while p.list[p.index].kind ~= "newline" and p.list[p.index].kind ~= "end" do p.index = p.index + 1 end
end

local function statement(p)
  local found, behind = p.list[p.index], p.list[p.index + 1]
  local line = found.line
  if p:take("assert", "name") then return assertion(p, line) end
  if found.kind == "name" and found.text == "print" then
    p.index = p.index + 1
    return printing(p, line)
  end
  if p:take("pass", "name") then return { line = line, run = function() end } end
  if p:take("import", "name") or p:take("from", "name") then
    skip_line(p)
    return { line = line, run = function() end }
  end
  if found.kind == "name" and behind.kind == "operator" and not COMPARE[behind.text]
    and (behind.text == "=" or behind.text:find "^.+=$") then
    p.index = p.index + 1
    return assignment(p, found.text, line)
  end
  local value = expression(p)
  return { line = line, run = function(names) value(names) end }
end

local function program(p)
  local list = {}
  while p.list[p.index].kind ~= "end" do
    if p.list[p.index].kind == "newline" or p:next_is ";" then
      p.index = p.index + 1
    else
      list[#list + 1] = statement(p)
      if p.list[p.index].kind ~= "newline" and not p:next_is ";" then
        fail(p, ("'%s' is not understood here"):format(p.list[p.index].text))
      end
    end
  end
  return list
end

--- Parses a snippet.
-- @string text
-- @int line of its first character in the script
-- @treturn table statements; or nil, message, line
function M.compile(text, line)
  local list, message, at = tokens(text, line)
  if not list then return nil, message, at end
  local ok, made = pcall(program, setmetatable({ list = list, index = 1, depth = 0 }, Parser))
  if ok then return made end
  if type(made) ~= "table" then error(made, 0) end
  return nil, made.python, made.line
end

--- Runs statements.
-- @tparam table statements of `compile`
-- @tparam table names values by name; changed by assignments
-- @tparam table out what is printed, line by line, is added here
-- @treturn boolean true; or nil, message, line
function M.run(statements, names, out)
  for _, each in ipairs(statements) do
    local ok, problem = pcall(each.run, names, out)
    if not ok then
      if type(problem) == "table" and problem.python then return nil, problem.python, each.line end
      return nil, tostring(problem), each.line
    end
  end
  return true
end

return M
