-- Calls of a process's sockets that do not block, for specs of socket options.
local M = {}

--- Makes a call that must be over at once; gives its results.
function M.now(sockets, ...)
  local call = assert(sockets:call(...))
  assert(call:step(), "it blocks")
  return call:result()
end

--- setsockopt at SOL_TCP: nil, or the errno.
function M.set(sockets, fd, option, value)
  local _, code = M.now(sockets, "setsockopt", fd, "SOL_TCP", option, value)
  return code
end

return M
