/* SPDX-License-Identifier: MIT */
/* The rows of mode fit: every convolution of the list, its passes by every algorithm. */
#include <math.h>
#include <stdlib.h>

#include "bench/fit.h"
#include "bench/progress.h"
#include "cli/signals.h"

/* Ways further behind in a first run are not timed, and those this near are timed twice. */
static const double WITHIN = 2.5, NEAR = 1.15;

static struct bench_fit_way *find_way(struct bench_fit_row *row,
                                      const struct stoa_conv_algorithm *algorithm) {
    for (size_t i = 0; i < row->count; i++) {
        if (row->way[i].algorithm == algorithm) {
            return &row->way[i];
        }
    }
    row->way[row->count] = (struct bench_fit_way){algorithm, 0};
    return &row->way[row->count++];
}

/* The geometric mean with what stands there. */
static void note_seconds(struct bench_fit_row *row, const struct stoa_conv_algorithm *algorithm,
                         double seconds) {
    struct bench_fit_way *way = find_way(row, algorithm);
    way->seconds = way->seconds > 0 ? sqrt(way->seconds * seconds) : seconds;
}

void bench_fit_merge(struct bench_fit *fit, const struct bench_fit_row *earlier) {
    for (size_t i = 0; i < fit->rows; i++) {
        for (size_t j = 0; j < earlier[i].count; j++) {
            note_seconds(&fit->row[i], earlier[i].way[j].algorithm, earlier[i].way[j].seconds);
        }
    }
}

static void note(struct bench_fit_row *row, const struct bench_rivals *rivals) {
    for (size_t i = 0; i < rivals->count; i++) {
        const struct bench_rival *rival = &rivals->rival[i];
        double seconds = rival->times.repetitions > 0 ? rival->times.summary.least : rival->first;
        if (rival->error.right && seconds > 0) {
            note_seconds(row, bench_rival_plan(rival)->algorithm, seconds);
        }
    }
}

/* Those near the fastest once more, so that chance does not choose it. */
static void time_near(const struct bench *bench, struct bench_rivals *rivals) {
    struct bench_rivals near = *rivals;
    double least = bench_rivals_fastest(rivals)->times.summary.median;
    near.count = 0;
    for (size_t i = 0; i < rivals->count; i++) {
        const struct bench_rival *rival = &rivals->rival[i];
        if (rival->times.repetitions > 0 && rival->times.summary.median <= NEAR * least) {
            near.rival[near.count] = *rival;
            near.rival[near.count++].times = (struct bench_times){0};
        }
    }
    if (near.count > 1) {
        bench_rivals_time(bench, &near, 0);
        for (size_t i = 0; i < near.count; i++) {
            for (size_t j = 0; j < rivals->count; j++) {
                struct bench_rival *rival = &rivals->rival[j];
                if (bench_rival_plan(rival)->algorithm == bench_rival_plan(&near.rival[i])->algorithm) {
                    bench_times_free(&rival->times);
                    rival->times = near.rival[i].times;
                }
            }
        }
    }
}

static bool measure_row(struct bench_fit *fit, const struct bench_work *work, struct bench_fit_row *row) {
    struct bench_rivals *rivals = cli_allocate(1, sizeof *rivals);
    bool going = bench_rivals_make(fit->bench, work, row->pass, rivals);
    fit->wrong += rivals->wrong;
    if (going) {
        bench_rivals_time(fit->bench, rivals, WITHIN);
        const struct bench_rival *fastest = bench_rivals_fastest(rivals);
        if (fastest) {
            time_near(fit->bench, rivals);
            fastest = bench_rivals_fastest(rivals);
        }
        for (size_t i = 0; i < rivals->count; i++) {
            if (rivals->rival[i].times.repetitions > 0 || !rivals->rival[i].error.right) {
                bench_rival_report(fit->bench, &rivals->rival[i], bench_rivals_chosen(rivals), fastest);
            }
        }
        note(row, rivals);
    }
    bench_rivals_free(rivals);
    free(rivals);
    return going;
}

/* The rows of a list: all that have a choice. */
static void make_rows(struct bench_fit *fit) {
    fit->row = cli_allocate(fit->layers.count * BENCH_PASSES, sizeof *fit->row);
    for (size_t i = 0; i < fit->layers.count * BENCH_PASSES; i++) {
        const struct bench_layer *layer = &fit->layers.layer[i / BENCH_PASSES];
        if (!layer->linear && bench_layer_wanted(fit->bench, layer, i % BENCH_PASSES)) {
            fit->row[fit->rows++] =
                (struct bench_fit_row){.layer = layer, .pass = (enum stoa_conv_pass)(i % BENCH_PASSES)};
        }
    }
}

int bench_fit_measure(struct bench_fit *fit) {
    if (!fit->row) {
        make_rows(fit);
    }
    bool going = true;
    for (size_t i = 0; going && i < fit->rows && !cli_stop_signal();) {
        struct bench_work work;
        const struct bench_layer *layer = fit->row[i].layer;
        going = bench_work_make(fit->bench->context, layer, &work);
        for (; going && i < fit->rows && fit->row[i].layer == layer; i++) {
            bench_progress_show((double)i / (double)fit->rows, "%s, %s", layer->name,
                                bench_pass_names[fit->row[i].pass]);
            going = measure_row(fit, &work, &fit->row[i]);
        }
        bench_work_free(&work);
    }
    return going ? CLI_DONE : CLI_FAILED;
}
