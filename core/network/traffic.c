/* core/network/traffic.c - packets onto links, off them, and to their nodes. */
#include "internal.h"
#include "path.h"
#include "share.h"

static void record_capture(struct ltcp_network *network, enum ltcp_trace_kind kind, uint32_t link,
                           unsigned direction, enum ltcp_drop reason, bool left,
                           struct ltcp_packet *packet)
{
    if (network->capture.limit == 0) return;
    struct ltcp_captured captured = {
        .time = network->now,
        .packet = packet,
        .link = link,
        .direction = (uint8_t)direction,
        .kind = (uint8_t)kind,
        .reason = (uint8_t)reason,
        .left = left,
    };
    capture_add(&network->capture, network->allocator, &captured);
}

void network_record(struct ltcp_network *network, enum ltcp_trace_kind kind, uint32_t link,
                    unsigned direction, enum ltcp_drop reason, struct ltcp_packet *packet)
{
    ltcp_trace_packet(network->trace, kind, network->now, link, (uint8_t)direction, reason, packet);
    record_capture(network, kind, link, direction, reason, false, packet);
}

/* The last that is heard of a packet; the reference is used up. */
static void drop(struct ltcp_network *network, uint32_t link, unsigned direction,
                 enum ltcp_drop reason, struct ltcp_packet *packet)
{
    network_record(network, LTCP_TRACE_DROPPED, link, direction, reason, packet);
    ltcp_packet_unref(packet);
}

/* ---- reports ----------------------------------------------------------------------------------
 */

static bool add_report(struct ltcp_network *network, const struct report *report)
{
    struct report *place = ring_push(&network->reports, network->allocator, sizeof *place);
    if (place != NULL) *place = *report;
    return place != NULL;
}

void network_report_node(struct ltcp_network *network, uint32_t number)
{
    struct node *node = network->nodes[number];
    struct report report = {.kind = REPORT_NODE, .number = number};
    if (!node->reporting) node->reporting = add_report(network, &report);
}

static void report_exit(struct ltcp_network *network, uint32_t link, unsigned direction)
{
    struct direction *d = &network->links[link]->direction[direction];
    struct report report = {.kind = REPORT_EXIT, .number = link, .direction = (uint8_t)direction};
    if (!d->reporting) d->reporting = add_report(network, &report);
}

void ltcp_network_touch(struct ltcp_network *network, uint32_t number)
{
    struct node *node = network_node(network, number);
    if (node == NULL || node->kind != NODE_HOST || node->touched) return;
    uint32_t *place = ring_push(&network->touched, network->allocator, sizeof *place);
    if (place == NULL) return;
    *place = number;
    node->touched = true;
}

/* ---- off a link -------------------------------------------------------------------------------
 */

static bool put_in(struct ltcp_network *network, struct ring *ring, uint32_t most,
                   struct ltcp_packet *packet)
{
    if (ring->count >= most) return false;
    struct ltcp_packet **place = ring_push(ring, network->allocator, sizeof *place);
    if (place != NULL) *place = packet;
    return place != NULL;
}

/* The packet is at the link's far end. `time` is when it arrived there: now, or what a tunnel's
 * socket said. The reference is used up. */
static void arrive(struct ltcp_network *network, uint32_t link, unsigned direction, ltcp_time time,
                   struct ltcp_packet *packet)
{
    const struct link_side *side = &network->links[link]->side[1 - direction];
    struct node *node = network->nodes[side->node];
    packet = packet_own(packet);
    if (packet == NULL) return;
    packet->time = time;
    packet->interface = side->interface;
    network_record(network, LTCP_TRACE_DELIVERED, link, direction, LTCP_DROP_NONE, packet);
    switch (node->kind) {
    case NODE_HOST:
        ltcp_host_receive(node->host, network->now, packet);
        ltcp_packet_unref(packet);
        network_check(network, side->node);
        ltcp_network_touch(network, side->node);
        break;
    case NODE_PEER:
        if (!put_in(network, &node->inbox, MOST_INBOX, packet))
            drop(network, link, direction, LTCP_DROP_QUEUE, packet);
        network_report_node(network, side->node);
        break;
    case NODE_ROUTER: router_receive(network, node, link, direction, packet); break;
    }
}

/* What comes out of this direction's path goes to a tunnel, and not to the node at its end. */
static bool leads_out(const struct link *link, unsigned direction)
{
    if (!link->tunnel) return false;
    return link->side[direction].node != LTCP_NOWHERE ||
           link->side[1 - direction].node == LTCP_NOWHERE;
}

/* A packet is past the path: it arrives, or leaves by a tunnel. The reference is used up. */
static void come_out(struct ltcp_network *network, uint32_t number, unsigned direction,
                     struct ltcp_packet *packet)
{
    struct link *link = network->links[number];
    struct direction *d = &link->direction[direction];
    if (!leads_out(link, direction)) {
        arrive(network, number, direction, network->now, packet);
    } else if (put_in(network, &d->exits, MOST_EXITS, packet)) {
        record_capture(network, LTCP_TRACE_DELIVERED, number, direction, LTCP_DROP_NONE, true,
                       packet);
        report_exit(network, number, direction);
    } else {
        drop(network, number, direction, LTCP_DROP_QUEUE, packet);
    }
}

/* Brings the event queue up to date with what the path wants next. */
static void arm(struct ltcp_network *network, struct direction *d)
{
    ltcp_time time = ltcp_path_deadline(d->path);
    uint64_t serial = ltcp_path_serial(d->path);
    if (time == d->armed_time && serial == d->armed_serial) return;
    d->armed_time = time;
    d->armed_serial = serial;
    if (time == LTCP_NEVER)
        event_queue_remove(&network->events, d->source);
    else
        event_queue_set(&network->events, d->source, time, serial);
}

void network_deliver(struct ltcp_network *network, uint32_t number, unsigned direction)
{
    struct direction *d = &network->links[number]->direction[direction];
    enum ltcp_drop reason;
    struct ltcp_packet *packet = ltcp_path_pop(d->path, network->now, &reason);
    arm(network, d);
    if (packet == NULL) return;
    if (reason != LTCP_DROP_NONE)
        drop(network, number, direction, reason, packet);
    else
        come_out(network, number, direction, packet);
}

/* Nobody asks what single packets there are on the link. */
static bool is_unobserved(const struct ltcp_network *network, const struct link *link)
{
    return !ltcp_trace_keeps_packets(network->trace) && network->capture.limit == 0 &&
           link->rules.count == 0 && network->choices.script == NULL &&
           network->choices.fate_count == 0;
}

/* ---- onto a link ------------------------------------------------------------------------------
 */

enum ltcp_status network_enqueue(struct ltcp_network *network, const struct entering *entering)
{
    struct entering *place = ring_push(&network->entering, network->allocator, sizeof *place);
    if (place == NULL) {
        drop(network, entering->link, entering->direction, LTCP_DROP_MEMORY, entering->packet);
        return LTCP_ERR_NO_MEMORY;
    }
    *place = *entering;
    return LTCP_OK;
}

/* A packet that no link has seen gets its id. False: no memory, and the packet is gone. */
static bool stamp(struct ltcp_network *network, struct entering *entering)
{
    if (!entering->fresh) return true;
    struct ltcp_packet *packet = packet_own(entering->packet);
    entering->packet = packet;
    if (packet == NULL) return false;
    packet->id = ++network->packet_ids;
    if (!entering->arrives || packet->time <= 0 || packet->time > network->now)
        packet->time = network->now;
    if (entering->forged) packet->notes |= LTCP_NOTE_FORGED;
    return true;
}

/* What the rules behind `after` say. False: one of them wants to be asked. */
static bool find_fate(struct ltcp_network *network, struct link *link, uint32_t after,
                      const struct ltcp_fate **fate)
{
    struct verdict *verdict = &network->verdict;
    const struct rule_entry *entry = rules_match(&link->rules, &verdict->view, after);
    *fate = entry == NULL ? NULL : &entry->rule.fate;
    if (entry == NULL || entry->rule.action == LTCP_RULE_FATE) return true;
    verdict->waiting = true;
    verdict->answered = false;
    verdict->rule = entry->id;
    return false;
}

/* The same, for a packet that comes for the first time or after it was asked about. */
static bool judge(struct ltcp_network *network, struct link *link, const struct entering *entering,
                  bool asked, const struct ltcp_fate **fate)
{
    struct verdict *verdict = &network->verdict;
    if (asked) {
        if (!verdict->answered || !verdict->has_fate)
            return find_fate(network, link, verdict->rule, fate);
        *fate = &verdict->fate;
        return true;
    }
    network_record(network, LTCP_TRACE_SENT, entering->link, entering->direction, LTCP_DROP_NONE,
                   entering->packet);
    if (link->rules.count > 0)
        rules_view(&link->rules, network->allocator, entering->packet, entering->direction,
                   &verdict->view);
    if (!choices_next(network, fate)) {
        verdict->waiting = true;
        verdict->answered = false;
        verdict->rule = 0;
        return false;
    }
    if (*fate != NULL || link->rules.count == 0) return true;
    return find_fate(network, link, 0, fate);
}

static void push(struct ltcp_network *network, const struct entering *entering,
                 const struct ltcp_fate *fate)
{
    const struct link *link = network->links[entering->link];
    struct direction *d = &network->links[entering->link]->direction[entering->direction];
    /* In real time a moment has no order of its own, so nothing need wait for its end. */
    if (link->tunnel && fate == NULL && path_passes(d->path, network->now, entering->packet)) {
        come_out(network, entering->link, entering->direction, entering->packet);
        return;
    }
    enum ltcp_drop reason =
        ltcp_path_push(d->path, network->now, entering->packet, fate, ++network->serial);
    if (reason != LTCP_DROP_NONE) {
        drop(network, entering->link, entering->direction, reason, entering->packet);
        return;
    }
    ltcp_packet_unref(entering->packet);
    arm(network, d);
}

bool network_leaves(struct ltcp_network *network, uint32_t link, unsigned direction,
                    struct ltcp_packet *packet)
{
    const struct link *l = network->links[link];
    struct direction *d = &network->links[link]->direction[direction];
    if (!l->tunnel || network->entering.count > 0 || !is_unobserved(network, l)) return false;
    if (packet->refs > 1 || d->exits.count >= MOST_EXITS ||
        !path_passes(d->path, network->now, packet))
        return false;
    packet->id = network->packet_ids + 1;
    network->packet_ids += ltcp_packet_segments(packet);
    packet->time = network->now;
    come_out(network, link, direction, packet);
    return true;
}

void network_let_gather(const struct ltcp_network *network, const struct node *node)
{
    uint32_t interfaces = 0, overhead = 0;
    for (uint32_t i = 0; i < node->attachment_count && i < 32; i++) {
        const struct attachment *a = &node->attachments[i];
        if (a->link == LTCP_NOWHERE) continue;
        const struct link *l = network->links[a->link];
        const struct direction *d = &l->direction[a->end];
        if (!l->tunnel || !d->gathers || !is_unobserved(network, l) || !path_is_clear(d->path))
            continue;
        interfaces |= UINT32_C(1) << i;
        if (d->gather_overhead > overhead) overhead = d->gather_overhead;
    }
    ltcp_host_gather(node->host, interfaces, overhead);
}

bool network_drain(struct ltcp_network *network)
{
    struct verdict *verdict = &network->verdict;
    while (network->entering.count > 0) {
        struct entering *first = ring_at(&network->entering, 0, sizeof *first);
        bool asked = verdict->waiting;
        verdict->waiting = false;
        if (!asked && !stamp(network, first)) {
            ring_pop(&network->entering);
            continue;
        }
        const struct ltcp_fate *fate = NULL;
        if (!first->arrives && !judge(network, network->links[first->link], first, asked, &fate))
            return false;
        struct entering entering = *first;
        ring_pop(&network->entering);
        if (entering.arrives)
            arrive(network, entering.link, entering.direction, entering.packet->time,
                   entering.packet);
        else
            push(network, &entering, fate);
    }
    return true;
}

enum ltcp_status ltcp_network_answer(struct ltcp_network *network, const struct ltcp_fate *fate)
{
    struct verdict *verdict = &network->verdict;
    if (!verdict->waiting || (fate != NULL && !fate_is_valid(fate))) return LTCP_ERR_INVALID;
    verdict->answered = true;
    verdict->has_fate = fate != NULL;
    if (fate != NULL) verdict->fate = *fate;
    return LTCP_OK;
}

/* ---- the owner's packets ----------------------------------------------------------------------
 */

static enum ltcp_status enqueue_reference(struct ltcp_network *network,
                                          const struct entering *entering)
{
    if (network->entering.count >= MOST_ENTERING) return LTCP_ERR_NO_BUFFERS;
    ltcp_packet_ref(entering->packet);
    return network_enqueue(network, entering);
}

/* The link by which a node reaches the packet's destination; a peer with one link needs no route.
 */
static uint32_t link_to(struct node *node, const struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    enum ltcp_status status = ltcp_ip_decode(packet, &ip);
    if (status == LTCP_OK || status == LTCP_ERR_FRAGMENT) {
        const struct route *route = routes_find(&node->routes, &ip.destination);
        if (route != NULL && route->link != ROUTE_LOCAL) return route->link;
    }
    if (node->kind == NODE_PEER && node->attachment_count == 1) return node->attachments[0].link;
    return LTCP_NOWHERE;
}

enum ltcp_status ltcp_network_send(struct ltcp_network *network, uint32_t number, uint32_t link,
                                   struct ltcp_packet *packet)
{
    struct node *node = network_node(network, number);
    if (node == NULL) return LTCP_ERR_INVALID;
    if (link == LTCP_NOWHERE) {
        link = link_to(node, packet);
        if (link == LTCP_NOWHERE) return LTCP_ERR_NO_ROUTE;
    }
    uint32_t interface = ltcp_network_interface(network, number, link);
    if (interface == LTCP_NOWHERE) return LTCP_ERR_INVALID;
    struct entering entering = {.packet = packet,
                                .link = link,
                                .direction = node->attachments[interface].end,
                                .fresh = true,
                                .forged = true};
    return enqueue_reference(network, &entering);
}

enum ltcp_status ltcp_network_inject(struct ltcp_network *network, uint32_t link,
                                     unsigned direction, struct ltcp_packet *packet)
{
    if (network_link(network, link) == NULL || direction > 1) return LTCP_ERR_INVALID;
    struct entering entering = {.packet = packet,
                                .link = link,
                                .direction = (uint8_t)direction,
                                .fresh = true,
                                .forged = true};
    return enqueue_reference(network, &entering);
}

enum ltcp_status ltcp_network_enter(struct ltcp_network *network, uint32_t link, unsigned direction,
                                    struct ltcp_packet *packet, bool impaired)
{
    const struct link *l = network_link(network, link);
    if (l == NULL || direction > 1 || !l->tunnel) return LTCP_ERR_INVALID;
    if (!impaired && l->side[1 - direction].node == LTCP_NOWHERE) return LTCP_ERR_INVALID;
    /* What leaves the path of a local sender goes out by the tunnel: it would never arrive. */
    if (impaired && l->side[direction].node != LTCP_NOWHERE) return LTCP_ERR_INVALID;
    struct entering entering = {.packet = packet,
                                .link = link,
                                .direction = (uint8_t)direction,
                                .arrives = !impaired,
                                .fresh = true};
    return enqueue_reference(network, &entering);
}

bool ltcp_network_may_merge(const struct ltcp_network *network, uint32_t link, unsigned direction)
{
    const struct link *l = network_link(network, link);
    if (l == NULL || direction > 1 || l->side[1 - direction].node == LTCP_NOWHERE) return false;
    if (network->nodes[l->side[1 - direction].node]->kind != NODE_HOST) return false;
    return is_unobserved(network, l) && path_is_clear(l->direction[direction].path);
}

void ltcp_network_gather(struct ltcp_network *network, uint32_t link, unsigned direction,
                         bool bursts, uint32_t overhead)
{
    struct link *l = network_link(network, link);
    if (l == NULL || direction > 1) return;
    l->direction[direction].gathers = bursts;
    l->direction[direction].gather_overhead = overhead;
}

static struct ltcp_packet *take_first(struct ring *ring)
{
    if (ring->count == 0) return NULL;
    struct ltcp_packet **first = ring_at(ring, 0, sizeof *first), *packet = *first;
    ring_pop(ring);
    return packet;
}

struct ltcp_packet *ltcp_network_peer_receive(struct ltcp_network *network, uint32_t number)
{
    struct node *node = network_node(network, number);
    return node == NULL ? NULL : take_first(&node->inbox);
}

struct ltcp_packet *ltcp_network_exit(struct ltcp_network *network, uint32_t link,
                                      unsigned direction)
{
    struct link *l = network_link(network, link);
    if (l == NULL || direction > 1) return NULL;
    struct direction *d = &l->direction[direction];
    struct ltcp_packet *packet = NULL;
    while (packet == NULL && d->exits.count > 0) {
        struct ltcp_packet **first = ring_at(&d->exits, 0, sizeof *first);
        if ((*first)->burst == NULL || d->gathers) return take_first(&d->exits);
        packet = ltcp_burst_take(*first);
        if ((*first)->burst->gone == (*first)->burst->count)
            ltcp_packet_unref(take_first(&d->exits));
    }
    return packet;
}
