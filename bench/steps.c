/* SPDX-License-Identifier: MIT */
/* Mode layers with --steps: each pass as the best naive loops on one thread, as im2col and the BLAS alone
 * (policy blas), and as the engine does it; and what each step brings. The last two take turns. */
#include "bench/steps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoa/blas.h>

#include "bench/baseline.h"
#include "bench/means.h"
#include "bench/parts.h"
#include "cli/signals.h"
#include "core/context.h"

enum { NAIVE, BLAS, ENGINE, STEPS };
enum { BEST_NAIVE = BENCH_NAIVES - 1, MOST_GROUPS = 64 };

/* One pass of a layer. */
struct row {
    const struct bench_layer *layer;
    enum stoa_conv_pass pass;
    struct bench_work work[STEPS]; /* of the last two */
    struct bench_error error[STEPS];
    struct bench_times times[STEPS];
    bool in_blas; /* depthwise layers are no products, under no policy: they lack that step */
    double gflops[STEPS];
    double over_naive, over_blas; /* what the last two steps bring */
};

/* Geometric means over the rows of a group and a pass. */
struct group {
    char name[64];
    size_t pass;
    struct bench_mean rate[STEPS], over_naive, over_blas;
};

struct steps {
    struct bench *bench;
    stoa_context blas; /* the bench's own with the other policy: the same threads */
    char blas_name[32];
    struct group group[MOST_GROUPS];
    size_t groups, wrong;
};

struct run {
    const struct bench_work *work;
    enum stoa_conv_pass pass;
};

static void run_step(void *argument) {
    const struct run *run = argument;
    bench_work_run(run->work, run->pass);
}

static const char *algorithm_of(const struct bench_work *work, enum stoa_conv_pass pass) {
    return work->layer->linear ? "linear" : work->plan[pass].algorithm->name;
}

/* The same pass by the other policy, on the same numbers. */
static bool make_blas(struct steps *steps, struct row *row) {
    struct stoa_conv_plan plan = {.pass = row->pass};
    if (!row->layer->linear &&
        !stoa_conv_plan(&steps->blas, &row->layer->conv, row->pass, row->layer->name, &plan)) {
        return cli_fail_library(&steps->blas, STOA_ERR_MEMORY) == CLI_DONE;
    }
    bool made = bench_work_make_other(&row->work[ENGINE], &plan, &row->work[BLAS]);
    row->work[BLAS].context = &steps->blas;
    return made;
}

static void time_row(struct steps *steps, struct row *row) {
    struct run run[STEPS];
    struct bench_case cases[STEPS];
    for (size_t i = BLAS; i < STEPS; i++) {
        run[i] = (struct run){&row->work[i], row->pass};
        cases[i] = (struct bench_case){run_step, &run[i]};
    }
    bench_time(steps->bench, cases + BLAS, STEPS - BLAS, row->times + BLAS);
    double *over = cli_allocate(row->times[ENGINE].repetitions, sizeof *over);
    for (size_t i = 0; i < row->times[ENGINE].repetitions; i++) {
        over[i] = row->times[BLAS].real[i] / row->times[ENGINE].real[i];
    }
    row->over_blas = bench_summarise(over, row->times[ENGINE].repetitions).median;
    free(over);
    for (size_t i = BLAS; i < STEPS; i++) {
        row->gflops[i] = 1e-9 * bench_layer_flops(&row->layer->conv) / row->times[i].summary.median;
    }
    row->over_naive = row->gflops[BLAS] / row->gflops[NAIVE];
}

static void print_heading(void) {
    (void)printf("%-20s %-16s %8s %8s %6s %8s %6s %7s  %s\n", "layer", "pass", "naive", "BLAS", "x", "Stoa",
                 "x", "x naive", "algorithm");
}

static void print_row(const struct row *row) {
    (void)printf("%-20s %-16s ", row->layer->name, bench_pass_names[row->pass]);
    for (size_t i = BLAS; i < STEPS; i++) {
        if (!row->error[i].right) {
            (void)printf("WRONG: error %.1e of the largest sum(|x||w|), allowed %.0e%s\n",
                         row->error[i].largest, row->error[i].bound, i == BLAS ? ", by the BLAS" : "");
            return;
        }
    }
    (void)printf("%8.2f ", row->gflops[NAIVE]);
    if (row->in_blas) {
        (void)printf("%8.1f %6.1f %8.1f %6.2f", row->gflops[BLAS], row->over_naive, row->gflops[ENGINE],
                     row->over_blas);
    } else {
        (void)printf("%8s %6s %8.1f %6s", "-", "-", row->gflops[ENGINE], "-");
    }
    (void)printf(" %7.1f  %s\n", row->gflops[ENGINE] / row->gflops[NAIVE],
                 algorithm_of(&row->work[ENGINE], row->pass));
    (void)fflush(stdout);
}

/* The engine's row, with what it is worth; and one of the BLAS. */
static void report_step(const struct steps *steps, const struct row *row, size_t step) {
    char *name = cli_text("%s/%s/%s", step == BLAS ? steps->blas_name : "layers", row->layer->name,
                          bench_pass_names[row->pass]);
    char *shape = bench_layer_shape(&row->layer->conv);
    bool timed = row->times[step].real != NULL;
    struct bench_record record = {
        .name = name, .threads = steps->bench->threads, .times = timed ? &row->times[step] : NULL};
    bench_layer_note(&record, row->layer, (size_t)row->pass, shape, row->work[step].algorithm[row->pass],
                     &row->error[step]);
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    if (step == BLAS) {
        bench_note(&record, "engine", *blas.version ? blas.version : blas.name);
    } else if (timed) {
        double naive = row->gflops[ENGINE] / row->gflops[NAIVE];
        bench_counter(&record, bench_naive_of(steps->bench->context, BEST_NAIVE)->key, naive);
        if (row->in_blas) {
            bench_counter(&record, "blas_over_naive_best", row->over_naive);
            bench_counter(&record, "speedup_over_blas", row->over_blas);
        }
        bench_note(&record, "naive_isa", bench_naive_of(steps->bench->context, BEST_NAIVE)->isa);
    }
    bench_report(steps->bench, &record);
    free(shape);
    free(name);
}

static struct group *group_of(struct steps *steps, const char *name, size_t pass) {
    for (size_t i = 0; i < steps->groups; i++) {
        if (steps->group[i].pass == pass && strcmp(steps->group[i].name, name) == 0) {
            return &steps->group[i];
        }
    }
    if (steps->groups == MOST_GROUPS) {
        return NULL;
    }
    struct group *group = &steps->group[steps->groups++];
    *group = (struct group){.pass = pass};
    (void)snprintf(group->name, sizeof group->name, "%s", name);
    return group;
}

static void add_to_group(struct group *group, const struct row *row) {
    if (!group) {
        return;
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (i != BLAS || row->in_blas) {
            bench_mean_add(&group->rate[i], row->gflops[i], "%s", row->layer->name);
        }
    }
    if (row->in_blas) {
        bench_mean_add(&group->over_naive, row->over_naive, "%s", row->layer->name);
        bench_mean_add(&group->over_blas, row->over_blas, "%s", row->layer->name);
    }
}

static void count_row(struct steps *steps, const struct row *row) {
    const char *last = strrchr(row->layer->name, ' ');
    size_t length = last ? (size_t)(last - row->layer->name) : strlen(row->layer->name);
    char *name = cli_text("%.*s", (int)length, row->layer->name);
    add_to_group(group_of(steps, name, (size_t)row->pass), row);
    free(name);
}

/* One pass of a layer. False when the run cannot go on. */
static bool measure_pass(struct steps *steps, const struct bench_work *work, enum stoa_conv_pass pass) {
    struct row row = {.layer = work->layer, .pass = pass, .work = {[ENGINE] = *work}};
    if (!make_blas(steps, &row)) {
        return false;
    }
    bool right = true, going = true;
    for (size_t i = BLAS; i < STEPS; i++) {
        row.error[i] = bench_work_verify(steps->bench, &row.work[i], pass);
        right = right && row.error[i].right;
    }
    if (right) {
        const struct bench_naive *naive = bench_naive_of(steps->bench->context, BEST_NAIVE);
        going = bench_baseline(work, pass, naive, &row.gflops[NAIVE]);
    }
    if (right && going) {
        struct run run = {&row.work[BLAS], pass};
        struct bench_parts parts = bench_parts_of(&steps->blas, &(struct bench_case){run_step, &run});
        row.in_blas = parts.blas_flops > 0;
        time_row(steps, &row);
        count_row(steps, &row);
    }
    if (going) {
        steps->wrong += !right;
        print_row(&row);
        report_step(steps, &row, ENGINE);
        if (row.in_blas || !row.error[BLAS].right) {
            report_step(steps, &row, BLAS);
        }
    }
    bench_times_free(&row.times[BLAS]);
    bench_times_free(&row.times[ENGINE]);
    bench_work_free_other(&row.work[BLAS], pass);
    return going;
}

static bool measure_layer(struct steps *steps, const struct bench_layer *layer) {
    bool wanted[BENCH_PASSES], any = false;
    for (size_t i = 0; i < BENCH_PASSES; i++) {
        wanted[i] = bench_layer_wanted(steps->bench, layer, i);
        any = any || wanted[i];
    }
    if (!any) {
        return true;
    }
    struct bench_work work;
    bool going = bench_work_make(steps->bench->context, layer, &work);
    for (size_t i = 0; going && i < BENCH_PASSES && !cli_stop_signal(); i++) {
        going = !wanted[i] || measure_pass(steps, &work, (enum stoa_conv_pass)i);
    }
    bench_work_free(&work);
    return going;
}

static json_t *json_of_group(const struct group *group) {
    static const char *const names[STEPS] = {"naive", "blas", "engine"};
    json_t *json = cli_json_object();
    cli_json_set(json, "group", cli_json_text(group->name));
    cli_json_set(json, "pass", cli_json_text(bench_pass_names[group->pass]));
    for (size_t i = 0; i < STEPS; i++) {
        char *key = cli_text("%s_flops_per_second", names[i]);
        if (group->rate[i].rows > 0) {
            cli_json_set(json, key, cli_json_number(1e9 * bench_mean_value(&group->rate[i])));
        }
        free(key);
    }
    cli_json_set(json, "blas_over_naive_best", bench_mean_json(&group->over_naive));
    cli_json_set(json, "speedup_over_blas", bench_mean_json(&group->over_blas));
    return json;
}

/* "-" where no row of the group has such a number. */
static void mean_cell(const struct bench_mean *mean, int digits, struct cli_table *table) {
    if (mean->rows > 0) {
        cli_table_cell(table, "%.*f", digits, bench_mean_value(mean));
    } else {
        cli_table_cell(table, "-");
    }
}

static void print_groups(struct steps *steps) {
    static const char *const heading[] = {"group", "pass", "rows", "naive",   "BLAS",
                                          "x",     "Stoa", "x",    "x naive", "least x"};
    struct cli_table table = {.columns = "llrrrrrrrr"};
    json_t *all = cli_json_array();
    (void)puts("\nGeometric means over the passes that a training step runs; least x: of Stoa over the "
               "BLAS:\n");
    for (size_t i = 0; i < sizeof heading / sizeof *heading; i++) {
        cli_table_cell(&table, "%s", heading[i]);
    }
    for (size_t i = 0; i < steps->groups; i++) {
        const struct group *group = &steps->group[i];
        double naive = bench_mean_value(&group->rate[NAIVE]), engine = bench_mean_value(&group->rate[ENGINE]);
        cli_table_cell(&table, "%s", group->name);
        cli_table_cell(&table, "%s", bench_pass_names[group->pass]);
        cli_table_cell(&table, "%zu", group->rate[ENGINE].rows);
        cli_table_cell(&table, "%.2f", naive);
        mean_cell(&group->rate[BLAS], 1, &table);
        mean_cell(&group->over_naive, 1, &table);
        cli_table_cell(&table, "%.1f", engine);
        mean_cell(&group->over_blas, 2, &table);
        cli_table_cell(&table, "%.1f", engine / naive);
        cli_table_cell(&table, group->over_blas.rows ? "%.2f" : "-", group->over_blas.lowest);
        cli_json_append(all, json_of_group(group));
    }
    cli_table_print(&table);
    cli_json_set(steps->bench->about, "steps", all);
}

int bench_steps(struct bench *bench, const struct bench_layers *layers) {
    struct steps *steps = cli_allocate(1, sizeof *steps);
    *steps = (struct steps){.bench = bench, .blas = *bench->context};
    steps->blas.policy = STOA_POLICY_BLAS;
    stoa_blas_info blas;
    stoa_blas_describe(&blas);
    (void)snprintf(steps->blas_name, sizeof steps->blas_name, "im2col + %s", blas.name);
    (void)printf(
        "GFLOP/s of a direct convolution in three steps: naive loops in their best order on one\nthread "
        "(%s); im2col and %s alone (policy blas) on %zu; Stoa on as many, in turn with\nit. x: times as "
        "fast as the step before.\n\n",
        bench_naive_of(bench->context, BEST_NAIVE)->isa, blas.name, bench->threads);
    print_heading();
    bool going = true;
    for (size_t i = 0; going && i < layers->count && !cli_stop_signal(); i++) {
        going = measure_layer(steps, &layers->layer[i]);
    }
    if (going && steps->groups > 0 && bench->options.operand_count == 0) {
        print_groups(steps);
    }
    int code = !going         ? CLI_FAILED
               : steps->wrong ? cli_fail(CLI_FAILED, "%zu results are wrong", steps->wrong)
                              : CLI_DONE;
    free(steps);
    return code;
}
