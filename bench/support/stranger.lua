--- A stranger, and a peer gone mad, before an open tunnel: random octets, and right datagrams with some of
-- their octets changed, cut off or added. For bench/stranger.lua and spec/udp/stranger_spec.lua.
local core = require "lunatcp.core"
local luv = require "luv"

local M = {}

M.FRAMINGS = { "plain", "rawip", "vxlan", "cheshire" }

local ROUND <const> = 64 -- datagrams between two turns of the tunnel's loop
local OURS <const>, HIS <const> = "10.0.0.1", "10.0.0.2"
local MACS <const> = "\2\0\10\0\0\1" .. "\2\0\10\0\0\2"

-- Right datagrams of a framing, from which the mutated ones are made.
local function samples(framing, port, his_port)
  local segments, list = {}, {}
  for _, fields in ipairs {
    { flags = "S", seq = 7 }, { flags = "A", seq = 8, ack = 9, payload = "hello" },
    { flags = "FA", seq = 8, ack = 9 }, { flags = "RA", seq = 8, ack = 9 }, { flags = "SA", seq = 1,
      ack = 1 },
  } do
    fields.source, fields.destination, fields.window = HIS, OURS, 1000
    fields.source_port, fields.destination_port = his_port, port
    segments[#segments + 1] = core.encode(fields)
  end
  for i, packet in ipairs(segments) do
    if framing == "rawip" then
      list[i] = packet
    elseif framing == "vxlan" then
      list[i] = "\8\0\0\0\0\0\7\0" .. MACS .. "\8\0" .. packet
    elseif framing == "cheshire" then
      list[i] = packet:sub(33, 36) .. packet:sub(25, 32) .. packet:sub(41)
    else
      list[i] = packet:sub(21)
    end
  end
  if framing == "vxlan" then
    list[#list + 1] = "\8\0\0\0\0\0\7\0" .. ("\xff"):rep(6) .. MACS:sub(7) .. "\8\6\0\1\8\0\6\4\0\1"
      .. MACS:sub(7) .. "\10\0\0\2" .. ("\0"):rep(6) .. "\10\0\0\1"
  end
  return list
end

-- Numbers and octets in the same order for the same seed, whatever the Lua.
local function generator(seed)
  local state = seed
  return function(n)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % n
  end
end

local function random_octets(random, count)
  local pieces = {}
  for i = 1, count // 4 do pieces[i] = string.pack("<I4", random(1 << 31) * 2 + random(2)) end
  return table.concat(pieces)
end

-- An endless row of datagrams.
local function datagrams(random, list)
  local noise = random_octets(random, 1 << 16)
  local function some(length)
    local at = random(#noise - length) + 1
    return noise:sub(at, at + length - 1)
  end
  return function()
    local kind = random(4)
    if kind == 0 then return some(random(1500)) end
    local sample = list[random(#list) + 1]
    if kind == 1 then return sample:sub(1, random(#sample + 1)) end -- cut short
    local at = random(#sample) + 1
    local changed = sample:sub(1, at - 1) .. string.char(random(256)) .. sample:sub(at + 1)
    return kind == 2 and changed or changed .. some(random(64))
  end
end

--- Sends `count` datagrams to a tunnel of that framing behind which a host has a listener.
-- @tparam table options `framing`, `count`, `seed`; `peer = true`: they come from the tunnel's own peer,
--   who does not mend their checksums
-- @treturn table of what moved: `sent`, `counters`, `host`; `bytes` before and after; `seconds`
function M.attack(options)
  local random = generator(options.seed or 1)
  local loop = assert(core.loop())
  local net = core.network { start_ns = loop:now_ns(), seed = 1 }
  local host = net:host { profile = "linux" }
  local link = assert(net:link { { node = host, addresses = { OURS .. "/24" } }, {}, tunnel = true })
  local handle = luv.new_udp()
  assert(handle:bind("127.0.0.2", 0))
  local his_port = handle:getsockname().port
  local his = ("127.0.0.2:%d"):format(his_port)
  local tunnel = assert(loop:udp {
    link = link, bind = "127.0.0.1:0", framing = options.framing, vni = 7, local_address = OURS,
    local_addresses = { OURS },
    peers = { { peer = options.peer and his or "127.0.0.9:9", address = HIS } },
  })
  local listener = assert(host:listen { port = 80 })
  local where, port = tunnel:address()
  -- Of cheshire TCP's port is the socket's: nobody listens there, as nobody would to a stranger.
  local next_datagram = datagrams(random, samples(options.framing, 80, his_port))
  local function turn()
    loop:run_once(0)
    repeat until net:step(loop:now()) == "limit" or not host:next_event()
  end

  local result = { sent = 0, errors = 0 }
  local began = os.clock()
  for sent = 1, options.count do
    if handle:try_send(next_datagram(), where, port) then result.sent = result.sent + 1 end
    if sent % ROUND == 0 then turn() end
    -- The first half warms up: blocks, the trace's ring, the tables.
    if sent == options.count // 2 then result.before = net:memory().bytes end
  end
  turn()
  turn()
  result.seconds = os.clock() - began
  result.after = net:memory().bytes
  result.counters, result.host = tunnel:counters(), host:counters()
  result.peers = tunnel:peers()
  result.problem = net:check()
  listener:close()
  handle:close()
  luv.run "nowait"
  loop:close()
  net:close()
  return result
end

return M
