/* Results in Google Benchmark's JSON schema, so that its compare.py and every reader of it work here too: one
 * row a repetition (run_type "iteration"), then the aggregates. Times are in nanoseconds an iteration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

void bench_counter(struct bench_record *record, const char *key, double value) {
    if (record->counters < BENCH_MOST_EXTRAS) {
        record->counter[record->counters].key = key;
        record->counter[record->counters++].value = value;
    }
}

void bench_note(struct bench_record *record, const char *key, const char *text) {
    if (record->notes < BENCH_MOST_EXTRAS) {
        record->note[record->notes].key = key;
        record->note[record->notes++].text = text;
    }
}

void bench_flag(struct bench_record *record, const char *key, bool value) {
    if (record->flags < sizeof record->flag / sizeof record->flag[0]) {
        record->flag[record->flags].key = key;
        record->flag[record->flags++].value = value;
    }
}

void bench_series(struct bench_record *record, const char *key, const double *values) {
    if (record->lists < sizeof record->series / sizeof record->series[0]) {
        record->series[record->lists].key = key;
        record->series[record->lists++].values = values;
    }
}

/* What all rows of a record have in common. */
static json_t *make_row(const struct bench_record *record, const char *name, const char *run_type) {
    json_t *row = cli_json_object();
    cli_json_set(row, "name", cli_json_text(name));
    cli_json_set(row, "run_name", cli_json_text(record->name));
    cli_json_set(row, "run_type", cli_json_text(run_type));
    cli_json_set(row, "repetitions", cli_json_count(record->times ? record->times->repetitions : 0));
    cli_json_set(row, "threads", cli_json_count(record->threads));
    return row;
}

static void finish_row(json_t *row, const struct bench_record *record, size_t iterations, double real,
                       double cpu, double scale, const char *unit) {
    cli_json_set(row, "iterations", cli_json_count(iterations));
    cli_json_set(row, "real_time", cli_json_number(scale * real));
    cli_json_set(row, "cpu_time", cli_json_number(scale * cpu));
    cli_json_set(row, "time_unit", cli_json_text(unit));
    for (size_t i = 0; i < record->counters; i++) {
        cli_json_set(row, record->counter[i].key, cli_json_number(record->counter[i].value));
    }
    for (size_t i = 0; i < record->notes; i++) {
        cli_json_set(row, record->note[i].key, cli_json_text(record->note[i].text));
    }
    for (size_t i = 0; i < record->flags; i++) {
        cli_json_set(row, record->flag[i].key, json_boolean(record->flag[i].value));
    }
}

/* A number of each series: that of a repetition, or an aggregate of all. */
static void add_series(json_t *row, const struct bench_record *record, size_t repetition,
                       const char *aggregate) {
    for (size_t i = 0; i < record->lists; i++) {
        const double *values = record->series[i].values;
        struct bench_summary all = bench_summarise(values, record->times->repetitions);
        double value = !aggregate                         ? values[repetition]
                       : strcmp(aggregate, "mean") == 0   ? all.mean
                       : strcmp(aggregate, "median") == 0 ? all.median
                       : strcmp(aggregate, "min") == 0    ? all.least
                       : strcmp(aggregate, "stddev") == 0 ? all.deviation
                       : all.mean != 0                    ? all.deviation / all.mean
                                                          : 0;
        cli_json_set(row, record->series[i].key, cli_json_number(value));
    }
}

static void add_aggregate(struct bench *bench, const struct bench_record *record, const char *aggregate,
                          double real, double cpu) {
    bool ratio = strcmp(aggregate, "cv") == 0;
    char *name = cli_text("%s_%s", record->name, aggregate);
    json_t *row = make_row(record, name, "aggregate");
    cli_json_set(row, "aggregate_name", cli_json_text(aggregate));
    cli_json_set(row, "aggregate_unit", cli_json_text(ratio ? "percentage" : "time"));
    finish_row(row, record, record->times->repetitions, real, cpu, ratio ? 1 : 1e9, "ns");
    add_series(row, record, 0, aggregate);
    cli_json_append(bench->results, row);
    free(name);
}

void bench_report(struct bench *bench, const struct bench_record *record) {
    const struct bench_times *times = record->times;
    if (!times) {
        json_t *row = make_row(record, record->name, "iteration");
        cli_json_set(row, "error_occurred", json_true());
        cli_json_set(row, "error_message", cli_json_text("not timed"));
        finish_row(row, record, 0, 0, 0, 1, "ns");
        cli_json_append(bench->results, row);
        return;
    }
    for (size_t i = 0; i < times->repetitions; i++) {
        json_t *row = make_row(record, record->name, "iteration");
        cli_json_set(row, "repetition_index", cli_json_count(i));
        finish_row(row, record, times->iterations, times->real[i], times->cpu[i], 1e9, "ns");
        add_series(row, record, i, NULL);
        cli_json_append(bench->results, row);
    }
    struct bench_summary cpu = bench_summarise(times->cpu, times->repetitions);
    const struct bench_summary *real = &times->summary;
    add_aggregate(bench, record, "mean", real->mean, cpu.mean);
    add_aggregate(bench, record, "median", real->median, cpu.median);
    add_aggregate(bench, record, "min", real->least, cpu.least);
    if (times->repetitions > 1) {
        add_aggregate(bench, record, "stddev", real->deviation, cpu.deviation);
        add_aggregate(bench, record, "cv", real->mean > 0 ? real->deviation / real->mean : 0,
                      cpu.mean > 0 ? cpu.deviation / cpu.mean : 0);
    }
}

int bench_write_json(const struct bench *bench) {
    const char *path = bench->options.json;
    if (!path) {
        return CLI_DONE;
    }
    json_t *all = cli_json_object();
    cli_json_set(all, "context", json_incref(bench->about));
    cli_json_set(all, "benchmarks", json_incref(bench->results));
    enum { DIGITS = 10 };
    bool written = json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS)) == 0;
    json_decref(all);
    return written ? CLI_DONE : cli_fail(CLI_FAILED, "--json: cannot write '%s'", path);
}
