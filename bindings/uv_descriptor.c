/* bindings/uv_descriptor.c - the class lunatcp.Descriptor: a terminal, a pipe, a file or a socket
 * that is read and written beside a network, and never waited for; or a signal.
 *
 * loop:descriptor(fd) -> descriptor | nil, message, CODE     EBADF, EEXIST, ENOMEM
 *   The descriptor stays its owner's, and its flags stay as they are: others may share it. A
 *   terminal is opened once more for that.
 *
 * descriptor:read(n) -> string | nil | nil, message, CODE
 *   1 to n octets; nil alone at the end of the input; EAGAIN: nothing there; EIO, ...
 * descriptor:write(bytes [, offset]) -> taken | nil, message, CODE
 *   Writes from `offset` (from 1) on, as much as goes at once; EAGAIN: nothing; EPIPE: nobody reads
 *   any more (and no SIGPIPE). Of a signal both raise.
 * descriptor:want("r" | "w" | "rw" | "") -> true | nil, message, CODE
 *   When it is readable or writable, loop:step returns "descriptor", descriptor, bits (1 readable,
 *   2 writable, 4 the signal came), once for each call of this.
 * descriptor:finish() -> true | nil, message, CODE
 *   Whoever reads at the other end sees the end: of a socket this closes the sending half; else
 *   /dev/null takes the descriptor's place.
 * descriptor:close()  idempotent; also __close and __gc. Everything else raises after it. */
#include "uv_classes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_MOST = 65536,
    WRITE_MOST = 65536,
    PIPE_ROOM = 4096 /* a pipe that says it is writable takes so many without waiting (pipe(7)) */
};

enum kind { SIGNAL, SOCKET, STREAM, FILE_OR_OWN };

struct descriptor {
    struct ltcp_watch *watch; /* NULL: closed */
    enum kind kind;
    int fd;       /* what is read and written */
    int given_fd; /* what the script gave */
    bool own;     /* opened here */
};

/* ---- making -----------------------------------------------------------------------------------
 */

static struct descriptor *push_new(lua_State *L)
{
    struct descriptor *d = lua_newuserdatauv(L, sizeof *d, 1);
    *d = (struct descriptor){.fd = -1, .given_fd = -1};
    luaL_setmetatable(L, BIND_DESCRIPTOR);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1); /* the loop */
    return d;
}

/* The loop's table holds the object on top. */
static void keep(lua_State *L, struct descriptor *d)
{
    ltcp_watch_set_owner(d->watch, d);
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, d);
    lua_pop(L, 1);
}

/* A terminal is shared with others, who want to wait for it: it is opened for us alone. */
static void open_terminal(struct descriptor *d)
{
    char name[128];
    if (!isatty(d->given_fd) || ttyname_r(d->given_fd, name, sizeof name) != 0) return;
    int mode = fcntl(d->given_fd, F_GETFL) & O_ACCMODE;
    int fd = open(name, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return;
    d->fd = fd;
    d->own = true;
    d->kind = FILE_OR_OWN;
}

static enum kind kind_of(int fd)
{
    struct stat about;
    if (fstat(fd, &about) != 0) return STREAM;
    if (S_ISSOCK(about.st_mode)) return SOCKET;
    return S_ISREG(about.st_mode) ? FILE_OR_OWN : STREAM;
}

int bind_loop_descriptor(lua_State *L)
{
    struct bind_loop *loop = bind_check_loop(L, 1);
    lua_Integer fd = luaL_checkinteger(L, 2);
    luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 2, "number of a descriptor expected");
    if (fcntl((int)fd, F_GETFD) == -1)
        return bind_system_failure(L, lua_pushfstring(L, "descriptor %I", (LUAI_UACINT)fd), errno);
    struct descriptor *d = push_new(L);
    d->fd = d->given_fd = (int)fd;
    d->kind = kind_of(d->fd);
    open_terminal(d);
    struct ltcp_loop *l = loop->loop;
    int error = ltcp_watch_descriptor(ltcp_loop_uv(l), ltcp_loop_watches(l), d->fd, &d->watch);
    if (error != 0) {
        if (d->own) close(d->fd);
        return bind_system_failure(L, lua_pushfstring(L, "descriptor %I", (LUAI_UACINT)fd), error);
    }
    keep(L, d);
    return 1;
}

int bind_loop_signal(lua_State *L)
{
    static const char *const names[] = {"INT", "TERM", "HUP", NULL};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct ltcp_loop *loop = bind_check_loop(L, 1)->loop;
    int which = luaL_checkoption(L, 2, NULL, names);
    struct descriptor *d = push_new(L);
    d->kind = SIGNAL;
    struct ltcp_watch *watch;
    int error =
        ltcp_watch_signal(ltcp_loop_uv(loop), ltcp_loop_watches(loop), numbers[which], &watch);
    if (error != 0) return bind_system_failure(L, "signal", error);
    d->watch = watch;
    keep(L, d);
    return 1;
}

bool bind_push_woken(lua_State *L, struct ltcp_loop *loop)
{
    unsigned bits;
    struct ltcp_watch *watch = ltcp_watches_take(ltcp_loop_watches(loop), &bits);
    if (watch == NULL) return false;
    lua_settop(L, 2);
    lua_pushliteral(L, "descriptor");
    lua_getiuservalue(L, 1, 1);
    lua_rawgetp(L, -1, ltcp_watch_owner(watch));
    lua_remove(L, -2);
    lua_pushinteger(L, bits);
    return true;
}

/* ---- methods ----------------------------------------------------------------------------------
 */

static struct descriptor *check(lua_State *L)
{
    struct descriptor *d = luaL_checkudata(L, 1, BIND_DESCRIPTOR);
    if (d->watch == NULL) luaL_error(L, "descriptor is closed");
    return d;
}

static struct descriptor *check_stream(lua_State *L)
{
    struct descriptor *d = check(L);
    luaL_argcheck(L, d->kind != SIGNAL, 1, "a signal can neither be read nor written");
    return d;
}

/* 0: it would not wait; else EAGAIN, or what is wrong. */
static int would_wait(const struct descriptor *d, short events)
{
    struct pollfd entry = {.fd = d->fd, .events = events};
    int ready = poll(&entry, 1, 0);
    if (ready < 0) return errno == EINTR ? EAGAIN : errno;
    if (ready == 0) return EAGAIN;
    return (entry.revents & POLLNVAL) != 0 ? EBADF : 0;
}

static int descriptor_read(lua_State *L)
{
    struct descriptor *d = check_stream(L);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 1 && n <= READ_MOST, 2, "1 to 65536 octets expected");
    int error = would_wait(d, POLLIN);
    if (error != 0) return bind_system_failure(L, "read", error);
    luaL_Buffer b;
    char *room = luaL_buffinitsize(L, &b, (size_t)n);
    ssize_t got = read(d->fd, room, (size_t)n);
    if (got < 0) {
        error = errno == EINTR ? EAGAIN : errno;
        luaL_pushresultsize(&b, 0);
        return bind_system_failure(L, "read", error);
    }
    luaL_pushresultsize(&b, (size_t)got);
    if (got == 0) lua_pushnil(L);
    return 1;
}

/* write(), for which no signal is raised where nobody reads any more. */
static ssize_t write_quietly(int fd, const void *bytes, size_t length)
{
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t wrote = write(fd, bytes, length);
    int error = errno;
    sigpending(&pending);
    int number;
    if (!was_pending && sigismember(&pending, SIGPIPE) == 1) sigwait(&pipe_signal, &number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return wrote;
}

static int descriptor_write(lua_State *L)
{
    struct descriptor *d = check_stream(L);
    size_t length;
    const char *bytes = luaL_checklstring(L, 2, &length);
    lua_Integer offset = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, offset >= 1 && (lua_Unsigned)offset <= length + 1, 3, "out of range");
    bytes += offset - 1;
    length -= (size_t)offset - 1;
    size_t most = d->kind == STREAM ? PIPE_ROOM : WRITE_MOST;
    if (length > most) length = most;
    int error = would_wait(d, POLLOUT);
    if (error != 0) return bind_system_failure(L, "write", error);
    ssize_t wrote = d->kind == SOCKET ? send(d->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                      : write_quietly(d->fd, bytes, length);
    if (wrote < 0)
        return bind_system_failure(L, "write",
                                   errno == EINTR || errno == EWOULDBLOCK ? EAGAIN : errno);
    lua_pushinteger(L, (lua_Integer)wrote);
    return 1;
}

static int descriptor_want(lua_State *L)
{
    struct descriptor *d = check_stream(L);
    const char *how = luaL_checkstring(L, 2);
    luaL_argcheck(L, strspn(how, "rw") == strlen(how), 2, "'r', 'w', 'rw' or '' expected");
    unsigned bits = 0;
    if (strchr(how, 'r') != NULL) bits |= LTCP_WATCH_READ;
    if (strchr(how, 'w') != NULL) bits |= LTCP_WATCH_WRITE;
    int error = ltcp_watch_want(d->watch, bits);
    if (error != 0) return bind_system_failure(L, "want", error);
    lua_pushboolean(L, 1);
    return 1;
}

static int descriptor_finish(lua_State *L)
{
    struct descriptor *d = check_stream(L);
    int error = 0;
    if (d->kind == SOCKET) {
        if (shutdown(d->given_fd, SHUT_WR) != 0 && errno != ENOTCONN) error = errno;
    } else {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (nothing < 0 || dup2(nothing, d->given_fd) < 0) error = errno;
        if (nothing >= 0) close(nothing);
    }
    if (error != 0) return bind_system_failure(L, "finish", error);
    lua_pushboolean(L, 1);
    return 1;
}

static void release(struct descriptor *d)
{
    ltcp_watch_close(d->watch);
    if (d->own) close(d->fd);
    d->watch = NULL;
    d->own = false;
}

void bind_descriptor_detach(struct ltcp_watch *watch)
{
    release(ltcp_watch_owner(watch));
}

static int descriptor_close(lua_State *L)
{
    struct descriptor *d = luaL_checkudata(L, 1, BIND_DESCRIPTOR);
    if (d->watch == NULL) return 0;
    release(d);
    lua_getiuservalue(L, 1, 1);
    lua_getiuservalue(L, -1, 1);
    lua_pushnil(L);
    lua_rawsetp(L, -2, d);
    return 0;
}

static int descriptor_tostring(lua_State *L)
{
    const struct descriptor *d = luaL_checkudata(L, 1, BIND_DESCRIPTOR);
    if (d->watch == NULL)
        lua_pushliteral(L, "lunatcp.Descriptor (closed)");
    else if (d->kind == SIGNAL)
        lua_pushliteral(L, "lunatcp.Descriptor (signal)");
    else
        lua_pushfstring(L, "lunatcp.Descriptor (%d)", d->given_fd);
    return 1;
}

void bind_open_descriptor(lua_State *L)
{
    static const luaL_Reg methods[] = {{"read", descriptor_read},   {"write", descriptor_write},
                                       {"want", descriptor_want},   {"finish", descriptor_finish},
                                       {"close", descriptor_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", descriptor_tostring},
                                    {"__close", descriptor_close},
                                    {"__gc", descriptor_close},
                                    {NULL, NULL}};
    bind_class(L, BIND_DESCRIPTOR, methods, meta);
}
