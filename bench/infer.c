/* SPDX-License-Identifier: MIT */
/* `stoa-bench infer`: inference of whole recipes on synthetic images: one, a batch, many. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/progress.h"
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
static int run_recipe(struct bench *bench, const struct bench_recipes *recipes, size_t which,
                      struct cli_table *table) {
    static const size_t usual[] = {1, 64, 1000};
    const char *path = recipes->path[which], *recipe = recipes->name[which];
    size_t given = bench->options.batch;
    size_t count = given ? 1 : sizeof usual / sizeof *usual;
    int code = CLI_DONE;
    if (which == 0) {
        bench_progress_begin("infer", count * recipes->count);
    }
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        size_t batch = given ? given : usual[i];
        char *name = cli_text("infer/%s/batch:%zu", recipe, batch);
        if (bench_wanted(bench, name) && bench->options.list) {
            (void)puts(name);
        } else if (bench_wanted(bench, name)) {
            bench_progress_step(which * count + i, BENCH_RUN_TIMINGS, "%s, batch %zu", recipe, batch);
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
        bench_runs_begin(bench, &table);
    }
    for (size_t i = 0; code == CLI_DONE && i < recipes.count; i++) {
        code = run_recipe(bench, &recipes, i, &table);
    }
    bench_progress_end();
    bench_runs_end(&table);
    bench_recipes_close(&recipes);
    return code;
}

static const char *const options[] = {"batch", "filter",   "json",   "min-time", "repetitions",
                                      "list",  "threads",  "policy", "isa",      "trace",
                                      "wide",  "markdown", NULL};

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
