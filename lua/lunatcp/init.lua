--- lunatcp: a complete TCP in the hand of a script.
--
--     local tcp = require "lunatcp"
--     local net = tcp.network { seed = 42 }
--
-- Units are seconds, octets and bits a second. A wrong argument raises and names itself; what can
-- fail at run time gives `nil, message, CODE`.
-- @module lunatcp

local check = require "lunatcp.check"
local congestion = require "lunatcp.congestion"
local core = require "lunatcp.core"
local network = require "lunatcp.network"

local M = {}

--- The version of the library.
M.version = core.VERSION

--- Makes a network: see `lunatcp.network`.
-- @function network
M.network = network.new

--- Runs a scenario under every combination of what may befall its first packets: see `lunatcp.explore`.
-- @tparam table options
function M.explore(options) return require "lunatcp.explore".explore(options) end

--- Runs a scenario under one script of choices: see `lunatcp.explore`.
-- @tparam table options
function M.replay(options) return require "lunatcp.explore".replay(options) end

--- Takes an IP packet apart.
-- @string packet
-- @tparam[opt] table options `quoted = true`: it may be cut short, no checksum is verified
-- @treturn table fields, as far as they could be read
-- @treturn[opt] string what is wrong with it
-- @treturn[opt] string the name of that: "LTCP_ERR_CHECKSUM"
function M.decode(packet, options) return check.call(core.decode, packet, options) end

--- Makes an IP packet of fields: `source`, `destination`, `source_port`, `flags`, `seq`, `options`, ...
-- @tparam table fields as `decode` gives them
-- @treturn string
function M.encode(fields) return check.call(core.encode, fields) end

--- A set of TCP flags, of letters ("SA") or names; `==` compares.
function M.flags(flags) return check.call(core.flags, flags) end

--- Names of the profiles.
M.profiles = { "rfc", "linux" }

--- The settings of a profile as a table.
-- @string name
function M.profile(name)
  check.one_of(name, M.profiles, "profile: name")
  return core.profile(name)
end

--- Every setting: name, kind, limits, what it is, its value in each profile.
M.settings = core.settings_list

--- Names of the congestion controls: the core's, then the script's.
M.congestions = core.congestions

--- Defines a congestion control in Lua: see `lunatcp.congestion`.
-- @function congestion
M.congestion = congestion.define

--- Names of the eleven states.
M.states = core.STATES

--- What a failure's code means.
-- @string code "ECONNRESET"
-- @treturn string message, or nil for none of ours
function M.error_message(code)
  check.type(code, "string", "error_message: code")
  local status = core.status(code)
  return status and status.message
end

return M
