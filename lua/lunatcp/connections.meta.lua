---@meta lunatcp.core
-- Connections and listeners of `lunatcp.core`, and all that `conn:info()` tells; conventions: core.meta.lua.

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
---@field sacked integer octets in flight that were SACKed
---@field lost integer octets held to be lost, and not acknowledged since
---@field retransmitted integer of them, sent again
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
---@field pacing_deadline? number when what is held leaves; nil: nothing is held
---@field reordering_deadline? number when RACK holds the next segment to be lost
---@field tail_probe_deadline? number
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
---@field reordering integer segments that one was overtaken by, at most; 0: none seen
---@field reorderings integer acknowledgments that told of reordering
---@field reordering_window? number RACK's, in seconds
---@field frto_step integer of RFC 5682 section 2.1 that is waited in: 1 or 2; 0: none
---@field limited_transmits integer runs of new data that left on a duplicate ACK (RFC 3042)
---@field tail_probe_outstanding boolean a tail loss probe is not judged yet
---@field in_cwr boolean the window was reduced for ECN less than a round trip ago
---@field prr boolean proportional rate reduction (RFC 9937) is at work; its variables:
---@field recover_fs integer
---@field prr_delivered integer
---@field prr_out integer
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
