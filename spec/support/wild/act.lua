-- Applications that do what they like with a connection, and keep a book of what they wrote and read.
local draw = require "support.wild.draw"

local M = {}
local pick, chance = draw.pick, draw.chance

local PATIENCE <const> = 20000 -- seconds of virtual time without an octet: somebody has died by then

-- Octets below 128; urgent ones are above, so that the reader tells where one was taken out.
local function text(random, n)
  local unit = ("%08x"):format(random:below(1 << 32))
  return unit:rep(n // 8 + 1):sub(1, n)
end

local function book(end_, bytes, taken)
  if taken > 0 then end_.written[#end_.written + 1] = bytes:sub(1, taken) end
end

-- Takes back what `discard` dropped.
local function unbook(end_, n)
  local all = table.concat(end_.written)
  end_.written = { all:sub(1, #all - n) }
end

local function write(scene, end_, random)
  local conn = end_.conn
  local bytes = text(random, 1 + random:below(pick(random, { 1, 100, 3000, 20000 })))
  local urgent = chance(random, end_.plan.urgent)
  -- Alone: each piece that finds room would have a mark.
  if urgent then bytes = string.char(128 + random:below(100)) end
  local timeout = pick(random, { 0.01, 1, PATIENCE })
  local n, _, code, partial
  if urgent then
    n, _, code, partial = conn:urgent(bytes, { timeout = timeout })
  else
    n, _, code, partial = conn:write(bytes, { timeout = timeout, more = chance(random, 0.1) or nil })
  end
  book(end_, bytes, n or partial or 0)
  if not n and code ~= "EAGAIN" then
    end_.problem = code
    return nil
  end
  if not n and timeout == PATIENCE then scene:stalled(end_, "write") end
  return n or partial
end

local function write_all(scene, end_, random)
  local plan, conn, done = end_.plan, end_.conn, 0
  while done < plan.octets do
    local n = write(scene, end_, random)
    if not n then return false end
    done = done + math.max(n, 1)
    if chance(random, 0.3) then scene.net:sleep(random:number() * plan.pause) end
    if plan.urgent == 0 and chance(random, 0.02) then
      local dropped = conn:discard()
      if dropped then unbook(end_, dropped) end
    end
    if chance(random, 0.03) then scene:set_something(conn, random) end
  end
  return true
end

local ENDINGS <const> = {
  "shutdown", "shutdown", "shutdown", "shutdown", "shutdown", "abort", "linger", "close", "forget", "flush",
}

local function writer(scene, end_, random)
  if not write_all(scene, end_, random) then return end
  local how, conn = end_.plan.ending, end_.conn
  if how == "flush" then
    local good, _, code = conn:flush { timeout = PATIENCE }
    if not good and code == "EAGAIN" then scene:stalled(end_, "flush") end
    how = "shutdown"
  end
  if how == "shutdown" then
    if conn:shutdown() then end_.finished = true end
  elseif how == "abort" then
    end_.aborted = true
    conn:abort()
  elseif how == "linger" then
    end_.closed_early = true
    conn:linger(pick(random, { 0, 0.5, 100 }))
  elseif how == "close" then
    end_.closed_early = true
    conn:close()
  end
end

local function read(scene, end_, random)
  local plan, conn = end_.plan, end_.conn
  local bytes, _, code = conn:read(1 + random:below(plan.piece), { timeout = PATIENCE })
  if bytes then
    end_.got[#end_.got + 1] = bytes
    if chance(random, plan.pauses) then scene.net:sleep(random:number() * plan.pause) end
    return true
  end
  if code == "EAGAIN" then scene:stalled(end_, "read") end
  if code then end_.problem = code else end_.ended = true end
  return false
end

local function reader(scene, end_, random)
  local plan = end_.plan
  while read(scene, end_, random) do
    plan.stop = plan.stop - 1
    if plan.stop == 0 then scene.net:sleep(plan.long_pause) end
  end
end

--- What an end means to do.
function M.plan(random, small)
  local most = small and 3000 or pick(random, { 1, 3000, 60000, 200000 })
  return {
    octets = random:below(most), urgent = pick(random, { 0, 0, 0, 0.2 }),
    pause = pick(random, { 0.001, 0.1, 5 }), pauses = pick(random, { 0, 0.1, 0.5 }),
    piece = pick(random, { 1, 100, 3000, 100000 }) + 100,
    ending = pick(random, ENDINGS), stop = 1 + random:below(60),
    long_pause = pick(random, { 0, 1, 30, 300 }),
  }
end

--- Plays both directions of one end, to its end.
function M.play(scene, end_, random)
  local net = scene.net
  local write_stream = net.core:random("writer " .. end_.name)
  local read_stream = net.core:random("reader " .. end_.name)
  local task = net:spawn("writer " .. end_.name, writer, scene, end_, write_stream)
  reader(scene, end_, read_stream)
  task:join()
  if chance(random, 0.1) then net:sleep(random:number() * 100) end
  if end_.plan.ending == "forget" then
    end_.aborted = end_.conn:info() == nil or not end_.finished
    scene:forget(end_)
  else
    end_.conn:close()
  end
end

return M
