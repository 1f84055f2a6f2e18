/* bindings/module.c - luaopen_lunatcp_core: the module's table. */
#include "binding.h"
#include "explore.h"

static void set_bits(lua_State *L, const char *name, const char *const *words)
{
    lua_newtable(L);
    for (int i = 0; words[i] != NULL; i++) {
        lua_pushinteger(L, (lua_Integer)1 << i);
        lua_setfield(L, -2, words[i]);
    }
    lua_setfield(L, -2, name);
}

/* In the order of the bits in core/include/lunatcp/host.h. */
static const char *const events[] = {
    "connected", "accept",     "readable", "writable", "urgent",       "peer_closed", "closed",
    "advice",    "soft_error", "state",    "sent",     "user_timeout", NULL};
static const char *const writes[] = {"urgent", "more", NULL};
static const char *const reads[] = {"peek", "urgent", NULL};

static void set_words(lua_State *L)
{
    set_bits(L, "EVENT", events);
    set_bits(L, "WRITE", writes);
    set_bits(L, "READ", reads);
    lua_createtable(L, LTCP_STATE_COUNT, 0);
    for (int i = 0; i < LTCP_STATE_COUNT; i++) {
        lua_pushstring(L, ltcp_state_name((enum ltcp_state)i));
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "STATES");
    lua_pushliteral(L, "0.1.0");
    lua_setfield(L, -2, "VERSION");
}

LUAMOD_API int luaopen_lunatcp_core(lua_State *L);
LUAMOD_API int luaopen_lunatcp_core(lua_State *L)
{
    luaL_checkversion(L);
    lua_newtable(L);
    bind_open_utilities(L);
    bind_open_authentication(L);
    bind_open_flags(L);
    bind_open_segment(L);
    bind_open_settings(L);
    bind_open_congestion(L);
    bind_open_trace(L);
    bind_open_connection(L);
    bind_open_nodes(L);
    bind_open_sockets(L);
    bind_open_link(L);
    bind_open_capture(L);
    bind_open_network(L);
    bind_open_explore(L);
    set_words(L);
    bind_open_loop(L);
    return 1;
}
