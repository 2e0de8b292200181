/* SPDX-License-Identifier: MIT */
/* exponential: the learning rate times `factor` after every unit; PyTorch's ExponentialLR. */
#include <math.h>

#include "train/optimizer.h"

struct exponential_options {
    double factor;
};

static const struct stoa_option options[] = {
    {"factor", STOA_OPTION_DOUBLE, offsetof(struct exponential_options, factor), NULL, 1e-6, 1, NULL},
};

static double factor(const void *given, uint64_t at, uint64_t total) {
    const struct exponential_options *o = given;
    (void)total;
    return pow(o->factor, (double)at);
}

const struct stoa_schedule stoa_schedule_exponential = {
    .name = "exponential",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct exponential_options),
    .factor = factor,
};
