/* SPDX-License-Identifier: MIT */
/* Which memory is whose: one pointer a thread. */
#include "base/scratch.h"

#include <stddef.h>

static _Thread_local float *lent;

float *stoa_scratch(void) {
    return lent;
}

float *stoa_scratch_use(float *memory) {
    float *before = lent;
    lent = memory;
    return before;
}
