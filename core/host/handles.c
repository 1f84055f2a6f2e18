/* core/host/handles.c - names for connections and listeners, with a generation number each. */
#include "host/host.h"

ltcp_handle handle_create(struct ltcp_host *host, void *object, enum ltcp_slot_kind kind)
{
    if (host->free_slot == 0) {
        const uint32_t capacity = host->slot_capacity == 0 ? 16 : 2 * host->slot_capacity;
        struct ltcp_slot *slots =
            engine_resize(&host->engine, host->slots, host->slot_capacity * sizeof *slots,
                          (size_t)capacity * sizeof *slots);
        if (slots == NULL) return 0;
        for (uint32_t i = host->slot_capacity; i < capacity; i++) {
            const uint32_t next = i + 1 < capacity ? i + 2 : 0;
            slots[i] = (struct ltcp_slot){NULL, 1, next & 0x3FFFFFFF, LTCP_SLOT_FREE};
        }
        host->free_slot = host->slot_capacity + 1;
        host->slots = slots;
        host->slot_capacity = capacity;
    }
    const uint32_t index = host->free_slot - 1;
    struct ltcp_slot *slot = &host->slots[index];
    host->free_slot = slot->next_free;
    slot->object = object;
    slot->kind = (uint32_t)kind & 3;
    return (ltcp_handle)slot->generation << 32 | (index + 1);
}

static struct ltcp_slot *find(const struct ltcp_host *host, ltcp_handle handle)
{
    const uint32_t index = (uint32_t)handle - 1;
    if (handle == 0 || index >= host->slot_capacity) return NULL;
    struct ltcp_slot *slot = &host->slots[index];
    return slot->kind != LTCP_SLOT_FREE && slot->generation == (uint32_t)(handle >> 32) ? slot
                                                                                        : NULL;
}

void handle_destroy(struct ltcp_host *host, ltcp_handle handle)
{
    struct ltcp_slot *slot = find(host, handle);
    if (slot == NULL) return;
    slot->object = NULL;
    slot->kind = LTCP_SLOT_FREE;
    slot->generation++;
    slot->next_free = host->free_slot & 0x3FFFFFFF;
    host->free_slot = (uint32_t)handle;
}

struct ltcp_connection *handle_any(const struct ltcp_host *host, ltcp_handle handle)
{
    const struct ltcp_slot *slot = find(host, handle);
    return slot != NULL && slot->kind == LTCP_SLOT_CONNECTION ? slot->object : NULL;
}

struct ltcp_connection *handle_connection(const struct ltcp_host *host, ltcp_handle handle)
{
    struct ltcp_connection *c = handle_any(host, handle);
    return c == NULL || c->released ? NULL : c;
}

struct ltcp_listener *handle_listener(const struct ltcp_host *host, ltcp_handle handle)
{
    const struct ltcp_slot *slot = find(host, handle);
    return slot != NULL && slot->kind == LTCP_SLOT_LISTENER ? slot->object : NULL;
}
