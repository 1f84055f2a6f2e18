--- The kit for specs: a network for each test, assertions, and what a failed test leaves behind.
--
--     local net = require "lunatcp.busted"
--
--     it("opens a connection", function()
--       local client, server = net:host "client", net:host "server"
--       net:link(client, server, { delay = 0.01 })
--       local listener = server:listen(80)
--       local conn = assert(client:connect(server, 80))
--       assert.state(conn, "ESTABLISHED")
--     end)
--
-- What the module gives is the network of the test that runs: made before its `before_each`, closed
-- after its `after_each`, with a seed of its own (`LUNATCP_SEED`, else worked out from the test's
-- name). A failed test's message ends with the ladder, the seed and the path of a capture file, which
-- is written only then, into `LUNATCP_CAPTURES` (`./lunatcp-captures`; empty: none).
-- @module lunatcp.busted

local assertions = require "lunatcp.busted.assertions"
local check = require "lunatcp.check"
local core = require "lunatcp.core"
local network = require "lunatcp.network"
local report = require "lunatcp.busted.report"

local CAPTURE_MOST <const> = 64 << 20 -- octets kept in memory for a capture file
local SEED_BITS <const> = 0x7fffffff  -- short enough to type

local busted = require "busted"
if type(busted) ~= "table" or not busted.subscribe then
  check.raise "lunatcp.busted: this is for specs; run the file with busted"
end

local test            -- what runs: net, capture, name, file, failed
local names = {}      -- of capture files of this spec file, so that none is written twice
local prepared = 0    -- tests so far

-- ---- which test ------------------------------------------------------------------------------

-- "handshake carries the ISNs": the names of the blocks and of the test.
local function full_name(element)
  local parts, at = {}, element
  while at and at.descriptor ~= "file" and at.name do
    table.insert(parts, 1, tostring(at.name))
    at = busted.parent(at)
  end
  return table.concat(parts, " ")
end

-- busted tells a before_each not which test it prepares, but the runner's frame holds it.
local function element_in_preparation()
  local level = 2
  while true do
    local info = debug.getinfo(level, "S")
    if not info then return nil end
    if info.source:find "[/\\]busted[/\\]init%.lua$" then
      for i = 1, 250 do
        local name, value = debug.getlocal(level, i)
        if not name then break end
        if name == "element" and type(value) == "table" and value.descriptor == "it" then return value end
      end
    end
    level = level + 1
  end
end

local function spec_file(element)
  local at = element
  while at and at.descriptor ~= "file" do at = busted.parent(at) end
  local path = at and at.name or ""
  return (path:match "([^/\\]+)$" or path):gsub("%.lua$", "")
end

-- ---- the network of the test -------------------------------------------------------------------

local function seed_of(name) return core.siphash(0, 0, name) & SEED_BITS end

local function begin_network(options)
  local chosen = {}
  for key, value in pairs(options or {}) do chosen[key] = value end -- a copy: the order does not matter
  if chosen.seed == nil then chosen.seed = seed_of(test.name) end
  local net, message, code = network.new(chosen)
  if not net then check.raise("net: %s: %s", code, message) end
  test.net = net
  test.capture = net.core:capture { most = CAPTURE_MOST }
end

local function begin_test()
  prepared = prepared + 1
  local element = element_in_preparation()
  test = { name = element and full_name(element) or ("test %d"):format(prepared), element = element }
  begin_network()
end

local function end_test()
  local ended = test
  test = nil
  if not (ended and ended.net) then return end
  local ok, problem = pcall(ended.net.close, ended.net)
  -- What went wrong in a task must not pass unseen; a failed test has told enough.
  if not ok and not ended.failed then error(problem, 0) end
end

local function current()
  if not (test and test.net) then
    check.raise "net: there is a network only while a test runs: in it, before_each and after_each"
  end
  return test.net
end

-- ---- what a failed test leaves behind ----------------------------------------------------------

local function write_capture(element)
  local directory = os.getenv "LUNATCP_CAPTURES" or "./lunatcp-captures"
  if directory == "" then return nil end
  local capture = test.capture
  capture:close() -- what is still on its way belongs to it too
  local count = capture:packets()
  if count == 0 then return "capture: none, no packet was sent" end
  local name = report.slug(spec_file(element) .. "-" .. test.name)
  names[name] = (names[name] or 0) + 1
  if names[name] > 1 then name = ("%s-%d"):format(name, names[name]) end
  local path, message = report.write_capture(directory, name, capture:take())
  if not path then return "capture: not written: " .. message end
  return ("capture: %s (%d packets)"):format(path, count)
end

local function waiting_tasks(net)
  if net.closed then return nil end
  local lines = net.scheduler:report()
  if #lines == 0 then return nil end
  return "tasks that have not ended:\n" .. table.concat(lines, "\n")
end

-- A message that has drawn the ladder need not be given it again: its first line gives it away.
local function ladder_unless_in(message, net)
  local ladder = report.ladder(net)
  local heading = ladder and ladder:match "^[^\n]+"
  if not ladder or tostring(message):find(heading, 1, true) then return nil end
  return ladder
end

local function remains(element, message)
  local net, parts = test.net, {}
  local function add(text)
    if text then parts[#parts + 1] = text end
  end
  add(ladder_unless_in(message, net))
  add(waiting_tasks(net))
  add(("seed: %d (LUNATCP_SEED=%d replays this test)"):format(net.seed, net.seed))
  add(write_capture(element))
  return table.concat(parts, "\n")
end

-- busted's handlers take the message as it is published: ours comes first, stops that one, and
-- publishes it again with what we add.
local function decorate(kind, descriptor)
  local publishing = false
  busted.subscribe({ kind, descriptor }, function(element, parent, message, ...)
    if publishing or not (test and test.net) then return nil, true end
    local of_test = descriptor == "it" and element or test.element or element
    local _, more = pcall(remains, of_test, message) -- an error is told in its place
    test.failed = true
    publishing = true
    busted.publish({ kind, descriptor }, element, parent, ("%s\n%s"):format(message, more), ...)
    publishing = false
    return nil, false
  end, { priority = 1 })
end

-- ---- the module --------------------------------------------------------------------------------

local Proxy = {}
Proxy.__name = "lunatcp.busted"

local M = setmetatable({}, Proxy)

local bound = setmetatable({}, { __mode = "k" }) -- by method: the same, called on the network behind M

local function bind(method)
  local call = bound[method]
  if not call then
    call = function(self, ...)
      if self == M then self = current() end
      return method(self, ...)
    end
    bound[method] = call
  end
  return call
end

--- Begins the test's network anew, with options of `lunatcp.network`: `net:reset { profile = "linux" }`.
-- What was made before is closed. Without a `seed` it is the test's.
-- @tparam[opt] table options
-- @treturn the network
local function reset(_, options)
  check.optional(options, "table", "reset: options")
  local before = current()
  begin_network(options)
  before:close()
  return M
end

function Proxy.__index(_, key)
  if key == "reset" then return reset end
  local value = current()[key]
  if value ~= nil and network.Network[key] == value and type(value) == "function" then return bind(value) end
  return value
end

function Proxy.__newindex(_, key, value) current()[key] = value end

function Proxy.__tostring()
  return test and tostring(test.net) or "network of the test that runs (none does)"
end

assertions.register(require "luassert", { network = current, brief = false })
busted.before_each(begin_test)
busted.after_each(end_test)
decorate("failure", "it")
decorate("error", "it")
decorate("error", "before_each")

return M
