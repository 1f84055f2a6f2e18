-- The command line as a person uses it: each command in a process of its own.
local pcapng = require "lunatcp.pcapng"
local program = require "support.program"
local shell = require "support.shell"
local tcp = require "lunatcp"

local dkjson = require "dkjson"

describe("lunatcp", function()
  local scratch

  lazy_setup(function() scratch = shell.scratch() end)
  lazy_teardown(function() shell.remove(scratch) end)


  -- What it printed, what it complained of, and its exit status.
  local function lunatcp(arguments, input)
    local path = scratch .. "/errors"
    local printed, _, status = shell.run("cd", shell.quote(scratch), "&& env -u LUNATCP_SEED",
      shell.modules(), "lua5.4", shell.quote(program.PATH), arguments,
      input and "<" .. shell.quote(input) or "", "2>" .. shell.quote(path))
    return printed, shell.read(path), status
  end

  local function succeed(arguments, input)
    local printed, complained, status = lunatcp(arguments, input)
    assert.equal("", complained)
    assert.equal(0, status)
    return printed
  end

  local function refuse(arguments, pattern)
    local printed, complained, status = lunatcp(arguments)
    assert.equal(2, status, complained)
    assert.equal("", printed)
    assert.matches("^Usage: lunatcp ", complained)
    assert.matches(pattern, complained)
  end

  it("lists its commands, and helps with each", function()
    local help = succeed "--help"
    local commands = {}
    for name in help:match "\nCommands:\n(.-)\n\n":gmatch "[^\n]+" do
      commands[#commands + 1] = name:match "^ +(%S+)"
    end
    assert.same({
      "new-spec", "run", "cat", "proxy", "capture", "decode", "pkt", "settings", "version",
    }, commands)
    for _, name in ipairs(commands) do
      assert.matches("^Usage: lunatcp " .. name:gsub("%-", "%%-") .. " ", succeed(name .. " --help"))
    end
  end)

  it("refuses wrong usage with status 2", function()
    refuse("", "lunatcp: a command is required")
    refuse("decide", "lunatcp: unknown command 'decide'")
    refuse("version --jsn", "lunatcp: unknown option '%-%-jsn'")
    refuse("decode", "lunatcp: missing argument 'file'")
    refuse("decode --json --ladder x", "can not be used together")
    refuse("decode --port http x", "'http' is no port")
    refuse("decode --host localhost x", "decode: 'localhost' is no address")
    refuse("decode --width 20 x", "'20' is no width from 60 to 1000")
    refuse("settings --profile bsd", "must be one of 'rfc', 'linux'")
    refuse("new-spec a/b", "new%-spec: 'a/b' is no name")
    refuse("run", "lunatcp: missing argument 'script'")
  end)

  it("has status 1 when what it prints cannot be written", function()
    local _, complained, status = lunatcp "version >/dev/full"
    assert.equal(1, status)
    assert.matches("^lunatcp: standard output: ", complained)
    assert.equal(1, select(3, lunatcp "settings >/dev/full"))
  end)

  it("tells the version", function()
    assert.equal(("lunatcp %s (Lua 5.4)\n"):format(tcp.version), succeed "version")
    assert.same({ lunatcp = tcp.version, lua = "Lua 5.4" }, (dkjson.decode(succeed "version --json")))
  end)

  describe("settings", function()
    it("lists every setting with both profiles", function()
      local printed = succeed "settings"
      assert.matches("^setting +rfc +linux +unit +limits +meaning\n", printed)
      for _, setting in ipairs(tcp.settings()) do
        assert.is_truthy(("\n" .. printed):find("\n" .. setting.name .. " ", 1, true), setting.name)
        assert.is_truthy(printed:find(setting.what, 1, true), setting.what)
      end
      assert.matches("\nmsl +120 +30 +s +0 to 3600 +maximum segment lifetime\n", printed)
      assert.matches("\nnagle +yes +yes +Nagle's algorithm\n", printed)
      assert.matches("\nsyn_options of linux: mss sack_permitted timestamps", printed)
    end)

    it("lists one profile", function()
      assert.matches("^setting +linux +unit +limits +meaning\n", succeed "settings --profile linux")
    end)

    it("gives JSON, one object a line", function()
      local seen = {}
      for line in succeed "settings --json":gmatch "[^\n]+" do
        local object = assert(dkjson.decode(line))
        seen[object.name] = object
      end
      for _, setting in ipairs(tcp.settings()) do
        assert.same({ rfc = setting.rfc, linux = setting.linux }, seen[setting.name].values)
      end
      assert.equal("s", seen.msl.unit)
      assert.equal(3600, seen.msl.most)
      assert.equal("mss", seen.syn_options.values.rfc[1])
    end)
  end)

  describe("run", function()
    it("gives the script its arguments, options too", function()
      shell.write(scratch .. "/script.lua", [[print(arg[0], #arg, require "lunatcp".version, ...)]])
      assert.equal(("script.lua\t3\t%s\t--json\ta\t-x\n"):format(tcp.version),
        succeed "run script.lua --json a -x")
      assert.equal(("-\t0\t%s\n"):format(tcp.version), succeed("run -", scratch .. "/script.lua"))
    end)

    it("says with --json before the script how it went, at the end", function()
      shell.write(scratch .. "/script.lua", [[print(...)]])
      local printed, complained, status = lunatcp "run --json script.lua --json a"
      assert.equal("--json\ta\n", printed)
      assert.equal(0, status)
      local went = dkjson.decode(complained)
      assert.same({ "script.lua", 0 }, { went.script, went.status })
      assert.is_nil(went.problem)
      assert.is_true(went.seconds > 0)
      shell.write(scratch .. "/script.lua", "error 'it broke'")
      complained, status = select(2, lunatcp "run --json script.lua")
      assert.equal(1, status)
      went = dkjson.decode(complained)
      assert.equal(1, went.status)
      assert.matches("^script.lua:1: it broke\nstack traceback:", went.problem)
      complained = select(2, lunatcp "run --json nowhere.lua")
      assert.matches("cannot open nowhere.lua", dkjson.decode(complained).problem)
      assert.equal(2, select(3, lunatcp "run --json"))
      assert.matches("\n +%-%-json +Before SCRIPT", (succeed "run --help"))
    end)

    it("says so with --json too when the script ends the process", function()
      for code, status in pairs { ["7"] = 7, ["false"] = 1, ["true, true"] = 0 } do -- each by itself
        shell.write(scratch .. "/script.lua", ("os.exit(%s)"):format(code))
        local complained, exit = select(2, lunatcp "run --json script.lua")
        assert.equal(status, exit)
        assert.same({ "script.lua", status }, { dkjson.decode(complained).script,
          dkjson.decode(complained).status })
      end
    end)

    it("refuses options that it does not have, with status 2", function()
      local complained, status = select(2, lunatcp "run --jsn script.lua")
      assert.equal(2, status)
      assert.matches("lunatcp: run: unknown option '%-%-jsn'", complained)
    end)

    it("passes on the script's exit status", function()
      shell.write(scratch .. "/script.lua", "os.exit(7)")
      assert.equal(7, select(3, lunatcp "run script.lua"))
    end)

    it("tells an error with its traceback, status 1", function()
      shell.write(scratch .. "/script.lua", "local function deep() error 'it broke' end\ndeep()\n")
      local _, complained, status = lunatcp "run script.lua"
      assert.equal(1, status)
      assert.matches("^lunatcp: script.lua:1: it broke\nstack traceback:.-script.lua:2: in main chunk",
        complained)
      shell.write(scratch .. "/script.lua", "error {}")
      assert.matches("^lunatcp: %(error object is a table value%)\n$", select(2, lunatcp "run script.lua"))
      shell.write(scratch .. "/script.lua", "x =")
      assert.matches("^lunatcp: script.lua:1: unexpected symbol", select(2, lunatcp "run script.lua"))
      assert.matches("^lunatcp: cannot open nowhere.lua", select(2, lunatcp "run nowhere.lua"))
    end)
  end)

  describe("decode", function()
    -- A capture of a handshake whose first SYN a rule drops, and of one line of data.
    lazy_setup(function()
      local net = tcp.network { seed = 1, settings = { timestamps = false, isn = 1000 } }
      local client, server = net:host "client", net:host "server"
      net:link(client, server, { delay = 0.01 }):drop { syn = true, nth = 1 }
      local listener = server:listen(80)
      local capture = assert(net:capture(scratch .. "/run.pcapng"))
      local conn = assert(client:connect(server, 80, { local_port = 1024 }))
      conn:write "hello"
      assert(listener:accept()):read(5)
      capture:close()
      net:close()
    end)

    it("prints a line for each packet, numbers counted from the SYN's", function()
      local printed = succeed "decode run.pcapng"
      local lines = {}
      for line in printed:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.same({
        "    1     0.000000000  10.0.1.1:1024 > 10.0.1.2:80  SYN seq 0 win 65535 <mss 1460 ws 3 sackOK>"
          .. "  # dropped: rule",
        "    2     1.000000000  10.0.1.1:1024 > 10.0.1.2:80  SYN seq 0 win 65535 <mss 1460 ws 3 sackOK>"
          .. "  # retransmission",
        "    3     1.010000000  10.0.1.2:80 > 10.0.1.1:1024  SYN,ACK seq 0 ack 1 win 65535"
          .. " <mss 1460 ws 3 sackOK>",
        "    4     1.020000000  10.0.1.1:1024 > 10.0.1.2:80  ACK seq 1 ack 1 win 32768",
        "    5     1.020000000  10.0.1.1:1024 > 10.0.1.2:80  PSH,ACK seq 1 ack 1 len 5 win 32768",
      }, lines)
      assert.equal(printed, succeed("decode -", scratch .. "/run.pcapng"))
      assert.matches("ACK seq 1001 ack 1001 len 5", succeed "decode --absolute run.pcapng")
      assert.equal("", succeed "decode --port 81 run.pcapng")
      assert.equal(printed, succeed "decode --port 80 --host 10.0.1.1 --host ::1 run.pcapng")
      assert.equal("", succeed "decode --host 10.0.1.9 run.pcapng")
    end)

    it("draws the ladder", function()
      local printed = succeed "decode --ladder --ascii --width 90 run.pcapng"
      local lines = {}
      for line in printed:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.equal(6, #lines)
      assert.matches("^ +time +10.0.1.1 +10.0.1.2$", lines[1])
      assert.matches("^ +0.000000 +|%- SYN seq 0 .*X rule *|$", lines[2])
      assert.matches("^ +1.000000 +|%- SYN seq 0 .*%[retransmitted%] %-+>|$", lines[3])
      assert.matches("^ +1.010000 +|<%- SYN,ACK seq 0 ack 1 ", lines[4])
      for _, line in ipairs(lines) do assert.is_true(#line <= 90, line) end
      assert.matches("PSH,ACK seq 1 ack 1 len 5 win 32768", printed)
    end)

    it("gives JSON, one object a packet", function()
      local objects = {}
      for line in succeed "decode --json run.pcapng":gmatch "[^\n]+" do
        objects[#objects + 1] = assert(dkjson.decode(line))
      end
      assert.equal(5, #objects)
      assert.same({ "dropped: rule" }, objects[1].comments)
      assert.equal(1010000000, objects[3].time_ns)
      assert.equal("SA", objects[3].flags)
      assert.equal(1001, objects[3].ack)
      assert.equal(80, objects[3].source_port)
      assert.equal("10.0.1.2", objects[3].source)
      assert.same({ kind = 2, name = "mss", value = 1460 }, objects[3].options[1])
      assert.equal(5, objects[5].length)
    end)

    it("shows what is no TCP, damaged or cut short for what it is", function()
      local segment = tcp.encode { source = "fd00::1", destination = "fd00::2", flags = "S", seq = 7 }
      local broken = segment:sub(1, -2) .. string.char(segment:byte(-1) ~ 1)
      local function packet(frame, length)
        local body = ("<I4I4I4I4I4"):pack(0, 0, 5, #frame, length or #frame) .. frame
          .. ("\0"):rep(-#frame % 4)
        return ("<I4I4"):pack(6, #body + 12) .. body .. ("<I4"):pack(#body + 12)
      end
      shell.write(scratch .. "/odd.pcapng", ("<I4I4I4I2I2i8I4"):pack(0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        .. ("<I4I4I2I2I4I4"):pack(1, 20, 1, 0, 0, 20)
        .. packet(("\2"):rep(12) .. "\x86\xDD" .. segment)
        .. packet(("\2"):rep(12) .. "\x86\xDD" .. broken)
        .. packet(("\2"):rep(12) .. "\x86\xDD" .. segment:sub(1, 50), 74)
        .. packet(("\2"):rep(12) .. "\8\6arp!")
        .. packet "")
      local printed = succeed "decode odd.pcapng"
      assert.matches("    1 .- %[fd00::1%]:0 > %[fd00::2%]:0  SYN seq 0 win 65535\n", printed)
      assert.matches("    2 .-  SYN seq 0 win 65535  %(.-checksum.-%)\n", printed)
      assert.matches("    3 .-%(.-\n", printed)
      assert.matches("    4 .- %?.-%(no IP packet %(type 0x0806%)%)\n", printed)
      assert.matches("    5 .-%(an Ethernet frame that is cut off%)\n", printed)
      assert.equal(5, select(2, succeed "decode --json odd.pcapng":gsub("\n", "")))
      assert.matches("SYN seq 0", succeed "decode --ladder odd.pcapng")
    end)

    it("shows what is in the datagrams of a tunnel, of each framing", function()
      local segment = tcp.encode { source = "10.0.0.1", destination = "10.0.0.2", flags = "S", seq = 7,
        source_port = 1024, destination_port = 80, payload = "hello" }
      local of_tcp = segment:sub(21)
      local inside = {
        plain = of_tcp, rawip = segment,
        vxlan = "\8\0\0\0\0\0\7\0" .. ("\2"):rep(12) .. "\8\0" .. segment,
        cheshire = of_tcp:sub(13, 16) .. of_tcp:sub(5, 12) .. of_tcp:sub(21),
      }
      for framing, payload in pairs(inside) do -- each by itself
        local udp = (">I2I2I2I2"):pack(1024, 80, 8 + #payload, 0) .. payload
        local ip = (">I1I1I2I2I2I1I1I2"):pack(0x45, 0, 20 + #udp, 0, 0, 64, 17, 0)
          .. "\192\0\2\1\192\0\2\2" .. udp
        local packet = ("<I4I4I4I4"):pack(0, 0, #ip, #ip) .. ip -- classic pcap, raw IP
        shell.write(scratch .. "/wire.pcap", ("<I4I2I2I4I4I4I4"):pack(0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
          .. packet)
        local outer = framing == "plain" or framing == "cheshire"
        local way = outer and "192.0.2.1:1024 > 192.0.2.2:80" or "10.0.0.1:1024 > 10.0.0.2:80"
        assert.equal(("    1     0.000000000  %s  SYN seq 0 len 5 win 65535\n"):format(way),
          succeed(("decode --framing %s wire.pcap"):format(framing)))
        assert.matches("192.0.2.1 > 192.0.2.2  protocol 17 ", (succeed "decode wire.pcap"))
      end
    end)

    it("prints what it could read of a broken file, and tells where it broke", function()
      local whole = shell.read(scratch .. "/run.pcapng")
      local statistics = ("<I4"):unpack(whole, -4) -- the last block: what the link did
      shell.write(scratch .. "/cut.pcapng", whole:sub(1, -statistics - 7))
      local printed, complained, status = lunatcp "decode cut.pcapng"
      assert.equal(1, status)
      assert.equal(4, select(2, printed:gsub("\n", "")))
      assert.matches("^lunatcp: cut.pcapng: at octet %d+: the file ends after %d+ of %d+ octets of the block",
        complained)
      printed, complained, status = lunatcp "decode nowhere.pcapng"
      assert.equal("", printed)
      assert.equal("lunatcp: nowhere.pcapng: No such file or directory\n", complained)
      assert.equal(1, status)
    end)

    it("draws no ladder of more addresses than can be told apart", function()
      local net = tcp.network { seed = 1 }
      local server = net:host "server"
      server:listen(80)
      local capture = assert(net:capture(scratch .. "/many.pcapng"))
      for i = 1, 9 do
        local client = net:host("client" .. i)
        net:link(client, server)
        assert(client:connect(server, 80))
      end
      capture:close()
      local _, complained, status = lunatcp "decode --ladder many.pcapng"
      assert.equal(1, status)
      assert.matches("^lunatcp: 18 addresses are too many for one ladder", complained)
      assert.matches("SYN,ACK", succeed "decode --ladder --host 10.0.3.1 many.pcapng")
    end)
  end)

  describe("new-spec", function()
    it("writes a spec and the settings of busted", function()
      local printed = succeed "new-spec --dir new/project three_way"
      assert.matches("wrote new/project/spec/three_way_spec.lua\nwrote new/project/.busted\n", printed)
      local settings = assert(loadfile(scratch .. "/new/project/.busted"))()
      assert.equal("lua5.4", settings._all.lua)
      assert.same({ "spec" }, settings.default.ROOT)
      local spec = shell.read(scratch .. "/new/project/spec/three_way_spec.lua")
      assert.matches('\ndescribe%("three way", function', spec)
      assert.is_function(load(spec))
    end)

    it("keeps what is there", function()
      succeed "new-spec first --dir kept"
      assert.same({ spec = "kept/spec/third_spec.lua", settings = "kept/.busted", kept = true, dir = "kept" },
        dkjson.decode(succeed "new-spec third --dir kept --json"))
      shell.write(scratch .. "/kept/.busted", "return {}")
      local _, complained, status = lunatcp "new-spec first_spec.lua --dir kept"
      assert.equal(1, status)
      assert.equal("lunatcp: kept/spec/first_spec.lua: there is one already\n", complained)
      assert.matches("kept  kept/.busted\n", succeed "new-spec second --dir kept/")
      assert.equal("return {}", shell.read(scratch .. "/kept/.busted"))
    end)

    it("tells when it cannot", function()
      shell.write(scratch .. "/file", "")
      local _, complained, status = lunatcp "new-spec first --dir file"
      assert.equal(1, status)
      assert.matches("^lunatcp: mkdir: .-file", complained)
    end)

    it("gives a spec that passes, and fails as it should when it is broken", function()
      succeed "new-spec demo --dir demo"
      local function busted()
        return shell.run("cd", shell.quote(scratch .. "/demo"), "&& env -u LUA_PATH_5_4 -u LUA_CPATH_5_4",
          "-u LUNATCP_SEED -u LUNATCP_CAPTURES busted -o plainTerminal")
      end
      local output, ok = busted()
      assert.is_true(ok, output)
      assert.matches("3 successes / 0 failures / 0 errors / 0 pending", output)
      local path = scratch .. "/demo/spec/demo_spec.lua"
      shell.write(path, (shell.read(path):gsub("segments_retransmitted", "segments_sent")))
      output, ok = busted()
      assert.is_nil(ok)
      assert.matches("2 successes / 1 failure / 0 errors", output)
      local capture = output:match "\ncapture: (%S+)"
      local reader <close> = assert(pcapng.open(scratch .. "/demo/" .. capture))
      assert.is_table(reader:next())
    end)
  end)
end)
