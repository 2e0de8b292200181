/* SPDX-License-Identifier: MIT */
/* previous_gradient: momentum from the gradient of the step before alone, not from a velocity:
 *   p -= momentum * lr * g_before + lr * g. */
#include "train/momentum.h"

static const struct stoa_option options[] = {STOA_MOMENTUM_OPTIONS("0.9")};

static void update(const struct stoa_update *u) {
    stoa_momentum_update(u, u->kernels->previous_gradient);
}

static size_t slots(const void *given, const char *names[STOA_MAX_SLOTS]) {
    (void)given;
    names[0] = "previous_gradient"; /* PyTorch has no such optimiser */
    return 1;
}

const struct stoa_optimizer stoa_optimizer_previous_gradient = {
    .name = "previous_gradient",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_momentum_options),
    .slots = slots,
    .update = update,
};
