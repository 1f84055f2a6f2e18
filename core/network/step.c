/* core/network/step.c - the loop: packets that are due, what hosts have to say to them, what the
 * owner must know, and only then the next event. */
#include "internal.h"

/* A host that has a timer due at once, again and again, does not stop the clock. */
#define MOST_ADVANCES 1000
#define BATCH         132 /* three trains of full segments (a tunnel), and still in a cache */

/* ---- hosts ------------------------------------------------------------------------------------
 */

static void send_from(struct ltcp_network *network, const struct node *node,
                      struct ltcp_packet *packet)
{
    uint32_t interface = packet->interface;
    if (interface >= node->attachment_count || node->attachments[interface].link == LTCP_NOWHERE) {
        network_record(network, LTCP_TRACE_DROPPED, LTCP_NOWHERE, 0, LTCP_DROP_ROUTE, packet);
        ltcp_packet_unref(packet);
        return;
    }
    const struct attachment *attachment = &node->attachments[interface];
    if (network_leaves(network, attachment->link, attachment->end, packet)) return;
    struct entering entering = {
        .packet = packet, .link = attachment->link, .direction = attachment->end, .fresh = true};
    if (packet->burst == NULL) {
        network_enqueue(network, &entering);
        return;
    }
    for (uint32_t i = packet->burst->count; i > 0; i--) /* somebody looks at each by now */
        if ((entering.packet = ltcp_burst_take(packet)) != NULL)
            network_enqueue(network, &entering);
    ltcp_packet_unref(packet);
}

/* Whatever the event queue holds stays if it is early enough: it is looked at again when its time
 * has come (next_event), and an ACK that moves a timer touches nothing here. */
static void rearm(struct ltcp_network *network, struct node *node)
{
    ltcp_time deadline = ltcp_host_next_deadline(node->host);
    if (deadline >= event_queue_time(&network->events, node->source)) return;
    if (deadline <= network->now && node->advanced == network->now &&
        node->advances >= MOST_ADVANCES)
        deadline = network->now + 1;
    event_queue_set(&network->events, node->source, deadline, ++network->serial);
}

static bool exits_wait(const struct ltcp_network *network)
{
    for (uint32_t i = 0; i < network->reports.count; i++) {
        const struct report *report = ring_at(&network->reports, i, sizeof *report);
        if (report->kind == REPORT_EXIT) return true;
    }
    return false;
}

/* Lets every touched host send. False: a packet waits for a verdict. */
static bool flush(struct ltcp_network *network)
{
    for (;;) {
        if (!network_drain(network)) return false;
        if (network->touched.count == 0) return true;
        const uint32_t *first = ring_at(&network->touched, 0, sizeof *first);
        uint32_t number = *first;
        struct node *node = network->nodes[number];
        struct ltcp_packet *packets[BATCH];
        network_let_gather(network, node);
        size_t count = ltcp_host_transmit(node->host, network->now, packets, BATCH);
        network_check(network, number);
        for (size_t i = 0; i < count; i++)
            send_from(network, node, packets[i]);
        if (ltcp_host_has_output(node->host)) {
            if (exits_wait(network)) return true; /* a burst goes on while it is fresh */
            continue;
        }
        ring_pop(&network->touched);
        node->touched = false;
        rearm(network, node);
        if (ltcp_host_has_events(node->host)) network_report_node(network, number);
    }
}

/* ---- what the owner is told -------------------------------------------------------------------
 */

static bool heard(struct ltcp_network *network, struct ltcp_step_detail *detail)
{
    if (network->listen_mask == 0) return false;
    uint64_t newest = ltcp_trace_serial(network->trace), serial = network->listen_serial + 1;
    if (newest < serial) return false;
    network->listen_serial = newest;
    if (network->listen_mask & LTCP_TRACE_EVENTS_MASK) {
        const struct ltcp_trace_event *event;
        for (uint64_t at = serial; (event = ltcp_trace_next_event(network->trace, &at)) != NULL;)
            if (network->listen_mask >> event->kind & 1) {
                detail->id = event->serial;
                return true;
            }
    }
    if (network->listen_mask & LTCP_TRACE_PACKETS_MASK) {
        const struct ltcp_trace_packet *packet;
        for (uint64_t at = serial; (packet = ltcp_trace_next_packet(network->trace, &at)) != NULL;)
            if (network->listen_mask >> packet->kind & 1) {
                detail->id = packet->serial;
                return true;
            }
    }
    return false;
}

/* A host is reported until its events are taken, a peer's inbox and an exit once for each batch. */
static bool next_report(struct ltcp_network *network, enum ltcp_step *step,
                        struct ltcp_step_detail *detail)
{
    for (; network->reports.count > 0; ring_pop(&network->reports)) {
        const struct report *first = ring_at(&network->reports, 0, sizeof *first);
        struct report report = *first;
        if (report.kind == REPORT_EXIT) {
            struct direction *d = &network->links[report.number]->direction[report.direction];
            d->reporting = false;
            if (d->exits.count == 0) continue;
            *step = LTCP_STEP_EXIT;
            detail->link = report.number;
            detail->direction = report.direction;
            ring_pop(&network->reports);
            return true;
        }
        struct node *node = network->nodes[report.number];
        detail->node = report.number;
        if (node->kind == NODE_HOST && ltcp_host_has_events(node->host)) {
            *step = LTCP_STEP_EVENTS;
            return true;
        }
        node->reporting = false;
        if (node->inbox.count == 0) continue;
        *step = LTCP_STEP_PEER;
        ring_pop(&network->reports);
        return true;
    }
    return false;
}

static bool is_broken(const struct ltcp_network *network, struct ltcp_step_detail *detail)
{
    if (network->broken.rule == NULL) return false;
    detail->node = network->broken.node;
    detail->id = network->broken.connection;
    detail->broken = network->broken.rule;
    detail->time = network->broken.time;
    return true;
}

static enum ltcp_step ask(struct ltcp_network *network, struct ltcp_step_detail *detail)
{
    const struct entering *first = ring_at(&network->entering, 0, sizeof *first);
    detail->link = first->link;
    detail->direction = first->direction;
    detail->id = network->verdict.rule;
    detail->packet = first->packet;
    detail->first = network->verdict.view.first;
    return LTCP_STEP_VERDICT;
}

/* ---- events -----------------------------------------------------------------------------------
 */

/* The next event that really is one: timers of hosts that were moved are put where they belong. */
static const struct event_entry *next_event(struct ltcp_network *network)
{
    for (;;) {
        const struct event_entry *first = event_queue_first(&network->events);
        if (first == NULL) return NULL;
        const struct event_source *source = &network->sources[first->source];
        if (source->kind != SOURCE_HOST) return first;
        ltcp_time deadline = ltcp_host_next_deadline(network->nodes[source->number]->host);
        if (deadline <= first->time) return first;
        if (deadline == LTCP_NEVER)
            event_queue_remove(&network->events, first->source);
        else
            event_queue_set(&network->events, first->source, deadline, ++network->serial);
    }
}

/* All packets that are due now are handed in before anything is sent (RFC9293:MUST-59), as far as
 * no timer or alarm comes in between. A bound on events holds between moments and not within one,
 * or it would show on the wire. */
static void deliver_due(struct ltcp_network *network, uint64_t *left)
{
    const struct event_entry *first;
    while ((first = event_queue_first(&network->events)) != NULL) {
        const struct event_source *source = &network->sources[first->source];
        if (source->kind != SOURCE_PATH || first->time > network->now) return;
        network_deliver(network, source->number, source->direction);
        if (*left > 0) --*left;
    }
}

static void fire_timers(struct ltcp_network *network, uint32_t number)
{
    struct node *node = network->nodes[number];
    event_queue_remove(&network->events, node->source);
    node->advances = node->advanced == network->now ? node->advances + 1 : 1;
    node->advanced = network->now;
    ltcp_host_advance(node->host, network->now);
    network_check(network, number);
    ltcp_network_touch(network, number);
}

static uint64_t take_alarm(struct ltcp_network *network, uint32_t slot)
{
    uint64_t id = network->alarms.slots[slot].id;
    event_queue_remove(&network->events, network->alarms.slots[slot].source);
    alarms_remove(&network->alarms, slot);
    return id;
}

enum ltcp_step ltcp_network_step(struct ltcp_network *network, ltcp_time limit, uint64_t max_events,
                                 struct ltcp_step_detail *detail)
{
    uint64_t left = max_events == 0 ? UINT64_MAX : max_events;
    enum ltcp_step step;
    *detail = (struct ltcp_step_detail){.node = LTCP_NOWHERE, .link = LTCP_NOWHERE};
    for (;;) {
        /* A packet that was asked about goes first. */
        if (!network->verdict.waiting) deliver_due(network, &left);
        const bool flushed = flush(network);
        if (is_broken(network, detail)) return LTCP_STEP_BROKEN;
        if (!flushed) return ask(network, detail);
        if (heard(network, detail)) return LTCP_STEP_TRACE;
        if (next_report(network, &step, detail)) return step;
        if (left == 0) return LTCP_STEP_EVENTS_LIMIT;

        const struct event_entry *next = next_event(network);
        if (next == NULL || next->time > limit) {
            if (limit != LTCP_NEVER && limit > network->now) network->now = limit;
            return next == NULL ? LTCP_STEP_IDLE : LTCP_STEP_LIMIT;
        }
        if (next->time > network->now) network->now = next->time;
        const struct event_source *source = &network->sources[next->source];
        if (source->kind == SOURCE_HOST) {
            fire_timers(network, source->number);
            left--;
        } else if (source->kind == SOURCE_ALARM) {
            detail->id = take_alarm(network, source->number);
            return LTCP_STEP_ALARM;
        }
    }
}

void ltcp_network_catch_up(struct ltcp_network *network, ltcp_time now)
{
    const struct event_entry *next = next_event(network);
    if (next != NULL && next->time < now) now = next->time;
    if (now > network->now) network->now = now;
}

ltcp_time ltcp_network_next_deadline(struct ltcp_network *network)
{
    if (network->entering.count > 0 || network->touched.count > 0 || network->reports.count > 0)
        return network->now;
    const struct event_entry *next = next_event(network);
    if (next == NULL) return LTCP_NEVER;
    return next->time > network->now ? next->time : network->now;
}
