/* bindings/socket_call.c - calls of the socket layer: their arguments, and going on with them. What
 * a call points at is made of userdata that a table of the call keeps. */
#include "explore.h"
#include "socket.h"

#include <stdlib.h>
#include <string.h>

#define MOST_OCTETS (64 << 20) /* of one call */
#define MOST_PIECES 1024

/* ---- arguments ------------------------------------------------------------------------------ */

/* "SOL_TCP", "O_RDWR|O_NONBLOCK", "0x10|EPOLLIN". */
static bool names_to_integer(const char *text, lua_Integer *out)
{
    lua_Integer sum = 0;
    for (;;) {
        char word[64];
        size_t n = strcspn(text, "|");
        const char *next = text + n;
        while (n > 0 && *text == ' ')
            text++, n--;
        while (n > 0 && text[n - 1] == ' ')
            n--;
        if (n == 0 || n >= sizeof word) return false;
        memcpy(word, text, n);
        word[n] = '\0';
        int64_t value;
        if (!ltcp_constant_find(word, &value)) {
            char *end;
            value = (int64_t)strtoll(word, &end, 0);
            if (*end != '\0') return false;
        }
        sum |= value;
        if (*next == '\0') break;
        text = next + 1;
    }
    *out = sum;
    return true;
}

static lua_Integer to_integer(lua_State *L, int index, int arg)
{
    lua_Integer value = 0;
    int whole = 0;
    if (lua_type(L, index) == LUA_TSTRING) {
        if (!names_to_integer(lua_tostring(L, index), &value))
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "unknown constant in '%s'", lua_tostring(L, index)));
        return value;
    }
    value = lua_tointegerx(L, index, &whole);
    if (!whole)
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "integer or names of constants expected, got %s",
                                      luaL_typename(L, index)));
    return value;
}

static lua_Integer argument(lua_State *L, int arg)
{
    return to_integer(L, arg, arg);
}

static lua_Integer opt_argument(lua_State *L, int arg, lua_Integer otherwise)
{
    return lua_isnoneornil(L, arg) ? otherwise : argument(L, arg);
}

static lua_Integer field(lua_State *L, int table, const char *name, int arg, lua_Integer otherwise)
{
    lua_Integer value = otherwise;
    if (lua_getfield(L, table, name) != LUA_TNIL) value = to_integer(L, -1, arg);
    lua_pop(L, 1);
    return value;
}

/* Zeroed octets that live as long as the call, which is at `c`. */
static void *piece(lua_State *L, int c, size_t size)
{
    lua_getiuservalue(L, c, BIND_CALL_PIECES);
    void *octets = lua_newuserdatauv(L, size > 0 ? size : 1, 0);
    memset(octets, 0, size > 0 ? size : 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    return octets;
}

static size_t check_octets(lua_State *L, int index, int arg)
{
    const lua_Integer n = to_integer(L, index, arg);
    luaL_argcheck(L, n >= 0 && n <= MOST_OCTETS, arg, "number of octets out of range");
    return (size_t)n;
}

/* { null = n }: n octets at a NULL pointer. */
static bool read_null(lua_State *L, int index, int arg, struct ltcp_iovec *iov)
{
    if (lua_type(L, index) != LUA_TTABLE) return false;
    lua_getfield(L, index, "null");
    iov->length = check_octets(L, -1, arg);
    iov->base = NULL;
    lua_pop(L, 1);
    return true;
}

/* Data to be sent: a string, or so many zero octets. */
static void read_data(lua_State *L, int c, int index, int arg, struct ltcp_iovec *iov)
{
    if (lua_type(L, index) == LUA_TSTRING) {
        const char *from = lua_tolstring(L, index, &iov->length);
        luaL_argcheck(L, iov->length <= MOST_OCTETS, arg, "too many octets");
        iov->base = piece(L, c, iov->length);
        memcpy(iov->base, from, iov->length);
        return;
    }
    if (read_null(L, index, arg, iov)) return;
    iov->length = check_octets(L, index, arg);
    iov->base = piece(L, c, iov->length);
}

static void read_room(lua_State *L, int c, int index, int arg, struct ltcp_iovec *iov)
{
    if (read_null(L, index, arg, iov)) return;
    iov->length = check_octets(L, index, arg);
    iov->base = piece(L, c, iov->length);
}

typedef void (*iov_fn)(lua_State *L, int c, int index, int arg, struct ltcp_iovec *iov);

static void one_iov(lua_State *L, int c, int arg, struct ltcp_call *call, iov_fn read)
{
    call->iov = piece(L, c, sizeof *call->iov);
    call->iov_count = 1;
    read(L, c, arg, arg, call->iov);
}

static void many_iov(lua_State *L, int c, int arg, struct ltcp_call *call, iov_fn read)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    const lua_Integer n = luaL_len(L, arg);
    luaL_argcheck(L, n >= 0 && n <= MOST_PIECES, arg, "too many pieces");
    call->iov = piece(L, c, (size_t)n * sizeof *call->iov);
    call->iov_count = (size_t)n;
    size_t total = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, arg, i);
        read(L, c, lua_absindex(L, -1), arg, &call->iov[i - 1]);
        lua_pop(L, 1);
        total += call->iov[i - 1].length;
        luaL_argcheck(L, total <= MOST_OCTETS, arg, "too many octets");
    }
}

/* nil: a NULL pointer. */
static void read_address(lua_State *L, int arg, struct ltcp_sockaddr *out)
{
    *out = (struct ltcp_sockaddr){0};
    if (lua_isnoneornil(L, arg)) return;
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_getfield(L, arg, "address");
    const char *text = lua_tostring(L, -1);
    bool v4 = true;
    if (text != NULL) {
        if (ltcp_address_parse(text, &out->address) != LTCP_OK)
            luaL_argerror(L, arg, lua_pushfstring(L, "'%s' is no address", text));
        v4 = strchr(text, ':') == NULL;
    }
    lua_pop(L, 1);
    out->family = (uint16_t)field(L, arg, "family", arg, v4 ? LTCP_AF_INET : LTCP_AF_INET6);
    const lua_Integer port = field(L, arg, "port", arg, 0);
    luaL_argcheck(L, port >= 0 && port <= 65535, arg, "port out of range");
    out->port = (uint16_t)port;
    const lua_Integer length = out->family == LTCP_AF_INET6 ? 28 : 16;
    out->length = (uint32_t)field(L, arg, "length", arg, length);
    if (text == NULL && out->family == LTCP_AF_INET) out->address = ltcp_address_v4(0, 0, 0, 0);
}

/* ---- options -------------------------------------------------------------------------------- */

static size_t natural_length(int64_t level, int64_t name)
{
    if (level == LTCP_SOL_SOCKET) {
        switch (name) {
        case LTCP_SO_LINGER: return 2 * sizeof(int);
        case LTCP_SO_RCVTIMEO:
        case LTCP_SO_SNDTIMEO: return 2 * sizeof(long);
        case LTCP_SO_MEMINFO: return LTCP_SK_MEMINFO_VARS * sizeof(uint32_t);
        case LTCP_SO_COOKIE: return sizeof(uint64_t);
        default: break;
        }
    }
    if (level == LTCP_SOL_TCP && name == LTCP_TCP_INFO) return sizeof(struct ltcp_tcp_info);
    if (level == LTCP_SOL_TCP && name == LTCP_TCP_CONGESTION) return 16;
    return sizeof(int);
}

static void read_get_option(lua_State *L, int c, struct ltcp_call *call)
{
    call->arg[0] = argument(L, 4);
    call->arg[1] = argument(L, 5);
    if (lua_type(L, 6) == LUA_TSTRING && !lua_isinteger(L, 6)) { /* what goes in first */
        size_t given;
        const char *in = lua_tolstring(L, 6, &given);
        luaL_argcheck(L, given <= 4096, 6, "at most 4096 octets");
        call->length = given;
        call->value = piece(L, c, call->length);
        if (given > 0) memcpy(call->value, in, given);
        return;
    }
    const size_t natural = natural_length(call->arg[0], call->arg[1]);
    const lua_Integer length = opt_argument(L, 6, (lua_Integer)natural);
    luaL_argcheck(L, length >= 0 && length <= 4096, 6, "length out of range");
    call->length = (size_t)length;
    call->value = piece(L, c, call->length);
}

/* Writes the value into `out`; how many octets it has. */
static size_t encode_value(lua_State *L, int arg, size_t wanted, uint8_t out[4096])
{
    if (lua_type(L, arg) == LUA_TTABLE) {
        if (lua_getfield(L, arg, "onoff") != LUA_TNIL) {
            const int linger[2] = {(int)field(L, arg, "onoff", arg, 0),
                                   (int)field(L, arg, "linger", arg, 0)};
            memcpy(out, linger, sizeof linger);
            return sizeof linger;
        }
        const long time[2] = {(long)field(L, arg, "sec", arg, 0),
                              (long)field(L, arg, "usec", arg, 0)};
        memcpy(out, time, sizeof time);
        return sizeof time;
    }
    size_t length;
    const char *text = lua_type(L, arg) == LUA_TSTRING ? lua_tolstring(L, arg, &length) : NULL;
    if (text != NULL) {
        luaL_argcheck(L, length <= 4096, arg, "too long");
        memcpy(out, text, length);
        return length;
    }
    const lua_Integer value = argument(L, arg);
    const int whole = (int)(uint32_t)((uint64_t)value & 0xFFFFFFFF);
    if (wanted >= sizeof value)
        memcpy(out, &value, sizeof value);
    else
        memcpy(out, &whole, sizeof whole);
    if (wanted == 1) out[0] = (uint8_t)value;
    return wanted >= sizeof value ? sizeof value : sizeof whole;
}

static void read_set_option(lua_State *L, int c, struct ltcp_call *call)
{
    uint8_t octets[4096] = {0};
    call->arg[0] = argument(L, 4);
    call->arg[1] = argument(L, 5);
    const lua_Integer wanted = opt_argument(L, 7, -1);
    luaL_argcheck(L, wanted <= 4096, 7, "length out of range");
    const size_t length = encode_value(L, 6, wanted < 0 ? sizeof(int) : (size_t)wanted, octets);
    call->length = wanted < 0 ? length : (size_t)wanted;
    call->value = piece(L, c, call->length > length ? call->length : length);
    memcpy(call->value, octets, call->length > length ? call->length : length);
}

/* ---- poll and epoll ------------------------------------------------------------------------- */

static void read_polls(lua_State *L, int c, struct ltcp_call *call)
{
    luaL_checktype(L, 3, LUA_TTABLE);
    const lua_Integer n = luaL_len(L, 3);
    luaL_argcheck(L, n >= 0 && n <= MOST_PIECES, 3, "too many descriptors");
    call->polls = piece(L, c, (size_t)n * sizeof *call->polls);
    call->count = (size_t)n;
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, 3, i) != LUA_TTABLE) luaL_argerror(L, 3, "array of tables expected");
        const int at = lua_absindex(L, -1);
        call->polls[i - 1].fd = (int)field(L, at, "fd", 3, -1);
        call->polls[i - 1].events = (uint16_t)field(L, at, "events", 3, 0);
        lua_pop(L, 1);
    }
    call->timeout = (int)opt_argument(L, 4, -1);
}

static void read_epoll_ctl(lua_State *L, int c, struct ltcp_call *call)
{
    call->arg[0] = argument(L, 4);
    call->arg[1] = argument(L, 5);
    if (lua_isnoneornil(L, 6)) return;
    luaL_checktype(L, 6, LUA_TTABLE);
    call->events = piece(L, c, sizeof *call->events);
    call->events->events = (uint32_t)field(L, 6, "events", 6, 0);
    call->events->data = (uint64_t)field(L, 6, "data", 6, 0);
}

static void read_epoll_wait(lua_State *L, int c, struct ltcp_call *call)
{
    const lua_Integer most = argument(L, 4);
    luaL_argcheck(L, most <= MOST_PIECES, 4, "too many events");
    call->count = most > 0 ? (size_t)most : 0;
    call->events = piece(L, c, call->count * sizeof *call->events);
    call->timeout = (int)opt_argument(L, 5, -1);
}

/* ---- reading a call ------------------------------------------------------------------------- */

static void read_integers(lua_State *L, struct ltcp_call *call, int from, int count)
{
    for (int i = 0; i < count; i++)
        call->arg[i] = opt_argument(L, from + i, 0);
}

static void read_flags(lua_State *L, int arg, struct ltcp_call *call)
{
    call->flags = (uint32_t)opt_argument(L, arg, 0);
}

static void read_ioctl(lua_State *L, int c, struct ltcp_call *call)
{
    call->arg[0] = argument(L, 4);
    const int value = (int)opt_argument(L, 5, 0);
    call->value = piece(L, c, sizeof value);
    call->length = sizeof value;
    memcpy(call->value, &value, sizeof value);
}

/* Arguments from the third on (the first is the table, the second the name); the call is at `c`. */
static void read_arguments(lua_State *L, int c, struct ltcp_call *call)
{
    switch (call->op) {
    case LTCP_CALL_SOCKET: read_integers(L, call, 3, 3); return;
    case LTCP_CALL_EPOLL_CREATE: read_integers(L, call, 3, 1); return;
    case LTCP_CALL_POLL: read_polls(L, c, call); return;
    case LTCP_CALL_PIPE: return;
    default: call->fd = (int)argument(L, 3); break;
    }
    switch (call->op) {
    case LTCP_CALL_BIND:
    case LTCP_CALL_CONNECT: read_address(L, 4, &call->address); break;
    case LTCP_CALL_READ: one_iov(L, c, 4, call, read_room); break;
    case LTCP_CALL_READV: many_iov(L, c, 4, call, read_room); break;
    case LTCP_CALL_RECV:
    case LTCP_CALL_RECVFROM:
        one_iov(L, c, 4, call, read_room);
        read_flags(L, 5, call);
        break;
    case LTCP_CALL_RECVMSG:
        many_iov(L, c, 4, call, read_room);
        read_flags(L, 5, call);
        call->control_room = (size_t)opt_argument(L, 6, 256);
        break;
    case LTCP_CALL_WRITE: one_iov(L, c, 4, call, read_data); break;
    case LTCP_CALL_WRITEV: many_iov(L, c, 4, call, read_data); break;
    case LTCP_CALL_SEND:
    case LTCP_CALL_SENDTO:
        one_iov(L, c, 4, call, read_data);
        read_flags(L, 5, call);
        read_address(L, 6, &call->address);
        break;
    case LTCP_CALL_SENDMSG:
        many_iov(L, c, 4, call, read_data);
        read_flags(L, 5, call);
        read_address(L, 6, &call->address);
        break;
    case LTCP_CALL_IOCTL: read_ioctl(L, c, call); break;
    case LTCP_CALL_GETSOCKOPT: read_get_option(L, c, call); break;
    case LTCP_CALL_SETSOCKOPT: read_set_option(L, c, call); break;
    case LTCP_CALL_EPOLL_CTL: read_epoll_ctl(L, c, call); break;
    case LTCP_CALL_EPOLL_WAIT: read_epoll_wait(L, c, call); break;
    default: read_integers(L, call, 4, 3); break;
    }
}

/* ---- going on ------------------------------------------------------------------------------- */

static bool step(struct bind_call *c)
{
    const struct bind_sockets *sockets = c->sockets;
    struct bind_network *net = sockets->net;
    if (c->call.done) return true;
    const ltcp_time now = ltcp_network_now(net->network);
    const bool done = ltcp_call_step(sockets->record->table, now, &c->call);
    ltcp_network_touch(net->network, sockets->record->node);
    if (done) bind_explore_saw(net, BIND_SAW_COUNT, &c->call.result, sizeof c->call.result);
    return done;
}

int bind_sockets_call(lua_State *L)
{
    const struct bind_sockets *sockets = bind_check_sockets(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const enum ltcp_call_op op = ltcp_call_find(name);
    if (op == LTCP_CALL_COUNT) luaL_argerror(L, 2, lua_pushfstring(L, "unknown call '%s'", name));
    if (lua_gettop(L) < 8) lua_settop(L, 8); /* so that no argument is what comes on top */
    struct bind_call *c = lua_newuserdatauv(L, sizeof *c, BIND_CALL_VALUES);
    const int at = lua_gettop(L);
    memset(c, 0, sizeof *c);
    c->sockets = sockets;
    c->call.op = op;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, at, BIND_CALL_SOCKETS);
    lua_newtable(L);
    lua_setiuservalue(L, at, BIND_CALL_PIECES);
    luaL_setmetatable(L, BIND_CALL);
    read_arguments(L, at, &c->call);
    lua_settop(L, at);
    step(c);
    return 1;
}

static struct bind_call *check_call(lua_State *L)
{
    struct bind_call *c = luaL_checkudata(L, 1, BIND_CALL);
    bind_check_open(L, c->sockets->net);
    return c;
}

static int call_done(lua_State *L)
{
    lua_pushboolean(L, check_call(L)->call.done);
    return 1;
}

static int call_step(lua_State *L)
{
    lua_pushboolean(L, step(check_call(L)));
    return 1;
}

static int call_deadline(lua_State *L)
{
    const struct bind_call *c = check_call(L);
    bind_push_deadline(L, c->call.done ? LTCP_NEVER : c->call.deadline);
    return 1;
}

static int call_result(lua_State *L)
{
    return bind_push_call(L, check_call(L));
}

static int call_tostring(lua_State *L)
{
    const struct bind_call *c = luaL_checkudata(L, 1, BIND_CALL);
    const char *name = ltcp_call_name(c->call.op);
    if (!c->call.done)
        lua_pushfstring(L, "%s (waits)", name);
    else if (c->call.result < 0)
        lua_pushfstring(L, "%s = -1 %s", name, ltcp_errno_name((int)-c->call.result));
    else
        lua_pushfstring(L, "%s = %I", name, (LUAI_UACINT)c->call.result);
    return 1;
}

void bind_open_calls(lua_State *L)
{
    static const luaL_Reg methods[] = {{"done", call_done},
                                       {"step", call_step},
                                       {"deadline", call_deadline},
                                       {"result", call_result},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", call_tostring}, {NULL, NULL}};
    bind_class(L, BIND_CALL, methods, meta);
}
