/* core/socket/closing.c - close, with SO_LINGER, and shutdown. */
#include "socket/table.h"

/* ---- close ------------------------------------------------------------------------------------
 */

static void close_listener(struct ltcp_sockets *t, ltcp_time now, struct socket *s)
{
    ltcp_close(t->host, now, s->handle);
    s->handle = 0;
    s->role = ROLE_IDLE;
}

/* SO_LINGER with a time of 0 drops the connection at once. */
static void close_connection(struct ltcp_sockets *t, ltcp_time now, const struct socket *s)
{
    if (s->options.linger_on && s->options.linger_seconds == 0)
        ltcp_abort(t->host, now, s->handle);
    else
        ltcp_close(t->host, now, s->handle);
    table_orphan(t, s);
}

static void close_socket(struct ltcp_sockets *t, ltcp_time now, struct socket *s)
{
    if (s->role == ROLE_LISTENING)
        close_listener(t, now, s);
    else if (s->handle != 0)
        close_connection(t, now, s);
    socket_destroy(t, s);
}

void file_close(struct ltcp_sockets *t, ltcp_time now, int fd)
{
    const struct file f = t->files[fd];
    table_free(t, fd);
    switch (f.kind) {
    case FILE_SOCKET: close_socket(t, now, f.object); break;
    case FILE_EPOLL: epoll_destroy(t, f.object); break;
    default: pipe_close(t, f.object, f.kind == FILE_PIPE_WRITE); break;
    }
}

/* What SO_LINGER waits for: that the peer has acknowledged the FIN and so all before it. */
static bool still_closing(const struct ltcp_sockets *t, ltcp_handle handle)
{
    struct ltcp_info info;
    if (ltcp_info(t->host, handle, &info) != LTCP_OK) return false;
    return info.state != LTCP_CLOSED && info.state != LTCP_TIME_WAIT &&
           info.state != LTCP_FIN_WAIT_2;
}

int64_t call_close(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    if (call->progress.stage == 0) {
        const struct file *f = table_file(t, call->fd);
        if (f == NULL) return -LTCP_EBADF;
        const struct socket *s = f->kind == FILE_SOCKET ? f->object : NULL;
        const bool lingers = s != NULL && s->role != ROLE_LISTENING && s->options.linger_on &&
                             s->options.linger_seconds > 0;
        call->progress.object = lingers ? s->handle : 0;
        call->progress.moved = lingers ? (size_t)s->options.linger_seconds : 0;
        call->progress.stage = 1;
        file_close(t, now, call->fd);
    }
    if (call->progress.object == 0 || !still_closing(t, call->progress.object)) return 0;
    const ltcp_time linger = (ltcp_time)call->progress.moved * LTCP_SECOND;
    return call_wait(call, now, linger) ? CALL_WAITS : 0;
}

/* ---- shutdown ---------------------------------------------------------------------------------
 */

int64_t call_shutdown(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct ltcp_info info;
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) return error;
    if (call->arg[0] < LTCP_SHUT_RD || call->arg[0] > LTCP_SHUT_RDWR) return -LTCP_EINVAL;
    const unsigned how = (unsigned)call->arg[0] + 1; /* SHUT_RECEIVE, SHUT_SEND, both */
    if (s->role == ROLE_LISTENING) {
        if (how & SHUT_RECEIVE) close_listener(t, now, s); /* bound as before */
        return 0;
    }
    socket_look(t, now, s, &info);
    if (info.state == LTCP_CLOSED) return -LTCP_ENOTCONN;
    const bool opening = info.state == LTCP_SYN_SENT;
    s->shut |= (uint8_t)how;
    s->wakes.all++;
    if (how & SHUT_SEND) ltcp_shutdown(t->host, now, s->handle);
    if (!opening) return 0;
    /* A connection that is not there yet is dropped. */
    ltcp_abort(t->host, now, s->handle);
    ltcp_release(t->host, s->handle);
    s->handle = 0;
    s->role = ROLE_IDLE;
    s->error = LTCP_ECONNRESET;
    return 0;
}
