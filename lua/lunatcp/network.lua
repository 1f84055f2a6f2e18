--- A network: nodes, links, tasks, and the time they share.
-- @module lunatcp.network

local check = require "lunatcp.check"
local core = require "lunatcp.core"
local hooks = require "lunatcp.hooks"
local input = require "lunatcp.input"
local link = require "lunatcp.link"
local node = require "lunatcp.node"
local peer = require "lunatcp.peer"
local profiles = require "lunatcp.profiles"
local remote = require "lunatcp.remote"
local samples = require "lunatcp.samples"
local scheduler = require "lunatcp.scheduler"
local seed = require "lunatcp.seed"
local topology = require "lunatcp.topology"
local trace = require "lunatcp.trace"
local tunnel = require "lunatcp.tunnel"
local world = require "lunatcp.world"

local M = {}

local Network = {}
Network.__index = Network
Network.__name = "lunatcp.network"
M.Network = Network

local KEYS <const> = { "seed", "clock", "profile", "settings", "trace", "via" }
local TRACE_KEYS <const> = { "events", "packets" }
local RESERVED_ALARM <const> = 0 -- waits count from 1
local WEAK <const> = { __mode = "k" }

local watcher -- of networks that are made

--- Calls a function with every network that is made from now on: for programs that run scripts of others.
-- @tparam function hook nil: no more
function M.watch(hook) watcher = hook end

--- Makes a network.
-- @tparam[opt] table options
--
-- * `seed`: integer; without one it is drawn and printed. `LUNATCP_SEED` comes before both.
-- * `clock`: `"virtual"` (default) or `"real"`.
-- * `profile`: `"rfc"` (default), `"linux"`, a table, or the path of a Lua file (see `lunatcp.profiles`);
--   `settings`: changes on top of it, for all hosts.
-- * `trace`: how many records are kept, `{ events = 4096, packets = 4096 }`; `false`: none.
-- * `via`: `"udp"` carries every link over two real UDP sockets (with `clock = "real"`).
function M.new(options)
  options = check.options(options, KEYS, "network")
  local clock = options.clock or "virtual"
  check.one_of(clock, { "virtual", "real" }, "network: clock")
  if options.via ~= nil then
    check.one_of(options.via, { "udp" }, "network: via")
    if clock ~= "real" then check.raise "network: via: needs clock = \"real\"" end
  end
  local profile, wrong, why = profiles.load(options.profile)
  if not profile then return nil, wrong, why end
  if options.settings ~= nil then check.call(core.check_settings, options.settings) end
  local records = options.trace
  if records == false then records = { events = 0, packets = 0 } end
  records = check.options(records, TRACE_KEYS, "network: trace")

  local chosen = seed.choose(options.seed)
  local net = setmetatable({
    seed = chosen, clock = clock, profile = profile, defaults = options.settings,
    via = options.via,
    nodes = {}, links = {}, by_name = {}, by_id = {}, names = {}, link_nodes = {}, tunnel_links = {},
    tickers = {},
    captures = {}, listening = {}, signals = {}, open = 0,
    wrappers = setmetatable({}, { __mode = "k" }), -- of the core's objects; looked up, never walked
    closing = {}, -- connections that nobody may refer to any more, until they are CLOSED; not walked
  }, Network)
  local message, code
  net.world, message, code = world[clock](net)
  if not net.world then return nil, message, code end
  net.core = check.call(core.network, {
    seed = chosen, start_ns = net.world.start_ns, trace_events = records.events,
    trace_packets = records.packets,
  })
  net.world:attach(net.core)
  net.trace = trace.new(net, records.packets == 0)
  net.hooks = hooks.new(net)
  net.scheduler = scheduler.new(net.world)
  if watcher then watcher(net) end
  return net
end

function Network:__tostring()
  return ("network (%s time, seed %d, %d nodes, %d links)"):format(self.clock, self.seed, #self.nodes,
    #self.links)
end

-- ---- nodes and links --------------------------------------------------------------------------

--- A host: a TCP with its connections.
-- @string[opt] name
-- @tparam[opt] table options `profile` (see `lunatcp.profiles`), and any setting; or `settings`, a table
--   of them
-- @treturn Host; or nil, message, code where the profile's file cannot be read
function Network:host(name, options)
  local profile, settings = self.profile, {}
  if options ~= nil then check.type(options, "table", "host: options") end
  if options and options.profile ~= nil then
    local message, code
    profile, message, code = profiles.load(options.profile)
    if not profile then return nil, message, code end
  end
  local own = options and options.settings
  if own ~= nil then check.type(own, "table", "host: settings") end
  for _, source in ipairs { profile.settings, self.defaults or {}, options or {}, own or {} } do
    for key, value in pairs(source) do settings[key] = value end -- a table again: the order does not matter
  end
  settings.profile, settings.settings = nil, nil
  local made = check.call(self.core.host, self.core, { profile = profile.base, settings = settings })
  return node.new(self, made, "host", name, node.Host)
end

--- A router: forwards between its links, and answers with ICMP.
-- @string[opt] name
function Network:router(name)
  return node.new(self, self.core:router(), "router", name, node.Router)
end

--- An endpoint with no TCP behind it: the script is the TCP. See `lunatcp.peer`.
-- @string[opt] name
-- @tparam[opt] table options `port`: its own (default 1024); `remote_port`: where it sends to
function Network:peer(name, options) return peer.new(self, name, options) end

--- A link between two nodes: see `lunatcp.link`.
function Network:link(a, b, options) return link.new(self, a, b, options) end

--- A link that leads out of this process: see `lunatcp.tunnel`.
function Network:tunnel(host, options) return tunnel.new(self, host, options) end

--- Stands between two UDP sockets: see `lunatcp.proxy`.
function Network:proxy(options) return require "lunatcp.proxy".new(self, options) end

--- Names the other end of a tunnel: see `lunatcp.remote`.
function Network:remote(options) return remote.new(self, options) end

--- Works out routes for what was added since the last time. Called by itself before anything runs.
function Network:route()
  if not self.stale_routes then return end
  self.stale_routes = false
  topology.route(self)
end

--- The name of the node that has an address, or the address itself.
function Network:name_of(address) return self.names[address] or address end

--- Reads a terminal or a pipe beside the network, in real time: see `lunatcp.input`.
-- @int[opt=0] descriptor
function Network:input(descriptor) return input.new(self, descriptor) end

--- Writes to a terminal, a pipe or a file beside the network, in real time: see `lunatcp.input`.
-- @int[opt=1] descriptor
function Network:output(descriptor) return input.output(self, descriptor) end

--- Calls a function when a signal comes, which then does nothing else: "INT", "TERM" or "HUP". In real time.
-- @string name
-- @tparam function hook
-- @treturn boolean true, or nil, message, code
function Network:on_signal(name, hook)
  check.one_of(name, { "INT", "TERM", "HUP" }, "on_signal: name")
  check.callable(hook, "on_signal: hook")
  if self.clock ~= "real" then check.raise "on_signal: needs a network with clock = \"real\"" end
  local made, message, code = self.world.loop:signal(name)
  if not made then return nil, message, code end
  self.signals[#self.signals + 1] = made
  self.wrappers[made] = { waiters = {}, on_event = function() self.scheduler:call_hook(hook) end }
  return true
end

-- ---- tasks and time ---------------------------------------------------------------------------

--- Begins a task. It may be given a name first, for reports.
-- @function Network:spawn
-- @string[opt] name
-- @tparam function body
-- @param ... arguments of body
-- @treturn Task has `join`, `close`, `status`
function Network:spawn(name, ...)
  if type(name) ~= "string" then return self.scheduler:spawn(name, ...) end
  local task = self.scheduler:spawn(...)
  task.name = name
  return task
end

--- Waits for so many seconds of this network's time.
function Network:sleep(seconds) self.scheduler:sleep(seconds) end

--- Seconds since the network began.
function Network:now() return self.core:now() end

local function run_until(self, done, options)
  self:route()
  local ok, outcome = pcall(self.scheduler.run_until, self.scheduler, done, options)
  for _, capture in ipairs(self.captures) do capture:flush() end
  if not ok then error(outcome, 0) end
  return outcome
end

--- Runs until all tasks have ended; or as told.
-- @tparam[opt] table options
--
-- * `until_`: a time, to which it goes also when tasks end earlier; or a predicate, asked after
--   whatever happens.
-- * `until_idle = true`: goes on, also when tasks have ended, to the last timer.
-- @treturn boolean false when a predicate is not true and nothing can happen any more
function Network:run(options)
  options = check.options(options, { "until_", "until_idle" }, "run: options")
  local target, tasks = options.until_, self.scheduler.tasks
  if self.closed then check.raise "run: the network is closed" end
  if target ~= nil and options.until_idle then
    check.raise "run: until_ and until_idle exclude each other"
  end
  if type(target) == "number" then
    local limit = scheduler.reachable(check.seconds(target, "run: until_"))
    run_until(self, function() return false end, { limit = limit })
    return true
  elseif target ~= nil then
    check.callable(target, "run: until_")
    return run_until(self, target, {}) == "done"
  end
  local forever = options.until_idle
  run_until(self, function() return not forever and #tasks == 0 end, {})
  if not forever then self:settle() end
  return true
end

--- Lets one thing happen: a task goes on, or a packet, a timer or an alarm is due. In real time, lets
-- everything happen that is due, and does not sleep: for those who run a loop of their own.
-- @treturn boolean virtual time: false when nothing can happen any more
function Network:step()
  if self.clock == "real" then
    self.world:poll()
    self:settle()
    return true
  end
  local outcome = run_until(self, function() return false end, { idle = "return", once = true })
  return outcome == "done"
end

--- Lets everything that is due at this very moment happen.
function Network:settle()
  run_until(self, function() return false end, { limit = self.world:settle_limit(), idle = "return" })
  self.world:poll() -- what is ready to leave does, also when this was the last call
end

--- For a loop of one's own (luv, cqueues), in real time: a descriptor that becomes readable when `step`
-- has something to do.
-- @treturn integer
function Network:fd()
  if self.clock ~= "real" then check.raise "fd: needs a network with clock = \"real\"" end
  return self.world.loop:fd()
end

--- For a loop of one's own: seconds until `step` is wanted also without I/O; nil: never. To be asked
-- before each sleep.
-- @treturn[opt] number
function Network:timeout()
  if self.clock ~= "real" then check.raise "timeout: needs a network with clock = \"real\"" end
  if self.scheduler:has_ready() then return 0 end
  local wanted, due = self.world.loop:timeout(), self.core:next_deadline()
  local left = due and math.max(due - self.world:now(), 0)
  if wanted and left then return math.min(wanted, left) end
  return wanted or left
end

--- Ends what nobody refers to any more, after a full garbage collection: forgotten connections are
-- aborted, in the order of hosts and handles.
-- @treturn integer how many
function Network:collect()
  setmetatable(self.closing, WEAK) -- who is only there is let go of now
  local count = self.core:collect()
  setmetatable(self.closing, nil)
  self.open = math.max(self.open - count, 0)
  return count
end

-- When nothing can happen any more: ends forgotten connections, if there can be any. True: there were.
function Network:collect_forgotten()
  return self.open > 0 and self:collect() > 0
end

--- Ends the network: tasks in the order of their creation, captures, everything. May be called again.
function Network:close()
  if self.closed then return end
  if self.scheduler.current then check.raise "close: a task cannot close the network it runs in" end
  self.scheduler:close_tasks()
  while self.captures[1] do self.captures[1]:close() end -- each takes itself out of the list
  self.closed = true
  self.world:close()
  self.core:close()
  local failure = self.scheduler.failure
  self.scheduler.failure = nil
  if failure then error(failure.value, 0) end
end

Network.__close = function(self) self:close() end

-- ---- what happens, for the world and the scheduler --------------------------------------------

-- One step of the core. What a hook raised has been noted, or comes from the core as a message.
function Network:core_step(limit)
  local ok, reason, detail, direction = pcall(self.world.drive, self.world, limit)
  self.scheduler.busy_hook = nil
  if ok then return reason, detail, direction end
  self.scheduler:fail(reason)
  return "trace"
end

-- Lets time pass to `when`, although nothing happens until then.
function Network:pass_time(when)
  if when <= self.core:now() then return end
  self.core:alarm_at(when, RESERVED_ALARM)
  while self.core:now() < when and self:core_step(when) ~= "alarm" do end
  self.core:cancel_alarm(RESERVED_ALARM)
end

local function dispatch_events(self, host)
  local tasks, hooked = self.scheduler, self.hooks
  while true do
    local object, bits, code, message = host:next_event()
    if not object then return end
    local wrapper = self.wrappers[object]
    if wrapper then
      if wrapper.hooks then hooked:fire(wrapper, bits, code, message) end
      tasks:wake(wrapper, bits)
      if wrapper.on_event then wrapper:on_event(bits) end
    end
  end
end

--- What `step` of the core reported reaches hooks and tasks.
function Network:dispatch(reason, detail, bits)
  if reason == "events" then
    dispatch_events(self, detail)
  elseif reason == "peer" then
    self.by_id[detail:id()]:arrived()
  elseif reason == "alarm" then
    self.scheduler:alarm(detail)
  elseif reason == "descriptor" then
    local wrapper = self.wrappers[detail]
    if wrapper then self.scheduler:wake(wrapper, bits) end
    if wrapper and wrapper.on_event then wrapper.on_event() end
  end
end

-- ---- looking ----------------------------------------------------------------------------------

--- Calls a function whenever something happens: see `lunatcp.hooks`.
-- @string kind
-- @tparam function hook
-- @tparam[opt] Connection conn only what concerns this one
-- @treturn Handle `close` removes it
function Network:on(kind, hook, conn) return self.hooks:add(kind, hook, conn) end

--- Writes everything that links carry from here on into a pcapng file.
-- @param path its path, or an open file
-- @tparam[opt] table options `view`: `"sender"` (default), `"receiver"`; `limit`; `live = true`: in real
--   time, what passes is written five times a second, and not only when a run is over
-- @treturn Capture has `close` (also by `<close>`), `flush`, `packets`; or nil, message, code
function Network:capture(path, options)
  return require "lunatcp.capture".new(self, path, options)
end

--- Samples variables of a connection: see `lunatcp.samples`.
-- @tparam Connection conn
-- @tparam[opt] table options `every` (seconds, 0.1), `fields`
-- @treturn Samples
function Network:sample(conn, options) return samples.new(self, conn, options) end

--- The sequence diagram as text: see `lunatcp.trace`.
function Network:ladder(options) return self.trace:ladder(options) end

--- The sequence diagram as an SVG document.
function Network:svg(options) return self.trace:svg(options) end

-- The earliest time at which a sample is due, or nil.
function Network:next_ticker()
  local first
  if not self.tickers[1] then return nil end
  for _, ticker in ipairs(self.tickers) do
    if not first or ticker.due < first then first = ticker.due end
  end
  return first
end

-- Lets the samples that are due at a time be taken.
function Network:tick(now)
  local due = {}
  for _, ticker in ipairs(self.tickers) do
    if ticker.due <= now then due[#due + 1] = ticker end
  end
  for _, ticker in ipairs(due) do ticker:take() end
end

return M
