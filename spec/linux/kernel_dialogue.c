/* spec/linux/kernel_dialogue.c - one connection of the kernel's own TCP that writes and reads at
 * the same time, by two lists of steps:
 *
 *   kernel_dialogue listen|connect ADDRESS PORT WORD... write STEP... read STEP...
 *
 * WORD is set before the connection is made:
 *   cc=NAME  rcvbuf=N  sndbuf=N  mss=N  nodelay=1  oobinline=1  keepalive=SECONDS  notsent=OCTETS
 *   clamp=OCTETS (TCP_WINDOW_CLAMP)  fastopen=N (of a listener)  fastopen_connect=1
 *   cork=1  quickack=1
 * A STEP of the writer: N (write so many octets), u (one octet of urgent data), pMS (pause),
 * shutdown, close, abort (close with a reset), or a WORD, set now; of the reader: N (read until so
 * many more came, or the end), pMS, eof (read to the end). Octets of the stream are below 128, as
 * pattern() has them; urgent ones are 128, 129, ... and do not count. When both lists are over, the
 * connection is closed.
 *
 * Prints "ready" when it listens, "info ..." when the connection is there (not with
 * fastopen_connect), "urgent K at N [inline]" for each urgent octet that is read (N octets were
 * read before it), and at last four lines:
 *
 *   wrote N urgent K
 *   read N right|wrong at I
 *   writer ok|ERROR reader eof|ok|ERROR
 *   end */
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD = 65521, PIECE = 65536, FIRST_URGENT = 128 };

/* One direction: where it is in its list, and what it has done. */
struct lane {
    char *const *steps;
    int count, at;
    bool over;
    uint64_t left;   /* octets of the present step */
    bool begun;      /* it has been looked at */
    int64_t resume;  /* milliseconds: a pause lasts until then */
    uint64_t done;   /* octets of the stream */
    unsigned urgent; /* octets beside it */
    const char *end;
};

static struct lane writer = {.end = "ok"}, reader = {.end = "ok"};
static int64_t wrong_at = -1;
static bool deferred; /* the SYN leaves with what is written first */

static uint8_t pattern(uint64_t at)
{
    uint64_t i = at % PERIOD;
    return (uint8_t)((i * i / 251 + i) & 127);
}

static int64_t milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void complain(const char *what)
{
    printf("%s: %s\n", what, strerrorname_np(errno));
}

/* ---- before the connection ----------------------------------------------------------------------
 */

static const struct {
    const char *key;
    int level, name;
} options[] = {
    {"rcvbuf", SOL_SOCKET, SO_RCVBUF},
    {"sndbuf", SOL_SOCKET, SO_SNDBUF},
    {"oobinline", SOL_SOCKET, SO_OOBINLINE},
    {"mss", IPPROTO_TCP, TCP_MAXSEG},
    {"nodelay", IPPROTO_TCP, TCP_NODELAY},
    {"notsent", IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {"clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {"cork", IPPROTO_TCP, TCP_CORK},
    {"quickack", IPPROTO_TCP, TCP_QUICKACK},
    {"fastopen", IPPROTO_TCP, TCP_FASTOPEN},
    {"fastopen_connect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
};

static void set(int fd, int level, int name, int value, const char *what)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0) complain(what);
}

static void prepare(int fd, const char *word)
{
    const char *value = strchr(word, '=');
    size_t length = value == NULL ? 0 : (size_t)(value - word);
    if (value++ == NULL) exit(2);
    deferred = deferred || strncmp(word, "fastopen_connect=", length + 1) == 0;
    if (strncmp(word, "cc", length) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, value, (socklen_t)strlen(value)) != 0)
        complain(word);
    if (strncmp(word, "keepalive", length) == 0) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1, word);
        set(fd, IPPROTO_TCP, TCP_KEEPIDLE, atoi(value), word);
        set(fd, IPPROTO_TCP, TCP_KEEPINTVL, atoi(value), word);
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].key) == length && memcmp(word, options[i].key, length) == 0)
            set(fd, options[i].level, options[i].name, atoi(value), word);
}

static void print_info(int fd)
{
    struct tcp_info i;
    socklen_t length = sizeof i;
    memset(&i, 0, sizeof i);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &length) != 0) complain("info");
    printf("info ts=%d sack=%d wscale=%d ecn=%d snd_wscale=%d rcv_wscale=%d\n",
           (i.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0, (i.tcpi_options & TCPI_OPT_SACK) != 0,
           (i.tcpi_options & TCPI_OPT_WSCALE) != 0, (i.tcpi_options & TCPI_OPT_ECN) != 0,
           i.tcpi_snd_wscale, i.tcpi_rcv_wscale);
}

/* ---- steps
 * --------------------------------------------------------------------------------------- */

static const char *word_of(const struct lane *lane)
{
    return lane->steps[lane->at];
}

static void next_step(struct lane *lane)
{
    lane->at++;
    lane->begun = false;
    lane->over = lane->at >= lane->count;
}

static void fail(struct lane *lane)
{
    lane->end = strerrorname_np(errno);
    lane->over = true;
}

/* What can be done without waiting for the other end; true: the connection is over. */
static bool begin_steps(int fd, struct lane *lane, int64_t now)
{
    while (!lane->over && now >= lane->resume) {
        const char *word = word_of(lane);
        if (lane->begun && *word == 'p') {
            next_step(lane);
            continue;
        }
        if (lane->begun) return false;
        lane->begun = true;
        lane->left = *word == 'e' ? UINT64_MAX : strtoull(word, NULL, 10);
        if (*word == 'p') lane->resume = now + atoi(word + 1);
        if (strcmp(word, "close") == 0 || strcmp(word, "abort") == 0) {
            const struct linger none = {1, 0};
            if (*word == 'a') setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
            lane->over = true;
            return true;
        }
        if (strchr(word, '=') != NULL) {
            prepare(fd, word);
            next_step(lane);
        }
        if (strcmp(word, "shutdown") == 0) {
            if (shutdown(fd, SHUT_WR) != 0) {
                fail(lane);
                return false;
            }
            next_step(lane);
        }
    }
    return false;
}

static void write_urgent(int fd)
{
    uint8_t octet = (uint8_t)(FIRST_URGENT + writer.urgent % 128);
    ssize_t n = send(fd, &octet, 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == 1) {
        writer.urgent++;
        next_step(&writer);
    } else if (errno != EAGAIN) {
        fail(&writer);
    }
}

/* A shutdown meanwhile would drop the connection: Linux has it so in SYN-SENT. */
static void wait_open(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    poll(&p, 1, -1);
    deferred = false;
}

static void write_some(int fd)
{
    static uint8_t buffer[PIECE];
    size_t length = writer.left < PIECE ? (size_t)writer.left : PIECE;
    if (*word_of(&writer) == 'u') {
        write_urgent(fd);
        return;
    }
    for (size_t i = 0; i < length; i++)
        buffer[i] = pattern(writer.done + i);
    ssize_t n = send(fd, buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINPROGRESS) fail(&writer);
        return;
    }
    if (deferred) wait_open(fd);
    writer.done += (uint64_t)n;
    writer.left -= (uint64_t)n;
    if (writer.left == 0) next_step(&writer);
}

static void look_at(uint8_t octet)
{
    if (octet >= FIRST_URGENT) {
        printf("urgent %d at %llu inline\n", octet, (unsigned long long)reader.done);
        reader.urgent++;
        return;
    }
    if (octet != pattern(reader.done) && wrong_at < 0) wrong_at = (int64_t)reader.done;
    reader.done++;
}

static void read_some(int fd)
{
    static uint8_t buffer[PIECE];
    size_t length = reader.left < PIECE ? (size_t)reader.left : PIECE;
    ssize_t n = recv(fd, buffer, length, MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN) fail(&reader);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        look_at(buffer[i]);
    if (n == 0) {
        reader.end = "eof";
        reader.over = true;
        return;
    }
    reader.left -= (uint64_t)n;
    if (reader.left == 0) next_step(&reader);
}

static void read_urgent(int fd)
{
    uint8_t octet;
    if (recv(fd, &octet, 1, MSG_OOB | MSG_DONTWAIT) != 1) return;
    printf("urgent %d at %llu\n", octet, (unsigned long long)reader.done);
    reader.urgent++;
}

static bool waits(const struct lane *lane, int64_t now)
{
    return !lane->over && now >= lane->resume;
}

static void look_until(int *timeout, const struct lane *lane, int64_t now)
{
    if (!lane->over && lane->resume > now && lane->resume - now < *timeout)
        *timeout = (int)(lane->resume - now);
}

static void converse(int fd)
{
    while (!writer.over || !reader.over) {
        int64_t now = milliseconds();
        if (begin_steps(fd, &writer, now) || begin_steps(fd, &reader, now)) return;
        bool out = waits(&writer, now), in = !deferred && waits(&reader, now);
        struct pollfd p = {.fd = fd};
        p.events = (short)((out ? POLLOUT : 0) | (in ? POLLIN | POLLPRI : 0));
        int timeout = 1000;
        look_until(&timeout, &writer, now);
        look_until(&timeout, &reader, now);
        if (!out && !in) p.fd = -1; /* an error would be told again and again */
        if (poll(&p, 1, timeout) <= 0) continue;
        if (in && (p.revents & POLLPRI)) read_urgent(fd);
        if (in && (p.revents & (POLLIN | POLLERR | POLLHUP))) read_some(fd);
        if (out && (p.revents & (POLLOUT | POLLERR | POLLHUP))) write_some(fd);
    }
}

/* ---- the connection
 * ------------------------------------------------------------------------------ */

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
    int connection = accept(fd, NULL, NULL);
    if (connection < 0) complain("accept");
    close(fd);
    return connection;
}

/* Splits the arguments; where the list of settings ends. */
static int find_lanes(int argc, char **argv)
{
    int at = 4, end;
    while (at < argc && strcmp(argv[at], "write") != 0)
        at++;
    for (end = at; end < argc && strcmp(argv[end], "read") != 0;)
        end++;
    if (end >= argc) exit(2);
    writer.steps = argv + at + 1;
    writer.count = end - at - 1;
    reader.steps = argv + end + 1;
    reader.count = argc - end - 1;
    writer.over = writer.count == 0;
    reader.over = reader.count == 0;
    return at;
}

int main(int argc, char **argv)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in *four = (struct sockaddr_in *)&six;
    if (argc < 6) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(60);
    if (inet_pton(AF_INET6, argv[2], &six.sin6_addr) == 1) {
        six.sin6_port = htons((uint16_t)atoi(argv[3]));
    } else {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)atoi(argv[3]));
        if (inet_pton(AF_INET, argv[2], &four->sin_addr) != 1) return 2;
    }
    int words = find_lanes(argc, argv) - 4;
    int fd = open_connection(strcmp(argv[1], "listen") == 0, &six, words, argv + 4);
    if (fd >= 0) {
        if (!deferred) print_info(fd);
        converse(fd);
        close(fd);
    }
    printf("wrote %llu urgent %u\n", (unsigned long long)writer.done, writer.urgent);
    printf("read %llu ", (unsigned long long)reader.done);
    if (wrong_at < 0)
        printf("right\n");
    else
        printf("wrong at %lld\n", (long long)wrong_at);
    printf("writer %s reader %s\nend\n", writer.end, reader.end);
    return 0;
}
