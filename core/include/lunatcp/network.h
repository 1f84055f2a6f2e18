/* core/include/lunatcp/network.h
 *
 * A network of hosts, routers, peers and links, moved by one event queue ordered by (time,
 * insertion). It knows no clock: the owner says up to which time to go, in virtual time the next
 * event's, in real time the clock's. Nothing is called back: ltcp_network_step returns whenever the
 * owner has something to decide or to see. */
#ifndef LUNATCP_NETWORK_H
#define LUNATCP_NETWORK_H

#include "lunatcp/host.h"
#include "lunatcp/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- impairments: one direction of a link ------------------------------------------------------
 * A path takes (now, packet) and gives back packets and a deadline, and knows no event queue; links
 * of a network, the mouths of tunnels and a proxy use the same ones. Every chance is drawn from the
 * stream (seed, purpose) at the packet's index on this path, so that purposes do not disturb each
 * other. Probabilities are out of 2^32. */
#define LTCP_CERTAIN (UINT64_C(1) << 32)

enum ltcp_loss_model {
    LTCP_LOSS_NONE,
    LTCP_LOSS_BERNOULLI, /* each packet with probability `loss` */
    LTCP_LOSS_GILBERT,   /* Gilbert-Elliott: see below */
    LTCP_LOSS_LIST,      /* the packets whose indices (from 1) are listed */
    LTCP_LOSS_PERIODIC   /* pattern[(index - 1) mod length] */
};

struct ltcp_path_config {
    ltcp_time delay;  /* of propagation */
    ltcp_time jitter; /* uniform in [0, jitter] is added; order is kept unless jitter_reorders */
    bool jitter_reorders;
    uint64_t rate; /* bits a second of IP packets; 0: unlimited */
    /* Delivery opportunities of a Mahimahi trace: milliseconds, ascending, each lets 1,504 octets
     * pass, where a packet counts for 4 more than its length (the header of Mahimahi's TUN device);
     * the trace begins when the link is made (a path by itself: with its first packet) and repeats
     * after its last entry. Copied. NULL: `rate` counts. */
    const uint32_t *opportunities;
    size_t opportunity_count;
    /* Limits of the queue before the rate; 0: none. Drop-tail counts the packet whose bits are just
     * leaving too, the managed queues do not. */
    uint32_t queue_packets;
    uint32_t queue_bytes;
    /* What kind of queue it is; all zero: drop-tail. Of another kind it begins empty: what waited
     * leaves before it, in order, as a drop-tail queue would have let it. */
    struct ltcp_queue_config queue;
    /* 0: no limit. Longer packets vanish: a black hole. (A router answers too-big by the mtu of the
     * link that a packet would leave by.) */
    uint32_t mtu;
    enum ltcp_loss_model loss_model;
    bool loss_after_queue; /* lost after the bottleneck instead of before it */
    uint64_t loss;
    /* Gilbert-Elliott: good to bad, bad to good, loss in good, loss in bad. The first packet finds
     * the good state; each meets the loss of the state that it finds, then the state may change. */
    uint64_t gilbert_bad, gilbert_good, gilbert_loss_good, gilbert_loss_bad;
    const uint64_t *loss_list;   /* ascending; copied */
    const uint8_t *loss_pattern; /* octets 0 or 1; copied */
    size_t loss_count;           /* of list or pattern */
    uint64_t duplicate;          /* probability; the copy follows at once */
    uint64_t mark;               /* probability that CE is set, if the packet is ECN-capable */
    uint64_t corrupt;            /* probability */
    uint32_t corrupt_bits;       /* length of the burst, 1 to 15: any such burst changes a checksum;
                                  * more is allowed and may slip through. 0: 1 */
    uint64_t reorder;            /* probability that a packet is held back by reorder_delay */
    ltcp_time reorder_delay;
    uint64_t seed;   /* 0 in ltcp_path_configure: seed and stream stay as they were */
    uint64_t stream; /* names this path among those under one seed */
};

/* What befalls one packet. A rule's verdict, or what the chances said. */
struct ltcp_fate {
    bool drop;
    uint32_t duplicates;       /* further copies */
    ltcp_time delay;           /* on top of the link's; may reorder */
    ltcp_time duplicate_delay; /* of the copies, on top of `delay` */
    uint32_t corrupt_bits;     /* a burst of so many bits somewhere in the packet; 0: none */
    bool mark;                 /* CE is set, if the packet is ECN-capable (not ECT: it is let be) */
};

struct ltcp_path;
enum ltcp_status ltcp_path_create(struct ltcp_pool *pool, const struct ltcp_path_config *config,
                                  struct ltcp_path **out);
void ltcp_path_destroy(struct ltcp_path *path);
/* Changes what is configured; what is under way goes on. Counters and indices are kept. */
enum ltcp_status ltcp_path_configure(struct ltcp_path *path, const struct ltcp_path_config *config);
const struct ltcp_path_config *ltcp_path_configuration(const struct ltcp_path *path);
void ltcp_path_set_up(struct ltcp_path *path, bool up); /* down: everything pushed is dropped */
/* The packet enters (a reference is taken if it stays). `forced` is a rule's verdict, put before
 * the path's own chances, or NULL. Returns why it was dropped, or LTCP_DROP_NONE. `serial` orders
 * packets that leave at the same time and must grow from call to call. */
enum ltcp_drop ltcp_path_push(struct ltcp_path *path, ltcp_time now, struct ltcp_packet *packet,
                              const struct ltcp_fate *forced, uint64_t serial);
ltcp_time ltcp_path_deadline(const struct ltcp_path *path); /* LTCP_NEVER: empty */
/* Serial of the packet that the deadline is about: with the deadline it orders paths. */
uint64_t ltcp_path_serial(const struct ltcp_path *path);
/* The next packet that leaves at or before `now`, its reference passed on; NULL: none. *reason is
 * not LTCP_DROP_NONE for one that was dropped inside (loss_after_queue, a managed queue) and must
 * not be delivered. */
struct ltcp_packet *ltcp_path_pop(struct ltcp_path *path, ltcp_time now, enum ltcp_drop *reason);
struct ltcp_path_counters {
    uint64_t packets, bytes; /* that entered */
    uint64_t delivered, delivered_bytes;
    uint64_t dropped[LTCP_DROP_COUNT];
    uint64_t duplicated, corrupted, delayed;
    uint64_t marked; /* CE set by chance, by a rule, or by the queue */
    uint32_t queued_packets, queued_bytes, greatest_queue_packets, greatest_queue_bytes;
    struct ltcp_queue_counters queue; /* of the path's queue, whatever kind it was */
};
const struct ltcp_path_counters *ltcp_path_counters(const struct ltcp_path *path);
void ltcp_path_queue_state(const struct ltcp_path *path, ltcp_time now,
                           struct ltcp_queue_state *out);

/* ---- rules: said as data, evaluated in C
 * --------------------------------------------------------- The first rule of a link that matches a
 * packet and answers wins. */
enum ltcp_rule_action {
    LTCP_RULE_FATE, /* `fate` */
    LTCP_RULE_ASK   /* the owner decides: LTCP_STEP_VERDICT */
};
enum ltcp_rule_first { LTCP_ANY, LTCP_FIRST_ONLY, LTCP_RETRANSMISSION_ONLY };
struct ltcp_rule {
    int direction;                          /* 0: from the link's end 0, 1: from end 1, -1: both */
    uint16_t flags_set, flags_clear;        /* enum ltcp_flag */
    uint32_t length_min, length_max;        /* of the TCP payload; max 0: no limit */
    bool empty;                             /* only segments without payload */
    uint16_t source_port, destination_port; /* 0: any */
    bool match_seq, match_ack; /* the segment holds octet `seq`; its ack field is `ack` */
    ltcp_seq seq, ack;
    enum ltcp_rule_first first; /* none, or some, of its octets were on this link before */
    bool tcp_only;              /* set when any TCP field above is asked for */
    uint64_t nth;               /* only the n-th match, from 1; 0: all */
    uint64_t every;             /* each n-th match; 0: all */
    uint64_t times;             /* at most so many matches; 0: no limit */
    uint64_t chance;            /* out of 2^32; 0: always */
    enum ltcp_rule_action action;
    struct ltcp_fate fate;
};

/* ---- the network
 * ---------------------------------------------------------------------------------- */
struct ltcp_network;
struct ltcp_network_config {
    struct ltcp_pool *pool;   /* outlives the network */
    struct ltcp_trace *trace; /* NULL, or outlives it */
    uint64_t seed;
    ltcp_time start;
};
struct ltcp_network *ltcp_network_create(const struct ltcp_network_config *config);
/* Not the hosts: they are their owner's, and may go before or after. */
void ltcp_network_destroy(struct ltcp_network *network);
ltcp_time ltcp_network_now(const struct ltcp_network *network);

/* Nodes and links are numbered from 0 each. */
#define LTCP_NOWHERE UINT32_MAX
enum ltcp_status ltcp_network_add_host(struct ltcp_network *network, struct ltcp_host *host,
                                       uint32_t *node);
/* A router forwards by its routes, decrements the TTL (RFC 1812), and answers with ICMP: time
 * exceeded, too big, unreachable. */
enum ltcp_status ltcp_network_add_router(struct ltcp_network *network, uint32_t *node);
/* An end with no TCP behind it: what arrives waits for ltcp_network_peer_receive. */
enum ltcp_status ltcp_network_add_peer(struct ltcp_network *network, uint32_t *node);

struct ltcp_link_end {
    uint32_t node;                    /* LTCP_NOWHERE: the outside, reached through a tunnel */
    struct ltcp_address addresses[2]; /* of the node on this link */
    uint8_t prefix_lengths[2];
    uint8_t address_count;
    struct ltcp_path_config path; /* from this end to the other; seed 0: the network's own stream */
};
struct ltcp_link_config {
    struct ltcp_link_end end[2];
    uint32_t mtu; /* of both nodes' interfaces; 0: 1500 */
    /* Packets that come out of a path leave by ltcp_network_exit instead of reaching the other
     * end's node; what the tunnel brings back comes in by ltcp_network_enter. Both ends may be
     * outside (a proxy): then what enters, always impaired, leaves by the same direction's exit. */
    bool tunnel;
};
/* Makes an interface with those addresses on each host and a subnet route on each node. */
enum ltcp_status ltcp_network_add_link(struct ltcp_network *network,
                                       const struct ltcp_link_config *config, uint32_t *link);
/* For hosts this is ltcp_host_add_route on the link's interface. */
enum ltcp_status ltcp_network_add_route(struct ltcp_network *network, uint32_t node,
                                        const struct ltcp_address *destination,
                                        uint8_t prefix_length, uint32_t link);
struct ltcp_path *ltcp_network_path(struct ltcp_network *network, uint32_t link,
                                    unsigned direction);
enum ltcp_status ltcp_network_set_mtu(struct ltcp_network *network, uint32_t link, uint32_t mtu);
/* Interface number of a host on a link; LTCP_NOWHERE. And back. */
uint32_t ltcp_network_interface(const struct ltcp_network *network, uint32_t node, uint32_t link);

enum ltcp_status ltcp_network_add_rule(struct ltcp_network *network, uint32_t link,
                                       const struct ltcp_rule *rule, uint32_t *id);
enum ltcp_status ltcp_network_remove_rule(struct ltcp_network *network, uint32_t link, uint32_t id);
/* How often it matched, and answered (those that `nth` and the like let through). */
enum ltcp_status ltcp_network_rule_counts(const struct ltcp_network *network, uint32_t link,
                                          uint32_t id, uint64_t *matched, uint64_t *answered);

/* ---- choices: what befalls the first packets, said one by one -----------------------------------
 * The packets that enter links, in order, whichever link it is, meet the fates that `script` names
 * by their index in `fates`; from then on and up to the packet `depth` the owner is asked, by
 * LTCP_STEP_VERDICT with the rule 0, before each. A fate that does nothing leaves the packet to the
 * link's rules, as does no answer. Both arrays are copied; LTCP_ERR_INVALID: more than
 * LTCP_MOST_CHOICES fates, an index past them, figures that make no sense. */
#define LTCP_MOST_CHOICES 16
struct ltcp_choices {
    const struct ltcp_fate *fates;
    size_t fate_count;
    const uint8_t *script;
    uint32_t length, depth;
};
enum ltcp_status ltcp_network_choose(struct ltcp_network *network,
                                     const struct ltcp_choices *choices);
/* Answers the question that was asked by the fate of that index. */
enum ltcp_status ltcp_network_answer_choice(struct ltcp_network *network, uint8_t index);
/* How many packets have met a choice or a question. */
uint32_t ltcp_network_choices_made(const struct ltcp_network *network);
/* A digest of everything that can matter for what happens from now on: hosts, routers and peers,
 * what is under way and what waits, timers and alarms, each as seen from now. Counters, numbers of
 * packets and ids of alarms are left out, and what the owner knows. */
uint64_t ltcp_network_digest(const struct ltcp_network *network);

/* ---- going on
 * ---------------------------------------------------------------------------------------- */
enum ltcp_step {
    LTCP_STEP_IDLE,   /* nothing will ever happen again by itself; now == limit, unless the limit
                       * is LTCP_NEVER */
    LTCP_STEP_LIMIT,  /* the next event lies after `limit`; now == limit */
    LTCP_STEP_EVENTS, /* the host `node` has events for ltcp_host_next_event; again and again, until
                       * all of them were taken */
    LTCP_STEP_PEER,   /* the peer `node` has packets for ltcp_network_peer_receive; once for each
                       * time that some came */
    LTCP_STEP_ALARM,  /* the alarm `id` is due */
    LTCP_STEP_VERDICT, /* `packet` meets the rule `id` on `link` in `direction`: answer first */
    LTCP_STEP_EXIT,    /* packets wait in ltcp_network_exit of `link`, `direction` */
    LTCP_STEP_TRACE,   /* a listened-to trace record was written (ltcp_network_listen) */
    LTCP_STEP_EVENTS_LIMIT, /* `max_events` or more were processed: all of a moment go together */
    LTCP_STEP_BROKEN /* checked builds: `broken` is no longer true of the host `node`, and of its
                      * connection `id` (0: one that is gone); from now on at every step */
};
struct ltcp_step_detail {
    uint32_t node, link, direction;
    uint64_t id;
    struct ltcp_packet *packet; /* borrowed until ltcp_network_answer */
    bool first;                 /* VERDICT: none of its octets was on this link before */
    const char *broken;         /* BROKEN: the invariant */
    ltcp_time time;             /* BROKEN: since when */
};
/* Goes on to `limit` at the most, at most `max_events` of its events (0: no bound), and returns at
 * the first thing that concerns the owner. Time stands at that thing's time. Collects what hosts
 * have to send first; call ltcp_network_touch for a host after each user call on it. */
enum ltcp_step ltcp_network_step(struct ltcp_network *network, ltcp_time limit, uint64_t max_events,
                                 struct ltcp_step_detail *detail);
void ltcp_network_touch(struct ltcp_network *network, uint32_t node);
/* Real time has gone on while nobody stepped: what was touched, sent or let in since then happens
 * now, and not at the time of the last step. Passes over nothing that is due before; never goes
 * back. */
void ltcp_network_catch_up(struct ltcp_network *network, ltcp_time now);
/* Time of the next event, as far as is known without going on; LTCP_NEVER: none. */
ltcp_time ltcp_network_next_deadline(struct ltcp_network *network);
/* After LTCP_STEP_VERDICT: what becomes of the packet; `fate` NULL: this rule does not answer,
 * later rules are asked, as they are when the next step comes without an answer. LTCP_ERR_INVALID:
 * no packet waits, or the fate's figures make no sense. */
enum ltcp_status ltcp_network_answer(struct ltcp_network *network, const struct ltcp_fate *fate);
/* Trace kinds (bits) whose records end a step with LTCP_STEP_TRACE. */
void ltcp_network_listen(struct ltcp_network *network, uint32_t mask);

/* Alarms share the event queue: tasks sleep by them. `id` is the owner's; setting it again moves
 * the alarm. LTCP_NEVER cancels it. */
enum ltcp_status ltcp_network_set_alarm(struct ltcp_network *network, ltcp_time when, uint64_t id);
void ltcp_network_cancel_alarm(struct ltcp_network *network, uint64_t id);

/* A peer, or a script on behalf of any node, puts a packet on the node's way out: by its routes (a
 * peer with one link needs none), or by `link` when that is not LTCP_NOWHERE. It enters the link
 * with the next step. A reference is taken. LTCP_ERR_NO_ROUTE; LTCP_ERR_NO_BUFFERS when 65,536
 * packets wait for the next step. */
enum ltcp_status ltcp_network_send(struct ltcp_network *network, uint32_t node, uint32_t link,
                                   struct ltcp_packet *packet);
struct ltcp_packet *ltcp_network_peer_receive(struct ltcp_network *network, uint32_t node);
/* Puts a packet into a link's direction as if it had come from its sending end: forged segments. */
enum ltcp_status ltcp_network_inject(struct ltcp_network *network, uint32_t link,
                                     unsigned direction, struct ltcp_packet *packet);
/* Tunnels: takes the next packet that leaves `link` in `direction`; its reference is passed on. It
 * may be a burst (packet.h) where ltcp_network_gather has asked for them, and nobody would miss the
 * single packets: nothing on the way does anything to them, and neither trace nor capture keeps
 * them. */
struct ltcp_packet *ltcp_network_exit(struct ltcp_network *network, uint32_t link,
                                      unsigned direction);
/* Tunnels: whether ltcp_network_exit may give bursts from now on, and how many octets are added to
 * each of their TCP segments; none before it is called. */
void ltcp_network_gather(struct ltcp_network *network, uint32_t link, unsigned direction,
                         bool bursts, uint32_t overhead);
/* Tunnels: whether nobody would miss single packets of a run that comes in as one, longer than any
 * link's MTU: the node there is a host, nothing on the way does anything to packets, and neither
 * trace nor capture keeps them. */
bool ltcp_network_may_merge(const struct ltcp_network *network, uint32_t link, unsigned direction);
/* Tunnels: a packet came in for the node at the far end of `direction`. `impaired`: it goes through
 * that direction's path first (a link whose sending end is the outside); otherwise it arrives now.
 */
enum ltcp_status ltcp_network_enter(struct ltcp_network *network, uint32_t link, unsigned direction,
                                    struct ltcp_packet *packet, bool impaired);

/* ---- captures
 * -------------------------------------------------------------------------------------------
 * Copies of references to all packets that links saw, with what became of them, until taken. */
struct ltcp_captured {
    ltcp_time time;
    struct ltcp_packet *packet; /* a reference that the taker owns */
    uint32_t link;
    uint8_t direction, kind, reason; /* LTCP_TRACE_SENT, _DELIVERED or _DROPPED; enum ltcp_drop */
    bool left;                       /* _DELIVERED: to a tunnel, by ltcp_network_exit */
};
/* At most `limit` wait at a time; further ones are counted as missed. 0 switches it off. */
enum ltcp_status ltcp_network_capture(struct ltcp_network *network, size_t limit);
bool ltcp_network_next_captured(struct ltcp_network *network, struct ltcp_captured *out);
uint64_t ltcp_network_captures_missed(const struct ltcp_network *network);

#ifdef __cplusplus
}
#endif
#endif
