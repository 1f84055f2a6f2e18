-- The list of mutants fits the sources: a mutant whose place has moved would never be tried again.
local list = require "mutants.list"
local mutate = require "mutants.mutate"

describe("the list of mutants", function()
  it("breaks the core in at least 60 places, each with a name of its own", function()
    assert.is_true(#list >= 60)
    local is_there = {}
    for _, mutant in ipairs(list) do
      assert.is_nil(is_there[mutant.name], mutant.name)
      is_there[mutant.name] = true
    end
  end)

  for _, mutant in ipairs(list) do
    it("finds the one place of " .. mutant.name, function()
      assert.is_nil((mutate.problem(mutant)))
      assert.are_not.equal(mutant.text, mutant.with)
      assert.is_string(mutant.requirement)
    end)
  end

  it("is chosen from by names of mutants and of files, and says which one means nothing", function()
    local two = { { name = "a-one", file = "tcp/x.c" }, { name = "b-two", file = "host/y.c" } }
    assert.same(two, mutate.chosen(two, {}))
    assert.same({ two[2] }, mutate.chosen(two, { "two" }))
    assert.same({ two[1] }, mutate.chosen(two, { "core/tcp" }))
    assert.same({ nil, "three" }, { mutate.chosen(two, { "one", "three" }) })
  end)
end)
