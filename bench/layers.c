/* SPDX-License-Identifier: MIT */
/* Mode layers: every layer and pass, verified, timed, taken apart and put beside naive loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/machine.h>

#include "base/size.h"
#include "bench/algorithms.h"
#include "bench/baseline.h"
#include "bench/compare.h"
#include "bench/layer.h"
#include "bench/parts.h"
#include "bench/steps.h"
#include "cli/signals.h"

static const double PEAK_SECONDS = 0.02;
enum { PEAK_SIZE = 1024, MOST_PEAKS = 256, MOST_GROUPS = 64 };

/* What is known of one pass. */
struct row {
    const struct bench_work *work;
    enum stoa_conv_pass pass;
    bool wanted;
    struct bench_error error;
    struct bench_times times;
    struct bench_parts parts;
    double peak;                /* GFLOP/s of sgemm meanwhile */
    double naive[BENCH_NAIVES]; /* GFLOP/s; 0: not measured */
};

/* Geometric means over a group of layers and a pass. */
struct group {
    char name[64];
    size_t pass, rows;
    double log_rate, log_share, least_share, log_naive;
};

struct table {
    struct group group[MOST_GROUPS];
    size_t groups;
    size_t wrong;
};

static void run_row(void *argument) {
    const struct row *row = argument;
    bench_work_run(row->work, row->pass);
}

static double rate(const struct row *row, double seconds) {
    return 1e-9 * bench_layer_flops(&row->work->layer->conv) / seconds;
}

static double share(const struct row *row) {
    return row->peak > 0 ? rate(row, row->times.summary.median) / row->peak : 0;
}

static char *name_of(const struct row *row) {
    return cli_text("layers/%s/%s", row->work->layer->name, bench_pass_names[row->pass]);
}

/* sgemm's peak, measured between the repetitions of a layer's passes: the machine as they found it. */
struct peak {
    const struct bench *bench;
    double gflops[MOST_PEAKS];
    size_t count;
};

static void run_peak(void *argument) {
    struct peak *peak = argument;
    double *gflops = &peak->gflops[peak->count % MOST_PEAKS];
    stoa_status status = stoa_measure_gemm(peak->bench->context, PEAK_SIZE, PEAK_SIZE, PEAK_SIZE,
                                           peak->bench->threads, PEAK_SECONDS, gflops);
    peak->count += status == STOA_OK;
}

static double median_peak(const struct peak *peak) {
    return peak->count ? bench_summarise(peak->gflops, stoa_min(peak->count, MOST_PEAKS)).median : 0;
}

static void print_heading(void) {
    (void)printf("%-20s %-16s %9s %9s %5s %8s %6s %5s %5s %5s %5s %6s %-16s %9s %7s %6s %6s %6s  %s\n",
                 "layer", "pass", "median ms", "min ms", "+-%", "GFLOP/s", "%sgemm", "%cols", "%gemm",
                 "%rest", "%blas", "calls", "largest MxNxK", "workspace", "error", "x O2", "x O3", "x best",
                 "algorithm");
}

static void print_row(const struct row *row) {
    const struct bench_layer *layer = row->work->layer;
    (void)printf("%-20s %-16s ", layer->name, bench_pass_names[row->pass]);
    if (!row->error.right) {
        (void)printf("WRONG: error %.1e of the largest sum(|x||w|), allowed %.0e\n", row->error.largest,
                     row->error.bound);
        return;
    }
    const struct bench_summary *time = &row->times.summary;
    struct report_words bytes;
    double median = rate(row, time->median);
    double rest = fmax(0, 1 - row->parts.columns - row->parts.products);
    char product[64];
    (void)snprintf(product, sizeof product, "%zux%zux%zu", row->parts.m, row->parts.n, row->parts.k);
    (void)printf("%9.4f %9.4f %5.1f %8.1f %6.1f %5.1f %5.1f %5.1f %5.1f %6zu %-16s %9s %7.0e",
                 1e3 * time->median, 1e3 * time->least, 100 * time->spread, median, 100 * share(row),
                 100 * row->parts.columns, 100 * row->parts.products, 100 * rest,
                 100 * bench_parts_in_blas(&row->parts), row->parts.calls, row->parts.calls ? product : "-",
                 report_bytes_words(&bytes, row->work->plan[row->pass].bytes), row->error.largest);
    for (size_t i = 0; i < BENCH_NAIVES; i++) {
        (void)(row->naive[i] > 0 ? printf(" %6.1f", median / row->naive[i]) : printf(" %6s", "-"));
    }
    (void)printf("  %s\n", row->work->algorithm[row->pass]);
    (void)fflush(stdout);
}

static void report_counters(struct bench_record *record, const struct row *row) {
    const struct bench_summary *time = &row->times.summary;
    const struct stoa_conv *conv = &row->work->layer->conv;
    double flops = bench_layer_flops(conv);
    /* Two of the three are read and the other is written, whichever pass it is. */
    bench_counter(
        record, "bytes",
        4 * (double)(bench_layer_input(conv) + bench_layer_weights(conv) + bench_layer_output(conv)));
    bench_counter(record, "flops_per_second_best", flops / time->least);
    bench_counter(record, "sgemm_peak_flops_per_second", 1e9 * row->peak);
    bench_counter(record, "share_of_sgemm_peak", share(row));
    bench_counter(record, "share_im2col", row->parts.columns);
    bench_counter(record, "share_sgemm", row->parts.products);
    bench_counter(record, "share_rest", fmax(0, 1 - row->parts.columns - row->parts.products));
    bench_counter(record, "product_flops", row->parts.flops);
    bench_counter(record, "blas_flops_share", bench_parts_in_blas(&row->parts));
    bench_counter(record, "sgemm_calls", (double)row->parts.calls);
    bench_counter(record, "sgemm_m", (double)row->parts.m);
    bench_counter(record, "sgemm_n", (double)row->parts.n);
    bench_counter(record, "sgemm_k", (double)row->parts.k);
    bench_counter(record, "workspace_bytes", (double)row->work->plan[row->pass].bytes);
    const char *naive_isa = NULL; /* of the last one, as that of -O2 is always the baseline */
    for (size_t i = 0; i < BENCH_NAIVES; i++) {
        if (row->naive[i] > 0) {
            const struct bench_naive *naive = bench_naive_of(row->work->context, i);
            bench_counter(record, naive->key, flops / time->median / (1e9 * row->naive[i]));
            naive_isa = naive->isa;
        }
    }
    if (naive_isa) {
        bench_note(record, "naive_isa", naive_isa);
    }
}

static void report(struct bench *bench, const struct row *row) {
    char *name = name_of(row);
    char *shape = bench_layer_shape(&row->work->layer->conv);
    struct bench_record record = {
        .name = name, .threads = bench->threads, .times = row->error.right ? &row->times : NULL};
    bench_layer_note(&record, row->work->layer, (size_t)row->pass, shape, row->work->algorithm[row->pass],
                     &row->error);
    if (row->error.right) {
        report_counters(&record, row);
    }
    bench_report(bench, &record);
    free(shape);
    free(name);
}

/* The group's name: all but the last word of the layer's. */
static struct group *group_of(struct table *table, const struct row *row) {
    const char *layer = row->work->layer->name;
    const char *last = strrchr(layer, ' ');
    char name[sizeof table->group[0].name];
    (void)snprintf(name, sizeof name, "%.*s", last ? (int)(last - layer) : (int)strlen(layer), layer);
    for (size_t i = 0; i < table->groups; i++) {
        if (table->group[i].pass == (size_t)row->pass && strcmp(table->group[i].name, name) == 0) {
            return &table->group[i];
        }
    }
    if (table->groups == MOST_GROUPS) {
        return NULL;
    }
    struct group *group = &table->group[table->groups++];
    *group = (struct group){.pass = (size_t)row->pass, .least_share = HUGE_VAL};
    memcpy(group->name, name, sizeof name);
    return group;
}

static void count_row(struct table *table, const struct row *row) {
    table->wrong += !row->error.right;
    struct group *group = row->error.right ? group_of(table, row) : NULL;
    if (group) {
        double median = rate(row, row->times.summary.median);
        group->rows++;
        group->log_rate += log(median);
        group->log_share += log(share(row));
        group->least_share = fmin(group->least_share, share(row));
        group->log_naive += row->naive[1] > 0 ? log(median / row->naive[1]) : 0;
    }
}

static void print_groups(const struct bench *bench, const struct table *table) {
    (void)puts("\nGeometric means over the passes that a training step runs:\n");
    struct cli_table text = {.columns = "llrrrrr"};
    static const char *const heading[] = {"group", "pass", "rows", "GFLOP/s", "%sgemm", "least", "x O3"};
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++) {
        cli_table_cell(&text, "%s", heading[i]);
    }
    for (size_t i = 0; i < table->groups; i++) {
        const struct group *group = &table->group[i];
        double rows = (double)group->rows;
        cli_table_cell(&text, "%s", group->name);
        cli_table_cell(&text, "%s", bench_pass_names[group->pass]);
        cli_table_cell(&text, "%zu", group->rows);
        cli_table_cell(&text, "%.1f", exp(group->log_rate / rows));
        cli_table_cell(&text, "%.1f", 100 * exp(group->log_share / rows));
        cli_table_cell(&text, "%.1f", 100 * group->least_share);
        if (bench->options.no_naive) {
            cli_table_cell(&text, "-");
        } else {
            cli_table_cell(&text, "%.1f", exp(group->log_naive / rows));
        }
    }
    cli_table_print(&text);
}

/* Time the wanted passes of a layer and sgemm's peak in turn. */
static void time_rows(const struct bench *bench, struct row *rows) {
    struct peak peak = {.bench = bench};
    struct bench_case cases[BENCH_PASSES + 1];
    struct row *timed[BENCH_PASSES];
    struct bench_times times[BENCH_PASSES + 1];
    size_t count = 0;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        if (rows[i].wanted && rows[i].error.right) {
            cases[count] = (struct bench_case){run_row, &rows[i]};
            timed[count++] = &rows[i];
        }
    }
    if (count == 0) {
        return;
    }
    cases[count] = (struct bench_case){run_peak, &peak};
    bench_time(bench, cases, count + 1, times);
    bench_times_free(&times[count]);
    for (size_t i = 0; i < count; i++) {
        timed[i]->times = times[i];
        timed[i]->peak = median_peak(&peak);
        timed[i]->parts = bench_parts_of(bench->context, &cases[i]);
    }
}

static bool measure_naive(const struct bench *bench, struct row *row) {
    for (size_t i = 0; i < BENCH_NAIVES && !bench->options.no_naive && row->error.right; i++) {
        const struct bench_naive *naive = bench_naive_of(bench->context, i);
        if (!bench_baseline(row->work, row->pass, naive, &row->naive[i])) {
            return false;
        }
    }
    return true;
}

/* All wanted passes of a layer. False when the run cannot go on. */
static bool measure_layer(struct bench *bench, const struct bench_layer *layer, struct table *table) {
    struct bench_work work;
    struct row rows[BENCH_PASSES] = {{0}};
    bool wanted = false;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        rows[i] = (struct row){.work = &work, .pass = (enum stoa_conv_pass)i};
        rows[i].wanted = bench_layer_wanted(bench, layer, i);
        wanted = wanted || rows[i].wanted;
    }
    if (!wanted) {
        return true;
    }
    bool going = bench_work_make(bench->context, layer, &work);
    for (size_t i = 0; going && i < BENCH_PASSES; i++) {
        if (rows[i].wanted) {
            rows[i].error = bench_work_verify(bench, &work, rows[i].pass);
        }
    }
    if (going) {
        time_rows(bench, rows);
    }
    for (size_t i = 0; going && i < BENCH_PASSES; i++) {
        going = !rows[i].wanted || measure_naive(bench, &rows[i]);
        if (going && rows[i].wanted) {
            print_row(&rows[i]);
            report(bench, &rows[i]);
            count_row(table, &rows[i]);
        }
        bench_times_free(&rows[i].times);
    }
    bench_work_free(&work);
    return going;
}

static int list(const struct bench *bench, const struct bench_layers *layers) {
    for (size_t i = 0; i < layers->count; i++) {
        for (size_t pass = 0; pass < BENCH_PASSES; pass++) {
            if (bench_layer_wanted(bench, &layers->layer[i], pass)) {
                (void)printf("%s %s\n", layers->layer[i].name, bench_pass_names[pass]);
            }
        }
    }
    return CLI_DONE;
}

static int measure(struct bench *bench, const struct bench_layers *layers) {
    (void)puts(
        "Flops are those of a direct convolution. %sgemm: of sgemm at 1024x1024x1024, measured in turn with "
        "the\nlayer on the same threads; it packs its operands, which small tiles may do without. %cols, "
        "%gemm: of the\nthreads' time, in runs of their own. %blas: of the products' flops, inside "
        "cblas_sgemm. x: times as fast as\nnaive loops on one thread, which were timed on as many rows "
        "as take a moment and scaled by flops.\n");
    print_heading();
    struct table table = {.groups = 0};
    bool going = true;
    for (size_t i = 0; going && i < layers->count; i++) {
        going = measure_layer(bench, &layers->layer[i], &table);
    }
    if (!going) {
        return CLI_FAILED;
    }
    if (table.groups && bench->options.operand_count == 0) {
        print_groups(bench, &table);
    }
    return table.wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", table.wrong) : CLI_DONE;
}

static bool finds_any(const struct bench *bench, const struct bench_layers *layers) {
    for (size_t i = 0; i < layers->count * BENCH_PASSES; i++) {
        if (bench_layer_wanted(bench, &layers->layer[i / BENCH_PASSES], i % BENCH_PASSES)) {
            return true;
        }
    }
    return false;
}

static int check(const struct bench_options *options) {
    if ((options->peer != NULL) + options->all_algorithms + options->steps > 1) {
        const char *first = options->all_algorithms ? "all-algorithms" : "steps";
        return cli_fail(CLI_WRONG, "--%s: found beside %s, expected one of them", first,
                        options->peer ? "--peer" : "--steps");
    }
    if (options->steps && options->policy_given && options->policy == STOA_POLICY_BLAS) {
        return cli_fail(CLI_WRONG, "--policy: found 'blas' beside --steps, expected default or exact");
    }
    if (options->steps && options->no_naive) {
        return cli_fail(CLI_WRONG, "--no-naive: found beside --steps, whose first step they are");
    }
    return options->peer ? bench_peer_check(options->peer) : CLI_DONE;
}

static int run(struct bench *bench) {
    struct bench_layers layers;
    int code = bench_layers_read(bench, &layers);
    if (code == CLI_DONE) {
        code =
            bench->options.list ? list(bench, &layers)
            : !finds_any(bench, &layers) && !cli_stop_signal()
                ? cli_fail(CLI_WRONG, "--filter: '%s' finds no layer, 'stoa-bench layers --list' names them",
                           bench->options.filter ? bench->options.filter : "")
            : bench->options.peer           ? bench_compare(bench, &layers)
            : bench->options.all_algorithms ? bench_algorithms(bench, &layers)
            : bench->options.steps          ? bench_steps(bench, &layers)
                                            : measure(bench, &layers);
        bench_layers_free(&layers);
    }
    return code;
}

static const char *const takes[] = {"filter",    "threads", "min-time",       "repetitions", "policy",
                                    "isa",       "layers",  "peer",           "no-naive",    "json",
                                    "self-test", "list",    "all-algorithms", "steps",       NULL};

const struct bench_mode bench_mode_layers = {
    .name = "layers",
    .summary = "convolutions and linear layers: verified, timed, taken apart, beside naive loops",
    .usage = "layers [PROBLEM]... [options]",
    .options = takes,
    .most_operands = 64,
    .holds_isa = true,
    .measures = true,
    .check = check,
    .run = run,
};
