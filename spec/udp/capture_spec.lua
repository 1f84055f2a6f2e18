-- What is lost on purpose is the simulator's doing on a real wire too, and the capture says so.
local luv = require "luv"
local pcapng = require "lunatcp.pcapng"
local shell = require "support.shell"
local tcp = require "lunatcp"
local ends = require "udp.ends"

describe("a capture of a tunnel #udp", function()
  local scratch
  lazy_setup(function() scratch = shell.scratch() end)
  lazy_teardown(function() shell.remove(scratch) end)

  local PATH <const> = { loss = 0.1, duplicate = 0.1, corrupt = 0.05 }
  local COUNT <const> = 150

  local function fields(i)
    return {
      source = "10.0.0.1", destination = "10.0.0.2", source_port = 1, destination_port = 2, flags = "A",
      seq = i,
    }
  end

  -- Sends COUNT packets one after the other, and gives the comment of each.
  local function comments(net, link, host, path, go_on)
    local rule <close> = link:drop { from = host, nth = 7 } -- luacheck: ignore 211
    local capture = assert(net:capture(path))
    for i = 1, COUNT do
      link:inject(host, fields(i))
      go_on(link, host, i)
    end
    assert(capture:close())
    local found, reader = {}, assert(pcapng.open(path))
    for packet in reader:packets() do found[packet.number] = packet.comments[1] or "-" end
    reader:close()
    return found, reader.interfaces[1]
  end

  local function simulator(seed)
    local net <close> = tcp.network { seed = seed }
    local host = net:host "here"
    local link = net:link(host, net:peer "there", { forward = PATH,
      addresses = { "10.0.0.1/24", "10.0.0.2/24" } })
    return comments(net, link, host, scratch .. "/simulator.pcapng", function()
      net:run { until_idle = true }
    end)
  end

  local function wire(seed)
    local net <close> = assert(tcp.network { seed = seed, clock = "real" })
    local host, bare = net:host "here", ends.bare()
    local link = assert(net:tunnel(host, { peer = bare.text, forward = PATH }))
    local found, interface = comments(net, link, host, scratch .. "/wire.pcapng", function(_, _, i)
      while link:counters(host).packets < i do net:step() end
      luv.run "nowait"
    end)
    for _ = 1, 100 do
      net:step()
      luv.run "nowait"
    end
    local counters = link:counters(host)
    local sent = link:tunnel_counters().datagrams_out
    local got = #bare.got
    bare.close()
    return found, interface, counters, sent, got
  end

  it("tells of the fates that the simulator has for the same seed", function()
    local found, interface, counters, sent, got = wire(11)
    assert.same((simulator(11)), found)
    assert.not_same((simulator(12)), found)
    local dropped, doubled = 0, 0
    for _, comment in ipairs(found) do
      if comment:find "dropped" then dropped = dropped + 1 end
      if comment:find "duplicated" then doubled = doubled + 1 end
    end
    assert.equal(COUNT, #found)
    assert.matches("dropped: rule", found[7])
    assert.equal(counters.dropped.loss + 1, dropped)
    assert.equal(counters.duplicated, doubled)
    assert.same({ COUNT - dropped + doubled, COUNT - dropped + doubled }, { sent, got })
    -- What it does, and what it did.
    assert.matches("^forward: loss 0.1, duplicate 0.1, corrupt 0.05 %(seed 11, stream %x+%); back: nothing; "
      .. "rules: drop { from = here, nth = 7 }$", interface.description)
    assert.equal(("%s; it did: forward: %d packets, %d delivered, %d dropped: loss, 1 dropped: rule, "
      .. "%d duplicated, %d corrupted; back: 0 packets, 0 delivered; "
      .. "rules: drop { from = here, nth = 7 } 1 of 150"):format(interface.description, COUNT,
      counters.delivered, counters.dropped.loss, counters.duplicated, counters.corrupted),
      interface.statistics)
  end)

  it("has each packet once where it arrives, also one that leaves and comes back by sockets", function()
    local net <close> = assert(tcp.network { seed = 1, clock = "real", via = "udp" })
    local client, server = net:host "client", net:host "server"
    net:link(client, server)
    local path = scratch .. "/receivers.pcapng"
    local capture = assert(net:capture(path, { view = "receiver" }))
    local listener = server:listen(80)
    local conn = assert(client:connect(server, 80))
    assert(conn:write "hello")
    assert.equal("hello", listener:accept():read(5))
    assert(capture:close())
    local reader, seen = assert(pcapng.open(path)), {}
    for packet in reader:packets() do
      local segment = tcp.decode(packet.frame)
      seen[#seen + 1] = ("%s %d"):format(segment.flag_letters, segment.length)
    end
    reader:close()
    assert.same({ "S 0", "SA 0", "A 0", "PA 5" }, table.move(seen, 1, 4, 1, {}))
  end)

  it("tells of what a queue drops behind the moment of sending", function()
    local net <close> = assert(tcp.network { seed = 1, clock = "real" })
    local host, bare = net:host "here", ends.bare()
    local link = assert(net:tunnel(host, {
      peer = bare.text, delay = 0.005, loss = 1, loss_after_queue = true,
    }))
    local path = scratch .. "/late.pcapng"
    local capture = assert(net:capture(path))
    link:inject(host, fields(1))
    net:run { until_ = net:now() + 0.02 }
    assert(capture:close())
    bare.close()
    local reader = assert(pcapng.open(path))
    assert.same({ "forged, dropped: loss" }, reader:next().comments)
    reader:close()
  end)
end)
