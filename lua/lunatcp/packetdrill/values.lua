--- Expressions of system calls as values: constants, descriptors, buffers, addresses.
-- What is wrong is raised as a table, which `lunatcp.packetdrill.calls` catches.
-- @module lunatcp.packetdrill.values

local core = require "lunatcp.core"

local M = {}

--- Ends the event with a message.
function M.fail(message, ...)
  if select("#", ...) > 0 then message = message:format(...) end
  error({ call_problem = message }, 0)
end

local function describe(expression)
  if expression.type == "ellipsis" then return "'...'" end
  if expression.type == "word" then return "'" .. expression.text .. "'" end
  return "a " .. (expression.name or expression.type)
end

--- An integer: a number, a constant, or some of them joined by `|`.
-- @tparam table expression
-- @string what it is, for messages
function M.number(expression, what)
  if not expression then M.fail("%s is missing", what) end
  if expression.type == "integer" then return expression.value end
  if expression.type == "word" then
    if expression.text == "NULL" then return 0 end
    local value = core.socket_constants[expression.text] or core.socket_errno[expression.text]
    if not value then M.fail("unknown constant %s (%s)", expression.text, what) end
    return value
  end
  if expression.type == "or" then
    return M.number(expression.left, what) | M.number(expression.right, what)
  end
  M.fail("%s: expected a number or a constant, got %s", what, describe(expression))
end

--- The one number between brackets: `[4]`.
function M.boxed(expression, what)
  if expression and (expression.type == "list" or expression.type == "braces") then
    if #expression.items ~= 1 then M.fail("%s: expected one value in brackets", what) end
    return M.number(expression.items[1], what)
  end
  return M.number(expression, what)
end

function M.is_ellipsis(expression) return expression == nil or expression.type == "ellipsis" end
function M.is_null(expression)
  return expression ~= nil and (expression.type == "word" and expression.text == "NULL")
end

--- A struct of that name, or the one in brackets; nil for anything else.
function M.struct(expression, name)
  local only = expression and expression.type == "list" and #expression.items == 1
  if only then expression = expression.items[1] end
  if expression and expression.type == "struct" and expression.name == name then return expression.fields end
end

--- Items of an array, or of a struct without names.
function M.items(expression, what)
  local kind = expression and expression.type
  if kind == "list" or kind == "braces" then return expression.items end
  M.fail("%s: expected an array, got %s", what, expression and describe(expression) or "nothing")
end

--- Lengths of the buffers of an iovec: `[{..., 100}, {..., 200}]`.
function M.lengths(expression, what)
  local lengths = {}
  for i, item in ipairs(M.items(expression, what)) do
    local parts = M.items(item, what)
    if #parts ~= 2 then M.fail("%s: expected {..., length}", what) end
    lengths[i] = M.number(parts[2], what)
  end
  return lengths
end

--- What a socket address stands for: `...`, NULL, a struct, a family alone.
-- @tparam table expression
-- @tparam table default what `...` means
function M.address(expression, default)
  if M.is_ellipsis(expression) then return default end
  if M.is_null(expression) then return nil end
  local fields = M.struct(expression, "sockaddr")
  if fields then return { family = fields.family, address = fields.address, port = fields.port } end
  if expression.type == "word" and expression.text == "AF_UNSPEC" then return { family = "AF_UNSPEC" } end
  M.fail("expected an address, got %s", describe(expression))
end

return M
