/* core/host/check.c
 *
 * What must be true of a host between any two calls: of its connections (core/tcp/check.c), and of
 * what it keeps about them. Looked at in checked builds only. */
#include "host/host.h"

uint32_t ltcp_host_changes(const struct ltcp_host *host, enum ltcp_state from)
{
    return (unsigned)from < LTCP_STATE_COUNT ? host->engine.changes[from] : 0;
}

#if defined(LTCP_CHECK) && LTCP_CHECK

#define CONNECTIONS_A_CALL 64

static bool is_found(const struct ltcp_host *host, const struct ltcp_connection *c)
{
    if (host->buckets == NULL) return false;
    const struct ltcp_flow *flow = host->buckets[c->flow.hash & host->bucket_mask];
    while (flow != NULL && flow != &c->flow)
        flow = flow->next;
    return flow != NULL;
}

static const char *check_connection(struct ltcp_host *host, struct ltcp_connection *c)
{
    /* A TIME-WAIT steps aside for the connection that replaces it (RFC9293:MAY-2). */
    if (c->state != LTCP_CLOSED && c->state != LTCP_TIME_WAIT && !is_found(host, c))
        return "demultiplexer: what is open can be found (RFC 9293 section 3.10.7)";
    return connection_check(c);
}

static const char *check_host(const struct ltcp_host *host)
{
    if (host->engine.illegal[0] != '\0') return host->engine.illegal;
    for (const struct ltcp_listener *l = host->listeners; l != NULL; l = l->next)
        if (l->half_open > l->backlog && l->half_open > l->share->settings.syn_queue)
            return "a listener's backlog is not exceeded";
    return NULL;
}

const char *ltcp_host_check_next(struct ltcp_host *host, ltcp_handle *connection)
{
    const char *broken = check_host(host);
    uint32_t left = CONNECTIONS_A_CALL;
    *connection = 0;
    for (uint32_t i = 0; broken == NULL && left > 0 && i < host->slot_capacity; i++) {
        if (host->check_from >= host->slot_capacity) host->check_from = 0;
        struct ltcp_connection *c = slot_connection(host, host->check_from++);
        if (c == NULL) continue;
        broken = check_connection(host, c);
        if (broken != NULL) *connection = c->handle;
        left--;
    }
    return broken;
}

static uint64_t held_by_all(const struct ltcp_host *host)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < host->slot_capacity; i++) {
        const struct ltcp_connection *c = slot_connection(host, i);
        if (c == NULL) continue;
        held += c->unread;
        if (c->out != NULL) held += c->out->octets;
        if (c->ahead != NULL) held += c->ahead->octets;
    }
    return held;
}

const char *ltcp_host_check(const struct ltcp_host *host)
{
    struct ltcp_host *own = (struct ltcp_host *)(uintptr_t)host; /* what was seen is noted in it */
    const char *broken = check_host(host);
    for (uint32_t i = 0; broken == NULL && i < host->slot_capacity; i++)
        if (slot_connection(host, i) != NULL)
            broken = check_connection(own, slot_connection(host, i));
    if (broken == NULL && held_by_all(host) != host->engine.memory.used)
        broken = "memory: what the queues hold is counted";
    return broken;
}

#else

const char *ltcp_host_check_next(struct ltcp_host *host, ltcp_handle *connection)
{
    (void)host;
    *connection = 0;
    return NULL;
}

const char *ltcp_host_check(const struct ltcp_host *host)
{
    (void)host;
    return NULL;
}

#endif
