/* bindings/explore.c - which choices are still to be tried: the queue, the digests that were seen,
 * and what runs are measured by. One explorer leads many networks, one after the other.
 *
 * Scripts are tried in the order of their length: a run follows its script and then makes the first
 * choice to the end, and at each packet on that way, unless the state there was met before with as
 * many choices left, every other choice becomes a script of its own. So the first script that fails
 * is as short as any. */
#include "explore.h"

#include <stdlib.h>
#include <string.h>

#define MOST_DEPTH 250

/* Scripts of one length, end to end, taken from the front. */
struct bucket {
    uint8_t *bytes;
    size_t first, end, room, count;
};

/* What was written by one end of a connection, for the other end's reads to be compared with. */
struct stream {
    struct ltcp_address local, remote;
    uint16_t local_port, remote_port;
    ltcp_seq iss;
    uint32_t node;
    ltcp_handle handle;
    bool urgent; /* an octet may go another way */
    uint8_t *bytes;
    size_t length, room;
};
/* The reading end: how far it has come in the other's stream. */
struct reader {
    uint32_t node;
    ltcp_handle handle;
    size_t at;
};

struct bind_explorer {
    struct ltcp_fate fates[LTCP_MOST_CHOICES];
    uint8_t fate_count, depth;
    bool prune;
    struct bucket buckets[MOST_DEPTH + 1];
    uint32_t shortest; /* no script is shorter */
    uint64_t waiting;
    /* Digests, open addressing: 0 is an empty place. */
    uint64_t *seen;
    uint8_t *left; /* choices that were left there */
    size_t seen_room, seen_count;
    uint64_t runs, pruned_runs, choices;
    uint16_t changes[LTCP_STATE_COUNT];
    bool out_of_memory;
    /* of the present run */
    struct bind_network *net;
    uint8_t script[MOST_DEPTH];
    uint32_t length;
    bool pruned;
    uint64_t saw;
    const char *broken; /* what is wrong with the streams */
    struct stream *streams;
    uint32_t stream_count, stream_room;
    struct reader *readers;
    uint32_t reader_count, reader_room;
};

/* ---- the queue ------------------------------------------------------------------------------ */

static bool make_room(void **array, size_t *room, size_t wanted, size_t size)
{
    if (wanted <= *room) return true;
    size_t more = *room < 256 ? 256 : *room;
    while (more < wanted)
        more *= 2;
    void *grown = realloc(*array, more * size);
    if (grown == NULL) return false;
    *array = grown;
    *room = more;
    return true;
}

static void push(struct bind_explorer *e, const uint8_t *script, uint32_t length)
{
    struct bucket *b = &e->buckets[length];
    void *bytes = b->bytes;
    const bool good = make_room(&bytes, &b->room, b->end + length, 1);
    b->bytes = bytes;
    if (!good) {
        e->out_of_memory = true;
        return;
    }
    if (length > 0) memcpy(b->bytes + b->end, script, length);
    b->end += length;
    b->count++;
    e->waiting++;
}

/* The next script, the shortest ones first; false: none is left. */
static bool pop(struct bind_explorer *e)
{
    for (; e->shortest <= e->depth; e->shortest++) {
        struct bucket *b = &e->buckets[e->shortest];
        if (b->count == 0) {
            free(b->bytes);
            *b = (struct bucket){.bytes = NULL};
            continue;
        }
        e->length = e->shortest;
        if (e->length > 0) memcpy(e->script, b->bytes + b->first, e->length);
        b->first += e->length;
        b->count--;
        e->waiting--;
        return true;
    }
    return false;
}

/* ---- what was seen -------------------------------------------------------------------------- */

static size_t place_of(const struct bind_explorer *e, uint64_t digest)
{
    size_t at = (size_t)(digest * UINT64_C(0x9E3779B97F4A7C15)) & (e->seen_room - 1);
    while (e->seen[at] != 0 && e->seen[at] != digest)
        at = (at + 1) & (e->seen_room - 1);
    return at;
}

static bool grow_seen(struct bind_explorer *e)
{
    if (e->seen_room > 0 && e->seen_count < e->seen_room / 2) return true;
    struct bind_explorer old = *e;
    e->seen_room = old.seen_room == 0 ? 4096 : 2 * old.seen_room;
    e->seen = calloc(e->seen_room, sizeof *e->seen);
    e->left = calloc(e->seen_room, 1);
    if (e->seen == NULL || e->left == NULL) {
        free(e->seen);
        free(e->left);
        e->seen = old.seen;
        e->left = old.left;
        e->seen_room = old.seen_room;
        return false;
    }
    for (size_t i = 0; i < old.seen_room; i++) {
        if (old.seen[i] == 0) continue;
        const size_t at = place_of(e, old.seen[i]);
        e->seen[at] = old.seen[i];
        e->left[at] = old.left[i];
    }
    free(old.seen);
    free(old.left);
    return true;
}

/* True when the state was met before with as many choices left. */
static bool was_seen(struct bind_explorer *e, uint64_t digest, uint32_t left)
{
    if (digest == 0) digest = 1;
    if (!grow_seen(e)) {
        e->out_of_memory = true;
        return false;
    }
    const size_t at = place_of(e, digest);
    if (e->seen[at] == digest && e->left[at] >= left) return true;
    if (e->seen[at] == 0) e->seen_count++;
    e->seen[at] = digest;
    e->left[at] = (uint8_t)left;
    return false;
}

/* ---- a run ---------------------------------------------------------------------------------- */

/* Every other choice for the packet `at` becomes a script. */
static void branch(struct bind_explorer *e, uint32_t at)
{
    uint8_t script[MOST_DEPTH];
    memcpy(script, e->script, e->length);
    memset(script + e->length, 0, at - e->length);
    for (uint8_t choice = 1; choice < e->fate_count; choice++) {
        script[at] = choice;
        push(e, script, at + 1);
    }
}

/* Behind the last choice too: what follows from a state was seen to its end before. */
bool bind_explore_choose(struct bind_network *net)
{
    struct bind_explorer *e = net->explorer;
    if (e == NULL) return true;
    const uint32_t at = ltcp_network_choices_made(net->network) - 1;
    const uint32_t left = at < e->depth ? e->depth - at : 0;
    const uint64_t digest = e->prune ? ltcp_network_digest(net->network) ^ e->saw : 0;
    e->choices++;
    if (e->prune && was_seen(e, digest, left)) {
        e->pruned = true;
        return false;
    }
    if (left > 0) branch(e, at);
    ltcp_network_answer_choice(net->network, 0);
    return true;
}

void bind_explore_saw(struct bind_network *net, uint64_t what, const void *bytes, size_t length)
{
    struct bind_explorer *e = net->explorer;
    if (e == NULL) return;
    const uint8_t *at = bytes;
    uint64_t h = (e->saw ^ what) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 32 ^ length) * UINT64_C(0xD6E8FEB86659FD93);
    for (size_t i = 0; i < length; i++)
        h = (h ^ at[i]) * UINT64_C(0x100000001B3) ^ h >> 47;
    e->saw = h ^ h >> 32;
}

/* Behind these variables come counters. */
#define INFO_VARIABLES 31

void bind_explore_saw_info(struct bind_network *net, const struct ltcp_info *i, bool counters)
{
    if (net->explorer == NULL) return;
    const uint64_t values[] = {i->state,
                               i->error,
                               i->snd_una.n,
                               i->snd_nxt.n,
                               i->snd_up.n,
                               i->rcv_nxt.n,
                               i->rcv_up.n,
                               i->snd_wnd,
                               i->rcv_wnd,
                               i->snd_mss,
                               i->path_mtu,
                               i->cwnd,
                               i->ssthresh,
                               i->pipe,
                               (uint64_t)i->srtt,
                               (uint64_t)i->rttvar,
                               (uint64_t)i->rto,
                               (uint64_t)i->min_rtt,
                               (uint64_t)i->latest_rtt,
                               (uint64_t)i->retransmission_deadline,
                               (uint64_t)i->persist_deadline,
                               (uint64_t)i->delayed_ack_deadline,
                               (uint64_t)i->keepalive_deadline,
                               (uint64_t)i->time_wait_deadline,
                               i->backoff,
                               i->duplicate_acks,
                               i->unsent,
                               i->unacked,
                               i->unread,
                               i->out_of_order,
                               i->urgent_remaining,
                               i->segments_sent,
                               i->segments_received,
                               i->bytes_sent,
                               i->bytes_received,
                               i->bytes_acked,
                               i->segments_retransmitted,
                               i->bytes_retransmitted,
                               i->timeouts,
                               i->fast_recoveries,
                               i->duplicate_acks_received,
                               i->acks_sent,
                               i->out_of_order_segments,
                               i->duplicate_segments,
                               i->challenge_acks,
                               i->probes_sent,
                               i->paws_rejected,
                               i->ce_received,
                               i->ece_received,
                               i->ecn_reductions};
    const size_t count = counters ? sizeof values / sizeof *values : INFO_VARIABLES;
    bind_explore_saw(net, BIND_SAW_INFO, values, count * sizeof *values);
}

/* ---- octets delivered are a prefix of octets written ------------------------------------------
 * RFC 9293 section 3.1: "a reliable, in-order, byte-stream service". */

static struct stream *stream_of(struct bind_explorer *e, const struct ltcp_host *host,
                                uint32_t node, ltcp_handle handle)
{
    for (uint32_t i = 0; i < e->stream_count; i++)
        if (e->streams[i].node == node && e->streams[i].handle == handle) return &e->streams[i];
    struct ltcp_info info;
    size_t room = e->stream_room;
    void *streams = e->streams;
    if (ltcp_info(host, handle, &info) != LTCP_OK) return NULL;
    const bool good = make_room(&streams, &room, (size_t)e->stream_count + 1, sizeof *e->streams);
    e->streams = streams;
    e->stream_room = (uint32_t)room;
    if (!good) return NULL;
    struct stream *s = &e->streams[e->stream_count++];
    *s = (struct stream){.local = info.local,
                         .remote = info.remote,
                         .local_port = info.local_port,
                         .remote_port = info.remote_port,
                         .iss = info.iss,
                         .node = node,
                         .handle = handle};
    return s;
}

void bind_explore_wrote(struct bind_network *net, uint32_t node, ltcp_handle handle,
                        const void *bytes, size_t length, bool urgent)
{
    struct bind_explorer *e = net->explorer;
    if (e == NULL) return;
    struct stream *s = stream_of(e, net->nodes[node].host, node, handle);
    if (s == NULL || length == 0) return;
    void *all = s->bytes;
    const bool good = make_room(&all, &s->room, s->length + length, 1);
    s->bytes = all;
    if (!good || urgent) s->urgent = true;
    if (!good) return;
    memcpy(s->bytes + s->length, bytes, length);
    s->length += length;
}

void bind_explore_dropped(struct bind_network *net, uint32_t node, ltcp_handle handle,
                          size_t length)
{
    struct bind_explorer *e = net->explorer;
    struct stream *s = e == NULL ? NULL : stream_of(e, net->nodes[node].host, node, handle);
    if (s != NULL && length <= s->length) s->length -= length;
}

static struct reader *reader_of(struct bind_explorer *e, uint32_t node, ltcp_handle handle)
{
    for (uint32_t i = 0; i < e->reader_count; i++)
        if (e->readers[i].node == node && e->readers[i].handle == handle) return &e->readers[i];
    size_t room = e->reader_room;
    void *readers = e->readers;
    const bool good = make_room(&readers, &room, (size_t)e->reader_count + 1, sizeof *e->readers);
    e->readers = readers;
    e->reader_room = (uint32_t)room;
    if (!good) return NULL;
    struct reader *r = &e->readers[e->reader_count++];
    *r = (struct reader){.node = node, .handle = handle};
    return r;
}

static const struct stream *written_to(const struct bind_explorer *e, const struct ltcp_info *info)
{
    for (uint32_t i = 0; i < e->stream_count; i++) {
        const struct stream *s = &e->streams[i];
        if (s->local_port == info->remote_port && s->remote_port == info->local_port &&
            seq_eq(s->iss, info->irs) && ltcp_address_equal(&s->local, &info->remote) &&
            ltcp_address_equal(&s->remote, &info->local))
            return s;
    }
    return NULL;
}

void bind_explore_read(struct bind_network *net, uint32_t node, ltcp_handle handle,
                       const void *bytes, size_t length)
{
    struct bind_explorer *e = net->explorer;
    struct ltcp_info info;
    if (e == NULL || e->broken != NULL) return;
    struct reader *r = reader_of(e, node, handle);
    if (r == NULL || ltcp_info(net->nodes[node].host, handle, &info) != LTCP_OK) return;
    const struct stream *s = written_to(e, &info);
    /* A peer of the script's own writes no stream. */
    if (s != NULL && !s->urgent &&
        (length > s->length - r->at || memcmp(s->bytes + r->at, bytes, length) != 0))
        e->broken = "octets delivered are a prefix of octets written (RFC 9293 section 3.1)";
    r->at += length;
}

static void forget_streams(struct bind_explorer *e)
{
    for (uint32_t i = 0; i < e->stream_count; i++)
        free(e->streams[i].bytes);
    e->stream_count = e->reader_count = 0;
}

/* ---- the class ------------------------------------------------------------------------------ */

static struct bind_explorer *check_explorer(lua_State *L)
{
    return luaL_checkudata(L, 1, BIND_EXPLORER);
}

static void detach(struct bind_explorer *e)
{
    if (e->net != NULL) e->net->explorer = NULL;
    e->net = NULL;
}

void bind_explore_detach(struct bind_network *net)
{
    if (net->explorer != NULL) detach(net->explorer);
}

static int explorer_gc(lua_State *L)
{
    struct bind_explorer *e = check_explorer(L);
    detach(e);
    forget_streams(e);
    for (uint32_t i = 0; i <= MOST_DEPTH; i++)
        free(e->buckets[i].bytes);
    free(e->seen);
    free(e->left);
    free(e->streams);
    free(e->readers);
    *e = (struct bind_explorer){.depth = 0};
    return 0;
}

/* choices, depth, prune */
static int new_explorer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const lua_Integer count = luaL_len(L, 1), depth = luaL_checkinteger(L, 2);
    luaL_argcheck(L, count >= 1 && count <= LTCP_MOST_CHOICES, 1, "1 to 16 choices expected");
    luaL_argcheck(L, depth >= 0 && depth <= MOST_DEPTH, 2, "0 to 250 packets");
    const bool prune = lua_isnoneornil(L, 3) || lua_toboolean(L, 3);
    struct bind_explorer *e = lua_newuserdatauv(L, sizeof *e, 0);
    memset(e, 0, sizeof *e);
    luaL_setmetatable(L, BIND_EXPLORER);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, 1, i);
        bind_read_verdict(L, -1, &e->fates[i - 1]);
        lua_pop(L, 1);
    }
    e->fate_count = (uint8_t)count;
    e->depth = (uint8_t)depth;
    e->prune = prune;
    push(e, e->script, 0);
    return 1;
}

/* An array of indices from 1, beginning with the one that was said. */
static void push_script(lua_State *L, const struct bind_explorer *e)
{
    lua_createtable(L, (int)e->length, 0);
    for (uint32_t i = 0; i < e->length; i++) {
        lua_pushinteger(L, e->script[i] + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static bool attach(struct bind_explorer *e, struct bind_network *net, uint32_t depth)
{
    const struct ltcp_choices choices = {.fates = e->fates,
                                         .fate_count = e->fate_count,
                                         .script = e->script,
                                         .length = e->length,
                                         .depth = depth};
    detach(e);
    forget_streams(e);
    e->pruned = false;
    e->saw = 0;
    e->broken = NULL;
    if (ltcp_network_choose(net->network, &choices) != LTCP_OK) return false;
    e->net = net;
    net->explorer = e;
    return true;
}

/* Leads the network by the next script; false: none is left. */
static int explorer_begin(lua_State *L)
{
    struct bind_explorer *e = check_explorer(L);
    struct bind_network *net = bind_check_network(L, 2);
    const bool more = e->waiting > 0 && pop(e);
    if (e->out_of_memory) return luaL_error(L, "not enough memory");
    if (more && !attach(e, net, e->prune ? UINT32_MAX : e->depth))
        return luaL_error(L, "not enough memory");
    if (more) e->runs++;
    lua_pushboolean(L, more);
    return 1;
}

/* Leads the network by a script that is given, and asks no more behind it. */
static int explorer_replay(lua_State *L)
{
    struct bind_explorer *e = check_explorer(L);
    struct bind_network *net = bind_check_network(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    const lua_Integer length = luaL_len(L, 3);
    luaL_argcheck(L, length <= MOST_DEPTH, 3, "at most 250 choices");
    uint8_t script[MOST_DEPTH];
    for (lua_Integer i = 1; i <= length; i++) {
        lua_geti(L, 3, i);
        const lua_Integer choice = lua_tointeger(L, -1);
        luaL_argcheck(L, choice >= 1 && choice <= e->fate_count, 3, "numbers of choices expected");
        script[i - 1] = (uint8_t)(choice - 1);
        lua_pop(L, 1);
    }
    memcpy(e->script, script, (size_t)length);
    e->length = (uint32_t)length;
    if (!attach(e, net, 0)) return luaL_error(L, "not enough memory");
    return 0;
}

/* The run is over: what its hosts went through is taken in. Whether it was pruned, the choices that
 * were made, and what is wrong with the streams. */
static int explorer_finish(lua_State *L)
{
    struct bind_explorer *e = check_explorer(L);
    struct bind_network *net = e->net;
    if (net == NULL) return luaL_error(L, "no run to finish");
    for (uint32_t i = 0; i < net->node_count; i++)
        for (int from = 0; net->nodes[i].host != NULL && from < LTCP_STATE_COUNT; from++)
            e->changes[from] |=
                (uint16_t)ltcp_host_changes(net->nodes[i].host, (enum ltcp_state)from);
    const uint32_t made = ltcp_network_choices_made(net->network);
    if (e->pruned) e->pruned_runs++;
    detach(e);
    lua_pushboolean(L, e->pruned);
    lua_pushinteger(L, made);
    lua_pushstring(L, e->broken);
    return 3;
}

static int explorer_pruned(lua_State *L)
{
    lua_pushboolean(L, check_explorer(L)->pruned);
    return 1;
}

static int explorer_script(lua_State *L)
{
    push_script(L, check_explorer(L));
    return 1;
}

/* Something that the script of the run has learnt otherwise. */
static int explorer_saw(lua_State *L)
{
    const struct bind_explorer *e = check_explorer(L);
    size_t length;
    const char *bytes = luaL_checklstring(L, 2, &length);
    if (e->net != NULL) bind_explore_saw(e->net, BIND_SAW_OTHER, bytes, length);
    return 0;
}

static void set_count(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static int explorer_counts(lua_State *L)
{
    const struct bind_explorer *e = check_explorer(L);
    lua_createtable(L, 0, 5);
    set_count(L, "runs", e->runs);
    set_count(L, "pruned", e->pruned_runs);
    set_count(L, "choices", e->choices);
    set_count(L, "states", e->seen_count);
    set_count(L, "waiting", e->waiting);
    return 1;
}

/* Arrays of {from, to}: changes of state that were gone through, and those of section 3.10 that
 * were not. */
static int explorer_coverage(lua_State *L)
{
    const struct bind_explorer *e = check_explorer(L);
    lua_Integer count[2] = {0, 0};
    lua_newtable(L);
    lua_newtable(L);
    for (int from = 0; from < LTCP_STATE_COUNT; from++) {
        for (int to = 0; to < LTCP_STATE_COUNT; to++) {
            const bool gone = (e->changes[from] >> to & 1) != 0;
            if (!gone && !ltcp_state_change_is_named((enum ltcp_state)from, (enum ltcp_state)to))
                continue;
            lua_createtable(L, 2, 0);
            lua_pushstring(L, ltcp_state_name((enum ltcp_state)from));
            lua_rawseti(L, -2, 1);
            lua_pushstring(L, ltcp_state_name((enum ltcp_state)to));
            lua_rawseti(L, -2, 2);
            lua_rawseti(L, gone ? -3 : -2, ++count[gone ? 0 : 1]);
        }
    }
    return 2;
}

void bind_open_explore(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__gc", explorer_gc}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"begin", explorer_begin},   {"replay", explorer_replay},     {"finish", explorer_finish},
        {"pruned", explorer_pruned}, {"script", explorer_script},     {"saw", explorer_saw},
        {"counts", explorer_counts}, {"coverage", explorer_coverage}, {NULL, NULL}};
    bind_class(L, BIND_EXPLORER, methods, meta);
    lua_pushcfunction(L, new_explorer);
    lua_setfield(L, -2, "explorer");
}
