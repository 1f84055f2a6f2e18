-- The pages: docs/conformance.md for RFC 9293 with a list of the others, and one page for each other
-- RFC in docs/conformance/.
local M = {}

M.INDEX = "docs/conformance.md"
M.FOLDER = "docs/conformance"

local ESCAPES <const> = { ["|"] = "\\|", ["<"] = "&lt;", [">"] = "&gt;" }
local function escaped(text) return (text:gsub("[|<>]", ESCAPES)) end

-- How many pass, are declined, and are neither.
function M.counts(requirements)
  local total = { pass = 0, declined = 0, other = 0 }
  for _, r in ipairs(requirements) do
    local kind = total[r.verdict] and r.verdict or "other"
    total[kind] = total[kind] + 1
  end
  return total
end

-- On a page the RFC is known: ids need not repeat it.
local function short(id) return (id:gsub("^RFC%d+:", "")) end

-- "window_spec.lua (3)" for each file that shows it.
local function shown_by(requirement)
  local order, count = {}, {}
  for _, spec in ipairs(requirement.specs or {}) do
    local file = spec.file:gsub("^spec/rfc9293/", "")
    if not count[file] then order[#order + 1] = file end
    count[file] = (count[file] or 0) + 1
  end
  for i, file in ipairs(order) do order[i] = ("%s (%d)"):format(file, count[file]) end
  return table.concat(order, "<br>")
end

local function table_of(out, requirements)
  out "| id | level | what it asks | section | done in | shown by | result |"
  out "| --- | --- | --- | --- | --- | --- | --- |"
  for _, r in ipairs(requirements) do
    out(("| %s | %s | %s | %s | %s | %s | %s |"):format(short(r.id), r.level, escaped(r.what), r.section,
      r.declined and escaped("declined: " .. r.declined) or table.concat(r.code or {}, "<br>"),
      shown_by(r), r.verdict))
  end
  out ""
end

-- The titles, in the order of the requirements. A title without the ids it carries.
local function titles_of(out, requirements)
  out "## The specs"
  out ""
  for _, r in ipairs(requirements) do
    if r.specs then
      out("- **" .. short(r.id) .. "**")
      for _, spec in ipairs(r.specs) do
        local title = spec.name:gsub("RFC%d+:[%w%.%-]+:? ", "")
        out(("  - %s%s"):format(escaped(title), spec.passed and "" or " (fails)"))
      end
    end
  end
  out ""
end

local function unmet(number) return number > 0 and (" and %d are not met"):format(number) or "" end

local function writer()
  local parts = {}
  return function(line) parts[#parts + 1] = line end, function() return table.concat(parts, "\n") end
end

local function list_of(out, others)
  if not others[1] then return end
  out "## The other RFCs"
  out ""
  out "| RFC | title | requirements | pass | declined | not met |"
  out "| --- | --- | --- | --- | --- | --- |"
  for _, one in ipairs(others) do
    local total = M.counts(one.requirements)
    out(("| [%d](conformance/rfc%d.md) | %s | %d | %d | %d | %d |"):format(one.rfc, one.rfc,
      escaped(one.title or ""), #one.requirements, total.pass, total.declined, total.other))
  end
  out ""
end

local function index(rfc9293, others)
  local out, text = writer()
  local numbered, own = {}, {}
  for _, r in ipairs(rfc9293.requirements) do table.insert(short(r.id):find "^%u" and numbered or own, r) end
  local total, of_own = M.counts(numbered), M.counts(own)
  out "# Conformance to RFC 9293, and to others"
  out ""
  out "Made by `./dev conformance` from the ids in the code, the names of the specs, and their results; not"
  out "to be edited. What each id asks is said in our own words; the RFC's text is what counts."
  out ""
  out(("Of the %d numbered requirements of RFC 9293 %d pass and %d are declined (a MAY only, with"):format(
    #numbered, total.pass, total.declined))
  out(("the reason)%s."):format(unmet(total.other)))
  out(("Of the %d that section 3.10 asks without a number, with ids of our own, %d pass%s."):format(
    #own, of_own.pass, unmet(of_own.other)))
  out "Every event in every state is in `spec/rfc9293/states_table.lua`, one line a cell."
  out ""
  list_of(out, others)
  out "## The numbered requirements"
  out ""
  table_of(out, numbered)
  out "## What section 3.10 asks without a number"
  out ""
  table_of(out, own)
  titles_of(out, rfc9293.requirements)
  return text()
end

local function page_of(one)
  local out, text = writer()
  local total = M.counts(one.requirements)
  out(("# Conformance to RFC %d%s"):format(one.rfc, one.title and ": " .. one.title or ""))
  out ""
  out "Made by `./dev conformance` from `spec/requirements/`, the ids in the code, the names of the specs,"
  out "and their results; not to be edited. An id is the section and a number of our own, in code and specs"
  out(("with `RFC%d:` before it. What it asks is said in our own words; the RFC's text is what counts.")
    :format(one.rfc))
  out ""
  out(("Of %d requirements %d pass and %d are declined, with the reason%s. [All](../conformance.md)"):format(
    #one.requirements, total.pass, total.declined, unmet(total.other)))
  out ""
  table_of(out, one.requirements)
  titles_of(out, one.requirements)
  return text()
end

-- path -> text, and the paths in their order.
function M.pages(tables)
  local pages, order = {}, { M.INDEX }
  pages[M.INDEX] = index(tables[1], { table.unpack(tables, 2) })
  for i = 2, #tables do
    local path <const> = ("%s/rfc%d.md"):format(M.FOLDER, tables[i].rfc)
    order[i] = path
    pages[path] = page_of(tables[i])
  end
  return pages, order
end

return M
