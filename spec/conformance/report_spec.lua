-- What `./dev conformance` says of tables, code and specs. Ids here are made up of two pieces, since
-- whole ones would be taken for requirements.
local ids = require "spec.conformance.ids"
local judge = require "spec.conformance.judge"
local page = require "spec.conformance.page"
local tables = require "spec.conformance.tables"

local HEADER <const> = "id\tlevel\tsection\trequirement\tdeclined"

describe("conformance report", function()
  local folder, path

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    path = folder .. "/rfc7413.tsv"
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  local function read(...)
    local file <close> = assert(io.open(path, "w"))
    file:write(table.concat({ ... }, "\n"), "\n")
    file:close()
    return tables.read(path)
  end

  local function faults(...)
    local _, troubles = read(...)
    for i, trouble in ipairs(troubles) do troubles[i] = trouble:gsub("^.*/", "") end
    return troubles
  end

  it("reads a table with its title", function()
    local one, troubles = read("# TCP Fast Open", HEADER, "RFC7413" .. ":4.1-1\tMUST\t4.1\task\t",
      "RFC7413" .. ":A.2-12\tMAY\tA.2\tmore\tno need", "RFC7413" .. ":4.1-2\tplain\t4.1\ta third")
    assert.same({}, troubles)
    assert.equal("TCP Fast Open", one.title)
    assert.equal(7413, one.rfc)
    assert.same({ "ask", "more", "a third" }, {
      one.requirements[1].what, one.requirements[2].what, one.requirements[3].what })
    assert.is_nil(one.requirements[1].declined)
    assert.equal("no need", one.requirements[2].declined)
  end)

  it("names file and line of a malformed row", function()
    local id <const> = "RFC7413" .. ":4.1-1"
    assert.same({ "rfc7413.tsv:2: 3 fields, not 4 or 5" }, faults(HEADER, id .. "\tMUST\t4.1"))
    assert.same({ "rfc7413.tsv:2: 6 fields, not 4 or 5" }, faults(HEADER, id .. "\tMUST\t4.1\ta\tb\tc"))
    assert.same({ "rfc7413.tsv:3: the id " .. id .. " stands on line 2 already" },
      faults(HEADER, id .. "\tMUST\t4.1\ta\t", id .. "\tMUST\t4.1\tb\t"))
    assert.same({
      'rfc7413.tsv:2: the level "SHALL" is none of MUST, MUST NOT, SHOULD, SHOULD NOT, MAY, plain' },
      faults(HEADER, id .. "\tSHALL\t4.1\ta\t"))
    assert.same({ 'rfc7413.tsv:2: the section is "4.2", but the id says 4.1' },
      faults(HEADER, id .. "\tMUST\t4.2\ta\t"))
    assert.same({ "rfc7413.tsv:2: it does not say what is asked" }, faults(HEADER, id .. "\tMUST\t4.1\t\t"))
    assert.same({ "rfc7413.tsv:2: space around its requirement" }, faults(HEADER, id .. "\tMUST\t4.1\t a\t"))
    assert.same({ "rfc7413.tsv:2: declined, but only a MAY can be, or a SHOULD with a good reason" },
      faults(HEADER, id .. "\tMUST\t4.1\ta\tno"))
    assert.same({ 'rfc7413.tsv:2: the id "RFC7412:4.1-1" is not of the form RFC7413:SECTION-NUMBER' },
      faults(HEADER, "RFC7412" .. ":4.1-1\tMUST\t4.1\ta\t"))
    assert.same({ 'rfc7413.tsv:2: the id "RFC7413:4.1" is not of the form RFC7413:SECTION-NUMBER' },
      faults(HEADER, "RFC7413" .. ":4.1\tMUST\t4.1\ta\t"))
    assert.same({ "rfc7413.tsv:1: the header is not id, level, section, requirement, declined between tabs" },
      faults("id level section requirement declined"))
  end)

  it("finds ids, and takes a section without a number for a citation", function()
    local found = {}
    ids.each("RFC8985" .. ":6.2-1, RFC8985:6.2 and RFC9768" .. ":A.2-10. RFC9293" .. ":MUST-3, MAY-2", true,
      function(id) found[#found + 1] = id end)
    assert.same({ "RFC8985" .. ":6.2-1", "RFC9768" .. ":A.2-10", "RFC9293" .. ":MUST-3",
      "RFC9293" .. ":MAY-2" }, found)
    assert.is_true(ids.before("RFC8985" .. ":6.2-9", "RFC8985" .. ":6.2-10"))
    assert.is_true(ids.before("RFC8985" .. ":6.2-1", "RFC8985" .. ":6.10-1"))
  end)

  it("judges by code, specs and their results, and finds ids that stand in no table", function()
    local function id(n) return ("RFC7413:4.1-%d"):format(n) end
    local requirements = {}
    for n = 1, 6 do requirements[n] = { id = id(n), level = "MAY", section = "4.1", what = "w" .. n } end
    requirements[5].declined = "why not"
    requirements[6].declined = "why not"
    local code <const> = { [id(1)] = { "`a.c` f" }, [id(2)] = { "`a.c` g" }, [id(3)] = { "`a.c` h" },
      [id(6)] = { "`a.c` i" }, [id(9)] = { "`a.c` j" } }
    local good <const>, bad <const> = { file = "b_spec.lua", name = "good", passed = true },
      { file = "b_spec.lua", name = "bad", passed = false }
    local shown <const> = { [id(1)] = { good }, [id(3)] = { good, bad }, [id(4)] = { good } }
    local troubles = judge.all({ { rfc = 7413, requirements = requirements } }, code, shown)
    assert.same({ "pass", "no spec carries the id", "fails", "no code carries the id", "declined",
      "declined, but done" }, {
      requirements[1].verdict, requirements[2].verdict, requirements[3].verdict, requirements[4].verdict,
      requirements[5].verdict, requirements[6].verdict })
    assert.same({
      id(2) .. ": no spec carries the id (w2)",
      id(3) .. ": fails (w3)", "  b_spec.lua: bad",
      id(4) .. ": no code carries the id (w4)",
      id(6) .. ": declined, but done (w6)",
      id(9) .. " stands in no table (`a.c` j)",
    }, troubles)
    assert.same({ pass = 1, declined = 1, other = 4 }, page.counts(requirements))
  end)

  it("reads every table of this tree without a complaint", function()
    local _, troubles = tables.read_all()
    assert.same({}, troubles)
  end)
end)
