/* core/tcp/settings.c - the profiles, and settings by name, all from one list. */
#include "lunatcp/settings.h"

#include <string.h>

#include "lunatcp/congestion.h"
#include "lunatcp/wire.h"

/* Other segments carry timestamps before SACK everywhere; the order within a SYN differs. */
#define ORDERS                                                                                     \
    .other_options = {LTCP_OPTION_TIMESTAMPS, LTCP_OPTION_USER_TIMEOUT, LTCP_OPTION_SACK,          \
                      LTCP_OPTION_ACCECN0},                                                        \
    .other_options_count = 4

#define RFC_VALUE(kind, name, rfc, linux_, least, most, what)   .name = rfc,
#define LINUX_VALUE(kind, name, rfc, linux_, least, most, what) .name = linux_,

const struct ltcp_settings ltcp_profile_rfc = {
    LTCP_SETTINGS_LIST(RFC_VALUE) ORDERS,
    .congestion = &ltcp_newreno,
    .syn_options = {LTCP_OPTION_MSS, LTCP_OPTION_WINDOW_SCALE, LTCP_OPTION_SACK_PERMITTED,
                    LTCP_OPTION_TIMESTAMPS, LTCP_OPTION_ACCECN0, LTCP_OPTION_FAST_OPEN,
                    LTCP_OPTION_USER_TIMEOUT},
    .syn_options_count = 7,
};
/* RFC9937:5-2 */
const struct ltcp_settings ltcp_profile_linux = {
    LTCP_SETTINGS_LIST(LINUX_VALUE) ORDERS,
    .congestion = &ltcp_cubic,
    .syn_options = {LTCP_OPTION_MSS, LTCP_OPTION_SACK_PERMITTED, LTCP_OPTION_TIMESTAMPS,
                    LTCP_OPTION_WINDOW_SCALE, LTCP_OPTION_ACCECN0, LTCP_OPTION_FAST_OPEN,
                    LTCP_OPTION_USER_TIMEOUT},
    .syn_options_count = 7,
};

const struct ltcp_settings *ltcp_profile(const char *name)
{
    if (strcmp(name, "rfc") == 0) return &ltcp_profile_rfc;
    if (strcmp(name, "linux") == 0) return &ltcp_profile_linux;
    return NULL;
}

#define DESCRIBE(kind, name, rfc, linux_, least, most, what)                                       \
    {#name, what, LTCP_KIND_##kind, least, most},
static const struct ltcp_setting described[] = {LTCP_SETTINGS_LIST(DESCRIBE)};
static const size_t described_count = sizeof described / sizeof *described;

const struct ltcp_setting *ltcp_setting_at(size_t i)
{
    return i < described_count ? &described[i] : NULL;
}

const struct ltcp_setting *ltcp_setting_find(const char *name)
{
    for (size_t i = 0; i < described_count; i++)
        if (strcmp(described[i].name, name) == 0) return &described[i];
    return NULL;
}

#define GET(kind, name, rfc, linux_, least, most, what)                                            \
    if (which == &described[i++]) return (int64_t)s->name;
int64_t ltcp_setting_get(const struct ltcp_settings *s, const struct ltcp_setting *which)
{
    size_t i = 0;
    LTCP_SETTINGS_LIST(GET)
    return 0;
}

#define SET_FLAG(name)  s->name = value != 0;
#define SET_COUNT(name) s->name = value;
#define SET_BYTES(name) s->name = (uint32_t)value;
#define SET_TIME(name)  s->name = value;
#define SET(kind, name, rfc, linux_, least, most, what)                                            \
    if (which == &described[i++]) {                                                                \
        SET_##kind(name) return LTCP_OK;                                                           \
    }
enum ltcp_status ltcp_setting_set(struct ltcp_settings *s, const struct ltcp_setting *which,
                                  int64_t value)
{
    size_t i = 0;
    if (value < which->least || value > which->most) return LTCP_ERR_INVALID;
    LTCP_SETTINGS_LIST(SET)
    return LTCP_ERR_INVALID;
}
