local core = require "lunatcp.core"
local ends = require "udp.ends"

local PATIENCE <const> = 20

-- Octets in which a lost, doubled or misplaced piece shows.
local function octets(count)
  local pieces = {}
  for i = 1, count // 8 + 1 do pieces[i] = ("%08x"):format(i * 2654435761 & 0xffffffff) end
  return table.concat(pieces):sub(1, count)
end

-- One side of a stream: writes `data`, then closes its half; collects what comes.
local function side(connection, data)
  local self = { at = 1, pieces = {}, ended = false }
  function self.go()
    while self.at <= #data do
      local taken, message, code = connection:write(data, self.at)
      if not taken then
        assert(code == "EAGAIN", message)
        break
      end
      self.at = self.at + taken
    end
    if self.at > #data and not self.shut then self.shut = assert(connection:shutdown()) end
    while not self.ended do
      local piece, message, code = connection:read(65536)
      if not piece then
        assert(code == nil or code == "EAGAIN", message)
        self.ended = code == nil
        break
      end
      table.insert(self.pieces, piece)
    end
  end
  function self.text() return table.concat(self.pieces) end
  function self.segments() return connection:info().segments_received end
  return self
end

-- Steps until `done()`; `go` is called whenever a host has events.
local function drive(loop, net, go, done)
  local limit = loop:now() + PATIENCE
  go()
  while not done() do
    local reason, host = loop:step(net, limit)
    if reason == "events" then
      while host:next_event() do end
      go()
    elseif reason == "limit" then
      error(("not done after %d s"):format(PATIENCE), 2)
    end
  end
end

local function host(net, settings)
  local all = { rto_min = 0.01, rto_initial = 0.05, time_wait = 0, delayed_ack_timeout = 0.005 }
  for key, value in pairs(settings or {}) do all[key] = value end
  return net:host { profile = "linux", settings = all }
end

-- Both ways between two hosts of one process, over two sockets. `alone`: nobody looks at packets, so that
-- runs of segments pass as one.
local function exchange(options)
  local inner = ends.INNER[options.family or 4]
  local loop = assert(core.loop())
  local kept <const> = options.alone and 0 or 4096
  local net = core.network { start_ns = loop:now_ns(), seed = 5, trace_events = kept, trace_packets = kept }
  local client, server = host(net), host(net)
  local link = assert(net:link {
    { node = client, addresses = { inner[1] .. "/24" }, path = options.path },
    { node = server, addresses = { inner[2] .. "/24" }, path = options.path },
    tunnel = true,
  })
  local tunnels = {}
  for i = 1, 2 do
    tunnels[i] = assert(loop:udp {
      link = link, direction = i, bind = ends.ANY[options.family or 4], framing = options.framing,
      checksum = options.checksum, batch = options.batch,
      local_address = inner[i], remote_address = inner[3 - i],
    })
  end
  for i = 1, 2 do assert(tunnels[i]:set_peer(ends.text(tunnels[3 - i]:address()))) end

  local listener = assert(server:listen { port = 80 })
  local up, down = octets(options.size), octets(options.back or options.size // 2)
  local one = side(assert(client:connect { address = inner[2], port = 80 }), up)
  local other
  local function go()
    if not other then
      local accepted = listener:accept()
      other = accepted and side(accepted, down)
    end
    if other then
      one.go()
      other.go()
    end
  end
  drive(loop, net, go, function() return other and other.ended and one.ended end)
  local counters = { tunnels[1]:counters(), tunnels[2]:counters(), segments = other.segments() }
  loop:close()
  net:close()
  assert.is_true(one.text() == down, "what the server wrote is what the client read")
  assert.is_true(other.text() == up, "what the client wrote is what the server read")
  return counters
end

describe("a stream over UDP #udp", function()
  for _, alone in ipairs { false, true } do
    local how <const> = alone and ", as runs" or ""
    for _, family in ipairs { 4, 6 } do
      for _, framing in ipairs { "plain", "rawip" } do
        it(("is whole, both ways, %s, IPv%d%s"):format(framing, family, how), function()
          exchange { family = family, framing = framing, size = 1000000, alone = alone }
        end)
      end
    end

    for _, batch in ipairs { "gso", "mmsg", "plain" } do
      it(("is whole, batch %s%s"):format(batch, how), function()
        exchange { batch = batch, size = 1000000, alone = alone }
      end)
    end
  end

  it("arrives in runs where nobody looks at packets, and else in segments", function()
    local seen <const> = exchange { size = 3000000 }
    local alone <const> = exchange { size = 3000000, alone = true }
    assert.is_true(seen.segments >= 3000000 // 1460)
    assert.is_true(alone.segments * 4 < seen.segments, alone.segments .. " beside " .. seen.segments)
  end)

  it("is whole with the checksum left to UDP", function()
    exchange { checksum = "udp", size = 300000 }
  end)

  it("goes in trains where the system has them", function()
    local counters = exchange { size = 3000000 }
    if counters[1].batch == "gso" then
      assert.is_true(counters[1].calls_out * 4 < counters[1].datagrams_out)
    end
  end)

  it("is whole with loss, reordering and duplicates at the tunnel's mouth", function()
    exchange {
      size = 200000,
      path = { delay = 0.0005, loss = 0.03, duplicate = 0.03, reorder = 0.05, reorder_delay = 0.001 },
    }
  end)

  it("is refused with a damaged packet, and repaired", function()
    exchange { size = 200000, path = { corrupt = 0.02 } }
  end)

  for _, framing in ipairs { "plain", "rawip" } do
    it("reaches another process, " .. framing, function()
      local script = debug.getinfo(1, "S").source:match("^@(.*)stream_spec.lua$") .. "echo_child.lua"
      local child = assert(io.popen(("LUA_PATH_5_4='%s' LUA_CPATH_5_4='%s' lua5.4 '%s' %s %s %s %s"):format(
        package.path, package.cpath, script, "127.0.0.1:0", framing, "10.0.0.2", "10.0.0.1")))
      local port = assert(tonumber((child:read "l")), "the child has said its port")

      local loop = assert(core.loop())
      local net = core.network { start_ns = loop:now_ns() }
      local client = host(net)
      local link = assert(net:link { { node = client, addresses = { "10.0.0.1/24" } }, {}, tunnel = true })
      assert(loop:udp { link = link, bind = "127.0.0.1:0", peer = "127.0.0.1:" .. port, framing = framing,
                        local_address = "10.0.0.1", remote_address = "10.0.0.2" })
      local data = octets(500000)
      local connection = assert(client:connect { address = "10.0.0.2", port = 7 })
      local one = side(connection, data)
      drive(loop, net, function()
        if connection:state() ~= "SYN-SENT" then one.go() end
      end, function() return one.ended end)
      connection:close()
      drive(loop, net, function() end, function() return connection:state() == "CLOSED" end)
      loop:close()
      net:close()
      assert.is_true(one.text() == data)
      assert.is_true((child:close()), "the child has seen the end of the stream")
    end)
  end
end)
