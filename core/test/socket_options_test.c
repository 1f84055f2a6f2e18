/* core/test/socket_options_test.c - socket(7), ip(7), ipv6(7), tcp(7): what options take, give back
 * and do; TCP_INFO; names. */
#include "sockets.h"

static struct processes p;
static int fd[3];

struct option_case {
    int level, name, set, want; /* want: what is given back, or a negative errno of the set */
};

static void options_take_and_give(void)
{
    static const struct option_case cases[] = {
        {LTCP_SOL_SOCKET, LTCP_SO_REUSEADDR, 5, 1},
        {LTCP_SOL_SOCKET, LTCP_SO_REUSEPORT, 1, 1},
        {LTCP_SOL_SOCKET, LTCP_SO_KEEPALIVE, 7, 1},
        {LTCP_SOL_SOCKET, LTCP_SO_OOBINLINE, 0, 0},
        {LTCP_SOL_SOCKET, LTCP_SO_PRIORITY, 6, 6},
        {LTCP_SOL_SOCKET, LTCP_SO_MARK, 666, 666},
        {LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 10000, 20000}, /* the double */
        {LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 1, 4608},      /* the least */
        {LTCP_SOL_SOCKET, LTCP_SO_RCVBUF, 50000, 100000},
        {LTCP_SOL_SOCKET, LTCP_SO_RCVBUF, 0, 2304},
        {LTCP_SOL_SOCKET, LTCP_SO_RCVLOWAT, 0, 1},
        {LTCP_SOL_SOCKET, LTCP_SO_RCVLOWAT, 100, 100},
        {LTCP_SOL_SOCKET, LTCP_SO_SNDLOWAT, 2, -LTCP_ENOPROTOOPT},
        {LTCP_SOL_SOCKET, LTCP_SO_ERROR, 2, -LTCP_ENOPROTOOPT},
        {LTCP_SOL_SOCKET, LTCP_SO_ZEROCOPY, 1, -LTCP_EOPNOTSUPP},
        {LTCP_SOL_SOCKET, 9999, 1, -LTCP_ENOPROTOOPT},
        {9999, 1, 1, -LTCP_ENOPROTOOPT},
        {LTCP_SOL_IP, LTCP_IP_TOS, 0xFF, 0xFC}, /* ECN's bits are TCP's own */
        {LTCP_SOL_IP, LTCP_IP_TTL, 0, -LTCP_EINVAL},
        {LTCP_SOL_IP, LTCP_IP_TTL, 256, -LTCP_EINVAL},
        {LTCP_SOL_IP, LTCP_IP_TTL, 5, 5},
        {LTCP_SOL_IP, LTCP_IP_TTL, -1, 64},
        {LTCP_SOL_IP, LTCP_IP_MTU_DISCOVER, LTCP_IP_PMTUDISC_DONT, LTCP_IP_PMTUDISC_DONT},
        {LTCP_SOL_IP, LTCP_IP_MTU_DISCOVER, 6, -LTCP_EINVAL},
        {LTCP_SOL_IP, LTCP_IP_RECVERR, 3, 1},
        {LTCP_SOL_IP, LTCP_IP_FREEBIND, 1, 1},
        {LTCP_SOL_IPV6, LTCP_IPV6_TCLASS, 1, -LTCP_ENOPROTOOPT}, /* of an IPv4 socket */
        {LTCP_SOL_TCP, LTCP_TCP_NODELAY, 2, 1},
        {LTCP_SOL_TCP, LTCP_TCP_MAXSEG, 1100, 1100},
        {LTCP_SOL_TCP, LTCP_TCP_MAXSEG, 87, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_MAXSEG, 32768, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_CORK, 1, 1},
        {LTCP_SOL_TCP, LTCP_TCP_KEEPIDLE, 5, 5},
        {LTCP_SOL_TCP, LTCP_TCP_KEEPIDLE, 32768, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_KEEPINTVL, 6, 6},
        {LTCP_SOL_TCP, LTCP_TCP_KEEPCNT, 7, 7},
        {LTCP_SOL_TCP, LTCP_TCP_KEEPCNT, 128, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_SYNCNT, 1, 1},
        {LTCP_SOL_TCP, LTCP_TCP_SYNCNT, 0, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_LINGER2, 30, 30},
        {LTCP_SOL_TCP, LTCP_TCP_LINGER2, 1000, 120},
        {LTCP_SOL_TCP, LTCP_TCP_LINGER2, -5, -1},
        {LTCP_SOL_TCP, LTCP_TCP_DEFER_ACCEPT, 10, 15}, /* 1 + 2 + 4 + 8: repeated SYN-ACKs */
        {LTCP_SOL_TCP, LTCP_TCP_WINDOW_CLAMP, 1, 1152},
        {LTCP_SOL_TCP, LTCP_TCP_QUICKACK, 1, 1},
        {LTCP_SOL_TCP, LTCP_TCP_USER_TIMEOUT, 3000, 3000},
        {LTCP_SOL_TCP, LTCP_TCP_USER_TIMEOUT, -1, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_NOTSENT_LOWAT, 32000, 32000},
        {LTCP_SOL_TCP, LTCP_TCP_INQ, 1, 1},
        {LTCP_SOL_TCP, LTCP_TCP_INQ, 2, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_RTO_MAX_MS, 5000, 5000},
        {LTCP_SOL_TCP, LTCP_TCP_RTO_MAX_MS, 999, -LTCP_EINVAL},
        {LTCP_SOL_TCP, LTCP_TCP_MD5SIG, 1, -LTCP_EINVAL},
        {LTCP_SOL_TCP, 9999, 1, -LTCP_ENOPROTOOPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct option_case *c = &cases[i];
        processes_open(&p, NULL);
        const int socket = (int)make_socket(&p, 0, 0);
        const int64_t set = set_option(&p, 0, socket, c->level, c->name, c->set);
        const int64_t got = set < 0 ? set : get_option(&p, 0, socket, c->level, c->name);
        if (!CHECK_EQUAL(got, c->want)) printf("    level %d, name %d\n", c->level, c->name);
        processes_close(&p);
    }
}

static void read_only_options(void)
{
    processes_open(&p, NULL);
    make_connected(&p, fd);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_TYPE), LTCP_SOCK_STREAM);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_DOMAIN), LTCP_AF_INET);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_PROTOCOL), LTCP_IPPROTO_TCP);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_SOCKET, LTCP_SO_ACCEPTCONN), 0);
    CHECK_EQUAL(get_option(&p, 1, fd[2], LTCP_SOL_SOCKET, LTCP_SO_ACCEPTCONN), 1);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_IP, LTCP_IP_MTU), 1500);
    CHECK_EQUAL(get_option(&p, 1, fd[2], LTCP_SOL_IP, LTCP_IP_MTU), -LTCP_ENOTCONN);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_TCP, LTCP_TCP_MAXSEG), 1448);
    CHECK_EQUAL(get_option(&p, 1, fd[1], LTCP_SOL_TCP, LTCP_TCP_LINGER2), 0);
    processes_close(&p);
}

/* An accepted socket has what its listener had; and options become the engine's settings. */
static void options_are_inherited(void)
{
    struct ltcp_settings settings;
    processes_open(&p, NULL);
    const int listener = (int)make_socket(&p, 1, LTCP_SOCK_NONBLOCK);
    set_option(&p, 1, listener, LTCP_SOL_TCP, LTCP_TCP_KEEPIDLE, 11);
    set_option(&p, 1, listener, LTCP_SOL_SOCKET, LTCP_SO_KEEPALIVE, 1);
    set_option(&p, 1, listener, LTCP_SOL_SOCKET, LTCP_SO_SNDBUF, 7000);
    CALL(1, .op = LTCP_CALL_BIND, .fd = listener, .address = address_of(&p, 1, 80));
    CALL(1, .op = LTCP_CALL_LISTEN, .fd = listener, .arg = {5});
    set_option(&p, 1, listener, LTCP_SOL_TCP, LTCP_TCP_NODELAY, 1); /* also while it listens */
    const int client = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
    CALL(0, .op = LTCP_CALL_CONNECT, .fd = client, .address = address_of(&p, 1, 80));
    settle(&p);
    const int child = (int)CALL(1, .op = LTCP_CALL_ACCEPT, .fd = listener);
    CHECK_EQUAL(get_option(&p, 1, child, LTCP_SOL_TCP, LTCP_TCP_KEEPIDLE), 11);
    CHECK_EQUAL(get_option(&p, 1, child, LTCP_SOL_TCP, LTCP_TCP_NODELAY), 1);
    CHECK_EQUAL(get_option(&p, 1, child, LTCP_SOL_SOCKET, LTCP_SO_SNDBUF), 14000);
    CHECK_EQUAL(set_option(&p, 1, child, LTCP_SOL_TCP, LTCP_TCP_USER_TIMEOUT, 9), 0);
    const ltcp_handle handle = ltcp_sockets_handle(p.at[1], child);
    CHECK(ltcp_settings_of(p.pair.host[1], handle, &settings) == LTCP_OK);
    CHECK(settings.keepalive && !settings.nagle);
    CHECK_EQUAL(settings.keepalive_idle, 11 * LTCP_SECOND);
    CHECK_EQUAL(settings.user_timeout, 9 * LTCP_MILLISECOND);
    CHECK_EQUAL(settings.send_buffer, 14000);
    processes_close(&p);
}

static void sizes_of_values(void)
{
    uint8_t octets[300] = {7, 7, 7, 7, 7, 7, 7, 7};
    processes_open(&p, NULL);
    make_connected(&p, fd);
#define SET(size, level, name)                                                                     \
    CALL(0, .op = LTCP_CALL_SETSOCKOPT, .fd = fd[0], .arg = {level, name}, .value = octets,        \
         .length = (size))
    struct ltcp_call get = {.op = LTCP_CALL_GETSOCKOPT, .fd = fd[0], .value = octets};
    CHECK_EQUAL(SET(3, LTCP_SOL_SOCKET, LTCP_SO_REUSEADDR), -LTCP_EINVAL);
    CHECK_EQUAL(SET(3, LTCP_SOL_TCP, LTCP_TCP_NODELAY), -LTCP_EINVAL);
    CHECK_EQUAL(SET(1, LTCP_SOL_IP, LTCP_IP_TTL), 0); /* an octet is enough for IP */
    CHECK_EQUAL(SET(7, LTCP_SOL_SOCKET, LTCP_SO_LINGER), -LTCP_EINVAL);
    get.arg[0] = LTCP_SOL_IP;
    get.arg[1] = LTCP_IP_TTL;
    get.length = 1;
    CHECK_EQUAL(step(&p, 0, &get), 0);
    CHECK(get.length == 1 && octets[0] == 7);
    struct ltcp_call info = {.op = LTCP_CALL_GETSOCKOPT,
                             .fd = fd[0],
                             .value = octets,
                             .length = sizeof octets,
                             .arg = {LTCP_SOL_TCP, LTCP_TCP_INFO}};
    CHECK_EQUAL(step(&p, 0, &info), 0);
    CHECK_EQUAL(info.length, 280); /* Linux 6.18's */
    info.done = false;
    info.progress.begun = false;
    info.length = 8; /* a caller that knows fewer fields */
    CHECK_EQUAL(step(&p, 0, &info), 0);
    CHECK_EQUAL(info.length, 8);
    CHECK_EQUAL(octets[0], LTCP_TCP_ESTABLISHED);
    long time[2] = {3, 1000000};
    CHECK_EQUAL(CALL(0, .op = LTCP_CALL_SETSOCKOPT, .fd = fd[0], .value = time,
                     .length = sizeof time, .arg = {LTCP_SOL_SOCKET, LTCP_SO_RCVTIMEO}),
                -LTCP_EDOM);
    processes_close(&p);
}

static struct ltcp_tcp_info info_of(unsigned i, int socket)
{
    struct ltcp_tcp_info info;
    memset(&info, 0, sizeof info);
    CHECK_EQUAL(ltcp_sockets_tcp_info(p.at[i], p.pair.now, socket, &info), 0);
    return info;
}

static void tells_tcp_info(void)
{
    static char bulk[14480];
    processes_open(&p, &ltcp_profile_linux);
    const int idle = (int)make_socket(&p, 0, 0);
    CHECK_EQUAL(info_of(0, idle).state, LTCP_TCP_CLOSE);
    make_connected(&p, fd);
    CHECK_EQUAL(info_of(1, fd[2]).state, LTCP_TCP_LISTEN);
    CHECK_EQUAL(info_of(1, fd[2]).sacked, 5); /* the backlog */
    struct ltcp_tcp_info info = info_of(0, fd[0]);
    CHECK_EQUAL(info.state, LTCP_TCP_ESTABLISHED);
    CHECK_EQUAL(info.options, LTCP_TCPI_OPT_TIMESTAMPS | LTCP_TCPI_OPT_SACK | LTCP_TCPI_OPT_WSCALE);
    CHECK_EQUAL(info.snd_mss, 1448);
    CHECK_EQUAL(info.advmss, 1460);
    CHECK_EQUAL(info.pmtu, 1500);
    CHECK_EQUAL(info.snd_cwnd, 10); /* segments */
    CHECK_EQUAL(info.snd_ssthresh, LTCP_TCP_INFINITE_SSTHRESH);
    CHECK_EQUAL(info.ca_state, LTCP_TCP_CA_Open);
    CHECK_EQUAL(ltcp_tcp_info_snd_wscale(&info), ltcp_tcp_info_rcv_wscale(&info));
    CHECK_EQUAL(info.reordering, 3);
    send_flags(&p, 0, fd[0], bulk, sizeof bulk, 0);
    pair_collect(&p.pair, 0);
    info = info_of(0, fd[0]);
    CHECK_EQUAL(info.unacked, 10);
    CHECK_EQUAL(info.notsent_bytes, 0);
    CHECK_EQUAL(info.bytes_sent, sizeof bulk);
    p.pair.now += 7 * LTCP_MILLISECOND;
    pair_deliver_but(&p.pair, 1, 0); /* the first is lost */
    pair_collect(&p.pair, 1);
    pair_deliver(&p.pair, 0);
    info = info_of(0, fd[0]);
    CHECK_EQUAL(info.sacked, 9);
    CHECK_EQUAL(info.lost, 1);
    CHECK_EQUAL(info.ca_state, LTCP_TCP_CA_Recovery);
    CHECK_EQUAL(info.last_data_sent, 7); /* milliseconds */
    settle(&p);
    info = info_of(0, fd[0]);
    CHECK_EQUAL(info.total_retrans, 1);
    CHECK_EQUAL(info.bytes_retrans, 1448);
    CHECK_EQUAL(info.bytes_acked, sizeof bulk);
    CHECK_EQUAL(info_of(1, fd[1]).bytes_received, sizeof bulk);
    close_fd(&p, 1, fd[1]);
    settle(&p);
    processes_close(&p);
}

/* tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited: microseconds, measured in the engine. */
static void tells_what_held_it_up(void)
{
    static char bulk[20000], sink[20000];
    struct ltcp_settings settings = ltcp_profile_linux;
    settings.receive_buffer = 10000;
    settings.window_scaling = false;
    processes_open(&p, &settings);
    make_connected(&p, fd);
    CHECK_EQUAL(info_of(0, fd[0]).busy_time, 0);
    CHECK_EQUAL(send_flags(&p, 0, fd[0], bulk, sizeof bulk, 0), sizeof bulk);
    pair_collect(&p.pair, 0);
    p.pair.now += 30 * LTCP_MILLISECOND; /* the window took some, and holds up the rest */
    struct ltcp_tcp_info info = info_of(0, fd[0]);
    CHECK_EQUAL(info.busy_time, 30000);
    CHECK_EQUAL(info.rwnd_limited, 30000);
    settle(&p);
    p.pair.now += 20 * LTCP_MILLISECOND;
    for (int i = 0; i < 20 && info_of(0, fd[0]).unacked + info_of(0, fd[0]).notsent_bytes > 0;
         i++) {
        receive_flags(&p, 1, fd[1], sink, sizeof sink, 0);
        settle(&p);
    }
    info = info_of(0, fd[0]);
    CHECK_EQUAL(info.rwnd_limited, 50000);
    CHECK_EQUAL(info.busy_time, 50000);
    p.pair.now += LTCP_SECOND; /* nothing to do */
    CHECK_EQUAL(info_of(0, fd[0]).busy_time, 50000);
    send_flags(&p, 0, fd[0], bulk, 1000, 0);
    pair_collect(&p.pair, 0);
    p.pair.now += LTCP_MILLISECOND; /* under way: busy, and held up by nobody */
    info = info_of(0, fd[0]);
    CHECK_EQUAL(info.busy_time, 51000);
    CHECK_EQUAL(info.rwnd_limited, 50000);
    CHECK_EQUAL(info.sndbuf_limited, 0);
    processes_close(&p);
}

static void names(void)
{
    int64_t value;
    CHECK_TEXT(ltcp_errno_name(LTCP_ECONNRESET), "ECONNRESET");
    CHECK_TEXT(ltcp_errno_text(LTCP_ECONNRESET), "Connection reset by peer");
    CHECK(ltcp_errno_name(12345) == NULL && ltcp_errno_text(0) == NULL);
    CHECK_EQUAL(ltcp_errno_number("EWOULDBLOCK"), LTCP_EAGAIN);
    CHECK_EQUAL(ltcp_errno_number("ENONSENSE"), 0);
    CHECK(ltcp_constant_find("EPOLLET", &value) && value == INT64_C(0x80000000));
    CHECK(ltcp_constant_find("TCP_CA_Recovery", &value) && value == 3);
    CHECK(!ltcp_constant_find("TCP_NONSENSE", &value));
    CHECK_EQUAL(ltcp_call_find("recvmsg"), LTCP_CALL_RECVMSG);
    CHECK_EQUAL(ltcp_call_find("open"), LTCP_CALL_COUNT);
    /* Every status of the engine that can come out of a call has a number. */
    for (int i = 1; i < LTCP_STATUS_COUNT; i++)
        if (ltcp_status_code((enum ltcp_status)i)[0] != '\0')
            CHECK(ltcp_errno_of((enum ltcp_status)i) > 0);
}

/* tcp(7), TCP_DEFER_ACCEPT: a listener wakes up when data comes, or when it has taken too long. */
static void defers_accept(void)
{
    processes_open(&p, NULL);
    fd[2] = make_listener(&p, 80, 5);
    set_option(&p, 1, fd[2], LTCP_SOL_TCP, LTCP_TCP_DEFER_ACCEPT, 3);
    for (int speaks = 0; speaks < 2; speaks++) {
        fd[0] = (int)make_socket(&p, 0, LTCP_SOCK_NONBLOCK);
        CALL(0, .op = LTCP_CALL_CONNECT, .fd = fd[0], .address = address_of(&p, 1, 80));
        settle(&p);
        CHECK_EQUAL(ltcp_sockets_poll(p.at[1], p.pair.now, fd[2]), 0);
        CHECK_EQUAL(CALL(1, .op = LTCP_CALL_ACCEPT, .fd = fd[2]), -LTCP_EAGAIN);
        if (speaks) {
            send_flags(&p, 0, fd[0], "hi", 2, 0);
            settle(&p);
        } else {
            p.pair.now += 3 * LTCP_SECOND - 1;
            ltcp_host_advance(p.pair.host[1], p.pair.now);
            CHECK_EQUAL(ltcp_sockets_poll(p.at[1], p.pair.now, fd[2]), 0);
            p.pair.now += 1;
            ltcp_host_advance(p.pair.host[1], p.pair.now);
            ltcp_sockets_advance(p.at[1], p.pair.now);
        }
        CHECK(ltcp_sockets_poll(p.at[1], p.pair.now, fd[2]) & LTCP_POLLIN);
        CHECK(CALL(1, .op = LTCP_CALL_ACCEPT, .fd = fd[2]) >= 3);
    }
    processes_close(&p);
}

int main(void)
{
    options_take_and_give();
    read_only_options();
    options_are_inherited();
    sizes_of_values();
    tells_tcp_info();
    tells_what_held_it_up();
    names();
    defers_accept();
    return check_finish();
}
