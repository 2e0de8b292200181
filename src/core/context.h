/* SPDX-License-Identifier: MIT */
/* The context's inside and the memory it hands out. */
#ifndef STOA_CORE_CONTEXT_H
#define STOA_CORE_CONTEXT_H

#include <stdatomic.h>
#include <stoa/context.h>

#include "base/error.h"
#include "base/scratch.h"
#include "kernels/kernels.h"

struct stoa_pool;           /* core/threads.c */
struct stoa_conv_algorithm; /* conv/conv.h */
struct stoa_tuning;         /* core/tuning.h */
struct stoa_tuning_read;    /* core/tuning.c */

/* The threads of a context, which others may share: one loop at a time. */
struct stoa_workers {
    atomic_flag busy;       /* taken by the context whose loop they run */
    struct stoa_pool *pool; /* made when the first loop runs in parallel */
    /* The host's own threads instead of the pool's; NULL: the pool's. */
    void (*parallel_for)(void *user, size_t count, void (*body)(void *argument, size_t index),
                         void *argument);
    void *user;
};

struct stoa_context {
    struct stoa_error error;
    const struct stoa_kernels *kernels;
    const struct stoa_tuning *tuning; /* never NULL */
    struct stoa_tuning_read *tunings; /* tables that were read from files for this context */
    stoa_isa isa;
    stoa_policy policy;
    size_t threads;
    bool alone; /* a view for one task of a parallel loop: what it runs is not cut for other threads */
    size_t workspace_limit;                 /* bytes of columns one thread may use */
    const struct stoa_conv_algorithm *conv; /* asked for; NULL: the cheapest */
    stoa_allocator allocator;
    float *scratch; /* STOA_SCRATCH_FLOATS for each of its own threads, see base/scratch.h */
    size_t scratch_bytes;
    void (*log)(void *user, const char *line);
    void *log_user;
    struct stoa_workers *workers; /* its own, or those of the lender; a pointer, so that a loop can take the
                                   * context as const */
    struct stoa_workers own_workers;
    stoa_context *lender;
    atomic_size_t users; /* the context itself, until it is freed, and those that its workers are lent to */
};

/* Bytes of scratch for so many threads. */
static inline size_t stoa_scratch_bytes(size_t threads) {
    return threads * STOA_SCRATCH_FLOATS * sizeof(float);
}

/* Whether the policy asks for products in sgemm's own order of summation: see struct stoa_gemm. */
static inline bool stoa_plain_products(const stoa_context *context) {
    return context->policy != STOA_POLICY_DEFAULT;
}

/* A view of `context` with a single thread, for what runs inside of a task of a parallel loop: it owns
 * nothing, has an error of its own and is not freed. */
void stoa_context_view_serial(const stoa_context *context, stoa_context *view);

/* Set the context's error and return its status. */
__attribute__((format(printf, 3, 4))) stoa_status stoa_fail(stoa_context *context, stoa_status status,
                                                            const char *format, ...);

/* `bytes` bytes aligned to STOA_ALIGN_BYTES from the context's allocator; NULL with the error set when there
 * are none. Release with the same size. `what` names the use in the error sentence. */
void *stoa_allocate(stoa_context *context, size_t bytes, const char *what);
void stoa_release(stoa_context *context, void *memory, size_t bytes);

/* A line of advice to the log callback, if there is one. */
__attribute__((format(printf, 2, 3))) void stoa_log(const stoa_context *context, const char *format, ...);

#endif
