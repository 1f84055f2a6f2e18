--- What every part of the grammar stands on: the tokens, where one is, and what would have been welcome
-- there. A syntax error is raised as a table and never leaves `lunatcp.packetdrill.grammar`.
-- @module lunatcp.packetdrill.parser

local lexer = require "lunatcp.packetdrill.lexer"

local M = {}

local Parser = {}
Parser.__index = Parser
M.Parser = Parser

local DEEPEST <const> = 100 -- expressions within expressions

-- Words of the language, which no definition can replace.
local RESERVED <const> = {}
for word in ([[
  sa_family sin_port sin_addr msg_name msg_iov msg_flags msg_control cmsg_data cmsg_level
  cmsg_type ee_errno ee_origin ee_type ee_code ee_info ee_data scm_sec scm_nsec fd u32 u64 ptr
  events revents onoff linger htons ipv4 ipv6 icmp udp gre raw sum off key seq none checksum
  present encap psp spi mpls label tc ttl inet_addr inet6_addr ack eol ecr mss mtu nop sack sackOK
  ao md5 TS FO FOEXP ECN e0b e1b ceb tos flowlabel flags Flags val win urg wscale ect01 ect0 ect1
  noecn ce id
]]):gmatch "%S+" do
  RESERVED[word] = true
end

local NAMES <const> = {
  integer = "a number", hex = "a hexadecimal number", float = "a time", word = "a word", string = "a string",
  command = "a back-quoted command", code = "a code snippet", option = "an option", ellipsis = "'...'",
  ipv4 = "an IPv4 address", ipv6 = "an IPv6 address", ["end"] = "the end of the file",
}

--- Line and column, from 1, of a place in a text.
function M.position(text, at)
  local line, start = 1, 1
  while true do
    local newline = text:find("\n", start, true)
    if not newline or newline >= at then return line, at - start + 1 end
    line, start = line + 1, newline + 1
  end
end

--- @treturn Parser; or nil, message, place
function M.new(text, tokens)
  return setmetatable({
    text = text, tokens = tokens, index = 1, wanted = {}, depth = 0, place = 1, line = 1, line_start = 1,
  }, Parser)
end

--- Puts what `-D` and `--define` say in the place of the words that are still to be read.
function Parser:define(definitions)
  for i = self.index, #self.tokens do
    local token = self.tokens[i]
    local value = token.kind == "word" and not RESERVED[token.text] and definitions[token.text]
    if value then
      local made, message = lexer.defined(value, token)
      if not made then self:fail(message, token) end
      self.tokens[i] = made
    end
  end
end

function Parser:peek(offset) return self.tokens[math.min(self.index + (offset or 0), #self.tokens)] end

--- Line and column of a token; asked for in the order of the text, it costs no second look at it.
function Parser:where(token)
  token = token or self:peek()
  if token.at < self.line_start then return M.position(self.text, token.at) end
  while true do
    local newline = self.text:find("\n", self.line_start, true)
    if not newline or newline >= token.at then break end
    self.line, self.line_start = self.line + 1, newline + 1
  end
  return self.line, token.at - self.line_start + 1
end

--- Ends the parse: a message about a token.
function Parser:fail(message, token)
  error({ message = message, at = (token or self:peek()).at }, 0)
end

local function shown(token)
  if token.kind == "end" then return "the end of the file" end
  local text = token.text
  if token.kind == "command" then text = "`" .. text .. "`" end
  if token.kind == "string" then text = '"' .. text .. '"' end
  if token.kind == "code" then text = "%{" .. text .. "}%" end
  if token.kind == "option" then text = "--" .. text end
  text = text:gsub("%c", " ")
  if #text > 40 then text = text:sub(1, 37) .. "..." end
  return "'" .. text .. "'"
end

-- Notes what would have been welcome here.
local function want(self, what)
  if self.wanted.index ~= self.index then self.wanted = { index = self.index } end
  local wanted = self.wanted
  if not wanted[what] then
    wanted[what] = true
    wanted[#wanted + 1] = what
  end
end

--- Ends the parse: what is here is none of what was asked for.
-- @string[opt] instead said in place of the list
function Parser:unexpected(instead)
  local list = self.wanted.index == self.index and self.wanted or {}
  local what = instead or list[1]
  if not instead and #list > 1 then
    what = table.concat(list, ", ", 1, #list - 1) .. " or " .. list[#list]
  end
  self:fail(("expected %s, got %s"):format(what or "something else", shown(self:peek())))
end

local function step(self)
  local token = self:peek()
  self.index = self.index + 1
  return token
end

--- Whether the next token is of a kind; nothing is taken.
function Parser:is(kind)
  if self:peek().kind == kind then return true end
  want(self, NAMES[kind] or "'" .. kind .. "'")
  return false
end

--- Whether the next token is this word; nothing is taken.
function Parser:is_word(text)
  local token = self:peek()
  if token.kind == "word" and token.text == text then return true end
  want(self, "'" .. text .. "'")
  return false
end

--- Takes the next token if it is of the kind; else nil.
function Parser:take(kind) return self:is(kind) and step(self) or nil end

--- Takes the next token if it is this word; else nil.
function Parser:take_word(text) return self:is_word(text) and step(self) or nil end

--- Takes a token of a kind, or ends the parse.
-- @string[opt] what it is for
function Parser:expect(kind, what)
  if self:peek().kind == kind then return step(self) end
  want(self, what or NAMES[kind] or "'" .. kind .. "'")
  self:unexpected()
end

--- Takes this word, or ends the parse.
function Parser:expect_word(text)
  if not self:is_word(text) then self:unexpected() end
  return step(self)
end

--- Takes a number within limits.
-- @string what it is
-- @int least
-- @int most
-- @treturn integer
function Parser:number(what, least, most)
  local token = self:expect("integer", what:find " " and what or ("a number for '%s'"):format(what))
  if token.value < least or token.value > most then
    self:fail(("%s must be from %d to %d, got %s"):format(what, least, most, token.text), token)
  end
  return token.value
end

--- Calls a function one level deeper.
function Parser:nested(rule, ...)
  if self.depth >= DEEPEST then self:fail(("more than %d levels within each other"):format(DEEPEST)) end
  self.depth = self.depth + 1
  local result = rule(self, ...)
  self.depth = self.depth - 1
  return result
end

M.RESERVED = RESERVED

return M
