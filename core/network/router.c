/* core/network/router.c - forwarding, RFC 1812, and the ICMP errors that go with it.
 *
 * Three intended deviations: fragments that are for the router itself are not joined, since nothing
 * but an echo is answered here; no redirects are sent, since links have two ends only; and an error
 * goes back by the routing tables, also where the packet came by a source route. */
#include "fragment.h"
#include "internal.h"
#include "share.h"
#include "source_route.h"
#include "wire/extension.h"
#include "wire/scope.h"

/* RFC 1812 section 4.3.2.8 and RFC 4443 section 2.4 (f): errors are limited in their rate. So many
 * at once, and one more each millisecond. */
#define ICMP_BURST    64
#define ICMP_INTERVAL LTCP_MILLISECOND
#define ICMP_TTL      64
#define ICMP_DSCP     48   /* RFC 1812 section 4.3.2.5: precedence INTERNETWORK CONTROL */
#define QUOTE_MAX     1280 /* RFC 4443 section 2.4 (c); RFC 1812's limit is below it */

/* A packet on its way through a router. */
struct transit {
    struct ltcp_network *network;
    struct node *node;
    uint32_t link; /* by which it came */
    unsigned direction;
    struct ltcp_packet *packet; /* a reference */
    struct ltcp_ip ip;
    struct source_route source_route;
    uint8_t code;  /* of a parameter problem */
    bool advances; /* the destination was this router: the next address takes its place */
};

/* ---- when not to answer -----------------------------------------------------------------------
 */

static bool is_loopback(const struct ltcp_address *a)
{
    static const uint8_t one[16] = {[15] = 1}; /* ::1 */
    return ltcp_address_is_v4(a) ? a->bytes[12] == 127 : memcmp(a->bytes, one, 16) == 0;
}

/* RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e.6): the source does not name one node. */
static bool is_one_node(const struct ltcp_address *a)
{
    if (ltcp_address_is_unspecified(a) || ltcp_address_is_multicast(a) || is_loopback(a))
        return false;
    return !(ltcp_address_is_v4(a) && (a->bytes[12] >= 240 || a->bytes[12] == 0));
}

/* Never about an ICMP error; an unknown type might be one (RFC 1122 section 3.2.2). */
static bool is_icmp_error(const struct transit *t)
{
    if (t->ip.protocol != LTCP_PROTOCOL_ICMP && t->ip.protocol != LTCP_PROTOCOL_ICMPV6)
        return false;
    size_t at = t->ip.header_length, head = t->packet->head_length;
    if (at >= ltcp_packet_length(t->packet)) return true;
    uint8_t type = at < head ? t->packet->head[at] : t->packet->payload[at - head];
    if (t->ip.version == 6) return type < 128 || type == 137; /* a redirect is as good as one */
    return !(type == 0 || type == 8 || type == 9 || type == 10 || (type >= 13 && type <= 18));
}

static bool is_within_rate(struct ltcp_network *network, struct node *node)
{
    ltcp_time since = network->now - node->icmp_time;
    ltcp_time earned = since / ICMP_INTERVAL;
    node->icmp_time += earned * ICMP_INTERVAL;
    ltcp_time tokens = node->icmp_tokens + earned;
    node->icmp_tokens = tokens > ICMP_BURST ? ICMP_BURST : (uint32_t)tokens;
    if (node->icmp_tokens == 0) return false;
    node->icmp_tokens--;
    return true;
}

static bool may_answer(const struct transit *t)
{
    return t->ip.fragment_offset == 0 && is_one_node(&t->ip.source) && !is_icmp_error(t);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

static const struct ltcp_address *address_on(const struct ltcp_network *network,
                                             const struct attachment *attachment, bool v4)
{
    const struct link_side *side = &network->links[attachment->link]->side[attachment->end];
    for (int i = 0; i < side->address_count; i++)
        if (ltcp_address_is_v4(&side->addresses[i]) == v4) return &side->addresses[i];
    return NULL;
}

/* RFC 1812 section 4.3.2.4: an address of the interface by which the message leaves, or another
 * one of the router's. */
static const struct ltcp_address *own_address(const struct transit *t, const struct attachment *out,
                                              bool v4)
{
    const struct ltcp_address *address = address_on(t->network, out, v4);
    for (uint32_t i = 0; address == NULL && i < t->node->attachment_count; i++)
        address = address_on(t->network, &t->node->attachments[i], v4);
    return address;
}

static bool attachment_to(const struct transit *t, uint32_t link, struct attachment *out)
{
    for (uint32_t i = 0; i < t->node->attachment_count; i++) {
        if (t->node->attachments[i].link != link) continue;
        *out = t->node->attachments[i];
        return true;
    }
    return false;
}

/* Sends a message to the packet's source; `from` NULL: from the address that fits. */
static void send_icmp(const struct transit *t, const struct ltcp_address *from,
                      const struct ltcp_icmp *icmp, uint8_t dscp)
{
    /* A link-local address is where the packet came from. */
    const struct route *route = routes_find(&t->node->routes, &t->ip.source);
    const bool near = address_is_link_local(&t->ip.source);
    struct attachment out;
    if (!near && route == NULL) return;
    if (!attachment_to(t, near ? t->link : route->link, &out)) return;
    if (from == NULL) from = own_address(t, &out, t->ip.version == 4);
    if (from == NULL) return;
    struct ltcp_ip ip = {
        .source = *from, .destination = t->ip.source, .ttl = ICMP_TTL, .dscp = dscp};
    struct ltcp_packet *packet = ltcp_icmp_encode(t->network->pool, &ip, icmp);
    if (packet == NULL) return;
    struct entering entering = {
        .packet = packet, .link = out.link, .direction = out.end, .fresh = true};
    network_enqueue(t->network, &entering);
}

/* The packet ends here; an error is sent unless `kind` is LTCP_ICMP_OTHER or the rules forbid it.
 * `value` is the MTU or the pointer that some kinds tell. */
static void refuse(struct transit *t, enum ltcp_drop reason, enum ltcp_icmp_kind kind,
                   uint32_t value)
{
    network_record(t->network, LTCP_TRACE_DROPPED, t->link, t->direction, reason, t->packet);
    if (kind != LTCP_ICMP_OTHER && may_answer(t) && is_within_rate(t->network, t->node)) {
        uint8_t quote[QUOTE_MAX];
        struct ltcp_icmp icmp = {.kind = kind, .code = t->code, .quote = quote};
        if (kind == LTCP_ICMP_TOO_BIG) icmp.mtu = value;
        if (kind == LTCP_ICMP_PARAMETER_PROBLEM) icmp.pointer = value;
        icmp.quote_length = ltcp_packet_bytes(t->packet, quote, sizeof quote);
        send_icmp(t, NULL, &icmp, ICMP_DSCP);
    }
    ltcp_packet_unref(t->packet);
}

/* ---- for the router itself --------------------------------------------------------------------
 */

static void local(struct transit *t)
{
    struct ltcp_icmp icmp;
    bool is_icmp = t->ip.protocol == LTCP_PROTOCOL_ICMP || t->ip.protocol == LTCP_PROTOCOL_ICMPV6;
    if (t->ip.fragment_offset > 0 || t->ip.more_fragments) {
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_OTHER, 0);
    } else if (is_icmp) {
        /* RFC 1812 section 4.3.3.6: an echo is answered from the address that it was sent to. */
        if (ltcp_icmp_decode(t->packet, &t->ip, &icmp) == LTCP_OK && icmp.kind == LTCP_ICMP_ECHO &&
            is_one_node(&t->ip.source)) {
            icmp.kind = LTCP_ICMP_ECHO_REPLY;
            send_icmp(t, &t->ip.destination, &icmp, t->ip.dscp);
        }
        ltcp_packet_unref(t->packet);
    } else if (t->ip.protocol == LTCP_PROTOCOL_UDP) {
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_PORT_UNREACHABLE, 0);
    } else if (t->ip.version == 6) { /* RFC 4443 section 3.4 */
        const struct ltcp_packet *p = t->packet;
        struct ltcp_extensions x;
        ltcp_extensions_walk(p->head, p->head_length, t->ip.total_length, true, &x);
        t->code = 1;
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_PARAMETER_PROBLEM, x.protocol_at);
    } else {
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_PROTOCOL_UNREACHABLE, 0);
    }
}

/* Extension headers that the router cannot do with are its business only where it is the
 * destination. */
static void local_with_problem(struct transit *t)
{
    const struct ltcp_packet *p = t->packet;
    struct ltcp_extensions x;
    const enum ltcp_status status =
        ltcp_extensions_walk(p->head, p->head_length, t->ip.total_length, false, &x);
    const bool told = status == LTCP_ERR_IP_OPTION && x.complaint != LTCP_COMPLAINT_NONE;
    t->code = x.code;
    refuse(t, LTCP_DROP_ROUTE, told ? LTCP_ICMP_PARAMETER_PROBLEM : LTCP_ICMP_OTHER, x.pointer);
}

/* ---- forwarding -------------------------------------------------------------------------------
 */

static void forward(struct transit *t, const struct route *route)
{
    struct attachment out;
    if (route == NULL || !attachment_to(t, route->link, &out)) {
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_NET_UNREACHABLE, 0);
        return;
    }
    /* RFC4007:9-3: nothing link-local leaves its link. */
    if (address_is_link_local(&t->ip.source) && out.link != t->link) {
        t->code = 2; /* beyond scope of source address */
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_NET_UNREACHABLE, 0);
        return;
    }
    if (t->ip.ttl <= 1) { /* RFC 1812 section 5.3.1, RFC8200:3-1, RFC4443:3.3-1 */
        refuse(t, LTCP_DROP_TTL, LTCP_ICMP_TIME_EXCEEDED, 0);
        return;
    }
    const uint32_t mtu = t->network->links[out.link]->mtu;
    const bool long_one = ltcp_packet_length(t->packet) > mtu;
    /* RFC 1191 section 4; as IPv6 always: RFC8200:4.5-1, RFC4443:3.2-1. What is not longer goes as
     * it is, 68 octets at least (RFC791:3.2-5). */
    if (long_one && t->ip.dont_fragment) {
        refuse(t, LTCP_DROP_MTU, LTCP_ICMP_TOO_BIG, mtu);
        return;
    }
    const struct ltcp_address *here = t->advances ? own_address(t, &out, true) : NULL;
    struct ltcp_packet *packet = packet_own(t->packet);
    if (packet == NULL) return;
    if (here != NULL) source_route_advance(packet, &t->source_route, here);
    /* RFC6437:2-1: and nothing else. */
    ltcp_ip_set_ttl(packet, (uint8_t)(t->ip.ttl - 1));
    struct entering entering = {.packet = packet, .link = out.link, .direction = out.end};
    if (long_one)
        fragment_enqueue(t->network, &entering, mtu);
    else
        network_enqueue(t->network, &entering);
}

/* Group addresses are not forwarded, nor directed broadcasts (RFC 2644). */
static bool is_for_many(const struct ltcp_address *destination, const struct route *route)
{
    return ltcp_address_is_multicast(destination) || ltcp_address_is_broadcast(destination) ||
           (route != NULL && route_is_broadcast(route, destination));
}

static bool is_here(const struct route *route)
{
    return route != NULL && route->link == ROUTE_LOCAL;
}

/* The route by which a packet with a source route goes on; NULL: it ends here. Where the next
 * address is the router's own too, it stands as recorded, and the one behind it counts. */
static const struct route *follow(struct transit *t, const struct route *route)
{
    struct source_route *source = &t->source_route;
    if (source->kind == SOURCE_ROUTE_BROKEN) {
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_PARAMETER_PROBLEM, source->pointer);
        return NULL;
    }
    for (; is_here(route) && source->kind == SOURCE_ROUTE_NEXT; source_route_skip(source, &t->ip)) {
        route = routes_find(&t->node->routes, &source->next);
        if (is_here(route)) continue;
        t->advances = true;
        break;
    }
    if (is_here(route)) {
        local(t);
        return NULL;
    }
    const struct ltcp_address *to = t->advances ? &source->next : &t->ip.destination;
    if (route == NULL || is_for_many(to, route) || (source->strict && !route->connected)) {
        refuse(t, LTCP_DROP_ROUTE, LTCP_ICMP_SOURCE_ROUTE_FAILED, 0);
        return NULL;
    }
    return route;
}

/* RFC8200:4-3: extension headers are not looked at on the way, not even for their errors. LTCP_OK:
 * the packet can be passed on; *problem: the destination could not read it. */
static enum ltcp_status read_header(struct transit *t, bool *problem)
{
    const struct ltcp_packet *p = t->packet;
    const enum ltcp_status status = ltcp_ip_decode(p, &t->ip);
    *problem = false;
    if (status == LTCP_ERR_FRAGMENT) return LTCP_OK;
    if (status != LTCP_ERR_IP_OPTION && status != LTCP_ERR_TRUNCATED) return status;
    if (p->head_length < 40 || p->head[0] >> 4 != 6) return status;
    if (40u + (size_t)(p->head[4] << 8 | p->head[5]) > ltcp_packet_length(p)) return status;
    *problem = true;
    ltcp_ip_decode_bytes(p->head, p->head_length, true, &t->ip); /* as far as it can be followed */
    return LTCP_OK;
}

void router_receive(struct ltcp_network *network, struct node *node, uint32_t link,
                    unsigned direction, struct ltcp_packet *packet)
{
    bool problem;
    struct transit t = {
        .network = network, .node = node, .link = link, .direction = direction, .packet = packet};
    const bool silent = read_header(&t, &problem) != LTCP_OK;
    const struct route *route = silent ? NULL : routes_find(&node->routes, &t.ip.destination);
    if (silent || is_for_many(&t.ip.destination, route)) {
        refuse(&t, LTCP_DROP_ROUTE, LTCP_ICMP_OTHER, 0);
        return;
    }
    if (problem && is_here(route)) {
        local_with_problem(&t);
        return;
    }
    if (t.ip.options_length > 0) t.source_route = source_route_find(&t.ip);
    if (t.source_route.kind != SOURCE_ROUTE_NONE) {
        route = follow(&t, route);
        if (route != NULL) forward(&t, route);
    } else if (is_here(route)) {
        local(&t);
    } else if (address_is_link_local(&t.ip.destination)) { /* RFC4007:9-3 */
        refuse(&t, LTCP_DROP_ROUTE, LTCP_ICMP_OTHER, 0);
    } else {
        forward(&t, route);
    }
}
