/* core/include/lunatcp/trace.h
 *
 * What happened, as typed records with time. Two bounded rings, written by the core and read by
 * their owner: `events` (a connection changed state, a timer fired, a packet was refused) and
 * `packets` (the headers of what links carried). A full ring forgets its oldest record. A kind
 * whose bit is clear in the mask costs one test. */
#ifndef LUNATCP_TRACE_H
#define LUNATCP_TRACE_H

#include "lunatcp/packet.h"
#include "lunatcp/remark.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ltcp_trace_kind {
    /* events: `subject` is a connection's handle */
    LTCP_TRACE_STATE,           /* from, to: enum ltcp_state; status: why, for CLOSED */
    LTCP_TRACE_TIMEOUT,         /* the retransmission timer fired; value: the new RTO in ns */
    LTCP_TRACE_FAST_RETRANSMIT, /* recovery begins; value: recovery point (sequence number) */
    LTCP_TRACE_RECOVERED,
    LTCP_TRACE_PROBE,     /* text: "zero window", "keep-alive" or "tail loss"; value: how many so
                           * far */
    LTCP_TRACE_CHALLENGE, /* a challenge ACK was sent, or (value 1) withheld by the limit */
    LTCP_TRACE_URGENT,    /* urgent data announced; value: octets until the pointer */
    LTCP_TRACE_RTT,       /* value: sample in ns */
    LTCP_TRACE_REFUSED,   /* a packet was refused; status: why; subject 0 or the connection */
    LTCP_TRACE_ICMP,      /* an ICMP error reached a connection; value: enum ltcp_icmp_kind */
    LTCP_TRACE_INVARIANT, /* a broken invariant (checked builds); text: which */
    /* packets */
    LTCP_TRACE_SENT,      /* entered a link */
    LTCP_TRACE_DELIVERED, /* left it at the other end */
    LTCP_TRACE_DROPPED,   /* reason: enum ltcp_drop */
    /* events again */
    LTCP_TRACE_REMARK, /* an algorithm at work; from: enum ltcp_remark; text: what it did; value,
                        * more: the two numbers that ltcp_remark_kind names */
    LTCP_TRACE_DETAIL, /* the same of what happens with almost every segment */
    LTCP_TRACE_KINDS
};
#define LTCP_TRACE_PACKETS_MASK                                                                    \
    (1u << LTCP_TRACE_SENT | 1u << LTCP_TRACE_DELIVERED | 1u << LTCP_TRACE_DROPPED)
#define LTCP_TRACE_EVENTS_MASK (((1u << LTCP_TRACE_KINDS) - 1u) & ~LTCP_TRACE_PACKETS_MASK)

enum ltcp_drop {
    LTCP_DROP_NONE,
    LTCP_DROP_LOSS,   /* the link's loss model */
    LTCP_DROP_RULE,   /* a rule said so */
    LTCP_DROP_QUEUE,  /* the queue was full */
    LTCP_DROP_MTU,    /* too long for the link */
    LTCP_DROP_DOWN,   /* the link is down */
    LTCP_DROP_TTL,    /* TTL ran out at a router */
    LTCP_DROP_ROUTE,  /* no route */
    LTCP_DROP_MEMORY, /* the machine had no memory left */
    LTCP_DROP_AQM,    /* the queue's management chose it, before the queue was full */
    LTCP_DROP_COUNT
};
const char *ltcp_drop_name(enum ltcp_drop reason); /* "loss", "rule", ... */

struct ltcp_trace_event {
    ltcp_time time;
    uint64_t serial; /* one count over both rings, from 1 */
    uint64_t subject;
    int64_t value, more;
    const char *text; /* static storage, or NULL */
    uint32_t host;    /* ltcp_host_config.id */
    uint8_t kind, from, to, status;
};

#define LTCP_TRACE_HEAD 128
struct ltcp_trace_packet {
    ltcp_time time;
    uint64_t serial;
    uint64_t packet; /* ltcp_packet.id */
    uint32_t link;
    uint32_t length; /* of the whole packet */
    uint8_t kind, direction, reason, notes;
    uint8_t head_length; /* octets of `head` that are filled */
    uint8_t head[LTCP_TRACE_HEAD];
};

struct ltcp_trace;
/* Room for so many records each (rounded up to a power of two, 0 allowed). NULL: no memory. */
struct ltcp_trace *ltcp_trace_create(const struct ltcp_allocator *allocator, uint32_t events,
                                     uint32_t packets);
void ltcp_trace_destroy(struct ltcp_trace *trace);
/* Bits 1 << kind of what is recorded; at first all events but RTT and DETAIL, and all packets. */
void ltcp_trace_set_mask(struct ltcp_trace *trace, uint32_t mask);
uint32_t ltcp_trace_mask(const struct ltcp_trace *trace);
void ltcp_trace_clear(struct ltcp_trace *trace);

/* The first record whose serial is >= *serial, or NULL; *serial becomes the following one. Records
 * that were forgotten are skipped over. The pointer is good until the next record is written. */
const struct ltcp_trace_event *ltcp_trace_next_event(const struct ltcp_trace *trace,
                                                     uint64_t *serial);
const struct ltcp_trace_packet *ltcp_trace_next_packet(const struct ltcp_trace *trace,
                                                       uint64_t *serial);
uint64_t ltcp_trace_serial(const struct ltcp_trace *trace); /* of the newest record, 0: none */
/* Whether records of single packets are kept at all; not by NULL. */
bool ltcp_trace_keeps_packets(const struct ltcp_trace *trace);

/* For the core. `trace` may be NULL. The record's time, kind and the rest come from the caller, the
 * serial from here. */
void ltcp_trace_event(struct ltcp_trace *trace, const struct ltcp_trace_event *event);
void ltcp_trace_packet(struct ltcp_trace *trace, enum ltcp_trace_kind kind, ltcp_time now,
                       uint32_t link, uint8_t direction, enum ltcp_drop reason,
                       const struct ltcp_packet *packet);

#ifdef __cplusplus
}
#endif
#endif
