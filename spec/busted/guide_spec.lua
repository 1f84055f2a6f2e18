-- docs/testing.md: its specs run, and a failure says what the guide shows.
local shell = require "support.shell"

describe("the guide to testing", function()
  local scratch, guide

  setup(function()
    scratch, guide = shell.scratch(), assert(shell.read "docs/testing.md")
    shell.succeed("mkdir", shell.quote(scratch .. "/spec"))
    for spec in guide:gmatch "```lua\n(%-%- spec/.-)```" do
      shell.write(scratch .. "/" .. spec:match "^%-%- (%S+)", spec)
    end
  end)
  teardown(function() shell.remove(scratch) end)

  -- What may change with any default of the engine is left out: numbers, and the length of lines.
  local function plain(text)
    return (text:gsub("%d+", "N"):gsub("N%.N", "N"):gsub("─", ""):gsub(" +", " "))
  end

  local function busted(spec)
    return shell.run("cd", shell.quote(scratch), "&& env -u LUNATCP_SEED -u LUNATCP_CAPTURES",
      shell.modules(), "lua5.4", shell.quote(shell.first_line "command -v busted"),
      "--ignore-lua -o plainTerminal", spec)
  end

  it("has a first spec that passes", function()
    local output, ok = busted "spec/greeting_spec.lua"
    assert.is_true(ok, output)
    assert.matches("1 success / 0 failures / 0 errors", output)
  end)

  it("shows what busted says of its second one", function()
    local output = busted "spec/upload_spec.lua"
    assert.matches("0 successes / 1 failure / 0 errors", output)
    local shown = guide:match "```\n(Failure %->.-)\n```"
    assert.equal(plain(shown), plain(output:match "(Failure %->.-)\n*$"))
  end)

  it("is right that the same test passes with 10,000 octets", function()
    local path = scratch .. "/spec/upload_spec.lua"
    shell.write(path, (shell.read(path):gsub("rep%(4000%)", "rep(10000)")))
    local output, ok = busted "spec/upload_spec.lua"
    assert.is_true(ok, output)
  end)

  it("shows what decode prints of the capture", function()
    local command, shown = guide:match "\n%$ lunatcp (decode [^\n]+)\n(.-)\n```"
    local output = shell.succeed("LUA=$PWD; cd", shell.quote(scratch), "&& env", shell.modules(),
      "lua5.4 \"$LUA/bin/lunatcp\"", command)
    local from = 1
    for line in shown:gmatch "[^\n]+" do
      if not line:match "^ +%.%.%.$" then
        local at = select(2, plain(output):find(plain(line), from, true))
        assert.is_number(at, line .. "\nis not in\n" .. output)
        from = at + 1
      end
    end
  end)
end)
