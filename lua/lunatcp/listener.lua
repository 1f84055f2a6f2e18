--- A passive OPEN that waits for connections.
-- @module lunatcp.listener

local check = require "lunatcp.check"
local connection = require "lunatcp.connection"
local core = require "lunatcp.core"

local M = {}

local Listener = {}
Listener.__index = Listener
Listener.__name = "lunatcp.listener"
M.Listener = Listener

local WHEN <const> = { "timeout", "deadline" }
local ACCEPT <const> = core.EVENT.accept | core.EVENT.closed

function M.wrap(host, made)
  local listener = setmetatable({ net = host.net, host = host, core = made, waiters = {} }, Listener)
  host.net.wrappers[made] = listener
  host.net.listening[listener] = true -- it serves also when the script keeps no hold of it
  local _, port = made:address()
  listener.local_port = port
  return listener
end

function Listener:__tostring()
  return ("listener %s:%d"):format(self.host.name, self.local_port)
end

--- The port it listens on.
function Listener:port() return self.local_port end

--- The oldest connection that is established; waits for one.
-- @tparam[opt] table options `timeout` or `deadline`
-- @treturn Connection or nil, message, code: EAGAIN when the deadline came first
function Listener:accept(options)
  local scheduler = self.net.scheduler
  check.options(options, WHEN, "accept: options")
  local deadline = scheduler:deadline(options, "accept")
  scheduler:caller "accept"
  while true do
    local conn, message, code = self.core:accept()
    if conn then return connection.wrap(self.host, conn) end
    if code ~= "EAGAIN" then return nil, message, code end
    if not scheduler:wait(self, ACCEPT, deadline, "accept") then
      return nil, "no connection came before the deadline", "EAGAIN"
    end
  end
end

--- Stops listening; connections that nobody accepted are reset. May be called again.
function Listener:close()
  if self.closed then return true end
  self.closed = true
  self.net.listening[self] = nil
  if self.net.closed then return true end
  self.core:close()
  self.net.scheduler:wake(self, ~0)
  return true
end

Listener.__close = function(self) self:close() end

return M
