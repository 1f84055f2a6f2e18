-- README.md and docs/: what they show runs, what they name is there. The guides to testing and to packetdrill
-- have specs of their own (spec/busted/guide_spec.lua, spec/packetdrill_spec/guide_spec.lua).
local core = require "lunatcp.core"
local program = require "support.program"
local shell = require "support.shell"
local tcp = require "lunatcp"

local PAGES <const> = {
  "README.md", "CHANGELOG.md", "docs/attacks.md", "docs/benchmarks.md", "docs/design.md", "docs/explore.md",
  "docs/packetdrill.md", "docs/queues.md", "docs/settings.md", "docs/testing.md",
}

local OURS <const> = {
  core = true, bindings = true, lua = true, examples = true, spec = true, fuzz = true, bench = true,
  rockspec = true, docs = true, bin = true,
}
-- Of a reader's own project; of many.
local INVENTED <const> = {
  ["spec/upload_spec.lua"] = true, ["spec/greeting_spec.lua"] = true,
  ["spec/requirements/rfcNNNN.tsv"] = true,
}

local function page(path) return assert(shell.read(path), path) end

local function blocks_of(path, language)
  local list = {}
  for block in page(path):gmatch("\n```" .. language .. "\n(.-)\n```") do list[#list + 1] = block .. "\n" end
  return list
end

describe("what README.md shows", function()
  local readme = page "README.md"
  local script = assert(blocks_of("README.md", "lua")[1])

  it("runs, and prints what its comment says", function()
    local scratch = shell.scratch()
    shell.write(scratch .. "/first.lua", script)
    local output = shell.succeed(program.command("run " .. shell.quote(scratch .. "/first.lua")))
    shell.remove(scratch)
    assert.equal(script:match "%-%-> (%w+)", output:match "^[^\n]*")
    assert.matches("FIN,ACK seq 6 ack 6 win %d+ <ts> [─]+╳ rule", output)
    assert.matches("FIN,ACK seq 6 .- %[retransmitted%]", output)
  end)

  it("runs the same over real sockets when its first line is changed", function()
    local real, changed = script:gsub("tcp%.network %b{}", readme:match "`(tcp%.network %b{})`")
    assert.equal(1, changed)
    local scratch = shell.scratch()
    shell.write(scratch .. "/first.lua", real)
    local output = shell.succeed(program.command("run " .. shell.quote(scratch .. "/first.lua")))
    shell.remove(scratch)
    assert.matches("HELLO", output)
  end)

  it("has every example in its table", function()
    for name in shell.succeed("ls examples"):gmatch "(%S+%.%a+)\n" do
      assert.matches("examples/" .. name, readme, 1, true)
    end
  end)

  it("names commands that there are", function()
    local help = shell.succeed(program.command "--help")
    for command in readme:gmatch "%(`([%a-]+)`[,)]" do assert.matches(command, help, 1, true) end
    local door = shell.succeed "./dev help"
    for command in readme:gmatch "`?%./dev (%l+)[` ]" do assert.matches("\n  " .. command, door, 1, true) end
  end)

  it("counts the corpus as docs/packetdrill.md does", function()
    local guide = page "docs/packetdrill.md"
    local pass, all = guide:match "%*%*(%d+) of (%d+) pass unmodified%.%*%*"
    local linux_only, rest = guide:match "(%d+) of the (%d+) others"
    local sum, total = 0, 0
    for passed, of in guide:gmatch "| `[%l%d_]+` | (%d+) | (%d+) |" do
      sum, total = sum + passed, total + of
    end
    assert.same({ tonumber(pass), tonumber(all) }, { sum, total })
    assert.equal(all - pass, tonumber(rest))
    assert.equal(tonumber(rest) - linux_only, tonumber(readme:match "(%d+) scripts? of the public"))
  end)
end)

describe("what docs/explore.md shows", function()
  local blocks = blocks_of("docs/explore.md", "lua")

  it("runs, and nothing fails", function()
    local printed = {}
    local function note(x) printed[#printed + 1] = tostring(x) end
    assert(load(blocks[1], "=docs/explore.md", "t", setmetatable({ print = note }, { __index = _G })))()
    assert.matches("^%d+ runs stand for 4096: 4 choices at each of the first 6 packets\n", printed[1])
    assert.not_matches("fail", printed[1])
  end)

  it("looks at a failure", function()
    local scratch = shell.scratch()
    local options = {
      network = { settings = { isn = 1000, timestamps = false } }, choices = { "deliver", "drop" }, depth = 3,
      scenario = function(net)
        local client, server = net:host "client", net:host "server"
        net:link(client, server, { delay = 0.010 })
        local listener = server:listen(80)
        net:spawn(function() listener:accept():close() end)
        net:spawn(function() assert(client:connect(server, 80)):close() end)
      end,
      check = function(net) if net:now() > 0.9 then return "it took long" end end, -- a SYN was lost
    }
    local printed = {}
    local env = setmetatable({
      tcp = tcp, report = tcp.explore(options), scenario = options.scenario, check = options.check,
      print = function(x) printed[#printed + 1] = tostring(x) end,
    }, { __index = _G })
    local code = blocks[2]:gsub("\"failure%.lua\"", ("%q"):format(scratch .. "/failure.lua"))
    assert(load(code, "=docs/explore.md", "t", env))()
    shell.remove(scratch)
    assert.matches("it took long", printed[1], 1, true)
    assert.matches("SYN", printed[2], 1, true)
  end)
end)

describe("what docs/queues.md shows", function()
  it("are links that can be made, each alone", function()
    local block = blocks_of("docs/queues.md", "lua")[1]
    local made = 0
    for line in block:gmatch "[^\n]+" do
      local net = tcp.network { seed = 1 }
      local a, b = net:host "a", net:host "b"
      local env = { net = net, a = a, b = b, link = line:find "^link" and net:link(a, b, { rate = 1e6 }) }
      assert(load(line, "=docs/queues.md", "t", env))()
      made = made + 1
      net:close()
    end
    assert.equal(4, made)
  end)

  it("are defaults that a link has", function()
    local net = tcp.network { seed = 1 }
    local function queue_of(kind)
      local queue = net:link(net:host(), net:host(), { rate = 10e6, queue = kind }):configuration().queue
      for name, value in pairs(queue) do -- probabilities have 32 bits
        if math.type(value) == "float" then queue[name] = tonumber(("%.6f"):format(value)) end
      end
      return queue
    end
    local red, codel, flows, pie = queue_of "red", queue_of "codel", queue_of "fq_codel", queue_of "pie"
    local step, dual = queue_of "step", queue_of "dualpi2"
    assert.same({ 5, 15, 0.002, 0.1, true },
      { red.min, red.max, red.weight, red.max_probability, red.gentle })
    assert.same({ 0.005, 0.1, 1500, false },
      { codel.target, codel.interval, codel.packet_size, codel.ce_threshold })
    assert.same({ 10240, 1024, 1514 }, { flows.packets, flows.flows, flows.quantum })
    assert.same({ 0.015, 0.015, 0.125, 1.25, 0.15, 0.1 },
      { pie.target, pie.update, pie.alpha, pie.beta, pie.burst, pie.ecn_threshold })
    assert.same({ 1000, 1000, 1000, 1000 }, { red.packets, codel.packets, pie.packets, step.packets })
    assert.same({ 65, true }, { step.threshold, step.drop_not_ect })
    assert.same({ 0.015, 0.1, 2, 0.0008, 0.0004, 1, 16 }, {
      dual.target, dual.rtt_max, dual.k, dual.min_threshold, dual.range, dual.threshold_packets,
      dual.classic_weight,
    })
  end)
end)

describe("the pages", function()
  it("have no block of Lua that no spec runs", function()
    local known = {
      ["README.md"] = 1, ["docs/explore.md"] = 2, ["docs/queues.md"] = 1, ["docs/packetdrill.md"] = 2,
      ["docs/testing.md"] = 2,
    }
    for _, path in ipairs(PAGES) do
      assert.equal(known[path] or 0, #blocks_of(path, "lua"), path)
      for _, block in ipairs(blocks_of(path, "lua")) do assert(load(block, "=" .. path)) end
    end
  end)

  it("link to what is there", function()
    for _, path in ipairs(PAGES) do
      local folder = path:match "^(.*/)" or ""
      for target in page(path):gmatch "%]%(([^)#]+)[^)]*%)" do
        if not target:find "^https?:" then
          assert(io.open(folder .. target), ("%s links to %s"):format(path, target)):close()
        end
      end
    end
  end)

  it("name files and folders that are there", function()
    local missing = {}
    for _, path in ipairs(PAGES) do
      for name in page(path):gmatch "`([%a][%w_./-]*)[^`]*`" do
        local top = name:match "^(%l+)/"
        if OURS[top] and not INVENTED[name] then
          local file = io.open(name)
          if file then file:close() else missing[#missing + 1] = path .. ": " .. name end
        end
      end
    end
    assert.same({}, missing)
  end)

  it("name settings that there are", function()
    local known = { congestion = true, syn_options = true, other_options = true, profile = true }
    for _, setting in ipairs(core.settings_list()) do known[setting.name] = true end
    local settings = page "docs/settings.md"
    for name in settings:gmatch "\n| `([%l_%d]+)` |" do assert.is_true(known[name], name) end
    for name in pairs(known) do
      if name ~= "profile" then assert.matches("`" .. name .. "`", settings, 1, true) end
    end
  end)
end)
