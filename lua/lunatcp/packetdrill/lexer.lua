--- The words of a packetdrill script: LPeg cuts the text into tokens. The longest match wins; among equals
-- the earlier rule does. A token is a table: `kind`, `text`, `value` where it has one, `at` (its place in the
-- text, from 1). Kinds: integer, hex, float, word, string, command, code, option, ellipsis, ipv4, ipv6,
-- end, and every other character as itself.
-- @module lunatcp.packetdrill.lexer

local core = require "lunatcp.core"
local lpeg = require "lpeg"

local C, Cc, Cp, P, R, S = lpeg.C, lpeg.Cc, lpeg.Cp, lpeg.P, lpeg.R, lpeg.S

local M = {}

local digit <const> = R "09"
local name <const> = (R("az", "AZ", "09") + "_") ^ 1

local line_comment <const> = P "//" * (1 - P "\n") ^ 0
local block_comment <const> = P "/*" * (1 - P "*/") ^ 0 * P "*/"
local space <const> = (S " \t\r\n\f\v" + line_comment + block_comment) ^ 0

local function quoted(mark) return P(mark) * C((P "\\" * 1 + (1 - P(mark))) ^ 0) * P(mark) end

-- What begins with a character that begins nothing else.
local plain <const> = P "..." * Cc "ellipsis" * Cc "..." * Cp()
  + quoted '"' / function(text) return "string", text end * Cp()
  + quoted "`" / function(text) return "command", text end * Cp()
  + P "%{" * (C((1 - P "}%") ^ 0) / function(text) return "code", text end) * P "}%" * Cp()
  + P "--" * (name / function(text) return "option", text end) * Cp()

-- What may begin alike, in the order that decides between equal lengths.
local number <const> = P "-" ^ -1 * digit ^ 1
local LIKE <const> = {
  { "float", C(P "-" ^ -1 * digit ^ 0 * "." * digit ^ 1) },
  { "integer", C(number) },
  { "hex", C(P "0x" * R("09", "af", "AF") ^ 1) },
  { "word", C(name) },
  { "ipv4", C(digit ^ 1 * "." * digit ^ 1 * "." * digit ^ 1 * "." * digit ^ 1) },
}

local OPENED <const> = {
  ['"'] = "a string is not closed", ["`"] = "a command is not closed",
  ["%{"] = "a code snippet is not closed",
  ["/*"] = "a comment is not closed",
}
local LONGEST_ADDRESS <const> = 45

-- Length of an IPv6 address that begins there; `1:1001` is none: it has neither :: nor seven colons.
local function address_length(text, at)
  local run = text:match("^[%x:.]+", at)
  if not run then return 0 end
  run = run:sub(1, LONGEST_ADDRESS)
  if not run:find("::", 1, true) and select(2, run:gsub(":", "")) < 7 then return 0 end
  for length = #run, 2, -1 do
    if select(2, core.address(run:sub(1, length))) == 6 then return length end
  end
  return 0
end

local function longest(text, at)
  local kind, found
  for _, rule in ipairs(LIKE) do
    local got = lpeg.match(rule[2], text, at)
    if got and (not found or #got > #found) then kind, found = rule[1], got end
  end
  local length = address_length(text, at)
  if length > #(found or "") then return "ipv6", text:sub(at, at + length - 1) end
  return kind, found
end

local function next_token(text, at)
  local kind, found, after = lpeg.match(plain, text, at)
  if kind then return { kind = kind, text = found, at = at }, after end
  kind, found = longest(text, at)
  if kind then return { kind = kind, text = found, at = at }, at + #found end
  found = text:sub(at, at)
  return { kind = found, text = found, at = at }, at + 1
end

local function integer_of(text)
  local negative, digits = text:match "^(%-?)(%d+)$"
  if #digits:gsub("^0+", "") > 18 then return nil end
  local value = math.tointeger(tonumber(digits))
  return negative == "-" and -value or value
end

-- Gives the token its value; nil, message when it has none that fits.
local function evaluate(token)
  if token.kind == "integer" then
    token.value = integer_of(token.text)
    if not token.value then return nil, ("the number %s is too large"):format(token.text) end
  elseif token.kind == "hex" then
    local digits = token.text:sub(3):gsub("^0+", "")
    if #digits > 15 then return nil, ("the number %s is too large"):format(token.text) end
    token.value = tonumber("0x0" .. digits)
  elseif token.kind == "string" then
    local text = token.text:gsub("\\x(%x%x)", function(octet) return string.char(tonumber(octet, 16)) end)
    token.value = text:gsub("\\(.)", { n = "\n", t = "\t", r = "\r", ["0"] = "\0" })
      :gsub("\\([\"\\])", "%1")
  end
  return token
end

--- Cuts a script into tokens, the last of which is of kind `end`.
-- @string text
-- @treturn table tokens; or nil, message, place in the text
function M.tokens(text)
  local tokens, at = {}, lpeg.match(space * Cp(), text, 1)
  while at <= #text do
    for mark, message in pairs(OPENED) do -- at most one of them is there: the order does not matter
      if text:sub(at, at + #mark - 1) == mark and (mark == "/*" or not lpeg.match(plain, text, at)) then
        return nil, message, at
      end
    end
    local token, after = next_token(text, at)
    local ok, message = evaluate(token)
    if not ok then return nil, message, at end
    token.after = after
    tokens[#tokens + 1] = token
    at = lpeg.match(space * Cp(), text, after)
  end
  tokens[#tokens + 1] = { kind = "end", text = "", at = #text + 1, after = #text + 1 }
  return tokens
end

--- The token that a definition (`-D NAME=VALUE`) puts in a word's place.
-- @string value
-- @tparam table token the word's
-- @treturn table a token at the same place
function M.defined(value, token)
  local made = { at = token.at, after = token.after, text = value, kind = "word" }
  local first = value:sub(1, 1)
  if first == '"' or first == "`" then
    made.kind = first == '"' and "string" or "command"
    made.text = value:sub(2, -2)
    return evaluate(made)
  end
  if value:find "^%-?%d+$" or value:find "^%-?0x%x+$" then
    local number_of = value:find "^%-?0[0-7]+$" and math.tointeger(tonumber(value, 8))
      or math.tointeger(tonumber(value))
    if number_of then made.kind, made.value = "integer", number_of end
  end
  return made
end

return M
