/* bindings/link.c - links, and the configuration of their two directions as tables. */
#include "binding.h"

#include <string.h>

/* ---- a path's table ------------------------------------------------------------------------- */

static const char *const path_keys[] = {
    "delay",        "jitter",  "jitter_reorders",  "rate", "opportunities", "queue",
    "mtu",          "loss",    "loss_after_queue", "mark", "duplicate",     "corrupt",
    "corrupt_bits", "reorder", "reorder_delay",    "seed", "stream",        NULL};

#define LONGEST (24 * 3600 * LTCP_SECOND) /* delay on a link: a day */

/* An array of integers becomes a C array in a userdata that stays on the stack. */
static void *read_array(const struct bind_options *o, const char *key, size_t size, size_t *count,
                        lua_Integer most, bool strictly)
{
    lua_State *L = o->L; /* the table is on top */
    if (!lua_istable(L, -1))
        bind_option_error(o, key, "array of integers expected, got %s", luaL_typename(L, -1));
    lua_Integer n = luaL_len(L, -1), last = strictly ? 0 : -1;
    if (n < 0 || n > 1 << 24) bind_option_error(o, key, "array is too long");
    void *array = lua_newuserdatauv(L, n > 0 ? (size_t)n * size : 1, 0);
    lua_insert(L, -2);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, -1, i);
        lua_Integer value = bind_value_integer(o, key, strictly ? 1 : 0, most);
        if (value < last || (strictly && value == last))
            bind_option_error(o, key, "ascending integers expected");
        last = value;
        if (size == sizeof(uint32_t))
            ((uint32_t *)array)[i - 1] = (uint32_t)value;
        else
            ((uint64_t *)array)[i - 1] = (uint64_t)value;
        lua_pop(L, 1);
    }
    *count = (size_t)n;
    return array;
}

static void read_gilbert(const struct bind_options *l, struct ltcp_path_config *path)
{
    static const char *const needed[] = {"to_bad", "to_good"};
    const char *model = bind_option_string(l, "model", NULL);
    if (model == NULL || strcmp(model, "gilbert") != 0)
        bind_option_error(l, "model", "'gilbert' expected");
    for (size_t i = 0; i < 2; i++)
        if (!bind_option_present(l, needed[i]))
            bind_option_error(l, needed[i], "expected, got nil");
    path->loss_model = LTCP_LOSS_GILBERT;
    path->gilbert_bad = bind_option_chance(l, "to_bad", 0);
    path->gilbert_good = bind_option_chance(l, "to_good", 0);
    path->gilbert_loss_good = bind_option_chance(l, "loss_good", 0);
    path->gilbert_loss_bad = bind_option_chance(l, "loss_bad", LTCP_CERTAIN);
}

/* What the arrays are made of stays on the stack. */
static void read_loss_table(const struct bind_options *o, struct ltcp_path_config *path)
{
    static const char *const known[] = {"model",    "to_bad", "to_good", "loss_good",
                                        "loss_bad", "list",   "pattern", NULL};
    lua_State *L = o->L;
    struct bind_options l;
    bind_options_open(&l, L, -1, o->arg, "loss", known, 0);
    if (bind_option_push(&l, "list") != LUA_TNIL) {
        path->loss_list =
            read_array(&l, "list", sizeof(uint64_t), &path->loss_count, LUA_MAXINTEGER, true);
        path->loss_model = LTCP_LOSS_LIST;
        return;
    }
    size_t n = 0;
    const char *pattern = bind_option_string(&l, "pattern", &n);
    if (pattern == NULL) {
        read_gilbert(&l, path);
        return;
    }
    if (n == 0 || strspn(pattern, "01") != n)
        bind_option_error(&l, "pattern", "a string of 0 and 1 expected");
    uint8_t *octets = lua_newuserdatauv(L, n, 0);
    for (size_t i = 0; i < n; i++)
        octets[i] = pattern[i] == '1';
    path->loss_pattern = octets;
    path->loss_count = n;
    path->loss_model = LTCP_LOSS_PERIODIC;
}

static void read_loss(const struct bind_options *o, struct ltcp_path_config *path)
{
    lua_State *L = o->L;
    int type = bind_option_push(o, "loss");
    if (type == LUA_TNIL) return;
    path->loss_list = NULL;
    path->loss_pattern = NULL;
    path->loss_count = 0;
    if (type == LUA_TTABLE) {
        read_loss_table(o, path);
    } else if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
        path->loss_model = LTCP_LOSS_NONE;
    } else {
        path->loss = bind_value_chance(o, "loss");
        path->loss_model = path->loss > 0 ? LTCP_LOSS_BERNOULLI : LTCP_LOSS_NONE;
    }
}

static void read_opportunities(const struct bind_options *o, struct ltcp_path_config *path)
{
    lua_State *L = o->L;
    int type = bind_option_push(o, "opportunities");
    if (type == LUA_TNIL) return;
    path->opportunities = NULL;
    path->opportunity_count = 0;
    if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) return;
    path->opportunities = read_array(o, "opportunities", sizeof(uint32_t), &path->opportunity_count,
                                     UINT32_MAX, false);
    if (path->opportunity_count == 0 || path->opportunities[path->opportunity_count - 1] == 0)
        bind_option_error(o, "opportunities", "milliseconds that end above 0 expected");
}

static void read_streams(const struct bind_options *o, struct ltcp_path_config *path)
{
    path->seed = (uint64_t)bind_option_integer(o, "seed", (lua_Integer)path->seed, LUA_MININTEGER,
                                               LUA_MAXINTEGER);
    if (bind_option_push(o, "stream") == LUA_TSTRING)
        path->stream = ltcp_random_stream(lua_tostring(o->L, -1));
    else if (!lua_isnil(o->L, -1))
        path->stream = (uint64_t)bind_value_integer(o, "stream", LUA_MININTEGER, LUA_MAXINTEGER);
    lua_pop(o->L, 1);
}

void bind_read_path(lua_State *L, int index, int arg, const char *where,
                    struct ltcp_path_config *path)
{
    struct bind_options o;
    bind_options_open(&o, L, index, arg, where, path_keys, 0);
    luaL_checkstack(L, 20, NULL);
    path->delay = bind_option_time(&o, "delay", path->delay, 0, LONGEST);
    path->jitter = bind_option_time(&o, "jitter", path->jitter, 0, LONGEST);
    path->jitter_reorders = bind_option_flag(&o, "jitter_reorders", path->jitter_reorders);
    path->rate = (uint64_t)bind_option_rounded(&o, "rate", (lua_Integer)path->rate, 0,
                                               INT64_C(1000000000000000));
    path->mtu = (uint32_t)bind_option_integer(&o, "mtu", path->mtu, 0, 65535);
    path->loss_after_queue = bind_option_flag(&o, "loss_after_queue", path->loss_after_queue);
    path->mark = bind_option_chance(&o, "mark", path->mark);
    path->duplicate = bind_option_chance(&o, "duplicate", path->duplicate);
    path->corrupt = bind_option_chance(&o, "corrupt", path->corrupt);
    path->corrupt_bits =
        (uint32_t)bind_option_integer(&o, "corrupt_bits", path->corrupt_bits, 0, 1 << 19);
    path->reorder = bind_option_chance(&o, "reorder", path->reorder);
    path->reorder_delay = bind_option_time(&o, "reorder_delay", path->reorder_delay, 0, LONGEST);
    bind_read_queue(&o, path);
    read_streams(&o, path);
    read_loss(&o, path);
    read_opportunities(&o, path);
}

static void set_time(lua_State *L, const char *name, ltcp_time value)
{
    bind_push_time(L, value);
    lua_setfield(L, -2, name);
}

static void set_chance(lua_State *L, const char *name, uint64_t value)
{
    lua_pushnumber(L, (lua_Number)value / (lua_Number)LTCP_CERTAIN);
    lua_setfield(L, -2, name);
}

static void push_loss(lua_State *L, const struct ltcp_path_config *path)
{
    if (path->loss_model == LTCP_LOSS_NONE || path->loss_model == LTCP_LOSS_BERNOULLI) {
        uint64_t loss = path->loss_model == LTCP_LOSS_NONE ? 0 : path->loss;
        lua_pushnumber(L, (lua_Number)loss / (lua_Number)LTCP_CERTAIN);
        return;
    }
    lua_newtable(L);
    if (path->loss_model == LTCP_LOSS_GILBERT) {
        lua_pushliteral(L, "gilbert");
        lua_setfield(L, -2, "model");
        set_chance(L, "to_bad", path->gilbert_bad);
        set_chance(L, "to_good", path->gilbert_good);
        set_chance(L, "loss_good", path->gilbert_loss_good);
        set_chance(L, "loss_bad", path->gilbert_loss_bad);
    } else if (path->loss_model == LTCP_LOSS_LIST) {
        lua_newtable(L);
        for (size_t i = 0; i < path->loss_count; i++) {
            lua_pushinteger(L, (lua_Integer)path->loss_list[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "list");
    } else {
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        for (size_t i = 0; i < path->loss_count; i++)
            luaL_addchar(&b, path->loss_pattern[i] != 0 ? '1' : '0');
        luaL_pushresult(&b);
        lua_setfield(L, -2, "pattern");
    }
}

void bind_push_path(lua_State *L, const struct ltcp_path_config *path)
{
    lua_createtable(L, 0, 20);
    set_time(L, "delay", path->delay);
    set_time(L, "jitter", path->jitter);
    bind_set_flag(L, "jitter_reorders", path->jitter_reorders);
    bind_set_number(L, "rate", path->rate);
    if (path->opportunities != NULL) {
        lua_newtable(L);
        for (size_t i = 0; i < path->opportunity_count; i++) {
            lua_pushinteger(L, path->opportunities[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_setfield(L, -2, "opportunities");
    } else {
        bind_set_flag(L, "opportunities", false);
    }
    bind_push_queue(L, path);
    lua_setfield(L, -2, "queue");
    bind_set_number(L, "mtu", path->mtu);
    push_loss(L, path);
    lua_setfield(L, -2, "loss");
    bind_set_flag(L, "loss_after_queue", path->loss_after_queue);
    set_chance(L, "mark", path->mark);
    set_chance(L, "duplicate", path->duplicate);
    set_chance(L, "corrupt", path->corrupt);
    bind_set_number(L, "corrupt_bits", path->corrupt_bits);
    set_chance(L, "reorder", path->reorder);
    set_time(L, "reorder_delay", path->reorder_delay);
    bind_set_number(L, "seed", path->seed);
    bind_set_number(L, "stream", path->stream);
}

/* ---- objects -------------------------------------------------------------------------------- */

struct bind_link *bind_check_link(lua_State *L, int index)
{
    struct bind_link *link = luaL_checkudata(L, index, BIND_LINK);
    bind_check_open(L, link->net);
    return link;
}

uint32_t bind_opt_link(lua_State *L, int arg, const struct bind_network *net)
{
    if (lua_isnoneornil(L, arg)) return LTCP_NOWHERE;
    const struct bind_link *link = bind_check_link(L, arg);
    luaL_argcheck(L, link->net == net, arg, "link of another network");
    return link->id;
}

void bind_push_link(lua_State *L, int network, uint32_t id)
{
    network = lua_absindex(L, network);
    lua_getiuservalue(L, network, BIND_NETWORK_LINKS);
    if (lua_rawgeti(L, -1, id) == LUA_TNIL) {
        lua_pop(L, 1);
        struct bind_link *link = lua_newuserdatauv(L, sizeof *link, 1);
        *link = (struct bind_link){lua_touserdata(L, network), id};
        lua_pushvalue(L, network);
        lua_setiuservalue(L, -2, 1);
        luaL_setmetatable(L, BIND_LINK);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, id);
    }
    lua_remove(L, -2);
}

/* The table of one end is on top. What it points to stays on the stack. */
static void read_end(lua_State *L, const struct bind_network *net, struct ltcp_link_end *end,
                     const char *where)
{
    static const char *const known[] = {"node", "addresses", "path", NULL};
    struct bind_options o;
    bind_options_open(&o, L, -1, 2, where, known, 0);
    luaL_checkstack(L, 20, NULL);
    end->node = LTCP_NOWHERE;
    if (bind_option_push(&o, "node") != LUA_TNIL) {
        const struct bind_node *node = bind_to_node(L, -1);
        if (node == NULL)
            bind_option_error(&o, "node", "host, router or peer expected, got %s",
                              luaL_typename(L, -1));
        if (node->net != net) bind_option_error(&o, "node", "node of another network");
        end->node = node->id;
    }
    lua_pop(L, 1);
    int type = bind_option_push(&o, "addresses");
    if (type != LUA_TNIL && type != LUA_TTABLE)
        bind_option_error(&o, "addresses", "array of addresses expected, got %s",
                          lua_typename(L, type));
    lua_Integer n = type == LUA_TTABLE ? luaL_len(L, -1) : 0;
    if (n > 2) bind_option_error(&o, "addresses", "at most 2 addresses");
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, -1, i + 1);
        bind_value_prefix(&o, "addresses", &end->addresses[i], &end->prefix_lengths[i]);
        lua_pop(L, 1);
    }
    end->address_count = (uint8_t)n;
    bind_option_push(&o, "path");
    lua_pushfstring(L, "%s.path", where);
    bind_read_path(L, -2, 2, lua_tostring(L, -1), &end->path);
}

int bind_add_link(lua_State *L)
{
    static const char *const known[] = {"mtu", "tunnel", "name", NULL};
    struct bind_network *net = bind_check_network(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 2);
    struct ltcp_link_config config = {0};
    config.mtu = (uint32_t)bind_option_integer(&o, "mtu", 0, 68, 65535);
    config.tunnel = bind_option_flag(&o, "tunnel", false);
    const char *name = bind_option_string(&o, "name", NULL);
    if (bind_option_push_index(&o, 1) != LUA_TTABLE)
        return bind_option_error(&o, "[1]", "table of the first end expected");
    read_end(L, net, &config.end[0], "end 1");
    if (bind_option_push_index(&o, 2) != LUA_TTABLE)
        return bind_option_error(&o, "[2]", "table of the second end expected");
    read_end(L, net, &config.end[1], "end 2");

    void *links = net->links;
    bool room = bind_reserve(net, &links, net->link_count, &net->link_room, sizeof *net->links);
    net->links = links;
    if (!room) return bind_failure(L, LTCP_ERR_NO_MEMORY);
    const char *text = name != NULL ? name : lua_pushfstring(L, "link%d", (int)net->link_count);
    uint32_t id = LTCP_NOWHERE;
    enum ltcp_status status = ltcp_network_add_link(net->network, &config, &id);
    if (id != LTCP_NOWHERE) { /* a link that failed half-way has a number, too */
        struct bind_link_record *record = &net->links[net->link_count++];
        *record = (struct bind_link_record){.node = {config.end[0].node, config.end[1].node},
                                            .tunnel = config.tunnel};
        strncpy(record->name, text, sizeof record->name - 1);
    }
    if (status != LTCP_OK) return bind_failure(L, status);
    bind_push_link(L, 1, id);
    return 1;
}

/* ---- methods -------------------------------------------------------------------------------- */

static int link_id(lua_State *L)
{
    const struct bind_link *link = luaL_checkudata(L, 1, BIND_LINK);
    lua_pushinteger(L, link->id);
    return 1;
}

static int link_network(lua_State *L)
{
    luaL_checkudata(L, 1, BIND_LINK);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int link_name(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    lua_pushstring(L, link->net->links[link->id].name);
    return 1;
}

static int link_node(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    lua_Integer which = luaL_checkinteger(L, 2);
    luaL_argcheck(L, which == 1 || which == 2, 2, "an end is 1 or 2");
    uint32_t node = link->net->links[link->id].node[which - 1];
    lua_getiuservalue(L, 1, 1);
    if (node == LTCP_NOWHERE)
        lua_pushnil(L);
    else
        bind_push_node(L, -1, node);
    return 1;
}

static int link_configure(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    unsigned direction = bind_check_direction(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct ltcp_path *path = ltcp_network_path(link->net->network, link->id, direction);
    struct ltcp_path_config config = *ltcp_path_configuration(path);
    bind_read_path(L, 3, 3, "", &config);
    return bind_result(L, ltcp_path_configure(path, &config));
}

static int link_configuration(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    unsigned direction = bind_check_direction(L, 2);
    struct ltcp_path *path = ltcp_network_path(link->net->network, link->id, direction);
    bind_push_path(L, ltcp_path_configuration(path));
    return 1;
}

static int link_set_up(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    bool up = lua_toboolean(L, 2);
    unsigned only = lua_isnoneornil(L, 3) ? 2 : bind_check_direction(L, 3);
    for (unsigned i = 0; i < 2; i++)
        if (only == 2 || only == i)
            ltcp_path_set_up(ltcp_network_path(link->net->network, link->id, i), up);
    return 0;
}

static int link_set_mtu(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    lua_Integer mtu = luaL_checkinteger(L, 2);
    luaL_argcheck(L, mtu >= 68 && mtu <= 65535, 2, "an MTU is 68 to 65535 octets");
    return bind_result(L, ltcp_network_set_mtu(link->net->network, link->id, (uint32_t)mtu));
}

/* Takes the addresses and routes of its hosts on this link back: nothing was ever to use it. */
static int link_withdraw(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    const struct bind_link_record *record = &link->net->links[link->id];
    for (unsigned i = 0; i < 2; i++) {
        if (record->node[i] == LTCP_NOWHERE) continue;
        struct ltcp_host *host = link->net->nodes[record->node[i]].host;
        uint32_t interface = ltcp_network_interface(link->net->network, record->node[i], link->id);
        if (host != NULL && interface != LTCP_NOWHERE) ltcp_host_withdraw(host, interface);
    }
    return 0;
}

static int link_counters(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    unsigned direction = bind_check_direction(L, 2);
    const struct ltcp_path *path = ltcp_network_path(link->net->network, link->id, direction);
    const struct ltcp_path_counters *c = ltcp_path_counters(path);
    lua_createtable(L, 0, 14);
    bind_set_number(L, "packets", c->packets);
    bind_set_number(L, "bytes", c->bytes);
    bind_set_number(L, "delivered", c->delivered);
    bind_set_number(L, "delivered_bytes", c->delivered_bytes);
    bind_set_number(L, "duplicated", c->duplicated);
    bind_set_number(L, "corrupted", c->corrupted);
    bind_set_number(L, "delayed", c->delayed);
    bind_set_number(L, "marked", c->marked);
    bind_set_number(L, "queued_packets", c->queued_packets);
    bind_set_number(L, "queued_bytes", c->queued_bytes);
    bind_set_number(L, "greatest_queue_packets", c->greatest_queue_packets);
    bind_set_number(L, "greatest_queue_bytes", c->greatest_queue_bytes);
    lua_createtable(L, 0, LTCP_DROP_COUNT);
    for (int i = LTCP_DROP_NONE + 1; i < LTCP_DROP_COUNT; i++)
        bind_set_number(L, ltcp_drop_name((enum ltcp_drop)i), c->dropped[i]);
    lua_setfield(L, -2, "dropped");
    bind_push_queue_counters(L, path, ltcp_network_now(link->net->network));
    lua_setfield(L, -2, "queue");
    return 1;
}

static int link_inject(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    unsigned direction = bind_check_direction(L, 2);
    size_t length;
    const char *bytes = luaL_checklstring(L, 3, &length);
    luaL_argcheck(L, length >= 1 && length <= 65535, 3, "a packet has 1 to 65535 octets");
    struct ltcp_packet *packet = ltcp_packet_from_bytes(link->net->pool, bytes, length);
    if (packet == NULL) return bind_failure(L, LTCP_ERR_NO_MEMORY);
    packet->notes |= LTCP_NOTE_FORGED;
    packet->time = ltcp_network_now(link->net->network);
    enum ltcp_status status = ltcp_network_inject(link->net->network, link->id, direction, packet);
    ltcp_packet_unref(packet);
    return bind_result(L, status);
}

static int link_tostring(lua_State *L)
{
    const struct bind_link *link = luaL_checkudata(L, 1, BIND_LINK);
    if (link->net->network == NULL)
        lua_pushfstring(L, "link %d (closed)", (int)link->id);
    else
        lua_pushfstring(L, "link %d (%s)", (int)link->id, link->net->links[link->id].name);
    return 1;
}

void bind_open_link(lua_State *L)
{
    static const luaL_Reg methods[] = {{"id", link_id},
                                       {"network", link_network},
                                       {"name", link_name},
                                       {"node", link_node},
                                       {"configure", link_configure},
                                       {"configuration", link_configuration},
                                       {"set_up", link_set_up},
                                       {"set_mtu", link_set_mtu},
                                       {"withdraw", link_withdraw},
                                       {"counters", link_counters},
                                       {"inject", link_inject},
                                       {"rule", bind_link_rule},
                                       {"remove_rule", bind_link_remove_rule},
                                       {"rule_counts", bind_link_rule_counts},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", link_tostring}, {NULL, NULL}};
    bind_class(L, BIND_LINK, methods, meta);
}
