-- Connections, and the ends of things: close, release, collection, closed networks.
local core = require "lunatcp.core"
local pair = require "support.core_pair"

local EVENT = core.EVENT

describe("a connection", function()
  it("carries octets from an offset on, and says EAGAIN when it cannot", function()
    local p = pair.new { settings = { send_buffer = 2896 } }
    local conn, other = pair.connect(p)
    local text = ("abcdefghij"):rep(500) -- two full segments fit the buffer
    local taken = conn:write(text)
    assert.equal(2896, taken)
    local nothing, _, code = conn:write(text, taken + 1)
    assert.same({ "EAGAIN" }, { code, nothing })
    pair.run(p, p.net:now() + 1)
    assert.equal(2104, conn:write(text, taken + 1))
    pair.run(p, p.net:now() + 1)
    assert.equal("abc", other:read(3, core.READ.peek))
    local got = other:read(100000) .. (other:read(100000) or "")
    assert.equal(text, got)
    assert.equal("EAGAIN", select(3, other:read(1)))
  end)

  it("ends with nil alone, and refuses writing after shutdown", function()
    local p = pair.new()
    local conn, other = pair.connect(p)
    conn:write "bye"
    assert.is_true(conn:shutdown())
    assert.equal("EPIPE", select(3, conn:write "more"))
    pair.run(p, p.net:now() + 1)
    assert.equal("bye", other:read(10))
    assert.equal(1, select("#", other:read(10)))
    assert.is_nil((other:read(10)))
    assert.equal("CLOSE-WAIT", other:state())
  end)

  it("has info with every field that is declared", function()
    local declared = {}
    for line in io.lines "lua/lunatcp/connections.meta.lua" do
      local class = line:match "^%-%-%-@class (%S+)"
      if class then declared.now = class end
      local field, optional = line:match "^%-%-%-@field ([%a_%d]+)(%??) "
      if field and declared.now == "lunatcp.core.Info" then declared[field] = optional end
    end
    declared.now = nil
    local p = pair.new()
    local conn = pair.connect(p)
    local info = conn:info()
    for field, optional in pairs(declared) do
      if optional == "" then assert.is_not_nil(info[field], field) end
    end
    for field in pairs(info) do assert.is_not_nil(declared[field], field) end
    assert.same({ "ESTABLISHED", "10.0.0.1", 80, 0.02 },
      { info.state, info.local_address, info.remote_port, info.min_rtt })
    assert.equal(info.iss + 1 & 0xffffffff, info.snd_una)
    assert.is_nil(info.retransmission_deadline)
    conn:write "x"
    assert.equal("limit", (p.net:step(p.net:now())))
    assert.equal(p.net:now() + conn:info().rto, conn:info().retransmission_deadline)
  end)

  it("has info of what the peer's packets say beside the stream", function()
    local p = pair.new { client = { ecn = 1, dscp = 10 }, server = { ecn = 2 } }
    local conn, other = pair.connect(p)
    assert.is_true(conn:info().ecn and other:info().ecn)
    assert.is_false(other:info().pushed)
    conn:write "x"
    pair.run(p, p.net:now() + 1)
    assert.is_true(other:info().pushed)
    assert.same({ 10, 0 }, { other:info().received_dscp, conn:info().received_dscp })
    assert.same({ 0, 0, 0, 0 }, { other:info().ce_received, other:info().ece_received,
      other:info().ecn_reductions, other:info().source_route_count })
    other:read(1)
    assert.is_false(other:info().pushed)
  end)

  it("drops what was written and not sent", function()
    local p = pair.new()
    local conn = pair.connect(p)
    assert.equal(0, conn:discard())
    conn:write "abc"
    assert.equal(3, conn:discard())
    assert.equal(0, conn:info().unsent)
    conn:abort()
    assert.equal("ECONNABORTED", select(3, conn:discard()))
    conn:release()
    assert.equal("EBADF", select(3, conn:discard()))
  end)

  it("takes a source route of IPv4 addresses", function()
    local p = pair.new()
    local function refused(route)
      local options = { address = "10.0.0.2", port = 80, source_route = route }
      return select(2, pcall(p.client.connect, p.client, options))
    end
    assert.matches("source_route: array of IPv4 addresses expected, got string", refused "10.0.0.2", 1, true)
    assert.matches("source_route: '2001:db8::1' is not an IPv4 address", refused { "2001:db8::1" }, 1, true)
    assert.matches("source_route: '5' is not an IPv4 address", refused { "10.0.0.2", 5 }, 1, true)
    local nine = {}
    for i = 1, 9 do nine[i] = "10.0.0.9" end
    assert.matches("source_route: at most 8 addresses", refused(nine), 1, true)
    table.remove(nine)
    local conn = assert(p.client:connect { address = "10.0.0.2", port = 80, source_route = nine })
    assert.equal(8, conn:info().source_route_count)
    conn = assert(p.client:connect { address = "10.0.0.2", port = 80, source_route = {} })
    assert.equal(0, conn:info().source_route_count)
    assert.equal("ENETUNREACH", select(3, p.client:connect {
      address = "10.0.0.2", port = 80, source_route = { "11.0.0.1" },
    }))
    assert(p.net:link {
      { node = p.client, addresses = { "2001:db8::1/64" } },
      { node = p.server, addresses = { "2001:db8::2/64" } },
    })
    assert.equal("EOPNOTSUPP", select(3, p.client:connect {
      address = "2001:db8::2", port = 80, source_route = { "10.0.0.2" },
    }))
  end)

  it("refuses what is wrong", function()
    local p = pair.new()
    local conn = pair.connect(p)
    assert.has_error(function() conn:read(0) end)
    assert.has_error(function() conn:write("abc", 5) end)
    assert.has_error(function() conn:write("abc", 0) end)
    assert.has_error(function() conn:write("abc", 1, 4) end)
    assert.has_error(function() conn:write() end)
    assert.has_error(function() p.client.connect(p.server) end)
    assert.matches("address: '10.0.0' is not an IP address",
      select(2, pcall(p.client.connect, p.client, { address = "10.0.0", port = 1 })), 1, true)
    assert.matches("port: integer between 1 and 65535",
      select(2, pcall(p.client.connect, p.client, { address = "10.0.0.2", port = 0 })), 1, true)
    assert.same({ "EADDRINUSE", "address already in use" }, (function()
      local _, text, code = p.server:listen { port = 80 }
      return { code, text }
    end)())
    assert.equal("ENETUNREACH", select(3, p.client:connect { address = "11.0.0.2", port = 80 }))
  end)

  it("closes and aborts as often as one likes, and is gone after release", function()
    local p = pair.new()
    local conn, other, listener = pair.connect(p)
    assert.is_true(conn:close())
    assert.is_true(conn:close())
    assert.is_true(conn:abort())
    assert.is_true(conn:abort())
    conn:release()
    conn:release()
    assert.is_true(conn:close())
    assert.equal("CLOSED", conn:state())
    for _, method in ipairs { "info", "shutdown", "settings" } do
      assert.equal("EBADF", select(3, conn[method](conn)), method)
    end
    assert.equal("EBADF", select(3, conn:read(1)))
    assert.equal("EBADF", select(3, conn:write "x"))
    assert.equal("connection (closed)", tostring(conn))
    pair.run(p, p.net:now() + 2)
    assert.same({ "connection reset by peer", "ECONNRESET" }, { other:error() })
    assert.is_true(listener:close())
    assert.is_true(listener:close())
    assert.equal("EBADF", select(3, listener:accept()))
  end)

  it("closes when a scope is left, aborts when it is left by an error", function()
    local p = pair.new()
    do
      local conn <close>, other = pair.connect(p, 80)
      p.first, p.other = conn, other
    end
    pair.run(p, p.net:now() + 1)
    assert.equal("CLOSE-WAIT", p.other:state())
    pcall(function()
      local conn <close>, other = pair.connect(p, 81)
      p.first, p.other = conn, other
      error "left"
    end)
    pair.run(p, p.net:now() + 1)
    assert.equal("ECONNRESET", select(2, p.other:error()))
  end)

  it("has settings of its own, some of which only act at the opening", function()
    local p = pair.new()
    local conn = pair.connect(p)
    assert.is_true(conn:settings().nagle)
    assert(conn:set_settings { nagle = false })
    assert.is_false(conn:settings().nagle)
    assert.equal("EISCONN", select(3, conn:set_settings { window_scaling = false }))
    assert.has_error(function() conn:set_settings { nagel = true } end)
  end)
end)

describe("a forgotten connection", function()
  local function forget(p, port)
    local conn, other, listener = pair.connect(p, port)
    assert.is_table { conn }
    return other, listener
  end

  it("is left alone by the collector, and aborted by collect", function()
    local p = pair.new()
    local other, listener = forget(p)
    for _ = 1, 5 do collectgarbage() end
    pair.run(p, p.net:now() + 1)
    assert.equal("ESTABLISHED", other:state())
    assert.equal(1, p.net:collect())
    assert.equal(0, p.net:collect())
    pair.run(p, p.net:now() + 1)
    assert.equal("ECONNRESET", select(2, other:error()))
    assert.equal(0, p.client:counters().connections)
    assert.is_true(listener:close())
  end)

  it("that was closed is only released, and says goodbye in order", function()
    local p = pair.new()
    local other = (function()
      local conn, other = pair.connect(p)
      conn:close()
      return other
    end)()
    -- Its listener is forgotten too.
    assert.equal(2, p.net:collect())
    pair.run(p, p.net:now() + 1)
    assert.equal("CLOSE-WAIT", other:state())
    assert.is_nil(other:error())
  end)

  it("of many ends in the order of handles, whatever the collector does", function()
    local function digest(mess)
      local p = pair.new { seed = 3 }
      local listener = p.server:listen { port = 80 }
      for i = 1, 20 do
        p.client:connect { address = "10.0.0.2", port = 80 }
        if mess then
          collectgarbage(i % 2 == 0 and "collect" or "step")
        end
      end
      pair.run(p, p.net:now() + 1)
      if mess then collectgarbage() end
      p.net:collect()
      pair.run(p, p.net:now() + 2)
      local lines = {}
      for record in p.net:trace_packets() do
        lines[#lines + 1] = record.kind .. record.segment.flag_letters .. record.segment.source_port
      end
      listener:close()
      return table.concat(lines, " ")
    end
    collectgarbage "stop"
    local quiet = digest(false)
    collectgarbage "restart"
    assert.equal(quiet, digest(true))
  end)

  it("that waits for accept is the listener's, though its object is dropped", function()
    local p = pair.new()
    local listener = p.server:listen { port = 80 }
    local conn = p.client:connect { address = "10.0.0.2", port = 80 }
    while true do
      local reason, host = p.net:step(1)
      if reason ~= "events" then break end
      host:next_event()
    end
    collectgarbage()
    assert.equal(0, p.net:collect())
    local other = assert(listener:accept())
    assert.equal("ESTABLISHED", other:state())
    assert.equal("ESTABLISHED", conn:state())
  end)
end)

describe("a closed network", function()
  it("closes as often as one likes, and everything of it says so", function()
    local p = pair.new()
    local conn, _, listener = pair.connect(p)
    local events, router, peer = p.net:trace_events(), p.net:router(), p.net:peer()
    local capture = p.net:capture()
    p.net:close()
    p.net:close()
    assert.is_true(p.net:closed())
    local calls = {
      p.net.now, p.net.step, p.net.host, p.net.collect, p.net.memory, p.net.capture, p.net.trace_serial,
      p.net.next_event, p.net.next_deadline, p.net.link, p.net.router,
    }
    for _, call in ipairs(calls) do assert.has_error(function() call(p.net) end, "network is closed") end
    local harmless = {
      close = true, abort = true, release = true, handle = true, host = true, id = true,
      network = true, kind = true,
    }
    for _, object in ipairs { conn, listener, p.client, p.link, peer, router } do
      for name, method in pairs(getmetatable(object).__index) do
        if not harmless[name] then
          assert.has_error(function() method(object, 1, "10.0.0.0/8", p.link) end, "network is closed")
        end
      end
      assert.is_string(tostring(object))
    end
    assert.has_error(events, "network is closed")
    assert.is_true(conn:close())
    assert.is_true(listener:close())
    assert.is_true(capture:close())
    assert.is_string(capture:take())
  end)

  it("may be dropped with all that hangs on it, in any order", function()
    for i = 1, 30 do
      local p = pair.new()
      local conn, other, listener = pair.connect(p)
      local all = { conn, other, listener, p.link, p.client, p.net:capture(), p.net:trace_packets() }
      local kept = all[i % #all + 1]
      conn:write(("x"):rep(5000))
      p.net:step(p.net:now() + 0.015)
      if i % 3 == 0 then p.net:close() end
      p, conn, other, listener, all = nil, nil, nil, nil, nil -- luacheck: ignore
      collectgarbage()
      assert.is_truthy(kept)
    end
    collectgarbage()
  end)

  it("gives everything back", function()
    local p = pair.new()
    local conn, other = pair.connect(p)
    conn:write(("x"):rep(100000))
    pair.run(p, p.net:now() + 0.015)
    assert.is_true(p.net:memory().packets > 0)
    conn:abort()
    other:abort()
    pair.run(p, p.net:now() + 400)
    assert.same({ 0, 0 }, { p.net:memory().packets, p.net:memory().blocks })
    assert.is_nil(p.net:check())
  end)
end)

describe("events", function()
  it("come as bits of core.EVENT", function()
    local p = pair.new()
    local seen = {}
    local conn = p.client:connect { address = "10.0.0.2", port = 80 }
    p.server:listen { port = 80 }
    pair.run(p, 1, function(object, bits)
      if object == conn then seen[#seen + 1] = bits & EVENT.connected ~= 0 end
    end)
    assert.is_true(seen[#seen])
  end)
end)
