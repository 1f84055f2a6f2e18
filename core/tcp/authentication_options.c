/* core/tcp/authentication_options.c - which signatures a segment carries, if in their own form. */
#include "tcp/authentication.h"

void signatures_find(const struct ltcp_segment *s, struct ltcp_signatures *out)
{
    size_t cursor = 0;
    struct ltcp_raw_option raw;
    *out = (struct ltcp_signatures){0};
    /* RFC5925:2.2-4: what reaches past the header ended the decoding of the segment. */
    while (ltcp_options_next(s->options_bytes, s->options_length, &cursor, &raw)) {
        if (raw.kind == LTCP_OPTION_END) break;
        if (raw.kind == LTCP_OPTION_MD5) {
            out->malformed |= raw.data_length != LTCP_MD5_DIGEST || out->md5 != NULL;
            out->md5 = raw.data - 2;
        } else if (raw.kind == LTCP_OPTION_AO) {
            /* RFC5925:2.2-3: 4 at least; RFC5925:2.2-2: one only. */
            out->malformed |= raw.data_length < 2 || out->ao != NULL;
            out->ao = raw.data - 2;
            out->ao_length = (uint8_t)(raw.data_length + 2);
        }
    }
    out->malformed |= out->md5 != NULL && out->ao != NULL; /* RFC5925:2.2-1 */
}
