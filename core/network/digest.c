/* core/network/digest.c
 *
 * Everything of a network that can matter for what happens from now on, in a digest (see
 * core/tcp/digest.c). A new field of the structs in internal.h, of paths, rules or queues has to be
 * added here, or where path_digest and rules_digest are, unless it only counts. */
#include "internal.h"
#include "path.h"
#include "wire/digest.h"

static void digest_packets(struct digest *d, const struct ring *ring)
{
    digest_word(d, ring->count);
    for (uint32_t i = 0; i < ring->count; i++) {
        struct ltcp_packet *const *packet = ring_at(ring, i, sizeof *packet);
        digest_packet(d, *packet);
    }
}

static void digest_node(struct digest *d, const struct ltcp_network *network,
                        const struct node *node)
{
    digest_word(d, node->kind);
    digest_packets(d, &node->inbox);
    if (node->kind == NODE_HOST) {
        digest_word(d, ltcp_host_digest(node->host, network->now));
        digest_word(d, node->advanced == network->now ? node->advances : 0);
    } else if (node->kind == NODE_ROUTER) {
        digest_time(d, network->now, node->icmp_time);
        digest_word(d, node->icmp_tokens);
        digest_word(d, node->routes.count);
    }
}

static void digest_link(struct digest *d, const struct ltcp_network *network,
                        const struct link *link)
{
    digest_word(d, link->mtu);
    for (int i = 0; i < 2; i++) {
        path_digest(d, link->direction[i].path, network->now);
        digest_packets(d, &link->direction[i].exits);
    }
    rules_digest(d, &link->rules);
}

static bool comes_before(const struct event_entry *a, const struct event_entry *b)
{
    return a->time < b->time || (a->time == b->time && a->serial < b->serial);
}

/* An alarm is known by its place among those that are set: which task it wakes is the owner's
 * knowledge. */
static uint64_t alarm_rank(const struct ltcp_network *network, uint32_t slot)
{
    const struct event_queue *queue = &network->events;
    const uint64_t id = network->alarms.slots[slot].id;
    uint64_t rank = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct event_source *source = &network->sources[queue->heap[i].source];
        if (source->kind == SOURCE_ALARM && network->alarms.slots[source->number].id < id) rank++;
    }
    return rank;
}

/* In the order in which they come: two that are due at once have one too. */
static void digest_events(struct digest *d, const struct ltcp_network *network)
{
    const struct event_queue *queue = &network->events;
    const struct event_entry *last = NULL;
    for (uint32_t n = 0; n < queue->count; n++) {
        const struct event_entry *next = NULL;
        for (uint32_t i = 0; i < queue->count; i++) {
            const struct event_entry *entry = &queue->heap[i];
            if (last != NULL && !comes_before(last, entry)) continue;
            if (next == NULL || comes_before(entry, next)) next = entry;
        }
        if (next == NULL) break;
        last = next;
        const struct event_source *source = &network->sources[next->source];
        const uint64_t name =
            source->kind == SOURCE_ALARM ? alarm_rank(network, source->number) : source->number;
        digest_word(d, name << 8 | (uint64_t)source->kind << 1 | source->direction);
        digest_time(d, network->now, next->time);
    }
}

static void digest_waiting(struct digest *d, const struct ltcp_network *network)
{
    for (uint32_t i = 0; i < network->entering.count; i++) {
        const struct entering *entering = ring_at(&network->entering, i, sizeof *entering);
        digest_word(d, (uint64_t)entering->link << 8 | (uint64_t)entering->direction << 1 |
                           entering->arrives);
        digest_packet(d, entering->packet);
    }
    digest_word(d, network->entering.count);
    for (uint32_t i = 0; i < network->touched.count; i++) {
        const uint32_t *number = ring_at(&network->touched, i, sizeof *number);
        digest_word(d, *number);
    }
    digest_word(d, network->touched.count);
    for (uint32_t i = 0; i < network->reports.count; i++) {
        const struct report *report = ring_at(&network->reports, i, sizeof *report);
        digest_word(d, (uint64_t)report->number << 8 | (uint64_t)report->kind << 1 |
                           report->direction);
    }
    digest_word(d, network->reports.count);
    digest_word(d, network->verdict.waiting);
    digest_word(d, network->verdict.waiting ? network->verdict.rule : 0);
}

uint64_t ltcp_network_digest(const struct ltcp_network *network)
{
    struct digest d = digest_begin();
    digest_word(&d, network->node_count);
    for (uint32_t i = 0; i < network->node_count; i++)
        digest_node(&d, network, network->nodes[i]);
    digest_word(&d, network->link_count);
    for (uint32_t i = 0; i < network->link_count; i++)
        digest_link(&d, network, network->links[i]);
    digest_events(&d, network);
    digest_waiting(&d, network);
    return digest_end(d);
}
