/* bindings/step.c - going on: the loop stays here while nothing concerns the script. Hooks are
 * called between two steps of the core, protected, on the thread that entered step. */
#include "binding.h"
#include "explore.h"
#include "uv_relay.h"

#include <stdio.h>
#include <string.h>

#define CAPTURE_CHUNK 4096 /* events of the core between two looks at what was captured */

/* Indices of the stack while stepping. */
enum { AT_NETWORK = 1, AT_RULES = 4, AT_VIEW, AT_HANDLER, AT_TOP = AT_HANDLER };

/* ---- hooks ---------------------------------------------------------------------------------- */

/* Errors get their traceback where they happen; values that are not text stay as they are. */
static int handler(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING) luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

/* verdict, light pointer to a fate -> whether there is one. */
static int read_verdict(lua_State *L)
{
    lua_pushboolean(L, bind_read_verdict(L, 1, lua_touserdata(L, 2)));
    return 1;
}

/* Calls the rule's function. False: an error is on top of the stack. Nothing here can raise. */
static bool ask(lua_State *L, struct bind_network *net, const struct ltcp_step_detail *detail)
{
    struct ltcp_fate fate;
    bool good = true, answered = false;
    int type = lua_rawgeti(L, AT_RULES, (lua_Integer)((uint64_t)detail->link << 32 | detail->id));
    if (type == LUA_TFUNCTION) {
        struct bind_view *view = net->view;
        view->packet = detail->packet;
        view->time = ltcp_network_now(net->network);
        view->link = detail->link;
        view->direction = (uint8_t)detail->direction;
        view->first = detail->first;
        view->parsed = BIND_UNPARSED;
        bind_explore_saw(net, BIND_SAW_PACKET, detail->packet->head, detail->packet->head_length);
        bind_explore_saw(net, BIND_SAW_PACKET, detail->packet->payload,
                         detail->packet->payload_length);
        lua_pushvalue(L, AT_VIEW);
        good = lua_pcall(L, 1, 1, AT_HANDLER) == LUA_OK;
        view->packet = NULL;
    }
    if (good && !lua_isnil(L, -1)) {
        lua_pushcfunction(L, read_verdict);
        lua_insert(L, -2);
        lua_pushlightuserdata(L, &fate);
        good = lua_pcall(L, 2, 1, AT_HANDLER) == LUA_OK;
        answered = good && lua_toboolean(L, -1);
    }
    ltcp_network_answer(net->network, answered ? &fate : NULL);
    if (good) lua_settop(L, AT_TOP);
    return good;
}

/* hook, light pointer to a record -> what the hook says. */
static int call_hook(lua_State *L)
{
    const struct ltcp_trace_event *event = lua_touserdata(L, 2);
    lua_settop(L, 1);
    bind_push_trace_event(L, event);
    lua_call(L, 1, 1);
    return 1;
}

/* Hands what was recorded to the hook. False: an error is on top. *stop: the hook wants a break. */
static bool tell(lua_State *L, struct bind_network *net, bool *stop)
{
    const struct ltcp_trace_event *found;
    while (net->heard_kinds != 0 && !*stop &&
           (found = ltcp_trace_next_event(net->trace, &net->heard)) != NULL) {
        if ((net->heard_kinds >> found->kind & 1) == 0) continue;
        struct ltcp_trace_event event = *found; /* the ring may turn over during the hook */
        const int64_t values[] = {event.time,  (int64_t)event.subject,
                                  event.value, event.host,
                                  event.kind,  event.from,
                                  event.to,    event.status};
        bind_explore_saw(net, BIND_SAW_EVENT, values, sizeof values);
        lua_pushcfunction(L, call_hook);
        lua_getiuservalue(L, AT_NETWORK, BIND_NETWORK_HOOK);
        lua_pushlightuserdata(L, &event);
        if (lua_pcall(L, 2, 1, AT_HANDLER) != LUA_OK) return false;
        *stop = lua_toboolean(L, -1);
        lua_settop(L, AT_TOP);
    }
    return true;
}

enum outcome { SAY, RAISE };

/* "0.123456 s: host 0: connection 10.0.1.1:1024 - 10.0.1.2:80: ..." */
static enum outcome raise_broken(lua_State *L, const struct bind_network *net,
                                 const struct ltcp_step_detail *detail)
{
    struct ltcp_info info;
    char local[LTCP_ADDRESS_TEXT] = "", remote[LTCP_ADDRESS_TEXT] = "", time[32];
    snprintf(time, sizeof time, "%.9f", (double)detail->time / 1e9);
    if (ltcp_info(net->nodes[detail->node].host, detail->id, &info) == LTCP_OK) {
        ltcp_address_format(&info.local, local);
        ltcp_address_format(&info.remote, remote);
        lua_pushfstring(L, "invariant broken at %s s, host %d, connection %s:%d - %s:%d, %s: %s",
                        time, (int)detail->node, local, (int)info.local_port, remote,
                        (int)info.remote_port, ltcp_state_name(info.state), detail->broken);
    } else {
        lua_pushfstring(L, "invariant broken at %s s, host %d, connection %I: %s", time,
                        (int)detail->node, (LUAI_UACINT)detail->id, detail->broken);
    }
    return RAISE;
}

/* ---- the loop ------------------------------------------------------------------------------- */

struct answer {
    enum ltcp_step step;
    struct ltcp_step_detail detail;
};

/* One step of the core, in pieces where captures must be drained on the way. */
static enum ltcp_step core_step(struct bind_network *net, ltcp_time limit, uint64_t *left,
                                struct ltcp_step_detail *detail)
{
    bool bounded = *left != 0;
    for (;;) {
        uint64_t chunk = *left;
        if (net->captures != NULL && (chunk == 0 || chunk > CAPTURE_CHUNK)) chunk = CAPTURE_CHUNK;
        if (bind_congestion_exists(net)) chunk = 1; /* one in Lua that fails ends the run at once */
        enum ltcp_step step = ltcp_network_step(net->network, limit, chunk, detail);
        bind_captures_drain(net);
        if (step != LTCP_STEP_EVENTS_LIMIT || bind_congestion_stops(net)) {
            if (bounded && *left > 1) --*left;
            return step;
        }
        if (bounded) {
            if (chunk == *left) return step;
            *left -= chunk;
        }
    }
}

static enum outcome go_on(lua_State *L, struct bind_network *net, ltcp_time limit, uint64_t left,
                          struct answer *answer)
{
    for (;;) {
        bool stop = false;
        if (!tell(L, net, &stop)) return RAISE;
        answer->step = LTCP_STEP_TRACE;
        if (stop) return SAY;
        answer->step = core_step(net, limit, &left, &answer->detail);
        if (bind_congestion_failed(L, net)) return RAISE;
        const struct ltcp_step_detail *detail = &answer->detail;
        switch (answer->step) {
        case LTCP_STEP_VERDICT:
            if (detail->id == 0) {
                if (!bind_explore_choose(net)) return SAY;
            } else if (!ask(L, net, detail)) {
                return RAISE;
            }
            break;
        case LTCP_STEP_TRACE: break;
        case LTCP_STEP_BROKEN: return raise_broken(L, net, detail);
        case LTCP_STEP_EXIT:
            if (!ltcp_tunnels_flush(&net->tunnels, detail->link, detail->direction) &&
                !ltcp_relays_flush(net->relays, detail->link, detail->direction))
                return SAY;
            break;
        default: return SAY;
        }
    }
}

static int push_answer(lua_State *L, struct bind_network *net, const struct answer *answer)
{
    static const char *const names[] = {[LTCP_STEP_IDLE] = "idle",
                                        [LTCP_STEP_LIMIT] = "limit",
                                        [LTCP_STEP_EVENTS] = "events",
                                        [LTCP_STEP_PEER] = "peer",
                                        [LTCP_STEP_ALARM] = "alarm",
                                        [LTCP_STEP_VERDICT] = "verdict",
                                        [LTCP_STEP_EXIT] = "exit",
                                        [LTCP_STEP_TRACE] = "trace",
                                        [LTCP_STEP_EVENTS_LIMIT] = "events_limit",
                                        [LTCP_STEP_BROKEN] = "broken"};
    const struct ltcp_step_detail *detail = &answer->detail;
    lua_pushstring(L, names[answer->step]);
    switch (answer->step) {
    case LTCP_STEP_EVENTS:
        net->last_events = detail->node;
        bind_push_node(L, AT_NETWORK, detail->node);
        return 2;
    case LTCP_STEP_PEER: bind_push_node(L, AT_NETWORK, detail->node); return 2;
    case LTCP_STEP_ALARM: lua_pushinteger(L, (lua_Integer)detail->id); return 2;
    case LTCP_STEP_EXIT:
        bind_push_link(L, AT_NETWORK, detail->link);
        lua_pushinteger(L, detail->direction + 1);
        return 3;
    default: return 1;
    }
}

static int step_to(lua_State *L, struct bind_network *net, ltcp_time limit)
{
    lua_Integer most = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, most >= 0, 3, "0 (no bound) or more");
    if (net->stepping) return luaL_error(L, "step called inside a hook of the same network");
    lua_settop(L, 3);
    luaL_checkstack(L, 20, NULL);
    lua_getiuservalue(L, AT_NETWORK, BIND_NETWORK_RULES);
    lua_getiuservalue(L, AT_NETWORK, BIND_NETWORK_VIEW);
    lua_pushcfunction(L, handler);

    struct answer answer = {.step = LTCP_STEP_IDLE};
    net->stepping = true;
    enum outcome outcome = go_on(L, net, limit, (uint64_t)most, &answer);
    net->stepping = false;
    if (outcome == RAISE) return lua_error(L);
    return push_answer(L, net, &answer);
}

static int network_step(lua_State *L)
{
    struct bind_network *net = bind_check_network(L, 1);
    ltcp_time limit = LTCP_NEVER;
    if (!lua_isnoneornil(L, 2)) limit = bind_check_time(L, 2, 0, LTCP_NEVER - 1);
    return step_to(L, net, limit);
}

static int network_step_ns(lua_State *L)
{
    struct bind_network *net = bind_check_network(L, 1);
    return step_to(L, net, luaL_optinteger(L, 2, LTCP_NEVER));
}

static int network_next_deadline(lua_State *L)
{
    bind_push_deadline(L, ltcp_network_next_deadline(bind_check_network(L, 1)->network));
    return 1;
}

static int network_next_deadline_ns(lua_State *L)
{
    ltcp_time deadline = ltcp_network_next_deadline(bind_check_network(L, 1)->network);
    if (deadline == LTCP_NEVER)
        lua_pushnil(L);
    else
        lua_pushinteger(L, deadline);
    return 1;
}

/* ---- alarms --------------------------------------------------------------------------------- */

static int set_alarm(lua_State *L, const struct bind_network *net, ltcp_time at)
{
    uint64_t id = (uint64_t)luaL_checkinteger(L, 3);
    return bind_result(L, ltcp_network_set_alarm(net->network, at, id));
}

static int network_alarm(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    ltcp_time now = ltcp_network_now(net->network);
    ltcp_time after = bind_check_time(L, 2, 0, LTCP_NEVER - 1);
    luaL_argcheck(L, after < LTCP_NEVER - 1 - now, 2, "number of seconds out of range");
    return set_alarm(L, net, now + after);
}

static int network_alarm_at(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    return set_alarm(L, net, bind_check_time(L, 2, 0, LTCP_NEVER - 1));
}

static int network_alarm_at_ns(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    lua_Integer at = luaL_checkinteger(L, 2);
    luaL_argcheck(L, at >= 0 && at < LTCP_NEVER, 2, "nanoseconds of 0 or more expected");
    return set_alarm(L, net, at);
}

static int network_cancel_alarm(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    ltcp_network_cancel_alarm(net->network, (uint64_t)luaL_checkinteger(L, 2));
    return 0;
}

/* ---- the trace's hook ----------------------------------------------------------------------- */

static int network_on_trace(lua_State *L)
{
    struct bind_network *net = bind_check_network(L, 1);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
    uint32_t mask = bind_check_kinds(L, 3, 1u << LTCP_TRACE_STATE);
    luaL_argcheck(L, (mask & LTCP_TRACE_PACKETS_MASK) == 0, 3, "packets have rules, not this hook");
    if (lua_isnoneornil(L, 2)) mask = 0;
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, BIND_NETWORK_HOOK);
    net->heard_kinds = mask;
    net->heard = ltcp_trace_serial(net->trace) + 1;
    ltcp_trace_set_mask(net->trace, ltcp_trace_mask(net->trace) | mask);
    ltcp_network_listen(net->network, mask);
    return 0;
}

const luaL_Reg bind_step_methods[] = {{"step", network_step},
                                      {"step_ns", network_step_ns},
                                      {"next_deadline", network_next_deadline},
                                      {"next_deadline_ns", network_next_deadline_ns},
                                      {"alarm", network_alarm},
                                      {"alarm_at", network_alarm_at},
                                      {"alarm_at_ns", network_alarm_at_ns},
                                      {"cancel_alarm", network_cancel_alarm},
                                      {"on_trace", network_on_trace},
                                      {NULL, NULL}};
