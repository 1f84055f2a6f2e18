/* core/network/alarms.c - a small hash table of alarms. */
#include "alarms.h"

static uint32_t *bucket_of(const struct alarms *alarms, uint64_t id)
{
    uint64_t mixed = id * UINT64_C(0x9E3779B97F4A7C15);
    return &alarms->buckets[(uint32_t)(mixed >> 32) & (alarms->bucket_room - 1)];
}

uint32_t alarms_find(const struct alarms *alarms, uint64_t id)
{
    if (alarms->bucket_room == 0) return NO_ALARM;
    for (uint32_t at = *bucket_of(alarms, id); at != 0; at = alarms->slots[at - 1].next)
        if (alarms->slots[at - 1].id == id) return at - 1;
    return NO_ALARM;
}

/* Room for one more slot, and as many buckets as there is room for slots. */
static bool make_room(struct alarms *alarms, const struct ltcp_allocator *allocator)
{
    void *slots = memory_grow(allocator, alarms->slots, &alarms->slot_room, alarms->slot_count + 1,
                              sizeof *alarms->slots);
    if (slots == NULL) return false;
    alarms->slots = slots;
    if (alarms->bucket_room == alarms->slot_room) return true;

    uint32_t *buckets = memory_take(allocator, (size_t)alarms->slot_room * sizeof *buckets);
    if (buckets == NULL) return false;
    uint32_t *old = alarms->buckets, old_room = alarms->bucket_room;
    alarms->buckets = buckets;
    alarms->bucket_room = alarms->slot_room;
    for (uint32_t i = 0; i < old_room; i++) {
        for (uint32_t at = old[i], next; at != 0; at = next) {
            struct alarm_slot *slot = &alarms->slots[at - 1];
            uint32_t *bucket = bucket_of(alarms, slot->id);
            next = slot->next;
            slot->next = *bucket;
            *bucket = at;
        }
    }
    memory_give(allocator, old, (size_t)old_room * sizeof *old);
    return true;
}

uint32_t alarms_add(struct alarms *alarms, const struct ltcp_allocator *allocator, uint64_t id)
{
    uint32_t at = alarms->free_list;
    if (at != 0) {
        alarms->free_list = alarms->slots[at - 1].next;
    } else {
        if (!make_room(alarms, allocator)) return NO_ALARM;
        at = ++alarms->slot_count;
    }
    struct alarm_slot *slot = &alarms->slots[at - 1];
    uint32_t *bucket = bucket_of(alarms, id);
    slot->id = id;
    slot->next = *bucket;
    *bucket = at;
    alarms->used++;
    return at - 1;
}

void alarms_remove(struct alarms *alarms, uint32_t slot)
{
    uint32_t *link = bucket_of(alarms, alarms->slots[slot].id);
    while (*link != slot + 1)
        link = &alarms->slots[*link - 1].next;
    *link = alarms->slots[slot].next;
    alarms->slots[slot].next = alarms->free_list;
    alarms->free_list = slot + 1;
    alarms->used--;
}

void alarms_free(struct alarms *alarms, const struct ltcp_allocator *allocator)
{
    memory_give(allocator, alarms->slots, (size_t)alarms->slot_room * sizeof *alarms->slots);
    memory_give(allocator, alarms->buckets, (size_t)alarms->bucket_room * sizeof *alarms->buckets);
    *alarms = (struct alarms){0};
}
