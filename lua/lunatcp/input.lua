--- Reading a terminal or a pipe beside the network, in real time: `for line in net:input():lines()`.
-- @module lunatcp.input

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

local Input = {}
Input.__index = Input
Input.__name = "lunatcp.input"
M.Input = Input

local CHUNK <const> = 4096
local PAUSE <const> = 0.01 -- seconds between two looks: a person at a terminal does not notice

--- Input from a descriptor.
-- @tparam Network net
-- @int[opt=0] descriptor 0: the standard input
function M.new(net, descriptor)
  if descriptor == nil then descriptor = 0 end
  check.integer(descriptor, "input: descriptor", 0)
  if net.clock ~= "real" then check.raise "input: needs a network with clock = \"real\"" end
  return setmetatable({ net = net, descriptor = descriptor, buffer = "" }, Input)
end

function Input:__tostring() return "input " .. self.descriptor end

--- What is there, waiting for something: 1 to n octets; nil alone at the end of the input.
-- @int[opt=4096] n
-- @tparam[opt] table options `timeout` or `deadline`
-- @treturn string or nil, or nil, message, code: EAGAIN when the deadline came first, EBADF, ...
function Input:read(n, options)
  n = n == nil and CHUNK or check.integer(n, "read: n", 1, 65536)
  check.options(options, { "timeout", "deadline" }, "read: options")
  local scheduler = self.net.scheduler
  local deadline = scheduler:deadline(options, "read")
  scheduler:caller "read"
  while true do
    if self.buffer ~= "" then
      local bytes = self.buffer:sub(1, n)
      self.buffer = self.buffer:sub(n + 1)
      return bytes
    end
    local bytes, message, code = core.read_descriptor(self.descriptor, n)
    if bytes then return bytes end
    if code ~= "EAGAIN" then
      if code then return nil, message, code end
      return nil
    end
    if deadline and self.net.world:now() >= deadline then
      return nil, "nothing came before the deadline", "EAGAIN"
    end
    scheduler:sleep(PAUSE)
  end
end

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

return M
