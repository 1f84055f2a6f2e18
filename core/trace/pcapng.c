/* core/trace/pcapng.c - blocks of a capture file. */
#include "lunatcp/pcapng.h"

#include <string.h>

enum block_type {
    INTERFACE_BLOCK = 1,
    STATISTICS_BLOCK = 5,
    PACKET_BLOCK = 6,
    SECTION_BLOCK = 0x0A0D0D0A
};
enum option_code {
    END_OF_OPTIONS = 0,
    COMMENT = 1,
    INTERFACE_NAME = 2,
    PACKET_FLAGS = 2,
    INTERFACE_DESCRIPTION = 3,
    STATISTICS_RECEIVED = 4,
    STATISTICS_DROPPED = 5,
    TIME_RESOLUTION = 9
};
#define BYTE_ORDER_MAGIC 0x1A2B3C4Du
#define LONGEST_TEXT     255
#define LONGEST_PACKET   65535

/* Where the next octet goes. The caller's buffer has room for all. */
struct writer {
    uint8_t *start, *next;
};

static void put_16(struct writer *w, uint32_t value)
{
    *w->next++ = (uint8_t)value;
    *w->next++ = (uint8_t)(value >> 8);
}

static void put_32(struct writer *w, uint32_t value)
{
    put_16(w, value & 0xFFFF);
    put_16(w, value >> 16);
}

static void pad(struct writer *w)
{
    while ((w->next - w->start) % 4 != 0)
        *w->next++ = 0;
}

static struct writer begin(uint8_t *out, enum block_type type)
{
    struct writer w = {out, out};
    put_32(&w, (uint32_t)type);
    put_32(&w, 0); /* the length, by finish */
    return w;
}

/* The length stands at both ends of a block. */
static size_t finish(struct writer *w)
{
    uint32_t length = (uint32_t)(w->next - w->start) + 4;
    struct writer at_front = {w->start, w->start + 4};
    put_32(&at_front, length);
    put_32(w, length);
    return length;
}

static void put_option(struct writer *w, enum option_code code, const void *data, size_t length)
{
    put_16(w, (uint32_t)code);
    put_16(w, (uint32_t)length);
    memcpy(w->next, data, length);
    w->next += length;
    pad(w);
}

static void put_text(struct writer *w, enum option_code code, const char *text, size_t most)
{
    size_t length = strlen(text);
    put_option(w, code, text, length < most ? length : most);
}

static void put_count(struct writer *w, enum option_code code, uint64_t count)
{
    uint8_t octets[8];
    for (unsigned i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(count >> 8 * i);
    put_option(w, code, octets, sizeof octets);
}

static void put_time(struct writer *w, ltcp_time time)
{
    uint64_t stamp = time > 0 ? (uint64_t)time : 0;
    put_32(w, (uint32_t)(stamp >> 32));
    put_32(w, (uint32_t)stamp);
}

static void end_options(struct writer *w)
{
    put_16(w, END_OF_OPTIONS);
    put_16(w, 0);
}

size_t ltcp_pcapng_section(uint8_t out[LTCP_PCAPNG_SECTION_MOST])
{
    struct writer w = begin(out, SECTION_BLOCK);
    put_32(&w, BYTE_ORDER_MAGIC);
    put_16(&w, 1); /* version 1.0 */
    put_16(&w, 0);
    put_32(&w, UINT32_MAX); /* length of the section: not said */
    put_32(&w, UINT32_MAX);
    return finish(&w);
}

size_t ltcp_pcapng_interface(uint8_t out[LTCP_PCAPNG_INTERFACE_MOST], const char *name,
                             const char *description)
{
    static const uint8_t nanoseconds = 9; /* 10^-9 */
    struct writer w = begin(out, INTERFACE_BLOCK);
    put_16(&w, LTCP_LINKTYPE_RAW);
    put_16(&w, 0);
    put_32(&w, 0); /* nothing is cut off */
    if (name != NULL) put_text(&w, INTERFACE_NAME, name, LONGEST_TEXT);
    if (description != NULL)
        put_text(&w, INTERFACE_DESCRIPTION, description, LTCP_PCAPNG_TEXT_MOST);
    put_option(&w, TIME_RESOLUTION, &nanoseconds, 1);
    end_options(&w);
    return finish(&w);
}

size_t ltcp_pcapng_statistics(uint8_t out[LTCP_PCAPNG_STATISTICS_MOST], uint32_t interface_number,
                              ltcp_time time, uint64_t packets, uint64_t dropped,
                              const char *comment)
{
    struct writer w = begin(out, STATISTICS_BLOCK);
    put_32(&w, interface_number);
    put_time(&w, time);
    if (comment != NULL) put_text(&w, COMMENT, comment, LTCP_PCAPNG_TEXT_MOST);
    put_count(&w, STATISTICS_RECEIVED, packets);
    put_count(&w, STATISTICS_DROPPED, dropped);
    end_options(&w);
    return finish(&w);
}

size_t ltcp_pcapng_packet(uint8_t out[LTCP_PCAPNG_PACKET_MOST], uint32_t interface_number,
                          ltcp_time time, const struct ltcp_packet *packet,
                          enum ltcp_pcapng_direction direction, const char *comment)
{
    size_t length = ltcp_packet_length(packet);
    if (length > LONGEST_PACKET) length = LONGEST_PACKET;
    struct writer w = begin(out, PACKET_BLOCK);
    put_32(&w, interface_number);
    put_time(&w, time);
    put_32(&w, (uint32_t)length);
    put_32(&w, (uint32_t)ltcp_packet_length(packet));
    w.next += ltcp_packet_bytes(packet, w.next, length);
    pad(&w);
    if (direction != LTCP_PCAPNG_UNKNOWN) {
        uint8_t flags[4] = {(uint8_t)direction, 0, 0, 0};
        put_option(&w, PACKET_FLAGS, flags, sizeof flags);
    }
    if (comment != NULL && comment[0] != '\0') put_text(&w, COMMENT, comment, LONGEST_TEXT);
    if (direction != LTCP_PCAPNG_UNKNOWN || (comment != NULL && comment[0] != '\0'))
        end_options(&w);
    return finish(&w);
}
