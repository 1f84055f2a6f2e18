-- The exact numbers of every scene of examples/tour.lua, as it prints them.
local runner = require "examples.runner"

-- Plays one scene; rows of its ladders and sentences of what to notice must be there.
local function shows(scene, rows, sentences)
  local printed = runner.well("tour", { scene })
  local plain, prose = runner.plain(printed), runner.one_line(printed)
  local from = 1
  for _, row in ipairs(rows) do
    local first, last = plain:find("\n" .. row .. "\n", from, true)
    assert(first, ("scene %d has no row (or not after the ones before):\n%s\n%s"):format(scene, row, plain))
    from = last
  end
  for _, sentence in ipairs(sentences) do
    assert(prose:find(sentence, 1, true), ("scene %d does not say:\n%s\n%s"):format(scene, sentence, printed))
  end
end

local OPENING <const> = {
  "0.000000 SYN-SENT SYN seq 0 <mss 1460> > SYN-RECEIVED",
  "0.010000 ESTABLISHED < SYN,ACK seq 0 ack 1 <mss 1460> SYN-RECEIVED",
  "0.020000 ESTABLISHED ACK seq 1 ack 1 > ESTABLISHED",
}

-- The handshake, and then these rows.
local function opened(rows)
  return table.move(rows, 1, #rows, #OPENING + 1, table.move(OPENING, 1, #OPENING, 1, {}))
end

describe("examples/tour.lua", function()
  it("RFC9293:3.1 shows each field and flag of a header", function()
    shows(1, {
      "0.000000 SYN-SENT SYN seq 1000 <mss 1460 sackOK ts> > SYN-RECEIVED",
      "0.030000 ESTABLISHED PSH,ACK seq 1001 ack 5001 len 4 <ts> > ESTABLISHED",
      "| source port 49152 | destination port 80 | 0: c0 00 00 50",
      "| sequence number 1001 | 4: 00 00 03 e9",
      "| acknowledgment number 5001 | 8: 00 00 13 89",
      "| 8 | 0 |0|0|0|1|1|0|0|0| window 65535 | 12: 80 18 ff ff",
      '| data "ping" | 32: 70 69 6e 67',
      "AE 0 accurate ECN (RFC 9768), the last of the four bits that were reserved",
      "URG 0 the urgent pointer means something",
      "PSH 1 give this to the reader now, do not wait for more",
    }, {
      "one bit flipped, each of the 288 bits in turn, so many got through: 0.",
      "The SYN offered mss, sack_permitted, timestamps;",
    })
  end)

  it("RFC9293:3.5 shows (X,0), (Y,X+1), (X+1,Y+1), and what a late SYN comes to", function()
    shows(2, {
      "0.000000 SYN-SENT SYN seq 1000 <mss 1460> > SYN-RECEIVED",
      "0.010000 ESTABLISHED < SYN,ACK seq 5000 ack 1001 <mss 1460> SYN-RECEIVED",
      "0.020000 ESTABLISHED ACK seq 1001 ack 5001 > ESTABLISHED",
      "0.000000 SYN seq 90 [forged] > SYN-RECEIVED",
      "0.010000 < SYN,ACK seq 5000 ack 91 <mss 1460> SYN-RECEIVED",
      "0.020000 RST seq 91 win 0 > CLOSED",
    }, {
      "(X, 0) = (1000, 0):", "(Y, X+1) = (5000, 1001):", "(X+1, Y+1) = (1001, 5001):",
      "The client went through SYN-SENT, ESTABLISHED.",
      "The server went through SYN-RECEIVED, ESTABLISHED;",
      "In ten seconds accept gave nothing (EAGAIN), and the server was ESTABLISHED 0 times.",
    })
  end)

  it("RFC9293:3.6 shows the four-way close, begun by either side", function()
    shows(3, opened {
      "0.030000 FIN-WAIT-1 FIN,ACK seq 1 ack 1 > CLOSE-WAIT",
      "0.040000 FIN-WAIT-2 < ACK seq 1 ack 2 CLOSE-WAIT",
      "0.090000 TIME-WAIT < FIN,ACK seq 1 ack 2 LAST-ACK",
      "0.100000 TIME-WAIT ACK seq 2 ack 2 > CLOSED",
      "240.100000 CLOSED",
      "0.030000 CLOSE-WAIT < FIN,ACK seq 1 ack 1 FIN-WAIT-1",
      "0.040000 CLOSE-WAIT ACK seq 1 ack 2 > FIN-WAIT-2",
      "0.090000 LAST-ACK FIN,ACK seq 1 ack 2 > TIME-WAIT",
      "0.100000 CLOSED < ACK seq 2 ack 2 TIME-WAIT",
      "240.100000 CLOSED",
    }, {
      "The client, which closed first, went through FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, CLOSED.",
      "The server went through CLOSE-WAIT, LAST-ACK, CLOSED.",
      "The server, which closed first, went through FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, CLOSED.",
      "The client went through CLOSE-WAIT, LAST-ACK, CLOSED.",
    })
  end)

  it("RFC9293:3.6 shows why closing takes four, and a close with three", function()
    shows(4, opened {
      "0.030000 FIN-WAIT-1 FIN,ACK seq 1 ack 1 > CLOSE-WAIT",
      "0.040000 FIN-WAIT-2 < ACK seq 1 ack 2 CLOSE-WAIT",
      "0.140000 FIN-WAIT-2 < PSH,ACK seq 1 ack 2 len 4 CLOSE-WAIT",
      "0.240000 FIN-WAIT-2 < PSH,ACK seq 5 ack 2 len 4 CLOSE-WAIT",
      "0.340000 TIME-WAIT < FIN,PSH,ACK seq 9 ack 2 len 6 LAST-ACK",
      "0.350000 TIME-WAIT ACK seq 2 ack 16 > CLOSED",
      "0.030000 FIN-WAIT-1 FIN,ACK seq 1 ack 1 > CLOSE-WAIT",
      "0.040000 FIN-WAIT-2 < FIN,ACK seq 1 ack 2 LAST-ACK",
      "0.050000 TIME-WAIT ACK seq 2 ack 2 > CLOSED",
    }, {
      "and its own FIN the server sent one, two, three.",
      "This close took 3 segments, as the opening did, and 0.03 s",
    })
  end)

  it("RFC9293:3.6 shows the half-close", function()
    shows(5, opened {
      "0.020000 FIN-WAIT-1 FIN,PSH,ACK seq 1 ack 1 len 15 > CLOSE-WAIT",
      "0.030000 FIN-WAIT-2 < ACK seq 1 ack 17 CLOSE-WAIT",
      "0.130000 TIME-WAIT < FIN,PSH,ACK seq 1 ack 17 len 15 LAST-ACK",
      "0.140000 TIME-WAIT ACK seq 17 ack 17 > CLOSED",
    }, { "The client can write no more: EPIPE.", "But it can read: apple, fig, pear." })
  end)

  it("RFC9293:3.6 shows the simultaneous close, through CLOSING", function()
    shows(6, opened {
      "0.030000 FIN-WAIT-1 FIN,ACK seq 1 ack 1",
      "0.032000 CLOSING < FIN,ACK seq 1 ack 1 FIN-WAIT-1",
      "0.040000 FIN,ACK seq 1 ack 1 > CLOSING",
      "240.050000 CLOSED",
      "240.052000 CLOSED",
    }, {
      "The client went through FIN-WAIT-1, CLOSING, TIME-WAIT, CLOSED.",
      "The server went through FIN-WAIT-1, CLOSING, TIME-WAIT, CLOSED too",
    })
  end)

  it("RFC9293:MUST-10 shows the simultaneous open", function()
    shows(7, {
      "0.000000 SYN-SENT SYN seq 0 <mss 1460>",
      "0.002000 SYN-RECEIVED < SYN seq 0 <mss 1460> SYN-SENT",
      "0.010000 SYN seq 0 <mss 1460> > SYN-RECEIVED",
    }, {
      "The one went through SYN-SENT, SYN-RECEIVED, ESTABLISHED.", "It took 4 segments instead of three",
      "It took 0.022 s, and there is one connection",
    })
  end)

  it("RFC9293:MUST-13 shows TIME-WAIT, and what goes wrong with one of zero", function()
    shows(8, opened {
      "0.040000 TIME-WAIT < FIN,ACK seq 1 ack 2 LAST-ACK",
      "0.050000 TIME-WAIT ACK seq 2 ack 2 X rule",
      "1.040000 TIME-WAIT < FIN,ACK seq 1 ack 2 [retransmitted] LAST-ACK",
      "1.050000 TIME-WAIT ACK seq 2 ack 2 > CLOSED",
      "241.050000 CLOSED",
      "1.040000 CLOSED < FIN,ACK seq 1 ack 2 [retransmitted] LAST-ACK",
      "1.050000 CLOSED RST seq 2 win 0 > CLOSED",
      "3.045000 ESTABLISHED PSH,ACK seq 1 ack 1 len 3 > ESTABLISHED",
      "3.055000 ESTABLISHED < ACK seq 1 ack 4 ESTABLISHED",
    }, {
      "it was CLOSED 240 s after the second FIN, 241 s after the first.",
      "the server must think that it had not: \"connection reset by peer\".",
      "The server reads \"old\" from the new connection",
      "The client was acknowledged all 3 octets, with 0 retransmissions",
      "With TIME-WAIT the same client gets EISCONN",
      "(PAWS, RFC 7323): the server reads \"new\".",
    })
  end)

  it("RFC9293:3.5.2 shows three ways to be reset", function()
    shows(9, {
      "0.000000 SYN-SENT SYN seq 0 <mss 1460> >",
      "0.010000 CLOSED < RST,ACK seq 0 ack 1 win 0",
      "0.050000 RST seq 4381 win 0 > CLOSED",
      "3.030000 ESTABLISHED PSH,ACK seq 1 ack 1 len 14 > CLOSED",
      "3.040000 CLOSED < RST seq 1 win 0 CLOSED",
    }, {
      'The client is told "connection refused" (ECONNREFUSED), after one round trip: 0.02 s.',
      "Of 100000 octets, 4380 were under way and 95620 waited when the client gave up.",
      "After ABORT there are 0 and 0",
      'The client reads "connection reset by peer" (ECONNRESET).',
    })
  end)

  it("RFC9293:MUST-62 shows where the urgent pointer points", function()
    shows(10, opened {
      "0.060000 ESTABLISHED PSH,URG,ACK seq 4 ack 1 len 4 up 4 > ESTABLISHED",
      "0.030000 ESTABLISHED PSH,URG,ACK seq 1 ack 1 len 7 up 4 > ESTABLISHED",
      "0.240000 ESTABLISHED < ACK seq 1 ack 1001 win 0 ESTABLISHED",
      "0.330000 ESTABLISHED URG,ACK seq 1001 ack 1 up 1 > ESTABLISHED",
    }, {
      "Sequence number 1004 and pointer 4 make 1008", '"abcSTOP", then "def"', 'The stream is "abcdef".',
      "Still it hears of urgent data, 1001 octets on, 0.01 s after the client said so.",
    })
  end)

  it("RFC9293:3.8 shows loss, disorder, repetition and a closed window", function()
    shows(11, {
      "0.000000 SYN-SENT SYN seq 0 <mss 1460> X rule",
      "1.000000 SYN-SENT SYN seq 0 <mss 1460> [retransmitted] X rule",
      "3.000000 SYN-SENT SYN seq 0 <mss 1460> [retransmitted] > SYN-RECEIVED",
      "0.030000 ESTABLISHED PSH,ACK seq 1 ack 1 len 5 X rule",
      "1.030000 ESTABLISHED PSH,ACK seq 1 ack 1 len 5 [retransmitted] > ESTABLISHED",
      "0.030000 ESTABLISHED ACK seq 1 ack 1 len 100 X rule",
      "0.053680 ESTABLISHED ACK seq 1 ack 1 len 100 [retransmitted] > ESTABLISHED",
      "0.064800 ESTABLISHED < ACK seq 1 ack 401 ESTABLISHED",
      "0.046120 ACK seq 1 ack 1 len 100 [delayed] > ESTABLISHED",
      "0.046120 ESTABLISHED < ACK seq 1 ack 301 ESTABLISHED",
      "0.045000 ESTABLISHED < ACK seq 1 ack 5 ESTABLISHED",
      "0.040000 ESTABLISHED < ACK seq 1 ack 2001 win 0 ESTABLISHED",
      "1.050000 ESTABLISHED ACK seq 2001 ack 1 len 1 [probe] > ESTABLISHED",
      "1.060000 ESTABLISHED < ACK seq 1 ack 2001 win 0 ESTABLISHED",
      "2.030000 ESTABLISHED < ACK seq 1 ack 2001 ESTABLISHED",
    }, {
      "Each timeout doubles it, to 2 s and 4 s, so the second came at 3 s.",
      "timeout began anew at 3 s (RFC 6298, 5.7)",
      "Each of the 3 segments behind the gap was answered at once",
      "(1 fast recovery, 0 timeouts), it was there after 0.0348 s instead of a second.",
      "2 duplicate ACKs are less than three, so 0 segments were sent again.",
      "The server reads \"once\", once, and then nothing for half a second (EAGAIN).",
    })
  end)

  it("plays all scenes, the same each time and with any seed", function()
    local printed = runner.well "tour"
    for scene = 1, 11 do assert.matches(("\n%d%%. %%S"):format(scene), printed) end
    assert.matches("\nScenes played: 11%. Things to notice: 9%d, all of them measured%.\n", printed)
    assert.equal(printed, (runner.run "tour"))
    assert.equal(printed, (runner.run("tour", {}, { "LUNATCP_SEED=7" })))
  end)

  it("fails loudly when the engine does otherwise", function()
    local printed, complained, status = runner.run("tour", { 6 }, {
      'LUA_INIT_5_4=local lab = require "lunatcp.trace"; local new = lab.new; '
        .. 'lab.new = function(net) local trace = new(net); '
        .. 'trace.states = function() return { "SYN-SENT", "ESTABLISHED", "CLOSED" } end; return trace end',
    })
    assert.equal(1, status)
    assert.matches('^tour: scene 6, "Simultaneous close": the engine does otherwise\n', complained)
    assert.matches("expected: FIN%-WAIT%-1, CLOSING, TIME%-WAIT, CLOSED\n  got:      CLOSED\n", complained)
    assert.matches("06_simultaneous_close%.lua:%d+:", complained)
    assert.matches("FIN,ACK seq 1", printed) -- the ladder is there to be looked at
  end)

  it("says which scenes there are", function()
    for _, word in ipairs { "12", "0", "two", "1.5" } do
      local _, complained, status = runner.run("tour", { word })
      assert.equal(1, status)
      assert.equal(("tour: there is no scene '%s'; they are 1 to 11\n"):format(word), complained)
    end
  end)
end)
