/* bindings/queue.c - the queue of a path as a table, what it counts, and how it stands. */
#include "binding.h"

#include <string.h>

#define LONGEST   (100 * LTCP_SECOND)
#define SHORTEST  (LTCP_MILLISECOND / 100) /* between two updates of a probability */
#define MOST_GAIN 16384.0                  /* Hz */

static const char *const drop_tail_keys[] = {"kind", "packets", "bytes", NULL};
static const char *const red_keys[] = {
    "kind",     "packets", "bytes",           "ecn",    "min",         "max",
    "in_bytes", "weight",  "max_probability", "gentle", "packet_size", NULL};
static const char *const codel_keys[] = {"kind",     "packets",     "bytes",        "ecn", "target",
                                         "interval", "packet_size", "ce_threshold", NULL};
static const char *const fq_codel_keys[] = {"kind",        "packets",      "bytes", "ecn",
                                            "target",      "interval",     "flows", "quantum",
                                            "packet_size", "ce_threshold", NULL};
static const char *const pie_keys[] = {
    "kind", "packets", "bytes",       "ecn",           "target",      "update", "alpha",
    "beta", "burst",   "packet_size", "ecn_threshold", "derandomize", NULL};
static const char *const step_keys[] = {
    "kind",           "packets",      "bytes", "ecn", "threshold", "threshold_bytes",
    "threshold_time", "drop_not_ect", NULL};
static const char *const dualpi2_keys[] = {
    "kind",           "packets",     "bytes", "target",        "rtt_max", "update",
    "alpha",          "beta",        "k",     "min_threshold", "range",   "threshold_packets",
    "classic_weight", "packet_size", NULL};

static const char *const *const keys[LTCP_QUEUE_KINDS] = {
    [LTCP_QUEUE_DROP_TAIL] = drop_tail_keys,
    [LTCP_QUEUE_RED] = red_keys,
    [LTCP_QUEUE_CODEL] = codel_keys,
    [LTCP_QUEUE_FQ_CODEL] = fq_codel_keys,
    [LTCP_QUEUE_PIE] = pie_keys,
    [LTCP_QUEUE_STEP] = step_keys,
    [LTCP_QUEUE_DUALPI2] = dualpi2_keys,
};

/* ---- a table is read ------------------------------------------------------------------------ */

static enum ltcp_queue_kind read_kind(const struct bind_options *o)
{
    enum ltcp_queue_kind kind = LTCP_QUEUE_DROP_TAIL;
    lua_State *L = o->L; /* the table is on top */
    if (lua_getfield(L, -1, "kind") != LUA_TNIL) {
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        int found = 0;
        while (found < LTCP_QUEUE_KINDS &&
               (name == NULL || strcmp(name, ltcp_queue_name((enum ltcp_queue_kind)found)) != 0))
            found++;
        if (found == LTCP_QUEUE_KINDS)
            bind_option_error(o, "queue",
                              "kind: 'drop_tail', 'red', 'codel', 'fq_codel', 'pie', 'step' or "
                              "'dualpi2' expected, got %s",
                              luaL_tolstring(L, -1, NULL));
        kind = (enum ltcp_queue_kind)found;
    }
    lua_pop(L, 1);
    return kind;
}

static uint32_t read_gain(const struct bind_options *q, const char *key, uint32_t otherwise)
{
    lua_State *L = q->L;
    uint32_t gain = otherwise;
    if (bind_option_push(q, key) != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            bind_option_error(q, key, "number of Hertz expected, got %s", luaL_typename(L, -1));
        const lua_Number hertz = lua_tonumber(L, -1);
        if (!(hertz >= 0 && hertz <= MOST_GAIN))
            bind_option_error(q, key, "Hertz between 0 and 16384 expected");
        gain = (uint32_t)(hertz * 65536 + 0.5);
    }
    lua_pop(L, 1);
    return gain;
}

/* A time that may be said as `false`: never. */
static ltcp_time read_threshold_time(const struct bind_options *q, const char *key,
                                     ltcp_time otherwise)
{
    ltcp_time time = otherwise;
    const int type = bind_option_push(q, key);
    if (type == LUA_TBOOLEAN && !lua_toboolean(q->L, -1))
        time = LTCP_NEVER;
    else if (type != LUA_TNIL)
        time = bind_value_time(q, key, 0, LONGEST);
    lua_pop(q->L, 1);
    return time;
}

static uint32_t read_threshold(const struct bind_options *q, const char *key, uint32_t otherwise)
{
    uint32_t threshold = otherwise;
    const int type = bind_option_push(q, key);
    if (type == LUA_TBOOLEAN && !lua_toboolean(q->L, -1))
        threshold = LTCP_STEP_OFF;
    else if (type != LUA_TNIL)
        threshold = (uint32_t)bind_value_integer(q, key, 0, INT32_MAX);
    lua_pop(q->L, 1);
    return threshold;
}

static uint32_t read_count(const struct bind_options *q, const char *key, uint32_t otherwise,
                           lua_Integer least, lua_Integer most)
{
    return (uint32_t)bind_option_integer(q, key, otherwise, least, most);
}

static void read_red(const struct bind_options *q, struct ltcp_queue_config *c)
{
    c->min_threshold = read_count(q, "min", c->min_threshold, 0, INT32_MAX / 2);
    c->max_threshold = read_count(q, "max", c->max_threshold, 1, INT32_MAX / 2);
    if (c->min_threshold >= c->max_threshold) bind_option_error(q, "max", "more than min expected");
    c->in_bytes = bind_option_flag(q, "in_bytes", c->in_bytes);
    c->weight = bind_option_chance(q, "weight", c->weight);
    if (c->weight == 0) bind_option_error(q, "weight", "more than 0 expected");
    c->max_probability = bind_option_chance(q, "max_probability", c->max_probability);
    if (c->max_probability == 0) bind_option_error(q, "max_probability", "more than 0 expected");
    c->gentle = bind_option_flag(q, "gentle", c->gentle);
}

static void read_codel(const struct bind_options *q, struct ltcp_queue_config *c)
{
    c->target = bind_option_time(q, "target", c->target, 0, LONGEST);
    c->interval = bind_option_time(q, "interval", c->interval, 1, LONGEST);
    c->ce_threshold = read_threshold_time(q, "ce_threshold", c->ce_threshold);
}

static void read_pie(const struct bind_options *q, struct ltcp_queue_config *c)
{
    c->target = bind_option_time(q, "target", c->target, 1, LONGEST);
    c->interval = bind_option_time(q, "update", c->interval, SHORTEST, LONGEST);
    c->alpha = read_gain(q, "alpha", c->alpha);
    c->beta = read_gain(q, "beta", c->beta);
    c->burst = bind_option_time(q, "burst", c->burst, 0, LONGEST);
    c->ecn_threshold = bind_option_chance(q, "ecn_threshold", c->ecn_threshold);
    c->derandomize = bind_option_flag(q, "derandomize", c->derandomize);
}

/* Of the three thresholds those count that are said; none: the default. */
static void read_step(const struct bind_options *q, struct ltcp_queue_config *c)
{
    if (bind_option_present(q, "threshold_bytes") || bind_option_present(q, "threshold_time"))
        c->step_packets = LTCP_STEP_OFF;
    c->step_packets = read_threshold(q, "threshold", c->step_packets);
    c->step_bytes = read_threshold(q, "threshold_bytes", c->step_bytes);
    c->step_time = read_threshold_time(q, "threshold_time", c->step_time);
    c->drop_not_ect = bind_option_flag(q, "drop_not_ect", c->drop_not_ect);
}

static void read_dualpi2(const struct bind_options *q, struct ltcp_queue_config *c)
{
    c->target = bind_option_time(q, "target", c->target, 1, LONGEST);
    c->rtt_most = bind_option_time(q, "rtt_max", c->rtt_most, LTCP_MILLISECOND / 10, LONGEST);
    if (bind_option_present(q, "update"))
        c->interval = bind_option_time(q, "update", 0, SHORTEST, LONGEST);
    c->alpha = read_gain(q, "alpha", c->alpha);
    c->beta = read_gain(q, "beta", c->beta);
    c->coupling = read_count(q, "k", c->coupling, 1, 1000);
    c->ramp_start = bind_option_time(q, "min_threshold", c->ramp_start, 0, LONGEST);
    c->ramp_length = bind_option_time(q, "range", c->ramp_length, 0, LONGEST);
    c->ramp_packets = read_count(q, "threshold_packets", c->ramp_packets, 0, INT32_MAX);
    c->classic_weight = read_count(q, "classic_weight", c->classic_weight, 2, 1 << 20);
}

static void read_table(const struct bind_options *o, struct ltcp_path_config *path)
{
    const enum ltcp_queue_kind kind = read_kind(o);
    struct ltcp_queue_config *c = &path->queue;
    struct bind_options q;
    bind_options_open(&q, o->L, -1, o->arg, "queue", keys[kind], 0);
    *c = (struct ltcp_queue_config){0};
    const bool is_limited = bind_option_present(&q, "packets") || bind_option_present(&q, "bytes");
    const uint32_t limit = is_limited ? 0 : ltcp_queue_default_limit(kind);
    path->queue_packets = read_count(&q, "packets", limit, 0, UINT32_MAX);
    path->queue_bytes = read_count(&q, "bytes", 0, 0, UINT32_MAX);
    if (kind == LTCP_QUEUE_DROP_TAIL) return;

    ltcp_queue_defaults(c, kind);
    if (kind != LTCP_QUEUE_DUALPI2) c->ecn = bind_option_flag(&q, "ecn", c->ecn);
    if (kind != LTCP_QUEUE_STEP)
        c->packet_size = read_count(&q, "packet_size", c->packet_size, 1, 65535);
    switch (kind) {
    case LTCP_QUEUE_RED: read_red(&q, c); break;
    case LTCP_QUEUE_FQ_CODEL:
        c->flows = read_count(&q, "flows", c->flows, 1, 1 << 20);
        c->quantum = read_count(&q, "quantum", c->quantum, 1, INT32_MAX / 2);
        read_codel(&q, c);
        break;
    case LTCP_QUEUE_CODEL: read_codel(&q, c); break;
    case LTCP_QUEUE_PIE: read_pie(&q, c); break;
    case LTCP_QUEUE_STEP: read_step(&q, c); break;
    default: read_dualpi2(&q, c); break;
    }
}

void bind_read_queue(const struct bind_options *o, struct ltcp_path_config *path)
{
    lua_State *L = o->L;
    int type = bind_option_push(o, "queue");
    if (type == LUA_TTABLE) {
        read_table(o, path);
    } else if (type == LUA_TSTRING) {
        lua_createtable(L, 0, 1);
        lua_insert(L, -2);
        lua_setfield(L, -2, "kind");
        read_table(o, path);
    } else if (type != LUA_TNIL) {
        path->queue_packets = (uint32_t)bind_value_integer(o, "queue", 0, UINT32_MAX);
        path->queue_bytes = 0;
        path->queue = (struct ltcp_queue_config){0};
    }
    lua_pop(L, 1);
}

/* ---- and written ---------------------------------------------------------------------------- */

static void set_time(lua_State *L, const char *name, ltcp_time value)
{
    if (value == LTCP_NEVER)
        lua_pushboolean(L, false);
    else
        bind_push_time(L, value);
    lua_setfield(L, -2, name);
}

static void set_chance(lua_State *L, const char *name, uint64_t value)
{
    lua_pushnumber(L, (lua_Number)value / (lua_Number)LTCP_CERTAIN);
    lua_setfield(L, -2, name);
}

static void set_gain(lua_State *L, const char *name, uint32_t gain)
{
    lua_pushnumber(L, (lua_Number)gain / 65536);
    lua_setfield(L, -2, name);
}

static void set_threshold(lua_State *L, const char *name, uint32_t value)
{
    if (value == LTCP_STEP_OFF)
        bind_set_flag(L, name, false);
    else
        bind_set_number(L, name, value);
}

static void push_codel(lua_State *L, const struct ltcp_queue_config *c)
{
    set_time(L, "target", c->target);
    set_time(L, "interval", c->interval);
    set_time(L, "ce_threshold", c->ce_threshold);
    if (c->kind != LTCP_QUEUE_FQ_CODEL) return;
    bind_set_number(L, "flows", c->flows);
    bind_set_number(L, "quantum", c->quantum);
}

static void push_red(lua_State *L, const struct ltcp_queue_config *c)
{
    bind_set_number(L, "min", c->min_threshold);
    bind_set_number(L, "max", c->max_threshold);
    bind_set_flag(L, "in_bytes", c->in_bytes);
    set_chance(L, "weight", c->weight);
    set_chance(L, "max_probability", c->max_probability);
    bind_set_flag(L, "gentle", c->gentle);
}

static void push_pie(lua_State *L, const struct ltcp_queue_config *c)
{
    set_time(L, "target", c->target);
    set_time(L, "update", c->interval);
    set_gain(L, "alpha", c->alpha);
    set_gain(L, "beta", c->beta);
    set_time(L, "burst", c->burst);
    set_chance(L, "ecn_threshold", c->ecn_threshold);
    bind_set_flag(L, "derandomize", c->derandomize);
}

static void push_dualpi2(lua_State *L, const struct ltcp_queue_config *c)
{
    set_time(L, "target", c->target);
    set_time(L, "rtt_max", c->rtt_most);
    if (c->interval > 0) set_time(L, "update", c->interval);
    if (c->alpha > 0) set_gain(L, "alpha", c->alpha);
    if (c->beta > 0) set_gain(L, "beta", c->beta);
    bind_set_number(L, "k", c->coupling);
    set_time(L, "min_threshold", c->ramp_start);
    set_time(L, "range", c->ramp_length);
    bind_set_number(L, "threshold_packets", c->ramp_packets);
    bind_set_number(L, "classic_weight", c->classic_weight);
}

void bind_push_queue(lua_State *L, const struct ltcp_path_config *path)
{
    const struct ltcp_queue_config *c = &path->queue;
    lua_createtable(L, 0, 12);
    lua_pushstring(L, ltcp_queue_name(c->kind));
    lua_setfield(L, -2, "kind");
    bind_set_number(L, "packets", path->queue_packets);
    bind_set_number(L, "bytes", path->queue_bytes);
    if (c->kind == LTCP_QUEUE_DROP_TAIL) return;
    if (c->kind != LTCP_QUEUE_DUALPI2) bind_set_flag(L, "ecn", c->ecn);
    if (c->kind != LTCP_QUEUE_STEP) bind_set_number(L, "packet_size", c->packet_size);
    switch (c->kind) {
    case LTCP_QUEUE_RED: push_red(L, c); break;
    case LTCP_QUEUE_PIE: push_pie(L, c); break;
    case LTCP_QUEUE_STEP:
        set_threshold(L, "threshold", c->step_packets);
        set_threshold(L, "threshold_bytes", c->step_bytes);
        set_time(L, "threshold_time", c->step_time);
        bind_set_flag(L, "drop_not_ect", c->drop_not_ect);
        break;
    case LTCP_QUEUE_DUALPI2: push_dualpi2(L, c); break;
    default: push_codel(L, c); break;
    }
}

/* ---- what it counts ------------------------------------------------------------------------- */

static void push_sojourn(lua_State *L, const struct ltcp_sojourn *s)
{
    lua_createtable(L, 0, 5);
    bind_set_number(L, "packets", s->packets);
    lua_pushnumber(L, s->packets == 0
                          ? 0
                          : (lua_Number)s->sum / (lua_Number)s->packets / (lua_Number)LTCP_SECOND);
    lua_setfield(L, -2, "mean");
    set_time(L, "median", ltcp_sojourn_percentile(s, 50));
    set_time(L, "p99", ltcp_sojourn_percentile(s, 99));
    set_time(L, "greatest", s->greatest);
}

static void push_state(lua_State *L, const struct ltcp_queue_state *state)
{
    lua_pushstring(L, ltcp_queue_name(state->kind));
    lua_setfield(L, -2, "kind");
    switch (state->kind) {
    case LTCP_QUEUE_RED:
        lua_pushnumber(L, (lua_Number)state->average / 65536);
        lua_setfield(L, -2, "average");
        set_chance(L, "probability", state->probability);
        break;
    case LTCP_QUEUE_PIE:
        set_chance(L, "probability", state->probability);
        set_time(L, "delay", state->delay);
        set_time(L, "burst_allowance", state->burst_allowance);
        break;
    case LTCP_QUEUE_DUALPI2:
        set_chance(L, "probability", state->probability);
        set_chance(L, "base", state->base);
        set_chance(L, "coupled", state->coupled);
        set_time(L, "delay", state->delay);
        bind_set_number(L, "classic_packets", state->queue_packets[0]);
        bind_set_number(L, "l4s_packets", state->queue_packets[1]);
        bind_set_number(L, "overloads", state->overloads);
        set_time(L, "overload_time", state->overload_time);
        set_time(L, "overload_since", state->overload_since);
        break;
    case LTCP_QUEUE_FQ_CODEL:
        bind_set_number(L, "flows_new", state->flows_new);
        bind_set_number(L, "flows_old", state->flows_old); /* fall through */
    case LTCP_QUEUE_CODEL:
        bind_set_flag(L, "dropping", state->dropping);
        bind_set_number(L, "count", state->count);
        break;
    default: break;
    }
}

/* RFC9332:2.5.2.2-1, RFC7567:4.3-4, 4.3-5 */
void bind_push_queue_counters(lua_State *L, const struct ltcp_path *path, ltcp_time now)
{
    const struct ltcp_queue_counters *c = &ltcp_path_counters(path)->queue;
    struct ltcp_queue_state state;
    ltcp_path_queue_state(path, now, &state);
    lua_createtable(L, 0, 12);
    push_state(L, &state);
    bind_set_number(L, "marked", c->marked);
    bind_set_number(L, "early", c->early);
    bind_set_number(L, "early_ect", c->early_ect_of[0] + c->early_ect_of[1]);
    bind_set_number(L, "overflow", c->overflow);
    push_sojourn(L, &c->sojourn[0]);
    lua_setfield(L, -2, "sojourn");
    if (state.kind == LTCP_QUEUE_FQ_CODEL) bind_set_number(L, "new_flows", c->new_flows);
    if (state.kind != LTCP_QUEUE_DUALPI2) return;
    bind_set_number(L, "classic_bytes", c->bytes_of[0]);
    lua_createtable(L, 0, 5);
    bind_set_number(L, "marked", c->marked_of[1]);
    bind_set_number(L, "early", c->early_of[1]);
    bind_set_number(L, "early_ect", c->early_ect_of[1]);
    bind_set_number(L, "bytes", c->bytes_of[1]);
    push_sojourn(L, &c->sojourn[1]);
    lua_setfield(L, -2, "sojourn");
    lua_setfield(L, -2, "l4s");
}
