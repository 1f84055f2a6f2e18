/* core/socket/names.c - errno, constants and calls by name. */
#include <string.h>

#include "lunatcp/socket.h"

static const struct {
    const char *name, *text;
    int number;
} errors[] = {
#define ERRNO_ENTRY(name, number, text) {#name, text, number},
    LTCP_ERRNO_LIST(ERRNO_ENTRY)
#undef ERRNO_ENTRY
};
static const size_t error_count = sizeof errors / sizeof *errors;

const char *ltcp_errno_name(int number)
{
    for (size_t i = 0; i < error_count; i++)
        if (errors[i].number == number) return errors[i].name;
    return NULL;
}

const char *ltcp_errno_text(int number)
{
    for (size_t i = 0; i < error_count; i++)
        if (errors[i].number == number) return errors[i].text;
    return NULL;
}

int ltcp_errno_number(const char *name)
{
    if (strcmp(name, "EWOULDBLOCK") == 0) return LTCP_EAGAIN;
    if (strcmp(name, "ENOTSUP") == 0) return LTCP_EOPNOTSUPP;
    for (size_t i = 0; i < error_count; i++)
        if (strcmp(errors[i].name, name) == 0) return errors[i].number;
    return 0;
}

int ltcp_errno_of(enum ltcp_status status)
{
    return status == LTCP_OK ? 0 : ltcp_errno_number(ltcp_status_code(status));
}

static const struct ltcp_constant constants[] = {
#define CONSTANT_ENTRY(name, number) {#name, number},
    LTCP_CONSTANTS_LIST(CONSTANT_ENTRY)
#undef CONSTANT_ENTRY
        {"EPOLLET", LTCP_EPOLLET},
};
static const size_t constant_count = sizeof constants / sizeof *constants;

const struct ltcp_constant *ltcp_constant_at(size_t i)
{
    return i < constant_count ? &constants[i] : NULL;
}

bool ltcp_constant_find(const char *name, int64_t *value)
{
    for (size_t i = 0; i < constant_count; i++) {
        if (strcmp(constants[i].name, name) != 0) continue;
        *value = constants[i].value;
        return true;
    }
    return false;
}

static const char *const calls[] = {
#define CALL_ENTRY(op, name) name,
    LTCP_CALL_LIST(CALL_ENTRY)
#undef CALL_ENTRY
};

const char *ltcp_call_name(enum ltcp_call_op op)
{
    return (unsigned)op < LTCP_CALL_COUNT ? calls[op] : "?";
}

enum ltcp_call_op ltcp_call_find(const char *name)
{
    for (int i = 0; i < LTCP_CALL_COUNT; i++)
        if (strcmp(calls[i], name) == 0) return (enum ltcp_call_op)i;
    return LTCP_CALL_COUNT;
}
