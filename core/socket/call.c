/* core/socket/call.c - stepping a call: which function runs it, and when it gives up. */
#include "socket/table.h"

static const call_fn functions[LTCP_CALL_COUNT] = {
    [LTCP_CALL_SOCKET] = call_socket,
    [LTCP_CALL_BIND] = call_bind,
    [LTCP_CALL_LISTEN] = call_listen,
    [LTCP_CALL_ACCEPT] = call_accept,
    [LTCP_CALL_ACCEPT4] = call_accept,
    [LTCP_CALL_CONNECT] = call_connect,
    [LTCP_CALL_GETSOCKNAME] = call_name,
    [LTCP_CALL_GETPEERNAME] = call_name,
    [LTCP_CALL_READ] = call_receive,
    [LTCP_CALL_READV] = call_receive,
    [LTCP_CALL_RECV] = call_receive,
    [LTCP_CALL_RECVFROM] = call_receive,
    [LTCP_CALL_RECVMSG] = call_receive,
    [LTCP_CALL_WRITE] = call_send,
    [LTCP_CALL_WRITEV] = call_send,
    [LTCP_CALL_SEND] = call_send,
    [LTCP_CALL_SENDTO] = call_send,
    [LTCP_CALL_SENDMSG] = call_send,
    [LTCP_CALL_FCNTL] = call_fcntl,
    [LTCP_CALL_IOCTL] = call_ioctl,
    [LTCP_CALL_CLOSE] = call_close,
    [LTCP_CALL_SHUTDOWN] = call_shutdown,
    [LTCP_CALL_GETSOCKOPT] = call_getsockopt,
    [LTCP_CALL_SETSOCKOPT] = call_setsockopt,
    [LTCP_CALL_POLL] = call_poll,
    [LTCP_CALL_EPOLL_CREATE] = call_epoll_create,
    [LTCP_CALL_EPOLL_CTL] = call_epoll_ctl,
    [LTCP_CALL_EPOLL_WAIT] = call_epoll_wait,
    [LTCP_CALL_PIPE] = call_pipe,
    [LTCP_CALL_SPLICE] = call_splice,
};

bool call_wait(struct ltcp_call *call, ltcp_time now, ltcp_time timeout)
{
    if (call->deadline == LTCP_NEVER && timeout != LTCP_NEVER)
        call->deadline = timeout < LTCP_NEVER - now ? now + timeout : LTCP_NEVER;
    return now < call->deadline;
}

uint8_t *call_piece(const struct ltcp_call *call, size_t moved, size_t *left)
{
    for (size_t i = 0; i < call->iov_count; i++) {
        if (moved < call->iov[i].length) {
            *left = call->iov[i].length - moved;
            uint8_t *base = call->iov[i].base;
            return base != NULL ? base + moved : NULL;
        }
        moved -= call->iov[i].length;
    }
    *left = 0;
    return NULL;
}

bool call_points_nowhere(const struct ltcp_call *call)
{
    for (size_t i = 0; i < call->iov_count; i++)
        if (call->iov[i].base == NULL && call->iov[i].length > 0) return true;
    return false;
}

/* The descriptor that a call waits for; a call that was begun holds on to that very opening. */
static bool same_descriptor(const struct ltcp_sockets *t, const struct ltcp_call *call)
{
    const struct file *f = table_file(t, call->fd);
    return f != NULL && f->serial == call->progress.serial;
}

static bool has_descriptor(enum ltcp_call_op op)
{
    return op != LTCP_CALL_SOCKET && op != LTCP_CALL_POLL && op != LTCP_CALL_EPOLL_CREATE &&
           op != LTCP_CALL_PIPE && op != LTCP_CALL_CLOSE;
}

bool ltcp_call_step(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    if (call->done) return true;
    int64_t result = CALL_WAITS;
    if ((unsigned)call->op >= LTCP_CALL_COUNT) {
        result = -LTCP_ENOSYS;
    } else if (!call->progress.begun) {
        const struct file *f = table_file(t, call->fd);
        call->progress.begun = true;
        call->progress.serial = f != NULL ? f->serial : 0;
        call->deadline = LTCP_NEVER;
    } else if (has_descriptor(call->op) && !same_descriptor(t, call)) {
        result = call->progress.moved > 0 ? (int64_t)call->progress.moved : -LTCP_EBADF;
    }
    if (result == CALL_WAITS) result = functions[call->op](t, now, call);
    if (result == CALL_WAITS) return false;
    call->result = result;
    call->done = true;
    return true;
}
