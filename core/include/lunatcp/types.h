/* core/include/lunatcp/types.h
 *
 * Words that every header shares: time, status, sequence numbers, addresses, memory.
 * Nothing in the core reads a clock, a socket, a file, the environment or a random source:
 * all of these come in as arguments. */
#ifndef LUNATCP_TYPES_H
#define LUNATCP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds on a monotonic clock that the caller owns. LTCP_NEVER means "no deadline". */
typedef int64_t ltcp_time;
#define LTCP_NEVER       INT64_MAX
#define LTCP_MICROSECOND INT64_C(1000)
#define LTCP_MILLISECOND INT64_C(1000000)
#define LTCP_SECOND      INT64_C(1000000000)

/* name, errno symbol that users of sockets know it by, sentence */
#define LTCP_STATUS_LIST(X)                                                                        \
    X(OK, "", "success")                                                                           \
    /* what a call can answer */                                                                   \
    X(AGAIN, "EAGAIN", "the call would block")                                                     \
    X(END, "", "end of stream")                                                                    \
    X(ERR_INVALID, "EINVAL", "invalid argument")                                                   \
    X(ERR_NO_MEMORY, "ENOMEM", "out of memory")                                                    \
    X(ERR_NO_BUFFERS, "ENOBUFS", "insufficient resources")                                         \
    X(ERR_STALE, "EBADF", "connection does not exist")                                             \
    X(ERR_NOT_CONNECTED, "ENOTCONN", "not connected")                                              \
    X(ERR_CONNECTED, "EISCONN", "connection already exists")                                       \
    X(ERR_ADDRESS_IN_USE, "EADDRINUSE", "address already in use")                                  \
    X(ERR_ADDRESS_NOT_AVAILABLE, "EADDRNOTAVAIL", "address or port not available")                 \
    X(ERR_NO_ROUTE, "ENETUNREACH", "no route to that address")                                     \
    X(ERR_NOT_SUPPORTED, "EOPNOTSUPP", "operation not supported")                                  \
    X(ERR_PIPE, "EPIPE", "connection closing: nothing more can be sent")                           \
    X(ERR_MESSAGE_SIZE, "EMSGSIZE", "message too long")                                            \
    X(ERR_KEY_EXISTS, "EEXIST", "a key with that SendID or RecvID is there already")               \
    X(ERR_KEY_IN_USE, "EBUSY", "a connection uses that key")                                       \
    X(ERR_NO_KEY, "ENOKEY", "no such key")                                                         \
    /* how a connection can die */                                                                 \
    X(ERR_REFUSED, "ECONNREFUSED", "connection refused")                                           \
    X(ERR_RESET, "ECONNRESET", "connection reset by peer")                                         \
    X(ERR_ABORTED, "ECONNABORTED", "connection aborted")                                           \
    X(ERR_TIMED_OUT, "ETIMEDOUT", "connection timed out")                                          \
    X(ERR_HOST_UNREACHABLE, "EHOSTUNREACH", "host unreachable")                                    \
    X(ERR_NET_UNREACHABLE, "ENETUNREACH", "network unreachable")                                   \
    X(ERR_PROTOCOL_UNREACHABLE, "ENOPROTOOPT", "protocol unreachable")                             \
    /* why a packet was dropped */                                                                 \
    X(ERR_TRUNCATED, "EBADMSG", "packet is shorter than its headers say")                          \
    X(ERR_VERSION, "EBADMSG", "neither IPv4 nor IPv6")                                             \
    X(ERR_IP_HEADER, "EBADMSG", "IP header length is illegal")                                     \
    X(ERR_IP_CHECKSUM, "EBADMSG", "IPv4 header checksum is wrong")                                 \
    X(ERR_IP_OPTION, "EBADMSG", "IP option or extension header is malformed")                      \
    X(ERR_FRAGMENT, "EBADMSG", "packet is a fragment")                                             \
    X(ERR_PROTOCOL, "EPROTONOSUPPORT", "neither TCP nor ICMP")                                     \
    X(ERR_DATA_OFFSET, "EBADMSG", "data offset is below 5 or past the end")                        \
    X(ERR_OPTION_LENGTH, "EBADMSG", "option length is 0, 1 or past the header")                    \
    X(ERR_CHECKSUM, "EBADMSG", "checksum is wrong")                                                \
    X(ERR_FRAMING, "EBADMSG", "datagram is not of this framing")                                   \
    X(ERR_AUTHENTICATION, "EKEYREJECTED", "segment is not signed as it should be")                 \
    X(ERR_ADDRESS, "EADDRNOTAVAIL", "address is not one that TCP can use here")

enum ltcp_status {
#define LTCP_STATUS_ENUM(name, code, text) LTCP_##name,
    LTCP_STATUS_LIST(LTCP_STATUS_ENUM)
#undef LTCP_STATUS_ENUM
        LTCP_STATUS_COUNT
};

/* "LTCP_ERR_RESET"; "ECONNRESET"; "connection reset by peer". Never NULL. */
const char *ltcp_status_name(enum ltcp_status status);
const char *ltcp_status_code(enum ltcp_status status);
const char *ltcp_status_message(enum ltcp_status status);

/* A sequence number is a type of its own, so that a plain `<` does not compile
 * (RFC 9293 section 3.4: arithmetic modulo 2^32). */
typedef struct {
    uint32_t n;
} ltcp_seq;

static inline ltcp_seq ltcp_seq_of(uint32_t n)
{
    return (ltcp_seq){n};
}
static inline bool seq_eq(ltcp_seq a, ltcp_seq b)
{
    return a.n == b.n;
}
static inline bool seq_lt(ltcp_seq a, ltcp_seq b)
{
    return (int32_t)(a.n - b.n) < 0;
}
static inline bool seq_le(ltcp_seq a, ltcp_seq b)
{
    return (int32_t)(a.n - b.n) <= 0;
}
static inline bool seq_gt(ltcp_seq a, ltcp_seq b)
{
    return seq_lt(b, a);
}
static inline bool seq_ge(ltcp_seq a, ltcp_seq b)
{
    return seq_le(b, a);
}
static inline ltcp_seq seq_add(ltcp_seq a, uint32_t n)
{
    return (ltcp_seq){a.n + n};
}
static inline ltcp_seq seq_sub(ltcp_seq a, uint32_t n)
{
    return (ltcp_seq){a.n - n};
}
static inline uint32_t seq_diff(ltcp_seq a, ltcp_seq b)
{
    return a.n - b.n;
} /* a - b, a >= b */
static inline ltcp_seq seq_max(ltcp_seq a, ltcp_seq b)
{
    return seq_lt(a, b) ? b : a;
}
static inline ltcp_seq seq_min(ltcp_seq a, ltcp_seq b)
{
    return seq_lt(a, b) ? a : b;
}

/* An IP address, network byte order; IPv4 is held mapped, ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). A
 * link-local one holds the zone that it belongs to (RFC 4007) in its third and fourth octet: the
 * number of the host's interface and one, or 0 where none is said. */
struct ltcp_address {
    uint8_t bytes[16];
};
struct ltcp_address ltcp_address_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
bool ltcp_address_is_v4(const struct ltcp_address *a);
bool ltcp_address_is_unspecified(const struct ltcp_address *a);
bool ltcp_address_is_multicast(const struct ltcp_address *a);
bool ltcp_address_is_broadcast(const struct ltcp_address *a); /* 255.255.255.255 only */
bool ltcp_address_equal(const struct ltcp_address *a, const struct ltcp_address *b);
/* Dotted quad or RFC 4291 text, "fe80::1%eth0" or "fe80::1%1" for interface 0 (RFC 4007 section
 * 11); LTCP_ERR_INVALID for anything else. */
enum ltcp_status ltcp_address_parse(const char *text, struct ltcp_address *out);
/* Writes the canonical text (RFC 5952) and a NUL; returns its length. */
#define LTCP_ADDRESS_TEXT 56
size_t ltcp_address_format(const struct ltcp_address *a, char out[LTCP_ADDRESS_TEXT]);

/* Memory, in the manner of lua_Alloc: `size` 0 frees; NULL means that none is to be had. */
struct ltcp_allocator {
    void *(*resize)(void *context, void *old, size_t old_size, size_t size);
    void *context;
};

#ifdef __cplusplus
}
#endif
#endif
