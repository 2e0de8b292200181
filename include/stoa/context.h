/* SPDX-License-Identifier: MIT */
/** @file
 * The context: threads, instruction set, numeric policy, memory hooks and the last error.
 *
 * Every call takes a context or an object made from one. The library reads no environment variable, prints
 * nothing and never exits. Beside its objects it keeps only what is the process's own: which BLAS it found
 * and what that is good at, how many threads are inside (during a call the BLAS's number of threads is 1),
 * handlers of fork(), and the numbers that put blocks of memory apart. A context is used by one thread at a
 * time; make one per thread (each of its threads has 336 KiB of scratch, which takes no memory before it is
 * touched). Models may be shared read-only between contexts.
 *
 * Floating-point state: a call computes, in the caller's thread and in its own, rounding to nearest, without
 * traps, and with numbers too small to be normal (below 1.2e-38 as floats) read and written as zero, on
 * x86-64 (MXCSR) and AArch64 (FPCR); other CPUs keep such numbers. So results do not depend on the state of
 * the calling thread, which it finds as it was, exception flags included. Callbacks that tell of progress or
 * results run in the caller's state; memory hooks and the log may be called in the library's.
 * stoa_gradcheck(), whose references are doubles, computes in the same state. Calls that only copy numbers do
 * not change them.
 *
 * Stack: a call needs at most 32 KiB, beyond what the BLAS takes: 4 to 12 KiB for the products of OpenBLAS
 * 0.3.21, by core. The C library counts a thread's thread-local variables to its stack: 60 KiB are those of
 * Debian 12's OpenBLAS. The library's own threads have stacks of 1 MiB, whatever the limits of the
 * process. */
#ifndef STOA_CONTEXT_H
#define STOA_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What every call works with. */
typedef struct stoa_context stoa_context;

/** Instruction sets that kernels are compiled for, lowest first. */
typedef enum stoa_isa {
    STOA_ISA_BASE,   /**< the platform's baseline: SSE2 on x86-64, NEON on aarch64 */
    STOA_ISA_AVX2,   /**< AVX2 and FMA */
    STOA_ISA_AVX512, /**< AVX-512 F, BW, DQ, VL */
    STOA_ISA_COUNT   /**< how many there are */
} stoa_isa;

/** How products may be computed.
 *
 * Plain sums, and all of policy `exact`, are off by some roundings of an output's own terms, sum(|x||w|). By
 * default convolutions may run by Winograd's method (stoa_plan_step_at() and `stoa plan` say which), which
 * mixes the numbers of a tile:
 * - an output is off by at most 3e-5 of the sum over channels of (largest |x| less than 8 pixels away) *
 *   (largest |w| of the kernel), for all data tried; on even data that is below 4e-6 of the layer's largest
 *   sum(|x||w|), on sparse or heavy-tailed data outputs beside large pixels, small themselves, are off by
 *   more of their own size. Gradients likewise;
 * - it overflows from |x| of about 1e36 on, where plain sums do not;
 * - a NaN or an infinity reaches all outputs of its tile, up to 7 pixels away.
 * Policy `exact` has none of it. */
typedef enum stoa_policy {
    STOA_POLICY_DEFAULT, /**< fast algorithms within the error bounds above */
    STOA_POLICY_EXACT,   /**< plain sgemm summation order: no Winograd */
    STOA_POLICY_BLAS     /**< every product through cblas_sgemm, for comparison */
} stoa_policy;

/** Memory hooks. `allocate` returns at least `bytes` bytes aligned to `alignment` (a power of two), or NULL;
 * `release` takes what `allocate` returned and the same size. Both may be called from the thread that uses
 * the context only. They serve arenas, parameters, data and the scratch of a context's threads; small
 * bookkeeping uses malloc.
 *
 * Without hooks memory comes from posix_memalign() and goes back by free(). Blocks of 2 MiB and more then
 * begin some lines of a cache behind a multiple of 2 MiB, each elsewhere than the one before, so that arrays
 * read side by side do not meet in the same sets; on Linux they ask for transparent huge pages (madvise()
 * with MADV_HUGEPAGE), with which large layers are faster and vary less from process to process. A block
 * grows by a third at most for that. */
typedef struct stoa_allocator {
    void *(*allocate)(void *user, size_t bytes, size_t alignment); /**< NULL when there is no memory */
    void (*release)(void *user, void *memory, size_t bytes);       /**< never called with NULL */
    void *user;                                                    /**< handed to both */
} stoa_allocator;

/** Options of stoa_context_create(); all zero is a good default. A host that has threads of its own gives
 * them by `parallel_for`; one with several contexts lets them share by `threads_of`. */
typedef struct stoa_context_options {
    /** 1 to 256; 0: as many as the process may use CPUs, by its affinity and, on Linux, by the CPU quota of
     * its control groups, of which a part of a CPU counts as a whole. */
    size_t threads;
    /** Bytes that a thread may use for a convolution's columns or tiles, from 16 KiB; 0: 1 MiB. Parts of
     * different threads lie up to a quarter of it apart. What the threads of a pass share, or each has for
     * itself (transposed or transformed weights, tiles of wide layers and half as much again for their sums,
     * sums of weight gradients), stays below 64 times as much; where that is too little, slower ways need
     * less. A plan whose columns of a single pixel are larger is refused. */
    size_t workspace_limit;
    stoa_policy policy;       /**< how products may be computed */
    stoa_isa highest_isa;     /**< use nothing above this; ignored unless limit_isa is set */
    bool limit_isa;           /**< highest_isa counts */
    stoa_allocator allocator; /**< both functions or neither */
    void (*log)(void *user,
                const char *line); /**< receives one line of advice at a time, no newline; or NULL */
    void *log_user;                /**< handed to log */
    /** Share the threads of another context, whose number is this one's (`threads` is 0 or that). Each of the
     * two is used by a thread of its own; when both compute at the same time, a loop that finds the threads
     * busy runs in its caller's thread alone, with the same results. Contexts may be freed in any order: one
     * whose threads are lent is gone when the last borrower is, and its memory hooks are called then. NULL:
     * threads of its own. */
    stoa_context *threads_of;
    /** The host's threads instead of ones that the library starts: calls body(argument, i) for every i below
     * `count`, on whichever threads and in any order, and returns when all calls have. `count` is at most
     * `threads`. Calls share out the work among themselves and never wait for each other, so that one thread
     * after the other is right too. It is called from the thread that uses the context, and once for every
     * loop: many times a millisecond. Only stoa_measure_...() and stoa_blas_check(), which measure the
     * machine, start threads all the same. NULL: the library's own threads. */
    void (*parallel_for)(void *user, size_t count, void (*body)(void *argument, size_t index),
                         void *argument);
    void *parallel_for_user; /**< handed to parallel_for */
} stoa_context_options;

/** Make a context.
 *
 * @param options  NULL for the defaults; copied.
 * @param[out] context  Set only on STOA_OK; release with stoa_context_free().
 * Errors: STOA_ERR_ARGUMENT (threads over 256, a limit under 16 KiB, one memory hook without the other,
 * `threads_of` with another number of threads or with `parallel_for`), STOA_ERR_MEMORY.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_context_create(const stoa_context_options *options,
                                                         stoa_context **context);

/** Release `context`. Everything made from it must have been released before. NULL is allowed. */
STOA_API void stoa_context_free(stoa_context *context);

/** The sentence of the last call that failed with `context`, with the offending values; "" when none has.
 * Valid until the next call with the context. */
STOA_API const char *stoa_context_error(const stoa_context *context);

/** Number of threads `context` runs on. */
STOA_API size_t stoa_context_threads(const stoa_context *context);

/** Instruction set that `context` uses. */
STOA_API stoa_isa stoa_context_isa(const stoa_context *context);

/** Numeric policy that `context` uses. */
STOA_API stoa_policy stoa_context_policy(const stoa_context *context);

/** Compute convolutions with one algorithm wherever it can, for comparison; elsewhere the choice stays the
 * library's. Plans keep the algorithms that they were made with.
 *
 * @param context  Changed; existing plans are not.
 * @param name  "im2col", "depthwise", ...; NULL: choose the fastest by shape again.
 * Errors: STOA_ERR_ARGUMENT (no such algorithm; the sentence lists them), and nothing has changed.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_context_set_conv(stoa_context *context, const char *name);

/** Name of the algorithm that stoa_context_set_conv() asked for; NULL when the library chooses. The library's
 * own text. */
STOA_API const char *stoa_context_conv(const stoa_context *context);

/** Decide by another tuning table, which holds the sizes of blocks and the costs that algorithms are chosen
 * by. A context begins with the table of its CPU's class, by vendor, family and model. Results follow from
 * the table, as they do from the instruction set; with the table's name and sum they can be repeated
 * elsewhere. Plans keep the table that they were made with; a model file tells the context's when it was
 * saved.
 *
 * @param context  Changed; existing plans are not.
 * @param table  Name of a table that ships (stoa_tuning_name()), or the path of a file, with a '.' or '/' in
 * it, such as `stoa-bench fit` writes; it is read here. NULL: by the CPU again.
 * Errors: STOA_ERR_ARGUMENT (no such table; the sentence lists them), STOA_ERR_NOT_FOUND, STOA_ERR_IO,
 * STOA_ERR_FORMAT (the sentence says file, line, what was found and what was expected), STOA_ERR_MEMORY; and
 * nothing has changed.
 */
STOA_API STOA_MUST_CHECK stoa_status stoa_context_set_tuning(stoa_context *context, const char *table);

/** Name of the context's tuning table: "zen4", or that of the file without ".tuning". Valid as long as the
 * context. */
STOA_API const char *stoa_context_tuning(const stoa_context *context);

/** Checksum of all values of the context's tuning table, eight hexadecimal digits. Valid as long as the
 * context. */
STOA_API const char *stoa_context_tuning_sum(const stoa_context *context);

/** Name of a tuning table that ships, from 0; NULL past the last. The library's own text. */
STOA_API const char *stoa_tuning_name(size_t index);

/** Highest instruction set this CPU and this build support. */
STOA_API stoa_isa stoa_isa_best(void);

/** Name of `isa`: "base", "avx2", "avx512"; NULL when out of range. */
STOA_API const char *stoa_isa_name(stoa_isa isa);

/** Name of `policy`: "default", "exact", "blas"; NULL when out of range. */
STOA_API const char *stoa_policy_name(stoa_policy policy);

#ifdef __cplusplus
}
#endif
#endif
