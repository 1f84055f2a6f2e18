-- lunatcp cat as two terminals use it: each end a process, files and pipes through.
local program = require "support.program"
local shell = require "support.shell"

local dkjson = require "dkjson"
local luv = require "luv"

local lunatcp <const> = program.command

describe("lunatcp cat #udp", function()
  local scratch

  lazy_setup(function()
    scratch = shell.scratch()
    -- Every octet, no line ends where a text would have them, longer than any buffer.
    local octets = {}
    for i = 0, 255 do octets[#octets + 1] = string.char(i, 255 - i, 10, 0) end
    shell.write(scratch .. "/octets", table.concat(octets):rep(3000))
  end)
  lazy_teardown(function() shell.remove(scratch) end)

  -- Runs a listener in the background, then what `client` makes of its address, in one shell; gives what
  -- the listener complained of, what the client did, and the status of each.
  local function two(listener, client)
    local script = ([[
      cd %s || exit 9
      rm -f listening done status complaints to_listener to_client
      { { %s; } 2>listening; echo $? >done; } &
      %s
      { %s; } 2>complaints
      echo $? >status
      wait]]):format(shell.quote(scratch), listener, program.await_listener "at", client)
    shell.write(scratch .. "/script", script)
    shell.run("timeout 60 bash", shell.quote(scratch .. "/script"))
    local function status(name) return tonumber(shell.read(scratch .. "/" .. name)) end
    return shell.read(scratch .. "/listening"), shell.read(scratch .. "/complaints"), status "done",
      status "status"
  end

  local function same(name)
    return shell.read(scratch .. "/" .. name) == shell.read(scratch .. "/octets")
  end

  it("carries files both ways at once, octet by octet, and ends when both have", function()
    local listening, complaints, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 <octets >to_listener",
      lunatcp "cat $at 7 <octets >to_client")
    assert.same({ 0, 0, "" }, { one, other, complaints }, listening)
    assert.is_true(same "to_listener")
    assert.is_true(same "to_client")
  end)

  it("carries them through pipes, over IPv6, with losses of one seed on the way", function()
    local listening, complaints, one, other = two(
      lunatcp "cat -v -l 7 --bind '[::1]:0' --framing rawip --loss 2% --reorder 5% --seed 4 </dev/null"
        .. " | cat >to_listener",
      "cat octets | " .. lunatcp "cat $at 7 --framing rawip --loss 3% --seed 5 --json >to_client")
    assert.same({ 0, 0 }, { one, other }, listening .. complaints)
    assert.is_true(same "to_listener")
    assert.equal("", shell.read(scratch .. "/to_client"))
    local report = assert(dkjson.decode(complaints))
    assert.equal(3000 * 1024, report.sent)
    assert.is_true(report.forward.dropped.loss > 10)
    -- What was under way when it ended is neither.
    local under_way = report.forward.packets - report.forward.delivered - report.forward.dropped.loss
    assert.is_true(under_way >= 0 and under_way <= 4, under_way)
    assert.is_true(report.retransmitted >= report.forward.dropped.loss)
  end)

  -- PORT is a number of UDP that nobody has.
  for framing, arguments in pairs { -- each by itself
    rawip = { "--bind 127.0.0.1:0 -l 7", "$at 7" },
    vxlan = { "--vni 5 --bind 127.0.0.3:PORT -l 7", "--vni 5 --bind 127.0.0.4:PORT $at 7" },
    cheshire = { "-l PORT", "127.0.0.1 PORT" },
    plain = { "--address fd00::2/64 --remote-address fd00::1 --bind 127.0.0.1:0 -l 7",
              "--address fd00::1/64 --remote-address fd00::2 $at 7" },
  } do
    it("carries files by " .. framing, function()
      local socket = luv.new_udp()
      socket:bind("127.0.0.1", 0)
      local port = ("%d"):format(socket:getsockname().port)
      socket:close()
      luv.run "nowait"
      local with = "cat -w 10 --framing " .. framing .. " "
      local listening, complaints, one, other = two(
        lunatcp(with .. "-v " .. arguments[1]:gsub("PORT", port) .. " <octets >to_listener"),
        lunatcp(with .. arguments[2]:gsub("PORT", port) .. " <octets >to_client"))
      assert.same({ 0, 0, "" }, { one, other, complaints }, listening)
      assert.is_true(same "to_listener" and same "to_client")
    end)
  end

  it("half-closes when its input ends, and goes on reading", function()
    local _, complaints, one, other = two(
      -- The listener answers once it has heard everything.
      "mkfifo talk; " .. lunatcp "cat -v -l 7 --bind 127.0.0.1:0 <talk | (cat; echo and out) >talk",
      "printf question | " .. lunatcp "cat $at 7 >to_client")
    assert.same({ 0, 0, "" }, { one, other, complaints })
    assert.equal("questionand out\n", shell.read(scratch .. "/to_client"))
  end)

  it("tells the other end that it has ended, also when that one ended first, and soon exits", function()
    local _, complaints, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null >to_listener; date +%s%N >left_first",
      "(printf hello; sleep 0.3) | " .. lunatcp "cat $at 7 >to_client; date +%s%N >left_last")
    assert.same({ 0, 0, "" }, { one, other, complaints })
    assert.equal("hello", shell.read(scratch .. "/to_listener"))
    local first, last = shell.read(scratch .. "/left_first"), shell.read(scratch .. "/left_last")
    local between = (tonumber(first) - tonumber(last)) / 1e9
    assert.is_true(between > 0 and between < 4, tostring(between))
  end)

  it("ends in bounded time when the other end's process is gone", function()
    local _, _, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null >to_listener & pid=$!; "
        .. "until [ -s to_listener ]; do sleep 0.02; done; kill -KILL $pid; wait $pid",
      "(printf hello; sleep 0.5) | " .. lunatcp "cat $at 7 >to_client")
    assert.same({ 137, 0 }, { one, other })
  end)

  it("RFC9293:MUST-21 gives up data that nobody acknowledges, after as long as it is told", function()
    local _, complaints, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null >to_listener & pid=$!; "
        .. "until [ -s to_listener ]; do sleep 0.02; done; kill -KILL $pid; wait $pid",
      "(printf hello; sleep 0.5; printf world; sleep 6) | { date +%s%N >began; "
        .. lunatcp "cat --give-up 1s --json $at 7 >to_client" .. "; s=$?; date +%s%N >ended; exit $s; }")
    assert.same({ 137, 1 }, { one, other })
    assert.matches("ETIMEDOUT", complaints)
    local took = (tonumber(shell.read(scratch .. "/ended")) - tonumber(shell.read(scratch .. "/began"))) / 1e9
    assert.is_true(took > 1.2 and took < 5.5, tostring(took))
  end)

  it("keeps no more than its buffers while nobody reads", function()
    local _, complaints, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null" .. " | (sleep 1; cat) >to_listener",
      "dd bs=4096 count=2000 if=/dev/zero 2>/dev/null | " .. lunatcp "cat $at 7 >to_client")
    assert.same({ 0, 0, "" }, { one, other, complaints })
    assert.equal(2000 * 4096, #shell.read(scratch .. "/to_listener"))
  end)

  it("says why it failed, with status 1", function()
    local _, status
    local function fail(arguments)
      local printed
      printed, _, status = shell.run("cd", shell.quote(scratch), "&&", lunatcp(arguments))
      assert.equal(1, status, printed)
      return printed
    end
    assert.equal("lunatcp: cat: port 7: the deadline of this call came first: connect (EAGAIN)\n",
      fail "cat -w 100ms 127.0.0.1:9 7")
    assert.equal("lunatcp: cat: port 7: no connection came before the deadline (EAGAIN)\n",
      fail "cat -w 100ms --bind 127.0.0.1:0 -l 7")
    assert.equal("lunatcp: udp 192.0.2.1:9: address not available (EADDRNOTAVAIL)\n",
      fail "cat --bind 192.0.2.1:9 -l 7")
    assert.matches("nowhere/x: no such file or directory",
      fail "cat --capture nowhere/x --bind 127.0.0.1:0 -l 7")
  end)

  it("says that a standard stream is closed, and gives no socket its place", function()
    for streams, complaint in pairs { -- each by itself
      ["</dev/null >&-"] = "standard output: write: bad file descriptor (EBADF)",
      ["<&- >to_listener"] = "standard input: read: bad file descriptor (EBADF)",
    } do
      local listening, _, one, other = two(lunatcp("cat -v -l 7 --bind 127.0.0.1:0 " .. streams),
        lunatcp "cat $at 7 <octets >to_client")
      assert.same({ 1, 1 }, { one, other })
      assert.is_truthy(listening:find(complaint, 1, true), listening)
    end
  end)

  it("aborts the connection when nobody reads its output, and the other end hears of it", function()
    local _, complaints, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null | head -c 1 >/dev/null; (exit ${PIPESTATUS[0]})",
      lunatcp "cat $at 7 <octets >to_client")
    assert.same({ 1, 1 }, { one, other })
    assert.matches("^lunatcp: cat: connection: .*%(ECONNRESET%)\n$", complaints)
  end)

  it("ends by a signal with 128 and more, and the connection is reset", function()
    local listening, _, one, other = two(
      lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null >to_listener",
      "mkfifo open; exec 9<>open; (exec " .. lunatcp "cat -v $at 7 <open >to_client" .. ") & pid=$!; "
        .. "for _ in $(seq 400); do grep -q connected complaints && break; sleep 0.02; done; "
        .. "kill -TERM $pid; wait $pid")
    assert.same({ 1, 143 }, { one, other }, listening)
    assert.matches("%(ECONNRESET%)\n$", listening)
  end)

  it("refuses what makes no sense, with status 2", function()
    local function refuse(arguments, pattern)
      local printed, _, status = shell.run("cd", shell.quote(scratch), "&&", lunatcp(arguments))
      assert.equal(2, status, printed)
      assert.matches(pattern, printed)
    end
    refuse("cat 7", "cat: ADDRESS and PORT expected")
    refuse("cat -l 127.0.0.1 7", "cat: %-l takes a PORT alone")
    refuse("cat 127.0.0.1 http", "cat: 'http' is no port")
    refuse("cat example.org 7", "cat: 'example.org' is no address of numbers")
    refuse("cat 127.0.0.1 7 --loss 200%", "lunatcp: %-%-loss: '200%%' is no chance %(1%% or 0.01%)")
    refuse("cat 127.0.0.1 7 -w x", "lunatcp: %-%-wait: 'x' is no time")
    refuse("cat 127.0.0.1 7 --vni 7", "lunatcp: tunnel: vni: only framing 'vxlan' has it, not 'plain'\n$")
    refuse("cat 127.0.0.1 7 --queue x", "lunatcp: end 1.path.queue: kind: 'drop_tail',")
    refuse("cat 127.0.0.1:8 7 --framing cheshire", "cheshire has no ports but the sockets': 8 is not 7")
    refuse("cat 127.0.0.1 7 --delay 3h", "'3h' is no time")
    refuse("cat 127.0.0.1 7 --lose 3,2", "'3,2' is no list of ascending numbers")
    refuse("cat 127.0.0.1 7 --lose 3 --loss 1%", "'%-%-loss' can not be used together with option '%-%-lose'")
    refuse("cat 127.0.0.1 7 --back speed=3", "'speed=3' is not NAME=VALUE")
    refuse("cat 127.0.0.1 7 --address 10.0.0.x", "tunnel: address%[1%]: '10.0.0.x' is no address")
  end)
end)
