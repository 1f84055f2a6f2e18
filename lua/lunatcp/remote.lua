--- The other end of a tunnel, where there is no local host to name: `client:connect(remote, 80)`.
-- @module lunatcp.remote

local check = require "lunatcp.check"
local core = require "lunatcp.core"

local M = {}

local Remote = {}
Remote.__index = Remote
Remote.__name = "lunatcp.remote"
M.Remote = Remote

--- Names the other end.
-- @tparam table options `address`: its inner address, or a list of them; `via`: the tunnel that leads
--   there; `name`: for ladders
function M.new(net, options)
  check.type(options, "table", "remote: options")
  check.options(options, { "address", "via", "name" }, "remote: options")
  if options.via ~= nil and (type(options.via) ~= "table" or not options.via.remote_addresses) then
    check.raise("remote: via: expected a tunnel, got %s", check.shown(options.via))
  end
  local list = options.address
  if list == nil and options.via then list = options.via.remote_addresses end
  if type(list) == "string" then list = { list } end
  if type(list) ~= "table" then
    check.raise("remote: address: expected an address, a list of them, or a tunnel as via, got %s",
      check.shown(list))
  end
  if #list == 0 then check.raise "remote: address: no address" end
  local remote = setmetatable({
    net = net, name = options.name or "remote", via = options.via, addresses = {},
  }, Remote)
  for i, text in ipairs(list) do
    local address, family = core.address((check.type(text, "string", "remote: address"):match "^[^/]+"))
    if not address then check.raise("remote: address[%d]: '%s' is no address", i, text) end
    remote.addresses[i] = { address = address, family = family }
    net.names[address] = remote.name
  end
  return remote
end

function Remote:__tostring() return "remote " .. self.name end

--- The local port of a connection to the other end. Where TCP's ports are those of the sockets (the framing
-- cheshire) there is just one, and one to connect to; raises where others are asked for.
-- @int port to connect to
-- @tparam ?integer asked for, or nil
function Remote:local_port(port, asked)
  local via = self.via
  if not via or not via.ports_are_sockets then return asked end
  local own, far = select(2, via:socket()), select(2, via.tunnel:peer())
  if far and far ~= port and via.tunnel:peers() == 1 then
    check.raise("connect: port: TCP's ports are the sockets' with cheshire: expected %d, got %d", far, port)
  end
  if asked and asked ~= own then
    check.raise("connect: local_port: TCP's ports are the sockets' with cheshire: expected %d, got %s", own,
      check.shown(asked))
  end
  return own
end

--- Its address of the family asked for (4 or 6); of none: the first.
function Remote:address(_, family)
  for _, entry in ipairs(self.addresses) do
    if not family or entry.family == family then return entry.address end
  end
  return nil
end

return M
