/* bindings/uv_batch.h
 *
 * A UDP socket of one's own, with datagrams in bursts. What UDP costs is the number of calls, so
 * both ways know three manners, chosen when the socket is opened:
 *   gso    one call carries a train of equal datagrams (Linux: UDP_SEGMENT, UDP_GRO)
 *   mmsg   one call carries many datagrams (Linux: sendmmsg, recvmmsg)
 *   plain  one call a datagram (everywhere)
 * Neither Lua nor libuv is known here; nothing blocks. */
#ifndef LUNATCP_UV_BATCH_H
#define LUNATCP_UV_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum udp_batch { UDP_BATCH_AUTO, UDP_BATCH_GSO, UDP_BATCH_MMSG, UDP_BATCH_PLAIN };
/* "auto", "gso", "mmsg", "plain". */
const char *udp_batch_name(enum udp_batch batch);

/* ---- addresses: uv_socket.c ------------------------------------------------------------------ */
struct udp_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t length; /* 0: none */
};
/* "127.0.0.1:9000", "[::1]:9000", "[fe80::1%eth0]:9000": numbers only, nothing is looked up.
 * False: it is not that. */
bool udp_address_parse(const char *text, struct udp_address *out);
/* The host without brackets, and the port. `host` has room for INET6_ADDRSTRLEN bytes. */
uint16_t udp_address_format(const struct udp_address *address, char *host);
uint16_t udp_address_port(const struct udp_address *address);
void udp_address_set_port(struct udp_address *address, uint16_t port);
bool udp_address_equal(const struct udp_address *a, const struct udp_address *b);

/* ---- the socket: uv_socket.c ----------------------------------------------------------------- */
struct udp_counters {
    uint64_t calls_out, datagrams_out, bytes_out; /* bytes of UDP payload */
    uint64_t calls_in, datagrams_in, bytes_in;
    uint64_t blocked;       /* the socket's buffer was full, or the kernel had no memory */
    uint64_t refused;       /* ICMP errors that came back: nobody listens there, unreachable */
    uint64_t too_big;       /* EMSGSIZE */
    uint64_t not_permitted; /* EPERM, EACCES */
    uint64_t failed;        /* not sent for another reason */
    uint64_t truncated;     /* received, but longer than any datagram should be */
    uint64_t odd_pieces;    /* trains whose piece size makes no sense */
};

struct udp {
    int fd; /* -1: closed */
    int family;
    enum udp_batch batch;   /* never AUTO once open */
    bool marks;             /* TOS and TTL are carried by control messages */
    bool crowded;           /* the kernel had no memory: it will not say when it has some again */
    uint32_t longest_piece; /* longer datagrams do not fit the path as pieces of a train */
    int last_tos, last_ttl; /* what the socket itself sends with; -1: unknown */
    struct udp_address peer;
    struct udp_counters counters;
};

/* Opens a nonblocking socket, binds it, and, if `peer` has a length, connects it, so that the
 * kernel keeps strangers out and reports ICMP errors. Returns 0 or an errno value: EADDRINUSE,
 * EADDRNOTAVAIL, EACCES, EAFNOSUPPORT (the two families differ), EOPNOTSUPP (this kernel does not
 * know that batch). */
int udp_open(struct udp *udp, const struct udp_address *bind_to, const struct udp_address *peer,
             enum udp_batch batch, bool marks);
void udp_close(struct udp *udp);
int udp_connect(struct udp *udp, const struct udp_address *peer);
/* Lets the kernel send no datagram that it would have to cut (RFC 1191 section 3): EMSGSIZE
 * instead. False: it does not know how. */
bool udp_dont_fragment(struct udp *udp, bool dont);
/* Datagrams without a checksum are taken over IPv6 too (RFC 6935). False: it does not know how. */
bool udp_accept_unsummed(struct udp *udp);
/* The greatest payload that a datagram to `to` can have on the path, as far as the kernel knows by
 * now; 0: it does not say. */
uint32_t udp_path_payload(const struct udp *udp, const struct udp_address *to);
int udp_bound_address(const struct udp *udp, struct udp_address *out);
/* Reads off an error that an ICMP message left on the socket, and counts it. */
void udp_clear_error(struct udp *udp);
/* Counts what kept a datagram from being sent. */
void udp_count_error(struct udp *udp, int error);

/* ---- sending: uv_send.c ---------------------------------------------------------------------- */
#define UDP_TRAIN      64    /* datagrams in one UDP_SEGMENT call (the kernel's bound) */
#define UDP_TRAIN_SIZE 65400 /* bytes in one, under any IP header */
#define UDP_BURST      64    /* messages in one sendmmsg call */

#define UDP_PARTS 3

struct udp_datagram {
    struct iovec part[UDP_PARTS]; /* what the framing adds, header, payload: not copied */
    unsigned parts;
    uint32_t length; /* of the parts together */
    /* Or a train that is ready, if udp_takes_train: so many datagrams of `length`, each of two
     * parts in a row. `train` NULL: it is one datagram. */
    const struct iovec *train;
    uint16_t count;
    uint8_t tos;                  /* where udp->marks */
    uint8_t ttl;                  /* 0: the socket's own */
    bool sound;                   /* of a TUN device: a packet as a host made it, sums and all */
    const struct udp_address *to; /* NULL: the peer that the socket is connected to */
};
/* Sends the datagrams, in order, in as few calls as the batch allows. Returns how many
 * are done with (sent, or counted as an error); fewer than `count` when the kernel takes no more
 * now: then wait until the descriptor is writable, or a millisecond when udp->crowded. */
size_t udp_send(struct udp *udp, const struct udp_datagram *datagrams, size_t count);
/* Whether datagrams of that length may come as a ready train. udp_send stops before one that the
 * kernel turns out not to take. */
static inline bool udp_takes_train(const struct udp *udp, uint32_t length)
{
    return udp->batch == UDP_BATCH_GSO && length <= udp->longest_piece;
}

/* ---- receiving: uv_receive.c ----------------------------------------------------------------- */
#define UDP_ARRIVALS 32

/* One datagram, or a train of them that differ in nothing but their bytes. */
struct udp_arrival {
    void *buffer; /* the caller's; `room` bytes, at least 65,535 */
    size_t room;
    size_t length;    /* of all pieces */
    size_t piece;     /* length of each piece but the last, which may be shorter */
    uint8_t tos, ttl; /* where udp->marks; ttl 0: not known */
    bool valid;       /* false: counted as an error, to be passed over */
    /* Of a TUN device: the packet's last checksum is not there yet (`unsummed`): it covers what is
     * behind `sum_from`, and belongs `sum_at` behind that. Where `gathered_of` is not 0, it is a
     * TCP segment to be cut to ones with so much text. */
    bool unsummed;
    uint16_t sum_from, sum_at, gathered_of;
    struct udp_address from;
};
/* Receives up to `count` (at most UDP_ARRIVALS) of them, one a buffer; 0: nothing is there. */
size_t udp_receive(struct udp *udp, struct udp_arrival *arrivals, size_t count);

#endif
