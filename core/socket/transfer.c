/* core/socket/transfer.c - read, recv, recvmsg; write, send, sendmsg. */
#include <string.h>

#include "socket/table.h"

/* What all of them begin with. */
struct transfer {
    struct ltcp_sockets *t;
    ltcp_time now;
    struct ltcp_call *call;
    struct socket *s;
    size_t length; /* of all pieces */
    uint32_t flags;
    bool waits; /* may */
    struct ltcp_info info;
};

static size_t total_length(const struct ltcp_call *call)
{
    size_t length = 0;
    for (size_t i = 0; i < call->iov_count; i++)
        length += call->iov[i].length;
    return length;
}

static bool is_plain_read(const struct ltcp_call *call)
{
    return call->op == LTCP_CALL_READ || call->op == LTCP_CALL_READV;
}

static bool is_plain_write(const struct ltcp_call *call)
{
    return call->op == LTCP_CALL_WRITE || call->op == LTCP_CALL_WRITEV;
}

static void begin(struct transfer *x, struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call,
                  struct socket *s)
{
    const struct file *f = table_file(t, call->fd);
    x->t = t;
    x->now = now;
    x->call = call;
    x->s = s;
    x->length = total_length(call);
    x->flags = is_plain_read(call) || is_plain_write(call) ? 0 : call->flags;
    x->waits = !(f->status & LTCP_O_NONBLOCK) && !(x->flags & LTCP_MSG_DONTWAIT);
    socket_look(t, now, s, &x->info);
}

/* ---- receiving --------------------------------------------------------------------------------
 */

/* One octet out of band, RFC 9293 section 3.8.5 as BSD understood it. */
static int64_t receive_urgent(const struct transfer *x)
{
    uint8_t octet;
    size_t got, left;
    const unsigned flags = LTCP_READ_URGENT;
    if (x->s->settings.urgent_inline) return -LTCP_EINVAL;
    if (call_points_nowhere(x->call) && !(x->flags & LTCP_MSG_TRUNC)) return -LTCP_EFAULT;
    if (x->info.state == LTCP_CLOSED && !x->info.fin_received) return -LTCP_ENOTCONN;
    const enum ltcp_status status =
        ltcp_read(x->t->host, x->now, x->s->handle, &octet, 1, flags, &got);
    if (status == LTCP_AGAIN) return x->s->shut & SHUT_RECEIVE ? 0 : -LTCP_EAGAIN;
    if (status != LTCP_OK) return -LTCP_EINVAL;
    x->call->out_flags |= LTCP_MSG_OOB;
    x->s->urgent_taken = true;
    x->s->urgent_at = x->info.rcv_up.n;
    uint8_t *to = call_piece(x->call, 0, &left);
    if (left == 0) {
        x->call->out_flags |= LTCP_MSG_TRUNC;
        return 0;
    }
    if (!(x->flags & LTCP_MSG_TRUNC)) *to = octet;
    return 1;
}

/* Shows the octets and leaves them: over all the pieces, as one run of the queue. */
static size_t peek(const struct transfer *x)
{
    size_t got = 0, done = 0, left;
    size_t room = x->length < x->info.unread ? x->length : x->info.unread;
    if (room == 0) return 0;
    uint8_t *copy = table_resize(x->t, NULL, 0, room);
    if (copy == NULL) return 0;
    ltcp_read(x->t->host, x->now, x->s->handle, copy, room, LTCP_READ_PEEK, &got);
    while (done < got) {
        uint8_t *to = call_piece(x->call, done, &left);
        if (left > got - done) left = got - done;
        if (!(x->flags & LTCP_MSG_TRUNC)) memcpy(to, copy + done, left);
        done += left;
    }
    table_resize(x->t, copy, room, 0);
    return got;
}

/* With SO_OOBINLINE the urgent octet is in the stream, and a read ends before it (RFC9293:MUST-33:
 * so the program sees where it is). The octets until there; without a mark ahead, all. */
static size_t until_mark(const struct transfer *x)
{
    const uint32_t remaining = x->info.urgent_remaining;
    return x->s->settings.urgent_inline && remaining > 1 ? remaining - 1 : SIZE_MAX;
}

/* Moves what is there. True: the urgent mark was reached, where one call ends. */
static bool take(struct transfer *x)
{
    uint8_t waste[2048];
    struct ltcp_call *call = x->call;
    for (;;) {
        size_t left, got = 0;
        uint8_t *to = call_piece(call, call->progress.moved, &left);
        if (left == 0 || x->info.unread == 0) return false;
        if (x->flags & LTCP_MSG_TRUNC) { /* counted, and thrown away */
            to = waste;
            if (left > sizeof waste) left = sizeof waste;
        }
        const size_t before = x->info.unread, mark = until_mark(x);
        if (mark < left) left = mark;
        if (ltcp_read(x->t->host, x->now, x->s->handle, to, left, 0, &got) != LTCP_OK) return false;
        call->progress.moved += got;
        if (ltcp_info(x->t->host, x->s->handle, &x->info) != LTCP_OK) return false;
        if (got == mark || (got < left && got < before)) return true;
    }
}

static void add_control(struct ltcp_call *call, int level, int type, int64_t value)
{
    const size_t room = call->control_room / 24; /* CMSG_SPACE of an int */
    if (call->control_count >= room || call->control_count >= LTCP_CONTROLS_MOST) {
        call->out_flags |= LTCP_MSG_CTRUNC;
        return;
    }
    call->controls[call->control_count++] =
        (struct ltcp_control){.level = level, .type = type, .value = value};
}

/* TCP_INQ: how much is left, and at least 1 when the end is still to be read. */
static int64_t received(const struct transfer *x, size_t moved)
{
    struct ltcp_info info;
    if (x->call->op != LTCP_CALL_RECVMSG || !x->s->options.inq) return (int64_t)moved;
    socket_look(x->t, x->now, x->s, &info);
    add_control(x->call, LTCP_SOL_TCP, LTCP_TCP_CM_INQ,
                (int64_t)info.unread + (info.fin_received ? 1 : 0));
    return (int64_t)moved;
}

/* Nothing more is there now. */
static int64_t receive_none(const struct transfer *x, size_t moved)
{
    const bool over =
        x->s->error != 0 || x->info.state == LTCP_CLOSED || (x->s->shut & SHUT_RECEIVE) != 0;
    if (moved > 0 && over) return received(x, moved);
    if (moved == 0) {
        if (x->info.fin_received) return 0;
        if (x->s->error != 0) return socket_take_error(x->s);
        if (x->s->shut & SHUT_RECEIVE) return 0;
        if (x->info.state == LTCP_CLOSED) return -LTCP_ENOTCONN;
    }
    if (x->waits && call_wait(x->call, x->now, x->s->options.receive_timeout)) return CALL_WAITS;
    return moved > 0 ? received(x, moved) : -LTCP_EAGAIN;
}

static size_t receive_target(const struct transfer *x)
{
    if (x->flags & LTCP_MSG_WAITALL) return x->length;
    const size_t low = (size_t)x->s->options.receive_low;
    const size_t target = x->length < low ? x->length : low;
    return target > 0 ? target : 1;
}

int64_t call_receive(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct transfer x;
    const struct file *f = table_file(t, call->fd);
    if (f != NULL && f->kind == FILE_PIPE_READ && is_plain_read(call))
        return pipe_transfer(t, now, call);
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) {
        /* read on what cannot be read: an epoll, a pipe's other end */
        if (f != NULL && is_plain_read(call))
            return f->kind == FILE_EPOLL ? -LTCP_EINVAL : -LTCP_EBADF;
        return error;
    }
    begin(&x, t, now, call, s);
    call->address = (struct ltcp_sockaddr){0}; /* a stream has no addresses */
    if (is_plain_read(call) && x.length == 0) return 0;
    if (x.flags & LTCP_MSG_ERRQUEUE) return -LTCP_EAGAIN; /* nothing is ever put there */
    if (s->role == ROLE_LISTENING) return -LTCP_ENOTCONN;
    if (s->deferred)
        return x.waits && call_wait(call, now, s->options.receive_timeout) ? CALL_WAITS
                                                                           : -LTCP_EAGAIN;
    if (s->handle == 0) return s->error != 0 ? socket_take_error(s) : -LTCP_ENOTCONN;
    if (x.info.unread > 0 && !(x.flags & LTCP_MSG_TRUNC) && call_points_nowhere(call))
        return -LTCP_EFAULT;
    if (x.flags & LTCP_MSG_OOB) return receive_urgent(&x);
    const size_t target = receive_target(&x);
    if (x.flags & LTCP_MSG_PEEK) {
        const size_t got = peek(&x);
        if (got >= target || (got > 0 && !(x.flags & LTCP_MSG_WAITALL))) return received(&x, got);
        return receive_none(&x, got);
    }
    const bool at_mark = take(&x);
    const size_t moved = call->progress.moved;
    if (moved > 0 && (at_mark || moved >= target)) return received(&x, moved);
    if (x.length == 0 && x.info.unread > 0) return 0;
    return receive_none(&x, moved);
}

/* ---- sending ----------------------------------------------------------------------------------
 */

/* A program that writes to what cannot be written hears the pending error first. */
static int64_t broken_pipe(const struct transfer *x)
{
    const int error = socket_take_error(x->s);
    return error < 0 ? error : -LTCP_EPIPE;
}

static unsigned write_flags(const struct transfer *x, size_t left, size_t piece)
{
    const bool last = left == piece;
    unsigned flags = x->flags & LTCP_MSG_OOB ? LTCP_WRITE_URGENT : 0;
    if ((x->flags & LTCP_MSG_EOR) && last) flags |= LTCP_WRITE_BOUNDARY;
    if ((x->flags & LTCP_MSG_MORE) || !last) flags |= LTCP_WRITE_MORE;
    if (x->s->options.cork) flags |= LTCP_WRITE_HOLD;
    return flags;
}

static enum ltcp_status put(struct transfer *x)
{
    struct ltcp_call *call = x->call;
    enum ltcp_status status = LTCP_OK;
    size_t left;
    const uint8_t *from;
    while ((from = call_piece(call, call->progress.moved, &left)) != NULL) {
        size_t taken = 0;
        const size_t rest = x->length - call->progress.moved;
        status = ltcp_write(x->t->host, x->now, x->s->handle, from, left,
                            write_flags(x, rest, left), &taken);
        call->progress.moved += taken;
        if (status != LTCP_OK) return status;
        if (ltcp_info(x->t->host, x->s->handle, &x->info) != LTCP_OK) return LTCP_ERR_STALE;
        if (taken < left) return LTCP_AGAIN;
    }
    return status;
}

static int64_t send_none(struct transfer *x)
{
    struct ltcp_call *call = x->call;
    const size_t moved = call->progress.moved;
    x->s->no_space = true;
    call->progress.waits_for_room = x->waits && call_wait(call, x->now, x->s->options.send_timeout);
    if (call->progress.waits_for_room) return CALL_WAITS;
    return moved > 0 ? (int64_t)moved : -LTCP_EAGAIN;
}

/* A writer that waits is woken when there is enough room, not by the first of it. */
static int64_t send_more(struct transfer *x)
{
    struct ltcp_call *call = x->call;
    if (call->progress.waits_for_room && x->s->no_space) return send_none(x);
    const size_t before = call->progress.moved;
    const enum ltcp_status status = put(x);
    const size_t moved = call->progress.moved;
    if (moved == x->length) return (int64_t)moved;
    if (status == LTCP_AGAIN || status == LTCP_ERR_NO_BUFFERS) {
        if (moved > before) ltcp_push(x->t->host, x->now, x->s->handle); /* nothing can join it */
        return send_none(x);
    }
    return moved > 0 ? (int64_t)moved : broken_pipe(x);
}

int64_t call_send(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call)
{
    int error;
    struct transfer x;
    const struct file *f = table_file(t, call->fd);
    if (f != NULL && f->kind == FILE_PIPE_WRITE && is_plain_write(call))
        return pipe_transfer(t, now, call);
    struct socket *s = table_socket(t, call->fd, &error);
    if (s == NULL) {
        if (f != NULL && is_plain_write(call))
            return f->kind == FILE_EPOLL ? -LTCP_EINVAL : -LTCP_EBADF;
        return error;
    }
    begin(&x, t, now, call, s);
    if ((x.flags & LTCP_MSG_FASTOPEN) || s->deferred || call->progress.stage > 0) {
        const int64_t result = fast_open_send(t, now, call, s, x.waits);
        if (result != FAST_OPEN_DONE) return result;
        begin(&x, t, now, call, s);
    }
    if (is_opening(&x.info)) {
        if (s->error != 0) return socket_take_error(s);
        if (s->shut & SHUT_SEND) return -LTCP_EPIPE;
        if (x.waits && call_wait(call, now, s->options.send_timeout)) return CALL_WAITS;
        return -LTCP_EAGAIN;
    }
    const bool open = x.info.state == LTCP_ESTABLISHED || x.info.state == LTCP_CLOSE_WAIT ||
                      (x.info.state == LTCP_SYN_RECEIVED && x.info.fast_opened);
    if (s->handle == 0 || s->role == ROLE_LISTENING || !open || (s->shut & SHUT_SEND) ||
        s->error != 0) {
        if (call->progress.moved > 0) return (int64_t)call->progress.moved;
        return broken_pipe(&x);
    }
    if (x.length == 0) return 0;
    return call_points_nowhere(call) ? -LTCP_EFAULT : send_more(&x);
}
