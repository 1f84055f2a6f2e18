-- decode, encode, flags.
local core = require "lunatcp.core"

local function packet(fields)
  fields.source = fields.source or "10.0.0.1"
  fields.destination = fields.destination or "10.0.0.2"
  return core.encode(fields)
end

describe("flags", function()
  it("are one object for each set", function()
    assert.equal(core.flags "SA", core.flags { ack = true, syn = true })
    assert.equal(core.flags "AS", core.flags(0x12))
    assert.not_equal(core.flags "S", core.flags "SA")
  end)

  it("read as letters in one order, and by name", function()
    local all = core.flags "NWEUAPRSF"
    assert.equal("FSRPAUEWN", tostring(all))
    assert.equal("flags FSRPAUEWN", "flags " .. all)
    assert.equal(9, #all)
    assert.is_true(all.fin and all.ae)
    assert.is_false(core.flags("S").ack)
    assert.equal(0x1ff, all.bits)
  end)

  it("raise for what is none", function()
    assert.has_error(function() core.flags "X" end)
    assert.has_error(function() core.flags { sin = true } end)
    assert.has_error(function() return core.flags("S").sin end,
      "no flag 'sin'; known: fin, syn, rst, psh, ack, urg, ece, cwr, ae")
  end)
end)

describe("encode", function()
  it("writes the header of RFC9293:3.1", function()
    local bytes = packet {
      source_port = 0x1234, destination_port = 80, seq = 0x01020304, ack = 0xfffefdfc, flags = "SA",
      window = 0xabcd, urgent = 7, ip_id = 0x55aa, ttl = 9,
    }
    assert.equal(40, #bytes)
    assert.equal("45000028" .. "55aa4000" .. "0906", (bytes:sub(1, 10):gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)))
    assert.equal("\x0a\x00\x00\x01\x0a\x00\x00\x02", bytes:sub(13, 20))
    assert.equal("\x12\x34\x00\x50\x01\x02\x03\x04\xff\xfe\xfd\xfc\x50\x12\xab\xcd", bytes:sub(21, 36))
    assert.equal("\x00\x07", bytes:sub(39, 40))
  end)

  it("writes what decode reads, over both families", function()
    for _, ends in ipairs { { "10.0.0.1", "192.168.3.4" }, { "2001:db8::1", "fe80::2" } } do
      local fields = {
        source = ends[1], destination = ends[2], source_port = 5, destination_port = 65535, seq = 4294967295,
        ack = 1, flags = "PAUN", window = 3, urgent = 9, ttl = 3, dscp = 46, ecn = 1, payload = "hello",
        reserved = 5,
      }
      local decoded, problem = core.decode(core.encode(fields))
      assert.is_nil(problem)
      for key, value in pairs(fields) do
        if key ~= "flags" then assert.equal(value, decoded[key], key) end
      end
      assert.equal(core.flags "PAUN", decoded.flags)
      assert.equal("PAUN", decoded.flag_letters)
      assert.same({ 5, 5, true }, { decoded.length, decoded.segment_length, decoded.checksum_ok })
    end
  end)

  it("makes the same bytes of a decoded table, forged ones too", function()
    for _, fields in ipairs {
      { flags = "S", options = { mss = 1460, window_scale = 7, sack_permitted = true } },
      { flags = "A", payload = "abc", options = { { kind = 253, data = "\1\2\3" }, "nop", "end" } },
      { flags = "A", checksum = 0x1234 }, { ip_checksum = 1 },
      { flags = "PA", ip_options = "\1\1\1\0", payload = ("x"):rep(1001) },
    } do
      local bytes = packet(fields)
      assert.equal(bytes, core.encode((core.decode(bytes))))
    end
  end)

  it("computes anew what decode found right, when a field was changed", function()
    local decoded = core.decode(packet { seq = 1, payload = "abc" })
    decoded.seq = 2
    decoded.payload = "longer than before"
    local again, problem = core.decode(core.encode(decoded))
    assert.is_nil(problem)
    assert.same({ 2, "longer than before" }, { again.seq, again.payload })
  end)

  it("forges checksums, data offset and total length on request", function()
    local function status(fields)
      local _, _, code = core.decode(packet(fields))
      return code
    end
    assert.equal("LTCP_ERR_CHECKSUM", status { checksum = 0 })
    assert.equal("LTCP_ERR_IP_CHECKSUM", status { ip_checksum = 0 })
    assert.equal("LTCP_ERR_DATA_OFFSET", status { header_length = 16 })
    assert.equal("LTCP_ERR_DATA_OFFSET", status { header_length = 24 })
    assert.equal("LTCP_ERR_TRUNCATED", status { total_length = 41 })
    assert.equal("LTCP_ERR_TRUNCATED", status { total_length = 39 })
    assert.equal("LTCP_ERR_IP_HEADER", status { total_length = 19 })
    assert.equal("LTCP_ERR_FRAGMENT", status { more_fragments = true })
    assert.equal("LTCP_ERR_OPTION_LENGTH", status { options = { { name = "mss", value = 1, length = 0 } } })
    assert.equal("LTCP_ERR_OPTION_LENGTH", status { options = { { kind = 99, data = "x", length = 1 } } })
    assert.equal("LTCP_ERR_OPTION_LENGTH", status { options = { { kind = 99, data = "x", length = 9 } } })
  end)

  it("raises what is wrong with its table", function()
    local function problem(fields)
      local _, text = pcall(core.encode, fields)
      return text
    end
    assert.matches("source: address expected, got nil", problem {}, 1, true)
    assert.matches("destination: of another family than source",
      problem { source = "1.2.3.4", destination = "::1" }, 1, true)
    local base = { source = "1.2.3.4", destination = "1.2.3.5" }
    local function with(key, value)
      local fields = { [key] = value }
      for k, v in pairs(base) do fields[k] = v end
      return problem(fields)
    end
    assert.matches("unknown option 'sport'; known: source", with("sport", 1), 1, true)
    assert.matches("seq: integer between 0 and 4294967295 expected, got 4294967296", with("seq", 1 << 32),
      1, true)
    assert.matches("flags: letters of FSRPAUEWN expected, got SYN", with("flags", "SYN"), 1, true)
    assert.matches("options: they do not fit 40 octets", with("options", ("\1"):rep(41)), 1, true)
    assert.matches("options: they do not fit 40 octets",
      with("options", { md5 = ("x"):rep(16), ao = ("y"):rep(30) }), 1, true)
    assert.matches("options: unknown option 'foo'", with("options", { "foo" }), 1, true)
    assert.matches("unknown option 'msss' in options", with("options", { msss = 1 }), 1, true)
    assert.matches("payload: the packet would be longer", with("payload", ("x"):rep(65496)), 1, true)
  end)

  it("writes ICMP errors for a script that forges them", function()
    local quote = packet { flags = "S", seq = 77 }
    for _, ends in ipairs { { "10.0.0.9", "10.0.0.1" }, { "2001:db8::9", "2001:db8::1" } } do
      local bytes = core.encode {
        source = ends[1], destination = ends[2], icmp = { kind = "too big", mtu = 1400, quote = quote },
      }
      local decoded, problem = core.decode(bytes)
      assert.is_nil(problem)
      assert.same({ "too big", 1400 }, { decoded.icmp.kind, decoded.icmp.mtu })
      assert.equal(77, core.decode(decoded.icmp.quote, { quoted = true }).seq)
    end
  end)
end)

describe("options", function()
  local function options(value)
    local decoded, problem = core.decode(packet { flags = "S", options = value })
    assert.is_nil(problem)
    return decoded.options
  end

  it("by name are written and read", function()
    local want = {
      mss = 1460, window_scale = 14, sack_permitted = true, timestamps = { value = 1, echo = 4294967295 },
    }
    local got = options(want)
    for key, value in pairs(want) do assert.same(value, got[key], key) end
    got = options { sack = { { left = 1, right = 2 }, { 5, 6 } }, user_timeout = 0x8001 }
    assert.same({ { left = 1, right = 2 }, { left = 5, right = 6 } }, got.sack)
    assert.equal(0x8001, got.user_timeout)
    got = options { md5 = ("m"):rep(16), fast_open = "cookie" }
    assert.same({ ("m"):rep(16), "cookie" }, { got.md5, got.fast_open })
    got = options { ao = "\1\2abc", accecn = { kind = 174, 1, 2, 3 } }
    assert.equal("\1\2abc", got.ao)
    assert.same({ kind = 174, 1, 2, 3 }, got.accecn)
  end)

  it("in an array are written as they stand", function()
    local got = options {
      "nop", { name = "mss", value = 536 }, { kind = 200, data = "abcd" }, "sack_permitted",
    }
    local seen = {}
    for i, option in ipairs(got) do
      seen[i] = ("%d:%s:%d"):format(option.kind, option.name or "-", #option.data)
    end
    assert.same({
      "1:nop:0", "2:mss:2", "200:-:4", "4:sack_permitted:0", "0:end:0", "0:end:0", "0:end:0",
    }, seen)
    assert.equal(536, got[2].value)
    assert.equal("abcd", got[3].data)
  end)

  it("RFC9293:MUST-7 that are malformed leave what came before", function()
    local decoded, text, code = core.decode(packet {
      flags = "S", options = { { name = "mss", value = 1200 }, { kind = 9, data = "", length = 0 } },
    })
    assert.equal("LTCP_ERR_OPTION_LENGTH", code)
    assert.matches("option length", text)
    assert.equal(1200, decoded.options.mss)
  end)
end)

describe("decode", function()
  it("gives as much as can be read of a packet that is cut anywhere", function()
    local whole = packet { seq = 5, flags = "S", options = { mss = 1460 }, payload = "0123456789" }
    for n = 0, #whole - 1 do
      local decoded, text, code = core.decode(whole:sub(1, n))
      assert.is_table(decoded)
      assert.is_string(text)
      assert.equal("LTCP_ERR_TRUNCATED", code)
      if n >= 28 then assert.equal(5, decoded.seq) end
      if n >= 20 then assert.equal("10.0.0.1", decoded.source) end
    end
  end)

  it("never fails otherwise than by an answer, whatever the octets", function()
    local random = core.random(7, "octets")
    local whole = packet {
      flags = "SA", options = { mss = 1, timestamps = { value = 1 } }, payload = ("p"):rep(30),
    }
    for _ = 1, 20000 do
      local at, octet = random:below(#whole) + 1, string.char(random:below(256))
      local length = random:below(4) == 0 and random:below(#whole) or #whole
      local bytes = (whole:sub(1, at - 1) .. octet .. whole:sub(at + 1)):sub(1, length)
      assert.is_table((core.decode(bytes)))
      assert.is_table((core.decode(bytes, { quoted = true })))
    end
  end)

  it("says both checksums' states", function()
    local bytes = packet { flags = "A", payload = "odd" }
    local good = core.decode(bytes)
    assert.is_true(good.checksum_ok and good.ip_checksum_ok)
    local bad = core.decode(bytes:sub(1, -2) .. "!")
    assert.is_false(bad.checksum_ok)
    assert.is_true(bad.ip_checksum_ok)
    assert.equal("od!", bad.payload)
  end)

  it("verifies nothing of a quote", function()
    local bytes = packet { seq = 9, flags = "S", options = { mss = 1460 }, payload = ("x"):rep(600) }
    local decoded, problem = core.decode(bytes:sub(1, 28), { quoted = true })
    assert.is_nil(problem)
    assert.same({ 9 }, { decoded.seq })
    assert.is_nil(decoded.checksum_ok)
    decoded = core.decode(bytes:sub(1, 128), { quoted = true })
    assert.same({ 600, 84, 1460 }, { decoded.length, #decoded.payload, decoded.options.mss })
  end)

  it("refuses what cannot be a packet", function()
    assert.has_error(function() core.decode(("x"):rep(65536)) end)
    assert.has_error(function() core.decode() end)
  end)
end)
