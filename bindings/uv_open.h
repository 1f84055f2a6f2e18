/* bindings/uv_open.h
 *
 * Where the two halves of the module meet: module.c puts the loop's functions into its table, and
 * the network's class says what a loop needs to know of a network. */
#ifndef LUNATCP_UV_OPEN_H
#define LUNATCP_UV_OPEN_H

#include <lua.h>

#include "uv_tunnel.h"

/* Sets `loop` in the table on top of the stack; makes the classes. */
void ltcp_open_uv(lua_State *L);

/* Answered by the class of networks. The struct ltcp_tunnels lies in the network's userdata; its
 * `close` and `__gc` call ltcp_tunnels_detach before anything is destroyed. */
struct ltcp_network_parts {
    struct ltcp_network *network;
    struct ltcp_pool *pool;
    struct ltcp_tunnels *tunnels;
};
/* Raises when the value at `index` is no network, or a closed one. */
void ltcp_check_network_parts(lua_State *L, int index, struct ltcp_network_parts *out);

#endif
