/* bindings/utilities.c - classes, answers, and the small functions of the module. */
#include "binding.h"

#include <string.h>

void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta)
{
    luaL_newmetatable(L, name); /* sets __name */
    luaL_setfuncs(L, meta, 0);
    if (methods != NULL) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

int bind_failure(lua_State *L, enum ltcp_status status)
{
    lua_pushnil(L);
    if (status == LTCP_END) return 1;
    lua_pushstring(L, ltcp_status_message(status));
    lua_pushstring(L, ltcp_status_code(status));
    return 3;
}

int bind_result(lua_State *L, enum ltcp_status status)
{
    if (status != LTCP_OK) return bind_failure(L, status);
    lua_pushboolean(L, true);
    return 1;
}

void bind_push_time(lua_State *L, ltcp_time time)
{
    lua_pushnumber(L, (lua_Number)time / 1e9);
}

void bind_push_deadline(lua_State *L, ltcp_time time)
{
    if (time == LTCP_NEVER)
        lua_pushnil(L);
    else
        bind_push_time(L, time);
}

void bind_push_address(lua_State *L, const struct ltcp_address *address)
{
    char text[LTCP_ADDRESS_TEXT];
    lua_pushlstring(L, text, ltcp_address_format(address, text));
}

void bind_set_number(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

void bind_set_flag(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* ---- random streams ------------------------------------------------------------------------- */

int bind_new_random(lua_State *L, uint64_t seed, const char *name)
{
    struct ltcp_random *random = lua_newuserdatauv(L, sizeof *random, 0);
    ltcp_random_seed(random, seed, ltcp_random_stream(name));
    luaL_setmetatable(L, BIND_RANDOM);
    return 1;
}

static int random_new(lua_State *L)
{
    return bind_new_random(L, (uint64_t)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
}

static int random_next(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)ltcp_random_next(luaL_checkudata(L, 1, BIND_RANDOM)));
    return 1;
}

static int random_below(lua_State *L)
{
    struct ltcp_random *random = luaL_checkudata(L, 1, BIND_RANDOM);
    lua_Integer bound = luaL_checkinteger(L, 2);
    luaL_argcheck(L, bound >= 1, 2, "a bound of 1 or more expected");
    lua_pushinteger(L, (lua_Integer)ltcp_random_below(random, (uint64_t)bound));
    return 1;
}

static int random_number(lua_State *L)
{
    uint64_t bits = ltcp_random_next(luaL_checkudata(L, 1, BIND_RANDOM)) >> 11;
    lua_pushnumber(L, (lua_Number)bits / 9007199254740992.0);
    return 1;
}

static int random_tostring(lua_State *L)
{
    luaL_checkudata(L, 1, BIND_RANDOM);
    lua_pushliteral(L, "random stream");
    return 1;
}

/* ---- functions ------------------------------------------------------------------------------ */

static int siphash(lua_State *L)
{
    const struct ltcp_siphash_key key = {(uint64_t)luaL_checkinteger(L, 1),
                                         (uint64_t)luaL_checkinteger(L, 2)};
    size_t length;
    const char *bytes = luaL_checklstring(L, 3, &length);
    lua_pushinteger(L, (lua_Integer)ltcp_siphash(&key, bytes, length));
    return 1;
}

static int address(lua_State *L)
{
    struct ltcp_address a;
    if (ltcp_address_parse(luaL_checkstring(L, 1), &a) != LTCP_OK) {
        lua_pushnil(L);
        return 1;
    }
    bind_push_address(L, &a);
    lua_pushinteger(L, ltcp_address_is_v4(&a) ? 4 : 6);
    return 2;
}

static int status(lua_State *L)
{
    const char *word = luaL_checkstring(L, 1);
    for (int i = 0; i < LTCP_STATUS_COUNT; i++) {
        enum ltcp_status s = (enum ltcp_status)i;
        const char *code = ltcp_status_code(s);
        if (strcmp(word, ltcp_status_name(s)) != 0 && (code[0] == '\0' || strcmp(word, code) != 0))
            continue;
        lua_createtable(L, 0, 3);
        lua_pushstring(L, ltcp_status_name(s));
        lua_setfield(L, -2, "name");
        lua_pushstring(L, code);
        lua_setfield(L, -2, "code");
        lua_pushstring(L, ltcp_status_message(s));
        lua_setfield(L, -2, "message");
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

void bind_open_utilities(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"next", random_next}, {"below", random_below}, {"number", random_number}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", random_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"random", random_new},
                                         {"siphash", siphash},
                                         {"address", address},
                                         {"status", status},
                                         {NULL, NULL}};
    bind_class(L, BIND_RANDOM, methods, meta);
    luaL_setfuncs(L, functions, 0);
}
