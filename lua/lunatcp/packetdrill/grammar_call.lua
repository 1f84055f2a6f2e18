--- System calls of a script: names, expressions with their structs, results, notes.
--
-- An expression is a table with `type`: `ellipsis`; `integer` (`value`); `word` (`text`); `string` (`text`,
-- `open` where `...` follows); `or` and `assign` (`left`, `right`); `list` and `braces` (`items`); `address`
-- (`family`, `text`); `struct` (`name`, `fields`).
-- @module lunatcp.packetdrill.grammar_call

local core = require "lunatcp.core"
local parser = require "lunatcp.packetdrill.parser"

local M = {}

local RESERVED <const> = parser.RESERVED

local expression

local function integer(token) return { type = "integer", value = token.value, text = token.text } end

-- Items between commas up to the closing mark.
local function list(p, closing, what)
  local items = {}
  if p:take(closing) then return items end
  repeat items[#items + 1] = p:nested(expression) until not p:take ","
  p:expect(closing, what)
  return items
end

-- ---- structs ----------------------------------------------------------------------------------

local function host_order_port(p)
  p:expect_word "htons"
  p:expect "("
  local port = p:number("a port", 0, 65535)
  p:expect ")"
  return port
end

local function quoted_address(p, family)
  p:expect "("
  local token = p:expect("string", "an address in quotes")
  p:expect ")"
  local text, found = core.address(token.value)
  if not text or family and found ~= family then
    p:fail(("'%s' is no IPv%d address"):format(token.text, family or 4), token)
  end
  return text
end

local function socket_address(p)
  p:expect "="
  local family = p:expect("word", "'AF_INET' or 'AF_INET6'")
  if family.text ~= "AF_INET" and family.text ~= "AF_INET6" then
    p:fail(("expected 'AF_INET' or 'AF_INET6', got '%s'"):format(family.text), family)
  end
  p:expect ","
  p:expect_word "sin_port"
  p:expect "="
  local port = host_order_port(p)
  p:expect ","
  p:expect_word "sin_addr"
  p:expect "="
  p:expect_word "inet_addr"
  local address = quoted_address(p, family.text == "AF_INET" and 4 or 6)
  local fields = { family = family.text, port = port, address = address }
  return { type = "struct", name = "sockaddr", fields = fields }
end

local function message_header(p)
  p:expect "("
  p:expect "ellipsis"
  p:expect ")"
  p:expect "="
  local name = p:nested(expression)
  p:expect ","
  p:expect_word "msg_iov"
  p:expect "("
  local count = p:number("a count", 0, 0x7fffffff)
  p:expect ")"
  p:expect "="
  p:expect "["
  local fields = { msg_name = name, msg_iovlen = count, msg_iov = list(p, "]") }
  p:expect ","
  p:expect_word "msg_flags"
  p:expect "="
  fields.msg_flags = p:nested(expression)
  if p:take "," then
    p:expect_word "msg_control"
    p:expect "="
    p:expect "["
    fields.msg_control = list(p, "]")
  end
  return { type = "struct", name = "msghdr", fields = fields }
end

-- Fields `name = expression` in this order; those behind the first `needed` may be missing.
local function fields_of(p, struct, first, names, needed)
  local fields = {}
  p:expect "="
  fields[first] = p:nested(expression)
  for i, name in ipairs(names) do
    if i > (needed or #names) then
      if not p:take "," then break end
    else
      p:expect ","
    end
    p:expect_word(name)
    p:expect "="
    fields[name] = p:nested(expression)
  end
  return { type = "struct", name = struct, fields = fields }
end

local DATA_OF_EVENT <const> = { "fd", "ptr", "u32", "u64" }

local function epoll_event(p)
  p:expect "="
  local fields = { events = p:nested(expression) }
  p:expect ","
  for _, name in ipairs(DATA_OF_EVENT) do
    if p:take_word(name) then
      p:expect "="
      fields.kind, fields.data = name, p:nested(expression)
      return { type = "struct", name = "epoll_event", fields = fields }
    end
  end
  p:unexpected()
end

local function mpls_entry(p)
  p:expect_word "label"
  p:number("a label", 0, 0xfffff)
  p:expect ","
  p:expect_word "tc"
  p:number("a traffic class", 0, 7)
  p:expect ","
  if p:take "[" then
    p:expect_word "S"
    p:expect "]"
    p:expect ","
  end
  p:expect_word "ttl"
  p:number("a TTL", 0, 255)
  p:expect ")"
end

--- A stack of MPLS labels; nothing is kept of it.
function M.mpls_stack(p)
  while p:take "(" do mpls_entry(p) end
end

local STRUCTS <const> = {
  sa_family = socket_address,
  msg_name = message_header,
  events = epoll_event,
  fd = function(p) return fields_of(p, "pollfd", "fd", { "events", "revents" }, 1) end,
  onoff = function(p) return fields_of(p, "linger", "onoff", { "linger" }) end,
  cmsg_level = function(p) return fields_of(p, "cmsg", "cmsg_level", { "cmsg_type", "cmsg_data" }) end,
  scm_sec = function(p) return fields_of(p, "scm_timestamping", "scm_sec", { "scm_nsec" }) end,
  ee_errno = function(p)
    return fields_of(p, "sock_extended_err", "ee_errno",
      { "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data" })
  end,
}

local function braces(p)
  local token = p:peek()
  local rule = token.kind == "word" and STRUCTS[token.text]
  if rule then
    p:take "word"
    local made = rule(p)
    p:expect "}"
    return made
  end
  if token.kind == "(" then
    M.mpls_stack(p)
    p:expect "}"
    return { type = "struct", name = "mpls_stack", fields = {} }
  end
  return { type = "braces", items = list(p, "}") }
end

-- ---- expressions ------------------------------------------------------------------------------

local function text_of(p)
  local parts = { p:expect("string").value }
  while p:is "string" do parts[#parts + 1] = p:take("string").value end
  local open = p:take "ellipsis" ~= nil
  return { type = "string", text = table.concat(parts), open = open }
end

local function word(p)
  local token = p:take "word"
  if token.text == "inet_addr" then return { type = "address", family = 4, text = quoted_address(p, 4) } end
  if token.text == "inet6_addr" then return { type = "address", family = 6, text = quoted_address(p, 6) } end
  if RESERVED[token.text] then
    p:fail(("'%s' has a meaning of its own, and is no value"):format(token.text), token)
  end
  local made = { type = "word", text = token.text }
  if p:take "=" then return { type = "assign", left = made, right = p:nested(expression) } end
  return made
end

local function single(p)
  if p:take "ellipsis" then return { type = "ellipsis" } end
  if p:is "integer" then return integer(p:take "integer") end
  if p:is "hex" then return integer(p:take "hex") end
  if p:is "word" then return word(p) end
  if p:is "string" then return text_of(p) end
  if p:take "[" then return { type = "list", items = list(p, "]") } end
  if p:take "{" then return braces(p) end
  p:unexpected "a value"
end

function expression(p)
  local left = single(p)
  while p:take "|" do left = { type = "or", left = left, right = p:nested(single) } end
  return left
end

-- ---- calls ------------------------------------------------------------------------------------

-- `(Operation now in progress)`: for people.
local function note(p)
  local words = {}
  repeat
    local token = p:take "word" or p:take "integer"
    if not token then p:unexpected "a word of the note, or ')'" end
    words[#words + 1] = token.text
  until p:take ")"
  return table.concat(words, " ")
end

--- A call, from its name (or the `...` before it) on.
-- @tparam Parser p
-- @tparam function time reads a time: nanoseconds
-- @treturn table `name`, `arguments`, `result`, `errno`, `note`; `ends`: nanoseconds, of a blocking one
function M.call(p, time)
  local call = { kind = "call" }
  if p:take "ellipsis" then call.ends = time(p) end
  local token = p:expect("word", "the name of a system call")
  call.name = token.text
  call.line, call.column = p:where(token)
  p:expect "("
  call.arguments = list(p, ")")
  p:expect "="
  call.result = expression(p)
  if p:is "word" then
    call.errno = p:take("word").text
    p:expect("(", "'(' and a note after the error's name")
    call.note = note(p)
  end
  if p:take "(" then call.note = note(p) end
  return call
end

M.expression = expression

return M
