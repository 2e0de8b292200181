/* SPDX-License-Identifier: MIT */
/* Winograd's convolution: its passes agree with the double reference within the bound that is documented, on
 * any number of threads the same bits, whatever the workspace limit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/size.h"
#include "blas/blas.h"
#include "tests/conv/winograd_shapes.h"

/* Largest error in units of the layer's largest sum(|x||w|). */
static const double BOUNDS[ALGORITHMS] = {1e-6, 1.2e-6, 4e-6};
enum { SEED = 41, GUARD = 32 };
static const uint32_t canary = 0x7FA5C3E1U;

/* Arguments of strided(): every rest of a side by 4, every padding, channels that are and are not multiples
 * of vectors, and deep layers; larger kernels; strides, which may or may not divide kernel and image; of
 * both, narrow and wide layers. */
static const size_t shapes[][9] = {
    {3, 1, 3, 16, 26, 26, 16, 0, 0},  {3, 1, 3, 16, 12, 12, 64, 0, 0},  {3, 1, 2, 32, 14, 14, 48, 1, 0},
    {3, 1, 5, 24, 7, 7, 20, 1, 0},    {3, 1, 1, 17, 3, 3, 33, 0, 0},    {3, 1, 1, 3, 1, 1, 5, 1, 0},
    {3, 1, 2, 70, 9, 13, 19, 2, 0},   {3, 1, 2, 16, 5, 30, 31, 1, 1},   {3, 1, 1, 65, 11, 6, 16, 0, 7},
    {3, 1, 2, 130, 7, 10, 150, 1, 0}, {3, 1, 2, 384, 7, 7, 160, 1, 0},  {3, 1, 1, 256, 14, 14, 160, 1, 0},
    {3, 1, 9, 40, 8, 8, 300, 2, 1},   {4, 1, 2, 20, 13, 10, 24, 1, 1},  {4, 1, 3, 1, 9, 9, 5, 2, 0},
    {4, 1, 1, 144, 9, 11, 130, 3, 0}, {5, 1, 3, 6, 14, 14, 16, 0, 0},   {5, 1, 2, 1, 28, 19, 8, 2, 0},
    {5, 1, 1, 48, 11, 13, 40, 4, 5},  {5, 1, 1, 160, 9, 10, 144, 2, 1}, {5, 1, 2, 17, 5, 5, 9, 0, 0},
    {5, 2, 3, 6, 20, 13, 10, 2, 1},   {5, 2, 2, 64, 15, 17, 96, 2, 0},  {6, 2, 2, 16, 21, 18, 20, 2, 0},
    {7, 2, 2, 3, 41, 37, 64, 3, 0},   {7, 2, 1, 40, 16, 13, 110, 3, 1}, {8, 2, 1, 5, 19, 22, 7, 7, 0},
    {9, 2, 1, 8, 25, 28, 17, 4, 0},   {9, 2, 2, 1, 31, 27, 6, 8, 3},    {3, 1, 1, 128, 9, 8, 128, 1, 0},
    {3, 1, 1, 130, 32, 30, 96, 1, 0}, {10, 2, 1, 64, 18, 17, 72, 4, 0}, {11, 3, 1, 4, 40, 35, 9, 5, 3},
    {11, 4, 1, 3, 67, 62, 64, 2, 0},  {17, 4, 1, 2, 50, 45, 6, 8, 1},
};

static struct stoa_conv shape_of(const size_t s[9]) {
    return strided(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]);
}

/* Float numbers, and the same ones in double. */
struct numbers {
    float *f;
    double *d;
    size_t n;
};

static struct numbers numbers_of(size_t n) {
    static uint64_t draws;
    struct numbers a = {malloc(n * sizeof *a.f), malloc(n * sizeof *a.d), n};
    assert_true(a.f && a.d);
    for (size_t i = 0; i < n; i++) {
        struct stoa_random4 r = stoa_philox(SEED, draws++, 7);
        a.f[i] = 2 * stoa_random_unit(r.word[0]) - 1;
        a.d[i] = (double)a.f[i];
    }
    return a;
}

static void numbers_free(struct numbers a) {
    free(a.f);
    free(a.d);
}

/* A problem with all its tensors and, for each pass, what is right. */
struct problem {
    struct stoa_conv conv;
    struct numbers x, weight, bias, dy;
    struct numbers right[PASSES];
    double scale[PASSES]; /* largest sum(|x||w|) */
    double *dbias;
};

static double *absolute(struct numbers a) {
    double *out = malloc(a.n * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < a.n; i++) {
        out[i] = fabs(a.d[i]);
    }
    return out;
}

static void reference(const struct stoa_conv *c, enum stoa_conv_pass pass, const double *x,
                      const double *weight, const double *bias, const double *dy, double *out) {
    if (pass == STOA_CONV_FORWARD) {
        stoa_reference_f64.conv2d(&c->window, c->batch, c->filters, 1, x, weight, bias, out);
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        stoa_reference_f64.conv2d_backward_data(&c->window, c->batch, c->filters, 1, dy, weight, out);
    } else {
        stoa_reference_f64.conv2d_backward_weights(&c->window, c->batch, c->filters, 1, x, dy, out);
    }
}

static struct problem problem_of(struct stoa_conv conv) {
    const struct stoa_window *w = &conv.window;
    size_t pixels = conv.batch * w->out_height * w->out_width;
    struct problem p = {.conv = conv,
                        .x = numbers_of(conv.batch * w->height * w->width * w->channels),
                        .weight = numbers_of(stoa_conv_weights(&conv)),
                        .bias = numbers_of(conv.filters),
                        .dy = numbers_of(pixels * conv.filters),
                        .dbias = calloc(conv.filters, sizeof(double))};
    assert_non_null(p.dbias);
    for (size_t i = 0; i < p.dy.n; i++) {
        p.dbias[i % conv.filters] += p.dy.d[i];
    }
    double *x = absolute(p.x);
    double *weight = absolute(p.weight);
    double *dy = absolute(p.dy);
    const size_t sizes[PASSES] = {p.dy.n, p.x.n, p.weight.n};
    for (size_t i = 0; i < PASSES; i++) {
        p.right[i] = numbers_of(sizes[i]);
        double *sums = calloc(sizes[i], sizeof *sums);
        assert_non_null(sums);
        reference(&conv, (enum stoa_conv_pass)i, x, weight, NULL, dy, sums);
        for (size_t j = 0; j < sizes[i]; j++) {
            p.scale[i] = fmax(p.scale[i], sums[j]);
        }
        free(sums);
        reference(&conv, (enum stoa_conv_pass)i, p.x.d, p.weight.d, p.bias.d, p.dy.d, p.right[i].d);
    }
    free(x);
    free(weight);
    free(dy);
    return p;
}

static void problem_free(struct problem *p) {
    numbers_free(p->x);
    numbers_free(p->weight);
    numbers_free(p->bias);
    numbers_free(p->dy);
    for (size_t i = 0; i < PASSES; i++) {
        numbers_free(p->right[i]);
    }
    free(p->dbias);
}

/* Memory between canaries, filled with NaN. */
static float *guarded(size_t bytes) {
    size_t floats = bytes / sizeof(float);
    float *block = aligned_alloc(STOA_ALIGN_BYTES,
                                 stoa_round_up((floats + 2 * GUARD) * sizeof *block, STOA_ALIGN_BYTES));
    assert_non_null(block);
    for (size_t i = 0; i < floats + 2 * GUARD; i++) {
        block[i] = NAN;
        if (i < GUARD || i >= floats + GUARD) {
            memcpy(&block[i], &canary, sizeof canary);
        }
    }
    return block + GUARD;
}

static void release(float *memory, size_t bytes) {
    size_t floats = bytes / sizeof(float);
    for (size_t i = 0; i < GUARD; i++) {
        assert_memory_equal(memory - GUARD + i, &canary, sizeof canary);
        assert_memory_equal(memory + floats + i, &canary, sizeof canary);
    }
    free(memory - GUARD);
}

/* Run a plan into out (and dbias), in exactly the workspace it asks for. */
static void run(const stoa_context *context, const struct stoa_conv_plan *plan, const struct problem *p,
                bool relu, float *out, float *dbias) {
    float *workspace = guarded(plan->bytes);
    struct stoa_conv_run run = {.context = context, .batch = p->conv.batch, .workspace = workspace};
    if (plan->pass != STOA_CONV_BACKWARD_DATA) {
        run.x = p->x.f;
    }
    if (plan->pass != STOA_CONV_BACKWARD_WEIGHTS) {
        run.weight = p->weight.f;
    }
    if (plan->pass == STOA_CONV_FORWARD) {
        run.bias = p->bias.f;
        run.relu = relu;
        run.y = out;
    } else if (plan->pass == STOA_CONV_BACKWARD_DATA) {
        run.dy = p->dy.f;
        run.dx = out;
    } else {
        run.dy = p->dy.f;
        run.dweight = out;
        run.dbias = dbias;
    }
    stoa_blas_enter();
    stoa_conv_run(plan, &run);
    stoa_blas_leave();
    release(workspace, plan->bytes);
}

static double bound_of(const struct stoa_conv_algorithm *algorithm) {
    size_t i = 0;
    while (algorithms[i] != algorithm) {
        i++;
    }
    return BOUNDS[i];
}

static double check(const char *what, double bound, const struct problem *p, enum stoa_conv_pass pass,
                    bool relu, const float *out) {
    double largest = 0;
    for (size_t i = 0; i < p->right[pass].n; i++) {
        double right = relu ? fmax(0, p->right[pass].d[i]) : p->right[pass].d[i];
        double error = fabs((double)out[i] - right) / p->scale[pass];
        if (!(error <= bound)) { /* so that NaN fails */
            const struct stoa_window *w = &p->conv.window;
            fail_msg(
                "%s: %zux%zux%zu to %zu, kernel %zu, stride %zu, pad %zu, pass %d: element %zu is %g, not %g",
                what, w->height, w->width, w->channels, p->conv.filters, w->kernel_height, w->stride_height,
                w->pad_top, (int)pass, i, (double)out[i], right);
        }
        largest = fmax(largest, error);
    }
    return largest;
}

/* What was seen of an algorithm's pass with some kernels: runs, and the largest error. */
struct seen {
    size_t runs;
    double largest;
};

/* All passes of a problem on one thread count and limit; the first run's results are kept for comparison. */
static void compare(const struct stoa_conv_algorithm *algorithm, const stoa_context *context,
                    const struct problem *p, float *kept[PASSES], struct seen seen[PASSES]) {
    for (size_t i = 0; i < PASSES; i++) {
        enum stoa_conv_pass pass = (enum stoa_conv_pass)i;
        struct stoa_conv_plan plan;
        if (!stoa_conv_plan_with(context, algorithm, &p->conv, pass, &plan)) {
            continue;
        }
        size_t bytes = p->right[i].n * sizeof(float);
        float *out = guarded(bytes);
        float *dbias = guarded(p->conv.filters * sizeof(float));
        run(context, &plan, p, false, out, dbias);
        seen[i].runs++;
        seen[i].largest =
            fmax(seen[i].largest, check(algorithm->name, bound_of(algorithm), p, pass, false, out));
        for (size_t k = 0; pass == STOA_CONV_BACKWARD_WEIGHTS && k < p->conv.filters; k++) {
            assert_true(fabs((double)dbias[k] - p->dbias[k]) < 1e-6 * (double)p->dy.n);
        }
        if (kept[i]) {
            assert_memory_equal(out, kept[i], bytes);
            release(out, bytes);
        } else {
            kept[i] = out;
        }
        release(dbias, p->conv.filters * sizeof(float));
    }
}

static void compare_all(const struct problem *p, const struct stoa_conv_algorithm *algorithm, size_t limit,
                        struct seen seen[PASSES]) {
    /* So many that they share what each of a few has for itself; with a small limit, or they would take
     * hundreds of MiB. */
    enum { MANY = 40, SMALL_LIMIT = 1 << 18 };
    static const size_t thread_counts[] = {1, 2, 7, MANY};
    size_t counts = sizeof thread_counts / sizeof *thread_counts - (limit == SMALL_LIMIT ? 0 : 1);
    float *kept[PASSES] = {NULL};
    for (size_t t = 0; t < counts; t++) {
        stoa_context *context = make_context(thread_counts[t], limit, stoa_isa_best());
        compare(algorithm, context, p, kept, seen);
        stoa_context_free(context);
    }
    for (size_t k = 0; k < PASSES; k++) {
        if (kept[k]) {
            release(kept[k], p->right[k].n * sizeof(float));
        }
    }
}

/* By taps a side, of stride 1 and of larger ones. */
enum { KINDS = 2 * (STOA_WINOGRAD_MOST_TAPS + 1 - STOA_WINOGRAD_LEAST_TAPS) };

static size_t kind_of(const struct stoa_conv *conv) {
    struct stoa_winograd_input in = stoa_winograd_input_of(&conv->window, STOA_WINOGRAD_POINTS);
    return 2 * (in.taps - STOA_WINOGRAD_LEAST_TAPS) + (in.stride > 1);
}

/* Each pass that an algorithm has was run with each kind of kernel. */
static void report(size_t algorithm, struct seen seen[KINDS][PASSES]) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t taps = kind / 2 + STOA_WINOGRAD_LEAST_TAPS;
        bool larger_stride = kind % 2;
        bool can = algorithm > 0 || taps == STOA_WINOGRAD_LEAST_TAPS;
        for (size_t pass = 0; pass < PASSES; pass++) {
            bool has = can && !(larger_stride && pass == STOA_CONV_BACKWARD_DATA);
            assert_int_equal(has, seen[kind][pass].runs > 0);
        }
        if (can) {
            printf("%s, %zu taps%s: largest errors %.1e forward, %.1e to data, %.1e to weights\n",
                   algorithms[algorithm]->name, taps, larger_stride ? ", strides" : "", seen[kind][0].largest,
                   seen[kind][1].largest, seen[kind][2].largest);
        }
    }
}

static void agrees_with_the_reference(void **state) {
    (void)state;
    static const size_t limits[] = {0, (size_t)256 << 10, (size_t)16 << 20};
    enum { LIMITS = sizeof limits / sizeof *limits };
    struct seen seen[ALGORITHMS][KINDS][PASSES] = {{{{0}}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct problem p = problem_of(shape_of(shapes[i]));
        for (size_t j = 0; j < (size_t)LIMITS * ALGORITHMS; j++) {
            compare_all(&p, algorithms[j % ALGORITHMS], limits[j / ALGORITHMS],
                        seen[j % ALGORITHMS][kind_of(&p.conv)]);
        }
        problem_free(&p);
    }
    for (size_t i = 0; i < ALGORITHMS; i++) {
        report(i, seen[i]);
    }
}

static void runs_on_every_instruction_set(void **state) {
    (void)state;
    const struct stoa_conv conv[] = {shape(2, 33, 10, 7, 24, 1, 0), strided(5, 1, 1, 6, 12, 15, 16, 2, 0),
                                     strided(7, 2, 1, 3, 26, 23, 20, 3, 0)};
    for (size_t s = 0; s < sizeof conv / sizeof *conv; s++) {
        struct problem p = problem_of(conv[s]);
        for (int isa = STOA_ISA_BASE; isa <= (int)stoa_isa_best(); isa++) {
            stoa_context *context = make_context(2, 0, (stoa_isa)isa);
            for (size_t i = s == 0 ? 0 : 1; i < ALGORITHMS; i++) {
                struct stoa_conv_plan plan;
                assert_true(stoa_conv_plan_with(context, algorithms[i], &p.conv, STOA_CONV_FORWARD, &plan));
                float *out = guarded(p.dy.n * sizeof(float));
                run(context, &plan, &p, true, out, NULL);
                (void)check("with ReLU", BOUNDS[i], &p, STOA_CONV_FORWARD, true, out);
                release(out, p.dy.n * sizeof(float));
            }
            stoa_context_free(context);
        }
        problem_free(&p);
    }
}

/* The least and large block sizes that a table may give: other cuts, within the same bounds. */
static void runs_by_any_table(void **state) {
    (void)state;
    static const size_t picked[] = {2, 6, 9, 10, 18, 22, 28};
    for (size_t i = 0; i < 2 * sizeof picked / sizeof *picked; i++) {
        struct problem p = problem_of(shape_of(shapes[picked[i / 2]]));
        stoa_context *context = make_context(2, 0, stoa_isa_best());
        struct stoa_tuning table = *context->tuning;
        bool least = i % 2 == 0;
        table.winograd_narrow_floats = least ? 1 : 1048576;
        table.winograd_block_bytes = least ? 4096 : 4194304;
        table.winograd_own_bytes = least ? 0 : 1073741824;
        table.winograd_channels = table.winograd_filters = least ? 16 : 4096;
        table.winograd_range = least ? 17 : 1024;
        table.winograd_step_tiles = table.winograd_chunk_tiles = least ? 4 : 65536;
        context->tuning = &table;
        struct seen seen[PASSES] = {{0}};
        for (size_t a = 1; a < ALGORITHMS; a++) {
            float *kept[PASSES] = {NULL};
            compare(algorithms[a], context, &p, kept, seen);
            for (size_t k = 0; k < PASSES; k++) {
                if (kept[k]) {
                    release(kept[k], p.right[k].n * sizeof(float));
                }
            }
        }
        assert_true(seen[STOA_CONV_FORWARD].runs > 0);
        stoa_context_free(context);
        problem_free(&p);
    }
}

/* Plan forward with so much work that a task of one image must have, and say how many tasks that gives. */
static size_t tasks_of(stoa_context *context, const struct problem *p, double layer_task, size_t *blocks) {
    struct stoa_tuning table = *context->tuning;
    const struct stoa_tuning *own = context->tuning;
    struct stoa_conv_plan plan;
    table.layer_task = layer_task;
    context->tuning = &table;
    assert_true(stoa_conv_plan_with(context, algorithms[1], &p->conv, STOA_CONV_FORWARD, &plan));
    context->tuning = own;
    const struct stoa_winograd *cut = (const void *)plan.cut.bytes;
    assert_true(cut->narrow);
    *blocks = cut->grid.blocks;
    return cut->grid.blocks * stoa_winograd_filter_ranges(cut);
}

/* A narrow layer of one image is two tasks where the table says that they pay: of tiles, or of filters, which
 * may be no whole vectors. Both threads or one compute the same bits. */
static void cuts_one_image_for_two_threads(void **state) {
    (void)state;
    static const struct {
        size_t channels, side, filters, blocks, ranges;
    } cases[] = {{16, 18, 16, 2, 1}, {64, 10, 64, 1, 2}, {40, 10, 56, 1, 2}, {8, 10, 16, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problem p =
            problem_of(shape(1, cases[i].channels, cases[i].side, cases[i].side, cases[i].filters, 0, 0));
        float *kept[PASSES] = {NULL};
        struct seen seen[PASSES] = {{0}};
        for (size_t threads = 1; threads <= 2; threads++) {
            stoa_context *context = make_context(threads, 0, stoa_isa_best());
            struct stoa_tuning table = *context->tuning;
            size_t blocks;
            assert_int_equal(tasks_of(context, &p, 40000, &blocks), cases[i].blocks * cases[i].ranges);
            assert_int_equal(blocks, cases[i].blocks);
            assert_int_equal(tasks_of(context, &p, 1e15, &blocks), 1);
            table.layer_task = 40000;
            context->tuning = &table;
            compare(algorithms[1], context, &p, kept, seen);
            stoa_context_free(context);
        }
        for (size_t k = 0; k < PASSES; k++) {
            release(kept[k], p.right[k].n * sizeof(float));
        }
        problem_free(&p);
    }
}

int main(void) {
    printf("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(runs_on_every_instruction_set),
        cmocka_unit_test(runs_by_any_table),
        cmocka_unit_test(cuts_one_image_for_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
