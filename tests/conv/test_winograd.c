/* Winograd's convolution: its tiles cover an image once, its passes agree with the double reference within the bound that
 * is documented, on any number of threads the same bits, whatever the workspace limit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "base/random.h"
#include "base/size.h"
#include "blas/gemm.h"
#include "conv/conv.h"
#include "conv/winograd.h"

/* Largest error in units of the layer's largest sum(|x||w|). */
static const double BOUND = 5e-6;
enum { PASSES = 3, SEED = 41, GUARD = 32, MOST_SHAPES = 40, BATCH = 3 };
static const uint32_t canary = 0x7FA5C3E1U;

static stoa_context *make_context(size_t threads, size_t limit, stoa_isa isa) {
    stoa_context *context = NULL;
    stoa_context_options options = {
        .threads = threads, .workspace_limit = limit, .limit_isa = true, .highest_isa = isa};
    assert_int_equal(stoa_context_create(&options, &context), STOA_OK);
    return context;
}

/* kernel x kernel; `more` rows and columns of padding at the far side than at the near one. */
static struct stoa_conv strided(size_t kernel, size_t stride, size_t batch, size_t channels, size_t height,
                                size_t width, size_t filters, size_t pad, size_t more) {
    return (struct stoa_conv){.window = {.height = height,
                                         .width = width,
                                         .channels = channels,
                                         .kernel_height = kernel,
                                         .kernel_width = kernel,
                                         .stride_height = stride,
                                         .stride_width = stride,
                                         .dilation_height = 1,
                                         .dilation_width = 1,
                                         .pad_top = pad,
                                         .pad_left = pad,
                                         .out_height = (height + 2 * pad + more - kernel) / stride + 1,
                                         .out_width = (width + 2 * pad + more - kernel) / stride + 1},
                              .batch = batch,
                              .filters = filters,
                              .groups = 1};
}

static struct stoa_conv shape(size_t batch, size_t channels, size_t height, size_t width, size_t filters,
                              size_t pad, size_t more) {
    return strided(3, 1, batch, channels, height, width, filters, pad, more);
}

/* Every rest of a side by 4, every padding, channels that are and are not multiples of vectors, and deep layers; larger
 * kernels; strides, which may or may not divide kernel and image; of both, narrow and wide layers. */
static size_t shapes(struct stoa_conv *out) {
    const struct stoa_conv all[] = {
        shape(3, 16, 26, 26, 16, 0, 0),         shape(3, 16, 12, 12, 64, 0, 0),
        shape(2, 32, 14, 14, 48, 1, 0),         shape(5, 24, 7, 7, 20, 1, 0),
        shape(1, 17, 3, 3, 33, 0, 0),           shape(1, 3, 1, 1, 5, 1, 0),
        shape(2, 70, 9, 13, 19, 2, 0),          shape(2, 16, 5, 30, 31, 1, 1),
        shape(1, 65, 11, 6, 16, 0, 7),          shape(2, 130, 7, 10, 150, 1, 0),
        shape(3, 512, 7, 7, 256, 1, 0),         shape(1, 256, 14, 14, 512, 1, 0),
        shape(9, 40, 8, 8, 300, 2, 1),          strided(4, 1, 2, 20, 13, 10, 24, 1, 1),
        strided(4, 1, 3, 1, 9, 9, 5, 2, 0),     strided(4, 1, 1, 144, 9, 11, 130, 3, 0),
        strided(5, 1, 3, 6, 14, 14, 16, 0, 0),  strided(5, 1, 2, 1, 28, 19, 8, 2, 0),
        strided(5, 1, 1, 48, 11, 13, 40, 4, 5), strided(5, 1, 1, 160, 9, 10, 144, 2, 1),
        strided(5, 1, 2, 17, 5, 5, 9, 0, 0),    strided(5, 2, 3, 6, 20, 13, 10, 2, 1),
        strided(5, 2, 2, 64, 15, 17, 96, 2, 0), strided(6, 2, 2, 16, 21, 18, 20, 2, 0),
        strided(7, 2, 2, 3, 41, 37, 64, 3, 0),  strided(7, 2, 1, 40, 16, 13, 110, 3, 1),
        strided(8, 2, 1, 5, 19, 22, 7, 7, 0),   strided(9, 2, 1, 8, 25, 28, 17, 4, 0),
        strided(9, 2, 2, 1, 31, 27, 6, 8, 3),   strided(10, 2, 1, 64, 18, 17, 72, 4, 0),
        strided(11, 3, 1, 4, 40, 35, 9, 5, 3),  strided(11, 4, 1, 3, 67, 62, 64, 2, 0),
        strided(17, 4, 1, 2, 50, 45, 6, 8, 1),
    };
    assert_true(sizeof all <= MOST_SHAPES * sizeof *all);
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

static const struct stoa_conv_algorithm *const algorithms[] = {&stoa_conv_winograd2, &stoa_conv_winograd4,
                                                               &stoa_conv_winograd6};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

/* Each tile has the outputs of its place, and a point if and only if it lies in the point's range. */
static void check_grid(const struct stoa_winograd_grid *grid, size_t height, size_t width) {
    enum { MOST = 18 };
    unsigned char seen[BATCH][MOST][MOST] = {{{0}}};
    double rows = 0;
    assert_true(height <= MOST && width <= MOST && grid->batch == BATCH);
    for (size_t number = 0; number < grid->end; number++) {
        struct stoa_winograd_tile at;
        size_t image = stoa_winograd_locate(grid, number, &at);
        assert_true(image < BATCH && at.taps == grid->taps);
        assert_true(at.height >= 1 && at.height <= grid->points + 1 - grid->taps);
        assert_true(at.width >= 1 && at.width <= grid->points + 1 - grid->taps);
        assert_true(at.row + at.height <= height && at.column + at.width <= width);
        for (size_t p = 0; p < at.height * at.width; p++) {
            seen[image][at.row + p / at.width][at.column + p % at.width]++;
        }
        for (size_t point = 0; point < grid->points * grid->points; point++) {
            bool has = point / grid->points < stoa_winograd_lines(&at) &&
                       point % grid->points < stoa_winograd_columns(&at);
            size_t begin;
            size_t stop;
            stoa_winograd_range(grid, point, 0, grid->end, &begin, &stop);
            assert_int_equal(has, number >= begin && number < stop);
            rows += has;
            stoa_winograd_range(grid, point, number, number + 1, &begin, &stop);
            assert_int_equal(has, stop - begin);
        }
    }
    assert_true(rows == stoa_winograd_rows(grid));
    for (size_t p = 0; p < BATCH * height * width; p++) {
        assert_int_equal(seen[p / width / height][p / width % height][p % width], 1);
    }
}

static void tiles_cover_an_image_once(void **state) {
    (void)state;
    static const size_t forms[][2] = {{4, 3}, {6, 3}, {6, 4}, {6, 5}, {8, 3}, {8, 4}, {8, 5}};
    enum { FORMS = sizeof forms / sizeof *forms, SIDES = 18 };
    for (size_t i = 0; i < (size_t)FORMS * SIDES * SIDES; i++) {
        const size_t *form = forms[i % FORMS];
        size_t height = i / FORMS % SIDES + 1;
        size_t width = i / FORMS / SIDES + 1;
        struct stoa_winograd_grid grid = stoa_winograd_grid_of(form[0], form[1], BATCH, height, width);
        check_grid(&grid, height, width);
    }
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

/* Run a pass into out (and dbias), in exactly the workspace it asks for. */
static void run(const stoa_context *context, const struct stoa_conv_algorithm *algorithm,
                enum stoa_conv_pass pass, const struct problem *p, bool relu, float *out, float *dbias) {
    size_t bytes = 0;
    assert_true(algorithm->workspace(context, &p->conv, pass, &bytes));
    float *workspace = guarded(bytes);
    stoa_blas_enter();
    if (pass == STOA_CONV_FORWARD) {
        algorithm->forward(context, &p->conv, p->x.f, p->weight.f, p->bias.f, relu, out, workspace);
    } else if (pass == STOA_CONV_BACKWARD_DATA) {
        algorithm->backward_data(context, &p->conv, p->dy.f, p->weight.f, out, workspace);
    } else {
        algorithm->backward_weights(context, &p->conv, p->x.f, p->dy.f, out, dbias, workspace);
    }
    stoa_blas_leave();
    release(workspace, bytes);
}

static double check(const char *what, const struct problem *p, enum stoa_conv_pass pass, bool relu,
                    const float *out) {
    double largest = 0;
    for (size_t i = 0; i < p->right[pass].n; i++) {
        double right = relu ? fmax(0, p->right[pass].d[i]) : p->right[pass].d[i];
        double error = fabs((double)out[i] - right) / p->scale[pass];
        if (!(error <= BOUND)) { /* so that NaN fails */
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
        if (!algorithm->applicable(context, &p->conv, pass)) {
            continue;
        }
        size_t bytes = p->right[i].n * sizeof(float);
        float *out = guarded(bytes);
        float *dbias = guarded(p->conv.filters * sizeof(float));
        run(context, algorithm, pass, p, false, out, dbias);
        seen[i].runs++;
        seen[i].largest = fmax(seen[i].largest, check(algorithm->name, p, pass, false, out));
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
    static const size_t thread_counts[] = {1, 2, 3, 7};
    float *kept[PASSES] = {NULL};
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
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
    struct stoa_winograd_input in = stoa_winograd_input_of(&conv->window);
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
    struct stoa_conv conv[MOST_SHAPES];
    size_t count = shapes(conv);
    struct seen seen[ALGORITHMS][KINDS][PASSES] = {{{{0}}}};
    for (size_t i = 0; i < count; i++) {
        struct problem p = problem_of(conv[i]);
        for (size_t j = 0; j < (size_t)LIMITS * ALGORITHMS; j++) {
            compare_all(&p, algorithms[j % ALGORITHMS], limits[j / ALGORITHMS],
                        seen[j % ALGORITHMS][kind_of(&conv[i])]);
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
                assert_true(algorithms[i]->applicable(context, &p.conv, STOA_CONV_FORWARD));
                float *out = guarded(p.dy.n * sizeof(float));
                run(context, algorithms[i], STOA_CONV_FORWARD, &p, true, out, NULL);
                (void)check("with ReLU", &p, STOA_CONV_FORWARD, true, out);
                release(out, p.dy.n * sizeof(float));
            }
            stoa_context_free(context);
        }
        problem_free(&p);
    }
}

static void declines(const stoa_context *context, struct stoa_conv conv) {
    for (size_t i = 0; i < (size_t)PASSES * ALGORITHMS; i++) {
        assert_false(
            algorithms[i % ALGORITHMS]->applicable(context, &conv, (enum stoa_conv_pass)(i / ALGORITHMS)));
    }
}

/* Groups, dilations, windows that are not square, too few and too many taps, those of a stride that the kernel lacks, wide
 * paddings and policies that ask for plain sums. */
static void declines_what_it_cannot(void **state) {
    (void)state;
    const struct stoa_conv good[] = {shape(1, 32, 8, 8, 32, 1, 0), strided(4, 1, 1, 32, 14, 14, 32, 1, 0),
                                     strided(5, 1, 1, 32, 14, 14, 32, 2, 0),
                                     strided(5, 2, 1, 32, 14, 14, 32, 2, 0)};
    enum { GOOD = sizeof good / sizeof *good };
    stoa_context *context = make_context(1, 0, stoa_isa_best());
    for (size_t i = 0; i < GOOD; i++) {
        struct stoa_conv bad[7];
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            bad[j] = good[i];
        }
        bad[0].groups = 2;
        bad[1].window.stride_width++;
        bad[2].window.stride_height++;
        bad[3].window.dilation_height = 2;
        bad[4].window.dilation_height = bad[4].window.dilation_width = 2;
        bad[5].window.kernel_width--;
        bad[6].window.kernel_height++;
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            declines(context, bad[j]);
        }
        assert_true(stoa_conv_winograd4.applicable(context, &good[i], STOA_CONV_FORWARD));
        assert_true(stoa_conv_winograd4.applicable(context, &good[i], STOA_CONV_BACKWARD_WEIGHTS));
        assert_int_equal(stoa_conv_winograd4.applicable(context, &good[i], STOA_CONV_BACKWARD_DATA),
                         good[i].window.stride_width == 1);
        for (size_t pass = 0; pass < PASSES; pass++) { /* more taps than its points leave outputs for */
            assert_int_equal(stoa_conv_winograd2.applicable(context, &good[i], (enum stoa_conv_pass)pass),
                             (i == 0 || i == 3) && stoa_conv_winograd4.applicable(context, &good[i],
                                                                                  (enum stoa_conv_pass)pass));
        }
    }
    declines(context, shape(1, 32, 8, 8, 32, 3, 0));
    declines(context, strided(5, 1, 1, 32, 14, 14, 32, 5, 0));
    declines(context, strided(1, 1, 1, 32, 14, 14, 32, 0, 0));
    declines(context, strided(2, 1, 1, 32, 14, 14, 32, 0, 0));
    declines(context, strided(6, 1, 1, 32, 14, 14, 32, 2, 0));
    declines(context, strided(3, 2, 1, 32, 14, 14, 32, 1, 0)); /* two taps */
    declines(context, strided(4, 2, 1, 32, 14, 14, 32, 1, 0));
    declines(context, strided(11, 2, 1, 32, 14, 14, 32, 5, 0)); /* six */
    declines(context, strided(9, 4, 1, 32, 24, 24, 32, 4, 0));  /* twelve for nine */
    declines(context, strided(7, 3, 1, 32, 24, 24, 32, 3, 0));
    stoa_context_free(context);
    for (int policy = STOA_POLICY_EXACT; policy <= STOA_POLICY_BLAS; policy++) {
        assert_int_equal(
            stoa_context_create(&(stoa_context_options){.policy = (stoa_policy)policy}, &context), STOA_OK);
        for (size_t i = 0; i < GOOD; i++) {
            declines(context, good[i]);
        }
        stoa_context_free(context);
    }
}

/* The largest tiles only where a sum has terms enough to even out their errors, whatever the batch. */
static void takes_large_tiles_for_long_sums(void **state) {
    (void)state;
    static const struct {
        size_t kernel, stride, channels, side, filters, pad;
        bool right[PASSES];
    } all[] = {
        {4, 1, 3, 20, 4, 0, {true, true, true}},      {4, 1, 1, 20, 1, 0, {false, false, true}},
        {4, 1, 4, 20, 3, 1, {true, true, true}},      {4, 1, 16, 10, 16, 0, {true, true, true}},
        {4, 1, 16, 9, 16, 0, {true, true, false}},    {4, 1, 16, 4, 16, 3, {true, true, false}},
        {5, 1, 2, 20, 3, 2, {false, true, true}},     {5, 1, 16, 12, 16, 0, {true, true, true}},
        {5, 1, 16, 11, 16, 0, {true, true, false}},   {5, 1, 16, 7, 16, 4, {true, true, false}},
        {7, 2, 1, 21, 1, 0, {true, false, true}},     {7, 2, 3, 19, 16, 0, {true, false, true}},
        {7, 2, 3, 13, 16, 3, {true, false, true}},    {7, 2, 3, 12, 16, 6, {true, false, false}},
        {9, 2, 1, 24, 16, 0, {true, false, true}},    {3, 1, 16, 9, 16, 0, {true, true, true}},
        {3, 1, 16, 8, 16, 0, {true, true, false}},    {3, 1, 16, 6, 16, 2, {true, true, false}},
        {3, 1, 15, 20, 16, 0, {false, false, false}},
    };
    stoa_context *context = make_context(1, 0, stoa_isa_best());
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t j = 0; j < (size_t)2 * PASSES; j++) {
            struct stoa_conv conv = strided(all[i].kernel, all[i].stride, j % 2 ? 100 : 1, all[i].channels,
                                            all[i].side, all[i].side, all[i].filters, all[i].pad, 0);
            if (stoa_conv_winograd6.applicable(context, &conv, (enum stoa_conv_pass)(j / 2)) !=
                all[i].right[j / 2]) {
                fail_msg("shape %zu, pass %zu", i, j / 2);
            }
        }
    }
    stoa_context_free(context);
}

/* A thread's scratch stays below the limit, and where not one tile fits the algorithm is not applicable. */
static void check_limit(const struct stoa_conv_algorithm *algorithm, const struct stoa_conv *conv) {
    size_t refused = 0;
    size_t taken = 0;
    for (size_t limit = (size_t)16 << 10; limit <= (size_t)4 << 20; limit *= 2) {
        stoa_context *one = make_context(1, limit, stoa_isa_best());
        stoa_context *two = make_context(2, limit, stoa_isa_best());
        for (size_t i = 0; i < PASSES; i++) {
            enum stoa_conv_pass pass = (enum stoa_conv_pass)i;
            size_t bytes[2] = {0};
            if (i == STOA_CONV_BACKWARD_DATA && conv->window.stride_height > 1) {
                continue;
            }
            if (!algorithm->applicable(one, conv, pass)) {
                refused++;
                continue;
            }
            taken++;
            assert_true(algorithm->workspace(one, conv, pass, &bytes[0]));
            assert_true(algorithm->workspace(two, conv, pass, &bytes[1]));
            assert_true(bytes[1] - bytes[0] <= limit);
        }
        stoa_context_free(one);
        stoa_context_free(two);
    }
    assert_true(refused > 0 && taken > 0);
}

static void keeps_to_the_workspace_limit(void **state) {
    (void)state;
    const struct stoa_conv conv[] = {
        shape(4, 64, 28, 28, 64, 1, 0),         strided(5, 1, 4, 64, 28, 28, 64, 2, 0),
        strided(5, 1, 4, 6, 28, 28, 16, 2, 0),  strided(7, 2, 2, 3, 61, 57, 64, 3, 0),
        strided(5, 2, 2, 64, 28, 28, 96, 2, 0), strided(11, 4, 1, 3, 67, 67, 64, 2, 0),
    };
    for (size_t i = 0; i < sizeof conv / sizeof *conv; i++) {
        check_limit(&stoa_conv_winograd4, &conv[i]);
        if (conv[i].window.kernel_height > 3) {
            check_limit(&stoa_conv_winograd6, &conv[i]);
        }
    }
}

int main(void) {
    printf("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_cover_an_image_once),       cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(runs_on_every_instruction_set),   cmocka_unit_test(declines_what_it_cannot),
        cmocka_unit_test(takes_large_tiles_for_long_sums), cmocka_unit_test(keeps_to_the_workspace_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
