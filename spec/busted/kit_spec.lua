-- What a test is given by `require "lunatcp.busted"`, and what its assertions say.
local net = require "lunatcp.busted"
local tcp = require "lunatcp"

local handed_out = {}
local in_before_each

describe("the network of a test", function()
  before_each(function()
    in_before_each = tostring(net)
    net.mine = "kept"
  end)

  after_each(function() net:now() end) -- it is there until the last after_each is over

  it("is there in before_each already, and keeps what is put on it", function()
    assert.matches("^network %(virtual time, seed %d+, 0 nodes, 0 links%)$", in_before_each)
    assert.equal("kept", net.mine)
    handed_out[1] = net:host "one".net
  end)

  it("is another one in the next test, and the earlier one is closed", function()
    handed_out[2] = net:host "one".net -- the name is free again
    assert.not_equal(handed_out[1], handed_out[2])
    assert.is_true(handed_out[1].closed)
    assert.is_nil(handed_out[2].closed)
  end)

  it("has a seed worked out from the names of the blocks and of the test", function()
    if os.getenv "LUNATCP_SEED" then return end
    local name = "the network of a test has a seed worked out from the names of the blocks and of the test"
    assert.equal(require "lunatcp.core".siphash(0, 0, name) & 0x7fffffff, net.seed)
  end)

  it("gives what its methods give", function()
    local client, server = net:host "client", net:host "server"
    local link = net:link(client, server, { delay = 0.25 })
    assert.equal(net.links[1], link)
    server:listen(80)
    assert(client:connect(server, 80))
    assert.equal(0.5, net:now())
    assert.matches("SYN,ACK", net:ladder())
  end)

  it("begins anew with other options", function()
    local seed = net.seed
    net:host "client"
    local before = net:host "server".net
    assert.equal(net, net:reset { profile = "linux" })
    assert.is_true(before.closed)
    assert.equal(seed, net.seed)
    assert.equal(tcp.profile "linux".initial_window, net:host "client":settings().initial_window)
    assert.error_matches(function() net:reset { profle = "linux" } end,
      "network: unknown key 'profle'; known are")
    assert.error_matches(function() net:reset(5) end, "reset: options: expected a table, got 5")
  end)
end)

describe("outside of a test the network", function()
  local ok, message = pcall(function() return net:host "a" end)

  it("is refused with a word on where it is", function()
    assert.is_false(ok)
    assert.matches("kit_spec.lua:%d+: net: there is a network only while a test runs: in it, before_each",
      message)
  end)
end)

-- ---- assertions -------------------------------------------------------------------------------

-- What a failing assertion says, without its place; the ladder apart.
local function failure_of(f)
  local ok, problem = pcall(f)
  assert.is_false(ok, "it was to fail")
  assert.is_table(problem, problem)
  local message = tostring(problem)
  assert.matches("^[^\n]-kit_spec%.lua:%d+: ", message)
  message = message:gsub("^[^\n]-kit_spec%.lua:%d+: ", "")
  local text, ladder = message:match "^(.-)\n( +time .*)$"
  return text or message, ladder
end

local function raises(pattern, f)
  local ok, problem = pcall(f)
  assert.is_false(ok, "it was to raise")
  assert.is_string(problem, tostring(problem))
  assert.matches("^[^\n]-kit_spec%.lua:%d+: ", problem)
  assert.matches(pattern, problem)
end

describe("assertion", function()
  local client, server, link, conn, other

  before_each(function()
    net:reset { settings = { timestamps = false } }
    client, server = net:host("client", { isn = 1000 }), net:host("server", { isn = 5000 })
    link = net:link(client, server, { delay = 0.01 })
    net.listener = server:listen(80)
    conn = assert(client:connect(server, 80, { local_port = 1024 }))
    other = assert(net.listener:accept())
  end)

  describe("state", function()
    it("is content with the state there is", function()
      assert.state(conn, "ESTABLISHED")
      assert.is.state(conn, "ESTABLISHED")
      assert.is_not.state(conn, "TIME-WAIT")
    end)

    it("tells the state there is instead, how it came there, and draws the ladder", function()
      local text, ladder = failure_of(function() assert.state(conn, "CLOSE-WAIT") end)
      assert.equal([[
connection client:1024 > server:80 is in the state ESTABLISHED at 0.030000 s
  * state  expected CLOSE-WAIT, got ESTABLISHED
    passed through SYN-SENT, ESTABLISHED]], text)
      local rows = select(2, ladder:gsub("\n", "\n")) + 1
      assert.equal(4, rows, ladder) -- the heading and the three segments of the handshake
      assert.matches("SYN seq 0", ladder)
    end)

    it("tells what the connection died of", function()
      other:abort()
      net:run { until_idle = true }
      local text = failure_of(function() assert.state(conn, "ESTABLISHED") end)
      assert.matches("died of ECONNRESET: ", text, 1, true)
    end)

    it("says what was not to be when it is turned round, and the user's own words first", function()
      assert.matches("^this was not to be: connection client:1024 > server:80 is in the state ESTABLISHED",
        (failure_of(function() assert.is_not.state(conn, "ESTABLISHED") end)))
      assert.matches("^after the handshake\nconnection client:1024",
        (failure_of(function() assert.state(conn, "CLOSED", "after the handshake") end)))
      assert.matches("^so\nconnection",
        (failure_of(function() assert.message("so").state(conn, "CLOSED") end)))
    end)

    it("names a wrong argument", function()
      raises("assert.state: connection: expected a connection, got nothing",
        function() assert.state(nil, "CLOSED") end)
      raises("assert.state: state: expected one of CLOSED, LISTEN, .-, got \"Established\"",
        function() assert.state(conn, "Established") end)
    end)

    it("leaves luassert's own state alone", function()
      assert.is_true(true)
      assert.are_not.same({ 1 }, { 2 })
    end)
  end)

  describe("segment", function()
    it("looks only at the fields it is given, in whatever can stand for a segment", function()
      local record = net.trace:packets { kind = "sent" }[2]
      assert.segment(record, { flags = "SA", seq = 5000, ack = 1001 })
      assert.segment(record.segment, { source_port = 80, options = { mss = 1460, timestamps = false } })
      assert.is_not.segment(record, { flags = "S" })
      local bytes = tcp.encode { source = "10.0.0.1", destination = "10.0.0.2", flags = "R", seq = 7 }
      assert.segment(bytes, { flags = "R", seq = 7 })
      local seen = 0
      local hook <close> = net:on("segment", function(segment) -- luacheck: ignore 211
        assert.segment(segment, { flags = "PA", length = 2 })
        seen = seen + 1
      end)
      conn:write "hi"
      net:run()
      assert.equal(1, seen)
    end)

    it("tells each field that was asked for, the wrong ones with a star", function()
      local record = net.trace:packets { kind = "sent" }[2]
      local text, ladder = failure_of(function()
        assert.segment(record, { flags = "A", seq = 5000, ack = 1002 })
      end)
      assert.equal([[
the segment has other fields at 0.030000 s
  * flags  expected A, got SA
    seq    expected 5000, got 5000
  * ack    expected 1002, got 1001]], text)
      assert.matches("SYN,ACK seq 0 ack 1", ladder)
    end)

    it("tells that there is none", function()
      local text = failure_of(function() assert.segment(nil, { flags = "A", seq = 1 }) end)
      assert.equal([[
there is no segment at 0.030000 s
  * flags  expected A, got nothing
  * seq    expected 1, got nil]], text)
      assert.is_not.segment(nil, {})
    end)

    it("names a wrong argument", function()
      raises("assert.segment: fields: expected a table, got nothing", function() assert.segment({}) end)
      raises("assert.segment: fields: unknown key 'flag'; known are",
        function() assert.segment({}, { flag = "S" }) end)
      raises("assert.segment: segment: expected a segment, got 5", function() assert.segment(5, {}) end)
      raises("flags", function() assert.segment({}, { flags = "SX" }) end)
    end)
  end)

  describe("stream", function()
    it("reads exactly what it compares", function()
      conn:write "hello, world"
      assert.stream(other, "hello")
      assert.stream(other, ", world")
      conn:close()
      assert.stream(other, "", { whole = true })
      assert.stream("same", "same")
      assert.is_not.stream("same", "other")
    end)

    it("waits, in a task as well as outside", function()
      local done
      net:spawn(function()
        assert.stream(other, "late")
        done = true
      end)
      net:spawn(function()
        net:sleep(3)
        conn:write "late"
      end)
      net:run()
      assert.is_true(done)
    end)

    it("tells the first octet that differs, and what is around it", function()
      conn:write "Hello, wurld, and more that is not shown"
      local text, ladder = failure_of(function()
        assert.stream(other, "Hello, world, and more that is not shown")
      end)
      assert.equal([[
connection server:80 > client:1024 gave other octets than expected at 0.040000 s
    octets        expected 40, got 40
  * from octet 9  expected "orld, and more t"..., got "urld, and more t"...]], text)
      assert.matches("len 40", ladder)
    end)

    it("tells when no more came", function()
      conn:write "he"
      local text = failure_of(function() assert.stream(other, "hello", { within = 2 }) end)
      assert.equal([[
connection server:80 > client:1024 gave other octets than expected at 2.030000 s
  * octets        expected 5, got 2
  * from octet 3  expected "llo", got the end
    nothing more came until 2.030000 s]], text)
    end)

    it("tells how the stream ended", function()
      conn:write "he"
      conn:close()
      assert.matches("the stream ended there", (failure_of(function() assert.stream(other, "hello") end)))
      other:abort()
      assert.matches("got the end", (failure_of(function() assert.stream("he", "hello") end)))
    end)

    it("demands the end with whole = true", function()
      conn:write "hello"
      assert.matches("\n  %* end +expected the end of the stream, got nothing more came until 1.030000 s",
        (failure_of(function() assert.stream(other, "hello", { whole = true, within = 1 }) end)))
      conn:write "hello!"
      local text = failure_of(function() assert.stream(other, "hello", { whole = true }) end)
      assert.matches("\n  %* octets +expected 5, got 6", text)
      assert.matches("got more came than was expected", text)
    end)

    it("names a wrong argument", function()
      raises("assert.stream: stream: expected a connection or a string, got nothing",
        function() assert.stream(nil, "x") end)
      raises("assert.stream: octets: expected a string, got nothing", function() assert.stream(other) end)
      raises("assert.stream: options: unknown key 'timeout'; known are whole, within",
        function() assert.stream(other, "x", { timeout = 1 }) end)
      raises("assert.stream: within: expected a number of at least 0, got %-1",
        function() assert.stream(other, "x", { within = -1 }) end)
    end)
  end)

  describe("eventually", function()
    it("ends as soon as it is true, and gives the value", function()
      conn:write "x"
      assert.equal(1, assert.eventually(function()
        return other:info().unread > 0 and other:info().unread
      end))
      assert.equal(0.04, net:now())
    end)

    it("counts a failed assertion as not yet", function()
      conn:close()
      other:close()
      assert.eventually(function() return assert.state(conn, "TIME-WAIT") end)
    end)

    it("lets others run when a task calls it", function()
      local flag, done
      net:spawn(function()
        assert.eventually(function() return flag end, { within = 5 })
        done = net:now()
      end)
      net:spawn(function()
        net:sleep(2)
        flag = true
      end)
      net:run()
      assert.is_true(done >= 2.03 and done < 2.05, tostring(done))
    end)

    it("tells how long it waited, the last value, and the last failure", function()
      local text, ladder = failure_of(function()
        assert.eventually(function() return assert.state(conn, "TIME-WAIT") end, { within = 2 })
      end)
      assert.matches("^the function at .-kit_spec.lua:%d+ has not come true within 2 s at 2.030000 s\n", text)
      assert.matches("\n  %* value  expected a true one, got nil\n", text)
      assert.matches("\n      %* state  expected TIME%-WAIT, got ESTABLISHED\n", text)
      assert.equal(1, select(2, ladder:gsub("SYN,ACK", ""))) -- drawn once, and not by the inner one
    end)

    it("waits to its end where nothing happens at all", function()
      net:spawn(function() other:read() end)
      failure_of(function() assert.eventually(function() return false end, { within = 3 }) end)
      assert.equal(3.03, net:now())
    end)

    it("passes on what is no failure of an assertion", function()
      local ok, problem = pcall(assert.eventually, function() return nil .. "x" end)
      assert.is_false(ok)
      assert.matches("attempt to concatenate a nil value", problem)
    end)

    it("names a wrong argument", function()
      raises("assert.eventually: function: expected a function, got nothing",
        function() assert.eventually() end)
      raises("assert.eventually: options: unknown key 'timeout'; known are within",
        function() assert.eventually(print, { timeout = 1 }) end)
      raises("assert.eventually: within: expected a number, got \"1\"",
        function() assert.eventually(print, { within = "1" }) end)
    end)
  end)

  describe("no_segment", function()
    it("is content with a quiet link, and lets that much time pass", function()
      assert.no_segment(link, { within = 4 })
      assert.equal(4.03, net:now())
      conn:write "x"
      assert.no_segment(link, { flags = "R" })
      conn:write "x"
      assert.no_segment(link, { within = 0.005, from = server })
    end)

    it("ends at the first that enters the link and tells its fields", function()
      conn:write "ab"
      local text, ladder = failure_of(function() assert.no_segment(link, { from = client }) end)
      assert.equal([[
a segment entered link client - server, where none was expected at 0.030000 s
  * source       expected nothing, got 10.0.1.1
  * destination  expected nothing, got 10.0.1.2
  * flags        expected nothing, got PA
  * seq          expected nothing, got 1001
  * ack          expected nothing, got 5001
  * length       expected nothing, got 2]], text)
      assert.matches("len 2", ladder)
    end)

    it("sees what a rule has dropped before", function()
      link:drop { data = true }
      conn:write "ab"
      assert.matches("^a segment entered link", (failure_of(function() assert.no_segment(link) end)))
    end)

    it("watches a peer, whose script may still receive it", function()
      local peer = net:peer "peer"
      net:link(peer, server, { delay = 0.01 })
      assert.no_segment(peer)
      peer:send { flags = "S", seq = 7, destination_port = 81 }
      local text = failure_of(function() assert.no_segment(peer, { flags = "RA" }) end)
      assert.matches("^a segment reached peer peer, where none was expected", text)
      assert.matches("flags +expected nothing, got RA", text)
      assert.segment(peer:receive(), { flags = "RA", ack = 8 })
    end)

    it("says so when one was expected to come", function()
      assert.matches("^this was not to be: no segment entered link client %- server within 1 s",
        (failure_of(function() assert.is_not.no_segment(link) end)))
    end)

    it("names a wrong argument", function()
      raises("assert.no_segment: where: expected a peer or a link, got nothing",
        function() assert.no_segment() end)
      raises("assert.no_segment: where: expected a peer or a link, got a table",
        function() assert.no_segment(conn) end)
      raises("assert.no_segment: options: unknown key 'timeout'; known are",
        function() assert.no_segment(link, { timeout = 1 }) end)
      raises("assert.no_segment: from: expected host client or host server",
        function() assert.no_segment(link, { from = net:host "third" }) end)
      raises("assert.no_segment: from: only of a link",
        function() assert.no_segment(net:peer "p", { from = server }) end)
    end)
  end)
end)

describe("the ladder of a message", function()
  it("keeps the last hundred lines of a long one", function()
    local client, server = net:host "client", net:host "server"
    net:link(client, server, { delay = 0.01 })
    local listener = server:listen(80)
    local conn = assert(client:connect(server, 80))
    local other = listener:accept()
    for _ = 1, 200 do
      conn:write "x"
      assert.stream(other, "x")
    end
    local _, ladder = failure_of(function() assert.state(conn, "CLOSED") end)
    assert.equal(102, select(2, ladder:gsub("\n", "\n")) + 1)
    assert.matches("\n +%.%.%. %d+ earlier lines\n", ladder)
  end)
end)

describe("a capture in memory", function()
  it("ends before the octet it may not hold, and has no gap", function()
    local client, server = net:host "client", net:host "server"
    net:link(client, server)
    server:listen(80)
    local all, some = net.core:capture(), net.core:capture { most = 350 }
    local conn = assert(client:connect(server, 80))
    conn:write "x"
    net:run { until_idle = true }
    all:close()
    some:close()
    local bytes, kept = all:take(), some:take()
    assert.is_true(#bytes > 350 and #kept <= 350 and #kept > 200, #kept)
    assert.equal(bytes:sub(1, #kept), kept)
    local length = ("<I4"):unpack(bytes, #kept + 5)
    assert.is_true(#kept + length > 350)
  end)
end)
