-- Who sends nonsense moves counters, and nothing else.
local stranger = dofile "bench/support/stranger.lua"

local COUNT <const> = 15000

for _, framing in ipairs(stranger.FRAMINGS) do
  describe(("an open tunnel of %s #udp"):format(framing), function()
    it("is not moved by what a stranger sends", function()
      local got = stranger.attack { framing = framing, count = COUNT, seed = 3 }
      assert.equal(COUNT, got.sent)
      assert.equal(COUNT, got.counters.datagrams_in)
      assert.equal(COUNT, got.counters.strangers + got.counters.unreadable) -- the empty ones are both
      assert.same({ 0, 0, 0, 1 }, { got.counters.packets_in, got.counters.packets_out, got.host.connections,
                                    got.peers })
      assert.equal(got.before, got.after)
    end)

    it("is not moved by a peer that has gone mad", function()
      local got = stranger.attack { framing = framing, count = COUNT, seed = 4, peer = true }
      assert.equal(COUNT, got.counters.datagrams_in)
      assert.is_true(got.counters.unreadable > COUNT / 20, got.counters.unreadable)
      assert.is_true(got.counters.packets_in > COUNT / 20, got.counters.packets_in)
      assert.is_true(got.host.connections <= 1) -- a SYN of its only port may by chance be right
      assert.is_true(got.after - got.before < 65536, ("%d octets, then %d"):format(got.before, got.after))
      assert.is_nil(got.problem)
    end)
  end)
end
