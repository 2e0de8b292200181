/* SPDX-License-Identifier: MIT */
/* Sizes of blocks: each is tried twice and half as large on rows whose plans change by it, beside the size
 * that it has. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/fit.h"
#include "bench/progress.h"
#include "cli/signals.h"

/* The most rows that a size is tried on, and the times that it may grow or shrink. */
enum { MOST_ROWS = 6, MOST_MOVES = 3 };
/* What a size has to bring in the mean, and again when it is looked at again; and may cost a single row. */
static const double WORTH = 0.01, AGAIN = 0.005, WORST = -0.08;

/* A row's pass with one of the two tables. */
struct side {
    struct bench_work work;
    enum stoa_conv_pass pass;
    const struct stoa_tuning *table;
};

static void run_side(void *argument) {
    const struct side *side = argument;
    side->work.context->tuning = side->table;
    bench_work_run(&side->work, side->pass);
}

static bool is_product(const struct stoa_tuning_key *key) {
    return strncmp(key->name, "product_", 8) == 0;
}

/* Whether a row's plan is another with this table. How a product is cut is no part of a plan: its sizes count
 * for linear layers, which are products alone, and for what goes through large products. */
static bool changes(const struct bench_fit *fit, const struct bench_layer *layer, enum stoa_conv_pass pass,
                    const struct stoa_tuning_key *key, const struct stoa_tuning *table) {
    stoa_context *context = fit->bench->context;
    struct stoa_conv_plan plans[2];
    if (layer->linear) {
        return is_product(key);
    }
    bool there = stoa_conv_plan(context, &layer->conv, pass, layer->name, &plans[0]);
    STOA_TUNING_TURN(context, table);
    there = there && stoa_conv_plan(context, &layer->conv, pass, layer->name, &plans[1]);
    bool products =
        there && (plans[0].algorithm == &stoa_conv_im2col || plans[0].algorithm == &stoa_conv_pointwise);
    return there && ((products && is_product(key)) || plans[0].algorithm != plans[1].algorithm ||
                     plans[0].bytes != plans[1].bytes ||
                     memcmp(&plans[0].cut, &plans[1].cut, sizeof plans[0].cut) != 0);
}

/* The logarithm of how much faster a row is with `table`; false when there is no memory. */
static bool compare_row(const struct bench_fit *fit, const struct bench_layer *layer,
                        enum stoa_conv_pass pass, const struct stoa_tuning *table, double *gain) {
    stoa_context *context = fit->bench->context;
    struct side sides[2] = {{.pass = pass, .table = context->tuning}, {.pass = pass, .table = table}};
    struct bench_case cases[2] = {{run_side, &sides[0]}, {run_side, &sides[1]}};
    struct bench_times times[2];
    bool going = bench_work_make(context, layer, &sides[0].work);
    if (going) {
        struct stoa_conv_plan plan = sides[0].work.plan[pass];
        STOA_TUNING_TURN(context, table);
        /* A linear layer has no plan and no workspace that could differ. */
        sides[1].work = sides[0].work;
        going = layer->linear || (stoa_conv_plan(context, &layer->conv, pass, layer->name, &plan) &&
                                  bench_work_make_other(&sides[0].work, &plan, &sides[1].work));
        if (going) {
            bench_time(fit->bench, cases, 2, times);
            *gain = log(times[0].summary.median / times[1].summary.median);
            bench_times_free(&times[0]);
            bench_times_free(&times[1]);
        }
        if (going && !layer->linear) {
            bench_work_free_other(&sides[1].work, pass);
        }
    }
    bench_work_free(&sides[0].work);
    return going;
}

struct affected {
    size_t count, of; /* of all rows that change */
    size_t row[MOST_ROWS];
};

static const struct bench_layer *layer_of(const struct bench_fit *fit, size_t row) {
    return &fit->layers.layer[row / BENCH_PASSES];
}

/* Rows whose plans change, spread over the list. */
static struct affected find_affected(const struct bench_fit *fit, const struct stoa_tuning_key *key,
                                     const struct stoa_tuning *table) {
    struct affected found = {0};
    size_t all = fit->layers.count * BENCH_PASSES;
    size_t *rows = cli_allocate(all + 1, sizeof *rows);
    for (size_t i = 0; i < all; i++) {
        if (bench_layer_wanted(fit->bench, layer_of(fit, i), i % BENCH_PASSES) &&
            changes(fit, layer_of(fit, i), (enum stoa_conv_pass)(i % BENCH_PASSES), key, table)) {
            rows[found.of++] = i;
        }
    }
    found.count = found.of < MOST_ROWS ? found.of : MOST_ROWS;
    for (size_t i = 0; i < found.count; i++) {
        found.row[i] = rows[i * found.of / found.count];
    }
    free(rows);
    return found;
}

/* The mean gain of the rows, and the least. */
static bool compare_rows(const struct bench_fit *fit, const struct affected *rows,
                         const struct stoa_tuning *table, double *mean, double *least) {
    *mean = 0;
    *least = HUGE_VAL;
    for (size_t i = 0; i < rows->count && !cli_stop_signal(); i++) {
        double gain = 0;
        if (!compare_row(fit, layer_of(fit, rows->row[i]), (enum stoa_conv_pass)(rows->row[i] % BENCH_PASSES),
                         table, &gain)) {
            return false;
        }
        *mean += gain / (double)rows->count;
        *least = fmin(*least, gain);
    }
    return true;
}

/* Try another size; *better where it is taken. */
static bool try_size(struct bench_fit *fit, const struct stoa_tuning_key *key, double size, bool *better) {
    struct stoa_tuning moved = fit->table;
    *better = false;
    if (size < key->least || size > key->most) {
        return true;
    }
    stoa_tuning_put(&moved, key, size);
    const struct affected rows = find_affected(fit, key, &moved);
    double mean = 0, least = 0, again = 0;
    if (rows.count == 0) {
        return true;
    }
    if (!compare_rows(fit, &rows, &moved, &mean, &least) ||
        (mean > WORTH && least > WORST && !compare_rows(fit, &rows, &moved, &again, &least))) {
        return false;
    }
    *better = mean > WORTH && again > AGAIN && least > WORST && !cli_stop_signal();
    if (*better) {
        bench_progress_clear();
        (void)printf("%s: %.0f instead of %.0f, %.1f %% faster on %zu of %zu rows that change\n", key->name,
                     size, stoa_tuning_get(&fit->table, key), 100 * again, rows.count, rows.of);
        (void)fflush(stdout);
        fit->table = moved;
    }
    return true;
}

/* Sizes that are no cache's and no cost. */
static bool is_block(const struct stoa_tuning_key *key) {
    return !key->real && strncmp(key->name, "cost_", 5) != 0 && !(key->name[0] == 'l' && key->name[2] == '_');
}

int bench_fit_blocks(struct bench_fit *fit) {
    size_t count = stoa_tuning_key_count();
    for (size_t i = 0; i < count; i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        bool better = false;
        for (int way = 0; is_block(key) && way < 2 && !better; way++) {
            bool going = true;
            for (int move = 0; move < MOST_MOVES && (move == 0 || better) && !cli_stop_signal(); move++) {
                double size = stoa_tuning_get(&fit->table, key);
                bench_progress_show((double)i / (double)count, "%s", key->name);
                bool more = false;
                going = try_size(fit, key, way == 0 ? 2 * size : floor(size / 2), &more);
                if (!going) {
                    return CLI_FAILED;
                }
                if (!more) {
                    break;
                }
                better = true;
            }
        }
    }
    return CLI_DONE;
}
