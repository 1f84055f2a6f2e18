/* core/host/isn.c - initial sequence numbers, RFC 9293 section 3.4.1 and RFC 6528. */
#include <string.h>

#include "host/host.h"

static uint64_t prf(const struct ltcp_host *host, const struct ltcp_flow *flow, uint8_t purpose)
{
    uint8_t text[37];
    memcpy(text, flow->local.bytes, 16);
    memcpy(text + 16, flow->remote.bytes, 16);
    text[32] = (uint8_t)(flow->local_port >> 8);
    text[33] = (uint8_t)flow->local_port;
    text[34] = (uint8_t)(flow->remote_port >> 8);
    text[35] = (uint8_t)flow->remote_port;
    text[36] = purpose;
    return ltcp_siphash(&host->secret, text, sizeof text);
}

/* RFC6528:3-1: ISN = M + F(localip, localport, remoteip, remoteport, secretkey): a clock that ticks
 * every 4 us (RFC9293:MUST-8) and a function that outsiders cannot compute (RFC9293:MUST-9, SHLD-1;
 * RFC6528:3-2), keyed by 128 bits (RFC6528:3-3). RFC5925:5.2-4 */
ltcp_seq isn_choose(const struct ltcp_host *host, const struct ltcp_flow *flow,
                    const struct ltcp_settings *settings, ltcp_time now)
{
    if (settings->isn >= 0) return ltcp_seq_of((uint32_t)settings->isn);
    const uint64_t m = (uint64_t)(now / (4 * LTCP_MICROSECOND));
    return ltcp_seq_of((uint32_t)(m + prf(host, flow, 0)));
}

/* RFC 7323 section 5.4: a different origin of the clock for each pair of sockets; the same for each
 * incarnation, so that a later one's values are later (section 5.8). */
uint32_t timestamp_choose(const struct ltcp_host *host, const struct ltcp_flow *flow,
                          const struct ltcp_settings *settings, ltcp_time now)
{
    if (settings->timestamp_offset >= 0) return (uint32_t)settings->timestamp_offset;
    return (uint32_t)(prf(host, flow, 1) + (uint64_t)(now / LTCP_MILLISECOND));
}
