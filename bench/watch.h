/* SPDX-License-Identifier: MIT */
/* Where a plan's time goes: seconds of its steps, as its observer hears of them, and of the work beside. */
#ifndef STOA_BENCH_WATCH_H
#define STOA_BENCH_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stoa/plan.h>

/* Parts of what is watched: the plan's steps by their number, and behind them what is no step of the plan. */
enum bench_beside { BENCH_DATA, BENCH_UPDATE, BENCH_BESIDES };

/* Strings are borrowed from the plan. */
struct bench_part_name {
    const char *layer, *op, *pass; /* "c1", "conv2d", "forward"; "data", "data", "" */
};

/* One part, or what one thread did of it. */
struct bench_event {
    size_t part, thread, first, samples;
    double begin, end;
};

struct bench_watch {
    stoa_plan *plan; /* NULL: nothing is watched */
    size_t steps, threads;
    double *seconds; /* of the plan's steps, a row a thread */
    size_t row;      /* numbers in a row, whole cache lines; the last: when the thread's last step ended */
    double beside[BENCH_BESIDES];
    struct bench_event *event; /* NULL: events are counted only */
    size_t event_room;
    atomic_size_t events;
};

/* The plan is watched until bench_watch_close(), in a context of so many threads. */
void bench_watch_open(struct bench_watch *watch, stoa_plan *plan, size_t threads);
void bench_watch_close(struct bench_watch *watch);
static inline bool bench_watch_is_open(const struct bench_watch *watch) {
    return watch->plan != NULL;
}
/* Begin again; the next events are kept in `event`, which may be NULL. */
void bench_watch_reset(struct bench_watch *watch, struct bench_event *event, size_t room);
/* Work beside the plan, done by the thread that runs it. */
void bench_watch_beside(struct bench_watch *watch, enum bench_beside what, double begin, double end);

static inline size_t bench_watch_parts(const struct bench_watch *watch) {
    return watch->steps + BENCH_BESIDES;
}
struct bench_part_name bench_watch_name(const struct bench_watch *watch, size_t part);
/* Seconds of the clock that a part has taken since bench_watch_reset(): what threads have computed beside
 * each other counts once. */
double bench_watch_seconds(const struct bench_watch *watch, size_t part);
/* When the last step of the plan ended: what follows it in training is the optimiser. */
double bench_watch_last_end(const struct bench_watch *watch);

#endif
