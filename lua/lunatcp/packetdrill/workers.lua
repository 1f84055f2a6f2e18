--- Scripts shared out among processes, and folders read: what needs libuv (the Lua module luv).
-- @module lunatcp.packetdrill.workers

local M = {}

--- Files below a folder whose names end in `.pkt`, in the order of their paths.
-- @tparam table uv
-- @string path a file or a folder
-- @treturn {string,...}; or nil, message
function M.files(uv, path)
  local stat, message = uv.fs_stat(path)
  if not stat then -- "ENOENT: no such file or directory: PATH"
    local why, tail = message:gsub("^%u+: ", ""), ": " .. path
    if why:sub(-#tail) == tail then why = why:sub(1, -#tail - 1) end
    return nil, path .. ": " .. why
  end
  if stat.type ~= "directory" then return { path } end
  local found, folders = {}, { (path:gsub("(.)/+$", "%1")) }
  while folders[1] do
    local folder = table.remove(folders)
    local handle
    handle, message = uv.fs_scandir(folder)
    if not handle then return nil, message end
    while true do
      local name, kind = uv.fs_scandir_next(handle)
      if not name then break end
      local full = folder .. "/" .. name
      if not kind or kind == "unknown" then kind = (uv.fs_stat(full) or {}).type end
      if kind == "directory" then
        folders[#folders + 1] = full
      elseif name:find "%.pkt$" then
        found[#found + 1] = full
      end
    end
  end
  table.sort(found)
  return found
end

local function died(file, why)
  return {
    ok = false, file = file, printed = {}, warnings = {}, events = 0, time = 0,
    problem = { file = file, line = 1, column = 1, message = why },
  }
end

-- One process: it is sent a number at a time, and answers with a line of JSON.
local function start(uv, share, command)
  local worker = { input = uv.new_pipe(false), output = uv.new_pipe(false), rest = "" }
  local function shut()
    if worker.closed then return end
    worker.closed = true
    worker.input:close()
    worker.output:close()
  end
  local function hand_out()
    worker.number = share.next <= share.count and share.next or nil
    if not worker.number then
      if not worker.ended then uv.shutdown(worker.input) end
      worker.ended = true
      return
    end
    share.next = share.next + 1
    worker.input:write(worker.number .. "\n")
  end
  local handle, message = uv.spawn(command.program, {
    args = command.arguments, stdio = { worker.input, worker.output, 2 },
  }, function(status, signal)
    if worker.number then
      share.done(worker.number, died(share.files[worker.number],
        ("the process that ran it ended (status %d, signal %d)"):format(status, signal)))
      worker.number = nil
      shut()
      start(uv, share, command)
    end
    if worker.handle then worker.handle:close() end
  end)
  if not handle then
    shut()
    return nil, message
  end
  worker.handle = handle
  uv.read_start(worker.output, function(_, chunk)
    if not chunk then return shut() end
    worker.rest = worker.rest .. chunk
    while true do
      local line, behind = worker.rest:match "^([^\n]*)\n(.*)$"
      if not line then break end
      worker.rest = behind
      if worker.number then
        local number = worker.number
        worker.number = nil
        share.done(number, share.decode(line) or died(share.files[number], "its result could not be read"))
        hand_out()
      end
    end
  end)
  hand_out()
  return true
end

--- Runs files in several processes.
-- @tparam table uv
-- @tparam table job `files`, `jobs`, `command` (`program`, `arguments`), `decode` (a line to a result),
--   `done(number, result)`
-- @treturn boolean true; or nil, message
function M.run(uv, job)
  local share = {
    files = job.files, next = 1, count = #job.files, decode = job.decode, done = job.done,
  }
  for _ = 1, math.min(job.jobs, #job.files) do
    local ok, message = start(uv, share, job.command)
    if not ok then return nil, message end
  end
  uv.run()
  return true
end

return M
