/* core/network/path.h - what the network knows of a path beyond the public interface. */
#ifndef LUNATCP_NETWORK_PATH_H
#define LUNATCP_NETWORK_PATH_H

#include "lunatcp/network.h"
#include "wire/digest.h"

/* Where a Mahimahi trace begins; otherwise with the first packet. */
void path_set_origin(struct ltcp_path *path, ltcp_time origin);

/* A packet comes in at `now` and is at the far end at once: true where the path does nothing to
 * anybody (no delay, rate or chance), and nothing is under way on it. It is counted then. */
bool path_passes(struct ltcp_path *path, ltcp_time now, const struct ltcp_packet *packet);
/* Whether it would, whatever the packet. */
bool path_is_clear(const struct ltcp_path *path);

/* What can matter of a path: what is under way, the queue, the chances to come. */
void path_digest(struct digest *d, const struct ltcp_path *path, ltcp_time now);

#endif
