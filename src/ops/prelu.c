/* SPDX-License-Identifier: MIT */
/* prelu: y = x where x >= 0, else slope * x with a learned slope, one for all or one a channel (He et al.
 * 2015).
 *
 * x, y any shape; weight (1), or (C) with per_channel=true, starts at `init`.
 *   dx = dy where x > 0, else slope * dy;  dweight = sum of x * dy where x <= 0. */
#include <string.h>

#include "base/size.h"
#include "ops/block_sums.h"

struct prelu_options {
    bool per_channel;
    float init;
};

static const struct stoa_option options[] = {
    {"per_channel", STOA_OPTION_BOOL, offsetof(struct prelu_options, per_channel), "false", 0, 0, NULL},
    {"init", STOA_OPTION_FLOAT, offsetof(struct prelu_options, init), "0.25", -1e6, 1e6, NULL},
};

static bool per_channel(const struct stoa_layer *layer) {
    return ((const struct prelu_options *)layer->options)->per_channel;
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    layer->output = layer->input[0];
    if (per_channel(layer)) {
        stoa_tensor_channels(&layer->tensor[0], "weight", STOA_INIT_CONSTANT, &layer->output);
    } else {
        stoa_tensor_plain(&layer->tensor[0], "weight", STOA_INIT_CONSTANT, 1);
    }
    layer->tensor[0].init_scale = ((const struct prelu_options *)layer->options)->init;
    layer->tensors = 1;
    return STOA_OK;
}

/* Where all numbers share a slope, they are summed as rows of this many, and the rest of them as one more. */
enum { COLUMNS = 64 };

static size_t columns_of(const struct stoa_layer *layer) {
    return per_channel(layer) ? layer->output.dim[layer->output.rank - 1] : COLUMNS;
}

static size_t sum_floats(const struct stoa_layer *layer) {
    return per_channel(layer) ? columns_of(layer) : 2 * COLUMNS;
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    return !run->training || run->frozen ||
           stoa_block_sums_bytes(run, sum_floats(run->layer), &memory->workspace[STOA_BACKWARD]);
}

/* Of a number a channel a piece is the rest of a row, whole rows, and the beginning of one. */
static void map_channels(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    size_t columns = columns_of(run->layer);
    for (size_t done = 0, part; done < p->count; done += part) {
        size_t channel = (p->first + done) % columns;
        size_t left = p->count - done;
        bool whole = channel == 0 && left >= columns;
        part = whole ? left / columns * columns : stoa_min(left, columns - channel);
        run->context->kernels->prelu(p->x + done, whole ? left / columns : 1, whole ? columns : part,
                                     run->tensor[0] + channel, p->y + done);
    }
}

static void map(const struct stoa_op_run *run, const struct stoa_map_piece *p) {
    if (per_channel(run->layer)) {
        map_channels(run, p);
    } else {
        run->context->kernels->leaky_relu(p->x, p->y, p->count, run->tensor[0][0]);
    }
}

/* Numbers, or rows of a number a channel. */
static void backward_range(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct stoa_kernels *k = run->context->kernels;
    if (per_channel(run->layer)) {
        size_t columns = columns_of(run->layer);
        size_t at = first * columns;
        k->prelu_backward(run->x[0] + at, run->dy + at, count, columns, run->tensor[0], run->dx[0] + at);
    } else {
        k->leaky_relu_backward(run->x[0] + first, run->dy + first, run->dx[0] + first, count,
                               run->tensor[0][0]);
    }
}

static void sum_samples(const struct stoa_op_run *run, size_t first, size_t samples, float *sum) {
    size_t size = stoa_shape_size(&run->layer->output);
    size_t columns = columns_of(run->layer);
    size_t rows = samples * size / columns;
    const float *x = run->x[0] + first * size;
    const float *dy = run->dy + first * size;
    run->context->kernels->prelu_backward_slope(x, dy, rows, columns, sum);
    if (!per_channel(run->layer)) {
        size_t done = rows * columns;
        memset(sum + columns, 0, columns * sizeof *sum);
        run->context->kernels->prelu_backward_slope(x + done, dy + done, 1, samples * size - done,
                                                    sum + columns);
    }
}

static void slope_gradient(const struct stoa_op_run *run) {
    size_t floats = sum_floats(run->layer);
    const float *sums = stoa_block_sums(run, floats, sum_samples);
    if (per_channel(run->layer)) {
        memcpy(run->dtensor[0], sums, floats * sizeof *sums);
    } else {
        run->context->kernels->sum(sums, floats, run->dtensor[0]);
    }
}

static void backward(const struct stoa_op_run *run) {
    if (!run->frozen) {
        slope_gradient(run);
    }
    if (run->dx[0]) {
        size_t count = stoa_batch_size(run, &run->layer->output);
        size_t unit = per_channel(run->layer) ? columns_of(run->layer) : 1;
        stoa_parallel_range(run, count / unit, stoa_row_grain(unit), backward_range);
    }
}

/* Columns of the reference: a slope each. */
static size_t reference_columns(const struct stoa_layer *layer) {
    return per_channel(layer) ? columns_of(layer) : 1;
}

static size_t reference_rows(const struct stoa_op_reference *run) {
    return run->batch * stoa_shape_size(&run->layer->output) / reference_columns(run->layer);
}

static void reference_forward(const struct stoa_op_reference *run) {
    stoa_reference_f64.prelu(run->x[0], reference_rows(run), reference_columns(run->layer), run->tensor[0],
                             run->y);
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t rows = reference_rows(run);
    size_t columns = reference_columns(run->layer);
    stoa_reference_f64.prelu_backward_slope(run->x[0], run->dy, rows, columns, run->dtensor[0]);
    if (run->dx[0]) {
        stoa_reference_f64.prelu_backward(run->x[0], run->dy, rows, columns, run->tensor[0], run->dx[0]);
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"3x5x7"}, 2},      {"per_channel=true", {"4x5x17"}, 9},
    {"init=0.1", {"64"}, 3}, {"per_channel=true", {"5"}, 4},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_prelu = {
    .name = "prelu",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct prelu_options),
    .needs = STOA_NEEDS_X,
    .in_place = true,
    .gradient_in_place = true,
    .infer = infer,
    .memory = memory,
    .map = map,
    .forward = stoa_map_forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
