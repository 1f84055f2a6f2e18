/* core/congestion/registry.c - the algorithms by name; others than RFC 5681's: RFC9293:MAY-18. */
#include <string.h>

#include "lunatcp/congestion.h"
#include "lunatcp/settings.h"

static const struct ltcp_congestion_ops *const algorithms[] = {
    &ltcp_newreno, &ltcp_cubic, &ltcp_dctcp, &ltcp_prague, &ltcp_bbr, &ltcp_bbr1, &ltcp_fixed};

const struct ltcp_congestion_ops *ltcp_congestion_at(size_t i)
{
    return i < sizeof algorithms / sizeof *algorithms ? algorithms[i] : NULL;
}

const struct ltcp_congestion_ops *ltcp_congestion_find(const char *name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcmp(algorithms[i]->name, name) == 0) return algorithms[i];
    return NULL;
}

const struct ltcp_congestion_ops *ltcp_congestion_for(const struct ltcp_settings *settings)
{
    const bool validated = settings->window_validation && settings->congestion == &ltcp_newreno;
    if (settings->congestion == &ltcp_cubic) {
        if (settings->cubic_segments)
            return settings->hystart_classic ? &ltcp_cubic_classic_segments : &ltcp_cubic_segments;
        return settings->hystart_classic ? &ltcp_cubic_classic : &ltcp_cubic;
    }
    return validated ? &ltcp_newreno_validated : settings->congestion;
}

uint8_t ltcp_congestion_switches(const struct ltcp_settings *settings, bool sack)
{
    unsigned switches = 0;
    if (settings->hystart) switches |= LTCP_CC_HYSTART;
    if (settings->abe) switches |= LTCP_CC_ABE;
    if (settings->fast_convergence) switches |= LTCP_CC_FAST_CONVERGENCE;
    if (settings->window_validation) switches |= LTCP_CC_VALIDATION;
    if (settings->byte_counting) switches |= LTCP_CC_BYTE_COUNTING;
    if (settings->pacing) switches |= LTCP_CC_PACED;
    if (settings->rtt_independence) switches |= LTCP_CC_RTT_INDEPENDENCE;
    if (sack) switches |= LTCP_CC_SACK;
    return (uint8_t)switches;
}
