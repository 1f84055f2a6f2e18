/* bindings/packetdrill/calls.c - the members that are system calls. */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECES_MOST 1024

/* ---- running ----------------------------------------------------------------------------------
 */

/* The thread of calls that block sleeps; main goes on and wakes it (clock.c). */
static void sleep_until_done(struct object *o, struct ltcp_call *call)
{
    struct waiter waiter = {.next = o->waiters, .call = call};
    o->waiters = &waiter;
    while (!waiter.woken)
        pthread_cond_wait(&o->changed, &o->lock);
    struct waiter **at = &o->waiters;
    while (*at != &waiter)
        at = &(*at)->next;
    *at = waiter.next;
    o->stamping = pthread_self();
}

/* Nobody else moves the clock while the main thread waits: it does so itself. */
static void run_until_done(struct object *o, struct ltcp_call *call)
{
    while (!ltcp_call_step(o->sockets, o->now, call)) {
        const ltcp_time own = call->deadline;
        struct waiter waiter = {.next = o->waiters, .call = call, .woken = false};
        if (own != LTCP_NEVER && own <= o->now) continue;
        o->waiters = &waiter; /* so that its deadline counts */
        const bool more = clock_next(o);
        o->waiters = waiter.next;
        if (waiter.woken) o->stamps = false;
        if (more || call->done) continue;
        call->done = true;
        call->result = -LTCP_EINTR;
        fprintf(stderr, "liblunatcp_packetdrill: %s blocks for ever\n", ltcp_call_name(call->op));
    }
}

ssize_t call_run(struct object *o, struct ltcp_call *call)
{
    pthread_mutex_lock(&o->lock);
    const bool done = ltcp_call_step(o->sockets, o->now, call);
    clock_pump(o);
    if (!done && pthread_equal(pthread_self(), o->main_thread))
        run_until_done(o, call);
    else if (!done)
        sleep_until_done(o, call);
    pthread_mutex_unlock(&o->lock);
    if (call->result >= 0) return (ssize_t)call->result;
    errno = (int)-call->result;
    return -1;
}

/* packetdrill closes what it was given by the system's own close: so each number is the system's as
 * well, of nothing. */
static int real_descriptor(struct object *o, int fd)
{
    if (fd < 0) return fd;
    const int real = open("/dev/null", O_RDWR | O_CLOEXEC);
    pthread_mutex_lock(&o->lock);
    const int error = real < 0 ? -EMFILE : ltcp_sockets_renumber(o->sockets, fd, real);
    pthread_mutex_unlock(&o->lock);
    if (error == 0) return real;
    struct ltcp_call call = {.op = LTCP_CALL_CLOSE, .fd = fd};
    call_run(o, &call);
    if (real >= 0) close(real);
    errno = -error;
    return -1;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

/* Scripts change them on their way: looked at where a call goes by them. */
static void follow_sysctls(struct object *o)
{
    if (!o->read_sysctls) return;
    settings_read_sysctls(o);
    o->sysctls_read = true;
    object_read_flags(o);
    ltcp_host_set_settings(o->host, &o->settings);
}

static int member_socket(void *userdata, int domain, int type, int protocol)
{
    struct object *o = userdata;
    follow_sysctls(o);
    struct ltcp_call call = {.op = LTCP_CALL_SOCKET, .arg = {domain, type, protocol}};
    return real_descriptor(o, (int)call_run(o, &call));
}

static int member_bind(void *userdata, int fd, const struct sockaddr *address, socklen_t length)
{
    struct object *o = userdata;
    struct ltcp_call call = {.op = LTCP_CALL_BIND, .fd = fd};
    sockaddr_read(address, length, &call.address);
    pthread_mutex_lock(&o->lock);
    object_adopt(o, &call.address.address);
    pthread_mutex_unlock(&o->lock);
    return (int)call_run(o, &call);
}

static int member_listen(void *userdata, int fd, int backlog)
{
    struct ltcp_call call = {.op = LTCP_CALL_LISTEN, .fd = fd, .arg = {backlog}};
    return (int)call_run(userdata, &call);
}

static int member_accept(void *userdata, int fd, struct sockaddr *address, socklen_t *length)
{
    struct ltcp_call call = {.op = LTCP_CALL_ACCEPT, .fd = fd};
    const int accepted = real_descriptor(userdata, (int)call_run(userdata, &call));
    if (accepted >= 0) sockaddr_write(&call.address, address, length);
    return accepted;
}

static int member_connect(void *userdata, int fd, const struct sockaddr *address, socklen_t length)
{
    struct ltcp_call call = {.op = LTCP_CALL_CONNECT, .fd = fd};
    sockaddr_read(address, length, &call.address);
    return (int)call_run(userdata, &call);
}

/* ---- receiving and sending --------------------------------------------------------------------
 */

static ssize_t one_piece(void *userdata, enum ltcp_call_op op, int fd, const void *bytes,
                         size_t length, int flags)
{
    struct ltcp_iovec iov = {(void *)(uintptr_t)bytes, length};
    struct ltcp_call call = {
        .op = op, .fd = fd, .iov = &iov, .iov_count = 1, .flags = (uint32_t)flags};
    return call_run(userdata, &call);
}

/* The pieces of `iov`; false: too many of them. */
static bool many_pieces(const struct iovec *iov, size_t count, struct ltcp_iovec *pieces,
                        struct ltcp_call *call)
{
    if (count > PIECES_MOST) {
        errno = EINVAL;
        return false;
    }
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct ltcp_iovec){iov[i].iov_base, iov[i].iov_len};
    call->iov = pieces;
    call->iov_count = count;
    return true;
}

static ssize_t member_read(void *userdata, int fd, void *bytes, size_t length)
{
    return one_piece(userdata, LTCP_CALL_READ, fd, bytes, length, 0);
}

static ssize_t vector(void *userdata, enum ltcp_call_op op, int fd, const struct iovec *iov,
                      int count)
{
    struct ltcp_iovec pieces[PIECES_MOST];
    struct ltcp_call call = {.op = op, .fd = fd};
    if (!many_pieces(iov, (size_t)(count < 0 ? PIECES_MOST + 1 : count), pieces, &call)) return -1;
    return call_run(userdata, &call);
}

static ssize_t member_readv(void *userdata, int fd, const struct iovec *iov, int count)
{
    return vector(userdata, LTCP_CALL_READV, fd, iov, count);
}

static ssize_t member_recv(void *userdata, int fd, void *bytes, size_t length, int flags)
{
    return one_piece(userdata, LTCP_CALL_RECV, fd, bytes, length, flags);
}

static ssize_t member_recvfrom(void *userdata, int fd, void *bytes, size_t length, int flags,
                               struct sockaddr *address, socklen_t *address_length)
{
    (void)address;
    if (address_length != NULL) *address_length = 0; /* a stream says nothing of it */
    return one_piece(userdata, LTCP_CALL_RECVFROM, fd, bytes, length, flags);
}

static ssize_t member_recvmsg(void *userdata, int fd, struct msghdr *message, int flags)
{
    struct ltcp_iovec pieces[PIECES_MOST];
    struct ltcp_call call = {.op = LTCP_CALL_RECVMSG,
                             .fd = fd,
                             .flags = (uint32_t)flags,
                             .control_room =
                                 message->msg_control != NULL ? message->msg_controllen : 0};
    if (!many_pieces(message->msg_iov, message->msg_iovlen, pieces, &call)) return -1;
    const ssize_t result = call_run(userdata, &call);
    if (result < 0) return result;
    message->msg_flags = (int)call.out_flags;
    message->msg_namelen = 0;
    controls_write(&call, message);
    return result;
}

static ssize_t member_write(void *userdata, int fd, const void *bytes, size_t length)
{
    return one_piece(userdata, LTCP_CALL_WRITE, fd, bytes, length, 0);
}

static ssize_t member_writev(void *userdata, int fd, const struct iovec *iov, int count)
{
    return vector(userdata, LTCP_CALL_WRITEV, fd, iov, count);
}

static ssize_t member_send(void *userdata, int fd, const void *bytes, size_t length, int flags)
{
    return one_piece(userdata, LTCP_CALL_SEND, fd, bytes, length, flags);
}

static ssize_t member_sendto(void *userdata, int fd, const void *bytes, size_t length, int flags,
                             const struct sockaddr *address, socklen_t address_length)
{
    struct ltcp_iovec iov = {(void *)(uintptr_t)bytes, length};
    struct ltcp_call call = {
        .op = LTCP_CALL_SENDTO, .fd = fd, .iov = &iov, .iov_count = 1, .flags = (uint32_t)flags};
    sockaddr_read(address, address_length, &call.address);
    if (flags & LTCP_MSG_FASTOPEN) follow_sysctls(userdata);
    return call_run(userdata, &call);
}

static ssize_t member_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags)
{
    struct ltcp_iovec pieces[PIECES_MOST];
    struct ltcp_call call = {.op = LTCP_CALL_SENDMSG, .fd = fd, .flags = (uint32_t)flags};
    if (!many_pieces(message->msg_iov, message->msg_iovlen, pieces, &call)) return -1;
    sockaddr_read(message->msg_name, message->msg_namelen, &call.address);
    if (flags & LTCP_MSG_FASTOPEN) follow_sysctls(userdata);
    return call_run(userdata, &call);
}

/* ---- descriptors and options ------------------------------------------------------------------
 */

static int member_fcntl(void *userdata, int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    const long argument = va_arg(list, long);
    va_end(list);
    struct ltcp_call call = {.op = LTCP_CALL_FCNTL, .fd = fd, .arg = {command, argument}};
    return (int)call_run(userdata, &call);
}

static int member_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    struct ltcp_call call = {.op = LTCP_CALL_IOCTL,
                             .fd = fd,
                             .arg = {(int64_t)request},
                             .value = argument,
                             .length = sizeof(int)};
    return (int)call_run(userdata, &call);
}

static int member_close(void *userdata, int fd)
{
    struct ltcp_call call = {.op = LTCP_CALL_CLOSE, .fd = fd};
    const int result = (int)call_run(userdata, &call);
    if (result == 0) close(fd);
    return result;
}

static int member_shutdown(void *userdata, int fd, int how)
{
    struct ltcp_call call = {.op = LTCP_CALL_SHUTDOWN, .fd = fd, .arg = {how}};
    return (int)call_run(userdata, &call);
}

static int member_getsockopt(void *userdata, int fd, int level, int name, void *value,
                             socklen_t *length)
{
    struct ltcp_call call = {.op = LTCP_CALL_GETSOCKOPT,
                             .fd = fd,
                             .arg = {level, name},
                             .value = value,
                             .length = length != NULL ? *length : 0};
    const int result = (int)call_run(userdata, &call);
    if (result == 0 && length != NULL) *length = (socklen_t)call.length;
    return result;
}

static int member_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                             socklen_t length)
{
    struct ltcp_call call = {.op = LTCP_CALL_SETSOCKOPT,
                             .fd = fd,
                             .arg = {level, name},
                             .value = (void *)(uintptr_t)value,
                             .length = length};
    if (level == LTCP_SOL_TCP && name == LTCP_TCP_FASTOPEN_CONNECT) follow_sysctls(userdata);
    return (int)call_run(userdata, &call);
}

/* ---- waiting for several ----------------------------------------------------------------------
 */

static int member_poll(void *userdata, struct pollfd *list, nfds_t count, int timeout)
{
    struct ltcp_pollfd polls[PIECES_MOST];
    if (count > PIECES_MOST) {
        errno = EINVAL;
        return -1;
    }
    for (nfds_t i = 0; i < count; i++)
        polls[i] = (struct ltcp_pollfd){list[i].fd, (uint16_t)list[i].events, 0};
    struct ltcp_call call = {
        .op = LTCP_CALL_POLL, .polls = polls, .count = count, .timeout = timeout};
    const int result = (int)call_run(userdata, &call);
    for (nfds_t i = 0; i < count && result >= 0; i++)
        list[i].revents = (short)polls[i].revents;
    return result;
}

static int member_epoll_create(void *userdata, int size)
{
    struct ltcp_call call = {.op = LTCP_CALL_EPOLL_CREATE, .arg = {size}};
    return real_descriptor(userdata, (int)call_run(userdata, &call));
}

static int member_epoll_ctl(void *userdata, int epfd, int operation, int fd,
                            struct epoll_event *event)
{
    struct ltcp_epoll_event given;
    struct ltcp_call call = {.op = LTCP_CALL_EPOLL_CTL, .fd = epfd, .arg = {operation, fd}};
    if (event != NULL) {
        given = (struct ltcp_epoll_event){event->events, event->data.u64};
        call.events = &given;
    }
    return (int)call_run(userdata, &call);
}

static int member_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int most,
                             int timeout)
{
    struct ltcp_epoll_event found[PIECES_MOST];
    struct ltcp_call call = {.op = LTCP_CALL_EPOLL_WAIT,
                             .fd = epfd,
                             .events = found,
                             .count = (size_t)(most < 0             ? 0
                                               : most > PIECES_MOST ? PIECES_MOST
                                                                    : most),
                             .timeout = timeout};
    const int result = (int)call_run(userdata, &call);
    for (int i = 0; i < result; i++) {
        events[i].events = found[i].events;
        events[i].data.u64 = found[i].data;
    }
    return result;
}

static int member_pipe(void *userdata, int fds[2])
{
    struct ltcp_call call = {.op = LTCP_CALL_PIPE};
    if (call_run(userdata, &call) < 0) return -1;
    fds[0] = real_descriptor(userdata, call.fds[0]);
    fds[1] = real_descriptor(userdata, call.fds[1]);
    return fds[0] < 0 || fds[1] < 0 ? -1 : 0;
}

static int member_splice(void *userdata, int in, loff_t *in_offset, int out, loff_t *out_offset,
                         size_t length, unsigned flags)
{
    /* A script's NULL arrives as a pointer to 0. */
    if ((in_offset != NULL && *in_offset != 0) || (out_offset != NULL && *out_offset != 0)) {
        errno = ESPIPE;
        return -1;
    }
    struct ltcp_call call = {
        .op = LTCP_CALL_SPLICE, .fd = in, .arg = {out, (int64_t)length, flags}};
    return (int)call_run(userdata, &call);
}

void calls_install(struct packetdrill_interface *interface)
{
    interface->socket = member_socket;
    interface->bind = member_bind;
    interface->listen = member_listen;
    interface->accept = member_accept;
    interface->connect = member_connect;
    interface->read = member_read;
    interface->readv = member_readv;
    interface->recv = member_recv;
    interface->recvfrom = member_recvfrom;
    interface->recvmsg = member_recvmsg;
    interface->write = member_write;
    interface->writev = member_writev;
    interface->send = member_send;
    interface->sendto = member_sendto;
    interface->sendmsg = member_sendmsg;
    interface->fcntl = member_fcntl;
    interface->ioctl = member_ioctl;
    interface->close = member_close;
    interface->shutdown = member_shutdown;
    interface->getsockopt = member_getsockopt;
    interface->setsockopt = member_setsockopt;
    interface->poll = member_poll;
    interface->epoll_create = member_epoll_create;
    interface->epoll_ctl = member_epoll_ctl;
    interface->epoll_wait = member_epoll_wait;
    interface->pipe = member_pipe;
    interface->splice = member_splice;
}
