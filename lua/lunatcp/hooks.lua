--- Functions that are called when something happens.
--
-- Kinds, and what a hook is given:
--
-- * those of the trace, `hook(event)`: `"state"` (`from`, `to`), `"timeout"`, `"fast_retransmit"`,
--   `"recovered"`, `"probe"`, `"challenge"`, `"urgent"`, `"rtt"`, `"refused"`, `"icmp"`, `"remark"` and
--   `"detail"` (what algorithms say of their work: docs/trace.md); `event.node` is the host,
--   `event.connection` the connection where the script holds it;
-- * `"segment"`, `hook(segment)`: every packet that enters a link, as a view that is over with the hook;
-- * of one connection, `hook(conn, code, message)`: `"connected"`, `"readable"`, `"writable"`,
--   `"peer_closed"`, `"closed"`, `"advice"`, `"soft_error"`, `"sent"`, `"user_timeout"`.
--
-- Hooks of one kind are called in the order in which they were added. A hook cannot block; an error
-- in one ends the run.
-- @module lunatcp.hooks

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

local TRACED <const> = {
  "state", "timeout", "fast_retransmit", "recovered", "probe", "challenge", "urgent", "rtt", "refused",
  "icmp", "remark", "detail",
}
local FIRED <const> = {
  "connected", "readable", "writable", "peer_closed", "closed", "advice", "soft_error", "sent",
  "user_timeout",
}

local Hooks = {}
Hooks.__index = Hooks

local Handle = {}
Handle.__index = Handle
Handle.__name = "lunatcp.handle"

--- Something that can be taken away again: `close`, or leaving the scope of a `<close>` variable.
function M.handle(remove)
  return setmetatable({ remove = remove }, Handle)
end

function Handle:__tostring() return self.remove and "handle" or "handle (closed)" end

function Handle:close()
  local remove = self.remove
  self.remove = nil
  if remove then remove() end
end

Handle.__close = function(self) self:close() end

function M.new(net)
  return setmetatable({ net = net, traced = {}, segment = {} }, Hooks)
end

local function has(list, word)
  for _, other in ipairs(list) do
    if other == word then return true end
  end
  return false
end

local function remove_from(list, entry)
  for i, other in ipairs(list) do
    if other == entry then
      table.remove(list, i)
      return
    end
  end
end

-- Tells the core which kinds to report.
local function listen(self)
  local kinds = {}
  for _, kind in ipairs(TRACED) do
    if self.traced[kind] and #self.traced[kind] > 0 then kinds[#kinds + 1] = kind end
  end
  local net = self.net
  if net.closed then return end
  if #kinds == 0 then
    net.core:on_trace(nil)
    return
  end
  net.core:on_trace(function(event)
    event.node = net.by_id[event.host]
    event.connection = net.trace:connection(event.host, event.subject)
    for _, entry in ipairs(table.move(self.traced[event.kind], 1, #self.traced[event.kind], 1, {})) do
      if not entry.conn then
        net.scheduler:call_hook(entry.hook, event)
      elseif entry.conn == event.connection then
        net.scheduler:call_hook(entry.hook, entry.conn, event)
      end
    end
    return net.scheduler.failure ~= nil
  end, kinds)
end

local function add_traced(self, kind, hook, conn)
  local list = self.traced[kind] or {}
  self.traced[kind] = list
  local entry = { hook = hook, conn = conn }
  list[#list + 1] = entry
  listen(self)
  return M.handle(function()
    remove_from(list, entry)
    listen(self)
  end)
end

local function add_fired(kind, hook, conn)
  conn.hooks = conn.hooks or {}
  local entry = { bit = core.EVENT[kind], hook = hook }
  local list = conn.hooks
  list[#list + 1] = entry
  return M.handle(function() remove_from(list, entry) end)
end

local function attach(link, entry)
  local hook = entry.hook
  entry.rules[#entry.rules + 1] = link:rule(function(segment) hook(segment) end)
end

-- A rule that never answers, on every link there is and will be.
local function add_segment(self, hook)
  local entry = { hook = hook, rules = {} }
  self.segment[#self.segment + 1] = entry
  for _, link in ipairs(self.net.links) do attach(link, entry) end
  return M.handle(function()
    remove_from(self.segment, entry)
    for _, rule in ipairs(entry.rules) do rule:close() end
  end)
end

--- A link was added: segment hooks are to see its packets too.
function Hooks:link_added(link)
  for _, entry in ipairs(self.segment) do attach(link, entry) end
end

--- Adds a hook. With a connection, only what concerns it counts, and the hook is given it first.
-- @treturn Handle
function Hooks:add(kind, hook, conn)
  check.type(kind, "string", "on: kind")
  check.callable(hook, "on: hook")
  if conn ~= nil then check.object(conn, "lunatcp.connection", "on: connection") end
  if has(TRACED, kind) then return add_traced(self, kind, hook, conn) end
  if kind == "segment" and not conn then return add_segment(self, hook) end
  if conn and has(FIRED, kind) then return add_fired(kind, hook, conn) end
  local known = table.move(TRACED, 1, #TRACED, 1, {})
  table.move(conn and FIRED or { "segment" }, 1, conn and #FIRED or 1, #known + 1, known)
  table.sort(known)
  check.raise("on: unknown kind '%s'; known are %s", kind, table.concat(known, ", "))
end

--- Calls the hooks of one connection for what has happened to it.
function Hooks:fire(conn, bits, code, message)
  for _, entry in ipairs(table.move(conn.hooks, 1, #conn.hooks, 1, {})) do
    if entry.bit & bits ~= 0 then
      self.net.scheduler:call_hook(entry.hook, conn, code, message)
    end
  end
end

return M
