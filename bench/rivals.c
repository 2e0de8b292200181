/* SPDX-License-Identifier: MIT */
/* Every algorithm on one pass. */
#include "bench/rivals.h"

#include <stdlib.h>

static void run_rival(void *argument) {
    const struct bench_rival *rival = argument;
    bench_work_run(&rival->work, rival->pass);
}

bool bench_rivals_make(const struct bench *bench, const struct bench_work *work, enum stoa_conv_pass pass,
                       struct bench_rivals *rivals) {
    *rivals = (struct bench_rivals){.count = 0};
    for (size_t i = 0; stoa_conv_algorithms[i] && rivals->count < BENCH_MOST_RIVALS; i++) {
        struct stoa_conv_plan plan;
        if (!stoa_conv_plan_with(work->context, stoa_conv_algorithms[i], &work->layer->conv, pass, &plan)) {
            continue;
        }
        struct bench_rival *rival = &rivals->rival[rivals->count];
        rival->pass = pass;
        rival->chosen = plan.algorithm == work->plan[pass].algorithm;
        if (!bench_work_make_other(work, &plan, &rival->work)) {
            return false;
        }
        rivals->count++;
        rival->error = bench_work_verify(bench, &rival->work, pass);
        rivals->wrong += !rival->error.right;
    }
    return true;
}

/* Seconds of the second run. */
static double first_look(struct bench_rival *rival) {
    run_rival(rival);
    double start = bench_now();
    run_rival(rival);
    return bench_now() - start;
}

void bench_rivals_time(const struct bench *bench, struct bench_rivals *rivals, double within) {
    struct bench_case cases[BENCH_MOST_RIVALS] = {{NULL, NULL}};
    struct bench_times times[BENCH_MOST_RIVALS];
    struct bench_rival *timed[BENCH_MOST_RIVALS];
    double least = 0;
    size_t count = 0;
    for (size_t i = 0; within > 0 && i < rivals->count; i++) {
        struct bench_rival *rival = &rivals->rival[i];
        rival->first = rival->error.right ? first_look(rival) : 0;
        least = rival->first > 0 && (least == 0 || rival->first < least) ? rival->first : least;
    }
    for (size_t i = 0; i < rivals->count; i++) {
        struct bench_rival *rival = &rivals->rival[i];
        if (rival->error.right && (within <= 0 || rival->chosen || rival->first <= within * least)) {
            cases[count] = (struct bench_case){run_rival, rival};
            timed[count++] = rival;
        }
    }
    bench_time(bench, cases, count, times);
    for (size_t i = 0; i < count; i++) {
        bench_times_free(&timed[i]->times);
        timed[i]->times = times[i];
    }
}

const struct bench_rival *bench_rivals_chosen(const struct bench_rivals *rivals) {
    for (size_t i = 0; i < rivals->count; i++) {
        if (rivals->rival[i].chosen && rivals->rival[i].times.repetitions > 0) {
            return &rivals->rival[i];
        }
    }
    return NULL;
}

const struct bench_rival *bench_rivals_fastest(const struct bench_rivals *rivals) {
    const struct bench_rival *fastest = NULL;
    for (size_t i = 0; i < rivals->count; i++) {
        const struct bench_rival *rival = &rivals->rival[i];
        if (rival->times.repetitions > 0 &&
            (!fastest || rival->times.summary.median < fastest->times.summary.median)) {
            fastest = rival;
        }
    }
    return fastest;
}

void bench_rivals_free(struct bench_rivals *rivals) {
    for (size_t i = 0; i < rivals->count; i++) {
        bench_times_free(&rivals->rival[i].times);
        bench_work_free_other(&rivals->rival[i].work, rivals->rival[i].pass);
    }
    rivals->count = 0;
}

void bench_rival_report(struct bench *bench, const struct bench_rival *rival,
                        const struct bench_rival *chosen, const struct bench_rival *fastest) {
    const struct bench_layer *layer = rival->work.layer;
    const struct stoa_conv_plan *plan = bench_rival_plan(rival);
    bool timed = rival->times.repetitions > 0;
    char *name =
        cli_text("layers/%s/%s/%s", layer->name, bench_pass_names[rival->pass], plan->algorithm->name);
    char *shape = bench_layer_shape(&layer->conv);
    struct bench_record record = {
        .name = name, .threads = bench->threads, .times = timed ? &rival->times : NULL};
    bench_layer_note(&record, layer, (size_t)rival->pass, shape, rival->work.algorithm[rival->pass],
                     &rival->error);
    bench_note(&record, "algorithm_name", plan->algorithm->name);
    bench_flag(&record, "chosen", rival->chosen);
    bench_flag(&record, "fastest", rival == fastest);
    bench_counter(&record, "predicted_seconds", plan->cost);
    bench_counter(&record, "workspace_bytes", (double)plan->bytes);
    if (timed && chosen) {
        bench_counter(&record, "times_as_fast_as_chosen",
                      chosen->times.summary.median / rival->times.summary.median);
    }
    bench_report(bench, &record);
    free(shape);
    free(name);
}
