/* core/host/ports.c - ephemeral ports, RFC 6056 section 3.3.3: hash-based, so that an outsider
 * cannot guess them and one destination's do not repeat early. RFC6056:3.3-1,
 * RFC5927:4.2-1 */
#include <string.h>

#include "host/host.h"

/* F of algorithm 3. RFC6056:3.3.3-1 */
static uint64_t offset_of(const struct ltcp_host *host, const struct ltcp_address *local,
                          const struct ltcp_address *remote, uint16_t remote_port)
{
    uint8_t key[34];
    memcpy(key, local->bytes, 16);
    memcpy(key + 16, remote->bytes, 16);
    key[32] = (uint8_t)remote_port;
    key[33] = (uint8_t)(remote_port >> 8);
    return ltcp_siphash(&host->secret, key, sizeof key);
}

/* Not one that somebody listens on (RFC6056:3.2-1), nor one whose sockets are taken
 * (RFC6056:3.1-1). */
static bool is_suitable(struct ltcp_host *host, const struct ltcp_address *local, uint16_t port,
                        const struct ltcp_address *remote, uint16_t remote_port)
{
    return demultiplexer_find(host, local, port, remote, remote_port) == NULL &&
           listener_find(host, local, port) == NULL;
}

bool port_choose(struct ltcp_host *host, const struct ltcp_address *local,
                 const struct ltcp_address *remote, uint16_t remote_port, uint16_t *out)
{
    const struct ltcp_settings *s = &host->share->settings;
    if (s->port_last < s->port_first) return false;
    const uint32_t ports = (uint32_t)(s->port_last - s->port_first) + 1; /* RFC6056:3.2-2 */
    const uint64_t offset = offset_of(host, local, remote, remote_port);
    for (uint32_t tries = 0; tries < ports; tries++) {
        const uint16_t port =
            (uint16_t)((uint64_t)s->port_first + (offset + host->port_counter++) % ports);
        if (!is_suitable(host, local, port, remote, remote_port)) continue;
        *out = port;
        return true;
    }
    return false;
}
