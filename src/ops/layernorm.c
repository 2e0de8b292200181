/* SPDX-License-Identifier: MIT */
/* layernorm: each row of numbers of a sample to mean 0 and variance 1, then scaled and shifted (Ba et al.
 * 2016).
 *
 * x, y (N, H, W, C) or (N, C). A row is the C channels of a pixel; with over=sample it is the whole sample,
 * PyTorch's LayerNorm((C, H, W)). weight, bias: a number an element of the row, on disk in PyTorch's order;
 * none with affine=false.
 *   xhat = (x - mean) / sqrt(var + epsilon), var: population variance; y = weight * xhat + bias
 *   dx = (g - mean(g) - xhat * mean(g * xhat)) / sqrt(var + epsilon), g = dy * weight
 *   dweight = sum(dy * xhat), dbias = sum(dy) over all rows
 * Saved: mean and 1 / deviation of each row, in double. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/block_sums.h"

enum { WEIGHT, BIAS };
enum { OVER_CHANNELS, OVER_SAMPLE };
static const char *const overs[] = {"channels", "sample", NULL};

struct layernorm_options {
    size_t over;
    float epsilon;
    bool affine;
};

static const struct stoa_option options[] = {
    {"over", STOA_OPTION_CHOICE, offsetof(struct layernorm_options, over), "channels", 0, 0, overs},
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct layernorm_options, epsilon), "1e-5", 1e-12, 1, NULL},
    {"affine", STOA_OPTION_BOOL, offsetof(struct layernorm_options, affine), "true", 0, 0, NULL},
};

static size_t columns_of(const struct stoa_layer *layer) {
    const struct layernorm_options *o = layer->options;
    return o->over == OVER_SAMPLE ? stoa_shape_size(&layer->output)
                                  : layer->output.dim[layer->output.rank - 1];
}

/* Rows of one sample. */
static size_t rows_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->output) / columns_of(layer);
}

/* A tensor of a row's size; an image's in PyTorch's order on disk. */
static void row_spec(const struct stoa_layer *layer, const char *suffix, enum stoa_init init,
                     struct stoa_tensor_spec *tensor) {
    const struct layernorm_options *o = layer->options;
    const struct stoa_shape *shape = &layer->output;
    stoa_tensor_channels(tensor, suffix, init, shape);
    if (o->over == OVER_SAMPLE && shape->rank == 3) {
        const size_t order[] = {2, 0, 1};
        const size_t stride[] = {1, shape->dim[1] * shape->dim[2], shape->dim[2]};
        tensor->rank = 3;
        tensor->walk_rank = 3;
        for (size_t i = 0; i < 3; i++) {
            tensor->shape[i] = tensor->disk_dim[i] = shape->dim[order[i]];
            tensor->memory_stride[i] = stride[i];
        }
    }
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    layer->output = layer->input[0];
    if (((const struct layernorm_options *)layer->options)->affine) {
        row_spec(layer, "weight", STOA_INIT_ONE, &layer->tensor[WEIGHT]);
        row_spec(layer, "bias", STOA_INIT_ZERO, &layer->tensor[BIAS]);
        layer->tensors = 2;
    }
    return STOA_OK;
}

/* Both sums of a block lie behind each other. */
static size_t sums_floats(const struct stoa_layer *layer) {
    return 2 * columns_of(layer);
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t count;
    if (!run->training) {
        return true;
    }
    return stoa_size_mul(run->planned_batch, 2 * rows_of(run->layer), &count) &&
           stoa_size_scale(&count, sizeof(double) / sizeof(float)) &&
           stoa_float_bytes(count, &memory->saved) &&
           (run->layer->tensors == 0 || run->frozen ||
            stoa_block_sums_bytes(run, sums_floats(run->layer), &memory->workspace[STOA_BACKWARD]));
}

static double *saved_mean(const struct stoa_op_run *run) {
    return run->saved;
}

static double *saved_inverse(const struct stoa_op_run *run) {
    return (double *)run->saved + run->planned_batch * rows_of(run->layer);
}

/* Rows whose moments are kept on the stack where nothing saves them. */
enum { ROWS = 64 };

static void forward_few(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct layernorm_options *o = run->layer->options;
    size_t columns = columns_of(run->layer);
    size_t at = first * columns;
    double mean[ROWS];
    double inverse[ROWS];
    run->context->kernels->row_moments(run->x[0] + at, count, columns, mean, inverse);
    for (size_t r = 0; r < count; r++) {
        inverse[r] = 1.0 / sqrt(inverse[r] / (double)columns + (double)o->epsilon);
    }
    run->context->kernels->normalize_rows(run->x[0] + at, count, columns, mean, inverse, run->tensor[WEIGHT],
                                          run->tensor[BIAS], run->y + at);
    if (run->training) {
        memcpy(saved_mean(run) + first, mean, count * sizeof *mean);
        memcpy(saved_inverse(run) + first, inverse, count * sizeof *inverse);
    }
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    for (size_t done = 0; done < count; done += ROWS) {
        forward_few(run, first + done, stoa_min(ROWS, count - done));
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch * rows_of(run->layer), stoa_row_grain(columns_of(run->layer)),
                        forward_rows);
}

static void sum_samples(const struct stoa_op_run *run, size_t first, size_t samples, float *sum) {
    size_t columns = columns_of(run->layer);
    size_t row = first * rows_of(run->layer);
    run->context->kernels->layernorm_backward_weights(
        run->x[0] + row * columns, run->dy + row * columns, samples * rows_of(run->layer), columns,
        saved_mean(run) + row, saved_inverse(run) + row, sum, sum + columns);
}

static void backward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t columns = columns_of(run->layer);
    size_t at = first * columns;
    run->context->kernels->layernorm_backward(run->x[0] + at, run->dy + at, count, columns,
                                              saved_mean(run) + first, saved_inverse(run) + first,
                                              run->tensor[WEIGHT], run->dx[0] + at);
}

static void backward(const struct stoa_op_run *run) {
    size_t columns = columns_of(run->layer);
    if (run->layer->tensors > 0 && !run->frozen) {
        const float *sums = stoa_block_sums(run, sums_floats(run->layer), sum_samples);
        memcpy(run->dtensor[WEIGHT], sums, columns * sizeof *sums);
        memcpy(run->dtensor[BIAS], sums + columns, columns * sizeof *sums);
    }
    if (run->dx[0]) {
        stoa_parallel_range(run, run->batch * rows_of(run->layer), stoa_row_grain(columns), backward_rows);
    }
}

/* Mean and 1 / deviation of one row. */
static void reference_moments(const struct stoa_op_reference *run, size_t row, double *mean,
                              double *inverse) {
    const struct layernorm_options *o = run->layer->options;
    size_t columns = columns_of(run->layer);
    stoa_reference_f64.row_moments(run->x[0] + row * columns, 1, columns, mean, inverse);
    *inverse = 1.0 / sqrt(*inverse / (double)columns + (double)o->epsilon);
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t columns = columns_of(run->layer);
    for (size_t row = 0; row < run->batch * rows_of(run->layer); row++) {
        double mean;
        double inverse;
        reference_moments(run, row, &mean, &inverse);
        stoa_reference_f64.normalize_rows(run->x[0] + row * columns, 1, columns, &mean, &inverse,
                                          run->tensor[WEIGHT], run->tensor[BIAS], run->y + row * columns);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t columns = columns_of(run->layer);
    for (size_t c = 0; c < columns && run->layer->tensors > 0; c++) {
        run->dtensor[WEIGHT][c] = run->dtensor[BIAS][c] = 0;
    }
    for (size_t row = 0; row < run->batch * rows_of(run->layer); row++) {
        const double *x = run->x[0] + row * columns;
        const double *dy = run->dy + row * columns;
        double mean;
        double inverse;
        reference_moments(run, row, &mean, &inverse);
        for (size_t c = 0; c < columns && run->layer->tensors > 0; c++) {
            run->dtensor[WEIGHT][c] += dy[c] * (x[c] - mean) * inverse;
            run->dtensor[BIAS][c] += dy[c];
        }
        if (run->dx[0]) {
            stoa_reference_f64.layernorm_backward(x, dy, 1, columns, &mean, &inverse, run->tensor[WEIGHT],
                                                  run->dx[0] + row * columns);
        }
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"4x5x7"}, 3},          {"over=sample epsilon=1e-3", {"3x2x5"}, 4},
    {"affine=false", {"20"}, 9}, {"", {"40"}, 37},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_layernorm = {
    .name = "layernorm",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct layernorm_options),
    .needs = STOA_NEEDS_X,
    .gradient_in_place = true,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
