/* SPDX-License-Identifier: MIT */
/* What the forms of stochastic gradient descent share: options, and kernels of one signature. */
#ifndef STOA_TRAIN_MOMENTUM_H
#define STOA_TRAIN_MOMENTUM_H

#include "train/optimizer.h"

struct stoa_momentum_options {
    float momentum;
    struct stoa_decay decay;
};

#define STOA_MOMENTUM_OPTIONS(default_text)                                                                  \
    {"momentum", STOA_OPTION_FLOAT, offsetof(struct stoa_momentum_options, momentum), default_text, 0, 1,    \
     NULL},                                                                                                  \
        STOA_DECAY_OPTIONS(struct stoa_momentum_options, decay, "0", "false")

typedef void stoa_momentum_kernel(float *p, const float *g, float *slot, size_t n, float lr, float momentum,
                                  float decay, float keep);

static inline void stoa_momentum_update(const struct stoa_update *u, stoa_momentum_kernel *kernel) {
    const struct stoa_momentum_options *o = u->options;
    kernel(u->parameter, u->gradient, u->slot[0], u->count, u->learning_rate, o->momentum,
           stoa_decay_added(u, &o->decay), stoa_decay_kept(u, &o->decay));
}

static inline size_t stoa_momentum_slot(const void *options, const char *names[STOA_MAX_SLOTS]) {
    (void)options;
    names[0] = "momentum_buffer";
    return 1;
}

#endif
