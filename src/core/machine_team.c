/* SPDX-License-Identifier: MIT */
/* Threads to measure with.
 *
 * A time is the best of several rounds: other work on the machine only ever slows a round down. */
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "core/machine.h"

enum { LEAST_ROUNDS = 3 };

stoa_status stoa_check_seconds(stoa_context *context, const char *what, double seconds) {
    static const double most = 3600;
    if (seconds > 0 && seconds <= most) {
        return STOA_OK;
    }
    return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: found %g seconds, expected more than 0, at most %g",
                     what, seconds, most);
}

void stoa_fill(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)(i % 17) / 8.0F - 1.03F;
    }
}

void stoa_team_open(const stoa_context *context, size_t threads, stoa_context *team) {
    *team = *context;
    team->threads = threads;
    team->own_workers = (struct stoa_workers){.pool = NULL};
    atomic_flag_clear(&team->own_workers.busy);
    team->workers = &team->own_workers;
}

void stoa_team_close(stoa_context *team) {
    stoa_pool_free(team->own_workers.pool);
    team->own_workers.pool = NULL;
}

/* Beside other work a scheduler may leave two new threads on one CPU, or one of them waiting, for longer than
 * a measurement takes. So each thread stays on a CPU of its own while it measures, and a round begins when
 * all have arrived. */
struct round {
    stoa_task_fn *work;
    void *argument;
    size_t threads;
    atomic_size_t arrived;
    cpu_set_t cpus; /* of the caller; the threads are placed on them */
    bool place, placed[STOA_MOST_THREADS];
    double begun[STOA_MOST_THREADS]; /* when each thread came to its first task; 0: it got none */
};

/* Longest wait for the others, who may never come: some systems give fewer threads than asked for. */
static const double PATIENCE = 0.01;

static void place(const cpu_set_t *cpus, size_t number) {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, cpus) && number-- == 0) {
            CPU_SET(cpu, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
}

static void run_task(void *argument, size_t task, size_t thread) {
    struct round *round = argument;
    if (round->place && !round->placed[thread]) {
        round->placed[thread] = true;
        place(&round->cpus, thread);
    }
    double end = stoa_clock() + PATIENCE;
    atomic_fetch_add(&round->arrived, 1);
    while (atomic_load(&round->arrived) < round->threads && stoa_clock() < end) {
    }
    if (round->begun[thread] <= 0) {
        round->begun[thread] = stoa_clock();
    }
    round->work(round->argument, task, thread);
}

/* More threads than CPUs go where the scheduler puts them. */
static bool can_place(size_t threads, cpu_set_t *cpus) {
    return threads > 1 && sched_getaffinity(0, sizeof *cpus, cpus) == 0 && (size_t)CPU_COUNT(cpus) >= threads;
}

/* Seconds of one round, from the moment when the first began to work. */
static double time_round(const stoa_context *team, struct round *round) {
    atomic_store(&round->arrived, 0);
    memset(round->begun, 0, sizeof round->begun);
    stoa_parallel(team, team->threads, run_task, round);
    double end = stoa_clock();
    double longest = 0;
    for (size_t i = 0; i < team->threads; i++) {
        longest = round->begun[i] > 0 ? fmax(longest, end - round->begun[i]) : longest;
    }
    return longest;
}

double stoa_best_time(const stoa_context *team, double seconds, stoa_task_fn *work, void *argument) {
    struct round round = {.work = work, .argument = argument, .threads = team->threads};
    round.place = can_place(team->threads, &round.cpus);
    double end = stoa_clock() + seconds;
    double best = HUGE_VAL;
    for (size_t i = 0; i < LEAST_ROUNDS || stoa_clock() < end; i++) {
        best = fmin(best, time_round(team, &round));
        if (!team->own_workers.pool) {
            round.threads = 1; /* in a forked child everything runs in the caller: nobody to wait for */
        }
    }
    if (round.place) {
        (void)sched_setaffinity(0, sizeof round.cpus, &round.cpus);
    }
    return fmax(best, 1e-9); /* a coarse clock must not divide by zero */
}
