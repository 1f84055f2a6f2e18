local label = require "lunatcp.label"
local ladder = require "lunatcp.ladder"
local story = require "lunatcp.story"
local svg = require "lunatcp.svg"

-- Literal records: a network's trace without a network.
local function records()
  local self = { packets = {}, events = {}, serial = 0, links = { [0] = { 0, 1 } } }
  local function number()
    self.serial = self.serial + 1
    return self.serial
  end
  function self.segment(direction, flags, seq, ack, length, options)
    local near, far = direction == 1 and "c" or "s", direction == 1 and "s" or "c"
    return {
      protocol = "tcp", source = near, destination = far, source_port = direction == 1 and 49152 or 80,
      destination_port = direction == 1 and 80 or 49152, flag_letters = flags, seq = seq, ack = ack or 0,
      length = length or 0, window = 65535, urgent = 0, options = options,
    }
  end
  function self.packet(kind, id, direction, time, segment, notes, reason)
    self.packets[#self.packets + 1] = {
      serial = number(), kind = kind, packet = id, link = 0, direction = direction, time = time,
      segment = segment, notes = notes or {}, reason = reason,
    }
  end
  function self.state(host, time, from, to)
    self.events[#self.events + 1] = {
      serial = number(), kind = "state", host = host, time = time, from = from, to = to, subject = 1,
    }
  end
  function self.flow_of_event() return story.flow("c", 49152, "s", 80) end
  return self
end

local COLUMNS = { { node = 0, name = "client" }, { node = 1, name = "server" } }

local function handshake()
  local r = records()
  local options = { { name = "mss", value = 1460 }, { name = "nop" }, { name = "window_scale", value = 7 } }
  r.state(0, 0, "CLOSED", "SYN-SENT")
  local syn = r.segment(1, "S", 1000, 0, 0, options)
  r.packet("sent", 1, 1, 0, syn)
  r.packet("delivered", 1, 1, 0.01, syn)
  r.state(1, 0.01, "LISTEN", "SYN-RECEIVED")
  local syn_ack = r.segment(2, "SA", 5000, 1001)
  r.packet("sent", 2, 2, 0.01, syn_ack)
  r.packet("delivered", 2, 2, 0.02, syn_ack)
  r.state(0, 0.02, "SYN-SENT", "ESTABLISHED")
  local ack = r.segment(1, "A", 1001, 5001)
  r.packet("sent", 3, 1, 0.02, ack)
  r.packet("delivered", 3, 1, 0.03, ack)
  r.state(1, 0.03, "SYN-RECEIVED", "ESTABLISHED")
  return r
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

describe("ladder", function()
  it("draws the handshake with the states of both ends, as RFC 9293 figure 6 does", function()
    assert.same({
      "      time        client                                                                server",
      "  0.000000      SYN-SENT |--- SYN seq 0 win 65535 <mss 1460 ws 7> ------------------->| SYN-RECEIVED",
      "  0.010000   ESTABLISHED |<-- SYN,ACK seq 0 ack 1 win 65535 --------------------------| SYN-RECEIVED",
      "  0.020000   ESTABLISHED |--- ACK seq 1 ack 1 win 65535 ----------------------------->| ESTABLISHED",
    }, lines_of(ladder.draw(story.build(handshake()), COLUMNS, { ascii = true })))
  end)

  it("never is wider than it was told", function()
    local r = handshake()
    r.packet("sent", 9, 1, 0.1, r.segment(1, "PA", 1001, 5001, 1460, {
      { name = "sack", blocks = { { left = 1, right = 2 } } }, { name = "timestamps", value = 1, echo = 2 },
      { name = "mss", value = 1460 }, { name = "window_scale", value = 7 }, { kind = 77 },
    }), { retransmission = true, corrupted = true, delayed = true })
    for _, width in ipairs { 100, 80, 70 } do
      local columns = { COLUMNS[1], { node = 7, name = "a router with a name" }, COLUMNS[2] }
      for _, of in ipairs { COLUMNS, columns } do
        for _, line in ipairs(lines_of(ladder.draw(story.build(r), of, { width = width }))) do
          assert.is_true(utf8.len(line) <= width, line)
        end
      end
    end
  end)

  it("counts from the SYN, or shows the numbers of the wire", function()
    local relative = ladder.draw(story.build(handshake()), COLUMNS)
    assert.matches("ACK seq 1 ack 1 win", relative, 1, true)
    local absolute = ladder.draw(story.build(handshake(), { absolute = true }), COLUMNS)
    assert.matches("SYN seq 1000 win", absolute, 1, true)
    assert.matches("ACK seq 1001 ack 5001 win", absolute, 1, true)
  end)

  it("counts across the wrap of the sequence space", function()
    assert.equal(2, label.relative(1, 0xffffffff))
    assert.equal(-1, label.relative(0xffffffff, 0))
    assert.equal(7, label.relative(7, nil))
  end)

  it("marks what befell a packet", function()
    local r = records()
    local segment = r.segment(1, "A", 1, 1, 10)
    r.packet("sent", 1, 1, 0, segment)
    r.packet("dropped", 1, 1, 0, segment, {}, "rule")
    r.packet("sent", 2, 1, 1, segment, { retransmission = true })
    r.packet("delivered", 2, 1, 1.1, segment, { retransmission = true, corrupted = true })
    local drawn = ladder.draw(story.build(r), COLUMNS, { ascii = true })
    assert.matches("len 10 win 65535 %-*X rule", drawn)
    assert.matches("[retransmitted, corrupted]", drawn, 1, true)
  end)

  it("draws a packet that crossed a SYN, FIN or RST as it left and as it came", function()
    local r = records()
    r.state(0, 0, "CLOSED", "SYN-SENT")
    local a, b = r.segment(1, "S", 100), r.segment(2, "S", 300)
    r.packet("sent", 1, 1, 0, a)
    r.state(1, 0, "CLOSED", "SYN-SENT")
    r.packet("sent", 2, 2, 0, b)
    r.packet("delivered", 1, 1, 0.01, a)
    r.state(1, 0.01, "SYN-SENT", "SYN-RECEIVED")
    r.packet("delivered", 2, 2, 0.01, b)
    r.state(0, 0.01, "SYN-SENT", "SYN-RECEIVED")
    local drawn = lines_of(ladder.draw(story.build(r), COLUMNS, { ascii = true }))
    assert.matches("SYN%-SENT |%-%-%- SYN seq 0 win 65535 %.%.%. +|$", drawn[2])
    assert.matches("SYN%-RECEIVED |<%-+ SYN seq 0 win 65535 %-+| SYN%-SENT$", drawn[3])
    assert.matches("|%.%.%. SYN seq 0 win 65535 %-+>| SYN%-RECEIVED$", drawn[4])
  end)

  -- A simultaneous close, the server's a little later: each end has sent its last ACK when the other's comes.
  it("never shows a state above one that came before it", function()
    local r = handshake()
    local function send(id, direction, time, ...)
      r.packet("sent", id, direction, time, r.segment(direction, ...))
    end
    local function come(id, direction, time, ...)
      r.packet("delivered", id, direction, time, r.segment(direction, ...))
    end
    r.state(0, 0.030, "ESTABLISHED", "FIN-WAIT-1")
    send(4, 1, 0.030, "FA", 1001, 5001)
    r.state(1, 0.032, "ESTABLISHED", "FIN-WAIT-1")
    send(5, 2, 0.032, "FA", 5001, 1001)
    come(4, 1, 0.040, "FA", 1001, 5001)
    r.state(1, 0.040, "FIN-WAIT-1", "CLOSING")
    send(6, 2, 0.040, "A", 5002, 1002)
    come(5, 2, 0.042, "FA", 5001, 1001)
    r.state(0, 0.042, "FIN-WAIT-1", "CLOSING")
    send(7, 1, 0.042, "A", 1002, 5002)
    come(6, 2, 0.050, "A", 5002, 1002)
    r.state(0, 0.050, "CLOSING", "TIME-WAIT")
    come(7, 1, 0.052, "A", 1002, 5002)
    r.state(1, 0.052, "CLOSING", "TIME-WAIT")
    local client, server = {}, {}
    local drawn = lines_of(ladder.draw(story.build(r), COLUMNS, { ascii = true }))
    for i = 5, #drawn do
      client[#client + 1] = drawn[i]:match "^ *[%d.]+ +(%u[%u%d-]+) |"
      server[#server + 1] = drawn[i]:match "| (%u[%u%d-]+)$"
    end
    assert.same({ "FIN-WAIT-1", "CLOSING", "CLOSING", "TIME-WAIT" }, client)
    assert.same({ "FIN-WAIT-1", "CLOSING", "CLOSING", "TIME-WAIT" }, server)
    for _, row in ipairs(story.build(r, { merge = true })) do assert.is_nil(row.arrival) end
  end)

  it("shows options whose length is not their own", function()
    local words = label.options { { name = "mss" }, { name = "window_scale" }, { name = "sack" } }
    assert.equal("<mss ? ws ? sack ?>", words)
    local blocks = { { left = 5, right = 9 }, { left = 1, right = 2 } }
    words = label.options({ { name = "sack", blocks = blocks } }, 2)
    assert.equal("<sack 3-7 -1-0>", words)
  end)

  it("gives a change of state that no packet shows a line of its own", function()
    local r = handshake()
    r.state(0, 240, "TIME-WAIT", "CLOSED")
    local drawn = lines_of(ladder.draw(story.build(r), COLUMNS, { ascii = true }))
    assert.matches("^240%.000000 +CLOSED | +|$", drawn[#drawn])
  end)

  it("keeps rows in the order of time", function()
    local r = handshake()
    r.state(0, 0.5, "ESTABLISHED", "CLOSED")
    r.events[#r.events + 1] = { serial = 100, kind = "timeout", host = 1, time = 1, value = 2, subject = 1 }
    r.serial = 100
    r.packet("sent", 9, 2, 1, r.segment(2, "FA", 5001, 1001))
    local last = -1
    for _, row in ipairs(story.build(r)) do
      assert.is_true(row.time >= last)
      last = row.time
    end
    assert.equal(1, last)
  end)

  it("draws the same as SVG", function()
    local drawn = svg.draw(story.build(handshake()), COLUMNS)
    assert.matches("^<svg ", drawn)
    assert.matches("</svg>\n$", drawn)
    assert.matches("SYN seq 0 win 65535 &lt;mss 1460 ws 7&gt;", drawn, 1, true)
    local _, lines = drawn:gsub("marker%-end", "")
    assert.equal(3, lines)
  end)

  it("names a state in SVG where it begins, and draws lost and doubled packets too", function()
    local r = handshake()
    local segment = r.segment(1, "A", 1001, 5001, 10)
    r.packet("sent", 4, 1, 1, segment)
    r.packet("dropped", 4, 1, 1, segment, {}, "a < b")
    r.packet("sent", 5, 1, 2, segment, { retransmission = true })
    r.packet("delivered", 5, 1, 2.01, segment, { retransmission = true })
    r.packet("delivered", 5, 1, 2.02, segment, { duplicate = true })
    local drawn = svg.draw(story.build(r), COLUMNS)
    for name, times in pairs { ["SYN-SENT"] = 1, ["SYN-RECEIVED"] = 1, ESTABLISHED = 2 } do
      assert.equal(times, select(2, drawn:gsub(">" .. name:gsub("%-", "%%-") .. "<", "")))
    end
    assert.equal(5, select(2, drawn:gsub("marker%-end", "")))
    assert.equal(1, select(2, drawn:gsub("stroke%-dasharray", "")))
    assert.matches("\u{2715} a &lt; b</text>", drawn, 1, true)
    assert.matches("sent 2.000000\narrived 2.010000</title>", drawn, 1, true)
  end)

  it("says which option is wrong", function()
    local net <close> = require "lunatcp".network { seed = 1 }
    for message, options in pairs { -- each by itself
      ["ladder: options: width: expected a number, got \"x\""] = { width = "x" },
      ["ladder: options: width: expected a number from 1 to 1000, got 1000000000"] = { width = 1000000000 },
      ["ladder: options: nodes: expected a table, got 5"] = { nodes = 5 },
      ["ladder: options: nodes[1]: expected a node, got 5"] = { nodes = { 5 } },
    } do
      assert.error_matches(function() net:ladder(options) end, message, nil, true)
    end
  end)
end)
