--- Packets of a script: direction, IP fields, TCP, UDP, ICMP.
--
-- A packet is a table: `kind` ("tcp", "udp", "icmp"), `direction` ("in", "out"), `ip` (`ecn`, `ect01`, `tos`,
-- `ttl`, `flow_label`), `encapsulation` (names). TCP: `flags` (letters, `.` for ACK), `ace`, `seq`, `length`,
-- `ack`, `window`, `urgent`, `options` (absent when not to be looked at), `source_port`, `destination_port`.
-- @module lunatcp.packetdrill.grammar_packet

local calls = require "lunatcp.packetdrill.grammar_call"

local M = {}

local FLAGS <const> = "FSRPEWAU"
local OPTIONS_MOST <const> = 40
local ECN <const> = { noecn = 0, ect0 = 2, ect1 = 1, ce = 3 }

-- ---- IP ---------------------------------------------------------------------------------------

local function hex(p, what, most)
  local token = p:expect("hex", "a hexadecimal number (" .. what .. ")")
  if token.value > most then
    p:fail(("%s must be at most 0x%x, got %s"):format(what, most, token.text), token)
  end
  return token.value
end

local function ip_info(p, closing)
  local ip = {}
  for _, name in ipairs { "noecn", "ect0", "ect1", "ce" } do
    if p:is_word(name) then ip.ecn = ECN[name] end
  end
  if ip.ecn then
    p:take "word"
  elseif p:take_word "ect01" then
    ip.ect01 = true
  elseif p:take_word "tos" then
    ip.tos = hex(p, "tos", 0xff)
  elseif p:take_word "ttl" then
    ip.ttl = p:number("ttl", 0, 255)
    p:expect(closing)
    return ip
  elseif p:take_word "flowlabel" then
    ip.flow_label = hex(p, "flowlabel", 0xfffff)
    p:expect(closing)
    return ip
  else
    p:unexpected()
  end
  if p:take "," then
    p:expect_word "flowlabel"
    ip.flow_label = hex(p, "flowlabel", 0xfffff)
  end
  p:expect(closing)
  return ip
end

local function optional_ip_info(p)
  if p:take "[" then return ip_info(p, "]") end
  if p:take "(" then return ip_info(p, ")") end
  return {}
end

-- ---- what may lie around a packet -------------------------------------------------------------

local function outer_ip(p, family)
  local ip = optional_ip_info(p)
  ip.source = p:expect(family).text
  p:expect ">"
  ip.destination = p:expect(family).text
  p:expect ":"
  return ip
end

local function any_number(p)
  local token = p:take "integer" or p:take "hex"
  if not token then p:unexpected() end
  return token.value
end

local GRE_FLAGS <const> = { checksum = true, key = true, sequence = true }

local function gre(p)
  if p:take ":" then return end
  p:take ","
  if not p:take_word "flags" then p:expect_word "Flags" end
  if p:take "[" then
    repeat
      local token = p:expect("word", "'none', 'checksum present', 'key present' or 'sequence# present'")
      if GRE_FLAGS[token.text] then
        p:take "#"
        p:expect_word "present"
      elseif token.text ~= "none" then
        p:fail(("'%s' is no flag of GRE"):format(token.text), token)
      end
    until not p:take ","
    p:expect "]"
  else
    any_number(p)
  end
  for _, name in ipairs { "sum", "off", "key", "seq" } do
    p:take ","
    p:expect_word(name)
    if name == "key" then p:take "=" end
    any_number(p)
  end
  p:expect ":"
end

local function encapsulation(p)
  local layers = {}
  while true do
    if p:take_word "ipv4" then
      layers[#layers + 1] = { name = "ipv4", ip = outer_ip(p, "ipv4") }
    elseif p:take_word "ipv6" then
      layers[#layers + 1] = { name = "ipv6", ip = outer_ip(p, "ipv6") }
    elseif p:take_word "gre" or p:take_word "GREv0" then
      gre(p)
      layers[#layers + 1] = { name = "gre" }
    elseif p:take_word "mpls" then
      calls.mpls_stack(p)
      p:expect ":"
      layers[#layers + 1] = { name = "mpls" }
    else
      return layers[1] and layers or nil
    end
  end
end

-- ---- options ----------------------------------------------------------------------------------

local function bytes_of(p, what, most, lengths)
  local token = p:take "word" or p:take "integer"
  if not token then return nil end
  local text = token.text
  if #text % 2 == 1 or not text:find "^%x*$" then
    p:fail(("%s must be pairs of hexadecimal digits, got '%s'"):format(what, text), token)
  end
  if #text // 2 > most then
    p:fail(("%s must have at most %d octets, got %d"):format(what, most, #text // 2), token)
  end
  if lengths and not lengths(#text // 2) then p:fail(what .. " has a length that is not its own", token) end
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function sack(p)
  local blocks = {}
  repeat
    local left = p:number("the left edge of a SACK block", 0, 0xffffffff)
    p:expect ":"
    blocks[#blocks + 1] = { left = left, right = p:number("the right edge of a SACK block", 0, 0xffffffff) }
  until p:peek().kind ~= "integer"
  return { name = "sack", blocks = blocks, size = 2 + 8 * #blocks }
end

local function timestamps(p)
  p:expect_word "val"
  local value = p:number("a timestamp value", 0, 0xffffffff)
  p:expect_word "ecr"
  return {
    name = "timestamps", value = value, echo = p:number("a timestamp echo reply", 0, 0xffffffff), size = 10,
  }
end

local ACCECN_REST <const> = { e0b = { "ceb", "e1b" }, e1b = { "ceb", "e0b" } }

local function accecn(p)
  local first = p:take_word "e0b" or p:take_word "e1b"
  if not first then p:unexpected() end
  local made = { name = first.text == "e0b" and "accecn0" or "accecn1", fields = {} }
  local function field(name)
    made.fields[#made.fields + 1] = { name = name, value = p:number("a counter", 0, 0xffffff) }
  end
  field(first.text)
  for _, name in ipairs(ACCECN_REST[first.text]) do
    if not p:take_word(name) then break end
    field(name)
  end
  made.size = 2 + 3 * #made.fields
  return made
end

local OPTION <const> = {
  nop = function() return { name = "nop", size = 1 } end,
  eol = function() return { name = "end", size = 1 } end,
  mss = function(p) return { name = "mss", value = p:number("mss", 0, 0xffff), size = 4 } end,
  wscale = function(p) return { name = "window_scale", value = p:number("wscale", 0, 255), size = 3 } end,
  sackOK = function() return { name = "sack_permitted", size = 2 } end,
  sack = sack,
  TS = timestamps,
  md5 = function(p)
    local digest = bytes_of(p, "an MD5 digest", 16)
    if not digest then p:unexpected() end
    return { name = "md5", data = digest, size = 2 + #digest }
  end,
  -- packetdrill has no word for it. Without a MAC none is sent, and any is expected.
  ao = function(p)
    local key, next_key = p:number("a KeyID", 0, 255), p:number("an RNextKeyID", 0, 255)
    local mac = bytes_of(p, "a MAC", 36)
    return { name = "ao", key = key, next_key = next_key, mac = mac, size = 4 + #(mac or "") }
  end,
  FO = function(p)
    local cookie = bytes_of(p, "a fast open cookie", 38) or ""
    return { name = "fast_open", data = cookie, size = 2 + #cookie }
  end,
  FOEXP = function(p)
    local cookie = bytes_of(p, "a fast open cookie", 36) or ""
    return { name = "fast_open_experiment", data = cookie, size = 4 + #cookie }
  end,
  ECN = accecn,
}
local OPTION_NAMES <const> = "an option (nop, eol, mss, wscale, sackOK, sack, TS, md5, ao, FO, FOEXP, ECN)"

local function options(p)
  local list, size = {}, 0
  local start = p:peek()
  repeat
    local token = p:peek()
    local rule = token.kind == "word" and OPTION[token.text]
    if not rule then p:unexpected(OPTION_NAMES) end
    p:take "word"
    local option = rule(p)
    list[#list + 1], size = option, size + option.size
  until not p:take ","
  p:expect ">"
  if size % 4 ~= 0 then
    p:fail(("options have %d octets, which is no multiple of 4: pad them by nop"):format(size), start)
  end
  if size > OPTIONS_MOST then p:fail(("options have %d octets; 40 fit"):format(size), start) end
  return list
end

-- ---- TCP --------------------------------------------------------------------------------------

local function add_letters(p, packet, token)
  for letter in token.text:gmatch "." do
    if not FLAGS:find(letter, 1, true) then
      p:fail(("'%s' is no TCP flag (F S R P E W A U, '.' for ACK, or '-')"):format(letter), token)
    end
  end
  packet.flags = token.text
end

local WANTED_FLAGS <const> = "TCP flags (F S R P E W A U, '.' for ACK, or '-'), 'udp' or 'icmp'"

-- `S`, `P.`, `.`, `-`; `P.5` and `.5` come as a word and a number.
local function flags(p, packet)
  packet.flags = ""
  if p:take "-" then return end
  local start = p:peek()
  if start.kind == "word" then add_letters(p, packet, p:take "word") end
  if p:take "." then
    packet.flags = packet.flags .. "."
  elseif p:peek().kind == "float" then
    local token = p:take "float"
    local digits = token.text:match "^%.(%d+)$"
    if not digits or #digits > 1 or not digits:find "[0-7]" then
      p:fail(("'%s' is no ACK flag with an ACE counter from 0 to 7"):format(token.text), token)
    end
    if packet.flags:find "[EWA]" then p:fail("the ACE counter excludes the flags E, W and A", token) end
    packet.flags = packet.flags .. "."
    if digits ~= "0" then packet.ace = tonumber(digits) end
  elseif start.kind ~= "word" then
    p:unexpected(WANTED_FLAGS)
  end
end

local function sequence(p)
  local first = p:peek()
  local start = p:number("a sequence number", 0, 0xffffffff)
  p:expect ":"
  local last = p:number("the sequence number of the end", 0, 0xffffffff)
  p:expect "("
  local length = p:number("a length", 0, 0xffff)
  p:expect ")"
  if last ~= start + length then
    p:fail(("%d:%d(%d) does not add up: %d + %d is %d"):format(start, last, length, start, length,
      start + length), first)
  end
  return start, length
end

local function ports(p, packet)
  if p:peek().kind ~= "integer" then return end
  packet.source_port = p:number("a port", 0, 65535)
  p:expect ">"
  packet.destination_port = p:number("a port", 0, 65535)
end

local function tcp(p, packet)
  packet.kind = "tcp"
  if p:take_word "encap" then
    p:expect_word "psp"
    p:expect_word "spi"
    any_number(p)
    packet.psp = true
  end
  ports(p, packet)
  local start = p:peek()
  flags(p, packet)
  packet.seq, packet.length = sequence(p)
  if p:take_word "ack" then packet.ack = p:number("ack", 0, 0xffffffff) end
  if p:take_word "win" then packet.window = p:number("win", 0, 0xffff) end
  if p:take_word "urg" then packet.urgent = p:number("urg", 0, 0xffff) end
  packet.options = {}
  if p:take "<" then
    if p:is "ellipsis" then
      if packet.direction == "in" then
        p:fail "<...> only tells what not to look at: an injected packet says its options"
      end
      p:take "ellipsis"
      p:expect ">"
      packet.options = nil
    else
      packet.options = options(p)
    end
  end
  if packet.direction == "in" and not packet.window then
    p:fail("an injected segment needs 'win'", start)
  end
end

-- ---- UDP and ICMP -----------------------------------------------------------------------------

local function parenthesized_length(p)
  p:expect "("
  local length = p:number("a length", 0, 0xffff)
  p:expect ")"
  return length
end

local function udp(p, packet)
  packet.kind = "udp"
  ports(p, packet)
  packet.length = parenthesized_length(p)
end

local function icmp(p, packet)
  packet.kind = "icmp"
  packet.type_name = p:expect("word", "a type of ICMP message").text
  local token = p:peek()
  if token.kind == "word" and token.text ~= "mtu" and token.text ~= "id" then
    packet.code_name = p:take("word").text
  end
  if p:take_word "mtu" then packet.mtu = p:number("mtu", 0, 0xffffffff) end
  if p:take_word "id" then packet.echo_id = p:number("id", 0, 0xffff) end
  packet.quoted = { kind = "tcp", seq = 0, length = 0 }
  if not p:take "[" then return end
  packet.quote_written = true
  if p:take_word "udp" then
    packet.quoted = { kind = "udp", length = parenthesized_length(p) }
  elseif p:take_word "raw" then
    packet.quoted = { kind = "raw", length = parenthesized_length(p) }
  else
    packet.quoted.seq, packet.quoted.length = sequence(p)
  end
  p:expect "]"
end

--- A packet, from its direction on.
function M.packet(p)
  local token = p:take "<" or p:expect ">"
  local packet = { direction = token.kind == "<" and "in" or "out" }
  packet.line, packet.column = p:where(token)
  packet.encapsulation = encapsulation(p)
  packet.ip = optional_ip_info(p)
  if packet.ip.ect01 and packet.direction == "in" then
    p:fail("[ect01] only says what to accept: an injected packet has ect0 or ect1", token)
  end
  if p:take_word "icmp" then
    icmp(p, packet)
  elseif p:take_word "udp" then
    udp(p, packet)
  else
    tcp(p, packet)
  end
  packet.first_token, packet.last_token = token, p.tokens[p.index - 1]
  return packet
end

return M
