--- Code snippets: what they see of the connection, at their time; the snippets themselves, at the very end.
-- @module lunatcp.packetdrill.code

local core = require "lunatcp.core"
local python = require "lunatcp.packetdrill.python"

local M = {}

local MEMINFO_SIZE <const> = 36 -- nine counters of 32 bits

local constants -- names that snippets may use beside the variables

local function constants_of()
  if constants then return constants end
  constants = {}
  for name, value in pairs(core.socket_constants) do -- a table again: the order does not matter
    if name:find "^TCP" then constants[name] = value end
  end
  return constants
end

local function meminfo(sockets, fd, names)
  local ok, call = pcall(sockets.call, sockets, "getsockopt", fd, "SOL_SOCKET", "SO_MEMINFO", MEMINFO_SIZE)
  if not ok or not call:done() then return end
  local result, _, _, out = call:result()
  if result ~= 0 or not out or #(out.data or "") < MEMINFO_SIZE then return end
  for name, index in pairs(core.socket_constants) do -- each into its own name: the order does not matter
    if name:find "^SK_MEMINFO_" and index < MEMINFO_SIZE // 4 then
      names[name] = string.unpack("<I4", out.data, index * 4 + 1)
    end
  end
end

--- The variables that a snippet sees: fields of TCP_INFO as `tcpi_NAME`, SO_MEMINFO's.
-- @tparam table sockets
-- @tparam[opt] integer fd of the connection under test
-- @treturn table; or nil, message
function M.variables(sockets, fd)
  if not fd then return nil, "there is no open connection whose variables could be looked at" end
  local info, text = sockets:tcp_info(fd)
  if not info then return nil, "TCP_INFO: " .. tostring(text) end
  local names = {}
  for name, value in pairs(info) do names["tcpi_" .. name] = value end -- a table again
  meminfo(sockets, fd, names)
  return names
end

--- Runs all snippets as one program.
-- @tparam table snippets `{ code =, names =, time = }` in their order
-- @tparam table out lines that are printed
-- @treturn string what is wrong, nil: nothing
-- @treturn table where: `line`, `column`
-- @treturn integer when the snippet had looked, nanoseconds
function M.run(snippets, out)
  local names = {}
  for name, value in pairs(constants_of()) do names[name] = value end -- a table again
  for _, snippet in ipairs(snippets) do
    for name, value in pairs(snippet.names) do names[name] = value end -- a table again
    local statements, message, line = python.compile(snippet.code.text, snippet.code.line)
    local ok = statements
    if statements then ok, message, line = python.run(statements, names, out) end
    if not ok then return message, { line = line or snippet.code.line, column = 1 }, snippet.time end
  end
  return nil
end

return M
