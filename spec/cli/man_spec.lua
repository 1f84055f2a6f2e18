-- Manual pages: made of what the commands say, and nothing is left out.
local cli = require "lunatcp.cli"
local man = require "lunatcp.cli.man"
local shell = require "support.shell"

describe("the manual pages", function()
  local root
  setup(function() root = cli.parser() end)

  it("read fields of argparse that it does not promise: a newer one is to be looked at first", function()
    assert.equal("0.7.1", require "argparse".version)
    for _, command in ipairs(root._commands) do
      for _, element in ipairs(command._options) do
        assert.is_function(element._get_label_lines)
        assert.is_function(element._get_description)
      end
    end
  end)

  it("in docs/man are those of this tree", function()
    local names = {}
    for _, page in ipairs(man.pages(root)) do
      names[#names + 1] = page[1]
      assert.equal(page[2], shell.read("docs/man/" .. page[1]), page[1] .. ": ./dev docs")
    end
    table.sort(names)
    local there = {}
    for name in shell.succeed("ls docs/man"):gmatch "%S+" do there[#there + 1] = name end
    table.sort(there)
    assert.same(names, there)
  end)

  it("name each option, each argument and the exit status of each command", function()
    for _, command in ipairs(root._commands) do
      local page = shell.read(("docs/man/lunatcp-%s.1"):format(command._name)):gsub("\\%-", "-")
      local options = page:match "\n%.SH OPTIONS\n(.-)\n%.SH "
      for _, option in ipairs(command._options) do
        for _, alias in ipairs(option._aliases) do
          assert.is_truthy((options .. "\n"):gsub("[,\n]", " "):find(" " .. alias .. " ", 1, true),
            ("%s: %s"):format(command._name, alias))
        end
      end
      for _, argument in ipairs(command._arguments) do
        assert.is_truthy(page:find("\n.B " .. argument._name .. "\n", 1, true), command._name)
      end
      assert.matches('\n.SH "EXIT STATUS"\n0[,;].* 2 for wrong usage', page)
      assert.is_truthy(shell.read("docs/man/lunatcp.1"):gsub("\\%-", "-")
        :find(("\n.BR lunatcp-%s (1)\n"):format(command._name), 1, true))
    end
  end)

  it("say what --help says", function()
    for _, command in ipairs(root._commands) do
      local page = shell.read(("docs/man/lunatcp-%s.1"):format(command._name)):gsub("\\%-", "-")
      for _, option in ipairs(command._options) do
        assert.is_truthy(page:find(option._description:match "^[^\n]*", 1, true), option._name)
      end
    end
  end)
end)
