-- Faults around a tunnel that only a real system has.
local namespace = require "support.namespace"

describe("a tunnel to the kernel #linux", function()
  local function it(title, ...) namespace.it(title, { "vxlan", "ethtool" }, ...) end

  it("waits when its device is slow, and loses nothing", "faults.full_buffer")
  it("tells our TCP when the path becomes narrower: EMSGSIZE", "faults.narrower")
  it("goes on after it was forbidden to send: EACCES", "faults.forbidden")
  it("goes on after its device was down", "faults.down_and_up")
  namespace.it("goes on after its TUN device was down", { "tun" }, "faults.tun_down_and_up")
  namespace.it("gives up when its TUN device is removed, without spinning", { "tun" }, "faults.tun_removed")
  it("goes on after our process was suspended", "faults.suspended")
  it("gives up when the other end's namespace is gone, without spinning", "faults.vanishes")
end)
