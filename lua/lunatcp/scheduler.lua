--- Tasks: coroutines that wait for something to happen to an object, or for a time.
--
-- The scheduler knows no network. It drives a *world*, a table with
--
-- * `now()`: seconds;
-- * `set_alarm(when, id)`, `cancel_alarm(id)`: the world calls `scheduler:alarm(id)` at that time;
-- * `step(limit)`: lets one thing happen at or before `limit` and says `"progress"`, `"limit"` (time
--   stands at `limit`) or `"idle"` (nothing will ever happen again by itself). What happened reaches
--   the tasks by `scheduler:wake`.
--
-- Tasks are known by numbers in the order of their creation; everything that is woken runs in the
-- order in which it was woken.
-- @module lunatcp.scheduler

local check = require "lunatcp.check"
local tasks = require "lunatcp.task"

local M = {}

local Scheduler = {}
Scheduler.__index = Scheduler

-- What a task yields; nothing else may come out of it.
local WAIT <const> = setmetatable({}, { __name = "lunatcp.wait" })

local NEVER <const> = math.huge
M.NEVER = NEVER
local LAST <const> = 9e9 -- seconds: the core's clock ends soon after, so that later is never

--- The time, or NEVER where the clock does not go so far.
function M.reachable(time) return time < LAST and time or NEVER end

--- A scheduler over `world`.
function M.new(world)
  return setmetatable({
    world = world,
    tasks = {},       -- unfinished, by order of creation
    created = 0,
    waits = 0,        -- serial numbers of waits
    alarms = {},      -- by id: the waiter or timer that asked
    ready = {},       -- tasks to resume: a queue from `head` to `tail`
    head = 1,
    tail = 0,
    current = nil,    -- the task that is running
    looping = false,  -- the loop is running
    closing = nil,    -- a task is being closed: its `<close>` variables run
    busy_hook = nil,  -- a hook or a rule is running
    failure = nil,    -- the first error of a task or hook
  }, Scheduler)
end

-- ---- tasks ------------------------------------------------------------------------------------

local function push_ready(self, task)
  self.tail = self.tail + 1
  self.ready[self.tail] = task
end

--- Begins a task; it runs for the first time when the network does.
-- @tparam function body
-- @param ... its arguments
-- @treturn Task
function Scheduler:spawn(body, ...)
  check.callable(body, "spawn: argument 1")
  self.created = self.created + 1
  local task = tasks.new(self, body, ...)
  self.tasks[#self.tasks + 1] = task
  push_ready(self, task)
  return task
end

local function forget(self, task)
  for i, other in ipairs(self.tasks) do
    if other == task then
      table.remove(self.tasks, i)
      return
    end
  end
end

local function finish(self, task, status)
  task.status = status
  task.waiter = nil
  forget(self, task)
  self:wake(task, ~0)
end

--- Remembers the first failure; the loop raises it once nothing of the core is on the stack.
function Scheduler:fail(value, traceback)
  if not self.failure then self.failure = { value = value, traceback = traceback } end
end

-- What came out of a task: it waits, has failed, is done, or has yielded what it should not.
local function settle(self, task, ok, ...)
  if ok and (...) == WAIT then return end
  if not ok then
    task.error = ...
    self:fail(task.error, debug.traceback(task.thread))
    self:close_task(task, "failed")
  elseif coroutine.status(task.thread) == "dead" then
    task.results = table.pack(...)
    finish(self, task, "done")
  else
    self:fail(("%s yielded by itself at %s; a task waits by blocking calls, or net:sleep(0)")
      :format(task, check.user_line(task.thread)), debug.traceback(task.thread))
    self:close_task(task, "failed")
  end
end

local function leave(self, outer, ...)
  self.current = outer
  return ...
end

local function resume(self, task)
  task.status = "running"
  task.waiter = nil
  local outer, arguments = self.current, task.arguments
  self.current = task
  if arguments then
    task.arguments = nil
    settle(self, task, leave(self, outer, coroutine.resume(task.thread,
      table.unpack(arguments, 1, arguments.n))))
  else
    settle(self, task, leave(self, outer, coroutine.resume(task.thread)))
  end
end

-- ---- waiting ----------------------------------------------------------------------------------

--- Turns `{ timeout = }` or `{ deadline = }` into a point in time, or nil.
function Scheduler:deadline(options, what)
  if options == nil then return nil end
  check.type(options, "table", what .. ": options")
  local timeout, deadline = options.timeout, options.deadline
  if timeout ~= nil then
    check.seconds(timeout, what .. ": timeout")
    timeout = self.world:now() + timeout
  end
  if deadline ~= nil then check.number(deadline, what .. ": deadline") end
  if timeout and deadline then return math.min(timeout, deadline) end
  return timeout or deadline
end

--- The task that is calling, or nil outside of any; raises where blocking would be wrong.
function Scheduler:caller(what)
  local running = coroutine.running()
  if self.current then
    if running == self.current.thread and not self.busy_hook then return self.current end
    if not self.busy_hook then
      check.raise("%s: a blocking call inside a coroutine of one's own would yield to the wrong "
        .. "resumer; use net:spawn", what)
    end
  end
  if self.closing then check.raise("%s: cannot block while the task is being closed", what) end
  if self.busy_hook then check.raise("%s: a hook cannot block", what) end
  if self.looping then
    check.raise("%s: cannot block here, the network is running", what)
  end
  return nil
end

local function drop_waiter(object, waiter)
  local waiters = object.waiters
  for i, other in ipairs(waiters) do
    if other == waiter then
      table.remove(waiters, i)
      return
    end
  end
end

--- Waits until one of `bits` happens to `object` (a table with a list `waiters`; nil: nothing can),
-- or until `deadline`. True, or false when the deadline came first.
function Scheduler:wait(object, bits, deadline, what)
  local task = self:caller(what)
  deadline = deadline and M.reachable(deadline)
  if deadline and deadline <= self.world:now() and object then return false end
  self.waits = self.waits + 1
  local waiter = {
    id = self.waits, task = task, object = object, bits = bits, what = what, since = self.world:now(),
  }
  if object then object.waiters[#object.waiters + 1] = waiter end
  if deadline and deadline < NEVER then
    self.alarms[waiter.id] = waiter
    self.world:set_alarm(deadline, waiter.id)
    waiter.deadline = deadline
  end
  if task then
    task.waiter = waiter
    task.status = "waiting"
    coroutine.yield(WAIT)
  else
    waiter.line = check.user_line()
    self:run_until(function() return waiter.woken end, { outside = waiter })
  end
  return waiter.woken == "event"
end

local function end_wait(self, waiter, why)
  waiter.woken = why
  if waiter.object then drop_waiter(waiter.object, waiter) end
  if waiter.deadline and why ~= "alarm" then self.world:cancel_alarm(waiter.id) end
  self.alarms[waiter.id] = nil
  if waiter.task and why ~= "closed" then push_ready(self, waiter.task) end
end

--- Something happened to `object`: whoever waits for one of `bits` goes on.
function Scheduler:wake(object, bits)
  local waiters = object.waiters
  if #waiters <= 1 then
    local only = waiters[1]
    if only and only.bits & bits ~= 0 then end_wait(self, only, "event") end
    return
  end
  local woken = {}
  for _, waiter in ipairs(waiters) do
    if waiter.bits & bits ~= 0 then woken[#woken + 1] = waiter end
  end
  for _, waiter in ipairs(woken) do end_wait(self, waiter, "event") end
end

--- The world says that the alarm `id` is due.
function Scheduler:alarm(id)
  local waiter = self.alarms[id]
  if waiter then end_wait(self, waiter, "alarm") end
end

--- Sleeps for so many seconds.
function Scheduler:sleep(seconds)
  check.seconds(seconds, "sleep: seconds")
  self:wait(nil, 0, self.world:now() + seconds, "sleep")
end

--- Whether a task could go on at once.
function Scheduler:has_ready() return self.head <= self.tail end

-- ---- the loop ---------------------------------------------------------------------------------

--- Resumes the next ready task; false when none is ready.
function Scheduler:turn()
  if self.head > self.tail then
    self.head, self.tail = 1, 0
    return false
  end
  local task = self.ready[self.head]
  self.ready[self.head] = nil
  self.head = self.head + 1
  if task.status == "waiting" or task.status == "ready" then resume(self, task) end
  return true
end

local function place(waiter, thread)
  local line = waiter.line or check.user_line(thread)
  local on = waiter.object and (" on %s"):format(waiter.object) or ""
  return ("in %s%s, at %s, since %.6f s"):format(waiter.what, on, line, waiter.since)
end

--- Where everything waits, as sentences.
function Scheduler:report(outside)
  local lines = {}
  for _, task in ipairs(self.tasks) do
    if task.waiter then
      local name = task.name and (" '%s'"):format(task.name) or ""
      lines[#lines + 1] = ("  task %d%s (spawned at %s) waits %s")
        :format(task.id, name, task.born, place(task.waiter, task.thread))
    end
  end
  if outside then
    lines[#lines + 1] = ("  the script, outside any task, waits %s"):format(place(outside))
  end
  return lines
end

local function deadlock(self, outside)
  local lines = self:report(outside)
  return ("deadlock at %.6f s: nothing can happen any more, yet\n%s")
    :format(self.world:now(), table.concat(lines, "\n"))
end

--- Raises the failure that was noted, with the traceback of where it arose; other tasks are closed
-- first. An error that is not a string is raised as it is.
local function raise_failure(self)
  local failure = self.failure
  self.failure = nil
  self:close_tasks()
  self.failure = nil
  if type(failure.value) == "string" and failure.traceback then
    error(failure.value .. "\n" .. failure.traceback, 0)
  end
  error(failure.value, 0)
end

--- Runs tasks and world until `done()` is true, `limit` is reached, or nothing is left to happen.
-- @tparam function done
-- @tparam table options `limit`; `outside` (the waiter of a blocking call outside of tasks);
--   `idle` ("return": idleness is no error); `once`: returns after one thing
-- @treturn string `"done"`, `"limit"` or `"idle"`
function Scheduler:run_until(done, options)
  if self.looping then check.raise "the network is running already" end
  self.looping = true
  local limit = options.limit or NEVER
  local ok, outcome = xpcall(function()
    while true do
      if self.failure then return "failure" end
      if done() then return "done" end
      local what = self:turn() and "progress" or self.world:step(limit)
      if what == "progress" then
        if options.once and not self.failure then return "done" end
      elseif not self:has_ready() and not self.failure then
        if done() then return "done" end
        return what
      end
    end
  end, function(message)
    return { value = message, traceback = debug.traceback("", 2) }
  end)
  self.looping = false
  if not ok then
    self.failure = self.failure or { value = outcome.value }
    raise_failure(self)
  end
  if outcome == "failure" then raise_failure(self) end
  if outcome == "idle" and options.idle ~= "return" then
    local message = deadlock(self, options.outside)
    if options.outside then
      end_wait(self, options.outside, "closed")
      check.raise("%s", message)
    end
    if #self.tasks > 0 then
      self:close_tasks()
      check.raise("%s", message)
    end
  end
  return outcome
end

-- ---- endings ----------------------------------------------------------------------------------

--- Ends one unfinished task, so that its `<close>` variables run.
function Scheduler:close_task(task, status)
  local outer, closing = self.current, self.closing
  if task.waiter then end_wait(self, task.waiter, "closed") end
  self.current, self.closing = nil, true
  local ok, problem = coroutine.close(task.thread)
  self.current, self.closing = outer, closing
  if not ok then self:fail(problem) end -- a failed task gives its own error again: noted already
  finish(self, task, status or "closed")
end

--- Ends all unfinished tasks in the order of their creation.
function Scheduler:close_tasks()
  while self.tasks[1] do self:close_task(self.tasks[1]) end
end

--- Runs a hook: an error in it is noted and raised by the loop; it may not block.
function Scheduler:call_hook(hook, ...)
  local outer = self.busy_hook
  self.busy_hook = true
  local results = table.pack(xpcall(hook, function(message)
    return { value = message, traceback = debug.traceback("", 2) }
  end, ...))
  self.busy_hook = outer
  if not results[1] then
    self:fail(results[2].value, results[2].traceback)
    return nil
  end
  return table.unpack(results, 2, results.n)
end

return M
