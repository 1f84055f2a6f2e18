/* bindings/uv_tun.c - a TUN device of Linux.
 *
 * With IFF_VNET_HDR a struct virtio_net_hdr stands before each packet: it says how a segment that
 * is longer than the MTU is to be cut, and which checksum is still to be made. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uv_tun.h"

#include "lunatcp/framing.h"
#include "lunatcp/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>

enum {
    ENOUGH = 192 * 1024, /* octets of one tun_receive */
    PARTS = 2 + UDP_TRAIN
};
enum { TCP_FLAGS_AT = 13, TCP_CHECKSUM_AT = 16 };

static bool knows_runs(int fd)
{
    unsigned features = 0;
    return ioctl(fd, TUNGETFEATURES, &features) == 0 && (features & IFF_VNET_HDR) != 0;
}

static int set_up(int fd, char name[TUN_NAME], bool runs)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (runs ? IFF_VNET_HDR : 0));
    memcpy(request.ifr_name, name, TUN_NAME - 1);
    if (ioctl(fd, TUNSETIFF, &request) != 0) return errno;
    memcpy(name, request.ifr_name, TUN_NAME);
    name[TUN_NAME - 1] = '\0';
    if (!runs) { /* whoever had the device may have wanted them */
        ioctl(fd, TUNSETOFFLOAD, 0UL);
        return 0;
    }
    const int size = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) != 0) return errno;
    /* A kernel that does not give long segments may still take them. */
    ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6));
    return 0;
}

int tun_open(struct udp *udp, char name[TUN_NAME], enum udp_batch batch)
{
    *udp = (struct udp){.fd = -1, .longest_piece = UDP_TRAIN_SIZE, .last_tos = -1, .last_ttl = -1};
    if (batch == UDP_BATCH_MMSG) return EOPNOTSUPP;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno;
    const bool runs = batch != UDP_BATCH_PLAIN && knows_runs(fd);
    const int error = batch == UDP_BATCH_GSO && !runs ? EOPNOTSUPP : set_up(fd, name, runs);
    if (error != 0) {
        close(fd);
        return error;
    }
    udp->batch = runs ? UDP_BATCH_GSO : UDP_BATCH_PLAIN;
    udp->fd = fd;
    return 0;
}

/* ---- out ----------------------------------------------------------------------------------------
 */

/* What is written at once. */
struct writing {
    struct virtio_net_hdr before;
    uint8_t head[LTCP_HEAD_ROOM];
    struct iovec part[PARTS];
    int parts;
    size_t packets;
};

static uint8_t push_of(const struct ltcp_train *t, const struct udp_datagram *d)
{
    return ((const uint8_t *)d->part[0].iov_base)[t->tcp + TCP_FLAGS_AT] & LTCP_PSH;
}

static bool is_text(const struct udp_datagram *d)
{
    return d->sound && d->parts == 2;
}

/* How many of them go as one segment; the last is the only one that may push, or be shorter. */
static size_t find_run(const struct udp *udp, const struct udp_datagram *d, size_t count,
                       const struct ltcp_framing_context *context, struct ltcp_train *t)
{
    size_t n = 1, total = d[0].length;
    if (udp->longest_piece == 0 || !is_text(&d[0]) ||
        !ltcp_train_begin(t, context, NULL, d[0].part[0].iov_base, d[0].length) ||
        d[0].part[0].iov_len != t->header)
        return 1;
    while (n < count && n < UDP_TRAIN && d[n].train == NULL && is_text(&d[n]) &&
           push_of(t, &d[n - 1]) == 0 &&
           ltcp_train_follows(t, d[n].part[0].iov_base, d[n].length)) {
        total += d[n].part[1].iov_len;
        if (total > UDP_TRAIN_SIZE) break;
        ltcp_train_count(t, d[n++].part[1].iov_len);
    }
    return n;
}

static void describe_run(struct writing *w, const struct ltcp_train *t, uint8_t push)
{
    const size_t head = ltcp_train_head(t, w->head);
    w->head[t->tcp + TCP_FLAGS_AT] |= push;
    w->before = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                        .gso_type = w->head[0] >> 4 == 6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                                                         : VIRTIO_NET_HDR_GSO_TCPV4,
                                        .hdr_len = (uint16_t)head,
                                        .gso_size = t->gathered_of,
                                        .csum_start = t->tcp,
                                        .csum_offset = TCP_CHECKSUM_AT};
    w->part[w->parts++] = (struct iovec){w->head, head};
}

/* A burst that is ready: what pushed within it pushes at its end (RFC9293:SHLD-27). False: it has
 * no header that the kernel could repeat. */
static bool prepare_train(const struct udp_datagram *d, const struct ltcp_framing_context *context,
                          struct ltcp_train *t, struct writing *w)
{
    const struct iovec *part = d->train;
    uint8_t push = 0;
    w->before = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    w->part[w->parts++] = (struct iovec){&w->before, sizeof w->before};
    if (!ltcp_train_begin(t, context, NULL, part->iov_base, d->length)) return false;
    for (unsigned i = 0; i < d->count; i++, part += 2) {
        if (i > 0) ltcp_train_count(t, part[1].iov_len);
        push |= ((const uint8_t *)part->iov_base)[t->tcp + TCP_FLAGS_AT] & LTCP_PSH;
    }
    describe_run(w, t, push);
    for (unsigned i = 0; i < d->count; i++)
        w->part[w->parts++] = d->train[2 * i + 1];
    return true;
}

static bool prepare(const struct udp *udp, const struct udp_datagram *d, size_t count,
                    struct writing *w)
{
    static const struct ltcp_framing_context context = {.framing = LTCP_FRAMING_RAWIP};
    struct ltcp_train t;
    w->parts = 0;
    w->packets = 1;
    if (d->train != NULL) return prepare_train(d, &context, &t, w);
    if (udp->batch == UDP_BATCH_GSO) {
        w->before = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
        w->part[w->parts++] = (struct iovec){&w->before, sizeof w->before};
        w->packets = find_run(udp, d, count, &context, &t);
    }
    if (w->packets == 1) {
        for (unsigned i = 0; i < d->parts; i++)
            w->part[w->parts++] = d->part[i];
        return true;
    }
    describe_run(w, &t, push_of(&t, &d[w->packets - 1]));
    for (size_t i = 0; i < w->packets; i++)
        w->part[w->parts++] = d[i].part[1];
    return true;
}

/* ---- in -----------------------------------------------------------------------------------------
 */

/* What the kernel says of the packet; false: it makes no sense here. */
static bool understand(const struct virtio_net_hdr *h, struct udp_arrival *a)
{
    const uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    const bool whole = type == VIRTIO_NET_HDR_GSO_NONE;
    if (!whole && type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6)
        return false;
    if (!whole && h->gso_size == 0) return false;
    a->gathered_of = whole ? 0 : h->gso_size;
    a->unsummed = (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    a->sum_from = h->csum_start;
    a->sum_at = h->csum_offset;
    return !a->unsummed || (size_t)h->csum_start + h->csum_offset + 2 <= a->length;
}

static ssize_t read_packet(const struct udp *udp, struct udp_arrival *a, bool *known)
{
    struct virtio_net_hdr before;
    struct iovec parts[2] = {{&before, sizeof before}, {a->buffer, a->room}};
    const bool runs = udp->batch == UDP_BATCH_GSO;
    ssize_t length = readv(udp->fd, runs ? parts : parts + 1, runs ? 2 : 1);
    if (length < 0) return -1;
    if (runs) length = length > (ssize_t)sizeof before ? length - (ssize_t)sizeof before : 0;
    a->length = a->piece = (size_t)length;
    a->gathered_of = 0;
    a->unsummed = false;
    *known = !runs || understand(&before, a);
    return length;
}
#else
struct writing {
    struct iovec part[UDP_PARTS];
    int parts;
    size_t packets;
};
enum { ENOUGH = 192 * 1024 };

int tun_open(struct udp *udp, char name[TUN_NAME], enum udp_batch batch)
{
    (void)name, (void)batch;
    *udp = (struct udp){.fd = -1};
    return EOPNOTSUPP;
}

static bool prepare(const struct udp *udp, const struct udp_datagram *d, size_t count,
                    struct writing *w)
{
    (void)udp, (void)count;
    w->packets = 1;
    w->parts = 0;
    for (unsigned i = 0; i < d->parts; i++)
        w->part[w->parts++] = d->part[i];
    return true;
}

static ssize_t read_packet(const struct udp *udp, struct udp_arrival *a, bool *known)
{
    *known = true;
    return read(udp->fd, a->buffer, a->room);
}
#endif

static void count_sent(struct udp *udp, const struct udp_datagram *d, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t segments = d[i].train != NULL ? d[i].count : 1;
        udp->counters.datagrams_out += segments;
        udp->counters.bytes_out += segments * d[i].length;
    }
}

size_t tun_send(struct udp *udp, const struct udp_datagram *packets, size_t count)
{
    struct writing w;
    size_t done = 0;
    udp->crowded = false;
    while (done < count) {
        const struct udp_datagram *first = &packets[done];
        if (first->train != NULL && !udp_takes_train(udp, first->length)) break;
        if (!prepare(udp, first, count - done, &w)) {
            udp->longest_piece = 0;
            break;
        }
        ssize_t sent = writev(udp->fd, w.part, w.parts);
        udp->counters.calls_out++;
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) {
            udp->counters.blocked++;
            udp->crowded = errno != EAGAIN;
            break;
        }
        if (sent < 0 && (w.packets > 1 || first->train != NULL)) { /* EINVAL: then one by one */
            udp->longest_piece = 0;
            continue;
        }
        if (sent < 0) /* EIO: the device is down. EINVAL: not an IP packet */
            udp_count_error(udp, errno);
        else
            count_sent(udp, first, w.packets);
        done += w.packets;
    }
    return done;
}

size_t tun_receive(struct udp *udp, struct udp_arrival *arrivals, size_t count)
{
    size_t got = 0, octets = 0;
    while (got < count && octets < ENOUGH) {
        struct udp_arrival *a = &arrivals[got];
        bool known;
        ssize_t length = read_packet(udp, a, &known);
        udp->counters.calls_in++;
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno != EAGAIN) udp_count_error(udp, errno); /* EBADFD: it was removed */
        if (length <= 0) break;
        a->tos = a->ttl = 0;
        a->valid = known;
        a->from.length = 0;
        udp->counters.odd_pieces += !known;
        udp->counters.datagrams_in++;
        udp->counters.bytes_in += (uint64_t)length;
        octets += (size_t)length;
        got++;
    }
    return got;
}
