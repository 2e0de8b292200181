/* SPDX-License-Identifier: MIT */
/* What an optimiser and a schedule are: one descriptor at the end of its file, one word in
 * src/train/meson.build. */
#ifndef STOA_TRAIN_OPTIMIZER_H
#define STOA_TRAIN_OPTIMIZER_H

#include <stdint.h>

#include "core/context.h"
#include "core/options.h"

enum { STOA_MAX_SLOTS = 4, STOA_MAX_SHARED = 2 };

/* One update of `count` parameters that are treated alike. `step` counts from 1. */
struct stoa_update {
    const struct stoa_kernels *kernels;
    const void *options;
    float *parameter;
    const float *gradient;
    float *slot[STOA_MAX_SLOTS]; /* the optimiser's own arrays, zero before the first step */
    size_t count;
    float learning_rate;
    bool decays; /* weight decay applies to these parameters */
    uint64_t step;
    double shared[STOA_MAX_SHARED]; /* what `begin` has left: the same for all parameters */
    /* A whole weight as a matrix, its outputs the columns, where the optimiser has a `workspace`; else 0. */
    size_t rows, columns;
    float *work; /* what `workspace` has asked for */
    const stoa_context *context;
};

/* Weight decay: its amount is added to the gradient times the parameter (L2), or, decoupled, the parameter
 * loses that share of the learning rate before the step (Loshchilov and Hutter 2019). */
struct stoa_decay {
    float amount;
    bool decoupled;
};

/* Its lines in an options table. */
#define STOA_DECAY_OPTIONS(type, member, amount_text, decoupled_text)                                        \
    {"decay", STOA_OPTION_FLOAT, offsetof(type, member.amount), amount_text, 0, 1, NULL}, {                  \
        "decoupled", STOA_OPTION_BOOL, offsetof(type, member.decoupled), decoupled_text, 0, 0, NULL          \
    }

/* What kernels take as `decay` and as `keep`. */
static inline float stoa_decay_added(const struct stoa_update *u, const struct stoa_decay *decay) {
    return u->decays && !decay->decoupled ? decay->amount : 0;
}

static inline float stoa_decay_kept(const struct stoa_update *u, const struct stoa_decay *decay) {
    return u->decays && decay->decoupled ? 1 - u->learning_rate * decay->amount : 1;
}

struct stoa_optimizer {
    const char *name;
    const struct stoa_option *options;
    size_t option_count, options_bytes;
    /* How many arrays it keeps, and what PyTorch calls each: files name them so. */
    size_t (*slots)(const void *options, const char *names[STOA_MAX_SLOTS]);
    /* Once a step, from options and step; NULL: nothing is shared. */
    void (*begin)(struct stoa_update *update);
    /* NULL: numbers are updated each by itself. Or weights come whole, but for the last one, each on one
     * thread; scratch of one in floats, false when its size overflows. */
    bool (*workspace)(size_t rows, size_t columns, size_t *floats);
    void (*update)(const struct stoa_update *update);
};

/* What a schedule that watches the loss remembers between epochs. */
struct stoa_schedule_state {
    double factor, best;
    uint64_t bad, resting; /* epochs without improvement; epochs in which none is counted */
};

/* Losses of an epoch that has ended; NAN: there is none. */
struct stoa_epoch_losses {
    double training, validation;
};

/* The options `per`, `warmup` and `warmup_start` belong to every schedule that has no option of that name:
 * src/train/schedule.c reads them, counts units (steps or epochs) and does the warm-up. */
struct stoa_schedule {
    const char *name;
    const struct stoa_option *options;
    size_t option_count, options_bytes;
    /* What the learning rate is multiplied with at unit `at` (from 0) of `total` (>= 1), warm-up not
     * counted. */
    double (*factor)(const void *options, uint64_t at, uint64_t total);
    /* NULL, or: an epoch has ended. state->factor is one more factor of the rate, 1 before the first
     * epoch. */
    void (*observe)(const void *options, struct stoa_schedule_state *state,
                    const struct stoa_epoch_losses *losses);
    bool (*needs_validation)(const void *options); /* NULL: never */
};

/* NULL-terminated, in the order of src/train/meson.build. */
extern const struct stoa_optimizer *const stoa_optimizers[];
extern const struct stoa_schedule *const stoa_schedules[];

#endif
