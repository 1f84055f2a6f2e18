-- Reading capture files, octet by octet: each file is written out here, from the formats' own texts
-- (draft-ietf-opsawg-pcapng, and the classic format that libpcap describes).
local pcapng = require "lunatcp.pcapng"
local tcp = require "lunatcp"

local IP = tcp.encode { source = "10.0.0.1", destination = "10.0.0.2", flags = "S", seq = 7 }

-- A file that gives its octets like one on a disk.
local function file_of(bytes)
  local at = 1
  return {
    read = function(_, n)
      if at > #bytes then return nil end
      local piece = bytes:sub(at, at + n - 1)
      at = at + #piece
      return piece
    end,
  }
end

local function padded(bytes) return bytes .. ("\0"):rep(-#bytes % 4) end

local function option(order, code, value)
  return (order .. "I2I2"):pack(code, #value) .. padded(value)
end

local function block(order, kind, body)
  return (order .. "I4I4"):pack(kind, #body + 12) .. body .. (order .. "I4"):pack(#body + 12)
end

local function section(order)
  return block(order, 0x0A0D0D0A, (order .. "I4I2I2i8"):pack(0x1A2B3C4D, 1, 0, -1))
end

local function interface(order, linktype, snaplen, options)
  return block(order, 1, (order .. "I2I2I4"):pack(linktype, 0, snaplen or 0) .. (options or ""))
end

local function enhanced(order, number, units, frame, options, length)
  return block(order, 6, (order .. "I4I4I4I4I4"):pack(number, units >> 32, units & 0xffffffff, #frame,
    length or #frame) .. padded(frame) .. (options or ""))
end

-- All packets of a file, and how reading ended.
local function read_all(bytes)
  local reader, list = pcapng.new(file_of(bytes), "x"), {}
  while true do
    local packet, message, code = reader:next()
    if not packet then return list, message, code, reader end
    list[#list + 1] = packet
  end
end

for _, order in ipairs { "<", ">" } do
  describe(order == "<" and "little-endian pcapng" or "big-endian pcapng", function()
    it("gives packets with interface, time and comments", function()
      local list, message = read_all(section(order)
        .. interface(order, 101, 0,
          option(order, 2, "wire") .. option(order, 9, "\9") .. option(order, 0, ""))
        .. enhanced(order, 0, 1500000001, IP,
          option(order, 2, "\1\0\0\0") .. option(order, 1, "dropped: loss") .. option(order, 1, "too")))
      assert.is_nil(message)
      assert.equal(1, #list)
      local packet = list[1]
      assert.equal(1500000001, packet.time_ns)
      assert.equal("wire", packet.interface.name)
      assert.same({ "dropped: loss", "too" }, packet.comments)
      assert.equal(IP, packet.frame)
      assert.equal(#IP, packet.length)
      assert.equal(1, packet.number)
    end)

    it("counts time in microseconds where nothing is said, and as it is said", function()
      local function time_of(units, options)
        return read_all(section(order) .. interface(order, 101, 0, options)
          .. enhanced(order, 0, units, IP))[1].time_ns
      end
      assert.equal(1700000000123456000, time_of(1700000000123456))
      assert.equal(5000000000, time_of(5, option(order, 9, "\0")))
      assert.equal(5000000000, time_of(5 * 10 ^ 12 // 1 | 0, option(order, 9, "\12")))
      assert.equal(1500000000, time_of(0x18000, option(order, 9, "\x90"))) -- 2^-16 s
      assert.equal(1250000000, time_of(5 << 38, option(order, 9, "\xa8"))) -- 2^-40 s
      assert.equal(7000001000, time_of(1, option(order, 14, (order .. "i8"):pack(7))))
    end)

    it("reads simple packets, which have no time, and the packet block of before", function()
      local old = block(order, 2, (order .. "I2I2I4I4I4I4"):pack(0, 9, 0, 3, #IP, #IP) .. padded(IP))
      local simple = block(order, 3, (order .. "I4"):pack(#IP + 100) .. padded(IP:sub(1, 22)))
      local list = read_all(section(order) .. interface(order, 101, 22) .. simple .. old)
      assert.equal(IP:sub(1, 22), list[1].frame) -- without what only pads
      assert.equal(#IP + 100, list[1].length)
      assert.is_nil(list[1].time_ns)
      assert.equal(IP, list[2].frame)
      assert.equal(3000, list[2].time_ns)
    end)

    it("passes over blocks it does not know", function()
      local list = read_all(section(order) .. block(order, 4, "names") .. interface(order, 101)
        .. block(order, 0xBAD, ("x"):rep(40)) .. enhanced(order, 0, 1, IP))
      assert.equal(0, #list) -- 5 octets are no multiple of 4
      list = read_all(section(order) .. block(order, 4, "name") .. interface(order, 101)
        .. block(order, 0xBAD, ("x"):rep(40)) .. enhanced(order, 0, 1, IP))
      assert.equal(1, #list)
    end)
  end)

  describe(order == "<" and "little-endian pcap" or "big-endian pcap", function()
    local function header(magic, linktype)
      return (order .. "I4I2I2i4I4I4I4"):pack(magic, 2, 4, 0, 0, 65535, linktype)
    end
    local function record(seconds, rest, frame, length)
      return (order .. "I4I4I4I4"):pack(seconds, rest, #frame, length or #frame) .. frame
    end

    it("gives packets with microseconds or nanoseconds", function()
      local list, message = read_all(header(0xA1B2C3D4, 101) .. record(3, 5, IP) .. record(4, 0, IP, 99))
      assert.is_nil(message)
      assert.equal(3000005000, list[1].time_ns)
      assert.equal(99, list[2].length)
      assert.equal(101, list[2].linktype)
      list = read_all(header(0xA1B23C4D, 0x50000001) .. record(3, 5, IP)) -- 4 octets of check sequence
      assert.equal(3000000005, list[1].time_ns)
      assert.equal(1, list[1].linktype)
    end)

    it("tells where it is cut off", function()
      local whole = header(0xA1B2C3D4, 101) .. record(3, 5, IP)
      local list, message, code = read_all(whole .. record(4, 5, IP):sub(1, 30))
      assert.equal(1, #list)
      assert.equal("EINVAL", code)
      assert.equal(("x: at octet %d: the file ends after 14 of 40 octets of the packet that begins at "
        .. "octet %d"):format(#whole + 16, #whole), message)
      message = select(2, read_all(whole .. "123"))
      assert.matches("the file ends after 3 of 16 octets of a packet's header", message)
      message = select(2, read_all(header(0xA1B2C3D4, 101):sub(1, 20)))
      assert.matches("at octet 4: the file ends after 16 of 20 octets of the file's header", message)
      local huge = (order .. "I4I4I4I4"):pack(0, 0, 1 << 31, 5)
      message = select(2, read_all(header(0xA1B2C3D4, 101) .. huge))
      assert.matches("at octet 24: a packet of 2147483648 octets: expected at most", message)
    end)
  end)
end

describe("pcapng", function()
  local good = section "<" .. interface("<", 101)

  it("may hold sections of different byte order, each with its own interfaces", function()
    local list, message = read_all(good .. enhanced("<", 0, 1, IP)
      .. section ">" .. interface(">", 1)
      .. interface(">", 0) .. enhanced(">", 1, 2, "abcd"))
    assert.is_nil(message)
    assert.equal(101, list[1].linktype)
    assert.equal(0, list[2].linktype)
    assert.equal(2000, list[2].time_ns)
    message = select(2, read_all(good .. section "<" .. enhanced("<", 0, 1, IP)))
    assert.matches("a packet of interface 0, of which there is no block", message)
  end)

  it("tells what is wrong with a block, and where", function()
    local function wrong(tail, pattern)
      local list, message, code, reader = read_all(good .. tail)
      assert.equal(0, #list)
      assert.equal("EINVAL", code)
      assert.matches(pattern, message)
      assert.equal(message, select(2, reader:next())) -- and so it stays
    end
    local at = "^x: at octet " .. #good .. ": "
    wrong(("<I4I4I4"):pack(6, 8, 8), at .. "a block of 8 octets: expected a multiple of 4 from 12 to")
    wrong(("<I4I4I4"):pack(6, 14, 0), at .. "a block of 14 octets")
    wrong(("<I4I4"):pack(6, 0xfffffff0), at .. "a block of 4294967280 octets")
    wrong(("<I4I4I4"):pack(5, 12, 16),
      at .. "a block of 12 octets that calls itself 16 octets long at its end")
    wrong(("<I4"):pack(5), "the file ends after 0 of 4 octets of a block's length")
    wrong("\6\0", "at octet " .. #good .. ": the file ends after 2 of 4 octets of a block$")
    wrong(enhanced("<", 0, 1, IP):sub(1, -10),
      "the file ends after %d+ of %d+ octets of the block that begins at octet " .. #good)
    wrong(block("<", 6, ("\0"):rep(16)), at .. "a packet block is too short")
    wrong(block("<", 1, "\0\0\0\0"), at .. "an interface block is too short")
    wrong(block("<", 3, ""), at .. "a simple packet block is too short")
    wrong(enhanced("<", 3, 1, IP), at .. "a packet of interface 3, of which there is no block")
    wrong(block("<", 6, ("<I4I4I4I4I4"):pack(0, 0, 0, 100, 100) .. "abcd"),
      at .. "a packet of 100 octets in a block of 4")
    wrong(enhanced("<", 0, 1, IP, ("<I2I2"):pack(1, 40) .. "abcd"),
      at .. "option 1 of 40 octets goes beyond")
    wrong(interface("<", 101, 0, option("<", 9, "\99")), at .. "time of unknown resolution %(10%^%-99 s%)")
    wrong(("<I4I4I4"):pack(0x0A0D0D0A, 28, 0x04030201) .. ("\0"):rep(16),
      at .. "a section of unknown byte order %(04030201%)")
  end)

  it("is told from anything else", function()
    local function message_of(bytes) return (select(2, read_all(bytes))) end
    assert.equal("x: at octet 0: the file is empty", message_of "")
    assert.equal("x: at octet 0: neither pcapng nor pcap (it begins with 7f454c46)", message_of "\127ELF....")
    assert.equal("x: at octet 0: the file ends after 3 of 4 octets of a capture file", message_of "abc")
  end)

  it("meets any damage with an error or with packets", function()
    local random = tcp.network { seed = 7 }.core:random "damage"
    local whole = good .. enhanced("<", 0, 1, IP, option("<", 1, "comment")) .. enhanced("<", 0, 2, IP)
    for _ = 1, 3000 do
      local bytes = { whole:byte(1, -1) }
      for _ = 0, random:below(4) do bytes[random:below(#bytes) + 1] = random:below(256) end
      local text = string.char(table.unpack(bytes, 1, #bytes - random:below(8)))
      local list, message, code = read_all(text)
      assert.is_true(#list <= 2)
      if message then assert.equal("EINVAL", code, message) end
      for _, packet in ipairs(list) do
        local ip = pcapng.ip(packet)
        if ip then tcp.decode(ip) end
      end
    end
  end)

  it("opens files, and says which one it cannot", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(good, enhanced("<", 0, 1, IP))
    file:close()
    local numbers = {}
    do
      local reader <close> = assert(pcapng.open(path))
      for packet in reader:packets() do numbers[#numbers + 1] = packet.number end
    end
    os.remove(path)
    assert.same({ 1 }, numbers)
    local reader, message, code = pcapng.open(path)
    assert.is_nil(reader)
    assert.matches(path, message, 1, true)
    assert.equal("ENOENT", code)
    assert.equal("EISDIR", select(3, assert(pcapng.open "."):next()))
    assert.error_matches(function() pcapng.open(5) end, "open: path: expected a string, got 5")
  end)

  it("raises from its iterator", function()
    local reader = pcapng.new(file_of(good .. "x"), "broken")
    assert.error_matches(function()
      for _ in reader:packets() do error "none" end
    end, "broken: at octet %d+: the file ends")
  end)

  it("is what our own captures are", function()
    local net = tcp.network { seed = 1 }
    local client, server = net:host "client", net:host "server"
    local link = net:link(client, server, { delay = 0.01 })
    link:drop { syn = true, nth = 1 }
    server:listen(80)
    local capture = net.core:capture()
    assert(client:connect(server, 80))
    capture:close()
    local list, message = read_all(capture:take())
    assert.is_nil(message)
    assert.equal(4, #list)
    assert.same({ "dropped: rule" }, list[1].comments)
    assert.same({ "retransmission" }, list[2].comments)
    assert.equal(1000000000, list[2].time_ns)
    assert.equal("link0", list[3].interface.name)
    assert.equal("SA", tcp.decode(pcapng.ip(list[3])).flag_letters)
  end)
end)

describe("the IP packet in a frame", function()
  local function ip_of(linktype, frame) return pcapng.ip { linktype = linktype, frame = frame } end
  local macs = ("\2"):rep(12)

  it("is found behind every link layer that is known", function()
    assert.equal(IP, ip_of(101, IP))
    assert.equal(IP, ip_of(12, IP))
    assert.equal(IP, ip_of(228, IP))
    assert.equal(IP, ip_of(1, macs .. "\8\0" .. IP))
    assert.equal("\x60...", ip_of(1, macs .. "\x86\xDD\x60..."))
    assert.equal(IP, ip_of(1, macs .. "\x88\xA8\0\1\x81\0\0\2\8\0" .. IP))
    assert.equal(IP, ip_of(0, "\2\0\0\0" .. IP))
    assert.equal(IP, ip_of(108, "\0\0\0\2" .. IP))
    assert.equal("\x60", ip_of(0, "\30\0\0\0\x60"))
    assert.equal(IP, ip_of(113, ("\0"):rep(14) .. "\8\0" .. IP))
    assert.equal(IP, ip_of(276, "\8\0" .. ("\0"):rep(18) .. IP))
  end)

  it("is not found where there is none", function()
    local function why(linktype, frame)
      local packet, message = ip_of(linktype, frame)
      assert.is_nil(packet)
      return message
    end
    assert.equal("no IP packet (type 0x0806)", why(1, macs .. "\8\6...."))
    assert.equal("an Ethernet frame that is cut off", why(1, macs .. "\8"))
    assert.equal("an Ethernet frame that is cut off", why(1, macs .. "\x81\0\0\1"))
    assert.equal("no IP packet", why(0, "\2\0\0\0\1"))
    assert.equal("a loopback frame that is cut off", why(0, "\2\0"))
    assert.equal("a cooked frame that is cut off", why(113, ("\0"):rep(15)))
    assert.equal("no IP packet (type 0x0806)", why(113, ("\0"):rep(14) .. "\8\6"))
    assert.equal("frames of link type 127 are not known here", why(127, "..."))
  end)
end)
