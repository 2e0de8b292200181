/* SPDX-License-Identifier: MIT */
/* groupnorm: the channels of each sample in groups, each group of all its pixels to mean 0 and variance 1,
 * then scaled and shifted (Wu and He 2018).
 *
 * x, y (N, H, W, C) or (N, C); `groups` has to divide C. Without it every channel is a group of its own,
 * which is instance norm; one group is layer norm over a sample with a scale a channel. weight, bias (C);
 * none with affine=false.
 *   xhat = (x - mean) / sqrt(var + epsilon), var: population variance; y = weight * xhat + bias
 *   dx = (g - mean(g) - xhat * mean(g * xhat)) / sqrt(var + epsilon), g = dy * weight
 *   dweight = sum(dy * xhat), dbias = sum(dy)
 * Moments of channels are merged in double, without cancellation. Saved: mean and 1 / deviation, a number a
 * channel of each sample. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

enum { WEIGHT, BIAS };

struct groupnorm_options {
    size_t groups; /* 0: as many as channels */
    float epsilon;
    bool affine;
};

static const struct stoa_option options[] = {
    {"groups", STOA_OPTION_SIZE, offsetof(struct groupnorm_options, groups), "", 1, 1 << 30, NULL},
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct groupnorm_options, epsilon), "1e-5", 1e-12, 1, NULL},
    {"affine", STOA_OPTION_BOOL, offsetof(struct groupnorm_options, affine), "true", 0, 0, NULL},
};

static size_t channels_of(const struct stoa_layer *layer) {
    return layer->output.dim[layer->output.rank - 1];
}

static size_t pixels_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->output) / channels_of(layer);
}

/* Channels of a group; infer has seen that there are as many as groups or more. */
static size_t members_of(const struct stoa_layer *layer) {
    size_t groups = ((const struct groupnorm_options *)layer->options)->groups;
    return groups == 0 ? 1 : stoa_max(1, channels_of(layer) / groups);
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    const struct groupnorm_options *o = layer->options;
    layer->output = layer->input[0];
    size_t channels = channels_of(layer);
    if (o->groups > 0 && channels % o->groups != 0) {
        return stoa_error_set(error, STOA_ERR_SHAPE, "found %zu channels, expected a multiple of groups=%zu",
                              channels, o->groups);
    }
    if (layer->output.rank == 1 && layer->output.flattened[0] * layer->output.flattened[1] > 1) {
        return stoa_error_set(
            error, STOA_ERR_SHAPE,
            "found a flattened image, expected an image or plain features: normalize before "
            "the flatten");
    }
    if (pixels_of(layer) * members_of(layer) == 1) {
        return stoa_error_set(error, STOA_ERR_SHAPE,
                              "found groups of one number, expected two or more: one has no deviation");
    }
    if (o->affine) {
        stoa_tensor_channels(&layer->tensor[WEIGHT], "weight", STOA_INIT_ONE, &layer->output);
        stoa_tensor_channels(&layer->tensor[BIAS], "bias", STOA_INIT_ZERO, &layer->output);
        layer->tensors = 2;
    }
    return STOA_OK;
}

/* Vectors of channels that a sample has: forward mean, scale and shift; backward the sums of dy and of
 * dy * xhat, mean, 1 / deviation, and what is done to dy, to all and to x. */
enum { F_MEAN, F_SCALE, F_SHIFT, F_VECTORS };
enum { B_DY, B_XHAT, B_MEAN, B_INVERSE, B_A, B_B, B_D, B_VECTORS };

static size_t vector_floats(const struct stoa_layer *layer) {
    return stoa_round_up(channels_of(layer), STOA_ALIGN_FLOATS);
}

/* Both moments of a sample's channels. */
static size_t moment_doubles(const struct stoa_layer *layer) {
    return 2 * vector_floats(layer);
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t moments;
    size_t forward;
    size_t backward;
    if (!stoa_size_mul(run->planned_batch, moment_doubles(run->layer) * sizeof(double), &moments) ||
        !stoa_size_mul(run->planned_batch, F_VECTORS * vector_floats(run->layer) * sizeof(float), &forward) ||
        !stoa_size_mul(run->planned_batch, B_VECTORS * vector_floats(run->layer) * sizeof(float),
                       &backward) ||
        !stoa_size_add(forward, moments, &forward)) {
        return false;
    }
    memory->workspace[STOA_FORWARD] = forward;
    memory->workspace[STOA_BACKWARD] = run->training ? backward : 0;
    memory->saved = run->training ? moments : 0;
    return true;
}

static double *moments_at(const struct stoa_op_run *run, void *memory, size_t sample) {
    return (double *)memory + sample * moment_doubles(run->layer);
}

static float *vector_at(const struct stoa_op_run *run, float *vectors, size_t sample, size_t vectors_each,
                        size_t which) {
    return vectors + (sample * vectors_each + which) * vector_floats(run->layer);
}

/* Of each group's channels the mean, and 1 / deviation in the place of their sums of squares. */
static void merge_groups(const struct stoa_op_run *run, double *mean, double *m2) {
    size_t members = members_of(run->layer);
    double pixels = (double)pixels_of(run->layer);
    double epsilon = (double)((const struct groupnorm_options *)run->layer->options)->epsilon;
    for (size_t c = 0; c < channels_of(run->layer); c += members) {
        double all = 0;
        double squares = 0;
        for (size_t i = c; i < c + members; i++) {
            all += mean[i] / (double)members;
        }
        for (size_t i = c; i < c + members; i++) {
            squares += m2[i] + pixels * (mean[i] - all) * (mean[i] - all);
        }
        for (size_t i = c; i < c + members; i++) {
            mean[i] = all;
            m2[i] = 1.0 / sqrt(squares / (pixels * (double)members) + epsilon);
        }
    }
}

static void forward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    const struct stoa_kernels *k = run->context->kernels;
    size_t channels = channels_of(run->layer);
    size_t pixels = pixels_of(run->layer);
    float *vectors = run->workspace;
    void *moments =
        run->training ? run->saved : vectors + run->planned_batch * F_VECTORS * vector_floats(run->layer);
    for (size_t n = first; n < first + count; n++) {
        const float *x = run->x[0] + n * pixels * channels;
        double *mean = moments_at(run, moments, n);
        double *inverse = mean + vector_floats(run->layer);
        float *means = vector_at(run, vectors, n, F_VECTORS, F_MEAN);
        float *scale = vector_at(run, vectors, n, F_VECTORS, F_SCALE);
        float *shift = vector_at(run, vectors, n, F_VECTORS, F_SHIFT);
        k->bn_moments(x, pixels, channels, mean, inverse);
        merge_groups(run, mean, inverse);
        for (size_t c = 0; c < channels; c++) {
            means[c] = (float)mean[c];
            scale[c] = (float)inverse[c] * (run->tensor[WEIGHT] ? run->tensor[WEIGHT][c] : 1);
            shift[c] = run->tensor[BIAS] ? run->tensor[BIAS][c] : 0;
        }
        float *y = run->y + n * pixels * channels;
        k->normalize_columns(x, pixels, channels, 1, means, scale, shift, false, y);
        stoa_run_epilogue(run, y, n * pixels * channels, pixels * channels);
    }
}

static void forward(const struct stoa_op_run *run) {
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                        forward_samples);
}

/* From the sums of dy and dy * xhat: dx = a * dy - b - d * (x - mean). */
static void set_coefficients(const struct stoa_op_run *run, float *vectors, size_t sample) {
    size_t members = members_of(run->layer);
    double count = (double)(pixels_of(run->layer) * members);
    const float *sum = vector_at(run, vectors, sample, B_VECTORS, B_DY);
    const float *sum_xhat = vector_at(run, vectors, sample, B_VECTORS, B_XHAT);
    const float *inverse = vector_at(run, vectors, sample, B_VECTORS, B_INVERSE);
    const float *weight = run->tensor[WEIGHT];
    for (size_t c = 0; c < channels_of(run->layer); c += members) {
        double g = 0;
        double g_xhat = 0;
        for (size_t i = c; i < c + members; i++) {
            g += (double)sum[i] * (weight ? (double)weight[i] : 1) / count;
            g_xhat += (double)sum_xhat[i] * (weight ? (double)weight[i] : 1) / count;
        }
        for (size_t i = c; i < c + members; i++) {
            vector_at(run, vectors, sample, B_VECTORS, B_A)[i] = inverse[i] * (weight ? weight[i] : 1);
            vector_at(run, vectors, sample, B_VECTORS, B_B)[i] = (float)((double)inverse[i] * g);
            vector_at(run, vectors, sample, B_VECTORS, B_D)[i] =
                (float)((double)inverse[i] * (double)inverse[i] * g_xhat);
        }
    }
}

static void input_gradient(const struct stoa_op_run *run, float *vectors, size_t sample) {
    size_t channels = channels_of(run->layer);
    size_t pixels = pixels_of(run->layer);
    const float *mean = vector_at(run, vectors, sample, B_VECTORS, B_MEAN);
    const float *a = vector_at(run, vectors, sample, B_VECTORS, B_A);
    const float *b = vector_at(run, vectors, sample, B_VECTORS, B_B);
    const float *d = vector_at(run, vectors, sample, B_VECTORS, B_D);
    for (size_t p = sample * pixels; p < (sample + 1) * pixels; p++) {
        const float *x = run->x[0] + p * channels;
        const float *dy = run->dy + p * channels;
        float *dx = run->dx[0] + p * channels;
        for (size_t c = 0; c < channels; c++) {
            dx[c] = a[c] * dy[c] - b[c] - d[c] * (x[c] - mean[c]);
        }
    }
}

static void backward_samples(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t channels = channels_of(run->layer);
    size_t pixels = pixels_of(run->layer);
    float *vectors = run->workspace;
    for (size_t n = first; n < first + count; n++) {
        const double *moments = moments_at(run, run->saved, n);
        float *mean = vector_at(run, vectors, n, B_VECTORS, B_MEAN);
        float *inverse = vector_at(run, vectors, n, B_VECTORS, B_INVERSE);
        for (size_t c = 0; c < channels; c++) {
            mean[c] = (float)moments[c];
            inverse[c] = (float)moments[vector_floats(run->layer) + c];
        }
        size_t at = n * pixels * channels;
        run->context->kernels->bn_backward_sums(
            run->x[0] + at, run->dy + at, pixels, channels, 1, mean, inverse, NULL, NULL,
            vector_at(run, vectors, n, B_VECTORS, B_DY), vector_at(run, vectors, n, B_VECTORS, B_XHAT));
        if (run->dx[0]) {
            set_coefficients(run, vectors, n);
            input_gradient(run, vectors, n);
        }
    }
}

static void backward(const struct stoa_op_run *run) {
    size_t channels = channels_of(run->layer);
    size_t each = B_VECTORS * vector_floats(run->layer);
    float *vectors = run->workspace;
    stoa_parallel_range(run, run->batch, stoa_row_grain(stoa_shape_size(&run->layer->output)),
                        backward_samples);
    if (run->dtensor[WEIGHT]) {
        run->context->kernels->column_sums(vector_at(run, vectors, 0, B_VECTORS, B_XHAT), run->batch,
                                           channels, each, run->dtensor[WEIGHT]);
        run->context->kernels->column_sums(vector_at(run, vectors, 0, B_VECTORS, B_DY), run->batch, channels,
                                           each, run->dtensor[BIAS]);
    }
}

/* ---- The double reference ---- */

/* A sum over a group of one sample: of `f` of each of its places. */
typedef double place_fn(const struct stoa_op_reference *run, size_t place, const double *with);

static double sum_group(const struct stoa_op_reference *run, size_t sample, size_t group, place_fn *f,
                        const double *with) {
    size_t channels = channels_of(run->layer);
    size_t members = members_of(run->layer);
    size_t pixels = pixels_of(run->layer);
    double sum = 0;
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = group * members; c < (group + 1) * members; c++) {
            sum += f(run, (sample * pixels + p) * channels + c, with);
        }
    }
    return sum;
}

static double number(const struct stoa_op_reference *run, size_t place, const double *with) {
    (void)with;
    return run->x[0][place];
}

static double square(const struct stoa_op_reference *run, size_t place, const double *mean) {
    return (run->x[0][place] - *mean) * (run->x[0][place] - *mean);
}

static double weight_at(const struct stoa_op_reference *run, size_t place) {
    return run->layer->tensors > 0 ? run->tensor[WEIGHT][place % channels_of(run->layer)] : 1;
}

static double gradient(const struct stoa_op_reference *run, size_t place, const double *with) {
    (void)with;
    return run->dy[place] * weight_at(run, place);
}

/* with: mean and 1 / deviation. */
static double gradient_xhat(const struct stoa_op_reference *run, size_t place, const double *with) {
    return gradient(run, place, NULL) * (run->x[0][place] - with[0]) * with[1];
}

static void reference_moments(const struct stoa_op_reference *run, size_t sample, size_t group,
                              double moments[2]) {
    double count = (double)(pixels_of(run->layer) * members_of(run->layer));
    moments[0] = sum_group(run, sample, group, number, NULL) / count;
    moments[1] = 1 / sqrt(sum_group(run, sample, group, square, moments) / count +
                          (double)((const struct groupnorm_options *)run->layer->options)->epsilon);
}

static void reference_forward(const struct stoa_op_reference *run) {
    size_t channels = channels_of(run->layer);
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        size_t c = i % channels;
        double moments[2];
        reference_moments(run, i / stoa_shape_size(&run->layer->output), c / members_of(run->layer), moments);
        run->y[i] = (run->x[0][i] - moments[0]) * moments[1] * weight_at(run, i) +
                    (run->layer->tensors > 0 ? run->tensor[BIAS][c] : 0);
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    size_t channels = stoa_max(1, channels_of(run->layer)); /* infer has seen that it is not 0 */
    double count = (double)(pixels_of(run->layer) * members_of(run->layer));
    for (size_t c = 0; c < channels && run->layer->tensors > 0; c++) {
        run->dtensor[WEIGHT][c] = run->dtensor[BIAS][c] = 0;
    }
    for (size_t i = 0; i < run->batch * stoa_shape_size(&run->layer->output); i++) {
        size_t c = i % channels;
        size_t sample = i / stoa_shape_size(&run->layer->output);
        size_t group = c / members_of(run->layer);
        double moments[2];
        reference_moments(run, sample, group, moments);
        double xhat = (run->x[0][i] - moments[0]) * moments[1];
        if (run->layer->tensors > 0) {
            run->dtensor[WEIGHT][c] += run->dy[i] * xhat;
            run->dtensor[BIAS][c] += run->dy[i];
        }
        run->dx[0][i] =
            moments[1] * (gradient(run, i, NULL) - sum_group(run, sample, group, gradient, NULL) / count -
                          xhat * sum_group(run, sample, group, gradient_xhat, moments) / count);
    }
}

static const struct stoa_op_example examples[] = {
    {"groups=3", {"4x3x6"}, 3},           {"", {"4x5x7"}, 2}, {"groups=1 epsilon=1e-3", {"3x2x5"}, 4},
    {"groups=2 affine=false", {"20"}, 9}, {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_groupnorm = {
    .name = "groupnorm",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct groupnorm_options),
    .needs = STOA_NEEDS_X,
    .gradient_in_place = true,
    .finishes = 1 << STOA_FORWARD,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
