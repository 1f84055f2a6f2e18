/* core/network/choices.c - what befalls packets, said one by one for the first of them. */
#include "internal.h"

static bool choices_are_valid(const struct ltcp_choices *choices)
{
    if (choices->fate_count > LTCP_MOST_CHOICES) return false;
    for (size_t i = 0; i < choices->fate_count; i++)
        if (!fate_is_valid(&choices->fates[i])) return false;
    for (uint32_t i = 0; i < choices->length; i++)
        if (choices->script[i] >= choices->fate_count) return false;
    return true;
}

enum ltcp_status ltcp_network_choose(struct ltcp_network *network,
                                     const struct ltcp_choices *choices)
{
    struct choices *own = &network->choices;
    uint8_t *script = NULL;
    if (!choices_are_valid(choices)) return LTCP_ERR_INVALID;
    if (choices->length > 0) {
        script = memory_take(network->allocator, choices->length);
        if (script == NULL) return LTCP_ERR_NO_MEMORY;
        memcpy(script, choices->script, choices->length);
    }
    memory_give(network->allocator, own->script, own->length);
    *own = (struct choices){.fate_count = (uint8_t)choices->fate_count,
                            .script = script,
                            .length = choices->length,
                            .depth = choices->depth};
    for (size_t i = 0; i < choices->fate_count; i++)
        own->fates[i] = choices->fates[i];
    return LTCP_OK;
}

uint32_t ltcp_network_choices_made(const struct ltcp_network *network)
{
    return network->choices.count;
}

static bool does_nothing(const struct ltcp_fate *fate)
{
    return !fate->drop && fate->duplicates == 0 && fate->delay == 0 && fate->corrupt_bits == 0 &&
           !fate->mark;
}

bool choices_next(struct ltcp_network *network, const struct ltcp_fate **fate)
{
    struct choices *own = &network->choices;
    *fate = NULL;
    if (own->count >= own->depth && own->count >= own->length) return true;
    const uint32_t at = own->count++;
    if (at >= own->length) return false;
    const struct ltcp_fate *chosen = &own->fates[own->script[at]];
    if (!does_nothing(chosen)) *fate = chosen;
    return true;
}

enum ltcp_status ltcp_network_answer_choice(struct ltcp_network *network, uint8_t index)
{
    const struct choices *own = &network->choices;
    if (index >= own->fate_count) return LTCP_ERR_INVALID;
    const struct ltcp_fate *chosen = &own->fates[index];
    return ltcp_network_answer(network, does_nothing(chosen) ? NULL : chosen);
}
