/* core/include/lunatcp/socket.h
 *
 * The calls that programs know TCP by, over one host: descriptors, errno, readiness, options and
 * TCP_INFO as Linux has them, so that scripts and programs written for a kernel can be run against
 * this engine. Nothing blocks and nothing calls back: a call that would wait says so and is stepped
 * again after time or packets have gone on. Numbers (errno, options, flags) are Linux's own on
 * x86-64, as values of this header; no header of a system is read. */
#ifndef LUNATCP_SOCKET_H
#define LUNATCP_SOCKET_H

#include "lunatcp/host.h"
#include "lunatcp/socket_names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- words ------------------------------------------------------------------------------------
 */

/* "EAGAIN", "Resource temporarily unavailable"; NULL for a number that is not in the table. */
const char *ltcp_errno_name(int number);
const char *ltcp_errno_text(int number);
/* The number of "EAGAIN" (also "EWOULDBLOCK"); 0: unknown. */
int ltcp_errno_number(const char *name);
/* The number that users of sockets know a status of the engine by; 0 for LTCP_OK. */
int ltcp_errno_of(enum ltcp_status status);

struct ltcp_constant {
    const char *name;
    int64_t value;
};
/* The i-th symbolic constant of the socket interface, by name in no particular order; NULL past the
 * last. errno names are not among them. */
const struct ltcp_constant *ltcp_constant_at(size_t i);
bool ltcp_constant_find(const char *name, int64_t *value);

/* ---- the table of descriptors -----------------------------------------------------------------
 */

/* Of one process on one host. Neither owns the other's time: every call takes `now`, which never
 * goes back. The host outlives the table; handles made through it belong to it. After a call the
 * owner has the host transmit, as after any other call on it. Events of the host are not used (they
 * may be drained by anybody): state is looked at when it is asked for. */
struct ltcp_sockets;

struct ltcp_sockets_config {
    struct ltcp_host *host;
    struct ltcp_pool *pool; /* memory is its allocator's */
    int first;              /* lowest descriptor that is given out; 0: 3 */
    int most;               /* descriptors below it exist; 0: 1024. More are EMFILE */
    uint32_t not_sent_low;  /* see ltcp_sockets_set_not_sent_low; 0: none */
};
/* NULL: no memory. */
struct ltcp_sockets *ltcp_sockets_create(const struct ltcp_sockets_config *config);
/* Closes all descriptors as the end of a process does; connections live on as orphans. */
void ltcp_sockets_destroy(struct ltcp_sockets *sockets, ltcp_time now);

/* TCP_NOTSENT_LOWAT, in octets, of sockets that are made from now on and set none; 0: none. */
void ltcp_sockets_set_not_sent_low(struct ltcp_sockets *sockets, uint32_t octets);

/* Gives an open descriptor another number, so that it is the one that a kernel gave for something
 * else. 0, or -EBADF, -EBUSY (that number is open), -EMFILE, -ENOMEM. */
int ltcp_sockets_renumber(struct ltcp_sockets *sockets, int from, int to);
/* The engine's handle behind a descriptor (connection or listener); 0: none. */
ltcp_handle ltcp_sockets_handle(const struct ltcp_sockets *sockets, int fd);
/* The i-th open descriptor in ascending order; -1 past the last. */
int ltcp_sockets_at(const struct ltcp_sockets *sockets, size_t i);
/* POLL bits (LTCP_POLLIN ...) that are true of a descriptor now; POLLNVAL for one that is not open.
 */
uint32_t ltcp_sockets_poll(struct ltcp_sockets *sockets, ltcp_time now, int fd);
/* Time has passed, or packets came: looks at what the connections have become, so that readiness
 * has its edges (epoll), and lets go of those that are over. */
void ltcp_sockets_advance(struct ltcp_sockets *sockets, ltcp_time now);

/* ---- calls ------------------------------------------------------------------------------------
 */

/* op, name, what it takes from and gives to struct ltcp_call (beside fd and result) */
#define LTCP_CALL_LIST(X)                                                                          \
    X(SOCKET, "socket")           /* arg: domain, type, protocol */                                \
    X(BIND, "bind")               /* address */                                                    \
    X(LISTEN, "listen")           /* arg: backlog */                                               \
    X(ACCEPT, "accept")           /* out: address */                                               \
    X(ACCEPT4, "accept4")         /* arg: flags; out: address */                                   \
    X(CONNECT, "connect")         /* address */                                                    \
    X(GETSOCKNAME, "getsockname") /* out: address */                                               \
    X(GETPEERNAME, "getpeername") /* out: address */                                               \
    X(READ, "read")               /* iov: one */                                                   \
    X(READV, "readv")             /* iov */                                                        \
    X(RECV, "recv")               /* iov: one, flags */                                            \
    X(RECVFROM, "recvfrom")       /* iov: one, flags; out: address (family 0: none) */             \
    X(RECVMSG, "recvmsg")         /* iov, flags; out: out_flags, controls, address */              \
    X(WRITE, "write")             /* iov: one */                                                   \
    X(WRITEV, "writev")           /* iov */                                                        \
    X(SEND, "send")               /* iov: one, flags */                                            \
    X(SENDTO, "sendto")           /* iov: one, flags, address */                                   \
    X(SENDMSG, "sendmsg")         /* iov, flags, address */                                        \
    X(FCNTL, "fcntl")             /* arg: command, argument */                                     \
    X(IOCTL, "ioctl")             /* arg: request, value (FIONBIO); out: value, an int */          \
    X(CLOSE, "close")                                                                              \
    X(SHUTDOWN, "shutdown")         /* arg: how */                                                 \
    X(GETSOCKOPT, "getsockopt")     /* arg: level, name; value, length: room, then what was got */ \
    X(SETSOCKOPT, "setsockopt")     /* arg: level, name; value, length */                          \
    X(POLL, "poll")                 /* polls, count, timeout; out: revents */                      \
    X(EPOLL_CREATE, "epoll_create") /* arg: size */                                                \
    X(EPOLL_CTL, "epoll_ctl")       /* arg: operation, fd; events: one */                          \
    X(EPOLL_WAIT, "epoll_wait")     /* events, count: room, timeout; out: events */                \
    X(PIPE, "pipe")                 /* out: fds */                                                 \
    X(SPLICE, "splice")             /* fd: in; arg: out, length, flags; one of the two is a pipe */

enum ltcp_call_op {
#define LTCP_CALL_ENUM(op, name) LTCP_CALL_##op,
    LTCP_CALL_LIST(LTCP_CALL_ENUM)
#undef LTCP_CALL_ENUM
        LTCP_CALL_COUNT
};
/* "recvmsg"; the op of a name, LTCP_CALL_COUNT for an unknown one. */
const char *ltcp_call_name(enum ltcp_call_op op);
enum ltcp_call_op ltcp_call_find(const char *name);

/* An address with the length that the program gave: too short a one is an error of its own. */
struct ltcp_sockaddr {
    uint32_t length; /* octets of struct sockaddr_in (16) or sockaddr_in6 (28); 0: a NULL pointer */
    uint16_t family; /* LTCP_AF_INET, LTCP_AF_INET6, LTCP_AF_UNSPEC */
    uint16_t port;   /* in host order */
    struct ltcp_address address; /* IPv4 mapped, in whichever family */
};
struct ltcp_iovec {
    void *base;
    size_t length;
};
struct ltcp_pollfd {
    int fd; /* below 0: passed over */
    uint16_t events, revents;
};
struct ltcp_epoll_event {
    uint32_t events;
    uint64_t data;
};
/* A control message that was received. */
struct ltcp_control {
    int level, type;
    int64_t value; /* of an int */
};
#define LTCP_CONTROLS_MOST 4

/* A call, its arguments and how far it has come. What it points at is the caller's and stays until
 * the call is done. Zero it, fill in what the list above says, and step it. */
struct ltcp_call {
    enum ltcp_call_op op;
    int fd;
    int64_t arg[3];
    uint32_t flags; /* LTCP_MSG_... */
    struct ltcp_sockaddr address;
    struct ltcp_iovec *iov;
    size_t iov_count;
    void *value; /* in the layout that Linux has on this machine (int: 4 octets in its order) */
    size_t length;
    struct ltcp_pollfd *polls;
    struct ltcp_epoll_event *events;
    size_t count;
    int timeout; /* milliseconds; below 0: for ever */

    uint32_t out_flags;
    struct ltcp_control controls[LTCP_CONTROLS_MOST];
    size_t control_count;
    size_t control_room; /* octets of msg_control that the program has; 0: no control messages */
    int fds[2];

    bool done;
    int64_t result; /* once done: 0 or more, or a negative errno */
    /* LTCP_NEVER, or when it ends by itself (SO_RCVTIMEO, a timeout of poll): step it then. */
    ltcp_time deadline;

    struct { /* of ltcp_call_step alone */
        uint64_t serial, object;
        size_t moved;
        uint8_t stage;
        bool begun, waits_for_room;
    } progress;
};
/* Runs the call, or goes on with it: true once it is done. While it is not, it waits for something
 * to happen to the host, or for its deadline; stepping too often costs only time. Non-blocking
 * descriptors, MSG_DONTWAIT and calls that never wait are done at the first step. A descriptor that
 * is closed under a waiting call makes it -EBADF. */
bool ltcp_call_step(struct ltcp_sockets *sockets, ltcp_time now, struct ltcp_call *call);

/* ---- TCP_INFO ----------------------------------------------------------------------------------
 */

/* Fields in Linux's order, width and units (include/uapi/linux/tcp.h): the struct has Linux's
 * layout. kind is U8, U16, U32 or U64. */
#define LTCP_TCP_INFO_LIST(X)                                                                      \
    X(U8, state)       /* LTCP_TCP_ESTABLISHED ... */                                              \
    X(U8, ca_state)    /* LTCP_TCP_CA_Open ... */                                                  \
    X(U8, retransmits) /* timeouts in a row that went unanswered */                                \
    X(U8, probes)      /* unanswered window probes */                                              \
    X(U8, backoff)                                                                                 \
    X(U8, options) /* LTCP_TCPI_OPT_... */                                                         \
    X(U8, wscales) /* snd_wscale and rcv_wscale, four bits each: see below */                      \
    X(U8, bits)    /* delivery_rate_app_limited, fastopen_client_fail */                           \
    X(U32, rto)    /* microseconds */                                                              \
    X(U32, ato)                                                                                    \
    X(U32, snd_mss)                                                                                \
    X(U32, rcv_mss)                                                                                \
    X(U32, unacked) /* segments, as all the next ones */                                           \
    X(U32, sacked)                                                                                 \
    X(U32, lost)                                                                                   \
    X(U32, retrans)                                                                                \
    X(U32, fackets)                                                                                \
    X(U32, last_data_sent) /* milliseconds ago */                                                  \
    X(U32, last_ack_sent)                                                                          \
    X(U32, last_data_recv)                                                                         \
    X(U32, last_ack_recv)                                                                          \
    X(U32, pmtu)                                                                                   \
    X(U32, rcv_ssthresh) /* octets */                                                              \
    X(U32, rtt)          /* microseconds */                                                        \
    X(U32, rttvar)                                                                                 \
    X(U32, snd_ssthresh) /* segments */                                                            \
    X(U32, snd_cwnd)     /* segments */                                                            \
    X(U32, advmss)                                                                                 \
    X(U32, reordering) /* segments */                                                              \
    X(U32, rcv_rtt)    /* microseconds */                                                          \
    X(U32, rcv_space)  /* octets */                                                                \
    X(U32, total_retrans)                                                                          \
    X(U64, pacing_rate) /* octets a second */                                                      \
    X(U64, max_pacing_rate)                                                                        \
    X(U64, bytes_acked)                                                                            \
    X(U64, bytes_received)                                                                         \
    X(U32, segs_out)                                                                               \
    X(U32, segs_in)                                                                                \
    X(U32, notsent_bytes)                                                                          \
    X(U32, min_rtt) /* microseconds */                                                             \
    X(U32, data_segs_in)                                                                           \
    X(U32, data_segs_out)                                                                          \
    X(U64, delivery_rate)  /* octets a second */                                                   \
    X(U64, busy_time)      /* microseconds */                                                      \
    X(U64, rwnd_limited)   /* microseconds */                                                      \
    X(U64, sndbuf_limited) /* microseconds */                                                      \
    X(U32, delivered)      /* segments */                                                          \
    X(U32, delivered_ce)                                                                           \
    X(U64, bytes_sent)                                                                             \
    X(U64, bytes_retrans)                                                                          \
    X(U32, dsack_dups)                                                                             \
    X(U32, reord_seen)                                                                             \
    X(U32, rcv_ooopack)                                                                            \
    X(U32, snd_wnd)                                                                                \
    X(U32, rcv_wnd)                                                                                \
    X(U32, rehash)                                                                                 \
    X(U16, total_rto)                                                                              \
    X(U16, total_rto_recoveries)                                                                   \
    X(U32, total_rto_time) /* milliseconds */                                                      \
    X(U32, received_ce)                                                                            \
    X(U32, delivered_e1_bytes)                                                                     \
    X(U32, delivered_e0_bytes)                                                                     \
    X(U32, delivered_ce_bytes)                                                                     \
    X(U32, received_e1_bytes)                                                                      \
    X(U32, received_e0_bytes)                                                                      \
    X(U32, received_ce_bytes)                                                                      \
    X(U32, accecn) /* ecn_mode:2, accecn_opt_seen:2, accecn_fail_mode:4, options2:24 */

struct ltcp_tcp_info {
#define LTCP_TCP_INFO_U8(name)           uint8_t name;
#define LTCP_TCP_INFO_U16(name)          uint16_t name;
#define LTCP_TCP_INFO_U32(name)          uint32_t name;
#define LTCP_TCP_INFO_U64(name)          uint64_t name;
#define LTCP_TCP_INFO_MEMBER(kind, name) LTCP_TCP_INFO_##kind(name)
    LTCP_TCP_INFO_LIST(LTCP_TCP_INFO_MEMBER)
#undef LTCP_TCP_INFO_MEMBER
};
/* The two halves of `wscales`; where they lie is up to the machine's order of bit-fields. */
uint8_t ltcp_tcp_info_snd_wscale(const struct ltcp_tcp_info *info);
uint8_t ltcp_tcp_info_rcv_wscale(const struct ltcp_tcp_info *info);

/* -EBADF, -ENOTSOCK, or 0 with `out` filled in (also for a socket that is not connected). */
int ltcp_sockets_tcp_info(struct ltcp_sockets *sockets, ltcp_time now, int fd,
                          struct ltcp_tcp_info *out);

#ifdef __cplusplus
}
#endif
#endif
