/* bindings/uv_socket.c - a UDP socket: its addresses, its options, its life. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "uv_batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVE_BUFFER = 4 << 20, SEND_BUFFER = 1 << 20 };

const char *udp_batch_name(enum udp_batch batch)
{
    static const char *const names[] = {"auto", "gso", "mmsg", "plain"};
    return names[batch];
}

/* ---- addresses --------------------------------------------------------------------------------
 */

static bool parse_port(const char *text, in_port_t *out)
{
    if (*text < '0' || *text > '9') return false;
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*end != '\0' || end - text > 5 || port > 65535) return false;
    *out = htons((uint16_t)port);
    return true;
}

/* The zone of a link-local address, RFC 4007 section 11: a name or a number of an interface. */
static bool parse_zone(char *host, uint32_t *scope)
{
    char *zone = strchr(host, '%');
    if (zone == NULL) return true;
    *zone++ = '\0';
    *scope = if_nametoindex(zone);
    if (*scope != 0) return true;
    char *end;
    unsigned long number = strtoul(zone, &end, 10);
    *scope = (uint32_t)number;
    return *zone >= '0' && *zone <= '9' && *end == '\0' && number > 0 && number <= UINT32_MAX;
}

bool udp_address_parse(const char *text, struct udp_address *out)
{
    memset(out, 0, sizeof *out);
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE];
    bool bracket = text[0] == '[';
    if (bracket) text++;
    const char *end = strchr(text, bracket ? ']' : ':');
    if (end == NULL || (size_t)(end - text) >= sizeof host) return false;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    if (bracket && *++end != ':') return false;

    if (!bracket) {
        out->length = sizeof out->socket.v4;
        out->socket.v4.sin_family = AF_INET;
        return inet_pton(AF_INET, host, &out->socket.v4.sin_addr) == 1 &&
               parse_port(end + 1, &out->socket.v4.sin_port);
    }
    out->length = sizeof out->socket.v6;
    out->socket.v6.sin6_family = AF_INET6;
    return parse_zone(host, &out->socket.v6.sin6_scope_id) &&
           inet_pton(AF_INET6, host, &out->socket.v6.sin6_addr) == 1 &&
           parse_port(end + 1, &out->socket.v6.sin6_port);
}

uint16_t udp_address_format(const struct udp_address *address, char *host)
{
    host[0] = '\0';
    if (address->socket.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->socket.v4.sin_addr, host, INET6_ADDRSTRLEN);
        return ntohs(address->socket.v4.sin_port);
    }
    inet_ntop(AF_INET6, &address->socket.v6.sin6_addr, host, INET6_ADDRSTRLEN);
    return ntohs(address->socket.v6.sin6_port);
}

uint16_t udp_address_port(const struct udp_address *address)
{
    bool four = address->socket.any.sa_family == AF_INET;
    return ntohs(four ? address->socket.v4.sin_port : address->socket.v6.sin6_port);
}

void udp_address_set_port(struct udp_address *address, uint16_t port)
{
    if (address->socket.any.sa_family == AF_INET)
        address->socket.v4.sin_port = htons(port);
    else
        address->socket.v6.sin6_port = htons(port);
}

bool udp_address_equal(const struct udp_address *a, const struct udp_address *b)
{
    if (a->socket.any.sa_family != b->socket.any.sa_family) return false;
    if (a->socket.any.sa_family == AF_INET)
        return a->socket.v4.sin_port == b->socket.v4.sin_port &&
               a->socket.v4.sin_addr.s_addr == b->socket.v4.sin_addr.s_addr;
    return a->socket.v6.sin6_port == b->socket.v6.sin6_port &&
           memcmp(&a->socket.v6.sin6_addr, &b->socket.v6.sin6_addr, 16) == 0;
}

/* ---- what the platform can do ------------------------------------------------------------------
 */

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* A kernel that does not know UDP_SEGMENT would send a train as one long datagram, so it is asked
 * first. */
static bool enable_trains(int fd)
{
#if defined(__linux__) && defined(UDP_SEGMENT) && defined(UDP_GRO)
    return set_option(fd, IPPROTO_UDP, UDP_SEGMENT, 0) && set_option(fd, IPPROTO_UDP, UDP_GRO, 1);
#else
    (void)fd;
    return false;
#endif
}

static bool choose_batch(struct udp *udp, enum udp_batch wanted)
{
#ifdef __linux__
    const bool many = true;
#else
    const bool many = false;
#endif
    if (wanted == UDP_BATCH_MMSG && !many) return false;
    if (wanted == UDP_BATCH_AUTO || wanted == UDP_BATCH_GSO) {
        if (enable_trains(udp->fd))
            wanted = UDP_BATCH_GSO;
        else if (wanted == UDP_BATCH_GSO)
            return false;
        else
            wanted = many ? UDP_BATCH_MMSG : UDP_BATCH_PLAIN;
    }
    udp->batch = wanted;
    return true;
}

/* Asks for TOS and TTL beside each datagram. Where a platform lacks one, the packet gets defaults.
 */
static void ask_for_marks(const struct udp *udp)
{
    if (udp->family == AF_INET) {
#ifdef IP_RECVTOS
        set_option(udp->fd, IPPROTO_IP, IP_RECVTOS, 1);
#endif
#ifdef IP_RECVTTL
        set_option(udp->fd, IPPROTO_IP, IP_RECVTTL, 1);
#endif
        return;
    }
#ifdef IPV6_RECVTCLASS
    set_option(udp->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
#endif
#ifdef IPV6_RECVHOPLIMIT
    set_option(udp->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
#endif
}

/* What datagrams leave with of which nothing is said. */
static void ask_for_ttl(struct udp *udp)
{
    int ttl = -1;
    socklen_t length = sizeof ttl;
    const bool v4 = udp->family == AF_INET;
    if (getsockopt(udp->fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl,
                   &length) == 0)
        udp->last_ttl = ttl;
}

static int new_socket(int family)
{
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
    return socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd < 0) return fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
#endif
}

/* ---- its life -----------------------------------------------------------------------------------
 */

static int prepare(struct udp *udp, const struct udp_address *bind_to, enum udp_batch batch)
{
    if (udp->family == AF_INET6 && !set_option(udp->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return errno;
    /* As much as the machine's limits grant: a refusal changes speed, not sense. */
    set_option(udp->fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    set_option(udp->fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    if (!choose_batch(udp, batch)) return EOPNOTSUPP;
    if (udp->marks) {
        ask_for_marks(udp);
        ask_for_ttl(udp);
    }
    return bind(udp->fd, &bind_to->socket.any, bind_to->length) == 0 ? 0 : errno;
}

int udp_open(struct udp *udp, const struct udp_address *bind_to, const struct udp_address *peer,
             enum udp_batch batch, bool marks)
{
    *udp = (struct udp){
        .fd = -1, .marks = marks, .longest_piece = UDP_TRAIN_SIZE, .last_tos = -1, .last_ttl = -1};
    udp->family = bind_to->socket.any.sa_family;
    udp->fd = new_socket(udp->family);
    if (udp->fd < 0) return errno;

    int error = prepare(udp, bind_to, batch);
    if (error == 0 && peer->length > 0) error = udp_connect(udp, peer);
    if (error != 0) udp_close(udp);
    return error;
}

void udp_close(struct udp *udp)
{
    if (udp->fd >= 0) close(udp->fd);
    udp->fd = -1;
}

int udp_connect(struct udp *udp, const struct udp_address *peer)
{
    if (peer->socket.any.sa_family != udp->family) return EAFNOSUPPORT;
    if (connect(udp->fd, &peer->socket.any, peer->length) != 0) return errno;
    udp->peer = *peer;
    return 0;
}

bool udp_dont_fragment(struct udp *udp, bool dont)
{
#if defined(IP_MTU_DISCOVER) && defined(IPV6_MTU_DISCOVER)
    if (udp->family == AF_INET)
        return set_option(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER,
                          dont ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
    return set_option(udp->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                      dont ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);
#else
    (void)udp, (void)dont;
    return false;
#endif
}

bool udp_accept_unsummed(struct udp *udp)
{
#ifdef UDP_NO_CHECK6_RX
    return udp->family == AF_INET || set_option(udp->fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
#else
    return udp->family == AF_INET;
#endif
}

#if defined(IP_MTU) && defined(IPV6_MTU)
static uint32_t payload_of_connected(int fd, int family)
{
    int mtu = 0, headers = family == AF_INET ? 20 + 8 : 40 + 8;
    socklen_t length = sizeof mtu;
    bool four = family == AF_INET;
    if (getsockopt(fd, four ? IPPROTO_IP : IPPROTO_IPV6, four ? IP_MTU : IPV6_MTU, &mtu, &length) !=
        0)
        return 0;
    if (mtu > 65535) mtu = 65535; /* loopback's is greater than any datagram */
    return mtu > headers ? (uint32_t)(mtu - headers) : 0;
}

uint32_t udp_path_payload(const struct udp *udp, const struct udp_address *to)
{
    if (udp->peer.length > 0) return payload_of_connected(udp->fd, udp->family);
    /* Only of a connected socket it is told; another one takes the same path. */
    int fd = new_socket(udp->family);
    if (fd < 0) return 0;
    uint32_t payload = 0;
    if (connect(fd, &to->socket.any, to->length) == 0)
        payload = payload_of_connected(fd, udp->family);
    close(fd);
    return payload;
}
#else
uint32_t udp_path_payload(const struct udp *udp, const struct udp_address *to)
{
    (void)udp, (void)to;
    return 0;
}
#endif

int udp_bound_address(const struct udp *udp, struct udp_address *out)
{
    memset(out, 0, sizeof *out);
    out->length = sizeof out->socket;
    return getsockname(udp->fd, &out->socket.any, &out->length) == 0 ? 0 : errno;
}

void udp_clear_error(struct udp *udp)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(udp->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error != 0)
        udp_count_error(udp, error);
}

void udp_count_error(struct udp *udp, int error)
{
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN: udp->counters.refused++; break;
    case EMSGSIZE: udp->counters.too_big++; break;
    case EPERM:
    case EACCES: udp->counters.not_permitted++; break;
    default: udp->counters.failed++; break;
    }
}
