/* SPDX-License-Identifier: MIT */
/* sgd: stochastic gradient descent with momentum in the velocity form, as in PyTorch:
 *   v = momentum * v + g,  p -= lr * v. */
#include "train/momentum.h"

static const struct stoa_option options[] = {STOA_MOMENTUM_OPTIONS("0")};

/* Without momentum there is no velocity. */
static size_t slots(const void *given, const char *names[STOA_MAX_SLOTS]) {
    const struct stoa_momentum_options *o = given;
    return o->momentum > 0 ? stoa_momentum_slot(given, names) : 0;
}

static void update(const struct stoa_update *u) {
    stoa_momentum_update(u, u->kernels->sgd);
}

const struct stoa_optimizer stoa_optimizer_sgd = {
    .name = "sgd",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_momentum_options),
    .slots = slots,
    .update = update,
};
