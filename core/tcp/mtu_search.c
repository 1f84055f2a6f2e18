/* core/tcp/mtu_search.c
 *
 * The path MTU found by probing, RFC 4821, where routers say nothing: a segment that is longer than
 * the others, with enough behind it that its loss is noticed. What arrives raises the path MTU,
 * what is lost alone bounds the search, and neither is news of congestion. Sizes are those of whole
 * IP packets. RFC4821:5.1-1 */
#include "tcp/path_cache.h"

#define CONGESTION_WINDOW_LEAST                                                                    \
    11                  /* segments: enough duplicates follow, and a loss costs little             \
                         */
#define TIMEOUT_COSTS 5 /* section 7.6.3 */

static struct ltcp_path_mtu *search_of(const struct ltcp_connection *c)
{
    return c->rare != NULL ? c->rare->path_mtu : NULL;
}

/* A connection that is watched before it has a state of its own has begun with another one's path
 * MTU (path_cache.c): until that is too old, and then with the link's. */
static void begin_as_another(const struct ltcp_connection *c, struct ltcp_path_mtu *m)
{
    const uint32_t wanted = settings_of(c)->path_mtu;
    m->first = wanted != 0 && wanted < c->link_mtu ? (uint16_t)wanted : c->link_mtu;
    m->expires = path_cache_expiry(c);
    m->shared = true;
}

struct ltcp_path_mtu *path_mtu_state(struct ltcp_connection *c)
{
    struct ltcp_path_mtu *m = search_of(c);
    if (m != NULL) return m;
    struct ltcp_rare *rare = rare_of(c);
    if (rare == c->engine->nobody) return NULL;
    m = rare->path_mtu = engine_zeroed(c->engine, sizeof *m);
    if (m == NULL) return NULL;
    m->first = c->path_mtu;
    m->expires = LTCP_NEVER;
    if (c->mtu_watched) begin_as_another(c, m);
    c->mtu_watched = true;
    return m;
}

void path_mtu_release(struct ltcp_connection *c)
{
    if (search_of(c) == NULL) return;
    engine_resize(c->engine, c->rare->path_mtu, sizeof *c->rare->path_mtu, 0);
    c->rare->path_mtu = NULL;
}

static uint32_t header_octets(const struct ltcp_connection *c)
{
    return ltcp_address_is_v4(&c->flow.local) ? 40 : 60;
}

/* RFC4821:7.7-3: no packet is held to be too long that every path takes. */
static uint32_t floor_of(const struct ltcp_connection *c)
{
    const uint32_t least = ltcp_address_is_v4(&c->flow.local) ? 68 : 1280;
    const uint32_t floor = settings_of(c)->mtu_probe_floor + header_octets(c);
    return floor > least ? floor : least;
}

/* RFC4821:7.2-1: what the interface and the peer's MSS allow. */
static uint32_t top_of(const struct ltcp_connection *c)
{
    const uint32_t peer = c->peer_mss + header_octets(c);
    return peer < c->link_mtu || settings_of(c)->mtu_search_to_mss ? peer : c->link_mtu;
}

/* RFC4821:7.2-2, 7.2-3 */
static uint32_t base_of(const struct ltcp_connection *c)
{
    const uint32_t base = settings_of(c)->mtu_base_mss + header_octets(c);
    return base < top_of(c) ? base : top_of(c);
}

/* RFC4821:7.1-1 */
static void use(struct ltcp_connection *c, uint32_t mtu)
{
    c->path_mtu = (uint16_t)mtu;
    connection_set_mss(c);
}

static void begin(struct ltcp_connection *c, struct ltcp_path_mtu *m)
{
    m->searching = true;
    m->low = (uint16_t)base_of(c);
    m->high = (uint16_t)top_of(c);
}

/* The connection opens. What a route says of its path is used before it is confirmed, and so is
 * more than the least that is likely to work (section 7.2). */
void mtu_search_open(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    if (s->mtu_probing < 2 || !s->path_mtu_discovery) return;
    struct ltcp_path_mtu *m = path_mtu_state(c);
    if (m == NULL) return;
    begin(c, m);
    if (m->shared) { /* RFC4821:5.2-1: the search goes on where another one has come */
        const struct ltcp_path_entry *known =
            path_cache_find(c->engine, &c->flow.local, &c->flow.remote, now);
        if (known != NULL && known->high < m->high) m->high = known->high;
    } else if (s->path_mtu == 0 && m->low < c->path_mtu) {
        use(c, m->low);
    }
}

/* What was found is for others too. */
static void share(struct ltcp_connection *c, const struct ltcp_path_mtu *m, ltcp_time now)
{
    path_cache_found(c, now, path_mtu_expiry(c, now), m->searching ? m->high : c->path_mtu);
}

static void remark(const struct ltcp_connection *c, ltcp_time now, const char *what, uint32_t size)
{
    connection_remark(c, now, LTCP_REMARK_PATH_MTU, what, size, c->path_mtu);
}

/* ---- probing, sections 7.3 to 7.5
 * ----------------------------------------------------------------- */

/* RFC4821:7.1-2, 7.3-1: the middle of the range; the top itself when only that is left. 0: the
 * search has ended. */
static uint32_t size_between(const struct ltcp_connection *c, const struct ltcp_path_mtu *m)
{
    const uint32_t threshold = settings_of(c)->mtu_probe_threshold;
    const uint32_t low = m->low > c->path_mtu ? m->low : c->path_mtu;
    if (m->high <= low) return 0;
    if ((uint32_t)(m->high - m->low) < threshold || m->high - low < threshold)
        return m->high == top_of(c) ? m->high : 0;
    const uint32_t middle = ((uint32_t)m->low + m->high) / 2;
    return middle > low ? middle : (low + m->high) / 2;
}

/* What the link itself cannot take needs no probe to find out. */
static uint32_t next_size(const struct ltcp_connection *c, struct ltcp_path_mtu *m)
{
    const uint32_t size = size_between(c, m);
    if (size <= c->link_mtu) return size;
    m->high = c->link_mtu;
    return size_between(c, m);
}

/* RFC4821:7.3-2, 7.3-3: after the search has ended, it begins anew once the path may be another. */
static void look_for_end(struct ltcp_connection *c, struct ltcp_path_mtu *m, ltcp_time now)
{
    if (next_size(c, m) > 0) {
        m->ended = 0;
    } else if (m->ended == 0) {
        m->ended = now;
    } else if (now - m->ended >= settings_of(c)->mtu_probe_interval) {
        m->ended = 0;
        m->low = c->path_mtu;
        m->high = (uint16_t)top_of(c);
    }
}

/* RFC4821:7.4-1 */
static bool may_probe(const struct ltcp_connection *c, const struct ltcp_path_mtu *m, ltcp_time now)
{
    const struct ltcp_send_queue *q = c->out;
    return m->searching && m->probe == 0 && now >= m->wait_until &&
           c->recovery == LTCP_RECOVERY_NONE && q->lost == 0 && q->sacked == 0 &&
           c->duplicate_acks == 0 && c->state >= LTCP_ESTABLISHED &&
           c->cc.cwnd >= CONGESTION_WINDOW_LEAST * (uint32_t)c->snd_mss;
}

/* How many octets the next segment should have to be a probe; 0: none. `wait`: it will be one as
 * soon as the congestion window has room (section 7.4: sending may be delayed for that). */
uint32_t mtu_search_probe(struct ltcp_connection *c, ltcp_time now, uint32_t usable, bool *wait)
{
    struct ltcp_path_mtu *m = search_of(c);
    *wait = false;
    if (m == NULL || !may_probe(c, m, now)) return 0;
    const uint32_t size = next_size(c, m);
    if (size == 0) {
        look_for_end(c, m, now);
        return 0;
    }
    const uint32_t length = c->snd_mss + (size - c->path_mtu);
    const uint32_t behind = (uint32_t)settings_of(c)->duplicate_ack_threshold + 1;
    const uint32_t needed = length + behind * c->snd_mss;
    if (c->out->unsent_octets < needed || usable < needed) return 0; /* RFC4821:7.4-2, 7.4-3 */
    const uint32_t pipe = pipe_size(c);
    if (pipe + length + c->snd_mss <= c->cc.cwnd) return length;
    *wait = pipe > 0;
    return 0;
}

void mtu_search_sent(struct ltcp_connection *c, ltcp_time now, ltcp_seq seq, uint32_t length)
{
    struct ltcp_path_mtu *m = search_of(c);
    m->probe = (uint16_t)(c->path_mtu + (length - c->snd_mss));
    m->probe_seq = seq;
    m->probe_end = seq_add(seq, length);
    m->probes++;
    remark(c, now, "a probe leaves", m->probe);
}

/* ---- results, section 7.6
 * ------------------------------------------------------------------------- */

/* RFC4821:7.6.1-1, 7.6.1-2. The size before is kept until the new one is verified (7.8-2). */
static void succeed(struct ltcp_connection *c, struct ltcp_path_mtu *m, ltcp_time now)
{
    m->successes++;
    m->low = m->probe;
    m->probe = 0;
    if (m->low <= c->path_mtu) return;
    m->before = c->path_mtu;
    m->verify_lost = lost_so_far(c);
    m->verify_sent = c->bytes_sent;
    m->verify_timeouts = 0;
    use(c, m->low);
    remark(c, now, "a probe arrived", m->low);
    share(c, m, now);
    look_for_end(c, m, now);
}

/* Something was acknowledged. */
void mtu_search_acknowledged(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_path_mtu *m = search_of(c);
    if (m == NULL) return;
    if (m->mends && seq_ge(c->snd_una, m->mended)) m->mends = false;
    if (m->probe != 0 && seq_ge(c->snd_una, m->probe_end)) succeed(c, m, now);
}

/* A probe that is sent again for whatever reason says nothing any more: RFC4821:7.6.4-1. */
void mtu_search_resent(struct ltcp_connection *c, const struct ltcp_record *r)
{
    struct ltcp_path_mtu *m = search_of(c);
    if (m == NULL || m->probe == 0) return;
    if (seq_lt(r->seq, m->probe_end) && seq_gt(record_end(r), m->probe_seq)) m->probe = 0;
}

/* RFC4821:7.6.2-4, 7.6.3-1: not before the next loss would be due by the congestion control: as
 * many round trips as the window has segments. */
static void pause(struct ltcp_connection *c, struct ltcp_path_mtu *m, ltcp_time now, uint32_t times)
{
    const ltcp_time rounds = c->cc.cwnd / c->snd_mss + 1;
    m->wait_until = now + times * rounds * (c->srtt > 0 ? c->srtt : LTCP_SECOND);
}

static void fail(struct ltcp_connection *c, struct ltcp_path_mtu *m, ltcp_time now, uint32_t times)
{
    m->failures++;
    remark(c, now, "a probe was lost", m->probe);
    if (m->high >= m->probe) m->high = (uint16_t)(m->probe - 1);
    m->probe = 0;
    pause(c, m, now, times);
    if (m->successes > 0) share(c, m, now); /* how far the search has come */
    look_for_end(c, m, now);
}

/* The gap goes again at once, in pieces that fit. */
static void mend(struct ltcp_connection *c, struct ltcp_path_mtu *m)
{
    m->mends = true;
    m->mended = c->snd_nxt;
    c->force_retransmit = true;
    connection_want_output(c);
}

/* Losses were found. True: the probe alone, which is no news of congestion (RFC4821:7.6.2-1,
 * RFC4821:7.6.2-2). */
bool mtu_search_lost(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_path_mtu *m = search_of(c);
    struct ltcp_send_queue *q = c->out;
    if (m == NULL || m->probe == 0 || q == NULL) return false;
    const uint32_t span = seq_diff(m->probe_end, m->probe_seq);
    const uint32_t at = scoreboard_find(q, m->probe_seq);
    if (at == q->unsent || q->lost != span || q->retransmitted != 0) return false;
    const struct ltcp_record *r = record_at(q, at);
    if (!seq_eq(r->seq, m->probe_seq) || !(r->marks & LTCP_MARK_LOST)) return false;
    fail(c, m, now, 1);
    c->rare->lost -= span;
    mend(c, m);
    return true;
}

/* Duplicate ACKs that the gap of a lost probe still brings say nothing new. */
bool mtu_search_mends(const struct ltcp_connection *c)
{
    const struct ltcp_path_mtu *m = search_of(c);
    return m != NULL && m->mends;
}

/* ---- timeouts: sections 7.6.3, 7.7 and 7.8
 * -------------------------------------------------------- */

/* RFC4821:7.8-1, 7.8-2: what brought much more loss is taken back. */
static bool is_refuted(struct ltcp_connection *c, struct ltcp_path_mtu *m)
{
    const uint64_t sent = c->bytes_sent - m->verify_sent;
    const uint64_t lost = lost_so_far(c) - m->verify_lost;
    if (m->before == 0 || ++m->verify_timeouts < 2) return false;
    return lost * 10 > sent;
}

/* RFC4821:7.7-1, 7.7-2: the size that was not confirmed first, then the least to begin with, then
 * half of that, and so on. */
static void black_hole(struct ltcp_connection *c, struct ltcp_path_mtu *m)
{
    const struct ltcp_record *r = record_at(c->out, c->out->head);
    if (m->searching && r->length < c->snd_mss) return; /* it is not for its size */
    m->black_holes++;
    if (!m->searching) {
        begin(c, m);
    } else if (c->path_mtu <= m->low) {
        const uint32_t base = base_of(c);
        const uint32_t half = m->low > base ? base : m->low / 2;
        m->low = (uint16_t)(half > floor_of(c) ? half : floor_of(c));
    }
    if (m->low < c->path_mtu) use(c, m->low);
}

void mtu_search_timeout(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    const uint16_t before = c->path_mtu;
    path_mtu_heed(c, now);
    struct ltcp_path_mtu *m = search_of(c);
    if (m != NULL && m->probe != 0 && seq_eq(c->snd_una, m->probe_seq))
        fail(c, m, now, TIMEOUT_COSTS);
    else if (m != NULL)
        m->probe = 0;
    if (m != NULL && is_refuted(c, m)) {
        m->refuted++;
        m->low = m->before;
        m->high = (uint16_t)(c->path_mtu - 1);
        m->before = 0;
        use(c, m->low);
        remark(c, now, "too much was lost: the size before", before);
        share(c, m, now);
    }
    if (s->mtu_probing == 0 || !s->path_mtu_discovery || c->unanswered < s->r1_count) return;
    if (m == NULL) m = path_mtu_state(c);
    if (m == NULL) return;
    black_hole(c, m);
    if (c->path_mtu == before) return;
    remark(c, now, "timeouts: a black hole", before);
    if (c->path_mtu < before) share(c, m, now);
}

/* A router has spoken: RFC4821:7.6.2-3. */
void mtu_search_told(struct ltcp_connection *c, ltcp_time now, uint32_t mtu)
{
    struct ltcp_path_mtu *m = search_of(c);
    if (m == NULL || !m->searching) return;
    if (m->probe > mtu) {
        const uint32_t at = scoreboard_find(c->out, m->probe_seq);
        if (at != c->out->unsent) scoreboard_lose(c, at);
        fail(c, m, now, 1);
        mend(c, m);
    }
    if (m->high > mtu) m->high = (uint16_t)mtu;
    if (m->low > mtu) m->low = (uint16_t)mtu;
}
