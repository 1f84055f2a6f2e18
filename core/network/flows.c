/* core/network/flows.c - octets that a link has carried before. */
#include "flows.h"

static uint32_t set_of(const struct flow_key *key)
{
    uint32_t hash = UINT32_C(2166136261);
    for (int i = 0; i < 16; i++)
        hash = (hash ^ key->source.bytes[i]) * UINT32_C(16777619);
    for (int i = 0; i < 16; i++)
        hash = (hash ^ key->destination.bytes[i]) * UINT32_C(16777619);
    hash = (hash ^ key->source_port) * UINT32_C(16777619);
    hash = (hash ^ key->destination_port) * UINT32_C(16777619);
    return (hash >> 16 ^ hash) % FLOW_SETS;
}

static bool same_key(const struct flow_key *a, const struct flow_key *b)
{
    return a->source_port == b->source_port && a->destination_port == b->destination_port &&
           memcmp(&a->source, &b->source, sizeof a->source) == 0 &&
           memcmp(&a->destination, &b->destination, sizeof a->destination) == 0;
}

/* The flow's record; another flow's that was quiet longest when it has none, with `used` off. */
static struct flow *find(struct flows *flows, const struct flow_key *key)
{
    struct flow *set = &flows->table[(size_t)set_of(key) * FLOW_WAYS], *oldest = set;
    for (int i = 0; i < FLOW_WAYS; i++) {
        if (set[i].used && same_key(&set[i].key, key)) return &set[i];
        if (set[i].last_used < oldest->last_used) oldest = &set[i];
    }
    oldest->used = false;
    return oldest;
}

static void begin(struct flow *flow, const struct flow_key *key, ltcp_seq seq, bool syn)
{
    *flow = (struct flow){.key = *key, .used = true, .has_isn = syn, .isn = seq, .end = seq};
}

static void remove_hole(struct flow *flow, unsigned i)
{
    flow->hole_count--;
    for (; i < flow->hole_count; i++)
        flow->holes[i] = flow->holes[i + 1];
}

/* When there is no room the oldest hole is given up: its octets then count as carried. */
static void insert_hole(struct flow *flow, unsigned i, ltcp_seq left, ltcp_seq right)
{
    if (flow->hole_count == FLOW_HOLES) {
        remove_hole(flow, 0);
        if (i > 0) i--;
    }
    for (unsigned j = flow->hole_count++; j > i; j--)
        flow->holes[j] = flow->holes[j - 1];
    flow->holes[i].left = left;
    flow->holes[i].right = right;
}

/* Takes [left, right) out of the holes; true when all of it lay in one of them. */
static bool fill_holes(struct flow *flow, ltcp_seq left, ltcp_seq right)
{
    bool whole = false;
    for (unsigned i = 0; i < flow->hole_count;) {
        ltcp_seq hole_left = flow->holes[i].left, hole_right = flow->holes[i].right;
        if (seq_ge(left, hole_right) || seq_le(right, hole_left)) {
            i++;
            continue;
        }
        if (seq_ge(left, hole_left) && seq_le(right, hole_right)) whole = true;
        remove_hole(flow, i);
        if (seq_lt(right, hole_right)) insert_hole(flow, i, right, hole_right);
        if (seq_gt(left, hole_left)) insert_hole(flow, i, hole_left, left);
        if (whole) break;
    }
    return whole;
}

static bool note(struct flow *flow, ltcp_seq left, ltcp_seq right)
{
    /* What was never sent again by now is too far back to be compared with (section 3.4). */
    while (flow->hole_count > 0 && seq_diff(flow->end, flow->holes[0].left) > UINT32_C(1) << 30)
        remove_hole(flow, 0);
    if (seq_lt(left, flow->end)) {
        bool first = fill_holes(flow, left, seq_min(right, flow->end)) && seq_le(right, flow->end);
        flow->end = seq_max(flow->end, right);
        return first;
    }
    if (seq_gt(left, flow->end)) insert_hole(flow, flow->hole_count, flow->end, left);
    flow->end = right;
    return true;
}

bool flows_note(struct flows *flows, const struct ltcp_allocator *allocator,
                const struct flow_key *key, ltcp_seq seq, uint32_t length, bool syn)
{
    if (length == 0) return true;
    if (flows->table == NULL) {
        flows->table = memory_take(allocator, FLOW_SETS * FLOW_WAYS * sizeof *flows->table);
        if (flows->table == NULL) return true;
    }
    struct flow *flow = find(flows, key);
    /* The same two sockets speak again: another SYN begins another connection. */
    if (!flow->used || (syn && !(flow->has_isn && seq_eq(flow->isn, seq))))
        begin(flow, key, seq, syn);
    flow->last_used = ++flows->clock;
    return note(flow, seq, seq_add(seq, length));
}

void flows_free(struct flows *flows, const struct ltcp_allocator *allocator)
{
    memory_give(allocator, flows->table, FLOW_SETS * FLOW_WAYS * sizeof *flows->table);
    *flows = (struct flows){0};
}

void flows_digest(struct digest *d, const struct flows *flows)
{
    if (flows->table == NULL) return;
    for (uint32_t i = 0; i < FLOW_SETS * FLOW_WAYS; i++) {
        const struct flow *flow = &flows->table[i];
        if (!flow->used) continue;
        digest_word(d, i);
        digest_word(d, flow->has_isn ? (uint64_t)flow->isn.n + 1 : 0);
        digest_seq(d, flow->end);
        for (uint8_t j = 0; j < flow->hole_count; j++)
            digest_word(d, (uint64_t)flow->holes[j].left.n << 32 | flow->holes[j].right.n);
        digest_address(d, &flow->key.source);
        digest_address(d, &flow->key.destination);
        digest_word(d, (uint64_t)flow->key.source_port << 16 | flow->key.destination_port);
    }
}
