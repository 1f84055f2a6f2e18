/* core/host/extensions.c
 *
 * Packets that cannot be read as they came: in fragments, with extension headers that nobody here
 * can do with, or with more of them than a packet's head holds. */
#include <string.h>

#include "host/host.h"
#include "wire/bytes.h"

#define IPV6_HEADER 40

/* RFC8200:5-1 and more. A datagram in fragments may have extension headers before and behind the
 * Fragment header, and each makes one more round; who nests them deeper is not served. */
#define ROUNDS_MOST 4

static bool is_ipv6(const struct ltcp_packet *packet)
{
    return packet->head_length >= IPV6_HEADER && packet->head[0] >> 4 == 6;
}

static struct ltcp_block *contiguous(struct ltcp_host *host, const struct ltcp_packet *packet)
{
    const size_t length = ltcp_packet_length(packet);
    if (length > UINT16_MAX) return NULL;
    struct ltcp_block *block = ltcp_block_create(host->engine.pool, (uint32_t)length);
    if (block != NULL) block->length = (uint32_t)ltcp_packet_bytes(packet, block->data, length);
    return block;
}

/* The same packet without the headers that have been gone through: with the IPv6 header, a Fragment
 * header where the chain ends with one, and what stands behind. */
static struct ltcp_packet *strip(const struct ltcp_packet *packet, struct ltcp_block *block,
                                 const struct ltcp_extensions *x)
{
    const size_t from = x->fragment_at != 0 ? x->fragment_at : x->end;
    const size_t rest = block->length - from;
    uint8_t *p = block->data;
    p[6] = x->fragment_at != 0 ? LTCP_NEXT_FRAGMENT : x->protocol;
    store_be16(p + 4, (uint16_t)(load_be16(p + 4) - (from - IPV6_HEADER)));
    memmove(p + IPV6_HEADER, p + from, rest);
    struct ltcp_packet *out = ltcp_packet_from_block(block, 0, IPV6_HEADER + rest);
    if (out == NULL) return NULL;
    out->time = packet->time;
    out->interface = packet->interface;
    out->notes = packet->notes;
    return out;
}

/* The whole chain, also where it is longer than the head. */
static enum ltcp_status walk(struct ltcp_host *host, ltcp_time now,
                             const struct ltcp_packet *packet, struct ltcp_packet **out)
{
    struct ltcp_extensions x;
    struct ltcp_ip ip;
    struct ltcp_block *block = contiguous(host, packet);
    if (block == NULL) return LTCP_ERR_NO_MEMORY;
    enum ltcp_status status = ltcp_ip_decode_bytes(block->data, block->length, false, &ip);
    if (status == LTCP_OK || status == LTCP_ERR_FRAGMENT) {
        ip_give_zone(&ip, packet);
        const bool local = address_is_local(host, &ip.destination);
        ltcp_extensions_walk(block->data, ip.total_length, ip.total_length, false, &x);
        block->length = ip.total_length;
        *out = local ? strip(packet, block, &x) : NULL;
        status = *out != NULL ? LTCP_OK : local ? LTCP_ERR_NO_MEMORY : LTCP_ERR_ADDRESS;
    } else if (status == LTCP_ERR_IP_OPTION) {
        ltcp_extensions_walk(block->data, block->length, ip.total_length, false, &x);
        ip_give_zone(&ip, packet);
        icmp_complain_of_extension(host, now, packet, &ip, &x);
    }
    ltcp_block_unref(block);
    return status;
}

/* One round: *out is a packet that is easier to read, a reference, or NULL. */
static enum ltcp_status mend_once(struct ltcp_host *host, ltcp_time now,
                                  const struct ltcp_packet *packet, enum ltcp_status why,
                                  struct ltcp_packet **out)
{
    struct ltcp_ip ip;
    *out = NULL;
    if (why == LTCP_ERR_FRAGMENT) {
        ltcp_ip_decode(packet, &ip);
        ip_give_zone(&ip, packet);
        return fragment_arrives(host, now, packet, &ip, out);
    }
    const bool chain = why == LTCP_ERR_IP_OPTION || why == LTCP_ERR_TRUNCATED;
    return chain && is_ipv6(packet) ? walk(host, now, packet, out) : why;
}

enum ltcp_status packet_mend(struct ltcp_host *host, ltcp_time now, struct ltcp_packet *packet,
                             enum ltcp_status why, struct ltcp_packet **whole)
{
    struct ltcp_packet *at = ltcp_packet_ref(packet);
    struct ltcp_ip ip;
    *whole = NULL;
    for (int round = 0; at != NULL && round < ROUNDS_MOST; round++) {
        struct ltcp_packet *next;
        const enum ltcp_status status = mend_once(host, now, at, why, &next);
        ltcp_packet_unref(at);
        at = next;
        if (at == NULL) return status;
        why = ltcp_ip_decode(at, &ip);
        if (why == LTCP_OK) {
            *whole = at;
            return LTCP_OK;
        }
    }
    ltcp_packet_unref(at);
    return why;
}
