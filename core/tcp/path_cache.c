/* core/tcp/path_cache.c
 *
 * RFC1191:6.2-1, RFC8201:5.2-1, RFC4821:5.2-1: the path MTU belongs to the pair of addresses, not
 * to the connection that found it. A table of fixed size in sets of four, the entry that was used
 * least recently gives way; it is looked into when a connection opens, a router speaks, a probe has
 * its answer or a retransmission timer fires, and never for a segment. */
#include "tcp/path_cache.h"

#include <string.h>

#include "lunatcp/random.h"

enum { SETS = 64, WAYS = 4 };

struct ltcp_path_cache {
    uint64_t uses;
    struct ltcp_path_entry entries[SETS * WAYS];
};

/* Keyed: strangers choose their addresses. Whole ones: RFC4821:5.2-3. */
static struct ltcp_path_entry *set_of(const struct ltcp_engine *e, const struct ltcp_address *local,
                                      const struct ltcp_address *remote)
{
    uint8_t both[32];
    memcpy(both, local, 16);
    memcpy(both + 16, remote, 16);
    return &e->paths->entries[ltcp_siphash(e->secret, both, sizeof both) % SETS * WAYS];
}

static struct ltcp_path_entry *look_up(const struct ltcp_engine *e,
                                       const struct ltcp_address *local,
                                       const struct ltcp_address *remote)
{
    if (e->paths == NULL) return NULL;
    struct ltcp_path_entry *set = set_of(e, local, remote);
    for (int i = 0; i < WAYS; i++)
        if (set[i].last_use != 0 && ltcp_address_equal(&set[i].local, local) &&
            ltcp_address_equal(&set[i].remote, remote))
            return &set[i];
    return NULL;
}

/* RFC1191:6.3-1, RFC8201:5.3-1: what is too old is gone. */
static struct ltcp_path_entry *find(struct ltcp_engine *e, const struct ltcp_address *local,
                                    const struct ltcp_address *remote, ltcp_time now)
{
    struct ltcp_path_entry *known = look_up(e, local, remote);
    if (known == NULL) return NULL;
    if (now >= known->expires) {
        known->last_use = 0;
        return NULL;
    }
    known->last_use = ++e->paths->uses;
    return known;
}

const struct ltcp_path_entry *path_cache_find(struct ltcp_engine *e,
                                              const struct ltcp_address *local,
                                              const struct ltcp_address *remote, ltcp_time now)
{
    return find(e, local, remote, now);
}

static struct ltcp_path_entry *add(struct ltcp_engine *e, const struct ltcp_address *local,
                                   const struct ltcp_address *remote)
{
    if (e->paths == NULL) e->paths = engine_zeroed(e, sizeof *e->paths);
    if (e->paths == NULL) return NULL;
    struct ltcp_path_entry *set = set_of(e, local, remote), *oldest = set;
    for (int i = 1; i < WAYS; i++)
        if (set[i].last_use < oldest->last_use) oldest = &set[i];
    *oldest =
        (struct ltcp_path_entry){.local = *local, .remote = *remote, .last_use = ++e->paths->uses};
    return oldest;
}

/* A source route makes another path of it. */
static bool shares(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    return s->path_mtu_shared && s->path_mtu_discovery &&
           (c->rare == NULL || c->rare->route_length == 0);
}

void path_cache_open(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_engine *e = c->engine;
    if (e->paths == NULL || !shares(c)) return;
    const struct ltcp_path_entry *known = find(e, &c->flow.local, &c->flow.remote, now);
    if (known == NULL) return;
    if (known->mtu >= c->path_mtu && settings_of(c)->mtu_probing < 2) return;
    if (known->mtu < c->path_mtu) c->path_mtu = known->mtu;
    c->mtu_watched = true;
    e->paths_shared++;
}

void path_cache_told(struct ltcp_connection *c, ltcp_time now, ltcp_time expires)
{
    struct ltcp_engine *e = c->engine;
    if (!shares(c)) return;
    struct ltcp_path_entry *known = find(e, &c->flow.local, &c->flow.remote, now);
    /* RFC1191:3-3: it never rises by what is told. */
    if (known != NULL && known->told && known->mtu <= c->path_mtu) return;
    if (known == NULL) known = add(e, &c->flow.local, &c->flow.remote);
    if (known == NULL) return;
    known->mtu = known->high = c->path_mtu;
    known->expires = expires;
    known->told = true;
}

void path_cache_found(struct ltcp_connection *c, ltcp_time now, ltcp_time expires, uint16_t high)
{
    struct ltcp_engine *e = c->engine;
    if (!shares(c)) return;
    struct ltcp_path_entry *known = find(e, &c->flow.local, &c->flow.remote, now);
    /* RFC4821:5.2-2: the least of what is known of an address behind which there are several. */
    if (known != NULL && known->told && known->mtu <= c->path_mtu) return;
    if (known == NULL) known = add(e, &c->flow.local, &c->flow.remote);
    if (known == NULL) return;
    known->mtu = c->path_mtu;
    known->high = high > c->path_mtu ? high : c->path_mtu;
    known->expires = expires;
    known->told = false;
}

ltcp_time path_cache_expiry(const struct ltcp_connection *c)
{
    const struct ltcp_path_entry *known = look_up(c->engine, &c->flow.local, &c->flow.remote);
    return known != NULL ? known->expires : 0;
}

void path_cache_forget(struct ltcp_engine *e)
{
    if (e->paths == NULL) return;
    engine_resize(e, e->paths, sizeof *e->paths, 0);
    e->paths = NULL;
}

const struct ltcp_path_entry *path_cache_at(const struct ltcp_engine *e, size_t i)
{
    return e->paths != NULL && i < SETS * WAYS ? &e->paths->entries[i] : NULL;
}
