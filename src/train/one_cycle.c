/* one_cycle: along a cosine from `start` of the rate up to all of it during the first `warmup` of the steps,
 * then down to `end` of it (Smith and Topin, "Super-Convergence", 2018; the same curve as PyTorch's
 * OneCycleLR). Floor 7. */
#include <math.h>

#include "train/optimizer.h"

struct one_cycle_options {
    float warmup, start, end;
};

static const struct stoa_option options[] = {
    {"warmup", STOA_OPTION_FLOAT, offsetof(struct one_cycle_options, warmup), "0.3", 0, 1, NULL},
    {"start", STOA_OPTION_FLOAT, offsetof(struct one_cycle_options, start), "0.04", 0, 1, NULL},
    {"end", STOA_OPTION_FLOAT, offsetof(struct one_cycle_options, end), "1e-4", 0, 1, NULL},
};

/* From `from` to `to` along half a cosine while `part` goes from 0 to 1. */
static double anneal(double from, double to, double part) {
    return to + (from - to) / 2 * (1 + cos(3.14159265358979323846 * part));
}

static double factor(const void *given, uint64_t step, uint64_t total) {
    const struct one_cycle_options *o = given;
    double peak = (double)o->warmup * (double)total - 1;
    double end = (double)total - 1;
    double at = (double)step;
    if (at <= peak) {
        return anneal((double)o->start, 1, peak > 0 ? at / peak : 1);
    }
    /* A run of a single step is its own peak. */
    double from = fmax(peak, 0);
    return anneal(1, (double)o->end, end > from ? (at - from) / (end - from) : 0);
}

const struct stoa_schedule stoa_schedule_one_cycle = {
    .name = "one_cycle",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct one_cycle_options),
    .factor = factor,
};
