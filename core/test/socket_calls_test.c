/* core/test/socket_calls_test.c - opening, transferring and closing, with the errno that the manual
 * pages connect(2), accept(2), listen(2), bind(2), recv(2), send(2), close(2), shutdown(2) and
 * tcp(7) name. */
#include "sockets.h"

static struct processes p;
static int fd[3];

static int64_t connect_to(unsigned i, int socket, uint16_t port)
{
    return CALL(i, .op = LTCP_CALL_CONNECT, .fd = socket, .address = address_of(&p, 1, port));
}
static int64_t bind_to(unsigned i, int socket, uint16_t port)
{
    return CALL(i, .op = LTCP_CALL_BIND, .fd = socket, .address = address_of(&p, i, port));
}
static int64_t shut(unsigned i, int socket, int how)
{
    return CALL(i, .op = LTCP_CALL_SHUTDOWN, .fd = socket, .arg = {how});
}
static int error_of(unsigned i, int socket)
{
    return (int)get_option(&p, i, socket, LTCP_SOL_SOCKET, LTCP_SO_ERROR);
}

static void connect_without_waiting(void)
{
    processes_open(&p, NULL);
    const int socket = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
    make_listener(&p, 80, 5);
    CHECK_EQUAL(connect_to(0, socket, 80), -LTCP_EINPROGRESS);
    CHECK_EQUAL(connect_to(0, socket, 80), -LTCP_EALREADY);
    CHECK_EQUAL(send_flags(&p, 0, socket, "x", 1, 0), -LTCP_EAGAIN);
    settle(&p);
    CHECK_EQUAL(connect_to(0, socket, 80), 0); /* the end of it is told once */
    CHECK_EQUAL(connect_to(0, socket, 80), -LTCP_EISCONN);
    CHECK_EQUAL(error_of(0, socket), 0);
    processes_close(&p);
}

static void connect_waits(void)
{
    processes_open(&p, NULL);
    make_listener(&p, 80, 5);
    struct ltcp_call call = {.op = LTCP_CALL_CONNECT,
                             .fd = (int)make_socket(&p, 0, 0),
                             .address = address_of(&p, 1, 80)};
    CHECK_EQUAL(step(&p, 0, &call), WAITS);
    CHECK_EQUAL(step(&p, 0, &call), WAITS);
    settle(&p);
    CHECK_EQUAL(step(&p, 0, &call), 0);
    processes_close(&p);
}

static void refused(void)
{
    processes_open(&p, NULL);
    const int waiting = (int)make_socket(&p, 0, 0),
              other = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
    struct ltcp_call call = {
        .op = LTCP_CALL_CONNECT, .fd = waiting, .address = address_of(&p, 1, 81)};
    CHECK_EQUAL(step(&p, 0, &call), WAITS);
    CHECK_EQUAL(connect_to(0, other, 81), -LTCP_EINPROGRESS);
    settle(&p);
    CHECK_EQUAL(step(&p, 0, &call), -LTCP_ECONNREFUSED);
    CHECK_EQUAL(error_of(0, other), LTCP_ECONNREFUSED);
    CHECK_EQUAL(error_of(0, other), 0); /* and no longer */
    /* The socket can be used for another try. */
    make_listener(&p, 81, 5);
    struct ltcp_call again = {
        .op = LTCP_CALL_CONNECT, .fd = waiting, .address = address_of(&p, 1, 81)};
    CHECK_EQUAL(step(&p, 0, &again), WAITS);
    settle(&p);
    CHECK_EQUAL(step(&p, 0, &again), 0);
    processes_close(&p);
}

static void addresses_in_use(void)
{
    processes_open(&p, NULL);
    const int a = (int)make_socket(&p, 1, 0), b = (int)make_socket(&p, 1, 0);
    CHECK_EQUAL(bind_to(1, a, 80), 0);
    CHECK_EQUAL(bind_to(1, a, 81), -LTCP_EINVAL); /* bound already */
    CHECK_EQUAL(bind_to(1, b, 80), -LTCP_EADDRINUSE);
    set_option(&p, 1, a, LTCP_SOL_SOCKET, LTCP_SO_REUSEADDR, 1);
    CHECK_EQUAL(bind_to(1, b, 80), -LTCP_EADDRINUSE); /* only one of the two has it */
    set_option(&p, 1, b, LTCP_SOL_SOCKET, LTCP_SO_REUSEADDR, 1);
    CHECK_EQUAL(bind_to(1, b, 80), 0);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_LISTEN, .fd = a, .arg = {1}), 0);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_LISTEN, .fd = b, .arg = {1}), -LTCP_EADDRINUSE);
    const int c = (int)make_socket(&p, 1, 0);
    set_option(&p, 1, c, LTCP_SOL_SOCKET, LTCP_SO_REUSEADDR, 1);
    CHECK_EQUAL(bind_to(1, c, 80), -LTCP_EADDRINUSE); /* somebody listens there */
    processes_close(&p);
}

/* tcp(7): a port is taken while a closed connection is in TIME-WAIT, unless both say otherwise. */
static void time_wait_keeps_the_port(void)
{
    processes_open(&p, &ltcp_profile_linux);
    make_connected(&p, fd);
    close_fd(&p, 1, fd[2]);
    close_fd(&p, 1, fd[1]);
    settle(&p);
    close_fd(&p, 0, fd[0]);
    settle(&p);
    const int again = (int)make_socket(&p, 1, 0);
    CHECK_EQUAL(bind_to(1, again, 80), -LTCP_EADDRINUSE);
    while (pair_wait(&p.pair))
        settle(&p);
    CHECK_EQUAL(bind_to(1, again, 80), 0);
    processes_close(&p);
}

/* Connections that were closed hold their port until the last of them is over, however many. */
static void many_that_were_closed(void)
{
    processes_open(&p, &ltcp_profile_linux);
    make_connected(&p, fd);
    for (int i = 0; i < 500; i++) {
        close_fd(&p, 1, fd[1]);
        settle(&p);
        close_fd(&p, 0, fd[0]);
        settle(&p);
        fd[0] = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
        CHECK_EQUAL(connect_to(0, fd[0], 80), -LTCP_EINPROGRESS);
        settle(&p);
        fd[1] = (int)CALL(1, .op = LTCP_CALL_ACCEPT, .fd = fd[2]);
        CHECK(fd[1] >= 3);
    }
    close_fd(&p, 1, fd[2]);
    close_fd(&p, 0, fd[0]);
    settle(&p);
    close_fd(&p, 1, fd[1]);
    settle(&p);
    const int other = (int)make_socket(&p, 1, 0);
    CHECK_EQUAL(bind_to(1, other, 80), -LTCP_EADDRINUSE);
    CHECK_EQUAL(ltcp_host_counters(p.pair.host[1])->time_waits, 500);
    while (pair_wait(&p.pair))
        settle(&p);
    CHECK_EQUAL(bind_to(1, other, 80), 0);
    ltcp_sockets_advance(p.at[1], p.pair.now);
    CHECK_EQUAL(ltcp_host_counters(p.pair.host[1])->connections, 0);
    processes_close(&p);
}

static void backlog_bounds_the_queue(void)
{
    processes_open(&p, NULL);
    const int listener = make_listener(&p, 80, 1);
    int client[3];
    for (int i = 0; i < 3; i++) {
        client[i] = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
        connect_to(0, client[i], 80);
        settle(&p);
    }
    struct ltcp_call accept = {.op = LTCP_CALL_ACCEPT, .fd = listener};
    CHECK(step(&p, 1, &accept) >= 0);
    CHECK(accept.address.port != 0 && accept.address.family == LTCP_AF_INET);
    CHECK(ltcp_address_equal(&accept.address.address, &p.pair.address[0]));
    CHECK(CALL(1, .op = LTCP_CALL_ACCEPT, .fd = listener) >= 0);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_ACCEPT, .fd = listener), -LTCP_EAGAIN);
    CHECK_EQUAL(connect_to(0, client[2], 80), -LTCP_EALREADY); /* its SYN found no room */
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_ACCEPT, .fd = client[0]), -LTCP_EINVAL);
    processes_close(&p);
}

static void reads_and_writes(void)
{
    char text[16];
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, 0), -LTCP_EAGAIN);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "abcdef", 6, 0), 6);
    settle(&p);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 16, LTCP_MSG_PEEK), 6);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], NULL, 2, LTCP_MSG_TRUNC), 2); /* thrown away */
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 16, 0), 4);
    CHECK(memcmp(text, "cdef", 4) == 0);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, LTCP_MSG_ERRQUEUE), -LTCP_EAGAIN);
    /* Once, as connect says the end of what it began, and never again. */
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "x", 1, LTCP_MSG_FASTOPEN), 1);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "x", 1, LTCP_MSG_FASTOPEN), -LTCP_EISCONN);
    settle(&p);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, 0), 1);
    CHECK_EQUAL(close_fd(&p, 0, fd[0]), 0);
    CHECK_EQUAL(close_fd(&p, 0, fd[0]), -LTCP_EBADF);
    settle(&p);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, 0), 0);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, 0), 0);
    processes_close(&p);
}

static void gathers_and_scatters(void)
{
    char one[2], two[8];
    struct ltcp_iovec out[] = {{(void *)(uintptr_t) "ab", 2}, {(void *)(uintptr_t) "cde", 3}};
    struct ltcp_iovec in[] = {{one, 2}, {two, 8}};
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_WRITEV, .fd = fd[0], .iov = out, .iov_count = 2), 5);
    settle(&p);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_RECVMSG, .fd = fd[1], .iov = in, .iov_count = 2,
                     .flags = LTCP_MSG_PEEK),
                5);
    CHECK(memcmp(one, "ab", 2) == 0 && memcmp(two, "cde", 3) == 0);
    memset(two, 0, sizeof two);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_READV, .fd = fd[1], .iov = in, .iov_count = 2), 5);
    CHECK(memcmp(one, "ab", 2) == 0 && memcmp(two, "cde", 3) == 0);
    processes_close(&p);
}

/* MSG_WAITALL and SO_RCVLOWAT say how much is worth waking up for. */
static void waits_for_enough(void)
{
    char text[8];
    struct ltcp_iovec iov = {text, 8};
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CALL(1, .op = LTCP_CALL_FCNTL, .fd = fd[1], .arg = {LTCP_F_SETFL, LTCP_O_RDWR});
    struct ltcp_call all = {
        .op = LTCP_CALL_RECV, .fd = fd[1], .iov = &iov, .iov_count = 1, .flags = LTCP_MSG_WAITALL};
    send_flags(&p, 0, fd[0], "abc", 3, 0);
    settle(&p);
    CHECK_EQUAL(step(&p, 1, &all), WAITS);
    send_flags(&p, 0, fd[0], "defgh", 5, 0);
    settle(&p);
    CHECK_EQUAL(step(&p, 1, &all), 8);
    CHECK(memcmp(text, "abcdefgh", 8) == 0);
    set_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_RCVLOWAT, 4);
    struct ltcp_call some = {.op = LTCP_CALL_READ, .fd = fd[1], .iov = &iov, .iov_count = 1};
    send_flags(&p, 0, fd[0], "123", 3, 0);
    settle(&p);
    CHECK_EQUAL(step(&p, 1, &some), WAITS);
    close_fd(&p, 0, fd[0]); /* the end: what there is comes */
    settle(&p);
    CHECK_EQUAL(step(&p, 1, &some), 3);
    processes_close(&p);
}

static void a_full_buffer(void)
{
    static char bulk[100000];
    struct ltcp_iovec iov = {bulk, sizeof bulk};
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.receive_buffer = 10000;
    processes_open(&p, &settings);
    make_connected(&p, fd);
    set_option(&p, 0, fd[0], LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 10000);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], bulk, sizeof bulk, 0), 20000);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], bulk, 1, 0), -LTCP_EAGAIN);
    CALL(0, .op = LTCP_CALL_FCNTL, .fd = fd[0], .arg = {LTCP_F_SETFL, LTCP_O_RDWR});
    struct ltcp_call write = {.op = LTCP_CALL_WRITE, .fd = fd[0], .iov = &iov, .iov_count = 1};
    CHECK_EQUAL(step(&p, 0, &write), WAITS);
    size_t total = 0;
    for (int i = 0; i < 1000 && total < 20000 + sizeof bulk; i++) {
        static char sink[sizeof bulk];
        settle(&p);
        const int64_t got = receive_flags(&p, 1, fd[1], sink, sizeof sink, 0);
        if (got > 0) total += (size_t)got;
        settle(&p);
        step(&p, 0, &write);
        if (got < 0) pair_wait(&p.pair);
    }
    CHECK_EQUAL(write.result, (int64_t)sizeof bulk);
    CHECK_EQUAL(total, 20000 + sizeof bulk);
    processes_close(&p);
}

/* tcp(7): with SO_SNDTIMEO and SO_RCVTIMEO a call gives up. */
static void calls_time_out(void)
{
    char text[4];
    struct ltcp_iovec iov = {text, 4};
    long time[2] = {1, 500000};
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CALL(1, .op = LTCP_CALL_FCNTL, .fd = fd[1], .arg = {LTCP_F_SETFL, LTCP_O_RDWR});
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_SETSOCKOPT, .fd = fd[1],
                     .arg = {LTCP_SOL_SOCKET, LTCP_SO_RCVTIMEO}, .value = time,
                     .length = sizeof time),
                0);
    struct ltcp_call read = {.op = LTCP_CALL_READ, .fd = fd[1], .iov = &iov, .iov_count = 1};
    CHECK_EQUAL(step(&p, 1, &read), WAITS);
    CHECK_EQUAL(read.deadline, p.pair.now + LTCP_SECOND * 3 / 2);
    p.pair.now = read.deadline - 1;
    CHECK_EQUAL(step(&p, 1, &read), WAITS);
    p.pair.now++;
    CHECK_EQUAL(step(&p, 1, &read), -LTCP_EAGAIN);
    processes_close(&p);
}

/* A reset is told once: by the next read, write, or SO_ERROR. */
static void reset_by_peer(void)
{
    char text[4];
    const int linger[2] = {1, 0};
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CALL(0, .op = LTCP_CALL_SETSOCKOPT, .fd = fd[0], .arg = {LTCP_SOL_SOCKET, LTCP_SO_LINGER},
         .value = (void *)(uintptr_t)linger, .length = sizeof linger);
    close_fd(&p, 0, fd[0]); /* which aborts */
    settle(&p);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, 0), -LTCP_ECONNRESET);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 4, 0), 0);
    CHECK_EQUAL(send_flags(&p, 1, fd[1], "x", 1, 0), -LTCP_EPIPE);
    CHECK_EQUAL(shut(1, fd[1], LTCP_SHUT_RDWR), -LTCP_ENOTCONN);
    processes_close(&p);
    processes_open(&p, NULL);
    make_connected(&p, fd);
    send_flags(&p, 1, fd[1], "unread", 6, 0);
    settle(&p);
    close_fd(&p, 0, fd[0]); /* with unread data */
    settle(&p);
    CHECK_EQUAL(send_flags(&p, 1, fd[1], "x", 1, 0), -LTCP_ECONNRESET);
    CHECK_EQUAL(send_flags(&p, 1, fd[1], "x", 1, 0), -LTCP_EPIPE);
    processes_close(&p);
}

static void shuts_down(void)
{
    char text[8];
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CHECK_EQUAL(shut(0, fd[0], 3), -LTCP_EINVAL);
    CHECK_EQUAL(shut(0, fd[0], LTCP_SHUT_WR), 0);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "x", 1, 0), -LTCP_EPIPE);
    settle(&p);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 8, 0), 0);
    CHECK_EQUAL(send_flags(&p, 1, fd[1], "late", 4, 0), 4);
    settle(&p);
    CHECK_EQUAL(shut(0, fd[0], LTCP_SHUT_RD), 0);
    CHECK_EQUAL(receive_flags(&p, 0, fd[0], text, 8, 0), 4); /* what is there can be read */
    CHECK_EQUAL(receive_flags(&p, 0, fd[0], text, 8, 0), 0);
    processes_close(&p);
}

/* SO_LINGER: close waits for the peer's acknowledgment, so long and no longer. */
static void lingers(void)
{
    const int linger[2] = {1, 2};
    for (int answered = 0; answered < 2; answered++) {
        processes_open(&p, NULL);
        make_connected(&p, fd);
        CALL(0, .op = LTCP_CALL_SETSOCKOPT, .fd = fd[0], .arg = {LTCP_SOL_SOCKET, LTCP_SO_LINGER},
             .value = (void *)(uintptr_t)linger, .length = sizeof linger);
        send_flags(&p, 0, fd[0], "bye", 3, 0);
        struct ltcp_call call = {.op = LTCP_CALL_CLOSE, .fd = fd[0]};
        CHECK_EQUAL(step(&p, 0, &call), WAITS);
        CHECK_EQUAL(receive_flags(&p, 0, fd[0], NULL, 0, 0), -LTCP_EBADF);
        if (answered)
            settle(&p);
        else
            p.pair.now = call.deadline;
        CHECK_EQUAL(step(&p, 0, &call), 0);
        processes_close(&p);
    }
}

/* RFC 9293 section 3.8.5 as BSD's sockets have it: one octet beside the stream. */
static void out_of_band(void)
{
    char text[8];
    processes_open(&p, &ltcp_profile_linux);
    make_connected(&p, fd);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 1, LTCP_MSG_OOB), -LTCP_EINVAL);
    send_flags(&p, 0, fd[0], "ab", 2, 0);
    send_flags(&p, 0, fd[0], "!", 1, LTCP_MSG_OOB);
    send_flags(&p, 0, fd[0], "cd", 2, 0);
    settle(&p);
    while (pair_wait(&p.pair) && p.pair.now < 5 * LTCP_SECOND)
        settle(&p);
    CHECK(ltcp_sockets_poll(p.at[1], p.pair.now, fd[1]) & LTCP_POLLPRI);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 8, 0), 2); /* up to the mark */
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 1, LTCP_MSG_OOB), 1);
    CHECK(text[0] == '!');
    CHECK(!(ltcp_sockets_poll(p.at[1], p.pair.now, fd[1]) & LTCP_POLLPRI));
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 1, LTCP_MSG_OOB), -LTCP_EINVAL);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 8, 0), 2);
    CHECK(memcmp(text, "cd", 2) == 0);
    processes_close(&p);
}

/* SO_OOBINLINE: the octet stays where it is, and a read ends before it. */
static void urgent_in_line(void)
{
    char text[8];
    int at_mark = 0;
    processes_open(&p, &ltcp_profile_linux);
    make_connected(&p, fd);
    set_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_OOBINLINE, 1);
    send_flags(&p, 0, fd[0], "ab!", 3, LTCP_MSG_OOB);
    settle(&p);
    CHECK(ltcp_sockets_poll(p.at[1], p.pair.now, fd[1]) & LTCP_POLLPRI);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 8, 0), 2);
    CALL(1, .op = LTCP_CALL_IOCTL, .fd = fd[1], .arg = {LTCP_SIOCATMARK}, .value = &at_mark,
         .length = sizeof at_mark);
    CHECK_EQUAL(at_mark, 1);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 1, LTCP_MSG_OOB), -LTCP_EINVAL);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], text, 8, 0), 1);
    CHECK(text[0] == '!');
    CHECK(!(ltcp_sockets_poll(p.at[1], p.pair.now, fd[1]) & LTCP_POLLPRI));
    processes_close(&p);
}

/* NULL pointers: EFAULT where octets would have to be there. */
static void nowhere(void)
{
    struct ltcp_iovec iov = {NULL, 4};
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], NULL, 4, 0), -LTCP_EFAULT);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], NULL, 0, 0), 0);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], NULL, 4, 0), -LTCP_EAGAIN);
    send_flags(&p, 0, fd[0], "abcd", 4, 0);
    settle(&p);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], NULL, 4, 0), -LTCP_EFAULT);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], NULL, 4, LTCP_MSG_PEEK), -LTCP_EFAULT);
    CHECK_EQUAL(receive_flags(&p, 1, fd[1], NULL, 4, LTCP_MSG_TRUNC), 4);
    struct ltcp_call pipe = {.op = LTCP_CALL_PIPE};
    step(&p, 0, &pipe);
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_WRITE, .fd = pipe.fds[1], .iov = &iov, .iov_count = 1),
                -LTCP_EFAULT);
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_READ, .fd = pipe.fds[0], .iov = &iov, .iov_count = 1),
                -LTCP_EFAULT);
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_SETSOCKOPT, .fd = fd[0], .length = 4,
                     .arg = {LTCP_SOL_TCP, LTCP_TCP_NODELAY}),
                -LTCP_EFAULT);
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_IOCTL, .fd = fd[0], .arg = {LTCP_SIOCINQ}), -LTCP_EFAULT);
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_POLL, .count = 1), -LTCP_EFAULT);
    processes_close(&p);
}

static int64_t move(enum ltcp_call_op op, int descriptor, void *bytes, size_t length)
{
    struct ltcp_iovec iov = {bytes, length};
    return CALL(0, .op = op, .fd = descriptor, .iov = &iov, .iov_count = 1);
}

/* pipe(7): 64 KiB; what is no longer than PIPE_BUF goes in whole, or waits. */
static void pipes_hold(void)
{
    static char bulk[65536];
    processes_open(&p, NULL);
    struct ltcp_call pipe = {.op = LTCP_CALL_PIPE};
    step(&p, 0, &pipe);
    CHECK_EQUAL(move(LTCP_CALL_WRITE, pipe.fds[1], bulk, 65536 - 100), 65536 - 100);
    CHECK_EQUAL(move(LTCP_CALL_WRITE, pipe.fds[1], bulk, 101), WAITS);
    CHECK_EQUAL(move(LTCP_CALL_WRITE, pipe.fds[1], bulk, 40), 40);
    CHECK_EQUAL(move(LTCP_CALL_READ, pipe.fds[0], bulk, sizeof bulk), 65536 - 60);
    CHECK_EQUAL(move(LTCP_CALL_WRITE, pipe.fds[1], bulk, 65536 - 100), 65536 - 100);
    CHECK_EQUAL(move(LTCP_CALL_WRITE, pipe.fds[1], bulk, 4097), WAITS); /* a part of it */
    CHECK_EQUAL(move(LTCP_CALL_READ, pipe.fds[0], bulk, sizeof bulk), 65536);
    processes_close(&p);
}

/* tcp(7), TCP_CORK and MSG_MORE: no partial segment leaves until it is uncorked. */
static void corks(void)
{
    processes_open(&p, NULL);
    make_connected(&p, fd);
    set_option(&p, 0, fd[0], LTCP_SOL_TCP, LTCP_TCP_NODELAY, 1);
    set_option(&p, 0, fd[0], LTCP_SOL_TCP, LTCP_TCP_CORK, 1);
    CHECK_EQUAL(get_option(&p, 0, fd[0], LTCP_SOL_TCP, LTCP_TCP_CORK), 1);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "head", 4, 0), 4);
    CHECK_EQUAL(pair_collect(&p.pair, 0), 0);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "body", 4, 0), 4);
    CHECK_EQUAL(pair_collect(&p.pair, 0), 0);
    set_option(&p, 0, fd[0], LTCP_SOL_TCP, LTCP_TCP_CORK, 0);
    CHECK_EQUAL(pair_collect(&p.pair, 0), 1);
    settle(&p);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "more", 4, LTCP_MSG_MORE), 4);
    CHECK_EQUAL(pair_collect(&p.pair, 0), 0);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], "end", 3, 0), 3);
    CHECK_EQUAL(pair_collect(&p.pair, 0), 1);
    processes_close(&p);
}

static void asks_how_much(void)
{
    int value = -1;
    processes_open(&p, NULL);
    make_connected(&p, fd);
    send_flags(&p, 0, fd[0], "12345", 5, 0);
#define ASK(i, socket, request)                                                                    \
    CALL(i, .op = LTCP_CALL_IOCTL, .fd = socket, .arg = {request}, .value = &value,                \
         .length = sizeof value)
    CHECK_EQUAL(ASK(0, fd[0], LTCP_SIOCOUTQ), 0);
    CHECK_EQUAL(value, 5);
    ASK(0, fd[0], LTCP_SIOCOUTQNSD);
    CHECK_EQUAL(value, 5);
    pair_collect(&p.pair, 0);
    ASK(0, fd[0], LTCP_SIOCOUTQNSD);
    CHECK_EQUAL(value, 0);
    settle(&p);
    pair_wait(&p.pair); /* the delayed acknowledgment */
    settle(&p);
    ASK(0, fd[0], LTCP_SIOCOUTQ);
    CHECK_EQUAL(value, 0);
    CHECK_EQUAL(ASK(1, fd[1], LTCP_SIOCINQ), 0);
    CHECK_EQUAL(value, 5);
    CHECK_EQUAL(ASK(1, fd[2], LTCP_SIOCINQ), -LTCP_EINVAL); /* a listener */
    CHECK_EQUAL(ASK(1, fd[1], 1), -LTCP_ENOTTY);
    /* TCP_INQ tells it beside the data, and 1 for the end that is still to be read */
    char text[8];
    struct ltcp_iovec iov = {text, 3};
    set_option(&p, 1, fd[1], LTCP_SOL_TCP, LTCP_TCP_INQ, 1);
    struct ltcp_call call = {
        .op = LTCP_CALL_RECVMSG, .fd = fd[1], .iov = &iov, .iov_count = 1, .control_room = 64};
    CHECK_EQUAL(step(&p, 1, &call), 3);
    CHECK_EQUAL(call.control_count, 1);
    CHECK_EQUAL(call.controls[0].type, LTCP_TCP_CM_INQ);
    CHECK_EQUAL(call.controls[0].value, 2);
    close_fd(&p, 0, fd[0]);
    settle(&p);
    struct ltcp_call last = {
        .op = LTCP_CALL_RECVMSG, .fd = fd[1], .iov = &iov, .iov_count = 1, .control_room = 64};
    CHECK_EQUAL(step(&p, 1, &last), 2);
    CHECK_EQUAL(last.controls[0].value, 1);
    processes_close(&p);
}

static void descriptors(void)
{
    processes_open(&p, NULL);
    for (int i = 3; i < 1024; i++)
        CHECK_EQUAL(make_socket(&p, 0, 0), i);
    CHECK_EQUAL(make_socket(&p, 0, 0), -LTCP_EMFILE);
    CHECK_EQUAL(ltcp_sockets_renumber(p.at[0], 5, 2), 0);
    CHECK_EQUAL(ltcp_sockets_renumber(p.at[0], 5, 1), -LTCP_EBADF);
    CHECK_EQUAL(ltcp_sockets_renumber(p.at[0], 6, 2), -LTCP_EBUSY);
    CHECK_EQUAL(ltcp_sockets_renumber(p.at[0], 6, 4096), -LTCP_EMFILE);
    CHECK_EQUAL(make_socket(&p, 0, 0), 5);
    /* A call that waits belongs to its opening, not to the number. */
    const int listener = make_listener(&p, 80, 1);
    CALL(1, .op = LTCP_CALL_FCNTL, .fd = listener, .arg = {LTCP_F_SETFL, 0});
    struct ltcp_call accept = {.op = LTCP_CALL_ACCEPT, .fd = listener};
    CHECK_EQUAL(step(&p, 1, &accept), WAITS);
    close_fd(&p, 1, listener);
    CHECK_EQUAL(make_listener(&p, 80, 1), listener);
    CHECK_EQUAL(step(&p, 1, &accept), -LTCP_EBADF);
    processes_close(&p);
}

/* Whatever has no memory says so, and all of it comes back. */
static void without_memory(void)
{
    struct check_memory memory;
    for (long grant = 0; grant < 40; grant++) {
        const struct ltcp_allocator allocator = check_allocator(&memory);
        struct ltcp_pool *pool = ltcp_pool_create(&allocator);
        struct ltcp_host *host =
            ltcp_host_create(&(struct ltcp_host_config){.pool = pool, .secret = {1, 2}});
        memory.remaining = grant;
        struct ltcp_sockets *t =
            ltcp_sockets_create(&(struct ltcp_sockets_config){.host = host, .pool = pool});
        for (int i = 0; t != NULL && i < 20; i++) {
            struct ltcp_call socket = {.op = LTCP_CALL_SOCKET,
                                       .arg = {LTCP_AF_INET, LTCP_SOCK_STREAM, 0}};
            struct ltcp_call pipe = {.op = LTCP_CALL_PIPE};
            struct ltcp_call epoll = {.op = LTCP_CALL_EPOLL_CREATE, .arg = {1}};
            ltcp_call_step(t, 0, &socket);
            ltcp_call_step(t, 0, &pipe);
            ltcp_call_step(t, 0, &epoll);
            CHECK(socket.result >= 3 || socket.result == -LTCP_ENOMEM);
            CHECK(pipe.result == 0 || pipe.result == -LTCP_ENOMEM);
        }
        ltcp_sockets_destroy(t, 0);
        memory.remaining = -1;
        ltcp_host_destroy(host);
        ltcp_pool_destroy(pool);
        CHECK_EQUAL(memory.live, 0);
    }
}

int main(void)
{
    connect_without_waiting();
    connect_waits();
    refused();
    addresses_in_use();
    time_wait_keeps_the_port();
    many_that_were_closed();
    backlog_bounds_the_queue();
    reads_and_writes();
    gathers_and_scatters();
    waits_for_enough();
    a_full_buffer();
    calls_time_out();
    reset_by_peer();
    shuts_down();
    lingers();
    out_of_band();
    urgent_in_line();
    nowhere();
    pipes_hold();
    corks();
    asks_how_much();
    descriptors();
    without_memory();
    return check_finish();
}
