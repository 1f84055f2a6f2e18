-- bench/behaviour.lua: what one flow gets out of a path, and how several share it.
--
-- Goodput: 100 Mbit/s, 10 ms each way, drop-tail of 250,000 octets, independent loss behind it on the way
-- of the data; a bulk transfer from a cold start, with the profile `linux` and ample buffers; beside each
-- row what Linux and ns-3 get there (bench/support/reference.lua). `law` is what the algorithm may reach at
-- that loss by its own law, and a median above it would be somebody else's share:
--   * newreno: 1.15 * 1.31 / sqrt(p) segments a round trip (Mathis and others 1997, each segment
--     acknowledged; the path's round trip without its queue);
--   * cubic: its response function is the greater of 1.054 * (RTT / p)^(3/4) segments (RFC 9438, equation
--     (6) with C = 0.4) and Reno's; at these losses and 20 ms that is Reno's, the Reno-friendly region. They
--     are for losses at equal distances. For random ones it is 1.15 times the mean of 1,000 ideal windows by
--     the RFC's equations (1) to (4) on that path (bench/support/law.lua), which is more than Reno's: W_est
--     gains a segment a round trip once it is past cwnd_prior, as Reno's window does, but each loss takes
--     three tenths of it, not half;
--   * bbr1: the link, less what is lost. bbr (version 3): that up to its loss threshold of 2 %, and above it
--     no more than it, since each round with more loss shrinks its upper bound (BBRLossThresh).
-- `own` holds each seed to the losses that it met: the greatest ratio of a seed's goodput to what an ideal
-- window gets that meets the same ones, packet by packet (bbr and bbr1: the link less those losses). No seed
-- may be above 1.15.
--
-- Fairness: flows that each start within two seconds, when the seed says; 60 s, counted without the first
-- sixth, half as many seeds; Jain's index, and the share of the first of them. What a sender sends comes to
-- the bottleneck up to one segment's time later, by chance: without that, whose segment finds the queue full
-- is a matter of phase and not of the algorithm (Floyd and Jacobson 1991).
--
--   ./dev bench behaviour [--json] [--seeds=10] [--seconds=20] [--fairness=60] [--only=goodput|fairness]
--                         [--cc=cubic] [--rate=100e6]
--
-- In virtual time: the same on every machine. It takes some minutes.

local here <const> = arg[0]:match "^(.*)/" or "."
package.path = here .. "/support/?.lua;" .. package.path
local flows, reference, report = require "flows", require "reference", require "report"
local laws = require "law"

local options <const> = report.options(arg, {
  seeds = 10, seconds = 20, only = "", cc = "", fairness = 60, rate = 100e6,
})

local RATE <const>, DELAY <const>, SEGMENT <const> = options.rate, 0.010, 1448
local QUEUE <const> = math.floor(RATE * 0.020 / 8) -- octets: another round trip
local COMPARABLE <const> = RATE == 100e6           -- with the figures of others
local IDEAL_RUNS <const> = 1000
local CONTROLS <const> = { "newreno", "cubic", "bbr1", "bbr" }

local function table_line(...)
  if not options.json then print((...):format(select(2, ...))) end
end

local PATH <const> = {
  rate = RATE, delay = DELAY, queue = QUEUE, segment = SEGMENT, seconds = options.seconds,
}
local LINK <const> = RATE * SEGMENT / 1500 / 1e6 -- Mbit/s that the link can carry of data

-- Mbit/s.
local function law(control, loss)
  if loss == 0 then return LINK end
  local mean = laws.ideal(control, loss, PATH, IDEAL_RUNS)
  if not mean then return LINK * (1 - loss) end
  local reno = 1.31 / math.sqrt(loss) * SEGMENT * 8 / (2 * DELAY)
  return math.min(LINK, 1.15 * (control == "newreno" and reno or mean) / 1e6)
end

-- A seed's goodput to that of an ideal window that meets the same losses.
local function by_own_losses(control, loss, seed, goodput, counters)
  if loss == 0 then return goodput / LINK end
  -- An ideal window may send more than ours did.
  local ideal = laws.on(control, flows.lots(seed, loss, math.ceil(1.5 * counters.packets) + 200), PATH)
  return goodput / (ideal and ideal / 1e6 or LINK * (1 - counters.dropped.loss / counters.packets))
end

-- ---- goodput ----------------------------------------------------------------------------------

local function goodput(control, column, loss)
  local values, again, own = {}, {}, 0
  for seed = 1, options.seeds do
    local results, counters = flows.run {
      seed = seed, seconds = options.seconds, rate = RATE, delay = DELAY, queue = { bytes = QUEUE },
      loss = loss, flows = { { congestion = control } },
    }
    values[seed] = results[1].goodput / 1e6
    again[seed] = results[1].info.segments_retransmitted
    own = math.max(own, by_own_losses(control, loss, seed, values[seed], counters))
  end
  local least, median, greatest = report.spread(values)
  local _, resent = report.spread(again)
  local linux = COMPARABLE and reference.linux[control] and reference.linux[control][column] or nil
  local allowed = law(control, loss)
  local ns3 = COMPARABLE and reference.ns3[control] and reference.ns3[control][column] or nil
  if options.json then
    report.json("bench", "behaviour", "case", control, "loss", loss, "metric", "goodput_bps",
      "value", median * 1e6, "least", least * 1e6, "greatest", greatest * 1e6, "unit", "bit/s",
      "versus", linux and "Linux 6.18", "versus_value", linux and linux[2] * 1e6,
      "ratio", linux and median / linux[2], "law", allowed * 1e6, "own_losses", own)
    return
  end
  print(("  %-8s %5.1f %% %8.2f %8.2f %8.2f   %-20s %-6s %6s %7.2f %6.3f %7.0f"):format(control, loss * 100,
    least, median, greatest, linux and ("%.2f %.2f %.2f"):format(table.unpack(linux)) or "",
    ns3 and ("%.2f"):format(ns3) or "", linux and ("%.3f"):format(median / linux[2]) or "",
    allowed, own, resent))
end

local function all_goodputs()
  table_line("behaviour: goodput of one flow in Mbit/s, %d seeds, %g s", options.seeds, options.seconds)
  table_line("  %-8s %7s %8s %8s %8s   %-20s %-6s %6s %7s %6s %7s", "control", "loss", "least", "median",
    "most", "Linux 6.18", "ns-3", "ratio", "law", "own", "resent")
  for _, control in ipairs(CONTROLS) do
    if options.cc == "" or options.cc == control then
      for column, loss in ipairs(reference.LOSSES) do goodput(control, column, loss) end
    end
  end
end

-- ---- fairness ---------------------------------------------------------------------------------

local function many(control, count, delay)
  local list = {}
  for i = 1, count do
    list[i] = { congestion = control, delay = delay and delay[i] }
  end
  return list
end

local SCENES <const> = {
  { "two newreno", many("newreno", 2) }, { "ten newreno", many("newreno", 10) },
  { "two cubic", many("cubic", 2) }, { "ten cubic", many("cubic", 10) },
  { "two bbr1", many("bbr1", 2) }, { "ten bbr1", many("bbr1", 10) },
  { "two bbr", many("bbr", 2) }, { "ten bbr", many("bbr", 10) },
  { "cubic, newreno", { { congestion = "cubic" }, { congestion = "newreno" } } },
  { "bbr, cubic", { { congestion = "bbr" }, { congestion = "cubic" } } },
  { "bbr1, cubic", { { congestion = "bbr1" }, { congestion = "cubic" } } },
  { "newreno, 20 and 60 ms", many("newreno", 2, { 0, 0.020 }) },
  { "cubic, 20 and 60 ms", many("cubic", 2, { 0, 0.020 }) },
  { "bbr, 20 and 60 ms", many("bbr", 2, { 0, 0.020 }) },
}

-- The flows of a scene, each begun within two seconds when the seed says.
local function begun(list, seed)
  local result = {}
  for i, flow in ipairs(list) do
    math.randomseed(seed, i)
    result[i] = { congestion = flow.congestion, delay = flow.delay, start = 2 * math.random() }
  end
  return result
end

local function fairness(name, list)
  local indices, totals, shares = {}, {}, {}
  for seed = 1, math.max(1, options.seeds // 2) do
    local results = flows.run {
      seed = seed, seconds = options.fairness, from = options.fairness / 6, rate = RATE, delay = DELAY,
      queue = { bytes = QUEUE }, flows = begun(list, seed), jitter = 1500 * 8 / RATE,
    }
    local goodputs, sum = {}, 0
    for i, result in ipairs(results) do
      goodputs[i] = result.goodput / 1e6
      sum = sum + goodputs[i]
    end
    indices[seed], totals[seed], shares[seed] = report.jain(goodputs), sum, goodputs[1] / sum
  end
  local least, median, greatest = report.spread(indices)
  local _, total = report.spread(totals)
  local _, share = report.spread(shares)
  if options.json then
    report.json("bench", "behaviour", "case", name, "metric", "jain_index", "value", median, "least", least,
      "greatest", greatest, "unit", "", "total_bps", total * 1e6, "share_of_first", share)
  else
    print(("  %-24s %8.3f %8.3f %8.3f %10.2f %12.2f"):format(name, least, median, greatest, total, share))
  end
end

local function all_fairness()
  table_line("behaviour: Jain's index of flows, from %g to %g s; the total in Mbit/s, the share of the first",
    options.fairness / 6, options.fairness)
  table_line("  %-24s %8s %8s %8s %10s %12s", "flows", "least", "median", "most", "total", "first")
  for _, scene in ipairs(SCENES) do
    local of_control = options.cc == ""
    for _, flow in ipairs(scene[2]) do of_control = of_control or flow.congestion == options.cc end
    if of_control then fairness(scene[1], scene[2]) end
  end
end

if options.only ~= "fairness" then all_goodputs() end
if options.only ~= "goodput" then all_fairness() end
