/* SPDX-License-Identifier: MIT */
/* adam: adaptive moments (Kingma and Ba 2015), as in PyTorch: the bias correction of the second moment inside
 * the root, epsilon outside. */
#include "train/adam.h"

#include <math.h>

static const struct stoa_option options[] = {STOA_ADAM_OPTIONS("0", "false")};

size_t stoa_adam_slots(const void *given, const char *names[STOA_MAX_SLOTS]) {
    (void)given;
    names[0] = "exp_avg";
    names[1] = "exp_avg_sq";
    return 2;
}

void stoa_adam_begin(struct stoa_update *u) {
    const struct stoa_adam_options *o = u->options;
    u->shared[0] = 1.0 - pow((double)o->beta1, (double)u->step);
    u->shared[1] = 1.0 - pow((double)o->beta2, (double)u->step);
}

void stoa_adam_update(const struct stoa_update *u) {
    const struct stoa_adam_options *o = u->options;
    u->kernels->adam(u->parameter, u->gradient, u->slot[0], u->slot[1], u->count,
                     (float)((double)u->learning_rate / u->shared[0]), o->beta1, o->beta2, o->epsilon,
                     (float)(1.0 / sqrt(u->shared[1])), stoa_decay_added(u, &o->decay),
                     stoa_decay_kept(u, &o->decay));
}

const struct stoa_optimizer stoa_optimizer_adam = {
    .name = "adam",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_adam_options),
    .slots = stoa_adam_slots,
    .begin = stoa_adam_begin,
    .update = stoa_adam_update,
};
