/* SPDX-License-Identifier: MIT */
/* Whether the BLAS keeps promises the engine relies on. Small integers make every order of summation exact,
 * so results are compared bit for bit. */
#include <math.h>
#include <stdatomic.h>

#include "base/size.h"
#include "blas/blas.h"
#include "core/machine.h"
#include "core/threads.h"

/* Sides of products on both sides of a BLAS's limit for small ones. */
enum { SMALL = 31, LARGE = 112, CALLS = 64, LEAST_TEAM = 4 };

struct matrices {
    float a[LARGE * LARGE], b[LARGE * LARGE], c[LARGE * LARGE];
};

/* Integers from -6 to 6 in a, -3 to 3 in b, all times `unit`; NaN in c. */
static void fill(struct matrices *x, size_t side, size_t seed, float unit) {
    for (size_t i = 0; i < side * side; i++) {
        x->a[i] = ((float)((i + seed) % 13) - 6.0F) * unit;
        x->b[i] = (float)((i + 3 * seed) % 7) - 3.0F;
        x->c[i] = NAN;
    }
}

static bool product_is_right(struct matrices *x, size_t side) {
    stoa_blas_sgemm(&(struct stoa_gemm){.m = side,
                                        .n = side,
                                        .k = side,
                                        .alpha = 1,
                                        .a = x->a,
                                        .lda = side,
                                        .b = x->b,
                                        .ldb = side,
                                        .c = x->c,
                                        .ldc = side});
    for (size_t i = 0; i < side; i++) {
        for (size_t j = 0; j < side; j++) {
            double sum = 0;
            for (size_t l = 0; l < side; l++) {
                sum += (double)x->a[i * side + l] * (double)x->b[l * side + j];
            }
            if (!((double)x->c[i * side + j] == sum)) { /* NaN fails */
                return false;
            }
        }
    }
    return true;
}

struct crowd {
    struct matrices *each; /* one a thread */
    atomic_size_t wrong;
};

static void multiply(void *argument, size_t task, size_t thread) {
    struct crowd *crowd = argument;
    size_t side = task % 2 ? SMALL : LARGE - task % 5;
    fill(&crowd->each[thread], side, task, 1);
    if (!product_is_right(&crowd->each[thread], side)) {
        atomic_fetch_add(&crowd->wrong, 1);
    }
}

/* More threads than CPUs, so that they also take the CPU from each other in the middle of a product. */
static bool concurrent(stoa_context *team, struct matrices *each) {
    struct crowd crowd = {.each = each};
    stoa_parallel(team, CALLS, multiply, &crowd);
    return atomic_load(&crowd.wrong) == 0;
}

/* Products of denormals by small integers are denormals and exact. */
static bool keeps_denormals(struct matrices *x) {
    fill(x, SMALL, 0, 0x1p-149F);
    bool small = product_is_right(x, SMALL);
    fill(x, LARGE, 0, 0x1p-149F);
    return small && product_is_right(x, LARGE);
}

stoa_status stoa_blas_check(stoa_context *context, stoa_blas_checks *checks) {
    size_t threads = stoa_max(context->threads, LEAST_TEAM);
    size_t bytes = threads * sizeof(struct matrices);
    struct matrices *each = stoa_allocate(context, bytes, "BLAS check");
    float *scratch = each ? stoa_allocate(context, stoa_scratch_bytes(threads), "BLAS check") : NULL;
    if (!scratch) {
        stoa_release(context, each, bytes);
        return STOA_ERR_MEMORY;
    }
    stoa_context team;
    stoa_team_open(context, threads, &team);
    team.scratch = scratch;
    stoa_blas_enter();
    checks->concurrent = concurrent(&team, each);
    float *before = stoa_scratch_use(scratch);
    checks->denormals = keeps_denormals(each);
    (void)stoa_scratch_use(before);
    checks->beta_zero = stoa_blas_overwrites();
    stoa_blas_leave();
    stoa_team_close(&team);
    stoa_release(context, scratch, stoa_scratch_bytes(threads));
    stoa_release(context, each, bytes);
    return STOA_OK;
}
