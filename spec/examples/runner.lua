-- For the specs beside it: runs an example as a person would, in a process of its own.
local M = {}

local function quoted(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

--- The shell's words for an example with its arguments, ended after five minutes whatever happens.
-- @string name "tour"
-- @tparam[opt] table arguments
-- @tparam[opt] table environment lines such as "LUNATCP_SEED=7"
function M.command(name, arguments, environment)
  local words = { "env -u LUNATCP_SEED" }
  for _, setting in ipairs {
    "LUA_PATH_5_4=" .. package.path, "LUA_CPATH_5_4=" .. package.cpath, table.unpack(environment or {}),
  } do
    words[#words + 1] = quoted(setting)
  end
  words[#words + 1] = "timeout 300 lua5.4 " .. quoted("examples/" .. name .. ".lua")
  for _, argument in ipairs(arguments or {}) do words[#words + 1] = quoted(argument) end
  return table.concat(words, " ")
end

--- Runs an example to its end.
-- @treturn string what it printed
-- @treturn string what it complained of
-- @treturn integer its exit status
function M.run(name, arguments, environment)
  local path = os.tmpname()
  local pipe = assert(io.popen(M.command(name, arguments, environment) .. " </dev/null 2>" .. quoted(path)))
  local printed = pipe:read "a"
  local _, _, status = pipe:close()
  local file = assert(io.open(path))
  local complained = file:read "a"
  file:close()
  os.remove(path)
  return printed, complained, status
end

--- Runs an example that must end well and complain of nothing.
-- @treturn string what it printed
function M.well(name, arguments, environment)
  local printed, complained, status = M.run(name, arguments, environment)
  assert(complained == "" and status == 0, ("%s ended with %s: %s"):format(name, status, complained))
  return printed
end

--- A printed ladder without its drawing, one line a row: "0.010000 ESTABLISHED < SYN,ACK seq 0 ack 1
-- SYN-RECEIVED". Windows are left out, except closed ones. Prose stays, each paragraph on its lines.
function M.plain(text)
  for glyph, word in pairs { ["▶"] = " >", ["◀"] = "< ", ["╳"] = " X " } do text = text:gsub(glyph, word) end
  for _, glyph in ipairs { "─", "│", "┄" } do text = text:gsub(glyph, " ") end
  text = text:gsub(" win [1-9]%d*", ""):gsub("[ \t]+", " "):gsub(" ?\n ?", "\n")
  return text
end

--- Prose as one line, so that it can be searched without knowing where it was wrapped.
function M.one_line(text) return (text:gsub("%s+", " ")) end

return M
