/* SPDX-License-Identifier: MIT */
/* Linux counts the time of all CPUs in /proc/stat; what this process did not use of it others did. */
#include "bench/others.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/bench.h"

/* CPU seconds that were not idle, since the machine started; 0 when they cannot be had. */
static double busy_seconds(void) {
    enum { USER, NICE, SYSTEM, IDLE, WAITING, INTERRUPTS, SOFT_INTERRUPTS, STOLEN, FIELDS };
    unsigned long long ticks[FIELDS] = {0};
    FILE *file = fopen("/proc/stat", "re");
    int read = file ? fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[USER], &ticks[NICE],
                             &ticks[SYSTEM], &ticks[IDLE], &ticks[WAITING], &ticks[INTERRUPTS],
                             &ticks[SOFT_INTERRUPTS], &ticks[STOLEN])
                    : 0;
    if (file) {
        (void)fclose(file);
    }
    unsigned long long busy = ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[INTERRUPTS] +
                              ticks[SOFT_INTERRUPTS] + ticks[STOLEN];
    return read == FIELDS ? (double)busy / (double)sysconf(_SC_CLK_TCK) : 0;
}

void bench_others_begin(struct bench_others *others) {
    *others = (struct bench_others){.busy = busy_seconds(), .own = bench_cpu_now(), .at = bench_now()};
}

double bench_others_share(const struct bench_others *begin) {
    struct bench_others now;
    bench_others_begin(&now);
    double others = now.busy - begin->busy - (now.own - begin->own);
    const double clock = 5 / (double)sysconf(_SC_CLK_TCK); /* a tick a CPU, and some */
    double all = (now.at - begin->at) * (double)sysconf(_SC_NPROCESSORS_ONLN);
    return others > clock && all > 0 ? fmin(others / all, 1) : 0;
}
