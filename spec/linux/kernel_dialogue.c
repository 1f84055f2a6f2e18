/* spec/linux/kernel_dialogue.c - one connection of the kernel's own TCP that writes and reads at
 * the same time, by two lists of steps:
 *
 *   kernel_dialogue listen|connect ADDRESS PORT WORD... write STEP... read STEP...
 *
 * WORD, of kernel_socket.h, is set before the connection is made. A STEP of the writer: N (write so
 * many octets), u (one octet of urgent data), pMS (pause), shutdown, close, abort (close with a
 * reset), or a WORD, set now; of the reader: N (read until so many more came, or the end), pMS, eof
 * (read to the end). Octets of the stream are below 128, as pattern() has them; urgent ones are
 * 128, 129, ... and do not count. When both lists are over, the connection is closed.
 *
 * Prints "ready" when it listens, "info ..." when the connection is there (not with
 * fastopen_connect), "urgent K at N [inline]" for each urgent octet that is read (N octets were
 * read before it), and at last four lines:
 *
 *   wrote N urgent K
 *   read N right|wrong at I
 *   writer ok|ERROR reader eof|ok|ERROR
 *   end */
#include "kernel_socket.h"

#include <poll.h>
#include <time.h>

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
        if (prepare(fd, word)) next_step(lane);
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
    struct sockaddr_in6 address;
    if (argc < 6) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(60);
    if (!parse_address(argv[2], (uint16_t)atoi(argv[3]), &address)) return 2;
    int words = find_lanes(argc, argv) - 4;
    for (int i = 4; i < 4 + words; i++)
        deferred = deferred || strncmp(argv[i], "fastopen_connect", 16) == 0;
    int fd = open_connection(strcmp(argv[1], "listen") == 0, &address, words, argv + 4);
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
