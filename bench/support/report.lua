--- What the benches in Lua share: options, medians, lines of a table or JSON.
-- @module report

local M = {}

--- `--json`, `--seeds=10` and the like.
-- @tparam table arguments what the script was given
-- @tparam table known names with their defaults; a number makes it a number
function M.options(arguments, known)
  local options = { json = false }
  for name, value in pairs(known) do options[name] = value end
  for _, argument in ipairs(arguments) do
    local name, value = argument:match "^%-%-(%l+)=(.+)$"
    if argument == "--json" then
      options.json = true
    elseif name and known[name] ~= nil then
      options[name] = value
      if type(known[name]) == "number" then options[name] = tonumber(value) end
      if options[name] == nil then error(("--%s: a number expected, got %s"):format(name, value), 0) end
    else
      error("unknown option: " .. argument, 0)
    end
  end
  return options
end

--- Least, median, greatest.
function M.spread(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  return sorted[1], (sorted[(#sorted + 1) // 2] + sorted[#sorted // 2 + 1]) / 2, sorted[#sorted]
end

--- Jain's index: 1 when all are the same, 1/n when one has everything.
function M.jain(values)
  local sum, squares = 0, 0
  for _, value in ipairs(values) do sum, squares = sum + value, squares + value * value end
  return squares == 0 and 0 or sum * sum / (#values * squares)
end

local function json_text(value)
  if type(value) == "number" then return ("%.6g"):format(value) end
  if type(value) ~= "table" then return ('"%s"'):format(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = json_text(item) end
  return "[" .. table.concat(items, ", ") .. "]"
end

--- One object a line: pairs of name and value, in their order.
function M.json(...)
  local fields = {}
  local list = table.pack(...)
  for i = 1, list.n, 2 do
    if list[i + 1] ~= nil then fields[#fields + 1] = ('"%s": %s'):format(list[i], json_text(list[i + 1])) end
  end
  print("{" .. table.concat(fields, ", ") .. "}")
end

return M
