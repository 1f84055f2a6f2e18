-- Joins tables, code and specs: what is met, and what is wrong.
local ids = require "spec.conformance.ids"

local M = {}

local function verdict_of(requirement)
  if requirement.declined then
    if requirement.code or requirement.specs then return "declined, but done" end
    return "declined"
  end
  if not requirement.code then return "no code carries the id" end
  if not requirement.specs then return "no spec carries the id" end
  for _, spec in ipairs(requirement.specs) do
    if not spec.passed then return "fails" end
  end
  return "pass"
end

-- Ids that stand somewhere, but in no table, each with a place.
local function strangers(known, code, shown)
  local places, order = {}, {}
  local function note(id, place)
    if known[id] or places[id] then return end
    places[id] = place
    order[#order + 1] = id
  end
  for id, where in pairs(code) do note(id, where[1]) end
  for id, specs in pairs(shown) do note(id, specs[1].file) end
  table.sort(order, ids.before)
  for i, id in ipairs(order) do order[i] = ("%s stands in no table (%s)"):format(id, places[id]) end
  return order
end

-- Gives each requirement its `code`, `specs` and `verdict`; returns an array of what is wrong.
function M.all(tables, code, shown)
  local known, troubles = {}, {}
  for _, one in ipairs(tables) do
    for _, r in ipairs(one.requirements) do
      known[r.id] = true
      r.code, r.specs = code[r.id], shown[r.id]
      r.verdict = verdict_of(r)
      if r.verdict ~= "pass" and r.verdict ~= "declined" then
        troubles[#troubles + 1] = ("%s: %s (%s)"):format(r.id, r.verdict, r.what)
      end
      for _, spec in ipairs(r.verdict == "fails" and r.specs or {}) do
        if not spec.passed then troubles[#troubles + 1] = ("  %s: %s"):format(spec.file, spec.name) end
      end
    end
  end
  local rest = strangers(known, code, shown)
  table.move(rest, 1, #rest, #troubles + 1, troubles)
  return troubles
end

return M
