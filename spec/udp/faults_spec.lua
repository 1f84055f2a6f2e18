-- Calls of the system that fail as they may: nothing that was accepted is lost, and nobody spins.
local program = require "support.program"
local shell = require "support.shell"

local dkjson = require "dkjson"

describe("a tunnel whose system fails #udp #build", function()
  local scratch

  setup(function()
    scratch = shell.scratch()
    shell.succeed(os.getenv "CC" or "cc", "-O1 -shared -fPIC -o", shell.quote(scratch .. "/faulty.so"),
      "spec/udp/faulty.c -ldl")
    local lines = {}
    for i = 1, 100000 do lines[i] = ("%09d\n"):format(i * 7919 % 1000000007) end
    shell.write(scratch .. "/file", table.concat(lines))
  end)
  teardown(function() shell.remove(scratch) end)

  -- Sends the file from one process to another, with a fault in the one that sends or receives. Gives how
  -- often it came, and processor seconds and counts of the process that had it.
  local function transfer(fault, where, batch, every)
    local function lunatcp(at, arguments)
      local preload = at == where and ("LD_PRELOAD=%s/faulty.so FAULT=%s FAULT_EVERY=%d FAULT_REPORT=faults")
        :format(scratch, fault, every) or ""
      return program.command(("cat --json --batch %s %s"):format(batch, arguments), preload)
    end
    shell.write(scratch .. "/script", ([[
      cd %s || exit 9
      rm -f listening complaints arrived faults
      %s -v -l 7 --bind 127.0.0.1:0 </dev/null >arrived 2>listening & listener=$!
      %s
      %s $at 7 <file 2>complaints || echo client $?
      wait $listener || echo listener $?
      times | tail -n 1]]):format(shell.quote(scratch), lunatcp("receiver", ""),
        program.await_listener "at", lunatcp("sender", "")))
    local printed = shell.run("timeout 60 bash", shell.quote(scratch .. "/script"))
    local user, system = printed:match "^0m([%d.]+)s 0m([%d.]+)s\n$"
    local told = shell.read(scratch .. "/" .. (where == "sender" and "complaints" or "listening")) or ""
    assert.is_string(user, ("%s: %s%s"):format(fault, printed, told))
    assert.is_true(shell.read(scratch .. "/file") == shell.read(scratch .. "/arrived"), fault)
    local count = tonumber(shell.read(scratch .. "/faults"))
    assert.is_true(count >= 1, fault .. ": never came")
    return count, user + system, assert(dkjson.decode(told:match "{.*}"))
  end

  -- A process that spins takes what it can get; two of these take less together.
  local function is_calm(seconds) assert.is_true(seconds < 5, seconds .. " processor seconds") end

  -- Whatever the link let through, the kernel has taken once, but for an answer to what came when the program
  -- was over: a reset for the second copy of the last acknowledgment.
  local function took_each_once(report)
    assert.equal(1000000, report.sent)
    local left = report.forward.delivered - report.datagrams_out
    assert.is_true(left == 0 or left == 1, left)
  end

  for _, fault in ipairs { "EAGAIN", "ENOBUFS", "ENOMEM", "EPERM", "EINTR" } do
    for _, batch in ipairs { "auto", "mmsg", "plain" } do
      it(("sends on after %s (%s)"):format(fault, batch), function()
        local _, seconds, report = transfer(fault, "sender", batch, 5)
        is_calm(seconds)
        if fault == "EPERM" then -- the datagrams are gone, and TCP sends again
          assert.equal(1000000, report.sent)
          assert.is_true(report.retransmitted > 0)
        else
          took_each_once(report)
        end
      end)
    end
  end

  for _, batch in ipairs { "mmsg", "auto" } do
    it(("sends on when the kernel takes fewer than it was given (%s)"):format(batch), function()
      local _, seconds, report = transfer("fewer", "sender", batch, 2)
      is_calm(seconds)
      took_each_once(report)
    end)
  end

  for _, fault in ipairs { "EIO", "EINVAL" } do
    it(("sends one by one, and loses none, when trains are refused: %s"):format(fault), function()
      local _, seconds, report = transfer(fault, "sender", "auto", 1)
      is_calm(seconds)
      took_each_once(report)
    end)
  end

  for _, case in ipairs { { "cut", "auto" }, { "cut", "mmsg" }, { "truncated", "auto" }, { "gro0", "auto" },
    { "gro7", "auto" }, { "gro65000", "auto" } } do
    local fault, batch = table.unpack(case)
    it(("takes in nothing that is not whole: %s (%s)"):format(fault, batch), function()
      local _, seconds, report = transfer(fault, "receiver", batch, 11)
      is_calm(seconds)
      assert.equal(1000000, report.received)
    end)
  end

  it("goes on when the clock jumps, ahead and back", function()
    for _, fault in ipairs { "ahead", "back" } do
      for _, where in ipairs { "sender", "receiver" } do
        is_calm((select(2, transfer(fault, where, "auto", 60))))
      end
    end
  end)
end)
