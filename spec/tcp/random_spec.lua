-- A thousand seeds of heavy impairment, and scenes of which everything is drawn (spec/support/wild):
-- topology, settings of the whole table, applications that do what they like. `LUNATCP_SEED=n` replays the
-- seed that a failure names.
local tcp = require "lunatcp"
local wild = require "support.wild.scene"

local SEEDS <const> = 1000
local SLICES <const> = 10

local function pick(random, list) return list[1 + random:below(#list)] end

-- What a seed makes of everything that can be chosen.
local function choose(random)
  local function settings()
    return {
      sack = random:below(2) == 0, timestamps = random:below(2) == 0,
      window_scaling = random:below(2) == 0, nagle = random:below(2) == 0,
      delayed_ack = random:below(4) ~= 0, limited_transmit = random:below(2) == 0,
      send_buffer = pick(random, { 100, 1000, 5000, 50000 }),
      receive_buffer = pick(random, { 100, 1000, 5000, 50000 }),
      mss = pick(random, { 60, 100, 536, 1460 }), initial_window = pick(random, { 0, 1, 10 }),
      isn = pick(random, { -1, 0xffffff00, 0x7fffff00 }), profile = pick(random, { "rfc", "linux" }),
      rto_min = pick(random, { 0.2, 1 }), r2_time = 86400, r2_count = 0,
      syn_r2_time = 86400, syn_r2_count = 0, synack_r2_count = 0,
      user_timeout = 0, fin_wait_2_timeout = 0, orphan_r2_count = 0, msl = 30,
    }
  end
  local link = {
    delay = random:number() * 0.1, loss = random:number() * 0.2, duplicate = random:number() * 0.1,
    corrupt = random:number() * 0.05, corrupt_bits = 1 + random:below(15),
    reorder = random:number() * 0.2, reorder_delay = random:number() * 0.1,
    jitter = random:number() * 0.05, jitter_reorders = random:below(2) == 0,
  }
  if random:below(3) == 0 then
    link.rate, link.queue = 100e3 + random:below(10000000), 5 + random:below(20)
  end
  if random:below(5) == 0 then
    link.loss = { model = "gilbert", to_bad = 0.05, to_good = 0.3, loss_bad = 0.5, loss_good = 0.01 }
  end
  return settings(), settings(), link
end

local function stream(random)
  local parts = {}
  for i = 1, 1 + random:below(40) do
    parts[i] = string.pack("<i8", random:next()):rep(1 + random:below(150))
  end
  return table.concat(parts)
end

local function writes(net, conn, data, random)
  local at = 1
  while at <= #data do
    local n = 1 + random:below(2000)
    assert(conn:write(data:sub(at, at + n - 1)))
    at = at + n
    if random:below(4) == 0 then net:sleep(random:number() * 0.05) end
  end
  conn:shutdown()
end

local function reads(net, conn, random)
  local parts = {}
  for chunk in conn:chunks(1 + random:below(3000)) do
    parts[#parts + 1] = chunk
    if random:below(8) == 0 then net:sleep(random:number() * 0.1) end
  end
  return table.concat(parts)
end

-- What is wrong, or nil.
local function run(seed)
  local net <close> = tcp.network { seed = seed, trace = false }
  local random = net.core:random "scene"
  local for_client, for_server, for_link = choose(random)
  local client, server = net:host("client", for_client), net:host("server", for_server)
  net:link(client, server, for_link)
  local listener = server:listen(80)
  local data, got, conns = { stream(random), stream(random) }, {}, {}
  local function act(which, conn)
    conns[which] = conn
    local own = net.core:random("end " .. which)
    local writer = net:spawn(function() writes(net, conn, data[which], own) end)
    got[which] = reads(net, conn, net.core:random("reader " .. which))
    writer:join()
    conn:close()
  end
  net:spawn(function() act(1, assert(client:connect(server, 80))) end)
  net:spawn(function() act(2, assert(listener:accept())) end)
  net:run { until_idle = true }
  for i = 1, 2 do
    if got[i] ~= data[3 - i] then return ("end %d read %d octets of %d"):format(i, #got[i], #data[3 - i]) end
    if conns[i]:state() ~= "CLOSED" then return ("end %d is %s"):format(i, conns[i]:state()) end
  end
  return net.core:check()
end

describe("#slow, a thousand seeds of loss, duplicates, reordering, corruption, small buffers", function()
  for slice = 0, SLICES - 1 do
    local first, last = slice * SEEDS // SLICES + 1, (slice + 1) * SEEDS // SLICES
    it(("leave the stream intact, %d to %d"):format(first, last), function()
      for seed = first, last do
        local ok, problem = pcall(run, seed)
        if not ok or problem then
          error(("seed %d (LUNATCP_SEED=%d replays it): %s"):format(seed, seed, tostring(problem)), 0)
        end
      end
    end)
  end
end)

-- The chance that a setting is drawn, and how many seeds.
local WILD <const> = { { 0, 30 }, { 0.05, 60 }, { 0.2, 60 }, { 1, 30 } }

describe("#slow, hosts, links, settings and applications as a seed has them", function()
  for _, entry in ipairs(WILD) do
    local share, seeds = entry[1], entry[2]
    it(("break no rule, with %d of 100 settings drawn"):format(share * 100 // 1), function()
      for seed = 1, seeds do
        local ok, problem = pcall(wild.run, seed, { share = share, wire = seed % 3 == 0 })
        if not ok or problem then
          error(("seed %d (LUNATCP_SEED=%d replays it): %s"):format(seed, seed, tostring(problem)), 0)
        end
      end
    end)
  end
end)
