/* SPDX-License-Identifier: MIT */
/* The list of rows: "SYSTEM RECIPE test >= 99.0 loss 0.15 seeds 5 single", a row a line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "bench/seeds.h"
#include "cli/find.h"

enum { MOST_RUNS = 1000 };

/* The words that begin a group, those of figures in the order of enum bench_measure. */
static const char *const words[] = {"test", "train", "loss", "rate", "seeds", "splits", "single"};
enum { WORDS = sizeof words / sizeof words[0], SEEDS = BENCH_GOALS, SPLITS, SINGLE };

static const double highest[BENCH_GOALS] = {100, 100, 1e6, 1e12};

/* "[>=|>] NUMBER". A loss is compared with nothing: rows ask for accuracy. */
static int read_goal(const char *where, size_t which, char **rest, struct bench_goal *goal) {
    const char *word = strtok_r(NULL, " \t", rest);
    goal->kind = BENCH_SHOWN;
    if (word && which != BENCH_LOSS && (strcmp(word, ">=") == 0 || strcmp(word, ">") == 0)) {
        goal->kind = word[1] ? BENCH_AT_LEAST : BENCH_ABOVE;
        word = strtok_r(NULL, " \t", rest);
    }
    if (!word || !stoa_parse_double(word, strlen(word), &goal->figure) || goal->figure < 0 ||
        goal->figure > highest[which]) {
        return cli_fail(CLI_WRONG, "%s: %s: found '%s', expected %sa number from 0 to %.7g", where,
                        words[which], word ? word : "", which == BENCH_LOSS ? "" : ">=, > or nothing and ",
                        highest[which]);
    }
    return CLI_DONE;
}

static int read_runs(const char *where, size_t which, char **rest, struct bench_row *row) {
    const char *word = strtok_r(NULL, " \t", rest);
    if (!word || !stoa_parse_size(word, strlen(word), &row->runs) || row->runs < 1 || row->runs > MOST_RUNS) {
        return cli_fail(CLI_WRONG, "%s: %s: found '%s', expected a whole number from 1 to %d", where,
                        words[which], word ? word : "", MOST_RUNS);
    }
    row->splits = which == SPLITS;
    return CLI_DONE;
}

static int read_groups(const char *where, char **rest, struct bench_row *row) {
    bool seen[WORDS] = {false};
    for (const char *word; (word = strtok_r(NULL, " \t", rest)) != NULL;) {
        size_t which = 0;
        while (which < WORDS && strcmp(word, words[which]) != 0) {
            which++;
        }
        if (which == WORDS) {
            return cli_fail(CLI_WRONG,
                            "%s: found '%s', expected test, train, loss, rate, seeds, splits or single",
                            where, word);
        }
        if (seen[which]) {
            return cli_fail(CLI_WRONG, "%s: '%s' is given twice", where, word);
        }
        seen[which] = true;
        int code = which < BENCH_GOALS ? read_goal(where, which, rest, &row->goal[which])
                   : which != SINGLE   ? read_runs(where, which, rest, row)
                                       : CLI_DONE;
        if (code != CLI_DONE) {
            return code;
        }
    }
    row->single = seen[SINGLE];
    if (row->goal[BENCH_TEST].kind < BENCH_AT_LEAST || seen[SEEDS] == seen[SPLITS]) {
        return cli_fail(CLI_WRONG, "%s: expected test >= FIGURE or test > FIGURE, and seeds N or splits N",
                        where);
    }
    return CLI_DONE;
}

char *bench_row_name(const struct bench_row *row) {
    return cli_text("seeds/%s/%s", row->system, row->name);
}

static void clear_row(const struct bench_row *row) {
    free(row->system);
    free(row->recipe);
    free(row->name);
    for (int i = 0; i < BENCH_MEASURES; i++) {
        free(row->value[i]);
    }
}

static void add_values(struct bench_row *row) {
    for (int i = 0; i < BENCH_MEASURES; i++) {
        row->value[i] = cli_allocate(row->runs, sizeof *row->value[i]);
    }
}

/* The next row of a list that doubles when it is full. */
static struct bench_row *append(struct bench_rows *rows) {
    if ((rows->count & (rows->count - 1)) == 0) {
        struct bench_row *more = cli_allocate(rows->count ? 2 * rows->count : 1, sizeof *more);
        if (rows->count) {
            memcpy(more, rows->row, rows->count * sizeof *more);
        }
        free(rows->row);
        rows->row = more;
    }
    struct bench_row *row = &rows->row[rows->count++];
    *row = (struct bench_row){0};
    return row;
}

static int read_row(const struct bench *bench, char *line, const char *where, struct bench_rows *rows) {
    line[strcspn(line, "#\r\n")] = '\0';
    char *rest = NULL;
    const char *system = strtok_r(line, " \t", &rest), *recipe = strtok_r(NULL, " \t", &rest);
    if (!system) {
        return CLI_DONE;
    }
    if (!recipe) {
        return cli_fail(CLI_WRONG, "%s: found '%s', expected SYSTEM RECIPE test >= FIGURE and so on", where,
                        system);
    }
    struct bench_row *row = append(rows);
    row->system = cli_text("%s", system);
    row->recipe = cli_text("%s", recipe);
    row->name = cli_recipe_name(recipe);
    int code = read_groups(where, &rest, row);
    char *name = bench_row_name(row);
    if (!bench_wanted(bench, name)) {
        clear_row(row);
        rows->count--;
    } else if (code == CLI_DONE) {
        row->runs = bench->options.seeds ? bench->options.seeds : row->runs;
        add_values(row);
    }
    free(name);
    return code;
}

static int read_rows(const struct bench *bench, const char *path, struct bench_rows *rows) {
    FILE *file = fopen(path, "re");
    if (!file) {
        return cli_fail(CLI_WRONG, "%s: %s", path, strerror(errno));
    }
    char line[1024];
    int code = CLI_DONE;
    for (size_t number = 1; code == CLI_DONE && fgets(line, sizeof line, file); number++) {
        char *where = cli_text("%s:%zu", path, number);
        code = strchr(line, '\n') || feof(file)
                   ? read_row(bench, line, where, rows)
                   : cli_fail(CLI_WRONG, "%s: a line longer than %zu bytes", where, sizeof line - 2);
        free(where);
    }
    if (code == CLI_DONE && ferror(file)) {
        code = cli_fail(CLI_WRONG, "%s: cannot be read", path);
    }
    (void)fclose(file);
    if (code == CLI_DONE && rows->count == 0) {
        code = bench->options.filter
                   ? cli_fail(CLI_WRONG, "--filter: found '%s', expected one that finds a row of %s",
                              bench->options.filter, path)
                   : cli_fail(CLI_WRONG, "%s: holds no row", path);
    }
    return code;
}

int bench_rows_read(const struct bench *bench, struct bench_rows *rows) {
    const char *given = bench->options.rows;
    char *path = given ? cli_text("%s", given) : bench_shipped_list("seeds.list");
    *rows = (struct bench_rows){0};
    int code = read_rows(bench, path, rows);
    if (code != CLI_DONE) {
        bench_rows_free(rows);
    }
    free(path);
    return code;
}

void bench_rows_free(struct bench_rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        clear_row(&rows->row[i]);
    }
    free(rows->row);
    *rows = (struct bench_rows){0};
}
