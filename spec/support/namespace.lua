--- A kernel to talk to: network namespaces of the spec's own, with nobody else's traffic.
--
-- `namespace.scene(NAME, ...)` runs the function NAME of spec/linux/scenes/*.lua in a child that stands
-- in fresh network, mount and process namespaces; a second network namespace, `them`, has the other end
-- of a veth pair, and a vxlan device behind it. What was made lives as long as the child's process
-- namespace: when the child ends, fails or is killed, or busted is, the kernel takes all of it down.
local M = {}

local build = os.getenv "LUNATCP_BUILD" or "build"

M.PEER = (build:sub(1, 1) == "/" and build or os.getenv "PWD" .. "/" .. build) .. "/linux/kernel_peer"

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
M.quoted = quoted

--- What a shell command printed, both ways, and whether it succeeded.
local function run(command)
  local pipe <close> = assert(io.popen("{ " .. command .. "\n} 2>&1", "r"))
  local printed = pipe:read "a"
  local ok = pipe:close()
  return printed, ok or false
end
M.run = run

local WORLD <const> = "unshare --net --mount --pid --fork --kill-child --mount-proc "

local missing
--- Why no such world can be made here; nil: it can.
function M.missing()
  if missing ~= nil then return missing or nil end
  missing = false
  local function needs(command, why)
    if not missing and not select(2, run(command)) then missing = why end
  end
  needs("command -v unshare ip", "unshare or ip is not there (Debian: util-linux, iproute2)")
  needs(WORLD .. "true", "no network namespaces can be made here (root is needed)")
  needs(WORLD .. "ip link add type veth", "this kernel has no veth")
  needs("test -x " .. quoted(M.PEER), M.PEER .. " is not built")
  return missing or nil
end

local CAN <const> = {
  vxlan = WORLD .. "ip link add v0 type vxlan id 1 dstport 4789 remote 192.0.2.9 dev lo",
  tun = "test -c /dev/net/tun && " .. WORLD .. "ip tuntap add t0 mode tun",
}

--- What each way to the kernel needs: its vxlan device; a TUN device of ours; socat and its own (rawip).
M.WAYS = { vxlan = { "vxlan", "ethtool" }, tun = { "tun" }, rawip = { "tun", "socat" } }

local tried = {}
local function there(what)
  if tried[what] == nil then tried[what] = select(2, run(CAN[what] or "command -v " .. what)) end
  return tried[what]
end

--- Why a scene cannot be played that needs these: "vxlan", "tun", or the name of a program; nil: it can.
function M.lacks(...)
  if M.missing() then return M.missing() end
  for _, what in ipairs { ... } do
    if not there(what) then
      return (CAN[what] and "this kernel has no " or "there is no program ") .. what
    end
  end
  return nil
end

--- Declares a spec that plays a scene; where it cannot, it says so aloud and passes.
-- @string title
-- @tparam {string,...} needs as `lacks` takes them
-- @string name of the scene
-- @param ... its arguments, as text
function M.it(title, needs, name, ...)
  local arguments = table.pack(...)
  local busted_it = require "busted".it
  busted_it(title, function()
    local why = M.lacks(table.unpack(needs))
    if why then
      io.stderr:write(("\nnot tried: %s: %s\n"):format(title, why))
      return
    end
    local printed, ok = M.scene(name, table.unpack(arguments, 1, arguments.n))
    assert(ok, printed)
  end)
end

--- Plays a scene. Gives what it printed, and whether it went well.
function M.scene(name, ...)
  local command = { WORLD, "bash spec/linux/world.sh", quoted(M.PEER), "lua5.4 spec/linux/scene.lua",
    quoted(name) }
  for i = 1, select("#", ...) do command[#command + 1] = quoted(tostring((select(i, ...)))) end
  local path = ("LUA_PATH_5_4=%s LUA_CPATH_5_4=%s "):format(
    quoted("./lua/?.lua;./lua/?/init.lua;./spec/?.lua;" .. (os.getenv "LUA_PATH_5_4" or ";")),
    quoted(build .. "/?.so;" .. (os.getenv "LUA_CPATH_5_4" or ";")))
  return run(path .. "timeout --kill-after=5 100 " .. table.concat(command, " "))
end

return M
