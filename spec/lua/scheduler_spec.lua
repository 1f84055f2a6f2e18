local scheduler = require "lunatcp.scheduler"

-- A world with nothing in it but alarms.
local function empty_world()
  local world = { time = 0, alarms = {} }
  function world.now(self) return self.time end
  function world.set_alarm(self, when, id)
    self.alarms[#self.alarms + 1] = { when = when, id = id }
    table.sort(self.alarms, function(a, b)
      return a.when < b.when or (a.when == b.when and a.id < b.id)
    end)
  end
  function world.cancel_alarm(self, id)
    for i, alarm in ipairs(self.alarms) do
      if alarm.id == id then return table.remove(self.alarms, i) end
    end
  end
  function world.step(self, limit)
    local first = self.alarms[1]
    if not first then
      if limit == math.huge then return "idle" end
      self.time = limit
      return "limit"
    end
    if first.when > limit then
      self.time = limit
      return "limit"
    end
    table.remove(self.alarms, 1)
    self.time = first.when
    self.scheduler:alarm(first.id)
    return "progress"
  end
  world.scheduler = scheduler.new(world)
  return world, world.scheduler
end

local function run(tasks) return tasks:run_until(function() return #tasks.tasks == 0 end, {}) end

local thing = { __tostring = function() return "the thing" end }
local function new_thing() return setmetatable({ waiters = {} }, thing) end

describe("scheduler", function()
  it("runs tasks in the order of their creation, and sleepers by time", function()
    local _, tasks = empty_world()
    local order = {}
    for i, seconds in ipairs { 3, 1, 2 } do
      tasks:spawn(function()
        order[#order + 1] = "begin " .. i
        tasks:sleep(seconds)
        order[#order + 1] = "end " .. i
      end)
    end
    assert.equal("done", run(tasks))
    assert.same({ "begin 1", "begin 2", "begin 3", "end 2", "end 3", "end 1" }, order)
  end)

  it("gives a task its arguments and hands on what it returns", function()
    local _, tasks = empty_world()
    local adder = tasks:spawn(function(a, b)
      tasks:sleep(1)
      return a + b, nil, "last"
    end, 2, 3)
    local got
    tasks:spawn(function() got = table.pack(adder:join()) end)
    run(tasks)
    assert.same({ 5, nil, "last", n = 3 }, got)
  end)

  it("wakes those who wait for one of the bits, in their order", function()
    local _, tasks = empty_world()
    local object, order = new_thing(), {}
    for i, bits in ipairs { 1, 2, 3 } do
      tasks:spawn(function()
        tasks:wait(object, bits, nil, "test")
        order[#order + 1] = i
      end)
    end
    tasks:spawn(function()
      tasks:sleep(1)
      tasks:wake(object, 1)
      tasks:sleep(1)
      order[#order + 1] = "then"
      tasks:wake(object, 2)
    end)
    run(tasks)
    assert.same({ 1, 3, "then", 2 }, order)
  end)

  it("says false when the deadline came first, and leaves no alarm behind otherwise", function()
    local world, tasks = empty_world()
    local object, late, early = new_thing(), nil, nil
    tasks:spawn(function()
      late = tasks:wait(object, 1, 5, "test")
      assert.equal(5, world:now())
      early = tasks:wait(object, 1, 100, "test")
    end)
    tasks:spawn(function()
      tasks:sleep(7)
      tasks:wake(object, 1)
    end)
    run(tasks)
    assert.is_false(late)
    assert.is_true(early)
    assert.equal(7, world:now())
    assert.same({}, world.alarms)
    assert.same({}, object.waiters)
  end)

  it("refuses a blocking call inside a coroutine of one's own", function()
    local _, tasks = empty_world()
    tasks:spawn(function()
      local inner = coroutine.wrap(function() tasks:sleep(1) end)
      inner()
    end)
    assert.error_matches(function() run(tasks) end, "sleep: a blocking call inside a coroutine of one's own")
  end)

  it("runs the network for a blocking call outside of any task", function()
    local world, tasks = empty_world()
    local ticks = 0
    tasks:spawn(function()
      for _ = 1, 10 do
        tasks:sleep(1)
        ticks = ticks + 1
      end
    end)
    tasks:sleep(3.5)
    assert.equal(3.5, world:now())
    assert.equal(3, ticks)
  end)

  it("lists where each task waits when nothing can happen any more", function()
    local _, tasks = empty_world()
    local object = new_thing()
    tasks:spawn(function() tasks:wait(object, 1, nil, "read") end).name = "reader"
    tasks:spawn(function()
      tasks:sleep(2)
      tasks:wait(object, 2, nil, "accept")
    end)
    local ok, message = pcall(run, tasks)
    assert.is_false(ok)
    assert.matches("deadlock at 2%.000000 s", message)
    assert.matches("task 1 'reader' %(spawned at .-scheduler_spec%.lua:%d+%) waits in read on the thing, at "
      .. ".-scheduler_spec%.lua:%d+, since 0%.000000 s", message)
    assert.matches("task 2 %(spawned at .-%) waits in accept on the thing, at .-, since 2%.000000 s", message)
    assert.equal(0, #tasks.tasks)
  end)

  it("names a blocking call outside of tasks that can never end", function()
    local _, tasks = empty_world()
    local object = new_thing()
    assert.error_matches(function() tasks:wait(object, 1, nil, "read") end,
      "outside any task, waits in read on the thing, at .-scheduler_spec%.lua:%d+")
    assert.same({}, object.waiters)
  end)

  it("stops at an error of a task, with its traceback, and closes the others in their order", function()
    local _, tasks = empty_world()
    local closed = {}
    for i = 1, 3 do
      tasks:spawn(function()
        local guard <close> = setmetatable({}, { __close = function() closed[#closed + 1] = i end })
        tasks:sleep(i == 2 and 1 or 10)
        if i == 2 then error "the second fails" end
        return guard
      end)
    end
    local ok, message = pcall(run, tasks)
    assert.is_false(ok)
    assert.matches("scheduler_spec%.lua:%d+: the second fails\nstack traceback:", message)
    assert.same({ 2, 1, 3 }, closed)
  end)

  it("passes the error of a task on to its own <close> variables, and none to those of others", function()
    local _, tasks = empty_world()
    local seen = {}
    local function guard(name)
      return setmetatable({}, { __close = function(_, problem) seen[name] = tostring(problem) end })
    end
    tasks:spawn(function()
      local other <close> = guard "other"
      tasks:sleep(1)
      return other
    end)
    tasks:spawn(function()
      local mine <close> = guard "own"
      error("oops", 0)
      return mine
    end)
    pcall(run, tasks)
    assert.same({ own = "oops", other = "nil" }, seen)
  end)

  it("raises an error that is not a string as it is", function()
    local _, tasks = empty_world()
    local problem = { code = 7 }
    tasks:spawn(function() error(problem) end)
    local ok, got = pcall(run, tasks)
    assert.is_false(ok)
    assert.equal(problem, got)
  end)

  it("refuses to block while a task is being closed", function()
    local _, tasks = empty_world()
    local message
    tasks:spawn(function()
      local guard <close> = setmetatable({}, { __close = function()
        message = select(2, pcall(tasks.sleep, tasks, 1))
      end })
      tasks:sleep(10)
      return guard
    end):close()
    -- Never begun: nothing to close. Begun: the handler may not block.
    local task = tasks:spawn(function()
      local guard <close> = setmetatable({}, { __close = function()
        message = select(2, pcall(tasks.sleep, tasks, 1))
      end })
      tasks:sleep(10)
      return guard
    end)
    tasks:run_until(function() return task.status == "waiting" end, {})
    assert.is_nil(message)
    task:close()
    assert.matches("sleep: cannot block while the task is being closed", message)
    assert.equal("closed", task.status)
    task:close()
  end)

  it("refuses to block inside a hook, and notes a hook's error", function()
    local _, tasks = empty_world()
    tasks:spawn(function()
      tasks:call_hook(function() tasks:sleep(1) end)
      tasks:sleep(1)
    end)
    assert.error_matches(function() run(tasks) end, "sleep: a hook cannot block")
  end)

  it("refuses a yield that is not its own", function()
    local _, tasks = empty_world()
    tasks:spawn(function() coroutine.yield "mine" end)
    local ok, message = pcall(run, tasks)
    assert.is_false(ok)
    assert.matches("yielded by itself at .-scheduler_spec%.lua:%d+", message)
  end)

  it("refuses to run inside a run", function()
    local _, tasks = empty_world()
    tasks:spawn(function() run(tasks) end)
    assert.error_matches(function() run(tasks) end, "the network is running already")
  end)

  it("goes on to a limit and stays there", function()
    local world, tasks = empty_world()
    local count = 0
    tasks:spawn(function()
      while true do
        tasks:sleep(1)
        count = count + 1
      end
    end)
    assert.equal("limit", tasks:run_until(function() return false end, { limit = 4.5 }))
    assert.equal(4.5, world:now())
    assert.equal(4, count)
    tasks:run_until(function() return false end, { limit = 6.5 })
    assert.equal(6, count)
  end)
end)
