-- You will see each field and flag of a real segment, read from its octets.
-- Run it: ./dev run examples/tour.lua 1
-- It plays RFC 9293, section 3.1.

local tcp = require "lunatcp"

local scene = {
  title = "The header",
  rfc = "RFC 9293, section 3.1",
  prose = [[
    All that two TCPs ever tell each other stands in the header of a segment: twenty octets, and up
    to forty more of options. There is one format for everything; what a segment is for, its flags
    say. Here a client sends four octets, and the segment that carries them is taken off the wire.]],
}

local RULER <const> = [[
   0                   1                   2                   3
   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+]]

-- One word of 32 bits as the RFC draws it: `cells` are texts and how many bits wide they are.
local function draw_word(octets, offset, cells)
  local parts = {}
  for i, cell in ipairs(cells) do
    local width = 2 * cell[2] - 1
    local left = (width - #cell[1]) // 2
    parts[i] = (" "):rep(left) .. cell[1] .. (" "):rep(width - #cell[1] - left)
  end
  local hex = octets:sub(offset + 1, offset + 4):gsub(".", function(c) return (" %02x"):format(c:byte()) end)
  print(("  |%s|  %2d:%s"):format(table.concat(parts, "|"), offset, hex))
end

local FLAGS <const> = {
  { "AE", "ae", "accurate ECN (RFC 9768), the last of the four bits that were reserved" },
  { "CWR", "cwr", "congestion window reduced (RFC 3168)" },
  { "ECE", "ece", "congestion was experienced (RFC 3168)" },
  { "URG", "urg", "the urgent pointer means something" },
  { "ACK", "ack", "the acknowledgment number means something: in all but a first SYN and some RSTs" },
  { "PSH", "psh", "give this to the reader now, do not wait for more" },
  { "RST", "rst", "there is no such connection (any more)" },
  { "SYN", "syn", "the sequence number is the initial one; counts as one octet" },
  { "FIN", "fin", "no more octets from here; counts as one octet" },
}

local function draw(octets, segment)
  local bit_of = function(name) return { segment.flags[name] and "1" or "0", 1 } end
  print(RULER)
  draw_word(octets, 0, { { "source port " .. segment.source_port, 16 },
    { "destination port " .. segment.destination_port, 16 } })
  draw_word(octets, 4, { { "sequence number " .. segment.seq, 32 } })
  draw_word(octets, 8, { { "acknowledgment number " .. segment.ack, 32 } })
  print "  |offset | rsrvd |C|E|U|A|P|R|S|F|                               |"
  draw_word(octets, 12, { { tostring(segment.header_length // 4), 4 }, { tostring(segment.reserved), 4 },
    bit_of "cwr", bit_of "ece", bit_of "urg", bit_of "ack", bit_of "psh", bit_of "rst", bit_of "syn",
    bit_of "fin", { "window " .. segment.window, 16 } })
  draw_word(octets, 16, { { ("checksum 0x%04x"):format(segment.checksum), 16 },
    { "urgent pointer " .. segment.urgent, 16 } })
  draw_word(octets, 20, { { "NOP", 8 }, { "NOP", 8 }, { "timestamps", 8 }, { "length 10", 8 } })
  draw_word(octets, 24, { { "value " .. segment.options.timestamps.value, 32 } })
  draw_word(octets, 28, { { "echo " .. segment.options.timestamps.echo, 32 } })
  draw_word(octets, 32, { { ("data %q"):format(segment.payload), 32 } })
  print(RULER:match "[^\n]+$" .. "\n")
  for _, flag in ipairs(FLAGS) do
    print(("  %-3s %d   %s"):format(flag[1], segment.flags[flag[2]] and 1 or 0, flag[3]))
  end
  print()
end

-- How many of the damaged copies, one flipped bit each, still pass.
local function count_unnoticed(packet, first_octet)
  local unnoticed = 0
  for at = first_octet, #packet do
    for bit = 0, 7 do
      local damaged = packet:sub(1, at - 1) .. string.char(packet:byte(at) ~ 1 << bit) .. packet:sub(at + 1)
      local _, problem = tcp.decode(damaged)
      if not problem then unnoticed = unnoticed + 1 end
    end
  end
  return unnoticed
end

function scene.play(stage)
  local net, client, server = stage.pair { timestamps = true, sack = true, timestamp_offset = 100000 }
  local listener = assert(server:listen(80))
  local near, far = stage.connect(client, listener, { local_port = 49152 })
  local packet, syn
  local hook <close> = net:on("segment", function(segment)
    if segment.length > 0 then packet = segment:bytes() end
  end)
  assert(near:write "ping")
  assert(far:read_exactly(4))
  for _, record in ipairs(net.trace:packets { kind = "sent" }) do syn = syn or record.segment end
  local segment = tcp.decode(packet)
  local octets = packet:sub(segment.ip_header_length + 1)

  stage.ladder(net, { absolute = true })
  stage.say "The last segment on the way to the server, octet by octet:"
  draw(octets, segment)

  local source, destination, seq, ack, offset, bits, window, checksum, urgent =
    (">I2I2I4I4BBI2I2I2"):unpack(octets)
  stage.notice("The ports, {} and {}, together with the two addresses of the IP header, name the connection.",
    { 49152, 80 }, { source, destination })
  stage.notice("The sequence number {} is that of the first octet of data. The SYN had {}, and counted "
    .. "as one.",
    { 1001, 1000 }, { seq, syn.seq })
  stage.notice("The acknowledgment number {} is the next octet that is awaited from the other side.",
    5001, ack)
  stage.notice("The data offset counts words of 32 bits: {}, so the data begin at octet {}.",
    { 8, 32 }, { offset >> 4, (offset >> 4) * 4 })
  stage.notice("The flags are the last nine bits before the window; those that are set here: {}.",
    { "PSH", "ACK" }, { bits & 0x08 ~= 0 and "PSH" or "-", bits & 0x10 ~= 0 and "ACK" or "-" })
  stage.notice("And no others: as one number they are {}.", 0x018, (offset & 0x0f) << 8 | bits)
  stage.notice("The window {} says how many octets, counted from the acknowledgment number, may come.",
    65535, window)
  stage.notice("The urgent pointer is {}, and nobody looks: URG is not set.", 0, urgent)
  stage.notice("The checksum 0x{} covers addresses, header and data. Sent again with one bit flipped, "
    .. "each of "
    .. "the {} bits in turn, so many got through: {}.",
    { ("%04x"):format(segment.checksum), #octets * 8, 0 },
    { ("%04x"):format(checksum), #octets * 8, count_unnoticed(packet, segment.ip_header_length + 1) })
  stage.notice("Options stand between header and data. The SYN offered {}; later segments repeat only the "
    .. "timestamps, and two NOPs bring these to a border of words.",
    { "mss, sack_permitted, timestamps" }, { (function()
      local names = {}
      for _, option in ipairs(syn.options) do
        if option.name ~= "nop" then names[#names + 1] = option.name end
      end
      table.sort(names)
      return table.concat(names, ", ")
    end)() })
  assert(hook)
end

return scene
