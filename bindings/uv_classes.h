/* bindings/uv_classes.h
 *
 * What the two classes of the loop's half share: lunatcp.Loop (uv_loop.c), lunatcp.Tunnel
 * (uv_udp.c). */
#ifndef LUNATCP_UV_CLASSES_H
#define LUNATCP_UV_CLASSES_H

#include "binding.h"
#include "uv_drive.h"

#define BIND_LOOP       "lunatcp.Loop"
#define BIND_TUNNEL     "lunatcp.Tunnel"
#define BIND_RELAY      "lunatcp.Relay"
#define BIND_DESCRIPTOR "lunatcp.Descriptor"

/* User value 1: table whose keys are the loop's tunnels and descriptors, so that a tunnel that
 * nobody holds goes on carrying packets: the collector does not act on the wire. */
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

int bind_loop_udp(lua_State *L); /* loop:udp and loop:tun, in uv_udp.c */
int bind_loop_tun(lua_State *L);

/* ---- uv_udp_options.c ---- */
/* The table at 2. False: nil, message, CODE are pushed. Else the link is on top. */
bool bind_read_tunnel(lua_State *L, bool tun, struct ltcp_tunnel_config *config);
struct bind_peer {
    struct udp_address outer;
    struct ltcp_address inner;
    struct ltcp_mac mac;
    bool has_mac;
};
/* A far socket: port 0 is none. */
bool bind_parse_peer(const char *text, struct udp_address *out);
/* Pushes nil, message, "EINVAL" for a text that names no socket. */
int bind_no_socket(lua_State *L, const char *key, const char *text);
/* The table at `index`. False: nil, message, CODE are pushed. */
bool bind_read_peer(lua_State *L, int index, int arg, const char *where, struct bind_peer *out);
/* Those in the table at `index`, which was read before; 0 or an errno value. */
int bind_add_peers(lua_State *L, int index, struct ltcp_tunnel *tunnel);
void bind_open_tunnel(lua_State *L);

/* ---- relay.c ---- */
int bind_loop_relay(lua_State *L);
void bind_open_relay(lua_State *L);

/* ---- uv_descriptor.c ---- */
int bind_loop_descriptor(lua_State *L);
int bind_loop_signal(lua_State *L);
/* What is ready, in the place of what network:step said: true, and "descriptor", object, bits stand
 * from 3 on. */
bool bind_push_woken(lua_State *L, struct ltcp_loop *loop);
/* The loop goes: the object is closed. */
void bind_descriptor_detach(struct ltcp_watch *watch);
void bind_open_descriptor(lua_State *L);

#endif
