/* SPDX-License-Identifier: MIT */
/* Loops of operators of one element at a time. */
#include "ops/map.h"

#include "base/size.h"
#include "core/threads.h"

/* One pass; forward when there is no dy. */
struct map {
    stoa_map_fn *forward;
    stoa_map_backward_fn *backward;
    const float *in, *dy;
    float *out;
    size_t count;
    float parameter;
};

static void run_range(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct map *map = argument;
    size_t first = task * STOA_GRAIN;
    size_t count = stoa_min(STOA_GRAIN, map->count - first);
    if (map->dy) {
        map->backward(map->in + first, map->dy + first, map->out + first, count, map->parameter);
    } else {
        map->forward(map->in + first, map->out + first, count, map->parameter);
    }
}

static void run_map(const struct stoa_op_run *run, struct map *map) {
    map->count = stoa_batch_size(run, &run->layer->output);
    stoa_parallel(run->context, stoa_ceil_div(map->count, STOA_GRAIN), run_range, map);
}

void stoa_map_forward(const struct stoa_op_run *run, stoa_map_fn *kernel, float parameter) {
    struct map map = {.forward = kernel, .in = run->x[0], .out = run->y, .parameter = parameter};
    run_map(run, &map);
}

void stoa_map_backward(const struct stoa_op_run *run, stoa_map_backward_fn *kernel, const float *z,
                       float parameter) {
    struct map map = {.backward = kernel, .in = z, .dy = run->dy, .out = run->dx[0], .parameter = parameter};
    if (run->dx[0]) {
        run_map(run, &map);
    }
}

static size_t reference_count(const struct stoa_op_reference *run) {
    return run->batch * stoa_shape_size(&run->layer->output);
}

void stoa_map_reference(const struct stoa_op_reference *run, stoa_map_reference_fn *kernel,
                        double parameter) {
    kernel(run->x[0], run->y, reference_count(run), parameter);
}

void stoa_map_reference_from_x(const struct stoa_op_reference *run, stoa_map_reference_backward_fn *backward,
                               double parameter) {
    if (run->dx[0]) {
        backward(run->x[0], run->dy, run->dx[0], reference_count(run), parameter);
    }
}

void stoa_map_reference_from_y(const struct stoa_op_reference *run, stoa_map_reference_fn *forward,
                               stoa_map_reference_backward_fn *backward, double parameter) {
    if (run->dx[0]) {
        stoa_map_reference(run, forward, parameter);
        backward(run->y, run->dy, run->dx[0], reference_count(run), parameter);
    }
}
