-- Every loss, duplicate and swap of any one or any two packets of a short exchange: handshake, data both
-- ways, half-close, data after it, close. The streams come whole, and both ends end CLOSED without error.
local tcp = require "lunatcp"

local DELAY <const> = 0.01
-- Beyond what a run without trouble sends: packets that only trouble brings about.
local FURTHER <const> = 2

local function network(options)
  local net = tcp.network {
    seed = 1, trace = false, settings = {
      isn = options.isn, send_buffer = 4096, receive_buffer = 4096, mss = 40, initial_window = 4,
      sack = options.sack, timestamps = options.timestamps, window_scaling = options.timestamps,
    },
  }
  local a, b = net:host "a", net:host "b"
  return net, a, b, net:link(a, b, { delay = DELAY })
end

-- What one direction's n-th packet meets.
local function meet(link, from, fate, nth)
  if fate == "loss" then
    link:drop { from = from, nth = nth }
  elseif fate == "duplicate" then
    link:duplicate { from = from, nth = nth, after = 0.001 }
  elseif fate == "swap" then -- it comes after what follows it at once
    link:delay { from = from, nth = nth, by = 0.005 }
  else -- it comes after the answers to what follows it
    link:delay { from = from, nth = nth, by = 5 * DELAY }
  end
end

local QUESTION <const> = ("question "):rep(9) -- three segments
local ANSWER <const> = ("the answer "):rep(8)

local function read_all(conn)
  local parts = {}
  for chunk in conn:chunks() do parts[#parts + 1] = chunk end
  return table.concat(parts)
end

-- Who opens, and how each end goes about it: gives the two connections, and what each of them read.
local scenes = {}

scenes["half-close by the client"] = function(net, a, b, result)
  local listener = b:listen(80)
  net:spawn(function()
    local conn = assert(a:connect(b, 80))
    result.conns[1] = conn
    conn:write(QUESTION)
    conn:shutdown()
    result.read[1] = read_all(conn)
    conn:close()
  end)
  net:spawn(function()
    local conn = assert(listener:accept())
    result.conns[2] = conn
    result.read[2] = read_all(conn)
    conn:write(ANSWER)
    conn:close()
  end)
  result.expected = { ANSWER, QUESTION }
end

scenes["half-close by the server"] = function(net, a, b, result)
  local listener = b:listen(80)
  net:spawn(function()
    local conn = assert(a:connect(b, 80))
    result.conns[1] = conn
    result.read[1] = read_all(conn)
    conn:write(QUESTION)
    conn:close()
  end)
  net:spawn(function()
    local conn = assert(listener:accept())
    result.conns[2] = conn
    conn:write(ANSWER)
    conn:shutdown()
    result.read[2] = read_all(conn)
    conn:close()
  end)
  result.expected = { ANSWER, QUESTION }
end

local function at_once(conn, result, which, bytes)
  result.conns[which] = conn
  conn:write(bytes)
  conn:shutdown()
  result.read[which] = read_all(conn)
  conn:close()
end

scenes["both close at once"] = function(net, a, b, result)
  local listener = b:listen(80)
  net:spawn(function() at_once(assert(a:connect(b, 80)), result, 1, QUESTION) end)
  net:spawn(function() at_once(assert(listener:accept()), result, 2, ANSWER) end)
  result.expected = { ANSWER, QUESTION }
end

scenes["both open at once"] = function(net, a, b, result)
  net:spawn(function() at_once(assert(a:connect(b, 2000, { local_port = 1000 })), result, 1, QUESTION) end)
  net:spawn(function() at_once(assert(b:connect(a, 1000, { local_port = 2000 })), result, 2, ANSWER) end)
  result.expected = { ANSWER, QUESTION }
end

local function run(scene, options, faults)
  local net, a, b, link = network(options)
  for _, fault in ipairs(faults) do meet(link, fault.from == 1 and a or b, fault.fate, fault.nth) end
  local result = { conns = {}, read = {} }
  scenes[scene](net, a, b, result)
  net:run { until_idle = true }
  local problem
  for i = 1, 2 do
    local conn = result.conns[i]
    if result.read[i] ~= result.expected[i] then
      problem = ("end %d read %s"):format(i, tostring(result.read[i] and #result.read[i]))
    elseif conn:state() ~= "CLOSED" then
      problem = ("end %d is %s"):format(i, conn:state())
    elseif conn:error() then
      problem = ("end %d: %s"):format(i, conn:error())
    end
  end
  local counts = { link:counters(a).packets, link:counters(b).packets }
  local broken = net.core:check()
  if broken then problem = broken end
  net:close()
  return problem, counts
end

local function told(scene, options, faults, problem)
  local parts = {}
  for i, fault in ipairs(faults) do
    parts[i] = ("%s of packet %d from %s"):format(fault.fate, fault.nth, fault.from == 1 and "a" or "b")
  end
  return ("%s, ISN %u, SACK and timestamps %s: %s: %s"):format(scene, options.isn, tostring(options.sack),
    table.concat(parts, ", "), problem)
end

local FATES <const> = { "loss", "duplicate", "swap", "late" }

-- All packets that can meet a fault.
local function places(scene, options)
  local problem, counts = run(scene, options, {})
  assert.is_nil(problem and told(scene, options, {}, problem))
  local list = {}
  for from = 1, 2 do
    for nth = 1, counts[from] + FURTHER do list[#list + 1] = { from = from, nth = nth } end
  end
  return list
end

local function try(scene, options, faults)
  local ok, problem = pcall(run, scene, options, faults)
  if not ok or problem then error(told(scene, options, faults, tostring(problem)), 0) end
end

local function singles(scene, options)
  local count = 0
  for _, place in ipairs(places(scene, options)) do
    for _, fate in ipairs(FATES) do
      try(scene, options, { { from = place.from, nth = place.nth, fate = fate } })
      count = count + 1
    end
  end
  return count
end

local function pairs_of(scene, options, fates)
  local count = 0
  local list = places(scene, options)
  for i = 1, #list do
    for j = i + 1, #list do
      for _, first in ipairs(fates) do
        for _, second in ipairs(fates) do
          try(scene, options, {
            { from = list[i].from, nth = list[i].nth, fate = first },
            { from = list[j].from, nth = list[j].nth, fate = second },
          })
          count = count + 1
        end
      end
    end
  end
  return count
end

local EDGES <const> = { 1000, 0xffffffff - 60, 0x7fffffff - 60 }
local SCENES <const> = {
  "half-close by the client", "half-close by the server", "both close at once", "both open at once",
}

describe("a short exchange #slow", function()
  for _, scene in ipairs(SCENES) do
    it(scene .. ": stays whole whatever any one packet meets, at every edge of sequence space", function()
      local runs = 0
      for _, isn in ipairs(EDGES) do
        for _, full in ipairs { true, false } do
          runs = runs + singles(scene, { isn = isn, sack = full, timestamps = full })
        end
      end
      assert.is_true(runs >= 300, runs)
    end)

    it(scene .. ": stays whole wherever in it the sequence numbers wrap", function()
      for _, edge in ipairs { 0x100000000, 0x80000000 } do
        for before = 0, 200 do
          local options = {
            isn = edge - before & 0xffffffff, sack = before % 2 == 0, timestamps = before % 3 ~= 0,
          }
          local fault = { from = 1 + before % 2, nth = 1 + before % 7, fate = FATES[1 + before % 4] }
          try(scene, options, {})
          try(scene, options, { fault })
        end
      end
    end)

    for _, isn in ipairs(EDGES) do
      it(("%s: stays whole whatever any two packets meet, from %d on"):format(scene, isn), function()
        local options = { isn = isn, sack = true, timestamps = true }
        assert.is_true(pairs_of(scene, options, { "loss", "duplicate", "swap" }) >= 800)
      end)
    end

    it(scene .. ": stays whole without SACK and timestamps whatever any two packets meet", function()
      local options = { isn = 0x7fffffff - 60, sack = false, timestamps = false }
      assert.is_true(pairs_of(scene, options, { "loss", "duplicate", "late" }) >= 600)
    end)
  end
end)
