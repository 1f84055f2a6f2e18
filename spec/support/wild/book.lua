-- Which ends of connections there are, and which two belong together. Methods of a scene.
local act = require "support.wild.act"

local M = {}

local function key_of(address, port, other, other_port)
  return ("%s:%d %s:%d"):format(address, port, other, other_port)
end

-- The other end, by its numbers: one of the same pair of sockets that came before is another connection.
-- Where a late ACK brings a SYN cookie again, the second one has the numbers of the first, and nobody could
-- tell them apart.
local function pair_up(scene, end_)
  local conn, before = end_.conn, scene.by_key[end_.key]
  local other = scene.by_key[key_of(conn.remote_address, conn.remote_port, conn.local_address,
    conn.local_port)]
  if other and not other.other and other.iss == end_.irs then end_.other, other.other = other, end_ end
  if before and before.iss == end_.iss and other then
    if other.other then other.other.other = nil end
    other.other, other.forgotten = nil, true
  end
  scene.by_key[end_.key] = end_
end

--- A connection is there: its entry.
function M:note(conn, random, small)
  self.count = self.count + 1
  local info = conn:info()
  local end_ = {
    conn = conn, name = tostring(self.count), written = {}, got = {}, plan = act.plan(random, small),
    key = key_of(conn.local_address, conn.local_port, conn.remote_address, conn.remote_port),
    iss = info.iss, irs = info.irs,
  }
  self.ends[#self.ends + 1] = end_
  pair_up(self, end_)
  return end_
end

local GONE <const> = {
  error = function() end, info = function() end, state = function() return "CLOSED" end,
}

--- The script lets go of it without a word.
function M:forget(end_)
  local other = end_.other
  end_.forgotten, end_.conn, end_.other = true, GONE, nil
  if other then other.other = nil end
  self.by_key[end_.key] = nil
end

--- An application has waited for longer than anybody takes to give up: wrong, while both ends live.
function M:stalled(end_, what)
  local other, conn = end_.other, end_.conn
  if not other or other.problem or other.conn:error() or conn:error() then return end
  if other.aborted or other.closed_early or other.forgotten then return end
  local mine, theirs = conn:info(), other.conn:info()
  if not mine or not theirs then return end
  if what == "read" and theirs.unsent + theirs.unacked == 0 and not theirs.fin_sent then return end
  self:wrong("%s of end %s (%s, %s; the other is end %s, %s) stalls", what, end_.name, tostring(conn),
    mine.state, other.name, theirs.state)
end

return M
