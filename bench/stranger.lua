-- bench/stranger.lua: ten million random and mutated datagrams at an open tunnel, a quarter of them for each
-- framing, from a stranger and then from the peer itself. Nothing but counters may move: it fails when memory
-- grew, a stranger had a connection, or an invariant is broken (builds that check).
--
--   ./dev bench stranger [--json] [--count=10000000]
local here <const> = arg[0]:match "^(.*)/" or "."
package.path = here .. "/support/?.lua;" .. package.path
local report, stranger = require "report", require "stranger"

local options <const> = report.options(arg, { count = 10000000 })
local SLACK <const> = 65536 -- octets: a connection, and what it has to say
local failed = false

for _, framing in ipairs(stranger.FRAMINGS) do
  for _, who in ipairs { "stranger", "peer" } do
    local got = stranger.attack {
      framing = framing, peer = who == "peer",
      count = math.max(1000, options.count // (2 * #stranger.FRAMINGS)),
    }
    -- What a peer sends may by chance be right: a SYN from its one port opens one connection.
    local allowed = who == "peer" and 1 or 0
    local calm = got.after - got.before <= allowed * SLACK and got.host.connections <= allowed
      and got.peers == 1 and not got.problem
    failed = failed or not calm
    if options.json then
      local row = '{"bench": "stranger", "case": "%s, %s", "metric": "growth", "value": %d, "unit": "bytes"}'
      print(row:format(framing, who, got.after - got.before))
    else
      print(("%-9s %-9s %9d datagrams  %5.2f us each  memory %d, then %d  %s"):format(framing, who, got.sent,
        got.seconds / got.sent * 1e6, got.before, got.after, calm and "calm" or "NOT CALM"))
    end
  end
end
os.exit(not failed)
