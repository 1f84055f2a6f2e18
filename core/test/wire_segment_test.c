/* core/test/wire_segment_test.c - the TCP segment (RFC 9293 section 3.1): literal bytes, everything
 * cut short, every byte changed, and there and back again. */
#include "check.h"
#include "lunatcp/wire.h"
#include "wire_samples.h"

static struct check_memory memory;
static struct ltcp_pool *pool;

static struct ltcp_packet *packet_of(const char *text)
{
    uint8_t bytes[4096];
    return ltcp_packet_from_bytes(pool, bytes, hex_bytes(text, bytes));
}

static enum ltcp_status decode(const struct ltcp_packet *packet, struct ltcp_ip *ip,
                               struct ltcp_segment *out)
{
    memset(out, 0xA5, sizeof *out);
    enum ltcp_status status = ltcp_ip_decode(packet, ip);
    if (status != LTCP_OK) return status;
    return ltcp_segment_decode(packet, ip, out);
}

/* Makes the TCP checksum of contiguous IPv4 bytes right. */
static void set_checksum(uint8_t *p, size_t length)
{
    size_t header = (size_t)(p[0] & 15) * 4;
    struct ltcp_address source = ltcp_address_v4(p[12], p[13], p[14], p[15]);
    struct ltcp_address destination = ltcp_address_v4(p[16], p[17], p[18], p[19]);
    p[header + 16] = p[header + 17] = 0;
    uint32_t sum = ltcp_pseudo_sum(&source, &destination, 6, length - header);
    uint16_t checksum = ltcp_sum_finish(ltcp_sum(sum, p + header, length - header));
    memcpy(p + header + 16, &checksum, 2);
}

/* ---- literal bytes ------------------------------------------------------------------------------
 */

static void data_segment(void)
{
    struct ltcp_ip ip;
    struct ltcp_segment s;
    struct ltcp_packet *packet = packet_of(SAMPLE_DATA);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.source_port, 49152);
    CHECK_EQUAL(s.destination_port, 80);
    CHECK_EQUAL(s.seq.n, 0xFFFFFFFE);
    CHECK_EQUAL(s.ack.n, 0x9ABCDEF0);
    CHECK_EQUAL(s.flags, LTCP_PSH | LTCP_ACK | LTCP_URG | LTCP_AE);
    CHECK_EQUAL(s.reserved, 5);
    CHECK_EQUAL(s.window, 502);
    CHECK_EQUAL(s.urgent_pointer, 3);
    CHECK_BYTES(&s.checksum, 2, "fefa");
    CHECK_EQUAL(s.header_length, 32);
    CHECK_BYTES(s.options_bytes, s.options_length, "0101080a 00000064 00000032");
    CHECK_EQUAL(s.options.present, LTCP_HAS_TIMESTAMPS);
    CHECK_EQUAL(s.options.ts_value, 100);
    CHECK_EQUAL(s.options.ts_echo, 50);
    CHECK_BYTES(s.payload, s.length, "68656c6c6f");
    CHECK(s.payload == packet->payload); /* not copied */
    CHECK_EQUAL(ltcp_segment_length(&s), 5);
    ltcp_packet_unref(packet);
}

static void syn_and_fin(void)
{
    struct ltcp_ip ip;
    struct ltcp_segment s;
    struct ltcp_packet *packet = packet_of(SAMPLE_SYN);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.flags, LTCP_SYN);
    CHECK_EQUAL(s.options.present, LTCP_HAS_MSS | LTCP_HAS_SACK_PERMITTED | LTCP_HAS_TIMESTAMPS |
                                       LTCP_HAS_WINDOW_SCALE);
    CHECK_EQUAL(s.length, 0);
    CHECK_EQUAL(ltcp_segment_length(&s), 1);
    ltcp_packet_unref(packet);

    packet = packet_of(SAMPLE_V6_EXTENSIONS);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.flags, LTCP_FIN | LTCP_ACK);
    CHECK_EQUAL(s.options.present, 0);
    CHECK_EQUAL(s.options_length, 0);
    CHECK_EQUAL(ltcp_segment_length(&s), 1);
    ltcp_packet_unref(packet);

    packet = packet_of(SAMPLE_V6);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.window, 65535);
    CHECK_BYTES(s.payload, s.length, "6f6464");
    ltcp_packet_unref(packet);

    packet = packet_of(SAMPLE_V4_OPTIONS);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.seq.n, 3);
    ltcp_packet_unref(packet);

    packet = packet_of(SAMPLE_FULL);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.options.present, LTCP_HAS_MSS | LTCP_HAS_WINDOW_SCALE | LTCP_HAS_SACK_PERMITTED |
                                       LTCP_HAS_TIMESTAMPS | LTCP_HAS_USER_TIMEOUT |
                                       LTCP_HAS_FAST_OPEN | LTCP_HAS_ACCECN | LTCP_HAS_UNKNOWN);
    CHECK_EQUAL(s.options_length, 40);
    CHECK_EQUAL(s.length, 7);
    ltcp_packet_unref(packet);
}

/* Each of the nine flags is its own bit of the header. */
static void each_flag(void)
{
    for (unsigned bit = 0; bit < 9; bit++) {
        uint8_t bytes[64];
        size_t length = hex_bytes(SAMPLE_SYN, bytes);
        bytes[32] = (uint8_t)((bytes[32] & 0xF0) | 1 << bit >> 8);
        bytes[33] = (uint8_t)(1 << bit);
        set_checksum(bytes, length);
        struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
        struct ltcp_ip ip;
        struct ltcp_segment s;
        CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
        CHECK_EQUAL(s.flags, 1 << bit);
        CHECK_EQUAL(s.reserved, 0);
        ltcp_packet_unref(packet);
    }
}

/* ---- malformed ----------------------------------------------------------------------------------
 */

static enum ltcp_status changed(const char *text, size_t at, uint8_t value, bool right_checksum)
{
    uint8_t bytes[256];
    size_t length = hex_bytes(text, bytes);
    bytes[at] = value;
    if (right_checksum) set_checksum(bytes, length);
    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    enum ltcp_status status = decode(packet, &ip, &s);
    if (status == LTCP_ERR_OPTION_LENGTH) CHECK_EQUAL(s.source_port, 49152);
    ltcp_packet_unref(packet);
    return status;
}

static void malformed(void)
{
    for (unsigned offset = 0; offset < 5; offset++)
        CHECK_STATUS(changed(SAMPLE_DATA, 32, (uint8_t)(offset << 4), true), LTCP_ERR_DATA_OFFSET);
    for (unsigned offset = 10; offset < 16; offset++)
        CHECK_STATUS(changed(SAMPLE_DATA, 32, (uint8_t)(offset << 4), true), LTCP_ERR_DATA_OFFSET);
    /* options left to the data are data; options cut in the middle are an error of theirs */
    CHECK_STATUS(changed(SAMPLE_DATA, 32, 0x50, true), LTCP_OK);
    CHECK_STATUS(changed(SAMPLE_DATA, 32, 0x60, true), LTCP_ERR_OPTION_LENGTH);
    CHECK_STATUS(changed(SAMPLE_DATA, 32, 0x90, true), LTCP_ERR_OPTION_LENGTH);
    CHECK_STATUS(changed(SAMPLE_DATA, 36, 0, false), LTCP_ERR_CHECKSUM); /* MUST-3 */
    CHECK_STATUS(changed(SAMPLE_DATA, 56, 'O', false), LTCP_ERR_CHECKSUM);
    CHECK_STATUS(changed(SAMPLE_SYN, 41, 0, true), LTCP_ERR_OPTION_LENGTH);
    CHECK_STATUS(changed(SAMPLE_SYN, 41, 1, true), LTCP_ERR_OPTION_LENGTH);
    CHECK_STATUS(changed(SAMPLE_SYN, 41, 21, true), LTCP_ERR_OPTION_LENGTH);
    CHECK_STATUS(changed(SAMPLE_SYN, 58, 4, true), LTCP_ERR_OPTION_LENGTH);
}

/* RFC9293:MUST-3 with one exception: a tunnel vouches for it. */
static void vouched_for(void)
{
    struct ltcp_packet *packet = packet_of(SAMPLE_DATA);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    packet->head[36] = packet->head[37] = 0;
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_ERR_CHECKSUM);
    packet->checksum_good = true;
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.length, 5);
    ltcp_packet_unref(packet);
}

/* Bytes behind the IP packet's end are padding of a link, and not data. */
static void padding_of_a_link(void)
{
    struct ltcp_packet *packet = packet_of(SAMPLE_DATA);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    packet->payload[5] = 0xEE;
    packet->payload_length = 6; /* as if nobody had cut it */
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_EQUAL(s.length, 5);
    /* and what the header was said to have is not taken on trust */
    packet->payload_length = 4;
    CHECK_STATUS(ltcp_segment_decode(packet, &ip, &s), LTCP_ERR_TRUNCATED);
    packet->checksum_good = true;
    CHECK_STATUS(ltcp_segment_decode(packet, &ip, &s), LTCP_ERR_TRUNCATED);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);
}

/* Every prefix of each sample: too short, whatever the IP header is made to say. */
static void every_prefix(const char *text)
{
    uint8_t bytes[256];
    size_t length = hex_bytes(text, bytes);
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *shorter = malloc(cut > 0 ? cut : 1);
        memcpy(shorter, bytes, cut);
        struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, shorter, cut);
        struct ltcp_ip ip;
        struct ltcp_segment s;
        CHECK_STATUS(decode(packet, &ip, &s), LTCP_ERR_TRUNCATED);
        ltcp_packet_unref(packet);
        size_t header = (size_t)(bytes[0] & 15) * 4;
        if (bytes[0] >> 4 == 4 && cut >= header) {
            struct ltcp_ip told;
            CHECK_STATUS(ltcp_ip_decode_bytes(bytes, length, false, &told), LTCP_OK);
            told.total_length = (uint16_t)cut;
            enum ltcp_status status =
                ltcp_segment_decode_bytes(shorter + header, cut - header, &told, false, &s);
            CHECK(status == LTCP_ERR_TRUNCATED || status == LTCP_ERR_DATA_OFFSET ||
                  status == LTCP_ERR_CHECKSUM);
            status = ltcp_segment_decode_bytes(shorter + header, cut - header, &told, true, &s);
            CHECK_EQUAL(status, cut - header < 8 ? LTCP_ERR_TRUNCATED : LTCP_OK);
        }
        free(shorter);
    }
}

/* No value of any byte does worse than to be refused; the checksum catches each of them that is not
 * among those few it does not cover. */
static void every_mutation(const char *text)
{
    uint8_t bytes[256];
    size_t length = hex_bytes(text, bytes);
    bool v4 = bytes[0] >> 4 == 4;
    for (size_t at = 0; at < length; at++) {
        uint8_t before = bytes[at];
        for (unsigned value = 0; value < 256; value++) {
            bytes[at] = (uint8_t)value;
            struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
            struct ltcp_ip ip;
            struct ltcp_segment s;
            enum ltcp_status status = decode(packet, &ip, &s);
            if (value == before)
                CHECK_STATUS(status, LTCP_OK);
            else if (v4)
                CHECK(status != LTCP_OK);
            /* with the checksum out of the way, everything behind it is reached */
            packet->checksum_good = true;
            decode(packet, &ip, &s);
            /* a split that no longer fits: made for the old bytes, changed afterwards */
            struct ltcp_packet *late = packet_of(text);
            if (at < late->head_length) late->head[at] = (uint8_t)value;
            decode(late, &ip, &s);
            late->checksum_good = true;
            decode(late, &ip, &s);
            ltcp_packet_unref(packet);
            ltcp_packet_unref(late);
        }
        bytes[at] = before;
    }
}

/* A data offset that was changed on the way, in a packet split for the old one. */
static void split_does_not_fit(void)
{
    struct ltcp_packet *packet = packet_of(SAMPLE_DATA);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    packet->head[32] = (uint8_t)(packet->head[32] - 0x10);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_ERR_CHECKSUM);
    packet->checksum_good = true;
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);
    /* all in the head: fine */
    packet = packet_of(SAMPLE_SYN);
    packet->head[32] = 0x50;
    packet->checksum_good = true;
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    CHECK_BYTES(s.payload, s.length, "020405b4 0402080a 0000000a 00000000 01030307");
    ltcp_packet_unref(packet);
    /* a head that ends at an odd byte: summed all the same */
    uint8_t bytes[64];
    size_t length = hex_bytes(SAMPLE_DATA, bytes);
    for (size_t head = 40; head < length; head++) {
        packet = ltcp_packet_create(pool);
        packet->block = ltcp_block_create(pool, 64);
        packet->payload = packet->block->data;
        packet->payload_length = (uint32_t)(length - head);
        memcpy(packet->payload, bytes + head, length - head);
        memcpy(packet->head, bytes, head);
        packet->head_length = (uint16_t)head;
        CHECK_EQUAL(decode(packet, &ip, &s), head == 52 ? LTCP_OK : LTCP_ERR_TRUNCATED);
        packet->payload[0] ^= 1;
        CHECK_STATUS(decode(packet, &ip, &s), LTCP_ERR_CHECKSUM);
        ltcp_packet_unref(packet);
    }
}

static void quotes(void)
{
    uint8_t bytes[256];
    size_t length = hex_bytes(SAMPLE_DATA, bytes);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    CHECK_STATUS(ltcp_ip_decode_bytes(bytes, 28, true, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode_bytes(bytes + 20, 7, &ip, true, &s), LTCP_ERR_TRUNCATED);
    CHECK_STATUS(ltcp_segment_decode_bytes(bytes + 20, 8, &ip, true, &s), LTCP_OK);
    CHECK_EQUAL(s.source_port, 49152);
    CHECK_EQUAL(s.destination_port, 80);
    CHECK_EQUAL(s.seq.n, 0xFFFFFFFE);
    CHECK_EQUAL(s.flags, 0);
    CHECK_EQUAL(s.options.present, 0);
    CHECK_STATUS(ltcp_segment_decode_bytes(bytes + 20, length - 20, &ip, true, &s), LTCP_OK);
    CHECK_EQUAL(s.ack.n, 0x9ABCDEF0);
    CHECK_EQUAL(s.length, 5);
    CHECK_STATUS(ltcp_segment_decode_bytes(bytes + 20, length - 20, &ip, false, &s), LTCP_OK);
    CHECK_BYTES(s.payload, s.length, "68656c6c6f");
    CHECK_EQUAL(s.options.ts_value, 100);
}

/* ---- encoding -----------------------------------------------------------------------------------
 */

/* What was decoded is encoded to the same bytes. */
static void encode_of_decode(const char *text)
{
    uint8_t bytes[256], back[256];
    size_t length = hex_bytes(text, bytes);
    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
    struct ltcp_packet *made = ltcp_packet_create(pool);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    if (packet->block != NULL) made->block = ltcp_block_ref(packet->block);
    made->payload = packet->payload;
    made->payload_length = packet->payload_length;
    ltcp_segment_encode(made, &ip, &s);
    CHECK_EQUAL(ltcp_packet_bytes(made, back, sizeof back), length);
    CHECK(memcmp(back, bytes, length) == 0);
    /* with the payload's sum at hand */
    memset(made->head, 0xEE, sizeof made->head);
    made->payload_sum = ltcp_sum(0, made->payload, made->payload_length);
    made->payload_sum_valid = true;
    ltcp_segment_encode(made, &ip, &s);
    CHECK_EQUAL(ltcp_packet_bytes(made, back, sizeof back), length);
    CHECK(memcmp(back, bytes, length) == 0);
    ltcp_packet_unref(packet);
    ltcp_packet_unref(made);
}

/* What was encoded is decoded to the same values. */
static void decode_of_encode(void)
{
    uint32_t state = 11;
    uint8_t options[40];
    for (int turn = 0; turn < 5000; turn++) {
        struct ltcp_ip ip = {.protocol = LTCP_PROTOCOL_TCP}, ip_back;
        struct ltcp_segment s = {.options_bytes = options}, back;
        ip.source = ltcp_address_v4(10, 0, 0, (uint8_t)check_random(&state));
        ip.destination = ltcp_address_v4(10, 0, 1, (uint8_t)check_random(&state));
        if (turn % 2 == 0) ltcp_address_parse("2001:db8::1", &ip.source);
        if (turn % 2 == 0) ltcp_address_parse("2001:db8::2", &ip.destination);
        ip.dscp = check_random(&state) & 63;
        ip.ecn = check_random(&state) & 3;
        ip.ttl = (uint8_t)check_random(&state);
        ip.flow_label = check_random(&state) & 0xFFFFF;
        ip.identification = (uint16_t)check_random(&state);
        s.source_port = (uint16_t)check_random(&state);
        s.destination_port = (uint16_t)check_random(&state);
        s.seq.n = check_random(&state) * 259u;
        s.ack.n = check_random(&state) * 263u;
        s.flags = check_random(&state) & 0x1FF;
        s.reserved = check_random(&state) & 7;
        s.window = (uint16_t)check_random(&state);
        s.urgent_pointer = (uint16_t)check_random(&state);
        s.options_length = (uint8_t)(check_random(&state) % 11 * 4);
        memset(options, LTCP_OPTION_NOP, sizeof options);
        if (s.options_length >= 12) hex_bytes("0101080a0102030405060708", options);

        struct ltcp_packet *packet = ltcp_packet_create(pool);
        uint32_t length = check_random(&state) % 1500;
        if (length > 0) {
            packet->block = ltcp_block_create(pool, length);
            packet->payload = packet->block->data;
            packet->payload_length = length;
            for (uint32_t i = 0; i < length; i++)
                packet->payload[i] = (uint8_t)check_random(&state);
        }
        ltcp_segment_encode(packet, &ip, &s);
        CHECK_STATUS(decode(packet, &ip_back, &back), LTCP_OK);
        CHECK(ip_back.version == (turn % 2 == 0 ? 6 : 4) && ip_back.protocol == 6);
        CHECK(ltcp_address_equal(&ip.source, &ip_back.source) &&
              ltcp_address_equal(&ip.destination, &ip_back.destination));
        CHECK(ip_back.dscp == ip.dscp && ip_back.ecn == ip.ecn && ip_back.ttl == ip.ttl);
        CHECK(turn % 2 == 0 ? ip_back.flow_label == ip.flow_label
                            : ip_back.identification == ip.identification);
        CHECK_EQUAL(ip_back.total_length, ltcp_packet_length(packet));
        CHECK(back.source_port == s.source_port && back.destination_port == s.destination_port);
        CHECK(seq_eq(back.seq, s.seq) && seq_eq(back.ack, s.ack));
        CHECK(back.flags == s.flags && back.reserved == s.reserved && back.window == s.window);
        CHECK(back.urgent_pointer == s.urgent_pointer && back.length == length);
        CHECK(back.options_length == s.options_length &&
              memcmp(back.options_bytes, options, s.options_length) == 0);
        CHECK_EQUAL(back.options.present, s.options_length >= 12 ? LTCP_HAS_TIMESTAMPS : 0);
        ltcp_packet_unref(packet);
    }
}

/* RFC9293:MUST-2 a checksum that comes to zero is sent as zero: only UDP takes that for "none". */
static void checksum_of_zero(void)
{
    struct ltcp_packet *packet = packet_of(SAMPLE_V4_OPTIONS);
    struct ltcp_ip ip;
    struct ltcp_segment s;
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    uint8_t options[8]; /* those in the packet are written over */
    if (!CHECK_EQUAL(ip.options_length, sizeof options)) return;
    memcpy(options, ip.options, sizeof options);
    ip.options = options;
    uint16_t checksum;
    memcpy(&checksum, packet->head + 44, 2);
    /* take the window up by what the checksum is */
    uint8_t bytes[2];
    memcpy(bytes, &checksum, 2);
    s.window = (uint16_t)(s.window + (bytes[0] << 8 | bytes[1]));
    ltcp_segment_encode(packet, &ip, &s);
    CHECK(packet->head[44] == 0 && packet->head[45] == 0);
    CHECK_STATUS(decode(packet, &ip, &s), LTCP_OK);
    ltcp_packet_unref(packet);
}

int main(void)
{
    static const char *const samples[] = {SAMPLE_SYN,           SAMPLE_DATA,       SAMPLE_V6,
                                          SAMPLE_V6_EXTENSIONS, SAMPLE_V4_OPTIONS, SAMPLE_FULL};
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    data_segment();
    syn_and_fin();
    each_flag();
    malformed();
    vouched_for();
    padding_of_a_link();
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        every_prefix(samples[i]);
        every_mutation(samples[i]);
        encode_of_decode(samples[i]);
    }
    split_does_not_fit();
    quotes();
    decode_of_encode();
    checksum_of_zero();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
