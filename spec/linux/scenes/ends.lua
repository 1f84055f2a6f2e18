-- How connections with the kernel's TCP begin and end, and what happens in between.
local world = require "linux.world"

local M = {}

local function connect(w, family, port) return assert(w.host:connect(w:remote(family), port,
  { timeout = 10 })) end

--- We close our half and read on.
function M.our_half_close(way, family)
  family = tonumber(family)
  local w = world.open { way = way }
  local peer = w:kernel_listens(family, 7000, "recv=eof", "send=300000")
  w:run(function()
    local conn = connect(w, family, 7000)
    world.write(conn, 200000)
    assert(conn:shutdown())
    assert(world.read(conn) == 300000)
    conn:close()
  end)
  world.holds(peer.said(), "received 200000 right eof")
end

--- The kernel closes its half and reads on.
function M.their_half_close(way, family)
  family = tonumber(family)
  local w = world.open { way = way }
  local peer
  w:run(function()
    local listener <close> = assert(w.host:listen(7000))
    peer = w:kernel_connects(family, 7000, "send=200000", "shutdown", "recv=eof")
    local conn = assert(listener:accept { timeout = 10 })
    assert(world.read(conn) == 200000)
    assert(conn:state() == "CLOSE-WAIT", conn:state())
    world.write(conn, 300000)
    conn:close()
  end)
  w:settle(0.2)
  world.holds(peer.said(), "received 300000 right eof")
end

--- The kernel resets.
function M.their_reset(way, family)
  family = tonumber(family)
  local w = world.open { way = way }
  w:kernel_listens(family, 7000, "recv=10", "reset")
  w:run(function()
    local conn = connect(w, family, 7000)
    world.write(conn, 10)
    local piece, _, code = conn:read(1, { timeout = 5 })
    assert(piece == nil and code == "ECONNRESET", code)
  end)
end

--- We reset.
function M.our_reset(way, family)
  family = tonumber(family)
  local w = world.open { way = way }
  local peer = w:kernel_listens(family, 7000, "recv=eof")
  w:run(function()
    local conn = connect(w, family, 7000)
    world.write(conn, 10)
    assert(conn:flush { timeout = 5 })
    conn:abort()
  end)
  w:settle(0.1)
  local said = peer.said()
  world.holds(said, "recv: ECONNRESET")
  world.holds(said, "received 10 right")
end

--- Nobody listens: refused, both ways.
function M.refused(way, family)
  family = tonumber(family)
  local w = world.open { way = way }
  w:run(function()
    local conn, _, code = w.host:connect(w:remote(family), 7001, { timeout = 5 })
    assert(conn == nil and code == "ECONNREFUSED", code)
  end)
  local peer = w:kernel_connects(family, 7001)
  w:settle(1)
  world.holds(peer.said(), "connect: ECONNREFUSED")
end

--- Urgent data, from us and from the kernel. Linux's pointer names the octet after the urgent one, as RFC
-- 9293.
function M.urgent(way, family)
  family = tonumber(family)
  local w = world.open { way = way, settings = { urgent_inline = true } }
  local peer = w:kernel_listens(family, 7000, "oobinline", "mark", "send=3", "urgent=!", "sleep=300")
  w:run(function()
    local conn = connect(w, family, 7000)
    assert(conn:write "abc")
    assert(conn:urgent "!")
    assert(conn:write "def")
    local read = ""
    while #read < 4 do read = read .. assert(conn:read(1, { timeout = 5 })) end
    assert(read == world.octets(0, 3) .. "!", read)
    conn:close()
  end)
  w:settle(0.5)
  world.holds(peer.said(), "mark after 3: !")
end

--- The kernel's reader sleeps: its window closes, and opens again; and ours.
function M.their_zero_window(way, family)
  family = tonumber(family)
  local w = world.open { way = way, settings = { send_buffer = 1 << 20 } }
  local peer = w:kernel_listens(family, 7000, "rcvbuf=4096", "sleep=1500", "recv=eof")
  w:run(function()
    local conn = connect(w, family, 7000)
    world.write(conn, 300000)
    w.net:sleep(0.5)
    assert(conn:info().peer_window == 0 or conn:info().snd_wnd == 0, "the window is not closed")
    assert(conn:flush { timeout = 20 })
    conn:close()
  end)
  w:settle(0.2)
  world.holds(peer.said(), "received 300000 right eof")
end

function M.our_zero_window(way, family)
  family = tonumber(family)
  local w = world.open { way = way, settings = { receive_buffer = 8192 } }
  local peer = w:kernel_listens(family, 7000, "send=200000", "shutdown")
  w:run(function()
    local conn = connect(w, family, 7000)
    w.net:sleep(1.5)
    assert(conn:info().rcv_wnd == 0, "our window is open: " .. conn:info().rcv_wnd)
    assert(world.read(conn) == 200000)
    conn:close()
  end)
  w:settle(0.2)
  peer.said()
end

--- The kernel asks whether we are there, or we whether it is; both answer.
function M.keep_alive(way, family, who)
  family = tonumber(family)
  local ours = who == "we"
  local w = world.open {
    way = way, settings = { keepalive = ours, keepalive_idle = 0.5, keepalive_interval = 0.5 },
  }
  local peer = w:kernel_listens(family, 7000, ours and "nodelay" or "keepalive=1", "recv=eof")
  local asked, answered = 0, 0
  w:run(function()
    local conn = connect(w, family, 7000)
    local established = w.net:now()
    w.net:sleep(2.4)
    assert(conn:state() == "ESTABLISHED", conn:state())
    for _, record in ipairs(w.net.trace:packets { kind = "sent" }) do
      local segment = record.segment
      local from_us = segment.source_port == conn.local_port
      if record.time > established + 0.1 and segment.flags and segment.flags.ack and segment.length == 0 then
        if from_us == ours then asked = asked + 1 else answered = answered + 1 end
      end
    end
    conn:close()
  end)
  w:settle(0.1)
  world.holds(peer.said(), "received 0 right eof")
  assert(asked >= 2 and asked <= 5 and answered >= asked - 1, ("asked %d, answered %d"):format(asked,
    answered))
end

--- What both sides agreed on: timestamps, SACK, window scale, and ECN where both are asked for it.
function M.agreed(way, family, side, ecn)
  family = tonumber(family)
  local with_ecn = ecn == "ecn"
  local w = world.open { way = way, settings = { ecn = with_ecn and 1 or 0 } }
  w:sysctl("net.ipv4.tcp_ecn=" .. (with_ecn and 1 or 0))
  local peer, conn
  w:run(function()
    if side == "client" then
      peer = w:kernel_listens(family, 7000, "info", "recv=eof")
      conn = connect(w, family, 7000)
    else
      local listener <close> = assert(w.host:listen(7000))
      peer = w:kernel_connects(family, 7000, "info", "recv=eof")
      conn = assert(listener:accept { timeout = 10 })
    end
    local info = conn:info()
    assert(info.timestamps and info.sack, "no timestamps or no SACK")
    assert(info.ecn == with_ecn, "ECN: " .. tostring(info.ecn))
    conn:close()
  end)
  w:settle(0.2)
  local said = peer.said()
  world.holds(said, "info ts sack wscale" .. (with_ecn and " ecn" or " wscale="))
end

--- Fast Open (RFC 7413): the first connection gets a cookie, the second sends data with its SYN.
function M.fast_open(way, family, side)
  family = tonumber(family)
  local w = world.open { way = way, settings = { fast_open_mode = 3 } }
  w:sysctl "net.ipv4.tcp_fastopen=3"
  for turn = 1, 2 do
    local said
    w:run(function()
      if side == "client" then
        local peer = w:kernel_listens(family, 7000, "fastopen=5", "recv=1000", "info", "recv=eof")
        local conn = assert(w.host:connect(w:remote(family), 7000, { timeout = 10, fast_open = world.octets(0,
          1000) }))
        assert(conn:flush { timeout = 5 })
        conn:close()
        w.net:sleep(0.1)
        said = peer.said()
      else
        local listener <close> = assert(w.host:listen(7000, { fast_open = true }))
        local peer = w:kernel_connects(family, 7000, "fastopen_connect", "send=1000", "sleep=100", "info",
          "shutdown")
        local conn = assert(listener:accept { timeout = 10 })
        assert(world.read(conn) == 1000)
        conn:close()
        w.net:sleep(0.2)
        said = peer.said()
      end
    end)
    if side == "client" then world.holds(said, "received 1000 right") end
    local with_syn = said:find("syn_data", 1, true) ~= nil
    assert(with_syn == (turn == 2), ("turn %d: %s"):format(turn, said))
  end
end

return M
