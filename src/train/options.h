/* SPDX-License-Identifier: MIT */
/* Training options read and checked: the lines become descriptors with their own options. */
#ifndef STOA_TRAIN_OPTIONS_H
#define STOA_TRAIN_OPTIONS_H

#include <string.h>

#include <stoa/train.h>

#include "data/augment.h"
#include "train/optimizer.h"

enum { STOA_OPTION_STRUCT_BYTES = 128 };

/* What all schedules share. */
struct stoa_schedule_units {
    size_t per;    /* 0: step, 1: epoch */
    size_t warmup; /* units */
    double warmup_start;
};

/* What tells the better of two epochs. */
enum stoa_monitor { STOA_MONITOR_LOSS, STOA_MONITOR_ACCURACY, STOA_MONITOR_RMSE, STOA_MONITOR_F1 };

/* Options with defaults filled in and lines read. */
struct stoa_train_settings {
    stoa_train_options options; /* its texts are NULL: they belong to the caller, and stand below as read */
    enum stoa_monitor monitor;
    struct stoa_augment augment;
    char loss[STOA_SPEC_MAX_TEXT]; /* "none" of a trainer: the caller has one of its own */
    const struct stoa_optimizer *optimizer;
    size_t optimizer_slots;
    const char *slot_names[STOA_MAX_SLOTS];
    const struct stoa_schedule *schedule;
    struct stoa_schedule_units schedule_units;
    _Alignas(16) unsigned char optimizer_options[STOA_OPTION_STRUCT_BYTES];
    _Alignas(16) unsigned char schedule_options[STOA_OPTION_STRUCT_BYTES];
};

/* Whether the caller of a trainer has a loss of its own, as "none" says: no reader of options knows it. */
static inline bool stoa_loss_is_own(const char *line) {
    return line && strcmp(line, "none") == 0;
}

/* Errors: STOA_ERR_ARGUMENT with a sentence that names the option. */
stoa_status stoa_train_settings_read(stoa_context *context, const stoa_train_options *options,
                                     struct stoa_train_settings *settings);

/* Whether a training with these settings has the validation data they need. */
stoa_status stoa_train_settings_check(struct stoa_error *error, const struct stoa_train_settings *settings);

/* Whether settings go with what is to be learned. */
stoa_status stoa_train_settings_check_task(struct stoa_error *error,
                                           const struct stoa_train_settings *settings, stoa_task task);

/* Read and check, where only the answer is wanted. */
stoa_status stoa_train_options_check(stoa_context *context, const stoa_train_options *options);

/* What the rows of train/keys.c read into settings. */
stoa_status stoa_optimizer_read(struct stoa_error *error, const char *line, void *into);
stoa_status stoa_schedule_read(struct stoa_error *error, const char *line, void *into);
stoa_status stoa_loss_read(struct stoa_error *error, const char *line, void *into);
stoa_status stoa_monitor_read(struct stoa_error *error, const char *line, void *into);
stoa_status stoa_augment_line_read(struct stoa_error *error, const char *line, void *into);

/* Whether what the learning rate is multiplied with at a step depends on how many there will be. */
bool stoa_schedule_spans(const struct stoa_train_settings *settings);

/* What the learning rate is multiplied with at `step` (from 0) of `total_steps`, which are
 * settings->options.epochs epochs; later steps are as the last. */
double stoa_schedule_factor(const struct stoa_train_settings *settings,
                            const struct stoa_schedule_state *state, uint64_t step, uint64_t total_steps);

#endif
