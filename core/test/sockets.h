/* core/test/sockets.h - a process on each of two hosts (pair.h), and calls in one line each. */
#ifndef LUNATCP_TEST_SOCKETS_H
#define LUNATCP_TEST_SOCKETS_H

#include "check.h"
#include "lunatcp/socket.h"
#include "pair.h"

struct processes {
    struct pair pair;
    struct ltcp_sockets *at[2];
};

static inline void processes_open(struct processes *p, const struct ltcp_settings *settings)
{
    pair_open_with(&p->pair, settings, 1500);
    for (unsigned i = 0; i < 2; i++)
        p->at[i] = ltcp_sockets_create(
            &(struct ltcp_sockets_config){.host = p->pair.host[i], .pool = p->pair.pool});
}

static inline void processes_close(struct processes *p)
{
    for (unsigned i = 0; i < 2; i++)
        ltcp_sockets_destroy(p->at[i], p->pair.now);
    pair_close(&p->pair);
    CHECK_EQUAL(p->pair.held, 0);
}

#define WAITS INT64_C(-1000000)
/* The call's result; WAITS for one that would block. */
static inline int64_t step(struct processes *p, unsigned i, struct ltcp_call *call)
{
    return ltcp_call_step(p->at[i], p->pair.now, call) ? call->result : WAITS;
}
#define CALL(i, ...) step(&p, (i), &(struct ltcp_call){__VA_ARGS__})

/* Back and forth until both are silent. */
static inline void settle(struct processes *p)
{
    pair_settle(&p->pair);
}

static inline struct ltcp_sockaddr address_of(const struct processes *p, unsigned i, uint16_t port)
{
    return (struct ltcp_sockaddr){
        .length = 16, .family = LTCP_AF_INET, .port = port, .address = p->pair.address[i]};
}

static inline int64_t make_socket(struct processes *p, unsigned i, int flags)
{
    struct ltcp_call call = {.op = LTCP_CALL_SOCKET,
                             .arg = {LTCP_AF_INET, LTCP_SOCK_STREAM | flags, LTCP_IPPROTO_TCP}};
    return step(p, i, &call);
}

static inline int make_listener(struct processes *p, uint16_t port, int backlog)
{
    const int fd = (int)make_socket(p, 1, LTCP_SOCK_NONBLOCK);
    struct ltcp_call bind = {.op = LTCP_CALL_BIND, .fd = fd, .address = address_of(p, 1, port)};
    struct ltcp_call listen = {.op = LTCP_CALL_LISTEN, .fd = fd, .arg = {backlog}};
    CHECK_EQUAL(step(p, 1, &bind), 0);
    CHECK_EQUAL(step(p, 1, &listen), 0);
    return fd;
}

/* fds[0] of process 0 and fds[1] of process 1, both non-blocking; fds[2]: the listener. */
static inline void make_connected(struct processes *p, int fds[3])
{
    fds[2] = make_listener(p, 80, 5);
    fds[0] = (int)make_socket(p, 0, LTCP_SOCK_NONBLOCK);
    struct ltcp_call connect = {
        .op = LTCP_CALL_CONNECT, .fd = fds[0], .address = address_of(p, 1, 80)};
    CHECK_EQUAL(step(p, 0, &connect), -LTCP_EINPROGRESS);
    settle(p);
    struct ltcp_call accept = {.op = LTCP_CALL_ACCEPT4, .fd = fds[2], .arg = {LTCP_SOCK_NONBLOCK}};
    fds[1] = (int)step(p, 1, &accept);
    CHECK(fds[1] >= 3);
}

static inline int64_t send_flags(struct processes *p, unsigned i, int fd, const void *bytes,
                                 size_t length, uint32_t flags)
{
    struct ltcp_iovec iov = {(void *)(uintptr_t)bytes, length};
    struct ltcp_call call = {
        .op = LTCP_CALL_SEND, .fd = fd, .iov = &iov, .iov_count = 1, .flags = flags};
    return step(p, i, &call);
}

static inline int64_t receive_flags(struct processes *p, unsigned i, int fd, void *bytes,
                                    size_t length, uint32_t flags)
{
    struct ltcp_iovec iov = {bytes, length};
    struct ltcp_call call = {
        .op = LTCP_CALL_RECV, .fd = fd, .iov = &iov, .iov_count = 1, .flags = flags};
    return step(p, i, &call);
}

static inline int64_t set_option(struct processes *p, unsigned i, int fd, int level, int name,
                                 int value)
{
    struct ltcp_call call = {.op = LTCP_CALL_SETSOCKOPT,
                             .fd = fd,
                             .arg = {level, name},
                             .value = &value,
                             .length = sizeof value};
    return step(p, i, &call);
}

/* The option's value; a negative errno when there is none (no option asked so is negative). */
static inline int64_t get_option(struct processes *p, unsigned i, int fd, int level, int name)
{
    int value = 0;
    struct ltcp_call call = {.op = LTCP_CALL_GETSOCKOPT,
                             .fd = fd,
                             .arg = {level, name},
                             .value = &value,
                             .length = sizeof value};
    const int64_t result = step(p, i, &call);
    return result < 0 ? result : value;
}

static inline int64_t close_fd(struct processes *p, unsigned i, int fd)
{
    struct ltcp_call call = {.op = LTCP_CALL_CLOSE, .fd = fd};
    return step(p, i, &call);
}

#endif
