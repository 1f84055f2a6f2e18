-- Loaded into busted with -e. Notes each result, as it comes, in the file that LUNATCP_RESULTS
-- names, so that ./dev can count them whatever the output handler prints, and even when the
-- process dies half-way: busted's exit status is a count modulo 256.
local busted = require "busted"

local file = assert(io.open(os.getenv("LUNATCP_RESULTS"), "a"))
file:setvbuf("line")

local function note(word)
  file:write(word, "\n")
  return nil, true
end

local words = { success = "passed", failure = "failed", error = "failed", pending = "pending" }
busted.subscribe({ "test", "end" }, function(_, _, status)
  return note(words[status] or "failed")
end)

-- An error outside of a test: a file that does not load, a setup that raises.
local function outside(element)
  return note(element.descriptor == "it" and "noted" or "failed")
end
busted.subscribe({ "error" }, outside)
busted.subscribe({ "failure" }, outside)

busted.subscribe({ "exit" }, function() return note("end") end)
