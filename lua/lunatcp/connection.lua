--- A connection: the calls of RFC 9293 section 3.10, blocking for the task that makes them.
--
-- Every blocking call takes options last, with `timeout` (seconds from now) or `deadline` (absolute
-- time): when it passes first, the call gives `nil, message, "EAGAIN"`. "ETIMEDOUT" is the death of
-- the connection.
-- @module lunatcp.connection

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

local Connection = {}
Connection.__index = Connection
Connection.__name = "lunatcp.connection"
M.Connection = Connection

local EVENT <const> = core.EVENT
local READABLE <const> = EVENT.readable | EVENT.closed | EVENT.peer_closed
local WRITABLE <const> = EVENT.writable | EVENT.closed
local CONNECTED <const> = EVENT.connected | EVENT.closed
local URGENT <const> = EVENT.urgent | EVENT.readable | EVENT.closed
local SENT <const> = EVENT.sent | EVENT.writable | EVENT.closed -- writable: also what discard leaves
local STATE <const> = EVENT.state | EVENT.closed

local CHUNK <const> = 65536
local WHEN <const> = { "timeout", "deadline" }
local WHEN_MORE <const> = { "timeout", "deadline", "more" }
local WHEN_KEEP <const> = { "keep", "timeout", "deadline" }

--- The connection object for one of the core's; the same one each time.
function M.wrap(host, made)
  local net = host.net
  local conn = net.wrappers[made]
  if conn then return conn end
  conn = setmetatable({ net = net, host = host, core = made, waiters = {}, buffer = "" }, Connection)
  net.wrappers[made] = conn
  net.open = net.open + 1
  local here, own_port, there, port = made:sockets()
  if here then
    conn.local_address, conn.local_port, conn.remote_address, conn.remote_port = here, own_port, there, port
    net.trace:know(host.id, made:handle(), conn)
  end
  return conn
end

function Connection:__tostring()
  return ("connection %s:%d > %s:%d"):format(self.host.name, self.local_port or 0,
    self.net:name_of(self.remote_address), self.remote_port or 0)
end

-- Options of a blocking call: the deadline, after the check that blocking is right here at all.
local function begin(self, options, what, known)
  if options ~= nil then check.options(options, known or WHEN, what .. ": options") end
  local scheduler = self.net.scheduler
  scheduler:caller(what)
  return scheduler:deadline(options, what)
end

local function late(what)
  return nil, ("the deadline of this call came first: %s"):format(what), "EAGAIN"
end

-- ---- reading ----------------------------------------------------------------------------------

local function receive(self, n, deadline, what)
  local scheduler = self.net.scheduler
  while true do
    local bytes, message, code = self.core:read(n)
    if bytes then return bytes end
    if not code then return nil end
    if code ~= "EAGAIN" then return nil, message, code end
    if not scheduler:wait(self, READABLE, deadline, what) then return late(what) end
  end
end

-- Takes up to n octets of what `lines` has read too far, or nil.
local function take_buffer(self, n)
  local buffer = self.buffer
  if buffer == "" then return nil end
  if #buffer <= n then
    self.buffer = ""
    return buffer
  end
  self.buffer = buffer:sub(n + 1)
  return buffer:sub(1, n)
end

--- RECEIVE: 1 to n octets; nil alone at the end of the stream.
-- @int[opt=65536] n
-- @tparam[opt] table options `timeout`, `deadline`
-- @treturn string or nil, or nil, message, code
function Connection:read(n, options)
  if n == nil then n = CHUNK else check.integer(n, "read: n", 1) end
  local deadline = begin(self, options, "read")
  local bytes = take_buffer(self, n)
  if bytes then return bytes end
  return receive(self, n, deadline, "read")
end

--- Exactly n octets; nil alone when the stream ends before the first.
-- @treturn string, or nil, message, code and what came: "ENODATA" for an end in between
function Connection:read_exactly(n, options)
  check.integer(n, "read_exactly: n", 0)
  local deadline = begin(self, options, "read_exactly")
  local parts, have = {}, 0
  while have < n do
    local bytes, message, code = take_buffer(self, n - have), nil, nil
    if not bytes then bytes, message, code = receive(self, n - have, deadline, "read_exactly") end
    if not bytes then
      local partial = table.concat(parts)
      if code then return nil, message, code, partial end
      if have == 0 then return nil end
      return nil, ("the stream ended after %d of %d octets"):format(have, n), "ENODATA", partial
    end
    parts[#parts + 1] = bytes
    have = have + #bytes
  end
  return table.concat(parts)
end

local function raise_late(message, code)
  check.raise("%s: %s", code, message)
end

--- Iterates over pieces of at most n octets as they come; raises on an error, as io.lines does.
-- @int[opt=65536] n
-- @tparam[opt] table options `timeout` (of each piece), `deadline`
function Connection:chunks(n, options)
  if n ~= nil then check.integer(n, "chunks: n", 1) end
  check.options(options, WHEN, "chunks: options")
  return function()
    local bytes, message, code = self:read(n, options)
    if not bytes and code then raise_late(message, code) end
    return bytes
  end
end

-- One line with its "\n", or what is left at the end of the stream.
local function read_line(self, deadline)
  local parts = {}
  local bytes = take_buffer(self, math.maxinteger)
  while true do
    local message, code
    if not bytes then bytes, message, code = receive(self, CHUNK, deadline, "lines") end
    if not bytes then
      if code then
        self.buffer = table.concat(parts) -- nothing is lost by a deadline
        return nil, message, code
      end
      return #parts > 0 and table.concat(parts) or nil
    end
    local stop = bytes:find("\n", 1, true)
    if stop then
      self.buffer = bytes:sub(stop + 1)
      parts[#parts + 1] = bytes:sub(1, stop)
      return table.concat(parts)
    end
    parts[#parts + 1] = bytes
    bytes = nil
  end
end

--- Iterates over lines, without "\r\n" or "\n" at their ends; raises on an error.
-- @tparam[opt] table options `keep = true` leaves the line ends; `timeout` (of each line), `deadline`
function Connection:lines(options)
  local keep = check.options(options, WHEN_KEEP, "lines: options").keep
  return function()
    local deadline = begin(self, options, "lines", WHEN_KEEP)
    local line, message, code = read_line(self, deadline)
    if not line and code then raise_late(message, code) end
    if line and not keep then line = line:gsub("\r?\n$", "") end
    return line
  end
end

--- The out-of-band urgent octet (setting `urgent_inline = false`); waits for it.
-- @tparam[opt] table options `timeout`, `deadline`
-- @treturn string or nil, message, code
function Connection:read_urgent(options)
  local deadline = begin(self, options, "read_urgent")
  local settings, problem, problem_code = self.core:settings()
  if not settings then return nil, problem, problem_code end
  if settings.urgent_inline then
    return nil, "urgent data is read in-line: set urgent_inline = false", "EINVAL"
  end
  while true do
    local octet, message, code = self.core:read(1, core.READ.urgent)
    if octet then return octet end
    if code ~= "EAGAIN" and code ~= "EINVAL" then return nil, message, code end
    if not self.net.scheduler:wait(self, URGENT, deadline, "read_urgent") then
      return late "read_urgent"
    end
    local dead, dead_code = self.core:error()
    if dead then return nil, dead, dead_code end
  end
end

-- ---- writing ----------------------------------------------------------------------------------

local function send(self, bytes, flags, deadline, what)
  local scheduler = self.net.scheduler
  local made, offset, length = self.core, 1, #bytes
  while offset <= length do
    local taken, message, code = made:write(bytes, offset, flags)
    if taken then
      offset = offset + taken
    elseif code ~= "EAGAIN" then
      return nil, message, code, offset - 1
    elseif not scheduler:wait(self, WRITABLE, deadline, what) then
      local _, text = late(what)
      return nil, text, "EAGAIN", offset - 1
    end
  end
  return length
end

--- SEND: queues all octets, waiting for room as often as it takes.
-- @string bytes
-- @tparam[opt] table options `timeout`, `deadline`; `more = true`: no PUSH, more will follow
-- @treturn integer how many, or nil, message, code and how many were queued
function Connection:write(bytes, options)
  check.type(bytes, "string", "write: bytes")
  local deadline = begin(self, options, "write", WHEN_MORE)
  local flags = options and options.more and core.WRITE.more or 0
  return send(self, bytes, flags, deadline, "write")
end

-- A framing may have no place for the urgent pointer (cheshire).
local function carries_urgent(self)
  for _, entry in ipairs(self.host.addresses) do
    if entry.address == self.local_address then return not entry.link.no_urgent end
  end
  return true
end

--- SEND with the URGENT flag: the urgent pointer will name the octet after these. New applications
-- should not use it (RFC9293:SHLD-13): middleboxes clear the pointer, and stacks differ in what it names.
-- @string bytes
-- @tparam[opt] table options `timeout`, `deadline`
-- @treturn integer how many, or nil, message, code and how many were queued; `"EOPNOTSUPP"` through a tunnel
--   whose framing is `"cheshire"`
function Connection:urgent(bytes, options)
  check.type(bytes, "string", "urgent: bytes")
  if not carries_urgent(self) then
    return nil, "the tunnel's framing carries no urgent data", "EOPNOTSUPP", 0
  end
  local deadline = begin(self, options, "urgent")
  return send(self, bytes, core.WRITE.urgent, deadline, "urgent")
end

--- Waits until everything written has been acknowledged.
-- @tparam[opt] table options `timeout`, `deadline`
-- @treturn boolean true, or nil, message, code: why it never will be
function Connection:flush(options)
  local deadline = begin(self, options, "flush")
  while true do
    local info, message, code = self:info()
    if not info then return nil, message, code end
    if info.state == "CLOSED" then
      -- The buffers are gone: only an acknowledged FIN says that all before it came too.
      if info.fin_acked and not info.code then return true end
      return nil, info.error or "connection is closed", info.code or "ENOTCONN"
    end
    if info.unsent + info.unacked == 0 then return true end
    if not self.net.scheduler:wait(self, SENT, deadline, "flush") then return late "flush" end
  end
end

--- FLUSH of RFC 9293 section 3.9.1.7: drops what was written and has not been sent yet.
-- @treturn integer octets dropped, or nil, message, code
function Connection:discard() return self.core:discard() end

-- ---- opening, closing -------------------------------------------------------------------------

--- Waits until the handshake is over.
-- @tparam[opt] table options `timeout`, `deadline`
-- @treturn boolean true, or nil, message, code: ECONNREFUSED, ETIMEDOUT, EAGAIN (the call's own deadline)
function Connection:wait_connected(options)
  local deadline = begin(self, options, "connect")
  while true do
    local state = self.core:state()
    if state == "CLOSED" then
      local message, code = self.core:error()
      return nil, message or "connection is closed", code or "ENOTCONN"
    end
    if state ~= "SYN-SENT" and state ~= "SYN-RECEIVED" and state ~= "LISTEN" then return true end
    if not self.net.scheduler:wait(self, CONNECTED, deadline, "connect") then return late "connect" end
  end
end

--- Half-close: no more octets will be written; reading goes on. Never waits.
-- @treturn boolean true, or nil, message, code
function Connection:shutdown() return self.core:shutdown() end

--- CLOSE of both directions. Never waits; may be called again.
function Connection:close()
  if self.closed or self.net.closed then return true end
  self:end_use()
  return self.core:close()
end

--- CLOSE, and waits until the peer has acknowledged all that was written and the FIN, as SO_LINGER does.
-- @number seconds how long at most; 0: ABORT at once
-- @treturn boolean true, or nil, message, code: why it never will be; EAGAIN: the time came first, and the
--   connection goes on closing by itself
function Connection:linger(seconds)
  check.number(seconds, "linger: seconds", 0)
  if seconds == 0 then return self:abort() end
  local deadline = begin(self, { timeout = seconds }, "linger")
  local done, message, code = self:close()
  if not done then return nil, message, code end
  while true do
    local info = self:info()
    if info.fin_acked and not info.code then return true end
    if info.state == "CLOSED" then
      message, code = self:error()
      return nil, message or "connection is closed", code or "ENOTCONN"
    end
    if not self.net.scheduler:wait(self, STATE, deadline, "linger") then return late "linger" end
  end
end

--- ABORT: buffers are dropped, the peer is sent a RST where the state asks for it.
function Connection:abort()
  if self.net.closed or self.final then return true end
  self:end_use()
  return self.core:abort()
end

-- The script reads and writes no more.
function Connection:end_use()
  if not self.closed then self.net.open = self.net.open - 1 end
  self.closed = true
  self.buffer = ""
  self.net.closing[self] = true
  if self:state() == "CLOSED" then self:on_event(EVENT.closed) end
end

--- Leaving a scope closes; leaving it by an error aborts.
Connection.__close = function(self, problem)
  if problem ~= nil then self:abort() else self:close() end
end

--- Waits until the connection is in a state, or has passed through it since this call began.
-- @string state "TIME-WAIT"
-- @tparam[opt] table options `timeout`, `deadline`
-- @treturn boolean true, or nil, message, code: why it is CLOSED instead
function Connection:wait_state(state, options)
  check.one_of(state, core.STATES, "wait_state: state")
  local deadline = begin(self, options, "wait_state")
  local since = self.net.core:trace_serial() + 1
  while true do
    if self:state() == state or self.net.trace:passed(self, state, since) then return true end
    if self:state() == "CLOSED" then
      local message, code = self:error()
      return nil, message or "connection is closed", code or "ENOTCONN"
    end
    if not self.net.scheduler:wait(self, STATE, deadline, "wait_state") then return late "wait_state" end
  end
end

-- ---- looking, setting -------------------------------------------------------------------------

-- The last variables of a connection that is gone, as a table.
local function final(self)
  local last = self.final
  if type(last) ~= "userdata" then return last end
  self.final = last:info()
  return self.final
end

--- The state's name: "ESTABLISHED".
function Connection:state()
  if self.final then return "CLOSED" end
  return self.core:state()
end

--- STATUS: every variable of the connection, in octets and seconds (`lunatcp.core.Info` in
-- connections.meta.lua); the last ones when it is CLOSED and gone.
-- @treturn table or nil, message, code
function Connection:info()
  return final(self) or self.core:info()
end

--- Why the connection died: message, code; nothing while it lives and after an orderly end.
function Connection:error()
  local last = self.final
  if type(last) == "userdata" then return last:error() end
  if last then return last.error, last.code end
  return self.core:error()
end

--- The connection's settings.
function Connection:settings() return self.core:settings() end

--- Changes settings: `conn:set { nagle = false }`. Also `dscp`, though an application should not change
-- that while a connection lasts (RFC9293:SHLD-23): it cannot know which segments will carry which value.
function Connection:set(settings)
  check.type(settings, "table", "set: settings")
  return check.call(self.core.set_settings, self.core, settings)
end

--- Which keys TCP-AO uses (RFC 5925 section 7.1): `current_key` for what is sent, by its SendID, and
-- `rnext_key`, which the peer is asked to use, by its RecvID.
-- @tparam table keys `current_key` or `rnext_key` or both
-- @treturn boolean true, or nil, message, code: ENOKEY, EOPNOTSUPP where TCP-AO is not in use
function Connection:ao_keys(keys)
  check.type(keys, "table", "ao_keys: keys")
  return check.call(self.core.ao_keys, self.core, keys)
end

--- What `Host:ao_restore` needs should the host lose the connection.
-- @treturn table or nil, message, code
function Connection:ao_save() return self.core:ao_save() end

--- Calls `hook(conn, ...)` when something happens: see `Network:on` for the kinds.
function Connection:on(kind, hook) return self.net:on(kind, hook, self) end

--- Samples variables of the connection: see `lunatcp.samples`.
function Connection:sample(options) return self.net:sample(self, options) end

-- Once CLOSED, what a script has closed is let go, after a last look at its variables.
function Connection:on_event(bits)
  if bits & EVENT.closed ~= 0 and self.closed and not self.final then
    self.final = self.core:snapshot() or { state = "CLOSED" }
    self.core:release()
    self.net.closing[self] = nil
  end
end

return M
