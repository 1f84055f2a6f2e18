-- The other examples, run as a person would.
local runner = require "examples.runner"

describe("examples/echo.lua", function()
  local ROWS <const> = {
    "SYN-SENT SYN seq 0 <mss 1460 ws 3 sackOK ts> > SYN-RECEIVED",
    "ESTABLISHED < PSH,ACK seq 7 ack 35 len 28 <ts> ESTABLISHED",
    "FIN-WAIT-1 FIN,ACK seq 43 ack 43 <ts> > CLOSE-WAIT",
    "TIME-WAIT ACK seq 44 ack 44 <ts> > CLOSED",
  }

  local function check(arguments)
    local printed = runner.well("echo", arguments)
    for _, line in ipairs { "hello", "is there anybody out there?", "goodbye" } do
      assert(printed:find(" s  " .. line .. "\n", 1, true), printed)
    end
    local plain = runner.plain(printed)
    for _, row in ipairs(ROWS) do assert(plain:find(" " .. row .. "\n", 1, true), row .. "\n" .. plain) end
    return printed
  end

  it("echoes in virtual time, to the microsecond", function()
    local printed = check {}
    assert.matches("^0%.04 s  hello\n0%.06 s  is there anybody out there%?\n0%.08 s  goodbye\n", printed)
    assert.matches("\n  0%.080000    FIN%-WAIT%-1 ", printed)
    assert.equal(printed, (runner.run("echo", {})))
  end)

  it("echoes over two sockets, the same segments #udp", function() check { "real" } end)

  it("refuses other arguments", function()
    local _, complained, status = runner.run("echo", { "loud" })
    assert.equal(1, status)
    assert.equal("usage: echo.lua [real]\n", complained)
  end)
end)

describe("examples/forge.lua", function()
  it("opens by hand, is challenged thrice, and resets by the right number", function()
    local printed = runner.well "forge"
    assert.matches("the server reads: connection reset by peer %(ECONNRESET%)\n", printed)
    for _, name in ipairs { "LTCP_ERR_CHECKSUM", "LTCP_ERR_DATA_OFFSET", "LTCP_ERR_TRUNCATED" } do
      assert.matches(name .. " +1\n", printed)
    end
    local plain = runner.plain(printed)
    for _, row in ipairs {
      "0.010000 < SYN,ACK seq 5000 ack 1001 <mss 1460> SYN-RECEIVED",
      "0.040000 < ACK seq 5001 ack 1001 ESTABLISHED", -- the gap
      "0.060000 < ACK seq 5001 ack 1007 ESTABLISHED", -- it is filled
      "0.080000 < ACK seq 5001 ack 1007 ESTABLISHED", -- challenges
      "0.100000 < ACK seq 5001 ack 1007 ESTABLISHED",
      "0.120000 < ACK seq 5001 ack 1007 ESTABLISHED",
      "1.130000 RST seq 1007 win 0 [forged] > CLOSED",
    } do
      assert(plain:find("\n" .. row .. "\n", 1, true), row .. "\n" .. plain)
    end
  end)
end)

describe("examples/file_transfer.lua", function()
  local path
  before_each(function()
    path = os.tmpname()
    os.remove(path)
    path = path .. " it's a \"file\"" -- as people name them
    local file = assert(io.open(path, "wb"))
    local parts = {}
    for i = 1, 4000 do parts[i] = ("line %d\r\n\0"):format(i) end
    file:write(table.concat(parts))
    file:close()
  end)
  after_each(function() os.remove(path) end)

  it("brings a file through loss and disorder, unchanged #udp", function()
    local printed = runner.well("file_transfer", { path })
    local sent = printed:match "\nsha%-256 sent      (%x+)\n"
    assert.equal(64, #sent)
    assert.equal(sent, printed:match "\nsha%-256 received  (%x+)\n")
    assert.matches("\nThe digests agree%.\n$", printed)
    assert.matches("\noctets            46893\n", printed)
    assert.matches("\ntime              %d+%.%d%d%d s\n", printed)
    assert.matches("\ngoodput           %d+%.%d%d%d Mbit/s\n", printed)
    assert.matches("\n100 %%       46893 octets", printed)
    -- Losses are drawn by the number of the packet: with this seed one of the first data is among them.
    local again, all = printed:match "\nretransmissions   (%d+) of (%d+) segments"
    assert(tonumber(again) > 0 and tonumber(all) > 33, printed)
    assert(tonumber(printed:match "\nlost              (%d+) of") > 0, printed)
    assert.matches("SYN seq 0 ", printed)
  end)

  it("brings an empty file #udp", function()
    assert(io.open(path, "wb")):close()
    local printed = runner.well("file_transfer", { path })
    assert.matches("\noctets            0\n", printed)
    assert.matches("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n.*agree", printed)
  end)

  it("says what is wrong with its argument", function()
    local _, complained, status = runner.run("file_transfer", { "/does/not/exist" })
    assert.equal(1, status)
    assert.equal("file_transfer: /does/not/exist: No such file or directory\n", complained)
    _, complained, status = runner.run("file_transfer", { "examples" })
    assert.equal(1, status)
    assert.equal("file_transfer: examples: Is a directory\n", complained)
    for _, arguments in ipairs { {}, { "one", "two" } } do
      _, complained, status = runner.run("file_transfer", arguments)
      assert.equal(1, status)
      assert.equal("file_transfer: usage: file_transfer.lua FILE\n", complained)
    end
  end)
end)

describe("examples/chat.lua", function()
  it("lets two processes talk, each half as long as it likes #udp", function()
    for _, address in ipairs { "127.0.0.1", "[::1]" } do
      local here = assert(io.popen("printf 'good morning\\nand goodbye\\n' | "
        .. runner.command("chat", { "--listen", address .. ":0" }) .. " 2>&1"))
      local port = assert(here:read "l"):match "^waiting at .*:(%d+)$"
      local there = assert(io.popen("printf 'who is there?\\nbye' | "
        .. runner.command("chat", { "--connect", address .. ":" .. port }) .. " 2>&1"))
      local there_said, here_said = there:read "a", here:read "a"
      assert.is_true(there:close())
      assert.is_true(here:close())
      for _, line in ipairs { "> good morning\n", "> and goodbye\n", "the other one has said goodbye\n" } do
        assert(there_said:find(line, 1, true), there_said)
      end
      for _, line in ipairs { "> who is there?\n", "> bye\n", "the other one has said goodbye\n" } do
        assert(here_said:find(line, 1, true), here_said)
      end
      assert(runner.plain(there_said):find " SYN%-SENT SYN seq 0 ", there_said)
      assert(runner.plain(here_said):find " ESTABLISHED < ACK seq 1 ack 1 ", here_said)
    end
  end)

  it("says what is wrong with its arguments", function()
    local cases <const> = {
      { {}, "Error: give %-%-listen or %-%-connect HOST:PORT" },
      { { "--listen", "127.0.0.1:1", "--connect", "127.0.0.1:1" }, "can not be used together" },
      { { "--listen", "nowhere" }, "^chat: nowhere: " },
      { { "--connect", "nowhere" }, "^chat: nowhere: " },
      { { "--shout" }, "unknown option" },
    }
    for _, case in ipairs(cases) do
      local _, complained, status = runner.run("chat", case[1])
      assert.equal(1, status)
      assert.matches(case[2], complained)
    end
  end)

  it("says that an address is in use #udp", function()
    local tcp = require "lunatcp"
    local net <close> = assert(tcp.network { seed = 1, clock = "real" })
    local taken = assert(net:tunnel(net:host(), { bind = "127.0.0.1:0", learn = true }))
    local _, complained, status = runner.run("chat", { "--listen", ("%s:%d"):format(taken:socket()) })
    assert.equal(1, status)
    assert.matches("^chat: 127%.0%.0%.1:%d+: .*address already in use\n", complained)
  end)
end)

describe("examples/queues.lua", function()
  it("shows that what is managed keeps the delay short", function()
    local printed = runner.well("queues", { "8" })
    local rows = {}
    for name, numbers in printed:gmatch "\n([%a][%a%- ,0-9]-)  +(%d[%d. ]+)" do
      local row = {}
      for number in numbers:gmatch "[%d.]+" do row[#row + 1] = tonumber(number) end
      rows[name] = row
    end
    -- Mbit/s, waits (mean, 99 %, most), ping (median, most), dropped, marked
    local bloated = assert(rows["drop-tail, 1000"], printed)
    assert.is_true(bloated[2] > 300 and bloated[5] > 300, printed)
    for _, name in ipairs { "RED", "CoDel", "FQ-CoDel", "PIE", "step, 40", "DualPI2" } do
      local row = assert(rows[name], printed)
      assert.is_true(row[1] > 5 and row[1] < 10, printed)
      assert.is_true(row[2] < bloated[2] / 4, printed)
      assert.is_true(row[8] > 0, printed)
    end
    assert.is_true(rows["FQ-CoDel"][6] < 45, printed) -- the ping never waits behind the transfer
    assert.equal(printed, (runner.run("queues", { "8" })))
  end)

  it("refuses other arguments", function()
    local _, complained, status = runner.run("queues", { "long" })
    assert.equal(1, status)
    assert.equal("usage: queues.lua [SECONDS]\n", complained)
  end)
end)

describe("examples/autotuning.lua", function()
  it("fills a fast path and leaves a slow one its buffers", function()
    local printed = runner.well "autotuning"
    local rows = {}
    for rate, receive, send in printed:gmatch "\n +%d +([%d.]+) +(%d+) +(%d+)" do
      rows[#rows + 1] = { tonumber(rate), tonumber(receive), tonumber(send) }
    end
    assert.equal(10, #rows)
    assert.is_true(rows[5][1] > 990 and rows[5][2] > 12500000 and rows[5][3] > 12500000)
    assert.is_true(rows[10][1] > 0.9)
    -- What the queue of 32 packets lets the window become, twice, with what it takes to keep it.
    assert.equal(540000, rows[10][2])
    assert.is_true(rows[10][3] < 400000, rows[10][3])
  end)
end)

describe("examples/aimd.lua", function()
  it("has the window of the core's NewReno, to the octet", function()
    local printed = runner.well "aimd"
    local rows = 0
    for mine, theirs in printed:gmatch "\n *[%d.]+ s +(%d+) +(%d+) " do
      assert.equal(theirs, mine)
      rows = rows + 1
    end
    assert.equal(40, rows)
    assert.matches("\nThey are the same, to the octet%.\n$", printed)
  end)
end)

describe("examples/congestion.lua", function()
  local NAMES <const> = { "newreno", "cubic", "dctcp", "prague", "bbr", "bbr1" }

  local function check(arguments)
    local printed = runner.well("congestion", arguments)
    local cost = {}
    for _, name in ipairs(NAMES) do
      local goodput, waited, again, marked = printed:match("\n" .. name ..
        " +[^\n]+\n +([%d.]+) Mbit/s, ([%d.]+) ms in the queue, (%d+) sent again, (%d+) marked\n")
      assert(goodput, name .. "\n" .. printed)
      assert.is_true(tonumber(goodput) > 15)
      cost[name] = { waited = tonumber(waited), again = tonumber(again), marked = tonumber(marked) }
    end
    return cost
  end

  it("draws six windows over a queue that only drops", function()
    local cost = check {}
    assert.is_true(cost.bbr.waited < cost.newreno.waited / 2)
    assert.equal(0, cost.cubic.marked)
  end)

  it("and over one that marks", function()
    local cost = check { "dualpi2" }
    assert.is_true(cost.prague.waited < 3 and cost.prague.marked > 100)
    assert.is_true(cost.newreno.marked > 5 and cost.newreno.again < 50)
  end)

  it("refuses another queue", function()
    local _, complained, status = runner.run("congestion", { "long" })
    assert.equal(1, status)
    assert.equal("usage: congestion.lua [drop_tail|codel|pie|dualpi2]\n", complained)
  end)
end)

describe("examples/flood.lua", function()
  it("connects beside a flood with cookies, and not without", function()
    local printed = runner.well("flood", { "15000" })
    local without, full, always = printed:match
      "^15000 forged SYNs\n(.-\n)(cookies where.-\n)(cookies always.*)$"
    assert.matches("the client gave up after 10 s\n", without)
    assert.matches("held, at most: 128\n", without)
    for _, part in ipairs { full, always } do
      assert.matches("the client is connected after 20 ms\n", part)
      assert.matches("SYNs dropped: 0, answered by a cookie: %d+, cookies that came back: 1\n", part)
      assert.matches("agreed: MSS 1448, window scale 3 and 3, SACK true, timestamps true\n", part)
    end
    assert.matches("held, at most: 129\n", full)
    assert.matches("held, at most: 1\n", always)
  end)

  it("refuses other arguments", function()
    local _, complained, status = runner.run("flood", { "many" })
    assert.equal(1, status)
    assert.equal("usage: flood.lua [SYNS]\n", complained)
  end)
end)

describe("examples/fast_open.lua", function()
  it("asks for a cookie, saves a round trip, and is given a new one when that has expired", function()
    local printed = runner.well "fast_open"
    for _, line in ipairs {
      'first      200 ms: "hello, asked in ESTABLISHED"; asked for a cookie, 0 of 0',
      'second     100 ms: "hello, asked in SYN-RECEIVED"; showed a cookie, 5 of 5',
      'refused    200 ms: "hello, asked in ESTABLISHED"; showed a cookie, 0 of 5',
      'renewed    100 ms: "hello, asked in SYN-RECEIVED"; showed a cookie, 5 of 5',
    } do
      assert(printed:find(line .. " octets taken from the SYN\n", 1, true), printed)
    end
  end)
end)

describe("examples/spurious.lua", function()
  local printed
  setup(function() printed = runner.well "spurious" end)

  it("RFC5682:2.1-2 RFC5682:3.1-3 RFC9438:4.9.1-1 tells why the timeout was in error, by steps", function()
    local at = 1
    for _, remark in ipairs {
      "(tail loss probe)", "(retransmission timeout; RTO is now 0.44 s)",
      "(F-RTO: step 1: the first segment goes again)", "(response to a timeout; cwnd 1448, ssthresh ",
      "(F-RTO: step 2b: new data goes first)", "(F-RTO: step 3b: nothing was lost)",
      "(undo: F-RTO; cwnd 5792)", "\nWhat the algorithms said:\n", "  undo: F-RTO, cwnd 5792\n",
    } do
      local _, last = printed:find(remark, at, true)
      assert.is_truthy(last, remark)
      at = last
    end
  end)

  it("stands in docs/trace.md as it is printed", function()
    local file <close> = assert(io.open "docs/trace.md")
    local block = file:read "a":match "\n```\n(.-)```\n"
    for line in block:gmatch "[^\n]+" do assert.is_truthy(printed:find(line .. "\n", 1, true), line) end
  end)
end)
