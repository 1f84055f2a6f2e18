/* core/wire/train.c - datagrams that arrived together become one segment, as if a network card had
 * put them together (generic receive offload). The text of each is summed as it moves: what would
 * verify it does both. */
#include "framing.h"
#include "sum.h"

enum { SEQ_AT = 4, ACK_AT = 8, WINDOW_AT = 14, CHECKSUM_AT = 16, URGENT_AT = 18 };
enum { FLAGS_AT = 12, FIXED = TCP_HEADER, CHESHIRE_FLAGS_AT = 0, CHESHIRE_FIXED = 12 };
enum { HEADERS_MOST = LTCP_FRAMING_LEAD + IPV6_HEADER + 60 };

static bool is_cheshire(const struct ltcp_train *t)
{
    return t->context->framing == LTCP_FRAMING_CHESHIRE;
}

/* ---- what a datagram says -----------------------------------------------------------------------
 */

/* An ACK with text, perhaps with PSH, and nothing else that would have to be looked at by itself:
 * how long its header is; else 0. */
static size_t plain_text(const uint8_t *p, size_t length, bool cheshire)
{
    const size_t fixed = cheshire ? CHESHIRE_FIXED : FIXED;
    if (length <= fixed) return 0;
    p += cheshire ? CHESHIRE_FLAGS_AT : FLAGS_AT;
    const size_t offset = (size_t)(p[0] >> 4) * 4, header = offset + fixed - TCP_HEADER;
    if (offset < TCP_HEADER || header >= length) return 0;
    return ((load_be16(p) & 0xFFF) & ~LTCP_PSH) == LTCP_ACK ? header : 0;
}

/* The IP header of a TCP segment that fills `length`, without options or extensions, whole, and
 * not marked on its way: its length; else 0. Sets the sum of the pseudo header. */
static size_t plain_ip(const uint8_t *p, size_t length, uint64_t *pseudo)
{
    *pseudo = to_be32(LTCP_PROTOCOL_TCP);
    if (length > IPV4_HEADER && p[0] == 0x45) {
        const bool fits = load_be16(p + 2) == length && p[9] == LTCP_PROTOCOL_TCP;
        if (!fits || (load_be16(p + 6) & 0xBFFF) != 0 || (p[1] & 3) == LTCP_ECN_CE) return 0;
        *pseudo = sum_words(*pseudo, p + 12, 8);
        return sum_finish(sum_fold(sum_words(0, p, IPV4_HEADER))) == 0 ? IPV4_HEADER : 0;
    }
    if (length <= IPV6_HEADER || p[0] >> 4 != 6) return 0;
    const bool fits = load_be16(p + 4) == length - IPV6_HEADER && p[6] == LTCP_PROTOCOL_TCP;
    if (!fits || (p[1] >> 4 & 3) == LTCP_ECN_CE) return 0;
    *pseudo = sum_words(*pseudo, p + 8, 32);
    return IPV6_HEADER;
}

/* The octets before the IP header that are good for us; SIZE_MAX: they are not. */
static size_t plain_lead(const struct ltcp_framing_context *context, const uint8_t *p,
                         size_t length)
{
    struct ltcp_ethernet ethernet;
    if (context->framing != LTCP_FRAMING_VXLAN) return 0;
    if (ltcp_vxlan_frame(context, p, length, &ethernet) != LTCP_OK || length <= LTCP_FRAMING_LEAD)
        return SIZE_MAX;
    const bool six = p[LTCP_FRAMING_LEAD] >> 4 == 6;
    const uint16_t type = six ? LTCP_ETHERTYPE_IPV6 : LTCP_ETHERTYPE_IPV4;
    return ethernet.type == type && ltcp_mac_equal(&ethernet.destination, &context->local_mac)
               ? LTCP_FRAMING_LEAD
               : SIZE_MAX;
}

static bool has_ip(const struct ltcp_framing_context *context)
{
    return context->framing == LTCP_FRAMING_RAWIP || context->framing == LTCP_FRAMING_VXLAN;
}

static uint64_t made_pseudo(const struct ltcp_framing_context *context)
{
    struct ltcp_ip ip;
    framing_made_header(context, &ip);
    return sum_pseudo(&ip.source, &ip.destination, version_of(&ip), LTCP_PROTOCOL_TCP, 0);
}

/* ---- what says the same of everything else ------------------------------------------------------
 */

static bool same_ip(const uint8_t *first, const uint8_t *p, size_t length)
{
    if (first[0] >> 4 == 4) /* version, TOS; fragments, TTL, protocol; addresses */
        return load_16(p) == load_16(first) && load_be16(p + 2) == length &&
               load_32(p + 6) == load_32(first + 6) && load_64(p + 12) == load_64(first + 12) &&
               sum_finish(sum_fold(sum_words(0, p, IPV4_HEADER))) == 0;
    return load_32(p) == load_32(first) && load_be16(p + 4) == length - IPV6_HEADER &&
           load_16(p + 6) == load_16(first + 6) && memcmp(p + 8, first + 8, 32) == 0;
}

static bool same_options(const uint8_t *first, const uint8_t *p, size_t from, size_t to)
{
    return memcmp(p + from, first + from, to - from) == 0;
}

static bool same_tcp(const uint8_t *first, const uint8_t *p, size_t header)
{
    if (p[FLAGS_AT] != first[FLAGS_AT]) return false;
    const bool flags = ((p[FLAGS_AT + 1] ^ first[FLAGS_AT + 1]) & ~LTCP_PSH) == 0;
    return flags && load_32(p) == load_32(first) &&
           load_32(p + ACK_AT) == load_32(first + ACK_AT) &&
           load_16(p + WINDOW_AT) == load_16(first + WINDOW_AT) &&
           load_16(p + URGENT_AT) == load_16(first + URGENT_AT) &&
           same_options(first, p, FIXED, header);
}

static bool same_cheshire(const uint8_t *first, const uint8_t *p, size_t header)
{
    if (p[0] != first[0] || ((p[1] ^ first[1]) & ~LTCP_PSH) != 0) return false;
    return load_16(p + 2) == load_16(first + 2) && load_32(p + ACK_AT) == load_32(first + ACK_AT) &&
           same_options(first, p, CHESHIRE_FIXED, header);
}

bool ltcp_train_follows(const struct ltcp_train *t, const uint8_t *p, size_t length)
{
    const uint8_t *f = t->first;
    if (f == NULL || length <= t->header || t->last) return false;
    if (load_be32(p + t->tcp + SEQ_AT) != load_be32(f + t->tcp + SEQ_AT) + t->text) return false;
    if (length - t->header > t->gathered_of) return false;
    if (t->ip > 0 && memcmp(p, f, t->ip) != 0) return false;
    if (t->tcp > t->ip && !same_ip(f + t->ip, p + t->ip, length - t->ip)) return false;
    const size_t header = (size_t)t->header - t->tcp;
    return is_cheshire(t) ? same_cheshire(f, p, header) : same_tcp(f + t->tcp, p + t->tcp, header);
}

/* ---- together -----------------------------------------------------------------------------------
 */

bool ltcp_train_begin(struct ltcp_train *t, const struct ltcp_framing_context *context,
                      struct ltcp_block *block, uint8_t *p, size_t length)
{
    t->first = NULL;
    t->packet = NULL;
    const size_t lead = plain_lead(context, p, length);
    if (lead == SIZE_MAX) return false;
    size_t ip = 0;
    if (has_ip(context)) {
        ip = plain_ip(p + lead, length - lead, &t->pseudo);
        if (ip == 0) return false;
    }
    const size_t tcp = lead + ip;
    const size_t header =
        plain_text(p + tcp, length - tcp, context->framing == LTCP_FRAMING_CHESHIRE);
    if (header == 0) return false;
    t->context = context;
    t->block = block;
    t->first = p;
    t->ip = (uint8_t)lead;
    t->tcp = (uint8_t)tcp;
    t->header = (uint8_t)(tcp + header);
    t->end = block != NULL ? p + length : NULL;
    t->text = (uint32_t)(length - t->header);
    t->gathered_of = (uint16_t)t->text;
    t->count = 1;
    t->last = false;
    t->push = 0;
    return true;
}

/* Is the TCP checksum there, and does nobody vouch for it? */
static bool is_summed(const struct ltcp_train *t)
{
    return !is_cheshire(t) && t->context->checksum != LTCP_UDP_CHECKSUM;
}

static uint64_t header_sum(const struct ltcp_train *t, const uint8_t *p, size_t length)
{
    const uint64_t sum = t->pseudo + to_be32((uint32_t)(length - t->tcp));
    return sum_words(sum, p + t->tcp, (size_t)t->header - t->tcp);
}

static uint8_t push_of(const struct ltcp_train *t, const uint8_t *p)
{
    return p[t->tcp + (is_cheshire(t) ? CHESHIRE_FLAGS_AT : FLAGS_AT) + 1] & LTCP_PSH;
}

/* There will be two of them. False: there is no memory, or the first one's checksum is wrong. */
static bool become_packet(struct ltcp_train *t)
{
    if (!has_ip(t->context)) t->pseudo = made_pseudo(t->context);
    if (is_summed(t)) {
        const uint64_t sum = header_sum(t, t->first, t->header + (size_t)t->text) +
                             ltcp_sum(0, t->first + t->header, t->text);
        if (sum_finish(sum_fold(sum)) != 0) return false;
    }
    t->packet = ltcp_packet_create(t->block->pool);
    if (t->packet == NULL) return false;
    t->push = push_of(t, t->first);
    return true;
}

static bool is_inside(const struct ltcp_block *block, const uint8_t *p)
{
    return p >= block->data && p < block->data + block->capacity;
}

/* Moves the text to where the text before it ends; false: the checksum is wrong, and everything is
 * where it was. */
static bool move_summed(struct ltcp_train *t, uint8_t *p, size_t length)
{
    uint8_t header[HEADERS_MOST], *from = p + t->header;
    const size_t text = length - t->header;
    uint64_t sum = header_sum(t, p, length);
    memcpy(header, p, t->header);
    sum += ltcp_sum_move(0, t->end, from, text);
    if (sum_finish(sum_fold(sum)) == 0) return true;
    if (is_inside(t->block, p)) {
        memmove(from, t->end, text);
        memcpy(p, header, t->header);
    }
    return false;
}

bool ltcp_train_add(struct ltcp_train *t, uint8_t *p, size_t length)
{
    if (!ltcp_train_follows(t, p, length)) return false;
    const size_t text = length - t->header;
    if (IPV6_HEADER + t->header + t->text + text > UINT16_MAX) return false;
    if (t->end + text > t->block->data + t->block->capacity) return false;
    if (t->packet == NULL && !become_packet(t)) {
        t->first = NULL;
        return false;
    }
    const uint8_t push = push_of(t, p);
    if (!is_summed(t))
        memmove(t->end, p + t->header, text);
    else if (!move_summed(t, p, length))
        return false;
    ltcp_train_count(t, text);
    t->end += text;
    t->push |= push;
    return true;
}

void ltcp_train_count(struct ltcp_train *t, size_t text)
{
    t->text += (uint32_t)text;
    t->count++;
    t->last = text < t->gathered_of;
}

/* ---- as one -------------------------------------------------------------------------------------
 */

size_t ltcp_train_head(const struct ltcp_train *t, uint8_t *out)
{
    const size_t head = (size_t)t->header - t->ip, length = head + t->text;
    const size_t start = (size_t)t->tcp - t->ip;
    memcpy(out, t->first + t->ip, head);
    if (start == IPV6_HEADER) {
        store_be16(out + 4, (uint16_t)(length - IPV6_HEADER));
    } else {
        store_be16(out + 2, (uint16_t)length);
        store_16(out + 10, 0);
        store_16(out + 10, sum_finish(sum_fold(sum_words(0, out, IPV4_HEADER))));
    }
    const uint64_t pseudo = t->pseudo + to_be32((uint32_t)(length - start));
    store_16(out + start + CHECKSUM_AT, (uint16_t)~sum_finish(sum_fold(pseudo)));
    return head;
}

static size_t ip_length(const uint8_t *head)
{
    return head[0] >> 4 == 6 ? IPV6_HEADER : IPV4_HEADER;
}

static void write_made_head(const struct ltcp_train *t, struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    framing_made_header(t->context, &ip);
    if (is_cheshire(t)) {
        cheshire_head(t->context, t->first, t->header, t->text, &ip, packet);
        return;
    }
    const size_t start = ltcp_ip_encode(&ip, t->header + t->text, packet->head);
    memcpy(packet->head + start, t->first, t->header);
    packet->head_length = (uint16_t)(start + t->header);
}

struct ltcp_packet *ltcp_train_end(struct ltcp_train *t)
{
    struct ltcp_packet *packet = t->packet;
    if (packet != NULL && t->count > 1) {
        if (has_ip(t->context))
            packet->head_length = (uint16_t)ltcp_train_head(t, packet->head);
        else
            write_made_head(t, packet);
        packet->head[ip_length(packet->head) + FLAGS_AT + 1] |= t->push;
        packet->block = ltcp_block_ref(t->block);
        packet->payload = t->first + t->header;
        packet->payload_length = t->text;
        packet->checksum_good = true;
        packet->gathered_of = t->gathered_of;
    } else {
        ltcp_packet_unref(packet);
        packet = NULL;
    }
    t->first = NULL;
    t->packet = NULL;
    return packet;
}
