/* SPDX-License-Identifier: MIT */
/* What `train` and `infer` do alike. */
#include "bench/runs.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/allocations.h"
#include "bench/parts.h"
#include "bench/progress.h"
#include "bench/trace.h"

/* Those that only --wide shows are left out of both heading and rows. */
static const struct {
    const char *name;
    bool wide;
} columns[] = {{"recipe", false},      {"batch", false},    {"parameters", false}, {"step ms", false},
               {"least ms", true},     {"images/s", false}, {"+- %", false},       {"% in BLAS", false},
               {"allocations", false}, {"plan", false},     {"resident", false}};

void bench_runs_begin(const struct bench *bench, struct cli_table *table) {
    *table = (struct cli_table){.columns = bench->options.wide ? "lrrrrrrrrrr" : "lrrrrrrrrr"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (bench->options.wide || !columns[i].wide) {
            cli_table_cell(table, "%s", columns[i].name);
        }
    }
}

void bench_runs_end(struct cli_table *table) {
    if (table->columns) {
        cli_table_print(table);
        bench_print_mark();
    }
}

/* What is timed in turn. */
enum { STEP, PASS, CASES };

/* What a run takes beside time, and what its products are. */
struct needs {
    size_t allocations, plan_bytes, resident_bytes;
    struct bench_parts parts;
};

/* Allocations of steps after the timed ones: threads, buffers and the BLAS's own are there by then. */
static struct needs find_needs(const struct bench_run *run) {
    enum { STEPS = 8 };
    const struct bench_case *step = &run->watched.step;
    size_t before = bench_allocations();
    for (int i = 0; i < STEPS; i++) {
        step->run(step->argument);
    }
    size_t after = bench_allocations();
    return (struct needs){after - before, stoa_plan_bytes(run->plan), bench_resident_bytes(),
                          bench_parts_of(run->bench->context, step)};
}

static double flops_of(const stoa_model *model) {
    double flops = 0;
    for (size_t i = 0; i < stoa_model_layer_count(model); i++) {
        stoa_layer_info info;
        if (stoa_model_layer(model, i, &info) == STOA_OK) {
            flops += info.flops;
        }
    }
    return flops;
}

static void report(const struct bench_run *run, const struct bench_times *times, const struct needs *needs) {
    double images = (double)run->batch;
    struct bench_record record = {.name = run->name, .threads = run->bench->threads, .times = times};
    bench_note(&record, "recipe", run->recipe);
    bench_counter(&record, "items_per_second", images / times->summary.median);
    bench_counter(&record, "batch", images);
    bench_counter(&record, "parameters", (double)stoa_model_parameter_count(run->model));
    bench_counter(&record, "forward_flops", images * flops_of(run->model));
    bench_counter(&record, "product_flops", needs->parts.flops);
    bench_counter(&record, "blas_flops", needs->parts.blas_flops);
    bench_counter(&record, "blas_flops_share", bench_parts_in_blas(&needs->parts));
    if (bench_allocations_known) {
        bench_counter(&record, "allocations", (double)needs->allocations);
    }
    bench_counter(&record, "plan_bytes", (double)needs->plan_bytes);
    bench_counter(&record, "resident_bytes", (double)needs->resident_bytes);
    bench_counter(&record, "resident_peak_bytes", (double)bench_resident_peak());
    if (run->traffic) {
        bench_traffic_report(run->traffic, &times[STEP], &times[PASS], &record);
    }
    bench_report(run->bench, &record);
}

static void add_row(const struct bench_run *run, const struct bench_times *times, const struct needs *needs,
                    struct cli_table *table) {
    struct report_words word;
    cli_table_cell(table, "%s", run->recipe);
    cli_table_cell(table, "%zu", run->batch);
    cli_table_cell(table, "%s", report_count_words(&word, stoa_model_parameter_count(run->model)));
    cli_table_cell(table, "%.3f", 1e3 * times->summary.median);
    if (run->bench->options.wide) {
        cli_table_cell(table, "%.3f", 1e3 * times->summary.least);
    }
    cli_table_cell(table, "%s",
                   report_count_words(&word, (size_t)((double)run->batch / times->summary.median)));
    cli_table_cell(table, "%.0f%s", 100 * times->summary.spread, bench_mark(times));
    cli_table_cell(table, "%.0f", 100 * bench_parts_in_blas(&needs->parts));
    if (bench_allocations_known) {
        cli_table_cell(table, "%zu", needs->allocations);
    } else {
        cli_table_cell(table, "unknown");
    }
    cli_table_cell(table, "%s", report_bytes_words(&word, needs->plan_bytes));
    cli_table_cell(table, "%s", report_bytes_words(&word, needs->resident_bytes));
}

static void look_inside(struct bench_run *run, double step_seconds) {
    struct bench_shares shares;
    bench_watch_open(run->watched.watch, run->plan, run->bench->threads);
    bench_shares_measure(run->bench, &run->watched, step_seconds, &shares);
    bench_shares_report(run->bench, &shares, run->name);
    bench_progress_clear();
    (void)printf("%s, batch %zu\n\n", run->name, run->batch);
    bench_shares_print(&shares);
    (void)puts("");
    (void)fflush(stdout);
    bench_shares_free(&shares);
    if (run->bench->options.trace) {
        bench_trace_add(run->bench, run->name, &run->watched.step, run->watched.watch);
    }
    bench_watch_close(run->watched.watch);
}

int bench_runs_measure(struct bench_run *run, struct cli_table *table) {
    struct bench_case cases[CASES] = {run->watched.step};
    struct bench_times times[CASES];
    size_t count = 1;
    if (run->traffic) {
        cases[count++] = run->traffic->pass;
    }
    bench_time(run->bench, cases, count, times);
    if (*run->status == STOA_OK) {
        struct needs needs = find_needs(run);
        report(run, times, &needs);
        add_row(run, &times[STEP], &needs, table);
        look_inside(run, times[STEP].summary.median);
    }
    if (*run->status == STOA_OK && run->traffic) {
        bench_traffic_print(run->traffic, &times[STEP], &times[PASS]);
    }
    for (size_t i = 0; i < count; i++) {
        bench_times_free(&times[i]);
    }
    return *run->status == STOA_OK ? CLI_DONE : cli_fail_library(run->bench->context, *run->status);
}
