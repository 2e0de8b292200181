/* SPDX-License-Identifier: MIT */
/* Runs side by side: the keys, the data and the fingerprints in which they differ, and what they reached.
 * Public headers only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "cli/runs.h"
#include "cli/table.h"
#include "report/figure.h"

/* ---- what can differ ---- */

/* Parts of a record whose members are compared, down to the last. */
static const struct {
    const char *part, *prefix;
} parts[] = {{"settings", ""}, {"data", "data."}, {"fingerprint", "made by "}};

/* Members of the record itself, which are compared as a whole. */
static const char *const plain[] = {"recipe", "init"};

/* The text of a JSON value, from malloc; NULL where there is none. */
static char *text_of(const json_t *value) {
    if (!value || json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0)) {
        return NULL;
    }
    if (json_is_string(value)) {
        return cli_text("%s", json_string_value(value));
    }
    if (json_is_number(value)) {
        return cli_text("%.10g", json_number_value(value));
    }
    return json_is_boolean(value) ? cli_text("%s", json_is_true(value) ? "yes" : "no") : cli_json_line(value);
}

/* One thing that is said of each run, as texts from malloc; NULL where a run does not say it. */
struct row {
    char *name, **value;
};

struct rows {
    struct row *row;
    size_t count, room, runs;
};

static void add_row(struct rows *rows, char *name, char **value) {
    if (rows->count == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 32;
        struct row *larger = cli_allocate(room, sizeof *larger);
        if (rows->count > 0) {
            memcpy(larger, rows->row, rows->count * sizeof *larger);
        }
        free(rows->row);
        rows->row = larger;
        rows->room = room;
    }
    rows->row[rows->count++] = (struct row){name, value};
}

static void free_values(char **value, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(value[i]);
    }
    free(value);
}

static bool differ(char *const *value, size_t count) {
    for (size_t i = 1; i < count; i++) {
        bool one = !value[0] || !value[i];
        if (one ? value[0] != value[i] : strcmp(value[0], value[i]) != 0) {
            return true;
        }
    }
    return false;
}

static bool has_row(const struct rows *rows, const char *name) {
    for (size_t i = 0; i < rows->count; i++) {
        if (strcmp(rows->row[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the record of a run says at a way of members that are separated by '/'. */
static json_t *find(const struct cli_run *run, const char *way) {
    json_t *at = run->record;
    while (at && *way) {
        size_t length = strcspn(way, "/");
        char *member = cli_text("%.*s", (int)length, way);
        at = json_object_get(at, member);
        free(member);
        way += length + (way[length] == '/');
    }
    return at;
}

/* Add a row for what lies at a way, unless it is there or all runs say the same. */
static void compare_at(struct rows *rows, const struct cli_run *runs, const char *way, const char *name) {
    char **value = cli_allocate(rows->runs, sizeof *value);
    for (size_t i = 0; i < rows->runs; i++) {
        value[i] = text_of(find(&runs[i], way));
    }
    if (!has_row(rows, name) && differ(value, rows->runs)) {
        add_row(rows, cli_text("%s", name), value);
    } else {
        free_values(value, rows->runs);
    }
}

/* Every member below a way that any run has; a record has no more than a few floors. */
static void compare_below(struct rows *rows, const struct cli_run *runs, const char *way, const char *name,
                          size_t floors) {
    for (size_t i = 0; i < rows->runs; i++) {
        const char *key;
        json_t *value;
        json_object_foreach(find(&runs[i], way), key, value) {
            char *further = cli_text("%s/%s", way, key), *full = cli_text("%s%s", name, key);
            /* How the data were found, and what was said of them, is not which they are. */
            bool counts = strcmp(key, "named") != 0 && strcmp(key, "notes") != 0;
            if (json_is_object(value) && floors > 0) {
                char *inner = cli_text("%s.", full);
                compare_below(rows, runs, further, inner, floors - 1);
                free(inner);
            } else if (counts && !strchr(key, '/')) {
                compare_at(rows, runs, further, full);
            }
            free(further);
            free(full);
        }
    }
}

static struct rows differences_of(const struct cli_run *runs, size_t count) {
    struct rows rows = {.runs = count};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        compare_at(&rows, runs, plain[i], plain[i]);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        compare_below(&rows, runs, parts[i].part, parts[i].prefix, 3);
    }
    return rows;
}

static void free_rows(struct rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->row[i].name);
        free_values(rows->row[i].value, rows->runs);
    }
    free(rows->row);
}

/* ---- printing ---- */

/* A row of figures, unless no run says this one: of `figure`, or where that is NULL a loss or the epoch. */
static void add_figure(struct cli_table *table, const struct cli_run *runs, size_t count, const char *name,
                       enum report_metric metric, const struct report_figure *figure) {
    bool known = false;
    for (size_t i = 0; metric != REPORT_METRICS && i < count; i++) {
        known = known || isfinite(cli_run_figure(&runs[i], metric));
    }
    if (known) {
        cli_table_cell(table, "%s", name);
    }
    for (size_t i = 0; known && i < count; i++) {
        struct report_words words = {""};
        double value = cli_run_figure(&runs[i], metric);
        if (!isfinite(value)) {
            cli_table_cell(table, "-");
        } else if (metric == REPORT_EPOCH) {
            cli_table_cell(table, "%.0f", value);
        } else {
            cli_table_cell(table, "%s",
                           figure ? report_figure_words(&words, figure, value)
                                  : cli_loss_words(&words, value));
        }
    }
}

/* "test", which is an accuracy, "test rmse", "test loss", and so on for each part of the data. */

static void add_figures(struct cli_table *table, const struct cli_run *runs, size_t count) {
    static const char *const sets[REPORT_SETS] = {"test", "valid", "train"};
    static const enum report_metric losses[REPORT_SETS] = {REPORT_TEST_LOSS, REPORT_VALIDATION_LOSS,
                                                           REPORT_TRAIN_LOSS};
    for (size_t set = 0; set < REPORT_SETS; set++) {
        for (size_t k = 0; k < REPORT_FIGURES; k++) {
            const struct report_figure *figure = &report_figures[k];
            char *name =
                cli_text("%s%s%s", sets[set], figure->format ? " " : "", figure->format ? figure->name : "");
            add_figure(table, runs, count, name, figure->metric[set], figure);
            free(name);
        }
        char *name = cli_text("%s loss", sets[set]);
        add_figure(table, runs, count, name, losses[set], NULL);
        free(name);
    }
    add_figure(table, runs, count, "epoch of the model", REPORT_EPOCH, NULL);
    cli_table_cell(table, "training time");
    for (size_t i = 0; i < count; i++) {
        struct report_words words = {""};
        double seconds = report_run_sum(&runs[i].metrics, REPORT_SECONDS);
        cli_table_cell(table, "%s", isfinite(seconds) ? report_time_words(&words, seconds) : "-");
    }
}

/* A table with a column a run, in as many tables as it takes. */
static void print_some(const struct rows *rows, const struct cli_run *runs, size_t first, size_t count) {
    char columns[CLI_MOST_COLUMNS + 1] = "l";
    memset(columns + 1, 'l', count);
    columns[count + 1] = '\0';
    struct cli_table table = {.columns = columns};
    cli_table_cell(&table, "%s", "");
    for (size_t i = 0; i < count; i++) {
        cli_table_cell(&table, "%s", runs[first + i].name);
    }
    add_figures(&table, runs + first, count);
    for (size_t k = 0; k < rows->count; k++) {
        cli_table_cell(&table, "%s", rows->row[k].name);
        for (size_t i = 0; i < count; i++) {
            const char *value = rows->row[k].value[first + i];
            cli_table_cell(&table, "%s", value && *value ? value : "-");
        }
    }
    cli_table_print(&table);
}

void cli_runs_compare_text(const struct cli_run *runs, size_t count) {
    struct rows rows = differences_of(runs, count);
    for (size_t first = 0; first < count; first += CLI_MOST_COLUMNS - 1) {
        size_t left = count - first, most = CLI_MOST_COLUMNS - 1;
        cli_print("%s", first ? "\n" : "");
        print_some(&rows, runs, first, left < most ? left : most);
    }
    if (rows.count == 0) {
        cli_print("recipes, data and fingerprints are the same\n");
    }
    free_rows(&rows);
}

json_t *cli_runs_compare_json(const struct cli_run *runs, size_t count) {
    struct rows rows = differences_of(runs, count);
    json_t *all = cli_json_object();
    for (size_t k = 0; k < rows.count; k++) {
        json_t *values = cli_json_array();
        for (size_t i = 0; i < count; i++) {
            const char *value = rows.row[k].value[i];
            cli_json_append(values, value ? cli_json_text(value) : json_null());
        }
        cli_json_set(all, rows.row[k].name, values);
    }
    free_rows(&rows);
    return all;
}
