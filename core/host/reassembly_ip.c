/* core/host/reassembly_ip.c
 *
 * Fragments become datagrams again within bounds: of memory, of datagrams, of those and of memory
 * for one source, of fragments for one datagram, and of time. What a stranger sends is copied, so
 * that a small fragment holds no large buffer. Fragments that overlap are an attack and end their
 * datagram, in IPv6 as RFC 8200 section 4.5 wants it, in IPv4 as RFC 1858 and RFC 3128 advise.
 * RFC1122:3.3.2-1, RFC815:3-1, RFC815:3-2 */
#include <string.h>

#include "host/host.h"
#include "wire/bytes.h"
#include "wire/digest.h"

/* RFC8200:4.5-9 */
#define IPV6_TIMEOUT (60 * LTCP_SECOND)
#define IPV6_HEADER  40
#define QUOTE_MOST   1280

struct ltcp_piece {
    struct ltcp_piece *next;
    struct ltcp_block *block;
    uint32_t start, end;
};

/* What arrived. */
struct fragment {
    const struct ltcp_packet *packet;
    const struct ltcp_ip *ip;
    struct ltcp_extensions chain; /* IPv6 */
    uint32_t identification;
    uint32_t start, end; /* of its data in the datagram */
    uint16_t head;       /* octets that stand before that in each fragment, without the Fragment
                          * header */
};

/* ---- memory ---------------------------------------------------------------------------------
 */

static void drop_pieces(struct ltcp_host *host, struct ltcp_partial *d)
{
    while (d->first != NULL) {
        struct ltcp_piece *piece = d->first;
        d->first = piece->next;
        ltcp_block_unref(piece->block);
        engine_resize(&host->engine, piece, sizeof *piece, 0);
    }
    ltcp_packet_unref(d->quote);
    d->quote = NULL;
    d->last = NULL;
    host->partials.held -= d->held;
    d->held = d->have = d->count = 0;
}

static void set_deadline(struct ltcp_host *host)
{
    host->partials.deadline = LTCP_NEVER;
    for (const struct ltcp_partial *d = host->partials.first; d != NULL; d = d->next)
        if (d->deadline < host->partials.deadline) host->partials.deadline = d->deadline;
}

static void forget(struct ltcp_host *host, struct ltcp_partial *gone)
{
    struct ltcp_partials *all = &host->partials;
    struct ltcp_partial **at = &all->first, *before = NULL;
    while (*at != gone) {
        before = *at;
        at = &before->next;
    }
    *at = gone->next;
    if (all->last == gone) all->last = before;
    drop_pieces(host, gone);
    all->count--;
    engine_resize(&host->engine, gone, sizeof *gone, 0);
    set_deadline(host);
}

void fragments_free(struct ltcp_host *host)
{
    while (host->partials.first != NULL)
        forget(host, host->partials.first);
}

/* RFC8200:4.5-12; what may still come of it is not kept either (RFC 5722 section 4). IPv4's short
 * identifications come again too soon for that. */
static enum ltcp_status abandon(struct ltcp_host *host, struct ltcp_partial *d)
{
    host->counters.fragments_overlapping++;
    if (d->v4) {
        forget(host, d);
    } else {
        drop_pieces(host, d);
        d->abandoned = true;
    }
    return LTCP_ERR_FRAGMENT;
}

/* ---- bounds ---------------------------------------------------------------------------------
 */

static void evict(struct ltcp_host *host, struct ltcp_partial *d)
{
    host->counters.fragments_evicted++;
    forget(host, d);
}

/* The oldest of a source's datagrams but `spare`, while it has too many or too much. */
static struct ltcp_partial *excess_of(const struct ltcp_host *host,
                                      const struct ltcp_address *source,
                                      const struct ltcp_partial *spare)
{
    const struct ltcp_settings *s = &host->share->settings;
    struct ltcp_partial *oldest = NULL;
    uint64_t held = 0;
    int64_t count = spare == NULL;
    for (struct ltcp_partial *d = host->partials.first; d != NULL; d = d->next) {
        if (!ltcp_address_equal(&d->source, source)) continue;
        if (oldest == NULL && d != spare) oldest = d;
        held += d->held;
        count++;
    }
    const bool much = count > s->reassembly_per_source || held > s->reassembly_buffer / 4;
    return much ? oldest : NULL;
}

/* Keeps the bounds, for a datagram that has grown (`spare`) or a new one (NULL): a source's own
 * datagrams go before those of others, old ones before new ones. False: that does not help. */
static bool make_room(struct ltcp_host *host, const struct ltcp_address *source,
                      struct ltcp_partial *spare)
{
    const struct ltcp_settings *s = &host->share->settings;
    const struct ltcp_partials *all = &host->partials;
    struct ltcp_partial *victim;
    while ((victim = excess_of(host, source, spare)) != NULL)
        evict(host, victim);
    while (all->held > s->reassembly_buffer ||
           (spare == NULL && all->count >= s->reassembly_datagrams)) {
        victim = all->first;
        if (victim != NULL && victim == spare) victim = victim->next;
        if (victim == NULL) return false;
        evict(host, victim);
    }
    return true;
}

/* ---- which datagram -------------------------------------------------------------------------
 */

/* RFC791:3.2-3: source, destination, protocol and identification; RFC8200:4.5-5: without the
 * protocol. */
static struct ltcp_partial *find(const struct ltcp_host *host, const struct fragment *f)
{
    const bool v4 = f->ip->version == 4;
    for (struct ltcp_partial *d = host->partials.first; d != NULL; d = d->next)
        if (d->identification == f->identification && d->v4 == v4 &&
            (!v4 || d->protocol == f->ip->protocol) &&
            ltcp_address_equal(&d->source, &f->ip->source) &&
            ltcp_address_equal(&d->destination, &f->ip->destination))
            return d;
    return NULL;
}

/* RFC1122:3.3.2-3: a fixed time, not what is left of the TTL. */
static struct ltcp_partial *begin(struct ltcp_host *host, ltcp_time now, const struct fragment *f)
{
    struct ltcp_partials *all = &host->partials;
    if (!make_room(host, &f->ip->source, NULL)) return NULL;
    struct ltcp_partial *d = engine_zeroed(&host->engine, sizeof *d);
    if (d == NULL) return NULL;
    d->source = f->ip->source;
    d->destination = f->ip->destination;
    d->identification = f->identification;
    d->v4 = f->ip->version == 4;
    d->protocol = d->v4 ? f->ip->protocol : 0;
    d->deadline = now + (d->v4 ? host->share->settings.reassembly_timeout : IPV6_TIMEOUT);
    if (all->last == NULL)
        all->first = d;
    else
        all->last->next = d;
    all->last = d;
    all->count++;
    set_deadline(host);
    return d;
}

/* ---- one fragment ---------------------------------------------------------------------------
 */

static void copy_data(const struct fragment *f, uint8_t *to)
{
    const struct ltcp_packet *p = f->packet;
    size_t from = f->ip->header_length, left = f->end - f->start;
    if (from < p->head_length) {
        size_t n = p->head_length - from;
        if (n > left) n = left;
        memcpy(to, p->head + from, n);
        to += n;
        left -= n;
        from += n;
    }
    if (left > 0) memcpy(to, p->payload + (from - p->head_length), left);
}

static bool holds_the_same(const struct ltcp_piece *piece, const struct fragment *f)
{
    const struct ltcp_packet *p = f->packet;
    const uint8_t *kept = piece->block->data;
    for (uint32_t i = 0; i < f->end - f->start; i++) {
        const size_t at = f->ip->header_length + (size_t)i;
        if (kept[i] != (at < p->head_length ? p->head[at] : p->payload[at - p->head_length]))
            return false;
    }
    return true;
}

/* Behind which piece it belongs: RFC791:3.2-2. RFC8200:4.5-13: what came before, octet for octet,
 * is no overlap.
 */
enum place { PLACE_FREE, PLACE_DUPLICATE, PLACE_OVERLAP };
static enum place find_place(const struct ltcp_partial *d, const struct fragment *f,
                             struct ltcp_piece **before)
{
    struct ltcp_piece *at = d->first;
    *before = NULL;
    if (d->last != NULL && d->last->end <= f->start) { /* in order, as they mostly come */
        *before = d->last;
        return PLACE_FREE;
    }
    for (; at != NULL && at->end <= f->start; at = at->next)
        *before = at;
    if (at == NULL || f->end <= at->start) return PLACE_FREE;
    const bool same = at->start == f->start && at->end == f->end && holds_the_same(at, f);
    return same ? PLACE_DUPLICATE : PLACE_OVERLAP;
}

/* The last fragment says how long the datagram is: twice the same, and nothing lies beyond. */
static bool fits_the_end(const struct ltcp_partial *d, const struct fragment *f)
{
    if (f->ip->more_fragments) return d->total == 0 || f->end <= d->total;
    if (d->total != 0) return f->end == d->total;
    return d->last == NULL || d->last->end <= f->end;
}

static bool keep_quote(struct ltcp_host *host, struct ltcp_partial *d, const struct fragment *f)
{
    uint8_t bytes[QUOTE_MOST];
    if (f->start != 0) return true;
    const size_t length = ltcp_packet_bytes(f->packet, bytes, sizeof bytes);
    d->quote = ltcp_packet_from_bytes(host->engine.pool, bytes, length);
    d->head_length = f->head;
    if (d->quote != NULL) d->quote->interface = f->packet->interface;
    return d->quote != NULL;
}

static void hold(struct ltcp_host *host, struct ltcp_partial *d, uint32_t octets)
{
    d->held += octets;
    host->partials.held += octets;
}

static uint32_t quote_capacity(const struct ltcp_partial *d)
{
    return d->quote->block != NULL ? d->quote->block->capacity : 0;
}

static bool insert(struct ltcp_host *host, struct ltcp_partial *d, const struct fragment *f,
                   struct ltcp_piece *before)
{
    struct ltcp_piece *piece = engine_zeroed(&host->engine, sizeof *piece);
    if (piece == NULL) return false;
    piece->block = ltcp_block_create(host->engine.pool, f->end - f->start);
    if (piece->block == NULL || !keep_quote(host, d, f)) {
        ltcp_block_unref(piece->block);
        engine_resize(&host->engine, piece, sizeof *piece, 0);
        return false;
    }
    piece->start = f->start;
    piece->end = f->end;
    copy_data(f, piece->block->data);
    piece->next = before != NULL ? before->next : d->first;
    *(before != NULL ? &before->next : &d->first) = piece;
    if (piece->next == NULL) d->last = piece;
    if (!f->ip->more_fragments) d->total = f->end;
    d->ecn |= (uint8_t)(1u << f->ip->ecn);
    d->have += f->end - f->start;
    d->count++;
    hold(host, d, (uint32_t)sizeof *piece + piece->block->capacity);
    if (f->start == 0) hold(host, d, (uint32_t)sizeof *d->quote + quote_capacity(d));
    return true;
}

/* ---- a whole datagram -----------------------------------------------------------------------
 */

/* RFC 3168 section 5.3: no mark is lost, and none put on what could not carry it. The codepoint of
 * all, or CE; LTCP_ERR_FRAGMENT where that cannot be said. */
static enum ltcp_status join_ecn(uint8_t seen, uint8_t *ecn)
{
    if (!(seen & 1 << LTCP_ECN_CE)) return LTCP_OK; /* the first fragment's */
    if (seen & 1 << LTCP_ECN_NOT_ECT) return LTCP_ERR_FRAGMENT;
    *ecn = LTCP_ECN_CE;
    return LTCP_OK;
}

static void finish_ipv4(uint8_t *p, size_t head, size_t total, uint8_t ecn)
{
    p[1] = (uint8_t)((p[1] & ~3) | ecn);
    store_be16(p + 2, (uint16_t)total);
    store_be16(p + 6, 0);
    memset(p + 10, 0, 2);
    const uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, p, head));
    memcpy(p + 10, &checksum, 2);
}

/* RFC8200:4.5-6: the first fragment's headers, without the Fragment header, whose next header takes
 * the place of the number that named it. */
static void finish_ipv6(const struct ltcp_packet *first, uint8_t *p, size_t total, uint8_t ecn)
{
    struct ltcp_extensions chain;
    ltcp_extensions_walk(first->head, first->head_length, ltcp_packet_length(first), true, &chain);
    p[chain.protocol_at] = chain.protocol;
    p[1] = (uint8_t)((p[1] & 0xCF) | ecn << 4);
    store_be16(p + 4, (uint16_t)(total - IPV6_HEADER));
}

static struct ltcp_packet *join(struct ltcp_host *host, const struct ltcp_partial *d,
                                const struct fragment *latest)
{
    const struct ltcp_packet *first = d->quote;
    struct ltcp_ip ip;
    const size_t head = d->head_length, total = head + d->total;
    if (total > UINT16_MAX) return NULL;
    ltcp_ip_decode_bytes(first->head, first->head_length, true, &ip);
    if (join_ecn(d->ecn, &ip.ecn) != LTCP_OK) return NULL;
    struct ltcp_block *block = ltcp_block_create(host->engine.pool, (uint32_t)total);
    if (block == NULL) return NULL;
    memcpy(block->data, first->head, head);
    for (const struct ltcp_piece *piece = d->first; piece != NULL; piece = piece->next)
        memcpy(block->data + head + piece->start, piece->block->data, piece->end - piece->start);
    block->length = (uint32_t)total;
    if (d->v4)
        finish_ipv4(block->data, head, total, ip.ecn);
    else
        finish_ipv6(first, block->data, total, ip.ecn);
    struct ltcp_packet *whole = ltcp_packet_from_block(block, 0, total);
    ltcp_block_unref(block);
    if (whole == NULL) return NULL;
    whole->time = latest->packet->time;
    whole->interface = latest->packet->interface;
    whole->notes = latest->packet->notes;
    return whole;
}

/* ---- arrival --------------------------------------------------------------------------------
 */

static enum ltcp_status refuse(struct ltcp_host *host, ltcp_time now, const struct fragment *f,
                               uint8_t code, uint32_t pointer)
{
    if (f->ip->version == 6) icmp_complain(host, now, f->packet, f->ip, code, pointer);
    return LTCP_ERR_FRAGMENT;
}

/* RFC8200:4.5-14: the first fragment holds all headers, the upper layer's too. */
static bool has_upper_header(const struct fragment *f)
{
    uint8_t bytes[LTCP_HEAD_ROOM * 2];
    const size_t start = f->ip->header_length, length = f->end - f->start;
    size_t n = ltcp_packet_bytes(f->packet, bytes, sizeof bytes);
    if (n > start + length) n = start + length;
    /* The rest of the chain, as if it began here. */
    uint8_t rest[IPV6_HEADER + sizeof bytes] = {0};
    struct ltcp_extensions x;
    memcpy(rest + IPV6_HEADER, bytes + start, n - start);
    rest[6] = f->chain.protocol;
    const size_t there = IPV6_HEADER + n - start;
    /* More than the buffer holds is looked at when the datagram is whole. */
    if (ltcp_extensions_walk(rest, there, there, true, &x) != LTCP_OK) return n == sizeof bytes;
    const size_t left = there - x.end;
    if (x.protocol == LTCP_PROTOCOL_TCP)
        return left >= 20 && left >= (size_t)(rest[x.end + 12] >> 4) * 4;
    if (x.protocol == LTCP_PROTOCOL_UDP || x.protocol == LTCP_PROTOCOL_ICMPV6) return left >= 8;
    return true;
}

/* RFC791:3.1-1, RFC791:3.1-3. LTCP_OK: it can be kept. */
static enum ltcp_status judge(struct ltcp_host *host, ltcp_time now, const struct fragment *f)
{
    const struct ltcp_ip *ip = f->ip;
    const uint32_t length = f->end - f->start;
    /* IPv6's limit counts without the fixed header. */
    const uint32_t reach = f->end + f->head - (ip->version == 6 ? IPV6_HEADER : 0);
    if (reach > UINT16_MAX) { /* RFC8200:4.5-11 */
        host->counters.fragments_oversized++;
        return refuse(host, now, f, 0, f->chain.fragment_at + 2u);
    }
    const bool ragged = length == 0 || (ip->more_fragments && length % 8 != 0); /* RFC8200:4.5-10 */
    const bool headless = ip->version == 6 && f->start == 0 && !has_upper_header(f);
    if (!ragged && !headless) return LTCP_OK;
    host->counters.fragments_malformed++;
    return ragged ? refuse(host, now, f, 0, 4) : refuse(host, now, f, 3, 0); /* RFC8200:4.5-14 */
}

static enum ltcp_status add(struct ltcp_host *host, ltcp_time now, const struct fragment *f,
                            struct ltcp_packet **whole)
{
    struct ltcp_piece *before;
    struct ltcp_partial *d = find(host, f);
    if (d == NULL) d = begin(host, now, f);
    if (d == NULL) return LTCP_ERR_NO_MEMORY;
    if (d->abandoned) return LTCP_ERR_FRAGMENT;
    const enum place place = find_place(d, f, &before);
    if (place == PLACE_DUPLICATE) return LTCP_OK;
    if (place == PLACE_OVERLAP || !fits_the_end(d, f)) return abandon(host, d);

    if (!insert(host, d, f, before)) return LTCP_ERR_NO_MEMORY;
    if (d->count > host->share->settings.reassembly_fragments || !make_room(host, &d->source, d)) {
        evict(host, d);
        return LTCP_ERR_NO_BUFFERS;
    }
    if (d->total == 0 || d->have != d->total) return LTCP_OK;
    *whole = join(host, d, f);
    if (*whole != NULL) host->counters.datagrams_reassembled++;
    forget(host, d);
    return *whole != NULL ? LTCP_OK : LTCP_ERR_FRAGMENT;
}

enum ltcp_status fragment_arrives(struct ltcp_host *host, ltcp_time now,
                                  const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                  struct ltcp_packet **whole)
{
    struct fragment f = {.packet = packet, .ip = ip, .identification = ip->identification};
    *whole = NULL;
    if (!address_is_local(host, &ip->destination) || !address_is_peer(host, &ip->source))
        return LTCP_ERR_ADDRESS;
    host->counters.fragments_received++;
    f.start = ip->fragment_offset;
    f.end = f.start + ip->total_length - ip->header_length;
    f.head = ip->header_length;
    if (ip->version == 6) {
        ltcp_extensions_walk(packet->head, packet->head_length, ip->total_length, true, &f.chain);
        f.identification = load_be32(packet->head + f.chain.fragment_at + 4);
        f.head = f.chain.fragment_at;
    }
    const enum ltcp_status status = judge(host, now, &f);
    return status == LTCP_OK ? add(host, now, &f, whole) : status;
}

/* RFC1122:3.3.2-2, RFC8200:4.5-9: an error is sent only where the first fragment came. */
void fragments_expire(struct ltcp_host *host, ltcp_time now)
{
    struct ltcp_partial *next;
    for (struct ltcp_partial *d = host->partials.first; d != NULL; d = next) {
        next = d->next;
        if (d->deadline > now) continue;
        struct ltcp_ip ip;
        if (!d->abandoned) host->counters.fragments_timed_out++;
        if (d->quote != NULL) {
            ltcp_ip_decode_bytes(d->quote->head, d->quote->head_length, true, &ip);
            ip_give_zone(&ip, d->quote);
            icmp_time_exceeded(host, now, d->quote, &ip);
        }
        forget(host, d);
    }
}

void fragments_digest(struct digest *d, const struct ltcp_host *host, ltcp_time now)
{
    for (const struct ltcp_partial *p = host->partials.first; p != NULL; p = p->next) {
        digest_address(d, &p->source);
        digest_address(d, &p->destination);
        digest_word(d, (uint64_t)p->identification << 16 | (uint64_t)p->protocol << 8 | p->ecn);
        digest_word(d, (uint64_t)p->total << 32 | p->held);
        digest_word(d, p->abandoned);
        digest_time(d, now, p->deadline);
        if (p->quote != NULL) digest_packet(d, p->quote);
        for (const struct ltcp_piece *piece = p->first; piece != NULL; piece = piece->next) {
            digest_word(d, (uint64_t)piece->start << 32 | piece->end);
            digest_bytes(d, piece->block->data, piece->end - piece->start);
        }
    }
}
