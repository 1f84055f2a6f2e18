/* core/wire/options.c - TCP options, read and written (RFC 9293 section 3.2). */
#include "lunatcp/wire.h"
#include "options.h"
#include "bytes.h"

enum { OPTIONS_MAX = 40, EXPERIMENT_ID = 2, ACCECN_COUNTER = 3 };

/* ---- reading ------------------------------------------------------------------------------------
 */

bool ltcp_options_next(const uint8_t *bytes, size_t length, size_t *cursor,
                       struct ltcp_raw_option *out)
{
    size_t at = *cursor;
    if (at >= length) return false;
    out->kind = bytes[at];
    out->data_length = 0;
    out->data = bytes + at + 1;
    if (out->kind == LTCP_OPTION_END || out->kind == LTCP_OPTION_NOP) {
        *cursor = at + 1;
        return true;
    }
    if (length - at < 2 || bytes[at + 1] < 2 || bytes[at + 1] > length - at) return false;
    out->data_length = (uint8_t)(bytes[at + 1] - 2);
    out->data = bytes + at + 2;
    *cursor = at + bytes[at + 1];
    return true;
}

static bool read_sack(const struct ltcp_raw_option *raw, struct ltcp_options *out)
{
    unsigned count = raw->data_length / 8u;
    if (count < 1 || count > 4 || raw->data_length % 8 != 0) return false;
    out->sack_count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        out->sack[i].left = ltcp_seq_of(load_be32(raw->data + 8 * i));
        out->sack[i].right = ltcp_seq_of(load_be32(raw->data + 8 * i + 4));
    }
    return true;
}

/* RFC 7413 section 4.1.1: a request is empty, a cookie has 4 to 16 bytes and an even number. */
static unsigned read_fast_open(const uint8_t *cookie, uint8_t length, bool experimental,
                               struct ltcp_options *out)
{
    if (length != 0 && (length < 4 || length > 16 || length % 2 != 0)) /* RFC7413:4.1.1-2 */
        return LTCP_HAS_MALFORMED | LTCP_HAS_BAD_FAST_OPEN;
    out->fast_open = cookie;
    out->fast_open_length = length;
    out->fast_open_experimental = experimental;
    return LTCP_HAS_FAST_OPEN;
}

/* RFC 9768 section 3.2.3: as many whole counters as fit; what is left over is not looked at. */
static void read_accecn(const struct ltcp_raw_option *raw, struct ltcp_options *out)
{
    unsigned count = raw->data_length / ACCECN_COUNTER;
    if (count > 3) count = 3;
    out->accecn_kind = raw->kind;
    out->accecn_count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        out->accecn[i] = load_be24(raw->data + ACCECN_COUNTER * i);
}

/* Takes a known option with its own length; LTCP_HAS_... of what was read. */
static unsigned read_option(const struct ltcp_raw_option *raw, struct ltcp_options *out)
{
    const uint8_t *data = raw->data;
    uint8_t length = raw->data_length;
    switch (raw->kind) {
    case LTCP_OPTION_MSS:
        if (length != 2) return LTCP_HAS_MALFORMED;
        out->mss = load_be16(data);
        return LTCP_HAS_MSS;
    case LTCP_OPTION_WINDOW_SCALE:
        if (length != 1) return LTCP_HAS_MALFORMED;
        out->window_scale = data[0];
        return LTCP_HAS_WINDOW_SCALE;
    case LTCP_OPTION_SACK_PERMITTED:
        return length == 0 ? LTCP_HAS_SACK_PERMITTED : LTCP_HAS_MALFORMED;
    case LTCP_OPTION_SACK: return read_sack(raw, out) ? LTCP_HAS_SACK : LTCP_HAS_MALFORMED;
    case LTCP_OPTION_TIMESTAMPS:
        if (length != 8) return LTCP_HAS_MALFORMED;
        out->ts_value = load_be32(data);
        out->ts_echo = load_be32(data + 4);
        return LTCP_HAS_TIMESTAMPS;
    case LTCP_OPTION_MD5:
        if (length != 16) return LTCP_HAS_MALFORMED;
        out->md5 = data;
        return LTCP_HAS_MD5;
    case LTCP_OPTION_USER_TIMEOUT:
        if (length != 2) return LTCP_HAS_MALFORMED;
        out->user_timeout = load_be16(data);
        return LTCP_HAS_USER_TIMEOUT;
    case LTCP_OPTION_AO: /* KeyID and RNextKeyID at least: RFC 5925 section 2.2 */
        if (length < 2) return LTCP_HAS_MALFORMED;
        out->ao = data;
        out->ao_length = length;
        return LTCP_HAS_AO;
    case LTCP_OPTION_FAST_OPEN: return read_fast_open(data, length, false, out);
    case LTCP_OPTION_ACCECN0:
    case LTCP_OPTION_ACCECN1: read_accecn(raw, out); return LTCP_HAS_ACCECN;
    case LTCP_OPTION_EXPERIMENT_1:
    case LTCP_OPTION_EXPERIMENT_2: /* RFC 6994 section 3 */
        if (length < EXPERIMENT_ID) return LTCP_HAS_MALFORMED;
        if (load_be16(data) != LTCP_FAST_OPEN_EXPERIMENT) return LTCP_HAS_UNKNOWN;
        return read_fast_open(data + EXPERIMENT_ID, (uint8_t)(length - EXPERIMENT_ID), true, out);
    default: return LTCP_HAS_UNKNOWN; /* RFC9293:MUST-6, MUST-68 */
    }
}

/* Any number of unknown ones may be there. */
#define ONCE                                                                                       \
    (LTCP_HAS_MSS | LTCP_HAS_WINDOW_SCALE | LTCP_HAS_SACK_PERMITTED | LTCP_HAS_SACK |              \
     LTCP_HAS_TIMESTAMPS | LTCP_HAS_MD5 | LTCP_HAS_USER_TIMEOUT | LTCP_HAS_AO |                    \
     LTCP_HAS_FAST_OPEN | LTCP_HAS_ACCECN)

enum ltcp_status ltcp_options_decode_any(const uint8_t *bytes, size_t length,
                                         struct ltcp_options *out)
{
    unsigned present = 0;
    size_t cursor = 0;
    struct ltcp_raw_option raw = {LTCP_OPTION_NOP, 0, NULL};
    while (ltcp_options_next(bytes, length, &cursor, &raw)) { /* RFC9293:MUST-4 */
        if (raw.kind == LTCP_OPTION_NOP) continue;
        if (raw.kind == LTCP_OPTION_END) break;
        const unsigned bit = read_option(&raw, out);
        if (present & bit & ONCE) present |= LTCP_HAS_REPEATED;
        present |= bit;
    }
    out->present = (uint16_t)present;
    /* RFC9293:MUST-7 */
    return cursor < length && raw.kind != LTCP_OPTION_END ? LTCP_ERR_OPTION_LENGTH : LTCP_OK;
}

/* Of any segment, not of SYNs alone (RFC9293:MUST-5). */
enum ltcp_status ltcp_options_decode(const uint8_t *bytes, size_t length, struct ltcp_options *out)
{
    return options_decode(bytes, length, out);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

struct writer {
    const struct ltcp_options *options;
    unsigned wanted; /* LTCP_HAS_... not yet written */
    uint8_t *out;
    size_t length, room;
    bool fast_open_last; /* the last option that was written is that one */
};

/* Which bit of `present` an option in the caller's order stands for; 0 for none. */
static unsigned option_bit(uint8_t kind)
{
    switch (kind) {
    case LTCP_OPTION_MSS: return LTCP_HAS_MSS;
    case LTCP_OPTION_WINDOW_SCALE: return LTCP_HAS_WINDOW_SCALE;
    case LTCP_OPTION_SACK_PERMITTED: return LTCP_HAS_SACK_PERMITTED;
    case LTCP_OPTION_SACK: return LTCP_HAS_SACK;
    case LTCP_OPTION_TIMESTAMPS: return LTCP_HAS_TIMESTAMPS;
    case LTCP_OPTION_MD5: return LTCP_HAS_MD5;
    case LTCP_OPTION_USER_TIMEOUT: return LTCP_HAS_USER_TIMEOUT;
    case LTCP_OPTION_AO: return LTCP_HAS_AO;
    case LTCP_OPTION_FAST_OPEN: return LTCP_HAS_FAST_OPEN;
    case LTCP_OPTION_ACCECN0:
    case LTCP_OPTION_ACCECN1: return LTCP_HAS_ACCECN;
    default: return 0;
    }
}

/* With kind and length bytes, SACK with `sack` blocks. */
static size_t option_size(const struct ltcp_options *o, unsigned bit, unsigned sack)
{
    switch (bit) {
    case LTCP_HAS_MSS: return 4;
    case LTCP_HAS_WINDOW_SCALE: return 3;
    case LTCP_HAS_SACK_PERMITTED: return 2;
    case LTCP_HAS_SACK: return 2 + 8 * (size_t)sack;
    case LTCP_HAS_TIMESTAMPS: return 10;
    case LTCP_HAS_MD5: return 18;
    case LTCP_HAS_USER_TIMEOUT: return 4;
    case LTCP_HAS_AO: return 2 + (size_t)o->ao_length;
    case LTCP_HAS_FAST_OPEN:
        return 2 + (size_t)o->fast_open_length + (o->fast_open_experimental ? EXPERIMENT_ID : 0);
    case LTCP_HAS_ACCECN:
        return 2 + ACCECN_COUNTER * (size_t)(o->accecn_count > 3 ? 3 : o->accecn_count);
    default: return 0;
    }
}

/* NOPs in front of an option that begins at `at`, has `size` bytes and is followed by one that has
 * `next` bytes, 0 for none. A long option stands by itself, so that its fields are aligned
 * (RFC 7323 appendix A); one shorter than a word may fill it up together with the next. */
static size_t padding(size_t at, size_t size, size_t next)
{
    size_t end = (at + size) % 4;
    if (end == 0 || (size < 4 && next > 0 && (at + size + next) % 4 == 0)) return 0;
    return 4 - end;
}

static uint8_t *write_bytes(uint8_t *to, const uint8_t *from, size_t length)
{
    if (length > 0) memcpy(to, from, length);
    return to + length;
}

static void write_data(const struct ltcp_options *o, unsigned bit, unsigned sack, uint8_t *to)
{
    switch (bit) {
    case LTCP_HAS_MSS: store_be16(to, o->mss); break;
    case LTCP_HAS_WINDOW_SCALE: to[0] = o->window_scale; break;
    case LTCP_HAS_SACK:
        for (unsigned i = 0; i < sack; i++) {
            store_be32(to + 8 * i, o->sack[i].left.n);
            store_be32(to + 8 * i + 4, o->sack[i].right.n);
        }
        break;
    case LTCP_HAS_TIMESTAMPS:
        store_be32(to, o->ts_value);
        store_be32(to + 4, o->ts_echo);
        break;
    case LTCP_HAS_MD5: write_bytes(to, o->md5, 16); break;
    case LTCP_HAS_USER_TIMEOUT: store_be16(to, o->user_timeout); break;
    case LTCP_HAS_AO: write_bytes(to, o->ao, o->ao_length); break;
    case LTCP_HAS_FAST_OPEN:
        if (o->fast_open_experimental) {
            store_be16(to, LTCP_FAST_OPEN_EXPERIMENT);
            to += EXPERIMENT_ID;
        }
        write_bytes(to, o->fast_open, o->fast_open_length);
        break;
    case LTCP_HAS_ACCECN:
        for (unsigned i = 0; i < o->accecn_count && i < 3; i++)
            store_be24(to + ACCECN_COUNTER * i, o->accecn[i]);
        break;
    default: break;
    }
}

static uint8_t wire_kind(const struct ltcp_options *o, uint8_t kind, unsigned bit)
{
    if (bit == LTCP_HAS_FAST_OPEN && o->fast_open_experimental) return LTCP_OPTION_EXPERIMENT_2;
    if (bit == LTCP_HAS_ACCECN) return o->accecn_kind;
    return kind;
}

/* Writes one option if it fits, with NOPs in front or, for want of room, without. */
static void write_option(struct writer *w, uint8_t kind, unsigned bit, size_t next)
{
    const struct ltcp_options *o = w->options;
    unsigned sack = o->sack_count > 4 ? 4 : o->sack_count;
    size_t size, nops;
    for (;; sack--) {
        if (bit == LTCP_HAS_SACK && sack == 0) return;
        size = option_size(o, bit, sack);
        nops = bit != LTCP_HAS_FAST_OPEN ? padding(w->length, size, next) : 0;
        if (w->length + nops + size > w->room) nops = 0;
        if (w->length + size <= w->room) break;
        if (bit != LTCP_HAS_SACK) return;
    }
    uint8_t *to = w->out + w->length;
    memset(to, LTCP_OPTION_NOP, nops);
    to += nops;
    to[0] = wire_kind(o, kind, bit);
    to[1] = (uint8_t)size;
    write_data(o, bit, sack, to + 2);
    w->length += nops + size;
    w->fast_open_last = bit == LTCP_HAS_FAST_OPEN;
}

/* The size of the option that comes after the i-th; 0 when none does. */
static size_t next_size(const struct writer *w, const uint8_t *kinds, size_t count, size_t i)
{
    while (++i < count) {
        unsigned bit = option_bit(kinds[i]) & w->wanted;
        if (bit == LTCP_HAS_FAST_OPEN) return 0; /* it is padded behind */
        if (bit != 0) return option_size(w->options, bit, w->options->sack_count);
    }
    return 0;
}

/* What nearly all segments carry, if anything. */
static size_t encode_timestamps(const struct ltcp_options *options, uint8_t *out)
{
    store_be32(out, 0x0101080A);
    store_be32(out + 4, options->ts_value);
    store_be32(out + 8, options->ts_echo);
    return 12;
}

size_t options_encode_within(const struct ltcp_options *options, const uint8_t *kinds, size_t count,
                             uint8_t *out, size_t room)
{
    if (options->present == 0 || count == 0) return 0;
    if (options->present == LTCP_HAS_TIMESTAMPS &&
        memchr(kinds, LTCP_OPTION_TIMESTAMPS, count) != NULL)
        return encode_timestamps(options, out);

    struct writer w = {options, options->present, out, 0, room, false};
    for (size_t i = 0; i < count; i++) {
        unsigned bit = option_bit(kinds[i]) & w.wanted;
        if (bit == 0) continue;
        w.wanted &= ~bit;
        write_option(&w, kinds[i], bit, next_size(&w, kinds, count, i));
    }
    /* RFC 7413 section 4.1.1: alignment is not required; what fills the word up comes behind it. */
    while (w.fast_open_last && w.length % 4 != 0)
        out[w.length++] = LTCP_OPTION_NOP;
    size_t padded = (w.length + 3) / 4 * 4;
    memset(out + w.length, LTCP_OPTION_END, padded - w.length); /* RFC9293:MUST-69 */
    return padded;
}

size_t ltcp_options_encode(const struct ltcp_options *options, const uint8_t *kinds, size_t count,
                           uint8_t out[40])
{
    return options_encode_within(options, kinds, count, out, OPTIONS_MAX);
}
