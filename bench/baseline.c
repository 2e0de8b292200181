/* SPDX-License-Identifier: MIT */
/* Timing the naive loops: on few rows of a large layer, in the weight layout of each, verified like the
 * engine's own. */
#include "bench/baseline.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define OF_ISA(name, NAME, lanes, registers, core, features)                                                 \
    [STOA_ISA_##NAME] = {&bench_naive_o2_base, &bench_naive_o3_##name, &bench_naive_best_##name},
static const struct bench_naive *const naives[STOA_ISA_COUNT][BENCH_NAIVES] = {
    [STOA_ISA_BASE] = {&bench_naive_o2_base, &bench_naive_o3_base, &bench_naive_best_base},
    STOA_ISA_BUILT(OF_ISA)};

const struct bench_naive *bench_naive_of(const stoa_context *context, size_t column) {
    return naives[stoa_context_isa(context)][column];
}

/* One accumulator over a hundred thousand products is that much worse than sgemm. */
static const double NAIVE_BOUND = 1e-4;
static const double SECONDS = 0.02;
enum { REPETITIONS = 3 };

struct loops {
    const struct bench_naive *naive;
    const struct bench_work *work;
    enum stoa_conv_pass pass;
    size_t rows;
    float *weight, *out; /* in the loops' layout */
};

static void run_loops(void *argument) {
    const struct loops *loops = argument;
    const struct bench_work *work = loops->work;
    const struct stoa_conv *conv = &work->layer->conv;
    switch (loops->pass) {
    case STOA_CONV_FORWARD:
        loops->naive->forward(conv, loops->rows, work->x, loops->weight, loops->out);
        break;
    case STOA_CONV_BACKWARD_DATA:
        loops->naive->backward_data(conv, loops->rows, work->dy, loops->weight, loops->out);
        break;
    case STOA_CONV_BACKWARD_WEIGHTS:
        loops->naive->backward_weights(conv, loops->rows, work->x, work->dy, loops->out);
        break;
    }
}

/* Between [rows][columns] and [columns][rows]. */
static void transpose(const float *from, size_t rows, size_t columns, float *to) {
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            to[j * rows + i] = from[i * columns + j];
        }
    }
}

/* Rows that take a moment: doubled until they do. */
static size_t find_rows(struct loops *loops) {
    size_t all = bench_layer_rows(&loops->work->layer->conv);
    loops->rows = 1;
    while (loops->rows < all) {
        double start = bench_now();
        run_loops(loops);
        if (bench_now() - start >= SECONDS) {
            break;
        }
        loops->rows = stoa_min(2 * loops->rows, all);
    }
    return loops->rows;
}

static bool verify(const struct loops *loops) {
    const struct stoa_conv *conv = &loops->work->layer->conv;
    size_t count = loops->work->out_count[loops->pass];
    memset(loops->out, 0, count * sizeof(float));
    run_loops((void *)(uintptr_t)loops);
    const float *out = loops->out;
    if (loops->pass == STOA_CONV_BACKWARD_WEIGHTS && !loops->naive->filters_last[loops->pass]) {
        transpose(loops->out, conv->filters, count / conv->filters, loops->weight);
        out = loops->weight;
    }
    return bench_verify(loops->work, loops->pass, loops->rows, out, NAIVE_BOUND).right;
}

static bool time_loops(struct loops *loops, double *gflops) {
    const struct stoa_conv *conv = &loops->work->layer->conv;
    size_t rows = find_rows(loops);
    if (!verify(loops)) {
        (void)cli_fail(CLI_FAILED, "%s: the naive loops %s, %s, are wrong", loops->work->layer->name,
                       loops->naive->name, loops->naive->isa);
        return false;
    }
    struct bench_times times;
    bench_time_once(&(struct bench_case){run_loops, loops}, SECONDS / 2, REPETITIONS, &times);
    double part = (double)rows / (double)bench_layer_rows(conv);
    /* Whatever takes longer than the least was disturbed, and would make Stoa look faster. */
    *gflops = 1e-9 * part * bench_layer_flops(conv) / times.summary.least;
    bench_times_free(&times);
    return true;
}

bool bench_baseline(const struct bench_work *work, enum stoa_conv_pass pass, const struct bench_naive *naive,
                    double *gflops) {
    const struct stoa_conv *conv = &work->layer->conv;
    size_t weights = bench_layer_weights(conv);
    struct loops loops = {.naive = naive,
                          .work = work,
                          .pass = pass,
                          .weight = cli_allocate(weights, sizeof(float)),
                          .out = cli_allocate(work->out_count[pass], sizeof(float))};
    if (naive->filters_last[pass]) {
        memcpy(loops.weight, work->weight, weights * sizeof(float));
    } else {
        transpose(work->weight, weights / conv->filters, conv->filters, loops.weight);
    }
    bool right = time_loops(&loops, gflops);
    free(loops.weight);
    free(loops.out);
    return right;
}
