/* bindings/socket.h - what the files of the socket layer's binding share: socket.c (tables of
 * descriptors), socket_call.c (arguments, stepping), socket_result.c (what a call gave). */
#ifndef LUNATCP_BINDING_SOCKET_H
#define LUNATCP_BINDING_SOCKET_H

#include "binding.h"
#include "lunatcp/socket.h"

#define BIND_SOCKETS "lunatcp.Sockets"
#define BIND_CALL    "lunatcp.Call"

struct bind_sockets_record {
    struct bind_sockets_record *next;
    struct ltcp_sockets *table;
    uint32_t node;
};
/* User value: the host. */
struct bind_sockets {
    struct bind_network *net;
    struct bind_sockets_record *record;
};
struct bind_sockets *bind_check_sockets(lua_State *L, int index);

/* User values: the sockets; a table that keeps what the call points at. */
enum { BIND_CALL_SOCKETS = 1, BIND_CALL_PIECES, BIND_CALL_VALUES = BIND_CALL_PIECES };
struct bind_call {
    const struct bind_sockets *sockets;
    size_t room; /* octets for data that is received, in iov[0].base and on */
    struct ltcp_call call;
};

int bind_sockets_call(lua_State *L); /* sockets:call */
void bind_open_calls(lua_State *L);
/* Pushes integer, code, text, outputs. */
int bind_push_call(lua_State *L, const struct bind_call *c);
void bind_push_tcp_info(lua_State *L, const struct ltcp_tcp_info *info);

#endif
