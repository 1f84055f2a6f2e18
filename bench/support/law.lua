--- What an algorithm may get out of a path by its own equations, and nothing else.
--
-- A window that knows each loss a round trip later: each segment lost by chance, one reduction for all
-- losses of a round, no growth in the round that repairs them, no timeout, nothing sent twice. NewReno by
-- RFC 5681, CUBIC by RFC 9438, equations (1) to (4), and fast convergence; slow start without HyStart++.
-- @module law

local M = {}

local BETA <const> = { newreno = 0.5, cubic = 0.7 }
local C <const> = 0.4
local ALPHA <const> = 3 * (1 - 0.7) / (1 + 0.7) -- equation (4)

-- One round trip of congestion avoidance: the new window.
local function avoid(control, s, now, rtt)
  if control == "newreno" then return s.cwnd + 1 end
  if not s.epoch then
    s.epoch, s.w_est = now, s.cwnd
    if s.w_max <= s.cwnd then s.w_max = s.cwnd end
    s.k = ((s.w_max - s.cwnd) / C) ^ (1 / 3)
  end
  s.w_est = s.w_est + (s.w_est >= s.cwnd_prior and 1 or ALPHA)
  local function w_cubic(t) return C * (t - s.k) ^ 3 + s.w_max end
  local t = now + rtt - s.epoch
  if w_cubic(t) < s.w_est then return math.max(s.cwnd, s.w_est) end
  return math.max(s.cwnd, math.min(1.5 * s.cwnd, w_cubic(t + rtt)))
end

local function reduce(control, s)
  s.cwnd_prior, s.epoch = s.cwnd, nil
  s.w_max = s.cwnd < s.w_max and s.cwnd * (1 + BETA.cubic) / 2 or s.cwnd -- fast convergence
  s.cwnd = math.max(2, s.cwnd * BETA[control])
  s.ssthresh = s.cwnd
end

-- How many of n segments are lost, and the first of them: the distances between losses are geometric.
local function losses(n, chance)
  local count, first, at, scale = 0, nil, 0, math.log(1 - chance)
  while true do
    at = at + 1 + math.log(1 - math.random()) // scale
    if at > n then return count, first end
    count, first = count + 1, first or at
  end
end

-- `lost_of(n)`: how many of the next n segments are lost, and which is the first.
local function run(control, path, lost_of)
  local pipe = path.rate * 2 * path.delay / 8 / 1500 -- segments
  local room = pipe + path.queue / 1500
  local s = { cwnd = 10, ssthresh = math.huge, w_max = 0, cwnd_prior = 0 }
  local now, delivered, repairing = 0, 0, false
  while now < path.seconds do
    local sent <const> = math.floor(s.cwnd)
    local rtt <const> = 2 * path.delay * math.max(1, sent / pipe)
    local lost, first = lost_of(sent)
    if sent > room then
      lost = math.min(sent, lost + sent - math.floor(room))
      first = first or math.floor(room) + 1
    end
    delivered = delivered + sent - lost
    if lost > 0 then
      -- In slow start those before the first loss have let the flight grow by the time it is seen.
      if s.cwnd < s.ssthresh then s.cwnd = math.min(s.cwnd + first - 1, s.ssthresh) end
      reduce(control, s)
    elseif not repairing then
      s.cwnd = s.cwnd < s.ssthresh and math.min(2 * s.cwnd, s.ssthresh) or avoid(control, s, now, rtt)
    end
    repairing = lost > 0
    now = now + rtt
  end
  return delivered * path.segment * 8 / now
end

--- The mean goodput of many such runs, in bits a second; nil for what has no such law here.
-- @string control "newreno" or "cubic"
-- @number loss above 0
-- @tparam table path `rate`, `delay` (one way), `queue` (octets), `segment` (octets), `seconds`
-- @int runs
function M.ideal(control, loss, path, runs)
  if not BETA[control] or loss == 0 then return nil end
  local sum = 0
  for seed = 1, runs do
    math.randomseed(seed, 0)
    sum = sum + run(control, path, function(n) return losses(n, loss) end)
  end
  return sum / runs
end

--- The goodput of such a run that meets the losses of another: the n-th segment sent is lost where
-- the n-th packet was; nil for what has no such law here.
-- @tparam {[integer]=boolean} lots by number of the packet, from 1: the SYN's
function M.on(control, lots, path)
  if not BETA[control] then return nil end
  local number = 2 -- the SYN, and the ACK of the handshake
  return run(control, path, function(n)
    local count, first = 0, nil
    for i = 1, n do
      if lots[number + i] then count, first = count + 1, first or i end
    end
    number = number + n
    return count, first
  end)
end

return M
