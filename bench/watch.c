/* SPDX-License-Identifier: MIT */
/* Where a plan's time goes. Every thread writes a row of its own. */
#include "bench/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "bench/bench.h"

enum { CACHE_LINE = 64 / sizeof(double) };

static void keep(struct bench_watch *watch, const struct bench_event *event) {
    size_t at = atomic_fetch_add_explicit(&watch->events, 1, memory_order_relaxed);
    if (watch->event && at < watch->event_room) {
        watch->event[at] = *event;
    }
}

static double *row_of(const struct bench_watch *watch, size_t thread) {
    return watch->seconds + thread * watch->row;
}

static void hear(void *user, const stoa_observed_step *step) {
    struct bench_watch *watch = user;
    double *row = row_of(watch, step->thread), seconds = step->end - step->begin;
    row[step->step] += step->samples < step->batch ? seconds / (double)watch->threads : seconds;
    row[watch->row - 1] = step->end;
    keep(watch,
         &(struct bench_event){step->step, step->thread, step->first, step->samples, step->begin, step->end});
}

void bench_watch_open(struct bench_watch *watch, stoa_plan *plan, size_t threads) {
    *watch = (struct bench_watch){.plan = plan, .steps = stoa_plan_step_count(plan), .threads = threads};
    watch->row = stoa_round_up(watch->steps + 1, CACHE_LINE);
    watch->seconds = cli_allocate(threads * watch->row, sizeof *watch->seconds);
    bench_watch_reset(watch, NULL, 0);
    stoa_plan_observe(plan, hear, watch);
}

void bench_watch_reset(struct bench_watch *watch, struct bench_event *event, size_t room) {
    memset(watch->seconds, 0, watch->threads * watch->row * sizeof *watch->seconds);
    memset(watch->beside, 0, sizeof watch->beside);
    watch->event = event;
    watch->event_room = room;
    atomic_store(&watch->events, 0);
}

void bench_watch_beside(struct bench_watch *watch, enum bench_beside what, double begin, double end) {
    watch->beside[what] += end - begin;
    keep(watch, &(struct bench_event){.part = watch->steps + what, .begin = begin, .end = end});
}

struct bench_part_name bench_watch_name(const struct bench_watch *watch, size_t part) {
    static const char *const besides[BENCH_BESIDES] = {"data", "optimizer"};
    if (part >= watch->steps) {
        const char *name = besides[part - watch->steps];
        return (struct bench_part_name){name, name, ""};
    }
    stoa_plan_step step = {.layer = "", .op = "", .pass = ""};
    (void)(stoa_plan_step_at(watch->plan, part, &step) == STOA_OK);
    return (struct bench_part_name){step.layer, step.op, step.pass};
}

double bench_watch_seconds(const struct bench_watch *watch, size_t part) {
    double seconds = part >= watch->steps ? watch->beside[part - watch->steps] : 0;
    for (size_t thread = 0; part < watch->steps && thread < watch->threads; thread++) {
        seconds += row_of(watch, thread)[part];
    }
    return seconds;
}

double bench_watch_last_end(const struct bench_watch *watch) {
    double last = 0;
    for (size_t thread = 0; thread < watch->threads; thread++) {
        double end = row_of(watch, thread)[watch->row - 1];
        last = end > last ? end : last;
    }
    return last;
}

void bench_watch_close(struct bench_watch *watch) {
    if (watch->plan) {
        stoa_plan_observe(watch->plan, NULL, NULL);
    }
    free(watch->seconds);
    *watch = (struct bench_watch){0};
}
