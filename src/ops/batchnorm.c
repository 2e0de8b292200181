/* SPDX-License-Identifier: MIT */
/* batchnorm: each channel to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and
 * Szegedy 2015).
 *
 * x, y (N, H, W, C) or (N, C); weight, bias, running_mean, running_var (C).
 *   training    xhat = (x - mean) / sqrt(var + epsilon), y = weight * xhat + bias, var: population variance
 *               running = (1 - momentum) * running + momentum * (mean, unbiased variance)
 *   evaluation  the running statistics in place of mean and var; the same where the layer is frozen
 *   backward    dx = weight / sqrt(var + epsilon) * (dy - mean(dy) - xhat * mean(dy * xhat))
 *               dweight = sum(dy * xhat), dbias = sum(dy)
 *   frozen      dx = weight / sqrt(running_var + epsilon) * dy Moments of blocks of samples are merged in
 *   double, in a fixed tree after Chan, Golub and LeVeque 1979. The mean is taken off before anything is
 *   multiplied, and where deviations are very large numbers are scaled by a power of two first, so that y is
 *   right for all numbers that floats hold. Saved: mean and 1 / deviation, in double. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/batchnorm.h"
#include "ops/op.h"

enum {
    WEIGHT = STOA_BATCHNORM_WEIGHT,
    BIAS = STOA_BATCHNORM_BIAS,
    RUNNING_MEAN = STOA_BATCHNORM_MEAN,
    RUNNING_VAR = STOA_BATCHNORM_VAR,
};
enum { MOST_BLOCKS = 16 };

static const struct stoa_option options[] = {
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct stoa_batchnorm_options, epsilon), "1e-5", 1e-12, 1, NULL},
    {"momentum", STOA_OPTION_FLOAT, offsetof(struct stoa_batchnorm_options, momentum), "0.1", 0, 1, NULL},
};

static size_t channels_of(const struct stoa_layer *layer) {
    return layer->output.dim[layer->output.rank - 1];
}

/* Rows of C numbers in one sample. */
static size_t rows_of(const struct stoa_layer *layer) {
    return stoa_shape_size(&layer->output) / channels_of(layer);
}

static stoa_status infer(struct stoa_error *error, struct stoa_layer *layer) {
    (void)error;
    layer->output = layer->input[0];
    stoa_tensor_channels(&layer->tensor[WEIGHT], "weight", STOA_INIT_ONE, &layer->output);
    stoa_tensor_channels(&layer->tensor[BIAS], "bias", STOA_INIT_ZERO, &layer->output);
    stoa_tensor_channels(&layer->tensor[RUNNING_MEAN], "running_mean", STOA_INIT_ZERO, &layer->output);
    stoa_tensor_channels(&layer->tensor[RUNNING_VAR], "running_var", STOA_INIT_ONE, &layer->output);
    layer->tensor[RUNNING_MEAN].trainable = false;
    layer->tensor[RUNNING_VAR].trainable = false;
    layer->tensors = 4;
    return STOA_OK;
}

/* One value a channel is its own mean: y would be the bias whatever x is. */
static size_t least_batch(const struct stoa_layer *layer) {
    return rows_of(layer) == 1 ? 2 : 1;
}

/* Workspace: what numbers are scaled by, up to six vectors of coefficients, then the partials of blocks. */
enum { COEFFICIENTS = 6 };

static size_t vector_floats(const struct stoa_layer *layer) {
    return stoa_round_up(channels_of(layer), STOA_ALIGN_FLOATS);
}

/* Whether mean and variance are the batch's. */
static bool looks_at_batch(const struct stoa_op_run *run) {
    return run->training && !run->frozen;
}

static bool crosses_samples(const struct stoa_op_run *run, enum stoa_pass pass) {
    (void)pass;
    return looks_at_batch(run);
}

/* What is taken from a block of samples: forward the number of rows, mean and sum of squares in double;
 * backward the sums of dy and of dy * xhat. */
static size_t partial_bytes(const struct stoa_op_run *run, enum stoa_pass pass) {
    size_t vector = vector_floats(run->layer);
    return pass == STOA_FORWARD ? STOA_ALIGN_BYTES + 2 * vector * sizeof(double) : 2 * vector * sizeof(float);
}

static bool memory(const struct stoa_op_run *run, struct stoa_op_memory *memory) {
    size_t vector = vector_floats(run->layer);
    bool sums = looks_at_batch(run);
    size_t front = STOA_ALIGN_BYTES + COEFFICIENTS * vector * sizeof(float);
    memory->saved = sums ? 2 * vector * sizeof(double) : 0;
    memory->workspace[STOA_FORWARD] = front + (sums ? MOST_BLOCKS * partial_bytes(run, STOA_FORWARD) : 0);
    if (run->training) {
        memory->workspace[STOA_BACKWARD] =
            front + (sums ? MOST_BLOCKS * partial_bytes(run, STOA_BACKWARD) : 0);
    }
    return true;
}

static float *unit(const struct stoa_op_run *run) {
    return run->workspace;
}

static float *coefficient(const struct stoa_op_run *run, size_t which) {
    return unit(run) + STOA_ALIGN_FLOATS + which * vector_floats(run->layer);
}

static double *saved_mean(const struct stoa_op_run *run) {
    return run->saved;
}

static double *saved_inverse(const struct stoa_op_run *run) {
    return (double *)run->saved + vector_floats(run->layer);
}

static size_t rows_of_run(const struct stoa_op_run *run) {
    return run->batch * rows_of(run->layer);
}

/* A run's own blocks: a power of two of them, at most as many as samples. */
static size_t blocks_of(const struct stoa_op_run *run) {
    size_t blocks = 1;
    while (blocks * 2 <= stoa_min(MOST_BLOCKS, run->batch)) {
        blocks *= 2;
    }
    return blocks;
}

static void *partial_of(const struct stoa_op_run *run, enum stoa_pass pass, size_t block) {
    return (unsigned char *)coefficient(run, COEFFICIENTS) + block * partial_bytes(run, pass);
}

/* A block's samples: their first number, and rows. */
struct batchnorm_block {
    size_t at, rows;
};

static struct batchnorm_block block_of(const struct stoa_op_run *run, size_t block) {
    size_t blocks = blocks_of(run);
    size_t begin = stoa_block_begin(run->batch, blocks, block);
    size_t samples = stoa_block_begin(run->batch, blocks, block + 1) - begin;
    return (struct batchnorm_block){begin * stoa_shape_size(&run->layer->output),
                                    samples * rows_of(run->layer)};
}

/* Mean (0) or sum of squares (1) of a forward partial; its rows stand before. */
static double *moments(const struct stoa_op_run *run, void *partial, size_t which) {
    return (double *)partial + STOA_ALIGN_BYTES / sizeof(double) + which * vector_floats(run->layer);
}

static void gather_moments(const struct stoa_op_run *run, struct batchnorm_block block, void *partial) {
    *(double *)partial = (double)block.rows;
    run->context->kernels->bn_moments(run->x[0] + block.at, block.rows, channels_of(run->layer),
                                      moments(run, partial, 0), moments(run, partial, 1));
}

/* The left partial becomes that of both (Chan et al.). */
static void merge_two(const struct stoa_op_run *run, void *left, void *right) {
    double *mean = moments(run, left, 0);
    double *m2 = moments(run, left, 1);
    const double *other_mean = moments(run, right, 0);
    const double *other_m2 = moments(run, right, 1);
    double rows = *(double *)left;
    double other = *(double *)right;
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        double delta = other_mean[c] - mean[c];
        mean[c] += delta * other / (rows + other);
        m2[c] += other_m2[c] + delta * delta * rows * other / (rows + other);
    }
    *(double *)left = rows + other;
}

/* Take the partials of all blocks together, into the first, by halves. */
static void *merge_tree(const struct stoa_op_run *run, enum stoa_pass pass,
                        void (*two)(const struct stoa_op_run *run, void *left, void *right)) {
    for (size_t half = blocks_of(run) / 2; half > 0; half /= 2) {
        for (size_t b = 0; b < half; b++) {
            two(run, partial_of(run, pass, b), partial_of(run, pass, b + half));
        }
    }
    return partial_of(run, pass, 0);
}

/* Statistics of the batch into `saved` and the running ones. */
static void merge_moments(const struct stoa_op_run *run) {
    const struct stoa_batchnorm_options *o = run->layer->options;
    void *partials = merge_tree(run, STOA_FORWARD, merge_two);
    double count = *(double *)partials;
    double unbiased = count > 1 ? count / (count - 1) : 1;
    const double *mean = moments(run, partials, 0);
    const double *m2 = moments(run, partials, 1);
    double keep = 1.0 - (double)o->momentum;
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        double variance = m2[c] / count;
        saved_mean(run)[c] = mean[c];
        saved_inverse(run)[c] = 1.0 / sqrt(variance + (double)o->epsilon);
        float *running_mean = &run->tensor[RUNNING_MEAN][c];
        float *running_var = &run->tensor[RUNNING_VAR][c];
        *running_mean = (float)(keep * (double)*running_mean + (double)o->momentum * mean[c]);
        *running_var = (float)(keep * (double)*running_var + (double)o->momentum * variance * unbiased);
    }
}

static double mean_of(const struct stoa_op_run *run, size_t channel) {
    return looks_at_batch(run) ? saved_mean(run)[channel] : (double)run->tensor[RUNNING_MEAN][channel];
}

static double inverse_of(const struct stoa_op_run *run, size_t channel) {
    const struct stoa_batchnorm_options *o = run->layer->options;
    return looks_at_batch(run) ? saved_inverse(run)[channel]
                               : 1.0 / sqrt((double)run->tensor[RUNNING_VAR][channel] + (double)o->epsilon);
}

/* What numbers are scaled by before anything else: where a deviation is above 2^62, a power of two that keeps
 * its reciprocal and sums of distances well inside the range of floats. */
static double choose_unit(const struct stoa_op_run *run) {
    bool large = false;
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        large |= inverse_of(run, c) < 0x1p-62;
    }
    *unit(run) = large ? 0x1p-64F : 1;
    return (double)*unit(run);
}

static void affine(const struct stoa_op_run *run, float *scale, float *shift) {
    const struct stoa_batchnorm_options *o = run->layer->options;
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        double by =
            (double)run->tensor[WEIGHT][c] / sqrt((double)run->tensor[RUNNING_VAR][c] + (double)o->epsilon);
        scale[c] = (float)by;
        shift[c] = (float)((double)run->tensor[BIAS][c] - (double)run->tensor[RUNNING_MEAN][c] * by);
    }
}

/* Mean, scale and shift of each channel. */
enum { MEAN, SCALE, SHIFT };

/* What y is made with: the mean, as a float, and scale and shift into these vectors. */
static void set_coefficients(const struct stoa_op_run *run, size_t scale_at, size_t shift_at) {
    double by = choose_unit(run);
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        double mean = mean_of(run, c) * by;
        double scale = (double)run->tensor[WEIGHT][c] * inverse_of(run, c) / by;
        float rounded = (float)mean;
        coefficient(run, MEAN)[c] = rounded;
        coefficient(run, scale_at)[c] = (float)scale;
        /* What the mean lost when it became a float comes back here. */
        coefficient(run, shift_at)[c] =
            (float)((double)run->tensor[BIAS][c] + ((double)rounded - mean) * scale);
    }
}

static void forward_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t channels = channels_of(run->layer);
    float *y = run->y + first * channels;
    bool relu;
    struct stoa_finish finish = stoa_finish_of(run, &relu);
    run->context->kernels->normalize_columns(run->x[0] + first * channels, count, channels, *unit(run),
                                             coefficient(run, MEAN), coefficient(run, SCALE),
                                             coefficient(run, SHIFT), relu, y);
    stoa_finish(&finish, y, first * channels, count * channels);
}

static void moments_of_blocks(const struct stoa_op_run *run, size_t first, size_t count) {
    for (size_t b = first; b < first + count; b++) {
        gather_moments(run, block_of(run, b), partial_of(run, STOA_FORWARD, b));
    }
}

static void forward(const struct stoa_op_run *run) {
    if (looks_at_batch(run)) {
        stoa_parallel_range(run, blocks_of(run), 1, moments_of_blocks);
        merge_moments(run);
    }
    set_coefficients(run, SCALE, SHIFT);
    stoa_parallel_range(run, rows_of_run(run), stoa_row_grain(channels_of(run->layer)), forward_rows);
}

/* Of backward. The scale of xhat is wanted for the sums, `a` afterwards. */
enum { A = SCALE, B = SHIFT, D, MASK_SCALE, MASK_SHIFT };

/* Which of dy a ReLU behind has let through, where that is asked for, follows from y, and y from x. */
static const float *mask(const struct stoa_op_run *run, size_t which) {
    return run->undoes_relu ? coefficient(run, which) : NULL;
}

/* The mean, and the mask's coefficients where there is one; what numbers are scaled by. */
static double mean_and_mask(const struct stoa_op_run *run) {
    if (run->undoes_relu) {
        set_coefficients(run, MASK_SCALE, MASK_SHIFT);
        return (double)*unit(run);
    }
    double by = choose_unit(run);
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        coefficient(run, MEAN)[c] = (float)(saved_mean(run)[c] * by);
    }
    return by;
}

static void sum_coefficients(const struct stoa_op_run *run) {
    double by = mean_and_mask(run);
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        coefficient(run, SCALE)[c] = (float)(saved_inverse(run)[c] / by);
    }
}

/* What xhat is too large by because the mean became a float. */
static double xhat_off(const struct stoa_op_run *run, size_t channel, double by) {
    double mean = saved_mean(run)[channel];
    return (mean - (double)(float)(mean * by) / by) * saved_inverse(run)[channel];
}

/* Sum of dy (0) or of dy * xhat (1) of a backward partial. */
static float *sums(const struct stoa_op_run *run, void *partial, size_t which) {
    return (float *)partial + which * vector_floats(run->layer);
}

/* With the coefficients of the sums in the workspace. */
static void sum_rows(const struct stoa_op_run *run, struct batchnorm_block block, void *partial) {
    run->context->kernels->bn_backward_sums(
        run->x[0] + block.at, run->dy + block.at, block.rows, channels_of(run->layer), *unit(run),
        coefficient(run, MEAN), coefficient(run, SCALE), mask(run, MASK_SCALE), mask(run, MASK_SHIFT),
        sums(run, partial, 0), sums(run, partial, 1));
}

static void sums_of_blocks(const struct stoa_op_run *run, size_t first, size_t count) {
    for (size_t b = first; b < first + count; b++) {
        sum_rows(run, block_of(run, b), partial_of(run, STOA_BACKWARD, b));
    }
}

static void add_two(const struct stoa_op_run *run, void *left, void *right) {
    for (size_t which = 0; which < 2; which++) {
        run->context->kernels->accumulate(sums(run, right, which), sums(run, left, which),
                                          channels_of(run->layer));
    }
}

/* Gradients of weight and bias. */
static void merge_sums(const struct stoa_op_run *run) {
    double by = choose_unit(run);
    void *partials = merge_tree(run, STOA_BACKWARD, add_two);
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        double sum = (double)sums(run, partials, 0)[c];
        run->dtensor[BIAS][c] = (float)sum;
        run->dtensor[WEIGHT][c] = (float)((double)sums(run, partials, 1)[c] - sum * xhat_off(run, c, by));
    }
}

static void gradient_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t channels = channels_of(run->layer);
    size_t at = first * channels;
    run->context->kernels->bn_backward(run->x[0] + at, run->dy + at, count, channels, *unit(run),
                                       coefficient(run, MEAN), coefficient(run, A), coefficient(run, B),
                                       coefficient(run, D), mask(run, MASK_SCALE), mask(run, MASK_SHIFT),
                                       run->dx[0] + at);
    stoa_run_epilogue(run, run->dx[0] + at, at, count * channels);
}

/* Behind the gradients of tensors: what they take off every row's. */
static void gradient_coefficients(const struct stoa_op_run *run) {
    double by = mean_and_mask(run);
    double count = (double)rows_of_run(run);
    for (size_t c = 0; c < channels_of(run->layer); c++) {
        double inverse = saved_inverse(run)[c];
        double share_xhat = (double)run->dtensor[WEIGHT][c] / count;
        double share = (double)run->dtensor[BIAS][c] / count - xhat_off(run, c, by) * share_xhat;
        coefficient(run, A)[c] = (float)((double)run->tensor[WEIGHT][c] * inverse);
        coefficient(run, B)[c] = (float)share;
        coefficient(run, D)[c] = (float)(inverse / by * share_xhat);
    }
}

static void scaled_rows(const struct stoa_op_run *run, size_t first, size_t count) {
    size_t channels = channels_of(run->layer);
    run->context->kernels->normalize_columns(run->dy + first * channels, count, channels, 1,
                                             coefficient(run, MEAN), coefficient(run, SCALE),
                                             coefficient(run, SHIFT), false, run->dx[0] + first * channels);
    stoa_run_epilogue(run, run->dx[0] + first * channels, first * channels, count * channels);
}

/* The statistics do not depend on x: only the scale is left. */
static void backward_frozen(const struct stoa_op_run *run) {
    size_t channels = channels_of(run->layer);
    for (size_t c = 0; c < channels; c++) {
        coefficient(run, MEAN)[c] = 0;
        coefficient(run, SCALE)[c] = (float)((double)run->tensor[WEIGHT][c] * inverse_of(run, c));
        coefficient(run, SHIFT)[c] = 0;
    }
    stoa_parallel_range(run, rows_of_run(run), stoa_row_grain(channels), scaled_rows);
}

static void backward(const struct stoa_op_run *run) {
    if (run->frozen) {
        if (run->dx[0]) {
            backward_frozen(run);
        }
        return;
    }
    sum_coefficients(run);
    stoa_parallel_range(run, blocks_of(run), 1, sums_of_blocks);
    merge_sums(run);
    if (run->dx[0]) {
        gradient_coefficients(run);
        stoa_parallel_range(run, rows_of_run(run), stoa_row_grain(channels_of(run->layer)), gradient_rows);
    }
}

/* Mean and variance of one channel of the batch, in two plain passes. */
static void reference_moments(const struct stoa_op_reference *run, size_t channel, double *mean,
                              double *variance) {
    size_t channels = channels_of(run->layer);
    size_t rows = run->batch * rows_of(run->layer);
    *mean = 0;
    *variance = 0;
    for (size_t r = 0; r < rows; r++) {
        *mean += run->x[0][r * channels + channel];
    }
    *mean /= (double)rows; /* of a constant channel to the bit */
    for (size_t r = 0; r < rows; r++) {
        double d = run->x[0][r * channels + channel] - *mean;
        *variance += d * d / (double)rows;
    }
}

static void reference_forward(const struct stoa_op_reference *run) {
    const struct stoa_batchnorm_options *o = run->layer->options;
    size_t channels = channels_of(run->layer);
    size_t rows = run->batch * rows_of(run->layer);
    double momentum = (double)o->momentum;
    for (size_t c = 0; c < channels; c++) {
        double mean = run->tensor[RUNNING_MEAN][c];
        double variance = run->tensor[RUNNING_VAR][c];
        if (run->training && !run->frozen) {
            double unbiased = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
            reference_moments(run, c, &mean, &variance);
            run->tensor[RUNNING_MEAN][c] += momentum * (mean - run->tensor[RUNNING_MEAN][c]);
            run->tensor[RUNNING_VAR][c] += momentum * (variance * unbiased - run->tensor[RUNNING_VAR][c]);
        }
        double inverse = 1.0 / sqrt(variance + (double)o->epsilon);
        for (size_t i = c; i < rows * channels; i += channels) {
            run->y[i] = run->tensor[WEIGHT][c] * (run->x[0][i] - mean) * inverse + run->tensor[BIAS][c];
        }
    }
}

static void reference_backward(const struct stoa_op_reference *run) {
    const struct stoa_batchnorm_options *o = run->layer->options;
    size_t channels = channels_of(run->layer);
    size_t rows = run->batch * rows_of(run->layer);
    for (size_t c = 0; c < channels; c++) {
        double mean = run->tensor[RUNNING_MEAN][c];
        double variance = run->tensor[RUNNING_VAR][c];
        /* What the mean and the variance of the batch take off a gradient; running ones are constants. */
        double share = run->frozen ? 0 : 1 / (double)rows;
        if (!run->frozen) {
            reference_moments(run, c, &mean, &variance);
        }
        double inverse = 1.0 / sqrt(variance + (double)o->epsilon);
        double sum = 0;
        double sum_xhat = 0;
        for (size_t i = c; i < rows * channels; i += channels) {
            sum += run->dy[i];
            sum_xhat += run->dy[i] * (run->x[0][i] - mean) * inverse;
        }
        run->dtensor[BIAS][c] = sum;
        run->dtensor[WEIGHT][c] = sum_xhat;
        for (size_t i = c; run->dx[0] && i < rows * channels; i += channels) {
            double xhat = (run->x[0][i] - mean) * inverse;
            run->dx[0][i] =
                run->tensor[WEIGHT][c] * inverse * (run->dy[i] - sum * share - xhat * sum_xhat * share);
        }
    }
}

static const struct stoa_op_example examples[] = {
    {"", {"4x5x7"}, 3},
    {"epsilon=1e-3 momentum=0.3", {"20"}, 9},
    {"", {"6x6x16"}, 37},
    {NULL, {NULL}, 0},
};

const struct stoa_op stoa_op_batchnorm = {
    .name = "batchnorm",
    .least_inputs = 1,
    .most_inputs = 1,
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_batchnorm_options),
    .needs = STOA_NEEDS_X,
    .needs_for_tensors = true,
    .gradient_in_place = true,
    .finishes = 1 << STOA_FORWARD | 1 << STOA_BACKWARD,
    .undoes_relu = true,
    .affine = affine,
    .infer = infer,
    .memory = memory,
    .least_batch = least_batch,
    .crosses_samples = crosses_samples,
    .forward = forward,
    .backward = backward,
    .reference_forward = reference_forward,
    .reference_backward = reference_backward,
    .examples = examples,
};
