-- What a failed test leaves behind: the ladder, the seed, a capture file. Each in a busted of its own.
local shell = require "support.shell"

local HEADER <const> = [[
local net = require "lunatcp.busted"
local function pair()
  local client, server = net:host "client", net:host "server"
  net:link(client, server, { delay = 0.01 })
  local listener = server:listen(80)
  return assert(client:connect(server, 80)), assert(listener:accept()), listener
end
]]

describe("a spec with the kit", function()
  local scratch

  before_each(function() scratch = shell.scratch() end)
  after_each(function() shell.remove(scratch) end)

  -- Writes `demo_spec.lua` and runs it where it is.
  local function busted(spec, environment, arguments)
    shell.write(scratch .. "/demo_spec.lua", HEADER .. spec)
    return shell.run("cd", shell.quote(scratch), "&& env -u LUNATCP_SEED -u LUNATCP_CAPTURES",
      shell.modules(), environment or "", "lua5.4", shell.quote(shell.first_line "command -v busted"),
      "--ignore-lua -o plainTerminal", arguments or "", "demo_spec.lua")
  end

  local function exists(path) return select(2, shell.run("test -e", shell.quote(scratch .. "/" .. path))) end

  it("leaves nothing behind when all goes well", function()
    local output, ok = busted [[
      it("opens", function()
        local conn = pair()
        assert.state(conn, "ESTABLISHED")
      end)
    ]]
    assert.is_true(ok, output)
    assert.matches("1 success / 0 failures / 0 errors", output)
    assert.is_nil(exists "lunatcp-captures")
  end)

  it("tells ladder, seed and capture, and the seed replays the test", function()
    local spec = [[
      describe("a stream", function()
        it("comes whole", function()
          local conn, other = pair()
          conn:write "hellO"
          assert.stream(other, "hello")
        end)
      end)
    ]]
    local output, ok = busted(spec)
    assert.is_nil(ok)
    assert.matches("demo_spec.lua:%d+: connection server:80 > client:%d+ gave other octets", output)
    assert.matches("from octet 5 +expected \"o\", got \"O\"", output)
    assert.equal(1, select(2, output:gsub("SYN,ACK", ""))) -- the ladder, once
    local seed = output:match "\nseed: (%d+) %(LUNATCP_SEED=%d+ replays this test%)\n"
    assert.is_string(seed, output)
    local path, count = output:match "\ncapture: (%S+) %((%d+) packets%)\n"
    assert.equal("./lunatcp-captures/demo_spec-a-stream-comes-whole.pcapng", path, output)
    assert.equal("4", count)
    local first = shell.read(scratch .. "/" .. path)
    local packets = 0
    for _ in first:gmatch "\6\0\0\0...\0" do packets = packets + 1 end -- enhanced packet blocks
    assert.equal(4, packets)

    busted(spec, "LUNATCP_SEED=" .. seed)
    assert.equal(first, shell.read(scratch .. "/" .. path))
    local other = busted(spec, "LUNATCP_SEED=5")
    assert.matches("\nseed: 5 ", other)
    assert.not_equal(first, shell.read(scratch .. "/" .. path))
  end)

  it("tells the same of any other failure and of an error, and which tasks still wait", function()
    local output = busted [[
      it("compares", function()
        pair()
        assert.equal(1, 2)
      end)
      it("breaks", function()
        local _, other = pair()
        net:spawn("reader", function() other:read() end)
        net:step()
        local nothing
        nothing()
      end)
      it("goes on", function() pair() end)
    ]]
    assert.matches("1 success / 1 failure / 1 error", output)
    assert.matches("demo_spec.lua:%d+: Expected objects to be equal.-SYN,ACK.-\nseed: .-\ncapture: ", output)
    assert.matches("demo_spec.lua:%d+: attempt to call a nil value.-SYN,ACK.-\n"
      .. "tasks that have not ended:\n  task 1 'reader' .- waits in read on connection server:80 > client.-"
      .. "\nseed: .-\ncapture: .-breaks.pcapng", output)
    assert.is_nil(exists "lunatcp-captures/demo_spec-goes-on.pcapng")
  end)

  it("captures what is still on its way", function()
    local output = busted [[
      it("writes", function()
        local conn = pair()
        conn:write "hello"
        net:step()
        assert.is_true(false)
      end)
    ]]
    local path = output:match "\ncapture: (%S+) %(4 packets%)\n"
    assert.is_string(path, output)
    assert.is_truthy(shell.read(scratch .. "/" .. path):find("hello", 1, true))
  end)

  it("keeps busted's own place and trace of an error", function()
    local output = busted([[
      local function deep() error "it broke" end
      it("breaks", function() deep() end)
    ]], nil, "--verbose")
    assert.matches("demo_spec.lua:8: it broke\n.-\nstack traceback:.-demo_spec.lua:8: in .-deep", output)
    assert.matches("capture: none, no packet was sent", output)
  end)

  it("fails a test in whose task an assertion fails", function()
    local output = busted [[
      it("reads", function()
        local conn, other = pair()
        net:spawn(function() assert.stream(other, "x", { within = 1 }) end)
        net:run()
      end)
    ]]
    assert.matches("0 successes / 1 failure / 0 errors", output)
    assert.matches("demo_spec.lua:%d+: connection server:80 > client:%d+ gave other octets", output)
  end)

  it("tells of what breaks when the network is closed, unless the test has failed already", function()
    local output = busted [[
      local function guarded()
        local _, other = pair()
        net:spawn(function()
          local guard <close> = setmetatable({}, { __close = function() error "not given back" end })
          other:read()
        end)
        net:step()
      end
      it("ends", guarded)
      it("fails", function() guarded() assert.equal(1, 2) end)
    ]]
    assert.equal(1, select(2, output:gsub("not given back", "")), output)
    assert.matches("1 success / 1 failure / 1 error", output)
  end)

  it("tells of a before_each that fails, and the next test is none the worse", function()
    local output = busted [[
      local count = 0
      before_each(function()
        count = count + 1
        if count == 1 then pair() error "not today" end
      end)
      it("first", function() end)
      it("second", function() pair() end)
    ]]
    assert.matches("1 success / 0 failures / 1 error", output)
    assert.matches("not today.-SYN,ACK.-\nseed: ", output)
  end)

  it("writes captures where it is told, none if told so, and no two into one file", function()
    local spec = [[
      for _ = 1, 2 do
        it("a/b: c?", function() pair() assert.is_true(false) end)
      end
    ]]
    busted(spec, "LUNATCP_CAPTURES=deep/er")
    assert.is_nil(exists "lunatcp-captures")
    assert.equal("demo_spec-a-b-c-2.pcapng\ndemo_spec-a-b-c.pcapng\n",
      shell.succeed("LC_ALL=C ls", shell.quote(scratch .. "/deep/er")))
    local output = busted(spec, "LUNATCP_CAPTURES=")
    assert.is_nil(exists "lunatcp-captures")
    assert.is_nil(output:find "capture:")
    shell.write(scratch .. "/file", "")
    output = busted(spec, "LUNATCP_CAPTURES=file/below")
    assert.matches("capture: not written: file/below: ", output)
    assert.matches("2 failures", output)
  end)

  it("refuses a seed that is none", function()
    local output = busted([[it("runs", function() end)]], "LUNATCP_SEED=x")
    assert.matches("LUNATCP_SEED: expected an integer, got 'x'", output)
    assert.is_nil(output:find "attempt to")
  end)

  it("says that it is for specs when a script asks for it", function()
    shell.write(scratch .. "/script.lua", [[require "lunatcp.busted"]])
    local output, ok = shell.run("env", shell.modules(), "lua5.4", shell.quote(scratch .. "/script.lua"))
    assert.is_nil(ok)
    assert.matches("script.lua:1: lunatcp.busted: this is for specs; run the file with busted", output)
  end)
end)
