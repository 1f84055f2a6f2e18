/* bindings/uv_udp.c - the class lunatcp.Tunnel: one end of a link, over UDP or a TUN device. What
 * loop:udp and loop:tun take is in uv_udp_options.c.
 *
 * loop:udp { ... }, loop:tun { ... } -> tunnel | nil, message, CODE
 *   EINVAL (no such address text), EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT (bind and peer
 *   are of two families), EEXIST (the link's direction has a tunnel), EOPNOTSUPP (a batch that this
 *   system does not know; no TUN here), EPERM (a TUN device takes CAP_NET_ADMIN), ENOENT, EBUSY,
 *   EMFILE.
 *   Where the far end of the link is the outside (no node there), what comes in goes through that
 *   direction's path with its delay, loss and so on; else it arrives as it comes.
 *
 * tunnel:address() -> host, port         what it is bound to
 * tunnel:name() -> "tun0" | nil          of a TUN device
 * tunnel:peer() -> host, port | nil      of several: the first
 * tunnel:peers() -> how many
 * tunnel:set_peer(text) -> true | nil, message, CODE
 * tunnel:add_peer { peer =, address =, mac = } -> true | nil, message, CODE
 *   of a tunnel that was made with `peers` or to learn several; EISCONN: it was not
 * tunnel:mtu([version]) -> the longest IP packet (of 4 or 6; 4) that fits on the path, as far as
 * the kernel knows by now; nil: not known tunnel:counters() -> table of integers and `batch`, the
 * manner in use: packets_in packets_out; datagrams_in datagrams_out bytes_in bytes_out calls_in
 * calls_out; not sent: queue_full no_peer unframeable unresolved too_long too_big not_permitted
 * failed; not taken in: unreadable strangers truncated odd_pieces; blocked (the socket's buffer was
 * full), refused (ICMP errors that came back), no_memory; vxlan: neighbours (frames of ARP and
 * neighbour discovery), neighbours_asked, _answered, _learned, _failed, _forgotten, _dropped,
 * _entries tunnel:flush() -> packets that still wait, after trying to send now tunnel:close()
 * Idempotent; also __close and __gc. After it, and after the network's or the loop's close,
 * everything else raises "tunnel is closed". */
#include "uv_classes.h"

#include <errno.h>
#include <string.h>

static struct ltcp_tunnel *check_tunnel(lua_State *L)
{
    const struct bind_tunnel *tunnel = luaL_checkudata(L, 1, BIND_TUNNEL);
    struct ltcp_tunnel *t = tunnel->member != NULL ? ltcp_member_tunnel(tunnel->member) : NULL;
    if (t == NULL || ltcp_tunnel_network(t) == NULL) luaL_error(L, "tunnel is closed");
    return t;
}

/* ---- making
 * --------------------------------------------------------------------------------------- */

/* Puts the tunnel at `index` into its loop's table of tunnels, or takes it out. */
static void set_kept(lua_State *L, int index, bool kept)
{
    index = lua_absindex(L, index);
    lua_getiuservalue(L, index, BIND_TUNNEL_LOOP);
    lua_getiuservalue(L, -1, 1);
    lua_pushvalue(L, index);
    if (kept)
        lua_pushboolean(L, 1);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 2);
}

/* Opens the tunnel and gives it to the loop; 0 or an errno value. */
static int open_in(lua_State *L, struct bind_loop *loop, const struct ltcp_tunnel_config *config,
                   struct bind_tunnel *tunnel)
{
    struct ltcp_tunnel *t;
    int error = ltcp_tunnel_open(config, &t);
    if (error != 0) return error;
    error = bind_add_peers(L, 2, t);
    if (error == 0) error = ltcp_loop_add(loop->loop, t, &tunnel->member);
    if (error != 0) ltcp_tunnel_close(t);
    return error;
}

/* "udp 127.0.0.1:9000", and where it leads when that may be what is wrong. */
static const char *push_what(lua_State *L, const struct ltcp_tunnel_config *config, int error)
{
    if (config->tun) return lua_pushfstring(L, "tun %s", config->tun_name);
    lua_getfield(L, 2, "bind");
    lua_getfield(L, 2, "peer");
    if (lua_isnil(L, -1) || error == EADDRINUSE || error == EADDRNOTAVAIL)
        return lua_pushfstring(L, "udp %s", lua_tostring(L, -2));
    return lua_pushfstring(L, "udp %s to %s", lua_tostring(L, -2), lua_tostring(L, -1));
}

static int open_tunnel(lua_State *L, bool tun)
{
    struct bind_loop *loop = bind_check_loop(L, 1);
    struct ltcp_tunnel_config config;
    if (!bind_read_tunnel(L, tun, &config)) return 3;
    int link = lua_gettop(L);

    struct bind_tunnel *tunnel = lua_newuserdatauv(L, sizeof *tunnel, BIND_TUNNEL_VALUES);
    tunnel->member = NULL;
    luaL_setmetatable(L, BIND_TUNNEL);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, BIND_TUNNEL_LOOP);
    lua_pushvalue(L, link);
    lua_setiuservalue(L, -2, BIND_TUNNEL_LINK);
    set_kept(L, -1, true);

    int error = open_in(L, loop, &config, tunnel);
    if (error == 0) {
        ltcp_member_set_owner(tunnel->member, tunnel);
        return 1;
    }
    set_kept(L, -1, false);
    return bind_system_failure(L, push_what(L, &config, error), error);
}

int bind_loop_udp(lua_State *L)
{
    return open_tunnel(L, false);
}

int bind_loop_tun(lua_State *L)
{
    return open_tunnel(L, true);
}

/* ---- methods
 * -------------------------------------------------------------------------------------- */

static int push_address(lua_State *L, const struct udp_address *address)
{
    char host[INET6_ADDRSTRLEN];
    uint16_t port = udp_address_format(address, host);
    lua_pushstring(L, host);
    lua_pushinteger(L, port);
    return 2;
}

static int tunnel_address(lua_State *L)
{
    struct udp_address address;
    int error = ltcp_tunnel_address(check_tunnel(L), &address);
    return error == 0 ? push_address(L, &address) : bind_system_failure(L, "address", error);
}

static int tunnel_peer(lua_State *L)
{
    const struct udp_address *peer = ltcp_tunnel_peer(check_tunnel(L));
    if (peer != NULL) return push_address(L, peer);
    lua_pushnil(L);
    return 1;
}

static int tunnel_set_peer(lua_State *L)
{
    struct ltcp_tunnel *t = check_tunnel(L);
    const char *text = luaL_checkstring(L, 2);
    struct udp_address peer;
    if (!bind_parse_peer(text, &peer)) return bind_no_socket(L, "peer", text);
    int error = ltcp_tunnel_set_peer(t, &peer);
    if (error != 0) return bind_system_failure(L, lua_pushfstring(L, "peer '%s'", text), error);
    lua_pushboolean(L, 1);
    return 1;
}

static int tunnel_name(lua_State *L)
{
    lua_pushstring(L, ltcp_tunnel_name(check_tunnel(L)));
    return 1;
}

static int tunnel_peers(lua_State *L)
{
    lua_pushinteger(L, ltcp_tunnel_peers(check_tunnel(L)));
    return 1;
}

static int tunnel_add_peer(lua_State *L)
{
    struct ltcp_tunnel *t = check_tunnel(L);
    struct bind_peer peer;
    if (!bind_read_peer(L, 2, 2, "", &peer)) return 3;
    int error = ltcp_tunnel_add_peer(t, &peer.outer, &peer.inner, peer.has_mac ? &peer.mac : NULL);
    if (error != 0) return bind_system_failure(L, "add_peer", error);
    lua_pushboolean(L, 1);
    return 1;
}

static int tunnel_mtu(lua_State *L)
{
    const struct ltcp_tunnel *t = check_tunnel(L);
    lua_Integer version = luaL_optinteger(L, 2, 4);
    luaL_argcheck(L, version == 4 || version == 6, 2, "4 or 6 expected");
    uint32_t mtu = ltcp_tunnel_mtu(t, (unsigned)version);
    if (mtu == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, mtu);
    return 1;
}

static void set_count(lua_State *L, const char *key, uint64_t count)
{
    lua_pushinteger(L, (lua_Integer)count);
    lua_setfield(L, -2, key);
}

static int tunnel_counters(lua_State *L)
{
    const struct ltcp_tunnel *t = check_tunnel(L);
    const struct ltcp_tunnel_counters *c = ltcp_tunnel_counters(t);
    const struct udp_counters *u = ltcp_tunnel_udp_counters(t);
    const struct ltcp_neighbours_counters n = ltcp_tunnel_neighbours(t);
    const struct {
        const char *key;
        uint64_t count;
    } counts[] = {{"packets_in", c->packets_in},
                  {"packets_out", c->packets_out},
                  {"datagrams_in", u->datagrams_in},
                  {"datagrams_out", u->datagrams_out},
                  {"bytes_in", u->bytes_in},
                  {"bytes_out", u->bytes_out},
                  {"calls_in", u->calls_in},
                  {"calls_out", u->calls_out},
                  {"queue_full", c->queue_full},
                  {"no_peer", c->no_peer},
                  {"unframeable", c->unframeable},
                  {"unresolved", c->unresolved},
                  {"too_long", c->too_long},
                  {"too_big", u->too_big},
                  {"not_permitted", u->not_permitted},
                  {"failed", u->failed},
                  {"unreadable", c->unreadable},
                  {"strangers", c->strangers},
                  {"truncated", u->truncated},
                  {"odd_pieces", u->odd_pieces},
                  {"blocked", u->blocked},
                  {"refused", u->refused},
                  {"no_memory", c->no_memory},
                  {"neighbours", c->neighbours},
                  {"neighbours_asked", n.asked},
                  {"neighbours_answered", n.answered},
                  {"neighbours_learned", n.learned},
                  {"neighbours_failed", n.failed},
                  {"neighbours_forgotten", n.forgotten},
                  {"neighbours_dropped", n.dropped},
                  {"neighbours_entries", n.entries}};
    lua_createtable(L, 0, (int)(sizeof counts / sizeof counts[0]) + 1);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        set_count(L, counts[i].key, counts[i].count);
    lua_pushstring(L, udp_batch_name(ltcp_tunnel_batch(t)));
    lua_setfield(L, -2, "batch");
    return 1;
}

static int tunnel_flush(lua_State *L)
{
    struct ltcp_tunnel *t = check_tunnel(L);
    ltcp_tunnel_collect(t);
    lua_pushinteger(L, (lua_Integer)ltcp_tunnel_retry(t));
    return 1;
}

static int tunnel_close(lua_State *L)
{
    struct bind_tunnel *tunnel = luaL_checkudata(L, 1, BIND_TUNNEL);
    if (tunnel->member == NULL) return 0;
    ltcp_loop_remove(tunnel->member);
    tunnel->member = NULL;
    set_kept(L, 1, false);
    return 0;
}

static int tunnel_tostring(lua_State *L)
{
    const struct bind_tunnel *tunnel = luaL_checkudata(L, 1, BIND_TUNNEL);
    struct udp_address address;
    char host[INET6_ADDRSTRLEN];
    const char *name =
        tunnel->member == NULL ? NULL : ltcp_tunnel_name(ltcp_member_tunnel(tunnel->member));
    if (name != NULL) {
        lua_pushfstring(L, "lunatcp.Tunnel (%s)", name);
        return 1;
    }
    if (tunnel->member == NULL ||
        ltcp_tunnel_address(ltcp_member_tunnel(tunnel->member), &address) != 0) {
        lua_pushliteral(L, "lunatcp.Tunnel (closed)");
        return 1;
    }
    int port = udp_address_format(&address, host);
    const char *form =
        strchr(host, ':') != NULL ? "lunatcp.Tunnel ([%s]:%d)" : "lunatcp.Tunnel (%s:%d)";
    lua_pushfstring(L, form, host, port);
    return 1;
}

static const luaL_Reg tunnel_methods[] = {{"address", tunnel_address},
                                          {"name", tunnel_name},
                                          {"peer", tunnel_peer},
                                          {"peers", tunnel_peers},
                                          {"add_peer", tunnel_add_peer},
                                          {"mtu", tunnel_mtu},
                                          {"set_peer", tunnel_set_peer},
                                          {"counters", tunnel_counters},
                                          {"flush", tunnel_flush},
                                          {"close", tunnel_close},
                                          {NULL, NULL}};

static const luaL_Reg tunnel_meta[] = {{"__tostring", tunnel_tostring},
                                       {"__close", tunnel_close},
                                       {"__gc", tunnel_close},
                                       {NULL, NULL}};

void bind_open_tunnel(lua_State *L)
{
    bind_class(L, BIND_TUNNEL, tunnel_methods, tunnel_meta);
}
