-- A network of which everything is drawn from a seed: hosts, ways, settings, applications, trouble on the
-- way. `M.run(seed)` plays it to the end and says what was wrong, or nil.
local act = require "support.wild.act"
local book = require "support.wild.book"
local core = require "lunatcp.core"
local draw = require "support.wild.draw"
local judge = require "support.wild.judge"
local tcp = require "lunatcp"
local wire = require "support.wild.wire"

local M = {}
local pick, chance = draw.pick, draw.chance

local TROUBLE <const> = 120 -- seconds; then the links are whole
local PATIENCE <const> = 3 * 20000 -- and so long until nobody listens any more

local Scene = {}
Scene.__index = Scene
for name, method in pairs(book) do Scene[name] = method end -- the order does not matter

function Scene:wrong(...) self.problems[#self.problems + 1] = string.format(...) end

-- Streams of random numbers for settings, each by its name.
function Scene:streams(of)
  return function(name) return self.net.core:random(of .. " " .. name) end
end

-- ---- what can be chosen -----------------------------------------------------------------------

local function link_options(scene, random)
  local options = { forward = draw.path(random), back = draw.path(random) }
  if chance(random, 0.4) then options.mtu = pick(random, { 68, 296, 576, 1280, 1500, 9000, 65535 }) end
  if scene.family == 6 and options.mtu and options.mtu < 1280 then options.mtu = 1280 end
  return options
end

local function join(scene, a, b, random)
  local link = assert(scene.net:link(a, b, link_options(scene, random)))
  scene.links[#scene.links + 1] = link
  -- A packet now and then is kept, for complaints about it and for coming once more.
  link:rule(function(segment)
    scene.seen[link] = { segment.direction, segment:bytes(), scene.net:now() }
  end, { every = 23 })
end

-- Two hosts face to face, or more around one or two routers.
local function build(scene, random)
  local net, count = scene.net, pick(random, { 2, 2, 2, 3, 4, 8 })
  for i = 1, count do
    local settings = draw.settings(scene:streams("host " .. i), scene.share)
    scene.hosts[i] = assert(net:host("h" .. i, settings))
    scene.small[i] = settings.send_buffer < 2000 or settings.receive_buffer < 2000
      or settings.mss ~= 0 and settings.mss < 200
  end
  if count == 2 and chance(random, 0.5) then return join(scene, scene.hosts[1], scene.hosts[2], random) end
  local routers = { net:router "r1", chance(random, 0.5) and net:router "r2" or nil }
  if routers[2] then join(scene, routers[1], routers[2], random) end
  for _, host in ipairs(scene.hosts) do join(scene, host, pick(random, routers), random) end
end

local function add_keys(scene, random)
  if not core.crypto() or not chance(random, 0.15) then return end
  local a, b = scene.hosts[1], scene.hosts[2]
  local of_a, of_b = a:address(nil, scene.family), b:address(nil, scene.family)
  if chance(random, 0.5) then
    a:md5_key { peer = of_b, key = "secret" }
    b:md5_key { peer = of_a, key = "secret" }
    return
  end
  for i = 1, 2 do
    a:ao_key { peer = of_b, key = "secret" .. i, send_id = i, recv_id = i }
    b:ao_key { peer = of_a, key = "secret" .. i, send_id = i, recv_id = i }
  end
end

local CHANGED <const> = {
  "nagle", "delayed_ack", "dscp", "quick_acks", "ack_every", "send_buffer", "pacing", "receive_buffer",
  "keepalive", "user_timeout", "not_sent_low", "congestion", "rto_min", "more_is_quiet",
  "tune_receive_buffer", "tune_send_buffer", "ttl", "mtu_probing", "slow_start_after_idle",
  "limited_transmit",
}

--- One setting of a connection becomes another; what acts at the opening only is refused.
function Scene:set_something(conn, random)
  local name = pick(random, CHANGED)
  local some = draw.settings(self:streams("change " .. random:below(1000)), self.share)
  local ok, message, code = conn:set { [name] = some[name] }
  if not ok and code ~= "EISCONN" and code ~= "EBADF" and code ~= "ENOMEM" then
    self:wrong("set %s: %s", name, message)
  end
end

-- ---- tasks ------------------------------------------------------------------------------------

local REFUSALS <const> = {
  EADDRINUSE = true, EISCONN = true, EADDRNOTAVAIL = true, ENOMEM = true, EOPNOTSUPP = true,
}

local function connect_options(scene, number, random)
  local options = { family = scene.family }
  if chance(random, 0.3) then options.local_port = 5000 + random:below(3) end
  if chance(random, 0.3) then options.fast_open = ("f"):rep(random:below(4000)) end
  if chance(random, 0.2) then
    options.settings = { congestion = draw.settings(scene:streams("client " .. number), 0).congestion }
  end
  return options
end

local function client(scene, number, random)
  local net = scene.net
  local from = 1 + random:below(#scene.hosts)
  local to = 1 + (from + random:below(#scene.hosts - 1)) % #scene.hosts
  local host, target = scene.hosts[from], scene.hosts[to]
  net:sleep(random:number() * pick(random, { 0, 1, TROUBLE * 1.2 }))
  local options = connect_options(scene, number, random)
  local good, conn, _, code = pcall(host.connect_start, host, target, 80 + random:below(2), options)
  if not good then
    local full = tostring(conn):find("do not fit the send buffer", 1, true)
    if not full then scene:wrong("connect: %s", conn) end
    return
  end
  if not conn then
    if not REFUSALS[code] then scene:wrong("connect: %s", code) end
    return
  end
  local end_ = scene:note(conn, random, scene.small[from] or scene.small[to])
  end_.written[1] = options.fast_open
  local ok
  ok, _, code = conn:wait_connected { timeout = pick(random, { 3, 20000, 20000 }) }
  if ok then return act.play(scene, end_, random) end
  end_.problem = code
  conn:abort()
end

local function server(scene, listener)
  local net = scene.net
  local function serve(conn)
    local random = net.core:random("server " .. scene.count)
    if conn:info() then act.play(scene, scene:note(conn, random, true), random) end
  end
  while true do
    local conn, _, code = listener:accept()
    if not conn then
      if code ~= "EBADF" then scene:wrong("accept: %s", code) end
      return
    end
    net:spawn("server", serve, conn)
  end
end

local TROUBLES <const> = {
  function(scene, link, random)
    link:down()
    scene.net:sleep(random:number() * 40)
    link:up()
  end,
  function(_, link, random) assert(link:configure { mtu = pick(random, { 1280, 1400, 1500, 4000 }) }) end,
  function(_, link, random)
    local path = draw.path(random)
    path.queue = nil
    assert(link:configure(path))
  end,
  function(scene) judge.every_end(scene) end,
  function(scene, _, random)
    assert(pick(random, scene.hosts):set { dscp = random:below(64), ttl = 60 + random:below(100) })
  end,
  function(scene, link, random)
    local seen = scene.seen[link]
    if seen then link.core:inject(3 - seen[1], draw.complaint(random, seen[2])) end
  end,
  function(scene, link) -- an old duplicate, of less than a maximum segment lifetime
    local seen = scene.seen[link]
    if seen and scene.net:now() - seen[3] < 5 then link.core:inject(seen[1], seen[2]) end
  end,
}

-- Links change, break and are mended; in the end all is well.
local function trouble(scene, random)
  local net = scene.net
  while net:now() < TROUBLE do
    net:sleep(random:number() * TROUBLE / 6)
    pick(random, TROUBLES)(scene, pick(random, scene.links), random)
  end
  for _, link in ipairs(scene.links) do assert(link:configure(draw.MENDED)) end
end

-- ---- the whole --------------------------------------------------------------------------------

local function begin(scene, random)
  local net, listeners, tasks = scene.net, {}, {}
  for _, host in ipairs(scene.hosts) do
    for port = 80, 81 do
      local queue = chance(random, 0.3) and 5 or nil
      local listener = assert(host:listen(port, { backlog = pick(random, { 1, 5, 128 }), fast_open = queue }))
      listeners[#listeners + 1] = listener
      net:spawn("listener", server, scene, listener)
    end
  end
  for i = 1, pick(random, { 1, 2, 5, 12 }) do
    tasks[i] = net:spawn("client " .. i, client, scene, i, net.core:random("client " .. i))
  end
  tasks[#tasks + 1] = net:spawn("trouble", trouble, scene, net.core:random "trouble")
  net:spawn("end", function()
    for _, task in ipairs(tasks) do task:join() end
    net:sleep(PATIENCE)
    for _, listener in ipairs(listeners) do listener:close() end
    net:collect() -- also where keep-alives go on between those who were forgotten
  end)
end

local function packets_of(scene)
  local count = 0
  for _, link in ipairs(scene.links) do
    local both = link:counters()
    count = count + both.forward.packets + both.back.packets
  end
  return count
end

--- Plays a seed.
-- @int seed
-- @tparam[opt] table options `share`: the chance that a setting is drawn (0, 0.05 or 0.2); `wire`: the
--   packets are looked at afterwards; `seen`: a function that is given the scene at its end
-- @return nil or what was wrong; packets; octets read
function M.run(seed, options)
  options = options or {}
  local net <close> = tcp.network {
    seed = seed, trace = options.wire and { events = 0, packets = 1 << 18 } or false,
  }
  local random = net.core:random "scene"
  local scene = setmetatable({
    net = net, hosts = {}, small = {}, links = {}, seen = {}, ends = {}, by_key = {}, problems = {},
    count = 0, octets = 0, family = pick(random, { 4, 4, 6 }),
    share = options.share or pick(random, { 0, 0.05, 0.2 }),
  }, Scene)
  build(scene, random)
  add_keys(scene, random)
  begin(scene, random)
  net:run { until_idle = true }
  judge.whole(scene)
  if options.wire then wire.check(scene) end
  if options.seen then options.seen(scene) end
  local wrong = scene.problems[1] and table.concat(scene.problems, "\n") or nil
  return wrong, packets_of(scene), scene.octets
end

return M
