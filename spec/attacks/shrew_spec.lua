-- Low-rate bursts that meet the retransmissions of a timeout (Kuzmanovic and Knightly, 2003): a link that
-- drops everything for 150 ms in each second, which is the least timeout of RFC 6298.
local lab = require "support.lab"

-- How much arrives in twenty seconds, with a short outage every `period` seconds.
local function under_attack(profile, settings, period)
  local options = { network = { profile = profile }, client = settings, link = { delay = 0.01, rate = 8e6 } }
  local net, client, server = lab.connected(options)
  net:spawn(function()
    while client:write(("x"):rep(65536)) do end
  end)
  net:spawn(function()
    while server:read(65536) do end
  end)
  local ends = net:now() + 20
  while net:now() < ends do
    net.wire:down()
    net:run { until_ = net:now() + 0.15 }
    net.wire:up()
    net:run { until_ = net:now() + period - 0.15 }
  end
  local info = client:info()
  return info.bytes_acked, info
end

describe("shrew timing", function()
  it("RFC6298:2-6 RFC6298:5-6 starves who waits 1 s, then 2, 4 and 8: each retransmission meets a burst",
    function()
      local got, info = under_attack("rfc", {}, 1)
      assert.equal(4, info.timeouts)
      assert.equal(0, got)
    end)

  it("is met by RACK-TLP and a shorter least timeout, which try again between the bursts", function()
    local slow = under_attack("rfc", {}, 1)
    local quick = under_attack("linux", {}, 1)
    assert.is_true(quick > slow, quick .. " " .. slow)
  end)

  it("RFC6298:5-1 no timeout falls below rto_min, which a host may set, and which doubles", function()
    local _, info = under_attack("rfc", { rto_min = 0.3 }, 1)
    assert.is_true(info.rto >= 0.3)
    local better = under_attack("rfc", { rto_min = 0.3 }, 1)
    local slow = under_attack("rfc", {}, 1)
    assert.is_true(better > slow, better .. " " .. slow)
  end)
end)
