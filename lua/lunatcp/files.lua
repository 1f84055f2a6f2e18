--- Files, with failures as the rest of the library gives them: nil, message, CODE.
-- @module lunatcp.files

local M = {}

local CODES <const> = {
  [1] = "EPERM", [2] = "ENOENT", [5] = "EIO", [13] = "EACCES", [20] = "ENOTDIR", [21] = "EISDIR",
  [23] = "ENFILE", [24] = "EMFILE", [27] = "EFBIG", [28] = "ENOSPC", [30] = "EROFS", [36] = "ENAMETOOLONG",
  [40] = "ELOOP",
}

local function failure(message, number) return nil, message, CODES[number] or "EIO" end

--- All of a file.
-- @treturn string or nil, message, code
function M.read(path)
  local file, message, number = io.open(path, "rb")
  if not file then return failure(message, number) end
  local text
  text, message, number = file:read "a"
  file:close()
  if text then return text end
  return failure(("%s: %s"):format(path, message), number)
end

--- Makes a file of a string.
-- @treturn boolean true, or nil, message, code
function M.write(path, text)
  local file, message, number = io.open(path, "w")
  if not file then return failure(message, number) end
  local ok
  ok, message, number = file:write(text)
  local closed, close_message, close_number = file:close()
  if ok and closed then return true end
  return failure(message or close_message, number or close_number)
end

return M
