-- Where it is done: the functions whose comments carry an id, or the file where it is no function.
local files = require "spec.conformance.files"
local ids = require "spec.conformance.ids"

local M = {}

local CODE <const> = { "core", "bindings", "lua" }
local TESTS <const> = "^core/test/"

-- For each line of a C file the function it stands in, or before; nothing for other lines.
function M.functions_of(lines)
  local ranges, signature = {}, nil
  for i, line in ipairs(lines) do
    if line:find "^[%a_]" and line:find "%(" and not line:find "[;=]%s*$" then signature = i end
    if line == "{" and signature then
      -- In a function's signature the first word before a parenthesis is its name.
      local name = table.concat(lines, " ", signature, i):match "([%w_]+)%s*%("
      ranges[#ranges + 1] = { name = name, first = signature }
      signature = nil
    elseif line:find "^}" and #ranges > 0 and not ranges[#ranges].last then
      ranges[#ranges].last = i
    end
  end
  return function(number)
    for i, range in ipairs(ranges) do
      if number <= (range.last or #lines) then
        local previous = ranges[i - 1]
        if number >= range.first then return range.name end
        -- A comment right before it; not what stands between with a blank line behind it.
        for between = math.max(number, previous and previous.last or 1), range.first - 1 do
          if lines[between] == "" then return nil end
        end
        return range.name
      end
    end
  end
end

-- Calls f(id, function's name or nil) for each id in a file.
function M.each_in(path, f)
  local lines = assert(files.lines_of(path))
  local function_at = path:find "%.c$" and M.functions_of(lines) or function() return nil end
  for number, line in ipairs(lines) do
    ids.each(line, true, function(id) f(id, function_at(number)) end)
  end
end

-- id -> array of "`file` function" or "`file`", each once.
function M.find()
  local places, seen = {}, {}
  for _, directory in ipairs(CODE) do
    for _, path in ipairs(files.under(directory, "%.[chl][u]?[a]?$")) do
      if not path:find(TESTS) then
        M.each_in(path, function(id, name)
          local place = ("`%s`%s"):format(path, name and " " .. name or "")
          places[id] = places[id] or {}
          if seen[id .. place] then return end
          seen[id .. place] = true
          table.insert(places[id], place)
        end)
      end
    end
  end
  return places
end

return M
