--- When events of a run happen, and what is wrong with when they did.
-- @module lunatcp.packetdrill.timing

local M = {}

--- Ends the run: what is wrong, at an event or a line.
-- @tparam table where an event, or `line` and `column`
-- @param problem a message, or a table with `message` and more (see `lunatcp.packetdrill`)
function M.fail(where, problem)
  if type(problem) == "string" then problem = { message = problem } end
  problem.line, problem.column, problem.event = where.line, where.column, where.first and where or nil
  error({ script_problem = problem }, 0)
end
local fail <const> = M.fail

--- Nanoseconds as seconds, for messages.
function M.seconds(ns) return ("%.6f"):format(ns / 1e9) end
local seconds <const> = M.seconds

--- Works out when the event is to happen, and what a range of times begins and ends with.
function M.schedule(run, event)
  local when, last = event.when, run.last
  event.base = 0
  if when.kind ~= "absolute" then
    local function injected(other)
      return other and other.kind == "packet" and other.action.direction == "in"
    end
    event.base = injected(last) and injected(event) and last.time or run.clock:now()
  end
  event.time = event.base + when.from
  event.time_end = when.to and event.base + when.to
end

--- Slack for an interval, nanoseconds.
function M.slack(run, interval)
  return math.max(run.config.tolerance, run.config.tolerance_percent / 100 * interval)
end

local slack <const> = M.slack

--- What is wrong with the moment at which something happened; nil: nothing.
function M.off_time(run, event, actual, what)
  if event.when.kind == "any" then return nil end
  local room = slack(run, event.time - (run.last and run.last.time or 0))
  local first, last = event.time, event.time_end or event.time
  if actual >= first - room and actual <= last + room then return nil end
  local wanted = event.time_end and ("from %s to %s s"):format(seconds(first), seconds(last))
    or ("at %s s"):format(seconds(first))
  return ("%s was expected %s and happened at %s s (tolerance %s s)"):format(what, wanted, seconds(actual),
    seconds(room))
end

local off_time <const> = M.off_time

local WHAT <const> = {
  packet = "the injected packet", call = "the call", command = "the command", code = "the code",
}

--- Lets time go on to the event; it must not be over.
function M.wait_for(run, event)
  if run.clock:now() <= event.time then run.clock:advance(event.time) end
  local problem = off_time(run, event, run.clock:now(), WHAT[event.kind])
  if problem then fail(event, "timing: " .. problem) end
end

return M
