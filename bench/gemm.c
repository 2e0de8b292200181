/* SPDX-License-Identifier: MIT */
/* Mode gemm: the door to sgemm at square sizes and at the shapes that the layers ask for, on one thread and
 * on all, against the limit of fused multiply-adds measured on the spot. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/machine.h>

#include "bench/layer.h"
#include "blas/gemm.h"
#include "cli/signals.h"
#include "core/product.h"

enum { MOST_SHAPES = 512, SAMPLES = 64, INPUTS_KEY = 5 };
static const double LIMIT_SECONDS = 0.1, BOUND = 1e-6;

/* A product as a pass of a layer needs it over its whole batch, or a square one. */
struct shape {
    size_t m, n, k;
    bool transpose_a;
    char name[96];
};

struct shapes {
    struct shape shape[MOST_SHAPES];
    size_t count;
};

struct product {
    stoa_context *context; /* NULL: straight through the door, one thread */
    struct stoa_gemm gemm;
};

static void run_product(void *argument) {
    const struct product *product = argument;
    if (product->context) {
        stoa_product(product->context, &product->gemm);
    } else {
        stoa_gemm_run(&product->gemm);
    }
}

__attribute__((format(printf, 6, 7))) static void add(struct shapes *shapes, size_t m, size_t n, size_t k,
                                                      bool transpose_a, const char *format, ...) {
    for (size_t i = 0; i < shapes->count; i++) {
        const struct shape *old = &shapes->shape[i];
        if (old->m == m && old->n == n && old->k == k && old->transpose_a == transpose_a) {
            return;
        }
    }
    if (shapes->count < MOST_SHAPES) {
        struct shape *shape = &shapes->shape[shapes->count++];
        *shape = (struct shape){.m = m, .n = n, .k = k, .transpose_a = transpose_a};
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(shape->name, sizeof shape->name, format, arguments);
        va_end(arguments);
    }
}

/* One image's product of each pass: what a tile or two of a layer comes to. Depthwise layers have none. */
static void add_layer(struct shapes *shapes, const struct bench_layer *layer) {
    const struct stoa_conv *conv = &layer->conv;
    size_t filters = conv->filters / conv->groups;
    size_t taps = bench_layer_weights(conv) / conv->filters;
    size_t pixels = conv->window.out_height * conv->window.out_width;
    size_t rows = layer->linear ? conv->batch : pixels;
    if (filters == 1 && conv->groups > 1) {
        return;
    }
    add(shapes, rows, filters, taps, false, "%s %s", layer->name, bench_pass_names[0]);
    if (!layer->first) {
        add(shapes, rows, taps, filters, false, "%s %s", layer->name, bench_pass_names[1]);
    }
    add(shapes, taps, filters, rows, true, "%s %s", layer->name, bench_pass_names[2]);
}

static int collect(const struct bench *bench, struct shapes *shapes) {
    static const size_t squares[] = {16, 32, 64, 96, 100, 128, 256, 512, 1024, 2048};
    for (size_t i = 0; i < sizeof squares / sizeof squares[0]; i++) {
        add(shapes, squares[i], squares[i], squares[i], false, "square %zu", squares[i]);
    }
    struct bench_layers layers;
    int code = bench_layers_read(bench, &layers);
    for (size_t i = 0; code == CLI_DONE && i < layers.count; i++) {
        add_layer(shapes, &layers.layer[i]);
    }
    bench_layers_free(&layers);
    return code;
}

/* Largest error of a fixed sample, in units of the largest sum(|a||b|). */
static double error_of(const struct stoa_gemm *p) {
    double largest = 0, magnitude = 0;
    for (size_t s = 0; s < SAMPLES; s++) {
        size_t i = s * 7919 % p->m, j = s * 104729 % p->n;
        double sum = 0, sizes = 0;
        for (size_t l = 0; l < p->k; l++) {
            double product =
                (double)p->a[p->transpose_a ? l * p->lda + i : i * p->lda + l] * (double)p->b[l * p->ldb + j];
            sum += product;
            sizes += fabs(product);
        }
        double error = fabs((double)p->c[i * p->ldc + j] - sum);
        largest = error <= largest ? largest : error; /* keeps NaN */
        magnitude = fmax(magnitude, sizes);
    }
    return largest / magnitude;
}

static void report(struct bench *bench, const struct shape *shape, size_t threads, double limit, double error,
                   const struct bench_times *times) {
    char *name = cli_text("gemm/%s/threads:%zu", shape->name, threads);
    struct bench_record record = {.name = name, .threads = threads, .times = times};
    double flops = 2.0 * (double)shape->m * (double)shape->n * (double)shape->k;
    bench_counter(&record, "m", (double)shape->m);
    bench_counter(&record, "n", (double)shape->n);
    bench_counter(&record, "k", (double)shape->k);
    bench_note(&record, "transpose", shape->transpose_a ? "TN" : "NN");
    bench_flag(&record, "verified", error <= BOUND);
    bench_counter(&record, "error", error);
    if (times) {
        double m = (double)shape->m, n = (double)shape->n, k = (double)shape->k;
        bench_counter(&record, "flops", flops);
        bench_counter(&record, "bytes", 4 * (m * k + k * n + m * n));
        bench_counter(&record, "flops_per_second", flops / times->summary.median);
        bench_counter(&record, "share_of_fma_limit", 1e-9 * flops / times->summary.median / limit);
    }
    bench_report(bench, &record);
    free(name);
}

static void print_times(const struct shape *shape, const struct bench_times *times, double limit) {
    double flops = 1e-9 * 2.0 * (double)shape->m * (double)shape->n * (double)shape->k;
    double rate = flops / times->summary.median;
    (void)printf(" %9.1f %9.1f %5.1f %6.1f", rate, flops / times->summary.least, 100 * times->summary.spread,
                 100 * rate / limit);
}

/* One shape on one thread and on all. False when it is wrong. */
static bool measure_shape(struct bench *bench, const struct shape *shape, const double *limit,
                          float *memory) {
    struct product one = {.gemm = {.transpose_a = shape->transpose_a,
                                   .m = shape->m,
                                   .n = shape->n,
                                   .k = shape->k,
                                   .alpha = 1,
                                   .a = memory,
                                   .lda = shape->transpose_a ? shape->m : shape->k,
                                   .b = memory + shape->m * shape->k,
                                   .ldb = shape->n,
                                   .c = memory + shape->m * shape->k + shape->k * shape->n,
                                   .ldc = shape->n}};
    struct product all = one;
    all.context = bench->context;
    struct bench_case cases[] = {{run_product, &one}, {run_product, &all}};
    size_t count = bench->threads > 1 ? 2 : 1;
    double error[2];
    bool right = true;
    for (size_t i = 0; i < count; i++) {
        memset(one.gemm.c, 0xff, shape->m * shape->n * sizeof(float)); /* NaN */
        cases[i].run(cases[i].argument);
        error[i] = error_of(&one.gemm);
        right = right && error[i] <= BOUND;
    }
    (void)printf("%-36s %3s %5zu %5zu %5zu", shape->name, shape->transpose_a ? "TN" : "NN", shape->m,
                 shape->n, shape->k);
    struct bench_times times[2];
    if (right) {
        bench_time(bench, cases, count, times);
    }
    for (size_t i = 0; i < count; i++) {
        if (right) {
            print_times(shape, &times[i], limit[i]);
        }
        report(bench, shape, i ? bench->threads : 1, limit[i], error[i], right ? &times[i] : NULL);
        if (right) {
            bench_times_free(&times[i]);
        }
    }
    (void)puts(right ? "" : " WRONG");
    (void)fflush(stdout);
    return right;
}

static float *make_memory(stoa_context *context, const struct shape *shape, size_t *bytes) {
    size_t inputs = shape->m * shape->k + shape->k * shape->n;
    *bytes = (inputs + shape->m * shape->n) * sizeof(float);
    float *memory = stoa_allocate(context, *bytes, "bench");
    if (memory) {
        bench_draw(memory, inputs, INPUTS_KEY);
    }
    return memory;
}

static int measure(struct bench *bench, const struct shapes *shapes) {
    double limit[2];
    stoa_status status = stoa_measure_fma(bench->context, 1, LIMIT_SECONDS, &limit[0]);
    if (status == STOA_OK) {
        status = stoa_measure_fma(bench->context, bench->threads, LIMIT_SECONDS, &limit[1]);
    }
    if (status != STOA_OK) {
        return cli_fail_library(bench->context, status);
    }
    cli_json_set(bench->about, "fma_flops_per_second_one_thread", cli_json_number(1e9 * limit[0]));
    cli_json_set(bench->about, "fma_flops_per_second", cli_json_number(1e9 * limit[1]));
    (void)printf("FMA limit: %.1f GFLOP/s on one thread, %.1f on %zu\n\n", limit[0], limit[1],
                 bench->threads);
    (void)printf("%-36s %3s %5s %5s %5s %9s %9s %5s %6s", "product (of one image, or a batch)", "", "m", "n",
                 "k", "1 thread", "best", "+-%", "%FMA");
    if (bench->threads > 1) {
        (void)printf(" %2zu threads %8s %5s %6s", bench->threads, "best", "+-%", "%FMA");
    }
    (void)puts("");
    size_t wrong = 0;
    for (size_t i = 0; i < shapes->count && !cli_stop_signal(); i++) {
        size_t bytes;
        float *memory = make_memory(bench->context, &shapes->shape[i], &bytes);
        if (!memory) {
            return cli_fail_library(bench->context, STOA_ERR_MEMORY);
        }
        wrong += !measure_shape(bench, &shapes->shape[i], limit, memory);
        stoa_release(bench->context, memory, bytes);
    }
    return wrong ? cli_fail(CLI_FAILED, "%zu products are wrong", wrong) : CLI_DONE;
}

static int run(struct bench *bench) {
    struct shapes *all = cli_allocate(1, sizeof *all);
    int code = collect(bench, all);
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (bench_wanted(bench, all->shape[i].name)) {
            all->shape[kept++] = all->shape[i];
        }
    }
    all->count = kept;
    if (code == CLI_DONE && bench->options.list) {
        for (size_t i = 0; i < all->count; i++) {
            (void)puts(all->shape[i].name);
        }
    } else if (code == CLI_DONE && all->count == 0 && !cli_stop_signal()) {
        code = cli_fail(CLI_WRONG, "--filter: '%s' finds no product, 'stoa-bench gemm --list' names them",
                        bench->options.filter ? bench->options.filter : "");
    } else if (code == CLI_DONE) {
        code = measure(bench, all);
    }
    free(all);
    return code;
}

static const char *const takes[] = {"filter", "threads", "min-time", "repetitions",
                                    "layers", "json",    "list",     NULL};

const struct bench_mode bench_mode_gemm = {
    .name = "gemm",
    .summary = "sgemm at the layers' shapes and square sizes, against the multiply-add limit",
    .usage = "gemm [options]",
    .options = takes,
    .measures = true,
    .run = run,
};
