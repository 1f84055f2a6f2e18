--- A task: a coroutine that the scheduler resumes when what it waits for has happened.
--
-- `status` is "ready", "running", "waiting", "done", "failed" or "closed".
-- @module lunatcp.task

local check = require "lunatcp.check"

local M = {}

local Task = {}
Task.__index = Task
Task.__name = "lunatcp.task"

--- Makes a task that has not begun.
-- @tparam Scheduler scheduler
-- @tparam function body
-- @param ... its arguments
function M.new(scheduler, body, ...)
  return setmetatable({
    id = scheduler.created,
    scheduler = scheduler,
    thread = coroutine.create(body),
    arguments = select("#", ...) > 0 and table.pack(...) or nil,
    status = "ready",
    -- Behind this, the scheduler's spawn and perhaps the network's.
    born = scheduler.birthplace or check.user_line(nil, 4),
    waiters = {},
  }, Task)
end

function Task:__tostring()
  local name = self.name and (" '%s'"):format(self.name) or ""
  return ("task %d%s (%s)"):format(self.id, name, self.status)
end

local function has_ended(self)
  return self.status == "done" or self.status == "failed" or self.status == "closed"
end

--- Waits until the task has ended and gives what it returned.
-- @tparam[opt] table options `timeout` or `deadline`
-- @return what the body returned; or nil, message, code: ECANCELED when it failed or was closed, EAGAIN when
--   the deadline came first
function Task:join(options)
  check.options(options, { "timeout", "deadline" }, "join: options")
  local deadline = self.scheduler:deadline(options, "join")
  while not has_ended(self) do
    if not self.scheduler:wait(self, ~0, deadline, "join") then
      return nil, "the task has not ended before the deadline", "EAGAIN"
    end
  end
  if self.status ~= "done" then return nil, ("%s"):format(self), "ECANCELED" end
  return table.unpack(self.results, 1, self.results.n)
end

--- Ends the task: its `<close>` variables run now. A task cannot close itself.
function Task:close()
  if has_ended(self) then return end
  local scheduler = self.scheduler
  if scheduler.current == self then check.raise("a task cannot close itself: return from it") end
  scheduler:close_task(self)
end

return M
