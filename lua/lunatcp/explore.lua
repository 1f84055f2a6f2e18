--- Exploration: a scenario is run again and again, until its first packets have met every combination of
-- what may befall a packet.
--
--     local report = tcp.explore {
--       scenario = function(net) ... end,           -- makes hosts and links, spawns tasks
--       choices = { "deliver", "drop", "duplicate", "delay" },
--       depth = 6,                                  -- of packets, in the order in which they enter links
--       check = function(net, result) ... end,      -- nil: well; a string: what is wrong
--     }
--     print(report)
--
-- A run ends early when, at a packet, everything that can matter is as it was in an earlier run that had
-- as many choices left: hosts, links, timers, and what tasks have read, written and been told.
-- @module lunatcp.explore

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local network = require "lunatcp.network"

local M = {}

local KEYS <const> = {
  "scenario", "choices", "depth", "check", "network", "delay", "time", "limit", "failures", "prune",
  "progress",
}
local LONGEST <const> = 1000 -- seconds of virtual time
local LATE <const> = 0.05    -- seconds by which "delay" holds a packet back
local PAUSE <const> = 400    -- of the garbage collector: each run leaves all it made behind at once
local ROUND <const> = 256    -- runs between two calls of `progress`

-- ---- choices ----------------------------------------------------------------------------------

local WORDS <const> = {
  deliver = function() return {} end,
  drop = function() return { drop = true } end,
  duplicate = function() return { duplicate = 1 } end,
  delay = function(late) return { delay = late } end,
  corrupt = function() return { corrupt = 1 } end,
  mark = function() return { mark = true } end,
}
local VERDICT <const> = { "drop", "delay", "duplicate", "duplicate_delay", "corrupt", "mark" }

local function choice_of(entry, late, i)
  local where = ("explore: choices[%d]"):format(i)
  if type(entry) == "string" then
    if not WORDS[entry] then
      check.raise("%s: unknown '%s'; known are corrupt, delay, deliver, drop, duplicate, mark, and tables",
        where, entry)
    end
    return { name = entry, verdict = WORDS[entry](late) }
  end
  check.options(entry, { "name", table.unpack(VERDICT) }, where)
  check.type(entry.name, "string", where .. ": name")
  local verdict = {}
  for _, key in ipairs(VERDICT) do verdict[key] = entry[key] end
  return { name = entry.name, verdict = verdict }
end

-- As the explorer wants them; "deliver" comes first, since all packets behind the script meet that.
local function read_choices(list, late)
  check.type(list, "table", "explore: choices")
  local choices, by_name = { choice_of("deliver", late, 0) }, { deliver = 1 }
  for i, entry in ipairs(list) do
    local choice = choice_of(entry, late, i)
    if choice.name ~= "deliver" then
      if by_name[choice.name] then
        check.raise("explore: choices[%d]: '%s' is there twice", i, choice.name)
      end
      choices[#choices + 1] = choice
      by_name[choice.name] = #choices
    end
  end
  return choices, by_name
end

local function new_explorer(choices, depth, prune)
  local verdicts = {}
  for i, choice in ipairs(choices) do verdicts[i] = choice.verdict end
  return check.call(core.explorer, verdicts, depth, prune)
end

-- ---- one run ----------------------------------------------------------------------------------

-- What tasks learn of calls is noted by the core; this is what they learn of the scheduler and hooks.
local function watch(net, explorer)
  local scheduler, hooks = net.scheduler, net.hooks
  local alarm, fire, now, dispatch = scheduler.alarm, hooks.fire, net.now, net.dispatch
  local run = { pruned = false }
  function net:dispatch(reason, detail)
    if reason == "verdict" then run.pruned = true else dispatch(self, reason, detail) end
  end
  function scheduler:alarm(id)
    local waiter = self.alarms[id]
    if waiter then explorer:saw(("alarm %d"):format(waiter.task and waiter.task.id or 0)) end
    return alarm(self, id)
  end
  function hooks:fire(conn, bits, code, message)
    explorer:saw(("hook %d %s"):format(bits, code))
    return fire(self, conn, bits, code, message)
  end
  function net:now()
    local time = now(self)
    explorer:saw(("now %.9f"):format(time))
    return time
  end
  return run
end

local function options_of(spec, traced)
  local options = { seed = 1, trace = false }
  for key, value in pairs(spec.network or {}) do options[key] = value end
  if traced and not options.trace then options.trace = nil end
  return options
end

local function told(problem)
  if problem == nil or problem == true then return nil end
  if problem == false then return "check gave false" end
  return tostring(problem)
end

-- Runs the scenario on a network that the explorer leads already. Nil, or what is wrong.
local function run(spec, net, state)
  local result
  local scheduler = net.scheduler
  scheduler.birthplace = spec.born
  net:spawn("scenario", function() result = table.pack(spec.scenario(net)) end)
  scheduler.birthplace = nil
  local outcome = scheduler:run_until(function() return state.pruned end, { limit = spec.time })
  if outcome == "done" then return nil end
  if #scheduler.tasks > 0 then
    return ("not at an end after %g s:\n%s"):format(spec.time, table.concat(scheduler:report(), "\n"))
  end
  local broken = net.core:check()
  if broken then return broken end
  if spec.check then return told(spec.check(net, table.unpack(result, 1, result.n))) end
end

-- One run from its beginning to its end: whether it was cut short, and what is wrong. `lead` gives the
-- network to the explorer; false: there is nothing left to run.
local function perform(spec, explorer, lead, keep)
  local net = network.new(options_of(spec, keep))
  if lead(net.core) == false then
    net:close()
    return false
  end
  local ok, problem = pcall(run, spec, net, watch(net, explorer))
  if not ok then problem = tostring(problem) end
  local pruned, made, broken = explorer:finish()
  if pruned then problem = nil else problem = broken or problem end
  if keep then return true, pruned, problem, made, net end
  pcall(net.close, net)
  return true, pruned, problem, made
end

-- ---- failures ---------------------------------------------------------------------------------

local Failure = {}
Failure.__index = Failure
Failure.__name = "lunatcp.failure"

local function names_of(choices, script)
  local names = {}
  for i, choice in ipairs(script) do names[i] = choices[choice].name end
  return names
end

local function ends_with_delivery(script)
  return script[#script] == 1
end

-- Whether the run fails under a script: the message, or nil.
local function fails(spec, choices, script)
  local explorer = new_explorer(choices, #script, false)
  local _, _, problem = perform(spec, explorer, function(made) explorer:replay(made, script) end)
  return problem
end

-- As few choices other than "deliver" as will do; no shorter script fails already.
local function reduce(spec, choices, script, message)
  for i = 1, #script do
    local kept = script[i]
    if kept ~= 1 then
      script[i] = 1
      local problem = fails(spec, choices, script)
      if problem then message = problem else script[i] = kept end
    end
  end
  while ends_with_delivery(script) do script[#script] = nil end
  return script, message
end

local function new_failure(spec, choices, script, message)
  script, message = reduce(spec, choices, script, message)
  return setmetatable({ script = names_of(choices, script), message = message, choices = choices }, Failure)
end

function Failure:__tostring()
  local script = #self.script > 0 and table.concat(self.script, " ") or "(nothing but deliver)"
  return ("%s: %s"):format(script, self.message)
end

local function literal(verdict)
  local parts = {}
  for _, key in ipairs(VERDICT) do
    if verdict[key] ~= nil then parts[#parts + 1] = (", %s = %s"):format(key, verdict[key]) end
  end
  return table.concat(parts)
end

--- Writes the script as a Lua file that `replay` reads.
-- @string path
-- @treturn boolean or nil, message, code
function Failure:save(path)
  check.type(path, "string", "save: path")
  local lines = {
    "-- A script of choices, for tcp.replay { scenario = ..., script = \"this file\" }", "return {",
  }
  lines[#lines + 1] = ("  message = %q,"):format(self.message):gsub("\n", "n")
  lines[#lines + 1] = "  choices = {"
  for i = 2, #self.choices do
    local choice = self.choices[i]
    lines[#lines + 1] = ("    { name = %q%s },"):format(choice.name, literal(choice.verdict))
  end
  lines[#lines + 1] = "  },"
  local quoted = {}
  for i, name in ipairs(self.script) do quoted[i] = ("%q"):format(name) end
  lines[#lines + 1] = ("  script = { %s },"):format(table.concat(quoted, ", "))
  lines[#lines + 1] = "}\n"
  local file, message = io.open(path, "w")
  if not file then return nil, message, "EIO" end
  file:write(table.concat(lines, "\n"))
  return file:close()
end

-- ---- the report -------------------------------------------------------------------------------

local Report = {}
Report.__index = Report
Report.__name = "lunatcp.exploration"

local function coverage_of(explorer)
  local gone, missing = explorer:coverage()
  local coverage = { states = {}, transitions = {}, missing = {} }
  local is_there = {}
  for i, change in ipairs(gone) do
    coverage.transitions[i] = table.concat(change, " > ")
    is_there[change[1]], is_there[change[2]] = true, true
  end
  for i, change in ipairs(missing) do coverage.missing[i] = table.concat(change, " > ") end
  for _, state in ipairs(core.STATES) do
    if is_there[state] then coverage.states[#coverage.states + 1] = state end
  end
  return coverage
end

function Report:__tostring()
  local c = self.coverage
  local lines = {
    ("%d runs stand for %.0f: %d choices at each of the first %d packets%s"):format(self.runs,
      self.combinations, #self.names, self.depth, self.complete and "" or " (stopped before the end)"),
    ("%d runs met a state again; %d states were told apart"):format(self.pruned, self.states),
    ("%d of %d states, %d of %d transitions of RFC 9293 section 3.10"):format(#c.states, #core.STATES,
      #c.transitions, #c.transitions + #c.missing),
  }
  for _, failure in ipairs(self.failures) do lines[#lines + 1] = ("failed: %s"):format(failure) end
  return table.concat(lines, "\n")
end

local function report_of(spec, explorer, choices, failures, complete)
  local counts, names = explorer:counts(), {}
  for i, choice in ipairs(choices) do names[i] = choice.name end
  return setmetatable({
    runs = counts.runs, pruned = counts.pruned, states = counts.states, choices = counts.choices,
    names = names, depth = spec.depth, combinations = (#choices) ^ spec.depth, complete = complete,
    coverage = coverage_of(explorer), failures = failures, failure = failures[1],
  }, Report)
end

-- ---- the loop ---------------------------------------------------------------------------------

local function read(options, known, name)
  local spec = {}
  check.type(options, "table", name)
  for key, value in pairs(check.options(options, known, name)) do spec[key] = value end
  check.callable(spec.scenario, name .. ": scenario")
  spec.born = check.user_line()
  if spec.check ~= nil then check.callable(spec.check, name .. ": check") end
  check.optional(spec.network, "table", name .. ": network")
  spec.delay = spec.delay == nil and LATE or check.seconds(spec.delay, name .. ": delay")
  spec.time = spec.time == nil and LONGEST or check.seconds(spec.time, name .. ": time")
  return spec
end

local function explore_all(spec, explorer, choices)
  local failures, runs = {}, 0
  while runs < spec.limit do
    local more, pruned, problem = perform(spec, explorer, function(made) return explorer:begin(made) end)
    if not more then return failures, true end
    runs = runs + 1
    if problem and not pruned then
      failures[#failures + 1] = new_failure(spec, choices, explorer:script(), problem)
      if #failures >= spec.failures then return failures, false end
    end
    if spec.progress and runs % ROUND == 0 then spec.progress(explorer:counts()) end
  end
  return failures, explorer:counts().waiting == 0
end

--- Runs a scenario under every combination of choices at its first packets.
-- @tparam table options
--
-- * `scenario(net)`: is called as a task, on a fresh network each time; makes hosts and links, spawns
--   further tasks. What it returns is given to `check`. Must do the same whenever it is told the same: no
--   clock, no random numbers but the network's.
-- * `choices`: words (`"deliver"`, `"drop"`, `"duplicate"`, `"delay"`, `"corrupt"`, `"mark"`), or tables
--   with a `name` and what a rule may answer: `{ name = "late", delay = 0.3 }`. `"deliver"` is always among
--   them.
-- * `depth`: how many packets meet a choice, at most 250; all later ones are delivered.
-- * `check(net, ...)`: is asked once the `time` of the run is over; nil or true is well, anything else is
--   what is wrong. Errors, tasks that wait for ever, broken invariants (in checked
--   builds) and octets that are read other than they were written are found without it. Counters are not
--   part of the digest: a check should not look at them.
-- * `network`: options of `tcp.network`; the seed is 1 and there is no trace where they do not say.
-- * `delay`: seconds of `"delay"`, 0.05. `time`: how long a run lasts, 1000 seconds of virtual time.
-- * `limit`: runs at most. `failures`: how many are looked for, 1. `prune = false`: every combination is run.
-- * `progress(counts)`: is called now and then.
-- @treturn Report `runs`, `pruned`, `states`, `combinations`, `complete`, `coverage` (`states`,
--   `transitions`, `missing`), `failures`, each with `script`, `message`, `save(path)`; `failure`: the first
function M.explore(options)
  local spec = read(options, KEYS, "explore")
  check.integer(spec.depth, "explore: depth", 0, 250)
  spec.limit = spec.limit == nil and math.maxinteger or check.integer(spec.limit, "explore: limit", 1)
  spec.failures = spec.failures == nil and 1 or check.integer(spec.failures, "explore: failures", 1)
  if spec.progress ~= nil then check.callable(spec.progress, "explore: progress") end
  local choices = read_choices(spec.choices, spec.delay)
  local explorer = new_explorer(choices, spec.depth, spec.prune ~= false)
  local pause = collectgarbage("setpause", PAUSE)
  local ok, failures, complete = pcall(explore_all, spec, explorer, choices)
  collectgarbage("setpause", pause)
  if not ok then error(failures, 0) end
  return report_of(spec, explorer, choices, failures, complete)
end

-- ---- replay -----------------------------------------------------------------------------------

local REPLAY_KEYS <const> = { "scenario", "script", "choices", "check", "network", "delay", "time" }

-- A failure, a file that one was saved in, or an array of names.
local function read_script(spec)
  local script, choices = spec.script, spec.choices
  if type(script) == "string" then
    local chunk, message = loadfile(script, "t", {})
    if not chunk then check.raise("replay: script: %s", message) end
    script = chunk()
    check.type(script, "table", "replay: what the file of the script returns")
  end
  check.type(script, "table", "replay: script")
  if getmetatable(script) == Failure then
    choices, script = {}, script.script
    for i, choice in ipairs(spec.script.choices) do
      choices[i] = { name = choice.name }
      for key, value in pairs(choice.verdict) do choices[i][key] = value end
    end
    table.remove(choices, 1)
  elseif script.script then
    choices, script = script.choices, script.script
  end
  return script, choices
end

--- Runs a scenario once, under a script of choices.
-- @tparam table options `scenario`, `check`, `network`, `delay`, `time` as for `explore`; `script`: a
--   failure, the path of one that was saved, or an array of names (with `choices` where not all are words)
-- @treturn Network its time is over, its trace can be looked at: `net:ladder()`
-- @treturn[opt] string what is wrong
function M.replay(options)
  local spec = read(options, REPLAY_KEYS, "replay")
  local names, list = read_script(spec)
  local words = {}
  if not list then
    local is_there = {}
    for _, name in ipairs(names) do
      if not is_there[name] then words[#words + 1] = name end
      is_there[name] = true
    end
  end
  local choices, by_name = read_choices(list or words, spec.delay)
  local script = {}
  for i, name in ipairs(names) do
    script[i] = by_name[name]
      or check.raise("replay: script[%d]: no choice is called %s", i, check.shown(name))
  end
  local explorer = new_explorer(choices, #script, false)
  local function lead(made) explorer:replay(made, script) end
  local _, _, problem, _, net = perform(spec, explorer, lead, true)
  return net, problem
end

return M
