/* bindings/node.c - hosts, routers and peers: three classes that share one struct. */
#include "binding.h"
#include "explore.h"

#include <string.h>

static const char *const class_names[] = {BIND_HOST, BIND_ROUTER, BIND_PEER};
static const char *const kind_names[] = {"host", "router", "peer"};

struct bind_node *bind_to_node(lua_State *L, int index)
{
    for (size_t i = 0; i < sizeof class_names / sizeof *class_names; i++) {
        struct bind_node *node = luaL_testudata(L, index, class_names[i]);
        if (node != NULL) return node;
    }
    return NULL;
}

struct bind_node *bind_check_node(lua_State *L, int index)
{
    struct bind_node *node = bind_to_node(L, index);
    if (node == NULL)
        luaL_typeerror(L, index, "host, router or peer");
    else
        bind_check_open(L, node->net);
    return node;
}

struct bind_node *bind_check_host(lua_State *L, int index)
{
    struct bind_node *node = luaL_checkudata(L, index, BIND_HOST);
    bind_check_open(L, node->net);
    return node;
}

void bind_push_node(lua_State *L, int network, uint32_t id)
{
    network = lua_absindex(L, network);
    struct bind_network *net = lua_touserdata(L, network);
    lua_getiuservalue(L, network, BIND_NETWORK_NODES);
    if (lua_rawgeti(L, -1, id) == LUA_TNIL) {
        lua_pop(L, 1);
        struct bind_node *node = lua_newuserdatauv(L, sizeof *node, BIND_NODE_VALUES);
        *node = (struct bind_node){.net = net, .id = id, .kind = net->nodes[id].kind};
        lua_pushvalue(L, network);
        lua_setiuservalue(L, -2, BIND_NODE_NETWORK);
        lua_newtable(L); /* handle -> object, weak */
        luaL_setmetatable(L, "lunatcp.weak");
        lua_setiuservalue(L, -2, BIND_NODE_OBJECTS);
        luaL_setmetatable(L, class_names[node->kind]);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, id);
    }
    lua_remove(L, -2);
}

/* ---- methods of all nodes ------------------------------------------------------------------- */

static struct bind_node *check_any(lua_State *L)
{
    struct bind_node *node = bind_to_node(L, 1);
    if (node == NULL) luaL_typeerror(L, 1, "host, router or peer");
    return node;
}

static int node_id(lua_State *L)
{
    lua_pushinteger(L, check_any(L)->id);
    return 1;
}

static int node_kind(lua_State *L)
{
    lua_pushstring(L, kind_names[check_any(L)->kind]);
    return 1;
}

static int node_network(lua_State *L)
{
    check_any(L);
    lua_getiuservalue(L, 1, BIND_NODE_NETWORK);
    return 1;
}

static int node_tostring(lua_State *L)
{
    const struct bind_node *node = check_any(L);
    lua_pushfstring(L, "%s %d", kind_names[node->kind], (int)node->id);
    return 1;
}

int bind_node_route(lua_State *L, const struct bind_node *node, int destination, int link)
{
    struct ltcp_address address;
    uint8_t length;
    bind_check_prefix(L, destination, &address, &length);
    const struct bind_link *l = bind_check_link(L, link);
    luaL_argcheck(L, l->net == node->net, link, "link of another network");
    return bind_result(
        L, ltcp_network_add_route(node->net->network, node->id, &address, length, l->id));
}

static int node_route(lua_State *L)
{
    return bind_node_route(L, bind_check_node(L, 1), 2, 3);
}

/* A script's own packet on a node's way out; its text may be gathered of segments of some size. */
static int node_send(lua_State *L)
{
    const struct bind_node *node = bind_check_node(L, 1);
    struct bind_network *net = node->net;
    size_t length;
    const char *bytes = luaL_checklstring(L, 2, &length);
    luaL_argcheck(L, length >= 1 && length <= 65535, 2, "a packet has 1 to 65535 octets");
    uint32_t link = bind_opt_link(L, 3, net);
    const lua_Integer gathered = luaL_optinteger(L, 4, 0);
    luaL_argcheck(L, gathered >= 0 && gathered <= 65535, 4, "segments have 0 to 65535 octets");
    struct ltcp_packet *packet = ltcp_packet_from_bytes(net->pool, bytes, length);
    if (packet == NULL) return bind_failure(L, LTCP_ERR_NO_MEMORY);
    packet->notes |= LTCP_NOTE_FORGED;
    packet->gathered_of = (uint16_t)gathered;
    packet->time = ltcp_network_now(net->network);
    enum ltcp_status status = ltcp_network_send(net->network, node->id, link, packet);
    ltcp_packet_unref(packet);
    return bind_result(L, status);
}

static int peer_receive(lua_State *L)
{
    const struct bind_node *node = luaL_checkudata(L, 1, BIND_PEER);
    struct bind_network *net = node->net;
    bind_check_open(L, net);
    struct ltcp_packet *packet = ltcp_network_peer_receive(net->network, node->id);
    if (packet == NULL) {
        lua_pushnil(L);
        return 1;
    }
    size_t length = ltcp_packet_bytes(packet, net->scratch, BIND_SCRATCH);
    ltcp_time time = packet->time;
    ltcp_packet_unref(packet); /* before Lua may raise */
    bind_explore_saw(net, BIND_SAW_PACKET, net->scratch, length);
    lua_pushlstring(L, (const char *)net->scratch, length);
    bind_push_time(L, time);
    return 2;
}

/* ---- hosts ---------------------------------------------------------------------------------- */

static int host_addresses(lua_State *L)
{
    const struct bind_node *node = bind_check_host(L, 1);
    struct ltcp_address address;
    uint32_t interface_number;
    lua_newtable(L);
    for (size_t i = 0; ltcp_host_address(bind_host_of(node), i, &address, &interface_number); i++) {
        bind_push_address(L, &address);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int host_add_address(lua_State *L)
{
    const struct bind_node *node = bind_check_host(L, 1);
    struct ltcp_address address;
    uint8_t length;
    bind_check_prefix(L, 2, &address, &length);
    const struct bind_link *link = bind_check_link(L, 3);
    luaL_argcheck(L, link->net == node->net, 3, "link of another network");
    uint32_t number = ltcp_network_interface(node->net->network, node->id, link->id);
    luaL_argcheck(L, number != LTCP_NOWHERE, 3, "the host is not on this link");
    return bind_result(L, ltcp_host_add_address(bind_host_of(node), number, &address, length));
}

static int host_settings(lua_State *L)
{
    bind_push_settings(L, ltcp_host_settings(bind_host_of(bind_check_host(L, 1))));
    return 1;
}

static int host_set_settings(lua_State *L)
{
    struct ltcp_host *host = bind_host_of(bind_check_host(L, 1));
    struct ltcp_settings settings = *ltcp_host_settings(host);
    luaL_checktype(L, 2, LUA_TTABLE);
    bind_read_settings(L, 2, 2, "", &settings);
    return bind_result(L, ltcp_host_set_settings(host, &settings));
}

static int host_counters(lua_State *L)
{
    const struct ltcp_host_counters *c = ltcp_host_counters(bind_host_of(bind_check_host(L, 1)));
    const struct {
        const char *name;
        uint64_t value;
    } list[] = {{"packets_received", c->packets_received},
                {"packets_sent", c->packets_sent},
                {"resets_sent", c->resets_sent},
                {"listen_overflows", c->listen_overflows},
                {"icmp_ignored", c->icmp_ignored},
                {"syn_cookies_sent", c->syn_cookies_sent},
                {"syn_cookies_accepted", c->syn_cookies_accepted},
                {"syn_cookies_refused", c->syn_cookies_refused},
                {"fast_open_requests", c->fast_open_requests},
                {"fast_open_accepted", c->fast_open_accepted},
                {"fast_open_refusals", c->fast_open_refusals},
                {"fast_open_old_keys", c->fast_open_old_keys},
                {"fast_open_overflows", c->fast_open_overflows},
                {"fast_open_ignored", c->fast_open_ignored},
                {"fragments_received", c->fragments_received},
                {"datagrams_reassembled", c->datagrams_reassembled},
                {"fragments_timed_out", c->fragments_timed_out},
                {"fragments_evicted", c->fragments_evicted},
                {"fragments_overlapping", c->fragments_overlapping},
                {"fragments_oversized", c->fragments_oversized},
                {"fragments_malformed", c->fragments_malformed},
                {"memory", c->memory},
                {"memory_pressures", c->memory_pressures},
                {"memory_windows_held", c->memory_windows_held},
                {"memory_pruned", c->memory_pruned},
                {"memory_dropped", c->memory_dropped},
                {"memory_refused", c->memory_refused},
                {"memory_orphans_ended", c->memory_orphans_ended},
                {"connections", c->connections},
                {"listeners", c->listeners},
                {"time_waits", c->time_waits},
                {"time_wait_records", c->time_wait_records},
                {"time_waits_cut", c->time_waits_cut},
                {"orphans", c->orphans},
                {"orphans_cut", c->orphans_cut},
                {"options_malformed", c->options_malformed},
                {"options_misplaced", c->options_misplaced},
                {"options_repeated", c->options_repeated},
                {"options_invalid", c->options_invalid},
                {"paths_shared", c->paths_shared},
                {"device_dropped", c->device_dropped},
                {"accepts_deferred", c->accepts_deferred}};
    lua_createtable(L, 0, 37);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        lua_pushinteger(L, (lua_Integer)list[i].value);
        lua_setfield(L, -2, list[i].name);
    }
    lua_newtable(L);
    for (int i = 0; i < LTCP_STATUS_COUNT; i++) {
        if (c->refused[i] == 0) continue;
        lua_pushinteger(L, (lua_Integer)c->refused[i]);
        lua_setfield(L, -2, ltcp_status_name((enum ltcp_status)i));
    }
    lua_setfield(L, -2, "refused");
    bind_set_authentication_counters(L, bind_host_of(lua_touserdata(L, 1)));
    return 1;
}

/* A handle that no object stands for: one that waits for accept, or that was forgotten. */
static bool is_listener(const struct ltcp_host *host, const struct ltcp_event *event)
{
    if ((event->bits & LTCP_EVENT_ACCEPT) != 0) return true;
    struct ltcp_info info;
    return ltcp_info(host, event->handle, &info) == LTCP_OK && info.state == LTCP_LISTEN;
}

int bind_next_event(lua_State *L, int host)
{
    const struct bind_node *node = lua_touserdata(L, host);
    struct ltcp_event event;
    if (!ltcp_host_next_event(bind_host_of(node), &event)) return 0;
    if (bind_find_connection(L, host, event.handle) == NULL)
        bind_push_connection(L, host, event.handle, is_listener(bind_host_of(node), &event));
    lua_pushinteger(L, event.bits);
    if (event.status == LTCP_OK) return 2;
    lua_pushstring(L, ltcp_status_code(event.status));
    lua_pushstring(L, ltcp_status_message(event.status));
    return 4;
}

static int host_next_event(lua_State *L)
{
    bind_check_host(L, 1);
    int results = bind_next_event(L, 1);
    if (results > 0) return results;
    lua_pushnil(L);
    return 1;
}

static int host_has_events(lua_State *L)
{
    lua_pushboolean(L, ltcp_host_has_events(bind_host_of(bind_check_host(L, 1))));
    return 1;
}

void bind_open_nodes(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", node_tostring}, {NULL, NULL}};
    static const luaL_Reg router[] = {{"id", node_id},
                                      {"kind", node_kind},
                                      {"network", node_network},
                                      {"route", node_route},
                                      {NULL, NULL}};
    static const luaL_Reg peer[] = {
        {"id", node_id},       {"kind", node_kind}, {"network", node_network},
        {"route", node_route}, {"send", node_send}, {"receive", peer_receive},
        {NULL, NULL}};
    static const luaL_Reg host[] = {{"id", node_id},
                                    {"kind", node_kind},
                                    {"network", node_network},
                                    {"route", node_route},
                                    {"send", node_send},
                                    {"addresses", host_addresses},
                                    {"add_address", host_add_address},
                                    {"settings", host_settings},
                                    {"set_settings", host_set_settings},
                                    {"counters", host_counters},
                                    {"fast_open_keys", bind_fast_open_keys},
                                    {"fast_open_rotate", bind_fast_open_rotate},
                                    {"fast_open_flush", bind_fast_open_flush},
                                    {"fast_open_known", bind_fast_open_known},
                                    {"path_mtu", bind_path_mtu},
                                    {"path_mtu_flush", bind_path_mtu_flush},
                                    {"connect", bind_connect},
                                    {"listen", bind_listen},
                                    {"sockets", bind_sockets},
                                    {"md5_key", bind_md5_key},
                                    {"remove_md5_key", bind_remove_md5_key},
                                    {"ao_key", bind_ao_key},
                                    {"remove_ao_key", bind_remove_ao_key},
                                    {"keys", bind_keys},
                                    {"ao_restore", bind_ao_restore},
                                    {"next_event", host_next_event},
                                    {"has_events", host_has_events},
                                    {NULL, NULL}};
    bind_class(L, BIND_ROUTER, router, meta);
    bind_class(L, BIND_PEER, peer, meta);
    bind_class(L, BIND_HOST, host, meta);
    luaL_newmetatable(L, "lunatcp.weak");
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_pop(L, 1);
}
