--- Virtual time of a run: it goes on from thing to thing, and no further than is allowed.
-- @module lunatcp.packetdrill.clock

local wire = require "lunatcp.packetdrill.wire"

local M = {}

local TARGET <const>, CALL <const> = 1, 2 -- alarms
local CHUNK <const> = 200000 -- events of the core within one step

local Clock = {}
Clock.__index = Clock

--- @tparam table core the network's
-- @tparam table host, peer the core's nodes
-- @tparam table sockets
-- @tparam table bounds `time` (ns), `events`
function M.new(core, peer, sockets, bounds)
  return setmetatable({
    core = core, peer = peer, sockets = sockets, bounds = bounds, steps = 0, inbox = {}, first = 1,
  }, Clock)
end

function Clock:now() return self.core:now_ns() end

-- Ends the run: a bound is reached.
local function stop(message, ...) error({ bound = message:format(...) }, 0) end

local function collect(self)
  while true do
    local bytes, time = self.peer:receive()
    if not bytes then return end
    self.inbox[#self.inbox + 1] = wire.read(bytes, math.floor(time * 1e9 + 0.5))
  end
end

--- Takes the oldest packet of the stack that has not been looked at; nil: none is there.
function Clock:take()
  local packet = self.inbox[self.first]
  if not packet then return nil end
  self.inbox[self.first] = false
  self.first = self.first + 1
  return packet
end

--- Whether a packet waits to be taken.
function Clock:has_packet() return self.inbox[self.first] ~= nil end

-- A blocked call may have something due.
local function set_alarm(self)
  local due = self.waiting and self.waiting:deadline()
  if due then self.core:alarm_at(due, CALL) else self.core:cancel_alarm(CALL) end
end

-- Goes on with the blocked call; once it is done its owner is told, at this very moment.
local function go_on(self)
  local call = self.waiting
  if call and call:step() then
    self.waiting = nil
    local done = self.on_done
    self.on_done = nil
    done(call)
  end
end

--- A call that would block: `on_done(call)` when it has returned.
function Clock:block(call, on_done) self.waiting, self.on_done = call, on_done end

--- Lets time go on to `target`, or until `done()`.
-- @int target nanoseconds
-- @tparam[opt] function done asked after each thing that happened
-- @tparam[opt] boolean idle_ends come back when nothing can happen by itself any more, without going on
-- @treturn string "done", "reached", "idle"
function Clock:advance(target, done, idle_ends)
  local core = self.core
  if target > self.bounds.time then
    stop("the script would run past %.0f s of virtual time", self.bounds.time / 1e9)
  end
  while true do
    if done and done() then return "done" end
    set_alarm(self)
    self.steps = self.steps + 1
    if self.steps > self.bounds.events then stop("more than %d events", self.bounds.events) end
    local reason, detail = core:step_ns(target, CHUNK)
    if reason == "events" then
      self.sockets:drain()
      go_on(self)
    elseif reason == "peer" then
      collect(self)
    elseif reason == "alarm" and detail == CALL then
      go_on(self)
    elseif reason == "events_limit" then
      stop("more than %d things happened at once", CHUNK)
    elseif reason == "limit" then
      return "reached"
    elseif reason == "idle" then
      if core:now_ns() >= target then return "reached" end
      if idle_ends then return "idle" end
      core:alarm_at_ns(target, TARGET)
    end
  end
end

--- Lets everything happen that is due now.
function Clock:settle() return self:advance(self:now()) end

return M
