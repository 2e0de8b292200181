/* SPDX-License-Identifier: MIT */
/* lrn: local response normalization over channels (Krizhevsky et al. 2012), as ONNX and PyTorch have it.
 *
 * x, y (N, H, W, C); y[c] = x[c] / s[c]^beta with s[c] = bias + alpha / size * sum of x[j]^2 over the `size`
 * channels j from c - (size - 1) / 2 on that there are.
 *   dx[c] = dy[c] / s[c]^beta - 2 * alpha * beta / size * x[c] * sum of dy[j] * x[j] / s[j]^(beta + 1)
 * over the j whose sums have c. */
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

struct lrn_options {
    size_t size;
    float alpha, beta, bias;
};

static const struct stoa_option options[] = {
    {"size", STOA_OPTION_SIZE, offsetof(struct lrn_options, size), "5", 1, 65535, NULL},
    {"alpha", STOA_OPTION_FLOAT, offsetof(struct lrn_options, alpha), "1e-4", 0, 1e6, NULL},
    {"beta", STOA_OPTION_FLOAT, offsetof(struct lrn_options, beta), "0.75", 0, 1e3, NULL},
    {"bias", STOA_OPTION_FLOAT, offsetof(struct lrn_options, bias), "1", 1e-6, 1e6, NULL},
};

/* Channels [begin, end) of `channels` that the sum of channel c has, or whose sums have c. */
struct lrn_window {
    size_t begin, end;
};

static struct lrn_window window_of(size_t size, size_t channels, size_t c, bool adjoint) {
    size_t before = (size - 1) / 2;
    size_t behind = size - 1 - before;
    if (adjoint) {
        size_t swapped = before;
        before = behind;
        behind = swapped;
    }
    return (struct lrn_window){c > before ? c - before : 0, stoa_min(channels, c + behind + 1)};
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    stoa_status status = stoa_expect_image(error, layer);
    layer->output = layer->input[0];
    return status;
}

/* The loops of a pixel over float and double. */
#define STOA_LRN(real, suffix, power)                                                                        \
    static real sum_##suffix(const struct lrn_options *o, const real *x, size_t channels, size_t c) {        \
        struct lrn_window w = window_of(o->size, channels, c, false);                                        \
        real sum = 0;                                                                                        \
        for (size_t j = w.begin; j < w.end; j++) {                                                           \
            sum += x[j] * x[j];                                                                              \
        }                                                                                                    \
        return (real)o->bias + (real)o->alpha / (real)o->size * sum;                                         \
    }                                                                                                        \
    static void forward_##suffix(const struct lrn_options *o, const real *x, size_t channels, real *y) {     \
        for (size_t c = 0; c < channels; c++) {                                                              \
            y[c] = x[c] * power(sum_##suffix(o, x, channels, c), -(real)o->beta);                            \
        }                                                                                                    \
    }                                                                                                        \
    static void backward_##suffix(const struct lrn_options *o, const real *x, const real *dy,                \
                                  size_t channels, real *dx) {                                               \
        const real factor = 2 * (real)o->alpha * (real)o->beta / (real)o->size;                              \
        for (size_t c = 0; c < channels; c++) {                                                              \
            struct lrn_window w = window_of(o->size, channels, c, true);                                     \
            real sum = 0;                                                                                    \
            for (size_t j = w.begin; j < w.end; j++) {                                                       \
                sum += dy[j] * x[j] * power(sum_##suffix(o, x, channels, j), -(real)o->beta - 1);            \
            }                                                                                                \
            dx[c] = dy[c] * power(sum_##suffix(o, x, channels, c), -(real)o->beta) - factor * x[c] * sum;    \
        }                                                                                                    \
    }

STOA_LRN(float, f32, powf)
STOA_LRN(double, f64, pow)

static size_t channels_of(const struct stoa_layer *layer) {
    return layer->output.dim[2];
}

static void forward_pixels(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t channels = channels_of(run->layer);
    for (size_t p = first; p < first + count; p++) {
        forward_f32(run->layer->options, run->x[0] + p * channels, channels, run->y + p * channels);
    }
}

static void backward_pixels(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t channels = channels_of(run->layer);
    for (size_t p = first; p < first + count; p++) {
        backward_f32(run->layer->options, run->x[0] + p * channels, run->dy + p * channels, channels,
                     run->dx[0] + p * channels);
    }
}

static void run_pixels(const struct stoa_op_run *run, stoa_range_fn *body) {
    size_t channels = channels_of(run->layer);
    stoa_parallel_range(run, stoa_batch_size(run, &run->layer->output) / channels,
                        stoa_row_grain(channels * 16), body);
}

static void forward(const struct stoa_op_run *run) {
    run_pixels(run, forward_pixels);
}

static void backward(const struct stoa_op_run *run) {
    if (run->dx[0]) {
        run_pixels(run, backward_pixels);
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t channels = channels_of(run->layer);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i += channels) {
        forward_f64(run->layer->options, run->x[0] + i, channels, run->y + i);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t channels = channels_of(run->layer);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i += channels) {
        backward_f64(run->layer->options, run->x[0] + i, run->dy + i, channels, run->dx[0] + i);
    }
}

static const struct stoa_op_example examples[] = {
    {"alpha=0.5", {"3x4x9"}, 2},
    {"size=3 alpha=1 beta=0.5 bias=2", {"2x2x2"}, 2},
    {"size=4 alpha=2", {"2x3x17"}, 2},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_lrn = {
    .name = "lrn",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct lrn_options),
    .needs = STOA_NEEDS_X,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
