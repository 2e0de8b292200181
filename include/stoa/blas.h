/* SPDX-License-Identifier: MIT */
/** @file
 * The BLAS underneath: what it is, and how to make OpenBLAS use the CPU it runs on. */
#ifndef STOA_BLAS_H
#define STOA_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What is known of the BLAS that is linked. Strings are static storage or belong to the BLAS. */
typedef struct stoa_blas_info {
    const char *name;        /**< "OpenBLAS", "BLIS", "MKL" or "cblas" when unknown */
    const char *version;     /**< as it describes itself; "" when unknown */
    const char *core;        /**< CPU core its kernels are for; "" when unknown */
    const char *threading;   /**< "pthread", "openmp", "single" or "" when unknown */
    size_t threads;          /**< threads it would use now for a caller of its own; 0 when unknown */
    int integer_bits;        /**< width of its integers: 32 or 64; 0 when unknown */
    const char *better_core; /**< a core that suits this CPU better, or NULL */
} stoa_blas_info;

/** Describe the BLAS in `*info`. */
STOA_API void stoa_blas_describe(stoa_blas_info *info);

/** Switch OpenBLAS in place to the core that suits this CPU, where it chose a weaker one.
 *
 * A distribution's OpenBLAS may not know a newer CPU and then runs at half its speed. Does nothing and
 * returns STOA_OK when the core is already right or the user set OPENBLAS_CORETYPE. The environment is left
 * as it was, and a product is verified afterwards; on a wrong result the old core is put back.
 *
 * @param context  Receives the sentence of an error.
 * Errors: STOA_ERR_UNSUPPORTED (not an OpenBLAS that can be switched), STOA_ERR_NONFINITE (the new core
 * computed a wrong product; the old one is back).
 * Threads: no other thread may be inside BLAS or change the environment during the call.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_blas_tune(stoa_context *context);

#ifdef __cplusplus
}
#endif
#endif
