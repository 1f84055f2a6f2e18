-- You will see a session under TCP MD5, one under TCP-AO whose key changes in the middle of a transfer over a
-- lossy link, and a forger who knows every number but no key, and fails.
-- Run it: ./dev run examples/authenticated.lua      It plays RFC 2385, and RFC 5925, sections 6.1 and 7.

local tcp = require "lunatcp"

local OCTETS <const> = 200000

local function scene()
  local net = tcp.network { seed = 42 }
  local client, server, forger = net:host "client", net:host "server", net:peer "forger"
  net:link(client, server, { delay = 0.010, loss = 0.02 })
  net:link(forger, server, { delay = 0.005 })
  return net, client, server, forger
end

local function session(client, server)
  local listener = server:listen(179)
  local conn = assert(client:connect(server, 179))
  return conn, assert(listener:accept())
end

local function transfer(from, to)
  from.net:spawn(function() assert(from:write(("x"):rep(OCTETS))) end)
  local got = 0
  while got < OCTETS do got = got + #assert(to:read(65536)) end
  return got
end

-- A reset and some data in the client's name, with the right numbers.
local function forge(forger, conn, key)
  local info = conn:info()
  for _, flags in ipairs { "R", "A" } do
    forger:send {
      source = info.local_address, to = info.remote_address, source_port = info.local_port,
      destination_port = info.remote_port, flags = flags, seq = info.snd_nxt,
      ack = flags == "A" and info.rcv_nxt or nil, payload = flags == "A" and "bad news" or nil, md5_key = key,
    }
  end
  forger.net:run { until_ = forger.net:now() + 1 }
end

do
  local network <close>, client, server, forger = scene()
  if not client:md5_key { peer = server, key = "a secret" } then
    print "This build has no cryptography: install nettle-dev and build again."
    os.exit(0)
  end
  assert(server:md5_key { peer = client, key = "a secret" })
  local conn, accepted = session(client, server)
  print(("TCP MD5: %d octets"):format(transfer(conn, accepted)))
  forge(forger, conn, "a guess")
  forge(forger, conn)
  local told = accepted:info().authentication
  print(("the forger: %d wrong digests, %d without; the connection is %s"):format(told.bad, told.missing,
    accepted:state()))
  print(("this took %.1f s of virtual time"):format(network:now()))
end

do
  local net <close>, client, server, forger = scene()
  local function both(id, mac, key)
    assert(client:ao_key { peer = server, send_id = id, recv_id = id + 100, mac = mac, key = key })
    assert(server:ao_key { peer = client, send_id = id + 100, recv_id = id, mac = mac, key = key })
  end
  both(1, "HMAC-SHA-1-96", "last year's")
  local conn, accepted = session(client, server)
  print(("TCP-AO: %d octets, signed by key %d"):format(transfer(conn, accepted),
    conn:info().authentication.current_key))

  -- A new key for both. Each end says which one it would rather receive, and the other one follows.
  both(2, "AES-128-CMAC-96", "this year's")
  net:spawn(function()
    net:sleep(0.2)
    assert(accepted:ao_keys { rnext_key = 2 })
    assert(conn:ao_keys { rnext_key = 102 })
  end)
  print(("TCP-AO: %d octets, signed by key %d at the end"):format(transfer(conn, accepted),
    conn:info().authentication.current_key))
  transfer(accepted, conn)
  forge(forger, conn, "a guess")
  forge(forger, conn)
  local told = accepted:info().authentication
  print(("%d segments verified, %d wrong; the forger: %d dropped; the connection is %s"):format(told.good,
    told.bad, told.missing + told.unexpected, accepted:state()))
  assert(client:remove_ao_key { peer = server, send_id = 1, recv_id = 101 })
  assert(server:remove_ao_key { peer = client, send_id = 101, recv_id = 1 })
  print(("the old key is gone: %d left"):format(conn:info().authentication.keys))
end
