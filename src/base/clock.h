/* SPDX-License-Identifier: MIT */
/* The clock that everything inside the library is timed with. */
#ifndef STOA_BASE_CLOCK_H
#define STOA_BASE_CLOCK_H

#include <time.h>

/* Seconds of a clock that never jumps. */
static inline double stoa_clock(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
