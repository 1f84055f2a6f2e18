/* bindings/uv_loop.c - the class lunatcp.Loop, and what the loop's half of the module gives to Lua.
 *
 * core.loop() -> loop | nil, message, CODE
 *   A private event loop. Its time counts from its making; the networks that it drives begin at or
 *   after it (core.network { start_ns = loop:now_ns() }).
 *
 * loop:now() -> seconds; loop:now_ns() -> integer nanoseconds
 * loop:run_once([timeout]) -> packets that came in
 *   Sends what the tunnels have gathered, sleeps until there is I/O, or a network that has a tunnel
 *   here has something due, or `timeout` seconds are over (nil: no bound; 0: does not sleep), and
 *   hands what came to the networks, where network:step finds it. May return early without a
 *   reason, at least four times a second. Without tunnels, and without a timeout, returns at once.
 * loop:run_once_ns([timeout]) the same in integer nanoseconds.
 * loop:step(network [, limit]) -> what network:step returns
 *   Drives a network in real time: steps it up to now, lets the tunnels send, sleeps, receives, and
 *   so on, until network:step gives a reason that concerns the script, or `limit` (absolute seconds
 *   of the loop; nil: none) has come: "limit". "idle" is given only when no tunnel could bring
 *   anything. Packets that leave by a tunnel, and that come by one, do not wake Lua by themselves.
 * loop:step_ns(network [, limit]) the same in integer nanoseconds.
 *
 * For those who run a loop already (luv, cqueues):
 * loop:fd() -> a descriptor that becomes readable when run_once(0) has something to do
 * loop:timeout() -> seconds until run_once(0) or network:step is wanted anyway; nil: never. To be
 *   asked before each sleep: 0 also says that the descriptor does not know yet of a new tunnel.
 *
 * loop:descriptor(fd) -> a terminal, pipe, file or socket to read and write: see uv_descriptor.c
 * loop:signal(name) -> descriptor | nil, message, CODE: one that only reports "INT", "TERM", "HUP",
 *   which from now on do nothing else. loop:step returns "descriptor", descriptor, bits for both.
 *
 * loop:udp { ... }, loop:tun { ... } -> tunnel | nil, message, CODE: see uv_udp.c
 * loop:relay { ... } -> relay | nil, message, CODE: see relay.c
 * loop:close()  closes the tunnels and relays too. Idempotent; also __close and __gc. Everything
 * else raises "loop is closed" after it. */
#include "uv_classes.h"
#include "uv_relay.h"

#include <errno.h>
#include <string.h>
#include <uv.h>

int bind_system_failure(lua_State *L, const char *what, int error)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, uv_strerror(uv_translate_sys_error(error)));
    lua_pushstring(L,
                   error == EOPNOTSUPP ? "EOPNOTSUPP" : uv_err_name(uv_translate_sys_error(error)));
    return 3;
}

struct bind_loop *bind_check_loop(lua_State *L, int index)
{
    struct bind_loop *loop = luaL_checkudata(L, index, BIND_LOOP);
    if (loop->loop == NULL) luaL_error(L, "loop is closed");
    return loop;
}

static int loop_new(lua_State *L)
{
    struct bind_loop *loop = lua_newuserdatauv(L, sizeof *loop, 1);
    loop->loop = NULL;
    luaL_setmetatable(L, BIND_LOOP);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    int error = ltcp_loop_create(&loop->loop);
    return error == 0 ? 1 : bind_system_failure(L, "loop", error);
}

static int loop_close(lua_State *L)
{
    struct bind_loop *loop = luaL_checkudata(L, 1, BIND_LOOP);
    if (loop->loop == NULL) return 0;
    struct ltcp_watch *watch;
    while ((watch = ltcp_loop_watches(loop->loop)->first) != NULL) {
        if (ltcp_watch_is_called(watch))
            ltcp_relay_detach(ltcp_relay_of_watch(watch));
        else
            bind_descriptor_detach(watch);
    }
    struct ltcp_member *member;
    while ((member = ltcp_loop_first(loop->loop)) != NULL) {
        struct bind_tunnel *tunnel = ltcp_member_owner(member);
        if (tunnel != NULL) tunnel->member = NULL;
        ltcp_loop_remove(member);
    }
    ltcp_loop_destroy(loop->loop);
    loop->loop = NULL;
    lua_newtable(L);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static int loop_tostring(lua_State *L)
{
    const struct bind_loop *loop = luaL_checkudata(L, 1, BIND_LOOP);
    if (loop->loop == NULL)
        lua_pushliteral(L, "lunatcp.Loop (closed)");
    else
        lua_pushfstring(L, "lunatcp.Loop (%p)", lua_topointer(L, 1));
    return 1;
}

static int loop_now(lua_State *L)
{
    bind_push_time(L, ltcp_loop_now(bind_check_loop(L, 1)->loop));
    return 1;
}

static int loop_now_ns(lua_State *L)
{
    lua_pushinteger(L, ltcp_loop_now(bind_check_loop(L, 1)->loop));
    return 1;
}

static int loop_fd(lua_State *L)
{
    lua_pushinteger(L, ltcp_loop_fd(bind_check_loop(L, 1)->loop));
    return 1;
}

static int loop_timeout(lua_State *L)
{
    bind_push_deadline(L, ltcp_loop_timeout(bind_check_loop(L, 1)->loop));
    return 1;
}

static int loop_run_once(lua_State *L)
{
    struct ltcp_loop *loop = bind_check_loop(L, 1)->loop;
    bool bound = !lua_isnoneornil(L, 2);
    ltcp_time timeout = bound ? bind_check_time(L, 2, 0, INT64_MAX / 2) : LTCP_NEVER;
    lua_pushinteger(L, (lua_Integer)ltcp_loop_run(loop, timeout));
    return 1;
}

static int loop_run_once_ns(lua_State *L)
{
    struct ltcp_loop *loop = bind_check_loop(L, 1)->loop;
    lua_Integer timeout = luaL_optinteger(L, 2, LTCP_NEVER);
    luaL_argcheck(L, timeout >= 0, 2, "nanoseconds must not be negative");
    lua_pushinteger(L, (lua_Integer)ltcp_loop_run(loop, timeout));
    return 1;
}

/* Steps the network up to `limit` by its own method; its results are left above the arguments.
 * True: they concern the script. */
static bool step_network(lua_State *L, ltcp_time limit)
{
    lua_settop(L, 2);
    lua_getfield(L, 2, "step_ns");
    lua_pushvalue(L, 2);
    lua_pushinteger(L, limit);
    lua_call(L, 2, LUA_MULTRET);
    const char *reason = luaL_checkstring(L, 3);
    return strcmp(reason, "limit") != 0 && strcmp(reason, "idle") != 0;
}

static bool is_idle(lua_State *L, struct ltcp_loop *loop)
{
    return ltcp_loop_first(loop) == NULL && ltcp_loop_watches(loop)->wanted == 0 &&
           strcmp(lua_tostring(L, 3), "idle") == 0;
}

static ltcp_time earlier(ltcp_time a, ltcp_time b)
{
    return a < b ? a : b;
}

static int step(lua_State *L, ltcp_time limit)
{
    struct ltcp_loop *loop = bind_check_loop(L, 1)->loop;
    for (;;) {
        ltcp_time now = earlier(ltcp_loop_now(loop), limit);
        ltcp_network_catch_up(bind_check_network(L, 2)->network, now);
        bool concerns = step_network(L, now);
        loop = bind_check_loop(L, 1)->loop; /* a hook may have closed it */
        if (concerns || bind_push_woken(L, loop)) break;
        if (now == limit) {
            lua_settop(L, 2);
            lua_pushliteral(L, "limit");
            break;
        }
        if (is_idle(L, loop)) break;
        ltcp_time due = ltcp_network_next_deadline(bind_check_network(L, 2)->network);
        due = earlier(due, limit);
        ltcp_loop_run(loop, due == LTCP_NEVER ? LTCP_NEVER : due > now ? due - now : 0);
    }
    ltcp_tunnels_send(&bind_check_network(L, 2)->tunnels); /* who knows when it comes again */
    return lua_gettop(L) - 2;
}

static int loop_step(lua_State *L)
{
    bool bound = !lua_isnoneornil(L, 3);
    return step(L, bound ? bind_check_time(L, 3, INT64_MIN / 2, INT64_MAX / 2) : LTCP_NEVER);
}

static int loop_step_ns(lua_State *L)
{
    return step(L, luaL_optinteger(L, 3, LTCP_NEVER));
}

static const luaL_Reg loop_methods[] = {{"now", loop_now},
                                        {"now_ns", loop_now_ns},
                                        {"run_once", loop_run_once},
                                        {"run_once_ns", loop_run_once_ns},
                                        {"step", loop_step},
                                        {"step_ns", loop_step_ns},
                                        {"fd", loop_fd},
                                        {"timeout", loop_timeout},
                                        {"udp", bind_loop_udp},
                                        {"tun", bind_loop_tun},
                                        {"descriptor", bind_loop_descriptor},
                                        {"signal", bind_loop_signal},
                                        {"relay", bind_loop_relay},
                                        {"close", loop_close},
                                        {NULL, NULL}};

static const luaL_Reg loop_meta[] = {
    {"__tostring", loop_tostring}, {"__close", loop_close}, {"__gc", loop_close}, {NULL, NULL}};

void bind_open_loop(lua_State *L)
{
    bind_class(L, BIND_LOOP, loop_methods, loop_meta);
    bind_open_tunnel(L);
    bind_open_descriptor(L);
    bind_open_relay(L);
    lua_pushcfunction(L, loop_new);
    lua_setfield(L, -2, "loop");
}
