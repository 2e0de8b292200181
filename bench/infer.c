/* SPDX-License-Identifier: MIT */
/* `stoa-bench infer`: inference of whole recipes on synthetic images: one, a batch, many. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/runs.h"

static int measure(struct bench *bench, const char *path, const char *recipe, size_t batch, const char *name,
                   struct cli_table *table) {
    struct bench_inference inference;
    int code = bench_inference_open(bench->context, path, batch, &inference);
    if (code == CLI_DONE) {
        struct bench_run run = {
            .bench = bench,
            .name = name,
            .recipe = recipe,
            .batch = batch,
            .model = inference.model,
            .plan = inference.plan,
            .status = &inference.status,
            .watched = {{bench_inference_step, &inference}, &inference.watch},
        };
        code = bench_runs_measure(&run, table);
    }
    bench_inference_close(&inference);
    return code;
}

/* A recipe at the batches that are wanted. */
static int run_recipe(struct bench *bench, const char *path, const char *recipe, struct cli_table *table) {
    static const size_t usual[] = {1, 64, 1000};
    size_t given = bench->options.batch;
    size_t count = given ? 1 : sizeof usual / sizeof *usual;
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        size_t batch = given ? given : usual[i];
        char *name = cli_text("infer/%s/batch:%zu", recipe, batch);
        if (bench_wanted(bench, name) && bench->options.list) {
            (void)puts(name);
        } else if (bench_wanted(bench, name)) {
            code = measure(bench, path, recipe, batch, name, table);
        }
        free(name);
    }
    return code;
}

static int run(struct bench *bench) {
    static const char *const defaults[] = {"mnist-cnn", "lenet5", "mlp", NULL};
    struct bench_recipes recipes;
    int code = bench_recipes_open(bench, defaults, &recipes);
    struct cli_table table = {0};
    if (!bench->options.list) {
        bench_runs_begin(&table);
    }
    for (size_t i = 0; code == CLI_DONE && i < recipes.count; i++) {
        code = run_recipe(bench, recipes.path[i], recipes.name[i], &table);
    }
    if (!bench->options.list) {
        cli_table_print(&table);
    }
    bench_recipes_close(&recipes);
    return code;
}

static const char *const options[] = {"batch",   "filter", "json", "min-time", "repetitions", "list",
                                      "threads", "policy", "isa",  "trace",    NULL};

const struct bench_mode bench_mode_infer = {
    .name = "infer",
    .summary = "inference of whole recipes on synthetic images, and where its time goes",
    .usage = "infer [RECIPE]... [options]",
    .options = options,
    .most_operands = 64,
    .holds_isa = true,
    .measures = true,
    .run = run,
};
