-- The tables of requirements: RFC 9293's, whose numbers the RFC gives itself, and one for each other
-- RFC in spec/requirements/. A row that does not hold to its form is named by file and line.
--
-- spec/requirements/rfcNNNN.tsv: perhaps a line "# title of the RFC", then the header
-- id, level, section, requirement, declined; then a row for each requirement, between tabs.
local files = require "spec.conformance.files"
local ids = require "spec.conformance.ids"

local M = {}

local HEADER <const> = { "id", "level", "section", "requirement", "declined" }

-- The words of RFC 2119, and "plain" for what is asked without one of them.
local LEVELS <const> = {
  ["MUST"] = true, ["MUST NOT"] = true, ["SHOULD"] = true, ["SHOULD NOT"] = true, ["MAY"] = true,
  ["plain"] = true,
}
local MAY_BE_DECLINED <const> = { ["SHOULD"] = true, ["SHOULD NOT"] = true, ["MAY"] = true }

local function fields_of(line)
  local fields = {}
  for field in (line .. "\t"):gmatch "(.-)\t" do fields[#fields + 1] = field end
  return fields
end

-- Why a row cannot stand; nil when it can.
local function wrong_with(row, rfc, seen)
  if #row < 4 or #row > 5 then return ("%d fields, not 4 or 5"):format(#row) end
  for i, field in ipairs(row) do
    if field:find "^%s" or field:find "%s$" then return ("space around its %s"):format(HEADER[i]) end
  end
  local id <const>, level <const>, declined <const> = row[1], row[2], row[5] or ""
  local of, section = ids.parts(id)
  if of ~= rfc then return ("the id %q is not of the form RFC%d:SECTION-NUMBER"):format(id, rfc) end
  if seen[id] then return ("the id %s stands on line %d already"):format(id, seen[id]) end
  if not LEVELS[level] then
    return ("the level %q is none of MUST, MUST NOT, SHOULD, SHOULD NOT, MAY, plain"):format(level)
  end
  if row[3] ~= section then return ("the section is %q, but the id says %s"):format(row[3], section) end
  if row[4] == "" then return "it does not say what is asked" end
  if declined ~= "" and not MAY_BE_DECLINED[level] then
    return ("declined, but only a MAY can be, or a SHOULD with a good reason")
  end
  return nil
end

-- Reads one table. Gives { rfc, title, requirements }, and an array of what is wrong with it.
function M.read(path)
  local rfc <const> = tonumber(path:match "rfc(%d+)%.tsv$")
  local troubles, requirements, seen, title, header = {}, {}, {}, nil, false
  local function wrong(number, what) troubles[#troubles + 1] = ("%s:%d: %s"):format(path, number, what) end
  if not rfc then return nil, { path .. ": not named as rfcNNNN.tsv" } end
  local lines, message = files.lines_of(path)
  if not lines then return nil, { message } end
  for number, line in ipairs(lines) do
    if not header and line:find "^# " then
      title = line:sub(3)
    elseif not header then
      header = true
      if line ~= table.concat(HEADER, "\t") then
        wrong(number, "the header is not " .. table.concat(HEADER, ", ") .. " between tabs")
      end
    elseif line ~= "" then
      local row <const> = fields_of(line)
      local fault <const> = wrong_with(row, rfc, seen)
      if fault then
        wrong(number, fault)
      else
        seen[row[1]] = number
        requirements[#requirements + 1] = {
          id = row[1], level = row[2], section = row[3], what = row[4],
          declined = row[5] ~= "" and row[5] or nil,
        }
      end
    end
  end
  if not header then wrong(1, "it is empty") end
  return { rfc = rfc, title = title, requirements = requirements }, troubles
end

-- RFC 9293's own, in two files beside its specs; ids there are short.
function M.read_9293(folder)
  local reasons, requirements, troubles = {}, {}, {}
  local function rows_of(name, f)
    local lines, message = files.lines_of(folder .. name)
    if not lines then troubles[#troubles + 1] = message end
    for i, line in ipairs(lines or {}) do
      if i > 1 and line ~= "" then f(fields_of(line)) end
    end
  end
  rows_of("declined.tsv", function(row) reasons[row[1]] = row[2] end)
  rows_of("requirements.tsv", function(row)
    local declined <const> = reasons[row[1]]
    if declined and row[2] ~= "MAY" then
      troubles[#troubles + 1] = row[1] .. ": declined, but only a MAY can be"
    end
    reasons[row[1]] = nil
    requirements[#requirements + 1] = {
      id = "RFC9293:" .. row[1], level = row[2], what = row[3], section = row[4], declined = declined,
    }
  end)
  for id in pairs(reasons) do
    troubles[#troubles + 1] = "declined, but RFC 9293 has no requirement " .. id
  end
  return { rfc = 9293, title = "Transmission Control Protocol", requirements = requirements }, troubles
end

-- All of them, RFC 9293 first, the others by number.
function M.read_all()
  local rfc9293, troubles = M.read_9293("spec/rfc9293/")
  local all = {}
  for _, path in ipairs(files.under("spec/requirements", "%.tsv$")) do
    local one, wrong = M.read(path)
    all[#all + 1] = one
    table.move(wrong, 1, #wrong, #troubles + 1, troubles)
  end
  table.sort(all, function(a, b) return a.rfc < b.rfc end)
  table.insert(all, 1, rfc9293)
  return all, troubles
end

return M
