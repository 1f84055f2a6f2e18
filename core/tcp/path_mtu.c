/* core/tcp/path_mtu.c - a packet of ours was too long for the path: RFC 1191, RFC 8201. */
#include "tcp/fast_open.h"
#include "tcp/path_cache.h"

/* RFC 1191 section 7.1, for routers that do not say how long a packet may be. */
static uint32_t plateau_below(uint32_t length)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < length) return plateaus[i];
    return 68;
}

/* Only a SYN with data can be (RFC 7413): it goes again without, at once. */
static void syn_was_too_long(struct ltcp_connection *c)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    const uint32_t header = ltcp_address_is_v4(&c->flow.local) ? 40 : 60;
    if (settings_of(c)->mss_from_path && c->rcv_mss > c->path_mtu - header)
        c->rcv_mss = (uint16_t)(c->path_mtu - header);
    if (f == NULL || f->octets == 0 || c->out->unsent == c->out->head) return;
    scoreboard_lose(c, c->out->head);
    c->force_retransmit = true;
    connection_want_output(c);
}

/* As many segments as before, of the new size. RFC5681:3.1-6 */
static void scale_window(struct ltcp_connection *c, uint32_t old_mss)
{
    if (c->cc.cwnd == 0 || c->snd_mss >= old_mss) return;
    const uint32_t window = (uint32_t)((uint64_t)c->cc.cwnd * c->snd_mss / old_mss);
    c->cc.cwnd = window > c->snd_mss ? window : c->snd_mss;
}

#define EXPIRY_LEAST (300 * LTCP_SECOND) /* RFC1191:6.3-2, RFC8201:4-5 */

ltcp_time path_mtu_expiry(const struct ltcp_connection *c, ltcp_time now)
{
    const ltcp_time wanted = settings_of(c)->path_mtu_expires; /* RFC1191:6.3-3, RFC8201:5.3-2 */
    if (wanted == 0) return LTCP_NEVER;
    return now + (wanted > EXPIRY_LEAST ? wanted : EXPIRY_LEAST);
}

/* Segments are shorter from now on. */
static void shorten(struct ltcp_connection *c, ltcp_time now, uint32_t mtu, ltcp_time expires,
                    const char *why)
{
    const uint32_t before = c->path_mtu;
    struct ltcp_path_mtu *m = path_mtu_state(c);
    if (m != NULL) m->expires = expires;
    c->path_mtu = (uint16_t)mtu;
    const uint32_t old_mss = c->snd_mss;
    connection_set_mss(c);
    scale_window(c, old_mss);
    connection_remark(c, now, LTCP_REMARK_PATH_MTU, why, before, mtu);
}

/* What is in flight and too long goes again in smaller pieces, without a word to the congestion
 * control: nothing was lost to congestion. RFC1191:3-1 RFC1191:6.4-1 RFC8201:4-1 RFC8201:5.4-1
 * RFC7323:5.7-1 RFC5681:3.1-6
 */
bool path_mtu_lower(struct ltcp_connection *c, ltcp_time now, uint32_t mtu, uint32_t quoted_length)
{
    const uint32_t least = ltcp_address_is_v4(&c->flow.local) ? 68 : 1280;
    if (!settings_of(c)->path_mtu_discovery) return false;
    if (mtu == 0) mtu = plateau_below(quoted_length); /* RFC1191:7.1-1 */
    if (mtu < least) mtu = least;                     /* RFC1191:3-2, RFC8201:4-2 */
    if (c->mtu_watched) mtu_search_told(c, now, mtu);
    if (mtu >= c->path_mtu) return false; /* RFC1191:3-3, RFC8201:4-3, RFC5927:7.2-1 */
    const ltcp_time expires = path_mtu_expiry(c, now);
    shorten(c, now, mtu, expires, "a router says so");
    path_cache_told(c, now, expires);
    struct ltcp_send_queue *q = c->out;
    if (c->state == LTCP_SYN_SENT) {
        syn_was_too_long(c);
        return true;
    }
    if (q == NULL || c->state < LTCP_ESTABLISHED) return true;
    for (uint32_t i = q->head; i != q->unsent; i++)
        if (record_at(q, i)->length > c->snd_mss) scoreboard_lose(c, i);
    c->force_retransmit = true;
    connection_want_output(c);
    return true;
}

/* RFC1191:6.2-2, RFC8201:5.2-2: another connection of the path has learned of it. What is in flight
 * is let be: only what is known to be dropped goes again. */
void path_mtu_heed(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_engine *e = c->engine;
    const struct ltcp_settings *s = settings_of(c);
    if (e->paths == NULL || !s->path_mtu_shared || !s->path_mtu_discovery) return;
    if (c->rare != NULL && c->rare->route_length > 0) return;
    const struct ltcp_path_entry *known = path_cache_find(e, &c->flow.local, &c->flow.remote, now);
    if (known == NULL || known->mtu >= c->path_mtu) return;
    if (c->mtu_watched) mtu_search_told(c, now, known->mtu);
    shorten(c, now, known->mtu, known->expires, "another connection learned it");
    if (c->mtu_watched) c->rare->path_mtu->shared = true;
}

/* RFC1191:6.3-1, RFC8201:4-4: the path may be another by now: as long as when the connection
 * opened, until a router speaks again. */
void path_mtu_look(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_path_mtu *m = path_mtu_state(c);
    if (m == NULL || now < m->expires) return;
    m->expires = LTCP_NEVER;
    if (m->searching || m->first <= c->path_mtu) return; /* a search rises by itself */
    const uint32_t before = c->path_mtu;
    c->path_mtu = m->first;
    connection_set_mss(c);
    connection_remark(c, now, LTCP_REMARK_PATH_MTU, "long ago: as at first", before, m->first);
}
