/* bindings/connection.c - connections and listeners: handles with a host, nothing more. Objects of
 * one handle are the same object while somebody refers to it; when nobody does, __gc only notes
 * that, and network:collect acts on it. */
#include "binding.h"
#include "explore.h"

#include <string.h>

/* ---- objects -------------------------------------------------------------------------------- */

/* So that __gc of one more owned object finds room. Raises. */
static void reserve_owned(lua_State *L, struct bind_network *net)
{
    if (net->owned < net->forgotten_room) return;
    size_t more = net->forgotten_room < 16 ? 16 : net->forgotten_room * 2;
    void *grown = bind_resize(net, net->forgotten, net->forgotten_room * sizeof *net->forgotten,
                              more * sizeof *net->forgotten);
    if (grown == NULL) luaL_error(L, "not enough memory");
    net->forgotten = grown;
    net->forgotten_room = more;
}

/* An object without a handle, on top of the stack. */
static struct bind_connection *new_object(lua_State *L, int host, bool listener)
{
    host = lua_absindex(L, host);
    const struct bind_node *node = lua_touserdata(L, host);
    struct bind_connection *c = lua_newuserdatauv(L, sizeof *c, 1);
    *c = (struct bind_connection){.net = node->net, .node = node->id, .listener = listener};
    lua_pushvalue(L, host);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, listener ? BIND_LISTENER : BIND_CONNECTION);
    return c;
}

/* The object on top is from now on the one of its handle. */
static void remember(lua_State *L, int host)
{
    const struct bind_connection *c = lua_touserdata(L, -1);
    lua_getiuservalue(L, host, BIND_NODE_OBJECTS);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)c->handle);
    lua_pop(L, 1);
}

static void own(struct bind_connection *c)
{
    if (!c->owned) c->net->owned++;
    c->owned = true;
}

struct bind_connection *bind_find_connection(lua_State *L, int host, ltcp_handle handle)
{
    lua_getiuservalue(L, host, BIND_NODE_OBJECTS);
    lua_rawgeti(L, -1, (lua_Integer)handle);
    lua_remove(L, -2);
    struct bind_connection *c = lua_touserdata(L, -1);
    if (c == NULL) lua_pop(L, 1);
    return c;
}

struct bind_connection *bind_push_connection(lua_State *L, int host, ltcp_handle handle,
                                             bool listener)
{
    host = lua_absindex(L, host);
    struct bind_connection *c = bind_find_connection(L, host, handle);
    if (c != NULL) return c;
    c = new_object(L, host, listener);
    c->handle = handle;
    remember(L, host);
    return c;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The handle was just made: it is the object's before anything can raise. */
static void adopt(lua_State *L, int host, struct bind_connection *c, ltcp_handle handle)
{
    c->handle = handle;
    own(c);
    ltcp_network_touch(c->net->network, c->node);
    bind_explore_saw(c->net, (uint64_t)c->node << 8 | BIND_SAW_COUNT, &handle, sizeof handle);
    if (!c->listener) bind_explore_wrote(c->net, c->node, handle, NULL, 0, false);
    remember(L, host);
}

static void read_open(const struct bind_options *o, const struct bind_node *node,
                      struct ltcp_settings *settings, struct ltcp_open *open)
{
    *settings = *ltcp_host_settings(bind_host_of(node));
    if (bind_option_push(o, "settings") != LUA_TNIL) {
        bind_read_settings(o->L, -1, 2, "settings", settings);
        open->settings = settings;
    }
    lua_pop(o->L, 1);
}

/* The addresses go to `hops`, which has room for LTCP_SOURCE_ROUTE_MOST. */
static void read_source_route(const struct bind_options *o, struct ltcp_address *hops,
                              struct ltcp_open *open)
{
    int type = bind_option_push(o, "source_route");
    if (type != LUA_TNIL && type != LUA_TTABLE)
        bind_option_error(o, "source_route", "array of IPv4 addresses expected, got %s",
                          lua_typename(o->L, type));
    lua_Integer count = type == LUA_TTABLE ? luaL_len(o->L, -1) : 0;
    if (count > LTCP_SOURCE_ROUTE_MOST)
        bind_option_error(o, "source_route", "at most %d addresses", LTCP_SOURCE_ROUTE_MOST);
    for (lua_Integer i = 1; i <= count; i++) {
        const char *text = lua_geti(o->L, -1, i) == LUA_TSTRING ? lua_tostring(o->L, -1) : NULL;
        if (text == NULL || ltcp_address_parse(text, &hops[i - 1]) != LTCP_OK ||
            !ltcp_address_is_v4(&hops[i - 1]))
            bind_option_error(o, "source_route", "'%s' is not an IPv4 address",
                              luaL_tolstring(o->L, -1, NULL));
        lua_pop(o->L, 1);
    }
    lua_pop(o->L, 1);
    open->source_route = hops;
    open->source_route_count = (uint8_t)count;
}

/* A connection that opens, or a listener, as an object of the node at index 1. */
static int open_object(lua_State *L, const struct bind_node *node, const struct ltcp_open *open,
                       bool listens)
{
    reserve_owned(L, node->net);
    struct bind_connection *c = new_object(L, 1, listens);
    struct ltcp_host *host = bind_host_of(node);
    const ltcp_time now = ltcp_network_now(node->net->network);
    ltcp_handle handle = 0;
    const enum ltcp_status status =
        listens ? ltcp_listen(host, now, open, &handle) : ltcp_connect(host, now, open, &handle);
    if (status != LTCP_OK) return bind_failure(L, status);
    adopt(L, 1, c, handle);
    return 1;
}

int bind_connect(lua_State *L)
{
    static const char *const known[] = {"address",  "port",         "local_address", "local_port",
                                        "settings", "source_route", "fast_open",     NULL};
    const struct bind_node *node = bind_check_host(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    struct ltcp_open open = {0};
    struct ltcp_settings settings;
    struct ltcp_address hops[LTCP_SOURCE_ROUTE_MOST];
    if (!bind_option_address(&o, "address", &open.remote))
        return bind_option_error(&o, "address", "string expected, got nil");
    if (!bind_option_present(&o, "port"))
        return bind_option_error(&o, "port", "integer expected, got nil");
    open.remote_port = (uint16_t)bind_option_integer(&o, "port", 0, 1, 65535);
    bind_option_address(&o, "local_address", &open.local);
    open.local_port = (uint16_t)bind_option_integer(&o, "local_port", 0, 0, 65535);
    read_source_route(&o, hops, &open);
    open.fast_open =
        bind_option_string(&o, "fast_open", &open.fast_open_length); /* stays on the stack */
    read_open(&o, node, &settings, &open);
    return open_object(L, node, &open, false);
}

int bind_listen(lua_State *L)
{
    static const char *const known[] = {"port", "address", "backlog", "settings", NULL};
    const struct bind_node *node = bind_check_host(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    struct ltcp_open open = {0};
    struct ltcp_settings settings;
    if (!bind_option_present(&o, "port"))
        return bind_option_error(&o, "port", "integer expected, got nil");
    open.local_port = (uint16_t)bind_option_integer(&o, "port", 0, 0, 65535);
    bind_option_address(&o, "address", &open.local);
    open.backlog = (uint32_t)bind_option_integer(&o, "backlog", 0, 1, 1 << 20);
    read_open(&o, node, &settings, &open);
    return open_object(L, node, &open, true);
}

/* ---- what methods begin with ---------------------------------------------------------------- */

struct call {
    struct bind_connection *c;
    struct ltcp_network *network;
    struct ltcp_host *host;
    ltcp_time now;
};

static struct call begin(lua_State *L, const char *class)
{
    struct call call;
    call.c = luaL_checkudata(L, 1, class);
    bind_check_open(L, call.c->net);
    call.network = call.c->net->network;
    call.host = call.c->net->nodes[call.c->node].host;
    call.now = ltcp_network_now(call.network);
    return call;
}

/* The script learns it of this connection. */
static void saw(const struct bind_connection *c, enum bind_saw what, const void *bytes,
                size_t length)
{
    if (c->net->explorer == NULL) return;
    const uint64_t who = (uint64_t)c->node << 40 | (c->handle & 0xFFFFFFFF) << 8;
    bind_explore_saw(c->net, who | (uint64_t)what, bytes, length);
}

/* What it does to the connection may give the host something to send. */
static enum ltcp_status end(const struct call *call, enum ltcp_status status)
{
    ltcp_network_touch(call->network, call->c->node);
    /* That it would block is for the scheduler, which waits then. */
    if (status != LTCP_AGAIN) saw(call->c, BIND_SAW_STATUS, &status, sizeof status);
    return status;
}

static void release(struct bind_connection *c)
{
    if (c->released || c->handle == 0) return;
    ltcp_release(c->net->nodes[c->node].host, c->handle);
    c->released = true;
    if (c->owned) c->net->owned--;
}

static struct bind_connection *test_object(lua_State *L)
{
    struct bind_connection *c = luaL_testudata(L, 1, BIND_CONNECTION);
    return c != NULL ? c : luaL_testudata(L, 1, BIND_LISTENER);
}

static struct bind_connection *check_object(lua_State *L)
{
    struct bind_connection *c = test_object(L);
    if (c == NULL) luaL_typeerror(L, 1, "connection or listener");
    return c;
}

static int object_host(lua_State *L)
{
    check_object(L);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int object_handle(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_object(L)->handle);
    return 1;
}

/* Only marks: the wire is left alone until network:collect. Never raises, never allocates. */
static int object_gc(lua_State *L)
{
    struct bind_connection *c = test_object(L);
    if (c == NULL || c->net->network == NULL || !c->owned || c->released || c->handle == 0)
        return 0;
    struct bind_network *net = c->net;
    net->forgotten[net->forgotten_count++] =
        (struct bind_forgotten){.node = c->node, .handle = c->handle, .abort = !c->closed};
    c->released = true; /* a script that finds __gc and calls it is not worse off */
    return 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

static int connection_state(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    struct ltcp_info info;
    bool there = !call.c->released && ltcp_info(call.host, call.c->handle, &info) != LTCP_ERR_STALE;
    const enum ltcp_state state = there ? info.state : LTCP_CLOSED;
    saw(call.c, BIND_SAW_STATE, &state, sizeof state);
    lua_pushstring(L, ltcp_state_name(state));
    return 1;
}

static int connection_info(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    struct ltcp_info info;
    enum ltcp_status status = ltcp_info(call.host, call.c->handle, &info);
    if (status == LTCP_ERR_STALE) return bind_failure(L, status);
    bind_explore_saw_info(call.c->net, &info, true);
    bind_push_info(L, &info);
    return 1;
}

/* What info gives, to be made a table of when somebody asks: most connections are never asked. */
static int connection_snapshot(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    struct ltcp_info *info = lua_newuserdatauv(L, sizeof *info, 0);
    enum ltcp_status status = ltcp_info(call.host, call.c->handle, info);
    if (status == LTCP_ERR_STALE) return bind_failure(L, status);
    luaL_setmetatable(L, BIND_INFO);
    bind_explore_saw_info(call.c->net, info, false);
    return 1;
}

static int snapshot_info(lua_State *L)
{
    bind_push_info(L, luaL_checkudata(L, 1, BIND_INFO));
    return 1;
}

static int snapshot_error(lua_State *L)
{
    const struct ltcp_info *info = luaL_checkudata(L, 1, BIND_INFO);
    if (info->error == LTCP_OK) return 0;
    lua_pushstring(L, ltcp_status_message(info->error));
    lua_pushstring(L, ltcp_status_code(info->error));
    return 2;
}

/* Without the rest of what info gives: every connection is asked this once. */
static int connection_sockets(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    struct ltcp_info info;
    if (call.c->released || ltcp_info(call.host, call.c->handle, &info) != LTCP_OK)
        return bind_failure(L, LTCP_ERR_STALE);
    bind_push_address(L, &info.local);
    lua_pushinteger(L, info.local_port);
    bind_push_address(L, &info.remote);
    lua_pushinteger(L, info.remote_port);
    return 4;
}

static int connection_error(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    struct ltcp_info info;
    if (call.c->released || ltcp_info(call.host, call.c->handle, &info) == LTCP_ERR_STALE ||
        info.state != LTCP_CLOSED || info.error == LTCP_OK) {
        const enum ltcp_status none = LTCP_OK;
        saw(call.c, BIND_SAW_STATUS, &none, sizeof none);
        lua_pushnil(L); /* a soft error is none: info and the event tell of it */
        return 1;
    }
    saw(call.c, BIND_SAW_STATUS, &info.error, sizeof info.error);
    lua_pushstring(L, ltcp_status_message(info.error));
    lua_pushstring(L, ltcp_status_code(info.error));
    return 2;
}

static int connection_write(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    size_t length, taken = 0;
    const char *bytes = luaL_checklstring(L, 2, &length);
    lua_Integer offset = luaL_optinteger(L, 3, 1), flags = luaL_optinteger(L, 4, 0);
    luaL_argcheck(L, offset >= 1 && (lua_Unsigned)offset <= (lua_Unsigned)length + 1, 3,
                  "offset outside of the string");
    luaL_argcheck(L, (flags & ~(LTCP_WRITE_URGENT | LTCP_WRITE_MORE)) == 0, 4,
                  "bits of core.WRITE expected");
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    size_t from = (size_t)offset - 1;
    enum ltcp_status status = ltcp_write(call.host, call.now, call.c->handle, bytes + from,
                                         length - from, (unsigned)flags, &taken);
    if (end(&call, status) != LTCP_OK) return bind_failure(L, status);
    saw(call.c, BIND_SAW_COUNT, &taken, sizeof taken);
    bind_explore_wrote(call.c->net, call.c->node, call.c->handle, bytes + from, taken,
                       (flags & LTCP_WRITE_URGENT) != 0);
    lua_pushinteger(L, (lua_Integer)taken);
    return 1;
}

static int connection_read(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    lua_Integer n = luaL_checkinteger(L, 2), flags = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, n >= 1, 2, "at least 1 octet");
    luaL_argcheck(L, (flags & ~(LTCP_READ_PEEK | LTCP_READ_URGENT)) == 0, 3,
                  "bits of core.READ expected");
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    size_t room = n < BIND_SCRATCH ? (size_t)n : BIND_SCRATCH, got = 0;
    uint8_t *scratch = call.c->net->scratch;
    enum ltcp_status status =
        ltcp_read(call.host, call.now, call.c->handle, scratch, room, (unsigned)flags, &got);
    if (end(&call, status) != LTCP_OK) return bind_failure(L, status);
    saw(call.c, BIND_SAW_BYTES, scratch, got);
    if (flags == 0) bind_explore_read(call.c->net, call.c->node, call.c->handle, scratch, got);
    lua_pushlstring(L, (const char *)scratch, got);
    return 1;
}

static int connection_discard(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    size_t dropped = 0;
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    enum ltcp_status status = ltcp_flush(call.host, call.c->handle, &dropped);
    if (end(&call, status) != LTCP_OK) return bind_failure(L, status);
    saw(call.c, BIND_SAW_COUNT, &dropped, sizeof dropped);
    bind_explore_dropped(call.c->net, call.c->node, call.c->handle, dropped);
    lua_pushinteger(L, (lua_Integer)dropped);
    return 1;
}

static int connection_shutdown(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    return bind_result(L, end(&call, ltcp_shutdown(call.host, call.now, call.c->handle)));
}

/* What is over already needs no closing: whatever is wrong with it, it is closed. */
static int connection_end(lua_State *L, bool abort)
{
    struct bind_connection *c = luaL_checkudata(L, 1, BIND_CONNECTION);
    if (c->net->network != NULL && !c->released) {
        struct call call = begin(L, BIND_CONNECTION);
        end(&call, abort ? ltcp_abort(call.host, call.now, c->handle)
                         : ltcp_close(call.host, call.now, c->handle));
        c->closed = true;
    }
    lua_pushboolean(L, true);
    return 1;
}

static int connection_close(lua_State *L)
{
    return connection_end(L, false);
}

static int connection_abort(lua_State *L)
{
    return connection_end(L, true);
}

static int connection_release(lua_State *L)
{
    struct bind_connection *c = luaL_checkudata(L, 1, BIND_CONNECTION);
    bind_congestion_guard(L, c->net);
    if (c->net->network != NULL) release(c);
    return 0;
}

/* A scope that is left by an error aborts. */
static int connection_leave(lua_State *L)
{
    struct bind_connection *c = luaL_checkudata(L, 1, BIND_CONNECTION);
    connection_end(L, !lua_isnoneornil(L, 2));
    if (c->net->network != NULL) release(c);
    return 0;
}

static int connection_settings(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    struct ltcp_settings settings;
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    enum ltcp_status status = ltcp_settings_of(call.host, call.c->handle, &settings);
    if (status != LTCP_OK) return bind_failure(L, status);
    bind_push_settings(L, &settings);
    return 1;
}

static int connection_set_settings(lua_State *L)
{
    struct call call = begin(L, BIND_CONNECTION);
    struct ltcp_settings settings;
    luaL_checktype(L, 2, LUA_TTABLE);
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    enum ltcp_status status = ltcp_settings_of(call.host, call.c->handle, &settings);
    if (status != LTCP_OK) return bind_failure(L, status);
    bind_read_settings(L, 2, 2, "", &settings);
    status = ltcp_set_settings(call.host, call.now, call.c->handle, &settings);
    bind_congestion_raise(L, call.c->net);
    return bind_result(L, end(&call, status));
}

static void push_socket(lua_State *L, const struct ltcp_address *address, unsigned port)
{
    char text[LTCP_ADDRESS_TEXT];
    ltcp_address_format(address, text);
    lua_pushfstring(L, ltcp_address_is_v4(address) ? "%s:%d" : "[%s]:%d", text, (int)port);
}

static int object_tostring(lua_State *L)
{
    const struct bind_connection *c = check_object(L);
    const char *what = c->listener ? "listener" : "connection";
    struct ltcp_info info;
    if (c->net->network == NULL || c->released ||
        ltcp_info(c->net->nodes[c->node].host, c->handle, &info) == LTCP_ERR_STALE) {
        lua_pushfstring(L, "%s (closed)", what);
        return 1;
    }
    lua_pushfstring(L, "%s (", what);
    push_socket(L, &info.local, info.local_port);
    if (c->listener) {
        lua_pushliteral(L, ")");
        lua_concat(L, 3);
        return 1;
    }
    lua_pushliteral(L, " to ");
    push_socket(L, &info.remote, info.remote_port);
    lua_pushfstring(L, ", %s)", ltcp_state_name(info.state));
    lua_concat(L, 5);
    return 1;
}

/* ---- listeners ------------------------------------------------------------------------------ */

static int listener_accept(lua_State *L)
{
    struct call call = begin(L, BIND_LISTENER);
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    reserve_owned(L, call.c->net);
    struct bind_connection *fresh = new_object(L, 2, false);
    ltcp_handle handle = 0;
    enum ltcp_status status = ltcp_accept(call.host, call.c->handle, &handle);
    if (end(&call, status) != LTCP_OK) return bind_failure(L, status);
    struct bind_connection *seen = bind_find_connection(L, 2, handle);
    if (seen != NULL)
        own(seen);
    else
        adopt(L, 2, fresh, handle);
    return 1;
}

static int listener_address(lua_State *L)
{
    struct call call = begin(L, BIND_LISTENER);
    struct ltcp_info info;
    if (call.c->released) return bind_failure(L, LTCP_ERR_STALE);
    enum ltcp_status status = ltcp_info(call.host, call.c->handle, &info);
    if (status != LTCP_OK) return bind_failure(L, status);
    bind_push_address(L, &info.local);
    lua_pushinteger(L, info.local_port);
    return 2;
}

static int listener_close(lua_State *L)
{
    struct bind_connection *c = luaL_checkudata(L, 1, BIND_LISTENER);
    if (c->net->network != NULL && !c->released) {
        struct call call = begin(L, BIND_LISTENER);
        end(&call, ltcp_close(call.host, call.now, c->handle));
        c->closed = true;
        release(c);
    }
    lua_pushboolean(L, true);
    return 1;
}

void bind_open_connection(lua_State *L)
{
    static const luaL_Reg connection[] = {{"host", object_host},
                                          {"handle", object_handle},
                                          {"state", connection_state},
                                          {"info", connection_info},
                                          {"snapshot", connection_snapshot},
                                          {"sockets", connection_sockets},
                                          {"error", connection_error},
                                          {"write", connection_write},
                                          {"read", connection_read},
                                          {"discard", connection_discard},
                                          {"shutdown", connection_shutdown},
                                          {"close", connection_close},
                                          {"abort", connection_abort},
                                          {"release", connection_release},
                                          {"ao_keys", bind_connection_ao_keys},
                                          {"ao_save", bind_connection_ao_save},
                                          {"settings", connection_settings},
                                          {"set_settings", connection_set_settings},
                                          {NULL, NULL}};
    static const luaL_Reg connection_meta[] = {{"__gc", object_gc},
                                               {"__close", connection_leave},
                                               {"__tostring", object_tostring},
                                               {NULL, NULL}};
    static const luaL_Reg listener[] = {{"host", object_host},       {"handle", object_handle},
                                        {"accept", listener_accept}, {"address", listener_address},
                                        {"close", listener_close},   {NULL, NULL}};
    static const luaL_Reg listener_meta[] = {{"__gc", object_gc},
                                             {"__close", listener_close},
                                             {"__tostring", object_tostring},
                                             {NULL, NULL}};
    bind_class(L, BIND_CONNECTION, connection, connection_meta);
    static const luaL_Reg snapshot[] = {
        {"info", snapshot_info}, {"error", snapshot_error}, {NULL, NULL}};
    static const luaL_Reg nothing[] = {{NULL, NULL}};
    bind_class(L, BIND_INFO, snapshot, nothing);
    bind_class(L, BIND_LISTENER, listener, listener_meta);
}
