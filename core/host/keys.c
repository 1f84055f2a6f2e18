/* core/host/keys.c - the user's calls about keys: RFC 5925 section 7.1. */
#include <string.h>

#include "host/host.h"
#include "tcp/authentication.h"

void ltcp_host_set_crypto(struct ltcp_host *host, const struct ltcp_crypto *crypto)
{
    host->engine.crypto = crypto;
    if (crypto != NULL && host->engine.keys != NULL) host->engine.keys->crypto = crypto;
}

bool ltcp_host_has_crypto(const struct ltcp_host *host)
{
    return host->engine.crypto != NULL;
}

static enum ltcp_status check(const struct ltcp_host *host, const struct ltcp_key_scope *scope,
                              const void *key, size_t key_length)
{
    if (host->engine.crypto == NULL) return LTCP_ERR_NOT_SUPPORTED;
    if (scope->prefix_length > (ltcp_address_is_v4(&scope->remote) ? 32 : 128))
        return LTCP_ERR_INVALID;
    return key == NULL || key_length == 0 || key_length > LTCP_KEY_MOST ? LTCP_ERR_INVALID
                                                                        : LTCP_OK;
}

static bool same_scope(const struct ltcp_key_scope *a, const struct ltcp_key_scope *b)
{
    return ltcp_address_equal(&a->remote, &b->remote) && a->prefix_length == b->prefix_length &&
           a->remote_port == b->remote_port && a->local_port == b->local_port &&
           ltcp_address_equal(&a->local, &b->local);
}

/* Some connection could match both. */
static bool overlap(const struct ltcp_key_scope *a, const struct ltcp_key_scope *b)
{
    const struct ltcp_key_scope *wide = a->prefix_length < b->prefix_length ? a : b;
    const struct ltcp_key_scope *narrow = wide == a ? b : a;
    struct ltcp_key_scope remote = {.remote = wide->remote, .prefix_length = wide->prefix_length};
    const struct ltcp_flow inside = {.remote = narrow->remote};
    if (a->remote_port != 0 && b->remote_port != 0 && a->remote_port != b->remote_port)
        return false;
    if (a->local_port != 0 && b->local_port != 0 && a->local_port != b->local_port) return false;
    if (!ltcp_address_is_unspecified(&a->local) && !ltcp_address_is_unspecified(&b->local) &&
        !ltcp_address_equal(&a->local, &b->local))
        return false;
    return scope_matches(&remote, &inside);
}

/* One more record at the end of an array; NULL: no memory. */
static void *append(struct ltcp_engine *e, void *array, uint32_t *count, size_t record)
{
    uint8_t *grown = engine_resize(e, array, *count * record, (*count + 1u) * record);
    if (grown != NULL) memset(grown + *count * record, 0, record);
    return grown;
}

/* ---- TCP MD5 ------------------------------------------------------------------------------------
 */

static struct ltcp_md5_entry *find_md5(const struct ltcp_keys *keys,
                                       const struct ltcp_key_scope *scope)
{
    for (uint32_t i = 0; keys != NULL && i < keys->md5_count; i++)
        if (same_scope(&keys->md5[i].scope, scope)) return &keys->md5[i];
    return NULL;
}

enum ltcp_status ltcp_host_add_md5_key(struct ltcp_host *host, const struct ltcp_md5_key *key)
{
    struct ltcp_engine *e = &host->engine;
    const enum ltcp_status checked = check(host, &key->scope, key->key, key->key_length);
    if (checked != LTCP_OK) return checked;
    struct ltcp_keys *keys = authentication_keys(e);
    if (keys == NULL) return LTCP_ERR_NO_MEMORY;
    struct ltcp_md5_entry *entry = find_md5(keys, &key->scope);
    if (entry == NULL) {
        void *grown = append(e, keys->md5, &keys->md5_count, sizeof *keys->md5);
        if (grown == NULL) return LTCP_ERR_NO_MEMORY;
        keys->md5 = grown;
        entry = &keys->md5[keys->md5_count++];
    }
    entry->scope = key->scope;
    entry->key_length = (uint8_t)key->key_length;
    memcpy(entry->key, key->key, key->key_length);
    keys->generation++;
    return LTCP_OK;
}

enum ltcp_status ltcp_host_remove_md5_key(struct ltcp_host *host,
                                          const struct ltcp_key_scope *scope)
{
    struct ltcp_keys *keys = host->engine.keys;
    if (host->engine.crypto == NULL) return LTCP_ERR_NOT_SUPPORTED;
    struct ltcp_md5_entry *entry = find_md5(keys, scope);
    if (entry == NULL) return LTCP_ERR_NO_KEY;
    *entry = keys->md5[keys->md5_count - 1];
    memset(&keys->md5[keys->md5_count - 1], 0, sizeof *entry);
    void *less = engine_resize(&host->engine, keys->md5, keys->md5_count * sizeof *entry,
                               (keys->md5_count - 1u) * sizeof *entry);
    if (less != NULL || keys->md5_count == 1) keys->md5 = less;
    keys->md5_count--;
    keys->generation++;
    return LTCP_OK;
}

bool ltcp_host_md5_key(const struct ltcp_host *host, size_t i, struct ltcp_md5_key *out)
{
    const struct ltcp_keys *keys = host->engine.keys;
    if (keys == NULL || i >= keys->md5_count) return false;
    *out = (struct ltcp_md5_key){.scope = keys->md5[i].scope,
                                 .key = keys->md5[i].key,
                                 .key_length = keys->md5[i].key_length};
    return true;
}

/* ---- TCP-AO -------------------------------------------------------------------------------------
 */

enum ltcp_status ltcp_host_add_ao_key(struct ltcp_host *host, const struct ltcp_ao_key *key)
{
    struct ltcp_engine *e = &host->engine;
    const enum ltcp_status checked = check(host, &key->scope, key->key, key->key_length);
    if (checked != LTCP_OK) return checked;
    if ((unsigned)key->algorithm >= LTCP_AO_ALGORITHM_COUNT) return LTCP_ERR_INVALID;
    struct ltcp_keys *keys = authentication_keys(e);
    if (keys == NULL) return LTCP_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < keys->mkt_count; i++) /* RFC5925:3.1-6 */
        if ((keys->mkts[i].send_id == key->send_id || keys->mkts[i].recv_id == key->recv_id) &&
            overlap(&keys->mkts[i].scope, &key->scope))
            return LTCP_ERR_KEY_EXISTS;
    void *grown = append(e, keys->mkts, &keys->mkt_count, sizeof *keys->mkts);
    if (grown == NULL) return LTCP_ERR_NO_MEMORY;
    keys->mkts = grown;
    struct ltcp_mkt *mkt = &keys->mkts[keys->mkt_count++];
    mkt->scope = key->scope;
    mkt->serial = ++keys->serials;
    mkt->send_id = key->send_id;
    mkt->recv_id = key->recv_id;
    mkt->algorithm = (uint8_t)key->algorithm;
    mkt->exclude_options = key->exclude_options;
    mkt->key_length = (uint8_t)key->key_length;
    memcpy(mkt->key, key->key, key->key_length);
    keys->generation++;
    return LTCP_OK;
}

static bool uses(const struct ltcp_connection *c, uint32_t serial)
{
    if (!c->authenticated || c->state == LTCP_CLOSED) return false;
    const struct ltcp_authentication *x = authentication_of(c);
    return x->kind == LTCP_AUTHENTICATED_AO && (x->current_key == serial || x->rnext_key == serial);
}

static bool in_use(const struct ltcp_host *host, uint32_t serial)
{
    for (uint32_t i = 0; i < host->slot_capacity; i++) {
        const struct ltcp_connection *c = slot_connection(host, i);
        if (c != NULL && uses(c, serial)) return true;
    }
    return false;
}

enum ltcp_status ltcp_host_remove_ao_key(struct ltcp_host *host, const struct ltcp_key_scope *scope,
                                         uint8_t send_id, uint8_t recv_id)
{
    struct ltcp_keys *keys = host->engine.keys;
    if (host->engine.crypto == NULL) return LTCP_ERR_NOT_SUPPORTED;
    for (uint32_t i = 0; keys != NULL && i < keys->mkt_count; i++) {
        struct ltcp_mkt *mkt = &keys->mkts[i];
        if (mkt->send_id != send_id || mkt->recv_id != recv_id || !same_scope(&mkt->scope, scope))
            continue;
        if (in_use(host, mkt->serial)) return LTCP_ERR_KEY_IN_USE;
        memmove(mkt, mkt + 1, (keys->mkt_count - i - 1u) * sizeof *mkt);
        memset(&keys->mkts[keys->mkt_count - 1], 0, sizeof *mkt);
        void *less = engine_resize(&host->engine, keys->mkts, keys->mkt_count * sizeof *mkt,
                                   (keys->mkt_count - 1u) * sizeof *mkt);
        if (less != NULL || keys->mkt_count == 1) keys->mkts = less;
        keys->mkt_count--;
        keys->generation++;
        return LTCP_OK;
    }
    return LTCP_ERR_NO_KEY;
}

bool ltcp_host_ao_key(const struct ltcp_host *host, size_t i, struct ltcp_ao_key *out)
{
    const struct ltcp_keys *keys = host->engine.keys;
    if (keys == NULL || i >= keys->mkt_count) return false;
    const struct ltcp_mkt *mkt = &keys->mkts[i];
    *out = (struct ltcp_ao_key){.scope = mkt->scope,
                                .send_id = mkt->send_id,
                                .recv_id = mkt->recv_id,
                                .algorithm = (enum ltcp_ao_algorithm)mkt->algorithm,
                                .exclude_options = mkt->exclude_options,
                                .key = mkt->key,
                                .key_length = mkt->key_length};
    return true;
}

const struct ltcp_authentication_counters *
ltcp_host_authentication_counters(const struct ltcp_host *host)
{
    return &host->engine.authentication;
}

/* ---- one connection -----------------------------------------------------------------------------
 */

/* Its state, with the host's present keys; NULL: TCP-AO is not in use. */
static struct ltcp_authentication *ao_of(const struct ltcp_connection *c)
{
    if (!c->authenticated) return NULL;
    struct ltcp_authentication *x = authentication_of(c);
    if (x->kind != LTCP_AUTHENTICATED_AO) return NULL;
    authentication_look_again(c->engine, x, &c->flow);
    return x;
}

/* RFC5925:7.1-4 */
enum ltcp_status ltcp_set_ao_keys(struct ltcp_host *host, ltcp_handle handle, int current_send_id,
                                  int rnext_recv_id)
{
    const struct ltcp_connection *c = handle_connection(host, handle);
    if (c == NULL) return LTCP_ERR_STALE;
    struct ltcp_authentication *x = ao_of(c);
    if (x == NULL) return LTCP_ERR_NOT_SUPPORTED;
    const struct ltcp_traffic *current = NULL, *next = NULL;
    for (uint32_t i = 0; i < x->traffic_count; i++) {
        if (x->traffic[i].send_id == current_send_id) current = &x->traffic[i];
        if (x->traffic[i].recv_id == rnext_recv_id) next = &x->traffic[i];
    }
    if ((current_send_id >= 0 && current == NULL) || (rnext_recv_id >= 0 && next == NULL))
        return LTCP_ERR_NO_KEY;
    if (current != NULL) x->current_key = current->serial;
    if (next != NULL) x->rnext_key = next->serial;
    return LTCP_OK;
}

/* ---- lost connections, RFC 5925 section 7.7 -----------------------------------------------------
 */

enum ltcp_status ltcp_ao_save(const struct ltcp_host *host, ltcp_handle handle,
                              struct ltcp_ao_state *out)
{
    struct ltcp_authentication_info info;
    const struct ltcp_connection *c = handle_connection(host, handle);
    memset(out, 0, sizeof *out);
    if (c == NULL) return LTCP_ERR_STALE;
    if (ao_of(c) == NULL) return LTCP_ERR_NOT_SUPPORTED;
    if (!authentication_of(c)->isns_known) return LTCP_ERR_NOT_CONNECTED;
    authentication_info(c, &info);
    *out = (struct ltcp_ao_state){.local = c->flow.local,
                                  .remote = c->flow.remote,
                                  .local_port = c->flow.local_port,
                                  .remote_port = c->flow.remote_port,
                                  .iss = c->iss,
                                  .irs = c->irs,
                                  .snd_sne = info.snd_sne,
                                  .rcv_sne = info.rcv_sne,
                                  .snd_nxt = c->snd_nxt,
                                  .rcv_nxt = c->rcv_nxt,
                                  .current_send_id = info.current_send_id,
                                  .rnext_recv_id = info.rnext_recv_id};
    return LTCP_OK;
}

static bool begin_with(struct ltcp_authentication *x, const struct ltcp_ao_state *s)
{
    bool current = false, next = false;
    for (uint32_t i = 0; i < x->traffic_count; i++) {
        if (x->traffic[i].send_id == s->current_send_id) {
            x->current_key = x->traffic[i].serial;
            current = true;
        }
        if (x->traffic[i].recv_id == s->rnext_recv_id) {
            x->rnext_key = x->traffic[i].serial;
            next = true;
        }
    }
    x->kind = LTCP_AUTHENTICATED_AO;
    x->isns_known = true;
    x->iss = s->iss;
    x->irs = s->irs;
    x->snd_extended = (uint64_t)s->snd_sne << 32 | s->snd_nxt.n;
    x->rcv_extended = (uint64_t)s->rcv_sne << 32 | s->rcv_nxt.n;
    return current && next;
}

enum ltcp_status ltcp_ao_restore(struct ltcp_host *host, const struct ltcp_ao_state *s)
{
    struct ltcp_engine *e = &host->engine;
    if (e->crypto == NULL) return LTCP_ERR_NOT_SUPPORTED;
    if (e->keys == NULL) return LTCP_ERR_NO_KEY;
    if (demultiplexer_find(host, &s->local, s->local_port, &s->remote, s->remote_port) != NULL)
        return LTCP_ERR_CONNECTED;
    struct ltcp_lost *lost = engine_zeroed(e, sizeof *lost);
    if (lost == NULL) return LTCP_ERR_NO_MEMORY;
    lost->flow = (struct ltcp_flow){.local_port = s->local_port,
                                    .remote_port = s->remote_port,
                                    .local = s->local,
                                    .remote = s->remote};
    struct ltcp_authentication *x = &lost->authentication;
    const bool collected = authentication_collect(e, x, &lost->flow);
    if (!collected || !begin_with(x, s)) {
        engine_resize(e, x->traffic, x->traffic_count * sizeof *x->traffic, 0);
        engine_resize(e, lost, sizeof *lost, 0);
        return collected ? LTCP_ERR_NO_KEY : LTCP_ERR_NO_MEMORY;
    }
    lost->next = e->keys->lost;
    e->keys->lost = lost;
    return LTCP_OK;
}
