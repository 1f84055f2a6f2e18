/* bindings/uv_input.c - core.read_descriptor: what a terminal or a pipe has, without waiting.
 *
 * core.read_descriptor(fd, n) -> string | nil | nil, message, CODE
 *   1 to n octets; nil alone at the end of the input; EAGAIN: nothing there; EBADF, EIO, ...
 *   The descriptor's flags are left alone: a terminal may be shared with other processes. */
#include "uv_classes.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

enum { MOST = 65536 };

/* 1: read() would not wait; 0: it would; -1: errno. */
static int is_readable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int ready = poll(&entry, 1, 0);
    if (ready > 0 && (entry.revents & POLLNVAL) != 0) {
        errno = EBADF;
        return -1;
    }
    return ready;
}

static int read_descriptor(lua_State *L)
{
    lua_Integer fd = luaL_checkinteger(L, 1);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 1, "number of a descriptor expected");
    luaL_argcheck(L, n >= 1 && n <= MOST, 2, "1 to 65536 octets expected");
    int ready = is_readable((int)fd);
    if (ready == 0) return bind_system_failure(L, "read", EAGAIN);
    if (ready < 0) return bind_system_failure(L, "read", errno);

    luaL_Buffer b;
    char *room = luaL_buffinitsize(L, &b, (size_t)n);
    ssize_t got = read((int)fd, room, (size_t)n);
    if (got < 0) return bind_system_failure(L, "read", errno);
    if (got == 0) {
        lua_pushnil(L);
        return 1;
    }
    luaL_pushresultsize(&b, (size_t)got);
    return 1;
}

void bind_open_input(lua_State *L)
{
    lua_pushcfunction(L, read_descriptor);
    lua_setfield(L, -2, "read_descriptor");
}
