/* SPDX-License-Identifier: MIT */
/* `stoa-bench scale`: training steps and the largest layer of each group at 1 to N threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/columns.h"
#include "bench/layer.h"
#include "bench/progress.h"
#include "bench/recipes.h"

/* One to eight one by one, then doubling, and the number asked for. */
enum { MOST_COUNTS = 14 };

struct scale {
    struct bench *bench;
    size_t threads[MOST_COUNTS], counts;
    stoa_context *context[MOST_COUNTS];
    struct cli_table table;
    char columns[MOST_COUNTS + 3];
    size_t begun; /* passes */
};

static void choose_counts(struct scale *scale) {
    size_t most = scale->bench->threads;
    for (size_t n = 1; n < most; n = n < 8 ? n + 1 : 2 * n) {
        scale->threads[scale->counts++] = n;
    }
    scale->threads[scale->counts++] = most;
}

static int open_contexts(struct scale *scale) {
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < scale->counts; i++) {
        code = bench_context_create(scale->bench, scale->threads[i], &scale->context[i]);
    }
    return code;
}

static void close_contexts(struct scale *scale) {
    for (size_t i = 0; i < scale->counts; i++) {
        stoa_context_free(scale->context[i]);
    }
}

static void begin_table(struct scale *scale) {
    scale->table.columns = scale->columns;
    (void)snprintf(scale->columns, sizeof scale->columns, "l");
    cli_table_cell(&scale->table, "speed-up, efficiency");
    for (size_t i = 0; i < scale->counts; i++) {
        (void)strcat(scale->columns, "r");
        cli_table_cell(&scale->table, i == 0 ? "1 thread, ms" : "%zu threads", scale->threads[i]);
    }
}

/* Records and the row of one thing at all counts; `rate` is what it does a run, per second named by
 * `unit`. */
static void report(struct scale *scale, const char *name, const char *unit, double rate,
                   const struct bench_times *times) {
    double alone = times[0].summary.median;
    bool disturbed = false;
    for (size_t i = 0; i < scale->counts; i++) {
        disturbed = disturbed || bench_is_disturbed(&times[i]);
    }
    cli_table_cell(&scale->table, "%s%s", name + strlen("scale/"), disturbed ? " " BENCH_MARK : "");
    for (size_t i = 0; i < scale->counts; i++) {
        double median = times[i].summary.median, speedup = alone / median;
        double efficiency = speedup / (double)scale->threads[i];
        char *full = cli_text("%s/threads:%zu", name, scale->threads[i]);
        struct bench_record record = {.name = full, .threads = scale->threads[i], .times = &times[i]};
        bench_note(&record, "what", name + strlen("scale/"));
        bench_counter(&record, unit, rate / median);
        bench_counter(&record, "speedup", speedup);
        bench_counter(&record, "efficiency", efficiency);
        bench_report(scale->bench, &record);
        free(full);
        if (i == 0) {
            cli_table_cell(&scale->table, "%.3f", 1e3 * median);
        } else {
            cli_table_cell(&scale->table, "%.2f %4.0f %%", speedup, 100 * efficiency);
        }
    }
}

static void time_counts(struct scale *scale, const struct bench_case *cases, const char *name,
                        const char *unit, double rate) {
    struct bench_times times[MOST_COUNTS];
    bench_time(scale->bench, cases, scale->counts, times);
    report(scale, name, unit, rate, times);
    for (size_t i = 0; i < scale->counts; i++) {
        bench_times_free(&times[i]);
    }
}

static int scale_recipe(struct scale *scale, const char *path, const char *name) {
    struct bench_training training[MOST_COUNTS];
    struct bench_case cases[MOST_COUNTS];
    size_t open = 0;
    int code = CLI_DONE;
    while (code == CLI_DONE && open < scale->counts) {
        code = bench_training_open(scale->context[open], path, scale->bench->options.batch, false,
                                   &training[open]);
        cases[open] = (struct bench_case){bench_training_step, &training[open]};
        open++;
    }
    if (code == CLI_DONE) {
        time_counts(scale, cases, name, "items_per_second", (double)training[0].batch);
    }
    for (size_t i = 0; i < open; i++) {
        if (code == CLI_DONE && training[i].status != STOA_OK) {
            code = cli_fail_library(scale->context[i], training[i].status);
        }
        bench_training_close(&training[i]);
    }
    return code;
}

/* A pass of a layer at some number of threads. */
struct pass {
    struct bench_work work;
    enum stoa_conv_pass pass;
};

static void run_pass(void *argument) {
    const struct pass *pass = argument;
    bench_work_run(&pass->work, pass->pass);
}

/* What one thread computes, all others compute to the bit; `layers` holds it against the double reference. */
static bool same_results(const struct scale *scale, const struct pass *passes, const char *name) {
    enum stoa_conv_pass pass = passes[0].pass;
    for (size_t i = 0; i < scale->counts; i++) {
        bench_work_run(&passes[i].work, pass);
        if (memcmp(passes[i].work.out[pass], passes[0].work.out[pass],
                   passes[0].work.out_count[pass] * sizeof(float)) != 0) {
            (void)cli_fail(CLI_FAILED, "%s: %zu threads and one thread give different results", name,
                           scale->threads[i]);
            return false;
        }
    }
    return true;
}

static bool is_pass_wanted(const struct bench *bench, const struct bench_layer *layer, int pass,
                           char **name) {
    *name = cli_text("scale/layer/%s/%s", layer->name, bench_pass_names[pass]);
    return bench_wanted(bench, *name) && !(layer->first && pass == STOA_CONV_BACKWARD_DATA);
}

static int scale_pass(struct scale *scale, struct pass *passes, int pass, const char *name) {
    bench_progress_step(scale->begun++, 1, "%s", name + strlen("scale/"));
    struct bench_case cases[MOST_COUNTS];
    for (size_t i = 0; i < scale->counts; i++) {
        passes[i].pass = (enum stoa_conv_pass)pass;
        cases[i] = (struct bench_case){run_pass, &passes[i]};
    }
    if (!same_results(scale, passes, name)) {
        return CLI_FAILED;
    }
    time_counts(scale, cases, name, "flops_per_second", bench_layer_flops(&passes[0].work.layer->conv));
    return CLI_DONE;
}

static int scale_layer(struct scale *scale, const struct bench_layer *layer) {
    struct pass passes[MOST_COUNTS];
    size_t made = 0;
    int code = CLI_DONE;
    while (code == CLI_DONE && made < scale->counts) {
        code = bench_work_make(scale->context[made], layer, &passes[made].work) ? CLI_DONE : CLI_FAILED;
        made++;
    }
    for (int pass = 0; code == CLI_DONE && pass < BENCH_PASSES; pass++) {
        char *name;
        if (is_pass_wanted(scale->bench, layer, pass, &name)) {
            code = scale_pass(scale, passes, pass, name);
        }
        free(name);
    }
    for (size_t i = 0; i < made; i++) {
        bench_work_free(&passes[i].work);
    }
    return code;
}

/* Length of a name's group: all but its last word. */
static size_t group_length(const char *name) {
    const char *space = strrchr(name, ' ');
    return space ? (size_t)(space - name) : strlen(name);
}

/* The first of those of its group that no other of it exceeds in work. */
static bool is_largest(const struct bench_layers *layers, size_t which) {
    const struct bench_layer *layer = &layers->layer[which];
    double flops = bench_layer_flops(&layer->conv);
    size_t length = group_length(layer->name);
    for (size_t i = 0; i < layers->count; i++) {
        const struct bench_layer *other = &layers->layer[i];
        double others = bench_layer_flops(&other->conv);
        bool same = group_length(other->name) == length && strncmp(other->name, layer->name, length) == 0;
        if (same && (others > flops || (i < which && others >= flops))) {
            return false;
        }
    }
    return true;
}

/* Passes of a layer that are to be measured; they are printed instead where --list asks for that. */
static size_t count_passes(const struct bench *bench, const struct bench_layers *layers, size_t which,
                           bool tells) {
    size_t wanted = 0;
    for (int pass = 0; pass < BENCH_PASSES && is_largest(layers, which); pass++) {
        char *name;
        bool is_wanted = is_pass_wanted(bench, &layers->layer[which], pass, &name);
        if (is_wanted && tells) {
            (void)puts(name);
        }
        wanted += is_wanted;
        free(name);
    }
    return wanted;
}

static int scale_layers(struct scale *scale) {
    struct bench_layers layers;
    bool lists = scale->bench->options.list;
    int code = bench_layers_read(scale->bench, &layers);
    if (code != CLI_DONE) {
        return code;
    }
    size_t passes = 0;
    for (size_t i = 0; i < layers.count; i++) {
        passes += count_passes(scale->bench, &layers, i, lists);
    }
    bench_progress_begin("scale, layers", passes);
    for (size_t i = 0; !lists && code == CLI_DONE && i < layers.count; i++) {
        bool wanted = count_passes(scale->bench, &layers, i, false) > 0;
        code = wanted ? scale_layer(scale, &layers.layer[i]) : CLI_DONE;
    }
    bench_layers_free(&layers);
    return code;
}

static int scale_recipes(struct scale *scale) {
    static const char *const defaults[] = {"mnist-cnn", "lenet5", "mlp", NULL};
    struct bench_recipes recipes;
    int code = bench_recipes_open(scale->bench, defaults, &recipes);
    bench_progress_begin("scale, training", recipes.count);
    for (size_t i = 0; code == CLI_DONE && i < recipes.count; i++) {
        char *name = cli_text("scale/train/%s", recipes.name[i]);
        if (bench_wanted(scale->bench, name) && scale->bench->options.list) {
            (void)puts(name);
        } else if (bench_wanted(scale->bench, name)) {
            bench_progress_step(i, 1, "%s", recipes.name[i]);
            code = scale_recipe(scale, recipes.path[i], name);
        }
        free(name);
    }
    bench_recipes_close(&recipes);
    return code;
}

static int run(struct bench *bench) {
    struct scale scale = {.bench = bench};
    choose_counts(&scale);
    int code = open_contexts(&scale);
    if (code == CLI_DONE && !bench->options.list) {
        begin_table(&scale);
    }
    if (code == CLI_DONE) {
        code = scale_recipes(&scale);
    }
    if (code == CLI_DONE) {
        code = scale_layers(&scale);
    }
    bench_progress_end();
    if (scale.table.columns) {
        cli_table_print(&scale.table);
        bench_print_mark();
    }
    close_contexts(&scale);
    return code;
}

static const char *const options[] = {"batch", "filter",  "json",   "layers", "min-time", "repetitions",
                                      "list",  "threads", "policy", "isa",    "markdown", NULL};

const struct bench_mode bench_mode_scale = {
    .name = "scale",
    .summary = "training steps and the largest layer of each group at 1 to N threads",
    .usage = "scale [options]",
    .options = options,
    .holds_isa = true,
    .measures = true,
    .run = run,
};
