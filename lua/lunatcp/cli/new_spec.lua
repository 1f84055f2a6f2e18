--- `lunatcp new-spec NAME`: a spec to start from, and the `.busted` it needs.
-- @module lunatcp.cli.new_spec

local cli = require "lunatcp.cli"

local M = {}

local SPEC <const> = [[
-- %s: run `busted` in the folder above this one. Written by `lunatcp new-spec`: make it yours.
local net = require "lunatcp.busted" -- a fresh network for each test, in virtual time

describe("%s", function()
  local client, server, link, listener

  before_each(function()
    client, server = net:host "client", net:host "server"
    link = net:link(client, server, { delay = 0.010, rate = 10e6 }) -- seconds, bits a second
    listener = server:listen(80)
  end)

  it("opens with three segments", function()
    local conn = assert(client:connect(server, 80))
    local accepted = assert(listener:accept())
    assert.state(conn, "ESTABLISHED")
    assert.state(accepted, "ESTABLISHED")
    assert.equal(3, #net.trace:segments())
  end)

  it("delivers every octet, although the third segment with data is lost", function()
    link:drop { from = client, data = true, nth = 3 }
    local conn = assert(client:connect(server, 80))
    local accepted = assert(listener:accept())
    local sent = ("0123456789"):rep(1000)
    conn:write(sent)
    conn:shutdown()
    assert.stream(accepted, sent, { whole = true })
    assert.equal(1, conn:info().segments_retransmitted)
  end)

  it("closes from both sides, and then is quiet", function()
    local conn = assert(client:connect(server, 80))
    local accepted = assert(listener:accept())
    conn:close()
    assert.eventually(function() return accepted:state() == "CLOSE-WAIT" end, { within = 1 })
    accepted:close()
    assert.eventually(function() return conn:state() == "TIME-WAIT" end, { within = 1 })
    assert.no_segment(link, { within = 10 })
  end)
end)
]]

local BUSTED <const> = [[
-- Settings of busted. Written by `lunatcp new-spec`.
return {
  _all = {
    lua = %q,%s
  },
  default = {
    ROOT = { "spec" },
    pattern = "_spec",
  },
}
]]

function M.define(parser)
  local command = parser:command("new-spec", "Write a spec to start from: spec/NAME_spec.lua, and .busted.")
  command:argument("name", "What is to be specified: letters, digits, - and _.")
  command:option("--dir", "The folder in which spec/ is or will be.", "."):argname "DIR"
  command:flag("--json", "What was written and what was kept as a JSON object.")
end

local function exists(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local function write(path, text)
  local file, message = io.open(path, "w")
  if not file then return nil, message end
  local ok, problem = file:write(text)
  local closed, late = file:close()
  if ok and closed then return true end
  return nil, ("%s: %s"):format(path, problem or late)
end

-- No module for directories is needed for this one thing.
local function make_directory(path)
  if exists(path .. "/.") then return true end
  local quoted = "'" .. path:gsub("'", "'\\''") .. "'"
  local pipe = io.popen(("mkdir -p -- %s 2>&1"):format(quoted))
  if not pipe then return nil, "cannot make the folder " .. path end
  local message = pipe:read "a"
  if pipe:close() then return true end
  return nil, (message:gsub("\n+$", ""))
end

local COMMON <const> = { "/usr/share/lua/", "/usr/local/share/lua/", "/usr/lib/", "/usr/local/lib/" }

local function is_common(path)
  for _, prefix in ipairs(COMMON) do
    if path:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  local here = os.getenv "PWD"
  return here and here .. "/" .. path:gsub("^%./", "") or path
end

-- The lines of `.busted` that say where this lunatcp is, unless every Lua looks there by itself.
local function where()
  local lua = package.searchpath("lunatcp.cli", package.path)
  local c = package.searchpath("lunatcp.core", package.cpath)
  if not lua or not c or (is_common(lua) and is_common(c)) then return "" end
  local root = absolute(lua):match "^(.*)/lunatcp/cli%.lua$"
  local extension = c:match "%.%w+$"
  local c_root = absolute(c):match "^(.*)/lunatcp/core%.%w+$"
  if not root or not c_root then return "" end
  return ("\n    -- where this lunatcp is installed\n    lpath = %q,\n    cpath = %q,")
    :format(root .. "/?.lua;" .. root .. "/?/init.lua", c_root .. "/?" .. extension)
end

-- The Lua that runs this, by the name with which busted is to start it.
local function interpreter()
  local lowest = 0
  while arg and arg[lowest - 1] do lowest = lowest - 1 end
  local path = lowest < 0 and arg[lowest] or "lua5.4"
  return path:match "^/usr/bin/([^/]+)$" or path:match "^/usr/local/bin/([^/]+)$" or path
end

function M.run(options, parser)
  local name = options.name:gsub("%.lua$", ""):gsub("_spec$", "")
  if not name:match "^[%w_-]+$" or name:match "^-" then
    parser:error(("new-spec: '%s' is no name of letters, digits, - and _"):format(options.name))
  end
  local dir = (options.dir:gsub("(.)/+$", "%1"))
  local ok, message = make_directory(dir .. "/spec")
  if not ok then return cli.fail(message) end
  local path = ("%s/spec/%s_spec.lua"):format(dir, name)
  if exists(path) then return cli.fail(path .. ": there is one already") end
  local subject = name:gsub("_", " ")
  ok, message = write(path, SPEC:format(name, subject))
  if not ok then return cli.fail(message) end
  local settings = dir .. "/.busted"
  local kept = exists(settings)
  if not kept then
    ok, message = write(settings, BUSTED:format(interpreter(), where()))
    if not ok then return cli.fail(message) end
  end
  if options.json then
    cli.print(cli.json({ spec = path, settings = settings, kept = kept, dir = dir },
      { "spec", "settings", "kept", "dir" }))
    return 0
  end
  cli.print("wrote " .. path)
  cli.print((kept and "kept  " or "wrote ") .. settings)
  cli.print(("run it: cd %s && busted"):format(dir))
  return 0
end

return M
