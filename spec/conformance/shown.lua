-- What shows it: specs whose full names carry an id, scripts that begin with one (the corpus runs
-- them), and C tests whose comments do. They are run, and what came of each is noted.
local code = require "spec.conformance.code"
local files = require "spec.conformance.files"
local ids = require "spec.conformance.ids"

local M = {}

local CORPUS <const> = "spec/packetdrill/corpus_spec.lua"
local C_TESTS <const> = "core/test"

local function carries(path, only_the_first_line)
  local lines = assert(files.lines_of(path))
  for i = 1, only_the_first_line and math.min(1, #lines) or #lines do
    if lines[i]:find(ids.IN_A_NAME) then return true end
  end
  return false
end

local function spec_files()
  local list = {}
  for _, path in ipairs(files.under("spec", "_spec%.lua$")) do
    if path ~= CORPUS and carries(path) then list[#list + 1] = path end
  end
  for _, path in ipairs(files.under("spec/packetdrill", "%.pkt$")) do
    if carries(path, true) then
      list[#list + 1] = CORPUS
      break
    end
  end
  return list
end

-- A script's test is named by its path: that is the file, and what it says is the name.
local function told(file, name)
  local script, title = name:match "^packetdrill corpus (%S+%.pkt): (.*)$"
  return script or file, title or name
end

local function note(shown, id, spec)
  shown[id] = shown[id] or {}
  table.insert(shown[id], spec)
end

-- The pages do not depend on the order in which specs happen to run.
local function before(a, b)
  if a.file ~= b.file then return a.file < b.file end
  return a.name < b.name
end

-- Runs the specs. `shown` gets id -> array of { file, name, passed }; `troubles` the rest.
local function run_specs(shown, troubles)
  local results <const> = os.tmpname()
  local command = ("LUNATCP_RESULTS=%s lua5.4 \"$(command -v busted)\" --ignore-lua -o plainTerminal "
    .. "-e 'dofile(\"spec/conformance/record.lua\")' --filter='%s' --exclude-tags=udp,netns,build %s "
    .. "</dev/null >%s.log 2>&1"):format(
    results, ids.IN_A_NAME, table.concat(spec_files(), " "), results)
  os.execute(command)
  local ended = false
  for _, line in ipairs(assert(files.lines_of(results))) do
    local status, file, name = line:match "^(%a+)\t([^\t]*)\t(.*)$"
    if line == "end" then
      ended = true
    elseif not status then
      troubles[#troubles + 1] = line
    else
      local seen = {}
      file, name = told(file, name)
      ids.each(name, false, function(id)
        if not seen[id] then note(shown, id, { file = file, name = name, passed = status == "success" }) end
        seen[id] = true
      end)
      if status ~= "success" and not next(seen) then troubles[#troubles + 1] = file .. ": " .. name end
    end
  end
  if not ended then
    troubles[#troubles + 1] = "busted ended before its specs did:"
    for _, line in ipairs(files.lines_of(results .. ".log") or {}) do
      troubles[#troubles + 1] = "  " .. line
    end
  end
  os.remove(results)
  os.remove(results .. ".log")
end

-- Runs the C tests that carry an id, by the functions that do. A program passes or fails as a whole.
local function run_c_tests(shown, troubles)
  local build <const> = os.getenv("LUNATCP_BUILD") or "./build"
  for _, path in ipairs(files.under(C_TESTS, "_test%.c$")) do
    local found, seen = {}, {}
    code.each_in(path, function(id, name)
      name = name or "main"
      if not seen[id .. name] then found[#found + 1] = { id, name } end
      seen[id .. name] = true
    end)
    if found[1] then
      local program <const> = ("%s/test/%s"):format(build, path:match "([^/]+)%.c$")
      local passed <const> = os.execute(("'%s' >/dev/null 2>&1 </dev/null"):format(program)) == true
      if not passed then troubles[#troubles + 1] = program .. " does not succeed" end
      for _, one in ipairs(found) do note(shown, one[1], { file = path, name = one[2], passed = passed }) end
    end
  end
end

-- id -> array of { file, name, passed }; and an array of what went wrong outside of them.
function M.run()
  local shown, troubles = {}, {}
  run_specs(shown, troubles)
  run_c_tests(shown, troubles)
  for _, specs in pairs(shown) do table.sort(specs, before) end
  return shown, troubles
end

return M
