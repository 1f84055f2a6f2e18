/* core/host/ports.c - ephemeral ports, RFC 6056 section 3.3.3: hash-based, so that an outsider
 * cannot guess them and one destination's do not repeat early. */
#include <string.h>

#include "host/host.h"

#define FIRST_PORT 49152u
#define PORTS      16384u

bool port_choose(struct ltcp_host *host, const struct ltcp_address *local,
                 const struct ltcp_address *remote, uint16_t remote_port, uint16_t *out)
{
    uint8_t key[34];
    memcpy(key, local->bytes, 16);
    memcpy(key + 16, remote->bytes, 16);
    memcpy(key + 32, &remote_port, 2);
    const uint64_t offset = ltcp_siphash(&host->secret, key, sizeof key);
    for (uint32_t tries = 0; tries < PORTS; tries++) {
        const uint16_t port = (uint16_t)(FIRST_PORT + (offset + host->port_counter++) % PORTS);
        if (demultiplexer_find(host, local, port, remote, remote_port) != NULL) continue;
        if (listener_find(host, local, port) != NULL) continue;
        *out = port;
        return true;
    }
    return false;
}
