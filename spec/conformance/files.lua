-- Reading what stands in the tree.
local M = {}

-- Its lines; nil and why not.
function M.lines_of(path)
  local file <close>, message = io.open(path, "r")
  if not file then return nil, message end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  return lines
end

-- The whole of it; nil where there is no such file.
function M.read(path)
  local file <close> = io.open(path, "r")
  return file and file:read "a"
end

function M.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- Paths below a folder that match a pattern, in the order of their bytes.
function M.under(directory, pattern)
  local list = {}
  local pipe <close> = assert(io.popen(("find %s -type f 2>/dev/null | LC_ALL=C sort"):format(directory)))
  for path in pipe:lines() do
    if path:find(pattern) then list[#list + 1] = path end
  end
  return list
end

return M
