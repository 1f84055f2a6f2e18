-- Runs whose captures are the same, octet by octet, from every compiler and at every level of
-- optimisation. spec/golden/ holds a digest of each (SipHash-2-4 of the pcapng file, its key zero).
--
-- After a change that is meant to change what is sent, write the new ones by
--
--     LUNATCP_GOLDEN=update ./dev test
--
-- which does core/test/golden_test.c too; then say in the commit why they have changed.
local tcp = require "lunatcp"
local wire = require "support.wire"

local core = tcp.core or require "lunatcp.core"

local function digest_file(name)
  local here = debug.getinfo(1, "S").source:match "^@(.*)tcp/golden_spec%.lua$"
  return here .. "golden/" .. name .. ".digest"
end

local function read(name)
  local file = assert(io.open(digest_file(name), "r"))
  local text = file:read "l"
  file:close()
  return text
end

local function compare(name, bytes)
  local digest = ("%016x"):format(core.siphash(0, 0, bytes))
  if os.getenv "LUNATCP_GOLDEN" == "update" then
    local file = assert(io.open(digest_file(name), "w"))
    file:write(digest, "\n")
    file:close()
  end
  assert.equal(read(name), digest)
end

local function transfer(net, from, to, octets, port)
  local listener = assert(to:listen(port))
  local data = wire.pattern(octets)
  net:spawn(function()
    local conn <close> = assert(from:connect(to, port))
    for first = 1, octets, 3000 do
      conn:write(data:sub(first, first + 2999))
      net:sleep(0.0007)
    end
    conn:shutdown()
    local back = {}
    for chunk in conn:chunks() do back[#back + 1] = chunk end
    assert(table.concat(back) == data)
  end)
  net:spawn(function()
    local conn <close> = assert(listener:accept())
    for chunk in conn:chunks(1777) do conn:write(chunk) end
  end)
end

-- The pcapng bytes of all that happens while `scene(net)` plays.
local function captured(seed, scene)
  local net <close> = tcp.network { seed = seed, trace = false }
  local capture = assert(net.core:capture { view = "sender" })
  scene(net)
  net:run { until_idle = true }
  capture:flush()
  local bytes = capture:take()
  assert.is_true(#bytes > 1000)
  return bytes
end

local scenes = {}

function scenes.plain(net)
  local client, server = net:host "client", net:host "server"
  net:link(client, server, { delay = 0.01 })
  transfer(net, client, server, 20000, 80)
end

function scenes.impaired(net)
  local client, server = net:host "client", net:host("server", { profile = "linux" })
  net:link(client, server, {
    delay = 0.0123, jitter = 0.0045, jitter_reorders = true, loss = 0.07, duplicate = 0.03, corrupt = 0.02,
    corrupt_bits = 11, reorder = 0.05, reorder_delay = 0.02, rate = 7654321, queue = 30,
  })
  transfer(net, client, server, 200000, 80)
end

function scenes.bottleneck(net)
  local left, right = net:router "left", net:router "right"
  net:link(left, right, {
    delay = 1 / 30, rate = 3e6, queue = 25, mtu = 1200,
    loss = { model = "gilbert", to_bad = 0.01, to_good = 0.3, loss_bad = 0.7 },
  })
  for i = 1, 3 do
    local client = net:host("client" .. i, { sack = i ~= 2, timestamps = i ~= 3, nagle = i == 1 })
    local server = net:host("server" .. i, { receive_buffer = 10000 * i })
    net:link(client, left, { delay = 0.001 * i })
    net:link(right, server, { delay = 0.003 / i })
    transfer(net, client, server, 60000, 8000 + i)
  end
end

function scenes.ipv6(net)
  local client, server = net:host "client", net:host "server"
  local link = net:link(client, server, { delay = 0.02, loss = 0.05 })
  link:rule(function(segment)
    if segment.flags.fin and segment.first then return "drop" end
  end)
  local listener = server:listen(80)
  net:spawn(function()
    local conn <close> = assert(client:connect(server, 80, { family = 6 }))
    conn:urgent "now"
    conn:write(wire.pattern(30000))
    conn:shutdown()
    conn:read()
  end)
  net:spawn(function()
    local conn <close> = assert(listener:accept())
    for _ in conn:chunks() do net:sleep(0.01) end
  end)
end

describe("a capture #golden", function()
  for i, name in ipairs { "plain", "impaired", "bottleneck", "ipv6" } do
    it(("of the scene '%s' is the same everywhere"):format(name), function()
      compare(name, captured(1000 + i, scenes[name]))
    end)
  end

  it("is the same in each run of one seed, and another with another", function()
    local first = captured(5, scenes.impaired)
    assert.is_true(first == captured(5, scenes.impaired))
    assert.is_false(first == captured(6, scenes.impaired))
  end)

  it("does not depend on the collector's timing", function()
    local first = captured(5, scenes.impaired)
    collectgarbage "incremental"
    local mode = collectgarbage "generational"
    local second = captured(5, scenes.impaired)
    collectgarbage(mode == "generational" and "generational" or "incremental")
    assert.is_true(first == second)
  end)
end)
