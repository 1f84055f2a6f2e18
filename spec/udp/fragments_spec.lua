-- Fragments of IP that come through a tunnel: only `rawip` carries them.
local core = require "lunatcp.core"
local ends = require "udp.ends"
local fragments = require "support.fragments"
local luv = require "luv"

describe("fragments through rawip #udp", function()
  -- A host behind a tunnel whose far end is a bare socket.
  local function behind(family)
    local inner = ends.INNER[family]
    local self = { loop = assert(core.loop()), far = ends.bare(0, family == 6 and "::1" or nil) }
    self.net = core.network { start_ns = self.loop:now_ns(), seed = 3 }
    self.host = assert(self.net:host {})
    local link = assert(self.net:link {
      { node = self.host, addresses = { inner[2] .. "/24" } }, {}, tunnel = true,
    })
    self.tunnel = assert(self.loop:udp {
      link = link, bind = ends.ANY[family], peer = self.far.text, framing = "rawip",
      local_address = inner[2], remote_address = inner[1],
    })
    function self.send(packet) self.far.send(packet, self.tunnel:address()) end
    function self.run(done)
      local limit = self.loop:now() + ends.PATIENCE
      while not done() do
        assert(self.loop:now() < limit, "nothing happened")
        self.loop:step(self.net, self.loop:now() + 0.002)
        luv.run "nowait"
      end
    end
    return self
  end

  local function close(self)
    self.far.close()
    self.loop:close()
    self.net:close()
  end

  for _, family in ipairs { 4, 6 } do
    it("RFC791:3.2-2 become whole, IPv" .. family, function()
      local one = behind(family)
      assert(one.host:listen { port = 80 })
      local syn = ends.packet(family, 1, {
        flags = "S", ack = 0, destination_port = 80, options = { mss = 1000 }, payload = ("x"):rep(100),
      })
      local pieces = fragments.cut(syn, 40) -- the first holds all headers: RFC 8200 section 4.5
      assert.equal(4, #pieces)
      for i = #pieces, 1, -1 do one.send(pieces[i]) end
      one.run(function() return #one.far.got == 1 end)
      local answer = core.decode(one.far.got[1])
      assert.same({ 80, 2 }, { answer.source_port, answer.ack })
      assert.is_true(answer.flags.syn and answer.flags.ack)
      close(one)
    end)

    it("RFC1122:3.3.2 of which the rest never comes stay within bounds, IPv" .. family, function()
      local one = behind(family)
      local packet = ends.packet(family, 1, { payload = ("x"):rep(1000) })
      for id = 1, 500 do
        one.send((family == 4 and fragments.v4 or fragments.v6)(packet, 0, 800, { id = id }))
        one.run(function() return one.host:counters().fragments_received == id end)
      end
      local counters = one.host:counters()
      assert.equal(0, counters.datagrams_reassembled)
      -- All but those that may wait for one source were given up.
      assert.equal(500 - one.host:settings().reassembly_per_source, counters.fragments_evicted)
      close(one)
    end)
  end
end)
