-- RFC 2883: the receiver reports what came twice in the first SACK block.
local wire = require "support.wire"

local function open(host)
  host = host or { dsack = true }
  host.delayed_ack = false
  local net, conn, peer = wire.passive {
    syn = { options = { mss = 1000, sack_permitted = true } }, host = host,
  }
  return { net = net, conn = conn, peer = peer }
end

-- The script's octets [left, right), counted from 1001; the answer's ACK and blocks so counted.
local function send(s, left, right)
  s.peer:send { flags = "A", seq = 1001 + left, ack = 5001, payload = ("x"):rep(right - left) }
  local answer = s.peer:receive { timeout = 0.1 }
  local blocks = {}
  for i, block in ipairs(answer.options and answer.options.sack or {}) do
    blocks[i] = { block.left - 1001, block.right - 1001 }
  end
  return answer.ack - 1001, blocks
end

local function same(ack, blocks, got_ack, got_blocks)
  assert.equal(ack, got_ack)
  assert.same(blocks, got_blocks)
end

describe("a duplicate SACK", function()
  it("RFC2883:4-1 reports a segment below the acknowledgment, once", function()
    local s = open()
    send(s, 0, 1000)
    same(1000, { { 0, 500 } }, send(s, 0, 500))
    same(1500, {}, send(s, 1000, 1500))
  end)

  it("RFC2883:4.1-1 reports a segment above it first, then the block that holds it", function()
    local s = open()
    send(s, 1000, 1500)
    send(s, 1500, 2000)
    same(0, { { 1000, 1500 }, { 1000, 2000 } }, send(s, 1000, 1500))
    same(0, { { 1000, 2500 } }, send(s, 2000, 2500))
  end)

  it("RFC2883:4.2-1 reports the part of a segment that was held, not the rest", function()
    local s = open()
    send(s, 0, 1000)
    same(1500, { { 500, 1000 } }, send(s, 500, 1500))
    send(s, 2000, 2500)
    same(1500, { { 2000, 2500 }, { 2000, 3000 } }, send(s, 2000, 3000))
  end)

  it("RFC2883 is reported neither with the setting off nor without SACK", function()
    local s = open { dsack = false }
    send(s, 0, 1000)
    same(1000, {}, send(s, 0, 500))
  end)

  it("RFC2883:5 is not taken for news of what is outstanding", function()
    local s = open()
    send(s, 0, 1000)
    s.conn:write(("y"):rep(1000))
    s.peer:expect { length = 1000 }
    s.peer:send {
      flags = "A", seq = 2001, ack = 6001, options = { sack = { { left = 5001, right = 6001 } } },
    }
    s.net:run { until_ = s.net:now() + 0.02 }
    local info = s.conn:info()
    assert.equal(0, info.unacked)
    assert.equal(1, info.dsacks_received)
    assert.equal(0, info.segments_retransmitted)
  end)
end)
