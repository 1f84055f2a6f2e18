--- What a link does and has done, in words: for captures.
-- @module lunatcp.describe

local rules = require "lunatcp.rules"

local M = {}

local DROPS <const> = { "loss", "rule", "queue", "aqm", "mtu", "down", "memory", "route", "ttl" }
local COUNTS <const> = { "duplicated", "corrupted", "delayed", "marked" }

local function number(value) return ("%.9g"):format(value) end

local function loss_text(loss)
  if type(loss) == "number" then return loss > 0 and "loss " .. number(loss) or nil end
  if loss.list then return "loss of packets " .. table.concat(loss.list, ",") end
  if loss.pattern then return "loss pattern " .. loss.pattern end
  return ("loss gilbert to_bad %s to_good %s loss_good %s loss_bad %s"):format(number(loss.to_bad),
    number(loss.to_good), number(loss.loss_good), number(loss.loss_bad))
end

local function queue_text(queue)
  local words = {}
  if queue.kind and queue.kind ~= "drop_tail" then words[1] = queue.kind end
  for _, unit in ipairs { "packets", "bytes" } do
    local limit = queue[unit]
    if limit and limit > 0 then words[#words + 1] = ("%d %s"):format(limit, unit) end
  end
  return words[1] and "queue " .. table.concat(words, " ")
end

-- One direction: only what it does.
local function path_text(path)
  local words = {}
  local function add(text) words[#words + 1] = text end
  local function positive(key, form)
    local value = path[key]
    if value and value > 0 then add(form:format(number(value))) end
  end
  positive("delay", "delay %s s")
  positive("jitter", "jitter %s s")
  positive("rate", "rate %s bit/s")
  if path.opportunities then add(("rate of %d opportunities"):format(#path.opportunities)) end
  local queue = queue_text(path.queue)
  if queue then add(queue) end
  positive("mtu", "mtu %s")
  local loss = loss_text(path.loss)
  if loss then add(loss) end
  positive("duplicate", "duplicate %s")
  positive("corrupt", "corrupt %s")
  positive("reorder", "reorder %s")
  if path.reorder > 0 then positive("reorder_delay", "by %s s") end
  positive("mark", "mark %s")
  if #words == 0 then return "nothing" end
  return ("%s (seed %d, stream %016x)"):format(table.concat(words, ", "), path.seed, path.stream)
end

--- "forward: loss 0.01 (seed 7, stream ...); back: nothing; rules: drop { nth = 2 }"
-- @tparam Link link
-- @treturn string
function M.link(link)
  local parts = {
    "forward: " .. path_text(link.core:configuration(1)), "back: " .. path_text(link.core:configuration(2)),
  }
  local texts = {}
  for i, said in ipairs(rules.said(link)) do texts[i] = said.text end
  if texts[1] then parts[3] = "rules: " .. table.concat(texts, ", ") end
  return table.concat(parts, "; ")
end

local function counts_text(counters)
  local words = { ("%d packets, %d delivered"):format(counters.packets, counters.delivered) }
  for _, reason in ipairs(DROPS) do
    local count = counters.dropped[reason]
    if count and count > 0 then words[#words + 1] = ("%d dropped: %s"):format(count, reason) end
  end
  for _, key in ipairs(COUNTS) do
    if counters[key] > 0 then words[#words + 1] = ("%d %s"):format(counters[key], key) end
  end
  return table.concat(words, ", ")
end

--- "forward: 100 packets, 98 delivered, 2 dropped: loss; back: ...; rules: drop { nth = 2 } 1 of 3"
function M.counts(link)
  local parts = {
    "forward: " .. counts_text(link.core:counters(1)), "back: " .. counts_text(link.core:counters(2)),
  }
  local texts = {}
  for i, said in ipairs(rules.said(link)) do
    texts[i] = ("%s %d of %d"):format(said.text, said.answered, said.matched)
  end
  if texts[1] then parts[3] = "rules: " .. table.concat(texts, ", ") end
  return table.concat(parts, "; ")
end

return M
