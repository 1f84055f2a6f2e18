-- examples/explore.lua, run as a person would.
local runner = require "examples.runner"

describe("examples/explore.lua", function()
  local printed, complained, status
  setup(function() printed, complained, status = runner.run("explore", { "5" }) end)

  it("explores what is well to its end", function()
    assert.equal("", complained)
    assert.equal(0, status)
    assert.matches("%d+ runs stand for 1024: 4 choices at each of the first 5 packets\n", printed)
    assert.matches("\n%d+ runs met a state again; %d+ states were told apart\n", printed)
    assert.matches("\n1[01] of 11 states, 1%d of 28 transitions of RFC 9293 section 3%.10\n", printed)
    assert.matches("\nnever gone through: [^\n]*LISTEN > SYN%-SENT", printed)
  end)

  it("shows how little makes the other program fail, with its ladder", function()
    assert.matches("\nfailed: drop: the message has 536 octets instead of 800\n", printed)
    local plain = runner.plain(printed)
    for _, row in ipairs {
      "0.000000 SYN-SENT SYN seq 0 <mss 1460 ws 3 sackOK> X rule",
      "1.020000 FIN-WAIT-1 ACK seq 1 ack 1 len 536 > ESTABLISHED",
      "1.140000 FIN-WAIT-1 FIN,PSH,ACK seq 537 ack 1 len 264 > CLOSE-WAIT",
    } do
      assert(plain:find(" " .. row .. "\n", 1, true) or plain:find("\n" .. row .. "\n", 1, true),
        row .. "\n" .. plain)
    end
  end)

  it("says the same each time", function()
    assert.equal(printed, (runner.run("explore", { "5" })))
  end)

  it("refuses a depth that is none", function()
    local _, message, code = runner.run("explore", { "deep" })
    assert.equal(1, code)
    assert.equal("usage: explore.lua [DEPTH]\n", message)
  end)
end)
