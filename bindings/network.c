/* bindings/network.c - the class of networks: making, nodes, memory, the forgotten, the end. */
#include "binding.h"
#include "uv_relay.h"
#include "crypto.h"
#include "explore.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory --------------------------------------------------------------------------------- */

static void *resize_by_lua(void *context, void *old, size_t old_size, size_t size)
{
    const struct bind_network *net = context;
    return net->allocate(net->allocate_context, old, old == NULL ? 0 : old_size, size);
}

void *bind_resize(struct bind_network *net, void *old, size_t old_size, size_t size)
{
    return resize_by_lua(net, old, old_size, size);
}

bool bind_reserve(struct bind_network *net, void **array, uint32_t count, uint32_t *room,
                  size_t record)
{
    if (count < *room) return true;
    uint32_t more = *room < 8 ? 8 : *room * 2;
    void *grown = bind_resize(net, *array, *room * record, more * record);
    if (grown == NULL) return false;
    *array = grown;
    *room = more;
    return true;
}

/* ---- making and ending ---------------------------------------------------------------------- */

struct bind_network *bind_check_network(lua_State *L, int index)
{
    struct bind_network *net = luaL_checkudata(L, index, BIND_NETWORK);
    bind_check_open(L, net);
    return net;
}

void bind_check_open(lua_State *L, const struct bind_network *net)
{
    if (net->network == NULL) luaL_error(L, "network is closed");
    bind_congestion_guard(L, net);
}

static void network_destroy(struct bind_network *net)
{
    bind_sockets_detach(net);
    bind_captures_detach(net);
    bind_explore_detach(net);
    ltcp_tunnels_detach(&net->tunnels);
    ltcp_relays_detach(&net->relays);
    if (net->network != NULL) ltcp_network_destroy(net->network);
    net->network = NULL;
    if (net->view != NULL) net->view->packet = NULL;
    for (uint32_t i = 0; i < net->node_count; i++)
        if (net->nodes[i].host != NULL) ltcp_host_destroy(net->nodes[i].host);
    if (net->trace != NULL) ltcp_trace_destroy(net->trace);
    net->trace = NULL;
    if (net->pool != NULL) ltcp_pool_destroy(net->pool);
    net->pool = NULL;
    bind_resize(net, net->nodes, net->node_room * sizeof *net->nodes, 0);
    bind_resize(net, net->links, net->link_room * sizeof *net->links, 0);
    bind_resize(net, net->forgotten, net->forgotten_room * sizeof *net->forgotten, 0);
    bind_resize(net, net->scratch, net->scratch != NULL ? BIND_SCRATCH : 0, 0);
    net->nodes = NULL;
    net->links = NULL;
    net->forgotten = NULL;
    net->scratch = NULL;
    net->node_count = net->node_room = net->link_count = net->link_room = 0;
    net->forgotten_count = net->forgotten_room = net->owned = 0;
}

/* Builds what the core needs; false: no memory, and network_destroy is to be called. */
static bool network_build(struct bind_network *net, ltcp_time start, uint32_t events,
                          uint32_t packets)
{
    const struct ltcp_allocator allocator = {resize_by_lua, net};
    net->pool = ltcp_pool_create(&allocator);
    if (net->pool == NULL) return false;
    net->trace = ltcp_trace_create(&allocator, events, packets);
    if (net->trace == NULL) return false;
    net->scratch = bind_resize(net, NULL, 0, BIND_SCRATCH);
    if (net->scratch == NULL) return false;
    const struct ltcp_network_config config = {
        .pool = net->pool, .trace = net->trace, .seed = net->seed, .start = start};
    net->network = ltcp_network_create(&config);
    return net->network != NULL;
}

static int network_new(lua_State *L)
{
    static const char *const known[] = {"seed",         "start",         "start_ns",
                                        "trace_events", "trace_packets", NULL};
    struct bind_options o;
    bind_options_open(&o, L, 1, 1, "", known, 0);
    lua_Integer seed = bind_option_integer(&o, "seed", 0, LUA_MININTEGER, LUA_MAXINTEGER);
    ltcp_time start = bind_option_time(&o, "start", 0, 0, INT64_MAX / 2);
    start = bind_option_integer(&o, "start_ns", start, 0, INT64_MAX / 2);
    const lua_Integer most = 1 << 24;
    uint32_t events = (uint32_t)bind_option_integer(&o, "trace_events", 4096, 0, most);
    uint32_t packets = (uint32_t)bind_option_integer(&o, "trace_packets", 4096, 0, most);

    struct bind_network *net = lua_newuserdatauv(L, sizeof *net, BIND_NETWORK_VALUES);
    *net = (struct bind_network){.seed = (uint64_t)seed};
    bind_congestion_attach(L, net);
    net->allocate = lua_getallocf(L, &net->allocate_context);
    luaL_setmetatable(L, BIND_NETWORK);
    for (int i = BIND_NETWORK_NODES; i <= BIND_NETWORK_CAPTURES; i++) {
        if (i == BIND_NETWORK_HOOK || i == BIND_NETWORK_VIEW) continue;
        lua_newtable(L);
        lua_setiuservalue(L, -2, i);
    }
    net->view = bind_new_view(L);
    lua_setiuservalue(L, -2, BIND_NETWORK_VIEW);
    if (!network_build(net, start, events, packets)) {
        network_destroy(net);
        return luaL_error(L, "not enough memory");
    }
    return 1;
}

static int network_close(lua_State *L)
{
    struct bind_network *net = luaL_checkudata(L, 1, BIND_NETWORK);
    if (net->network == NULL) return 0;
    if (net->stepping) return luaL_error(L, "a network cannot be closed inside its own hook");
    bind_congestion_guard(L, net);
    network_destroy(net);
    return 0;
}

/* Nothing refers to it: no hook of it can be running. */
static int network_gc(lua_State *L)
{
    struct bind_network *net = luaL_checkudata(L, 1, BIND_NETWORK);
    if (net->network != NULL) network_destroy(net);
    return 0;
}

static int network_closed(lua_State *L)
{
    const struct bind_network *net = luaL_checkudata(L, 1, BIND_NETWORK);
    lua_pushboolean(L, net->network == NULL);
    return 1;
}

static int network_tostring(lua_State *L)
{
    const struct bind_network *net = luaL_checkudata(L, 1, BIND_NETWORK);
    if (net->network == NULL)
        lua_pushliteral(L, "network (closed)");
    else
        lua_pushfstring(L, "network (seed %I, %d nodes, %d links)", (LUAI_UACINT)net->seed,
                        (int)net->node_count, (int)net->link_count);
    return 1;
}

/* ---- what it knows -------------------------------------------------------------------------- */

static int network_now(lua_State *L)
{
    bind_push_time(L, ltcp_network_now(bind_check_network(L, 1)->network));
    return 1;
}

static int network_now_ns(lua_State *L)
{
    lua_pushinteger(L, ltcp_network_now(bind_check_network(L, 1)->network));
    return 1;
}

static int network_seed(lua_State *L)
{
    const struct bind_network *net = luaL_checkudata(L, 1, BIND_NETWORK);
    lua_pushinteger(L, (lua_Integer)net->seed);
    return 1;
}

static int network_memory(lua_State *L)
{
    struct ltcp_pool_usage usage = ltcp_pool_usage(bind_check_network(L, 1)->pool);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)usage.packets_live);
    lua_setfield(L, -2, "packets");
    lua_pushinteger(L, (lua_Integer)usage.blocks_live);
    lua_setfield(L, -2, "blocks");
    lua_pushinteger(L, (lua_Integer)usage.bytes_held);
    lua_setfield(L, -2, "bytes");
    return 1;
}

static int network_check(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    const char *broken = NULL;
    for (uint32_t i = 0; i < net->node_count && broken == NULL; i++)
        if (net->nodes[i].host != NULL) broken = ltcp_host_check(net->nodes[i].host);
    lua_pushstring(L, broken);
    return 1;
}

/* Of everything that can matter for what happens from now on. */
static int network_digest(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)ltcp_network_digest(bind_check_network(L, 1)->network));
    return 1;
}

static int network_random(lua_State *L)
{
    const struct bind_network *net = luaL_checkudata(L, 1, BIND_NETWORK);
    return bind_new_random(L, net->seed, luaL_checkstring(L, 2));
}

/* ---- nodes ---------------------------------------------------------------------------------- */

/* Room for one more node's record; raises. */
static void reserve_node(lua_State *L, struct bind_network *net)
{
    void *nodes = net->nodes;
    bool good = bind_reserve(net, &nodes, net->node_count, &net->node_room, sizeof *net->nodes);
    net->nodes = nodes;
    if (!good) luaL_error(L, "not enough memory");
}

/* The secret of a host comes from the network's seed. */
static struct ltcp_siphash_key host_secret(const struct bind_network *net, uint32_t node)
{
    uint64_t stream = ltcp_random_stream("host secret");
    return (struct ltcp_siphash_key){ltcp_random_at(net->seed, stream, 2 * (uint64_t)node),
                                     ltcp_random_at(net->seed, stream, 2 * (uint64_t)node + 1)};
}

static int network_host(lua_State *L)
{
    static const char *const known[] = {"profile", "settings", NULL};
    struct bind_network *net = bind_check_network(L, 1);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    const char *name = bind_option_string(&o, "profile", NULL);
    const struct ltcp_settings *profile = ltcp_profile(name != NULL ? name : "rfc");
    if (profile == NULL)
        return bind_option_error(&o, "profile", "unknown profile '%s'; known: rfc, linux", name);
    struct ltcp_settings settings = *profile;
    bind_option_push(&o, "settings");
    bind_read_settings(L, -1, 2, "settings", &settings);

    reserve_node(L, net);
    uint32_t id = net->node_count;
    const struct ltcp_host_config config = {.pool = net->pool,
                                            .settings = &settings,
                                            .secret = host_secret(net, id),
                                            .trace = net->trace,
                                            .id = id};
    struct ltcp_host *host = ltcp_host_create(&config);
    enum ltcp_status status = LTCP_ERR_NO_MEMORY;
    if (host != NULL) ltcp_host_set_crypto(host, ltcp_crypto());
    if (host != NULL) status = ltcp_network_add_host(net->network, host, &id);
    if (status != LTCP_OK) {
        if (host != NULL) ltcp_host_destroy(host);
        return bind_failure(L, status);
    }
    net->nodes[net->node_count++] = (struct bind_node_record){BIND_NODE_HOST, host};
    bind_push_node(L, 1, id);
    return 1;
}

static int add_plain_node(lua_State *L, enum bind_node_kind kind)
{
    struct bind_network *net = bind_check_network(L, 1);
    reserve_node(L, net);
    uint32_t id = 0;
    enum ltcp_status status = kind == BIND_NODE_ROUTER ? ltcp_network_add_router(net->network, &id)
                                                       : ltcp_network_add_peer(net->network, &id);
    if (status != LTCP_OK) return bind_failure(L, status);
    net->nodes[net->node_count++] = (struct bind_node_record){kind, NULL};
    bind_push_node(L, 1, id);
    return 1;
}

static int network_router(lua_State *L)
{
    return add_plain_node(L, BIND_NODE_ROUTER);
}

static int network_peer(lua_State *L)
{
    return add_plain_node(L, BIND_NODE_PEER);
}

static int network_node(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    lua_Integer id = luaL_checkinteger(L, 2);
    if (id < 0 || id >= net->node_count)
        lua_pushnil(L);
    else
        bind_push_node(L, 1, (uint32_t)id);
    return 1;
}

static int network_link_of(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    lua_Integer id = luaL_checkinteger(L, 2);
    if (id < 0 || id >= net->link_count)
        lua_pushnil(L);
    else
        bind_push_link(L, 1, (uint32_t)id);
    return 1;
}

static int network_route(lua_State *L)
{
    const struct bind_network *net = bind_check_network(L, 1);
    const struct bind_node *node = bind_check_node(L, 2);
    luaL_argcheck(L, node->net == net, 2, "node of another network");
    return bind_node_route(L, node, 3, 4);
}

/* Round robin, beginning with the host that spoke last. */
static int network_next_event(lua_State *L)
{
    struct bind_network *net = bind_check_network(L, 1);
    for (uint32_t i = 0; i < net->node_count; i++) {
        uint32_t id = (net->last_events + i) % net->node_count;
        if (net->nodes[id].host == NULL || !ltcp_host_has_events(net->nodes[id].host)) continue;
        net->last_events = id;
        bind_push_node(L, 1, id);
        int results = bind_next_event(L, lua_gettop(L));
        if (results > 0) return results;
        lua_settop(L, 1);
    }
    lua_pushnil(L);
    return 1;
}

/* ---- the forgotten -------------------------------------------------------------------------- */

static int by_node_and_handle(const void *a, const void *b)
{
    const struct bind_forgotten *x = a, *y = b;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    return x->handle < y->handle ? -1 : x->handle > y->handle;
}

static int network_collect(lua_State *L)
{
    struct bind_network *net = bind_check_network(L, 1);
    /* Twice: what only forgotten tasks referred to is found in the second round. */
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    size_t count = net->forgotten_count;
    if (count > 1) qsort(net->forgotten, count, sizeof *net->forgotten, by_node_and_handle);
    ltcp_time now = ltcp_network_now(net->network);
    for (size_t i = 0; i < count; i++) {
        const struct bind_forgotten *f = &net->forgotten[i];
        struct ltcp_host *host = net->nodes[f->node].host;
        if (f->abort) ltcp_abort(host, now, f->handle);
        ltcp_release(host, f->handle);
        ltcp_network_touch(net->network, f->node);
    }
    net->owned -= count;
    net->forgotten_count = 0;
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

void bind_open_network(lua_State *L)
{
    static const luaL_Reg methods[] = {{"now", network_now},
                                       {"now_ns", network_now_ns},
                                       {"seed", network_seed},
                                       {"memory", network_memory},
                                       {"check", network_check},
                                       {"digest", network_digest},
                                       {"random", network_random},
                                       {"host", network_host},
                                       {"router", network_router},
                                       {"peer", network_peer},
                                       {"node", network_node},
                                       {"link", bind_add_link},
                                       {"link_of", network_link_of},
                                       {"route", network_route},
                                       {"next_event", network_next_event},
                                       {"collect", network_collect},
                                       {"capture", bind_capture},
                                       {"close", network_close},
                                       {"closed", network_closed},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", network_gc},
                                    {"__close", network_close},
                                    {"__tostring", network_tostring},
                                    {NULL, NULL}};
    bind_class(L, BIND_NETWORK, methods, meta);
    luaL_getmetatable(L, BIND_NETWORK);
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, bind_trace_methods, 0);
    luaL_setfuncs(L, bind_step_methods, 0);
    lua_pop(L, 2);
    lua_pushcfunction(L, network_new);
    lua_setfield(L, -2, "network");
}
