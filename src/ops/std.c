/* SPDX-License-Identifier: MIT */
/* std: the standard deviation of all numbers of a sample. x any shape of K numbers, y (N, 1).
 *
 *   y = sqrt(sum((x - mean)^2) / K), or / (K - 1) with unbiased=true
 *   dx = dy * (x - mean) / (K * y), or / ((K - 1) * y); 0 where y is 0, as in PyTorch
 * Saved: the mean and 1 / (K * y) of each sample, in double. */
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

struct std_options {
    bool unbiased;
};

static const struct stoa_option options[] = {
    {"unbiased", STOA_OPTION_BOOL, offsetof(struct std_options, unbiased), "false", 0, 0, NULL},
};

static size_t columns_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->input[0]);
}

/* What the sum of squares is divided by. */
static size_t divisor_of(const struct stoa_layer *layer) {
    return columns_of(layer) - (((const struct std_options *)layer->options)->unbiased ? 1 : 0);
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    if (divisor_of(layer) == 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "found 1 value a sample, expected 2 or more with unbiased=true");
    }
    layer->output = (struct stoa_shape){.rank = 1, .dim = {1}};
    return STOA_OK;
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t count;
    return !run->training || (stoa_size_mul(run->planned_batch, 2 * sizeof(double) / sizeof(float), &count) &&
                              stoa_float_bytes(count, &memory->saved));
}

static double *saved(const struct stoa_op_run *run, size_t sample) {
    return (double *)run->saved + 2 * sample;
}

static void forward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    double divisor = (double)divisor_of(run->layer);
    for (size_t n = first; n < first + count; n++) {
        double mean;
        double squares;
        run->context->kernels->row_moments(run->x[0] + n * columns, 1, columns, &mean, &squares);
        double deviation = sqrt(squares / divisor);
        run->y[n] = (float)deviation;
        if (run->training) {
            saved(run, n)[0] = mean;
            saved(run, n)[1] = deviation == 0 ? 0 : 1.0 / (divisor * deviation);
        }
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(columns_of(run->layer)), forward_samples);
}

static void backward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    for (size_t n = first; n < first + count; n++) {
        double scale = (double)run->dy[n] * saved(run, n)[1];
        run->context->kernels->normalize_rows(run->x[0] + n * columns, 1, columns, saved(run, n), &scale,
                                              NULL, NULL, run->dx[0] + n * columns);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch, stoa_row_grain(columns_of(run->layer)), backward_samples);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t columns = columns_of(run->layer);
    for (size_t n = 0; n < run->batch; n++) {
        double mean;
        double squares;
        stoa_reference_f64.row_moments(run->x[0] + n * columns, 1, columns, &mean, &squares);
        run->y[n] = sqrt(squares / (double)divisor_of(run->layer));
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t columns = columns_of(run->layer);
    double divisor = (double)divisor_of(run->layer);
    for (size_t n = 0; n < run->batch; n++) {
        const double *x = run->x[0] + n * columns;
        double mean;
        double squares;
        stoa_reference_f64.row_moments(x, 1, columns, &mean, &squares);
        double deviation = sqrt(squares / divisor);
        double scale = deviation == 0 ? 0 : run->dy[n] / (divisor * deviation);
        stoa_reference_f64.normalize_rows(x, 1, columns, &mean, &scale, NULL, NULL, run->dx[0] + n * columns);
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"2"}, 3},
    {"", {"3x5x7"}, 2},
    {"unbiased=true", {"33"}, 4},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_std = {
    .name = "std",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct std_options),
    .needs = STOA_NEEDS_X,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
