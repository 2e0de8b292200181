/* SPDX-License-Identifier: MIT */
/* What runs have reached against what was asked of them: a line a row for people, Markdown, JSON. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/columns.h"
#include "bench/seeds.h"

/* Decimals and unit of what has a figure. */
static const struct {
    const char *name, *key, *unit;
    int decimals;
} measures[BENCH_GOALS] = {
    {"test", "test_accuracy_percent", " %", 2},
    {"train", "train_accuracy_percent", " %", 2},
    {"loss", "test_loss", "", 4},
    {"images/s", "items_per_second", "", 0},
};

static struct bench_summary summarise(const struct bench_row *row, enum bench_measure measure) {
    return bench_summarise(row->value[measure], row->runs);
}

static bool exceeds(const struct bench_goal *goal, double value) {
    const double rounding = 1e-9; /* of a mean of percentages */
    return goal->kind == BENCH_ABOVE ? value > goal->figure + rounding : value >= goal->figure - rounding;
}

const char bench_seeds_note[] =
    "Mean and deviation over the seeds 1 to N (for iris over N splits that they draw) at the last epoch; "
    "other "
    "figures in brackets. A row passes when its mean reaches the figure, and within 2 s.e. when only the "
    "mean and "
    "two of its standard errors do (splits, losses and rates have no such allowance). Seconds are whole "
    "runs, from "
    "reading the data on; images/s are training steps. Rows with 1 thread ran several runs at once, one a "
    "CPU: "
    "results do not depend on threads. * other programs had more than a twentieth of the CPUs meanwhile.";

enum bench_verdict bench_row_judge(const struct bench_row *row) {
    enum bench_verdict verdict = row->failed ? BENCH_FAILS : BENCH_PASSES;
    for (int i = 0; i < BENCH_GOALS && verdict != BENCH_FAILS; i++) {
        const struct bench_goal *goal = &row->goal[i];
        struct bench_summary summary = summarise(row, i);
        if (goal->kind < BENCH_AT_LEAST || exceeds(goal, summary.mean)) {
            continue;
        }
        bool by_chance = (i == BENCH_TEST || i == BENCH_TRAIN) && !row->splits;
        double errors = 2 * summary.deviation / sqrt((double)row->runs);
        verdict =
            by_chance && exceeds(goal, summary.mean + errors) ? BENCH_PASSES_WITHIN_ERRORS : BENCH_FAILS;
    }
    return verdict;
}

static const char *word_of(const struct bench_row *row) {
    static const char *const word[] = {"FAILS", "within 2 s.e.", "passes"};
    return row->failed ? "BROKE OFF" : word[bench_row_judge(row)];
}

/* ---- the cells of a row ---- */

enum { SYSTEM, RECIPE, FIGURE, OURS, ALSO, RUNS, THREADS, SECONDS, RATE, VERDICT, COLUMNS };
enum { CELL = 160 };
static const char *const heads[COLUMNS] = {"system", "recipe",  "figure",  "test accuracy", "besides",
                                           "runs",   "threads", "seconds", "images/s",      "verdict"};
/* Numbers stand to the right. */
static const char sides[COLUMNS + 1] = "llrrlrrrrl";

__attribute__((format(printf, 2, 3))) static void add(char cell[CELL], const char *format, ...) {
    size_t used = strlen(cell);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(cell + used, CELL - used, format, arguments);
    va_end(arguments);
}

/* ">= 95.00 %" */
static void add_goal(const struct bench_row *row, int i, char cell[CELL]) {
    static const char *const sign[] = {"", "", ">= ", "> "};
    add(cell, "%s%.*f%s", sign[row->goal[i].kind], measures[i].decimals, row->goal[i].figure,
        measures[i].unit);
}

/* "95.31 +- 0.12 %" */
static void add_value(const struct bench_row *row, int i, char cell[CELL]) {
    struct bench_summary summary = summarise(row, i);
    add(cell, "%.*f", measures[i].decimals, summary.mean);
    if (row->runs > 1) {
        add(cell, " +- %.*f", measures[i].decimals, summary.deviation);
    }
    add(cell, "%s", measures[i].unit);
}

/* The splits without an error, and what has a figure beside the test accuracy: "loss 0.09 +- 0.01 (0.15)". */
static void add_besides(const struct bench_row *row, char cell[CELL]) {
    if (row->splits) {
        size_t whole = 0;
        for (size_t i = 0; i < row->runs; i++) {
            whole += row->value[BENCH_TEST][i] >= 100;
        }
        add(cell, "%zu of %zu at 100 %%", whole, row->runs);
    }
    for (int i = BENCH_TEST + 1; i < BENCH_GOALS; i++) {
        if (row->goal[i].kind == BENCH_NO_GOAL) {
            continue;
        }
        add(cell, "%s%s ", cell[0] ? "; " : "", measures[i].name);
        if (i != BENCH_RATE) { /* it has a column of its own */
            add_value(row, i, cell);
            add(cell, " ");
        }
        add(cell, "(");
        add_goal(row, i, cell);
        add(cell, ")");
    }
}

static void fill(const struct bench *bench, const struct bench_row *row, char cell[COLUMNS][CELL]) {
    memset(cell, 0, sizeof(char[COLUMNS][CELL]));
    add(cell[SYSTEM], "%s", row->system);
    add(cell[RECIPE], "%s", row->name);
    add_goal(row, BENCH_TEST, cell[FIGURE]);
    add(cell[RUNS], "%zu", row->runs);
    add(cell[THREADS], "%zu", row->single ? 1 : bench->threads);
    add(cell[VERDICT], "%s", word_of(row));
    if (row->failed) {
        return;
    }
    const char *spoiled = row->others_share > BENCH_MOST_OTHERS ? "*" : "";
    struct report_words rate = {""};
    double seconds = summarise(row, BENCH_SECONDS).mean;
    add_value(row, BENCH_TEST, cell[OURS]);
    add_besides(row, cell[ALSO]);
    add(cell[SECONDS], "%.*f%s", seconds < 1 ? 3 : seconds < 10 ? 1 : 0, seconds, spoiled);
    add(cell[RATE], "%s%s", report_count_words(&rate, (size_t)summarise(row, BENCH_RATE).mean), spoiled);
}

/* ---- for people ---- */

static struct bench_columns table; /* of the rows that are printed one by one */

void bench_seeds_head(const struct bench *bench, const struct bench_rows *rows) {
    struct bench_column column[] = {
        {"", heads[SYSTEM], 6, true, 3, false},   {"", heads[RECIPE], 6, true, 0, false},
        {"", heads[FIGURE], 10, false, 1, false}, {"", heads[OURS], 16, false, 0, false},
        {"", heads[RUNS], 4, false, 4, false},    {"", heads[THREADS], 7, false, 5, false},
        {"", heads[SECONDS], 7, false, 2, false}, {"", heads[RATE], 10, false, 3, false},
        {"", heads[VERDICT], 13, true, 0, false},
    };
    size_t system = 0;
    for (size_t i = 0; i < rows->count; i++) {
        int recipe = (int)strlen(rows->row[i].name);
        column[1].width = recipe > column[1].width ? recipe : column[1].width;
        system = strlen(rows->row[i].system) > system ? strlen(rows->row[i].system) : system;
    }
    bench_columns_begin(&table, bench, column, sizeof column / sizeof *column, system);
}

/* What has a figure besides stands in a line below. */
void bench_seeds_print(const struct bench *bench, const struct bench_row *row) {
    static const int shown[] = {SYSTEM, RECIPE, FIGURE, OURS, RUNS, THREADS, SECONDS, RATE, VERDICT};
    char cell[COLUMNS][CELL];
    fill(bench, row, cell);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        bench_columns_cell(&table, "%s", cell[shown[i]]);
    }
    bench_columns_end(&table);
    if (cell[ALSO][0]) {
        (void)printf("    %s\n", cell[ALSO]);
        (void)fflush(stdout);
    }
}

/* ---- Markdown ---- */

static const char *about(const struct bench *bench, const char *key) {
    const char *text = json_string_value(json_object_get(bench->about, key));
    return text ? text : "";
}

static void write_row(const struct bench *bench, FILE *file, const struct bench_row *row) {
    char cell[COLUMNS][CELL];
    fill(bench, row, cell);
    for (int i = 0; i < COLUMNS; i++) {
        (void)fprintf(file, "| %s ", cell[i]);
    }
    (void)fputs("|\n", file);
}

static void write_table(FILE *file, const struct bench *bench, const struct bench_rows *rows) {
    size_t done = 0;
    for (int i = 0; i < COLUMNS; i++) {
        (void)fprintf(file, "| %s ", heads[i]);
    }
    (void)fputs("|\n", file);
    for (int i = 0; i < COLUMNS; i++) {
        (void)fprintf(file, "|%s", sides[i] == 'r' ? "--:" : "---");
    }
    (void)fputs("|\n", file);
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->row[i].done == rows->row[i].runs) {
            write_row(bench, file, &rows->row[i]);
            done++;
        }
    }
    (void)fprintf(file, "\n%s\n\n%zu of %zu rows; stoa %s (%s), %s, %zu threads, %s, core %s\n",
                  bench_seeds_note, done, rows->count, about(bench, "stoa_version"), about(bench, "commit"),
                  about(bench, "cpu_model"), bench->threads, about(bench, "blas_version"),
                  about(bench, "blas_core"));
}

int bench_seeds_write(const struct bench *bench, const struct bench_rows *rows, const char *path) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (!file) {
        return cli_fail(CLI_FAILED, "out of memory");
    }
    write_table(file, bench, rows);
    if (fclose(file) != 0) {
        free(text);
        return cli_fail(CLI_FAILED, "out of memory");
    }
    struct stoa_error error = {0};
    const struct stoa_file_piece piece = {text, bytes};
    stoa_status status = stoa_file_write(&error, path, &piece, 1);
    free(text);
    return status == STOA_OK ? CLI_DONE : cli_fail(CLI_FAILED, "--out: %s", error.text);
}

/* ---- JSON ---- */

void bench_seeds_report(struct bench *bench, const struct bench_row *row) {
    char *name = bench_row_name(row);
    struct bench_times times = {.repetitions = row->runs,
                                .iterations = 1,
                                .real = row->value[BENCH_SECONDS],
                                .cpu = row->value[BENCH_CPU],
                                .summary = summarise(row, BENCH_SECONDS)};
    struct bench_record record = {
        .name = name, .threads = row->single ? 1 : bench->threads, .times = row->failed ? NULL : &times};
    bench_note(&record, "system", row->system);
    bench_note(&record, "recipe", row->name);
    bench_note(&record, "verdict", word_of(row));
    bench_flag(&record, "passed", bench_row_judge(row) != BENCH_FAILS);
    bench_flag(&record, "splits", row->splits);
    bench_counter(&record, "others_share", row->others_share);
    char key[BENCH_GOALS][64];
    for (int i = 0; i < BENCH_GOALS; i++) {
        (void)snprintf(key[i], sizeof key[i], "figure_%s", measures[i].key);
        if (row->goal[i].kind != BENCH_NO_GOAL) {
            bench_counter(&record, key[i], row->goal[i].figure);
        }
        if (i != BENCH_TRAIN || row->goal[i].kind != BENCH_NO_GOAL) {
            bench_series(&record, measures[i].key, row->value[i]);
        }
    }
    bench_report(bench, &record);
    free(name);
}
