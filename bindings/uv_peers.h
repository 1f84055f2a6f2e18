/* bindings/uv_peers.h
 *
 * The far ends of a tunnel with one socket for several: who sends from where, and who is behind
 * which inner address. Found by hashing both ways. Knows neither Lua nor libuv. */
#ifndef LUNATCP_UV_PEERS_H
#define LUNATCP_UV_PEERS_H

#include "lunatcp/types.h"
#include "uv_batch.h"

#define LTCP_NO_PEER UINT32_MAX

struct ltcp_peers {
    struct ltcp_peer *list;
    uint32_t count, room;
    uint32_t *by_outer, *by_inner; /* open addressing: number + 1 */
    uint32_t buckets;              /* a power of two, or 0 */
    bool any_port; /* to be set first: one is known by its address alone (RFC 7348 section 5: the
                    * source port is a hash) */
};
struct ltcp_peer {
    struct udp_address outer;
    struct ltcp_address inner; /* unspecified: not known (yet) */
};

/* Its number, or LTCP_NO_PEER when there is no memory. Of a peer that is there, `inner`, if it is
 * not unspecified, is set where it was not known. */
uint32_t ltcp_peers_add(struct ltcp_peers *peers, const struct udp_address *outer,
                        const struct ltcp_address *inner);
uint32_t ltcp_peers_by_outer(const struct ltcp_peers *peers, const struct udp_address *outer);
uint32_t ltcp_peers_by_inner(const struct ltcp_peers *peers, const struct ltcp_address *inner);
void ltcp_peers_free(struct ltcp_peers *peers);

#endif
