/* core/network/impairment.c - loss models, corruption, jitter. */
#include "impairment.h"
#include "lunatcp/wire.h"

static const char *const purpose_names[PURPOSE_COUNT] = {
    [PURPOSE_LOSS] = "loss",       [PURPOSE_GILBERT] = "gilbert", [PURPOSE_DUPLICATE] = "duplicate",
    [PURPOSE_CORRUPT] = "corrupt", [PURPOSE_BURST] = "burst",     [PURPOSE_JITTER] = "jitter",
    [PURPOSE_REORDER] = "reorder", [PURPOSE_MARK] = "mark",
};

void impairment_seed(struct impairment *chances, uint64_t seed, uint64_t stream)
{
    chances->seed = seed;
    for (int i = 0; i < PURPOSE_COUNT; i++)
        chances->streams[i] = stream ^ ltcp_random_stream(purpose_names[i]);
}

static uint64_t value_at(const struct impairment *chances, enum impairment_purpose purpose,
                         uint64_t index)
{
    return ltcp_random_at(chances->seed, chances->streams[purpose], index);
}

bool impairment_draw(const struct impairment *chances, enum impairment_purpose purpose,
                     uint64_t index, uint64_t probability)
{
    if (probability == 0) return false;
    return value_at(chances, purpose, index) >> 32 < probability;
}

/* ---- loss -------------------------------------------------------------------------------------
 */

/* The packet meets the loss of the state that it finds; then the state may change. The first packet
 * of all finds the good one. */
static bool gilbert_loses(struct impairment *chances, const struct ltcp_path_config *config,
                          uint64_t index)
{
    bool bad = chances->bad;
    uint64_t change = bad ? config->gilbert_good : config->gilbert_bad;
    if (impairment_draw(chances, PURPOSE_GILBERT, index, change)) chances->bad = !bad;
    return impairment_draw(chances, PURPOSE_LOSS, index,
                           bad ? config->gilbert_loss_bad : config->gilbert_loss_good);
}

static bool is_listed(const uint64_t *list, size_t count, uint64_t index)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && list[low] == index;
}

bool impairment_loses(struct impairment *chances, const struct ltcp_path_config *config,
                      uint64_t index)
{
    switch (config->loss_model) {
    case LTCP_LOSS_NONE: return false;
    case LTCP_LOSS_BERNOULLI: return impairment_draw(chances, PURPOSE_LOSS, index, config->loss);
    case LTCP_LOSS_GILBERT: return gilbert_loses(chances, config, index);
    case LTCP_LOSS_LIST: return is_listed(config->loss_list, config->loss_count, index);
    case LTCP_LOSS_PERIODIC: return config->loss_pattern[(index - 1) % config->loss_count] != 0;
    }
    return false;
}

ltcp_time impairment_jitter(const struct impairment *chances, ltcp_time jitter, uint64_t index)
{
    if (jitter == 0) return 0;
    return (ltcp_time)(value_at(chances, PURPOSE_JITTER, index) % ((uint64_t)jitter + 1));
}

/* ---- corruption -------------------------------------------------------------------------------
 */

static void flip(struct ltcp_packet *packet, uint64_t bit)
{
    size_t octet = (size_t)(bit / 8);
    uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
    if (octet < packet->head_length)
        packet->head[octet] ^= mask;
    else
        packet->payload[octet - packet->head_length] ^= mask;
}

struct ltcp_packet *impairment_corrupt(const struct impairment *chances,
                                       const struct ltcp_packet *packet, uint32_t bits,
                                       uint64_t index)
{
    struct ltcp_packet *copy = ltcp_packet_copy(packet);
    if (copy == NULL) return NULL;
    copy->id = packet->id;
    copy->notes |= LTCP_NOTE_CORRUPTED;
    copy->checksum_good = false;
    copy->payload_sum_valid = false;

    struct ltcp_ip ip;
    enum ltcp_status status = ltcp_ip_decode(packet, &ip);
    bool understood = status == LTCP_OK || status == LTCP_ERR_FRAGMENT;
    uint64_t start = understood ? (uint64_t)ip.header_length * 8 : 0;
    uint64_t end = (uint64_t)ltcp_packet_length(packet) * 8;
    if (start >= end) return copy;
    if (bits > end - start) bits = (uint32_t)(end - start);

    struct ltcp_random random;
    ltcp_random_seed(&random, chances->seed, value_at(chances, PURPOSE_BURST, index));
    uint64_t first = start + ltcp_random_below(&random, end - start - bits + 1);
    flip(copy, first);
    if (bits > 1) flip(copy, first + bits - 1);
    for (uint64_t i = 1; i + 1 < bits; i++)
        if (ltcp_random_next(&random) >> 63 != 0) flip(copy, first + i);
    return copy;
}
