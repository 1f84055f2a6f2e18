-- TCP MD5 with the kernel's own, which has had it since 2.6.20: both sides sign, and both verify.
local core = require "lunatcp.core"
local namespace = require "support.namespace"

if not core.crypto() then return end

describe("the kernel's TCP MD5 #linux", function()
  for _, side in ipairs { "client", "server" } do
    for _, family in ipairs { 4, 6 } do
      namespace.it(("RFC2385:2-2 exchanges octets both ways, we as %s, IPv%d"):format(side, family),
        { "tun" }, "authentication.both", "tun", side, family, 500000)
    end
    namespace.it(("RFC2385:2-4 is deaf to another key, we as %s"):format(side), { "tun" },
      "authentication.strangers", "tun", side, 4, "another secret")
    namespace.it(("RFC2385:2-1 is deaf to the unsigned, we as %s"):format(side), { "tun" },
      "authentication.strangers", "tun", side, 4, "")
  end
  namespace.it("RFC2385:2-2 exchanges octets through vxlan", { "vxlan", "ethtool" },
    "authentication.both", "vxlan", "client", 4, 500000)
  namespace.it("RFC2385:4.1-1 believes our reset where nobody listens", { "tun" },
    "authentication.refused", "tun", 4)
end)
