--- A pcapng file of everything that links carry, with a comment on each packet that was dropped,
-- retransmitted or changed. Each link is an interface: its description says what the link does (its path, its
-- rules, the seed), and the block of statistics at the end what it has done. It is written while the network
-- runs and complete after each run, also after one that ended in an error.
-- @module lunatcp.capture

local check = require "lunatcp.check"
local describe = require "lunatcp.describe"

local M = {}

local Capture = {}
Capture.__index = Capture
Capture.__name = "lunatcp.capture"
M.Capture = Capture

local EVERY <const> = 0.2 -- seconds between two looks of whoever reads along

-- In real time what passes is written out now and then, for who reads it meanwhile.
local function write_along(capture)
  local net = capture.net
  local ticker = { due = net:now() + EVERY }
  function ticker.take()
    capture:flush()
    ticker.due = net:now() + EVERY
  end
  net.tickers[#net.tickers + 1] = ticker
  capture.ticker = ticker
end

--- See `Network:capture`.
function M.new(net, path, options)
  local is_file = io.type(path) == "file"
  if not is_file then check.type(path, "string", "capture: path") end
  options = check.options(options, { "view", "limit", "live" }, "capture: options")
  local made, message, code = check.call(net.core.capture, net.core, {
    path = not is_file and path or nil, file = is_file and path or nil, view = options.view,
    limit = options.limit,
  })
  if not made then return nil, message, code end
  local capture = setmetatable({ net = net, core = made, path = tostring(path) }, Capture)
  net.captures[#net.captures + 1] = capture
  for _, link in ipairs(net.links) do capture:link_added(link) end
  if options.live and net.clock == "real" then write_along(capture) end
  return capture
end

--- A link begins: what it does is its interface's description.
function Capture:link_added(link) self.core:describe(link.core, describe.link(link)) end

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
  for i, ticker in ipairs(self.net.tickers) do
    if ticker == self.ticker then
      table.remove(self.net.tickers, i)
      break
    end
  end
  for i, other in ipairs(self.net.captures) do
    if other == self then
      table.remove(self.net.captures, i)
      break
    end
  end
  if not self.net.closed then
    for _, link in ipairs(self.net.links) do
      self.core:statistics(link.core, ("%s; it did: %s"):format(describe.link(link), describe.counts(link)))
    end
  end
  return self.core:close()
end

Capture.__close = function(self) self:close() end

return M
