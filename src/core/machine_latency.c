/* SPDX-License-Identifier: MIT */
/* The way of a cache line from one CPU to another: two threads answer each other through one word. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/size.h"
#include "core/machine.h"
#include "core/threads.h"

/* The least of many short samples: beside other work a thread may have lost its CPU in most of them. */
enum { TRIPS = 10, LEAST_SAMPLES = 64, MOST_SAMPLES = 4096, MOST_PAIRS = 8 };

struct rally {
    _Alignas(64) atomic_uint ball; /* odd: the second thread's turn */
    _Alignas(64) double end;       /* of the clock */
    double least;
};

/* The last ball: no count of trips reaches it. */
static const unsigned STOP = (unsigned)-1;

static void *serve(void *argument) {
    struct rally *rally = argument;
    unsigned turn = 0;
    for (size_t i = 0; i < MOST_SAMPLES && (i < LEAST_SAMPLES || stoa_clock() < rally->end); i++) {
        double start = stoa_clock();
        for (size_t trip = 0; trip < TRIPS; trip++) {
            atomic_store_explicit(&rally->ball, turn + 1, memory_order_release);
            turn += 2;
            while (atomic_load_explicit(&rally->ball, memory_order_acquire) != turn) {
            }
        }
        rally->least = fmin(rally->least, (stoa_clock() - start) / (2 * TRIPS));
    }
    atomic_store_explicit(&rally->ball, STOP, memory_order_release);
    return NULL;
}

static void *answer(void *argument) {
    struct rally *rally = argument;
    unsigned seen = 0;
    for (;;) {
        unsigned ball = atomic_load_explicit(&rally->ball, memory_order_acquire);
        if (ball == STOP) {
            return NULL;
        }
        if (ball != seen && ball % 2 == 1) {
            seen = ball + 1;
            atomic_store_explicit(&rally->ball, seen, memory_order_release);
        }
    }
}

/* Start a thread and bring it to one CPU; where that has gone since, it stays where it is. */
static bool start_on(int cpu, void *(*run)(void *), void *argument, pthread_t *thread) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    bool started = stoa_thread_start(thread, run, argument);
    if (started) {
        (void)pthread_setaffinity_np(*thread, sizeof one, &one);
    }
    return started;
}

static bool play(struct rally *rally, int first, int second, double seconds) {
    atomic_store(&rally->ball, 0);
    rally->end = stoa_clock() + seconds;
    pthread_t threads[2];
    if (!start_on(second, answer, rally, &threads[1])) {
        return false;
    }
    bool started = start_on(first, serve, rally, &threads[0]);
    if (started) {
        (void)pthread_join(threads[0], NULL);
    } else {
        atomic_store(&rally->ball, STOP);
    }
    (void)pthread_join(threads[1], NULL);
    return started;
}

static int ascending(const void *a, const void *b) {
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

/* CPUs to play between: the first with some others, spread over all. At most as many as the context has
 * threads. */
static size_t choose_cpus(const stoa_context *context, int cpus[MOST_PAIRS + 1]) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0;
    }
    size_t all = stoa_min((size_t)CPU_COUNT(&set), context->threads);
    size_t count = stoa_min(all, MOST_PAIRS + 1);
    size_t number = 0;
    size_t chosen = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && chosen < count; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            if (number == (count == 1 ? 0 : chosen * (all - 1) / (count - 1))) {
                cpus[chosen++] = cpu;
            }
            number++;
        }
    }
    return chosen;
}

stoa_status stoa_measure_latency(stoa_context *context, double seconds, double *nanoseconds) {
    int cpus[MOST_PAIRS + 1];
    stoa_status status = stoa_check_seconds(context, "latency", seconds);
    if (status != STOA_OK) {
        return status;
    }
    size_t count = choose_cpus(context, cpus);
    if (count < 2) {
        *nanoseconds = 0;
        return STOA_OK;
    }
    double ways[MOST_PAIRS] = {0};
    for (size_t pair = 0; pair + 1 < count; pair++) {
        struct rally rally = {.least = HUGE_VAL};
        if (!play(&rally, cpus[0], cpus[pair + 1], seconds / (double)(count - 1))) {
            return stoa_fail(context, STOA_ERR_MEMORY, "latency: cannot start a thread on CPU %d",
                             cpus[pair + 1]);
        }
        ways[pair] = rally.least;
    }
    qsort(ways, count - 1, sizeof *ways, ascending);
    *nanoseconds = 1e9 * ways[(count - 1) / 2];
    return STOA_OK;
}
