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
---@field REMARKS table<string, "remark"|"detail"> what algorithms say, by name, and of which kind its records are
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
---time_wait_records time_waits_cut orphans orphans_cut accepts_deferred paths_shared device_dropped options_malformed
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
