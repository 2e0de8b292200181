/* SPDX-License-Identifier: MIT */
/* The library on a program's own OpenMP threads: no other thread is started. The host's parallel_for is three
 * lines; compile with -fopenmp. */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/stoa.h>
#include <string.h>

static void parallel_for(void *user, size_t count, void (*body)(void *argument, size_t index),
                         void *argument) {
    size_t *loops = user;
    ++*loops;
#pragma omp parallel for schedule(static, 1)
    for (size_t i = 0; i < count; i++) {
        body(argument, i);
    }
}

enum { IMAGES = 8, SIDE = 28, IN = 16, OUT = 32, PIXELS = IMAGES * SIDE * SIDE };

static const stoa_conv2d conv = {.batch = IMAGES,
                                 .height = SIDE,
                                 .width = SIDE,
                                 .channels = IN,
                                 .filters = OUT,
                                 .kernel_height = 3,
                                 .kernel_width = 3,
                                 .pad_top = 1,
                                 .pad_bottom = 1,
                                 .pad_left = 1,
                                 .pad_right = 1};

/* y = conv(x) with this context. */
static stoa_status compute(stoa_context *context, const float *x, const float *weight, float *y) {
    stoa_conv2d_plan *plan = NULL;
    stoa_status status = stoa_conv2d_plan_create(context, &conv, NULL, &plan);
    if (status != STOA_OK) {
        return status;
    }
    size_t bytes = stoa_conv2d_plan_workspace_bytes(plan);
    void *workspace = aligned_alloc(64, (bytes + 64) / 64 * 64);
    stoa_conv2d_operands operands = {
        .x = x, .weight = weight, .y = y, .workspace = workspace, .workspace_bytes = bytes};
    for (int i = 0; i < 10 && status == STOA_OK; i++) {
        status = stoa_conv2d_plan_run(plan, IMAGES, &operands);
    }
    free(workspace);
    stoa_conv2d_plan_free(plan);
    return status;
}

int main(void) {
    static float x[PIXELS * IN];
    static float weight[3 * 3 * IN * OUT];
    static float y[2][PIXELS * OUT];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        x[i] = (float)(i % 29) / 29.0F - 0.5F;
    }
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        weight[i] = (float)(i % 31) / 31.0F - 0.5F;
    }
    size_t loops = 0;
    const stoa_context_options options[] = {
        {.threads = 4, .parallel_for = parallel_for, .parallel_for_user = &loops}, {.threads = 1}};
    for (size_t i = 0; i < 2; i++) {
        stoa_context *context = NULL;
        if (stoa_context_create(&options[i], &context) != STOA_OK) {
            return 1;
        }
        if (compute(context, x, weight, y[i]) != STOA_OK) {
            (void)fprintf(stderr, "%s\n", stoa_context_error(context));
            return 1;
        }
        stoa_context_free(context);
    }
    bool same = memcmp(y[0], y[1], sizeof y[0]) == 0;
    (void)printf("%zu loops on OpenMP's threads, %s bits as on one thread\n", loops,
                 same ? "the same" : "other");
    return same && loops >= 10 ? 0 : 1;
}
