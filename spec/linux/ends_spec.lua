-- Beginnings, ends and oddities of connections with the kernel's TCP.
local namespace = require "support.namespace"

local NEEDS <const> = { vxlan = { "vxlan", "ethtool" }, tun = { "tun" } }

for _, way in ipairs { "vxlan", "tun" } do
  describe(("the kernel's TCP, through %s #linux"):format(way), function()
    local function it(title, ...) namespace.it(title, NEEDS[way], ...) end

    for _, family in ipairs { 4, 6 } do
      it(("reads on when we have closed our half, IPv%d"):format(family), "ends.our_half_close", way, family)
      it(("is read on when it has closed its half, IPv%d"):format(family), "ends.their_half_close", way,
        family)
      it(("resets, and we hear of it, IPv%d"):format(family), "ends.their_reset", way, family)
      it(("hears of our reset, IPv%d"):format(family), "ends.our_reset", way, family)
      it(("refuses, and is refused, IPv%d"):format(family), "ends.refused", way, family)
    end
    it("sends and gets urgent data", "ends.urgent", way)
    it("closes its window, and opens it again", "ends.their_zero_window", way)
    it("waits while ours is closed", "ends.our_zero_window", way)
    it("answers our keep-alives", "ends.keep_alive", way, "we")
    it("has its keep-alives answered", "ends.keep_alive", way, "it")
    for _, side in ipairs { "client", "server" } do
      it("agrees on timestamps, SACK and window scale, we as " .. side, "ends.agreed", way, side, "plain")
      it("opens fast the second time, we as " .. side, "ends.fast_open", way, side)
      it("agrees on ECN, we as " .. side, "ends.agreed", way, side, "ecn")
    end
  end)
end
