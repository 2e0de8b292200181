/* SPDX-License-Identifier: MIT */
/* Whether the BLAS keeps promises the engine relies on. */
#include <stdatomic.h>

#include "base/size.h"
#include "blas/blas.h"
#include "blas/workarounds.h"
#include "core/machine.h"
#include "core/threads.h"

/* Sides of products on both sides of a BLAS's limit for small ones. */
enum { SMALL = 31, LARGE = 112, CALLS = 64, LEAST_TEAM = 4, FLOATS = 3 * LARGE * LARGE };

struct crowd {
    float *each; /* matrices of each thread */
    atomic_size_t wrong;
};

static void multiply(void *argument, size_t task, size_t thread) {
    struct crowd *crowd = argument;
    size_t side = task % 2 ? SMALL : LARGE - task % 5;
    if (!stoa_blas_is_right(crowd->each + thread * FLOATS, side, task, 1)) {
        atomic_fetch_add(&crowd->wrong, 1);
    }
}

/* More threads than CPUs, so that they also take the CPU from each other in the middle of a product. */
static bool concurrent(stoa_context *team, float *each) {
    struct crowd crowd = {.each = each};
    stoa_parallel(team, CALLS, multiply, &crowd);
    return atomic_load(&crowd.wrong) == 0;
}

/* Products of denormals by small integers are denormals and exact. */
static bool keeps_denormals(float *matrices) {
    return stoa_blas_is_right(matrices, SMALL, 0, 0x1p-149F) &&
           stoa_blas_is_right(matrices, LARGE, 0, 0x1p-149F);
}

stoa_status stoa_blas_check(stoa_context *context, stoa_blas_checks *checks) {
    size_t threads = stoa_max(context->threads, LEAST_TEAM);
    size_t bytes = threads * FLOATS * sizeof(float);
    float *each = stoa_allocate(context, bytes, "BLAS check");
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
    checks->beta_zero = stoa_blas_ways()->overwrites;
    stoa_blas_leave();
    stoa_team_close(&team);
    stoa_release(context, scratch, stoa_scratch_bytes(threads));
    stoa_release(context, each, bytes);
    return STOA_OK;
}
