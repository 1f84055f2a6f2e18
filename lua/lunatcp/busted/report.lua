--- What a failed test says: fields, the ladder up to that moment, the seed, the capture file.
-- @module lunatcp.busted.report

local M = {}

local LADDER_MOST <const> = 100 -- lines of a ladder in a message; the last ones are kept
local NAME_MOST <const> = 120 -- characters of a file's name

--- The ladder of a network as far as it has come, or nil when there is nothing to draw.
-- @tparam table net
-- @treturn[opt] string without the last line's end
function M.ladder(net)
  if not net or net.closed or #net.nodes == 0 then return nil end
  local ok, text = pcall(net.ladder, net)
  if not ok then return nil end
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  if #lines < 2 then return nil end
  local left_out = #lines - 1 - LADDER_MOST
  if left_out > 0 then
    table.move(lines, left_out + 2, #lines + left_out, 2)
    table.insert(lines, 2, ("           ... %d earlier lines"):format(left_out))
  end
  return table.concat(lines, "\n")
end

--- The text of a failed assertion.
-- @tparam table failure `what` (a sentence), `fields` (as `lunatcp.expect` compares them), `remarks`
--   (lines), `net`
-- @tparam boolean brief without the ladder
-- @treturn string
function M.text(failure, brief)
  local net = failure.net
  local when = net and not net.closed and (" at %.6f s"):format(net:now()) or ""
  local lines, width = { failure.what .. when }, 0
  for _, entry in ipairs(failure.fields or {}) do width = math.max(width, #entry.name) end
  for _, entry in ipairs(failure.fields or {}) do
    lines[#lines + 1] = ("  %s %s  expected %s, got %s"):format(entry.good and " " or "*",
      entry.name .. (" "):rep(width - #entry.name), entry.expected, entry.got)
  end
  for _, remark in ipairs(failure.remarks or {}) do lines[#lines + 1] = "    " .. remark end
  if not brief then lines[#lines + 1] = M.ladder(net) end
  return table.concat(lines, "\n")
end

-- ---- capture files ----------------------------------------------------------------------------

--- A file's name of a test's: what no file system minds, and no shell.
function M.slug(text)
  text = text:gsub("[^%w_.]+", "-"):gsub("^[-.]+", ""):gsub("-+$", "")
  return text == "" and "test" or text:sub(1, NAME_MOST)
end

local function make_directory(path)
  if not package.loaded["pl.dir"] and not package.searchpath("pl.dir", package.path) then
    return nil, "Penlight, which busted needs, is not there"
  end
  local ok, message = require "pl.dir".makepath(path)
  if ok then return true end
  return nil, message
end

--- Writes a capture into a directory, which is made if need be.
-- @string directory
-- @string name without ".pcapng"
-- @string bytes
-- @treturn string its path, or nil, message
function M.write_capture(directory, name, bytes)
  local made, message = make_directory(directory)
  if not made then return nil, ("%s: %s"):format(directory, message) end
  local path = ("%s/%s.pcapng"):format((directory:gsub("(.)/+$", "%1")), name)
  local file, problem = io.open(path, "wb")
  if not file then return nil, problem end
  local written
  written, problem = file:write(bytes)
  local closed, late = file:close()
  if written and closed then return path end
  return nil, ("%s: %s"):format(path, problem or late)
end

return M
