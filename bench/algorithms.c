/* SPDX-License-Identifier: MIT */
/* Mode layers with --all-algorithms: what the library chooses for each convolution, what it predicted, and
 * what every algorithm that is applicable takes. */
#include "bench/algorithms.h"

#include <stdio.h>

#include "bench/choices.h"
#include "bench/rivals.h"
#include "cli/signals.h"

struct comparison {
    struct bench *bench;
    struct bench_choices choices;
    size_t rows, wrong;
};

static void print_heading(void) {
    (void)printf("%-20s %-16s   %-12s %12s %9s %5s %8s %7s %10s %7s  %s\n", "layer", "pass", "algorithm",
                 "predicted ms", "median ms", "+-%", "GFLOP/s", "x", "workspace", "error", "how");
}

static void print_rival(const struct bench_rival *rival, const struct bench_rival *chosen) {
    const struct bench_layer *layer = rival->work.layer;
    (void)printf("%-20s %-16s %c %-12s %12.4f ", layer->name, bench_pass_names[rival->pass],
                 rival->chosen ? '*' : ' ', bench_rival_plan(rival)->algorithm->name,
                 1e3 * bench_rival_plan(rival)->cost);
    if (!rival->error.right) {
        (void)printf("WRONG: error %.1e of the largest sum(|x||w|), allowed %.0e\n", rival->error.largest,
                     rival->error.bound);
        return;
    }
    const struct bench_summary *time = &rival->times.summary;
    struct report_words bytes;
    (void)printf("%9.4f %5.1f %8.1f ", 1e3 * time->median, 100 * time->spread,
                 1e-9 * bench_layer_flops(&layer->conv) / time->median);
    (void)(chosen ? printf("%7.3f", chosen->times.summary.median / time->median) : printf("%7s", "-"));
    (void)printf(" %10s %7.0e  %s\n", report_bytes_words(&bytes, bench_rival_plan(rival)->bytes),
                 rival->error.largest, rival->work.algorithm[rival->pass]);
    (void)fflush(stdout);
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
            print_rival(&rivals.rival[i], chosen);
            bench_rival_report(comparison->bench, &rivals.rival[i], chosen, fastest);
        }
        comparison->rows++;
        if (chosen) {
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
        going = !wanted[i] || compare_pass(comparison, &work, (enum stoa_conv_pass)i);
    }
    bench_work_free(&work);
    return going;
}

int bench_algorithms(struct bench *bench, const struct bench_layers *layers) {
    struct comparison comparison = {.bench = bench};
    (void)printf(
        "Every algorithm that can compute the pass, * the one chosen. Predicted: on one core by the tuning "
        "table, for\ncomparing algorithms only; median ms on %zu threads. x: times as fast as the chosen "
        "one. Missed: another is faster\nby more than %.0f %%. Linear layers have one way and are left "
        "out.\n\n",
        bench->threads, 100 * BENCH_CHOICE_NOISE);
    print_heading();
    bool going = true;
    for (size_t i = 0; going && i < layers->count; i++) {
        going = compare_layer(&comparison, &layers->layer[i]);
    }
    if (!going) {
        return CLI_FAILED;
    }
    if (comparison.rows == 0 && !cli_stop_signal()) {
        return cli_fail(CLI_WRONG,
                        "--all-algorithms: found linear layers alone, which have one way, expected conv2d");
    }
    bench_choices_print(&comparison.choices);
    return comparison.wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", comparison.wrong) : CLI_DONE;
}
