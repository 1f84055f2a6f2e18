/* core/host/paths.h - a path and its connections. Internal to the core. */
#ifndef LUNATCP_HOST_PATHS_H
#define LUNATCP_HOST_PATHS_H

#include "host/host.h"

/* A packet of `c` was too long for the path: all that use it are told. */
void paths_too_big(struct ltcp_host *host, struct ltcp_connection *c, ltcp_time now, uint32_t mtu,
                   uint32_t quoted_length);
void paths_digest(struct digest *d, const struct ltcp_host *host, ltcp_time now);

#endif
