-- The script with which the documentation begins, as it stands there.
local SKETCH <const> = [[
local tcp = require "lunatcp"

local net = tcp.network { seed = 42 }
local client, server = net:host "client", net:host "server"
local link = net:link(client, server, { delay = 0.010, rate = 100e6, queue = 64, loss = 0.01 })

net:spawn(function()
  local listener <close> = server:listen(80)
  local conn <close> = listener:accept()
  for chunk in conn:chunks() do conn:write(chunk:upper()) end
end)

net:spawn(function()
  local conn <close> = assert(client:connect(server, 80))
  conn:write "hello"
  print(conn:read(5))
end)

local rule <close> = link:rule(function(segment)
  if segment.flags.fin and segment.first then return "drop" end
end)

local capture <close> = net:capture(CAPTURE)
net:run()
print(net:ladder())
]]

local function run(path)
  local printed = {}
  local environment = setmetatable({
    CAPTURE = path,
    print = function(...)
      local words = table.pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]) end
      printed[#printed + 1] = table.concat(words, "\t")
    end,
  }, { __index = _G })
  assert(load(SKETCH, "=sketch", "t", environment))()
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return printed, bytes
end

describe("the first script", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("says HELLO, and shows the FIN that was dropped and sent again", function()
    local printed = run(path)
    assert.equal("HELLO", printed[1])
    local ladder = printed[2]:gsub("win %d+", "win *")
    assert.matches("FIN,ACK seq 6 ack 6 win * <ts> ───╳ rule", ladder, 1, true)
    assert.matches("FIN,ACK seq 6 ack 6 win * <ts> [retransmitted] ", ladder, 1, true)
    assert.equal(2, #printed)
  end)

  it("gives the same bytes each time", function()
    local printed, bytes = run(path)
    local again, same = run(path)
    assert.same(printed, again)
    assert.equal(bytes, same)
    assert.is_true(#bytes > 1000)
  end)
end)
