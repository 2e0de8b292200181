/* SPDX-License-Identifier: MIT */
/* What the runs of a grid have reached: mean, deviation and best over the seeds of each combination of
 * settings. Public headers only.
 *
 * The figures are those of the last epoch or, where the recipe keeps the best by validation, of that one:
 * of the model in the folder. A combination is marked as the best by its validation only: what is chosen
 * by the test set is not measured by it any more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grid.h"
#include "cli/report.h"
#include "cli/summary.h"
#include "cli/table.h"
#include "cli/words.h"
#include "report/figure.h"
#include "report/spread.h"

bool cli_grid_figures(const struct cli_grid *grid, const struct cli_grid_run *run,
                      double figures[REPORT_METRICS]) {
    struct report_run read;
    char sentence[CLI_SUMMARY_SENTENCE];
    if (run->state != CLI_GRID_DONE || !cli_summary_read(run->path, &read, sentence)) {
        return false;
    }
    size_t at = grid->keeps_best && read.best > 0 ? read.best - 1 : read.epochs - 1;
    for (int i = 0; i < REPORT_METRICS; i++) {
        figures[i] = read.value[i][at];
    }
    report_run_free(&read);
    return true;
}

/* ---- over the seeds ---- */

/* Of a combination. */
struct row {
    size_t runs, failed;
    struct report_spread of[REPORT_METRICS];
};

static struct row row_of(const struct cli_grid *grid, size_t combination) {
    struct row row = {.runs = 0};
    double *values[REPORT_METRICS], figures[REPORT_METRICS];
    for (int m = 0; m < REPORT_METRICS; m++) {
        values[m] = cli_allocate(grid->seeds, sizeof *values[m]);
    }
    for (size_t i = combination * grid->seeds; i < (combination + 1) * grid->seeds; i++) {
        row.failed += grid->run[i].state == CLI_GRID_FAILED;
        if (cli_grid_figures(grid, &grid->run[i], figures)) {
            for (int m = 0; m < REPORT_METRICS; m++) {
                values[m][row.runs] = figures[m];
            }
            row.runs++;
        }
    }
    for (int m = 0; m < REPORT_METRICS; m++) {
        row.of[m] = report_spread(values[m], row.runs);
        free(values[m]);
    }
    return row;
}

/* The combination with the best validation, or SIZE_MAX: there is no validation, or nothing to choose
 * from. */
static size_t choose(const struct cli_grid *grid, const struct row *rows) {
    size_t chosen = SIZE_MAX;
    int metric = grid->monitor;
    for (size_t i = 0; i < grid->combinations; i++) {
        double value = rows[i].of[metric].mean;
        double other = chosen == SIZE_MAX ? (double)NAN : rows[chosen].of[metric].mean;
        bool better = grid->by_most ? value > other : value < other;
        chosen = isfinite(value) && (chosen == SIZE_MAX || better) ? i : chosen;
    }
    return grid->combinations > 1 ? chosen : SIZE_MAX;
}

/* ---- as text ---- */

static void add_spread(struct cli_table *table, const struct report_spread *spread, bool is_share) {
    if (!isfinite(spread->mean)) {
        cli_table_cell(table, "-");
    } else if (!is_share && isfinite(spread->deviation)) {
        cli_table_cell(table, "%.4g +- %.2g", spread->mean, spread->deviation);
    } else if (!is_share) {
        cli_table_cell(table, "%.4g", spread->mean);
    } else if (isfinite(spread->deviation)) {
        cli_table_cell(table, "%.2f +- %.2f %%", 100 * spread->mean, 100 * spread->deviation);
    } else {
        cli_table_cell(table, "%.2f %%", 100 * spread->mean);
    }
}

/* The figure by which the runs' task is judged, its best, and the loss. */
static void add_figures(struct cli_table *table, const struct row *row, enum report_set set,
                        enum report_metric loss) {
    struct report_words words = {""};
    double means[REPORT_METRICS];
    for (int m = 0; m < REPORT_METRICS; m++) {
        means[m] = row->of[m].mean;
    }
    const struct report_figure *figure = report_main_figure(means, set);
    const struct report_spread *shown = &row->of[figure->metric[set]];
    double best = figure->by_least ? shown->least : shown->most;
    add_spread(table, shown, !figure->format);
    cli_table_cell(table, "%s", isfinite(best) ? report_figure_words(&words, figure, best) : "-");
    cli_table_cell(table, "%s", isfinite(means[loss]) ? cli_loss_words(&words, means[loss]) : "-");
}

static void add_heads(struct cli_table *table, const struct cli_grid *grid, bool validates) {
    for (size_t i = 0; i < grid->settings.count; i++) {
        if (grid->settings.list[i].count > 1) {
            cli_table_cell(table, "%s", grid->settings.list[i].key);
        }
    }
    const char *const heads[] = {"runs", "valid", "best", "loss", "test", "best", "loss", ""};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (validates || i < 1 || i > 3) {
            cli_table_cell(table, "%s", heads[i]);
        }
    }
}

static void add_row(struct cli_table *table, const struct cli_grid *grid, size_t combination,
                    const struct row *row, bool validates, bool chosen) {
    for (size_t i = 0; i < grid->settings.count; i++) {
        if (grid->settings.list[i].count > 1) {
            cli_table_cell(table, "%s", cli_settings_value(&grid->settings, combination, i));
        }
    }
    cli_table_cell(table, row->runs == grid->seeds ? "%zu" : "%zu of %zu", row->runs, grid->seeds);
    if (validates) {
        add_figures(table, row, REPORT_OF_VALIDATION, REPORT_VALIDATION_LOSS);
    }
    add_figures(table, row, REPORT_OF_TEST, REPORT_TEST_LOSS);
    cli_table_cell(table, "%s", chosen ? "*" : "");
}

static void print_text(const struct cli_grid *grid, const struct row *rows, size_t chosen, double seconds) {
    char columns[CLI_MOST_COLUMNS + 1] = "";
    size_t varying = 0;
    bool validates = false;
    for (size_t i = 0; i < grid->combinations; i++) {
        validates = validates || isfinite(rows[i].of[REPORT_VALIDATION_LOSS].mean);
    }
    for (size_t i = 0; i < grid->settings.count; i++) {
        varying += grid->settings.list[i].count > 1;
    }
    (void)snprintf(columns, sizeof columns, "%.*s%s", (int)varying, "llllllllllll",
                   validates ? "rrrrrrrl" : "rrrrl");
    struct cli_table table = {.columns = columns};
    add_heads(&table, grid, validates);
    for (size_t i = 0; i < grid->combinations; i++) {
        add_row(&table, grid, i, &rows[i], validates, i == chosen);
    }
    cli_print("\n");
    cli_table_print(&table);
    struct report_words time = {""};
    cli_print("\nof %s, mean and deviation over the seeds; in %s\n",
              grid->keeps_best ? "the epoch that validation keeps" : "the last epoch",
              cli_seconds_words(&time, seconds));
    if (chosen != SIZE_MAX) {
        cli_print("* the best validation %s\n", strchr(report_metric_key[grid->monitor], '_') + 1);
    } else if (grid->combinations > 1 && !validates) {
        cli_print("without a validation split no setting is chosen: --set validation=0.1 holds a part of the "
                  "training set out for it\n");
    }
    const struct cli_grid_run *first = &grid->run[chosen == SIZE_MAX ? 0 : chosen * grid->seeds];
    cli_print("runs    %s\n", grid->folder.path);
    if (first->state == CLI_GRID_DONE) {
        char *own = cli_own_word(), *run = cli_path_word(first->path),
             *folder = cli_path_word(grid->folder.path);
        cli_print("next    %s eval %s\n        %s runs %s\n        %s report %s\n", own, run, own, folder,
                  own, folder);
        free(own);
        free(run);
        free(folder);
    }
}

/* ---- as JSON ---- */

static json_t *json_of(const struct row *row, enum report_metric metric) {
    const struct report_spread *spread = &row->of[metric];
    json_t *object = cli_json_object();
    cli_json_set(object, "mean", cli_json_number(spread->mean));
    cli_json_set(object, "deviation", cli_json_number(spread->deviation));
    cli_json_set(object, "best", cli_json_number(report_by_least(metric) ? spread->least : spread->most));
    return object;
}

static json_t *values_of(const struct cli_grid *grid, size_t combination) {
    json_t *values = cli_json_object();
    for (size_t i = 0; i < grid->settings.count; i++) {
        cli_json_set(values, grid->settings.list[i].key,
                     cli_json_text(cli_settings_value(&grid->settings, combination, i)));
    }
    return values;
}

static const char *state_of(const struct cli_grid_run *run) {
    static const char *const names[] = {"waiting", "running", "done", "failed", "stopped"};
    return names[run->state];
}

/* A number where jansson has room for it. */
static json_t *json_of_seed(uint64_t seed) {
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return seed <= INT64_MAX ? json_integer((json_int_t)seed) : cli_json_text(text);
}

static json_t *runs_of(const struct cli_grid *grid, size_t combination) {
    json_t *runs = cli_json_array();
    double figures[REPORT_METRICS];
    for (size_t i = combination * grid->seeds; i < (combination + 1) * grid->seeds; i++) {
        const struct cli_grid_run *run = &grid->run[i];
        json_t *object = cli_json_object();
        cli_json_set(object, "run", cli_json_text(run->path));
        cli_json_set(object, "seed", json_of_seed(run->seed));
        cli_json_set(object, "state", cli_json_text(state_of(run)));
        bool known = cli_grid_figures(grid, run, figures);
        for (int m = REPORT_EPOCH; known && m < REPORT_LEARNING_RATE; m++) {
            if (m > REPORT_TEST_ACCURACY && !isfinite(figures[m])) {
                continue; /* it is of another task */
            }
            cli_json_set(object, report_metric_key[m],
                         m == REPORT_EPOCH ? cli_json_count((size_t)figures[m])
                                           : cli_json_number(figures[m]));
        }
        cli_json_append(runs, object);
    }
    return runs;
}

static void print_json(const struct cli_grid *grid, const struct row *rows, size_t chosen, double seconds) {
    json_t *all = cli_json_object(), *list = cli_json_array();
    cli_json_set(all, "folder", cli_json_text(grid->folder.path));
    cli_json_set(all, "seconds", cli_json_number(seconds));
    cli_json_set(all, "epoch", cli_json_text(grid->keeps_best ? "best by validation" : "last"));
    cli_json_set(all, "chosen_by",
                 chosen == SIZE_MAX ? json_null() : cli_json_text(report_metric_key[grid->monitor]));
    for (size_t i = 0; i < grid->combinations; i++) {
        json_t *object = cli_json_object();
        cli_json_set(object, "set", values_of(grid, i));
        cli_json_set(object, "done", cli_json_count(rows[i].runs));
        cli_json_set(object, "failed", cli_json_count(rows[i].failed));
        cli_json_set(object, "chosen", json_boolean(i == chosen));
        for (int m = REPORT_TRAIN_LOSS; m < REPORT_LEARNING_RATE; m++) {
            if (m <= REPORT_TEST_ACCURACY || isfinite(rows[i].of[m].mean)) {
                cli_json_set(object, report_metric_key[m], json_of(&rows[i], (enum report_metric)m));
            }
        }
        cli_json_set(object, "runs", runs_of(grid, i));
        cli_json_append(list, object);
    }
    cli_json_set(all, "settings", list);
    cli_json_print(all);
}

void cli_grid_print(const struct cli_grid *grid, double seconds) {
    struct row *rows = cli_allocate(grid->combinations, sizeof *rows);
    for (size_t i = 0; i < grid->combinations; i++) {
        rows[i] = row_of(grid, i);
    }
    size_t chosen = choose(grid, rows);
    if (grid->request->json) {
        print_json(grid, rows, chosen, seconds);
    } else {
        print_text(grid, rows, chosen, seconds);
    }
    free(rows);
}
