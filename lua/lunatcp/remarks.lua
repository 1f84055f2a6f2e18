--- What algorithms say of their work, as sentences: records of kind "remark" and "detail".
-- @module lunatcp.remarks

local M = {}

local HEADS <const> = {
  response = "response to", undo = "undo", frto = "F-RTO", tail_probe = "tail loss probe",
  reordering = "reordering", limited_transmit = "limited transmit", reneged = "SACK reneged",
  congestion = "congestion control", validation = "window", ecn = "ECN", fast_open = "fast open",
  path_mtu = "path MTU", pacing = "paced", app_limited = "application-limited", rate = "delivery rate",
  prr = "PRR",
}

local HUGE <const> = 1 << 30 -- a threshold that is not set yet

local function octets(name)
  return function(value) return value < HUGE and ("%s %d"):format(name, value) or nil end
end

local function rate(name)
  return function(value) return value > 0 and ("%s %.3g Mbit/s"):format(name, value / 1e6) or nil end
end

local function time(format)
  return function(value) return format:format(value) end
end

-- In this order; what is not listed (sequence numbers) is told by the packets.
local NUMBERS <const> = {
  { "cwnd", octets "cwnd" }, { "ssthresh", octets "ssthresh" }, { "pipe_ack", octets "pipeACK" },
  { "pipe", octets "in flight" }, { "allowed", octets "may leave" }, { "octets", octets "octets" },
  { "size", octets "size" }, { "path_mtu", octets "now" },
  { "reordering_window", time "window %.3g s" }, { "until_", time "until %.6f s" },
  { "delivery_rate", rate "of" }, { "pacing_rate", rate "paced at" },
}

-- Whose numbers add nothing.
local BARE <const> = { frto = true, tail_probe = true, ecn = true, limited_transmit = true, reneged = true }

--- "undo: F-RTO; cwnd 14600, ssthresh 7300".
-- @tparam table event a record with `remark`, `text` and its numbers
-- @treturn string
function M.sentence(event)
  local parts = {}
  for _, number in ipairs(BARE[event.remark] and {} or NUMBERS) do
    local value = event[number[1]]
    if value then parts[#parts + 1] = number[2](value) end
  end
  local head = HEADS[event.remark] or event.remark
  if event.text then head = head .. (event.remark == "response" and " " or ": ") .. event.text end
  return #parts > 0 and head .. "; " .. table.concat(parts, ", ") or head
end

return M
