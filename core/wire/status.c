/* core/wire/status.c - the words of enum ltcp_status, from its list in types.h. */
#include "lunatcp/types.h"

static const struct {
    const char *name, *code, *message;
} words[] = {
#define WORDS(name, code, message) {"LTCP_" #name, code, message},
    LTCP_STATUS_LIST(WORDS)
#undef WORDS
};

static bool known(enum ltcp_status status)
{
    return (unsigned)status < LTCP_STATUS_COUNT;
}

const char *ltcp_status_name(enum ltcp_status status)
{
    return known(status) ? words[status].name : "LTCP_?";
}

const char *ltcp_status_code(enum ltcp_status status)
{
    return known(status) ? words[status].code : "";
}

const char *ltcp_status_message(enum ltcp_status status)
{
    return known(status) ? words[status].message : "unknown status";
}
