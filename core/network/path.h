/* core/network/path.h - what the network knows of a path beyond the public interface. */
#ifndef LUNATCP_NETWORK_PATH_H
#define LUNATCP_NETWORK_PATH_H

#include "lunatcp/network.h"
#include "wire/digest.h"

/* Where a Mahimahi trace begins; otherwise with the first packet. */
void path_set_origin(struct ltcp_path *path, ltcp_time origin);

/* What can matter of a path: what is under way, the queue, the chances to come. */
void path_digest(struct digest *d, const struct ltcp_path *path, ltcp_time now);

#endif
