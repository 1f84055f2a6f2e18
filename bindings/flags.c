/* bindings/flags.c - sets of TCP flags: one object for each set, so that == compares and a hook
 * that looks at flags makes nothing new. */
#include "binding.h"

#include <string.h>

static const char letters[] = "FSRPAUEWN";
static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ae"};
enum { FLAG_COUNT = 9 };

static const char cache_key = 'f'; /* its address names the table of objects in the registry */

size_t bind_flag_letters(unsigned flags, char out[10])
{
    size_t n = 0;
    for (int i = 0; i < FLAG_COUNT; i++)
        if ((flags >> i & 1) != 0) out[n++] = letters[i];
    out[n] = '\0';
    return n;
}

void bind_push_flags(lua_State *L, unsigned flags)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
    if (lua_rawgeti(L, -1, flags) == LUA_TNIL) {
        lua_pop(L, 1);
        uint16_t *set = lua_newuserdatauv(L, sizeof *set, 0);
        *set = (uint16_t)flags;
        luaL_setmetatable(L, BIND_FLAGS);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, flags);
    }
    lua_remove(L, -2);
}

static int bit_of_name(const char *name)
{
    for (int i = 0; i < FLAG_COUNT; i++)
        if (strcmp(names[i], name) == 0) return 1 << i;
    return 0;
}

static int from_letters(const char *text)
{
    int flags = 0;
    for (; *text != '\0'; text++) {
        const char *at = strchr(letters, *text);
        if (at == NULL) return -1;
        flags |= 1 << (at - letters);
    }
    return flags;
}

static int from_table(lua_State *L, int index, unsigned *unset)
{
    int flags = 0;
    index = lua_absindex(L, index);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int bit = lua_type(L, -2) == LUA_TSTRING ? bit_of_name(lua_tostring(L, -2)) : 0;
        bool set = lua_toboolean(L, -1), is_flag = lua_isboolean(L, -1);
        lua_pop(L, 1);
        if (bit == 0 || !is_flag) {
            lua_pop(L, 1);
            return -1;
        }
        if (set)
            flags |= bit;
        else if (unset != NULL)
            *unset |= (unsigned)bit;
    }
    return flags;
}

int bind_to_flags(lua_State *L, int index, unsigned *unset)
{
    const uint16_t *set = luaL_testudata(L, index, BIND_FLAGS);
    if (set != NULL) return *set;
    switch (lua_type(L, index)) {
    case LUA_TSTRING: return from_letters(lua_tostring(L, index));
    case LUA_TTABLE: return from_table(L, index, unset);
    case LUA_TNUMBER: {
        int whole = 0;
        lua_Integer bits = lua_tointegerx(L, index, &whole);
        return whole && bits >= 0 && bits < 1 << FLAG_COUNT ? (int)bits : -1;
    }
    default: return -1;
    }
}

static int flags_new(lua_State *L)
{
    int flags = bind_to_flags(L, 1, NULL);
    luaL_argcheck(L, flags >= 0, 1,
                  "letters of FSRPAUEWN, a table such as {syn = true}, or bits expected");
    bind_push_flags(L, (unsigned)flags);
    return 1;
}

static int flags_index(lua_State *L)
{
    const uint16_t *set = luaL_checkudata(L, 1, BIND_FLAGS);
    const char *name = luaL_checkstring(L, 2);
    int bit = bit_of_name(name);
    if (bit != 0)
        lua_pushboolean(L, (*set & bit) != 0);
    else if (strcmp(name, "bits") == 0)
        lua_pushinteger(L, *set);
    else
        return luaL_error(L, "no flag '%s'; known: fin, syn, rst, psh, ack, urg, ece, cwr, ae",
                          name);
    return 1;
}

static int flags_tostring(lua_State *L)
{
    const uint16_t *set = luaL_checkudata(L, 1, BIND_FLAGS);
    char text[10];
    lua_pushlstring(L, text, bind_flag_letters(*set, text));
    return 1;
}

static int flags_len(lua_State *L)
{
    const uint16_t *set = luaL_checkudata(L, 1, BIND_FLAGS);
    char text[10];
    lua_pushinteger(L, (lua_Integer)bind_flag_letters(*set, text));
    return 1;
}

static int flags_concat(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    luaL_tolstring(L, 2, NULL);
    lua_concat(L, 2);
    return 1;
}

void bind_open_flags(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__index", flags_index},
                                    {"__tostring", flags_tostring},
                                    {"__len", flags_len},
                                    {"__concat", flags_concat},
                                    {NULL, NULL}};
    bind_class(L, BIND_FLAGS, NULL, meta);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
    lua_pushcfunction(L, flags_new);
    lua_setfield(L, -2, "flags");
}
