/* bindings/uv_tun.c - a TUN device of Linux. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uv_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

int tun_open(struct udp *udp, char name[TUN_NAME])
{
    *udp = (struct udp){.fd = -1,
                        .batch = UDP_BATCH_PLAIN,
                        .longest_piece = UDP_TRAIN_SIZE,
                        .last_tos = -1,
                        .last_ttl = -1};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    memcpy(request.ifr_name, name, TUN_NAME - 1);
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    memcpy(name, request.ifr_name, TUN_NAME);
    name[TUN_NAME - 1] = '\0';
    udp->fd = fd;
    return 0;
}
#else
int tun_open(struct udp *udp, char name[TUN_NAME])
{
    (void)name;
    *udp = (struct udp){.fd = -1};
    return EOPNOTSUPP;
}
#endif

size_t tun_send(struct udp *udp, const struct udp_datagram *packets, size_t count)
{
    size_t done = 0;
    udp->crowded = false;
    while (done < count) {
        const struct udp_datagram *p = &packets[done];
        ssize_t sent = writev(udp->fd, p->part, (int)p->parts);
        udp->counters.calls_out++;
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) {
            udp->counters.blocked++;
            udp->crowded = errno != EAGAIN;
            break;
        }
        if (sent < 0) { /* EIO: the device is down. EINVAL: not an IP packet */
            udp_count_error(udp, errno);
        } else {
            udp->counters.datagrams_out++;
            udp->counters.bytes_out += p->length;
        }
        done++;
    }
    return done;
}

size_t tun_receive(struct udp *udp, struct udp_arrival *arrivals, size_t count)
{
    size_t got = 0;
    while (got < count) {
        struct udp_arrival *a = &arrivals[got];
        ssize_t length = read(udp->fd, a->buffer, a->room);
        udp->counters.calls_in++;
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno != EAGAIN) udp_count_error(udp, errno); /* EBADFD: it was removed */
        if (length <= 0) break;
        a->length = a->piece = (size_t)length;
        a->tos = a->ttl = 0;
        a->valid = true;
        a->from.length = 0;
        udp->counters.datagrams_in++;
        udp->counters.bytes_in += (uint64_t)length;
        got++;
    }
    return got;
}
