-- The ids of requirements, wherever they stand: `RFC9293:MUST-10`, a number that the RFC gave, or
-- `RFC8985:6.2-1`, the section and a number of our own. `RFC8985:6.2` alone cites the section.
local M = {}

local OWN <const> = "RFC(%d+):(%w[%w%.]*%-%d+)%f[^%w]"
local NUMBERED <const> = "%f[%w](%u+)%-(%d+)%f[^%w%-]"
local LEVELS <const> = { MUST = true, SHLD = true, MAY = true, REC = true }

-- What a test's full name must hold to carry an id (a pattern as busted's --filter takes it).
M.IN_A_NAME = "RFC%d+:%w[%w%.]*%-%d"

-- Calls f(id) for each id in a line. With `short`, a second one needs no "RFC8985:" before it:
-- `RFC8985:6.2-1, 6.2-2`, and for RFC 9293 `RFC9293:MUST-10 ... MUST-11`.
function M.each(text, short, f)
  for rfc, rest, after in text:gmatch(OWN .. "()") do
    f("RFC" .. rfc .. ":" .. rest)
    while short do
      local next_one, behind = text:match("^, ([%d%u][%d%.]*%-%d+)%f[^%w]()", after)
      if not next_one then break end
      f("RFC" .. rfc .. ":" .. next_one)
      after = behind
    end
  end
  if not short then return end
  for at, level, number in text:gmatch("()" .. NUMBERED) do
    if LEVELS[level] and text:sub(at - 1, at - 1) ~= ":" then f(("RFC9293:%s-%s"):format(level, number)) end
  end
end

-- "RFC8985:6.2-1" -> 8985, "6.2", 1; nothing where it is no id.
function M.parts(id)
  local rfc, section, number = id:match "^RFC(%d+):(%w[%w%.]*)%-(%d+)$"
  return tonumber(rfc), section, tonumber(number)
end

-- Whether one comes before the other: by RFC, section and number, 9 before 10.
function M.before(one, other)
  local function key(id)
    return (id:gsub("%d+", function(digits) return ("%08d"):format(digits) end))
  end
  return key(one) < key(other)
end

return M
