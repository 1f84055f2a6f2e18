--- Reading and writing terminals, pipes and files beside the network, in real time:
-- `for line in net:input():lines()`, `net:output():write(bytes)`. Nothing here keeps the network waiting.
-- @module lunatcp.input

local check = require "lunatcp.check"

local M = {}

local Input = {}
Input.__index = Input
Input.__name = "lunatcp.input"
M.Input = Input

local Output = {}
Output.__index = Output
Output.__name = "lunatcp.output"
M.Output = Output

local CHUNK <const> = 4096
local MOST <const> = 65536
local READABLE <const>, WRITABLE <const> = 1, 2

local function new(class, net, descriptor, name, default)
  if descriptor == nil then descriptor = default end
  check.integer(descriptor, name .. ": descriptor", 0)
  if net.clock ~= "real" then check.raise("%s: needs a network with clock = \"real\"", name) end
  return setmetatable({ net = net, descriptor = descriptor, buffer = "", waiters = {} }, class)
end

-- The loop's object, made where it is needed first.
local function opened(self)
  if self.core then return self.core end
  local made, message, code = self.net.world.loop:descriptor(self.descriptor)
  if not made then return nil, message, code end
  self.core = made
  self.net.wrappers[made] = self
  return made
end

-- Waits until it is readable or writable. True, or nil, message, code.
local function wait(self, how, bit, deadline, what)
  local ok, message, code = self.core:want(how)
  if not ok then return nil, message, code end
  local world = self.net.world
  world.watching = world.watching + 1
  local _ <close> = setmetatable({}, { -- the task may be closed meanwhile
    __close = function() world.watching = world.watching - 1 end,
  })
  if self.net.scheduler:wait(self, bit, deadline, what) then return true end
  self.core:want ""
  return nil, "nothing came before the deadline", "EAGAIN"
end

local function close(self)
  if self.core then self.core:close() end
  self.core = nil
end

-- ---- input ------------------------------------------------------------------------------------

--- Input from a descriptor.
-- @tparam Network net
-- @int[opt=0] descriptor 0: the standard input
function M.new(net, descriptor) return new(Input, net, descriptor, "input", 0) end

function Input:__tostring() return "input " .. self.descriptor end

--- What is there, waiting for something: 1 to n octets; nil alone at the end of the input.
-- @int[opt=4096] n
-- @tparam[opt] table options `timeout` or `deadline`
-- @treturn string or nil, or nil, message, code: EAGAIN when the deadline came first, EBADF, ...
function Input:read(n, options)
  n = n == nil and CHUNK or check.integer(n, "read: n", 1, MOST)
  check.options(options, { "timeout", "deadline" }, "read: options")
  local scheduler = self.net.scheduler
  local deadline = scheduler:deadline(options, "read")
  scheduler:caller "read"
  if self.buffer ~= "" then
    local bytes = self.buffer:sub(1, n)
    self.buffer = self.buffer:sub(n + 1)
    return bytes
  end
  local made, problem, problem_code = opened(self)
  if not made then return nil, problem, problem_code end
  while true do
    local bytes, message, code = made:read(n)
    if bytes then return bytes end
    if not code then return nil end
    local ok
    if code == "EAGAIN" then ok, message, code = wait(self, "r", READABLE, deadline, "read") end
    if not ok then return nil, message, code end
  end
end

--- Lets go of the descriptor, which stays open. May be called again.
Input.close = close
Input.__close = close

--- Iterates over lines, without their ends; raises on an error, as io.lines does.
function Input:lines()
  return function()
    local parts = {}
    while true do
      local bytes, message, code = self:read(CHUNK)
      if not bytes then
        if code then check.raise("%s: %s", code, message) end
        return #parts > 0 and table.concat(parts) or nil
      end
      local stop = bytes:find("\n", 1, true)
      if stop then
        self.buffer = bytes:sub(stop + 1) .. self.buffer
        parts[#parts + 1] = bytes:sub(1, stop - 1)
        return table.concat(parts)
      end
      parts[#parts + 1] = bytes
    end
  end
end

-- ---- output -----------------------------------------------------------------------------------

--- Output to a descriptor.
-- @tparam Network net
-- @int[opt=1] descriptor 1: the standard output
function M.output(net, descriptor) return new(Output, net, descriptor, "output", 1) end

function Output:__tostring() return "output " .. self.descriptor end

--- Writes all octets, waiting as often as it takes.
-- @string bytes
-- @tparam[opt] table options `timeout` or `deadline`
-- @treturn integer how many, or nil, message, code and how many were written: EPIPE when nobody reads any
--   more, EAGAIN when the deadline came first
function Output:write(bytes, options)
  check.type(bytes, "string", "write: bytes")
  check.options(options, { "timeout", "deadline" }, "write: options")
  local scheduler = self.net.scheduler
  local deadline = scheduler:deadline(options, "write")
  scheduler:caller "write"
  local made, problem, problem_code = opened(self)
  if not made then return nil, problem, problem_code, 0 end
  local offset = 1
  while offset <= #bytes do
    local taken, message, code = made:write(bytes, offset)
    if taken then
      offset = offset + taken
    else
      local ok
      if code == "EAGAIN" then ok, message, code = wait(self, "w", WRITABLE, deadline, "write") end
      if not ok then return nil, message, code, offset - 1 end
    end
  end
  return #bytes
end

--- Whoever reads at the other end sees its end: a socket's sending half is closed, anything else gives its
-- place to /dev/null.
-- @treturn boolean true, or nil, message, code
function Output:finish()
  local made, message, code = opened(self)
  if not made then return nil, message, code end
  return made:finish()
end

--- Lets go of the descriptor, which stays open. May be called again.
Output.close = close
Output.__close = close

return M
