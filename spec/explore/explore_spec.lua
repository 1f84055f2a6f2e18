-- The explorer itself: what it runs, what it leaves out, and what it says of a failure.
local scenes = require "support.scenes"
local tcp = require "lunatcp"

local FIXED <const> = { settings = { isn = 1000, timestamps = false } }

-- A reader that takes one read for one message: wrong as soon as its two segments come apart.
local function naive(net)
  local a, b = net:host("a", { mss = 40 }), net:host("b", { mss = 40 })
  net:link(a, b, { delay = 0.01 })
  local listener = b:listen(80)
  local result = {}
  net:spawn(function()
    local conn = assert(a:connect(b, 80))
    conn:write(("m"):rep(80))
    conn:close()
  end)
  net:spawn(function()
    local conn = assert(listener:accept())
    net:sleep(0.02)
    result.message = conn:read()
    while conn:read() do result.more = true end
    conn:close()
  end)
  return result
end

local function naive_check(_, result)
  if result.more then return ("read %d octets for a message of 80"):format(#result.message) end
end

local function explore_naive(options)
  options.scenario, options.check, options.network = naive, naive_check, FIXED
  return tcp.explore(options)
end

local function file_name()
  local name = os.tmpname()
  return name, setmetatable({}, { __close = function() os.remove(name) end })
end

describe("an exploration", function()
  it("runs every combination", function()
    local report = tcp.explore {
      scenario = scenes.handshake.scenario, network = FIXED, prune = false, depth = 3,
      choices = { "deliver", "drop", "duplicate", "delay" },
    }
    assert.equal(4 ^ 3, report.runs)
    assert.equal(4 ^ 3, report.combinations)
    assert.is_true(report.complete)
    assert.equal(0, report.pruned)
  end)

  it("runs nothing but the first run for no choices", function()
    local report = tcp.explore {
      scenario = scenes.handshake.scenario, network = FIXED, depth = 0, choices = {},
    }
    assert.equal(1, report.runs)
    assert.is_nil(report.failure)
  end)

  it("finds with pruning all the ends that there are without", function()
    for _, name in ipairs { "request and response", "giving up", "abort" } do
      local scene = scenes[name]
      local ends, runs = {}, {}
      for i, prune in ipairs { true, false } do
        ends[i] = {}
        local report = tcp.explore {
          scenario = scene.scenario, network = { settings = scene.settings }, prune = prune, depth = 5,
          choices = { "deliver", "drop", "delay" },
          check = function(_, result)
            local one, two = result[1], result[2]
            local word = ("%s %s %s %s %s"):format(one and one:state(), two and two:state(),
              one and one:error(), result.code or (result.codes or {})[1],
              result.read and result.read[2] or result.bytes)
            ends[i][word] = true
          end,
        }
        assert.is_nil(report.failure)
        assert.is_true(report.complete)
        runs[i] = report.runs
      end
      assert.same(ends[2], ends[1])
      assert.is_true(runs[2] > 3 ^ 5 / 2 and runs[1] < runs[2], name) -- an aborted one has fewer packets
    end
  end)

  it("does the same each time", function()
    local function run()
      return tostring(explore_naive { depth = 6, choices = { "drop", "duplicate", "delay" }, failures = 5 })
    end
    assert.equal(run(), run())
  end)

  it("names the states and transitions that were gone through, and those that were not", function()
    local scene = scenes["both close at once"]
    local report = tcp.explore {
      scenario = scene.scenario, network = { settings = scene.settings }, depth = 3,
      choices = { "drop", "delay" },
    }
    assert.same(tcp.states, report.coverage.states)
    local text = " " .. table.concat(report.coverage.transitions, "; ") .. ";"
    for _, change in ipairs {
      "CLOSED > LISTEN", "LISTEN > SYN-RECEIVED", "SYN-RECEIVED > ESTABLISHED", "SYN-SENT > ESTABLISHED",
      "ESTABLISHED > FIN-WAIT-1", "FIN-WAIT-1 > CLOSING", "CLOSING > TIME-WAIT", "TIME-WAIT > CLOSED",
    } do
      assert.is_truthy(text:find(" " .. change .. ";", 1, true), change)
    end
    assert.is_truthy(table.concat(report.coverage.missing, "; "):find("LISTEN > SYN-SENT", 1, true))
  end)

  it("stops at the limit and says so", function()
    local counts
    local report = tcp.explore {
      scenario = scenes.handshake.scenario, network = FIXED, depth = 6, limit = 300,
      choices = { "drop", "duplicate", "delay" }, progress = function(now) counts = now end,
    }
    assert.equal(300, report.runs)
    assert.is_false(report.complete)
    assert.equal(256, counts.runs)
    assert.matches("stopped before the end", tostring(report))
  end)

  it("leaves what it delivers to the link's own rules", function()
    local report = tcp.explore {
      depth = 2, choices = { "deliver" }, network = FIXED,
      scenario = function(net)
        local a, b = net:host "a", net:host "b"
        local link = net:link(a, b, { delay = 0.01 })
        local rule = link:drop { syn = true, nth = 1 }
        b:listen(80)
        assert(a:connect(b, 80))
        return rule
      end,
      check = function(_, rule)
        local _, dropped = rule:counts()
        if dropped ~= 1 then return "the rule did not act" end
      end,
    }
    assert.is_nil(report.failure)
  end)

  it("takes choices of one's own", function()
    local report = tcp.explore {
      scenario = scenes.handshake.scenario, network = FIXED, depth = 1,
      choices = { "deliver", { name = "very late", delay = 5 }, { name = "thrice", duplicate = 2 } },
      check = function(_, result)
        if result[1]:info().srtt > 4 then return "late" end
      end,
    }
    assert.same({ "very late" }, report.failure.script)
    assert.same({ "deliver", "very late", "thrice" }, report.names)
  end)

  it("refuses what makes no sense", function()
    local function scenario() end
    for message, options in pairs {
      ["explore: scenario: expected a function"] = { choices = {}, depth = 1 },
      ["explore: choices%[2%]: unknown 'lose'"] = {
        scenario = scenario, choices = { "drop", "lose" }, depth = 1,
      },
      ["explore: choices%[2%]: 'drop' is there twice"] = {
        scenario = scenario, choices = { "drop", "drop" }, depth = 1,
      },
      ["explore: depth: expected a number from 0 to 250"] = {
        scenario = scenario, choices = {}, depth = 251,
      },
      ["explore: unknown key 'dept'"] = { scenario = scenario, choices = {}, dept = 1 },
      ["verdict.delay: seconds between 0.0"] = {
        scenario = scenario, choices = { { name = "back", delay = -1 } }, depth = 1,
      },
    } do
      assert.error_matches(function() tcp.explore(options) end, message)
    end
  end)
end)

describe("a failure", function()
  it("comes with a script than which none is shorter, and no choice in it that is not needed", function()
    local report = explore_naive { depth = 6, choices = { "drop", "duplicate", "delay" } }
    local script = report.failure.script
    assert.matches("octets for a message of 80", report.failure.message)
    local all = explore_naive {
      depth = 6, choices = { "drop", "duplicate", "delay" }, prune = false, failures = math.maxinteger,
    }
    assert.is_true(all.complete)
    assert.is_true(#all.failures > 1)
    for _, failure in ipairs(all.failures) do assert.is_true(#failure.script >= #script) end
    local faults = 0
    for _, name in ipairs(script) do
      if name ~= "deliver" then faults = faults + 1 end
    end
    assert.equal(1, faults)
    assert.is_not.equal("deliver", script[#script])
  end)

  it("can be saved and replayed, and then be looked at", function()
    local failure = explore_naive { depth = 6, choices = { "drop", { name = "late", delay = 0.3 } } }.failure
    local path, file <close> = file_name()
    assert.is_true(failure:save(path))
    for _, script in ipairs { failure, path } do
      local net, message = tcp.replay {
        scenario = naive, check = naive_check, network = FIXED, script = script,
      }
      assert.equal(failure.message, message)
      assert.matches("SYN", net:ladder())
      net:close()
    end
    assert.is_not_nil(file)
    local net, message = tcp.replay {
      scenario = naive, check = naive_check, network = FIXED, script = { "deliver", "duplicate" },
    }
    assert.is_nil(message)
    net:close()
  end)

  it("is an error in a task", function()
    local report = tcp.explore {
      depth = 2, choices = { "drop" }, network = FIXED,
      scenario = function(net)
        local a, b = net:host "a", net:host "b"
        net:link(a, b, { delay = 0.01 })
        b:listen(80)
        assert(a:connect(b, 80, { timeout = 0.5 }))
      end,
    }
    assert.same({ "drop" }, report.failure.script)
    assert.matches("the deadline of this call came first", report.failure.message)
  end)

  it("is a task that waits for ever", function()
    local report = tcp.explore {
      depth = 3, choices = { "drop" }, network = FIXED,
      scenario = function(net)
        local a, b = net:host "a", net:host "b"
        net:link(a, b, { delay = 0.01 })
        local listener = b:listen(80)
        net:spawn("server", function() listener:accept() end)
        a:connect(b, 80):abort()
      end,
    }
    assert.same({ "deliver", "deliver", "drop" }, report.failure.script) -- the RST overtakes the handshake
    assert.matches("task %d+ 'server' .* waits in accept", report.failure.message)
  end)

  it("is a run that does not come to an end", function()
    local report = tcp.explore {
      depth = 0, choices = {}, network = FIXED, time = 50,
      scenario = function(net) while true do net:sleep(1) end end,
    }
    assert.matches("not at an end after 50 s", report.failure.message)
  end)

  it("is an octet that is read other than it was written", function()
    local report = tcp.explore {
      depth = 0, choices = {}, network = FIXED,
      scenario = function(net)
        local a, b = net:host "a", net:host "b"
        local link = net:link(a, b, { delay = 0.01 })
        local listener = b:listen(80)
        local conn = assert(a:connect(b, 80, { local_port = 1000 }))
        local other = assert(listener:accept())
        link:inject(a, { -- a stranger who knows the numbers
          source = a:address(), destination = b:address(), source_port = 1000, destination_port = 80,
          flags = "PA", seq = 1001, ack = 1001, window = 1000, payload = "forged",
        })
        other:read()
        conn:abort()
        other:abort()
      end,
    }
    assert.matches("octets delivered are a prefix of octets written", report.failure.message)
  end)

  it("is what check gives or raises", function()
    local function with(check)
      return tcp.explore { scenario = function() end, depth = 0, choices = {}, check = check }.failure
    end
    assert.is_nil(with(function() end))
    assert.is_nil(with(function() return true end))
    assert.matches("check gave false", with(function() return false end).message)
    assert.matches("no good", with(function() error "no good" end).message)
  end)
end)
