---@meta lunatcp.core
-- Real time of `lunatcp.core`: the loop, UDP tunnels, relays, descriptors; conventions: core.meta.lua.

---@class lunatcp.core
local core = {}

-- ---- real time and UDP tunnels -----------------------------------------------------------------

---A private event loop. Its time counts from its making; the networks that it drives begin at or after
---it: core.network { start_ns = loop:now_ns() }.
---@return lunatcp.core.Loop?, string? message, string? code
function core.loop() end

---@class lunatcp.core.Loop
local Loop = {}
---@return number seconds since the loop was made
function Loop:now() end
---@return integer nanoseconds
function Loop:now_ns() end
---Sends what the tunnels have gathered, sleeps until there is I/O, a network with a tunnel here has
---something due, or `timeout` seconds are over (nil: no bound; 0: no sleep), and hands what came to the
---networks. May return early without a reason, at least four times a second; at once where there is
---neither tunnel nor timeout. Step the networks up to now() before and after it.
---@param timeout? number
---@return integer packets that came in
function Loop:run_once(timeout) end
---@param timeout_ns? integer
---@return integer packets
function Loop:run_once_ns(timeout_ns) end
---Drives the network in real time, run_once and Network:step in turn, and returns what Network:step
---gives as soon as it concerns the script; "limit" at `limit` (absolute seconds of the loop; nil: none).
---"idle" only when the loop has no tunnel and no descriptor that could bring anything. "descriptor", object,
---bits when one of Loop:descriptor or Loop:signal is ready.
---@param network lunatcp.core.Network
---@param limit? number
---@return string reason, any detail, integer? direction
function Loop:step(network, limit) end
---@param network lunatcp.core.Network
---@param limit_ns? integer
---@return string reason, any detail, integer? direction
function Loop:step_ns(network, limit_ns) end
---For a loop of one's own (luv, cqueues): becomes readable when run_once(0) has something to do.
---@return integer
function Loop:fd() end
---Seconds until run_once(0) or Network:step is wanted without any I/O; nil: never. Ask before each
---sleep: 0 also says that the descriptor does not know of a new tunnel yet.
---@return number?
function Loop:timeout() end
---A terminal, a pipe, a file or a socket, to be read and written beside a network and never waited for.
---The descriptor stays its owner's. EBADF, EEXIST, ENOMEM.
---@param fd integer
---@return lunatcp.core.Descriptor?, string? message, string? code
function Loop:descriptor(fd) end
---A signal, which from now on does nothing but end a `step` with "descriptor", this object and 4.
---@param name "INT"|"TERM"|"HUP"
---@return lunatcp.core.Descriptor?, string? message, string? code
function Loop:signal(name) end
---Closes its tunnels too. Idempotent.
function Loop:close() end

---@class lunatcp.core.RelayOptions
---@field link lunatcp.core.Link both ends outside: network:link { {}, {}, tunnel = true }
---@field bind string "127.0.0.1:9000", where clients send to
---@field server string where it goes
---@field clients? integer default 64: so many at a time
---@field idle? number default 60: seconds of silence after which one may be forgotten for a new one
---@field batch? "auto"|"gso"|"mmsg"|"plain"

---Stands between UDP sockets; what passes goes through the link: direction 1 to the server, 2 from it.
---@param options lunatcp.core.RelayOptions
---@return lunatcp.core.Relay?, string? message, string? code
function Loop:relay(options) end

---@class lunatcp.core.Relay
local Relay = {}
---@return string host, integer port
function Relay:address() end
---`clients`, `clients_now`, `refused` (datagrams of clients without a place), `forgotten` (clients), `misled`
---(packets whose headers were corrupted), `crowded` (datagrams that the kernel did not take), `no_memory`; of
---the clients' socket `near_datagrams_in` and so on, of those to the server `far_...`.
---@return table<string, integer>
function Relay:counters() end
---Idempotent.
function Relay:close() end

---@class lunatcp.core.Descriptor
local Descriptor = {}
---1 to n octets (n at most 65536); nil alone at the end of the input; EAGAIN: nothing there.
---@param n integer
---@return string?, string? message, string? code
function Descriptor:read(n) end
---From `offset` (from 1) on, as much as goes at once; EAGAIN: nothing; EPIPE: nobody reads any more.
---@param bytes string
---@param offset? integer
---@return integer? taken, string? message, string? code
function Descriptor:write(bytes, offset) end
---When it is readable or writable, Loop:step returns "descriptor", this object, and bits (1 readable, 2
---writable): once for each call of this.
---@param how ""|"r"|"w"|"rw"
---@return true?, string? message, string? code
function Descriptor:want(how) end
---Whoever reads at the other end sees the end: a socket's sending half is closed, anything else gives its
---place to /dev/null.
---@return true?, string? message, string? code
function Descriptor:finish() end
---The descriptor itself stays open. Idempotent.
function Descriptor:close() end

---@class lunatcp.core.TunnelOptions
---@field link lunatcp.core.Link made with tunnel = true
---@field direction? 1|2 whose packets leave here, default 1; what comes in goes to the node at that end
---@field bind string "127.0.0.1:0", "[::1]:9000": numbers only; port 0: any
---@field peer? string the far socket, which alone is listened to; without it packets are dropped and counted
---@field peers? lunatcp.core.TunnelPeer[] or several of them, on one socket
---@field learn? boolean|integer with no peer: whoever sends the first valid packet becomes it; or how many may
---@field framing? "plain"|"rawip"|"vxlan"|"cheshire" default "plain"
---@field checksum? "inner"|"udp" of plain: who answers for the segment; default "inner"
---@field local_address? string inner address of this end; plain and cheshire need it
---@field remote_address? string inner address of the far end; plain and cheshire need it. Of several learned the first
---@field local_addresses? string[] of vxlan: ours, answered for by ARP and neighbour discovery
---@field vni? integer of vxlan, default 0
---@field mac? string of vxlan: our Ethernet address; default: made of the first of ours
---@field fragments? boolean datagrams longer than the path takes may be cut; default false
---@field batch? "auto"|"gso"|"mmsg"|"plain" how many datagrams go in a call; default "auto"

---@class lunatcp.core.TunnelPeer
---@field peer string its socket
---@field address? string its inner address
---@field mac? string its Ethernet address; default: it is asked for

---A tunnel at one end of a link. Where there is no node at the far end, what comes in goes through that
---direction's path first (delay, loss, ...); otherwise it arrives as it comes. The loop keeps it alive.
---EINVAL, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT (bind and peer are of two families), EEXIST (that
---direction of the link has a tunnel), EOPNOTSUPP (a batch that this system does not know), EMFILE.
---@param options lunatcp.core.TunnelOptions
---@return lunatcp.core.Tunnel?, string? message, string? code
function Loop:udp(options) end

---A TUN device in the place of a socket (Linux, with CAP_NET_ADMIN): its IP packets pass as they are. `name`: of
---one that is there, or to be made; "tun%d" finds a number. `batch`: "gso" (runs of segments as one, by
---IFF_VNET_HDR), "plain", "auto" (what the kernel has). EPERM, ENOENT, EBUSY, EOPNOTSUPP (not Linux, or not that).
---@param options { link: lunatcp.core.Link, direction: integer?, name: string?, batch: string? }
---@return lunatcp.core.Tunnel?, string? message, string? code
function Loop:tun(options) end

---Once it, its loop or its network is closed, everything but close raises "tunnel is closed".
---@class lunatcp.core.Tunnel
local Tunnel = {}
---What it is bound to.
---@return string? host, integer|string port_or_message, string? code
function Tunnel:address() end
---Of several: the first.
---@return string? host, integer? port; nil: nobody yet
function Tunnel:peer() end
---@return integer
function Tunnel:peers() end
---One more, of a tunnel that was made with `peers` or to learn several; else EISCONN.
---@param peer lunatcp.core.TunnelPeer
---@return true?, string? message, string? code
function Tunnel:add_peer(peer) end
---Of a TUN device.
---@return string?
function Tunnel:name() end
---The longest IP packet that fits into a datagram on the path, as far as the kernel knows by now; nil: not known.
---@param version? 4|6 default 4
---@return integer?
function Tunnel:mtu(version) end
---@param peer string
---@return true?, string? message, string? code
function Tunnel:set_peer(peer) end
---Integers, and `batch`, the manner in use. packets_in packets_out datagrams_in datagrams_out bytes_in
---bytes_out calls_in calls_out; not sent: queue_full no_peer unframeable unresolved too_long (its sender was told)
---too_big not_permitted failed; not taken in: unreadable strangers truncated odd_pieces; of vxlan: neighbours,
---neighbours_asked _answered _learned _failed _forgotten _dropped _entries; blocked (the kernel took no more for a while),
---refused (ICMP errors that came back), no_memory.
---@return table<string, integer|string>
function Tunnel:counters() end
---Sends now.
---@return integer packets that still wait
function Tunnel:flush() end
---Idempotent.
function Tunnel:close() end

return core
