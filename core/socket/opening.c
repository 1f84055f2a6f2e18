/* core/socket/opening.c - socket, bind, listen, accept, connect, and the names of both ends. */
#include <string.h>

#include "socket/table.h"

static int new_descriptor(struct ltcp_sockets *t, struct socket *s, int64_t flags)
{
    const uint32_t status = LTCP_O_RDWR | ((flags & LTCP_SOCK_NONBLOCK) ? LTCP_O_NONBLOCK : 0);
    return table_open(t, FILE_SOCKET, s, status, (flags & LTCP_SOCK_CLOEXEC) != 0);
}

int64_t call_socket(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    const int64_t domain = call->arg[0], protocol = call->arg[2];
    const int64_t flags = call->arg[1] & ~INT64_C(15), type = call->arg[1] & 15;
    (void)now;
    if (flags & ~(int64_t)(LTCP_SOCK_NONBLOCK | LTCP_SOCK_CLOEXEC)) return -LTCP_EINVAL;
    if (domain != LTCP_AF_INET && domain != LTCP_AF_INET6) return -LTCP_EAFNOSUPPORT;
    if (type == 0 || type > LTCP_SOCK_RAW) return -LTCP_EINVAL;
    if (type != LTCP_SOCK_STREAM) return -LTCP_ESOCKTNOSUPPORT;
    if (protocol != 0 && protocol != LTCP_IPPROTO_TCP) return -LTCP_EPROTONOSUPPORT;
    struct socket *s = socket_create(t, (uint16_t)domain);
    if (s == NULL) return -LTCP_ENOMEM;
    const int fd = new_descriptor(t, s, flags);
    if (fd < 0) socket_destroy(t, s);
    return fd;
}

/* ---- addresses --------------------------------------------------------------------------------
 */

static uint32_t least_length(const struct socket *s)
{
    return s->domain == LTCP_AF_INET6 ? 24 : 16; /* RFC 2133's struct had no scope */
}

/* Whether the socket's family may speak to or from the address. */
static bool suits(const struct socket *s, const struct ltcp_address *a)
{
    static const struct ltcp_address none;
    if (ltcp_address_equal(a, &none)) return true;
    if (s->domain == LTCP_AF_INET) return ltcp_address_is_v4(a);
    return !s->options.only_v6 || !ltcp_address_is_v4(a);
}

static bool is_local(const struct ltcp_sockets *t, const struct ltcp_address *a)
{
    struct ltcp_address own;
    uint32_t interface_number;
    for (size_t i = 0; ltcp_host_address(t->host, i, &own, &interface_number); i++)
        if (ltcp_address_equal(&own, a)) return true;
    return false;
}

/* ---- bind, listen -----------------------------------------------------------------------------
 */

int64_t call_bind(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct socket *s = table_socket(t, call->fd, &error);
    const struct ltcp_sockaddr *a = &call->address;
    (void)now;
    if (s == NULL) return error;
    if (a->length == 0) return -LTCP_EFAULT;
    if (a->length < least_length(s)) return -LTCP_EINVAL;
    const bool unspecified = s->domain == LTCP_AF_INET && a->family == LTCP_AF_UNSPEC &&
                             ltcp_address_is_unspecified(&a->address);
    if (a->family != s->domain && !unspecified) return -LTCP_EAFNOSUPPORT;
    if (!suits(s, &a->address))
        return s->domain == LTCP_AF_INET ? -LTCP_EAFNOSUPPORT : -LTCP_EINVAL;
    if (ltcp_address_is_multicast(&a->address)) return -LTCP_EADDRNOTAVAIL;
    if (!ltcp_address_is_unspecified(&a->address) && !is_local(t, &a->address) &&
        !s->options.free_bind && !s->options.transparent)
        return -LTCP_EADDRNOTAVAIL;
    if (s->bound || s->role != ROLE_IDLE) return -LTCP_EINVAL;
    uint16_t port = a->port;
    if (port == 0) port = socket_choose_port(t, s, &a->address);
    if (port == 0 || !socket_may_bind(t, s, &a->address, port)) return -LTCP_EADDRINUSE;
    sockaddr_of(&s->local, s->domain, &a->address, port);
    socket_bind(t, s);
    return 0;
}

static int bind_anywhere(struct ltcp_sockets *t, struct socket *s)
{
    static const struct ltcp_address mapped = {{[10] = 0xff, [11] = 0xff}}, none;
    const struct ltcp_address *any = s->domain == LTCP_AF_INET ? &mapped : &none;
    const uint16_t port = socket_choose_port(t, s, any);
    if (port == 0) return -LTCP_EADDRINUSE;
    sockaddr_of(&s->local, s->domain, any, port);
    socket_bind(t, s);
    return 0;
}

static uint32_t backlog_of(int64_t backlog)
{
    return (uint32_t)(backlog < 0 || backlog > LTCP_SOMAXCONN ? LTCP_SOMAXCONN : backlog);
}

int64_t call_listen(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) return error;
    if (s->role == ROLE_LISTENING) return 0; /* the engine keeps the first backlog */
    if (s->role != ROLE_IDLE) return -LTCP_EINVAL;
    s->backlog = backlog_of(call->arg[0]);
    if (!s->bound && (error = bind_anywhere(t, s)) < 0) return error;
    if (socket_has_rival(t, s)) return -LTCP_EADDRINUSE;
    fast_open_refresh(t, s);
    const struct ltcp_open open = {.local = s->local.address,
                                   .local_port = s->local.port,
                                   .backlog = s->backlog + 1, /* the queue holds one more */
                                   .settings = &s->settings};
    const enum ltcp_status status = ltcp_listen(t->host, now, &open, &s->handle);
    if (status != LTCP_OK) return -ltcp_errno_of(status);
    s->role = ROLE_LISTENING;
    fast_open_hand_over(t, s);
    s->shut = 0;
    s->error = 0;
    return 0;
}

/* ---- accept -----------------------------------------------------------------------------------
 */

/* A child has its parent's options; the engine gave it the settings of that moment. */
static struct socket *child_of(struct ltcp_sockets *t, const struct socket *parent,
                               ltcp_handle handle)
{
    struct socket *s = socket_create(t, parent->domain);
    if (s == NULL) return NULL;
    s->handle = handle;
    s->options = parent->options;
    s->options.defer_accept = 0;
    s->signs = parent->signs;
    s->not_sent_low = parent->not_sent_low;
    if (ltcp_settings_of(t->host, handle, &s->settings) != LTCP_OK) s->settings = parent->settings;
    s->local = parent->local;
    s->role = ROLE_CONNECTED;
    return s;
}

int64_t call_accept(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct socket *s = table_socket(t, call->fd, &error);
    const int64_t flags = call->op == LTCP_CALL_ACCEPT4 ? call->arg[0] : 0;
    if (flags & ~(int64_t)(LTCP_SOCK_NONBLOCK | LTCP_SOCK_CLOEXEC)) return -LTCP_EINVAL;
    if (s == NULL) return error;
    if (s->role != ROLE_LISTENING) return -LTCP_EINVAL;
    const ltcp_handle handle = socket_take(t, s);
    if (handle == 0) {
        if (table_file(t, call->fd)->status & LTCP_O_NONBLOCK) return -LTCP_EAGAIN;
        return call_wait(call, now, s->options.receive_timeout) ? CALL_WAITS : -LTCP_EAGAIN;
    }
    s->seen_waiting = socket_waiting(t, s);
    struct socket *child = child_of(t, s, handle);
    const int fd = child != NULL ? new_descriptor(t, child, flags) : -LTCP_ENOMEM;
    if (fd < 0) {
        ltcp_abort(t->host, now, handle);
        ltcp_release(t->host, handle);
        if (child != NULL) socket_destroy(t, child);
        return fd;
    }
    struct ltcp_info info;
    socket_look(t, now, child, &info);
    child->wakes = (struct wakes){0};
    sockaddr_of(&call->address, s->domain, &info.remote, info.remote_port);
    return fd;
}

/* ---- connect ----------------------------------------------------------------------------------
 */

/* The connection that did not come about is let go; the socket can connect again. */
static void give_up(struct ltcp_sockets *t, ltcp_time now, struct socket *s)
{
    ltcp_close(t->host, now, s->handle);
    ltcp_release(t->host, s->handle);
    s->handle = 0;
    s->role = ROLE_IDLE;
    s->died = false;
    s->shut = 0;
}

static int errno_of_connect(enum ltcp_status status)
{
    switch (status) {
    case LTCP_ERR_ADDRESS: return LTCP_ENETUNREACH; /* a group, or everybody */
    case LTCP_ERR_CONNECTED: return LTCP_EADDRNOTAVAIL;
    default: return ltcp_errno_of(status);
    }
}

int socket_connect(struct ltcp_sockets *t, ltcp_time now, struct socket *s,
                   const struct ltcp_sockaddr *to, const void *fast_open, size_t length,
                   size_t waiting)
{
    if (to->family != s->domain) return -LTCP_EAFNOSUPPORT;
    if (to->length < least_length(s)) return -LTCP_EINVAL;
    if (!suits(s, &to->address))
        return s->domain == LTCP_AF_INET ? -LTCP_EAFNOSUPPORT : -LTCP_ENETUNREACH;
    fast_open_refresh(t, s);
    struct ltcp_open open = {.remote = to->address,
                             .remote_port = to->port,
                             .settings = &s->settings,
                             .fast_open = fast_open,
                             .fast_open_length = length,
                             .fast_open_waiting = waiting};
    if (s->bound) {
        open.local_port = s->local.port;
        if (!ltcp_address_is_unspecified(&s->local.address)) open.local = s->local.address;
    }
    const enum ltcp_status status = ltcp_connect(t->host, now, &open, &s->handle);
    if (status != LTCP_OK) return -errno_of_connect(status);
    signature_ao_begin(t, s);
    s->role = ROLE_CONNECTING;
    s->died = false;
    s->shut = 0;
    s->error = 0;
    struct ltcp_info info;
    socket_look(t, now, s, &info);
    return 0;
}

/* AF_UNSPEC dissolves what there is. */
static int64_t disconnect(struct ltcp_sockets *t, ltcp_time now, struct socket *s)
{
    if (s->handle != 0) {
        ltcp_abort(t->host, now, s->handle);
        if (s->role != ROLE_LISTENING) ltcp_release(t->host, s->handle);
    }
    s->handle = 0;
    s->deferred = false;
    s->role = ROLE_IDLE;
    s->shut = 0;
    s->error = 0;
    s->died = false;
    s->wakes.all++;
    return 0;
}

/* With TCP_FASTOPEN_CONNECT the SYN asks for a cookie, or waits for the data to send. */
static int connect_or_defer(struct ltcp_sockets *t, ltcp_time now, struct socket *s,
                            const struct ltcp_sockaddr *to)
{
    if (to->family == s->domain && suits(s, &to->address) && fast_open_defers(t, s, to)) {
        s->deferred = true;
        s->deferred_to = *to;
        s->role = ROLE_CONNECTING;
        s->wakes.all++;
        return 0;
    }
    const bool asks = s->options.fast_open_connect && fast_open_is_on(t);
    return socket_connect(t, now, s, to, asks ? "" : NULL, 0, 0);
}

int64_t call_connect(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct ltcp_info info;
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) return error;
    if (call->address.length == 0) return -LTCP_EFAULT;
    if (call->address.length < 2) return -LTCP_EINVAL;
    if (call->address.family == LTCP_AF_UNSPEC) return disconnect(t, now, s);
    enum { BEGAN_BEFORE, BEGUN_HERE };
    if (call->progress.stage == 0) {
        if (s->role == ROLE_CONNECTED || s->role == ROLE_LISTENING || s->deferred)
            return -LTCP_EISCONN;
        call->progress.stage = 1 + BEGAN_BEFORE;
        if (s->role == ROLE_IDLE) {
            error = connect_or_defer(t, now, s, &call->address);
            if (error < 0) return error;
            if (s->deferred) return 0;
            call->progress.stage = 1 + BEGUN_HERE;
        }
    }
    socket_look(t, now, s, &info);
    if (info.state == LTCP_SYN_SENT || info.state == LTCP_SYN_RECEIVED) {
        const bool here = call->progress.stage == 1 + BEGUN_HERE;
        if (!(table_file(t, call->fd)->status & LTCP_O_NONBLOCK) &&
            call_wait(call, now, s->options.send_timeout))
            return CALL_WAITS;
        return here ? -LTCP_EINPROGRESS : -LTCP_EALREADY;
    }
    if (info.state == LTCP_CLOSED) {
        error = socket_take_error(s);
        give_up(t, now, s);
        return error < 0 ? error : -LTCP_ECONNABORTED;
    }
    s->role = ROLE_CONNECTED;
    return 0;
}

/* ---- getsockname, getpeername -----------------------------------------------------------------
 */

int64_t call_name(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct ltcp_info info;
    struct socket *s = table_socket(t, call->fd, &error);
    static const struct ltcp_address mapped = {{[10] = 0xff, [11] = 0xff}}, none;
    if (s == NULL) return error;
    socket_look(t, now, s, &info);
    const bool connection = s->handle != 0 && s->role != ROLE_LISTENING;
    if (call->op == LTCP_CALL_GETPEERNAME) {
        if (!connection || info.state == LTCP_CLOSED || info.state == LTCP_SYN_SENT)
            return -LTCP_ENOTCONN;
        sockaddr_of(&call->address, s->domain, &info.remote, info.remote_port);
    } else if (connection) {
        sockaddr_of(&call->address, s->domain, &info.local, info.local_port);
    } else if (s->bound) {
        call->address = s->local;
    } else {
        sockaddr_of(&call->address, s->domain, s->domain == LTCP_AF_INET ? &mapped : &none, 0);
    }
    return 0;
}
