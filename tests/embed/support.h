/* SPDX-License-Identifier: MIT */
/* What the tests of the public face share: contexts to try, buffers without alignment that know their ends,
 * comparison. Public headers only. */
#ifndef STOA_TESTS_EMBED_SUPPORT_H
#define STOA_TESTS_EMBED_SUPPORT_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

#include "../base/cmocka_prelude.h"

static const float CANARY = 12345.678F;

/* `count` floats that are all NaN, between two canaries, at an address that is a multiple of 4 and not of 8.
 */
static inline float *new_floats(size_t count) {
    float *memory = malloc((count + 2) * sizeof *memory);
    if (!memory) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        memory[1 + i] = NAN;
    }
    memory[0] = memory[count + 1] = CANARY;
    return memory + 1;
}

static inline void free_floats(float *floats, size_t count) {
    if (floats) {
        assert_true(memcmp(&floats[-1], &CANARY, sizeof CANARY) == 0);
        assert_true(memcmp(&floats[count], &CANARY, sizeof CANARY) == 0);
        free(floats - 1);
    }
}

/* Numbers in [-1, 1) from a seed. */
static inline void fill(float *floats, size_t count, uint32_t seed) {
    uint32_t state = seed * 2654435761U + 12345U;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525U + 1013904223U;
        floats[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
}

static inline float *new_filled(size_t count, uint32_t seed) {
    float *floats = new_floats(count);
    fill(floats, count, seed);
    return floats;
}

/* |got - expected| <= tolerance for all; NaN fails. */
static inline void check_close(const char *what, const float *got, const double *expected, size_t count,
                               double tolerance) {
    for (size_t i = 0; i < count; i++) {
        if (!(fabs((double)got[i] - expected[i]) <= tolerance)) {
            fail_msg("%s[%zu] is %g, expected %g within %g", what, i, (double)got[i], expected[i], tolerance);
        }
    }
}

static inline double *new_doubles(size_t count) {
    double *doubles = calloc(count, sizeof *doubles);
    if (!doubles) {
        abort();
    }
    return doubles;
}

/* A workspace of exactly this size, 64-byte aligned; NULL for none. */
static inline void *new_workspace(size_t bytes) {
    void *memory = NULL;
    if (bytes && posix_memalign(&memory, 64, bytes) != 0) {
        abort();
    }
    if (memory) {
        memset(memory, 0xFF, bytes);
    }
    return memory;
}

static inline stoa_context *new_context(size_t threads, stoa_policy policy, size_t workspace_limit) {
    stoa_context_options options = {.threads = threads, .policy = policy, .workspace_limit = workspace_limit};
    stoa_context *context = NULL;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        abort();
    }
    return context;
}

/* A call is refused with this status, and the sentence holds this text. */
static inline void check_refused(const stoa_context *context, stoa_status got, stoa_status expected,
                                 const char *text) {
    if (got != expected || !strstr(stoa_context_error(context), text)) {
        fail_msg("found status %d \"%s\", expected %d with \"%s\"", (int)got, stoa_context_error(context),
                 (int)expected, text);
    }
}

#endif
