/* core/wire/train.c - datagrams that arrived together become one segment, as if a network card had
 * put them together (generic receive offload). The text of each is summed as it moves: what would
 * verify it does both. */
#include "framing.h"
#include "sum.h"

enum { TCP_HEADER_MOST = 60, SEQ_AT = 4, OFFSET_AT = 12 };

struct train {
    uint64_t pseudo; /* sum of the pseudo header, without the length */
    uint8_t *first;  /* the first header */
    size_t header;   /* octets of each header */
    uint8_t *end;    /* behind the text that is together */
    uint32_t text;   /* octets of it */
    uint8_t push;
};

/* An ACK, perhaps with PSH, and nothing else that would have to be looked at by itself. */
static bool is_plain_text(const uint8_t *p, size_t length)
{
    if (length <= TCP_HEADER) return false;
    const size_t header = (size_t)(p[OFFSET_AT] >> 4) * 4;
    const uint16_t flags = load_be16(p + OFFSET_AT) & 0xFFF;
    return header >= TCP_HEADER && header < length && (flags & ~LTCP_PSH) == LTCP_ACK;
}

/* The next text, in a header that says the same of everything else. */
static bool continues(const struct train *t, const uint8_t *p, size_t length)
{
    const uint8_t *f = t->first;
    if (length <= t->header || p[OFFSET_AT] != f[OFFSET_AT]) return false;
    const bool flags = ((p[OFFSET_AT + 1] ^ f[OFFSET_AT + 1]) & ~LTCP_PSH) == 0;
    return flags && load_be32(p + SEQ_AT) == load_be32(f + SEQ_AT) + t->text &&
           load_32(p) == load_32(f) && load_32(p + 8) == load_32(f + 8) &&
           load_16(p + 14) == load_16(f + 14) && load_16(p + 18) == load_16(f + 18) &&
           memcmp(p + TCP_HEADER, f + TCP_HEADER, t->header - TCP_HEADER) == 0;
}

/* Moves the text of a segment to where the text before it ends; false: its checksum is wrong, and
 * it is where it was. */
static bool take(struct train *t, const struct ltcp_framing_context *context, uint8_t *p,
                 size_t length)
{
    const size_t text = length - t->header;
    uint8_t *from = p + t->header, header[TCP_HEADER_MOST];
    if (context->checksum == LTCP_UDP_CHECKSUM) {
        memmove(t->end, from, text);
    } else {
        memcpy(header, p, t->header);
        uint64_t sum = sum_words(t->pseudo + to_be32((uint32_t)length), header, t->header);
        sum += t->end == from ? ltcp_sum(0, from, text) : ltcp_sum_move(0, t->end, from, text);
        if (sum_finish(sum_fold(sum)) != 0) {
            memmove(from, t->end, text);
            memcpy(p, header, t->header);
            return false;
        }
    }
    t->end += text;
    t->text += (uint32_t)text;
    return true;
}

/* How many octets of the train are together then; 0: not even its first two datagrams. */
static size_t gather(struct train *t, const struct ltcp_framing_context *context, uint8_t *p,
                     size_t length, size_t piece)
{
    size_t taken = 0;
    while (taken < length) {
        const size_t rest = length - taken, n = rest < piece ? rest : piece;
        if (t->header + t->text + n + IPV6_HEADER > UINT16_MAX) break;
        if (taken > 0 && !continues(t, p + taken, n)) break;
        const uint8_t push = p[taken + OFFSET_AT + 1] & LTCP_PSH;
        if (!take(t, context, p + taken, n)) break;
        t->push |= push;
        taken += n;
    }
    return taken > piece ? taken : 0;
}

static void write_head(const struct train *t, const struct ltcp_ip *ip, struct ltcp_packet *packet)
{
    const size_t start = ltcp_ip_encode(ip, t->header + t->text, packet->head);
    memcpy(packet->head + start, t->first, t->header);
    packet->head[start + OFFSET_AT + 1] |= t->push;
    packet->head_length = (uint16_t)(start + t->header);
    packet->payload = t->first + t->header;
    packet->payload_length = t->text;
    packet->checksum_good = true;
}

size_t ltcp_framing_merge(const struct ltcp_framing_context *context, struct ltcp_block *block,
                          size_t offset, size_t length, size_t piece, struct ltcp_packet **out)
{
    uint8_t *p = block->data + offset;
    if (context->framing != LTCP_FRAMING_PLAIN || length <= piece || !is_plain_text(p, piece))
        return 0;
    struct train t = {.first = p, .header = (size_t)(p[OFFSET_AT] >> 4) * 4};
    const size_t second = length - piece < piece ? length - piece : piece;
    t.end = p + t.header;
    t.text = (uint32_t)(piece - t.header);
    if (!continues(&t, p + piece, second)) return 0;
    t.text = 0;
    struct ltcp_ip ip;
    framing_made_header(context, &ip);
    t.pseudo = sum_pseudo(&ip.source, &ip.destination, ltcp_address_is_v4(&ip.source) ? 4 : 6,
                          LTCP_PROTOCOL_TCP, 0);
    struct ltcp_packet *packet = ltcp_packet_create(block->pool);
    if (packet == NULL) return 0;
    const size_t taken = gather(&t, context, p, length, piece);
    if (taken > 0) {
        packet->block = ltcp_block_ref(block);
        write_head(&t, &ip, packet);
        packet->gathered_of = (uint16_t)(piece - t.header);
        *out = packet;
    } else {
        ltcp_packet_unref(packet);
    }
    return taken;
}
