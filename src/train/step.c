/* SPDX-License-Identifier: MIT */
/* step: the learning rate times `factor` after every `every` units; PyTorch's StepLR. */
#include <math.h>

#include "train/optimizer.h"

struct step_options {
    size_t every;
    double factor;
};

static const struct stoa_option options[] = {
    {"every", STOA_OPTION_SIZE, offsetof(struct step_options, every), NULL, 1, 1e12, NULL},
    {"factor", STOA_OPTION_DOUBLE, offsetof(struct step_options, factor), "0.1", 1e-6, 1, NULL},
};

static double factor(const void *given, uint64_t at, uint64_t total) {
    const struct step_options *o = given;
    uint64_t steps = at / o->every;
    (void)total;
    return pow(o->factor, (double)steps);
}

const struct stoa_schedule stoa_schedule_step = {
    .name = "step",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct step_options),
    .factor = factor,
};
