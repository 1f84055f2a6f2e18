/* core/network/path.h - what the network knows of a path beyond the public interface. */
#ifndef LUNATCP_NETWORK_PATH_H
#define LUNATCP_NETWORK_PATH_H

#include "lunatcp/network.h"

/* Where a Mahimahi trace begins; otherwise with the first packet. */
void path_set_origin(struct ltcp_path *path, ltcp_time origin);

#endif
