/* bindings/options.c - arguments and tables of options: Lua's numbers become integers here, once.
 */
#include "binding.h"

#include <stdarg.h>
#include <string.h>

/* ---- numbers at the door -------------------------------------------------------------------- */

/* Half away from zero. False for NaN and what int64 cannot hold. */
static bool round_number(lua_Number n, int64_t *out)
{
    if (!(n > -9.2233720368547e18 && n < 9.2233720368547e18)) return false;
    int64_t whole = (int64_t)n;
    lua_Number rest = n - (lua_Number)whole;
    if (rest >= 0.5) whole++;
    if (rest <= -0.5) whole--;
    *out = whole;
    return true;
}

bool bind_to_time(lua_State *L, int index, ltcp_time *out)
{
    if (lua_type(L, index) != LUA_TNUMBER) return false;
    int64_t whole = 0, rest = 0;
    if (lua_isinteger(L, index)) {
        whole = lua_tointeger(L, index);
    } else {
        /* The whole seconds are split off first: a long time keeps its nanoseconds. */
        lua_Number n = lua_tonumber(L, index);
        if (!(n > -9.3e9 && n < 9.3e9)) return false;
        whole = (int64_t)n;
        if (!round_number((n - (lua_Number)whole) * 1e9, &rest)) return false;
    }
    const int64_t most = INT64_MAX / LTCP_SECOND - 1;
    if (whole > most || whole < -most) return false;
    *out = whole * LTCP_SECOND + rest;
    return true;
}

ltcp_time bind_check_time(lua_State *L, int arg, ltcp_time least, ltcp_time most)
{
    luaL_checktype(L, arg, LUA_TNUMBER);
    ltcp_time time = 0;
    if (!bind_to_time(L, arg, &time) || time < least || time > most)
        luaL_argerror(L, arg, "number of seconds out of range");
    return time;
}

unsigned bind_check_direction(lua_State *L, int arg)
{
    lua_Integer n = luaL_checkinteger(L, arg);
    luaL_argcheck(L, n == 1 || n == 2, arg, "a direction is 1 or 2");
    return (unsigned)n - 1;
}

void bind_check_address(lua_State *L, int arg, struct ltcp_address *out)
{
    const char *text = luaL_checkstring(L, arg);
    if (ltcp_address_parse(text, out) != LTCP_OK)
        luaL_argerror(L, arg, lua_pushfstring(L, "'%s' is not an IP address", text));
}

/* "address/length", or an address alone: then the length is the whole. */
static bool parse_prefix(const char *text, struct ltcp_address *out, uint8_t *length)
{
    const char *slash = strchr(text, '/');
    char address[LTCP_ADDRESS_TEXT];
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof address) return false;
    memcpy(address, text, n);
    address[n] = '\0';
    if (ltcp_address_parse(address, out) != LTCP_OK) return false;
    unsigned most = ltcp_address_is_v4(out) ? 32 : 128, value = most;
    if (slash != NULL) {
        const char *digit = slash + 1;
        if (*digit == '\0') return false;
        for (value = 0; *digit != '\0'; digit++) {
            if (*digit < '0' || *digit > '9') return false;
            value = value * 10 + (unsigned)(*digit - '0');
            if (value > most) return false;
        }
    }
    *length = (uint8_t)value;
    return true;
}

#define PREFIX_FORM "'%s' is not an address such as 10.0.0.1/24 or 2001:db8::1/64"

void bind_check_prefix(lua_State *L, int arg, struct ltcp_address *out, uint8_t *length)
{
    const char *text = luaL_checkstring(L, arg);
    if (!parse_prefix(text, out, length))
        luaL_argerror(L, arg, lua_pushfstring(L, PREFIX_FORM, text));
}

/* ---- tables of options ---------------------------------------------------------------------- */

static int complain(const struct bind_options *o, const char *message)
{
    if (o->arg > 0) return luaL_argerror(o->L, o->arg, message);
    return luaL_error(o->L, "%s", message);
}

int bind_option_error(const struct bind_options *o, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *what = lua_pushvfstring(o->L, format, arguments);
    va_end(arguments);
    const char *dot = o->where[0] != '\0' && key[0] != '\0' && key[0] != '[' ? "." : "";
    const char *colon = o->where[0] != '\0' || key[0] != '\0' ? ": " : "";
    return complain(o, lua_pushfstring(o->L, "%s%s%s%s%s", o->where, dot, key, colon, what));
}

/* Notes that a known key is there; false: it is none. */
static bool note_known(struct bind_options *o, const char *key, const char *const *known)
{
    for (size_t i = 0; known[i] != NULL; i++) {
        if (known[i][0] != key[0] || strcmp(known[i], key) != 0) continue;
        if (i < 128) o->given[i / 64] |= UINT64_C(1) << i % 64;
        return true;
    }
    return false;
}

static void raise_unknown(const struct bind_options *o, const char *key, const char *const *known)
{
    luaL_Buffer b;
    lua_State *L = o->L;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "unknown option ");
    luaL_addstring(&b, key);
    if (o->where[0] != '\0') {
        luaL_addstring(&b, " in ");
        luaL_addstring(&b, o->where);
    }
    luaL_addstring(&b, "; known: ");
    for (size_t i = 0; known[i] != NULL; i++) {
        if (i > 0) luaL_addstring(&b, ", ");
        luaL_addstring(&b, known[i]);
    }
    luaL_pushresult(&b);
    complain(o, lua_tostring(L, -1));
}

void bind_options_open(struct bind_options *o, lua_State *L, int index, int arg, const char *where,
                       const char *const *known, lua_Integer array)
{
    *o = (struct bind_options){.L = L, .table = 0, .arg = arg, .where = where};
    if (lua_isnoneornil(L, index)) return;
    o->table = lua_absindex(L, index);
    if (!lua_istable(L, index)) {
        bind_option_error(o, "", "table of options expected, got %s", luaL_typename(L, index));
        return;
    }
    /* Of several unknown keys the same one is named in every run. */
    const char *worst = NULL;
    lua_pushnil(L);
    lua_pushnil(L);
    while (lua_next(L, o->table) != 0) {
        lua_pop(L, 1);
        bool is_string = lua_type(L, -1) == LUA_TSTRING;
        if (is_string && note_known(o, lua_tostring(L, -1), known)) continue;
        lua_Integer i = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (i >= 1 && i <= array) continue;
        const char *shown = is_string ? lua_pushfstring(L, "'%s'", lua_tostring(L, -1))
                                      : luaL_tolstring(L, -1, NULL);
        if (worst == NULL || strcmp(shown, worst) < 0) {
            worst = shown;
            lua_replace(L, -3); /* keeps it alive */
        } else {
            lua_pop(L, 1);
        }
    }
    if (worst != NULL) raise_unknown(o, worst, known);
    lua_pop(L, 1);
}

bool bind_option_given(const struct bind_options *o, size_t i)
{
    return i >= 128 || (o->given[i / 64] >> i % 64 & 1) != 0;
}

int bind_option_push(const struct bind_options *o, const char *key)
{
    if (o->table != 0) return lua_getfield(o->L, o->table, key);
    lua_pushnil(o->L);
    return LUA_TNIL;
}

int bind_option_push_index(const struct bind_options *o, lua_Integer index)
{
    if (o->table != 0) return lua_geti(o->L, o->table, index);
    lua_pushnil(o->L);
    return LUA_TNIL;
}

bool bind_option_present(const struct bind_options *o, const char *key)
{
    bool present = bind_option_push(o, key) != LUA_TNIL;
    lua_pop(o->L, 1);
    return present;
}

bool bind_option_flag(const struct bind_options *o, const char *key, bool otherwise)
{
    int type = bind_option_push(o, key);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        bind_option_error(o, key, "boolean expected, got %s", lua_typename(o->L, type));
    bool value = type == LUA_TNIL ? otherwise : lua_toboolean(o->L, -1);
    lua_pop(o->L, 1);
    return value;
}

/* Decimal text of what is on top, for messages. */
static const char *shown(const struct bind_options *o)
{
    return luaL_tolstring(o->L, -1, NULL);
}

lua_Integer bind_value_integer(const struct bind_options *o, const char *key, lua_Integer least,
                               lua_Integer most)
{
    lua_State *L = o->L;
    int whole = 0;
    lua_Integer value = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &whole) : 0;
    if (lua_type(L, -1) != LUA_TNUMBER)
        bind_option_error(o, key, "integer expected, got %s", luaL_typename(L, -1));
    if (!whole || value < least || value > most)
        bind_option_error(o, key, "integer between %I and %I expected, got %s", (LUAI_UACINT)least,
                          (LUAI_UACINT)most, shown(o));
    return value;
}

lua_Integer bind_option_integer(const struct bind_options *o, const char *key,
                                lua_Integer otherwise, lua_Integer least, lua_Integer most)
{
    lua_Integer value = otherwise;
    if (bind_option_push(o, key) != LUA_TNIL) value = bind_value_integer(o, key, least, most);
    lua_pop(o->L, 1);
    return value;
}

lua_Integer bind_option_rounded(const struct bind_options *o, const char *key,
                                lua_Integer otherwise, lua_Integer least, lua_Integer most)
{
    lua_State *L = o->L;
    int64_t value = otherwise;
    if (bind_option_push(o, key) != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            bind_option_error(o, key, "number expected, got %s", luaL_typename(L, -1));
        bool good = true;
        if (lua_isinteger(L, -1))
            value = lua_tointeger(L, -1);
        else
            good = round_number(lua_tonumber(L, -1), &value);
        if (!good || value < least || value > most)
            bind_option_error(o, key, "number between %I and %I expected, got %s",
                              (LUAI_UACINT)least, (LUAI_UACINT)most, shown(o));
    }
    lua_pop(L, 1);
    return value;
}

ltcp_time bind_value_time(const struct bind_options *o, const char *key, ltcp_time least,
                          ltcp_time most)
{
    lua_State *L = o->L;
    ltcp_time value = 0;
    if (lua_type(L, -1) != LUA_TNUMBER)
        bind_option_error(o, key, "number of seconds expected, got %s", luaL_typename(L, -1));
    if (!bind_to_time(L, -1, &value) || value < least || value > most)
        bind_option_error(o, key, "seconds between %f and %f expected, got %s",
                          (LUAI_UACNUMBER)((lua_Number)least / 1e9),
                          (LUAI_UACNUMBER)((lua_Number)most / 1e9), shown(o));
    return value;
}

ltcp_time bind_option_time(const struct bind_options *o, const char *key, ltcp_time otherwise,
                           ltcp_time least, ltcp_time most)
{
    ltcp_time value = otherwise;
    if (bind_option_push(o, key) != LUA_TNIL) value = bind_value_time(o, key, least, most);
    lua_pop(o->L, 1);
    return value;
}

uint64_t bind_value_chance(const struct bind_options *o, const char *key)
{
    lua_State *L = o->L;
    if (lua_type(L, -1) != LUA_TNUMBER)
        bind_option_error(o, key, "probability expected, got %s", luaL_typename(L, -1));
    lua_Number p = lua_tonumber(L, -1);
    if (!(p >= 0 && p <= 1))
        bind_option_error(o, key, "probability between 0 and 1 expected, got %s", shown(o));
    return (uint64_t)(p * (lua_Number)LTCP_CERTAIN + 0.5);
}

uint64_t bind_option_chance(const struct bind_options *o, const char *key, uint64_t otherwise)
{
    uint64_t value = otherwise;
    if (bind_option_push(o, key) != LUA_TNIL) value = bind_value_chance(o, key);
    lua_pop(o->L, 1);
    return value;
}

const char *bind_option_string(const struct bind_options *o, const char *key, size_t *length)
{
    int type = bind_option_push(o, key);
    if (type == LUA_TNIL) return NULL;
    if (type != LUA_TSTRING)
        bind_option_error(o, key, "string expected, got %s", lua_typename(o->L, type));
    return lua_tolstring(o->L, -1, length);
}

bool bind_option_address(const struct bind_options *o, const char *key, struct ltcp_address *out)
{
    const char *text = bind_option_string(o, key, NULL);
    if (text != NULL && ltcp_address_parse(text, out) != LTCP_OK)
        bind_option_error(o, key, "'%s' is not an IP address", text);
    lua_pop(o->L, 1);
    return text != NULL;
}

void bind_value_prefix(const struct bind_options *o, const char *key, struct ltcp_address *out,
                       uint8_t *length)
{
    if (lua_type(o->L, -1) != LUA_TSTRING)
        bind_option_error(o, key, "string expected, got %s", luaL_typename(o->L, -1));
    const char *text = lua_tostring(o->L, -1);
    if (!parse_prefix(text, out, length)) bind_option_error(o, key, PREFIX_FORM, text);
}
