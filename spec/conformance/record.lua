-- Loaded into busted with -e by the conformance report. Notes each result, as it comes, in the file that
-- LUNATCP_RESULTS names: how it ended, the file, the full name. The last line is "end".
local busted = require "busted"

local file = assert(io.open(os.getenv("LUNATCP_RESULTS"), "a"))
file:setvbuf("line")

local blocks = {} -- names of those we are in

busted.subscribe({ "describe", "start" }, function(element)
  blocks[#blocks + 1] = element.name
  return nil, true
end)
busted.subscribe({ "describe", "end" }, function()
  blocks[#blocks] = nil
  return nil, true
end)

busted.subscribe({ "test", "end" }, function(element, _, status)
  local names = table.move(blocks, 1, #blocks, 1, {})
  names[#names + 1] = element.name
  local name = table.concat(names, " "):gsub("%s+", " ")
  file:write(status, "\t", element.trace.short_src, "\t", name, "\n")
  return nil, true
end)

-- Outside of a test: a file that does not load, a setup that raises.
busted.subscribe({ "error" }, function(element, _, message)
  if element.descriptor ~= "it" then
    file:write("error\t", element.name or "?", "\t", (tostring(message):gsub("%s+", " ")), "\n")
  end
  return nil, true
end)

busted.subscribe({ "exit" }, function()
  file:write("end\n")
  return nil, true
end)
