/* SPDX-License-Identifier: MIT */
/* adamw: Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
 * 2019), as in
 * PyTorch:  p *= 1 - lr * decay,  then Adam's step. */
#include "train/adam.h"

static const struct stoa_option options[] = {STOA_ADAM_OPTIONS("0.01", "true")};

const struct stoa_optimizer stoa_optimizer_adamw = {
    .name = "adamw",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct stoa_adam_options),
    .slots = stoa_adam_slots,
    .begin = stoa_adam_begin,
    .update = stoa_adam_update,
};
