/* spec/linux/kernel_peer.c - one connection of the kernel's own TCP, led by its arguments:
 *
 *   kernel_peer listen|connect ADDRESS PORT WORD...
 *
 * Set before the connection is made:
 *   cc=NAME (TCP_CONGESTION)  rcvbuf=N  sndbuf=N  keepalive=SECONDS  oobinline  nodelay  mss=N
 *   user_timeout=MS  md5=ADDRESS,KEY (TCP_MD5SIG)
 * then done one after the other:
 *   send=N      octets of the pattern       recv=N, recv=eof  read; says how many, and whether they
 * are echo        until the end               urgent=TEXT       sent out of band mark        read
 * up to the urgent mark  shutdown          of sending reset       close with a reset sleep=MS
 *   both=N      send and read N at a time   info              what TCP_INFO says
 * and at last the connection is closed. Says "ready" when it listens, and what happens; an error is
 * a line such as "recv: ECONNRESET", and does not end it. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PERIOD = 65521, PIECE = 65536 };

static uint8_t pattern[2 * PERIOD + PIECE];
static uint64_t sent, received;
static bool right = true;

static void complain(const char *what)
{
    printf("%s: %s\n", what, strerrorname_np(errno));
}

static const char *value_of(const char *word, const char *key)
{
    size_t length = strlen(key);
    return strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static void set(int fd, int level, int name, int value, const char *what)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0) complain(what);
}

/* "10.99.0.1,secret" */
static void set_md5(int fd, const char *text)
{
    char address[64] = {0};
    struct tcp_md5sig key = {0};
    const char *comma = strchr(text, ',');
    if (comma == NULL || (size_t)(comma - text) >= sizeof address) exit(2);
    memcpy(address, text, (size_t)(comma - text));
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&key.tcpm_addr;
    struct sockaddr_in *four = (struct sockaddr_in *)&key.tcpm_addr;
    if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1)
        six->sin6_family = AF_INET6;
    else if (inet_pton(AF_INET, address, &four->sin_addr) == 1)
        four->sin_family = AF_INET;
    key.tcpm_keylen = (uint16_t)strlen(comma + 1);
    memcpy(key.tcpm_key, comma + 1, key.tcpm_keylen);
    if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key) != 0) complain("md5");
}

/* True: the word was about the socket. */
static bool prepare(int fd, const char *word)
{
    const char *v;
    if ((v = value_of(word, "cc")) != NULL) {
        if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, v, (socklen_t)strlen(v)) != 0)
            complain("cc");
    } else if ((v = value_of(word, "rcvbuf")) != NULL) {
        set(fd, SOL_SOCKET, SO_RCVBUF, atoi(v), word);
    } else if ((v = value_of(word, "sndbuf")) != NULL) {
        set(fd, SOL_SOCKET, SO_SNDBUF, atoi(v), word);
    } else if ((v = value_of(word, "mss")) != NULL) {
        set(fd, IPPROTO_TCP, TCP_MAXSEG, atoi(v), word);
    } else if ((v = value_of(word, "user_timeout")) != NULL) {
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, atoi(v), word);
    } else if ((v = value_of(word, "keepalive")) != NULL) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1, word);
        set(fd, IPPROTO_TCP, TCP_KEEPIDLE, atoi(v), word);
        set(fd, IPPROTO_TCP, TCP_KEEPINTVL, atoi(v), word);
    } else if ((v = value_of(word, "md5")) != NULL) {
        set_md5(fd, v);
    } else if ((v = value_of(word, "fastopen")) != NULL) {
        set(fd, IPPROTO_TCP, TCP_FASTOPEN, atoi(v), word);
    } else if (strcmp(word, "fastopen_connect") == 0) {
        set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, word);
    } else if (strcmp(word, "oobinline") == 0) {
        set(fd, SOL_SOCKET, SO_OOBINLINE, 1, word);
    } else if (strcmp(word, "nodelay") == 0) {
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1, word);
    } else {
        return false;
    }
    return true;
}

/* ---- data ---------------------------------------------------------------------------------------
 */

static ssize_t send_some(int fd, uint64_t left, int flags)
{
    size_t length = left < PIECE ? (size_t)left : PIECE;
    ssize_t n = send(fd, pattern + sent % PERIOD, length, flags | MSG_NOSIGNAL);
    if (n > 0) sent += (uint64_t)n;
    return n;
}

static ssize_t receive_some(int fd, uint64_t left, int flags)
{
    static uint8_t buffer[PIECE];
    ssize_t n = recv(fd, buffer, left < PIECE ? (size_t)left : PIECE, flags);
    if (n <= 0) return n;
    right = right && memcmp(buffer, pattern + received % PERIOD, (size_t)n) == 0;
    received += (uint64_t)n;
    return n;
}

static void send_all(int fd, uint64_t count)
{
    while (count > 0) {
        ssize_t n = send_some(fd, count, 0);
        if (n < 0) {
            complain("send");
            return;
        }
        count -= (uint64_t)n;
    }
}

static void receive_all(int fd, uint64_t count)
{
    ssize_t n = 1;
    for (; count > 0 && (n = receive_some(fd, count, 0)) > 0; count -= (uint64_t)n)
        continue;
    if (n < 0) complain("recv");
    printf("received %llu %s%s\n", (unsigned long long)received, right ? "right" : "WRONG",
           n == 0 ? " eof" : "");
}

static void both(int fd, uint64_t count)
{
    uint64_t out = count, in = count;
    while (out > 0 || in > 0) {
        struct pollfd p = {.fd = fd,
                           .events = (short)((out > 0 ? POLLOUT : 0) | (in > 0 ? POLLIN : 0))};
        poll(&p, 1, -1);
        ssize_t n;
        if (in > 0 && (n = receive_some(fd, in, MSG_DONTWAIT)) > 0) in -= (uint64_t)n;
        if (out > 0 && (n = send_some(fd, out, MSG_DONTWAIT)) > 0) out -= (uint64_t)n;
        if (p.revents & (POLLERR | POLLHUP)) break;
    }
    printf("both %llu %llu %s\n", (unsigned long long)sent, (unsigned long long)received,
           right ? "right" : "WRONG");
}

static void echo(int fd)
{
    static uint8_t buffer[PIECE];
    uint64_t count = 0;
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        for (ssize_t done = 0; done < n;) {
            ssize_t m = send(fd, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);
            if (m < 0) {
                complain("send");
                return;
            }
            done += m;
        }
        count += (uint64_t)n;
    }
    if (n < 0) complain("recv");
    printf("echoed %llu\n", (unsigned long long)count);
}

/* Reads one octet after the other up to where the urgent data begins, then that octet. */
static void mark(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLPRI};
    poll(&p, 1, 5000);
    char c;
    int at = 0, before = 0;
    while (ioctl(fd, SIOCATMARK, &at) == 0 && at == 0 && recv(fd, &c, 1, 0) == 1)
        before++;
    ssize_t n = recv(fd, &c, 1, 0);
    printf("mark after %d: %c\n", before, n == 1 ? c : '?');
}

static void info(int fd)
{
    struct tcp_info i;
    socklen_t length = sizeof i;
    memset(&i, 0, sizeof i);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &length) != 0) complain("info");
    printf("info%s%s%s%s%s wscale=%d,%d mss=%u\n",
           i.tcpi_options & TCPI_OPT_TIMESTAMPS ? " ts" : "",
           i.tcpi_options & TCPI_OPT_SACK ? " sack" : "",
           i.tcpi_options & TCPI_OPT_WSCALE ? " wscale" : "",
           i.tcpi_options & TCPI_OPT_ECN ? " ecn" : "",
           i.tcpi_options & TCPI_OPT_SYN_DATA ? " syn_data" : "", i.tcpi_snd_wscale,
           i.tcpi_rcv_wscale, i.tcpi_snd_mss);
}

static void act(int fd, const char *word)
{
    const char *v;
    if ((v = value_of(word, "send")) != NULL) {
        send_all(fd, strtoull(v, NULL, 10));
    } else if ((v = value_of(word, "recv")) != NULL) {
        receive_all(fd, strcmp(v, "eof") == 0 ? UINT64_MAX : strtoull(v, NULL, 10));
    } else if ((v = value_of(word, "both")) != NULL) {
        both(fd, strtoull(v, NULL, 10));
    } else if ((v = value_of(word, "urgent")) != NULL) {
        if (send(fd, v, strlen(v), MSG_OOB | MSG_NOSIGNAL) < 0) complain("urgent");
    } else if ((v = value_of(word, "sleep")) != NULL) {
        usleep((useconds_t)atoi(v) * 1000);
    } else if (strcmp(word, "echo") == 0) {
        echo(fd);
    } else if (strcmp(word, "mark") == 0) {
        mark(fd);
    } else if (strcmp(word, "info") == 0) {
        info(fd);
    } else if (strcmp(word, "shutdown") == 0) {
        if (shutdown(fd, SHUT_WR) != 0) complain("shutdown");
    } else if (strcmp(word, "reset") == 0) {
        const struct linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else {
        printf("what is %s?\n", word);
    }
    fflush(stdout);
}

/* ---- the connection -----------------------------------------------------------------------------
 */

static int open_connection(bool listens, const struct sockaddr_in6 *address, int count,
                           char *const *words)
{
    int fd = socket(address->sin6_family, SOCK_STREAM, 0);
    socklen_t length =
        address->sin6_family == AF_INET6 ? sizeof *address : sizeof(struct sockaddr_in);
    const struct sockaddr *name = (const struct sockaddr *)address;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "reuse");
    for (int i = 0; i < count; i++)
        prepare(fd, words[i]);
    if (!listens) {
        if (connect(fd, name, length) == 0) return fd;
        complain("connect");
        return -1;
    }
    if (bind(fd, name, length) != 0 || listen(fd, 16) != 0) {
        complain("listen");
        return -1;
    }
    printf("ready\n");
    fflush(stdout);
    int connection = accept(fd, NULL, NULL);
    if (connection < 0) complain("accept");
    close(fd);
    return connection;
}

int main(int argc, char **argv)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in *four = (struct sockaddr_in *)&six;
    if (argc < 4) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(60); /* nobody waits for ever for a connection that does not come */
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)((i % PERIOD) * (i % PERIOD) / 251 + i % PERIOD);
    if (inet_pton(AF_INET6, argv[2], &six.sin6_addr) == 1) {
        six.sin6_port = htons((uint16_t)atoi(argv[3]));
    } else {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)atoi(argv[3]));
        if (inet_pton(AF_INET, argv[2], &four->sin_addr) != 1) return 2;
    }
    int fd = open_connection(strcmp(argv[1], "listen") == 0, &six, argc - 4, argv + 4);
    if (fd < 0) return 1;
    for (int i = 4; i < argc; i++)
        if (strcmp(argv[i], "fastopen_connect") != 0 && !prepare(fd, argv[i])) act(fd, argv[i]);
    close(fd);
    return 0;
}
