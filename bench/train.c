/* SPDX-License-Identifier: MIT */
/* `stoa-bench train`: training steps of whole recipes on synthetic images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/progress.h"
#include "bench/runs.h"
#include "bench/train_peer.h"

/* Arrays as large as the weights that every update reads and writes. */
static size_t count_slots(const struct stoa_train_settings *settings) {
    return settings->optimizer_slots + (settings->options.average > 0);
}

static int measure(struct bench *bench, const char *path, const char *recipe, const char *name,
                   struct cli_table *table) {
    struct bench_training training;
    struct bench_traffic traffic = {0};
    int code = bench_training_open(bench->context, path, bench->options.batch, false, &training);
    bool single = code == CLI_DONE && training.batch == 1;
    if (single &&
        !bench_traffic_open(bench, training.model, count_slots(&training.trainer->settings), &traffic)) {
        code = CLI_FAILED;
    }
    if (code == CLI_DONE) {
        struct bench_run run = {
            .bench = bench,
            .name = name,
            .recipe = recipe,
            .batch = training.batch,
            .model = training.model,
            .plan = stoa_trainer_plan(training.trainer),
            .status = &training.status,
            .traffic = single ? &traffic : NULL,
            .watched = {{bench_training_step, &training}, &training.watch},
        };
        code = bench_runs_measure(&run, table);
    }
    if (single) {
        bench_traffic_close(&traffic);
    }
    bench_training_close(&training);
    return code;
}

/* Every recipe beside --peer, in a table of its own. */
static int compare(struct bench *bench, const struct bench_recipes *recipes) {
    int code = CLI_DONE;
    struct cli_table table = {0};
    bench_train_peer_begin(bench, &table);
    bench_progress_begin("train", recipes->count);
    for (size_t i = 0; code == CLI_DONE && i < recipes->count; i++) {
        char *name = cli_text("train/%s", recipes->name[i]);
        if (bench_wanted(bench, name)) {
            bench_progress_step(i, 1, "%s", recipes->name[i]);
            code = bench_train_peer(bench, recipes->path[i], recipes->name[i], &table);
        }
        free(name);
    }
    bench_progress_end();
    bench_runs_end(&table);
    return code;
}

static int measure_all(struct bench *bench, const struct bench_recipes *recipes) {
    int code = CLI_DONE;
    struct cli_table table = {0};
    if (!bench->options.list) {
        bench_runs_begin(bench, &table);
    }
    bench_progress_begin("train", recipes->count);
    for (size_t i = 0; code == CLI_DONE && i < recipes->count; i++) {
        char *name = cli_text("train/%s", recipes->name[i]);
        if (bench_wanted(bench, name) && bench->options.list) {
            (void)puts(name);
        } else if (bench_wanted(bench, name)) {
            bench_progress_step(i, BENCH_RUN_TIMINGS, "%s", recipes->name[i]);
            code = measure(bench, recipes->path[i], recipes->name[i], name, &table);
        }
        free(name);
    }
    bench_progress_end();
    bench_runs_end(&table);
    return code;
}

static int run(struct bench *bench) {
    static const char *const defaults[] = {"mnist-cnn", "lenet5", "mlp", NULL};
    struct bench_recipes recipes;
    int code = bench_recipes_open(bench, defaults, &recipes);
    if (code == CLI_DONE) {
        code = bench->options.serve                          ? bench_train_serve(bench, recipes.path[0])
               : bench->options.peer && !bench->options.list ? compare(bench, &recipes)
                                                             : measure_all(bench, &recipes);
    }
    bench_recipes_close(&recipes);
    return code;
}

static int check(const struct bench_options *chosen) {
    if (chosen->peer && strcmp(chosen->peer, "pytorch") != 0) {
        return cli_fail(CLI_WRONG, "--peer: found '%s', expected pytorch", chosen->peer);
    }
    if (chosen->peer && chosen->trace) {
        return cli_fail(CLI_WRONG, "--trace: found beside --peer, whose steps are in other processes");
    }
    if (chosen->serve && chosen->operand_count != 1) {
        return cli_fail(CLI_WRONG, "--serve: found %zu recipes, expected one", chosen->operand_count);
    }
    return CLI_DONE;
}

static const char *const options[] = {"batch",   "filter", "json",     "min-time", "repetitions", "list",
                                      "threads", "policy", "isa",      "trace",    "peer",        "python",
                                      "serve",   "wide",   "markdown", NULL};

const struct bench_mode bench_mode_train = {
    .name = "train",
    .summary = "training steps of whole recipes on synthetic images, and where their time goes",
    .usage = "train [RECIPE]... [options]",
    .options = options,
    .most_operands = 64,
    .holds_isa = true,
    .measures = true,
    .check = check,
    .run = run,
};
