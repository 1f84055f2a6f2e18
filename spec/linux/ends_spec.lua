-- Beginnings, ends and oddities of connections with the kernel's TCP.
local namespace = require "support.namespace"

for _, way in ipairs { "vxlan", "tun", "rawip" } do
  local needs <const> = namespace.WAYS[way]
  describe(("the kernel's TCP, through %s #linux"):format(way), function()
    local function it(title, ...) namespace.it(title, needs, ...) end

    for _, family in ipairs { 4, 6 } do
      it(("reads on when we have closed our half, IPv%d"):format(family), "ends.our_half_close", way, family)
      it(("is read on when it has closed its half, IPv%d"):format(family), "ends.their_half_close", way,
        family)
      it(("resets, and we hear of it, IPv%d"):format(family), "ends.their_reset", way, family)
      it(("hears of our reset, IPv%d"):format(family), "ends.our_reset", way, family)
      it(("refuses, and is refused, IPv%d"):format(family), "ends.refused", way, family)
      it(("sends and gets urgent data, IPv%d"):format(family), "ends.urgent", way, family)
      it(("closes its window, and opens it again, IPv%d"):format(family), "ends.their_zero_window", way,
        family)
      it(("waits while ours is closed, IPv%d"):format(family), "ends.our_zero_window", way, family)
      it(("answers our keep-alives, IPv%d"):format(family), "ends.keep_alive", way, family, "we")
      it(("has its keep-alives answered, IPv%d"):format(family), "ends.keep_alive", way, family, "it")
      for _, side in ipairs { "client", "server" } do
        local function as(title, ...) it(("%s, we as %s, IPv%d"):format(title, side, family), ...) end
        as("agrees on timestamps, SACK and window scale", "ends.agreed", way, family, side, "plain")
        as("opens fast the second time", "ends.fast_open", way, family, side)
        as("agrees on ECN", "ends.agreed", way, family, side, "ecn")
      end
    end
  end)
end
