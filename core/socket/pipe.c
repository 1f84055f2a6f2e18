/* core/socket/pipe.c - pipes, and splice between one and a socket. */
#include <string.h>

#include "socket/table.h"

size_t pipe_put(struct pipe *p, const void *bytes, size_t length)
{
    size_t n = PIPE_ROOM - p->count;
    if (n > length) n = length;
    const uint32_t at = (p->head + p->count) % PIPE_ROOM;
    const size_t first = n < PIPE_ROOM - at ? n : PIPE_ROOM - at;
    memcpy(p->ring + at, bytes, first);
    memcpy(p->ring, (const uint8_t *)bytes + first, n - first);
    p->count += (uint32_t)n;
    if (n > 0) p->wakes.in++;
    return n;
}

size_t pipe_take(struct pipe *p, void *out, size_t room)
{
    const size_t n = room < p->count ? room : p->count;
    const size_t first = n < PIPE_ROOM - p->head ? n : PIPE_ROOM - p->head;
    memcpy(out, p->ring + p->head, first);
    memcpy((uint8_t *)out + first, p->ring, n - first);
    p->head = (uint32_t)((p->head + n) % PIPE_ROOM);
    p->count -= (uint32_t)n;
    if (n > 0) p->wakes.out++;
    return n;
}

uint32_t pipe_poll(const struct pipe *p, bool write_end)
{
    uint32_t mask = 0;
    if (write_end) {
        if (PIPE_ROOM - p->count >= PIPE_ATOMIC) mask |= LTCP_POLLOUT | LTCP_POLLWRNORM;
        if (!p->reader) mask |= LTCP_POLLERR;
    } else {
        if (p->count > 0) mask |= LTCP_POLLIN | LTCP_POLLRDNORM;
        if (!p->writer) mask |= LTCP_POLLHUP;
    }
    return mask;
}

void pipe_close(struct ltcp_sockets *t, struct pipe *p, bool write_end)
{
    if (write_end)
        p->writer = false;
    else
        p->reader = false;
    p->wakes.all++;
    if (p->reader || p->writer) return;
    table_resize(t, p->ring, PIPE_ROOM, 0);
    table_resize(t, p, sizeof *p, 0);
}

int64_t call_pipe(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    struct pipe *p = table_zeroed(t, sizeof *p);
    (void)now;
    if (p == NULL) return -LTCP_ENOMEM;
    p->ring = table_resize(t, NULL, 0, PIPE_ROOM);
    if (p->ring == NULL) {
        table_resize(t, p, sizeof *p, 0);
        return -LTCP_ENOMEM;
    }
    p->reader = p->writer = true;
    const int reader = table_open(t, FILE_PIPE_READ, p, LTCP_O_RDONLY, false);
    const int writer =
        reader < 0 ? reader : table_open(t, FILE_PIPE_WRITE, p, LTCP_O_WRONLY, false);
    if (writer < 0) {
        if (reader >= 0) table_free(t, reader);
        table_resize(t, p->ring, PIPE_ROOM, 0);
        table_resize(t, p, sizeof *p, 0);
        return writer;
    }
    call->fds[0] = reader;
    call->fds[1] = writer;
    return 0;
}

/* ---- read and write ---------------------------------------------------------------------------
 */

static bool may_wait(const struct ltcp_sockets *t, int fd)
{
    return !(table_file(t, fd)->status & LTCP_O_NONBLOCK);
}

static int64_t pipe_read(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call,
                         struct pipe *p, size_t length)
{
    size_t moved = 0, left;
    uint8_t *to;
    if (length == 0) return 0;
    while (p->count > 0 && (to = call_piece(call, moved, &left)) != NULL)
        moved += pipe_take(p, to, left);
    if (moved > 0) return (int64_t)moved;
    if (!p->writer) return 0;
    if (may_wait(t, call->fd) && call_wait(call, now, LTCP_NEVER)) return CALL_WAITS;
    return -LTCP_EAGAIN;
}

/* What fits into PIPE_ATOMIC is written whole or not at all. */
static int64_t pipe_write(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call,
                          struct pipe *p, size_t length)
{
    size_t left;
    const uint8_t *from;
    if (length == 0) return 0;
    if (!p->reader) return call->progress.moved > 0 ? (int64_t)call->progress.moved : -LTCP_EPIPE;
    if (length > PIPE_ATOMIC || PIPE_ROOM - p->count >= length)
        while (p->count < PIPE_ROOM &&
               (from = call_piece(call, call->progress.moved, &left)) != NULL)
            call->progress.moved += pipe_put(p, from, left);
    if (call->progress.moved == length) return (int64_t)length;
    if (may_wait(t, call->fd) && call_wait(call, now, LTCP_NEVER)) return CALL_WAITS;
    return call->progress.moved > 0 ? (int64_t)call->progress.moved : -LTCP_EAGAIN;
}

int64_t pipe_transfer(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    const struct file *f = table_file(t, call->fd);
    size_t length = 0;
    for (size_t i = 0; i < call->iov_count; i++)
        length += call->iov[i].length;
    if (call_points_nowhere(call)) return -LTCP_EFAULT;
    return f->kind == FILE_PIPE_READ ? pipe_read(t, now, call, f->object, length)
                                     : pipe_write(t, now, call, f->object, length);
}

/* ---- splice -----------------------------------------------------------------------------------
 */

/* A piece of what is to be moved, by the calls that a program would use. */
static int64_t move_piece(struct ltcp_sockets *t, ltcp_time now, enum ltcp_call_op op, int fd,
                          void *bytes, size_t length, uint32_t flags)
{
    struct ltcp_iovec iov = {bytes, length};
    struct ltcp_call call = {.op = op,
                             .fd = fd,
                             .iov = &iov,
                             .iov_count = 1,
                             .flags = flags | LTCP_MSG_DONTWAIT,
                             .deadline = LTCP_NEVER};
    return op == LTCP_CALL_RECV ? call_receive(t, now, &call) : call_send(t, now, &call);
}

static int64_t from_socket(struct ltcp_sockets *t, ltcp_time now, int fd, struct pipe *p,
                           size_t length)
{
    uint8_t bytes[2048];
    size_t moved = 0;
    while (moved < length && p->count < PIPE_ROOM) {
        size_t n = length - moved < sizeof bytes ? length - moved : sizeof bytes;
        if (n > PIPE_ROOM - p->count) n = PIPE_ROOM - p->count;
        const int64_t got = move_piece(t, now, LTCP_CALL_RECV, fd, bytes, n, 0);
        if (got <= 0) return moved > 0 ? (int64_t)moved : got;
        moved += pipe_put(p, bytes, (size_t)got);
    }
    return moved > 0 ? (int64_t)moved : -LTCP_EAGAIN;
}

static int64_t to_socket(struct ltcp_sockets *t, ltcp_time now, int fd, struct pipe *p,
                         size_t length)
{
    size_t moved = 0;
    if (p->count == 0) return p->writer ? -LTCP_EAGAIN : 0;
    while (moved < length && p->count > 0) {
        size_t run = PIPE_ROOM - p->head < p->count ? PIPE_ROOM - p->head : p->count;
        if (run > length - moved) run = length - moved;
        const uint32_t more = run < length - moved && run < p->count ? LTCP_MSG_MORE : 0;
        const int64_t put = move_piece(t, now, LTCP_CALL_SEND, fd, p->ring + p->head, run, more);
        if (put <= 0) return moved > 0 ? (int64_t)moved : put;
        p->head = (uint32_t)((p->head + (uint64_t)put) % PIPE_ROOM);
        p->count -= (uint32_t)put;
        p->wakes.out++;
        moved += (size_t)put;
    }
    return (int64_t)moved;
}

int64_t call_splice(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    const int out = (int)call->arg[0];
    const struct file *from = table_file(t, call->fd), *to = table_file(t, out);
    if (from == NULL || to == NULL) return -LTCP_EBADF;
    if (call->arg[1] < 0) return -LTCP_EINVAL;
    const size_t length = (size_t)call->arg[1];
    int64_t moved;
    if (from->kind == FILE_SOCKET && to->kind == FILE_PIPE_WRITE)
        moved = from_socket(t, now, call->fd, to->object, length);
    else if (from->kind == FILE_PIPE_READ && to->kind == FILE_SOCKET)
        moved = to_socket(t, now, out, from->object, length);
    else
        return -LTCP_EINVAL;
    if (length == 0) return 0;
    const bool waits = !(call->arg[2] & LTCP_SPLICE_F_NONBLOCK) && may_wait(t, call->fd);
    if (moved == -LTCP_EAGAIN && waits && call_wait(call, now, LTCP_NEVER)) return CALL_WAITS;
    return moved;
}
