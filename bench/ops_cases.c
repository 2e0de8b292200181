/* SPDX-License-Identifier: MIT */
/* The kernels that `ops` measures: arrays, parallel passes as the operators make them, and the comparison
 * with the double reference. */
#include "bench/ops_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/scratch.h"
#include "base/size.h"
#include "core/threads.h"
#include "ops/op.h"

#define REAL float
#define TABLE stoa_kernels
#define NAME(name) name##_f32
#include "bench/ops_calls.h"
#undef REAL
#undef TABLE
#undef NAME
#define REAL double
#define TABLE stoa_reference_f64
#define NAME(name) name##_f64
#include "bench/ops_calls.h"

/* clang-format off */
#define ELEMENTS BENCH_SHAPE_ELEMENTS
#define CHANNELS BENCH_SHAPE_CHANNELS
#define MAP(X, slot) \
    X(slot, ELEMENTS, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(slot##_backward, ELEMENTS, (BENCH_FULL, BENCH_FULL), (BENCH_FULL), .updates = false)
#define ROW_LOSS(X, slot) \
    X(slot, BENCH_SHAPE_CLASSES, (BENCH_FULL, BENCH_FULL), (BENCH_UNIT), .updates = false) \
    X(slot##_backward, BENCH_SHAPE_CLASSES, (BENCH_FULL, BENCH_FULL, BENCH_UNIT), (BENCH_FULL), \
      .updates = false)
#define OP_CASES(X) \
    X(relu, ELEMENTS, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(relu_backward, ELEMENTS, (BENCH_FULL, BENCH_FULL), (BENCH_FULL), .updates = false) \
    MAP(X, sigmoid) \
    MAP(X, tanh) \
    MAP(X, leaky_relu) \
    MAP(X, elu) \
    MAP(X, softplus) \
    MAP(X, silu) \
    MAP(X, hardswish) \
    MAP(X, gelu) \
    MAP(X, gelu_tanh) \
    X(add, ELEMENTS, (BENCH_FULL, BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(accumulate, ELEMENTS, (BENCH_FULL), (BENCH_FULL), .updates = true) \
    X(dropout, ELEMENTS, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(bias_act, CHANNELS, (BENCH_COLUMN), (BENCH_FULL), .updates = true) \
    X(maxpool, BENCH_SHAPE_POOL, (BENCH_IMAGE), (BENCH_POOLED), .writes_index = true) \
    X(maxpool, BENCH_SHAPE_OVERLAP, (BENCH_IMAGE), (BENCH_POOLED), .writes_index = true) \
    X(maxpool_backward, BENCH_SHAPE_POOL, (BENCH_POOLED), (BENCH_IMAGE), .reads_index = true) \
    X(avgpool, BENCH_SHAPE_POOL, (BENCH_IMAGE), (BENCH_POOLED), .updates = false) \
    X(avgpool_backward, BENCH_SHAPE_POOL, (BENCH_POOLED), (BENCH_IMAGE), .updates = false) \
    X(global_avgpool, BENCH_SHAPE_GLOBAL, (BENCH_IMAGE), (BENCH_CHANNELS), .updates = false) \
    X(global_avgpool_backward, BENCH_SHAPE_GLOBAL, (BENCH_CHANNELS), (BENCH_IMAGE), .updates = false) \
    X(bn_moments, CHANNELS, (BENCH_FULL), (BENCH_PARTIAL, BENCH_PARTIAL), .updates = false) \
    X(normalize_columns, CHANNELS, (BENCH_FULL, BENCH_COLUMN, BENCH_COLUMN, BENCH_COLUMN), (BENCH_FULL), \
      .updates = false) \
    X(bn_backward_sums, CHANNELS, (BENCH_FULL, BENCH_FULL, BENCH_COLUMN, BENCH_COLUMN), \
      (BENCH_PARTIAL, BENCH_PARTIAL), .updates = false) \
    X(bn_backward, CHANNELS, \
      (BENCH_FULL, BENCH_FULL, BENCH_COLUMN, BENCH_COLUMN, BENCH_COLUMN, BENCH_COLUMN), (BENCH_FULL), \
      .updates = false) \
    X(softmax, BENCH_SHAPE_DIGITS, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(softmax, BENCH_SHAPE_CLASSES, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(softmax_backward, BENCH_SHAPE_CLASSES, (BENCH_FULL, BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(log_softmax, BENCH_SHAPE_CLASSES, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(log_softmax_backward, BENCH_SHAPE_CLASSES, (BENCH_FULL, BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(row_moments, CHANNELS, (BENCH_FULL), (BENCH_UNIT, BENCH_UNIT), .updates = false) \
    X(row_moments, BENCH_SHAPE_CLASSES, (BENCH_FULL), (BENCH_UNIT, BENCH_UNIT), .updates = false) \
    X(normalize_rows, CHANNELS, (BENCH_FULL, BENCH_UNIT, BENCH_UNIT, BENCH_COLUMN, BENCH_COLUMN), \
      (BENCH_FULL), .updates = false) \
    X(layernorm_backward, CHANNELS, (BENCH_FULL, BENCH_FULL, BENCH_UNIT, BENCH_UNIT, BENCH_COLUMN), \
      (BENCH_FULL), .updates = false) \
    X(layernorm_backward_weights, CHANNELS, (BENCH_FULL, BENCH_FULL, BENCH_UNIT, BENCH_UNIT), \
      (BENCH_PARTIAL, BENCH_PARTIAL), .updates = false) \
    X(prelu, CHANNELS, (BENCH_FULL, BENCH_COLUMN), (BENCH_FULL), .updates = false) \
    X(prelu_backward, CHANNELS, (BENCH_FULL, BENCH_FULL, BENCH_COLUMN), (BENCH_FULL), .updates = false) \
    X(prelu_backward_slope, CHANNELS, (BENCH_FULL, BENCH_FULL), (BENCH_PARTIAL), .updates = false) \
    X(softmax_xent, BENCH_SHAPE_DIGITS, (BENCH_FULL), (BENCH_FULL, BENCH_UNIT), .labels = true) \
    X(softmax_xent, BENCH_SHAPE_CLASSES, (BENCH_FULL), (BENCH_FULL, BENCH_UNIT), .labels = true) \
    X(softmax_xent_backward, BENCH_SHAPE_CLASSES, (BENCH_FULL, BENCH_UNIT), (BENCH_FULL), .labels = true) \
    ROW_LOSS(X, squared_error) \
    ROW_LOSS(X, absolute_error) \
    ROW_LOSS(X, huber) \
    ROW_LOSS(X, bce) \
    X(sgd, ELEMENTS, (BENCH_FULL), (BENCH_FULL, BENCH_FULL), .updates = true) \
    X(nesterov, ELEMENTS, (BENCH_FULL), (BENCH_FULL, BENCH_FULL), .updates = true) \
    X(previous_gradient, ELEMENTS, (BENCH_FULL), (BENCH_FULL, BENCH_FULL), .updates = true) \
    X(adagrad, ELEMENTS, (BENCH_FULL), (BENCH_FULL, BENCH_FULL), .updates = true) \
    X(rmsprop, ELEMENTS, (BENCH_FULL), (BENCH_FULL, BENCH_FULL, BENCH_FULL), .updates = true) \
    X(adam, ELEMENTS, (BENCH_FULL), (BENCH_FULL, BENCH_FULL, BENCH_FULL), .updates = true) \
    X(clip, ELEMENTS, (BENCH_NOTHING), (BENCH_FULL), .updates = true) \
    X(scale, ELEMENTS, (BENCH_NOTHING), (BENCH_FULL), .updates = true) \
    X(average, ELEMENTS, (BENCH_FULL), (BENCH_FULL), .updates = true) \
    X(sum_squares, ELEMENTS, (BENCH_FULL), (BENCH_PARTIAL), .updates = false) \
    X(column_sums, CHANNELS, (BENCH_FULL), (BENCH_PARTIAL), .updates = false) \
    X(sum, ELEMENTS, (BENCH_FULL), (BENCH_PARTIAL), .updates = false) \
    X(find_nonfinite, ELEMENTS, (BENCH_FULL), (BENCH_PARTIAL), .updates = false) \
    X(bytes_to_real, ELEMENTS, (BENCH_NOTHING), (BENCH_FULL), .pixels = true) \
    X(transpose, BENCH_SHAPE_CONV, (BENCH_IMAGE), (BENCH_IMAGE), .updates = false) \
    X(copy_rows, CHANNELS, (BENCH_FULL), (BENCH_FULL), .updates = false) \
    X(upsample, BENCH_SHAPE_POOL, (BENCH_POOLED), (BENCH_IMAGE), .updates = false) \
    X(upsample_backward, BENCH_SHAPE_POOL, (BENCH_IMAGE), (BENCH_POOLED), .updates = false) \
    X(im2col, BENCH_SHAPE_CONV, (BENCH_IMAGE), (BENCH_PATCHES), .updates = false) \
    X(col2im, BENCH_SHAPE_CONV, (BENCH_PATCHES), (BENCH_IMAGE), .updates = true)
/* clang-format on */

#define LIST(...)                                                                                            \
    { __VA_ARGS__ }
#define CASE(slot, its_shape, reads, writes, ...)                                                            \
    {.kernel = #slot, .shape = (its_shape), .in = LIST reads, .out = LIST writes, __VA_ARGS__},
const struct bench_ops_case bench_ops_cases[] = {OP_CASES(CASE)};
#undef CASE
const size_t bench_ops_case_count = sizeof bench_ops_cases / sizeof *bench_ops_cases;

/* How the cases are called, in the same order. */
static const struct calls {
    void (*fast)(const struct stoa_kernels *kernels, const struct bench_ops_work_f32 *work, size_t first,
                 size_t count, size_t task);
    void (*reference)(const struct stoa_reference_f64 *kernels, const struct bench_ops_work_f64 *work,
                      size_t first, size_t count, size_t task);
} calls[] = {
#define CASE(slot, its_shape, reads, writes, ...) {call_##slot##_f32, call_##slot##_f64},
    OP_CASES(CASE)
#undef CASE
};

/* A shape: rows of `columns`, or images with a window. */
static const struct shape {
    const char *text;
    size_t columns;
    struct stoa_window window;
} shapes[] = {
    [BENCH_SHAPE_ELEMENTS] = {"elements", 1, {0}},
    [BENCH_SHAPE_CHANNELS] = {"rows of 64", 64, {0}},
    [BENCH_SHAPE_DIGITS] = {"rows of 10", 10, {0}},
    [BENCH_SHAPE_CLASSES] = {"rows of 1000", 1000, {0}},
    [BENCH_SHAPE_POOL] = {"28x28x32 2x2", 1, {28, 28, 32, 2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 14, 14, 0}},
    [BENCH_SHAPE_OVERLAP] = {"28x28x32 3x3 s2", 1, {28, 28, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 14, 14, 0}},
    [BENCH_SHAPE_CONV] = {"28x28x32 3x3", 1, {28, 28, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 28, 28, 0}},
    [BENCH_SHAPE_GLOBAL] = {"7x7x512", 1, {7, 7, 512, 7, 7, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0}},
};

struct bench_ops_arrays {
    const struct bench_ops_case *c;
    const struct calls *calls;
    struct bench_ops_work_f32 work;
    size_t units, grain, tasks;
    size_t in[BENCH_OPS_INPUTS], out[BENCH_OPS_OUTPUTS]; /* floats */
    size_t index;
    int32_t *labels;
    uint8_t *pixels;
};

const char *bench_ops_shape_text(const struct bench_ops_case *c) {
    return shapes[c->shape].text;
}

/* Numbers in an array; partial results are counted for `tasks`. */
static size_t extent(const struct bench_ops_case *c, enum bench_ops_extent kind, size_t units, size_t tasks) {
    const struct shape *shape = &shapes[c->shape];
    const struct stoa_window *w = &shape->window;
    size_t pooled = w->out_height * w->out_width * w->channels;
    switch (kind) {
    case BENCH_NOTHING:
        break;
    case BENCH_FULL:
        return units * shape->columns;
    case BENCH_UNIT:
        return units;
    case BENCH_COLUMN:
        return shape->columns;
    case BENCH_IMAGE:
        return units * w->height * w->width * w->channels;
    case BENCH_POOLED:
        return units * pooled;
    case BENCH_PATCHES:
        return units * pooled * w->kernel_height * w->kernel_width;
    case BENCH_CHANNELS:
        return units * w->channels;
    case BENCH_PARTIAL:
        return tasks * shape->columns;
    }
    return 0;
}

double bench_ops_bytes(const struct bench_ops_case *c, size_t units) {
    size_t floats = 0;
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        floats += extent(c, c->in[i], units, 0);
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        floats += extent(c, c->out[i], units, 0) * (c->updates ? 2 : 1);
    }
    bool index = c->reads_index || c->writes_index;
    return 4 * (double)floats + (index ? 2 * (double)extent(c, BENCH_POOLED, units, 0) : 0) +
           (c->labels ? 4 * (double)units : 0) + (c->pixels ? (double)units : 0);
}

size_t bench_ops_units(const struct bench_ops_case *c, size_t bytes) {
    /* What a thousand units need beyond one: columns and fixed parts drop out. */
    double each = (bench_ops_bytes(c, 1001) - bench_ops_bytes(c, 1)) / 1000;
    return stoa_max(1, (size_t)((double)bytes / (c->updates ? each / 2 : each)));
}

/* Units of a task: about STOA_GRAIN floats, as the operators cut; images go one by one. */
static size_t grain_of(const struct bench_ops_case *c) {
    const struct shape *shape = &shapes[c->shape];
    return shape->window.height ? 1 : stoa_max(1, STOA_GRAIN / shape->columns);
}

/* Reproducible numbers in [-1, 1), or in [0.5, 1.5): Adam's second moment must not be negative. They repeat,
 * with a period that no row and no image has: drawing them would take longer than the measurement. */
static void fill(float *x, size_t count, uint64_t stream, bool positive) {
    enum { PERIOD = 65537 };
    for (size_t i = 0; i < count && i < PERIOD; i++) {
        struct stoa_random4 random = stoa_philox(7, i / 4, stream);
        float unit = stoa_random_unit(random.word[i % 4]);
        x[i] = positive ? unit + 0.5F : 2 * unit - 1;
    }
    for (size_t i = PERIOD; i < count; i += PERIOD) {
        memcpy(x + i, x, stoa_min(PERIOD, count - i) * sizeof *x);
    }
}

static void fill_integers(struct bench_ops_arrays *a) {
    for (size_t i = 0; a->labels && i < a->units; i++) {
        a->labels[i] = (int32_t)(i * 7 % shapes[a->c->shape].columns);
    }
    for (size_t i = 0; a->pixels && i < a->units; i++) {
        a->pixels[i] = (uint8_t)(i * 37);
    }
    for (size_t i = 0; i < a->index; i++) {
        const struct stoa_window *w = &a->work.window;
        a->work.index[i] = (uint16_t)(i * 5 % (w->kernel_height * w->kernel_width));
    }
}

static void *take(size_t count, size_t each, bool *short_of_memory) {
    void *memory = count ? calloc(count, each) : NULL;
    *short_of_memory = *short_of_memory || (count && !memory);
    return memory;
}

static bool allocate(struct bench_ops_arrays *a) {
    bool lacking = false;
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        a->work.in[i] = take(a->in[i], sizeof(float), &lacking);
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        a->work.out[i] = take(a->out[i], sizeof(float), &lacking);
    }
    a->labels = take(a->c->labels ? a->units : 0, sizeof(int32_t), &lacking);
    a->pixels = take(a->c->pixels ? a->units : 0, 1, &lacking);
    a->work.index = take(a->index, sizeof(uint16_t), &lacking);
    a->work.labels = a->labels;
    a->work.pixels = a->pixels;
    return !lacking;
}

struct bench_ops_arrays *bench_ops_make(const struct bench_ops_case *c, size_t units) {
    struct bench_ops_arrays *a = calloc(1, sizeof *a);
    if (!a) {
        return NULL;
    }
    a->c = c;
    a->calls = &calls[c - bench_ops_cases];
    a->units = units;
    a->grain = grain_of(c);
    a->tasks = stoa_ceil_div(units, a->grain);
    a->work.window = shapes[c->shape].window;
    a->work.columns = shapes[c->shape].columns;
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        a->in[i] = extent(c, c->in[i], units, a->tasks);
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        a->out[i] = extent(c, c->out[i], units, a->tasks);
    }
    a->index = c->reads_index || c->writes_index ? extent(c, BENCH_POOLED, units, 0) : 0;
    if (!allocate(a)) {
        bench_ops_free(a);
        return NULL;
    }
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        fill(a->work.in[i], a->in[i], i, false);
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        fill(a->work.out[i], a->out[i], BENCH_OPS_INPUTS + i, i == 2);
    }
    fill_integers(a);
    return a;
}

void bench_ops_free(struct bench_ops_arrays *arrays) {
    if (!arrays) {
        return;
    }
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        free(arrays->work.in[i]);
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        free(arrays->work.out[i]);
    }
    free(arrays->labels);
    free(arrays->pixels);
    free(arrays->work.index);
    free(arrays);
}

struct pass {
    struct bench_ops_arrays *arrays;
    const struct stoa_kernels *kernels;
};

static void run_task(void *argument, size_t task, size_t thread) {
    (void)thread;
    const struct pass *pass = argument;
    struct bench_ops_arrays *a = pass->arrays;
    size_t first = task * a->grain;
    a->calls->fast(pass->kernels, &a->work, first, stoa_min(a->grain, a->units - first), task);
}

void bench_ops_run(struct bench_ops_arrays *arrays, const stoa_context *context,
                   const struct stoa_kernels *kernels) {
    struct pass pass = {arrays, kernels};
    stoa_parallel(context, arrays->tasks, run_task, &pass);
}

/* The twins in double of all arrays, values copied. */
static bool make_twin(const struct bench_ops_arrays *a, struct bench_ops_work_f64 *twin) {
    bool lacking = false;
    *twin = (struct bench_ops_work_f64){
        .window = a->work.window, .columns = a->work.columns, .labels = a->labels, .pixels = a->pixels};
    twin->index = take(a->index, sizeof(uint16_t), &lacking);
    for (size_t i = 0; i < a->index && twin->index; i++) {
        twin->index[i] = a->work.index[i];
    }
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        twin->in[i] = take(a->in[i], sizeof(double), &lacking);
        for (size_t j = 0; j < a->in[i] && twin->in[i]; j++) {
            twin->in[i][j] = (double)a->work.in[i][j];
        }
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        twin->out[i] = take(a->out[i], sizeof(double), &lacking);
        for (size_t j = 0; j < a->out[i] && twin->out[i]; j++) {
            twin->out[i][j] = (double)a->work.out[i][j];
        }
    }
    return !lacking;
}

static void free_twin(struct bench_ops_work_f64 *twin) {
    for (size_t i = 0; i < BENCH_OPS_INPUTS; i++) {
        free(twin->in[i]);
    }
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        free(twin->out[i]);
    }
    free(twin->index);
}

/* Largest error in units of what rounding allows, NaN when a number is. Reductions may be off by some
 * roundings of their largest term. */
static double compare(const struct bench_ops_arrays *a, const struct bench_ops_work_f64 *twin) {
    double largest = 0;
    for (size_t i = 0; i < BENCH_OPS_OUTPUTS; i++) {
        double slack = a->c->out[i] == BENCH_PARTIAL ? 1e-7 * (double)a->grain : 1e-5;
        for (size_t j = 0; j < a->out[i]; j++) {
            double error = fabs((double)a->work.out[i][j] - twin->out[i][j]);
            error /= slack + 1e-5 * fabs(twin->out[i][j]);
            if (isnan(error)) {
                return NAN;
            }
            largest = fmax(largest, error);
        }
    }
    for (size_t i = 0; i < a->index; i++) {
        largest = a->work.index[i] == twin->index[i] ? largest : INFINITY;
    }
    return largest;
}

double bench_ops_verify(struct bench_ops_arrays *arrays, const stoa_context *context,
                        const struct stoa_kernels *kernels, bool broken) {
    struct bench_ops_work_f64 twin;
    double error = INFINITY;
    if (make_twin(arrays, &twin)) {
        for (size_t task = 0; task < arrays->tasks; task++) {
            size_t first = task * arrays->grain;
            arrays->calls->reference(&stoa_reference_f64, &twin, first,
                                     stoa_min(arrays->grain, arrays->units - first), task);
        }
        bench_ops_run(arrays, context, kernels);
        arrays->work.out[0][arrays->out[0] - 1] += broken ? 0.01F : 0;
        error = compare(arrays, &twin);
    }
    free_twin(&twin);
    return error;
}
