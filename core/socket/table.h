/* core/socket/table.h
 *
 * What the table of descriptors holds: sockets, epolls, pipes. Internal to core/socket; a file of
 * it is one idea: table (descriptors), state (a socket's connection as it stands), opening,
 * transfer, options, ready (poll), epoll, pipe, info (TCP_INFO), call (stepping). */
#ifndef LUNATCP_SOCKET_TABLE_H
#define LUNATCP_SOCKET_TABLE_H

#include "lunatcp/socket.h"

enum file_kind { FILE_NONE, FILE_SOCKET, FILE_EPOLL, FILE_PIPE_READ, FILE_PIPE_WRITE };

struct file {
    void *object;
    uint64_t serial; /* of the opening: a number that is used again is another descriptor */
    uint32_t status; /* O_NONBLOCK, O_APPEND */
    uint8_t kind;    /* enum file_kind */
    bool close_on_exec;
};

/* How often something happened that wakes those who wait: epoll's edges are differences. */
struct wakes {
    uint32_t in, out, all;
};

/* What a socket's options say that no setting of the engine does. */
struct socket_options {
    int32_t reuse_address, reuse_port, broadcast, dont_route, debug, priority, mark;
    int32_t busy_poll, timestamp, no_check, rxq_ovfl, pass_cred;
    int32_t linger_on, linger_seconds;
    int32_t receive_low;                     /* SO_RCVLOWAT */
    int32_t send_buffer, receive_buffer;     /* as SO_SNDBUF reports it; 0: never set */
    ltcp_time receive_timeout, send_timeout; /* LTCP_NEVER: none */
    uint64_t max_pacing;                     /* octets a second; all ones: none */
    int32_t tos, traffic_class, ttl, hops;   /* ttl, hops -1: the host's */
    int32_t only_v6, mtu_discover, receive_errors, receive_errors6, free_bind, transparent;
    int32_t bind_no_port, receive_tos, receive_ttl, receive_class, receive_hops, min_ttl, min_hops;
    int32_t flow_label;
    int32_t fast_open_connect, fast_open_no_cookie;
    int32_t cork, mss, linger2, defer_accept, window_clamp, quick_ack, inq, thin_linear,
        thin_dupack;
    uint32_t not_sent_low; /* TCP_NOTSENT_LOWAT; 0: none */
};

enum socket_role {
    ROLE_IDLE, /* no connection (any more) */
    ROLE_LISTENING,
    ROLE_CONNECTING, /* connect has begun and nobody was told the end of it */
    ROLE_CONNECTED
};
enum { SHUT_RECEIVE = 1, SHUT_SEND = 2 };

#define SOCKET_AO_COUNTERS 5

struct socket {
    struct socket *next, *previous; /* of the table */
    struct socket *next_here;       /* of those bound to ports of one bucket */
    uint64_t serial;
    uint16_t domain; /* AF_INET or AF_INET6 */
    uint8_t role;    /* enum socket_role */
    uint8_t shut;    /* SHUT_RECEIVE, SHUT_SEND */
    bool bound, died, no_space;
    bool urgent_taken;  /* the octet before urgent_at was read out of band */
    uint32_t urgent_at; /* RCV.UP then */
    int error;          /* pending: told once (SO_ERROR, or the next call that fails) */
    ltcp_handle handle;
    uint32_t backlog;
    struct ltcp_sockaddr local; /* when bound */
    struct ltcp_settings settings;
    struct socket_options options;
    /* as it was looked at last */
    uint32_t not_sent_low; /* what holds: its own, or the table's */
    uint8_t seen_state;
    bool seen_fin, seen_urgent;
    uint32_t seen_rcv_nxt, seen_waiting;
    struct wakes wakes;
    /* TCP_FASTOPEN_CONNECT: connect was called, the SYN waits for the first write */
    bool deferred;
    struct ltcp_sockaddr deferred_to;
    /* TCP-AO: it has keys, or what it was accepted from has; which it shall begin with (-1: any);
     * what TCP_AO_INFO adds to what was counted */
    bool signs;
    int16_t ao_current, ao_rnext;
    uint64_t ao_base[SOCKET_AO_COUNTERS];
    uint8_t fast_open_keys[32]; /* TCP_FASTOPEN_KEY */
    uint32_t fast_open_keys_length;
};

struct watch {
    struct watch *next;       /* of the epoll, in order of addition */
    struct watch *next_ready; /* of those that may have something to tell, in order */
    int fd;
    uint64_t serial; /* of the descriptor */
    uint32_t events;
    uint64_t data;
    struct wakes seen;
    bool ready, disarmed;
};
struct epoll {
    struct watch *first;
    struct watch *ready_first, *ready_last;
    uint64_t serial;
};

#define PIPE_ROOM   65536u
#define PIPE_ATOMIC 4096u
struct pipe {
    uint8_t *ring; /* PIPE_ROOM octets */
    uint32_t head, count;
    bool reader, writer; /* that end is open */
    struct wakes wakes;
};

/* A connection that was closed: its port is taken until it is over. */
struct orphan {
    struct orphan *next;                      /* in order of closing */
    struct orphan *next_here, *previous_here; /* of its port's bucket */
    ltcp_handle handle;
    struct ltcp_address local;
    uint16_t port;
    bool reuse;
};

#define PORT_BUCKETS 512
struct ltcp_sockets {
    struct ltcp_host *host;
    struct ltcp_allocator allocator;
    struct file *files;
    int capacity, first, most;
    int lowest; /* every descriptor below it is open */
    uint64_t serial;
    struct socket *sockets;
    struct orphan *orphan_first, *orphan_last;
    /* By port: sockets that are bound, and orphans. */
    struct socket *bound[PORT_BUCKETS];
    struct orphan *closed[PORT_BUCKETS];
    uint16_t next_port;
    uint32_t not_sent_low; /* of sockets that do not say */
};

/* table.c */
void *table_resize(struct ltcp_sockets *t, void *old, size_t old_size, size_t size);
void *table_zeroed(struct ltcp_sockets *t, size_t size);
/* NULL: not open. */
struct file *table_file(const struct ltcp_sockets *t, int fd);
/* The socket of a descriptor; NULL with *error -EBADF or -ENOTSOCK. */
struct socket *table_socket(const struct ltcp_sockets *t, int fd, int *error);
/* The lowest free descriptor opened for `object`, or -EMFILE, -ENOMEM. */
int table_open(struct ltcp_sockets *t, enum file_kind kind, void *object, uint32_t status,
               bool close_on_exec);
void table_free(struct ltcp_sockets *t, int fd);
/* ports.c */
/* The socket is bound to its local port now; or is not any more. */
void socket_bind(struct ltcp_sockets *t, struct socket *s);
void socket_unbind(struct ltcp_sockets *t, struct socket *s);
/* Whether `s` could be bound there. */
bool socket_may_bind(const struct ltcp_sockets *t, const struct socket *s,
                     const struct ltcp_address *address, uint16_t port);
/* Whether another socket listens where `s` is bound. */
bool socket_has_rival(const struct ltcp_sockets *t, const struct socket *s);
/* A free port, in turn; 0: none. */
uint16_t socket_choose_port(struct ltcp_sockets *t, const struct socket *s,
                            const struct ltcp_address *address);
/* Looks at connections that outlive their descriptors, oldest first, and lets go of those that are
 * over, until it has met two that are not: however many there are, a closing costs as much. */
void table_sweep(struct ltcp_sockets *t);
/* The socket's connection is left to itself. Without memory it is only released, and its port not
 * remembered. */
void table_orphan(struct ltcp_sockets *t, const struct socket *s);
void orphans_release(struct ltcp_sockets *t);

/* state.c: what a socket's connection is now */
struct socket *socket_create(struct ltcp_sockets *t, uint16_t domain);
void socket_destroy(struct ltcp_sockets *t, struct socket *s);
/* Reads the engine's state, notes what is new since the last time (wakes, a pending error). Without
 * a connection: CLOSED. */
void socket_look(struct ltcp_sockets *t, ltcp_time now, struct socket *s, struct ltcp_info *info);
/* The pending error, negative, and none any more; 0. */
int socket_take_error(struct socket *s);
bool state_has_synchronized(enum ltcp_state state);
/* Whether more could be written now: free room is at least half of what is queued. */
bool socket_writable(const struct socket *s, const struct ltcp_info *info);
/* Whether a write may queue anything at all. */
bool socket_has_room(const struct socket *s, const struct ltcp_info *info);
/* Whether `target` octets, or the end, can be read. */
bool socket_readable(const struct socket *s, const struct ltcp_info *info, uint32_t target);
/* Hands the settings to the engine after an option changed them. */
int socket_apply(struct ltcp_sockets *t, ltcp_time now, struct socket *s);
uint32_t socket_send_buffer(const struct socket *s);
uint32_t socket_send_limit(const struct socket *s, const struct ltcp_info *info);
/* How many connections accept would give. */
uint32_t socket_waiting(const struct ltcp_sockets *t, const struct socket *s);
/* The oldest of them; 0: none. */
ltcp_handle socket_take(struct ltcp_sockets *t, struct socket *s);
/* Whether urgent data waits of which the program was not told all (RFC9293:MUST-32). */
bool socket_urgent(const struct socket *s, const struct ltcp_info *info);
void sockaddr_of(struct ltcp_sockaddr *out, uint16_t domain, const struct ltcp_address *address,
                 uint16_t port);

/* What a file's descriptor is ready for, in POLL bits; and its wakes. */
uint32_t file_poll(struct ltcp_sockets *t, ltcp_time now, const struct file *f);
const struct wakes *file_wakes(const struct file *f);

/* epoll.c, pipe.c */
void epoll_destroy(struct ltcp_sockets *t, struct epoll *e);
/* The descriptor is closed: no epoll watches it any more. */
void epoll_forget(struct ltcp_sockets *t, int fd, uint64_t serial);
bool epoll_has_ready(struct ltcp_sockets *t, ltcp_time now, struct epoll *e);
void pipe_close(struct ltcp_sockets *t, struct pipe *p, bool write_end);
uint32_t pipe_poll(const struct pipe *p, bool write_end);
size_t pipe_put(struct pipe *p, const void *bytes, size_t length);
size_t pipe_take(struct pipe *p, void *out, size_t room);

/* ---- calls: each gives the result, or CALL_WAITS ------------------------------------------------
 * One that waits has set call->deadline; nothing of the engine is lost by asking it again. */
#define CALL_WAITS INT64_MIN
typedef int64_t (*call_fn)(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
/* Waits: until `timeout` after the first time that it had to (LTCP_NEVER: for ever). False when
 * that time has come. */
bool call_wait(struct ltcp_call *call, ltcp_time now, ltcp_time timeout);
/* The place of the octet `moved` in the call's pieces, and how much is left of that piece; none is
 * left at their end. */
uint8_t *call_piece(const struct ltcp_call *call, size_t moved, size_t *left);
/* A piece that is to be read or filled is at a NULL pointer. */
bool call_points_nowhere(const struct ltcp_call *call);

int64_t call_socket(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call); /* opening.c */
int64_t call_bind(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_listen(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_accept(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_connect(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_name(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_receive(struct ltcp_sockets *t, ltcp_time now,
                     struct ltcp_call *call); /* transfer.c */
int64_t call_send(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_splice(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call); /* pipe.c */
int64_t call_pipe(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t pipe_transfer(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_close(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call); /* closing.c */
int64_t call_shutdown(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
void file_close(struct ltcp_sockets *t, ltcp_time now, int fd);
int64_t call_fcntl(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call); /* control.c */
int64_t call_ioctl(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_getsockopt(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_setsockopt(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_poll(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call); /* ready.c */
int64_t call_epoll_create(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_epoll_ctl(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);
int64_t call_epoll_wait(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call);

/* options: 0 or negative errno; ENOPROTOOPT is the last one's word */
struct option_call {
    struct ltcp_sockets *t;
    ltcp_time now;
    struct socket *s;
    const struct ltcp_info *info;
    int name;
};
/* *value: in for set, out for get. */
int option_socket_set(const struct option_call *o, int64_t value, const void *raw, size_t length);
int option_socket_get(const struct option_call *o, int64_t *value, void *raw, size_t *length);
int option_ip_set(const struct option_call *o, int level, int64_t value);
int option_ip_get(const struct option_call *o, int level, int64_t *value);
int option_tcp_set(const struct option_call *o, int64_t value, const void *raw, size_t length);
int option_tcp_get(const struct option_call *o, int64_t *value, void *raw, size_t *length);

/* opening.c: an active OPEN; with `fast_open` not NULL by TCP Fast Open, its octets in the SYN. 0,
 * or a negative errno. */
int socket_connect(struct ltcp_sockets *t, ltcp_time now, struct socket *s,
                   const struct ltcp_sockaddr *to, const void *fast_open, size_t length,
                   size_t waiting);

/* signature.c */
int signature_set(const struct option_call *o, const void *raw, size_t length);
/* signature_ao.c; `begin`: a connection was opened, and no segment of it has left */
int signature_ao_set(const struct option_call *o, const void *raw, size_t length);
int signature_ao_get(const struct option_call *o, void *raw, size_t *length);
void signature_ao_begin(const struct ltcp_sockets *t, const struct socket *s);
static inline bool is_ao_option(int name)
{
    return name >= LTCP_TCP_AO_ADD_KEY && name <= LTCP_TCP_AO_REPAIR;
}

/* fast_open.c */
#define FAST_OPEN_DONE                                                                             \
    (INT64_MIN + 1) /* the connection stands; what is left is written as ever                      \
                     */
int64_t fast_open_send(struct ltcp_sockets *t, ltcp_time now, struct ltcp_call *call,
                       struct socket *s, bool waits);
bool fast_open_is_on(const struct ltcp_sockets *t);
bool fast_open_defers(struct ltcp_sockets *t, struct socket *s, const struct ltcp_sockaddr *to);
void fast_open_refresh(const struct ltcp_sockets *t, struct socket *s);
void fast_open_hand_over(struct ltcp_sockets *t, const struct socket *s);
int fast_open_set(const struct option_call *o, int64_t value, const void *raw, size_t length);
int fast_open_get(const struct option_call *o, int64_t *value, void *raw, size_t *length);
/* Handshake not over, and nothing to be read or written before it is. */
static inline bool is_opening(const struct ltcp_info *info)
{
    return info->state == LTCP_SYN_SENT || (info->state == LTCP_SYN_RECEIVED && !info->fast_opened);
}

/* info.c */
void tcp_info_fill(const struct ltcp_sockets *t, const struct socket *s, ltcp_time now,
                   const struct ltcp_info *info, struct ltcp_tcp_info *out);

#endif
