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
end)
