/* core/network/flows.h
 *
 * Which octets of each flow a link has carried in one direction, as seen from the packets alone:
 * what tells a first transmission from a retransmission. A bounded table: when it is full, the flow
 * that was quiet longest is forgotten. */
#ifndef LUNATCP_NETWORK_FLOWS_H
#define LUNATCP_NETWORK_FLOWS_H

#include "memory.h"
#include "wire/digest.h"

struct flow_key {
    struct ltcp_address source, destination;
    uint16_t source_port, destination_port;
};

#define FLOW_HOLES 8
struct flow {
    struct flow_key key;
    bool used;
    bool has_isn;
    uint8_t hole_count;
    uint64_t last_used;
    ltcp_seq isn, end; /* no octet at or behind `end` was carried */
    struct {
        ltcp_seq left, right;
    } holes[FLOW_HOLES]; /* octets before `end` that were not; in order */
};

/* 256 sets of 4. */
#define FLOW_SETS 256
#define FLOW_WAYS 4
struct flows {
    struct flow *table; /* NULL until it is needed */
    uint64_t clock;
};

/* Notes that the link carries `length` octets of sequence space from `seq` on (SYN and FIN count).
 * True when none of them was carried before; a segment without any is always a first one. */
bool flows_note(struct flows *flows, const struct ltcp_allocator *allocator,
                const struct flow_key *key, ltcp_seq seq, uint32_t length, bool syn);
void flows_digest(struct digest *d, const struct flows *flows);
void flows_free(struct flows *flows, const struct ltcp_allocator *allocator);

#endif
