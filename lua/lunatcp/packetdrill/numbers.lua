--- Number spaces of one connection: what a script writes on one side, what is on the wire on the other.
--
-- A script counts from the SYN of either end: the peer's (injected) numbers from the ISN that its SYN wrote,
-- the stack's from the ISN that was seen. A SYN itself is written with its own number, and so is what it
-- acknowledges.
-- @module lunatcp.packetdrill.numbers

local M = {}

local MASK <const> = 0xffffffff

local Space = {}
Space.__index = Space

--- A space in which nothing is known yet.
function M.new()
  return setmetatable({
    near_live = 0, near_script = 0, -- ISN of the stack
    far_live = 0, -- ISN of the peer, the same in script and on the wire
    echoes = {}, -- TS val of the stack, script's number to the wire's
    labels = {}, -- flow labels
  }, Space)
end

-- What is added to a number of the script to give the one on the wire.
local function near_offset(self, syn) return syn and self.near_live - self.near_script or self.near_live end
local function far_offset(self, syn) return syn and 0 or self.far_live end

local function is_syn(packet) return packet.flags:find("S", 1, true) ~= nil end
local function has_ack(packet) return packet.flags:find(".", 1, true) ~= nil end
M.is_syn, M.has_ack = is_syn, has_ack

local function shift_options(options, offset, change)
  local list = {}
  for i, option in ipairs(options) do
    local copy = option
    if option.blocks then
      copy = { name = option.name, blocks = {}, size = option.size }
      for j, block in ipairs(option.blocks) do
        copy.blocks[j] = { left = (block.left + offset) & MASK, right = (block.right + offset) & MASK }
      end
    elseif option.name == "timestamps" and change then
      copy = change(option)
    end
    list[i] = copy
  end
  return list
end

local function copy_of(packet)
  local copy = {}
  for key, value in pairs(packet) do copy[key] = value end -- a table again: the order does not matter
  return copy
end

--- The script's injected segment with the numbers of the wire.
-- @tparam table packet
-- @bool scaled a TS ecr that was never sent is worked out from the first
-- @treturn table a copy; or nil, message
function Space:to_wire(packet, scaled)
  local syn = is_syn(packet)
  local live = copy_of(packet)
  live.seq = (packet.seq + far_offset(self, syn)) & MASK
  live.ack = packet.ack or 0
  if has_ack(packet) then live.ack = (live.ack + near_offset(self, syn)) & MASK end
  local unknown
  live.options = shift_options(packet.options, near_offset(self, syn), has_ack(packet) and function(option)
    local echo = self.echoes[option.echo]
    if not echo and scaled and self.first_script then
      echo = (option.echo - self.first_script + self.first_live) & MASK
    end
    if not echo then unknown = option.echo end
    return { name = "timestamps", value = option.value, echo = echo or 0, size = option.size }
  end)
  if unknown then
    return nil, ("TS ecr %d echoes a TS val that was not sent before (see --tcp_ts_ecr_scaled)")
      :format(unknown)
  end
  return live
end

--- The stack's segment with the numbers of the script; timestamps stay.
function Space:to_script(packet)
  local syn = is_syn(packet)
  local seen = copy_of(packet)
  seen.seq = (packet.seq - near_offset(self, syn)) & MASK
  if has_ack(packet) then seen.ack = (packet.ack - far_offset(self, syn)) & MASK end
  seen.options = shift_options(packet.options, -far_offset(self, syn))
  return seen
end

--- A sequence number of the stack, as an ICMP message quotes it.
function Space:quoted_seq(seq) return (seq + self.near_live) & MASK end

local function timestamps_of(packet)
  for _, option in ipairs(packet.options or {}) do
    if option.name == "timestamps" then return option end
  end
end
M.timestamps_of = timestamps_of

--- The stack's TS val belongs to the script's: later echoes are mapped by it, and the value is written in
-- the script's numbers from here on.
function Space:learn_timestamp(script, seen)
  local wanted, got = timestamps_of(script), timestamps_of(seen)
  if not got then return end
  if wanted then
    self.echoes[wanted.value] = got.value
    if not self.first_script then self.first_script, self.first_live = wanted.value, got.value end
  end
  if not self.first_script then return end
  for i, option in ipairs(seen.options) do
    if option == got then
      seen.options[i] = {
        name = "timestamps", value = (got.value - self.first_live + self.first_script) & MASK,
        echo = got.echo, size = got.size,
      }
    end
  end
end

--- Flow labels are only known as "the same" and "another": nil, or what is wrong.
function Space:check_label(wanted, got)
  if wanted == 0 then return nil end
  if got == 0 then return "a flow label" end
  local known = self.labels
  if known.script and (wanted == known.script) ~= (got == known.live) then
    return wanted == known.script and "the same flow label as before" or "another flow label than before"
  end
  known.script, known.live = wanted, got
  return nil
end

return M
