/* SPDX-License-Identifier: MIT */
/* Fused passes: tiny networks whose layers a plan makes into one step, beside the same plan with a step a
 * layer. In inference weights are not prepared, so that a batch norm stays a pass of its own there. */
#include "bench/ops_fused.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/recipe.h>

#include "bench/layer.h"
#include "bench/progress.h"

enum { BATCH = 32, SEPARATE = 0, FUSED, WAYS };

static const struct {
    const char *name, *input, *layers;
    int outputs;
} networks[] = {
    {"conv2d + bias + relu", "28x28x16", "c = conv2d filters=32 kernel=3 pad=1\nr = relu\n", 25088},
    {"conv2d + batchnorm + relu", "28x28x16",
     "c = conv2d filters=32 kernel=3 pad=1 bias=false\nb = batchnorm\nr = relu\n", 25088},
    {"batchnorm + relu", "28x28x32", "b = batchnorm\nr = relu\n", 25088},
    {"batchnorm + relu + maxpool2d", "28x28x32", "b = batchnorm\nr = relu\np = maxpool2d size=2\n", 6272},
    {"linear + bias + relu", "1x1x512", "l = linear units=256\nr = relu\n", 256},
};
enum { NETWORKS = sizeof networks / sizeof networks[0], PASSES = 2 };
static const char *const pass_names[PASSES] = {"infer", "train"};

/* A network planned one way. */
struct planned {
    stoa_model *model;
    stoa_plan *plan;
    bool trains;
    float *input, *targets; /* borrowed */
    size_t input_bytes;
    const float *output;
    double loss;
    stoa_status status;
};

static void run_planned(void *argument) {
    struct planned *p = argument;
    memcpy(stoa_plan_input(p->plan), p->input, p->input_bytes);
    stoa_status status = p->trains ? stoa_plan_train(p->plan, BATCH, (stoa_targets){NULL, p->targets}, 1, 1,
                                                     &p->loss, &p->output)
                                   : stoa_plan_infer(p->plan, BATCH, &p->output);
    p->status = p->status == STOA_OK ? status : p->status;
}

static stoa_status open_planned(stoa_context *context, size_t network, bool trains, bool fused,
                                struct planned *p) {
    char *text = cli_text("[model]\ninput = %s\n%s[data]\nset = none\nclasses = %d\n[train]\nloss = mse\n",
                          networks[network].input, networks[network].layers, networks[network].outputs);
    stoa_recipe *recipe = NULL;
    *p = (struct planned){.trains = trains};
    stoa_status status =
        stoa_recipe_load_memory(context, networks[network].name, text, strlen(text), &recipe);
    if (status == STOA_OK) {
        status = stoa_recipe_model(context, recipe, &p->model);
    }
    if (status == STOA_OK) {
        status = stoa_model_init(p->model, 1);
    }
    const stoa_plan_options options = {
        .batch = BATCH, .training = trains, .loss = trains ? "mse" : NULL, .layerwise = !fused};
    if (status == STOA_OK) {
        status = stoa_plan_create(context, p->model, &options, &p->plan);
    }
    if (status == STOA_OK) {
        status = stoa_plan_bind(p->plan, NULL);
    }
    stoa_recipe_free(recipe);
    free(text);
    return status;
}

static void close_planned(struct planned *p) {
    stoa_plan_free(p->plan);
    stoa_model_free(p->model);
}

static char *name_of(size_t network, size_t pass) {
    return cli_text("ops/%s/%s", networks[network].name, pass_names[pass]);
}

/* The largest difference of the two outputs, and of the losses, as a share of the largest number. */
static double difference_of(const struct bench *bench, struct planned *way) {
    size_t count = BATCH * stoa_model_output_size(way[FUSED].model);
    float *separate = cli_allocate(count, sizeof *separate), largest = 0, difference = 0;
    run_planned(&way[SEPARATE]);
    memcpy(separate, way[SEPARATE].output, count * sizeof *separate);
    run_planned(&way[FUSED]);
    for (size_t i = 0; i < count; i++) {
        float fused = way[FUSED].output[i] + (i == 0 ? (float)bench->options.self_test : 0);
        float off = fabsf(fused - separate[i]);
        largest = fmaxf(largest, fabsf(separate[i]));
        difference = off <= difference ? difference : off; /* keeps NaN */
    }
    free(separate);
    double off_loss = fabs(way[FUSED].loss - way[SEPARATE].loss) / fmax(fabs(way[SEPARATE].loss), 1e-30);
    return fmax((double)(difference / largest), way[FUSED].trains ? off_loss : 0);
}

static double ratio_of(const struct bench_times *times) {
    double *ratio = cli_allocate(times[FUSED].repetitions, sizeof *ratio);
    for (size_t r = 0; r < times[FUSED].repetitions; r++) {
        ratio[r] = times[SEPARATE].real[r] / times[FUSED].real[r];
    }
    double median = bench_summarise(ratio, times[FUSED].repetitions).median;
    free(ratio);
    return median;
}

static void tell(struct bench *bench, const char *name, const struct bench_times *times,
                 struct cli_table *table, size_t network, size_t pass) {
    static const char *const ways[WAYS] = {"separate", "fused"};
    double ratio = ratio_of(times);
    for (int i = 0; i < WAYS; i++) {
        char *full = cli_text("%s/%s", name, ways[i]);
        struct bench_record record = {.name = full, .threads = bench->threads, .times = &times[i]};
        bench_note(&record, "operators", networks[network].name);
        bench_note(&record, "way", ways[i]);
        bench_counter(&record, "batch", BATCH);
        if (i == FUSED) {
            bench_counter(&record, "times_as_fast_as_separate", ratio);
        }
        bench_report(bench, &record);
        free(full);
    }
    bool disturbed = bench_is_disturbed(&times[SEPARATE]) || bench_is_disturbed(&times[FUSED]);
    cli_table_cell(table, "%s", networks[network].name);
    cli_table_cell(table, "%s", pass_names[pass]);
    cli_table_cell(table, "%.4f", 1e3 * times[SEPARATE].summary.median);
    cli_table_cell(table, "%.4f", 1e3 * times[FUSED].summary.median);
    cli_table_cell(table, "%.2f%s", ratio, disturbed ? BENCH_MARK : "");
}

/* Both ways of a network and pass, on the same drawn numbers. */
static int measure(struct bench *bench, size_t network, size_t pass, struct cli_table *table) {
    static const double BOUND = 1e-5;
    struct planned way[WAYS];
    stoa_status status = STOA_OK;
    for (int i = 0; i < WAYS; i++) {
        stoa_status opened = open_planned(bench->context, network, pass == 1, i == FUSED, &way[i]);
        status = status == STOA_OK ? opened : status;
    }
    int code = status == STOA_OK ? CLI_DONE : cli_fail_library(bench->context, status);
    size_t inputs = code == CLI_DONE ? BATCH * stoa_model_input_size(way[0].model) : 0;
    size_t outputs = code == CLI_DONE ? BATCH * stoa_model_output_size(way[0].model) : 0;
    float *input = cli_allocate(inputs, sizeof *input), *targets = cli_allocate(outputs, sizeof *targets);
    bench_draw(input, inputs, 1);
    bench_draw(targets, outputs, 2);
    for (int i = 0; i < WAYS; i++) {
        way[i].input = input;
        way[i].targets = targets;
        way[i].input_bytes = inputs * sizeof *input;
    }
    char *name = name_of(network, pass);
    double off = code == CLI_DONE ? difference_of(bench, way) : 0;
    if (!(off <= BOUND)) {
        code = cli_fail(CLI_FAILED, "ops: %s: fused and separate differ by %.1e, allowed %.0e", name, off,
                        BOUND);
    }
    if (code == CLI_DONE) {
        struct bench_case cases[WAYS];
        struct bench_times times[WAYS];
        for (int i = 0; i < WAYS; i++) {
            cases[i] = (struct bench_case){run_planned, &way[i]};
        }
        bench_time(bench, cases, WAYS, times);
        tell(bench, name, times, table, network, pass);
        for (int i = 0; i < WAYS; i++) {
            bench_times_free(&times[i]);
        }
    }
    free(name);
    free(input);
    free(targets);
    for (int i = 0; i < WAYS; i++) {
        close_planned(&way[i]);
    }
    return code;
}

size_t bench_ops_fused_count(const struct bench *bench) {
    size_t count = 0;
    for (size_t i = 0; i < (size_t)NETWORKS * PASSES; i++) {
        char *name = name_of(i / PASSES, i % PASSES);
        bool wanted = bench_wanted(bench, name);
        if (wanted && bench->options.list) {
            (void)puts(name);
        }
        count += wanted;
        free(name);
    }
    return count;
}

int bench_ops_fused(struct bench *bench, size_t begun) {
    static const char *const heading[] = {"operators, batch 32", "pass", "separate ms", "fused ms", "x"};
    struct cli_table table = {.columns = "llrrr"};
    int code = CLI_DONE;
    size_t rows = 0;
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < (size_t)NETWORKS * PASSES; i++) {
        char *name = name_of(i / PASSES, i % PASSES);
        if (bench_wanted(bench, name)) {
            bench_progress_step(begun + rows++, 1, "%s, %s", networks[i / PASSES].name,
                                pass_names[i % PASSES]);
            int one = measure(bench, i / PASSES, i % PASSES, &table);
            code = code == CLI_DONE ? one : code;
        }
        free(name);
    }
    bench_progress_clear();
    if (rows > 0) {
        (void)puts("\nOne pass over memory instead of several, as plans fuse layers; train: forward and "
                   "backward.\n");
        cli_table_print(&table);
    } else {
        cli_table_free(&table);
    }
    return code;
}
