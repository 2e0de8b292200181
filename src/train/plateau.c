/* SPDX-License-Identifier: MIT */
/* plateau: the learning rate times `factor`, down to `end` of it, when the watched loss has not fallen by
 * `threshold` of itself for more than `patience` epochs; then `cooldown` epochs count for nothing. PyTorch's
 * ReduceLROnPlateau. */
#include <math.h>

#include "train/optimizer.h"

struct plateau_options {
    size_t watch, patience, cooldown;
    double factor, threshold, end;
};

static const char *const watched[] = {"validation", "training", NULL};
enum { VALIDATION };

static const struct stoa_option options[] = {
    {"watch", STOA_OPTION_CHOICE, offsetof(struct plateau_options, watch), "validation", 0, 0, watched},
    {"factor", STOA_OPTION_DOUBLE, offsetof(struct plateau_options, factor), "0.1", 1e-6, 1, NULL},
    {"patience", STOA_OPTION_SIZE, offsetof(struct plateau_options, patience), "10", 0, 1e6, NULL},
    {"threshold", STOA_OPTION_DOUBLE, offsetof(struct plateau_options, threshold), "1e-4", 0, 1, NULL},
    {"cooldown", STOA_OPTION_SIZE, offsetof(struct plateau_options, cooldown), "0", 0, 1e6, NULL},
    {"end", STOA_OPTION_DOUBLE, offsetof(struct plateau_options, end), "0", 0, 1, NULL},
};

static double factor(const void *given, uint64_t at, uint64_t total) {
    (void)given;
    (void)at;
    (void)total;
    return 1;
}

static void observe(const void *given, struct stoa_schedule_state *state,
                    const struct stoa_epoch_losses *losses) {
    const struct plateau_options *o = given;
    double loss = o->watch == VALIDATION ? losses->validation : losses->training;
    if (loss < state->best * (1 - o->threshold)) {
        state->best = loss;
        state->bad = 0;
    } else {
        state->bad++;
    }
    if (state->resting > 0) {
        state->resting--;
        state->bad = 0;
    }
    if (state->bad > o->patience) {
        state->factor = fmax(state->factor * o->factor, o->end);
        state->resting = o->cooldown;
        state->bad = 0;
    }
}

static bool needs_validation(const void *given) {
    const struct plateau_options *o = given;
    return o->watch == VALIDATION;
}

const struct stoa_schedule stoa_schedule_plateau = {
    .name = "plateau",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct plateau_options),
    .factor = factor,
    .observe = observe,
    .needs_validation = needs_validation,
};
