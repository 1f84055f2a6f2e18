/* core/host/digest.c
 *
 * Everything of a host that can matter for what it does from now on, in a digest (see
 * core/tcp/digest.c). A new field of struct ltcp_host, of listeners, interfaces or routes has to be
 * added here unless it only counts. */
#include "host/fast_open.h"
#include "tcp/authentication.h"
#include "tcp/digest.h"
#include "host/paths.h"

static void digest_addressing(struct digest *d, const struct ltcp_host *host)
{
    digest_word(d, host->interface_count);
    for (uint32_t i = 0; i < host->interface_count; i++)
        digest_word(d, (uint64_t)host->interfaces[i].mtu << 32 | host->interfaces[i].least_mtu);
    digest_word(d, host->address_count);
    for (uint32_t i = 0; i < host->address_count; i++) {
        digest_address(d, &host->addresses[i].address);
        digest_word(d,
                    (uint64_t)host->addresses[i].interface << 8 | host->addresses[i].prefix_length);
    }
    digest_word(d, host->route_count);
    for (uint32_t i = 0; i < host->route_count; i++) {
        digest_address(d, &host->routes[i].prefix);
        digest_word(d, (uint64_t)host->routes[i].interface << 8 | host->routes[i].prefix_length);
    }
}

static void digest_keys(struct digest *d, const struct ltcp_fast_open_keys *keys)
{
    digest_bytes(d, keys->keys, keys->count * (size_t)FAST_OPEN_KEY);
}

static void digest_fast_open_of(struct digest *d, const struct ltcp_listener *l)
{
    digest_keys(d, &l->fast_open_keys);
    digest_word(d, (uint64_t)l->fast_open_pending << 32 | l->fast_open_resets);
    digest_word(d, l->fast_open_before);
    if (l->fast_open_resets + l->fast_open_before > 0) digest_word(d, (uint64_t)l->fast_open_since);
}

/* What a client remembers; the order of use decides who gives way. */
static void digest_memory(struct digest *d, const struct ltcp_engine *e, ltcp_time now)
{
    const struct ltcp_fast_open_entry *k;
    for (size_t i = 0; (k = fast_open_at(e, i)) != NULL; i++) {
        if (k->last_use == 0) continue;
        digest_address(d, &k->local);
        digest_address(d, &k->remote);
        digest_bytes(d, k->cookie.bytes, k->cookie.length);
        digest_word(d,
                    (uint64_t)k->mss << 16 | (uint64_t)k->try_kind << 1 | k->cookie.experimental);
        digest_word(d, k->last_use);
        for (int j = 0; j < FAST_OPEN_PORTS; j++) {
            const bool holds = k->refused[j].until > now;
            digest_word(d, holds ? k->refused[j].port : 0);
            digest_time(d, now, holds ? k->refused[j].until : LTCP_NEVER);
        }
    }
}

/* The order in which they are asked is the order of their making. */
static void digest_listeners(struct digest *d, const struct ltcp_host *host, ltcp_time now)
{
    for (const struct ltcp_listener *l = host->listeners; l != NULL; l = l->next) {
        digest_word(d, (uint32_t)l->handle);
        digest_address(d, &l->local);
        digest_word(d, (uint64_t)l->local_port << 32 | l->backlog);
        digest_word(d, (uint64_t)l->half_open << 32 | l->waiting);
        digest_fast_open_of(d, l);
        digest_word(d, (uint64_t)l->events << 1 | l->queued_event);
        /* Cookies are made and found by the time of day. */
        if (l->share->settings.syn_cookies != 0) digest_word(d, (uint64_t)now);
        digest_time(d, now, l->cookies_until > now ? l->cookies_until : INT64_MIN);
        for (const struct ltcp_connection *c = l->accept_first; c != NULL; c = c->next_accept)
            digest_word(d, (uint32_t)c->handle);
        if (l->share != host->share) settings_digest(d, &l->share->settings);
    }
    for (const struct ltcp_listener *l = host->listener_event_first; l != NULL; l = l->next_event)
        digest_word(d, (uint32_t)l->handle);
}

static bool is_found(const struct ltcp_host *host, const struct ltcp_connection *c)
{
    if (host->buckets == NULL) return false;
    const struct ltcp_flow *flow = host->buckets[c->flow.hash & host->bucket_mask];
    while (flow != NULL && flow != &c->flow)
        flow = flow->next;
    return flow != NULL;
}

/* With several, the order of timers that are due at once counts as well. */
static void digest_connection(struct digest *d, const struct ltcp_host *host,
                              const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_listener *l = c->listener;
    digest_word(d, (uint32_t)c->handle);
    digest_word(d, is_found(host, c));
    digest_word(d, l != NULL ? (uint32_t)l->handle : 0);
    if (c->share != host->share) settings_digest(d, &c->share->settings);
    if (host->engine.heap_count > 1) {
        digest_word(d, c->heap_index);
        digest_time(d, now, c->armed);
    }
    connection_digest(d, c, now);
}

/* In whatever order they lie. */
static void digest_time_waits(struct digest *d, const struct ltcp_host *host, ltcp_time now)
{
    uint64_t all = 0;
    const struct ltcp_engine *e = &host->engine;
    for (uint32_t i = 0; i < e->heap_count; i++) {
        if (!(e->heap[i].who & 1)) continue;
        const struct ltcp_time_wait *w = (const struct ltcp_time_wait *)(e->heap[i].who - 1);
        struct digest one = digest_begin();
        digest_time(&one, now, e->heap[i].when);
        time_wait_digest(&one, w, now);
        if (w->share != host->share) settings_digest(&one, &w->share->settings);
        all += digest_end(one);
    }
    digest_word(d, all);
}

/* Connections in their lists: first come, first served. */
static void digest_lists(struct digest *d, const struct ltcp_engine *e)
{
    for (const struct ltcp_connection *c = e->pending_first; c != NULL; c = c->next_pending)
        digest_word(d, (uint32_t)c->handle);
    digest_word(d, 0);
    for (const struct ltcp_connection *c = e->event_first; c != NULL; c = c->next_event)
        digest_word(d, (uint32_t)c->handle);
    digest_word(d, 0);
    for (const struct ltcp_packet *p = e->out_first; p != NULL; p = p->next)
        digest_packet(d, p);
}

uint64_t ltcp_host_digest(const struct ltcp_host *host, ltcp_time now)
{
    struct digest d = digest_begin();
    const struct ltcp_settings *s = &host->share->settings;
    digest_word(&d, host->secret.k0);
    digest_word(&d, host->secret.k1);
    digest_word(&d, host->port_counter);
    if (s->challenge_ack_host_limit != 0) {
        digest_word(&d, host->engine.challenges);
        digest_word(&d, (uint64_t)(now - host->engine.challenge_second * LTCP_SECOND));
    }
    settings_digest(&d, s);
    /* Connections to come take their numbers from the clock (RFC 6528, RFC 7323 section 5.4). */
    if (s->isn < 0 || (s->timestamps && s->timestamp_offset < 0)) digest_word(&d, (uint64_t)now);
    digest_addressing(&d, host);
    digest_listeners(&d, host, now);
    digest_keys(&d, &host->fast_open_keys);
    if (host->spent != NULL) digest_bytes(&d, host->spent, sizeof *host->spent);
    digest_memory(&d, &host->engine, now);
    paths_digest(&d, host, now);
    fragments_digest(&d, host, now);
    icmp_digest(&d, host, now);
    for (uint32_t i = 0; i < host->slot_capacity; i++)
        if (slot_connection(host, i) != NULL)
            digest_connection(&d, host, slot_connection(host, i), now);
    digest_time_waits(&d, host, now);
    digest_lists(&d, &host->engine);
    if (host->engine.keys != NULL) keys_digest(&d, host->engine.keys);
    digest_word(&d, host->engine.memory.pressed);
    return digest_end(d);
}
