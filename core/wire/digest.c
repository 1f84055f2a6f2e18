/* core/wire/digest.c - bytes, addresses and packets in a digest. */
#include "wire/digest.h"
#include "lunatcp/wire.h"

void digest_bytes(struct digest *d, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    digest_word(d, length);
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word = 0;
        for (int i = 7; i >= 0; i--)
            word = word << 8 | at[i];
        digest_word(d, word);
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < length; i++)
        rest = rest << 8 | at[i];
    digest_word(d, rest);
}

void digest_address(struct digest *d, const struct ltcp_address *address)
{
    digest_bytes(d, address->bytes, sizeof address->bytes);
}

void digest_packet(struct digest *d, const struct ltcp_packet *packet)
{
    uint8_t head[LTCP_HEAD_ROOM];
    struct ltcp_ip ip;
    memcpy(head, packet->head, packet->head_length);
    const enum ltcp_status status = ltcp_ip_decode(packet, &ip);
    digest_word(d, status);
    if (status == LTCP_OK && packet->head_length >= 20 && head[0] >> 4 == 4)
        head[4] = head[5] = head[10] = head[11] = 0;
    digest_bytes(d, head, packet->head_length);
    digest_bytes(d, packet->payload, packet->payload_length);
    digest_word(d, packet->checksum_good);
}
