--- `lunatcp decode FILE`: the segments of a capture as lines, as JSON, or as a ladder.
-- @module lunatcp.cli.decode

local cli = require "lunatcp.cli"
local core = require "lunatcp.core"
local label = require "lunatcp.label"
local pcapng = require "lunatcp.pcapng"
local story = require "lunatcp.story"
local tcp = require "lunatcp"

local M = {}

local LAST <const> = [[
   lunatcp decode run.pcapng
   lunatcp decode --ladder --host 10.0.0.1 run.pcapng
   tcpdump -w - udp port 9899 | lunatcp decode --framing plain -
Numbers of sequence are counted from those of the SYNs, times from the first packet's. Behind # stand the
comments of a capture of ours: what was dropped, changed, sent again. Of a file that breaks off, what could
be read is printed first. On loopback tcpdump sees datagrams that left in one call (--batch gso) as one.
Exit status: 0; 1 when the file cannot be read, or is broken; 2 for wrong usage.]]

local COLUMNS_MOST <const> = 8 -- lifelines of a ladder; more leave no room for words

function M.define(parser)
  local command = parser:command("decode", "Print what a capture file holds: pcapng or pcap.")
  command:argument("file", "The file; - is the standard input.")
  command:mutex(
    command:flag("--ladder", "Draw the sequence diagram."),
    command:flag("--json", "One JSON object a packet."))
  command:flag("--links", "At the end, what each link did to its packets, where the file tells.")
  command:flag("--absolute", "Sequence numbers as they are, not counted from the SYN's.")
  command:flag("--epoch", "Times as they are, not counted from the first packet's.")
  command:option("--framing", "Of a tunnel's datagrams, what is in them: plain, rawip, vxlan or cheshire.")
    :choices { "plain", "rawip", "vxlan", "cheshire" }:argname "NAME"
  command:option("--host", "Only packets from or to this address; may be given again."):argname "ADDRESS"
    :count "*"
  command:option("--port", "Only segments from or to this port."):argname "PORT":convert(function(text)
    local port = math.tointeger(tonumber(text))
    if not port or port < 0 or port > 65535 then return nil, ("'%s' is no port"):format(text) end
    return port
  end)
  command:flag("--ascii", "Draw the ladder without box characters.")
  command:option("--width", "Columns of the ladder, at least 60.", "100"):argname "N":convert(function(text)
    local width = math.tointeger(tonumber(text))
    if not width or width < 60 or width > 1000 then
      return nil, ("'%s' is no width from 60 to 1000"):format(text)
    end
    return width
  end)
  command:epilog(LAST)
end

-- ---- one packet -------------------------------------------------------------------------------

-- The ones' complement sum over a header of IPv4.
local function header_sum(header)
  local sum = 0
  for at = 1, #header, 2 do sum = sum + (">I2"):unpack(header, at) end
  sum = (sum & 0xffff) + (sum >> 16)
  return ~((sum & 0xffff) + (sum >> 16)) & 0xffff
end

-- A segment that came as the payload of UDP, behind the header of its datagram.
local function with_header(bytes, udp_at, segment)
  if bytes:byte(1) >> 4 == 6 then
    return bytes:sub(1, 4) .. (">I2B"):pack(#segment, 6) .. bytes:sub(8, 40) .. segment
  end
  local head, tail = bytes:sub(1, 2) .. (">I2"):pack(udp_at - 1 + #segment) .. bytes:sub(5, 9) .. "\6",
    bytes:sub(13, udp_at - 1)
  return head .. (">I2"):pack(header_sum(head .. "\0\0" .. tail)) .. tail .. segment
end

local VXLAN_AND_ETHERNET <const> = 8 + 14

-- What a datagram of a tunnel carries as an IP packet; nil for what is none.
local function inside(bytes, framing)
  local four = bytes:byte(1) >> 4 == 4
  local udp_at = four and (bytes:byte(1) & 15) * 4 + 1 or 41
  if bytes:byte(four and 10 or 7) ~= 17 or #bytes < udp_at + 8 then return nil end
  local payload = bytes:sub(udp_at + 8)
  if framing == "cheshire" then
    if #payload < 12 then return nil end
    payload = bytes:sub(udp_at, udp_at + 3) .. payload:sub(5, 12) .. payload:sub(1, 4) .. "\0\0\0\0"
      .. payload:sub(13)
    return with_header(bytes, udp_at, payload)
  end
  if framing == "plain" then return with_header(bytes, udp_at, payload) end
  if framing == "vxlan" then payload = payload:sub(VXLAN_AND_ETHERNET + 1) end
  return payload ~= "" and payload or nil
end

-- What is in a frame: a decoded packet, maybe empty, and what is wrong with it.
local function decode(captured, framing)
  local bytes, problem = pcapng.ip(captured)
  if not bytes then return {}, problem end
  local cut = #captured.frame < captured.length
  local unwrapped = framing and #bytes >= 20 and inside(bytes, framing)
  bytes = unwrapped or bytes
  -- The checksum of `plain` is over the addresses inside, which nobody tells; cheshire has none.
  local unsummed = cut or unwrapped and (framing == "plain" or framing == "cheshire")
  local packet, message = tcp.decode(bytes, unsummed and { quoted = true } or nil)
  if not message and packet.checksum_ok == false then message = "bad checksum" end
  if cut and not message then
    message = ("cut after %d of %d octets"):format(#captured.frame, captured.length)
  end
  return packet, message
end

local function wanted(packet, options)
  if options.port and packet.source_port ~= options.port and packet.destination_port ~= options.port then
    return false
  end
  if #options.host == 0 then return true end
  for _, address in ipairs(options.host) do
    if packet.source == address or packet.destination == address then return true end
  end
  return false
end

-- Nanoseconds as seconds, exactly.
local function seconds_text(ns)
  local sign = ns < 0 and "-" or ""
  return ("%s%d.%09d"):format(sign, math.abs(ns) // 1000000000, math.abs(ns) % 1000000000)
end

-- ---- lines ------------------------------------------------------------------------------------

local function endpoint(address, port)
  if not address then return "?" end
  if not port then return address end
  return (address:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(address, port)
end

-- What sequence numbers of a segment are counted from: the SYN's of either end, or the first seen.
local function bases_for(bases, packet)
  if not packet.flag_letters then return nil end
  local near = endpoint(packet.source, packet.source_port)
  local far = endpoint(packet.destination, packet.destination_port)
  local from, to = near .. " " .. far, far .. " " .. near
  local syn = packet.flag_letters:find("S", 1, true)
  if syn or not bases[from] then bases[from] = packet.seq end
  if not bases[to] and packet.flag_letters:find("A", 1, true) then
    bases[to] = syn and (packet.ack - 1) & 0xffffffff or packet.ack
  end
  return { seq = bases[from], ack = bases[to] }
end

local function print_line(state, captured, packet, problem)
  local words = {}
  if packet.source or not problem then
    words[1] = label.segment(packet, not state.options.absolute and bases_for(state.bases, packet) or nil)
  end
  if problem then words[#words + 1] = "(" .. problem .. ")" end
  for _, comment in ipairs(captured.comments) do words[#words + 1] = "# " .. comment:gsub("%c", " ") end
  local way = packet.source and ("%s > %s"):format(endpoint(packet.source, packet.source_port),
    endpoint(packet.destination, packet.destination_port)) or "?"
  state.width = math.max(state.width, #way)
  local time = captured.time_ns and seconds_text(captured.time_ns - state.start) or "?"
  cli.print(("%5d %15s  %s  %s"):format(captured.number, time, way .. (" "):rep(state.width - #way),
    table.concat(words, "  ")))
end

-- ---- JSON -------------------------------------------------------------------------------------

local PLAIN <const> = {
  "version", "source", "destination", "ttl", "dscp", "ecn", "protocol", "source_port", "destination_port",
}
local OF_TCP <const> = { "seq", "ack", "window", "urgent", "length" }
local KEYS <const> = {
  "number", "time", "time_ns", "interface", "captured", "wire_length", "version", "source", "destination",
  "ttl", "dscp", "ecn", "protocol", "source_port", "destination_port", "flags", "seq", "ack", "window",
  "urgent", "length", "options", "icmp", "problem", "comments", "kind", "name", "value", "echo", "blocks",
  "left", "right", "data",
}

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function option_object(option)
  return {
    kind = option.kind, name = option.name, value = option.value, echo = option.echo, blocks = option.blocks,
    data = option.value == nil and option.blocks == nil and option.data ~= "" and hex(option.data) or nil,
  }
end

local function print_json(state, captured, packet, problem)
  local object = {
    number = captured.number, time_ns = captured.time_ns, problem = problem,
    time = captured.time_ns and (captured.time_ns - state.start) / 1e9,
    interface = captured.interface.name or captured.interface.number, captured = #captured.frame,
    wire_length = captured.length, flags = packet.flag_letters,
    comments = captured.comments[1] and captured.comments or nil,
  }
  for _, key in ipairs(PLAIN) do object[key] = packet[key] end
  if packet.flag_letters then
    for _, key in ipairs(OF_TCP) do object[key] = packet[key] end
    local options = {}
    for _, option in ipairs(packet.options or {}) do options[#options + 1] = option_object(option) end
    object.options = options[1] and options or nil
  elseif packet.icmp then
    object.icmp = packet.icmp.kind
  end
  cli.print(cli.json(object, KEYS))
end

-- ---- the ladder -------------------------------------------------------------------------------

-- What the comments of our own captures say.
local NOTES <const> = {
  retransmission = "retransmission", duplicate = "duplicate", ["duplicated on the way"] = "duplicate",
  corrupted = "corrupted", ["corrupted on the way"] = "corrupted", delayed = "delayed",
  ["delayed on the way"] = "delayed", forged = "forged", ["marked CE"] = "ce_marked",
  ["marked CE on the way"] = "ce_marked", probe = "probe",
}

local function fate_of(comments)
  local notes, dropped = {}, nil
  for _, comment in ipairs(comments) do
    for word in comment:gmatch "[^,]+" do
      word = word:gsub("^%s+", "")
      local note = NOTES[word]
      if note then notes[note] = true end
      dropped = dropped or word:match "^dropped: (.+)$"
    end
  end
  return notes, dropped
end

local function column_of(state, address)
  local columns = state.columns
  if not columns[address] then
    columns[#columns + 1] = { node = #columns + 1, name = address }
    columns[address] = #columns
  end
  return columns[address]
end

local function add_record(state, record)
  local copy = {}
  for key, value in pairs(record) do copy[key] = value end -- the order does not matter
  copy.serial = #state.records + 1
  state.records[#state.records + 1] = copy
end

-- A capture knows one moment of each packet: sent and there at once, unless its comment says otherwise.
local function gather(state, captured, packet)
  if not packet.source or not packet.protocol then return end
  local from, to = column_of(state, packet.source), column_of(state, packet.destination)
  local key = math.min(from, to) .. " " .. math.max(from, to)
  state.links[key] = state.links[key] or { math.min(from, to), math.max(from, to) }
  local link = state.links[key]
  if not link.number then
    link.number = #state.links + 1
    state.links[link.number] = link
  end
  local notes, dropped = fate_of(captured.comments)
  local record = {
    kind = "sent", time = ((captured.time_ns or state.start) - state.start) / 1e9, link = link.number,
    direction = from < to and 1 or 2, packet = captured.number, notes = notes, segment = packet,
  }
  add_record(state, record)
  record.kind, record.reason = dropped and "dropped" or "delivered", dropped
  add_record(state, record)
end

local function draw(state)
  if #state.columns == 0 then return 0 end
  if #state.columns > COLUMNS_MOST then
    return cli.fail(("%d addresses are too many for one ladder: choose some with --host or --port")
      :format(#state.columns))
  end
  local rows = story.build({ packets = state.records, events = {}, links = state.links },
    { absolute = state.options.absolute, merge = true })
  local text = require "lunatcp.ladder".draw(rows, state.columns,
    { ascii = state.options.ascii, width = state.options.width })
  cli.print((text:gsub("\n$", "")))
  return 0
end

-- ---- the command ------------------------------------------------------------------------------

local function open(path)
  if path == "-" then return pcapng.new(io.stdin, "standard input") end
  return pcapng.open(path)
end

-- "# link0: forward: 25 packets, 24 delivered, ..."
local function print_links(reader)
  for _, interface in ipairs(reader.interfaces) do
    local text = interface.statistics or interface.description
    if text then cli.print(("# %s: %s"):format(interface.name or interface.number, text)) end
  end
end

local function canonical(addresses)
  local list = {}
  for i, text in ipairs(addresses) do
    list[i] = core.address(text)
    if not list[i] then return nil, text end
  end
  return list
end

function M.run(options, parser)
  local hosts, wrong = canonical(options.host)
  if not hosts then parser:error(("decode: '%s' is no address"):format(wrong)) end
  options.host = hosts
  local reader, problem = open(options.file)
  if not reader then return cli.fail(problem) end
  local state = {
    options = options, bases = {}, width = 0, start = options.epoch and 0, records = {}, columns = {},
    links = {},
  }
  local each = options.ladder and gather or options.json and print_json or print_line
  local message, code
  while true do
    local captured
    captured, message, code = reader:next()
    if not captured then break end
    state.start = state.start or captured.time_ns or 0
    local packet, wrongness = decode(captured, options.framing)
    if wanted(packet, options) then each(state, captured, packet, wrongness) end
  end
  reader:close()
  local status = options.ladder and draw(state) or 0
  if options.links and not options.json then print_links(reader) end
  if code then return cli.fail(message) end -- after what could be read
  return status
end

return M
