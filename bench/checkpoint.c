/* SPDX-License-Identifier: MIT */
/* `stoa-bench checkpoint`: what it costs to save the state of a training, beside the steps of an epoch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/columns.h"
#include "bench/progress.h"
#include "bench/recipes.h"
#include "cli/find.h"

/* Images of an epoch that the cost is held against: MNIST's training set. */
enum { EPOCH_IMAGES = 60000 };

enum { STEP, MEMORY, SAVE, CASES };

struct saving {
    struct bench_training training;
    char *path;
    size_t bytes;       /* of the state */
    stoa_status status; /* of the first save that failed */
};

static void save_to_memory(void *argument) {
    struct saving *saving = argument;
    void *data = NULL;
    stoa_status status = stoa_trainer_save_memory(saving->training.trainer, &data, &saving->bytes);
    stoa_buffer_free(saving->training.context, data, saving->bytes);
    saving->status = saving->status == STOA_OK ? status : saving->status;
}

static void save_to_file(void *argument) {
    struct saving *saving = argument;
    stoa_status status = stoa_trainer_save(saving->training.trainer, saving->path);
    saving->status = saving->status == STOA_OK ? status : saving->status;
}

static void report(struct bench *bench, const char *name, const struct saving *saving,
                   const struct bench_times *times, struct cli_table *table) {
    static const char *const words[CASES] = {"step", "memory", "file"};
    struct report_words size = {""};
    double step = times[STEP].summary.median, save = times[SAVE].summary.median;
    double steps = (double)EPOCH_IMAGES / (double)saving->training.batch;
    for (int i = 0; i < CASES; i++) {
        char *full = cli_text("%s/%s", name, words[i]);
        struct bench_record record = {.name = full, .threads = bench->threads, .times = &times[i]};
        if (i != STEP) {
            bench_counter(&record, "bytes", (double)saving->bytes);
            bench_counter(&record, "share_of_epoch", times[i].summary.median / (steps * step));
        }
        bench_report(bench, &record);
        free(full);
    }
    bool disturbed = bench_is_disturbed(&times[STEP]) || bench_is_disturbed(&times[SAVE]);
    cli_table_cell(table, "%s%s", name + strlen("checkpoint/"), disturbed ? " " BENCH_MARK : "");
    cli_table_cell(table, "%.3f", 1e3 * step);
    cli_table_cell(table, "%.2f", steps * step);
    cli_table_cell(table, "%s", report_bytes_words(&size, saving->bytes));
    cli_table_cell(table, "%.2f", 1e3 * times[MEMORY].summary.median);
    cli_table_cell(table, "%.2f", 1e3 * save);
    cli_table_cell(table, "%.2f %%", 100 * save / (steps * step));
}

/* Optimisers fill their arrays with the first step; so does a state that is saved. */
static int measure(struct bench *bench, const char *path, const char *name, struct cli_table *table) {
    struct saving saving = {.status = STOA_OK};
    struct bench_times times[CASES];
    int code = bench_training_open(bench->context, path, bench->options.batch, false, &saving.training);
    saving.path = cli_text("%s/.stoa-bench-%ld.safetensors", bench->options.out ? bench->options.out : ".",
                           (long)getpid());
    if (code == CLI_DONE) {
        const struct bench_case cases[CASES] = {
            {bench_training_step, &saving.training}, {save_to_memory, &saving}, {save_to_file, &saving}};
        bench_training_step(&saving.training);
        save_to_file(&saving);
        if (saving.status == STOA_OK) {
            bench_time(bench, cases, CASES, times);
            report(bench, name, &saving, times, table);
            for (int i = 0; i < CASES; i++) {
                bench_times_free(&times[i]);
            }
        }
        stoa_status status = saving.status != STOA_OK ? saving.status : saving.training.status;
        code = status == STOA_OK ? CLI_DONE : cli_fail_library(bench->context, status);
        (void)unlink(saving.path);
    }
    bench_training_close(&saving.training);
    free(saving.path);
    return code;
}

static int check(const struct bench_options *options) {
    return !options->out || cli_is_folder(options->out)
               ? CLI_DONE
               : cli_fail(CLI_WRONG, "--out: found '%s', expected a folder", options->out);
}

static int run(struct bench *bench) {
    static const char *const defaults[] = {"mnist-cnn", "lenet5", "vgg-mnist", NULL};
    static const char *const heading[] = {"recipe",    "step ms", "epoch s",       "state",
                                          "memory ms", "file ms", "share of epoch"};
    struct bench_recipes recipes;
    int code = bench_recipes_open(bench, defaults, &recipes);
    struct cli_table table = {.columns = "lrrrrrr"};
    for (size_t i = 0; !bench->options.list && i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    bench_progress_begin("checkpoint", recipes.count);
    for (size_t i = 0; code == CLI_DONE && i < recipes.count; i++) {
        char *name = cli_text("checkpoint/%s", recipes.name[i]);
        if (bench_wanted(bench, name) && bench->options.list) {
            (void)puts(name);
        } else if (bench_wanted(bench, name)) {
            bench_progress_step(i, 1, "%s", recipes.name[i]);
            code = measure(bench, recipes.path[i], name, &table);
        }
        free(name);
    }
    bench_progress_end();
    if (!bench->options.list) {
        cli_table_print(&table);
        bench_print_text("epoch: %d images; file: written, synced and renamed in %s", EPOCH_IMAGES,
                         bench->options.out ? bench->options.out : "this folder");
        bench_print_mark();
    }
    bench_recipes_close(&recipes);
    return code;
}

static const char *const options[] = {"batch",   "filter", "json", "min-time", "repetitions", "list",
                                      "threads", "policy", "out",  "markdown", NULL};

const struct bench_mode bench_mode_checkpoint = {
    .name = "checkpoint",
    .summary = "what it costs to save a training's state, beside the steps of an epoch",
    .usage = "checkpoint [RECIPE]... [options]",
    .options = options,
    .most_operands = 64,
    .measures = true,
    .check = check,
    .run = run,
};
