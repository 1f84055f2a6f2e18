/* core/host/fast_open.c
 *
 * TCP Fast Open as a listener answers it: RFC 7413 sections 4.1.2 and 4.2. Cookies are SipHash-2-4
 * of both addresses under a key of the listener's or the host's; the key before it is still good,
 * and who shows a cookie of that one is given a new one. */
#include "host/fast_open.h"

#include <string.h>

#define COOKIE_LENGTH 8

static const struct ltcp_fast_open_keys *keys_of(const struct ltcp_listener *l)
{
    return l->fast_open_keys.count > 0 ? &l->fast_open_keys : &l->host->fast_open_keys;
}

static uint64_t little_endian(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | bytes[i];
    return word;
}

/* GetCookie of section 4.1.2: of the client's address and, since a host may have several, of the
 * server's. RFC7413:4.1.2-1 */
static void make_cookie(const uint8_t key[FAST_OPEN_KEY], const struct ltcp_ip *ip,
                        uint8_t out[COOKIE_LENGTH])
{
    const struct ltcp_siphash_key k = {little_endian(key), little_endian(key + 8)};
    const size_t skip = ip->version == 4 ? 12 : 0, length = 16 - skip;
    uint8_t text[32];
    memcpy(text, ip->source.bytes + skip, length);
    memcpy(text + length, ip->destination.bytes + skip, length);
    const uint64_t cookie = ltcp_siphash(&k, text, 2 * length);
    for (int i = 0; i < COOKIE_LENGTH; i++)
        out[i] = (uint8_t)(cookie >> 8 * i);
}

/* IsCookieValid of section 4.1.2: which of the keys it was made with, from 1; 0: none. In a time
 * that does not tell how much of it was right. */
static uint32_t valid_with(const struct ltcp_fast_open_keys *keys, const struct ltcp_arrival *a)
{
    const struct ltcp_options *o = &a->segment->options;
    if (o->fast_open_length != COOKIE_LENGTH) return 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        uint8_t own[COOKIE_LENGTH], differs = 0;
        make_cookie(keys->keys[i], a->ip, own);
        for (int j = 0; j < COOKIE_LENGTH; j++)
            differs |= (uint8_t)(own[j] ^ o->fast_open[j]);
        if (differs == 0) return i + 1;
    }
    return 0;
}

/* ---- how many may be pending --------------------------------------------------------------------
 */

static uint32_t limit_of(const struct ltcp_listener *l)
{
    const struct ltcp_settings *s = &l->share->settings;
    if (!(s->fast_open_mode & FAST_OPEN_SERVER)) return 0;
    if (s->fast_open_queue > 0) return (uint32_t)s->fast_open_queue;
    return s->fast_open_mode & FAST_OPEN_EVERY_LISTENER ? l->backlog : 0;
}

/* Section 5.1: requests that were just reset go on to count, each for one to two of these periods;
 * so two sums are enough. RFC7413:5.1-2 */
static void age_resets(struct ltcp_listener *l, ltcp_time now)
{
    const ltcp_time period = l->share->settings.fast_open_reset_time;
    if (now - l->fast_open_since < period) return;
    const bool long_ago = now - l->fast_open_since >= 2 * period;
    l->fast_open_before = long_ago ? 0 : l->fast_open_resets;
    l->fast_open_resets = 0;
    l->fast_open_since = now;
}

/* RFC7413:4.2-2, RFC7413:5.1-1 */
static bool has_room(struct ltcp_listener *l, ltcp_time now)
{
    age_resets(l, now);
    const uint32_t pending = l->fast_open_pending + l->fast_open_resets + l->fast_open_before;
    if (pending < limit_of(l)) return true;
    l->host->counters.fast_open_overflows++;
    return false;
}

void fast_open_settle(struct ltcp_host *host, struct ltcp_connection *c)
{
    struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL || !f->pending || c->state == LTCP_SYN_RECEIVED) return;
    f->pending = false;
    struct ltcp_listener *l = handle_listener(host, f->listener);
    if (l == NULL) return;
    l->fast_open_pending--; /* RFC7413:4.2.2-18 */
    if (!f->reset) return;
    age_resets(l, f->ended);
    l->fast_open_resets++;
}

/* ---- the SYN ------------------------------------------------------------------------------------
 */

/* A cookie for the SYN-ACK, in the form of option that the client used. RFC7413:4.2.1-3,
 * RFC7413:4.2.2-10 */
static void offer_cookie(const struct ltcp_listener *l, struct ltcp_connection *c,
                         const struct ltcp_arrival *a)
{
    struct ltcp_fast_open *f = fast_open_make(c);
    if (f == NULL) return;
    f->option = true;
    f->cookie.experimental = a->segment->options.fast_open_experimental;
    f->cookie.length = COOKIE_LENGTH;
    make_cookie(keys_of(l)->keys[0], a->ip, f->cookie.bytes);
}

/* Section 4.2.2, 4: the user hears of it now, and the SYN-ACK acknowledges the data. RFC7413:3-1 */
static bool open_at_once(struct ltcp_listener *l, struct ltcp_connection *c, struct ltcp_arrival *a)
{
    struct ltcp_fast_open *f = fast_open_make(c);
    if (f == NULL) return false;
    f->opened = f->pending = true; /* RFC7413:4.2.2-7 */
    f->listener = l->handle;
    l->fast_open_pending++;
    l->host->counters.fast_open_accepted++;
    connection_start_congestion(c, a->now); /* RFC7413:4.2.2-12 */
    f->octets = f->acked = segment_syn_text(c, a);
    listener_offer_child(l, c);
    return true;
}

/* What the SYN asks for: the steps of section 4.2.2, "Server: Receiving SYN". */
static enum {
    NOTHING,
    COOKIE,
    OPEN,
    OPEN_AND_COOKIE
} judge(struct ltcp_listener *l, const struct ltcp_arrival *a)
{
    const struct ltcp_options *o = &a->segment->options;
    struct ltcp_host_counters *count = &l->host->counters;
    const bool option = (o->present & LTCP_HAS_FAST_OPEN) != 0;
    const bool always = (l->share->settings.fast_open_mode & FAST_OPEN_ACCEPT_ALWAYS) != 0;
    if (limit_of(l) == 0) return NOTHING; /* RFC7413:4.2-1 */
    if (option && o->fast_open_length == 0) count->fast_open_requests++;
    if (!option && !(always && a->segment->length > 0)) return NOTHING;
    if ((a->flags & LTCP_FIN) || a->replaces) return NOTHING;
    if (!has_room(l, a->now)) return NOTHING;
    if (always) return OPEN;
    if (o->fast_open_length == 0) return COOKIE;
    const uint32_t key = valid_with(keys_of(l), a);
    if (key == 0) count->fast_open_refusals++; /* RFC7413:4.2.2-6 */
    if (key > 1) count->fast_open_old_keys++;
    return key == 0 ? COOKIE : key == 1 ? OPEN : OPEN_AND_COOKIE;
}

static const char *const answers[] = {
    [COOKIE] = "a cookie is given",
    [OPEN] = "open at once",
    [OPEN_AND_COOKIE] = "open at once, with a new cookie",
};

bool fast_open_arrives(struct ltcp_listener *l, struct ltcp_connection *c, struct ltcp_arrival *a)
{
    const unsigned answer = judge(l, a);
    if (answer != NOTHING)
        connection_remark(c, a->now, LTCP_REMARK_FAST_OPEN, answers[answer], a->segment->length, 0);
    if (answer == COOKIE || answer == OPEN_AND_COOKIE) offer_cookie(l, c, a);
    if ((answer == OPEN || answer == OPEN_AND_COOKIE) && open_at_once(l, c, a)) return true;
    /* Section 3, 2b: what came with a cookie that is not taken is dropped; the text of another SYN
     * waits for the handshake to end (RFC 9293 section 3.10.7.2). RFC7413:3-2 */
    const bool option = (a->segment->options.present & LTCP_HAS_FAST_OPEN) != 0;
    if (!option && settings_of(c)->keep_syn_data) segment_text_arrives(c, a);
    return false;
}

/* RFC7413:4.1.1-1: an illegal length, or an option where no SYN is. */
void fast_open_look(struct ltcp_host *host, const struct ltcp_segment *s)
{
    const bool misplaced = (s->options.present & LTCP_HAS_FAST_OPEN) && !(s->flags & LTCP_SYN);
    if (misplaced || (s->options.present & LTCP_HAS_BAD_FAST_OPEN))
        host->counters.fast_open_ignored++;
}

/* ---- keys and cookies, by the user's calls ------------------------------------------------------
 */

enum ltcp_status ltcp_fast_open_set_keys(struct ltcp_host *host, ltcp_handle listener,
                                         const void *keys, size_t length)
{
    struct ltcp_listener *l = handle_listener(host, listener);
    if (l == NULL && listener != 0) return LTCP_ERR_STALE;
    if (length != FAST_OPEN_KEY && length != 2 * FAST_OPEN_KEY) return LTCP_ERR_INVALID;
    struct ltcp_fast_open_keys *to = l != NULL ? &l->fast_open_keys : &host->fast_open_keys;
    to->count = (uint32_t)(length / FAST_OPEN_KEY);
    memcpy(to->keys, keys, length);
    return LTCP_OK;
}

/* RFC7413:4.1.2-2 */
enum ltcp_status ltcp_fast_open_rotate(struct ltcp_host *host, ltcp_handle listener,
                                       const void *key)
{
    uint8_t both[2 * FAST_OPEN_KEY];
    const struct ltcp_listener *l = handle_listener(host, listener);
    if (l == NULL && listener != 0) return LTCP_ERR_STALE;
    const struct ltcp_fast_open_keys *old = l != NULL ? keys_of(l) : &host->fast_open_keys;
    memcpy(both, key, FAST_OPEN_KEY);
    memcpy(both + FAST_OPEN_KEY, old->keys[0], FAST_OPEN_KEY);
    return ltcp_fast_open_set_keys(host, listener, both, sizeof both);
}

size_t ltcp_fast_open_keys(const struct ltcp_host *host, ltcp_handle listener, void *out)
{
    const struct ltcp_listener *l = handle_listener(host, listener);
    const struct ltcp_fast_open_keys *keys = l != NULL ? keys_of(l) : &host->fast_open_keys;
    memcpy(out, keys->keys, keys->count * (size_t)FAST_OPEN_KEY);
    return keys->count * (size_t)FAST_OPEN_KEY;
}

/* Until the owner says otherwise: from the host's secret, so that no cookie can be guessed. */
void fast_open_first_key(struct ltcp_host *host)
{
    static const char purpose[2][16] = {"fast open key 1", "fast open key 2"};
    host->fast_open_keys.count = 1;
    for (int half = 0; half < 2; half++) {
        const uint64_t word = ltcp_siphash(&host->secret, purpose[half], sizeof purpose[half]);
        for (int i = 0; i < 8; i++)
            host->fast_open_keys.keys[0][8 * half + i] = (uint8_t)(word >> 8 * i);
    }
}

void ltcp_fast_open_flush(struct ltcp_host *host)
{
    fast_open_forget(&host->engine);
}

bool ltcp_fast_open_known(struct ltcp_host *host, const struct ltcp_address *local,
                          const struct ltcp_address *remote, struct ltcp_fast_open_memory *out)
{
    struct ltcp_address from = *local;
    uint32_t interface;
    if (ltcp_address_is_unspecified(local) && !address_choose(host, remote, &from, &interface))
        return false;
    const struct ltcp_fast_open_entry *known = fast_open_find(&host->engine, &from, remote);
    if (known == NULL) return false;
    memcpy(out->cookie, known->cookie.bytes, known->cookie.length);
    out->cookie_length = known->cookie.length;
    out->experimental = known->cookie.experimental;
    out->mss = known->mss;
    return true;
}
