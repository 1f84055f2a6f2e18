/* core/trace/trace.c - what happened, in two bounded rings.
 *
 * Records are written in the order of one serial number, so that each ring is sorted by it and a
 * reader who comes back finds its place by binary search, also after the ring has turned over. */
#include "lunatcp/trace.h"

#include <string.h>

/* The newest `count` records; the next one goes to index `written` mod `room`. */
struct record_ring {
    uint32_t room; /* a power of two, or 0 */
    uint32_t count;
    uint64_t written;
};

struct ltcp_trace {
    struct ltcp_allocator allocator;
    uint32_t mask;
    uint64_t serial;
    struct record_ring event_ring, packet_ring;
    struct ltcp_trace_event *events;
    struct ltcp_trace_packet *packets;
};

#define ASKED_FOR     (1u << LTCP_TRACE_RTT | 1u << LTCP_TRACE_DETAIL)
#define DEFAULT_MASK  ((LTCP_TRACE_EVENTS_MASK & ~ASKED_FOR) | LTCP_TRACE_PACKETS_MASK)
#define GREATEST_ROOM (UINT32_C(1) << 24) /* whose octets 32 bits can count */

static const char *const drop_names[LTCP_DROP_COUNT] = {
    [LTCP_DROP_NONE] = "none",   [LTCP_DROP_LOSS] = "loss",   [LTCP_DROP_RULE] = "rule",
    [LTCP_DROP_QUEUE] = "queue", [LTCP_DROP_MTU] = "mtu",     [LTCP_DROP_DOWN] = "down",
    [LTCP_DROP_TTL] = "ttl",     [LTCP_DROP_ROUTE] = "route", [LTCP_DROP_MEMORY] = "memory",
    [LTCP_DROP_AQM] = "aqm",
};

const char *ltcp_drop_name(enum ltcp_drop reason)
{
    return (unsigned)reason < LTCP_DROP_COUNT ? drop_names[reason] : "unknown";
}

static uint32_t round_up(uint32_t n)
{
    uint32_t room = 1;
    while (room < n)
        room *= 2;
    return n == 0 ? 0 : room;
}

static size_t octets(uint32_t room, size_t record)
{
    return (size_t)room * record;
}

static bool make_rings(struct ltcp_trace *trace, uint32_t events, uint32_t packets)
{
    const struct ltcp_allocator *a = &trace->allocator;
    uint32_t room = round_up(events);
    if (room > 0) {
        trace->events = a->resize(a->context, NULL, 0, octets(room, sizeof *trace->events));
        if (trace->events == NULL) return false;
        trace->event_ring.room = room;
    }
    room = round_up(packets);
    if (room > 0) {
        trace->packets = a->resize(a->context, NULL, 0, octets(room, sizeof *trace->packets));
        if (trace->packets == NULL) return false;
        trace->packet_ring.room = room;
    }
    return true;
}

struct ltcp_trace *ltcp_trace_create(const struct ltcp_allocator *allocator, uint32_t events,
                                     uint32_t packets)
{
    if (events > GREATEST_ROOM || packets > GREATEST_ROOM) return NULL;
    struct ltcp_trace *trace = allocator->resize(allocator->context, NULL, 0, sizeof *trace);
    if (trace == NULL) return NULL;
    *trace = (struct ltcp_trace){.allocator = *allocator, .mask = DEFAULT_MASK};
    if (!make_rings(trace, events, packets)) {
        ltcp_trace_destroy(trace);
        return NULL;
    }
    return trace;
}

void ltcp_trace_destroy(struct ltcp_trace *trace)
{
    if (trace == NULL) return;
    struct ltcp_allocator a = trace->allocator;
    if (trace->events != NULL)
        a.resize(a.context, trace->events, octets(trace->event_ring.room, sizeof *trace->events),
                 0);
    if (trace->packets != NULL)
        a.resize(a.context, trace->packets, octets(trace->packet_ring.room, sizeof *trace->packets),
                 0);
    a.resize(a.context, trace, sizeof *trace, 0);
}

void ltcp_trace_set_mask(struct ltcp_trace *trace, uint32_t mask)
{
    trace->mask = mask;
}

uint32_t ltcp_trace_mask(const struct ltcp_trace *trace)
{
    return trace->mask;
}

void ltcp_trace_clear(struct ltcp_trace *trace)
{
    trace->event_ring.count = 0;
    trace->packet_ring.count = 0;
}

uint64_t ltcp_trace_serial(const struct ltcp_trace *trace)
{
    return trace->serial;
}

bool ltcp_trace_keeps_packets(const struct ltcp_trace *trace)
{
    return trace != NULL && trace->packet_ring.room > 0 &&
           (trace->mask & LTCP_TRACE_PACKETS_MASK) != 0;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static uint32_t next_index(struct record_ring *ring)
{
    uint32_t index = (uint32_t)ring->written & (ring->room - 1);
    ring->written++;
    if (ring->count < ring->room) ring->count++;
    return index;
}

void ltcp_trace_event(struct ltcp_trace *trace, const struct ltcp_trace_event *event)
{
    if (trace == NULL || (trace->mask >> event->kind & 1) == 0) return;
    trace->serial++;
    if (trace->event_ring.room == 0) return;
    struct ltcp_trace_event *record = &trace->events[next_index(&trace->event_ring)];
    *record = *event;
    record->serial = trace->serial;
}

void ltcp_trace_packet(struct ltcp_trace *trace, enum ltcp_trace_kind kind, ltcp_time now,
                       uint32_t link, uint8_t direction, enum ltcp_drop reason,
                       const struct ltcp_packet *packet)
{
    if (trace == NULL || (trace->mask >> kind & 1) == 0) return;
    trace->serial++;
    if (trace->packet_ring.room == 0) return;
    struct ltcp_trace_packet *record = &trace->packets[next_index(&trace->packet_ring)];
    record->time = now;
    record->serial = trace->serial;
    record->packet = packet->id;
    record->link = link;
    record->length = (uint32_t)ltcp_packet_length(packet);
    record->kind = (uint8_t)kind;
    record->direction = direction;
    record->reason = (uint8_t)reason;
    record->notes = packet->notes;
    size_t head = packet->head_length < LTCP_TRACE_HEAD ? packet->head_length : LTCP_TRACE_HEAD;
    record->head_length = (uint8_t)head;
    memcpy(record->head, packet->head, head);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static uint32_t index_of(const struct record_ring *ring, uint32_t age_rank)
{
    return (uint32_t)(ring->written - ring->count + age_rank) & (ring->room - 1);
}

const struct ltcp_trace_event *ltcp_trace_next_event(const struct ltcp_trace *trace,
                                                     uint64_t *serial)
{
    const struct record_ring *ring = &trace->event_ring;
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trace->events[index_of(ring, middle)].serial < *serial)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ring->count) return NULL;
    const struct ltcp_trace_event *record = &trace->events[index_of(ring, low)];
    *serial = record->serial + 1;
    return record;
}

const struct ltcp_trace_packet *ltcp_trace_next_packet(const struct ltcp_trace *trace,
                                                       uint64_t *serial)
{
    const struct record_ring *ring = &trace->packet_ring;
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trace->packets[index_of(ring, middle)].serial < *serial)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ring->count) return NULL;
    const struct ltcp_trace_packet *record = &trace->packets[index_of(ring, low)];
    *serial = record->serial + 1;
    return record;
}
