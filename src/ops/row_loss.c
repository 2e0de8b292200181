/* SPDX-License-Identifier: MIT */
/* Losses of targets that have the output's shape. */
#include "ops/row_loss.h"

#include "base/size.h"
#include "core/threads.h"

const char *const stoa_reductions[] = {"mean", "sum", NULL};
const char *const stoa_reductions_half[] = {"mean", "sum", "half_sum", NULL};

static size_t columns_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->input[0]);
}

stoa_status stoa_row_loss_infer(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    layer->output = (struct stoa_shape){.rank = 1, .dim = {1}};
    return STOA_OK;
}

double stoa_row_loss_scale(const struct stoa_layer *layer) {
    switch (((const struct stoa_row_loss_options *)layer->options)->reduction) {
    case STOA_SUM:
        return 1;
    case STOA_HALF_SUM:
        return 0.5;
    default:
        return 1.0 / (double)columns_of(layer);
    }
}

float stoa_row_loss_parameter(const struct stoa_layer *layer) {
    return ((const struct stoa_row_loss_options *)layer->options)->parameter;
}

/* One pass over rows. */
struct pass {
    const struct stoa_op_run *run;
    stoa_row_loss_fn *forward;
    stoa_row_loss_backward_fn *backward; /* NULL in a forward pass */
    float scale;
    size_t grain;
};

static void run_rows(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *p = argument;
    const struct stoa_op_run *run = p->run;
    size_t columns = columns_of(run->layer);
    size_t first = task * p->grain;
    size_t rows = stoa_min(p->grain, run->batch - first);
    size_t at = first * columns;
    float parameter = stoa_row_loss_parameter(run->layer);
    if (p->backward) {
        p->backward(run->x[0] + at, run->targets.values + at, run->dy + first, rows, columns, parameter,
                    p->scale, run->dx[0] + at);
    } else {
        p->forward(run->x[0] + at, run->targets.values + at, rows, columns, parameter, p->scale,
                   run->y + first);
    }
}

static void run_pass(struct pass *p) {
    p->grain = stoa_row_grain(columns_of(p->run->layer));
    stoa_parallel(p->run->context, stoa_ceil_div(p->run->batch, p->grain), run_rows, p);
}

void stoa_row_loss_forward(const struct stoa_op_run *run, stoa_row_loss_fn *kernel, double scale) {
    run_pass(&(struct pass){.run = run, .forward = kernel, .scale = (float)scale});
}

void stoa_row_loss_backward(const struct stoa_op_run *run, stoa_row_loss_backward_fn *kernel, double scale) {
    run_pass(&(struct pass){.run = run, .backward = kernel, .scale = (float)scale});
}

void stoa_row_loss_reference(const struct stoa_op_reference *run, stoa_row_loss_reference_fn *kernel,
                             double scale) {
    kernel(run->x[0], run->values, run->batch, columns_of(run->layer),
           (double)stoa_row_loss_parameter(run->layer), scale, run->y);
}

void stoa_row_loss_reference_backward(const struct stoa_op_reference *run,
                                      stoa_row_loss_reference_backward_fn *kernel, double scale) {
    kernel(run->x[0], run->values, run->dy, run->batch, columns_of(run->layer),
           (double)stoa_row_loss_parameter(run->layer), scale, run->dx[0]);
}
