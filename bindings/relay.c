/* bindings/relay.c - the class lunatcp.Relay: what stands between UDP sockets (uv_relay.h).
 *
 * loop:relay { link =, bind =, server =, clients = 64, idle = 60, batch = } -> relay | nil,
 * message, CODE `link` has both ends outside: network:link { {}, {}, tunnel = true }. `bind` and
 * `server` are "127.0.0.1:9000", "[::1]:9000"; `clients`: so many at a time; `idle`: seconds of
 * silence after which one may be forgotten for a new one. EINVAL, EADDRINUSE, EADDRNOTAVAIL, EEXIST
 * (the link has a relay), ... relay:address() -> host, port   where clients send to
 * relay:counters() -> table: clients, clients_now, refused, forgotten, misled, crowded, no_memory;
 *   near_... and far_... (of the clients' socket, of those to the server): datagrams_in
 *   datagrams_out bytes_in bytes_out refused too_big failed
 * relay:close()  idempotent; also __close and __gc, and when the network or the loop closes. */
#include "uv_classes.h"
#include "uv_relay.h"

#include <errno.h>
#include <string.h>

struct relay {
    struct ltcp_relay *relay;
};

static struct ltcp_relay *check(lua_State *L)
{
    const struct relay *relay = luaL_checkudata(L, 1, BIND_RELAY);
    if (relay->relay == NULL || !ltcp_relay_is_open(relay->relay)) luaL_error(L, "relay is closed");
    return relay->relay;
}

/* False: nil, message, CODE are pushed. */
static bool read_socket(const struct bind_options *o, const char *key, struct udp_address *out)
{
    const char *text = bind_option_string(o, key, NULL);
    if (text == NULL) bind_option_error(o, key, "address expected");
    bool far = strcmp(key, "server") == 0;
    if (far ? bind_parse_peer(text, out) : udp_address_parse(text, out)) return true;
    bind_no_socket(o->L, key, text);
    return false;
}

static enum udp_batch read_batch(const struct bind_options *o)
{
    const char *word = bind_option_string(o, "batch", NULL);
    if (word == NULL) return UDP_BATCH_AUTO;
    for (int batch = UDP_BATCH_AUTO; batch <= UDP_BATCH_PLAIN; batch++)
        if (strcmp(udp_batch_name((enum udp_batch)batch), word) == 0) return (enum udp_batch)batch;
    bind_option_error(o, "batch", "one of auto, gso, mmsg, plain expected, got '%s'", word);
    return UDP_BATCH_AUTO;
}

int bind_loop_relay(lua_State *L)
{
    static const char *const known[] = {"link", "bind", "server", "clients", "idle", "batch", NULL};
    struct bind_loop *loop = bind_check_loop(L, 1);
    struct bind_options o;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    bind_options_open(&o, L, 2, 2, "", known, 0);
    struct ltcp_relay_config config = {.loop = loop->loop};
    config.clients_most = (uint32_t)bind_option_integer(&o, "clients", 64, 1, 65535);
    config.idle = bind_option_time(&o, "idle", 60 * LTCP_SECOND, 0, LTCP_NEVER - 1);
    config.batch = read_batch(&o);
    if (!read_socket(&o, "bind", &config.bind)) return 3;
    if (!read_socket(&o, "server", &config.server)) return 3;
    bind_option_push(&o, "link");
    if (luaL_testudata(L, -1, BIND_LINK) == NULL)
        bind_option_error(&o, "link", "%s expected, got %s", BIND_LINK, luaL_typename(L, -1));
    const struct bind_link *link = bind_check_link(L, lua_gettop(L));
    const struct bind_link_record *record = &link->net->links[link->id];
    if (!record->tunnel || record->node[0] != LTCP_NOWHERE || record->node[1] != LTCP_NOWHERE)
        bind_option_error(&o, "link", "both ends must be outside");
    config.network = link->net->network;
    config.pool = link->net->pool;
    config.relays = &link->net->relays;
    config.link = link->id;
    int at = lua_gettop(L);

    struct relay *relay = lua_newuserdatauv(L, sizeof *relay, 2);
    relay->relay = NULL;
    luaL_setmetatable(L, BIND_RELAY);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, at);
    lua_setiuservalue(L, -2, 2);
    int error = ltcp_relay_open(&config, &relay->relay);
    if (error != 0) {
        lua_getfield(L, 2, "bind");
        return bind_system_failure(L, lua_pushfstring(L, "udp %s", lua_tostring(L, -1)), error);
    }
    lua_getiuservalue(L, 1, 1); /* the loop holds it */
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, relay);
    lua_pop(L, 1);
    return 1;
}

static int relay_address(lua_State *L)
{
    struct udp_address address;
    char host[INET6_ADDRSTRLEN];
    int error = ltcp_relay_address(check(L), &address);
    if (error != 0) return bind_system_failure(L, "address", error);
    uint16_t port = udp_address_format(&address, host);
    lua_pushstring(L, host);
    lua_pushinteger(L, port);
    return 2;
}

static void set(lua_State *L, const char *side, const char *key, uint64_t count)
{
    lua_pushfstring(L, "%s%s", side, key);
    lua_pushinteger(L, (lua_Integer)count);
    lua_rawset(L, -3);
}

static void set_side(lua_State *L, const char *side, const struct udp_counters *c)
{
    set(L, side, "datagrams_in", c->datagrams_in);
    set(L, side, "datagrams_out", c->datagrams_out);
    set(L, side, "bytes_in", c->bytes_in);
    set(L, side, "bytes_out", c->bytes_out);
    set(L, side, "refused", c->refused);
    set(L, side, "too_big", c->too_big);
    set(L, side, "failed", c->failed + c->not_permitted);
}

static int relay_counters(lua_State *L)
{
    struct ltcp_relay_counters c;
    const struct ltcp_relay *relay = check(L);
    ltcp_relay_counters(relay, &c);
    lua_createtable(L, 0, 24);
    set(L, "", "clients", c.clients);
    set(L, "", "clients_now", ltcp_relay_clients(relay));
    set(L, "", "refused", c.refused);
    set(L, "", "forgotten", c.forgotten);
    set(L, "", "misled", c.misled);
    set(L, "", "crowded", c.crowded);
    set(L, "", "no_memory", c.no_memory);
    set_side(L, "near_", &c.near);
    set_side(L, "far_", &c.far);
    return 1;
}

static int relay_close(lua_State *L)
{
    struct relay *relay = luaL_checkudata(L, 1, BIND_RELAY);
    if (relay->relay == NULL) return 0;
    ltcp_relay_close(relay->relay);
    relay->relay = NULL;
    lua_getiuservalue(L, 1, 1);
    lua_getiuservalue(L, -1, 1);
    lua_pushnil(L);
    lua_rawsetp(L, -2, relay);
    return 0;
}

static int relay_tostring(lua_State *L)
{
    const struct relay *relay = luaL_checkudata(L, 1, BIND_RELAY);
    bool open = relay->relay != NULL && ltcp_relay_is_open(relay->relay);
    if (open)
        lua_pushfstring(L, "lunatcp.Relay (%d clients)", (int)ltcp_relay_clients(relay->relay));
    else
        lua_pushliteral(L, "lunatcp.Relay (closed)");
    return 1;
}

void bind_open_relay(lua_State *L)
{
    static const luaL_Reg methods[] = {{"address", relay_address},
                                       {"counters", relay_counters},
                                       {"close", relay_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", relay_tostring},
                                    {"__close", relay_close},
                                    {"__gc", relay_close},
                                    {NULL, NULL}};
    bind_class(L, BIND_RELAY, methods, meta);
}
