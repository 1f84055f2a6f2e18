-- RFC 9768 section 3.1: what the two ends agree on, and what the handshake shows of the path.
local accecn = require "support.accecn"
local lab = require "support.lab"
local wire = require "support.wire"

local NOT_ECT <const>, ECT1 <const>, ECT0 <const>, CE <const> = 0, 1, 2, 3

-- "accecn", "classic", "none"
local function mode_of(conn)
  local info = conn:info()
  return info.accecn and "accecn" or info.ecn and "classic" or "none"
end

describe("AccECN is negotiated", function()
  it("RFC9768:3.1.1-1 by all three flags on a SYN that is Not-ECT and has no option for it", function()
    local s = accecn.ask()
    assert.equal(7, accecn.ace(s.first))
    assert.equal(NOT_ECT, s.first.ecn)
    assert.is_nil(s.first.options.accecn)
    assert.equal("none", mode_of(s.conn)) -- nothing before the SYN-ACK
  end)

  it("RFC9768:3.1.1-2 by a SYN-ACK that says which IP-ECN field the SYN had: table 2, first block", function()
    for ecn, ace in pairs { [NOT_ECT] = 2, [ECT1] = 3, [ECT0] = 4, [CE] = 6 } do
      local s = accecn.passive { syn = { ecn = ecn } }
      assert.equal(ace, accecn.ace(s.synack))
      assert.equal(NOT_ECT, s.synack.ecn)
      assert.equal("accecn", mode_of(s.conn))
    end
  end)

  it("RFC9768:3.1.2-1 RFC9768:3.1.2-2 "
    .. "or what the SYN-ACK says instead: table 2, the other rows of a client", function()
    local rows <const> = {
      [2] = "accecn", [3] = "accecn", [4] = "accecn", [6] = "accecn",
      [5] = "accecn",                -- RFC9768:3.1.3-2: reserved
      [1] = "classic", [0] = "none", -- RFC9768:3.1.2-2
      [7] = "none",                  -- broken: the flags come back as they were
    }
    for ace, mode in pairs(rows) do
      local s = accecn.active { ace = ace }
      assert.equal(mode, mode_of(s.conn), ace)
    end
  end)

  it("RFC9768:3.1.2-3 or what the SYN asks for instead: table 2, third block", function()
    for _, setting in ipairs { 3, 4, 5 } do
      local s = accecn.passive { host = { ecn = setting }, syn = { ace = 3 }, ace = 0 }
      assert.equal(1, accecn.ace(s.synack))
      assert.equal("classic", mode_of(s.conn))
      s = accecn.passive { host = { ecn = setting }, syn = { ace = 0 }, ace = 0 }
      assert.equal(0, accecn.ace(s.synack))
      assert.equal("none", mode_of(s.conn))
    end
  end)

  it("RFC9768:3.1.3-1 RFC9768:3.1.3-2 also by the combinations that mean nothing yet", function()
    for _, ace in ipairs { 1, 2, 4, 5, 6 } do
      local s = accecn.passive { syn = { ace = ace } }
      assert.equal(2, accecn.ace(s.synack))
      assert.equal("accecn", mode_of(s.conn))
    end
  end)

  it("as the setting says: 0 and 2 and 5 ask for nothing, 1 and 4 for RFC 3168, 3 for AccECN", function()
    for setting, ace in pairs { [0] = 0, 3, 0, 7, 3, 0 } do
      assert.equal(ace, accecn.ace(accecn.ask({ host = { ecn = setting } }).first), setting)
    end
    for setting, ace in pairs { [0] = 0, 1, 1, 2, 2, 2 } do
      assert.equal(ace, accecn.ace(accecn.syn({ host = { ecn = setting } }).synack), setting)
    end
  end)

  it("RFC9768:3.1.2-4 between two hosts of every setting", function()
    local answers <const> = { [0] = "none", "classic", "classic", "classic", "classic", "classic" }
    for asking = 0, 5 do
      for agreeing = 0, 5 do
        local net, client, server = lab.connected { client = { ecn = asking }, server = { ecn = agreeing } }
        local expected = answers[agreeing]
        if asking == 0 or asking == 2 or asking == 5 then expected = "none" end
        if asking == 3 and agreeing >= 3 then expected = "accecn" end
        assert.equal(expected, mode_of(client), asking .. " " .. agreeing)
        assert.equal(expected, mode_of(server), asking .. " " .. agreeing)
        net:close()
      end
    end
  end)

  it("RFC9768:3.1.2-6 on a simultaneous open as by one who answers", function()
    for ecn, ace in pairs { [NOT_ECT] = 2, [CE] = 6 } do
      local s = accecn.ask()
      s.peer:send { flags = accecn.flags("S", 7), seq = 1000, ecn = ecn, options = { mss = 1000 } }
      local synack = s.peer:expect { seq = 5000, ack = 1001 }
      assert.is_true(synack.flags.syn)
      assert.equal(ace, accecn.ace(synack))
      s.peer:send { flags = accecn.flags("SA", 2), seq = 1000, ack = 5001, window = 65535 }
      s.wait()
      assert.equal("ESTABLISHED", s.conn:state())
      assert.equal("accecn", mode_of(s.conn))
      -- RFC9768:3.2.2-2: there is no ACE field in a SYN-ACK.
      assert.equal(0, s.conn:info().delivered_ce)
    end
  end)
end)

describe("AccECN when SYNs are lost", function()
  it("RFC9768:3.1.4.1-1 asks twice; later SYNs ask for nothing and have the same ISN", function()
    local s = accecn.ask()
    local asked = { accecn.ace(s.first) }
    for _ = 1, 3 do
      local again = s.next(10)
      assert.equal(5000, again.seq)
      asked[#asked + 1] = accecn.ace(again)
    end
    assert.same({ 7, 7, 0, 0 }, asked)
    -- RFC9768:3.1.4.1-2: an answer to one of the first is good, and ECT may be sent.
    s.answer(2)
    s.wait()
    assert.equal("accecn", mode_of(s.conn))
    assert.is_true(s.conn:info().ecn_sending)
  end)

  it("RFC9768:3.1.5-13 sends Not-ECT where both open at once and one SYN asked for nothing", function()
    for syns, sends in pairs { [2] = true, [3] = false } do
      local s = accecn.ask()
      for _ = 2, syns do s.next(10) end
      s.peer:send { flags = accecn.flags("S", 7), seq = 1000, options = { mss = 1000 } }
      -- RFC9768:3.1.2-6: the first SYN-ACK of them all has the flags and the option.
      local synack = s.next()
      assert.equal(2, accecn.ace(synack))
      assert.is_not_nil(synack.options.accecn)
      s.peer:send { flags = accecn.flags("SA", 2), seq = 1000, ack = 5001, window = 65535 }
      s.wait()
      assert.equal("accecn", mode_of(s.conn))
      assert.equal(sends, s.conn:info().ecn_sending, syns)
    end
  end)

  it("RFC9768:3.2.3.2.2-1 RFC9768:3.2.3.2.2-2 answers with the option, without, then with no flag", function()
    local s = accecn.syn()
    local answers = { { s.synack.options.accecn ~= nil, accecn.ace(s.synack) } }
    for _ = 1, 3 do
      local again = s.next(10)
      answers[#answers + 1] = { again.options.accecn ~= nil, accecn.ace(again) }
    end
    assert.same({ { true, 2 }, { false, 2 }, { false, 0 }, { false, 0 } }, answers)
    -- RFC9768:3.1.5-13: it stays in AccECN mode, and sends nothing ECN-capable.
    s.send { flags = accecn.flags("A", 2) }
    local conn = assert(s.listener:accept())
    assert.equal("accecn", mode_of(conn))
    conn:write "x"
    assert.equal(NOT_ECT, s.peer:expect({ length = 1 }).ecn)
    s.data(10, { ecn = CE })
    assert.equal(6, accecn.ace(s.next())) -- RFC9768:3.1.5-17
  end)

  it("RFC9768:3.1.5-8 feeds back the IP-ECN field of the latest SYN, in a SYN-ACK without option", function()
    local s = accecn.syn()
    s.again(7, ECT0)
    local again = s.peer:expect { seq = 5000, ack = 1001 }
    assert.equal(4, accecn.ace(again))
    assert.is_nil(again.options.accecn)
  end)

  it("RFC9768:3.1.5-13 sends nothing ECN-capable once a SYN has come that asks for nothing", function()
    local s = accecn.syn()
    s.again(0, CE)
    local again = s.peer:expect { seq = 5000, ack = 1001 }
    assert.equal(6, accecn.ace(again)) -- RFC9768:3.1.5-9: an AccECN SYN-ACK all the same
    s.send { flags = accecn.flags("A", 2) }
    local conn = assert(s.listener:accept())
    assert.equal("accecn", mode_of(conn)) -- RFC9768:3.1.5-1
    assert.is_false(conn:info().ecn_sending)
    conn:write "x"
    assert.equal(NOT_ECT, s.peer:expect({ length = 1 }).ecn)
  end)

  it("RFC9768:3.1.5-6 resets where one handshake asks for AccECN and for RFC 3168", function()
    for _, case in ipairs { { 7, 3 }, { 3, 7 }, { 3, 5 } } do
      local s = accecn.syn { syn = { ace = case[1] } }
      s.again(case[2])
      assert.is_true(s.next().flags.rst)
      s.send { flags = "A" }
      assert.is_true(s.next().flags.rst)
    end
  end)

  it("RFC9768:3.1.5-10 stays without ECN where the first SYN asked for none", function()
    local s = accecn.syn { host = { synack_again = true }, syn = { ace = 0 } }
    s.again(7)
    assert.equal(0, accecn.ace(s.peer:expect { seq = 5000, ack = 1001 }))
  end)

  it("works over a link that loses any of the first packets", function()
    for lost = 1, 4 do
      local net = lab.pair { client = { ecn = 3 }, server = { ecn = 3 } }
      net.wire:drop { nth = lost }
      local client, server = lab.handshake(net)
      client:write(("x"):rep(10000))
      assert.equal(10000, #server:read_exactly(10000))
      assert.same({ "accecn", "accecn" }, { mode_of(client), mode_of(server) })
      assert.is_true(client:info().ecn_sending and server:info().ecn_sending)
      assert.equal(0, client:info().delivered_ce)
    end
  end)
end)

describe("the ACK of a SYN-ACK", function()
  it("RFC9768:3.2.2.1-1 says which IP-ECN field the SYN-ACK had: table 3", function()
    for ecn, row in pairs { [NOT_ECT] = { 2, 5 }, [ECT1] = { 3, 5 }, [ECT0] = { 4, 5 }, [CE] = { 6, 6 } } do
      local s = accecn.active { ecn = ecn }
      assert.equal(0, s.ack.length)
      assert.equal(row[1], accecn.ace(s.ack))
      s.conn:write "x" -- and from then on it is r.cep
      assert.equal(row[2], accecn.ace(s.peer:expect { length = 1 }))
    end
  end)

  it("RFC9768:3.2.2.1-1 leaves before data that waits", function()
    local s = accecn.ask()
    s.conn:write "x"
    s.answer(2, ECT0)
    local first, second = s.next(), s.next()
    assert.same({ 0, 4 }, { first.length, accecn.ace(first) })
    assert.same({ 1, 5 }, { second.length, accecn.ace(second) })
  end)

  it("RFC9768:3.2.2.1-2 RFC9768:3.2.2.2-3 says it of a repeated one too, and counts CE once", function()
    local s = accecn.active { ecn = NOT_ECT }
    s.answer(2, CE)
    assert.equal(6, accecn.ace(s.next()))
    s.answer(2, CE)
    assert.equal(6, accecn.ace(s.next()))
    s.conn:write "x"
    assert.equal(6, accecn.ace(s.peer:expect { length = 1 }))
    assert.equal(2, s.conn:info().ce_received)
  end)

  it("RFC9768:3.2.2.1-3 RFC9768:3.2.2.3-2 is read by table 4", function()
    for ace = 0, 7 do
      local s = accecn.passive { ace = ace }
      s.wait()
      local info = s.conn:info()
      assert.equal(ace == 6 and 1 or 0, info.delivered_ce, ace)
      assert.equal(ace == 0, info.accecn_deaf, ace)
      -- RFC9768:3.2.2.3-2: Not-ECT does not become ECT(1), ECT(0) or CE by itself.
      assert.equal(ace == 1 or ace == 2 or ace == 5 or ace == 7, info.ecn_sending, ace)
      s.conn:write "x"
      assert.equal(info.ecn_sending and ECT0 or NOT_ECT, s.peer:expect({ length = 1 }).ecn)
    end
  end)

  it("RFC9768:3.2.2.1-4 with 0 makes the server deaf to feedback, not dumb", function()
    local s = accecn.passive { ace = 0, host = { initial_window = 10 } }
    s.conn:write(("x"):rep(10000))
    s.wait()
    s.send { flags = accecn.flags("A", 6), ack = 6001 }
    s.wait()
    assert.equal(0, s.conn:info().ecn_reductions)
    wire.drain(s.peer)
    s.data(100, { ecn = CE, ace = 6 })
    assert.equal(6, accecn.ace(s.next()))
  end)

  it("RFC9768:3.2.2.2-4 that says CE halves the server's window", function()
    local s = accecn.passive { ace = 6, host = { initial_window = 10 } }
    assert.equal(1, s.conn:info().ecn_reductions)
    assert.is_true(s.conn:info().cwnd <= 5000)
  end)

  it("RFC9768:3.2.2.2-2 after a SYN-ACK that says CE: the client's window, not its s.cep", function()
    local s = accecn.active { ace = 6, host = { initial_window = 10 } }
    assert.equal(1, s.conn:info().ecn_reductions)
    assert.equal(0, s.conn:info().delivered_ce)
    assert.is_true(s.conn:info().cwnd <= 5000)
  end)

  it("RFC9768:3.2.2.3-1 a SYN that did not arrive Not-ECT makes the client send Not-ECT", function()
    for ace, sends in pairs { [2] = true, [3] = false, [4] = false, [6] = false, [5] = true } do
      local s = accecn.active { ace = ace }
      assert.equal(sends, s.conn:info().ecn_sending, ace)
      s.conn:write "x"
      assert.equal(sends and ECT0 or NOT_ECT, s.peer:expect({ length = 1 }).ecn)
      -- RFC9768:3.1.5-17: it goes on feeding back.
      s.data(100, { ecn = CE })
      assert.equal(6, accecn.ace(s.next()))
    end
  end)
end)
