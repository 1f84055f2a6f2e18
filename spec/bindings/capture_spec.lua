-- Captures: the blocks of pcapng, comments, files.
local core = require "lunatcp.core"
local pair = require "support.core_pair"
local ends = require "udp.ends"

-- Takes a pcapng file apart: interfaces' names and packets.
local function blocks(bytes)
  local interfaces, packets, at = {}, {}, 1
  local function options(from, to)
    local found = {}
    while from < to do
      local code, length = ("<I2I2"):unpack(bytes, from)
      if code == 0 then break end
      found[code] = bytes:sub(from + 4, from + 3 + length)
      from = from + 4 + (length + 3) // 4 * 4
    end
    return found
  end
  while at <= #bytes do
    local kind, length = ("<I4I4"):unpack(bytes, at)
    assert(length % 4 == 0 and ("<I4"):unpack(bytes, at + length - 4) == length, "length of a block")
    if kind == 1 then
      assert(("<I2"):unpack(bytes, at + 8) == 101, "LINKTYPE_RAW")
      local found = options(at + 16, at + length - 4)
      assert(found[9] == "\9", "nanoseconds")
      interfaces[#interfaces + 1] = found[2]
    elseif kind == 6 then
      local interface, high, low, there, whole = ("<I4I4I4I4I4"):unpack(bytes, at + 8)
      assert(there == whole)
      local found = options(at + 28 + (there + 3) // 4 * 4, at + length - 4)
      packets[#packets + 1] = {
        interface = interfaces[interface + 1], ns = high << 32 | low,
        bytes = bytes:sub(at + 28, at + 27 + there), comment = found[1], flags = ("<I4"):unpack(found[2]),
      }
    else
      assert(kind == 0x0A0D0D0A and at == 1 and ("<I4"):unpack(bytes, 9) == 0x1A2B3C4D, "section")
    end
    at = at + length
  end
  return interfaces, packets
end

local function lines(bytes)
  local _, packets = blocks(bytes)
  local found = {}
  for i, packet in ipairs(packets) do
    found[i] = ("%.3f %s %d %s"):format(packet.ns / 1e9, core.decode(packet.bytes).flag_letters, packet.flags,
      packet.comment or "-")
  end
  return found
end

describe("a capture", function()
  it("writes each packet once as it was sent, with what became of it", function()
    local p = pair.new { name = "wire" }
    local capture <close> = p.net:capture()
    p.link:rule { flags = "S", without = "A", nth = 1, drop = true }
    p.link:rule { flags = "SA", nth = 1, duplicate = 1 }
    p.link:rule { flags = "A", without = "S", direction = 1, nth = 1, delay = 0.1 }
    pair.connect(p)
    pair.run(p, p.net:now() + 2)
    local bytes = capture:take()
    assert.same({ "wire" }, (blocks(bytes)))
    assert.same({
      "0.000 S 2 dropped: rule",
      "1.000 S 2 retransmission",
      "1.010 SA 1 duplicated on the way",
      "1.020 A 2 delayed on the way", -- for both SYN-ACKs, which came at once: RFC9293:MUST-59
    }, lines(bytes))
    assert.same({ 4, 0 }, { capture:packets(), capture:missed() })
  end)

  it("writes what arrived where it arrived, on request", function()
    local p = pair.new()
    local capture <close> = p.net:capture { view = "receiver" }
    p.link:rule { flags = "SA", nth = 1, duplicate = 1 }
    p.link:rule { flags = "S", nth = 1, corrupt = 3 }
    pair.connect(p)
    pair.run(p, p.net:now() + 2)
    local found = lines(capture:take())
    assert.same({ "0.010 S 2 corrupted", "1.010 S 2 retransmission", "1.020 SA 1 -", "1.020 SA 1 duplicate" },
      { table.unpack(found, 1, 4) })
  end)

  it("is the same byte for byte for one seed, and another for another", function()
    local function bytes(seed)
      local p = pair.new { seed = seed, path = { delay = 0.01, rate = 1e6, loss = 0.1, reorder = 0.1,
        reorder_delay = 0.005, duplicate = 0.05, corrupt = 0.05 } }
      local capture = p.net:capture()
      local conn = pair.connect(p)
      conn:write(("0123456789"):rep(5000))
      pair.run(p, p.net:now() + 60)
      p.net:close()
      return capture:take()
    end
    local first = bytes(5)
    assert.is_true(#first > 50000)
    assert.equal(first, bytes(5))
    assert.not_equal(first, bytes(6))
  end)

  it("says times to the nanosecond, also such that 32 bits do not hold", function()
    local p = pair.new { start = 100, path = { delay = 3e-9 } }
    local capture <close> = p.net:capture { view = "receiver" }
    p.client:connect { address = "10.0.0.2", port = 1 }
    pair.run(p, 101)
    local _, packets = blocks(capture:take())
    assert.same({ 100000000003, 100000000006 }, { packets[1].ns, packets[2].ns })
  end)

  it("may be two at once, begun and ended when one likes", function()
    local p = pair.new()
    local one = p.net:capture()
    local conn = pair.connect(p)
    local two = p.net:capture { limit = 10 }
    conn:write "x"
    pair.run(p, p.net:now() + 1)
    assert(one:close())
    conn:write "y"
    pair.run(p, p.net:now() + 1)
    assert(two:close())
    conn:write "z"
    pair.run(p, p.net:now() + 1)
    assert.same({ 5, 4 }, { one:packets(), two:packets() })
    assert.equal(5, #lines(one:take()))
    assert.is_true(one:close())
    assert.matches("closed", tostring(one))
  end)

  it("goes into a file by path, or into the script's own", function()
    local path = os.tmpname()
    local p = pair.new()
    local memory = p.net:capture()
    local capture = assert(p.net:capture { path = path })
    local file = assert(io.tmpfile())
    local own = assert(p.net:capture { file = file })
    pair.connect(p)
    assert(capture:close())
    assert(own:close())
    local want = memory:take()
    local written = assert(io.open(path, "rb"))
    assert.equal(want, written:read "a")
    written:close()
    file:seek "set"
    assert.equal(want, file:read "a")
    os.remove(path)
  end)

  it("is completed when the network closes or is forgotten", function()
    local path = os.tmpname()
    local p = pair.new()
    assert(p.net:capture { path = path })
    p.client:connect { address = "10.0.0.2", port = 1 }
    pair.run(p, 0.005) -- the SYN is still on its way
    p = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local file = assert(io.open(path, "rb"))
    assert.equal(1, #lines(file:read "a"))
    file:close()
    os.remove(path)
  end)

  it("answers what the system says", function()
    local p = pair.new()
    local capture, text, code = p.net:capture { path = "/nonexistent/run.pcapng" }
    assert.is_nil(capture)
    assert.matches("/nonexistent/run.pcapng", text, 1, true)
    assert.equal("ENOENT", code)
    local file = io.tmpfile()
    local own = assert(p.net:capture { file = file })
    file:close()
    pair.connect(p)
    assert.equal("EBADF", select(3, own:close()))
    local full = assert(p.net:capture { path = "/dev/full" })
    pair.connect(p, 81)
    assert.equal("ENOSPC", select(3, full:close()))
    assert.has_error(function() p.net:capture { file = file } end)
    assert.has_error(function() p.net:capture { view = "middle" } end)
  end)

  it("of a tunnel has what leaves by it and what comes in, once each #udp", function()
    local one = ends.outside { framing = "rawip" }
    local two = ends.outside { framing = "rawip", peer = ends.text(one.tunnel:address()) }
    assert(one.tunnel:set_peer(ends.text(two.tunnel:address())))
    local capture <close> = one.net:capture()
    assert(one.peers[1]:send(ends.packet(4, 1, { flags = "S" }), one.link))
    one.loop:step(one.net, one.loop:now() + 0.01)
    assert(two.peers[1]:send(ends.packet(4, 2, { flags = "SA" }), two.link))
    two.loop:step(two.net, two.loop:now() + 0.01)
    one:receive(one.peers[1]:id(), 1)
    local found = lines(capture:take())
    for i, line in ipairs(found) do found[i] = line:gsub("^%S+ ", "") end
    assert.same({ "S 2 forged", "SA 1 -" }, found)
    one:close()
    two:close()
  end)

  it("can be read by tshark", function()
    local probe = io.popen "command -v tshark"
    local there = probe:read "l"
    probe:close()
    if not there then return end
    local path = os.tmpname()
    local p = pair.new { name = "the link" }
    local capture = assert(p.net:capture { path = path })
    p.link:rule { flags = "S", nth = 1, drop = true }
    pair.connect(p)
    pair.run(p, p.net:now() + 2)
    assert(capture:close())
    local pipe = io.popen(("tshark -r %s -o tcp.check_checksum:TRUE -T fields -E separator=/t "
      .. "-e frame.time_epoch -e frame.interface_name -e frame.comment -e tcp.flags.str "
      .. "-e tcp.checksum.status 2>/dev/null"):format(path))
    local out = pipe:read "a"
    pipe:close()
    os.remove(path)
    assert.matches("^0.000000000\tthe link\tdropped: rule\t[^\n]*S[^\n]*\t1\n", out)
    assert.matches("\n1.000000000\tthe link\tretransmission\t", out)
  end)
end)
