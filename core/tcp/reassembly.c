/* core/tcp/reassembly.c
 *
 * Octets that came ahead of RCV.NXT (RFC9293:SHLD-31): a sorted array of disjoint ranges, each a
 * chain of slices. A bulk transfer with one hole is one range that grows at its end. How many
 * ranges there can be is bounded; what does not fit is dropped, and so never SACKed. */
#include <string.h>

#include "tcp/connection.h"

void reassembly_free(struct ltcp_connection *c)
{
    struct ltcp_reassembly *a = c->ahead;
    if (a == NULL) return;
    for (uint16_t i = 0; i < a->count; i++)
        receive_queue_free(c->engine, &a->ranges[i].slices);
    memory_give_back(c->engine, a->octets);
    engine_resize(c->engine, a->ranges, a->capacity * sizeof *a->ranges, 0);
    engine_resize(c->engine, a, sizeof *a, 0);
    c->ahead = NULL;
}

static struct ltcp_reassembly *open(struct ltcp_connection *c)
{
    if (c->ahead == NULL) c->ahead = engine_zeroed(c->engine, sizeof *c->ahead);
    return c->ahead;
}

/* First range whose right edge is at or behind `seq`. */
static uint16_t find(const struct ltcp_reassembly *a, ltcp_seq seq)
{
    uint16_t low = 0, high = a->count;
    while (low < high) {
        const uint16_t middle = (uint16_t)((low + high) / 2);
        if (seq_lt(a->ranges[middle].right, seq))
            low = (uint16_t)(middle + 1);
        else
            high = middle;
    }
    return low;
}

static bool make_room(struct ltcp_connection *c, uint16_t at)
{
    struct ltcp_reassembly *a = c->ahead;
    if (a->count == a->capacity) {
        if (a->count >= LTCP_RANGES_MOST) return false;
        const uint16_t capacity = a->capacity == 0 ? 4 : (uint16_t)(2 * a->capacity);
        struct ltcp_range *ranges = engine_resize(
            c->engine, a->ranges, a->capacity * sizeof *ranges, capacity * sizeof *ranges);
        if (ranges == NULL) return false;
        a->ranges = ranges;
        a->capacity = capacity;
    }
    memmove(&a->ranges[at + 1], &a->ranges[at], (size_t)(a->count - at) * sizeof *a->ranges);
    a->count++;
    return true;
}

static void remove_range(struct ltcp_reassembly *a, uint16_t at)
{
    a->count--;
    memmove(&a->ranges[at], &a->ranges[at + 1], (size_t)(a->count - at) * sizeof *a->ranges);
}

static void chain(struct ltcp_slices *to, struct ltcp_slices *from)
{
    if (from->first == NULL) return;
    if (to->first == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    from->first = from->last = NULL;
}

/* RFC 2018 section 4: the first block is the one that holds the segment which came last.
 * RFC2018:4-4 RFC2018:4-6 */
static void touch(struct ltcp_reassembly *a, ltcp_seq left, ltcp_seq right)
{
    ltcp_seq kept[4];
    uint8_t n = 0;
    kept[n++] = left;
    for (uint8_t i = 0; i < a->recent_count && n < 4; i++)
        if (seq_lt(a->recent[i], left) || seq_ge(a->recent[i], right)) kept[n++] = a->recent[i];
    memcpy(a->recent, kept, n * sizeof *kept);
    a->recent_count = n;
}

/* A FIN that came ahead has a sequence number of its own: it is held, though no octet may be. */
static bool holds_fin(const struct ltcp_connection *c)
{
    return c->fin_received && !c->fin_processed && seq_gt(c->rcv_fin, c->rcv_nxt);
}

static void free_if_empty(struct ltcp_connection *c)
{
    if (c->ahead->count == 0 && !(c->sacking && holds_fin(c))) reassembly_free(c);
}

/* A segment has brought it, perhaps again. RFC2018:4-4 */
void reassembly_fin(struct ltcp_connection *c)
{
    if (!c->sacking || !holds_fin(c) || open(c) == NULL) return;
    touch(c->ahead, c->rcv_fin, seq_add(c->rcv_fin, 1));
}

/* A piece that no range covers, at position `at`: joins its left neighbour, or makes a range; then
 * joins the right neighbour. */
static bool insert_piece(struct ltcp_connection *c, uint16_t *at, struct ltcp_packet *packet,
                         ltcp_seq seq, const uint8_t *text, uint32_t length)
{
    struct ltcp_reassembly *a = c->ahead;
    if (*at < a->count && seq_eq(a->ranges[*at].right, seq)) {
        struct ltcp_range *r = &a->ranges[*at];
        if (!receive_queue_append(c, &r->slices, packet, text, length)) return false;
        r->right = seq_add(seq, length);
    } else {
        struct ltcp_slices slices = {NULL, NULL};
        if (!receive_queue_append(c, &slices, packet, text, length)) return false;
        if (!make_room(c, *at)) {
            receive_queue_free(c->engine, &slices);
            return false;
        }
        a->ranges[*at] = (struct ltcp_range){seq, seq_add(seq, length), slices};
    }
    a->octets += length;
    memory_charge(c->engine, length);
    if (*at + 1 < a->count && seq_eq(a->ranges[*at].right, a->ranges[*at + 1].left)) {
        struct ltcp_range *r = &a->ranges[*at];
        chain(&r->slices, &a->ranges[*at + 1].slices);
        r->right = a->ranges[*at + 1].right;
        remove_range(a, (uint16_t)(*at + 1));
    }
    return true;
}

/* RFC 2883 section 4: the first piece of a segment that was held already is told to the sender.
 * RFC2883:4.2-1 */
void reassembly_duplicate(struct ltcp_connection *c, ltcp_seq left, ltcp_seq right)
{
    if (!c->sacking || !settings_of(c)->dsack || c->dsack_due || seq_ge(left, right)) return;
    rare_of(c)->duplicate = (struct ltcp_sack_block){left, right};
    c->dsack_due = c->rare != NULL;
}

/* Keeps the parts of [seq, seq + length) that are new; false when something had to be dropped.
 * RFC2883:4.1-1 */
bool reassembly_insert(struct ltcp_connection *c, struct ltcp_packet *packet, ltcp_seq seq,
                       const uint8_t *text, uint32_t length)
{
    struct ltcp_reassembly *a = open(c);
    if (a == NULL) return false;
    const ltcp_seq end = seq_add(seq, length);
    uint16_t i = find(a, seq);
    bool kept = true, fresh = false;
    while (kept && seq_lt(seq, end)) {
        if (i < a->count && seq_le(a->ranges[i].left, seq) && seq_gt(a->ranges[i].right, seq)) {
            const uint32_t n = seq_diff(seq_min(a->ranges[i].right, end), seq);
            reassembly_duplicate(c, seq, seq_add(seq, n));
            seq = seq_add(seq, n);
            text += n;
            continue;
        }
        /* Where the range at i ends just here, the piece joins it; else i is what comes next. */
        const bool joins = i < a->count && seq_eq(a->ranges[i].right, seq);
        if (i < a->count && !joins && seq_lt(a->ranges[i].right, seq)) {
            i++;
            continue;
        }
        const uint16_t after = (uint16_t)(joins ? i + 1 : i);
        ltcp_seq stop = end;
        if (after < a->count) stop = seq_min(stop, a->ranges[after].left);
        const uint32_t n = seq_diff(stop, seq);
        kept = insert_piece(c, &i, packet, seq, text, n);
        fresh = true;
        seq = stop;
        text += n;
    }
    if (!fresh) rare_of(c)->duplicate_segments++;
    if (i < a->count) touch(a, a->ranges[i].left, a->ranges[i].right);
    free_if_empty(c);
    return kept;
}

uint32_t reassembly_drain(struct ltcp_connection *c)
{
    struct ltcp_reassembly *a = c->ahead;
    uint32_t moved = 0;
    while (a != NULL && a->count > 0 && seq_le(a->ranges[0].left, c->rcv_nxt)) {
        struct ltcp_range *r = &a->ranges[0];
        a->octets -= seq_diff(r->right, r->left);
        /* What the in-order segment overlapped is skipped. */
        uint32_t skip = seq_diff(seq_min(c->rcv_nxt, r->right), r->left);
        const uint32_t fresh = seq_diff(r->right, r->left) - skip;
        memory_give_back(c->engine, skip);
        while (skip > 0) {
            struct ltcp_slice *s = r->slices.first;
            const uint32_t n = skip < s->length ? skip : s->length;
            s->data += n;
            s->length -= n;
            skip -= n;
            if (s->length > 0) break;
            struct ltcp_slices one = {s, s};
            r->slices.first = s->next;
            if (r->slices.first == NULL) r->slices.last = NULL;
            s->next = NULL;
            receive_queue_free(c->engine, &one);
        }
        chain(&c->in, &r->slices);
        c->rcv_nxt = seq_add(c->rcv_nxt, fresh);
        moved += fresh;
        remove_range(a, 0);
    }
    if (a != NULL) free_if_empty(c);
    return moved;
}

/* The range that holds `seq`, with the FIN that came behind it, or that FIN alone. */
static bool block_at(const struct ltcp_connection *c, ltcp_seq seq, struct ltcp_sack_block *out)
{
    const struct ltcp_reassembly *a = c->ahead;
    const bool fin = holds_fin(c);
    const uint16_t at = find(a, fin && seq_eq(seq, c->rcv_fin) ? seq : seq_add(seq, 1));
    if (at < a->count && seq_le(a->ranges[at].left, seq)) {
        const struct ltcp_range *r = &a->ranges[at];
        const bool ends = fin && seq_eq(r->right, c->rcv_fin);
        *out = (struct ltcp_sack_block){r->left, ends ? seq_add(r->right, 1) : r->right};
        return true;
    }
    *out = (struct ltcp_sack_block){seq, seq_add(seq, 1)};
    return fin && seq_eq(seq, c->rcv_fin);
}

/* RFC2018:4-5 RFC2018:8-3 */
uint8_t reassembly_sack_blocks(const struct ltcp_connection *c, struct ltcp_sack_block out[4],
                               uint8_t room)
{
    const struct ltcp_reassembly *a = c->ahead;
    uint8_t n = 0;
    if (a == NULL) return 0;
    for (uint8_t i = 0; i <= a->recent_count && n < room; i++) {
        struct ltcp_sack_block b;
        /* The FIN came before there was anything else. */
        const ltcp_seq seq = i < a->recent_count ? a->recent[i] : c->rcv_fin;
        if (i == a->recent_count && !holds_fin(c)) break;
        if (!block_at(c, seq, &b)) continue;
        bool repeated = false;
        for (uint8_t j = 0; j < n; j++)
            repeated = repeated || seq_eq(out[j].left, b.left);
        if (!repeated) out[n++] = b;
    }
    return n;
}
