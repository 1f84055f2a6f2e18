-- Real time, real sockets on the loopback interface: the same scripts.
local lab = require "support.lab"
local tcp = require "lunatcp"

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

describe("real time #udp", function()
  local net
  after_each(function()
    if net then net:close() end
    net = nil
  end)

  it("runs a script over two sockets as it runs in virtual time", function()
    local function echo(made)
      local client, server = made:host "client", made:host "server"
      made:link(client, server, { delay = 0.002 })
      local got = {}
      made:spawn(function()
        local listener <close> = server:listen(80)
        local conn <close> = listener:accept()
        for line in conn:lines() do conn:write(line:upper() .. "\n") end
      end)
      made:spawn(function()
        local conn <close> = assert(client:connect(server, 80))
        conn:write "one\ntwo\n"
        conn:shutdown()
        for line in conn:lines() do got[#got + 1] = line end
      end)
      made:run()
      return got
    end
    net = tcp.network { seed = 1 }
    assert.same({ "ONE", "TWO" }, echo(net))
    net:close()
    net = assert(tcp.network { seed = 1, clock = "real", via = "udp" })
    assert.same({ "ONE", "TWO" }, echo(net))
    assert.is_true(net:now() > 0.005)
    local counters = net.links[1]:tunnel_counters()
    assert.is_true(counters.forward.packets_out >= 2) -- SYN; what followed, together or apart
    assert.is_true(counters.back.packets_in >= 2)
  end)

  it("goes through tunnels between two networks, as between two processes", function()
    local function side(role)
      local made = assert(tcp.network { seed = 1, clock = "real" })
      local host = made:host(role)
      return made, host
    end
    local near, client = side "client"
    local far, server = side "server"
    net = near
    local listening = assert(far:tunnel(server, { bind = "127.0.0.1:0", learn = true }))
    local tunnel = assert(near:tunnel(client, { peer = ("%s:%d"):format(listening:socket()) }))
    local listener = assert(server:listen(80))
    local conn = assert(client:connect_start(near:remote { via = tunnel }, 80))
    for _ = 1, 200 do
      near:step()
      far:step()
      if conn:state() == "ESTABLISHED" then break end
    end
    assert.equal("ESTABLISHED", conn:state())
    assert.equal("10.0.0.2", conn:info().remote_address)
    conn:write "across"
    local accepted
    for _ = 1, 200 do
      near:step()
      far:step()
      accepted = accepted or listener:accept { timeout = 0 }
      if accepted and accepted:info().unread == 6 then break end
    end
    assert.equal("across", accepted:read(10))
    assert.equal("10.0.0.2", accepted:info().local_address)
    assert.equal("10.0.0.1", accepted:info().remote_address)
    far:close()
  end)

  it("offers what a foreign loop needs", function()
    net = assert(tcp.network { seed = 1, clock = "real", via = "udp" })
    local client, server = net:host "client", net:host "server"
    net:link(client, server)
    assert(server:listen(80))
    assert.is_true(net:fd() >= 0)
    local done = false
    net:spawn(function()
      net:sleep(0.02)
      done = true
    end)
    assert.equal(0, net:timeout())
    net:step()
    local timeout = net:timeout()
    assert.is_true(timeout > 0 and timeout <= 0.02, tostring(timeout))
    local spins = 0
    while not done do
      net:step()
      spins = spins + 1
    end
    assert.is_true(net:now() >= 0.02)
    assert.is_true(spins > 1)
  end)

  it("keeps to the deadline of a call, about", function()
    net = assert(tcp.network { seed = 1, clock = "real" })
    local host = net:host "host"
    net:link(host, net:host "other")
    local listener = assert(host:listen(80))
    local before = net:now()
    assert.equal("EAGAIN", select(3, listener:accept { timeout = 0.03 }))
    local took = net:now() - before
    assert.is_true(took >= 0.03 and took < 1, tostring(took))
  end)

  it("says where tasks wait when nothing is left to happen", function()
    net = assert(tcp.network { seed = 1, clock = "real", via = "udp" })
    local host = net:host "host"
    net:link(host, net:host "other")
    local listener = assert(host:listen(80))
    net:spawn(function() listener:accept() end)
    assert.matches("deadlock at", message_of(net.run, net))
  end)

  it("reads a pipe beside the network", function()
    local script = [[
      local tcp = require "lunatcp"
      local net = assert(tcp.network { seed = 1, clock = "real" })
      local ticks = 0
      net:spawn(function()
        for line in net:input():lines() do io.write(line, ";") end
        io.write(ticks)
      end)
      net:spawn(function()
        for _ = 1, 3 do
          net:sleep(0.005)
          ticks = ticks + 1
        end
        os.remove(arg[1]) -- what the rest of the input waits for
      end)
      net:run()
    ]]
    local path, flag = os.tmpname(), os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local cpath, lpath = package.cpath:gsub("'", ""), package.path:gsub("'", "")
    local pipe = assert(io.popen(("(echo one; n=0; while [ -e %s ] && [ $n -lt 500 ]; do "
      .. "n=$((n+1)); sleep 0.01; done; printf 'two\\nthree') "
      .. "| LUA_PATH_5_4='%s' LUA_CPATH_5_4='%s' lua5.4 %s %s")
      :format(flag, lpath, cpath, path, flag)))
    local printed = pipe:read "a"
    pipe:close()
    os.remove(path)
    os.remove(flag)
    assert.equal("one;two;three;3", printed)
  end)

  it("says that a descriptor is broken", function()
    net = assert(tcp.network { seed = 1, clock = "real" })
    local bytes, message, code = net:input(999):read()
    assert.is_nil(bytes)
    assert.is_string(message)
    assert.equal("EBADF", code)
  end)

  it("says what cannot be bound", function()
    net = assert(tcp.network { seed = 1, clock = "real" })
    local host = net:host "host"
    local first = assert(net:tunnel(host, { bind = "127.0.0.1:0", learn = true }))
    local second, message, code = net:tunnel(net:host "other", {
      bind = ("%s:%d"):format(first:socket()), learn = true,
    })
    assert.is_nil(second)
    assert.is_string(message)
    assert.equal("EADDRINUSE", code)
  end)

  it("wants a real clock where one is needed", function()
    local virtual = lab.pair()
    assert.matches('fd: needs a network with clock = "real"', message_of(virtual.fd, virtual))
    assert.matches('input: needs a network with clock = "real"', message_of(virtual.input, virtual))
    assert.matches('tunnel: needs a network with clock = "real"',
      message_of(virtual.tunnel, virtual, virtual.client, { learn = true }))
    assert.matches('network: via: needs clock = "real"', message_of(tcp.network, { via = "udp", seed = 1 }))
    assert.matches('network: clock: expected one of virtual, real, got "sundial"',
      message_of(tcp.network, { clock = "sundial" }))
  end)
end)
