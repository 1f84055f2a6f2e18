-- bench/lua_rule.lua: what a rule costs for each packet that meets it.
--
-- A peer throws the same 4,096 segments onto a link again and again, on which all are lost, so that
-- little else is measured: in turn without a rule, with rules that are said as data and evaluated in
-- C, and with rules in Lua that look at nothing, at one field, and at what scripts ask. None of them
-- ever answers. The first row is a packet without a rule; the others are what the rule adds to it.
-- Processor time; medians of interleaved repetitions.
--
--   ./dev bench lua_rule [--json]

local tcp = require "lunatcp"

local PACKETS <const> = 4096
local ROUNDS <const> = 5
local REPETITIONS <const> = 15
local MOST <const> = 1 << 40 -- more matches than there will be

local cases <const> = {
  { "no rule", "packet_ns", function() end },
  { "as data, no packet matches", "declarative_rule_ns", function(link)
    return link:drop { fin = true, nth = MOST }
  end },
  { "as data, all match", "declarative_rule_ns", function(link)
    return link:drop { ack = true, nth = MOST }
  end },
  { "Lua, woken for fin only", "lua_rule_ns", function(link)
    return link:rule(function() return nil end, { fin = true })
  end },
  { "Lua, looks at nothing", "lua_rule_ns", function(link)
    return link:rule(function() return nil end)
  end },
  { "Lua, segment.seq", "lua_rule_ns", function(link)
    return link:rule(function(segment)
      if segment.seq == -1 then return "drop" end
    end)
  end },
  { "Lua, .flags.fin and .first", "lua_rule_ns", function(link)
    return link:rule(function(segment)
      if segment.flags.fin and segment.first then return "drop" end
    end)
  end },
}

-- A network with one rule, and its packets.
local function open(case)
  local net = tcp.network { seed = 1 }
  local a, b = net:peer "a", net:peer "b"
  local link = net:link(a, b, { loss = 1 })
  case[3](link)
  local packets = {}
  for i = 1, PACKETS do
    packets[i] = tcp.encode {
      source = a:address(b), destination = b:address(a), source_port = 1, destination_port = 2,
      seq = i * 100, flags = "A", payload = ("x"):rep(100),
    }
  end
  return { net = net, sender = a.core, packets = packets }
end

-- Nanoseconds a packet.
local function run(world)
  local net, sender, packets = world.net, world.sender, world.packets
  local start = os.clock()
  for _ = 1, ROUNDS do
    for i = 1, PACKETS do sender:send(packets[i]) end
    net:run { until_ = net:now() + 0.001 }
  end
  return (os.clock() - start) * 1e9 / (ROUNDS * PACKETS)
end

local function median(values)
  table.sort(values)
  return (values[(#values + 1) // 2] + values[#values // 2 + 1]) / 2
end

local worlds, samples = {}, {}
for i, case in ipairs(cases) do
  worlds[i], samples[i] = open(case), {}
  run(worlds[i])
end
for _ = 1, REPETITIONS do
  for i, world in ipairs(worlds) do table.insert(samples[i], run(world)) end
end

local json <const> = arg[1] == "--json"
if not json then
  print("lua_rule")
  print(("  %-29s %-28s %12s %12s  %-10s %s"):format("case", "metric", "median", "best", "unit", "versus"))
end
local bare <const> = median(samples[1])
local best <const> = samples[1][1]
for i, case in ipairs(cases) do
  local value, best_added = median(samples[i]), samples[i][1]
  if i > 1 then value, best_added = value - bare, best_added - best end
  if json then
    print(('{"bench": "lua_rule", "case": "%s", "metric": "%s", "value": %.1f, "best": %.1f, '
      .. '"unit": "ns", "versus": "a packet without a rule", "versus_value": %.1f, "ratio": %.3f}')
      :format(case[1], case[2], value, best_added, bare, value / bare))
  else
    print(("  %-29s %-28s %12.1f %12.1f  %-10s %.2f x a packet without a rule (%.1f)")
      :format(case[1], case[2], value, best_added, "ns", value / bare, bare))
  end
end
