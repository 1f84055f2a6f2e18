-- Whatever befalls the first packets of an exchange, it ends as it should: every combination of delivery,
-- loss, duplication and delay. Deeper explorations are examples/explore.lua.
local scenes = require "support.scenes"
local tcp = require "lunatcp"

local CHOICES <const> = { "deliver", "drop", "duplicate", "delay" }

-- How many packets meet a choice, and what has to be gone through on the way.
local DEPTHS <const> = {
  { "handshake", 7, { "SYN-SENT > ESTABLISHED", "SYN-RECEIVED > ESTABLISHED" } },
  { "simultaneous open", 7, { "SYN-SENT > SYN-RECEIVED", "SYN-RECEIVED > ESTABLISHED" } },
  { "request and response", 6, { "FIN-WAIT-1 > FIN-WAIT-2", "CLOSE-WAIT > LAST-ACK", "LAST-ACK > CLOSED" } },
  { "request and response, with timestamps", 5, { "FIN-WAIT-2 > TIME-WAIT" } },
  { "close by the client", 6, { "CLOSE-WAIT > LAST-ACK", "FIN-WAIT-2 > TIME-WAIT", "TIME-WAIT > CLOSED" } },
  { "close by the server", 6, { "CLOSE-WAIT > LAST-ACK", "FIN-WAIT-2 > TIME-WAIT", "TIME-WAIT > CLOSED" } },
  { "both close at once", 6, { "FIN-WAIT-1 > CLOSING", "CLOSING > TIME-WAIT", "TIME-WAIT > CLOSED" } },
  { "abort", 6, { "ESTABLISHED > CLOSED" } },
  { "TIME-WAIT", 5, { "TIME-WAIT > CLOSED", "LAST-ACK > CLOSED" } },
  { "TIME-WAIT, with timestamps", 5, { "TIME-WAIT > CLOSED", "LAST-ACK > CLOSED" } },
  { "zero window", 6, { "LAST-ACK > CLOSED" } },
  { "giving up", 6, { "SYN-RECEIVED > CLOSED" } },
}

describe("every combination of choices", function()
  for _, entry in ipairs(DEPTHS) do
    local name, depth, expected = table.unpack(entry)
    it(("at the first %d packets: %s"):format(depth, name), function()
      local scene = scenes[name]
      local report = tcp.explore {
        scenario = scene.scenario, check = scene.check, network = { settings = scene.settings },
        depth = depth, choices = CHOICES,
      }
      assert.is_nil(report.failure and tostring(report.failure))
      assert.is_true(report.complete)
      local gone = {}
      for _, change in ipairs(report.coverage.transitions) do gone[change] = true end
      for _, change in ipairs(expected) do assert.is_true(gone[change], change) end
    end)
  end

  it("only changes states as RFC 9293 section 3.10 names it, and goes through all states", function()
    local states, transitions = {}, {}
    for _, entry in ipairs(DEPTHS) do
      local scene = scenes[entry[1]]
      local coverage = tcp.explore {
        scenario = scene.scenario, network = { settings = scene.settings }, depth = 3, choices = CHOICES,
      }.coverage
      for _, state in ipairs(coverage.states) do states[state] = true end
      for _, change in ipairs(coverage.transitions) do transitions[change] = true end
    end
    for _, state in ipairs(tcp.states) do assert.is_true(states[state], state) end
    local named = { -- sections 3.10.1 to 3.10.8; CLOSED may follow anything
      ["CLOSED > LISTEN"] = true, ["CLOSED > SYN-SENT"] = true, ["LISTEN > SYN-RECEIVED"] = true,
      ["LISTEN > SYN-SENT"] = true, ["SYN-SENT > SYN-RECEIVED"] = true, ["SYN-SENT > ESTABLISHED"] = true,
      ["SYN-RECEIVED > ESTABLISHED"] = true, ["SYN-RECEIVED > FIN-WAIT-1"] = true,
      ["SYN-RECEIVED > CLOSE-WAIT"] = true, ["SYN-RECEIVED > LISTEN"] = true,
      ["ESTABLISHED > FIN-WAIT-1"] = true, ["ESTABLISHED > CLOSE-WAIT"] = true,
      ["FIN-WAIT-1 > FIN-WAIT-2"] = true, ["FIN-WAIT-1 > CLOSING"] = true, ["FIN-WAIT-1 > TIME-WAIT"] = true,
      ["FIN-WAIT-2 > TIME-WAIT"] = true, ["CLOSE-WAIT > LAST-ACK"] = true, ["CLOSING > TIME-WAIT"] = true,
    }
    for change in pairs(transitions) do
      assert.is_true(named[change] or change:find "> CLOSED$" ~= nil, change)
    end
  end)
end)
