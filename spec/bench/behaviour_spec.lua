-- The benches of behaviour, scaled down: what they print is whole, and of the order that it must be.
local json = require "dkjson"
local runner = require "examples.runner"

local function objects(printed)
  local list = {}
  for line in printed:gmatch "[^\n]+" do list[#list + 1] = assert(json.decode(line), line) end
  return list
end

local function run(name, ...)
  local printed = runner.well("../bench/" .. name, { ... })
  return printed
end

describe("./dev bench behaviour", function()
  it("sets the goodput beside that of others, and beside the algorithm's law", function()
    local rows = objects(run("behaviour", "--json", "--seeds=2", "--seconds=1", "--only=goodput",
      "--cc=newreno"))
    assert.equal(4, #rows)
    for i, loss in ipairs { 0, 0.001, 0.01, 0.05 } do
      local row = rows[i]
      assert.same({ "behaviour", "newreno", loss, "goodput_bps", "bit/s", "Linux 6.18" },
        { row.bench, row.case, row.loss, row.metric, row.unit, row.versus })
      assert.is_true(row.least <= row.value and row.value <= row.greatest and row.least > 1e6)
      -- A second from a cold start is kinder than the long run that the law is about.
      assert.is_true(row.value < 3 * row.law, row.value)
      -- Every seed by the losses that it met; one second has few of them.
      assert.is_true(row.own_losses > 0.7 and row.own_losses <= 1.3, row.own_losses)
      assert.is_true(math.abs(row.value / row.versus_value - row.ratio) < 1e-3)
    end
    assert.is_true(rows[1].value > 60e6 and rows[1].value <= rows[1].law, rows[1].value)
    assert.is_true(rows[2].value > rows[3].value and rows[3].value > rows[4].value)
  end)

  it("has Jain's index of flows that share", function()
    local rows = objects(run("behaviour", "--json", "--seeds=1", "--fairness=6", "--only=fairness",
      "--cc=newreno", "--rate=1e7"))
    local by_case = {}
    for _, row in ipairs(rows) do by_case[row.case] = row end
    assert.is_true(by_case["two newreno"].value > 0.6, by_case["two newreno"].value)
    assert.is_true(by_case["ten newreno"].total_bps > 9e6)
    assert.is_not_nil(by_case["cubic, newreno"])
    assert.is_not_nil(by_case["newreno, 20 and 60 ms"])
  end)

  it("refuses what it does not know", function()
    local _, complained, status = runner.run("../bench/behaviour", { "--sead=1" })
    assert.equal(1, status)
    assert.matches("unknown option: %-%-sead=1", complained)
  end)
end)

describe("./dev bench smoltcp_grid", function()
  it("goes through the losses for a window", function()
    local rows = objects(run("smoltcp_grid", "--json", "--seeds=1", "--window=32768", "--octets=300000"))
    assert.equal(8, #rows)
    for i, row in ipairs(rows) do
      assert.equal(32768, row.case)
      assert.is_true(row.value > 0)
      if i > 1 then assert.is_true(row.loss > rows[i - 1].loss) end
    end
    -- A window each round trip of 100 ms is the most there can be.
    assert.is_true(rows[1].value <= 1.1 * 327680 and rows[1].value > 250000, rows[1].value)
    assert.is_true(rows[5].value > rows[8].value)
  end)

  it("prints a line for the window, theirs and how they compare", function()
    local printed = run("smoltcp_grid", "--seeds=1", "--window=32768", "--octets=100000")
    assert.matches("\n +32768 +%d+", printed)
    assert.matches("\n +smoltcp +322945 +314780 +219671 +166588 +76626 +37775 +6079 +1156\n", printed)
    assert.matches("\n +ratio +%d+%.%d%d ", printed)
  end)
end)
