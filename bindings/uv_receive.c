/* bindings/uv_receive.c - datagrams from the kernel, as many in one call as it gives.
 *
 * With UDP_GRO the kernel hands over a train of datagrams as one message and says by a control
 * message how long each piece is. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uv_message.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

/* Errors of earlier datagrams (ICMP) are reported one a call; so many are read off in one go. */
enum { ERRORS_A_CALL = 16 };

static void prepare(struct msghdr *header, struct iovec *part, union udp_control *control,
                    struct udp_arrival *arrival)
{
    *part = (struct iovec){.iov_base = arrival->buffer, .iov_len = arrival->room};
    memset(header, 0, sizeof *header);
    header->msg_iov = part;
    header->msg_iovlen = 1;
    header->msg_name = &arrival->from.socket;
    header->msg_namelen = sizeof arrival->from.socket;
    header->msg_control = control->bytes;
    header->msg_controllen = sizeof control->bytes;
}

/* Systems pass these as one byte or as an int. */
static int control_value(const struct cmsghdr *c)
{
    int value = 0;
    if (c->cmsg_len < CMSG_LEN(sizeof value)) return *(const unsigned char *)CMSG_DATA(c);
    memcpy(&value, CMSG_DATA(c), sizeof value);
    return value;
}

static void read_ip_mark(const struct cmsghdr *c, struct udp_arrival *arrival)
{
    uint8_t value = (uint8_t)control_value(c);
    if (c->cmsg_level == IPPROTO_IP) {
        if (c->cmsg_type == IP_TTL) arrival->ttl = value;
        if (c->cmsg_type == IP_TOS) arrival->tos = value;
#ifdef IP_RECVTTL /* what BSDs call it on the way in */
        if (c->cmsg_type == IP_RECVTTL) arrival->ttl = value;
#endif
#ifdef IP_RECVTOS
        if (c->cmsg_type == IP_RECVTOS) arrival->tos = value;
#endif
    } else if (c->cmsg_level == IPPROTO_IPV6) {
#ifdef IPV6_HOPLIMIT
        if (c->cmsg_type == IPV6_HOPLIMIT) arrival->ttl = value;
#endif
#ifdef IPV6_TCLASS
        if (c->cmsg_type == IPV6_TCLASS) arrival->tos = value;
#endif
    }
}

static void read_piece_size(const struct cmsghdr *c, struct udp_arrival *arrival)
{
#if defined(__linux__) && defined(UDP_GRO)
    if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO) return;
    int size = control_value(c);
    arrival->piece = size > 0 ? (size_t)size : 0;
#else
    (void)c, (void)arrival;
#endif
}

static void finish(struct udp *udp, struct msghdr *header, size_t length,
                   struct udp_arrival *arrival)
{
    arrival->length = arrival->piece = length;
    arrival->tos = arrival->ttl = 0;
    arrival->unsummed = false;
    arrival->gathered_of = 0;
    arrival->from.length = header->msg_namelen;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        read_ip_mark(c, arrival);
        read_piece_size(c, arrival);
    }
    bool truncated = (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    bool odd = length > 0 && (arrival->piece == 0 || arrival->piece > length);
    arrival->valid = !truncated && !odd;
    udp->counters.truncated += truncated;
    udp->counters.odd_pieces += odd && !truncated;
    udp->counters.bytes_in += length;
    udp->counters.datagrams_in +=
        arrival->valid && length > 0 ? (length + arrival->piece - 1) / arrival->piece : 1;
}

/* Returns how many messages came, or -1 with errno. */
static int receive_messages(const struct udp *udp, udp_message *messages, unsigned count)
{
#ifdef __linux__
    if (count > 1) return recvmmsg(udp->fd, messages, count, MSG_DONTWAIT, NULL);
#endif
    (void)count;
    ssize_t length = recvmsg(udp->fd, &messages[0].msg_hdr, 0);
    if (length < 0) return -1;
    messages[0].msg_len = (unsigned)length;
    return 1;
}

/* As many as one call gives, or 0. */
static size_t receive_some(struct udp *udp, struct udp_arrival *arrivals, size_t count)
{
    udp_message messages[UDP_ARRIVALS];
    union udp_control controls[UDP_ARRIVALS];
    struct iovec parts[UDP_ARRIVALS];
    for (size_t i = 0; i < count; i++)
        prepare(&messages[i].msg_hdr, &parts[i], &controls[i], &arrivals[i]);

    for (unsigned errors = 0; errors < ERRORS_A_CALL; errors++) {
        int got = receive_messages(udp, messages, (unsigned)count);
        udp->counters.calls_in++;
        for (int i = 0; i < got; i++)
            finish(udp, &messages[i].msg_hdr, messages[i].msg_len, &arrivals[i]);
        if (got > 0) return (size_t)got;
        if (got == 0 || errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) udp_count_error(udp, errno);
    }
    return 0;
}

size_t udp_receive(struct udp *udp, struct udp_arrival *arrivals, size_t count)
{
    size_t got = 0;
    if (count > UDP_ARRIVALS) count = UDP_ARRIVALS;
    if (udp->batch != UDP_BATCH_PLAIN) return receive_some(udp, arrivals, count);
    while (got < count && receive_some(udp, arrivals + got, 1) > 0)
        got++;
    return got;
}
