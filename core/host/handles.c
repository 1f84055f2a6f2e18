/* core/host/handles.c - names for connections and listeners, with a generation number each. */
#include "host/host.h"

static uint64_t free_word(uint32_t generation, uint32_t next)
{
    return (uint64_t)generation << 32 | (uint64_t)next << 1;
}

/* By a quarter: a million connections pay for few that are not there. */
static bool grow(struct ltcp_host *host)
{
    const uint32_t had = host->slot_capacity;
    const uint32_t has = had < 64 ? had + 16 : had + had / 4;
    struct ltcp_slot *slots = has < 1u << 30
                                  ? engine_resize(&host->engine, host->slots, had * sizeof *slots,
                                                  (size_t)has * sizeof *slots)
                                  : NULL;
    if (slots == NULL) return false;
    for (uint32_t i = had; i < has; i++)
        slots[i].word = free_word(1, i + 1 < has ? i + 2 : 0);
    host->free_slot = had + 1;
    host->slots = slots;
    host->slot_capacity = has;
    return true;
}

ltcp_handle handle_create(struct ltcp_host *host, void *object, enum ltcp_slot_kind kind)
{
    if (host->free_slot == 0 && !grow(host)) return 0;
    const uint32_t number = host->free_slot;
    struct ltcp_slot *slot = &host->slots[number - 1];
    const uint64_t generation = slot->word >> 32;
    host->free_slot = (uint32_t)slot->word >> 1;
    slot->word = (uintptr_t)object + (uint64_t)kind;
    return generation << 32 | number;
}

static void *object_of(uint64_t word)
{
    return (void *)(uintptr_t)(word & ~UINT64_C(3));
}

/* The word of the slot, if it is in use and the object in it bears that very handle; or 0. */
static uint64_t find(const struct ltcp_host *host, ltcp_handle handle)
{
    const uint32_t index = (uint32_t)handle - 1;
    if (handle == 0 || index >= host->slot_capacity) return 0;
    const uint64_t word = host->slots[index].word;
    if (!(word & 1)) return 0;
    const ltcp_handle own = (word & 3) == LTCP_SLOT_LISTENER
                                ? ((const struct ltcp_listener *)object_of(word))->handle
                                : ((const struct ltcp_connection *)object_of(word))->handle;
    return own == handle ? word : 0;
}

void handle_destroy(struct ltcp_host *host, ltcp_handle handle)
{
    if (find(host, handle) == 0) return;
    host->slots[(uint32_t)handle - 1].word =
        free_word((uint32_t)(handle >> 32) + 1, host->free_slot);
    host->free_slot = (uint32_t)handle;
}

struct ltcp_connection *handle_any(const struct ltcp_host *host, ltcp_handle handle)
{
    const uint64_t word = find(host, handle);
    return (word & 3) == LTCP_SLOT_CONNECTION ? object_of(word) : NULL;
}

struct ltcp_connection *handle_connection(const struct ltcp_host *host, ltcp_handle handle)
{
    struct ltcp_connection *c = handle_any(host, handle);
    return c == NULL || c->released ? NULL : c;
}

struct ltcp_listener *handle_listener(const struct ltcp_host *host, ltcp_handle handle)
{
    const uint64_t word = find(host, handle);
    return (word & 3) == LTCP_SLOT_LISTENER ? object_of(word) : NULL;
}
