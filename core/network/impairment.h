/* core/network/impairment.h
 *
 * The chances of a path. Each is drawn from a stream of its own at the packet's index, so that the
 * losses stay the same when duplication is switched on, and the n-th packet's fate does not depend
 * on what befell the ones before it. */
#ifndef LUNATCP_NETWORK_IMPAIRMENT_H
#define LUNATCP_NETWORK_IMPAIRMENT_H

#include "lunatcp/network.h"
#include "lunatcp/random.h"

enum impairment_purpose {
    PURPOSE_LOSS,
    PURPOSE_GILBERT,
    PURPOSE_DUPLICATE,
    PURPOSE_CORRUPT,
    PURPOSE_BURST,
    PURPOSE_JITTER,
    PURPOSE_REORDER,
    PURPOSE_MARK,
    PURPOSE_COUNT
};

struct impairment {
    uint64_t seed;
    uint64_t streams[PURPOSE_COUNT];
    bool bad; /* Gilbert-Elliott: the state that the next packet finds */
};

void impairment_seed(struct impairment *chances, uint64_t seed, uint64_t stream);
/* True with `probability` out of 2^32. */
bool impairment_draw(const struct impairment *chances, enum impairment_purpose purpose,
                     uint64_t index, uint64_t probability);
/* Whether the loss model takes the packet `index` (from 1); to be called once for each. */
bool impairment_loses(struct impairment *chances, const struct ltcp_path_config *config,
                      uint64_t index);
/* Uniform in [0, jitter]. */
ltcp_time impairment_jitter(const struct impairment *chances, ltcp_time jitter, uint64_t index);
/* A copy of the packet in which a burst of `bits` consecutive bits of the transport header and
 * payload is wrong: both ends are flipped, those in between at random. Shorter when the packet is;
 * NULL when there is no memory. */
struct ltcp_packet *impairment_corrupt(const struct impairment *chances,
                                       const struct ltcp_packet *packet, uint32_t bits,
                                       uint64_t index);

#endif
