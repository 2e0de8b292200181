/* SPDX-License-Identifier: MIT */
/* constant: the learning rate as given. */
#include "train/optimizer.h"

static double factor(const void *options, uint64_t step, uint64_t total) {
    (void)options;
    (void)step;
    (void)total;
    return 1;
}

const struct stoa_schedule stoa_schedule_constant = {.name = "constant", .factor = factor};
