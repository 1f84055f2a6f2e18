/* core/host/host.c - a host's life, packets in and out, time, events. */
#include <string.h>

#include "host/fast_open.h"
#include "tcp/authentication.h"
#include "tcp/path_cache.h"

struct ltcp_host *ltcp_host_create(const struct ltcp_host_config *config)
{
    const struct ltcp_allocator *a = ltcp_pool_allocator(config->pool);
    struct ltcp_host *host = a->resize(a->context, NULL, 0, sizeof *host);
    if (host == NULL) return NULL;
    memset(host, 0, sizeof *host);
    host->engine.pool = config->pool;
    host->engine.trace = config->trace;
    host->engine.id = config->id;
    host->secret = config->secret;
    host->engine.secret = &host->secret;
    host->share = share_create(&host->engine,
                               config->settings != NULL ? config->settings : &ltcp_profile_rfc);
    if (host->share != NULL) {
        memory_set_limits(&host->engine, &host->share->settings);
        device_set(&host->engine, &host->share->settings);
    }
    host->engine.nobody = engine_zeroed(&host->engine, sizeof *host->engine.nobody);
    fast_open_first_key(host);
    if (host->share != NULL && host->engine.nobody != NULL) return host;
    engine_resize(&host->engine, host->engine.nobody, sizeof *host->engine.nobody, 0);
    share_unref(&host->engine, host->share);
    engine_resize(&host->engine, host, sizeof *host, 0);
    return NULL;
}

void ltcp_host_destroy(struct ltcp_host *host)
{
    if (host == NULL) return;
    struct ltcp_engine *e = &host->engine;
    fragments_free(host);
    for (uint32_t i = 0; i < host->slot_capacity; i++) {
        struct ltcp_connection *c = slot_connection(host, i);
        if (c == NULL) continue;
        if (c->rare != NULL && c->rare->aside != NULL) time_wait_free(host, c->rare->aside);
        demultiplexer_remove(host, &c->flow);
        connection_destroy(c);
    }
    for (uint32_t i = 0; host->buckets != NULL && i <= host->bucket_mask; i++)
        while (host->buckets[i] != NULL)
            time_wait_end(host, flow_time_wait(host->buckets[i]));
    while (host->listeners != NULL) {
        struct ltcp_listener *l = host->listeners;
        host->listeners = l->next;
        children_free(l);
        share_unref(e, l->share);
        engine_resize(e, l, sizeof *l, 0);
    }
    listener_table_free(host);
    engine_close(e);
    engine_resize(e, host->slots, host->slot_capacity * sizeof *host->slots, 0);
    if (host->buckets != NULL)
        engine_resize(e, host->buckets, ((size_t)host->bucket_mask + 1) * sizeof(void *), 0);
    engine_resize(e, host->spent, host->spent != NULL ? sizeof *host->spent : 0, 0);
    engine_resize(e, host->interfaces, host->interface_count * sizeof *host->interfaces, 0);
    engine_resize(e, host->addresses, host->address_count * sizeof *host->addresses, 0);
    engine_resize(e, host->routes, host->route_count * sizeof *host->routes, 0);
    share_unref(e, host->share);
    engine_resize(e, host, sizeof *host, 0);
}

const struct ltcp_settings *ltcp_host_settings(const struct ltcp_host *host)
{
    return &host->share->settings;
}

enum ltcp_status ltcp_host_set_settings(struct ltcp_host *host,
                                        const struct ltcp_settings *settings)
{
    struct ltcp_share *share = share_create(&host->engine, settings);
    if (share == NULL) return LTCP_ERR_NO_MEMORY;
    share_unref(&host->engine, host->share);
    host->share = share;
    memory_set_limits(&host->engine, settings);
    device_set(&host->engine, settings);
    return LTCP_OK;
}

struct ltcp_connection *host_connection_create(struct ltcp_host *host, struct ltcp_share *share)
{
    if (!deadlines_reserve(&host->engine, host->counters.connections + host->time_wait_records + 1))
        return NULL;
    struct ltcp_connection *c = connection_create(&host->engine, share);
    if (c == NULL) return NULL;
    c->handle = handle_create(host, c, LTCP_SLOT_CONNECTION);
    if (c->handle == 0) {
        connection_destroy(c);
        return NULL;
    }
    host->counters.connections++;
    return c;
}

void host_connection_start(struct ltcp_host *host, struct ltcp_connection *c, ltcp_time now,
                           uint32_t interface, const struct ltcp_arrival *syn)
{
    const struct ltcp_settings *s = settings_of(c);
    if (host->engine.keys != NULL && !authentication_open(c)) return;
    c->interface = (uint16_t)interface;
    c->link_mtu = (uint16_t)host->interfaces[interface].least_mtu;
    c->path_mtu = (uint16_t)host->interfaces[interface].mtu;
    if (s->path_mtu != 0 && s->path_mtu < c->path_mtu) c->path_mtu = (uint16_t)s->path_mtu;
    path_cache_open(c, now);
    ltcp_seq iss = isn_choose(host, &c->flow, s, now);
    /* RFC9293:MAY-2, RFC 6191: past all that the connection before it has used. */
    if (syn != NULL && syn->replaces && seq_le(iss, syn->beyond)) iss = seq_add(syn->beyond, 65537);
    if (syn != NULL && syn->from_cookie) iss = syn->cookie;
    handshake_start(c, now, iss, timestamp_choose(host, &c->flow, s, now));
}

void host_connection_destroy(struct ltcp_host *host, struct ltcp_connection *c)
{
    demultiplexer_remove(host, &c->flow);
    handle_destroy(host, c->handle);
    host->counters.connections--;
    connection_destroy(c);
}

static void settle_closed(struct ltcp_host *host, struct ltcp_connection *c)
{
    if (c->listener != NULL && !c->in_accept_queue) listener_child_gone(c);
    if (c->released && !c->pending && !c->queued_event && !c->in_accept_queue)
        host_connection_destroy(host, c);
}

void host_settle_changed(struct ltcp_host *host)
{
    struct ltcp_engine *e = &host->engine;
    while (e->changed != NULL) {
        struct ltcp_connection *c = e->changed;
        e->changed = c->next_changed;
        c->changed = false;
        if (c->listener != NULL && c->state >= LTCP_ESTABLISHED) listener_child_ready(c);
        fast_open_settle(host, c);
        if (c->state == LTCP_CLOSED && host->cookie.known) syn_cookie_spend(host, c);
        if (c->state == LTCP_CLOSED) demultiplexer_remove(host, &c->flow);
        time_wait_settle(host, c);
        if (c->state == LTCP_TIME_WAIT)
            time_wait_fold(host, c);
        else if (c->state == LTCP_CLOSED)
            settle_closed(host, c);
    }
}

/* ---- packets in
 * ------------------------------------------------------------------------------------ */

enum ltcp_status segment_to_listener(struct ltcp_host *host, struct ltcp_arrival *a)
{
    struct ltcp_listener *l =
        listener_find(host, &a->ip->destination, a->segment->destination_port);
    if (l != NULL) return listener_segment_arrives(l, a);
    a->reset = true; /* CLOSED: section 3.10.7.1 */
    return LTCP_OK;
}

static enum ltcp_status dispatch(struct ltcp_host *host, struct ltcp_arrival *a)
{
    struct ltcp_flow *flow =
        demultiplexer_find(host, &a->ip->destination, a->segment->destination_port, &a->ip->source,
                           a->segment->source_port);
    a->connection = flow_connection(flow);
    if (host->engine.keys != NULL || (a->segment->options.present & LTCP_SIGNATURES)) {
        const enum ltcp_status verified = authentication_admit(host, a);
        if (verified != LTCP_OK) return verified;
    }
    if (flow == NULL) {
        /* RFC9293:MUST-57, MUST-63: such addresses are not answered, whatever they send. */
        if (!address_is_local(host, &a->ip->destination) || !address_is_peer(host, &a->ip->source))
            return LTCP_ERR_ADDRESS;
        return segment_to_listener(host, a);
    }
    struct ltcp_connection *c = flow_connection(flow);
    enum ltcp_status status = LTCP_OK;
    if (c == NULL) return time_wait_segment_arrives(host, flow_time_wait(flow), a);
    if (c->state == LTCP_TIME_WAIT && time_wait_gives_way(host, c, a, &status)) return status;
    segment_arrives(c, a);
    return LTCP_OK;
}

static enum ltcp_status segment_in(struct ltcp_host *host, ltcp_time now,
                                   struct ltcp_packet *packet, const struct ltcp_ip *ip)
{
    struct ltcp_segment segment;
    const enum ltcp_status read = ltcp_segment_decode(packet, ip, &segment);
    if (read != LTCP_OK) return read; /* RFC9293:MUST-3, MUST-7 */
    if (segment.options.present & LTCP_OPTIONS_LOOKED_AT) options_look(host, &segment);
    struct ltcp_arrival a = {.now = now,
                             .packet = packet,
                             .ip = ip,
                             .segment = &segment,
                             .seq = segment.seq,
                             .length = segment.length,
                             .text = segment.payload,
                             .flags = segment.flags};
    struct ltcp_ip scoped;
    if (ip->version == 6 &&
        (address_is_link_local(&ip->destination) || address_is_link_local(&ip->source))) {
        scoped = *ip; /* RFC4007:9-2: the link that it came by is its zone */
        ip_give_zone(&scoped, packet);
        a.ip = &scoped;
    }
    const enum ltcp_status status = dispatch(host, &a);
    if (a.reset) reply_reset(host, &a);
    return status;
}

/* Whatever its TTL or Hop Limit: it has arrived (RFC8200:3-2, RFC1122:3.2.1.7-2). What is for
 * somebody else is dropped without a word (RFC1122:3.2.1.3-1). */
static enum ltcp_status deliver(struct ltcp_host *host, ltcp_time now, struct ltcp_packet *packet,
                                const struct ltcp_ip *ip)
{
    if (ip->protocol == LTCP_PROTOCOL_TCP) return segment_in(host, now, packet, ip);
    struct ltcp_ip scoped = *ip;
    ip_give_zone(&scoped, packet);
    if (!address_is_local(host, &scoped.destination)) return LTCP_ERR_ADDRESS;
    if (ip->protocol == LTCP_PROTOCOL_ICMP || ip->protocol == LTCP_PROTOCOL_ICMPV6)
        return icmp_arrives(host, now, packet, &scoped);
    icmp_refuse(host, now, packet, &scoped);
    return LTCP_ERR_PROTOCOL;
}

static enum ltcp_status receive(struct ltcp_host *host, ltcp_time now, struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    struct ltcp_packet *whole;
    enum ltcp_status read = ltcp_ip_decode(packet, &ip);
    if (read == LTCP_OK && ip.protocol == LTCP_PROTOCOL_TCP)
        return segment_in(host, now, packet, &ip);
    if (read == LTCP_OK) return deliver(host, now, packet, &ip);
    read = packet_mend(host, now, packet, read, &whole);
    if (whole == NULL) return read;
    read = ltcp_ip_decode(whole, &ip);
    if (read == LTCP_OK) read = deliver(host, now, whole, &ip);
    ltcp_packet_unref(whole);
    return read;
}

enum ltcp_status ltcp_host_receive(struct ltcp_host *host, ltcp_time now,
                                   struct ltcp_packet *packet)
{
    host->counters.packets_received++;
    const enum ltcp_status status = receive(host, now, packet);
    host_settle(host);
    if (status == LTCP_OK) return status;
    host->counters.refused[status]++;
    if (host->engine.trace != NULL)
        ltcp_trace_event(host->engine.trace, &(struct ltcp_trace_event){.time = now,
                                                                        .host = host->engine.id,
                                                                        .kind = LTCP_TRACE_REFUSED,
                                                                        .status = (uint8_t)status});
    return status;
}

/* ---- packets out, time, events
 * ----------------------------------------------------------------------- */

/* It has more, and no other comes in between. */
static void wants_more(struct ltcp_engine *e, struct ltcp_connection *c)
{
    e->out_cut = false;
    if (c->pending) return;
    c->pending = true;
    c->next_pending = e->pending_first;
    if (e->pending_first == NULL) e->pending_last = c;
    e->pending_first = c;
}

/* The first that waits is a burst that the connection which goes on will add to. */
static bool may_grow(const struct ltcp_engine *e)
{
    return e->pending_first != NULL && e->out_first == e->out_last && e->out_first->burst != NULL;
}

size_t ltcp_host_transmit(struct ltcp_host *host, ltcp_time now, struct ltcp_packet **packets,
                          size_t room)
{
    struct ltcp_engine *e = &host->engine;
    e->out_room = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
    while (e->pending_first != NULL && e->out_count < room) {
        struct ltcp_connection *c = e->pending_first;
        e->pending_first = c->next_pending;
        c->pending = false;
        output_run(c, now);
        if (e->out_cut) wants_more(e, c);
        if (c->state == LTCP_CLOSED || c->state == LTCP_TIME_WAIT) connection_changed(c);
    }
    size_t n = 0;
    uint32_t segments = 0;
    while (n < room && e->out_first != NULL && (n == 0 || !may_grow(e))) {
        packets[n] = e->out_first;
        e->out_first = e->out_first->next;
        segments += ltcp_packet_segments(packets[n]);
        packets[n++]->next = NULL;
    }
    e->out_count -= segments;
    host->counters.packets_sent += segments;
    host_settle(host);
    return n;
}

void ltcp_host_gather(struct ltcp_host *host, uint32_t interfaces, uint32_t overhead)
{
    host->engine.gathers = interfaces;
    host->engine.gather_overhead = overhead;
}

ltcp_time ltcp_host_next_deadline(const struct ltcp_host *host)
{
    const ltcp_time timers = host->engine.heap_count > 0 ? host->engine.heap[0].when : LTCP_NEVER;
    if (host->partials.count == 0 || host->partials.deadline > timers) return timers;
    return host->partials.deadline;
}

void ltcp_host_advance(struct ltcp_host *host, ltcp_time now)
{
    struct ltcp_connection *c;
    struct ltcp_time_wait *w;
    while (deadlines_pop(&host->engine, now, &c, &w))
        if (c != NULL)
            timers_fire(c, now);
        else
            time_wait_expire(host, w, now);
    if (host->partials.count > 0 && host->partials.deadline <= now) fragments_expire(host, now);
    host_settle(host);
}

bool ltcp_host_has_output(const struct ltcp_host *host)
{
    return host->engine.pending_first != NULL || host->engine.out_first != NULL;
}

bool ltcp_host_has_events(const struct ltcp_host *host)
{
    return host->engine.event_first != NULL || host->listener_event_first != NULL;
}

static bool next_listener_event(struct ltcp_host *host, struct ltcp_event *out)
{
    struct ltcp_listener *l = host->listener_event_first;
    if (l == NULL) return false;
    listener_forget_event(l);
    *out = (struct ltcp_event){l->handle, l->events, LTCP_OK};
    l->events = 0;
    return true;
}

bool ltcp_host_next_event(struct ltcp_host *host, struct ltcp_event *out)
{
    struct ltcp_engine *e = &host->engine;
    if (next_listener_event(host, out)) return true;
    struct ltcp_connection *c = e->event_first;
    if (c == NULL) return false;
    e->event_first = c->next_event;
    c->queued_event = false;
    const uint8_t status = c->state == LTCP_CLOSED ? c->error : c->soft_error;
    *out = (struct ltcp_event){c->handle, c->events, (enum ltcp_status)status};
    c->events = 0;
    return true;
}

const struct ltcp_host_counters *ltcp_host_counters(const struct ltcp_host *host)
{
    struct ltcp_host_counters *counters = &((struct ltcp_host *)(uintptr_t)host)->counters;
    const struct ltcp_memory *m = &host->engine.memory;
    /* These are kept where what they count happens. */
    counters->time_waits = host->engine.time_waits;
    counters->memory = m->used;
    counters->memory_pressed = m->pressed;
    counters->memory_pressures = m->pressures;
    counters->memory_windows_held = m->windows_held;
    counters->memory_pruned = m->pruned;
    counters->memory_dropped = m->dropped;
    counters->memory_orphans_ended = m->orphans_ended;
    counters->time_wait_records = host->time_wait_records;
    counters->time_waits_cut = host->engine.time_waits_cut;
    counters->orphans = host->engine.orphans;
    counters->options_malformed = host->engine.options.malformed;
    counters->options_misplaced = host->engine.options.misplaced;
    counters->options_repeated = host->engine.options.repeated;
    counters->options_invalid = host->engine.options.invalid;
    counters->paths_shared = host->engine.paths_shared;
    counters->device_dropped = host->engine.device_dropped;
    counters->orphans_cut = host->engine.orphans_cut;
    return &host->counters;
}
