/* bindings/rule.c - rules of a link: tables that the core evaluates, or a function that is asked.
 */
#include "binding.h"

#include <string.h>

#define LONGEST     (24 * 3600 * LTCP_SECOND) /* a day */
#define MOST_COPIES 1000
#define MOST_BITS   (1 << 19) /* of a packet of 65535 octets */

/* A count that may be said as `true`: one. */
static uint32_t read_count(const struct bind_options *o, const char *key, lua_Integer most)
{
    lua_State *L = o->L;
    uint32_t count = 0;
    int type = bind_option_push(o, key);
    if (type == LUA_TBOOLEAN)
        count = lua_toboolean(L, -1) ? 1 : 0;
    else if (type != LUA_TNIL)
        count = (uint32_t)bind_value_integer(o, key, 0, most);
    lua_pop(L, 1);
    return count;
}

static void read_fate(const struct bind_options *o, struct ltcp_fate *fate)
{
    fate->drop = bind_option_flag(o, "drop", false);
    fate->delay = bind_option_time(o, "delay", 0, 0, LONGEST);
    fate->duplicates = read_count(o, "duplicate", MOST_COPIES);
    fate->duplicate_delay = bind_option_time(o, "duplicate_delay", 0, 0, LONGEST);
    fate->corrupt_bits = read_count(o, "corrupt", MOST_BITS);
    fate->mark = bind_option_flag(o, "mark", false);
}

bool bind_read_verdict(lua_State *L, int index, struct ltcp_fate *fate)
{
    static const char *const known[] = {"drop",    "delay", "duplicate", "duplicate_delay",
                                        "corrupt", "mark",  NULL};
    *fate = (struct ltcp_fate){0};
    if (lua_isnil(L, index)) return false;
    if (lua_type(L, index) == LUA_TSTRING) {
        const char *word = lua_tostring(L, index);
        if (strcmp(word, "drop") == 0) {
            fate->drop = true;
            return true;
        }
        if (strcmp(word, "mark") == 0) {
            fate->mark = true;
            return true;
        }
        if (strcmp(word, "pass") == 0) return true;
    }
    if (lua_istable(L, index)) {
        struct bind_options o;
        bind_options_open(&o, L, index, 0, "verdict", known, 0);
        read_fate(&o, fate);
        return true;
    }
    const char *got = luaL_tolstring(L, index, NULL);
    luaL_error(
        L,
        "a rule answers nil, 'drop', 'mark', 'pass' or a table {delay=, duplicate=, corrupt=}, "
        "not %s",
        got);
    return false;
}

static void read_flags(const struct bind_options *o, struct ltcp_rule *rule)
{
    unsigned unset = 0;
    if (bind_option_push(o, "flags") != LUA_TNIL) {
        int flags = bind_to_flags(o->L, -1, &unset);
        if (flags < 0)
            bind_option_error(o, "flags", "letters such as 'SA' expected, got %s",
                              luaL_tolstring(o->L, -1, NULL));
        rule->flags_set = (uint16_t)flags;
        rule->flags_clear = (uint16_t)unset;
        rule->tcp_only = true;
    }
    lua_pop(o->L, 1);
    if (bind_option_push(o, "without") != LUA_TNIL) {
        int flags = bind_to_flags(o->L, -1, NULL);
        if (flags < 0)
            bind_option_error(o, "without", "letters such as 'A' expected, got %s",
                              luaL_tolstring(o->L, -1, NULL));
        rule->flags_clear |= (uint16_t)flags;
        rule->tcp_only = true;
    }
    lua_pop(o->L, 1);
}

static void read_match(const struct bind_options *o, struct ltcp_rule *rule)
{
    static const char *const tcp_keys[] = {
        "length_min", "length_max", "source_port", "destination_port", "seq", "ack", "first"};
    rule->tcp_only = bind_option_flag(o, "tcp", false);
    for (size_t i = 0; i < sizeof tcp_keys / sizeof *tcp_keys; i++)
        if (bind_option_present(o, tcp_keys[i])) rule->tcp_only = true;
    read_flags(o, rule);
    rule->direction = (int)bind_option_integer(o, "direction", 0, 1, 2) - 1;
    rule->length_min = (uint32_t)bind_option_integer(o, "length_min", 0, 0, 65535);
    rule->length_max = (uint32_t)bind_option_integer(o, "length_max", 0, 0, 65535);
    rule->empty = rule->length_max == 0 && bind_option_present(o, "length_max");
    rule->source_port = (uint16_t)bind_option_integer(o, "source_port", 0, 1, 65535);
    rule->destination_port = (uint16_t)bind_option_integer(o, "destination_port", 0, 1, 65535);
    rule->match_seq = bind_option_present(o, "seq");
    rule->match_ack = bind_option_present(o, "ack");
    rule->seq = ltcp_seq_of((uint32_t)bind_option_integer(o, "seq", 0, 0, UINT32_MAX));
    rule->ack = ltcp_seq_of((uint32_t)bind_option_integer(o, "ack", 0, 0, UINT32_MAX));
    if (bind_option_present(o, "first"))
        rule->first =
            bind_option_flag(o, "first", false) ? LTCP_FIRST_ONLY : LTCP_RETRANSMISSION_ONLY;
    rule->nth = (uint64_t)bind_option_integer(o, "nth", 0, 1, LUA_MAXINTEGER);
    rule->every = (uint64_t)bind_option_integer(o, "every", 0, 1, LUA_MAXINTEGER);
    rule->times = (uint64_t)bind_option_integer(o, "times", 0, 1, LUA_MAXINTEGER);
}

/* Chances of 0 mean "always" in the core: a rule that never matches is said by none at all. */
static void read_chance(const struct bind_options *o, struct ltcp_rule *rule)
{
    if (!bind_option_present(o, "chance")) return;
    rule->chance = bind_option_chance(o, "chance", 0);
    if (rule->chance == 0)
        bind_option_error(o, "chance", "probability above 0 (at least 2^-33) expected");
}

static lua_Integer rule_key(const struct bind_link *link, uint32_t id)
{
    return (lua_Integer)((uint64_t)link->id << 32 | id);
}

/* The function at `function` answers for the rule; nil: forget it. */
static void set_function(lua_State *L, const struct bind_link *link, uint32_t id, int function)
{
    lua_getiuservalue(L, 1, 1);
    lua_getiuservalue(L, -1, BIND_NETWORK_RULES);
    lua_pushvalue(L, function);
    lua_rawseti(L, -2, rule_key(link, id));
    lua_pop(L, 2);
}

int bind_link_rule(lua_State *L)
{
    static const char *const known[] = {"direction",
                                        "flags",
                                        "without",
                                        "length_min",
                                        "length_max",
                                        "source_port",
                                        "destination_port",
                                        "seq",
                                        "ack",
                                        "first",
                                        "tcp",
                                        "nth",
                                        "every",
                                        "times",
                                        "chance",
                                        "drop",
                                        "delay",
                                        "duplicate",
                                        "duplicate_delay",
                                        "corrupt",
                                        "mark",
                                        "ask",
                                        NULL};
    const struct bind_link *link = bind_check_link(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    struct ltcp_rule rule = {.action = LTCP_RULE_FATE};
    read_match(&o, &rule);
    read_chance(&o, &rule);
    read_fate(&o, &rule.fate);
    int type = bind_option_push(&o, "ask");
    if (type == LUA_TFUNCTION) {
        static const char *const others[] = {"drop",    "delay", "duplicate", "duplicate_delay",
                                             "corrupt", "mark"};
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            if (bind_option_present(&o, others[i]))
                return bind_option_error(&o, others[i], "a rule with 'ask' has no other action");
        rule.action = LTCP_RULE_ASK;
    } else if (type != LUA_TNIL) {
        return bind_option_error(&o, "ask", "function expected, got %s", lua_typename(L, type));
    }
    uint32_t id = 0;
    struct ltcp_network *network = link->net->network;
    enum ltcp_status status = ltcp_network_add_rule(network, link->id, &rule, &id);
    if (status != LTCP_OK) return bind_failure(L, status);
    if (rule.action == LTCP_RULE_ASK) set_function(L, link, id, 3);
    lua_pushinteger(L, id);
    return 1;
}

static uint32_t check_id(lua_State *L)
{
    lua_Integer id = luaL_checkinteger(L, 2);
    luaL_argcheck(L, id >= 0 && id <= UINT32_MAX, 2, "number of a rule expected");
    return (uint32_t)id;
}

int bind_link_remove_rule(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    uint32_t id = check_id(L);
    bool removed = ltcp_network_remove_rule(link->net->network, link->id, id) == LTCP_OK;
    lua_settop(L, 2);
    lua_pushnil(L);
    set_function(L, link, id, 3);
    lua_pushboolean(L, removed);
    return 1;
}

int bind_link_rule_counts(lua_State *L)
{
    const struct bind_link *link = bind_check_link(L, 1);
    uint64_t matched = 0, answered = 0;
    if (ltcp_network_rule_counts(link->net->network, link->id, check_id(L), &matched, &answered) !=
        LTCP_OK) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)matched);
    lua_pushinteger(L, (lua_Integer)answered);
    return 2;
}
