local lab = require "support.lab"
local tcp = require "lunatcp"

describe("trace", function()
  it("gives segments as lines, RFC9293:3.5 (X,0), (Y,X+1), (X+1,Y+1)", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    net.client:connect(net.server, 80)
    assert.same({
      "client > server  S   1000          ",
      "server > client  SA  5000 ack 1001 ",
      "client > server  A   1001 ack 5001 ",
    }, net.trace:segments "flags seq ack")
    assert.same({
      "client > server  S   0       ",
      "server > client  SA  0 ack 1 ",
      "client > server  A   1 ack 1 ",
    }, net.trace:segments("flags seq ack", { relative = true }))
  end)

  it("gives the states that a connection went through", function()
    local net, client, server = lab.connected()
    client:close()
    server:wait_state "CLOSE-WAIT"
    server:close()
    net:run { until_idle = true }
    assert.same({ "SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED" },
      net.trace:states(client))
    assert.same({ "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED" },
      net.trace:states(server))
  end)

  it("notices a state that was passed between two looks", function()
    local net, client, server = lab.connected()
    client:close()
    net:spawn(function()
      assert(server:wait_state "CLOSE-WAIT")
      server:close()
    end)
    assert.is_true(client:wait_state "FIN-WAIT-2")
    assert.is_true(client:wait_state "TIME-WAIT")
    local ok, _, code = server:wait_state "FIN-WAIT-1"
    assert.is_nil(ok)
    assert.equal("ENOTCONN", code)
  end)

  it("draws a ladder from what happened", function()
    local net = lab.pair { client = { isn = 1000 }, server = { isn = 5000 } }
    net.client:connect(net.server, 80)
    net:run { until_idle = true }
    local ladder = net:ladder { ascii = true }
    assert.matches("0%.000000 +SYN%-SENT |%-+ SYN seq 0 win 65535 <.-> %-+>| SYN%-RECEIVED\n", ladder)
    assert.matches("0%.010000 +ESTABLISHED |<%-+ SYN,ACK seq 0 ack 1 win 65535 <.-> %-+| SYN%-RECEIVED\n",
      ladder)
    assert.matches("0%.020000 +ESTABLISHED |%-+ ACK seq 1 ack 1 win %d+ <ts> %-+>| ESTABLISHED\n", ladder)
    assert.matches("SYN,ACK seq 5000 ack 1001", net:ladder { absolute = true }, 1, true)
    assert.matches("^<svg ", net:svg())
  end)

  it("keeps two connections of one ladder apart", function()
    local net = lab.pair()
    local one = net.client:connect(net.server, 80)
    local two = net.client:connect(net.server, 80)
    one:close()
    net:run { until_ = net:now() + 0.1 }
    local ladder = net:ladder { connection = two, ascii = true }
    assert.not_matches("FIN", ladder)
    assert.matches("ESTABLISHED", ladder)
    assert.matches("FIN,ACK", net:ladder { connection = one }, 1, true)
  end)

  it("names the kinds of record there are", function()
    local net = lab.pair()
    assert.error_matches(function() net.trace:packets { kind = "droped" } end,
      "packets: kind: expected one of sent, delivered, dropped, got \"droped\"")
    assert.error_matches(function() net.trace:events { kind = "states" } end,
      "events: kind: expected one of state,")
  end)

  it("keeps only a bounded ring of records", function()
    local net = lab.pair { network = { trace = { events = 16, packets = 16 } } }
    for _ = 1, 20 do
      lab.handshake(net)
    end
    assert.is_true(#net.trace:packets() <= 16)
    assert.is_true(#net.trace:events() <= 16)
  end)
end)

describe("decode and encode", function()
  it("turn a segment into fields and back", function()
    local packet = tcp.encode {
      source = "10.0.0.1", destination = "10.0.0.2", source_port = 1, destination_port = 2, seq = 3, ack = 4,
      flags = "PA", window = 5, payload = "data", options = { mss = 1460 },
    }
    local fields = tcp.decode(packet)
    assert.equal("PA", fields.flag_letters)
    assert.equal(3, fields.seq)
    assert.equal("data", fields.payload)
    assert.equal(1460, fields.options.mss)
    assert.is_true(fields.checksum_ok)
    assert.equal(packet, tcp.encode(fields))
  end)

  it("say what is wrong", function()
    local _, message, status = tcp.decode "\x45\x00"
    assert.is_string(message)
    assert.equal("LTCP_ERR_TRUNCATED", status)
    assert.error_matches(function() tcp.encode { source = "10.0.0.1" } end, "destination")
    assert.error_matches(function()
      tcp.encode { source = "10.0.0.1", destination = "10.0.0.2", flgs = "S" }
    end, "flgs")
  end)
end)

describe("samples", function()
  it("take variables at equal distances until the connection is closed", function()
    local net, client, server = lab.connected { client = { time_wait = 1 }, server = { time_wait = 1 } }
    local samples = client:sample { every = 0.01, fields = { "state", "snd_nxt", "srtt" } }
    net:spawn(function()
      net:sleep(0.025)
      client:close()
      server:close()
    end)
    net:run { until_idle = true }
    assert.equal("ESTABLISHED", samples.rows[1].state)
    assert.is_true(math.abs(samples.rows[2].time - samples.rows[1].time - 0.01) < 1e-9)
    assert.equal("CLOSED", samples.rows[#samples.rows].state)
    local lines = {}
    for line in samples:csv():gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("time,state,snd_nxt,srtt", lines[1])
    assert.matches("^0%.0%d+,ESTABLISHED,%d+,0%.02%d*$", lines[2])
    assert.equal(#samples.rows + 1, #lines)
    local first = samples:jsonl():match "^[^\n]+"
    assert.matches('^{"time":0%.0%d+,"state":"ESTABLISHED","snd_nxt":%d+,"srtt":0%.02%d*}$', first)
  end)

  it("keep no run going by themselves", function()
    local net, client = lab.connected()
    client:sample { every = 0.5 }
    net:run { until_idle = true }
    assert.is_true(net:now() < 2) -- the handshake's timers, and no more
    net:run { until_ = 3 }
    assert.equal(3, net:now())
  end)

  it("name what they do not know, and what cannot be written", function()
    local _, client = lab.connected()
    assert.error_matches(function() client:sample { fields = { "cwdn" } } end,
      'sample: fields%[1%]: .-got "cwdn"')
    assert.error_matches(function() client:sample { every = 0 } end, "sample: every")
    local ok, _, code = client:sample():csv "/does/not/exist.csv"
    assert.is_nil(ok)
    assert.equal("ENOENT", code)
  end)
end)

describe("captures", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function size()
    local file = assert(io.open(path, "rb"))
    local bytes = file:read "a"
    file:close()
    return #bytes, bytes
  end

  it("hold everything from here on, without any date", function()
    local function run()
      local net = lab.pair()
      local capture <close> = assert(net:capture(path))
      lab.handshake(net)
      assert.equal(3, capture:packets())
      net:close()
      return select(2, size())
    end
    local first = run()
    assert.equal("\x0a\x0d\x0d\x0a", first:sub(1, 4))
    assert.equal(first, run())
  end)

  it("are complete when the network is closed, all of them", function()
    local net = lab.pair()
    local other = os.tmpname()
    local captures = { assert(net:capture(path)), assert(net:capture(other)) }
    lab.handshake(net)
    net:close()
    assert.same({ true, true }, { captures[1].closed, captures[2].closed })
    local _, bytes = size()
    path, other = other, path
    assert.equal(bytes, select(2, size()))
    os.remove(other)
  end)

  it("are written also when the script fails", function()
    local net = lab.pair()
    net:capture(path)
    net:spawn(function()
      assert(net.client:connect(net.server, 80))
      error "in the middle"
    end)
    assert.is_false(pcall(net.run, net))
    assert.is_true(size() > 200)
  end)

  it("say what cannot be opened", function()
    local capture, message, code = lab.pair():capture "/does/not/exist.pcapng"
    assert.is_nil(capture)
    assert.is_string(message)
    assert.equal("ENOENT", code)
  end)
end)

describe("garbage", function()
  -- The header of 20 octets says what is there, and its checksum is right.
  local function cut(packet, length)
    local bytes = packet:sub(1, 2) .. (">I2"):pack(length) .. packet:sub(5, 10) .. "\0\0"
      .. packet:sub(13, length)
    local sum = 0
    for i = 1, 20, 2 do sum = sum + (">I2"):unpack(bytes, i) end
    sum = (sum & 0xffff) + (sum >> 16)
    return bytes:sub(1, 10) .. (">I2"):pack(~sum & 0xffff) .. bytes:sub(13)
  end

  it("of any length can be drawn and listed", function()
    local net, host, peer = lab.forge {}
    local whole = tcp.encode {
      source = peer:address(), destination = host:address(), source_port = 1, destination_port = 80,
      flags = "SU", options = { mss = 1460, window_scale = 3, sack = { { left = 1, right = 2 } } },
      payload = "x",
    }
    for length = 1, #whole do
      peer:send(whole:sub(1, length))
      if length >= 20 then peer:send(cut(whole, length)) end
    end
    net:run { until_ = 1 }
    local lines = net.trace:segments("time flags seq ack len win up options data fate", { relative = true })
    assert.equal("peer > host", lines[1]:match "^peer > host")
    assert.matches("no IP packet", net:ladder(), 1, true)
    assert.matches("</svg>", net:svg { absolute = true }, 1, true)
  end)
end)
