/* bindings/socket_result.c - what a call of the socket layer gave, as Lua values. */
#include "socket.h"

#include <string.h>

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* ---- TCP_INFO ------------------------------------------------------------------------------- */

void bind_push_tcp_info(lua_State *L, const struct ltcp_tcp_info *info)
{
    lua_createtable(L, 0, 80);
#define INFO_FIELD(kind, name) set_integer(L, #name, (lua_Integer)info->name);
    LTCP_TCP_INFO_LIST(INFO_FIELD)
#undef INFO_FIELD
    set_integer(L, "snd_wscale", ltcp_tcp_info_snd_wscale(info));
    set_integer(L, "rcv_wscale", ltcp_tcp_info_rcv_wscale(info));
    set_integer(L, "delivery_rate_app_limited", info->bits & 1);
    set_integer(L, "fastopen_client_fail", info->bits >> 1 & 3);
    set_integer(L, "ecn_mode", info->accecn & 3);
    set_integer(L, "accecn_opt_seen", info->accecn >> 2 & 3);
    set_integer(L, "accecn_fail_mode", info->accecn >> 4 & 15);
    set_integer(L, "options2", info->accecn >> 8);
}

/* ---- other structs -------------------------------------------------------------------------- */

static void set_address(lua_State *L, const struct ltcp_sockaddr *a)
{
    struct ltcp_address shown = a->address;
    lua_createtable(L, 0, 3);
    lua_pushstring(L, a->family == LTCP_AF_INET6 ? "AF_INET6" : "AF_INET");
    lua_setfield(L, -2, "family");
    bind_push_address(L, &shown);
    /* The engine holds IPv4 mapped and shows it bare; in an AF_INET6 address it stays mapped. */
    if (a->family == LTCP_AF_INET6 && ltcp_address_is_v4(&shown)) {
        lua_pushliteral(L, "::ffff:");
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    lua_setfield(L, -2, "address");
    set_integer(L, "port", a->port);
    lua_setfield(L, -2, "address");
}

static void set_data(lua_State *L, const struct ltcp_call *call)
{
    luaL_Buffer buffer;
    size_t left = (size_t)call->result;
    luaL_buffinit(L, &buffer);
    for (size_t i = 0; i < call->iov_count && left > 0; i++) {
        const size_t n = left < call->iov[i].length ? left : call->iov[i].length;
        if (call->iov[i].base != NULL) luaL_addlstring(&buffer, call->iov[i].base, n);
        left -= n;
    }
    luaL_pushresult(&buffer);
    lua_setfield(L, -2, "data");
}

static void set_controls(lua_State *L, const struct ltcp_call *call)
{
    lua_newtable(L);
    for (size_t i = 0; i < call->control_count; i++) {
        lua_createtable(L, 0, 3);
        set_integer(L, "level", call->controls[i].level);
        set_integer(L, "type", call->controls[i].type);
        set_integer(L, "value", call->controls[i].value);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "controls");
}

static void set_pair(lua_State *L, const char *name, const char *first, lua_Integer a,
                     const char *second, lua_Integer b)
{
    lua_createtable(L, 0, 2);
    set_integer(L, first, a);
    set_integer(L, second, b);
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const struct ltcp_call *call)
{
    int whole;
    int64_t wide;
    uint8_t octet;
    if (call->length == 1) {
        memcpy(&octet, call->value, 1);
        set_integer(L, "value", octet);
    } else if (call->length == sizeof whole) {
        memcpy(&whole, call->value, sizeof whole);
        set_integer(L, "value", whole);
    } else if (call->length == sizeof wide) {
        memcpy(&wide, call->value, sizeof wide);
        set_integer(L, "value", wide);
    }
}

static void set_option(lua_State *L, const struct ltcp_call *call)
{
    const bool socket = call->arg[0] == LTCP_SOL_SOCKET;
    lua_pushlstring(L, call->value, call->length);
    lua_setfield(L, -2, "data");
    set_integer(L, "length", (lua_Integer)call->length);
    set_number(L, call);
    if (socket && call->arg[1] == LTCP_SO_LINGER && call->length == 2 * sizeof(int)) {
        int linger[2];
        memcpy(linger, call->value, sizeof linger);
        set_pair(L, "linger", "onoff", linger[0], "linger", linger[1]);
    } else if (socket && (call->arg[1] == LTCP_SO_RCVTIMEO || call->arg[1] == LTCP_SO_SNDTIMEO)) {
        long time[2];
        memcpy(time, call->value, sizeof time);
        set_pair(L, "time", "sec", time[0], "usec", time[1]);
    } else if (call->arg[0] == LTCP_SOL_TCP && call->arg[1] == LTCP_TCP_INFO &&
               call->length == sizeof(struct ltcp_tcp_info)) {
        struct ltcp_tcp_info info;
        memcpy(&info, call->value, sizeof info);
        bind_push_tcp_info(L, &info);
        lua_setfield(L, -2, "info");
    }
}

static void set_polls(lua_State *L, const struct ltcp_call *call)
{
    lua_createtable(L, (int)call->count, 0);
    for (size_t i = 0; i < call->count; i++) {
        lua_createtable(L, 0, 3);
        set_integer(L, "fd", call->polls[i].fd);
        set_integer(L, "events", call->polls[i].events);
        set_integer(L, "revents", call->polls[i].revents);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "polls");
}

static void set_events(lua_State *L, const struct ltcp_call *call)
{
    lua_newtable(L);
    for (lua_Integer i = 0; i < call->result; i++) {
        lua_createtable(L, 0, 2);
        set_integer(L, "events", call->events[i].events);
        set_integer(L, "data", (lua_Integer)call->events[i].data);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "events");
}

/* ---- a call --------------------------------------------------------------------------------- */

static void push_outputs(lua_State *L, const struct ltcp_call *call)
{
    lua_newtable(L);
    if (call->result < 0 && call->op != LTCP_CALL_RECVMSG) return;
    switch (call->op) {
    case LTCP_CALL_ACCEPT:
    case LTCP_CALL_ACCEPT4:
    case LTCP_CALL_GETSOCKNAME:
    case LTCP_CALL_GETPEERNAME: set_address(L, &call->address); break;
    case LTCP_CALL_RECVMSG:
        set_integer(L, "flags", call->out_flags);
        set_controls(L, call);
        if (call->result >= 0) set_data(L, call);
        break;
    case LTCP_CALL_READ:
    case LTCP_CALL_READV:
    case LTCP_CALL_RECV:
    case LTCP_CALL_RECVFROM: set_data(L, call); break;
    case LTCP_CALL_IOCTL: set_number(L, call); break;
    case LTCP_CALL_GETSOCKOPT: set_option(L, call); break;
    case LTCP_CALL_POLL: set_polls(L, call); break;
    case LTCP_CALL_EPOLL_WAIT: set_events(L, call); break;
    case LTCP_CALL_PIPE:
        lua_newtable(L);
        for (int i = 0; i < 2; i++) {
            lua_pushinteger(L, call->fds[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_setfield(L, -2, "fds");
        break;
    default: break;
    }
}

int bind_push_call(lua_State *L, const struct bind_call *c)
{
    const struct ltcp_call *call = &c->call;
    if (!call->done) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, call->result < 0 ? -1 : call->result);
    if (call->result < 0) {
        lua_pushstring(L, ltcp_errno_name((int)-call->result));
        lua_pushstring(L, ltcp_errno_text((int)-call->result));
    } else {
        lua_pushnil(L);
        lua_pushnil(L);
    }
    push_outputs(L, call);
    return 4;
}
