/* core/host/host.h
 *
 * What a host keeps: the demultiplexer, listeners, handles, deadlines, interfaces, queues of what
 * waits for the owner. Internal to the core. */
#ifndef LUNATCP_HOST_HOST_H
#define LUNATCP_HOST_HOST_H

#include "host/reassembly_ip.h"
#include "tcp/connection.h"
#include "wire/extension.h"
#include "wire/scope.h"

struct digest;

#define FAST_OPEN_KEY 16 /* octets */
struct ltcp_fast_open_keys {
    uint8_t keys[2][FAST_OPEN_KEY]; /* the one in use, and the one before it */
    uint32_t count;
};

/* children.c: handles of connections that are half open, and of some that were. */
#define LTCP_CHILDREN_FEW 8
struct ltcp_children {
    ltcp_handle *list; /* NULL: they are in `few` */
    uint32_t count, room;
    bool incomplete; /* there was no memory for one */
    ltcp_handle few[LTCP_CHILDREN_FEW];
};

struct ltcp_listener {
    struct ltcp_listener *next, *previous; /* of all */
    struct ltcp_listener *next_here;       /* of its bucket */
    struct ltcp_host *host;
    struct ltcp_share *share;
    ltcp_handle handle;
    struct ltcp_address local;
    uint16_t local_port;
    uint32_t backlog, half_open, waiting;
    ltcp_time cookies_until; /* ACKs of SYN cookies may come as long; 0: none was sent */
    struct ltcp_connection *accept_first, *accept_last;
    struct ltcp_children children;
    struct ltcp_listener *next_event, *previous_event;
    uint32_t fast_open_pending;                  /* PendingFastOpenRequests, RFC 7413 section 4.2 */
    uint32_t fast_open_resets, fast_open_before; /* of them reset lately, and the period before */
    ltcp_time fast_open_since;                   /* when the present period began */
    struct ltcp_fast_open_keys fast_open_keys;   /* count 0: the host's */
    uint32_t events;
    bool queued_event;
};

struct ltcp_local_address {
    struct ltcp_address address;
    uint32_t interface;
    uint8_t prefix_length; /* out of 128 */
};
struct ltcp_route {
    struct ltcp_address prefix;
    uint32_t interface;
    uint8_t prefix_length; /* out of 128 */
};
struct ltcp_interface {
    uint32_t mtu, least_mtu; /* now, and ever */
};

/* What is left of an allowance of ICMP errors. */
struct ltcp_error_rate {
    ltcp_time since, tokens;
    bool started;
};

/* What a handle's low half names, in one word. In use: the object, which knows its own handle; bit
 * 0 is set, and bit 1 for a listener. Free: the next generation above 32 bits, and the next free
 * slot (its number + 1, doubled; 0: none). */
struct ltcp_slot {
    uint64_t word;
};
enum ltcp_slot_kind { LTCP_SLOT_CONNECTION = 1, LTCP_SLOT_LISTENER = 3 };

/* The keys of SYN cookies in a period and in the one before. */
struct ltcp_cookie_keys {
    uint64_t period;
    struct ltcp_siphash_key now, before;
    bool known;
};
/* Those whose connections are over, by the whole of the hash that they are a part of. */
#define SPENT_IN_A_GROUP 4
struct ltcp_spent_cookies {
    uint64_t groups[256][SPENT_IN_A_GROUP];
};

struct ltcp_host {
    struct ltcp_engine engine;
    struct ltcp_share *share;
    struct ltcp_siphash_key secret;
    struct ltcp_fast_open_keys fast_open_keys;

    struct ltcp_interface *interfaces;
    struct ltcp_local_address *addresses;
    struct ltcp_route *routes;
    uint32_t interface_count, address_count, route_count;

    struct ltcp_flow **buckets;
    uint32_t bucket_mask, flow_count;
    struct ltcp_flow *last_flow; /* found last: bursts are for one connection; NULL: none */
    struct ltcp_listener *listeners, **listener_buckets;
    uint32_t listener_mask;
    struct ltcp_slot *slots;
    uint32_t slot_capacity, free_slot; /* free_slot: slot + 1; 0: none */

    struct ltcp_listener *listener_event_first, *listener_event_last;
    struct ltcp_partials partials;
    struct ltcp_error_rate icmp_errors;
    ltcp_time paths_walk; /* when the connections of a path may be looked for again (paths.c) */
    uint64_t port_counter;
    uint32_t half_open;               /* of all listeners */
    uint32_t time_wait_records;       /* small ones, those that stand aside as well */
    struct ltcp_cookie_keys cookie;   /* syn_cookies.c */
    struct ltcp_spent_cookies *spent; /* NULL: none yet */
    uint32_t check_from;              /* the slot that ltcp_host_check_next begins with */
    struct ltcp_host_counters counters;
};

/* host.c: LISTEN, or CLOSED where nobody listens, RFC 9293 sections 3.10.7.2 and 3.10.7.1. */
enum ltcp_status segment_to_listener(struct ltcp_host *host, struct ltcp_arrival *a);
/* Looks at what opened or died during a call, and frees what nobody refers to any more;
 * nothing is freed under its own feet. Every call that can change a connection ends with it. */
void host_settle_changed(struct ltcp_host *host);
static inline void host_settle(struct ltcp_host *host)
{
    if (host->engine.changed != NULL) host_settle_changed(host);
}
struct ltcp_connection *host_connection_create(struct ltcp_host *host, struct ltcp_share *share);
void host_connection_destroy(struct ltcp_host *host, struct ltcp_connection *c);

/* handles.c */
/* A name for the object, to be kept in it; 0: no memory. */
ltcp_handle handle_create(struct ltcp_host *host, void *object, enum ltcp_slot_kind kind);
void handle_destroy(struct ltcp_host *host, ltcp_handle handle);
/* What stands in the i-th slot, if it is a connection; NULL. */
static inline struct ltcp_connection *slot_connection(const struct ltcp_host *host, uint32_t i)
{
    const uint64_t word = host->slots[i].word;
    return (word & 3) == LTCP_SLOT_CONNECTION ? (struct ltcp_connection *)(uintptr_t)(word - 1)
                                              : NULL;
}
/* Also one that its user has let go. */
struct ltcp_connection *handle_any(const struct ltcp_host *host, ltcp_handle handle);
struct ltcp_connection *handle_connection(const struct ltcp_host *host, ltcp_handle handle);
struct ltcp_listener *handle_listener(const struct ltcp_host *host, ltcp_handle handle);

/* demultiplexer.c */
bool demultiplexer_add(struct ltcp_host *host, struct ltcp_flow *flow);
void demultiplexer_remove(struct ltcp_host *host, struct ltcp_flow *flow);
/* Puts one flow into the place of another of the same sockets; false: that one is not there. */
bool demultiplexer_replace(struct ltcp_host *host, struct ltcp_flow *old, struct ltcp_flow *flow);
struct ltcp_flow *demultiplexer_find(struct ltcp_host *host, const struct ltcp_address *local,
                                     uint16_t local_port, const struct ltcp_address *remote,
                                     uint16_t remote_port);
/* What a flow is a part of; its first member. */
static inline struct ltcp_connection *flow_connection(struct ltcp_flow *flow)
{
    return flow != NULL && flow->kind == LTCP_FLOW_CONNECTION ? (struct ltcp_connection *)flow
                                                              : NULL;
}
static inline struct ltcp_time_wait *flow_time_wait(struct ltcp_flow *flow)
{
    return flow != NULL && flow->kind == LTCP_FLOW_TIME_WAIT ? (struct ltcp_time_wait *)flow : NULL;
}

/* listener_table.c */
bool listener_add(struct ltcp_host *host, struct ltcp_listener *l); /* false: no memory */
void listener_remove(struct ltcp_host *host, struct ltcp_listener *l);
void listener_table_free(struct ltcp_host *host);
/* Something to tell the user; and no more. */
void listener_event(struct ltcp_listener *l, uint32_t bits);
void listener_forget_event(struct ltcp_listener *l);
/* On that very address. */
struct ltcp_listener *listener_at(const struct ltcp_host *host, const struct ltcp_address *local,
                                  uint16_t port);
/* Whose a segment to that address is. */
struct ltcp_listener *listener_find(const struct ltcp_host *host, const struct ltcp_address *local,
                                    uint16_t port);
/* listeners.c: SEGMENT ARRIVES in LISTEN, RFC 9293 section 3.10.7.2. */
enum ltcp_status listener_segment_arrives(struct ltcp_listener *listener, struct ltcp_arrival *a);
/* A connection in SYN-RECEIVED for the SYN that arrived. */
enum ltcp_status listener_open_child(struct ltcp_listener *listener, struct ltcp_arrival *a,
                                     struct ltcp_connection **out);
/* A child entered ESTABLISHED, or died before. */
void listener_child_ready(struct ltcp_connection *child);
void listener_child_gone(struct ltcp_connection *child);
/* One can be accepted. */
void listener_offer_child(struct ltcp_listener *listener, struct ltcp_connection *child);
void listener_close(struct ltcp_listener *listener, ltcp_time now);

/* children.c */
/* One more is half open; none is any more. */
void children_add(struct ltcp_listener *listener, const struct ltcp_connection *child);
void children_none(struct ltcp_listener *listener);
void children_free(struct ltcp_listener *listener);
/* All that nobody has accepted, the oldest that are half open first; the listener ends with it. */
void children_drop(struct ltcp_listener *listener, ltcp_time now,
                   void (*drop)(struct ltcp_connection *, ltcp_time));

/* time_wait.c */
/* The record of a connection that is in TIME-WAIT, and that nobody else looks at, becomes small. */
void time_wait_fold(struct ltcp_host *host, struct ltcp_connection *c);
enum ltcp_status time_wait_segment_arrives(struct ltcp_host *host, struct ltcp_time_wait *w,
                                           struct ltcp_arrival *a);
/* The same of a connection that is in TIME-WAIT; false: the SYN, or whatever it is, opens nothing
 * new. */
bool time_wait_gives_way(struct ltcp_host *host, struct ltcp_connection *c, struct ltcp_arrival *a,
                         enum ltcp_status *status);
/* What an active OPEN needs to know to come after it; false: it stays. */
bool time_wait_makes_room(struct ltcp_host *host, struct ltcp_flow *flow, ltcp_time now,
                          ltcp_seq *beyond);
void time_wait_expire(struct ltcp_host *host, struct ltcp_time_wait *w, ltcp_time now);
/* RFC9293:MAY-2: a connection that a SYN brought forth is established, and the TIME-WAIT before it
 * ends; or the SYN was an old one, and it comes back. */
void time_wait_settle(struct ltcp_host *host, struct ltcp_connection *c);
void time_wait_digest(struct digest *d, const struct ltcp_time_wait *w, ltcp_time now);
/* Out of all tables, and freed; or freed only. */
void time_wait_end(struct ltcp_host *host, struct ltcp_time_wait *w);
void time_wait_free(struct ltcp_host *host, struct ltcp_time_wait *w);

/* syn_cookies.c, RFC 4987 section 3.6 */
/* Answers a SYN without keeping anything of it. */
enum ltcp_status syn_cookie_answer(struct ltcp_listener *listener, const struct ltcp_arrival *a);
/* An ACK reached LISTEN: true when it returns one of our cookies and has been dealt with. */
bool syn_cookie_returns(struct ltcp_listener *listener, struct ltcp_arrival *a,
                        enum ltcp_status *status);
/* A connection is over, for hosts that have made cookies: if it was one's, that is good no more. */
void syn_cookie_spend(struct ltcp_host *host, const struct ltcp_connection *c);

/* addressing.c */
const struct ltcp_route *route_find(const struct ltcp_host *host, const struct ltcp_address *to);
/* Gives a link-local address without a zone the only one there can be; false: there are several. */
bool address_give_zone(const struct ltcp_host *host, struct ltcp_address *address);
bool address_is_local(const struct ltcp_host *host, const struct ltcp_address *address);
bool address_is_broadcast(const struct ltcp_host *host, const struct ltcp_address *address);
/* The source address for a destination; false: none. */
bool address_choose(const struct ltcp_host *host, const struct ltcp_address *to,
                    struct ltcp_address *out, uint32_t *interface);
/* One that TCP may talk to (RFC9293:MUST-46, MUST-57, MUST-63). */
bool address_is_peer(const struct ltcp_host *host, const struct ltcp_address *address);

/* ports.c, RFC 6056; isn.c, RFC 6528 */
bool port_choose(struct ltcp_host *host, const struct ltcp_address *local,
                 const struct ltcp_address *remote, uint16_t remote_port, uint16_t *out);
ltcp_seq isn_choose(const struct ltcp_host *host, const struct ltcp_flow *flow,
                    const struct ltcp_settings *settings, ltcp_time now);
/* The first timestamp value of a connection. */
uint32_t timestamp_choose(const struct ltcp_host *host, const struct ltcp_flow *flow,
                          const struct ltcp_settings *settings, ltcp_time now);
/* Interface, MTUs, ISN and first timestamp of a connection whose flow is known; `syn`: what brings
 * it forth, which may say where the ISN has to lie. */
void host_connection_start(struct ltcp_host *host, struct ltcp_connection *c, ltcp_time now,
                           uint32_t interface, const struct ltcp_arrival *syn);

/* replies.c: segments that no connection sends */
/* <SEQ=SEG.ACK><CTL=RST> or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, RFC 9293 section 3.10.7.1.
 */
void reply_reset(struct ltcp_host *host, const struct ltcp_arrival *a);

/* Link-local addresses of a packet that came belong to the link it came by. */
static inline void ip_give_zone(struct ltcp_ip *ip, const struct ltcp_packet *packet)
{
    scope_set(&ip->source, packet->interface);
    scope_set(&ip->destination, packet->interface);
}

/* extensions.c: makes a packet that ltcp_ip_decode gave `why` for one that it can read: fragments
 * joined, extension headers taken off where they fill the head. *whole is a reference, or NULL
 * where the packet is kept or dropped; the result says which. */
enum ltcp_status packet_mend(struct ltcp_host *host, ltcp_time now, struct ltcp_packet *packet,
                             enum ltcp_status why, struct ltcp_packet **whole);

/* options.c: counts what is illegal of the options of these kinds, or of any. */
#define LTCP_OPTIONS_LOOKED_AT                                                                     \
    (LTCP_HAS_MSS | LTCP_HAS_WINDOW_SCALE | LTCP_HAS_SACK_PERMITTED | LTCP_HAS_MALFORMED |         \
     LTCP_HAS_REPEATED | LTCP_HAS_FAST_OPEN | LTCP_HAS_BAD_FAST_OPEN)
void options_look(struct ltcp_host *host, const struct ltcp_segment *s);

/* authentication.c */
/* A segment that carries one of these, or arrives where keys are, is looked at before all else. */
#define LTCP_SIGNATURES (LTCP_HAS_MD5 | LTCP_HAS_AO | LTCP_HAS_MALFORMED)
enum ltcp_status authentication_admit(struct ltcp_host *host, const struct ltcp_arrival *a);
/* Whether ao_required forbids a connection, because no Master Key Tuple is for its flow. */
bool authentication_lacks_ao(const struct ltcp_host *host, const struct ltcp_settings *s,
                             const struct ltcp_flow *flow);
/* The same of what arrives for a listener (where there is a tuple it is verified by then); counted
 * as a signature that is missing. */
bool authentication_required_is_missing(struct ltcp_host *host, const struct ltcp_settings *s,
                                        const struct ltcp_arrival *a);
/* Whether keys are for the pair of sockets of `a`: then it is never answered by a SYN cookie. */
bool authentication_applies(const struct ltcp_host *host, const struct ltcp_arrival *a);
/* Options of a reset in answer to `a`: how many octets. If any, it is signed once it is made. */
uint8_t authentication_reply_options(struct ltcp_host *host, const struct ltcp_arrival *a,
                                     uint8_t out[40]);
void authentication_reply_sign(struct ltcp_host *host, const struct ltcp_arrival *a,
                               struct ltcp_packet *packet);

/* icmp.c: errors, as the rules allow them (RFC 1122 section 3.2.2, RFC 4443 section 2.4) */
/* Tells the sender that nobody here takes its protocol, or its port. */
void icmp_refuse(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                 const struct ltcp_ip *ip);
/* A parameter problem of IPv6, RFC 4443 section 3.4. */
void icmp_complain(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                   const struct ltcp_ip *ip, uint8_t code, uint32_t pointer);
void icmp_complain_of_extension(struct ltcp_host *host, ltcp_time now,
                                const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                const struct ltcp_extensions *x);
/* `packet` is the first fragment of what did not become whole. */
void icmp_time_exceeded(struct ltcp_host *host, ltcp_time now, const struct ltcp_packet *packet,
                        const struct ltcp_ip *ip);
void icmp_digest(struct digest *d, const struct ltcp_host *host, ltcp_time now);
enum ltcp_status icmp_arrives(struct ltcp_host *host, ltcp_time now,
                              const struct ltcp_packet *packet, const struct ltcp_ip *ip);

#endif
