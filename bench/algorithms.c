/* SPDX-License-Identifier: MIT */
/* Mode layers with --all-algorithms: what the library chooses for each convolution, what it predicted, and
 * what every algorithm that is applicable takes. */
#include "bench/algorithms.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"

enum { MOST_ALGORITHMS = 16 };

/* An algorithm on one pass. */
struct entry {
    struct bench_work work; /* for that pass only */
    enum stoa_conv_pass pass;
    const struct stoa_conv_algorithm *algorithm;
    bool chosen;
    double predicted; /* seconds, as the algorithm's cost says */
    struct bench_error error;
    struct bench_times times;
};

/* What the choices of a pass cost. */
struct tally {
    size_t rows, missed; /* of them with a faster algorithm */
    double log_loss;     /* of the chosen one's time over the fastest's */
    double worst;
    char worst_row[64];
};

struct comparison {
    struct bench *bench;
    struct tally tally[BENCH_PASSES];
    size_t rows, wrong;
};

/* Differences below this share of the time are noise. */
static const double NOISE = 0.03;

static void run_entry(void *argument) {
    const struct entry *entry = argument;
    bench_work_run(&entry->work, entry->pass);
}

/* Every applicable algorithm, ready and verified; false when there is no memory. */
static bool make_entries(struct comparison *comparison, const struct bench_work *work,
                         enum stoa_conv_pass pass, struct entry *entries, size_t *count) {
    const struct stoa_conv *conv = &work->layer->conv;
    for (size_t i = 0; stoa_conv_algorithms[i] && *count < MOST_ALGORITHMS; i++) {
        const struct stoa_conv_algorithm *algorithm = stoa_conv_algorithms[i];
        if (!algorithm->applicable(work->context, conv, pass)) {
            continue;
        }
        struct entry *entry = &entries[*count];
        *entry = (struct entry){.pass = pass,
                                .algorithm = algorithm,
                                .chosen = algorithm == work->chosen[pass],
                                .predicted = algorithm->cost(work->context, conv, pass)};
        if (!bench_work_make_other(work, pass, algorithm, &entry->work)) {
            return false;
        }
        ++*count;
        entry->error = bench_work_verify(comparison->bench, &entry->work, pass);
        comparison->wrong += !entry->error.right;
    }
    return true;
}

static void time_entries(const struct bench *bench, struct entry *entries, size_t count) {
    struct bench_case cases[MOST_ALGORITHMS];
    struct bench_times times[MOST_ALGORITHMS];
    struct entry *timed[MOST_ALGORITHMS];
    size_t right = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].error.right) {
            cases[right] = (struct bench_case){run_entry, &entries[i]};
            timed[right++] = &entries[i];
        }
    }
    bench_time(bench, cases, right, times);
    for (size_t i = 0; i < right; i++) {
        timed[i]->times = times[i];
    }
}

static const struct entry *chosen_of(const struct entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (entries[i].chosen && entries[i].error.right) {
            return &entries[i];
        }
    }
    return NULL;
}

static const struct entry *fastest_of(const struct entry *entries, size_t count) {
    const struct entry *fastest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].error.right &&
            (!fastest || entries[i].times.summary.median < fastest->times.summary.median)) {
            fastest = &entries[i];
        }
    }
    return fastest;
}

static void print_heading(void) {
    (void)printf("%-20s %-16s   %-12s %12s %9s %5s %8s %7s %10s %7s  %s\n", "layer", "pass", "algorithm",
                 "predicted ms", "median ms", "+-%", "GFLOP/s", "x", "workspace", "error", "how");
}

static void print_entry(const struct entry *entry, const struct entry *chosen) {
    const struct bench_layer *layer = entry->work.layer;
    (void)printf("%-20s %-16s %c %-12s %12.4f ", layer->name, bench_pass_names[entry->pass],
                 entry->chosen ? '*' : ' ', entry->algorithm->name, 1e3 * entry->predicted);
    if (!entry->error.right) {
        (void)printf("WRONG: error %.1e of the largest sum(|x||w|), allowed %.0e\n", entry->error.largest,
                     entry->error.bound);
        return;
    }
    const struct bench_summary *time = &entry->times.summary;
    struct report_words bytes;
    (void)printf("%9.4f %5.1f %8.1f ", 1e3 * time->median, 100 * time->spread,
                 1e-9 * bench_layer_flops(&layer->conv) / time->median);
    (void)(chosen ? printf("%7.3f", chosen->times.summary.median / time->median) : printf("%7s", "-"));
    (void)printf(" %10s %7.0e  %s\n", report_bytes_words(&bytes, entry->work.scratch_bytes[entry->pass]),
                 entry->error.largest, entry->work.algorithm[entry->pass]);
    (void)fflush(stdout);
}

static void report_entry(struct bench *bench, const struct entry *entry, const struct entry *chosen,
                         const struct entry *fastest) {
    const struct bench_layer *layer = entry->work.layer;
    char *name =
        cli_text("layers/%s/%s/%s", layer->name, bench_pass_names[entry->pass], entry->algorithm->name);
    char *shape = bench_layer_shape(&layer->conv);
    struct bench_record record = {
        .name = name, .threads = bench->threads, .times = entry->error.right ? &entry->times : NULL};
    bench_layer_note(&record, layer, (size_t)entry->pass, shape, entry->work.algorithm[entry->pass],
                     &entry->error);
    bench_note(&record, "algorithm_name", entry->algorithm->name);
    bench_flag(&record, "chosen", entry->chosen);
    bench_flag(&record, "fastest", entry == fastest);
    bench_counter(&record, "predicted_seconds", entry->predicted);
    bench_counter(&record, "workspace_bytes", (double)entry->work.scratch_bytes[entry->pass]);
    if (entry->error.right && chosen) {
        bench_counter(&record, "times_as_fast_as_chosen",
                      chosen->times.summary.median / entry->times.summary.median);
    }
    bench_report(bench, &record);
    free(shape);
    free(name);
}

static void count_choice(struct tally *tally, const struct entry *chosen, const struct entry *fastest) {
    double loss = chosen->times.summary.median / fastest->times.summary.median;
    tally->rows++;
    tally->missed += loss > 1 + NOISE;
    tally->log_loss += log(loss);
    if (loss > tally->worst) {
        tally->worst = loss;
        (void)snprintf(tally->worst_row, sizeof tally->worst_row, "%s", chosen->work.layer->name);
    }
}

static bool compare_pass(struct comparison *comparison, const struct bench_work *work,
                         enum stoa_conv_pass pass) {
    struct entry entries[MOST_ALGORITHMS];
    size_t count = 0;
    bool going = make_entries(comparison, work, pass, entries, &count);
    if (going) {
        time_entries(comparison->bench, entries, count);
        const struct entry *chosen = chosen_of(entries, count), *fastest = fastest_of(entries, count);
        for (size_t i = 0; i < count; i++) {
            print_entry(&entries[i], chosen);
            report_entry(comparison->bench, &entries[i], chosen, fastest);
        }
        comparison->rows++;
        if (chosen) {
            count_choice(&comparison->tally[pass], chosen, fastest);
        }
    }
    for (size_t i = 0; i < count; i++) {
        bench_times_free(&entries[i].times);
        bench_work_free_other(&entries[i].work, pass);
    }
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

static void print_tallies(const struct comparison *comparison) {
    (void)printf("\nWhat the choices cost: the chosen algorithm's time over the fastest one's.\n\n");
    struct cli_table table = {.columns = "lrrrrl"};
    static const char *const heading[] = {"pass", "rows", "missed", "mean", "worst", "worst layer"};
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        const struct tally *tally = &comparison->tally[i];
        if (tally->rows > 0) {
            cli_table_cell(&table, "%s", bench_pass_names[i]);
            cli_table_cell(&table, "%zu", tally->rows);
            cli_table_cell(&table, "%zu", tally->missed);
            cli_table_cell(&table, "%.3f", exp(tally->log_loss / (double)tally->rows));
            cli_table_cell(&table, "%.3f", tally->worst);
            cli_table_cell(&table, "%s", tally->worst_row);
        }
    }
    cli_table_print(&table);
}

int bench_algorithms(struct bench *bench, const struct bench_layers *layers) {
    struct comparison comparison = {.bench = bench};
    (void)printf(
        "Every algorithm that can compute the pass, * the one chosen. Predicted: on one core of the nominal "
        "machine, for\ncomparing algorithms only; median ms on %zu threads. x: times as fast as the chosen "
        "one. Missed: another is faster\nby more than %.0f %%. Linear layers have one way and are left "
        "out.\n\n",
        bench->threads, 100 * NOISE);
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
    print_tallies(&comparison);
    return comparison.wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", comparison.wrong) : CLI_DONE;
}
