-- `./dev conformance [--check]`: which requirement of RFC 9293 is done where, and shown by which spec.
--
-- Reads requirements.tsv and declined.tsv beside this file, looks for their ids in core/, bindings/ and
-- lua/, runs the specs whose names carry them, and writes docs/conformance.md. With --check the page is
-- only compared. Exit status 1 when an id lacks code or a spec, when one of its specs fails, or when the
-- page on disk is another one.
--
-- An id in code is the word itself in a comment, `RFC9293:MUST-10` or, behind such a one, `MUST-11`;
-- in a spec's name it is always whole, `RFC9293:MUST-10`. Ids like `3.10.7.3-2` are our own, for what
-- section 3.10 asks without a number.

local HERE <const> = "spec/rfc9293/"
local PAGE <const> = "docs/conformance.md"
local CODE <const> = { "core", "bindings", "lua" }
local FIXTURES <const> = { "^core/test/" } -- no code: C tests

local function fail(...)
  io.stderr:write("conformance: ", string.format(...), "\n")
  os.exit(2)
end

local function lines_of(path)
  local file = io.open(path, "r")
  if not file then fail("cannot read %s: run it at the top of the tree", path) end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

local function read_table(path)
  local rows = {}
  for i, line in ipairs(lines_of(path)) do
    local row = {}
    for field in (line .. "\t"):gmatch "(.-)\t" do row[#row + 1] = field end
    if i > 1 and line ~= "" then rows[#rows + 1] = row end
  end
  return rows
end

local function files_under(directory, pattern)
  local list = {}
  local pipe = assert(io.popen(("find %s -type f | LC_ALL=C sort"):format(directory)))
  for path in pipe:lines() do
    if path:find(pattern) then list[#list + 1] = path end
  end
  pipe:close()
  return list
end

-- ---- ids ---------------------------------------------------------------------------------------

local NUMBERED <const> = "%f[%w](%u+)%-(%d+)%f[^%w%-]"
local LEVELS <const> = { MUST = true, SHLD = true, MAY = true, REC = true }

-- Calls f(id) for each id in a line. `whole`: only behind "RFC9293:".
local function ids_in(text, whole, f)
  for at, level, number in text:gmatch("()" .. NUMBERED) do
    if LEVELS[level] and (not whole or text:sub(at - 8, at - 1) == "RFC9293:") then
      f(level .. "-" .. number)
    end
  end
  for id in text:gmatch "RFC9293:(3%.10%.[%d%.]*%d%-%d+)" do f(id) end
end

-- ---- where it is done --------------------------------------------------------------------------

-- For each line of a C file the function it stands in, or before; nothing for other lines.
local function functions_of(lines)
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

local function is_code(path)
  for _, pattern in ipairs(FIXTURES) do
    if path:find(pattern) then return false end
  end
  return true
end

-- id -> array of "file" or "file function", each once.
local function find_code()
  local places, seen = {}, {}
  local function note(id, place)
    places[id] = places[id] or {}
    if not seen[id .. place] then
      seen[id .. place] = true
      table.insert(places[id], place)
    end
  end
  for _, directory in ipairs(CODE) do
    for _, path in ipairs(files_under(directory, "%.[chl][u]?[a]?$")) do
      if is_code(path) then
        local lines = lines_of(path)
        local function_at = path:find "%.c$" and functions_of(lines) or function() return nil end
        for number, line in ipairs(lines) do
          ids_in(line, false, function(id)
            local name = function_at(number)
            note(id, name and ("`%s` %s"):format(path, name) or ("`%s`"):format(path))
          end)
        end
      end
    end
  end
  return places
end

-- ---- what shows it -----------------------------------------------------------------------------

local function spec_files()
  local list = {}
  for _, path in ipairs(files_under("spec", "_spec%.lua$")) do
    for _, line in ipairs(lines_of(path)) do
      if line:find "RFC9293:[%u3]" then
        list[#list + 1] = path
        break
      end
    end
  end
  return list
end

-- Runs the specs; gives id -> array of { file, name, passed }, and what went wrong outside of them.
local function run_specs()
  local results = os.tmpname()
  local files = spec_files()
  local command = ("LUNATCP_RESULTS=%s lua5.4 \"$(command -v busted)\" --ignore-lua -o plainTerminal "
    .. "-e 'dofile(%q)' "
    .. "--filter='RFC9293:[%%u3]' --exclude-tags=udp,netns,build %s </dev/null >%s.log 2>&1"):format(
    results, HERE .. "record.lua", table.concat(files, " "), results)
  os.execute(command)
  local shown, troubles, ended = {}, {}, false
  for _, line in ipairs(lines_of(results)) do
    local status, file, name = line:match "^(%a+)\t([^\t]*)\t(.*)$"
    if line == "end" then
      ended = true
    elseif not status then
      troubles[#troubles + 1] = line
    else
      local any, noted = false, {}
      ids_in(name, true, function(id)
        any = true
        if noted[id] then return end
        noted[id] = true
        shown[id] = shown[id] or {}
        table.insert(shown[id], { file = file, name = name, passed = status == "success" })
      end)
      if status ~= "success" and not any then troubles[#troubles + 1] = file .. ": " .. name end
    end
  end
  if not ended then
    troubles[#troubles + 1] = "busted ended before its specs did:"
    for _, line in ipairs(lines_of(results .. ".log")) do troubles[#troubles + 1] = "  " .. line end
  end
  os.remove(results)
  os.remove(results .. ".log")
  return shown, troubles
end

-- ---- judging -----------------------------------------------------------------------------------

local function judge(requirement)
  if requirement.declined then
    if requirement.level ~= "MAY" then return "declined, but only a MAY can be" end
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

local function gather()
  local reasons, known, requirements = {}, {}, {}
  for _, row in ipairs(read_table(HERE .. "declined.tsv")) do reasons[row[1]] = row[2] end
  local code = find_code()
  local shown, troubles = run_specs()
  for _, row in ipairs(read_table(HERE .. "requirements.tsv")) do
    local id = row[1]
    local requirement = {
      id = id, level = row[2], what = row[3], section = row[4], declined = reasons[id],
      code = code[id], specs = shown[id],
    }
    requirement.verdict = judge(requirement)
    known[id] = true
    requirements[#requirements + 1] = requirement
  end
  local strangers = {}
  for _, found in ipairs { code, shown, reasons } do
    for id in pairs(found) do
      if not known[id] then strangers[#strangers + 1] = id end
    end
  end
  table.sort(strangers)
  for _, id in ipairs(strangers) do troubles[#troubles + 1] = "RFC 9293 has no requirement " .. id end
  return requirements, troubles
end

-- ---- the page ----------------------------------------------------------------------------------

local function counts(requirements)
  local total = { pass = 0, declined = 0, other = 0 }
  for _, r in ipairs(requirements) do
    local kind = total[r.verdict] and r.verdict or "other"
    total[kind] = total[kind] + 1
  end
  return total
end

local ESCAPES <const> = { ["|"] = "\\|", ["<"] = "&lt;", [">"] = "&gt;" }
local function escaped(text) return (text:gsub("[|<>]", ESCAPES)) end

-- "window_spec.lua (3)" for each file that shows it.
local function shown_by(requirement)
  if not requirement.specs then return "" end
  local order, count = {}, {}
  for _, spec in ipairs(requirement.specs) do
    local file = spec.file:gsub("^spec/rfc9293/", "")
    if not count[file] then order[#order + 1] = file end
    count[file] = (count[file] or 0) + 1
  end
  for i, file in ipairs(order) do order[i] = ("%s (%d)"):format(file, count[file]) end
  return table.concat(order, "<br>")
end

local function table_of(out, requirements)
  out "| id | what it asks | section | done in | shown by | result |"
  out "| --- | --- | --- | --- | --- | --- |"
  for _, r in ipairs(requirements) do
    out(("| %s | %s | %s | %s | %s | %s |"):format(r.id, escaped(r.what), r.section,
      r.declined and escaped("declined: " .. r.declined) or table.concat(r.code or {}, "<br>"),
      shown_by(r), r.verdict))
  end
  out ""
end

-- The titles, in the order of the requirements. A title without the ids it carries.
local function titles_of(out, requirements)
  for _, r in ipairs(requirements) do
    if r.specs then
      out("- **" .. r.id .. "**")
      for _, spec in ipairs(r.specs) do
        local title = spec.name:gsub("RFC9293:[%w%.%-]+ ", "")
        out(("  - %s%s"):format(escaped(title), spec.passed and "" or " (fails)"))
      end
    end
  end
  out ""
end

local function page_of(requirements)
  local parts = {}
  local function out(line) parts[#parts + 1] = line end
  local numbered, own = {}, {}
  for _, r in ipairs(requirements) do table.insert(r.id:find "^%u" and numbered or own, r) end
  local total = counts(numbered)
  out "# Conformance to RFC 9293"
  out ""
  out "Made by `./dev conformance` from the ids in the code, the names of the specs, and their results; not"
  out "to be edited. What each id asks is said in our own words; the RFC's text is what counts."
  out ""
  local function unmet(number) return number > 0 and (" and %d are not met"):format(number) or "" end
  out(("Of the %d numbered requirements %d pass and %d are declined (a MAY only, with the reason)%s."):format(
    #numbered, total.pass, total.declined, unmet(total.other)))
  if #own > 0 then
    local of_own = counts(own)
    out(("Of the %d that section 3.10 asks without a number, with ids of our own, %d pass%s."):format(
      #own, of_own.pass, unmet(of_own.other)))
  end
  out "Every event in every state is in `spec/rfc9293/states_table.lua`, one line a cell."
  out ""
  out "## The numbered requirements"
  out ""
  table_of(out, numbered)
  if #own > 0 then
    out "## What section 3.10 asks without a number"
    out ""
    table_of(out, own)
  end
  out "## The specs"
  out ""
  titles_of(out, requirements)
  return table.concat(parts, "\n")
end

local function read_whole(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function main(argument)
  if argument ~= nil and argument ~= "--check" then fail("usage: ./dev conformance [--check]") end
  local requirements, troubles = gather()
  local page = page_of(requirements)
  for _, r in ipairs(requirements) do
    if r.verdict ~= "pass" and r.verdict ~= "declined" then
      troubles[#troubles + 1] = ("%s: %s (%s)"):format(r.id, r.verdict, r.what)
      for _, spec in ipairs(r.verdict == "fails" and r.specs or {}) do
        if not spec.passed then troubles[#troubles + 1] = ("  %s: %s"):format(spec.file, spec.name) end
      end
    end
  end
  if argument == "--check" then
    if read_whole(PAGE) ~= page then
      troubles[#troubles + 1] = PAGE .. " is stale: ./dev conformance makes it again"
    end
  else
    local file = assert(io.open(PAGE, "w"))
    file:write(page)
    file:close()
  end
  for _, trouble in ipairs(troubles) do print(trouble) end
  local total = counts(requirements)
  local summary <const> = "%d requirements: %d pass, %d declined, %d not met"
  print(summary:format(#requirements, total.pass, total.declined, total.other))
  os.exit(#troubles == 0)
end

main(...)
