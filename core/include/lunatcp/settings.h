/* core/include/lunatcp/settings.h
 *
 * Every default of the engine is a setting, and a profile is a named table of them: `rfc` (the
 * default) and `linux`. One list makes the struct, both profiles, the limits and the words that
 * Lua, the command line and the documentation use. */
#ifndef LUNATCP_SETTINGS_H
#define LUNATCP_SETTINGS_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* kind, name, rfc, linux, least, most, what it is.
 * FLAG is a bool; COUNT a number; BYTES a number of bytes; TIME is nanoseconds (seconds in Lua). */
#define LTCP_SETTINGS_LIST(X)                                                                      \
    /* opening */                                                                                  \
    X(FLAG, window_scaling, 1, 1, 0, 1, "offer window scale (RFC 7323)")                           \
    X(FLAG, timestamps, 1, 1, 0, 1, "offer timestamps, and PAWS with them (RFC 7323)")             \
    X(FLAG, sack, 1, 1, 0, 1, "offer selective acknowledgments (RFC 2018)")                        \
    X(COUNT, window_scale, -1, -1, -1, 14, "shift of one's own window; -1: what the buffer needs") \
    X(BYTES, mss, 0, 0, 0, 65495, "MSS to advertise at most; 0: what the link allows")             \
    X(FLAG, mss_both_ways, 0, 1, 0, 1, "the setting mss also bounds what is sent")                 \
    X(COUNT, isn, -1, -1, -1, 4294967295, "initial sequence number; -1: RFC 6528")                 \
    X(COUNT, timestamp_offset, -1, -1, -1, 4294967295, "first timestamp value; -1: by secret")     \
    X(TIME, time_wait, -1, -1, -1, INT64_C(86400000000000), "TIME-WAIT; -1: 2 MSL")                \
    X(TIME, msl, INT64_C(120000000000), INT64_C(30000000000), 0, INT64_C(3600000000000),           \
      "maximum segment lifetime")                                                                  \
    X(FLAG, synack_again, 0, 1, 0, 1, "answer a repeated SYN by the SYN-ACK instead of an ACK")    \
    X(FLAG, reset_with_ack, 0, 1, 0, 1, "the RST of an abort carries ACK")                         \
    X(FLAG, reset_with_timestamps, 0, 1, 0, 1, "the RST of an abort carries timestamps")           \
    X(FLAG, require_timestamps, 1, 0, 0, 1,                                                        \
      "once agreed, drop what comes without (RFC 7323, 3.2)")                                      \
    X(FLAG, answer_unsent_ack, 1, 0, 0, 1, "answer an ACK of what was not sent by an ACK")         \
    X(FLAG, time_wait_reuse, 1, 1, 0, 1, "a new SYN may replace TIME-WAIT (RFC9293:MAY-2)")        \
    X(FLAG, time_wait_ignores_reset, 0, 0, 0, 1, "a RST does not end TIME-WAIT (RFC 1337, F1)")    \
    X(COUNT, time_wait_most, 1000000, 262144, 0, 16777216,                                         \
      "connections of a host in TIME-WAIT; further ones skip it; 0: no bound")                     \
    X(COUNT, syn_queue, 0, 0, 0, 1048576,                                                          \
      "connections of a listener in SYN-RECEIVED at most; 0: as many as its backlog")              \
    X(COUNT, half_open_most, 0, 0, 0, 16777216,                                                    \
      "the same of all listeners of a host together; 0: no further bound")                         \
    X(COUNT, syn_cookies, 0, 1, 0, 2,                                                              \
      "SYN cookies (RFC 4987, 3.6): 0 never, 1 where those queues are full, 2 always")             \
    X(COUNT, fast_open_mode, 3, 1, 0, 65535,                                                       \
      "TCP Fast Open (RFC 7413) where a user asks for it, a sum: 1 as a client, 2 as a server, "   \
      "4 data without a cookie, 512 take it without one, 1024 every listener")                     \
    X(COUNT, fast_open_queue, 0, 0, 0, 65535,                                                      \
      "Fast Open requests that a listener lets be pending; 0: it takes none")                      \
    X(FLAG, fast_open_experiment, 0, 1, 0, 1,                                                      \
      "ask by the experimental option where the other one brought no cookie")                      \
    X(TIME, fast_open_retry, INT64_C(3600000000000), 0, 0, INT64_C(864000000000000),               \
      "how long no Fast Open is tried where it was refused; 0: it is tried at once")               \
    X(TIME, fast_open_reset_time, INT64_C(60000000000), INT64_C(60000000000), 0,                   \
      INT64_C(3600000000000), "how long a request that was reset counts as pending")               \
    X(FLAG, reject_false_echo, 0, 1, 0, 1,                                                         \
      "reset on a SYN-ACK that echoes a timestamp which the SYN had not")                          \
    X(FLAG, icmp_aborts_opening, 0, 1, 0, 1,                                                       \
      "any unreachable error ends a connection that is opening (RFC 5461, 4.1)")                   \
    X(FLAG, mss_from_path, 0, 1, 0, 1, "a repeated SYN announces no more than the path takes")     \
    X(FLAG, keep_syn_data, 1, 0, 0, 1, "the text of a SYN waits for the handshake to end")         \
    X(FLAG, read_after_reset, 0, 1, 0, 1, "what came before a reset can still be read")            \
    /* retransmission, RFC 6298 */                                                                 \
    X(TIME, rto_initial, INT64_C(1000000000), INT64_C(1000000000), 1000000, INT64_C(60000000000),  \
      "retransmission timeout before the first RTT sample")                                        \
    X(TIME, rto_min, INT64_C(1000000000), INT64_C(200000000), 1000000, INT64_C(60000000000),       \
      "least retransmission timeout")                                                              \
    X(TIME, rto_max, INT64_C(60000000000), INT64_C(120000000000), 1000000, INT64_C(3600000000000), \
      "greatest retransmission timeout, also after backoff")                                       \
    X(TIME, rto_granularity, INT64_C(1000000), INT64_C(200000000), 0, INT64_C(1000000000),         \
      "G of RTO = SRTT + max(G, 4 RTTVAR)")                                                        \
    X(FLAG, smooth_every_rtt, 0, 1, 0, 1,                                                          \
      "every RTT sample moves SRTT, not one a round trip; RTTVAR keeps to one")                    \
    X(FLAG, rto_rearm, 0, 1, 0, 1, "sending the first segment again restarts it (RFC 6675, 6)")    \
    X(COUNT, r1_count, 3, 3, 0, 255, "retransmissions until the user is advised (R1); 0: by time") \
    X(TIME, r1_time, 0, 0, 0, INT64_C(86400000000000), "the same by time; 0: by count")            \
    X(COUNT, r2_count, 0, 15, 0, 255,                                                              \
      "retransmissions until the connection is closed; 0: by time")                                \
    X(TIME, r2_time, INT64_C(300000000000), 0, 0, INT64_C(86400000000000),                         \
      "time of retransmitting until the connection is closed (R2); 0: by count")                   \
    X(COUNT, syn_r2_count, 0, 6, 0, 255, "the same for a SYN, by count")                           \
    X(COUNT, synack_r2_count, 0, 5, 0, 255, "the same for a SYN-ACK, by count")                    \
    X(TIME, syn_r2_time, INT64_C(180000000000), 0, 0, INT64_C(86400000000000),                     \
      "the same for SYN and SYN-ACK, by time")                                                     \
    X(TIME, user_timeout, 0, 0, 0, INT64_C(86400000000000), "user timeout; 0: R2 alone")           \
    X(FLAG, uto, 0, 0, 0, 1, "exchange the user timeout option (RFC 5482: ENABLED)")               \
    X(TIME, uto_advertise, 0, 0, 0, INT64_C(1966020000000000),                                     \
      "what it says (ADV_UTO); 0: user_timeout, else R2")                                          \
    X(COUNT, uto_changeable, -1, -1, -1, 1,                                                        \
      "whether the peer's counts (CHANGEABLE); -1: unless user_timeout is set")                    \
    X(TIME, uto_least, INT64_C(100000000000), INT64_C(100000000000), 0, INT64_C(86400000000000),   \
      "least user timeout that is agreed so (L_LIMIT)")                                            \
    X(TIME, uto_most, INT64_C(3600000000000), INT64_C(3600000000000), 1000000000,                  \
      INT64_C(1966020000000000), "greatest one (U_LIMIT)")                                         \
    X(COUNT, duplicate_ack_threshold, 3, 3, 1, 255, "DupThresh (RFC 5681, 6675)")                  \
    X(FLAG, limited_transmit, 1, 1, 0, 1, "new data on the first two duplicate ACKs (RFC 3042)")   \
    X(FLAG, dsack, 0, 1, 0, 1, "report duplicates in the SACK option (RFC 2883)")                  \
    X(FLAG, rack, 0, 1, 0, 1, "losses told by time (RACK, RFC 8985), where SACK was agreed")       \
    X(FLAG, rack_by_number, 0, 1, 0, 1,                                                            \
      "RACK.rtt is of the last segment by number, not by time, that an ACK tells of")              \
    X(FLAG, tlp, 0, 1, 0, 1, "tail loss probes (RFC 8985), where RACK works")                      \
    X(TIME, tlp_max_ack_delay, INT64_C(200000000), INT64_C(200000000), 0, INT64_C(1000000000),     \
      "what a probe waits longer for the ACK of a single segment")                                 \
    X(FLAG, frto, 0, 1, 0, 1, "find spurious timeouts by what comes next (F-RTO, RFC 5682)")       \
    X(FLAG, eifel, 0, 1, 0, 1, "find spurious retransmissions by timestamps (Eifel, RFC 3522)")    \
    X(FLAG, undo_by_dsack, 0, 1, 0, 1, "find spurious retransmissions by DSACKs (RFC 3708)")       \
    X(FLAG, prr, 0, 1, 0, 1, "proportional rate reduction in fast recovery (RFC 9937)")            \
    /* congestion */                                                                               \
    X(COUNT, initial_window, 0, 10, 0, 65535, "initial window in segments; 0: RFC 5681's formula") \
    X(BYTES, initial_ssthresh, 2147483647, 2147483647, 0, 2147483647,                              \
      "first slow start threshold")                                                                \
    X(FLAG, slow_start_after_idle, 1, 1, 0, 1, "restart window after an idle RTO (RFC 5681, 4.1)") \
    X(FLAG, hystart, 1, 1, 0, 1, "HyStart++ in CUBIC's slow start (RFC 9406)")                     \
    X(FLAG, hystart_classic, 0, 1, 0, 1,                                                           \
      "HyStart as it was first, by delay and trains of ACKs, in its place")                        \
    X(FLAG, cubic_segments, 0, 1, 0, 1,                                                            \
      "CUBIC counts whole segments, and looks at its curve 32 times a second")                     \
    X(FLAG, fast_convergence, 1, 1, 0, 1, "CUBIC's fast convergence (RFC 9438, 4.7)")              \
    X(FLAG, abe, 0, 0, 0, 1, "back off less for a mark than for a loss (RFC 8511)")                \
    X(FLAG, window_validation, 0, 0, 0, 1,                                                         \
      "congestion window validation (RFC 7661) in NewReno and CUBIC")                              \
    X(FLAG, rtt_independence, 1, 1, 0, 1, "Prague's reduced dependence on the RTT")                \
    X(COUNT, ecn, 2, 2, 0, 5,                                                                      \
      "ECN: 0 off; RFC 3168: 1 ask for it, 2 agree when asked; agree to AccECN (RFC 9768) when "   \
      "asked, and ask for: 3 AccECN, 4 RFC 3168, 5 none")                                          \
    X(FLAG, ecn_by_prr, 0, 1, 0, 1,                                                                \
      "an echo of RFC 3168 lowers the window step by step, by what is delivered (RFC 6937)")       \
    X(COUNT, accecn_option, 2, 2, 0, 3,                                                            \
      "AccECN options: 0 never, 1 sparingly where the peer's come, 2 where useful, 3 also where "  \
      "they seem to be lost")                                                                      \
    X(COUNT, accecn_beacon, 3, 3, 0, 255, "AccECN options in a round trip at least; 0: no least")  \
    X(FLAG, byte_counting, 0, 1, 0, 1,                                                             \
      "slow start by all octets acknowledged (RFC 3465), no limit")                                \
    X(FLAG, grow_by_sacks, 0, 1, 0, 1,                                                             \
      "once more reordering was seen than duplicate ACKs are waited for, SACKs open the window")   \
    X(FLAG, reduce_from_window, 0, 1, 0, 1,                                                        \
      "a loss reduces the congestion window itself, not what was in flight (RFC 9438, 4.6)")       \
    X(FLAG, pacing, 0, 0, 0, 1, "spread a window over the round trip, also without a rate")        \
    X(FLAG, pacing_fair_queue, 0, 0, 0, 1,                                                         \
      "what is paced leaves when Linux's fq would let it: bursts, half a credit for lateness")     \
    X(FLAG, usage_when_sent, 0, 1, 0, 1,                                                           \
      "a window that was full counts as used until something is sent again")                       \
    /* acknowledgments */                                                                          \
    X(FLAG, delayed_ack, 1, 1, 0, 1, "delay acknowledgments")                                      \
    X(TIME, delayed_ack_timeout, INT64_C(200000000), INT64_C(40000000), 0, INT64_C(499999999),     \
      "longest delay of an acknowledgment")                                                        \
    X(COUNT, ack_every, 2, 2, 1, 255, "full-sized segments that force an acknowledgment")          \
    X(COUNT, ack_thinning, 0, 0, 0, 255,                                                           \
      "the same at high rates at most, where the receive buffer tunes itself; 0: no more")         \
    X(COUNT, quick_acks, 0, 16, 0, 65535, "segments acknowledged at once after the handshake")     \
    X(FLAG, delay_fin_ack, 0, 1, 0, 1,                                                             \
      "the ACK of a FIN may wait, as any other, for one's own FIN")                                \
    X(COUNT, challenge_ack_limit, 10, 1, 0, 65535, "challenge ACKs in an interval (RFC 5961)")     \
    X(TIME, challenge_ack_interval, INT64_C(5000000000), INT64_C(500000000), 0,                    \
      INT64_C(3600000000000), "that interval")                                                     \
    X(COUNT, challenge_ack_host_limit, 0, 0, 0, 1000000,                                           \
      "challenge ACKs of all connections of a host in a second, about; 0: no limit")               \
    X(COUNT, port_first, 1024, 32768, 1, 65535, "ephemeral ports (RFC 6056): the first ...")       \
    X(COUNT, port_last, 65535, 60999, 1, 65535, "... and the last of them")                        \
    /* sending */                                                                                  \
    X(FLAG, nagle, 1, 1, 0, 1, "Nagle's algorithm")                                                \
    X(FLAG, minshall, 0, 1, 0, 1, "Nagle holds a small segment back only behind a small one")      \
    X(FLAG, more_is_quiet, 0, 1, 0, 1,                                                             \
      "what is written with MORE leaves without PSH, and with the next acknowledgment at the "     \
      "latest")                                                                                    \
    X(FLAG, fill_window, 0, 0, 0, 1,                                                               \
      "one shorter segment at a time fills what the peer's window has left")                       \
    X(FLAG, probe_repeats, 0, 1, 0, 1,                                                             \
      "a zero-window probe is an old octet's number without data")                                 \
    X(FLAG, push_bursts, 0, 1, 0, 1, "the last segment of a burst carries PSH")                    \
    X(COUNT, defer_bursts, 0, 0, 0, 255,                                                           \
      "what is less than a burst waits for an acknowledgment that is soon to come, unless one "    \
      "part in so many of the window is free; 0: it does not wait")                                \
    X(COUNT, burst_least, 2, 2, 1, 65535,                                                          \
      "segments of such a burst at least, where that many fit")                                    \
    X(BYTES, send_buffer, 262144, 262144, 1, 1073741824, "octets that write may queue")            \
    X(FLAG, write_pieces, 0, 1, 0, 1,                                                              \
      "written octets lie in pieces of half of the peer's window; each asks for room once")        \
    X(BYTES, piece_overhead, 0, 1280, 0, 65535, "memory that a piece takes beside its octets")     \
    X(FLAG, window_update_doubles, 0, 1, 0, 1, "reading tells of a window that has doubled")       \
    X(BYTES, receive_buffer, 262144, 540000, 1, 1073741824, "octets that wait for read")           \
    X(BYTES, window_start, 0, 65536, 0, 1073741824,                                                \
      "window to begin with; it grows by two segments with each that comes; 0: the buffer")        \
    X(FLAG, window_round_up, 0, 1, 0, 1,                                                           \
      "the window field is rounded up, not off, where the buffer can hold it")                     \
    X(BYTES, not_sent_low, 0, 0, 0, 1073741824,                                                    \
      "octets that write may queue beyond what was sent; 0: what the buffer has room for")         \
    X(FLAG, tune_receive_buffer, 0, 1, 0, 1,                                                       \
      "the receive buffer grows with what is read in a round trip")                                \
    X(FLAG, tune_send_buffer, 0, 1, 0, 1, "the send buffer grows with the congestion window")      \
    X(BYTES, receive_buffer_least, 4096, 4096, 1, 1073741824,                                      \
      "what a connection may receive when memory is short, or four segments")                      \
    X(BYTES, receive_buffer_most, 6291456, 33554432, 1, 1073741824,                                \
      "a receive buffer that grows, at most")                                                      \
    X(BYTES, send_buffer_least, 4096, 4096, 1, 1073741824,                                         \
      "what a connection may queue when memory is used up")                                        \
    X(BYTES, send_buffer_most, 4194304, 33554432, 1, 1073741824,                                   \
      "a send buffer that grows, at most")                                                         \
    X(COUNT, memory_low, 0, 201326592, 0, INT64_C(1099511627776),                                  \
      "octets in all queues of a host where a shortage of memory ends; 0: at its begin")           \
    X(COUNT, memory_pressure, 0, 268435456, 0, INT64_C(1099511627776),                             \
      "octets in all queues where windows begin to shrink; 0: at memory_most")                     \
    X(COUNT, memory_most, 0, 402653184, 0, INT64_C(1099511627776),                                 \
      "octets in all queues at most (docs/design.md); 0: no limit")                                \
    /* RFC1122:3.2.1.7-1 */                                                                        \
    X(COUNT, ttl, 64, 64, 1, 255, "TTL or hop limit of sent packets")                              \
    X(COUNT, flow_label, -1, -1, -1, 1048575,                                                      \
      "IPv6 flow label; -1: by the pair of sockets and a secret (RFC 6437); 0: none")              \
    X(FLAG, flow_label_rehash, 0, 1, 0, 1, "another flow label after a retransmission timeout")    \
    X(COUNT, dscp, 0, 0, 0, 63, "differentiated services code point of sent packets")              \
    X(FLAG, path_mtu_discovery, 1, 1, 0, 1, "set Don't Fragment and obey ICMP too-big")            \
    X(TIME, path_mtu_expires, INT64_C(600000000000), INT64_C(600000000000), 0,                     \
      INT64_C(86400000000000),                                                                     \
      "after so long (300 s at least) a path MTU that ICMP told is forgotten; 0: never")           \
    X(FLAG, path_mtu_shared, 1, 1, 0, 1,                                                           \
      "what one connection learns of its path is for all of the host (RFC 1191, 6.2)")             \
    X(BYTES, path_mtu, 0, 0, 0, 65535, "path MTU to begin with; 0: the link's")                    \
    X(COUNT, mtu_probing, 0, 0, 0, 2,                                                              \
      "path MTU by probing (RFC 4821): 0 never, 1 after a black hole was found, 2 always")         \
    X(FLAG, mtu_search_to_mss, 0, 1, 0, 1,                                                         \
      "its search goes up to the peer's MSS, though the link may not take that much")              \
    X(BYTES, mtu_base_mss, 1024, 1024, 48, 65495, "MSS that is likely to pass everywhere")         \
    X(BYTES, mtu_probe_floor, 48, 48, 1, 65495, "least MSS behind a black hole")                   \
    X(TIME, mtu_probe_interval, INT64_C(600000000000), INT64_C(600000000000),                      \
      INT64_C(300000000000), INT64_C(86400000000000),                                              \
      "from the end of a search until the next one")                                               \
    X(BYTES, mtu_probe_threshold, 8, 8, 1, 65535,                                                  \
      "range of sizes that is not worth another probe")                                            \
    X(FLAG, urgent_inline, 1, 0, 0, 1, "the last urgent octet stays in the stream (RFC 6093)")     \
    /* IP below, of a host */                                                                      \
    X(FLAG, device_full, 0, 0, 0, 1,                                                               \
      "the host's own device has no room: it drops what leaves, and TCP learns of it at once")     \
    X(TIME, device_retry, INT64_C(500000000), INT64_C(500000000), 1000000, INT64_C(3600000000000), \
      "how long TCP then waits in place of a retransmission or probe timeout")                     \
    X(BYTES, reassembly_buffer, 1048576, 4194304, 4096, 1073741824,                                \
      "memory for fragments at most; a quarter of it for one source")                              \
    X(COUNT, reassembly_datagrams, 64, 256, 1, 65535, "datagrams in pieces at most")               \
    X(COUNT, reassembly_per_source, 16, 64, 1, 65535, "of these at most from one source")          \
    X(COUNT, reassembly_fragments, 256, 1024, 2, 8192, "fragments of one datagram at most")        \
    X(TIME, reassembly_timeout, INT64_C(60000000000), INT64_C(30000000000), 1000000,               \
      INT64_C(3600000000000), "how long IPv4 fragments wait (IPv6: 60 s)")                         \
    /* closing and staying */                                                                      \
    X(FLAG, reset_on_unread_close, 1, 1, 0, 1, "RST when closed with unread data")                 \
    X(TIME, defer_accept, 0, 0, 0, INT64_C(86400000000000),                                        \
      "a listener gives a connection once it has data, or after so long; 0: at once")              \
    X(TIME, fin_wait_2_timeout, 0, INT64_C(60000000000), 0, INT64_C(86400000000000),               \
      "longest FIN-WAIT-2 of a closed connection; 0: for ever")                                    \
    X(COUNT, orphan_r2_count, 0, 8, 0, 255, "R2 by count once the user has closed; 0: as before")  \
    X(COUNT, orphans_most, 0, 65536, 0, 16777216,                                                  \
      "connections of a host that were closed and wait for their peers; further ones are reset; "  \
      "0: no bound")                                                                               \
    /* RFC9293:MUST-25, MUST-27, MUST-28 */                                                        \
    X(FLAG, keepalive, 0, 0, 0, 1, "keep-alive probes")                                            \
    X(TIME, keepalive_idle, INT64_C(7200000000000), INT64_C(7200000000000), 1000000,               \
      INT64_C(864000000000000), "idle time before the first probe")                                \
    X(TIME, keepalive_interval, INT64_C(75000000000), INT64_C(75000000000), 1000000,               \
      INT64_C(864000000000000), "time between probes")                                             \
    X(COUNT, keepalive_count, 9, 9, 1, 255, "unanswered probes until the connection is closed")    \
    X(FLAG, keepalive_garbage, 0, 0, 0, 1, "probes carry one garbage octet (RFC9293:MAY-6)")       \
    X(FLAG, accept_unmatched_authentication, 1, 0, 0, 1,                                           \
      "take segments with TCP-AO or TCP MD5 that no key is for (RFC 5925, 7.3)")                   \
    X(FLAG, ao_ignore_icmp, 1, 1, 0, 1,                                                            \
      "ICMP's hard errors do not reach connections under TCP-AO (RFC 5925, 7.8)")                  \
    X(FLAG, ao_required, 0, 0, 0, 1, "open by TCP-AO or not at all; passive opens and active")     \
    X(FLAG, report_soft_errors, 1, 1, 0, 1, "soft errors become events (RFC9293:SHLD-20)")         \
    X(FLAG, chronographs, 0, 1, 0, 1,                                                              \
      "measure for how long sending was busy, and held by window or buffer")

struct ltcp_settings {
#define LTCP_SETTING_FLAG(name)                                         bool name;
#define LTCP_SETTING_COUNT(name)                                        int64_t name;
#define LTCP_SETTING_BYTES(name)                                        uint32_t name;
#define LTCP_SETTING_TIME(name)                                         ltcp_time name;
#define LTCP_SETTING_MEMBER(kind, name, rfc, linux_, least, most, what) LTCP_SETTING_##kind(name)
    LTCP_SETTINGS_LIST(LTCP_SETTING_MEMBER)
#undef LTCP_SETTING_MEMBER
    const struct ltcp_congestion_ops *congestion; /* never NULL in a profile */
    /* Option kinds in the order they are written: in a SYN, and in every other segment. */
    uint8_t syn_options[12], other_options[12];
    uint8_t syn_options_count, other_options_count;
};

extern const struct ltcp_settings ltcp_profile_rfc, ltcp_profile_linux;
/* "rfc", "linux"; NULL for another name. */
const struct ltcp_settings *ltcp_profile(const char *name);

enum ltcp_setting_kind { LTCP_KIND_FLAG, LTCP_KIND_COUNT, LTCP_KIND_BYTES, LTCP_KIND_TIME };
struct ltcp_setting {
    const char *name, *what;
    enum ltcp_setting_kind kind;
    int64_t least, most;
};
/* The i-th setting, or NULL past the last: for tables, messages and documentation. */
const struct ltcp_setting *ltcp_setting_at(size_t i);
const struct ltcp_setting *ltcp_setting_find(const char *name);
int64_t ltcp_setting_get(const struct ltcp_settings *settings, const struct ltcp_setting *which);
/* LTCP_ERR_INVALID outside [least, most]; nothing is changed then. */
enum ltcp_status ltcp_setting_set(struct ltcp_settings *settings, const struct ltcp_setting *which,
                                  int64_t value);

#ifdef __cplusplus
}
#endif
#endif
