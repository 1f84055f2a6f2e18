/* bindings/uv_classes.h
 *
 * What the two classes of the loop's half share: lunatcp.Loop (uv_loop.c), lunatcp.Tunnel
 * (uv_udp.c). */
#ifndef LUNATCP_UV_CLASSES_H
#define LUNATCP_UV_CLASSES_H

#include "binding.h"
#include "uv_drive.h"

#define BIND_LOOP   "lunatcp.Loop"
#define BIND_TUNNEL "lunatcp.Tunnel"

/* User value 1: table whose keys are the loop's tunnels, so that a tunnel that nobody holds goes
 * on carrying packets: the collector does not act on the wire. */
struct bind_loop {
    struct ltcp_loop *loop; /* NULL: closed */
};
struct bind_loop *bind_check_loop(lua_State *L, int index);

/* User values: the loop, the link. */
struct bind_tunnel {
    struct ltcp_member *member; /* NULL: closed, by itself or by its loop */
};
enum { BIND_TUNNEL_LOOP = 1, BIND_TUNNEL_LINK, BIND_TUNNEL_VALUES = BIND_TUNNEL_LINK };

/* nil, "what: why", "EADDRINUSE". */
int bind_system_failure(lua_State *L, const char *what, int error);

int bind_loop_udp(lua_State *L); /* loop:udp, in uv_udp.c */
void bind_open_tunnel(lua_State *L);
void bind_open_input(lua_State *L); /* sets read_descriptor in the table on top */

#endif
