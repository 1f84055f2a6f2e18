/* bindings/congestion.c - congestion control in Lua: functions in the place of an algorithm of the
 * core.
 *
 * The core calls them in the middle of its work, so they run protected, on a thread of their own
 * that no script resumes, and must not call into a network: bind_check_open refuses while one of
 * them runs. An error stays on that thread's stack; the algorithm then does what NewReno does until
 * the core has returned, and whoever called the core raises it. */
#include "binding.h"

#include <stddef.h>
#include <string.h>

#define CLASS_CONTROL "lunatcp.Congestion"
#define CLASS_SAMPLE  "lunatcp.Sample"
#define LONGEST_NAME  31

enum callback {
    INIT,
    ON_ACK,
    ON_RTT,
    ON_SEGMENT_LOST,
    ON_LOSS,
    ON_ECN,
    ON_RECOVERED,
    ON_TIMEOUT,
    ON_IDLE,
    ON_RESTART,
    ON_UNDO,
    CALLBACKS
};
static const char *const callback_names[CALLBACKS] = {
    "init",         "on_ack",     "on_rtt",  "on_segment_lost", "on_loss", "on_ecn",
    "on_recovered", "on_timeout", "on_idle", "on_restart",      "on_undo"};

/* What all algorithms of one Lua state share; a userdata that the registry keeps. */
struct bind_congestions {
    lua_State *thread;
    struct algorithm *newest;
    struct sample *view;
    int view_ref;
    bool inside, failed;
};
/* Never freed before the Lua state: connections anywhere may point at its table. */
struct algorithm {
    struct ltcp_congestion_ops ops; /* first: the core's pointer leads here */
    struct bind_congestions *all;
    struct algorithm *older;
    int callback[CALLBACKS]; /* references in the registry, or LUA_NOREF */
    char name[LONGEST_NAME + 1];
};
/* Behind ltcp_congestion.state. */
struct state {
    uint64_t history; /* of all inputs: two states that had the same are the same */
    int ref;          /* of the object in the registry; 0: none */
};
struct control { /* the object; user value: the fields that are the script's own */
    struct ltcp_congestion *cc;
};
struct sample { /* one object for all; over when the call is */
    const struct ltcp_ack_sample *ack;
    const struct ltcp_loss_sample *loss;
};

static const char registry_key;

static struct bind_congestions *congestions_of(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &registry_key);
    struct bind_congestions *all = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return all;
}

/* ---- the object: cc.cwnd, cc.ssthresh, ..., and whatever the script keeps there ---------------
 */

static struct ltcp_congestion *check_control(lua_State *L)
{
    const struct control *control = luaL_checkudata(L, 1, CLASS_CONTROL);
    if (control->cc == NULL) luaL_error(L, "the connection has no use for this object any more");
    return control->cc;
}

static int control_index(lua_State *L)
{
    const struct ltcp_congestion *cc = check_control(L);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "cwnd") == 0)
        lua_pushinteger(L, cc->cwnd);
    else if (strcmp(key, "ssthresh") == 0)
        lua_pushinteger(L, cc->ssthresh);
    else if (strcmp(key, "mss") == 0)
        lua_pushinteger(L, cc->mss);
    else if (strcmp(key, "initial_window") == 0)
        lua_pushinteger(L, cc->initial_window);
    else if (strcmp(key, "pacing_rate") == 0)
        lua_pushnumber(L, (lua_Number)cc->pacing_rate * 8);
    else {
        lua_getiuservalue(L, 1, 1);
        lua_pushvalue(L, 2);
        lua_rawget(L, -2);
    }
    return 1;
}

/* A whole number of octets, rounded once; `scale` converts to octets. */
static uint64_t check_octets(lua_State *L, const char *key, lua_Number scale, lua_Number least,
                             lua_Number most)
{
    int is_number = 0;
    const lua_Number number = lua_tonumberx(L, 3, &is_number) / scale;
    const bool good = is_number && number > least - 0.5 && number < most + 0.5;
    if (!good || lua_type(L, 3) != LUA_TNUMBER)
        luaL_error(L, "%s: a number from %I to %I expected, got %s", key,
                   (LUAI_UACINT)(least * scale), (LUAI_UACINT)(most * scale),
                   luaL_tolstring(L, 3, NULL));
    return (uint64_t)(number + 0.5);
}

static int control_newindex(lua_State *L)
{
    struct ltcp_congestion *cc = check_control(L);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "cwnd") == 0)
        cc->cwnd = (uint32_t)check_octets(L, key, 1, 1, INT32_MAX);
    else if (strcmp(key, "ssthresh") == 0)
        cc->ssthresh = (uint32_t)check_octets(L, key, 1, 0, INT32_MAX);
    else if (strcmp(key, "pacing_rate") == 0)
        cc->pacing_rate = check_octets(L, key, 8, 0, 1e15);
    else if (strcmp(key, "mss") == 0 || strcmp(key, "initial_window") == 0)
        return luaL_error(L, "%s is the connection's to set", key);
    else {
        lua_getiuservalue(L, 1, 1);
        lua_insert(L, 2);
        lua_rawset(L, 2);
    }
    return 0;
}

static int control_tostring(lua_State *L)
{
    const struct control *control = luaL_checkudata(L, 1, CLASS_CONTROL);
    if (control->cc == NULL)
        lua_pushliteral(L, "congestion control (over)");
    else
        lua_pushfstring(L, "congestion control %s: cwnd %I, ssthresh %I", control->cc->ops->name,
                        (LUAI_UACINT)control->cc->cwnd, (LUAI_UACINT)control->cc->ssthresh);
    return 1;
}

/* ---- what an acknowledgment said, and what is known of a lost segment --------------------------
 */

enum kind { SEQ, OCTETS, TOTAL, TIME, MEASURED, FLAG };
struct field {
    const char *name;
    enum kind kind;
    size_t at;
};
#define OF_ACK(kind, name)                                                                         \
    {                                                                                              \
#name, kind, offsetof(struct ltcp_ack_sample, name)                                        \
    }
#define OF_LOSS(kind, name)                                                                        \
    {                                                                                              \
#name, kind, offsetof(struct ltcp_loss_sample, name)                                       \
    }
static const struct field ack_fields[] = {
    OF_ACK(TIME, now),
    OF_ACK(MEASURED, rtt),
    OF_ACK(MEASURED, srtt),
    OF_ACK(MEASURED, min_rtt),
    OF_ACK(MEASURED, interval),
    OF_ACK(SEQ, una),
    OF_ACK(SEQ, nxt),
    OF_ACK(OCTETS, bytes_acked),
    OF_ACK(OCTETS, advanced),
    OF_ACK(OCTETS, bytes_lost),
    OF_ACK(OCTETS, ce_bytes),
    OF_ACK(OCTETS, in_flight),
    OF_ACK(OCTETS, prior_in_flight),
    OF_ACK(OCTETS, tx_in_flight),
    OF_ACK(TOTAL, delivered),
    OF_ACK(TOTAL, lost),
    OF_ACK(TOTAL, prior_delivered),
    OF_ACK(TOTAL, prior_lost),
    OF_ACK(FLAG, cwnd_limited),
    OF_ACK(FLAG, app_limited),
    OF_ACK(FLAG, in_recovery),
    OF_ACK(FLAG, in_loss),
    OF_ACK(FLAG, ece),
};
static const struct field loss_fields[] = {
    OF_LOSS(TIME, now),        OF_LOSS(SEQ, seq),
    OF_LOSS(OCTETS, bytes),    OF_LOSS(OCTETS, tx_in_flight),
    OF_LOSS(TOTAL, lost),      OF_LOSS(TOTAL, prior_lost),
    OF_LOSS(TOTAL, delivered), OF_LOSS(FLAG, app_limited),
};

/* Times that were not measured are nil. */
static void push_field(lua_State *L, const struct field *field, const void *record)
{
    const unsigned char *at = (const unsigned char *)record + field->at;
    uint32_t octets;
    uint64_t total;
    ltcp_time time;
    bool flag;
    switch (field->kind) {
    case SEQ:
    case OCTETS:
        memcpy(&octets, at, sizeof octets);
        lua_pushinteger(L, octets);
        return;
    case TOTAL:
        memcpy(&total, at, sizeof total);
        lua_pushinteger(L, (lua_Integer)total);
        return;
    case FLAG:
        memcpy(&flag, at, sizeof flag);
        lua_pushboolean(L, flag);
        return;
    default:
        memcpy(&time, at, sizeof time);
        if (field->kind == MEASURED && time <= 0)
            lua_pushnil(L);
        else
            bind_push_time(L, time);
    }
}

static const struct field *find_field(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0) return &fields[i];
    return NULL;
}

static void push_rate(lua_State *L, const struct ltcp_ack_sample *ack)
{
    if (ack->interval <= 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)(ack->delivered - ack->prior_delivered) * 8e9 /
                              (lua_Number)ack->interval);
}

static int sample_index(lua_State *L)
{
    const struct sample *sample = luaL_checkudata(L, 1, CLASS_SAMPLE);
    const char *key = luaL_checkstring(L, 2);
    const struct field *field;
    if (sample->ack != NULL && strcmp(key, "delivery_rate") == 0) {
        push_rate(L, sample->ack);
        return 1;
    }
    if (sample->ack != NULL)
        field = find_field(ack_fields, sizeof ack_fields / sizeof *ack_fields, key);
    else if (sample->loss != NULL)
        field = find_field(loss_fields, sizeof loss_fields / sizeof *loss_fields, key);
    else
        return luaL_error(L, "a sample is over when the function it was given to returns");
    if (field == NULL) return luaL_error(L, "a sample has no field '%s'", key);
    push_field(L, field, sample->ack != NULL ? (const void *)sample->ack : sample->loss);
    return 1;
}

/* ---- calling ----------------------------------------------------------------------------------
 */

struct call {
    const struct algorithm *algorithm;
    struct ltcp_congestion *cc;
    enum callback which;
    const struct ltcp_ack_sample *ack;
    const struct ltcp_loss_sample *loss;
    ltcp_time now, rtt;
    uint32_t first, second;
    bool flag;
};

static int add_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static void make_control(lua_State *L, struct ltcp_congestion *cc)
{
    struct state *state = cc->state;
    struct control *control = lua_newuserdatauv(L, sizeof *control, 1);
    control->cc = cc;
    luaL_setmetatable(L, CLASS_CONTROL);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    state->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Pushes what the callback is given after the object; how many. */
static int push_arguments(lua_State *L, const struct call *call)
{
    const struct bind_congestions *all = call->algorithm->all;
    switch (call->which) {
    case ON_ACK:
    case ON_SEGMENT_LOST:
        *all->view = (struct sample){.ack = call->ack, .loss = call->loss};
        lua_rawgeti(L, LUA_REGISTRYINDEX, all->view_ref);
        return 1;
    case ON_RTT: bind_push_time(L, call->rtt); break;
    case ON_LOSS:
    case ON_ECN: lua_pushinteger(L, call->first); break;
    case ON_RESTART: lua_pushboolean(L, call->flag); break;
    case ON_TIMEOUT:
        lua_pushinteger(L, call->first);
        lua_pushboolean(L, call->flag);
        bind_push_time(L, call->now);
        return 3;
    case ON_UNDO:
        lua_pushinteger(L, call->first);
        lua_pushinteger(L, call->second);
        bind_push_time(L, call->now);
        return 3;
    default: bind_push_time(L, call->now); return 1;
    }
    bind_push_time(L, call->now);
    return 2;
}

static int call_protected(lua_State *L)
{
    const struct call *call = lua_touserdata(L, 1);
    const struct state *state = call->cc->state;
    luaL_checkstack(L, 10, NULL);
    if (state->ref == 0) make_control(L, call->cc);
    if (call->algorithm->callback[call->which] == LUA_NOREF) return 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->algorithm->callback[call->which]);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->ref);
    lua_call(L, 1 + push_arguments(L, call), 0);
    return 0;
}

/* False: NewReno is to do it, since the script says nothing or has failed. Never raises. */
static bool answered(struct call *call)
{
    const struct algorithm *algorithm = (const struct algorithm *)(const void *)call->cc->ops;
    struct bind_congestions *all = algorithm->all;
    lua_State *T = all->thread;
    struct state *state = call->cc->state;
    const uint64_t inputs[] = {(uint64_t)call->which, (uint64_t)call->now, call->first,
                               call->ack != NULL ? call->ack->delivered : call->second,
                               call->ack != NULL ? call->ack->in_flight : call->flag};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        state->history = (state->history ^ inputs[i]) * UINT64_C(0x100000001b3);
    if (all->failed || (call->which != INIT && algorithm->callback[call->which] == LUA_NOREF))
        return false;
    call->algorithm = algorithm;
    const bool nested = all->inside;
    all->inside = true;
    lua_pushcfunction(T, add_traceback);
    lua_pushcfunction(T, call_protected);
    lua_pushlightuserdata(T, call);
    const bool good = lua_pcall(T, 1, 0, -3) == LUA_OK;
    all->inside = nested;
    *all->view = (struct sample){0};
    lua_remove(T, good ? -1 : -2); /* the handler; what is left is the error */
    all->failed = !good;
    return good;
}

bool bind_congestion_failed(lua_State *L, const struct bind_network *net)
{
    struct bind_congestions *all = net->congestions;
    if (!all->failed) return false;
    lua_xmove(all->thread, L, 1);
    all->failed = false;
    return true;
}

void bind_congestion_raise(lua_State *L, const struct bind_network *net)
{
    if (bind_congestion_failed(L, net)) lua_error(L);
}

void bind_congestion_guard(lua_State *L, const struct bind_network *net)
{
    if (net->congestions->inside)
        luaL_error(L, "a congestion control cannot call into a network: the core is in the middle "
                      "of its work");
}

bool bind_congestion_stops(const struct bind_network *net)
{
    return net->congestions->failed;
}

bool bind_congestion_exists(const struct bind_network *net)
{
    return net->congestions->newest != NULL;
}

/* ---- the core's functions ---------------------------------------------------------------------
 */

static void init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct call call = {.cc = cc, .which = INIT, .now = now};
    ltcp_newreno.init(cc, now);
    answered(&call);
}

static void release(struct ltcp_congestion *cc)
{
    const struct algorithm *algorithm = (const struct algorithm *)(const void *)cc->ops;
    lua_State *T = algorithm->all->thread;
    struct state *state = cc->state;
    if (state->ref == 0) return;
    lua_rawgeti(T, LUA_REGISTRYINDEX, state->ref);
    ((struct control *)lua_touserdata(T, -1))->cc = NULL;
    lua_pop(T, 1);
    luaL_unref(T, LUA_REGISTRYINDEX, state->ref);
    state->ref = 0;
}

static void on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    struct call rtt = {.cc = cc, .which = ON_RTT, .now = ack->now, .rtt = ack->rtt};
    struct call call = {.cc = cc, .which = ON_ACK, .ack = ack, .now = ack->now};
    if (ack->rtt >= 0) answered(&rtt);
    if (!answered(&call)) ltcp_newreno.on_ack(cc, ack);
}

static void on_segment_lost(struct ltcp_congestion *cc, const struct ltcp_loss_sample *loss)
{
    struct call call = {.cc = cc, .which = ON_SEGMENT_LOST, .loss = loss, .now = loss->now};
    answered(&call);
}

static void on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    struct call call = {.cc = cc, .which = ON_LOSS, .now = now, .first = flight};
    if (!answered(&call)) ltcp_newreno.on_loss(cc, now, flight);
}

static void on_ecn(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    struct call call = {.cc = cc, .which = ON_ECN, .now = now, .first = flight};
    if (!answered(&call)) ltcp_newreno.on_ecn(cc, now, flight);
}

static void on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    struct call call = {.cc = cc, .which = ON_RECOVERED, .now = now};
    if (!answered(&call)) ltcp_newreno.on_recovered(cc, now);
}

static void on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first)
{
    struct call call = {.cc = cc, .which = ON_TIMEOUT, .now = now, .first = flight, .flag = first};
    if (!answered(&call)) ltcp_newreno.on_timeout(cc, now, flight, first);
}

static void on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    struct call call = {.cc = cc, .which = ON_IDLE, .now = now};
    if (!answered(&call)) ltcp_newreno.on_idle(cc, now);
}

static void on_restart(struct ltcp_congestion *cc, ltcp_time now, bool app_limited)
{
    struct call call = {.cc = cc, .which = ON_RESTART, .now = now, .flag = app_limited};
    answered(&call);
}

static void on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd, uint32_t ssthresh)
{
    struct call call = {.cc = cc, .which = ON_UNDO, .now = now, .first = cwnd, .second = ssthresh};
    if (!answered(&call)) ltcp_newreno.on_undo(cc, now, cwnd, ssthresh);
}

static const struct ltcp_congestion_ops functions = {
    .state_size = sizeof(struct state),
    .init = init,
    .release = release,
    .on_ack = on_ack,
    .on_segment_lost = on_segment_lost,
    .on_loss = on_loss,
    .on_ecn = on_ecn,
    .on_recovered = on_recovered,
    .on_timeout = on_timeout,
    .on_idle = on_idle,
    .on_restart = on_restart,
    .on_undo = on_undo,
};

/* ---- names ------------------------------------------------------------------------------------
 */

const struct ltcp_congestion_ops *bind_congestion_find(lua_State *L, const char *name)
{
    const struct ltcp_congestion_ops *ops = ltcp_congestion_find(name);
    for (struct algorithm *a = congestions_of(L)->newest; a != NULL && ops == NULL; a = a->older)
        if (strcmp(a->name, name) == 0) ops = &a->ops;
    return ops;
}

/* The core's, then the script's, each name once. */
int bind_congestion_names(lua_State *L)
{
    lua_Integer count = 0;
    const struct ltcp_congestion_ops *ops;
    lua_newtable(L);
    for (size_t i = 0; (ops = ltcp_congestion_at(i)) != NULL; i++) {
        lua_pushstring(L, ops->name);
        lua_rawseti(L, -2, ++count);
    }
    for (struct algorithm *a = congestions_of(L)->newest; a != NULL; a = a->older) {
        if (bind_congestion_find(L, a->name) != &a->ops) continue;
        lua_pushstring(L, a->name);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

static uint8_t read_ecn(const struct bind_options *o)
{
    static const char *const words[] = {"classic", "dctcp", "l4s"};
    const char *word = bind_option_string(o, "ecn", NULL);
    uint8_t which = 0;
    while (word != NULL && which < 3 && strcmp(words[which], word) != 0)
        which++;
    if (which == 3) bind_option_error(o, "ecn", "'classic', 'dctcp' or 'l4s' expected");
    lua_pop(o->L, 1);
    return which;
}

/* congestion(name, functions): from now on the setting `congestion` may say that name. A name may
 * be given again; connections go on with what they began with. */
static int congestion(lua_State *L)
{
    static const char *const known[] = {
        "init",         "on_ack",     "on_rtt",  "on_segment_lost", "on_loss", "on_ecn",
        "on_recovered", "on_timeout", "on_idle", "on_restart",      "on_undo", "ecn",
        "own_recovery", NULL};
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    luaL_argcheck(L, length > 0 && length <= LONGEST_NAME, 1, "a name of 1 to 31 octets expected");
    luaL_argcheck(L, strlen(name) == length, 1, "a name without zero octets expected");
    luaL_argcheck(L, ltcp_congestion_find(name) == NULL, 1, "the core has one of that name");
    luaL_checktype(L, 2, LUA_TTABLE);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);

    struct bind_congestions *all = congestions_of(L);
    struct algorithm *a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = (struct algorithm){.ops = functions, .all = all, .older = all->newest};
    memcpy(a->name, name, length + 1);
    a->ops.name = a->name;
    a->ops.ecn = read_ecn(&o);
    a->ops.own_recovery = bind_option_flag(&o, "own_recovery", false);
    for (int i = 0; i < CALLBACKS; i++) {
        const int type = bind_option_push(&o, callback_names[i]);
        if (type != LUA_TNIL && type != LUA_TFUNCTION)
            return bind_option_error(&o, callback_names[i], "function expected, got %s",
                                     lua_typename(L, type));
        a->callback[i] = LUA_NOREF;
        if (type == LUA_TFUNCTION)
            a->callback[i] = luaL_ref(L, LUA_REGISTRYINDEX);
        else
            lua_pop(L, 1);
    }
    luaL_ref(L, LUA_REGISTRYINDEX);
    all->newest = a;
    return 0;
}

void bind_congestion_attach(lua_State *L, struct bind_network *net)
{
    net->congestions = congestions_of(L);
}

/* Once for a Lua state, however often the module is loaded: networks of before point at it. */
static void make_congestions(lua_State *L)
{
    struct bind_congestions *all = lua_newuserdatauv(L, sizeof *all, 1);
    *all = (struct bind_congestions){0};
    all->thread = lua_newthread(L);
    lua_setiuservalue(L, -2, 1);
    all->view = lua_newuserdatauv(L, sizeof *all->view, 0);
    *all->view = (struct sample){0};
    luaL_setmetatable(L, CLASS_SAMPLE);
    all->view_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &registry_key);
}

void bind_open_congestion(lua_State *L)
{
    static const luaL_Reg control_meta[] = {{"__index", control_index},
                                            {"__newindex", control_newindex},
                                            {"__tostring", control_tostring},
                                            {NULL, NULL}};
    static const luaL_Reg sample_meta[] = {{"__index", sample_index}, {NULL, NULL}};
    bind_class(L, CLASS_CONTROL, NULL, control_meta);
    bind_class(L, CLASS_SAMPLE, NULL, sample_meta);
    if (congestions_of(L) == NULL) make_congestions(L);
    lua_pushcfunction(L, congestion);
    lua_setfield(L, -2, "congestion");
}
