/* core/socket/ready.c - what a descriptor is ready for, and poll. */
#include "socket/table.h"

#define IN  (LTCP_POLLIN | LTCP_POLLRDNORM)
#define OUT (LTCP_POLLOUT | LTCP_POLLWRNORM)

static uint32_t socket_poll(struct ltcp_sockets *t, ltcp_time now, struct socket *s)
{
    struct ltcp_info info;
    uint32_t mask = 0;
    socket_look(t, now, s, &info);
    if (s->role == ROLE_LISTENING) return socket_waiting(t, s) > 0 ? IN : 0;
    if (s->deferred) return OUT; /* a write is what it waits for */
    if (s->shut == (SHUT_RECEIVE | SHUT_SEND) || info.state == LTCP_CLOSED) mask |= LTCP_POLLHUP;
    if (s->shut & SHUT_RECEIVE) mask |= IN | LTCP_POLLRDHUP;
    if (s->error != 0) mask |= LTCP_POLLERR;
    if (is_opening(&info)) return mask;
    /* The octet out of band does not count. */
    const bool apart = !s->settings.urgent_inline && info.urgent_remaining == 1;
    const uint32_t target = (uint32_t)s->options.receive_low + apart;
    if (socket_readable(s, &info, target)) mask |= IN;
    if (socket_urgent(s, &info)) mask |= LTCP_POLLPRI;
    if ((s->shut & SHUT_SEND) || socket_writable(s, &info))
        mask |= OUT;
    else
        s->no_space = true; /* whoever asked waits for it */
    return mask;
}

uint32_t file_poll(struct ltcp_sockets *t, ltcp_time now, const struct file *f)
{
    switch (f->kind) {
    case FILE_SOCKET: return socket_poll(t, now, f->object);
    case FILE_EPOLL: return epoll_has_ready(t, now, f->object) ? IN : 0;
    default: return pipe_poll(f->object, f->kind == FILE_PIPE_WRITE);
    }
}

const struct wakes *file_wakes(const struct file *f)
{
    static const struct wakes none;
    switch (f->kind) {
    case FILE_SOCKET: return &((const struct socket *)f->object)->wakes;
    case FILE_PIPE_READ:
    case FILE_PIPE_WRITE: return &((const struct pipe *)f->object)->wakes;
    default: return &none;
    }
}

uint32_t ltcp_sockets_poll(struct ltcp_sockets *t, ltcp_time now, int fd)
{
    const struct file *f = table_file(t, fd);
    return f != NULL ? file_poll(t, now, f) : LTCP_POLLNVAL;
}

/* ---- poll -------------------------------------------------------------------------------------
 */

static int64_t poll_all(struct ltcp_sockets *t, ltcp_time now, const struct ltcp_call *call)
{
    const uint32_t always = LTCP_POLLERR | LTCP_POLLHUP | LTCP_POLLNVAL;
    int64_t ready = 0;
    for (size_t i = 0; i < call->count; i++) {
        struct ltcp_pollfd *p = &call->polls[i];
        p->revents = 0;
        if (p->fd < 0) continue;
        p->revents = (uint16_t)(ltcp_sockets_poll(t, now, p->fd) & (p->events | always));
        if (p->revents != 0) ready++;
    }
    return ready;
}

int64_t call_poll(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    if (call->count > (size_t)t->most) return -LTCP_EINVAL;
    if (call->polls == NULL && call->count > 0) return -LTCP_EFAULT;
    const int64_t ready = poll_all(t, now, call);
    if (ready > 0 || call->timeout == 0) return ready;
    const ltcp_time timeout = call->timeout < 0 ? LTCP_NEVER : call->timeout * LTCP_MILLISECOND;
    return call_wait(call, now, timeout) ? CALL_WAITS : 0;
}
