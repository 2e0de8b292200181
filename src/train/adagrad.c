/* SPDX-License-Identifier: MIT */
/* adagrad: each parameter's rate falls with the sum of its squared gradients (Duchi et al. 2011), as in
 * PyTorch:
 *   s += g^2,  p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(initial + s) + epsilon). */
#include "train/optimizer.h"

struct adagrad_options {
    float epsilon, initial, lr_decay;
    struct stoa_decay decay;
};

static const struct stoa_option options[] = {
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct adagrad_options, epsilon), "1e-10", 1e-30, 1, NULL},
    {"initial", STOA_OPTION_FLOAT, offsetof(struct adagrad_options, initial), "0", 0, 1e6, NULL},
    {"lr_decay", STOA_OPTION_FLOAT, offsetof(struct adagrad_options, lr_decay), "0", 0, 1, NULL},
    STOA_DECAY_OPTIONS(struct adagrad_options, decay, "0", "false"),
};

/* The sum of squares; PyTorch's has `initial` in it. */
static size_t slots(const void *given, const char *names[STOA_MAX_SLOTS]) {
    (void)given;
    names[0] = "sum";
    return 1;
}

static void update(const struct stoa_update *u) {
    const struct adagrad_options *o = u->options;
    double rate = (double)u->learning_rate / (1 + (double)(u->step - 1) * (double)o->lr_decay);
    u->kernels->adagrad(u->parameter, u->gradient, u->slot[0], u->count, (float)rate, o->epsilon, o->initial,
                        stoa_decay_added(u, &o->decay), stoa_decay_kept(u, &o->decay));
}

const struct stoa_optimizer stoa_optimizer_adagrad = {
    .name = "adagrad",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct adagrad_options),
    .slots = slots,
    .update = update,
};
