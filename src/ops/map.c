/* SPDX-License-Identifier: MIT */
/* Operators of one number at a time: their own loops, and as the epilogue of others. */
#include "ops/map.h"

#include "base/size.h"

static const float *at(const float *numbers, size_t first) {
    return numbers ? numbers + first : NULL;
}

/* Numbers of an operator's run that lie at `in`, y or dx[0] of the step before; where they lie afterwards. */
static float *map_piece(const struct stoa_op_run *run, float *in, size_t first, size_t count) {
    const float *x = run->x[run->flow];
    struct stoa_map_piece piece = {.first = first, .count = count};
    if (run->dy) {
        float *dx = run->dx[run->flow];
        piece.x = at(x, first);
        piece.y = run->y ? run->y + first : NULL;
        piece.dy = in;
        piece.dx = dx == run->dy ? in : dx + first;
        run->layer->op->map_backward(run, &piece);
        return piece.dx;
    }
    piece.x = in;
    piece.y = run->y == x ? in : run->y + first;
    run->layer->op->map(run, &piece);
    return piece.y;
}

void stoa_run_epilogue(const struct stoa_op_run *run, float *numbers, size_t first, size_t count) {
    for (const struct stoa_op_run *next = run->epilogue; next; next = next->epilogue) {
        numbers = map_piece(next, numbers, first, count);
    }
}

/* What stays in the first cache between a map and its epilogue. */
enum { PIECE = 4096 };

static void forward_range(const struct stoa_op_run *run, size_t first, size_t count) {
    for (size_t end = first + count; first < end; first += PIECE) {
        struct stoa_map_piece piece = {.first = first,
                                       .count = stoa_min(PIECE, end - first),
                                       .x = run->x[run->flow] + first,
                                       .y = run->y + first};
        run->layer->op->map(run, &piece);
        stoa_run_epilogue(run, piece.y, first, piece.count);
    }
}

void stoa_map_forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, stoa_batch_size(run, &run->layer->output), STOA_GRAIN, forward_range);
}

static void backward_range(const struct stoa_op_run *run, size_t first, size_t count) {
    for (size_t end = first + count; first < end; first += PIECE) {
        struct stoa_map_piece piece = {.first = first,
                                       .count = stoa_min(PIECE, end - first),
                                       .x = at(run->x[0], first),
                                       .y = run->y ? run->y + first : NULL,
                                       .dy = run->dy + first,
                                       .dx = run->dx[0] + first};
        run->layer->op->map_backward(run, &piece);
        stoa_run_epilogue(run, piece.dx, first, piece.count);
    }
}

void stoa_map_backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, stoa_batch_size(run, &run->layer->output), STOA_GRAIN, backward_range);
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
