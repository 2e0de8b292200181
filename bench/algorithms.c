/* SPDX-License-Identifier: MIT */
/* Mode layers with --all-algorithms: what the library chooses for each convolution, what it predicted, and
 * what every algorithm that is applicable takes. */
#include "bench/algorithms.h"

#include <stdio.h>
#include <string.h>

#include "bench/choices.h"
#include "bench/columns.h"
#include "bench/progress.h"
#include "bench/rivals.h"
#include "cli/signals.h"

struct comparison {
    struct bench *bench;
    struct bench_choices choices;
    struct bench_columns columns;
    size_t rows, wrong, disturbed, begun;
};

/* In the order of print_rival(). */
static const struct bench_column columns[] = {
    {"", "layer", 8, true, 0, false},
    {"", "pass", 16, true, 0, false},
    {"", "", 1, true, 0, false},
    {"", "algorithm", 10, true, 0, false},
    {"predicted", "ms", 9, false, 3, false},
    {"median", "ms", 9, false, 0, false},
    {"+-", "%", 5, false, 2, false},
    {"", "GFLOP/s", 7, false, 4, false},
    {"", "x", 6, false, 1, false},
    {"", "", 1, true, 0, false},
    {"", "workspace", 10, false, 9, true},
    {"", "error", 6, false, 9, true},
    {"", "how", 8, true, 9, true},
};

static void print_rival(struct bench_columns *table, const struct bench_rival *rival,
                        const struct bench_rival *chosen) {
    const struct bench_layer *layer = rival->work.layer;
    bench_columns_cell(table, "%s", layer->name);
    bench_columns_cell(table, "%s", bench_pass_names[rival->pass]);
    bench_columns_cell(table, "%s", rival->chosen ? "*" : "");
    bench_columns_cell(table, "%s", bench_rival_plan(rival)->algorithm->name);
    bench_columns_cell(table, "%.4f", 1e3 * bench_rival_plan(rival)->cost);
    if (!rival->error.right) {
        bench_columns_sentence(table, "WRONG: error %.1e, allowed %.0e", rival->error.largest,
                               rival->error.bound);
        return;
    }
    const struct bench_summary *time = &rival->times.summary;
    struct report_words bytes;
    bench_columns_cell(table, "%.4f", 1e3 * time->median);
    bench_columns_cell(table, "%.0f", 100 * time->spread);
    bench_columns_cell(table, "%.1f", 1e-9 * bench_layer_flops(&layer->conv) / time->median);
    if (chosen) {
        bench_columns_cell(table, "%.3f", chosen->times.summary.median / time->median);
    } else {
        bench_columns_cell(table, "-");
    }
    bench_columns_cell(table, "%s", bench_mark(&rival->times));
    bench_columns_cell(table, "%s", report_bytes_words(&bytes, bench_rival_plan(rival)->bytes));
    bench_columns_cell(table, "%.0e", rival->error.largest);
    bench_columns_cell(table, "%s", rival->work.algorithm[rival->pass]);
    bench_columns_end(table);
}

static bool compare_pass(struct comparison *comparison, const struct bench_work *work,
                         enum stoa_conv_pass pass) {
    struct bench_rivals rivals;
    bool going = bench_rivals_make(comparison->bench, work, pass, &rivals);
    comparison->wrong += rivals.wrong;
    if (going) {
        bench_rivals_time(comparison->bench, &rivals, 0);
        const struct bench_rival *chosen = bench_rivals_chosen(&rivals),
                                 *fastest = bench_rivals_fastest(&rivals);
        for (size_t i = 0; i < rivals.count; i++) {
            print_rival(&comparison->columns, &rivals.rival[i], chosen);
            bench_rival_report(comparison->bench, &rivals.rival[i], chosen, fastest);
        }
        comparison->rows++;
        bool disturbed =
            chosen && (bench_is_disturbed(&chosen->times) || bench_is_disturbed(&fastest->times));
        comparison->disturbed += disturbed;
        if (chosen && !disturbed) {
            bench_choices_count(&comparison->choices, pass, work->layer->name, chosen->times.summary.median,
                                fastest->times.summary.median);
        }
    }
    bench_rivals_free(&rivals);
    return going;
}

static bool compare_layer(struct comparison *comparison, const struct bench_layer *layer) {
    bool wanted[BENCH_PASSES], any = false;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        wanted[i] = !layer->linear && bench_layer_wanted(comparison->bench, layer, i);
        any = any || wanted[i];
    }
    if (!any) {
        return true;
    }
    struct bench_work work;
    bool going = bench_work_make(comparison->bench->context, layer, &work);
    for (size_t i = 0; going && i < BENCH_PASSES; i++) {
        if (wanted[i] && !cli_stop_signal()) {
            bench_progress_step(comparison->begun++, 1, "%s %s", layer->name, bench_pass_names[i]);
            going = compare_pass(comparison, &work, (enum stoa_conv_pass)i);
        }
    }
    bench_work_free(&work);
    return going;
}

/* The heading, and how many passes there are to compare. */
static void begin(struct comparison *comparison, const struct bench_layers *layers) {
    size_t longest = 0, passes = 0;
    for (size_t i = 0; i < layers->count * BENCH_PASSES; i++) {
        const struct bench_layer *layer = &layers->layer[i / BENCH_PASSES];
        if (!layer->linear && bench_layer_wanted(comparison->bench, layer, i % BENCH_PASSES)) {
            size_t length = strlen(layer->name);
            longest = length > longest ? length : longest;
            passes++;
        }
    }
    bench_columns_begin(&comparison->columns, comparison->bench, columns, sizeof columns / sizeof *columns,
                        longest);
    bench_progress_begin("layers", passes);
}

int bench_algorithms(struct bench *bench, const struct bench_layers *layers) {
    struct comparison comparison = {.bench = bench};
    bench_print_text(
        "Every algorithm that can compute the pass, * the one chosen. predicted: on one core by the tuning "
        "table, for comparing algorithms only; median on %zu thread%s. x: times as fast as the chosen one. "
        "missed: another is faster by more than %.0f %%. Linear layers have one way and are left out.%s",
        bench->threads, bench->threads == 1 ? "" : "s", 100 * BENCH_CHOICE_NOISE,
        bench->options.wide ? "" : " --wide says how each cuts the pass.");
    (void)puts("");
    begin(&comparison, layers);
    bool going = true;
    for (size_t i = 0; going && i < layers->count; i++) {
        going = compare_layer(&comparison, &layers->layer[i]);
    }
    bench_progress_end();
    if (!going) {
        return CLI_FAILED;
    }
    if (comparison.rows == 0 && !cli_stop_signal()) {
        return cli_fail(CLI_WRONG,
                        "--all-algorithms: found linear layers alone, which have one way, expected conv2d");
    }
    bench_print_disturbed(comparison.disturbed, comparison.rows);
    if (bench_choices_all(&comparison.choices).rows > 0) {
        bench_choices_print(&comparison.choices);
    } else if (comparison.rows > 0) {
        (void)puts("\nWhat the choices cost is not known: every row was disturbed.");
    }
    return comparison.wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", comparison.wrong) : CLI_DONE;
}
