-- What a person sees who runs a script: the seed, the traceback, the exit status, the capture.
local function run(script, environment)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local pipe = assert(io.popen(("%s LUA_PATH_5_4='%s' LUA_CPATH_5_4='%s' lua5.4 %s 2>&1"):format(
    environment or "", package.path:gsub("'", ""), package.cpath:gsub("'", ""), path)))
  local text = pipe:read "a"
  local _, _, status = pipe:close()
  os.remove(path)
  return text, status
end

describe("a process", function()
  it("prints the seed that was drawn, once, and LUNATCP_SEED replays it", function()
    local script = [[
      local tcp = require "lunatcp"
      local one, two = tcp.network(), tcp.network()
      assert(one.seed == two.seed)
      local a, b = one:host(), one:host()
      one:link(a, b)
      b:listen(80)
      io.write("isn ", a:connect(b, 80):info().iss, "\n")
    ]]
    local text, status = run(script, "LUNATCP_SEED=")
    assert.equal(0, status, text)
    local seed, isn = text:match "^lunatcp: seed (%d+) %(LUNATCP_SEED=%d+ replays this run%)\nisn (%d+)\n$"
    assert.is_string(seed, text)
    assert.equal(("isn %s\n"):format(isn), (run(script, "LUNATCP_SEED=" .. seed)))
  end)

  it("has LUNATCP_SEED before the script's own", function()
    local script = 'io.write(require "lunatcp".network { seed = 1 }.seed)'
    assert.equal("7", (run(script, "LUNATCP_SEED=7")))
    assert.equal("1", (run(script, "LUNATCP_SEED=")))
    assert.matches("LUNATCP_SEED: expected an integer, got 'x'", (run(script, "LUNATCP_SEED=x")))
  end)

  it("ends with status 1, the traceback, and the capture, when a task fails", function()
    local path = os.tmpname()
    local text, status = run(([[
      local tcp = require "lunatcp"
      local net = tcp.network { seed = 1 }
      local client, server = net:host "client", net:host "server"
      net:link(client, server)
      server:listen(80)
      net:capture %q
      local function deep() error "it broke" end
      net:spawn(function()
        assert(client:connect(server, 80))
        deep()
      end)
      net:run()
    ]]):format(path), "LUNATCP_SEED=")
    assert.equal(1, status)
    assert.matches(":7: it broke\nstack traceback:", text)
    assert.matches(":10: in function", text)
    local file = assert(io.open(path, "rb"))
    local bytes = file:read "a"
    file:close()
    os.remove(path)
    local records = 0
    local at = 1
    while at < #bytes do
      local kind, length = ("<I4I4"):unpack(bytes, at)
      if kind == 6 then records = records + 1 end -- enhanced packet block
      at = at + length
    end
    assert.equal(#bytes + 1, at)
    assert.equal(3, records)
  end)
end)
