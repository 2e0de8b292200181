/* SPDX-License-Identifier: MIT */
/* The line of progress, which every mode shows alike. */
#include "bench/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "cli/progress.h"

/* Seconds between two drawings of the line: it must not slow down what is measured. */
static const double PAUSE = 0.2;

static struct {
    const char *stage; /* NULL: none has begun */
    char what[96];
    size_t steps, done;
    double timings, timed; /* of the step, those that have ended among them */
    double share;          /* of all steps, as it was last said */
    double begin, drawn;   /* times of the clock */
} shown;

static void draw(double share) {
    shown.share = share;
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    size_t full = (size_t)(share * WIDTH);
    for (size_t i = 0; i < WIDTH; i++) {
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    }
    bar[WIDTH] = '\0';
    double now = bench_now(), passed = now - shown.begin;
    struct report_words left = {""};
    (void)cli_seconds_words(&left, share > 0 ? passed * (1 - share) / share : (double)NAN);
    cli_progress_line("%s [%s] %2.0f %%, %s left, %s", shown.stage, bar, 100 * share, left.text, shown.what);
    shown.drawn = now;
}

void bench_progress_begin(const char *stage, size_t steps) {
    shown.stage = stage;
    shown.steps = steps;
    shown.done = 0;
    shown.timings = shown.timed = shown.share = 0;
    shown.what[0] = '\0';
    shown.begin = bench_now();
    shown.drawn = 0;
}

/* Of all steps, from 0 to 1. */
static double share_of(double timed) {
    double within = shown.timings > 0 ? fmin(timed / shown.timings, 1) : 0;
    return shown.steps > 0 ? fmin(((double)shown.done + within) / (double)shown.steps, 1) : 0;
}

void bench_progress_step(size_t done, size_t timings, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(shown.what, sizeof shown.what, format, arguments);
    va_end(arguments);
    shown.done = done;
    shown.timings = (double)timings;
    shown.timed = 0;
    draw(share_of(0));
}

void bench_progress_within(double share) {
    if (shown.stage && bench_now() - shown.drawn > PAUSE) {
        draw(shown.timings > 0 ? share_of(shown.timed + share) : shown.share);
    }
    if (share >= 1) {
        shown.timed++;
    }
}

void bench_progress_show(double share, const char *format, ...) {
    if (bench_now() - shown.drawn <= PAUSE) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(shown.what, sizeof shown.what, format, arguments);
    va_end(arguments);
    draw(fmin(fmax(share, 0), 1));
}

void bench_progress_clear(void) {
    cli_progress_clear();
}

void bench_progress_end(void) {
    cli_progress_clear();
    shown.stage = NULL;
}
