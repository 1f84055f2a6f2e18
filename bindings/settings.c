/* bindings/settings.c - settings as tables: seconds for times, booleans for flags. */
#include "binding.h"

#include <string.h>

/* The list itself, and what is not of a plain kind. */
static const char *const known[] = {
#define NAME(kind, name, rfc, linux_, least, most, what) #name,
    LTCP_SETTINGS_LIST(NAME)
#undef NAME
        "congestion",
    "syn_options", "other_options", NULL};

static const char *const kind_names[] = {"flag", "count", "bytes", "time"};

/* Times count in seconds, but for -1, which stands for "worked out". */
static void push_value(lua_State *L, const struct ltcp_setting *setting, int64_t value)
{
    switch (setting->kind) {
    case LTCP_KIND_FLAG: lua_pushboolean(L, value != 0); break;
    case LTCP_KIND_TIME:
        if (value == -1)
            lua_pushinteger(L, -1);
        else
            bind_push_time(L, value);
        break;
    default: lua_pushinteger(L, value); break;
    }
}

/* The value is on top of the stack. */
static int64_t read_value(const struct bind_options *o, const struct ltcp_setting *setting)
{
    lua_State *L = o->L;
    if (setting->kind == LTCP_KIND_FLAG) {
        if (!lua_isboolean(L, -1))
            bind_option_error(o, setting->name, "boolean expected, got %s", luaL_typename(L, -1));
        return lua_toboolean(L, -1);
    }
    if (setting->kind != LTCP_KIND_TIME)
        return bind_value_integer(o, setting->name, setting->least, setting->most);
    if (setting->least == -1 && lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) == -1)
        return -1;
    return bind_value_time(o, setting->name, setting->least < 0 ? 0 : setting->least,
                           setting->most);
}

static void unknown_congestion(const struct bind_options *o, const char *name)
{
    lua_State *L = o->L;
    bind_congestion_names(L);
    lua_pushliteral(L, "");
    for (lua_Integer i = 1; lua_rawgeti(L, -2, i) == LUA_TSTRING; i++) {
        lua_pushfstring(L, i > 1 ? "%s, %s" : "%s%s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    bind_option_error(o, "congestion", "unknown congestion control '%s'; known: %s", name,
                      lua_tostring(L, -2));
}

static void read_congestion(const struct bind_options *o, struct ltcp_settings *settings)
{
    const char *name = bind_option_string(o, "congestion", NULL);
    if (name != NULL) {
        const struct ltcp_congestion_ops *ops = bind_congestion_find(o->L, name);
        if (ops == NULL) unknown_congestion(o, name);
        settings->congestion = ops;
    }
    lua_pop(o->L, 1);
}

static void read_order(const struct bind_options *o, const char *key, uint8_t *kinds, uint8_t room,
                       uint8_t *count)
{
    lua_State *L = o->L;
    int type = bind_option_push(o, key);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (type != LUA_TTABLE)
        bind_option_error(o, key, "array of option names expected, got %s", lua_typename(L, type));
    lua_Integer n = luaL_len(L, -1);
    if (n > room) bind_option_error(o, key, "at most %d options", (int)room);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_Integer kind = -1;
        if (lua_geti(L, -1, i) == LUA_TSTRING)
            kind = bind_option_kind(lua_tostring(L, -1));
        else if (lua_isinteger(L, -1))
            kind = lua_tointeger(L, -1);
        if (kind < 0 || kind > 255)
            bind_option_error(o, key, "unknown option '%s'", luaL_tolstring(L, -1, NULL));
        kinds[i - 1] = (uint8_t)kind;
        lua_pop(L, 1);
    }
    *count = (uint8_t)n;
    lua_pop(L, 1);
}

void bind_read_settings(lua_State *L, int index, int arg, const char *where,
                        struct ltcp_settings *settings)
{
    struct bind_options o;
    bind_options_open(&o, L, index, arg, where, known, 0);
    if (o.table == 0) return;
    const struct ltcp_setting *setting;
    for (size_t i = 0; (setting = ltcp_setting_at(i)) != NULL; i++) {
        if (!bind_option_given(&o, i)) continue; /* `known` begins with the same list */
        if (bind_option_push(&o, setting->name) != LUA_TNIL &&
            ltcp_setting_set(settings, setting, read_value(&o, setting)) != LTCP_OK)
            bind_option_error(&o, setting->name, "value out of range");
        lua_pop(L, 1);
    }
    read_congestion(&o, settings);
    read_order(&o, "syn_options", settings->syn_options, sizeof settings->syn_options,
               &settings->syn_options_count);
    read_order(&o, "other_options", settings->other_options, sizeof settings->other_options,
               &settings->other_options_count);
}

static void push_order(lua_State *L, const uint8_t *kinds, uint8_t count)
{
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        const char *name = bind_option_name(kinds[i]);
        if (name != NULL)
            lua_pushstring(L, name);
        else
            lua_pushinteger(L, kinds[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

void bind_push_settings(lua_State *L, const struct ltcp_settings *settings)
{
    lua_createtable(L, 0, (int)(sizeof known / sizeof *known));
    const struct ltcp_setting *setting;
    for (size_t i = 0; (setting = ltcp_setting_at(i)) != NULL; i++) {
        push_value(L, setting, ltcp_setting_get(settings, setting));
        lua_setfield(L, -2, setting->name);
    }
    lua_pushstring(L, settings->congestion != NULL ? settings->congestion->name : "");
    lua_setfield(L, -2, "congestion");
    push_order(L, settings->syn_options, settings->syn_options_count);
    lua_setfield(L, -2, "syn_options");
    push_order(L, settings->other_options, settings->other_options_count);
    lua_setfield(L, -2, "other_options");
}

/* ---- functions of the module ---------------------------------------------------------------- */

static int profile(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct ltcp_settings *settings = ltcp_profile(name);
    if (settings == NULL)
        return luaL_argerror(L, 1,
                             lua_pushfstring(L, "unknown profile '%s'; known: rfc, linux", name));
    bind_push_settings(L, settings);
    return 1;
}

static int settings_list(lua_State *L)
{
    lua_newtable(L);
    const struct ltcp_setting *setting;
    for (size_t i = 0; (setting = ltcp_setting_at(i)) != NULL; i++) {
        lua_createtable(L, 0, 7);
        lua_pushstring(L, setting->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, kind_names[setting->kind]);
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, setting->what);
        lua_setfield(L, -2, "what");
        if (setting->kind == LTCP_KIND_FLAG)
            lua_pushinteger(L, setting->least);
        else
            push_value(L, setting, setting->least);
        lua_setfield(L, -2, "least");
        if (setting->kind == LTCP_KIND_FLAG)
            lua_pushinteger(L, setting->most);
        else
            push_value(L, setting, setting->most);
        lua_setfield(L, -2, "most");
        push_value(L, setting, ltcp_setting_get(&ltcp_profile_rfc, setting));
        lua_setfield(L, -2, "rfc");
        push_value(L, setting, ltcp_setting_get(&ltcp_profile_linux, setting));
        lua_setfield(L, -2, "linux");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int check_settings(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct ltcp_settings settings = ltcp_profile_rfc;
    bind_read_settings(L, 1, 1, "", &settings);
    lua_settop(L, 1);
    return 1;
}

void bind_open_settings(lua_State *L)
{
    static const luaL_Reg functions[] = {{"profile", profile},
                                         {"settings_list", settings_list},
                                         {"check_settings", check_settings},
                                         {"congestions", bind_congestion_names},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
