/* SPDX-License-Identifier: MIT */
/* one_cycle: along a cosine from `start` of the rate up to all of it during the first `warmup` of the steps,
 * then down to `end` of it (Smith and Topin, "Super-Convergence", 2018; to the step PyTorch's OneCycleLR). */
#include <math.h>

#include "train/optimizer.h"

struct one_cycle_options {
    double warmup, start, end;
};

static const struct stoa_option options[] = {
    {"warmup", STOA_OPTION_DOUBLE, offsetof(struct one_cycle_options, warmup), "0.3", 0, 1, NULL},
    {"start", STOA_OPTION_DOUBLE, offsetof(struct one_cycle_options, start), "0.04", 0, 1, NULL},
    {"end", STOA_OPTION_DOUBLE, offsetof(struct one_cycle_options, end), "1e-4", 0, 1, NULL},
};

/* From `from` to `to` along half a cosine while `part` goes from 0 to 1. */
static double anneal(double from, double to, double part) {
    return to + (from - to) / 2 * (1 + cos(3.14159265358979323846 * part));
}

/* Phases end at real numbers of steps, as in PyTorch: a warm-up of less than a step ends before the first
 * one, and the way down has begun there. */
static double factor(const void *given, uint64_t step, uint64_t total) {
    const struct one_cycle_options *o = given;
    double peak = o->warmup * (double)total - 1;
    double end = (double)total - 1;
    double at = (double)step;
    if (at <= peak) {
        return anneal(o->start, 1, peak > 0 ? at / peak : 1); /* a warm-up of one step is its end */
    }
    return anneal(1, o->end, (at - peak) / (end - peak)); /* at <= end, so that peak < end */
}

const struct stoa_schedule stoa_schedule_one_cycle = {
    .name = "one_cycle",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct one_cycle_options),
    .factor = factor,
};
