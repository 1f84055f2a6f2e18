/* core/network/internal.h
 *
 * The network from inside: nodes, links, and what each of its files does for the others. */
#ifndef LUNATCP_NETWORK_INTERNAL_H
#define LUNATCP_NETWORK_INTERNAL_H

#include "alarms.h"
#include "capture.h"
#include "event_queue.h"
#include "routes.h"
#include "rules.h"
#include "lunatcp/network.h"

enum node_kind { NODE_HOST, NODE_ROUTER, NODE_PEER };

/* What a node has on a link. An interface number of a host that belongs to no link has
 * LTCP_NOWHERE. */
struct attachment {
    uint32_t link;
    uint8_t end;
};

struct node {
    enum node_kind kind;
    bool touched;                   /* stands in ltcp_network.touched */
    bool reporting;                 /* stands in ltcp_network.reports */
    struct attachment *attachments; /* by interface number */
    uint32_t attachment_count, attachment_room;
    struct routes routes;
    struct ltcp_host *host;
    uint32_t source;    /* of the host's timers in the event queue */
    ltcp_time advanced; /* when they were last let fire, */
    uint32_t advances;  /* and how often at that time */
    struct ring inbox;  /* a peer's: struct ltcp_packet * */
    /* A router's allowance of ICMP errors: when the next one is earned, and how many are left. */
    ltcp_time icmp_time;
    uint32_t icmp_tokens;
};

struct direction {
    struct ltcp_path *path;
    uint32_t source;      /* in the event queue */
    ltcp_time armed_time; /* what the event queue holds of it */
    uint64_t armed_serial;
    struct ring exits; /* a tunnel's: struct ltcp_packet * */
    bool reporting;
    bool gathers;             /* who takes them takes bursts as one packet, ... */
    uint32_t gather_overhead; /* ... and adds so much to each segment */
};

struct link_side {
    uint32_t node, interface;
    struct ltcp_address addresses[2];
    uint8_t address_count;
};

struct link {
    struct link_side side[2];
    struct direction direction[2]; /* the path from that side to the other */
    uint32_t mtu;
    bool tunnel;
    struct rules rules;
};

/* A packet at a link's mouth, or (arrives) at its end, that waits for the step loop. */
struct entering {
    struct ltcp_packet *packet;
    uint32_t link;
    uint8_t direction;
    bool arrives;
    bool fresh; /* gets an id: it comes from a host, a peer, or outside */
    bool forged;
};

struct report {
    enum { REPORT_NODE, REPORT_EXIT } kind;
    uint32_t number; /* of the node or link */
    uint8_t direction;
};

struct event_source {
    enum { SOURCE_PATH, SOURCE_HOST, SOURCE_ALARM } kind;
    uint32_t number; /* of the link, node or alarm slot */
    uint8_t direction;
};

struct verdict {
    bool waiting, answered;
    bool has_fate;
    uint32_t rule;
    struct ltcp_fate fate;
    struct rule_view view;
};

/* The list of choices (ltcp_network_choose): `count` of `script` were made already. */
struct choices {
    struct ltcp_fate fates[LTCP_MOST_CHOICES];
    uint8_t fate_count;
    uint8_t *script;
    uint32_t length, depth, count;
};

struct ltcp_network {
    struct ltcp_pool *pool;
    const struct ltcp_allocator *allocator;
    struct ltcp_trace *trace;
    uint64_t seed;
    ltcp_time now;
    uint64_t serial;     /* of insertions into the event queue */
    uint64_t packet_ids; /* the newest */
    struct event_queue events;
    struct event_source *sources;
    uint32_t source_count, source_room;
    struct node **nodes;
    uint32_t node_count, node_room;
    struct link **links;
    uint32_t link_count, link_room;
    struct alarms alarms;
    struct ring entering; /* struct entering */
    struct ring touched;  /* uint32_t: numbers of hosts that may have something to send */
    struct ring reports;  /* struct report: what the owner is still to be told */
    struct verdict verdict;
    struct choices choices;
    struct capture capture;
    uint32_t listen_mask;
    uint64_t listen_serial;
    struct {
        const char *rule; /* NULL: none */
        uint32_t node;
        ltcp_handle connection;
        ltcp_time time;
    } broken; /* checked builds: the first invariant that was */
};

/* Packets at most in a peer's inbox, a tunnel's exits, and between two steps in `entering`. */
#define MOST_INBOX    4096
#define MOST_EXITS    4096
#define MOST_ENTERING 65536

/* network.c */
static inline struct node *network_node(const struct ltcp_network *network, uint32_t node)
{
    return node < network->node_count ? network->nodes[node] : NULL;
}
static inline struct link *network_link(const struct ltcp_network *network, uint32_t link)
{
    return link < network->link_count ? network->links[link] : NULL;
}
/* A number for a new source of events; LTCP_NOWHERE: no memory. */
uint32_t network_add_source(struct ltcp_network *network, const struct event_source *source);

/* After each call of a host, in checked builds: notes the first broken invariant. */
static inline void network_check(struct ltcp_network *network, uint32_t number)
{
#if defined(LTCP_CHECK) && LTCP_CHECK
    if (network->broken.rule != NULL) return;
    network->broken.rule =
        ltcp_host_check_next(network->nodes[number]->host, &network->broken.connection);
    network->broken.node = number;
    network->broken.time = network->now;
#else
    (void)network;
    (void)number;
#endif
}

/* traffic.c: packets on and off links. */
/* Writes it to the trace and the capture. */
void network_record(struct ltcp_network *network, enum ltcp_trace_kind kind, uint32_t link,
                    unsigned direction, enum ltcp_drop reason, struct ltcp_packet *packet);
/* Puts a packet behind those that wait to enter a link; the reference is used up, also when it
 * fails (LTCP_ERR_NO_MEMORY). */
enum ltcp_status network_enqueue(struct ltcp_network *network, const struct entering *entering);
/* Tells the node's host by which interfaces bursts may leave. */
void network_let_gather(const struct ltcp_network *network, const struct node *node);
/* Takes a host's packet straight to a tunnel's exit, where nothing on the way does anything to it
 * and nobody watches. False: it has to go the long way. */
bool network_leaves(struct ltcp_network *network, uint32_t link, unsigned direction,
                    struct ltcp_packet *packet);
/* Lets those that wait enter; false: one of them waits for a verdict. */
bool network_drain(struct ltcp_network *network);
/* Takes one packet that is due out of a path, to where it goes. */
void network_deliver(struct ltcp_network *network, uint32_t link, unsigned direction);
/* The owner is to be told that the node has something for it. */
void network_report_node(struct ltcp_network *network, uint32_t number);

/* choices.c: what the list of choices says of a packet that enters a link (NULL: nothing). False:
 * the owner is to be asked. */
bool choices_next(struct ltcp_network *network, const struct ltcp_fate **fate);

/* router.c: a packet arrived at a router by `link`, in `direction`; the reference is used up. */
void router_receive(struct ltcp_network *network, struct node *node, uint32_t link,
                    unsigned direction, struct ltcp_packet *packet);

#endif
