-- The scripts of this folder: each is run as it stands, and once more strictly. Each begins with the
-- requirement that it shows.
local packetdrill = require "lunatcp.packetdrill"
local uv = require "luv"
local workers = require "lunatcp.packetdrill.workers"

local FOLDER <const> = "spec/packetdrill"

local function first_comment(path)
  local file <close> = assert(io.open(path, "rb"))
  return (file:read "l" or ""):match "^//%s*(.-)%s*$"
end

describe("packetdrill corpus", function()
  for _, path in ipairs(assert(workers.files(uv, FOLDER))) do
    local requirement = first_comment(path)
    it(("%s: %s"):format(path, requirement or "?"), function()
      assert(requirement and requirement ~= "", "the first line is no comment that says what is shown")
      for _, strict in ipairs { false, true } do
        local result = packetdrill.run_file(path, { strict = strict })
        assert(result.ok, (strict and "strict: " or "") .. packetdrill.explain(result))
      end
    end)
  end
end)
