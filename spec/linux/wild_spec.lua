-- Random dialogues between our TCP and the kernel's: who opens, how, settings of both ends, what they write,
-- read and end with, and what happens on the way are drawn from a seed (spec/linux/wild/plan.lua).
-- `LUNATCP_SEED=n` replays the plan that a failure names; time is real, so its packets may fall otherwise.
local namespace = require "support.namespace"
local plan = require "linux.wild.plan"

local SEEDS <const> = 20

describe("the kernel's TCP in a random dialogue #linux", function()
  local only = tonumber(os.getenv "LUNATCP_SEED")
  for seed = only or 1, only or SEEDS do
    local way = plan.way(seed)
    namespace.it(("gets and gives each octet, hears of each end and leaves nothing behind, seed %d by %s")
      :format(seed, way), namespace.WAYS[way], "wild.play", seed)
  end
end)
