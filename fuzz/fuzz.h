/* fuzz/fuzz.h - what the fuzzers share. */
#ifndef LUNATCP_FUZZ_H
#define LUNATCP_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A pool's memory: struct ltcp_allocator. */
static inline void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    if (size > 0) return realloc(old, size);
    free(old);
    return NULL;
}

static inline void must(int good)
{
    if (!good) abort();
}

#endif
