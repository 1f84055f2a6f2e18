--- The one connection that a script is about at any time, and the descriptors that it knows.
--
-- States of a flow: "new" (socket), "listening", "received" (the peer's SYN was injected), "answered" (the
-- stack's SYN-ACK was seen), "connecting" (connect was called), "sent" (its SYN was seen or is expected).
-- @module lunatcp.packetdrill.flow

local numbers = require "lunatcp.packetdrill.numbers"

local M = {}

local FIRST_PORT <const> = 49152 -- of the peer, counted up for each connection

local Flow = {}
Flow.__index = Flow
M.Flow = Flow

--- A flow between two addresses.
-- @tparam table config of the run
-- @string state
function M.new(config, state)
  return setmetatable({
    state = state, space = numbers.new(), near = config.local_ip, far = config.remote_ip,
    near_port = config.bind_port, far_port = config.connect_port,
  }, Flow)
end

--- A passive connection that the peer's segment opens.
function M.passive(config, packet, count)
  local flow = M.new(config, "received")
  flow.passive = true
  flow.far_port = FIRST_PORT + count
  flow.space.far_live = packet.seq
  return flow
end

--- Addresses and ports of what the peer sends, unless the packet says its own.
function Flow:inward(packet)
  return {
    source = self.far, destination = self.near,
    source_port = packet.source_port and packet.source_port ~= 0 and packet.source_port or self.far_port,
    destination_port = packet.destination_port and packet.destination_port ~= 0 and packet.destination_port
      or self.near_port,
  }
end

--- Whether what the stack has sent belongs to this flow. A SYN of its own tells the port and the ISN.
function Flow:owns(packet)
  if packet.source ~= self.near or packet.destination ~= self.far then return false end
  if packet.kind ~= "tcp" then return packet.kind == "icmp" end
  if packet.destination_port ~= self.far_port then return false end
  local opens = self.state == "sent" and numbers.is_syn(packet) and not numbers.has_ack(packet)
  if opens and packet.source_port ~= self.learnt_port then
    self.learnt_port, self.near_port = packet.source_port, packet.source_port
    self.space.near_live = packet.seq
    return true
  end
  return packet.source_port == self.near_port
end

--- What an expected packet of the script changes before it is looked for.
function Flow:expects(packet)
  if packet.kind ~= "tcp" or not numbers.is_syn(packet) then return end
  if numbers.has_ack(packet) then
    if self.state == "received" then self.space.near_script = packet.seq end
  elseif self.state == "connecting" then
    self.state, self.space.near_script = "sent", packet.seq
  end
end

--- A packet of this flow was seen, in the numbers of the wire.
function Flow:saw(script, packet)
  if self.state == "received" and packet.kind == "tcp" and script.kind == "tcp" and numbers.is_syn(script)
    and numbers.has_ack(script) then
    self.state, self.space.near_live = "answered", packet.seq
  end
end

--- The peer's packet is about to be injected.
function Flow:injects(packet)
  if packet.kind ~= "tcp" then return end
  if self.state == "sent" and numbers.is_syn(packet) then self.space.far_live = packet.seq end
end

return M
