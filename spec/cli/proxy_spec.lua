-- lunatcp proxy and lunatcp capture as a person uses them: other programs' sockets, files, pipes.
local program = require "support.program"
local shell = require "support.shell"

local dkjson = require "dkjson"

local lunatcp <const>, await <const> = program.command, program.await

local scratch
-- Runs lines of bash in the scratch directory; what they print, and their status.
local function bash(lines)
  shell.write(scratch .. "/script", ("cd %s || exit 9\n%s\n"):format(shell.quote(scratch), lines))
  local printed, _, status = shell.run("timeout 60 bash", shell.quote(scratch .. "/script"))
  return printed, status
end

-- A proxy before a listener of lunatcp cat: `through` runs with the proxy's address in $at.
local function before_cat(options, through)
  return table.concat({
    lunatcp "cat -v -l 7 --bind 127.0.0.1:0 </dev/null >arrived 2>listening" .. " & listener=$!",
    program.await_listener "to",
    lunatcp(("proxy $to %s >proxied 2>complained"):format(options)) .. " & proxy=$!",
    await("at", "proxied", "proxy *\\(.*\\) >.*"), through, "wait $listener",
    "kill -TERM $proxy; wait $proxy; echo proxy $?",
  }, "\n")
end

describe("lunatcp proxy #udp", function()
  lazy_setup(function() scratch = shell.scratch() end)
  lazy_teardown(function() shell.remove(scratch) end)

  it("stands between two programs, loses what it is told to, and counts", function()
    shell.write(scratch .. "/file", ("0123456789"):rep(20000))
    local options = "--lose 2,5,9 --delay 1ms --seed 6 --capture wire.pcapng --bind 127.0.0.1:0"
    local printed = bash(before_cat(options, lunatcp "cat $at 7 <file; echo client $?"))
    assert.equal("client 0\nproxy 0\n", printed)
    assert.is_true(shell.read(scratch .. "/file") == shell.read(scratch .. "/arrived"))
    local proxied = shell.read(scratch .. "/proxied")
    assert.matches("\nforward  %d+ packets, %d+ octets, %d+ delivered, 3 dropped: loss\n", proxied)
    assert.matches("\nback     %d+ packets, %d+ octets, %d+ delivered, 3 dropped: loss\n", proxied)
    assert.matches("\nclients  1, refused datagrams 0, misled 0\n$", proxied)
    assert.equal("", shell.read(scratch .. "/complained"))
    local decoded = bash(lunatcp "decode --links wire.pcapng")
    assert.equal(6, select(2, decoded:gsub("# dropped: loss\n", "")))
    local segments = bash(lunatcp "decode --framing plain wire.pcapng")
    assert.matches("    1 [^\n]*:7  SYN seq 0 win 65535 <mss [^\n]*>\n", segments)
    assert.equal(6, select(2, segments:gsub("ACK seq [^\n]*  # dropped: loss\n", "")))
    assert.matches("# proxy: forward: delay 0.001 s, loss of packets 2,5,9 %(seed 6, stream %x+%)", decoded)
  end)

  it("prints a ladder's worth of capture while it runs, and ends by itself", function()
    local printed, status = bash(table.concat({
      lunatcp "proxy 127.0.0.1:9 --bind 127.0.0.1:0 --for 1.5s --capture - 2>words" ..
        " | " .. lunatcp "decode -" .. " >lines & at=",
      await("at", "words", "proxy *127.0.0.1:\\(.*\\) >.*"),
      "echo -n x >/dev/udp/127.0.0.1/$at; wait; cat lines words",
    }, "\n"))
    assert.equal(0, status)
    assert.matches("    1 +0.000000000 .*\nproxy", printed)
    assert.matches("\nforward  1 packets, 29 octets, 1 delivered\n", printed)
  end)

  it("counts as JSON", function()
    local printed, status = bash(lunatcp "proxy 127.0.0.1:9 --for 10ms --json --seed 5 --loss 1% --clients 3")
    assert.equal(0, status)
    local counts = assert(dkjson.decode(printed))
    assert.same({ 0, 0, 5, 0 }, { counts.clients, counts.refused, counts.seed, counts.forward.packets })
    assert.matches('^{"clients":0,"clients_now":0,"forgotten":0,"refused":0,', printed)
  end)

  it("says what is wrong, with status 1, or 2 for wrong usage", function()
    local function fails(status, arguments, pattern)
      local printed, got = bash(lunatcp(arguments))
      assert.equal(status, got, printed)
      assert.matches(pattern, printed)
    end
    fails(2, "proxy", "missing argument 'server'")
    fails(2, "proxy 127.0.0.1", "proxy: '127.0.0.1' is no ADDRESS:PORT of numbers")
    fails(2, "proxy 127.0.0.1:0", "proxy: '127.0.0.1:0' is no ADDRESS:PORT of numbers")
    fails(2, "proxy 127.0.0.1:9 --bind x", "proxy: %-%-bind: 'x' is no ADDRESS:PORT")
    fails(2, "proxy 127.0.0.1:9 --clients 0",
      "lunatcp: %-%-clients: '0' is no number of clients from 1 to 65535")
    fails(2, "proxy 127.0.0.1:9 --queue nonsense", "nonsense")
    fails(1, "proxy 127.0.0.1:9 --bind 192.0.2.1:9",
      "udp 192.0.2.1:9: address not available %(EADDRNOTAVAIL%)")
    fails(1, "proxy 127.0.0.1:9 --capture nowhere/x", "nowhere/x: no such file or directory")
  end)
end)

describe("lunatcp capture", function()
  lazy_setup(function()
    scratch = shell.scratch()
    shell.write(scratch .. "/scene.lua", [[
      local tcp = require "lunatcp"
      local function play(seed)
        local net = tcp.network { seed = seed }
        local client, server = net:host "client", net:host "server"
        local link = net:link(client, server, { delay = 0.01 })
        link:drop { from = client, data = true, nth = 1 }
        local listener = server:listen(80)
        net:spawn(function() listener:accept():read(5) end)
        client:connect(server, 80):write "hello"
        net:run()
        net:close()
      end
      play(1)
      if ... == "twice" then play(2) end
      print("played", ...)
      if ... == "fail" then error "on purpose" end
      if ... == "leave" then os.exit(7, true) end]])
  end)
  lazy_teardown(function() shell.remove(scratch) end)

  it("writes what a script's links carry into a file, or into a pipe", function()
    local printed, status = bash(lunatcp "capture -o run.pcapng scene.lua one --json")
    assert.equal(0, status, printed)
    assert.equal('played\tone\n{"file":"run.pcapng","packets":6,"missed":0,"seed":1}\n', printed)
    local decoded = bash(lunatcp "decode --links run.pcapng")
    assert.matches("len 5 .-  # dropped: rule\n", decoded)
    assert.matches("it did: forward: 4 packets, 3 delivered, 1 dropped: rule; back: 2 packets, 1 delivered; "
      .. "rules: drop { from = client, data = true, nth = 1 } 1 of 2\n$", decoded)
    local piped = bash(lunatcp "capture scene.lua 2>words" .. " | " .. lunatcp "decode --links -"
      .. "; cat words")
    assert.equal(decoded .. "played\n", piped)
  end)

  it("gives each network a file", function()
    local printed, status = bash(lunatcp "capture -o two.pcapng scene.lua twice; ls *.pcapng")
    assert.equal(0, status)
    assert.matches("two%-2.pcapng\ntwo.pcapng\n", printed)
    printed, status = bash(lunatcp "capture scene.lua twice >/dev/null")
    assert.equal(1, status)
    assert.matches("lunatcp: capture: the script makes several networks: give %-o FILE", printed)
  end)

  it("has the status of a script that fails or leaves, and the capture is whole", function()
    local printed, status = bash(lunatcp "capture -o fail.pcapng scene.lua fail")
    assert.equal(1, status)
    assert.matches("on purpose\nstack traceback", printed)
    assert.equal(7, (select(2, bash(lunatcp "capture -o leave.pcapng scene.lua leave"))))
    for _, name in ipairs { "fail", "leave" } do
      local decoded, good = bash(lunatcp(("decode %s.pcapng"):format(name)))
      assert.equal(0, good)
      assert.equal(6, select(2, decoded:gsub("\n", "")))
    end
    assert.equal(1, (select(2, bash(lunatcp "capture -o nowhere/x scene.lua"))))
    printed = bash(lunatcp "capture -o leave.pcapng scene.lua leave --json")
    assert.equal('played\tleave\n{"file":"leave.pcapng","packets":6,"missed":0,"seed":1}\n', printed)
  end)

  it("says when there was nothing to capture, with status 1", function()
    shell.write(scratch .. "/nothing.lua", "")
    local printed, status = bash(lunatcp "capture -o nothing.pcapng nothing.lua; s=$?; ls; exit $s")
    assert.equal(1, status)
    assert.matches("lunatcp: capture: the script made no network: nothing was written\n", printed)
    assert.is_nil(printed:find("nothing.pcapng", 1, true))
  end)
end)
