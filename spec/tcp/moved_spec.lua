-- The specs of the data path once more, each with initial sequence numbers just below 2^31 and just below
-- 2^32, so that the numbers wrap within the first octets of either direction (support.moved).
local shell = require "support.shell"

local EDGES <const> = { ["2^31"] = "0x7ffffffd", ["2^32"] = "0xfffffffd" }

-- Of spec/tcp and spec/rfc9293 all files but these.
local LEFT_OUT <const> = {
  exhaustive = "goes through such numbers itself", random = "draws such numbers itself",
  states = "has such numbers itself", golden = "digests of what is sent",
  syn_cookies = "its numbers say something", moved = "this file",
  header = "no connection", lower = "no numbers", scope = "addresses, no numbers",
  illegal_options = "numbers in raw options",
}
-- Of the others all specs but those about the choice of the number, and about a host's further addresses.
local NOT_THESE <const> = { "initial sequence number", "ISNs", "the ISN of RFC 6528", "MUST%-43", "MUST%-45" }

local function files()
  local list = {}
  for line in shell.succeed("ls spec/tcp/*_spec.lua spec/rfc9293/*_spec.lua"):gmatch "%S+" do
    if not LEFT_OUT[line:match "([%a_%d]+)_spec%.lua$"] then list[#list + 1] = line end
  end
  return list
end

describe("the data path #moved #slow", function()
  local command
  setup(function()
    local words = { shell.modules(), "lua5.4", shell.quote(shell.first_line "command -v busted") }
    words[#words + 1] = "--ignore-lua -o TAP"
    for _, name in ipairs(NOT_THESE) do words[#words + 1] = "--filter-out=" .. shell.quote(name) end
    command = table.concat(words, " ")
  end)

  -- A process for each file: the fewer networks lie about, the quicker is a collection of garbage.
  for edge, isn in pairs(EDGES) do
    it(("goes the same way with sequence numbers that wrap at %s"):format(edge), function()
      local list, passed = files(), 0
      assert.is_true(#list > 20)
      for _, file in ipairs(list) do
        local output, ok = shell.run("env LUNATCP_CAPTURES= LUNATCP_SPEC_ISN=" .. isn, command, file)
        assert.is_true(ok, output)
        passed = passed + select(2, output:gsub("%f[^\n\0]ok %d+ %- ", ""))
      end
      assert.is_true(passed > 400, passed)
    end)
  end
end)
