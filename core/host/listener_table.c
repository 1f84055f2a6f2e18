/* core/host/listener_table.c
 *
 * Listeners by address and port: however many there are, a SYN costs three places to look at. They
 * also stand in a list, newest first, and those with something to tell in another one. */
#include "host/host.h"

static uint32_t bucket_of(const struct ltcp_host *host, const struct ltcp_address *local,
                          uint16_t port)
{
    uint32_t hash = port * 2654435761u; /* they are our own: nobody else chooses them */
    for (int i = 0; i < 16; i++)
        hash = (hash ^ local->bytes[i]) * 16777619u;
    return (hash ^ hash >> 15) & host->listener_mask;
}

static void put(struct ltcp_host *host, struct ltcp_listener *l)
{
    struct ltcp_listener **bucket =
        &host->listener_buckets[bucket_of(host, &l->local, l->local_port)];
    l->next_here = *bucket;
    *bucket = l;
}

static bool grow(struct ltcp_host *host)
{
    const uint32_t old = host->listener_buckets == NULL ? 0 : host->listener_mask + 1;
    if (host->counters.listeners < old) return true;
    const uint32_t size = old == 0 ? 8 : 2 * old;
    struct ltcp_listener **buckets = engine_zeroed(&host->engine, size * sizeof(void *));
    if (buckets == NULL) return old != 0; /* longer chains, then */
    engine_resize(&host->engine, host->listener_buckets, old * sizeof(void *), 0);
    host->listener_buckets = buckets;
    host->listener_mask = size - 1;
    for (struct ltcp_listener *l = host->listeners; l != NULL; l = l->next)
        put(host, l);
    return true;
}

bool listener_add(struct ltcp_host *host, struct ltcp_listener *l)
{
    if (!grow(host)) return false;
    put(host, l);
    l->next = host->listeners;
    l->previous = NULL;
    if (l->next != NULL) l->next->previous = l;
    host->listeners = l;
    host->counters.listeners++;
    return true;
}

void listener_remove(struct ltcp_host *host, struct ltcp_listener *l)
{
    struct ltcp_listener **at = &host->listener_buckets[bucket_of(host, &l->local, l->local_port)];
    while (*at != l)
        at = &(*at)->next_here;
    *at = l->next_here;
    if (l->next != NULL) l->next->previous = l->previous;
    if (l->previous != NULL)
        l->previous->next = l->next;
    else
        host->listeners = l->next;
    host->counters.listeners--;
    listener_forget_event(l);
}

void listener_table_free(struct ltcp_host *host)
{
    if (host->listener_buckets == NULL) return;
    const size_t size = ((size_t)host->listener_mask + 1) * sizeof(void *);
    engine_resize(&host->engine, host->listener_buckets, size, 0);
}

struct ltcp_listener *listener_at(const struct ltcp_host *host, const struct ltcp_address *local,
                                  uint16_t port)
{
    if (host->listener_buckets == NULL) return NULL;
    struct ltcp_listener *l = host->listener_buckets[bucket_of(host, local, port)];
    while (l != NULL && (l->local_port != port || !ltcp_address_equal(&l->local, local)))
        l = l->next_here;
    return l;
}

/* The very address comes before 0.0.0.0, which is any of IPv4, and that before any at all. */
struct ltcp_listener *listener_find(const struct ltcp_host *host, const struct ltcp_address *local,
                                    uint16_t port)
{
    static const struct ltcp_address any_v4 = {{[10] = 0xff, [11] = 0xff}}, any;
    struct ltcp_listener *l = listener_at(host, local, port);
    if (l == NULL && ltcp_address_is_v4(local)) l = listener_at(host, &any_v4, port);
    return l != NULL ? l : listener_at(host, &any, port);
}

/* ---- those with something to tell ---------------------------------------------------------------
 */

void listener_event(struct ltcp_listener *l, uint32_t bits)
{
    struct ltcp_host *host = l->host;
    l->events |= bits;
    if (l->queued_event) return;
    l->queued_event = true;
    l->next_event = NULL;
    l->previous_event = host->listener_event_last;
    if (l->previous_event != NULL)
        l->previous_event->next_event = l;
    else
        host->listener_event_first = l;
    host->listener_event_last = l;
}

void listener_forget_event(struct ltcp_listener *l)
{
    struct ltcp_host *host = l->host;
    if (!l->queued_event) return;
    l->queued_event = false;
    if (l->next_event != NULL)
        l->next_event->previous_event = l->previous_event;
    else
        host->listener_event_last = l->previous_event;
    if (l->previous_event != NULL)
        l->previous_event->next_event = l->next_event;
    else
        host->listener_event_first = l->next_event;
}
