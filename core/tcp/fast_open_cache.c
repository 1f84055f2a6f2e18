/* core/tcp/fast_open_cache.c
 *
 * RFC 7413 section 4.1.3: at most one cookie a pair of addresses, the MSS that came with it, and
 * the ports where Fast Open failed (4.1.3.1). A table of fixed size in sets of four, the entry that
 * was used least recently gives way: servers that a client talks to cost it no more than that. */
#include <string.h>

#include "tcp/fast_open.h"

enum { SETS = 64, WAYS = 4 };

struct ltcp_fast_open_cache {
    uint64_t uses;
    struct ltcp_fast_open_entry entries[SETS * WAYS];
};

/* A client chooses its servers itself, so nobody else can make the sets collide. */
static uint32_t set_of(const struct ltcp_address *local, const struct ltcp_address *remote)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < sizeof local->bytes; i++)
        hash = (hash ^ (uint32_t)(local->bytes[i] << 8) ^ remote->bytes[i]) * 16777619u;
    return (hash ^ hash >> 16) % SETS * WAYS;
}

static bool is_of(const struct ltcp_fast_open_entry *entry, const struct ltcp_address *local,
                  const struct ltcp_address *remote)
{
    return entry->last_use != 0 && ltcp_address_equal(&entry->local, local) &&
           ltcp_address_equal(&entry->remote, remote);
}

struct ltcp_fast_open_entry *fast_open_find(struct ltcp_engine *e, const struct ltcp_address *local,
                                            const struct ltcp_address *remote)
{
    struct ltcp_fast_open_cache *cache = e->fast_open;
    if (cache == NULL) return NULL;
    struct ltcp_fast_open_entry *set = &cache->entries[set_of(local, remote)];
    for (int i = 0; i < WAYS; i++) {
        if (!is_of(&set[i], local, remote)) continue;
        set[i].last_use = ++cache->uses;
        return &set[i];
    }
    return NULL;
}

/* RFC7413:4.1.3-1, RFC7413:4.1.3-2 */
struct ltcp_fast_open_entry *fast_open_remember(struct ltcp_engine *e,
                                                const struct ltcp_address *local,
                                                const struct ltcp_address *remote)
{
    if (e->fast_open == NULL) e->fast_open = engine_zeroed(e, sizeof *e->fast_open);
    if (e->fast_open == NULL) return NULL;
    struct ltcp_fast_open_entry *known = fast_open_find(e, local, remote);
    if (known != NULL) return known;
    struct ltcp_fast_open_entry *set = &e->fast_open->entries[set_of(local, remote)];
    struct ltcp_fast_open_entry *oldest = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].last_use < oldest->last_use) oldest = &set[i];
    memset(oldest, 0, sizeof *oldest);
    oldest->local = *local;
    oldest->remote = *remote;
    oldest->last_use = ++e->fast_open->uses;
    return oldest;
}

void fast_open_forget(struct ltcp_engine *e)
{
    if (e->fast_open == NULL) return;
    engine_resize(e, e->fast_open, sizeof *e->fast_open, 0);
    e->fast_open = NULL;
}

const struct ltcp_fast_open_entry *fast_open_at(const struct ltcp_engine *e, size_t i)
{
    return e->fast_open != NULL && i < SETS * WAYS ? &e->fast_open->entries[i] : NULL;
}
