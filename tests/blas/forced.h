/* SPDX-License-Identifier: MIT */
/* Whether OPENBLAS_CORETYPE names a core that this CPU cannot run, or that the tests are held below: the
 * first product would end the program. */
#ifndef TESTS_BLAS_FORCED_H
#define TESTS_BLAS_FORCED_H

#include <stdbool.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "blas/vendor.h"

enum { SKIPPED = 77 }; /* the exit status that meson takes for a skipped test */

static inline bool forced_core_is_beyond(void) {
    const char *forced = getenv("OPENBLAS_CORETYPE");
    const char *best = stoa_cpu_blas_core();
    return forced && stoa_blas_core_rank(forced) > (best ? stoa_blas_core_rank(best) : 0);
}

#endif
