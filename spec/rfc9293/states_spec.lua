-- RFC 9293 section 3.10: every event in every state. What is expected stands in states_table.lua.
local expectations = require "rfc9293.states_table"
local states = require "rfc9293.states_world"

local SEQS <const> = { "exact", "ahead", "again", "old", "beyond" }
local ACKS <const> = { "new", "old", "future", "ancient" }

-- The words of a cell's columns that are there at all in a state.
local function domains(state)
  if state == "CLOSED" or state == "LISTEN" then return { "any" }, { "any" } end
  return state == "SYN-SENT" and { "any" } or SEQS, ACKS
end

local function words_of(text, all)
  if text == "*" then return all end
  local words = {}
  for word in text:gmatch "[^,]+" do words[#words + 1] = word end
  return words
end

-- Calls f(flags, seq, ack) for each cell of a row.
local function each_cell(state, row, f)
  local seqs, acks = domains(state)
  for _, flags in ipairs(words_of(row[1], expectations.flags)) do
    for _, seq in ipairs(words_of(row[2], seqs)) do
      local list = flags:find "A" and words_of(row[3], acks) or { "-" }
      for _, ack in ipairs(list) do f(flags, seq, ack) end
    end
  end
end

-- With and without timestamps; with numbers that wrap at 2^31 and 2^32 in the middle of it all.
local VARIANTS <const> = {
  {},
  { stamps = true },
  { iss = 0x7fffffff - 50, irs = 0x7fffffff },
  { iss = 0xffffffff - 50, irs = 0xffffffff, stamps = true },
}

local function merged(...)
  local all = {}
  for _, options in ipairs { ... } do
    for key, value in pairs(options) do all[key] = value end
  end
  return all
end

local function describe_cell(world, segment)
  return ("%s <- %s seq %d ack %s%s\n%s"):format(world.start, segment.flags, segment.seq,
    tostring(segment.ack), world.stamps and " with timestamps" or "", world.net:ladder())
end

-- The ladder is drawn only where something is wrong.
local function same(expected, got, world, segment)
  if expected ~= got then
    assert.equal(expected, got, segment and describe_cell(world, segment) or world.net:ladder())
  end
end

local function check_out(world, segment, out, got)
  local text = table.concat(got, "; ")
  if out == "A?" and text ~= "" then out = "A" end
  same(world:expected(out, segment) or "", text, world, segment)
end

local function check_after(world, segment, after)
  if after == "same" then after = world.start:gsub(" active", "") end
  same(after, world:state(), world, segment)
  assert.is_nil(world.net.core:check())
end

-- One cell: a fresh connection, one segment, what comes out, the state after.
local function play(state, row, flags, seq, ack, options)
  local world = states.enter(state, options)
  local segment = { flags = flags, seq = world:seq_of(seq), ack = world:ack_of(ack) }
  world:send { flags = flags, seq = segment.seq, ack = segment.ack }
  local got = world:collect(0.1)
  check_out(world, segment, row[4], got)
  check_after(world, segment, row[5])
end

local function play_row(state, row, options)
  for _, variant in ipairs(VARIANTS) do
    each_cell(state, row, function(flags, seq, ack)
      play(state, row, flags, seq, ack, merged(variant, options or {}))
    end)
  end
end

local function title(row)
  local words = table.concat(row, " ", 1, 3):gsub(" %-$", "")
  return ("RFC9293:%s %s: %s, %s"):format(row[6], words, row[4] == "-" and "nothing" or row[4], row[5])
end

-- Each cell of the state stands in one row, and only there.
local function check_whole(state, block)
  local count = {}
  for _, row in ipairs(states.rows(block)) do
    assert.equal(6, #row, table.concat(row, " "))
    each_cell(state, row, function(flags, seq, ack)
      local key = flags .. " " .. seq .. " " .. ack
      count[key] = (count[key] or 0) + 1
    end)
  end
  each_cell(state, { "*", "*", "*" }, function(flags, seq, ack)
    local key = flags .. " " .. seq .. " " .. ack
    assert.equal(1, count[key] or 0, state .. ": " .. key)
  end)
end

describe("segment arrives:", function()
  for _, state in ipairs(expectations.order) do
    describe(state .. ":", function()
      it("every cell stands in the table once", function()
        check_whole(state, expectations.segments[state])
      end)
      for _, row in ipairs(states.rows(expectations.segments[state])) do
        it(title(row), function() play_row(state, row) end)
      end
    end)
  end
end)

describe("segment arrives, one's own window being closed:", function()
  local closed <const> = { fill = 1000, host = { receive_buffer = 1000 } }
  for _, state in ipairs(expectations.order) do
    local block = expectations.closed_window[state]
    if block then
      describe(state .. ":", function()
        it("every cell stands in the table once", function() check_whole(state, block) end)
        for _, row in ipairs(states.rows(block)) do
          it(title(row), function() play_row(state, row, closed) end)
        end
      end)
    end
  end
end)

describe("segment with text arrives:", function()
  -- What can be read, the end of the stream aside.
  local function readable(world)
    local conn = world.conn or world.listener and world.listener:accept { timeout = 0 }
    if not conn then return 0 end
    world.conn = conn
    local bytes = conn:read(100, { timeout = 0 })
    return bytes and #bytes or 0
  end

  local function play_text(row, options)
    local state, flags, seq, ack, out, after, take = table.unpack(row)
    local world = states.enter(state, options)
    local segment = { flags = flags, seq = world:seq_of(seq), ack = world:ack_of(ack), payload = "texts" }
    world:send { flags = flags, seq = segment.seq, ack = segment.ack, payload = "texts" }
    local got = world:collect(0.1)
    if out == "D5" or out == "D2" then -- delayed, but not for half a second
      for _, line in ipairs(world:collect(0.5)) do got[#got + 1] = line end
    elseif out == "AS6" and #got == 2 then -- the SYN was acknowledged by itself
      assert.equal(world:expected("AS", segment), table.remove(got, 1))
    end
    check_out(world, segment, out, got)
    check_after(world, segment, after)
    if take == "W5" then
      world:send { flags = "A", seq = segment.seq + 1, ack = world.iss + 1 }
      world:collect(0.1)
      take = "5"
    end
    same(tonumber(take), readable(world), world, segment)
  end

  for _, row in ipairs(states.rows(expectations.text, 8)) do
    it(("RFC9293:%s %s: %s %s, %s: %s"):format(row[8], row[1], row[2], row[3], row[4], row[6]), function()
      for _, variant in ipairs(VARIANTS) do play_text(row, variant) end
    end)
  end
end)

describe("segment with URG arrives:", function()
  local function play_urgent(row, options)
    local state, flags, seq, ack, out, after, remain = table.unpack(row)
    local world = states.enter(state, options)
    local notices = 0
    world.net:on("urgent", function() notices = notices + 1 end)
    local segment = { flags = flags, seq = world:seq_of(seq), ack = world:ack_of(ack) }
    world:send { flags = flags, seq = segment.seq, ack = segment.ack, urgent = 3 }
    local got = world:collect(0.1)
    check_out(world, segment, out, got)
    check_after(world, segment, after)
    same((remain == "-" or remain == "0") and 0 or 1, notices, world, segment)
    if remain ~= "-" then assert.equal(tonumber(remain), world.conn:info().urgent_remaining) end
  end

  for _, row in ipairs(states.rows(expectations.urgent, 8)) do
    it(("RFC9293:%s %s: %s %s, %s remain"):format(row[8], row[1], row[2], row[3], row[7]), function()
      for _, variant in ipairs(VARIANTS) do play_urgent(row, variant) end
    end)
  end
end)

describe("user call:", function()
  local CLIENT <const> = 1024

  -- Of what the script holds: the connection, or the listener.
  local calls <const> = {
    OPEN = function(world)
      if world.start == "LISTEN" then return world.host:listen(80) end
      local conn, message, code = world.host:connect_start(world.peer, CLIENT, { local_port = 80 })
      if conn then world.conn = conn end
      return conn, message, code
    end,
    SEND = function(world) return world.conn:write("fives", { timeout = 0 }) end,
    RECEIVE = function(world) return world.conn:read(100, { timeout = 0 }) end,
    CLOSE = function(world)
      if world.listener and not world.conn then return world.listener:close() end
      return world.conn:shutdown()
    end,
    ABORT = function(world)
      if world.listener and not world.conn then return world.listener:close() end
      return world.conn:abort()
    end,
  }

  local function expected_out(world, out)
    local lines = {
      ["-"] = "",
      ["F"] = states.line("FA", world.nxt, world.rcv_nxt),
      ["D"] = states.line("A", world.nxt, world.rcv_nxt, 5),
      ["R"] = states.line("R", world.nxt),
      ["S"] = states.line("S", world.iss),
    }
    return lines[out]
  end

  local function play_call(row, options)
    local state, call, out, after, result = table.unpack(row)
    local host = state == "TIME-WAIT" and { time_wait_reuse = false } or {}
    local world = states.enter(state, merged(options, { quiet = true, host = host }))
    if state == "CLOSED" then -- a connection that is over, of which the script still holds the name
      world.conn = world.host:connect_start(world.peer, CLIENT + 1, { local_port = 81 })
      world.conn:shutdown()
      world:collect(0.05)
    end
    local expected = expected_out(world, out)
    local ok, _, code = calls[call](world)
    local got = table.concat(world:collect(0.1), "; ")
    if result == "error" then result = select(2, world.conn:error()) end
    same(result, ok and "ok" or code or "end", world)
    same(expected, got, world)
    check_after(world, nil, after)
  end

  for _, row in ipairs(states.rows(expectations.calls, 6)) do
    it(("RFC9293:%s %s: %s: %s, %s"):format(row[6], row[1], row[2], row[5], row[4]), function()
      for _, variant in ipairs(VARIANTS) do play_call(row, variant) end
    end)
  end

  it("RFC9293:3.10.6-1 STATUS gives the state, in each of them", function()
    for _, state in ipairs(expectations.order) do
      local world = states.enter(state)
      local name = state:gsub(" active", "")
      if world.conn then
        assert.equal(name, world.conn:info().state)
      else
        assert.equal(name, world:state())
      end
    end
  end)

  it("RFC9293:3.10.2-2 what is sent before ESTABLISHED leaves when it is reached", function()
    for _, state in ipairs { "SYN-SENT", "SYN-RECEIVED active" } do
      local world = states.enter(state)
      world.conn:write "queued"
      assert.same({}, world:collect(0.05))
      world:send { flags = state == "SYN-SENT" and "SA" or "A", seq = world.rcv_nxt, ack = world.nxt }
      local got = world:collect(0.1)
      local nxt = state == "SYN-SENT" and world.rcv_nxt + 1 or world.rcv_nxt
      assert.equal(states.line("A", world.nxt, nxt, 6), got[#got])
    end
  end)

  it("RFC9293:3.10.4-4 CLOSE with SENDs queued in SYN-RECEIVED waits for ESTABLISHED", function()
    local world = states.enter "SYN-RECEIVED active"
    world.conn:write "queued"
    world.conn:shutdown()
    assert.same({}, world:collect(0.05))
    assert.equal("SYN-RECEIVED", world:state())
    world:send { flags = "A", seq = world.rcv_nxt, ack = world.nxt }
    assert.equal(states.line("FA", world.nxt, world.rcv_nxt, 6), table.concat(world:collect(0.1), "; "))
    assert.equal("FIN-WAIT-1", world:state())
  end)

  it("RFC9293:3.10.4-5 RFC9293:3.10.4-7 CLOSE waits until what was sent before has left", function()
    for state, after in pairs { ["ESTABLISHED"] = "FIN-WAIT-1", ["CLOSE-WAIT"] = "LAST-ACK" } do
      local world = states.enter(state, { quiet = true, host = { initial_window = 1 } })
      world.conn:write(("x"):rep(2500))
      world.conn:shutdown()
      local got = world:collect(0.05)
      assert.equal(1, #got)
      assert.is_truthy(got[1]:find "^A ")
      world:send { flags = "A", seq = world.rcv_nxt, ack = world.nxt + 1000 }
      got = world:collect(0.05)
      assert.equal(2, #got)
      assert.equal(states.line("FA", world.nxt + 2000, world.rcv_nxt, 500), got[2])
      assert.equal(after, world:state())
    end
  end)

  it("RFC9293:3.10.2-5 SEND with URGENT sets SND.UP, and the pointer in what is sent", function()
    local world = states.enter("ESTABLISHED", { quiet = true })
    world.conn:urgent "now"
    assert.equal((world.nxt + 3) & 0xffffffff, world.conn:info().snd_up)
    world.net:run { until_ = world.net:now() + 0.05 }
    world.peer:expect { flags = "UPA", urgent = 3, length = 3 }
  end)

  it("RFC9293:3.10.3-4 RECEIVE in CLOSE-WAIT gives what is on hand first", function()
    local world = states.enter "ESTABLISHED"
    world:send { flags = "FA", seq = world.rcv_nxt, ack = world.una, payload = "on hand" }
    world:collect(0.1)
    assert.equal("CLOSE-WAIT", world:state())
    assert.equal("on hand", world.conn:read(100, { timeout = 0 }))
    local bytes, _, code = world.conn:read(100, { timeout = 0 })
    assert.is_nil(bytes or code)
  end)
end)

describe("timeout:", function()
  local function again(world)
    local lines = {
      ["SYN-SENT"] = states.line("S", world.iss),
      ["SYN-RECEIVED"] = states.line("SA", world.iss, world.rcv_nxt),
      ["SYN-RECEIVED active"] = states.line("SA", world.iss, world.rcv_nxt),
      ["ESTABLISHED"] = states.line("A", world.una, world.rcv_nxt, 100),
      ["CLOSE-WAIT"] = states.line("A", world.una, world.rcv_nxt, 100),
      ["FIN-WAIT-1"] = states.line("FA", world.una, world.rcv_nxt),
      ["CLOSING"] = states.line("FA", world.una, world.rcv_nxt),
      ["LAST-ACK"] = states.line("FA", world.una, world.rcv_nxt),
    }
    return lines[world.start]
  end

  local seconds <const> = { retransmission = 1.05, user = 10, ["time-wait"] = 241 }

  local function play_timeout(row, options)
    local state, kind, out, after, result = table.unpack(row)
    local host = kind == "retransmission" and {} or { user_timeout = 5 }
    local world = states.enter(state, merged(options, { host = host }))
    local expected = again(world)
    local got = world:collect(seconds[kind])
    -- On the way to the user timeout there are retransmissions.
    for _, line in ipairs(got) do same(expected, line, world) end
    if out == "again" then same(1, #got, world) end
    check_after(world, nil, after)
    if world.conn then assert.equal(result ~= "-" and result or nil, (select(2, world.conn:error()))) end
  end

  for _, row in ipairs(states.rows(expectations.timeouts, 6)) do
    it(("RFC9293:%s %s: %s: %s"):format(row[6], row[1], row[2], row[4]), function()
      for _, variant in ipairs(VARIANTS) do play_timeout(row, variant) end
    end)
  end

  it("RFC9293:3.10.7.4-16 the FIN again restarts the 2 MSL timeout", function()
    local world = states.enter "TIME-WAIT"
    world:collect(200)
    world:send { flags = "FA", seq = world.rcv_nxt - 1, ack = world.nxt }
    assert.equal(states.line("A", world.nxt, world.rcv_nxt), table.concat(world:collect(0.1), "; "))
    world:collect(239)
    assert.equal("TIME-WAIT", world:state())
    world:collect(2)
    assert.equal("CLOSED", world:state())
  end)
end)

describe("the window:", function()
  -- "If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)": SND.WND, SND.WL1 and SND.WL2 are
  -- those of the segment.
  it("RFC9293:3.10.7.4-12 is updated by newer segments, not by older ones", function()
    for _, case in ipairs {
      -- SEG.SEQ - SND.WL1, SEG.ACK - SND.WL2, is it taken
      { 0, 0, true }, { 0, 50, true }, { 5, 0, true }, { 5, -50, true }, { 0, -50, false }, { -1, 50, false },
    } do
      local world = states.enter "ESTABLISHED"
      -- SND.WL1 = RCV.NXT+10, SND.WL2 = SND.UNA+50.
      world:send { flags = "A", seq = world.rcv_nxt + 10, ack = world.una + 50, window = 3000 }
      world:collect(0.05)
      assert.equal(3000, world.conn:info().snd_wnd)
      world:send {
        flags = "A", seq = world.rcv_nxt + 10 + case[1], ack = world.una + 50 + case[2], window = 4000,
      }
      world:collect(0.05)
      local info = world.conn:info()
      assert.equal(case[3] and 4000 or 3000, info.snd_wnd, ("%d, %d"):format(case[1], case[2]))
      assert.equal((world.rcv_nxt + 10 + (case[3] and case[1] or 0)) & 0xffffffff, info.snd_wl1)
    end
  end)
end)
