--- A pcapng file of everything that links carry, with a comment on each packet that was dropped,
-- retransmitted or changed. It is written while the network runs and complete after each run, also
-- after one that ended in an error.
-- @module lunatcp.capture

local check = require "lunatcp.check"

local M = {}

local Capture = {}
Capture.__index = Capture
Capture.__name = "lunatcp.capture"
M.Capture = Capture

--- See `Network:capture`.
function M.new(net, path, options)
  check.type(path, "string", "capture: path")
  options = check.options(options, { "view", "limit" }, "capture: options")
  local made, message, code = check.call(net.core.capture, net.core, {
    path = path, view = options.view, limit = options.limit,
  })
  if not made then return nil, message, code end
  local capture = setmetatable({ net = net, core = made, path = path }, Capture)
  net.captures[#net.captures + 1] = capture
  return capture
end

function Capture:__tostring() return "capture " .. self.path end

--- Writes what waits.
function Capture:flush() return self.core:flush() end

--- How many packets have been written, with those that waited until now.
function Capture:packets()
  if not self.closed then self.core:flush() end
  return self.core:packets()
end

--- How many found no room.
function Capture:missed() return self.core:missed() end

--- Completes the file. May be called again.
-- @treturn boolean true, or nil, message, code
function Capture:close()
  if self.closed then return true end
  self.closed = true
  for i, other in ipairs(self.net.captures) do
    if other == self then
      table.remove(self.net.captures, i)
      break
    end
  end
  return self.core:close()
end

Capture.__close = function(self) self:close() end

return M
