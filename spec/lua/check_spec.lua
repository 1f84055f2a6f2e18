local check = require "lunatcp.check"
local lab = require "support.lab"

describe("arguments", function()
  it("lists the known keys when one is unknown, in the order of the alphabet", function()
    assert.error_matches(function() check.options({ dealy = 1 }, { "rate", "delay" }, "link: options") end,
      "link: options: unknown key 'dealy'; known are delay, rate")
  end)

  it("reports the same unknown key whatever the order of the table", function()
    for _ = 1, 20 do
      local options = {}
      for _, key in ipairs { "zeta", "beta", "omega", "alpha", "kappa" } do options[key] = true end
      assert.error_matches(function() check.options(options, {}, "x") end, "unknown key 'alpha'")
    end
  end)

  it("names the argument and what it got", function()
    local function raises(message, name, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() check[name](table.unpack(arguments, 1, arguments.n)) end, message)
    end
    raises("read: n: expected an integer, got 1.5", "integer", 1.5, "read: n", 1)
    raises("read: n: .- of at least 1, got 0", "integer", 0, "read: n", 1)
    raises("sleep: seconds: expected a number", "number", 0 / 0, "sleep: seconds")
    raises('set: settings: expected a table, got "5"', "type", "5", "table", "set: settings")
    raises('clock: expected one of a, b, got "c"', "one_of", "c", { "a", "b" }, "clock")
    raises("on: hook: expected a function, got a table", "callable", {}, "on: hook")
  end)

  it("points at the caller's line", function()
    local ok, message = pcall(function() check.type(1, "table", "x") end)
    assert.is_false(ok)
    assert.matches("^.-check_spec%.lua:%d+: x: expected a table, got 1$", message)
  end)

  it("names the function for what the core says of an option", function()
    local net = lab.pair()
    local function said(f, ...) return (select(2, pcall(f, ...)):gsub("^.-:%d+: ", "")) end
    assert.matches("^connect: local_port: integer between",
      said(net.client.connect, net.client, net.server, 80, { local_port = 1e9 }))
    assert.matches("^host: unknown option 'nagel'", said(net.host, net, "x", { nagel = true }))
    assert.matches("^set_settings: nagle: boolean expected", said(net.client.set, net.client, { nagle = 1 }))
  end)

  it("says the caller's line for what a function of the core raises", function()
    local ok, message = pcall(function() check.call(error, "bad argument") end)
    assert.is_false(ok)
    assert.matches("^.-check_spec%.lua:%d+: bad argument$", message)
  end)
end)
