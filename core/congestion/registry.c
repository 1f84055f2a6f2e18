/* core/congestion/registry.c - the algorithms by name; others than RFC 5681's: RFC9293:MAY-18. */
#include <string.h>

#include "lunatcp/congestion.h"

static const struct ltcp_congestion_ops *const algorithms[] = {&ltcp_newreno, &ltcp_fixed};

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
