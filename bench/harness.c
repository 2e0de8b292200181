/* SPDX-License-Identifier: MIT */
/* The timing loop: warm-up, iterations found by trying, repetitions of all cases in turn. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/columns.h"
#include "bench/others.h"
#include "bench/progress.h"
#include "cli/signals.h"
#include "report/spread.h"

static double seconds_of(clockid_t clock) {
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double bench_now(void) {
    return seconds_of(CLOCK_MONOTONIC);
}

double bench_cpu_now(void) {
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static double run_iterations(const struct bench_case *one, size_t iterations, double *cpu) {
    double cpu_start = bench_cpu_now();
    double start = bench_now();
    for (size_t i = 0; i < iterations; i++) {
        one->run(one->argument);
    }
    double seconds = bench_now() - start;
    *cpu = bench_cpu_now() - cpu_start;
    return seconds;
}

/* How many iterations last min_time; the trying warms caches, threads and clocks up. */
static size_t find_iterations(const struct bench_case *one, double min_time) {
    enum { MOST = 1 << 30 };
    size_t iterations = 1;
    double cpu;
    one->run(one->argument);
    for (;;) {
        double seconds = run_iterations(one, iterations, &cpu);
        if (seconds >= min_time || iterations >= MOST) {
            return iterations;
        }
        /* A tenth more than seems needed, and at most ten times as many: first tries are too slow. */
        double factor = seconds > 0 ? 1.1 * min_time / seconds : 10;
        iterations = (size_t)ceil((double)iterations * fmin(fmax(factor, 1.05), 10));
    }
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct bench_summary bench_summarise(const double *values, size_t count) {
    const struct report_spread spread = report_spread(values, count);
    double *sorted = cli_allocate(count, sizeof *sorted);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    const double median = count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    const double inner = sorted[count - 1 - count / 4] - sorted[count / 4];
    free(sorted);
    return (struct bench_summary){.median = median,
                                  .least = spread.least,
                                  .mean = spread.mean,
                                  .deviation = count > 1 ? spread.deviation : 0,
                                  .spread = median > 0 ? (spread.most - spread.least) / median : 0,
                                  .inner = median > 0 ? inner / median : 0};
}

static bool marked; /* something has been found disturbed */

bool bench_is_disturbed(const struct bench_times *times) {
    static const double MOST_INNER = 0.25;
    bool disturbed = times->alike && (times->summary.inner > MOST_INNER || times->others > BENCH_MOST_OTHERS);
    marked = marked || disturbed;
    return disturbed;
}

void bench_print_mark(void) {
    if (marked) {
        bench_print_text("%s disturbed: " BENCH_DISTURBED ".", BENCH_MARK);
    }
}

const char *bench_mark(const struct bench_times *times) {
    return bench_is_disturbed(times) ? BENCH_MARK : "";
}

void bench_print_disturbed(size_t disturbed, size_t rows) {
    if (disturbed > 0) {
        (void)puts("");
        bench_print_text("%s %zu of %zu rows %s disturbed and in no mean: " BENCH_DISTURBED ".", BENCH_MARK,
                         disturbed, rows, disturbed == 1 ? "is" : "are");
    }
}

/* Whether a thread of this process other than the caller is on a CPU or wants one. (The process's CPU clock
 * would not do: it knows of other CPUs only what they were at their last tick.) */
static bool threads_run(void) {
    DIR *folder = opendir("/proc/self/task");
    bool running = false;
    for (const struct dirent *entry; folder && !running && (entry = readdir(folder)) != NULL;) {
        char path[sizeof "/proc/self/task//stat" + sizeof entry->d_name], line[128] = "";
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
        FILE *file = entry->d_name[0] == '.' || atoi(entry->d_name) == gettid() ? NULL : fopen(path, "re");
        if (file) {
            const char *name_end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
            running = name_end && strncmp(name_end, ") R", 3) == 0;
            (void)fclose(file);
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return running;
}

/* Wait until threads of an engine that look for work after a loop have gone to sleep: they would slow another
 * engine. */
static bool settle(void) {
    enum { MOST_NAPS = 200 };
    static const struct timespec nap = {.tv_nsec = 500000};
    for (int i = 0; i < MOST_NAPS; i++) {
        if (!threads_run()) {
            return true;
        }
        (void)nanosleep(&nap, NULL);
    }
    return false;
}

bool bench_enter_block(const struct bench_case *one) {
    static const double WARM_SECONDS = 0.005;
    bool settled = settle();
    double start = bench_now();
    do {
        one->run(one->argument);
    } while (bench_now() - start < WARM_SECONDS);
    return settled;
}

static struct bench_times allocate_times(size_t iterations, size_t repetitions) {
    return (struct bench_times){.repetitions = repetitions,
                                .iterations = iterations,
                                .real = cli_allocate(repetitions, sizeof(double)),
                                .cpu = cli_allocate(repetitions, sizeof(double))};
}

static struct bench_times make_times(const struct bench_case *one, double min_time, size_t repetitions) {
    return allocate_times(find_iterations(one, min_time), repetitions);
}

static void sum_up(struct bench_times *times, size_t count, size_t repetitions, double others) {
    for (size_t i = 0; i < count; i++) {
        times[i].repetitions = repetitions;
        times[i].summary = bench_summarise(times[i].real, repetitions);
        times[i].alike = true;
        times[i].others = others;
    }
}

static void time_repetition(const struct bench_case *one, size_t repetition, struct bench_times *times) {
    double iterations = (double)times->iterations;
    times->real[repetition] = run_iterations(one, times->iterations, &times->cpu[repetition]) / iterations;
    times->cpu[repetition] /= iterations;
}

static void time_cases(const struct bench_case *cases, size_t count, double min_time, size_t repetitions,
                       struct bench_times *times) {
    for (size_t i = 0; i < count; i++) {
        times[i] = make_times(&cases[i], min_time, repetitions);
    }
    struct bench_others others;
    bench_others_begin(&others);
    for (size_t r = 0; r < repetitions; r++) {
        for (size_t i = 0; i < count; i++) {
            time_repetition(&cases[i], r, &times[i]);
        }
        if (cli_stop_signal()) {
            repetitions = r + 1;
        }
        bench_progress_within((double)(r + 1) / (double)repetitions);
    }
    sum_up(times, count, repetitions, bench_others_share(&others));
}

void bench_time(const struct bench *bench, const struct bench_case *cases, size_t count,
                struct bench_times *times) {
    time_cases(cases, count, bench->options.min_time, bench->options.repetitions, times);
}

size_t bench_time_apart(const struct bench *bench, const struct bench_case *cases, size_t count,
                        size_t repetition, struct bench_times *times) {
    const struct bench_options *options = &bench->options;
    size_t disturbed = 0;
    for (size_t i = 0; i < count && repetition == 0; i++) {
        disturbed += !bench_enter_block(&cases[i]);
        times[i] = make_times(&cases[i], options->min_time, options->repetitions);
    }
    for (size_t turn = 0; turn < count; turn++) {
        /* Engines alternate in who comes first. */
        size_t i = repetition % 2 ? count - 1 - turn : turn;
        disturbed += !bench_enter_block(&cases[i]);
        time_repetition(&cases[i], repetition, &times[i]);
    }
    for (size_t i = 0; i < count && repetition + 1 == options->repetitions; i++) {
        times[i].summary = bench_summarise(times[i].real, options->repetitions);
        times[i].alike = true;
    }
    bench_progress_within(1);
    return disturbed;
}

double bench_time_first(const struct bench_case *one, bench_surround_fn *surround) {
    double cpu;
    (void)settle();
    surround(one->argument, true);
    double seconds = run_iterations(one, 1, &cpu);
    surround(one->argument, false);
    return seconds;
}

/* Repetitions of cases that take so long in turn. */
static size_t count_turns(const struct bench *bench, const double *first, size_t count) {
    static const double LONG_TURN = 0.2;
    enum { FEW = 3 };
    double turn = 0;
    for (size_t i = 0; i < count; i++) {
        turn += first[i];
    }
    return turn > LONG_TURN && bench->options.repetitions > FEW ? FEW : bench->options.repetitions;
}

void bench_time_turns(const struct bench *bench, const struct bench_case *cases, const double *first,
                      size_t count, bench_surround_fn *surround, struct bench_times *times) {
    size_t repetitions = count_turns(bench, first, count);
    double min_time = bench->options.min_time;
    for (size_t i = 0; i < count; i++) {
        (void)settle();
        surround(cases[i].argument, true);
        times[i] =
            allocate_times(first[i] >= min_time ? 1 : find_iterations(&cases[i], min_time), repetitions);
        surround(cases[i].argument, false);
    }
    struct bench_others others;
    bench_others_begin(&others);
    for (size_t r = 0; r < repetitions; r++) {
        for (size_t turn = 0; turn < count; turn++) {
            /* Sides alternate in who comes first; a long run warms itself up. */
            size_t i = r % 2 ? count - 1 - turn : turn;
            surround(cases[i].argument, true);
            (void)(first[i] >= min_time ? settle() : bench_enter_block(&cases[i]));
            time_repetition(&cases[i], r, &times[i]);
            surround(cases[i].argument, false);
        }
        if (cli_stop_signal()) {
            repetitions = r + 1;
        }
        bench_progress_within((double)(r + 1) / (double)repetitions);
    }
    sum_up(times, count, repetitions, bench_others_share(&others));
}

void bench_time_once(const struct bench_case *one, double min_time, size_t repetitions,
                     struct bench_times *times) {
    time_cases(one, 1, min_time, repetitions, times);
}

void bench_times_free(struct bench_times *times) {
    free(times->real);
    free(times->cpu);
    *times = (struct bench_times){0};
}
