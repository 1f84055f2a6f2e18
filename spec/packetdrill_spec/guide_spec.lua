-- docs/packetdrill.md: what it shows is what happens.
local packetdrill = require "lunatcp.packetdrill"
local profiles = require "lunatcp.profiles"
local shell = require "support.shell"

describe("the guide to packetdrill scripts", function()
  local guide = assert(shell.read "docs/packetdrill.md")
  local blocks = {}
  for block in guide:gmatch "\n```%w*\n(.-)\n```" do blocks[#blocks + 1] = block end

  local function block_with(text)
    for _, block in ipairs(blocks) do
      if block:find(text, 1, true) then return block .. "\n" end
    end
    error("no block of the guide has " .. text)
  end

  local function good() return block_with "// RFC9293:3.10.7.4 ten octets" end

  it("shows a script that passes", function()
    for _, strict in ipairs { false, true } do
      local result = packetdrill.run(good(), "t.pkt", { strict = strict })
      assert(result.ok, packetdrill.explain(result))
    end
  end)

  it("shows what a script that fails prints", function()
    local script = good():gsub("> %. 1:1%(0%) ack 11", "> . 1:1(0) ack 12")
    local output = packetdrill.explain(packetdrill.run(script, "wrong.pkt"))
    assert.equal(block_with "wrong.pkt:8:1", output .. "\n\n0 passed, 1 failed\n")
  end)

  it("shows what is said of a script that cannot be read", function()
    local shown = block_with "s.pkt:2:38"
    local line = shown:match "\n    (%+0 < S[^\n]*)\n"
    local result = packetdrill.run("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" .. line .. "\n", "s.pkt")
    assert.equal(shown, packetdrill.explain(result) .. "\n")
  end)

  it("shows a profile that can be used", function()
    local profile = profiles.load(assert(load(block_with "base = \"rfc\""))())
    local result = packetdrill.run([[
`sysctl net.inet.tcp.sack.enable=0; ifconfig lo0 up`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 1000 <mss 1000,sackOK,nop,wscale 7,nop,nop>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 3>
+0 < . 1:1(0) ack 1 win 100
+0 accept(3, ..., ...) = 4
+0 `tcpcong -n`
]], "t.pkt", { profile = profile })
    assert(result.ok, packetdrill.explain(result))
  end)
end)
