-- You will see a script that is the other side: it opens a connection by hand, and sends what no TCP would.
-- Run it: ./dev run examples/forge.lua
-- It plays RFC 9293, sections 3.5 and 3.10.7, and RFC 5961, sections 3 to 5.

local tcp = require "lunatcp"

local net = tcp.network { seed = 42, settings = { timestamps = false, sack = false, window_scaling = false } }
local peer = net:peer("forger", { port = 4000 }) -- no TCP in it: only what is written here
local server = net:host("server", { isn = 5000 })
net:link(peer, server, { delay = 0.010 })
local listener = assert(server:listen(80))

-- expect raises if anything else comes: what this script prints has been seen on the wire.
print "A handshake, by hand."
peer:send { flags = "S", seq = 1000, window = 1000, destination_port = 80, options = { mss = 536 } }
peer:expect { flags = "SA", seq = 5000, ack = 1001, options = { mss = 1460 } }
peer:send { flags = "A", seq = 1001, ack = 5001, window = 1000 }
local conn = assert(listener:accept())

print "Data, in two segments, the second one first."
peer:send { flags = "PA", seq = 1004, ack = 5001, window = 1000, payload = "def" }
peer:expect { flags = "A", ack = 1001 } -- still waiting for 1001
peer:send { flags = "PA", seq = 1001, ack = 5001, window = 1000, payload = "abc" }
peer:expect { flags = "A", ack = 1007 }
assert(conn:read(100) == "abcdef")

print "An ACK for what was never sent: it is not believed, and challenged (RFC 5961, section 5)."
peer:send { flags = "A", seq = 1007, ack = 9999, window = 1000 }
peer:expect { flags = "A", seq = 5001, ack = 1007 }

print "A SYN in the middle: challenged as well (section 4)."
peer:send { flags = "S", seq = 1007, window = 1000 }
peer:expect { flags = "A", seq = 5001, ack = 1007 }

print "A RST somewhere in the window, as one who guesses would send it: challenged (section 3)."
peer:send { flags = "R", seq = 1500, window = 0 }
peer:expect { flags = "A", seq = 5001, ack = 1007 }
assert(conn:state() == "ESTABLISHED")

print "A wrong checksum, a header that ends before it begins, a single octet: counted, never answered."
peer:send { flags = "R", seq = 1007, checksum = 0xdead }
peer:send { flags = "R", seq = 1007, header_length = 8 }
peer:send "\x45"
peer:expect_nothing(1)
local refused = server:counters().refused
for _, status in ipairs { "LTCP_ERR_CHECKSUM", "LTCP_ERR_DATA_OFFSET", "LTCP_ERR_TRUNCATED" } do
  print(("  %-22s %d"):format(status, refused[status]))
  assert(refused[status] == 1)
end

print "A RST at the very octet that is awaited: believed."
peer:send { flags = "R", seq = 1007, window = 0 }
local _, message, code = conn:read()
print(("  the server reads: %s (%s)\n"):format(message, code))
assert(code == "ECONNRESET" and conn:state() == "CLOSED")

print(net:ladder { absolute = true })
