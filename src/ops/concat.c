/* SPDX-License-Identifier: MIT */
/* concat: inputs side by side along an axis; the others must agree. y (N, H, W, C0 + C1 + ...) for
 * images with axis=channels, (N, H0 + H1 + ..., W, C) with axis=height, and so with width; (N, K0 + K1 + ...)
 * for vectors. Each dx is its part of dy. */
#include "ops/op.h"

enum { CHANNELS, HEIGHT, WIDTH };
static const char *const axes[] = {"channels", "height", "width", NULL};

struct concat_options {
    size_t axis;
};

static const struct stoa_option options[] = {
    {"axis", STOA_OPTION_CHOICE, offsetof(struct concat_options, axis), "channels", 0, 0, axes},
};

/* The axis as a number into dim[]. */
static size_t axis_of(const struct stoa_layer *layer) {
    size_t axis = ((const struct concat_options *)layer->options)->axis;
    return axis == CHANNELS ? layer->input[0].rank - 1 : axis == HEIGHT ? 0 : 1;
}

/* Behind a flatten features stand in H, W, C order in memory and in C, H, W order in files: of several, no
 * one image could tell the order. */
static bool is_reordered(const struct stoa_shape *shape) {
    return shape->flattened[2] > 1 && shape->flattened[0] * shape->flattened[1] > 1;
}

static stoa_status check_input(struct stoa_error *error, const struct stoa_layer *layer, size_t k) {
    const struct stoa_shape *first = &layer->input[0];
    const struct stoa_shape *other = &layer->input[k];
    bool fits = first->rank == other->rank;
    for (size_t i = 0; fits && i < first->rank; i++) {
        fits = i == axis_of(layer) || first->dim[i] == other->dim[i];
    }
    if (!fits) {
        char left[STOA_SHAPE_TEXT];
        char right[STOA_SHAPE_TEXT];
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "found inputs of shapes %s and %s, expected them to differ in %s only",
                              stoa_shape_text(first, left), stoa_shape_text(other, right),
                              axes[((const struct concat_options *)layer->options)->axis]);
    }
    if (is_reordered(other)) {
        return stoa_error_set(
            error, STOA_ERR_SHAPE,
            "found a flattened image: its order differs between memory and files; concatenate before "
            "the flatten");
    }
    return STOA_OK;
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    if (layer->input[0].rank == 1 && ((const struct concat_options *)layer->options)->axis != CHANNELS) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "found vectors, expected images for axis=%s",
                              axes[((const struct concat_options *)layer->options)->axis]);
    }
    size_t total = 0;
    for (size_t k = 0; k < layer->inputs; k++) {
        stoa_status status = check_input(error, layer, k);
        if (status != STOA_OK) {
            return status;
        }
        total += layer->input[k].dim[axis_of(layer)]; /* few of at most STOA_MAX_DIMENSION each */
    }
    layer->output = (struct stoa_shape){.rank = layer->input[0].rank};
    for (size_t i = 0; i < layer->output.rank; i++) {
        layer->output.dim[i] = i == axis_of(layer) ? total : layer->input[0].dim[i];
    }
    return STOA_OK;
}

/* Numbers of a shape from the axis on: they lie together. */
static size_t run_of(const struct stoa_layer *layer, const struct stoa_shape *shape) {
    size_t size = 1;
    for (size_t i = axis_of(layer); i < shape->rank; i++) {
        size *= shape->dim[i];
    }
    return size;
}

/* Runs of one sample. */
static size_t runs_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->output) / run_of(layer, &layer->output);
}

static void forward_runs(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t whole = run_of(run->layer, &run->layer->output);
    float *y = run->y + first * whole;
    for (size_t k = 0; k < run->layer->inputs; k++) {
        size_t part = run_of(run->layer, &run->layer->input[k]);
        run->context->kernels->copy_rows(run->x[k] + first * part, count, part, part, y, whole);
        y += part;
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch * runs_of(run->layer),
                        stoa_row_grain(run_of(run->layer, &run->layer->output)), forward_runs);
}

static void backward_runs(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t whole = run_of(run->layer, &run->layer->output);
    const float *dy = run->dy + first * whole;
    for (size_t k = 0; k < run->layer->inputs; k++) {
        size_t part = run_of(run->layer, &run->layer->input[k]);
        if (run->dx[k]) {
            run->context->kernels->copy_rows(dy, count, part, whole, run->dx[k] + first * part, part);
        }
        dy += part;
    }
}

static void backward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch * runs_of(run->layer),
                        stoa_row_grain(run_of(run->layer, &run->layer->output)), backward_runs);
}

/* Numbers move, nothing is computed. */
static void reference_forward(const struct stoa_op_reference *run) {
    size_t whole = run_of(run->layer, &run->layer->output);
    double *y = run->y;
    for (size_t k = 0; k < run->layer->inputs; k++) {
        size_t part = run_of(run->layer, &run->layer->input[k]);
        stoa_reference_f64.copy_rows(run->x[k], run->batch * runs_of(run->layer), part, part, y, whole);
        y += part;
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t whole = run_of(run->layer, &run->layer->output);
    const double *dy = run->dy;
    for (size_t k = 0; k < run->layer->inputs; k++) {
        size_t part = run_of(run->layer, &run->layer->input[k]);
        if (run->dx[k]) {
            stoa_reference_f64.copy_rows(dy, run->batch * runs_of(run->layer), part, whole, run->dx[k], part);
        }
        dy += part;
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"3x4x5", "3x4x2"}, 2},
    {"axis=height", {"1x4x3", "2x4x3", "3x4x3"}, 2},
    {"axis=width", {"3x1x17", "3x4x17"}, 3},
    {"", {"9", "1", "20", "3"}, 5},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_concat = {
    .name = "concat",
    .least_inputs = 2,
    .most_inputs = STOA_MAX_INPUTS,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct concat_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = stoa_no_flops,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
