/* SPDX-License-Identifier: MIT */
/* nesterov: momentum that looks ahead (Sutskever et al., "On the importance of initialization and momentum in
 * deep learning", 2013), in PyTorch's form:  v = momentum * v + g,  p -= lr * (g + momentum * v). */
#include "train/momentum.h"

static const struct stoa_option options[] = {STOA_MOMENTUM_OPTIONS("0.9")};

static void update(const struct stoa_update *u) {
    stoa_momentum_update(u, u->kernels->nesterov);
}

const struct stoa_optimizer stoa_optimizer_nesterov = {
    .name = "nesterov",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_momentum_options),
    .slots = stoa_momentum_slot, /* the velocity */
    .update = update,
};
