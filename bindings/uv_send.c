/* bindings/uv_send.c - datagrams to the kernel, as many in one call as it takes.
 *
 * A train is a run of datagrams of one size (the last may be shorter) and one marking, sent as one
 * message with UDP_SEGMENT. A burst is several messages for one sendmmsg. With `mmsg` every train
 * has one datagram, with `plain` every burst has one such train. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uv_message.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

enum { BURST_PARTS = 512 }; /* at least UDP_PARTS * UDP_TRAIN */

struct burst {
    udp_message messages[UDP_BURST];
    uint16_t trains[UDP_BURST];  /* datagrams in each message, */
    uint16_t entries[UDP_BURST]; /* which are so many of what was handed in */
    union udp_control controls[UDP_BURST];
    struct iovec parts[BURST_PARTS];
    unsigned count, parts_count;
};

/* ---- control messages
 * ---------------------------------------------------------------------------- */

#ifdef __linux__
static void add_control(struct msghdr *header, int level, int type, const void *value, size_t size)
{
    struct cmsghdr *c =
        (struct cmsghdr *)(void *)((unsigned char *)header->msg_control + header->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), value, size);
    header->msg_controllen += CMSG_SPACE(size);
}

static void add_marks(struct udp *udp, struct msghdr *header, const struct udp_datagram *datagram)
{
    bool v4 = udp->family == AF_INET;
    int tos = datagram->tos, ttl = datagram->ttl;
    if (tos != 0)
        add_control(header, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos,
                    sizeof tos);
    if (ttl != 0 && ttl != udp->last_ttl) /* one that says nothing new costs a look at the routes */
        add_control(header, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl,
                    sizeof ttl);
}

static void add_segment_size(struct msghdr *header, uint32_t size)
{
#ifdef UDP_SEGMENT
    uint16_t piece = (uint16_t)size;
    add_control(header, IPPROTO_UDP, UDP_SEGMENT, &piece, sizeof piece);
#else
    (void)header, (void)size;
#endif
}
#else
/* Not every system takes these as control messages, but all take them as options of the socket;
 * and there a burst is one datagram. */
static void add_marks(struct udp *udp, struct msghdr *header, const struct udp_datagram *datagram)
{
    bool v4 = udp->family == AF_INET;
    int tos = datagram->tos, ttl = datagram->ttl;
    (void)header;
#ifdef IPV6_TCLASS
    const int tclass = IPV6_TCLASS;
#else
    const int tclass = -1;
#endif
    if (tos != udp->last_tos)
        setsockopt(udp->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : tclass, &tos, sizeof tos);
    if (ttl != 0 && ttl != udp->last_ttl)
        setsockopt(udp->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl,
                   sizeof ttl);
    udp->last_tos = tos;
    udp->last_ttl = ttl;
}

static void add_segment_size(struct msghdr *header, uint32_t size)
{
    (void)header, (void)size;
}
#endif

/* ---- trains and bursts --------------------------------------------------------------------------
 */

/* How many of the datagrams can go as one train. */
static unsigned train_length(const struct udp *udp, const struct udp_datagram *d, size_t count)
{
    uint32_t size = d[0].length;
    if (d[0].train != NULL || size == 0 || !udp_takes_train(udp, size)) return 1;
    uint32_t total = size;
    unsigned n = 1;
    while (n < count && n < UDP_TRAIN && d[n].train == NULL && d[n].length <= size &&
           d[n].length > 0 && total + d[n].length <= UDP_TRAIN_SIZE && d[n].tos == d[0].tos &&
           d[n].ttl == d[0].ttl && d[n].to == d[0].to) {
        total += d[n].length;
        if (d[n++].length < size) break;
    }
    return n;
}

/* A train that is ready stays where it is. */
static void add_parts(struct burst *burst, struct msghdr *header, const struct udp_datagram *d,
                      unsigned entries)
{
    if (d->train != NULL) {
        header->msg_iov = (struct iovec *)(uintptr_t)d->train;
        header->msg_iovlen = 2u * d->count;
        return;
    }
    header->msg_iov = &burst->parts[burst->parts_count];
    for (unsigned i = 0; i < entries; i++)
        for (unsigned part = 0; part < d[i].parts; part++)
            burst->parts[burst->parts_count++] = d[i].part[part];
    header->msg_iovlen = (size_t)(&burst->parts[burst->parts_count] - header->msg_iov);
}

/* Adds one message; false: there is no room for it in the burst. */
static bool add_message(struct udp *udp, struct burst *burst, const struct udp_datagram *d,
                        unsigned entries)
{
    const unsigned train = d->train != NULL ? d->count : entries;
    if (d->train == NULL && burst->parts_count + UDP_PARTS * train > BURST_PARTS) return false;
    if (d->train != NULL && !udp_takes_train(udp, d->length)) return false;
    struct msghdr *header = &burst->messages[burst->count].msg_hdr;
    memset(header, 0, sizeof *header);
    if (d->to != NULL) {
        header->msg_name = (void *)(uintptr_t)&d->to->socket;
        header->msg_namelen = d->to->length;
    }
    add_parts(burst, header, d, entries);

    /* The length of the control messages must be 0 where there are none. */
    union udp_control *control = &burst->controls[burst->count];
    memset(control, 0, sizeof *control);
    header->msg_control = control->bytes;
    if (udp->marks) add_marks(udp, header, d);
    if (train > 1) add_segment_size(header, d[0].length);
    if (header->msg_controllen == 0) header->msg_control = NULL;
    burst->trains[burst->count] = (uint16_t)train;
    burst->entries[burst->count++] = (uint16_t)entries;
    return true;
}

static void fill_burst(struct udp *udp, struct burst *burst, const struct udp_datagram *d,
                       size_t count)
{
    size_t most = udp->batch == UDP_BATCH_PLAIN ? 1 : UDP_BURST;
    burst->count = burst->parts_count = 0;
    for (size_t i = 0; i < count && burst->count < most;) {
        unsigned train = train_length(udp, d + i, count - i);
        if (!add_message(udp, burst, d + i, train)) break;
        i += train;
    }
}

/* Returns how many messages went out, or -1 with errno for the first. */
static int send_burst(const struct udp *udp, struct burst *burst)
{
#ifdef __linux__
    if (burst->count > 1) return sendmmsg(udp->fd, burst->messages, burst->count, MSG_NOSIGNAL);
#endif
    return sendmsg(udp->fd, &burst->messages[0].msg_hdr, 0) < 0 ? -1 : 1;
}

/* ---- errors
 * --------------------------------------------------------------------------------------- */

enum verdict { TRY_AGAIN, GIVE_UP, WAIT };

/* The first message of the burst could not be sent. `refused` remembers that this happened to it
 * before: an ICMP error of an earlier datagram is reported once, instead of sending. */
static enum verdict judge(struct udp *udp, int error, const struct udp_datagram *first,
                          unsigned train, bool *refused)
{
    switch (error) {
    case EINTR: return TRY_AGAIN;
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
    case EAGAIN: udp->counters.blocked++; return WAIT;
    case ENOBUFS:
    case ENOMEM:
        udp->counters.blocked++;
        udp->crowded = true;
        return WAIT;
    case EIO: /* the device cannot do the checksums of a train */
    case EOPNOTSUPP:
        if (train == 1) break;
        udp->batch = UDP_BATCH_MMSG;
        return TRY_AGAIN;
    case EMSGSIZE: /* a piece and its headers are longer than the path's MTU */
    case EINVAL:
        if (train == 1) break;
        udp->longest_piece = first->length - 1;
        return TRY_AGAIN;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
        if (*refused) return GIVE_UP;
        udp_count_error(udp, error);
        *refused = true;
        return TRY_AGAIN;
    default: break;
    }
    udp_count_error(udp, error);
    return GIVE_UP;
}

static uint64_t octets_in(const struct burst *burst, unsigned i, const struct udp_datagram *d)
{
    if (d->train != NULL) return (uint64_t)d->count * d->length;
    uint64_t octets = 0;
    for (unsigned n = 0; n < burst->entries[i]; n++)
        octets += d[n].length;
    return octets;
}

size_t udp_send(struct udp *udp, const struct udp_datagram *datagrams, size_t count)
{
    struct burst burst;
    size_t done = 0;
    bool refused = false;
    udp->crowded = false;
    while (done < count) {
        fill_burst(udp, &burst, datagrams + done, count - done);
        if (burst.count == 0) break; /* a train that does not go as one */
        int sent = send_burst(udp, &burst);
        udp->counters.calls_out++;
        if (sent < 0) {
            enum verdict verdict = judge(udp, errno, &datagrams[done], burst.trains[0], &refused);
            if (verdict == WAIT) break;
            if (verdict == GIVE_UP) {
                done += burst.entries[0];
                refused = false;
            }
            continue;
        }
        refused = false;
        for (unsigned i = 0; i < (unsigned)sent; i++) {
            udp->counters.bytes_out += octets_in(&burst, i, &datagrams[done]);
            udp->counters.datagrams_out += burst.trains[i];
            done += burst.entries[i];
        }
    }
    return done;
}
