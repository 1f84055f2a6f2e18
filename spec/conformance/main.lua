-- `./dev conformance [--check] [RFC...]`: which requirement is done where, and what shows it.
--
-- Reads RFC 9293's table beside its specs and those in spec/requirements/, looks for their ids in
-- core/, bindings/ and lua/, runs the specs whose names carry them, and writes docs/conformance.md and
-- the pages in docs/conformance/. With --check the pages are only compared. With numbers of RFCs only
-- what is wrong with those is told, and nothing is written. Exit status 1 when a row is malformed, an
-- id lacks code or a spec or stands in no table, a spec fails, or a page on disk is another one.
--
-- An id in code is the word itself in a comment, `RFC8985:6.2-1`; for RFC 9293 `RFC9293:MUST-10` or,
-- behind such a one, `MUST-11`. In a spec's name it is always whole. `RFC8985:6.2` alone, without a
-- number, cites a section and is no id.
local code = require "spec.conformance.code"
local files = require "spec.conformance.files"
local ids = require "spec.conformance.ids"
local judge = require "spec.conformance.judge"
local page = require "spec.conformance.page"
local shown = require "spec.conformance.shown"
local tables = require "spec.conformance.tables"

local function usage()
  io.stderr:write("usage: ./dev conformance [--check] [RFC...]\n")
  os.exit(2)
end

local function arguments_of(...)
  local check, wanted = false, nil
  for _, argument in ipairs { ... } do
    local number = argument:match "^[Rr]?[Ff]?[Cc]?(%d+)$"
    if argument == "--check" then
      check = true
    elseif number then
      wanted = wanted or {}
      wanted[tonumber(number)] = true
    else
      usage()
    end
  end
  return check, wanted
end

local function compare(pages, order, troubles)
  for _, path in ipairs(order) do
    if files.read(path) ~= pages[path] then
      troubles[#troubles + 1] = path .. " is stale: ./dev conformance makes it again"
    end
  end
  for _, path in ipairs(files.under(page.FOLDER, "%.md$")) do
    if not pages[path] then troubles[#troubles + 1] = path .. " is stale: no table asks for it" end
  end
end

local function write(pages, order)
  os.execute(("mkdir -p %s"):format(page.FOLDER))
  for _, path in ipairs(order) do files.write(path, pages[path]) end
  for _, path in ipairs(files.under(page.FOLDER, "%.md$")) do
    if not pages[path] then os.remove(path) end
  end
end

local function summary(name, requirements)
  local total = page.counts(requirements)
  print(("%s: %d requirements: %d pass, %d declined, %d not met"):format(
    name, #requirements, total.pass, total.declined, total.other))
end

local function main(...)
  if not files.read("spec/conformance/main.lua") then
    io.stderr:write("conformance: run it at the top of the tree\n")
    os.exit(2)
  end
  local check, wanted = arguments_of(...)
  local all, troubles = tables.read_all()
  local found, results = code.find(), {}
  results.shown, results.troubles = shown.run()
  table.move(results.troubles, 1, #results.troubles, #troubles + 1, troubles)
  local verdicts = judge.all(all, found, results.shown)
  table.move(verdicts, 1, #verdicts, #troubles + 1, troubles)

  if wanted then
    local kept = {}
    for _, trouble in ipairs(troubles) do
      local rfc = ids.parts(trouble:match "RFC%d+:%w[%w%.]*%-%d+" or "") or tonumber(trouble:match "rfc(%d+)")
      if not rfc or wanted[rfc] then kept[#kept + 1] = trouble end
    end
    troubles = kept
  else
    local pages, order = page.pages(all)
    if check then compare(pages, order, troubles) else write(pages, order) end
  end
  for _, trouble in ipairs(troubles) do print(trouble) end
  for _, one in ipairs(all) do
    if not wanted or wanted[one.rfc] then summary("RFC " .. one.rfc, one.requirements) end
  end
  os.exit(#troubles == 0)
end

main(...)
