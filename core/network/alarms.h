/* core/network/alarms.h
 *
 * The owner's alarms: which id stands in which slot. A slot's number is also how it is called in
 * the network's table of event sources. */
#ifndef LUNATCP_NETWORK_ALARMS_H
#define LUNATCP_NETWORK_ALARMS_H

#include "memory.h"

#define NO_ALARM UINT32_MAX

struct alarm_slot {
    uint64_t id;
    uint32_t next;   /* in its bucket, or in the list of free slots: number + 1; 0: the last */
    uint32_t source; /* in the event queue; kept while the slot is free */
    bool has_source;
};

struct alarms {
    struct alarm_slot *slots;
    uint32_t *buckets; /* slot number + 1; 0: empty */
    uint32_t slot_count, slot_room, bucket_room, used, free_list;
};

/* The slot of an id, or NO_ALARM. */
uint32_t alarms_find(const struct alarms *alarms, uint64_t id);
/* A slot for an id that has none yet; NO_ALARM: no memory. */
uint32_t alarms_add(struct alarms *alarms, const struct ltcp_allocator *allocator, uint64_t id);
void alarms_remove(struct alarms *alarms, uint32_t slot);
void alarms_free(struct alarms *alarms, const struct ltcp_allocator *allocator);

#endif
