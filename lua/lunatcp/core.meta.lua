---@meta lunatcp.core
-- What the compiled module `lunatcp.core` gives, for the language server and for readers. The
-- module is thin: nothing here blocks, yields or knows tasks. `require "lunatcp"` is built on it.
--
-- Conventions
--   * Units: seconds (floats or integers), bytes, bits a second, probabilities 0..1. They are
--     rounded to nanoseconds, octets and parts of 2^32 once, here. NaN, infinity and what does not
--     fit are refused. Where a name ends in `_ns` it is integer nanoseconds.
--   * A wrong argument raises and names the argument or key; an unknown key raises and lists the
--     known ones. A failure at run time is `nil, message, CODE` ("ECONNRESET", "EAGAIN", ...).
--   * Directions of a link are 1 (first end to second) and 2 (back). Nodes and links are numbered
--     from 0 in the order of their creation, as in trace records.
--   * Sequence numbers are integers 0..2^32-1. Addresses are text ("10.0.0.1", "2001:db8::1").
--   * Flags of a segment are letters: F S R P A U E (ECE) W (CWR) N (AE), written in this order.
--   * After net:close() every object of that network raises "network is closed" when used;
--     close, __close and __gc do nothing then.

---@class lunatcp.core
---@field EVENT table<string, integer> bits of next_event: connected accept readable writable urgent peer_closed closed advice soft_error state sent
---@field WRITE table<string, integer> bits for write: urgent more
---@field READ table<string, integer> bits for read: peek urgent
---@field STATES string[] names of the eleven states, "CLOSED" first
---@field TRACE_KINDS string[] names of the kinds of trace record
---@field DROP_REASONS string[] "loss" "rule" "queue" "mtu" "down" "ttl" "route" "memory" "aqm"
---@field VERSION string
local core = {}

-- ---- network -----------------------------------------------------------------------------------

---@class lunatcp.core.NetworkOptions
---@field seed? integer 64 bits; default 0
---@field start? number the clock's first reading; default 0
---@field start_ns? integer the same in nanoseconds
---@field trace_events? integer records of the event ring; default 4096, 0: none
---@field trace_packets? integer records of the packet ring; default 4096, 0: none

---@param options? lunatcp.core.NetworkOptions
---@return lunatcp.core.Network
function core.network(options) end

---@class lunatcp.core.Network
local Network = {}

---@return number seconds
function Network:now() end
---@return integer nanoseconds
function Network:now_ns() end
---@return integer
function Network:seed() end

---@class lunatcp.core.HostOptions
---@field profile? "rfc"|"linux" default "rfc"
---@field settings? lunatcp.core.Settings on top of the profile

---The host's number (host:id()) is also `host` in trace records.
---@param options? lunatcp.core.HostOptions
---@return lunatcp.core.Host
function Network:host(options) end
---@return lunatcp.core.Router
function Network:router() end
---@return lunatcp.core.Peer
function Network:peer() end
---The node of that number: Host, Router or Peer; nil when there is none.
---@return lunatcp.core.Node?
function Network:node(id) end
---@return lunatcp.core.Link? the link of that number
function Network:link_of(id) end

---@alias lunatcp.core.Node lunatcp.core.Host|lunatcp.core.Router|lunatcp.core.Peer

---One direction of a link.
---@class lunatcp.core.Path
---@field delay? number seconds of propagation
---@field jitter? number seconds: uniform in [0, jitter] is added
---@field jitter_reorders? boolean default false: order is kept
---@field rate? number bits a second; 0: unlimited
---@field opportunities? integer[] a Mahimahi trace: milliseconds, ascending; false: none (rate counts)
---@field queue? integer|string|lunatcp.core.Queue an integer: drop-tail of so many packets; a string: its kind
---@field mtu? integer longer packets are dropped; 0: no limit
---@field loss? number|lunatcp.core.Gilbert|{list: integer[]}|{pattern: string}|false
---@field loss_after_queue? boolean
---@field mark? number probability that CE is set in a packet of an ECN-capable transport
---@field duplicate? number probability
---@field corrupt? number probability
---@field corrupt_bits? integer length of the burst, default 1
---@field reorder? number probability that a packet is held back by reorder_delay
---@field reorder_delay? number seconds
---@field seed? integer of this path's random streams; default: the network's own
---@field stream? integer|string names this path among those under one seed

---A queue, and what its kind takes: docs/queues.md has the defaults. Times in seconds.
---@class lunatcp.core.Queue
---@field kind? "drop_tail"|"red"|"codel"|"fq_codel"|"pie"|"step"|"dualpi2" default: drop_tail
---@field packets? integer limit; 0: none. Drop-tail counts the packet that is leaving, the others do not
---@field bytes? integer limit; 0: none
---@field ecn? boolean mark what is ECN-capable instead of dropping it; not for dualpi2, which always does
---@field packet_size? integer octets: the greatest (codel, fq_codel, dualpi2) or the mean packet (red, pie)
---@field target? number codel, fq_codel, pie, dualpi2: the delay that is aimed at
---@field interval? number codel, fq_codel
---@field ce_threshold? number|false codel, fq_codel: a longer wait than this marks
---@field flows? integer fq_codel: buckets
---@field quantum? integer fq_codel: octets a turn
---@field min? integer red: thresholds of the average, in packets or (in_bytes) octets
---@field max? integer red
---@field in_bytes? boolean red
---@field weight? number red: of a new sample in the average
---@field max_probability? number red: at max
---@field gentle? boolean red: on to 1 at twice max
---@field update? number pie, dualpi2: between two updates of the probability
---@field alpha? number pie, dualpi2: Hz
---@field beta? number pie, dualpi2: Hz
---@field burst? number pie: allowance
---@field ecn_threshold? number pie: a higher probability drops everything
---@field derandomize? boolean pie
---@field threshold? integer|false step: packets that a packet finds
---@field threshold_bytes? integer|false step: octets that it finds
---@field threshold_time? number|false step: seconds that it has waited when it leaves
---@field drop_not_ect? boolean step: drop what cannot be marked
---@field rtt_max? number dualpi2
---@field k? integer dualpi2: coupling factor
---@field min_threshold? number dualpi2: where the L queue's ramp begins
---@field range? number dualpi2: its length; 0: a step
---@field threshold_packets? integer dualpi2: so many in the L queue are not marked by the ramp
---@field classic_weight? integer dualpi2: of so many octets the C queue gets one

---Gilbert-Elliott: chances each packet.
---@class lunatcp.core.Gilbert
---@field model "gilbert"
---@field to_bad number from the good state to the bad one
---@field to_good number and back
---@field loss_good? number loss in the good state, default 0
---@field loss_bad? number loss in the bad state, default 1

---@class lunatcp.core.LinkEnd
---@field node? lunatcp.core.Node nil: the outside, reached through a tunnel
---@field addresses? string[] at most two, "10.0.0.1/24" or "2001:db8::1/64"; without a slash /32 or /128
---@field path? lunatcp.core.Path from this end to the other

---@class lunatcp.core.LinkOptions
---@field [1] lunatcp.core.LinkEnd
---@field [2] lunatcp.core.LinkEnd
---@field mtu? integer of both nodes' interfaces; default 1500
---@field tunnel? boolean packets leave by the tunnel instead of reaching the other end's node
---@field name? string in captures, at most 31 bytes; default "link0", "link1", ...

---Adds interfaces, addresses and subnet routes too. Failures: EINVAL, ENOMEM.
---@param options lunatcp.core.LinkOptions
---@return lunatcp.core.Link?, string? message, string? code
function Network:link(options) end

---@param node lunatcp.core.Node
---@param destination string "10.1.0.0/16", "0.0.0.0/0"
---@param link lunatcp.core.Link
---@return true?, string? message, string? code
function Network:route(node, destination, link) end

---Goes on to `limit` (absolute seconds; nil: without end) at the most, and returns at the first thing
---that concerns the script:
---  "idle"                    nothing will ever happen again by itself
---  "limit"                   the next event lies after the limit; now() is the limit
---  "events", host            host:next_event() has something
---  "peer", peer              peer:receive() has something
---  "alarm", id               the alarm is due
---  "exit", link, direction   packets wait for the tunnel
---  "trace"                   the hook of on_trace returned true
---  "events_limit"            max_events were processed
---Ask rules and the trace hook are called on the way, in protected mode, on the calling thread; an
---error in one ends the step and is raised from here with its traceback (the packet goes on as if the
---rule had not answered). Raises when called from inside a hook. Captures are written on the way.
---@param limit? number
---@param max_events? integer
---@return string reason, any detail, integer? direction
function Network:step(limit, max_events) end
---The same with the limit in integer nanoseconds.
---@param limit_ns? integer
---@param max_events? integer
---@return string reason, any detail, integer? direction
function Network:step_ns(limit_ns, max_events) end
---@return number? seconds nil: nothing is to come
function Network:next_deadline() end
---@return integer? nanoseconds
function Network:next_deadline_ns() end

---An alarm `after` seconds from now: step answers "alarm", id. A second alarm of one id replaces the first.
---@param after number
---@param id integer
---@return true?, string? message, string? code
function Network:alarm(after, id) end
---@param at number absolute seconds
---@param id integer
function Network:alarm_at(at, id) end
---@param at_ns integer absolute nanoseconds
---@param id integer
function Network:alarm_at_ns(at_ns, id) end
---@param id integer
function Network:cancel_alarm(id) end

---The next event of any host: see Host:next_event.
---@return lunatcp.core.Connection|lunatcp.core.Listener|nil, integer? bits, string? code, string? message
function Network:next_event() end

---`hook(event)` for every record of those kinds (default {"state"}), during step; nil removes it.
---A true result ends the step with "trace". One hook a network.
---@param hook? fun(event: lunatcp.core.TraceEvent): boolean?
---@param kinds? string[]
function Network:on_trace(hook, kinds) end

---Runs a full garbage collection and then ends the connections and listeners that nobody refers to
---any more: open ones are aborted (the peer learns of it), closed ones released. In the order of
---(host, handle), so that the collector's timing never shows. Returns how many.
---@return integer
function Network:collect() end

---Random stream (seed of the network, name): a function of both only.
---@param name string
---@return lunatcp.core.Random
function Network:random(name) end

---Packets and blocks that are in use, bytes held.
---@return {packets: integer, blocks: integer, bytes: integer}
function Network:memory() end
---In checked builds the first broken invariant of any connection, else nil.
---@return string?
function Network:check() end
---Of everything that can matter for what happens from now on: equal digests, equal futures. Counters are left
---out, and what the script knows.
---@return integer
function Network:digest() end
---Frees everything, without a word to any peer; captures are completed. Idempotent. Raises inside a hook.
function Network:close() end
---@return boolean
function Network:closed() end

-- ---- nodes -------------------------------------------------------------------------------------

---@class lunatcp.core.Router
local Router = {}
---@return integer
function Router:id() end
---@return lunatcp.core.Network
function Router:network() end
---@param destination string
---@param link lunatcp.core.Link
---@return true?, string? message, string? code
function Router:route(destination, link) end
---@return "router"
function Router:kind() end

---A node with no TCP behind it: the script is the TCP. Has Router's methods (kind() is "peer") and:
---@class lunatcp.core.Peer: lunatcp.core.Router
local Peer = {}
---Puts one IP packet on the peer's way out: by its routes, or by `link`.
---@param packet string
---@param link? lunatcp.core.Link
---@param gathered_of? integer its text was put together of segments of so many octets, as by generic receive offload
---@return true?, string? message, string? code
function Peer:send(packet, link, gathered_of) end
---@return string? packet, number? time when it arrived; nil alone when none waits
function Peer:receive() end

---Has Router's methods (kind() is "host") and:
---@class lunatcp.core.Host: lunatcp.core.Router
local Host = {}
---Addresses in the order they were added.
---@return string[]
function Host:addresses() end
---@param address string "10.0.0.1/24"
---@param link lunatcp.core.Link
---@return true?, string? message, string? code
function Host:add_address(address, link) end
---What connections opened from now on begin with.
---@return lunatcp.core.Settings
function Host:settings() end
---@param settings lunatcp.core.Settings changes on top of the present ones
---@return true?, string? message, string? code
function Host:set_settings(settings) end
---packets_received packets_sent resets_sent listen_overflows icmp_ignored connections listeners
---time_waits syn_cookies_sent syn_cookies_accepted syn_cookies_refused
---time_wait_records time_waits_cut orphans orphans_cut accepts_deferred paths_shared options_malformed
---options_misplaced options_repeated options_invalid fast_open_requests
---fast_open_accepted fast_open_refusals fast_open_old_keys fast_open_overflows fast_open_ignored fragments_received
---datagrams_reassembled fragments_timed_out fragments_evicted fragments_overlapping
---fragments_oversized fragments_malformed memory memory_pressures memory_windows_held memory_pruned
---memory_dropped memory_refused memory_orphans_ended, and refused: {["LTCP_ERR_CHECKSUM"] = n, ...} with those that are not 0;
---authentication:
---md5_good md5_bad md5_missing md5_unexpected ao_good ao_bad ao_missing ao_unexpected ao_key_not_found
---malformed (illegal, twice or both) accepted (unverified: no key is for them) icmp_ignored.
---@return table
function Host:counters() end
---Keys of Fast Open cookies: sets them, or gives those in use.
---@param keys? string 16 octets, or 32: the second key only checks
---@param listener? lunatcp.core.Listener without it the host's
---@return string|true?, string? message, string? code
function Host:fast_open_keys(keys, listener) end
---@param key string 16 octets; the key before it goes on to check
---@param listener? lunatcp.core.Listener
---@return true?, string? message, string? code
function Host:fast_open_rotate(key, listener) end
---Forgets what is known of servers.
function Host:fast_open_flush() end
---@param address string
---@param local_address? string default: by route
---@return {cookie?: string, experimental: boolean, mss: integer}?
function Host:fast_open_known(address, local_address) end
---What is remembered of a path; `expires`: the time when it is forgotten (nil: never), `told`: by a router.
---@param address string
---@param local_address? string default: by route
---@return {mtu: integer, told: boolean, expires?: number}?
function Host:path_mtu(address, local_address) end
---Forgets all path MTUs; open connections keep what they use.
function Host:path_mtu_flush() end
---The same as Peer:send, on behalf of the host: a forged packet.
---@param packet string
---@param link? lunatcp.core.Link
---@param gathered_of? integer
---@return true?, string? message, string? code
function Host:send(packet, link, gathered_of) end

---Which connections a key is for, and the key of TCP MD5 (RFC 2385).
---@class lunatcp.core.Key
---@field peer string address of the other end
---@field prefix? integer so many bits of it count; default: all
---@field port? integer of the peer; default: any
---@field local_port? integer
---@field local_address? string
---@field key? string 1 to 255 octets; not for removing

---A Master Key Tuple of TCP-AO (RFC 5925 section 3.1).
---@class lunatcp.core.AoKey: lunatcp.core.Key
---@field send_id integer 0..255: KeyID of what is sent
---@field recv_id integer 0..255: KeyID of what comes
---@field mac? "HMAC-SHA-1-96"|"AES-128-CMAC-96" default: the first
---@field kdf? "SHA1"|"AES128" the one that goes with `mac`; anything else raises
---@field include_options? boolean default true: the MAC covers the other options too

---Connections with that peer that open from now on are signed. Takes the place of a key with the same scope,
---also on connections that are open. EOPNOTSUPP in a build without cryptography.
---@param key lunatcp.core.Key
---@return true?, string? message, string? code
function Host:md5_key(key) end
---Its connections go on unsigned. ENOKEY.
---@param key lunatcp.core.Key
---@return true?, string? message, string? code
function Host:remove_md5_key(key) end
---EEXIST where an overlapping one has the same SendID or RecvID; EOPNOTSUPP as above.
---@param key lunatcp.core.AoKey
---@return true?, string? message, string? code
function Host:ao_key(key) end
---ENOKEY; EBUSY while it is current_key or rnext_key of a connection.
---@param key lunatcp.core.AoKey
---@return true?, string? message, string? code
function Host:remove_ao_key(key) end
---@return {md5: lunatcp.core.Key[], ao: lunatcp.core.AoKey[]}
function Host:keys() end
---A connection that was lost with its host's memory (RFC 5925 section 7.7): segments of it are verified from
---now on, and answered by a reset that is signed. ENOKEY; EISCONN where there is such a connection.
---@param state lunatcp.core.AoState
---@return true?, string? message, string? code
function Host:ao_restore(state) end

---@class lunatcp.core.ConnectOptions
---@field address string the remote one
---@field port integer 1..65535
---@field local_address? string default: by route
---@field local_port? integer default 0: an ephemeral one
---@field settings? lunatcp.core.Settings on top of the host's
---@field source_route? string[] IPv4 addresses of the routers to pass, in order, at most 8: a loose source route
---@field fast_open? string octets that may leave with the SYN (RFC 7413); info().fast_open_octets: how many did

---Active OPEN; returns at once. ENETUNREACH, EADDRNOTAVAIL, EISCONN, EOPNOTSUPP (source route over IPv6).
---@param options lunatcp.core.ConnectOptions
---@return lunatcp.core.Connection?, string? message, string? code
function Host:connect(options) end

---@class lunatcp.core.ListenOptions
---@field port integer 0: an ephemeral one
---@field address? string the local one; default: all
---@field backlog? integer default 128
---@field settings? lunatcp.core.Settings

---Passive OPEN. EADDRINUSE.
---@param options lunatcp.core.ListenOptions
---@return lunatcp.core.Listener?, string? message, string? code
function Host:listen(options) end
---A table of descriptors over the host, as a process has one: see sockets.meta.lua.
---@param options? lunatcp.core.SocketsOptions
---@return lunatcp.core.Sockets
function Host:sockets(options) end

---What happened since the last call to one connection or listener, all of it at once; nil: nothing.
---`bits` are of core.EVENT; `code` and `message` say why for `closed` (nil after an orderly close) and
---for `soft_error`. One handle is always the same object while somebody refers to it. A connection
---that waits for accept appears as an object too; it is the listener's until accepted.
---@return lunatcp.core.Connection|lunatcp.core.Listener|nil, integer? bits, string? code, string? message
function Host:next_event() end
---@return boolean
function Host:has_events() end

-- ---- connections -------------------------------------------------------------------------------

---@class lunatcp.core.Connection
local Connection = {}
---@return lunatcp.core.Host
function Connection:host() end
---The number that trace records name it by (`subject`).
---@return integer
function Connection:handle() end
---"ESTABLISHED"; "CLOSED" also when the connection does not exist any more.
---@return string
function Connection:state() end
---Every variable: see lunatcp.core.Info.
---@return lunatcp.core.Info?, string? message, string? code
function Connection:info() end
---The same as of now, as an object: for who may never be asked.
---@return lunatcp.core.Info_snapshot?, string? message, string? code
function Connection:snapshot() end
---Its two sockets; nil, message, code once it is released.
---@return string? local_address, integer|string local_port_or_message, string remote_address_or_code, integer? remote_port
function Connection:sockets() end
---Queues octets from `offset` (from 1) on. `flags` are of core.WRITE. EAGAIN: the buffer is full; EPIPE
---after a shutdown; else why the connection died.
---@param bytes string
---@param offset? integer
---@param flags? integer
---@return integer? taken, string? message, string? code
function Connection:write(bytes, offset, flags) end
---1 to `n` octets; nil alone: the end of the stream; EAGAIN: nothing there. `flags` are of core.READ.
---Does not read across the urgent mark in one call.
---@param n integer
---@param flags? integer
---@return string?, string? message, string? code
function Connection:read(n, flags) end
---FLUSH: drops what was written and not sent yet, and says how many octets.
---@return integer? dropped, string? message, string? code
function Connection:discard() end
---Half-close.
---@return true?, string? message, string? code
function Connection:shutdown() end
---CLOSE of both directions. Idempotent: true also when it is closed already.
---@return true?, string? message, string? code
function Connection:close() end
---ABORT. Idempotent.
---@return true?, string? message, string? code
function Connection:abort() end
---Lets go of the handle: EBADF from everything after that. The record lives on until CLOSED.
function Connection:release() end
---Why it died: nil while it lives and after an orderly end.
---@return string? message, string? code
function Connection:error() end
---current_key by its SendID, rnext_key by its RecvID. ENOKEY; EOPNOTSUPP where TCP-AO is not in use.
---@param keys {current_key?: integer, rnext_key?: integer}
---@return true?, string? message, string? code
function Connection:ao_keys(keys) end
---@class lunatcp.core.AoState
---@field local_address string
---@field remote_address string
---@field local_port integer
---@field remote_port integer
---@field iss integer
---@field irs integer
---@field snd_nxt integer
---@field rcv_nxt integer
---@field snd_sne integer
---@field rcv_sne integer
---@field current_key integer SendID
---@field rnext_key integer RecvID

---What Host:ao_restore needs. EOPNOTSUPP where TCP-AO is not in use, ENOTCONN before both numbers are known.
---@return lunatcp.core.AoState?, string? message, string? code
function Connection:ao_save() end
---@return lunatcp.core.Settings?, string? message, string? code
function Connection:settings() end
---Changes on top of the present ones. EISCONN for what only acts at the opening.
---@param settings lunatcp.core.Settings
---@return true?, string? message, string? code
function Connection:set_settings(settings) end
-- __close: release after close, or after abort when the scope is left by an error.
-- __gc: see Network:collect.

---@class lunatcp.core.Listener
local Listener = {}
---@return lunatcp.core.Host
function Listener:host() end
---@return integer
function Listener:handle() end
---EAGAIN when none waits.
---@return lunatcp.core.Connection?, string? message, string? code
function Listener:accept() end
---@return string address, integer port
function Listener:address() end
---Its unaccepted connections are reset. Idempotent.
---@return true?, string? message, string? code
function Listener:close() end

---RFC 5925 section 7.1; all but kind and the first four counters are TCP-AO's.
---@class lunatcp.core.Authentication
---@field kind "TCP-AO"|"TCP MD5"
---@field good integer segments that were verified ...
---@field bad integer ... and those dropped: the digest was wrong
---@field missing integer there was none
---@field unexpected integer there was the other option's
---@field key_not_found? integer no key has that KeyID
---@field icmp_ignored? integer hard errors that were ignored (RFC 5925 section 7.8)
---@field keys? integer Master Key Tuples that match
---@field current_key? integer SendID of the key that signs
---@field rnext_key? integer RecvID of the key that the peer is asked for
---@field key_id? integer of the newest verified segment
---@field rnext_key_id? integer of the same
---@field snd_sne? integer sequence number extension of SND.NXT
---@field rcv_sne? integer of RCV.NXT

---Times in seconds; a deadline that does not run is nil, one that does is absolute. RTT values are nil
---before the first sample.
---@class lunatcp.core.Info
---@field state string
---@field error? string message
---@field code? string of the error
---@field local_address string
---@field remote_address string
---@field local_port integer
---@field remote_port integer
---@field passive boolean
---@field iss integer
---@field snd_una integer
---@field snd_nxt integer
---@field snd_up integer
---@field snd_wl1 integer
---@field snd_wl2 integer
---@field irs integer
---@field rcv_nxt integer
---@field rcv_up integer
---@field snd_wnd integer
---@field rcv_wnd integer
---@field max_snd_wnd integer
---@field snd_mss integer
---@field rcv_mss integer
---@field seen_mss integer the longest text that came in one segment; 0: none yet
---@field path_mtu integer
---@field path_mtu_shared boolean another connection to the same address has learned it
---@field mtu_searching boolean
---@field mtu_search_low integer
---@field mtu_search_high integer
---@field mtu_probe integer
---@field mtu_probes integer
---@field mtu_probe_successes integer
---@field mtu_probe_failures integer
---@field mtu_black_holes integer
---@field mtu_refuted integer
---@field snd_wscale integer
---@field rcv_wscale integer
---@field window_scaling boolean
---@field timestamps boolean
---@field sack boolean
---@field cwnd integer
---@field ssthresh integer
---@field pipe integer
---@field in_recovery boolean
---@field in_loss boolean
---@field recovery_point integer
---@field srtt? number
---@field rttvar? number
---@field rto number
---@field min_rtt? number
---@field latest_rtt? number
---@field retransmission_deadline? number
---@field persist_deadline? number
---@field delayed_ack_deadline? number
---@field keepalive_deadline? number
---@field time_wait_deadline? number
---@field backoff integer
---@field duplicate_acks integer
---@field unsent integer
---@field unacked integer
---@field unread integer
---@field out_of_order integer
---@field send_buffer integer
---@field send_memory integer what counts against it: octets, and what the pieces they lie in cost
---@field receive_buffer integer
---@field receive_rtt? number
---@field urgent_remaining integer
---@field fin_sent boolean
---@field fin_acked boolean
---@field fin_received boolean
---@field pushed boolean unread octets were pushed by the peer
---@field accept_deferred boolean its listener kept it until there was data (the setting defer_accept)
---@field ecn boolean agreed in the handshake
---@field user_timeout? number seconds: what counts now, or R2 by time
---@field uto_received? number seconds: what the peer advertised last (RFC 5482)
---@field uto_sent? number seconds: what was advertised last
---@field uto_ignored integer user timeout options with a reserved value
---@field flow_label integer of what is sent by IPv6
---@field flow_label_changes integer after timeouts (flow_label_rehash)
---@field received_dscp integer of the newest segment
---@field source_route_count integer hops of the source route in use; 0: none
---@field fast_open_asked boolean the SYN asked for a cookie (RFC 7413)
---@field fast_open_used boolean it carried one, or data without one
---@field fast_opened boolean of a server: open before the end of the handshake
---@field fast_open_octets integer that the SYN carried
---@field fast_open_acked integer of them, acknowledged by the SYN-ACK
---@field fast_open_failure? "no cookie"|"refused"|"SYN lost"
---@field congestion string
---@field congestion_state table<string, number|string> what the algorithm says of itself
---@field pacing_rate? number bits a second; nil: it is not paced
---@field delivery_rate? number bits a second, the newest sample that counts; nil: none, or nothing is queued
---@field app_limited boolean what left when there was too little to send is still under way
---@field segments_sent integer
---@field segments_received integer
---@field data_segments_sent integer those with data, repeated ones too
---@field data_segments_received integer
---@field segments_delivered integer of those sent, known to have arrived
---@field bytes_sent integer
---@field bytes_received integer
---@field bytes_acked integer
---@field segments_retransmitted integer
---@field bytes_retransmitted integer
---@field timeouts integer
---@field fast_recoveries integer
---@field duplicate_acks_received integer
---@field acks_sent integer
---@field out_of_order_segments integer
---@field duplicate_segments integer
---@field challenge_acks integer
---@field probes_sent integer
---@field paws_rejected integer
---@field options_ignored integer options that were not agreed, and SACK blocks that cannot be
---@field ce_received integer
---@field ece_received integer
---@field ecn_reductions integer
---@field rack boolean losses are told by time (RFC 8985)
---@field reordering_seen boolean
---@field reordering_window? number RACK's, in seconds
---@field loss_probes integer tail loss probes that were sent
---@field dsacks_received integer
---@field undos integer reductions that were taken back as spurious
---@field bytes_lost integer octets held to be lost, each time they were
---@field authentication? lunatcp.core.Authentication nil: the connection is not signed
---@field ecn_sending boolean new data leaves ECN-capable
---@field accecn boolean AccECN (RFC 9768) was agreed; the fields below are its
---@field accecn_option_seen boolean AccECN options come from the peer
---@field accecn_zeroed boolean ... and are ignored: an initial counter was 0
---@field accecn_blocked boolean one's own options seem to be lost, and are not sent any more
---@field accecn_deaf boolean feedback is not responded to: the ACE field was 0
---@field received_ce_bytes integer that arrived here with CE
---@field received_ect0_bytes integer
---@field received_ect1_bytes integer
---@field delivered_ce integer packets that arrived at the peer with CE, as it says
---@field delivered_ce_bytes integer
---@field delivered_ect0_bytes integer
---@field delivered_ect1_bytes integer

-- ---- links and rules ---------------------------------------------------------------------------

---@class lunatcp.core.Link
local Link = {}
---@return integer
function Link:id() end
---@return lunatcp.core.Network
function Link:network() end
---@return string
function Link:name() end
---The node at end 1 or 2; nil: the outside.
---@param which 1|2
---@return lunatcp.core.Node?
function Link:node(which) end
---Changes the keys that are given; the others, counters and what is under way stay.
---@param direction 1|2
---@param path lunatcp.core.Path
---@return true?, string? message, string? code
function Link:configure(direction, path) end
---@param direction 1|2
---@return lunatcp.core.Path every key, in Lua units
function Link:configuration(direction) end
---@param up boolean
---@param direction? 1|2 default: both
function Link:set_up(up, direction) end
---Of both interfaces.
---@param mtu integer
---@return true?, string? message, string? code
function Link:set_mtu(mtu) end
---packets bytes delivered delivered_bytes duplicated corrupted delayed queued_packets queued_bytes
---greatest_queue_packets greatest_queue_bytes marked, and dropped: {loss = n, ...} with every reason.
---queue: {kind, marked, early, early_ect, overflow, sojourn = {packets, mean, median, p99, greatest}} and how the
---algorithm stands: red: average probability; codel, fq_codel: dropping count; fq_codel: flows_new
---flows_old new_flows; pie: probability delay burst_allowance; dualpi2: probability base coupled delay
---classic_packets l4s_packets classic_bytes overloads overload_time overload_since (false: not now), and
---l4s = {marked, early, early_ect, bytes, sojourn} (the rest of its sojourn is the Classic queue's).
---@param direction 1|2
---@return table
function Link:counters(direction) end
---Puts an IP packet into a direction as if its sending end had sent it.
---@param direction 1|2
---@param packet string
---@return true?, string? message, string? code
function Link:inject(direction, packet) end
---Adds a rule behind the others. The first that matches and answers wins.
---@param rule lunatcp.core.Rule
---@return integer? id, string? message, string? code
function Link:rule(rule) end
---@param id integer
---@return boolean false: there is no such rule (any more)
function Link:remove_rule(id) end
---@param id integer
---@return integer? matched, integer? answered
function Link:rule_counts(id) end

---Which packets, and what becomes of them. All of drop, delay, duplicate, corrupt absent: they pass
---untouched. `ask` excludes the other actions.
---@class lunatcp.core.Rule
---@field direction? 1|2 default: both
---@field flags? string|lunatcp.core.Flags|table<string, boolean> all of these are set; in a table, false: not set
---@field without? string none of these is set
---@field length_min? integer of the TCP payload
---@field length_max? integer 0: only segments without payload
---@field source_port? integer
---@field destination_port? integer
---@field seq? integer the segment holds this octet
---@field ack? integer its acknowledgment field
---@field first? boolean true: none of its octets was on this link before; false: some were
---@field tcp? boolean only TCP; implied by the fields above
---@field nth? integer only the n-th match, from 1
---@field every? integer each n-th match
---@field times? integer at most so many matches
---@field chance? number probability
---@field drop? boolean
---@field delay? number seconds, on top of the link's
---@field duplicate? integer further copies; true: 1
---@field duplicate_delay? number seconds, of the copies, on top of delay
---@field corrupt? integer burst of so many bits; true: 1
---@field mark? boolean set CE, if the packet is ECN-capable
---@field ask? fun(segment: lunatcp.core.Segment): lunatcp.core.Verdict

---nil: no answer, later rules are asked. "pass": goes on untouched. "drop". "mark": CE is set.
---@alias lunatcp.core.Verdict nil|"pass"|"drop"|"mark"|lunatcp.core.Fate
---@class lunatcp.core.Fate
---@field drop? boolean
---@field delay? number
---@field duplicate? integer|boolean
---@field duplicate_delay? number
---@field corrupt? integer|boolean
---@field mark? boolean

-- ---- segments ----------------------------------------------------------------------------------

---A set of TCP flags: one object for each set, so == compares. Fields fin syn rst psh ack urg ece cwr ae
---are booleans; tostring and .. give the letters, # the number of flags.
---@class lunatcp.core.Flags
---@field fin boolean
---@field syn boolean
---@field rst boolean
---@field psh boolean
---@field ack boolean
---@field urg boolean
---@field ece boolean
---@field cwr boolean
---@field ae boolean
---@field bits integer

---Of letters "SA", of a table {syn = true, ack = true}, or of bits.
---@param flags string|table|integer|lunatcp.core.Flags
---@return lunatcp.core.Flags
function core.flags(flags) end

---What an ask rule sees: fields are read when they are asked for. One object a network: after the hook
---any access raises "segment view used after its hook returned". The fields are those of Packet, and:
---@class lunatcp.core.Segment: lunatcp.core.Packet
---@field time number
---@field first boolean none of its octets was on this link before
---@field notes table<string, boolean> retransmission duplicate corrupted delayed forged ce_marked probe
---@field link integer number of the link
---@field direction 1|2
---@field packet_id integer
local Segment = {}
---A Packet table that stays, with time, first, notes, link and direction.
---@return lunatcp.core.Packet
function Segment:copy() end
---@return string the whole IP packet
function Segment:bytes() end

---@class lunatcp.core.Packet
---@field version 4|6
---@field source string address
---@field destination string
---@field final_destination? string where a source route that is not used up leads in the end
---@field ttl integer
---@field dscp integer
---@field ecn integer 0..3
---@field ip_id integer IPv4
---@field flow_label integer IPv6
---@field dont_fragment boolean
---@field more_fragments boolean
---@field fragment_offset integer bytes
---@field ip_header_length integer
---@field total_length integer
---@field ip_options string
---@field protocol "tcp"|"icmp"|"icmpv6"|integer
---@field ip_checksum? integer IPv4
---@field ip_checksum_ok? boolean IPv4
---@field source_port? integer TCP from here on
---@field destination_port? integer
---@field seq? integer
---@field ack? integer the field, also where A is not set
---@field flags? lunatcp.core.Flags
---@field flag_letters? string "SA"
---@field window? integer the raw field
---@field urgent? integer the urgent pointer
---@field reserved? integer
---@field header_length? integer of TCP
---@field checksum? integer
---@field checksum_ok? boolean nil when it could not be verified (quoted)
---@field options? lunatcp.core.Options
---@field payload? string what of it is there
---@field length? integer of the payload, by the headers
---@field segment_length? integer SEG.LEN: payload, SYN and FIN each one
---@field icmp? {kind: string, type: integer, code: integer, mtu: integer?, pointer: integer?, echo_id: integer?, echo_seq: integer?, quote: string}

---An array in wire order and, by name, the values: mss = 1460, window_scale = 7, sack_permitted = true,
---sack = {{left =, right =}, ...}, timestamps = {value =, echo =}, user_timeout = raw 16 bits, md5 =
---bytes, ao = bytes, fast_open = cookie, accecn = {kind =, counters...}.
---@class lunatcp.core.Options
---@field [integer] lunatcp.core.Option
---@field mss? integer
---@field window_scale? integer
---@field sack_permitted? true
---@field sack? {left: integer, right: integer}[]
---@field timestamps? {value: integer, echo: integer}
---@field user_timeout? integer
---@field md5? string
---@field ao? string
---@field fast_open? string
---@field fast_open_experimental? true by kind 254
---@field accecn? table
---@field malformed? true a known kind with a length that is not its own
---@field repeated? true a known kind more than once: the last one is given

---@class lunatcp.core.Option
---@field kind integer
---@field name? string "end" "nop" "mss" "window_scale" "sack_permitted" "sack" "timestamps" "md5" "user_timeout" "ao" "fast_open" "accecn0" "accecn1" "experiment1" "experiment2"; nil: unknown
---@field data string octets behind kind and length
---@field value? integer mss, window_scale, user_timeout; timestamps: TSval
---@field echo? integer timestamps: TSecr
---@field blocks? {left: integer, right: integer}[] sack

---Takes an IP packet apart. Whatever is wrong with it: the table as far as it could be read (maybe empty),
---a message, and the status ("LTCP_ERR_CHECKSUM", "LTCP_ERR_OPTION_LENGTH", ...).
---`quoted`: it is cut short (a quote inside ICMP, a trace record); checksums are not verified.
---@param packet string
---@param options? {quoted: boolean?}
---@return lunatcp.core.Packet packet, string? message, string? status
function core.decode(packet, options) end

---Makes an IP packet. source, destination are required. What is left out: ports 0, seq 0, ack 0, flags "",
---window 65535, ttl 64, Don't Fragment set, checksums computed. To forge: checksum, ip_checksum,
---header_length (data offset, bytes), total_length, reserved. `options`: an array of {kind = or name =,
---value..., data =, length = (to forge)} or names such as "nop", written as it stands and padded with
---END; or values by name ({mss = 1460, timestamps = {value =, echo =}}) in the usual order; or the raw
---bytes. A table that decode made is understood (flag_letters, options by name and what else follows from
---the rest are passed over). Raises EINVAL-like errors as wrong arguments.
---@param fields table
---@return string packet
function core.encode(fields) end

-- ---- trace -------------------------------------------------------------------------------------

---@class lunatcp.core.TraceEvent
---@field serial integer one count over events and packets, from 1
---@field time number
---@field kind string "state" "timeout" "fast_retransmit" "recovered" "probe" "challenge" "urgent" "rtt" "refused" "icmp" "invariant"
---@field host integer number of the node
---@field subject integer handle of the connection, 0: none
---@field from? string state
---@field to? string state
---@field value? number|integer timeout: the new RTO in seconds; rtt: seconds; fast_retransmit: sequence number; probe: how many; challenge: 1 when withheld; urgent: octets
---@field icmp? string kind of ICMP message
---@field status? string "LTCP_ERR_RESET": closed, refused
---@field message? string of the status
---@field code? string of the status
---@field text? string invariant

---@class lunatcp.core.TracePacket
---@field serial integer
---@field time number
---@field kind "sent"|"delivered"|"dropped"
---@field reason? string why it was dropped
---@field link integer
---@field direction 1|2
---@field packet integer number of the packet
---@field length integer of the whole IP packet
---@field notes table<string, boolean>
---@field head string first bytes
---@field segment lunatcp.core.Packet decoded from the head; payload is what the head holds of it

---Records with a serial >= `since` (default 1), oldest first.
---@param since? integer
---@return fun(): lunatcp.core.TraceEvent?
function Network:trace_events(since) end
---@param since? integer
---@return fun(): lunatcp.core.TracePacket?
function Network:trace_packets(since) end
---Of the newest record, 0: none.
---@return integer
function Network:trace_serial() end
---@param kinds string[] kinds of record to keep, also "events" and "packets" for all of them
function Network:set_trace_kinds(kinds) end
---@return string[]
function Network:trace_kinds() end
function Network:clear_trace() end

-- ---- captures ----------------------------------------------------------------------------------

---@class lunatcp.core.CaptureOptions
---@field path? string a file to write; its failure to open is nil, message, CODE
---@field file? file* or an open file; it is not closed
---@field view? "sender"|"receiver" where the taps are. "sender" (default): every packet once, as it was sent, with a comment on what became of it. "receiver": as it arrived or was lost on the way
---@field limit? integer packets that may wait to be written, default 65536
---@field most? integer octets kept in memory: what would go beyond is left out, and all that follows

---Writes all that links carry from here on, as pcapng with nanoseconds and comments, while step runs.
---Without path and file it is kept in memory for Capture:take.
---@param options? lunatcp.core.CaptureOptions
---@return lunatcp.core.Capture?, string? message, string? code
function Network:capture(options) end

---@class lunatcp.core.Capture
local Capture = {}
---Writes what waits.
---@return true?, string? message, string? code
function Capture:flush() end
---What was captured in memory since the last call.
---@return string
function Capture:take() end
---@return integer packets so far, with those whose fate is not known yet
function Capture:packets() end
---@return integer packets that found no room
function Capture:missed() end
---What a link does, as its interface's description in the file; nothing when that stands there already.
---@param link lunatcp.core.Link
---@param text string
---@return true?, string? message, string? code
function Capture:describe(link, text) end
---What it has done by now: a block of statistics, packets and drops, with a comment. Call it last: what was
---held back until its fate is known is written before.
---@param link lunatcp.core.Link
---@param text string
---@return true?, string? message, string? code
function Capture:statistics(link, text) end
---Completes the file. Idempotent; gives the first failure to write.
---@return true?, string? message, string? code
function Capture:close() end

-- ---- settings ----------------------------------------------------------------------------------

---Keys: those of settings_list(), and congestion (one of congestions()), syn_options and other_options
---(arrays of option names or kinds, in the order they are written).
---@class lunatcp.core.Settings
---@field congestion? string
---@field syn_options? (string|integer)[]
---@field other_options? (string|integer)[]
---@field [string] any

---@param name "rfc"|"linux"
---@return lunatcp.core.Settings
function core.profile(name) end
---In the order of the header. `least` and `most` in Lua units.
---@return {name: string, kind: "flag"|"count"|"bytes"|"time", least: number, most: number, what: string, rfc: any, linux: any}[]
function core.settings_list() end
---Raises what a wrong settings table raises; gives the table back.
---@param settings lunatcp.core.Settings
---@return lunatcp.core.Settings
function core.check_settings(settings) end
---@return string[] names of the congestion controls, the core's first
function core.congestions() end
---Defines a congestion control: functions init, on_ack, on_rtt, on_segment_lost, on_loss, on_ecn,
---on_recovered, on_timeout, on_idle, on_restart, on_undo; `ecn`, `own_recovery`.
---@param name string
---@param functions table
function core.congestion(name, functions) end

---What such functions are given first. Other fields are the script's own.
---@class lunatcp.core.Congestion
---@field cwnd integer octets
---@field ssthresh integer octets
---@field pacing_rate number bits a second; 0: none
---@field mss integer
---@field initial_window integer

-- ---- small things ------------------------------------------------------------------------------

---@class lunatcp.core.Random
local Random = {}
---64 bits.
---@return integer
function Random:next() end
---Uniform in 0..bound-1.
---@param bound integer >= 1
---@return integer
function Random:below(bound) end
---Uniform in [0, 1).
---@return number
function Random:number() end

---@param seed integer
---@param name string
---@return lunatcp.core.Random
function core.random(seed, name) end
---SipHash-2-4.
---@param k0 integer
---@param k1 integer
---@param bytes string
---@return integer
function core.siphash(k0, k1, bytes) end
---The library that signs; nil in a build without: what follows then gives nil, message, "EOPNOTSUPP".
---@return string?
function core.crypto() end
---The digest of RFC 2385 for an IP packet, whatever its option holds.
---@param packet string
---@param key string
---@return string? digest, string? message, string? code
function core.md5_digest(packet, key) end
---The MAC of RFC 5925 section 5.1 for an IP packet with that option, whatever its MAC field holds.
---@param packet string
---@param options {traffic_key: string, mac?: string, kdf?: string, sne?: integer, include_options?: boolean}
---@return string? mac, string? message, string? code
function core.ao_mac(packet, options) end
---A traffic key of one direction: RFC 5925 section 5.2, RFC 5926 section 3.1. Options: key (the master key),
---mac, source, destination, source_port, destination_port, source_isn, destination_isn (0 of a SYN).
---@param options table
---@return string? key, string? message, string? code
function core.ao_traffic_key(options) end
---Canonical text of an address, or nil when it is none; and its family, 4 or 6.
---@param text string
---@return string? address, integer? family
function core.address(text) end
---{name = "LTCP_ERR_RESET", code = "ECONNRESET", message = ...} of a status by name or code.
---@param status string
---@return {name: string, code: string, message: string}?
function core.status(status) end

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
---one that is there, or to be made; "tun%d" finds a number. EPERM, ENOENT, EBUSY, EOPNOTSUPP (not Linux).
---@param options { link: lunatcp.core.Link, direction: integer?, name: string? }
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

---Leads networks, one after the other, through every combination of choices at their first packets: see
---lunatcp.explore. The first choice is what meets all packets behind the script.
---@class lunatcp.core.Explorer
local Explorer = {}
---@param choices table[] verdicts as rules give them, 1 to 16
---@param depth integer packets that meet a choice, 0 to 250
---@param prune? boolean default true: a run ends at a state that was met before
---@return lunatcp.core.Explorer
function core.explorer(choices, depth, prune) end
---Leads the network, which is fresh, by the next script.
---@param network lunatcp.core.Network
---@return boolean more false: every combination was tried
function Explorer:begin(network) end
---Leads the network by a script.
---@param network lunatcp.core.Network
---@param script integer[] numbers of choices
function Explorer:replay(network, script) end
---Whether the present run has come to a state that was met before: `step` then gives "verdict", again and again.
---@return boolean
function Explorer:pruned() end
---The run is over. The third is what is wrong with what was read, nil for nothing.
---@return boolean pruned, integer packets, string? broken
function Explorer:finish() end
---@return integer[] script of the present run, without the choices 1 that follow it
function Explorer:script() end
---Something that the script of the run has learnt otherwise than from the core.
---@param what string
function Explorer:saw(what) end
---runs, pruned, choices, states, waiting.
---@return table<string, integer>
function Explorer:counts() end
---Changes of state, {from, to}, that the runs went through, and those of RFC 9293 section 3.10 that they did not.
---@return string[][] seen, string[][] missing
function Explorer:coverage() end

return core
