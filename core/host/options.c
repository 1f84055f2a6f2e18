/* core/host/options.c
 *
 * Options of illegal forms are ignored, as their RFCs say, and counted: of an illegal length, in
 * the wrong place, or more than once (then the last counts, as no RFC says otherwise). Values that
 * cannot be, and options that were not agreed, are found where they would be used. A length that
 * breaks the list itself refuses the segment (LTCP_ERR_OPTION_LENGTH). */
#include "host/fast_open.h"

/* RFC 9293 section 3.2, RFC7323:2.2-2, RFC 2018 section 2: these are of SYNs. */
#define OF_SYNS (LTCP_HAS_MSS | LTCP_HAS_WINDOW_SCALE | LTCP_HAS_SACK_PERMITTED)

void options_look(struct ltcp_host *host, const struct ltcp_segment *s)
{
    struct ltcp_option_counters *n = &host->engine.options;
    const unsigned present = s->options.present;
    if (present & LTCP_HAS_MALFORMED) n->malformed++;
    if (present & LTCP_HAS_REPEATED) n->repeated++;
    if (!(s->flags & LTCP_SYN) && (present & OF_SYNS)) n->misplaced++;
    if (present & (LTCP_HAS_FAST_OPEN | LTCP_HAS_BAD_FAST_OPEN)) fast_open_look(host, s);
}
