-- What no sender may do, seen from the packets alone: beyond the window, what is acknowledged once more,
-- acknowledgments that go back, timestamps that go back.
local M = {}

-- a - b of sequence numbers.
local function difference(a, b)
  local d = (a - b) & 0xffffffff
  return d < 0x80000000 and d or d - 0x100000000
end

local function flow_of(flows, segment, back)
  local near = segment.source .. ":" .. segment.source_port
  local far = (segment.final_destination or segment.destination) .. ":" .. segment.destination_port
  local key = back and far .. " " .. near or near .. " " .. far
  if not flows[key] then flows[key] = { key = key } end
  return flows[key]
end

local function begin(flow, segment)
  local again = flow.iss == segment.seq and not (flow.una and difference(flow.una, segment.seq) > 0)
  if again then return end
  for name in pairs(flow) do
    if name ~= "key" and name ~= "syn_window" and name ~= "peer_scale" then flow[name] = nil end
  end
  flow.iss = segment.seq
end

local function scale_of(segment) return segment.options and segment.options.window_scale end

local function right_edge(flow, ack, window)
  local edge = (ack + window) & 0xffffffff
  if not flow.edge or difference(edge, flow.edge) > 0 then flow.edge = edge end
end

-- Whether a host that has this flow may drop the segment unread, its acknowledgment with it (RFC 9293,
-- 3.10.7.4, first): all of it came before, or it lies behind the window.
local function may_be_unacceptable(flow, segment)
  local last = (segment.seq + segment.segment_length) & 0xffffffff
  local old = flow.heard and difference(last, flow.heard) or 1
  if not flow.heard or old > 0 then flow.heard = last end
  if old < 0 or old == 0 and segment.segment_length > 0 then return true end
  local ahead = flow.ack and difference(segment.seq, flow.ack) or 0
  return ahead > 0 and ahead >= flow.window
end

-- The edge as RFC 9293, 3.10.7.4, has it: what is older than SND.WL1 moves SND.UNA, and leaves SND.WND.
local function window_arrives(flow, segment, doubtful)
  local scaled = not segment.flags.syn and flow.scale and flow.peer_scale
  local window = segment.window << math.min(scaled or 0, 14)
  local old = flow.first_known and difference(segment.seq, flow.first_known) < 0
  if old or doubtful then
    window = math.max(window, flow.send_window or 0)
  else
    flow.first_known, flow.send_window = segment.seq, window
  end
  right_edge(flow, segment.ack, window)
end

-- A host has got a segment: what the flow of its answers may do now.
local function hears(flow, segment)
  local flags = segment.flags
  if flags.rst then return end
  if flags.syn then flow.peer_scale, flow.heard, flow.first_known = scale_of(segment), nil, nil end
  if flags.syn and not flags.ack then
    flow.syn_window = segment.window
    return
  end
  local doubtful = may_be_unacceptable(flow, segment)
  if not flags.ack or not flow.iss then return end
  local unsent = flow.highest and difference(segment.ack, flow.highest) > 0
  if unsent or difference(segment.ack, flow.iss) < 0 then return end
  window_arrives(flow, segment, doubtful) -- in doubt for the sender
  local news = not flow.una or difference(segment.ack, flow.una) > 0
  if news and not doubtful then flow.una = segment.ack end
end

-- The numbers of octets: inside of the window, and not those that the other end has.
local function check_numbers(flow, segment, wrong)
  local last = (segment.seq + segment.segment_length) & 0xffffffff
  if segment.segment_length > 0 and not segment.flags.syn then
    -- A probe of a closed window has one octet, and perhaps the FIN. What was sent once may be sent again,
    -- also where the window has shrunk (RFC9293:MAY-7).
    local beyond = flow.edge and difference(last, flow.edge) or 0
    local new = not flow.highest or difference(last, flow.highest) > 0
    if new and beyond > (segment.flags.fin and 2 or 1) then wrong("%d beyond the window", beyond) end
    local probe = segment.length <= 1 and flow.una and difference(flow.una, segment.seq) == 1
    if flow.una and difference(last, flow.una) <= 0 and not probe then
      wrong("%d octets again, all acknowledged %d ago", segment.segment_length, difference(flow.una, last))
    end
  end
  if not flow.highest or difference(last, flow.highest) > 0 then flow.highest = last end
end

local function check_acknowledgment(flow, segment, wrong)
  if flow.ack and difference(segment.ack, flow.ack) < 0 then
    wrong("acknowledges %d less than before", -difference(segment.ack, flow.ack))
  end
  flow.ack = segment.ack
  local scaled = not segment.flags.syn and flow.peer_scale and flow.scale
  flow.window = segment.window << math.min(scaled or 0, 14)
end

local function check_timestamps(flow, segment, wrong)
  local stamps = segment.options and segment.options.timestamps
  if not stamps then return end
  if flow.tsval and difference(stamps.value, flow.tsval) < 0 then
    wrong("TSval goes back by %d", -difference(stamps.value, flow.tsval))
  end
  flow.tsval = stamps.value
end

-- A host sends a segment.
local function says(scene, flow, record, segment)
  local flags = segment.flags
  if flags.rst then return end
  local function wrong(text, ...)
    scene:wrong("%s at %.6f: " .. text, flow.key, record.time, ...)
  end
  if flags.syn then
    begin(flow, segment)
    flow.scale, flow.tsval = scale_of(segment), nil -- a cookie keeps what it must in the stamp
    local first = (segment.seq + 1) & 0xffffffff
    if flags.ack and flow.syn_window then right_edge(flow, first, flow.syn_window) end
  end
  if not flow.iss then return end
  check_numbers(flow, segment, wrong)
  if flags.ack then check_acknowledgment(flow, segment, wrong) end
  check_timestamps(flow, segment, wrong)
end

--- Looks through the trace of a scene that is over.
function M.check(scene)
  local flows, hosts, net = {}, {}, scene.net
  for _, host in ipairs(scene.hosts) do hosts[host.id] = true end
  for record in net.core:trace_packets() do
    local segment, ends, notes = record.segment, net.link_nodes[record.link], record.notes
    if segment.flags and segment.source_port then
      if record.kind == "sent" and hosts[ends[record.direction]] and not notes.forged then
        says(scene, flow_of(flows, segment), record, segment)
      elseif record.kind == "delivered" and hosts[ends[3 - record.direction]] and not notes.corrupted then
        hears(flow_of(flows, segment, true), segment)
      end
    end
  end
end

return M
