/* core/test/socket_ready_test.c - poll(2) and epoll(7): what a descriptor is ready for, and when it
 * is told. */
#include "sockets.h"

#define IN    (LTCP_POLLIN | LTCP_POLLRDNORM)
#define OUT   (LTCP_POLLOUT | LTCP_POLLWRNORM)
#define EVENT LTCP_EPOLLIN | LTCP_EPOLLOUT | LTCP_EPOLLRDHUP

static struct processes p;
static int fd[3];

static uint32_t ready(unsigned i, int socket)
{
    return ltcp_sockets_poll(p.at[i], p.pair.now, socket);
}

static void readiness_of_states(void)
{
    processes_open(&p, NULL);
    const int idle = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
    CHECK_EQUAL(ready(0, idle), LTCP_POLLHUP | OUT); /* as Linux has it: not connected */
    CHECK_EQUAL(ready(0, 99), LTCP_POLLNVAL);
    fd[2] = make_listener(&p, 80, 5);
    CHECK_EQUAL(ready(1, fd[2]), 0);
    CALL(0, .op = LTCP_CALL_CONNECT, .fd = idle, .address = address_of(&p, 1, 80));
    CHECK_EQUAL(ready(0, idle), 0); /* connecting: neither */
    settle(&p);
    CHECK_EQUAL(ready(0, idle), OUT);
    CHECK_EQUAL(ready(1, fd[2]), IN);
    const int other = (int)CALL(1, .op = LTCP_CALL_ACCEPT, .fd = fd[2]);
    CHECK_EQUAL(ready(1, fd[2]), 0);
    send_flags(&p, 0, idle, "x", 1, 0);
    settle(&p);
    CHECK_EQUAL(ready(1, other), IN | OUT);
    CALL(0, .op = LTCP_CALL_SHUTDOWN, .fd = idle, .arg = {LTCP_SHUT_WR});
    settle(&p);
    CHECK_EQUAL(ready(1, other), IN | OUT | LTCP_POLLRDHUP);
    close_fd(&p, 1, other); /* with an octet unread: a reset */
    settle(&p);
    CHECK_EQUAL(ready(0, idle), IN | OUT | LTCP_POLLRDHUP | LTCP_POLLHUP | LTCP_POLLERR);
    processes_close(&p);
}

static void refused_connection(void)
{
    processes_open(&p, NULL);
    const int socket = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
    CALL(0, .op = LTCP_CALL_CONNECT, .fd = socket, .address = address_of(&p, 1, 80));
    settle(&p);
    CHECK(ready(0, socket) & LTCP_POLLERR);
    CHECK(ready(0, socket) & LTCP_POLLHUP);
    CHECK_EQUAL(get_option(&p, 0, socket, LTCP_SOL_SOCKET, LTCP_SO_ERROR), LTCP_ECONNREFUSED);
    CHECK(!(ready(0, socket) & LTCP_POLLERR));
    processes_close(&p);
}

/* A third of the buffer must be free: otherwise each octet acknowledged would wake a writer. */
static void writable_again(void)
{
    static char bulk[9000];
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.receive_buffer = 2000;
    processes_open(&p, &settings);
    make_connected(&p, fd);
    set_option(&p, 0, fd[0], LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 4500);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], bulk, sizeof bulk, 0), 9000);
    CHECK_EQUAL(ready(0, fd[0]), 0);
    uint32_t queued = 9000;
    bool was = false;
    for (int i = 0; i < 400 && queued > 0; i++) {
        char sink[700];
        settle(&p);
        receive_flags(&p, 1, fd[1], sink, sizeof sink, 0);
        settle(&p);
        pair_wait(&p.pair);
        int value;
        CALL(0, .op = LTCP_CALL_IOCTL, .fd = fd[0], .arg = {LTCP_SIOCOUTQ}, .value = &value,
             .length = sizeof value);
        queued = (uint32_t)value;
        const bool is = (ready(0, fd[0]) & LTCP_POLLOUT) != 0;
        CHECK_EQUAL(is, queued <= 6000);
        was = was || is;
    }
    CHECK(was);
    processes_close(&p);
}

/* A writer that waits is stepped at each event, and goes on when a third of the buffer is free. */
static void writer_wakes(void)
{
    static char bulk[12000];
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.receive_buffer = 2000;
    processes_open(&p, &settings);
    make_connected(&p, fd);
    set_option(&p, 0, fd[0], LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 4500);
    CALL(0, .op = LTCP_CALL_FCNTL, .fd = fd[0], .arg = {LTCP_F_SETFL, LTCP_O_RDWR});
    struct ltcp_iovec piece = {bulk, sizeof bulk};
    struct ltcp_call call = {.op = LTCP_CALL_WRITE, .fd = fd[0], .iov = &piece, .iov_count = 1};
    CHECK_EQUAL(step(&p, 0, &call), WAITS);
    CHECK_EQUAL(call.progress.moved, 9000);
    int value = 9000;
    for (int i = 0; i < 400 && value > 6000; i++) {
        char sink[700];
        CHECK_EQUAL(step(&p, 0, &call), WAITS);
        CHECK_EQUAL(call.progress.moved, 9000);
        settle(&p);
        receive_flags(&p, 1, fd[1], sink, sizeof sink, 0);
        settle(&p);
        pair_wait(&p.pair);
        CALL(0, .op = LTCP_CALL_IOCTL, .fd = fd[0], .arg = {LTCP_SIOCOUTQ}, .value = &value,
             .length = sizeof value);
    }
    CHECK_EQUAL(step(&p, 0, &call), sizeof bulk);
    processes_close(&p);
}

static void low_water_marks(void)
{
    static char bulk[100000];
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.initial_window = 2;
    settings.write_pieces = true;
    processes_open(&p, &settings);
    make_connected(&p, fd);
    set_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_RCVLOWAT, 3);
    send_flags(&p, 0, fd[0], "ab", 2, 0);
    settle(&p);
    CHECK_EQUAL(ready(1, fd[1]), OUT);
    send_flags(&p, 0, fd[0], "c", 1, 0);
    pair_wait(&p.pair);
    settle(&p);
    CHECK_EQUAL(ready(1, fd[1]), IN | OUT);
    /* TCP_NOTSENT_LOWAT: so much may wait unsent, beyond what leaves at once (one segment, for
     * an octet is under way); it is looked at once for each piece of 45 segments of 1,448 */
    set_option(&p, 0, fd[0], LTCP_SOL_TCP, LTCP_TCP_NOTSENT_LOWAT, 4000);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], bulk, sizeof bulk, 0), 46 * 1448);
    CHECK_EQUAL(ready(0, fd[0]), 0);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], bulk, 1, 0), -LTCP_EAGAIN);
    pair_collect(&p.pair, 0);
    CHECK_EQUAL(ready(0, fd[0]), 0);
    for (int i = 0; i < 100 && ready(0, fd[0]) == 0; i++) {
        static char sink[sizeof bulk];
        int value;
        CALL(0, .op = LTCP_CALL_IOCTL, .fd = fd[0], .arg = {LTCP_SIOCOUTQNSD}, .value = &value,
             .length = sizeof value);
        CHECK(value >= 4000);
        pair_deliver(&p.pair, 1);
        receive_flags(&p, 1, fd[1], sink, sizeof sink, 0);
        pair_collect(&p.pair, 1);
        pair_deliver(&p.pair, 0);
        if (pair_collect(&p.pair, 0) == 0) pair_wait(&p.pair);
    }
    CHECK_EQUAL(ready(0, fd[0]), OUT);
    processes_close(&p);
}

static void polls(void)
{
    processes_open(&p, NULL);
    make_connected(&p, fd);
    struct ltcp_pollfd list[] = {{fd[1], LTCP_POLLIN, 0}, {-1, LTCP_POLLIN, 7}, {77, 0, 0}};
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_POLL, .polls = list, .count = 2, .timeout = 0), 0);
    CHECK_EQUAL(list[1].revents, 0);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_POLL, .polls = list, .count = 3, .timeout = -1), 1);
    CHECK_EQUAL(list[2].revents, LTCP_POLLNVAL);
    struct ltcp_call wait = {.op = LTCP_CALL_POLL, .polls = list, .count = 1, .timeout = 20};
    CHECK_EQUAL(step(&p, 1, &wait), WAITS);
    CHECK_EQUAL(wait.deadline, p.pair.now + 20 * LTCP_MILLISECOND);
    send_flags(&p, 0, fd[0], "x", 1, 0);
    settle(&p);
    CHECK_EQUAL(step(&p, 1, &wait), 1);
    CHECK_EQUAL(list[0].revents, LTCP_POLLIN);
    struct ltcp_call over = {.op = LTCP_CALL_POLL, .polls = list, .count = 0, .timeout = 5};
    CHECK_EQUAL(step(&p, 1, &over), WAITS);
    p.pair.now = over.deadline;
    CHECK_EQUAL(step(&p, 1, &over), 0);
    processes_close(&p);
}

/* ---- epoll ------------------------------------------------------------------------------------
 */

static int64_t control(int ep, int operation, int socket, uint32_t events, uint64_t data)
{
    struct ltcp_epoll_event event = {events, data};
    return CALL(1, .op = LTCP_CALL_EPOLL_CTL, .fd = ep, .arg = {operation, socket},
                .events = &event);
}

/* Number of events; the first one's bits in *events. */
static int64_t take(int ep, uint32_t *events, uint64_t *data)
{
    struct ltcp_epoll_event list[8] = {{0, 0}};
    const int64_t n =
        CALL(1, .op = LTCP_CALL_EPOLL_WAIT, .fd = ep, .events = list, .count = 8, .timeout = 0);
    *events = list[0].events;
    *data = list[0].data;
    return n;
}

static int make_epoll(void)
{
    return (int)CALL(1, .op = LTCP_CALL_EPOLL_CREATE, .arg = {1});
}

static void levels_and_edges(void)
{
    uint32_t events;
    uint64_t data;
    char text[8];
    processes_open(&p, NULL);
    make_connected(&p, fd);
    const int level = make_epoll(), edge = make_epoll(), once = make_epoll();
    CHECK_EQUAL(control(level, LTCP_EPOLL_CTL_ADD, fd[1], LTCP_EPOLLIN, 1), 0);
    CHECK_EQUAL(control(edge, LTCP_EPOLL_CTL_ADD, fd[1], (EVENT) | LTCP_EPOLLET, 2), 0);
    CHECK_EQUAL(control(once, LTCP_EPOLL_CTL_ADD, fd[1], LTCP_EPOLLIN | LTCP_EPOLLONESHOT, 3), 0);
    CHECK_EQUAL(take(level, &events, &data), 0);
    CHECK_EQUAL(take(edge, &events, &data), 1); /* what is true when it is added */
    CHECK_EQUAL(events, LTCP_EPOLLOUT);
    CHECK_EQUAL(take(edge, &events, &data), 0);
    send_flags(&p, 0, fd[0], "abc", 3, 0);
    settle(&p);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(take(level, &events, &data), 1);
        CHECK(events == LTCP_EPOLLIN && data == 1);
        CHECK_EQUAL(take(edge, &events, &data), i == 0);
        if (i == 0) CHECK(events == (LTCP_EPOLLIN | LTCP_EPOLLOUT) && data == 2);
        CHECK_EQUAL(take(once, &events, &data), i == 0);
    }
    receive_flags(&p, 1, fd[1], text, 1, 0); /* no edge: nothing came */
    CHECK_EQUAL(take(edge, &events, &data), 0);
    pair_wait(&p.pair);
    settle(&p);
    send_flags(&p, 0, fd[0], "d", 1, 0);
    settle(&p);
    CHECK_EQUAL(take(edge, &events, &data), 1);
    CHECK_EQUAL(take(once, &events, &data), 0);
    CHECK_EQUAL(control(once, LTCP_EPOLL_CTL_MOD, fd[1], LTCP_EPOLLIN | LTCP_EPOLLONESHOT, 4), 0);
    CHECK_EQUAL(take(once, &events, &data), 1); /* armed again, and true */
    CHECK_EQUAL(data, 4);
    receive_flags(&p, 1, fd[1], text, 8, 0);
    CHECK_EQUAL(take(level, &events, &data), 0);
    close_fd(&p, 0, fd[0]);
    settle(&p);
    CHECK_EQUAL(take(edge, &events, &data), 1);
    CHECK_EQUAL(events, LTCP_EPOLLIN | LTCP_EPOLLOUT | LTCP_EPOLLRDHUP);
    processes_close(&p);
}

static void watching(void)
{
    uint32_t events;
    uint64_t data;
    processes_open(&p, NULL);
    make_connected(&p, fd);
    const int ep = make_epoll();
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_ADD, fd[1], EVENT, 1), 0);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_ADD, fd[1], EVENT, 1), -LTCP_EEXIST);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_MOD, fd[2], EVENT, 1), -LTCP_ENOENT);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_DEL, fd[2], EVENT, 1), -LTCP_ENOENT);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_ADD, 77, EVENT, 1), -LTCP_EBADF);
    CHECK_EQUAL(control(77, LTCP_EPOLL_CTL_ADD, fd[1], EVENT, 1), -LTCP_EBADF);
    CHECK_EQUAL(control(fd[1], LTCP_EPOLL_CTL_ADD, fd[2], EVENT, 1), -LTCP_EINVAL);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_ADD, ep, EVENT, 1), -LTCP_EINVAL);
    CHECK_EQUAL(control(ep, 9, fd[1], EVENT, 1), -LTCP_EINVAL);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_ADD, fd[2], LTCP_EPOLLIN, 2), 0);
    CHECK_EQUAL(take(ep, &events, &data), 1);
    CHECK_EQUAL(data, 1);
    /* Two that are ready take turns when there is room for one only. */
    const int client = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
    CALL(0, .op = LTCP_CALL_CONNECT, .fd = client, .address = address_of(&p, 1, 80));
    settle(&p);
    uint64_t seen = 0;
    for (int i = 0; i < 2; i++) {
        struct ltcp_epoll_event one;
        CHECK_EQUAL(
            CALL(1, .op = LTCP_CALL_EPOLL_WAIT, .fd = ep, .events = &one, .count = 1, .timeout = 0),
            1);
        seen |= one.data;
    }
    CHECK_EQUAL(seen, 3);
    close_fd(&p, 1, fd[1]); /* and so is watched no more */
    close_fd(&p, 1, fd[2]);
    CHECK_EQUAL(take(ep, &events, &data), 0);
    processes_close(&p);
}

static void edge_of_space(void)
{
    static char bulk[20000], sink[20000];
    uint32_t events;
    uint64_t data;
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.receive_buffer = 4000;
    settings.delayed_ack = false;
    processes_open(&p, &settings);
    make_connected(&p, fd);
    const int ep = make_epoll();
    set_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 4500);
    CHECK_EQUAL(control(ep, LTCP_EPOLL_CTL_ADD, fd[1], LTCP_EPOLLOUT | LTCP_EPOLLET, 1), 0);
    CHECK_EQUAL(take(ep, &events, &data), 1);
    CHECK_EQUAL(send_flags(&p, 1, fd[1], bulk, sizeof bulk, 0), 9000);
    int edges = 0;
    for (int i = 0; i < 50; i++) {
        settle(&p);
        receive_flags(&p, 0, fd[0], sink, sizeof sink, 0);
        settle(&p);
        if (take(ep, &events, &data) > 0) edges++;
    }
    CHECK_EQUAL(edges, 1); /* not at each acknowledgment */
    processes_close(&p);
}

/* ---- pipes ------------------------------------------------------------------------------------
 */

static void pipes(void)
{
    static char bulk[70000];
    char text[8];
    struct ltcp_iovec iov = {bulk, sizeof bulk}, small = {text, 4};
    uint32_t events;
    uint64_t data;
    processes_open(&p, NULL);
    make_connected(&p, fd);
    struct ltcp_call make = {.op = LTCP_CALL_PIPE};
    CHECK_EQUAL(step(&p, 1, &make), 0);
    const int in = make.fds[0], out = make.fds[1], ep = make_epoll();
    CHECK_EQUAL(ready(1, in), 0);
    CHECK_EQUAL(ready(1, out), OUT);
    control(ep, LTCP_EPOLL_CTL_ADD, in, LTCP_EPOLLIN | LTCP_EPOLLET, 5);
    struct ltcp_call read = {.op = LTCP_CALL_READ, .fd = in, .iov = &small, .iov_count = 1};
    CHECK_EQUAL(step(&p, 1, &read), WAITS);
    memcpy(bulk, "abcd", 4);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_WRITE, .fd = out, .iov = &(struct ltcp_iovec){bulk, 4},
                     .iov_count = 1),
                4);
    CHECK_EQUAL(take(ep, &events, &data), 1);
    CHECK_EQUAL(step(&p, 1, &read), 4);
    CHECK(memcmp(text, "abcd", 4) == 0);
    CALL(1, .op = LTCP_CALL_FCNTL, .fd = out, .arg = {LTCP_F_SETFL, LTCP_O_NONBLOCK});
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_WRITE, .fd = out, .iov = &iov, .iov_count = 1), 65536);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_WRITE, .fd = out, .iov = &small, .iov_count = 1),
                -LTCP_EAGAIN);
    /* splice(2): from the pipe into a socket, and from a socket into the pipe */
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_SPLICE, .fd = in, .arg = {fd[1], 65536, 0}), 65536);
    settle(&p);
    send_flags(&p, 0, fd[0], "splice", 6, 0);
    settle(&p);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_SPLICE, .fd = fd[1], .arg = {out, 99, 0}), 6);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_READ, .fd = in, .iov = &small, .iov_count = 1), 4);
    CHECK(memcmp(text, "spli", 4) == 0);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_SPLICE, .fd = fd[1], .arg = {fd[2], 1, 0}), -LTCP_EINVAL);
    close_fd(&p, 1, in);
    CHECK_EQUAL(ready(1, out), OUT | LTCP_POLLERR);
    CHECK_EQUAL(CALL(1, .op = LTCP_CALL_WRITE, .fd = out, .iov = &small, .iov_count = 1),
                -LTCP_EPIPE);
    processes_close(&p);
}

int main(void)
{
    readiness_of_states();
    refused_connection();
    writable_again();
    writer_wakes();
    low_water_marks();
    polls();
    levels_and_edges();
    watching();
    edge_of_space();
    pipes();
    return check_finish();
}
