/* SPDX-License-Identifier: MIT */
/* Results in Google Benchmark's JSON schema, so that its compare.py and every reader of it work here too: one
 * row a repetition (run_type "iteration"), then the aggregates. Times are in nanoseconds an iteration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
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
    if (record->times && record->times->alike) {
        cli_json_set(row, "disturbed", json_boolean(bench_is_disturbed(record->times)));
    }
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
    bench->records++;
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

static bool is_standard_output(const char *path) {
    return strcmp(path, "-") == 0;
}

/* The folder that a path lies in. From malloc. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? cli_text("%.*s", (int)(slash - path) + 1, path) : cli_text(".");
}

/* A device or a pipe cannot be replaced by a file; it is written to. */
static bool is_written_in_place(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

int bench_json_check(const char *path) {
    return !path || is_standard_output(path) ? CLI_DONE : bench_file_check("json", path);
}

int bench_file_check(const char *option, const char *path) {
    struct stat about;
    char *folder = folder_of(path);
    int reason = 0;
    if (stat(path, &about) == 0) {
        reason = S_ISDIR(about.st_mode) ? EISDIR : access(path, W_OK) == 0 ? 0 : errno;
    }
    if (reason == 0 && !is_written_in_place(path)) {
        reason = stat(folder, &about) != 0 ? errno : !S_ISDIR(about.st_mode) ? ENOTDIR : 0;
        reason = reason == 0 && access(folder, W_OK | X_OK) != 0 ? errno : reason;
    }
    free(folder);
    return reason == 0 ? CLI_DONE
                       : cli_fail(CLI_WRONG, "--%s: cannot write '%s': %s", option, path, strerror(reason));
}

int bench_json_begin(struct bench *bench) {
    bench->json_file = -1;
    if (!bench->options.json || !is_standard_output(bench->options.json)) {
        return CLI_DONE;
    }
    bench->json_file = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (bench->json_file < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        return cli_fail(CLI_FAILED, "--json: standard output: %s", strerror(errno));
    }
    return CLI_DONE;
}

static int write_stream(int file, const char *option, const char *name, const char *text) {
    FILE *stream = file >= 0 ? fdopen(file, "w") : NULL;
    bool good = stream && fputs(text, stream) >= 0 && fflush(stream) == 0;
    int reason = errno;
    if (stream && fclose(stream) != 0 && good) {
        good = false;
        reason = errno;
    }
    if (good) {
        return CLI_DONE;
    }
    /* Who reads no further knows why. */
    return reason == EPIPE ? CLI_FAILED
                           : cli_fail(CLI_FAILED, "--%s: %s: %s", option, name, strerror(reason));
}

int bench_file_write(const char *option, const char *path, const char *text) {
    if (is_written_in_place(path)) {
        return write_stream(open(path, O_WRONLY | O_CLOEXEC), option, path, text);
    }
    struct stoa_error error = {0};
    const struct stoa_file_piece piece = {text, strlen(text)};
    return stoa_file_write(&error, path, &piece, 1) == STOA_OK
               ? CLI_DONE
               : cli_fail(CLI_FAILED, "--%s: %s", option, error.text);
}

int bench_json_write(const struct bench *bench) {
    const char *path = bench->options.json;
    if (!path) {
        return CLI_DONE;
    }
    json_t *all = cli_json_object();
    cli_json_set(all, "context", json_incref(bench->about));
    cli_json_set(all, "benchmarks", json_incref(bench->results));
    char *lines = cli_json_indented(all);
    char *text = cli_text("%s\n", lines);
    free(lines);
    json_decref(all);
    int code = is_standard_output(path) ? write_stream(bench->json_file, "json", "standard output", text)
                                        : bench_file_write("json", path, text);
    free(text);
    return code;
}
