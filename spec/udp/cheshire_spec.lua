-- draft-cheshire-tcp-over-udp-00 from a bare socket: TCP's ports are UDP's.
local core = require "lunatcp.core"
local ends = require "udp.ends"

describe("a cheshire tunnel #udp", function()
  local one, far, host, port
  before_each(function()
    far = ends.bare()
    one = ends.outside { framing = "cheshire", peer = far.text }
    host, port = one.tunnel:address()
  end)
  after_each(function()
    far.close()
    one:close()
  end)

  local function segment(from, fields)
    local all = { source_port = from == 1 and port or far.port, destination_port = from == 1
      and far.port or port }
    for key, value in pairs(fields) do all[key] = value end
    return ends.packet(4, from, all)
  end

  it("sends the offset, flags and window, then the numbers, then the data", function()
    assert(one.peers[1]:send(segment(1, { seq = 0x01020304, ack = 0x05060708, payload = "hello" }), one.link))
    one:run_both(function() return #far.got == 1 end)
    assert.equal(ends.hex "5010 01f4 01020304 05060708" .. "hello", far.got[1])
  end)

  it("makes a TCP segment of what comes, with UDP's ports", function()
    far.send(ends.hex "6012 01f4 01020304 05060708 020405b4" .. "hello", host, port)
    local p = core.decode(one:receive(one.peers[1]:id(), 1)[1], { quoted = true })
    assert.same({ far.port, port, 0x01020304, 0x05060708, 500, 1460, "hello" },
      { p.source_port, p.destination_port, p.seq, p.ack, p.window, p.options.mss, p.payload })
  end)

  it("carries no urgent data, no other ports, nothing but TCP", function()
    for _, packet in ipairs {
      segment(1, { flags = "AU", urgent = 1 }), segment(1, { source_port = port ~ 1 }),
      segment(1, { destination_port = far.port ~ 1 }), ends.ping(),
    } do
      assert(one.peers[1]:send(packet, one.link))
    end
    one:run(function() return one.tunnel:counters().unframeable == 4 end)
    local junk = {
      ends.hex "4010 01f4 01020304 05060708", -- an offset below 5, as STUN has
      ends.hex "5030 01f4 01020304 05060708", -- URG
      ends.hex "6010 01f4 01020304 05060708", -- options that are not there
      ends.hex "5010 01f4 01020304 050607",
    }
    for _, datagram in ipairs(junk) do far.send(datagram, host, port) end
    one:run(function() return one.tunnel:counters().unreadable == #junk end)
    assert.equal(0, one.tunnel:counters().packets_in)
  end)
end)

describe("urgent data by cheshire #udp", function()
  it("is refused with EOPNOTSUPP", function()
    local tcp = require "lunatcp"
    local net = tcp.network { clock = "real", seed = 1 }
    local a, b = net:host "a", net:host "b"
    local there = assert(net:tunnel(b, { framing = "cheshire", learn = true, bind = "127.0.0.1:0" }))
    local port = select(2, there:socket())
    local here = assert(net:tunnel(a, { framing = "cheshire", peer = "127.0.0.1:" .. port }))
    local own = select(2, here:socket())
    net:spawn(function()
      local listener <close> = assert(b:listen(port))
      local conn <close> = assert(listener:accept { timeout = 5 })
      assert.equal("hello", conn:read(5))
    end)
    net:spawn(function()
      local conn <close> = assert(a:connect(net:remote { via = here }, port, { local_port = own,
        timeout = 5 }))
      local done, message, code = conn:urgent "!"
      assert.is_nil(done)
      assert.equal("EOPNOTSUPP", code)
      assert.matches("urgent", message)
      assert.equal(5, conn:write "hello")
    end)
    net:run { until_ = 8 }
    net:close()
  end)
end)
