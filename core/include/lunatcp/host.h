/* core/include/lunatcp/host.h
 *
 * A host: many connections behind one or more addresses. It never sleeps and never looks at a
 * clock: the caller passes packets and the time in, and takes packets, events and the next deadline
 * out. Nothing is called back; a call marks a connection as having something to send, and
 * ltcp_host_transmit makes the packets. */
#ifndef LUNATCP_HOST_H
#define LUNATCP_HOST_H

#include "lunatcp/congestion.h"
#include "lunatcp/packet.h"
#include "lunatcp/random.h"
#include "lunatcp/settings.h"
#include "lunatcp/trace.h"
#include "lunatcp/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ltcp_host;

/* Names a listener or a connection; carries a generation number, so that a stale one is
 * LTCP_ERR_STALE and never another connection. 0 names nothing. */
typedef uint64_t ltcp_handle;

/* RFC 9293 section 3.3.2. */
enum ltcp_state {
    LTCP_CLOSED,
    LTCP_LISTEN,
    LTCP_SYN_SENT,
    LTCP_SYN_RECEIVED,
    LTCP_ESTABLISHED,
    LTCP_FIN_WAIT_1,
    LTCP_FIN_WAIT_2,
    LTCP_CLOSE_WAIT,
    LTCP_CLOSING,
    LTCP_LAST_ACK,
    LTCP_TIME_WAIT,
    LTCP_STATE_COUNT
};
const char *ltcp_state_name(enum ltcp_state state); /* "SYN-RECEIVED" */

struct ltcp_host_config {
    struct ltcp_pool *pool;               /* outlives the host */
    const struct ltcp_settings *settings; /* copied; NULL: ltcp_profile_rfc */
    struct ltcp_siphash_key secret;       /* ISNs, ports, timestamps, the demultiplexer */
    struct ltcp_trace *trace;             /* NULL, or outlives the host */
    uint32_t id;                          /* the host's name in trace records */
};
/* NULL when there is no memory. */
struct ltcp_host *ltcp_host_create(const struct ltcp_host_config *config);
/* Frees all connections without a word to their peers. */
void ltcp_host_destroy(struct ltcp_host *host);
/* What connections opened from now on begin with. */
const struct ltcp_settings *ltcp_host_settings(const struct ltcp_host *host);
enum ltcp_status ltcp_host_set_settings(struct ltcp_host *host,
                                        const struct ltcp_settings *settings);

/* ---- interfaces and routes ----------------------------------------------------------------- */
/* Interfaces are numbered from 0; ltcp_packet.interface carries the number in and out. `mtu` is of
 * IP packets: 68 to 65,535 (IPv6: at least 1280). */
enum ltcp_status ltcp_host_add_interface(struct ltcp_host *host, uint32_t mtu, uint32_t *number);
enum ltcp_status ltcp_host_set_mtu(struct ltcp_host *host, uint32_t number, uint32_t mtu);
/* The subnet's prefix makes its directed broadcast address known (RFC9293:MUST-57) and is a route.
 */
enum ltcp_status ltcp_host_add_address(struct ltcp_host *host, uint32_t number,
                                       const struct ltcp_address *address, uint8_t prefix_length);
/* Forgets the interface's addresses and the routes over it; the interface itself stays, silent.
 * Connections that use one of them are not told. */
void ltcp_host_withdraw(struct ltcp_host *host, uint32_t number);
/* Longest prefix wins; prefix_length counts in the address's own family (IPv4: 0..32). */
enum ltcp_status ltcp_host_add_route(struct ltcp_host *host, const struct ltcp_address *destination,
                                     uint8_t prefix_length, uint32_t number);
/* The i-th address; false past the last. */
bool ltcp_host_address(const struct ltcp_host *host, size_t i, struct ltcp_address *out,
                       uint32_t *interface_number);

/* ---- packets, time -----------------------------------------------------------------------------
 */
/* One IP packet arrives; packet->time is when (never later than `now`). The host takes references
 * to the bytes that it keeps; the caller's reference stays the caller's. LTCP_OK, or why the packet
 * was dropped (it is then counted and traced). */
enum ltcp_status ltcp_host_receive(struct ltcp_host *host, ltcp_time now,
                                   struct ltcp_packet *packet);
/* Makes and hands over up to `room` packets, one reference each; 0: nothing to send now. All
 * segments that have arrived should have been passed in before (RFC9293:MUST-58, MUST-59). */
size_t ltcp_host_transmit(struct ltcp_host *host, ltcp_time now, struct ltcp_packet **packets,
                          size_t room);
/* The interfaces (bit i: interface i, below 32) by which bursts may leave as one packet (packet.h),
 * where at most `overhead` octets are added to each TCP segment; none before it is called. What was
 * made before stays as it is. */
void ltcp_host_gather(struct ltcp_host *host, uint32_t interfaces, uint32_t overhead);
/* When ltcp_host_advance is next wanted: LTCP_NEVER when no timer runs. Never later than is right;
 * may be earlier (deadlines are moved lazily). */
ltcp_time ltcp_host_next_deadline(const struct ltcp_host *host);
/* Lets every timer that is due at `now` fire. */
void ltcp_host_advance(struct ltcp_host *host, ltcp_time now);
/* Something waits in ltcp_host_transmit, ltcp_host_next_event. */
bool ltcp_host_has_output(const struct ltcp_host *host);
bool ltcp_host_has_events(const struct ltcp_host *host);

enum ltcp_event_bit {
    LTCP_EVENT_CONNECTED = 1 << 0, /* entered ESTABLISHED (or beyond) */
    LTCP_EVENT_ACCEPT = 1 << 1,    /* a listener has a connection for ltcp_accept */
    LTCP_EVENT_READABLE = 1 << 2,  /* octets, or the end of the stream, can be read */
    LTCP_EVENT_WRITABLE = 1 << 3,  /* room came back in the send buffer */
    LTCP_EVENT_URGENT = 1 << 4, /* RFC9293:MUST-32: urgent data announced, or the pointer moved */
    LTCP_EVENT_PEER_CLOSED = 1 << 5,  /* the peer's FIN was processed */
    LTCP_EVENT_CLOSED = 1 << 6,       /* entered CLOSED; `status` says why, LTCP_OK after a close */
    LTCP_EVENT_ADVICE = 1 << 7,       /* R1 was reached (RFC9293:SHLD-9) */
    LTCP_EVENT_SOFT_ERROR = 1 << 8,   /* `status`: a soft error (RFC9293:MUST-47) */
    LTCP_EVENT_STATE = 1 << 9,        /* the state changed, once or more */
    LTCP_EVENT_SENT = 1 << 10,        /* everything written was acknowledged */
    LTCP_EVENT_USER_TIMEOUT = 1 << 11 /* the peer advertises another one (RFC 5482) */
};
struct ltcp_event {
    ltcp_handle handle;
    uint32_t bits;
    enum ltcp_status status;
};
/* The next connection to which something happened, all of it at once; false: none. */
bool ltcp_host_next_event(struct ltcp_host *host, struct ltcp_event *out);

/* ---- user calls, RFC 9293 section 3.10.1 to 3.10.6
 * ------------------------------------------------ A handle that names nothing gives LTCP_ERR_STALE
 * in all of them. A connection that has died gives the reason (LTCP_ERR_RESET, _REFUSED,
 * _TIMED_OUT, ...). */
#define LTCP_SOURCE_ROUTE_MOST 8
struct ltcp_open {
    struct ltcp_address local;  /* unspecified: chosen by route (RFC9293:MUST-43, MUST-44) */
    struct ltcp_address remote; /* active OPEN only */
    uint16_t local_port;        /* 0: an ephemeral port (RFC 6056) */
    uint16_t remote_port;
    uint32_t backlog;                     /* passive OPEN: at most so many in SYN-RECEIVED and so
                                           * many that wait for ltcp_accept; 0: 128 */
    const struct ltcp_settings *settings; /* copied; NULL: the host's */
    /* Active OPEN over IPv4 only: the routers to pass, in order (RFC9293:MUST-51). Copied. */
    const struct ltcp_address *source_route;
    uint8_t source_route_count; /* at most LTCP_SOURCE_ROUTE_MOST */
    /* Active OPEN by TCP Fast Open (RFC 7413): octets that may leave with the SYN, and reach the
     * other user twice if the network duplicates it (section 6.1). Copied. NULL: not wanted; with
     * a length of 0 only the cookie is asked for or shown. How many were taken is
     * ltcp_info.fast_open_octets: none before a cookie is known; the rest is the user's to
     * write. LTCP_ERR_NOT_SUPPORTED where the setting fast_open_mode forbids it. */
    const void *fast_open;
    size_t fast_open_length;
    /* The user waits to write so many octets in all, those of the SYN among them: what is left of
     * them then goes with the ACK of the SYN-ACK. 0: he does not. */
    size_t fast_open_waiting;
};
/* Active OPEN: the SYN leaves with the next ltcp_host_transmit. LTCP_ERR_ADDRESS for a remote that
 * TCP cannot use (RFC9293:MUST-46), _NO_ROUTE, _CONNECTED (that pair of sockets is taken),
 * _ADDRESS_NOT_AVAILABLE (a local address that is not ours; no ephemeral port left),
 * _AUTHENTICATION (ao_required, and no Master Key Tuple is for that peer). */
enum ltcp_status ltcp_connect(struct ltcp_host *host, ltcp_time now, const struct ltcp_open *open,
                              ltcp_handle *out);
/* Passive OPEN. LTCP_ERR_ADDRESS_IN_USE for a second listener on the same local socket. */
enum ltcp_status ltcp_listen(struct ltcp_host *host, ltcp_time now, const struct ltcp_open *open,
                             ltcp_handle *out);
/* The oldest connection that has reached ESTABLISHED, or was opened at once by Fast Open;
 * LTCP_AGAIN when there is none. */
enum ltcp_status ltcp_accept(struct ltcp_host *host, ltcp_handle listener, ltcp_handle *out);

enum ltcp_write_flag {
    LTCP_WRITE_URGENT = 1 << 0,  /* the octets are urgent (RFC 9293 section 3.8.5) */
    LTCP_WRITE_MORE = 1 << 1,    /* no PUSH: more will follow (RFC9293:MAY-15, MAY-16) */
    LTCP_WRITE_HOLD = 1 << 3,    /* what is less than a segment waits for ltcp_push (TCP_CORK) */
    LTCP_WRITE_BOUNDARY = 1 << 2 /* a record of the user's ends: its last segment takes nothing of
                                  * what follows (MSG_EOR) */
};
/* Queues octets, copied: LTCP_OK with 1 <= *taken <= length; LTCP_AGAIN when the send buffer is
 * full; LTCP_ERR_PIPE after a shutdown. */
enum ltcp_status ltcp_write(struct ltcp_host *host, ltcp_time now, ltcp_handle handle,
                            const void *bytes, size_t length, unsigned flags, size_t *taken);
/* PUSH: what was written with LTCP_WRITE_MORE goes as if its last octet had ended a SEND
 * (RFC9293:MAY-15, MAY-16). */
enum ltcp_status ltcp_push(struct ltcp_host *host, ltcp_time now, ltcp_handle handle);
enum ltcp_read_flag {
    LTCP_READ_PEEK = 1 << 0,
    LTCP_READ_URGENT = 1 << 1 /* the out-of-band octet (urgent_inline off): LTCP_AGAIN while it has
                               * not come, LTCP_ERR_INVALID when there is none */
};
/* LTCP_OK with 1 <= *got <= room; LTCP_AGAIN; LTCP_END once the peer's FIN and all before it were
 * read. Does not read across the urgent mark in one call. */
enum ltcp_status ltcp_read(struct ltcp_host *host, ltcp_time now, ltcp_handle handle, void *out,
                           size_t room, unsigned flags, size_t *got);
/* Half-close: no more SENDs; RECEIVEs go on. */
enum ltcp_status ltcp_shutdown(struct ltcp_host *host, ltcp_time now, ltcp_handle handle);
/* CLOSE of both directions: the user will not read either, so unread or later data is answered with
 * RST (RFC9293:SHLD-3). On a listener: its unaccepted children are reset. */
enum ltcp_status ltcp_close(struct ltcp_host *host, ltcp_time now, ltcp_handle handle);
/* ABORT: buffers dropped, RST sent where the state asks for it. */
enum ltcp_status ltcp_abort(struct ltcp_host *host, ltcp_time now, ltcp_handle handle);
/* FLUSH, section 3.9.1.7 (RFC9293:MAY-14): drops what was written and not yet sent; *dropped says
 * how many octets. */
enum ltcp_status ltcp_flush(struct ltcp_host *host, ltcp_handle handle, size_t *dropped);
/* The user lets go of the handle: the record is freed as soon as the state is CLOSED. A connection
 * that still is open and was not closed lives on as an orphan. */
enum ltcp_status ltcp_release(struct ltcp_host *host, ltcp_handle handle);

/* A connection's own settings. Those that only act at the opening are LTCP_ERR_CONNECTED later. */
enum ltcp_status ltcp_settings_of(const struct ltcp_host *host, ltcp_handle handle,
                                  struct ltcp_settings *out);
enum ltcp_status ltcp_set_settings(struct ltcp_host *host, ltcp_time now, ltcp_handle handle,
                                   const struct ltcp_settings *settings);

/* Why a client's Fast Open came to nothing; numbered as Linux's tcpi_fastopen_client_fail. */
enum ltcp_fast_open_failure {
    LTCP_FAST_OPEN_UNSPECIFIED,
    LTCP_FAST_OPEN_NO_COOKIE, /* none was known */
    LTCP_FAST_OPEN_REFUSED,   /* the SYN-ACK acknowledged less than was sent */
    LTCP_FAST_OPEN_SYN_LOST   /* the same, after the SYN was repeated without */
};

/* Cookies are made under a key of 16 octets, the listener's or (listener 0) the host's; the host
 * begins with one from its secret. One key, or two: the second is only good for validation, and who
 * shows a cookie of it is given a new one (RFC 7413 section 4.1.2). The key's words are read as
 * Linux does, so that equal keys make equal cookies. LTCP_ERR_STALE, _INVALID (length). */
enum ltcp_status ltcp_fast_open_set_keys(struct ltcp_host *host, ltcp_handle listener,
                                         const void *keys, size_t length);
/* A new key of 16 octets; the one in use until now becomes the second. LTCP_ERR_STALE. */
enum ltcp_status ltcp_fast_open_rotate(struct ltcp_host *host, ltcp_handle listener,
                                       const void *key);
/* The keys in use, 16 or 32 octets into `out` (32); returns how many. */
size_t ltcp_fast_open_keys(const struct ltcp_host *host, ltcp_handle listener, void *out);
/* Forgets all cookies of servers, and where Fast Open was refused. */
void ltcp_fast_open_flush(struct ltcp_host *host);
/* What a client remembers of a server (section 4.1.3); false: nothing. `local` may be unspecified:
 * the address that a connection would have. */
struct ltcp_fast_open_memory {
    uint8_t cookie[16], cookie_length; /* 0: none */
    bool experimental;                 /* it came in the experimental option */
    uint16_t mss;                      /* 0: not known */
};
bool ltcp_fast_open_known(struct ltcp_host *host, const struct ltcp_address *local,
                          const struct ltcp_address *remote, struct ltcp_fast_open_memory *out);

/* What a host remembers of the path to `remote` (RFC 1191 section 6.2, RFC 8201 section 5.2);
 * false: nothing, or it is too old. `local` may be unspecified: the address that a connection would
 * have. */
struct ltcp_path_memory {
    uint16_t mtu;
    bool told;         /* by a router; or else found by probing */
    ltcp_time expires; /* LTCP_NEVER: it does not */
};
bool ltcp_path_known(struct ltcp_host *host, ltcp_time now, const struct ltcp_address *local,
                     const struct ltcp_address *remote, struct ltcp_path_memory *out);
/* Forgets all paths. Connections that are open keep what they use. */
void ltcp_path_flush(struct ltcp_host *host);

/* What STATUS says of TCP-AO and TCP MD5 (authentication.h); all but `kind` is 0 without. */
enum ltcp_authentication_kind {
    LTCP_UNAUTHENTICATED,
    LTCP_AUTHENTICATED_MD5,
    LTCP_AUTHENTICATED_AO
};
struct ltcp_authentication_info {
    enum ltcp_authentication_kind kind;
    uint8_t keys; /* MKTs that match the connection */
    uint8_t current_send_id, current_recv_id, rnext_send_id, rnext_recv_id;
    bool received; /* a verified segment came; its fields were: */
    uint8_t received_key_id, received_rnext_key_id;
    uint32_t snd_sne, rcv_sne;
    /* Segments that were verified, and why others were dropped; ICMP errors that were ignored. */
    uint64_t good, bad, missing, key_not_found, unexpected, icmp_ignored;
};

/* STATUS: the variables of RFC 9293 section 3.3.1 and of the algorithms. Windows in octets. */
struct ltcp_info {
    enum ltcp_state state;
    enum ltcp_status error; /* why it died, or a pending soft error */
    struct ltcp_address local, remote;
    uint16_t local_port, remote_port;
    bool passive; /* RFC9293:MUST-11 */
    ltcp_seq iss, snd_una, snd_nxt, snd_up, snd_wl1, snd_wl2;
    ltcp_seq irs, rcv_nxt, rcv_up;
    uint32_t snd_wnd, rcv_wnd, max_snd_wnd;
    uint32_t snd_mss;  /* effective: what a data segment carries (RFC9293:MUST-16) */
    uint32_t rcv_mss;  /* as advertised */
    uint32_t seen_mss; /* the longest text that came in one segment; 0: none yet */
    uint32_t path_mtu;
    bool path_mtu_shared; /* another connection of the same path has learned it */
    /* RFC 4821: while probing, the range that is searched; the probe in flight, 0: none. */
    bool mtu_searching;
    uint32_t mtu_search_low, mtu_search_high, mtu_probe;
    uint32_t mtu_probes, mtu_probe_successes, mtu_probe_failures;
    uint32_t mtu_black_holes; /* timeouts that were held to be for the size of packets */
    uint32_t mtu_refuted;     /* sizes that did not stand the test */
    uint8_t snd_wscale, rcv_wscale;
    bool window_scaling, timestamps, sack; /* agreed in the handshake */
    uint32_t cwnd, ssthresh, pipe;
    uint32_t sacked, lost, retransmitted; /* of what is in flight: SACKed, held to be lost, and of
                                           * that sent again; octets */
    bool in_recovery, in_loss;            /* fast recovery; after a retransmission timeout */
    ltcp_seq recovery_point;
    ltcp_time srtt, rttvar, rto, min_rtt, latest_rtt;
    ltcp_time retransmission_deadline, persist_deadline, delayed_ack_deadline, keepalive_deadline,
        time_wait_deadline;        /* LTCP_NEVER: not running */
    ltcp_time reordering_deadline; /* when RACK holds the next segment to be lost */
    ltcp_time tail_probe_deadline;
    uint32_t backoff; /* how often the timeout has doubled */
    uint32_t duplicate_acks;
    uint32_t unsent, unacked;             /* octets in the send buffer */
    uint32_t unread, out_of_order;        /* octets in the receive buffer; `unread` of a listener:
                                           * connections that wait for ltcp_accept */
    uint32_t send_buffer, receive_buffer; /* what the two may hold now */
    uint32_t send_memory;  /* what counts against send_buffer: octets, and what their pieces cost */
    ltcp_time receive_rtt; /* as a receiver that tunes its buffer sees it; 0: not */
    uint32_t urgent_remaining; /* octets until RCV.UP (RFC9293:MUST-33); 0: none */
    bool fin_sent, fin_acked, fin_received;
    bool accept_deferred; /* its listener kept it until there was data, or too long */
    bool pushed;          /* unread data was pushed by the peer (RFC9293:MAY-17) */
    bool ecn;             /* agreed in the handshake (RFC 3168 or 9768) */
    bool ecn_sending;     /* ... and new data leaves ECN-capable */
    /* The USER TIMEOUT that counts, or R2 by time (0: none); what the peer and we advertised last
     * (RFC 5482; 0: nothing yet); options of its that were ignored for a reserved value. */
    ltcp_time user_timeout, uto_received, uto_sent;
    uint32_t uto_ignored;
    uint32_t flow_label;         /* of what is sent by IPv6 (RFC 6437) */
    uint32_t flow_label_changes; /* after timeouts */
    uint8_t received_dscp;       /* of the newest segment (RFC9293:MAY-9) */
    uint8_t source_route_count;  /* hops of the source route in use */
    const char *congestion;
    struct ltcp_congestion_value congestion_values[LTCP_CONGESTION_VALUES];
    size_t congestion_values_count; /* what the algorithm says of itself */
    uint64_t pacing_rate;           /* octets a second; 0: not paced */
    ltcp_time pacing_deadline;      /* when what is held leaves; LTCP_NEVER: nothing is held */
    uint64_t delivery_rate;         /* octets a second, the newest sample; 0: none */
    bool app_limited;               /* what left when there was too little to send is under way */
    /* counters */
    uint64_t segments_sent, segments_received, bytes_sent, bytes_received, bytes_acked;
    /* With data, repeated ones too; and of all that were sent, those known to have arrived. */
    uint32_t data_segments_sent, data_segments_received, segments_delivered;
    uint64_t segments_retransmitted, bytes_retransmitted, timeouts, fast_recoveries;
    uint64_t duplicate_acks_received, acks_sent, out_of_order_segments, duplicate_segments;
    uint64_t challenge_acks, probes_sent, paws_rejected;
    uint64_t options_ignored; /* that were not agreed, and SACK blocks that cannot be */
    uint64_t ce_received, ece_received, ecn_reductions;
    /* RFC 9768, where it was agreed: what arrived here, and what the peer says arrived there */
    bool accecn;
    bool accecn_option_seen; /* AccECN options come from the peer ... */
    bool accecn_zeroed;      /* ... and are ignored: an initial counter was 0 */
    bool accecn_blocked;     /* ours seem to be lost, and are not sent any more */
    bool accecn_deaf;        /* feedback is not responded to: the ACE field was 0 */
    uint64_t received_ce_bytes, received_ect0_bytes, received_ect1_bytes;
    uint64_t delivered_ce, delivered_ce_bytes, delivered_ect0_bytes, delivered_ect1_bytes;
    /* RFC 8985: RACK and tail loss probes */
    bool rack, reordering_seen;
    uint32_t reorderings; /* acknowledgments that told of reordering */
    uint32_t reordering;  /* segments that one was overtaken by, at most; 0: none seen */
    bool in_cwr;          /* the window was reduced for ECN less than a round trip ago */
    ltcp_time reordering_window;
    uint64_t loss_probes, dsacks_received;
    /* RFC 7413. Of a client, `octets` left with the SYN; of a server, they were taken from it. */
    bool fast_open_asked; /* the SYN asked for a cookie ... */
    bool fast_open_used;  /* ... carried one, or data without */
    bool fast_opened;     /* a server: the connection was open before the handshake's end */
    enum ltcp_fast_open_failure fast_open_failure; /* of a client */
    uint32_t fast_open_octets, fast_open_acked;    /* `acked` by the SYN-ACK */
    uint64_t undos;                                /* reductions that were taken back as spurious */
    uint8_t frto_step;           /* of RFC 5682 section 2.1 that is waited in: 1 or 2; 0: none */
    uint64_t limited_transmits;  /* runs of new data that left on a duplicate ACK (RFC 3042) */
    bool tail_probe_outstanding; /* a tail loss probe is not judged yet */
    /* RFC 9937 section 6, in fast recovery where it acts: RecoverFS, prr_delivered, prr_out. */
    bool prr;
    uint64_t recover_fs, prr_delivered, prr_out;
    uint64_t bytes_lost; /* octets held to be lost, each time they were */
    struct ltcp_authentication_info authentication;
};
enum ltcp_status ltcp_info(const struct ltcp_host *host, ltcp_handle handle, struct ltcp_info *out);

/* The same of what is counted in segments, by a walk over those that are outstanding. */
struct ltcp_outstanding {
    uint32_t segments; /* sent and not acknowledged cumulatively */
    uint32_t sacked, lost, retransmitted;
    uint32_t unanswered; /* timeouts or probes in a row, so far without an answer */
    ltcp_time last_data_sent, last_heard; /* 0: never */
    /* With the setting chronographs: for how long something was to be sent or acknowledged, and how
     * much of that waited for the peer's window, or for the user to write more. */
    ltcp_time busy, window_limited, buffer_limited;
};
enum ltcp_status ltcp_outstanding(const struct ltcp_host *host, ltcp_time now, ltcp_handle handle,
                                  struct ltcp_outstanding *out);

/* Counters of the host: one a reason a packet can be dropped for, and a few more. */
struct ltcp_host_counters {
    uint64_t packets_received, packets_sent;
    uint64_t refused[LTCP_STATUS_COUNT]; /* by the status that ltcp_host_receive gave */
    uint64_t resets_sent, listen_overflows, icmp_ignored;
    uint64_t syn_cookies_sent;     /* SYNs that were answered without keeping anything */
    uint64_t syn_cookies_accepted; /* ... whose ACK came, and made a connection */
    uint64_t syn_cookies_refused;  /* ACKs that no cookie, or one too old, stands behind */
    /* RFC 7413: cookies asked for, connections opened at once, cookies that were not valid, those
     * of the key before the present one, requests beyond the limit of pending ones, options of
     * illegal form or in the wrong place. */
    uint64_t fast_open_requests, fast_open_accepted, fast_open_refusals, fast_open_old_keys;
    uint64_t fast_open_overflows, fast_open_ignored;
    /* Fragments that came; datagrams that became whole, waited too long, or went for want of room;
     * those that overlapped; fragments that would end beyond 65,535 octets, and illegal ones. */
    uint64_t fragments_received, datagrams_reassembled, fragments_timed_out, fragments_evicted;
    uint64_t fragments_overlapping, fragments_oversized, fragments_malformed;
    uint32_t connections, listeners, time_waits;
    uint32_t time_wait_records; /* those of time_waits that are no connections any more */
    uint64_t time_waits_cut;    /* that ended at once, since there were time_wait_most already */
    /* Options that were ignored: of an illegal length, in the wrong place, more than once, with a
     * value that cannot be. */
    uint64_t options_malformed, options_misplaced, options_repeated, options_invalid;
    uint64_t accepts_deferred; /* connections that were kept from accept for want of data */
    uint64_t paths_shared;     /* connections that began with a path MTU found by another one */
    uint64_t device_dropped;   /* packets that its own device had no room for (device_full) */
    uint32_t orphans;          /* that their users have closed, and that are not over */
    uint64_t orphans_cut;      /* reset at their closing, since there were orphans_most already */
    /* What all connections hold in their queues, in octets of data, and what its limits (the
     * settings memory_low, memory_pressure, memory_most) have cost: how often the pressure began,
     * windows that did not grow, octets out of order that were given up, octets that were not kept,
     * connection requests that were not answered, orphans that were reset. */
    uint64_t memory;
    bool memory_pressed;
    uint64_t memory_pressures, memory_windows_held, memory_pruned, memory_dropped, memory_refused,
        memory_orphans_ended;
};
const struct ltcp_host_counters *ltcp_host_counters(const struct ltcp_host *host);

/* In checked builds (LTCP_CHECK): the first broken invariant of any connection as a sentence, or
 * NULL. Always NULL in others. */
const char *ltcp_host_check(const struct ltcp_host *host);
/* The same, and which connection it is (0: one that is gone). Looks at up to 64 connections a call,
 * in turn. */
const char *ltcp_host_check_next(struct ltcp_host *host, ltcp_handle *connection);

/* A digest of everything that can matter for what the host does from `now` on: two hosts with the
 * same digest answer the same packets and calls alike, after the same times. Counters, and what
 * only ltcp_info tells, are left out; handles are in it. */
uint64_t ltcp_host_digest(const struct ltcp_host *host, ltcp_time now);

/* Changes of state so far: the bit 1 << `to` of the mask of those from `from`. A passive OPEN is
 * the change from CLOSED to LISTEN. */
uint32_t ltcp_host_changes(const struct ltcp_host *host, enum ltcp_state from);
/* Whether section 3.10 names that change, its text and not only its figure 5. */
bool ltcp_state_change_is_named(enum ltcp_state from, enum ltcp_state to);

#ifdef __cplusplus
}
#endif
#endif
