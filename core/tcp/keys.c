/* core/tcp/keys.c - the keys of a host, and which connections each is for. */
#include <string.h>

#include "tcp/authentication.h"
#include "tcp/digest.h"

struct ltcp_keys *authentication_keys(struct ltcp_engine *e)
{
    if (e->keys == NULL) e->keys = engine_zeroed(e, sizeof *e->keys);
    if (e->keys != NULL) e->keys->crypto = e->crypto;
    return e->keys;
}

void keys_free(struct ltcp_engine *e)
{
    struct ltcp_keys *keys = e->keys;
    if (keys == NULL) return;
    while (keys->lost != NULL) {
        struct ltcp_lost *lost = keys->lost;
        keys->lost = lost->next;
        struct ltcp_authentication *x = &lost->authentication;
        engine_resize(e, x->traffic, x->traffic_count * sizeof *x->traffic, 0);
        engine_resize(e, lost, sizeof *lost, 0);
    }
    engine_resize(e, keys->md5, keys->md5_count * sizeof *keys->md5, 0);
    engine_resize(e, keys->mkts, keys->mkt_count * sizeof *keys->mkts, 0);
    engine_resize(e, keys, sizeof *keys, 0);
    e->keys = NULL;
}

/* `length` counts in the address's own family; both are of one. */
static bool prefix_matches(const struct ltcp_address *prefix, uint8_t length,
                           const struct ltcp_address *address)
{
    const bool v4 = ltcp_address_is_v4(prefix);
    if (v4 != ltcp_address_is_v4(address)) return false;
    const unsigned bits = length + (v4 ? 96u : 0u), whole = bits / 8;
    if (memcmp(prefix->bytes, address->bytes, whole) != 0) return false;
    if (bits % 8 == 0) return true;
    const uint8_t mask = (uint8_t)(0xFF << (8 - bits % 8));
    return ((prefix->bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

bool scope_matches(const struct ltcp_key_scope *s, const struct ltcp_flow *flow)
{
    if (s->remote_port != 0 && s->remote_port != flow->remote_port) return false;
    if (s->local_port != 0 && s->local_port != flow->local_port) return false;
    if (!ltcp_address_is_unspecified(&s->local) && !ltcp_address_equal(&s->local, &flow->local))
        return false;
    return prefix_matches(&s->remote, s->prefix_length, &flow->remote);
}

/* Among those that match, the longest prefix counts, then what names a port. */
static unsigned weight(const struct ltcp_key_scope *s)
{
    return s->prefix_length * 4u + (s->remote_port != 0) + (s->local_port != 0) + 1;
}

const struct ltcp_md5_entry *keys_md5(const struct ltcp_keys *keys, const struct ltcp_flow *flow)
{
    const struct ltcp_md5_entry *best = NULL;
    for (uint32_t i = 0; i < keys->md5_count; i++) {
        const struct ltcp_md5_entry *entry = &keys->md5[i];
        if (!scope_matches(&entry->scope, flow)) continue;
        if (best == NULL || weight(&entry->scope) > weight(&best->scope)) best = entry;
    }
    return best;
}

/* RFC5925:3.3-1, RFC5925:3.3-2: by the socket pair alone; of several, the one that was added first.
 */
const struct ltcp_mkt *keys_first_mkt(const struct ltcp_keys *keys, const struct ltcp_flow *flow)
{
    const struct ltcp_mkt *best = NULL;
    for (uint32_t i = 0; i < keys->mkt_count; i++) {
        const struct ltcp_mkt *mkt = &keys->mkts[i];
        if (!scope_matches(&mkt->scope, flow)) continue;
        if (best == NULL || weight(&mkt->scope) > weight(&best->scope)) best = mkt;
    }
    return best;
}

const struct ltcp_mkt *keys_mkt_by_recv_id(const struct ltcp_keys *keys,
                                           const struct ltcp_flow *flow, uint8_t recv_id)
{
    for (uint32_t i = 0; i < keys->mkt_count; i++)
        if (keys->mkts[i].recv_id == recv_id && scope_matches(&keys->mkts[i].scope, flow))
            return &keys->mkts[i];
    return NULL;
}

/* ---- digests ------------------------------------------------------------------------------------
 */

static void digest_scope(struct digest *d, const struct ltcp_key_scope *s)
{
    digest_address(d, &s->remote);
    digest_address(d, &s->local);
    digest_word(d,
                (uint64_t)s->prefix_length << 32 | (uint64_t)s->remote_port << 16 | s->local_port);
}

void authentication_digest(struct digest *d, const struct ltcp_authentication *x)
{
    digest_word(d, (uint64_t)x->kind << 8 | x->isns_known);
    digest_word(d, x->snd_extended >> 32 << 32 | x->rcv_extended >> 32);
    digest_word(d, (uint64_t)x->current_key << 32 | x->rnext_key);
    for (uint32_t i = 0; i < x->traffic_count; i++)
        digest_word(d, x->traffic[i].serial);
}

void keys_digest(struct digest *d, const struct ltcp_keys *keys)
{
    for (uint32_t i = 0; i < keys->md5_count; i++) {
        digest_scope(d, &keys->md5[i].scope);
        digest_bytes(d, keys->md5[i].key, keys->md5[i].key_length);
    }
    for (uint32_t i = 0; i < keys->mkt_count; i++) {
        const struct ltcp_mkt *mkt = &keys->mkts[i];
        digest_scope(d, &mkt->scope);
        digest_word(d, (uint64_t)mkt->serial << 32 | (uint64_t)mkt->send_id << 24 |
                           (uint64_t)mkt->recv_id << 16 | (uint64_t)mkt->algorithm << 8 |
                           mkt->exclude_options);
        digest_bytes(d, mkt->key, mkt->key_length);
    }
    for (const struct ltcp_lost *lost = keys->lost; lost != NULL; lost = lost->next) {
        digest_address(d, &lost->flow.remote);
        digest_word(d, (uint64_t)lost->flow.local_port << 16 | lost->flow.remote_port);
        authentication_digest(d, &lost->authentication);
    }
}
