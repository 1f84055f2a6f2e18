/* spec/linux/kernel_peer.c - one connection of the kernel's own TCP, led by its arguments:
 *
 *   kernel_peer listen|connect ADDRESS PORT WORD...
 *
 * Words of kernel_socket.h are set before the connection is made, the others done one after the
 * other:
 *   send=N             octets of the pattern
 *   recv=N, recv=eof   read; says how many, and whether they are right
 *   both=N             send and read N at a time
 *   echo               until the end
 *   urgent=TEXT        sent out of band
 *   mark               read up to the urgent mark
 *   shutdown           of sending
 *   reset              close with a reset
 *   sleep=MS
 *   info               what TCP_INFO says
 * and at last the connection is closed. Says "ready" when it listens, and what happens; an error is
 * a line such as "recv: ECONNRESET", and does not end it. */
#include "kernel_socket.h"

#include <poll.h>
#include <sys/ioctl.h>

enum { PERIOD = 65521, PIECE = 65536 };

static uint8_t pattern[2 * PERIOD + PIECE];
static uint64_t sent, received;
static bool right = true;

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

int main(int argc, char **argv)
{
    struct sockaddr_in6 address;
    if (argc < 4) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(60); /* nobody waits for ever for a connection that does not come */
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)((i % PERIOD) * (i % PERIOD) / 251 + i % PERIOD);
    if (!parse_address(argv[2], (uint16_t)atoi(argv[3]), &address)) return 2;
    int fd = open_connection(strcmp(argv[1], "listen") == 0, &address, argc - 4, argv + 4);
    if (fd < 0) return 1;
    for (int i = 4; i < argc; i++)
        if (strcmp(argv[i], "fastopen_connect") != 0 && !prepare(fd, argv[i])) act(fd, argv[i]);
    close(fd);
    return 0;
}
