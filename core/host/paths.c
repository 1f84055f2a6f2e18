/* core/host/paths.c
 *
 * A path is used by several connections: what a router says to one of them is for all (RFC 1191
 * section 6.2, RFC 8201 section 5.2). New ones begin with it (core/tcp/path_cache.c). */
#include "host/paths.h"

#include "tcp/path_cache.h"
#include "wire/digest.h"

/* The connections are not kept by address, so all are walked over, but not more often than once
 * for each microsecond and connection that there is room for: a stranger on the path who lowers
 * its MTU octet by octet costs no more. Who is not told so finds out by its next retransmission
 * timeout, or by a message of its own. */
#define WALK_COST LTCP_MICROSECOND

/* Those that are actively using the path: RFC1191:6.2-2, RFC8201:5.2-2. */
static void tell_others(struct ltcp_host *host, const struct ltcp_connection *but, ltcp_time now)
{
    if (now < host->paths_walk || !settings_of(but)->path_mtu_shared) return;
    host->paths_walk = now + host->slot_capacity * WALK_COST;
    for (uint32_t i = 0; i < host->slot_capacity; i++) {
        struct ltcp_connection *c = slot_connection(host, i);
        if (c == NULL || c == but || c->out == NULL || c->state < LTCP_ESTABLISHED) continue;
        if (ltcp_address_equal(&c->flow.remote, &but->flow.remote) &&
            ltcp_address_equal(&c->flow.local, &but->flow.local))
            path_mtu_heed(c, now);
    }
}

void paths_too_big(struct ltcp_host *host, struct ltcp_connection *c, ltcp_time now, uint32_t mtu,
                   uint32_t quoted_length)
{
    if (path_mtu_lower(c, now, mtu, quoted_length)) tell_others(host, c, now);
}

/* ---- by the user's calls ------------------------------------------------------------------------
 */

bool ltcp_path_known(struct ltcp_host *host, ltcp_time now, const struct ltcp_address *local,
                     const struct ltcp_address *remote, struct ltcp_path_memory *out)
{
    struct ltcp_address from = *local;
    uint32_t interface;
    if (ltcp_address_is_unspecified(local) && !address_choose(host, remote, &from, &interface))
        return false;
    const struct ltcp_path_entry *known = path_cache_find(&host->engine, &from, remote, now);
    if (known == NULL) return false;
    *out = (struct ltcp_path_memory){known->mtu, known->told, known->expires};
    return true;
}

void ltcp_path_flush(struct ltcp_host *host)
{
    path_cache_forget(&host->engine);
}

/* The order of use decides who gives way. */
void paths_digest(struct digest *d, const struct ltcp_host *host, ltcp_time now)
{
    const struct ltcp_path_entry *k;
    for (size_t i = 0; (k = path_cache_at(&host->engine, i)) != NULL; i++) {
        if (k->last_use == 0 || k->expires <= now) continue;
        digest_address(d, &k->local);
        digest_address(d, &k->remote);
        digest_word(d, (uint64_t)k->mtu << 32 | (uint64_t)k->high << 16 | k->told);
        digest_word(d, k->last_use);
        digest_time(d, now, k->expires);
    }
    if (host->paths_walk > now) digest_time(d, now, host->paths_walk);
}
