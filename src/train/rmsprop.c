/* SPDX-License-Identifier: MIT */
/* rmsprop: gradients over the root of a moving mean of their squares (Tieleman and Hinton 2012), as in
 * PyTorch:
 *   s = alpha * s + (1 - alpha) * g^2,  p -= lr * g / (sqrt(s) + epsilon);
 * centred=true takes the variance in place of s, momentum a velocity of the steps. */
#include "train/optimizer.h"

struct rmsprop_options {
    float alpha, epsilon, momentum;
    bool centred;
    struct stoa_decay decay;
};

static const struct stoa_option options[] = {
    {"alpha", STOA_OPTION_FLOAT, offsetof(struct rmsprop_options, alpha), "0.99", 0, 0.999999, NULL},
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct rmsprop_options, epsilon), "1e-8", 1e-30, 1, NULL},
    {"momentum", STOA_OPTION_FLOAT, offsetof(struct rmsprop_options, momentum), "0", 0, 1, NULL},
    {"centred", STOA_OPTION_BOOL, offsetof(struct rmsprop_options, centred), "false", 0, 0, NULL},
    STOA_DECAY_OPTIONS(struct rmsprop_options, decay, "0", "false"),
};

/* The squares; then the mean when centred, then the velocity when there is momentum. */
static size_t slots(const void *given, const char *names[STOA_MAX_SLOTS]) {
    const struct rmsprop_options *o = given;
    size_t count = 0;
    names[count++] = "square_avg";
    if (o->centred) {
        names[count++] = "grad_avg";
    }
    if (o->momentum > 0) {
        names[count++] = "momentum_buffer";
    }
    return count;
}

static void update(const struct stoa_update *u) {
    const struct rmsprop_options *o = u->options;
    u->kernels->rmsprop(u->parameter, u->gradient, u->slot[0], o->centred ? u->slot[1] : NULL,
                        u->slot[o->centred ? 2 : 1], u->count, u->learning_rate, o->alpha, o->epsilon,
                        o->momentum, stoa_decay_added(u, &o->decay), stoa_decay_kept(u, &o->decay));
}

const struct stoa_optimizer stoa_optimizer_rmsprop = {
    .name = "rmsprop",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct rmsprop_options),
    .slots = slots,
    .update = update,
};
