/* core/test/check.h
 *
 * What the C unit tests share: checks that count, bytes written as hexadecimal text, and an
 * allocator that knows what is out and can refuse. A test is a function that checks, and main()
 * calls them all and returns check_finish(). */
#ifndef LUNATCP_TEST_CHECK_H
#define LUNATCP_TEST_CHECK_H

#include "lunatcp/types.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long check_passed, check_failed;

static inline bool check_that(bool good, const char *file, int line, const char *expression)
{
    if (good)
        check_passed++;
    else if (++check_failed <= 50)
        printf("%s:%d: %s\n", file, line, expression);
    return good;
}

static inline bool check_equal(int64_t got, int64_t want, const char *file, int line,
                               const char *expression)
{
    bool good = check_that(got == want, file, line, expression);
    if (!good && check_failed <= 50)
        printf("    got %" PRId64 " (0x%" PRIx64 "), want %" PRId64 " (0x%" PRIx64 ")\n", got,
               (uint64_t)got, want, (uint64_t)want);
    return good;
}

static inline bool check_text(const char *got, const char *want, const char *file, int line)
{
    bool good = check_that(strcmp(got, want) == 0, file, line, want);
    if (!good && check_failed <= 50) printf("    got \"%s\"\n", got);
    return good;
}

/* "45 00 0028" to bytes; spaces stand where they please. Returns how many bytes. */
static inline size_t hex_bytes(const char *text, uint8_t *out)
{
    size_t nibbles = 0;
    for (; *text != '\0'; text++) {
        const char *digits = "0123456789abcdef", *found = strchr(digits, *text);
        if (found == NULL) continue;
        uint8_t value = (uint8_t)(found - digits);
        if (nibbles % 2 == 0)
            out[nibbles / 2] = (uint8_t)(value << 4);
        else
            out[nibbles / 2] |= value;
        nibbles++;
    }
    return nibbles / 2;
}

static inline bool check_bytes(const void *got, size_t length, const char *want, const char *file,
                               int line)
{
    uint8_t bytes[4096];
    size_t wanted = hex_bytes(want, bytes);
    bool good = check_that(length == wanted && memcmp(got, bytes, wanted) == 0, file, line, want);
    if (!good && check_failed <= 50) {
        printf("    got ");
        for (size_t i = 0; i < length; i++)
            printf("%02x%s", ((const uint8_t *)got)[i], i % 4 == 3 ? " " : "");
        printf("\n");
    }
    return good;
}

#define CHECK(expression) check_that((expression), __FILE__, __LINE__, #expression)
#define CHECK_EQUAL(got, want)                                                                     \
    check_equal((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, #got " == " #want)
#define CHECK_STATUS(got, want) check_text(ltcp_status_name(got), #want, __FILE__, __LINE__)
#define CHECK_TEXT(got, want)   check_text((got), (want), __FILE__, __LINE__)
/* `want` is text for hex_bytes. */
#define CHECK_BYTES(got, length, want) check_bytes((got), (length), (want), __FILE__, __LINE__)

static inline int check_finish(void)
{
    printf("%lu passed, %lu failed\n", check_passed, check_failed);
    return check_failed == 0 ? 0 : 1;
}

/* ---- memory ------------------------------------------------------------------------------------
 */

struct check_memory {
    size_t live;    /* bytes that were taken and not given back */
    long remaining; /* how many requests are granted before all are refused; below 0: no end */
};

static inline void *check_resize(void *context, void *old, size_t old_size, size_t size)
{
    struct check_memory *memory = context;
    if (size == 0) {
        memory->live -= old_size;
        free(old);
        return NULL;
    }
    if (memory->remaining == 0) return NULL;
    if (memory->remaining > 0) memory->remaining--;
    void *piece = realloc(old, size);
    if (piece != NULL) memory->live = memory->live - old_size + size;
    return piece;
}

static inline struct ltcp_allocator check_allocator(struct check_memory *memory)
{
    *memory = (struct check_memory){0, -1};
    return (struct ltcp_allocator){check_resize, memory};
}

/* A small generator, so that tests do not lean on the one they test. */
static inline uint32_t check_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

#endif
