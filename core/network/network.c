/* core/network/network.c - what a network consists of: nodes, links, routes, rules, alarms. */
#include "internal.h"
#include "path.h"
#include "lunatcp/random.h"

#define DEFAULT_MTU  1500
#define SMALLEST_MTU 68 /* RFC 791 */
#define GREATEST_MTU 65535
#define ICMP_BURST   64

struct ltcp_network *ltcp_network_create(const struct ltcp_network_config *config)
{
    const struct ltcp_allocator *allocator = ltcp_pool_allocator(config->pool);
    struct ltcp_network *network = memory_take(allocator, sizeof *network);
    if (network == NULL) return NULL;
    network->pool = config->pool;
    network->allocator = allocator;
    network->trace = config->trace;
    network->seed = config->seed;
    network->now = config->start;
    return network;
}

static void free_packets(struct ltcp_network *network, struct ring *ring)
{
    for (; ring->count > 0; ring_pop(ring)) {
        struct ltcp_packet **packet = ring_at(ring, 0, sizeof *packet);
        ltcp_packet_unref(*packet);
    }
    ring_free(ring, network->allocator, sizeof(struct ltcp_packet *));
}

static void free_node(struct ltcp_network *network, struct node *node)
{
    free_packets(network, &node->inbox);
    routes_free(&node->routes, network->allocator);
    memory_give(network->allocator, node->attachments,
                (size_t)node->attachment_room * sizeof *node->attachments);
    memory_give(network->allocator, node, sizeof *node);
}

static void free_link(struct ltcp_network *network, struct link *link)
{
    for (int i = 0; i < 2; i++) {
        ltcp_path_destroy(link->direction[i].path);
        free_packets(network, &link->direction[i].exits);
    }
    rules_free(&link->rules, network->allocator);
    memory_give(network->allocator, link, sizeof *link);
}

void ltcp_network_destroy(struct ltcp_network *network)
{
    if (network == NULL) return;
    const struct ltcp_allocator *a = network->allocator;
    for (; network->entering.count > 0; ring_pop(&network->entering)) {
        struct entering *entering = ring_at(&network->entering, 0, sizeof *entering);
        ltcp_packet_unref(entering->packet);
    }
    for (uint32_t i = 0; i < network->node_count; i++)
        free_node(network, network->nodes[i]);
    for (uint32_t i = 0; i < network->link_count; i++)
        free_link(network, network->links[i]);
    capture_limit(&network->capture, a, 0);
    memory_give(a, network->choices.script, network->choices.length);
    alarms_free(&network->alarms, a);
    event_queue_free(&network->events, a);
    ring_free(&network->entering, a, sizeof(struct entering));
    ring_free(&network->touched, a, sizeof(uint32_t));
    ring_free(&network->reports, a, sizeof(struct report));
    memory_give(a, network->nodes, (size_t)network->node_room * sizeof *network->nodes);
    memory_give(a, network->links, (size_t)network->link_room * sizeof *network->links);
    memory_give(a, network->sources, (size_t)network->source_room * sizeof *network->sources);
    memory_give(a, network, sizeof *network);
}

ltcp_time ltcp_network_now(const struct ltcp_network *network)
{
    return network->now;
}

uint32_t network_add_source(struct ltcp_network *network, const struct event_source *source)
{
    void *sources = memory_grow(network->allocator, network->sources, &network->source_room,
                                network->source_count + 1, sizeof *network->sources);
    if (sources == NULL) return LTCP_NOWHERE;
    network->sources = sources;
    if (!event_queue_reserve(&network->events, network->allocator, network->source_count + 1))
        return LTCP_NOWHERE;
    network->sources[network->source_count] = *source;
    return network->source_count++;
}

/* Each host is touched once at most, each node and exit reported once: with room for all of them,
 * neither is ever lost for want of memory. */
static bool reserve_rings(struct ltcp_network *network)
{
    uint32_t nodes = network->node_count + 1, exits = 2 * (network->link_count + 1);
    while (network->touched.room < nodes)
        if (!ring_grow(&network->touched, network->allocator, sizeof(uint32_t))) return false;
    while (network->reports.room < nodes + exits)
        if (!ring_grow(&network->reports, network->allocator, sizeof(struct report))) return false;
    return true;
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

static enum ltcp_status add_node(struct ltcp_network *network, enum node_kind kind,
                                 struct node **out, uint32_t *number)
{
    const struct ltcp_allocator *a = network->allocator;
    void *nodes = memory_grow(a, network->nodes, &network->node_room, network->node_count + 1,
                              sizeof *network->nodes);
    if (nodes == NULL) return LTCP_ERR_NO_MEMORY;
    network->nodes = nodes;
    if (!reserve_rings(network)) return LTCP_ERR_NO_MEMORY;
    struct node *node = memory_take(a, sizeof *node);
    if (node == NULL) return LTCP_ERR_NO_MEMORY;
    node->kind = kind;
    node->source = LTCP_NOWHERE;
    node->icmp_tokens = ICMP_BURST;
    node->icmp_time = network->now;
    *number = network->node_count++;
    network->nodes[*number] = node;
    *out = node;
    return LTCP_OK;
}

enum ltcp_status ltcp_network_add_host(struct ltcp_network *network, struct ltcp_host *host,
                                       uint32_t *number)
{
    struct event_source source = {.kind = SOURCE_HOST, .number = network->node_count};
    uint32_t added = network_add_source(network, &source);
    if (added == LTCP_NOWHERE) return LTCP_ERR_NO_MEMORY;
    struct node *node;
    enum ltcp_status status = add_node(network, NODE_HOST, &node, number);
    if (status != LTCP_OK) return status;
    node->host = host;
    node->source = added;
    ltcp_network_touch(network, *number); /* it may have lived before */
    return LTCP_OK;
}

enum ltcp_status ltcp_network_add_router(struct ltcp_network *network, uint32_t *number)
{
    struct node *node;
    return add_node(network, NODE_ROUTER, &node, number);
}

enum ltcp_status ltcp_network_add_peer(struct ltcp_network *network, uint32_t *number)
{
    struct node *node;
    return add_node(network, NODE_PEER, &node, number);
}

/* ---- links ------------------------------------------------------------------------------------
 */

static bool end_is_valid(const struct ltcp_network *network, const struct ltcp_link_config *config,
                         int i)
{
    const struct ltcp_link_end *end = &config->end[i];
    if (end->address_count > 2) return false;
    for (int j = 0; j < end->address_count; j++)
        if (end->prefix_lengths[j] > (ltcp_address_is_v4(&end->addresses[j]) ? 32 : 128))
            return false;
    if (end->node == LTCP_NOWHERE) return config->tunnel;
    return end->node < network->node_count;
}

static bool link_is_valid(const struct ltcp_network *network, const struct ltcp_link_config *config)
{
    if (config->mtu != 0 && (config->mtu < SMALLEST_MTU || config->mtu > GREATEST_MTU))
        return false;
    if (config->end[0].node == config->end[1].node && config->end[0].node != LTCP_NOWHERE)
        return false;
    return end_is_valid(network, config, 0) && end_is_valid(network, config, 1);
}

/* The stream of a path is named by the link's number and the direction, so that it does not change
 * when anything else does. */
static enum ltcp_status make_path(struct ltcp_network *network, struct link *link,
                                  const struct ltcp_path_config *config, uint32_t number,
                                  unsigned direction)
{
    struct ltcp_path_config own = *config;
    if (own.seed == 0) {
        own.seed = network->seed;
        own.stream = ltcp_random_stream("link") ^ ((uint64_t)number << 1 | direction);
    }
    struct direction *d = &link->direction[direction];
    struct event_source source = {
        .kind = SOURCE_PATH, .number = number, .direction = (uint8_t)direction};
    d->source = network_add_source(network, &source);
    d->armed_time = LTCP_NEVER;
    if (d->source == LTCP_NOWHERE) return LTCP_ERR_NO_MEMORY;
    enum ltcp_status status = ltcp_path_create(network->pool, &own, &d->path);
    if (status == LTCP_OK) path_set_origin(d->path, network->now);
    return status;
}

/* The node's number for the link: what its host says, or the next one. */
static enum ltcp_status attach(struct ltcp_network *network, struct link *link, uint32_t number,
                               unsigned end)
{
    struct link_side *side = &link->side[end];
    struct node *node = network_node(network, side->node);
    side->interface = node->attachment_count;
    if (node->kind == NODE_HOST) {
        enum ltcp_status status = ltcp_host_add_interface(node->host, link->mtu, &side->interface);
        if (status != LTCP_OK) return status;
    }
    void *attachments = memory_grow(network->allocator, node->attachments, &node->attachment_room,
                                    side->interface + 1, sizeof *node->attachments);
    if (attachments == NULL) return LTCP_ERR_NO_MEMORY;
    node->attachments = attachments;
    for (; node->attachment_count <= side->interface; node->attachment_count++)
        node->attachments[node->attachment_count].link = LTCP_NOWHERE;
    node->attachments[side->interface] = (struct attachment){number, (uint8_t)end};
    return LTCP_OK;
}

static enum ltcp_status add_addresses(struct ltcp_network *network, struct link *link,
                                      const struct ltcp_link_end *end, uint32_t number, unsigned i)
{
    struct node *node = network_node(network, end->node);
    for (int j = 0; j < end->address_count; j++) {
        const struct ltcp_address *address = &end->addresses[j];
        enum ltcp_status status = LTCP_OK;
        if (node->kind == NODE_HOST)
            status = ltcp_host_add_address(node->host, link->side[i].interface, address,
                                           end->prefix_lengths[j]);
        struct route own = {.prefix = *address, .link = ROUTE_LOCAL};
        own.length = ltcp_address_is_v4(address) ? 32 : 128;
        struct route subnet = {.prefix = *address,
                               .length = end->prefix_lengths[j],
                               .connected = true,
                               .link = number};
        if (status == LTCP_OK && node->kind == NODE_ROUTER)
            status = routes_add(&node->routes, network->allocator, &own);
        if (status == LTCP_OK) status = routes_add(&node->routes, network->allocator, &subnet);
        if (status != LTCP_OK) return status;
        link->side[i].addresses[link->side[i].address_count++] = *address;
    }
    return LTCP_OK;
}

static enum ltcp_status build_link(struct ltcp_network *network, struct link *link,
                                   const struct ltcp_link_config *config, uint32_t number)
{
    for (unsigned i = 0; i < 2; i++) {
        enum ltcp_status status = make_path(network, link, &config->end[i].path, number, i);
        if (status != LTCP_OK) return status;
    }
    for (unsigned i = 0; i < 2; i++) {
        link->side[i].node = config->end[i].node;
        if (link->side[i].node == LTCP_NOWHERE) continue;
        enum ltcp_status status = attach(network, link, number, i);
        if (status == LTCP_OK) status = add_addresses(network, link, &config->end[i], number, i);
        if (status != LTCP_OK) return status;
    }
    return LTCP_OK;
}

enum ltcp_status ltcp_network_add_link(struct ltcp_network *network,
                                       const struct ltcp_link_config *config, uint32_t *number)
{
    if (!link_is_valid(network, config)) return LTCP_ERR_INVALID;
    const struct ltcp_allocator *a = network->allocator;
    void *links = memory_grow(a, network->links, &network->link_room, network->link_count + 1,
                              sizeof *network->links);
    if (links == NULL) return LTCP_ERR_NO_MEMORY;
    network->links = links;
    if (!reserve_rings(network)) return LTCP_ERR_NO_MEMORY;
    struct link *link = memory_take(a, sizeof *link);
    if (link == NULL) return LTCP_ERR_NO_MEMORY;
    link->mtu = config->mtu == 0 ? DEFAULT_MTU : config->mtu;
    link->tunnel = config->tunnel;
    link->rules.seed = network->seed;
    link->rules.stream = network->link_count;
    link->side[0].node = link->side[1].node = LTCP_NOWHERE;
    enum ltcp_status status = build_link(network, link, config, network->link_count);
    /* A link that could not be finished stays, unused: a host cannot take an interface back. */
    bool paths = link->direction[0].path != NULL && link->direction[1].path != NULL;
    if (!paths) {
        free_link(network, link);
        return status;
    }
    *number = network->link_count++;
    network->links[*number] = link;
    return status;
}

struct ltcp_path *ltcp_network_path(struct ltcp_network *network, uint32_t link, unsigned direction)
{
    struct link *l = network_link(network, link);
    return l == NULL || direction > 1 ? NULL : l->direction[direction].path;
}

uint32_t ltcp_network_interface(const struct ltcp_network *network, uint32_t node, uint32_t link)
{
    const struct link *l = network_link(network, link);
    if (l == NULL || node == LTCP_NOWHERE) return LTCP_NOWHERE;
    for (int i = 0; i < 2; i++)
        if (l->side[i].node == node) return l->side[i].interface;
    return LTCP_NOWHERE;
}

enum ltcp_status ltcp_network_set_mtu(struct ltcp_network *network, uint32_t link, uint32_t mtu)
{
    struct link *l = network_link(network, link);
    if (l == NULL || mtu < SMALLEST_MTU || mtu > GREATEST_MTU) return LTCP_ERR_INVALID;
    for (int i = 0; i < 2; i++) {
        struct node *node = network_node(network, l->side[i].node);
        if (node == NULL || node->kind != NODE_HOST) continue;
        enum ltcp_status status = ltcp_host_set_mtu(node->host, l->side[i].interface, mtu);
        if (status != LTCP_OK) return status;
        ltcp_network_touch(network, l->side[i].node);
    }
    l->mtu = mtu;
    return LTCP_OK;
}

enum ltcp_status ltcp_network_add_route(struct ltcp_network *network, uint32_t number,
                                        const struct ltcp_address *destination,
                                        uint8_t prefix_length, uint32_t link)
{
    struct node *node = network_node(network, number);
    uint32_t interface = ltcp_network_interface(network, number, link);
    if (node == NULL || interface == LTCP_NOWHERE) return LTCP_ERR_INVALID;
    struct route route = {.prefix = *destination, .length = prefix_length, .link = link};
    enum ltcp_status status = routes_add(&node->routes, network->allocator, &route);
    if (status != LTCP_OK || node->kind != NODE_HOST) return status;
    return ltcp_host_add_route(node->host, destination, prefix_length, interface);
}

/* ---- rules ------------------------------------------------------------------------------------
 */

enum ltcp_status ltcp_network_add_rule(struct ltcp_network *network, uint32_t link,
                                       const struct ltcp_rule *rule, uint32_t *id)
{
    struct link *l = network_link(network, link);
    if (l == NULL) return LTCP_ERR_INVALID;
    return rules_add(&l->rules, network->allocator, rule, id);
}

enum ltcp_status ltcp_network_remove_rule(struct ltcp_network *network, uint32_t link, uint32_t id)
{
    struct link *l = network_link(network, link);
    if (l == NULL) return LTCP_ERR_INVALID;
    return rules_remove(&l->rules, network->allocator, id);
}

enum ltcp_status ltcp_network_rule_counts(const struct ltcp_network *network, uint32_t link,
                                          uint32_t id, uint64_t *matched, uint64_t *answered)
{
    const struct link *l = network_link(network, link);
    const struct rule_entry *entry = l == NULL ? NULL : rules_get(&l->rules, id);
    if (entry == NULL) return LTCP_ERR_INVALID;
    *matched = entry->matched;
    *answered = entry->answered;
    return LTCP_OK;
}

/* ---- alarms, listening, captures --------------------------------------------------------------
 */

enum ltcp_status ltcp_network_set_alarm(struct ltcp_network *network, ltcp_time when, uint64_t id)
{
    struct alarms *alarms = &network->alarms;
    uint32_t slot = alarms_find(alarms, id);
    if (when == LTCP_NEVER) {
        ltcp_network_cancel_alarm(network, id);
        return LTCP_OK;
    }
    if (slot == NO_ALARM) slot = alarms_add(alarms, network->allocator, id);
    if (slot == NO_ALARM) return LTCP_ERR_NO_MEMORY;
    if (!alarms->slots[slot].has_source) {
        struct event_source source = {.kind = SOURCE_ALARM, .number = slot};
        uint32_t added = network_add_source(network, &source);
        if (added == LTCP_NOWHERE) {
            alarms_remove(alarms, slot);
            return LTCP_ERR_NO_MEMORY;
        }
        alarms->slots[slot].source = added;
        alarms->slots[slot].has_source = true;
    }
    event_queue_set(&network->events, alarms->slots[slot].source, when, ++network->serial);
    return LTCP_OK;
}

void ltcp_network_cancel_alarm(struct ltcp_network *network, uint64_t id)
{
    uint32_t slot = alarms_find(&network->alarms, id);
    if (slot == NO_ALARM) return;
    event_queue_remove(&network->events, network->alarms.slots[slot].source);
    alarms_remove(&network->alarms, slot);
}

void ltcp_network_listen(struct ltcp_network *network, uint32_t mask)
{
    if (network->trace == NULL) return;
    if (network->listen_mask == 0) network->listen_serial = ltcp_trace_serial(network->trace);
    network->listen_mask = mask;
}

enum ltcp_status ltcp_network_capture(struct ltcp_network *network, size_t limit)
{
    capture_limit(&network->capture, network->allocator, limit);
    return LTCP_OK;
}

bool ltcp_network_next_captured(struct ltcp_network *network, struct ltcp_captured *out)
{
    return capture_next(&network->capture, out);
}

uint64_t ltcp_network_captures_missed(const struct ltcp_network *network)
{
    return network->capture.missed;
}
