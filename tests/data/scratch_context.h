/* SPDX-License-Identifier: MIT */
/* What most tests of data begin and end with: a folder of their own and a context. */
#ifndef STOA_TESTS_DATA_SCRATCH_CONTEXT_H
#define STOA_TESTS_DATA_SCRATCH_CONTEXT_H

#include <stoa/context.h>

#include "../base/scratch.h"

static struct scratch scratch;
static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    scratch_close(&scratch);
    return 0;
}

#endif
