/* core/network/rules.h
 *
 * The rules of one link: which of them a packet meets. What they need to know of it is read from
 * its head once. */
#ifndef LUNATCP_NETWORK_RULES_H
#define LUNATCP_NETWORK_RULES_H

#include "flows.h"
#include "lunatcp/network.h"
#include "wire/digest.h"

struct rule_entry {
    struct ltcp_rule rule;
    uint32_t id; /* grows from rule to rule */
    uint64_t matched, answered;
};

struct rules {
    struct rule_entry *list;
    uint32_t count, room, last_id;
    uint32_t flow_watchers; /* rules that want to know what was carried before */
    struct flows flows[2];
    uint64_t seed, stream;
};

/* A packet as rules see it. */
struct rule_view {
    int direction;
    bool tcp;   /* the fields below hold something */
    bool first; /* none of its octets was on this link before */
    uint16_t source_port, destination_port, flags;
    ltcp_seq seq, ack;
    uint32_t payload_length, segment_length; /* the second counts SYN and FIN */
};

enum ltcp_status rules_add(struct rules *rules, const struct ltcp_allocator *allocator,
                           const struct ltcp_rule *rule, uint32_t *id);
enum ltcp_status rules_remove(struct rules *rules, const struct ltcp_allocator *allocator,
                              uint32_t id);
const struct rule_entry *rules_get(const struct rules *rules, uint32_t id);
/* Reads the packet, once for each that enters the link, and notes what of its flow it carries. */
void rules_view(struct rules *rules, const struct ltcp_allocator *allocator,
                const struct ltcp_packet *packet, int direction, struct rule_view *view);
/* The first rule behind the rule `after` (0: of all) that answers for this packet, or NULL. */
const struct rule_entry *rules_match(struct rules *rules, const struct rule_view *view,
                                     uint32_t after);
void rules_free(struct rules *rules, const struct ltcp_allocator *allocator);

/* How often each rule has matched, and what flows have carried, as far as a rule asks for either.
 */
void rules_digest(struct digest *d, const struct rules *rules);

/* A fate whose figures make sense. */
bool fate_is_valid(const struct ltcp_fate *fate);

#endif
