-- Profiles: by name, as tables, as files; for any host.
local profiles = require "lunatcp.profiles"
local shell = require "support.shell"
local tcp = require "lunatcp"

local function refused(what) return select(2, pcall(profiles.load, what)) end

describe("a profile", function()
  local scratch
  lazy_setup(function() scratch = shell.scratch() end)
  lazy_teardown(function() shell.remove(scratch) end)

  it("has a name, a base, settings and commands", function()
    local made = profiles.load { name = "mine", base = "linux", settings = { sack = false } }
    assert.same({ "mine", "linux", { sack = false }, {} },
      { made.name, made.base, made.settings, made.commands })
    assert.equal("rfc", profiles.load().name)
    assert.equal("linux", profiles.load("linux").base)
  end)

  it("can be given to a host, and to all hosts of a network", function()
    local net <close> = tcp.network { seed = 1, profile = { base = "linux", settings = { rto_initial = 2 } } }
    assert.equal(2, net:host("a"):settings().rto_initial)
    assert.equal(10, net:host("b"):settings().initial_window)
    local profile = { settings = { rto_initial = 3, mss = 500 } }
    local own = net:host("c", { profile = profile, mss = 600 }):settings()
    assert.same({ 3, 600, 0 }, { own.rto_initial, own.mss, own.initial_window })
    assert.equal(1, net:host("d", { profile = "rfc" }):settings().rto_initial)
  end)

  it("can be a file", function()
    local path = scratch .. "/slow.lua"
    shell.write(path, "return { settings = { rto_initial = 9 } }")
    local net <close> = tcp.network { seed = 1 }
    assert.equal(9, net:host("a", { profile = path }):settings().rto_initial)
    assert.equal("slow", profiles.load(path).name)
  end)

  it("that cannot be read is a failure at run time", function()
    local net <close> = tcp.network { seed = 1 }
    local host, message, code = net:host("a", { profile = scratch .. "/none.lua" })
    assert.same({ nil, "EINVAL" }, { host, code })
    assert.matches("none.lua", message)
    for text, wanted in pairs {
      ["return 5"] = "it returns no table", ["error 'x'"] = "x", ["x ="] = "unexpected symbol",
    } do
      shell.write(scratch .. "/bad.lua", text)
      local profile, problem = profiles.load(scratch .. "/bad.lua")
      assert.is_nil(profile)
      assert.matches(wanted, problem)
    end
  end)

  it("that is wrong raises, and names what is", function()
    assert.matches("profile: expected one of", refused "nothing")
    assert.matches("unknown key 'colour'", refused { colour = 1 })
    assert.matches("profile: base: expected", refused { base = "bsd" })
    assert.matches("sackk", refused { settings = { sackk = true } })
    assert.matches("commands%[1%]: program or match expected", refused { commands = { { ignore = true } } })
    assert.matches("one of settings, ask, ignore and forget expected",
      refused { commands = { { program = "x" } } })
    assert.matches("commands%[1%]: match: malformed pattern",
      refused { commands = { { match = "[", ignore = true } } })
    assert.matches("sackk", refused { commands = { { program = "x", settings = { sackk = 1 } } } })
  end)

  it("knows the queues that Linux's commands give the interface", function()
    local commands = require "lunatcp.packetdrill.commands"
    local linux = profiles.load "linux"
    local function after(text)
      local set = {}
      assert.is_true(commands.run(linux, text, { counters = {}, forget = error, set = function(settings)
        for key, value in pairs(settings) do set[key] = value end
      end }))
      return set
    end
    local none <const> = { device_full = false, pacing = false, pacing_fair_queue = false }
    assert.same(none, after "tc qdisc add dev tun0 root pfifo")
    assert.same(none, after "tc qdisc replace dev tun0 root pfifo limit 10")
    assert.same(none, after "tc qdisc del dev tun0 root")
    assert.same({ device_full = true, pacing = false, pacing_fair_queue = false },
      after "tc qdisc delete dev tun0 root 2>/dev/null ; tc qdisc add dev tun0 root pfifo limit 0")
    assert.same({ pacing = true, pacing_fair_queue = true }, after "tc qdisc replace dev tun0 root fq")
  end)

  it("knows what Linux's commands set", function()
    local commands = require "lunatcp.packetdrill.commands"
    local linux, set, forgotten = profiles.load "linux", {}, 0
    local function forget() forgotten = forgotten + 1 end
    local state = { counters = { listeners = 1, icmp_ignored = 0 }, forget = forget, set = function(settings)
      for key, value in pairs(settings) do set[key] = value end
    end }
    assert.is_true(commands.run(linux, [[
      # a comment
      sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_fin_timeout=5 > /dev/null 2>&1   # and one more
      sysctl -q net.lunatcp.nagle=0 net.lunatcp.ack_every=4 net.lunatcp.delayed_ack_timeout=0.1
      ../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \
        /proc/sys/net/ipv4/tcp_rmem="4096 131072 6291456" ; ip tcp_metrics flush all
    ]], state))
    assert.same({ false, 5, false, 131072, 7 },
      { set.sack, set.fin_wait_2_timeout, set.timestamps, set.receive_buffer, set.window_scale })
    assert.equal(1, forgotten)
    assert.same({ false, 4, 0.1 }, { set.nagle, set.ack_every, set.delayed_ack_timeout })
    for command, wanted in pairs {
      ["rm -rf /"] = "unknown command `rm %-rf /`", ["sysctl -q net.ipv4.x=1"] = "unknown setting net.ipv4.x",
      ["sysctl net.ipv4.tcp_sack"] = "sets nothing", ["sysctl net.ipv4.tcp_rmem=5"] = "cannot be '5'",
      ["nstat | grep TcpExtOutOfWindowIcmps > /dev/null"] = "the answer is no",
      ["sysctl net.ipv4.tcp_syn_retries=9999"] = "syn_r2_count",
      ["sysctl net.lunatcp.sackk=0"] = "unknown setting net.lunatcp.sackk",
      ["sysctl net.lunatcp.sack=off"] = "unknown setting net.lunatcp.sack=off",
      ["sysctl net.lunatcp.ack_every=0"] = "ack_every",
    } do
      local net <close> = tcp.network { seed = 1 }
      local host = net:host "h"
      local ok, message = commands.run(linux, command, {
        counters = state.counters, set = function(settings) host:set(settings) end,
      })
      assert.is_nil(ok)
      assert.matches(wanted, message)
    end
  end)
end)
