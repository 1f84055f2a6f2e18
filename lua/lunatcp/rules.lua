--- Rules of a link: which packets, and what becomes of them. The first that matches and answers wins;
-- a rule is gone when its handle is closed. What is said as data is evaluated in C.
-- @module lunatcp.rules

local check = require "lunatcp.check"
local hooks = require "lunatcp.hooks"

local M = {}

local FLAGS <const> = { "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ae" }

-- Which packets a rule is about. `ack` is the flag; the number is `acking`.
local MATCH_KEYS <const> = {
  "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ae", "flags", "without", "from", "data",
  "length", "length_min", "length_max", "source_port", "destination_port", "seq", "acking", "first",
  "retransmission", "tcp", "nth", "every", "times", "chance",
}
local PASSED <const> = {
  "without", "length_min", "length_max", "source_port", "destination_port", "seq", "first", "tcp", "nth",
  "every", "times", "chance",
}

local function with(...)
  return table.move(MATCH_KEYS, 1, #MATCH_KEYS, select("#", ...) + 1, { ... })
end
local DELAY_KEYS <const> = with "by"
local DUPLICATE_KEYS <const> = with("copies", "after")
local CORRUPT_KEYS <const> = with "bits"
local SAID <const> = with("by", "copies", "after", "bits")

-- Turns a script's words into the core's.
local function translate(link, match, keys, name)
  match = check.options(match, keys, name)
  local rule = {}
  for _, key in ipairs(PASSED) do rule[key] = match[key] end
  rule.ack = match.acking
  rule.flags = match.flags
  for _, flag in ipairs(FLAGS) do
    if match[flag] ~= nil then
      check.type(match[flag], "boolean", name .. ": " .. flag)
      if match.flags ~= nil then check.raise("%s: flags and %s exclude each other", name, flag) end
      rule.flags = rule.flags or {}
      rule.flags[flag] = match[flag]
    end
  end
  if match.retransmission ~= nil then
    check.type(match.retransmission, "boolean", name .. ": retransmission")
    rule.first = not match.retransmission
  end
  if match.length ~= nil then
    check.integer(match.length, name .. ": length", 0)
    rule.length_min, rule.length_max = match.length, match.length
  end
  if match.data ~= nil then
    check.type(match.data, "boolean", name .. ": data")
    if match.data then rule.length_min = rule.length_min or 1 else rule.length_max = 0 end
  end
  if match.from ~= nil then
    if match.from == link.a then
      rule.direction = 1
    elseif match.from == link.b then
      rule.direction = 2
    else
      check.raise("%s: from: expected %s or %s, got %s", name, link.a, link.b, tostring(match.from))
    end
  end
  return rule
end

-- A rule as a person would write it: "drop { fin = true, nth = 1 }".
local function text_of(link, verb, match)
  local words = {}
  for _, key in ipairs(SAID) do
    local value = match and match[key]
    if value == link.a or value == link.b then value = value and value.name end
    if value ~= nil then words[#words + 1] = ("%s = %s"):format(key, tostring(value)) end
  end
  if #words == 0 then return verb end
  return ("%s { %s }"):format(verb, table.concat(words, ", "))
end

local function install(link, rule, text)
  local id, message, code = check.call(link.core.rule, link.core, rule)
  if not id then return nil, message, code end
  local said = { text = text, id = id }
  link.rules_said = link.rules_said or {}
  link.rules_said[#link.rules_said + 1] = said
  local handle = hooks.handle(function()
    if link.net.closed then return end
    if link.net.closed then return end
    said.matched, said.answered = link.core:rule_counts(id)
    link.core:remove_rule(id)
  end)
  handle.link, handle.id = link, id
  handle.counts = function(self) return self.link.core:rule_counts(self.id) end
  return handle
end

--- What rules a link has had, in order: a list of texts, and how often each matched and answered.
-- @treturn {table,...} `text`, `matched`, `answered`
function M.said(link)
  local list = {}
  for i, said in ipairs(link.rules_said or {}) do
    local matched, answered = said.matched, said.answered
    if not matched then matched, answered = link.core:rule_counts(said.id) end
    list[i] = { text = said.text, matched = matched or 0, answered = answered or 0 }
  end
  return list
end

--- Adds the methods to the class of links.
function M.install(Link)
  --- A rule in Lua: `rule(segment)` gives nil (no answer), "pass", "drop", "mark", or a table with `drop`,
  -- `delay`, `duplicate`, `duplicate_delay`, `corrupt`, `mark`. With `match` only such packets wake it.
  -- @tparam function rule
  -- @tparam[opt] table match as for `drop`
  -- @treturn Handle `close`, `counts`
  function Link:rule(rule, match)
    check.callable(rule, "rule: function")
    local data = translate(self, match, MATCH_KEYS, "rule: match")
    local scheduler = self.net.scheduler
    data.ask = function(segment)
      scheduler.busy_hook = true
      local verdict = rule(segment)
      scheduler.busy_hook = nil
      return verdict
    end
    return install(self, data, text_of(self, "rule", match))
  end

  --- Drops packets: `link:drop { fin = true, nth = 1, from = client }`.
  -- @tparam table match flags by name (`syn = true`, `ack = false`) or `flags = "SA"`, `without`; `from`;
  --   `data`, `length`, `length_min`, `length_max`; `source_port`, `destination_port`; `seq` (holds that
  --   octet), `acking`; `first`, `retransmission`; `nth`, `every`, `times`, `chance`
  function Link:drop(match)
    local data = translate(self, match, MATCH_KEYS, "drop")
    data.drop = true
    return install(self, data, text_of(self, "drop", match))
  end

  --- Holds packets back by so many seconds: `link:delay { by = 0.05, data = true, nth = 1 }`.
  function Link:delay(match)
    local data = translate(self, match, DELAY_KEYS, "delay")
    data.delay = check.seconds(match and match.by, "delay: by")
    return install(self, data, text_of(self, "delay", match))
  end

  --- Doubles packets: `link:duplicate { copies = 1, after = 0.01, nth = 2 }`; the copies come `after` so many
  -- seconds.
  function Link:duplicate(match)
    local data = translate(self, match, DUPLICATE_KEYS, "duplicate")
    data.duplicate = match and match.copies or 1
    data.duplicate_delay = match and match.after
    return install(self, data, text_of(self, "duplicate", match))
  end

  --- Sets CE in packets of an ECN-capable transport; others go on as they are:
  -- `link:mark { data = true, nth = 1 }`.
  function Link:mark(match)
    local data = translate(self, match, MATCH_KEYS, "mark")
    data.mark = true
    return install(self, data, text_of(self, "mark", match))
  end

  --- Flips a burst of bits: `link:corrupt { bits = 1, data = true }`.
  function Link:corrupt(match)
    local data = translate(self, match, CORRUPT_KEYS, "corrupt")
    data.corrupt = match and match.bits or 1
    return install(self, data, text_of(self, "corrupt", match))
  end
end

return M
