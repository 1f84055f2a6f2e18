--- The worlds a scheduler can live in: virtual time, and real time with sockets.
--
-- A world has `now`, `set_alarm`, `cancel_alarm` and `step` as `lunatcp.scheduler` wants them, and
-- `drive(limit)`, which is the core's step in that world; the rest is the same in both.
-- @module lunatcp.world

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

local NEVER <const> = math.huge
local QUIET <const> = 0.25 -- seconds without a datagram until a network of our own counts as idle

-- ---- what both share --------------------------------------------------------------------------

local function set_alarm(self, when, id)
  self.core:alarm_at(math.max(when, self.core:now()), id)
end

local function cancel_alarm(self, id) self.core:cancel_alarm(id) end

-- One call of the core's step. What tickers (samples) ask for bounds it, but keeps nothing going.
local function step(self, limit)
  local net = self.net
  local ticker = net:next_ticker()
  local bound = ticker and ticker < limit and ticker or limit
  local reason, detail, more = net:core_step(bound < NEVER and bound or nil)
  if reason == "idle" then
    if net:collect_forgotten() then return "progress" end
    if limit == NEVER then return "idle" end
    net:pass_time(bound)
    reason = "limit"
  end
  if reason ~= "limit" then
    net:dispatch(reason, detail, more)
    return "progress"
  end
  if ticker and ticker <= bound then -- not compared with the core's time: that is rounded
    net:tick(bound)
    return "progress"
  end
  return "limit"
end

-- ---- virtual time -----------------------------------------------------------------------------

local Virtual = { set_alarm = set_alarm, cancel_alarm = cancel_alarm, step = step }
Virtual.__index = Virtual

--- Virtual time: it goes from event to event, and nothing is waited for.
function M.virtual(net)
  return setmetatable({ net = net, start_ns = 0 }, Virtual)
end

function Virtual:attach(made) self.core = made end

function Virtual:now() return self.core:now() end

function Virtual:drive(limit) return self.core:step(limit) end

--- The time up to which everything is due at this very moment.
function Virtual:settle_limit() return self.core:now() end

function Virtual.poll() end

function Virtual.close() end

function Virtual.carry()
  check.raise "link: via: needs a network with clock = \"real\""
end

-- ---- real time --------------------------------------------------------------------------------

local Real = { set_alarm = set_alarm, cancel_alarm = cancel_alarm, step = step }
Real.__index = Real

--- Real time, on a private loop.
function M.real(net)
  local loop, message, code = core.loop()
  if not loop then return nil, message, code end
  return setmetatable({ net = net, loop = loop, start_ns = loop:now_ns(), outside = false,
    watching = 0 }, Real)
end

function Real:attach(made) self.core = made end

function Real:now() return self.loop:now() end

--- Where all ends of all tunnels are in this process, a network without a deadline to which nothing
-- comes for a while is idle; where one leads out, or a task reads a terminal, it never is.
function Real:drive(limit)
  if limit or self.outside or self.watching > 0 then return self.loop:step(self.core, limit) end
  local reason, detail, direction = self.loop:step(self.core, self.loop:now() + QUIET)
  if reason ~= "limit" then return reason, detail, direction end
  return self.core:next_deadline() and "quiet" or "idle"
end

--- Takes in what the sockets have, sends what waits; does not sleep.
function Real:poll() self.loop:run_once(0) end

function Real:settle_limit() return self.loop:now() end

function Real:close() self.loop:close() end

--- Carries a link between two nodes of this process over two sockets on the loopback interface.
-- @param link
-- @param via "udp", or a table with `framing`, `checksum`, `batch`
function Real:carry(link, via)
  local options = via == "udp" and {} or check.options(via, { "framing", "checksum", "batch" }, "link: via")
  if options.framing == "cheshire" then
    check.raise "link: via: with cheshire TCP's ports are the sockets': use net:tunnel"
  end
  local ends = {}
  for direction = 1, 2 do
    local near, far = link.a, link.b
    if direction == 2 then near, far = far, near end
    local tunnel, message, code = check.call(self.loop.udp, self.loop, {
      link = link.core, direction = direction, bind = "127.0.0.1:0",
      framing = options.framing or "rawip", checksum = options.checksum, batch = options.batch,
      local_address = near:address(far), remote_address = far:address(near),
    })
    if not tunnel then return nil, message, code end
    ends[direction] = tunnel
  end
  for direction = 1, 2 do
    local ok, message, code = ends[direction]:set_peer(("%s:%d"):format(ends[3 - direction]:address()))
    if not ok then return nil, message, code end
  end
  link.tunnels = ends
  self.net.tunnel_links[link.core:id()] = true
  return true
end

return M
