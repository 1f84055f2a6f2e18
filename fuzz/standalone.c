/* fuzz/standalone.c - a fuzz target without libFuzzer: runs it on each file that is given.
 *
 *   fuzz_NAME [-runs=N] FILE...
 *
 * With -runs each file is also run N times with a few bytes changed, always the same ones. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 20 };

/* Gives the target bytes of their own, so that a sanitizer sees what lies behind them. */
static void run_on(const uint8_t *data, size_t size)
{
    uint8_t *own = malloc(size > 0 ? size : 1);
    if (own == NULL) exit(1);
    memcpy(own, data, size);
    LLVMFuzzerTestOneInput(own, size);
    free(own);
}

static void run_changed(uint8_t *data, size_t size, long runs)
{
    uint32_t state = 1;
    uint8_t *changed = malloc(size);
    if (changed == NULL) exit(1);
    for (long run = 0; run < runs; run++) {
        memcpy(changed, data, size);
        for (uint32_t n = 0; n <= state >> 28; n++) {
            state = state * 1664525u + 1013904223u;
            changed[(state >> 8) % size] = (uint8_t)(state >> 3);
        }
        size_t length = state >> 24 < 200 ? size : (state >> 8) % size;
        run_on(changed, length);
    }
    free(changed);
}

int main(int argc, char **argv)
{
    static uint8_t data[LARGEST];
    long runs = 0;
    int files = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            runs = strtol(argv[i] + 6, NULL, 10);
            continue;
        }
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        run_on(data, size);
        if (size > 0) run_changed(data, size, runs);
        files++;
    }
    printf("%d files run\n", files);
    return 0;
}
