/* SPDX-License-Identifier: MIT */
/* What adam and adamw share; they differ in their defaults. */
#ifndef STOA_TRAIN_ADAM_H
#define STOA_TRAIN_ADAM_H

#include "train/optimizer.h"

struct stoa_adam_options {
    float beta1, beta2, epsilon;
    struct stoa_decay decay;
};

#define STOA_ADAM_OPTIONS(decay_text, decoupled_text)                                                        \
    {"beta1", STOA_OPTION_FLOAT, offsetof(struct stoa_adam_options, beta1), "0.9", 0, 0.999999, NULL},       \
        {"beta2", STOA_OPTION_FLOAT, offsetof(struct stoa_adam_options, beta2), "0.999", 0, 0.999999, NULL}, \
        {"epsilon", STOA_OPTION_FLOAT, offsetof(struct stoa_adam_options, epsilon), "1e-8", 1e-30, 1, NULL}, \
        STOA_DECAY_OPTIONS(struct stoa_adam_options, decay, decay_text, decoupled_text)

/* The two moments. */
size_t stoa_adam_slots(const void *given, const char *names[STOA_MAX_SLOTS]);
/* The corrections of both moments for their zeros at first. */
void stoa_adam_begin(struct stoa_update *update);
void stoa_adam_update(const struct stoa_update *update);

#endif
