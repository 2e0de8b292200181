/* Training options read and checked: the lines become descriptors with their own options. Floor 7. */
#ifndef STOA_TRAIN_OPTIONS_H
#define STOA_TRAIN_OPTIONS_H

#include <stoa/train.h>

#include "train/optimizer.h"

enum { STOA_OPTION_STRUCT_BYTES = 128 };

/* Options with defaults filled in and lines read. */
struct stoa_train_settings {
    size_t epochs, batch;
    uint64_t seed;
    float learning_rate;
    char loss[STOA_SPEC_MAX_TEXT];
    const struct stoa_optimizer *optimizer;
    size_t optimizer_slots;
    const struct stoa_schedule *schedule;
    _Alignas(16) unsigned char optimizer_options[STOA_OPTION_STRUCT_BYTES];
    _Alignas(16) unsigned char schedule_options[STOA_OPTION_STRUCT_BYTES];
};

/* Errors: STOA_ERR_ARGUMENT with a sentence that names the option. */
stoa_status stoa_train_settings_read(stoa_context *context, const stoa_train_options *options,
                                     struct stoa_train_settings *settings);

/* Only check. */
stoa_status stoa_train_options_check(stoa_context *context, const stoa_train_options *options);

#endif
