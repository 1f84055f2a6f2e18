--- Results of scripts for people and for programs: plain text, TAP, JUnit.
-- @module lunatcp.packetdrill.report

local M = {}

local TEXT_MOST <const> = 400 -- characters of one value of a field
local LADDER_MOST <const> = 80 -- its last lines: what came just before a failure

local function cut(text)
  text = tostring(text)
  if #text <= TEXT_MOST then return text end
  return text:sub(1, TEXT_MOST) .. "..."
end

local function add(lines, ...) lines[#lines + 1] = select("#", ...) > 1 and string.format(...) or (...) end

-- ---- one failure ------------------------------------------------------------------------------

-- The event's own lines, as they stand in the file.
local function source(result)
  local problem, text = result.problem, result.text
  local event = problem.event
  if not event and not problem.source and text and problem.line then
    local number = 0
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      number = number + 1
      if number == problem.line then return (line:gsub("%s+$", "")) end
    end
  end
  if problem.source then
    return problem.source .. "\n" .. problem.source:sub(1, problem.column - 1):gsub("[^\t]", " ") .. "^"
  end
  if not event or not text then return nil end
  local first = event.first
  while first > 1 and text:sub(first - 1, first - 1) ~= "\n" do first = first - 1 end
  return (text:sub(first, event.last):gsub("%s+$", ""))
end

local function indented(lines, text, indent)
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do add(lines, ((indent .. line):gsub("%s+$", ""))) end
end

local function field_table(lines, fields)
  local name_width, value_width = #"field", #"expected"
  for _, field in ipairs(fields) do
    name_width = math.max(name_width, #field.name)
    value_width = math.max(value_width, math.min(#field.expected, 48))
  end
  local row = ("  %%s %%-%ds  %%-%ds  %%s"):format(name_width, value_width)
  add(lines, row, " ", "field", "expected", "got")
  for _, field in ipairs(fields) do
    add(lines, row, field.good and " " or "*", field.name, cut(field.expected), cut(field.got))
  end
end

local function ladder_lines(lines, ladder)
  local all = {}
  indented(all, (ladder:gsub("\n+$", "")), "    ")
  local first = math.max(1, #all - LADDER_MOST + 1)
  if first > 2 then
    lines[#lines + 1] = all[1] -- the heads of its columns
    lines[#lines + 1] = ("    ... %d lines"):format(first - 1)
    first = first + 1
  else
    first = 1
  end
  table.move(all, first, #all, #lines + 1, lines)
end

--- A failed result in full.
-- @tparam table result
-- @treturn string lines, or the empty string for one that is ok
function M.explain(result)
  if result.ok then return "" end
  local problem, lines = result.problem, {}
  add(lines, "%s:%d:%d: %s", problem.file, problem.line or 1, problem.column or 1, problem.message)
  local text = source(result)
  if text then indented(lines, text, "    ") end
  if problem.actual or problem.fields then
    add(lines, "  expected  %s", problem.expected)
    add(lines, "  actual    %s%s", problem.actual or "nothing",
      problem.actual_time and (" (at %.6f s)"):format(problem.actual_time / 1e9) or "")
  end
  if problem.fields then field_table(lines, problem.fields) end
  for _, line in ipairs(result.printed or {}) do add(lines, "  printed: %s", cut(line)) end
  if result.ladder then ladder_lines(lines, result.ladder) end
  return table.concat(lines, "\n")
end

--- One line about a failure.
function M.headline(result)
  local problem = result.problem
  return ("%s:%d:%d: %s"):format(problem.file, problem.line or 1, problem.column or 1, problem.message)
end

-- ---- formats: each gives functions `begin(count)`, `result(number, result)`, `finish(counts)` ---

local function summary(counts) return ("%d passed, %d failed"):format(counts.passed, counts.failed) end
M.summary = summary

local function plain(out, options)
  return {
    begin = function() end,
    result = function(_, result)
      for _, warning in ipairs(result.warnings or {}) do
        out(("%s:%d: warning: %s"):format(result.file, warning.line, warning.message))
      end
      if result.ok then
        if options.verbose then out(("ok      %s"):format(result.file)) end
        return
      end
      if options.verbose then out(("not ok  %s"):format(result.file)) end
      out(M.explain(result) .. "\n")
    end,
    finish = function(counts) out(summary(counts)) end,
  }
end

local function tap(out)
  return {
    begin = function(count) out(("TAP version 13\n1..%d"):format(count)) end,
    result = function(number, result)
      out(("%s %d - %s"):format(result.ok and "ok" or "not ok", number, (result.file:gsub("#", "\\#"))))
      if result.ok then return end
      for line in (M.explain(result) .. "\n"):gmatch "([^\n]*)\n" do out("# " .. line) end
    end,
    finish = function(counts) out("# " .. summary(counts)) end,
  }
end

local ENTITY <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- What XML cannot hold at all is left out.
local function xml(text)
  text = text:gsub('[&<>"]', ENTITY):gsub("[\0-\8\11\12\14-\31]", "")
  return utf8.len(text) and text or (text:gsub("[\128-\255]", "?"))
end

local function junit(out)
  local cases, total = {}, 0
  return {
    begin = function() end,
    result = function(_, result)
      total = total + (result.time or 0)
      local folder, name = result.file:match "^(.*)[/\\]([^/\\]+)$"
      cases[#cases + 1] = ('    <testcase classname="%s" name="%s" time="%.6f"%s'):format(xml(folder or "."),
        xml(name or result.file), result.time or 0, result.ok and "/>" or ">")
      if result.ok then return end
      cases[#cases + 1] = ('      <failure message="%s">%s</failure>\n    </testcase>'):format(
        xml(M.headline(result)), xml(M.explain(result)))
    end,
    finish = function(counts)
      out '<?xml version="1.0" encoding="UTF-8"?>'
      out "<testsuites>"
      out(('  <testsuite name="packetdrill" tests="%d" failures="%d" errors="0" time="%.6f">'):format(
        counts.passed + counts.failed, counts.failed, total))
      for _, case in ipairs(cases) do out(case) end
      out "  </testsuite>\n</testsuites>"
    end,
  }
end

local FORMATS <const> = { plain = plain, tap = tap, junit = junit }
--- Names of the formats.
M.formats = { "plain", "tap", "junit" }

--- A writer of results.
-- @string name of the format
-- @tparam function out writes a line
-- @tparam[opt] table options `verbose`: plain text names also what passed
function M.writer(name, out, options) return FORMATS[name](out, options or {}) end

return M
