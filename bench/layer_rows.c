/* SPDX-License-Identifier: MIT */
/* Measuring a pass of a layer. The engine, the BLAS, sgemm's peak and the limit of multiply-adds take turns,
 * so that all see the same weather; then the engine's pass is taken apart, and naive loops run beside it. */
#include "bench/layer_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <stoa/blas.h>
#include <stoa/machine.h>

#include "base/size.h"
#include "bench/baseline.h"
#include "core/context.h"

static const double PEAK_SECONDS = 0.02;
enum { PEAK_SIZE = 1024 };

void bench_layer_sides_open(struct bench_layer_sides *sides, struct bench *bench) {
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    *sides = (struct bench_layer_sides){.bench = bench, .blas = *bench->context};
    sides->blas.policy = STOA_POLICY_BLAS;
    (void)snprintf(sides->blas_name, sizeof sides->blas_name, "im2col + %s", blas.name);
}

/* ---- what is timed ---- */

struct pass_run {
    const struct bench_work *work;
    enum stoa_conv_pass pass;
};

static void run_pass(void *argument) {
    const struct pass_run *run = argument;
    bench_work_run(run->work, run->pass);
}

/* GFLOP/s of something that the machine does meanwhile, a number a repetition. */
struct meanwhile {
    const struct bench *bench;
    double gflops[BENCH_MOST_REPETITIONS];
    size_t count;
};

static void note_rate(struct meanwhile *meanwhile, stoa_status status, double gflops) {
    meanwhile->gflops[meanwhile->count % BENCH_MOST_REPETITIONS] = gflops;
    meanwhile->count += status == STOA_OK;
}

static void run_sgemm(void *argument) {
    struct meanwhile *meanwhile = argument;
    double gflops = 0;
    stoa_status status = stoa_measure_gemm(meanwhile->bench->context, PEAK_SIZE, PEAK_SIZE, PEAK_SIZE,
                                           meanwhile->bench->threads, PEAK_SECONDS, &gflops);
    note_rate(meanwhile, status, gflops);
}

static void run_limit(void *argument) {
    struct meanwhile *meanwhile = argument;
    double gflops = 0;
    stoa_status status =
        stoa_measure_fma(meanwhile->bench->context, meanwhile->bench->threads, PEAK_SECONDS, &gflops);
    note_rate(meanwhile, status, gflops);
}

static double median_of(const struct meanwhile *meanwhile) {
    size_t count = stoa_min(meanwhile->count, BENCH_MOST_REPETITIONS);
    return count ? bench_summarise(meanwhile->gflops, count).median : 0;
}

/* ---- the parts of a row ---- */

/* The same pass by im2col and the BLAS, on the same numbers. */
static bool make_blas(struct bench_layer_sides *sides, struct bench_layer_row *row) {
    struct stoa_conv_plan plan = {.pass = row->pass};
    if (!row->layer->linear &&
        !stoa_conv_plan(&sides->blas, &row->layer->conv, row->pass, row->layer->name, &plan)) {
        return cli_fail_library(&sides->blas, STOA_ERR_MEMORY) == CLI_DONE;
    }
    row->beside_blas = bench_work_make_other(&row->work[BENCH_ENGINE], &plan, &row->work[BENCH_BLAS]);
    row->work[BENCH_BLAS].context = &sides->blas;
    return row->beside_blas;
}

/* Where the pass is no product under policy blas either, there is nothing to hold it against. */
static void leave_out_blas(struct bench_layer_sides *sides, struct bench_layer_row *row) {
    struct pass_run run = {&row->work[BENCH_BLAS], row->pass};
    if (bench_parts_of(&sides->blas, &(struct bench_case){run_pass, &run}).blas_flops <= 0) {
        bench_work_free_other(&row->work[BENCH_BLAS], row->pass);
        row->beside_blas = false;
    }
}

static double median_ratio(const struct bench_times *theirs, const struct bench_times *ours) {
    double *ratio = cli_allocate(ours->repetitions, sizeof *ratio);
    for (size_t i = 0; i < ours->repetitions; i++) {
        ratio[i] = theirs->real[i] / ours->real[i];
    }
    double median = bench_summarise(ratio, ours->repetitions).median;
    free(ratio);
    return median;
}

static void time_row(struct bench_layer_sides *sides, struct bench_layer_row *row) {
    enum { SGEMM = BENCH_TIMED, LIMIT, CASES };
    struct meanwhile *sgemm = cli_allocate(1, sizeof *sgemm), *limit = cli_allocate(1, sizeof *limit);
    struct pass_run run[BENCH_TIMED];
    struct bench_case cases[CASES];
    struct bench_times times[CASES];
    size_t count = 0, timed = row->beside_blas ? BENCH_TIMED : BENCH_BLAS;
    for (; count < timed; count++) {
        run[count] = (struct pass_run){&row->work[count], row->pass};
        cases[count] = (struct bench_case){run_pass, &run[count]};
    }
    sgemm->bench = limit->bench = sides->bench;
    cases[count++] = (struct bench_case){run_sgemm, sgemm};
    cases[count++] = (struct bench_case){run_limit, limit};
    bench_time(sides->bench, cases, count, times);
    for (size_t i = 0; i < count; i++) {
        if (i < timed) {
            row->times[i] = times[i];
        } else {
            bench_times_free(&times[i]);
        }
    }
    row->sgemm = median_of(sgemm);
    row->limit = median_of(limit);
    row->over_blas = row->beside_blas ? median_ratio(&row->times[BENCH_BLAS], &row->times[BENCH_ENGINE]) : 0;
    if (!sides->bench->options.steps) {
        row->parts = bench_parts_of(sides->bench->context, &cases[BENCH_ENGINE]);
    }
    free(sgemm);
    free(limit);
}

/* --steps asks for the best of them alone. */
static bool measure_naive(const struct bench_layer_sides *sides, struct bench_layer_row *row) {
    const struct bench_options *options = &sides->bench->options;
    size_t first = options->no_naive ? BENCH_NAIVES : options->steps ? BENCH_NAIVES - 1 : 0;
    for (size_t i = first; i < BENCH_NAIVES; i++) {
        const struct bench_naive *naive = bench_naive_of(sides->bench->context, i);
        if (!bench_baseline(&row->work[BENCH_ENGINE], row->pass, naive, &row->naive[i])) {
            return false;
        }
    }
    return true;
}

bool bench_layer_row_measure(struct bench_layer_sides *sides, const struct bench_work *work,
                             enum stoa_conv_pass pass, struct bench_layer_row *row) {
    *row = (struct bench_layer_row){.layer = work->layer, .pass = pass, .work = {[BENCH_ENGINE] = *work}};
    bool is_blas = sides->bench->context->policy == STOA_POLICY_BLAS;
    if (!is_blas && !make_blas(sides, row)) {
        return false;
    }
    for (size_t i = 0; i < (row->beside_blas ? BENCH_TIMED : BENCH_BLAS); i++) {
        row->error[i] = bench_work_verify(sides->bench, &row->work[i], pass);
    }
    if (!bench_layer_row_right(row)) {
        return true;
    }
    if (row->beside_blas) {
        leave_out_blas(sides, row);
    }
    time_row(sides, row);
    return measure_naive(sides, row);
}

void bench_layer_row_free(struct bench_layer_row *row) {
    for (size_t i = 0; i < BENCH_TIMED; i++) {
        bench_times_free(&row->times[i]);
    }
    if (row->beside_blas) {
        bench_work_free_other(&row->work[BENCH_BLAS], row->pass);
    }
}

bool bench_layer_row_right(const struct bench_layer_row *row) {
    return row->error[BENCH_ENGINE].right && (!row->beside_blas || row->error[BENCH_BLAS].right);
}

bool bench_layer_row_disturbed(const struct bench_layer_row *row) {
    return bench_is_disturbed(&row->times[BENCH_ENGINE]) ||
           (row->beside_blas && bench_is_disturbed(&row->times[BENCH_BLAS]));
}

double bench_layer_row_rate(const struct bench_layer_row *row, enum bench_side_of_row side) {
    return 1e-9 * bench_layer_flops(&row->layer->conv) / row->times[side].summary.median;
}

struct bench_layer_figures bench_layer_row_figures(const struct bench_layer_row *row) {
    double engine = bench_layer_row_rate(row, BENCH_ENGINE), naive = row->naive[BENCH_NAIVES - 1];
    return (struct bench_layer_figures){
        .naive = naive,
        .blas = row->beside_blas ? bench_layer_row_rate(row, BENCH_BLAS) : 0,
        .engine = engine,
        .share = row->limit > 0 ? engine / row->limit : 0,
        .over_naive = naive > 0 ? engine / naive : 0,
        .over_blas = row->over_blas,
    };
}

/* ---- results ---- */

static void report_naive(struct bench_record *record, const struct bench_layer_row *row) {
    const char *isa = NULL; /* of the last one, as that of -O2 is always the baseline */
    for (size_t i = 0; i < BENCH_NAIVES; i++) {
        if (row->naive[i] > 0) {
            const struct bench_naive *naive = bench_naive_of(row->work[BENCH_ENGINE].context, i);
            bench_counter(record, naive->key, bench_layer_row_rate(row, BENCH_ENGINE) / row->naive[i]);
            isa = naive->isa;
        }
    }
    if (isa) {
        bench_note(record, "naive_isa", isa);
    }
    if (row->beside_blas) {
        bench_counter(record, "speedup_over_blas", row->over_blas);
    }
    if (row->beside_blas && row->naive[BENCH_NAIVES - 1] > 0) {
        bench_counter(record, "blas_over_naive_best",
                      bench_layer_row_rate(row, BENCH_BLAS) / row->naive[BENCH_NAIVES - 1]);
    }
}

static void report_parts(struct bench_record *record, const struct bench_parts *parts) {
    bench_counter(record, "share_im2col", parts->columns);
    bench_counter(record, "share_sgemm", parts->products);
    bench_counter(record, "share_rest", fmax(0, 1 - parts->columns - parts->products));
    bench_counter(record, "product_flops", parts->flops);
    bench_counter(record, "blas_flops_share", bench_parts_in_blas(parts));
    bench_counter(record, "sgemm_calls", (double)parts->calls);
    bench_counter(record, "sgemm_m", (double)parts->m);
    bench_counter(record, "sgemm_n", (double)parts->n);
    bench_counter(record, "sgemm_k", (double)parts->k);
}

static void report_engine(struct bench_record *record, const struct bench_layer_row *row) {
    const struct stoa_conv *conv = &row->layer->conv;
    double rate = 1e9 * bench_layer_row_rate(row, BENCH_ENGINE);
    /* Two of the three are read and the other is written, whichever pass it is. */
    bench_counter(
        record, "bytes",
        4 * (double)(bench_layer_input(conv) + bench_layer_weights(conv) + bench_layer_output(conv)));
    bench_counter(record, "flops_per_second_best",
                  bench_layer_flops(conv) / row->times[BENCH_ENGINE].summary.least);
    bench_counter(record, "sgemm_peak_flops_per_second", 1e9 * row->sgemm);
    bench_counter(record, "share_of_sgemm_peak", row->sgemm > 0 ? 1e-9 * rate / row->sgemm : 0);
    bench_counter(record, "share_of_fma_limit", row->limit > 0 ? 1e-9 * rate / row->limit : 0);
    bench_counter(record, "workspace_bytes", (double)row->work[BENCH_ENGINE].plan[row->pass].bytes);
    if (row->parts.seconds > 0) {
        report_parts(record, &row->parts);
    }
    report_naive(record, row);
}

static void report_side(const struct bench_layer_sides *sides, const struct bench_layer_row *row,
                        enum bench_side_of_row side) {
    char *name = cli_text("%s/%s/%s", side == BENCH_BLAS ? sides->blas_name : "layers", row->layer->name,
                          bench_pass_names[row->pass]);
    char *shape = bench_layer_shape(&row->layer->conv);
    bool timed = row->times[side].real != NULL;
    struct bench_record record = {
        .name = name, .threads = sides->bench->threads, .times = timed ? &row->times[side] : NULL};
    bench_layer_note(&record, row->layer, (size_t)row->pass, shape, row->work[side].algorithm[row->pass],
                     &row->error[side]);
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    if (side == BENCH_BLAS) {
        bench_note(&record, "engine", *blas.version ? blas.version : blas.name);
        bench_note(&record, "beside", "layers");
    } else if (timed) {
        report_engine(&record, row);
    }
    bench_report(sides->bench, &record);
    free(shape);
    free(name);
}

void bench_layer_row_report(const struct bench_layer_sides *sides, const struct bench_layer_row *row) {
    report_side(sides, row, BENCH_ENGINE);
    if (row->beside_blas && (row->times[BENCH_BLAS].real || !row->error[BENCH_BLAS].right)) {
        report_side(sides, row, BENCH_BLAS);
    }
}
