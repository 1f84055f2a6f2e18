/* core/include/lunatcp/packet.h
 *
 * Packets are reference-counted: a short inline head (the IP and TCP headers) and one slice of
 * payload inside a shared block. Send queue, link, out-of-order queue and receive queue share the
 * block; whoever changes bytes copies first (ltcp_packet_copy). One pool serves all hosts and links
 * of one thread and keeps freed pieces, so that nothing is allocated in steady state. */
#ifndef LUNATCP_PACKET_H
#define LUNATCP_PACKET_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ltcp_pool;

/* `allocator` is copied. Returns NULL when there is no memory. */
struct ltcp_pool *ltcp_pool_create(const struct ltcp_allocator *allocator);
/* Every packet and block must have been released before. */
void ltcp_pool_destroy(struct ltcp_pool *pool);
const struct ltcp_allocator *ltcp_pool_allocator(const struct ltcp_pool *pool);

struct ltcp_pool_usage {
    size_t packets_live, blocks_live; /* referenced by someone */
    size_t bytes_held;                /* taken from the allocator, live or kept for reuse */
};
struct ltcp_pool_usage ltcp_pool_usage(const struct ltcp_pool *pool);
/* Gives kept, unused memory back to the allocator: all of it, or until no more than `most` octets
 * are held. */
void ltcp_pool_trim(struct ltcp_pool *pool);
void ltcp_pool_trim_to(struct ltcp_pool *pool, size_t most);
/* The same until no more than `most` octets are held that nobody uses. */
void ltcp_pool_rest(struct ltcp_pool *pool, size_t most);

/* Payload bytes. `data` has `capacity` bytes, of which `length` are filled. `sum` is the ones'
 * complement sum (unfolded, see wire.h) of data[0..length), valid where `sum_valid`. */
struct ltcp_block {
    struct ltcp_pool *pool;
    uint32_t refs;
    uint32_t capacity;
    uint32_t length;
    uint32_t sum;
    bool sum_valid;
    uint8_t size_class;
    uint8_t *data;
};

/* A block with at least `capacity` bytes (at most 65,535 + head room), one reference, length 0;
 * NULL when there is no memory. */
struct ltcp_block *ltcp_block_create(struct ltcp_pool *pool, uint32_t capacity);
static inline struct ltcp_block *ltcp_block_ref(struct ltcp_block *block)
{
    block->refs++;
    return block;
}
void ltcp_block_unref(struct ltcp_block *block); /* NULL is allowed */

/* What happened to a packet on its way: the words of captures and ladders. */
enum ltcp_packet_note {
    LTCP_NOTE_RETRANSMISSION = 1 << 0, /* said by the sender, where it is one of ours */
    LTCP_NOTE_DUPLICATE = 1 << 1,      /* made by an impairment */
    LTCP_NOTE_CORRUPTED = 1 << 2,
    LTCP_NOTE_DELAYED = 1 << 3, /* reordered or held back by a rule */
    LTCP_NOTE_FORGED = 1 << 4,  /* made by a peer or a rule, not by a TCP */
    LTCP_NOTE_CE_MARKED = 1 << 5,
    LTCP_NOTE_PROBE = 1 << 6 /* zero-window probe or keep-alive */
};

#define LTCP_HEAD_ROOM 192 /* IPv4 at most 60 + 60; IPv6 40 + 92 of extension headers + 60 */

struct ltcp_burst;

/* The bytes of one IP packet: head[0..head_length) then payload[0..payload_length). The head holds
 * at least the IP header and, for TCP, the TCP header; `payload` points into `block`. */
struct ltcp_packet {
    struct ltcp_pool *pool;
    struct ltcp_packet *next; /* for whoever holds the only reference: a queue */
    struct ltcp_block *block; /* NULL when payload_length is 0 */
    uint8_t *payload;
    struct ltcp_burst *burst; /* NULL: it is what it is; else see below */
    uint32_t payload_length;
    uint32_t payload_sum; /* unfolded sum of the payload, where payload_sum_valid */
    uint32_t refs;
    uint32_t interface; /* where it leaves a host or came in */
    uint64_t id;        /* serial number, given by the network; 0 before */
    ltcp_time time;     /* when it was sent, or arrived: the arrival time is what RTTs use */
    uint16_t head_length;
    uint16_t gathered_of; /* text of each segment that the layer below has put together to this one;
                             0: it came as it is */
    uint8_t notes;        /* enum ltcp_packet_note */
    bool payload_sum_valid : 1; /* a hint for the sender's checksum, never trusted on receipt */
    bool checksum_good : 1;     /* a tunnel vouches for the TCP checksum (`checksum = "udp"`) */
    uint8_t head[LTCP_HEAD_ROOM];
};

/* One reference, empty; NULL when there is no memory. */
struct ltcp_packet *ltcp_packet_create(struct ltcp_pool *pool);
static inline struct ltcp_packet *ltcp_packet_ref(struct ltcp_packet *packet)
{
    packet->refs++;
    return packet;
}
void ltcp_packet_unref(struct ltcp_packet *packet); /* NULL is allowed */
/* A packet with bytes of its own, that may be changed; notes, time and interface are kept. */
struct ltcp_packet *ltcp_packet_copy(const struct ltcp_packet *packet);
/* A packet from contiguous bytes, copied; the split is put behind the transport header where the
 * headers can be understood, else as far as the head reaches. Never looks at checksums. */
struct ltcp_packet *ltcp_packet_from_bytes(struct ltcp_pool *pool, const void *bytes,
                                           size_t length);
/* The same without copying the payload: `block` holds the packet at `offset`; a reference to it is
 * taken. This is how a tunnel hands in what it received. */
struct ltcp_packet *ltcp_packet_from_block(struct ltcp_block *block, size_t offset, size_t length);
static inline size_t ltcp_packet_length(const struct ltcp_packet *p)
{
    return (size_t)p->head_length + p->payload_length;
}
/* Copies at most `room` bytes of the packet to `out`; returns how many. */
size_t ltcp_packet_bytes(const struct ltcp_packet *packet, void *out, size_t room);

/* ---- bursts -------------------------------------------------------------------------------------
 *
 * Full segments of one connection that leave one after the other may be one packet until they are
 * handed to the kernel, which is what a network card that cuts segments itself would be given. They
 * differ in sequence number, identification, PSH, checksums and text. Such a packet has the first
 * one's head and no payload. Only who has asked for bursts gets them
 * (ltcp_host_gather, ltcp_network_gather). */
#define LTCP_BURST_MOST   64    /* segments, */
#define LTCP_BURST_OCTETS 65400 /* and octets as they leave, in one */
struct ltcp_burst {
    uint64_t ip_sum, tcp_sum;                  /* of the heads, but for what differs */
    uint64_t pushes;                           /* bit i: PSH of the i-th */
    uint32_t text;                             /* octets in each segment */
    uint32_t model;                            /* the template's, that the heads follow */
    uint16_t most;                             /* segments that it has room for, */
    uint16_t count;                            /* that it has, */
    uint16_t gone;                             /* of which the first so many were taken already */
    uint8_t ip_length;                         /* of the IP header */
    struct ltcp_block *texts[LTCP_BURST_MOST]; /* each filled with one, and summed */
};
static inline uint32_t ltcp_packet_segments(const struct ltcp_packet *p)
{
    return p->burst == NULL ? 1 : p->burst->count;
}
/* Writes the heads of those not taken yet, without their first `skip` octets (none, or the IP
 * header), `stride` octets apart; each stride is overwritten to its end. */
void ltcp_burst_heads(const struct ltcp_packet *packet, size_t skip, uint8_t *out, size_t stride);
/* Takes the next one as a packet of its own (one reference); NULL: there is no memory for it, or
 * all are taken. */
struct ltcp_packet *ltcp_burst_take(struct ltcp_packet *packet);

#ifdef __cplusplus
}
#endif
#endif
