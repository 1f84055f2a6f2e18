/* bindings/fast_open.c - keys, cookies and the client's memory of TCP Fast Open (RFC 7413), methods
 * of a host. */
#include "binding.h"

#define KEY 16

/* 0 where there is no second argument: the host itself. */
static ltcp_handle listener_at(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index)) return 0;
    const struct bind_connection *c = luaL_checkudata(L, index, BIND_LISTENER);
    return c->handle;
}

/* host:fast_open_keys([keys [, listener]]) */
int bind_fast_open_keys(lua_State *L)
{
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    const ltcp_handle listener = listener_at(L, 3);
    char keys[2 * KEY];
    if (lua_isnoneornil(L, 2)) {
        lua_pushlstring(L, keys, ltcp_fast_open_keys(host, listener, keys));
        return 1;
    }
    size_t length;
    const char *given = luaL_checklstring(L, 2, &length);
    luaL_argcheck(L, length == KEY || length == 2 * KEY, 2, "one key of 16 octets or two expected");
    return bind_result(L, ltcp_fast_open_set_keys(host, listener, given, length));
}

/* host:fast_open_rotate(key [, listener]) */
int bind_fast_open_rotate(lua_State *L)
{
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    size_t length;
    const char *key = luaL_checklstring(L, 2, &length);
    luaL_argcheck(L, length == KEY, 2, "a key of 16 octets expected");
    return bind_result(L, ltcp_fast_open_rotate(host, listener_at(L, 3), key));
}

/* host:fast_open_flush() */
int bind_fast_open_flush(lua_State *L)
{
    ltcp_fast_open_flush(bind_host_of(bind_check_host(L, 1)));
    return 0;
}

/* host:fast_open_known(address [, local_address]): nil, or {cookie =, experimental =, mss =} */
int bind_fast_open_known(lua_State *L)
{
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct ltcp_address remote, local = {0};
    struct ltcp_fast_open_memory known;
    luaL_argcheck(L, ltcp_address_parse(luaL_checkstring(L, 2), &remote) == LTCP_OK, 2,
                  "an IP address expected");
    if (!lua_isnoneornil(L, 3))
        luaL_argcheck(L, ltcp_address_parse(luaL_checkstring(L, 3), &local) == LTCP_OK, 3,
                      "an IP address expected");
    if (!ltcp_fast_open_known(host, &local, &remote, &known)) return 0;
    lua_createtable(L, 0, 3);
    if (known.cookie_length > 0) {
        lua_pushlstring(L, (const char *)known.cookie, known.cookie_length);
        lua_setfield(L, -2, "cookie");
    }
    lua_pushboolean(L, known.experimental);
    lua_setfield(L, -2, "experimental");
    lua_pushinteger(L, known.mss);
    lua_setfield(L, -2, "mss");
    return 1;
}
