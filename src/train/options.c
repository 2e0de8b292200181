/* SPDX-License-Identifier: MIT */
/* Training options: defaults, ranges, and the registry of optimisers. Floor 7. */
#include "train/options.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
#include "ops/op.h"
#include "train/train_list.h" /* made from src/train/meson.build: X(name) for every optimiser */

#define STOA_OPTIMIZER_DECLARE(name) extern const struct stoa_optimizer stoa_optimizer_##name;
STOA_OPTIMIZER_LIST(STOA_OPTIMIZER_DECLARE)
#undef STOA_OPTIMIZER_DECLARE
#define STOA_OPTIMIZER_ADDRESS(name) &stoa_optimizer_##name,
const struct stoa_optimizer *const stoa_optimizers[] = {STOA_OPTIMIZER_LIST(STOA_OPTIMIZER_ADDRESS) NULL};
#undef STOA_OPTIMIZER_ADDRESS

static stoa_status read_optimizer(struct stoa_error *error, const char *line,
                                  struct stoa_train_settings *settings) {
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "optimizer: ");
    }
    for (size_t i = 0; stoa_optimizers[i]; i++) {
        const struct stoa_optimizer *o = stoa_optimizers[i];
        if (strcmp(o->name, spec.name) == 0) {
            assert(o->options_bytes <= sizeof settings->optimizer_options);
            settings->optimizer = o;
            stoa_status status =
                stoa_options_read(error, o->options, o->option_count, &spec, settings->optimizer_options);
            if (status != STOA_OK) {
                return stoa_error_prefix(error, "optimizer %s: ", o->name);
            }
            settings->optimizer_slots = o->slots(settings->optimizer_options);
            assert(settings->optimizer_slots <= STOA_MAX_SLOTS);
            return STOA_OK;
        }
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT,
                          "unknown optimizer '%.64s', expected one of " STOA_OPTIMIZER_NAMES, spec.name);
}

static stoa_status read_loss(struct stoa_error *error, const char *line,
                             struct stoa_train_settings *settings) {
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "loss: ");
    }
    const struct stoa_op *op = stoa_op_find(spec.name);
    if (!op || !op->is_loss) {
        return stoa_unknown_loss(error, spec.name);
    }
    (void)snprintf(settings->loss, sizeof settings->loss, "%s", line);
    return STOA_OK;
}

static stoa_status fail_range(stoa_context *context, const char *key, float value, const char *expected) {
    char text[32];
    stoa_format_float(value, text);
    return stoa_fail(context, STOA_ERR_ARGUMENT, "%s: found %s, expected %s", key, text, expected);
}

/* Written so that NaN fails. */
static stoa_status check_numbers(stoa_context *context, const struct stoa_train_settings *s) {
    static const char positive[] = "0 (none) or a finite number above 0";
    if (!(s->learning_rate > 0) || !isfinite(s->learning_rate)) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "lr: found %g, expected a finite number above 0",
                         (double)s->learning_rate);
    }
    if (s->batch > STOA_MAX_DIMENSION || s->epochs > STOA_MAX_DIMENSION) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "found batch %zu and %zu epochs, expected at most %zu",
                         s->batch, s->epochs, STOA_MAX_DIMENSION);
    }
    if (s->accumulate > STOA_MOST_BATCH) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "accumulate: found %zu, expected at most %d",
                         s->accumulate, STOA_MOST_BATCH);
    }
    if (!(s->clip_norm >= 0) || !isfinite(s->clip_norm)) {
        return fail_range(context, "clip_norm", s->clip_norm, positive);
    }
    if (!(s->clip_value >= 0) || !isfinite(s->clip_value)) {
        return fail_range(context, "clip_value", s->clip_value, positive);
    }
    if (!(s->average >= 0 && s->average < 1)) {
        return fail_range(context, "average", s->average, "0 (none) or a number below 1, such as 0.999");
    }
    if (!(s->validation >= 0 && s->validation <= 0.9F)) {
        return fail_range(context, "validation", s->validation, "0 (none) or a share up to 0.9");
    }
    if (!(s->min_delta >= 0) || !isfinite(s->min_delta)) {
        return fail_range(context, "min_delta", s->min_delta, "a finite number from 0");
    }
    return STOA_OK;
}

static stoa_status read_monitor(stoa_context *context, const char *monitor,
                                struct stoa_train_settings *settings) {
    settings->by_accuracy = monitor && strcmp(monitor, "accuracy") == 0;
    if (monitor && !settings->by_accuracy && strcmp(monitor, "loss") != 0) {
        return stoa_fail(context, STOA_ERR_ARGUMENT, "monitor: found '%.60s', expected loss or accuracy",
                         monitor);
    }
    return STOA_OK;
}

stoa_status stoa_train_settings_read(stoa_context *context, const stoa_train_options *options,
                                     struct stoa_train_settings *settings) {
    *settings = (struct stoa_train_settings){
        .epochs = options->epochs ? options->epochs : 1,
        .batch = options->batch ? options->batch : 64,
        .accumulate = options->accumulate ? options->accumulate : 1,
        .seed = options->seed,
        .learning_rate = options->learning_rate != 0 ? options->learning_rate : 1e-3F,
        .clip_norm = options->clip_norm,
        .clip_value = options->clip_value,
        .average = options->average,
        .validation = options->validation,
        .stratified = options->stratified,
        .patience = options->patience,
        .min_delta = options->min_delta,
        .keep_best = options->keep_best,
        .in_order = options->in_order,
        .summed = options->summed,
    };
    struct stoa_error *error = &context->error;
    stoa_status status = check_numbers(context, settings);
    if (status == STOA_OK) {
        status = read_monitor(context, options->monitor, settings);
    }
    if (status == STOA_OK) {
        status = read_optimizer(error, options->optimizer ? options->optimizer : "adam", settings);
    }
    if (status == STOA_OK) {
        status = stoa_schedule_read(error, options->schedule ? options->schedule : "constant", settings);
    }
    if (status == STOA_OK && options->augment) {
        status = stoa_augment_read(error, options->augment, &settings->augment);
    }
    if (status == STOA_OK) {
        status = read_loss(error, options->loss ? options->loss : STOA_DEFAULT_LOSS, settings);
    }
    return status;
}

stoa_status stoa_train_settings_check(struct stoa_error *error, const struct stoa_train_settings *s) {
    const char *what = NULL;
    if (s->schedule->needs_validation && s->schedule->needs_validation(s->schedule_options)) {
        return s->validation > 0
                   ? STOA_OK
                   : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                    "schedule %s watches the validation loss: set validation, the "
                                    "share of the training data held out, or watch=training",
                                    s->schedule->name);
    }
    what = s->patience > 0 ? "patience" : s->keep_best ? "keep_best" : s->stratified ? "stratified" : NULL;
    return s->validation > 0 || !what
               ? STOA_OK
               : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                "%s: needs validation, the share of the training data held out", what);
}

stoa_status stoa_optimizer_slots(stoa_context *context, const char *optimizer, size_t *slots) {
    struct stoa_train_settings settings;
    stoa_status status =
        stoa_train_settings_read(context, &(stoa_train_options){.optimizer = optimizer}, &settings);
    if (status == STOA_OK) {
        *slots = settings.optimizer_slots;
    }
    return status;
}

stoa_status stoa_train_options_check(stoa_context *context, const stoa_train_options *options, bool whole) {
    struct stoa_train_settings settings;
    stoa_status status = stoa_train_settings_read(context, options, &settings);
    return status == STOA_OK && whole ? stoa_train_settings_check(&context->error, &settings) : status;
}
