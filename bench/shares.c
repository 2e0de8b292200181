/* SPDX-License-Identifier: MIT */
/* Where the time of a step goes. */
#include "bench/shares.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/progress.h"
#include "cli/signals.h"

/* What a table of tenths of a percent would show as nothing is left out of it. */
static const double LEAST_SHARE = 0.0005;

/* Behind the parts of the watch comes what none of them explains. */
static void name_parts(struct bench_shares *shares, const struct bench_watch *watch, size_t repetitions) {
    shares->parts = bench_watch_parts(watch) + 1;
    shares->part = cli_allocate(shares->parts, sizeof *shares->part);
    for (size_t i = 0; i < shares->parts; i++) {
        struct bench_part *part = &shares->part[i];
        part->real = cli_allocate(repetitions, sizeof *part->real);
        part->name =
            i + 1 < shares->parts ? bench_watch_name(watch, i) : (struct bench_part_name){"rest", "rest", ""};
    }
}

static void measure_once(const struct bench_watched *watched, struct bench_shares *shares, size_t r) {
    bench_watch_reset(watched->watch, NULL, 0);
    double start = bench_now();
    for (size_t i = 0; i < shares->iterations; i++) {
        watched->step.run(watched->step.argument);
    }
    double steps = (double)shares->iterations;
    double rest = shares->step[r] = (bench_now() - start) / steps;
    for (size_t i = 0; i + 1 < shares->parts; i++) {
        shares->part[i].real[r] = bench_watch_seconds(watched->watch, i) / steps;
        rest -= shares->part[i].real[r];
    }
    shares->part[shares->parts - 1].real[r] = fmax(0, rest);
}

void bench_shares_measure(const struct bench *bench, const struct bench_watched *watched, double step_seconds,
                          struct bench_shares *shares) {
    size_t repetitions = bench->options.repetitions;
    double steps = ceil(bench->options.min_time / fmax(step_seconds, 1e-9));
    *shares = (struct bench_shares){.repetitions = repetitions,
                                    .iterations = (size_t)fmin(fmax(steps, 1), 1e6),
                                    .step = cli_allocate(repetitions, sizeof(double))};
    name_parts(shares, watched->watch, repetitions);
    watched->step.run(watched->step.argument);
    for (size_t r = 0; r < shares->repetitions; r++) {
        measure_once(watched, shares, r);
        shares->repetitions = cli_stop_signal() ? r + 1 : shares->repetitions;
        bench_progress_within((double)(r + 1) / (double)shares->repetitions);
    }
}

void bench_shares_report(struct bench *bench, const struct bench_shares *shares, const char *name) {
    double step = bench_summarise(shares->step, shares->repetitions).mean;
    for (size_t i = 0; i < shares->parts; i++) {
        const struct bench_part *part = &shares->part[i];
        /* A pass's CPU time is not known: reading that clock takes as long as a small pass. */
        struct bench_times times = {shares->repetitions,
                                    shares->iterations,
                                    part->real,
                                    part->real,
                                    bench_summarise(part->real, shares->repetitions),
                                    false,
                                    0};
        if (times.summary.median <= 0) {
            continue;
        }
        char *full =
            cli_text("%s/%s%s%s", name, part->name.layer, *part->name.pass ? "/" : "", part->name.pass);
        struct bench_record record = {.name = full, .threads = bench->threads, .times = &times};
        bench_note(&record, "layer", part->name.layer);
        bench_note(&record, "operator", part->name.op);
        bench_note(&record, "pass", part->name.pass);
        bench_counter(&record, "share_of_step", times.summary.mean / step);
        bench_report(bench, &record);
        free(full);
    }
}

/* Mean seconds of an operator summed over its layers: by pass, and beside the layers. Means, as medians of
 * parts do not add up to the median of the whole. */
enum { FORWARD, BACKWARD, BESIDE, COLUMNS };
struct sum {
    const char *op;
    size_t layers;
    double seconds[COLUMNS];
};

static double total(const struct sum *sum) {
    return sum->seconds[FORWARD] + sum->seconds[BACKWARD] + sum->seconds[BESIDE];
}

static int by_time(const void *a, const void *b) {
    double left = total(a), right = total(b);
    return (left < right) - (left > right);
}

static size_t sum_up(const struct bench_shares *shares, struct sum *sums) {
    size_t count = 0;
    for (size_t i = 0; i < shares->parts; i++) {
        const struct bench_part *part = &shares->part[i];
        size_t at = 0;
        while (at < count && strcmp(sums[at].op, part->name.op) != 0) {
            at++;
        }
        if (at == count) {
            sums[count++] = (struct sum){.op = part->name.op};
        }
        bool forward = strcmp(part->name.pass, "forward") == 0;
        int column = forward ? FORWARD : *part->name.pass ? BACKWARD : BESIDE;
        sums[at].seconds[column] += bench_summarise(part->real, shares->repetitions).mean;
        sums[at].layers += forward;
    }
    qsort(sums, count, sizeof *sums, by_time);
    return count;
}

static void time_cell(struct cli_table *table, double seconds) {
    if (seconds > 0) {
        cli_table_cell(table, "%.3f", 1e3 * seconds);
    } else {
        cli_table_cell(table, "-");
    }
}

void bench_shares_print(const struct bench_shares *shares) {
    struct sum *sums = cli_allocate(shares->parts, sizeof *sums);
    size_t count = sum_up(shares, sums);
    struct cli_table table = {.columns = "lrrrrr"};
    static const char *const heading[] = {"operator",    "layers",   "forward ms",
                                          "backward ms", "other ms", "share"};
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    double step = bench_summarise(shares->step, shares->repetitions).mean;
    for (size_t i = 0; i < count && total(&sums[i]) >= LEAST_SHARE * step; i++) {
        cli_table_cell(&table, "%s", sums[i].op);
        cli_table_cell(&table, sums[i].layers ? "%zu" : "-", sums[i].layers);
        for (int column = 0; column < COLUMNS; column++) {
            time_cell(&table, sums[i].seconds[column]);
        }
        cli_table_cell(&table, "%.1f %%", 100 * total(&sums[i]) / step);
    }
    cli_table_print(&table);
    free(sums);
}

void bench_shares_free(struct bench_shares *shares) {
    for (size_t i = 0; i < shares->parts; i++) {
        free(shares->part[i].real);
    }
    free(shares->part);
    free(shares->step);
    *shares = (struct bench_shares){0};
}
