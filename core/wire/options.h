/* core/wire/options.h
 *
 * The two forms that nearly all segments have, read inline. */
#ifndef LUNATCP_WIRE_OPTIONS_H
#define LUNATCP_WIRE_OPTIONS_H

#include "lunatcp/wire.h"
#include "bytes.h"

/* ltcp_options_decode for whatever options_decode does not know by sight. */
enum ltcp_status ltcp_options_decode_any(const uint8_t *bytes, size_t length,
                                         struct ltcp_options *out);

/* ltcp_options_encode for `room` octets, a multiple of 4 and 12 at least. */
size_t options_encode_within(const struct ltcp_options *options, const uint8_t *kinds, size_t count,
                             uint8_t *out, size_t room);

static inline enum ltcp_status options_decode(const uint8_t *bytes, size_t length,
                                              struct ltcp_options *out)
{
    if (length == 0) {
        out->present = 0;
        return LTCP_OK;
    }
    /* NOP, NOP, Timestamps: the layout of RFC 7323 appendix A. */
    if (length == 12 && load_be32(bytes) == 0x0101080A) {
        out->present = LTCP_HAS_TIMESTAMPS;
        out->ts_value = load_be32(bytes + 4);
        out->ts_echo = load_be32(bytes + 8);
        return LTCP_OK;
    }
    return ltcp_options_decode_any(bytes, length, out);
}

#endif
