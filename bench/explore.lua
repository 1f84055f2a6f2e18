-- bench/explore.lua: what an exploration costs.
--
-- A question, its answer and both closes, under every combination of delivery, loss, duplication and delay
-- of the first packets: the scene "request and response" of spec/support/scenes.lua. Processor time of one
-- exploration at each depth.
--
--   ./dev bench explore [--json]

local tcp = require "lunatcp"

local here = arg[0]:match "^(.*)/[^/]*$" or "."
local scene = dofile(here .. "/../spec/support/scenes.lua")["request and response"]
local as_json = arg[1] == "--json"

if not as_json then
  print(("%5s  %12s  %8s  %8s  %8s  %8s"):format("depth", "combinations", "runs", "states", "seconds",
    "runs/s"))
end
for _, depth in ipairs { 6, 8, 10, 11 } do
  local began = os.clock()
  local report = tcp.explore {
    scenario = scene.scenario, check = scene.check, network = { settings = scene.settings }, depth = depth,
    choices = { "deliver", "drop", "duplicate", "delay" },
  }
  local seconds = os.clock() - began
  if report.failure then error(tostring(report.failure)) end
  if as_json then
    print(('{"bench": "explore", "case": "depth %d", "metric": "runs", "value": %.0f, "unit": "runs/s"}')
      :format(depth, report.runs / seconds))
  else
    print(("%5d  %12.0f  %8d  %8d  %8.1f  %8.0f"):format(depth, report.combinations, report.runs,
      report.states, seconds, report.runs / seconds))
  end
end
