/* bindings/paths.c - what a host remembers of its paths (RFC 1191, section 6.2), methods of it. */
#include "binding.h"

/* host:path_mtu(address [, local_address]): nil, or {mtu =, told =, expires =} */
int bind_path_mtu(lua_State *L)
{
    const struct bind_node *node = bind_check_host(L, 1);
    struct ltcp_address remote, local = {0};
    struct ltcp_path_memory known;
    luaL_argcheck(L, ltcp_address_parse(luaL_checkstring(L, 2), &remote) == LTCP_OK, 2,
                  "an IP address expected");
    if (!lua_isnoneornil(L, 3))
        luaL_argcheck(L, ltcp_address_parse(luaL_checkstring(L, 3), &local) == LTCP_OK, 3,
                      "an IP address expected");
    if (!ltcp_path_known(bind_host_of(node), ltcp_network_now(node->net->network), &local, &remote,
                         &known))
        return 0;
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, known.mtu);
    lua_setfield(L, -2, "mtu");
    lua_pushboolean(L, known.told);
    lua_setfield(L, -2, "told");
    bind_push_deadline(L, known.expires);
    lua_setfield(L, -2, "expires");
    return 1;
}

/* host:path_mtu_flush() */
int bind_path_mtu_flush(lua_State *L)
{
    ltcp_path_flush(bind_host_of(bind_check_host(L, 1)));
    return 0;
}
