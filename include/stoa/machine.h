/* SPDX-License-Identifier: MIT */
/** @file
 * What the machine and its BLAS can do, measured on the spot: for `stoa doctor`, the bench, and programs that
 * want to know. Every call takes at most the seconds it is given, roughly, and as many threads as the context
 * has; each of them stays on one CPU while it measures, and the caller's own set of CPUs is put back. Rates
 * are the best of several rounds. Results are set on STOA_OK only.
 * Errors: STOA_ERR_ARGUMENT (seconds not above 0 or above 3600, more threads than the context has, dimensions
 * not from 1 to 2^30), STOA_ERR_MEMORY. */
#ifndef STOA_MACHINE_H
#define STOA_MACHINE_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Highest rate of fused multiply-add on independent accumulators in registers, `*gflops` in GFLOP/s, on
 * `threads` threads (0: the context's). The limit that every product is measured against. */
STOA_API STOA_MUST_CHECK stoa_status stoa_measure_fma(stoa_context *context, size_t threads, double seconds,
                                                      double *gflops);

/** Best rate of c[m][n] = a[m][k] b[k][n], `*gflops` in GFLOP/s: one product at a time through the engine's
 * door, cut over `threads` threads (0: the context's). */
STOA_API STOA_MUST_CHECK stoa_status stoa_measure_gemm(stoa_context *context, size_t m, size_t n, size_t k,
                                                       size_t threads, double seconds, double *gflops);

/** Memory bandwidth of y = x + y over arrays that no cache holds, `*gigabytes_per_second` (all bytes read and
 * written). */
STOA_API STOA_MUST_CHECK stoa_status stoa_measure_bandwidth(stoa_context *context, double seconds,
                                                            double *gigabytes_per_second);

/** Median time for a cache line to go from one thread's CPU to another's, in nanoseconds; 0 with one CPU
 * or a context of one thread. */
STOA_API STOA_MUST_CHECK stoa_status stoa_measure_latency(stoa_context *context, double seconds,
                                                          double *nanoseconds);

/** Largest m * n * k for which this BLAS multiplies without packing, found by timing products around the
 * known limit; 0 when no such step shows. */
STOA_API STOA_MUST_CHECK stoa_status stoa_measure_small_limit(stoa_context *context, double seconds,
                                                              size_t *limit);

/** Whether the BLAS keeps promises the engine relies on. */
typedef struct stoa_blas_checks {
    bool concurrent; /**< products called from several threads at once are right */
    bool beta_zero;  /**< beta = 0 overwrites NaN in c */
    bool denormals;  /**< the BLAS itself keeps denormal numbers; the library flushes them */
} stoa_blas_checks;

/** Try the promises in stoa_blas_checks on the context's threads; the findings in `*checks`. */
STOA_API STOA_MUST_CHECK stoa_status stoa_blas_check(stoa_context *context, stoa_blas_checks *checks);

/** State of the machine that spoils measurements. Fields that cannot be read are negative. */
typedef struct stoa_machine_state {
    char cpu_model[64];       /**< "" when unknown */
    double cpu_quota;         /**< CPUs the control group may use; negative: no limit known */
    double load;              /**< load average of the last minute */
    double frequency_mhz;     /**< of the CPU now */
    double max_frequency_mhz; /**< of the CPU at best */
    int cpus;                 /**< this process may use */
    char huge_pages[16];      /**< transparent ones: "always", "madvise", "never"; "" when unknown */
} stoa_machine_state;

/** Describe the machine in `*state`; measures nothing. */
STOA_API void stoa_machine_describe(stoa_machine_state *state);

#ifdef __cplusplus
}
#endif
#endif
