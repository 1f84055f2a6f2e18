--- Scripts as data: options, an init command, timed events, a cleanup command.
--
-- Times are integer nanoseconds, never rounded. What is wrong names line, column and what was expected.
-- @module lunatcp.packetdrill.grammar

local calls = require "lunatcp.packetdrill.grammar_call"
local lexer = require "lunatcp.packetdrill.lexer"
local packets = require "lunatcp.packetdrill.grammar_packet"
local parser = require "lunatcp.packetdrill.parser"

local M = {}

local LONGEST_SECONDS <const> = 1000000000

-- ---- options ----------------------------------------------------------------------------------

local PLAIN_VALUES <const> = { "integer", "hex", "float", "word", "ipv4", "ipv6" }

local function option_value(p)
  if p:is "string" then return p:take("string").value end
  for _, kind in ipairs(PLAIN_VALUES) do
    local token = p:take(kind)
    if token then
      if kind ~= "word" or p:peek().kind ~= "=" then return token.text end
      p:take "="
      if p:is "string" then return ('%s="%s"'):format(token.text, p:take("string").text) end
      if p:is "command" then return ("%s=`%s`"):format(token.text, p:take("command").text) end
      local right = p:take "word" or p:take "integer" or p:take "hex"
      if not right then p:unexpected() end
      return token.text .. "=" .. right.text
    end
  end
  p:unexpected "a value of the option"
end

local function option(p)
  local token = p:take "option"
  local made = { name = token.text }
  made.line, made.column = p:where(token)
  made.at = token.at
  if p:take "=" then made.value = option_value(p) end
  return made
end

-- ---- times ------------------------------------------------------------------------------------

-- The digits of a decimal number as nanoseconds; what lies beyond them is cut off.
local function nanoseconds(text)
  local whole, fraction = text:match "^(%d*)%.?(%d*)$"
  if #whole > 10 or (tonumber(whole) or 0) > LONGEST_SECONDS then return nil end
  return (math.tointeger(tonumber(whole)) or 0) * 1000000000
    + math.tointeger(tonumber((fraction .. "000000000"):sub(1, 9)))
end

local function time(p)
  local token = p:take "float" or p:take "integer"
  if not token then p:unexpected() end
  if token.text:sub(1, 1) == "-" then p:fail("a time cannot be negative", token) end
  local ns = nanoseconds(token.text)
  if not ns then p:fail(("the time %s is too long"):format(token.text), token) end
  return ns
end

-- `*`, `T`, `+T`, `T~T`, `+T~+T`: kind ("any", "absolute", "relative"), from, to.
local function when(p)
  if p:take "*" then return { kind = "any", from = 0 } end
  local made = { kind = p:take "+" and "relative" or "absolute" }
  made.from = time(p)
  if p:take "~" then
    if made.kind == "relative" then p:expect "+" end
    made.to = time(p)
  end
  return made
end

-- ---- events -----------------------------------------------------------------------------------

local function command(p)
  local token = p:take "command"
  local line, column = p:where(token)
  return { kind = "command", text = token.text, line = line, column = column }
end

local function code(p)
  local token = p:take "code"
  local line, column = p:where(token)
  return { kind = "code", text = token.text, line = line, column = column }
end

local function action(p)
  local kind = p:peek().kind
  if kind == "<" or kind == ">" then return "packet", packets.packet(p) end
  if kind == "command" then return "command", command(p) end
  if kind == "code" then return "code", code(p) end
  if kind == "word" or kind == "ellipsis" then return "call", calls.call(p, time) end
  p:unexpected "a packet ('<' or '>'), a system call, a `command` or %{ code }%"
end

local function event(p)
  local start = p:peek()
  local made = { when = when(p) }
  made.line, made.column = p:where(start)
  made.kind, made.action = action(p)
  made.first, made.last = start.at, p.tokens[p.index - 1].after - 1
  local outbound = made.kind == "packet" and made.action.direction == "out"
  if made.when.kind == "any" and not outbound then
    p:fail("the time * is for expected packets only", start)
  elseif made.when.to and not outbound then
    p:fail("a range of times is for expected packets only", start)
  elseif made.when.to and made.when.to < made.when.from then
    p:fail("the range of times runs backwards", start)
  end
  return made
end

-- Absolute times must not go backwards from one event to the next.
local function check_times(p, events)
  local first = events[1]
  if first and first.when.from ~= 0 then
    p:fail("the first event must be at time 0", { at = first.first })
  end
  for i = 2, #events do
    local before, after = events[i - 1], events[i]
    if before.when.kind == "absolute" and after.when.kind == "absolute"
      and after.when.from < before.when.from then
      p:fail("time goes backwards here", { at = after.first })
    end
  end
  for _, each in ipairs(events) do
    if each.action.ends and each.action.ends < each.when.from then
      p:fail("the call would return before it begins", { at = each.first })
    end
  end
end

local EVENT_START <const> = { ["+"] = true, ["*"] = true, float = true, integer = true }
local WANTED_START <const> = "an event (a time, +time or *)"

local function script(p, definitions)
  local made = { options = {}, events = {} }
  while p:peek().kind == "option" do made.options[#made.options + 1] = option(p) end
  for _, each in ipairs(made.options) do
    local name, value = (each.value or ""):match "^([%w_]+)=(.*)$"
    if each.name == "define" and name and definitions[name] == nil then definitions[name] = value end
  end
  p:define(definitions)
  if p:peek().kind == "command" then made.init = command(p) end
  while EVENT_START[p:peek().kind] do made.events[#made.events + 1] = event(p) end
  if #made.events == 0 then
    p:unexpected(made.init and WANTED_START or "an option, a `command` or " .. WANTED_START)
  end
  if p:peek().kind == "command" then made.cleanup = command(p) end
  if p:peek().kind ~= "end" then p:unexpected(WANTED_START .. " or the end of the file") end
  check_times(p, made.events)
  return made
end

local function located(file, text, message, at)
  local line, column = parser.position(text, at)
  return {
    file = file, line = line, column = column, message = message,
    source = text:match("[^\n]*", at - column + 1):gsub("\r$", ""),
  }
end

--- Parses a script. Whatever the text is, it does not raise.
-- @string text
-- @string[opt="script"] file its name in messages
-- @tparam[opt] table definitions what `-D NAME=VALUE` said
-- @treturn table the script, or nil and a problem: `file`, `line`, `column`, `message`, `source` (the line)
function M.parse(text, file, definitions)
  file = file or "script"
  local tokens, message, at = lexer.tokens(text)
  if not tokens then return nil, located(file, text, message, at) end
  local all = {}
  for name, value in pairs(definitions or {}) do all[name] = value end
  local ok, made = pcall(script, parser.new(text, tokens), all)
  if not ok then
    if type(made) ~= "table" then error(made, 0) end
    return nil, located(file, text, made.message, made.at)
  end
  made.file, made.text = file, text
  return made
end

--- A problem as lines: `file:line:column: message`, and the line with a mark under the column.
function M.explain(problem)
  local head = ("%s:%d:%d: %s"):format(problem.file, problem.line, problem.column, problem.message)
  if not problem.source then return head end
  local before = problem.source:sub(1, problem.column - 1):gsub("[^\t]", " ")
  return ("%s\n  %s\n  %s^"):format(head, problem.source, before)
end

return M
