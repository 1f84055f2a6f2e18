-- bench/kernel.lua: one stream to the kernel's TCP and one from it, through its vxlan device and through a
-- TUN device (with runs of segments as one, and plain: packet by packet), beside the kernel's TCP at both
-- ends of the like. In network namespaces of its own; takes root.
--
--   ./dev bench kernel [--json] [--megabytes=256] [--turns=3]
local here <const> = arg[0]:match "^(.*)/" or "."
package.path = here .. "/support/?.lua;" .. here .. "/../spec/?.lua;" .. package.path
local namespace, report = require "support.namespace", require "report"

local options <const> = report.options(arg, { megabytes = 256, turns = 3 })
local COUNT <const> = options.megabytes << 20

-- Gbit/s of so many turns, and the nanoseconds of processor time for a byte: medians.
local function measure(scene, way)
  local rates, costs = {}, {}
  for i = 1, options.turns do
    local printed, ok = namespace.scene("speed." .. scene, way, COUNT)
    local ns, cpu = printed:match "took%s+(%d+)%s+(%d+)"
    assert(ok and ns, printed)
    rates[i], costs[i] = COUNT * 8 / tonumber(ns), (tonumber(cpu) or 0) / COUNT
  end
  return (select(2, report.spread(rates))), (select(2, report.spread(costs)))
end

local function print_row(way, direction, rate, cost, kernel)
  if options.json then
    local metric <const> = direction == "send" and "kernel_send_bps" or "kernel_receive_bps"
    local name <const> = "kernel/" .. way:gsub(" ", "_")
    report.json("bench", name, "metric", metric, "value", rate * 1e9, "unit", "bit/s", "versus",
      "the kernel at both ends", "ratio",
      rate / kernel)
    return
  end
  print(("%-9s %-8s %10.3f %12.3f %7.2f %10.3f"):format(way, direction, rate, kernel, rate / kernel, cost))
end

if not options.json then
  print(("kernel: one stream, %d MiB\n%-9s %-8s %10s %12s %7s %10s"):format(options.megabytes, "way", "we",
    "Gbit/s", "kernel alone", "ratio", "our ns/B"))
end
for _, way in ipairs { "vxlan", "tun", "tun plain" } do
  local why = namespace.lacks(way:match "%a+", "ethtool")
  if why then
    io.stderr:write(("  %s: not measured: %s\n"):format(way, why))
  else
    local kernel = measure("kernel", way)
    for _, direction in ipairs { "send", "receive" } do
      local rate, cost = measure(direction, way)
      print_row(way, direction, rate, cost, kernel)
    end
  end
end
