/* SPDX-License-Identifier: MIT */
/* Mode layers: every layer and pass, by naive loops, by im2col and the BLAS alone, and by the engine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/algorithms.h"
#include "bench/columns.h"
#include "bench/compare.h"
#include "bench/layer_rows.h"
#include "bench/progress.h"
#include "cli/signals.h"

struct layers_table {
    struct bench_layer_sides sides;
    struct bench_columns columns;
    struct bench_layer_means *means;
    size_t rows, wrong, disturbed;
};

/* In the order of print_row(). */
static const struct bench_column columns[] = {
    {"", "layer", 8, true, 0, false},         {"", "pass", 16, true, 0, false},
    {"GFLOP/s", "naive", 8, false, 6, false}, {"GFLOP/s", "BLAS", 8, false, 5, false},
    {"GFLOP/s", "Stoa", 8, false, 0, false},  {"% of", "limit", 6, false, 4, false},
    {"x", "naive", 6, false, 2, false},       {"x", "BLAS", 6, false, 1, false},
    {"+-", "%", 5, false, 3, false},          {"", "", 1, true, 0, false},
    {"median", "ms", 9, false, 9, true},      {"least", "ms", 9, false, 9, true},
    {"% of", "sgemm", 6, false, 9, true},     {"% in", "cols", 5, false, 9, true},
    {"% in", "gemm", 5, false, 9, true},      {"% in", "rest", 5, false, 9, true},
    {"% in", "BLAS", 5, false, 9, true},      {"gemm", "calls", 6, false, 9, true},
    {"largest", "MxNxK", 16, true, 9, true},  {"", "workspace", 9, false, 9, true},
    {"", "error", 6, false, 9, true},         {"x naive", "-O2", 7, false, 9, true},
    {"x naive", "-O3", 7, false, 9, true},    {"", "algorithm", 9, true, 9, true},
};

/* A number of at most three digits behind the point and about three that mean something; "-": there is
 * none. */
static void rate_cell(struct bench_columns *table, double rate, int digits) {
    if (rate > 0) {
        bench_columns_cell(table, "%.*f", rate < 10 ? digits : 1, rate);
    } else {
        bench_columns_cell(table, "-");
    }
}

static void share_cell(struct bench_columns *table, bool known, double share) {
    if (known) {
        bench_columns_cell(table, "%.1f", 100 * share);
    } else {
        bench_columns_cell(table, "-");
    }
}

/* What --wide shows beside. */
static void print_wide(struct bench_columns *table, const struct bench_layer_row *row,
                       const struct bench_layer_figures *figures) {
    const struct bench_summary *time = &row->times[BENCH_ENGINE].summary;
    const struct bench_work *work = &row->work[BENCH_ENGINE];
    const struct bench_parts *parts = &row->parts;
    bool apart = parts->seconds > 0;
    struct report_words bytes;
    bench_columns_cell(table, "%.4f", 1e3 * time->median);
    bench_columns_cell(table, "%.4f", 1e3 * time->least);
    share_cell(table, row->sgemm > 0, figures->engine / row->sgemm);
    share_cell(table, apart, parts->columns);
    share_cell(table, apart, parts->products);
    share_cell(table, apart, fmax(0, 1 - parts->columns - parts->products));
    share_cell(table, apart, bench_parts_in_blas(parts));
    bench_columns_cell(table, apart ? "%zu" : "-", parts->calls);
    bench_columns_cell(table, parts->calls ? "%zux%zux%zu" : "-", parts->m, parts->n, parts->k);
    bench_columns_cell(table, "%s", report_bytes_words(&bytes, work->plan[row->pass].bytes));
    bench_columns_cell(table, "%.0e", row->error[BENCH_ENGINE].largest);
    for (size_t i = 0; i + 1 < BENCH_NAIVES; i++) {
        rate_cell(table, row->naive[i] > 0 ? figures->engine / row->naive[i] : 0, 2);
    }
    bench_columns_cell(table, "%s", work->algorithm[row->pass]);
}

static void print_row(struct bench_columns *table, const struct bench_layer_row *row) {
    bench_columns_cell(table, "%s", row->layer->name);
    bench_columns_cell(table, "%s", bench_pass_names[row->pass]);
    if (!bench_layer_row_right(row)) {
        bool of_blas = row->error[BENCH_ENGINE].right;
        const struct bench_error *error = &row->error[of_blas ? BENCH_BLAS : BENCH_ENGINE];
        bench_columns_sentence(table, "WRONG: error %.1e, allowed %.0e%s", error->largest, error->bound,
                               of_blas ? ", by the BLAS" : "");
        return;
    }
    const struct bench_layer_figures figures = bench_layer_row_figures(row);
    rate_cell(table, figures.naive, 2);
    rate_cell(table, figures.blas, 2);
    rate_cell(table, figures.engine, 2);
    bench_columns_cell(table, row->limit > 0 ? "%.0f" : "-", 100 * figures.share);
    rate_cell(table, figures.over_naive, 2);
    rate_cell(table, figures.over_blas, 2);
    bench_columns_cell(table, "%.0f", 100 * row->times[BENCH_ENGINE].summary.spread);
    bench_columns_cell(table, "%s", bench_layer_row_disturbed(row) ? BENCH_MARK : "");
    print_wide(table, row, &figures);
    bench_columns_end(table);
}

static void count_row(struct layers_table *table, const struct bench_layer_row *row) {
    bool right = bench_layer_row_right(row), disturbed = right && bench_layer_row_disturbed(row);
    table->rows += right;
    table->wrong += !right;
    table->disturbed += disturbed;
    if (right && !disturbed) {
        const struct bench_layer_figures figures = bench_layer_row_figures(row);
        bench_layer_means_add(table->means, row->layer->name, bench_pass_names[row->pass], &figures);
    }
}

/* All wanted passes of a layer. False when the run cannot go on. */
static bool measure_layer(struct layers_table *table, const struct bench_layer *layer, size_t *done) {
    struct bench *bench = table->sides.bench;
    bool wanted[BENCH_PASSES], any = false;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        wanted[i] = bench_layer_wanted(bench, layer, i);
        any = any || wanted[i];
    }
    if (!any) {
        return true;
    }
    struct bench_work work;
    size_t naives = bench->options.no_naive ? 0 : bench->options.steps ? 1 : BENCH_NAIVES;
    bool going = bench_work_make(bench->context, layer, &work);
    for (size_t i = 0; going && i < BENCH_PASSES && !cli_stop_signal(); i++) {
        struct bench_layer_row row;
        if (!wanted[i]) {
            continue;
        }
        bench_progress_step((*done)++, 1 + naives, "%s %s", layer->name, bench_pass_names[i]);
        going = bench_layer_row_measure(&table->sides, &work, (enum stoa_conv_pass)i, &row);
        if (going) {
            print_row(&table->columns, &row);
            bench_layer_row_report(&table->sides, &row);
            count_row(table, &row);
        }
        bench_layer_row_free(&row);
    }
    bench_work_free(&work);
    return going;
}

/* How many passes are wanted, and the length of the longest name of a layer among them. */
static size_t count_wanted(const struct bench *bench, const struct bench_layers *layers, size_t *longest) {
    size_t count = 0;
    *longest = 0;
    for (size_t i = 0; i < layers->count * BENCH_PASSES; i++) {
        const struct bench_layer *layer = &layers->layer[i / BENCH_PASSES];
        if (bench_layer_wanted(bench, layer, i % BENCH_PASSES)) {
            size_t length = strlen(layer->name);
            *longest = length > *longest ? length : *longest;
            count++;
        }
    }
    return count;
}

static void print_legend(const struct layers_table *table) {
    const struct bench *bench = table->sides.bench;
    bench_print_text(
        "GFLOP/s of a direct convolution, medians of %zu repetitions. naive: the best naive loops, on one "
        "thread. "
        "BLAS: %s alone (policy blas), Stoa in turn with it, on %zu thread%s. limit: of multiply-adds; "
        "Winograd, which needs fewer, may go beyond. x: times as fast as. +- %%: (largest - least) / "
        "median.%s",
        bench->options.repetitions, table->sides.blas_name, bench->threads, bench->threads == 1 ? "" : "s",
        bench->options.wide
            ? " % of sgemm: at 1024x1024x1024. % in: of the threads' time in columns, products "
              "and the rest; in BLAS: of the products' flops."
            : " --wide shows where the time goes.");
    (void)puts("");
}

static void print_means(const struct layers_table *table) {
    const struct bench *bench = table->sides.bench;
    bench_print_disturbed(table->disturbed, table->rows);
    if (bench->options.operand_count > 0 || table->rows == 0) {
        return;
    }
    (void)puts("");
    if (bench_layer_means_rows(table->means) == 0) {
        bench_print_text("There are no means: every row was disturbed.");
        return;
    }
    bench_print_text(
        "Geometric means over the passes that a training step runs, in GFLOP/s and as above; least: "
        "of Stoa over the BLAS.");
    (void)puts("");
    struct cli_table text = {.columns = NULL};
    bench_layer_means_fill(table->means, &text);
    cli_table_print(&text);
    cli_json_set(bench->about, "layers", bench_layer_means_json(table->means));
}

static int measure(struct bench *bench, const struct bench_layers *layers) {
    struct layers_table *table = cli_allocate(1, sizeof *table);
    size_t longest, done = 0, count = count_wanted(bench, layers, &longest);
    bench_layer_sides_open(&table->sides, bench);
    table->means = bench_layer_means_make();
    print_legend(table);
    bench_columns_begin(&table->columns, bench, columns, sizeof columns / sizeof *columns, longest);
    bench_progress_begin("layers", count);
    bool going = true;
    for (size_t i = 0; going && i < layers->count && !cli_stop_signal(); i++) {
        going = measure_layer(table, &layers->layer[i], &done);
    }
    bench_progress_end();
    if (going) {
        print_means(table);
    }
    int code = !going         ? CLI_FAILED
               : table->wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", table->wrong)
                              : CLI_DONE;
    bench_layer_means_free(table->means);
    free(table);
    return code;
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
    size_t longest;
    int code = bench_layers_read(bench, &layers);
    if (code == CLI_DONE) {
        code =
            bench->options.list ? list(bench, &layers)
            : count_wanted(bench, &layers, &longest) == 0 && !cli_stop_signal()
                ? cli_fail(CLI_WRONG, "--filter: '%s' finds no layer, 'stoa-bench layers --list' names them",
                           bench->options.filter ? bench->options.filter : "")
            : bench->options.peer           ? bench_compare(bench, &layers)
            : bench->options.all_algorithms ? bench_algorithms(bench, &layers)
                                            : measure(bench, &layers);
        bench_layers_free(&layers);
    }
    return code;
}

static const char *const takes[] = {
    "filter", "threads",   "min-time", "repetitions",    "policy", "isa",  "layers",   "peer", "no-naive",
    "json",   "self-test", "list",     "all-algorithms", "steps",  "wide", "markdown", NULL};

const struct bench_mode bench_mode_layers = {
    .name = "layers",
    .summary = "layers by naive loops, by im2col and the BLAS, and by Stoa: verified, then timed",
    .usage = "layers [PROBLEM]... [options]",
    .options = takes,
    .most_operands = 64,
    .holds_isa = true,
    .measures = true,
    .check = check,
    .run = run,
};
