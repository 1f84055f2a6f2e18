/* bindings/socket.c - the socket layer of the core (lunatcp/socket.h) as a class.
 *
 *   sockets = host:sockets{ first = 3, most = 1024, not_sent_low = 0 }   -- host: a core host;
 *                                                     the table is optional (see socket.h)
 *   call = sockets:call(name, ...)                     -- starts the call and steps it once
 *   call:done()      -> boolean
 *   call:step()      -> boolean: goes on with a call that would block; true once it is done
 *   call:deadline()  -> seconds, nil: the call ends by itself then, so step it (SO_RCVTIMEO, poll)
 *   call:result()    -> integer, code, text, outputs: what the call returned (-1 when it failed,
 *                       then code = "EAGAIN" and text = "Resource temporarily unavailable"; both
 *                       nil otherwise) and a table of what it filled in. nil while it is not done.
 *
 * Integers among the arguments may be names of constants, joined by "|": "O_RDWR|O_NONBLOCK".
 * An address is { family = "AF_INET", address = "10.0.0.1", port = 80 } (family is taken from the
 * text when it is left out; `length` overrides sizeof), or nil for a NULL pointer. Data to be sent
 * is a string, or an integer n for n zero octets; { null = n } in its place, or in the place of a
 * length to be read, is a NULL pointer. By name:
 *
 *   socket(domain, type, protocol)            bind(fd, address)       listen(fd, backlog)
 *   accept(fd) accept4(fd, flags)             outputs.address
 *   connect(fd, address)                      getsockname(fd) getpeername(fd)   outputs.address
 *   read(fd, n) readv(fd, {n, ...}) recv(fd, n, flags)                outputs.data
 *   recvfrom(fd, n, flags)                    outputs.data, .address (nil: none)
 *   recvmsg(fd, {n, ...}, flags [, room])     outputs.data, .flags, .controls =
 *                                             { { level =, type =, value = }, ... }
 *   write(fd, data) writev(fd, {data, ...}) send(fd, data, flags)
 *   sendto(fd, data, flags, address)          sendmsg(fd, {data, ...}, flags [, address])
 *   fcntl(fd, command [, argument])           ioctl(fd, request [, value])      outputs.value
 *   close(fd)                                 shutdown(fd, how)
 *   getsockopt(fd, level, name [, length])    outputs.data, .length, .value (an integer, where it
 *                                             has 1, 4 or 8 octets), .linger, .time, .info
 *   setsockopt(fd, level, name, value [, length])   value: integer, string of octets,
 *                                             { onoff =, linger = } or { sec =, usec = }
 *   poll({ { fd =, events = }, ... }, timeout_ms)   outputs.polls[i].revents
 *   epoll_create(size)  epoll_ctl(epfd, operation, fd, { events =, data = })
 *   epoll_wait(epfd, maxevents, timeout_ms)   outputs.events = { { events =, data = }, ... }
 *   pipe()                                    outputs.fds = { read end, write end }
 *   splice(fd_in, fd_out, length, flags)
 *
 *   sockets:poll(fd)       -> bits that are true now (POLLIN ...), without a call
 *   sockets:tcp_info(fd)   -> table of TCP_INFO's fields by their names without "tcpi_" (wscales
 *                             split into snd_wscale and rcv_wscale, `bits` into
 *                             delivery_rate_app_limited, `accecn` into ecn_mode, accecn_opt_seen,
 *                             accecn_fail_mode, options2); nil, text, code
 *   sockets:info(fd)       -> as connection:info of the engine's connection behind it, or nil
 *   sockets:descriptors()  -> array of open descriptors
 *   sockets:renumber(from, to) -> true; nil, text, code
 *   sockets:advance()      looks at what time has made of the connections (epoll's edges)
 *   sockets:drain()        -> boolean: takes all events of the host, so that net:step goes on
 *                             (it says "events" until somebody took them); true if there were any
 *   sockets:close()        -> closes every descriptor, as the end of a process does
 *   core.socket_constants  -> table: name -> number, errno names not among them
 *   core.socket_errno      -> table: name -> number
 *   core.socket_errno_text -> table: name -> what strerror says
 *
 * After anything but "drain", run net:step (the host may have packets to send); step calls that are
 * not done whenever net:step has returned "events" or the deadline has come. */
#include "binding.h"
#include "explore.h"
#include "socket.h"

#include <string.h>

/* ---- tables of descriptors ------------------------------------------------------------------ */

struct bind_sockets *bind_check_sockets(lua_State *L, int index)
{
    struct bind_sockets *object = luaL_checkudata(L, index, BIND_SOCKETS);
    bind_check_open(L, object->net);
    return object;
}

/* The network ends: what its tables hold is given back before its memory is. */
void bind_sockets_detach(struct bind_network *net)
{
    while (net->sockets != NULL) {
        struct bind_sockets_record *record = net->sockets;
        net->sockets = record->next;
        ltcp_sockets_destroy(record->table, ltcp_network_now(net->network));
        bind_resize(net, record, sizeof *record, 0);
    }
}

/* It is the network's from the start: a script that forgets it does nothing to the wire. */
static struct bind_sockets_record *new_record(const struct bind_node *node,
                                              const struct ltcp_sockets_config *config)
{
    struct bind_network *net = node->net;
    struct bind_sockets_record *record = bind_resize(net, NULL, 0, sizeof *record);
    if (record == NULL) return NULL;
    record->table = ltcp_sockets_create(config);
    if (record->table == NULL) {
        bind_resize(net, record, sizeof *record, 0);
        return NULL;
    }
    record->node = node->id;
    record->next = net->sockets;
    net->sockets = record;
    return record;
}

int bind_sockets(lua_State *L)
{
    static const char *const known[] = {"first", "most", "not_sent_low", NULL};
    const struct bind_node *node = bind_check_host(L, 1);
    struct bind_options o;
    bind_options_open(&o, L, 2, 2, "", known, 0);
    struct ltcp_sockets_config config = {.host = bind_host_of(node), .pool = node->net->pool};
    config.first = (int)bind_option_integer(&o, "first", 3, 1, 1 << 20);
    config.most = (int)bind_option_integer(&o, "most", 1024, config.first + 1, 1 << 20);
    config.not_sent_low = (uint32_t)bind_option_integer(&o, "not_sent_low", 0, 0, UINT32_MAX);
    struct bind_sockets *object = lua_newuserdatauv(L, sizeof *object, 1);
    *object = (struct bind_sockets){.net = node->net};
    lua_pushvalue(L, 1); /* which keeps the network */
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, BIND_SOCKETS);
    object->record = new_record(node, &config);
    return object->record != NULL ? 1 : bind_failure(L, LTCP_ERR_NO_MEMORY);
}

static ltcp_time now_of(const struct bind_sockets *object)
{
    return ltcp_network_now(object->net->network);
}

/* ---- methods beside calls ------------------------------------------------------------------- */

static int failure(lua_State *L, int error)
{
    lua_pushnil(L);
    lua_pushstring(L, ltcp_errno_text(-error));
    lua_pushstring(L, ltcp_errno_name(-error));
    return 3;
}

static int sockets_poll(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    const int fd = (int)luaL_checkinteger(L, 2);
    const uint32_t bits = ltcp_sockets_poll(object->record->table, now_of(object), fd);
    bind_explore_saw(object->net, BIND_SAW_COUNT, &bits, sizeof bits);
    lua_pushinteger(L, bits);
    return 1;
}

static int sockets_tcp_info(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    struct ltcp_tcp_info info;
    const int error = ltcp_sockets_tcp_info(object->record->table, now_of(object),
                                            (int)luaL_checkinteger(L, 2), &info);
    if (error < 0) return failure(L, error);
    bind_explore_saw(object->net, BIND_SAW_INFO, &info, sizeof info);
    bind_push_tcp_info(L, &info);
    return 1;
}

static int sockets_info(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    const ltcp_handle handle =
        ltcp_sockets_handle(object->record->table, (int)luaL_checkinteger(L, 2));
    struct ltcp_info info;
    struct ltcp_host *host = object->net->nodes[object->record->node].host;
    if (handle == 0 || ltcp_info(host, handle, &info) != LTCP_OK) {
        lua_pushnil(L);
        return 1;
    }
    bind_explore_saw_info(object->net, &info, true);
    bind_push_info(L, &info);
    return 1;
}

static int sockets_descriptors(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    int fd;
    lua_newtable(L);
    for (size_t i = 0; (fd = ltcp_sockets_at(object->record->table, i)) >= 0; i++) {
        lua_pushinteger(L, fd);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int sockets_renumber(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    const lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    luaL_argcheck(L, to >= 0 && to < 1 << 20, 3, "descriptor out of range");
    const int error = ltcp_sockets_renumber(object->record->table, (int)from, (int)to);
    if (error < 0) return failure(L, error);
    lua_pushboolean(L, true);
    return 1;
}

static int sockets_advance(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    ltcp_sockets_advance(object->record->table, now_of(object));
    ltcp_network_touch(object->net->network, object->record->node);
    return 0;
}

static int sockets_drain(lua_State *L)
{
    const struct bind_sockets *object = bind_check_sockets(L, 1);
    struct ltcp_host *host = object->net->nodes[object->record->node].host;
    struct ltcp_event event;
    bool any = false;
    while (ltcp_host_next_event(host, &event))
        any = true;
    lua_pushboolean(L, any);
    return 1;
}

static int sockets_close(lua_State *L)
{
    struct bind_sockets *object = luaL_checkudata(L, 1, BIND_SOCKETS);
    if (object->net->network == NULL) return 0;
    struct ltcp_sockets *table = object->record->table;
    int fd;
    while ((fd = ltcp_sockets_at(table, 0)) >= 0) {
        struct ltcp_call call = {.op = LTCP_CALL_CLOSE, .fd = fd};
        ltcp_call_step(table, now_of(object), &call);
    }
    ltcp_network_touch(object->net->network, object->record->node);
    return 0;
}

static int sockets_tostring(lua_State *L)
{
    const struct bind_sockets *object = luaL_checkudata(L, 1, BIND_SOCKETS);
    int open = 0;
    if (object->net->network != NULL)
        while (ltcp_sockets_at(object->record->table, (size_t)open) >= 0)
            open++;
    lua_pushfstring(L, "sockets (%d open)", open);
    return 1;
}

/* ---- words ---------------------------------------------------------------------------------- */

static void set_constants(lua_State *L)
{
    const struct ltcp_constant *constant;
    lua_newtable(L);
    for (size_t i = 0; (constant = ltcp_constant_at(i)) != NULL; i++) {
        lua_pushinteger(L, constant->value);
        lua_setfield(L, -2, constant->name);
    }
    lua_setfield(L, -2, "socket_constants");
}

static void set_errno(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
#define ERRNO_FIELD(name, number, text)                                                            \
    lua_pushinteger(L, number);                                                                    \
    lua_setfield(L, -3, #name);                                                                    \
    lua_pushliteral(L, text);                                                                      \
    lua_setfield(L, -2, #name);
    LTCP_ERRNO_LIST(ERRNO_FIELD)
#undef ERRNO_FIELD
    lua_setfield(L, -3, "socket_errno_text");
    lua_pushinteger(L, LTCP_EAGAIN);
    lua_setfield(L, -2, "EWOULDBLOCK");
    lua_setfield(L, -2, "socket_errno");
}

void bind_open_sockets(lua_State *L)
{
    static const luaL_Reg methods[] = {{"call", bind_sockets_call},
                                       {"poll", sockets_poll},
                                       {"tcp_info", sockets_tcp_info},
                                       {"info", sockets_info},
                                       {"descriptors", sockets_descriptors},
                                       {"renumber", sockets_renumber},
                                       {"advance", sockets_advance},
                                       {"drain", sockets_drain},
                                       {"close", sockets_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__close", sockets_close}, {"__tostring", sockets_tostring}, {NULL, NULL}};
    bind_class(L, BIND_SOCKETS, methods, meta);
    bind_open_calls(L);
    set_constants(L);
    set_errno(L);
}
