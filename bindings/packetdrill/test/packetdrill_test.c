/* bindings/packetdrill/test/packetdrill_test.c - drives liblunatcp_packetdrill.so as packetdrill
 * does: by dlopen, with packets of its own making as the peer, calls that block on a second thread,
 * and getsockopt by preloading. Argument: the object. */
#include "test/check.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../interface.h"
#include "lunatcp/packet.h"
#include "lunatcp/socket.h"
#include "lunatcp/wire.h"

/* packetdrill says RTLD_DEEPBIND, which address sanitizers do not bear. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DEEPBIND 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define DEEPBIND 0
#endif
#if !defined(DEEPBIND)
#define DEEPBIND RTLD_DEEPBIND
#endif

static struct packetdrill_interface ifc;
static void *library;
#define U ifc.userdata

/* ---- clock ------------------------------------------------------------------------------------
 */

static int64_t microseconds(void)
{
    struct timeval tv;
    CHECK_EQUAL(ifc.gettimeofday(U, &tv, NULL), 0);
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

/* As packetdrill waits for a moment: asleep until it is near, then turning on the clock. */
static void wait_until(int64_t when)
{
    for (;;) {
        const int64_t left = when - microseconds();
        if (left <= 0) return;
        if (left > 20) ifc.usleep(U, (useconds_t)(left - 20));
    }
}

/* ---- the peer ---------------------------------------------------------------------------------
 */

struct peer {
    struct ltcp_pool *pool;
    struct ltcp_address local, remote; /* of the stack; of the peer */
    uint16_t local_port, remote_port;
    struct ltcp_packet *packet; /* what came last */
    struct ltcp_ip ip;
    struct ltcp_segment got;
    int64_t time;
    uint32_t iss; /* of the stack */
};

static void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    if (size != 0) return realloc(old, size);
    free(old);
    return NULL;
}

static void inject(struct peer *p, uint16_t flags, uint32_t seq, uint32_t ack, uint16_t urgent,
                   size_t length)
{
    static const uint8_t zeros[4000], mss[4] = {2, 4, 0x03, 0xe8}; /* 1,000 */
    uint8_t bytes[4100];
    struct ltcp_packet *packet = ltcp_packet_create(p->pool);
    packet->block = ltcp_block_create(p->pool, 4000);
    memcpy(packet->block->data, zeros, length);
    packet->block->length = (uint32_t)length;
    packet->payload = packet->block->data;
    packet->payload_length = (uint32_t)length;
    const struct ltcp_ip ip = {
        .source = p->remote, .destination = p->local, .protocol = LTCP_PROTOCOL_TCP, .ttl = 64};
    const struct ltcp_segment s = {.source_port = p->remote_port,
                                   .destination_port = p->local_port,
                                   .seq = {seq},
                                   .ack = {ack},
                                   .flags = flags,
                                   .window = 32000,
                                   .urgent_pointer = urgent,
                                   .options_bytes = mss,
                                   .options_length = flags & LTCP_SYN ? 4 : 0};
    ltcp_segment_encode(packet, &ip, &s);
    const size_t total = ltcp_packet_bytes(packet, bytes, sizeof bytes);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(ifc.netdev_send(U, bytes, total), 0);
}

/* The next packet of the stack; false: none will come. */
static bool sniff(struct peer *p)
{
    uint8_t bytes[65536];
    size_t count = sizeof bytes;
    long long time = 0;
    if (p->packet != NULL) ltcp_packet_unref(p->packet);
    p->packet = NULL;
    CHECK_EQUAL(ifc.netdev_receive(U, bytes, &count, &time), 0);
    p->time = time;
    if (count == 0) return false;
    p->packet = ltcp_packet_from_bytes(p->pool, bytes, count);
    CHECK_STATUS(ltcp_ip_decode(p->packet, &p->ip), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode(p->packet, &p->ip, &p->got), LTCP_OK);
    return true;
}

static void expect(struct peer *p, uint16_t flags, uint32_t length)
{
    if (!CHECK(sniff(p))) return;
    CHECK_EQUAL(p->got.flags & ~LTCP_PSH, flags);
    CHECK_EQUAL(p->got.length, length);
}

/* ---- addresses --------------------------------------------------------------------------------
 */

enum family { V4, V6, MAPPED };
struct place {
    struct sockaddr_storage address;
    socklen_t length;
};

static struct place place(enum family family, const char *v4, const char *v6, uint16_t port)
{
    struct place out;
    memset(&out, 0, sizeof out);
    if (family == V4) {
        struct sockaddr_in *in = (struct sockaddr_in *)&out.address;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        inet_pton(AF_INET, v4, &in->sin_addr);
        out.length = sizeof *in;
    } else {
        char text[64];
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out.address;
        snprintf(text, sizeof text, "::ffff:%s", v4);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        inet_pton(AF_INET6, family == V6 ? v6 : text, &in6->sin6_addr);
        out.length = sizeof *in6;
    }
    return out;
}

static struct place ours(enum family family, uint16_t port)
{
    return place(family, "192.168.0.1", "fd3d:0a0b:17d6::1", port);
}
static struct place theirs(enum family family, uint16_t port)
{
    return place(family, "192.0.2.1", "fd3d:fa7b:d17d::1", port);
}

static void open_peer(struct peer *p, enum family family)
{
    const struct ltcp_allocator allocator = {resize, NULL};
    memset(p, 0, sizeof *p);
    p->pool = ltcp_pool_create(&allocator);
    ltcp_address_parse(family == V6 ? "fd3d:0a0b:17d6::1" : "192.168.0.1", &p->local);
    ltcp_address_parse(family == V6 ? "fd3d:fa7b:d17d::1" : "192.0.2.1", &p->remote);
    p->local_port = p->remote_port = 8080;
}

static void close_peer(struct peer *p)
{
    if (p->packet != NULL) ltcp_packet_unref(p->packet);
    ltcp_pool_destroy(p->pool);
}

static void begin(const char *flags)
{
    void (*init)(const char *, struct packetdrill_interface *);
    void *symbol = dlsym(library, "packetdrill_interface_init");
    CHECK(symbol != NULL);
    memcpy(&init, &symbol, sizeof init);
    init(flags, &ifc);
}

static int make_listener(enum family family)
{
    const struct place at = ours(family, 8080);
    const int one = 1, fd = ifc.socket(U, family == V4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) >= 0); /* a descriptor of the system, too */
    CHECK_EQUAL(ifc.setsockopt(U, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    CHECK_EQUAL(ifc.bind(U, fd, (const struct sockaddr *)&at.address, at.length), 0);
    CHECK_EQUAL(ifc.listen(U, fd, 1), 0);
    return fd;
}

static void shake_hands(struct peer *p)
{
    inject(p, LTCP_SYN, 0, 0, 0, 0);
    expect(p, LTCP_SYN | LTCP_ACK, 0);
    CHECK_EQUAL(p->got.ack.n, 1);
    p->iss = p->got.seq.n;
    inject(p, LTCP_ACK, 1, p->iss + 1, 0, 0);
}

/* ---- what is tried ----------------------------------------------------------------------------
 */

static void time_goes_on_by_itself(void)
{
    begin(NULL);
    const int64_t first = microseconds();
    CHECK(microseconds() > first);
    wait_until(first + 2500000);
    const int64_t later = microseconds();
    CHECK(later >= first + 2500000 && later < first + 2500100);
    uint8_t bytes[100];
    size_t count = sizeof bytes;
    long long time;
    CHECK_EQUAL(ifc.netdev_receive(U, bytes, &count, &time), 0); /* nothing will come */
    CHECK_EQUAL(count, 0);
    ifc.free(U);
}

static void passive_open(enum family family)
{
    struct peer p;
    char bytes[64] = {0};
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    begin(NULL);
    open_peer(&p, family);
    const int listener = make_listener(family);
    shake_hands(&p);
    const int fd = ifc.accept(U, listener, (struct sockaddr *)&from, &length);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) >= 0);
    const struct place want = theirs(family, 8080);
    CHECK_EQUAL(length, want.length);
    CHECK(memcmp(&from, &want.address, want.length) == 0);

    inject(&p, LTCP_PSH | LTCP_ACK, 1, p.iss + 1, 0, 60);
    expect(&p, LTCP_ACK, 0);
    CHECK_EQUAL(p.got.ack.n, 61);
    int waiting = 0;
    CHECK_EQUAL(ifc.ioctl(U, fd, FIONREAD, &waiting), 0);
    CHECK_EQUAL(waiting, 60);
    struct iovec iov[2] = {{bytes, 5}, {bytes + 5, 5}};
    CHECK_EQUAL(ifc.read(U, fd, bytes, 10), 10);
    CHECK_EQUAL(ifc.readv(U, fd, iov, 2), 10);
    CHECK_EQUAL(ifc.recv(U, fd, bytes, 10, MSG_PEEK), 10);
    length = sizeof from;
    CHECK_EQUAL(ifc.recvfrom(U, fd, bytes, 10, 0, (struct sockaddr *)&from, &length), 10);
    CHECK_EQUAL(length, 0);
    const int one = 1;
    CHECK_EQUAL(ifc.setsockopt(U, fd, IPPROTO_TCP, LTCP_TCP_INQ, &one, sizeof one), 0);
    union {
        struct cmsghdr align;
        char room[128];
    } control;
    struct msghdr message = {.msg_iov = iov,
                             .msg_iovlen = 2,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    CHECK_EQUAL(ifc.recvmsg(U, fd, &message, 0), 10);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL && header->cmsg_level == IPPROTO_TCP && header->cmsg_type == LTCP_TCP_INQ);
    if (header != NULL) memcpy(&waiting, CMSG_DATA(header), sizeof waiting);
    CHECK_EQUAL(waiting, 20);

    CHECK_EQUAL(ifc.setsockopt(U, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    struct msghdr out = {.msg_iov = iov, .msg_iovlen = 2};
    CHECK_EQUAL(ifc.write(U, fd, bytes, 10), 10);
    expect(&p, LTCP_ACK, 10);
    CHECK_EQUAL(ifc.writev(U, fd, iov, 2), 10);
    expect(&p, LTCP_ACK, 10);
    CHECK_EQUAL(ifc.send(U, fd, bytes, 10, MSG_NOSIGNAL), 10);
    expect(&p, LTCP_ACK, 10);
    CHECK_EQUAL(ifc.sendto(U, fd, bytes, 10, 0, NULL, 0), 10);
    expect(&p, LTCP_ACK, 10);
    CHECK_EQUAL(ifc.sendmsg(U, fd, &out, 0), 10);
    expect(&p, LTCP_ACK, 10);
    CHECK_EQUAL(p.got.seq.n, p.iss + 41);
    inject(&p, LTCP_ACK, 61, p.iss + 51, 0, 0);

    CHECK_EQUAL(ifc.shutdown(U, fd, SHUT_WR), 0);
    expect(&p, LTCP_FIN | LTCP_ACK, 0);
    CHECK_EQUAL(ifc.write(U, fd, bytes, 1), -1);
    CHECK_EQUAL(errno, EPIPE);
    inject(&p, LTCP_FIN | LTCP_ACK, 61, p.iss + 52, 0, 0);
    expect(&p, LTCP_ACK, 0);
    CHECK_EQUAL(ifc.read(U, fd, bytes, 64), 20);
    CHECK_EQUAL(ifc.read(U, fd, bytes, 64), 0);
    CHECK_EQUAL(ifc.close(U, fd), 0);
    CHECK(fcntl(fd, F_GETFD) < 0);
    CHECK_EQUAL(close(listener), 0); /* packetdrill closes what is left itself */
    ifc.free(U);
    close_peer(&p);
}

static void retransmits_in_virtual_time(void)
{
    struct peer p;
    begin("local=192.168.0.1,profile=linux,rto_initial=1");
    open_peer(&p, V4);
    const int fd = ifc.socket(U, AF_INET, SOCK_STREAM, 0);
    const struct place to = theirs(V4, 8080);
    CHECK_EQUAL(ifc.fcntl(U, fd, F_GETFL), O_RDWR);
    CHECK_EQUAL(ifc.fcntl(U, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    CHECK_EQUAL(ifc.connect(U, fd, (const struct sockaddr *)&to.address, to.length), -1);
    CHECK_EQUAL(errno, EINPROGRESS);
    expect(&p, LTCP_SYN, 0);
    const int64_t first = p.time;
    p.local_port = p.got.source_port;
    for (int i = 1; i <= 3; i++) {
        expect(&p, LTCP_SYN, 0);
        CHECK_EQUAL(p.time - first, ((1 << i) - 1) * INT64_C(1000000));
    }
    inject(&p, LTCP_RST | LTCP_ACK, 0, p.got.seq.n + 1, 0, 0);
    int error = 0;
    socklen_t length = sizeof error;
    CHECK_EQUAL(ifc.getsockopt(U, fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    CHECK_EQUAL(error, ECONNREFUSED);
    CHECK_EQUAL(ifc.close(U, fd), 0);
    ifc.free(U);
    close_peer(&p);
}

static void waits_for_several(void)
{
    struct peer p;
    int ends[2];
    char bytes[200];
    begin(NULL);
    open_peer(&p, V4);
    const int listener = make_listener(V4);
    shake_hands(&p);
    const int fd = ifc.accept(U, listener, NULL, NULL), ep = ifc.epoll_create(U, 1);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = 7}};
    CHECK_EQUAL(ifc.epoll_ctl(U, ep, EPOLL_CTL_ADD, fd, &event), 0);
    CHECK_EQUAL(ifc.epoll_wait(U, ep, &event, 1, 0), 0);
    struct pollfd list = {.fd = fd, .events = POLLIN};
    const int64_t before = microseconds();
    CHECK_EQUAL(ifc.poll(U, &list, 1, 30), 0); /* on this very thread: the time goes by */
    CHECK(microseconds() - before >= 30000);
    inject(&p, LTCP_ACK, 1, p.iss + 1, 0, 100);
    CHECK_EQUAL(ifc.poll(U, &list, 1, -1), 1);
    CHECK_EQUAL(list.revents, POLLIN);
    CHECK_EQUAL(ifc.epoll_wait(U, ep, &event, 1, 0), 1);
    CHECK(event.events == EPOLLIN && event.data.u64 == 7);
    CHECK_EQUAL(ifc.pipe(U, ends), 0);
    CHECK_EQUAL(ifc.splice(U, fd, NULL, ends[1], NULL, 100, 0), 100);
    CHECK_EQUAL(ifc.read(U, ends[0], bytes, sizeof bytes), 100);
    CHECK_EQUAL(ifc.close(U, ends[0]), 0);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(ifc.close(U, ep), 0);
    CHECK_EQUAL(ifc.read(U, 9999, bytes, 1), -1);
    CHECK_EQUAL(errno, EBADF);
    close(fd);
    close(listener);
    ifc.free(U);
    close_peer(&p);
}

/* The MTU is the one of the packets, so that IPv6 can have the MSS that scripts for IPv4 assume. */
static void has_the_mtu_it_is_told(void)
{
    struct peer p;
    begin("mtu=1520");
    open_peer(&p, V6);
    const int listener = make_listener(V6);
    inject(&p, LTCP_SYN, 0, 0, 0, 0);
    expect(&p, LTCP_SYN | LTCP_ACK, 0);
    CHECK_EQUAL(p.got.options.mss, 1460);
    close(listener);
    ifc.free(U);
    close_peer(&p);
}

/* ---- calls that block -------------------------------------------------------------------------
 */

struct blocking {
    int fd;
    ssize_t result;
    int64_t began, ended;
    char bytes[100];
};

static void *reads(void *argument)
{
    struct blocking *b = argument;
    b->began = microseconds();
    b->result = ifc.read(U, b->fd, b->bytes, sizeof b->bytes);
    b->ended = microseconds();
    return NULL;
}

/* packetdrill looks into /proc for the thread to sleep. */
static void wait_until_asleep(pthread_t thread, struct blocking *b)
{
    (void)thread;
    for (int i = 0; i < 20000; i++) {
        if (__atomic_load_n(&b->began, __ATOMIC_ACQUIRE) != 0 && i > 100) return;
        usleep(50);
    }
}

/* The clock must not run past the end of the call before it is noted, though the main thread goes
 * on as fast as it can. */
static void blocks_and_is_not_overtaken(void)
{
    struct peer p;
    begin(NULL);
    open_peer(&p, V4);
    const int listener = make_listener(V4);
    shake_hands(&p);
    const int fd = ifc.accept(U, listener, NULL, NULL);
    uint32_t seq = 1;
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        struct blocking b = {.fd = fd};
        CHECK_EQUAL(pthread_create(&thread, NULL, reads, &b), 0);
        wait_until_asleep(thread, &b);
        const int64_t when = microseconds() + 100000;
        wait_until(when);
        inject(&p, LTCP_ACK, seq, p.iss + 1, 0, 10);
        seq += 10;
        wait_until(when + 3000000); /* at once far ahead */
        pthread_join(thread, NULL);
        CHECK_EQUAL(b.result, 10);
        CHECK(b.ended >= when && b.ended < when + 1000);
    }
    /* SO_RCVTIMEO ends one by the clock alone. */
    const struct timeval half = {0, 500000};
    CHECK_EQUAL(ifc.setsockopt(U, fd, SOL_SOCKET, SO_RCVTIMEO, &half, sizeof half), 0);
    pthread_t thread;
    struct blocking b = {.fd = fd};
    CHECK_EQUAL(pthread_create(&thread, NULL, reads, &b), 0);
    wait_until_asleep(thread, &b);
    wait_until(microseconds() + 3000000);
    pthread_join(thread, NULL);
    CHECK_EQUAL(b.result, -1);
    CHECK(b.ended - b.began >= 500000 && b.ended - b.began < 501000);
    close(fd);
    close(listener);
    ifc.free(U);
    close_peer(&p);
}

/* ---- settings, TCP_INFO -----------------------------------------------------------------------
 */

static int read_sysctl(const char *name)
{
    char path[128];
    int value = -1;
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    FILE *file = fopen(path, "r");
    if (file == NULL) return -1;
    if (fscanf(file, "%d", &value) != 1) value = -1;
    fclose(file);
    return value;
}

static void reads_the_sysctls(void)
{
    const int want = read_sysctl("tcp_syn_retries");
    if (want < 0) return;
    begin("sysctl");
    int value = 0;
    socklen_t length = sizeof value;
    const int fd = ifc.socket(U, AF_INET, SOCK_STREAM, 0);
    CHECK_EQUAL(ifc.getsockopt(U, fd, IPPROTO_TCP, TCP_SYNCNT, &value, &length), 0);
    CHECK_EQUAL(value, want);
    close(fd);
    ifc.free(U);
}

static void tells_tcp_info_when_preloaded(void)
{
    struct peer p;
    struct ltcp_tcp_info info;
    uint32_t memory[9];
    begin(NULL);
    open_peer(&p, V4);
    const int listener = make_listener(V4);
    shake_hands(&p);
    const int fd = ifc.accept(U, listener, NULL, NULL);
    socklen_t length = sizeof info;
    CHECK_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    CHECK_EQUAL(length, 280);
    CHECK_EQUAL(info.state, TCP_ESTABLISHED);
    CHECK_EQUAL(info.snd_mss, 1000);
    length = 20;
    CHECK_EQUAL(getsockopt(fd, IPPROTO_TCP, LTCP_TCP_CC_INFO, &info, &length), 0);
    length = sizeof memory;
    CHECK_EQUAL(getsockopt(fd, SOL_SOCKET, LTCP_SO_MEMINFO, memory, &length), 0);
    CHECK_EQUAL(length, 36);
    CHECK_EQUAL(memory[LTCP_SK_MEMINFO_WMEM_QUEUED], 0);
    length = sizeof info;
    CHECK_EQUAL(getsockopt(9999, SOL_SOCKET, SO_TYPE, &info, &length), -1); /* the system's own */
    CHECK_EQUAL(errno, EBADF);
    close(fd);
    close(listener);
    ifc.free(U);
    close_peer(&p);
}

/* Commands about the interface never reach a shell; what stands around them does. */
static void sees_commands_when_preloaded(void)
{
    struct peer p;
    begin(NULL);
    open_peer(&p, V4);
    const int listener = make_listener(V4);
    shake_hands(&p);
    const int fd = ifc.accept(U, listener, NULL, NULL);
    int status = system("tc qdisc delete dev tun0 root 2>/dev/null ; "
                        "tc qdisc add dev tun0 root pfifo limit 0 && (exit 7)");
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 7);
    const int64_t written = microseconds();
    CHECK_EQUAL(ifc.write(U, fd, "0123456789", 10), 10);
    wait_until(written + 10000); /* it was dropped */
    CHECK_EQUAL(system("tc qdisc replace dev tun0 root pfifo"), 0);
    expect(&p, LTCP_ACK, 10);
    CHECK(p.time - written >= 200000); /* a retransmission timeout later */
    CHECK(system("tc qdisc replace dev tun0 root unheard-of 2>/dev/null") != 0); /* tc's own */
    close(fd);
    close(listener);
    ifc.free(U);
    close_peer(&p);
}

int main(int argc, char **argv)
{
    if (argc < 2) return EXIT_FAILURE;
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | DEEPBIND);
    if (!CHECK(library != NULL)) {
        printf("%s\n", dlerror());
        return check_finish();
    }
    time_goes_on_by_itself();
    passive_open(V4);
    passive_open(V6);
    passive_open(MAPPED);
    retransmits_in_virtual_time();
    waits_for_several();
    has_the_mtu_it_is_told();
    blocks_and_is_not_overtaken();
    reads_the_sysctls();
    if (getenv("LD_PRELOAD") != NULL) {
        tells_tcp_info_when_preloaded();
        sees_commands_when_preloaded();
    }
    return check_finish();
}
