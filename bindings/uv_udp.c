/* bindings/uv_udp.c - the class lunatcp.Tunnel: one end of a link, over UDP.
 *
 * loop:udp {
 *   link =           of a network, made with tunnel = true
 *   direction = 1    1 or 2: whose packets leave here. The tunnel stands at end 1 or end 2 of the
 *                    link; what comes in goes to the node there
 *   bind =           "127.0.0.1:0", "[::1]:9000": numbers only; port 0: any
 *   peer =           the same for the far socket, which alone is listened to; without it packets
 *                    are dropped and counted until set_peer
 *   learn = false    with no peer: whoever sends the first valid packet becomes it
 *   framing = "plain" | "rawip"
 *   checksum = "inner" | "udp"         of `plain`: who answers for the segment
 *   local_address =, remote_address =  of `plain`: the inner addresses of this end and the far one
 *   batch = "auto" | "gso" | "mmsg" | "plain"
 * } -> tunnel | nil, message, CODE
 *   EINVAL (no such address text), EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT (bind and peer
 *   are of two families), EEXIST (the link's direction has a tunnel), EOPNOTSUPP (a batch that this
 *   system does not know), EMFILE.
 *   Where the far end of the link is the outside (no node there), what comes in goes through that
 *   direction's path with its delay, loss and so on; else it arrives as it comes.
 *
 * tunnel:address() -> host, port         what it is bound to
 * tunnel:peer() -> host, port | nil
 * tunnel:set_peer(text) -> true | nil, message, CODE
 * tunnel:counters() -> table of integers and `batch`, the manner in use:
 *   packets_in packets_out; datagrams_in datagrams_out bytes_in bytes_out calls_in calls_out;
 *   not sent: queue_full no_peer unframeable too_big not_permitted failed;
 *   not taken in: unreadable strangers truncated odd_pieces;
 *   blocked (the socket's buffer was full), refused (ICMP errors that came back), no_memory
 * tunnel:flush() -> packets that still wait, after trying to send now
 * tunnel:close()  Idempotent; also __close and __gc. After it, and after the network's or the
 *   loop's close, everything else raises "tunnel is closed". */
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

/* The value of `key` as one of `words`; `otherwise` when absent. */
static int option_word(const struct bind_options *o, const char *key, const char *const *words,
                       int otherwise)
{
    const char *word = bind_option_string(o, key, NULL);
    int found = word == NULL ? otherwise : -1;
    for (int i = 0; found < 0 && words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0) found = i;
    if (found < 0) {
        luaL_Buffer b;
        luaL_buffinit(o->L, &b);
        for (int i = 0; words[i] != NULL; i++) {
            if (i > 0) luaL_addstring(&b, ", ");
            luaL_addstring(&b, words[i]);
        }
        luaL_pushresult(&b);
        bind_option_error(o, key, "one of %s expected, got '%s'", lua_tostring(o->L, -1), word);
    }
    lua_pop(o->L, 1);
    return found;
}

/* False: the text is no address, and nil, message, CODE are pushed. */
static bool option_socket(const struct bind_options *o, const char *key, struct udp_address *out)
{
    const char *text = bind_option_string(o, key, NULL);
    if (text != NULL && !udp_address_parse(text, out)) {
        bind_system_failure(o->L, lua_pushfstring(o->L, "%s '%s'", key, text), EINVAL);
        return false;
    }
    lua_pop(o->L, 1);
    return true;
}

static void read_inner_addresses(const struct bind_options *o, struct ltcp_tunnel_config *config)
{
    bool local = bind_option_address(o, "local_address", &config->local);
    bool remote = bind_option_address(o, "remote_address", &config->remote);
    if (config->framing != LTCP_FRAMING_PLAIN) return;
    if (!local) bind_option_error(o, "local_address", "needed for framing 'plain'");
    if (!remote) bind_option_error(o, "remote_address", "needed for framing 'plain'");
    if (ltcp_address_is_v4(&config->local) != ltcp_address_is_v4(&config->remote))
        bind_option_error(o, "remote_address", "of another family than local_address");
}

/* Leaves the link on the stack. */
static void read_link(const struct bind_options *o, struct ltcp_tunnel_config *config)
{
    lua_State *L = o->L;
    bind_option_push(o, "link");
    if (luaL_testudata(L, -1, BIND_LINK) == NULL)
        bind_option_error(o, "link", "%s expected, got %s", BIND_LINK, luaL_typename(L, -1));
    const struct bind_link *link = bind_check_link(L, lua_absindex(L, -1));
    config->network = link->net->network;
    config->pool = link->net->pool;
    config->tunnels = &link->net->tunnels;
    config->link = link->id;
    config->direction = (unsigned)bind_option_integer(o, "direction", 1, 1, 2) - 1;
    config->impaired = link->net->links[link->id].node[1 - config->direction] == LTCP_NOWHERE;
}

/* False: nil, message, CODE are pushed. Else the link is on top. */
static bool read_config(lua_State *L, struct ltcp_tunnel_config *config)
{
    static const char *const known[] = {"link",          "direction",      "bind",  "peer",
                                        "learn",         "framing",        "batch", "checksum",
                                        "local_address", "remote_address", NULL};
    static const char *const framings[] = {"plain", "rawip", NULL};
    static const char *const checksums[] = {"inner", "udp", NULL};
    static const char *const batches[] = {"auto", "gso", "mmsg", "plain", NULL};
    struct bind_options o;
    luaL_checktype(L, 2, LUA_TTABLE);
    bind_options_open(&o, L, 2, 2, "", known, 0);
    *config = (struct ltcp_tunnel_config){
        .learn = bind_option_flag(&o, "learn", false),
        .framing = (enum ltcp_framing)option_word(&o, "framing", framings, 0),
        .checksum = (enum ltcp_inner_checksum)option_word(&o, "checksum", checksums, 0),
        .batch = (enum udp_batch)option_word(&o, "batch", batches, 0),
    };
    read_inner_addresses(&o, config);
    if (!bind_option_present(&o, "bind")) bind_option_error(&o, "bind", "address expected");
    if (!option_socket(&o, "bind", &config->bind)) return false;
    if (!option_socket(&o, "peer", &config->peer)) return false;
    read_link(&o, config);
    return true;
}

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

int bind_loop_udp(lua_State *L)
{
    struct bind_loop *loop = bind_check_loop(L, 1);
    struct ltcp_tunnel_config config;
    if (!read_config(L, &config)) return 3;
    int link = lua_gettop(L);

    struct bind_tunnel *tunnel = lua_newuserdatauv(L, sizeof *tunnel, BIND_TUNNEL_VALUES);
    tunnel->member = NULL;
    luaL_setmetatable(L, BIND_TUNNEL);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, BIND_TUNNEL_LOOP);
    lua_pushvalue(L, link);
    lua_setiuservalue(L, -2, BIND_TUNNEL_LINK);
    set_kept(L, -1, true);

    struct ltcp_tunnel *t;
    int error = ltcp_tunnel_open(&config, &t);
    if (error == 0) {
        error = ltcp_loop_add(loop->loop, t, &tunnel->member);
        if (error != 0) ltcp_tunnel_close(t);
    }
    if (error == 0) {
        ltcp_member_set_owner(tunnel->member, tunnel);
        return 1;
    }
    set_kept(L, -1, false);
    lua_getfield(L, 2, "bind");
    return bind_system_failure(L, lua_pushfstring(L, "udp %s", lua_tostring(L, -1)), error);
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
    int error = EINVAL;
    if (udp_address_parse(text, &peer)) error = ltcp_tunnel_set_peer(t, &peer);
    if (error != 0) return bind_system_failure(L, lua_pushfstring(L, "peer '%s'", text), error);
    lua_pushboolean(L, 1);
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
                  {"too_big", u->too_big},
                  {"not_permitted", u->not_permitted},
                  {"failed", u->failed},
                  {"unreadable", c->unreadable},
                  {"strangers", c->strangers},
                  {"truncated", u->truncated},
                  {"odd_pieces", u->odd_pieces},
                  {"blocked", u->blocked},
                  {"refused", u->refused},
                  {"no_memory", c->no_memory}};
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
                                          {"peer", tunnel_peer},
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
