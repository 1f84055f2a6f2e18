-- Octets between our TCP and the kernel's, in namespaces of their own.
local namespace = require "support.namespace"

local COUNT <const> = 2000000
local LARGE <const> = 40000000

describe("the kernel's TCP, through vxlan #linux", function()
  for _, side in ipairs { "client", "server" } do
    for _, family in ipairs { 4, 6 } do
      namespace.it(("exchanges octets both ways, we as %s, IPv%d"):format(side, family), { "vxlan",
        "ethtool" },
        "transfers.both", "vxlan", side, family, "cubic", "none", 4 * COUNT)
    end
    for _, cc in ipairs { "reno", "cubic", "bbr" } do
      for _, impairment in ipairs { "loss", "reorder", "duplicate", "all" } do
        for _, family in ipairs { 4, 6 } do
          namespace.it(("exchanges octets with %s and %s, we as %s, IPv%d"):format(cc, impairment, side,
            family),
            { "vxlan", "ethtool" }, "transfers.both", "vxlan", side, family, cc, impairment, COUNT)
        end
      end
    end
    namespace.it("exchanges many octets with losses, reordering and duplicates, we as " .. side,
      { "vxlan", "ethtool" }, "transfers.both", "vxlan", side, side == "client" and 4 or 6, "cubic", "all",
      LARGE)
  end
  namespace.it("exchanges octets in datagrams of IPv6", { "vxlan", "ethtool" },
    "transfers.both", "vxlan", "client", 4, "cubic", "all", COUNT, 6)
end)

describe("the kernel's TCP, through a TUN device #linux", function()
  for _, side in ipairs { "client", "server" } do
    for _, family in ipairs { 4, 6 } do
      namespace.it(("exchanges octets both ways, we as %s, IPv%d"):format(side, family), { "tun" },
        "transfers.both", "tun", side, family, "cubic", "none", 4 * COUNT)
      namespace.it(("exchanges octets with losses and reordering, we as %s, IPv%d"):format(side, family),
        { "tun" },
        "transfers.both", "tun", side, family, "cubic", "all", COUNT)
    end
  end
  for _, family in ipairs { 4, 6 } do
    namespace.it(("takes and gives runs of segments as one, IPv%d"):format(family), { "tun" },
      "transfers.together", "tun", family, "auto", 4 * COUNT, "fewer")
    namespace.it(("takes and gives single packets where it is told to, IPv%d"):format(family), { "tun" },
      "transfers.together", "tun", family, "plain", COUNT, "not fewer")
  end
end)

describe("the kernel's TCP, through socat and a TUN device #linux", function()
  for _, side in ipairs { "client", "server" } do
    for _, family in ipairs { 4, 6 } do
      namespace.it(("exchanges octets by rawip, we as %s, IPv%d"):format(side, family), namespace.WAYS.rawip,
        "transfers.both", "rawip", side, family, "cubic", "all", COUNT)
    end
  end
end)
