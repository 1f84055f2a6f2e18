-- examples/authenticated.lua, run as a person would.
local runner = require "examples.runner"

describe("examples/authenticated.lua", function()
  it("is believed with a key, changes it, and leaves the forger outside", function()
    local printed = runner.well "authenticated"
    assert.matches("^TCP MD5: 200000 octets\n", printed)
    assert.matches("\nthe forger: 2 wrong digests, 2 without; the connection is ESTABLISHED\n", printed)
    assert.matches("\nTCP%-AO: 200000 octets, signed by key 1\n", printed)
    assert.matches("\nTCP%-AO: 200000 octets, signed by key 2 at the end\n", printed)
    assert.matches("\n%d+ segments verified, 0 wrong; the forger: 4 dropped;", printed)
    assert.matches(" the connection is ESTABLISHED\nthe old key", printed)
    assert.matches("\nthe old key is gone: 1 left\n$", printed)
  end)
end)
